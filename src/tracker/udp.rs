//! The tracker over UDP: a datagram in, a datagram out, or none.
//!
//! ```text
//!  they ask for a connection id ──▶ 16 bytes, made of a secret, the minute and their address
//!  they announce or scrape, with it ──▶ it holds? ─▶ the same swarms as over HTTP
//!                                        └ no, or it makes no sense ─▶ silence
//! ```
//! Anybody can put another's address under a datagram. So who has not proved its own gets nothing,
//! or as many bytes as it sent: nobody can be flooded through us. The proof is the connection id,
//! which we keep nowhere: when it comes back, we make it again and compare.
//!
//! ```text
//!  connection id   ww hh hhhh hhhh hhhh     window: two minutes, of which we know this and the last
//!                                           hash of secret, window and address
//! ```
//!
//! # Limits
//! An answer is at most `DATAGRAM_ANSWER_BYTES_MAX` long, so no network has to cut it; a scrape's is
//! shorter than its question. An id holds for two minutes at least, and four at most.
//!
//! # Why
//! Ids do not depend on the port: networks change it between two datagrams, and it proves nothing.
//! What a URL's path and query say (BEP 41) is stepped over, as every unknown parameter is over
//! HTTP.
//!
//! # Spec
//! BEP 15; BEP 41.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use super::service::Service;
use super::swarm::Visit;
use crate::base::limits::DATAGRAM_ANSWER_BYTES_MAX;
use crate::base::{InfoHash, Span, Time};
use crate::format::announce::Announce;
use crate::format::datagram::{self, Ask, Peers, Request};
use crate::format::digest::Digest;

/// What makes and proves connection ids.
#[derive(Clone, Copy)]
pub struct Proof {
    secret: [u8; 20],
}

/// What came over UDP since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct UdpCounts {
    pub connects: u64,
    /// Announces and scrapes that proved their address, those that were refused among them.
    pub announces: u64,
    pub scrapes: u64,
    /// Datagrams that got no answer.
    pub dropped: u64,
}

impl Proof {
    /// `secret`: of true randomness, and told nobody.
    pub fn new(secret: [u8; 20]) -> Proof {
        Proof { secret }
    }

    /// A connection id for whoever gets what is sent to `ip`.
    pub fn issue(&self, now: Time, ip: IpAddr) -> u64 {
        self.id(window(now), ip)
    }

    /// Whether `id` was issued to `ip`, and not too long ago.
    pub fn holds(&self, now: Time, ip: IpAddr, id: u64) -> bool {
        let this = window(now);
        let recent = [Some(this), this.checked_sub(1)];
        let issued_in = recent.into_iter().flatten().find(|window| mark(*window) == id >> 56);
        issued_in.is_some_and(|window| self.id(window, ip) == id)
    }

    fn id(&self, window: u64, ip: IpAddr) -> u64 {
        let ip = match ip {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        // 44 bytes: one block of SHA-1. The secret comes first and most of the hash stays here,
        // so nobody can go on from one id to another.
        let mut said = [0; 44];
        said[..20].copy_from_slice(&self.secret);
        said[20..28].copy_from_slice(&window.to_be_bytes());
        said[28..].copy_from_slice(&ip.octets());
        let hash = Digest::of(&said);
        let (first, _) = hash.split_first_chunk::<8>().expect("a hash is 20 bytes long");
        u64::from_be_bytes(*first) >> 8 | mark(window) << 56
    }
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The secret goes into no log.
        f.write_str("Proof")
    }
}

impl Service {
    /// Answers datagrams, too. `secret`: as in `Proof::new`.
    pub fn serve_udp(&mut self, secret: [u8; 20]) {
        self.proof = Some(Proof::new(secret));
    }

    /// Answers one datagram: appends the whole answer to `answer`, or nothing.
    pub fn datagram(&mut self, now: Time, from: SocketAddr, bytes: &[u8], answer: &mut Vec<u8>) {
        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
        let before = answer.len();
        if let (Some(proof), Ok(request)) = (self.proof, Request::parse(bytes)) {
            self.answer(now, from, proof, request, answer);
        }
        self.udp.dropped += u64::from(answer.len() == before);
        debug_assert!(answer.len() - before <= DATAGRAM_ANSWER_BYTES_MAX);
    }

    /// What came over UDP since the start.
    pub fn udp_counts(&self) -> UdpCounts {
        self.udp
    }

    fn answer(
        &mut self,
        now: Time,
        from: SocketAddr,
        proof: Proof,
        request: Request<'_>,
        answer: &mut Vec<u8>,
    ) {
        let Request { transaction, ask } = request;
        match ask {
            // Nobody comes from port 0, except who wants us to send there.
            _ if from.port() == 0 => {}
            Ask::Connect => {
                self.udp.connects += 1;
                datagram::write_connected(transaction, proof.issue(now, from.ip()), answer);
            }
            Ask::Announce { connection, .. } | Ask::Scrape { connection, .. }
                if !proof.holds(now, from.ip(), connection) => {}
            Ask::Announce { announce, .. } => {
                self.udp.announces += 1;
                let result = match announce {
                    Ok(announce) => self.find_peers(now, from, transaction, &announce, answer),
                    Err(bad) => Err(bad.to_string().into()),
                };
                if let Err(reason) = result {
                    self.counts.refused += 1;
                    datagram::write_error(transaction, &reason, answer);
                }
            }
            Ask::Scrape { hashes, .. } => {
                self.udp.scrapes += 1;
                self.counts.scrapes += 1;
                // By position: of what we do not know there is none.
                let tally = |hash: &[u8; 20]| self.torrents.get(&InfoHash(*hash));
                let tallies = hashes.iter().map(|hash| tally(hash).map(|swarm| swarm.tally()));
                datagram::write_tallies(
                    transaction,
                    tallies.map(Option::unwrap_or_default),
                    answer,
                );
            }
        }
    }

    fn find_peers(
        &mut self,
        now: Time,
        from: SocketAddr,
        transaction: u32,
        announce: &Announce,
        answer: &mut Vec<u8>,
    ) -> Result<(), Reason> {
        if let Some(reason) = self.turned_away(announce.info_hash) {
            return Err(reason.into());
        }
        let peer_bytes = if from.is_ipv4() { 6 } else { 18 };
        let visit = Visit {
            addr: SocketAddr::new(from.ip(), announce.port),
            is_seed: announce.is_seed(),
            event: announce.event,
            wanted: self.wanted(announce).min(PEERS_BYTES_MAX / peer_bytes),
        };
        let tally = self.visit(now, announce.info_hash, &visit).ok_or("the tracker is full")?;
        self.counts.announces += 1;
        self.taking.note_change(now);
        let interval_secs = u32::try_from(self.interval_secs()).unwrap_or(u32::MAX >> 1);
        let found = match from.is_ipv4() {
            true => self.found.peers.as_flattened(),
            false => self.found.peers6.as_flattened(),
        };
        let (leechers, seeds) = (tally.leechers, tally.seeds);
        let peers = Peers { interval_secs, leechers, seeds, peers: found };
        datagram::write_peers(transaction, &peers, answer);
        Ok(())
    }
}

/// What an asker is told; nearly always one of a few fixed texts.
type Reason = std::borrow::Cow<'static, str>;

/// The number of the window that `now` is in.
fn window(now: Time) -> u64 {
    now.as_millis() / WINDOW.as_millis()
}

/// The part of a window's number that an id shows.
fn mark(window: u64) -> u64 {
    window & 0xff
}

/// BEP 15: an id must hold for two minutes after it was sent.
const WINDOW: Span = Span::from_secs(120);

/// Room for peers behind the head of an answer.
const PEERS_BYTES_MAX: usize = DATAGRAM_ANSWER_BYTES_MAX - 20;
