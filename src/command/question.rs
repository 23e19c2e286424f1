//! Question: one announce or scrape of a command, over HTTP or UDP, and the answer.
//!
//! ```text
//!  http://…  connect, write, read: as all commands ask (ask.rs), redirects followed
//!  udp://…   the machine that a node asks with (tracker::Asking), with one socket and this clock
//! ```
//! A command has nothing else to do meanwhile, so both wait where they stand.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::time::Instant;

use super::Failure;
use super::ask::{exchange, real};
use super::failure::reason;
use crate::base::limits::{
    ANNOUNCE_REPLY_BYTES_MAX, ANNOUNCE_TIMEOUT, ASK_CONNECT_TIMEOUT, CALL_ADDRS_MAX, REDIRECTS_MAX,
};
use crate::base::{InfoHash, Span, Time};
use crate::format::announce::{Announce, Refusal, Reply, Scrape, Tally};
use crate::format::http::{self, Response};
use crate::format::query::{Scheme, TrackerUrl};
use crate::tracker::{Answered, Asking, Step, What};
use crate::world::sys;

/// An answer, whose it is, and how long it took.
pub struct Asked<T> {
    pub from: SocketAddr,
    pub took: Span,
    pub answer: T,
}

/// Announces once.
pub fn announce(url: &TrackerUrl, announce: &Announce) -> Result<Asked<Reply>, Failure> {
    if url.scheme == Scheme::Udp {
        let url_data = url.path_and_query.clone();
        let what = What::Announce { announce: Box::new(announce.clone()), url_data };
        let Asked { from, took, answer } = by_datagrams(url, what)?;
        return match answer {
            Answered::Announce(answer) => Ok(Asked { from, took, answer }),
            Answered::Scrape(_) => Err(no_answer(url, "another question was answered")),
        };
    }
    let Asked { from, took, answer } = by_http(url.clone(), announce.target(url))?;
    let answer = Reply::parse(answer.body()).map_err(|refusal| refused(url, &answer, &refusal))?;
    Ok(Asked { from, took, answer })
}

/// Asks once how many share a torrent.
pub fn scrape(url: &TrackerUrl, hash: InfoHash) -> Result<Asked<Tally>, Failure> {
    if url.scheme == Scheme::Udp {
        let Asked { from, took, answer } = by_datagrams(url, What::Scrape { hashes: vec![hash] })?;
        return match answer {
            Answered::Scrape(tallies) => {
                let answer = *tallies.first().ok_or_else(|| no_answer(url, "it counts nothing"))?;
                Ok(Asked { from, took, answer })
            }
            Answered::Announce(_) => Err(no_answer(url, "another question was answered")),
        };
    }
    let page = url.scrape().ok_or_else(|| {
        let message = format!("{} cannot be scraped", name(url));
        Failure::new(message, "only a URL whose path ends in /announce says where")
    })?;
    let target = Scrape::target(&page, &[hash]);
    let Asked { from, took, answer } = by_http(page, target)?;
    let scrape = Scrape::parse(answer.body()).map_err(|bad| refused(url, &answer, &bad))?;
    // Of a torrent that it does not know, it says nothing.
    let known = scrape.0.iter().find(|(known, _)| *known == hash);
    Ok(Asked { from, took, answer: known.map_or(Tally::default(), |(_, tally)| *tally) })
}

// ── HTTP ────────────────────────────────────────────────────────────────────────────────────

fn by_http(mut url: TrackerUrl, mut target: String) -> Result<Asked<Response>, Failure> {
    let begun = Instant::now();
    for _ in 0..=REDIRECTS_MAX {
        let (stream, from) = connect(&url)?;
        let mut request = Vec::new();
        http::write_get(&url, &target, &mut request);
        let answer = exchange(stream, &request, ANNOUNCE_REPLY_BYTES_MAX)
            .map_err(|why| no_answer(&url, &why))?;
        let Some(location) = answer.redirect() else {
            return Ok(Asked { from, took: since(begun), answer });
        };
        url = url.join(location).map_err(|bad| {
            no_answer(&url, &format!("redirected to where we cannot go: {}", bad.what))
        })?;
        target = url.path_and_query.clone();
    }
    Err(no_answer(&url, &format!("redirected more than {REDIRECTS_MAX} times")))
}

fn connect(url: &TrackerUrl) -> Result<(TcpStream, SocketAddr), Failure> {
    let mut last = String::from("its name has no address");
    for addr in addrs(url)? {
        match TcpStream::connect_timeout(&addr, real(ASK_CONNECT_TIMEOUT)) {
            Ok(stream) => return Ok((stream, addr)),
            Err(error) => last = reason(&error),
        }
    }
    Err(no_answer(url, &last))
}

/// What the tracker said instead of an answer.
fn refused(url: &TrackerUrl, response: &Response, refusal: &Refusal) -> Failure {
    match (response.status(), refusal) {
        (_, Refusal::Failure { reason, .. }) => refuses(url, reason),
        (200, Refusal::Unreachable(why)) => no_answer(url, why),
        (status, Refusal::Unreachable(_)) => no_answer(url, &format!("it says status {status}")),
    }
}

// ── UDP ─────────────────────────────────────────────────────────────────────────────────────

fn by_datagrams(url: &TrackerUrl, what: What) -> Result<Asked<Answered>, Failure> {
    let mut secret = [0; 20];
    sys::random_bytes(&mut secret)
        .map_err(|_| Failure::new("cannot get random numbers", "is /dev mounted?"))?;
    let begun = Instant::now();
    let now = || Time::START + since(begun);
    let addrs = addrs(url)?;
    let mut asking = Asking::new(secret);
    let mut steps = Vec::new();
    let mut socket: Option<(UdpSocket, SocketAddr)> = None;
    asking.ask(now(), &addrs, what, ANNOUNCE_TIMEOUT, &mut steps);
    let mut buffer = vec![0; 64 * 1024];
    loop {
        for step in std::mem::take(&mut steps) {
            match step {
                Step::Send { to, bytes } => match send(&mut socket, to, &bytes) {
                    Ok(()) => {}
                    Err(why) => asking.on_unsent(now(), to, &why, &mut steps),
                },
                Step::Done { result: Ok(answer), .. } => {
                    let from = socket.map_or(addrs[0], |(_, to)| to);
                    return Ok(Asked { from, took: since(begun), answer });
                }
                Step::Done { result: Err(Refusal::Failure { reason, .. }), .. } => {
                    return Err(refuses(url, &reason));
                }
                Step::Done { result: Err(Refusal::Unreachable(why)), .. } => {
                    return Err(no_answer(url, &why));
                }
            }
        }
        let Some(deadline) = asking.deadline() else { continue };
        let left = deadline.since(now()).as_millis().max(1);
        let Some((socket, to)) = &socket else { continue };
        socket
            .set_read_timeout(Some(real(Span::from_millis(left))))
            .map_err(|error| no_answer(url, &reason(&error)))?;
        match socket.recv(&mut buffer) {
            Ok(len) => {
                asking.on_datagram(now(), *to, &buffer[..len], &mut steps);
            }
            // The host says that nobody is there.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                asking.on_unsent(now(), *to, &reason(&error), &mut steps);
            }
            Err(_) => asking.tick(now(), &mut steps),
        }
    }
}

/// Sends from the socket that is connected to `to`, a new one if need be.
fn send(
    socket: &mut Option<(UdpSocket, SocketAddr)>,
    to: SocketAddr,
    bytes: &[u8],
) -> Result<(), String> {
    if socket.as_ref().is_none_or(|(_, known)| *known != to) {
        let any: SocketAddr = match to {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let bound = UdpSocket::bind(any).map_err(|error| reason(&error))?;
        // What others send never gets here, and that nobody listens there does.
        bound.connect(to).map_err(|error| reason(&error))?;
        *socket = Some((bound, to));
    }
    match socket {
        Some((socket, _)) => socket.send(bytes).map(drop).map_err(|error| reason(&error)),
        None => Ok(()),
    }
}

// ── Both ────────────────────────────────────────────────────────────────────────────────────

fn addrs(url: &TrackerUrl) -> Result<Vec<SocketAddr>, Failure> {
    let found = (url.host.as_str(), url.port).to_socket_addrs();
    let addrs: Vec<SocketAddr> = found.into_iter().flatten().take(CALL_ADDRS_MAX).collect();
    if addrs.is_empty() {
        let message = format!("no address is known for {}", name(url));
        return Err(Failure::new(message, "check the spelling and the network"));
    }
    Ok(addrs)
}

fn name(url: &TrackerUrl) -> String {
    format!("{}://{}", url.scheme, url.host_header())
}

fn refuses(url: &TrackerUrl, why: &str) -> Failure {
    Failure::new(format!("{} refuses: {why}", name(url)), "it tracks other torrents, perhaps")
}

fn no_answer(url: &TrackerUrl, why: &str) -> Failure {
    Failure::new(
        format!("no answer from {}: {why}", name(url)),
        "is it a tracker, and does it run?",
    )
}

fn since(begun: Instant) -> Span {
    Span::from_millis(u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX))
}
