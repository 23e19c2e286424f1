//! Local discovery's sockets: one for each group, heard and said through the same.
//!
//! Several programs of one host hear the same group, so the port is shared. The socket is bound to
//! the group itself: nothing gets in that was sent to this host alone, from wherever.
//!
//! # Limits
//! A node that keeps to an interface (`--interface`) speaks and hears there; one that listens at
//! one address, at the interface of that address. Any other does so where the routing table
//! leads: who is in several networks says which one it means.
//!
//! # Why
//! Notices go no further than the network that they are sent in (a hop limit of 1, the system's
//! usual one), though the groups could carry them across a whole organisation: who shares what is
//! of interest next door at most.
//!
//! # Spec
//! BEP 14.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use mio::net::UdpSocket;
use rustix::net::sockopt;
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::interface::Interface;
use super::reactor::Reactor;
use super::udp::Role;
use crate::format::notice::GROUPS;

impl Reactor {
    /// Calls into the local network from now on, and hears what others call there.
    ///
    /// `listen`: where peers reach us.
    /// Error: no group of that address's family can be joined.
    pub(super) fn call_locally(&mut self, listen: SocketAddr) -> io::Result<()> {
        let everywhere = listen.ip().is_unspecified();
        let fits = |group: &&SocketAddr| everywhere || group.is_ipv4() == listen.is_ipv4();
        let (mut groups, mut failed) = (Vec::new(), None);
        for &group in GROUPS.iter().filter(fits) {
            let joined = join(group, listen.ip(), self.interface());
            match joined.and_then(|socket| self.listen_udp(socket, Role::Local)) {
                Ok(()) => groups.push(group),
                Err(error) => failed = Some(error),
            }
        }
        match failed {
            Some(error) if groups.is_empty() => Err(error),
            Some(_) | None => {
                let now = self.read_clock();
                self.engine.call_locally(now, groups);
                Ok(())
            }
        }
    }
}

/// A socket that hears what is said to this group. `at`: the address of its interface, or all.
fn join(group: SocketAddr, at: IpAddr, by: Option<&Interface>) -> io::Result<UdpSocket> {
    let family = if group.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(family, SocketType::DGRAM, flags, None)?;
    sockopt::set_socket_reuseaddr(&socket, true)?;
    if let Some(interface) = by {
        interface.take(&socket)?;
    }
    rustix::net::bind(&socket, &group)?;
    // 0: the interface of the address, or the one that the routing table prefers.
    let index = by.map_or(0, Interface::index);
    match group.ip() {
        IpAddr::V4(ip) => {
            let at = if let IpAddr::V4(at) = at { at } else { Ipv4Addr::UNSPECIFIED };
            sockopt::set_ip_add_membership_with_ifindex(&socket, &ip, &at, index)?;
            if index == 0 && !at.is_unspecified() {
                sockopt::set_ip_multicast_if(&socket, &at)?;
            }
        }
        IpAddr::V6(ip) => sockopt::set_ipv6_add_membership(&socket, &ip, index)?,
    }
    Ok(UdpSocket::from_std(std::net::UdpSocket::from(socket)))
}
