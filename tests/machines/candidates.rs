//! The candidates: who is called, in which order, and how long nobody calls.

use std::net::SocketAddr;

use swarmlet::base::Time;
use swarmlet::base::limits::{BANS_MAX, CANDIDATES_MAX};
use swarmlet::torrent::candidates::{Candidates, Source};
use swarmlet::torrent::priority::priority;

fn addr(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// Peer number `n`, somewhere in 10.0.0.0/8.
fn peer(n: usize) -> SocketAddr {
    addr(&format!("10.0.{}.{}:6881", n / 250, n % 250 + 1))
}

fn at(secs: u64) -> Time {
    Time::from_millis(secs * 1000)
}

fn known(peers: &[(usize, Source)]) -> Candidates {
    let mut candidates = Candidates::new();
    for &(n, source) in peers {
        assert!(candidates.add(at(0), peer(n), source));
    }
    candidates.check();
    candidates
}

/// Everyone who is called at this moment.
fn called(candidates: &mut Candidates, now: Time) -> Vec<SocketAddr> {
    let called = std::iter::from_fn(|| candidates.next(now)).collect();
    candidates.check();
    called
}

#[test]
fn only_addresses_of_one_host_are_taken() {
    let table = [
        ("10.0.0.1:6881", true),
        ("127.0.0.1:1", true),
        ("[2001:db8::1]:6881", true),
        ("10.0.0.1:0", false),
        ("0.0.0.0:6881", false),
        ("255.255.255.255:6881", false),
        ("224.0.0.1:6881", false),
        ("[::]:6881", false),
        ("[ff02::1]:6881", false),
        ("[::ffff:0.0.0.0]:6881", false),
        ("[::ffff:224.0.0.1]:6881", false),
    ];
    for (text, taken) in table {
        assert_eq!(Candidates::new().add(at(0), addr(text), Source::Tracker), taken, "{text}");
    }
}

#[test]
fn one_host_has_one_name() {
    let mut candidates = Candidates::new();
    assert!(candidates.add(at(0), addr("10.0.0.1:6881"), Source::Tracker));
    assert!(!candidates.add(at(0), addr("10.0.0.1:6881"), Source::Tracker));
    assert!(!candidates.add(at(0), addr("[::ffff:10.0.0.1]:6881"), Source::Tracker));
    assert!(
        candidates.add(at(0), addr("10.0.0.1:6882"), Source::Tracker),
        "another port, another peer"
    );
    assert_eq!(candidates.len(), 2);
}

#[test]
fn by_hand_comes_first_then_trackers_then_callers_in_the_order_of_arrival() {
    use Source::{ByHand, Incoming, Tracker};
    let mut candidates =
        known(&[(9, Tracker), (8, Incoming), (7, Tracker), (6, ByHand), (5, Tracker)]);
    assert_eq!(called(&mut candidates, at(0)), [6, 9, 7, 5, 8].map(peer));
    assert_eq!(candidates.deadline(), None, "all are being dialled");
}

#[test]
fn fewest_failures_then_longest_untried() {
    let mut candidates = known(&[(1, Source::Tracker), (2, Source::Tracker), (3, Source::Tracker)]);
    called(&mut candidates, at(0));
    candidates.on_failed(at(1), peer(1));
    candidates.on_closed(at(3), peer(2), true);
    candidates.on_closed(at(2), peer(3), true);
    assert_eq!(called(&mut candidates, at(1000)), [3, 2, 1].map(peer));
}

#[test]
fn failures_make_the_wait_longer_and_three_end_it() {
    let mut candidates = known(&[(1, Source::Tracker)]);
    assert_eq!(candidates.deadline(), Some(at(0)));
    // When it fails, and when it is called again: a minute times failures and one.
    for (failed, again) in [(10, Some(130)), (130, Some(310)), (310, None)] {
        assert_eq!(candidates.next(at(failed)), Some(peer(1)));
        candidates.on_failed(at(failed), peer(1));
        candidates.check();
        assert_eq!(candidates.deadline(), again.map(at));
        if let Some(again) = again {
            let just_before = Time::from_millis(at(again).as_millis() - 1);
            assert_eq!(candidates.next(just_before), None);
        }
    }
    assert_eq!(candidates.next(at(100_000)), None);
    // The tracker names it again: somebody met it. One more try.
    assert!(!candidates.add(at(0), peer(1), Source::Tracker));
    assert_eq!(candidates.next(at(100_000)), Some(peer(1)));
    candidates.on_failed(at(100_000), peer(1));
    assert_eq!(candidates.deadline(), None);
}

#[test]
fn a_useful_connection_wipes_failures_out_and_a_useless_one_is_a_failure() {
    let mut candidates = known(&[(1, Source::Tracker)]);
    candidates.next(at(0));
    candidates.on_failed(at(0), peer(1));
    candidates.next(at(120));
    candidates.on_connected(peer(1));
    assert_eq!(candidates.deadline(), None);
    candidates.on_closed(at(200), peer(1), true);
    assert_eq!(candidates.deadline(), Some(at(260)));
    candidates.next(at(260));
    candidates.on_connected(peer(1));
    candidates.on_closed(at(261), peer(1), false);
    assert_eq!(candidates.deadline(), Some(at(261 + 120)));
}

#[test]
fn by_hand_is_called_again_soon_and_for_ever() {
    let mut candidates = known(&[(1, Source::ByHand)]);
    let mut now = 0;
    for wait in [1, 2, 5, 10, 20, 40, 60, 60, 60, 60] {
        assert_eq!(candidates.next(at(now)), Some(peer(1)));
        candidates.on_failed(at(now), peer(1));
        assert_eq!(candidates.deadline(), Some(at(now + wait)));
        now += wait;
    }
    candidates.next(at(now));
    candidates.on_connected(peer(1));
    candidates.on_closed(at(now), peer(1), true);
    assert_eq!(candidates.deadline(), Some(at(now + 1)), "as at the beginning");
    candidates.next(at(now + 1));
    candidates.on_failed(at(now + 1), peer(1));
    assert!(!candidates.add(at(now + 1), peer(1), Source::ByHand));
    assert_eq!(candidates.deadline(), Some(at(now + 1)), "the person insists");
}

#[test]
fn a_caller_is_called_back_once() {
    let mut candidates = known(&[(1, Source::Incoming)]);
    assert_eq!(called(&mut candidates, at(0)), [peer(1)]);
    candidates.on_failed(at(0), peer(1));
    assert_eq!(candidates.deadline(), None);
    // Unless somebody else names it, too.
    candidates.add(at(0), peer(1), Source::Tracker);
    assert_eq!(candidates.deadline(), Some(at(120)));
}

#[test]
fn we_never_call_ourselves_twice() {
    let mut candidates = known(&[(1, Source::ByHand), (2, Source::Tracker)]);
    assert_eq!(candidates.next(at(0)), Some(peer(1)));
    candidates.on_connected(peer(1));
    candidates.on_self(peer(1));
    candidates.on_closed(at(0), peer(1), false);
    assert!(!candidates.add(at(0), peer(1), Source::ByHand));
    assert_eq!(called(&mut candidates, at(9999)), [peer(2)]);
}

#[test]
fn a_ban_is_for_the_host_and_all_its_ports() {
    let mut candidates = Candidates::new();
    candidates.add(at(0), addr("10.0.0.1:1"), Source::Tracker);
    candidates.add(at(0), addr("10.0.0.1:2"), Source::ByHand);
    candidates.add(at(0), addr("10.0.0.2:1"), Source::Tracker);
    candidates.ban(addr("[::ffff:10.0.0.1]:7"));
    candidates.check();
    assert!(candidates.is_banned(addr("10.0.0.1:9")));
    assert!(candidates.is_banned(addr("[::ffff:10.0.0.1]:9")));
    assert!(!candidates.is_banned(addr("10.0.0.2:9")));
    assert!(!candidates.add(at(0), addr("10.0.0.1:3"), Source::ByHand));
    assert!(!candidates.add(at(0), addr("[::ffff:10.0.0.1]:3"), Source::ByHand));
    assert_eq!(called(&mut candidates, at(0)), [addr("10.0.0.2:1")]);
}

#[test]
fn on_loopback_a_ban_is_for_the_port() {
    let mut candidates = Candidates::new();
    candidates.ban(addr("127.0.0.1:7"));
    assert!(candidates.is_banned(addr("127.0.0.1:7")));
    assert!(candidates.add(at(0), addr("127.0.0.1:8"), Source::Tracker));
    assert!(!candidates.add(at(0), addr("127.0.0.1:7"), Source::ByHand));
    candidates.check();
}

#[test]
fn bans_are_bounded_and_the_oldest_is_forgotten() {
    let mut candidates = Candidates::new();
    for n in 0..=BANS_MAX {
        candidates.ban(peer(n));
        candidates.ban(peer(n));
    }
    candidates.check();
    assert!(!candidates.is_banned(peer(0)));
    assert!(candidates.is_banned(peer(1)));
    assert!(candidates.is_banned(peer(BANS_MAX)));
}

#[test]
fn a_seed_does_not_call_seeds() {
    let mut candidates = known(&[(1, Source::Tracker), (2, Source::ByHand), (3, Source::Tracker)]);
    candidates.on_seed(peer(1));
    candidates.on_seed(peer(2));
    candidates.set_complete(true);
    assert_eq!(called(&mut candidates, at(0)), [peer(3)]);
    assert_eq!(candidates.deadline(), None);
    candidates.set_complete(false);
    assert_eq!(called(&mut candidates, at(0)), [peer(2), peer(1)]);
}

#[test]
fn a_full_table_gives_way_to_the_better_only() {
    let full: Vec<(usize, Source)> = (0..CANDIDATES_MAX).map(|n| (n, Source::Tracker)).collect();
    let new = peer(5000);
    // Everyone untried: no room for one more of the same kind, but for one by hand.
    let mut candidates = known(&full);
    assert!(!candidates.add(at(0), new, Source::Incoming));
    assert!(!candidates.add(at(0), new, Source::Tracker));
    assert!(candidates.add(at(0), new, Source::ByHand));
    candidates.check();
    assert_eq!(candidates.len(), CANDIDATES_MAX);
    assert!(candidates.add(at(0), peer(0), Source::ByHand), "the first of the others had to leave");
    // Two failed; the one that failed more often leaves.
    let mut candidates = known(&full);
    for (n, failures) in [(3, 1), (4, 2)] {
        (0..failures).for_each(|_| candidates.on_failed(at(0), peer(n)));
    }
    assert!(candidates.add(at(0), new, Source::Tracker));
    candidates.on_failed(at(0), new);
    assert!(!candidates.add(at(0), peer(3), Source::Tracker), "still there");
    assert!(candidates.add(at(0), peer(4), Source::Tracker), "had left");
    candidates.check();
    // What a person named stays, however often it fails.
    let mut candidates = known(&full[1..]);
    candidates.add(at(0), peer(0), Source::ByHand);
    candidates.on_failed(at(0), peer(0));
    assert!(!candidates.add(at(0), new, Source::Tracker), "nobody left");
    // Those we talk to stay, whatever happens.
    let mut candidates = known(&full);
    called(&mut candidates, at(0));
    assert!(!candidates.add(at(0), new, Source::ByHand));
    assert_eq!(candidates.len(), CANDIDATES_MAX);
}

#[test]
fn news_of_strangers_is_ignored() {
    let mut candidates = Candidates::new();
    candidates.on_connected(peer(1));
    candidates.on_failed(at(0), peer(1));
    candidates.on_closed(at(0), peer(1), true);
    candidates.on_seed(peer(1));
    candidates.check();
    assert!(candidates.is_empty());
    assert_eq!(candidates.next(at(0)), None);
}

#[test]
fn between_equals_the_priority_with_us_decides_as_soon_as_our_address_is_known() {
    use Source::{Peers, Tracker};
    let us = addr("192.0.2.7:6881");
    let mut candidates = known(&[(1, Tracker), (2, Tracker), (300, Tracker), (4, Peers)]);
    let by_priority = {
        let mut peers = [1, 2, 300].map(peer);
        peers.sort_by_key(|&them| std::cmp::Reverse(priority(us, them)));
        peers
    };
    assert_ne!(by_priority, [1, 2, 300].map(peer), "the test needs another order than that");
    assert_eq!(candidates.priority_of(peer(1)), 0);
    // An address of the other family says nothing about these.
    candidates.set_us(addr("[2001:db8::7]:6881"));
    assert_eq!(candidates.priority_of(peer(1)), 0);
    candidates.set_us(us);
    candidates.check();
    assert_eq!(Some(candidates.priority_of(peer(1))), priority(us, peer(1)));
    // Who comes later has its number at once; hearsay stays behind what a tracker says.
    candidates.add(at(0), peer(500), Tracker);
    let mut all = [1, 2, 300, 500].map(peer);
    all.sort_by_key(|&them| std::cmp::Reverse(priority(us, them)));
    assert_eq!(called(&mut candidates, at(0)), [all.as_slice(), &[peer(4)]].concat());
}
