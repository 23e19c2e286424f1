//! Store: the peers that we keep for others, because we are near to their torrents.
//!
//! Each is what one announce said, and is believed for `DHT_STORED_FOR`. When there is no room,
//! the oldest announce of a torrent gives way to a new one, and the torrent with the fewest peers
//! to a new torrent: whoever floods us with torrents of one peer each drives out only such.
//!
//! # Limits
//! `DHT_STORED_TORRENTS_MAX`, `DHT_STORED_PER_TORRENT_MAX`, `DHT_STORED_PER_HOST_MAX`,
//! `DHT_STORED_PEERS_MAX`: 48 bytes each, half a megabyte at most.

use std::net::SocketAddr;

use super::Filter;
use crate::base::limits::{
    DHT_STORED_FOR, DHT_STORED_PEERS_MAX, DHT_STORED_PER_HOST_MAX, DHT_STORED_PER_TORRENT_MAX,
    DHT_STORED_TORRENTS_MAX,
};
use crate::base::{InfoHash, Random, Shelf, Span, Time};

/// Peers by torrent.
#[derive(Debug, Default)]
pub struct Store {
    torrents: Shelf<InfoHash, Vec<Entry>>,
    /// Entries of all torrents together.
    count: usize,
    /// No entry is older than this.
    oldest: Option<Time>,
}

/// A peer, as it announced itself last.
#[derive(Clone, Copy, Debug)]
struct Entry {
    addr: SocketAddr,
    seed: bool,
    announced: Time,
}

const _: () = assert!(size_of::<Entry>() <= 48, "the limits count on 48 bytes for a peer");

impl Store {
    pub fn new() -> Store {
        Store::default()
    }

    /// Keeps a peer, anew if it is known. Within a torrent the oldest announce comes first.
    pub fn announce(&mut self, now: Time, info_hash: InfoHash, addr: SocketAddr, seed: bool) {
        if !self.torrents.contains_key(&info_hash) && !self.make_room() {
            return;
        }
        let peers = self.torrents.get_or_insert_with(info_hash, Vec::new);
        let before = peers.len();
        peers.retain(|peer| peer.addr != addr);
        let of_host = |peer: &Entry| peer.addr.ip() == addr.ip();
        let is_many = peers.iter().filter(|peer| of_host(peer)).count() >= DHT_STORED_PER_HOST_MAX;
        let is_full = peers.len() >= DHT_STORED_PER_TORRENT_MAX;
        if is_many {
            let oldest = peers.iter().position(of_host).expect("it has been counted");
            peers.remove(oldest);
        } else if is_full || (before == peers.len() && self.count >= DHT_STORED_PEERS_MAX) {
            peers.drain(..peers.len().min(1));
        }
        peers.push(Entry { addr, seed, announced: now });
        self.count = self.count + peers.len() - before;
        self.oldest.get_or_insert(now);
    }

    /// Some peers of a torrent, of the family of `asker`, by lot; at most `max`.
    pub fn peers(
        &self,
        info_hash: InfoHash,
        asker: SocketAddr,
        no_seed: bool,
        max: usize,
        random: &mut Random,
    ) -> Vec<SocketAddr> {
        let Some(peers) = self.torrents.get(&info_hash) else { return Vec::new() };
        let fits =
            |peer: &&Entry| peer.addr.is_ipv4() == asker.is_ipv4() && !(no_seed && peer.seed);
        let mut addrs: Vec<SocketAddr> = peers.iter().filter(fits).map(|peer| peer.addr).collect();
        random.shuffle(&mut addrs);
        addrs.truncate(max);
        addrs
    }

    /// All peers of a torrent.
    pub fn all(&self, info_hash: InfoHash) -> Vec<SocketAddr> {
        let peers = self.torrents.get(&info_hash).into_iter().flatten();
        peers.map(|peer| peer.addr).collect()
    }

    /// Filters of the seeds and of the other peers; `None` for a torrent that is not kept.
    pub fn filters(&self, info_hash: InfoHash) -> Option<[Filter; 2]> {
        let peers = self.torrents.get(&info_hash)?;
        let [mut seeds, mut others] = [Filter::new(), Filter::new()];
        for peer in peers {
            let filter = if peer.seed { &mut seeds } else { &mut others };
            filter.insert(peer.addr.ip());
        }
        Some([seeds, others])
    }

    /// Forgets what was announced too long ago.
    pub fn expire(&mut self, now: Time) {
        self.torrents.retain(|_, peers| {
            peers.retain(|peer| now.since(peer.announced) < DHT_STORED_FOR);
            !peers.is_empty()
        });
        self.count = self.torrents.values().map(Vec::len).sum();
        let announced = self.torrents.values().flatten().map(|peer| peer.announced);
        self.oldest = announced.min();
    }

    /// When `expire` will find something; not sooner than `SWEEP` after the last time.
    pub fn deadline(&self) -> Option<Time> {
        self.oldest.map(|oldest| oldest + DHT_STORED_FOR + SWEEP)
    }

    pub fn torrent_count(&self) -> usize {
        self.torrents.len()
    }

    pub fn peer_count(&self) -> usize {
        self.count
    }

    /// Recounts what is counted on the way.
    pub fn check(&self) {
        assert_eq!(self.count, self.torrents.values().map(Vec::len).sum::<usize>());
        assert!(self.torrents.len() <= DHT_STORED_TORRENTS_MAX);
        assert!(self.torrents.values().all(|peers| !peers.is_empty()));
        assert!(self.torrents.values().all(|peers| peers.len() <= DHT_STORED_PER_TORRENT_MAX));
    }

    /// Drops the smallest torrent, if there are too many torrents or peers. Linear, and only when
    /// somebody announces a torrent that is new to a full store. Returns whether there is room.
    fn make_room(&mut self) -> bool {
        let is_full =
            self.torrents.len() >= DHT_STORED_TORRENTS_MAX || self.count >= DHT_STORED_PEERS_MAX;
        if !is_full {
            return true;
        }
        let smallest = self.torrents.iter().min_by_key(|(_, peers)| peers.len());
        let Some(smallest) = smallest.map(|(info_hash, _)| *info_hash) else { return false };
        self.count -= self.torrents.remove(&smallest).map_or(0, |peers| peers.len());
        true
    }
}

/// Peers are forgotten in sweeps of all that is due, not one by one.
const SWEEP: Span = Span::from_secs(60);
