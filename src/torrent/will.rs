//! A person's will: stop, start, verify, remove.
//!
//! A torrent lives by itself; here is what somebody who looks after it may ask, at any moment.
//!
//! ```text
//!            stop                        start
//!   active ───────▶ stopping ─▶ stopped ───────▶ renewing ─▶ surveying ─▶ active
//!     │  ▲                         │  ╰─ remove ─▶ gone          ▲
//!     │  ╰── start, before it is over: it goes on ──────────────╯│
//!     ╰────────────── verify: no record is believed ─────────────╯
//! ```
//! Whoever begins anew looks at the disk anew: files may have been moved, mended or lost since.
//! After a stop the record of the clean end says what is here, so a start costs a look at each
//! file; after `verify` every byte is read, in slices, while peers get what was found right so far
//! and what is missing is fetched.
//!
//! # Invariants
//! A fresh look begins when no write of the old life is under way any more: its report would be
//! taken for one of the new life. What reads of the old life bring comes before the survey, for
//! the world does them in order, and nobody waits for it.
//!
//! # Why
//! Checking anew in place, with peers connected, would mean taking back pieces that they were told
//! of, which no message can say. Parting with them costs a few seconds.

use super::choker::Choker;
use super::selection::{Selection, Wishes};
use super::{AfterStop, Soon, State, Torrent};
use crate::base::limits::STOP_PATIENCE;
use crate::base::{Bits, ConnId, PieceIndex, Time};
use crate::border::{DiskFault, Event, Output};

impl Torrent {
    /// Begins in rest: it is looked at, and nothing more until somebody starts it.
    pub fn begin_at_rest(&mut self, out: &mut Vec<Output>) {
        self.will.asleep = true;
        out.push(Output::Survey { torrent: self.id });
    }

    /// Stops it: trackers are told, peers are left, what is here is recorded.
    pub fn rest(&mut self, now: Time, out: &mut Vec<Output>) {
        // Who rests waits for nothing.
        self.turn.waits = false;
        match self.state {
            State::Surveying | State::Renewing => {
                self.will.asleep = true;
                self.close_all(now, "stopped", out);
            }
            State::Active | State::Lost { .. } | State::Stopping { .. } | State::Stopped => {
                self.stop(now, STOP_PATIENCE, out);
                self.follow_up(AfterStop::Rest);
            }
        }
    }

    /// Starts it, or makes it try again what it waits for.
    pub fn go_on(&mut self, now: Time, out: &mut Vec<Output>) {
        self.will.asleep = false;
        self.go_beyond_goal(now);
        match &mut self.state {
            State::Stopped => {
                self.begin_after_stop(true, false);
                self.mind_after_stop(now, out);
            }
            State::Stopping { tell_until, .. } => {
                // The trackers will hear that we are here soon enough.
                *tell_until = None;
                self.begin_after_stop(true, false);
                self.mind_stopping(now, out);
            }
            State::Lost { retry, .. } => *retry = now,
            State::Active => {
                if let Some(pause) = &mut self.pause {
                    pause.retry = now;
                }
            }
            State::Surveying | State::Renewing => {}
        }
    }

    /// Reads every byte that is on disk and believes nothing else. Who rests goes on resting
    /// afterwards.
    pub fn verify(&mut self, now: Time, out: &mut Vec<Output>) {
        match self.state {
            State::Stopped | State::Stopping { .. } => {
                self.begin_after_stop(false, true);
                self.mind_after_stop(now, out);
            }
            State::Surveying | State::Renewing => self.will.doubts = true,
            State::Active | State::Lost { .. } => {
                self.will.doubts = true;
                self.tally.was_whole = false;
                self.renew(now, out);
            }
        }
    }

    /// Says good-bye, and is gone after that: its record, and with `erase` its files, too.
    pub fn remove(&mut self, now: Time, erase: bool, out: &mut Vec<Output>) {
        if self.is_leaving() {
            return;
        }
        self.stop(now, STOP_PATIENCE, out);
        self.will.after_stop = AfterStop::Leave { erase, ordered: false };
        self.mind_after_stop(now, out);
    }

    /// The world did away with it. The caller drops it now.
    pub fn on_removed(&self, result: Result<(), DiskFault>, out: &mut Vec<Output>) {
        let fault = result.err();
        out.push(Output::Event(Event::Removed { torrent: self.id, fault }));
    }

    /// Asks the trackers as soon as may be.
    pub fn reannounce(&mut self, now: Time) {
        self.announcer.hurry(now);
    }

    /// Has at most so many peers from now on; those beyond are not sent away.
    pub fn set_peers_max(&mut self, peers_max: usize) {
        self.identity.peers_max = peers_max;
    }

    /// Fetches these files from now on, and in this order. A piece that was begun is finished.
    pub fn choose(&mut self, now: Time, wishes: &Wishes, out: &mut Vec<Output>) {
        let was_done = self.is_done();
        self.selection = Selection::new(&self.metainfo.layout, wishes);
        let is_done = self.is_done();
        if was_done && !is_done {
            self.tally.was_whole = false;
            self.candidates.set_complete(false);
            self.say_upload_only(now, false, out);
        }
        if self.state != State::Active {
            return;
        }
        self.sort_anew();
        let conns: Vec<ConnId> = self.peers.keys().copied().collect();
        conns.into_iter().for_each(|conn| self.mind_interest(now, conn, out));
        self.soon.give_places.get_or_insert(now);
        self.soon.fill_all.get_or_insert(now);
        if is_done && !was_done && self.checker.is_none() {
            self.on_done(now, out);
        }
    }

    /// Which of the pieces that nobody works on may be begun.
    fn sort_anew(&mut self) {
        let (have, pieces) = (&self.have, &self.pieces);
        let is_idle = |&piece: &PieceIndex| !have.has(piece) && !pieces.is_open(piece);
        let is_busy = |&piece: &PieceIndex| {
            self.checker.as_ref().is_some_and(|checker| checker.is_undecided(piece))
                || self.blame.is_resting(piece)
        };
        let idle = self.metainfo.layout.pieces().filter(is_idle);
        let idle: Vec<PieceIndex> = idle.filter(|piece| !is_busy(piece)).collect();
        for piece in idle {
            match self.selection.wants(piece) {
                true => self.picker.want(piece, &mut self.random),
                false => self.picker.withdraw(piece),
            }
        }
    }

    /// Asks each peer for at most so many blocks at a time from now on.
    pub fn set_requests_max(&mut self, requests_max: usize) {
        self.requests_max = requests_max;
    }

    /// Has these trackers from now on.
    pub fn set_trackers(&mut self, now: Time, tiers: &[Vec<String>]) {
        self.announcer.set_tiers(now, tiers);
        self.metainfo.trackers = tiers.to_vec();
    }

    // ── What follows ────────────────────────────────────────────────────────────────────────

    /// Does what is to follow a farewell, once that is over.
    pub(super) fn mind_after_stop(&mut self, now: Time, out: &mut Vec<Output>) {
        if self.state != State::Stopped {
            return;
        }
        match self.will.after_stop {
            AfterStop::Rest => {}
            AfterStop::Begin { start, verify } => {
                self.will.asleep = !start;
                if verify {
                    self.will.doubts = true;
                    self.tally.was_whole = false;
                }
                self.announcer.begin_again(now);
                if start && self.turn.waits {
                    self.wait_for_place();
                }
                self.renew(now, out);
            }
            AfterStop::Leave { erase, ordered } => {
                if !ordered && self.writes_under_way == 0 {
                    self.will.after_stop = AfterStop::Leave { erase, ordered: true };
                    out.push(Output::Remove { torrent: self.id, erase });
                }
            }
        }
    }

    /// Whether something is to follow that only waited for the last write.
    pub(super) fn is_due_after_stop(&self) -> bool {
        let is_leaving = matches!(self.will.after_stop, AfterStop::Leave { ordered: false, .. });
        is_leaving && self.writes_under_way == 0
    }

    /// Begins anew with a look at the disk.
    fn renew(&mut self, now: Time, out: &mut Vec<Output>) {
        self.will.after_stop = AfterStop::Rest;
        self.forget_all(now, "looking at the files anew", out);
        self.state = State::Renewing;
        self.save.due = None;
        self.save.clean_next = false;
        self.save.is_farewell = false;
        self.choker = Choker::new(self.identity.unchoked_max);
        self.soon = Soon::default();
        self.candidates.hurry(now);
        self.mind_renewal(out);
    }

    pub(super) fn mind_renewal(&mut self, out: &mut Vec<Output>) {
        if self.state == State::Renewing && self.writes_under_way == 0 {
            self.state = State::Surveying;
            out.push(Output::Survey { torrent: self.id });
        }
    }

    /// Parts with everyone, and knows nothing of the data any more.
    pub(super) fn forget_all(&mut self, now: Time, why: &'static str, out: &mut Vec<Output>) {
        self.pause = None;
        self.checker = None;
        self.turn.checks = false;
        self.close_all(now, why, out);
        for piece in self.metainfo.layout.pieces() {
            self.picker.withdraw(piece);
            self.pieces.close(piece);
        }
        self.orphans.clear();
        self.blame.clear();
        self.have = Bits::none(self.layout().piece_count());
        self.candidates.set_complete(false);
        self.tally.have_bytes = 0;
    }

    /// It is known what is here, and it is to rest: without a check, unless every byte is to be
    /// read first.
    pub(super) fn lie_down(&mut self, trusted: &Bits, out: &mut Vec<Output>) {
        let pieces: Vec<PieceIndex> = trusted.iter().collect();
        pieces.into_iter().for_each(|piece| self.book(piece));
        self.tally.was_whole |= self.is_done();
        self.will.asleep = false;
        self.state = State::Stopped;
        out.push(Output::Event(Event::Stopped { torrent: self.id }));
    }

    /// One order does not undo the other.
    fn begin_after_stop(&mut self, start: bool, verify: bool) {
        let (started, verified) = match self.will.after_stop {
            AfterStop::Begin { start, verify } => (start, verify),
            AfterStop::Rest | AfterStop::Leave { .. } => (false, false),
        };
        self.follow_up(AfterStop::Begin { start: start || started, verify: verify || verified });
    }

    /// Nobody who leaves comes back.
    fn follow_up(&mut self, what: AfterStop) {
        if !self.is_leaving() {
            self.will.after_stop = what;
        }
    }
}
