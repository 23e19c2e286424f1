//! Session: what two peers have said of themselves, and what the next message means.
//!
//! Each side *chokes* the other or not, and is *interested* in it or not. Data flows one way
//! when the sender does not choke and the receiver is interested. All four begin as below.
//!
//! ```text
//!              us                         them
//!   choking    true  ── we send nothing   true  ── they send nothing
//!   interested false                      false
//! ```
//!
//! # Interface
//! `on_message` once for every message that came; it changes what we know of *them* and returns
//! the `News`, which the torrent acts on. What *we* say is changed by the torrent through the
//! public fields, in the same breath as it sends the message.
//!
//! # Spec
//! BEP 3, "peer protocol", "peer messages".

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::pipeline::Pipeline;
use crate::base::limits::{BAD_REQUESTS_MAX, REQUESTS_QUEUED_MAX, WASTE_BYTES_MAX};
use crate::base::{Bits, Block, PeerId, PieceIndex, Rate, Time};
use crate::format::layout::Layout;
use crate::wire::{Message, Violation};

/// What one side has said of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stance {
    pub choking: bool,
    pub interested: bool,
}

/// One conversation, from handshake to close.
#[derive(Debug)]
pub struct Session {
    /// Where they are. The port is theirs to listen on only if we dialled.
    pub addr: SocketAddr,
    pub peer_id: PeerId,
    /// We called them.
    pub dialled: bool,
    pub us: Stance,
    pub them: Stance,
    /// The pieces they have.
    pub have: Bits,

    pub pipeline: Pipeline,
    /// The piece we are asking for, block by block.
    pub current: Option<PieceIndex>,

    pub since: Time,
    pub last_heard: Time,
    pub last_said: Time,
    /// When one of us last was interested in the other.
    pub last_interest: Time,
    /// When payload last left to them, or was queued on an empty queue.
    pub last_sent: Time,
    /// When we last unchoked them.
    pub unchoked_at: Option<Time>,

    /// Payload per second, and in all.
    pub rate_down: Rate,
    pub rate_up: Rate,
    pub downloaded: u64,
    pub uploaded: u64,
    /// Blocks queued for them, as they stand in the link; but one whose first byte has left may
    /// be in the link alone, if they cancelled it then.
    queued: VecDeque<Block>,

    wasted: u64,
    bad_requests: u32,
    /// Requests that came while we choked them, since we last did.
    vain_requests: usize,

    /// The state of the picker's offers in which there was nothing to begin with this peer; no
    /// need to search again before either changes.
    pub in_vain: Option<u64>,
}

/// What a message means for the torrent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum News {
    /// Nothing that anyone must act on.
    Nothing,
    /// They choke us: what we asked for will not come.
    Choked,
    Unchoked,
    Interested,
    NotInterested,
    /// They have one more piece.
    Has(PieceIndex),
    /// They have several more pieces; `before` is what they had until now.
    HasMore {
        before: Bits,
    },
    /// They ask for a block, and may: it is to be queued.
    Wants(Block),
    /// They ask for a block while we choke them, or that we lack: not answered.
    WantsInVain,
    /// They no longer want a block that is queued for them.
    Cancels(Block),
}

impl Session {
    /// A fresh conversation, right after the handshakes.
    pub fn new(
        now: Time,
        addr: SocketAddr,
        peer_id: PeerId,
        dialled: bool,
        pieces: u32,
    ) -> Session {
        let stance = Stance { choking: true, interested: false };
        Session {
            addr,
            peer_id,
            dialled,
            us: stance,
            them: stance,
            have: Bits::none(pieces),
            pipeline: Pipeline::new(),
            current: None,
            since: now,
            last_heard: now,
            last_said: now,
            last_interest: now,
            last_sent: now,
            unchoked_at: None,
            rate_down: Rate::new(now),
            rate_up: Rate::new(now),
            downloaded: 0,
            uploaded: 0,
            queued: VecDeque::new(),
            wasted: 0,
            bad_requests: 0,
            vain_requests: 0,
            in_vain: None,
        }
    }

    pub fn is_seed(&self) -> bool {
        self.have.is_all()
    }

    /// Takes one message in. `ours`: the pieces we have.
    ///
    /// Violation: `BadHave`, `BadBitfield`, `TooManyRequests`, `TooManyBadRequests`.
    pub fn on_message(
        &mut self,
        now: Time,
        layout: &Layout,
        ours: &Bits,
        message: Message,
    ) -> Result<News, Violation> {
        self.last_heard = now;
        match message {
            Message::KeepAlive | Message::Port(_) | Message::Unknown(_) => Ok(News::Nothing),
            Message::Choke => Ok(change(&mut self.them.choking, true, News::Choked)),
            Message::Unchoke => Ok(change(&mut self.them.choking, false, News::Unchoked)),
            Message::Interested => Ok(change(&mut self.them.interested, true, News::Interested)),
            Message::NotInterested => {
                Ok(change(&mut self.them.interested, false, News::NotInterested))
            }
            Message::Have(index) => {
                let piece = layout.piece(index).ok_or(Violation::BadHave { piece: index })?;
                if !self.have.set(piece) {
                    return Ok(News::Nothing);
                }
                self.in_vain = None;
                Ok(News::Has(piece))
            }
            Message::Bitfield(bytes) => self.on_bitfield(&bytes, layout),
            Message::Request(claim) => self.on_request(now, layout.block(claim), ours),
            Message::Cancel(claim) => Ok(match layout.block(claim) {
                Some(block) if self.unqueue(block) => News::Cancels(block),
                // Ours had left when theirs came, or there never was a request.
                Some(_) | None => News::Nothing,
            }),
        }
    }

    /// Counts payload that helped. `bytes` of it came now.
    pub fn on_payload(&mut self, now: Time, bytes: u64) {
        self.last_heard = now;
        self.downloaded += bytes;
        self.rate_down.add(now, bytes);
    }

    /// Counts payload that nobody wanted. `unasked`: we had never asked for it.
    ///
    /// Violation: `TooMuchWaste` beyond `WASTE_BYTES_MAX` and one per cent of what was useful.
    pub fn on_waste(&mut self, now: Time, bytes: u64, unasked: bool) -> Result<(), Violation> {
        self.last_heard = now;
        if unasked {
            self.wasted += bytes;
        }
        if self.wasted > WASTE_BYTES_MAX + self.downloaded / 100 {
            return Err(Violation::TooMuchWaste);
        }
        Ok(())
    }

    /// Counts payload that left; `waiting` blocks are still queued.
    pub fn on_sent(&mut self, now: Time, payload: u64, waiting: usize) {
        self.last_said = now;
        self.last_sent = now;
        self.uploaded += payload;
        self.rate_up.add(now, payload);
        while self.queued.len() > waiting {
            self.queued.pop_front();
        }
        if self.queued.is_empty() {
            self.queued = VecDeque::new();
        }
    }

    /// How many blocks are queued for them.
    pub fn waiting(&self) -> usize {
        self.queued.len()
    }

    /// Nothing is queued for them any more: we choke them.
    pub fn unqueue_all(&mut self) {
        self.queued = VecDeque::new();
    }

    /// Takes a queued block back, if it is there; the last one of its kind, as `Link::cancel`.
    fn unqueue(&mut self, block: Block) -> bool {
        let place = self.queued.iter().rposition(|&queued| queued == block);
        place.is_some_and(|place| self.queued.remove(place).is_some())
    }

    pub fn check(&self) {
        self.have.check();
        self.pipeline.check();
        assert!(self.queued.len() <= REQUESTS_QUEUED_MAX);
        assert_eq!(self.us.choking, self.unchoked_at.is_none());
    }

    /// BEP 3 allows it as the first message only. Clients that gained pieces during the handshake
    /// send `have` first and the bitfield later, and aria2 sends a bitfield again where it is
    /// shorter than many `have`s. So it adds to what they told. It takes nothing back: no message
    /// says "I have this no more", and maps that flip would cost us a recount each.
    fn on_bitfield(&mut self, bytes: &[u8], layout: &Layout) -> Result<News, Violation> {
        let mut told =
            Bits::from_wire(bytes, layout.piece_count()).ok_or(Violation::BadBitfield)?;
        told.add_all(&self.have);
        if told == self.have {
            return Ok(News::Nothing);
        }
        self.in_vain = None;
        Ok(News::HasMore { before: std::mem::replace(&mut self.have, told) })
    }

    /// `block`: `None` if the claim does not fit the torrent.
    fn on_request(
        &mut self,
        now: Time,
        block: Option<Block>,
        ours: &Bits,
    ) -> Result<News, Violation> {
        let Some(block) = block.filter(|block| ours.has(block.piece())) else {
            self.bad_requests += 1;
            if self.bad_requests > BAD_REQUESTS_MAX {
                return Err(Violation::TooManyBadRequests);
            }
            return Ok(News::WantsInVain);
        };
        if self.us.choking {
            // Our choke and a pipeline of theirs may have crossed on the way: no fault.
            self.vain_requests += 1;
            if self.vain_requests > REQUESTS_QUEUED_MAX {
                return Err(Violation::TooManyBadRequests);
            }
            return Ok(News::WantsInVain);
        }
        self.vain_requests = 0;
        if self.queued.len() >= REQUESTS_QUEUED_MAX {
            return Err(Violation::TooManyRequests);
        }
        if self.queued.is_empty() {
            self.last_sent = now;
        }
        self.queued.push_back(block);
        Ok(News::Wants(block))
    }
}

/// Sets a flag; saying again what was said before is no news.
fn change(flag: &mut bool, to: bool, news: News) -> News {
    if *flag == to {
        return News::Nothing;
    }
    *flag = to;
    news
}
