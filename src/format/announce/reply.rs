//! Reply: the answer to an announce, read by the peer and written by the tracker.
//!
//! ```text
//!  d 8:complete i2e  10:downloaded i7e  11:external ip 4:aaaa  4:have i1e  10:incomplete i1e
//!    8:interval i1800e  12:min interval i60e
//!    5:peers 12: aaaapp aaaapp                 compact: 4 bytes of address, 2 of port (BEP 23)
//!    6:peers6 18: aaaaaaaaaaaaaaaapp           the same with 16 bytes of address (BEP 7)
//!  e
//!  d 14:failure reason 20:info_hash is missing  8:retry in i5e e
//! ```
//!
//! # Limits
//! `REPLY_PEERS_MAX` peers of one reply; texts of `REASON_CHARS_MAX` characters; a tracker id of
//! `TRACKER_ID_BYTES_MAX`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::Tally;
use crate::base::Set;
use crate::base::limits::{REASON_CHARS_MAX, REPLY_PEERS_MAX, TRACKER_ID_BYTES_MAX};
use crate::format::bencode::{Dict, Item, List, Strictness, Writer};
use crate::format::text;

/// What a tracker answers to an announce that it accepts.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reply {
    /// Seconds, as said (not yet clamped), a negative number as 0; `None` if absent or nonsense.
    pub interval_secs: Option<u64>,
    pub min_interval_secs: Option<u64>,
    pub seeds: Option<u64>,
    pub leechers: Option<u64>,
    /// Each once, and none that cannot be a peer (port 0, a multicast address and the like); they
    /// may be our own.
    pub peers: Vec<SocketAddr>,
    pub tracker_id: Option<Vec<u8>>,
    /// Cleaned and cut.
    pub warning: Option<String>,
    /// Our address as the tracker sees it (BEP 24).
    pub external_ip: Option<IpAddr>,
    /// It keeps a directory of who holds which pieces, and asks us for ours.
    pub wants_have: bool,
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

/// What our tracker answers to an announce that it accepts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answer<'a> {
    pub interval_secs: u64,
    pub min_interval_secs: u64,
    pub tally: Tally,
    /// Peers in the compact form: 6 bytes for each.
    pub peers: &'a [u8],
    /// The same, of 18 bytes each.
    pub peers6: &'a [u8],
    /// Whether they are written like that, or as a list of dictionaries.
    pub compact: bool,
    /// The asker's address as we see it.
    pub external_ip: IpAddr,
    /// Whether the asker may tell which pieces it has. Other clients step over the word.
    pub wants_have: bool,
}

impl Reply {
    /// Reads the body of a tracker's answer.
    ///
    /// What cannot be read is left out: a list of peers whose length does not fit, an interval
    /// that is no number. Refusal: the tracker says `failure reason`, or the body is no bencoded
    /// dictionary.
    pub fn parse(body: &[u8]) -> Result<Reply, Refusal> {
        let dict = parse_body(body)?;
        let mut peers = Peers::default();
        match dict.get("peers") {
            Some(item) if item.bytes().is_some() => peers.add_compact(item.bytes()),
            Some(item) => peers.add_list(item.list()),
            None => {}
        }
        peers.add_compact6(dict.get("peers6").and_then(Item::bytes));
        Ok(Reply {
            interval_secs: count(dict, "interval"),
            min_interval_secs: count(dict, "min interval"),
            seeds: count(dict, "complete"),
            leechers: count(dict, "incomplete"),
            peers: peers.list,
            tracker_id: dict
                .get("tracker id")
                .and_then(Item::bytes)
                .filter(|id| id.len() <= TRACKER_ID_BYTES_MAX)
                .map(<[u8]>::to_vec),
            warning: dict
                .get("warning message")
                .and_then(Item::bytes)
                .map(|warning| text::clean_to(warning, REASON_CHARS_MAX)),
            external_ip: dict.get("external ip").and_then(Item::bytes).and_then(raw_ip),
            wants_have: count(dict, "have").is_some_and(|wants| wants > 0),
        })
    }
}

impl Reply {
    /// An answer that holds nothing but peers in the compact form, of which the last may be cut
    /// off: 6 bytes each, or 18 (`is_ipv4` or not).
    pub fn of_compact(bytes: &[u8], is_ipv4: bool) -> Reply {
        let mut peers = Peers::default();
        match is_ipv4 {
            true => peers.add_all(bytes.chunks_exact(6).map(compact_peer)),
            false => peers.add_all(bytes.chunks_exact(18).map(compact_peer6)),
        }
        Reply { peers: peers.list, ..Reply::default() }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Refusal::Failure { reason, .. } | Refusal::Unreachable(reason) => f.write_str(reason),
        }
    }
}

impl Answer<'_> {
    /// Appends the answer, canonically bencoded.
    ///
    /// Peers in the long form come without `peer id`: we keep no peer ids. Clients have had to do
    /// without since `no_peer_id` and BEP 23; a made-up one would make them hang up.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut writer = Writer::new(out);
        writer.begin_dict();
        writer.key("complete").uint(self.tally.seeds.into());
        writer.key("downloaded").uint(self.tally.completed.into());
        match self.external_ip {
            IpAddr::V4(ip) => writer.key("external ip").bytes(ip.octets()),
            IpAddr::V6(ip) => writer.key("external ip").bytes(ip.octets()),
        };
        if self.wants_have {
            writer.key("have").uint(1);
        }
        writer.key("incomplete").uint(self.tally.leechers.into());
        writer.key("interval").uint(self.interval_secs);
        writer.key("min interval").uint(self.min_interval_secs);
        writer.key("peers");
        if self.compact {
            writer.bytes(self.peers);
            if !self.peers6.is_empty() {
                writer.key("peers6").bytes(self.peers6);
            }
        } else {
            self.write_list(&mut writer);
        }
        writer.end();
    }

    fn write_list(&self, writer: &mut Writer<'_>) {
        writer.begin_list();
        let peers = self.peers.chunks_exact(6).filter_map(compact_peer);
        let peers6 = self.peers6.chunks_exact(18).filter_map(compact_peer6);
        for addr in peers.chain(peers6) {
            writer.begin_dict();
            writer.key("ip").bytes(addr.ip().to_string());
            writer.key("port").uint(addr.port().into());
            writer.end();
        }
        writer.end();
    }
}

/// Appends the answer to what our tracker refuses (BEP 3), and when to come back (BEP 31).
pub fn write_failure(reason: &str, retry_mins: Option<u32>, out: &mut Vec<u8>) {
    let mut writer = Writer::new(out);
    writer.begin_dict().key("failure reason").bytes(reason);
    if let Some(mins) = retry_mins {
        writer.key("retry in").uint(mins.into());
    }
    writer.end();
}

/// The dictionary of an answer, unless it is no dictionary or one that says `failure reason`.
pub(super) fn parse_body(body: &[u8]) -> Result<Dict<'_>, Refusal> {
    let dict = Dict::parse(body, Strictness::Lenient).map_err(|malformed| {
        Refusal::Unreachable(format!("the answer is not a tracker's: {malformed}"))
    })?;
    match dict.get("failure reason") {
        Some(reason) => Err(parse_failure(reason, dict.get("retry in"))),
        None => Ok(dict),
    }
}

fn parse_failure(reason: Item<'_>, retry: Option<Item<'_>>) -> Refusal {
    let reason = text::clean_to(reason.bytes().unwrap_or_default(), REASON_CHARS_MAX);
    let reason = if reason.is_empty() { "no reason given".to_owned() } else { reason };
    let said = retry.and_then(Item::bytes);
    let never = said.is_some_and(|said| said.eq_ignore_ascii_case(b"never"));
    // BEP 31 calls it an integer, and its example shows a string.
    let mins = match (retry.and_then(Item::int), said) {
        (Some(mins), _) => u64::try_from(mins).ok(),
        (None, Some(said)) => std::str::from_utf8(said).ok().and_then(super::number),
        (None, None) => None,
    };
    let retry_secs = mins.filter(|&mins| mins > 0).map(|mins| mins.saturating_mul(60));
    Refusal::Failure { reason, retry_secs, never }
}

/// A number that is a count or a time; a negative one is as good as 0.
pub(super) fn count(dict: Dict<'_>, key: &str) -> Option<u64> {
    let value = dict.get(key).and_then(Item::int)?;
    Some(u64::try_from(value).unwrap_or(0))
}

/// Peers as they are gathered from a reply.
#[derive(Default)]
struct Peers {
    list: Vec<SocketAddr>,
    seen: Set<SocketAddr>,
}

impl Peers {
    /// `peers` as a string; nothing, if it does not consist of whole peers.
    fn add_compact(&mut self, bytes: Option<&[u8]>) {
        let bytes = bytes.filter(|bytes| bytes.len() % 6 == 0).unwrap_or_default();
        self.add_all(bytes.chunks_exact(6).map(compact_peer));
    }

    fn add_compact6(&mut self, bytes: Option<&[u8]>) {
        let bytes = bytes.filter(|bytes| bytes.len() % 18 == 0).unwrap_or_default();
        self.add_all(bytes.chunks_exact(18).map(compact_peer6));
    }

    /// `peers` as a list of dictionaries. Names instead of addresses are left out: we look up
    /// trackers for a tracker's sake, not strangers.
    fn add_list(&mut self, list: Option<List<'_>>) {
        let items = list.into_iter().flatten();
        self.add_all(items.map(|item| listed_peer(item.dict()?)));
    }

    fn add_all(&mut self, found: impl Iterator<Item = Option<SocketAddr>>) {
        for addr in found.flatten() {
            if self.list.len() == REPLY_PEERS_MAX {
                return;
            }
            if can_be_peer(addr) && self.seen.insert(addr) {
                self.list.push(addr);
            }
        }
    }
}

/// A peer in the form of BEP 23, of six bytes.
pub fn compact_peer(bytes: &[u8]) -> Option<SocketAddr> {
    let (ip, port) = bytes.split_first_chunk::<4>()?;
    let port = u16::from_be_bytes(port.try_into().ok()?);
    Some(SocketAddr::new(Ipv4Addr::from(*ip).into(), port))
}

/// A peer in the form of BEP 7, of eighteen bytes.
pub fn compact_peer6(bytes: &[u8]) -> Option<SocketAddr> {
    let (ip, port) = bytes.split_first_chunk::<16>()?;
    let port = u16::from_be_bytes(port.try_into().ok()?);
    Some(SocketAddr::new(Ipv6Addr::from(*ip).to_canonical(), port))
}

fn listed_peer(dict: Dict<'_>) -> Option<SocketAddr> {
    let ip = std::str::from_utf8(dict.get("ip")?.bytes()?).ok()?;
    let ip: IpAddr = ip.parse().ok()?;
    let port = u16::try_from(dict.get("port")?.int()?).ok()?;
    Some(SocketAddr::new(ip.to_canonical(), port))
}

/// Whether one host could listen there.
fn can_be_peer(addr: SocketAddr) -> bool {
    let ip_fits = match addr.ip() {
        // "This network" below, multicast, reserved and broadcast above.
        IpAddr::V4(ip) => (1..224).contains(&ip.octets()[0]),
        IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_multicast(),
    };
    ip_fits && addr.port() != 0
}

/// Four or sixteen raw bytes (BEP 24).
fn raw_ip(bytes: &[u8]) -> Option<IpAddr> {
    if let Ok(ip) = <[u8; 4]>::try_from(bytes) {
        return Some(Ipv4Addr::from(ip).into());
    }
    let ip = <[u8; 16]>::try_from(bytes).ok()?;
    Some(Ipv6Addr::from(ip).to_canonical())
}
