//! Prospect: a torrent of which only the info-hash is known, until peers have told the rest.
//!
//! A magnet link names a torrent and perhaps where to ask. Whoever has the torrent has its
//! metadata (its `info` dictionary) and passes it on. A prospect finds such peers as a torrent
//! does (trackers, peers by hand), fetches the metadata from them, and is a torrent from then on:
//! same id, same connections, same trackers.
//!
//! ```text
//!  seeking ──────── metadata, its hash right ───────▶ found ─▶ becomes a `Torrent`
//!    │  ▲ go_on                                         connections, trackers and addresses move in,
//!    ▼  │                                               and what peers said so far is said again
//!  resting                                              to it
//! ```
//! What peers say meanwhile (bitfields, haves, unchokes) means nothing yet, for not even the
//! number of pieces is known. It is kept as it came, up to a bound, and heard again at the end.
//!
//! # Interface
//! As `Torrent`, as far as both can do it. `take_found` tells when it is over.
//!
//! # Invariants
//! Nothing is allocated by a claim (see `gathering`) · a peer's held words stay within
//! `HELD_BYTES_MAX` and `HELD_WORDS_MAX`.
//!
//! # Limits
//! `PROSPECT_PEERS_MAX` peers, and those of `gathering`.
//!
//! # Spec
//! BEP 9; BEP 10.

use crate::base::Shelf;
use std::net::{IpAddr, SocketAddr};

use super::announcer::{Announcer, Order};
use super::candidates::{Candidates, Source as Whence};
use super::exchange::may_tell;
use super::gathering::Gathering;
use super::{CLIENT, Identity, Phase, Status};
use crate::base::limits::{
    HELD_BYTES_MAX, HELD_WORDS_MAX, KEEP_ALIVE_EVERY, METADATA_PIECE_BYTES, METADATA_REST,
    PEERS_FEW, PROSPECT_PEERS_MAX, REQUESTS_QUEUED_TOLD, SILENCE_MAX, STOP_PATIENCE,
};
use crate::base::{ConnId, InfoHash, PeerId, Random, Time, TorrentId};
use crate::border::{Event, Output, Whom};
use crate::format::announce::{Announce, Refusal, Reply};
use crate::format::digest::Digest;
use crate::format::endpoint::Endpoint;
use crate::format::magnet::Magnet;
use crate::format::metainfo::Metainfo;
use crate::peer::extensions::{self, Extensions};
use crate::wire::extended::{Extension, Hello, Metadata, Word};
use crate::wire::handshake::{EXTENSION_PROTOCOL, FAST};
use crate::wire::{Handshake, Message};

/// A torrent to be.
#[derive(Debug)]
pub struct Prospect {
    id: TorrentId,
    identity: Identity,
    magnet: Magnet,
    state: State,
    suitors: Shelf<ConnId, Suitor>,
    gathering: Option<Gathering>,
    /// How often metadata was wrong so far: then one peer alone is asked.
    failures: u32,
    announcer: Announcer,
    candidates: Candidates,
    /// Peers whose names were not looked up yet.
    named: Vec<Endpoint>,
    found: Option<Box<Metainfo>>,
    /// When suitors want to be looked at next.
    tick_at: Option<Time>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Seeking,
    /// Trackers are told good-bye until then.
    Stopping(Time),
    Resting,
}

/// A peer, and what it said that may matter once the metadata is here.
#[derive(Debug)]
pub struct Suitor {
    pub addr: SocketAddr,
    pub theirs: Handshake,
    pub dialled: bool,
    /// If they speak the extension protocol; who does not is of no use yet.
    pub extensions: Option<Box<Extensions>>,
    /// In the order in which it came.
    pub held: Vec<Message>,
    held_bytes: usize,
    since: Time,
    last_heard: Time,
    last_said: Time,
    /// It is not asked before, for it had nothing, kept us waiting, or may have been wrong.
    rests_until: Time,
    wrongs: u32,
}

/// What a torrent needs to begin where a prospect ends.
#[derive(Debug)]
pub struct Found {
    pub metainfo: Metainfo,
    pub magnet: Magnet,
    pub suitors: Shelf<ConnId, Suitor>,
    pub announcer: Announcer,
    pub candidates: Candidates,
}

impl Prospect {
    /// Begins to seek, or (`paused`) waits until somebody lets it `go_on`.
    pub fn new(
        now: Time,
        id: TorrentId,
        identity: Identity,
        magnet: Magnet,
        paused: bool,
        mut random: Random,
    ) -> Prospect {
        let tiers: Vec<Vec<String>> = magnet.trackers.iter().map(|url| vec![url.clone()]).collect();
        let mut candidates = Candidates::new();
        for &addr in &magnet.peers {
            candidates.add(now, addr, Whence::ByHand);
        }
        Prospect {
            id,
            identity,
            state: if paused { State::Resting } else { State::Seeking },
            suitors: Shelf::new(),
            gathering: None,
            failures: 0,
            announcer: Announcer::new(&tiers, &mut random),
            candidates,
            named: magnet.named_peers.clone(),
            found: None,
            tick_at: None,
            magnet,
        }
    }

    // ── Questions ───────────────────────────────────────────────────────────────────────────

    pub fn info_hash(&self) -> InfoHash {
        self.magnet.info_hash
    }

    /// The link that it came from.
    pub fn magnet(&self) -> &Magnet {
        &self.magnet
    }

    pub fn peer_count(&self) -> usize {
        self.suitors.len()
    }

    pub fn has_peer(&self, conn: ConnId) -> bool {
        self.suitors.contains_key(&conn)
    }

    /// Where a peer is.
    pub fn addr_of(&self, conn: ConnId) -> Option<SocketAddr> {
        self.suitors.get(&conn).map(|suitor| suitor.addr)
    }

    /// Whether peers may come, or be called.
    pub fn is_open(&self) -> bool {
        self.state == State::Seeking
    }

    pub fn has_room(&self) -> bool {
        self.suitors.len() < PROSPECT_PEERS_MAX.min(self.identity.peers_max)
    }

    pub fn is_stopped(&self) -> bool {
        self.state == State::Resting
    }

    pub fn is_banned(&self, addr: SocketAddr) -> bool {
        self.candidates.is_banned(addr)
    }

    /// Another connection to the same peer, if there is one: whether we dialled it, and when its
    /// handshakes were done.
    pub fn twin(&self, peer_id: PeerId) -> Option<(ConnId, bool, Time)> {
        let twin = self.suitors.iter().find(|(_, suitor)| suitor.theirs.peer_id == peer_id);
        twin.map(|(&conn, suitor)| (conn, suitor.dialled, suitor.since))
    }

    pub fn phase(&self) -> Phase {
        let gathering = self.gathering.as_ref();
        match self.state {
            State::Seeking => Phase::Seeking {
                pieces: gathering.map_or(0, Gathering::len),
                of: gathering.map_or(0, Gathering::piece_count),
            },
            State::Stopping(_) => Phase::Stopping,
            State::Resting => Phase::Stopped,
        }
    }

    pub fn status(&self) -> Status {
        let name = self.magnet.name.clone();
        Status {
            info_hash: self.info_hash(),
            name: name.unwrap_or_else(|| self.info_hash().to_string()),
            phase: self.phase(),
            total_bytes: self.magnet.total_bytes.unwrap_or(0),
            have_bytes: 0,
            wanted_bytes: 0,
            left_bytes: 0,
            uploaded: 0,
            downloaded: 0,
            rate_up: 0,
            rate_down: 0,
            peers: self.suitors.len(),
            time_left: None,
        }
    }

    /// Hands everything over once the metadata is here; nothing is left then.
    pub fn take_found(&mut self) -> Option<Found> {
        let metainfo = *self.found.take()?;
        Some(Found {
            metainfo,
            magnet: self.magnet.clone(),
            suitors: std::mem::take(&mut self.suitors),
            announcer: std::mem::replace(&mut self.announcer, Announcer::none()),
            candidates: std::mem::take(&mut self.candidates),
        })
    }

    // ── Coming and going ────────────────────────────────────────────────────────────────────

    /// The handshakes are done.
    pub fn on_peer(
        &mut self,
        now: Time,
        conn: ConnId,
        addr: SocketAddr,
        peer: (&Handshake, bool),
        out: &mut Vec<Output>,
    ) {
        let (theirs, dialled) = peer;
        let speaks = theirs.has(EXTENSION_PROTOCOL);
        let suitor = Suitor {
            addr,
            theirs: *theirs,
            dialled,
            extensions: speaks.then(Box::default),
            held: Vec::new(),
            held_bytes: 0,
            since: now,
            last_heard: now,
            last_said: now,
            rests_until: now,
            wrongs: 0,
        };
        self.suitors.insert(conn, suitor);
        if dialled {
            self.candidates.on_connected(addr);
        }
        if speaks {
            out.push(Output::Send { conn, message: self.hello(addr) });
        }
        self.tick_by(now + METADATA_REST);
    }

    /// What we say of ourselves. What we have is said when we know how many pieces there are.
    fn hello(&self, addr: SocketAddr) -> Message {
        let ids = Extension::ALL.map(|extension| match extension {
            Extension::Pex => Some(if self.identity.pex { extension.our_id() } else { 0 }),
            Extension::Metadata | Extension::UploadOnly | Extension::DontHave => {
                Some(extension.our_id())
            }
        });
        extensions::hello(&Hello {
            ids,
            client: Some(CLIENT.to_owned()),
            port: Some(self.identity.port).filter(|&port| port != 0),
            requests_max: Some(REQUESTS_QUEUED_TOLD),
            your_ip: Some(addr.ip().to_canonical()),
            metadata_bytes: None,
            upload_only: None,
        })
    }

    pub fn on_gone(&mut self, now: Time, conn: ConnId) {
        let Some(suitor) = self.suitors.remove(&conn) else { return };
        if let Some(gathering) = &mut self.gathering {
            gathering.on_gone(conn);
        }
        if suitor.dialled {
            self.candidates.on_closed(now, suitor.addr, false);
        }
        // Others may be asked for what it was.
        self.tick_by(now);
    }

    fn part(&mut self, now: Time, conn: ConnId, why: &'static str, out: &mut Vec<Output>) {
        out.push(Output::Close { conn, why });
        self.on_gone(now, conn);
    }

    // ── What they say ───────────────────────────────────────────────────────────────────────

    pub fn on_message(&mut self, now: Time, conn: ConnId, message: Message, out: &mut Vec<Output>) {
        let Some(suitor) = self.suitors.get_mut(&conn) else { return };
        suitor.last_heard = now;
        match message {
            Message::Extended { id, payload } => self.on_extended(now, conn, id, &payload, out),
            // We have nothing, and who speaks Fast wants to hear so.
            Message::Request(claim) if suitor.theirs.has(FAST) => {
                suitor.last_said = now;
                out.push(Output::Send { conn, message: Message::Reject(claim) });
            }
            Message::KeepAlive
            | Message::Request(_)
            | Message::Cancel(_)
            | Message::Port(_)
            | Message::Reject(_)
            | Message::Unknown(_) => {}
            Message::Choke
            | Message::Unchoke
            | Message::Interested
            | Message::NotInterested
            | Message::Have(_)
            | Message::Bitfield(_)
            | Message::Suggest(_)
            | Message::HaveAll
            | Message::HaveNone
            | Message::AllowedFast(_) => {
                if !suitor.hold(message) {
                    self.part(now, conn, "says more than can be kept", out);
                }
            }
        }
    }

    fn on_extended(
        &mut self,
        now: Time,
        conn: ConnId,
        id: u8,
        payload: &[u8],
        out: &mut Vec<Output>,
    ) {
        let Some(suitor) = self.suitors.get_mut(&conn) else { return };
        let (Some(extensions), Some(word)) = (&mut suitor.extensions, Word::parse(id, payload))
        else {
            return;
        };
        match word {
            Word::Hello(hello) => extensions.on_hello(hello),
            Word::UploadOnly(upload_only) => extensions.on_upload_only(upload_only),
            // We have none to give.
            Word::Metadata(Metadata::Request { piece }) => {
                let reject = extensions.metadata(Metadata::Reject { piece });
                out.extend(reject.map(|message| Output::Send { conn, message }));
            }
            Word::Metadata(Metadata::Reject { piece }) => {
                if self.gathering.as_mut().is_some_and(|g| g.on_reject(conn, piece)) {
                    suitor.rests_until = now + METADATA_REST;
                }
            }
            Word::Metadata(Metadata::Data { piece, total_bytes, bytes }) => {
                let from = suitor.addr;
                if let Some(gathering) = &mut self.gathering {
                    gathering.on_data(conn, from, piece, total_bytes, bytes);
                }
            }
            Word::Pex(pex) => {
                let from = suitor.addr.ip();
                match extensions.on_pex(now) {
                    Ok(true) => {}
                    Ok(false) => return,
                    Err(_) => return self.part(now, conn, "broke the protocol", out),
                }
                let is_of_use = |addr: SocketAddr| self.identity.pex && may_tell(from, addr.ip());
                for (addr, _) in pex.added.into_iter().filter(|(addr, _)| is_of_use(*addr)) {
                    self.candidates.add(now, addr, Whence::Peers);
                }
            }
            Word::DontHave(_) => {}
        }
        self.seek(now, out);
    }

    // ── The metadata ────────────────────────────────────────────────────────────────────────

    /// Goes on: judges what is whole, and asks whoever may be asked.
    fn seek(&mut self, now: Time, out: &mut Vec<Output>) {
        if self.state != State::Seeking || self.found.is_some() {
            return;
        }
        if let Some(whole) = self.gathering.take_if(|gathering| gathering.is_whole()) {
            self.judge(now, whole, out);
        }
        if self.found.is_some() {
            return;
        }
        self.choose(now);
        let Some(gathering) = &mut self.gathering else { return };
        for (&conn, suitor) in self.suitors.iter_mut() {
            if suitor.offers(now) != Some(gathering.total_bytes()) {
                continue;
            }
            let Some(extensions) = &suitor.extensions else { continue };
            while let Some(piece) = gathering.ask(now, conn) {
                suitor.last_said = now;
                let request = extensions.metadata(Metadata::Request { piece });
                out.extend(request.map(|message| Output::Send { conn, message }));
            }
        }
        let next = gathering.deadline();
        let rested = self.suitors.values().map(|suitor| suitor.rests_until);
        let rested = rested.filter(|&at| at > now).min();
        next.into_iter().chain(rested).for_each(|at| self.tick_by(at));
    }

    /// Sees to it that what is gathered is of a length that somebody who may be asked offers.
    fn choose(&mut self, now: Time) {
        let is_offered = |gathering: &Gathering| {
            let mut suitors = self.suitors.iter();
            suitors.any(|(&conn, suitor)| {
                suitor.offers(now) == Some(gathering.total_bytes()) && gathering.may_ask(conn)
            })
        };
        if self.gathering.as_ref().is_some_and(is_offered) {
            return;
        }
        let mut counts: Shelf<u32, usize> = Shelf::new();
        let offers = self
            .suitors
            .iter()
            .filter_map(|(&conn, suitor)| Some((conn, suitor.offers(now)?, suitor.wrongs)));
        let offers: Vec<(ConnId, u32, u32)> = offers.collect();
        offers
            .iter()
            .for_each(|(_, bytes, _)| *counts.get_or_insert_with(*bytes, Default::default) += 1);
        // Those first who were wrong least often; then what most of them say.
        let best = offers
            .iter()
            .min_by_key(|(_, bytes, wrongs)| (*wrongs, usize::MAX - counts[bytes], *bytes));
        if let Some(&(conn, bytes, _)) = best {
            let alone = (self.failures > 0).then_some(conn);
            self.gathering = Some(Gathering::new(bytes, alone));
        }
    }

    /// Everything is here: is it right?
    fn judge(&mut self, now: Time, whole: Gathering, out: &mut Vec<Output>) {
        let (bytes, sources) = whole.finish();
        if Digest::of(&bytes) != self.magnet.info_hash.0 {
            return self.on_wrong(now, &sources, out);
        }
        let tiers: Vec<Vec<String>> =
            self.magnet.trackers.iter().map(|url| vec![url.clone()]).collect();
        match Metainfo::of_metadata(&bytes, &tiers) {
            Ok(metainfo) => self.found = Some(Box::new(metainfo)),
            // It is what the link names, and we cannot use it: nobody has another.
            Err(malformed) => {
                let reason = malformed.to_string();
                out.push(Output::Event(Event::Unusable { torrent: self.id, reason }));
                self.stop(now, out);
            }
        }
    }

    /// Who gave all of it alone lied; of several, each may have.
    fn on_wrong(&mut self, now: Time, sources: &[SocketAddr], out: &mut Vec<Output>) {
        self.failures += 1;
        if let [liar] = *sources {
            self.candidates.ban(liar);
            out.push(Output::Event(Event::Banned { torrent: self.id, addr: liar }));
        }
        let (banned, suspects): (Vec<ConnId>, Vec<ConnId>) = self
            .suitors
            .iter()
            .filter(|(_, suitor)| sources.contains(&suitor.addr))
            .map(|(&conn, _)| conn)
            .partition(|conn| self.candidates.is_banned(self.suitors[conn].addr));
        for conn in suspects {
            let Some(suitor) = self.suitors.get_mut(&conn) else { continue };
            suitor.wrongs += 1;
        }
        for conn in banned {
            self.part(now, conn, "sent wrong metadata", out);
        }
    }

    // ── Trackers and addresses ──────────────────────────────────────────────────────────────

    fn announce_if_due(&mut self, now: Time, out: &mut Vec<Output>) {
        let is_hungry = self.suitors.len() < PEERS_FEW;
        while let Some(order) = self.announcer.due(now, is_hungry) {
            out.push(self.announce(order));
        }
    }

    fn announce(&self, order: Order) -> Output {
        let announce = Announce {
            info_hash: self.info_hash(),
            peer_id: self.identity.peer_id,
            port: self.identity.port,
            uploaded: 0,
            downloaded: 0,
            // More than nothing, or we would be taken for a seed.
            left: METADATA_PIECE_BYTES.into(),
            event: order.event,
            numwant: Some(order.numwant),
            key: Some(self.identity.key),
            compact: true,
            no_peer_id: true,
            tracker_id: order.tracker_id,
            have: None,
        };
        let (torrent, tracker, url, timeout) = (self.id, order.tracker, order.url, order.timeout);
        Output::Announce { torrent, tracker, url, announce: Box::new(announce), timeout }
    }

    /// A tracker answered. `from`: its address.
    pub fn on_announced(
        &mut self,
        now: Time,
        tracker: usize,
        from: Option<IpAddr>,
        result: Result<Reply, Refusal>,
        out: &mut Vec<Output>,
    ) {
        let (torrent, url) = (self.id, self.announcer.url(tracker).to_owned());
        match result {
            Ok(reply) => {
                self.announcer.on_reply(now, tracker, &reply);
                if let Some(ip) = reply.external_ip {
                    self.candidates.set_us(SocketAddr::new(ip, self.identity.port));
                }
                // A tracker out in the world has no business to send us to ourselves.
                let near = from.is_none_or(|ip| ip.is_loopback());
                for &addr in reply.peers.iter().filter(|addr| near || !addr.ip().is_loopback()) {
                    self.candidates.add(now, addr, Whence::Tracker);
                }
                let peers = reply.peers.len();
                out.push(Output::Event(Event::TrackerOk { torrent, url, peers }));
            }
            Err(refusal) => {
                let retry = self.announcer.on_failure(now, tracker, &refusal);
                let reason = match refusal {
                    Refusal::Failure { reason, .. } | Refusal::Unreachable(reason) => reason,
                };
                out.push(Output::Event(Event::TrackerFailed { torrent, url, reason, retry }));
            }
        }
        self.mind_stopping(now, out);
    }

    /// A person names a peer; it is always dialled.
    pub fn connect(&mut self, now: Time, addr: SocketAddr) {
        self.candidates.add(now, addr, Whence::ByHand);
    }

    /// Nodes of the DHT know peers.
    pub fn on_found_peers(&mut self, now: Time, peers: &[SocketAddr]) {
        for &addr in peers {
            self.candidates.add(now, addr, Whence::Dht);
        }
    }

    /// Somebody in our network takes part, too.
    pub fn on_neighbour(&mut self, now: Time, addr: SocketAddr) {
        self.candidates.add(now, addr, Whence::Local);
    }

    pub fn next_dial(&mut self, now: Time) -> Option<SocketAddr> {
        let may = self.is_open() && self.has_room();
        if may { self.candidates.next(now) } else { None }
    }

    pub fn dial_deadline(&self) -> Option<Time> {
        let may = self.is_open() && self.has_room();
        if may { self.candidates.deadline() } else { None }
    }

    pub fn on_connect_failed(&mut self, now: Time, addr: SocketAddr) {
        self.candidates.on_failed(now, addr);
    }

    pub fn on_self(&mut self, addr: SocketAddr) {
        self.candidates.on_self(addr);
    }

    // ── A person's will ─────────────────────────────────────────────────────────────────────

    /// Asks the trackers as soon as may be.
    pub fn reannounce(&mut self, now: Time) {
        self.announcer.hurry(now);
    }

    /// Hears of peers by peers from now on, or (`false`) no longer.
    pub fn set_pex(&mut self, pex: bool) {
        self.identity.pex = pex;
    }

    pub fn set_peers_max(&mut self, peers_max: usize) {
        self.identity.peers_max = peers_max;
    }

    /// Has these trackers from now on.
    pub fn set_trackers(&mut self, now: Time, tiers: &[Vec<String>]) {
        self.announcer.set_tiers(now, tiers);
        self.magnet.trackers = tiers.concat();
    }

    /// Parts with everyone, says good-bye to trackers and rests.
    pub fn stop(&mut self, now: Time, out: &mut Vec<Output>) {
        if self.state != State::Seeking {
            return;
        }
        self.state = State::Stopping(now + STOP_PATIENCE);
        self.gathering = None;
        let conns: Vec<ConnId> = self.suitors.keys().copied().collect();
        conns.into_iter().for_each(|conn| self.part(now, conn, "stopping", out));
        self.announcer.stop();
        self.mind_stopping(now, out);
    }

    pub fn go_on(&mut self, now: Time) {
        if self.state != State::Seeking {
            self.state = State::Seeking;
            self.announcer.begin_again(now);
            self.candidates.hurry(now);
        }
    }

    fn mind_stopping(&mut self, now: Time, out: &mut Vec<Output>) {
        let State::Stopping(until) = self.state else { return };
        self.announce_if_due(now, out);
        if self.announcer.is_done_stopping() || now >= until {
            self.state = State::Resting;
            out.push(Output::Event(Event::Stopped { torrent: self.id }));
        }
    }

    // ── The clock ───────────────────────────────────────────────────────────────────────────

    pub fn tick(&mut self, now: Time, out: &mut Vec<Output>) {
        match self.state {
            State::Resting => {}
            State::Stopping(_) => self.mind_stopping(now, out),
            State::Seeking => {
                self.announce_if_due(now, out);
                let (torrent, whom) = (self.id, Whom::Peer);
                let named = std::mem::take(&mut self.named).into_iter();
                out.extend(named.map(|endpoint| Output::LookUp { torrent, endpoint, whom }));
                if self.tick_at.take_if(|at| *at <= now).is_some() {
                    self.mind_suitors(now, out);
                    self.seek(now, out);
                }
            }
        }
    }

    /// When `tick` wants to be called, and why.
    pub fn deadline(&self) -> Option<(Time, &'static str)> {
        let named = |time: Option<Time>, why| time.map(|time| (time, why));
        let announce = self.announcer.deadline(self.suitors.len() < PEERS_FEW);
        match self.state {
            State::Resting => None,
            State::Stopping(until) => {
                [named(announce, "farewell to a tracker"), Some((until, "end of the farewell"))]
                    .into_iter()
                    .flatten()
                    .min()
            }
            State::Seeking => {
                let names = (!self.named.is_empty()).then_some(Time::START);
                let announce = named(announce, "announce");
                [announce, named(self.tick_at, "look for metadata"), named(names, "look up names")]
                    .into_iter()
                    .flatten()
                    .min()
            }
        }
    }

    fn mind_suitors(&mut self, now: Time, out: &mut Vec<Output>) {
        let late = self.gathering.as_mut().map_or_else(Vec::new, |g| g.expire(now));
        for conn in late {
            if let Some(suitor) = self.suitors.get_mut(&conn) {
                suitor.rests_until = now + METADATA_REST;
            }
        }
        let is_full = !self.has_room();
        let conns: Vec<ConnId> = self.suitors.keys().copied().collect();
        for conn in conns {
            let Some(suitor) = self.suitors.get_mut(&conn) else { continue };
            if let Some(why) = suitor.reason_to_part(now, is_full) {
                self.part(now, conn, why, out);
                continue;
            }
            if now.since(suitor.last_said) >= KEEP_ALIVE_EVERY {
                suitor.last_said = now;
                out.push(Output::Send { conn, message: Message::KeepAlive });
            }
        }
        if !self.suitors.is_empty() {
            self.tick_by(now + METADATA_REST);
        }
    }

    fn tick_by(&mut self, at: Time) {
        self.tick_at = Some(self.tick_at.map_or(at, |already| already.min(at)));
    }

    /// Asserts every invariant.
    pub fn check(&self) {
        self.candidates.check();
        self.gathering.iter().for_each(Gathering::check);
        for suitor in self.suitors.values() {
            let held: usize = suitor.held.iter().map(weight).sum();
            assert_eq!(held, suitor.held_bytes);
            assert!(held <= HELD_BYTES_MAX && suitor.held.len() <= HELD_WORDS_MAX);
        }
    }
}

impl Suitor {
    /// Keeps a word for later. Returns whether there was room.
    fn hold(&mut self, message: Message) -> bool {
        let bytes = self.held_bytes + weight(&message);
        if bytes > HELD_BYTES_MAX || self.held.len() == HELD_WORDS_MAX {
            return false;
        }
        self.held_bytes = bytes;
        self.held.push(message);
        true
    }

    /// The length of the metadata that it has, if it may be asked for it now.
    fn offers(&self, now: Time) -> Option<u32> {
        let extensions = self.extensions.as_ref()?;
        extensions.id_of(Extension::Metadata)?;
        extensions.said().metadata_bytes.filter(|_| now >= self.rests_until)
    }

    fn reason_to_part(&self, now: Time, is_full: bool) -> Option<&'static str> {
        if now.since(self.last_heard) >= SILENCE_MAX {
            return Some("silent for too long");
        }
        let has_none = self.offers(self.rests_until.max(now)).is_none();
        if is_full && has_none && now.since(self.since) >= METADATA_REST {
            return Some("has no metadata");
        }
        None
    }
}

/// What a held word costs, roughly.
fn weight(message: &Message) -> usize {
    match message {
        Message::Bitfield(bytes) => bytes.len(),
        _word => 0,
    }
}
