//! Table: peers of one kind in one flat array of their wire form.
//!
//! ```text
//!  IPv4, 8 bytes     a a a a p p s s        address and port as a compact answer holds them,
//!  IPv6, 20 bytes    a … (16) … a p p s s   and a stamp: minute last heard of, and one flag
//!
//!  slots   [  ][B ][C ][  ][  ][A ][D ][  ]     a peer lies where its hash points, or in the
//!            └ start ──▶                        next free slot behind; port 0 is a free slot
//! ```
//!
//! Finding, adding and removing a peer cost a look at a few neighbouring slots. And because the
//! order of the array is that of a secret hash, a window that starts at a random slot is a random
//! sample of the swarm, made by walking once over the few slots that it takes.
//!
//! # Invariants
//! Between a peer and the slot that its hash points to, no slot is free · each peer once · `len`
//! counts the slots that are not free.
//!
//! # Why
//! A sorted array moves half of itself for each new peer, and its windows are neighbourhoods: who
//! takes addresses next to a victim's is handed out with it. Handing out the first ones always is
//! easier still to poison. The general `HashMap` takes three times the memory.

use crate::base::{Random, Time};

/// Below this many slots all may be taken; above, an eighth stays free, so that searches end soon.
const SMALL: usize = 8;

/// A minute of the program's life, modulo `2^15` (about 22 days).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Minute(u16);

/// When a peer was last heard of, and whether its `completed` was counted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stamp(u16);

/// A set of peers; `N` is 6 (IPv4 and port) or 18 (IPv6 and port).
#[derive(Clone, Debug)]
pub struct Table<const N: usize> {
    slots: Box<[Record<N>]>,
    len: u32,
}

/// The open slot of a peer that was lifted out, and its stamp.
#[derive(Debug)]
pub struct Gap {
    slot: usize,
    pub stamp: Stamp,
}

#[derive(Clone, Copy, Debug)]
struct Record<const N: usize> {
    addr: [u8; N],
    stamp: Stamp,
}

const _: () = assert!(size_of::<Record<6>>() == 8 && size_of::<Record<18>>() == 20);

impl Minute {
    pub fn of(now: Time) -> Minute {
        let minutes = now.as_millis() / 60_000 % u64::from(MINUTES);
        Minute(u16::try_from(minutes).expect("a remainder of 2^15"))
    }

    /// Minutes since `then`, if it is not 2^15 or more ago.
    pub fn since(self, then: Minute) -> u16 {
        self.0.wrapping_sub(then.0) % MINUTES
    }

    /// The minute that was so many minutes ago; fewer than 2^15.
    pub fn before(self, mins: u16) -> Minute {
        Minute(self.0.wrapping_sub(mins) % MINUTES)
    }
}

impl Stamp {
    pub fn new(minute: Minute, completed: bool) -> Stamp {
        Stamp(minute.0 | if completed { MINUTES } else { 0 })
    }

    pub fn minute(self) -> Minute {
        Minute(self.0 % MINUTES)
    }

    pub fn completed(self) -> bool {
        self.0 >= MINUTES
    }
}

impl<const N: usize> Table<N> {
    pub fn new() -> Table<N> {
        Table { slots: Box::default(), len: 0 }
    }

    /// An empty one with room for so many peers.
    pub fn with_room(peers: usize) -> Table<N> {
        Table { slots: vec![Record::FREE; slots_for(peers)].into(), len: 0 }
    }

    pub fn len(&self) -> usize {
        self.len as usize
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many slots there are; a sweep looks at each.
    pub fn slot_count(&self) -> usize {
        self.slots.len()
    }

    /// Whether this peer is there. `seed`: the secret of the hash, the same in every call.
    pub fn has(&self, seed: u64, addr: &[u8; N]) -> bool {
        self.find(seed, addr).is_some()
    }

    /// Takes a peer out.
    pub fn remove(&mut self, seed: u64, addr: &[u8; N]) -> Option<Stamp> {
        let gap = self.lift(seed, addr)?;
        let stamp = gap.stamp;
        self.close(seed, gap);
        Some(stamp)
    }

    /// Takes a peer out and leaves its slot open, for who may come back at once. Until `put_back`
    /// or `close` was called, nothing may be but `pick`: who is looked for might not be found.
    pub fn lift(&mut self, seed: u64, addr: &[u8; N]) -> Option<Gap> {
        let slot = self.find(seed, addr)?;
        let record = std::mem::replace(&mut self.slots[slot], Record::FREE);
        self.len -= 1;
        Some(Gap { slot, stamp: record.stamp })
    }

    /// Puts the peer that was lifted back where it was.
    pub fn put_back(&mut self, gap: Gap, addr: [u8; N], stamp: Stamp) {
        debug_assert!(self.slots[gap.slot].is_free(), "a slot that was lifted from");
        self.slots[gap.slot] = Record { addr, stamp };
        self.len += 1;
    }

    /// The peer that was lifted does not come back.
    pub fn close(&mut self, seed: u64, gap: Gap) {
        self.move_up(seed, gap.slot);
    }

    /// Puts a peer in that is not there.
    pub fn insert(&mut self, seed: u64, addr: [u8; N], stamp: Stamp) {
        debug_assert!(!self.has(seed, &addr), "a peer twice");
        if self.len() == most_in(self.slots.len()) {
            // A fifth more: 12 bytes a peer on average; a third more takes 13.
            self.resize(seed, self.len() + self.len() / 5 + 1);
        }
        self.place(seed, Record { addr, stamp });
    }

    /// Appends the addresses of `wanted` peers (or of all, if there are fewer) that are `fresh`, a
    /// random sample. Returns how many.
    pub fn pick(
        &self,
        random: &mut Random,
        wanted: usize,
        fresh: impl Fn(Stamp) -> bool + Copy,
        out: &mut Vec<[u8; N]>,
    ) -> usize {
        if self.is_empty() || wanted == 0 {
            return 0;
        }
        let (before, from) = self.slots.split_at(random.below(self.slots.len()));
        // Every record is copied, and stays if it counts: who is free or stale comes at random, and a
        // branch that nobody can foresee costs more than the copy. Loops, and no chain of iterators:
        // where the program is optimized for its size, that took three times the instructions.
        let start = out.len();
        out.resize(start + wanted.min(self.len()), [0; N]);
        let places = &mut out[start..];
        let mut count = 0;
        for half in [from, before] {
            for record in half {
                let Some(place) = places.get_mut(count) else { return count };
                *place = record.addr;
                count += usize::from(!record.is_free() & fresh(record.stamp));
            }
        }
        out.truncate(start + count);
        count
    }

    /// Takes out all peers that are not `fresh`, and gives memory back when much is unused.
    pub fn sweep(&mut self, seed: u64, fresh: impl Fn(Stamp) -> bool) {
        let is_stale = |record: &Record<N>| !record.is_free() && !fresh(record.stamp);
        if let Some(first) = self.slots.iter().position(is_stale) {
            self.take_out(seed, first, is_stale);
        }
        if self.len() * 3 < self.slots.len() {
            self.resize(seed, self.len() + self.len() / 3);
        }
    }

    /// All peers and their stamps, in the order of the table.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8; N], Stamp)> {
        let taken = self.slots.iter().filter(|record| !record.is_free());
        taken.map(|record| (&record.addr, record.stamp))
    }

    /// Recounts, and looks every peer up. `seed` as ever.
    pub fn check(&self, seed: u64) {
        let taken = self.slots.iter().filter(|record| !record.is_free());
        assert_eq!(taken.clone().count(), self.len());
        assert!(self.len() <= most_in(self.slots.len()));
        for record in taken {
            let found = self.find(seed, &record.addr).expect("a peer where its hash points");
            assert!(std::ptr::eq(record, &self.slots[found]), "a peer twice");
        }
    }

    fn find(&self, seed: u64, addr: &[u8; N]) -> Option<usize> {
        let mut slot = home(seed, addr, self.slots.len())?;
        for _ in 0..self.slots.len() {
            let record = &self.slots[slot];
            if record.is_free() {
                return None;
            }
            if record.addr == *addr {
                return Some(slot);
            }
            slot = self.behind(slot);
        }
        None
    }

    /// The slot behind this one, round and round. (A remainder would be a division.)
    fn behind(&self, slot: usize) -> usize {
        if slot + 1 == self.slots.len() { 0 } else { slot + 1 }
    }

    /// Puts a record into the first free slot from its home on. There must be one.
    fn place(&mut self, seed: u64, record: Record<N>) {
        let mut slot = home(seed, &record.addr, self.slots.len()).expect("room was made");
        while !self.slots[slot].is_free() {
            slot = self.behind(slot);
        }
        self.slots[slot] = record;
        self.len += 1;
    }

    /// Takes out all who are stale, `first` among them.
    ///
    /// In one walk: behind a slot that fell free, whoever stays is put in anew, up to the next
    /// slot that was free before. So a thousand who leave together cost one walk, and not a
    /// thousand (`move_up`): of ten
    /// thousand, 0.1 ms instead of 0.6.
    fn take_out(&mut self, seed: u64, first: usize, is_stale: impl Fn(&Record<N>) -> bool) {
        // In a small table all slots may be taken.
        if self.len() == self.slots.len() {
            self.slots[first] = Record::FREE;
            self.len -= 1;
            self.move_up(seed, first);
        }
        // Here the walk may begin: nobody got past a free slot.
        let mut slot = self.slots.iter().position(Record::is_free).expect("one fell free");
        let mut is_open = false;
        for _ in 0..self.slots.len() {
            let record = self.slots[slot];
            if record.is_free() {
                is_open = false;
            } else if is_open || is_stale(&record) {
                self.slots[slot] = Record::FREE;
                self.len -= 1;
                is_open = true;
                if !is_stale(&record) {
                    self.place(seed, record);
                }
            }
            slot = self.behind(slot);
        }
    }

    /// Closes a hole: moves up whoever lies behind it only because it was taken.
    fn move_up(&mut self, seed: u64, slot: usize) {
        let count = self.slots.len();
        let (mut hole, mut next) = (slot, self.behind(slot));
        while next != slot && !self.slots[next].is_free() {
            let home = home(seed, &self.slots[next].addr, count).expect("it lies in a slot");
            let distance =
                |from: usize| if next >= from { next - from } else { next + count - from };
            if distance(home) >= distance(hole) {
                self.slots[hole] = self.slots[next];
                self.slots[next] = Record::FREE;
                hole = next;
            }
            next = self.behind(next);
        }
    }

    /// Makes a new array for at least `peers` peers. This takes a millisecond for every fifty
    /// thousand, and happens when there are a fifth more: see `hall`.
    fn resize(&mut self, seed: u64, peers: usize) {
        let old = std::mem::replace(self, Table::with_room(peers)).slots;
        for record in old.iter().filter(|record| !record.is_free()) {
            self.place(seed, *record);
        }
    }
}

impl<const N: usize> Default for Table<N> {
    fn default() -> Self {
        Table::new()
    }
}

impl<const N: usize> Record<N> {
    /// No peer listens on port 0.
    const FREE: Record<N> = Record { addr: [0; N], stamp: Stamp(0) };

    fn is_free(&self) -> bool {
        self.addr[N - 2] == 0 && self.addr[N - 1] == 0
    }
}

/// The slot that a peer should lie in; `None` of no slots.
pub(super) fn home<const N: usize>(seed: u64, addr: &[u8; N], slot_count: usize) -> Option<usize> {
    if slot_count == 0 {
        return None;
    }
    // What is left over counts as filled up with zeros.
    let (words, rest) = addr.as_chunks::<8>();
    let rest = rest.iter().rev().fold(0, |word, &byte| word << 8 | u64::from(byte));
    let mut state = seed;
    for word in words {
        state = Random::new(state ^ u64::from_le_bytes(*word)).next_u64();
    }
    state = Random::new(state ^ rest).next_u64();
    Some(Random::new(state).below(slot_count))
}

/// How many slots that many peers need.
fn slots_for(peers: usize) -> usize {
    if peers <= SMALL { peers } else { peers + peers / 7 + 1 }
}

/// How many peers so many slots may hold.
fn most_in(slot_count: usize) -> usize {
    if slot_count <= SMALL { slot_count } else { slot_count - slot_count / 8 }
}

/// Minutes are counted modulo this; the bit above is the flag.
const MINUTES: u16 = 1 << 15;
