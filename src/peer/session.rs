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
//! BEP 3, "peer protocol", "peer messages"; BEP 6; BEP 10; BEP 54.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::extensions::Extensions;
use super::fast::Fast;
use super::pipeline::Pipeline;
use crate::base::limits::{BAD_REQUESTS_MAX, REQUESTS_QUEUED_MAX, WASTE_BYTES_MAX};
use crate::base::{Bits, Block, Claim, PeerId, PieceIndex, Rate, Time};
use crate::format::layout::Layout;
use crate::wire::extended::{Metadata, Pex, Word};
use crate::wire::handshake::{EXTENSION_PROTOCOL, FAST};
use crate::wire::{Handshake, Message, Violation};

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

    /// If both sides speak the Fast extension.
    pub fast: Option<Box<Fast>>,
    /// If they speak the extension protocol, as we do.
    pub extensions: Option<Box<Extensions>>,

    pub pipeline: Pipeline,
    /// They rejected something: nothing is asked of them before.
    pub rests_until: Time,
    /// The piece we are asking for, block by block.
    pub current: Option<PieceIndex>,

    pub since: Time,
    pub last_heard: Time,
    pub last_said: Time,
    /// When one of us last was interested in the other.
    pub last_interest: Time,
    /// Of the pieces that we gained lately, they know of so many: `torrent::gains`.
    pub told: usize,
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
    /// How often they had all and then took a piece back.
    relapses: u8,

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
    /// They ask for a block while we choke them, or that we lack: not answered …
    WantsInVain,
    /// … unless they speak Fast: then with a reject.
    Refused(Claim),
    /// They will not send a block that we asked for.
    Rejected(Block),
    /// They have nothing yet, and told so.
    HasNone,
    /// We may ask for a piece of theirs, or should.
    Offered,
    /// A piece that they had is there no more.
    Lost(PieceIndex),
    /// They said who they are and which extensions they speak, or what changed of it.
    Hello,
    /// Who else they say is there.
    Pex(Pex),
    /// They ask for a piece of the metadata.
    WantsMetadata {
        piece: u32,
    },
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
            fast: None,
            extensions: None,
            pipeline: Pipeline::new(),
            rests_until: Time::START,
            current: None,
            since: now,
            last_heard: now,
            last_said: now,
            last_interest: now,
            told: 0,
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
            relapses: 0,
            in_vain: None,
        }
    }

    /// Takes note of what their handshake says they speak. To be called before any message.
    pub fn on_handshake(&mut self, theirs: &Handshake) {
        self.fast = theirs.has(FAST).then(Box::default);
        self.extensions = theirs.has(EXTENSION_PROTOCOL).then(Box::default);
    }

    pub fn is_seed(&self) -> bool {
        self.have.is_all()
    }

    /// Whether they want nothing more, a seed or not (BEP 21).
    pub fn is_upload_only(&self) -> bool {
        let said = self.extensions.as_ref().and_then(|extensions| extensions.said().upload_only);
        self.is_seed() || said == Some(true)
    }

    /// Whether they may be asked for something now; if they choke us, for what is allowed.
    pub fn may_be_asked(&self, now: Time) -> bool {
        self.us.interested && now >= self.rests_until
    }

    /// Takes one message in. `ours`: the pieces we have.
    ///
    /// Violation: `BadHave`, `BadBitfield`, `TooManyRequests`, `TooManyBadRequests`,
    /// `TooMuchExchange`.
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
            Message::Extended { id, payload } => self.on_extended(now, id, &payload, layout),
            Message::HaveAll if self.fast.is_some() => {
                Ok(self.on_told(Bits::all(layout.piece_count())))
            }
            Message::HaveNone if self.fast.is_some() && self.have.is_none() => Ok(News::HasNone),
            // Who did not say that it speaks Fast should not use its words: stepped over.
            Message::HaveAll | Message::HaveNone => Ok(News::Nothing),
            Message::Reject(claim) => Ok(self.on_reject(layout.block(claim))),
            Message::AllowedFast(piece) => Ok(self.on_offer(layout.piece(piece), Fast::on_allowed)),
            Message::Suggest(piece) => Ok(self.on_offer(layout.piece(piece), Fast::on_suggested)),
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
                Ok(News::Has(piece))
            }
            Message::Bitfield(bytes) => Bits::from_wire(&bytes, layout.piece_count())
                .map(|told| self.on_told(told))
                .ok_or(Violation::BadBitfield),
            Message::Request(claim) => self.on_request(now, claim, layout.block(claim), ours),
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
        if let Some(fast) = &self.fast {
            fast.check();
        }
        assert!(self.queued.len() <= REQUESTS_QUEUED_MAX);
        assert_eq!(self.us.choking, self.unchoked_at.is_none());
    }

    /// BEP 3 allows it as the first message only. Clients that gained pieces during the handshake
    /// send `have` first and the bitfield later, and aria2 sends a bitfield again where it is
    /// shorter than many `have`s. So it adds to what they told. It takes nothing back: no message
    /// says "I have this no more", and maps that flip would cost us a recount each.
    fn on_told(&mut self, mut told: Bits) -> News {
        told.add_all(&self.have);
        if told == self.have {
            return News::Nothing;
        }
        self.in_vain = None;
        News::HasMore { before: std::mem::replace(&mut self.have, told) }
    }

    /// `block`: `None` if what they reject does not fit the torrent.
    fn on_reject(&mut self, block: Option<Block>) -> News {
        match block.filter(|_| self.fast.is_some()) {
            Some(block) if self.pipeline.on_reject(block) => News::Rejected(block),
            Some(_) | None => News::Nothing,
        }
    }

    /// They allow or suggest a piece. A piece that does not exist is bad advice, and no more.
    fn on_offer(&mut self, piece: Option<PieceIndex>, take: fn(&mut Fast, PieceIndex)) -> News {
        match (&mut self.fast, piece) {
            (Some(fast), Some(piece)) => {
                take(fast, piece);
                News::Offered
            }
            (None, _) | (_, None) => News::Nothing,
        }
    }

    /// A piece that they had is gone. Each time that this makes a seed no seed costs us a recount;
    /// beyond a few, what they say is not believed: they can reject what they lack.
    fn on_dont_have(&mut self, piece: PieceIndex) -> News {
        if self.is_seed() {
            if self.relapses == RELAPSES_MAX {
                return News::Nothing;
            }
            self.relapses += 1;
        }
        if self.have.clear(piece) { News::Lost(piece) } else { News::Nothing }
    }

    /// A message of an extension. What cannot be read is stepped over: that is no crime.
    ///
    /// Violation: `TooMuchExchange`.
    fn on_extended(
        &mut self,
        now: Time,
        id: u8,
        payload: &[u8],
        layout: &Layout,
    ) -> Result<News, Violation> {
        let Some(extensions) = &mut self.extensions else { return Ok(News::Nothing) };
        Ok(match Word::parse(id, payload) {
            Some(Word::Hello(hello)) => {
                hello.requests_max.into_iter().for_each(|most| self.pipeline.keep_within(most));
                extensions.on_hello(hello);
                News::Hello
            }
            Some(Word::UploadOnly(upload_only)) => {
                extensions.on_upload_only(upload_only);
                News::Hello
            }
            Some(Word::DontHave(piece)) => {
                layout.piece(piece).map_or(News::Nothing, |piece| self.on_dont_have(piece))
            }
            Some(Word::Pex(pex)) if extensions.on_pex(now)? => News::Pex(pex),
            Some(Word::Pex(_)) => News::Nothing,
            Some(Word::Metadata(Metadata::Request { piece })) => News::WantsMetadata { piece },
            // We have it, and asked for none.
            Some(Word::Metadata(Metadata::Data { .. } | Metadata::Reject { .. })) | None => {
                News::Nothing
            }
        })
    }

    /// `block`: `None` if the claim does not fit the torrent.
    fn on_request(
        &mut self,
        now: Time,
        claim: Claim,
        block: Option<Block>,
        ours: &Bits,
    ) -> Result<News, Violation> {
        let speaks_fast = self.fast.is_some();
        let refused = if speaks_fast { News::Refused(claim) } else { News::WantsInVain };
        let Some(block) = block.filter(|block| ours.has(block.piece())) else {
            self.bad_requests += 1;
            if self.bad_requests > BAD_REQUESTS_MAX {
                return Err(Violation::TooManyBadRequests);
            }
            return Ok(refused);
        };
        let is_granted = |session: &mut Session| {
            let fast = session.fast.as_mut();
            fast.is_some_and(|fast| fast.spend_grant(block, &session.have))
        };
        if self.us.choking && !is_granted(self) {
            // Our choke and a pipeline of theirs may have crossed on the way: no fault.
            self.vain_requests += 1;
            if self.vain_requests > REQUESTS_QUEUED_MAX {
                return Err(Violation::TooManyBadRequests);
            }
            return Ok(refused);
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

/// See `on_dont_have`.
const RELAPSES_MAX: u8 = 8;

/// Sets a flag; saying again what was said before is no news.
fn change(flag: &mut bool, to: bool, news: News) -> News {
    if *flag == to {
        return News::Nothing;
    }
    *flag = to;
    news
}
