//! The choker: who is served, for how long, and why.

use swarmlet::base::{ConnId, Random, Time};
use swarmlet::torrent::choker::{Choice, Choker, Standing, Why};

fn conn(slot: u32) -> ConnId {
    ConnId { slot, generation: 0 }
}

fn at(secs: u64) -> Time {
    Time::from_millis(secs * 1000)
}

/// Peer number `slot`: interested, gives us `rate` bytes per second, connected at second `slot`.
fn peer(slot: u32, rate: u64) -> Standing {
    Standing {
        conn: conn(slot),
        interested: true,
        rate_from_them: rate,
        rate_to_them: 1000,
        snubbing: false,
        connected_at: at(u64::from(slot)),
        is_seed: false,
    }
}

fn idle(slot: u32, rate: u64) -> Standing {
    Standing { interested: false, ..peer(slot, rate) }
}

fn snubbing(slot: u32, rate: u64) -> Standing {
    Standing { snubbing: true, ..peer(slot, rate) }
}

/// The slots that were chosen for this reason, sorted.
fn chosen(choices: &[Choice], why: Why) -> Vec<u32> {
    let mut slots: Vec<u32> =
        choices.iter().filter(|choice| choice.why == why).map(|choice| choice.conn.slot).collect();
    slots.sort_unstable();
    slots
}

fn all(choices: &[Choice]) -> Vec<u32> {
    let mut slots: Vec<u32> = choices.iter().map(|choice| choice.conn.slot).collect();
    slots.sort_unstable();
    slots
}

// ── As a leecher ────────────────────────────────────────────────────────────────────────────

/// One first round of a leecher with eight places: six by rate, two by lot.
fn first_round(peers: &[Standing]) -> (Choker, Vec<Choice>) {
    let mut choker = Choker::new(8);
    let choices = choker.round(at(100), false, peers, &mut Random::new(1));
    choker.check(peers);
    (choker, choices)
}

#[test]
fn the_six_who_give_most_are_served_and_two_more_by_lot() {
    let peers: Vec<Standing> = (1..=20).map(|slot| peer(slot, u64::from(slot) * 100)).collect();
    let (_, choices) = first_round(&peers);
    assert_eq!(chosen(&choices, Why::Fast), [15, 16, 17, 18, 19, 20]);
    let lot = chosen(&choices, Why::Optimistic);
    assert_eq!(lot.len(), 2);
    assert!(lot.iter().all(|&slot| slot < 15));
    assert_eq!(choices.len(), 8);
}

#[test]
fn who_is_served_depends_on_what_they_are() {
    // Peers; who is served because of the rate, without taking a place, for want of others.
    type Row = (Vec<Standing>, Vec<u32>, Vec<u32>, usize);
    let seed = Standing { is_seed: true, ..peer(9, 900) };
    let table: Vec<Row> = vec![
        // Nobody there, nobody interested, only seeds.
        (vec![], vec![], vec![], 0),
        (vec![idle(1, 0), idle(2, 0)], vec![], vec![], 0),
        (vec![seed], vec![], vec![], 0),
        // Two places by lot come first, the others are free places.
        (vec![peer(1, 0), peer(2, 0), peer(3, 0)], vec![], vec![], 3),
        (vec![peer(1, 50), peer(2, 0)], vec![1], vec![], 1),
        // Uninterested and fast: unchoked beside the others. Uninterested and useless: not.
        (vec![idle(1, 500), peer(2, 100), idle(3, 0)], vec![2], vec![1], 0),
        // A snubbing peer gets a place by lot only, however fast it was.
        (vec![snubbing(1, 500), peer(2, 100)], vec![2], vec![], 1),
        (vec![snubbing(1, 5), snubbing(2, 5), snubbing(3, 5)], vec![], vec![], 2),
    ];
    for (peers, fast, fast_idle, others) in table {
        let (_, choices) = first_round(&peers);
        assert_eq!(chosen(&choices, Why::Fast), fast, "{peers:?}");
        assert_eq!(chosen(&choices, Why::FastIdle), fast_idle, "{peers:?}");
        assert_eq!(choices.len(), fast.len() + fast_idle.len() + others, "{peers:?}");
    }
}

#[test]
fn an_uninterested_peer_slower_than_all_who_are_served_stays_choked() {
    let mut peers: Vec<Standing> = (1..=6).map(|slot| peer(slot, 100)).collect();
    peers.push(idle(7, 101));
    peers.push(idle(8, 99));
    let (_, choices) = first_round(&peers);
    assert_eq!(chosen(&choices, Why::Fast), [1, 2, 3, 4, 5, 6]);
    assert_eq!(chosen(&choices, Why::FastIdle), [7]);
}

#[test]
fn a_fast_peer_that_gets_interested_costs_the_slowest_its_place() {
    let mut peers: Vec<Standing> = (1..=6).map(|slot| peer(slot, 100 + u64::from(slot))).collect();
    peers.push(idle(7, 1000));
    let (mut choker, choices) = first_round(&peers);
    assert_eq!(all(&choices), [1, 2, 3, 4, 5, 6, 7]);
    peers[6].interested = true;
    peers.extend([peer(8, 0), peer(9, 0)]);
    assert_eq!(all(&choker.refill(at(101), false, &peers)), [8], "one of eight was free");
    let choices = choker.round(at(110), false, &peers, &mut Random::new(1));
    assert_eq!(chosen(&choices, Why::Fast), [2, 3, 4, 5, 6, 7]);
    assert_eq!(choices.len(), 8);
}

#[test]
fn between_equals_whoever_has_a_place_keeps_it() {
    let late: Vec<Standing> = (11..=16).map(|slot| peer(slot, 100)).collect();
    let (mut choker, choices) = first_round(&late);
    assert_eq!(chosen(&choices, Why::Fast), [11, 12, 13, 14, 15, 16]);
    let mut all = late;
    all.extend((1..=6).map(|slot| peer(slot, 100)));
    let choices = choker.round(at(110), false, &all, &mut Random::new(1));
    assert_eq!(chosen(&choices, Why::Fast), [11, 12, 13, 14, 15, 16]);
}

#[test]
fn a_free_place_stays_with_whoever_has_it() {
    let peers: Vec<Standing> = (1..=12).map(|slot| peer(slot, 0)).collect();
    let (mut choker, choices) = first_round(&peers);
    let served = all(&choices);
    assert_eq!(chosen(&choices, Why::FreePlace).len(), 6);
    let choices = choker.round(at(110), false, &peers, &mut Random::new(2));
    assert_eq!(all(&choices), served, "newcomers wait for the lot");
}

#[test]
fn optimistic_places_last_thirty_seconds_and_then_move_on() {
    let mut peers: Vec<Standing> = (1..=6).map(|slot| peer(slot, 100)).collect();
    peers.extend((11..=20).map(|slot| peer(slot, 0)));
    for seed in 0..50 {
        let mut random = Random::new(seed);
        let mut choker = Choker::new(8);
        let mut lots: Vec<Vec<u32>> = Vec::new();
        for round in 0..7 {
            let choices = choker.round(at(100 + 10 * round), false, &peers, &mut random);
            lots.push(chosen(&choices, Why::Optimistic));
        }
        assert!(lots.iter().all(|lot| lot.len() == 2));
        assert_eq!(lots[0], lots[1]);
        assert_eq!(lots[0], lots[2]);
        assert!(lots[3].iter().all(|slot| !lots[0].contains(slot)), "others first: {lots:?}");
        assert_eq!(lots[3], lots[5]);
        assert!(lots[6].iter().all(|slot| !lots[3].contains(slot)), "others first: {lots:?}");
    }
}

#[test]
fn an_optimist_that_pays_back_earns_a_place_and_frees_the_other() {
    let mut peers: Vec<Standing> = (1..=6).map(|slot| peer(slot, 100)).collect();
    peers.extend((11..=20).map(|slot| peer(slot, 0)));
    let (mut choker, choices) = first_round(&peers);
    let lot = chosen(&choices, Why::Optimistic);
    let lucky = peers.iter_mut().find(|peer| peer.conn.slot == lot[0]).expect("one of them");
    lucky.rate_from_them = 500;
    let choices = choker.round(at(110), false, &peers, &mut Random::new(2));
    assert!(chosen(&choices, Why::Fast).contains(&lot[0]));
    let now = chosen(&choices, Why::Optimistic);
    assert_eq!(now.len(), 2);
    assert!(now.contains(&lot[1]) && !now.contains(&lot[0]), "{lot:?} then {now:?}");
}

#[test]
fn newcomers_are_three_times_as_likely_to_be_drawn() {
    // Peer 1 had a place before, peer 2 is new; peers 3 to 8 earn all the other places.
    let (mut new, mut old) = (0, 0);
    for seed in 0..4000 {
        let mut choker = Choker::new(4);
        let mut random = Random::new(seed);
        let mut peers = vec![peer(1, 0)];
        choker.round(at(0), false, &peers, &mut random);
        peers[0].interested = false;
        choker.round(at(10), false, &peers, &mut random);
        peers[0].interested = true;
        peers.push(peer(2, 0));
        peers.extend((3..=5).map(|slot| peer(slot, 100)));
        let choices = choker.round(at(40), false, &peers, &mut random);
        match chosen(&choices, Why::Optimistic)[..] {
            [1] => old += 1,
            [2] => new += 1,
            ref other => panic!("{other:?}"),
        }
    }
    let ratio = f64::from(new) / f64::from(old);
    assert!((2.6..3.4).contains(&ratio), "{new} to {old}");
}

// ── As a seed ───────────────────────────────────────────────────────────────────────────────

/// Runs a seed with two places over these rounds; who was served in each.
fn seed_rounds(peers: &[Standing], rounds: u64) -> Vec<Vec<u32>> {
    let mut choker = Choker::new(2);
    let mut random = Random::new(1);
    let mut served = Vec::new();
    for round in 0..rounds {
        let choices = choker.round(at(100 + 10 * round), true, peers, &mut random);
        choker.check(peers);
        assert!(choices.iter().all(|choice| choice.why == Why::SeedTurn));
        served.push(all(&choices));
    }
    served
}

#[test]
fn a_seed_serves_each_for_a_minute_in_turn() {
    let peers: Vec<Standing> = (1..=5).map(|slot| peer(slot, 0)).collect();
    let served = seed_rounds(&peers, 31);
    let expected: [(usize, [u32; 2]); 6] =
        [(0, [1, 2]), (5, [1, 2]), (6, [3, 4]), (12, [1, 5]), (18, [2, 3]), (24, [1, 4])];
    for (round, slots) in expected {
        assert_eq!(served[round], slots, "round {round} of {served:?}");
    }
}

#[test]
fn whoever_waits_for_nobody_keeps_the_place() {
    let peers = [peer(1, 0), peer(2, 0), idle(3, 0), Standing { is_seed: true, ..peer(4, 0) }];
    assert!(seed_rounds(&peers, 30).iter().all(|slots| *slots == [1, 2]));
}

#[test]
fn only_as_many_give_way_as_somebody_waits_for() {
    let peers = [peer(1, 0), peer(2, 0), peer(3, 0)];
    let served = seed_rounds(&peers, 19);
    assert_eq!(served[5], [1, 2]);
    assert_eq!(served[6], [1, 3]);
    assert_eq!(served[7], [2, 3], "the minute of peer 1 was over, too");
    assert_eq!(served[11], [2, 3]);
    assert_eq!(served[12], [1, 2]);
    assert_eq!(served[13], [1, 3]);
}

#[test]
fn a_peer_that_takes_nothing_loses_its_turn_to_one_who_waits() {
    let stalled = Standing { rate_to_them: 0, ..peer(1, 0) };
    let served = seed_rounds(&[stalled, peer(2, 0), peer(3, 0)], 3);
    assert_eq!(served, [[1, 2], [1, 2], [2, 3]]);
    assert_eq!(seed_rounds(&[stalled, peer(2, 0)], 3), [[1, 2], [1, 2], [1, 2]]);
}

#[test]
fn a_newcomer_comes_before_those_who_had_a_turn() {
    let mut peers: Vec<Standing> = (1..=4).map(|slot| peer(slot, 0)).collect();
    let (mut choker, mut random) = (Choker::new(2), Random::new(1));
    assert_eq!(all(&choker.round(at(100), true, &peers, &mut random)), [1, 2]);
    assert_eq!(all(&choker.round(at(160), true, &peers, &mut random)), [3, 4]);
    peers.push(peer(9, 0));
    assert_eq!(all(&choker.round(at(220), true, &peers, &mut random)), [1, 9]);
}

#[test]
fn a_leecher_that_becomes_a_seed_begins_with_turns() {
    let mut peers: Vec<Standing> = (1..=12).map(|slot| peer(slot, 100)).collect();
    peers.push(idle(13, 900));
    let (mut choker, choices) = first_round(&peers);
    assert_eq!(choices.len(), 9);
    peers[12].interested = true;
    let choices = choker.round(at(110), true, &peers, &mut Random::new(1));
    assert_eq!(choices.len(), 8, "the guest beside the places counts now");
    choker.check(&peers);
}

// ── Between the rounds ──────────────────────────────────────────────────────────────────────

#[test]
fn a_free_place_is_given_at_once() {
    for seeding in [false, true] {
        let why = if seeding { Why::SeedTurn } else { Why::FreePlace };
        let mut choker = Choker::new(2);
        let mut peers = vec![peer(1, 0)];
        let refill = choker.refill(at(5), seeding, &peers);
        assert_eq!(refill, [Choice { conn: conn(1), why }]);
        assert_eq!(choker.refill(at(5), seeding, &peers), [], "it has one");
        peers.extend([peer(2, 0), peer(3, 0)]);
        assert_eq!(all(&choker.refill(at(6), seeding, &peers)), [2], "no place is left");
        assert_eq!(choker.why(conn(2)), Some(why));
        assert_eq!(choker.why(conn(3)), None);
        // One leaves, one loses interest.
        peers.remove(0);
        assert_eq!(all(&choker.refill(at(7), seeding, &peers)), [3]);
        peers.push(peer(4, 0));
        peers[0].interested = false;
        assert_eq!(all(&choker.refill(at(8), seeding, &peers)), [4]);
    }
}

#[test]
fn a_snubbing_peer_gets_no_free_place_but_from_a_seed() {
    assert_eq!(Choker::new(8).refill(at(1), false, &[snubbing(1, 9)]), []);
    assert_eq!(all(&Choker::new(8).refill(at(1), true, &[snubbing(1, 9)])), [1]);
}

#[test]
fn nobody_interested_means_no_deadline() {
    let mut choker = Choker::new(8);
    assert_eq!(choker.deadline(), None);
    let mut peers = vec![idle(1, 0)];
    choker.refill(at(500), false, &peers);
    assert_eq!(choker.deadline(), None);
    peers[0].interested = true;
    choker.refill(at(501), false, &peers);
    assert_eq!(choker.deadline(), Some(at(511)));
    choker.refill(at(505), false, &peers);
    assert_eq!(choker.deadline(), Some(at(511)), "a refill does not put the round off");
    choker.round(at(511), false, &peers, &mut Random::new(1));
    assert_eq!(choker.deadline(), Some(at(521)));
    peers[0].interested = false;
    assert_eq!(choker.round(at(521), false, &peers, &mut Random::new(1)), []);
    assert_eq!(choker.deadline(), None);
}
