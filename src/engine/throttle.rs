//! Throttle: how many bytes may move now, where a person set a limit.
//!
//! Each limit is a bucket that is filled in steps of a tenth of a second with a tenth of a
//! second's bytes; who moves bytes takes them out. A byte has to fit through two buckets: that of
//! the node and that of its torrent.
//!
//! ```text
//!   every step:  rate / 10  ──▶ │     │ node      │     │ torrent
//!                               │▒▒▒▒▒│           │▒▒▒▒▒│
//!   every byte:                 └──┬──┘           └──┬──┘   allowance = the smaller one
//! ```
//!
//! # Interface
//! Before sending or receiving ask `allowance`; afterwards say what `moved`. At zero, wait for
//! `next_step`. Who waits longest goes first: that is the driver's part.
//!
//! # Limits
//! What is not used in `BURST_STEPS` is lost, so that a pause is not followed by a flood.
//!
//! # Why
//! Steps, and not a little for every millisecond that has passed: a connection would get a
//! packet's worth at each turn of the loop, and batching is what makes a byte cheap. A limit on
//! receiving works by leaving bytes in the socket: TCP tells the other end to slow down.

use crate::base::Shelf;

use crate::base::{Set, Span, Time, TorrentId};

/// Buckets are filled this often.
const STEP: Span = Span::from_millis(100);
const STEPS_PER_SEC: u64 = 10;

/// So many steps' worth fit in.
const BURST_STEPS: u64 = 3;

/// Which way bytes move.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Way {
    Up,
    Down,
}

/// The limits of a node and of its torrents.
#[derive(Debug, Default)]
pub struct Throttle {
    /// For the node, where nothing else is set.
    usual: [Option<u64>; 2],
    node: [Option<Bucket>; 2],
    torrents: Shelf<TorrentId, [Option<Bucket>; 2]>,
    /// Those that the limits of the node are not for.
    exempt: Set<TorrentId>,
}

/// One limit. Bytes are counted in tenths, so that a step is a whole number of them.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    bytes_per_sec: u64,
    /// May be below zero: messages are not cut for a limit.
    tenths: i64,
    filled_at: Time,
}

impl Throttle {
    /// Limits what moves this way of the whole node as long as no other limit is set.
    pub fn set_usual(&mut self, way: Way, rate: Option<u64>) {
        self.usual[way as usize] = rate;
        self.limit(Time::START, way, None, None);
    }

    /// Limits what moves this way, of one torrent or (`None`) of the whole node, to so many bytes
    /// per second; `None`: no limit.
    pub fn limit(&mut self, now: Time, way: Way, of: Option<TorrentId>, rate: Option<u64>) {
        let usual = self.usual[way as usize].filter(|_| of.is_none());
        let rate = rate.or(usual);
        let bucket = rate.map(|bytes_per_sec| Bucket { bytes_per_sec, tenths: 0, filled_at: now });
        let lane = match of {
            None => &mut self.node,
            Some(torrent) => self.torrents.get_or_insert_with(torrent, Default::default),
        };
        let before = &mut lane[way as usize];
        // Saying the same again must not empty the bucket.
        if before.map(|bucket| bucket.bytes_per_sec) != rate {
            *before = bucket;
        }
    }

    /// Whether the limits of the node are for this torrent, too. They are unless one says so.
    pub fn set_exempt(&mut self, torrent: TorrentId, is_exempt: bool) {
        if is_exempt {
            self.exempt.insert(torrent);
        } else {
            self.exempt.remove(&torrent);
        }
    }

    /// The limit that was set.
    pub fn limit_of(&self, way: Way, of: Option<TorrentId>) -> Option<u64> {
        let lane = match of {
            None => &self.node,
            Some(torrent) => self.torrents.get(&torrent)?,
        };
        lane[way as usize].map(|bucket| bucket.bytes_per_sec)
    }

    /// A torrent is gone, and its limits with it.
    pub fn forget(&mut self, torrent: TorrentId) {
        self.torrents.remove(&torrent);
        self.exempt.remove(&torrent);
    }

    /// How many bytes may move now. `torrent`: `None` while it is not known.
    pub fn allowance(&mut self, now: Time, way: Way, torrent: Option<TorrentId>) -> usize {
        self.buckets(way, torrent).map(|bucket| bucket.allowance(now)).min().unwrap_or(usize::MAX)
    }

    /// So many bytes moved.
    pub fn moved(&mut self, way: Way, torrent: Option<TorrentId>, bytes: usize) {
        let tenths = i64::try_from(bytes).unwrap_or(i64::MAX).saturating_mul(10);
        for bucket in self.buckets(way, torrent) {
            bucket.tenths = bucket.tenths.saturating_sub(tenths);
        }
    }

    /// Those that a byte of this torrent has to fit through.
    fn buckets(&mut self, way: Way, of: Option<TorrentId>) -> impl Iterator<Item = &mut Bucket> {
        let is_exempt = of.is_some_and(|torrent| self.exempt.contains(&torrent));
        let node = self.node[way as usize].as_mut().filter(|_| !is_exempt);
        let lane = of.and_then(|torrent| self.torrents.get_mut(&torrent));
        [node, lane.and_then(|lane| lane[way as usize].as_mut())].into_iter().flatten()
    }

    /// When there may be more for those who wait since `now`.
    pub fn next_step(now: Time) -> Time {
        now + STEP
    }
}

impl Bucket {
    fn allowance(&mut self, now: Time) -> usize {
        let steps = now.since(self.filled_at).as_millis() / STEP.as_millis();
        if steps > 0 {
            let rate = i64::try_from(self.bytes_per_sec).unwrap_or(i64::MAX / 10);
            let most = rate.saturating_mul(i64::try_from(BURST_STEPS).unwrap_or(1));
            let steps_signed = i64::try_from(steps).unwrap_or(i64::MAX);
            let filled = self.tenths.saturating_add(rate.saturating_mul(steps_signed));
            self.tenths = filled.min(most);
            self.filled_at += STEP.times(steps);
        }
        usize::try_from(self.tenths / 10).unwrap_or(0)
    }
}

const _: () = assert!(STEP.as_millis() * STEPS_PER_SEC == 1000);
