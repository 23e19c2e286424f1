//! Magnet: a link that names a torrent by its info-hash.
//!
//! ```text
//!  magnet:?xt=urn:btih:<40 hex or 32 base32 digits>&dn=<name>&tr=<tracker>&x.pe=<addr>
//! ```
//!
//! Only `xt` must be there and must be right. Everything else helps to find the torrent or
//! describes it, so what is odd is left out alone.
//!
//! # Interface
//! `Magnet::parse` reads; `to_string` writes. A link says nothing about pieces and files: those
//! come from peers, and prove themselves by the info-hash.
//!
//! # Limits
//! `MAGNET_BYTES_MAX`, `TRACKERS_MAX`, `URL_BYTES_MAX`, `NAME_BYTES_MAX`.
//!
//! # Spec
//! BEP 9, "magnet URI format"; BEP 53, `so`; RFC 4648, section 6, base32.

use std::fmt;
use std::net::SocketAddr;

use super::endpoint::{Endpoint, is_near};
use super::metainfo::Metainfo;
use super::query::{self, Scheme, TrackerUrl};
use super::tiers::Tiers;
use super::warnings::Warnings;
use super::{Malformed, text};
use crate::base::InfoHash;
use crate::base::limits::{
    FILES_MAX, LINK_NAMES_MAX, MAGNET_BYTES_MAX, NAME_BYTES_MAX, TRACKERS_MAX,
};

/// What a link says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Magnet {
    pub info_hash: InfoHash,
    /// Clean for a terminal; at most `NAME_BYTES_MAX` bytes.
    pub name: Option<String>,
    /// The torrent's size, if the link says one.
    pub total_bytes: Option<u64>,
    /// Each is a tier of its own.
    pub trackers: Vec<String>,
    /// URLs of the files on web servers (`ws`).
    pub web_seeds: Vec<String>,
    pub peers: Vec<SocketAddr>,
    /// Peers by the names of their hosts.
    pub named_peers: Vec<Endpoint>,
    /// Ranges of file numbers, both ends included, that the link selects; empty: all files. They
    /// may overlap, and only the torrent knows how many files there are.
    pub select: Vec<(u32, u32)>,
    /// What was left out, one clean line each.
    pub warnings: Vec<String>,
}

/// What to do with peers' addresses of this host and this network.
///
/// A link comes from anywhere; one that names 127.0.0.1 makes whoever clicks it connect to
/// services of their own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LocalPeers {
    Drop,
    Keep,
}

const PREFIX: &str = "magnet:?";

/// The highest file number that a torrent can have.
const FILE_NUMBER_MAX: u32 = FILES_MAX as u32 - 1;

impl Magnet {
    /// Reads a link.
    ///
    /// Malformed: no magnet link, too long, no info-hash or two, or one of version 2 alone.
    pub fn parse(link: &str, local: LocalPeers) -> Result<Magnet, Malformed> {
        if link.len() > MAGNET_BYTES_MAX {
            let what = format!("a link of more than {MAGNET_BYTES_MAX} bytes");
            return Err(Malformed::new(what, MAGNET_BYTES_MAX));
        }
        if !link.get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX)) {
            return Err(Malformed::new("not a magnet link", 0));
        }
        let mut reading = Reading::new(local);
        let mut at = PREFIX.len();
        for pair in link[at..].split('&') {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            // A broken code is no reason to lose the rest; the text stays as it is.
            let value = query::decode(value.as_bytes()).unwrap_or_else(|| value.into());
            reading.take(unnumbered(key), &value, at)?;
            at += pair.len() + 1;
        }
        reading.finish()
    }

    /// The link to a torrent: its info-hash, name, size and trackers.
    pub fn of(metainfo: &Metainfo) -> Magnet {
        Magnet {
            info_hash: metainfo.info_hash,
            name: Some(metainfo.name.clone()),
            total_bytes: Some(metainfo.layout.total_bytes()),
            trackers: metainfo.trackers.concat(),
            web_seeds: metainfo.web_seeds.clone(),
            peers: Vec::new(),
            named_peers: Vec::new(),
            select: Vec::new(),
            warnings: Vec::new(),
        }
    }
}

/// The link as one word.
impl fmt::Display for Magnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}xt=urn:btih:{}", self.info_hash)?;
        if let Some(name) = &self.name {
            write!(f, "&dn={}", encoded(name))?;
        }
        if let Some(bytes) = self.total_bytes {
            write!(f, "&xl={bytes}")?;
        }
        self.trackers.iter().try_for_each(|url| write!(f, "&tr={}", encoded(url)))?;
        self.web_seeds.iter().try_for_each(|url| write!(f, "&ws={}", encoded(url)))?;
        self.peers.iter().try_for_each(|peer| write!(f, "&x.pe={peer}"))?;
        self.named_peers.iter().try_for_each(|peer| write!(f, "&x.pe={peer}"))?;
        for (number, (first, last)) in self.select.iter().enumerate() {
            f.write_str(if number == 0 { "&so=" } else { "," })?;
            write!(f, "{first}")?;
            if last > first {
                write!(f, "-{last}")?;
            }
        }
        Ok(())
    }
}

/// A link half read.
struct Reading {
    local: LocalPeers,
    info_hash: Option<InfoHash>,
    /// Whether a version 2 hash was there.
    version_2: bool,
    name: Option<String>,
    total_bytes: Option<u64>,
    trackers: Tiers,
    web_seeds: Vec<String>,
    peers: Vec<SocketAddr>,
    named_peers: Vec<Endpoint>,
    select: Vec<(u32, u32)>,
    warnings: Warnings,
}

impl Reading {
    fn new(local: LocalPeers) -> Reading {
        Reading {
            local,
            info_hash: None,
            version_2: false,
            name: None,
            total_bytes: None,
            trackers: Tiers::default(),
            web_seeds: Vec::new(),
            peers: Vec::new(),
            named_peers: Vec::new(),
            select: Vec::new(),
            warnings: Warnings::default(),
        }
    }

    /// Takes one parameter, decoded; it stands at byte `at`.
    fn take(&mut self, key: &str, value: &[u8], at: usize) -> Result<(), Malformed> {
        match key {
            "xt" => self.take_topic(value, at)?,
            "dn" => self.name = clean_name(value).or(self.name.take()),
            "xl" => self.total_bytes = parse_number(value).or(self.total_bytes),
            "tr" => {
                self.trackers.begin();
                self.trackers.add(value, &mut self.warnings);
            }
            "ws" => self.take_web_seed(value),
            "x.pe" => self.take_peer(value),
            "so" => self.select.extend(value.split(|&byte| byte == b',').filter_map(parse_range)),
            // Links carry keys of other networks too.
            _ => {}
        }
        Ok(())
    }

    fn take_topic(&mut self, value: &[u8], at: usize) -> Result<(), Malformed> {
        let Ok(topic) = str::from_utf8(value) else {
            return Ok(());
        };
        if strip_prefix(topic, "urn:btmh:").is_some() {
            self.version_2 = true;
        }
        let Some(digits) = strip_prefix(topic, "urn:btih:") else {
            return Ok(());
        };
        let info_hash = InfoHash::parse_hex(digits)
            .or_else(|| parse_base32(digits))
            .ok_or_else(|| Malformed::new("an info-hash has 40 hex or 32 base32 digits", at))?;
        match self.info_hash.replace(info_hash) {
            Some(other) if other != info_hash => {
                Err(Malformed::new("two different info-hashes", at))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn take_web_seed(&mut self, value: &[u8]) {
        let url = str::from_utf8(value).unwrap_or_default();
        let is_web = TrackerUrl::parse_any(url).is_ok_and(|url| url.scheme != Scheme::Udp);
        if is_web && self.web_seeds.len() < TRACKERS_MAX {
            self.web_seeds.push(url.to_string());
        }
    }

    fn take_peer(&mut self, value: &[u8]) {
        let text = str::from_utf8(value).unwrap_or_default();
        let said = text.parse::<SocketAddr>().ok();
        // A name is judged by what it stands for, once that is known.
        if let Some(named) = Endpoint::parse(text).filter(|_| said.is_none())
            && self.named_peers.len() < LINK_NAMES_MAX
        {
            let is_new = !self.named_peers.contains(&named);
            return self.named_peers.extend(is_new.then_some(named));
        }
        let peer = said.filter(|peer| can_be_called(*peer, self.local));
        match peer {
            Some(peer) if self.peers.contains(&peer) => {}
            Some(peer) if self.peers.len() < TRACKERS_MAX => self.peers.push(peer),
            Some(_) | None => {
                self.warnings.push(|| format!("peer {:?} ignored", text::clean_to(value, 60)));
            }
        }
    }

    fn finish(mut self) -> Result<Magnet, Malformed> {
        let Some(info_hash) = self.info_hash else {
            let what = if self.version_2 {
                "a link to a version 2 torrent; only version 1 is supported"
            } else {
                "no info-hash (`xt=urn:btih:…`)"
            };
            return Err(Malformed::new(what, 0));
        };
        Ok(Magnet {
            info_hash,
            name: self.name,
            total_bytes: self.total_bytes,
            trackers: self.trackers.finish(&mut self.warnings).concat(),
            web_seeds: self.web_seeds,
            peers: self.peers,
            named_peers: self.named_peers,
            select: self.select,
            warnings: self.warnings.into_lines(),
        })
    }
}

/// `tr.1` is another `tr`: some programs number what comes more than once.
fn unnumbered(key: &str) -> &str {
    match key.rsplit_once('.') {
        Some((name, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => name,
        Some(_) | None => key,
    }
}

/// What follows `prefix`, which may be in either case.
fn strip_prefix<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let start = text.get(..prefix.len())?;
    start.eq_ignore_ascii_case(prefix).then(|| &text[prefix.len()..])
}

/// 32 digits of five bits each, `A`–`Z` and `2`–`7` in either case.
fn parse_base32(digits: &str) -> Option<InfoHash> {
    if digits.len() != 32 {
        return None;
    }
    let mut bytes = [0; 20];
    for (five, eight) in bytes.chunks_exact_mut(5).zip(digits.as_bytes().chunks_exact(8)) {
        let mut bits = 0u64;
        for digit in eight {
            let value = match digit {
                b'A'..=b'Z' => digit - b'A',
                b'a'..=b'z' => digit - b'a',
                b'2'..=b'7' => digit - b'2' + 26,
                _ => return None,
            };
            bits = bits << 5 | u64::from(value);
        }
        five.copy_from_slice(&bits.to_be_bytes()[3..]);
    }
    Some(InfoHash(bytes))
}

fn clean_name(value: &[u8]) -> Option<String> {
    let mut name = text::clean_to(value, NAME_BYTES_MAX);
    while name.len() > NAME_BYTES_MAX {
        name.pop();
    }
    Some(name).filter(|name| !name.is_empty())
}

/// A size in decimal digits alone, below 2^63.
fn parse_number(value: &[u8]) -> Option<u64> {
    let digits = str::from_utf8(value).ok().filter(|text| !text.starts_with('+'))?;
    digits.parse().ok().filter(|&number| i64::try_from(number).is_ok())
}

/// `7` or `2-5`, clamped to the numbers that a file can have; `None` for anything else.
fn parse_range(value: &[u8]) -> Option<(u32, u32)> {
    let dash = value.iter().position(|&byte| byte == b'-').unwrap_or(value.len());
    let first = parse_number(&value[..dash])?;
    let last = if dash < value.len() { parse_number(&value[dash + 1..])? } else { first };
    let first = u32::try_from(first).ok().filter(|&first| first <= FILE_NUMBER_MAX)?;
    let last = u32::try_from(last).unwrap_or(u32::MAX).min(FILE_NUMBER_MAX);
    (first <= last).then_some((first, last))
}

/// Whether a link may make us connect there.
fn can_be_called(peer: SocketAddr, local: LocalPeers) -> bool {
    let ip = peer.ip().to_canonical();
    if peer.port() == 0 || ip.is_unspecified() || ip.is_multicast() {
        return false;
    }
    !is_near(ip) || local == LocalPeers::Keep
}

fn encoded(text: &str) -> String {
    let mut out = String::new();
    query::encode(text.as_bytes(), &mut out);
    out
}

const _: () = assert!(FILES_MAX < u32::MAX as usize);
