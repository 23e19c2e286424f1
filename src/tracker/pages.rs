//! Pages: what a tracker shows beside announces and scrapes, and what it lets people publish.
//!
//! ```text
//!  GET  /                            what is here, for people
//!  GET  /torrents                    what was published; ?q= words, ?limit=, ?before= a number
//!  POST /torrents                    publish: the body is the .torrent
//!  GET  /torrents/INFOHASH.torrent   one of them
//!  GET  /get_peers                   who is there; ?info_hash=
//!  GET  /pieces                      who holds which pieces; ?info_hash=, ?piece=
//!  GET  /stats  GET /metrics         how much of everything, as JSON and for Prometheus
//! ```
//!
//! What can be got here can be got by anybody. What changes something cannot be done by a web page
//! in a visitor's browser: it would have to send `Origin`, which is refused, and a content type
//! that a browser sends to strangers only after asking them, which is not granted.
//!
//! # Limits
//! `LISTED_MAX`, `SHOWN_PEERS_MAX`, `SHOWN_HAVE_BYTES_MAX` of one answer; `library::Rules`.
//!
//! # Why
//! Paths are compared as they are, without decoding: a file is asked for by forty hexadecimal
//! digits, so there is no path that could lead anywhere else.

use std::net::SocketAddr;

use serde::Serialize;

use super::holders::Holder;
use super::library::{Entry, Errand, Kept, Search, Unwelcome, Work};
use super::service::{Page, Service, moment, write_page};
use super::swarm::{Found, Swarm};
use crate::base::limits::{
    HAVE_BYTES_MAX, LISTED_DEFAULT, LISTED_MAX, REQUEST_BODY_BYTES_MAX, SHOWN_HAVE_BYTES_MAX,
    SHOWN_PEERS_MAX,
};
use crate::base::{Bits, InfoHash, PieceIndex, Span, Time};
use crate::format::announce::{Announce, Event, Tally, compact_peer, compact_peer6};
use crate::format::http::{Request, Status};
use crate::format::{listing, query};

/// What is at a path, or what must be done before that can be said.
pub(super) enum Visited {
    Page(Page),
    Errand(Errand),
}

impl Service {
    /// How many bytes the body of this request may have, or why it is refused by its head alone.
    pub fn body_bytes_max(
        &self,
        now: Time,
        from: SocketAddr,
        head: &Request<'_>,
    ) -> Result<usize, Status> {
        match (head.method, head.path(), &self.library) {
            ("POST", "/torrents", Some(library)) => {
                self.may_publish(now, from, head)?;
                Ok(library.rules().torrent_bytes_max)
            }
            _ => Ok(REQUEST_BODY_BYTES_MAX),
        }
    }

    /// An errand is done: appends the whole response to the request that it was for.
    pub fn finish(&mut self, errand: Errand, kept: Kept, answer: &mut Vec<u8>) {
        let Errand { info_hash, work, keep_alive, is_head } = errand;
        let mut body = Vec::new();
        let library = self.library.as_mut().expect("errands come from a library");
        let page = match (work, kept) {
            (Work::Store { entry, .. }, Kept::Stored) => {
                let page = published(info_hash, &entry, true, &mut body);
                library.arrived(info_hash, Some(entry));
                self.shown.published_new += 1;
                page
            }
            (Work::Store { .. }, _) => {
                library.arrived(info_hash, None);
                self.shown.published_refused += 1;
                plain(Status::InsufficientStorage, "the disk here takes no more now", &mut body)
            }
            (Work::Load, Kept::Loaded(torrent)) => {
                self.shown.fetched += 1;
                body = torrent;
                TORRENT
            }
            (Work::Load, Kept::Missing) => {
                library.forget(info_hash);
                plain(Status::NotFound, NO_TORRENT, &mut body)
            }
            (Work::Load, _) => {
                plain(Status::ServiceUnavailable, "the disk here does not answer", &mut body)
            }
        };
        write_page(page, keep_alive, is_head, &body, answer);
    }

    /// How long a turn of the loop took, for those who watch us.
    pub fn note_turn(&mut self, took: Span) {
        self.shown.longest_turn = self.shown.longest_turn.max(took);
    }

    /// Looks at the announce of somebody at `addr` for the directory of pieces. Returns whether
    /// we want to be told what it has.
    pub(super) fn note_holder(&mut self, now: Time, announce: &Announce, addr: SocketAddr) -> bool {
        let Some(library) = &self.library else { return false };
        let Some(entry) = library.get_public(announce.info_hash) else { return false };
        let told = announce.have.as_deref().and_then(|have| Bits::from_wire(have, entry.pieces));
        let leaves = announce.is_seed() || announce.event == Event::Stopped;
        match told {
            Some(have) if !leaves => {
                let minute = moment(&self.policy, self.seed, &mut self.random, now).minute;
                self.holders.note(minute, announce.info_hash, addr, have);
            }
            // Who does not tell has not lost what it told before.
            Some(_) | None if !leaves => {}
            Some(_) | None if self.holders.is_empty() => {}
            Some(_) | None => self.holders.forget(announce.info_hash, addr),
        }
        !leaves && entry.pieces.div_ceil(8) as usize <= HAVE_BYTES_MAX
    }

    /// Everything but announces and scrapes.
    pub(super) fn visit_page(
        &mut self,
        now: Time,
        from: SocketAddr,
        request: &Request<'_>,
        body: &mut Vec<u8>,
    ) -> Visited {
        let is_get = matches!(request.method, "GET" | "HEAD");
        let params = Params(request.query());
        let page = match (request.method, request.path()) {
            ("POST", "/torrents") if self.library.is_some() => {
                return self.publish(now, from, request, body);
            }
            (_, "/torrents") if is_get && self.library.is_some() => self.list(params, body),
            (_, "/") if is_get => {
                body.extend_from_slice(self.welcome().as_bytes());
                PLAIN
            }
            (_, "/get_peers") if is_get => self.show_swarms(now, params, body),
            (_, "/pieces") if is_get => self.show_pieces(now, params, body),
            (_, "/stats") if is_get => json(Status::Ok, &self.stats(now), body),
            (_, "/metrics") if is_get => {
                write_metrics(&self.stats(now), body);
                METRICS
            }
            (_, path) if is_get && path.starts_with("/torrents/") => {
                return self.fetch(request, body);
            }
            ("GET" | "HEAD", _) => plain(Status::NotFound, "Not Found", body),
            (_, path) => {
                let status = Status::MethodNotAllowed;
                Page { extra: allowed(path), ..plain(status, status.reason(), body) }
            }
        };
        Visited::Page(page)
    }

    fn welcome(&self) -> String {
        let mut text = format!(
            "swarmlet {}: a BitTorrent tracker\n\nannounce at /announce, scrape at /scrape\n\
             who is there: /get_peers?info_hash=INFOHASH; numbers: /stats, /metrics\n",
            env!("CARGO_PKG_VERSION")
        );
        if let Some(library) = &self.library {
            text.push_str(
                "torrents: /torrents (?q= searches), /torrents/INFOHASH.torrent, \
                 /pieces?info_hash=INFOHASH\n\
                 publish one: swarmlet publish FILE.torrent, or POST it to /torrents as \
                 application/x-bittorrent\n",
            );
            text.push_str(&format!("{} published\n", library.len()));
        }
        text
    }

    // ── The library ─────────────────────────────────────────────────────────────────────────

    /// Whether somebody may send a .torrent, as far as the head of the request tells.
    fn may_publish(&self, now: Time, from: SocketAddr, head: &Request<'_>) -> Result<(), Status> {
        // Programs do not say where they come from; browsers always do (and `null` is no excuse).
        if head.headers.get("origin").is_some() || head.headers.get("sec-fetch-site").is_some() {
            return Err(Status::Forbidden);
        }
        let said = head.headers.get("content-type").unwrap_or_default();
        let kind = said.split(|&byte| byte == b';').next().unwrap_or_default().trim_ascii();
        if !kind.eq_ignore_ascii_case(TORRENT.content_type.as_bytes()) {
            return Err(Status::UnsupportedMediaType);
        }
        let welcome = self.library.as_ref().map(|library| library.may_publish(now, from.ip()));
        if welcome.is_some_and(|welcome| welcome.is_err()) {
            return Err(Status::TooManyRequests);
        }
        Ok(())
    }

    fn publish(
        &mut self,
        now: Time,
        from: SocketAddr,
        request: &Request<'_>,
        body: &mut Vec<u8>,
    ) -> Visited {
        if let Err(status) = self.may_publish(now, from, request) {
            self.shown.published_refused += 1;
            return Visited::Page(plain(status, status.reason(), body));
        }
        let library = self.library.as_mut().expect("only asked where there is one");
        let (info_hash, entry) = match library.judge(now, from.ip(), request.body) {
            Ok(judged) => judged,
            Err(why) => {
                self.shown.published_refused += 1;
                return Visited::Page(unwelcome(&why, body));
            }
        };
        if self.blocked.contains(&info_hash) {
            self.shown.published_refused += 1;
            return Visited::Page(plain(Status::Forbidden, BLOCKED, body));
        }
        let Some(entry) = entry else {
            let known = library.get(info_hash).expect("judged to be here");
            return Visited::Page(published(info_hash, known, false, body));
        };
        library.expect();
        let work = Work::Store { torrent: request.body.to_vec(), entry };
        Visited::Errand(errand(request, info_hash, work))
    }

    fn fetch(&self, request: &Request<'_>, body: &mut Vec<u8>) -> Visited {
        let name = request.path().strip_prefix("/torrents/").unwrap_or_default();
        let hash = name.strip_suffix(".torrent").and_then(InfoHash::parse_hex);
        let known = hash.filter(|hash| self.shown_entry(*hash).is_some());
        match known {
            Some(info_hash) => Visited::Errand(errand(request, info_hash, Work::Load)),
            None => Visited::Page(plain(Status::NotFound, NO_TORRENT, body)),
        }
    }

    fn list(&self, params: Params<'_>, body: &mut Vec<u8>) -> Page {
        let limit = params.number("limit").and_then(|limit| usize::try_from(limit).ok());
        let limit = limit.unwrap_or(LISTED_DEFAULT).clamp(1, LISTED_MAX);
        let search = Search::new(&params.text("q"));
        let library = self.library.as_ref().expect("only asked where there is one");
        let found = library.find(&search, params.number("before"));
        let mut found = found.filter(|(_, hash, _)| !self.blocked.contains(hash)).peekable();
        let mut torrents = Vec::new();
        let mut last = None;
        for (number, hash, entry) in found.by_ref().take(limit) {
            torrents.push(self.listed(hash, entry));
            last = Some(number);
        }
        let next = last.filter(|_| found.peek().is_some());
        json(Status::Ok, &listing::Listing { torrents, next }, body)
    }

    fn listed(&self, hash: InfoHash, entry: &Entry) -> listing::Listed {
        let tally = self.tally(hash);
        listing::Listed {
            info_hash: hash.to_string(),
            name: entry.name.clone(),
            bytes: entry.bytes,
            files: entry.files,
            pieces: entry.pieces,
            piece_bytes: entry.piece_bytes,
            seeds: tally.seeds,
            leechers: tally.leechers,
            completed: tally.completed,
            torrent: torrent_path(hash),
        }
    }

    // ── Who is there ────────────────────────────────────────────────────────────────────────

    /// Whose peers may be shown: nobody's who is known to be private, or blocked.
    fn may_show(&self, hash: InfoHash) -> bool {
        let entry = self.library.as_ref().and_then(|library| library.get(hash));
        !entry.is_some_and(|entry| entry.private) && !self.blocked.contains(&hash)
    }

    /// A published torrent that may be shown.
    fn shown_entry(&self, hash: InfoHash) -> Option<&Entry> {
        let entry = self.library.as_ref()?.get_public(hash)?;
        (!self.blocked.contains(&hash)).then_some(entry)
    }

    /// One swarm; or, of all published torrents (of all torrents, where a full scrape is allowed),
    /// those that somebody shares.
    fn show_swarms(&mut self, now: Time, params: Params<'_>, body: &mut Vec<u8>) -> Page {
        let hashes = match params.hash("info_hash") {
            Ok(Some(hash)) => vec![hash],
            Ok(None) if self.policy.full_scrape => self.torrents.keys().copied().collect(),
            Ok(None) => self.published_hashes(),
            Err(page) => return page.say(body),
        };
        let mut left = SHOWN_PEERS_MAX;
        let mut swarms = Vec::new();
        for hash in hashes {
            if left == 0 {
                break;
            }
            if let Some(swarm) = self.show_swarm(now, hash, left) {
                // An empty one costs a line, too.
                left = left.saturating_sub(swarm.peers.len().max(1));
                swarms.push(swarm);
            }
        }
        json(Status::Ok, &listing::Swarms { swarms, more: left == 0 }, body)
    }

    fn published_hashes(&self) -> Vec<InfoHash> {
        let Some(library) = &self.library else { return Vec::new() };
        let all = Search::default();
        let hashes = library.find(&all, None).map(|(_, hash, _)| hash);
        hashes.filter(|hash| self.torrents.contains_key(hash)).take(SHOWN_PEERS_MAX).collect()
    }

    fn show_swarm(
        &mut self,
        now: Time,
        hash: InfoHash,
        wanted: usize,
    ) -> Option<listing::SwarmShown> {
        if !self.may_show(hash) {
            return None;
        }
        let name = self.shown_entry(hash).map(|entry| entry.name.clone());
        let swarm = self.torrents.get(&hash)?;
        let mut moment = moment(&self.policy, self.seed, &mut self.random, now);
        let mut peers = Vec::new();
        for seed in [true, false] {
            let found = swarm.sample(&mut moment, seed, wanted - peers.len());
            let shown = |addr: SocketAddr| listing::PeerShown { addr: addr.to_string(), seed };
            peers.extend(addrs(&found).map(shown));
        }
        let Tally { seeds, leechers, completed } = swarm.tally();
        Some(listing::SwarmShown {
            info_hash: hash.to_string(),
            name,
            seeds,
            leechers,
            completed,
            peers,
        })
    }

    fn show_pieces(&mut self, now: Time, params: Params<'_>, body: &mut Vec<u8>) -> Page {
        let hash = match params.hash("info_hash") {
            Ok(hash) => hash,
            Err(page) => return page.say(body),
        };
        let Some((hash, entry)) = hash.and_then(|hash| Some((hash, self.shown_entry(hash)?)))
        else {
            return plain(Status::NotFound, NO_TORRENT, body);
        };
        let mut shown = listing::Pieces {
            info_hash: hash.to_string(),
            name: entry.name.clone(),
            pieces: entry.pieces,
            piece_bytes: entry.piece_bytes,
            holders: Vec::new(),
            more: false,
        };
        let piece = params.number("piece").and_then(|piece| u32::try_from(piece).ok());
        if piece.is_some_and(|piece| piece >= shown.pieces) {
            return plain(Status::NotFound, "there is no such piece", body);
        }
        let piece = piece.map(PieceIndex::checked);
        let told = self.holders.of(hash).iter();
        let told = told.filter(|holder| piece.is_none_or(|piece| holder.have.has(piece)));
        let mut left = SHOWN_HAVE_BYTES_MAX;
        for holder in told {
            let bytes = holder.have.as_bytes().len();
            if bytes > left {
                shown.more = true;
                break;
            }
            left -= bytes;
            shown.holders.push(show_holder(holder));
        }
        let seeds = self.torrents.get(&hash).map(|swarm| {
            let mut moment = moment(&self.policy, self.seed, &mut self.random, now);
            (swarm.sample(&mut moment, true, SHOWN_PEERS_MAX), swarm.tally().seeds as usize)
        });
        if let Some((found, seeds)) = seeds {
            shown.more |= seeds > SHOWN_PEERS_MAX;
            let have = shown.pieces;
            let seeds = addrs(&found).map(|addr| (addr.to_string(), have));
            let seed = |(addr, have)| listing::Holder { addr, seed: true, have, bits: None };
            shown.holders.extend(seeds.map(seed));
        }
        json(Status::Ok, &shown, body)
    }

    fn tally(&self, hash: InfoHash) -> Tally {
        self.torrents.get(&hash).map(Swarm::tally).unwrap_or_default()
    }

    // ── How much of everything ──────────────────────────────────────────────────────────────

    fn stats(&self, now: Time) -> listing::Stats {
        let counts = self.counts();
        listing::Stats {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_secs: now.since(Time::START).as_secs(),
            torrents: counts.torrents as u64,
            seeds: counts.seeds as u64,
            leechers: (counts.peers - counts.seeds) as u64,
            published: self.library.as_ref().map_or(0, |library| library.len() as u64),
            announces: counts.announces,
            scrapes: counts.scrapes,
            refused: counts.refused,
            published_new: self.shown.published_new,
            published_refused: self.shown.published_refused,
            fetched: self.shown.fetched,
            longest_turn_millis: self.shown.longest_turn.as_millis(),
        }
    }
}

/// What happened on these pages since the start.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shown {
    published_new: u64,
    published_refused: u64,
    fetched: u64,
    longest_turn: Span,
}

/// The parameters of a query.
#[derive(Clone, Copy)]
struct Params<'q>(&'q str);

/// A parameter that says nothing.
struct BadParam;

impl BadParam {
    fn say(&self, body: &mut Vec<u8>) -> Page {
        let what = "info_hash is neither 40 hexadecimal digits nor 20 bytes, percent-coded";
        plain(Status::BadRequest, what, body)
    }
}

impl<'q> Params<'q> {
    /// The decoded value of a parameter; empty if it is not there or cannot be decoded.
    fn text(self, name: &str) -> String {
        let decoded = self.get(name).and_then(|value| query::decode(value.as_bytes()));
        String::from_utf8_lossy(&decoded.unwrap_or_default()).into_owned()
    }

    fn number(self, name: &str) -> Option<u64> {
        let digits = self.get(name)?;
        digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok())?
    }

    /// An info-hash in either of the ways that people write it.
    fn hash(self, name: &str) -> Result<Option<InfoHash>, BadParam> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let coded = || query::decode_exactly(value.as_bytes()).map(InfoHash);
        InfoHash::parse_hex(value).or_else(coded).map(Some).ok_or(BadParam)
    }

    fn get(self, name: &str) -> Option<&'q str> {
        query::pairs(self.0).find(|(found, _)| *found == name).map(|(_, value)| value)
    }
}

fn errand(request: &Request<'_>, info_hash: InfoHash, work: Work) -> Errand {
    let Request { method, keep_alive, .. } = *request;
    Errand { info_hash, work, keep_alive, is_head: method == "HEAD" }
}

fn published(hash: InfoHash, entry: &Entry, new: bool, body: &mut Vec<u8>) -> Page {
    let shown = listing::Published {
        info_hash: hash.to_string(),
        name: entry.name.clone(),
        new,
        private: entry.private,
        torrent: torrent_path(hash),
    };
    json(if new { Status::Created } else { Status::Ok }, &shown, body)
}

fn unwelcome(why: &Unwelcome, body: &mut Vec<u8>) -> Page {
    match why {
        Unwelcome::TooMany => plain(Status::TooManyRequests, "come back in an hour", body),
        Unwelcome::Full => plain(Status::InsufficientStorage, "the library is full", body),
        Unwelcome::TooLarge => plain(Status::ContentTooLarge, "the .torrent is too large", body),
        Unwelcome::Malformed(malformed) => {
            plain(Status::BadRequest, &format!("not a usable torrent: {malformed}"), body)
        }
    }
}

fn torrent_path(hash: InfoHash) -> String {
    format!("/torrents/{hash}.torrent")
}

fn show_holder(holder: &Holder) -> listing::Holder {
    let digits = holder.have.as_bytes().iter().map(|byte| format!("{byte:02x}"));
    listing::Holder {
        addr: holder.addr.to_string(),
        seed: false,
        have: holder.have.count(),
        bits: Some(digits.collect()),
    }
}

fn addrs(found: &Found) -> impl Iterator<Item = SocketAddr> {
    let v4 = found.peers.chunks_exact(6).filter_map(compact_peer);
    v4.chain(found.peers6.chunks_exact(18).filter_map(compact_peer6))
}

/// A line of text for people.
fn plain(status: Status, text: &str, body: &mut Vec<u8>) -> Page {
    body.extend_from_slice(text.as_bytes());
    body.push(b'\n');
    Page { status, ..PLAIN }
}

fn json(status: Status, shown: &impl Serialize, body: &mut Vec<u8>) -> Page {
    serde_json::to_writer(&mut *body, shown).expect("numbers and texts, into a vector");
    body.push(b'\n');
    Page { status, content_type: "application/json", extra: NOSNIFF }
}

/// The text form of Prometheus: a name, perhaps a label, a number.
fn write_metrics(stats: &listing::Stats, body: &mut Vec<u8>) {
    let longest_turn = stats.longest_turn_millis as f64 / 1000.0;
    let text = format!(
        "# TYPE swarmlet_uptime_seconds gauge\nswarmlet_uptime_seconds {}\n\
         # TYPE swarmlet_torrents gauge\nswarmlet_torrents {}\n\
         # TYPE swarmlet_peers gauge\n\
         swarmlet_peers{{role=\"seed\"}} {}\nswarmlet_peers{{role=\"leecher\"}} {}\n\
         # TYPE swarmlet_library_torrents gauge\nswarmlet_library_torrents {}\n\
         # TYPE swarmlet_announces_total counter\nswarmlet_announces_total {}\n\
         # TYPE swarmlet_scrapes_total counter\nswarmlet_scrapes_total {}\n\
         # TYPE swarmlet_refused_total counter\nswarmlet_refused_total {}\n\
         # TYPE swarmlet_published_total counter\nswarmlet_published_total {}\n\
         # TYPE swarmlet_publish_refused_total counter\nswarmlet_publish_refused_total {}\n\
         # TYPE swarmlet_fetched_total counter\nswarmlet_fetched_total {}\n\
         # TYPE swarmlet_longest_turn_seconds gauge\nswarmlet_longest_turn_seconds {longest_turn:.3}\n",
        stats.uptime_secs,
        stats.torrents,
        stats.seeds,
        stats.leechers,
        stats.published,
        stats.announces,
        stats.scrapes,
        stats.refused,
        stats.published_new,
        stats.published_refused,
        stats.fetched,
    );
    body.extend_from_slice(text.as_bytes());
}

/// The methods that a path takes, as a header.
fn allowed(path: &str) -> &'static [(&'static str, &'static str)] {
    match path {
        "/announce" | "/torrents" => &[("Allow", "GET, HEAD, POST")],
        _ => &[("Allow", "GET, HEAD")],
    }
}

const PLAIN: Page = Page::PLAIN;
const TORRENT: Page =
    Page { status: Status::Ok, content_type: "application/x-bittorrent", extra: NOSNIFF };
const METRICS: Page =
    Page { status: Status::Ok, content_type: "text/plain; version=0.0.4", extra: NOSNIFF };

/// Whatever is in there, no browser shall take it for a web page.
const NOSNIFF: &[(&str, &str)] = &[("X-Content-Type-Options", "nosniff")];

const NO_TORRENT: &str = "no such torrent was published here";
const BLOCKED: &str = "this torrent is blocked here";
