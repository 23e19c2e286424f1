//! Lookup: one search for the nodes nearest to a place, step by step.
//!
//! ```text
//!      our table          answers            answers
//!   ┌──────────────┐   ┌───────────┐      ┌───────────┐
//!   │ 8 nearest we │──▶│ 8 nearest │─ … ─▶│ 8 nearest │   the eight nearest that there are have
//!   │ know: hop 1  │   │ they know │      │ of all    │   all answered: done
//!   └──────────────┘   └───────────┘      └───────────┘
//! ```
//! Some nodes are asked at a time. One that does not answer within a second no longer counts
//! among them (it may still answer), so a few dead nodes slow a search down and never stop it.
//!
//! # Interface
//! `next` until it says `None`, whenever something changed; `on_answer` or `on_failure` for each;
//! when `is_done`, `nearest_answered` is the result.
//!
//! # Invariants
//! Nodes are sorted by distance; ids and addresses differ; outside local networks also the
//! networks (IPv4 /24), so that one party cannot be all who answer.
//!
//! # Limits
//! `DHT_ALPHA`, `DHT_LOOKUP_NODES_MAX` (about a hundred bytes each), `DHT_LOOKUP_QUERIES_MAX`.
//!
//! # Spec
//! BEP 5, "overview"; Kademlia (Maymounkov and Mazières 2002), 2.3.

use std::net::SocketAddr;

use super::place::network;
use crate::base::limits::{
    DHT_ALPHA, DHT_BUCKET_NODES, DHT_LOOKUP_NODES_MAX, DHT_LOOKUP_QUERIES_MAX, DHT_QUERY_SLOW,
};
use crate::base::{NodeId, Time};
use crate::format::krpc::Contact;

/// One search.
#[derive(Clone, Debug)]
pub struct Lookup {
    target: NodeId,
    /// Nearest first.
    nodes: Vec<Known>,
    queries: u32,
}

/// A node that may be asked.
#[derive(Clone, Debug)]
pub struct Known {
    pub contact: Contact,
    state: State,
    /// 1 for a node of our own table, one more for each who had to be asked before.
    pub hops: u8,
    /// What to show when announcing to it, once it has answered.
    pub token: Option<Vec<u8>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    New,
    Asked(Time),
    /// Asked more than `DHT_QUERY_SLOW` ago: nobody waits for it, but it may still answer.
    Slow,
    Answered,
    Failed,
}

impl Lookup {
    /// A search that begins with nodes of our own.
    pub fn new(target: NodeId, ours: &[Contact]) -> Lookup {
        let mut lookup = Lookup { target, nodes: Vec::new(), queries: 0 };
        ours.iter().for_each(|&contact| lookup.add(contact, 1));
        lookup
    }

    pub fn target(&self) -> NodeId {
        self.target
    }

    /// Questions asked so far.
    pub fn queries(&self) -> u32 {
        self.queries
    }

    /// Whom to ask now; it counts as asked. `None`: nobody, for now or at all.
    pub fn next(&mut self, now: Time) -> Option<Contact> {
        self.note_slow(now);
        let is_waited_for = |known: &&Known| matches!(known.state, State::Asked(_));
        let waiting = self.nodes.iter().filter(is_waited_for).count();
        if waiting >= DHT_ALPHA || self.queries >= DHT_LOOKUP_QUERIES_MAX {
            return None;
        }
        let known = self.front_mut().find(|known| known.state == State::New)?;
        known.state = State::Asked(now);
        let contact = known.contact;
        self.queries += 1;
        Some(contact)
    }

    /// A node answered, with a token perhaps, and named others.
    ///
    /// If it has another id than it was said to have, it stands elsewhere now: at its new place
    /// it counts as one that answered, at the old one it does not.
    pub fn on_answer(&mut self, contact: Contact, token: Option<&[u8]>, named: &[Contact]) {
        let place = self.nodes.iter().position(|known| known.contact.addr == contact.addr);
        let Some(place) = place else { return };
        let hops = self.nodes[place].hops;
        if self.nodes[place].contact.id != contact.id {
            self.nodes.remove(place);
            self.add(contact, hops);
        }
        let known = self.nodes.iter_mut().find(|known| known.contact == contact);
        if let Some(known) = known {
            known.state = State::Answered;
            known.token = token.map(<[u8]>::to_vec);
        }
        named.iter().for_each(|&contact| self.add(contact, hops.saturating_add(1)));
    }

    /// A node did not answer in time, or refused.
    pub fn on_failure(&mut self, addr: SocketAddr) {
        let known = self.nodes.iter_mut().find(|known| known.contact.addr == addr);
        if let Some(known) = known.filter(|known| known.state != State::Answered) {
            known.state = State::Failed;
        }
    }

    /// Whether there is nobody left whose answer could change the result.
    pub fn is_done(&self) -> bool {
        let mut front = self.front();
        if self.queries >= DHT_LOOKUP_QUERIES_MAX {
            return front.all(|known| matches!(known.state, State::New | State::Answered));
        }
        front.all(|known| known.state == State::Answered)
    }

    /// When `next` may name one more because an answer is slow.
    pub fn deadline(&self) -> Option<Time> {
        let asked = self.nodes.iter().filter_map(|known| match known.state {
            State::Asked(at) => Some(at + DHT_QUERY_SLOW),
            State::New | State::Slow | State::Answered | State::Failed => None,
        });
        asked.min()
    }

    /// Waits no longer for those who had their second.
    pub fn note_slow(&mut self, now: Time) {
        for known in &mut self.nodes {
            if matches!(known.state, State::Asked(at) if now.since(at) >= DHT_QUERY_SLOW) {
                known.state = State::Slow;
            }
        }
    }

    /// The nearest nodes of those who answered, at most eight.
    pub fn nearest_answered(&self) -> impl Iterator<Item = &Known> {
        let answered = self.nodes.iter().filter(|known| known.state == State::Answered);
        answered.take(DHT_BUCKET_NODES)
    }

    /// The hops to a node that was asked.
    pub fn hops_to(&self, addr: SocketAddr) -> Option<u8> {
        self.nodes.iter().find(|known| known.contact.addr == addr).map(|known| known.hops)
    }

    /// Asserts the invariants of the header.
    pub fn check(&self) {
        let distances = self.nodes.iter().map(|known| known.contact.id.distance(self.target));
        assert!(distances.is_sorted_by(|a, b| a < b), "sorted, each once");
        assert!(self.nodes.len() <= DHT_LOOKUP_NODES_MAX);
        assert!(self.queries <= DHT_LOOKUP_QUERIES_MAX);
    }

    fn add(&mut self, contact: Contact, hops: u8) {
        let distance = contact.id.distance(self.target);
        let place = self
            .nodes
            .binary_search_by_key(&distance, |known| known.contact.id.distance(self.target));
        let Err(place) = place else { return };
        let theirs = network(contact.addr.ip());
        let is_known = self.nodes.iter().any(|known| {
            let addr = known.contact.addr;
            addr == contact.addr || theirs.is_some() && network(addr.ip()) == theirs
        });
        if is_known {
            return;
        }
        self.nodes.insert(place, Known { contact, state: State::New, hops, token: None });
        self.nodes.truncate(DHT_LOOKUP_NODES_MAX);
    }

    /// The nearest nodes that have not failed: those on whom the result depends.
    fn front(&self) -> impl Iterator<Item = &Known> {
        self.nodes.iter().filter(|known| known.state != State::Failed).take(DHT_BUCKET_NODES)
    }

    fn front_mut(&mut self) -> impl Iterator<Item = &mut Known> {
        self.nodes.iter_mut().filter(|known| known.state != State::Failed).take(DHT_BUCKET_NODES)
    }
}
