//! Tally: the figures of a run, counted while it happens.
//!
//! The record tells everything and costs memory with every line; most runs only want to know who
//! was done when, who gave how much to whom, and what went wrong. Those few numbers are counted
//! here, whether a record is kept or not.
//!
//! # Limits
//! Nodes, not torrents: where a node has several torrents, `whole_at` is the first of them.

use super::clock::Moment;
use super::net::NodeId;
use crate::base::Shelf;
use crate::engine::Event;
use crate::wire::Message;

/// The figures of all nodes.
#[derive(Debug, Default)]
pub struct Tally {
    nodes: Vec<Count>,
    /// By giver: payload bytes that left for each taker.
    given: Vec<Shelf<NodeId, u64>>,
    whole: usize,
    gave_up: usize,
    payload: u64,
}

/// The figures of one node, over all its lives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// From when until when it was on, each time.
    pub stays: Vec<Stay>,
    /// When it left for good.
    pub left_at: Option<Moment>,
    /// How often it vanished without a farewell.
    pub vanished: u64,
    /// When it had downloaded a whole torrent first.
    pub whole_at: Option<Moment>,
    /// Payload bytes that left it, and that were sent to it.
    pub gave: u64,
    pub was_given: u64,
    /// How often it said so.
    pub unchokes: u64,
    pub chokes: u64,
    /// Pieces that came whole and had a wrong hash.
    pub pieces_failed: u64,
    /// Peers whom it banned.
    pub bans: u64,
}

/// A time for which a node was on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stay {
    pub from: Moment,
    /// `None`: it still is.
    pub until: Option<Moment>,
}

impl Tally {
    /// The figures of one node; all zero if nothing was heard of it.
    pub fn of(&self, node: NodeId) -> Count {
        self.nodes.get(node.0).cloned().unwrap_or_default()
    }

    /// How many nodes have downloaded a whole torrent.
    pub fn whole(&self) -> usize {
        self.whole
    }

    /// How many have left for good without one.
    pub fn gave_up(&self) -> usize {
        self.gave_up
    }

    /// Payload bytes that anybody sent.
    pub fn payload(&self) -> u64 {
        self.payload
    }

    /// Payload bytes that left `from` for `to`.
    pub fn given(&self, from: NodeId, to: NodeId) -> u64 {
        self.given.get(from.0).and_then(|given| given.get(&to)).copied().unwrap_or(0)
    }

    pub(super) fn on_start(&mut self, now: Moment, node: NodeId) {
        self.count(node).stays.push(Stay { from: now, until: None });
    }

    /// It is switched off, or has nothing more to do with anybody.
    pub(super) fn on_off(&mut self, now: Moment, node: NodeId) {
        if let Some(stay) = self.count(node).stays.last_mut() {
            stay.until.get_or_insert(now);
        }
    }

    pub(super) fn on_vanished(&mut self, node: NodeId) {
        self.count(node).vanished += 1;
    }

    pub(super) fn on_left(&mut self, now: Moment, node: NodeId) {
        self.on_off(now, node);
        let count = self.count(node);
        let is_first = count.left_at.is_none();
        count.left_at.get_or_insert(now);
        let gave_up = is_first && count.whole_at.is_none();
        self.gave_up += usize::from(gave_up);
    }

    pub(super) fn on_gave(&mut self, from: NodeId, to: NodeId, payload: u64) {
        if self.given.len() <= from.0 {
            self.given.resize_with(from.0 + 1, Shelf::new);
        }
        *self.given[from.0].get_or_insert_with(to, Default::default) += payload;
        self.payload += payload;
        self.count(from).gave += payload;
        self.count(to).was_given += payload;
    }

    pub(super) fn on_says(&mut self, node: NodeId, message: &Message) {
        if *message == Message::Unchoke {
            self.count(node).unchokes += 1;
        } else if *message == Message::Choke {
            self.count(node).chokes += 1;
        }
    }

    pub(super) fn on_event(&mut self, now: Moment, node: NodeId, event: &Event) {
        let count = self.count(node);
        match event {
            // Whoever vanished with its last piece on disk finds it there and downloads nothing.
            Event::Complete { downloaded, .. } if *downloaded || count.was_given > 0 => {
                let is_first = count.whole_at.is_none();
                count.whole_at.get_or_insert(now);
                self.whole += usize::from(is_first);
            }
            Event::Stopped { .. } => self.on_left(now, node),
            Event::PieceFailed { .. } => count.pieces_failed += 1,
            Event::Banned { .. } => count.bans += 1,
            Event::Complete { .. }
            | Event::Learned { .. }
            | Event::Unusable { .. }
            | Event::Checked { .. }
            | Event::DiskTrouble { .. }
            | Event::DiskRecovered { .. }
            | Event::TrackerOk { .. }
            | Event::TrackerFailed { .. }
            | Event::TrackerTrouble { .. }
            | Event::StateTrouble { .. }
            | Event::WatchTrouble { .. }
            | Event::HookTrouble { .. }
            | Event::Host { .. }
            | Event::Told { .. }
            | Event::Finished { .. }
            | Event::Added { .. }
            | Event::Removed { .. } => {}
        }
    }

    fn count(&mut self, node: NodeId) -> &mut Count {
        if self.nodes.len() <= node.0 {
            self.nodes.resize(node.0 + 1, Count::default());
        }
        &mut self.nodes[node.0]
    }
}
