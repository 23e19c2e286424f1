//! Swarm: the peers of one torrent, as a tracker keeps them.
//!
//! A peer is an address, a port, the minute we last heard of it, and a flag: 8 bytes for IPv4, 20
//! for IPv6, in flat tables (`hall`, `table`). Seeds and leechers lie apart, so they need no counting, and
//! each side can be offered what it is short of.
//!
//! ```text
//!  announce:   1. take the caller out      it never gets itself
//!              2. pick peers for it        its own family first; seeds get leechers first
//!              3. put the caller in        as a seed or a leecher, with this minute; not if it
//!                                          says `stopped`
//! ```
//!
//! # Invariants
//! A peer is in at most one table · `completed` grows by at most one for each stay of a peer.
//!
//! # Why
//! No peer id and no `key` is kept: they would be twice as long as all the rest, to recognise a
//! peer that has changed its address. Its old address expires as every silent one does.
//!
//! # Spec
//! BEP 3, "trackers"; BEP 7; BEP 48 for what is counted.

use std::net::{IpAddr, SocketAddr};

use super::hall::{Gap, Hall};
use super::table::{Minute, Stamp};
use crate::base::{InfoHash, Random};
use crate::format::announce::{Event, Tally};
use crate::format::census::{self, AGE_BYTES, AGE_MINS_MAX, SwarmHead, SwarmRecord, read_age};

/// Seeds and leechers of one torrent.
#[derive(Clone, Debug, Default)]
pub struct Swarm {
    v4: Family<6>,
    /// Boxed: most torrents have no such peers.
    v6: Option<Box<Family<18>>>,
    completed: u32,
    heard: Minute,
}

/// What is the same for all swarms at one moment.
#[derive(Debug)]
pub struct Moment<'r> {
    pub minute: Minute,
    /// Who has been silent for more minutes than this is gone.
    pub silence_max_mins: u16,
    /// The secret of the tables' hash; the same through the whole run.
    pub seed: u64,
    pub random: &'r mut Random,
}

/// One announce, as far as a swarm is concerned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Visit {
    /// Where the peer listens; never port 0.
    pub addr: SocketAddr,
    pub is_seed: bool,
    pub event: Event,
    /// How many peers it gets at most.
    pub wanted: usize,
}

/// The peers that were picked, in the compact form.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Found {
    /// Those of BEP 23.
    pub peers: Vec<[u8; 6]>,
    /// Those of BEP 7.
    pub peers6: Vec<[u8; 18]>,
}

/// Where in a swarm a sweep goes on; by default, where it begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Spot {
    kind: Kind,
    table: usize,
}

/// The halls of a swarm.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Kind {
    #[default]
    Seeds,
    Leechers,
    Seeds6,
    Leechers6,
}

impl Kind {
    fn next(self) -> Option<Kind> {
        match self {
            Kind::Seeds => Some(Kind::Leechers),
            Kind::Leechers => Some(Kind::Seeds6),
            Kind::Seeds6 => Some(Kind::Leechers6),
            Kind::Leechers6 => None,
        }
    }
}

impl Swarm {
    /// Takes an announce, and replaces `found` by peers for who made it.
    pub fn announce(&mut self, moment: &mut Moment<'_>, visit: &Visit, found: &mut Found) {
        assert!(visit.addr.port() != 0, "a peer that listens nowhere");
        self.heard = moment.minute;
        // 1. Take the caller out.
        let caller = wire(visit.addr);
        let seat = match &caller {
            Wire::V4(addr) => self.v4.lift(moment.seed, addr, visit.is_seed),
            Wire::V6(addr) => {
                self.v6.as_mut().and_then(|v6| v6.lift(moment.seed, addr, visit.is_seed))
            }
        };
        // 2. Pick peers for it.
        self.pick(moment, visit, found);
        // 3. Put the caller in.
        let stamp = self.stamp(moment.minute, visit, seat.as_ref().map(|seat| seat.gap.stamp()));
        if stamp.is_none() && seat.is_none() {
            return;
        }
        let stay = stamp.map(|stamp| (stamp, visit.is_seed));
        match caller {
            Wire::V4(addr) => self.v4.settle(moment.seed, addr, seat, stay),
            Wire::V6(addr) => {
                let v6 = self.v6.get_or_insert_default();
                v6.settle(moment.seed, addr, seat, stay);
            }
        }
    }

    /// Forgets who has been silent too long, from `spot` on. Looks at so many slots, and goes on to
    /// the end of the table then. Returns how many it looked at, and where to go on; `None`: this
    /// was the whole rest.
    pub fn sweep(
        &mut self,
        moment: &Moment<'_>,
        spot: Spot,
        slots: usize,
    ) -> (usize, Option<Spot>) {
        let (mut next, mut looked) = (Some(spot), 0);
        while let Some(spot) = next {
            if looked >= slots {
                return (looked, next);
            }
            next = match self.sweep_table(moment, spot) {
                Some(slots) => {
                    looked += slots;
                    Some(Spot { table: spot.table + 1, ..spot })
                }
                None => spot.kind.next().map(|kind| Spot { kind, table: 0 }),
            };
        }
        self.v6.take_if(|v6| v6.len() == 0);
        (looked, None)
    }

    /// Sweeps one table. Returns how many slots it has; `None`: there is no such table.
    fn sweep_table(&mut self, moment: &Moment<'_>, spot: Spot) -> Option<usize> {
        let (seed, table, fresh) = (moment.seed, spot.table, moment.freshness());
        match spot.kind {
            Kind::Seeds => self.v4.seeds.sweep(seed, table, fresh),
            Kind::Leechers => self.v4.leechers.sweep(seed, table, fresh),
            Kind::Seeds6 => self.v6.as_mut()?.seeds.sweep(seed, table, fresh),
            Kind::Leechers6 => self.v6.as_mut()?.leechers.sweep(seed, table, fresh),
        }
    }

    /// A random sample of the seeds, or of all others: at most `wanted` peers.
    pub fn sample(&self, moment: &mut Moment<'_>, of_seeds: bool, wanted: usize) -> Found {
        let fresh = moment.freshness();
        let mut found = Found::default();
        let v4 = if of_seeds { &self.v4.seeds } else { &self.v4.leechers };
        let taken = v4.pick(moment.random, wanted, fresh, &mut found.peers);
        if let Some(v6) = &self.v6 {
            let v6 = if of_seeds { &v6.seeds } else { &v6.leechers };
            v6.pick(moment.random, wanted - taken, fresh, &mut found.peers6);
        }
        found
    }

    /// Appends the whole swarm to a census.
    pub fn write(&self, minute: Minute, info_hash: InfoHash, out: &mut Vec<u8>) {
        let none = Family::default();
        let v6 = self.v6.as_deref().unwrap_or(&none);
        let count = |count| u32::try_from(count).expect("memory for fewer peers than 2^32");
        let counts = [
            count(self.v4.seeds.len()),
            count(self.v4.leechers.len()),
            count(v6.seeds.len()),
            count(v6.leechers.len()),
        ];
        let heard_mins = minute.since(self.heard);
        SwarmHead { info_hash, completed: self.completed, heard_mins, counts }.write(out);
        write_peers(minute, &self.v4.seeds, out);
        write_peers(minute, &self.v4.leechers, out);
        write_peers(minute, &v6.seeds, out);
        write_peers(minute, &v6.leechers, out);
    }

    /// A swarm as a census remembers it, of which nothing was heard for `gone_mins` since. Peers
    /// that are silent for too long by now are left out, and so are all beyond `room`.
    pub fn restore(
        moment: &Moment<'_>,
        record: &SwarmRecord<'_>,
        gone_mins: u16,
        room: usize,
    ) -> Swarm {
        let heard_mins = record.head.heard_mins.saturating_add(gone_mins).min(AGE_MINS_MAX);
        let heard = moment.minute.before(heard_mins);
        let completed = record.head.completed;
        let mut swarm = Swarm { completed, heard, ..Swarm::default() };
        let mut room = room;
        for (peers, is_seeds) in [(record.v4_seeds, true), (record.v4_leechers, false)] {
            room -= swarm.v4.restore(moment, peers, is_seeds, gone_mins, room);
        }
        for (peers, is_seeds) in [(record.v6_seeds, true), (record.v6_leechers, false)] {
            if !peers.is_empty() {
                let v6 = swarm.v6.get_or_insert_default();
                room -= v6.restore(moment, peers, is_seeds, gone_mins, room);
            }
        }
        swarm
    }

    /// Whether this peer is in the swarm.
    pub fn has(&self, seed: u64, addr: SocketAddr) -> bool {
        match wire(addr) {
            Wire::V4(addr) => self.v4.has(seed, &addr),
            Wire::V6(addr) => self.v6.as_ref().is_some_and(|v6| v6.has(seed, &addr)),
        }
    }

    /// Peers, and how many were ever complete. Who has fallen silent counts until the next sweep.
    pub fn tally(&self) -> Tally {
        let v6 = self.v6.as_deref();
        let seeds = self.v4.seeds.len() + v6.map_or(0, |v6| v6.seeds.len());
        let leechers = self.v4.leechers.len() + v6.map_or(0, |v6| v6.leechers.len());
        let count = |count| u32::try_from(count).expect("memory for fewer peers than 2^32");
        Tally { seeds: count(seeds), leechers: count(leechers), completed: self.completed }
    }

    /// How many peers there are.
    pub fn len(&self) -> usize {
        self.v4.len() + self.v6.as_ref().map_or(0, |v6| v6.len())
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The minute of the last announce.
    pub fn heard(&self) -> Minute {
        self.heard
    }

    /// How many slots its tables have.
    pub fn slot_count(&self) -> usize {
        self.v4.slot_count() + self.v6.as_ref().map_or(0, |v6| v6.slot_count())
    }

    /// Asserts the tables' invariants.
    pub fn check(&self, seed: u64) {
        self.v4.check(seed);
        if let Some(v6) = &self.v6 {
            v6.check(seed);
        }
    }

    /// Its own family first: an address of the other one may be out of its reach.
    fn pick(&self, moment: &mut Moment<'_>, visit: &Visit, found: &mut Found) {
        found.peers.clear();
        found.peers6.clear();
        let (seed, wanted) = (visit.is_seed, visit.wanted);
        let v6 = self.v6.as_deref();
        if visit.addr.is_ipv4() {
            let left = wanted - self.v4.pick(moment, seed, wanted, &mut found.peers);
            v6.map(|v6| v6.pick(moment, seed, left, &mut found.peers6));
        } else {
            let taken = v6.map_or(0, |v6| v6.pick(moment, seed, wanted, &mut found.peers6));
            self.v4.pick(moment, seed, wanted - taken, &mut found.peers);
        }
    }

    /// The caller's new stamp, if it stays; counts its `completed`, unless that was counted before.
    /// Somebody who lacks something has completed nothing, whatever the event says.
    fn stamp(&mut self, minute: Minute, visit: &Visit, before: Option<Stamp>) -> Option<Stamp> {
        let counted = before.is_some_and(Stamp::completed);
        let completes = match visit.event {
            Event::Stopped => return None,
            Event::Completed => visit.is_seed,
            Event::Started | Event::Regular => false,
        };
        if completes && !counted {
            self.completed = self.completed.saturating_add(1);
        }
        Some(Stamp::new(minute, completes || counted))
    }
}

/// The peers of one kind of address.
#[derive(Clone, Debug, Default)]
struct Family<const N: usize> {
    seeds: Hall<N>,
    leechers: Hall<N>,
}

/// Where a caller was, while peers are picked for it.
struct Seat {
    among_seeds: bool,
    gap: Gap,
}

impl<const N: usize> Family<N> {
    /// Takes a caller out, who will `settle` soon. `is_seed`: where it is looked for first.
    fn lift(&mut self, seed: u64, addr: &[u8; N], is_seed: bool) -> Option<Seat> {
        [is_seed, !is_seed].into_iter().find_map(|among_seeds| {
            let gap = self.hall(among_seeds).lift(seed, addr)?;
            Some(Seat { among_seeds, gap })
        })
    }

    /// Puts a caller in, to where it was if it can be; not at all if it does not `stay`.
    fn settle(
        &mut self,
        seed: u64,
        addr: [u8; N],
        seat: Option<Seat>,
        stay: Option<(Stamp, bool)>,
    ) {
        match (seat, stay) {
            (Some(seat), Some((stamp, is_seed))) if seat.among_seeds == is_seed => {
                self.hall(is_seed).put_back(seat.gap, addr, stamp);
            }
            (seat, stay) => {
                if let Some(seat) = seat {
                    self.hall(seat.among_seeds).close(seed, seat.gap);
                }
                if let Some((stamp, is_seed)) = stay {
                    self.insert(seed, addr, stamp, is_seed);
                }
            }
        }
    }

    fn hall(&mut self, of_seeds: bool) -> &mut Hall<N> {
        if of_seeds { &mut self.seeds } else { &mut self.leechers }
    }

    fn insert(&mut self, seed: u64, addr: [u8; N], stamp: Stamp, is_seed: bool) {
        self.hall(is_seed).insert(seed, addr, stamp);
    }

    /// Picks at most `wanted` peers. Returns how many.
    ///
    /// A leecher gets seeds and leechers as there are. A seed gets leechers, and seeds only if
    /// those are few: some clients say `left=0` before they know how much there is.
    fn pick(
        &self,
        moment: &mut Moment<'_>,
        for_seed: bool,
        wanted: usize,
        out: &mut Vec<[u8; N]>,
    ) -> usize {
        let seeds_first = match self.len() {
            0 => return 0,
            _ if for_seed => wanted.saturating_sub(self.leechers.len()),
            all => (wanted * self.seeds.len()).div_ceil(all),
        };
        let fresh = moment.freshness();
        let seeds = self.seeds.pick(moment.random, seeds_first, fresh, out);
        seeds + self.leechers.pick(moment.random, wanted - seeds, fresh, out)
    }

    /// Takes peers of a census in; `M` is `N` and the two bytes of an age. Returns how many.
    fn restore<const M: usize>(
        &mut self,
        moment: &Moment<'_>,
        peers: &[[u8; M]],
        is_seeds: bool,
        gone_mins: u16,
        room: usize,
    ) -> usize {
        let before = self.len();
        for peer in peers {
            let (addr, age) = peer.split_last_chunk::<2>().expect("a peer has an age");
            let addr: [u8; N] = addr.try_into().expect("and an address of its kind");
            let (age_mins, completed) = read_age(*age);
            let age_mins = age_mins.saturating_add(gone_mins);
            // It is our own file; but port 0 would be a free slot, and nobody may stand twice.
            let is_peer = addr[N - 2..] != [0, 0] && !self.has(moment.seed, &addr);
            let is_fresh = age_mins <= moment.silence_max_mins;
            if is_peer && is_fresh && self.len() - before < room {
                let stamp = Stamp::new(moment.minute.before(age_mins), completed);
                self.insert(moment.seed, addr, stamp, is_seeds);
            }
        }
        self.len() - before
    }

    fn has(&self, seed: u64, addr: &[u8; N]) -> bool {
        self.seeds.has(seed, addr) || self.leechers.has(seed, addr)
    }

    fn len(&self) -> usize {
        self.seeds.len() + self.leechers.len()
    }

    fn slot_count(&self) -> usize {
        self.seeds.slot_count() + self.leechers.slot_count()
    }

    fn check(&self, seed: u64) {
        self.seeds.check(seed);
        self.leechers.check(seed);
        let both = self.len();
        assert!(both == 0 || self.slot_count() >= both);
    }
}

impl Moment<'_> {
    /// Tells whether somebody with this stamp is still there.
    fn freshness(&self) -> impl Fn(Stamp) -> bool + Copy + use<> {
        let (minute, most) = (self.minute, self.silence_max_mins);
        move |stamp| minute.since(stamp.minute()) <= most
    }
}

fn write_peers<const N: usize>(minute: Minute, peers: &Hall<N>, out: &mut Vec<u8>) {
    // At once: a vector that grows step by step copies a large swarm several times.
    out.reserve(peers.len() * (N + AGE_BYTES));
    for (addr, stamp) in peers.iter() {
        census::write_peer(addr, minute.since(stamp.minute()), stamp.completed(), out);
    }
}

/// An address and port as a compact answer holds them.
enum Wire {
    V4([u8; 6]),
    V6([u8; 18]),
}

fn wire(addr: SocketAddr) -> Wire {
    let port = addr.port().to_be_bytes();
    match addr.ip().to_canonical() {
        IpAddr::V4(ip) => {
            let mut bytes = [0; 6];
            bytes[..4].copy_from_slice(&ip.octets());
            bytes[4..].copy_from_slice(&port);
            Wire::V4(bytes)
        }
        IpAddr::V6(ip) => {
            let mut bytes = [0; 18];
            bytes[..16].copy_from_slice(&ip.octets());
            bytes[16..].copy_from_slice(&port);
            Wire::V6(bytes)
        }
    }
}
