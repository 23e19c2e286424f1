//! Slots: a table of things with stable handles, whose freed places rest until the turn ends.
//!
//! The reactor uses a slot's number as the token that the operating system hands back with each
//! readiness event. One batch may hold two events for one connection, and the first may close it.
//! If the slot were reused at once, the second event would reach a stranger (mio issue 172, the
//! *stale token trap*). So a removed slot rests, empty, until `end_turn`.
//!
//! # Interface
//! `insert`, `get`, `get_mut`, `remove` at any time; `end_turn` once, when no event of the
//! current batch is left.

use super::id::ConnId;

/// A growable table; handles carry a generation, so old ones find nothing.
#[derive(Debug)]
pub struct Slots<T> {
    slots: Vec<Slot<T>>,
    /// Empty slots that may be used now.
    free: Vec<u32>,
    /// Slots emptied in this turn.
    resting: Vec<u32>,
}

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Slots<T> {
    pub fn new() -> Slots<T> {
        Slots { slots: Vec::new(), free: Vec::new(), resting: Vec::new() }
    }

    /// Puts `value` into a free slot and returns its handle.
    pub fn insert(&mut self, value: T) -> ConnId {
        if let Some(slot) = self.free.pop() {
            let place = &mut self.slots[slot as usize];
            debug_assert!(place.value.is_none());
            place.value = Some(value);
            return ConnId { slot, generation: place.generation };
        }
        let slot = u32::try_from(self.slots.len()).expect("fewer descriptors than 2^32");
        self.slots.push(Slot { generation: 0, value: Some(value) });
        ConnId { slot, generation: 0 }
    }

    pub fn get(&self, id: ConnId) -> Option<&T> {
        let slot = self.slots.get(id.slot as usize)?;
        if slot.generation == id.generation { slot.value.as_ref() } else { None }
    }

    pub fn get_mut(&mut self, id: ConnId) -> Option<&mut T> {
        let slot = self.slots.get_mut(id.slot as usize)?;
        if slot.generation == id.generation { slot.value.as_mut() } else { None }
    }

    /// The handle of whatever lives in slot number `slot` now.
    pub fn id_at(&self, slot: u32) -> Option<ConnId> {
        let place = self.slots.get(slot as usize)?;
        place.value.as_ref()?;
        Some(ConnId { slot, generation: place.generation })
    }

    /// Takes the value out; the slot rests until `end_turn`.
    pub fn remove(&mut self, id: ConnId) -> Option<T> {
        let slot = self.slots.get_mut(id.slot as usize)?;
        if slot.generation != id.generation {
            return None;
        }
        let value = slot.value.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.resting.push(id.slot);
        Some(value)
    }

    /// Says that no event of this turn is left: resting slots may be used again.
    pub fn end_turn(&mut self) {
        self.free.append(&mut self.resting);
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len() - self.resting.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All values with their handles, in slot order.
    pub fn iter(&self) -> impl Iterator<Item = (ConnId, &T)> {
        (0u32..).zip(&self.slots).filter_map(|(slot, place)| {
            let id = ConnId { slot, generation: place.generation };
            place.value.as_ref().map(|value| (id, value))
        })
    }
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Slots::new()
    }
}
