//! Downloads that go well: two peers, ten, odd pieces, cut bytes, several torrents in one node.

use swarmlet::base::Span;
use swarmlet::lab::content::Content;
use swarmlet::lab::{Cut, Lab, Line, NodeId, Scenario, SourceId, all_done};

use crate::{over_seeds, tell};

const FILE: SourceId = SourceId(0);
const SEED: NodeId = NodeId(0);
const PEER: NodeId = NodeId(1);

/// A seed, and a peer that was given its address by hand.
fn pair(lab: &mut Lab, piece_bytes: u32, lens: &[u64]) {
    let file = lab.source("file", piece_bytes, lens);
    let seed = lab.seed("seed", file);
    let peer = lab.peer("peer", file);
    lab.knows(peer, file, seed);
}

#[test]
fn a_file_goes_from_a_seed_to_a_peer() {
    let story = Scenario {
        who: |lab| pair(lab, 32 * 1024, &[1_000_000]),
        limit: Span::from_secs(30),
        ..Scenario::new("a_file_goes_from_a_seed_to_a_peer")
    };
    tell(&story, |lab| {
        let asked = lab.record().count("peer", "says", "request");
        assert_eq!(asked, 62, "each block is asked once");
        assert_eq!(lab.connections(SEED, PEER), 0, "two seeds have nothing to say to each other");
    });
}

#[test]
fn a_piece_length_that_is_no_power_of_two_and_an_empty_file_in_the_middle() {
    let story = Scenario {
        who: |lab| pair(lab, 50_001, &[70_000, 0, 1, 130_000, 0]),
        limit: Span::from_secs(30),
        ..Scenario::new("a_piece_length_that_is_no_power_of_two_and_an_empty_file_in_the_middle")
    };
    tell(&story, |lab| {
        let hash = lab.source_named(FILE).info_hash();
        let disk = &lab.node_named(PEER).disk;
        let is_there_and_empty = |file| disk.file(hash, file).is_some_and(Content::is_empty);
        assert!(is_there_and_empty(1) && is_there_and_empty(4));
    });
}

#[test]
fn a_single_byte_is_a_torrent_too() {
    let story = Scenario {
        who: |lab| pair(lab, 16 * 1024, &[1]),
        limit: Span::from_secs(30),
        ..Scenario::new("a_single_byte_is_a_torrent_too")
    };
    tell(&story, |_| {});
}

#[test]
fn bytes_may_come_one_at_a_time_or_cut_anywhere() {
    for cut in [Cut::Every(1), Cut::Random(40), Cut::Random(40_000)] {
        over_seeds("bytes_may_come_one_at_a_time_or_cut_anywhere", |seed| {
            let mut lab = Lab::new(seed);
            pair(&mut lab, 20_000, &[30_000, 25_000]);
            lab.set_cut(cut);
            lab.run_until(|lab| lab.has(PEER, FILE), Span::from_secs(30))?;
            lab.verify()
        });
    }
}

/// What is so in a swarm of hundreds is judged here word by word, in one of ten.
#[test]
fn time_may_go_in_steps_and_the_swarm_is_done_as_soon() {
    over_seeds("time_may_go_in_steps_and_the_swarm_is_done_as_soon", |seed| {
        let mut took = Vec::new();
        for step in [None, Some(Span::from_millis(100))] {
            let mut lab = Lab::new(seed);
            ten(&mut lab);
            let line = Line { up: Some(100_000), down: Some(400_000) };
            (0..10).for_each(|node| lab.net.set_line(NodeId(node), line));
            step.into_iter().for_each(|step| lab.go_in_steps(step));
            lab.run_until(all_done, Span::from_secs(60))?;
            lab.verify()?;
            took.push(lab.now().as_micros());
        }
        let [flowing, in_steps] = took[..] else { unreachable!("two runs") };
        assert!(in_steps.abs_diff(flowing) < flowing / 4, "{in_steps} and {flowing}");
        Ok(())
    });
}

#[test]
fn a_line_is_used_well() {
    // A megabyte at 100,000 bytes a second takes ten seconds and not much more.
    let story = Scenario {
        who: |lab| pair(lab, 64 * 1024, &[1_000_000]),
        links: |lab| lab.net.set_line(SEED, Line { up: Some(100_000), down: None }),
        limit: Span::from_secs(12),
        ..Scenario::new("a_line_is_used_well")
    };
    tell(&story, |lab| assert!(lab.now().as_micros() > 10_000_000));
}

#[test]
fn a_long_way_is_filled() {
    // A second from request to block: only a deep pipeline brings two megabytes in time.
    let story = Scenario {
        who: |lab| pair(lab, 64 * 1024, &[2_000_000]),
        links: |lab| {
            let path = swarmlet::lab::Path { delay: Span::from_millis(250), jitter: Span::ZERO };
            lab.net.set_path(path);
        },
        limit: Span::from_secs(30),
        ..Scenario::new("a_long_way_is_filled")
    };
    tell(&story, |_| {});
}

/// A seed with a narrow line and nine peers who know everybody.
fn ten(lab: &mut Lab) {
    let file = lab.source("file", 32 * 1024, &[1_000_000]);
    let seed = lab.seed("seed", file);
    let peers: Vec<NodeId> = (1..10).map(|n| lab.peer(&format!("peer-{n}"), file)).collect();
    for &peer in &peers {
        lab.knows(peer, file, seed);
        for &other in peers.iter().filter(|&&other| other < peer) {
            lab.knows(peer, file, other);
        }
    }
}

#[test]
fn ten_peers_share_what_one_seed_gives() {
    let story = Scenario {
        who: ten,
        links: |lab| {
            for index in 0..10 {
                lab.net.set_line(NodeId(index), Line { up: Some(100_000), down: Some(400_000) });
            }
        },
        // The seed alone would need ninety seconds.
        limit: Span::from_secs(60),
        ..Scenario::new("ten_peers_share_what_one_seed_gives")
    };
    tell(&story, |lab| {
        let served = |name: &str| lab.record().count(name, "serves", "");
        let by_peers: usize = (1..10).map(|n| served(&format!("peer-{n}"))).sum();
        assert!(by_peers > served("seed"), "peers gave {by_peers} of {}", 9 * 62);
        // The end game asks for some blocks twice; that is all that may be wasted.
        let all = by_peers + served("seed");
        assert!(all < 9 * 62 * 115 / 100, "{all} blocks were served, {} were needed", 9 * 62);
    });
}

#[test]
fn two_torrents_live_in_one_node() {
    let story = Scenario {
        who: |lab| {
            let (one, two) = (
                lab.source("one", 32 * 1024, &[300_000]),
                lab.source("two", 20_000, &[200_000, 50]),
            );
            let a = lab.seed("a", one);
            lab.order(a, two, false);
            let b = lab.seed("b", two);
            lab.order(b, one, false);
            lab.knows(a, two, b);
            lab.knows(b, one, a);
        },
        limit: Span::from_secs(30),
        ..Scenario::new("two_torrents_live_in_one_node")
    };
    tell(&story, |_| {});
}

#[test]
fn the_same_seed_gives_the_same_record_and_another_gives_another() {
    let story = Scenario { who: ten, ..Scenario::new("the_same_seed") };
    let record = |seed| match story.run(seed) {
        Ok(lab) => lab.record().text().to_owned(),
        Err(failure) => panic!("{failure}"),
    };
    assert_eq!(record(1), record(1));
    assert_ne!(record(1), record(2));
}
