//! Service: an HTTP request in, the bytes of the answer out.
//!
//! ```text
//!  /announce ─▶ Announce::parse ─▶ Swarm::announce ─▶ Answer::write ─┐
//!  /scrape   ─▶ Scrape::parse_query ─▶ tallies ─────▶ Scrape::write ─┼─▶ head and body
//!  others    ─▶ pages: the library, numbers, 404, 405 ───────────────┘
//! ```
//!
//! What is wrong with an announce is said as a bencoded `failure reason` with status 200: clients
//! show that to people, and take other statuses for a broken server.
//!
//! # Interface
//! `http` for each request, `tick` when `deadline` has passed. No clock, no socket, no file: the
//! caller brings them. A request that needs a file comes back as an `Errand`; whoever has carried
//! it out gets the answer from `finish`.
//!
//! # Invariants
//! `counts` says what a recount of all swarms would; `check` recounts.
//!
//! # Limits
//! `Policy::torrents_max` and `peers_max`. When one is reached, a newcomer takes the place of the
//! emptiest and oldest of a few swarms looked at, so that a flood of invented torrents washes
//! away its own. An answer holds at most `ANSWER_PEERS_MAX` peers or `FULL_SCRAPE_TORRENTS_MAX`
//! torrents.
//!
//! # Why
//! The torrents stand in an ordered tree: strangers choose the info-hashes, and nothing that they
//! choose makes a tree slow. It also keeps a sweep's place, and the keys of a scrape in order.
//!
//! # Spec
//! BEP 3, "trackers"; BEP 23, 24, 31, 48.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Bound;

use super::census::Taking;
use super::figures::Figures;
use super::holders::Holders;
use super::library::{Errand, Library};
use super::page::{Page, write_page};
use super::pages::Visited;
use super::swarm::{Found, Moment, Spot, Swarm, Visit};
use super::table::Minute;
use super::udp::{Proof, UdpCounts};
use crate::base::limits::{
    ANSWER_PEERS_MAX, FULL_SCRAPE_TORRENTS_MAX, SERVED_PEERS_MAX, SERVED_TORRENTS_MAX,
};
use crate::base::{InfoHash, Random, Set, Span, Time};
use crate::format::announce::{Announce, Answer, Event, Scrape, Tally, write_failure};
use crate::format::http::Request;

/// The rules of a tracker.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Policy {
    /// When peers shall come back; each is told up to an eighth more, so that they spread.
    pub interval: Span,
    /// How soon they may come back.
    pub min_interval: Span,
    /// Peers given to who does not say how many it wants, and to who wants more.
    pub numwant_default: u32,
    pub numwant_max: u32,
    pub torrents_max: usize,
    /// Peers of one torrent.
    pub swarm_max: usize,
    pub peers_max: usize,
    /// Whether a scrape without an info-hash lists all torrents.
    pub full_scrape: bool,
    /// Whether only torrents of the library are tracked.
    pub only_published: bool,
}

/// How much there is, and how much has been asked since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    pub torrents: usize,
    pub peers: usize,
    pub seeds: usize,
    /// Announces that were answered with peers.
    pub announces: u64,
    pub scrapes: u64,
    /// Announces and scrapes that were answered with a failure.
    pub refused: u64,
}

/// The tracker: all swarms, and the rules of this house.
#[derive(Debug)]
pub struct Service {
    pub(super) policy: Policy,
    pub(super) torrents: BTreeMap<InfoHash, Swarm>,
    pub(super) counts: Counts,
    pub(super) library: Option<Library>,
    /// Torrents that this tracker has nothing to do with.
    pub(super) blocked: Set<InfoHash>,
    pub(super) holders: Holders,
    pub(super) taking: Taking,
    pub(super) figures: Figures,
    /// Who may ask over UDP; `None`: nobody.
    pub(super) proof: Option<Proof>,
    pub(super) udp: UdpCounts,
    /// The secret of the tables' hash.
    pub(super) seed: u64,
    pub(super) random: Random,
    /// When the sweep goes on, and where: in a torrent, or behind it.
    next_sweep: Time,
    swept: Option<(InfoHash, Option<Spot>)>,
    /// Used for each answer, kept for their memory.
    pub(super) found: Found,
    body: Vec<u8>,
}

impl Service {
    /// A tracker that knows nobody. `seed`: not to be guessed by others.
    pub fn new(policy: Policy, seed: u64) -> Service {
        let mut random = Random::new(seed);
        Service {
            policy,
            torrents: BTreeMap::new(),
            counts: Counts::default(),
            library: None,
            blocked: Set::new(),
            holders: Holders::default(),
            taking: Taking::default(),
            figures: Figures::default(),
            proof: None,
            udp: UdpCounts::default(),
            seed: random.next_u64(),
            random,
            next_sweep: Time::START,
            swept: None,
            found: Found::default(),
            body: Vec::new(),
        }
    }

    /// Lets peers publish their torrents here.
    pub fn open_library(&mut self, library: Library) {
        self.library = Some(library);
    }

    /// From now on these torrents, and only these, are neither tracked, taken nor shown.
    pub fn block(&mut self, blocked: Set<InfoHash>) {
        self.blocked = blocked;
    }

    pub fn library(&self) -> Option<&Library> {
        self.library.as_ref()
    }

    /// Answers one request: appends the whole response to `answer`. `from`: who asks.
    ///
    /// If an errand is returned, nothing is appended: `finish` will, when it is done.
    pub fn http(
        &mut self,
        now: Time,
        from: SocketAddr,
        request: &Request<'_>,
        answer: &mut Vec<u8>,
    ) -> Option<Errand> {
        let mut body = std::mem::take(&mut self.body);
        body.clear();
        let page = match (request.method, request.path()) {
            ("GET" | "HEAD", "/announce") => {
                self.announce(now, from, request.query(), &mut body);
                Page::PLAIN
            }
            ("POST", "/announce") => {
                self.announce(now, from, form(request), &mut body);
                Page::PLAIN
            }
            ("GET" | "HEAD", "/scrape") => {
                self.scrape(request.query(), &mut body);
                Page::PLAIN
            }
            _ => match self.visit_page(now, from, request, &mut body) {
                Visited::Page(page) => page,
                Visited::Errand(errand) => {
                    self.body = body;
                    return Some(errand);
                }
            },
        };
        write_page(page, request.keep_alive, request.method == "HEAD", &body, answer);
        // A rare large answer shall not stay in memory for ever.
        if body.capacity() > BODY_KEPT_BYTES {
            body = Vec::new();
        }
        self.body = body;
        None
    }

    /// Forgets some of the peers that have been silent too long. To be called when `deadline` has
    /// passed; each call looks at a bounded number of slots, and goes on to the end of a table.
    pub fn tick(&mut self, now: Time) {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return;
        }
        let moment = moment(&self.policy, self.seed, &mut self.random, now);
        self.figures.has_swept = true;
        let (from, mut spot) = match self.swept.take() {
            None => (Bound::Unbounded, None),
            Some((hash, None)) => (Bound::Excluded(hash), None),
            Some((hash, Some(spot))) => (Bound::Included(hash), Some((hash, spot))),
        };
        let mut over = Vec::new();
        let mut looked = 0;
        for (hash, swarm) in self.torrents.range_mut((from, Bound::Unbounded)) {
            let before = swarm.tally();
            // It may have been forgotten meanwhile; then the one behind it begins at its beginning.
            let spot = spot.take().filter(|(of, _)| of == hash).map(|(_, spot)| spot);
            let (slots, next) =
                swarm.sweep(&moment, spot.unwrap_or_default(), SWEEP_SLOTS - looked);
            looked += slots + SWEEP_SLOTS_PER_SWARM;
            self.counts.moved(before, swarm.tally());
            if next.is_none() {
                looked += self.holders.sweep(moment.minute, moment.silence_max_mins, *hash);
                if is_over(swarm, moment.minute) {
                    over.push(*hash);
                }
            }
            if looked >= SWEEP_SLOTS {
                self.swept = Some((*hash, next));
                break;
            }
        }
        for hash in over {
            self.forget(hash);
        }
        let pause = if self.swept.is_some() { SWEEP_PAUSE } else { SWEEP_EVERY };
        self.next_sweep = now + pause;
    }

    /// When `tick` wants to be called next; `None` while nobody is known.
    pub fn deadline(&self) -> Option<Time> {
        (!self.torrents.is_empty()).then_some(self.next_sweep)
    }

    pub fn counts(&self) -> Counts {
        Counts { torrents: self.torrents.len(), ..self.counts }
    }

    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Recounts, and asserts every swarm's invariants.
    pub fn check(&self) {
        let (mut peers, mut seeds) = (0, 0);
        for swarm in self.torrents.values() {
            swarm.check(self.seed);
            peers += swarm.len();
            seeds += swarm.tally().seeds as usize;
        }
        assert_eq!((peers, seeds), (self.counts.peers, self.counts.seeds));
        assert!(self.torrents.len() <= self.policy.torrents_max);
        assert!(peers <= self.policy.peers_max);
        self.holders.check();
        // Or nobody would sweep them.
        assert!(self.holders.torrents().all(|hash| self.torrents.contains_key(&hash)));
        if let Some(library) = &self.library {
            library.check();
        }
    }

    fn announce(&mut self, now: Time, from: SocketAddr, query: &str, body: &mut Vec<u8>) {
        let announce = match Announce::parse(query) {
            Ok(announce) => announce,
            Err(bad) => return self.refuse(&bad.to_string(), None, body),
        };
        if let Some(reason) = self.turned_away(announce.info_hash) {
            return self.refuse(reason, None, body);
        }
        let addr = SocketAddr::new(from.ip().to_canonical(), announce.port);
        let visit = Visit {
            addr,
            is_seed: announce.is_seed(),
            event: announce.event,
            wanted: self.wanted(&announce),
        };
        let Some(tally) = self.visit(now, announce.info_hash, &visit) else {
            return self.refuse("the tracker is full", Some(FULL_RETRY_MINS), body);
        };
        self.counts.announces += 1;
        self.taking.note_change(now);
        let wants_have = self.note_holder(now, &announce, addr);
        let answer = Answer {
            interval_secs: self.interval_secs(),
            min_interval_secs: self.policy.min_interval.as_secs(),
            tally,
            peers: self.found.peers.as_flattened(),
            peers6: self.found.peers6.as_flattened(),
            compact: announce.compact,
            external_ip: addr.ip(),
            wants_have,
        };
        answer.write(body);
    }

    /// Why this torrent is not tracked here, if it is not.
    pub(super) fn turned_away(&self, hash: InfoHash) -> Option<&'static str> {
        if !self.blocked.is_empty() && self.blocked.contains(&hash) {
            return Some("this torrent is blocked here");
        }
        let is_published = || self.library.as_ref().is_some_and(|all| all.get(hash).is_some());
        if self.policy.only_published && !is_published() {
            return Some("only torrents that were published here are tracked");
        }
        None
    }

    /// Lets the visitor in and leaves peers for it in `found`. `None`: there is no room.
    pub(super) fn visit(&mut self, now: Time, hash: InfoHash, visit: &Visit) -> Option<Tally> {
        let has_room = self.counts.peers < self.policy.peers_max;
        // Nearly always: the torrent is known, and one look for it is enough.
        if has_room
            && let Some(swarm) = self.torrents.get_mut(&hash)
            && swarm.len() < self.policy.swarm_max
        {
            let mut moment = moment(&self.policy, self.seed, &mut self.random, now);
            return Some(let_in(swarm, &mut moment, visit, &mut self.found, &mut self.counts));
        }
        if visit.event == Event::Stopped && !self.torrents.contains_key(&hash) {
            self.found.peers.clear();
            self.found.peers6.clear();
            return Some(Tally::default());
        }
        if visit.event != Event::Stopped && !self.make_room(now, hash, visit.addr) {
            return None;
        }
        if self.torrents.is_empty() {
            self.next_sweep = now + SWEEP_EVERY;
        }
        let swarm = self.torrents.entry(hash).or_default();
        let mut moment = moment(&self.policy, self.seed, &mut self.random, now);
        Some(let_in(swarm, &mut moment, visit, &mut self.found, &mut self.counts))
    }

    /// Makes sure that this peer fits in, at the cost of another swarm if it must be.
    fn make_room(&mut self, now: Time, hash: InfoHash, addr: SocketAddr) -> bool {
        let swarm = self.torrents.get(&hash);
        let is_known = swarm.is_some_and(|swarm| swarm.has(self.seed, addr));
        let is_new_torrent = swarm.is_none();
        // Room that others make would be of no use here.
        let is_full = swarm.is_some_and(|swarm| swarm.len() >= self.policy.swarm_max);
        if is_full && !is_known {
            return false;
        }
        let has_room = |service: &Service| {
            let fits = !is_new_torrent || service.torrents.len() < service.policy.torrents_max;
            fits && (is_known || service.counts.peers < service.policy.peers_max)
        };
        if !has_room(self)
            && let Some(victim) = self.victim(now, hash)
        {
            self.forget(victim);
        }
        has_room(self)
    }

    /// The emptiest and, of those, oldest of a few swarms, but not `spared`.
    fn victim(&mut self, now: Time, spared: InfoHash) -> Option<InfoHash> {
        let mut start = [0; 20];
        self.random.fill(&mut start);
        let start = InfoHash(start);
        let minute = Minute::of(now);
        let swarms = self.torrents.range(start..).chain(self.torrents.range(..start));
        swarms
            .filter(|(hash, _)| **hash != spared)
            .take(VICTIMS_LOOKED_AT)
            .min_by_key(|(_, swarm)| (swarm.len(), u16::MAX - minute.since(swarm.heard())))
            .map(|(hash, _)| *hash)
    }

    pub(super) fn forget(&mut self, hash: InfoHash) {
        if let Some(swarm) = self.torrents.remove(&hash) {
            self.counts.moved(swarm.tally(), Tally::default());
            self.holders.forget_all(hash);
        }
    }

    fn scrape(&mut self, query: &str, body: &mut Vec<u8>) {
        let hashes = match Scrape::parse_query(query) {
            Ok(hashes) => hashes,
            Err(bad) => return self.refuse(&bad.to_string(), None, body),
        };
        if hashes.is_empty() && !self.policy.full_scrape {
            return self.refuse("a scrape of all torrents is off: name an info_hash", None, body);
        }
        self.counts.scrapes += 1;
        let all = self.torrents.iter().take(FULL_SCRAPE_TORRENTS_MAX);
        let scrape = if hashes.is_empty() {
            all.map(|(hash, swarm)| (*hash, swarm.tally())).collect()
        } else {
            let known = |hash| Some((hash, self.torrents.get(&hash)?.tally()));
            hashes.into_iter().filter_map(known).collect()
        };
        Scrape(scrape).write(body);
    }

    fn refuse(&mut self, reason: &str, retry_mins: Option<u32>, body: &mut Vec<u8>) {
        self.counts.refused += 1;
        write_failure(reason, retry_mins, body);
    }

    /// How many peers it gets at most.
    pub(super) fn wanted(&self, announce: &Announce) -> usize {
        if announce.event == Event::Stopped {
            return 0;
        }
        let wanted = announce.numwant.unwrap_or(self.policy.numwant_default);
        usize::try_from(wanted.min(self.policy.numwant_max))
            .unwrap_or(ANSWER_PEERS_MAX)
            .min(ANSWER_PEERS_MAX)
    }

    pub(super) fn interval_secs(&mut self) -> u64 {
        let secs = self.policy.interval.as_secs();
        let spread = usize::try_from(secs / 8).unwrap_or(0);
        secs + self.random.below(spread + 1) as u64
    }
}

impl Default for Policy {
    fn default() -> Policy {
        Policy {
            interval: Span::from_secs(1_800),
            min_interval: Span::from_secs(60),
            numwant_default: 50,
            numwant_max: 200,
            torrents_max: SERVED_TORRENTS_MAX,
            swarm_max: SERVED_PEERS_MAX,
            peers_max: SERVED_PEERS_MAX,
            full_scrape: false,
            only_published: false,
        }
    }
}

impl Counts {
    /// A swarm has changed from one tally to another.
    pub(super) fn moved(&mut self, before: Tally, after: Tally) {
        let peers = |tally: Tally| (tally.seeds + tally.leechers) as usize;
        self.peers = self.peers + peers(after) - peers(before);
        self.seeds = self.seeds + after.seeds as usize - before.seeds as usize;
    }
}

/// Takes an announce of a peer for which there is room.
fn let_in(
    swarm: &mut Swarm,
    moment: &mut Moment<'_>,
    visit: &Visit,
    found: &mut Found,
    counts: &mut Counts,
) -> Tally {
    let before = swarm.tally();
    swarm.announce(moment, visit, found);
    let after = swarm.tally();
    counts.moved(before, after);
    after
}

/// Who has missed one announce by half an interval is gone.
pub(super) fn moment<'r>(
    policy: &Policy,
    seed: u64,
    random: &'r mut Random,
    now: Time,
) -> Moment<'r> {
    let mins = policy.interval.as_secs().saturating_mul(3).div_ceil(2 * 60);
    let silence_max_mins = u16::try_from(mins).unwrap_or(u16::MAX).clamp(2, SILENCE_MINS_MAX);
    Moment { minute: Minute::of(now), silence_max_mins, seed, random }
}

/// Whether nothing is lost with a swarm: it is empty, and its count of downloads is none or old.
pub(super) fn is_over(swarm: &Swarm, minute: Minute) -> bool {
    swarm.is_empty()
        && (swarm.tally().completed == 0 || minute.since(swarm.heard()) > EMPTY_KEPT_MINS)
}

/// The parameters of an announce by POST: the body's, or the target's if there is none.
fn form<'r>(request: &Request<'r>) -> &'r str {
    match std::str::from_utf8(request.body) {
        Ok("") | Err(_) => request.query(),
        Ok(form) => form.trim_ascii(),
    }
}

/// A round over all swarms begins this often; a peer's silence is measured in minutes.
const SWEEP_EVERY: Span = Span::from_secs(60);
/// Within a round: slots looked at in one call (some 50 µs), and the pause between two calls.
const SWEEP_SLOTS: usize = 16 * 1024;
const SWEEP_PAUSE: Span = Span::from_millis(50);
/// What a swarm costs beside its slots.
const SWEEP_SLOTS_PER_SWARM: usize = 16;

/// Longest silence that stamps can tell from a short one, with room for a slow sweep.
const SILENCE_MINS_MAX: u16 = 10_000;
/// An empty swarm's count of downloads is kept for a day.
const EMPTY_KEPT_MINS: u16 = 24 * 60;

/// Memory for bodies that is kept from one answer to the next.
const BODY_KEPT_BYTES: usize = 64 * 1024;

/// Swarms that are compared when one has to go.
const VICTIMS_LOOKED_AT: usize = 16;
/// When who found no room may try again.
const FULL_RETRY_MINS: u32 = 15;
