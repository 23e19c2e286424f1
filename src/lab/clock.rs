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
//!
//! A large swarm's clock may go in steps all the same (`go_in_steps`): what would happen between
//! two steps happens at the latter, a node after the other. A thousand peers are more than the
//! processor's caches hold; so what a node needs is fetched from memory once a step, and not for
//! every packet.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::fmt;

use super::net::NodeId;
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

    pub const fn before_micros(self, micros: u64) -> Moment {
        Moment(self.0.saturating_sub(micros))
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

/// The ring's slots are this long, and there are so many: together about a second.
const SLOT_MICROS: u64 = 256;
const SLOTS: usize = 4096;

/// A queue of events, earliest first; equal moments in the order of `push` (in steps: of the nodes,
/// and then of `push`).
///
/// One heap of a million events would go through cold memory twenty times for each of them. Most
/// events are a packet's, a few milliseconds ahead; so they wait, unsorted, in a ring of short
/// slots (of a step each, if it goes in steps), and are sorted when their slot is the present one.
///
/// ```text
///   present, sorted        │ ring: slot 1 │ slot 2 │ … │ slot 4095 │   late (a heap)
///   + joined since (a heap)  not sorted yet                            a second ahead and more
/// ```
#[derive(Debug)]
pub struct Clock<E> {
    /// Events of slot number `slot` and of earlier ones, the next one last …
    present: Vec<Entry<E>>,
    /// … and those that were pushed since it is the present one. Both are empty only if nothing
    /// is to come.
    joined: Heap<E>,
    slot: u64,
    slot_micros: u64,
    /// Events of the `SLOTS - 1` slots after that, each at its number modulo `SLOTS`.
    ring: Vec<Vec<Entry<E>>>,
    /// One bit for each slot of the ring that is not empty.
    filled: Vec<u64>,
    late: Heap<E>,
    len: usize,
    /// Numbers the pushes; it is what makes the order of equal moments fixed.
    pushes: u64,
    /// Moments are multiples of this; 1 unless it goes in steps.
    step_micros: u64,
}

type Heap<E> = BinaryHeap<Reverse<Entry<E>>>;

#[derive(Debug)]
struct Entry<E> {
    at: Moment,
    /// Whose event it is, if the clock goes in steps; otherwise always the same.
    whose: NodeId,
    number: u64,
    event: E,
}

impl<E> Clock<E> {
    pub fn new() -> Clock<E> {
        Clock {
            present: Vec::new(),
            joined: BinaryHeap::new(),
            slot: 0,
            slot_micros: SLOT_MICROS,
            ring: (0..SLOTS).map(|_| Vec::new()).collect(),
            filled: vec![0; SLOTS / 64],
            late: BinaryHeap::new(),
            len: 0,
            pushes: 0,
            step_micros: 1,
        }
    }

    /// From now on it goes in steps of so many microseconds.
    pub fn go_in_steps(&mut self, step_micros: u64) {
        assert!(step_micros > 0, "a step takes time");
        let pushed = std::mem::take(self);
        self.step_micros = step_micros;
        self.slot_micros = step_micros.max(SLOT_MICROS);
        // What was asked for already goes to its new slot, in the order in which it was.
        let heaps = pushed.joined.into_iter().chain(pushed.late).map(|Reverse(entry)| entry);
        let slots = pushed.ring.into_iter().flatten().chain(pushed.present);
        let mut entries: Vec<Entry<E>> = slots.chain(heaps).collect();
        entries.sort_unstable_by_key(|entry| entry.number);
        for Entry { at, whose, event, .. } in entries {
            self.push(at, whose, event);
        }
    }

    /// How far apart its moments are, in microseconds.
    pub fn step_micros(&self) -> u64 {
        self.step_micros
    }

    /// The first step that is not before `at`.
    pub fn step_at(&self, at: Moment) -> Moment {
        Moment(at.0.checked_next_multiple_of(self.step_micros).unwrap_or(u64::MAX))
    }

    /// Puts an event in, at the first step that is not before `at`. Returns when that is.
    pub fn push(&mut self, at: Moment, whose: NodeId, event: E) -> Moment {
        self.pushes += 1;
        let in_steps = self.step_micros > 1;
        let at = self.step_at(at);
        let whose = if in_steps { whose } else { NodeId(0) };
        let entry = Entry { at, whose, number: self.pushes, event };
        let slot = at.0 / self.slot_micros;
        if self.len == 0 {
            self.slot = slot;
        }
        self.len += 1;
        if slot <= self.slot {
            self.joined.push(Reverse(entry));
        } else if slot - self.slot < SLOTS as u64 {
            let place = place(slot);
            self.ring[place].push(entry);
            self.filled[place / 64] |= 1 << (place % 64);
        } else {
            self.late.push(Reverse(entry));
        }
        at
    }

    /// When the next event happens, and whose it is; `None` if nothing is to come.
    pub fn next(&self) -> Option<(Moment, NodeId)> {
        let joined = self.joined.peek().map(|Reverse(entry)| entry);
        let next = self.present.last().into_iter().chain(joined).min()?;
        Some((next.at, next.whose))
    }

    /// Takes the next event out.
    pub fn pop(&mut self) -> Option<(Moment, E)> {
        let joined = self.joined.peek().map(|Reverse(entry)| entry);
        let has_joined = match (self.present.last(), joined) {
            (Some(present), Some(joined)) => joined < present,
            (present, _) => present.is_none(),
        };
        let entry = match has_joined {
            true => self.joined.pop().map(|Reverse(entry)| entry),
            false => self.present.pop(),
        }?;
        self.len -= 1;
        if self.present.is_empty() && self.joined.is_empty() && self.len > 0 {
            self.go_on();
        }
        Some((entry.at, entry.event))
    }

    /// How many events are still to happen.
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many were ever pushed.
    pub fn pushes(&self) -> u64 {
        self.pushes
    }

    /// Makes the next slot with events the present one.
    fn go_on(&mut self) {
        let slot_micros = self.slot_micros;
        let slot_of = |entry: &Entry<E>| entry.at.0 / slot_micros;
        let near = self.next_in_ring();
        let late = self.late.peek().map(|Reverse(entry)| slot_of(entry));
        self.slot = near.into_iter().chain(late).min().expect("there are events left");
        if near == Some(self.slot) {
            let place = place(self.slot);
            self.filled[place / 64] &= !(1 << (place % 64));
            // Its memory goes with it: kept, the ring's thousands of slots would fill the caches.
            self.present = std::mem::take(&mut self.ring[place]);
        }
        while let Some(Reverse(entry)) = self.late.peek()
            && slot_of(entry) <= self.slot
        {
            self.present.extend(self.late.pop().map(|Reverse(entry)| entry));
        }
        self.present.sort_unstable_by(|a, b| b.cmp(a));
    }

    /// The number of the first slot in the ring that is not empty.
    fn next_in_ring(&self) -> Option<u64> {
        let first = place(self.slot + 1);
        let ahead = |word: usize| self.filled[word % self.filled.len()];
        let masked = ahead(first / 64) & (u64::MAX << (first % 64));
        let words =
            (first / 64 + 1..=first / 64 + self.filled.len()).map(|word| (word, ahead(word)));
        let (word, bits) =
            std::iter::once((first / 64, masked)).chain(words).find(|(_, bits)| *bits != 0)?;
        let found = word * 64 + bits.trailing_zeros() as usize;
        Some(self.slot + 1 + (found - first) as u64)
    }
}

/// Where a slot lies in the ring.
fn place(slot: u64) -> usize {
    // Below `SLOTS`, whatever the slot.
    (slot % SLOTS as u64) as usize
}

impl<E> Default for Clock<E> {
    fn default() -> Self {
        Clock::new()
    }
}

// Moment, owner and number make the order; events need not be comparable.

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.whose, self.number).cmp(&(other.at, other.whose, other.number))
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
