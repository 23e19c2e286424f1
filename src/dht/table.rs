//! Table: the nodes that one node knows: many that are near it, few that are far.
//!
//! Bucket *n* holds nodes whose ids share exactly *n* leading bits with ours; the last bucket
//! holds all that share more. Only the last one is ever split, so the half of all nodes that is
//! farthest away fills one bucket of eight, the next quarter another, and so on:
//!
//! ```text
//!  bucket 0   1…         8 of half of all nodes          (our id begins 0110…)
//!  bucket 1   00…        8 of a quarter
//!  bucket 2   010…       8 of an eighth
//!  bucket 3   011…       whoever is nearer: split when full
//! ```
//! A node enters when it has answered us, for whoever does not answer is of no use. A good node is
//! never driven out by a newcomer: those who have been here long are the likeliest to stay, and
//! nobody can flush the table.
//!
//! ```text
//!          15 minutes silent               two questions unanswered
//!  good ─────────────────────▶ questionable ───────────────────────▶ bad ─▶ replaced by a spare,
//!    ▲                             │                                  │      or at last forgotten
//!    └────────── it answers ───────┴──────────────────────────────────┘
//! ```
//!
//! # Interface
//! `on_answer`, `on_query` and `on_failure` for what nodes do; `nearest` for who may help;
//! `to_refresh` and `to_probe` when there is time.
//!
//! # Invariants
//! A node stands in the bucket of its id · ids differ · of one network (IPv4 /24) there is one
//! node in a bucket, of one address one in the table; local networks are exempt.
//!
//! # Limits
//! `DHT_BUCKET_NODES` and `DHT_SPARES` of 64 bytes each in a bucket. In a net of N nodes some
//! log2(N) − 2 buckets are full: 12 to 20 KiB in one of millions. Not even somebody who sits on
//! every id near ours gets it above 160 buckets, 120 KiB.
//!
//! # Spec
//! BEP 5, "routing table".

use crate::base::limits::{
    DHT_BUCKET_NODES, DHT_FAILURES_BAD, DHT_FAILURES_MAX, DHT_GOOD_FOR, DHT_SPARES,
};
use crate::base::order;
use crate::base::{NodeId, Random, Time};
use crate::format::krpc::Contact;

use super::place::network;

/// The nodes of one family (IPv4 or IPv6) that we know.
#[derive(Clone, Debug)]
pub struct Table {
    own: NodeId,
    /// At least one, at most `BUCKETS_MAX`.
    buckets: Vec<Bucket>,
}

#[derive(Clone, Debug)]
struct Bucket {
    nodes: Vec<Node>,
    /// Who answered while the bucket was full, the latest last.
    spares: Vec<Node>,
    /// When a node of it last answered or came in, or when we last set out to refresh it.
    changed: Time,
    /// It has not been looked into since we joined.
    is_unexplored: bool,
}

/// What we know of one node.
#[derive(Clone, Copy, Debug)]
pub struct Node {
    pub contact: Contact,
    /// When it last answered or, after its first answer, asked.
    pub heard: Time,
    /// Whether it ever answered us. Those of a record have not yet.
    pub answered: bool,
    /// Questions in a row without an answer.
    pub failures: u8,
}

/// What is believed of a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Quality {
    Good,
    Questionable,
    Bad,
}

/// A bucket for each bit of an id.
const BUCKETS_MAX: usize = 160;

const _: () = assert!(size_of::<Node>() <= 64, "the header and the README say 64 bytes");

impl Node {
    pub fn quality(&self, now: Time) -> Quality {
        if self.failures >= DHT_FAILURES_BAD {
            Quality::Bad
        } else if self.answered && now.since(self.heard) < DHT_GOOD_FOR {
            Quality::Good
        } else {
            Quality::Questionable
        }
    }
}

impl Bucket {
    fn new(now: Time) -> Bucket {
        Bucket { nodes: Vec::new(), spares: Vec::new(), changed: now, is_unexplored: false }
    }

    /// When it is to be looked into.
    fn refresh_at(&self) -> Time {
        if self.is_unexplored { Time::START } else { self.changed + DHT_GOOD_FOR }
    }

    fn has_network_of(&self, contact: &Contact) -> bool {
        let theirs = network(contact.addr.ip());
        theirs.is_some() && self.nodes.iter().any(|n| network(n.contact.addr.ip()) == theirs)
    }

    /// The latest spare takes the place of the node at `place`; without spares, it stays empty.
    fn replace(&mut self, place: usize) {
        match self.spares.pop() {
            Some(spare) => self.nodes[place] = spare,
            None => drop(self.nodes.remove(place)),
        }
    }

    fn keep_spare(&mut self, node: Node) {
        let same = |spare: &Node| {
            spare.contact.id == node.contact.id
                || network(spare.contact.addr.ip())
                    .is_some_and(|theirs| network(node.contact.addr.ip()) == Some(theirs))
        };
        self.spares.retain(|spare| !same(spare));
        if self.spares.len() == DHT_SPARES {
            self.spares.remove(0);
        }
        self.spares.push(node);
    }
}

impl Table {
    pub fn new(now: Time, own: NodeId) -> Table {
        Table { own, buckets: vec![Bucket::new(now)] }
    }

    /// A node answered us: it is good, or comes in if there is room for it.
    ///
    /// Who answers from another address than the one under which its id is known is taken for
    /// somebody else and left out, until the known one proves bad.
    pub fn on_answer(&mut self, now: Time, contact: Contact) {
        self.forget_others_at(contact);
        let node = Node { contact, heard: now, answered: true, failures: 0 };
        let at = self.bucket_of(contact.id);
        let bucket = &mut self.buckets[at];
        if let Some(known) = bucket.nodes.iter_mut().find(|n| n.contact.id == contact.id) {
            if known.contact.addr == contact.addr || known.quality(now) == Quality::Bad {
                *known = node;
                bucket.changed = now;
            }
            return;
        }
        self.insert(now, node);
    }

    /// A node of which we have only heard, long ago or from a record: comes in where there is room.
    pub fn add_unproved(&mut self, now: Time, contact: Contact) {
        if self.find(contact.id).is_none() {
            self.insert(now, Node { contact, heard: now, answered: false, failures: 0 });
        }
    }

    /// A node of the table that was ours before our id changed.
    pub fn take_over(&mut self, now: Time, node: Node) {
        self.insert(now, node);
    }

    /// A node asked us. Returns whether we know it, under this id and address.
    pub fn on_query(&mut self, now: Time, contact: Contact) -> bool {
        let at = self.bucket_of(contact.id);
        let node = self.buckets[at].nodes.iter_mut().find(|node| node.contact == contact);
        if let Some(node) = node {
            node.heard = now;
            return true;
        }
        false
    }

    /// A node left a question unanswered. A bad one gives way to a spare.
    pub fn on_failure(&mut self, contact: Contact) {
        let at = self.bucket_of(contact.id);
        let bucket = &mut self.buckets[at];
        let place = bucket.nodes.iter().position(|node| node.contact == contact);
        let Some(place) = place else { return };
        let node = &mut bucket.nodes[place];
        node.failures = node.failures.saturating_add(1);
        let is_bad = node.failures >= DHT_FAILURES_BAD;
        let is_gone = node.failures >= DHT_FAILURES_MAX || !node.answered;
        if is_bad && (is_gone || !bucket.spares.is_empty()) {
            bucket.replace(place);
        }
    }

    /// Whether there would be room for this stranger, so that asking it is worth a datagram.
    /// It is if we know its address under another id: it may have changed it (BEP 42).
    pub fn would_take(&self, now: Time, contact: Contact) -> bool {
        if self.nodes().any(|n| n.contact.addr == contact.addr && n.contact.id != contact.id) {
            return true;
        }
        if contact.id == self.own || self.find(contact.id).is_some() || self.is_taken(contact) {
            return false;
        }
        let at = self.bucket_of(contact.id);
        let bucket = &self.buckets[at];
        let has_room = bucket.nodes.len() < DHT_BUCKET_NODES
            || bucket.nodes.iter().any(|node| node.quality(now) == Quality::Bad)
            || self.can_split(at);
        has_room && !bucket.has_network_of(&contact)
    }

    // ── Questions ───────────────────────────────────────────────────────────────────────────

    /// The nodes nearest to `target`, nearest first: at most `max`, none of them bad.
    /// `good`: only such as may be recommended to others.
    pub fn nearest(&self, now: Time, target: NodeId, max: usize, good: bool) -> Vec<Contact> {
        let mut found: Vec<Contact> = self
            .nodes()
            .filter(|node| match node.quality(now) {
                Quality::Good => true,
                Quality::Questionable => !good,
                Quality::Bad => false,
            })
            .map(|node| node.contact)
            .collect();
        order::sort_by_key(&mut found, |contact| contact.id.distance(target));
        found.truncate(max);
        found
    }

    /// All nodes, the farthest bucket first.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.buckets.iter().flat_map(|bucket| bucket.nodes.iter())
    }

    /// How many nodes stand in each bucket, the farthest bucket first.
    pub fn shape(&self) -> Vec<usize> {
        self.buckets.iter().map(|bucket| bucket.nodes.len()).collect()
    }

    pub fn is_empty(&self) -> bool {
        self.nodes().next().is_none()
    }

    /// Whether nobody in it has answered and may be expected to answer again.
    pub fn is_lonely(&self) -> bool {
        !self.nodes().any(|node| node.answered && node.failures < DHT_FAILURES_BAD)
    }

    /// Nodes that are good now.
    pub fn good_count(&self, now: Time) -> usize {
        self.nodes().filter(|node| node.quality(now) == Quality::Good).count()
    }

    /// Bytes that nodes and spares take up.
    pub fn bytes(&self) -> usize {
        let rooms = |b: &Bucket| b.nodes.capacity() + b.spares.capacity();
        self.buckets.iter().map(rooms).sum::<usize>() * size_of::<Node>()
            + self.buckets.capacity() * size_of::<Bucket>()
    }

    /// Asserts the invariants of the header.
    pub fn check(&self) {
        assert!(!self.buckets.is_empty() && self.buckets.len() <= BUCKETS_MAX);
        for (at, bucket) in self.buckets.iter().enumerate() {
            assert!(bucket.nodes.len() <= DHT_BUCKET_NODES);
            assert!(bucket.spares.len() <= DHT_SPARES);
            for (place, node) in bucket.nodes.iter().enumerate() {
                assert_eq!(self.bucket_of(node.contact.id), at);
                assert_ne!(node.contact.id, self.own);
                for other in &bucket.nodes[..place] {
                    assert_ne!(node.contact.id, other.contact.id);
                    let [a, b] = [node, other].map(|node| network(node.contact.addr.ip()));
                    assert!(a.is_none() || a != b, "two nodes of one network in a bucket");
                }
            }
        }
    }

    // ── Upkeep ──────────────────────────────────────────────────────────────────────────────

    /// We have found our neighbours, by way of few others: every bucket that is not full is to be
    /// refreshed once, or parts of the net would stay unknown to us, and we to them.
    pub fn on_joined(&mut self) {
        for bucket in &mut self.buckets {
            bucket.is_unexplored = bucket.nodes.len() < DHT_BUCKET_NODES;
        }
    }

    /// A place in a bucket that is unexplored, or of which nothing was heard for too long, to be
    /// looked up; the bucket counts as fresh from now on.
    pub fn to_refresh(&mut self, now: Time, random: &mut Random) -> Option<NodeId> {
        let at = self.buckets.iter().position(|bucket| bucket.refresh_at() <= now)?;
        self.buckets[at].changed = now;
        self.buckets[at].is_unexplored = false;
        Some(self.random_place(at, random))
    }

    /// When `to_refresh` will find one.
    pub fn refresh_deadline(&self) -> Time {
        let first = self.buckets.iter().map(Bucket::refresh_at).min();
        first.expect("there is at least one bucket")
    }

    /// The questionable node that was silent longest, of a bucket where a spare waits.
    pub fn to_probe(&self, now: Time) -> Option<Contact> {
        let waited_for = self.buckets.iter().filter(|bucket| !bucket.spares.is_empty());
        waited_for
            .flat_map(|bucket| &bucket.nodes)
            .filter(|node| node.quality(now) == Quality::Questionable)
            .min_by_key(|node| node.heard)
            .map(|node| node.contact)
    }

    // ── Within ──────────────────────────────────────────────────────────────────────────────

    fn insert(&mut self, now: Time, node: Node) {
        if node.contact.id == self.own || self.is_taken(node.contact) {
            return;
        }
        let mut at = self.bucket_of(node.contact.id);
        while self.buckets[at].nodes.len() == DHT_BUCKET_NODES && self.can_split(at) {
            self.split(now);
            at = self.bucket_of(node.contact.id);
        }
        let bucket = &mut self.buckets[at];
        if bucket.has_network_of(&node.contact) {
            return;
        }
        let bad = bucket.nodes.iter().position(|n| n.quality(now) == Quality::Bad);
        if bucket.nodes.len() < DHT_BUCKET_NODES {
            bucket.nodes.push(node);
            bucket.changed = now;
        } else if let Some(bad) = bad {
            bucket.nodes[bad] = node;
            bucket.changed = now;
        } else if node.answered {
            bucket.keep_spare(node);
        }
    }

    /// Whoever was at this address under another id is there no more: the address has answered.
    fn forget_others_at(&mut self, contact: Contact) {
        let is_past = |n: &Node| n.contact.addr == contact.addr && n.contact.id != contact.id;
        for bucket in &mut self.buckets {
            bucket.spares.retain(|node| !is_past(node));
            if let Some(place) = bucket.nodes.iter().position(is_past) {
                bucket.replace(place);
            }
        }
    }

    /// Whether somebody else stands at this address already: locally the very address, elsewhere
    /// any port of it.
    fn is_taken(&self, contact: Contact) -> bool {
        let is_exempt = network(contact.addr.ip()).is_none();
        self.nodes().any(|node| match is_exempt {
            true => node.contact.addr == contact.addr,
            false => node.contact.addr.ip() == contact.addr.ip(),
        })
    }

    fn find(&self, id: NodeId) -> Option<&Node> {
        let bucket = &self.buckets[self.bucket_of(id)];
        bucket.nodes.iter().find(|node| node.contact.id == id)
    }

    fn bucket_of(&self, id: NodeId) -> usize {
        self.own.shared_bits(id).min(self.buckets.len() - 1)
    }

    fn can_split(&self, at: usize) -> bool {
        at + 1 == self.buckets.len() && self.buckets.len() < BUCKETS_MAX
    }

    /// Parts the last bucket into those as far as it says, and those that are nearer.
    fn split(&mut self, now: Time) {
        let depth = self.buckets.len() - 1;
        let last = &mut self.buckets[depth];
        let own = self.own;
        let mut nearer = Bucket::new(now);
        let is_nearer = |node: &Node| own.shared_bits(node.contact.id) > depth;
        nearer.nodes = last.nodes.iter().copied().filter(is_nearer).collect();
        nearer.spares = last.spares.iter().copied().filter(is_nearer).collect();
        nearer.changed = last.changed;
        nearer.is_unexplored = last.is_unexplored;
        last.nodes.retain(|node| !is_nearer(node));
        last.spares.retain(|node| !is_nearer(node));
        self.buckets.push(nearer);
    }

    /// A place that would stand in bucket `at`: our id, with bit `at` flipped (except in the last
    /// bucket) and all bits behind it by chance.
    fn random_place(&self, at: usize, random: &mut Random) -> NodeId {
        let is_last = at + 1 == self.buckets.len();
        let mut id = [0; 20];
        random.fill(&mut id);
        for bit in 0..at + usize::from(!is_last) {
            let mask = 0x80u8 >> (bit % 8);
            let own = self.own.0[bit / 8] & mask;
            let wanted = if bit == at { own ^ mask } else { own };
            id[bit / 8] = id[bit / 8] & !mask | wanted;
        }
        NodeId(id)
    }
}
