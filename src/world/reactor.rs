//! The reactor: the whole program's heartbeat.
//!
//! One thread, one poll, one loop. Each turn does the same things in the same order:
//!
//! ```text
//!        ┌─────────────────────────────────────────────────────────────────────┐
//!        ▼                                                                     │
//!  1. poll     until an event, a deadline, or not at all if somebody can go on │
//!  2. clock    read once; the turn has one `now`                               │
//!  3. accept   new connections, a few                                          │
//!  4. HTTP     requests to us, our own announces: short, and someone waits     │
//!  5. receive  datagrams, a few; from peers: a buffer full each,               │
//!              a budget for all                                     ─▶ outputs │
//!  6. report   what became of earlier outputs                       ─▶ outputs │
//!  7. tick     if the engine's deadline has passed                  ─▶ outputs │
//!  8. disk     a slice of the work that can wait                    ─▶ outputs │
//!  9. flush    every link that has something to send, once                     │
//! 10. sweep    slots that fell free may be used again                          │
//!        └─────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! "Outputs" are carried out when the engine has returned, before anything else happens.
//!
//! # Invariants
//! Nothing re-enters: the engine is called from a turn's steps only (see `act`). Whoever could go
//! on stands in a list; while one of the lists holds somebody, the poll does not wait.
//!
//! # Limits
//! Every step is bounded, by the constants of the section "The world" in `base::limits`. How long
//! the longest turn took is measured: a stall is a number, not a feeling.
//!
//! # Why
//! Edge-triggered readiness asks for lists of our own, but they are also what makes a turn fair:
//! level-triggered, the order and the share would be the kernel's.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mio::event::Event as Readable;
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Waker};

use super::act::Job;
use super::conn::{Kind, Table, token};
use super::dht::DhtRecord;
use super::fault::is_table_full;
use super::folder::Folder;
use super::hashing::Sums;
use super::hook::Hook;
use super::http_call::Calls;
use super::http_io::Serves;
use super::interface::{Interface, Watched};
use super::keeper::{Keeper, Places};
use super::line::Line;
use super::named::Named;
use super::peers::{Readiness, Throttled};
use super::remote::{Remote, Watch};
use super::resolver::Resolver;
use super::store::Store;
use super::syncer::Syncer;
use super::sys::{self, Clock, Leave, Signals};
use super::trace::Trace;
use super::udp::Port;
use super::web::Calling;
use crate::base::limits::{
    ACCEPT_REST, ACCEPTS_PER_TURN, CALLERS_WAITING_MAX, HTTP_BYTES_MAX, HTTP_CONNECTIONS_MAX,
    MEMORY_SHARE_OF_HTTP, RECEIVE_BUFFER_BYTES, SEND_BUFFER_BYTES, WEIGH_EVERY,
};
use crate::base::{ConnId, Span, Time, TorrentId};
use crate::engine::control::Control;
use crate::engine::diet::Level;
use crate::engine::prospects::Quest;
use crate::engine::{DiskFault, Engine, Event, Input, Order, Output};
use crate::tracker::{Asking, Service, Step};

/// A running node: the engine, and everything that it reaches the world with.
pub struct Reactor {
    poll: Poll,
    events: Events,
    clock: Clock,
    signals: Signals,
    /// How often a person wanted us to leave.
    pub(super) wishes_to_leave: u32,
    pub(super) longest_turn: Span,
    /// Processor time that was used up to the end of the turn before.
    used_micros: Option<u64>,

    pub(super) now: Time,
    pub(super) engine: Engine,
    pub(super) table: Table,
    pub(super) store: Store,
    pub(super) syncer: Syncer,
    pub(super) resolver: Resolver,
    pub(super) keeper: Keeper,
    pub(super) remote: Option<Remote>,
    pub(super) watch: Option<Watch>,
    pub(super) hook: Option<Hook>,
    /// What is said with peers is written down there.
    pub(super) trace: Option<Trace>,
    /// Whether a person is told what happens with peers (`Event::Told`).
    pub(super) tells: bool,
    /// How much memory there may be used, and when that was looked at last.
    pub(super) memory_max: Option<u64>,
    weighed: Time,
    /// Wakes the poll; helper threads have it, too.
    pub waker: Arc<Waker>,

    /// The two buffers for everyone.
    pub(super) receive_buffer: Box<[u8]>,
    pub(super) send_buffer: Box<[u8]>,

    /// What the engine wants and was not carried out yet; empty between the steps of a turn.
    pub(super) out: Vec<Output>,
    /// What became of it, to be reported.
    pub(super) done: VecDeque<Input<'static>>,
    pub(super) jobs: VecDeque<Job>,
    pub(super) news: Vec<Event>,
    /// Files to be compared with their own hashes, and whether anybody waits to hear of it.
    pub(super) sums: VecDeque<Sums>,
    pub(super) compares_sums: bool,
    /// Room for the results of one call of the store.
    pub(super) results: Vec<Result<(), DiskFault>>,

    listeners: Vec<Listener>,
    /// The sockets for datagrams.
    pub(super) ports: Vec<Port>,
    /// The tracker's answer to one of them; kept for its memory.
    pub(super) datagram_out: Vec<u8>,
    pub(super) receive_list: Vec<ConnId>,
    pub(super) flush_list: Vec<ConnId>,
    /// Those who could go on, had a limit not been reached, in the order in which they came.
    pub(super) throttled: Throttled,
    pub(super) http_ready: Vec<ConnId>,
    /// HTTP connections by the beginning of their present step.
    pub(super) http_line: Line,
    pub(super) http_connections_max: usize,
    /// What they all hold.
    pub(super) http_bytes: usize,
    pub(super) http_bytes_max: usize,
    /// Connects that are under way.
    pub(super) connecting: Line,
    /// Where our own calls begin; `None` where the routing table may choose.
    pub(super) dial_from: Option<IpAddr>,
    /// The interface that everything goes through; `None`: wherever the routing table leads.
    pub(super) watched: Option<Watched>,
    pub(super) calls: Calls,
    pub(super) dht_record: Option<DhtRecord>,
    /// Whom torrents and links name: those whose names are being looked up, and those just found.
    pub(super) named: Vec<Named>,
    pub(super) found: Vec<(Named, Vec<IpAddr>)>,
    /// Questions to trackers over UDP, and what is to be done about them.
    pub(super) asking: Asking,
    pub(super) steps: Vec<Step>,
    /// Web seeds that are being called.
    pub(super) webs: Vec<Calling>,
}

/// A socket that takes connections.
#[derive(Debug)]
struct Listener {
    id: ConnId,
    /// What is served over HTTP; `None`: peers call here.
    serves: Option<Serves>,
    /// There may be somebody to accept.
    is_ready: bool,
    /// The system refused to accept; until then we do not try.
    rests_until: Option<Time>,
}

impl Reactor {
    /// A reactor around `engine`, without listeners. `places`: of its tracker's files.
    ///
    /// Error: the system has no descriptor for a poll, a waker or the signals.
    pub fn new(engine: Engine, clock: Clock, places: Places) -> io::Result<Reactor> {
        let mut secret = [0; 20];
        sys::random_bytes(&mut secret)?;
        let poll = Poll::new()?;
        let mut table = Table::new(poll.registry().try_clone()?);
        let mut signals = Signals::take()?;
        let signal = table.open(Kind::Signal)?;
        poll.registry().register(signals.source(), token(signal), Interest::READABLE)?;
        let waker = table.open(Kind::Waker)?;
        let waker = Arc::new(Waker::new(poll.registry(), token(waker))?);
        Ok(Reactor {
            poll,
            events: Events::with_capacity(EVENTS_PER_POLL),
            clock,
            signals,
            wishes_to_leave: 0,
            longest_turn: Span::ZERO,
            used_micros: None,
            now: clock.now(),
            engine,
            table,
            store: Store::new(),
            syncer: Syncer::new(wake(&waker)),
            resolver: Resolver::new(wake(&waker)),
            keeper: Keeper::new(places, wake(&waker)),
            remote: None,
            watch: None,
            hook: None,
            trace: None,
            tells: false,
            memory_max: None,
            weighed: Time::START,
            receive_buffer: vec![0; RECEIVE_BUFFER_BYTES].into(),
            send_buffer: vec![0; SEND_BUFFER_BYTES].into(),
            out: Vec::new(),
            done: VecDeque::new(),
            jobs: VecDeque::new(),
            news: Vec::new(),
            sums: VecDeque::new(),
            compares_sums: false,
            results: Vec::new(),
            listeners: Vec::new(),
            ports: Vec::new(),
            datagram_out: Vec::new(),
            receive_list: Vec::new(),
            flush_list: Vec::new(),
            throttled: Throttled::default(),
            http_ready: Vec::new(),
            http_line: Line::new(),
            http_connections_max: HTTP_CONNECTIONS_MAX,
            http_bytes: 0,
            http_bytes_max: HTTP_BYTES_MAX,
            connecting: Line::new(),
            dial_from: None,
            watched: None,
            calls: Calls::default(),
            dht_record: None,
            named: Vec::new(),
            found: Vec::new(),
            asking: Asking::new(secret),
            steps: Vec::new(),
            webs: Vec::new(),
            waker,
        })
    }

    /// Accepts connections of `listener` from now on: over HTTP to what it `serves`, or, if that
    /// is nothing, of peers.
    pub fn listen(&mut self, listener: TcpListener, serves: Option<Serves>) -> io::Result<()> {
        let kind = if serves.is_some() { Kind::HttpListener } else { Kind::PeerListener };
        let id = self.table.open(kind(listener))?;
        self.listeners.push(Listener { id, serves, is_ready: true, rests_until: None });
        Ok(())
    }

    /// The directory of a torrent's files.
    pub(super) fn dir_of(&self, torrent: TorrentId) -> Option<&Path> {
        self.store.folder(torrent).map(Folder::root)
    }

    /// Takes a torrent on, whose files are below `dir`. `None` if it is here already.
    pub fn add(&mut self, order: Order, dir: PathBuf) -> Option<TorrentId> {
        let now = self.read_clock();
        let traced = self.trace.is_some().then(|| order.clone());
        let torrent = self.engine.add(now, order, &mut self.out)?;
        if let (Some(trace), Some(order)) = (&mut self.trace, traced) {
            trace.recorder.adds(now, torrent, &order);
        }
        self.store.add(torrent, dir);
        self.carry_out();
        Some(torrent)
    }

    /// Follows a magnet link; the files will be below `dir`. `None` if it is here already.
    pub fn seek(&mut self, quest: Quest, dir: PathBuf) -> Option<TorrentId> {
        let now = self.read_clock();
        let traced = self.trace.is_some().then(|| quest.clone());
        let torrent = self.engine.seek(now, quest)?;
        if let (Some(trace), Some(quest)) = (&mut self.trace, traced) {
            trace.recorder.seeks(now, torrent, &quest);
        }
        self.store.add(torrent, dir);
        Some(torrent)
    }

    /// Does what a person wants of a torrent.
    pub(super) fn control(&mut self, torrent: TorrentId, control: &Control) {
        let now = self.read_clock();
        self.engine.control(now, torrent, control, &mut self.out);
        self.carry_out();
    }

    /// Begins to say good-bye.
    pub fn stop(&mut self) {
        let now = self.read_clock();
        if let Some(trace) = &mut self.trace {
            trace.recorder.stops(now);
        }
        self.engine.stop(now, &mut self.out);
        self.carry_out();
        self.save_remote();
        self.save_dht();
    }

    /// One heartbeat. Waits for at most `wait_max` (`None`: until something happens) and appends
    /// what a person may want to know to `news`.
    ///
    /// Error: the poll failed, or the interface that we keep to is gone, which is nothing that
    /// going on could mend.
    pub fn turn(&mut self, wait_max: Option<Span>, news: &mut Vec<Event>) -> io::Result<()> {
        // 1. and 2.
        self.wait(wait_max)?;
        self.now = self.clock.now();
        self.note_events();
        // 3.
        self.accept();
        // 4.
        self.serve_http();
        self.run_calls();
        self.run_questions();
        // 5.
        self.receive_datagrams();
        self.expire_connects();
        self.end_throttling();
        self.receive_from_peers();
        // 6.
        self.report_done();
        self.meet_found();
        // 7.
        if self.engine.deadline().is_some_and(|(at, _)| at <= self.now) {
            if let Some(trace) = &mut self.trace {
                trace.recorder.ticks(self.now);
            }
            self.engine.tick(self.now, &mut self.out);
            self.carry_out();
        }
        // 8.
        self.run_jobs();
        self.compare_sums();
        self.take_census();
        // 9.
        self.flush_peers();
        // 10.
        self.table.end_turn();
        let took = self.clock.now().since(self.now);
        self.longest_turn = self.longest_turn.max(took);
        if let Some(service) = self.engine.service_mut() {
            // What the wait before cost is counted, too: a microsecond or two.
            let used_micros = sys::processor_micros();
            let before = self.used_micros.replace(used_micros).unwrap_or(used_micros);
            service.note_turn(took, used_micros - before);
        }
        self.mind_memory();
        self.mind_watch();
        self.mind_remote();
        self.mind_dht();
        self.mind_hook();
        self.mind_trace();
        self.mind_interface()?;
        news.append(&mut self.news);
        self.check();
        Ok(())
    }

    /// The clock's time, between turns.
    pub fn read_clock(&mut self) -> Time {
        self.now = self.clock.now();
        self.now
    }

    /// Uses no more than so much memory, as far as eating less can bring that about.
    pub(super) fn limit_memory(&mut self, bytes_max: u64) {
        self.memory_max = Some(bytes_max);
        let share = usize::try_from(bytes_max / MEMORY_SHARE_OF_HTTP).unwrap_or(usize::MAX);
        self.http_bytes_max = self.http_bytes_max.min(share);
        if let Some(remote) = &mut self.remote {
            remote.limit_bodies(share);
        }
    }

    /// Looks how much memory is used, if there is a limit and it is time.
    fn mind_memory(&mut self) {
        let Some(limit) = self.memory_max else { return };
        if self.now.since(self.weighed) < WEIGH_EVERY {
            return;
        }
        self.weighed = self.now;
        let Some(used) = sys::resident_bytes() else { return };
        self.engine.weigh(self.now, used, limit, &mut self.out);
        if self.engine.level() >= Level::Short {
            self.store.drop_handles();
        }
        self.carry_out();
    }

    /// Asserts what the fast path relies on; in debug builds only.
    pub fn check(&self) {
        if !cfg!(debug_assertions) {
            return;
        }
        self.engine.check();
        self.asking.check();
        self.store.check();
        self.http_line.check();
        assert_eq!(self.http_bytes, self.recount_http());
        self.connecting.check();
        for (id, kind) in self.table.iter() {
            if let Kind::Peer(peer) = kind {
                let count = |list: &[ConnId]| list.iter().filter(|&&other| other == id).count();
                let throttled = &self.throttled;
                let receives = count(&self.receive_list) + count(&throttled.receive_list);
                assert_eq!(receives, usize::from(peer.ready.in_receive_list));
                let flushes = count(&self.flush_list) + count(&throttled.flush_list);
                assert_eq!(flushes, usize::from(peer.ready.in_flush_list));
            }
        }
    }

    fn wait(&mut self, wait_max: Option<Span>) -> io::Result<()> {
        let mut timeout = wait_max;
        if self.can_go_on() {
            timeout = Some(Span::ZERO);
        } else if let Some(deadline) = self.deadline() {
            let until = deadline.since(self.clock.now());
            timeout = Some(timeout.map_or(until, |max| max.min(until)));
        }
        let timeout = timeout.map(|span| Duration::from_millis(span.as_millis()));
        match self.poll.poll(&mut self.events, timeout) {
            // A signal came in between; the pipe that it wrote to is found by the next poll.
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                self.events.clear();
                Ok(())
            }
            result => result,
        }
    }

    /// Whether there is something to do that no event will announce.
    fn can_go_on(&self) -> bool {
        let can_accept = |listener: &Listener| listener.is_ready && listener.rests_until.is_none();
        !self.receive_list.is_empty()
            || !self.flush_list.is_empty()
            || !self.http_ready.is_empty()
            || !self.done.is_empty()
            || !self.found.is_empty()
            || !self.jobs.is_empty()
            || !self.sums.is_empty()
            || self.calls.can_begin()
            || self.listeners.iter().any(can_accept)
            || self.ports.iter().any(|port| port.is_ready)
    }

    /// The next moment at which something is due.
    fn deadline(&mut self) -> Option<Time> {
        let calls = self.calls_deadline();
        let rests = self.listeners.iter().filter_map(|listener| listener.rests_until).min();
        let engine = self.engine.deadline().map(|(at, _why)| at);
        let service = self.engine.service().filter(|_| self.keeper.takes_parts());
        let census = service.and_then(Service::census_deadline);
        let remote = self.remote.as_ref().and_then(Remote::deadline);
        let watch = self.watch.as_ref().map(Watch::deadline);
        let hook = self.hook.as_ref().and_then(Hook::deadline);
        let asking = self.asking.deadline();
        // With memory enough, nobody is woken for its sake.
        let is_short = self.engine.level() != Level::Plenty;
        let weigh = self.memory_max.filter(|_| is_short).map(|_| self.weighed + WEIGH_EVERY);
        let record = self.dht_record_deadline();
        let interface = self.interface_deadline();
        let ours =
            [engine, record, interface, self.throttled.until, remote, watch, hook, asking, weigh];
        let http = [self.http_deadline(), self.connects_deadline(), calls, rests, census];
        ours.into_iter().chain(http).flatten().min()
    }

    /// Notes who became ready; nobody is served yet, except that connects are concluded.
    fn note_events(&mut self) {
        // Out of `self` for the moment; an empty list needs no memory.
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        events.iter().for_each(|event| self.note_event(event));
        self.events = events;
    }

    fn note_event(&mut self, event: &Readable) {
        // What was closed in this turn has events behind it: a resting slot swallows them.
        let Some(id) = self.table.id_of(event.token()) else { return };
        let hung_up = event.is_read_closed() || event.is_error();
        match self.table.get_mut(id) {
            Some(Kind::PeerListener(_) | Kind::HttpListener(_)) => {
                for listener in self.listeners.iter_mut().filter(|listener| listener.id == id) {
                    listener.is_ready = true;
                }
            }
            Some(Kind::Udp(_)) => {
                for port in self.ports.iter_mut().filter(|port| port.is(id)) {
                    port.is_ready = true;
                }
            }
            Some(Kind::Peer(_)) => {
                let readable = event.is_readable() || hung_up;
                let writable = event.is_writable();
                self.on_peer_event(id, Readiness { readable, writable, hung_up });
            }
            Some(Kind::Http(_)) => self.on_http_event(id, hung_up),
            Some(Kind::Call(_)) => self.on_call_event(id),
            Some(Kind::Signal) => self.on_signal(),
            Some(Kind::Waker) => self.collect_from_threads(),
            None => {}
        }
    }

    fn on_signal(&mut self) {
        match self.signals.read(self.now) {
            Some(Leave::Soon) => self.wishes_to_leave = self.wishes_to_leave.max(1),
            Some(Leave::Now) => self.wishes_to_leave += 1,
            None => {}
        }
    }

    /// Accepts from every listener that is ready, up to `ACCEPTS_PER_TURN` of each.
    fn accept(&mut self) {
        for number in 0..self.listeners.len() {
            let listener = &mut self.listeners[number];
            if listener.rests_until.is_some_and(|until| self.now >= until) {
                listener.rests_until = None;
            }
            if listener.is_ready && listener.rests_until.is_none() {
                self.accept_some(number);
            }
        }
    }

    fn accept_some(&mut self, number: usize) {
        let Listener { id, serves, .. } = self.listeners[number];
        for _ in 0..ACCEPTS_PER_TURN {
            match self.table.accept(id) {
                Some(Ok((stream, addr))) => match serves {
                    Some(serves) => self.on_http_accepted(stream, addr, serves),
                    None => self.on_peer_accepted(stream, addr),
                },
                Some(Err(error)) if error.kind() == ErrorKind::WouldBlock => {
                    self.listeners[number].is_ready = false;
                    return;
                }
                // They gave up while they waited for us: the next one, please.
                Some(Err(error)) if is_about_one(&error) => {}
                Some(Err(error)) => return self.rest(number, &error),
                None => return,
            }
        }
    }

    /// Lets a listener rest after the system refused to accept.
    fn rest(&mut self, number: usize, error: &io::Error) {
        if is_table_full(error) {
            self.store.drop_handles();
        }
        self.listeners[number].rests_until = Some(self.now + ACCEPT_REST);
    }
}

/// Whether `accept` failed for this one connection only, which is gone (accept(2): network
/// errors that are already pending on the new socket are passed on as errors of `accept`); or
/// `recv` for something that was sent earlier.
pub(super) fn is_about_one(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionRefused
            | ErrorKind::Interrupted
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::NetworkDown
            | ErrorKind::TimedOut
    )
}

/// What a helper thread calls when it has an answer.
pub(super) fn wake(waker: &Arc<Waker>) -> impl Fn() + Send + Sync + 'static {
    let waker = Arc::clone(waker);
    // If it fails, the answer is found with the next waking; there is nobody to tell.
    move || drop(waker.wake())
}

/// Events of one poll; more wait for the next.
const EVENTS_PER_POLL: usize = 256;

/// An address that listens, as the system chose it.
pub(super) fn bind(
    addr: SocketAddr,
    interface: Option<&Interface>,
) -> io::Result<(TcpListener, SocketAddr)> {
    let listener = match interface {
        Some(interface) => interface.listen(addr)?,
        None => {
            let listener = TcpListener::bind(addr)?;
            // Said again, it changes how many may wait (listen(2)).
            rustix::net::listen(&listener, CALLERS_WAITING_MAX)?;
            listener
        }
    };
    let addr = listener.local_addr()?;
    Ok((listener, addr))
}
