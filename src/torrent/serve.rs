//! Peers that come and go, what they say, whom we serve, and the clock of it all.

use std::net::SocketAddr;

use super::choker::Standing;
use super::exchange::listens_at;
use super::explain::Before;
use super::gains::Gains;
use super::{State, Torrent};
use crate::base::limits::{
    KEEP_ALIVE_EVERY, MUTUAL_DISINTEREST_MAX, SEND_STALL_MAX, SILENCE_MAX, YIELDS_AFTER,
};
use crate::base::{Bits, Block, ConnId, PeerId, PieceIndex, Span, Time};
use crate::border::{Event, Output, Reason};
use crate::peer::{News, Session};
use crate::wire::{Handshake, Message};

/// Sessions in which something moves are looked at this often.
const SECOND: Span = Span::from_secs(1);

impl Torrent {
    // ── Coming and going ────────────────────────────────────────────────────────────────────

    /// The handshakes are done: a conversation begins.
    pub fn on_peer(
        &mut self,
        now: Time,
        conn: ConnId,
        addr: SocketAddr,
        peer: (&Handshake, bool),
        out: &mut Vec<Output>,
    ) {
        let (theirs, dialled) = peer;
        let pieces = self.layout().piece_count();
        let mut session = Session::new(now, addr, theirs.peer_id, dialled, pieces);
        session.on_handshake(theirs);
        session.told = self.gains.told();
        self.picker.on_join(&session.have);
        self.peers.insert(conn, Box::new(session));
        if dialled {
            self.candidates.on_connected(addr);
        }
        if let Some(super_seed) = &mut self.super_seed {
            super_seed.on_join(now, conn);
        }
        self.say_hello(conn, out);
        if self.state != State::Surveying {
            self.say_what_we_have(conn, out);
        }
        self.tick_by(now + KEEP_ALIVE_EVERY);
    }

    /// A bitfield may only be the first word, but for the extensions' handshake. It is built at
    /// this very moment: what comes later is told by `have`.
    fn say_what_we_have(&self, conn: ConnId, out: &mut Vec<Output>) {
        let speaks_fast = self.peers.get(&conn).is_some_and(|session| session.fast.is_some());
        let is_hidden = self.is_super_seeding();
        let (none, all) = (self.have.is_none() || is_hidden, self.have.is_all());
        let message = match (speaks_fast, none, all) {
            (false, true, _) => return,
            (true, true, _) => Message::HaveNone,
            (true, _, true) => Message::HaveAll,
            (false, false, _) | (true, false, false) => {
                Message::Bitfield(self.have.as_bytes().to_vec())
            }
        };
        out.push(Output::Send { conn, message });
    }

    /// The survey is done. Peers who came while it lasted have heard nothing yet, for until now
    /// we did not know what we have.
    pub(super) fn break_the_silence(&mut self, now: Time, out: &mut Vec<Output>) {
        let conns: Vec<ConnId> = self.peers.keys().copied().collect();
        for conn in conns {
            self.say_what_we_have(conn, out);
            self.mind_interest(now, conn, out);
        }
    }

    /// Another connection to the same peer, if there is one: whether we dialled it, and when its
    /// handshakes were done.
    pub fn twin(&self, peer_id: PeerId) -> Option<(ConnId, bool, Time)> {
        let twin = self.peers.iter().find(|(_, session)| session.peer_id == peer_id);
        twin.map(|(&conn, session)| (conn, session.dialled, session.since))
    }

    /// The connection is gone, or about to be closed.
    pub fn on_gone(&mut self, now: Time, conn: ConnId) {
        self.abandon(conn);
        let Some(session) = self.peers.remove(&conn) else { return };
        self.pieces.on_gone(conn);
        self.picker.on_leave(&session.have);
        let is_banned = self.candidates.is_banned(session.addr);
        self.webs.on_gone(now, conn, session.downloaded > 0, is_banned);
        self.super_seed.iter_mut().for_each(|super_seed| super_seed.on_gone(now, conn));
        if session.dialled {
            let useful = session.downloaded + session.uploaded > 0;
            self.candidates.on_closed(now, session.addr, useful);
        }
        self.soon.give_places.get_or_insert(now);
        self.soon.fill_all.get_or_insert(now);
    }

    fn part(&mut self, now: Time, conn: ConnId, why: &'static str, out: &mut Vec<Output>) {
        out.push(Output::Close { conn, why });
        self.on_gone(now, conn);
    }

    /// How useful everybody is: bytes per second both ways, and one more for whoever wants
    /// something or has it.
    pub fn uses(&mut self, now: Time) -> Vec<(u64, ConnId)> {
        let use_of = |session: &mut Session| {
            let interest = session.us.interested || session.them.interested;
            let moved = session.rate_down.get(now).saturating_add(session.rate_up.get(now));
            moved.saturating_add(u64::from(interest))
        };
        self.peers.iter_mut().map(|(&conn, session)| (use_of(session), conn)).collect()
    }

    /// Who makes room for a newcomer at `addr` when all places are taken: the one whose priority
    /// is lowest, if it is lower than the newcomer's.
    ///
    /// Nobody goes with whom blocks move, who came less than `YIELDS_AFTER` ago, whom a person
    /// named, nor a web server.
    /// Spec: BEP 40.
    pub fn who_yields(&self, now: Time, addr: SocketAddr) -> Option<ConnId> {
        let may_go = |(conn, session): &(ConnId, &Session)| {
            let moves = session.pipeline.is_busy() || session.waiting() > 0;
            let is_settled = now.since(session.since) >= YIELDS_AFTER;
            !moves
                && is_settled
                && !self.candidates.is_by_hand(session.addr)
                && !self.webs.has(*conn)
        };
        let others = self.sessions().filter(may_go).map(|(conn, session)| {
            let theirs = listens_at(session).unwrap_or(session.addr);
            (self.candidates.priority_of(theirs), conn)
        });
        let (lowest, conn) = others.min()?;
        (lowest < self.candidates.priority_of(addr)).then_some(conn)
    }

    /// The node has no place for this peer any more.
    pub fn dismiss(&mut self, now: Time, conn: ConnId, why: &'static str, out: &mut Vec<Output>) {
        self.part(now, conn, why, out);
    }

    /// Parts with everyone.
    pub(super) fn close_all(&mut self, now: Time, why: &'static str, out: &mut Vec<Output>) {
        self.gains = Gains::default();
        self.tick_at = None;
        let conns: Vec<ConnId> = self.peers.keys().copied().collect();
        for &conn in &conns {
            self.abandon(conn);
            self.pieces.on_gone(conn);
        }
        for (conn, session) in std::mem::take(&mut self.peers) {
            self.picker.on_leave(&session.have);
            self.webs.on_gone(now, conn, true, false);
            self.super_seed.iter_mut().for_each(|super_seed| super_seed.on_gone(now, conn));
            if session.dialled {
                self.candidates.on_closed(now, session.addr, true);
            }
            out.push(Output::Close { conn, why });
        }
    }

    /// Who has everything has nothing to say to another who has, or who wants no more: make room.
    pub(super) fn part_with_seeds(&mut self, now: Time, out: &mut Vec<Output>) {
        // A super-seed keeps those who have everything: it must know when they are enough.
        if !self.is_done() || self.is_super_seeding() {
            return;
        }
        let is_seed = |session: &Session| session.is_upload_only();
        let seeds: Vec<(ConnId, SocketAddr)> = self
            .peers
            .iter()
            .filter(|(_, session)| is_seed(session))
            .map(|(&conn, session)| (conn, session.addr))
            .collect();
        for (conn, addr) in seeds {
            self.candidates.on_seed(addr);
            self.remember_seed(now, conn);
            self.part(now, conn, "both are seeds", out);
        }
    }

    pub(super) fn ban(&mut self, now: Time, addr: SocketAddr, out: &mut Vec<Output>) {
        if self.candidates.is_banned(addr) {
            return;
        }
        self.candidates.ban(addr);
        out.push(Output::Event(Event::Banned { torrent: self.id, addr }));
        let candidates = &self.candidates;
        let banned: Vec<ConnId> = self
            .peers
            .iter()
            .filter(|(_, session)| candidates.is_banned(session.addr))
            .map(|(&conn, _)| conn)
            .collect();
        for conn in banned {
            self.part(now, conn, "sent bad data", out);
        }
    }

    // ── What they say ───────────────────────────────────────────────────────────────────────

    pub(super) fn on_news(&mut self, now: Time, conn: ConnId, news: News, out: &mut Vec<Output>) {
        match news {
            News::Nothing | News::WantsInVain => {}
            News::Choked => {
                self.on_choked(conn);
                self.soon.fill_all.get_or_insert(now);
            }
            News::Unchoked => self.fill(now, conn, out),
            News::Interested => {
                if let Some(session) = self.peers.get_mut(&conn) {
                    session.last_interest = now;
                }
                self.soon.give_places.get_or_insert(now);
                self.mind_guest(now, conn, true, out);
            }
            News::NotInterested => {
                if let Some(session) = self.peers.get_mut(&conn) {
                    self.gains.tell(now, (conn, session), out);
                }
                self.soon.give_places.get_or_insert(now);
                self.mind_guest(now, conn, false, out);
            }
            News::Has(piece) => {
                let Some(session) = self.peers.get_mut(&conn) else { return };
                self.picker.on_have(piece, &session.have);
                if self.picker.is_wanted(piece) {
                    session.in_vain = None;
                }
                if !self.have.has(piece) && self.selection.wants(piece) {
                    // One piece more cannot end our interest.
                    if !session.us.interested {
                        self.mind_interest(now, conn, out);
                    }
                    self.fill(now, conn, out);
                }
                self.mind_super_seed(now, out);
                self.mind_seed(now, conn, out);
            }
            News::HasMore { before } => self.on_has_more(now, conn, &before, out),
            News::Wants(block) => {
                out.push(Output::SendBlock { conn, torrent: self.id, block });
                self.tick_soon(now);
            }
            News::Refused(claim) => {
                out.push(Output::Send { conn, message: Message::Reject(claim) });
            }
            News::Rejected(block) => self.on_rejected(now, conn, block),
            News::HasNone => self.grant(conn, out),
            News::Offered => self.fill(now, conn, out),
            News::Lost(piece) => self.on_lost(now, conn, piece, out),
            News::Hello => self.on_hello(now, conn, out),
            News::WantsMetadata { piece } => self.on_wants_metadata(conn, piece, out),
            News::Pex(pex) => self.on_pex(now, conn, &pex),
            News::Cancels(block) => out.push(Output::CancelBlock { conn, block }),
        }
    }

    fn on_has_more(&mut self, now: Time, conn: ConnId, before: &Bits, out: &mut Vec<Output>) {
        let Some(session) = self.peers.get(&conn) else { return };
        self.picker.on_have_more(before, &session.have);
        if before.is_none() {
            self.grant(conn, out);
        }
        self.mind_interest(now, conn, out);
        self.fill(now, conn, out);
        self.mind_super_seed(now, out);
        self.mind_seed(now, conn, out);
    }

    pub(super) fn mind_seed(&mut self, now: Time, conn: ConnId, out: &mut Vec<Output>) {
        if self.is_done() && self.peers.get(&conn).is_some_and(|session| session.is_upload_only()) {
            self.part_with_seeds(now, out);
        }
    }

    /// Blocks left the socket; `waiting` are still queued.
    pub fn on_sent(&mut self, now: Time, conn: ConnId, payload: u64, waiting: usize) {
        let Some(session) = self.peers.get_mut(&conn) else { return };
        session.on_sent(now, payload, waiting);
        self.tally.uploaded += payload;
        self.turn.moved = now;
        self.tally.rate_up.add(now, payload);
    }

    // ── What we say ─────────────────────────────────────────────────────────────────────────

    /// Says `interested` if they have something that we lack and we have not said so.
    pub(super) fn mind_interest(&mut self, now: Time, conn: ConnId, out: &mut Vec<Output>) {
        if self.state == State::Surveying {
            return;
        }
        let Some(session) = self.peers.get_mut(&conn) else { return };
        let interested = self.selection.is_served_by(&session.have, &self.have);
        if interested == session.us.interested {
            return;
        }
        session.us.interested = interested;
        session.last_interest = now;
        session.last_said = now;
        let message = if interested { Message::Interested } else { Message::NotInterested };
        out.push(Output::Send { conn, message });
    }

    /// We got these pieces: some peers may have nothing left for us.
    pub(super) fn lose_interest(&mut self, now: Time, got: &[PieceIndex], out: &mut Vec<Output>) {
        let has_some = |have: &Bits| got.iter().any(|&piece| have.has(piece));
        let holders: Vec<ConnId> = self
            .peers
            .iter()
            .filter(|(_, session)| session.us.interested && has_some(&session.have))
            .map(|(&conn, _)| conn)
            .collect();
        for conn in holders {
            self.mind_interest(now, conn, out);
        }
    }

    /// Decides anew whom to serve, and tells those concerned.
    fn choke_round(&mut self, now: Time, out: &mut Vec<Output>) {
        let standings = self.standings(now);
        let seeding = self.is_done();
        let before = self.before(&standings);
        let chosen = self.choker.round(now, seeding, &standings, &mut self.random);
        if let Some(before) = before {
            out.extend(before.round(&chosen).into_iter().map(because));
        }
        for (&conn, session) in self.peers.iter_mut() {
            let serve = chosen.iter().any(|choice| choice.conn == conn);
            if serve && session.us.choking {
                unchoke(now, (conn, session), &self.gains, out);
            } else if !serve && !session.us.choking {
                choke(now, conn, session, out);
            }
        }
    }

    /// Gives free places away without waiting for the next round.
    fn refill_places(&mut self, now: Time, out: &mut Vec<Output>) {
        // Somebody's interest changes all the time, and hardly ever is there a place to give.
        if self.choker.deadline().is_some() && self.places_taken() >= self.identity.unchoked_max {
            return;
        }
        let standings = self.standings(now);
        let before = self.before(&standings);
        let chosen = self.choker.refill(now, self.is_done(), &standings);
        if let Some(before) = before {
            out.extend(before.refill(&chosen).into_iter().map(because));
        }
        for choice in chosen {
            if let Some(session) = self.peers.get_mut(&choice.conn) {
                unchoke(now, (choice.conn, session), &self.gains, out);
            }
        }
    }

    /// Who has a place now, if anybody wants to know why that changes.
    fn before(&self, standings: &[Standing]) -> Option<Before> {
        let seeding = self.is_done();
        self.identity.explain.then(|| Before::new(&self.choker, standings, seeding))
    }

    /// How many of those whom we do not choke make use of it.
    fn places_taken(&self) -> usize {
        let takes = |(_, session): &(ConnId, &Session)| {
            !session.us.choking && session.them.interested && !session.is_seed()
        };
        self.sessions().filter(takes).count()
    }

    fn standings(&mut self, now: Time) -> Vec<Standing> {
        self.peers.iter_mut().map(|(&conn, session)| standing(now, conn, session)).collect()
    }

    // ── The clock ───────────────────────────────────────────────────────────────────────────

    /// The regular look at all sessions.
    pub(super) fn mind_peers(&mut self, now: Time, out: &mut Vec<Output>) {
        if self.choker.deadline().is_some_and(|due| due <= now) {
            self.choke_round(now, out);
        }
        self.mind_each_peer(now, out);
        // Last, for the look above may have parted with somebody.
        if self.soon.give_places.take_if(|at| *at <= now).is_some() {
            self.refill_places(now, out);
        }
        if self.soon.fill_all.take_if(|at| *at <= now).is_some() {
            self.fill_all(now, out);
        }
        if self.soon.ask_again.take_if(|at| *at <= now).is_some() {
            self.fill_all(now, out);
        }
    }

    /// Keep-alives, silence, requests that nobody answers.
    pub(super) fn mind_each_peer(&mut self, now: Time, out: &mut Vec<Output>) {
        if self.tick_at.take_if(|at| *at <= now).is_some() {
            let conns: Vec<ConnId> = self.peers.keys().copied().collect();
            for conn in conns {
                self.mind_peer(now, conn, out);
            }
        }
    }

    fn mind_peer(&mut self, now: Time, conn: ConnId, out: &mut Vec<Output>) {
        let scarce = self.peers.len() + 5 >= self.identity.peers_max;
        let Some(session) = self.peers.get_mut(&conn) else { return };
        if let Some(why) = reason_to_part(now, session, scarce) {
            return self.part(now, conn, why, out);
        }
        if session.us.interested || session.them.interested {
            session.last_interest = now;
        }
        if now.since(session.last_said) >= KEEP_ALIVE_EVERY {
            session.last_said = now;
            out.push(Output::Send { conn, message: Message::KeepAlive });
        }
        let keeps_waiting = session.pipeline.on_second(now);
        let expired = session.pipeline.take_back_expired(now);
        let moving = session.pipeline.is_busy() || session.waiting() > 0;
        let next = if moving {
            now + SECOND
        } else {
            (session.last_said + KEEP_ALIVE_EVERY).min(session.last_heard + SILENCE_MAX)
        };
        self.tick_by(next.max(now + SECOND));
        for &block in &expired {
            out.push(Output::Send { conn, message: Message::Cancel(block.claim()) });
        }
        self.release(conn, &expired);
        if keeps_waiting {
            self.on_snub(conn, out);
        }
        if keeps_waiting || !expired.is_empty() {
            self.fill_all(now, out);
        } else {
            self.fill(now, conn, out);
        }
    }

    /// A peer keeps us waiting: what it was asked for is offered to others, and what it has begun
    /// may be begun by them. Should it wake up, its blocks are still welcome; but who would answer
    /// every request is told, or the same block could be asked of it twice.
    fn on_snub(&mut self, conn: ConnId, out: &mut Vec<Output>) {
        if let Some(session) = self.peers.get(&conn).filter(|session| session.fast.is_some()) {
            let cancel = |block: Block| Message::Cancel(block.claim());
            let cancels = session.pipeline.blocks().map(cancel);
            out.extend(cancels.map(|message| Output::Send { conn, message }));
        }
        self.abandon(conn);
        self.pieces.on_gone(conn);
    }

    /// Looks at the sessions at `at`, or before.
    fn tick_by(&mut self, at: Time) {
        self.tick_at = Some(self.tick_at.map_or(at, |already| already.min(at)));
    }

    pub(super) fn tick_soon(&mut self, now: Time) {
        self.tick_by(now + SECOND);
    }
}

/// What the choker must know of a session.
fn standing(now: Time, conn: ConnId, session: &mut Session) -> Standing {
    Standing {
        conn,
        interested: session.them.interested,
        rate_from_them: session.rate_down.get(now),
        rate_to_them: session.rate_up.get(now),
        snubbing: session.pipeline.is_snubbing(),
        connected_at: session.since,
        is_seed: session.is_seed(),
    }
}

fn because((conn, reason): (ConnId, Reason)) -> Output {
    Output::Because { conn, reason }
}

/// Whoever may ask must first know for what.
fn unchoke(
    now: Time,
    (conn, session): (ConnId, &mut Session),
    gains: &Gains,
    out: &mut Vec<Output>,
) {
    gains.tell(now, (conn, session), out);
    session.us.choking = false;
    session.unchoked_at = Some(now);
    session.last_said = now;
    out.push(Output::Send { conn, message: Message::Unchoke });
}

/// Whoever is choked gets nothing more; blocks that have begun to leave are finished.
fn choke(now: Time, conn: ConnId, session: &mut Session, out: &mut Vec<Output>) {
    session.us.choking = true;
    session.unchoked_at = None;
    session.last_said = now;
    session.unqueue_all();
    out.push(Output::Send { conn, message: Message::Choke });
    out.push(Output::DropBlocks { conn });
}

/// Whether it is time to part with this peer.
fn reason_to_part(now: Time, session: &Session, scarce: bool) -> Option<&'static str> {
    if now.since(session.last_heard) >= SILENCE_MAX && session.waiting() == 0 {
        return Some("silent for too long");
    }
    if session.waiting() > 0 && now.since(session.last_sent) >= SEND_STALL_MAX {
        return Some("takes nothing of what it asked for");
    }
    if scarce && now.since(session.last_interest) >= MUTUAL_DISINTEREST_MAX {
        return Some("neither wants anything of the other");
    }
    None
}
