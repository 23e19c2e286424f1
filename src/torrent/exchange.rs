//! Exchange: peers tell each other who else is there.
//!
//! Once a minute, at most, each peer that wants to hear it is told who has come and who has gone
//! since it was last told. So a swarm whose tracker has died goes on finding itself, and one with
//! a tracker needs to ask it less.
//!
//! ```text
//!   connected now, or parted with lately as seeds part ─┐
//!                                                       ├─ difference ─▶ added, dropped
//!   what this peer was told so far ─────────────────────┘
//! ```
//! Told are only those who can be called: whom we called ourselves, and who said where they
//! listen. Two seeds part at once, so a swarm of seeds would know nobody to tell of; those we
//! parted with lately are told, too.
//!
//! What is heard is hearsay. Addresses become candidates, the least trusted but for strangers; an
//! address of somebody's home network, told from outside of it, is none. Private torrents neither
//! tell nor hear: who is in there is for their tracker alone to say.
//!
//! # Limits
//! `PEX_PEERS_MAX` added and dropped in a message, `PEX_EVERY` between two, `PEX_LATELY_MAX`
//! parted seeds for `PEX_LATELY`; who talks much faster is sent away (`PEX_FLOOD_MAX`).
//!
//! # Spec
//! BEP 11.

use crate::base::order;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use super::Torrent;
use super::candidates::Source as Whence;
use crate::base::limits::{PEX_EVERY, PEX_FIRST, PEX_LATELY, PEX_LATELY_MAX};
use crate::base::{ConnId, Time};
use crate::border::Output;
use crate::peer::Session;
use crate::wire::extended::{Extension, Pex, flag};

/// What a torrent keeps for it.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    /// When the first peer is to be told.
    pub(super) due: Option<Time>,
    /// Seeds that we parted with, and until when they are told of.
    lately: VecDeque<(SocketAddr, Time)>,
}

impl Torrent {
    /// A peer said a hello: does it want to be told who is there?
    pub(super) fn mind_exchange(&mut self, now: Time, conn: ConnId) {
        let may_tell = self.identity.pex && !self.metainfo.private;
        let session = self.peers.get_mut(&conn).filter(|_| may_tell);
        let Some(extensions) = session.and_then(|session| session.extensions.as_mut()) else {
            return;
        };
        if extensions.id_of(Extension::Pex).is_some() {
            let due = *extensions.pex_due.get_or_insert(now + PEX_FIRST);
            self.exchange.due = Some(self.exchange.due.map_or(due, |already| already.min(due)));
        }
    }

    /// A person wants peers to be exchanged from now on, or (`false`) no longer.
    pub fn set_pex(&mut self, now: Time, pex: bool, out: &mut Vec<Output>) {
        if self.identity.pex == pex {
            return;
        }
        self.identity.pex = pex;
        self.exchange.due = None;
        let conns: Vec<ConnId> = self.peers.keys().copied().collect();
        for conn in conns {
            let session = self.peers.get_mut(&conn);
            if let Some(extensions) = session.and_then(|session| session.extensions.as_mut()) {
                extensions.pex_due = None;
            }
            self.say_hello(conn, out);
            self.mind_exchange(now, conn);
        }
    }

    /// Tells those whose time has come.
    pub(super) fn exchange_if_due(&mut self, now: Time, out: &mut Vec<Output>) {
        if self.exchange.due.take_if(|at| *at <= now).is_none() {
            return;
        }
        while self.exchange.lately.front().is_some_and(|(_, until)| *until <= now) {
            self.exchange.lately.pop_front();
        }
        let there = self.who_is_there();
        let mut next: Option<Time> = None;
        for (&conn, session) in self.peers.iter_mut() {
            let own = [Some(session.addr), listens_at(session)];
            let Some(extensions) = &mut session.extensions else { continue };
            let Some(due) = extensions.pex_due else { continue };
            let again = if due > now { due } else { now + PEX_EVERY };
            extensions.pex_due = Some(again);
            next = Some(next.map_or(again, |already| already.min(again)));
            if due > now {
                continue;
            }
            let others = there.iter().filter(|(addr, _)| !own.contains(&Some(*addr)));
            let news = extensions.pex_news(&others.copied().collect::<Vec<_>>());
            if let Some(message) = news.and_then(|news| extensions.pex(&news)) {
                session.last_said = now;
                out.push(Output::Send { conn, message });
            }
        }
        self.exchange.due = next;
    }

    /// Everybody whom another peer could call, with their flags; each once.
    fn who_is_there(&self) -> Vec<(SocketAddr, u8)> {
        let connected = self.peers.values().filter_map(|session| {
            let reachable = if session.dialled { flag::REACHABLE } else { 0 };
            let done = if session.is_upload_only() { flag::UPLOAD_ONLY } else { 0 };
            Some((listens_at(session)?, reachable | done))
        });
        let lately = self.exchange.lately.iter().map(|&(addr, _)| (addr, flag::UPLOAD_ONLY));
        let mut all: Vec<(SocketAddr, u8)> = connected.chain(lately).collect();
        order::sort(&mut all);
        all.dedup_by_key(|(addr, _)| *addr);
        all
    }

    /// We part with a seed, being done ourselves.
    pub(super) fn remember_seed(&mut self, now: Time, conn: ConnId) {
        let Some(addr) = self.peers.get(&conn).and_then(|session| listens_at(session)) else {
            return;
        };
        let lately = &mut self.exchange.lately;
        lately.retain(|(known, _)| *known != addr);
        if lately.len() == PEX_LATELY_MAX {
            lately.pop_front();
        }
        lately.push_back((addr, now + PEX_LATELY));
    }

    /// A peer tells who else is there.
    pub(super) fn on_pex(&mut self, now: Time, conn: ConnId, pex: &Pex) {
        let Some(session) = self.peers.get(&conn) else { return };
        if self.metainfo.private || !self.identity.pex {
            return;
        }
        let from = session.addr.ip();
        let is_done = self.is_done();
        for &(addr, flags) in &pex.added {
            let is_of_use = !is_done || flags & flag::UPLOAD_ONLY == 0;
            if is_of_use && may_tell(from, addr.ip()) {
                self.candidates.add(now, addr, Whence::Peers);
            }
        }
    }
}

/// Whether somebody at `from` may send us to `to`: not from outside to a home network or a host's
/// own services.
pub(super) fn may_tell(from: IpAddr, to: IpAddr) -> bool {
    !is_near(to) || is_near(from) && to.is_loopback() == from.is_loopback()
}

fn is_near(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// Where a peer can be called, if that is known.
pub(super) fn listens_at(session: &Session) -> Option<SocketAddr> {
    if session.dialled {
        return Some(session.addr);
    }
    let port = session.extensions.as_ref()?.said().port?;
    Some(SocketAddr::new(session.addr.ip(), port))
}
