//! Run: what `tracker`, `share`, `get` and `peer` have in common, a node driven until its end.
//!
//! ```text
//!  open ──▶ turn, tell, redraw ──▶ … ──▶ the node has stopped ──▶ end
//!                                  │         └ by itself: what was to be fetched is complete
//!                                  └ first SIGINT or SIGTERM: stop; a second one, or LEAVE_AFTER
//!                                    later: end at once
//! ```
//!
//! The node does everything; here is only when to stop it, and what the person sees meanwhile.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::choice;
use super::daemon::Daemon;
use super::events::{self, Line, Reporter};
use super::failure::reason;
use super::level::Level;
use super::progress::{self, counted, per_cent};
use super::{Failure, Screen, making};
use crate::base::{PieceIndex, Span, TorrentId};
use crate::engine::prospects::Quest;
use crate::engine::{Adopted, Event, Order, Phase, Status};
use crate::format::magnet::Magnet;
use crate::format::metainfo::Metainfo;
use crate::format::text;
use crate::tracker::Service;
use crate::world::dht::DhtOptions;
use crate::world::hashing;
use crate::world::keeper::Places;
use crate::world::node::{Manners, Node, NodeOptions, OpenError, Rates};
use crate::world::remote::RemoteOptions;
use crate::world::store::Store;

/// When a run is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Goal {
    /// When somebody stops it.
    Serve,
    /// When every torrent is complete.
    Fetch,
}

/// What to run.
pub struct Job {
    pub goal: Goal,
    /// Where to take peers' connections; `None` for one of the usual ports.
    pub listen: Option<SocketAddr>,
    /// Take none.
    pub is_tracker_only: bool,
    pub rates: Rates,
    pub manners: Manners,
    /// Use no more memory than this, bytes.
    pub memory_max: Option<u64>,
    /// Take part in the DHT.
    pub dht: Option<DhtOptions>,
    /// Write down there what is said with each peer.
    pub trace: Option<PathBuf>,
    /// Send and receive through this interface and no other.
    pub interface: Option<String>,
    /// Look for peers in the local network.
    pub local: bool,
    /// Run this when a torrent has arrived.
    pub on_done: Option<PathBuf>,
    /// Serve a tracker there, which keeps its files in these places.
    pub http: Option<Http>,
    /// And where it answers datagrams.
    pub udp: Vec<SocketAddr>,
    /// Torrents, and the directories of their data.
    pub orders: Vec<(Order, PathBuf)>,
    /// Magnet links, and the directories of the data to come.
    pub quests: Vec<(Quest, PathBuf)>,
    /// Of the links' torrents, once their files are known.
    pub select: Option<Select>,
    /// Remote control, and the torrents that it takes care of.
    pub daemon: Option<Daemon>,
}

/// Which files a person wants of a torrent that nobody knows yet.
pub struct Select {
    /// As `choice` reads them.
    pub words: Vec<String>,
    pub sequential: bool,
}

/// Where a tracker listens, what it knows, and where it keeps that.
pub type Http = (SocketAddr, Service, Places);

impl Job {
    pub fn new(goal: Goal) -> Job {
        Job {
            goal,
            listen: None,
            is_tracker_only: false,
            rates: Rates::default(),
            manners: Manners::default(),
            memory_max: None,
            dht: None,
            trace: None,
            interface: None,
            local: false,
            on_done: None,
            http: None,
            udp: Vec::new(),
            orders: Vec::new(),
            quests: Vec::new(),
            select: None,
            daemon: None,
        }
    }
}

/// The customary ports: people have them open in their routers.
const USUAL_PORTS: std::ops::RangeInclusive<u16> = 6881..=6889;

/// On a terminal the progress is looked at this often even if nothing happens, so that rates fade
/// and seconds pass. An unchanged line is not written.
const LOOK_EVERY: Span = Span::from_millis(500);

/// However much happens, it is looked at no more often: a busy node turns thousands of times a
/// second.
const LOOKS_APART: Duration = Duration::from_millis(100);

/// A good-bye that takes longer is cut short: the promise is to leave within five seconds.
const LEAVE_AFTER: Duration = Duration::from_millis(4_500);

/// Runs a node until its goal is reached or somebody stops it.
///
/// Failure: it could not be opened, its reactor failed, or it was stopped before what it should
/// fetch was complete.
pub fn run(job: Job, screen: &mut Screen) -> Result<(), Failure> {
    let mut run = Run::open(job, screen)?;
    run.introduce(screen);
    let result = run.drive(screen);
    screen.clear();
    result?;
    run.compare_sums(screen);
    run.conclude()
}

/// A node at work.
struct Run {
    node: Node,
    goal: Goal,
    torrents: Vec<Fetched>,
    reporter: Reporter,
    /// When somebody wanted the node to stop.
    stopping: Option<Instant>,
    signals_seen: u32,
    /// When the progress was looked at, and the line that then stood on the screen.
    looked: Instant,
    drawn: String,
    events: Vec<Event>,
    select: Option<Select>,
    /// Peers of public torrents are found without tracker and address.
    finds_strangers: bool,
    /// Why there is no going on.
    failed: Option<Failure>,
}

/// One torrent of a run.
struct Fetched {
    id: TorrentId,
    name: String,
    dir: PathBuf,
    /// Hashed a moment ago, so that a check is no news.
    fresh: bool,
    complete: bool,
}

impl Run {
    /// Opens the node and hands it the torrents.
    fn open(job: Job, screen: &mut Screen) -> Result<Run, Failure> {
        let Job {
            goal,
            listen,
            is_tracker_only,
            rates,
            manners,
            memory_max,
            dht,
            trace,
            interface,
            local,
            on_done,
            http,
            udp,
            orders,
            quests,
            select,
            daemon,
        } = job;
        let finds_strangers = dht.is_some() || local;
        let remote = daemon.as_ref().map(|daemon| daemon.options.clone());
        let watch = daemon.as_ref().and_then(|daemon| daemon.watch.clone());
        let places_to_listen = places_to_listen(listen);
        let listen = places_to_listen.first().copied().filter(|_| !is_tracker_only);
        let (http, tracker, places) = match http {
            Some((addr, service, places)) => (Some(addr), Some(service), places),
            None => (None, None, Places::default()),
        };
        let seed = goal == Goal::Serve;
        let node = open(
            NodeOptions {
                listen,
                or_listen: places_to_listen,
                http,
                udp,
                tracker,
                places,
                remote,
                rates,
                manners,
                memory_max,
                dht,
                trace,
                interface,
                local,
                watch,
                on_done,
                seed,
                explain: screen.shows(Level::Debug),
                ..NodeOptions::default()
            },
            !is_tracker_only,
            if is_tracker_only { "--http" } else { "--with-tracker" },
        )?;
        let mut run = Run {
            node,
            goal,
            torrents: Vec::new(),
            reporter: Reporter::new(),
            stopping: None,
            signals_seen: 0,
            looked: Instant::now(),
            drawn: String::new(),
            events: Vec::new(),
            select,
            finds_strangers,
            failed: None,
        };
        orders.into_iter().for_each(|(order, dir)| run.add(order, dir, screen));
        quests.into_iter().for_each(|(quest, dir)| run.seek(quest, dir, screen));
        if let Some(Daemon { adopted, links, .. }) = daemon {
            run.restore(adopted, links, screen);
        }
        Ok(run)
    }

    /// Takes up what remote control remembers, and what the command line names beyond it.
    fn restore(&mut self, adopted: Vec<Adopted>, links: Vec<Magnet>, screen: &mut Screen) {
        self.node.restore().iter().for_each(|odd| screen.warn(odd));
        let known = self.node.torrents();
        known.iter().for_each(|&id| self.introduce_torrent(id, screen));
        for magnet in links {
            let _ = self.node.adopt_link(magnet);
        }
        for id in self.node.prospects() {
            self.introduce_link(id, screen);
        }
        for torrent in adopted {
            let odd = oddities(&torrent.order, self.finds_strangers);
            let Some(id) = self.node.adopt(torrent) else { continue };
            if !self.torrents.iter().any(|known| known.id == id) {
                self.introduce_torrent(id, screen);
                odd.iter().for_each(|odd| screen.warn(odd));
            }
        }
    }

    /// Tells of a torrent that the node has.
    fn introduce_torrent(&mut self, id: TorrentId, screen: &mut Screen) {
        let (Some(metainfo), Some(dir)) = (self.node.metainfo(id), self.node.dir_of(id)) else {
            return;
        };
        let (name, dir) = (metainfo.name.clone(), dir.to_path_buf());
        match screen.is_terminal() {
            true if !screen.shows(Level::Info) => {}
            true => screen.text(&introduction(metainfo, false, &dir)),
            false => screen.log(Level::Info, &events::torrent(metainfo, &dir)),
        }
        self.torrents.push(Fetched { id, name, dir, fresh: false, complete: false });
    }

    /// Tells of a link that the node follows.
    fn introduce_link(&mut self, id: TorrentId, screen: &mut Screen) {
        let Some(status) = self.node.status(id) else { return };
        let dir = self.node.dir_of(id).map(Path::to_path_buf).unwrap_or_default();
        let line = Line::new("magnet").with("name", &status.name);
        let line = line.with("info_hash", status.info_hash).with("dir", dir.display());
        if !screen.is_terminal() {
            screen.line(&line.into_string());
        }
        let name = status.name;
        self.torrents.push(Fetched { id, name, dir, fresh: false, complete: false });
    }

    fn add(&mut self, order: Order, dir: PathBuf, screen: &mut Screen) {
        let metainfo = &order.metainfo;
        let name = metainfo.name.clone();
        let odd = oddities(&order, self.finds_strangers);
        let fresh = order.whole;
        let line = match screen.is_terminal() {
            true => introduction(metainfo, order.whole, &dir),
            false => events::torrent(metainfo, &dir),
        };
        let Some(id) = self.node.add(order, dir.clone()) else {
            screen.warn(&format!("{name}: the same torrent is given twice; once is enough"));
            return;
        };
        match screen.is_terminal() {
            true if !screen.shows(Level::Info) => {}
            true => screen.text(&line),
            false => screen.log(Level::Info, &line),
        }
        odd.iter().for_each(|odd| screen.warn(odd));
        self.torrents.push(Fetched { id, name, dir, fresh, complete: false });
    }

    fn seek(&mut self, quest: Quest, dir: PathBuf, screen: &mut Screen) {
        let magnet = &quest.magnet;
        let name = magnet.name.clone().unwrap_or_else(|| magnet.info_hash.to_string());
        let names_nobody = magnet.trackers.is_empty() && magnet.named_peers.is_empty();
        let is_lonely = names_nobody
            && magnet.peers.is_empty()
            && quest.peers.is_empty()
            && !self.finds_strangers;
        let mut odd: Vec<String> =
            magnet.warnings.iter().map(|odd| format!("{name}: {odd}")).collect();
        if is_lonely {
            odd.push(format!("{name}: the link names no tracker and no --peer is given"));
        }
        let Some(id) = self.node.seek(quest, dir) else {
            screen.warn(&format!("{name}: the same torrent is given twice; once is enough"));
            return;
        };
        self.introduce_link(id, screen);
        odd.iter().for_each(|odd| screen.warn(odd));
    }

    /// Says where it is to be found.
    fn introduce(&mut self, screen: &mut Screen) {
        if !screen.is_terminal() {
            let mut line = Line::new("ready");
            if let Some(addr) = self.node.listen_addr() {
                line = line.with("listen", addr).with("torrents", self.torrents.len());
            }
            if let Some(addr) = self.node.remote_addr() {
                line = line.with("rpc", addr);
            }
            if let Some(addr) = self.node.http_addr() {
                line = line.with("http", addr).with("announce", announce_url(addr));
            }
            for addr in self.node.tracker_udp_addrs() {
                line = line.with("udp", addr);
            }
            return screen.log(Level::Info, &line.into_string());
        }
        if let Some(addr) = self.node.listen_addr() {
            screen.log(Level::Info, &format!("listening on {addr}; Ctrl-C stops"));
        }
        if let Some(addr) = self.node.remote_addr() {
            screen.log(Level::Info, &format!("remote control at {addr}"));
        }
        if let Some(addr) = self.node.http_addr() {
            screen.log(Level::Info, &format!("tracker at {}; Ctrl-C stops", announce_url(addr)));
            for addr in self.node.tracker_udp_addrs() {
                screen.log(Level::Info, &format!("and at udp://{addr}/announce"));
            }
            if addr.ip().is_unspecified() {
                screen.log(Level::Info, "others put the address of this machine in its place");
            }
        }
    }

    /// Turns until the node has stopped.
    fn drive(&mut self, screen: &mut Screen) -> Result<(), Failure> {
        while !self.node.is_stopped() {
            let watched = screen.is_terminal() || self.stopping.is_some();
            let turned = self.node.turn(watched.then_some(LOOK_EVERY), &mut self.events);
            turned.map_err(|error| {
                let message = format!("cannot go on: {}", reason(&error));
                Failure::new(message, "what was verified is kept; start again")
            })?;
            self.tell(screen);
            if self.must_leave(screen) {
                return Ok(());
            }
            self.redraw(screen);
        }
        Ok(())
    }

    /// Tells the news of the last turn.
    fn tell(&mut self, screen: &mut Screen) {
        for event in std::mem::take(&mut self.events) {
            let Some(id) = torrent_of(&event) else {
                self.reporter.tell(screen, &event, "", 0);
                continue;
            };
            if matches!(event, Event::Added { .. } | Event::Learned { .. }) {
                // Until now it had the name that the link gave it, or none.
                self.torrents.retain(|torrent| torrent.id != id);
                self.introduce_torrent(id, screen);
                if self.node.metainfo(id).is_none() {
                    self.introduce_link(id, screen);
                }
            }
            if matches!(event, Event::Learned { .. }) {
                self.choose_files(id, screen);
            }
            let Some(torrent) = self.torrents.iter_mut().find(|torrent| torrent.id == id) else {
                continue;
            };
            torrent.complete |= matches!(event, Event::Complete { .. });
            let known = match &event {
                // Who begins a download knows that nothing is there.
                Event::Checked { have_bytes, .. } => {
                    torrent.fresh || (*have_bytes == 0 && self.goal == Goal::Fetch)
                }
                // Nobody is asked again, whatever the announcer thinks.
                Event::TrackerOk { .. } | Event::TrackerFailed { .. } => self.stopping.is_some(),
                Event::Learned { .. }
                | Event::Unusable { .. }
                | Event::Complete { .. }
                | Event::PieceFailed { .. }
                | Event::Banned { .. }
                | Event::DiskTrouble { .. }
                | Event::DiskRecovered { .. }
                | Event::TrackerTrouble { .. }
                | Event::StateTrouble { .. }
                | Event::WatchTrouble { .. }
                | Event::HookTrouble { .. }
                | Event::Host { .. }
                | Event::Told { .. }
                | Event::Finished { .. }
                | Event::Stopped { .. }
                | Event::Added { .. }
                | Event::Removed { .. } => false,
            };
            if !(known && screen.is_terminal()) {
                let fetched = self.node.status(id).map_or(0, |status| status.downloaded);
                self.reporter.tell(screen, &event, &torrent.name, fetched);
            }
            if matches!(event, Event::Removed { .. }) {
                self.torrents.retain(|torrent| torrent.id != id);
            }
        }
    }

    /// The files of a link's torrent are known: picks those that a person named.
    fn choose_files(&mut self, id: TorrentId, screen: &mut Screen) {
        let (Some(select), Some(metainfo)) = (&self.select, self.node.metainfo(id)) else { return };
        match choice::wishes(&metainfo.layout, &select.words, select.sequential) {
            Ok(wishes) => self.node.choose(id, wishes),
            Err(why) => {
                let hint = "'swarmlet info --fetch' shows the files of a link";
                self.failed = Some(Failure::new(why, hint));
                self.stop(screen);
            }
        }
    }

    /// Stops the node if it is time; returns whether to leave at once.
    fn must_leave(&mut self, screen: &mut Screen) -> bool {
        let signals = self.node.signals();
        let asked = signals > self.signals_seen;
        self.signals_seen = signals;
        match self.stopping {
            Some(since) => asked || since.elapsed() >= LEAVE_AFTER,
            None => {
                if asked {
                    self.stop(screen);
                }
                signals > 1
            }
        }
    }

    fn stop(&mut self, screen: &mut Screen) {
        self.stopping = Some(Instant::now());
        self.node.stop();
        if !screen.is_terminal() {
            let longest = self.node.longest_turn().as_millis();
            let line = Line::new("stopping").with("longest_turn_ms", longest);
            screen.log(Level::Info, &line.into_string());
        } else {
            screen.log(
                Level::Info,
                "stopping: saying good-bye to trackers; once more to leave at once",
            );
        }
    }

    fn is_complete(&self) -> bool {
        self.torrents.iter().all(|torrent| torrent.complete)
    }

    /// Draws the progress line, if it changed.
    fn redraw(&mut self, screen: &mut Screen) {
        if self.looked.elapsed() < LOOKS_APART {
            return;
        }
        self.looked = Instant::now();
        let mut statuses = Vec::new();
        for torrent in &self.torrents {
            if let Some(status) = self.node.status(torrent.id) {
                self.reporter.progress(screen, torrent.id, &status);
                statuses.push(status);
            }
        }
        if !screen.is_terminal() || statuses.is_empty() {
            return;
        }
        let line = match statuses.as_slice() {
            [one] => line_of_one(one, screen.width()),
            many => line_of_many(many),
        };
        if line != self.drawn || !screen.has_progress() {
            screen.progress(&line);
            self.drawn = line;
        }
    }

    /// Tells of files that are here as the pieces want them, and not as the torrent's maker says
    /// beside (BEP 47). Only whoever came to fetch waits for that: every byte is read once more.
    fn compare_sums(&self, screen: &mut Screen) {
        for Fetched { id, name, dir, .. } in self.torrents.iter().filter(|one| one.complete) {
            let Some(metainfo) = self.node.metainfo(*id).filter(|_| self.goal == Goal::Fetch)
            else {
                continue;
            };
            let Some(have) = self.node.have(*id) else { continue };
            let mut store = Store::new();
            store.add(*id, dir.clone());
            let layout = &metainfo.layout;
            let is_here = |number: usize| {
                layout.pieces_of(number).all(|piece| have.has(PieceIndex::checked(piece)))
            };
            let others = hashing::other_sums(&mut store, *id, layout, is_here);
            match others.map_or(0, |others| others.len()) {
                0 => {}
                count => screen.warn(&hashing::contradiction(name, count)),
            }
        }
    }

    /// The result of a run that is over.
    fn conclude(&mut self) -> Result<(), Failure> {
        if let Some(failure) = self.failed.take() {
            return Err(failure);
        }
        let mut torrents = self.torrents.iter();
        let doubtful =
            torrents.find_map(|torrent| Some((torrent, self.node.unsafe_for(torrent.id)?)));
        if let Some((Fetched { name, dir, .. }, fault)) = doubtful {
            let dir = dir.display();
            return Err(Failure::new(
                format!("what was written of '{name}' in '{dir}' may not be on the disk: {fault}"),
                "look at the disk; the same command then checks everything again",
            ));
        }
        if self.goal == Goal::Fetch {
            // Who only wanted the data shall find the data, and nothing of ours beside it.
            let complete = self.torrents.iter().filter(|torrent| torrent.complete);
            complete.for_each(|torrent| self.node.forget(torrent.id));
        }
        if self.goal == Goal::Serve || self.is_complete() {
            return Ok(());
        }
        let missing = self.torrents.iter().find(|torrent| !torrent.complete);
        let Some(Fetched { id, name, dir, .. }) = missing else { return Ok(()) };
        let share = match self.node.status(*id) {
            Some(status) => per_cent(status.got_bytes(), status.wanted_bytes),
            None => 0,
        };
        Err(Failure::new(
            format!("stopped with {share} % of '{name}' in '{}'", dir.display()),
            "the same command goes on from there",
        ))
    }
}

/// Opens a node for a job. Who wants to listen at several addresses is told which one is taken.
fn open(options: NodeOptions, serves_peers: bool, http_option: &str) -> Result<Node, Failure> {
    let remote = options.remote.as_ref().map(RemoteOptions::listen);
    for (addr, option) in [(options.http, http_option), (remote, "--rpc")] {
        // Whoever has only one address hears of it from the node itself; and who keeps to an
        // interface opens nothing beside it, not even for a moment.
        let may_try = serves_peers && options.interface.is_none();
        let Some(addr) = addr.filter(|_| may_try) else { continue };
        std::net::TcpListener::bind(addr).map_err(|source| {
            let what = format!("cannot listen on {addr}");
            cannot_open(&OpenError { what, source }, option)
        })?;
    }
    for addr in options.udp.iter().filter(|_| options.interface.is_none()) {
        std::net::UdpSocket::bind(addr).map_err(|source| {
            let what = format!("cannot receive datagrams at {addr}");
            cannot_open(&OpenError { what, source }, "--udp")
        })?;
    }
    let option = if serves_peers { "--listen" } else { http_option };
    Node::open(options).map_err(|error| cannot_open(&error, option))
}

/// Where to take connections: at the address that was asked for, or at the first usual port that is
/// free, or at any.
fn places_to_listen(asked: Option<SocketAddr>) -> Vec<SocketAddr> {
    let usual = || USUAL_PORTS.chain([0]).map(|port| SocketAddr::from(([0, 0, 0, 0], port)));
    asked.map_or_else(|| usual().collect(), |addr| vec![addr])
}

fn cannot_open(error: &OpenError, option: &str) -> Failure {
    let hint = match error.source.kind() {
        io::ErrorKind::AddrInUse => format!("choose another with {option}, or stop who has it"),
        io::ErrorKind::AddrNotAvailable => format!("give an address of this machine to {option}"),
        io::ErrorKind::AlreadyExists => "what stands there is no trace; name another file".into(),
        io::ErrorKind::PermissionDenied => "ports below 1024 are for root; take another".into(),
        _ => String::new(),
    };
    Failure::new(format!("{}: {}", error.what, reason(&error.source)), hint)
}

/// Whether there is nobody to ask for peers.
fn is_lonely(order: &Order) -> bool {
    let Order { metainfo, trackers, peers, .. } = order;
    metainfo.web_seeds.is_empty()
        && peers.is_empty()
        && trackers.is_empty()
        && metainfo.trackers.iter().all(Vec::is_empty)
}

fn announce_url(addr: SocketAddr) -> String {
    format!("http://{addr}/announce")
}

/// What a person should know that is odd about a torrent.
///
/// `finds_strangers`: peers of public torrents are found by themselves.
fn oddities(order: &Order, finds_strangers: bool) -> Vec<String> {
    let name = &order.metainfo.name;
    let warnings = order.metainfo.warnings.iter();
    let mut odd: Vec<_> = warnings.map(|odd| format!("{name}: {odd}")).collect();
    if is_lonely(order) && (order.metainfo.private || !finds_strangers) {
        odd.push(format!(
            "{name}: no tracker is named and no --peer given; only who knows this address can \
             connect"
        ));
    }
    odd
}

/// What a person wants to know of a torrent before it begins. `whole`: it is to be shared.
fn introduction(metainfo: &Metainfo, whole: bool, dir: &Path) -> String {
    let verb = if whole { "sharing" } else { "in" };
    format!(
        "{}\n  {}; {verb} {}\n",
        text::clean(&metainfo.name),
        making::dimensions(metainfo),
        text::clean(dir.display().to_string()),
    )
}

fn line_of_one(status: &Status, width: usize) -> String {
    let up = format!("up {}/s", text::size(status.rate_up));
    let peers = counted(status.peers, "peer");
    match &status.phase {
        Phase::Seeking { pieces, of: 0 } if *pieces == 0 => {
            format!("looking for peers who know the torrent  {peers}")
        }
        Phase::Seeking { pieces, of } => {
            format!("asking what the torrent consists of: {pieces} of {of}  {peers}")
        }
        Phase::Checking { bytes } => {
            let parts = [String::from("checking what is here"), peers];
            progress::bar(*bytes, status.total_bytes, &parts, width)
        }
        Phase::Downloading => {
            let left =
                status.time_left.map_or(String::new(), |left| text::duration(left) + " left");
            let parts =
                [left, format!("down {}/s", text::size(status.rate_down)), peers, of(status), up];
            progress::bar(status.got_bytes(), status.wanted_bytes, &parts, width)
        }
        Phase::Seeding => {
            format!("sharing  {up}  {peers}  {} given", text::size(status.uploaded))
        }
        Phase::Troubled(fault) => format!("waiting for the disk: {fault}  {}", of(status)),
        Phase::Waiting => format!("waiting for a place in the queue  {}", of(status)),
        Phase::Stopping | Phase::Stopped => String::from("stopping"),
    }
}

fn line_of_many(statuses: &[Status]) -> String {
    let whole = statuses.iter().filter(|status| status.left_bytes == 0).count();
    let sum = |of: fn(&Status) -> u64| text::size(statuses.iter().map(of).sum());
    format!(
        "{} torrents, {whole} complete  down {}/s  up {}/s  {}  {} given",
        statuses.len(),
        sum(|status| status.rate_down),
        sum(|status| status.rate_up),
        counted(statuses.iter().map(|status| status.peers).sum(), "peer"),
        sum(|status| status.uploaded),
    )
}

fn of(status: &Status) -> String {
    format!("{} of {}", text::size(status.got_bytes()), text::size(status.wanted_bytes))
}

/// The torrent that an event is about; `None`: it is about the tracker.
fn torrent_of(event: &Event) -> Option<TorrentId> {
    match event {
        Event::Checked { torrent, .. }
        | Event::Complete { torrent, .. }
        | Event::PieceFailed { torrent, .. }
        | Event::Banned { torrent, .. }
        | Event::DiskTrouble { torrent, .. }
        | Event::DiskRecovered { torrent }
        | Event::TrackerOk { torrent, .. }
        | Event::TrackerFailed { torrent, .. }
        | Event::Learned { torrent }
        | Event::Unusable { torrent, .. }
        | Event::Finished { torrent }
        | Event::Stopped { torrent }
        | Event::Added { torrent }
        | Event::Removed { torrent, .. } => Some(*torrent),
        Event::TrackerTrouble { .. }
        | Event::StateTrouble { .. }
        | Event::WatchTrouble { .. }
        | Event::HookTrouble { .. }
        | Event::Host { .. }
        | Event::Told { .. } => None,
    }
}
