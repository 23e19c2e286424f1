//! Ask: one request of a command to a tracker, and the answer.
//!
//! ```text
//!  http://tracker.example/announce ─▶ Site ─▶ get("/torrents?q=film")   ─▶ JSON, or a .torrent
//!                                         └─▶ publish(the .torrent)    ─▶ what became of it
//! ```
//!
//! A command has nothing else to do meanwhile, so this is the plainest client that there is: it
//! connects, writes, and reads until the answer is whole or its time is over. The answer is read
//! by the same machine as those to our announces.
//!
//! # Why
//! What a tracker says about itself is put on a terminal and into files, and anybody may have
//! written it. So JSON is read into types of our own, and every text in it is cleaned on its way
//! to the screen.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use super::Failure;
use super::failure::reason;
use crate::base::limits::{ASK_CONNECT_TIMEOUT, ASK_REPLY_BYTES_MAX, ASK_TIMEOUT, CALL_ADDRS_MAX};
use crate::base::{InfoHash, Span};
use crate::format::http::{self, Progress, Response};
use crate::format::json::{self, FromValue};
use crate::format::listing::Published;
use crate::format::query::{self, TrackerUrl};
use crate::format::text;

/// A tracker that shows more than announces.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Site {
    url: TrackerUrl,
    /// A stranger named it, in a torrent: then it must not lead us into our own network.
    is_named_by_torrent: bool,
}

/// Where a tracker of ours is, unless told otherwise.
pub const DEFAULT_SITE: &str = "http://127.0.0.1:8000";

impl Site {
    /// The tracker at a URL that a person typed: that of its announces, or just its root.
    pub fn parse(typed: &str) -> Result<Site, Failure> {
        let text = if typed.contains("://") { typed.to_owned() } else { format!("http://{typed}") };
        let url = TrackerUrl::parse_http(&text).map_err(|bad| {
            Failure::usage(
                format!("'{typed}' is no tracker's URL: {}", bad.what),
                "it looks like http://tracker.example:8000/announce",
            )
        })?;
        Ok(Site { url, is_named_by_torrent: false })
    }

    /// The tracker at an announce URL out of a .torrent; `None` if it is none that we speak to.
    pub fn of_torrent(announce: &str) -> Option<Site> {
        let url = TrackerUrl::parse_http(announce).ok()?;
        Some(Site { url, is_named_by_torrent: true })
    }

    /// The tracker without a path, for people.
    pub fn name(&self) -> String {
        format!("{}://{}", self.url.scheme, self.url.host_header())
    }

    /// Sends a .torrent to be published.
    pub fn publish(&self, torrent: &[u8]) -> Result<Published, Failure> {
        let mut request = Vec::new();
        let target = self.url.beside("/torrents");
        http::write_post(&self.url, &target, CONTENT_TYPE, torrent, &mut request);
        let response = self.converse(&request)?;
        match response.status() {
            200 | 201 => self.read(response.body()),
            _ => Err(self.refused("does not take it", &response)),
        }
    }

    /// Asks for a page and reads its JSON.
    pub fn get<T: FromValue>(&self, page: &str) -> Result<T, Failure> {
        let body = self.get_bytes(page)?;
        self.read(&body)
    }

    /// Asks for a page.
    pub fn get_bytes(&self, page: &str) -> Result<Vec<u8>, Failure> {
        let mut request = Vec::new();
        http::write_get(&self.url, &self.url.beside(page), &mut request);
        let response = self.converse(&request)?;
        match response.status() {
            200 => Ok(response.body().to_vec()),
            _ => Err(self.refused("does not answer that", &response)),
        }
    }

    fn read<T: FromValue>(&self, body: &[u8]) -> Result<T, Failure> {
        json::read(body).map_err(|_| {
            Failure::new(
                format!("{} does not answer as a tracker of ours does", self.name()),
                "only 'swarmlet tracker' has these pages",
            )
        })
    }

    /// What the tracker said instead of an answer.
    fn refused(&self, what: &str, response: &Response) -> Failure {
        let status = response.status();
        let hint = match status {
            404 | 405 => "is there a library? ('swarmlet tracker --library DIR')",
            413 => "it sets its own limit; a larger --piece-length makes a shorter .torrent",
            429 => "this address published much; it is welcome again within the hour",
            300..400 => "it sends us elsewhere; name that place with --tracker",
            503 | 507 => "try again later, or tell who runs it",
            _ => "",
        };
        let first = response.body().split(|&byte| byte == b'\n').next().unwrap_or_default();
        let said = text::clean_to(first, SAID_CHARS_MAX);
        // A page for browsers says nothing to a person at a terminal.
        let said = if said.starts_with('<') { String::new() } else { format!(": {said}") };
        Failure::new(format!("{} {what} (status {status}){said}", self.name()), hint)
    }

    fn converse(&self, request: &[u8]) -> Result<Response, Failure> {
        let stream = self.connect()?;
        exchange(stream, request, ASK_REPLY_BYTES_MAX).map_err(|why| {
            let message = format!("no answer from {}: {why}", self.name());
            Failure::new(message, "is it a tracker, and does it run?")
        })
    }

    /// Connects to the first address of the tracker that answers.
    fn connect(&self) -> Result<TcpStream, Failure> {
        let name = self.name();
        let addrs = (self.url.host.as_str(), self.url.port).to_socket_addrs().map_err(|_| {
            Failure::new(
                format!("no address is known for {name}"),
                "check the spelling and the network",
            )
        })?;
        let mut last = String::from("its name has no address");
        for addr in addrs.take(CALL_ADDRS_MAX) {
            match self.dial(addr) {
                Ok(stream) => return Ok(stream),
                Err(why) => last = why,
            }
        }
        let message = format!("cannot reach {name}: {last}");
        Err(Failure::new(message, "does it run, and is the port right?"))
    }

    fn dial(&self, addr: SocketAddr) -> Result<TcpStream, String> {
        if self.is_named_by_torrent {
            self.url
                .may_be_asked_at(addr.ip(), None)
                .map_err(|bad| bad.into_what().into_owned())?;
        }
        TcpStream::connect_timeout(&addr, real(ASK_CONNECT_TIMEOUT)).map_err(|error| reason(&error))
    }
}

/// The target's part that asks for one torrent.
pub fn with_hash(page: &str, hash: InfoHash) -> String {
    format!("{page}?info_hash={hash}")
}

/// The page that lists what fits `words`.
pub fn search_page(words: &str, before: Option<u64>) -> String {
    let mut page = String::from("/torrents?q=");
    query::encode(words.as_bytes(), &mut page);
    if let Some(before) = before {
        page.push_str(&format!("&before={before}"));
    }
    page
}

/// Writes a request and reads the response, whose body may have so many bytes.
///
/// Error: what went wrong, in words.
pub(super) fn exchange(
    mut stream: TcpStream,
    request: &[u8],
    body_bytes_max: usize,
) -> Result<Response, String> {
    let end = Instant::now() + real(ASK_TIMEOUT);
    let mut response = Response::with_body_max(body_bytes_max);
    set_timeouts(&stream, end)?;
    // Who is refused by the head alone may not get rid of the body; the answer says why.
    let written = stream.write_all(request);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        set_timeouts(&stream, end)?;
        match stream.read(&mut buffer) {
            Ok(0) => {
                response.on_closed().map_err(|bad| bad.to_string())?;
                return Ok(response);
            }
            Ok(len) => {
                let progress = response.feed(&buffer[..len]).map_err(|bad| bad.to_string())?;
                if progress == Progress::Done {
                    return Ok(response);
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(said(written.err().unwrap_or(error))),
        }
    }
}

fn set_timeouts(stream: &TcpStream, end: Instant) -> Result<(), String> {
    let left = end.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(said(ErrorKind::TimedOut.into()));
    }
    stream
        .set_read_timeout(Some(left))
        .and_then(|()| stream.set_write_timeout(Some(left)))
        .map_err(|error| reason(&error))
}

fn said(error: io::Error) -> String {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => {
            format!("nothing whole within {} s", ASK_TIMEOUT.as_secs())
        }
        _ => reason(&error),
    }
}

pub(super) fn real(span: Span) -> Duration {
    Duration::from_millis(span.as_millis())
}

/// What a .torrent is sent as: a type that no web page can send to strangers unasked.
const CONTENT_TYPE: &str = "application/x-bittorrent";

/// Longest answer of a tracker that is repeated to a person.
const SAID_CHARS_MAX: usize = 200;
