//! Web: how the reactor gets a connection to a web seed.
//!
//! ```text
//!  Output::CallWeb ─▶ resolving ─▶ connecting ─┬─▶ Open, WebConnected ─▶ (as with every peer)
//!                        │            ▲        └─ refused, late ─┐
//!                        │            └───── next address ───────┤
//!                        └──────────────── none ─────────────────┴─▶ WebFailed
//! ```
//! From then on it is a connection like a peer's: received from, flushed, throttled in the same
//! lists; only its `Voice` is another one.
//!
//! # Limits
//! Those of the engine: `WEBS_AT_ONCE_MAX` for each torrent; `CALL_ADDRS_MAX` addresses.
//!
//! # Spec
//! BEP 19.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

use super::conn::{Kind, canonical};
use super::peer_io::{PeerConn, Stage};
use super::reactor::Reactor;
use super::resolver::{Lookup, Resolved};
use crate::base::limits::CALL_ADDRS_MAX;
use crate::base::{ConnId, TorrentId};
use crate::engine::{Closed, Input};
use crate::format::query::TrackerUrl;
use crate::wire::{Voice, Web};

/// A web seed that is being called.
#[derive(Debug)]
pub(super) struct Calling {
    pub(super) torrent: TorrentId,
    pub(super) web: usize,
    url: TrackerUrl,
    /// Who redirected us to it.
    sent_by: Option<IpAddr>,
    /// Where to try next.
    others: VecDeque<SocketAddr>,
    /// The connection that is being opened; `None`: the name is being looked up.
    conn: Option<ConnId>,
}

impl Reactor {
    /// Begins to call. However it ends, the engine hears of it in a later turn.
    pub(super) fn call_web(
        &mut self,
        torrent: TorrentId,
        web: usize,
        url: &str,
        sent_by: Option<IpAddr>,
    ) {
        let Ok(url) = TrackerUrl::parse_any(url) else {
            return self.done.push_back(Input::WebFailed { torrent, web });
        };
        let host = url.host.clone();
        let calling = Calling { torrent, web, url, sent_by, others: VecDeque::new(), conn: None };
        match self.resolver.look(self.now, &host) {
            Lookup::Found(addrs) => self.dial_web(calling, &addrs),
            Lookup::Waiting => self.webs.push(calling),
            Lookup::Failed(_) | Lookup::Busy => self.fail_web(&calling),
        }
    }

    /// A name became addresses, or did not.
    pub(super) fn on_web_resolved(&mut self, resolved: &Resolved) {
        let is_it = |calling: &Calling| calling.conn.is_none() && calling.url.host == resolved.host;
        let (waited, others) = std::mem::take(&mut self.webs).into_iter().partition(is_it);
        self.webs = others;
        let waited: Vec<Calling> = waited;
        for calling in waited {
            match &resolved.result {
                Ok(addrs) => self.dial_web(calling, addrs),
                Err(_) => self.fail_web(&calling),
            }
        }
    }

    fn dial_web(&mut self, mut calling: Calling, addrs: &[IpAddr]) {
        let may = |addr: &&IpAddr| calling.url.may_seed_at(**addr, calling.sent_by).is_ok();
        let port = calling.url.port;
        let allowed = addrs.iter().filter(may).take(CALL_ADDRS_MAX);
        calling.others = allowed.map(|&ip| canonical(SocketAddr::new(ip, port))).collect();
        self.dial_next_web(calling);
    }

    fn dial_next_web(&mut self, mut calling: Calling) {
        let torrent = calling.torrent;
        while let Some(addr) = calling.others.pop_front() {
            let opened = self.dial_out(addr).and_then(|stream| {
                let mut conn = PeerConn::new(self.now, stream, addr, Stage::Calling);
                conn.voice = Voice::Web(Box::new(Web::new(calling.url.clone())));
                conn.torrent = Some(torrent);
                self.table.open(Kind::Peer(conn))
            });
            if let Ok(id) = opened {
                self.connecting.renew(self.now, id);
                calling.conn = Some(id);
                return self.webs.push(calling);
            }
        }
        self.fail_web(&calling);
    }

    /// The server has ended a connection. Returns whether it is called again, without a word to the
    /// engine: that is how some end every answer.
    pub(super) fn call_web_again(&mut self, id: ConnId) -> bool {
        let Some(peer) = self.table.peer(id).filter(|peer| peer.stage == Stage::Open) else {
            return false;
        };
        let Voice::Web(web) = &mut peer.voice else { return false };
        if !web.begin_again() {
            return false;
        }
        peer.stage = Stage::Calling;
        peer.ready.readable = false;
        peer.ready.writable = false;
        peer.ready.hung_up = false;
        let addr = peer.addr;
        let called = self.dial_out(addr).and_then(|stream| self.table.exchange(id, stream));
        self.connecting.renew(self.now, id);
        if called.is_err() {
            self.on_connect_failed(id);
        }
        true
    }

    /// A connect that was begun has succeeded.
    pub(super) fn on_web_connected(&mut self, id: ConnId, addr: SocketAddr) {
        // Who was called again is known.
        let Some(Calling { torrent, web, .. }) = self.take_calling(id) else { return };
        self.tell(Input::WebConnected { conn: id, torrent, web, addr });
    }

    /// A connect that was begun has not succeeded; its connection is gone.
    pub(super) fn on_web_unreachable(&mut self, id: ConnId) {
        match self.take_calling(id) {
            Some(calling) => self.dial_next_web(calling),
            None => self.tell(Input::Closed { conn: id, why: Closed::Broken }),
        }
    }

    fn take_calling(&mut self, id: ConnId) -> Option<Calling> {
        let at = self.webs.iter().position(|calling| calling.conn == Some(id))?;
        Some(self.webs.swap_remove(at))
    }

    fn fail_web(&mut self, calling: &Calling) {
        let Calling { torrent, web, .. } = *calling;
        self.done.push_back(Input::WebFailed { torrent, web });
    }
}
