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

/// A line: so long from a request to its block when nothing else is under way, and so long for
/// each block. Answers in order, as a peer does. Returns the depth after so many blocks.
fn after_blocks(pipeline: &mut Pipeline, line: (Span, Span), blocks: u32) -> u32 {
    let (trip, each) = line;
    let (mut now, mut next) = (Time::START, 0);
    let mut free_at = Time::START;
    let mut arrivals = std::collections::VecDeque::new();
    for answered in 0..blocks {
        while pipeline.room() > 0 {
            pipeline.on_asked(now, block(next));
            next += 1;
            free_at = free_at.max(now + trip) + each;
            arrivals.push_back(free_at);
        }
        pipeline.check();
        now = arrivals.pop_front().expect("something is always under way");
        pipeline.on_block(now, block(answered));
    }
    pipeline.depth()
}

#[test]
fn the_depth_doubles_every_round_trip_while_blocks_come_at_once() {
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
}

#[test]
fn the_depth_covers_the_round_trip_and_lets_little_stand_in_the_queue() {
    let millis = Span::from_millis;
    // (round trip, time for each block) → what the line holds, and that with the queue on top.
    let table = [
        // 160 KiB/s and near: the queue alone, a quarter to half a second of five blocks each.
        ((millis(10), millis(100)), (1, 8)),
        // 1.6 MiB/s across the ocean: twenty blocks are on the way at any time.
        ((millis(200), millis(10)), (20, 75)),
        // 16 MiB/s across the ocean.
        ((millis(200), millis(1)), (200, REQUESTS_IN_FLIGHT_MAX)),
        // 16 KiB/s: one arrives, one waits.
        ((millis(10), millis(1000)), (1, 3)),
    ];
    for (line, (least, most)) in table {
        let depth = after_blocks(&mut Pipeline::new(), line, 4000);
        assert!((least..=most).contains(&depth), "{line:?}: {depth}");
    }
    let at_once = (Span::ZERO, Span::ZERO);
    assert_eq!(after_blocks(&mut Pipeline::new(), at_once, 4000), REQUESTS_IN_FLIGHT_MAX);
}

#[test]
fn a_long_pipeline_is_filled_an_eighth_at_a_time_and_a_short_one_at_once() {
    let mut pipeline = Pipeline::new();
    let mut next = 0;
    fill(&mut pipeline, Time::START, &mut next);
    assert!(!pipeline.is_worth_filling());
    pipeline.on_block(Time::START, block(0));
    assert!(pipeline.is_worth_filling());

    let mut pipeline = Pipeline::new();
    let depth = after_blocks(&mut pipeline, (Span::from_millis(1), Span::ZERO), 92);
    let eighth = depth as usize / 8;
    assert!(eighth > 8);
    // Comes so late that the depth stays as it is.
    let later = Time::START + Span::from_millis(300);
    for number in 92.. {
        assert_eq!(pipeline.is_worth_filling(), pipeline.room() >= eighth);
        if pipeline.room() == eighth + 2 {
            break;
        }
        pipeline.on_block(later, block(number));
    }
    assert_eq!(pipeline.depth(), depth);
}

#[test]
fn when_the_line_gets_slower_so_does_the_pipeline() {
    let mut pipeline = Pipeline::new();
    let fast = (Span::from_millis(10), Span::from_millis(2));
    let before = after_blocks(&mut pipeline, fast, 2000);
    pipeline.take_back_all();
    let slow = (Span::from_millis(10), Span::from_millis(200));
    let after = after_blocks(&mut pipeline, slow, 300);
    assert!(before > 100 && after <= 4, "{before}, then {after}");
}

#[test]
fn a_silent_peer_is_said_to_snub_once_and_is_left_one_request() {
    let mut pipeline = Pipeline::new();
    let mut next = 0;
    fill(&mut pipeline, Time::START, &mut next);
    let almost = Time::START + (SNUB_AFTER - Span::from_millis(1));
    assert!(!pipeline.on_second(almost));
    assert!(pipeline.on_second(Time::START + SNUB_AFTER), "it begins now");
    assert!(!pipeline.on_second(Time::START + SNUB_AFTER + SECOND), "it is no news any more");
    assert!(pipeline.is_snubbing());
    let taken = pipeline.take_back_all();
    assert_eq!(taken.len(), REQUESTS_IN_FLIGHT_MIN as usize);
    assert_eq!(pipeline.room(), 1);
    assert_eq!(pipeline.judge(block(0)), Arrival::Late, "still welcome, should it come");
    pipeline.on_block(Time::START + SNUB_AFTER + SECOND, block(0));
    assert!(!pipeline.is_snubbing(), "it woke up");
}

#[test]
fn a_block_is_held_up_if_it_comes_much_later_or_should_have_come() {
    let at = |millis| Time::START + Span::from_millis(millis);
    let held_up = |pipeline: &Pipeline, millis| pipeline.held_up(at(millis)).collect::<Vec<_>>();
    let mut pipeline = Pipeline::new();
    pipeline.on_asked(at(0), block(0));
    pipeline.on_asked(at(0), block(1));
    assert_eq!(held_up(&pipeline, 250), [], "nobody knows yet how long a block takes");
    assert_eq!(held_up(&pipeline, 251), [block(0), block(1)]);
    // Takes 600 ms: block 1 is due now, block 2 at 1200.
    pipeline.on_block(at(600), block(0));
    pipeline.on_asked(at(600), block(2));
    let table: [(u64, &[Block]); 6] = [
        (600, &[block(2)]),
        (850, &[block(2)]),
        (851, &[block(1), block(2)]),
        (950, &[block(1)]),
        (1450, &[block(1)]),
        (1451, &[block(1), block(2)]),
    ];
    for (millis, expected) in table {
        assert_eq!(held_up(&pipeline, millis), expected, "after {millis} ms");
    }
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
        assert!(!pipeline.on_second(now), "{now:?}");
        now += SECOND;
    }
    assert!(pipeline.on_second(now), "a block must be whole some time");
    assert_eq!(pipeline.take_back_all(), [block(0)]);
    // Nor is the next one, although it snubs already.
    pipeline.on_asked(now, block(1));
    pipeline.on_progress(now, block(1));
    assert!(pipeline.is_snubbing(), "not before a block is whole");
    assert!(pipeline.on_second(now + REQUEST_TIMEOUT));
    pipeline.take_back_all();
    assert!(!pipeline.is_busy());
}
