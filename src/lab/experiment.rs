//! Experiment: swarms worth looking at, by name.
//!
//! An experiment is data: a name, what to look at, the sizes that suit it, and a function that
//! puts its cast on stage. `play` runs it to the end; `report` makes figures of what came of it.
//!
//! ```text
//!   EXPERIMENTS ─ find ─▶ Experiment ─ play(setup, seed) ─▶ Played ─▶ Report, record
//! ```
//!
//! # Why
//! The stories in `tests/stories` ask whether something holds; an experiment asks how much. Both
//! run on the same lab.

use super::net::{Line, NodeId, Path};
use super::report::Bound;
use super::schedule::{Arrive, Leave, Schedule};
use super::scripted::{Act, Serving};
use super::source::SourceId;
use super::{Action, Failure, Lab, Record};
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
    cast: fn(&Setup, &mut Stage),
}

/// What a person may change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Setup {
    pub peers: usize,
    pub seeds: usize,
    /// Of the one file that is shared.
    pub bytes: u64,
    /// `None`: suits the size.
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
struct Stage {
    lab: Lab,
    source: SourceId,
    members: Vec<Member>,
    marks: Vec<Mark>,
    schedule: Schedule,
}

/// Swarms of up to so many are judged word by word; larger ones would take twice as long.
const WATCHED_MAX: usize = 12;

/// A run is given up after so many times its lower bound, and so much.
const PATIENCE_TIMES: u64 = 20;
const PATIENCE: Span = Span::from_secs(600);

/// About as many pieces as a torrent is cut into where nobody says how long they are.
const PIECES_WANTED: u64 = 512;

/// Someone who wants to give nothing still needs a line for requests and `have`s.
const FREE_RIDER_UP: u64 = 8 * 1024;

/// All of them, the plain one first.
pub const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        name: "swarm",
        summary: "equal peers, all at once, and a seed",
        look: "\
Every peer has the same line and all of them start in the same moment. A swarm is good if the
last peer is done soon after the lower bound, and if the peers give about as much as they
take: their least and their most should not be far from 1. Try --peers 50 against --peers 5:
who asks a seed alone waits five times as long for five times as many; a swarm hardly notices.",
        cast: |setup, stage| {
            stage.seeds(setup, setup.line);
            stage.peers("peers", setup.peers, setup.line);
        },
    },
    Experiment {
        name: "flash-crowd",
        summary: "slow, usual and fast peers rush in and leave when they are done",
        look: "\
All come within ten seconds: a third of them with a quarter of the line (slow), a third with
the whole line (usual), a third with four times as much (fast). Everybody leaves as soon as
the file is whole. Look at the three rows: tit for tat lets those finish early who give much,
and yet the slow ones must not starve after the fast ones have left. The seed stays.",
        cast: flash_crowd,
    },
    Experiment {
        name: "free-riders",
        summary: "a third of the peers give next to nothing",
        look: "\
Free-riders take as fast as they can and upload 8 KiB/s, just enough to ask. Compare the
medians of the two rows: whoever gives gets a place with those who give, so the peers should
be done well before the free-riders, who live on optimistic unchokes and on the seed. The more
seeds (--seeds 5), the less it costs to give nothing.",
        cast: |setup, stage| {
            let riders = (setup.peers / 3).max(1).min(setup.peers);
            let line = Line { up: Some(FREE_RIDER_UP), ..setup.line };
            stage.seeds(setup, setup.line);
            stage.peers("peers", setup.peers - riders, setup.line);
            stage.peers("free-riders", riders, line);
        },
    },
    Experiment {
        name: "last-block",
        summary: "some who seem to have everything fall silent in the middle of a block",
        look: "\
A tenth of those who claim to be seeds send the first 5,000 bytes of a block to whoever asks
and never say a word again. What was asked of them hangs until it is given up. Look at how
much later the last peer is done than the median: the end game asks several peers for the last
blocks, so one silent peer must not hold up the end. What that costs stands under traffic, as
blocks that came twice.",
        cast: |setup, stage| {
            stage.seeds(setup, setup.line);
            stage.peers("peers", setup.peers, setup.line);
            stage.tricksters("silent", setup, Serving::Stops(5_000));
        },
    },
    Experiment {
        name: "slow-seed",
        summary: "the seed has a quarter of everybody's upload",
        look: "\
The seed is the bottleneck: nobody can be done before it has given every byte once. Look at
how often it gives the file: 1.00 would be perfect, with every further copy made by the peers
among themselves. Rarest first is what keeps it near 1, for each peer asks the seed for what
others do not have yet.",
        cast: |setup, stage| {
            let quarter = |rate: Option<u64>| rate.map(|rate| (rate / 4).max(1));
            stage.seeds(setup, Line { up: quarter(setup.line.up), ..setup.line });
            stage.peers("peers", setup.peers, setup.line);
        },
    },
    Experiment {
        name: "partition",
        summary: "half of the peers are cut off for a while",
        look: "\
After a quarter of the lower bound the network falls apart: seeds, tracker and one half of the
peers here, the other half alone on an island. After one and a half bounds it heals. On the
island they exchange what they have and then stand still; when it is over, connections that
survived must go on at once. Look at the two medians: the islanders should be done not much
later than half a bound after the healing.",
        cast: partition,
    },
    Experiment {
        name: "churn",
        summary: "peers vanish without a farewell and come back later",
        look: "\
Each peer stays for half a lower bound on average, then its program is killed. Half of that
later it is back with what is on its disk, which it hashes before it believes it. Look at the
picture: a white gap is an absence, and behind it a peer must go on where it was, but for the
pieces that it had not finished; those stand under traffic as sent in vain. Compare the last
peer with --churn 0 (nobody vanishes), and with --seeds 3.",
        cast: |setup, stage| {
            stage.seeds(setup, setup.line);
            stage.peers("peers", setup.peers, setup.line);
            let bound = Bound::of(setup.bytes, &stage.members).span().as_millis();
            stage.schedule.churn = Some(Span::from_millis((bound / 2).max(1)));
        },
    },
    Experiment {
        name: "trickle",
        summary: "peers come one by one and leave when they are done",
        look: "\
Every now and then somebody comes (Poisson, a tenth of a lower bound apart on average), gets the
file and goes. Look at the picture: the staircase to the left are the arrivals, and the bands
should be equally long from the first peer to the last, for whoever comes brings a line with
it. Look at the seed's bar, too: with peers who leave at once it has to give much more than
one copy. Compare --leave never.",
        cast: |setup, stage| {
            stage.seeds(setup, setup.line);
            stage.peers("peers", setup.peers, setup.line);
            let bound = Bound::of(setup.bytes, &stage.members).span().as_millis();
            let apart = Span::from_millis((bound / 10).max(1));
            let arrive = Arrive::Poisson(apart);
            stage.schedule = Schedule { arrive, leave: Leave::Done, churn: None };
        },
    },
    Experiment {
        name: "poison",
        summary: "some of those who seem to have everything send spoilt blocks",
        look: "\
A tenth as many poisoners as peers claim to be seeds and change one byte of every block that
they serve. No spoilt byte may survive: every piece is hashed, one that fails is fetched again
from one peer alone, and who is proved to have lied is banned. Look at trouble (pieces failed,
peers banned) and at what of the traffic was in vain: a peer should pay for each poisoner
once.",
        cast: |setup, stage| {
            stage.seeds(setup, setup.line);
            stage.peers("peers", setup.peers, setup.line);
            stage.tricksters("poisoners", setup, Serving::Corrupt);
        },
    },
];

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
    /// The length of a piece: as wished, or a power of two that makes some 500 of them.
    pub fn piece_bytes(&self) -> u32 {
        self.piece_bytes.unwrap_or_else(|| {
            let wanted = self.bytes.div_ceil(PIECES_WANTED).max(1).next_power_of_two();
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
        lab.net.set_usual_path(Path { delay: setup.delay, jitter: setup.jitter });
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
    fn seeds(&mut self, setup: &Setup, line: Line) {
        for number in 1..=setup.seeds {
            let node = self.lab.seed(&format!("seed-{number}"), self.source);
            self.enter(node, "seeds", line, Part::Seed);
        }
    }

    /// Peers who look for others at the tracker. Returns them.
    fn peers(&mut self, group: &'static str, count: usize, line: Line) -> Vec<NodeId> {
        let before = self.members.iter().filter(|member| member.part == Part::Peer).count();
        let enter = |number: usize| {
            let node = self.lab.peer(&format!("peer-{}", before + number), self.source);
            self.enter(node, group, line, Part::Peer);
            node
        };
        (1..=count).map(enter).collect()
    }

    /// A tenth as many as there are peers, known to all of them.
    fn tricksters(&mut self, group: &'static str, setup: &Setup, serving: Serving) {
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

    fn mark(&mut self, at: Span, what: &'static str) {
        self.marks.push(Mark { at, what });
    }
}

fn flash_crowd(setup: &Setup, stage: &mut Stage) {
    const RUSH: Span = Span::from_secs(10);
    let times =
        |rate: Option<u64>, times: u64, of: u64| rate.map(|rate| (rate * times / of).max(1));
    let scaled =
        |n, of| Line { up: times(setup.line.up, n, of), down: times(setup.line.down, n, of) };
    let (slow, usual) = (setup.peers / 3, setup.peers.div_ceil(3));
    stage.seeds(setup, setup.line);
    let classes = [
        ("slow", slow, scaled(1, 4)),
        ("usual", usual, setup.line),
        ("fast", setup.peers - slow - usual, scaled(4, 1)),
    ];
    for (group, count, line) in classes {
        stage.peers(group, count, line);
    }
    stage.schedule = Schedule { arrive: Arrive::Rush(RUSH), leave: Leave::Done, churn: None };
}

fn partition(setup: &Setup, stage: &mut Stage) {
    stage.seeds(setup, setup.line);
    stage.peers("mainland", setup.peers - setup.peers / 2, setup.line);
    let island = stage.peers("island", setup.peers / 2, setup.line);
    let bound = Bound::of(setup.bytes, &stage.members).span().as_millis();
    let (apart, healed) = (Span::from_millis(bound / 4), Span::from_millis(bound + bound / 2));
    stage.lab.at(apart, Action::Partition(island));
    stage.mark(apart, "cut off");
    stage.lab.at(healed, Action::Heal);
    stage.mark(healed, "healed");
}
