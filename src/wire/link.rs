//! Link: a stream of bytes, cut anywhere, into frames; words and blocks into bytes.

use std::ops::Range;

use super::handshake::Handshake;
use super::message::{Message, Violation};
use crate::base::{Block, Claim};

/// What the other side said, as far as it has arrived.
#[derive(PartialEq, Eq, Debug)]
pub enum Frame<'i> {
    Handshake(Handshake),
    Message(Message),
    /// A part of a `piece` message: bytes `from .. from + bytes.len()` of the block.
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
pub struct Link {}

impl Link {
    pub fn new() -> Link {
        Link::default()
    }

    /// Says how many pieces the torrent has: from now on a bitfield must have exactly that size.
    pub fn expect_pieces(&mut self, _piece_count: u32) {
        todo!()
    }

    /// Takes the next frame out of `input`, moving its front along. `None`: all was consumed.
    pub fn feed<'i>(&mut self, _input: &mut &'i [u8]) -> Result<Option<Frame<'i>>, Violation> {
        todo!()
    }

    pub fn send_handshake(&mut self, _handshake: &Handshake) {
        todo!()
    }

    pub fn send(&mut self, _message: &Message) {
        todo!()
    }

    pub fn send_block(&mut self, _block: Block) {
        todo!()
    }

    /// Takes a queued block back, unless its first byte has left. Returns whether it did.
    pub fn cancel(&mut self, _block: Block) -> bool {
        todo!()
    }

    /// Takes back every queued block whose first byte has not left.
    pub fn drop_blocks(&mut self) {
        todo!()
    }

    /// What may leave next, in order, without end until the queue is empty.
    pub fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        std::iter::empty()
    }

    /// Says that the first `bytes` of `segments` left. Returns how many of them were payload.
    pub fn sent(&mut self, _bytes: usize) -> u64 {
        todo!()
    }

    /// How many queued blocks are wholly or partly still to be sent.
    pub fn waiting(&self) -> usize {
        todo!()
    }

    /// Whether nothing is queued.
    pub fn is_idle(&self) -> bool {
        todo!()
    }
}
