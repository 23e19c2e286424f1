//! Holders: which peer holds which pieces, as far as peers tell.
//!
//! A peer of ours that is told that we want to know (`have` in the answer to an announce) says with
//! its next ones which pieces it has: the bytes of its `bitfield` message. Only torrents that were
//! published have a directory, because only of these the number of pieces is known. Seeds need
//! not tell; the swarm knows them.
//!
//! # Invariants
//! `bytes` is what a recount of all holders would give · a peer stands once in a torrent.
//!
//! # Limits
//! `HOLDERS_PER_TORRENT_MAX`: one more replaces the one that was silent longest.
//! `HOLDERS_BYTES_MAX` for all together: one more is not noted. Both searches are linear, which
//! these limits keep short; and only announces that tell pieces come here.

use std::net::SocketAddr;

use super::table::Minute;
use crate::base::limits::{HOLDERS_BYTES_MAX, HOLDERS_PER_TORRENT_MAX};
use crate::base::{Bits, InfoHash, Shelf};

/// One peer, and the pieces that it told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Holder {
    pub addr: SocketAddr,
    pub have: Bits,
    heard: Minute,
}

/// The holders of all torrents.
#[derive(Debug, Default)]
pub struct Holders {
    torrents: Shelf<InfoHash, Vec<Holder>>,
    bytes: usize,
}

impl Holders {
    /// A peer told its pieces.
    pub fn note(&mut self, minute: Minute, hash: InfoHash, addr: SocketAddr, have: Bits) {
        self.forget(hash, addr);
        let holders = self.torrents.get_or_insert_with(hash, Vec::new);
        if holders.len() == HOLDERS_PER_TORRENT_MAX
            && let Some(oldest) = (0..holders.len()).max_by_key(|&at| silence(&holders[at], minute))
        {
            self.bytes -= holders.swap_remove(oldest).bytes();
        }
        let holder = Holder { addr, have, heard: minute };
        if self.bytes + holder.bytes() <= HOLDERS_BYTES_MAX {
            self.bytes += holder.bytes();
            holders.push(holder);
        }
        self.drop_if_empty(hash);
    }

    /// A peer left, or is a seed now.
    pub fn forget(&mut self, hash: InfoHash, addr: SocketAddr) {
        let Some(holders) = self.torrents.get_mut(&hash) else { return };
        if let Some(at) = holders.iter().position(|holder| holder.addr == addr) {
            self.bytes -= holders.swap_remove(at).bytes();
        }
        self.drop_if_empty(hash);
    }

    /// A whole swarm is gone.
    pub fn forget_all(&mut self, hash: InfoHash) {
        let gone = self.torrents.remove(&hash).unwrap_or_default();
        self.bytes -= gone.iter().map(Holder::bytes).sum::<usize>();
    }

    /// Forgets who, of one torrent, has been silent for longer than so many minutes. Returns how
    /// many it looked at.
    pub fn sweep(&mut self, minute: Minute, silence_max_mins: u16, hash: InfoHash) -> usize {
        let Some(holders) = self.torrents.get_mut(&hash) else { return 0 };
        let count = holders.len();
        holders.retain(|holder| {
            let stays = silence(holder, minute) <= silence_max_mins;
            self.bytes -= if stays { 0 } else { holder.bytes() };
            stays
        });
        self.drop_if_empty(hash);
        count
    }

    /// The holders of one torrent, in no order.
    pub fn of(&self, hash: InfoHash) -> &[Holder] {
        self.torrents.get(&hash).map_or(&[], Vec::as_slice)
    }

    /// The torrents of which somebody holds something.
    pub fn torrents(&self) -> impl Iterator<Item = InfoHash> {
        self.torrents.keys().copied()
    }

    pub fn is_empty(&self) -> bool {
        self.torrents.is_empty()
    }

    /// Recounts.
    pub fn check(&self) {
        let all = self.torrents.values().flatten();
        assert_eq!(self.bytes, all.map(Holder::bytes).sum::<usize>());
        assert!(self.bytes <= HOLDERS_BYTES_MAX);
        for holders in self.torrents.values() {
            assert!((1..=HOLDERS_PER_TORRENT_MAX).contains(&holders.len()));
            for holder in holders {
                holder.have.check();
                let same = holders.iter().filter(|other| other.addr == holder.addr);
                assert_eq!(same.count(), 1, "{} stands twice", holder.addr);
            }
        }
    }

    fn drop_if_empty(&mut self, hash: InfoHash) {
        if self.of(hash).is_empty() {
            self.torrents.remove(&hash);
        }
    }
}

impl Holder {
    fn bytes(&self) -> usize {
        size_of::<Holder>() + self.have.as_bytes().len()
    }
}

fn silence(holder: &Holder, minute: Minute) -> u16 {
    minute.since(holder.heard)
}
