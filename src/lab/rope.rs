//! Rope: bytes in a row, of which those of a source are not copied but pointed at.
//!
//! What waits in a simulated pipe is nearly all payload, and nearly all payload is as the source
//! has it. A rope keeps such *stretches* by reference and all other bytes (heads, words, spoilt
//! blocks) itself:
//!
//! ```text
//!   parts   Own 13 │ stretch 16384 │ Own 30 │ stretch 2048
//!   own     0 0 64 9 7 …
//! ```
//! Whoever takes bytes out gets real ones: both kinds are laid end to end in a buffer, as a `recv`
//! would. So a link sees exactly what was written, cut wherever the network cut it.
//!
//! # Invariants
//! The parts together are `len` long, those of kind `Own` as long as `own`; none is empty.

use std::collections::VecDeque;

use super::source::Stretch;

/// What an empty rope may keep of its buffers: enough for a few words.
const IDLE_MAX: usize = 128;

/// A queue of bytes.
#[derive(Clone, Debug, Default)]
pub struct Rope {
    parts: VecDeque<Part>,
    own: VecDeque<u8>,
    len: usize,
}

#[derive(Clone, Debug)]
enum Part {
    /// The next so many of the rope's own bytes.
    Own(usize),
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
        for part in other.parts.drain(..) {
            match part {
                Part::Own(len) => self.own_grew(len),
                Part::True(_) => self.parts.push_back(part),
            }
        }
        self.own.append(&mut other.own);
        self.len += std::mem::take(&mut other.len);
    }

    /// Takes the first `len` bytes out and hands them to `sink`.
    ///
    /// Panics if there are fewer.
    pub fn take(&mut self, len: usize, sink: &mut impl Sink) {
        assert!(len <= self.len, "{len} bytes of {}", self.len);
        self.len -= len;
        let mut rest = len;
        while rest > 0 {
            let part = self.parts.front_mut().expect("the parts are as long as the rope");
            let taken = part.len().min(rest);
            rest -= taken;
            match part {
                Part::Own(_) => {
                    let (one, two) = self.own.as_slices();
                    let from_one = taken.min(one.len());
                    sink.bytes(&one[..from_one]);
                    sink.bytes(&two[..taken - from_one]);
                    self.own.drain(..taken);
                }
                Part::True(stretch) => sink.stretch(stretch.part(0, taken)),
            }
            if part.drop_front(taken) {
                self.parts.pop_front();
            }
        }
        self.release_if_empty();
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

    fn own_grew(&mut self, len: usize) {
        match self.parts.back_mut() {
            Some(Part::Own(last)) => *last += len,
            Some(Part::True(_)) | None if len > 0 => self.parts.push_back(Part::Own(len)),
            Some(Part::True(_)) | None => {}
        }
    }

    /// Most pipes are idle most of the time; an idle one owns no large buffer.
    fn release_if_empty(&mut self) {
        if self.len == 0 && self.own.capacity() + self.parts.capacity() > IDLE_MAX {
            *self = Rope::new();
        }
    }
}

impl Part {
    fn len(&self) -> usize {
        match self {
            Part::Own(len) => *len,
            Part::True(stretch) => stretch.len(),
        }
    }

    /// Forgets its first bytes. Returns whether nothing is left.
    fn drop_front(&mut self, count: usize) -> bool {
        match self {
            Part::Own(len) => *len -= count,
            Part::True(stretch) => *stretch = stretch.part(count, stretch.len() - count),
        }
        self.len() == 0
    }
}

impl Sink for Rope {
    fn bytes(&mut self, bytes: &[u8]) {
        self.own.extend(bytes);
        self.own_grew(bytes.len());
        self.len += bytes.len();
    }

    fn stretch(&mut self, stretch: Stretch) {
        if !stretch.is_empty() {
            self.len += stretch.len();
            self.parts.push_back(Part::True(stretch));
        }
    }

    fn zeros(&mut self, count: usize) {
        self.own.resize(self.own.len() + count, 0);
        self.own_grew(count);
        self.len += count;
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
