//! Rate: an average that follows what moves, and fades when nothing does.

use swarmlet::base::rate::Rate;
use swarmlet::base::{Span, Time};

const TENTH: Span = Span::from_millis(100);

/// The rate as of now, after so many tenths of a second with so many bytes in each.
fn after(rate: &mut Rate, now: &mut Time, tenths: u32, bytes: u64) -> u64 {
    for _ in 0..tenths {
        *now += TENTH;
        rate.add(*now, bytes);
    }
    rate.get(*now)
}

#[test]
fn a_steady_stream_is_approached_and_then_kept() {
    let (mut rate, mut now) = (Rate::new(Time::START), Time::START);
    let soon = after(&mut rate, &mut now, 50, 10_000);
    assert!((60_000..70_000).contains(&soon), "two thirds after five seconds: {soon}");
    let settled = after(&mut rate, &mut now, 600, 10_000);
    assert!((99_000..=100_000).contains(&settled), "{settled}");
}

#[test]
fn what_stops_fades_to_nothing() {
    let (mut rate, mut now) = (Rate::new(Time::START), Time::START);
    after(&mut rate, &mut now, 600, 10_000);
    let third = after(&mut rate, &mut now, 50, 0);
    assert!((30_000..40_000).contains(&third), "a third after five seconds: {third}");
    assert_eq!(rate.get(now + Span::from_secs(600)), 0);
    assert_eq!(Rate::new(now).get(now), 0);
}

#[test]
fn it_matters_little_how_often_it_is_asked() {
    let (mut often, mut seldom) = (Rate::new(Time::START), Rate::new(Time::START));
    let mut now = Time::START;
    for _ in 0..300 {
        now += TENTH;
        often.add(now, 5_000);
        often.get(now);
        seldom.add(now, 5_000);
    }
    assert_eq!(often.get(now), seldom.get(now));
}
