//! Floor 5: the whole node as one value.

pub mod feed;
pub use crate::border::{Closed, DiskFault, Event, Input, Output, ReadFor, ReadJob};

use std::net::SocketAddr;

use crate::base::{ConnId, InfoHash, Span, Time, TorrentId};
use crate::format::http::Request;
use crate::format::layout::Layout;
use crate::format::metainfo::Metainfo;
use crate::tracker::Service;

pub use feed::feed;

/// What a node is told once, at its birth.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The port that we tell trackers.
    pub port: u16,
    pub connections_max: usize,
    pub connections_per_torrent_max: usize,
    pub unchoked_max: usize,
    /// Keep each torrent after it is complete (`true`), or stop it (`get` without `--seed`).
    pub seed: bool,
}

/// A torrent to be shared or fetched.
#[derive(Clone, Debug)]
pub struct Order {
    pub metainfo: Metainfo,
    /// Further trackers, asked before those of the torrent.
    pub trackers: Vec<String>,
    /// Peers given by hand; always dialled.
    pub peers: Vec<SocketAddr>,
    /// The data was hashed a moment ago to make this very torrent: no check is needed.
    pub whole: bool,
}

/// How a torrent is doing.
#[derive(Clone, PartialEq, Debug)]
pub struct Status {
    pub info_hash: InfoHash,
    pub name: String,
    pub phase: Phase,
    pub total_bytes: u64,
    pub have_bytes: u64,
    /// Payload of this run.
    pub uploaded: u64,
    pub downloaded: u64,
    /// Bytes per second.
    pub rate_up: u64,
    pub rate_down: u64,
    /// Peers connected, handshake done.
    pub peers: usize,
    /// `None` when there is no telling.
    pub time_left: Option<Span>,
}

/// What a torrent is about.
#[derive(Clone, PartialEq, Debug)]
pub enum Phase {
    /// Existing data is being checked; bytes looked at so far. Peers are served meanwhile.
    Checking {
        bytes: u64,
    },
    Downloading,
    Seeding,
    /// The disk failed; it will be tried again.
    Troubled(DiskFault),
    /// Stopped, or on its way there.
    Stopping,
    Stopped,
}

/// A node: torrents, their peers, and perhaps a tracker.
pub struct Engine {}

impl Engine {
    /// `seed`: for every random choice that need not be secret, the peer id among them.
    pub fn new(_settings: Settings, _seed: u64) -> Engine {
        todo!()
    }

    /// Takes a torrent on. `None` if there is already one of this info-hash.
    pub fn add(&mut self, _now: Time, _order: Order, _out: &mut Vec<Output>) -> Option<TorrentId> {
        todo!()
    }

    /// Dials a peer by hand.
    pub fn connect(&mut self, _now: Time, _torrent: TorrentId, _addr: SocketAddr) {
        todo!()
    }

    /// Says good-bye to trackers and peers and saves; `is_stopped` tells when that is done.
    pub fn stop(&mut self, _now: Time, _out: &mut Vec<Output>) {
        todo!()
    }

    pub fn is_stopped(&self) -> bool {
        todo!()
    }

    pub fn handle(&mut self, _now: Time, _input: Input<'_>, _out: &mut Vec<Output>) {
        todo!()
    }

    /// Does what is due. To be called when `deadline` has passed.
    pub fn tick(&mut self, _now: Time, _out: &mut Vec<Output>) {
        todo!()
    }

    /// When `tick` wants to be called next, and a word that says why. `None`: nothing is due.
    pub fn deadline(&self) -> Option<(Time, &'static str)> {
        todo!()
    }

    /// Serves a tracker, too.
    pub fn serve_tracker(&mut self, _service: Service) {
        todo!()
    }

    /// One HTTP request to the tracker; appends the whole response (head and body) to `answer`.
    pub fn http(
        &mut self,
        _now: Time,
        _from: SocketAddr,
        _request: &Request<'_>,
        _answer: &mut Vec<u8>,
    ) {
        todo!()
    }

    pub fn metainfo(&self, _torrent: TorrentId) -> Option<&Metainfo> {
        todo!()
    }

    pub fn layout(&self, torrent: TorrentId) -> Option<&Layout> {
        self.metainfo(torrent).map(|metainfo| &metainfo.layout)
    }

    /// Which torrent a connection is about; `None` before its handshake.
    pub fn torrent_of(&self, _conn: ConnId) -> Option<TorrentId> {
        todo!()
    }

    /// All torrents, in the order of arrival.
    pub fn torrents(&self) -> Vec<TorrentId> {
        todo!()
    }

    pub fn status(&mut self, _now: Time, _torrent: TorrentId) -> Option<Status> {
        todo!()
    }

    /// Asserts every invariant; for debug builds and simulations.
    pub fn check(&self) {
        todo!()
    }
}
