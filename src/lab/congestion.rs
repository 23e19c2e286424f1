//! Congestion: lost packets, and what TCP makes of them.
//!
//! Whoever uses TCP sees no packet go missing. It sees bytes that come late, everything behind
//! them late as well, and a sender that is slower for a while:
//!
//! ```text
//!   lost │ enough came behind it              │ too little came behind it, or it is lost again
//!   ─────┼────────────────────────────────────┼──────────────────────────────────────────────
//!   late │ a round trip (fast retransmit)     │ a round trip and a time-out, doubled each time
//!   then │ half the window                    │ one segment, up to half the old window at once
//!
//!   window ▲      ╱╲    ╱╲          what may be sent and not yet acknowledged: doubles every
//!          │     ╱  ╲  ╱  ╲  ╱      round trip until the first loss, then grows by a segment
//!          │  ⌡     ╲╱    ╲╱        for each, and is halved by each
//!          └──────────────────▶
//! ```
//! So a connection carries about `segment / round trip · √(1.5 / loss)`: half as much for twice
//! the delay, half as much for four times the loss (Mathis et al. 1997), and a swarm with many
//! connections hardly notices what ruins a single one.
//!
//! A net without loss has no `Congestion` at all, and nothing of this costs it anything.
//!
//! # Limits
//! One window is halved once for all losses of a round trip, as with selective acknowledgements.
//! What the network keeps back is the whole packet of the lab, up to ten milliseconds of a line;
//! what was lost uses the sender's line twice. Acknowledgements take their time but are never
//! lost. Lines have endless queues, so nothing is lost because a queue is full: loss is the same
//! for everybody, as on a bad radio link.
//!
//! # Spec
//! RFC 5681 (windows, fast retransmit), RFC 6298 (time-outs; least as in most systems).

use super::clock::Moment;
use super::pipe::{EndId, Key, Side, WINDOW_BYTES};
use crate::base::{Random, Shelf, Span};

/// Loss is counted in packets of so many.
pub const LOSS_OF: u32 = 10_000;

/// What is lost at a time: the payload of one packet on an Ethernet.
pub const SEGMENT_BYTES: usize = 1448;

/// A new connection begins with ten segments (RFC 6928).
const WINDOW_FIRST: usize = 10 * SEGMENT_BYTES;
const WINDOW_LEAST: usize = SEGMENT_BYTES;

/// So many segments must arrive behind a lost one for the sender to hear of it soon.
const BEHIND_LEAST: usize = 3;

/// A time-out is this much longer than a round trip.
const TIMEOUT: Span = Span::from_millis(200);

/// The time-out while no round trip was measured: for connects and lone questions.
const FIRST_TIMEOUT: Span = Span::from_secs(1);

/// A packet is lost so many times in a row at most; more would be a broken link.
const LOST_AGAIN_MAX: u32 = 5;

/// How much is lost, and how every pipe fares.
#[derive(Debug)]
pub(super) struct Congestion {
    /// Lost packets of `LOSS_OF`.
    loss: u32,
    random: Random,
    flows: Shelf<EndId, Flow>,
}

/// The sender of one pipe.
#[derive(Debug)]
struct Flow {
    /// How many bytes may be unacknowledged.
    window: usize,
    /// Below it the window doubles every round trip, above it grows by a segment.
    threshold: usize,
    unacked: usize,
    /// Losses until then are of the round trip in which the window was cut already.
    recovered_at: Moment,
}

/// What became of a packet that left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Fate {
    /// It arrives so much later than it would have.
    pub late: Span,
    /// So many of its bytes had to be sent again.
    pub again: usize,
}

/// A packet that leaves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leaving {
    pub len: usize,
    /// What waits to be sent behind it.
    pub behind: usize,
    pub round_trip: Span,
}

impl Congestion {
    pub fn new(loss: u32, random: Random) -> Congestion {
        Congestion { loss, random, flows: Shelf::new() }
    }

    /// How many bytes may leave now: none, or at least a segment.
    pub fn allowance(&self, pipe: EndId) -> usize {
        let Some(flow) = self.flows.get(&pipe) else { return WINDOW_FIRST };
        let allowance = flow.window.saturating_sub(flow.unacked);
        if allowance >= SEGMENT_BYTES { allowance } else { 0 }
    }

    /// A packet leaves.
    pub fn on_sent(&mut self, now: Moment, pipe: EndId, packet: Leaving) -> Fate {
        let Leaving { len, behind, round_trip } = packet;
        let segments = len.div_ceil(SEGMENT_BYTES).max(1);
        let (mut lost, mut first) = (0, None);
        for segment in 0..segments {
            if self.loses() {
                first.get_or_insert(segment);
                lost += 1;
            }
        }
        let again_lost = if lost > 0 { self.lost_in_a_row() } else { 0 };
        let flow = self.flows.get_or_insert_with(pipe, Flow::default);
        flow.unacked += len;
        let Some(first) = first else { return Fate { late: Span::ZERO, again: 0 } };

        let sendable = behind.min(flow.window.saturating_sub(flow.unacked)) / SEGMENT_BYTES;
        let is_noticed = segments - 1 - first + sendable >= BEHIND_LEAST && again_lost == 0;
        let late = match is_noticed {
            true => round_trip,
            false => doubled(round_trip + TIMEOUT, again_lost),
        };
        flow.cut(now, is_noticed);
        flow.recovered_at = flow.recovered_at.max(now.after(late + round_trip));
        Fate { late, again: (lost * SEGMENT_BYTES).min(len) }
    }

    /// The sender hears that so many bytes arrived.
    pub fn on_acked(&mut self, pipe: EndId, len: usize) {
        let Some(flow) = self.flows.get_mut(&pipe) else { return };
        flow.unacked = flow.unacked.saturating_sub(len);
        let growth = match flow.window < flow.threshold {
            true => len,
            false => (SEGMENT_BYTES * len / flow.window).max(1),
        };
        flow.window = (flow.window + growth).min(WINDOW_BYTES);
    }

    /// How late a packet is behind which nothing comes: a connect, a question, an answer.
    pub fn late_alone(&mut self) -> Span {
        match self.lost_in_a_row() {
            0 => Span::ZERO,
            lost => doubled(FIRST_TIMEOUT, lost - 1),
        }
    }

    pub fn forget(&mut self, key: Key) {
        for side in [Side::Dialler, Side::Listener] {
            self.flows.remove(&EndId { key, side });
        }
    }

    /// Whether this packet is lost.
    pub fn loses(&mut self) -> bool {
        self.random.below(LOSS_OF as usize) < self.loss as usize
    }

    fn lost_in_a_row(&mut self) -> u32 {
        let mut lost = 0;
        while lost < LOST_AGAIN_MAX && self.loses() {
            lost += 1;
        }
        lost
    }
}

impl Default for Flow {
    fn default() -> Flow {
        Flow {
            window: WINDOW_FIRST,
            threshold: WINDOW_BYTES,
            unacked: 0,
            recovered_at: Moment::START,
        }
    }
}

impl Flow {
    /// A loss came out. Once in a round trip the window pays for it.
    fn cut(&mut self, now: Moment, is_noticed: bool) {
        if now < self.recovered_at {
            return;
        }
        self.threshold = (self.unacked / 2).max(2 * SEGMENT_BYTES);
        self.window = if is_noticed { self.threshold } else { WINDOW_LEAST };
    }
}

/// The sum of a time-out and of so many more, each twice as long as the one before.
fn doubled(timeout: Span, times: u32) -> Span {
    timeout.times((1 << (times + 1)) - 1)
}
