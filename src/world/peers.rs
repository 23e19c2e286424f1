//! Peers: the reactor's part of peer connections, from the first packet to the last.
//!
//! ```text
//!  accept ──────────────────────┐
//!                               ▼
//!  connect ─▶ Connecting ────▶ Open ──── the engine says `Close` ─▶ Closing ─ one flush ─▶ gone
//!                 │             └─ end, error, violation ─▶ gone, `Closed`
//!                 └─ refused, too late ─▶ gone, `ConnectFailed`
//! ```
//!
//! The poll is edge-triggered: it says once that a socket is readable, and not again before we
//! have read it empty. So two lists remember who can go on: `receive_list` and `flush_list`. As
//! long as one of them is not empty, the next poll does not wait.
//!
//! Where a person set a limit, whoever may not go on moves to a third and a fourth list, and back
//! when the limit allows more.
//!
//! # Invariants
//! A connection is in a list, throttled or not, exactly if its flag says so, and at most once.
//!
//! # Limits
//! Each connection receives one buffer full per turn and sends one; all of them together receive
//! `RECEIVE_BYTES_PER_TURN`, those who were served least lately first.

use crate::base::order;
use std::net::SocketAddr;

use mio::net::TcpStream;

use super::conn::Kind;
use super::http_call::connected;
use super::peer_io::{self, FlushEnd, PeerConn, Received, Stage};
use super::reactor::Reactor;
use crate::base::limits::{CONNECT_TIMEOUT, RECEIVE_BYTES_PER_TURN};
use crate::base::{ConnId, Time, TorrentId};
use crate::engine::{self, Closed, DiskFault, Input, Throttle, Way};
use crate::wire::{Speech, Violation};

/// What an event says about a socket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Readiness {
    pub readable: bool,
    pub writable: bool,
    pub hung_up: bool,
}

/// Connections that wait for a limit to allow more.
#[derive(Debug, Default)]
pub(super) struct Throttled {
    pub receive_list: Vec<ConnId>,
    pub flush_list: Vec<ConnId>,
    /// `None`: nobody waits.
    pub until: Option<Time>,
}

impl Reactor {
    /// Takes a connection that was just accepted.
    pub(super) fn on_peer_accepted(&mut self, stream: TcpStream, addr: SocketAddr) {
        // A socket that refuses the option works without.
        let _ = stream.set_nodelay(true);
        let peer = PeerConn::new(self.now, stream, addr, Stage::Open);
        if let Ok(conn) = self.table.open(Kind::Peer(peer)) {
            self.tell(Input::Accepted { conn, addr });
        }
    }

    /// Begins to connect. However it ends, the engine hears of it in a later turn.
    pub(super) fn connect(&mut self, torrent: TorrentId, addr: SocketAddr) {
        let opened = self.dial_out(addr).and_then(|stream| {
            let stage = Stage::Connecting(torrent);
            self.table.open(Kind::Peer(PeerConn::new(self.now, stream, addr, stage)))
        });
        match opened {
            Ok(id) => self.connecting.renew(self.now, id),
            // No descriptor left, no route, not an address that TCP knows: all the same to them.
            Err(_) => self.done.push_back(Input::ConnectFailed { torrent, addr }),
        }
    }

    pub(super) fn on_peer_event(&mut self, id: ConnId, is: Readiness) {
        let Some(peer) = self.table.peer(id) else { return };
        peer.ready.readable |= is.readable;
        peer.ready.writable |= is.writable;
        peer.ready.hung_up |= is.hung_up;
        match peer.stage {
            Stage::Connecting(_) | Stage::Calling => self.on_connect_event(id),
            Stage::Open => {
                self.mark_receive(id);
                self.mark_flush(id);
            }
            Stage::Closing => {}
        }
    }

    /// Receives from everybody who is ready, as long as the turn's budget lasts.
    pub(super) fn receive_from_peers(&mut self) {
        let (table, now) = (&mut self.table, self.now);
        let mut list = std::mem::take(&mut self.receive_list);
        // The sort is stable: among equals, who waited longer comes first.
        order::sort_by_key(&mut list, |&id| table.peer(id).map_or(0, |peer| peer.served.get(now)));
        let mut budget_bytes = RECEIVE_BYTES_PER_TURN;
        for id in list {
            if budget_bytes == 0 {
                self.receive_list.push(id);
                continue;
            }
            budget_bytes = budget_bytes.saturating_sub(self.receive_from(id));
        }
    }

    /// Flushes everybody who has something to send and can, once.
    pub(super) fn flush_peers(&mut self) {
        for id in std::mem::take(&mut self.flush_list) {
            self.flush_peer(id);
        }
    }

    /// Lets those who wait for a limit try again, before those who do not.
    pub(super) fn end_throttling(&mut self) {
        if self.throttled.until.take_if(|until| *until <= self.now).is_some() {
            self.receive_list.splice(0..0, self.throttled.receive_list.drain(..));
            self.flush_list.splice(0..0, self.throttled.flush_list.drain(..));
        }
    }

    /// Gives up on connects that took too long.
    pub(super) fn expire_connects(&mut self) {
        while let Some((id, since)) = self.connecting.front()
            && self.now.since(since) >= CONNECT_TIMEOUT
        {
            self.on_connect_failed(id);
        }
    }

    pub(super) fn connects_deadline(&self) -> Option<Time> {
        self.connecting.front().map(|(_, since)| since + CONNECT_TIMEOUT)
    }

    /// The engine is done with a connection.
    pub(super) fn close_peer(&mut self, id: ConnId) {
        let Some(peer) = self.table.peer(id) else { return };
        match peer.stage {
            Stage::Connecting(_) | Stage::Calling => {
                self.connecting.leave(id);
                self.table.close(id);
            }
            // At once, for whoever waits to be accepted may need its descriptor in this turn.
            Stage::Open if peer.voice.is_idle() => drop(self.table.close(id)),
            Stage::Open | Stage::Closing => {
                peer.stage = Stage::Closing;
                self.mark_flush(id);
            }
        }
    }

    /// Remembers that this link may have something to send.
    pub(super) fn mark_flush(&mut self, id: ConnId) {
        let Some(peer) = self.table.peer(id) else { return };
        let can = match peer.stage {
            Stage::Connecting(_) | Stage::Calling => false,
            // Behind a full socket, too much to say is a reason to look once more, and to end it.
            Stage::Open if peer.voice.is_overfull() => true,
            Stage::Open => peer.ready.writable && !peer.voice.is_idle(),
            Stage::Closing => true,
        };
        if can && !peer.ready.in_flush_list {
            peer.ready.in_flush_list = true;
            self.flush_list.push(id);
        }
    }

    fn mark_receive(&mut self, id: ConnId) {
        let Some(peer) = self.table.peer(id) else { return };
        let can = peer.stage == Stage::Open && peer.ready.readable;
        if can && !peer.ready.in_receive_list {
            peer.ready.in_receive_list = true;
            self.receive_list.push(id);
        }
    }

    fn on_connect_event(&mut self, id: ConnId) {
        let Some(peer) = self.table.peer(id) else { return };
        match connected(&peer.stream) {
            Ok(false) => {}
            Ok(true) => {
                let _ = peer.stream.set_nodelay(true);
                let stage = std::mem::replace(&mut peer.stage, Stage::Open);
                let addr = peer.addr;
                self.connecting.leave(id);
                match stage {
                    Stage::Connecting(torrent) => {
                        self.tell(Input::Connected { conn: id, torrent, addr });
                    }
                    Stage::Calling => self.on_web_connected(id, addr),
                    Stage::Open | Stage::Closing => unreachable!("{id:?} is connected already"),
                }
                self.mark_receive(id);
                self.mark_flush(id);
            }
            Err(_) => self.on_connect_failed(id),
        }
    }

    pub(super) fn on_connect_failed(&mut self, id: ConnId) {
        self.connecting.leave(id);
        let Some(Kind::Peer(peer)) = self.table.close(id) else { return };
        match peer.stage {
            Stage::Connecting(torrent) => {
                self.tell(Input::ConnectFailed { torrent, addr: peer.addr });
            }
            Stage::Calling => self.on_web_unreachable(id),
            Stage::Open | Stage::Closing => {}
        }
    }

    /// Receives one buffer full and lets the engine have it. Returns how many bytes it was.
    fn receive_from(&mut self, id: ConnId) -> usize {
        let Some(peer) = self.table.peer(id) else { return 0 };
        peer.ready.in_receive_list = false;
        if peer.stage != Stage::Open {
            return 0;
        }
        let torrent = self.engine.torrent_of(id);
        let allowance = self.engine.throttle().allowance(self.now, Way::Down, torrent);
        if allowance == 0 {
            peer.ready.in_receive_list = true;
            self.throttled.receive_list.push(id);
            self.throttled.until.get_or_insert(Throttle::next_step(self.now));
            return 0;
        }
        let room = allowance.min(self.receive_buffer.len());
        let buffer = &mut self.receive_buffer[..room];
        let len = match peer_io::receive(&mut peer.stream, buffer, peer.ready.hung_up) {
            Received::More(len) => len,
            Received::Drained(len) => {
                peer.ready.readable = false;
                len
            }
            Received::Gone(why) => {
                self.lose_peer(id, why);
                return 0;
            }
        };
        self.engine.throttle().moved(Way::Down, torrent, len);
        peer.served.add(self.now, len as u64);
        let received = &buffer[..len];
        let (engine, voice, out) = (&mut self.engine, &mut peer.voice, &mut self.out);
        let fed = match &mut self.trace {
            None => engine::feed(engine, voice, self.now, id, received, out),
            Some(trace) => {
                let mut voice = trace.recorder.overhear(self.now, id, voice);
                engine::feed(engine, &mut voice, self.now, id, received, out)
            }
        };
        // Before the buffer is used again: the outputs refer to it.
        self.carry_out();
        match fed {
            Ok(()) => {
                self.mark_receive(id);
                // An answer that has ended lets a web seed be asked for more.
                self.mark_flush(id);
            }
            Err(violation) => self.part_for(id, violation),
        }
        len
    }

    /// They broke a rule; or a web seed sends us elsewhere.
    fn part_for(&mut self, id: ConnId, violation: Violation) {
        let moved = self.table.peer(id).and_then(|peer| peer.voice.moved());
        match moved.map(ToString::to_string) {
            Some(url) => {
                self.table.close(id);
                self.tell(Input::WebMoved { conn: id, url });
            }
            None => self.lose_peer(id, Closed::Violation(violation)),
        }
    }

    fn flush_peer(&mut self, id: ConnId) {
        let Some(peer) = self.table.peer(id) else { return };
        peer.ready.in_flush_list = false;
        let PeerConn { stream, voice, torrent, appetite_bytes, .. } = peer;
        let allowance = self.engine.throttle().allowance(self.now, Way::Up, *torrent);
        let is_throttled = allowance < *appetite_bytes;
        let buffer = &mut self.send_buffer[..allowance.min(*appetite_bytes)];
        let files = torrent.and_then(|torrent| Some((torrent, self.engine.layout(torrent)?)));
        if let Some((_, layout)) = files {
            voice.go_on(layout);
        }
        let flush = peer_io::flush(stream, voice, buffer, |piece, begin, bytes| match files {
            Some((torrent, layout)) => self.store.read(torrent, layout, piece, begin, bytes),
            None => Err(DiskFault::Missing),
        });
        self.engine.throttle().moved(Way::Up, peer.torrent, flush.written);
        if !is_throttled {
            peer.learn(&flush);
        }
        if peer.stage == Stage::Closing {
            self.table.close(id);
            return;
        }
        if flush.payload > 0 {
            let waiting = peer.voice.waiting();
            self.tell(Input::Sent { conn: id, payload: flush.payload, waiting });
        }
        if is_throttled && flush.end == FlushEnd::More {
            self.throttle_flush(id);
        } else {
            self.after_flush(id, flush.end);
        }
    }

    fn throttle_flush(&mut self, id: ConnId) {
        let Some(peer) = self.table.peer(id) else { return };
        if !peer.ready.in_flush_list {
            peer.ready.in_flush_list = true;
            self.throttled.flush_list.push(id);
            self.throttled.until.get_or_insert(Throttle::next_step(self.now));
        }
    }

    fn after_flush(&mut self, id: ConnId, end: FlushEnd) {
        let Some(peer) = self.table.peer(id) else { return };
        match end {
            FlushEnd::Idle => {}
            FlushEnd::More => self.mark_flush(id),
            FlushEnd::Blocked => {
                peer.ready.writable = false;
                if peer.voice.is_overfull() {
                    self.lose_peer(id, Closed::Broken);
                }
            }
            FlushEnd::Broken => self.lose_peer(id, Closed::Broken),
            FlushEnd::Unreadable(fault) => {
                let torrent = peer.torrent;
                self.table.close(id);
                if let Some(torrent) = torrent {
                    self.tell(Input::SendFailed { conn: id, torrent, fault });
                }
            }
        }
    }

    /// A connection broke. The engine hears of it, unless it was the engine that ended it.
    fn lose_peer(&mut self, id: ConnId, why: Closed) {
        if why == Closed::ByThem && self.call_web_again(id) {
            return;
        }
        let Some(Kind::Peer(peer)) = self.table.close(id) else { return };
        if peer.stage != Stage::Closing {
            self.tell_of_loss(peer.addr, &why);
            self.tell(Input::Closed { conn: id, why });
        }
    }
}
