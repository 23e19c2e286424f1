//! Voice: how the other end of a connection speaks, which is the driver's business alone.
//!
//! ```text
//!  engine ── the same messages and frames ──▶ Voice ──┬─ Link   a peer
//!                                                     └─ Web    a web server
//! ```
//! Encrypted peers will be a third one.
//!
//! # Spec
//! BEP 3; BEP 19.

use super::link::{Frame, Link, Segment};
use super::message::{Message, Violation};
use super::web::Web;
use crate::format::layout::Layout;
use crate::format::query::TrackerUrl;

/// Both directions of one connection.
#[derive(Debug)]
pub enum Voice {
    Peer(Link),
    /// In a box: there are few, and they are larger.
    Web(Box<Web>),
}

/// What a driver needs of whoever speaks: frames out of bytes, and bytes that may leave.
pub trait Speech {
    /// Takes the next frame out of `input`, moving its front along. `None`: all was consumed.
    fn feed<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Frame<'i>>, Violation>;

    /// Says how many pieces the torrent has.
    fn expect_pieces(&mut self, piece_count: u32);

    /// What may leave next, in order, without end until the queue is empty.
    fn segments(&self) -> impl Iterator<Item = Segment<'_>>;

    /// Says that the first `bytes` of `segments` left. Returns how many of them were payload.
    fn sent(&mut self, bytes: usize) -> u64;

    /// Whether nothing is queued.
    fn is_idle(&self) -> bool;
}

impl Speech for Link {
    fn feed<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Frame<'i>>, Violation> {
        Link::feed(self, input)
    }

    fn expect_pieces(&mut self, piece_count: u32) {
        Link::expect_pieces(self, piece_count);
    }

    fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        Link::segments(self)
    }

    fn sent(&mut self, bytes: usize) -> u64 {
        Link::sent(self, bytes)
    }

    fn is_idle(&self) -> bool {
        Link::is_idle(self)
    }
}

impl Speech for Voice {
    fn feed<'i>(&mut self, input: &mut &'i [u8]) -> Result<Option<Frame<'i>>, Violation> {
        match self {
            Voice::Peer(link) => link.feed(input),
            Voice::Web(web) => web.feed(input),
        }
    }

    fn expect_pieces(&mut self, piece_count: u32) {
        match self {
            Voice::Peer(link) => link.expect_pieces(piece_count),
            Voice::Web(_) => {}
        }
    }

    fn segments(&self) -> impl Iterator<Item = Segment<'_>> {
        let (peer, web) = match self {
            Voice::Peer(link) => (Some(link.segments()), None),
            Voice::Web(web) => (None, Some(web.segments())),
        };
        peer.into_iter().flatten().chain(web.into_iter().flatten())
    }

    fn sent(&mut self, bytes: usize) -> u64 {
        match self {
            Voice::Peer(link) => link.sent(bytes),
            Voice::Web(web) => {
                web.sent(bytes);
                0
            }
        }
    }

    fn is_idle(&self) -> bool {
        match self {
            Voice::Peer(link) => link.is_idle(),
            Voice::Web(web) => web.is_idle(),
        }
    }
}

impl Voice {
    /// A peer's; `None`: here speaks a server, which has no blocks to wait for.
    pub fn peer(&mut self) -> Option<&mut Link> {
        match self {
            Voice::Peer(link) => Some(link),
            Voice::Web(_) => None,
        }
    }

    pub fn send(&mut self, message: &Message) {
        match self {
            Voice::Peer(link) => link.send(message),
            Voice::Web(web) => web.send(message),
        }
    }

    /// To be called before `segments`.
    pub fn go_on(&mut self, layout: &Layout) {
        if let Voice::Web(web) = self {
            web.go_on(layout);
        }
    }

    /// Where a web server sent us instead of an answer.
    pub fn moved(&self) -> Option<&TrackerUrl> {
        match self {
            Voice::Peer(_) => None,
            Voice::Web(web) => web.moved(),
        }
    }

    /// How many queued blocks are wholly or partly still to be sent.
    pub fn waiting(&self) -> usize {
        match self {
            Voice::Peer(link) => link.waiting(),
            Voice::Web(_) => 0,
        }
    }

    /// Whether more words wait than somebody who reads could have left standing: close it.
    pub fn is_overfull(&self) -> bool {
        match self {
            Voice::Peer(link) => link.is_overfull(),
            Voice::Web(_) => false,
        }
    }
}
