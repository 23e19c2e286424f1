//! Witness: who overhears every word of every connection, and compares.
//!
//! A node's sessions say what its engine believes was said. The witness listens with ears of its
//! own, a second `Link` behind each end, and keeps its own books:
//!
//! ```text
//!   words that the engine puts out ──▶ said ─┐
//!                                            ├─▶ recount: the engine believes the same
//!   bytes that arrive ──▶ ear (Link) ─▶ heard┘
//! ```
//! So a `have` that is counted twice, an unchoke that is decided and not said, a request that is
//! heard and forgotten, a block that stays queued after its cancel: all of these show in the very
//! step in which they happen, and not as a download that is a little slow.
//!
//! # Limits
//! Costs about as much as the run itself: stories have one, swarms of hundreds do without.

use crate::base::Shelf;
use crate::base::order;
use std::net::SocketAddr;

use super::Lab;
use super::clock::Moment;
use super::net::NodeId;
use super::node::{Node, Talk, Voice};
use super::pipe::EndId;
use super::source::Source;
use crate::base::limits::{CHOKE_ROUND, REQUESTS_QUEUED_MAX};
use crate::base::{Bits, Block, Claim, ConnId, InfoHash, PieceIndex, Set, Span, TorrentId};
use crate::engine::Engine;
use crate::peer::Session;
use crate::torrent::Torrent;
use crate::wire::handshake::FAST;
use crate::wire::{Frame, Link, Message};

/// BEP 3: keep-alives "generally once every two minutes".
const SILENCE_MAX: Span = Span::from_secs(120);

/// Whoever wants a place that is free has it before so many rounds are over.
const ROUNDS_WAITED_MAX: u64 = 3;

/// What was said and heard at every end.
#[derive(Debug, Default)]
pub(super) struct Witness {
    ends: Shelf<EndId, Overheard>,
}

/// One end of one connection.
#[derive(Debug)]
struct Overheard {
    ear: Link,
    /// What they said is no BitTorrent; the engine has to part with them.
    is_deaf: bool,
    said: Stance,
    heard: Stance,
    /// They speak Fast, and so do we always: a choke takes nothing back.
    is_fast: bool,
    /// What they let us ask for while they choke us.
    allowed: Set<u32>,
    /// We let them have some; how much of it they may still have is not followed.
    grants: bool,
    /// Words said but those of extensions and keep-alives, and when the last of all.
    words: u64,
    last_word: Moment,
    /// They did not choke us at some time in this turn.
    was_unchoked: bool,
    /// Blocks that we asked for and that may still come.
    asked: Set<Claim>,
    /// Requests that we took back and whose answers are still to come: who speaks Fast answers
    /// every one of them, and the oldest first.
    taken_back: Shelf<Claim, u32>,
    /// What has to be queued for them once this turn's words are answered.
    due: Option<Vec<Block>>,
}

/// What one side said of itself.
#[derive(Debug)]
struct Stance {
    choking: bool,
    interested: bool,
    /// Known once it is known what the conversation is about.
    have: Option<Bits>,
}

/// What must be known of the node that hears something.
pub(super) struct Ears<'l> {
    pub now: Moment,
    pub engine: &'l Engine,
    pub talk: &'l Talk,
    pub conn: ConnId,
    /// What the torrent of an info-hash is like.
    pub piece_count: &'l dyn Fn(InfoHash) -> Option<u32>,
}

impl Witness {
    // ── What they say ───────────────────────────────────────────────────────────────────────

    /// Bytes are about to be fed to an engine.
    pub fn on_hears(&mut self, ears: &Ears<'_>, bytes: &[u8]) {
        let Voice::Link(link) = &ears.talk.voice else { return };
        let overheard = self.end(ears.now, ears.talk.end);
        overheard.was_unchoked = !overheard.heard.choking;
        overheard.due = Some(link.queued().collect());
        let mut input = bytes;
        while !overheard.is_deaf {
            match overheard.ear.feed(&mut input) {
                Ok(Some(Frame::Handshake(theirs))) => {
                    let pieces = (ears.piece_count)(theirs.info_hash);
                    pieces.into_iter().for_each(|count| overheard.ear.expect_pieces(count));
                    overheard.heard.have = pieces.map(Bits::none);
                    overheard.is_fast = theirs.has(FAST);
                }
                Ok(Some(Frame::Message(message))) => overheard.on_message(ears, &message),
                Ok(Some(Frame::Payload { block, from, bytes })) => {
                    if from as usize + bytes.len() == block.len as usize {
                        overheard.asked.remove(&block);
                        overheard.taken_back.remove(&block);
                    }
                }
                Ok(None) => return,
                Err(_) => overheard.is_deaf = true,
            }
        }
        overheard.due = None;
    }

    /// The engine has answered: what they asked for is queued, what they took back is not.
    pub fn after_words(&mut self, talk: &Talk) -> Result<(), String> {
        let Voice::Link(link) = &talk.voice else { return Ok(()) };
        let Some(overheard) = self.ends.get_mut(&talk.end) else { return Ok(()) };
        let Some(mut due) = overheard.due.take() else { return Ok(()) };
        let mut queued: Vec<Block> = link.queued().collect();
        order::sort(&mut due);
        order::sort(&mut queued);
        if due == queued {
            return Ok(());
        }
        let more = queued.iter().find(|block| !due.contains(block));
        let less = due.iter().find(|block| !queued.contains(block));
        let (due, queued) = (due.len(), queued.len());
        Err(format!("has {queued} blocks queued where {due} are wanted: {more:?} for {less:?}"))
    }

    // ── What we say ─────────────────────────────────────────────────────────────────────────

    /// An engine says a message.
    pub fn on_says(
        &mut self,
        now: Moment,
        source: &Source,
        end: EndId,
        message: &Message,
    ) -> Result<(), String> {
        let count = source.layout().piece_count();
        let overheard = self.end(now, end);
        let is_first = overheard.words == 0;
        overheard.words +=
            u64::from(!matches!(message, Message::Extended { .. } | Message::KeepAlive));
        overheard.last_word = now;
        let Overheard { said, heard, .. } = overheard;
        let have = said.have.get_or_insert_with(|| Bits::none(count));
        match message {
            Message::Choke | Message::Unchoke => {
                let chokes = *message == Message::Choke;
                overheard.due = None;
                change(&mut said.choking, chokes, "chokes or unchokes")
            }
            Message::Interested => change(&mut said.interested, true, "is interested"),
            Message::NotInterested => change(&mut said.interested, false, "is not interested"),
            Message::Have(piece) => match source.layout().piece(*piece) {
                Some(piece) if have.set(piece) => Ok(()),
                Some(_) | None => Err(format!("says have of {piece} again")),
            },
            Message::Bitfield(_) | Message::HaveAll | Message::HaveNone if !is_first => {
                Err("says a bitfield late".to_owned())
            }
            Message::Bitfield(bytes) => {
                *have = Bits::from_wire(bytes, count).ok_or("says a bitfield of the wrong size")?;
                Ok(())
            }
            Message::HaveAll => {
                *have = Bits::all(count);
                Ok(())
            }
            Message::HaveNone => Ok(()),
            Message::Request(claim) => {
                let theirs = heard.have.as_ref().ok_or("asks before the handshake")?;
                let piece = source.layout().piece(claim.piece).ok_or("asks for no piece")?;
                let may = overheard.was_unchoked || overheard.allowed.contains(&claim.piece);
                let is_sensible = said.interested && may && theirs.has(piece);
                if !overheard.asked.insert(*claim) && overheard.is_fast {
                    return Err(format!("asks for {claim:?} again before it has an answer"));
                }
                is_sensible.then_some(()).ok_or_else(|| {
                    format!("asks for {claim:?} of a peer that chokes it or lacks the piece")
                })
            }
            Message::Cancel(claim) => {
                if overheard.asked.remove(claim) && overheard.is_fast {
                    *overheard.taken_back.get_or_insert_with(*claim, || 0) += 1;
                }
                Ok(())
            }
            Message::AllowedFast(_) => {
                overheard.grants = true;
                Ok(())
            }
            Message::Suggest(_) | Message::Reject(_) if !overheard.is_fast => {
                Err("speaks Fast to who does not".to_owned())
            }
            Message::KeepAlive
            | Message::Port(_)
            | Message::Suggest(_)
            | Message::Reject(_)
            | Message::Extended { .. }
            | Message::Unknown(_) => Ok(()),
        }
    }

    /// Something leaves: a block that goes on is a word, too.
    pub fn on_sends(&mut self, now: Moment, end: EndId) {
        self.end(now, end).last_word = now;
    }

    // ── Whether they believe the same ───────────────────────────────────────────────────────

    /// Compares everything that a node believes of its connections with what was said.
    pub fn recount(&self, now: Moment, node: &Node, engine: &Engine) -> Result<(), String> {
        for (_, talk) in node.talks.iter() {
            if let Voice::Link(link) = &talk.voice {
                link.check();
                if link.waiting() > REQUESTS_QUEUED_MAX + 1 {
                    return Err(format!("has {} blocks queued for one peer", link.waiting()));
                }
            }
        }
        for torrent in engine.torrents().into_iter().filter_map(|id| engine.look_at(id)) {
            for (conn, session) in torrent.sessions() {
                let talk = node.talks.get(conn).ok_or("has a session without a connection")?;
                self.compare(now, torrent, session, talk)
                    .map_err(|what| format!("{conn:?}: {what}"))?;
            }
        }
        Ok(())
    }

    fn compare(
        &self,
        now: Moment,
        torrent: &Torrent,
        session: &Session,
        talk: &Talk,
    ) -> Result<(), String> {
        let Some(overheard) = self.ends.get(&talk.end) else { return Ok(()) };
        let Overheard { said, heard, .. } = overheard;
        require(session.us.choking == said.choking, "chokes or unchokes without a word")?;
        require(session.us.interested == said.interested, "is interested without a word")?;
        require(session.them.choking == heard.choking, "took no note of a choke or unchoke")?;
        require(session.them.interested == heard.interested, "took no note of an interest")?;
        let theirs = heard.have.as_ref().ok_or("talks before the handshake")?;
        require(session.have == *theirs, "believes that they have other pieces than they said")?;
        let blocks_asked = |block: Block| overheard.asked.contains(&block.claim());
        require(session.pipeline.blocks().all(blocks_asked), "waits for what it never asked for")?;
        if let Voice::Link(link) = &talk.voice {
            let begun = usize::from(link.has_begun_block());
            let (believed, queued) = (session.waiting(), link.waiting());
            let agrees = believed == queued || believed + begun == queued;
            require(agrees, "believes that other blocks are queued than there are")?;
        }
        if torrent.under_way().survey {
            return Ok(());
        }
        let ours = torrent.have();
        let wants = theirs.any_missing_in(ours);
        // That it lacks no more what it wanted it may say a little later.
        let agrees = session.us.interested == wants || (!wants && torrent.has_gains());
        require(agrees, "wants something and does not say so, or lied")?;
        let none = Bits::none(ours.len());
        let mut told = said.have.as_ref().unwrap_or(&none).clone();
        told.add_all(theirs);
        torrent.untold(session).iter().for_each(|&piece| {
            told.set(piece);
        });
        // A super-seed tells of a piece when it is its time.
        let may_hide = torrent.is_super_seeding();
        require(may_hide || !ours.any_missing_in(&told), "has a piece that it never told of")?;
        let silent = now.since(overheard.last_word);
        require(silent <= SILENCE_MAX, "says nothing for two minutes")
    }

    fn end(&mut self, now: Moment, end: EndId) -> &mut Overheard {
        self.ends.get_or_insert_with(end, || Overheard::new(now))
    }
}

impl Overheard {
    fn new(now: Moment) -> Overheard {
        let stance = || Stance { choking: true, interested: false, have: None };
        Overheard {
            ear: Link::new(),
            is_deaf: false,
            said: stance(),
            heard: stance(),
            is_fast: false,
            allowed: Set::new(),
            grants: false,
            words: 0,
            last_word: now,
            was_unchoked: false,
            asked: Set::new(),
            taken_back: Shelf::new(),
            due: None,
        }
    }

    /// They said a message.
    fn on_message(&mut self, ears: &Ears<'_>, message: &Message) {
        match message {
            Message::Choke => {
                self.heard.choking = true;
                if !self.is_fast {
                    self.asked.clear();
                }
            }
            Message::Unchoke => {
                self.heard.choking = false;
                self.was_unchoked = true;
            }
            Message::Interested => self.heard.interested = true,
            Message::NotInterested => self.heard.interested = false,
            Message::Have(piece) => {
                if let Some(have) = self.heard.have.as_mut().filter(|have| *piece < have.len()) {
                    have.set(PieceIndex::checked(*piece));
                }
            }
            Message::HaveAll => {
                if let Some(have) = self.heard.have.as_mut().filter(|_| self.is_fast) {
                    *have = Bits::all(have.len());
                }
            }
            Message::Reject(claim) => match self.taken_back.get_mut(claim) {
                Some(count) if *count > 0 => *count -= 1,
                Some(_) | None => {
                    self.asked.remove(claim);
                }
            },
            Message::AllowedFast(piece) => {
                self.allowed.insert(*piece);
            }
            Message::Bitfield(bytes) => {
                if let Some(have) = &mut self.heard.have
                    && let Some(told) = Bits::from_wire(bytes, have.len())
                {
                    have.add_all(&told);
                }
            }
            Message::Request(claim) => {
                if self.said.choking && self.grants {
                    self.due = None;
                } else if let (false, Some(block)) = (self.said.choking, ears.welcome(*claim)) {
                    self.due.iter_mut().for_each(|due| due.push(block));
                }
            }
            Message::Cancel(claim) => {
                if let (Some(block), Some(due)) = (ears.welcome(*claim), &mut self.due)
                    && let Some(place) = due.iter().rposition(|&queued| queued == block)
                {
                    due.remove(place);
                }
            }
            Message::KeepAlive
            | Message::Port(_)
            | Message::Suggest(_)
            | Message::HaveNone
            | Message::Extended { .. }
            | Message::Unknown(_) => {}
        }
    }
}

impl Ears<'_> {
    fn torrent(&self) -> Option<&Torrent> {
        self.engine.look_at(self.engine.torrent_of(self.conn)?)
    }

    /// The block that a claim means, if we could serve it.
    fn welcome(&self, claim: Claim) -> Option<Block> {
        let torrent = self.torrent()?;
        torrent.layout().block(claim).filter(|block| torrent.have().has(block.piece()))
    }
}

fn require(holds: bool, otherwise: &str) -> Result<(), String> {
    holds.then_some(()).ok_or_else(|| otherwise.to_owned())
}

/// A word that changes nothing is one too many.
fn change(flag: &mut bool, to: bool, what: &str) -> Result<(), String> {
    if std::mem::replace(flag, to) == to {
        Err(format!("{what}, and said so before"))
    } else {
        Ok(())
    }
}

// ── Places ──────────────────────────────────────────────────────────────────────────────────

/// Since when somebody at a node has waited for a place that is free.
#[derive(Debug, Default)]
pub(super) struct Queue {
    since: Shelf<TorrentId, Moment>,
}

impl Queue {
    /// Failure: it has lasted for too long.
    pub fn recount(&mut self, now: Moment, engine: &Engine) -> Result<(), String> {
        for id in engine.torrents() {
            let Some(torrent) = engine.look_at(id).filter(|torrent| is_anyone_left_out(torrent))
            else {
                self.since.remove(&id);
                continue;
            };
            let since = *self.since.get_or_insert_with(id, || now);
            if now.since(since) > CHOKE_ROUND.times(ROUNDS_WAITED_MAX) {
                let peers = torrent.sessions().count();
                return Err(format!(
                    "has a free place since {since:?}, and serves none of {peers}"
                ));
            }
        }
        Ok(())
    }
}

/// Whether somebody wants a place, is fit for it, and a place is free. (Before the survey is back,
/// which a busy disk may hold up for minutes, we do not know what we could give.)
fn is_anyone_left_out(torrent: &Torrent) -> bool {
    if torrent.under_way().survey {
        return false;
    }
    let wants = |session: &&Session| session.them.interested && !session.is_seed();
    let sessions = || torrent.sessions().map(|(_, session)| session).filter(wants);
    let served = sessions().filter(|session| !session.us.choking).count();
    let snubs = |session: &Session| session.pipeline.is_snubbing() && !torrent.is_whole();
    let waits = sessions().any(|session| session.us.choking && !snubs(session));
    waits && served < torrent.places()
}

// ── Where the lab asks ──────────────────────────────────────────────────────────────────────

impl Lab {
    /// An engine is about to be fed.
    pub(super) fn overhear(&mut self, id: NodeId, conn: ConnId, received: &[u8]) {
        let Lab { judge, nodes, sources, by_hash, now, .. } = self;
        let (Some(witness), Some(engine)) = (judge.witness(), nodes[id.0].engine()) else { return };
        let Some(talk) = nodes[id.0].talks.get(conn) else { return };
        let piece_count = |name: InfoHash| {
            let source = by_hash.get(&name)?;
            Some(sources[source.0].layout().piece_count())
        };
        let ears = Ears { now: *now, engine, talk, conn, piece_count: &piece_count };
        witness.on_hears(&ears, received);
    }

    /// It has answered.
    pub(super) fn compare_queue(&mut self, id: NodeId, conn: ConnId) {
        let Lab { judge, nodes, .. } = self;
        let (Some(witness), Some(talk)) = (judge.witness(), nodes[id.0].talks.get(conn)) else {
            return;
        };
        let verdict = witness.after_words(talk);
        self.require(id, verdict);
    }

    /// A record is about to be made.
    pub(super) fn judge_record(&mut self, id: NodeId, torrent: TorrentId, have: &Bits) {
        let engine = self.nodes[id.0].engine();
        let Some(metainfo) = engine.and_then(|engine| engine.metainfo(torrent)) else { return };
        let Some(source) = self.by_hash.get(&metainfo.info_hash) else { return };
        let verdict = self.judge.on_saves(&self.nodes[id.0], &self.sources[source.0], have);
        self.require(id, verdict.map_err(|what| format!("records what is not so: {what}")));
    }

    /// Somebody is banned: it must have been a scripted peer, or one whose disk a story spoilt.
    pub(super) fn judge_ban(&mut self, id: NodeId, addr: SocketAddr) {
        let is_it = |node: &Node| node.addr.ip() == addr.ip();
        let Some(place) = self.nodes.iter().position(is_it) else { return };
        let is_honest = self.nodes[place].engine().is_some();
        if is_honest && !self.excused.contains(&NodeId(place)) {
            let name = &self.nodes[place].name;
            let verdict = Err(format!("bans {name}, who never sent a wrong byte"));
            self.require(id, verdict);
        }
    }
}
