//! Mishap: one effect of one node goes wrong.
//!
//! An *effect* is whatever a node does to the world: each output that its engine puts out, and each
//! time bytes leave for a connection. They are counted, from a node's first to its last, so that a
//! story can be told once for each of them, with that one going wrong:
//!
//! ```text
//!   connect             refused            words, blocks, bytes that leave   the connection breaks
//!   announce            the call breaks    close                             as a reset
//!   disk job            fails
//! ```
//! or the whole node stops right before it, loses (or not) what its disk had not made safe, and
//! starts again a second later.

use super::disk::Loss;
use super::net::NodeId;
use super::{Action, Happening, Lab};
use crate::base::{ConnId, Span};
use crate::engine::{DiskFault, Output};

/// How the n-th effect goes wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mishap {
    /// It fails; a disk job with this fault.
    Fails(DiskFault),
    /// The node stops before it, and its disk forgets.
    Crash(Loss),
}

/// How many effects a node had, and which one is to go wrong.
#[derive(Debug, Default)]
pub(super) struct Effects {
    count: u64,
    doomed: Option<(u64, Mishap)>,
}

/// A node that crashed starts again after this time.
const REBOOT: Span = Span::from_secs(1);

impl Lab {
    /// The `n`-th effect of a node from now (the next one is 1) goes wrong.
    pub fn strike(&mut self, node: NodeId, n: u64, mishap: Mishap) {
        let effects = &mut self.nodes[node.0].effects;
        effects.doomed = Some((effects.count + n, mishap));
    }

    /// Effects that a node has had so far.
    pub fn effects(&self, node: NodeId) -> u64 {
        self.nodes[node.0].effects.count
    }

    /// Counts an effect; is it the one that goes wrong?
    pub(super) fn next_mishap(&mut self, id: NodeId) -> Option<Mishap> {
        let effects = &mut self.nodes[id.0].effects;
        effects.count += 1;
        let now = effects.count;
        let (_, mishap) = effects.doomed.take_if(|(number, _)| *number == now)?;
        self.note(id, "mishap", format_args!("{mishap:?}"));
        Some(mishap)
    }

    /// The next output goes wrong: prepares that. What it asks for is done nevertheless, into a
    /// world that does not take it.
    pub(super) fn spoil(&mut self, id: NodeId, output: &Output, fault: DiskFault) {
        match output {
            Output::SendHandshake { conn, .. }
            | Output::Send { conn, .. }
            | Output::SendBlock { conn, .. }
            | Output::CancelBlock { conn, .. }
            | Output::DropBlocks { conn }
            | Output::Close { conn, .. } => self.break_off(id, *conn),
            Output::Survey { .. }
            | Output::Prepare { .. }
            | Output::Write { .. }
            | Output::Read(_)
            | Output::Save { .. }
            | Output::Remove { .. } => self.nodes[id.0].disk.fail_job(1, fault),
            Output::Connect { .. } | Output::CallWeb { .. } | Output::Announce { .. } => {
                self.nodes[id.0].is_cut_off = true
            }
            // The network may lose one without anybody's fault, so stories have no need to.
            Output::SendDatagram { .. } | Output::LookUp { .. } => {}
            Output::Event(_) | Output::Because { .. } => {}
        }
    }

    /// Whether the next connect or call fails, whoever is called; once.
    pub(super) fn is_cut_off(&mut self, id: NodeId) -> bool {
        std::mem::take(&mut self.nodes[id.0].is_cut_off)
    }

    /// Breaks the connection; its end hears of that in its own time.
    pub(super) fn break_off(&mut self, id: NodeId, conn: ConnId) {
        if let Some(talk) = self.nodes[id.0].talks.get(conn) {
            self.net.break_one(self.now, talk.end.key);
        }
    }

    /// The node stops; what its disk had not made safe is lost as `loss` says.
    pub(super) fn crash(&mut self, id: NodeId, loss: Loss) {
        self.switch_off(id, "crashes");
        self.nodes[id.0].disk.crash(loss, &mut self.random);
    }

    /// The same, and it comes back.
    pub(super) fn crash_and_reboot(&mut self, id: NodeId, loss: Loss) {
        self.crash(id, loss);
        let start = Happening::Action(Action::Start(id));
        self.plan(self.now.after(REBOOT), start);
    }
}
