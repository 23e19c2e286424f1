//! Datagram: announces and scrapes over UDP, both directions, for both ends.
//!
//! ```text
//!  connect    0000 0417 2710 1980 │ 0 │ transaction       ─▶
//!                                          ◀─   0 │ transaction │ connection id (8)
//!  announce   connection id (8) │ 1 │ transaction │ info_hash (20) │ peer_id (20) │ downloaded (8)
//!             left (8) │ uploaded (8) │ event │ ip │ key │ num_want │ port (2) │ options  ─▶
//!                      ◀─   1 │ transaction │ interval │ leechers │ seeders │ aaaapp aaaapp …
//!  scrape     connection id (8) │ 2 │ transaction │ info_hash (20) …                      ─▶
//!                      ◀─   2 │ transaction │ seeders │ completed │ leechers │ …
//!  whatever it was     ◀─   3 │ transaction │ text: why not
//! ```
//! All numbers are big-endian, of four bytes unless it says otherwise. A peer is 6 bytes where the
//! datagram came over IPv4, and 18 where it came over IPv6.
//!
//! Nothing in a datagram proves who sent it. The *connection id* proves that the sender got an
//! earlier answer of the tracker, and the *transaction* that the answerer saw the question.
//!
//! # Why
//! An announce carries an `ip` to be entered instead of the sender's, and we neither write nor
//! read it: who may say whose address is in a swarm can send the swarm there.
//!
//! # Spec
//! BEP 15; BEP 41 for the options, of which there is one: path and query of the tracker's URL.

use std::fmt;

use super::announce::{Announce, BadQuery, Event, Refusal, Reply, Tally};
use super::text;
use crate::base::limits::{DATAGRAM_SCRAPE_HASHES_MAX, REASON_CHARS_MAX};
use crate::base::{InfoHash, PeerId};

/// What a tracker is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request<'d> {
    /// The number by which the asker knows the answer again.
    pub transaction: u32,
    pub ask: Ask<'d>,
}

/// The questions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ask<'d> {
    /// For a connection id.
    Connect,
    /// For peers. `announce`: nobody listens on port 0. `options`: what follows, see `url_data`.
    Announce { connection: u64, announce: Result<Announce, BadQuery>, options: &'d [u8] },
    /// How many peers share these torrents; at most `DATAGRAM_SCRAPE_HASHES_MAX` of them.
    Scrape { connection: u64, hashes: &'d [[u8; 20]] },
}

/// What a tracker answers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Response<'d> {
    pub transaction: u32,
    pub answer: Answer<'d>,
}

/// The answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer<'d> {
    Connect {
        connection: u64,
    },
    Announce(Peers<'d>),
    /// One for each torrent that was asked about, in that order.
    Scrape {
        tallies: &'d [[u8; 12]],
    },
    /// Why not, in the tracker's words: raw bytes.
    Error {
        message: &'d [u8],
    },
}

/// The answer to an announce.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Peers<'d> {
    pub interval_secs: u32,
    pub leechers: u32,
    pub seeds: u32,
    /// Of 6 bytes or of 18; the datagram itself does not say.
    pub peers: &'d [u8],
}

/// Why a datagram is none of a tracker's. Nobody is told: its sender may be anybody.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotOurs {
    /// It ends before all is said that its kind must say.
    TooShort,
    /// It is not of this protocol, or of a kind that we do not know.
    Unknown,
}

impl Request<'_> {
    /// Reads what came to a tracker. What follows a known form is stepped over.
    pub fn parse(bytes: &[u8]) -> Result<Request<'_>, NotOurs> {
        let mut rest = bytes;
        let connection = u64::from_be_bytes(take(&mut rest)?);
        let action = take_u32(&mut rest)?;
        let transaction = take_u32(&mut rest)?;
        let ask = match action {
            CONNECT if connection == PROTOCOL => Ask::Connect,
            ANNOUNCE => {
                let announce = parse_announce(&mut rest)?;
                Ask::Announce { connection, announce, options: rest }
            }
            SCRAPE => {
                // What is left over of the last one is no question.
                let (hashes, _cut) = rest.as_chunks::<20>();
                let hashes = &hashes[..hashes.len().min(DATAGRAM_SCRAPE_HASHES_MAX)];
                Ask::Scrape { connection, hashes }
            }
            _ => return Err(NotOurs::Unknown),
        };
        Ok(Request { transaction, ask })
    }
}

impl<'d> Response<'d> {
    /// Reads what came back from a tracker. What follows a known form is stepped over.
    pub fn parse(bytes: &'d [u8]) -> Result<Response<'d>, NotOurs> {
        let mut rest = bytes;
        let action = take_u32(&mut rest)?;
        let transaction = take_u32(&mut rest)?;
        let answer = match action {
            CONNECT => Answer::Connect { connection: u64::from_be_bytes(take(&mut rest)?) },
            ANNOUNCE => Answer::Announce(Peers {
                interval_secs: take_u32(&mut rest)?,
                leechers: take_u32(&mut rest)?,
                seeds: take_u32(&mut rest)?,
                peers: rest,
            }),
            SCRAPE => Answer::Scrape { tallies: rest.as_chunks().0 },
            ERROR => Answer::Error { message: rest },
            _ => return Err(NotOurs::Unknown),
        };
        Ok(Response { transaction, answer })
    }
}

impl Peers<'_> {
    /// The same in the words of every announce. `is_ipv4`: how the datagram came.
    pub fn reply(&self, is_ipv4: bool) -> Reply {
        let count = |said: u32| u64::from(said);
        // It is a signed number by some accounts; a negative one is as good as 0.
        let interval = i32::try_from(self.interval_secs).map_or(0, |_| self.interval_secs);
        Reply {
            interval_secs: Some(count(interval)),
            seeds: Some(count(self.seeds)),
            leechers: Some(count(self.leechers)),
            ..Reply::of_compact(self.peers, is_ipv4)
        }
    }
}

/// What an error means: the tracker refuses, and says so in a text that is cleaned and cut.
pub fn refusal(message: &[u8]) -> Refusal {
    // Some end it as C does.
    let message = message.split(|&byte| byte == 0).next().unwrap_or_default();
    let reason = text::clean_to(message, REASON_CHARS_MAX);
    let reason = if reason.is_empty() { "no reason given".to_owned() } else { reason };
    Refusal::Failure { reason, retry_secs: None, never: false }
}

/// One entry of a scrape's answer.
pub fn tally(entry: &[u8; 12]) -> Tally {
    let [a, b, c, d, e, f, g, h, i, j, k, l] = *entry;
    Tally {
        seeds: u32::from_be_bytes([a, b, c, d]),
        completed: u32::from_be_bytes([e, f, g, h]),
        leechers: u32::from_be_bytes([i, j, k, l]),
    }
}

/// The parts of path and query of the tracker's URL as the options of an announce give them, to
/// be laid end to end (BEP 41). An option that is cut off, and all behind it, counts as not said.
pub fn url_data(options: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = options;
    std::iter::from_fn(move || {
        loop {
            let (&kind, after) = rest.split_first()?;
            rest = after;
            match kind {
                END_OF_OPTIONS => rest = &[],
                NOP => {}
                _ => {
                    let (&len, after) = rest.split_first()?;
                    let (value, after) = after.split_at_checked(usize::from(len))?;
                    rest = after;
                    if kind == URL_DATA {
                        return Some(value);
                    }
                }
            }
        }
    })
}

// ── The client's datagrams ──────────────────────────────────────────────────────────────────

/// Appends the question for a connection id.
pub fn write_connect(transaction: u32, out: &mut Vec<u8>) {
    write_head(PROTOCOL, CONNECT, transaction, out);
}

/// Appends an announce. `url_data`: path and query of the tracker's URL; nothing is said of it
/// if it is empty or just `/`.
pub fn write_announce(
    connection: u64,
    transaction: u32,
    announce: &Announce,
    url_data: &str,
    out: &mut Vec<u8>,
) {
    write_head(connection, ANNOUNCE, transaction, out);
    out.extend_from_slice(&announce.info_hash.0);
    out.extend_from_slice(&announce.peer_id.0);
    out.extend_from_slice(&announce.downloaded.to_be_bytes());
    out.extend_from_slice(&announce.left.to_be_bytes());
    out.extend_from_slice(&announce.uploaded.to_be_bytes());
    let event: u32 = match announce.event {
        Event::Regular => 0,
        Event::Completed => 1,
        Event::Started => 2,
        Event::Stopped => 3,
    };
    out.extend_from_slice(&event.to_be_bytes());
    // The address that the datagram comes from.
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&announce.key.unwrap_or(0).to_be_bytes());
    let wanted = match announce.event {
        Event::Stopped => Some(0),
        Event::Regular | Event::Started | Event::Completed => announce.numwant,
    };
    let wanted = wanted.and_then(|wanted| i32::try_from(wanted).ok()).unwrap_or(-1);
    out.extend_from_slice(&wanted.to_be_bytes());
    out.extend_from_slice(&announce.port.to_be_bytes());
    if url_data != "/" {
        write_url_data(url_data.as_bytes(), out);
    }
}

/// Appends a scrape of at most `DATAGRAM_SCRAPE_HASHES_MAX` torrents.
pub fn write_scrape(connection: u64, transaction: u32, hashes: &[InfoHash], out: &mut Vec<u8>) {
    write_head(connection, SCRAPE, transaction, out);
    for hash in hashes.iter().take(DATAGRAM_SCRAPE_HASHES_MAX) {
        out.extend_from_slice(&hash.0);
    }
}

// ── The tracker's datagrams ─────────────────────────────────────────────────────────────────

/// Appends a connection id.
pub fn write_connected(transaction: u32, connection: u64, out: &mut Vec<u8>) {
    write_answer_head(CONNECT, transaction, out);
    out.extend_from_slice(&connection.to_be_bytes());
}

/// Appends peers.
pub fn write_peers(transaction: u32, found: &Peers<'_>, out: &mut Vec<u8>) {
    write_answer_head(ANNOUNCE, transaction, out);
    out.extend_from_slice(&found.interval_secs.to_be_bytes());
    out.extend_from_slice(&found.leechers.to_be_bytes());
    out.extend_from_slice(&found.seeds.to_be_bytes());
    out.extend_from_slice(found.peers);
}

/// Appends tallies, in the order of the question.
pub fn write_tallies(transaction: u32, tallies: impl Iterator<Item = Tally>, out: &mut Vec<u8>) {
    write_answer_head(SCRAPE, transaction, out);
    for tally in tallies {
        out.extend_from_slice(&tally.seeds.to_be_bytes());
        out.extend_from_slice(&tally.completed.to_be_bytes());
        out.extend_from_slice(&tally.leechers.to_be_bytes());
    }
}

/// Appends why not.
pub fn write_error(transaction: u32, message: &str, out: &mut Vec<u8>) {
    write_answer_head(ERROR, transaction, out);
    out.extend_from_slice(message.as_bytes());
}

impl fmt::Display for NotOurs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NotOurs::TooShort => "too short",
            NotOurs::Unknown => "not of the tracker protocol",
        })
    }
}

fn parse_announce(rest: &mut &[u8]) -> Result<Result<Announce, BadQuery>, NotOurs> {
    let info_hash = InfoHash(take(rest)?);
    let peer_id = PeerId(take(rest)?);
    let downloaded = u64::from_be_bytes(take(rest)?);
    let left = u64::from_be_bytes(take(rest)?);
    let uploaded = u64::from_be_bytes(take(rest)?);
    let event = match take_u32(rest)? {
        1 => Event::Completed,
        2 => Event::Started,
        3 => Event::Stopped,
        _ => Event::Regular,
    };
    let _ip = take_u32(rest)?;
    let key = take_u32(rest)?;
    // −1 means "as you like".
    let numwant = u32::try_from(i32::from_be_bytes(take(rest)?)).ok();
    let port = u16::from_be_bytes(take(rest)?);
    if port == 0 {
        return Ok(Err(BadQuery::NotANumber("port", 1, 65_535)));
    }
    Ok(Ok(Announce {
        info_hash,
        peer_id,
        port,
        uploaded,
        downloaded,
        left,
        event,
        numwant,
        key: Some(key),
        compact: true,
        no_peer_id: true,
        tracker_id: None,
        have: None,
    }))
}

fn write_head(connection: u64, action: u32, transaction: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&connection.to_be_bytes());
    write_answer_head(action, transaction, out);
}

fn write_answer_head(action: u32, transaction: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&action.to_be_bytes());
    out.extend_from_slice(&transaction.to_be_bytes());
}

fn write_url_data(url_data: &[u8], out: &mut Vec<u8>) {
    for part in url_data.chunks(usize::from(u8::MAX)) {
        let len = u8::try_from(part.len()).expect("a part is at most as long as a byte can say");
        out.extend_from_slice(&[URL_DATA, len]);
        out.extend_from_slice(part);
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], NotOurs> {
    let (first, after) = rest.split_first_chunk::<N>().ok_or(NotOurs::TooShort)?;
    *rest = after;
    Ok(*first)
}

fn take_u32(rest: &mut &[u8]) -> Result<u32, NotOurs> {
    take(rest).map(u32::from_be_bytes)
}

/// What stands in place of a connection id while there is none.
const PROTOCOL: u64 = 0x0417_2710_1980;

const CONNECT: u32 = 0;
const ANNOUNCE: u32 = 1;
const SCRAPE: u32 = 2;
const ERROR: u32 = 3;

/// The options of BEP 41. The first two stand alone; all others are followed by their length.
const END_OF_OPTIONS: u8 = 0;
const NOP: u8 = 1;
const URL_DATA: u8 = 2;
