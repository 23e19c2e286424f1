//! Snapshot: how a swarm behaves, as tables under `fixtures/sim/`, so that a change shows.
//!
//! Nothing here is right or wrong. Whoever changes picker, choker or pipeline sees what it does to
//! completion times and waste over delays, churn, loss and sizes, in one diff; `make snapshot` writes
//! the tables anew, and they belong into the same commit. All figures are whole numbers out of
//! virtual time, so they are the same on any machine.

use std::fmt::Write;
use std::path::PathBuf;

use swarmlet::base::Span;
use swarmlet::lab::Line;
use swarmlet::lab::experiment::{Keep, Setup, find};
use swarmlet::lab::report::{Report, Spread};

/// Eight peers and a seed, 96 blocks.
fn usual() -> Setup {
    let line = Line { up: Some(128 * 1024), down: Some(512 * 1024) };
    Setup { peers: 8, seeds: 1, bytes: 1_572_864, line, ..Setup::default() }
}

/// For each group of peers: when the first, the middle and the last was done, and what was sent in
/// vain by all.
fn figures(name: &str, setup: &Setup) -> Vec<(&'static str, String)> {
    let experiment = find(name).unwrap_or_else(|| panic!("there is no {name}"));
    let played = experiment.play(setup, 1, Keep::default());
    if let Err(failure) = &played.verdict {
        panic!("{name} with {setup:?}: {failure}");
    }
    let report = Report::of(experiment, setup, &played);
    let groups = report.groups.iter().filter_map(|group| Some((group.name, group.done_micros?)));
    let figures = groups.map(|(name, Spread { least, median, most })| {
        let [first, median, last] = [least, median, most].map(|micros| micros / 1000);
        (name, format!("{first:>8} {median:>8} {last:>8} {:>8}", report.waste_bytes))
    });
    figures.collect()
}

/// A row for each group of one swarm.
fn rows(table: &mut String, what: &str, name: &str, setup: &Setup) {
    for (_, figures) in figures(name, setup) {
        writeln!(table, "{what} {figures}").expect("a string takes any text");
    }
}

/// Compares a table with the one that is kept, or keeps it (`SNAPSHOT=write`).
fn compare(name: &str, table: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/sim").join(name);
    if std::env::var_os("SNAPSHOT").is_some_and(|what| what == "write") {
        std::fs::create_dir_all(path.parent().expect("below fixtures")).expect("a directory");
        return std::fs::write(&path, table).expect("room for a table");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == table,
        "{name}: the swarm behaves otherwise than when the table was kept. If that is meant, run \
         `make snapshot` and look at the difference.\nkept:\n{kept}\nnow:\n{table}"
    );
}

#[test]
fn delay_and_churn_cost_what_they_did() {
    let mut table = String::from(
        "# Eight peers and a seed, 1.5 MiB, lines of 128 KiB/s up and 512 KiB/s down: milliseconds\n\
         # until the first, the middle and the last peer was done, and bytes sent in vain.\n\
         # Delay is one way; churn is how long a peer stays on average before it is gone a while.\n\
         # delay ms  churn s    first   median     last    waste\n",
    );
    for delay in [1, 20, 100, 300] {
        for churn in [None, Some(60), Some(20)] {
            let setup = Setup {
                delay: Span::from_millis(delay),
                churn: churn.map(Span::from_secs),
                ..usual()
            };
            let churn = churn.map_or("-".to_owned(), |secs| secs.to_string());
            rows(&mut table, &format!("{delay:>10} {churn:>8}"), "swarm", &setup);
        }
    }
    compare("delay-churn.txt", &table);
}

#[test]
fn loss_and_numbers_cost_what_they_did() {
    let mut table = String::from(
        "# The same peers; loss in packets of ten thousand.\n\
         # peers     loss    first   median     last    waste\n",
    );
    for peers in [1, 4, 11] {
        for loss in [0, 50, 300] {
            let setup = Setup { peers, loss, ..usual() };
            rows(&mut table, &format!("{peers:>7} {loss:>8}"), "swarm", &setup);
        }
    }
    compare("peers-loss.txt", &table);
}

#[test]
fn every_kind_of_swarm_takes_as_long_as_it_did() {
    let mut table = String::from(
        "# The same peers in the scenarios of `swarmlet lab`, group by group.\n\
         # scenario    group           first   median     last    waste\n",
    );
    for name in ["swarm", "flash-crowd", "free-riders", "last-block", "slow-seed", "partition"] {
        for (group, figures) in figures(name, &usual()) {
            writeln!(table, "{name:<13} {group:<12} {figures}").expect("a string takes any text");
        }
    }
    compare("scenarios.txt", &table);
}
