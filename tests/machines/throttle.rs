//! Throttle: limits hold over seconds, for the node and for each torrent, and nothing is saved up.

use swarmlet::base::{Span, Time, TorrentId};
use swarmlet::engine::{Throttle, Way};

const ONE: Option<TorrentId> = Some(TorrentId(1));
const OTHER: Option<TorrentId> = Some(TorrentId(2));

/// Moves as much as is allowed for so long, looking every few milliseconds, at most `most` bytes
/// at a time. Returns how many bytes it was.
fn moved(throttle: &mut Throttle, now: &mut Time, secs: u64, most: usize) -> u64 {
    let end = *now + Span::from_secs(secs);
    let mut sum = 0;
    while *now < end {
        let bytes = throttle.allowance(*now, Way::Up, ONE).min(most);
        throttle.moved(Way::Up, ONE, bytes);
        sum += bytes as u64;
        *now += Span::from_millis(7);
    }
    sum
}

#[test]
fn without_a_limit_anything_may_move() {
    let mut throttle = Throttle::default();
    assert_eq!(throttle.allowance(Time::START, Way::Up, ONE), usize::MAX);
    throttle.moved(Way::Up, ONE, 1 << 30);
    assert_eq!(throttle.allowance(Time::START, Way::Up, None), usize::MAX);
    assert_eq!(throttle.limit_of(Way::Up, ONE), None);
}

#[test]
fn a_limit_holds_within_five_per_cent_over_ten_seconds() {
    for rate in [1_000, 7_777, 20_000, 1 << 20, 300_000_000] {
        for whose in [None, ONE] {
            let (mut throttle, mut now) = (Throttle::default(), Time::START);
            throttle.limit(now, Way::Up, whose, Some(rate));
            assert_eq!(throttle.limit_of(Way::Up, whose), Some(rate));
            let sum = moved(&mut throttle, &mut now, 10, usize::MAX);
            assert!(sum.abs_diff(10 * rate) <= rate / 2, "{rate} of {whose:?}: {sum}");
        }
    }
}

#[test]
fn the_smaller_of_two_limits_counts_and_other_torrents_have_their_own() {
    let (mut throttle, mut now) = (Throttle::default(), Time::START);
    throttle.limit(now, Way::Up, None, Some(50_000));
    throttle.limit(now, Way::Up, ONE, Some(10_000));
    let sum = moved(&mut throttle, &mut now, 10, usize::MAX);
    assert!(sum.abs_diff(100_000) <= 5_000, "{sum}");
    assert_eq!(throttle.allowance(now, Way::Down, ONE), usize::MAX, "the other way");
    assert!(throttle.allowance(now, Way::Up, OTHER) >= 5_000, "the node's limit has room");
    throttle.limit(now, Way::Up, ONE, Some(1 << 40));
    let sum = moved(&mut throttle, &mut now, 10, usize::MAX);
    assert!(sum.abs_diff(500_000) <= 25_000, "{sum}");
}

#[test]
fn a_pause_is_not_followed_by_a_flood_nor_a_message_by_a_gift() {
    let (mut throttle, mut now) = (Throttle::default(), Time::START);
    throttle.limit(now, Way::Up, None, Some(100_000));
    now += Span::from_secs(3600);
    assert_eq!(throttle.allowance(now, Way::Up, ONE), 30_000, "three tenths of a second");
    // What was too much is paid back.
    throttle.moved(Way::Up, ONE, 130_000);
    assert_eq!(throttle.allowance(now + Span::from_millis(900), Way::Up, ONE), 0);
    assert_eq!(throttle.allowance(now + Span::from_millis(1100), Way::Up, ONE), 10_000);
}

#[test]
fn the_same_limit_again_changes_nothing_and_zero_stops_everything() {
    let (mut throttle, mut now) = (Throttle::default(), Time::START);
    throttle.limit(now, Way::Up, ONE, Some(100_000));
    now += Span::from_millis(100);
    throttle.limit(now, Way::Up, ONE, Some(100_000));
    assert_eq!(throttle.allowance(now, Way::Up, ONE), 10_000);
    throttle.limit(now, Way::Up, ONE, Some(0));
    assert_eq!(moved(&mut throttle, &mut now, 60, usize::MAX), 0);
    throttle.forget(TorrentId(1));
    assert_eq!(throttle.allowance(now, Way::Up, ONE), usize::MAX);
}

#[test]
fn the_usual_limit_is_for_when_nothing_else_is_set() {
    let mut throttle = Throttle::default();
    throttle.set_usual(Way::Up, Some(50_000));
    assert_eq!(throttle.limit_of(Way::Up, None), Some(50_000));
    throttle.limit(Time::START, Way::Up, None, Some(10_000));
    assert_eq!(throttle.limit_of(Way::Up, None), Some(10_000));
    throttle.limit(Time::START, Way::Up, None, None);
    assert_eq!(throttle.limit_of(Way::Up, None), Some(50_000));
    assert_eq!(throttle.limit_of(Way::Up, ONE), None, "not for each torrent");
}
