//! Hall: any number of peers of one kind, in tables of a bounded size.
//!
//! ```text
//!  few     ┌ table ┐
//!          └───────┘
//!             │ ▲     more than HALL_TABLE_PEERS_MAX / an eighth of that, after a sweep
//!             ▼ │
//!  many    ┌─┐┌─┐┌─┐┌─┐┌─┐  …       TABLES of them: a hash of the peer says which
//!          └─┘└─┘└─┘└─┘└─┘
//! ```
//!
//! A table grows, and is swept, as a whole, which at a million peers takes some 20 ms: as long, all
//! others would wait for an answer. In a hall no step looks at more than one table, of a few
//! thousand peers: growing by one peer, sweeping on, taking the first table apart, putting the last
//! few peers together. Most halls have one table, and cost what that costs.
//!
//! # Interface
//! As of a `Table`; but `sweep` is of one table, and its caller counts on until it says `None`.
//!
//! # Invariants
//! A peer lies in the table that its hash names · `len` is the sum of all tables'.
//!
//! # Limits
//! `HALL_TABLE_PEERS_MAX` in the only table; of many, each has a 256th of all, more or less.

use super::table::{self, Stamp, Table, home};
use crate::base::Random;
use crate::base::limits::HALL_TABLE_PEERS_MAX;

/// A set of peers; `N` as of `Table`.
#[derive(Clone, Debug)]
pub struct Hall<const N: usize> {
    shape: Shape<N>,
}

#[derive(Clone, Debug)]
enum Shape<const N: usize> {
    One(Table<N>),
    Many(Box<Many<N>>),
}

#[derive(Clone, Debug)]
struct Many<const N: usize> {
    tables: Vec<Table<N>>,
    len: usize,
}

/// The open slot of a peer that was lifted out.
#[derive(Debug)]
pub struct Gap {
    table: usize,
    inside: table::Gap,
}

impl Gap {
    /// Of who was lifted.
    pub fn stamp(&self) -> Stamp {
        self.inside.stamp
    }
}

impl<const N: usize> Hall<N> {
    pub fn new() -> Hall<N> {
        Hall { shape: Shape::One(Table::new()) }
    }

    pub fn len(&self) -> usize {
        match &self.shape {
            Shape::One(table) => table.len(),
            Shape::Many(many) => many.len,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many slots there are, peers in them or not.
    pub fn slot_count(&self) -> usize {
        self.tables().iter().map(Table::slot_count).sum()
    }

    /// How many slots one step has to look at, at most: those of the largest table.
    pub fn slots_at_once(&self) -> usize {
        self.tables().iter().map(Table::slot_count).max().unwrap_or(0)
    }

    /// Whether this peer is there. `seed`: the secret of the hash, the same in every call.
    pub fn has(&self, seed: u64, addr: &[u8; N]) -> bool {
        self.tables()[self.number_of(seed, addr)].has(seed, addr)
    }

    /// Takes a peer out and leaves its slot open; see `Table::lift`.
    pub fn lift(&mut self, seed: u64, addr: &[u8; N]) -> Option<Gap> {
        let table = self.number_of(seed, addr);
        let inside = self.table(table).lift(seed, addr)?;
        if let Shape::Many(many) = &mut self.shape {
            many.len -= 1;
        }
        Some(Gap { table, inside })
    }

    /// Puts the peer that was lifted back where it was.
    pub fn put_back(&mut self, gap: Gap, addr: [u8; N], stamp: Stamp) {
        self.table(gap.table).put_back(gap.inside, addr, stamp);
        if let Shape::Many(many) = &mut self.shape {
            many.len += 1;
        }
    }

    /// The peer that was lifted does not come back.
    pub fn close(&mut self, seed: u64, gap: Gap) {
        self.table(gap.table).close(seed, gap.inside);
    }

    /// Puts a peer in that is not there.
    pub fn insert(&mut self, seed: u64, addr: [u8; N], stamp: Stamp) {
        if let Shape::One(table) = &self.shape
            && table.len() == HALL_TABLE_PEERS_MAX
        {
            self.shape = Shape::Many(Box::new(Many::of(seed, table)));
        }
        let number = self.number_of(seed, &addr);
        self.table(number).insert(seed, addr, stamp);
        if let Shape::Many(many) = &mut self.shape {
            many.len += 1;
        }
    }

    /// Appends the addresses of `wanted` peers that are `fresh`, a random sample; of all such, if
    /// there are fewer in as many slots as one table may have. Returns how many.
    pub fn pick(
        &self,
        random: &mut Random,
        wanted: usize,
        fresh: impl Fn(Stamp) -> bool + Copy,
        out: &mut Vec<[u8; N]>,
    ) -> usize {
        let many = match &self.shape {
            Shape::One(table) => return table.pick(random, wanted, fresh, out),
            Shape::Many(many) => many,
        };
        let (before, from) = many.tables.split_at(random.below(TABLES));
        let (mut count, mut looked) = (0, 0);
        for table in from.iter().chain(before) {
            count += table.pick(random, wanted - count, fresh, out);
            looked += table.slot_count();
            // Where hardly anybody is fresh, an announce shall not cost a walk over a million.
            if count == wanted || looked > HALL_TABLE_PEERS_MAX {
                break;
            }
        }
        count
    }

    /// Takes out all peers of table `number` that are not `fresh`, and gives memory back when much
    /// is unused. Returns how many slots it looked at; `None`: there is no such table, and all
    /// before it were the whole.
    pub fn sweep(
        &mut self,
        seed: u64,
        number: usize,
        fresh: impl Fn(Stamp) -> bool,
    ) -> Option<usize> {
        if number >= self.tables().len() {
            if let Shape::Many(many) = &self.shape
                && many.len <= HALL_TABLE_PEERS_MAX / 8
            {
                self.shape = Shape::One(many.put_together(seed));
            }
            return None;
        }
        let table = self.table(number);
        let (slots, before) = (table.slot_count(), table.len());
        table.sweep(seed, fresh);
        let gone = before - table.len();
        if let Shape::Many(many) = &mut self.shape {
            many.len -= gone;
        }
        Some(slots)
    }

    /// All peers and their stamps, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8; N], Stamp)> {
        self.tables().iter().flat_map(Table::iter)
    }

    /// Recounts, and looks every peer up. `seed` as ever.
    pub fn check(&self, seed: u64) {
        self.tables().iter().for_each(|table| table.check(seed));
        assert_eq!(self.tables().iter().map(Table::len).sum::<usize>(), self.len());
        match &self.shape {
            Shape::One(table) => assert!(table.len() <= HALL_TABLE_PEERS_MAX),
            Shape::Many(many) => {
                assert_eq!(many.tables.len(), TABLES);
                for (number, table) in many.tables.iter().enumerate() {
                    assert!(table.iter().all(|(addr, _)| self.number_of(seed, addr) == number));
                }
            }
        }
    }

    fn tables(&self) -> &[Table<N>] {
        match &self.shape {
            Shape::One(table) => std::slice::from_ref(table),
            Shape::Many(many) => &many.tables,
        }
    }

    fn table(&mut self, number: usize) -> &mut Table<N> {
        match &mut self.shape {
            Shape::One(table) => table,
            Shape::Many(many) => &mut many.tables[number],
        }
    }

    /// Which table is a peer's.
    fn number_of(&self, seed: u64, addr: &[u8; N]) -> usize {
        match &self.shape {
            Shape::One(_) => 0,
            Shape::Many(_) => number_among(seed, addr),
        }
    }
}

impl<const N: usize> Many<N> {
    /// A table, taken apart.
    fn of(seed: u64, table: &Table<N>) -> Many<N> {
        // Room for a quarter more than the average, so that hardly any grows at once.
        let room = table.len() / TABLES * 5 / 4;
        let tables = std::iter::repeat_with(|| Table::with_room(room)).take(TABLES).collect();
        let mut many = Many { tables, len: table.len() };
        for (addr, stamp) in table.iter() {
            many.tables[number_among(seed, addr)].insert(seed, *addr, stamp);
        }
        many
    }

    /// One table of them all.
    fn put_together(&self, seed: u64) -> Table<N> {
        let mut one = Table::with_room(self.len);
        let all = self.tables.iter().flat_map(Table::iter);
        all.for_each(|(addr, stamp)| one.insert(seed, *addr, stamp));
        one
    }
}

impl<const N: usize> Default for Hall<N> {
    fn default() -> Self {
        Hall::new()
    }
}

/// Which of many tables is a peer's. By another hash than the one that says where it lies in there:
/// with the same, all of a table would want the same few slots.
// Kept out of its callers: most never come here, and what they do instead shall stay short.
#[inline(never)]
fn number_among<const N: usize>(seed: u64, addr: &[u8; N]) -> usize {
    home(!seed, addr, TABLES).expect("there are some")
}

/// So many tables make those of a million peers small: 4,000 each.
const TABLES: usize = 256;
