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

use serde::Serialize;

use super::json::{Fields, Record};

/// What was published.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Listing {
    pub torrents: Vec<Listed>,
    /// If there is more: what to pass as `before` to see it.
    pub next: Option<u64>,
}

impl Record for Listing {
    fn read(fields: &mut Fields<'_>) -> Listing {
        Listing { torrents: fields.need("torrents"), next: fields.get("next") }
    }
}

/// One published torrent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
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

impl Record for Listed {
    fn read(fields: &mut Fields<'_>) -> Listed {
        Listed {
            info_hash: fields.need("info_hash"),
            name: fields.need("name"),
            bytes: fields.need("bytes"),
            files: fields.need("files"),
            pieces: fields.need("pieces"),
            piece_bytes: fields.need("piece_bytes"),
            seeds: fields.need("seeds"),
            leechers: fields.need("leechers"),
            completed: fields.need("completed"),
            torrent: fields.need("torrent"),
        }
    }
}

/// What became of a .torrent that was sent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Published {
    pub info_hash: String,
    pub name: String,
    /// It was not there before.
    pub new: bool,
    /// It is kept, and shown to nobody.
    pub private: bool,
    pub torrent: String,
}

impl Record for Published {
    fn read(fields: &mut Fields<'_>) -> Published {
        Published {
            info_hash: fields.need("info_hash"),
            name: fields.need("name"),
            new: fields.need("new"),
            private: fields.need("private"),
            torrent: fields.need("torrent"),
        }
    }
}

/// Who is there.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Swarms {
    pub swarms: Vec<SwarmShown>,
    /// There is more than one answer holds.
    pub more: bool,
}

impl Record for Swarms {
    fn read(fields: &mut Fields<'_>) -> Swarms {
        Swarms { swarms: fields.need("swarms"), more: fields.need("more") }
    }
}

/// One swarm.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct SwarmShown {
    pub info_hash: String,
    /// Known only of what was published.
    pub name: Option<String>,
    pub seeds: u32,
    pub leechers: u32,
    pub completed: u32,
    pub peers: Vec<PeerShown>,
}

impl Record for SwarmShown {
    fn read(fields: &mut Fields<'_>) -> SwarmShown {
        SwarmShown {
            info_hash: fields.need("info_hash"),
            name: fields.get("name"),
            seeds: fields.need("seeds"),
            leechers: fields.need("leechers"),
            completed: fields.need("completed"),
            peers: fields.need("peers"),
        }
    }
}

/// One peer of a swarm.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct PeerShown {
    /// `ADDRESS:PORT`.
    pub addr: String,
    pub seed: bool,
}

impl Record for PeerShown {
    fn read(fields: &mut Fields<'_>) -> PeerShown {
        PeerShown { addr: fields.need("addr"), seed: fields.need("seed") }
    }
}

/// Who holds which pieces of a torrent.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
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

impl Record for Pieces {
    fn read(fields: &mut Fields<'_>) -> Pieces {
        Pieces {
            info_hash: fields.need("info_hash"),
            name: fields.need("name"),
            pieces: fields.need("pieces"),
            piece_bytes: fields.need("piece_bytes"),
            holders: fields.need("holders"),
            more: fields.need("more"),
        }
    }
}

/// A peer, and what it holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Holder {
    pub addr: String,
    pub seed: bool,
    /// How many pieces.
    pub have: u32,
    /// Which ones: the bytes of its `bitfield` message in hexadecimal digits. Not said of a seed.
    pub bits: Option<String>,
}

impl Record for Holder {
    fn read(fields: &mut Fields<'_>) -> Holder {
        Holder {
            addr: fields.need("addr"),
            seed: fields.need("seed"),
            have: fields.need("have"),
            bits: fields.get("bits"),
        }
    }
}

/// How much of everything there is, and how much there was since the start.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
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
    pub udp_announces: u64,
    pub udp_scrapes: u64,
    pub udp_connects: u64,
    pub udp_dropped: u64,
    /// Longest turn of the loop: how long somebody may have waited for us.
    pub longest_turn_millis: u64,
    /// The most of the processor's time that a turn used, and that one used in which peers were
    /// forgotten: how long somebody waited for us alone, and not for others at the machine.
    pub busiest_turn_micros: u64,
    pub busiest_sweep_micros: u64,
}

impl Record for Stats {
    fn read(fields: &mut Fields<'_>) -> Stats {
        Stats {
            version: fields.need("version"),
            uptime_secs: fields.need("uptime_secs"),
            torrents: fields.need("torrents"),
            seeds: fields.need("seeds"),
            leechers: fields.need("leechers"),
            published: fields.need("published"),
            announces: fields.need("announces"),
            scrapes: fields.need("scrapes"),
            refused: fields.need("refused"),
            published_new: fields.need("published_new"),
            published_refused: fields.need("published_refused"),
            fetched: fields.need("fetched"),
            udp_announces: fields.get("udp_announces"),
            udp_scrapes: fields.get("udp_scrapes"),
            udp_connects: fields.get("udp_connects"),
            udp_dropped: fields.get("udp_dropped"),
            longest_turn_millis: fields.need("longest_turn_millis"),
            busiest_turn_micros: fields.get("busiest_turn_micros"),
            busiest_sweep_micros: fields.get("busiest_sweep_micros"),
        }
    }
}
