//! Blame: who sent the bytes that made a piece fail.
//!
//! A piece that fails its hash and came from one peer convicts that peer. If several gave blocks,
//! all are suspects and none is convicted: the hash of each block is noted beside its giver, the
//! piece is fetched again from one peer alone, and once it is right, its blocks are compared with
//! the notes. Whoever gave a block that was different is guilty, with proof.
//!
//! ```text
//!  fails ──▶ read the bad blocks, note hashes ──▶ fetch again, alone ──▶ right ──▶ read the good
//!                                                      │                          blocks, compare
//!                                                      └─▶ fails again: its one giver is guilty
//! ```
//! It costs two reads of a piece, and only when something is wrong. (libtorrent calls it *smart
//! ban*.)

use crate::base::Shelf;
use crate::base::order;
use std::net::SocketAddr;

use super::pieces::Verdict;
use crate::base::PieceIndex;
use crate::base::limits::{BLOCK_BYTES, SEND_BUFFER_BYTES};
use crate::format::digest::Digest;
use crate::format::layout::Layout;

/// Pieces under suspicion at once; one more is fetched again without asking who it was.
const CASES_MAX: usize = 16;

/// The open cases of one torrent.
#[derive(Debug, Default)]
pub struct Blame {
    cases: Shelf<PieceIndex, Case>,
}

#[derive(Debug)]
struct Case {
    /// By block: who gave the bad piece, and the hash of what they gave (once read).
    notes: Vec<Note>,
    reading: Reading,
}

#[derive(Debug)]
struct Note {
    giver: SocketAddr,
    hash: Option<[u8; 20]>,
    differs: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Reading {
    /// The bad blocks, to note them.
    Bad,
    /// Nothing: the piece is being fetched again.
    No,
    /// The good blocks, to compare.
    Good,
}

/// What follows from a failed piece.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Finding {
    /// One peer gave it all.
    Guilty(SocketAddr),
    /// Read these ranges (begin, len) and hand them to `on_read`; the piece must rest until then.
    Read(Vec<(u32, u32)>),
    /// No case can be made.
    Nothing,
}

/// What follows from a range that was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// More is to come.
    Wait,
    /// The bad blocks are noted: the piece may be fetched again, from one peer alone.
    FetchAgain,
    /// The case is closed.
    Guilty(Vec<SocketAddr>),
}

impl Blame {
    pub fn new() -> Blame {
        Blame::default()
    }

    /// Whether this piece failed before and must come from one peer alone.
    pub fn is_suspect(&self, piece: PieceIndex) -> bool {
        self.cases.contains_key(&piece)
    }

    /// A piece failed its hash.
    pub fn on_failed(&mut self, layout: &Layout, piece: PieceIndex, verdict: &Verdict) -> Finding {
        if let [one] = verdict.sources[..] {
            return Finding::Guilty(one.addr);
        }
        if self.cases.len() == CASES_MAX || self.cases.contains_key(&piece) {
            return Finding::Nothing;
        }
        let note = |&giver: &u16| Note {
            giver: verdict.sources[usize::from(giver)].addr,
            hash: None,
            differs: false,
        };
        let notes = verdict.givers.iter().map(note).collect();
        self.cases.insert(piece, Case { notes, reading: Reading::Bad });
        Finding::Read(ranges(layout.piece_len(piece)))
    }

    /// A piece under suspicion came out right: its blocks are to be read and compared.
    pub fn on_right(&mut self, layout: &Layout, piece: PieceIndex) -> Finding {
        let Some(case) = self.cases.get_mut(&piece) else { return Finding::Nothing };
        case.reading = Reading::Good;
        Finding::Read(ranges(layout.piece_len(piece)))
    }

    /// A range was read, or (`None`) cannot be: then the case is dropped.
    pub fn on_read(
        &mut self,
        layout: &Layout,
        piece: PieceIndex,
        begin: u32,
        bytes: Option<&[u8]>,
    ) -> Outcome {
        let Some(case) = self.cases.get_mut(&piece) else { return Outcome::Wait };
        let Some(bytes) = bytes else { return self.drop_case(piece) };
        let first = (begin / BLOCK_BYTES) as usize;
        for (note, block) in case.notes[first..].iter_mut().zip(bytes.chunks(BLOCK_BYTES as usize))
        {
            let hash = Digest::of(block);
            match case.reading {
                Reading::Bad | Reading::No => note.hash = Some(hash),
                Reading::Good => note.differs = note.hash != Some(hash),
            }
        }
        let len = u32::try_from(bytes.len()).expect("a read is part of a piece");
        if begin + len < layout.piece_len(piece) {
            return Outcome::Wait;
        }
        match case.reading {
            Reading::Bad | Reading::No => {
                case.reading = Reading::No;
                Outcome::FetchAgain
            }
            Reading::Good => self.close(piece),
        }
    }

    /// How many pieces rest: they failed, and what they were made of is being read.
    pub fn resting_count(&self) -> usize {
        self.cases.values().filter(|case| case.reading == Reading::Bad).count()
    }

    /// Whether this piece rests.
    pub fn is_resting(&self, piece: PieceIndex) -> bool {
        self.cases.get(&piece).is_some_and(|case| case.reading == Reading::Bad)
    }

    /// All work on this torrent begins anew.
    pub fn clear(&mut self) {
        self.cases.clear();
    }

    fn close(&mut self, piece: PieceIndex) -> Outcome {
        let case = self.cases.remove(&piece).expect("the case is open");
        let mut guilty: Vec<SocketAddr> =
            case.notes.iter().filter(|note| note.differs).map(|note| note.giver).collect();
        order::sort(&mut guilty);
        guilty.dedup();
        Outcome::Guilty(guilty)
    }

    fn drop_case(&mut self, piece: PieceIndex) -> Outcome {
        match self.cases.remove(&piece).map(|case| case.reading) {
            Some(Reading::Bad) => Outcome::FetchAgain,
            Some(Reading::No | Reading::Good) | None => Outcome::Wait,
        }
    }
}

/// A piece in ranges that fit the buffer, cut at block borders.
fn ranges(piece_len: u32) -> Vec<(u32, u32)> {
    let step = u32::try_from(SEND_BUFFER_BYTES).expect("a small constant");
    let starts = (0..piece_len).step_by(SEND_BUFFER_BYTES);
    starts.map(|begin| (begin, step.min(piece_len - begin))).collect()
}

const _: () = assert!(SEND_BUFFER_BYTES.is_multiple_of(BLOCK_BYTES as usize));
