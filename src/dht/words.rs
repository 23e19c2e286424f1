//! What a node of the DHT is told, what it wants, and what it shows of itself.

use std::net::{IpAddr, SocketAddr};

use crate::base::{InfoHash, NodeId};

/// What a node is told once, at its birth.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Ask, but answer nobody (BEP 43): for hosts that cannot be reached or have little to spare.
    pub read_only: bool,
    /// Whether there are sockets of these families.
    pub v4: bool,
    pub v6: bool,
    /// From the operating system, unlike other random numbers: what tokens are made of.
    pub secret: [u8; 20],
    pub seed: u64,
}

/// One thing that the driver shall do or may want to know.
#[derive(Clone, PartialEq, Debug)]
pub enum Act {
    Send {
        to: SocketAddr,
        bytes: Vec<u8>,
    },
    /// Peers of a torrent that is followed or looked up. They may come more than once.
    Found {
        info_hash: InfoHash,
        peers: Vec<SocketAddr>,
    },
    /// A look-up of a torrent is over.
    Ended {
        info_hash: InfoHash,
        outcome: Outcome,
    },
}

/// What a look-up came to.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Outcome {
    /// Questions asked.
    pub queries: u32,
    /// Nodes among the eight nearest that answered.
    pub answered: usize,
    /// The longest chain of questions that led to one of them.
    pub hops: u8,
    /// Peers that were named, those that were named twice counted twice.
    pub peers: usize,
    /// The hop at which the first peers were named.
    pub peers_at_hop: Option<u8>,
    /// Nodes that we announced ourselves to.
    pub announced: usize,
    /// Seeds and other peers, as estimated from filters, where nodes sent such.
    pub estimate: Option<(u32, u32)>,
}

/// How we announce ourselves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Offer {
    /// Where peers reach us over TCP.
    pub port: u16,
    pub seed: bool,
}

/// What a person may want to know of a node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Figures {
    pub id: NodeId,
    pub read_only: bool,
    /// Whether we have found our neighbours.
    pub joined: bool,
    /// Our address, as other nodes see it.
    pub external_ip: Option<IpAddr>,
    /// Nodes and those of them that are good: IPv4, IPv6.
    pub nodes: [usize; 2],
    pub good: [usize; 2],
    /// Nodes by bucket, the farthest first: IPv4, IPv6.
    pub shape: [Vec<usize>; 2],
    pub stored_torrents: usize,
    pub stored_peers: usize,
    pub followed: usize,
    pub lookups: usize,
    /// Bytes of the tables.
    pub table_bytes: usize,
    /// Questions asked, answers to them, and questions answered, since the start.
    pub asked: u64,
    pub heard: u64,
    pub served: u64,
}
