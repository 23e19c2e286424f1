//! Node: what a command needs of a running reactor, and no more.
//!
//! ```text
//!  open ─▶ add … ─▶ turn, turn, turn … ─▶ stop ─▶ turn … until is_stopped
//! ```
//!
//! # Interface
//! Loop `turn` until `is_stopped`. Call `stop` when the work is done or when `signals` says that
//! a person wants it; when it says so a second time, leave without waiting.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::dht::DhtOptions;
use super::hook::Hook;
use super::http_io::Serves;
use super::interface::Interface;
use super::keeper::Places;
use super::reactor::{Reactor, bind};
use super::remote::{Remote, RemoteOptions, Watch};
use super::resume;
use super::sys::{self, Clock};
use super::trace::Trace;
use super::udp::{self, Role};
use crate::base::limits::{
    CONNECTIONS_MAX, CONNECTIONS_PER_TORRENT_MAX, HTTP_CONNECTIONS_MAX, OPEN_FILES_MAX,
    RPC_CONNECTIONS_MAX, UNCHOKED_MAX,
};
use crate::base::{Bits, Span, Time, TorrentId};
use crate::dht::Figures;
use crate::engine::control::Control;
use crate::engine::prospects::Quest;
use crate::engine::queue;
use crate::engine::{Adopted, DiskFault, Engine, Event, Order, Settings, Status, Way};
use crate::format::magnet::Magnet;
use crate::format::metainfo::Metainfo;
use crate::torrent::goal::Goal;
use crate::torrent::selection::Wishes;
use crate::tracker::{Counts, Service};

/// What a node is to be.
#[derive(Debug)]
pub struct NodeOptions {
    /// Where to take peers' connections; port 0 picks a free one. `None`: take none.
    pub listen: Option<SocketAddr>,
    /// Where to take them instead if that address is taken, one after the other.
    pub or_listen: Vec<SocketAddr>,
    /// Where to serve HTTP, and announces over UDP. Only together with `tracker`.
    pub http: Option<SocketAddr>,
    pub udp: Vec<SocketAddr>,
    pub tracker: Option<Service>,
    /// Where the tracker keeps its files.
    pub places: Places,
    /// Remote control, unless it is switched off.
    pub remote: Option<RemoteOptions>,
    pub connections_max: usize,
    pub connections_per_torrent_max: usize,
    pub unchoked_max: usize,
    pub rates: Rates,
    pub manners: Manners,
    /// Use no more bytes of memory than these, as far as eating less can bring that about.
    pub memory_max: Option<u64>,
    /// Torrents that are put there are taken on; only together with `remote`.
    pub watch: Option<PathBuf>,
    /// A program that is run when a torrent has arrived.
    pub on_done: Option<PathBuf>,
    /// How to take part in the DHT, if at all.
    pub dht: Option<DhtOptions>,
    /// Look for peers in the local network, and be found there.
    pub local: bool,
    /// One more HTTP connection closes the one that waited longest.
    pub http_connections_max: usize,
    /// Keep each torrent after it is complete, or stop it.
    pub seed: bool,
    /// Send and receive through this network interface and no other; only remote control stays
    /// where it listens.
    pub interface: Option<String>,
    /// Tell what happens with each peer, and why (`Event::Told`).
    pub explain: bool,
    /// Write down there what is said with each peer.
    pub trace: Option<PathBuf>,
}

/// Limits for the node as a whole, bytes per second; `None`: none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rates {
    pub up: Option<u64>,
    pub down: Option<u64>,
}

/// What its torrents may do unless somebody says otherwise.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Manners {
    /// How many run at once.
    pub queue: queue::Limits,
    /// When one has given enough.
    pub goal: Goal,
    /// Tell no peer of others, and do not hear of them.
    pub no_pex: bool,
}

/// A node that could not be opened.
#[derive(Debug)]
pub struct OpenError {
    /// What was tried, for a person: "cannot listen on 127.0.0.1:80".
    pub what: String,
    pub source: io::Error,
}

/// A running node.
pub struct Node {
    reactor: Reactor,
    listen_addr: Option<SocketAddr>,
    udp_addrs: Vec<SocketAddr>,
    tracker_udp_addrs: Vec<SocketAddr>,
    http_addr: Option<SocketAddr>,
    remote_addr: Option<SocketAddr>,
}

impl Node {
    /// Opens sockets, and everything else that a node has from its beginning.
    ///
    /// Error: an address cannot be listened on, or the system refuses a poll, a signal handler
    /// or randomness. An address that is in use is `AddrInUse`.
    pub fn open(mut options: NodeOptions) -> Result<Node, OpenError> {
        let interface = find_interface(options.interface.as_deref())?;
        let by = interface.as_ref();
        let peers = listen_on_first(options.listen, &options.or_listen, by)?;
        let http = listen_on(options.http, by)?;
        let remote = listen_on(options.remote.as_ref().map(RemoteOptions::listen), None)?;
        let remote_addr = remote.as_ref().map(|(_, addr)| *addr);
        fit_to_host(&mut options);
        let listen_addr = peers.as_ref().map(|(_, addr)| *addr);
        let http_addr = http.as_ref().map(|(_, addr)| *addr);
        let settings = Settings {
            // Port 0 tells a tracker that nobody can connect to us.
            port: listen_addr.map_or(0, |addr| addr.port()),
            connections_max: options.connections_max,
            connections_per_torrent_max: options.connections_per_torrent_max,
            unchoked_max: options.unchoked_max,
            seed: options.seed,
            explain: options.explain || options.trace.is_some(),
        };
        let trace = begin_trace(&options)?;
        let seed = sys::random_seed().map_err(cannot("get random numbers"))?;
        let beyond = beyond_a_trace(&options);
        let mut engine = Engine::new(settings.clone(), seed);
        engine.throttle().set_usual(Way::Up, options.rates.up);
        engine.throttle().set_usual(Way::Down, options.rates.down);
        engine.set_usual_goal(options.manners.goal);
        engine.set_pex(Time::START, !options.manners.no_pex, &mut Vec::new());
        engine.limit_queue(Time::START, options.manners.queue, &mut Vec::new());
        let has_tracker = options.tracker.is_some();
        if let Some(mut service) = options.tracker {
            if options.places.state.is_some() {
                service.keep_census();
            }
            engine.serve_tracker(service);
        }
        let mut reactor = Reactor::new(engine, Clock::start(), options.places)
            .map_err(cannot("set up the reactor"))?;
        if let Some(mut trace) = trace {
            trace.recorder.begins(reactor.now, &settings, seed, &beyond);
            reactor.trace = Some(trace);
        }
        reactor.tells = options.explain;
        // Who leaves when it is complete compares afterwards.
        reactor.compares_sums = options.seed;
        if let Some(interface) = &interface {
            reactor.keep_to(interface.clone());
        }
        reactor.http_connections_max = options.http_connections_max;
        reactor.hook = options.on_done.map(Hook::new);
        if options.remote.is_some() {
            reactor.watch = options.watch.map(Watch::new);
        }
        reactor.dial_from = listen_addr.map(|addr| addr.ip());
        for (listener, serves) in [(peers, None), (http, Some(Serves::Tracker))] {
            // Without a tracker there is nobody to answer HTTP.
            if let Some((listener, addr)) = listener.filter(|_| has_tracker || serves.is_none()) {
                let listening = reactor.listen(listener, serves);
                listening.map_err(cannot(&format!("listen on {addr}")))?;
            }
        }
        let mut tracker_udp_addrs = Vec::new();
        for addr in options.udp.iter().filter(|_| has_tracker) {
            let bound = udp::bind_udp(*addr, false, by);
            let listening = bound.and_then(|(socket, addr)| {
                tracker_udp_addrs.push(addr);
                reactor.listen_udp(socket, Role::Tracker)
            });
            listening.map_err(cannot(&format!("receive datagrams at {addr}")))?;
        }
        let mut udp_addrs = Vec::new();
        for (socket, addr) in listen_addr.map(|addr| udp::beside(addr, by)).unwrap_or_default() {
            let listening = reactor.listen_udp(socket, Role::Peers);
            listening.map_err(cannot(&format!("receive datagrams at {addr}")))?;
            udp_addrs.push(addr);
        }
        if let Some(dht) = options.dht {
            reactor.join_dht(dht, &udp_addrs).map_err(cannot("get random numbers"))?;
        }
        if let Some(addr) = listen_addr.filter(|_| options.local) {
            reactor.call_locally(addr).map_err(cannot("look for peers in the local network"))?;
        }
        if let (Some((listener, addr)), Some(remote)) = (remote, options.remote) {
            let peer_port = listen_addr.map_or(0, |addr| addr.port());
            let serving = reactor.serve_remote(listener, remote, peer_port, &options.manners);
            serving.map_err(cannot(&format!("listen on {addr}")))?;
        }
        if let Some(bytes_max) = options.memory_max {
            reactor.limit_memory(bytes_max);
        }
        let http_addr = http_addr.filter(|_| has_tracker);
        Ok(Node { reactor, listen_addr, udp_addrs, tracker_udp_addrs, http_addr, remote_addr })
    }

    /// Where peers reach us, with the port that was picked.
    pub fn listen_addr(&self) -> Option<SocketAddr> {
        self.listen_addr
    }

    /// Where datagrams reach us: at the same port, unless somebody else had it.
    pub fn udp_addrs(&self) -> &[SocketAddr] {
        &self.udp_addrs
    }

    /// Where the tracker answers datagrams.
    pub fn tracker_udp_addrs(&self) -> &[SocketAddr] {
        &self.tracker_udp_addrs
    }

    /// Where the tracker answers.
    pub fn http_addr(&self) -> Option<SocketAddr> {
        self.http_addr
    }

    /// Where remote controls are answered.
    pub fn remote_addr(&self) -> Option<SocketAddr> {
        self.remote_addr
    }

    /// Takes on all torrents that remote control remembers of earlier runs. To be called before
    /// others are added. Returns what a person should hear, a clean line each.
    pub fn restore(&mut self) -> Vec<String> {
        self.reactor.restore_remote()
    }

    /// Takes a torrent on, and has remote control remember it. `None`: it was removed before, and
    /// nobody named it now.
    pub fn adopt(&mut self, torrent: Adopted) -> Option<TorrentId> {
        self.reactor.adopt(torrent)
    }

    /// Follows a magnet link, and has remote control remember it.
    pub fn adopt_link(&mut self, magnet: Magnet) -> Option<TorrentId> {
        self.reactor.adopt_link(magnet)
    }

    /// The directory that holds a torrent's files, or shall.
    pub fn dir_of(&self, torrent: TorrentId) -> Option<&Path> {
        self.reactor.dir_of(torrent)
    }

    /// Takes a torrent on, whose files are, or will be, in `dir`. `None` if it is here already.
    pub fn add(&mut self, order: Order, dir: PathBuf) -> Option<TorrentId> {
        self.reactor.add(order, dir)
    }

    /// Follows a magnet link, to files in `dir`. `None` if it is here already.
    pub fn seek(&mut self, quest: Quest, dir: PathBuf) -> Option<TorrentId> {
        self.reactor.seek(quest, dir)
    }

    /// Links whose torrents are not known yet.
    pub fn prospects(&self) -> Vec<TorrentId> {
        self.reactor.engine.prospects()
    }

    /// Fetches these files of a torrent from now on, and in this order.
    pub fn choose(&mut self, torrent: TorrentId, wishes: Wishes) {
        self.reactor.control(torrent, &Control::Choose(wishes));
    }

    /// Dials a peer by hand.
    pub fn connect(&mut self, torrent: TorrentId, addr: SocketAddr) {
        let now = self.reactor.read_clock();
        self.reactor.engine.connect(now, torrent, addr);
    }

    /// One heartbeat: see `Reactor::turn`.
    pub fn turn(&mut self, wait_max: Option<Span>, events: &mut Vec<Event>) -> io::Result<()> {
        self.reactor.turn(wait_max, events)
    }

    pub fn status(&mut self, torrent: TorrentId) -> Option<Status> {
        let now = self.reactor.read_clock();
        self.reactor.engine.status(now, torrent)
    }

    /// Why data that was written may be lost by a power cut although it was saved; `None` if it
    /// is safe, as far as the host tells.
    pub fn unsafe_for(&self, torrent: TorrentId) -> Option<DiskFault> {
        self.reactor.store.unsafe_for(torrent)
    }

    /// What there is to know of our node of the DHT, if it has one.
    pub fn dht(&mut self) -> Option<Figures> {
        let now = self.reactor.read_clock();
        self.reactor.engine.dht_figures(now)
    }

    /// All torrents, in the order of arrival.
    pub fn torrents(&self) -> Vec<TorrentId> {
        self.reactor.engine.torrents()
    }

    /// Which pieces of a torrent are here and verified.
    pub fn have(&self, torrent: TorrentId) -> Option<&Bits> {
        self.reactor.engine.have(self.metainfo(torrent)?.info_hash)
    }

    pub fn metainfo(&self, torrent: TorrentId) -> Option<&Metainfo> {
        self.reactor.engine.metainfo(torrent)
    }

    /// What the tracker of this node knows and was asked; `None` if it serves none.
    pub fn tracker_counts(&self) -> Option<Counts> {
        self.reactor.engine.service().map(Service::counts)
    }

    /// Begins to say good-bye: to trackers, to peers; and saves. Go on with `turn` meanwhile.
    pub fn stop(&mut self) {
        self.reactor.stop();
    }

    /// Removes the resume record of a torrent that has stopped. Should it not go, it does no harm.
    pub fn forget(&mut self, torrent: TorrentId) {
        let Some(metainfo) = self.reactor.engine.metainfo(torrent) else { return };
        if let Some(folder) = self.reactor.store.folder(torrent) {
            let _ = resume::remove(folder, metainfo.info_hash);
        }
    }

    /// Whether all good-byes are said.
    pub fn is_stopped(&self) -> bool {
        let remote = self.reactor.remote.as_ref();
        self.reactor.engine.is_stopped()
            && self.reactor.keeper.is_idle()
            && remote.is_none_or(Remote::is_idle)
    }

    /// How often a person (or a service manager) asked us to leave, by SIGINT or SIGTERM.
    pub fn signals(&self) -> u32 {
        self.reactor.wishes_to_leave
    }

    /// Time since the node was opened.
    pub fn now(&mut self) -> Time {
        self.reactor.read_clock()
    }

    /// How long the longest turn took, waiting not counted.
    pub fn longest_turn(&self) -> Span {
        self.reactor.longest_turn
    }
}

impl Default for NodeOptions {
    fn default() -> NodeOptions {
        NodeOptions {
            listen: None,
            or_listen: Vec::new(),
            http: None,
            udp: Vec::new(),
            tracker: None,
            places: Places::default(),
            remote: None,
            connections_max: CONNECTIONS_MAX,
            connections_per_torrent_max: CONNECTIONS_PER_TORRENT_MAX,
            unchoked_max: UNCHOKED_MAX,
            rates: Rates::default(),
            manners: Manners::default(),
            memory_max: None,
            dht: None,
            local: false,
            watch: None,
            on_done: None,
            http_connections_max: HTTP_CONNECTIONS_MAX,
            seed: true,
            interface: None,
            explain: false,
            trace: None,
        }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Node { listen_addr, http_addr, .. } = self;
        f.debug_struct("Node").field("listen", listen_addr).field("http", http_addr).finish()
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.source)
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// Finds the interface that is to be kept to, if there is one.
fn find_interface(name: Option<&str>) -> Result<Option<Interface>, OpenError> {
    let Some(name) = name else { return Ok(None) };
    let what = format!("use the interface '{name}'");
    Interface::find(name).map(Some).map_err(cannot(&what))
}

/// Opens the file of the trace, if there is to be one.
fn begin_trace(options: &NodeOptions) -> Result<Option<Trace>, OpenError> {
    let Some(path) = &options.trace else { return Ok(None) };
    let what = format!("write the trace '{}'", path.display());
    Trace::create(path).map(Some).map_err(cannot(&what))
}

/// What moves the engine and does not stand in a trace.
fn beyond_a_trace(options: &NodeOptions) -> Vec<&'static str> {
    let is_there = [
        (options.remote.is_some(), "remote-control"),
        (options.dht.is_some(), "dht"),
        (options.local, "lsd"),
        (options.memory_max.is_some(), "max-memory"),
        (options.manners != Manners::default(), "queue-goal-or-pex"),
    ];
    is_there.into_iter().filter(|(is_there, _)| *is_there).map(|(_, what)| what).collect()
}

/// The first of some addresses that nobody has.
fn listen_on_first(
    addr: Option<SocketAddr>,
    others: &[SocketAddr],
    interface: Option<&Interface>,
) -> Result<Option<(mio::net::TcpListener, SocketAddr)>, OpenError> {
    let mut result = listen_on(addr, interface);
    for &other in others {
        match &result {
            Err(error) if error.source.kind() == io::ErrorKind::AddrInUse => {
                result = listen_on(Some(other), interface);
            }
            Err(_) | Ok(_) => break,
        }
    }
    result
}

fn listen_on(
    addr: Option<SocketAddr>,
    interface: Option<&Interface>,
) -> Result<Option<(mio::net::TcpListener, SocketAddr)>, OpenError> {
    addr.map(|addr| bind(addr, interface).map_err(cannot(&format!("listen on {addr}")))).transpose()
}

fn cannot(what: &str) -> impl FnOnce(io::Error) -> OpenError {
    let what = format!("cannot {what}");
    move |source| OpenError { what, source }
}

/// Asks the host for as many descriptors as our own limits need. Where it refuses, connections
/// become fewer, so that silent ones never take the descriptors that files need.
fn fit_to_host(options: &mut NodeOptions) {
    // Where no handler can be had, a file beyond `ulimit -f` ends us, as it ends everybody.
    let _ = sys::take_file_size_signal();
    if options.tracker.is_none() {
        options.http_connections_max = options.http_connections_max.min(RPC_CONNECTIONS_MAX);
    }
    let serves_http = options.tracker.is_some() || options.remote.is_some();
    let http = if serves_http { options.http_connections_max } else { 0 };
    let wanted = options.connections_max + http + OPEN_FILES_MAX + SPARE_DESCRIPTORS;
    let limit = sys::raise_open_files_limit(wanted as u64).unwrap_or(u64::MAX);
    if limit >= wanted as u64 {
        return;
    }
    let limit = usize::try_from(limit).expect("less than what was wanted");
    let mut places = limit.saturating_sub(FEWEST_DESCRIPTORS).max(2);
    if serves_http {
        let share = if options.listen.is_some() { places / 2 } else { places };
        options.http_connections_max = http.min(share);
        places -= share;
    }
    // Connections that have not said their handshake may be half as many more.
    options.connections_max = options.connections_max.min(places * 2 / 3).max(1);
}

/// Standard streams, poll, waker, listeners, signals, calls, silent connections, helper threads.
const SPARE_DESCRIPTORS: usize = 160;

/// The same at its least, for one torrent, with a few files open and one being synced.
const FEWEST_DESCRIPTORS: usize = 24;
