//! Selection: which pieces somebody wants, and which of them first.
//!
//! A person chooses files; what is fetched are pieces. A piece is as important as the most
//! important file that has a byte in it:
//!
//! ```text
//!  files    a: skip       b: high    c: skip              d: low
//!          ├────────────┼──────────┼────────────────────┼──────────┤
//!  pieces  │ skip │ skip │ high │ high │ skip │ skip │ low │ low │
//!                 a and b share it ─┘      c and d share it ─┘
//! ```
//! So a skipped file may get a few bytes at its ends, those that a wanted neighbour needs to be
//! verified; beyond them it is not created.
//!
//! # Why
//! Nearly every torrent is wanted as a whole, and then nothing is kept here: no byte per piece,
//! and no question for the picker.
//!
//! # Spec
//! None: the wire does not know of it. Peers see it by what is asked for (BEP 21 has a word for
//! those who have all they want).

use crate::base::{Bits, PieceIndex};
use crate::format::layout::Layout;

/// How much a file is wanted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Choice {
    Skip,
    Low,
    #[default]
    Normal,
    High,
}

/// What a person wants of a torrent's data.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Wishes {
    /// By file as people count them (padding has no number); all beyond are `Normal`.
    pub files: Vec<Choice>,
    /// In the order of the pieces, for whoever looks at it while it comes.
    pub sequential: bool,
}

/// The same for pieces.
#[derive(Debug, Default)]
pub struct Selection {
    /// By piece; empty if all are `Normal`.
    choices: Vec<Choice>,
    /// The pieces that are not skipped; `None` if that is all of them.
    wanted: Option<Bits>,
    sequential: bool,
}

/// From what is fetched first to what is fetched last.
const RANKS: [Choice; 3] = [Choice::High, Choice::Normal, Choice::Low];

impl Selection {
    pub fn new(layout: &Layout, wishes: &Wishes) -> Selection {
        let sequential = wishes.sequential;
        if wishes.files.iter().all(|&choice| choice == Choice::Normal) {
            return Selection { sequential, ..Selection::default() };
        }
        let by_file = by_file(layout, &wishes.files);
        let of_piece = |piece| {
            let spans = layout.spans(piece, 0, layout.piece_len(piece));
            spans.map(|span| by_file[span.file]).max().unwrap_or(Choice::Skip)
        };
        let choices: Vec<Choice> = layout.pieces().map(of_piece).collect();
        let mut wanted = Bits::none(layout.piece_count());
        let is_wanted = |piece: &PieceIndex| choices[piece.at()] != Choice::Skip;
        layout.pieces().filter(is_wanted).for_each(|piece| {
            wanted.set(piece);
        });
        let wanted = (!wanted.is_all()).then_some(wanted);
        Selection { choices, wanted, sequential }
    }

    pub fn wants(&self, piece: PieceIndex) -> bool {
        self.wanted.as_ref().is_none_or(|wanted| wanted.has(piece))
    }

    /// Whether everything that is wanted is among `have`.
    pub fn is_met_by(&self, have: &Bits) -> bool {
        match &self.wanted {
            None => have.is_all(),
            Some(wanted) => !wanted.any_missing_in(have),
        }
    }

    /// Whether `theirs` has something wanted that `ours` lacks.
    pub fn is_served_by(&self, theirs: &Bits, ours: &Bits) -> bool {
        match &self.wanted {
            None => theirs.any_missing_in(ours),
            Some(wanted) => theirs.beyond(ours).any(|piece| wanted.has(piece)),
        }
    }

    /// Whether chance and rarity alone decide what comes first.
    pub fn is_plain(&self) -> bool {
        self.choices.is_empty() && !self.sequential
    }

    pub fn is_sequential(&self) -> bool {
        self.sequential
    }

    /// The ranks of pieces that are wanted, the first first, as tests of a piece.
    pub fn ranks(&self) -> impl Iterator<Item = impl Fn(PieceIndex) -> bool> {
        let is_flat = self.choices.is_empty();
        let ranks = RANKS.into_iter().filter(move |&rank| !is_flat || rank == Choice::Normal);
        ranks.map(move |rank| move |piece: PieceIndex| is_flat || self.choices[piece.at()] == rank)
    }

    /// Bytes of the pieces that are wanted.
    pub fn bytes(&self, layout: &Layout) -> u64 {
        match &self.wanted {
            None => layout.total_bytes(),
            Some(wanted) => wanted.iter().map(|piece| u64::from(layout.piece_len(piece))).sum(),
        }
    }

    /// Bytes of the pieces that are wanted and missing in `have`, which are `have_bytes`.
    pub fn bytes_missing(&self, layout: &Layout, have: &Bits, have_bytes: u64) -> u64 {
        let Some(wanted) = &self.wanted else { return layout.total_bytes() - have_bytes };
        wanted.beyond(have).map(|piece| u64::from(layout.piece_len(piece))).sum()
    }
}

/// By file of the layout; nobody wants padding for its own sake.
fn by_file(layout: &Layout, choices: &[Choice]) -> Vec<Choice> {
    let mut choices = choices.iter().copied();
    let choice = |is_pad| match is_pad {
        true => Choice::Skip,
        false => choices.next().unwrap_or_default(),
    };
    layout.files().iter().map(|file| file.pad).map(choice).collect()
}
