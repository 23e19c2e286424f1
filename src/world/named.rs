//! Named: whom torrents and links name, looked up and handed to the engine.
//!
//! ```text
//!  a link's x.pe=host:port ─┐                         ┌─▶ a peer of that torrent, to be dialled
//!                           ├─▶ resolver ─▶ addresses ┤
//!  a torrent's nodes ───────┘      (no thread for     └─▶ an entrance to the DHT
//!                                   an address)
//! ```
//! Nobody outside may send us into our own network: an address of this host or of a home network
//! counts only if we listen in one ourselves, and so are there already.
//!
//! # Limits
//! `NAMED_WAITING_MAX` wait for their names; one more is forgotten, for it is a hint and no more.
//! Of one name, `NAMED_ADDRS_MAX` addresses.

use std::net::{IpAddr, SocketAddr};

use super::conn::canonical;
use super::reactor::Reactor;
use super::resolver::{Lookup, Resolved};
use crate::base::TorrentId;
use crate::base::limits::{NAMED_ADDRS_MAX, NAMED_WAITING_MAX};
use crate::border::Whom;
use crate::format::endpoint::{Endpoint, may_be_sent_to};

/// Somebody whose name is being looked up.
#[derive(Debug)]
pub(super) struct Named {
    torrent: TorrentId,
    endpoint: Endpoint,
    whom: Whom,
}

impl Reactor {
    /// Finds out where somebody is, now or later, and tells the engine.
    pub(super) fn look_up(&mut self, torrent: TorrentId, endpoint: Endpoint, whom: Whom) {
        let named = Named { torrent, endpoint, whom };
        match self.resolver.look(self.now, named.endpoint.host()) {
            Lookup::Found(addrs) => self.found.push((named, addrs)),
            Lookup::Waiting if self.named.len() < NAMED_WAITING_MAX => self.named.push(named),
            Lookup::Waiting | Lookup::Busy | Lookup::Failed(_) => {}
        }
    }

    /// A name became addresses, or did not.
    pub(super) fn on_named_resolved(&mut self, resolved: &Resolved) {
        let is_it = |named: &Named| named.endpoint.host() == resolved.host;
        let (known, others) = std::mem::take(&mut self.named).into_iter().partition(is_it);
        self.named = others;
        let known: Vec<Named> = known;
        if let Ok(addrs) = &resolved.result {
            self.found.extend(known.into_iter().map(|named| (named, addrs.clone())));
        }
    }

    /// Hands on what was found.
    pub(super) fn meet_found(&mut self) {
        for (named, addrs) in std::mem::take(&mut self.found) {
            let Named { torrent, endpoint, whom } = named;
            let may = |ip: &IpAddr| may_be_sent_to(*ip, self.dial_from);
            let addrs: Vec<IpAddr> = addrs.into_iter().filter(may).take(NAMED_ADDRS_MAX).collect();
            for ip in addrs {
                let addr = canonical(SocketAddr::new(ip, endpoint.port()));
                match whom {
                    Whom::Peer => self.engine.connect(self.now, torrent, addr),
                    Whom::Node => self.engine.enter_dht(self.now, addr, true, &mut self.out),
                }
            }
            self.carry_out();
        }
    }
}
