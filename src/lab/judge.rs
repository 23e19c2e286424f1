//! Judge: what may never be, looked at after every step.
//!
//! The engine's own `check` recounts one node. The judge sees all of them, and the truth:
//!
//! - a node serves nobody whom it chokes, not from its queue either, and nothing unasked;
//! - a node claims a piece only when its own disk holds that piece's true bytes;
//! - a node that was ticked has no deadline in the past, and does not ask to be ticked for ever
//!   in the same millisecond;
//! - at the end, every file of everybody who says so equals its source.
//!
//! # Limits
//! What scripted peers ask is not followed; they may be served whatever the layout allows.

use std::collections::BTreeMap;
use std::fmt;

use super::clock::Moment;
use super::node::Node;
use super::pipe::EndId;
use super::source::Source;
use crate::base::{Bits, Claim, PieceIndex, Time};
use crate::wire::Message;

/// A tick may be due again at once now and then, but not this often in one millisecond.
const TICKS_AT_ONCE_MAX: u32 = 64;

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
#[derive(Debug, Default)]
pub struct Judge {
    ends: BTreeMap<EndId, Said>,
}

#[derive(Debug, Default)]
struct Said {
    unchoked: bool,
    /// Requests, and how often each was said without being answered.
    asked: BTreeMap<Claim, u32>,
}

impl Judge {
    pub fn new() -> Judge {
        Judge::default()
    }

    /// A node says a message. Returns what is wrong with that.
    pub(super) fn on_says(
        &mut self,
        node: &Node,
        source: &Source,
        end: EndId,
        message: &Message,
    ) -> Result<(), String> {
        let said = self.ends.entry(end).or_default();
        match message {
            Message::Choke => said.unchoked = false,
            Message::Unchoke => said.unchoked = true,
            Message::Request(claim) => *said.asked.entry(*claim).or_default() += 1,
            Message::Have(piece) => {
                let piece = source.layout().piece(*piece).ok_or("says have of no piece")?;
                return claims_truly(node, source, piece);
            }
            Message::Bitfield(bytes) => {
                let have = Bits::from_wire(bytes, source.layout().piece_count());
                let have = have.ok_or("says a bitfield of the wrong size")?;
                return have.iter().try_for_each(|piece| claims_truly(node, source, piece));
            }
            Message::KeepAlive
            | Message::Interested
            | Message::NotInterested
            | Message::Cancel(_)
            | Message::Port(_)
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
        if !self.ends.entry(end).or_default().unchoked {
            return Err(format!("serves {claim:?} to a peer that it chokes"));
        }
        if !asker_is_ours {
            return Ok(());
        }
        let asked = &mut self.ends.entry(end.other()).or_default().asked;
        match asked.get_mut(&claim) {
            Some(count) if *count > 0 => {
                *count -= 1;
                Ok(())
            }
            Some(_) | None => Err(format!("serves {claim:?}, which was not asked")),
        }
    }

    /// A node is about to send; so many blocks are queued for the other end.
    ///
    /// Who chokes takes back what it queued; only the block that has begun to leave may be there.
    pub(super) fn on_flush(&self, end: EndId, waiting: usize) -> Result<(), String> {
        let unchoked = self.ends.get(&end).is_some_and(|said| said.unchoked);
        if unchoked || waiting <= 1 {
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

fn claims_truly(node: &Node, source: &Source, piece: PieceIndex) -> Result<(), String> {
    if node.disk.holds(source, piece) {
        return Ok(());
    }
    Err(format!("claims piece {piece:?}, and its disk holds other bytes or none"))
}
