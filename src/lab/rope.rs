//! Rope: bytes in a row, of which those of a source are not copied but pointed at.
//!
//! What waits in a simulated pipe is nearly all payload, and nearly all payload is as the source
//! has it. A rope keeps such *stretches* by reference and all other bytes itself: a few (heads,
//! words) right in the part, more of them (bitfields, spoilt blocks) in a vector of their own.
//!
//! ```text
//!   few: 13 bytes │ stretch: 16384 │ few: 9 │ many: 300 │ stretch: 2048
//!   front           rest …
//! ```
//! Whoever takes bytes out gets real ones: all kinds are laid end to end in a buffer, as a `recv`
//! would. So a link sees exactly what was written, cut wherever the network cut it.
//!
//! # Invariants
//! The parts together are `len` long; none is empty; without a front there is no rest.
//!
//! # Why
//! A word to a peer is nine bytes, and a large swarm says some ten millions of them. In an idle
//! pipe they stand in the rope itself: no memory to ask for, and none to look up.

use std::collections::VecDeque;

use super::source::Stretch;

/// A queue of bytes.
#[derive(Clone, Debug, Default)]
pub struct Rope {
    front: Option<Part>,
    rest: VecDeque<Part>,
    len: usize,
}

/// So many bytes stand in the part itself.
const FEW: usize = 30;

/// What an empty rope may keep of its row of parts.
const IDLE_PARTS_MAX: usize = 16;

#[derive(Clone, Debug)]
enum Part {
    Few {
        len: u8,
        bytes: [u8; FEW],
    },
    /// The first of them were taken.
    Many {
        taken: usize,
        bytes: Box<[u8]>,
    },
    True(Stretch),
}

/// Whoever takes bytes in: a rope, or a buffer that wants them all in one place.
pub trait Sink {
    fn bytes(&mut self, bytes: &[u8]);
    fn stretch(&mut self, stretch: Stretch);
    fn zeros(&mut self, count: usize);
}

impl Rope {
    pub fn new() -> Rope {
        Rope::default()
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Moves everything out of `other` to the end of this rope.
    pub fn append(&mut self, other: &mut Rope) {
        while let Some(part) = other.pop() {
            match part {
                Part::Few { len, bytes } => self.bytes(&bytes[..usize::from(len)]),
                part @ (Part::Many { .. } | Part::True(_)) => self.push(part),
            }
        }
        other.len = 0;
    }

    /// Takes the first `len` bytes out and hands them to `sink`.
    ///
    /// Panics if there are fewer.
    pub fn take(&mut self, len: usize, sink: &mut impl Sink) {
        assert!(len <= self.len, "{len} bytes of {}", self.len);
        self.len -= len;
        let mut rest = len;
        while rest > 0 {
            let part = self.front.as_mut().expect("the parts are as long as the rope");
            let taken = part.len().min(rest);
            part.hand_out(taken, sink);
            rest -= taken;
            if part.len() == 0 {
                self.pop();
            }
        }
        // Most pipes are idle most of the time.
        if self.len == 0 && self.rest.capacity() > IDLE_PARTS_MAX {
            self.rest = VecDeque::new();
        }
    }

    /// Takes out of the first `len` bytes those before a stretch and hands them to `sink`, or else
    /// the stretch itself. Returns how many that were, and the stretch.
    ///
    /// Panics if there are fewer.
    pub fn take_some(&mut self, len: usize, sink: &mut impl Sink) -> (usize, Option<Stretch>) {
        assert!(len <= self.len, "{len} bytes of {}", self.len);
        let mut taken = 0;
        while let Some(part) = self.front.as_ref().filter(|_| taken < len) {
            let some = part.len().min(len - taken);
            match part {
                Part::True(stretch) if taken == 0 => {
                    let stretch = stretch.part(0, some);
                    self.skip(some);
                    return (some, Some(stretch));
                }
                Part::True(_) => break,
                Part::Few { .. } | Part::Many { .. } => self.take(some, sink),
            }
            taken += some;
        }
        (taken, None)
    }

    /// Throws the first `len` bytes away.
    pub fn skip(&mut self, len: usize) {
        self.take(len, &mut Nowhere);
    }

    /// Throws away all but the first `len` bytes.
    pub fn truncate(&mut self, len: usize) {
        let mut kept = Rope::new();
        self.take(len.min(self.len), &mut kept);
        *self = kept;
    }

    fn push(&mut self, part: Part) {
        self.len += part.len();
        match self.front {
            None => self.front = Some(part),
            Some(_) => self.rest.push_back(part),
        }
    }

    fn pop(&mut self) -> Option<Part> {
        std::mem::replace(&mut self.front, self.rest.pop_front())
    }

    /// Puts a few bytes to those at the end, if they fit in.
    fn extend_last(&mut self, more: &[u8]) -> bool {
        let Some(Part::Few { len, bytes }) = self.rest.back_mut().or(self.front.as_mut()) else {
            return false;
        };
        let from = usize::from(*len);
        let Some(place) = bytes.get_mut(from..from + more.len()) else { return false };
        place.copy_from_slice(more);
        *len = few(from + more.len());
        self.len += more.len();
        true
    }
}

impl Part {
    fn own(bytes: &[u8]) -> Part {
        match bytes.len() {
            0..=FEW => {
                let mut part = [0; FEW];
                part[..bytes.len()].copy_from_slice(bytes);
                Part::Few { len: few(bytes.len()), bytes: part }
            }
            _ => Part::Many { taken: 0, bytes: bytes.into() },
        }
    }

    fn len(&self) -> usize {
        match self {
            Part::Few { len, .. } => usize::from(*len),
            Part::Many { taken, bytes } => bytes.len() - taken,
            Part::True(stretch) => stretch.len(),
        }
    }

    /// Takes its first bytes out.
    fn hand_out(&mut self, count: usize, sink: &mut impl Sink) {
        match self {
            Part::Few { len, bytes } => {
                sink.bytes(&bytes[..count]);
                bytes.copy_within(count..usize::from(*len), 0);
                *len -= few(count);
            }
            Part::Many { taken, bytes } => {
                sink.bytes(&bytes[*taken..*taken + count]);
                *taken += count;
            }
            Part::True(stretch) => {
                let rest = stretch.part(count, stretch.len() - count);
                sink.stretch(std::mem::replace(stretch, rest).part(0, count));
            }
        }
    }
}

/// A number of bytes in a `Few`.
fn few(len: usize) -> u8 {
    u8::try_from(len).expect("at most FEW")
}

impl Sink for Rope {
    fn bytes(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() && !self.extend_last(bytes) {
            self.push(Part::own(bytes));
        }
    }

    fn stretch(&mut self, stretch: Stretch) {
        if !stretch.is_empty() {
            self.push(Part::True(stretch));
        }
    }

    fn zeros(&mut self, count: usize) {
        self.bytes(&vec![0; count]);
    }
}

impl Sink for Vec<u8> {
    fn bytes(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }

    fn stretch(&mut self, stretch: Stretch) {
        self.extend_from_slice(&stretch);
    }

    fn zeros(&mut self, count: usize) {
        self.resize(self.len() + count, 0);
    }
}

/// Takes everything and keeps nothing.
struct Nowhere;

impl Sink for Nowhere {
    fn bytes(&mut self, _bytes: &[u8]) {}
    fn stretch(&mut self, _stretch: Stretch) {}
    fn zeros(&mut self, _count: usize) {}
}
