//! Net: a simulated network that carries real bytes.
//!
//! ```text
//!   one end                                                                      the other end
//!   write ─▶ send buffer ─▶ uplink of the node ─▶ delay ─▶ downlink of the node ─▶ Bytes, read
//!            (a window)     (in turn, packet by    (of the   (first come,
//!                            packet: fair)          pair)     first served)
//! ```
//! A connection is two pipes, one each way, and works like TCP seen from above: bytes arrive in
//! order, or the connection breaks. What a node may have under way in one pipe is bounded by
//! `WINDOW_BYTES`, so a slow reader slows its writer. Nodes are strangers here: they are numbers
//! with two rates. Who they are and what they say is `lab`'s matter.
//!
//! # Interface
//! `dial`, `write` (never more than `room`), `shut`, `close`, `reset` act now; `next` and
//! `step` let the next thing happen and say who shall hear of it. Whoever hears `Bytes` reads
//! them; whoever hears `Ended` closes its own end.
//!
//! # Faults
//! `listen(node, false)` refuses; `stall` holds what is under way between two nodes and gives it
//! back later, late but whole; `partition` does so between two halves of the world; `break_all`
//! resets what connects two nodes. A dial that meets a stall or a partition hears nothing until
//! `CONNECT_TIMEOUT`.
//!
//! # Limits
//! Acknowledgements take no time and no bandwidth: a window opens the moment its bytes are read.
//! Nothing is lost and sent again, unless `set_loss` says so (`congestion`). Good enough for
//! protocol stories and for sharing of bandwidth.

use std::collections::VecDeque;

use super::clock::{Clock, Moment};
use super::congestion::{Congestion, Leaving};
use super::pipe::{Conn, End, Packet, packet_bytes};
pub use super::pipe::{EndId, Ending, Key, Side};
use super::rope::{Rope, Sink};
use super::source::Stretch;
use crate::base::limits::CONNECT_TIMEOUT;
use crate::base::{ConnId, Random, Set, Span};

/// A packet of so many bytes, a word or two, comes down a line that is free without a delay of its
/// own: it would be over in a few microseconds. It uses the line like any other.
const SMALL_BYTES: usize = 64;

/// A line is handed packets this long before it is free for them: those are decided, and words to
/// fifty peers leave at one stroke.
const AHEAD_MICROS: u64 = 500;

/// A participant, numbered from 0 in the order of arrival.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeId(pub usize);

/// What a node's line to the world carries, bytes per second; `None`: as much as there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Line {
    pub up: Option<u64>,
    pub down: Option<u64>,
}

/// How long a packet travels between two nodes: `delay`, and up to `jitter` more.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Path {
    pub delay: Span,
    pub jitter: Span,
}

/// Something that a node shall hear of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// Somebody connected to the node at this (listening) end.
    Accepted(EndId),
    /// A dial went through …
    Connected(EndId),
    /// … or did not; the connection is gone already.
    Failed { key: Key, node: NodeId },
    /// So many more bytes can be read at this end.
    Bytes { end: EndId, len: usize },
    /// The window of this end has room again.
    Room(EndId),
    /// No more bytes will come to this end.
    Ended { end: EndId, how: Ending },
}

/// All nodes' lines and all connections between them.
#[derive(Debug)]
pub struct Net {
    nodes: Vec<Station>,
    /// By key, which counts up: `None` once a connection is gone.
    conns: Vec<Option<Box<Conn>>>,
    clock: Clock<Happening>,
    random: Random,
    /// Between any two nodes.
    path: Path,
    /// Pairs between which nothing moves.
    stalled: Set<(NodeId, NodeId)>,
    /// `None`: nothing is lost.
    congestion: Option<Congestion>,
}

/// A node as the network sees it.
#[derive(Debug)]
struct Station {
    line: Line,
    listens: bool,
    /// Nodes of different islands cannot reach each other.
    island: u32,
    up_free_at: Moment,
    down_free_at: Moment,
    /// Pipes with bytes to send, in the order of their turns.
    turns: VecDeque<EndId>,
    /// Whether an `UplinkFree` for this node is in the queue.
    is_pumping: bool,
}

/// What is in the net's own queue.
#[derive(Debug)]
enum Happening {
    /// A connect request reaches the node that was dialled.
    Knock(Key),
    /// The answer to it is back.
    Opened(Key),
    Refused(Key),
    UplinkFree(NodeId),
    /// A packet written at this end has crossed and reaches the other node's line …
    Crossed(EndId, Packet),
    /// … and has come down it.
    Landed(EndId, Packet),
    /// The sender at this end hears that so many bytes arrived; only where packets are lost.
    Acked(EndId, usize),
    /// What was held back of this end's pipe may go on.
    Released(EndId),
    Tell(Arrival),
}

impl Net {
    /// A net without nodes. `path`: the one between any two.
    pub fn new(seed: u64, path: Path) -> Net {
        Net {
            nodes: Vec::new(),
            conns: Vec::new(),
            clock: Clock::new(),
            random: Random::new(seed),
            path,
            stalled: Set::new(),
            congestion: None,
        }
    }

    pub fn add(&mut self, line: Line) -> NodeId {
        self.nodes.push(Station {
            line,
            listens: true,
            island: 0,
            up_free_at: Moment::START,
            down_free_at: Moment::START,
            turns: VecDeque::new(),
            is_pumping: false,
        });
        NodeId(self.nodes.len() - 1)
    }

    // ── What the network is like ────────────────────────────────────────────────────────────

    pub fn set_line(&mut self, node: NodeId, line: Line) {
        self.nodes[node.0].line = line;
    }

    /// From now on time goes in steps; see `clock`.
    pub fn go_in_steps(&mut self, step_micros: u64) {
        self.clock.go_in_steps(step_micros);
    }

    pub fn set_path(&mut self, path: Path) {
        self.path = path;
    }

    /// From now on so many packets of `congestion::LOSS_OF` are lost, between any two nodes.
    pub fn set_loss(&mut self, loss: u32) {
        self.congestion =
            (loss > 0).then(|| Congestion::new(loss, Random::new(self.random.next_u64())));
    }

    /// Whether connects to this node are accepted from now on, or refused.
    pub fn listen(&mut self, node: NodeId, listens: bool) {
        self.nodes[node.0].listens = listens;
    }

    /// Holds everything between two nodes until `resume`.
    pub fn stall(&mut self, a: NodeId, b: NodeId) {
        self.stalled.insert(pair(a, b));
    }

    pub fn resume(&mut self, now: Moment, a: NodeId, b: NodeId) {
        self.stalled.remove(&pair(a, b));
        self.release(now);
    }

    /// Puts `nodes` on an island of their own, until `heal`.
    pub fn partition(&mut self, nodes: &[NodeId]) {
        let island = self.nodes.iter().map(|station| station.island).max().unwrap_or(0) + 1;
        for node in nodes {
            self.nodes[node.0].island = island;
        }
    }

    /// Joins all islands again; what was held goes on.
    pub fn heal(&mut self, now: Moment) {
        for station in &mut self.nodes {
            station.island = 0;
        }
        self.release(now);
    }

    /// Resets every connection between two nodes; both hear of it now.
    pub fn break_all(&mut self, now: Moment, a: NodeId, b: NodeId) {
        let between = pair(a, b);
        let is_between = |conn: &Conn| pair(conn.dialler.node, conn.listener.node) == between;
        let broken: Vec<Key> =
            self.conns().filter(|(_, conn)| is_between(conn)).map(|(key, _)| key).collect();
        for key in broken {
            self.break_one(now, key);
        }
    }

    /// How long a packet takes from one node to another, this time.
    pub fn travel(&mut self) -> Span {
        let path = self.path;
        match usize::try_from(path.jitter.as_millis()) {
            Ok(jitter) if jitter > 0 => {
                path.delay + Span::from_millis(self.random.below(jitter + 1) as u64)
            }
            _ => path.delay,
        }
    }

    /// The same for a packet on its own: a connect, a question, an answer. It may be lost.
    pub fn travel_alone(&mut self) -> Span {
        let late = self.congestion.as_mut().map_or(Span::ZERO, Congestion::late_alone);
        self.travel() + late
    }

    /// Whether a datagram is lost on its way.
    pub fn loses_datagram(&mut self) -> bool {
        self.congestion.as_mut().is_some_and(Congestion::loses)
    }

    /// Whether packets get from `a` to `b` at present.
    pub fn reaches(&self, a: NodeId, b: NodeId) -> bool {
        self.nodes[a.0].island == self.nodes[b.0].island && !self.stalled.contains(&pair(a, b))
    }

    pub fn listens(&self, node: NodeId) -> bool {
        self.nodes[node.0].listens
    }

    // ── What nodes do ───────────────────────────────────────────────────────────────────────

    /// Opens a connection; `Connected` or `Failed` answers.
    pub fn dial(&mut self, now: Moment, from: NodeId, to: NodeId) -> EndId {
        let mut conn = Conn { dialler: End::new(from), listener: End::new(to) };
        let key = self.next_key();
        if self.reaches(from, to) {
            let travel = self.travel_alone();
            let knock = now.after(travel);
            // Not even a hasty good-bye may arrive before the knock.
            conn.dialler.last_arrival = knock;
            self.clock.push(knock, to, Happening::Knock(key));
        } else {
            self.clock.push(now.after(CONNECT_TIMEOUT), from, Happening::Refused(key));
        }
        self.conns.push(Some(Box::new(conn)));
        EndId { key, side: Side::Dialler }
    }

    /// A dial to where nobody is: refused after a usual round trip.
    pub fn dial_nobody(&mut self, now: Moment, from: NodeId) -> Key {
        let key = self.next_key();
        self.conns.push(None);
        let failed = Arrival::Failed { key, node: from };
        self.clock.push(now.after(self.path.delay.times(2)), from, Happening::Tell(failed));
        key
    }

    /// How many bytes `write` would take now. If none, `Room` will tell when that changes.
    pub fn room(&mut self, end: EndId) -> usize {
        let Some(end) = self.end_mut(end) else { return 0 };
        if end.is_gone || end.ending.is_some() {
            return 0;
        }
        let room = end.room();
        end.wants_room = room == 0;
        room
    }

    /// Sends bytes, at most `room`.
    pub fn write(&mut self, now: Moment, id: EndId, bytes: &[u8]) {
        let mut rope = Rope::new();
        rope.bytes(bytes);
        self.write_rope(now, id, &mut rope);
    }

    /// Sends all bytes of a rope, at most `room`, and empties it.
    pub fn write_rope(&mut self, now: Moment, id: EndId, rope: &mut Rope) {
        let room = self.room(id);
        assert!(rope.len() <= room, "{} bytes into room for {room}", rope.len());
        let Some(end) = self.end_mut(id) else { return };
        end.rope.append(rope);
        self.take_turn(now, id);
    }

    /// Takes what has arrived at this end and appends it to `into`.
    pub fn read(&mut self, id: EndId, into: &mut Vec<u8>) {
        if let Some(from) = self.end_mut(id.other()) {
            let landed = std::mem::take(&mut from.landed);
            from.rope.take(landed, into);
        }
    }

    /// The same for a part of it: either a stretch of a source, which nobody has to copy, or what
    /// comes before the next one, appended to `into`. Whether there was anything, and the stretch.
    pub fn read_some(&mut self, id: EndId, into: &mut Vec<u8>) -> (bool, Option<Stretch>) {
        let Some(from) = self.end_mut(id.other()) else { return (false, None) };
        let (taken, stretch) = from.rope.take_some(from.landed, into);
        from.landed -= taken;
        (taken > 0, stretch)
    }

    /// Half-closes: ends the pipe that leads away, after what was written; still listens.
    pub fn shut(&mut self, now: Moment, id: EndId) {
        self.end_pipe(now, id, Ending::Orderly);
    }

    /// Closes: what was written is still delivered, nothing is heard any more.
    pub fn close(&mut self, now: Moment, id: EndId) {
        self.end_pipe(now, id, Ending::Orderly);
        self.abandon(id);
    }

    /// Resets: what was written and has not left is lost, nothing is heard any more.
    pub fn reset(&mut self, now: Moment, id: EndId) {
        if let Some(end) = self.end_mut(id) {
            end.drop_buffered();
        }
        self.end_pipe(now, id, Ending::Reset);
        self.abandon(id);
    }

    // ── Questions ───────────────────────────────────────────────────────────────────────────

    /// The node at this end; `None` once the connection is gone.
    pub fn node_at(&self, id: EndId) -> Option<NodeId> {
        self.conn(id.key).map(|conn| conn.end(id.side).node)
    }

    /// Notes what the node at this end calls the connection.
    pub fn set_holder(&mut self, id: EndId, conn: ConnId) {
        if let Some(end) = self.end_mut(id) {
            end.conn = Some(conn);
        }
    }

    /// The node at this end, and what it calls the connection.
    pub fn held_by(&self, id: EndId) -> Option<(NodeId, ConnId)> {
        let end = self.conn(id.key)?.end(id.side);
        Some((end.node, end.conn?))
    }

    /// Both nodes of every connection that neither of them has left, dialler first.
    pub fn pairs(&self) -> impl Iterator<Item = (NodeId, NodeId)> + '_ {
        self.conns()
            .filter(|(_, conn)| !conn.dialler.is_gone && !conn.listener.is_gone)
            .map(|(_, conn)| (conn.dialler.node, conn.listener.node))
    }

    /// When `step` has something to do, and for whom.
    pub fn next(&self) -> Option<(Moment, NodeId)> {
        self.clock.next()
    }

    // ── What happens ────────────────────────────────────────────────────────────────────────

    /// Lets the next thing happen. `None` inside: nobody needs to hear of it.
    ///
    /// Panics if nothing is to come: ask `next` first.
    pub fn step(&mut self) -> (Moment, Option<Arrival>) {
        let (now, happening) = self.clock.pop().expect("next said that there is an event");
        let arrival = match happening {
            Happening::Knock(key) => self.on_knock(now, key),
            Happening::Opened(key) => self.on_opened(key),
            Happening::Refused(key) => {
                let conn = self.remove(key);
                conn.map(|conn| Arrival::Failed { key, node: conn.dialler.node })
            }
            Happening::UplinkFree(node) => {
                self.nodes[node.0].is_pumping = false;
                self.pump(now, node);
                None
            }
            Happening::Crossed(from, packet) => self.on_crossed(now, from, packet),
            Happening::Landed(from, packet) => {
                if let Some(end) = self.end_mut(from) {
                    end.queued_down -= 1;
                }
                self.on_landed(now, from, packet)
            }
            Happening::Acked(from, len) => {
                self.on_acked(now, from, len);
                None
            }
            Happening::Released(from) => self.on_released(now, from),
            Happening::Tell(arrival) => self.still_matters(&arrival).then_some(arrival),
        };
        (now, arrival)
    }

    fn on_knock(&mut self, now: Moment, key: Key) -> Option<Arrival> {
        let conn = self.conn(key)?;
        let (from, to) = (conn.dialler.node, conn.listener.node);
        let back = now.after(self.travel_alone());
        if !self.nodes[to.0].listens {
            self.clock.push(back, from, Happening::Refused(key));
            return None;
        }
        // Nothing that the listener says may arrive before the news that it accepted.
        self.end_mut(EndId { key, side: Side::Listener })?.last_arrival = back;
        self.clock.push(back, from, Happening::Opened(key));
        Some(Arrival::Accepted(EndId { key, side: Side::Listener }))
    }

    fn on_opened(&mut self, key: Key) -> Option<Arrival> {
        let conn = self.conn(key)?;
        (!conn.dialler.is_gone).then_some(Arrival::Connected(EndId { key, side: Side::Dialler }))
    }

    fn on_crossed(&mut self, now: Moment, from: EndId, packet: Packet) -> Option<Arrival> {
        let (here, there) = (self.node_at(from)?, self.node_at(from.other())?);
        let is_cut = !self.reaches(here, there);
        let end = self.end_mut(from)?;
        let packet = end.joined_by_then(now, packet);
        if is_cut || !end.held.is_empty() {
            end.held.push(packet);
            return None;
        }
        let is_first = end.queued_down == 0;
        let this_step = now.after_micros(self.rest_of_step());
        let station = &mut self.nodes[there.0];
        let micros = station.line.down.map_or(0, |rate| micros_for(packet.len(), rate));
        let landed = now.max(station.down_free_at).after_micros(micros);
        let is_small = packet.len() <= SMALL_BYTES && station.down_free_at <= now;
        if is_first && (is_small || landed <= this_step) {
            station.down_free_at = landed;
            return self.on_landed(now, from, packet);
        }
        self.land(now, there, from, packet);
        None
    }

    fn on_released(&mut self, now: Moment, from: EndId) -> Option<Arrival> {
        let (here, there) = (self.node_at(from)?, self.node_at(from.other())?);
        if self.reaches(here, there) {
            for packet in std::mem::take(&mut self.end_mut(from)?.held) {
                self.land(now, there, from, packet);
            }
        }
        None
    }

    /// Queues a packet at the downlink of node `there`: first come, first served.
    fn land(&mut self, now: Moment, there: NodeId, from: EndId, packet: Packet) {
        let station = &mut self.nodes[there.0];
        let begins = now.max(station.down_free_at);
        let landed = match station.line.down {
            None => begins,
            Some(rate) => begins.after_micros(micros_for(packet.len(), rate)),
        };
        station.down_free_at = landed;
        if let Some(end) = self.end_mut(from) {
            end.queued_down += 1;
        }
        self.clock.push(landed, there, Happening::Landed(from, packet));
    }

    fn on_landed(&mut self, now: Moment, from: EndId, packet: Packet) -> Option<Arrival> {
        let to = from.other();
        let is_heard = !self.conn(to.key)?.end(to.side).is_gone;
        let sender = self.end_mut(from).filter(|sender| !sender.is_broken)?;
        sender.under_way -= packet.len();
        if is_heard {
            sender.landed += packet.len();
        } else {
            sender.rope.skip(packet.len());
        }
        if sender.tells_room() {
            let (whose, soon) = (sender.node, now.after_micros(self.rest_of_step()));
            self.clock.push(soon, whose, Happening::Tell(Arrival::Room(from)));
        }
        is_heard.then_some(match packet {
            Packet::Bytes(len) => Arrival::Bytes { end: to, len },
            Packet::Ending(how) => Arrival::Ended { end: to, how },
        })
    }

    fn still_matters(&self, arrival: &Arrival) -> bool {
        match arrival {
            Arrival::Failed { .. } => true,
            Arrival::Room(end)
            | Arrival::Accepted(end)
            | Arrival::Connected(end)
            | Arrival::Bytes { end, .. }
            | Arrival::Ended { end, .. } => {
                self.conn(end.key).is_some_and(|conn| !conn.end(end.side).is_gone)
            }
        }
    }

    // ── Inside ──────────────────────────────────────────────────────────────────────────────

    fn conn(&self, key: Key) -> Option<&Conn> {
        self.conns.get(key.0 as usize)?.as_deref()
    }

    fn end_mut(&mut self, id: EndId) -> Option<&mut End> {
        Some(self.conns.get_mut(id.key.0 as usize)?.as_mut()?.end_mut(id.side))
    }

    /// All connections, by key.
    fn conns(&self) -> impl Iterator<Item = (Key, &Conn)> {
        (0u32..).zip(&self.conns).filter_map(|(key, conn)| Some((Key(key), conn.as_deref()?)))
    }

    fn next_key(&self) -> Key {
        Key(u32::try_from(self.conns.len()).expect("fewer connections than 2^32 in a run"))
    }

    fn end_pipe(&mut self, now: Moment, id: EndId, how: Ending) {
        let Some(end) = self.end_mut(id) else { return };
        if end.ending.is_none() {
            end.ending = Some(how);
            self.take_turn(now, id);
        }
    }

    /// The node hears nothing of this end any more; a connection that nobody hears is gone.
    fn abandon(&mut self, id: EndId) {
        let Some(conn) = self.conns.get_mut(id.key.0 as usize) else { return };
        let Some(conn) = conn else { return };
        conn.end_mut(id.side).is_gone = true;
        if conn.dialler.is_gone && conn.listener.is_gone {
            self.remove(id.key);
        }
    }

    fn remove(&mut self, key: Key) -> Option<Conn> {
        if let Some(congestion) = &mut self.congestion {
            congestion.forget(key);
        }
        Some(*self.conns.get_mut(key.0 as usize)?.take()?)
    }

    /// Resets one connection; both ends hear of it now.
    pub fn break_one(&mut self, now: Moment, key: Key) {
        for side in [Side::Dialler, Side::Listener] {
            let Some(end) = self.end_mut(EndId { key, side }) else { return };
            let whose = end.node;
            end.drop_buffered();
            end.held.clear();
            end.ending = Some(Ending::Reset);
            end.ending_left = true;
            end.is_broken = true;
            let ended = Arrival::Ended { end: EndId { key, side }, how: Ending::Reset };
            self.clock.push(now, whose, Happening::Tell(ended));
        }
    }

    /// Queues this end's pipe at its node's uplink.
    fn take_turn(&mut self, now: Moment, id: EndId) {
        let Some(end) = self.end_mut(id) else { return };
        let node = end.node;
        if !end.has_turn && end.has_something_to_send() {
            end.has_turn = true;
            self.nodes[node.0].turns.push_back(id);
        }
        self.pump(now, node);
    }

    /// Sends packets, one pipe after the other, for as long as the uplink is free.
    fn pump(&mut self, now: Moment, node: NodeId) {
        let ahead = AHEAD_MICROS.max(self.rest_of_step());
        while self.nodes[node.0].up_free_at <= now.after_micros(ahead) {
            let Some(id) = self.nodes[node.0].turns.pop_front() else { return };
            self.send_packet(now, node, id);
        }
        let rest = self.rest_of_step();
        let station = &mut self.nodes[node.0];
        if !station.turns.is_empty() && !station.is_pumping {
            station.is_pumping = true;
            let at = station.up_free_at.before_micros(rest);
            self.clock.push(at, node, Happening::UplinkFree(node));
        }
    }

    fn send_packet(&mut self, now: Moment, node: NodeId, id: EndId) {
        let Some(there) = self.node_at(id.other()) else { return };
        let Station { line: Line { up: rate, .. }, up_free_at, .. } = self.nodes[node.0];
        let begins = now.max(up_free_at);
        let bytes_max = self.allowance(id).min(packet_bytes(rate, self.clock.step_micros()));
        let Some(end) = self.end_mut(id) else { return };
        end.has_turn = false;
        if bytes_max == 0 && end.buffered() > 0 {
            // `Acked` gives it its next turn.
            return;
        }
        let Some(packet) = end.next_packet(bytes_max) else { return };
        let departed = match rate {
            None => now,
            Some(rate) => begins.after_micros(micros_for(packet.len(), rate)),
        };
        let has_more = end.has_something_to_send();
        end.has_turn = has_more;
        let earliest = end.last_arrival;
        if has_more {
            self.nodes[node.0].turns.push_back(id);
        }
        self.nodes[node.0].up_free_at = departed;

        let late = self.late(departed, id, packet.len());
        let arrival = departed.after(self.travel() + late).max(earliest);
        let arrival = self.clock.step_at(arrival);
        let in_steps = self.clock.step_micros() > 1;
        let Some(end) = self.end_mut(id) else { return };
        end.last_arrival = arrival;
        if !(in_steps && end.joins(arrival, packet)) {
            self.clock.push(arrival, there, Happening::Crossed(id, packet));
        }
    }

    /// How long it is from a moment to the last one before the next: none, unless time goes in
    /// steps. What begins or is over by then does so in this step.
    fn rest_of_step(&self) -> u64 {
        self.clock.step_micros() - 1
    }

    /// How much of this pipe may leave now; 0 if it waits for acknowledgements.
    fn allowance(&self, id: EndId) -> usize {
        self.congestion.as_ref().map_or(usize::MAX, |congestion| congestion.allowance(id))
    }

    /// How late a packet is for being lost, if it is; books what that costs its sender.
    fn late(&mut self, departed: Moment, id: EndId, len: usize) -> Span {
        if self.congestion.is_none() {
            return Span::ZERO;
        }
        let Some(node) = self.node_at(id) else { return Span::ZERO };
        let round_trip = self.travel() + self.travel();
        let behind = self.end_mut(id).map_or(0, |end| end.buffered());
        let Some(congestion) = &mut self.congestion else { return Span::ZERO };
        let fate = congestion.on_sent(departed, id, Leaving { len, behind, round_trip });
        let acked = departed.after(round_trip + fate.late);
        self.clock.push(acked, node, Happening::Acked(id, len));
        let station = &mut self.nodes[node.0];
        if let Some(rate) = station.line.up {
            station.up_free_at = departed.after_micros(micros_for(fate.again, rate));
        }
        fate.late
    }

    fn on_acked(&mut self, now: Moment, id: EndId, len: usize) {
        if let Some(congestion) = &mut self.congestion {
            congestion.on_acked(id, len);
            self.take_turn(now, id);
        }
    }

    /// Lets what is held go on; a pipe whose way is not free keeps holding.
    fn release(&mut self, now: Moment) {
        let sides = [Side::Dialler, Side::Listener];
        let ends = self.conns().flat_map(|(key, conn)| sides.map(|side| (key, side, conn)));
        let holding: Vec<(EndId, NodeId)> = ends
            .filter(|(_, side, conn)| !conn.end(*side).held.is_empty())
            .map(|(key, side, conn)| (EndId { key, side }, conn.end(side).node))
            .collect();
        for (end, node) in holding {
            self.clock.push(now, node, Happening::Released(end));
        }
    }
}

/// A pair of nodes, whichever is named first.
fn pair(a: NodeId, b: NodeId) -> (NodeId, NodeId) {
    (a.min(b), a.max(b))
}

fn micros_for(bytes: usize, bytes_per_sec: u64) -> u64 {
    (bytes as u64).saturating_mul(1_000_000) / bytes_per_sec.max(1)
}
