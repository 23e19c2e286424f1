//! The announcer: which tracker is told what, and when.

use swarmlet::base::limits::{ANNOUNCE_TIMEOUT, FAREWELL_TIMEOUT, NUMWANT};
use swarmlet::base::{Random, Span, Time};
use swarmlet::format::announce::{Event, Refusal, Reply};
use swarmlet::torrent::announcer::{Announcer, Order};

use Event::{Completed, Regular, Started, Stopped};

fn at(secs: u64) -> Time {
    Time::from_millis(secs * 1000)
}

/// An announcer over these tiers; a URL is its own name.
fn over(tiers: &[&[&str]]) -> Announcer {
    let tiers: Vec<Vec<String>> =
        tiers.iter().map(|tier| tier.iter().map(|&url| url.to_owned()).collect()).collect();
    Announcer::new(&tiers, &mut Random::new(1))
}

fn every(secs: u64) -> Reply {
    Reply { interval_secs: Some(secs), ..Reply::default() }
}

fn gone() -> Refusal {
    Refusal::Unreachable("connection refused".to_owned())
}

fn refused(retry_secs: Option<u64>, never: bool) -> Refusal {
    Refusal::Failure { reason: "no".to_owned(), retry_secs, never }
}

/// What is ordered at this moment, as (tracker, event); one order at most.
fn ordered(announcer: &mut Announcer, now: u64) -> Option<(usize, Event)> {
    let order = announcer.due(at(now), false);
    announcer.check();
    assert_eq!(announcer.due(at(now), false), None, "one at a time");
    order.map(|order| (order.tracker, order.event))
}

/// One announce that must be due now, and is accepted.
fn accepted(announcer: &mut Announcer, now: u64, reply: &Reply) -> (usize, Event) {
    let order = ordered(announcer, now).expect("something is due");
    announcer.on_reply(at(now), order.0, reply);
    announcer.check();
    order
}

/// One announce that must be due now, and fails.
fn failed(announcer: &mut Announcer, now: u64, refusal: &Refusal) -> ((usize, Event), Span) {
    let order = ordered(announcer, now).expect("something is due");
    let wait = announcer.on_failure(at(now), order.0, refusal);
    announcer.check();
    (order, wait)
}

// ── One tracker ─────────────────────────────────────────────────────────────────────────────

#[test]
fn started_comes_first_and_then_regular_announces_at_the_interval() {
    let mut announcer = over(&[&["a"]]);
    let order = announcer.due(at(0), false);
    let expected = Order {
        tracker: 0,
        url: "a".to_owned(),
        event: Started,
        numwant: NUMWANT,
        timeout: ANNOUNCE_TIMEOUT,
        tracker_id: None,
        wants_have: false,
    };
    assert_eq!(order, Some(expected));
    assert_eq!(announcer.deadline(false), None, "an answer is awaited");
    announcer.on_reply(at(1), 0, &every(1800));
    assert_eq!(announcer.deadline(false), Some(at(1801)));
    assert_eq!(ordered(&mut announcer, 1800), None);
    assert_eq!(accepted(&mut announcer, 1801, &every(600)), (0, Regular));
    assert_eq!(accepted(&mut announcer, 2401, &every(600)), (0, Regular));
}

#[test]
fn intervals_are_kept_within_bounds() {
    // Interval and minimum as the tracker says; seconds until a regular and a hungry announce.
    let table = [
        (None, None, 1800, 300),
        (Some(1800), None, 1800, 300),
        (Some(0), None, 300, 300),
        (Some(1), Some(1), 300, 60),
        (Some(600), Some(120), 600, 120),
        (Some(600), Some(900), 900, 900),
        (Some(u64::MAX), None, 86_400, 300),
        (Some(600), Some(u64::MAX), 86_400, 86_400),
    ];
    for (interval_secs, min_interval_secs, regular, hungry) in table {
        let mut announcer = over(&[&["a"]]);
        let reply = Reply { interval_secs, min_interval_secs, ..Reply::default() };
        accepted(&mut announcer, 1000, &reply);
        let row = (interval_secs, min_interval_secs);
        assert_eq!(announcer.deadline(false), Some(at(1000 + regular)), "{row:?}");
        assert_eq!(announcer.deadline(true), Some(at(1000 + hungry)), "{row:?}");
        assert_eq!(announcer.due(at(999 + hungry), true), None, "{row:?}");
        let order = announcer.due(at(1000 + hungry), true);
        assert_eq!(order.map(|order| order.event), Some(Regular), "{row:?}");
    }
}

#[test]
fn failures_make_the_waits_longer_up_to_an_hour() {
    let mut announcer = over(&[&["a"]]);
    let mut now = Time::START;
    let expected = [17_500, 55_000, 117_500, 205_000, 317_500, 455_000];
    for (failure, millis) in expected.into_iter().enumerate() {
        let order = announcer.due(now, false).expect("due");
        assert_eq!(order.event, Started, "until it went through");
        let wait = announcer.on_failure(now, 0, &gone());
        assert_eq!(wait, Span::from_millis(millis), "failure {failure}");
        now += wait;
        assert_eq!(announcer.deadline(false), Some(now));
        assert_eq!(announcer.deadline(true), Some(now), "hunger is no excuse");
    }
    for _ in 0..50 {
        announcer.due(now, false).expect("due");
        now += announcer.on_failure(now, 0, &gone());
    }
    announcer.due(now, false).expect("due");
    assert_eq!(announcer.on_failure(now, 0, &gone()), Span::from_secs(3600));
    // One success, and all is forgotten.
    now += Span::from_secs(3600);
    announcer.due(now, false).expect("due");
    announcer.on_reply(now, 0, &every(1800));
    now += Span::from_secs(1800);
    announcer.due(now, false).expect("due");
    assert_eq!(announcer.on_failure(now, 0, &gone()), Span::from_millis(17_500));
}

#[test]
fn a_tracker_may_say_when_to_come_back_or_never() {
    // What it says; seconds until it is asked again.
    let table = [
        (refused(None, false), Some(Span::from_millis(17_500))),
        (refused(Some(600), false), Some(Span::from_secs(600))),
        (refused(Some(0), false), Some(Span::from_secs(60))),
        (refused(Some(u64::MAX), false), Some(Span::from_secs(86_400))),
        (refused(None, true), None),
        (refused(Some(600), true), None),
    ];
    for (refusal, expected) in table {
        let mut announcer = over(&[&["a"]]);
        let (_, wait) = failed(&mut announcer, 0, &refusal);
        assert_eq!(wait, expected.unwrap_or(Span::ZERO), "{refusal:?}");
        assert_eq!(announcer.deadline(true), expected.map(|wait| Time::START + wait));
        announcer.stop();
        assert!(announcer.is_done_stopping());
    }
}

#[test]
fn a_tracker_id_is_given_back_and_a_warning_remembered() {
    let mut announcer = over(&[&["a"]]);
    let reply = Reply {
        tracker_id: Some(b"you".to_vec()),
        warning: Some("slow down".to_owned()),
        ..every(300)
    };
    accepted(&mut announcer, 0, &reply);
    assert_eq!(announcer.warning(0), Some("slow down"));
    let order = announcer.due(at(300), false).expect("due");
    assert_eq!(order.tracker_id, Some(b"you".to_vec()));
    // An answer without one leaves the old one in force (BEP 3); a monstrous one, too.
    announcer.on_reply(at(300), 0, &Reply { tracker_id: Some(vec![b'x'; 257]), ..every(300) });
    assert_eq!(announcer.warning(0), None);
    let order = announcer.due(at(600), false).expect("due");
    assert_eq!(order.tracker_id, Some(b"you".to_vec()));
}

#[test]
fn without_trackers_there_is_nothing_to_do() {
    for tiers in [&[][..], &[&[][..]][..]] {
        let mut announcer = over(tiers);
        assert_eq!(announcer.deadline(true), None);
        assert_eq!(announcer.due(at(0), true), None);
        announcer.on_complete(at(1));
        assert_eq!(announcer.deadline(true), None);
        announcer.stop();
        assert!(announcer.is_done_stopping());
    }
}

// ── Completion ──────────────────────────────────────────────────────────────────────────────

#[test]
fn completed_is_told_once_at_once_and_whatever_the_minimum_interval() {
    let mut announcer = over(&[&["a"]]);
    let slow = Reply { min_interval_secs: Some(900), ..every(1800) };
    accepted(&mut announcer, 0, &slow);
    announcer.on_complete(at(10));
    announcer.on_complete(at(10));
    assert_eq!(announcer.deadline(false), Some(at(10)));
    assert_eq!(accepted(&mut announcer, 10, &slow), (0, Completed));
    announcer.on_complete(at(11));
    assert_eq!(announcer.deadline(false), Some(at(1810)));
    assert_eq!(accepted(&mut announcer, 1810, &slow), (0, Regular));
}

#[test]
fn completed_waits_until_started_went_through() {
    let mut announcer = over(&[&["a"]]);
    // While `started` is under way, and while the tracker fails.
    assert_eq!(ordered(&mut announcer, 0), Some((0, Started)));
    announcer.on_complete(at(1));
    assert_eq!(announcer.deadline(false), None);
    announcer.on_failure(at(2), 0, &gone());
    assert_eq!(ordered(&mut announcer, 10), None);
    assert_eq!(accepted(&mut announcer, 20, &every(1800)), (0, Started));
    assert_eq!(failed(&mut announcer, 20, &gone()).0, (0, Completed));
    assert_eq!(ordered(&mut announcer, 37), None, "a failure is a failure");
    assert_eq!(accepted(&mut announcer, 38, &every(1800)), (0, Completed));
    assert_eq!(accepted(&mut announcer, 1838, &every(1800)), (0, Regular));
}

// ── Tiers ───────────────────────────────────────────────────────────────────────────────────

#[test]
fn a_tier_is_tried_to_its_end_before_the_next() {
    let mut announcer = over(&[&["a"], &["b"], &["c"]]);
    assert_eq!(failed(&mut announcer, 0, &gone()).0, (0, Started));
    assert_eq!(failed(&mut announcer, 0, &gone()).0, (1, Started));
    assert_eq!(accepted(&mut announcer, 0, &every(600)), (2, Started));
    // The next announce begins with the first again.
    assert_eq!(announcer.deadline(false), Some(at(600)));
    assert_eq!(failed(&mut announcer, 600, &gone()).0, (0, Started));
    assert_eq!(accepted(&mut announcer, 600, &every(600)), (1, Started));
    assert_eq!(announcer.deadline(false), Some(at(1200)));
}

#[test]
fn even_slow_failures_do_not_keep_the_later_tiers_from_their_turn() {
    // Each takes thirty seconds to fail, longer than the first wait.
    let mut announcer = over(&[&["a"], &["b"], &["c"]]);
    for (tracker, now) in [(0, 0), (1, 30), (2, 60)] {
        assert_eq!(ordered(&mut announcer, now), Some((tracker, Started)));
        announcer.on_failure(at(now + 30), tracker, &gone());
    }
    // The wait of the first is over by now.
    assert_eq!(announcer.deadline(false), Some(Time::from_millis(47_500)));
    assert_eq!(ordered(&mut announcer, 90), Some((0, Started)));
}

#[test]
fn when_all_failed_the_first_whose_wait_is_over_is_asked_again() {
    let mut announcer = over(&[&["a"], &["b"]]);
    assert_eq!(failed(&mut announcer, 0, &refused(Some(500), false)).0, (0, Started));
    assert_eq!(failed(&mut announcer, 0, &refused(Some(100), false)).0, (1, Started));
    assert_eq!(announcer.deadline(false), Some(at(100)));
    assert_eq!(accepted(&mut announcer, 100, &every(300)), (1, Started));
    assert_eq!(accepted(&mut announcer, 400, &every(300)), (1, Regular), "a rests until 500");
    assert_eq!(accepted(&mut announcer, 700, &every(300)), (0, Started));
}

#[test]
fn each_tier_is_shuffled_and_the_tiers_keep_their_order() {
    let tiers: [&[&str]; 2] = [&["a", "b", "c"], &["d", "e"]];
    let tiers: Vec<Vec<String>> =
        tiers.iter().map(|tier| tier.iter().map(|&url| url.to_owned()).collect()).collect();
    let mut orders: Vec<Vec<usize>> = (0..100)
        .map(|seed| {
            let mut announcer = Announcer::new(&tiers, &mut Random::new(seed));
            (0..5).map(|_| failed(&mut announcer, 0, &gone()).0.0).collect()
        })
        .collect();
    orders.sort();
    orders.dedup();
    assert_eq!(orders.len(), 6 * 2, "every order of three and of two");
    assert!(orders.iter().all(|order| order[..3].iter().all(|&tracker| tracker < 3)));
}

#[test]
fn whoever_answers_moves_to_the_front_of_its_tier() {
    let mut announcer = over(&[&["a", "b", "c"]]);
    let (first, _) = failed(&mut announcer, 0, &gone());
    let (second, _) = failed(&mut announcer, 0, &gone());
    let third = accepted(&mut announcer, 0, &every(300));
    assert_eq!(accepted(&mut announcer, 300, &every(300)), (third.0, Regular));
    // Third, first, second: the others keep their order.
    assert_eq!(failed(&mut announcer, 600, &gone()).0, (third.0, Regular));
    assert_eq!(failed(&mut announcer, 600, &gone()).0, first);
    assert_eq!(accepted(&mut announcer, 600, &every(300)), second);
    assert_eq!(ordered(&mut announcer, 900), Some((second.0, Regular)));
}

#[test]
fn a_url_named_twice_is_asked_once() {
    let mut announcer = over(&[&["a"], &["a"], &["b"]]);
    assert_eq!(failed(&mut announcer, 0, &gone()).0, (0, Started));
    assert_eq!(failed(&mut announcer, 0, &gone()).0, (2, Started));
    assert_eq!(ordered(&mut announcer, 0), None);
    assert_eq!(announcer.url(1), "a", "the numbers are those of the file");
}

#[test]
fn completed_goes_to_the_tracker_that_knows_us() {
    let mut announcer = over(&[&["a"], &["b"]]);
    failed(&mut announcer, 0, &gone());
    assert_eq!(accepted(&mut announcer, 0, &every(1800)), (1, Started));
    announcer.on_complete(at(5));
    assert_eq!(accepted(&mut announcer, 5, &every(1800)), (1, Completed));
    // The first one comes back: it never knew us, and completion is old news.
    assert_eq!(accepted(&mut announcer, 1805, &every(1800)), (0, Started));
    assert_eq!(accepted(&mut announcer, 3605, &every(1800)), (0, Regular));
}

#[test]
fn completed_does_not_go_to_a_tracker_that_fails() {
    let mut announcer = over(&[&["a"], &["b"]]);
    assert_eq!(accepted(&mut announcer, 0, &every(300)), (0, Started));
    assert_eq!(failed(&mut announcer, 300, &gone()).0, (0, Regular));
    assert_eq!(accepted(&mut announcer, 300, &every(300)), (1, Started));
    announcer.on_complete(at(305));
    assert_eq!(accepted(&mut announcer, 305, &every(300)), (1, Completed));
}

#[test]
fn hunger_asks_a_resting_tracker_as_soon_as_it_may() {
    let mut announcer = over(&[&["a"], &["b"]]);
    failed(&mut announcer, 0, &refused(Some(100), false));
    assert_eq!(accepted(&mut announcer, 0, &every(1800)), (1, Started));
    assert_eq!(announcer.deadline(true), Some(at(100)));
    let order = announcer.due(at(100), true).expect("due");
    assert_eq!((order.tracker, order.event), (0, Started));
    announcer.on_reply(at(100), 0, &every(1800));
    assert_eq!(announcer.deadline(true), Some(at(300)), "b, whose minimum is over first");
}

// ── Farewell ────────────────────────────────────────────────────────────────────────────────

#[test]
fn good_bye_is_said_once_to_those_who_know_us() {
    let mut announcer = over(&[&["a"], &["b"], &["c"]]);
    failed(&mut announcer, 0, &gone());
    assert_eq!(accepted(&mut announcer, 0, &every(600)), (1, Started));
    assert_eq!(accepted(&mut announcer, 600, &every(600)), (0, Started));
    assert!(!announcer.is_done_stopping(), "nobody asked for it");
    announcer.stop();
    assert!(!announcer.is_done_stopping());
    let mut farewells = Vec::new();
    while let Some(order) = announcer.due(at(601), false) {
        assert_eq!((order.event, order.numwant), (Stopped, 0));
        assert_eq!(order.timeout, FAREWELL_TIMEOUT);
        farewells.push(order.tracker);
    }
    announcer.check();
    assert_eq!(farewells, [0, 1], "both at the same time");
    assert_eq!(announcer.deadline(true), None);
    announcer.on_reply(at(602), 0, &every(600));
    assert!(!announcer.is_done_stopping());
    announcer.on_failure(at(603), 1, &gone());
    assert!(announcer.is_done_stopping(), "a failure is an end, too");
    assert_eq!(announcer.deadline(true), None);
    assert_eq!(announcer.due(at(99_999), true), None);
}

#[test]
fn good_bye_waits_for_the_answer_that_is_under_way() {
    // Whether `started`, under way as we leave, goes through; what follows.
    for (goes_through, expected) in [(true, Some((0, Stopped))), (false, None)] {
        let mut announcer = over(&[&["a"]]);
        assert_eq!(ordered(&mut announcer, 0), Some((0, Started)));
        announcer.stop();
        assert_eq!(ordered(&mut announcer, 1), None);
        assert!(!announcer.is_done_stopping());
        if goes_through {
            announcer.on_reply(at(2), 0, &every(600));
        } else {
            announcer.on_failure(at(2), 0, &gone());
        }
        assert_eq!(announcer.is_done_stopping(), expected.is_none());
        assert_eq!(ordered(&mut announcer, 2), expected);
    }
}

#[test]
fn who_leaves_right_after_the_last_piece_says_completed_and_then_good_bye() {
    for completed_goes_through in [true, false] {
        let mut announcer = over(&[&["a"]]);
        accepted(&mut announcer, 0, &every(600));
        announcer.on_complete(at(10));
        announcer.stop();
        assert_eq!(ordered(&mut announcer, 10), Some((0, Completed)));
        if completed_goes_through {
            announcer.on_reply(at(11), 0, &every(600));
        } else {
            announcer.on_failure(at(11), 0, &gone());
        }
        assert!(!announcer.is_done_stopping());
        assert_eq!(ordered(&mut announcer, 11), Some((0, Stopped)));
        announcer.on_reply(at(12), 0, &every(600));
        assert!(announcer.is_done_stopping());
    }
}

#[test]
fn of_two_who_know_us_one_is_told_that_we_are_complete() {
    let mut announcer = over(&[&["a"], &["b"]]);
    failed(&mut announcer, 0, &gone());
    assert_eq!(accepted(&mut announcer, 0, &every(300)), (1, Started));
    assert_eq!(accepted(&mut announcer, 300, &every(300)), (0, Started));
    announcer.on_complete(at(305));
    announcer.stop();
    let mut next = || announcer.due(at(305), false).map(|order| (order.tracker, order.event));
    assert_eq!([next(), next(), next()], [Some((0, Completed)), Some((1, Stopped)), None]);
    announcer.on_reply(at(306), 0, &every(300));
    assert_eq!(ordered(&mut announcer, 306), Some((0, Stopped)));
}

#[test]
fn nobody_who_never_accepted_us_is_told_good_bye() {
    let mut announcer = over(&[&["a"], &["b"]]);
    failed(&mut announcer, 0, &gone());
    failed(&mut announcer, 0, &refused(None, true));
    announcer.stop();
    assert_eq!(announcer.deadline(true), None);
    assert!(announcer.is_done_stopping());
}

// ── What a person wants ─────────────────────────────────────────────────────────────────────

#[test]
fn a_person_may_have_the_tracker_asked_now_but_not_all_the_time() {
    let mut announcer = over(&[&["a"]]);
    accepted(&mut announcer, 0, &every(1800));
    announcer.hurry(at(5));
    assert_eq!(ordered(&mut announcer, 9), None, "ten seconds lie between");
    assert_eq!(accepted(&mut announcer, 10, &every(1800)), (0, Regular));
    announcer.hurry(at(500));
    assert_eq!(ordered(&mut announcer, 500), Some((0, Regular)));
    // While an answer is awaited, nothing more is asked.
    announcer.hurry(at(501));
    assert_eq!(ordered(&mut announcer, 501), None);
}

#[test]
fn who_comes_back_after_a_farewell_says_started_again() {
    let mut announcer = over(&[&["a"]]);
    accepted(&mut announcer, 0, &every(1800));
    announcer.stop();
    assert_eq!(accepted(&mut announcer, 10, &every(1800)), (0, Stopped));
    assert!(announcer.is_done_stopping());
    announcer.begin_again(at(20));
    assert_eq!(accepted(&mut announcer, 20, &every(1800)), (0, Started));
    assert_eq!(announcer.deadline(false), Some(at(1820)));
}

#[test]
fn who_comes_back_while_the_farewell_is_under_way_waits_for_its_answer() {
    for goes_through in [true, false] {
        let mut announcer = over(&[&["a"]]);
        accepted(&mut announcer, 0, &every(1800));
        announcer.stop();
        assert_eq!(ordered(&mut announcer, 10), Some((0, Stopped)));
        announcer.begin_again(at(11));
        assert_eq!(ordered(&mut announcer, 11), None, "one at a time");
        if goes_through {
            announcer.on_reply(at(12), 0, &every(1800));
        } else {
            announcer.on_failure(at(12), 0, &gone());
        }
        assert_eq!(accepted(&mut announcer, 12, &every(1800)), (0, Started), "{goes_through}");
    }
}

#[test]
fn trackers_that_stay_in_the_list_keep_what_is_known_of_them() {
    let mut announcer = over(&[&["a"], &["b"]]);
    accepted(&mut announcer, 0, &every(1800));
    let tiers = |tiers: &[&[&str]]| -> Vec<Vec<String>> {
        tiers.iter().map(|tier| tier.iter().map(|&url| url.to_owned()).collect()).collect()
    };
    let urls = |announcer: &Announcer| -> Vec<(usize, String)> {
        announcer.report().into_iter().map(|report| (report.tier, report.url)).collect()
    };
    // Those who are gone are asked no more; the new one is a stranger, and asked first.
    announcer.set_tiers(at(5), &tiers(&[&["c"], &["a"]]));
    announcer.check();
    assert_eq!(urls(&announcer), [(0, "c".to_owned()), (1, "a".to_owned())]);
    assert_eq!(accepted(&mut announcer, 5, &every(300)), (2, Started));
    // The old one still knows us, and is told good-bye; as is nobody who is gone.
    announcer.set_tiers(at(6), &tiers(&[&["a"]]));
    announcer.check();
    announcer.stop();
    assert_eq!(accepted(&mut announcer, 10, &every(300)), (0, Stopped));
    assert!(announcer.is_done_stopping());
    // An answer of somebody who is gone meanwhile harms nothing.
    let mut announcer = over(&[&["a"]]);
    assert_eq!(ordered(&mut announcer, 0), Some((0, Started)));
    announcer.set_tiers(at(1), &tiers(&[&["b", "b"]]));
    announcer.check();
    announcer.on_reply(at(2), 0, &every(300));
    announcer.check();
    assert_eq!(urls(&announcer).len(), 2);
}
