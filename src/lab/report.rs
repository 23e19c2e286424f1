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
//! (2006), who also show that a fluid reaches it. Bytes around the blocks, delays, late arrivals
//! and early leaves are not in it: it stays a bound, a little too low.

use serde::Serialize;

use super::experiment::{Experiment, Member, Part, Played, Setup};
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
}

/// The figures of those who are alike.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Group {
    pub name: &'static str,
    pub nodes: usize,
    /// `None`: they did not come to get the file.
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
        let up = |part: Part| {
            let lines = members.iter().filter(move |member| member.part == part);
            lines.map(|member| member.line.up).sum::<Option<u64>>()
        };
        let peers = members.iter().filter(|member| member.part == Part::Peer);
        let slowest = peers.clone().filter_map(|member| member.line.down).min();
        let all = up(Part::Seed).zip(up(Part::Peer)).map(|(seeds, peers)| seeds + peers);
        let copies = bytes.saturating_mul(peers.count() as u64);
        let bounds = [
            (bytes, slowest, "the slowest line down has to take in every byte"),
            (bytes, up(Part::Seed), "every byte has to leave a seed once"),
            (copies, all, "all lines up together have to carry every copy"),
        ];
        let bound = |(bytes, rate, because): (u64, Option<u64>, _)| {
            let micros = rate.map_or(0, |rate| micros(bytes, rate));
            Bound { micros, because }
        };
        bounds.map(bound).into_iter().max_by_key(|bound| bound.micros).expect("there are three")
    }

    pub fn span(self) -> Span {
        Span::from_millis(self.micros.div_ceil(1000))
    }
}

impl Report {
    /// The figures of a run that came to its end.
    pub fn of(experiment: &Experiment, setup: &Setup, played: &Played) -> Report {
        let Played { lab, source, members, verdict: _ } = played;
        let layout = lab.source_named(*source).layout();
        let counts: Vec<Count> = members.iter().map(|member| lab.tally().of(member.node)).collect();
        let total = |figure: fn(&Count) -> u64| counts.iter().map(figure).sum::<u64>();
        let bound = Bound::of(setup.bytes, members);
        let done = counts.iter().filter_map(|count| count.whole_at);
        let last_micros = done.max().map_or(0, |last| last.as_micros());
        // Tricksters take nothing in, so all else was given to peers, who needed one copy each.
        let payload_bytes = total(|count| count.gave);
        let needed = setup.bytes.saturating_mul(lab.tally().whole() as u64);
        Report {
            scenario: experiment.name,
            seed: lab.seed_number(),
            peers: setup.peers,
            seeds: setup.seeds,
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
        }
    }
}

impl Spread {
    /// `None` of no numbers.
    pub fn of(mut numbers: Vec<u64>) -> Option<Spread> {
        numbers.sort_unstable();
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
        let done = mine().filter_map(|(_, count)| Some(count.whole_at?.as_micros()));
        let gave = Spread::of(mine().map(|(_, count)| count.gave).collect())?;
        let done_micros = Spread::of(done.collect());
        Some(Group { name, nodes: mine().count(), done_micros, gave_bytes: gave })
    };
    names.iter().filter_map(of_group).collect()
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
