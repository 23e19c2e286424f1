//! Choker: who may download from us.
//!
//! Many peers are interested, few are served: TCP does badly with many slow streams, and a place
//! that not everyone gets is what makes giving worth something. Every ten seconds the places are
//! dealt anew, by one of two games:
//!
//! ```text
//!  as a leecher (tit for tat)               as a seed (turns)
//!  ┌──────────────────────┬────────────┐    ┌───────────────────────────────────┐
//!  │ who gives us most    │ optimistic │    │ each a minute, then whoever waits │
//!  │ every 10 s           │ every 30 s │    │ longest; newcomers first          │
//!  └──────────────────────┴────────────┘    └───────────────────────────────────┘
//!          unchoked_max places in all               unchoked_max places
//! ```
//! An optimistic place goes to anyone, by lot: how else could a newcomer, who has nothing to give
//! yet, begin, and how could we find somebody better? A place that nobody earned goes to whoever
//! wants it, at once; an empty place helps nobody.
//!
//! # Interface
//! `round` when `deadline` has passed: the answer is everyone who shall be unchoked, all others
//! are choked. `refill` whenever somebody became interested, lost interest, or left: the answer
//! is who shall be unchoked *in addition*. Nobody else unchokes or chokes.
//!
//! # Invariants
//! interested peers in places ≤ `unchoked_max` after each round · each peer has at most one place
//! · seeds have none.
//!
//! # Limits
//! `OPTIMISTIC_MAX`, `CHOKE_ROUND`, `OPTIMISTIC_ROUND`, `SEED_TURN`.
//!
//! # Why
//! A seed could serve whoever downloads fastest (BEP 3 says so). Then the same few peers keep
//! their places until they are complete, and often leave. In turns, everyone gets something that
//! the others want, the peers spread it among themselves, and the last one is done sooner.
//!
//! # Spec
//! BEP 3, the text on choking at the end of "peer messages".

use crate::base::order;
use std::cmp::Reverse;

use crate::base::limits::{CHOKE_ROUND, OPTIMISTIC_MAX, OPTIMISTIC_ROUND, SEED_TURN};
use crate::base::{ConnId, Random, Span, Time};
pub use crate::border::reason::Why;

/// A newcomer is this many times as likely to get an optimistic place (BEP 3: "three times").
const NEWCOMER_WEIGHT: usize = 3;

/// A seed's peer that took nothing in this time loses its turn, if somebody waits.
const TAKES_NOTHING: Span = CHOKE_ROUND.times(2);

/// What counts of one peer. One for each connected peer, in any (but the same) order.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    pub conn: ConnId,
    /// They want something that we have.
    pub interested: bool,
    /// Bytes per second, payload.
    pub rate_from_them: u64,
    pub rate_to_them: u64,
    /// They let us wait for blocks that we asked for (`SNUB_AFTER`).
    pub snubbing: bool,
    pub connected_at: Time,
    /// They have every piece, so they never download.
    pub is_seed: bool,
}

/// One peer that shall be unchoked, and the reason.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Choice {
    pub conn: ConnId,
    pub why: Why,
}

/// The places and who has them.
#[derive(Debug)]
pub struct Choker {
    unchoked_max: usize,
    places: Vec<Place>,
    /// When each connected peer last had a place; newcomers are those who are not in here.
    served: Vec<(ConnId, Time)>,
    next_round: Time,
    next_optimistic: Time,
    /// Nobody wants anything: no round is needed until somebody does.
    is_idle: bool,
}

/// One unchoked peer.
#[derive(Clone, Copy, Debug)]
struct Place {
    conn: ConnId,
    why: Why,
    since: Time,
}

impl Choker {
    /// `unchoked_max`: how many interested peers are served at once, at least 1.
    pub fn new(unchoked_max: usize) -> Choker {
        assert!(unchoked_max > 0, "nobody would ever be served");
        Choker {
            unchoked_max,
            places: Vec::new(),
            served: Vec::new(),
            next_round: Time::START,
            next_optimistic: Time::START,
            is_idle: true,
        }
    }

    /// Deals all places anew. Returns everyone who shall be unchoked from now on.
    ///
    /// `seeding`: we have every piece that we want. `peers`: all that are connected.
    pub fn round(
        &mut self,
        now: Time,
        seeding: bool,
        peers: &[Standing],
        random: &mut Random,
    ) -> Vec<Choice> {
        self.look_around(now, peers);
        self.next_round = now + CHOKE_ROUND;
        let choices = if seeding {
            self.take_turns(now, peers)
        } else {
            self.tit_for_tat(now, peers, random)
        };
        self.seat(now, &choices);
        choices
    }

    /// Gives away what places are free, without waiting for the round. Returns the new choices.
    pub fn refill(&mut self, now: Time, seeding: bool, peers: &[Standing]) -> Vec<Choice> {
        let was_idle = self.is_idle;
        self.look_around(now, peers);
        if was_idle && !self.is_idle && self.next_round <= now {
            self.next_round = now + CHOKE_ROUND;
        }
        let mut waiting: Vec<&Standing> =
            peers.iter().filter(|peer| self.is_waiting(seeding, peer)).collect();
        order::sort_by_key(&mut waiting, |peer| self.place_in_line(seeding, peer));
        let why = if seeding { Why::SeedTurn } else { Why::FreePlace };
        let free = self.unchoked_max.saturating_sub(self.places_taken(peers));
        let choices: Vec<Choice> =
            waiting.iter().take(free).map(|peer| Choice { conn: peer.conn, why }).collect();
        self.places.extend(choices.iter().map(|choice| Place::new(now, choice)));
        choices
    }

    /// When `round` wants to be called. `None`: not before somebody is interested.
    pub fn deadline(&self) -> Option<Time> {
        (!self.is_idle).then_some(self.next_round)
    }

    /// Why this peer is unchoked; `None` if it is choked.
    pub fn why(&self, conn: ConnId) -> Option<Why> {
        self.place_of(conn).map(|place| place.why)
    }

    /// Asserts what the header promises about `peers`, right after a round.
    pub fn check(&self, peers: &[Standing]) {
        assert!(self.places_taken(peers) <= self.unchoked_max, "{:?}", self.places);
        for (at, place) in self.places.iter().enumerate() {
            let again = self.places[at + 1..].iter().any(|other| other.conn == place.conn);
            assert!(!again, "{:?} has two places", place.conn);
        }
    }

    // ── As a leecher ────────────────────────────────────────────────────────────────────────

    fn tit_for_tat(&mut self, now: Time, peers: &[Standing], random: &mut Random) -> Vec<Choice> {
        // 1. Those who give us most, and above the last of them those who want nothing.
        let optimistic_max = self.optimistic_max();
        let mut choices = self.fastest(peers, self.unchoked_max - optimistic_max);
        // 2. Optimistic places: kept for thirty seconds, then drawn again.
        let mut optimists = self.optimists(now, peers, &choices);
        let earlier: Vec<ConnId> = self.held_by(Why::Optimistic).collect();
        while optimists.len() < optimistic_max
            && let Some(conn) = self.draw(peers, &[&choices[..], &optimists[..]], &earlier, random)
        {
            optimists.push(Choice { conn, why: Why::Optimistic });
        }
        choices.extend(optimists);
        // 3. What is left, to whoever wants it.
        let taken = choices.iter().filter(|choice| choice.why != Why::FastIdle).count();
        choices.extend(self.leftover_places(peers, &choices, self.unchoked_max - taken));
        choices
    }

    fn fastest(&self, peers: &[Standing], places: usize) -> Vec<Choice> {
        let mut givers: Vec<&Standing> = peers
            .iter()
            .filter(|peer| peer.rate_from_them > 0 && !peer.snubbing && !peer.is_seed)
            .collect();
        // Between equals, whoever has a place keeps it: no flutter.
        order::sort_by_key(&mut givers, |peer| {
            (Reverse(peer.rate_from_them), self.place_of(peer.conn).is_none(), peer.conn)
        });
        let (mut choices, mut taken) = (Vec::new(), 0);
        for peer in givers {
            if taken == places {
                break;
            }
            let why = if peer.interested { Why::Fast } else { Why::FastIdle };
            taken += usize::from(peer.interested);
            choices.push(Choice { conn: peer.conn, why });
        }
        choices
    }

    /// Who stays in an optimistic place: nobody at the end of the thirty seconds, and nobody who
    /// has earned a better one.
    fn optimists(&mut self, now: Time, peers: &[Standing], choices: &[Choice]) -> Vec<Choice> {
        if now >= self.next_optimistic {
            self.next_optimistic = now + OPTIMISTIC_ROUND;
            return Vec::new();
        }
        let may_stay = |conn: &ConnId| {
            peers.iter().any(|peer| peer.conn == *conn && wants(peer)) && !is_among(*conn, choices)
        };
        self.held_by(Why::Optimistic)
            .filter(may_stay)
            .map(|conn| Choice { conn, why: Why::Optimistic })
            .collect()
    }

    /// Draws a peer that has no place yet. Those who had an optimistic place until now step back
    /// if there is anybody else.
    fn draw(
        &self,
        peers: &[Standing],
        chosen: &[&[Choice]],
        earlier: &[ConnId],
        random: &mut Random,
    ) -> Option<ConnId> {
        let is_free = |peer: &&Standing| {
            wants(peer) && !chosen.iter().any(|choices| is_among(peer.conn, choices))
        };
        let mut hat: Vec<&Standing> = peers.iter().filter(is_free).collect();
        if hat.iter().any(|peer| !earlier.contains(&peer.conn)) {
            hat.retain(|peer| !earlier.contains(&peer.conn));
        }
        let tickets: Vec<ConnId> = hat
            .iter()
            .flat_map(|peer| {
                let is_new = self.last_served(peer.conn).is_none();
                std::iter::repeat_n(peer.conn, if is_new { NEWCOMER_WEIGHT } else { 1 })
            })
            .collect();
        (!tickets.is_empty()).then(|| tickets[random.below(tickets.len())])
    }

    fn leftover_places(&self, peers: &[Standing], chosen: &[Choice], places: usize) -> Vec<Choice> {
        let mut waiting: Vec<&Standing> = peers
            .iter()
            .filter(|peer| wants(peer) && !peer.snubbing && !is_among(peer.conn, chosen))
            .collect();
        order::sort_by_key(&mut waiting, |peer| {
            (self.place_of(peer.conn).is_none(), self.place_in_line(false, peer))
        });
        let choose = |peer: &&Standing| Choice { conn: peer.conn, why: Why::FreePlace };
        waiting.iter().take(places).map(choose).collect()
    }

    /// How many of the places go by lot. One in four, so that most are earned;
    /// a single place always does, or the first peer would keep it for ever.
    fn optimistic_max(&self) -> usize {
        (self.unchoked_max / 4).clamp(1, OPTIMISTIC_MAX)
    }

    // ── As a seed ───────────────────────────────────────────────────────────────────────────

    fn take_turns(&self, now: Time, peers: &[Standing]) -> Vec<Choice> {
        let (mut seated, mut waiting): (Vec<&Standing>, Vec<&Standing>) = peers
            .iter()
            .filter(|peer| wants(peer))
            .partition(|peer| self.place_of(peer.conn).is_some());
        order::sort_by_key(&mut waiting, |peer| self.place_in_line(true, peer));
        // Those whose turn is over stand last, the longest served at the very end: they give way
        // first, and only as many as somebody waits for.
        order::sort_by_key(&mut seated, |peer| {
            let is_over = self.is_turn_over(now, peer);
            (is_over, is_over.then_some(Reverse(self.since(peer.conn))), peer.conn)
        });
        let staying = seated.iter().filter(|peer| !self.is_turn_over(now, peer)).count();
        let newly = waiting.len().min(self.unchoked_max.saturating_sub(staying));
        seated.truncate(self.unchoked_max - newly);
        let choose = |peer: &Standing| Choice { conn: peer.conn, why: Why::SeedTurn };
        seated.into_iter().chain(waiting.into_iter().take(newly)).map(choose).collect()
    }

    fn is_turn_over(&self, now: Time, peer: &Standing) -> bool {
        let served = now.since(self.since(peer.conn));
        served >= SEED_TURN || (served >= TAKES_NOTHING && peer.rate_to_them == 0)
    }

    // ── Either way ──────────────────────────────────────────────────────────────────────────

    /// Forgets those who are gone, and notes who has a place now.
    fn look_around(&mut self, now: Time, peers: &[Standing]) {
        let is_here = |conn: ConnId| peers.iter().any(|peer| peer.conn == conn);
        self.places.retain(|place| is_here(place.conn));
        self.served.retain(|(conn, _)| is_here(*conn));
        for place in &self.places {
            match self.served.iter_mut().find(|(conn, _)| *conn == place.conn) {
                Some((_, last)) => *last = now,
                None => self.served.push((place.conn, now)),
            }
        }
        self.is_idle = !peers.iter().any(wants);
    }

    /// Puts the choices in the place of those who sat before; who stays keeps the time of coming.
    fn seat(&mut self, now: Time, choices: &[Choice]) {
        let seated = |choice: &Choice| {
            let since = self.place_of(choice.conn).map_or(now, |place| place.since);
            Place { since, ..Place::new(now, choice) }
        };
        self.places = choices.iter().map(seated).collect();
    }

    /// Whoever sorts lowest is served first: who gives most (while that counts), then who never
    /// had a place, then who has been without one longest.
    fn place_in_line(&self, seeding: bool, peer: &Standing) -> impl Ord + use<> {
        let given = if seeding { 0 } else { peer.rate_from_them };
        (Reverse(given), self.last_served(peer.conn), peer.connected_at, peer.conn)
    }

    /// Whether a free place may go to this peer. (A seed asks for nothing, so nobody snubs it.)
    fn is_waiting(&self, seeding: bool, peer: &Standing) -> bool {
        wants(peer) && (seeding || !peer.snubbing) && self.place_of(peer.conn).is_none()
    }

    /// Places held by peers who make use of them.
    fn places_taken(&self, peers: &[Standing]) -> usize {
        peers.iter().filter(|peer| wants(peer) && self.place_of(peer.conn).is_some()).count()
    }

    fn held_by(&self, why: Why) -> impl Iterator<Item = ConnId> + '_ {
        self.places.iter().filter(move |place| place.why == why).map(|place| place.conn)
    }

    fn place_of(&self, conn: ConnId) -> Option<&Place> {
        self.places.iter().find(|place| place.conn == conn)
    }

    fn since(&self, conn: ConnId) -> Time {
        self.place_of(conn).map_or(Time::START, |place| place.since)
    }

    fn last_served(&self, conn: ConnId) -> Option<Time> {
        self.served.iter().find(|(served, _)| *served == conn).map(|(_, last)| *last)
    }
}

impl Place {
    fn new(now: Time, choice: &Choice) -> Place {
        Place { conn: choice.conn, why: choice.why, since: now }
    }
}

/// Whether a place would be of any use to this peer.
fn wants(peer: &Standing) -> bool {
    peer.interested && !peer.is_seed
}

fn is_among(conn: ConnId, choices: &[Choice]) -> bool {
    choices.iter().any(|choice| choice.conn == conn)
}
