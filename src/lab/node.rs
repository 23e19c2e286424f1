//! Node: one participant with its engine or script, its disk and its ends of connections.
//!
//! A node is switched on and off in a run and keeps its disk, its address and its orders over
//! that; engine and connections belong to one *life*. Events that were meant for an earlier life
//! find another number and come to nothing.

use crate::base::Shelf;
use std::collections::VecDeque;
use std::net::SocketAddr;

use super::clock::Moment;
use super::datagrams::Questions;
use super::disk::Disk;
use super::mishap::Effects;
use super::pipe::{EndId, Key};
use super::scripted::{Part, Script};
use super::source::SourceId;
use crate::base::{ConnId, InfoHash, Set, Slots, Span, TorrentId};
use crate::engine::{Engine, Settings};
use crate::torrent::selection::Wishes;
use crate::wire::Link;

/// One participant.
#[derive(Debug)]
pub struct Node {
    pub name: String,
    pub addr: SocketAddr,
    pub disk: Disk,
    pub(super) role: Role,
    /// It has left for good and never starts again.
    pub(super) is_retired: bool,
    /// Counts the times it was switched on or off.
    pub(super) life: u32,
    pub(super) talks: Slots<Talk>,
    /// Dials that nobody has answered yet.
    pub(super) dials: Shelf<Key, (TorrentId, SocketAddr)>,
    /// Connections with something to send, each once, in the order in which they got it.
    dirty: VecDeque<ConnId>,
    /// The earliest call of `tick` that stands in the queue.
    pub(super) armed: Option<Moment>,
    /// Ticks without time going on in between.
    pub(super) ticks_at: (Moment, u32),
    /// Torrents that its engine said are complete, in this life.
    pub(super) complete: Set<InfoHash>,
    /// Disk jobs under way in this life.
    pub(super) jobs: Shelf<(TorrentId, JobKind), usize>,
    pub(super) effects: Effects,
    /// The next connect or call fails.
    pub(super) is_cut_off: bool,
}

/// What moves a node.
#[derive(Debug)]
pub(super) enum Role {
    Engine(Box<Driven>),
    Script(Script),
    /// An HTTP tracker, and nothing else.
    Tracker(Box<Tracker>),
}

/// A node of ours.
#[derive(Debug)]
pub(super) struct Driven {
    /// `None` while it is switched off.
    pub engine: Option<Engine>,
    pub settings: Settings,
    pub wishes: Vec<Wanted>,
    /// Calls into the network.
    pub calls_locally: bool,
    pub is_leaving: bool,
    /// What it asks trackers by datagrams.
    pub questions: Option<Questions>,
}

/// A torrent that a node takes on each time it starts.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub source: SourceId,
    /// It was there, whole, from the beginning.
    pub whole: bool,
    /// Peers by hand.
    pub peers: Vec<SocketAddr>,
    /// Tells trackers of it.
    pub announced: bool,
    /// Which files it wants.
    pub choice: Wishes,
    /// All that it has is a magnet link.
    pub by_link: bool,
    /// Gives each piece away once, and lets others copy it.
    pub super_seed: bool,
}

/// A tracker and the mood that it is in.
#[derive(Debug)]
pub(super) struct Tracker {
    pub engine: Engine,
    pub mood: Mood,
}

/// How a tracker behaves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Mood {
    Well,
    /// Connects are refused.
    Down,
    /// It takes the request and never answers.
    Silent,
    /// It answers after this time.
    Slow(Span),
    /// It answers with these bytes, whatever was asked.
    Lying(Vec<u8>),
}

/// Disk jobs, by what waits for them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum JobKind {
    Survey,
    Prepare,
    Write,
    Check,
    OtherRead,
    Save,
    Remove,
}

/// One connection, as this node holds it.
#[derive(Debug)]
pub(super) struct Talk {
    pub end: EndId,
    /// What the connection is about, since our handshake: an engine forgets that when it closes
    /// a connection, and what it said just before is still to be sent and judged.
    pub source: Option<SourceId>,
    /// The engine's name for it, since the first block.
    pub torrent: Option<TorrentId>,
    is_dirty: bool,
    pub voice: Voice,
}

/// How bytes become words here.
#[derive(Debug)]
pub(super) enum Voice {
    Link(Link),
    Part(Box<Part>),
}

impl Node {
    pub(super) fn new(name: String, addr: SocketAddr, role: Role) -> Node {
        Node {
            name,
            addr,
            disk: Disk::new(),
            role,
            is_retired: false,
            life: 0,
            talks: Slots::new(),
            dials: Shelf::new(),
            dirty: VecDeque::new(),
            armed: None,
            ticks_at: (Moment::START, 0),
            complete: Set::new(),
            jobs: Shelf::new(),
            effects: Effects::default(),
            is_cut_off: false,
        }
    }

    /// The engine, while the node is on.
    pub fn engine(&self) -> Option<&Engine> {
        match &self.role {
            Role::Engine(driven) => driven.engine.as_ref(),
            Role::Tracker(tracker) => Some(&tracker.engine),
            Role::Script(_) => None,
        }
    }

    pub(super) fn engine_mut(&mut self) -> Option<&mut Engine> {
        match &mut self.role {
            Role::Engine(driven) => driven.engine.as_mut(),
            Role::Tracker(tracker) => Some(&mut tracker.engine),
            Role::Script(_) => None,
        }
    }

    /// Puts a new connection into the table.
    pub(super) fn hold(&mut self, end: EndId, voice: Voice) -> ConnId {
        self.talks.insert(Talk { end, source: None, torrent: None, is_dirty: false, voice })
    }

    /// Forgets a connection; its slot may be used again at once, under another generation.
    pub(super) fn forget(&mut self, conn: ConnId) -> Option<Talk> {
        let talk = self.talks.remove(conn)?;
        self.talks.end_turn();
        Some(talk)
    }

    /// A connection has something to send.
    pub(super) fn mark_dirty(&mut self, conn: ConnId) {
        if let Some(talk) = self.talks.get_mut(conn).filter(|talk| !talk.is_dirty) {
            talk.is_dirty = true;
            self.dirty.push_back(conn);
        }
    }

    /// The next connection with something to send; it has its turn now.
    pub(super) fn next_dirty(&mut self) -> Option<ConnId> {
        while let Some(conn) = self.dirty.pop_front() {
            if let Some(talk) = self.talks.get_mut(conn) {
                talk.is_dirty = false;
                return Some(conn);
            }
        }
        None
    }
}
