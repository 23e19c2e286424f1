//! The last blocks: asked of everybody, so that one slow peer does not hold up the end.

use swarmlet::base::Span;
use swarmlet::lab::{Act, Action, Lab, Line, NodeId, Scenario, Serving, SourceId};
use swarmlet::wire::Message;

use crate::tell;

const FILE: SourceId = SourceId(0);
const SLOW: NodeId = NodeId(1);

/// A quick seed, a slow one (or what the story puts in its place), and a peer who knows both.
fn quick_and_slow(lab: &mut Lab) {
    let file = lab.source("file", 64 * 1024, &[1_000_000]);
    let quick = lab.seed("quick", file);
    let slow = lab.seed("slow", file);
    let peer = lab.peer("peer", file);
    lab.knows(peer, file, quick);
    lab.knows(peer, file, slow);
}

#[test]
fn a_slow_peer_does_not_hold_up_the_end() {
    let story = Scenario {
        who: quick_and_slow,
        links: |lab| {
            lab.net.set_line(NodeId(0), Line { up: Some(100_000), down: None });
            // A block takes this one eight seconds.
            lab.net.set_line(SLOW, Line { up: Some(2_000), down: None });
        },
        limit: Span::from_secs(20),
        ..Scenario::new("a_slow_peer_does_not_hold_up_the_end")
    };
    tell(&story, |lab| {
        let asked = lab.record().count("peer", "says", "request");
        assert!(asked > 62, "the last blocks are asked twice: {asked}");
        assert!(lab.record().count("peer", "says", "cancel") > 0, "and cancelled once they came");
    });
}

#[test]
fn what_comes_soon_by_itself_is_asked_of_nobody_else() {
    let story = Scenario {
        who: quick_and_slow,
        links: |lab| {
            lab.net.set_line(NodeId(0), Line { up: Some(2_000_000), down: None });
            lab.net.set_line(SLOW, Line { up: Some(1_000_000), down: None });
        },
        limit: Span::from_secs(20),
        ..Scenario::new("what_comes_soon_by_itself_is_asked_of_nobody_else")
    };
    tell(&story, |lab| {
        assert_eq!(lab.record().count("peer", "says", "request"), 62, "each block once");
    });
}

/// Each of them is asked for the last blocks before the quick one is, and takes 16 seconds for one.
#[test]
fn many_slow_peers_do_not_hold_up_the_end_together() {
    let story = Scenario {
        who: |lab| {
            let file = lab.source("file", 64 * 1024, &[1_000_000]);
            let slow: Vec<NodeId> = (1..=6).map(|n| lab.seed(&format!("slow-{n}"), file)).collect();
            let quick = lab.seed("quick", file);
            let peer = lab.peer("peer", file);
            slow.iter().for_each(|&seed| lab.knows(peer, file, seed));
            lab.knows(peer, file, quick);
        },
        links: |lab| {
            let line = |up| Line { up: Some(up), down: None };
            (0..6).for_each(|slow| lab.net.set_line(NodeId(slow), line(1_000)));
            lab.net.set_line(NodeId(6), line(100_000));
        },
        // Ten for the quick one's line, five until a block counts as slow, and what it takes.
        limit: Span::from_secs(18),
        ..Scenario::new("many_slow_peers_do_not_hold_up_the_end_together")
    };
    tell(&story, |_| {});
}

#[test]
fn a_peer_that_stops_in_the_last_block_does_not_hold_up_the_end() {
    let story = Scenario {
        who: |lab| {
            let file = lab.source("file", 64 * 1024, &[200_000]);
            lab.seed("quick", file);
            lab.scripted(
                "stops",
                file,
                vec![
                    Act::Handshake,
                    Act::HaveAll,
                    Act::Await("interested"),
                    Act::Say(Message::Unchoke),
                    Act::Serve(Serving::Stops(100)),
                ],
            );
            let peer = lab.peer("peer", file);
            lab.knows(peer, file, NodeId(0));
            lab.knows(peer, file, SLOW);
        },
        limit: Span::from_secs(90),
        ..Scenario::new("a_peer_that_stops_in_the_last_block_does_not_hold_up_the_end")
    };
    tell(&story, |_| {});
}

#[test]
fn when_the_quick_seed_leaves_the_slow_one_finishes_it() {
    let story = Scenario {
        who: quick_and_slow,
        links: |lab| {
            lab.net.set_line(NodeId(0), Line { up: Some(100_000), down: None });
            lab.net.set_line(SLOW, Line { up: Some(20_000), down: None });
        },
        events: |lab| lab.at(Span::from_secs(4), Action::Leave(NodeId(0))),
        over: |lab| lab.has(NodeId(2), FILE),
        limit: Span::from_secs(90),
        ..Scenario::new("when_the_quick_seed_leaves_the_slow_one_finishes_it")
    };
    tell(&story, |_| {});
}
