//! Dial: a TCP connect from the address that we listen on.
//!
//! Whoever listens on one address of several (`--listen 192.0.2.7:6881`) means to be there: if we
//! called trackers from another one, they would name that other one to everybody, where nobody
//! listens. So our own calls begin at the same address, on any port.
//!
//! # Why
//! `connect` of `std` and of mio leaves the choice to the routing table. Binding to a whole
//! interface would go in here, too.

use std::io;
use std::net::{IpAddr, SocketAddr};

use mio::net::TcpStream;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};

/// Begins to connect to `to`, from the address `from` if it can lead there. Does not wait.
///
/// Error: no descriptor left, no route, or `from` is no longer an address of this host.
pub fn dial(from: Option<IpAddr>, to: SocketAddr) -> io::Result<TcpStream> {
    let Some(from) = from.filter(|from| leads_to(*from, to.ip())) else {
        return TcpStream::connect(to);
    };
    let family = if to.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    rustix::net::bind(&socket, &SocketAddr::new(from, 0))?;
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
