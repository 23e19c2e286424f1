//! The door: who is let in, and whom we call.
//!
//! ```text
//!  Accepted ──▶ waiting ── handshake ──▶ torrent   (a torrent of ours, not us, not a twin)
//!  Connected ─▶ waiting ── handshake ──▶ torrent   (the one we called for)
//!                  └─ HANDSHAKE_TIMEOUT ─▶ closed
//! ```
//! Nobody knows what a connection is about before its handshake, so until then it belongs to no
//! torrent and waits here. Those who never say a word must not keep others out: when the waiting
//! room is full, the one who waited longest goes.
//!
//! A peer has one connection with us. While two calls may have crossed, a rule that both ends know
//! says which one goes; later the first one stays, whoever calls. Others keep the first one, too:
//! aria2 answers a second call with its handshake and hangs up, and whoever let the first one go
//! for it would have none. Nor shall a stranger who says a peer's id put an end to its connection.
//!
//! A torrent whose places are all taken still takes a newcomer whose priority is higher than that
//! of some peer that came a while ago and is of no use at the moment: that one goes. Else whoever
//! came first would keep everybody out for ever.
//!
//! # Limits
//! `HANDSHAKES_WAITING_MAX`, `DIALS_AT_ONCE_MAX`, `DIALS_PER_SECOND_MAX`, `CALLS_CROSS_MAX`;
//! connections in all and for each torrent as the `Settings` say.
//!
//! # Spec
//! BEP 3, "peer protocol", the handshake; BEP 40, who keeps a place.

use crate::base::order;
use std::net::SocketAddr;

use super::{Engine, Output};
use crate::base::limits::{
    CALLS_CROSS_MAX, DIALS_AT_ONCE_MAX, DIALS_PER_SECOND_MAX, HANDSHAKE_TIMEOUT,
    HANDSHAKES_WAITING_MAX,
};
use crate::base::{ConnId, InfoHash, Span, Time, TorrentId};
use crate::torrent::prospect::Prospect;
use crate::wire::Handshake;
use crate::wire::handshake::DHT;

/// A connection before its handshake.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waiting {
    pub(super) addr: SocketAddr,
    pub(super) since: Time,
    /// The torrent that we called for; `None` if they called us.
    wants: Option<TorrentId>,
}

/// How fast new connections may be opened: at most `DIALS_AT_ONCE_MAX` under way, and
/// `DIALS_PER_SECOND_MAX` a second, a second's worth of which may come in one burst.
#[derive(Debug)]
pub(super) struct Dials {
    pub(super) under_way: usize,
    /// When the next dial would be due if all had been evenly spaced.
    paced: Time,
    /// Which torrent was served last: they take turns.
    last: TorrentId,
}

impl Dials {
    pub(super) fn new() -> Dials {
        Dials { under_way: 0, paced: Time::START, last: TorrentId(0) }
    }
}

/// How old a connection may be for another with the same peer to have crossed it.
///
/// Whoever is called decides first, and a caller hears of it later: it must not find old by then
/// what the other end found young, or each would close another one.
fn calls_cross_for(dialled: bool) -> Span {
    if dialled { CALLS_CROSS_MAX.times(2) } else { CALLS_CROSS_MAX }
}

const DIAL_PACE: Span = Span::from_millis(1000 / DIALS_PER_SECOND_MAX as u64);

impl Engine {
    // ── Letting in ──────────────────────────────────────────────────────────────────────────

    pub(super) fn on_accepted(
        &mut self,
        now: Time,
        conn: ConnId,
        addr: SocketAddr,
        out: &mut Vec<Output>,
    ) {
        let full = self.conns.len() >= self.connections_max();
        if full || self.stopping {
            return out.push(Output::Close { conn, why: "no place left" });
        }
        // Whoever says nothing must not keep those out who would.
        let strangers = self.waiting.iter().filter(|(_, waiting)| waiting.wants.is_none());
        // On a host with few descriptors, strangers are to be few, too.
        let strangers_max = HANDSHAKES_WAITING_MAX.min(self.connections_max().div_ceil(2));
        let is_crowded = strangers.clone().count() >= strangers_max;
        let oldest = strangers.min_by_key(|(_, waiting)| waiting.since).map(|(&conn, _)| conn);
        if let Some(oldest) = oldest.filter(|_| is_crowded) {
            self.waiting.remove(&oldest);
            out.push(Output::Close { conn: oldest, why: "too many silent connections" });
        }
        self.waiting.insert(conn, Waiting { addr, since: now, wants: None });
    }

    pub(super) fn on_connected(
        &mut self,
        now: Time,
        conn: ConnId,
        id: TorrentId,
        addr: SocketAddr,
        out: &mut Vec<Output>,
    ) {
        self.dials.under_way -= 1;
        let torrent = self.torrents.get(&id).filter(|torrent| torrent.is_open());
        let sought = self.sought(id).filter(|prospect| prospect.is_open());
        let known = torrent.map(|torrent| torrent.metainfo().info_hash);
        let Some(info_hash) = known.or(sought.map(Prospect::info_hash)) else {
            if let Some(torrent) = self.torrents.get_mut(&id) {
                torrent.on_connected_in_vain(now, addr);
            }
            return out.push(Output::Close { conn, why: "no longer wanted" });
        };
        self.waiting.insert(conn, Waiting { addr, since: now, wants: Some(id) });
        out.push(Output::SendHandshake { conn, handshake: self.handshake(info_hash) });
    }

    /// Both sides have said who they are: does this conversation make sense?
    pub(super) fn on_handshake(
        &mut self,
        now: Time,
        conn: ConnId,
        theirs: Handshake,
        out: &mut Vec<Output>,
    ) {
        let Some(Waiting { addr, wants, .. }) = self.waiting.remove(&conn) else { return };
        let id = self.by_info_hash(theirs.info_hash);
        if let Err(why) = self.admit(now, id, wants, &theirs, addr, out) {
            if wants.is_none() && theirs.peer_id == self.peer_id {
                // Only the end that dialled knows the address by which we found ourselves. It
                // learns from this handshake not to dial it again.
                let handshake = self.handshake(theirs.info_hash);
                out.push(Output::SendHandshake { conn, handshake });
            }
            out.push(Output::Close { conn, why });
            wants.into_iter().for_each(|id| self.on_connect_failed(now, id, addr));
            return;
        }
        let id = id.expect("admit refuses a torrent that we do not have");
        if wants.is_none() {
            let handshake = self.handshake(theirs.info_hash);
            out.push(Output::SendHandshake { conn, handshake });
        }
        self.conns.insert(conn, id);
        let peer = (&theirs, wants.is_some());
        if let Some(torrent) = self.torrents.get_mut(&id) {
            torrent.on_peer(now, conn, addr, peer, out);
        } else if let Some(sought) = self.prospects.get_mut(&id) {
            sought.prospect.on_peer(now, conn, addr, peer, out);
        }
        if theirs.has(DHT) {
            self.say_port(conn, id, out);
        }
    }

    /// A call of ours came to nothing.
    pub(super) fn on_connect_failed(&mut self, now: Time, id: TorrentId, addr: SocketAddr) {
        if let Some(torrent) = self.torrents.get_mut(&id) {
            torrent.on_connect_failed(now, addr);
        } else if let Some(sought) = self.prospects.get_mut(&id) {
            sought.prospect.on_connect_failed(now, addr);
        }
    }

    /// Whether a peer may come in; otherwise the reason why not.
    fn admit(
        &mut self,
        now: Time,
        id: Option<TorrentId>,
        wants: Option<TorrentId>,
        theirs: &Handshake,
        addr: SocketAddr,
        out: &mut Vec<Output>,
    ) -> Result<(), &'static str> {
        let id = id.ok_or("a torrent that we do not have")?;
        if wants.is_some_and(|wanted| wanted != id) {
            return Err("another torrent than we called for");
        }
        if theirs.peer_id == self.peer_id {
            if wants.is_some() {
                self.on_self(id, addr);
            }
            return Err("it is ourselves");
        }
        let (is_welcome, has_room, twin) = self.manners_of(id, addr, theirs);
        if !is_welcome {
            return Err("not welcome");
        }
        let dialled = wants.is_some();
        if let Some((twin, twin_dialled, since)) = twin {
            // Each called the other at the same time. Both ends keep the call of the one with
            // the smaller peer id, without having to talk about it.
            let keep_ours = self.peer_id.0 < theirs.peer_id.0;
            let is_settled = now.since(since) >= calls_cross_for(dialled);
            if is_settled || dialled == twin_dialled || dialled != keep_ours {
                return Err("already connected");
            }
            out.push(Output::Close { conn: twin, why: "already connected" });
            self.on_closed(now, twin);
        } else if !has_room {
            let torrent = self.torrents.get(&id);
            let loser = torrent.and_then(|torrent| torrent.who_yields(now, addr));
            let loser = loser.ok_or("no place left")?;
            out.push(Output::Close { conn: loser, why: "yields to one of higher priority" });
            self.on_closed(now, loser);
        }
        Ok(())
    }

    /// Whether anybody from there is welcome, whether there is room, and the peer's other
    /// connection, if it has one.
    fn manners_of(
        &self,
        id: TorrentId,
        addr: SocketAddr,
        theirs: &Handshake,
    ) -> (bool, bool, Option<(ConnId, bool, Time)>) {
        match (self.torrents.get(&id), self.sought(id)) {
            (Some(torrent), _) => (
                torrent.is_open() && !torrent.is_banned(addr),
                torrent.has_room(),
                torrent.twin(theirs.peer_id),
            ),
            (None, Some(prospect)) => (
                prospect.is_open() && !prospect.is_banned(addr),
                prospect.has_room(),
                prospect.twin(theirs.peer_id),
            ),
            (None, None) => (false, false, None),
        }
    }

    /// We reached ourselves at this address.
    fn on_self(&mut self, id: TorrentId, addr: SocketAddr) {
        if let Some(torrent) = self.torrents.get_mut(&id) {
            torrent.on_self(addr);
        } else if let Some(sought) = self.prospects.get_mut(&id) {
            sought.prospect.on_self(addr);
        }
    }

    pub(super) fn on_closed(&mut self, now: Time, conn: ConnId) {
        if let Some(waiting) = self.waiting.remove(&conn) {
            let wants = waiting.wants.into_iter();
            wants.for_each(|id| self.on_connect_failed(now, id, waiting.addr));
        }
        let Some(id) = self.conns.remove(&conn) else { return };
        if let Some(torrent) = self.torrents.get_mut(&id) {
            torrent.on_gone(now, conn);
        } else if let Some(sought) = self.prospects.get_mut(&id) {
            sought.prospect.on_gone(now, conn);
        }
    }

    /// A web seed was called: there is no handshake to wait for.
    pub(super) fn on_web(
        &mut self,
        now: Time,
        conn: ConnId,
        id: TorrentId,
        (web, addr): (usize, SocketAddr),
        out: &mut Vec<Output>,
    ) {
        let Some(torrent) = self.torrents.get_mut(&id) else {
            return out.push(Output::Close { conn, why: "no longer wanted" });
        };
        if !torrent.is_open() || torrent.is_banned(addr) {
            torrent.on_web_failed(now, web);
            return out.push(Output::Close { conn, why: "no longer wanted" });
        }
        self.conns.insert(conn, id);
        torrent.on_web(now, conn, web, addr, out);
    }

    pub(super) fn forget_closed(&mut self, outputs: &[Output]) {
        for output in outputs {
            if let Output::Close { conn, .. } = output {
                self.conns.remove(conn);
                self.waiting.remove(conn);
            }
        }
    }

    /// Closes those who did not say their handshake in time.
    pub(super) fn end_waiting(&mut self, now: Time, out: &mut Vec<Output>) {
        let late = |waiting: &Waiting| now.since(waiting.since) >= HANDSHAKE_TIMEOUT;
        let conns: Vec<ConnId> =
            self.waiting.iter().filter(|(_, w)| late(w)).map(|(&conn, _)| conn).collect();
        for conn in conns {
            out.push(Output::Close { conn, why: "no handshake in time" });
            self.on_closed(now, conn);
        }
    }

    // ── Calling ─────────────────────────────────────────────────────────────────────────────

    /// Opens connections, torrents taking turns, as fast as `Dials` allows.
    pub(super) fn dial(&mut self, now: Time, out: &mut Vec<Output>) {
        while self.may_dial() && self.dial_slot() <= now {
            let mut order: Vec<TorrentId> =
                self.torrents.keys().chain(self.prospects.keys()).copied().collect();
            // Those after the one that was served last come first.
            order::sort_by_key(&mut order, |&id| (id <= self.dials.last, id));
            let found = order.into_iter().find_map(|id| Some((id, self.next_dial(now, id)?)));
            let Some((torrent, addr)) = found else { return };
            self.dials.last = torrent;
            self.dials.under_way += 1;
            self.dials.paced = self.dials.paced.max(now) + DIAL_PACE;
            out.push(Output::Connect { torrent, addr });
        }
    }

    pub(super) fn dial_deadline(&self) -> Option<Time> {
        if !self.may_dial() {
            return None;
        }
        let torrents = self.torrents.values().filter_map(|t| t.dial_deadline());
        let prospects = self.prospects.values().filter_map(|s| s.prospect.dial_deadline());
        let wanted = torrents.chain(prospects).min()?;
        Some(wanted.max(self.dial_slot()))
    }

    fn next_dial(&mut self, now: Time, id: TorrentId) -> Option<SocketAddr> {
        match self.torrents.get_mut(&id) {
            Some(torrent) => torrent.next_dial(now),
            None => self.prospects.get_mut(&id)?.prospect.next_dial(now),
        }
    }

    fn may_dial(&self) -> bool {
        let open = self.conns.len() + self.waiting.len() + self.dials.under_way;
        self.dials.under_way < DIALS_AT_ONCE_MAX && open < self.connections_max()
    }

    /// When the pace allows one more dial: a second's worth of them may come at once.
    fn dial_slot(&self) -> Time {
        Time::from_millis(self.dials.paced.as_millis().saturating_sub(1000))
    }

    fn handshake(&self, info_hash: InfoHash) -> Handshake {
        let handshake = Handshake::ours(info_hash, self.peer_id);
        if self.tells_of_dht(info_hash) { handshake.with(DHT) } else { handshake }
    }
}
