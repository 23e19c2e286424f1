//! Cast: who takes part in a run, and what each of them is ordered to do.
//!
//! Everybody gets an address of its own in 10.0.0.0/8 or fd00::/8, in the order of arrival. Nothing
//! happens yet: nodes start when the run begins, or when the scenario says.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::Lab;
use super::net::{Line, NodeId};
use super::node::{Driven, Mood, Node, Role, Tracker, Wanted};
use super::scripted::{Act, Script};
use super::source::{Source, SourceId};
use crate::base::limits::{CONNECTIONS_MAX, CONNECTIONS_PER_TORRENT_MAX, UNCHOKED_MAX};
use crate::base::{PeerId, Span};
use crate::engine::{Engine, Settings};
use crate::format::digest::Hashing;
use crate::torrent::selection::Wishes;
use crate::tracker::{Policy, Service};

/// Where every node listens, and every tracker.
const PEER_PORT: u16 = 6881;
const TRACKER_PORT: u16 = 8000;

impl Lab {
    /// Makes a torrent of files of these lengths.
    pub fn source(&mut self, name: &str, piece_bytes: u32, lens: &[u64]) -> SourceId {
        let source = Source::new(name, piece_bytes, lens, &mut self.random);
        self.add_source(source)
    }

    /// The same torrent, hashed by a stand-in for SHA-1: for large swarms, where hashing would
    /// take longer than all else. Nothing else that happens depends on it.
    pub fn quick_source(&mut self, name: &str, piece_bytes: u32, lens: &[u64]) -> SourceId {
        let hashing = Hashing::StandIn;
        let source = Source::hashed(hashing, name, piece_bytes, lens, &mut self.random);
        self.add_source(source)
    }

    fn add_source(&mut self, source: Source) -> SourceId {
        let id = SourceId(self.sources.len());
        self.by_hash.insert(source.info_hash(), id);
        self.sources.push(source);
        id
    }

    /// A tracker. Every torrent of every node is announced to all trackers there are when the
    /// node starts.
    pub fn tracker(&mut self, name: &str) -> NodeId {
        let settings = usual_settings(TRACKER_PORT);
        let mut engine = Engine::new(settings, self.random.next_u64());
        let mut service = Service::new(Policy::default(), self.random.next_u64());
        service.serve_udp([5; 20]);
        engine.serve_tracker(service);
        let tracker = Tracker { engine, mood: Mood::Well };
        let id = self.join(name, TRACKER_PORT, Role::Tracker(Box::new(tracker)));
        self.trackers.push(id);
        id
    }

    /// A node that has the torrent, whole, from the beginning.
    pub fn seed(&mut self, name: &str, source: SourceId) -> NodeId {
        let id = self.node(name);
        self.order(id, source, true);
        id
    }

    /// A node that wants the torrent.
    pub fn peer(&mut self, name: &str, source: SourceId) -> NodeId {
        let id = self.node(name);
        self.order(id, source, false);
        id
    }

    /// A node without torrents; `order` gives it some. It starts at once, unless `starts_at`.
    pub fn node(&mut self, name: &str) -> NodeId {
        let settings = usual_settings(PEER_PORT);
        let driven = Driven {
            engine: None,
            settings,
            wishes: Vec::new(),
            calls_locally: false,
            is_leaving: false,
            questions: None,
        };
        let id = self.join(name, PEER_PORT, Role::Engine(Box::new(driven)));
        self.net.listen(id, false);
        self.starts.insert(id, Span::ZERO);
        id
    }

    /// A peer that follows a script. It does not dial unless `Action::Dial` says so.
    pub fn scripted(&mut self, name: &str, source: SourceId, acts: Vec<Act>) -> NodeId {
        let mut peer_id = *b"-XX0000-............";
        let own = format!("{:012}", self.nodes.len());
        peer_id[8..].copy_from_slice(own.as_bytes());
        let peer_id = PeerId(peer_id);
        self.join(name, PEER_PORT, Role::Script(Script { peer_id, source, acts }))
    }

    /// A further torrent for a node. `whole`: its files are there already.
    pub fn order(&mut self, node: NodeId, source: SourceId, whole: bool) {
        let Source { files, metainfo, .. } = &self.sources[source.0];
        let disk = &mut self.nodes[node.0].disk;
        if whole {
            disk.put(self.now, metainfo.info_hash, files);
        } else {
            disk.expect(metainfo.info_hash, files);
        }
        let (peers, choice) = (Vec::new(), Wishes::default());
        let (announced, by_link, super_seed) = (true, false, false);
        let wanted = Wanted { source, whole, peers, announced, choice, by_link, super_seed };
        self.driven(node).wishes.push(wanted);
    }

    /// Gives `node` the address of `other` by hand.
    pub fn knows(&mut self, node: NodeId, source: SourceId, other: NodeId) {
        let addr = self.nodes[other.0].addr;
        self.wish(node, source).peers.push(addr);
    }

    /// Keeps a torrent of a node from all trackers.
    pub fn keeps_secret(&mut self, node: NodeId, source: SourceId) {
        self.wish(node, source).announced = false;
    }

    /// A node knows no more of a torrent than its info-hash and whom to ask: a magnet link. Once
    /// it has learnt the rest it keeps that, also when it starts anew.
    pub fn has_link_only(&mut self, node: NodeId, source: SourceId) {
        self.wish(node, source).by_link = true;
    }

    /// A node calls into the network, and hears what others call. All nodes are in one network.
    pub fn calls_locally(&mut self, node: NodeId) {
        self.driven(node).calls_locally = true;
    }

    /// A seed gives each piece away once, and lets others copy it.
    pub fn super_seeds(&mut self, node: NodeId, source: SourceId) {
        self.wish(node, source).super_seed = true;
    }

    /// Makes a torrent private: nobody learns of others from peers. For nodes that join later.
    pub fn make_private(&mut self, source: SourceId) {
        self.sources[source.0].metainfo.private = true;
    }

    /// A node wants these files only, or in this order.
    pub fn chooses(&mut self, node: NodeId, source: SourceId, choice: Wishes) {
        self.wish(node, source).choice = choice;
    }

    /// Whether a node was ordered this torrent.
    pub fn wants(&self, node: NodeId, source: SourceId) -> bool {
        match &self.nodes[node.0].role {
            Role::Engine(driven) => driven.wishes.iter().any(|wanted| wanted.source == source),
            Role::Script(_) | Role::Tracker(_) => false,
        }
    }

    /// The files lie there, but the node is not told that they are whole: it has to check.
    pub fn must_check(&mut self, node: NodeId, source: SourceId) {
        self.wish(node, source).whole = false;
    }

    /// Whoever joins from now on lives at an IPv6 address, or (`false`) at an IPv4 one again.
    pub fn join_in_ipv6(&mut self, in_ipv6: bool) {
        self.in_ipv6 = in_ipv6;
    }

    /// Puts off the start of a node that has not started yet.
    pub fn starts_at(&mut self, node: NodeId, span: Span) {
        self.starts.insert(node, span);
    }

    /// What the node's engine will be told at its birth.
    pub fn settings(&mut self, node: NodeId) -> &mut Settings {
        &mut self.driven(node).settings
    }

    // ── Inside ──────────────────────────────────────────────────────────────────────────────

    fn join(&mut self, name: &str, port: u16, role: Role) -> NodeId {
        let id = self.net.add(Line::default());
        assert_eq!(id.0, self.nodes.len(), "the net and the lab count the same nodes");
        let number = u32::try_from(id.0 + 1).expect("fewer nodes than addresses");
        let ip = if self.in_ipv6 {
            IpAddr::V6(Ipv6Addr::from_bits((0xfd << 120) + u128::from(number)))
        } else {
            IpAddr::V4(Ipv4Addr::from_bits(u32::from(Ipv4Addr::new(10, 0, 0, 0)) + number))
        };
        let addr = SocketAddr::new(ip, port);
        self.by_addr.insert(addr, id);
        self.nodes.push(Node::new(name.to_owned(), addr, role));
        id
    }

    fn driven(&mut self, node: NodeId) -> &mut Driven {
        match &mut self.nodes[node.0].role {
            Role::Engine(driven) => driven,
            Role::Script(_) | Role::Tracker(_) => panic!("{node:?} is no node of ours"),
        }
    }

    fn wish(&mut self, node: NodeId, source: SourceId) -> &mut Wanted {
        let mut wishes = self.driven(node).wishes.iter_mut();
        wishes.find(|wanted| wanted.source == source).expect("it was ordered before")
    }
}

fn usual_settings(port: u16) -> Settings {
    Settings {
        port,
        connections_max: CONNECTIONS_MAX,
        connections_per_torrent_max: CONNECTIONS_PER_TORRENT_MAX,
        unchoked_max: UNCHOKED_MAX,
        seed: true,
        explain: false,
    }
}
