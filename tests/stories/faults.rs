//! Faults: peers that vanish, lie, stop or flood; a network that breaks; disks that fail.

use swarmlet::base::{Claim, Random, Span};
use swarmlet::engine::DiskFault;
use swarmlet::lab::disk::{Loss, Speed};
use swarmlet::lab::{
    Act, Action, Cut, DiskChange, Lab, Line, Mood, NodeId, Path, Scenario, Serving, SourceId,
    all_done,
};
use swarmlet::wire::Message;

use crate::{over_seeds, tell};

const FILE: SourceId = SourceId(0);
const SEED: NodeId = NodeId(0);
const PEER: NodeId = NodeId(1);
const OTHER: NodeId = NodeId(2);

const LINE: Line = Line { up: Some(100_000), down: None };

/// A seed and a peer who knows it, 62 blocks in 31 pieces.
fn pair(lab: &mut Lab) {
    let file = lab.source("file", 32 * 1024, &[1_000_000]);
    let seed = lab.seed("seed", file);
    let peer = lab.peer("peer", file);
    lab.knows(peer, file, seed);
}

/// The pair, and a scripted stranger whom the peer knows too; the seed is not quick, so that the
/// stranger has its part.
fn pair_and(lab: &mut Lab, serving: Serving) {
    pair(lab);
    let acts = vec![
        Act::Handshake,
        Act::HaveAll,
        Act::Await("interested"),
        Act::Say(Message::Unchoke),
        Act::Serve(serving),
    ];
    lab.scripted("stranger", FILE, acts);
    lab.knows(PEER, FILE, OTHER);
    lab.net.set_line(SEED, LINE);
}

// ── Peers ───────────────────────────────────────────────────────────────────────────────────

#[test]
fn a_peer_that_vanishes_in_the_middle_of_a_block_is_done_without() {
    let story = Scenario {
        who: |lab| pair_and(lab, Serving::Vanishes(5_000)),
        limit: Span::from_secs(60),
        ..Scenario::new("a_peer_that_vanishes_in_the_middle_of_a_block_is_done_without")
    };
    tell(&story, |lab| {
        assert!(lab.record().count("peer", "lost", "Reset") > 0, "it did vanish");
        assert_eq!(lab.record().count("peer", "event", "PieceFailed"), 0, "nothing was spoilt");
    });
}

#[test]
fn a_peer_that_stops_in_the_middle_of_a_block_is_done_without() {
    let story = Scenario {
        who: |lab| pair_and(lab, Serving::Stops(5_000)),
        limit: Span::from_secs(120),
        ..Scenario::new("a_peer_that_stops_in_the_middle_of_a_block_is_done_without")
    };
    tell(&story, |lab| {
        assert_eq!(lab.record().count("peer", "event", "PieceFailed"), 0, "nothing was spoilt");
    });
}

#[test]
fn corrupt_data_is_fetched_again_and_its_sender_banned() {
    let story = Scenario {
        who: |lab| pair_and(lab, Serving::Corrupt),
        limit: Span::from_secs(90),
        ..Scenario::new("corrupt_data_is_fetched_again_and_its_sender_banned")
    };
    tell(&story, |lab| {
        assert!(lab.record().count("peer", "event", "PieceFailed") > 0, "its data was looked at");
        assert_eq!(lab.record().count("peer", "event", "Banned"), 1, "exactly one is to blame");
        let stranger = lab.node_named(OTHER).addr.to_string();
        assert_eq!(lab.record().count("peer", "event", &format!("addr: {stranger}")), 1);
        assert_eq!(lab.connections(PEER, OTHER), 0);
    });
}

#[test]
fn who_spoilt_a_piece_that_two_peers_gave_is_found_out() {
    // Pieces of sixteen blocks: the stranger spoils the first few and is gone; the seed, which
    // is innocent, gives the rest. The piece fails, comes again from the seed alone, and the
    // comparison convicts the stranger.
    let story = Scenario {
        who: |lab| {
            let file = lab.source("file", 256 * 1024, &[1_000_000]);
            let seed = lab.seed("seed", file);
            let peer = lab.peer("peer", file);
            let acts = vec![
                Act::Handshake,
                Act::HaveAll,
                Act::Await("interested"),
                Act::Say(Message::Unchoke),
                Act::Await("request"),
                Act::Serve(Serving::Corrupt),
                Act::Pause(Span::from_millis(1)),
                Act::Reset,
            ];
            let stranger = lab.scripted("stranger", file, acts);
            lab.knows(peer, file, stranger);
            lab.knows(peer, file, seed);
            lab.starts_at(seed, Span::from_secs(1));
        },
        limit: Span::from_secs(300),
        ..Scenario::new("who_spoilt_a_piece_that_two_peers_gave_is_found_out")
    };
    tell(&story, |lab| {
        assert!(lab.record().count("peer", "event", "PieceFailed") > 0);
        assert!(lab.record().count("peer", "reads", "Blame") >= 2, "bad blocks and good ones");
        let banned: Vec<&str> = lab.record().matching("peer", "event", "Banned").collect();
        let stranger = lab.node_named(OTHER).addr.to_string();
        assert_eq!(banned.len(), 1, "{banned:?}");
        assert!(banned[0].contains(&stranger), "{banned:?}");
    });
}

#[test]
fn a_peer_that_never_unchokes_is_done_without() {
    let story = Scenario {
        who: |lab| {
            pair(lab);
            lab.scripted("stranger", FILE, vec![Act::Handshake, Act::HaveAll]);
            lab.knows(PEER, FILE, OTHER);
        },
        limit: Span::from_secs(30),
        ..Scenario::new("a_peer_that_never_unchokes_is_done_without")
    };
    tell(&story, |lab| {
        let stranger = lab.record().matching("peer", "says", "request").count();
        assert_eq!(stranger, 62, "nothing is asked of who chokes");
    });
}

#[test]
fn a_peer_that_unchokes_and_never_sends_is_done_without() {
    let story = Scenario {
        who: |lab| pair_and(lab, Serving::Nothing),
        limit: Span::from_secs(90),
        ..Scenario::new("a_peer_that_unchokes_and_never_sends_is_done_without")
    };
    tell(&story, |_| {});
}

#[test]
fn requests_lost_to_a_choke_are_asked_again() {
    let story = Scenario {
        who: |lab| {
            let file = lab.source("file", 32 * 1024, &[500_000]);
            let peer = lab.peer("peer", file);
            let mut acts = vec![Act::Handshake, Act::HaveAll, Act::Await("interested")];
            for _ in 0..3 {
                acts.extend([
                    Act::Serve(Serving::Nothing),
                    Act::Say(Message::Unchoke),
                    Act::Await("request"),
                    Act::Pause(Span::from_secs(1)),
                    Act::Forget,
                    Act::Say(Message::Choke),
                    Act::Pause(Span::from_secs(2)),
                ]);
            }
            acts.extend([Act::Serve(Serving::Honest), Act::Say(Message::Unchoke)]);
            let fickle = lab.scripted("fickle", file, acts);
            lab.knows(peer, file, fickle);
        },
        limit: Span::from_secs(60),
        ..Scenario::new("requests_lost_to_a_choke_are_asked_again")
    };
    tell(&story, |_| {});
}

#[test]
fn a_flood_of_requests_ends_the_connection_and_nothing_else() {
    let story = Scenario {
        who: |lab| {
            pair(lab);
            let request = Message::Request(Claim { piece: 0, begin: 0, len: 16 * 1024 });
            let acts = vec![
                Act::Handshake,
                Act::Say(Message::Interested),
                Act::Await("unchoke"),
                Act::Flood(request, 5_000),
            ];
            lab.scripted("stranger", FILE, acts);
        },
        links: |lab| lab.net.set_line(SEED, LINE),
        events: |lab| lab.at(Span::from_millis(500), Action::Dial(OTHER, SEED)),
        limit: Span::from_secs(120),
        ..Scenario::new("a_flood_of_requests_ends_the_connection_and_nothing_else")
    };
    tell(&story, |lab| assert_eq!(lab.connections(SEED, OTHER), 0, "it was shown the door"));
}

#[test]
fn nonsense_of_every_kind_ends_one_connection_and_nothing_else() {
    let kinds: [&[Act]; 7] = [
        &[Act::Raw(Vec::new()), Act::Close],
        &[Act::Handshake, Act::Reset],
        &[Act::Handshake, Act::HaveAll, Act::Shut],
        &[Act::Handshake, Act::Say(Message::Have(1_000_000))],
        &[Act::Handshake, Act::Say(Message::Bitfield(Vec::new()))],
        &[Act::Handshake, Act::HaveAll, Act::Say(Message::Unchoke), Act::HaveAll],
        &[Act::Handshake, Act::Flood(Message::KeepAlive, 10_000)],
    ];
    for acts in kinds {
        over_seeds("nonsense_of_every_kind_ends_one_connection_and_nothing_else", |seed| {
            let mut lab = Lab::new(seed);
            pair(&mut lab);
            lab.net.set_line(SEED, LINE);
            let stranger = lab.scripted("stranger", FILE, acts.to_vec());
            lab.at(Span::from_secs(1), Action::Dial(stranger, PEER));
            lab.at(Span::from_secs(2), Action::Dial(stranger, SEED));
            lab.run_until(|lab| lab.has(PEER, FILE), Span::from_secs(30))?;
            lab.verify()
        });
    }
    let raw = [&[0xff; 100][..], b"GET / HTTP/1.1\r\n\r\n", &[19]];
    for bytes in raw {
        over_seeds("nonsense_of_every_kind_ends_one_connection_and_nothing_else", |seed| {
            let mut lab = Lab::new(seed);
            pair(&mut lab);
            lab.net.set_line(SEED, LINE);
            let stranger = lab.scripted("stranger", FILE, vec![Act::Raw(bytes.to_vec())]);
            lab.at(Span::from_secs(1), Action::Dial(stranger, PEER));
            lab.run_until(|lab| lab.has(PEER, FILE), Span::from_secs(30))?;
            lab.run_for(Span::from_secs(30))?;
            assert_eq!(lab.connections(PEER, stranger), 0, "{bytes:?} is no handshake");
            lab.verify()
        });
    }
}

// ── The network ─────────────────────────────────────────────────────────────────────────────

#[test]
fn a_connection_to_itself_is_dropped_and_not_tried_for_ever() {
    let story = Scenario {
        who: |lab| {
            let file = lab.source("file", 32 * 1024, &[300_000]);
            let seed = lab.seed("seed", file);
            let peer = lab.peer("peer", file);
            lab.knows(peer, file, peer);
            lab.knows(peer, file, seed);
            lab.starts_at(seed, Span::from_secs(200));
        },
        limit: Span::from_secs(1_000),
        ..Scenario::new("a_connection_to_itself_is_dropped_and_not_tried_for_ever")
    };
    tell(&story, |lab| {
        assert_eq!(lab.connections(PEER, PEER), 0);
        let own = lab.node_named(PEER).addr.to_string();
        assert_eq!(lab.record().count("peer", "dials", &own), 1);
    });
}

#[test]
fn two_who_call_each_other_keep_one_connection() {
    let story = Scenario {
        who: |lab| {
            pair(lab);
            lab.knows(SEED, FILE, PEER);
            // The seed calls nobody; two half-done peers do.
            let other = lab.peer("other", FILE);
            lab.knows(other, FILE, PEER);
            lab.knows(PEER, FILE, other);
        },
        links: |lab| lab.net.set_line(SEED, LINE),
        events: |lab| {
            // Looked at while both are busy.
            lab.at(Span::from_secs(5), Action::Heal);
        },
        over: |lab| lab.now().as_micros() >= 5_000_000,
        ..Scenario::new("two_who_call_each_other_keep_one_connection")
    };
    tell(&story, |lab| assert_eq!(lab.connections(PEER, OTHER), 1));
}

#[test]
fn a_partition_that_heals_is_forgotten() {
    for minutes in [0, 1, 10] {
        over_seeds("a_partition_that_heals_is_forgotten", |seed| {
            let mut lab = Lab::new(seed);
            pair(&mut lab);
            lab.net.set_line(SEED, LINE);
            let begin = Span::from_secs(3);
            lab.at(begin, Action::Partition(vec![SEED]));
            lab.at(begin + Span::from_secs(60 * minutes + 5), Action::Heal);
            lab.run_until(|lab| lab.has(PEER, FILE), Span::from_secs(60 * minutes + 900))?;
            lab.verify()
        });
    }
}

#[test]
fn connections_that_break_again_and_again_only_cost_time() {
    let story = Scenario {
        who: |lab| {
            pair(lab);
            let third = lab.peer("third", FILE);
            lab.knows(third, FILE, SEED);
            lab.knows(third, FILE, PEER);
        },
        links: |lab| lab.net.set_line(SEED, LINE),
        events: |lab| {
            for count in 0..6 {
                let at = Span::from_millis(700 + 1_300 * count);
                lab.at(at, Action::Break(SEED, PEER));
                lab.at(at + Span::from_millis(300), Action::Break(PEER, OTHER));
            }
        },
        limit: Span::from_secs(900),
        ..Scenario::new("connections_that_break_again_and_again_only_cost_time")
    };
    tell(&story, |_| {});
}

#[test]
fn a_stall_without_end_is_given_up() {
    // The seed's line to the peer goes dead without a word; a second seed comes later.
    let story = Scenario {
        who: |lab| {
            pair(lab);
            let second = lab.seed("second", FILE);
            lab.knows(PEER, FILE, second);
            lab.starts_at(second, Span::from_secs(60));
        },
        links: |lab| lab.net.set_line(SEED, LINE),
        events: |lab| lab.at(Span::from_secs(3), Action::Stall(SEED, PEER)),
        limit: Span::from_secs(600),
        ..Scenario::new("a_stall_without_end_is_given_up")
    };
    tell(&story, |_| {});
}

// ── Disks ───────────────────────────────────────────────────────────────────────────────────

#[test]
fn a_slow_disk_only_costs_time() {
    let story = Scenario {
        who: pair,
        events: |lab| {
            let speed = Speed { per_job: Span::from_millis(20), bytes_per_sec: Some(200_000) };
            lab.at(Span::ZERO, Action::Disk(PEER, DiskChange::Speed(speed)));
            lab.at(Span::ZERO, Action::Disk(SEED, DiskChange::Speed(speed)));
        },
        limit: Span::from_secs(60),
        ..Scenario::new("a_slow_disk_only_costs_time")
    };
    tell(&story, |_| {});
}

#[test]
fn a_full_disk_stops_a_torrent_with_its_reason_until_there_is_room() {
    over_seeds("a_full_disk_stops_a_torrent_with_its_reason_until_there_is_room", |seed| {
        let mut lab = Lab::new(seed);
        pair(&mut lab);
        lab.net.set_line(SEED, LINE);
        lab.change_disk(PEER, DiskChange::Room(Some(300_000)));
        // Another torrent of the same node, which only has to be read, and who wants it.
        let small = lab.source("small", 32 * 1024, &[100_000]);
        lab.order(PEER, small, true);
        let other = lab.peer("other", small);
        lab.knows(other, small, PEER);
        lab.starts_at(other, Span::from_secs(10));

        lab.run_for(Span::from_secs(20))?;
        assert!(!lab.has(PEER, FILE));
        assert!(lab.has(other, small), "the other torrent goes on");
        let full = DiskFault::Full.to_string();
        assert!(lab.record().count("peer", "event", &full) > 0, "it says why it stands still");
        let asked = lab.record().count("peer", "says", "request");
        lab.run_for(Span::from_secs(5))?;
        let asked_since = lab.record().count("peer", "says", "request") - asked;
        assert!(asked_since < 40, "a full disk is not written to again and again: {asked_since}");

        lab.change_disk(PEER, DiskChange::Room(None));
        lab.run_until(|lab| lab.has(PEER, FILE), Span::from_secs(600))?;
        assert!(lab.record().count("peer", "event", "DiskRecovered") > 0);
        lab.verify()
    });
}

#[test]
fn one_failing_job_anywhere_is_survived() {
    for fault in [DiskFault::Failed, DiskFault::Busy, DiskFault::Denied] {
        for job in [1, 2, 3, 10, 40, 70] {
            over_seeds("one_failing_job_anywhere_is_survived", |seed| {
                let mut lab = Lab::new(seed);
                pair(&mut lab);
                lab.change_disk(PEER, DiskChange::FailJob(job, fault));
                lab.run_until(|lab| lab.has(PEER, FILE), Span::from_secs(600))?;
                lab.verify()
            });
        }
    }
}

#[test]
fn a_seed_whose_disk_fails_comes_back() {
    let story = Scenario {
        who: pair,
        links: |lab| lab.net.set_line(SEED, LINE),
        events: |lab| {
            let broken = DiskChange::BreakDown(DiskFault::Failed);
            lab.at(Span::from_secs(3), Action::Disk(SEED, broken));
            lab.at(Span::from_secs(40), Action::Disk(SEED, DiskChange::Mend));
        },
        limit: Span::from_secs(1_200),
        ..Scenario::new("a_seed_whose_disk_fails_comes_back")
    };
    tell(&story, |lab| assert!(lab.record().count("seed", "event", "DiskTrouble") > 0));
}

#[test]
fn a_seed_with_a_rotten_bit_is_found_out_and_another_helps() {
    let story = Scenario {
        who: |lab| {
            pair(lab);
            let second = lab.seed("second", FILE);
            lab.knows(PEER, FILE, second);
            lab.change_disk(SEED, DiskChange::Flip { source: FILE, file: 0, offset: 100_000 });
            lab.excuse(SEED);
        },
        links: |lab| {
            lab.net.set_line(SEED, LINE);
            lab.net.set_line(OTHER, LINE);
        },
        limit: Span::from_secs(300),
        ..Scenario::new("a_seed_with_a_rotten_bit_is_found_out_and_another_helps")
    };
    tell(&story, |_| {});
}

#[test]
fn any_one_failing_job_of_a_download_is_survived() {
    // 31 pieces, 62 blocks: this many jobs and a few more are all there are.
    for job in 1..=110 {
        let mut lab = Lab::new(job);
        pair(&mut lab);
        lab.change_disk(PEER, DiskChange::FailJob(job, DiskFault::Failed));
        let told = lab.run_until(|lab| lab.has(PEER, FILE), Span::from_secs(600));
        told.and_then(|()| lab.verify()).unwrap_or_else(|failure| panic!("job {job}: {failure}"));
    }
}

// ── All at once ─────────────────────────────────────────────────────────────────────────────

/// One thing that goes wrong now, and is well again some seconds later.
fn misfortune(lab: &mut Lab, random: &mut Random, tracker: NodeId, peers: &[NodeId]) {
    let at = Span::from_millis(random.below(60_000) as u64);
    let after = at + Span::from_millis(500 + random.below(20_000) as u64);
    let one = peers[random.below(peers.len())];
    let two = peers[random.below(peers.len())];
    let broken = [DiskFault::Failed, DiskFault::Denied, DiskFault::Busy][random.below(3)];
    let slow = Speed { per_job: Span::from_millis(30), bytes_per_sec: Some(100_000) };
    let disk = |change| Action::Disk(one, change);
    let (begin, end) = match random.below(9) {
        0 => (Action::Crash(one, Loss::Some), Action::Start(one)),
        1 => (Action::Leave(one), Action::Start(one)),
        2 => (Action::Break(one, two), Action::Break(one, two)),
        3 => (Action::Stall(one, two), Action::Resume(one, two)),
        4 => (Action::Partition(vec![one, two]), Action::Heal),
        5 => (disk(DiskChange::BreakDown(broken)), disk(DiskChange::Mend)),
        6 => (disk(DiskChange::Room(Some(50_000))), disk(DiskChange::Room(None))),
        7 => (disk(DiskChange::Speed(slow)), disk(DiskChange::Speed(Speed::default()))),
        _ => (Action::Tracker(tracker, Mood::Down), Action::Tracker(tracker, Mood::Well)),
    };
    lab.at(at, begin);
    lab.at(after, end);
}

#[test]
fn whatever_goes_wrong_a_swarm_gets_there_in_the_end() {
    over_seeds("whatever_goes_wrong_a_swarm_gets_there_in_the_end", |seed| {
        let mut random = Random::new(seed);
        let mut lab = Lab::new(seed);
        let tracker = lab.tracker("tracker");
        let piece_bytes = 10_000 + u32::try_from(random.below(60_000)).unwrap_or_default();
        let file = lab.source("file", piece_bytes, &[300_000, 0, 7, 400_000]);
        let mut peers = vec![lab.seed("seed", file)];
        peers.extend((1..=5).map(|number| lab.peer(&format!("peer-{number}"), file)));
        for &peer in &peers {
            let up = 20_000 + random.below(200_000) as u64;
            lab.net.set_line(peer, Line { up: Some(up), down: Some(4 * up) });
            if random.below(2) == 0 {
                let other = peers[random.below(peers.len())];
                lab.knows(peer, file, other);
            }
        }
        let jitter = Span::from_millis(random.below(100) as u64);
        lab.net.set_path(Path { delay: Span::from_millis(30), jitter });
        lab.set_cut([Cut::Whole, Cut::Random(3_000), Cut::Random(40_000)][random.below(3)]);
        for _ in 0..12 {
            misfortune(&mut lab, &mut random, tracker, &peers);
        }
        // Whatever is still off at the end comes back; the rest is up to them.
        for &peer in &peers {
            lab.at(Span::from_secs(95), Action::Start(peer));
        }
        lab.run_for(Span::from_secs(100))?;
        lab.run_until(all_done, Span::from_secs(6_000))?;
        lab.verify()
    });
}
