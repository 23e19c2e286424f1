//! Swarms that meet through a tracker, which may be late, slow, lying or gone.

use swarmlet::base::Span;
use swarmlet::lab::{Action, Lab, Line, Mood, NodeId, Scenario, SourceId};

use crate::{over_seeds, tell};

const FILE: SourceId = SourceId(0);
const TRACKER: NodeId = NodeId(0);
const SEED: NodeId = NodeId(1);
const PEER: NodeId = NodeId(2);

/// A tracker, a seed and a peer who know of each other only through it.
fn strangers(lab: &mut Lab) {
    let file = lab.source("file", 32 * 1024, &[500_000]);
    lab.tracker("tracker");
    lab.seed("seed", file);
    lab.peer("peer", file);
}

/// How often a node announced, with this event or any.
fn announces(lab: &Lab, who: &str, event: &str) -> usize {
    lab.record().count(who, "announces", event)
}

#[test]
fn strangers_meet_through_a_tracker() {
    let story = Scenario {
        who: strangers,
        limit: Span::from_secs(60),
        ..Scenario::new("strangers_meet_through_a_tracker")
    };
    tell(&story, |lab| {
        assert_eq!(announces(lab, "peer", "Started"), 1);
        assert!(lab.record().count("tracker", "answers", "") >= 2);
    });
}

#[test]
fn a_tracker_is_told_what_there_is_to_tell() {
    over_seeds("a_tracker_is_told_what_there_is_to_tell", |seed| {
        let mut lab = Lab::new(seed);
        strangers(&mut lab);
        lab.run_until(|lab| lab.has(PEER, FILE), Span::from_secs(60))?;
        lab.at(Span::from_secs(100), Action::Leave(PEER));
        lab.run_for(Span::from_secs(110))?;
        for (event, times) in [("Started", 1), ("Completed", 1), ("Stopped", 1)] {
            assert_eq!(announces(&lab, "peer", event), times, "{event}");
        }
        assert_eq!(announces(&lab, "seed", "Completed"), 0, "it was complete from the beginning");
        assert!(lab.node_named(PEER).engine().is_none(), "it said good-bye and went");
        let counts = lab.node_named(TRACKER).engine().and_then(|engine| engine.service());
        let counts = counts.map(|service| service.counts()).unwrap_or_default();
        assert_eq!((counts.peers, counts.seeds), (1, 1), "only the seed is left");
        lab.verify()
    });
}

/// The same, over UDP.
fn strangers_by_datagrams(lab: &mut Lab) {
    lab.ask_by_datagrams();
    strangers(lab);
}

#[test]
fn strangers_meet_by_datagrams() {
    let story = Scenario {
        who: strangers_by_datagrams,
        limit: Span::from_secs(60),
        ..Scenario::new("strangers_meet_by_datagrams")
    };
    tell(&story, |lab| {
        assert_eq!(lab.record().count("tracker", "answers", ""), 0, "nobody speaks HTTP");
        // An id and peers, for each; the peer tells, too, that it is complete.
        assert!(lab.record().count("tracker", "sends", "") >= 4);
    });
}

#[test]
fn lost_datagrams_are_sent_again_until_strangers_meet_and_part() {
    over_seeds("lost_datagrams_are_sent_again_until_strangers_meet_and_part", |seed| {
        let mut lab = Lab::new(seed);
        strangers_by_datagrams(&mut lab);
        // A fifth of all packets.
        lab.net.set_loss(2_000);
        lab.run_until(|lab| lab.has(PEER, FILE), Span::from_secs(1_200))?;
        lab.net.set_loss(0);
        lab.run_for(Span::from_secs(100))?;
        lab.at(Span::from_secs(1), Action::Leave(PEER));
        lab.run_for(Span::from_secs(10))?;
        let counts = lab.node_named(TRACKER).engine().and_then(|engine| engine.service());
        let counts = counts.map(|service| service.counts()).unwrap_or_default();
        assert_eq!((counts.peers, counts.seeds), (1, 1), "only the seed is left");
        lab.verify()
    });
}

#[test]
fn a_udp_tracker_that_fails_at_first_is_asked_again() {
    for mood in [Mood::Silent, Mood::Slow(Span::from_secs(40)), Mood::Lying(vec![0xff; 100])] {
        over_seeds("a_udp_tracker_that_fails_at_first_is_asked_again", |seed| {
            let mut lab = Lab::new(seed);
            strangers_by_datagrams(&mut lab);
            lab.at(Span::ZERO, Action::Tracker(TRACKER, mood.clone()));
            lab.at(Span::from_secs(100), Action::Tracker(TRACKER, Mood::Well));
            lab.run_until(|lab| lab.has(PEER, FILE), Span::from_secs(900))?;
            lab.verify()
        });
    }
}

#[test]
fn a_swarm_of_twelve_meets_through_a_tracker() {
    let story = Scenario {
        who: |lab| {
            strangers(lab);
            for number in 3..=12 {
                let peer = lab.peer(&format!("peer-{number}"), FILE);
                lab.starts_at(peer, Span::from_secs(number));
            }
        },
        links: |lab| {
            for index in 1..13 {
                lab.net.set_line(NodeId(index), Line { up: Some(100_000), down: Some(500_000) });
            }
        },
        limit: Span::from_secs(120),
        ..Scenario::new("a_swarm_of_twelve_meets_through_a_tracker")
    };
    tell(&story, |lab| {
        let served = lab.record().count("seed", "serves", "");
        assert!(served < 11 * 31 / 2, "the seed gave {served} of {} blocks", 11 * 31);
    });
}

#[test]
fn a_tracker_that_fails_at_first_is_asked_again() {
    let moods = [
        Mood::Down,
        Mood::Silent,
        Mood::Lying(Vec::new()),
        Mood::Lying(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n".to_vec()),
        Mood::Lying(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nd5:peersi".to_vec()),
        Mood::Lying(b"HTTP/1.1 200 OK\r\n\r\nd14:failure reason4:no!\x1be".to_vec()),
        Mood::Lying(b"HTTP/1.1 200 OK\r\n\r\nd8:intervali0e5:peers0:e".to_vec()),
    ];
    for mood in moods {
        over_seeds("a_tracker_that_fails_at_first_is_asked_again", |seed| {
            let mut lab = Lab::new(seed);
            strangers(&mut lab);
            lab.at(Span::ZERO, Action::Tracker(TRACKER, mood.clone()));
            lab.at(Span::from_secs(200), Action::Tracker(TRACKER, Mood::Well));
            lab.run_for(Span::from_secs(199))?;
            let asked = announces(&lab, "peer", "");
            assert!((1..=8).contains(&asked), "{mood:?}: asked {asked} times in 200 s");
            lab.run_until(|lab| lab.has(PEER, FILE), Span::from_secs(4_000))?;
            lab.verify()
        });
    }
}

#[test]
fn a_slow_tracker_is_waited_for() {
    let story = Scenario {
        who: strangers,
        events: |lab| {
            lab.at(Span::ZERO, Action::Tracker(TRACKER, Mood::Slow(Span::from_secs(10))));
        },
        limit: Span::from_secs(60),
        ..Scenario::new("a_slow_tracker_is_waited_for")
    };
    tell(&story, |lab| assert!(lab.now().as_micros() > 10_000_000));
}

#[test]
fn without_its_tracker_a_swarm_lives_on_peers_by_hand() {
    let story = Scenario {
        who: |lab| {
            strangers(lab);
            lab.knows(PEER, FILE, SEED);
        },
        events: |lab| lab.at(Span::ZERO, Action::Tracker(TRACKER, Mood::Down)),
        limit: Span::from_secs(30),
        ..Scenario::new("without_its_tracker_a_swarm_lives_on_peers_by_hand")
    };
    tell(&story, |lab| {
        assert!(lab.record().count("peer", "event", "TrackerFailed") > 0, "and it says so");
    });
}

#[test]
fn a_tracker_that_is_not_well_does_not_keep_a_node_from_leaving() {
    for mood in [Mood::Well, Mood::Down, Mood::Silent, Mood::Slow(Span::from_secs(60))] {
        over_seeds("a_tracker_that_is_not_well_does_not_keep_a_node_from_leaving", |seed| {
            let mut lab = Lab::new(seed);
            strangers(&mut lab);
            lab.at(Span::from_secs(30), Action::Tracker(TRACKER, mood.clone()));
            lab.at(Span::from_secs(60), Action::Leave(PEER));
            lab.run_for(Span::from_secs(65))?;
            assert!(lab.node_named(PEER).engine().is_none(), "{mood:?}: gone within 5 s");
            Ok(())
        });
    }
}

#[test]
fn who_crashed_comes_back_to_a_tracker_that_still_knows_it() {
    let story = Scenario {
        who: strangers,
        links: |lab| lab.net.set_line(SEED, Line { up: Some(50_000), down: None }),
        events: |lab| {
            lab.at(Span::from_secs(5), Action::Crash(PEER, swarmlet::lab::disk::Loss::Some));
            lab.at(Span::from_secs(8), Action::Start(PEER));
        },
        limit: Span::from_secs(120),
        ..Scenario::new("who_crashed_comes_back_to_a_tracker_that_still_knows_it")
    };
    tell(&story, |lab| {
        let own = lab.node_named(PEER).addr.to_string();
        assert!(lab.record().count("peer", "dials", &own) <= 1, "and does not dial itself");
    });
}
