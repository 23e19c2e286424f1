//! Link: a stream of bytes, cut anywhere, into frames; words and blocks into bytes.
//!
//! TCP delivers bytes, not messages: one `recv` may bring half a message or twenty. The reading
//! half asks for a known number of bytes at each step and waits until they are there:
//!
//! ```text
//!  Handshake ─68─▶ Length ─4─▶ Id ─1─┬─▶ Body ─len−1─────────────▶ a message ─┐
//!                    ▲   ▲           ├─▶ BlockHead ─8─▶ Payload ─▶ its parts ─┤
//!                    │   └─ zero:    └─▶ Skipped ─len−1─▶ `Unknown` ──────────┤
//!                    │      a keep-alive                                      │
//!                    └────────────────────────────────────────────────────────┘
//! ```
//! Most steps find their bytes in the input and copy nothing. Where the input ends in the middle
//! of a step, the beginning is kept as leftovers, which grow as bytes come and never by what a
//! length claims. `Payload` and `Skipped` keep nothing: what came is passed on, or dropped.
//!
//! The sending half keeps words and blocks apart, because their order is not that of `send`:
//!
//! ```text
//!  1. the rest of a block that has begun   a message cannot be interrupted
//!  2. words                                small, and somebody waits for each
//!  3. blocks that have not begun           16 KiB each, in the order of their requests
//! ```
//!
//! # Interface
//! Reading: `feed` until it returns `None`, then wait for more bytes. `expect_pieces` right after
//! the handshake. After a violation the stream has lost its meaning: never feed again.
//! Sending: `send…`, then `segments`, and `sent` with what left, before anything else is queued
//! or cancelled.
//!
//! # Invariants
//! leftovers < what the step needs · words leave only between blocks: a begun block ⇒ no begun
//! words · nothing queued ⇒ no memory held for sending.
//!
//! Where both handshakes said Fast, every block that is taken back is answered with a reject; the
//! link does that by itself, for it alone knows what has not left (BEP 6).
//!
//! # Limits
//! Leftovers: 68 bytes, or one control message (a bitfield of `BITFIELD_BYTES_MAX` at most).
//! Blocks in the queue: bounded by who fills it, with `REQUESTS_QUEUED_MAX`. Words:
//! `WORDS_QUEUED_BYTES_MAX`, see `is_overfull`.
//!
//! # Why
//! With strict order, a `request` of ours would wait behind all blocks that they asked of us:
//! 500 of them at 100 kB/s are 80 seconds in which we download nothing, and a `have` would come
//! as late. BEP 3 orders no two messages except that the bitfield is first and that a `choke`
//! takes back what is queued; so the owner calls `drop_blocks` before it sends one.
//!
//! # Spec
//! BEP 3, "peer protocol" and "peer messages"; BEP 6, "reject request".

use std::collections::VecDeque;
use std::ops::Range;

use super::handshake::{self, FAST, HANDSHAKE_BYTES, Handshake};
use super::message::{self, Message, PIECE_HEAD_BYTES, Violation};
use crate::base::limits::WORDS_QUEUED_BYTES_MAX;
use crate::base::{Block, Claim};

/// What the other side said, as far as it has arrived.
#[derive(PartialEq, Eq, Debug)]
pub enum Frame<'i> {
    Handshake(Handshake),
    Message(Message),
    /// A part of a `piece` message: bytes `from .. from + bytes.len()` of the block; at least
    /// one. The parts of a block come in order, without gaps, and nothing comes between them.
    Payload {
        block: Claim,
        from: u32,
        bytes: &'i [u8],
    },
}

/// One stretch of what may leave next.
#[derive(PartialEq, Eq, Debug)]
pub enum Segment<'l> {
    /// Control messages, or what is left of them.
    Bytes(&'l [u8]),
    /// What is left of the head of a `piece` message, and the range of the block (counted from
    /// the block's begin) still to be sent. The driver reads that payload and sends both.
    Block { head: &'l [u8], block: Block, rest: Range<u32> },
}

/// Both directions of one connection; owned by whoever owns the bytes.
#[derive(Debug, Default)]
pub struct Link {
    /// What the next bytes are.
    step: Step,
    leftovers: Leftovers,
    /// How many pieces the torrent has, once that is known.
    piece_count: Option<u32>,
    /// Whether their handshake, and ours, said that every request gets an answer.
    they_speak_fast: bool,
    we_speak_fast: bool,
    outgoing: Outgoing,
}

/// Where in the stream the reader stands. See the drawing on top.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Step {
    #[default]
    Handshake,
    Length,
    Id {
        len: u32,
    },
    Body {
        id: u8,
        payload_len: u32,
    },
    BlockHead {
        payload_len: u32,
    },
    Payload {
        block: Claim,
        from: u32,
    },
    Skipped {
        id: u8,
        rest: u32,
    },
}

impl Link {
    pub fn new() -> Link {
        Link::default()
    }

    /// Says how many pieces the torrent has: from now on a bitfield must have exactly that size.
    pub fn expect_pieces(&mut self, piece_count: u32) {
        self.piece_count = Some(piece_count);
    }

    /// Takes the next frame out of `input`, moving its front along. `None`: all was consumed.
    ///
    /// Violation: `NotBitTorrent` with the first wrong byte of a handshake; `BadLength` and
    /// `TooLong` five bytes into a message.
    pub fn feed<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Frame<'i>>, Violation> {
        loop {
            match self.step {
                Step::Handshake => return self.read_handshake(input),
                Step::Length => {
                    let Some(len) = self.read_numbers::<1, 4>(input) else { return Ok(None) };
                    if len == [0] {
                        return Ok(Some(Frame::Message(Message::KeepAlive)));
                    }
                    self.step = Step::Id { len: len[0] };
                }
                Step::Id { len } => {
                    let Some((&id, rest)) = input.split_first() else { return Ok(None) };
                    *input = rest;
                    self.step = self.step_after_id(id, len)?;
                }
                Step::Body { id, payload_len } => return self.read_body(input, id, payload_len),
                Step::BlockHead { payload_len } => {
                    let Some(place) = self.read_numbers::<2, 8>(input) else { return Ok(None) };
                    let block = Claim { piece: place[0], begin: place[1], len: payload_len };
                    self.step = Step::Payload { block, from: 0 };
                }
                Step::Payload { block, from } => return Ok(self.read_payload(input, block, from)),
                Step::Skipped { id, rest } => return Ok(self.step_over(input, id, rest)),
            }
        }
    }

    pub fn send_handshake(&mut self, handshake: &Handshake) {
        self.we_speak_fast = handshake.has(FAST);
        handshake.write(&mut self.outgoing.words);
    }

    /// Queues a message; it leaves before every block that has not begun.
    pub fn send(&mut self, message: &Message) {
        message.write(&mut self.outgoing.words);
    }

    /// Queues a block as the answer to a request.
    pub fn send_block(&mut self, block: Block) {
        let head = message::piece_head(block.claim());
        self.outgoing.blocks.push_back(QueuedBlock { head, block });
    }

    /// Takes a queued block back (the last, if it is queued twice), unless its first byte has
    /// left. Returns whether it did.
    pub fn cancel(&mut self, block: Block) -> bool {
        let is_back = self.outgoing.cancel(block);
        if is_back && self.rejects() {
            self.send(&Message::Reject(block.claim()));
        }
        is_back
    }

    /// Takes back every queued block whose first byte has not left.
    pub fn drop_blocks(&mut self) {
        let rejected: Vec<Block> = if self.rejects() { self.queued().collect() } else { vec![] };
        self.outgoing.blocks.truncate(self.outgoing.begun_blocks());
        self.outgoing.release_if_idle();
        rejected.iter().for_each(|block| self.send(&Message::Reject(block.claim())));
    }

    fn rejects(&self) -> bool {
        self.we_speak_fast && self.they_speak_fast
    }

    /// What may leave next, in order, without end until the queue is empty.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        self.outgoing.segments()
    }

    /// Says that the first `bytes` of `segments` left. Returns how many of them were payload.
    ///
    /// Panics if there were fewer: then the driver sent something that nobody queued.
    pub fn sent(&mut self, bytes: usize) -> u64 {
        self.outgoing.sent(bytes)
    }

    /// How many queued blocks are wholly or partly still to be sent.
    pub fn waiting(&self) -> usize {
        self.outgoing.blocks.len()
    }

    /// The queued blocks that can still be taken back, in order.
    pub fn queued(&self) -> impl Iterator<Item = Block> + '_ {
        self.outgoing.blocks.iter().skip(self.outgoing.begun_blocks()).map(|queued| queued.block)
    }

    /// Whether the first byte of a block has left, and its last has not.
    pub fn has_begun_block(&self) -> bool {
        self.outgoing.begun_blocks() > 0
    }

    /// Whether nothing is queued.
    pub fn is_idle(&self) -> bool {
        self.outgoing.words.is_empty() && self.outgoing.blocks.is_empty()
    }

    /// Whether more words wait than a peer that reads could have left standing: close it.
    pub fn is_overfull(&self) -> bool {
        self.outgoing.words.len() - self.outgoing.words_sent > WORDS_QUEUED_BYTES_MAX
    }

    /// How much memory the connection holds for bytes that came and words and blocks to send.
    pub fn memory_bytes(&self) -> usize {
        self.leftovers.bytes.capacity()
            + self.outgoing.words.capacity()
            + self.outgoing.blocks.capacity() * size_of::<QueuedBlock>()
    }

    /// Asserts what the header promises.
    pub fn check(&self) {
        assert!(
            self.leftovers.bytes.len() < self.step.needs().max(1),
            "{} leftovers in {:?}",
            self.leftovers.bytes.len(),
            self.step
        );
        self.outgoing.check();
    }

    fn read_handshake<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Frame<'i>>, Violation> {
        let Some(bytes) = self.leftovers.gather(input, HANDSHAKE_BYTES) else {
            let so_far_good = handshake::begins_well(&self.leftovers.bytes);
            return if so_far_good { Ok(None) } else { Err(Violation::NotBitTorrent) };
        };
        let bytes = bytes.try_into().expect("gathered exactly that many");
        let handshake = Handshake::parse(bytes)?;
        self.they_speak_fast = handshake.has(FAST);
        self.leftovers.clear();
        self.step = Step::Length;
        Ok(Some(Frame::Handshake(handshake)))
    }

    /// The next `N` numbers, in `BYTES` = 4 `N` bytes; `None` until they are there.
    fn read_numbers<const N: usize, const BYTES: usize>(
        &mut self,
        input: &mut &[u8],
    ) -> Option<[u32; N]> {
        let bytes = self.leftovers.gather(input, BYTES)?;
        let numbers = message::numbers(bytes).expect("gathered exactly that many");
        self.leftovers.clear();
        Some(numbers)
    }

    /// Judges the length against the id and decides how to read on. `len` is at least 1.
    fn step_after_id(&self, id: u8, len: u32) -> Result<Step, Violation> {
        message::check_len(id, len, self.piece_count)?;
        let payload_len = len - 1;
        Ok(match id {
            message::id::PIECE => Step::BlockHead { payload_len: payload_len - 8 },
            known if message::is_known(known) => Step::Body { id, payload_len },
            _unknown => Step::Skipped { id, rest: payload_len },
        })
    }

    fn read_body<'i>(
        &mut self,
        input: &mut &'i [u8],
        id: u8,
        payload_len: u32,
    ) -> Result<Option<Frame<'i>>, Violation> {
        let Some(payload) = self.leftovers.gather(input, size(payload_len)) else {
            return Ok(None);
        };
        let message = Message::parse(id, payload)?;
        self.leftovers.clear();
        self.step = Step::Length;
        Ok(Some(Frame::Message(message)))
    }

    fn read_payload<'i>(
        &mut self,
        input: &mut &'i [u8],
        block: Claim,
        from: u32,
    ) -> Option<Frame<'i>> {
        let (bytes, taken) = take_up_to(input, block.len - from)?;
        let rest_from = from + taken;
        let is_whole = rest_from == block.len;
        self.step = if is_whole { Step::Length } else { Step::Payload { block, from: rest_from } };
        Some(Frame::Payload { block, from, bytes })
    }

    fn step_over<'i>(&mut self, input: &mut &'i [u8], id: u8, rest: u32) -> Option<Frame<'i>> {
        let taken = take_up_to(input, rest).map_or(0, |(_, taken)| taken);
        if taken < rest {
            self.step = Step::Skipped { id, rest: rest - taken };
            return None;
        }
        self.step = Step::Length;
        Some(Frame::Message(Message::Unknown(id)))
    }
}

impl Step {
    /// How many bytes must lie together before the step can be taken; 0 where any will do.
    fn needs(self) -> usize {
        match self {
            Step::Handshake => HANDSHAKE_BYTES,
            Step::Length => 4,
            Step::BlockHead { .. } => 8,
            Step::Body { payload_len, .. } => size(payload_len),
            Step::Id { .. } | Step::Payload { .. } | Step::Skipped { .. } => 0,
        }
    }
}

// ── The beginnings of what was cut ──────────────────────────────────────────────────────────

/// The first bytes of a step whose others have not come yet.
#[derive(Debug, Default)]
struct Leftovers {
    bytes: Vec<u8>,
}

impl Leftovers {
    /// The next `needed` bytes of the stream in one place: from the input itself if it holds
    /// them all, else from the leftovers, which take what there is. `None`: the input is used up.
    ///
    /// Whoever got them calls `clear` when done with them.
    fn gather<'b, 'i: 'b>(&'b mut self, input: &mut &'i [u8], needed: usize) -> Option<&'b [u8]> {
        if self.bytes.is_empty()
            && let Some((bytes, rest)) = input.split_at_checked(needed)
        {
            *input = rest;
            return Some(bytes);
        }
        let missing = needed - self.bytes.len();
        let (more, rest) = input.split_at(missing.min(input.len()));
        self.bytes.extend_from_slice(more);
        *input = rest;
        (self.bytes.len() == needed).then_some(&self.bytes)
    }

    /// Forgets the bytes, and gives back the memory if it was more than a head's worth.
    fn clear(&mut self) {
        if self.bytes.capacity() > HANDSHAKE_BYTES {
            self.bytes = Vec::new();
        }
        self.bytes.clear();
    }
}

/// The next bytes of the input, `max` at most, and how many; `None` if the input is used up.
fn take_up_to<'i>(input: &mut &'i [u8], max: u32) -> Option<(&'i [u8], u32)> {
    let (bytes, rest) = input.split_at(size(max).min(input.len()));
    *input = rest;
    let taken = u32::try_from(bytes.len()).expect("at most `max`");
    (taken > 0).then_some((bytes, taken))
}

// ── What is to be sent ──────────────────────────────────────────────────────────────────────

/// Words and blocks that have not left yet.
#[derive(Debug, Default)]
struct Outgoing {
    /// Handshake and control messages, ready to leave.
    words: Vec<u8>,
    /// How many bytes of `words` have left.
    words_sent: usize,
    blocks: VecDeque<QueuedBlock>,
    /// How many bytes of the first block have left, its head included.
    front_sent: usize,
}

#[derive(Debug)]
struct QueuedBlock {
    head: [u8; PIECE_HEAD_BYTES],
    block: Block,
}

impl Outgoing {
    fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        let begun = self.begun_blocks();
        let words = &self.words[self.words_sent..];
        let front = self.blocks.iter().take(begun).map(|queued| queued.rest(self.front_sent));
        let words = (!words.is_empty()).then_some(Segment::Bytes(words));
        let others = self.blocks.iter().skip(begun).map(|queued| queued.rest(0));
        front.chain(words).chain(others)
    }

    fn sent(&mut self, bytes: usize) -> u64 {
        // 1. The block that has begun, 2. words, 3. the other blocks.
        let (mut rest, mut payload) = (bytes, 0);
        if self.front_sent > 0 {
            payload += self.front_left(&mut rest);
        }
        let words = rest.min(self.words.len() - self.words_sent);
        self.words_left(words);
        rest -= words;
        while rest > 0 {
            payload += self.front_left(&mut rest);
        }
        self.release_if_idle();
        payload
    }

    /// The first block leaves, as far as `rest` bytes reach. Returns its payload among them.
    fn front_left(&mut self, rest: &mut usize) -> u64 {
        let front = self.blocks.front().expect("no more is sent than was queued");
        let whole = front.wire_len();
        let before = self.front_sent;
        let after = whole.min(before + *rest);
        *rest -= after - before;
        self.front_sent = after;
        if after == whole {
            self.blocks.pop_front();
            self.front_sent = 0;
        }
        (after.max(PIECE_HEAD_BYTES) - before.max(PIECE_HEAD_BYTES)) as u64
    }

    /// Words leave. What left is thrown out once it is at least half: each byte moves once.
    fn words_left(&mut self, bytes: usize) {
        self.words_sent += bytes;
        if self.words_sent * 2 >= self.words.len() {
            self.words.drain(..self.words_sent);
            self.words_sent = 0;
        }
    }

    fn cancel(&mut self, block: Block) -> bool {
        let mut unbegun = (self.begun_blocks()..self.blocks.len()).rev();
        let Some(place) = unbegun.find(|&place| self.blocks[place].block == block) else {
            return false;
        };
        self.blocks.remove(place);
        self.release_if_idle();
        true
    }

    /// 1 if the first block can no longer be taken back, else 0.
    fn begun_blocks(&self) -> usize {
        usize::from(self.front_sent > 0)
    }

    /// An idle connection owns no buffer.
    fn release_if_idle(&mut self) {
        if self.words.is_empty() {
            self.words = Vec::new();
        }
        if self.blocks.is_empty() {
            self.blocks = VecDeque::new();
        }
    }

    fn check(&self) {
        assert!(self.words_sent * 2 <= self.words.len(), "sent words were not thrown out");
        assert!(self.front_sent == 0 || self.words_sent == 0, "words inside a block");
        let front_len = self.blocks.front().map_or(1, QueuedBlock::wire_len);
        assert!(self.front_sent < front_len, "a sent block is still queued");
    }
}

impl QueuedBlock {
    /// Bytes of the whole message.
    fn wire_len(&self) -> usize {
        PIECE_HEAD_BYTES + size(self.block.len())
    }

    /// What is still to be sent after `sent` bytes of the message.
    fn rest(&self, sent: usize) -> Segment<'_> {
        let head = &self.head[sent.min(PIECE_HEAD_BYTES)..];
        let payload_sent = u32::try_from(sent.saturating_sub(PIECE_HEAD_BYTES))
            .expect("no more than a block was sent of a block");
        Segment::Block { head, block: self.block, rest: payload_sent..self.block.len() }
    }
}

/// A length of the wire as a length in memory. A `u32` fits a `usize` on every host that we
/// build for (`base::id` asserts it).
fn size(len: u32) -> usize {
    len as usize
}
