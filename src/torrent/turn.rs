//! Turn: how a torrent waits, for a place in the queue and for its turn to check.
//!
//! Who waits for a place wants to run: it looks at the disk, knows what it has, and speaks to
//! nobody, neither peers nor trackers. Let go, it begins where others stand after their check.
//!
//! Data is checked by one torrent at a time. Meanwhile the others serve and fetch what they may.
//!
//! # Interface
//! The engine's queue decides; it asks `lane`, `waits`, `moved`, `awaits_check` and says `hold`,
//! `let_run`, `begin_check`. A torrent that nobody told to `take_check_turns` asks nobody.

use super::{State, Torrent};
use crate::base::Time;
use crate::border::Output;

/// What a torrent needs a place for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lane {
    Download,
    Seed,
}

/// What it waits for, and since when.
#[derive(Debug)]
pub(super) struct Turn {
    /// It has no place in the queue.
    pub(super) waits: bool,
    /// It checks only when it is told to …
    takes_turns: bool,
    /// … as it was.
    pub(super) checks: bool,
    /// When payload last moved, or it was let go.
    pub(super) moved: Time,
}

impl Turn {
    pub(super) fn new(now: Time) -> Turn {
        Turn { waits: false, takes_turns: false, checks: false, moved: now }
    }

    pub(super) fn may_check(&self) -> bool {
        self.checks || !self.takes_turns
    }
}

impl Torrent {
    // ── A place in the queue ────────────────────────────────────────────────────────────────

    /// What it needs a place for; `None` while it is not known what is here, or nobody wants it
    /// to run.
    pub fn lane(&self) -> Option<Lane> {
        // Who runs and checks anew keeps its place.
        let is_settled = self.checker.is_none() || !self.turn.waits;
        let wants = self.state == State::Active && !self.will.asleep && is_settled;
        wants.then(|| if self.is_done() { Lane::Seed } else { Lane::Download })
    }

    /// Whether it has no place.
    pub fn waits(&self) -> bool {
        self.turn.waits
    }

    /// When payload last moved, or it was let go.
    pub fn moved(&self) -> Time {
        self.turn.moved
    }

    /// Whether nobody wants it to run.
    pub fn rests(&self) -> bool {
        match self.state {
            State::Surveying | State::Renewing | State::Active => self.will.asleep,
            State::Stopping { .. } | State::Stopped => true,
            State::Lost { .. } => false,
        }
    }

    /// It begins without a place: nobody is to hear of it.
    pub fn wait_for_place(&mut self) {
        self.turn.waits = true;
        self.announcer.stop();
    }

    /// It loses its place: trackers are told, peers are left.
    pub fn hold(&mut self, now: Time, out: &mut Vec<Output>) {
        self.wait_for_place();
        self.close_all(now, "waits in the queue", out);
    }

    /// It has a place now, or needs none.
    pub fn let_run(&mut self, now: Time) {
        if std::mem::take(&mut self.turn.waits) {
            self.turn.moved = now;
            self.announcer.begin_again(now);
            self.candidates.hurry(now);
        }
    }

    // ── The turn to check ───────────────────────────────────────────────────────────────────

    /// Checks only when it is told to, from now on.
    pub fn take_check_turns(&mut self) {
        self.turn.takes_turns = true;
    }

    /// Whether it has something to check and was not told to.
    pub fn awaits_check(&self) -> bool {
        self.state == State::Active && self.checker.is_some() && !self.turn.may_check()
    }

    /// Whether it was told to check, and is not done.
    pub fn has_check_turn(&self) -> bool {
        self.turn.checks
    }

    /// Checks what is here.
    pub fn begin_check(&mut self, now: Time, out: &mut Vec<Output>) {
        self.turn.checks = true;
        self.check_on(now, out);
    }
}
