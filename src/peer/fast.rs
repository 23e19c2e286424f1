//! Fast: what two peers tell each other if both speak the Fast extension.
//!
//! Four things become better. A bitfield of ones or zeros is a word (*have all*, *have none*). A
//! request is always answered, by its block or by a *reject*: so a choke loses nothing on the way,
//! and nobody asks twice. A peer may *suggest* a piece. And a newcomer, who has nothing to trade,
//! may ask for a few pieces although it is choked: its *allowed fast* set.
//!
//! ```text
//!   x = the first three bytes of their IPv4 address, a zero, the info-hash
//!   x = SHA-1(x)  ──▶ 5 numbers of 4 bytes ──▶ each modulo the number of pieces, if it is new
//!   └─ again, until there are enough
//! ```
//! Everybody computes the same set for the same address, so whoever calls many peers gets no more
//! than whoever calls one.
//!
//! # Limits
//! `ALLOWED_FAST_PIECES` are granted, each of their blocks twice at most; `FAST_PIECES_MAX` are
//! kept of what they allow or suggest, the latest.
//!
//! # Spec
//! BEP 6; "allowed fast set generation" for the set.

use std::net::{IpAddr, Ipv4Addr};

use crate::base::limits::{ALLOWED_FAST_PIECES, FAST_PIECES_MAX};
use crate::base::{Bits, Block, InfoHash, PieceIndex};
use crate::format::digest::Digest;
use crate::format::layout::Layout;

/// What a session keeps if both sides speak Fast.
#[derive(Debug, Default)]
pub struct Fast {
    /// What they let us ask for while they choke us.
    allowed: Vec<PieceIndex>,
    /// What they think that we should fetch of them.
    suggested: Vec<PieceIndex>,
    /// What we let them ask for while we choke them …
    granted: Vec<PieceIndex>,
    /// … and how many blocks they may still have of it.
    blocks_left: u32,
}

impl Fast {
    /// They allow a piece.
    pub fn on_allowed(&mut self, piece: PieceIndex) {
        remember(&mut self.allowed, piece);
    }

    pub fn on_suggested(&mut self, piece: PieceIndex) {
        remember(&mut self.suggested, piece);
    }

    /// They choke us and rejected a block of this piece: it is allowed no more.
    pub fn disallow(&mut self, piece: PieceIndex) {
        self.allowed.retain(|&allowed| allowed != piece);
    }

    /// The pieces that we may ask for although they choke us.
    pub fn allowed(&self) -> &[PieceIndex] {
        &self.allowed
    }

    /// Takes the suggestions out, the latest last.
    pub fn take_suggested(&mut self) -> Vec<PieceIndex> {
        std::mem::take(&mut self.suggested)
    }

    pub fn has_suggested(&self) -> bool {
        !self.suggested.is_empty()
    }

    /// We let them ask for these pieces.
    pub fn grant(&mut self, layout: &Layout, pieces: Vec<PieceIndex>) {
        let blocks: u32 = pieces.iter().map(|&piece| layout.block_count(piece)).sum();
        self.blocks_left = blocks.saturating_mul(2);
        self.granted = pieces;
    }

    pub fn granted(&self) -> &[PieceIndex] {
        &self.granted
    }

    /// Whether a block may go to a peer that we choke; it is counted then. `theirs`: what they
    /// have; who has as many pieces as were granted is no newcomer any more.
    pub fn spend_grant(&mut self, block: Block, theirs: &Bits) -> bool {
        let is_newcomer = theirs.count() <= ALLOWED_FAST_PIECES;
        let may = is_newcomer && self.blocks_left > 0 && self.granted.contains(&block.piece());
        self.blocks_left -= u32::from(may);
        may
    }

    pub fn check(&self) {
        assert!(self.allowed.len() <= FAST_PIECES_MAX);
        assert!(self.suggested.len() <= FAST_PIECES_MAX);
        assert!(self.granted.len() <= ALLOWED_FAST_PIECES as usize);
    }
}

/// The first `count` pieces of the allowed fast set of the peer at `ip`.
///
/// `pieces`: how many the torrent has; if they are fewer than `count`, the set is all of them.
pub fn allowed_fast_set(
    count: u32,
    pieces: u32,
    info_hash: InfoHash,
    ip: Ipv4Addr,
) -> Vec<PieceIndex> {
    let count = count.min(pieces) as usize;
    let [a, b, c, _] = ip.octets();
    let seed = [&[a, b, c, 0], &info_hash.0[..]].concat();
    let mut set = Vec::with_capacity(count);
    let mut x = Digest::of(&seed);
    while set.len() < count {
        for word in x.as_chunks::<4>().0 {
            let piece = PieceIndex::checked(u32::from_be_bytes(*word) % pieces);
            if set.len() < count && !set.contains(&piece) {
                set.push(piece);
            }
        }
        x = Digest::of(&x);
    }
    set
}

/// The address that the set depends on; `None` in IPv6, for which BEP 6 has no rule.
pub fn address_of(ip: IpAddr) -> Option<Ipv4Addr> {
    match ip.to_canonical() {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    }
}

fn remember(list: &mut Vec<PieceIndex>, piece: PieceIndex) {
    if list.contains(&piece) {
        return;
    }
    if list.len() == FAST_PIECES_MAX {
        list.remove(0);
    }
    list.push(piece);
}
