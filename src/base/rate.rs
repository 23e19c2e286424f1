//! Rate: bytes per second, from "so many bytes arrived now".
//!
//! An exponential average with a time constant of a few seconds: recent bytes count most, and a
//! stream that stops fades out. It needs two numbers per stream and no ring of samples.
//!
//! # Why
//! BEP 3 leaves the averaging open ("rolling 20-second average" in its text on choking). Twenty
//! seconds is slow to see a new peer's speed and slow to forget a dead one's; every leading
//! client averages over less.
//!
//! Whole numbers and whole steps: a power of e may differ in its last digit from one machine to
//! the next, and then a simulated swarm would not be the same everywhere.

use super::time::{Span, Time};

/// The average moves on in steps of this length: enough for choking, and cheap per message.
const STEP_MILLIS: u64 = 500;

/// In each step a tenth of the old average gives way to the new: after five seconds without a
/// sample about a third of it is left.
const SHARE: u64 = 10;

/// After so many steps without a sample nothing is left that would matter.
const STEPS_MAX: u64 = 200;

/// The average speed of one stream in one direction.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rate {
    /// Thousandths of a byte per second, so that slow streams fade smoothly.
    millibytes_per_sec: u64,
    /// Bytes since `since`, not yet folded into the average.
    pending: u64,
    since: Time,
}

impl Rate {
    pub fn new(now: Time) -> Rate {
        Rate { millibytes_per_sec: 0, pending: 0, since: now }
    }

    /// Counts `bytes` that moved now.
    pub fn add(&mut self, now: Time, bytes: u64) {
        self.fold(now);
        self.pending += bytes;
    }

    /// Bytes per second as of `now`.
    pub fn get(&mut self, now: Time) -> u64 {
        self.fold(now);
        self.millibytes_per_sec / 1000
    }

    fn fold(&mut self, now: Time) {
        let steps = now.since(self.since).as_millis() / STEP_MILLIS;
        if steps == 0 {
            return;
        }
        let millis = steps * STEP_MILLIS;
        let recent = self.pending.saturating_mul(1_000_000) / millis;
        for _ in 0..steps.min(STEPS_MAX) {
            self.millibytes_per_sec -= self.millibytes_per_sec / SHARE;
            self.millibytes_per_sec += recent / SHARE;
        }
        self.pending = 0;
        self.since += Span::from_millis(millis);
    }
}
