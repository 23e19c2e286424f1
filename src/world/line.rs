//! Line: those who wait, the one who waited longest in front.
//!
//! Where everybody may wait equally long, nobody needs a timer of their own: who steps into the
//! line last also runs out of time last. So the only one to look at is the front, and stepping
//! in, leaving and moving to the back are a few assignments each, however many wait.
//!
//! ```text
//!   front ─▶ c7.0 ◀─▶ c2.1 ◀─▶ c9.0 ◀─ back        since: 1.2 s, 1.9 s, 4.0 s
//! ```
//!
//! The links are slot numbers in a table beside the connections, so that a place costs 32 bytes
//! and no allocation once the table has grown.
//!
//! # Invariants
//! From front to back, `since` never decreases · `prev` and `next` mirror each other · `len` is
//! the number of places on the way.
//!
//! # Why
//! A heap or a timer wheel would serve different time-outs too, but there are none here.

use crate::base::{ConnId, Time};

/// "No slot": the end of the line in either direction.
const NOBODY: u32 = u32::MAX;

/// Connections in the order in which they began to wait.
#[derive(Debug)]
pub struct Line {
    places: Vec<Option<Place>>,
    front: u32,
    back: u32,
    len: usize,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    generation: u32,
    since: Time,
    prev: u32,
    next: u32,
}

impl Line {
    pub fn new() -> Line {
        Line { places: Vec::new(), front: NOBODY, back: NOBODY, len: 0 }
    }

    /// Steps in at the back; whoever is already in the line leaves their place for it.
    pub fn renew(&mut self, now: Time, id: ConnId) {
        self.leave(id);
        let at = place_of(id.slot);
        if self.places.len() <= at {
            self.places.resize(at + 1, None);
        }
        debug_assert!(self.places[at].is_none(), "slot {} has two tenants", id.slot);
        let place = Place { generation: id.generation, since: now, prev: self.back, next: NOBODY };
        self.places[at] = Some(place);
        match self.place_mut(self.back) {
            Some(last) => last.next = id.slot,
            None => self.front = id.slot,
        }
        self.back = id.slot;
        self.len += 1;
    }

    /// Steps out, from wherever in the line. No effect on those who are not in it.
    pub fn leave(&mut self, id: ConnId) {
        let Some(place) = self.place_mut(id.slot).copied() else { return };
        if place.generation != id.generation {
            return;
        }
        self.places[place_of(id.slot)] = None;
        match self.place_mut(place.prev) {
            Some(prev) => prev.next = place.next,
            None => self.front = place.next,
        }
        match self.place_mut(place.next) {
            Some(next) => next.prev = place.prev,
            None => self.back = place.prev,
        }
        self.len -= 1;
    }

    /// Who waited longest, and since when.
    pub fn front(&self) -> Option<(ConnId, Time)> {
        let place = self.places.get(place_of(self.front))?.as_ref()?;
        Some((ConnId { slot: self.front, generation: place.generation }, place.since))
    }

    /// Everybody, who waited longest first.
    pub fn iter(&self) -> impl Iterator<Item = ConnId> + '_ {
        let id = |slot: u32| {
            let place = self.places.get(place_of(slot))?.as_ref()?;
            Some((ConnId { slot, generation: place.generation }, place.next))
        };
        let mut at = self.front;
        std::iter::from_fn(move || {
            let (this, next) = id(at)?;
            at = next;
            Some(this)
        })
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Walks the line and recounts it.
    pub fn check(&self) {
        let (mut at, mut prev, mut since, mut count) = (self.front, NOBODY, Time::START, 0);
        while at != NOBODY {
            let place = self.places[place_of(at)].as_ref().expect("a link leads to a place");
            assert_eq!(place.prev, prev, "the way back is another one");
            assert!(place.since >= since, "somebody pushed in");
            (prev, since, at, count) = (at, place.since, place.next, count + 1);
            assert!(count <= self.len, "the line bites its tail");
        }
        assert_eq!(prev, self.back);
        assert_eq!(count, self.len);
        assert_eq!(count, self.places.iter().flatten().count());
        assert_eq!(count, self.iter().count());
    }

    fn place_mut(&mut self, slot: u32) -> Option<&mut Place> {
        self.places.get_mut(place_of(slot))?.as_mut()
    }
}

impl Default for Line {
    fn default() -> Self {
        Line::new()
    }
}

/// A slot number as a place in the table. `NOBODY` lies beyond any table.
fn place_of(slot: u32) -> usize {
    usize::try_from(slot).expect("a u32 fits a usize on every host that we build for")
}
