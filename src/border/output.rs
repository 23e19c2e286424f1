//! Output: everything a node can want.
//!
//! Outputs own their data and carry at most a range of the receive buffer, never a borrow. The
//! driver carries them out in order, after the machine has returned and before the receive buffer
//! is used again.

use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

use super::input::DiskFault;
use crate::base::{Bits, Block, ConnId, InfoHash, PieceIndex, Span, TorrentId};
use crate::format::announce::Announce;
use crate::format::endpoint::Endpoint;
use crate::wire::{Handshake, Message};

use super::reason::Reason;

/// Who is looked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Whom {
    /// A peer of the torrent.
    Peer,
    /// A node of the DHT.
    Node,
}

/// One thing that the driver shall do.
#[derive(Clone, PartialEq, Debug)]
pub enum Output {
    /// Open a connection; answered by `Connected` or `ConnectFailed`.
    Connect {
        torrent: TorrentId,
        addr: SocketAddr,
    },
    /// Connect to a web seed; answered by `WebConnected` or `WebFailed`. `web`: its number in the
    /// torrent.
    CallWeb {
        torrent: TorrentId,
        web: usize,
        url: String,
        /// Who sent us there.
        sent_by: Option<IpAddr>,
    },
    SendHandshake {
        conn: ConnId,
        handshake: Handshake,
    },
    Send {
        conn: ConnId,
        message: Message,
    },
    /// Queue a block; read its bytes when the socket can take them.
    SendBlock {
        conn: ConnId,
        torrent: TorrentId,
        block: Block,
    },
    /// Forget a queued block, unless its first byte has left.
    CancelBlock {
        conn: ConnId,
        block: Block,
    },
    /// Forget all queued blocks whose first byte has not left: we choke this peer.
    DropBlocks {
        conn: ConnId,
    },
    /// Send what can be sent at once, then close. No `Closed` follows.
    Close {
        conn: ConnId,
        why: &'static str,
    },

    /// Look at the files and the resume record; answered by `Surveyed`.
    Survey {
        torrent: TorrentId,
    },
    /// Make directories and empty files; answered by `Prepared`.
    Prepare {
        torrent: TorrentId,
    },
    /// Write `at` of the receive buffer to `begin` of the piece; answered by `Written`.
    Write {
        torrent: TorrentId,
        piece: PieceIndex,
        begin: u32,
        at: Range<usize>,
    },
    /// Read bytes back; answered by `Read`.
    Read(ReadJob),
    /// Make what was written safe and then record it; answered by `Saved`.
    Save {
        torrent: TorrentId,
        have: Bits,
        uploaded: u64,
        downloaded: u64,
        clean: bool,
    },
    /// Forget a torrent: close its files and take its record away. `erase`: take its files away,
    /// too, and nothing but them; answered by `Removed`.
    Remove {
        torrent: TorrentId,
        erase: bool,
    },

    /// Ask a tracker; answered by `Announced` within `timeout`.
    Announce {
        torrent: TorrentId,
        /// Which tracker of the torrent, counted through all tiers in the order of the file.
        tracker: usize,
        url: String,
        /// In a box: it is the largest of all, and the rarest.
        announce: Box<Announce>,
        timeout: Span,
    },

    /// Send a datagram from the port beside the peers' listener; to a group, from the socket that
    /// hears what is said there. Nobody tells whether it arrived, or left.
    SendDatagram {
        to: SocketAddr,
        bytes: Box<[u8]>,
    },

    /// Find out where somebody is whom a torrent or a link names. If they are found, the engine
    /// hears of it as if a person had named the address.
    LookUp {
        torrent: TorrentId,
        endpoint: Endpoint,
        whom: Whom,
    },

    /// Something that a person or a script wants to know.
    Event(Event),
    /// Why the next words to this peer are what they are. Only if asked for.
    Because {
        conn: ConnId,
        reason: Reason,
    },
}

/// A range of a piece to be read back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReadJob {
    pub torrent: TorrentId,
    pub piece: PieceIndex,
    /// Byte offset inside the piece.
    pub begin: u32,
    /// At most the send buffer's size.
    pub len: u32,
    pub purpose: ReadFor,
}

/// What a read is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReadFor {
    /// Checking what was on disk before we began.
    Check,
    /// Hashing a block that arrived out of order.
    Hash,
    /// Remembering what a failed piece was made of, to prove who sent bad data.
    Blame,
}

/// News for the person.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// Existing data was checked: so many of all bytes are here.
    Checked { torrent: TorrentId, have_bytes: u64, total_bytes: u64 },
    /// Every piece is here and verified. `downloaded`: whether some came in this run.
    Complete { torrent: TorrentId, info_hash: InfoHash, bytes: u64, took: Span, downloaded: bool },
    /// A piece arrived whole but its hash is wrong.
    PieceFailed { torrent: TorrentId, piece: PieceIndex },
    /// A peer proved to send bad data.
    Banned { torrent: TorrentId, addr: SocketAddr },
    /// The torrent stands still until `retry` has passed.
    DiskTrouble { torrent: TorrentId, reason: String, retry: Span },
    /// It goes on again.
    DiskRecovered { torrent: TorrentId },
    /// A tracker accepted us.
    TrackerOk { torrent: TorrentId, url: String, peers: usize },
    /// A tracker did not.
    TrackerFailed { torrent: TorrentId, url: String, reason: String, retry: Span },
    /// It is complete, has given what it should, and stops by itself.
    Finished { torrent: TorrentId },
    /// The metadata of a magnet link is here, and it is a torrent like any other from now on.
    Learned { torrent: TorrentId },
    /// The metadata is here, and no torrent that we can use.
    Unusable { torrent: TorrentId, reason: String },
    /// The torrent said good-bye to its trackers and is saved.
    Stopped { torrent: TorrentId },
    /// It was taken on while the node ran, by remote control.
    Added { torrent: TorrentId },
    /// It was removed. `fault`: some of its files could not be taken away.
    Removed { torrent: TorrentId, fault: Option<DiskFault> },
    /// What remote control changed cannot be written down: a restart would not know of it.
    StateTrouble { reason: String },
    /// A file of the watched directory is no torrent, or cannot be read; or the directory itself.
    WatchTrouble { file: String, reason: String },
    /// The program that was to be run for a torrent that arrived failed.
    HookTrouble { name: String, reason: String },
    /// Something about the host: the trace cannot be written any more, an interface is down.
    Host { what: &'static str, news: String },
    /// What happened with a peer, or why we do what we do. Only if asked for.
    Told { peer: SocketAddr, what: String },
    /// The tracker's own files cannot be written or read.
    TrackerTrouble { what: &'static str, reason: String },
}
