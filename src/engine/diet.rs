//! Diet: how a node eats less when memory runs short.
//!
//! A person may say how much memory the node is to have. The driver looks now and then how much it
//! has, and the nearer that comes to the limit, the less the node allows itself:
//!
//! ```text
//!   of the limit    requests of each peer    peers
//!   ───────────────────────────────────────────────────────────────
//!   below 3/4       as many as are useful    a few more at each look
//!   from 3/4        64                       no more than there are
//!   from 9/10       16                       a quarter fewer at each look
//!   from 1          4                        half as many at each look; no new torrents
//! ```
//! `PEERS_LEFT` peers stay in any case: with them everything still arrives, only later.
//!
//! The same count of peers has another bound, that of remote control (`peer-limit-global`).
//! Whoever has to go, those go first who neither give nor take, then the slowest.
//!
//! # Why
//! What was freed is not always given back to the host, so what the node *has* falls later than
//! what it *uses*. That is why it goes down in steps, with a pause after each, and up again.

use super::{Engine, Output};
use crate::base::limits::REQUESTS_IN_FLIGHT_MAX;
use crate::base::order;
use crate::base::{ConnId, Time};

/// Peers that stay however little memory there is.
const PEERS_LEFT: usize = 4;

/// How near the limit is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub enum Level {
    #[default]
    Plenty,
    Tight,
    Short,
    Over,
}

/// What a node allows itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Diet {
    level: Level,
    /// Connections; `None`: memory is no reason to have fewer.
    peers_max: Option<usize>,
}

impl Level {
    /// Where `used` bytes stand if at most `limit` are to be used.
    pub fn of(used: u64, limit: u64) -> Level {
        let (used, limit) = (u128::from(used), u128::from(limit));
        match () {
            () if used >= limit => Level::Over,
            () if used * 10 >= limit * 9 => Level::Short,
            () if used * 4 >= limit * 3 => Level::Tight,
            () => Level::Plenty,
        }
    }

    /// Blocks that one peer may be asked for at a time.
    pub fn requests_max(self) -> u32 {
        match self {
            Level::Plenty => REQUESTS_IN_FLIGHT_MAX,
            Level::Tight => 64,
            Level::Short => 16,
            Level::Over => 4,
        }
    }
}

impl Diet {
    /// Takes in how near the limit is, with `peers` connected of at most `most`.
    #[must_use]
    pub fn next(self, level: Level, peers: usize, most: usize) -> Diet {
        let before = self.peers_max.unwrap_or(most);
        let peers_max = match level {
            Level::Plenty => before + before / 4 + 1,
            Level::Tight => before.min(peers),
            Level::Short => before.min(peers - peers / 4),
            Level::Over => before.min(peers / 2),
        };
        let peers_max = peers_max.max(PEERS_LEFT);
        Diet { level, peers_max: (peers_max < most).then_some(peers_max) }
    }

    pub fn level(self) -> Level {
        self.level
    }

    /// Peers that memory allows; `None`: as many as there may be.
    pub fn peers_max(self) -> Option<usize> {
        self.peers_max
    }
}

impl Engine {
    /// The node uses `used` bytes of memory, and is to use no more than `limit`.
    pub fn weigh(&mut self, now: Time, used: u64, limit: u64, out: &mut Vec<Output>) {
        let level = Level::of(used, limit);
        self.diet = self.diet.next(level, self.conns.len(), self.settings.connections_max);
        let requests_max = usize::try_from(level.requests_max()).unwrap_or(usize::MAX);
        self.torrents.values_mut().for_each(|torrent| torrent.set_requests_max(requests_max));
        self.shed(now, "memory is short", out);
    }

    /// How near the limit on memory is.
    pub fn level(&self) -> Level {
        self.diet.level
    }

    /// Has at most so many connections from now on, however many the node could have.
    pub fn limit_connections(&mut self, now: Time, most: usize, out: &mut Vec<Output>) {
        self.wished_max = Some(most);
        self.shed(now, "too many peers", out);
    }

    /// Connections that the node may have now.
    pub(super) fn connections_max(&self) -> usize {
        let bounds = [self.wished_max, self.diet.peers_max].into_iter().flatten();
        bounds.fold(self.settings.connections_max, usize::min)
    }

    /// Parts with those who are too many, the least useful first.
    fn shed(&mut self, now: Time, why: &'static str, out: &mut Vec<Output>) {
        let excess = self.conns.len().saturating_sub(self.connections_max());
        if excess == 0 {
            return;
        }
        let mut uses: Vec<(u64, ConnId)> =
            self.torrents.values_mut().flat_map(|torrent| torrent.uses(now)).collect();
        order::sort(&mut uses);
        let before = out.len();
        for (_, conn) in uses.into_iter().take(excess) {
            if let Some(torrent) = self.of_conn(conn) {
                torrent.dismiss(now, conn, why, out);
            }
        }
        self.after(now, before, out);
    }
}
