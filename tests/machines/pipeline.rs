//! Pipeline: grows with what arrives, notices silence, takes back what it must.

use swarmlet::base::limits::{
    BLOCK_BYTES, REQUEST_TIMEOUT, REQUESTS_IN_FLIGHT_MAX, REQUESTS_IN_FLIGHT_MIN, SNUB_AFTER,
};
use swarmlet::base::{Block, Span, Time};
use swarmlet::format::layout::Layout;
use swarmlet::peer::Pipeline;
use swarmlet::peer::pipeline::Arrival;

const SECOND: Span = Span::from_secs(1);

fn layout() -> Layout {
    Layout::single(4 * BLOCK_BYTES, "file", 1 << 30).expect("a valid layout")
}

fn block(number: u32) -> Block {
    let layout = layout();
    let piece = layout.piece(number / 4).expect("within the torrent");
    layout.block_at(piece, number % 4)
}

/// Asks for as much as there is room for, from block `next` on.
fn fill(pipeline: &mut Pipeline, now: Time, next: &mut u32) {
    while pipeline.room() > 0 {
        pipeline.on_asked(now, block(*next));
        *next += 1;
    }
    pipeline.check();
}

#[test]
fn the_depth_doubles_every_round_trip_until_the_rate_stops_growing() {
    let mut pipeline = Pipeline::new();
    let (mut next, mut answered) = (0, 0);
    let mut depths = Vec::new();
    for round in 0..4 {
        fill(&mut pipeline, Time::START + SECOND.times(round), &mut next);
        depths.push(pipeline.len());
        while answered < next {
            pipeline.on_block(Time::START + SECOND.times(round), block(answered));
            answered += 1;
        }
    }
    let least = REQUESTS_IN_FLIGHT_MIN as usize;
    assert_eq!(depths, [least, 2 * least, 4 * least, 8 * least]);

    // The line carries 1 MiB/s and no more: three seconds' worth are 192 blocks.
    let now = Time::START + SECOND.times(5);
    fill(&mut pipeline, now, &mut next);
    pipeline.on_progress(now, block(answered));
    assert!(!pipeline.on_second(now, 1 << 20));
    assert!(!pipeline.on_second(now + SECOND, 1 << 20), "no growth: the slow start ends");
    assert_eq!(pipeline.depth(), 192);
    pipeline.on_second(now + SECOND, u64::from(u32::MAX));
    assert_eq!(pipeline.depth(), REQUESTS_IN_FLIGHT_MAX);
    pipeline.on_second(now + SECOND, 10);
    assert_eq!(pipeline.depth(), REQUESTS_IN_FLIGHT_MIN);
}

#[test]
fn a_silent_peer_is_said_to_snub_once_and_is_left_one_request() {
    let mut pipeline = Pipeline::new();
    let mut next = 0;
    fill(&mut pipeline, Time::START, &mut next);
    let almost = Time::START + (SNUB_AFTER - Span::from_millis(1));
    assert!(!pipeline.on_second(almost, 0));
    assert!(pipeline.on_second(Time::START + SNUB_AFTER, 0), "it begins now");
    assert!(!pipeline.on_second(Time::START + SNUB_AFTER + SECOND, 0), "it is no news any more");
    assert!(pipeline.is_snubbing());
    let taken = pipeline.take_back_all();
    assert_eq!(taken.len(), REQUESTS_IN_FLIGHT_MIN as usize);
    assert_eq!(pipeline.room(), 1);
    assert_eq!(pipeline.judge(block(0)), Arrival::Late, "still welcome, should it come");
    pipeline.on_block(Time::START + SNUB_AFTER + SECOND, block(0));
    assert!(!pipeline.is_snubbing(), "it woke up");
}

#[test]
fn requests_expire_only_when_nothing_at_all_comes() {
    let mut pipeline = Pipeline::new();
    pipeline.on_asked(Time::START, block(0));
    pipeline.on_asked(Time::START, block(1));
    let late = Time::START + REQUEST_TIMEOUT;
    pipeline.on_progress(Time::START + (REQUEST_TIMEOUT - SECOND), block(0));
    assert_eq!(pipeline.take_back_expired(late), [], "slow is not dead");
    let later = Time::START + (REQUEST_TIMEOUT - SECOND) + SNUB_AFTER;
    assert_eq!(pipeline.take_back_expired(later), [block(0), block(1)]);
    assert!(pipeline.is_empty());
}

#[test]
fn arrivals_are_told_apart() {
    let mut pipeline = Pipeline::new();
    pipeline.on_asked(Time::START, block(3));
    assert_eq!(pipeline.judge(block(3)), Arrival::Asked);
    assert_eq!(pipeline.judge(block(4)), Arrival::Unasked);
    assert!(pipeline.take_back(block(3)));
    assert!(!pipeline.take_back(block(3)));
    assert_eq!(pipeline.judge(block(3)), Arrival::Late);
    pipeline.on_block(Time::START, block(3));
    assert_eq!(pipeline.judge(block(3)), Arrival::Unasked, "late only once");
}

#[test]
fn a_byte_now_and_then_is_no_service() {
    let mut pipeline = Pipeline::new();
    pipeline.on_asked(Time::START, block(0));
    let mut now = Time::START;
    while now.since(Time::START) < REQUEST_TIMEOUT {
        pipeline.on_progress(now, block(0));
        assert!(!pipeline.on_second(now, 1), "{now:?}");
        now += SECOND;
    }
    assert!(pipeline.on_second(now, 1), "a block must be whole some time");
    assert_eq!(pipeline.take_back_all(), [block(0)]);
    // Nor is the next one, although it snubs already.
    pipeline.on_asked(now, block(1));
    pipeline.on_progress(now, block(1));
    assert!(pipeline.is_snubbing(), "not before a block is whole");
    assert!(pipeline.on_second(now + REQUEST_TIMEOUT, 1));
    pipeline.take_back_all();
    assert!(!pipeline.is_busy());
}
