//! The node's part in the DHT: which torrents it looks up there, and who hears what it finds.
//!
//! ```text
//!  Input::Datagram ─▶ Dht ─▶ Act::Send   ─▶ Output::SendDatagram
//!                         ─▶ Act::Found  ─▶ candidates of that torrent
//!  torrents that run ─▶ followed: looked up and announced every quarter of an hour
//!  a peer's PORT     ─▶ there is a node at its address
//! ```
//! Private torrents never go there: neither are they looked up, nor do their peers learn from our
//! handshake that we have a node at all, nor do we take one from them.
//!
//! # Spec
//! BEP 5, "BitTorrent protocol extension"; BEP 27 (private torrents).

use std::net::SocketAddr;

use super::{Engine, Output};
use crate::base::limits::DHT_LOOK_EVERY;
use crate::base::{ConnId, InfoHash, Time, TorrentId};
use crate::dht::{Act, Dht, Figures, Offer};
use crate::torrent::prospect::Prospect;
use crate::wire::Message;

/// A node of the DHT beside the peers' port.
#[derive(Debug)]
pub(super) struct Member {
    dht: Dht,
    /// Where it receives datagrams.
    port: u16,
    /// When it is compared again which torrents run and which are followed.
    look_at: Time,
    /// What it wants; empty between two calls.
    acts: Vec<Act>,
}

impl Engine {
    /// Takes part in the DHT from now on. `port`: of our datagrams.
    pub fn join_dht(&mut self, now: Time, dht: Dht, port: u16) {
        self.member = Some(Member { dht, port, look_at: now, acts: Vec::new() });
    }

    /// Whether we have a node.
    pub fn has_dht(&self) -> bool {
        self.member.is_some()
    }

    /// What there is to know about our node of the DHT, if we have one.
    pub fn dht_figures(&self, now: Time) -> Option<Figures> {
        self.member.as_ref().map(|member| member.dht.figures(now))
    }

    /// Appends what the next run's node needs. Returns whether there is anything.
    pub fn save_dht(&self, now: Time, out: &mut Vec<u8>) -> bool {
        self.member.as_ref().map(|member| member.dht.save(now, out)).is_some()
    }

    /// Somebody says that there is a node at `addr`. `remember`: a person, who means it.
    pub fn enter_dht(
        &mut self,
        now: Time,
        addr: SocketAddr,
        remember: bool,
        out: &mut Vec<Output>,
    ) {
        self.with_dht(now, out, |dht, acts| dht.enter(now, addr, remember, acts));
    }

    pub(super) fn on_datagram(
        &mut self,
        now: Time,
        from: SocketAddr,
        bytes: &[u8],
        out: &mut Vec<Output>,
    ) {
        self.with_dht(now, out, |dht, acts| dht.on_datagram(now, from, bytes, acts));
    }

    /// A peer told the port of its node.
    pub(super) fn on_port(&mut self, now: Time, conn: ConnId, port: u16, out: &mut Vec<Output>) {
        let Some(id) = self.conns.get(&conn) else { return };
        let torrent = self.torrents.get(id).filter(|torrent| !torrent.metainfo().private);
        let session = torrent.and_then(|torrent| torrent.session(conn));
        let suitor = self.sought(*id).and_then(|prospect| prospect.addr_of(conn));
        if let Some(addr) = session.map(|session| session.addr).or(suitor) {
            self.enter_dht(now, SocketAddr::new(addr.ip(), port), false, out);
        }
    }

    /// What to tell a peer that has a node, too, after the handshakes.
    pub(super) fn say_port(&self, conn: ConnId, id: TorrentId, out: &mut Vec<Output>) {
        // Of a link nobody knows yet whether its torrent is private.
        let is_private = self.torrents.get(&id).is_some_and(|torrent| torrent.metainfo().private);
        if let Some(member) = self.member.as_ref().filter(|_| !is_private) {
            out.push(Output::Send { conn, message: Message::Port(member.port) });
        }
    }

    /// Whether the handshake for this torrent says that we have a node.
    pub(super) fn tells_of_dht(&self, info_hash: InfoHash) -> bool {
        let is_private = |id| self.torrents.get(&id).is_some_and(|t| t.metainfo().private);
        self.member.is_some() && !self.by_info_hash(info_hash).is_some_and(is_private)
    }

    pub(super) fn tick_dht(&mut self, now: Time, out: &mut Vec<Output>) {
        let Some(member) = &mut self.member else { return };
        if member.look_at <= now {
            member.look_at = now + DHT_LOOK_EVERY;
            self.choose_followed(now);
        }
        self.with_dht(now, out, |dht, acts| {
            if dht.deadline().is_some_and(|due| due <= now) {
                dht.tick(now, acts);
            }
        });
    }

    pub(super) fn dht_deadline(&self) -> Option<Time> {
        let member = self.member.as_ref()?;
        Some(member.dht.deadline().map_or(member.look_at, |due| due.min(member.look_at)))
    }

    /// Follows those public torrents that run, and no others.
    fn choose_followed(&mut self, now: Time) {
        let Some(member) = &mut self.member else { return };
        let port = self.settings.port;
        for torrent in self.torrents.values() {
            let info_hash = torrent.metainfo().info_hash;
            // Nobody can call us without a port: then we look, and are not looked for.
            let offer = (port != 0).then_some(Offer { port, seed: torrent.is_whole() });
            match torrent.is_open() && !torrent.metainfo().private {
                true => member.dht.follow(now, info_hash, offer),
                false => member.dht.unfollow(info_hash),
            }
        }
        for sought in self.prospects.values() {
            let info_hash = sought.prospect.info_hash();
            let offer = (port != 0).then_some(Offer { port, seed: false });
            match sought.prospect.is_open() {
                true => member.dht.follow(now, info_hash, offer),
                false => member.dht.unfollow(info_hash),
            }
        }
        // What was removed is followed no more.
        let gone = member.dht.followed().filter(|info_hash| {
            let has = |prospect: &Prospect| prospect.info_hash() == *info_hash;
            let torrents = self.torrents.values();
            torrents.into_iter().all(|torrent| torrent.metainfo().info_hash != *info_hash)
                && !self.prospects.values().any(|sought| has(&sought.prospect))
        });
        let gone: Vec<InfoHash> = gone.collect();
        gone.into_iter().for_each(|info_hash| member.dht.unfollow(info_hash));
    }

    /// Lets the node do something, and passes on what comes of it.
    fn with_dht(
        &mut self,
        now: Time,
        out: &mut Vec<Output>,
        act: impl FnOnce(&mut Dht, &mut Vec<Act>),
    ) {
        let Some(member) = &mut self.member else { return };
        let mut acts = std::mem::take(&mut member.acts);
        act(&mut member.dht, &mut acts);
        for act in acts.drain(..) {
            match act {
                Act::Send { to, bytes } => {
                    out.push(Output::SendDatagram { to, bytes: bytes.into() })
                }
                Act::Found { info_hash, peers } => self.on_found(now, info_hash, &peers),
                Act::Ended { .. } => {}
            }
        }
        if let Some(member) = &mut self.member {
            member.acts = acts;
        }
    }

    fn on_found(&mut self, now: Time, info_hash: InfoHash, peers: &[SocketAddr]) {
        let Some(id) = self.by_info_hash(info_hash) else { return };
        if let Some(torrent) = self.torrents.get_mut(&id).filter(|t| !t.metainfo().private) {
            torrent.on_found(now, peers);
        } else if let Some(sought) = self.prospects.get_mut(&id) {
            sought.prospect.on_found_peers(now, peers);
        }
    }
}
