//! Stories: whole swarms in the lab, each told over several seeds.
//!
//! A story is a scenario and what must have come of it. It runs first with the seeds that once
//! failed (`fixtures/seeds.txt`), then with `SEEDS` from 1 on. When one fails, the last line says
//! how to see it again:
//!
//! ```text
//! SEED=17 cargo test --test stories a_story_by_its_name
//! SEED=17 SHOW=1 cargo test --test stories a_story_by_its_name -- --nocapture    with its record
//! SEEDS=500 cargo test --test stories                                            a long hunt
//! ```

mod chaos;
mod churn;
mod content;
mod control;
mod dht;
mod diet;
mod download;
mod effects;
mod endgame;
mod exchange;
mod experiments;
mod explain;
mod faults;
mod goal;
mod lab;
mod local;
mod loss;
mod magnet;
mod queue;
mod resume;
mod seed;
mod selection;
mod snapshot;
mod tracker;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use swarmlet::lab::{Failure, Lab, Scenario};

/// How many seeds every story is told with, unless the environment says `SEEDS`.
const SEEDS: u64 = 6;

/// Seeds that once failed, with the story that did.
const SEEDS_THAT_FAILED: &str = include_str!("../../fixtures/seeds.txt");

/// Tells one story over its seeds.
fn over_seeds(name: &str, story: impl Fn(u64) -> Result<(), Failure>) {
    for seed in seeds_of(name) {
        let told = catch_unwind(AssertUnwindSafe(|| story(seed)));
        let how_to = || eprintln!("again: SEED={seed} cargo test --test stories {name}");
        match told {
            Ok(Ok(())) => {}
            Ok(Err(failure)) => {
                how_to();
                panic!("{failure}");
            }
            Err(panic) => {
                how_to();
                resume_unwind(panic);
            }
        }
    }
}

/// `SEED`, if the environment names one; else those that failed before, and then the usual ones.
fn seeds_of(name: &str) -> Vec<u64> {
    if let Ok(seed) = std::env::var("SEED") {
        return vec![seed.parse().expect("SEED is a number")];
    }
    let failed = SEEDS_THAT_FAILED.lines().filter_map(|line| {
        let line = line.split('#').next()?;
        let (story, seed) = line.trim().split_once(' ')?;
        (story == name).then(|| seed.trim().parse().expect("a seed is a number"))
    });
    let count = std::env::var("SEEDS").map_or(SEEDS, |count| count.parse().expect("a number"));
    failed.chain(1..=count).collect()
}

/// Plays a scenario over its seeds; then every copy equals its source, and `after` holds.
fn tell(scenario: &Scenario, after: impl Fn(&Lab)) {
    over_seeds(scenario.name, |seed| {
        let lab = scenario.run(seed)?;
        if std::env::var_os("SHOW").is_some() {
            print!("{}", lab.record().text());
        }
        lab.verify()?;
        after(&lab);
        Ok(())
    });
}
