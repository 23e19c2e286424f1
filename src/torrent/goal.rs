//! Goal: when a torrent has given enough and stops by itself.
//!
//! ```text
//!  ratio    what it gave, in all its runs, for what it got (or for what it has, if it got nothing)
//!  idle     how long nobody took or gave a byte, while it was there for them
//! ```
//! Only who has everything has given enough; until then nothing stops it.
//!
//! A person who starts it again means it: a ratio that is reached does not count any more, and
//! idle time begins anew.

use super::{State, Torrent};
use crate::base::{Span, Time};
use crate::border::{Event, Output};

/// What is enough; `None`: nothing is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Goal {
    /// Thousandths: 2000 is twice.
    pub ratio: Option<u64>,
    pub idle: Option<Span>,
}

/// Payload of the runs before this one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Earlier {
    pub uploaded: u64,
    pub downloaded: u64,
}

impl Goal {
    /// Whether `given` bytes for `got` bytes are enough. Who got nothing is measured by what it
    /// `has`.
    pub fn is_given(&self, given: u64, got: u64, has: u64) -> bool {
        let Some(ratio) = self.ratio else { return false };
        let base = if got == 0 { has } else { got };
        u128::from(given) * 1000 >= u128::from(base) * u128::from(ratio)
    }
}

impl Torrent {
    /// Stops by itself when this is reached.
    pub fn set_goal(&mut self, goal: Goal) {
        self.goal = goal;
    }

    /// What it gave and got before this run counts, too.
    pub fn set_earlier(&mut self, earlier: Earlier) {
        self.earlier = earlier;
    }

    /// Whether it gave what it should.
    pub fn has_given_enough(&self) -> bool {
        let given = self.earlier.uploaded.saturating_add(self.tally.uploaded);
        let got = self.earlier.downloaded.saturating_add(self.tally.downloaded);
        self.goal.is_given(given, got, self.tally.have_bytes)
    }

    /// A person starts it: a goal that is reached is none.
    pub(super) fn go_beyond_goal(&mut self, now: Time) {
        if self.has_given_enough() {
            self.goal.ratio = None;
        }
        self.turn.moved = now;
    }

    /// When it will have done enough, as far as can be told; in the past if it has.
    pub(super) fn goal_deadline(&self) -> Option<Time> {
        let is_seeding = self.state == State::Active && self.checker.is_none();
        if !is_seeding || !self.is_done() || self.will.asleep {
            return None;
        }
        if self.has_given_enough() {
            return Some(Time::START);
        }
        let idle = self.goal.idle.filter(|_| !self.turn.waits)?;
        Some(self.turn.moved + idle)
    }

    /// Stops if it has done enough.
    pub(super) fn mind_goal(&mut self, now: Time, out: &mut Vec<Output>) {
        if self.goal_deadline().is_some_and(|due| due <= now) {
            out.push(Output::Event(Event::Finished { torrent: self.id }));
            self.rest(now, out);
        }
    }
}
