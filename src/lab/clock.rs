//! Clock: virtual time, and the queue of what is still to happen.
//!
//! Nobody waits in the lab. The clock jumps to the next event, whether that is ten microseconds
//! or ten minutes away, and events of the same moment happen in the order in which they were
//! asked for. So a run is one list, the same for the same seed.
//!
//! # Why
//! Engines count in milliseconds, as the real world tells them. The network needs finer steps:
//! at 10 MB/s a packet takes less than two of them, and rounding each one would bend the rates
//! that a run is there to show. Hence `Moment`, in microseconds, and `time()` for the engines.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::fmt;

use crate::base::{Span, Time};

/// A point in virtual time: microseconds since the run began.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Moment(u64);

impl Moment {
    pub const START: Moment = Moment(0);

    pub const fn from_micros(micros: u64) -> Moment {
        Moment(micros)
    }

    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// How long ago `earlier` was, in whole milliseconds; zero if it is yet to come.
    pub fn since(self, earlier: Moment) -> Span {
        Span::from_millis(self.0.saturating_sub(earlier.0) / 1000)
    }

    /// The millisecond that an engine would read off its clock.
    pub const fn time(self) -> Time {
        Time::from_millis(self.0 / 1000)
    }

    /// The first moment of an engine's millisecond.
    pub const fn of(time: Time) -> Moment {
        Moment(time.as_millis().saturating_mul(1000))
    }

    pub const fn after(self, span: Span) -> Moment {
        self.after_micros(span.as_millis().saturating_mul(1000))
    }

    pub const fn after_micros(self, micros: u64) -> Moment {
        Moment(self.0.saturating_add(micros))
    }
}

impl fmt::Debug for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}s", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// A queue of events, earliest first; equal moments in the order of `push`.
#[derive(Debug)]
pub struct Clock<E> {
    queue: BinaryHeap<Reverse<Entry<E>>>,
    /// Numbers the pushes; it is what makes the order of equal moments fixed.
    pushes: u64,
}

#[derive(Debug)]
struct Entry<E> {
    at: Moment,
    number: u64,
    event: E,
}

impl<E> Clock<E> {
    pub fn new() -> Clock<E> {
        Clock { queue: BinaryHeap::new(), pushes: 0 }
    }

    pub fn push(&mut self, at: Moment, event: E) {
        self.pushes += 1;
        self.queue.push(Reverse(Entry { at, number: self.pushes, event }));
    }

    /// When the next event happens; `None` if nothing is to come.
    pub fn next_at(&self) -> Option<Moment> {
        self.queue.peek().map(|Reverse(entry)| entry.at)
    }

    /// Takes the next event out.
    pub fn pop(&mut self) -> Option<(Moment, E)> {
        self.queue.pop().map(|Reverse(entry)| (entry.at, entry.event))
    }

    /// How many events are still to happen.
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

impl<E> Default for Clock<E> {
    fn default() -> Self {
        Clock::new()
    }
}

// Only moment and number take part in the order; events need not be comparable.

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl<E> Eq for Entry<E> {}
