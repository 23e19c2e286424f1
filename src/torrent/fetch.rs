//! Fetching: what to ask of whom, and what becomes of what arrives.
//!
//! The order of wishes for a peer that will serve us:
//!
//! 1. go on with the piece that this peer is at: blocks strictly in order;
//! 2. a piece that this peer alone has to give, seeds aside: its upload is what the whole swarm
//!    waits for, and to spend it on what others could bring makes everyone wait;
//! 3. finish a piece whose peer left: an open piece is of no use to anyone;
//! 4. begin the rarest piece that the peer has;
//! 5. nothing left to begin: help with an open piece;
//! 6. nothing left to ask: *end game*, ask for what others were asked for and do not bring soon,
//!    a little at a time. Whoever brings it first wins, the others get a `cancel`.
//!
//! # Why
//! The second wish looks like the fourth, and is not: after every choke round a few pieces have
//! lost their peer, and whoever the seed serves would ask the seed to finish them. In a swarm of
//! sixty with one seed (`swarmlet lab swarm --peers 60 --size 32M --piece-length 64K`) the last
//! is done after 1.28 times the lower bound without that wish, 1.19 with it.
//!
//! And the end game of BEP 3, which asks everybody for whatever is under way, has most of it sent
//! twice: a `cancel` meets the block on its way. So a copy is asked for only of what its peer does
//! not bring soon, and only of a peer who brings things soon. Hardly anybody is done later for that;
//! of what is sent twice, it saves a third where peers come and go, four fifths in a swarm of sixty.
//!
//! # Spec
//! BEP 3, "peer protocol": rarest first, and the end game ("when a download is almost complete …").

use std::cmp::Reverse;

use super::State;
use super::Torrent;
use super::blame::{Finding, Outcome};
use super::pieces::{Source, Step, Taken, Verdict};
use crate::base::limits::{
    ENDGAME_BLOCKS_MAX, ENDGAME_COPIES_MAX, ENDGAME_PATIENCE, RANDOM_FIRST_PIECES, REJECT_REST,
};
use crate::base::{Bits, Block, Claim, ConnId, PieceIndex, Time, order};
use crate::border::reason::Pick;
use crate::border::{DiskFault, Event, Output, ReadFor, ReadJob, Reason};
use crate::peer::Session;
use crate::peer::pipeline::Arrival;
use crate::wire::{Message, Violation};

/// A stretch of payload as it came: the claim, where in the block it begins, the bytes, and where
/// those lie in the receive buffer.
#[derive(Clone, Copy, Debug)]
pub struct Payload<'i> {
    pub claim: Claim,
    pub from: u32,
    pub bytes: &'i [u8],
    pub at: usize,
}

impl Torrent {
    // ── Asking ──────────────────────────────────────────────────────────────────────────────

    /// Fills a peer's pipeline with requests, as far as there is something to ask.
    pub(super) fn fill(&mut self, now: Time, conn: ConnId, out: &mut Vec<Output>) {
        if self.state != State::Active || self.pause.is_some() || self.have.is_all() {
            return;
        }
        if self.peers.get(&conn).is_none_or(|session| !session.pipeline.is_worth_filling()) {
            return;
        }
        loop {
            let Some(session) = self.peers.get(&conn) else { return };
            let pipeline = &session.pipeline;
            let is_full = pipeline.room() == 0 || pipeline.len() >= self.requests_max;
            if is_full || !session.may_be_asked(now) {
                return;
            }
            let chokes = session.them.choking;
            let block = if chokes {
                self.next_allowed_block(conn, out)
            } else {
                self.next_block(now, conn, out)
            };
            let Some(block) = block else { return };
            let session = self.peers.get_mut(&conn).expect("looked up above");
            session.pipeline.on_asked(now, block);
            session.last_said = now;
            out.push(Output::Send { conn, message: Message::Request(block.claim()) });
            self.tick_soon(now);
        }
    }

    /// Fills everyone's pipeline: something became free. Those who keep us waiting come last, or
    /// what was taken from them would be theirs again; in the end game, the quicker come first.
    pub(super) fn fill_all(&mut self, now: Time, out: &mut Vec<Output>) {
        let is_end = self.picker.is_empty();
        let rank = |session: &mut Session| {
            let rate = if is_end { session.rate_down.get(now) } else { 0 };
            (session.pipeline.is_snubbing(), Reverse(rate))
        };
        let mut order: Vec<_> =
            self.peers.iter_mut().map(|(&conn, session)| (rank(session), conn)).collect();
        order::sort(&mut order);
        for (_, conn) in order {
            self.fill(now, conn, out);
        }
    }

    /// The next block to ask of this peer; it is then booked as asked.
    fn next_block(&mut self, now: Time, conn: ConnId, out: &mut Vec<Output>) -> Option<Block> {
        // 1. The piece it is at.
        let current = self.peers.get(&conn)?.current;
        if let Some(piece) = current
            && let Some(block) = self.pieces.ask(&self.metainfo.layout, piece, conn)
        {
            return Some(block);
        }
        // 2. to 5. Another piece.
        let choice = self
            .next_suggested(conn)
            .or_else(|| self.next_unique(conn))
            .or_else(|| self.next_orphan(conn))
            .or_else(|| self.next_new(conn))
            .or_else(|| self.next_shared(conn));
        self.peers.get_mut(&conn)?.current = choice.map(|(piece, _)| piece);
        if let Some((piece, pick)) = choice {
            self.explain(conn, |torrent| torrent.reason(piece, pick), out);
            return self.pieces.ask(&self.metainfo.layout, piece, conn);
        }
        // 6. What others were asked for.
        let block = self.next_busy(now, conn)?;
        let others = self.pieces.asked(block).map_or(0, |asked| usize::from(asked) - 1);
        self.explain(conn, |_| Reason::Block { block, others }, out);
        Some(block)
    }

    /// The next block of those that a peer who chokes us lets us have all the same.
    fn next_allowed_block(&mut self, conn: ConnId, out: &mut Vec<Output>) -> Option<Block> {
        let current = self.peers.get(&conn)?.current;
        if let Some(piece) = current
            && let Some(block) = self.pieces.ask(&self.metainfo.layout, piece, conn)
        {
            return Some(block);
        }
        let choice = self.next_allowed(conn);
        self.peers.get_mut(&conn)?.current = choice.map(|(piece, _)| piece);
        let (piece, pick) = choice?;
        self.explain(conn, |torrent| torrent.reason(piece, pick), out);
        self.pieces.ask(&self.metainfo.layout, piece, conn)
    }

    /// Says why, if anybody wants to know.
    fn explain(
        &self,
        conn: ConnId,
        reason: impl FnOnce(&Torrent) -> Reason,
        out: &mut Vec<Output>,
    ) {
        if self.identity.explain {
            out.push(Output::Because { conn, reason: reason(self) });
        }
    }

    fn reason(&self, piece: PieceIndex, pick: Pick) -> Reason {
        let (holders, peers) = (self.picker.holders(piece), self.peers.len());
        Reason::Piece { piece, pick, holders, peers, alone: self.blame.is_suspect(piece) }
    }

    /// A piece that only this peer and seeds have, begun by somebody or not. Newcomers take what
    /// comes: they need something to trade soon.
    fn next_unique(&mut self, conn: ConnId) -> Option<(PieceIndex, Pick)> {
        let have = &self.peers.get(&conn)?.have;
        // Whoever set an order wants that one.
        if !self.selection.is_plain()
            || self.webs.has(conn)
            || !self.picker.may_be_unique(have)
            || self.have.count() < RANDOM_FIRST_PIECES
        {
            return None;
        }
        let is_open = |piece| have.has(piece) && self.pieces.has_free(piece, conn);
        let is_unique = |piece| self.picker.is_unique(piece, have);
        let orphan = self.orphans.iter().copied().find(|&p| is_open(p) && is_unique(p));
        if let Some(piece) = orphan {
            self.orphans.remove(&piece);
            return Some((piece, Pick::Unique));
        }
        let unique = self.picker.pick_unique(have)?;
        Some(self.begin(unique, Pick::Unique))
    }

    /// A piece that a peer who chokes us lets us have all the same.
    fn next_allowed(&mut self, conn: ConnId) -> Option<(PieceIndex, Pick)> {
        let session = self.peers.get(&conn)?;
        let mut allowed = session.fast.as_ref()?.allowed().iter().copied();
        let piece = allowed.find(|&piece| self.can_begin(piece, conn, &session.have))?;
        Some(self.go_for(piece, Pick::Allowed))
    }

    /// A piece that the peer suggested, if it is still of use and nobody set an order.
    fn next_suggested(&mut self, conn: ConnId) -> Option<(PieceIndex, Pick)> {
        let fast = self.peers.get_mut(&conn)?.fast.as_mut()?;
        if !fast.has_suggested() || !self.selection.is_plain() {
            return None;
        }
        let suggested = fast.take_suggested();
        let have = &self.peers.get(&conn)?.have;
        let piece = suggested.into_iter().rfind(|&piece| self.can_begin(piece, conn, have))?;
        Some(self.go_for(piece, Pick::Suggested))
    }

    /// Whether this peer can begin a piece, or go on with one that is open.
    fn can_begin(&self, piece: PieceIndex, conn: ConnId, have: &Bits) -> bool {
        let is_free = self.picker.is_wanted(piece) || self.pieces.has_free(piece, conn);
        have.has(piece) && is_free
    }

    fn go_for(&mut self, piece: PieceIndex, pick: Pick) -> (PieceIndex, Pick) {
        if self.picker.is_wanted(piece) {
            return self.begin(piece, pick);
        }
        self.orphans.remove(&piece);
        (piece, pick)
    }

    fn next_orphan(&mut self, conn: ConnId) -> Option<(PieceIndex, Pick)> {
        let have = &self.peers.get(&conn)?.have;
        let pieces = &self.pieces;
        let found = self
            .orphans
            .iter()
            .copied()
            .find(|&piece| have.has(piece) && pieces.has_free(piece, conn))?;
        self.orphans.remove(&found);
        Some((found, Pick::Orphan))
    }

    fn next_new(&mut self, conn: ConnId) -> Option<(PieceIndex, Pick)> {
        let session = self.peers.get_mut(&conn)?;
        let offers = self.picker.offers();
        if session.in_vain == Some(offers) {
            return None;
        }
        let anywhere = self.have.count() < RANDOM_FIRST_PIECES;
        let (picker, have, random) = (&self.picker, &session.have, &mut self.random);
        // A server is asked for neighbours in one request.
        let in_order = self.selection.is_sequential() || self.webs.has(conn);
        let (picked, pick) = match in_order {
            true => {
                (self.selection.ranks().find_map(|rank| picker.first(have, rank)), Pick::Sequential)
            }
            false => (
                self.selection.ranks().find_map(|rank| picker.pick(have, anywhere, rank, random)),
                if anywhere { Pick::Random } else { Pick::Rarest },
            ),
        };
        if picked.is_none() {
            session.in_vain = Some(offers);
        }
        picked.map(|piece| self.begin(piece, pick))
    }

    /// A piece is missing: it may be begun, if anybody wants it.
    pub(super) fn offer(&mut self, piece: PieceIndex) {
        if self.selection.wants(piece) {
            self.picker.want(piece, &mut self.random);
        }
    }

    fn begin(&mut self, piece: PieceIndex, pick: Pick) -> (PieceIndex, Pick) {
        self.picker.withdraw(piece);
        self.pieces.open(&self.metainfo.layout, piece, self.blame.is_suspect(piece));
        (piece, pick)
    }

    fn next_shared(&mut self, conn: ConnId) -> Option<(PieceIndex, Pick)> {
        let have = &self.peers.get(&conn)?.have;
        let mut open = self.pieces.iter();
        let piece = open.find(|&piece| have.has(piece) && self.pieces.has_free(piece, conn))?;
        Some((piece, Pick::Shared))
    }

    /// End game: few at a time, those with the fewest askers first. What comes soon anyway is left
    /// alone, and looked at again when it should have come.
    fn next_busy(&mut self, now: Time, conn: ConnId) -> Option<Block> {
        let session = self.peers.get(&conn)?;
        if !self.picker.is_empty() || session.pipeline.len() >= ENDGAME_BLOCKS_MAX {
            return None;
        }
        // Who keeps us waiting itself would be one more to wait for.
        if session.pipeline.held_up(now).next().is_some() {
            return None;
        }
        let held_up = self.held_up(now);
        let mut waits = false;
        let mut may_ask = |block, asked: u8| {
            let from = held_up.partition_point(|&held| held < block);
            let slow = held_up[from..].iter().take_while(|&&held| held == block).count();
            let comes_soon = slow < usize::from(asked);
            waits |= comes_soon;
            !comes_soon && !session.pipeline.has(block)
        };
        let layout = &self.metainfo.layout;
        let open: Vec<PieceIndex> =
            self.pieces.iter().filter(|&piece| session.have.has(piece)).collect();
        for copies in 1..ENDGAME_COPIES_MAX {
            for &piece in &open {
                let block = self.pieces.ask_again(now, layout, piece, copies, conn, &mut may_ask);
                if block.is_some() {
                    return block;
                }
            }
        }
        if waits {
            self.soon.ask_again.get_or_insert(now + ENDGAME_PATIENCE);
        }
        None
    }

    /// The blocks that somebody keeps us waiting for, once for each who does, ascending.
    fn held_up(&self, now: Time) -> Vec<Block> {
        let sessions = self.peers.iter().map(|(_, session)| session);
        let mut held_up: Vec<Block> =
            sessions.flat_map(|session| session.pipeline.held_up(now)).collect();
        order::sort(&mut held_up);
        held_up
    }

    /// They choke us. Who speaks Fast rejects what will not come, block by block; until then it
    /// may come. Of all others, nothing comes.
    pub(super) fn on_choked(&mut self, conn: ConnId) {
        let Some(session) = self.peers.get_mut(&conn) else { return };
        if session.fast.is_none() {
            return self.abandon(conn);
        }
        self.leave_current(conn);
    }

    /// They will not send a block: others may be asked for it, and they a little later.
    pub(super) fn on_rejected(&mut self, now: Time, conn: ConnId, block: Block) {
        let Some(session) = self.peers.get_mut(&conn) else { return };
        if !session.them.choking {
            session.rests_until = now + REJECT_REST;
        } else if let Some(fast) = &mut session.fast {
            fast.disallow(block.piece());
        }
        if session.current == Some(block.piece()) {
            self.leave_current(conn);
        }
        self.release(conn, &[block]);
        self.tick_soon(now);
        self.soon.fill_all.get_or_insert(now);
    }

    /// This peer is no longer at the piece that it was at.
    pub(super) fn leave_current(&mut self, conn: ConnId) {
        if let Some(piece) = self.peers.get_mut(&conn).and_then(|peer| peer.current.take())
            && self.pieces.is_open(piece)
        {
            self.pieces.release_alone(piece, conn);
            self.orphans.insert(piece);
        }
    }

    /// Takes back everything that this peer was asked for; others may be asked.
    pub(super) fn abandon(&mut self, conn: ConnId) {
        self.leave_current(conn);
        let Some(session) = self.peers.get_mut(&conn) else { return };
        let blocks = session.pipeline.take_back_all();
        self.release(conn, &blocks);
    }

    /// These blocks are no longer asked of this peer.
    pub(super) fn release(&mut self, conn: ConnId, blocks: &[Block]) {
        for &block in blocks {
            self.pieces.release(block);
            self.pieces.release_alone(block.piece(), conn);
            if self.pieces.is_open(block.piece()) {
                self.orphans.insert(block.piece());
            }
        }
    }

    /// Takes back everything that anyone was asked for.
    pub(super) fn drop_requests(&mut self, out: &mut Vec<Output>) {
        for (&conn, session) in self.peers.iter_mut() {
            session.current = None;
            for block in session.pipeline.take_back_all() {
                self.pieces.release(block);
                out.push(Output::Send { conn, message: Message::Cancel(block.claim()) });
            }
        }
    }

    // ── What arrives ────────────────────────────────────────────────────────────────────────

    /// Payload came.
    ///
    /// Violation: `TooMuchWaste`.
    pub fn on_payload(
        &mut self,
        now: Time,
        conn: ConnId,
        payload: Payload<'_>,
        out: &mut Vec<Output>,
    ) -> Result<(), Violation> {
        let Payload { claim, from, bytes, at } = payload;
        let Some(session) = self.peers.get_mut(&conn) else { return Ok(()) };
        let count = bytes.len() as u64;
        let Some(block) = self.metainfo.layout.block(claim).filter(|&block| {
            // We ask for whole blocks only; anything else was never asked for.
            let number = block.begin() / crate::base::limits::BLOCK_BYTES;
            self.metainfo.layout.block_at(block.piece(), number) == block
        }) else {
            return session.on_waste(now, count, true);
        };
        let arrival = session.pipeline.judge(block);
        // A block that began to arrive may go on, whatever was taken back since.
        let welcome = arrival != Arrival::Unasked || from > 0;
        let source = Source { conn, addr: session.addr };
        let taken = if welcome {
            self.pieces.on_payload(now, source, block, from, bytes)
        } else {
            Taken::Unwanted
        };
        let last = from as usize + bytes.len() == block.len() as usize;
        if taken == Taken::Unwanted {
            let wasted = session.on_waste(now, count, arrival == Arrival::Unasked);
            if last && arrival == Arrival::Asked {
                session.pipeline.on_block(now, block);
                self.pieces.release(block);
                self.fill(now, conn, out);
            } else if last {
                // Late once is no fault; the same block again was never asked for.
                session.pipeline.forget_late(block);
            }
            return wasted;
        }
        session.on_payload(now, count);
        session.pipeline.on_progress(now, block);
        self.tick_soon(now);
        self.tally.downloaded += count;
        self.turn.moved = now;
        self.tally.rate_down.add(now, count);
        self.writes_under_way += 1;
        out.push(Output::Write {
            torrent: self.id,
            piece: block.piece(),
            begin: block.begin() + from,
            at: at..at + bytes.len(),
        });
        if taken == Taken::Whole {
            self.on_block(now, conn, block, arrival, out);
        }
        Ok(())
    }

    fn on_block(
        &mut self,
        now: Time,
        conn: ConnId,
        block: Block,
        arrival: Arrival,
        out: &mut Vec<Output>,
    ) {
        if let Some(session) = self.peers.get_mut(&conn) {
            session.pipeline.on_block(now, block);
        }
        if arrival == Arrival::Asked {
            self.pieces.release(block);
        }
        if self.pieces.asked(block).is_some_and(|asked| asked > 0) {
            self.cancel_elsewhere(conn, block, out);
        }
        self.step(now, block.piece(), out);
        self.fill(now, conn, out);
    }

    /// The end game was won by one peer: the others need not send this block.
    fn cancel_elsewhere(&mut self, winner: ConnId, block: Block, out: &mut Vec<Output>) {
        for (&conn, session) in self.peers.iter_mut() {
            if conn != winner && session.pipeline.take_back(block) {
                self.pieces.release(block);
                out.push(Output::Send { conn, message: Message::Cancel(block.claim()) });
            }
        }
    }

    /// The disk reports one of our writes.
    pub fn on_written(
        &mut self,
        now: Time,
        piece: PieceIndex,
        len: u32,
        result: Result<(), DiskFault>,
        out: &mut Vec<Output>,
    ) {
        self.writes_under_way -= 1;
        match result {
            Ok(()) => {
                self.pieces.on_written(piece, len);
                self.mind_recovery(out);
                self.step(now, piece, out);
            }
            Err(fault) => self.pause(now, fault, out),
        }
    }

    /// A block that arrived out of order was read back.
    pub(super) fn on_hash_read(
        &mut self,
        now: Time,
        job: ReadJob,
        result: Result<&[u8], DiskFault>,
        out: &mut Vec<Output>,
    ) {
        match result {
            Ok(bytes) => {
                self.pieces.on_read(job.piece, bytes);
                self.step(now, job.piece, out);
            }
            Err(fault) => self.pause(now, fault, out),
        }
    }

    /// Does what an open piece needs next.
    fn step(&mut self, now: Time, piece: PieceIndex, out: &mut Vec<Output>) {
        match self.pieces.step(&self.metainfo.layout, piece) {
            Step::Wait => {}
            Step::ReadBack { begin, len } => {
                let purpose = ReadFor::Hash;
                out.push(Output::Read(ReadJob { torrent: self.id, piece, begin, len, purpose }));
            }
            Step::Done(verdict) => self.judge(now, piece, &verdict, out),
        }
    }

    // ── The verdict ─────────────────────────────────────────────────────────────────────────

    /// A piece is whole and on disk: is it right?
    fn judge(&mut self, now: Time, piece: PieceIndex, verdict: &Verdict, out: &mut Vec<Output>) {
        self.orphans.remove(&piece);
        if verdict.hash == self.metainfo.piece_hashes[piece.at()] {
            let finding = self.blame.on_right(&self.metainfo.layout, piece);
            self.tally.fetched = true;
            self.tally.arrives = true;
            self.on_piece(now, piece, out);
            self.act_on(now, piece, finding, out);
            return;
        }
        out.push(Output::Event(Event::PieceFailed { torrent: self.id, piece }));
        let finding = self.blame.on_failed(&self.metainfo.layout, piece, verdict);
        if !matches!(finding, Finding::Read(_)) {
            self.offer(piece);
        }
        self.act_on(now, piece, finding, out);
        self.fill_all(now, out);
    }

    fn act_on(&mut self, now: Time, piece: PieceIndex, finding: Finding, out: &mut Vec<Output>) {
        match finding {
            Finding::Nothing => {}
            Finding::Guilty(addr) => self.ban(now, addr, out),
            Finding::Read(ranges) => {
                for (begin, len) in ranges {
                    let (torrent, purpose) = (self.id, ReadFor::Blame);
                    out.push(Output::Read(ReadJob { torrent, piece, begin, len, purpose }));
                }
            }
        }
    }

    pub(super) fn on_blame_read(
        &mut self,
        now: Time,
        job: ReadJob,
        bytes: Option<&[u8]>,
        out: &mut Vec<Output>,
    ) {
        match self.blame.on_read(&self.metainfo.layout, job.piece, job.begin, bytes) {
            Outcome::Wait => {}
            Outcome::FetchAgain => {
                self.offer(job.piece);
                self.fill_all(now, out);
            }
            Outcome::Guilty(addrs) => addrs.into_iter().for_each(|addr| self.ban(now, addr, out)),
        }
    }
}
