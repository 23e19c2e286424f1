//! HTTP heads ⇄ values: `Done`, `More` or `Bad`.
//!
//! A request is read out of the bytes that have come so far. If they do not suffice, the answer is
//! `More`: keep the bytes, add what comes next, ask again. Nothing is copied; what `Done` returns
//! borrows from the caller's buffer.
//!
//! ```text
//!  GET /announce?info_hash=… HTTP/1.1 ⏎      the request line, at most REQUEST_LINE_BYTES_MAX
//!  Host: tracker.example ⏎                   headers, at most REQUEST_HEADERS_MAX
//!  Connection: close ⏎
//!  ⏎                                         line and headers: at most REQUEST_HEAD_BYTES_MAX
//!  body, if there is a Content-Length        at most REQUEST_BODY_BYTES_MAX, or what `admit` says
//! ```
//!
//! # Interface
//! One `Scan` per connection goes with the buffer. It remembers what earlier calls have seen, so a
//! sender of one byte at a time costs a look at each byte and two readings of the head, not a
//! reading per byte. After `Done`, drop `used` bytes from the buffer: what follows is the next
//! request. After `Bad`, answer with that status (`write_refusal`) and close.
//!
//! # Why
//! Lines may end in LF alone, because people type requests by hand; anything else that is unusual
//! is refused, because two readings of one request are how requests get smuggled. A missing `Host`
//! is no fault here: a tracker has one name only.
//!
//! # Spec
//! RFC 9112 (HTTP/1.1 messages), RFC 9110 (statuses).

pub mod range;
mod response;

use std::io::Write as _;

use super::decimal;
use super::find::{cut, find};
use super::query::TrackerUrl;
use crate::base::limits::{
    REQUEST_BODY_BYTES_MAX, REQUEST_HEAD_BYTES_MAX, REQUEST_HEADERS_MAX, REQUEST_LINE_BYTES_MAX,
};

pub use response::{Progress, Response};

/// One request, borrowed from the bytes it came in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Request<'b> {
    pub method: &'b str,
    /// Path and query as sent, percent-coded; begins with `/` (or is `*`, for OPTIONS).
    pub target: &'b str,
    /// Whether they want to send another request on this connection.
    pub keep_alive: bool,
    pub headers: Headers<'b>,
    pub body: &'b [u8],
}

/// The header lines of a head that has been checked: every line is `name: value`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Headers<'b> {
    lines: &'b [u8],
}

/// How far the bytes of one connection have been looked at; `Scan::default()` for a new one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Scan {
    /// No head ends within this many bytes.
    looked: usize,
    /// Where the line feed of the request line is, once it has come.
    line_end: Option<usize>,
    /// The offset after the head, once that has come whole.
    head_end: Option<usize>,
    /// Bytes of the whole request, head and body, once its head has been read.
    whole: usize,
}

/// What the bytes so far amount to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Parsed<'b> {
    /// A whole request; `used` bytes of the buffer are spent on it.
    Done { request: Request<'b>, used: usize },
    /// It is fine so far, and not at its end.
    More,
    /// It will never be a request that we serve. Answer with this status and close.
    Bad(Status),
}

/// The statuses that this program says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    Ok,
    Created,
    BadRequest,
    Unauthorized,
    /// It is understood, and not for whoever sent it.
    Forbidden,
    NotFound,
    MethodNotAllowed,
    /// The request did not come to its end in time.
    RequestTimeout,
    Conflict,
    /// A body without `Content-Length`.
    LengthRequired,
    ContentTooLarge,
    UriTooLong,
    UnsupportedMediaType,
    /// `Host` names somebody else.
    MisdirectedRequest,
    TooManyRequests,
    HeadersTooLarge,
    /// There is no place for one more connection.
    ServiceUnavailable,
    VersionNotSupported,
    InsufficientStorage,
}

/// The head of a response of ours, but for the length of its body.
#[derive(Clone, Copy, Debug)]
pub struct ResponseHead<'a> {
    pub status: Status,
    pub content_type: &'a str,
    pub keep_alive: bool,
    /// Further headers: name and value, which must hold no line ends.
    pub extra: &'a [(&'a str, &'a str)],
}

impl<'b> Request<'b> {
    /// Reads one request from the beginning of `buffer`.
    ///
    /// `scan`: what earlier calls found in the same bytes; it is reset with `Done`. The outcome
    /// does not depend on how the bytes were cut.
    pub fn parse(buffer: &'b [u8], scan: &mut Scan) -> Parsed<'b> {
        Request::parse_admitted(buffer, scan, |_| Ok(REQUEST_BODY_BYTES_MAX))
    }

    /// The same, where `admit` says how many bytes the body of this request may have.
    ///
    /// It is asked once the head has come, which is all that it is shown, and before anything of
    /// the body is waited for; and again when the body is whole. A request without a body is not
    /// asked about. Whatever status it refuses with is what the request is `Bad` for.
    pub fn parse_admitted(
        buffer: &'b [u8],
        scan: &mut Scan,
        admit: impl FnOnce(&Request<'b>) -> Result<usize, Status>,
    ) -> Parsed<'b> {
        match parse_request(buffer, scan, admit) {
            Ok(Some((request, used))) => {
                *scan = Scan::default();
                Parsed::Done { request, used }
            }
            Ok(None) => Parsed::More,
            Err(status) => Parsed::Bad(status),
        }
    }

    /// A plain GET, as a caller inside this program makes it.
    pub fn get(target: &'b str) -> Request<'b> {
        let headers = Headers::default();
        Request { method: "GET", target, keep_alive: true, headers, body: &[] }
    }

    /// The target before the first `?`.
    pub fn path(&self) -> &'b str {
        self.target.split_once('?').map_or(self.target, |(path, _)| path)
    }

    /// The target after the first `?`; empty if there is none.
    pub fn query(&self) -> &'b str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }
}

impl<'b> Headers<'b> {
    /// The first value of a header; the case of `name` does not matter.
    pub fn get(&self, name: &str) -> Option<&'b [u8]> {
        self.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// All headers in the order they came. Values have no blanks around them.
    pub fn iter(&self) -> impl Iterator<Item = (&'b str, &'b [u8])> + use<'b> {
        lines(self.lines).map_while(parse_header)
    }
}

impl Status {
    pub fn code(self) -> u16 {
        self.parts().0
    }

    /// The words after the number; for people only.
    pub fn reason(self) -> &'static str {
        self.parts().1
    }

    fn parts(self) -> (u16, &'static str) {
        match self {
            Status::Ok => (200, "OK"),
            Status::Created => (201, "Created"),
            Status::BadRequest => (400, "Bad Request"),
            Status::Unauthorized => (401, "Unauthorized"),
            Status::Forbidden => (403, "Forbidden"),
            Status::NotFound => (404, "Not Found"),
            Status::MethodNotAllowed => (405, "Method Not Allowed"),
            Status::RequestTimeout => (408, "Request Timeout"),
            Status::Conflict => (409, "Conflict"),
            Status::LengthRequired => (411, "Length Required"),
            Status::ContentTooLarge => (413, "Content Too Large"),
            Status::UriTooLong => (414, "URI Too Long"),
            Status::UnsupportedMediaType => (415, "Unsupported Media Type"),
            Status::MisdirectedRequest => (421, "Misdirected Request"),
            Status::TooManyRequests => (429, "Too Many Requests"),
            Status::HeadersTooLarge => (431, "Request Header Fields Too Large"),
            Status::ServiceUnavailable => (503, "Service Unavailable"),
            Status::VersionNotSupported => (505, "HTTP Version Not Supported"),
            Status::InsufficientStorage => (507, "Insufficient Storage"),
        }
    }
}

impl ResponseHead<'_> {
    /// Appends the head of a response whose body has `content_bytes` bytes.
    ///
    /// `Connection` is always said: HTTP/1.0 clients that keep connections wait for it.
    pub fn write(&self, content_bytes: usize, out: &mut Vec<u8>) {
        let (code, reason) = self.status.parts();
        let kept = if self.keep_alive { "keep-alive" } else { "close" };
        out.extend_from_slice(b"HTTP/1.1 ");
        decimal::write(code.into(), out);
        say(&[" ", reason, "\r\nContent-Type: ", self.content_type, "\r\nContent-Length: "], out);
        decimal::write(content_bytes as u64, out);
        say(&["\r\nConnection: ", kept, "\r\n"], out);
        for (name, value) in self.extra {
            assert!(!value.bytes().any(|byte| byte.is_ascii_control()), "a header of two lines");
            say(&[name, ": ", value, "\r\n"], out);
        }
        out.extend_from_slice(b"\r\n");
    }
}

/// Appends a whole response to a request that we do not serve: the status, in words, and the end
/// of the connection.
pub fn write_refusal(status: Status, out: &mut Vec<u8>) {
    let body = format!("{} {}\n", status.code(), status.reason());
    let head = ResponseHead { status, content_type: "text/plain", keep_alive: false, extra: &[] };
    head.write(body.len(), out);
    out.extend_from_slice(body.as_bytes());
}

/// Appends the request for `target` to the tracker at `url`.
///
/// `target`: path and query, percent-coded. That it holds no blank and no line end is asserted: a
/// `TrackerUrl` and everything that `Announce` appends to one are coded.
pub fn write_get(url: &TrackerUrl, target: &str, out: &mut Vec<u8>) {
    write_request_head("GET", url, target, out);
    out.extend_from_slice(b"\r\n");
}

/// Appends a request that brings `body` to `target`, as `write_get` does for one without.
pub fn write_post(
    url: &TrackerUrl,
    target: &str,
    content_type: &str,
    body: &[u8],
    out: &mut Vec<u8>,
) {
    write_post_with(url, target, &[("Content-Type", content_type)], body, out);
}

/// The same with headers of one's own: name and value, which hold no control character.
pub fn write_post_with(
    url: &TrackerUrl,
    target: &str,
    headers: &[(&str, &str)],
    body: &[u8],
    out: &mut Vec<u8>,
) {
    write_request_head("POST", url, target, out);
    for (name, value) in headers {
        assert!(!value.bytes().any(|byte| byte.is_ascii_control()), "a header of two lines");
        write!(out, "{name}: {value}\r\n").expect("a vector takes every write");
    }
    write!(out, "Content-Length: {}\r\n\r\n", body.len()).expect("a vector takes every write");
    out.extend_from_slice(body);
}

fn write_request_head(method: &str, url: &TrackerUrl, target: &str, out: &mut Vec<u8>) {
    assert!(target.starts_with('/'), "a target begins at the root: {target:?}");
    assert!(target.bytes().all(|byte| byte.is_ascii_graphic()), "not coded: {target:?}");
    write!(
        out,
        "{method} {target} HTTP/1.1\r\nHost: {}\r\nUser-Agent: swarmlet/{}\r\n\
         Accept-Encoding: identity\r\nConnection: close\r\n",
        url.host_header(),
        env!("CARGO_PKG_VERSION"),
    )
    .expect("a vector takes every write");
}

fn say(words: &[&str], out: &mut Vec<u8>) {
    for word in words {
        out.extend_from_slice(word.as_bytes());
    }
}

/// `Ok(None)` while more is needed; with the bytes used, once it is whole.
fn parse_request<'b>(
    buffer: &'b [u8],
    scan: &mut Scan,
    admit: impl FnOnce(&Request<'b>) -> Result<usize, Status>,
) -> Result<Option<(Request<'b>, usize)>, Status> {
    if buffer.len() < scan.whole {
        return Ok(None);
    }
    // 1. An empty line or two before a request are no fault (RFC 9112, section 2.2).
    let begin = buffer.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count().min(4);
    let Some(&first) = buffer.get(begin) else { return Ok(None) };
    if !is_token(first) {
        // Another protocol (TLS, a peer's handshake): say so before it goes on.
        return Err(Status::BadRequest);
    }
    // 2. The head must end, and soon enough.
    if scan.head_end.is_none() {
        scan.look(buffer, begin)?;
    }
    let (Some(line_end), Some(end)) = (scan.line_end, scan.head_end) else { return Ok(None) };
    // 3. What it says.
    let (head, claimed) = parse_head(&buffer[begin..line_end], &buffer[line_end + 1..end])?;
    // 4. The body.
    let body_bytes = match claimed {
        0 => 0,
        claimed => {
            let bytes_max = admit(&head)?;
            let claimed = usize::try_from(claimed).ok().filter(|&claimed| claimed <= bytes_max);
            claimed.ok_or(Status::ContentTooLarge)?
        }
    };
    scan.whole = end + body_bytes;
    let Some(body) = buffer.get(end..scan.whole) else { return Ok(None) };
    Ok(Some((Request { body, ..head }, scan.whole)))
}

impl Scan {
    /// Looks on for the end of the request line, which is most of a request for us, and from there
    /// for the end of the head. Refuses what is too long, whether its end has come or not.
    fn look(&mut self, buffer: &[u8], begin: usize) -> Result<(), Status> {
        if self.line_end.is_none() {
            let from = self.looked.max(begin);
            self.line_end = find(b'\n', &buffer[from..]).map(|found| from + found);
        }
        let look_on =
            |line_end: usize| find_head_end(buffer, self.looked.saturating_sub(2).max(line_end));
        self.head_end = self.line_end.and_then(look_on);
        self.looked = self.head_end.unwrap_or(buffer.len());
        if self.line_end.unwrap_or(buffer.len()) - begin > REQUEST_LINE_BYTES_MAX {
            return Err(Status::UriTooLong);
        }
        if self.looked - begin > REQUEST_HEAD_BYTES_MAX {
            return Err(Status::HeadersTooLarge);
        }
        Ok(())
    }
}

/// What a request's head says, and how many bytes of body it claims. `line`: without its line feed;
/// `rest`: what follows that, up to the end of the empty line.
fn parse_head<'b>(line: &'b [u8], rest: &'b [u8]) -> Result<(Request<'b>, u64), Status> {
    let (method, target, is_1_0) = parse_request_line(line)?;
    let headers = Headers { lines: rest };
    let framing = Framing::parse(headers)?;
    let keep_alive = framing.keeps(!is_1_0);
    Ok((Request { method, target, keep_alive, headers, body: &[] }, framing.body_bytes()?))
}

/// Method, target, and whether the version is 1.0.
fn parse_request_line(line: &[u8]) -> Result<(&str, &str, bool), Status> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = std::str::from_utf8(line).map_err(|_| Status::BadRequest)?;
    let (method, rest) = cut(line, b' ').ok_or(Status::BadRequest)?;
    // A version with a blank in it is none.
    let (target, version) = cut(rest, b' ').ok_or(Status::BadRequest)?;
    if method.is_empty() || !method.bytes().all(is_token) {
        return Err(Status::BadRequest);
    }
    let is_1_0 = match version.strip_prefix("HTTP/").map(str::as_bytes) {
        Some(b"1.0") => true,
        // A minor version that is newer than ours is spoken like ours.
        Some([b'1', b'.', minor]) if minor.is_ascii_digit() => false,
        Some([major, b'.', minor]) if major.is_ascii_digit() && minor.is_ascii_digit() => {
            return Err(Status::VersionNotSupported);
        }
        Some(_) | None => return Err(Status::BadRequest),
    };
    Ok((method, origin_form(target)?, is_1_0))
}

/// Path and query of a target, which may be a whole URL (as proxies are asked).
fn origin_form(target: &str) -> Result<&str, Status> {
    // No look ends early, so many bytes are looked at in one step.
    if !target.bytes().fold(true, |all, byte| all & byte.is_ascii_graphic()) {
        return Err(Status::BadRequest);
    }
    if target.starts_with('/') || target == "*" {
        return Ok(target);
    }
    let rest = target.strip_prefix("http://").ok_or(Status::BadRequest)?;
    match rest.find(['/', '?']) {
        None => Ok("/"),
        Some(at) if rest[at..].starts_with('/') => Ok(&rest[at..]),
        Some(_) => Err(Status::BadRequest),
    }
}

/// What the headers say about where the message ends and what follows it.
#[derive(Default)]
struct Framing {
    length: Option<u64>,
    is_coded: bool,
    says_close: bool,
    says_keep_alive: bool,
}

impl Framing {
    fn parse(headers: Headers<'_>) -> Result<Framing, Status> {
        let mut framing = Framing::default();
        let mut count = 0;
        for line in lines(headers.lines).take_while(|line| !line.is_empty()) {
            let (name, value) = parse_header(line).ok_or(Status::BadRequest)?;
            count += 1;
            if count > REQUEST_HEADERS_MAX {
                return Err(Status::HeadersTooLarge);
            }
            framing.note(name, value)?;
        }
        Ok(framing)
    }

    fn note(&mut self, name: &str, value: &[u8]) -> Result<(), Status> {
        if name.eq_ignore_ascii_case("content-length") {
            let length = decimal::parse(value).ok_or(Status::BadRequest)?;
            if self.length.replace(length).is_some() {
                return Err(Status::BadRequest);
            }
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            self.is_coded = true;
        } else if name.eq_ignore_ascii_case("connection") {
            self.says_close |= has_word(value, b"close");
            self.says_keep_alive |= has_word(value, b"keep-alive");
        }
        Ok(())
    }

    /// RFC 9112, section 9.3.
    fn keeps(&self, by_default: bool) -> bool {
        !self.says_close && (by_default || self.says_keep_alive)
    }

    /// No request of a tracker's client needs a transfer coding, so none is spoken; with a length
    /// beside it, it is an attempt to be read in two ways.
    fn body_bytes(&self) -> Result<u64, Status> {
        match (self.is_coded, self.length) {
            (true, Some(_)) => Err(Status::BadRequest),
            (true, None) => Err(Status::LengthRequired),
            (false, length) => Ok(length.unwrap_or(0)),
        }
    }
}

/// Finds the end of a head: the offset after the first empty line.
///
/// `from`: not before the first byte of the head, and not after the second-last byte that was
/// looked at before, because an empty line is up to three bytes: LF CR LF.
fn find_head_end(buffer: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(found) = find(b'\n', &buffer[at..]) {
        at += found + 1;
        match &buffer[at..] {
            [b'\n', ..] => return Some(at + 1),
            [b'\r', b'\n', ..] => return Some(at + 2),
            _ => {}
        }
    }
    None
}

/// The lines of a head without their ends, the empty one at the end among them.
fn lines(head: &[u8]) -> impl Iterator<Item = &[u8]> {
    head.split(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line))
}

/// `name: value`. `None` for anything else: an empty line, a name with blanks around it, a line
/// that continues the one before (which HTTP has given up), a control character.
fn parse_header(line: &[u8]) -> Option<(&str, &[u8])> {
    let colon = line.iter().position(|&byte| byte == b':')?;
    let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
    if name.is_empty() || !name.iter().copied().all(is_token) {
        return None;
    }
    if value.iter().any(|&byte| byte.is_ascii_control() && byte != b'\t') {
        return None;
    }
    Some((std::str::from_utf8(name).ok()?, value))
}

/// Whether a comma-separated list holds `word`, in either case.
fn has_word(list: &[u8], word: &[u8]) -> bool {
    list.split(|&byte| byte == b',').any(|item| item.trim_ascii().eq_ignore_ascii_case(word))
}

/// The characters of methods and header names (RFC 9110, "tokens").
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
