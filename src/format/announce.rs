//! Announce: what a peer tells a tracker and what it is told, as values.
//!
//! ```text
//!  Announce::target ──▶ /announce?info_hash=…&left=0 ──▶ Announce::parse      the tracker's
//!        ours                                                                   service
//!  Reply::parse     ◀── d8:intervali1800e5:peers6:…e ◀── Answer::write
//! ```
//!
//! Both ends stand here, so that they cannot disagree. The peer's end believes nothing that a
//! tracker says, and the tracker's end nothing that a peer says.
//!
//! # Why
//! A tracker could be told an address (`ip=`), and opinions of what a peer has up- and downloaded.
//! The first would let anybody send a swarm to a victim, so it is not even read; the other two
//! are read leniently, because nothing depends on them.
//!
//! # Spec
//! BEP 3, "trackers"; BEP 7 (peers6), 23 (compact), 24 (external ip), 31 (retry in), 48 (scrape).

mod reply;
mod scrape;

use std::fmt::{self, Write as _};

use super::query::{self, TrackerUrl};
use crate::base::limits::HAVE_BYTES_MAX;
use crate::base::{InfoHash, PeerId};

pub use reply::{Answer, Refusal, Reply, compact_peer, compact_peer6, write_failure};
pub use scrape::{Scrape, Tally};

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
    /// At least 1.
    pub port: u16,
    pub uploaded: u64,
    pub downloaded: u64,
    /// Bytes that this peer lacks; `u64::MAX` if it did not say.
    pub left: u64,
    pub event: Event,
    /// How many peers are wanted; `None` leaves it to the tracker.
    pub numwant: Option<u32>,
    /// Proves to a tracker that we are the same client behind a new address.
    pub key: Option<u32>,
    /// Whether the short form of peers is welcome (BEP 23); only an advice.
    pub compact: bool,
    pub no_peer_id: bool,
    pub tracker_id: Option<Vec<u8>>,
    /// The pieces that this peer has, as in its `bitfield` message. A word of our own, said only
    /// to a tracker that wants to know (`Reply::wants_have`).
    pub have: Option<Vec<u8>>,
}

/// What is wrong with the query of an announce or scrape; said back as `failure reason`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BadQuery {
    /// The parameter of this name is not there.
    Missing(&'static str),
    /// It stands there twice, and it matters which one counts.
    Twice(&'static str),
    /// It must be 20 bytes, percent-coded.
    NotTwentyBytes(&'static str),
    /// It must be a number from the first to the last of these.
    NotANumber(&'static str, u64, u64),
}

impl Announce {
    /// The target of the request that makes this announce at `url`: its path, its query and ours.
    ///
    /// Peers are asked for in the short form. With `stopped` none are asked for.
    pub fn target(&self, url: &TrackerUrl) -> String {
        let mut target = url.path_and_query.clone();
        target.push(if url.query().is_empty() { '?' } else { '&' });
        if url.path_and_query.ends_with(['?', '&']) {
            target.pop();
        }
        self.write_query(&mut target);
        target
    }

    /// Appends the query; every byte of it is visible ASCII.
    pub fn write_query(&self, out: &mut String) {
        write_bytes(out, "info_hash", &self.info_hash.0);
        write_bytes(out, "&peer_id", &self.peer_id.0);
        write_number(out, "&port", self.port.into());
        write_number(out, "&uploaded", self.uploaded);
        write_number(out, "&downloaded", self.downloaded);
        write_number(out, "&left", self.left);
        write_number(out, "&compact", self.compact.into());
        if self.no_peer_id {
            out.push_str("&no_peer_id=1");
        }
        match (self.event, self.numwant) {
            (Event::Stopped, _) => out.push_str("&numwant=0"),
            (_, Some(numwant)) => write_number(out, "&numwant", numwant.into()),
            (_, None) => {}
        }
        if let Some(key) = self.key {
            write!(out, "&key={key:08X}").expect("a string takes every write");
        }
        match self.event {
            Event::Regular => {}
            Event::Started => out.push_str("&event=started"),
            Event::Completed => out.push_str("&event=completed"),
            Event::Stopped => out.push_str("&event=stopped"),
        }
        if let Some(tracker_id) = &self.tracker_id {
            write_bytes(out, "&trackerid", tracker_id);
        }
        if let Some(have) = &self.have {
            out.push_str("&have=");
            for byte in have {
                write!(out, "{byte:02x}").expect("a string takes every write");
            }
        }
    }

    /// Reads the query of a request for `/announce`.
    ///
    /// `info_hash`, `peer_id` and `port` must be there; `left`, where it is, must be a number. A
    /// `numwant`, `key`, `event` or `have` that cannot be read counts as not said; of other parameters
    /// that come twice, the last counts.
    pub fn parse(query: &str) -> Result<Announce, BadQuery> {
        let mut said = Said::default();
        for (name, value) in query::pairs(query) {
            said.note(name, value)?;
        }
        let port = said.port.ok_or(BadQuery::Missing("port"))?;
        let port = port.parse().ok().filter(|port| *port > 0);
        Ok(Announce {
            info_hash: InfoHash(twenty("info_hash", said.info_hash)?),
            peer_id: PeerId(twenty("peer_id", said.peer_id)?),
            port: port.ok_or(BadQuery::NotANumber("port", 1, 65_535))?,
            uploaded: said.uploaded.and_then(number).unwrap_or(0),
            downloaded: said.downloaded.and_then(number).unwrap_or(0),
            left: match said.left {
                Some(left) => number(left).ok_or(BadQuery::NotANumber("left", 0, u64::MAX))?,
                None => u64::MAX,
            },
            event: said.event.map_or(Event::Regular, parse_event),
            numwant: said.numwant.and_then(parse_numwant),
            key: said.key.and_then(|key| u32::from_str_radix(key, 16).ok()),
            compact: said.compact != Some("0"),
            no_peer_id: said.no_peer_id == Some("1"),
            tracker_id: said.tracker_id.and_then(|id| query::decode(id.as_bytes())),
            have: said.have.and_then(parse_have),
        })
    }

    /// Whether this peer has everything.
    pub fn is_seed(&self) -> bool {
        self.left == 0
    }
}

impl fmt::Display for BadQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadQuery::Missing(name) => write!(f, "{name} is missing"),
            BadQuery::Twice(name) => write!(f, "{name} is there twice"),
            BadQuery::NotTwentyBytes(name) => write!(f, "{name} is not 20 bytes, percent-coded"),
            BadQuery::NotANumber(name, least, most) => {
                write!(f, "{name} is not a number between {least} and {most}")
            }
        }
    }
}

/// The values of the parameters that we know, as they came.
#[derive(Default)]
struct Said<'q> {
    info_hash: Option<&'q str>,
    peer_id: Option<&'q str>,
    port: Option<&'q str>,
    uploaded: Option<&'q str>,
    downloaded: Option<&'q str>,
    left: Option<&'q str>,
    event: Option<&'q str>,
    numwant: Option<&'q str>,
    key: Option<&'q str>,
    compact: Option<&'q str>,
    no_peer_id: Option<&'q str>,
    tracker_id: Option<&'q str>,
    have: Option<&'q str>,
}

impl<'q> Said<'q> {
    fn note(&mut self, name: &str, value: &'q str) -> Result<(), BadQuery> {
        let place = match name {
            "info_hash" if self.info_hash.is_some() => return Err(BadQuery::Twice("info_hash")),
            "info_hash" => &mut self.info_hash,
            "peer_id" => &mut self.peer_id,
            "port" => &mut self.port,
            "uploaded" => &mut self.uploaded,
            "downloaded" => &mut self.downloaded,
            "left" => &mut self.left,
            "event" => &mut self.event,
            "numwant" => &mut self.numwant,
            "key" => &mut self.key,
            "compact" => &mut self.compact,
            "no_peer_id" => &mut self.no_peer_id,
            "trackerid" => &mut self.tracker_id,
            "have" => &mut self.have,
            _ => return Ok(()),
        };
        *place = Some(value);
        Ok(())
    }
}

fn twenty(name: &'static str, value: Option<&str>) -> Result<[u8; 20], BadQuery> {
    let value = value.ok_or(BadQuery::Missing(name))?;
    query::decode_exactly(value.as_bytes()).ok_or(BadQuery::NotTwentyBytes(name))
}

/// Decimal digits alone: no sign, no blank.
fn number(text: &str) -> Option<u64> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Peers wanted. −1 is how some clients say "as you like"; any number of digits is a number.
fn parse_numwant(text: &str) -> Option<u32> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u32::MAX))
}

/// Others, such as the `paused` of BEP 21, are regular announces.
fn parse_event(text: &str) -> Event {
    match text {
        "started" => Event::Started,
        "completed" => Event::Completed,
        "stopped" => Event::Stopped,
        _ => Event::Regular,
    }
}

/// Two hexadecimal digits for each byte, as many as one could need.
fn parse_have(text: &str) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() || pairs.len() > HAVE_BYTES_MAX {
        return None;
    }
    pairs.iter().map(|[high, low]| query::hex_pair(*high, *low)).collect()
}

fn write_bytes(out: &mut String, name: &str, bytes: &[u8]) {
    out.push_str(name);
    out.push('=');
    query::encode(bytes, out);
}

fn write_number(out: &mut String, name: &str, number: u64) {
    write!(out, "{name}={number}").expect("a string takes every write");
}
