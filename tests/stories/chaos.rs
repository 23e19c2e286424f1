//! Chaos: a swarm drawn by lot, everything that can go wrong with it, and a good end all the same.
//!
//! A seed decides who is there, how the torrents are cut, what the lines and disks are like, which
//! strangers play which tricks, and what goes wrong when. For a minute and a half the world is
//! against them; then it is well again, and everybody must come to have everything, true to the
//! byte, without a broken rule in between.
//!
//! ```text
//! make sim RUNS=10000 SEED=1                                                a long hunt
//! SEED=17 SHOW=1 cargo test --test stories whatever_comes -- --nocapture    one of them, told
//! ```

use std::panic::catch_unwind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use swarmlet::base::{Claim, PieceIndex, Random, Span};
use swarmlet::engine::DiskFault;
use swarmlet::engine::control::Control;
use swarmlet::lab::disk::{Loss, Speed};
use swarmlet::lab::{
    Act, Action, Cut, DiskChange, Failure, Lab, Line, Mishap, Mood, NodeId, Path, Serving,
    SourceId, all_done,
};
use swarmlet::wire::Message;

use crate::over_seeds;

/// By then the world is well again …
const TROUBLE: Span = Span::from_secs(90);
/// … and so much later at most, everybody has everything.
const PATIENCE: Span = Span::from_secs(8_000);

/// Of all torrents together, so that a run takes a fraction of a second.
const BYTES_MAX: usize = 700_000;

/// A hunt ends after so many failures, and says how far it is every so many seeds.
const FAILURES_MAX: usize = 30;
const PROGRESS_EVERY: u64 = 1_000;

/// A swarm drawn by lot.
struct Chaos {
    lab: Lab,
    random: Random,
    sources: Vec<SourceId>,
    trackers: Vec<NodeId>,
    /// Those who have everything, and are never more than shaken.
    seeds: Vec<NodeId>,
    peers: Vec<NodeId>,
    strangers: Vec<NodeId>,
}

/// Plays one. `told`: with a record.
fn play(seed: u64, told: bool) -> (Lab, Result<(), Failure>) {
    let mut chaos = Chaos::new(seed);
    if !told {
        chaos.lab.keep_no_record();
    }
    chaos.lay_out();
    chaos.gather();
    chaos.invite_strangers();
    chaos.introduce();
    chaos.wire_up();
    for _ in 0..3 + chaos.below(14) {
        chaos.misfortune();
    }
    chaos.end_of_trouble();
    let mut lab = chaos.lab;
    let verdict = lab
        .run_for(TROUBLE + Span::from_secs(1))
        .and_then(|()| lab.run_until(all_done, PATIENCE))
        .and_then(|()| lab.verify());
    (lab, verdict)
}

/// The long hunt: `RUNS` seeds from `SEED` on, on all cores. Goes on after a failure, to know whether
/// there is one bug or ten; at the end it fails with one line for each.
#[test]
#[ignore = "long: make sim"]
fn hunt() {
    let number = |name: &str, usual| {
        std::env::var(name).map_or(usual, |text| text.parse::<u64>().expect("a number"))
    };
    let (runs, first) = (number("RUNS", 200), number("SEED", 1));
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let next = AtomicU64::new(0);
    let failed = Mutex::new(Vec::new());
    // A panic is reported once, in its line, and not with a trace each.
    std::panic::set_hook(Box::new(|_| {}));
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| hunt_on(first, runs, &next, &failed));
        }
    });
    drop(std::panic::take_hook());
    let failed: Vec<String> = failed.into_inner().expect("no thread died");
    assert!(failed.is_empty(), "{} of {runs} failed:\n{}", failed.len(), failed.join("\n"));
    println!("{runs} seeds from {first} on: all well");
}

fn hunt_on(first: u64, runs: u64, next: &AtomicU64, failed: &Mutex<Vec<String>>) {
    loop {
        let run = next.fetch_add(1, Ordering::Relaxed);
        let failures = failed.lock().expect("no thread died").len();
        if run >= runs || failures >= FAILURES_MAX {
            return;
        }
        if run > 0 && run.is_multiple_of(PROGRESS_EVERY) {
            println!("{run} of {runs}, {failures} failed");
        }
        let seed = first + run;
        let what = match catch_unwind(|| play(seed, false).1) {
            Ok(Ok(())) => continue,
            Ok(Err(failure)) => format!("at {:?}, {}: {}", failure.at, failure.who, failure.what),
            Err(panic) => match (panic.downcast_ref::<String>(), panic.downcast_ref::<&str>()) {
                (Some(text), _) => text.clone(),
                (None, Some(text)) => (*text).to_owned(),
                (None, None) => "a panic without a word".to_owned(),
            },
        };
        let line = format!("SEED={seed} cargo test --test stories whatever_comes   # {what}");
        println!("{line}");
        failed.lock().expect("no thread died").push(line);
    }
}

#[test]
fn whatever_comes_a_swarm_gets_there_in_the_end() {
    over_seeds("whatever_comes_a_swarm_gets_there_in_the_end", |seed| {
        let (lab, verdict) = play(seed, true);
        if std::env::var_os("SHOW").is_some() {
            print!("{}", lab.record().text());
        }
        verdict
    });
}

impl Chaos {
    fn new(seed: u64) -> Chaos {
        let none = || Vec::new();
        Chaos {
            lab: Lab::new(seed),
            random: Random::new(!seed),
            sources: Vec::new(),
            trackers: none(),
            seeds: none(),
            peers: none(),
            strangers: none(),
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        self.random.below(bound)
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    fn millis(&mut self, bound: usize) -> Span {
        Span::from_millis(self.below(bound) as u64)
    }

    // ── Who is there ────────────────────────────────────────────────────────────────────────

    /// One to three torrents: from a single byte to some hundred pieces, empty files among them.
    fn lay_out(&mut self) {
        let count = self.one_of(&[1, 1, 1, 2, 3]);
        for number in 0..count {
            let total = match self.below(6) {
                0 => 1 + self.below(20_000),
                _ => 1 + self.below(BYTES_MAX / count),
            };
            let lens = self.cut_into_files(total);
            let smallest = (total / 150).max(1);
            let piece_bytes = match self.below(4) {
                0 => 16 * 1024,
                1 => 1 << (15 + self.below(4)),
                2 => smallest + self.below(3_000),
                _ => 5_000 + self.below(100_000),
            };
            let piece_bytes = u32::try_from(piece_bytes.max(smallest)).expect("small");
            self.sources.push(self.lab.source(&format!("torrent-{number}"), piece_bytes, &lens));
        }
    }

    fn cut_into_files(&mut self, total: usize) -> Vec<u64> {
        let mut rest = total;
        let mut lens = Vec::new();
        for _ in 0..self.one_of(&[0, 0, 1, 3, 8]) {
            let len = match self.below(4) {
                0 => 0,
                1 => self.below(30).min(rest),
                _ => self.below(rest + 1),
            };
            rest -= len;
            lens.push(len as u64);
        }
        lens.push(rest as u64);
        lens
    }

    fn gather(&mut self) {
        let in_ipv6 = self.one_of(&[0, 0, 1, 2]);
        for number in 0..self.one_of(&[0, 1, 1, 1, 2]) {
            self.pick_family(in_ipv6);
            self.trackers.push(self.lab.tracker(&format!("tracker-{number}")));
        }
        for number in 0..1 + self.below(2) {
            self.pick_family(in_ipv6);
            let seed = self.lab.node(&format!("seed-{number}"));
            for source in self.sources.clone() {
                self.lab.order(seed, source, true);
                if self.one_in(5) {
                    self.lab.must_check(seed, source);
                }
            }
            self.seeds.push(seed);
        }
        for number in 0..1 + self.below(6) {
            self.pick_family(in_ipv6);
            let peer = self.lab.node(&format!("peer-{number}"));
            let first = self.below(self.sources.len());
            for (at, source) in self.sources.clone().into_iter().enumerate() {
                if at == first || self.one_in(2) {
                    self.lab.order(peer, source, false);
                }
            }
            let start = self.one_of(&[Span::ZERO, Span::from_secs(1), Span::from_secs(20)]);
            self.lab.starts_at(peer, start);
            self.lab.settings(peer).unchoked_max = 1 + self.random.below(8);
            self.lab.settings(peer).seed = !self.one_in(4);
            self.peers.push(peer);
        }
    }

    /// `mix` 0: IPv4 only, 1: IPv6 only, 2: both.
    fn pick_family(&mut self, mix: usize) {
        let in_ipv6 = mix == 1 || (mix == 2 && self.one_in(2));
        self.lab.join_in_ipv6(in_ipv6);
    }

    /// Scripted peers with their tricks, whom some know and who call others.
    fn invite_strangers(&mut self) {
        for number in 0..self.one_of(&[0, 0, 1, 2, 4]) {
            let source = self.one_of(&self.sources.clone());
            let acts = self.trick(source);
            let stranger = self.lab.scripted(&format!("stranger-{number}"), source, acts);
            for peer in self.peers.clone() {
                if self.one_in(2) && self.lab.wants(peer, source) {
                    self.lab.knows(peer, source, stranger);
                }
            }
            for _ in 0..self.below(4) {
                let whom = self.anybody();
                let at = self.millis(60_000);
                self.lab.at(at, Action::Dial(stranger, whom));
            }
            self.strangers.push(stranger);
        }
    }

    fn trick(&mut self, source: SourceId) -> Vec<Act> {
        let layout = self.lab.source_named(source).layout();
        let len = layout.piece_len(PieceIndex::checked(0)).min(16 * 1024);
        let pieces = layout.piece_count();
        let first = Claim { piece: 0, begin: 0, len };
        let hello = [Act::Handshake, Act::HaveAll];
        let gives = |serving: Serving| {
            let mut acts = hello.to_vec();
            acts.extend([Act::Await("interested"), Act::Say(Message::Unchoke)]);
            acts.push(Act::Serve(serving));
            acts
        };
        let bytes = u32::try_from(self.below(20_000)).expect("small");
        let junk: Vec<u8> = (0..self.below(300)).map(|_| self.random.next_u64() as u8).collect();
        let pause = Act::Pause(self.millis(5_000));
        match self.below(17) {
            0 => gives(Serving::Corrupt),
            1 => gives(Serving::Vanishes(bytes)),
            2 => gives(Serving::Stops(bytes)),
            3 => gives(Serving::Nothing),
            4 => gives(Serving::Honest),
            5 => hello.to_vec(),
            6 => [&hello[..], &[Act::Shut]].concat(),
            7 => [&hello[..], &[pause, Act::Reset]].concat(),
            8 => vec![Act::Raw(junk), pause, Act::Close],
            9 => vec![Act::Handshake, Act::Raw(junk)],
            10 => {
                let flood = Act::Flood(Message::Request(first), 3_000);
                let asks = Act::Say(Message::Interested);
                vec![Act::Handshake, asks, Act::Await("unchoke"), flood]
            }
            11 => {
                // Asks, takes back, asks again; and asks while it is choked.
                let (ask, cancel) = (Message::Request(first), Message::Cancel(first));
                let mut acts = vec![Act::Handshake, Act::Say(Message::Interested)];
                for _ in 0..20 {
                    acts.extend([Act::Say(ask.clone()), Act::Say(cancel.clone())]);
                    acts.extend([Act::Say(ask.clone()), Act::Pause(Span::from_millis(700))]);
                }
                acts
            }
            12 => {
                // Now it serves, now it does not.
                let mut acts = hello.to_vec();
                acts.push(Act::Await("interested"));
                for _ in 0..10 {
                    acts.extend([Act::Say(Message::Unchoke), Act::Serve(Serving::Honest)]);
                    acts.extend([pause.clone(), Act::Serve(Serving::Nothing), Act::Forget]);
                    acts.extend([Act::Say(Message::Choke), pause.clone()]);
                }
                acts
            }
            13 => {
                // Gains the pieces one by one, and says some of it twice.
                let mut acts = vec![Act::Handshake];
                for piece in (0..pieces).chain(0..pieces / 2) {
                    acts.push(Act::Say(Message::Have(piece)));
                }
                acts.extend([Act::HaveAll, Act::Pause(Span::from_secs(3)), Act::Close]);
                acts
            }
            14 => {
                // Interested and not, over and over.
                let mut acts = vec![Act::Handshake];
                for _ in 0..30 {
                    acts.extend([Act::Say(Message::Interested), Act::Pause(Span::from_millis(90))]);
                    acts.push(Act::Say(Message::NotInterested));
                }
                acts
            }
            15 => {
                // Blocks that nobody asked for.
                let mut acts = hello.to_vec();
                let mut raw = swarmlet::wire::message::piece_head(first).to_vec();
                raw.extend(vec![0; len as usize]);
                acts.extend(std::iter::repeat_n(Act::Raw(raw), 10));
                acts
            }
            _ => vec![Act::Handshake, Act::Say(Message::Interested), pause, Act::Shut],
        }
    }

    fn anybody(&mut self) -> NodeId {
        let all: Vec<NodeId> = self.peers.iter().chain(&self.seeds).copied().collect();
        self.one_of(&all)
    }

    /// Who knows whom by hand: anybody, if a tracker is there; without one, a seed at least.
    fn introduce(&mut self) {
        for peer in self.peers.clone() {
            for source in self.sources.clone() {
                if !self.lab.wants(peer, source) {
                    continue;
                }
                if self.trackers.is_empty() || self.one_in(4) {
                    let seed = self.one_of(&self.seeds.clone());
                    self.lab.knows(peer, source, seed);
                }
                if self.one_in(2) {
                    let other = self.anybody();
                    self.lab.knows(peer, source, other);
                }
            }
        }
    }

    fn wire_up(&mut self) {
        for node in [&self.seeds[..], &self.peers[..], &self.strangers[..]].concat() {
            let up = 6_000 + self.below(150_000) as u64;
            let line = match self.below(6) {
                0 => Line::default(),
                1 => Line { up: Some(up), down: None },
                _ => Line { up: Some(up), down: Some(4 * up) },
            };
            self.lab.net.set_line(node, line);
        }
        let delay = self.one_of(&[0, 1, 20, 60, 300]);
        let jitter = self.one_of(&[0, 0, 10, 200]);
        let path = Path { delay: Span::from_millis(delay), jitter: Span::from_millis(jitter) };
        self.lab.net.set_path(path);
        let loss = self.one_of(&[0, 0, 0, 20, 100, 500]);
        self.lab.net.set_loss(loss);
        let cut = match self.below(40) {
            0 => Cut::Random(30),
            1..10 => Cut::Random(3_000),
            10..20 => Cut::Random(40_000),
            _ => Cut::Whole,
        };
        self.lab.set_cut(cut);
        // As in swarms of hundreds, where each node has one turn for all that reached it.
        if self.lab.seed_number() % 8 == 7 {
            self.lab.go_in_steps(Span::from_millis(20));
        }
    }

    // ── What goes wrong ─────────────────────────────────────────────────────────────────────

    /// One thing goes wrong at some time, and is well again some time later.
    fn misfortune(&mut self) {
        // Most of them while the first pieces are on their way.
        let when = self.one_of(&[3_000, 15_000, 65_000]);
        let at = self.millis(when);
        let after = at + Span::from_millis(100) + self.millis(20_000);
        let (one, two) = (self.anybody(), self.anybody());
        match self.below(9) {
            0 | 1 => self.trouble_with_power(one, at, after),
            2 | 3 => self.trouble_with_lines(one, two, at, after),
            4 | 5 => self.trouble_with_disks(one, at, after),
            6 => self.trouble_with_trackers(at, after),
            7 => self.trouble_with_people(one, at, after),
            _ => {
                let n = 1 + self.below(400) as u64;
                let mishap = match self.below(3) {
                    0 => Mishap::Crash(self.loss()),
                    _ => Mishap::Fails(self.fault()),
                };
                self.lab.at(at, Action::Strike(one, n, mishap));
            }
        }
    }

    fn loss(&mut self) -> Loss {
        self.one_of(&[Loss::Nothing, Loss::Some, Loss::All])
    }

    fn fault(&mut self) -> DiskFault {
        self.one_of(&[DiskFault::Failed, DiskFault::Denied, DiskFault::Busy, DiskFault::Full])
    }

    fn trouble_with_power(&mut self, one: NodeId, at: Span, after: Span) {
        let loss = self.loss();
        let begin = if self.one_in(3) { Action::Leave(one) } else { Action::Crash(one, loss) };
        self.lab.at(at, begin);
        // While it is off, somebody may touch its files; a seed's are the last copy.
        if self.peers.contains(&one) && self.one_in(4) {
            let source = self.one_of(&self.sources.clone());
            let files = self.lab.source_named(source).files.len();
            let (file, offset) = (self.below(files), self.below(BYTES_MAX));
            let change = match self.below(2) {
                0 => DiskChange::Overwrite { source, file, offset },
                _ => DiskChange::Remove { source, file },
            };
            // A farewell may take five seconds.
            self.lab.at(at + Span::from_secs(6), Action::WhileOff(one, change));
        }
        self.lab.at(after, Action::Start(one));
    }

    /// Somebody stops a torrent and starts it again, or has it verified.
    fn trouble_with_people(&mut self, one: NodeId, at: Span, after: Span) {
        let source = self.one_of(&self.sources.clone());
        if !self.lab.wants(one, source) {
            return;
        }
        let say = |control| Action::Control(one, source, control);
        let control = self.below(4);
        let begin = match control {
            0 => Control::Verify,
            1 => Control::Reannounce,
            _ => Control::Stop,
        };
        self.lab.at(at, say(begin));
        if control == 3 {
            self.lab.at(at + Span::from_millis(700), say(Control::Verify));
        }
        self.lab.at(after, say(Control::Start));
    }

    fn trouble_with_lines(&mut self, one: NodeId, two: NodeId, at: Span, after: Span) {
        let slow = Line { up: Some(3_000), down: Some(5_000) };
        let (begin, end) = match self.below(6) {
            0 => (Action::Break(one, two), Action::Break(one, two)),
            1 => (Action::Stall(one, two), Action::Resume(one, two)),
            2 => (Action::Partition(vec![one, two]), Action::Heal),
            3 => (Action::Partition(vec![one]), Action::Heal),
            4 => (Action::Line(one, slow), Action::Line(one, Line::default())),
            _ => (Action::Listen(one, false), Action::Listen(one, true)),
        };
        self.lab.at(at, begin);
        self.lab.at(after, end);
    }

    fn trouble_with_disks(&mut self, one: NodeId, at: Span, after: Span) {
        let speed = Speed { per_job: self.millis(200), bytes_per_sec: Some(100_000) };
        let room = self.below(100_000) as u64;
        let (begin, end) = match self.below(4) {
            0 => (DiskChange::BreakDown(self.fault()), DiskChange::Mend),
            1 => (DiskChange::Room(Some(room)), DiskChange::Room(None)),
            2 => (DiskChange::Speed(speed), DiskChange::Speed(Speed::default())),
            _ => {
                let fault = self.fault();
                (DiskChange::FailJob(1 + room % 100, fault), DiskChange::Mend)
            }
        };
        self.lab.at(at, Action::Disk(one, begin));
        self.lab.at(after, Action::Disk(one, end));
    }

    fn trouble_with_trackers(&mut self, at: Span, after: Span) {
        let Some(&tracker) = self.trackers.last() else { return };
        let says = |body: &str| Mood::Lying(format!("HTTP/1.1 200 OK\r\n\r\n{body}").into_bytes());
        let mood = match self.below(8) {
            0 => Mood::Down,
            1 => Mood::Silent,
            2 => Mood::Slow(self.millis(40_000)),
            3 => Mood::Lying((0..50).map(|_| self.random.next_u64() as u8).collect()),
            4 => says("d14:failure reason4:no!\u{1b}e"),
            5 => says("d8:intervali0e5:peers6:\u{1}\u{2}\u{3}\u{4}\u{5}\u{6}e"),
            6 => says("d8:intervali60e5:peers0:e"),
            _ => Mood::Lying(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n".to_vec()),
        };
        self.lab.at(at, Action::Tracker(tracker, mood));
        self.lab.at(after, Action::Tracker(tracker, Mood::Well));
    }

    /// Everything is well again, and everybody comes back.
    fn end_of_trouble(&mut self) {
        let everybody: Vec<NodeId> = self.seeds.iter().chain(&self.peers).copied().collect();
        let all = [&everybody[..], &self.strangers[..]].concat();
        self.lab.at(TROUBLE, Action::Heal);
        for &one in &everybody {
            for &two in &all {
                self.lab.at(TROUBLE, Action::Resume(one, two));
            }
            self.lab.at(TROUBLE, Action::Disk(one, DiskChange::Mend));
            self.lab.at(TROUBLE, Action::Disk(one, DiskChange::Room(None)));
            self.lab.at(TROUBLE, Action::Start(one));
        }
    }
}
