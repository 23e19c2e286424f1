//! Floor 6: the second world, a whole swarm in one process and in virtual time.
//!
//! The lab drives the very same `engine::Engine` and `wire::Link` as the real world, with a clock
//! that jumps, a network with faults and disks in memory. Bytes are really encoded, cut, carried,
//! decoded, hashed and compared; only sockets, files and waiting are missing.
//!
//! ```text
//!          ┌────────────── net ──────────────┐          a step: the next event in virtual time
//!   node ──┤ dial · window · delay · fault   ├── node      1. bytes, connects, endings (net)
//!   │      └─────────────────────────────────┘   │         2. disk jobs done, deadlines, answers
//!   engine + links + disk         scripted peer ─┘            of trackers, scheduled actions (clock)
//!                 └── judge, after every step ──┘         of one moment: net first, then in the
//!                                                         order in which they were asked for
//! ```
//!
//! # How to write a scenario
//! Four small functions: who is there, what the links are like, what happens when, when it is over.
//! ```
//! use swarmlet::lab::{Lab, Scenario};
//!
//! fn who(lab: &mut Lab) {
//!     let file = lab.source("file", 32 * 1024, &[100_000]);
//!     let seed = lab.seed("seed", file);
//!     let peer = lab.peer("peer", file);
//!     lab.knows(peer, file, seed);
//! }
//! let pair = Scenario { who, ..Scenario::new("pair") };
//! # let _ = pair;
//! ```
//! `pair.run(7)` plays it with seed 7 and returns the lab, to be asked what came of it; a story
//! that wants to look in between makes a `Lab` and calls `run_until` itself.
//!
//! Swarms that a person runs to see how much, rather than whether, stand in `scenarios`; `tally`
//! counts while they run, `report` makes figures of it and `picture` draws what `film` has seen.
//!
//! # How to replay one
//! Everything that is left to chance comes from the seed. The same scenario with the same seed has
//! the same record, byte for byte; a `Failure` says the seed and the last lines before it.

mod calls;
mod canvas;
mod cast;
pub mod clock;
pub mod congestion;
pub mod content;
mod datagrams;
pub mod disk;
mod events;
pub mod experiment;
pub mod film;
mod flush;
pub mod judge;
mod mishap;
pub mod net;
pub mod node;
pub mod picture;
pub mod pipe;
pub mod record;
pub mod report;
pub mod rope;
pub mod scenarios;
pub mod schedule;
pub mod scripted;
pub mod source;
pub mod tally;
mod turn;
mod witness;

use crate::base::Shelf;
use std::fmt;
use std::net::SocketAddr;

use crate::base::{Bits, ConnId, InfoHash, PieceIndex, Random, Span, TorrentId};
use crate::engine::{DiskFault, Output, ReadFor, ReadJob};
use crate::format::resume::{FileStamp, Resume};
use crate::torrent::Torrent;

use calls::Answer;
use clock::Clock;
pub use clock::Moment;
pub use events::{Action, DiskChange};
use film::Film;
pub use judge::Failure;
use judge::Judge;
pub use mishap::Mishap;
pub use net::{Line, Net, NodeId, Path};
use node::{JobKind, Role};
pub use node::{Mood, Node};
pub use record::Record;
use rope::Rope;
pub use scripted::{Act, Script, Serving};
pub use source::{Source, SourceId};
pub use tally::Tally;

/// The usual path between two nodes: across a country.
const USUAL_PATH: Path = Path { delay: Span::from_millis(20), jitter: Span::ZERO };

/// A scenario that says nothing else is given up after this much virtual time.
const USUAL_LIMIT: Span = Span::from_secs(3600);

/// How many lines of the record a failure shows.
const LINES_BEFORE: usize = 25;

/// A story to be played with any seed.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    pub name: &'static str,
    /// Who is there: sources, trackers, seeds, peers, and who knows whom.
    pub who: fn(&mut Lab),
    /// What the links and disks are like.
    pub links: fn(&mut Lab),
    /// What happens when: `lab.at(…)`.
    pub events: fn(&mut Lab),
    /// When it is over.
    pub over: fn(&Lab) -> bool,
    /// Not being over by then is a failure.
    pub limit: Span,
}

/// Nodes, the network between them, and the clock.
#[derive(Debug)]
pub struct Lab {
    seed: u64,
    now: Moment,
    clock: Clock<Happening>,
    pub net: Net,
    nodes: Vec<Node>,
    sources: Vec<Source>,
    by_addr: Shelf<SocketAddr, NodeId>,
    by_hash: Shelf<InfoHash, SourceId>,
    trackers: Vec<NodeId>,
    /// The trackers are asked over UDP.
    asks_by_datagram: bool,
    /// Nodes that nobody has started yet, and how long after the next run begins they do.
    starts: Shelf<NodeId, Span>,
    judge: Judge,
    record: Record,
    tally: Tally,
    film: Option<Film>,
    random: Random,
    /// How arriving bytes are cut before they are handed over.
    cut: Cut,
    /// Nodes whose copies nobody compares: a story broke them on purpose.
    excused: Vec<NodeId>,
    failure: Option<Failure>,
    /// Who joins lives at an IPv6 address.
    in_ipv6: bool,
    /// The list of outputs, the one receive buffer and what is being sent, kept for their memory.
    out: Vec<Output>,
    received: Vec<u8>,
    leaving: Rope,
    /// Whose turn is not over yet, if the clock goes in steps.
    in_turn: Option<NodeId>,
}

/// How arriving bytes are cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cut {
    /// A packet at a time.
    Whole,
    Every(usize),
    /// Between one byte and so many.
    Random(usize),
}

/// What is in the lab's own queue. A `life` that is over makes an event void.
#[derive(Debug)]
enum Happening {
    Wake {
        node: NodeId,
        life: u32,
    },
    Done {
        node: NodeId,
        life: u32,
        job: Job,
    },
    /// A scripted peer's pause is over.
    Cue {
        node: NodeId,
        life: u32,
        conn: ConnId,
    },
    /// A request reaches a tracker.
    Asked(Box<calls::Call>),
    /// A node may have to ask a tracker again.
    AskingDue {
        node: NodeId,
        life: u32,
    },
    /// A datagram reaches a node.
    Datagram(Box<datagrams::Datagram>),
    /// The answer, or the lack of one, reaches the node that asked.
    Answered {
        node: NodeId,
        life: u32,
        answer: Box<Answer>,
    },
    Action(Action),
}

/// A disk job that was carried out and whose answer is still to be told.
#[derive(Debug)]
enum Job {
    Surveyed {
        torrent: TorrentId,
        result: Result<Vec<Option<FileStamp>>, DiskFault>,
        resume: Option<Box<Resume>>,
    },
    Prepared {
        torrent: TorrentId,
        result: Result<(), DiskFault>,
    },
    Written {
        torrent: TorrentId,
        piece: PieceIndex,
        begin: u32,
        len: u32,
        result: Result<(), DiskFault>,
    },
    Read {
        job: ReadJob,
        result: Result<Vec<u8>, DiskFault>,
    },
    Saved {
        torrent: TorrentId,
        have: Bits,
        result: Result<(), DiskFault>,
    },
    Removed {
        torrent: TorrentId,
        result: Result<(), DiskFault>,
    },
}

impl Happening {
    /// Whom it happens to; what happens to all goes first.
    fn whose(&self) -> NodeId {
        match self {
            Happening::Wake { node, .. }
            | Happening::Done { node, .. }
            | Happening::Cue { node, .. }
            | Happening::AskingDue { node, .. }
            | Happening::Answered { node, .. } => *node,
            Happening::Asked(call) => call.to(),
            Happening::Datagram(datagram) => datagram.to(),
            Happening::Action(_) => NodeId(0),
        }
    }
}

impl Job {
    /// Whose job it is, and what waits for it.
    fn kind(&self) -> (TorrentId, JobKind) {
        match self {
            Job::Surveyed { torrent, .. } => (*torrent, JobKind::Survey),
            Job::Prepared { torrent, .. } => (*torrent, JobKind::Prepare),
            Job::Written { torrent, .. } => (*torrent, JobKind::Write),
            Job::Read { job, .. } => match job.purpose {
                ReadFor::Check => (job.torrent, JobKind::Check),
                ReadFor::Hash | ReadFor::Blame => (job.torrent, JobKind::OtherRead),
            },
            Job::Saved { torrent, .. } => (*torrent, JobKind::Save),
            Job::Removed { torrent, .. } => (*torrent, JobKind::Remove),
        }
    }
}

impl Scenario {
    /// Nobody is there, nothing happens, and it is over when everyone has everything.
    pub fn new(name: &'static str) -> Scenario {
        let nothing = |_: &mut Lab| {};
        let limit = USUAL_LIMIT;
        Scenario { name, who: nothing, links: nothing, events: nothing, over: all_done, limit }
    }

    /// Plays it.
    pub fn run(&self, seed: u64) -> Result<Lab, Failure> {
        let mut lab = Lab::new(seed);
        (self.who)(&mut lab);
        (self.links)(&mut lab);
        (self.events)(&mut lab);
        let over = self.over;
        lab.run_until(over, self.limit)?;
        Ok(lab)
    }
}

/// Whether every node that is on has every torrent that it was ordered.
pub fn all_done(lab: &Lab) -> bool {
    (0..lab.nodes.len()).all(|index| lab.has_all(NodeId(index)))
}

impl Lab {
    pub fn new(seed: u64) -> Lab {
        let mut random = Random::new(seed);
        Lab {
            seed,
            now: Moment::START,
            clock: Clock::new(),
            net: Net::new(random.next_u64(), USUAL_PATH),
            nodes: Vec::new(),
            sources: Vec::new(),
            by_addr: Shelf::new(),
            by_hash: Shelf::new(),
            trackers: Vec::new(),
            asks_by_datagram: false,
            starts: Shelf::new(),
            judge: Judge::new(),
            record: Record::new(),
            tally: Tally::default(),
            film: None,
            random,
            cut: Cut::Whole,
            excused: Vec::new(),
            failure: None,
            in_ipv6: false,
            out: Vec::new(),
            received: Vec::new(),
            leaving: Rope::new(),
            in_turn: None,
        }
    }

    // ── What happens ────────────────────────────────────────────────────────────────────────

    /// Makes something happen, so long after now (the beginning, while nothing has run).
    pub fn at(&mut self, span: Span, action: Action) {
        self.plan(self.now.after(span), Happening::Action(action));
    }

    /// From now on time goes in steps; see `clock`. For swarms of hundreds.
    pub fn go_in_steps(&mut self, step: Span) {
        let step_micros = step.as_millis() * 1000;
        self.clock.go_in_steps(step_micros);
        self.net.go_in_steps(step_micros);
    }

    /// How arriving bytes are cut.
    pub fn set_cut(&mut self, cut: Cut) {
        self.cut = cut;
    }

    /// From now on nodes that start ask their trackers over UDP.
    pub fn ask_by_datagrams(&mut self) {
        self.asks_by_datagram = true;
    }

    /// Compares this node's files with the truth no more: the story spoils them.
    pub fn excuse(&mut self, node: NodeId) {
        self.excused.push(node);
    }

    /// Keeps no lines: for long hunts, where a run that fails is played again with all of them.
    pub fn keep_no_record(&mut self) {
        self.record = Record::off();
    }

    /// Lets things happen until `is_over`; by `limit` after now it must be.
    ///
    /// Failure: a rule was broken, or the limit has passed.
    pub fn run_until(
        &mut self,
        mut is_over: impl FnMut(&Lab) -> bool,
        limit: Span,
    ) -> Result<(), Failure> {
        let end = self.now.after(limit);
        self.plan_starts();
        while !is_over(self) {
            let next = self.next_at().filter(|&at| at <= end);
            if next.is_none() {
                self.now = end;
                return Err(self.failed("lab", format!("it is not over after {limit:?}")));
            }
            self.step();
            if let Some(failure) = self.failure.take() {
                return Err(failure);
            }
        }
        Ok(())
    }

    /// Lets so much virtual time go by.
    pub fn run_for(&mut self, span: Span) -> Result<(), Failure> {
        let end = self.now.after(span);
        self.plan_starts();
        while self.next_at().is_some_and(|at| at <= end) {
            self.step();
            if let Some(failure) = self.failure.take() {
                return Err(failure);
            }
        }
        self.now = end;
        Ok(())
    }

    /// When the next event is.
    pub fn next_at(&self) -> Option<Moment> {
        if self.in_turn.is_some() {
            return Some(self.now);
        }
        match (self.net.next(), self.clock.next()) {
            (Some(net), Some(own)) => Some(net.0.min(own.0)),
            (net, own) => net.or(own).map(|(at, _)| at),
        }
    }

    /// Lets one event happen. Does nothing when there is none.
    pub fn step(&mut self) {
        if self.film.as_ref().is_some_and(|film| film.is_due(self.now)) {
            self.take_frame();
        }
        let (net, own) = (self.net.next(), self.clock.next());
        if let Some(id) = self.in_turn
            && [net, own].into_iter().flatten().min() != Some((self.now, id))
        {
            self.in_turn = None;
            return self.flush(id);
        }
        if let Some(at) = net
            && own.is_none_or(|own| at <= own)
        {
            self.now = at.0;
            // Only the net's own event moves bytes on; most of them nobody hears of.
            if let (_, Some(arrival)) = self.net.step() {
                self.on_arrival(arrival);
            }
        } else if let Some((at, happening)) = self.clock.pop() {
            self.now = at;
            self.on_happening(happening);
        }
    }

    // ── Questions ───────────────────────────────────────────────────────────────────────────

    pub fn now(&self) -> Moment {
        self.now
    }

    pub fn record(&self) -> &Record {
        &self.record
    }

    /// What was counted so far.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The number that everything left to chance came from.
    pub fn seed_number(&self) -> u64 {
        self.seed
    }

    pub fn node_named(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    pub fn source_named(&self, id: SourceId) -> &Source {
        &self.sources[id.0]
    }

    /// Whether a node's engine said that it has the whole torrent, or was told so.
    pub fn has(&self, node: NodeId, source: SourceId) -> bool {
        let info_hash = self.sources[source.0].info_hash();
        let was_told = match &self.nodes[node.0].role {
            Role::Engine(driven) => {
                driven.wishes.iter().any(|wanted| wanted.source == source && wanted.whole)
            }
            Role::Script(_) | Role::Tracker(_) => false,
        };
        was_told || self.nodes[node.0].complete.contains(&info_hash)
    }

    /// Whether a node has all that it was ordered. Scripted peers and trackers always do; a
    /// node that is switched off never does.
    pub fn has_all(&self, node: NodeId) -> bool {
        match &self.nodes[node.0].role {
            Role::Engine(driven) => {
                driven.engine.is_some()
                    && driven.wishes.iter().all(|wanted| self.has(node, wanted.source))
            }
            Role::Script(_) | Role::Tracker(_) => true,
        }
    }

    /// How many connections there are between two nodes.
    pub fn connections(&self, a: NodeId, b: NodeId) -> usize {
        self.net.pairs().filter(|&(from, to)| (from, to) == (a, b) || (from, to) == (b, a)).count()
    }

    /// Compares every copy that claims to be whole with its source, again.
    pub fn verify(&self) -> Result<(), Failure> {
        for (index, node) in self.nodes.iter().enumerate() {
            for source in &self.sources {
                let is_said = node.complete.contains(&source.info_hash());
                if !is_said || self.excused.contains(&NodeId(index)) {
                    continue;
                }
                self.judge.compare(node, source).map_err(|what| self.failed(&node.name, what))?;
            }
        }
        Ok(())
    }

    // ── Inside ──────────────────────────────────────────────────────────────────────────────

    fn on_happening(&mut self, happening: Happening) {
        match happening {
            Happening::Wake { node, life } if self.lives(node, life) => self.on_wake(node),
            Happening::Done { node, life, job } if self.lives(node, life) => {
                self.on_done(node, job);
            }
            Happening::Cue { node, life, conn } if self.lives(node, life) => {
                self.on_cue(node, conn);
            }
            Happening::Answered { node, life, answer } if self.lives(node, life) => {
                self.on_answered(node, *answer);
            }
            Happening::AskingDue { node, life } if self.lives(node, life) => {
                self.on_asking_due(node);
            }
            Happening::Wake { .. }
            | Happening::AskingDue { .. }
            | Happening::Done { .. }
            | Happening::Cue { .. }
            | Happening::Answered { .. } => {}
            Happening::Asked(call) => self.on_asked(*call),
            Happening::Datagram(datagram) => self.on_datagram(&datagram),
            Happening::Action(action) => self.on_action(action),
        }
    }

    /// Makes something happen at `at`, or the next step after it.
    fn plan(&mut self, at: Moment, happening: Happening) {
        self.clock.push(at, happening.whose(), happening);
    }

    fn lives(&self, node: NodeId, life: u32) -> bool {
        self.nodes[node.0].life == life
    }

    fn url(&self, tracker: NodeId) -> String {
        let scheme = if self.asks_by_datagram { "udp" } else { "http" };
        format!("{scheme}://{}/announce", self.nodes[tracker.0].addr)
    }

    fn node_at(&self, addr: SocketAddr) -> Option<NodeId> {
        self.by_addr.get(&addr).copied()
    }

    /// An engine says that it is done: what it has must be so.
    fn compare_what_is_said(&mut self, id: NodeId, info_hash: InfoHash) {
        let Some(&source) = self.by_hash.get(&info_hash) else { return };
        let node = &mut self.nodes[id.0];
        let torrent = node.engine().and_then(|engine| engine.look_at(engine.find(info_hash)?));
        let is_whole = torrent.is_none_or(Torrent::is_whole);
        if is_whole {
            node.complete.insert(info_hash);
        }
        if self.excused.contains(&id) {
            return;
        }
        let (node, source) = (&self.nodes[id.0], &self.sources[source.0]);
        let verdict = match is_whole {
            true => self.judge.compare(node, source),
            false => self.judge.compare_pieces(node, source),
        };
        self.require(id, verdict);
    }

    #[inline]
    fn note(&mut self, id: NodeId, word: &str, rest: fmt::Arguments<'_>) {
        self.record.line(self.now, &self.nodes[id.0].name, word, rest);
    }

    /// The first broken rule ends the run.
    fn require(&mut self, id: NodeId, verdict: Result<(), String>) {
        if let Err(what) = verdict
            && self.failure.is_none()
            && !self.excused.contains(&id)
        {
            self.failure = Some(self.failed(&self.nodes[id.0].name, what));
        }
    }

    fn failed(&self, who: &str, what: String) -> Failure {
        let before = self.record.tail(LINES_BEFORE).to_owned();
        Failure { seed: self.seed, at: self.now, who: who.to_owned(), what, before }
    }
}
