//! Candidates: addresses where a peer might be, and whom to call next.
//!
//! A tracker names addresses, peers tell of others, a person gives some by hand, and strangers
//! who called us leave theirs. Most of them lead nowhere: behind a router, switched off, full. So
//! each is tried, and tried again ever more rarely:
//!
//! ```text
//!            next                 on_connected
//!   Idle ───────────▶ Dialling ───────────────▶ Connected
//!    ▲                    │ on_failed               │ on_closed(useful or not)
//!    └──── waits a while ─┴─────────────────────────┘
//!          1 min × (failures + 1); nothing after three failures
//! ```
//! An address that a person gave is different: there is a will behind it. It is called first,
//! called again within a second or two, and never given up.
//!
//! # Interface
//! `add` what anybody names; `next` when there is room for a connection and `deadline` has
//! passed; then exactly one of `on_connected` (and later `on_closed`) or `on_failed`.
//!
//! `set_us` as soon as others say what our address is.
//!
//! # Invariants
//! addresses differ · none is ours or banned · at most `CANDIDATES_MAX` of them.
//!
//! # Limits
//! `CANDIDATES_MAX`, `BANS_MAX`, `REDIAL_AFTER`, `DIAL_FAILURES_MAX`.
//!
//! # Why
//! Between equals the one goes first whose `priority` with us is highest: a peer that is full would
//! rather keep us than others. Any order of our own (by address, say) would be everybody's order,
//! and the whole swarm would call the same few peers; this one is another for everybody. While we
//! do not know our own address, the one named first is called first.
//!
//! # Spec
//! BEP 40 for that order.

use std::cmp::Reverse;
use std::net::{IpAddr, SocketAddr};

use super::priority::priority;
use crate::base::limits::{BANS_MAX, CANDIDATES_MAX, DIAL_FAILURES_MAX, REDIAL_AFTER};
use crate::base::{Span, Time};

/// How long an address given by hand waits after so many failures; then always the last.
const BY_HAND_WAITS_SECS: [u64; 7] = [1, 2, 5, 10, 20, 40, 60];

/// Our own addresses that we remember. A host has a few; more would be somebody's game.
const OWN_ADDRS_MAX: usize = 16;

/// Who named an address, the least trusted first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Source {
    /// They called us from there. Their own port may be another one, so one call must do.
    Incoming,
    /// A node of the DHT, whom nobody vouches for.
    Dht,
    /// Another peer told of it (BEP 11): hearsay.
    Peers,
    /// They called out in our network (BEP 14): near, and fast.
    Local,
    Tracker,
    ByHand,
}

/// The addresses of one torrent.
#[derive(Debug, Default)]
pub struct Candidates {
    /// Sorted by address.
    known: Vec<Candidate>,
    /// Hosts, as `host` names them, in the order of their bans.
    banned: Vec<SocketAddr>,
    own: Vec<SocketAddr>,
    /// Where others see us, in each family.
    us: [Option<SocketAddr>; 2],
    /// We need nothing any more, so seeds are of no use.
    is_complete: bool,
    /// For the order of arrival.
    arrivals: u64,
    /// When the first of those who may be called will be due.
    due: Option<Time>,
}

/// One address and what came of it.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    addr: SocketAddr,
    source: Source,
    state: State,
    /// Calls in a row that brought nothing.
    failures: u32,
    /// When we last dialled it or lost it.
    last_try: Option<Time>,
    /// Until when it must not be called.
    rests_until: Time,
    is_seed: bool,
    /// Between it and us; 0 while we do not know our own address.
    priority: u32,
    arrival: u64,
}

/// What we are doing with an address. See the drawing on top.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Idle,
    Dialling,
    Connected,
}

impl Candidates {
    pub fn new() -> Candidates {
        Candidates::default()
    }

    /// Takes an address in. Returns whether it is new.
    ///
    /// A known one that a tracker names again is forgiven one failure: somebody met it lately. One
    /// that a person names (again) is forgiven all, and due at once.
    /// Refused: port 0, addresses that are nobody's, our own, banned ones; and any, if the table
    /// is full of better ones.
    pub fn add(&mut self, now: Time, addr: SocketAddr, source: Source) -> bool {
        let addr = plain(addr);
        if !is_somebody(addr) || self.own.contains(&addr) || self.is_banned(addr) {
            return false;
        }
        let (is_new, place) = match self.place(addr) {
            Ok(at) => {
                self.known[at].name_again(now, source);
                (false, Some(at))
            }
            Err(_) => {
                let priority = self.priority_of(addr);
                let arrival = self.arrivals;
                let candidate = Candidate::new(now, addr, source, arrival);
                (self.insert(Candidate { priority, ..candidate }), self.place(addr).ok())
            }
        };
        // Peers name hundreds to each other: to look at all of them for each is worth avoiding.
        // Whoever is named can only be due sooner than before; a person's word, and somebody
        // thrown out, may change more.
        match place {
            Some(at) if source != Source::ByHand && self.known.len() < CANDIDATES_MAX => {
                let due = self.known[at].due(self.is_complete);
                self.due = self.due.into_iter().chain(due).min();
            }
            Some(_) | None => self.look_ahead(),
        }
        is_new
    }

    /// Picks whom to call now, and counts on the caller to dial it. `None`: nobody is due.
    ///
    /// By hand before others; then fewest failures, longest untried, best source, highest
    /// priority, first named.
    pub fn next(&mut self, now: Time) -> Option<SocketAddr> {
        let is_due = |candidate: &&mut Candidate| {
            candidate.due(self.is_complete).is_some_and(|due| due <= now)
        };
        let chosen = self.known.iter_mut().filter(is_due).min_by_key(|c| c.rank())?;
        chosen.state = State::Dialling;
        chosen.last_try = Some(now);
        let addr = chosen.addr;
        self.look_ahead();
        Some(addr)
    }

    /// The dialled connection is open, or somebody called us from exactly this address.
    pub fn on_connected(&mut self, addr: SocketAddr) {
        self.change(addr, |candidate| candidate.state = State::Connected);
    }

    /// The dialled connection did not open.
    pub fn on_failed(&mut self, now: Time, addr: SocketAddr) {
        self.change(addr, |candidate| candidate.rest(now, candidate.failures.saturating_add(1)));
    }

    /// The connection is gone. `useful`: it brought or took at least one block, or would have.
    pub fn on_closed(&mut self, now: Time, addr: SocketAddr, useful: bool) {
        self.change(addr, |candidate| {
            let failures = if useful { 0 } else { candidate.failures.saturating_add(1) };
            candidate.rest(now, failures);
        });
    }

    /// This peer has every piece.
    pub fn on_seed(&mut self, addr: SocketAddr) {
        self.change(addr, |candidate| candidate.is_seed = true);
    }

    /// We reached ourselves at this address: never again.
    pub fn on_self(&mut self, addr: SocketAddr) {
        let addr = plain(addr);
        if !self.own.contains(&addr) && self.own.len() < OWN_ADDRS_MAX {
            self.own.push(addr);
        }
        self.known.retain(|candidate| candidate.addr != addr);
        self.look_ahead();
    }

    /// Others see us at this address, where we listen.
    pub fn set_us(&mut self, us: SocketAddr) {
        let us = plain(us);
        let family = usize::from(us.is_ipv6());
        if self.us[family] == Some(us) {
            return;
        }
        self.us[family] = Some(us);
        for candidate in self.known.iter_mut() {
            let priority = priority(us, candidate.addr);
            candidate.priority = priority.unwrap_or(candidate.priority);
        }
    }

    /// Whether we believe to be here.
    pub fn is_us(&self, ip: IpAddr) -> bool {
        self.us[usize::from(ip.is_ipv6())].is_some_and(|us| us.ip() == ip)
    }

    /// The priority of a connection between this address and us; 0 while ours is not known.
    pub fn priority_of(&self, addr: SocketAddr) -> u32 {
        let addr = plain(addr);
        let us = self.us[usize::from(addr.is_ipv6())];
        us.and_then(|us| priority(us, addr)).unwrap_or(0)
    }

    /// Whether a person named this address.
    pub fn is_by_hand(&self, addr: SocketAddr) -> bool {
        let known = self.place(plain(addr)).ok().map(|at| &self.known[at]);
        known.is_some_and(|candidate| candidate.source == Source::ByHand)
    }

    /// We have every piece that we want, or (`false`) no longer so.
    pub fn set_complete(&mut self, is_complete: bool) {
        self.is_complete = is_complete;
        self.look_ahead();
    }

    /// A person wants us to go on: nobody waits for its next call, unless it failed before.
    pub fn hurry(&mut self, now: Time) {
        for candidate in self.known.iter_mut().filter(|candidate| candidate.failures == 0) {
            candidate.rests_until = candidate.rests_until.min(now);
        }
        self.look_ahead();
    }

    /// Refuses all dealings with the host at this address, and forgets all its addresses.
    pub fn ban(&mut self, addr: SocketAddr) {
        let host = host(addr);
        if self.banned.contains(&host) {
            return;
        }
        if self.banned.len() == BANS_MAX {
            self.banned.remove(0);
        }
        self.banned.push(host);
        self.known.retain(|candidate| self::host(candidate.addr) != host);
        self.look_ahead();
    }

    /// Linear; fine for a thousand bans and a few new connections a second.
    pub fn is_banned(&self, addr: SocketAddr) -> bool {
        self.banned.contains(&host(addr))
    }

    /// When `next` will have somebody; in the past if it has. `None`: nobody is left to call.
    ///
    /// Of interest only while there is room for one more connection.
    pub fn deadline(&self) -> Option<Time> {
        self.due
    }

    /// How many addresses are known, connected ones included.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Asserts what the header promises.
    pub fn check(&self) {
        assert!(self.known.len() <= CANDIDATES_MAX, "{} candidates", self.known.len());
        assert!(self.banned.len() <= BANS_MAX && self.own.len() <= OWN_ADDRS_MAX);
        let addrs: Vec<SocketAddr> = self.known.iter().map(|candidate| candidate.addr).collect();
        assert!(addrs.is_sorted_by(|&a, &b| number(a) < number(b)), "twice, or out of order");
        for addr in addrs {
            assert!(!self.is_banned(addr), "{addr} is banned");
            assert!(!self.own.contains(&addr), "{addr} is ours");
        }
        for candidate in &self.known {
            assert_eq!(candidate.priority, self.priority_of(candidate.addr));
        }
        assert_eq!(self.due, self.first_due());
    }

    /// Finds an address: its index, or where it would be inserted.
    fn place(&self, addr: SocketAddr) -> Result<usize, usize> {
        self.known.binary_search_by_key(&number(addr), |candidate| number(candidate.addr))
    }

    /// Puts a new one in, if need be in place of the least promising. Returns whether it did.
    fn insert(&mut self, candidate: Candidate) -> bool {
        if self.known.len() == CANDIDATES_MAX && !self.make_room(candidate.source) {
            return false;
        }
        let at = self.place(candidate.addr).expect_err("the address is new");
        self.known.insert(at, candidate);
        self.arrivals += 1;
        true
    }

    /// Throws out whoever is least promising: most failures first, then the least trusted source.
    ///
    /// Someone without failures leaves only for a better source: else whoever names many
    /// addresses could wash out all the others. Nobody we are connected with or dialling leaves.
    fn make_room(&mut self, source: Source) -> bool {
        let worst = (0..self.known.len())
            .filter(|&at| {
                let candidate = &self.known[at];
                let may_leave = candidate.failures > 0 || candidate.source < source;
                let is_idle = candidate.state == State::Idle;
                is_idle && may_leave && candidate.source != Source::ByHand
            })
            .max_by_key(|&at| {
                let candidate = &self.known[at];
                (candidate.failures, Reverse(candidate.source), Reverse(candidate.arrival))
            });
        let Some(worst) = worst else { return false };
        self.known.remove(worst);
        true
    }

    /// Changes a known address; unknown ones (evicted, or never named) are nobody's concern.
    fn change(&mut self, addr: SocketAddr, change: impl FnOnce(&mut Candidate)) {
        if let Ok(at) = self.place(plain(addr)) {
            change(&mut self.known[at]);
            self.look_ahead();
        }
    }

    fn look_ahead(&mut self) {
        self.due = self.first_due();
    }

    fn first_due(&self) -> Option<Time> {
        self.known.iter().filter_map(|candidate| candidate.due(self.is_complete)).min()
    }
}

impl Candidate {
    fn new(now: Time, addr: SocketAddr, source: Source, arrival: u64) -> Candidate {
        Candidate {
            addr,
            source,
            state: State::Idle,
            failures: 0,
            last_try: None,
            rests_until: now,
            is_seed: false,
            priority: 0,
            arrival,
        }
    }

    fn name_again(&mut self, now: Time, source: Source) {
        self.source = self.source.max(source);
        match source {
            Source::Incoming | Source::Peers | Source::Local => {}
            Source::Dht | Source::Tracker => self.failures = self.failures.saturating_sub(1),
            Source::ByHand => {
                self.failures = 0;
                self.rests_until = now;
            }
        }
    }

    /// Waits for its next call: the longer, the more calls failed.
    fn rest(&mut self, now: Time, failures: u32) {
        self.state = State::Idle;
        self.failures = failures;
        self.last_try = Some(now);
        self.rests_until = now
            + match self.source {
                Source::Incoming
                | Source::Dht
                | Source::Peers
                | Source::Local
                | Source::Tracker => REDIAL_AFTER.times(u64::from(failures) + 1),
                Source::ByHand => by_hand_wait(failures),
            };
    }

    /// From when on it may be called; `None`: not at all.
    fn due(&self, is_complete: bool) -> Option<Time> {
        let is_useless = is_complete && self.is_seed;
        let failures_max = match self.source {
            Source::Incoming => 1,
            Source::Dht | Source::Peers | Source::Local | Source::Tracker => DIAL_FAILURES_MAX,
            Source::ByHand => u32::MAX,
        };
        let may_call = self.state == State::Idle && !is_useless && self.failures < failures_max;
        may_call.then_some(self.rests_until)
    }

    /// Whoever sorts lowest is called first.
    fn rank(&self) -> impl Ord + use<> {
        let is_by_hand = self.source == Source::ByHand;
        let merit = (Reverse(self.source), Reverse(self.priority));
        (!is_by_hand, self.failures, self.last_try, merit, self.arrival)
    }
}

/// The first failure waits for as long as a lost connection does.
fn by_hand_wait(failures: u32) -> Span {
    let last = BY_HAND_WAITS_SECS.len() - 1;
    let step = usize::try_from(failures.saturating_sub(1)).map_or(last, |step| step.min(last));
    Span::from_secs(BY_HAND_WAITS_SECS[step])
}

/// An IPv4 address that came in IPv6 clothes, without them: one host, one name.
fn plain(addr: SocketAddr) -> SocketAddr {
    match addr.ip() {
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(ip) => SocketAddr::new(IpAddr::V4(ip), addr.port()),
            None => addr,
        },
        IpAddr::V4(_) => addr,
    }
}

/// An address as numbers, in the order of addresses: these are compared a dozen times for every
/// address that peers tell of, and octets one by one are four times as slow to compare.
fn number(addr: SocketAddr) -> (bool, u128, u16, u32) {
    match addr {
        SocketAddr::V4(addr) => (false, u32::from(*addr.ip()).into(), addr.port(), 0),
        SocketAddr::V6(addr) => (true, u128::from(*addr.ip()), addr.port(), addr.scope_id()),
    }
}

/// What a ban is about: the host, whatever its port. On the loopback interface everybody is the
/// same host, so there a ban is about the port alone.
fn host(addr: SocketAddr) -> SocketAddr {
    let addr = plain(addr);
    if addr.ip().is_loopback() { addr } else { SocketAddr::new(addr.ip(), 0) }
}

/// Whether a connection to this address could reach one host.
fn is_somebody(addr: SocketAddr) -> bool {
    let ip = addr.ip();
    let is_broadcast = matches!(ip, IpAddr::V4(ip) if ip.is_broadcast());
    addr.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !is_broadcast
}
