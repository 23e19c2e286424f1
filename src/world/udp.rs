//! UDP: datagrams in and out, of all sockets that a node has for them.
//!
//! ```text
//!                     ┌─ Role::Peers    the port of the peers' listener   ─▶ Input::Datagram
//!  poll ─▶ is_ready ──┤                 one socket for each family
//!                     ├─ Role::Tracker  where the tracker of this node listens
//!                     └─ Role::Local    what is said to our whole network ─▶ Input::Notice
//!
//!  Output::SendDatagram ─▶ the socket of role Peers whose family fits; to a group, of role Local
//! ```
//! A node has one port for everything that peers, trackers and the DHT say to it over UDP, as it
//! has one for TCP; so whoever learns the one knows the other.
//!
//! # Invariants
//! A socket that is not ready was read until it would block: the poll reports it again.
//!
//! # Limits
//! `DATAGRAMS_PER_TURN` of each socket in one turn. A datagram that the socket cannot take at once
//! is dropped and not kept: the network may lose any, so who sends one sends it again when no
//! answer comes.
//!
//! # Why
//! One system call for each datagram, but for the tracker: see `batch`.
//!
//! A socket on the wildcard address answers from whichever address the routing table prefers. On
//! a host with several, a tracker's clients may drop such answers; name each address then.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use mio::net::UdpSocket;
use rustix::net::sockopt;
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::batch::Batch;
use super::conn::{Kind, canonical};
use super::interface::Interface;
use super::reactor::{Reactor, is_about_one};
use crate::base::ConnId;
use crate::base::limits::{DATAGRAMS_PER_CALL, DATAGRAMS_PER_TURN, UDP_BUFFER_BYTES};
use crate::engine::Input;

/// What a socket is there for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Role {
    /// What peers, trackers and DHT nodes say to us.
    Peers,
    /// The tracker that we serve.
    Tracker,
    /// What our neighbours call out.
    Local,
}

/// A socket for datagrams.
#[derive(Debug)]
pub(super) struct Port {
    id: ConnId,
    role: Role,
    is_ipv4: bool,
    /// Of a tracker's port.
    batch: Option<Box<Batch>>,
    /// There may be something to receive.
    pub(super) is_ready: bool,
}

impl Port {
    pub(super) fn is(&self, id: ConnId) -> bool {
        self.id == id
    }
}

impl Reactor {
    /// Takes in what comes to this socket from now on.
    pub fn listen_udp(&mut self, socket: UdpSocket, role: Role) -> io::Result<()> {
        let is_ipv4 = socket.local_addr()?.is_ipv4();
        let id = self.table.open(Kind::Udp(socket))?;
        let batch = (role == Role::Tracker).then(|| Box::new(Batch::new()));
        self.ports.push(Port { id, role, is_ipv4, batch, is_ready: true });
        Ok(())
    }

    /// Receives from every socket that is ready, a few datagrams each.
    pub(super) fn receive_datagrams(&mut self) {
        for number in 0..self.ports.len() {
            if self.ports[number].is_ready {
                match self.ports[number].role {
                    Role::Tracker => self.serve_datagrams(number),
                    Role::Peers | Role::Local => self.receive_some(number),
                }
            }
        }
    }

    fn receive_some(&mut self, number: usize) {
        let Port { id, role, .. } = self.ports[number];
        for _ in 0..DATAGRAMS_PER_TURN {
            let Some(socket) = self.table.udp(id) else { return };
            match socket.recv_from(&mut self.receive_buffer) {
                Ok((len, from)) => match role {
                    Role::Peers if self.was_answer(canonical(from), len) => {}
                    Role::Peers | Role::Local | Role::Tracker => {
                        self.on_datagram(role, canonical(from), len);
                    }
                },
                // About one that we sent, or a signal came in between: the next one, please.
                Err(error) if is_about_one(&error) => {}
                // Nothing is there, or what lies there waits for the next event; nothing to spin
                // for.
                Err(_) => {
                    self.ports[number].is_ready = false;
                    return;
                }
            }
        }
    }

    /// Lets the tracker answer what came to its port, a batch at a time.
    fn serve_datagrams(&mut self, number: usize) {
        let Port { id, batch: Some(batch), is_ready, .. } = &mut self.ports[number] else { return };
        for _ in 0..DATAGRAMS_PER_TURN / DATAGRAMS_PER_CALL {
            let Some(socket) = self.table.udp(*id) else { return };
            let came = match batch.receive(socket, &mut self.receive_buffer) {
                Err(error) if is_about_one(&error) => continue,
                came => came.unwrap_or(0),
            };
            let answers = &mut self.datagram_out;
            answers.clear();
            for question in 0..came {
                let Some((from, at)) = batch.question(question) else { continue };
                let before = answers.len();
                self.engine.datagram(self.now, from, &self.receive_buffer[at], answers);
                if answers.len() > before {
                    batch.answer(question, before..answers.len());
                }
            }
            batch.send(socket, answers);
            if came < DATAGRAMS_PER_CALL {
                *is_ready = false;
                return;
            }
        }
    }

    /// Something came to a port of ours; it lies at the beginning of the receive buffer.
    fn on_datagram(&mut self, role: Role, from: SocketAddr, len: usize) {
        let bytes = &self.receive_buffer[..len];
        let input = match role {
            Role::Local => Input::Notice { from, bytes },
            Role::Peers | Role::Tracker => Input::Datagram { from, bytes },
        };
        if let Some(trace) = &mut self.trace {
            trace.recorder.input(self.now, &input);
        }
        self.engine.handle(self.now, input, &mut self.out);
        self.carry_out();
    }

    /// Sends from the peers' port, or what is for a group from the socket that hears it.
    ///
    /// Error: there is no socket of that family, no way to that address, or no room right now.
    pub(super) fn send_datagram(&mut self, to: SocketAddr, bytes: &[u8]) -> io::Result<()> {
        let role = if to.ip().is_multicast() { Role::Local } else { Role::Peers };
        let fits = |port: &&Port| port.role == role && port.is_ipv4 == to.is_ipv4();
        let port = self.ports.iter().find(fits).map(|port| port.id);
        let socket = port.and_then(|id| self.table.udp(id));
        let socket = socket.ok_or(ErrorKind::AddrNotAvailable)?;
        socket.send_to(bytes, to).map(drop)
    }
}

/// The sockets beside a peers' listener: at its address and port; where it listens everywhere, one
/// for each family. If somebody else has that port, any other.
///
/// Fewer, or none, if the host has no such family: a node can do without.
pub(super) fn beside(
    listener: SocketAddr,
    interface: Option<&Interface>,
) -> Vec<(UdpSocket, SocketAddr)> {
    let addrs = match listener.ip().is_unspecified() {
        true => vec![IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)],
        false => vec![listener.ip()],
    };
    let bound = addrs.into_iter().map(|ip| {
        let addr = SocketAddr::new(ip, listener.port());
        let any = SocketAddr::new(ip, 0);
        bind_udp(addr, true, interface).or_else(|_| bind_udp(any, true, interface))
    });
    bound.filter_map(Result::ok).collect()
}

/// A socket at this address, and its address as the system chose it.
///
/// `one_family`: on IPv6, whether it keeps out of what is said over IPv4.
pub(super) fn bind_udp(
    addr: SocketAddr,
    one_family: bool,
    interface: Option<&Interface>,
) -> io::Result<(UdpSocket, SocketAddr)> {
    let family = if addr.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, SocketType::DGRAM, flags, None)?;
    if addr.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, one_family)?;
    }
    if let Some(interface) = interface {
        interface.take(&socket)?;
    }
    // The system gives as much of it as it allows; a burst that does not fit is lost.
    let _ = sockopt::set_socket_recv_buffer_size(&socket, UDP_BUFFER_BYTES);
    rustix::net::bind(&socket, &addr)?;
    let socket = UdpSocket::from_std(std::net::UdpSocket::from(socket));
    let addr = socket.local_addr()?;
    Ok((socket, addr))
}
