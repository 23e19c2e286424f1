//! Census: who is there, written down in parts while the tracker goes on.
//!
//! ```text
//!              change                    due                     nothing left
//!  unchanged ─────────▶ due at a time ────────▶ under way: part, part, part ──┐
//!      ▲                      ▲  └──────────────────┤ failed: later           │
//!      │                      └── changed meanwhile ─┴────────────────────────┤
//!      └──────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! What a census says stands in `format::census`. Each part holds whole swarms, a turn's work of
//! them, and the next one is made when the last is on the disk. So a slow disk slows the census
//! and nothing else, and no part waits in memory behind another.
//!
//! # Interface
//! `Service::next_part` when `census_deadline` has passed, and again whenever the last part was
//! written; `census_failed` if it could not be. `last_census` before leaving, until
//! `is_census_pending` says no.
//!
//! # Limits
//! `CENSUS_…` in `base::limits`.

use std::ops::Bound;

use super::service::{Service, moment};
use super::swarm::Swarm;
use super::table::Minute;
use crate::base::limits::{
    CENSUS_AFTER, CENSUS_APART, CENSUS_BYTES_PER_SECOND, CENSUS_RETRY, CENSUS_SLOTS_PER_TURN,
};
use crate::base::{InfoHash, Span, Time};
use crate::format::Malformed;
use crate::format::census::Census;

/// A part of a census, to be written behind the one before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Part {
    /// A new census begins; whatever became of an earlier one, it is void.
    Begin,
    Swarms(Vec<u8>),
    /// It is whole: now it shall take the place of the one before.
    End,
}

/// How far the present census is, and when the next one is due.
#[derive(Debug, Default)]
pub(super) struct Taking {
    /// Off unless somebody keeps what is taken.
    is_on: bool,
    /// When the next one begins; `None`: nothing has changed since the last one began.
    due: Option<Time>,
    /// The last that there will be has been asked for.
    is_last: bool,
    under_way: Option<UnderWay>,
    not_before: Time,
}

#[derive(Debug, Default)]
struct UnderWay {
    /// The last torrent that was written.
    behind: Option<InfoHash>,
    bytes: u64,
}

impl Taking {
    /// Somebody came or left.
    pub(super) fn note_change(&mut self, now: Time) {
        if self.is_on && self.due.is_none() && !self.is_last {
            self.due = Some(self.not_before.max(now + CENSUS_AFTER));
        }
    }
}

impl Service {
    /// From now on, who is there is written down now and then.
    pub fn keep_census(&mut self) {
        self.taking.is_on = true;
    }

    /// When `next_part` wants to be called, if it is not called for a part that was written.
    pub fn census_deadline(&self) -> Option<Time> {
        self.taking.due.filter(|_| self.taking.under_way.is_none())
    }

    /// What is to be written next, if it is time.
    pub fn next_part(&mut self, now: Time) -> Option<Part> {
        let Some(under_way) = &mut self.taking.under_way else {
            self.taking.due.take_if(|due| *due <= now)?;
            self.taking.under_way = Some(UnderWay::default());
            return Some(Part::Begin);
        };
        let minute = Minute::of(now);
        let from = under_way.behind.map_or(Bound::Unbounded, Bound::Excluded);
        let mut part = Vec::new();
        let mut looked = 0;
        for (hash, swarm) in self.torrents.range((from, Bound::Unbounded)) {
            swarm.write(minute, *hash, &mut part);
            under_way.behind = Some(*hash);
            looked += swarm.slot_count() + SLOTS_PER_SWARM;
            if looked >= CENSUS_SLOTS_PER_TURN {
                break;
            }
        }
        under_way.bytes += part.len() as u64;
        if !part.is_empty() {
            return Some(Part::Swarms(part));
        }
        let pause = CENSUS_APART + Span::from_secs(under_way.bytes / CENSUS_BYTES_PER_SECOND);
        self.taking.under_way = None;
        self.taking.not_before = now + pause;
        self.taking.due = self.taking.due.map(|due| due.max(now + pause));
        Some(Part::End)
    }

    /// A part could not be written. The census that was there before still is.
    pub fn census_failed(&mut self, now: Time) {
        self.taking.under_way = None;
        self.taking.due = (!self.taking.is_last).then_some(now + CENSUS_RETRY);
    }

    /// Takes one more census at once if there is anything new, and then no other.
    pub fn last_census(&mut self, now: Time) {
        if self.is_census_pending() {
            self.taking.under_way = None;
            self.taking.due = Some(now);
        }
        self.taking.is_last = true;
    }

    /// Whether there is something new that no census tells yet.
    pub fn is_census_pending(&self) -> bool {
        self.taking.due.is_some() || self.taking.under_way.is_some()
    }

    /// Takes in who was there by an earlier census; to be called before anybody announces.
    /// Returns how many peers of it are expected to be there still.
    ///
    /// `gone`: the time since it was taken. Malformed: it is none, or damaged.
    pub fn restore(&mut self, now: Time, gone: Span, census: &[u8]) -> Result<usize, Malformed> {
        let census = Census::parse(census)?;
        let gone_mins = u16::try_from(gone.as_secs() / 60).unwrap_or(u16::MAX);
        for record in census.swarms() {
            if self.torrents.len() >= self.policy.torrents_max {
                break;
            }
            let room = self.policy.peers_max - self.counts.peers;
            let hash = record.head.info_hash;
            let moment = moment(&self.policy, self.seed, &mut self.random, now);
            let swarm = Swarm::restore(&moment, &record, gone_mins, room);
            if !super::service::is_over(&swarm, moment.minute) {
                self.forget(hash);
                self.counts.moved(Default::default(), swarm.tally());
                self.torrents.insert(hash, swarm);
            }
        }
        Ok(self.counts.peers)
    }
}

/// What a swarm costs beside its slots.
const SLOTS_PER_SWARM: usize = 8;
