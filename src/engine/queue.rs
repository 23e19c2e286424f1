//! Queue: which torrents may run, where a person set a limit to how many.
//!
//! There are two lanes, one for torrents that download and one for those that seed, and each may
//! have a number of places. Who has no place waits: it knows what it has on disk, and speaks to
//! nobody.
//!
//! ```text
//!   order     lane       waits?
//!   ──────────────────────────────
//!   first     download   no          two places: both are taken
//!   second    download   no
//!   third     download   yes   ◀──── gets the next one that falls free
//!   fourth    seed       no
//! ```
//! A place once given is kept until the torrent is complete, stopped or removed; neither a new
//! order nor somebody who was started past the queue takes it away. Only who lowers a limit does,
//! and then the last in the order wait. Who became complete changes the lane, and may have to wait
//! there.
//!
//! A torrent in which no payload moved for long (*stalled*) keeps running but does not take a
//! place: else a few dead torrents could hold up all others for ever.
//!
//! The order is also that in which existing data is checked, one torrent at a time: two would
//! send a disk's head back and forth, and both take more than twice as long.
//!
//! # Interface
//! `set_limits`, `set_order`; the engine asks `decide` whenever something may have changed, and
//! at `deadline`.

use crate::base::Shelf;
use crate::base::order;

use super::{Engine, Output};
use crate::base::{Span, Time, TorrentId};
use crate::border::Event;
use crate::torrent::Lane;

/// How many torrents may run at once; `None`: as many as there are.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Limits {
    pub download: Option<usize>,
    pub seed: Option<usize>,
    /// Who moved nothing for so long takes no place.
    pub stalled_after: Option<Span>,
}

/// A torrent that wants to run and knows what it has, as the queue sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Row {
    pub id: TorrentId,
    pub lane: Lane,
    pub waits: bool,
    /// When payload last moved, or when it was let go.
    pub moved: Time,
}

/// What is to be done.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Verdict {
    pub release: Vec<TorrentId>,
    pub hold: Vec<TorrentId>,
}

/// Limits, the order, and what is to be decided.
#[derive(Debug, Default)]
pub struct Queue {
    limits: Limits,
    /// Who is not in it comes after those who are, in the order of arrival.
    order: Shelf<TorrentId, usize>,
    /// Something happened since the last decision.
    is_stale: bool,
    is_lowered: bool,
    /// They became complete, and need a place in the other lane.
    arrived: Vec<TorrentId>,
    /// When the next one stalls for whose place somebody waits.
    stalls_at: Option<Time>,
}

impl Queue {
    /// Has these limits from now on.
    pub fn set_limits(&mut self, limits: Limits) {
        self.is_stale |= self.limits != limits;
        self.is_lowered |= self.limits != limits;
        self.limits = limits;
    }

    /// Has this order from now on.
    pub fn set_order(&mut self, order: &[TorrentId]) {
        self.order = order.iter().copied().zip(0..).collect();
    }

    /// Whether anybody may have to wait.
    pub fn is_limited(&self) -> bool {
        self.limits.download.is_some() || self.limits.seed.is_some()
    }

    /// When somebody stalls whose place another one waits for.
    pub fn deadline(&self) -> Option<Time> {
        self.stalls_at
    }

    /// Decides who may run. `rows`: in the order of the queue.
    pub fn decide(&mut self, now: Time, rows: &[Row]) -> Verdict {
        let arrived = std::mem::take(&mut self.arrived);
        let is_lowered = std::mem::take(&mut self.is_lowered);
        (self.is_stale, self.stalls_at) = (false, None);
        let mut verdict = Verdict::default();
        for (lane, limit) in
            [(Lane::Download, self.limits.download), (Lane::Seed, self.limits.seed)]
        {
            let here = || rows.iter().filter(|row| row.lane == lane);
            let mut waiting = here().filter(|row| row.waits).map(|row| row.id);
            let Some(limit) = limit else {
                verdict.release.extend(waiting);
                continue;
            };
            let taking: Vec<&Row> =
                here().filter(|row| !row.waits && !self.is_stalled(now, row)).collect();
            let may_be_held = |row: &&&Row| is_lowered || arrived.contains(&row.id);
            let excess = taking.len().saturating_sub(limit);
            let last_first = taking.iter().rev().filter(may_be_held);
            let held: Vec<TorrentId> = last_first.take(excess).map(|row| row.id).collect();
            let free = limit.saturating_sub(taking.len());
            verdict.release.extend(waiting.by_ref().take(free));
            let still_wait = waiting.next().is_some() || !held.is_empty();
            verdict.hold.extend(held);
            if let Some(span) = self.limits.stalled_after.filter(|_| still_wait) {
                let next = taking.iter().map(|row| row.moved + span).min();
                self.stalls_at = self.stalls_at.into_iter().chain(next).min();
            }
        }
        verdict
    }

    fn is_stalled(&self, now: Time, row: &Row) -> bool {
        self.limits.stalled_after.is_some_and(|span| now.since(row.moved) >= span)
    }

    /// The place in the order, and the one among those who have none.
    fn rank(&self, id: TorrentId) -> (usize, TorrentId) {
        (self.order.get(&id).copied().unwrap_or(usize::MAX), id)
    }
}

impl Engine {
    /// Has these limits from now on.
    pub fn limit_queue(&mut self, now: Time, limits: Limits, out: &mut Vec<Output>) {
        self.queue.set_limits(limits);
        self.mind_queue(now, out);
    }

    /// Has this order from now on.
    pub fn order_queue(&mut self, now: Time, order: &[TorrentId], out: &mut Vec<Output>) {
        self.queue.set_order(order);
        self.queue.is_stale = true;
        self.mind_queue(now, out);
    }

    /// Takes note of what the queue must know, and lets torrents run, check or wait.
    pub(super) fn after(&mut self, now: Time, before: usize, out: &mut Vec<Output>) {
        for output in &out[before..] {
            let Output::Event(event) = output else { continue };
            self.queue.is_stale = true;
            if let Event::Complete { torrent, .. } = event {
                self.queue.arrived.push(*torrent);
            }
        }
        // Torrents close connections of their own accord; those are no longer theirs.
        self.forget_closed(&out[before..]);
        self.mind_queue(now, out);
    }

    /// Something happened that no event tells.
    pub(super) fn unsettle_queue(&mut self) {
        self.queue.is_stale = true;
    }

    fn mind_queue(&mut self, now: Time, out: &mut Vec<Output>) {
        let is_due = self.queue.stalls_at.is_some_and(|at| at <= now);
        if self.stopping || !(self.queue.is_stale || is_due) {
            return;
        }
        let before = out.len();
        let mut ids = self.torrents();
        if !self.queue.order.is_empty() {
            order::sort_by_key(&mut ids, |&id| self.queue.rank(id));
        }
        self.give_places(now, &ids, out);
        self.give_check(now, &ids, out);
        self.forget_closed(&out[before..]);
    }

    fn give_places(&mut self, now: Time, ids: &[TorrentId], out: &mut Vec<Output>) {
        let row = |id: &TorrentId| {
            let torrent = self.torrents.get(id)?;
            let lane = torrent.lane()?;
            Some(Row { id: *id, lane, waits: torrent.waits(), moved: torrent.moved() })
        };
        let rows: Vec<Row> = ids.iter().filter_map(row).collect();
        let Verdict { release, hold } = self.queue.decide(now, &rows);
        for id in hold {
            if let Some(torrent) = self.torrents.get_mut(&id) {
                torrent.hold(now, out);
            }
        }
        for id in release {
            if let Some(torrent) = self.torrents.get_mut(&id) {
                torrent.let_run(now);
            }
        }
    }

    /// Gives the turn to check what is on disk to the next one, if nobody has it.
    fn give_check(&mut self, now: Time, ids: &[TorrentId], out: &mut Vec<Output>) {
        if self.torrents.values().any(|torrent| torrent.has_check_turn()) {
            return;
        }
        let next = ids.iter().find(|id| self.torrents[*id].awaits_check());
        if let Some(torrent) = next.and_then(|id| self.torrents.get_mut(id)) {
            torrent.begin_check(now, out);
        }
    }
}
