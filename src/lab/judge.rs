//! Judge: what may never be, looked at after every step.
//!
//! The engine's own `check` recounts one node. The judge sees all of them, and the truth:
//!
//! - a node serves nobody whom it chokes, not from its queue either, except what it allowed it to
//!   ask for; and nothing unasked;
//! - what it believes of its connections is what was said over them, word by word (`witness`);
//! - who wants a place that is free has it soon;
//! - a node claims a piece, to peers or in a record, only when its own disk holds that piece's
//!   true bytes;
//! - what it waits for is under way: disk jobs, connects; and what is queued is bounded;
//! - it bans nobody who told the truth;
//! - a node that was ticked has no deadline in the past, and does not ask to be ticked for ever
//!   in the same millisecond;
//! - at the end, every file of everybody who says so equals its source.
//!
//! # Limits
//! In large swarms (`relax`) nobody's words are followed, and nodes are recounted now and then
//! only: every so many turns, so that it is the same each time. What they have at the end is
//! compared in any case.

use crate::base::Shelf;
use std::fmt;

use super::clock::Moment;
use super::net::NodeId;
use super::node::{JobKind, Node};
use super::pipe::EndId;
use super::source::Source;
use super::witness::{Queue, Witness};
use crate::base::limits::{CONNECTIONS_MAX, DIALS_AT_ONCE_MAX};
use crate::base::{Bits, Claim, PieceIndex, Set, Time};
use crate::engine::Engine;
use crate::wire::Message;

/// A tick may be due again at once now and then, but not this often in one millisecond.
const TICKS_AT_ONCE_MAX: u32 = 64;

/// How many turns lie between two recounts of a large swarm.
const TURNS_UNSEEN: u64 = 1024;

/// What the run was when a rule was broken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    pub seed: u64,
    pub at: Moment,
    /// The name of the node; `lab` if it is nobody's.
    pub who: String,
    pub what: String,
    /// The last lines of the record.
    pub before: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failure { seed, at, who, what, before } = self;
        write!(f, "{before}seed {seed}, at {at:?}, {who}: {what}")
    }
}

/// What was said over each end, as far as a rule needs it.
#[derive(Debug)]
pub struct Judge {
    /// By the key of the connection: what was said at the dialler's end, and at the listener's.
    conns: Vec<[Said; 2]>,
    witness: Option<Witness>,
    queues: Shelf<NodeId, Queue>,
    /// Turns so far, of all nodes; every so many of them are recounted.
    turns: u64,
    every: u64,
}

#[derive(Debug, Default)]
struct Said {
    unchoked: bool,
    /// Pieces that may be asked for all the same.
    allowed: Set<u32>,
    /// Requests that were not answered, and how often each was said.
    asked: Shelf<Claim, u32>,
}

impl Judge {
    /// A judge who sees everything.
    pub(super) fn new() -> Judge {
        Judge {
            conns: Vec::new(),
            witness: Some(Witness::default()),
            queues: Shelf::new(),
            turns: 0,
            every: 1,
        }
    }

    /// Looks less often from now on, and listens to nobody: for large swarms.
    pub(super) fn relax(&mut self) {
        self.witness = None;
        self.every = TURNS_UNSEEN;
    }

    pub(super) fn is_strict(&self) -> bool {
        self.witness.is_some()
    }

    pub(super) fn witness(&mut self) -> Option<&mut Witness> {
        self.witness.as_mut()
    }

    /// A node's turn is over: whatever can be recounted is.
    pub(super) fn on_settled(
        &mut self,
        now: Moment,
        id: NodeId,
        node: &Node,
    ) -> Result<(), String> {
        let Some(engine) = node.engine() else { return Ok(()) };
        self.turns += 1;
        if !self.turns.is_multiple_of(self.every) {
            return Ok(());
        }
        engine.check();
        adds_up(node, engine)?;
        let Some(witness) = &self.witness else { return Ok(()) };
        witness.recount(now, node, engine)?;
        self.queues.get_or_insert_with(id, Default::default).recount(now, engine)
    }

    /// A node was switched on or off.
    pub(super) fn forget_node(&mut self, id: NodeId) {
        self.queues.remove(&id);
    }

    /// A node records what it has.
    pub(super) fn on_saves(&self, node: &Node, source: &Source, have: &Bits) -> Result<(), String> {
        if !self.is_strict() {
            return Ok(());
        }
        have.iter().try_for_each(|piece| claims_truly(node, source, piece))
    }

    /// A node says a message. Returns what is wrong with that.
    pub(super) fn on_says(
        &mut self,
        now: Moment,
        node: &Node,
        source: &Source,
        end: EndId,
        message: &Message,
    ) -> Result<(), String> {
        let Some(witness) = &mut self.witness else { return Ok(()) };
        witness.on_says(now, source, end, message)?;
        let said = self.said(end);
        match message {
            Message::Choke => said.unchoked = false,
            Message::Unchoke => said.unchoked = true,
            Message::Request(claim) => {
                *said.asked.get_or_insert_with(*claim, Default::default) += 1
            }
            Message::AllowedFast(piece) => {
                said.allowed.insert(*piece);
            }
            Message::Have(piece) => {
                let piece = source.layout().piece(*piece).ok_or("says have of no piece")?;
                return claims_truly(node, source, piece);
            }
            Message::Bitfield(bytes) => {
                let have = Bits::from_wire(bytes, source.layout().piece_count());
                let have = have.ok_or("says a bitfield of the wrong size")?;
                return have.iter().try_for_each(|piece| claims_truly(node, source, piece));
            }
            Message::HaveAll => {
                return source.layout().pieces().try_for_each(|p| claims_truly(node, source, p));
            }
            Message::KeepAlive
            | Message::Interested
            | Message::NotInterested
            | Message::Cancel(_)
            | Message::Port(_)
            | Message::Suggest(_)
            | Message::HaveNone
            | Message::Reject(_)
            | Message::Extended { .. }
            | Message::Unknown(_) => {}
        }
        Ok(())
    }

    /// A node queues a block. `asker_is_ours`: the other end's requests are known.
    pub(super) fn on_serves(
        &mut self,
        end: EndId,
        claim: Claim,
        asker_is_ours: bool,
    ) -> Result<(), String> {
        if !self.is_strict() {
            return Ok(());
        }
        let said = self.said(end);
        if !said.unchoked && !said.allowed.contains(&claim.piece) {
            return Err(format!("serves {claim:?} to a peer that it chokes"));
        }
        if !asker_is_ours {
            return Ok(());
        }
        let asked = &mut self.said(end.other()).asked;
        let Some(mut count) = asked.remove(&claim) else {
            return Err(format!("serves {claim:?}, which was not asked"));
        };
        count -= 1;
        if count > 0 {
            asked.insert(claim, count);
        }
        Ok(())
    }

    /// A node is about to send; so many blocks are queued for the other end.
    ///
    /// Who chokes takes back what it queued; only the block that has begun to leave may be there.
    pub(super) fn on_flush(&self, end: EndId, waiting: usize) -> Result<(), String> {
        if !self.is_strict() {
            return Ok(());
        }
        let said = self.conns.get(end.key.0 as usize).map(|conn| &conn[end.side as usize]);
        let may = |said: &Said| said.unchoked || !said.allowed.is_empty();
        if waiting <= 1 || said.is_some_and(may) {
            return Ok(());
        }
        Err(format!("keeps {waiting} blocks queued for a peer that it chokes"))
    }

    /// A node was ticked at `now` and named its next deadline.
    pub(super) fn on_ticked(
        &self,
        now: Time,
        ticks_at_once: u32,
        deadline: Option<(Time, &'static str)>,
    ) -> Result<(), String> {
        match deadline {
            Some((due, why)) if due < now => {
                Err(format!("was ticked at {now:?}, and {why} was due at {due:?}"))
            }
            Some((_, why)) if ticks_at_once > TICKS_AT_ONCE_MAX => {
                Err(format!("spins: {why} is due again and again at {now:?}"))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn said(&mut self, end: EndId) -> &mut Said {
        let key = end.key.0 as usize;
        if self.conns.len() <= key {
            self.conns.resize_with(key + 1, Default::default);
        }
        &mut self.conns[key][end.side as usize]
    }

    /// Compares the pieces that a node says to have with the truth.
    pub(super) fn compare_pieces(&self, node: &Node, source: &Source) -> Result<(), String> {
        let engine = node.engine().ok_or("says that it is done, and is not there")?;
        let id = engine.find(source.info_hash()).ok_or("is done with a torrent that it lacks")?;
        let torrent = engine.look_at(id).ok_or("is done with a torrent that it lacks")?;
        match torrent.have().iter().find(|&piece| !node.disk.holds(source, piece)) {
            Some(piece) => Err(format!("says that it has {piece:?}, and its disk does not")),
            None => Ok(()),
        }
    }

    /// Compares a node's copy with the truth, file by file.
    pub(super) fn compare(&self, node: &Node, source: &Source) -> Result<(), String> {
        for (index, (truth, file)) in source.files.iter().zip(source.layout().files()).enumerate() {
            let Some(copy) = node.disk.file(source.info_hash(), index) else {
                return Err(format!("file {:?} is missing", file.path));
            };
            if let Some(at) = copy.first_difference(truth) {
                let (len, path) = (copy.len(), &file.path);
                return Err(format!(
                    "file {path:?} differs at {at}; {len} bytes of {}",
                    truth.len()
                ));
            }
        }
        Ok(())
    }
}

/// What a node waits for is under way, and nothing is that it does not wait for.
fn adds_up(node: &Node, engine: &Engine) -> Result<(), String> {
    for id in engine.torrents() {
        let Some(torrent) = engine.look_at(id) else { continue };
        let waits_for = torrent.under_way();
        let under_way = |kind| node.jobs.get(&(id, kind)).copied().unwrap_or(0);
        let counts = [
            ("writes", waits_for.writes, under_way(JobKind::Write)),
            ("saves", usize::from(waits_for.save), under_way(JobKind::Save)),
        ];
        for (what, believed, real) in counts {
            if believed != real {
                return Err(format!("{id:?} waits for {believed} {what}, {real} are under way"));
            }
        }
        // What is left of an earlier check or survey may be under way, too.
        let is_awaited = waits_for.checks <= under_way(JobKind::Check)
            && (!waits_for.survey || under_way(JobKind::Survey) > 0);
        if !is_awaited {
            return Err(format!("{id:?} waits for reads or a survey that nobody does"));
        }
    }
    let (dials, real) = (engine.dials_under_way(), node.dials.len());
    if dials != real || dials > DIALS_AT_ONCE_MAX {
        return Err(format!("counts {dials} connects, {real} are under way"));
    }
    // Who is being closed leaves within the turn; who is not yet answered has a place.
    if node.talks.len() > CONNECTIONS_MAX + DIALS_AT_ONCE_MAX {
        return Err(format!("holds {} connections", node.talks.len()));
    }
    Ok(())
}

fn claims_truly(node: &Node, source: &Source, piece: PieceIndex) -> Result<(), String> {
    if node.disk.holds(source, piece) {
        return Ok(());
    }
    Err(format!("claims piece {piece:?}, and its disk holds other bytes or none"))
}
