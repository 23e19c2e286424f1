//! Pipe: one direction of a simulated connection, and the names of its ends.
//!
//! The bytes of a pipe lie in one rope from `write` to `read`; what moves is only how far they
//! are. A packet is no more than a length.
//!
//! ```text
//!            read ◀── landed │ under way (or held by a stall) │ buffered ◀── written
//!   rope              ░░░░░░ │ ▒▒▒▒▒▒▒ ▒▒▒▒▒▒▒▒▒▒▒▒ ▒▒▒▒▒▒▒▒▒ │ ████████
//! ```
//! `net` moves the borders; here stands what one end has to remember.
//!
//! # Invariants
//! `landed + under_way <= rope.len()` · all but `landed` is within `WINDOW_BYTES` · nothing is
//! written after `ending`.

use super::clock::Moment;
use super::net::NodeId;
use super::rope::Rope;
use crate::base::ConnId;

/// Bytes of one pipe that are buffered or under way; a usual socket's worth.
pub const WINDOW_BYTES: usize = 128 * 1024;

/// Whoever found no room hears of it when there is so much again, as with a real socket: a writer
/// who is woken for every packet that arrives does the same work in many small steps.
const ROOM_BYTES_MIN: usize = WINDOW_BYTES / 4;

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
    /// What the node calls it.
    pub conn: Option<ConnId>,
    /// The node is done with this end: nothing is delivered to it any more.
    pub is_gone: bool,
    /// All that was written and not read at the other end yet.
    pub rope: Rope,
    /// How much of it, at the front, has come down the other node's line.
    pub landed: usize,
    /// How much of it, behind that, has left this node.
    pub under_way: usize,
    /// Leaves when nothing is buffered any more; nothing is written after it.
    pub ending: Option<Ending>,
    pub ending_left: bool,
    /// It was reset in the middle: what is under way is lost.
    pub is_broken: bool,
    /// Packets of one pipe never overtake each other, whatever the jitter.
    pub last_arrival: Moment,
    /// Up to two packets on their way, by when they cross, and how much joined each of them since
    /// it left; only where time goes in steps. Hardly ever are there more, and those go alone.
    joined: [Option<(Moment, usize)>; 2],
    /// How many packets stand in the other node's queue for its line.
    pub queued_down: usize,
    /// Packets held back by a stall or a partition, in order.
    pub held: Vec<Packet>,
    /// Whether it stands in its node's queue for the uplink.
    pub has_turn: bool,
    /// A writer found no room and wants to hear when there is some.
    pub wants_room: bool,
}

/// What travels at a time.
#[derive(Clone, Copy, Debug)]
pub(super) enum Packet {
    /// The next so many bytes of the pipe.
    Bytes(usize),
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
            conn: None,
            is_gone: false,
            rope: Rope::new(),
            landed: 0,
            under_way: 0,
            ending: None,
            ending_left: false,
            is_broken: false,
            last_arrival: Moment::START,
            joined: [None; 2],
            queued_down: 0,
            held: Vec::new(),
            has_turn: false,
            wants_room: false,
        }
    }

    /// Bytes that have not left this node.
    pub fn buffered(&self) -> usize {
        self.rope.len() - self.landed - self.under_way
    }

    /// How many more may be written.
    pub fn room(&self) -> usize {
        WINDOW_BYTES - (self.rope.len() - self.landed)
    }

    /// Whether a writer who waits for room should hear that there is some, now.
    pub fn tells_room(&mut self) -> bool {
        let tells = self.wants_room && !self.is_gone && self.room() >= ROOM_BYTES_MIN;
        self.wants_room &= !tells;
        tells
    }

    pub fn has_something_to_send(&self) -> bool {
        self.buffered() > 0 || (self.ending.is_some() && !self.ending_left)
    }

    /// Sends the next packet on its way.
    pub fn next_packet(&mut self, bytes_max: usize) -> Option<Packet> {
        if self.buffered() > 0 {
            let len = self.buffered().min(bytes_max);
            self.under_way += len;
            return Some(Packet::Bytes(len));
        }
        let how = self.ending.filter(|_| !self.ending_left)?;
        self.ending_left = true;
        Some(Packet::Ending(how))
    }

    /// Whether a packet that crosses at `at` goes with one that does so already. If not, it is the
    /// one that others may join.
    pub fn joins(&mut self, at: Moment, packet: Packet) -> bool {
        let Packet::Bytes(len) = packet else { return false };
        let mut others = self.joined.iter_mut().flatten();
        if let Some((_, joined)) = others.find(|(crosses, _)| *crosses == at) {
            *joined += len;
            return true;
        }
        if let Some(free) = self.joined.iter_mut().find(|place| place.is_none()) {
            *free = Some((at, 0));
        }
        false
    }

    /// A packet that has crossed, and those that joined it.
    pub fn joined_by_then(&mut self, at: Moment, packet: Packet) -> Packet {
        let Packet::Bytes(len) = packet else { return packet };
        let is_its =
            |place: &&mut Option<(Moment, usize)>| place.is_some_and(|(crosses, _)| crosses == at);
        let joined = self.joined.iter_mut().find(is_its).and_then(Option::take);
        Packet::Bytes(len + joined.map_or(0, |(_, joined)| joined))
    }

    /// Loses what has not left this node.
    pub fn drop_buffered(&mut self) {
        self.rope.truncate(self.landed + self.under_way);
    }
}

impl Packet {
    pub fn len(&self) -> usize {
        match self {
            Packet::Bytes(len) => *len,
            Packet::Ending(_) => 0,
        }
    }
}

/// How many bytes one turn on a line of this rate (bytes per second) carries. Where time goes in
/// steps, a turn lasts for one.
pub(super) fn packet_bytes(rate: Option<u64>, step_micros: u64) -> usize {
    let Some(rate) = rate else { return PACKET_BYTES_MAX };
    let turn = rate.saturating_mul(TURN_MICROS.max(step_micros)) / 1_000_000;
    usize::try_from(turn).unwrap_or(usize::MAX).clamp(PACKET_BYTES_MIN, PACKET_BYTES_MAX)
}
