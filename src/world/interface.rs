//! Interface: everything through one network interface, or not at all.
//!
//! ```text
//!  --interface tun0      peers ─┐
//!                     trackers ─┼─▶ every socket is bound to tun0 before it is used ─▶ tun0
//!                   web seeds  ─┤                                   tun0 down ─▶ nothing
//!                  DHT, UDP    ─┘                                   tun0 gone ─▶ the node ends
//! ```
//! Whoever names an interface does so because others must not see the traffic. So each socket is
//! bound to the device itself (`SO_BINDTODEVICE`), not to an address of it: an address says where
//! packets seem to come from, and the routing table would still choose where they leave. A socket
//! that cannot be bound is not used. Remote control is no traffic and stays where it listens.
//!
//! A device that vanishes and comes back is another one to the kernel, and sockets of the old one
//! are dead: the node ends and says so. One that is down keeps its sockets; what is sent meanwhile
//! fails.
//!
//! # Why
//! Host names are refused (`world/resolver.rs`, `command/arguments.rs`): the system's resolver
//! asks its servers wherever the routing table leads, or over a daemon, and cannot be told
//! otherwise. A name that is looked up elsewhere tells the very thing that was to be hidden, and a
//! tracker that cannot be asked is told with its reason.
//!
//! Neither `std` nor `rustix` can bind to a device or list addresses, hence `nix`.

use crate::base::order;
use std::ffi::OsString;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;

use mio::net::TcpListener;
use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use nix::net::if_::{InterfaceFlags, if_nametoindex};
use nix::sys::socket::sockopt::BindToDevice;
use rustix::net::sockopt;
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use super::reactor::Reactor;
use crate::base::Time;
use crate::base::limits::{CALLERS_WAITING_MAX, INTERFACE_LOOK_EVERY};
use crate::engine::Event;

/// A network interface that was there when we looked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Interface {
    name: String,
    /// The kernel's number for it; a device that comes back has another one.
    index: u32,
}

/// How an interface is doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    Well,
    /// It is switched off.
    Down,
    /// It has no address that anybody else could answer to.
    Bare,
    /// There is none of this name, or another one.
    Gone,
}

/// Which interface is used, and what was seen of it last.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) interface: Interface,
    state: State,
    next_look: Time,
}

impl Interface {
    /// Finds an interface that can be used.
    ///
    /// Error: there is none of this name, it is down, or it has no address.
    pub fn find(name: &str) -> io::Result<Interface> {
        let index = if_nametoindex(name).unwrap_or(0);
        let interface = Interface { name: name.to_owned(), index };
        match interface.state() {
            State::Well => Ok(interface),
            State::Down => Err(io::Error::other("it is down")),
            State::Bare => Err(io::Error::other("it has no address")),
            State::Gone => {
                let mut names: Vec<String> =
                    addresses().map(|address| address.interface_name).collect();
                order::sort(&mut names);
                names.dedup();
                Err(io::Error::other(format!("there is none; there are {}", names.join(", "))))
            }
        }
    }

    /// Looks how it is doing.
    pub fn state(&self) -> State {
        if if_nametoindex(self.name.as_str()).ok().filter(|index| *index != 0) != Some(self.index) {
            return State::Gone;
        }
        let ours: Vec<InterfaceAddress> =
            addresses().filter(|address| address.interface_name == self.name).collect();
        if !ours.iter().any(|address| address.flags.contains(InterfaceFlags::IFF_UP)) {
            return State::Down;
        }
        if ours.iter().filter_map(ip_of).any(|ip| !is_link_local(ip)) {
            State::Well
        } else {
            State::Bare
        }
    }

    /// The kernel's number for it.
    pub(super) fn index(&self) -> u32 {
        self.index
    }

    /// Binds a socket to it. To be called before the socket is bound to an address, or connected.
    ///
    /// Error: it is gone, or (before Linux 5.7) only root may.
    pub(super) fn take(&self, socket: &impl AsFd) -> io::Result<()> {
        // By its name: the kernel would take a device that came back.
        if self.state() == State::Gone {
            return Err(io::ErrorKind::AddrNotAvailable.into());
        }
        Ok(nix::sys::socket::setsockopt(socket, BindToDevice, &OsString::from(&self.name))?)
    }

    /// Takes connections that come in by it.
    pub(super) fn listen(&self, addr: SocketAddr) -> io::Result<TcpListener> {
        let family = if addr.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
        sockopt::set_socket_reuseaddr(&socket, true)?;
        self.take(&socket)?;
        rustix::net::bind(&socket, &addr)?;
        rustix::net::listen(&socket, CALLERS_WAITING_MAX)?;
        Ok(TcpListener::from_std(std::net::TcpListener::from(socket)))
    }
}

impl Watched {
    pub(super) fn new(now: Time, interface: Interface) -> Watched {
        Watched { interface, state: State::Well, next_look: now + INTERFACE_LOOK_EVERY }
    }
}

impl Reactor {
    /// Uses nothing but this interface from now on.
    pub(super) fn keep_to(&mut self, interface: Interface) {
        self.resolver.refuse_names();
        self.watched = Some(Watched::new(self.now, interface));
    }

    /// Looks after the interface, if it is time.
    ///
    /// Error: it is gone, and every socket with it.
    pub(super) fn mind_interface(&mut self) -> io::Result<()> {
        let Some(watched) = self.watched.as_mut().filter(|watched| watched.next_look <= self.now)
        else {
            return Ok(());
        };
        watched.next_look = self.now + INTERFACE_LOOK_EVERY;
        let state = watched.interface.state();
        let name = &watched.interface.name;
        let news = match state {
            State::Gone => {
                return Err(io::Error::other(format!("the interface {name} is gone")));
            }
            same if same == watched.state => return Ok(()),
            State::Well => format!("{name} works again"),
            State::Down => format!("{name} is down; nothing goes out until it is back"),
            State::Bare => format!("{name} has no address; nothing goes out until it has one"),
        };
        watched.state = state;
        self.news.push(Event::Host { what: "interface", news });
        Ok(())
    }

    pub(super) fn interface_deadline(&self) -> Option<Time> {
        self.watched.as_ref().map(|watched| watched.next_look)
    }

    /// The interface that everything goes through, if there is one.
    pub(super) fn interface(&self) -> Option<&Interface> {
        self.watched.as_ref().map(|watched| &watched.interface)
    }
}

/// All addresses of all interfaces; one without an address is there, too. If the system does not
/// tell, there are none, and then nothing is used.
fn addresses() -> impl Iterator<Item = InterfaceAddress> {
    getifaddrs().into_iter().flatten()
}

fn ip_of(address: &InterfaceAddress) -> Option<IpAddr> {
    let address = address.address.as_ref()?;
    let v4 = address.as_sockaddr_in().map(|addr| IpAddr::from(addr.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|addr| IpAddr::from(addr.ip())))
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(_) => false,
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}
