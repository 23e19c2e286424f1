//! Detail: what people may want to know of a torrent beyond its status.
//!
//! Each answer is made when somebody asks, out of what the organs know anyway; nothing is counted
//! for it on the way. So a node that nobody looks at pays nothing, and one that is looked at every
//! second pays for what is looked at.
//!
//! # Limits
//! Peers cost a few hundred bytes each, pieces and files a step each: the largest torrent that we
//! take on (two million pieces) some milliseconds.

use std::net::SocketAddr;

use super::announcer::TrackerReport;
use super::choker::Why;
use super::{Phase, Torrent};
use crate::base::{Bits, PeerId, PieceIndex, Time};
use crate::border::DiskFault;
use crate::peer::Session;
use crate::peer::session::Stance;

/// What is known of one connected peer.
#[derive(Clone, PartialEq, Debug)]
pub struct PeerDetail {
    pub addr: SocketAddr,
    pub peer_id: PeerId,
    /// We called them.
    pub dialled: bool,
    pub us: Stance,
    pub them: Stance,
    /// Bytes per second, from them and to them, and payload in all.
    pub rate_down: u64,
    pub rate_up: u64,
    pub downloaded: u64,
    pub uploaded: u64,
    pub have: Bits,
    /// They keep us waiting for what we asked for.
    pub is_snubbing: bool,
    /// Blocks that we asked them for, and that they asked us for.
    pub asked: usize,
    pub wanted: usize,
    /// The piece that they are asked for.
    pub current: Option<PieceIndex>,
    /// Why we serve them, or not; why we ask them, or not.
    pub why_up: String,
    pub why_down: String,
    /// They are served by lot.
    pub is_optimistic: bool,
}

/// Where a piece stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PieceState {
    Missing,
    /// Asked for, arriving, or read back to find out what is wrong with it.
    InFlight,
    Here,
}

impl Torrent {
    /// Everybody who is connected.
    pub fn peers(&mut self, now: Time) -> Vec<PeerDetail> {
        let choker = &self.choker;
        let details = self.peers.iter_mut().map(|(&conn, session)| {
            let why = choker.why(conn);
            let why_up = match why {
                Some(why) => format!("served: {why}"),
                None if !session.them.interested => "choked: wants nothing".to_owned(),
                None if session.pipeline.is_snubbing() => "choked: keeps us waiting".to_owned(),
                None => "choked: others go first".to_owned(),
            };
            let why_down = match session.current {
                _ if !session.us.interested => "not asked: has nothing that we lack".to_owned(),
                _ if session.them.choking => "not asked: it chokes us".to_owned(),
                Some(piece) => format!("asked for piece {}", piece.get()),
                None if !session.pipeline.is_empty() => {
                    "asked for what others have, too".to_owned()
                }
                None => "not asked: others bring what is left".to_owned(),
            };
            PeerDetail {
                addr: session.addr,
                peer_id: session.peer_id,
                dialled: session.dialled,
                us: session.us,
                them: session.them,
                rate_down: session.rate_down.get(now),
                rate_up: session.rate_up.get(now),
                downloaded: session.downloaded,
                uploaded: session.uploaded,
                have: session.have.clone(),
                is_snubbing: session.pipeline.is_snubbing(),
                asked: session.pipeline.len(),
                wanted: session.waiting(),
                current: session.current,
                why_up,
                why_down,
                is_optimistic: why == Some(Why::Optimistic),
            }
        });
        details.collect()
    }

    /// How many peers give to us, and take from us, at the moment: a block was asked for, or is
    /// queued.
    pub fn busy_peers(&self) -> (usize, usize) {
        let count = |is_busy: fn(&Session) -> bool| {
            self.peers.values().filter(|session| is_busy(session)).count()
        };
        (count(|session| !session.pipeline.is_empty()), count(|session| session.waiting() > 0))
    }

    /// How many peers we called, and how many called us.
    pub fn callers(&self) -> (usize, usize) {
        let dialled = self.peers.values().filter(|session| session.dialled).count();
        (dialled, self.peers.len() - dialled)
    }

    /// The trackers, in the order of the tiers.
    pub fn trackers(&self) -> Vec<TrackerReport> {
        self.announcer.report()
    }

    /// By piece: how many connected peers have it.
    pub fn holders(&self) -> Vec<u32> {
        self.layout().pieces().map(|piece| self.picker.holders(piece)).collect()
    }

    /// Bytes that we want and lack, and that somebody who is connected has.
    pub fn available_bytes(&self) -> u64 {
        let layout = self.layout();
        let is_missing = |&piece: &PieceIndex| !self.have.has(piece) && self.selection.wants(piece);
        let missing = layout.pieces().filter(is_missing);
        let offered = missing.filter(|&piece| self.picker.holders(piece) > 0);
        offered.map(|piece| u64::from(layout.piece_len(piece))).sum()
    }

    /// By piece: where it stands.
    pub fn piece_states(&self) -> Vec<PieceState> {
        let state = |piece: PieceIndex| match (self.have.has(piece), self.pieces.is_open(piece)) {
            (true, _) => PieceState::Here,
            (false, true) => PieceState::InFlight,
            (false, false) => PieceState::Missing,
        };
        self.layout().pieces().map(state).collect()
    }

    /// By file: how many of its bytes are here and verified.
    pub fn file_bytes(&self) -> Vec<u64> {
        let layout = self.layout();
        let mut bytes = vec![0; layout.files().len()];
        if self.have.is_all() {
            let whole = layout.files().iter().map(|file| file.len);
            bytes.iter_mut().zip(whole).for_each(|(bytes, len)| *bytes = len);
            return bytes;
        }
        for piece in self.have.iter() {
            for span in layout.spans(piece, 0, layout.piece_len(piece)) {
                bytes[span.file] += u64::from(span.len);
            }
        }
        bytes
    }

    /// Why the torrent stands still, if the disk is to blame.
    pub fn fault(&self) -> Option<DiskFault> {
        match self.phase() {
            Phase::Troubled(fault) => Some(fault),
            Phase::Seeking { .. }
            | Phase::Checking { .. }
            | Phase::Downloading
            | Phase::Seeding
            | Phase::Waiting
            | Phase::Stopping
            | Phase::Stopped => None,
        }
    }

    /// How many peers it may have.
    pub fn peers_max(&self) -> usize {
        self.identity.peers_max
    }
}
