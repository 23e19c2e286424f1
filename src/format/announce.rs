//! Announce: what a peer tells a tracker and what it is told, as values.

use std::net::SocketAddr;

use crate::base::{InfoHash, PeerId};

/// Why a peer announces.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// A regular, timed announce: no `event` key, or an empty one.
    Regular,
    Started,
    Completed,
    Stopped,
}

/// One announce, as values.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Announce {
    pub info_hash: InfoHash,
    pub peer_id: PeerId,
    pub port: u16,
    pub uploaded: u64,
    pub downloaded: u64,
    pub left: u64,
    pub event: Event,
    pub numwant: Option<u32>,
    /// Proves to a tracker that we are the same client behind a new address.
    pub key: Option<u32>,
    pub compact: bool,
    pub no_peer_id: bool,
    pub tracker_id: Option<Vec<u8>>,
}

/// What a tracker answers to an announce that it accepts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reply {
    /// Seconds, as said (not yet clamped); `None` if absent or nonsense.
    pub interval_secs: Option<u64>,
    pub min_interval_secs: Option<u64>,
    pub seeds: Option<u64>,
    pub leechers: Option<u64>,
    pub peers: Vec<SocketAddr>,
    pub tracker_id: Option<Vec<u8>>,
    pub warning: Option<String>,
    /// Our address as the tracker sees it (BEP 24).
    pub external_ip: Option<std::net::IpAddr>,
}

/// Why an announce brought nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The tracker answered `failure reason`; cleaned and cut. `retry_secs` as BEP 31 says;
    /// `never` if the tracker asked us not to come back.
    Failure { reason: String, retry_secs: Option<u64>, never: bool },
    /// The answer cannot be understood; or there was none (refused, timed out, no such name).
    Unreachable(String),
}
