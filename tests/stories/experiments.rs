//! Experiments: the named swarms come to their end, with figures that add up.

use swarmlet::base::Span;
use swarmlet::lab::experiment::{EXPERIMENTS, Experiment, Keep, Member, Part, Played, Setup, find};
use swarmlet::lab::picture::draw;
use swarmlet::lab::report::{Bound, Report, Spread};
use swarmlet::lab::{Line, NodeId};

const RECORD: Keep = Keep { record: true, film: false };

/// Small, so that all of them take seconds.
fn small() -> Setup {
    let line = Line { up: Some(256 * 1024), down: Some(1024 * 1024) };
    Setup { peers: 6, seeds: 1, bytes: 1_000_000, line, ..Setup::default() }
}

fn play(experiment: &Experiment, seed: u64, keep: Keep) -> (Played, Report) {
    let played = experiment.play(&small(), seed, keep);
    if let Err(failure) = &played.verdict {
        panic!("{}: {failure}", experiment.name);
    }
    let report = Report::of(experiment, &small(), &played);
    (played, report)
}

fn named(name: &str) -> &'static Experiment {
    find(name).unwrap_or_else(|| panic!("there is no {name}"))
}

#[test]
fn every_experiment_ends_and_its_figures_add_up() {
    for experiment in EXPERIMENTS {
        for seed in 1..=3 {
            let (played, report) = play(experiment, seed, Keep::default());
            let name = experiment.name;
            assert!(report.last_micros >= report.bound.micros, "{name}: faster than can be");
            assert!(played.lab.record().is_empty(), "{name}: nobody wanted a record");
            let nodes: usize = report.groups.iter().map(|group| group.nodes).sum();
            assert_eq!(nodes, played.members.len(), "{name}");
            // What left one node was sent to another, and each peer got its copy.
            let tally = played.lab.tally();
            let count = |member: &Member| tally.of(member.node);
            let gave: u64 = played.members.iter().map(|member| count(member).gave).sum();
            let given: u64 = played.members.iter().map(|member| count(member).was_given).sum();
            assert_eq!((gave, given), (report.payload_bytes, report.payload_bytes), "{name}");
            let copies = 6 * 1_000_000;
            assert_eq!(report.payload_bytes, copies + report.waste_bytes, "{name}");
            for member in played.members.iter().filter(|member| member.part == Part::Peer) {
                assert!(count(member).was_given >= 1_000_000, "{name}: {member:?}");
                assert!(count(member).whole_at.is_some(), "{name}: {member:?}");
            }
        }
    }
}

#[test]
fn those_who_hardly_give_do_not_hold_up_the_end_of_those_who_do() {
    let experiment = named("free-riders");
    for seed in 1..=4 {
        let played = experiment.play(&Setup::default(), seed, Keep::default());
        let report = Report::of(experiment, &Setup::default(), &played);
        let givers = played.members.iter().filter(|member| member.group == "peers");
        let last = givers.filter_map(|member| played.lab.tally().of(member.node).whole_at).max();
        let last = last.expect("all are done").as_micros();
        assert!(last < report.bound.micros * 13 / 10, "seed {seed}: {last}");
    }
}

#[test]
fn how_pieces_are_hashed_changes_no_figure() {
    for experiment in EXPERIMENTS {
        let report = |sha1| {
            let setup = Setup { sha1, ..small() };
            let played = experiment.play(&setup, 4, Keep::default());
            assert_eq!(played.verdict, Ok(()), "{}", experiment.name);
            Report::of(experiment, &setup, &played)
        };
        assert_eq!(report(true), report(false), "{}", experiment.name);
    }
}

#[test]
fn a_seed_decides_every_byte_of_the_record() {
    for name in ["swarm", "flash-crowd", "poison"] {
        let run = |seed| {
            let (played, report) = play(named(name), seed, RECORD);
            (played.lab.record().text().to_owned(), report)
        };
        let (first, again, other) = (run(1), run(1), run(2));
        assert!(first.0 == again.0, "{name}: the same seed wrote another record");
        assert_eq!(first.1, again.1);
        assert!(first.0 != other.0, "{name}: another seed wrote the same record");
    }
}

#[test]
fn a_seed_decides_which_packets_are_lost() {
    let setup = Setup { loss: 200, jitter: Span::from_millis(30), ..small() };
    let run = |seed| {
        let played = named("swarm").play(&setup, seed, RECORD);
        assert_eq!(played.verdict, Ok(()));
        played.lab.record().text().to_owned()
    };
    let first = run(1);
    assert!(first == run(1), "the same seed wrote another record");
    assert!(first != run(2), "another seed wrote the same record");
}

#[test]
fn keeping_a_record_changes_nothing() {
    let (_, with) = play(named("partition"), 5, RECORD);
    let (_, without) = play(named("partition"), 5, Keep::default());
    assert_eq!(with, without);
}

/// What the seed sends twice before it has sent everything once, everybody waits for: a habit that
/// costs little in a small swarm shows in a crowd.
#[test]
fn a_crowd_is_done_not_long_after_its_bound() {
    let setup = Setup { peers: 40, bytes: 8 << 20, ..Setup::default() };
    let experiment = named("swarm");
    let played = experiment.play(&setup, 1, Keep::default());
    let report = Report::of(experiment, &setup, &played);
    let percent = report.last_micros * 100 / report.bound.micros;
    assert!(percent < 150, "done after {percent} % of the bound");
}

#[test]
fn free_riders_are_done_after_those_who_give() {
    let setup = Setup { peers: 12, bytes: 4_000_000, ..small() };
    let played = named("free-riders").play(&setup, 1, Keep::default());
    let report = Report::of(named("free-riders"), &setup, &played);
    let median = |name| {
        let group = report.groups.iter().find(|group| group.name == name).expect("a row");
        group.done_micros.expect("they are done").median
    };
    assert!(median("free-riders") > median("peers"), "{report:#?}");
}

#[test]
fn poison_is_found_and_poisoners_are_banned() {
    let (_, report) = play(named("poison"), 1, Keep::default());
    assert!(report.pieces_failed > 0 && report.bans > 0, "{report:#?}");
    assert!(report.waste_bytes > 0);
    let (_, clean) = play(named("swarm"), 1, Keep::default());
    assert_eq!((clean.pieces_failed, clean.bans), (0, 0));
}

#[test]
fn the_bound_is_the_slowest_of_three() {
    let late = |part, up, down, secs| Member {
        node: NodeId(0),
        group: "",
        line: Line { up, down },
        part,
        arrives: Span::from_secs(secs),
    };
    let member = |part, up, down| late(part, up, down, 0);
    let (seed, peer) = (Part::Seed, Part::Peer);
    #[rustfmt::skip]
    let table: &[(&str, &[Member], u64)] = &[
        ("one down",  &[member(seed, Some(100), None), member(peer, Some(100), Some(10))], 100),
        ("seed up",   &[member(seed, Some(20), None), member(peer, Some(900), None)],      50),
        ("all up",    &[member(seed, Some(100), None), member(peer, Some(25), None),
                        member(peer, Some(25), None), member(peer, Some(10), None)],       18),
        ("nothing",   &[member(seed, None, None), member(peer, Some(1), None)],            0),
        ("a trick",   &[member(seed, Some(20), None), member(peer, None, None),
                        member(Part::Trickster, Some(1_000), Some(1))],                    50),
        ("late down", &[member(seed, Some(100), None), member(peer, Some(1), Some(100)),
                        late(peer, Some(1), Some(50), 40)],                                60),
        ("late all",  &[member(seed, Some(20), None), late(peer, None, None, 30)],         80),
        // A hundred seconds of 10 + 5, and the other 500 bytes at 10 + 5 + 5.
        ("late up",   &[member(seed, Some(10), None), member(peer, Some(5), None),
                        late(peer, Some(5), None, 100)],                                   125),
    ];
    for (what, members, secs) in table {
        let bound = Bound::of(1_000, members);
        let about = bound.micros / 1_000_000;
        assert_eq!(about, *secs, "{what}: {bound:?}");
        assert!(bound.span() >= Span::from_secs(*secs));
    }
}

#[test]
fn a_spread_is_least_middle_and_most() {
    let spread = |least, median, most| Some(Spread { least, median, most });
    assert_eq!(Spread::of(vec![]), None);
    assert_eq!(Spread::of(vec![7]), spread(7, 7, 7));
    assert_eq!(Spread::of(vec![9, 1, 5]), spread(1, 5, 9));
    assert_eq!(Spread::of(vec![4, 1, 9, 2]), spread(1, 2, 9));
}

#[test]
fn a_picture_shows_everybody_and_is_the_same_each_time() {
    let film = Keep { record: false, film: true };
    for experiment in EXPERIMENTS {
        let name = experiment.name;
        let (played, report) = play(experiment, 1, film);
        let svg = draw(&played, &report).expect("it was filmed");
        assert!(svg.starts_with("<svg xmlns=") && svg.ends_with("</svg>\n"), "{name}");
        // Each line is one whole element: what cannot be cut cannot be torn.
        let is_whole = |line: &str| line.starts_with('<') && line.ends_with('>');
        assert!(svg.lines().all(is_whole), "{name}");
        for group in &report.groups {
            assert!(svg.contains(&format!(">{}</text>", group.name)), "{name}: {}", group.name);
        }
        (1..=6).for_each(|peer| assert!(svg.contains(&format!(">peer-{peer}</text>")), "{name}"));
        let again = play(experiment, 1, film);
        assert!(draw(&again.0, &again.1).as_ref() == Some(&svg), "{name}: another picture");
        // Whoever watches changes nothing.
        let (unseen, figures) = play(experiment, 1, Keep::default());
        assert_eq!(figures, report, "{name}");
        assert_eq!(draw(&unseen, &figures), None, "{name}");
    }
}

#[test]
fn a_film_has_not_too_many_frames_and_ends_with_the_run() {
    for bytes in [1_000, 1_000_000, 20_000_000] {
        let setup = Setup { peers: 2, bytes, ..small() };
        let played = named("swarm").play(&setup, 1, Keep { record: false, film: true });
        let frames = played.lab.film().expect("it was filmed").frames();
        assert!((1..=601).contains(&frames.len()), "{bytes}: {} frames", frames.len());
        assert!(frames.is_sorted_by(|a, b| a.at <= b.at && a.payload <= b.payload), "{bytes}");
        let last = frames.last().expect("at least one");
        let pieces = played.lab.source_named(played.source).layout().piece_count();
        assert_eq!((last.at, last.rarest), (played.lab.now(), 3), "{bytes}: all have all");
        assert_eq!(last.copies, u64::from(pieces) * 3, "{bytes}");
    }
}
