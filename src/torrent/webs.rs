//! Webs: web servers that have the torrent's files, and when to call which.
//!
//! ```text
//!            resolved, connected            refused, moved, gone
//!   resting ────────────────────▶ connected ────────────────────▶ resting, for longer each time
//!      └─ calling ─ no ─▶ resting              └─ sent bad data ─▶ never again
//! ```
//! A web server is a peer that has everything and chokes nobody: once it is connected, it has a
//! session like all others, and whatever decides what to ask of whom decides here, too. It takes
//! nothing, so no choker ever looks at it.
//!
//! # Limits
//! `WEBS_AT_ONCE_MAX` connections for each torrent: a file that lies on sixty mirrors is not
//! fetched from sixty.
//!
//! # Why
//! Servers close idle connections, and some close after every answer. That is no failure as long
//! as something came: such a one is called again at once.
//!
//! # Spec
//! BEP 19.

use std::net::{IpAddr, SocketAddr};

use super::{State, Torrent};
use crate::base::limits::{
    REDIRECTS_MAX, WEB_REQUESTS_MIN, WEB_REST_MAX, WEB_REST_MIN, WEB_REST_REFUSED, WEBS_AT_ONCE_MAX,
};
use crate::base::{Bits, ConnId, Time};
use crate::border::Output;
use crate::format::client::WEB_SEED;
use crate::peer::Session;

/// The web servers of one torrent.
#[derive(Debug, Default)]
pub struct Webs {
    webs: Vec<Web>,
}

#[derive(Debug)]
struct Web {
    /// As it is asked now: a redirect may have changed it.
    url: String,
    state: Stand,
    failures: u32,
    moves: u32,
    /// Who sent us there.
    sent_by: Option<IpAddr>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stand {
    Resting {
        until: Time,
    },
    Calling,
    Connected(ConnId),
    /// It sent bad data.
    Banned,
}

impl Webs {
    pub fn new(urls: &[String]) -> Webs {
        let web = |url: &String| Web {
            url: url.clone(),
            state: Stand::Resting { until: Time::START },
            failures: 0,
            moves: 0,
            sent_by: None,
        };
        Webs { webs: urls.iter().map(web).collect() }
    }

    /// Whom to call now, if anyone: its number and URL, and who sent us there.
    pub fn next(&mut self, now: Time) -> Option<(usize, String, Option<IpAddr>)> {
        if self.busy() >= WEBS_AT_ONCE_MAX {
            return None;
        }
        let is_due = |web: &Web| matches!(web.state, Stand::Resting { until } if until <= now);
        let number = self.webs.iter().position(is_due)?;
        let web = &mut self.webs[number];
        web.state = Stand::Calling;
        Some((number, web.url.clone(), web.sent_by))
    }

    /// When somebody may be called.
    pub fn deadline(&self) -> Option<Time> {
        if self.busy() >= WEBS_AT_ONCE_MAX {
            return None;
        }
        let due = |web: &Web| match web.state {
            Stand::Resting { until } => Some(until),
            Stand::Calling | Stand::Connected(_) | Stand::Banned => None,
        };
        self.webs.iter().filter_map(due).min()
    }

    fn busy(&self) -> usize {
        let is_busy = |web: &&Web| matches!(web.state, Stand::Calling | Stand::Connected(_));
        self.webs.iter().filter(is_busy).count()
    }

    pub fn on_connected(&mut self, number: usize, conn: ConnId) {
        self.webs[number].state = Stand::Connected(conn);
    }

    /// Whether this is a connection to one of them.
    pub fn has(&self, conn: ConnId) -> bool {
        self.webs.iter().any(|web| web.state == Stand::Connected(conn))
    }

    /// It could not be reached.
    pub fn on_failed(&mut self, now: Time, number: usize) {
        self.webs[number].rest(now);
    }

    /// It sends us elsewhere; the connection is closed next.
    pub fn on_moved(&mut self, conn: ConnId, url: String, sent_by: Option<IpAddr>) {
        if let Some(web) = self.of(conn) {
            web.url = url;
            web.sent_by = sent_by;
            web.moves += 1;
        }
    }

    /// It has not what we want: no use in asking again soon. The connection is closed next.
    pub fn on_refused(&mut self, now: Time, conn: ConnId) {
        if let Some(web) = self.of(conn) {
            web.failures += 1;
            web.state = Stand::Resting { until: now + WEB_REST_REFUSED };
        }
    }

    /// A connection is gone, perhaps one of these. `useful`: something came.
    pub fn on_gone(&mut self, now: Time, conn: ConnId, useful: bool, is_banned: bool) {
        let Some(web) = self.of(conn) else { return };
        if is_banned {
            web.state = Stand::Banned;
        } else if useful || (1..=REDIRECTS_MAX).contains(&web.moves) {
            // A chain of redirects begins anew once something came.
            web.moves = if useful { 0 } else { web.moves };
            web.failures = 0;
            web.state = Stand::Resting { until: now };
        } else {
            web.rest(now);
        }
    }

    fn of(&mut self, conn: ConnId) -> Option<&mut Web> {
        self.webs.iter_mut().find(|web| web.state == Stand::Connected(conn))
    }
}

impl Web {
    fn rest(&mut self, now: Time) {
        let rest = WEB_REST_MIN.times(1 << self.failures.min(10)).min(WEB_REST_MAX);
        self.failures += 1;
        self.state = Stand::Resting { until: now + rest };
    }
}

impl Torrent {
    /// Whether a web server would be of use.
    fn wants_webs(&self) -> bool {
        let is_awake = self.state == State::Active && !self.will.asleep && !self.turn.waits;
        is_awake && self.pause.is_none() && !(self.picker.is_empty() && self.pieces.is_empty())
    }

    pub(super) fn webs_deadline(&self) -> Option<Time> {
        if self.wants_webs() { self.webs.deadline() } else { None }
    }

    /// Calls whoever is to be called.
    pub(super) fn mind_webs(&mut self, now: Time, out: &mut Vec<Output>) {
        while self.wants_webs()
            && let Some((web, url, sent_by)) = self.webs.next(now)
        {
            out.push(Output::CallWeb { torrent: self.id, web, url, sent_by });
        }
    }

    /// A web server takes requests: a session begins in which there is nothing to be told.
    pub fn on_web(
        &mut self,
        now: Time,
        conn: ConnId,
        web: usize,
        addr: SocketAddr,
        out: &mut Vec<Output>,
    ) {
        self.webs.on_connected(web, conn);
        let pieces = self.layout().piece_count();
        let mut session = Session::new(now, addr, WEB_SEED, false, pieces);
        session.have = Bits::all(pieces);
        session.them.choking = false;
        session.pipeline.keep_above(WEB_REQUESTS_MIN);
        self.picker.on_join(&session.have);
        self.peers.insert(conn, Box::new(session));
        self.tick_soon(now);
        self.mind_interest(now, conn, out);
        self.fill(now, conn, out);
    }

    pub fn on_web_failed(&mut self, now: Time, web: usize) {
        self.webs.on_failed(now, web);
    }

    pub fn on_web_moved(&mut self, conn: ConnId, url: String) {
        let sent_by = self.peers.get(&conn).map(|session| session.addr.ip());
        self.webs.on_moved(conn, url, sent_by);
    }

    pub fn on_web_refused(&mut self, now: Time, conn: ConnId) {
        self.webs.on_refused(now, conn);
    }

    /// How many web servers are asked for something at the moment.
    pub fn busy_webs(&self) -> usize {
        let is_busy = |(conn, session): &(ConnId, &Session)| {
            !session.pipeline.is_empty() && self.webs.has(*conn)
        };
        self.sessions().filter(is_busy).count()
    }
}
