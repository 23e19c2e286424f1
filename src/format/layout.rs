//! Layout: what a torrent looks like as numbers.

use crate::base::{Block, Claim, PieceIndex};

/// Pieces, blocks and files of one torrent. The only place that divides.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layout {
    piece_bytes: u32,
    total_bytes: u64,
    piece_count: u32,
    files: Vec<File>,
}

/// One file of a torrent, as laid end to end with the others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct File {
    /// Cleaned components below the download directory; the first is the torrent's name.
    pub path: Vec<String>,
    /// Where the file begins in the torrent's bytes.
    pub offset: u64,
    pub len: u64,
    /// BEP 47 padding: zeros that are hashed and served but never stored or listed.
    pub pad: bool,
}

/// A range of bytes of one file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileSpan {
    /// Index into `Layout::files`.
    pub file: usize,
    /// Byte offset inside that file.
    pub offset: u64,
    /// At least 1.
    pub len: u32,
}

impl Layout {
    /// How many bytes a whole piece has (the last one may be shorter).
    pub fn piece_bytes(&self) -> u32 {
        self.piece_bytes
    }

    pub fn piece_count(&self) -> u32 {
        self.piece_count
    }

    pub fn total_bytes(&self) -> u64 {
        self.total_bytes
    }

    pub fn files(&self) -> &[File] {
        &self.files
    }

    /// Turns a number that a peer said into a piece that exists.
    pub fn piece(&self, index: u32) -> Option<PieceIndex> {
        (index < self.piece_count).then(|| PieceIndex::checked(index))
    }

    /// All pieces, ascending.
    pub fn pieces(&self) -> impl Iterator<Item = PieceIndex> + use<> {
        (0..self.piece_count).map(PieceIndex::checked)
    }

    /// Bytes of this piece.
    pub fn piece_len(&self, _piece: PieceIndex) -> u32 {
        todo!()
    }

    /// Turns a peer's claim into a block: piece exists, length at least 1 and at most
    /// `REQUEST_BYTES_MAX`, end inside the piece (summed in 64 bits).
    pub fn block(&self, _claim: Claim) -> Option<Block> {
        todo!()
    }

    /// How many blocks of `BLOCK_BYTES` (the last may be shorter) a piece is asked in.
    pub fn block_count(&self, _piece: PieceIndex) -> u32 {
        todo!()
    }

    /// Block number `number` of a piece, as we ask for it.
    pub fn block_at(&self, _piece: PieceIndex, _number: u32) -> Block {
        todo!()
    }

    /// The files that hold `len` bytes of `piece` from `begin` on, in order.
    pub fn spans(
        &self,
        _piece: PieceIndex,
        _begin: u32,
        _len: u32,
    ) -> impl Iterator<Item = FileSpan> + '_ {
        std::iter::empty()
    }

    /// The pieces that hold at least one byte of file number `file`; empty for an empty file.
    pub fn pieces_of(&self, _file: usize) -> std::ops::Range<u32> {
        todo!()
    }
}
