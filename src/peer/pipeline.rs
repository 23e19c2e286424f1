//! Pipeline: the blocks we asked one peer for and have not got yet.
//!
//! A request takes a round trip to bear fruit. Whoever asks for one block at a time gets one
//! block per round trip: 16 KiB every 100 ms is 160 KiB/s, however fast the line. So many requests
//! are kept under way; how many is the pipeline's *depth*. Too many do no good either: they stand
//! in a queue at the other end, while rarer pieces appear that nobody asks for, and while others
//! could bring them.
//!
//! How long a block took says which of the two it is. The quickest answer so far is about what
//! the line needs; what a block took beyond that, its request stood in the queue:
//!
//! ```text
//!  time from request to block
//!    │ stood too long:   −1 for every block
//!    ├──────────────────────────────  quickest + REQUEST_QUEUE_TIME
//!    │ just right:        as it is
//!    ├──────────────────────────────  quickest + REQUEST_QUEUE_TIME / 2
//!    │ the line is not full: +1 for every block that arrives, doubles every round trip
//!    ├──────────────────────────────  quickest
//! ```
//!
//! # Invariants
//! A block stands at most once among the requests. `depth` lies within `depth_min` and
//! `REQUESTS_IN_FLIGHT_MAX`, except for a snubbing peer, where it is 1.
//!
//! # Why
//! A fixed depth is either too small for a fast line or, on a slow one, holds blocks hostage that
//! others could bring: btpd stops at 10 and crawls on long lines. libtorrent takes "three seconds
//! of the present rate", and grows while the rate does. We did so, too; but a rate that is
//! averaged over seconds still rises long after the line is full, and in a swarm of sixty in the
//! lab, peers stood with five seconds' worth of requests at the seed's door and asked it for
//! nothing new: the last was done after 1.79 times the lower bound, now after 1.40.
//!
//! # Spec
//! BEP 3, "peer protocol": "… should keep several unfulfilled requests on each connection".

use crate::base::order;
use std::collections::VecDeque;

use crate::base::limits::{
    ENDGAME_PATIENCE, REQUEST_QUEUE_TIME, REQUEST_TIMEOUT, REQUESTS_IN_FLIGHT_MAX,
    REQUESTS_IN_FLIGHT_MIN, REQUESTS_TOGETHER_FROM, SNUB_AFTER,
};
use crate::base::{Block, Span, Time};

/// Blocks that we took back and that may be on their way all the same.
const LATE_MAX: usize = REQUESTS_IN_FLIGHT_MAX as usize;

/// Requests under way to one peer.
#[derive(Debug)]
pub struct Pipeline {
    requests: VecDeque<Request>,
    /// Taken back (they choked us, or we cancelled), most recent last.
    late: VecDeque<Block>,
    depth: u32,
    /// How many they keep for us at most, as they say (BEP 10, `reqq`).
    depth_max: u32,
    /// How many requests are worth their while in any case.
    depth_min: u32,
    /// The shortest time from a request to the end of its block.
    quickest: Option<Span>,
    /// What the latest block took, from its request to its last byte; none came yet: no time.
    took: Span,
    /// When bytes of a block last arrived, or the first request went out after a pause.
    last_progress: Time,
    /// The block that is arriving, and since when: a byte now and then is no service.
    arriving: Option<(Block, Time)>,
    snubbing: bool,
}

#[derive(Clone, Copy, Debug)]
struct Request {
    block: Block,
    since: Time,
}

/// What the pipeline thinks of a block that begins to arrive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// We asked for it.
    Asked,
    /// We had asked, and took it back; no fault of theirs.
    Late,
    /// We never asked for it.
    Unasked,
}

impl Pipeline {
    pub fn new() -> Pipeline {
        Pipeline {
            requests: VecDeque::new(),
            late: VecDeque::new(),
            depth: REQUESTS_IN_FLIGHT_MIN,
            depth_min: REQUESTS_IN_FLIGHT_MIN,
            depth_max: REQUESTS_IN_FLIGHT_MAX,
            quickest: None,
            took: Span::ZERO,
            last_progress: Time::START,
            arriving: None,
            snubbing: false,
        }
    }

    /// How many more blocks may be asked for now.
    pub fn room(&self) -> usize {
        (self.depth.min(self.depth_max) as usize).saturating_sub(self.requests.len())
    }

    /// Whether there is room for so much that asking is worth a packet: an eighth of a pipeline of
    /// `REQUESTS_TOGETHER_FROM`, whose line has enough to do with the rest; one request of a
    /// shorter one.
    pub fn is_worth_filling(&self) -> bool {
        let most = self.depth.min(self.depth_max);
        let worth = if most < REQUESTS_TOGETHER_FROM { 1 } else { most as usize / 8 };
        self.room() >= worth
    }

    /// They keep so many requests for us, at most: one more would be lost, or end it.
    pub fn keep_within(&mut self, requests_max: u32) {
        self.depth_max = requests_max.clamp(1, REQUESTS_IN_FLIGHT_MAX);
    }

    /// Asks for so many blocks at once, however quick they come: neighbours become one request.
    pub fn keep_above(&mut self, requests_min: u32) {
        self.depth_min = requests_min.min(REQUESTS_IN_FLIGHT_MAX);
        self.depth = self.depth.max(self.depth_min);
    }

    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    pub fn len(&self) -> usize {
        self.requests.len()
    }

    pub fn depth(&self) -> u32 {
        self.depth
    }

    /// Whether the peer keeps us waiting although it said it would serve us.
    pub fn is_snubbing(&self) -> bool {
        self.snubbing
    }

    pub fn has(&self, block: Block) -> bool {
        self.requests.iter().any(|request| request.block == block)
    }

    /// The blocks under way, oldest first.
    pub fn blocks(&self) -> impl Iterator<Item = Block> + '_ {
        self.requests.iter().map(|request| request.block)
    }

    /// The blocks under way that do not come soon, as it looks: if they take as long as the latest
    /// one did, they come later than `ENDGAME_PATIENCE` from now, or had to be here that long ago.
    pub fn held_up(&self, now: Time) -> impl Iterator<Item = Block> + '_ {
        let comes_soon = move |request: &&Request| {
            let due = request.since + self.took;
            due.since(now) <= ENDGAME_PATIENCE && now.since(due) <= ENDGAME_PATIENCE
        };
        self.requests.iter().filter(move |request| !comes_soon(request)).map(|held| held.block)
    }

    /// Notes that `block` was asked for now.
    pub fn on_asked(&mut self, now: Time, block: Block) {
        debug_assert!(!self.has(block), "{block:?} asked twice of one peer");
        if self.requests.is_empty() {
            self.last_progress = now;
        }
        self.requests.push_back(Request { block, since: now });
    }

    /// Judges a block whose first bytes arrive. Does not change anything: the block is still
    /// under way until `on_block`.
    pub fn judge(&self, block: Block) -> Arrival {
        if self.has(block) {
            Arrival::Asked
        } else if self.late.contains(&block) {
            Arrival::Late
        } else {
            Arrival::Unasked
        }
    }

    /// Whether blocks are under way, or one is arriving.
    pub fn is_busy(&self) -> bool {
        !self.requests.is_empty() || self.arriving.is_some()
    }

    /// Notes that some bytes of `block` came that we could use.
    pub fn on_progress(&mut self, now: Time, block: Block) {
        self.last_progress = now;
        if self.arriving.is_none_or(|(arriving, _)| arriving != block) {
            self.arriving = Some((block, now));
        }
    }

    /// Notes that the last byte of `block` came.
    pub fn on_block(&mut self, now: Time, block: Block) {
        self.last_progress = now;
        self.arriving = None;
        self.snubbing = false;
        // Almost always the oldest: peers answer in order.
        if let Some(place) = self.requests.iter().position(|request| request.block == block)
            && let Some(request) = self.requests.remove(place)
        {
            self.took = now.since(request.since);
            self.size(self.took);
        }
        self.forget_late(block);
    }

    /// A block that we had taken back came all the same: that was it.
    pub fn forget_late(&mut self, block: Block) {
        self.late.retain(|&late| late != block);
    }

    /// Takes one request back. Returns whether it was under way.
    pub fn take_back(&mut self, block: Block) -> bool {
        self.arriving.take_if(|(arriving, _)| *arriving == block);
        let place = self.requests.iter().position(|request| request.block == block);
        if let Some(place) = place {
            self.requests.remove(place);
            self.remember_late(block);
        }
        place.is_some()
    }

    /// They will not send this block (BEP 6). Returns whether we were still waiting for it.
    pub fn on_reject(&mut self, block: Block) -> bool {
        // If we took it back and asked again, this is the answer to the first request.
        if let Some(place) = self.late.iter().position(|&late| late == block) {
            self.late.remove(place);
            return false;
        }
        let place = self.requests.iter().position(|request| request.block == block);
        if let Some(place) = place {
            self.requests.remove(place);
            self.arriving.take_if(|(arriving, _)| *arriving == block);
            // Who rejects does not want this much asked.
            self.depth = (self.depth / 2).max(self.depth_min);
        }
        place.is_some()
    }

    /// Takes everything back: they choked us, and what was under way is lost (BEP 3 has no word
    /// for "I shall not send this"). Returns the blocks.
    pub fn take_back_all(&mut self) -> Vec<Block> {
        self.arriving = None;
        let blocks: Vec<Block> = self.requests.drain(..).map(|request| request.block).collect();
        blocks.iter().for_each(|&block| self.remember_late(block));
        blocks
    }

    /// Takes back what is older than `REQUEST_TIMEOUT`. Returns the blocks.
    pub fn take_back_expired(&mut self, now: Time) -> Vec<Block> {
        let mut expired = Vec::new();
        while let Some(oldest) = self.requests.front()
            && now.since(oldest.since) >= REQUEST_TIMEOUT
            && now.since(self.last_progress) >= SNUB_AFTER
        {
            let block = oldest.block;
            self.requests.pop_front();
            self.remember_late(block);
            expired.push(block);
        }
        expired
    }

    /// The once-a-second look: are they still there?
    ///
    /// Returns whether its blocks should be offered to others: it has just begun to snub us, or the
    /// block that is arriving has not come in `REQUEST_TIMEOUT` (it *dribbles*, which is the same
    /// with more patience).
    pub fn on_second(&mut self, now: Time) -> bool {
        let silent = now.since(self.last_progress) >= SNUB_AFTER;
        let dribbles = self.arriving.is_some_and(|(_, at)| now.since(at) >= REQUEST_TIMEOUT);
        let begins = dribbles || (silent && !self.requests.is_empty() && !self.snubbing);
        if begins {
            self.snubbing = true;
        }
        if self.snubbing {
            // One request stays out as a question: is anybody there?
            self.depth = 1;
        }
        begins
    }

    pub fn check(&self) {
        assert!(self.depth <= REQUESTS_IN_FLIGHT_MAX);
        assert!(self.late.len() <= LATE_MAX);
        let mut blocks: Vec<Block> = self.blocks().collect();
        order::sort(&mut blocks);
        assert!(blocks.windows(2).all(|pair| pair[0] != pair[1]), "a block is asked twice");
    }

    /// A block came so long after it was asked for: are that too many requests, or too few?
    fn size(&mut self, took: Span) {
        let quickest = self.quickest.map_or(took, |quickest| quickest.min(took));
        self.quickest = Some(quickest);
        let queued = took - quickest;
        if queued.times(2) < REQUEST_QUEUE_TIME {
            self.depth += 1;
        } else if queued > REQUEST_QUEUE_TIME {
            self.depth -= 1;
        }
        self.depth = self.depth.clamp(self.depth_min, REQUESTS_IN_FLIGHT_MAX);
    }

    fn remember_late(&mut self, block: Block) {
        if self.late.len() == LATE_MAX {
            self.late.pop_front();
        }
        self.late.push_back(block);
    }
}

impl Default for Pipeline {
    fn default() -> Self {
        Pipeline::new()
    }
}
