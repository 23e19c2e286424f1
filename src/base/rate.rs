//! Rate: bytes per second, from "so many bytes arrived now".
//!
//! An exponential average with a time constant of a few seconds: recent bytes count most, and a
//! stream that stops fades out. It needs two numbers per stream and no ring of samples.
//!
//! # Why
//! BEP 3 leaves the averaging open ("rolling 20-second average" in its text on choking). Twenty
//! seconds is slow to see a new peer's speed and slow to forget a dead one's; every leading
//! client averages over less.

use super::time::{Span, Time};

/// Samples are folded in at most this often: enough for choking, and cheap per message.
const STEP: Span = Span::from_millis(500);

/// After this long without a sample, only 1/e of the old rate is left.
const MEMORY_MILLIS: f64 = 5_000.0;

/// The average speed of one stream in one direction.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rate {
    bytes_per_sec: f64,
    /// Bytes since `since`, not yet folded into the average.
    pending: u64,
    since: Time,
}

impl Rate {
    pub fn new(now: Time) -> Rate {
        Rate { bytes_per_sec: 0.0, pending: 0, since: now }
    }

    /// Counts `bytes` that moved now.
    pub fn add(&mut self, now: Time, bytes: u64) {
        self.fold(now);
        self.pending += bytes;
    }

    /// Bytes per second as of `now`.
    pub fn get(&mut self, now: Time) -> u64 {
        self.fold(now);
        // Saturates; a negative or NaN rate cannot arise from the sums below.
        self.bytes_per_sec as u64
    }

    fn fold(&mut self, now: Time) {
        let elapsed = now.since(self.since);
        if elapsed < STEP {
            return;
        }
        let millis = elapsed.as_millis() as f64;
        let recent = self.pending as f64 * 1000.0 / millis;
        let keep = (-millis / MEMORY_MILLIS).exp();
        self.bytes_per_sec = self.bytes_per_sec * keep + recent * (1.0 - keep);
        self.pending = 0;
        self.since = now;
    }
}
