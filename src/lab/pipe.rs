//! Pipe: one direction of a simulated connection, and the names of its ends.
//!
//! ```text
//!   End (dialler)  buffer ─▶ under way ─▶ ┄┄ held by a stall ┄┄ ─▶  read at the listener
//!   End (listener) buffer ─▶ under way ─▶ ┄┄ held by a stall ┄┄ ─▶  read at the dialler
//! ```
//! `net` moves the bytes; here stands what one end has to remember.
//!
//! # Invariants
//! `buffer.len() + bytes_under_way <= WINDOW_BYTES` · nothing is written after `ending`.

use std::collections::VecDeque;

use super::clock::Moment;
use super::net::NodeId;

/// Bytes of one pipe that are buffered or under way; a usual socket's worth.
pub const WINDOW_BYTES: usize = 128 * 1024;

/// Packets are at most this long, and at least that long on slow lines.
const PACKET_BYTES_MAX: usize = 64 * 1024;
const PACKET_BYTES_MIN: usize = 1448;

/// On a line with a rate, a packet holds it for about this long before another pipe has its turn.
const TURN_MICROS: u64 = 10_000;

/// One connection, never reused in a run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Key(pub u32);

/// Which end of a connection: who dialled, or who was dialled.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Side {
    Dialler,
    Listener,
}

/// One end of one connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct EndId {
    pub key: Key,
    pub side: Side,
}

/// How a pipe ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ending {
    Orderly,
    Reset,
}

/// Both ends of a connection.
#[derive(Debug)]
pub(super) struct Conn {
    pub dialler: End,
    pub listener: End,
}

/// One end and the pipe that leads away from it.
#[derive(Debug)]
pub(super) struct End {
    pub node: NodeId,
    /// The node is done with this end: nothing is delivered to it any more.
    pub is_gone: bool,
    pub buffer: VecDeque<u8>,
    /// Leaves when the buffer is empty; nothing is written after it.
    pub ending: Option<Ending>,
    pub ending_left: bool,
    pub bytes_under_way: usize,
    /// Packets of one pipe never overtake each other, whatever the jitter.
    pub last_arrival: Moment,
    /// Packets held back by a stall or a partition, in order.
    pub held: VecDeque<Packet>,
    /// Whether it stands in its node's queue for the uplink.
    pub has_turn: bool,
    /// A writer found no room and wants to hear when there is some.
    pub wants_room: bool,
}

/// What travels at a time.
#[derive(Debug)]
pub(super) enum Packet {
    Bytes(Vec<u8>),
    Ending(Ending),
}

impl EndId {
    /// The end at the other side.
    pub fn other(self) -> EndId {
        let side = match self.side {
            Side::Dialler => Side::Listener,
            Side::Listener => Side::Dialler,
        };
        EndId { key: self.key, side }
    }
}

impl Conn {
    pub fn end(&self, side: Side) -> &End {
        match side {
            Side::Dialler => &self.dialler,
            Side::Listener => &self.listener,
        }
    }

    pub fn end_mut(&mut self, side: Side) -> &mut End {
        match side {
            Side::Dialler => &mut self.dialler,
            Side::Listener => &mut self.listener,
        }
    }
}

impl End {
    pub fn new(node: NodeId) -> End {
        End {
            node,
            is_gone: false,
            buffer: VecDeque::new(),
            ending: None,
            ending_left: false,
            bytes_under_way: 0,
            last_arrival: Moment::START,
            held: VecDeque::new(),
            has_turn: false,
            wants_room: false,
        }
    }

    pub fn has_something_to_send(&self) -> bool {
        !self.buffer.is_empty() || (self.ending.is_some() && !self.ending_left)
    }

    pub fn next_packet(&mut self, bytes_max: usize) -> Option<Packet> {
        if !self.buffer.is_empty() {
            let len = self.buffer.len().min(bytes_max);
            return Some(Packet::Bytes(self.buffer.drain(..len).collect()));
        }
        let how = self.ending.filter(|_| !self.ending_left)?;
        self.ending_left = true;
        Some(Packet::Ending(how))
    }
}

impl Packet {
    pub fn len(&self) -> usize {
        match self {
            Packet::Bytes(bytes) => bytes.len(),
            Packet::Ending(_) => 0,
        }
    }
}

/// How many bytes one turn on a line of this rate (bytes per second) carries.
pub(super) fn packet_bytes(rate: Option<u64>) -> usize {
    let Some(rate) = rate else { return PACKET_BYTES_MAX };
    let turn = rate.saturating_mul(TURN_MICROS) / 1_000_000;
    usize::try_from(turn).unwrap_or(usize::MAX).clamp(PACKET_BYTES_MIN, PACKET_BYTES_MAX)
}
