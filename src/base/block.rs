//! A block: the unit of a request, up to 16 KiB inside one piece.
//!
//! The same three numbers exist as two types. A `Claim` is what a peer said: any 32-bit values.
//! A `Block` has been compared with the torrent's geometry; only `Layout::block` turns the one
//! into the other. So a function that takes a `Block` never checks bounds, and a function that
//! takes a `Claim` always must.
//!
//! # Spec
//! BEP 3, "peer messages": request, piece, cancel.

use super::id::PieceIndex;

/// Piece, begin and length exactly as they came over the wire. Nothing about them is known.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Claim {
    pub piece: u32,
    /// Byte offset inside the piece.
    pub begin: u32,
    pub len: u32,
}

/// A non-empty range of bytes that lies inside an existing piece.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Block {
    piece: PieceIndex,
    begin: u32,
    len: u32,
}

impl Block {
    /// A block whose bounds the caller has checked; only `format::layout` has reason to call it.
    pub(crate) fn checked(piece: PieceIndex, begin: u32, len: u32) -> Block {
        debug_assert!(len > 0, "a block holds at least one byte");
        Block { piece, begin, len }
    }

    pub fn piece(self) -> PieceIndex {
        self.piece
    }

    /// Byte offset inside the piece.
    pub fn begin(self) -> u32 {
        self.begin
    }

    /// Bytes, at least 1.
    pub fn len(self) -> u32 {
        self.len
    }

    /// Never: a block holds at least one byte. (Here because `len` without it reads oddly.)
    pub fn is_empty(self) -> bool {
        false
    }

    /// Offset inside the piece of the first byte after the block.
    pub fn end(self) -> u32 {
        self.begin + self.len
    }

    /// The same numbers as the wire says them.
    pub fn claim(self) -> Claim {
        Claim { piece: self.piece.get(), begin: self.begin, len: self.len }
    }
}
