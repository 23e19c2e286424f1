//! Seeds: one that comes late, one that was a peer a moment ago, one with more askers than places.

use swarmlet::base::{Claim, Span};
use swarmlet::lab::{Act, Action, Lab, Line, NodeId, Scenario, SourceId};
use swarmlet::wire::Message;

use crate::{over_seeds, tell};

const FILE: SourceId = SourceId(0);
const SEED: NodeId = NodeId(0);
const PEER: NodeId = NodeId(1);
const SECOND: NodeId = NodeId(2);

const LINE: Line = Line { up: Some(100_000), down: None };

#[test]
fn a_seed_that_comes_late_is_found() {
    let story = Scenario {
        who: |lab| {
            let file = lab.source("file", 32 * 1024, &[300_000]);
            let seed = lab.seed("seed", file);
            let peer = lab.peer("peer", file);
            lab.knows(peer, file, seed);
            lab.starts_at(seed, Span::from_secs(120));
        },
        // Whoever was refused is called again, at longer and longer intervals.
        limit: Span::from_secs(120 + 600),
        ..Scenario::new("a_seed_that_comes_late_is_found")
    };
    tell(&story, |_| {});
}

#[test]
fn a_peer_seeds_as_soon_as_it_is_done() {
    over_seeds("a_peer_seeds_as_soon_as_it_is_done", |seed| {
        let mut lab = Lab::new(seed);
        let file = lab.source("file", 32 * 1024, &[300_000]);
        let (first, peer) = (lab.seed("seed", file), lab.peer("peer", file));
        let second = lab.peer("second", file);
        lab.knows(peer, file, first);
        lab.knows(second, file, peer);
        lab.starts_at(second, Span::from_secs(60));
        lab.at(Span::from_secs(50), Action::Leave(first));
        lab.run_until(|lab| lab.has(PEER, FILE) && lab.has(SECOND, FILE), Span::from_secs(120))?;
        assert!(lab.node_named(SEED).engine().is_none(), "the first seed has left");
        lab.verify()
    });
}

#[test]
fn a_node_that_does_not_seed_stops_when_it_is_done() {
    over_seeds("a_node_that_does_not_seed_stops_when_it_is_done", |seed| {
        let mut lab = Lab::new(seed);
        let file = lab.source("file", 32 * 1024, &[300_000]);
        let (first, peer) = (lab.seed("seed", file), lab.peer("peer", file));
        lab.knows(peer, file, first);
        lab.settings(peer).seed = false;
        lab.run_until(|lab| lab.has(PEER, FILE), Span::from_secs(60))?;
        lab.run_for(Span::from_secs(10))?;
        assert_eq!(lab.record().count("peer", "event", "Stopped"), 1);
        assert_eq!(lab.connections(first, peer), 0);
        lab.verify()
    });
}

/// The most peers that `name` let download from it at one time.
fn unchoked_at_once(lab: &Lab, name: &str) -> usize {
    let mut open = std::collections::BTreeSet::new();
    let (mut most, mut moment) = (0, "");
    for line in lab.record().text().lines() {
        let columns: Vec<&str> = line.split_whitespace().collect();
        // Within one moment a place may be given before the news that it is free is written.
        if columns[0] != moment {
            most = most.max(open.len());
            moment = columns[0];
        }
        match columns[1..] {
            [who, "says", conn, "unchoke"] if who == name => drop(open.insert(conn)),
            [who, "says", conn, "choke"] if who == name => drop(open.remove(conn)),
            [who, "closes" | "lost", conn, ..] if who == name => drop(open.remove(conn)),
            _ => {}
        }
    }
    most
}

#[test]
fn a_seed_with_more_askers_than_places_lets_all_have_their_turn() {
    let story = Scenario {
        who: |lab| {
            let file = lab.source("file", 32 * 1024, &[3_000_000]);
            // Or the peers would find each other, and be done before a turn is over.
            lab.make_private(file);
            let seed = lab.seed("seed", file);
            lab.settings(seed).unchoked_max = 3;
            for number in 1..=8 {
                let peer = lab.peer(&format!("peer-{number}"), file);
                lab.knows(peer, file, seed);
            }
        },
        links: |lab| lab.net.set_line(SEED, Line { up: Some(100_000), down: None }),
        limit: Span::from_secs(400),
        ..Scenario::new("a_seed_with_more_askers_than_places_lets_all_have_their_turn")
    };
    tell(&story, |lab| {
        let most = unchoked_at_once(lab, "seed");
        assert!((2..=3).contains(&most), "{most} unchoked at once");
        assert!(lab.record().count("seed", "says", " choke") > 0, "places move on");
    });
}

#[test]
fn a_turn_that_ends_takes_back_what_was_queued() {
    // One place and two askers, each with more queued than a window holds when its minute is up.
    let story = Scenario {
        who: |lab| {
            let file = lab.source("file", 256 * 1024, &[14_000_000]);
            let seed = lab.seed("seed", file);
            lab.settings(seed).unchoked_max = 1;
            for name in ["one", "two"] {
                let peer = lab.peer(name, file);
                lab.settings(peer).unchoked_max = 1;
                lab.knows(peer, file, seed);
            }
        },
        links: |lab| lab.net.set_line(SEED, Line { up: Some(200_000), down: None }),
        limit: Span::from_secs(200),
        ..Scenario::new("a_turn_that_ends_takes_back_what_was_queued")
    };
    tell(&story, |lab| assert!(lab.record().count("seed", "unqueues", "all") > 0));
}

#[test]
fn who_gives_nothing_is_served_less_by_peers_who_trade() {
    // A free-rider asks and never gives; the others must be done in spite of it.
    let story = Scenario {
        who: |lab| {
            let file = lab.source("file", 32 * 1024, &[400_000]);
            let seed = lab.seed("seed", file);
            for number in 1..=4 {
                let peer = lab.peer(&format!("peer-{number}"), file);
                lab.knows(peer, file, seed);
                (1..peer.0).for_each(|other| lab.knows(peer, file, NodeId(other)));
            }
            let takes = vec![Act::Handshake, Act::Say(Message::Interested)];
            lab.scripted("taker", file, takes);
        },
        links: |lab| lab.net.set_line(SEED, Line { up: Some(50_000), down: None }),
        events: |lab| {
            for peer in 1..=4 {
                lab.at(Span::from_secs(1), Action::Dial(NodeId(5), NodeId(peer)));
            }
        },
        limit: Span::from_secs(120),
        ..Scenario::new("who_gives_nothing_is_served_less_by_peers_who_trade")
    };
    tell(&story, |_| {});
}

#[test]
fn who_waits_for_a_seed_keeps_its_connections() {
    // Two peers with nothing for each other, half an hour long; then a seed comes.
    let story = Scenario {
        who: |lab| {
            let file = lab.source("file", 32 * 1024, &[300_000]);
            let seed = lab.seed("seed", file);
            let (one, two) = (lab.peer("one", file), lab.peer("two", file));
            lab.knows(one, file, two);
            lab.knows(two, file, seed);
            lab.starts_at(seed, Span::from_secs(1_800));
        },
        limit: Span::from_secs(2_400),
        ..Scenario::new("who_waits_for_a_seed_keeps_its_connections")
    };
    tell(&story, |lab| {
        let kept = lab.record().count("one", "lost", "") + lab.record().count("one", "closes", "");
        assert!(kept <= 1, "one connection for the whole time: {kept} ended");
        assert!(lab.record().count("one", "says", "keep-alive") >= 10);
    });
}

#[test]
fn who_asks_while_it_is_choked_gets_nothing() {
    let story = Scenario {
        who: |lab| {
            let file = lab.source("file", 32 * 1024, &[300_000]);
            let seed = lab.seed("seed", file);
            let peer = lab.peer("peer", file);
            lab.knows(peer, file, seed);
            // It asks without a word of interest, so it is choked for good.
            let claim = Claim { piece: 0, begin: 0, len: 16 * 1024 };
            let ask = Act::Say(Message::Request(claim));
            lab.scripted("pushy", file, vec![Act::Handshake, ask.clone(), ask.clone(), ask]);
        },
        events: |lab| lab.at(Span::from_millis(100), Action::Dial(SECOND, SEED)),
        limit: Span::from_secs(60),
        ..Scenario::new("who_asks_while_it_is_choked_gets_nothing")
    };
    tell(&story, |_| {});
}

/// Somebody who asks for `count` blocks at once, and then says what follows.
fn greedy(lab: &mut Lab, file: SourceId, count: u32, then: Vec<Act>) -> NodeId {
    let claim = |number| Claim { piece: number / 2, begin: number % 2 * 16_384, len: 16_384 };
    let mut acts = vec![Act::Handshake, Act::Say(Message::Interested), Act::Await("unchoke")];
    acts.extend((0..count).map(|number| Act::Say(Message::Request(claim(number)))));
    acts.extend(then);
    lab.scripted("greedy", file, acts)
}

#[test]
fn what_is_taken_back_while_it_waits_is_not_sent() {
    // Fifty blocks at a slow line: most of them wait behind the window. The last is taken back.
    let story = Scenario {
        who: |lab| {
            let file = lab.source("file", 32 * 1024, &[1_000_000]);
            let seed = lab.seed("seed", file);
            let last = Claim { piece: 24, begin: 16_384, len: 16_384 };
            let then = vec![Act::Pause(Span::from_secs(1)), Act::Say(Message::Cancel(last))];
            greedy(lab, file, 50, then);
            lab.net.set_line(seed, LINE);
            lab.at(Span::ZERO, Action::Dial(PEER, seed));
        },
        over: |lab| lab.now().as_micros() > 20_000_000,
        ..Scenario::new("what_is_taken_back_while_it_waits_is_not_sent")
    };
    tell(&story, |lab| {
        assert_eq!(lab.record().count("seed", "serves", ""), 50);
        assert_eq!(lab.record().count("seed", "unqueues", "24+16384"), 1);
        assert_eq!(lab.tally().given(SEED, PEER), 49 * 16_384);
    });
}

#[test]
fn who_loses_its_place_loses_what_waited_for_it() {
    let story = Scenario {
        who: |lab| {
            let file = lab.source("file", 32 * 1024, &[14_000_000]);
            let seed = lab.seed("seed", file);
            lab.settings(seed).unchoked_max = 1;
            greedy(lab, file, 800, Vec::new());
            let second = lab.peer("second", file);
            lab.knows(second, file, seed);
            lab.net.set_line(seed, LINE);
            lab.at(Span::ZERO, Action::Dial(PEER, seed));
            lab.starts_at(second, Span::from_secs(5));
        },
        over: |lab| lab.now().as_micros() > 75_000_000,
        ..Scenario::new("who_loses_its_place_loses_what_waited_for_it")
    };
    tell(&story, |lab| {
        assert_eq!(lab.record().count("seed", "unqueues", "all"), 1);
        let given = lab.tally().given(SEED, PEER);
        assert!(given < 70 * 100_000, "{given} bytes of {}", 800 * 16_384);
    });
}

/// A seed with a slow line and twelve peers. Returns how many bytes the seed sent.
fn first_copies(seed: u64, is_super: bool) -> Result<u64, swarmlet::lab::Failure> {
    let mut lab = Lab::new(seed);
    lab.tracker("tracker");
    let file = lab.source("file", 16 * 1024, &[FIRST_COPY_BYTES]);
    let first = lab.seed("seed", file);
    if is_super {
        lab.super_seeds(first, file);
    }
    lab.net.set_line(first, Line { up: Some(50_000), down: None });
    let peers: Vec<NodeId> = (1..=12).map(|n| lab.peer(&format!("peer-{n}"), file)).collect();
    for &peer in &peers {
        lab.net.set_line(peer, Line { up: Some(200_000), down: None });
    }
    let all = |lab: &Lab| peers.iter().all(|&peer| lab.has(peer, file));
    lab.run_until(all, Span::from_secs(600))?;
    lab.verify()?;
    Ok(lab.tally().of(first).gave)
}

const FIRST_COPY_BYTES: u64 = 4 * 1024 * 1024;

#[test]
fn a_super_seed_sends_hardly_more_than_one_copy_and_everybody_has_it() {
    over_seeds("a_super_seed_sends_hardly_more_than_one_copy_and_everybody_has_it", |seed| {
        let (usual, sparing) = (first_copies(seed, false)?, first_copies(seed, true)?);
        assert!(sparing < usual, "super-seeding sent {sparing}, plain seeding {usual}");
        // What is more than a copy are the pieces that each peer was shown last.
        let most = FIRST_COPY_BYTES + 12 * 3 * 16 * 1024;
        assert!((FIRST_COPY_BYTES..=most).contains(&sparing), "{sparing} bytes");
        Ok(())
    });
}
