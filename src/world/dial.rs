//! Dial: a TCP connect from the address that we listen on, by the interface that we keep to.
//!
//! Whoever listens on one address of several (`--listen 192.0.2.7:6881`) means to be there: if we
//! called trackers from another one, they would name that other one to everybody, where nobody
//! listens. So our own calls begin at the same address, on any port. Whoever keeps to an interface
//! (`--interface`) has every call go through it, or fail.
//!
//! # Why
//! `connect` of `std` and of mio makes the socket and connects it in one go, and leaves the choice
//! to the routing table; here the socket is bound in between.

use std::io;
use std::net::{IpAddr, SocketAddr};

use mio::net::TcpStream;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::interface::Interface;
use super::reactor::Reactor;

impl Reactor {
    /// Begins to connect to `to`. Does not wait.
    ///
    /// Error: as `dial`.
    pub(super) fn dial_out(&self, to: SocketAddr) -> io::Result<TcpStream> {
        dial(self.dial_from, self.interface(), to)
    }
}

/// Begins to connect to `to`, from the address `from` if it can lead there, by `interface` if there
/// is one. Does not wait.
///
/// Error: no descriptor left, no route, `from` is no longer an address of this host, or the
/// interface cannot be used.
pub fn dial(
    from: Option<IpAddr>,
    interface: Option<&Interface>,
    to: SocketAddr,
) -> io::Result<TcpStream> {
    let from = from.filter(|from| leads_to(*from, to.ip()));
    if from.is_none() && interface.is_none() {
        return TcpStream::connect(to);
    }
    let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    if let Some(interface) = interface {
        interface.take(&socket)?;
    }
    if let Some(from) = from {
        rustix::net::bind(&socket, &SocketAddr::new(from, 0))?;
    }
    match rustix::net::connect(&socket, &to) {
        Ok(()) | Err(Errno::INPROGRESS) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(TcpStream::from_std(std::net::TcpStream::from(socket)))
}

/// Whether a packet from the one address can reach the other: of one family, and not from this
/// host's inside to the outside or back.
fn leads_to(from: IpAddr, to: IpAddr) -> bool {
    !from.is_unspecified()
        && from.is_ipv4() == to.is_ipv4()
        && from.is_loopback() == to.is_loopback()
}
