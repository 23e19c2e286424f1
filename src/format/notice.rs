//! Notices: what a peer calls out to its local network, and what it hears there.
//!
//! ```text
//!  BT-SEARCH * HTTP/1.1 ⏎
//!  Host: 239.192.152.143:6771 ⏎            the group that it is sent to
//!  Port: 6881 ⏎                            where the sender listens, at the address it sends from
//!  Infohash: 40 hexadecimal digits ⏎       one for each torrent that it takes part in
//!  cookie: 5b21d0c3 ⏎                      by which the sender knows its own notices
//!  ⏎
//!  ⏎
//! ```
//! It looks like HTTP and is one datagram. Anybody in the network can send one, saying anything.
//!
//! # Limits
//! `NOTICE_BYTES_MAX`, `NOTICE_HASHES_MAX`. An info-hash that is none is passed over alone, as are
//! headers that nobody knows; without a port there is nobody to call.
//!
//! # Spec
//! BEP 14.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::malformed::Malformed;
use crate::base::InfoHash;
use crate::base::limits::{NOTICE_BYTES_MAX, NOTICE_HASHES_MAX};

/// The groups that notices are sent to, in each family.
pub const GROUPS: [SocketAddr; 2] = [
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(239, 192, 152, 143)), 6771),
    SocketAddr::new(IpAddr::V6(Ipv6Addr::new(0xff15, 0, 0, 0, 0, 0, 0xefc0, 0x988f)), 6771),
];

/// What somebody called out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Notice<'b> {
    /// Where they take connections; not 0.
    pub port: u16,
    /// The torrents that they take part in; at least one, at most `NOTICE_HASHES_MAX`.
    pub info_hashes: Vec<InfoHash>,
    pub cookie: Option<&'b [u8]>,
}

impl<'b> Notice<'b> {
    /// Reads one datagram.
    pub fn parse(bytes: &'b [u8]) -> Result<Notice<'b>, Malformed> {
        if bytes.len() > NOTICE_BYTES_MAX {
            let what = format!("{} bytes, more than a notice has", bytes.len());
            return Err(Malformed::new(what, NOTICE_BYTES_MAX));
        }
        let mut lines = Lines { bytes, at: 0 };
        match lines.next() {
            Some((_, line)) if line == FIRST_LINE => {}
            Some(_) | None => return Err(Malformed::new("not a notice", 0)),
        }
        let (mut port, mut info_hashes, mut cookie) = (None, Vec::new(), None);
        loop {
            let Some((at, line)) = lines.next() else {
                return Err(Malformed::new("the notice has no end", bytes.len()));
            };
            if line.is_empty() {
                break;
            }
            let Some((name, value)) = header(line) else { continue };
            if name.eq_ignore_ascii_case(b"port") {
                let said = number(value).filter(|_| port.is_none());
                port = Some(said.ok_or_else(|| Malformed::new("not one port", at))?);
            } else if name.eq_ignore_ascii_case(b"infohash") {
                let text = std::str::from_utf8(value).ok();
                let info_hash = text.and_then(InfoHash::parse_hex);
                let is_new = |hash: &InfoHash| !info_hashes.contains(hash);
                let has_room = info_hashes.len() < NOTICE_HASHES_MAX;
                info_hashes.extend(info_hash.filter(|hash| has_room && is_new(hash)));
            } else if name.eq_ignore_ascii_case(b"cookie") {
                cookie = Some(value);
            }
        }
        let port = port.ok_or_else(|| Malformed::new("no port", bytes.len()))?;
        if info_hashes.is_empty() {
            return Err(Malformed::new("no info-hash", bytes.len()));
        }
        Ok(Notice { port, info_hashes, cookie })
    }

    /// Appends the notice, as it is sent to `group`.
    pub fn write(&self, group: SocketAddr, out: &mut Vec<u8>) {
        out.extend(FIRST_LINE);
        // Writing to a vector cannot fail.
        let _ = write!(out, "\r\nHost: {group}\r\nPort: {}\r\n", self.port);
        for info_hash in &self.info_hashes {
            let _ = write!(out, "Infohash: {info_hash}\r\n");
        }
        if let Some(cookie) = self.cookie {
            out.extend(b"cookie: ");
            out.extend(cookie);
            out.extend(b"\r\n");
        }
        out.extend(b"\r\n\r\n");
    }
}

const FIRST_LINE: &[u8] = b"BT-SEARCH * HTTP/1.1";

/// Lines that have come to their end, with where they begin.
struct Lines<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Iterator for Lines<'b> {
    type Item = (usize, &'b [u8]);

    fn next(&mut self) -> Option<(usize, &'b [u8])> {
        let (at, rest) = (self.at, &self.bytes[self.at..]);
        let end = rest.iter().position(|&byte| byte == b'\n')?;
        self.at += end + 1;
        let line = &rest[..end];
        Some((at, line.strip_suffix(b"\r").unwrap_or(line)))
    }
}

/// Name and value of a header, without blanks around them.
fn header(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    Some((line[..colon].trim_ascii(), line[colon + 1..].trim_ascii()))
}

/// A port: digits alone, and not 0.
fn number(value: &[u8]) -> Option<u16> {
    let digits = std::str::from_utf8(value).ok()?;
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|&port| is_plain && port != 0)
}
