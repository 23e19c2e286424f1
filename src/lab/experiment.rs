//! Experiment: a swarm worth looking at, and how it is played.
//!
//! An experiment is data: a name, what to look at, the sizes that suit it, and a function that
//! puts its cast on stage. `play` runs it to the end; `report` makes figures of what came of it.
//!
//! ```text
//!   scenarios ─ find ─▶ Experiment ─ play(setup, seed) ─▶ Played ─▶ Report, record
//! ```
//!
//! # Why
//! The stories in `tests/stories` ask whether something holds; an experiment asks how much. Both
//! run on the same lab.

use super::net::{Line, NodeId, Path};
use super::report::Bound;
pub use super::scenarios::EXPERIMENTS;
use super::schedule::{Arrive, Leave, Schedule};
use super::scripted::{Act, Serving};
use super::source::SourceId;
use super::{Failure, Lab, Record};
use crate::base::Span;
use crate::base::limits::{BLOCK_BYTES, PIECE_BYTES_MAX};
use crate::wire::Message;

/// A swarm worth looking at.
#[derive(Clone, Copy, Debug)]
pub struct Experiment {
    pub name: &'static str,
    /// One line for a list.
    pub summary: &'static str,
    /// A paragraph: what happens, and what to look at.
    pub look: &'static str,
    pub(super) cast: fn(&Setup, &mut Stage),
}

/// What a person may change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setup {
    pub peers: usize,
    pub seeds: usize,
    /// Of the one file that is shared.
    pub bytes: u64,
    /// `None`: suits the size and the number of peers.
    pub piece_bytes: Option<u32>,
    /// Pieces are hashed by SHA-1, as in the real world, and not by its stand-in. It changes how
    /// long the run takes a processor, and no figure.
    pub sha1: bool,
    /// Everybody's line, where the experiment does not say otherwise.
    pub line: Line,
    /// Between any two nodes, one way, and up to so much more.
    pub delay: Span,
    pub jitter: Span,
    /// Lost packets of `congestion::LOSS_OF`.
    pub loss: u32,
    /// `None`: as the experiment says.
    pub arrive: Option<Arrive>,
    pub leave: Option<Leave>,
    pub churn: Option<Span>,
}

/// Somebody who takes part.
#[derive(Clone, Debug)]
pub struct Member {
    pub node: NodeId,
    /// Who is alike stands in one row of the table.
    pub group: &'static str,
    pub line: Line,
    pub part: Part,
    /// When it came first.
    pub arrives: Span,
}

/// What somebody is there for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// Has everything from the beginning.
    Seed,
    /// Wants everything.
    Peer,
    /// Plays a trick; nobody waits for it, and no bound counts on it.
    Trickster,
}

/// What is kept of a run besides its figures. Nothing of it changes what happens.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Keep {
    /// All lines of the record.
    pub record: bool,
    /// Frames for a picture.
    pub film: bool,
}

/// What came of an experiment.
#[derive(Debug)]
pub struct Played {
    pub lab: Lab,
    pub source: SourceId,
    pub members: Vec<Member>,
    /// When peers came and went.
    pub schedule: Schedule,
    /// What the experiment made happen, to be marked in a picture.
    pub marks: Vec<Mark>,
    /// Whether it came to its end and no rule was broken.
    pub verdict: Result<(), Failure>,
}

/// Something that happens to everybody.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mark {
    pub at: Span,
    pub what: &'static str,
}

/// The lab while the cast comes on.
pub(super) struct Stage {
    pub lab: Lab,
    source: SourceId,
    pub members: Vec<Member>,
    marks: Vec<Mark>,
    pub schedule: Schedule,
}

/// Swarms of up to so many are judged word by word; larger ones would take twice as long.
const WATCHED_MAX: usize = 12;

/// In larger swarms than this, time goes in steps, and the usual way from node to node takes one
/// or two of them. Three hundred peers take less than half of the processor time then, and the
/// last is done after 87.5 s, in steps of 20 ms after 83.6.
const STEPLESS_MAX: usize = 250;
const STEP: Span = Span::from_millis(100);

/// A run is given up after so many times its lower bound, and so much.
const PATIENCE_TIMES: u64 = 20;
const PATIENCE: Span = Span::from_secs(600);

/// At most so many pieces are made of the file where nobody says how long they are, in a swarm of
/// up to so many peers; in a larger one down to half of that. Everybody tells each of some fifty
/// others of every piece: with more of them, that is most of what happens in a large swarm.
const PIECES_WANTED: u64 = 512;
const PIECES_WANTED_PEERS: u64 = 250;

/// The experiment of this name.
pub fn find(name: &str) -> Option<&'static Experiment> {
    EXPERIMENTS.iter().find(|experiment| experiment.name == name)
}

impl Default for Setup {
    /// Small enough for a second, large enough to show something.
    fn default() -> Setup {
        const MEBIBYTE: u64 = 1024 * 1024;
        Setup {
            peers: 20,
            seeds: 1,
            bytes: 16 * MEBIBYTE,
            piece_bytes: None,
            sha1: false,
            line: Line { up: Some(MEBIBYTE), down: Some(4 * MEBIBYTE) },
            delay: Span::from_millis(20),
            jitter: Span::ZERO,
            loss: 0,
            arrive: None,
            leave: None,
            churn: None,
        }
    }
}

impl Setup {
    /// Whether there are more nodes than a processor's caches hold.
    pub fn is_large(&self) -> bool {
        self.peers + self.seeds > STEPLESS_MAX
    }

    /// How long the steps are in which time goes; `None` where it just flows.
    pub fn step(&self) -> Option<Span> {
        self.is_large().then_some(STEP)
    }

    /// The length of a piece: as wished, or a power of two that makes some hundreds of them.
    pub fn piece_bytes(&self) -> u32 {
        self.piece_bytes.unwrap_or_else(|| {
            let crowd = (self.peers as u64).max(PIECES_WANTED_PEERS);
            let pieces = (PIECES_WANTED * PIECES_WANTED_PEERS / crowd).max(PIECES_WANTED / 2);
            let wanted = self.bytes.div_ceil(pieces).max(1).next_power_of_two();
            let wanted = u32::try_from(wanted).unwrap_or(PIECE_BYTES_MAX);
            wanted.clamp(BLOCK_BYTES, PIECE_BYTES_MAX)
        })
    }
}

impl Experiment {
    /// Runs it to its end: everybody who wants the file has it.
    pub fn play(&self, setup: &Setup, seed: u64, keep: Keep) -> Played {
        let mut lab = Lab::new(seed);
        if !keep.record {
            lab.record = Record::off();
        }
        lab.net.set_path(Path { delay: setup.delay, jitter: setup.jitter });
        lab.net.set_loss(setup.loss);
        let source = match setup.sha1 {
            true => lab.source("file", setup.piece_bytes(), &[setup.bytes]),
            false => lab.quick_source("file", setup.piece_bytes(), &[setup.bytes]),
        };
        if keep.film {
            lab.roll(source);
        }
        lab.tracker("tracker");
        let (members, marks, schedule) = (Vec::new(), Vec::new(), Schedule::default());
        let mut stage = Stage { lab, source, members, marks, schedule };
        (self.cast)(setup, &mut stage);
        stage.schedule(setup);
        if stage.members.len() > WATCHED_MAX {
            stage.lab.judge.relax();
        }
        if let Some(step) = setup.step() {
            stage.lab.go_in_steps(step);
        }

        let Stage { mut lab, source, members, marks, schedule } = stage;
        let wanting = members.iter().filter(|member| member.part == Part::Peer).count();
        let last = members.iter().map(|member| member.arrives).max().unwrap_or(Span::ZERO);
        let bound = Bound::of(setup.bytes, &members).span();
        let patience = last + bound.times(PATIENCE_TIMES) + PATIENCE;
        let is_over = |lab: &Lab| lab.tally().whole() + lab.tally().gave_up() >= wanting;
        let verdict = lab.run_until(is_over, patience).and_then(|()| lab.verify());
        // The end itself belongs to the picture.
        lab.take_frame();
        Played { lab, source, members, schedule, marks, verdict }
    }
}

impl Stage {
    pub fn seeds(&mut self, setup: &Setup, line: Line) {
        for number in 1..=setup.seeds {
            let node = self.lab.seed(&format!("seed-{number}"), self.source);
            self.enter(node, "seeds", line, Part::Seed);
        }
    }

    /// All seeds give each piece away once, and let others copy it (BEP 16).
    pub fn super_seed(&mut self) {
        let seeds: Vec<NodeId> = self.of(Part::Seed).collect();
        seeds.into_iter().for_each(|seed| self.lab.super_seeds(seed, self.source));
    }

    /// Peers who look for others at the tracker. Returns them.
    pub fn peers(&mut self, group: &'static str, count: usize, line: Line) -> Vec<NodeId> {
        let before = self.members.iter().filter(|member| member.part == Part::Peer).count();
        let enter = |number: usize| {
            let node = self.lab.peer(&format!("peer-{}", before + number), self.source);
            self.enter(node, group, line, Part::Peer);
            node
        };
        (1..=count).map(enter).collect()
    }

    /// A tenth as many as there are peers, known to all of them.
    pub fn tricksters(&mut self, group: &'static str, setup: &Setup, serving: Serving) {
        let acts = [
            Act::Handshake,
            Act::HaveAll,
            Act::Await("interested"),
            Act::Say(Message::Unchoke),
            Act::Serve(serving),
        ];
        let peers: Vec<NodeId> = self.of(Part::Peer).collect();
        for number in 1..=setup.peers.div_ceil(10) {
            let name = format!("{group}-{number}");
            let node = self.lab.scripted(&name, self.source, acts.to_vec());
            self.enter(node, group, setup.line, Part::Trickster);
            peers.iter().for_each(|&peer| self.lab.knows(peer, self.source, node));
        }
    }

    fn of(&self, part: Part) -> impl Iterator<Item = NodeId> + '_ {
        self.members.iter().filter(move |member| member.part == part).map(|member| member.node)
    }

    fn enter(&mut self, node: NodeId, group: &'static str, line: Line, part: Part) {
        self.lab.net.set_line(node, line);
        self.members.push(Member { node, group, line, part, arrives: Span::ZERO });
    }

    /// Says when the peers come and go: as the person wishes, or else the experiment.
    fn schedule(&mut self, setup: &Setup) {
        let usual = self.schedule;
        let schedule = Schedule {
            arrive: setup.arrive.unwrap_or(usual.arrive),
            leave: setup.leave.unwrap_or(usual.leave),
            churn: setup.churn.or(usual.churn).filter(|&stay| stay > Span::ZERO),
        };
        self.schedule = schedule;
        let peers: Vec<NodeId> = self.of(Part::Peer).collect();
        let mut arrivals = self.lab.schedule(schedule, &peers).into_iter();
        let mine = self.members.iter_mut().filter(|member| member.part == Part::Peer);
        for (member, at) in mine.zip(&mut arrivals) {
            member.arrives = at;
        }
    }

    pub fn mark(&mut self, at: Span, what: &'static str) {
        self.marks.push(Mark { at, what });
    }
}
