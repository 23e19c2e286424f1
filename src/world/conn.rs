//! The table of open things: everything that the poll can report about.
//!
//! A slot's number is the token that the operating system hands back with an event. So an event
//! leads to its connection by an index, and a `ConnId` (slot and generation) that somebody kept
//! leads to the same connection or to none. Slots that fall free rest until the turn ends: see
//! `base::slots` for the trap that this avoids.
//!
//! # Interface
//! `open` registers and inserts in one step; `close` takes out, and dropping what it returns
//! closes the descriptor, which also takes it out of the poll. `end_turn` when no event is left.
//!
//! # Why
//! Everything is registered once, for reading and writing at once. The poll is edge-triggered:
//! it reports a change and then keeps silent, so interest that is not needed at the moment costs
//! nothing, while changing it would cost a system call each time.

use std::io;
use std::net::SocketAddr;

use mio::net::{TcpListener, TcpStream, UdpSocket};
use mio::{Interest, Registry, Token};

use super::http_call::HttpCall;
use super::http_io::HttpConn;
use super::peer_io::PeerConn;
use crate::base::{ConnId, Slots};

/// One open thing.
#[derive(Debug)]
pub enum Kind {
    PeerListener(TcpListener),
    HttpListener(TcpListener),
    Udp(UdpSocket),
    Peer(PeerConn),
    Http(HttpConn),
    /// A call of our own to a tracker.
    Call(Box<HttpCall>),
    /// SIGINT and SIGTERM; the pipe itself belongs to the reactor.
    Signal,
    /// The helper threads have an answer.
    Waker,
}

/// All open things of a node.
#[derive(Debug)]
pub struct Table {
    slots: Slots<Kind>,
    registry: Registry,
}

impl Table {
    pub fn new(registry: Registry) -> Table {
        Table { slots: Slots::new(), registry }
    }

    /// Registers `kind` with the poll and gives it a slot.
    ///
    /// Error: the poll takes no more (`fs.epoll.max_user_watches`, memory); nothing is kept then.
    pub fn open(&mut self, kind: Kind) -> io::Result<ConnId> {
        let id = self.slots.insert(kind);
        let kind = self.slots.get_mut(id).expect("inserted a moment ago");
        let both = Interest::READABLE | Interest::WRITABLE;
        let registered = match kind {
            Kind::PeerListener(listener) | Kind::HttpListener(listener) => {
                self.registry.register(listener, token(id), Interest::READABLE)
            }
            Kind::Udp(socket) => self.registry.register(socket, token(id), Interest::READABLE),
            Kind::Peer(peer) => self.registry.register(&mut peer.stream, token(id), both),
            Kind::Http(http) => self.registry.register(&mut http.stream, token(id), both),
            Kind::Call(call) => self.registry.register(&mut call.stream, token(id), both),
            // Their owners register them, under `token`.
            Kind::Signal | Kind::Waker => Ok(()),
        };
        match registered {
            Ok(()) => Ok(id),
            Err(error) => {
                self.slots.remove(id);
                Err(error)
            }
        }
    }

    /// Takes a thing out. To close it, drop it.
    pub fn close(&mut self, id: ConnId) -> Option<Kind> {
        self.slots.remove(id)
    }

    /// What an event with this token is about; `None` if that was closed earlier in this turn.
    pub fn id_of(&self, token: Token) -> Option<ConnId> {
        self.slots.id_at(u32::try_from(token.0).ok()?)
    }

    pub fn get_mut(&mut self, id: ConnId) -> Option<&mut Kind> {
        self.slots.get_mut(id)
    }

    pub fn peer(&mut self, id: ConnId) -> Option<&mut PeerConn> {
        if let Kind::Peer(peer) = self.slots.get_mut(id)? { Some(peer) } else { None }
    }

    pub fn http(&mut self, id: ConnId) -> Option<&mut HttpConn> {
        if let Kind::Http(http) = self.slots.get_mut(id)? { Some(http) } else { None }
    }

    pub fn call(&mut self, id: ConnId) -> Option<&mut HttpCall> {
        if let Kind::Call(call) = self.slots.get_mut(id)? { Some(call) } else { None }
    }

    pub fn udp(&mut self, id: ConnId) -> Option<&mut UdpSocket> {
        if let Kind::Udp(socket) = self.slots.get_mut(id)? { Some(socket) } else { None }
    }

    /// Accepts one connection of a listener, its address in the form that IPv4 has everywhere
    /// else. `None`: `id` is no listener.
    pub fn accept(&mut self, id: ConnId) -> Option<io::Result<(TcpStream, SocketAddr)>> {
        match self.slots.get_mut(id)? {
            Kind::PeerListener(listener) | Kind::HttpListener(listener) => {
                Some(listener.accept().map(|(stream, addr)| (stream, canonical(addr))))
            }
            Kind::Peer(_)
            | Kind::Http(_)
            | Kind::Call(_)
            | Kind::Udp(_)
            | Kind::Signal
            | Kind::Waker => None,
        }
    }

    /// Gives a peer's connection another socket. Error: the poll does not take it; the old one is
    /// gone all the same.
    pub fn exchange(&mut self, id: ConnId, stream: TcpStream) -> io::Result<()> {
        let Some(Kind::Peer(peer)) = self.slots.get_mut(id) else { return Ok(()) };
        // Closing it takes it out of the poll.
        peer.stream = stream;
        let both = Interest::READABLE | Interest::WRITABLE;
        self.registry.register(&mut peer.stream, token(id), both)
    }

    /// Says that no event of this turn is left.
    pub fn end_turn(&mut self) {
        self.slots.end_turn();
    }

    pub fn len(&self) -> usize {
        self.slots.len()
    }

    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (ConnId, &Kind)> {
        self.slots.iter()
    }
}

/// The token of a slot.
pub fn token(id: ConnId) -> Token {
    Token(usize::try_from(id.slot).expect("a u32 fits a usize on every host that we build for"))
}

/// An IPv4 address that came through an IPv6 socket, as IPv4 (`::ffff:192.0.2.1` → `192.0.2.1`),
/// so that nobody takes one peer for two.
pub fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}
