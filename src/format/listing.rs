//! Listing: what a tracker shows of itself as JSON, both ends of it.
//!
//! ```text
//!  GET /torrents             Listing    what was published, the newest first
//!  POST /torrents            Published  what became of it
//!  GET /get_peers            Swarms     who is there
//!  GET /pieces?info_hash=    Pieces     who holds what
//!  GET /stats                Stats      how much of everything
//! ```
//!
//! The tracker writes these and our own commands read them, so they stand in one place. Scripts
//! read them, too: keys are added, never renamed.
//!
//! # Why
//! JSON, where announces are bencoded: these are for web pages and scripts, which all can read it.
//! Names in it were cleaned, but may hold `<` and quotes: whoever makes a web page of them must
//! put them in as text.

use serde::{Deserialize, Serialize};

/// What was published.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Listing {
    pub torrents: Vec<Listed>,
    /// If there is more: what to pass as `before` to see it.
    pub next: Option<u64>,
}

/// One published torrent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Listed {
    pub info_hash: String,
    pub name: String,
    pub bytes: u64,
    pub files: u64,
    pub pieces: u32,
    pub piece_bytes: u32,
    pub seeds: u32,
    pub leechers: u32,
    pub completed: u32,
    /// The path of the .torrent on this tracker.
    pub torrent: String,
}

/// What became of a .torrent that was sent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Published {
    pub info_hash: String,
    pub name: String,
    /// It was not there before.
    pub new: bool,
    /// It is kept, and shown to nobody.
    pub private: bool,
    pub torrent: String,
}

/// Who is there.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Swarms {
    pub swarms: Vec<SwarmShown>,
    /// There is more than one answer holds.
    pub more: bool,
}

/// One swarm.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SwarmShown {
    pub info_hash: String,
    /// Known only of what was published.
    pub name: Option<String>,
    pub seeds: u32,
    pub leechers: u32,
    pub completed: u32,
    pub peers: Vec<PeerShown>,
}

/// One peer of a swarm.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct PeerShown {
    /// `ADDRESS:PORT`.
    pub addr: String,
    pub seed: bool,
}

/// Who holds which pieces of a torrent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Pieces {
    pub info_hash: String,
    pub name: String,
    pub pieces: u32,
    pub piece_bytes: u32,
    /// Those of who told, and seeds, which have all.
    pub holders: Vec<Holder>,
    /// There are more than one answer holds.
    pub more: bool,
}

/// A peer, and what it holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Holder {
    pub addr: String,
    pub seed: bool,
    /// How many pieces.
    pub have: u32,
    /// Which ones: the bytes of its `bitfield` message in hexadecimal digits. Not said of a seed.
    pub bits: Option<String>,
}

/// How much of everything there is, and how much there was since the start.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Stats {
    pub version: String,
    pub uptime_secs: u64,
    pub torrents: u64,
    pub seeds: u64,
    pub leechers: u64,
    /// Torrents in the library; those that are private, too.
    pub published: u64,
    pub announces: u64,
    pub scrapes: u64,
    pub refused: u64,
    /// .torrent files taken, refused, and given out.
    pub published_new: u64,
    pub published_refused: u64,
    pub fetched: u64,
    /// Of these, over UDP; connection ids given; and datagrams that got no answer.
    #[serde(default)]
    pub udp_announces: u64,
    #[serde(default)]
    pub udp_scrapes: u64,
    #[serde(default)]
    pub udp_connects: u64,
    #[serde(default)]
    pub udp_dropped: u64,
    /// Longest turn of the loop: how long somebody may have waited for us.
    pub longest_turn_millis: u64,
}
