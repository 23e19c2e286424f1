//! Peer connections: the two buffers, between sockets and links.
//!
//! ```text
//!  socket ── receive ──▶ [ receive buffer, 256 KiB ] ──▶ engine::feed ──▶ outputs
//!
//!  socket ◀── flush ──── heads and messages of the link, by reference
//!                   └─── [ send buffer, 256 KiB ] ◀── one read for neighbouring blocks
//! ```
//!
//! Both buffers belong to the reactor and serve every connection in turn: a connection that is
//! silent costs no buffer at all. What a socket did not take is not kept either. The link knows
//! up to which byte it left, and the rest is read again, most likely out of the page cache.
//!
//! # Interface
//! `receive` once per turn while the connection is ready; `flush` once per turn while its link
//! has something. Both are generic over `Read` and `Write`, so that a test runs them over a
//! stream that is cut at every byte.
//!
//! # Why
//! Batching decides what a byte costs: one read and one `writev` for sixteen blocks need half of
//! the time that a call for each block needs, as little as `sendfile`, and they work for every
//! kind of stream.

use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::SocketAddr;

use mio::net::TcpStream;

use crate::base::limits::{BLOCK_BYTES, SEND_BUFFER_BYTES, SEND_SEGMENTS_MAX};
use crate::base::{PieceIndex, Rate, Time, TorrentId};
use crate::engine::{Closed, DiskFault};
use crate::wire::link::Segment;
use crate::wire::{Link, Speech, Voice};

/// One connection to a peer, in whatever stage it is.
#[derive(Debug)]
pub struct PeerConn {
    pub stream: TcpStream,
    pub addr: SocketAddr,
    pub stage: Stage,
    pub voice: Voice,
    /// Whose blocks are in the link; known once the first is queued.
    pub torrent: Option<TorrentId>,
    /// What the socket is ready for, as far as we know.
    pub ready: Ready,
    /// How much it sent lately: in a crowd, those who were served least come first.
    pub served: Rate,
    /// How much payload the socket is likely to take in one go.
    pub appetite_bytes: usize,
}

/// Where a connection stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stage {
    /// We called; they have not picked up yet.
    Connecting(TorrentId),
    /// We call a web seed, for the first time or again.
    Calling,
    Open,
    /// One last flush, then it ends.
    Closing,
}

/// What mio said once and will not say again before we run into "would block".
#[derive(Clone, Copy, Default, Debug)]
pub struct Ready {
    pub readable: bool,
    pub writable: bool,
    /// They will send no more; whoever reads on finds the end.
    pub hung_up: bool,
    /// In the reactor's list of those to be received from, and of those to be flushed.
    pub in_receive_list: bool,
    pub in_flush_list: bool,
}

impl PeerConn {
    pub fn new(now: Time, stream: TcpStream, addr: SocketAddr, stage: Stage) -> PeerConn {
        PeerConn {
            stream,
            addr,
            stage,
            voice: Voice::Peer(Link::new()),
            torrent: None,
            ready: Ready::default(),
            served: Rate::new(now),
            appetite_bytes: APPETITE_AT_FIRST,
        }
    }

    /// Learns from a flush how much to read for the next one: a socket that took everything is
    /// offered twice as much, one that did not is offered what it took. So a slow link does not
    /// make us read a buffer full for every packet that leaves.
    pub fn learn(&mut self, flush: &Flush) {
        let next = match flush.end {
            FlushEnd::Idle | FlushEnd::More => self.appetite_bytes * 2,
            FlushEnd::Blocked => flush.written,
            FlushEnd::Broken | FlushEnd::Unreadable(_) => return,
        };
        self.appetite_bytes = next.clamp(APPETITE_MIN, SEND_BUFFER_BYTES);
    }
}

/// What one `receive` brought.
#[derive(PartialEq, Eq, Debug)]
pub enum Received {
    /// So many bytes, and the socket is not known to be empty.
    More(usize),
    /// So many bytes (perhaps none), and the next ones will be announced by an event.
    Drained(usize),
    Gone(Closed),
}

/// Receives once, as much as there is and `buffer` holds.
///
/// A read that does not fill the buffer emptied the socket: the next byte raises a new event
/// (epoll(7), "edge-triggered"). Only an end of the stream that was already there raises none,
/// hence `hung_up`, which says that the event carried it.
pub fn receive(stream: &mut impl Read, buffer: &mut [u8], hung_up: bool) -> Received {
    loop {
        return match stream.read(buffer) {
            Ok(0) => Received::Gone(Closed::ByThem),
            Ok(len) if len == buffer.len() || hung_up => Received::More(len),
            Ok(len) => Received::Drained(len),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == ErrorKind::WouldBlock => Received::Drained(0),
            Err(_) => Received::Gone(Closed::Broken),
        };
    }
}

/// What one `flush` did.
#[derive(PartialEq, Eq, Debug)]
pub struct Flush {
    /// Bytes that left, and how many of them were payload.
    pub written: usize,
    pub payload: u64,
    pub end: FlushEnd,
}

/// How a flush ended.
#[derive(PartialEq, Eq, Debug)]
pub enum FlushEnd {
    /// Nothing is queued any more.
    Idle,
    /// The socket is full; an event says when it takes more.
    Blocked,
    /// Everything that was offered left, and there is more to offer.
    More,
    Broken,
    /// A queued block cannot be read. Nothing was sent in this call.
    Unreadable(DiskFault),
}

/// Sends the front of the link in one call: as many segments as `SEND_SEGMENTS_MAX` and
/// `buffer`, which holds the payload, allow.
///
/// `read`: fills its last argument with the bytes of a piece from a begin on; called once for
/// blocks that are neighbours.
pub fn flush(
    stream: &mut impl Write,
    speech: &mut impl Speech,
    buffer: &mut [u8],
    read: impl FnMut(PieceIndex, u32, &mut [u8]) -> Result<(), DiskFault>,
) -> Flush {
    let loaded = match load(speech, buffer, read) {
        Ok(loaded) => loaded,
        Err(fault) => return Flush { written: 0, payload: 0, end: FlushEnd::Unreadable(fault) },
    };
    let (offered, written) = offer(stream, speech, &buffer[..loaded]);
    let Ok(written) = written else {
        return Flush { written: 0, payload: 0, end: FlushEnd::Broken };
    };
    let payload = if written > 0 { speech.sent(written) } else { 0 };
    let end = match written < offered {
        true => FlushEnd::Blocked,
        false if speech.is_idle() => FlushEnd::Idle,
        false => FlushEnd::More,
    };
    Flush { written, payload, end }
}

/// A stretch of one piece that is read in one go, and where in the buffer it goes.
struct Run {
    piece: PieceIndex,
    begin: u32,
    len: usize,
    at: usize,
}

/// Reads the payload of the blocks at the front of the link, back to back, into `buffer`.
///
/// Returns how many bytes there are. The last block may be cut by the end of the buffer.
fn load(
    speech: &impl Speech,
    buffer: &mut [u8],
    mut read: impl FnMut(PieceIndex, u32, &mut [u8]) -> Result<(), DiskFault>,
) -> Result<usize, DiskFault> {
    let mut loaded = 0;
    let mut run: Option<Run> = None;
    for segment in speech.segments().take(SEND_SEGMENTS_MAX) {
        let Segment::Block { block, rest, .. } = segment else { continue };
        let len = rest.len().min(buffer.len() - loaded);
        if len == 0 {
            break;
        }
        let (piece, begin) = (block.piece(), block.begin() + rest.start);
        match &mut run {
            Some(run) if run.piece == piece && run.reaches(begin) => run.len += len,
            _ => {
                if let Some(whole) = run.replace(Run { piece, begin, len, at: loaded }) {
                    read(whole.piece, whole.begin, &mut buffer[whole.at..][..whole.len])?;
                }
            }
        }
        loaded += len;
    }
    if let Some(whole) = run {
        read(whole.piece, whole.begin, &mut buffer[whole.at..][..whole.len])?;
    }
    Ok(loaded)
}

impl Run {
    /// Whether a block at `begin` would go on where this run ends.
    fn reaches(&self, begin: u32) -> bool {
        u64::from(begin) == u64::from(self.begin) + self.len as u64
    }
}

/// Writes the front of the link, `payload` being what `load` read for it.
///
/// Returns how many bytes were offered, and how many of them were taken. "Would block" is zero.
fn offer(
    stream: &mut impl Write,
    speech: &impl Speech,
    mut payload: &[u8],
) -> (usize, std::io::Result<usize>) {
    let mut slices = [IoSlice::new(&[]); SEND_SEGMENTS_MAX * 2];
    let mut count = 0;
    let mut offered = 0;
    let mut put = |bytes| {
        slices[count] = IoSlice::new(bytes);
        count += usize::from(!bytes.is_empty());
        offered += bytes.len();
    };
    for segment in speech.segments().take(SEND_SEGMENTS_MAX) {
        match segment {
            Segment::Bytes(bytes) => put(bytes),
            // The buffer ends here; a head alone would only commit us to the block.
            Segment::Block { .. } if payload.is_empty() => break,
            Segment::Block { head, rest, .. } => {
                let (first, later) = payload.split_at(rest.len().min(payload.len()));
                put(head);
                put(first);
                payload = later;
                if first.len() < rest.len() {
                    break;
                }
            }
        }
    }
    if offered == 0 {
        return (0, Ok(0));
    }
    loop {
        return match stream.write_vectored(&slices[..count]) {
            Ok(0) => (offered, Err(ErrorKind::WriteZero.into())),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) if error.kind() == ErrorKind::WouldBlock => (offered, Ok(0)),
            result => (offered, result),
        };
    }
}

/// Before a connection has shown what it takes: four blocks.
const APPETITE_AT_FIRST: usize = 4 * BLOCK_BYTES as usize;
/// And however little it took: one block.
const APPETITE_MIN: usize = BLOCK_BYTES as usize;
