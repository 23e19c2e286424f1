//! Coming and going: schedules, and what becomes of a swarm whose peers do not stay.

use swarmlet::base::{Random, Span};
use swarmlet::lab::experiment::{Keep, Part, Played, Setup, find};
use swarmlet::lab::report::Report;
use swarmlet::lab::schedule::{Arrive, Leave, Schedule, exponential};
use swarmlet::lab::tally::Count;
use swarmlet::lab::{Line, Moment};

const RECORD: Keep = Keep { record: true, film: false };

fn small() -> Setup {
    let line = Line { up: Some(256 * 1024), down: Some(1024 * 1024) };
    Setup { peers: 8, bytes: 1_000_000, line, ..Setup::default() }
}

fn play(name: &str, setup: &Setup, seed: u64) -> (Played, Report) {
    let experiment = find(name).expect("it is on the list");
    let played = experiment.play(setup, seed, RECORD);
    assert_eq!(played.verdict, Ok(()), "{name}");
    let report = Report::of(experiment, setup, &played);
    (played, report)
}

/// The figures of those who wanted the file.
fn peers(played: &Played) -> Vec<Count> {
    let members = played.members.iter().filter(|member| member.part == Part::Peer);
    members.map(|member| played.lab.tally().of(member.node)).collect()
}

fn secs(secs: u64) -> Span {
    Span::from_secs(secs)
}

#[test]
fn an_exponential_time_has_the_mean_and_the_tail_that_it_should() {
    let mut random = Random::new(1);
    let count = 40_000u64;
    let times: Vec<u64> =
        (0..count).map(|_| exponential(secs(10), &mut random).as_millis()).collect();
    let mean = times.iter().sum::<u64>() / count;
    assert!((9_850..10_150).contains(&mean), "{mean}");
    // 1/e of them are longer than the mean, 1/e² longer than twice that, and so on.
    for (times_mean, per_mille) in [(1, 368), (2, 135), (3, 50), (4, 18)] {
        let longer = times.iter().filter(|&&time| time > times_mean * 10_000).count() as u64;
        let share = longer * 1000 / count;
        assert!(share.abs_diff(per_mille) <= 8, "{times_mean}: {share}");
    }
    assert_eq!(exponential(Span::ZERO, &mut random), Span::ZERO);
}

#[test]
fn peers_come_as_the_schedule_says() {
    let arrivals = |arrive| {
        let schedule = Schedule { arrive, ..Schedule::default() };
        let mut all = schedule.arrivals(1000, &mut Random::new(3));
        all.sort();
        all
    };
    assert!(arrivals(Arrive::AtOnce).iter().all(|&at| at == Span::ZERO));
    let rush = arrivals(Arrive::Rush(secs(10)));
    assert!(rush[0] < Span::from_millis(100) && rush[999] < secs(10) && rush[999] > secs(9));
    assert!((4_500..5_500).contains(&rush[500].as_millis()), "the middle comes in the middle");
    let poisson = arrivals(Arrive::Poisson(secs(2)));
    assert!((1_850..2_150).contains(&poisson[999].as_secs()), "{:?}", poisson[999]);
}

#[test]
fn whoever_vanishes_comes_back_and_goes_on_with_what_is_on_its_disk() {
    for seed in 1..=5 {
        let setup = Setup { churn: Some(secs(2)), ..small() };
        let (played, report) = play("swarm", &setup, seed);
        assert!(report.vanished > 3, "seed {seed}: {}", report.vanished);
        assert_eq!((report.gave_up, report.groups[1].done), (0, Some(8)), "seed {seed}");
        let record = played.lab.record();
        for (member, count) in played.members.iter().skip(1).zip(peers(&played)) {
            let name = &played.lab.node_named(member.node).name;
            let vanished = record.count(name, "vanishes", "") as u64;
            assert_eq!(vanished, count.vanished, "{name}");
            // On and off take turns.
            let ends = count.stays.iter().map(|stay| (stay.from, stay.until));
            let ends: Vec<(Moment, Option<Moment>)> = ends.collect();
            assert!(ends.windows(2).all(|two| two[0].1.is_some_and(|end| end <= two[1].0)));
            assert!(ends.len() as u64 <= vanished + 1, "{name}");
            // Not all that it had was asked for again.
            let bytes_max = 1_000_000 + vanished * 400_000;
            assert!(count.was_given < bytes_max, "{name}: {}", count.was_given);
        }
    }
}

#[test]
fn whoever_leaves_early_is_counted_and_there_is_no_bound() {
    // The bound is four seconds: some are done by then, or none.
    let setup = Setup {
        leave: Some(Leave::After(secs(5))),
        arrive: Some(Arrive::Rush(secs(9))),
        ..small()
    };
    let (played, report) = play("swarm", &setup, 1);
    let counts = peers(&played);
    let gave_up = counts.iter().filter(|count| count.whole_at.is_none()).count();
    assert!(gave_up > 0 && gave_up < 8, "{gave_up}: choose other figures");
    assert_eq!((report.gave_up, report.groups[1].done), (gave_up, Some(8 - gave_up)));
    assert_eq!(report.bound.micros, 0);
    for count in counts.iter().filter(|count| count.whole_at.is_none()) {
        let (from, until) = (count.stays[0].from, count.stays[0].until.expect("it left"));
        let stayed = until.as_micros() - from.as_micros();
        assert!((5_000_000..5_500_000).contains(&stayed), "{stayed}");
    }
}

#[test]
fn whoever_is_done_leaves_if_that_is_the_wish() {
    let setup = Setup { leave: Some(Leave::Done), ..small() };
    let (played, report) = play("swarm", &setup, 1);
    assert_eq!((report.gave_up, report.groups[1].done), (0, Some(8)));
    // The run ends with the last one's last piece; whoever was done a while before has gone. A
    // farewell to the tracker takes two round trips, 80 ms.
    let end = played.lab.now().as_micros();
    let was_done = |count: &&Count| count.whole_at.is_some_and(|at| at.as_micros() + 100_000 < end);
    let early: Vec<Count> = peers(&played).iter().filter(was_done).cloned().collect();
    assert!(!early.is_empty() && early.iter().all(|count| count.left_at.is_some()), "{early:?}");
    for count in peers(&played) {
        assert!(count.left_at.is_none_or(|left| Some(left) >= count.whole_at));
    }
    // A scenario whose peers leave can be told otherwise.
    let (played, _) = play("flash-crowd", &Setup { leave: Some(Leave::Never), ..small() }, 1);
    assert!(peers(&played).iter().all(|count| count.left_at.is_none()));
}

#[test]
fn a_seed_decides_who_comes_goes_vanishes_and_what_is_lost() {
    let setup = Setup {
        churn: Some(secs(3)),
        arrive: Some(Arrive::Poisson(Span::from_millis(700))),
        leave: Some(Leave::Done),
        loss: 100,
        jitter: Span::from_millis(25),
        ..small()
    };
    let run = |seed| play("free-riders", &setup, seed).0.lab.record().text().to_owned();
    let first = run(1);
    assert!(first == run(1), "the same seed wrote another record");
    assert!(first != run(2), "another seed wrote the same record");
}
