//! Input: everything that can happen to a node.
//!
//! The world (sockets, files, clock) and the lab (simulation) say it in the same words. Payload
//! bytes are borrowed from the driver's buffer and never kept.

use std::net::{IpAddr, SocketAddr};

use crate::base::{Bits, ConnId, PieceIndex, TorrentId};
use crate::format::announce::{Refusal, Reply};
use crate::format::resume::{FileStamp, Resume};
use crate::wire::{Frame, Violation};

use super::output::ReadJob;

/// One thing that happened.
#[derive(Debug)]
pub enum Input<'i> {
    /// Somebody connected to us.
    Accepted { conn: ConnId, addr: SocketAddr },
    /// A connect that we wanted went through …
    Connected { conn: ConnId, torrent: TorrentId, addr: SocketAddr },
    /// … or did not (refused, unreachable, `CONNECT_TIMEOUT`).
    ConnectFailed { torrent: TorrentId, addr: SocketAddr },
    /// A web seed takes requests …
    WebConnected { conn: ConnId, torrent: TorrentId, web: usize, addr: SocketAddr },
    /// … or cannot be reached …
    WebFailed { torrent: TorrentId, web: usize },
    /// … or sends us elsewhere; this connection is gone.
    WebMoved { conn: ConnId, url: String },
    /// The peer said something. `at` is where a payload's bytes lie in the receive buffer.
    Frame { conn: ConnId, frame: Frame<'i>, at: usize },
    /// Blocks left the socket: payload bytes since the last report, and how many queued blocks
    /// are still (wholly or partly) waiting.
    Sent { conn: ConnId, payload: u64, waiting: usize },
    /// The connection is gone. Not said for connections that we closed ourselves.
    Closed { conn: ConnId, why: Closed },

    /// A datagram came to the port beside the peers' listener: from anybody, saying anything.
    Datagram { from: SocketAddr, bytes: &'i [u8] },

    /// Somebody in our network says something to everybody there (BEP 14): anybody, anything.
    Notice { from: SocketAddr, bytes: &'i [u8] },

    /// What is on disk, one entry per file of the layout (`None`: not there), and the resume
    /// record, if one could be read.
    Surveyed {
        torrent: TorrentId,
        result: Result<Vec<Option<FileStamp>>, DiskFault>,
        resume: Option<Resume>,
    },
    /// Directories and empty files are there.
    Prepared { torrent: TorrentId, result: Result<(), DiskFault> },
    /// One `Output::Write` was carried out.
    Written {
        torrent: TorrentId,
        piece: PieceIndex,
        begin: u32,
        len: u32,
        result: Result<(), DiskFault>,
    },
    /// One `Output::Read` was carried out; exactly `job.len` bytes if all went well.
    Read { job: ReadJob, result: Result<&'i [u8], DiskFault> },
    /// A block that we promised a peer cannot be read; the connection was closed by the driver.
    SendFailed { conn: ConnId, torrent: TorrentId, fault: DiskFault },
    /// What was written is safe on the medium, and so is the record that says so.
    Saved { torrent: TorrentId, have: Bits, result: Result<(), DiskFault> },
    /// What was ours of a removed torrent is gone; with a fault, a part of it is still there.
    Removed { torrent: TorrentId, result: Result<(), DiskFault> },

    /// A tracker answered, or did not. `from` is the address that was asked, if it came so far.
    Announced {
        torrent: TorrentId,
        /// As in `Output::Announce`.
        tracker: usize,
        from: Option<IpAddr>,
        result: Result<Reply, Refusal>,
    },
}

/// Why a connection is gone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Closed {
    /// They closed it, in order.
    ByThem,
    /// Reset, timed out, unreachable.
    Broken,
    /// They broke a rule of the protocol that `Link` watches.
    Violation(Violation),
}

/// Why the disk did not do what was asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DiskFault {
    /// A file, or a part of it, is not there.
    Missing,
    /// No space left, or a quota.
    Full,
    /// Not allowed, or a read-only file system.
    Denied,
    /// A file where a directory should be, or the reverse, or a symbolic link.
    WrongKind,
    /// The descriptor table is full; trying again later is worth it.
    Busy,
    /// The device failed.
    Failed,
}

impl std::fmt::Display for DiskFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            DiskFault::Missing => "a file is missing or too short",
            DiskFault::Full => "no space left on the device",
            DiskFault::Denied => "permission denied or read-only",
            DiskFault::WrongKind => "something else stands where a file or directory should be",
            DiskFault::Busy => "too many open files",
            DiskFault::Failed => "the device reports an error",
        })
    }
}
