//! Bits: which pieces somebody has, in the order of the wire.
//!
//! The bytes are those of the `bitfield` message: piece 0 is the highest bit of the first byte,
//! and the spare bits behind the last piece are zero. So a have-map is sent and received by
//! copying it.
//!
//! ```text
//!  byte 0            byte 1
//!  0 1 2 3 4 5 6 7   8 9 - - - - - -      ten pieces, six spare bits
//! ```
//!
//! # Invariants
//! `bytes.len() == len.div_ceil(8)` · spare bits are zero · `ones` is the number of set bits.
//!
//! # Spec
//! BEP 3, "peer messages", bitfield.

use super::id::PieceIndex;

/// A fixed number of bits and how many of them are set.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bits {
    bytes: Vec<u8>,
    len: u32,
    ones: u32,
}

impl Bits {
    /// `len` bits, none set.
    pub fn none(len: u32) -> Bits {
        Bits { bytes: vec![0; bytes_for(len)], len, ones: 0 }
    }

    /// `len` bits, all set.
    pub fn all(len: u32) -> Bits {
        let mut bytes = vec![0xff; bytes_for(len)];
        if let Some(last) = bytes.last_mut() {
            *last &= !spare_mask(len);
        }
        Bits { bytes, len, ones: len }
    }

    /// Takes the bytes of a `bitfield` message for a torrent of `len` pieces.
    ///
    /// Returns `None` if there are too few or too many bytes, or if a spare bit is set.
    pub fn from_wire(bytes: &[u8], len: u32) -> Option<Bits> {
        if bytes.len() != bytes_for(len) {
            return None;
        }
        if bytes.last().is_some_and(|last| last & spare_mask(len) != 0) {
            return None;
        }
        let ones = bytes.iter().map(|byte| byte.count_ones()).sum();
        Some(Bits { bytes: bytes.to_vec(), len, ones })
    }

    /// Sets bit `index`. Returns whether it was clear before.
    ///
    /// Panics if `index` is not below the length: a `PieceIndex` of another torrent is our bug.
    pub fn set(&mut self, index: PieceIndex) -> bool {
        let (byte, mask) = self.place(index);
        let was_clear = self.bytes[byte] & mask == 0;
        self.bytes[byte] |= mask;
        self.ones += u32::from(was_clear);
        was_clear
    }

    /// Clears bit `index`. Returns whether it was set before. Panics like `set`.
    pub fn clear(&mut self, index: PieceIndex) -> bool {
        let (byte, mask) = self.place(index);
        let was_set = self.bytes[byte] & mask != 0;
        self.bytes[byte] &= !mask;
        self.ones -= u32::from(was_set);
        was_set
    }

    #[inline(always)]
    pub fn has(&self, index: PieceIndex) -> bool {
        let (byte, mask) = self.place(index);
        self.bytes[byte] & mask != 0
    }

    /// How many bits there are.
    pub fn len(&self) -> u32 {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many bits are set.
    pub fn count(&self) -> u32 {
        self.ones
    }

    pub fn is_all(&self) -> bool {
        self.ones == self.len
    }

    pub fn is_none(&self) -> bool {
        self.ones == 0
    }

    /// The bytes as the `bitfield` message carries them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The set bits, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = PieceIndex> + '_ {
        (0..self.len).map(PieceIndex::checked).filter(|&index| self.has(index))
    }

    /// The bits that are set here and clear in `other`, in ascending order. Both must describe the
    /// same torrent. Bytes without one are stepped over whole.
    pub fn beyond<'b>(&'b self, other: &'b Bits) -> impl Iterator<Item = PieceIndex> + 'b {
        assert_eq!(self.len, other.len, "have-maps of two different torrents");
        let bytes = (0u32..).step_by(8).zip(self.bytes.iter().zip(&other.bytes));
        bytes.filter(|(_, (ours, theirs))| *ours & !*theirs != 0).flat_map(
            |(first, (ours, theirs))| {
                let fresh = ours & !theirs;
                let set = (0..8).filter(move |bit| fresh & (0x80 >> bit) != 0);
                set.map(move |bit| PieceIndex::checked(first + bit))
            },
        )
    }

    /// Sets every bit that is set in `other`. Both must describe the same torrent.
    pub fn add_all(&mut self, other: &Bits) {
        assert_eq!(self.len, other.len, "have-maps of two different torrents");
        self.bytes.iter_mut().zip(&other.bytes).for_each(|(ours, theirs)| *ours |= theirs);
        self.ones = self.bytes.iter().map(|byte| byte.count_ones()).sum();
    }

    /// Whether some bit is set here and clear in `other`: "they have something that we lack".
    ///
    /// Both must describe the same torrent.
    pub fn any_missing_in(&self, other: &Bits) -> bool {
        assert_eq!(self.len, other.len, "have-maps of two different torrents");
        // Eight bytes at once, since this is asked for each piece that comes.
        let (ours, our_rest) = self.bytes.as_chunks();
        let (theirs, their_rest) = other.bytes.as_chunks();
        let word = u64::from_ne_bytes;
        ours.iter().zip(theirs).any(|(&ours, &theirs)| word(ours) & !word(theirs) != 0)
            || our_rest.iter().zip(their_rest).any(|(ours, theirs)| ours & !theirs != 0)
    }

    /// Recounts what `set` and `clear` only increment.
    pub fn check(&self) {
        assert_eq!(self.bytes.len(), bytes_for(self.len));
        assert_eq!(self.ones, self.bytes.iter().map(|byte| byte.count_ones()).sum::<u32>());
        if let Some(last) = self.bytes.last() {
            assert_eq!(last & spare_mask(self.len), 0, "a spare bit is set");
        }
    }

    /// Asked for each bit: as a call of its own, it was a fourteenth of a swarm in the lab.
    #[inline(always)]
    fn place(&self, index: PieceIndex) -> (usize, u8) {
        assert!(index.get() < self.len, "{index:?} of {} pieces", self.len);
        (index.at() / 8, 0x80 >> (index.get() % 8))
    }
}

/// How many bytes a `bitfield` of `len` pieces has.
pub const fn bytes_for(len: u32) -> usize {
    len.div_ceil(8) as usize
}

/// The bits of the last byte that stand for no piece.
const fn spare_mask(len: u32) -> u8 {
    match len % 8 {
        0 => 0,
        used => 0xff >> used,
    }
}
