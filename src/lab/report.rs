//! Report: the figures of an experiment, and how far they are from the best there could be.
//!
//! # Why a bound
//! "Done after 19 seconds" says little. No protocol can be faster than the slowest of three:
//!
//! ```text
//!   size / slowest download     somebody has to take in every byte
//!   size / upload of all seeds  every byte has to leave a seed once
//!   N · size / all upload       N copies have to be sent by somebody, the N peers included
//! ```
//! Source: Kumar and Ross, "Peer-Assisted File Distribution: The Minimum Distribution Time"
//! (2006), who also show that a fluid reaches it. Whoever comes late takes in nothing and sends
//! nothing before. Bytes around the blocks, delays, absences and early leaves are not in it: it
//! stays a bound, a little too low. Where somebody leaves without the file there is none.

use crate::base::order;
use serde::Serialize;

use super::congestion::LOSS_OF;
use super::experiment::{Experiment, Member, Part, Played, Setup};
use super::schedule::Schedule;
use super::tally::Count;
use crate::base::Span;

/// The least time in which everybody could have everything.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Bound {
    pub micros: u64,
    /// What does not allow less.
    pub because: &'static str,
}

/// The figures of a run. Times are microseconds from the beginning of the run.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Report {
    pub scenario: &'static str,
    pub seed: u64,
    pub peers: usize,
    pub seeds: usize,
    /// Everybody's line where the scenario does not say otherwise, bytes per second; `None`: as
    /// much as there is.
    pub up_bytes_per_sec: Option<u64>,
    pub down_bytes_per_sec: Option<u64>,
    pub delay_millis: u64,
    pub jitter_millis: u64,
    pub loss_percent: f64,
    #[serde(skip)]
    pub schedule: Schedule,
    pub bytes: u64,
    pub piece_bytes: u32,
    pub pieces: u32,
    pub bound: Bound,
    pub groups: Vec<Group>,
    /// When the last peer was done.
    pub last_micros: u64,
    /// The same, in bounds.
    pub last_in_bounds: f64,
    /// Payload that was sent, and what of it became no part of a file: came twice, was spoilt,
    /// or was still on its way at the end.
    pub payload_bytes: u64,
    pub waste_bytes: u64,
    pub unchokes: u64,
    pub chokes: u64,
    pub pieces_failed: u64,
    pub bans: u64,
    /// How often somebody vanished, and how many left for good without the file.
    pub vanished: u64,
    pub gave_up: usize,
}

/// The figures of those who are alike.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Group {
    pub name: &'static str,
    pub nodes: usize,
    /// How many of them got the whole file; `None`: they did not come to get it.
    pub done: Option<usize>,
    /// How long that took since each came; `None`: nobody got it.
    pub done_micros: Option<Spread>,
    pub gave_bytes: Spread,
}

/// Smallest, middle and largest of some numbers; of an even count, the lower middle.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Spread {
    pub least: u64,
    pub median: u64,
    pub most: u64,
}

impl Bound {
    /// Of a file of so many bytes.
    pub fn of(bytes: u64, members: &[Member]) -> Bound {
        let seeds = members.iter().filter(|member| member.part == Part::Seed);
        let seeds: Option<u64> = seeds.map(|member| member.line.up).sum();
        let mut peers: Vec<&Member> =
            members.iter().filter(|member| member.part == Part::Peer).collect();
        order::sort_by_key(&mut peers, |member| member.arrives);
        let first = peers.first().map_or(0, |member| came_micros(member));
        let down = |member: &&Member| {
            let came = came_micros(member);
            Some((came.saturating_add(micros(bytes, member.line.down?)), came > 0))
        };
        let (slowest, is_late) = peers.iter().filter_map(down).max().unwrap_or((0, false));
        let slowest_because = match is_late {
            true => "somebody who came late has to take in every byte",
            false => "the slowest line down has to take in every byte",
        };
        let seed = seeds.map_or(0, |rate| first.saturating_add(micros(bytes, rate)));
        let all = seeds.and_then(|rate| Bound::all(bytes, rate, &peers)).unwrap_or(0);
        let bounds = [
            (slowest, slowest_because),
            (seed, "every byte has to leave a seed once"),
            (all, "all lines up together have to carry every copy"),
        ];
        let bounds = bounds.map(|(micros, because)| Bound { micros, because });
        let none = Bound { micros: 0, because: "no line holds anybody up" };
        bounds
            .into_iter()
            .filter(|bound| bound.micros > 0)
            .max_by_key(|bound| bound.micros)
            .unwrap_or(none)
    }

    /// When all lines up can have carried a copy for each peer; `None`: one has no limit.
    /// `peers`: in the order of their coming.
    fn all(bytes: u64, seeds: u64, peers: &[&Member]) -> Option<u64> {
        let mut missing = bytes.saturating_mul(peers.len() as u64);
        // Before the first one comes there is nobody to send to.
        let (mut now, mut rate) = (peers.first().map_or(0, |first| came_micros(first)), seeds);
        for member in peers {
            let came = came_micros(member);
            let sent = u128::from(rate) * u128::from(came - now) / 1_000_000;
            let sent = u64::try_from(sent).unwrap_or(u64::MAX);
            if sent >= missing {
                break;
            }
            missing -= sent;
            now = came;
            rate = rate.saturating_add(member.line.up?);
        }
        Some(now.saturating_add(micros(missing, rate)))
    }

    pub fn span(self) -> Span {
        Span::from_millis(self.micros.div_ceil(1000))
    }
}

impl Report {
    /// The figures of a run that came to its end.
    pub fn of(experiment: &Experiment, setup: &Setup, played: &Played) -> Report {
        let Played { lab, source, members, .. } = played;
        let layout = lab.source_named(*source).layout();
        let counts: Vec<Count> = members.iter().map(|member| lab.tally().of(member.node)).collect();
        let total = |figure: fn(&Count) -> u64| counts.iter().map(figure).sum::<u64>();
        let gave_up = lab.tally().gave_up();
        let bound = match gave_up {
            0 => Bound::of(setup.bytes, members),
            _ => Bound { micros: 0, because: "not everybody has the file in the end" },
        };
        let done = counts.iter().filter_map(|count| count.whole_at);
        let last_micros = done.max().map_or(0, |last| last.as_micros());
        // Tricksters take nothing in, so all else was given to peers, who needed one copy each.
        let payload_bytes = total(|count| count.gave);
        let needed: u64 = counts.iter().map(|count| count.was_given.min(setup.bytes)).sum();
        Report {
            scenario: experiment.name,
            seed: lab.seed_number(),
            peers: setup.peers,
            seeds: setup.seeds,
            up_bytes_per_sec: setup.line.up,
            down_bytes_per_sec: setup.line.down,
            delay_millis: setup.delay.as_millis(),
            jitter_millis: setup.jitter.as_millis(),
            loss_percent: hundredths(u64::from(setup.loss), u64::from(LOSS_OF / 100)),
            schedule: played.schedule,
            bytes: setup.bytes,
            piece_bytes: layout.piece_bytes(),
            pieces: layout.piece_count(),
            bound,
            groups: groups(members, &counts),
            last_micros,
            last_in_bounds: hundredths(last_micros, bound.micros),
            payload_bytes,
            waste_bytes: payload_bytes.saturating_sub(needed),
            unchokes: total(|count| count.unchokes),
            chokes: total(|count| count.chokes),
            pieces_failed: total(|count| count.pieces_failed),
            bans: total(|count| count.bans),
            vanished: total(|count| count.vanished),
            gave_up,
        }
    }
}

impl Spread {
    /// `None` of no numbers.
    pub fn of(mut numbers: Vec<u64>) -> Option<Spread> {
        order::sort(&mut numbers);
        let (&least, &most) = (numbers.first()?, numbers.last()?);
        Some(Spread { least, median: numbers[(numbers.len() - 1) / 2], most })
    }
}

/// One row per group, in the order in which they came on.
fn groups(members: &[Member], counts: &[Count]) -> Vec<Group> {
    let mut names: Vec<&'static str> = members.iter().map(|member| member.group).collect();
    names.dedup();
    let of_group = |name: &&'static str| {
        let mine = || members.iter().zip(counts).filter(|(member, _)| member.group == *name);
        let done = mine().filter_map(|(member, count)| {
            Some(count.whole_at?.as_micros().saturating_sub(came_micros(member)))
        });
        let done: Vec<u64> = done.collect();
        let gave = Spread::of(mine().map(|(_, count)| count.gave).collect())?;
        let nodes = mine().count();
        let wants = mine().any(|(member, _)| member.part == Part::Peer);
        let (count, done_micros) = (wants.then_some(done.len()), Spread::of(done));
        Some(Group { name, nodes, done: count, done_micros, gave_bytes: gave })
    };
    names.iter().filter_map(of_group).collect()
}

fn came_micros(member: &Member) -> u64 {
    member.arrives.as_millis().saturating_mul(1000)
}

fn micros(bytes: u64, bytes_per_sec: u64) -> u64 {
    let micros = u128::from(bytes) * 1_000_000 / u128::from(bytes_per_sec.max(1));
    u64::try_from(micros).unwrap_or(u64::MAX)
}

/// `a / b` to two places, the same on every machine.
fn hundredths(a: u64, b: u64) -> f64 {
    let hundredths = u128::from(a) * 100 / u128::from(b.max(1));
    u32::try_from(hundredths).map_or(f64::INFINITY, f64::from) / 100.0
}
