//! Dht: one node: what it is told, what it wants, and what becomes of its questions.
//!
//! ```text
//!  datagram ─▶ query?    answered from table and store (answer.rs)
//!              answer?   to one of our questions: the table learns, a look-up goes on
//!  follow   ─▶ look-ups of a torrent, time and again; its peers come out, we are announced
//!  enter    ─▶ a node may be at this address: see whether it answers
//!  tick     ─▶ what is due (upkeep.rs)
//! ```
//! IPv4 and IPv6 are two nets (BEP 32): a table for each, and look-ups in each.
//!
//! # Invariants
//! Every question that is open has its moment of giving up · at most one look-up of each torrent
//! in each net · what is not announced to us by a token of ours is not stored.
//!
//! # Limits
//! All those of `base/limits.rs` that begin with `DHT_`. At rest a node takes some 20 KiB.
//!
//! # Spec
//! BEP 5, BEP 32, BEP 42, BEP 43.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::upkeep::{Entrance, Votes};
use super::{
    Act, Figures, Filter, Guard, Lookup, Offer, Outcome, Secrets, Settings, Store, Table, place,
};
use crate::base::limits::{
    DHT_ANNOUNCE_AGAIN, DHT_ENTRANCES_MAX, DHT_FOLLOWED_MAX, DHT_LOOKUPS_WAITING_MAX,
    DHT_QUERIES_MAX,
};
use crate::base::{InfoHash, NodeId, Random, Span, Time};
use crate::format::krpc::{Ask, Body, Contact, Message, Query, Refusal, Response, Want};

/// One node of the DHT.
#[derive(Debug)]
pub struct Dht {
    pub(super) settings: Settings,
    pub(super) id: NodeId,
    pub(super) random: Random,
    pub(super) secrets: Secrets,
    pub(super) guard: Guard,
    pub(super) store: Store,
    pub(super) nets: [Net; 2],
    /// Questions without an answer yet, in the order in which they were asked.
    pub(super) open: VecDeque<Question>,
    pub(super) searches: Vec<Search>,
    pub(super) next_search: u32,
    /// In the order in which they came.
    pub(super) followed: Vec<Followed>,
    pub(super) entrances: Vec<Entrance>,
    pub(super) votes: Votes,
    /// When anybody last answered us: if nobody does, it is we who are cut off.
    pub(super) last_answer: Option<Time>,
    pub(super) counts: Counts,
}

/// The nodes of one family.
#[derive(Debug)]
pub(super) struct Net {
    /// Whether we have a socket there.
    pub is_open: bool,
    pub table: Table,
    pub joined: bool,
    /// When to look for our neighbours (again).
    pub join_at: Time,
    /// How long the last try was in vain.
    pub join_pause: Span,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub asked: u64,
    pub heard: u64,
    pub served: u64,
}

/// A question that we have asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    pub transaction: [u8; 4],
    pub to: SocketAddr,
    /// Who should be there, as far as we know.
    pub id: Option<NodeId>,
    pub asked: Time,
    pub purpose: Purpose,
}

/// Why we asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Purpose {
    /// To get to know a node, or to see whether it is still there.
    Acquaint,
    /// A step of the search of this number.
    Search(u32),
    /// To tell of ourselves.
    Announce,
}

/// A look-up that is under way, and what it is for.
#[derive(Debug)]
pub(super) struct Search {
    pub number: u32,
    pub net: usize,
    pub lookup: Lookup,
    pub goal: Goal,
    pub outcome: Outcome,
    /// Seeds and other peers, united from all answers.
    pub filters: Option<Box<[Filter; 2]>>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Goal {
    /// Our neighbours.
    Join,
    /// A bucket of which nothing was heard.
    Refresh,
    /// Peers of a torrent.
    Peers { info_hash: InfoHash, offer: Option<Offer> },
}

/// A torrent that is looked up time and again, or once.
#[derive(Debug)]
pub(super) struct Followed {
    pub info_hash: InfoHash,
    pub offer: Option<Offer>,
    pub once: bool,
    /// When to look it up next.
    pub due: Time,
    /// How long to wait after a look-up that found nobody.
    pub pause: Span,
}

/// What we say of ourselves in `v`: two letters of our own and a version.
const VERSION: &[u8; 4] = b"SL\x01\x00";

impl Dht {
    /// A node that knows nobody yet.
    pub fn new(now: Time, settings: Settings) -> Dht {
        let mut random = Random::new(settings.seed);
        let id = place::choose(None, &mut random);
        let net = |is_open| Net {
            is_open,
            table: Table::new(now, id),
            joined: false,
            join_at: now,
            join_pause: Span::ZERO,
        };
        Dht {
            id,
            random,
            secrets: Secrets::new(settings.secret),
            guard: Guard::new(now),
            store: Store::new(),
            nets: [net(settings.v4), net(settings.v6)],
            open: VecDeque::new(),
            searches: Vec::new(),
            next_search: 0,
            followed: Vec::new(),
            entrances: Vec::new(),
            votes: Votes::default(),
            last_answer: None,
            counts: Counts::default(),
            settings,
        }
    }

    // ── What it is told ─────────────────────────────────────────────────────────────────────

    /// A datagram came.
    pub fn on_datagram(&mut self, now: Time, from: SocketAddr, bytes: &[u8], out: &mut Vec<Act>) {
        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
        if !place::can_be_node(from.ip(), from.port()) || !self.nets[net_of(from)].is_open {
            return;
        }
        match Message::parse(bytes) {
            Ok(message) => self.on_message(now, from, &message, out),
            Err(Refusal::Answer { transaction, code, text }) => {
                if self.guard.hears(now, from.ip()) {
                    self.refuse(now, from, (transaction, code, text), out);
                }
            }
            // It costs the sender his share of attention, and us nothing more.
            Err(Refusal::Drop(_)) => drop(self.guard.hears(now, from.ip())),
        }
        self.go_on(now, out);
    }

    /// Somebody says that there is a node at this address: a person, a torrent, a peer's PORT
    /// message. `remember`: try it again whenever we know nobody.
    pub fn enter(&mut self, now: Time, addr: SocketAddr, remember: bool, out: &mut Vec<Act>) {
        let net = net_of(addr);
        if !place::can_be_node(addr.ip(), addr.port()) || !self.nets[net].is_open {
            return;
        }
        if remember && !self.entrances.iter().any(|entrance| entrance.addr == addr) {
            if self.entrances.len() == DHT_ENTRANCES_MAX {
                self.entrances.remove(0);
            }
            self.entrances.push(Entrance::new(now, addr));
        } else if !remember {
            let is_known = self.nets[net].table.nodes().any(|node| node.contact.addr == addr);
            if !is_known {
                self.acquaint(now, addr, None, out);
            }
        }
        self.enter_again(now, out);
    }

    /// Looks this torrent up from now on, time and again, and announces us if there is an `offer`.
    /// Never to be called for a private torrent.
    pub fn follow(&mut self, now: Time, info_hash: InfoHash, offer: Option<Offer>) {
        let is_full = self.followed.len() >= DHT_FOLLOWED_MAX;
        let known = self.followed.iter_mut().find(|followed| followed.info_hash == info_hash);
        match known {
            Some(known) => {
                known.once = false;
                known.offer = offer;
            }
            None if is_full => {}
            None => {
                let pause = DHT_ANNOUNCE_AGAIN;
                self.followed.push(Followed { info_hash, offer, once: false, due: now, pause });
            }
        }
    }

    /// Looks this torrent up once. `Act::Ended` follows, in each net in which we know anybody.
    /// `false`: too many wait already.
    pub fn look_up(&mut self, now: Time, info_hash: InfoHash) -> bool {
        let known = self.followed.iter_mut().find(|followed| followed.info_hash == info_hash);
        if let Some(known) = known {
            known.due = now;
            return true;
        }
        let waiting = self.followed.iter().filter(|followed| followed.once).count();
        if waiting >= DHT_LOOKUPS_WAITING_MAX {
            return false;
        }
        let pause = DHT_ANNOUNCE_AGAIN;
        self.followed.push(Followed { info_hash, offer: None, once: true, due: now, pause });
        true
    }

    /// Looks it up no more. Who was told of us forgets us within the hour; BEP 5 knows no farewell.
    pub fn unfollow(&mut self, info_hash: InfoHash) {
        self.followed.retain(|followed| followed.info_hash != info_hash);
    }

    // ── Questions ───────────────────────────────────────────────────────────────────────────

    pub fn id(&self) -> NodeId {
        self.id
    }

    /// All torrents that are looked up, time and again or once.
    pub fn followed(&self) -> impl Iterator<Item = InfoHash> {
        self.followed.iter().map(|followed| followed.info_hash)
    }

    pub fn is_following(&self, info_hash: InfoHash) -> bool {
        self.followed.iter().any(|followed| followed.info_hash == info_hash)
    }

    pub fn figures(&self, now: Time) -> Figures {
        let [v4, v6] = [&self.nets[0].table, &self.nets[1].table];
        Figures {
            id: self.id,
            read_only: self.settings.read_only,
            joined: self.nets.iter().any(|net| net.joined),
            external_ip: self.votes.elected(),
            nodes: [v4.nodes().count(), v6.nodes().count()],
            good: [v4.good_count(now), v6.good_count(now)],
            shape: [v4.shape(), v6.shape()],
            stored_torrents: self.store.torrent_count(),
            stored_peers: self.store.peer_count(),
            followed: self.followed.len(),
            lookups: self.searches.len(),
            table_bytes: v4.bytes() + v6.bytes(),
            asked: self.counts.asked,
            heard: self.counts.heard,
            served: self.counts.served,
        }
    }

    /// Asserts what the header promises.
    pub fn check(&self) {
        self.nets.iter().for_each(|net| net.table.check());
        self.searches.iter().for_each(|search| search.lookup.check());
        self.store.check();
        assert!(self.open.len() <= DHT_QUERIES_MAX);
        assert!(self.open.iter().map(|question| question.asked).is_sorted());
        assert!(self.followed.len() <= DHT_FOLLOWED_MAX + DHT_LOOKUPS_WAITING_MAX);
    }

    // ── Messages ────────────────────────────────────────────────────────────────────────────

    fn on_message(
        &mut self,
        now: Time,
        from: SocketAddr,
        message: &Message<'_>,
        out: &mut Vec<Act>,
    ) {
        if let Body::Query(query) = &message.body {
            if self.guard.hears(now, from.ip()) {
                self.on_query(now, from, message, *query, out);
            }
            return;
        }
        // An answer that nobody asked for, or from somebody who was not asked, means nothing.
        let Some(question) = self.take_question(from, message.transaction) else {
            self.guard.hears(now, from.ip());
            return;
        };
        self.last_answer = Some(now);
        self.counts.heard += 1;
        if let Some(said) = message.seen_at {
            self.on_vote(now, from.ip(), said.ip());
        }
        match &message.body {
            Body::Response(response) => self.on_response(now, &question, response, out),
            // A node that refuses is there, but of no help with this.
            Body::Error { .. } => self.on_fruitless(&question),
            Body::Query(_) => unreachable!("dealt with above"),
        }
    }

    fn on_response(
        &mut self,
        now: Time,
        question: &Question,
        response: &Response<'_>,
        out: &mut Vec<Act>,
    ) {
        let contact = Contact { id: response.id, addr: question.to };
        let net = net_of(question.to);
        self.nets[net].table.on_answer(now, contact);
        self.on_entered(question.to);
        let Purpose::Search(number) = question.purpose else { return };
        let Some(search) = self.searches.iter_mut().find(|search| search.number == number) else {
            return;
        };
        let named = if net == 0 { &response.nodes } else { &response.nodes6 };
        let usable = |contact: &&Contact| {
            contact.id != self.id && place::can_be_node(contact.addr.ip(), contact.addr.port())
        };
        let named: Vec<Contact> =
            named.iter().flatten().filter(usable).map(|contact| canonical(*contact)).collect();
        search.lookup.on_answer(contact, response.token, &named);
        search.note_filters(response.filters);
        if let (Goal::Peers { info_hash, .. }, false) = (search.goal, response.values.is_empty()) {
            search.outcome.peers += response.values.len();
            let hop = search.lookup.hops_to(question.to);
            search.outcome.peers_at_hop = search.outcome.peers_at_hop.or(hop);
            out.push(Act::Found { info_hash, peers: response.values.clone() });
        }
    }

    /// A question came to nothing, though not for want of an answer.
    fn on_fruitless(&mut self, question: &Question) {
        if let Purpose::Search(number) = question.purpose {
            let search = self.searches.iter_mut().find(|search| search.number == number);
            if let Some(search) = search {
                search.lookup.on_failure(question.to);
            }
        }
    }

    /// The question that this answers, if it comes from whom we asked.
    fn take_question(&mut self, from: SocketAddr, transaction: &[u8]) -> Option<Question> {
        let is_it =
            |question: &Question| question.to == from && question.transaction == transaction;
        let place = self.open.iter().position(is_it)?;
        self.open.remove(place)
    }

    // ── Our questions ───────────────────────────────────────────────────────────────────────

    /// Asks the node at `addr` whether it is there; its answer lets it into the table.
    pub(super) fn acquaint(
        &mut self,
        now: Time,
        addr: SocketAddr,
        id: Option<NodeId>,
        out: &mut Vec<Act>,
    ) {
        let is_asked = |q: &Question| q.to == addr && q.purpose == Purpose::Acquaint;
        if !self.open.iter().any(is_asked) {
            self.ask(now, (addr, id), Purpose::Acquaint, Ask::Ping, out);
        }
    }

    /// Sends a question. `false`: too many are open.
    pub(super) fn ask(
        &mut self,
        now: Time,
        (to, id): (SocketAddr, Option<NodeId>),
        purpose: Purpose,
        ask: Ask<'_>,
        out: &mut Vec<Act>,
    ) -> bool {
        if self.open.len() >= DHT_QUERIES_MAX {
            return false;
        }
        let transaction = self.secrets.transaction();
        let query = Query { id: self.id, ask };
        let message = Message {
            read_only: self.settings.read_only,
            version: Some(VERSION),
            ..Message::new(&transaction, Body::Query(query))
        };
        let mut bytes = Vec::new();
        message.write(&mut bytes);
        self.open.push_back(Question { transaction, to, id, asked: now, purpose });
        self.counts.asked += 1;
        out.push(Act::Send { to, bytes });
        true
    }

    /// Asks the next node of each search, and concludes those that are done.
    pub(super) fn go_on(&mut self, now: Time, out: &mut Vec<Act>) {
        let mut at = 0;
        while at < self.searches.len() {
            self.searches[at].lookup.note_slow(now);
            self.step(now, at, out);
            if self.searches[at].lookup.is_done() {
                let search = self.searches.remove(at);
                self.conclude(now, search, out);
            } else {
                at += 1;
            }
        }
    }

    fn step(&mut self, now: Time, at: usize, out: &mut Vec<Act>) {
        while self.open.len() < DHT_QUERIES_MAX {
            let search = &mut self.searches[at];
            let (number, goal, target) = (search.number, search.goal, search.lookup.target());
            let Some(contact) = search.lookup.next(now) else { return };
            let want = Want::default();
            let ask = match goal {
                Goal::Join | Goal::Refresh => Ask::FindNode { target, want },
                Goal::Peers { info_hash, offer } => {
                    // Who only looks may also want to know how many there are.
                    Ask::GetPeers { info_hash, want, no_seed: false, scrape: offer.is_none() }
                }
            };
            let to = (contact.addr, Some(contact.id));
            self.ask(now, to, Purpose::Search(number), ask, out);
        }
    }

    fn conclude(&mut self, now: Time, mut search: Search, out: &mut Vec<Act>) {
        let nearest: Vec<_> = search.lookup.nearest_answered().cloned().collect();
        search.outcome.queries = search.lookup.queries();
        search.outcome.answered = nearest.len();
        search.outcome.hops = nearest.iter().map(|known| known.hops).max().unwrap_or(0);
        let Goal::Peers { info_hash, offer } = search.goal else {
            return self.on_joined(now, &search);
        };
        if let Some(offer) = offer {
            for known in &nearest {
                let Some(token) = &known.token else { continue };
                let Offer { port, seed } = offer;
                let ask = Ask::AnnouncePeer { info_hash, port: Some(port), token, seed };
                let to = (known.contact.addr, Some(known.contact.id));
                let is_sent = self.ask(now, to, Purpose::Announce, ask, out);
                search.outcome.announced += usize::from(is_sent);
            }
        }
        search.outcome.estimate = search.estimate();
        self.reschedule(now, info_hash, &search.outcome);
        out.push(Act::Ended { info_hash, outcome: search.outcome });
    }
}

impl Search {
    fn note_filters(&mut self, filters: Option<[&[u8; 256]; 2]>) {
        let Some([seeds, peers]) = filters else { return };
        let united = self.filters.get_or_insert_default();
        united[0].unite(&Filter::from_bytes(*seeds));
        united[1].unite(&Filter::from_bytes(*peers));
    }

    fn estimate(&self) -> Option<(u32, u32)> {
        let [seeds, peers] = self.filters.as_deref()?;
        Some((rounded(seeds.estimate()), rounded(peers.estimate())))
    }
}

/// An estimate as a number of peers: between 0 and some ten thousand, where filters are full.
fn rounded(estimate: f64) -> u32 {
    (0..=16_384).find(|count| f64::from(*count) + 0.5 >= estimate).unwrap_or(16_384)
}

/// Which of the two nets an address is in.
pub(super) fn net_of(addr: SocketAddr) -> usize {
    usize::from(addr.is_ipv6())
}

/// An IPv4 address that was written as an IPv6 one is an IPv4 address.
fn canonical(contact: Contact) -> Contact {
    let addr = SocketAddr::new(contact.addr.ip().to_canonical(), contact.addr.port());
    Contact { addr, ..contact }
}
