//! Pieces: the pieces that are being fetched, block by block, and the verdict on each.
//!
//! A block of an *open* piece goes through these states; a piece is opened when its first block
//! is asked for and closed by its verdict.
//!
//! ```text
//!            ask              first byte            last byte
//!   free ──────────▶ asked ──────────────▶ arriving ──────────▶ here
//!     ▲                │                      │
//!     └── taken back ──┴──── cut off ─────────┘   (its peer left, or was slow and another began)
//! ```
//!
//! Bytes are hashed as they pass, while they are still in the processor's cache: as long as blocks
//! arrive in order, the piece is judged the moment its last byte came, without reading anything
//! back. Where a block begins, the state of the hash is noted down (a hundred bytes); if the block
//! is cut off in the middle, that note is the way back. A block that arrives out of order is only
//! written, and read back when its turn comes (`Step::ReadBack`).
//!
//! # Invariants
//! `hashed` counts the blocks at the front that are here and hashed · the hot block is number
//! `hashed`, and arriving · a block is asked of, at most, as many peers as `asked` says · a piece
//! gets its verdict when all blocks are hashed *and* all bytes are known to be written.
//!
//! # Why
//! Keeping a piece in memory until it is whole costs its size, 16 MiB for large ones; reading it
//! back to hash it costs CPU and, once memory is short, the disk. HTTP-like streaming costs
//! neither.

use crate::base::Shelf;
use std::net::SocketAddr;

use crate::base::limits::{BLOCK_BYTES, BLOCK_SLOW, ENDGAME_SLOW_COPIES_MAX, SEND_BUFFER_BYTES};
use crate::base::{Block, ConnId, PieceIndex, Time};
use crate::format::digest::Digest;
use crate::format::layout::Layout;

/// The open pieces of one torrent.
#[derive(Debug, Default)]
pub struct Pieces {
    open: Shelf<PieceIndex, OpenPiece>,
}

/// A piece that is being fetched.
#[derive(Debug)]
struct OpenPiece {
    blocks: Vec<BlockState>,
    /// Blocks hashed so far, from the front.
    hashed: u32,
    digest: Digest,
    /// The arriving block that is hashed as it passes, and the hash as it was before.
    before_hot: Option<Digest>,
    /// Blocks out of order that are being read back now, from number `hashed` on.
    reading: u32,
    /// Bytes known to be on disk. Below zero for a moment when a block is cut off before the
    /// disk has reported what came of it.
    written: i64,
    /// Who gave blocks of this piece.
    sources: Vec<Source>,
    /// Nobody else may be asked for it: it failed before, and a single giver is a culprit.
    alone: Option<Option<ConnId>>,
    /// Blocks of number below this are asked, arriving or here.
    first_free: u32,
}

/// A peer that gave a block; the address outlives the connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Source {
    pub conn: ConnId,
    pub addr: SocketAddr,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct BlockState {
    /// How many peers are asked for it at the moment.
    asked: u8,
    place: Place,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Place {
    Missing,
    /// `upto` bytes have come from this peer, the first one at `since`.
    Arriving {
        from: ConnId,
        upto: u32,
        since: Time,
    },
    /// Index into `sources`.
    Here {
        source: u16,
    },
}

/// What became of a stretch of payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Taken {
    /// Nobody wants these bytes.
    Unwanted,
    /// To be written; the block goes on.
    Part,
    /// To be written; the block is whole.
    Whole,
}

/// What to do next for a piece.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// Nothing yet.
    Wait,
    /// Read this range back (offset inside the piece, bytes) and hand it to `on_read`.
    ReadBack { begin: u32, len: u32 },
    /// All is hashed and written.
    Done(Verdict),
}

/// What a whole piece turned out to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verdict {
    pub hash: [u8; 20],
    /// Everyone who gave a block.
    pub sources: Vec<Source>,
    /// By block: index into `sources`.
    pub givers: Vec<u16>,
}

impl Pieces {
    pub fn new() -> Pieces {
        Pieces::default()
    }

    pub fn is_open(&self, piece: PieceIndex) -> bool {
        self.open.contains_key(&piece)
    }

    pub fn len(&self) -> usize {
        self.open.len()
    }

    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// The open pieces, ascending.
    pub fn iter(&self) -> impl Iterator<Item = PieceIndex> + '_ {
        self.open.keys().copied()
    }

    /// Begins a piece. `alone`: only one peer at a time may give it (it failed before).
    pub fn open(&mut self, layout: &Layout, piece: PieceIndex, alone: bool) {
        let count = layout.block_count(piece);
        let free = BlockState { asked: 0, place: Place::Missing };
        let opened = OpenPiece {
            blocks: vec![free; count as usize],
            hashed: 0,
            digest: Digest::by(layout.hashing()),
            before_hot: None,
            reading: 0,
            written: 0,
            sources: Vec::new(),
            alone: alone.then_some(None),
            first_free: 0,
        };
        let before = self.open.insert(piece, opened);
        assert!(before.is_none(), "{piece:?} is open already");
    }

    /// Asks for the next free block of an open piece on behalf of `conn`.
    ///
    /// Returns `None` if no block is free, or another peer has the piece to itself.
    pub fn ask(&mut self, layout: &Layout, piece: PieceIndex, conn: ConnId) -> Option<Block> {
        let open = self.open.get_mut(&piece)?;
        if !open.may_ask(conn) {
            return None;
        }
        let number = open.next_free()?;
        open.blocks[number as usize].asked = 1;
        open.first_free = number + 1;
        if let Some(alone) = &mut open.alone {
            *alone = Some(conn);
        }
        Some(layout.block_at(piece, number))
    }

    /// Asks once more for a block that somebody else was asked for: the end game. One that is
    /// arriving is left alone, unless it does so slowly (`BLOCK_SLOW`). Then it may be asked of
    /// `ENDGAME_SLOW_COPIES_MAX`, or a few slow ones would keep all others from it.
    ///
    /// `may_ask` says whether this peer may be asked for the block that so many are asked for.
    pub fn ask_again(
        &mut self,
        now: Time,
        layout: &Layout,
        piece: PieceIndex,
        asked_at_most: u8,
        conn: ConnId,
        mut may_ask: impl FnMut(Block, u8) -> bool,
    ) -> Option<Block> {
        let open = self.open.get_mut(&piece)?;
        if !open.may_ask(conn) {
            return None;
        }
        for (number, state) in (0u32..).zip(&mut open.blocks) {
            let block = layout.block_at(piece, number);
            let at_most = match state.place {
                Place::Arriving { .. } => asked_at_most.max(ENDGAME_SLOW_COPIES_MAX - 1),
                Place::Missing | Place::Here { .. } => asked_at_most,
            };
            let is_open = state.place.is_open_to(now, conn) && state.asked <= at_most;
            if is_open && may_ask(block, state.asked) {
                state.asked += 1;
                return Some(block);
            }
        }
        None
    }

    /// One peer fewer is asked for this block.
    pub fn release(&mut self, block: Block) {
        let Some(open) = self.open.get_mut(&block.piece()) else { return };
        let number = number_of(block);
        let state = &mut open.blocks[number as usize];
        state.asked = state.asked.saturating_sub(1);
        open.mind_free(number);
    }

    /// A peer is out of the game: whoever had the piece to itself has it no longer.
    pub fn release_alone(&mut self, piece: PieceIndex, conn: ConnId) {
        if let Some(open) = self.open.get_mut(&piece)
            && open.alone == Some(Some(conn))
        {
            open.alone = Some(None);
        }
    }

    /// Whether this block is still of use to us.
    pub fn wants(&self, block: Block) -> bool {
        self.open.get(&block.piece()).is_some_and(|open| {
            matches!(open.blocks[number_of(block) as usize].place, Place::Missing)
        })
    }

    /// Whether a peer could be asked for some block of this open piece.
    pub fn has_free(&self, piece: PieceIndex, conn: ConnId) -> bool {
        self.open.get(&piece).is_some_and(|open| open.may_ask(conn) && open.next_free().is_some())
    }

    /// Takes payload: bytes `from ..` of `block`, from `source`. Hashes it if it is its turn.
    pub fn on_payload(
        &mut self,
        now: Time,
        source: Source,
        block: Block,
        from: u32,
        bytes: &[u8],
    ) -> Taken {
        let Some(open) = self.open.get_mut(&block.piece()) else { return Taken::Unwanted };
        open.on_payload(now, source, block, from, bytes)
    }

    /// A connection is gone: blocks that were arriving from it are free again.
    pub fn on_gone(&mut self, conn: ConnId) {
        for open in self.open.values_mut() {
            open.on_gone(conn);
        }
    }

    /// Bytes of an open piece are on disk.
    pub fn on_written(&mut self, piece: PieceIndex, len: u32) {
        if let Some(open) = self.open.get_mut(&piece) {
            open.written += i64::from(len);
        }
    }

    /// What was asked for by `Step::ReadBack` is here.
    pub fn on_read(&mut self, piece: PieceIndex, bytes: &[u8]) {
        let Some(open) = self.open.get_mut(&piece) else { return };
        if open.reading == 0 {
            // Asked for in an earlier life of this piece.
            return;
        }
        open.digest.update(bytes);
        open.hashed += open.reading;
        open.reading = 0;
    }

    /// What is to be done for this piece now. To be asked after each of the `on_` calls.
    pub fn step(&mut self, layout: &Layout, piece: PieceIndex) -> Step {
        let Some(open) = self.open.get_mut(&piece) else { return Step::Wait };
        let count = layout.block_count(piece);
        if open.hashed == count && open.written == i64::from(layout.piece_len(piece)) {
            return Step::Done(self.close_whole(piece));
        }
        open.read_back(layout, piece, count)
    }

    /// Gives a piece up; nothing of it counts.
    pub fn close(&mut self, piece: PieceIndex) {
        self.open.remove(&piece);
    }

    /// Asserts the invariants above.
    pub fn check(&self, layout: &Layout) {
        for (&piece, open) in self.open.iter() {
            let hot = open.before_hot.is_some();
            let next = open.blocks.get(open.hashed as usize);
            assert!(
                !hot || next.is_some_and(|b| matches!(b.place, Place::Arriving { .. })),
                "the hot block of {piece:?} does not arrive"
            );
            for (number, state) in open.blocks.iter().enumerate() {
                let here = matches!(state.place, Place::Here { .. });
                assert!(here || number >= open.hashed as usize, "hashed, but not here");
                let free = state.asked == 0 && matches!(state.place, Place::Missing);
                assert!(!free || number >= open.first_free as usize, "a free block is hidden");
            }
            assert!(open.written <= i64::from(layout.piece_len(piece)));
        }
    }

    /// How many peers are asked for this block; `None` if its piece is not open.
    pub fn asked(&self, block: Block) -> Option<u8> {
        let open = self.open.get(&block.piece())?;
        Some(open.blocks[number_of(block) as usize].asked)
    }

    /// Every block that somebody is asked for, and how many are; for `Torrent::check`.
    pub fn all_asked(&self, layout: &Layout) -> Shelf<Block, u8> {
        let mut all = Shelf::new();
        for (&piece, open) in self.open.iter() {
            for (number, state) in (0u32..).zip(&open.blocks).filter(|(_, state)| state.asked > 0) {
                all.insert(layout.block_at(piece, number), state.asked);
            }
        }
        all
    }

    fn close_whole(&mut self, piece: PieceIndex) -> Verdict {
        let open = self.open.remove(&piece).expect("a piece in its last step is open");
        let giver = |state: &BlockState| match state.place {
            Place::Here { source } => source,
            Place::Missing | Place::Arriving { .. } => unreachable!("hashed, but not here"),
        };
        let givers = open.blocks.iter().map(giver).collect();
        Verdict { hash: open.digest.finish(), sources: open.sources, givers }
    }
}

impl Place {
    /// Whether this peer may begin the block: nobody has, or somebody who is slow.
    fn is_open_to(self, now: Time, conn: ConnId) -> bool {
        match self {
            Place::Missing => true,
            Place::Arriving { from, since, .. } => from != conn && now.since(since) >= BLOCK_SLOW,
            Place::Here { .. } => false,
        }
    }
}

impl OpenPiece {
    fn may_ask(&self, conn: ConnId) -> bool {
        match self.alone {
            None | Some(None) => true,
            Some(Some(owner)) => owner == conn,
        }
    }

    fn next_free(&self) -> Option<u32> {
        let from = self.first_free as usize;
        let free = |state: &BlockState| state.asked == 0 && matches!(state.place, Place::Missing);
        let ahead = self.blocks[from..].iter().position(free)?;
        Some(self.first_free + u32::try_from(ahead).expect("a piece has fewer blocks than 2^32"))
    }

    /// Block `number` may be free again.
    fn mind_free(&mut self, number: u32) {
        let state = self.blocks[number as usize];
        if state.asked == 0 && matches!(state.place, Place::Missing) {
            self.first_free = self.first_free.min(number);
        }
    }

    fn on_payload(
        &mut self,
        now: Time,
        source: Source,
        block: Block,
        from: u32,
        bytes: &[u8],
    ) -> Taken {
        let number = number_of(block);
        let len = u32::try_from(bytes.len()).expect("payload is part of a block");
        match self.blocks[number as usize].place {
            Place::Here { .. } => return Taken::Unwanted,
            Place::Arriving { from: conn, upto, .. } if conn == source.conn => {
                if upto != from {
                    return Taken::Unwanted;
                }
            }
            // The beginning was stepped over; the rest is of no use alone.
            Place::Missing | Place::Arriving { .. } if from != 0 => return Taken::Unwanted,
            Place::Missing => self.begin_block(now, number, source.conn),
            place @ Place::Arriving { upto, .. } => {
                if !place.is_open_to(now, source.conn) {
                    return Taken::Unwanted;
                }
                self.cut_off(number, upto);
                self.begin_block(now, number, source.conn);
            }
        }
        if self.before_hot.is_some() && number == self.hashed {
            self.digest.update(bytes);
        }
        if from + len < block.len() {
            if let Place::Arriving { upto, .. } = &mut self.blocks[number as usize].place {
                *upto = from + len;
            }
            return Taken::Part;
        }
        self.end_block(number, source);
        Taken::Whole
    }

    /// The first byte of a block came: is it this block's turn to be hashed?
    fn begin_block(&mut self, now: Time, number: u32, from: ConnId) {
        if number == self.hashed && self.reading == 0 {
            self.before_hot = Some(self.digest.clone());
        }
        self.blocks[number as usize].place = Place::Arriving { from, upto: 0, since: now };
    }

    fn end_block(&mut self, number: u32, source: Source) {
        let known = self.sources.iter().position(|known| known.addr == source.addr);
        let index = known.unwrap_or_else(|| {
            self.sources.push(source);
            self.sources.len() - 1
        });
        let source = u16::try_from(index).expect("a piece has fewer than 2^16 blocks");
        self.blocks[number as usize].place = Place::Here { source };
        if number == self.hashed && self.before_hot.take().is_some() {
            self.hashed += 1;
        }
    }

    fn on_gone(&mut self, conn: ConnId) {
        for number in 0..self.blocks.len() {
            let Place::Arriving { from, upto, .. } = self.blocks[number].place else { continue };
            if from == conn {
                let number = u32::try_from(number).expect("a piece has fewer blocks than 2^32");
                self.cut_off(number, upto);
            }
        }
        if self.alone == Some(Some(conn)) {
            self.alone = Some(None);
        }
    }

    /// A block that was arriving is missing again, `upto` bytes notwithstanding.
    fn cut_off(&mut self, number: u32, upto: u32) {
        self.blocks[number as usize].place = Place::Missing;
        // What was written of it will be written again.
        self.written -= i64::from(upto);
        if number == self.hashed
            && let Some(before) = self.before_hot.take()
        {
            self.digest = before;
        }
        self.mind_free(number);
    }

    /// The blocks at the front that are here but were never hashed, as one read.
    fn read_back(&mut self, layout: &Layout, piece: PieceIndex, count: u32) -> Step {
        let max = u32::try_from(SEND_BUFFER_BYTES).expect("a small constant") / BLOCK_BYTES;
        let is_here =
            |number: u32| matches!(self.blocks[number as usize].place, Place::Here { .. });
        let run = (self.hashed..count).take_while(|&n| n < self.hashed + max && is_here(n)).count();
        let run = u32::try_from(run).expect("at most max");
        if run == 0 || self.reading > 0 || self.before_hot.is_some() {
            return Step::Wait;
        }
        self.reading = run;
        let first = layout.block_at(piece, self.hashed);
        let last = layout.block_at(piece, self.hashed + run - 1);
        Step::ReadBack { begin: first.begin(), len: last.end() - first.begin() }
    }
}

/// Which block of its piece this is. Only for blocks as we ask for them.
fn number_of(block: Block) -> u32 {
    block.begin() / BLOCK_BYTES
}
