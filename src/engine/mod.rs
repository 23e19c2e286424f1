//! Floor 5: the whole node as one value.
//!
//! An `Engine` has torrents, connections whose handshake is not done, and perhaps a tracker. It
//! routes each input to the torrent that it concerns, lets peers in and calls others (`door`), and
//! asks every part when it wants to be woken. It decides nothing about pieces: that is the
//! torrent's business.
//!
//! # Interface
//! `handle` for each input, `tick` when `deadline` has passed; carry out what they put into `out`
//! before the receive buffer is used again.
//!
//! # Invariants
//! A connection is either waiting or belongs to one torrent · after `tick`, no deadline lies in
//! the past.

pub mod control;
mod dht;
pub mod diet;
mod door;
pub mod feed;
pub mod local;
pub mod prospects;
pub mod queue;
pub mod throttle;

use crate::base::Shelf;
use std::net::SocketAddr;
use std::path::PathBuf;

use self::diet::Diet;
use self::door::{Dials, Waiting};
use self::local::Local;
use self::prospects::Sought;
use self::queue::Queue;
use crate::base::limits::{HANDSHAKE_TIMEOUT, STOP_PATIENCE};
use crate::base::{Bits, ConnId, InfoHash, PeerId, Random, Time, TorrentId};
use crate::format::http::Request;
use crate::format::layout::Layout;
use crate::format::metainfo::Metainfo;
use crate::torrent::fetch::Payload;
use crate::torrent::goal::Goal;
use crate::torrent::selection::Wishes;
use crate::torrent::{Identity, Torrent};
use crate::tracker::{Errand, Service};
use crate::wire::{Frame, Message, Violation};

pub use self::feed::feed;
pub use self::throttle::{Throttle, Way};
pub use crate::border::{Closed, DiskFault, Event, Input, Output, ReadFor, ReadJob, Reason, Whom};
pub use crate::torrent::{Phase, Status};

/// What a node is told once, at its birth.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The port that we tell trackers.
    pub port: u16,
    pub connections_max: usize,
    pub connections_per_torrent_max: usize,
    pub unchoked_max: usize,
    /// Keep each torrent after it is complete (`true`), or stop it (`get` without `--seed`).
    pub seed: bool,
    /// Say why each peer is asked for a piece, choked or unchoked (`Output::Because`).
    pub explain: bool,
}

/// A torrent of the command line that a daemon is to remember.
#[derive(Clone, Debug)]
pub struct Adopted {
    pub order: Order,
    pub dir: PathBuf,
    /// Of its file.
    pub bytes: Vec<u8>,
    /// Nobody named it: it lies in the directory that we look through.
    pub was_found: bool,
}

/// A torrent to be shared or fetched.
#[derive(Clone, Debug)]
pub struct Order {
    pub metainfo: Metainfo,
    /// Further trackers, asked before those of the torrent.
    pub trackers: Vec<String>,
    /// Peers given by hand; always dialled.
    pub peers: Vec<SocketAddr>,
    /// The data was hashed a moment ago to make this very torrent: no check is needed.
    pub whole: bool,
    /// Take it on, look at it, and leave it at that until somebody starts it.
    pub paused: bool,
    /// Which files are wanted, and in which order.
    pub wishes: Wishes,
    /// Give each piece away once and let others copy it, until they have everything.
    pub super_seed: bool,
}

impl Order {
    /// Nothing is known but the torrent itself.
    pub fn new(metainfo: Metainfo) -> Order {
        Order {
            metainfo,
            trackers: Vec::new(),
            peers: Vec::new(),
            whole: false,
            paused: false,
            wishes: Wishes::default(),
            super_seed: false,
        }
    }
}

/// A node: torrents, their peers, and perhaps a tracker.
#[derive(Debug)]
pub struct Engine {
    settings: Settings,
    peer_id: PeerId,
    key: u32,
    random: Random,
    torrents: Shelf<TorrentId, Torrent>,
    /// Torrents to be: their metadata is looked for.
    prospects: Shelf<TorrentId, Sought>,
    next_id: u32,
    /// Connections that have not said who they are.
    waiting: Shelf<ConnId, Waiting>,
    conns: Shelf<ConnId, TorrentId>,
    dials: Dials,
    service: Option<Service>,
    /// Our node of the DHT.
    member: Option<dht::Member>,
    /// What we say to our own network.
    local: Option<Local>,
    /// Peers are told of other peers, and tell of them.
    pex: bool,
    /// What may move now; the world asks before it moves bytes.
    throttle: Throttle,
    queue: Queue,
    diet: Diet,
    /// Connections that a person wants it to have at most.
    wished_max: Option<usize>,
    /// When a torrent has given enough, if nobody says otherwise.
    usual_goal: Goal,
    stopping: bool,
}

/// The client part of our peer id, in the customary form of BEP 20: name, version, dash.
const PEER_ID_PREFIX: &[u8; 8] = b"-SL0100-";

impl Engine {
    /// `seed`: for every random choice that need not be secret, the peer id among them.
    pub fn new(settings: Settings, seed: u64) -> Engine {
        let mut random = Random::new(seed);
        let mut peer_id = [0; 20];
        random.fill(&mut peer_id);
        peer_id[..PEER_ID_PREFIX.len()].copy_from_slice(PEER_ID_PREFIX);
        let [a, b, c, d, ..] = random.next_u64().to_le_bytes();
        Engine {
            settings,
            peer_id: PeerId(peer_id),
            key: u32::from_le_bytes([a, b, c, d]),
            random,
            torrents: Shelf::new(),
            prospects: Shelf::new(),
            next_id: 1,
            waiting: Shelf::new(),
            conns: Shelf::new(),
            dials: Dials::new(),
            service: None,
            member: None,
            local: None,
            pex: true,
            throttle: Throttle::default(),
            queue: Queue::default(),
            diet: Diet::default(),
            wished_max: None,
            usual_goal: Goal::default(),
            stopping: false,
        }
    }

    // ── Orders from above ───────────────────────────────────────────────────────────────────

    /// Takes a torrent on. `None` if there is already one of this info-hash.
    pub fn add(&mut self, now: Time, order: Order, out: &mut Vec<Output>) -> Option<TorrentId> {
        if self.by_info_hash(order.metainfo.info_hash).is_some() {
            return None;
        }
        let id = self.next_id();
        self.take_on(now, id, order, out);
        Some(id)
    }

    fn next_id(&mut self) -> TorrentId {
        let id = TorrentId(self.next_id);
        self.next_id += 1;
        id
    }

    /// What a new torrent is told of the node.
    fn identity(&self) -> Identity {
        Identity {
            peer_id: self.peer_id,
            port: self.settings.port,
            key: self.key,
            peers_max: self.settings.connections_per_torrent_max,
            unchoked_max: self.settings.unchoked_max,
            seed: self.settings.seed,
            explain: self.settings.explain,
            pex: self.pex,
        }
    }

    fn take_on(&mut self, now: Time, id: TorrentId, order: Order, out: &mut Vec<Output>) {
        let identity = self.identity();
        let mut metainfo = order.metainfo;
        let known = metainfo.trackers.concat();
        let new = order.trackers.into_iter().filter(|url| !known.contains(url));
        let by_hand: Vec<Vec<String>> = new.map(|url| vec![url]).collect();
        metainfo.trackers.splice(0..0, by_hand);
        let random = Random::new(self.random.next_u64());
        let mut torrent = Torrent::new(now, id, identity, metainfo, random);
        torrent.choose(now, &order.wishes, out);
        for addr in order.peers {
            torrent.connect(now, addr);
        }
        torrent.take_check_turns();
        torrent.set_goal(self.usual_goal);
        if order.super_seed {
            torrent.super_seed();
        }
        if self.queue.is_limited() {
            torrent.wait_for_place();
        }
        let before = out.len();
        match order.paused {
            true => torrent.begin_at_rest(out),
            false => torrent.start(now, order.whole, out),
        }
        if self.member.is_some() {
            let nodes = torrent.metainfo().nodes.iter().cloned();
            let look_up = |endpoint| Output::LookUp { torrent: id, endpoint, whom: Whom::Node };
            out.extend(nodes.map(look_up));
        }
        self.torrents.insert(id, torrent);
        self.after(now, before, out);
    }

    /// Exchanges peers with peers from now on, or (`false`) no longer.
    pub fn set_pex(&mut self, now: Time, pex: bool, out: &mut Vec<Output>) {
        self.pex = pex;
        self.torrents.values_mut().for_each(|torrent| torrent.set_pex(now, pex, out));
        self.prospects.values_mut().for_each(|sought| sought.prospect.set_pex(pex));
    }

    /// When torrents that come from now on have given enough, unless somebody says otherwise.
    pub fn set_usual_goal(&mut self, goal: Goal) {
        self.usual_goal = goal;
    }

    /// Dials a peer by hand.
    pub fn connect(&mut self, now: Time, torrent: TorrentId, addr: SocketAddr) {
        if let Some(torrent) = self.torrents.get_mut(&torrent) {
            torrent.connect(now, addr);
        } else if let Some(sought) = self.prospects.get_mut(&torrent) {
            sought.prospect.connect(now, addr);
        }
    }

    /// Says good-bye to trackers and peers and saves; `is_stopped` tells when that is done.
    pub fn stop(&mut self, now: Time, out: &mut Vec<Output>) {
        self.stopping = true;
        if let Some(service) = &mut self.service {
            service.last_census(now);
        }
        for conn in std::mem::take(&mut self.waiting).into_keys() {
            out.push(Output::Close { conn, why: "stopping" });
        }
        for torrent in self.torrents.values_mut() {
            torrent.stop(now, STOP_PATIENCE, out);
        }
        for sought in self.prospects.values_mut() {
            sought.prospect.stop(now, out);
        }
        self.forget_closed(out);
    }

    /// Whether every torrent has said its farewells: because we were told to stop, or because each
    /// is complete and there is no wish to go on sharing.
    pub fn is_stopped(&self) -> bool {
        let is_anything_here = !self.torrents.is_empty() || !self.prospects.is_empty();
        let by_themselves = !self.settings.seed && is_anything_here;
        let ends = self.stopping || by_themselves;
        let is_told = self.service.as_ref().is_none_or(|service| !service.is_census_pending());
        let mut prospects = self.prospects.values();
        ends && is_told
            && prospects.all(|sought| sought.prospect.is_stopped())
            && self.torrents.values().all(Torrent::is_stopped)
    }

    /// Serves a tracker, too.
    pub fn serve_tracker(&mut self, service: Service) {
        self.service = Some(service);
    }

    /// The limits on sending and receiving.
    pub fn throttle(&mut self) -> &mut Throttle {
        &mut self.throttle
    }

    /// One HTTP request to the tracker; appends the whole response (head and body) to `answer`,
    /// or returns what must be done before (see `Service::http`).
    pub fn http(
        &mut self,
        now: Time,
        from: SocketAddr,
        request: &Request<'_>,
        answer: &mut Vec<u8>,
    ) -> Option<Errand> {
        let service = self.service.as_mut().expect("HTTP is served only with a tracker");
        service.http(now, from, request, answer)
    }

    /// One datagram to the tracker; appends the answer, or nothing.
    pub fn datagram(&mut self, now: Time, from: SocketAddr, bytes: &[u8], answer: &mut Vec<u8>) {
        if let Some(service) = &mut self.service {
            service.datagram(now, from, bytes, answer);
        }
    }

    /// Whether it says why it does what it does.
    pub fn explains(&self) -> bool {
        self.settings.explain
    }

    // ── Inputs ──────────────────────────────────────────────────────────────────────────────

    /// Takes in one thing that happened.
    pub fn handle(&mut self, now: Time, input: Input<'_>, out: &mut Vec<Output>) {
        let before = out.len();
        self.route(now, input, out);
        self.after(now, before, out);
    }

    fn route(&mut self, now: Time, input: Input<'_>, out: &mut Vec<Output>) {
        match input {
            Input::Accepted { conn, addr } => self.on_accepted(now, conn, addr, out),
            Input::Connected { conn, torrent, addr } => {
                self.on_connected(now, conn, torrent, addr, out);
            }
            Input::ConnectFailed { torrent, addr } => {
                self.dials.under_way -= 1;
                self.on_connect_failed(now, torrent, addr);
            }
            Input::Frame { conn, frame, at } => self.on_frame(now, conn, frame, at, out),
            Input::Sent { conn, payload, waiting } => {
                if let Some(torrent) = self.of_conn(conn) {
                    torrent.on_sent(now, conn, payload, waiting);
                }
            }
            Input::WebConnected { conn, torrent, web, addr } => {
                self.on_web(now, conn, torrent, (web, addr), out);
            }
            Input::WebFailed { torrent, web } => {
                if let Some(torrent) = self.torrents.get_mut(&torrent) {
                    torrent.on_web_failed(now, web);
                }
            }
            Input::WebMoved { conn, url } => {
                if let Some(torrent) = self.of_conn(conn) {
                    torrent.on_web_moved(conn, url);
                }
                self.on_closed(now, conn);
            }
            Input::Closed { conn, why } => {
                if let Closed::Violation(Violation::WebAnswer { .. }) = why
                    && let Some(torrent) = self.of_conn(conn)
                {
                    torrent.on_web_refused(now, conn);
                }
                self.on_closed(now, conn);
            }
            Input::SendFailed { conn, torrent, fault } => {
                self.on_closed(now, conn);
                if let Some(torrent) = self.torrents.get_mut(&torrent) {
                    torrent.on_send_failed(now, fault, out);
                }
            }
            Input::Datagram { from, bytes } => self.on_datagram(now, from, bytes, out),
            Input::Notice { from, bytes } => self.on_notice(now, from, bytes),
            Input::Surveyed { torrent, result, resume } => {
                if let Some(torrent) = self.torrents.get_mut(&torrent) {
                    torrent.on_surveyed(now, result, resume.as_ref(), out);
                    self.unsettle_queue();
                }
            }
            Input::Prepared { torrent, result } => {
                if let Some(torrent) = self.torrents.get_mut(&torrent) {
                    torrent.on_prepared(now, result, out);
                }
            }
            Input::Written { torrent, piece, begin: _, len, result } => {
                if let Some(torrent) = self.torrents.get_mut(&torrent) {
                    torrent.on_written(now, piece, len, result, out);
                }
            }
            Input::Read { job, result } => {
                if let Some(torrent) = self.torrents.get_mut(&job.torrent) {
                    torrent.on_read(now, job, result, out);
                }
            }
            Input::Saved { torrent, have: _, result } => {
                if let Some(torrent) = self.torrents.get_mut(&torrent) {
                    torrent.on_saved(now, result, out);
                }
            }
            Input::Removed { torrent, result } => self.on_removed(torrent, result, out),
            Input::Announced { torrent, tracker, from, result } => {
                if let Some(torrent) = self.torrents.get_mut(&torrent) {
                    torrent.on_announced(now, tracker, from, result, out);
                } else if let Some(sought) = self.prospects.get_mut(&torrent) {
                    sought.prospect.on_announced(now, tracker, from, result, out);
                }
            }
        }
    }

    // ── Connections ─────────────────────────────────────────────────────────────────────────

    fn on_frame(
        &mut self,
        now: Time,
        conn: ConnId,
        frame: Frame<'_>,
        at: usize,
        out: &mut Vec<Output>,
    ) {
        let result = match frame {
            Frame::Handshake(theirs) => return self.on_handshake(now, conn, theirs, out),
            Frame::Message(Message::Port(port)) => return self.on_port(now, conn, port, out),
            Frame::Message(message) => match self.of_conn(conn) {
                Some(torrent) => torrent.on_message(now, conn, message, out),
                // To a prospect, or closed by us a moment ago; then the rest of the buffer is of no
                // interest.
                None => return self.on_prospect_message(now, conn, message, out),
            },
            Frame::Payload { block, from, bytes } => match self.of_conn(conn) {
                Some(torrent) => {
                    let payload = Payload { claim: block, from, bytes, at };
                    torrent.on_payload(now, conn, payload, out)
                }
                None => return,
            },
        };
        if result.is_err() {
            out.push(Output::Close { conn, why: "broke the protocol" });
            self.on_closed(now, conn);
        }
    }

    // ── The clock ───────────────────────────────────────────────────────────────────────────

    /// Does what is due. To be called when `deadline` has passed.
    pub fn tick(&mut self, now: Time, out: &mut Vec<Output>) {
        let before = out.len();
        for torrent in self.torrents.values_mut() {
            if torrent.deadline().is_some_and(|(due, _)| due <= now) {
                torrent.tick(now, out);
            }
        }
        for sought in self.prospects.values_mut() {
            if sought.prospect.deadline().is_some_and(|(due, _)| due <= now) {
                sought.prospect.tick(now, out);
            }
        }
        self.after(now, before, out);
        self.end_waiting(now, out);
        self.dial(now, out);
        if let Some(service) = &mut self.service {
            service.tick(now);
        }
        self.tick_dht(now, out);
        self.tick_local(now, out);
    }

    /// When `tick` wants to be called next, and a word that says why. `None`: nothing is due.
    pub fn deadline(&self) -> Option<(Time, &'static str)> {
        let torrents = self.torrents.values().filter_map(Torrent::deadline).min();
        let silent = self.waiting.values().map(|waiting| waiting.since + HANDSHAKE_TIMEOUT).min();
        let service = self.service.as_ref().and_then(Service::deadline);
        let named = |time: Option<Time>, why| time.map(|time| (time, why));
        let prospects = self.prospects.values().filter_map(|sought| sought.prospect.deadline());
        [
            torrents,
            prospects.min(),
            named(silent, "no handshake"),
            named(self.dial_deadline(), "dial"),
            named(service, "expire swarms"),
            named(self.dht_deadline(), "the DHT"),
            named(self.local_deadline(), "call into the network"),
            named(self.queue.deadline(), "a place in the queue"),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    // ── Questions ───────────────────────────────────────────────────────────────────────────

    pub fn peer_id(&self) -> PeerId {
        self.peer_id
    }

    pub fn metainfo(&self, torrent: TorrentId) -> Option<&Metainfo> {
        self.torrents.get(&torrent).map(Torrent::metainfo)
    }

    pub fn layout(&self, torrent: TorrentId) -> Option<&Layout> {
        self.metainfo(torrent).map(|metainfo| &metainfo.layout)
    }

    /// Which torrent a connection is about; `None` before its handshake.
    pub fn torrent_of(&self, conn: ConnId) -> Option<TorrentId> {
        self.conns.get(&conn).copied()
    }

    /// All torrents, in the order of arrival.
    pub fn torrents(&self) -> Vec<TorrentId> {
        self.torrents.keys().copied().collect()
    }

    pub fn status(&mut self, now: Time, torrent: TorrentId) -> Option<Status> {
        if let Some(sought) = self.prospects.get(&torrent) {
            return Some(sought.prospect.status());
        }
        self.torrents.get_mut(&torrent).map(|torrent| torrent.status(now))
    }

    /// What a torrent is about, as in `status`.
    pub fn phase(&self, torrent: TorrentId) -> Option<Phase> {
        self.torrents.get(&torrent).map(Torrent::phase)
    }

    /// Which pieces of a torrent are here and verified.
    pub fn have(&self, info_hash: InfoHash) -> Option<&Bits> {
        let mut torrents = self.torrents.values();
        torrents.find(|torrent| torrent.metainfo().info_hash == info_hash).map(Torrent::have)
    }

    /// A torrent, for those who watch: also one that is being removed.
    pub fn look_at(&self, torrent: TorrentId) -> Option<&Torrent> {
        self.torrents.get(&torrent)
    }

    /// How many connects are under way.
    pub fn dials_under_way(&self) -> usize {
        self.dials.under_way
    }

    /// The tracker's side of this node, if it has one.
    pub fn service(&self) -> Option<&Service> {
        self.service.as_ref()
    }

    /// The same, for whoever carries out what it wants of files.
    pub fn service_mut(&mut self) -> Option<&mut Service> {
        self.service.as_mut()
    }

    /// Asserts every invariant; for debug builds and simulations.
    pub fn check(&self) {
        for (conn, id) in self.conns.iter() {
            assert!(!self.waiting.contains_key(conn), "{conn:?} waits and belongs to {id:?}");
            let of_torrent = self.torrents.get(id).is_some_and(|t| t.has_peer(*conn));
            let of_prospect = self.prospects.get(id).is_some_and(|s| s.prospect.has_peer(*conn));
            assert!(of_torrent != of_prospect, "{id:?} does not know {conn:?}");
        }
        let peers: usize = self.torrents.values().map(Torrent::peer_count).sum();
        let suitors: usize = self.prospects.values().map(|s| s.prospect.peer_count()).sum();
        assert_eq!(peers + suitors, self.conns.len(), "peers of all, connections of the engine");
        self.prospects.values().for_each(|sought| sought.prospect.check());
        for torrent in self.torrents.values() {
            torrent.check();
        }
    }

    fn by_info_hash(&self, info_hash: InfoHash) -> Option<TorrentId> {
        let mut torrents = self.torrents.iter();
        let found = torrents.find(|(_, torrent)| torrent.metainfo().info_hash == info_hash);
        let mut prospects = self.prospects.iter();
        let sought = prospects.find(|(_, sought)| sought.prospect.info_hash() == info_hash);
        found.map(|(&id, _)| id).or(sought.map(|(&id, _)| id))
    }

    fn of_conn(&mut self, conn: ConnId) -> Option<&mut Torrent> {
        let id = self.conns.get(&conn)?;
        self.torrents.get_mut(id)
    }
}
