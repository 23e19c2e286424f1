//! Queries: percent-coding, `key=value&…`, and the URLs of trackers.
//!
//! An announce is a GET whose parameters are percent-coded bytes, the 20 bytes of the info-hash
//! among them. A tracker's URL comes out of a torrent file, so anybody may have written it; what
//! leaves `TrackerUrl::parse` holds visible ASCII only and can be put into a request line.
//!
//! ```text
//!  http://tracker.example:6969/announce?passkey=abc
//!  └scheme┘└────host─────┘└port┘└─path_and_query──┘
//! ```
//!
//! # Why
//! A raw `+` in a query is a blank: what codes a blank like this (HTML forms, and scripts that use
//! a form's encoder) codes a plus as `%2B`, and every client writes `%2B` too.
//!
//! # Spec
//! RFC 3986 (URIs); BEP 3, "trackers"; BEP 48 for the scrape URL.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use super::Malformed;
use super::find::cut;
use crate::base::limits::URL_BYTES_MAX;

/// Where a tracker is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrackerUrl {
    pub scheme: Scheme,
    /// A name or an IPv4 address, in lower case; or an IPv6 address without its brackets.
    pub host: String,
    /// At least 1.
    pub port: u16,
    /// Begins with `/`; visible ASCII, percent-coded as it came.
    pub path_and_query: String,
}

/// How a tracker is spoken to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scheme {
    Http,
    Https,
    Udp,
}

impl TrackerUrl {
    /// Reads the URL of a tracker that shall be asked.
    ///
    /// Malformed: as `parse_any`; https, which we do not speak; and a query that already says what
    /// we would say (`info_hash`, `event`): somebody wants our announce to mean another
    /// thing.
    pub fn parse(text: &str) -> Result<TrackerUrl, Malformed> {
        let url = TrackerUrl::parse_any(text)?;
        if url.scheme != Scheme::Udp {
            url.check_http()?;
        }
        for (key, _) in pairs(url.query()) {
            let key = decode(key.as_bytes()).unwrap_or_default();
            if key == b"info_hash" || key == b"event" {
                return Err(Malformed::new("the URL already says what an announce says", 0));
            }
        }
        Ok(url)
    }

    /// The same, of a tracker that must be spoken to over HTTP: it shall show pages.
    pub fn parse_http(text: &str) -> Result<TrackerUrl, Malformed> {
        let url = TrackerUrl::parse(text)?;
        url.check_http()?;
        Ok(url)
    }

    /// Reads the URL of a tracker that somebody may ask: any scheme that trackers have.
    ///
    /// Malformed: another scheme, a character that does not belong in a URL, no host, a port that
    /// is none, a name and password, more than `URL_BYTES_MAX` bytes.
    pub fn parse_any(text: &str) -> Result<TrackerUrl, Malformed> {
        if text.len() > URL_BYTES_MAX {
            return Err(Malformed::new("the URL is too long", URL_BYTES_MAX));
        }
        if let Some(at) = text.bytes().position(|byte| !byte.is_ascii_graphic()) {
            return Err(Malformed::new("a blank, control or non-ASCII character in a URL", at));
        }
        let (scheme, after) = parse_scheme(text)?;
        let rest = &text[after..];
        let authority_len = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at(authority_len);
        let (host, port) =
            parse_authority(authority, scheme).map_err(|what| Malformed::new(what, after))?;
        Ok(TrackerUrl { scheme, host, port, path_and_query: rooted(tail) })
    }

    /// The URL that a redirect from this one leads to.
    ///
    /// `location`: a whole URL, or one that begins with `//` (same scheme) or `/` (same host).
    /// It is taken as it is: it may hold the announce's query, and usually does.
    pub fn join(&self, location: &str) -> Result<TrackerUrl, Malformed> {
        let url = if location.starts_with("//") {
            TrackerUrl::parse_any(&format!("http:{location}"))?
        } else if location.starts_with('/') {
            TrackerUrl::parse_any(&format!("http://{}{location}", self.host_header()))?
        } else {
            TrackerUrl::parse_any(location)?
        };
        url.check_http()?;
        Ok(url)
    }

    /// The URL to scrape (BEP 48): `announce`, where the last part of the path begins with it,
    /// becomes `scrape`. `None`: this tracker cannot be scraped.
    pub fn scrape(&self) -> Option<TrackerUrl> {
        let path = self.path();
        let last = path.rfind('/')? + 1;
        let rest = path[last..].strip_prefix("announce")?;
        let query = &self.path_and_query[path.len()..];
        let path_and_query = format!("{}scrape{rest}{query}", &path[..last]);
        Some(TrackerUrl { path_and_query, ..self.clone() })
    }

    /// The path of another page of the same tracker: `/torrents` beside `/announce`.
    ///
    /// `page`: begins with `/`. The query is left out: a passkey in it is the announce's.
    pub fn beside(&self, page: &str) -> String {
        let path = self.path();
        let last = path.rfind('/').map_or(0, |slash| slash + 1);
        let is_announce = path[last..].starts_with("announce");
        let root = if is_announce { &path[..last] } else { path };
        format!("{}{page}", root.trim_end_matches('/'))
    }

    /// Whether we may ask this tracker at `addr`, which is what its host resolved to.
    ///
    /// `sent_by`: the address of the server that redirected us, if one did. A torrent's author
    /// must not be able to make us send requests to the services of our own host and network: so
    /// loopback and link-local addresses only if the path is a tracker's, and never from a public
    /// address to one that is not. A datagram that asks for a connection id says nothing that the
    /// author chose.
    pub fn may_be_asked_at(&self, addr: IpAddr, sent_by: Option<IpAddr>) -> Result<(), Malformed> {
        let addr = addr.to_canonical();
        if addr.is_unspecified() || addr.is_multicast() || is_broadcast(addr) {
            return Err(Malformed::new("no host has such an address", 0));
        }
        if sent_by.is_some_and(|from| !is_private(from)) && is_private(addr) {
            return Err(Malformed::new("a redirect from a public to a private address", 0));
        }
        let path = self.path();
        let is_tracker = self.scheme == Scheme::Udp
            || path.starts_with("/announce")
            || path.starts_with("/scrape");
        if is_own(addr) && !is_tracker {
            return Err(Malformed::new("a local address whose path is not /announce", 0));
        }
        Ok(())
    }

    /// Whether we may fetch a torrent's files from this server at `addr`.
    ///
    /// As with trackers, a torrent's author must not be able to make us talk to the services of
    /// our own host and network: those are asked for plain files only, which a query is not.
    pub fn may_seed_at(&self, addr: IpAddr, sent_by: Option<IpAddr>) -> Result<(), Malformed> {
        let addr = addr.to_canonical();
        if addr.is_unspecified() || addr.is_multicast() || is_broadcast(addr) {
            return Err(Malformed::new("no host has such an address", 0));
        }
        if sent_by.is_some_and(|from| !is_private(from)) && is_private(addr) {
            return Err(Malformed::new("a redirect from a public to a private address", 0));
        }
        if is_private(addr) && self.path_and_query.contains('?') {
            return Err(Malformed::new("a query for a local server", 0));
        }
        Ok(())
    }

    /// What the `Host` header says: the port only if it is not the usual one.
    pub fn host_header(&self) -> String {
        let host = self.bracketed_host();
        if Some(self.port) == self.scheme.usual_port() {
            return host;
        }
        format!("{host}:{}", self.port)
    }

    pub fn path(&self) -> &str {
        self.path_and_query.split_once('?').map_or(&self.path_and_query, |(path, _)| path)
    }

    /// What follows the first `?`; empty if nothing does.
    pub fn query(&self) -> &str {
        self.path_and_query.split_once('?').map_or("", |(_, query)| query)
    }

    fn bracketed_host(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }

    fn check_http(&self) -> Result<(), Malformed> {
        match self.scheme {
            Scheme::Http => Ok(()),
            Scheme::Https => Err(Malformed::new("https is not spoken here, only plain http", 0)),
            Scheme::Udp => Err(Malformed::new("udp trackers answer announces alone", 0)),
        }
    }
}

impl Scheme {
    /// The port of a URL that says none; `None` if it must say one.
    fn usual_port(self) -> Option<u16> {
        match self {
            Scheme::Http => Some(80),
            Scheme::Https => Some(443),
            Scheme::Udp => None,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scheme::Http => "http",
            Scheme::Https => "https",
            Scheme::Udp => "udp",
        })
    }
}

impl fmt::Display for TrackerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme, self.host_header(), self.path_and_query)
    }
}

/// The `key=value` pairs of a query, still percent-coded. A key without `=` has an empty value;
/// empty pairs are stepped over.
pub fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = query;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches('&');
        let (pair, after) = cut(rest, b'&').unwrap_or((rest, ""));
        rest = after;
        (!pair.is_empty()).then(|| cut(pair, b'=').unwrap_or((pair, "")))
    })
}

/// Decodes into `place`. Returns how many bytes it became.
///
/// `None`: a `%` that two hexadecimal digits do not follow, or more bytes than `place` holds.
pub fn decode_into(coded: &[u8], place: &mut [u8]) -> Option<usize> {
    let mut len = 0;
    let mut rest = coded;
    while let [first, after @ ..] = rest {
        let byte = match (*first, after) {
            (b'%', [high, low, ..]) => hex_pair(*high, *low)?,
            (b'%', _) => return None,
            (b'+', _) => b' ',
            (plain, _) => plain,
        };
        rest = if *first == b'%' { &after[2..] } else { after };
        *place.get_mut(len)? = byte;
        len += 1;
    }
    Some(len)
}

/// Decodes to bytes of their own; they are never more than the coded ones. `None`: as above.
pub fn decode(coded: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = vec![0; coded.len()];
    let len = decode_into(coded, &mut bytes)?;
    bytes.truncate(len);
    Some(bytes)
}

/// Decodes exactly `N` bytes. `None`: a broken code, or another number of bytes.
pub fn decode_exactly<const N: usize>(coded: &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    (decode_into(coded, &mut bytes)? == N).then_some(bytes)
}

/// Appends `bytes` percent-coded: all but letters, digits and `-._~` as `%XX`.
pub fn encode(bytes: &[u8], out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for &byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(DIGITS[usize::from(byte >> 4)]));
            out.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
}

/// The scheme and how many bytes it takes with its `://`.
fn parse_scheme(text: &str) -> Result<(Scheme, usize), Malformed> {
    let Some((name, _)) = text.split_once("://") else {
        return Err(Malformed::new("not a URL of http://, https:// or udp://", 0));
    };
    let scheme = match name.to_ascii_lowercase().as_str() {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        "udp" => Scheme::Udp,
        _ => return Err(Malformed::new("not a URL of http://, https:// or udp://", 0)),
    };
    Ok((scheme, name.len() + "://".len()))
}

/// Host and port of the part between `://` and the path.
fn parse_authority(authority: &str, scheme: Scheme) -> Result<(String, u16), &'static str> {
    if authority.contains('@') {
        return Err("a URL with a name and password is not supported");
    }
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or("an IPv6 address without its ]")?;
            let host: Ipv6Addr = host.parse().map_err(|_| "not an IPv6 address in the brackets")?;
            (host.to_string(), port)
        }
        None => {
            let end = authority.find(':').unwrap_or(authority.len());
            let (host, port) = authority.split_at(end);
            (parse_host(host)?, port)
        }
    };
    Ok((host, parse_port(port, scheme)?))
}

/// A host name as names are in practice: RFC 1123, and the underscore that people use.
fn parse_host(host: &str) -> Result<String, &'static str> {
    const HOST_BYTES_MAX: usize = 253;
    if host.is_empty() {
        return Err("a URL without a host");
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if host.len() > HOST_BYTES_MAX || !host.bytes().all(is_plain) {
        return Err("not a host name");
    }
    Ok(host.to_ascii_lowercase())
}

/// `:port`, or nothing where the scheme has a usual one.
fn parse_port(text: &str, scheme: Scheme) -> Result<u16, &'static str> {
    match text.strip_prefix(':') {
        None if !text.is_empty() => Err("something between host and path"),
        None | Some("") => scheme.usual_port().ok_or("a udp URL without a port"),
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            let port = digits.parse().unwrap_or(0);
            if port == 0 { Err("not a port") } else { Ok(port) }
        }
        Some(_) => Err("not a port"),
    }
}

/// Path and query with a `/` in front, without the fragment, which is never sent.
fn rooted(tail: &str) -> String {
    let tail = tail.split('#').next().unwrap_or_default();
    if tail.starts_with('/') { tail.to_owned() } else { format!("/{tail}") }
}

/// An address of this host or of this link alone.
fn is_own(addr: IpAddr) -> bool {
    match addr.to_canonical() {
        IpAddr::V4(addr) => addr.is_loopback() || addr.is_link_local(),
        IpAddr::V6(addr) => addr.is_loopback() || addr.is_unicast_link_local(),
    }
}

/// An address that cannot be reached from everywhere.
fn is_private(addr: IpAddr) -> bool {
    let addr = addr.to_canonical();
    is_own(addr)
        || match addr {
            // RFC 6598: the addresses between a carrier and its customers.
            IpAddr::V4(addr) => {
                let [first, second, ..] = addr.octets();
                addr.is_private() || (first == 100 && second & 0xc0 == 64)
            }
            IpAddr::V6(addr) => addr.is_unique_local(),
        }
}

fn is_broadcast(addr: IpAddr) -> bool {
    matches!(addr, IpAddr::V4(addr) if addr.is_broadcast())
}

/// The byte that two hexadecimal digits stand for.
pub fn hex_pair(high: u8, low: u8) -> Option<u8> {
    let (high, low) = (HEX[usize::from(high)], HEX[usize::from(low)]);
    (high < 16 && low < 16).then_some(high << 4 | low)
}

/// The value of each byte as a hexadecimal digit; 0xff for all that are none.
const HEX: [u8; 256] = {
    let mut table = [0xff; 256];
    let mut digit = 0;
    while digit < 16 {
        table[b"0123456789abcdef"[digit] as usize] = digit as u8;
        table[b"0123456789ABCDEF"[digit] as usize] = digit as u8;
        digit += 1;
    }
    table
};
