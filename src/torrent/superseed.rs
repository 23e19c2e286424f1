//! Super-seeding: a first seed that gives each piece away once, and lets the others copy it.
//!
//! Who has the only copy wants it to be two as soon as may be. A seed that shows all it has is
//! asked for the same pieces by several peers, and by some who pass nothing on. So this one says
//! that it has nothing, and shows each peer one piece after the other, the rarest there is:
//!
//! ```text
//!   comes ─▶ nothing shown ─ a second ─▶ shown a piece ─▶ until another peer has it, too
//!                                             ▲               │  (or nobody else lacks it,
//!                                             └─ the next one ┘   or patience ends)
//! ```
//! Who passes on what it got is shown the next piece at once, and who does not waits. When others
//! have everything, it shows everybody all, and is a seed like any other.
//!
//! # Interface
//! `on_join`, `on_gone` for each peer; `on_interest` when its interest changed; `reveal` after any
//! of these, when somebody has more than before, and when `deadline` has passed: whom to tell
//! `have` of which piece. `shown` is what a peer may ask for. `is_over` tells when it is enough.
//!
//! # Invariants
//! A peer is shown at most `SUPER_SEED_OPEN_MAX` pieces that nobody has from it yet · `open_count`
//! counts for each piece the peers who were shown it so.
//!
//! # Limits
//! Finding the rarest piece looks at every piece: a few hundred thousand of them a millisecond,
//! once for each piece that is given away.
//!
//! # Why
//! Strictly, who passes nothing on would get nothing more. But it may be alone, or unable to
//! reach the others, or unwilling to take this very piece: after `SUPER_SEED_PATIENCE` it is
//! shown one more.
//!
//! # Spec
//! BEP 16.

use crate::base::Shelf;

use super::{State, Torrent};
use crate::base::limits::{
    SUPER_SEED_COPIES, SUPER_SEED_FIRST, SUPER_SEED_OPEN_MAX, SUPER_SEED_PATIENCE,
    WORDS_QUEUED_BYTES_MAX,
};
use crate::base::{Bits, ConnId, PieceIndex, Random, Time};
use crate::border::Output;
use crate::wire::Message;

/// Whom a super-seed shows what.
#[derive(Debug)]
pub struct SuperSeed {
    peers: Shelf<ConnId, Guest>,
    /// By piece: how many peers were shown it and have not passed it on yet.
    open_count: Vec<u16>,
    /// Somebody left: those who waited for it to take a piece wait no more.
    look_at: Option<Time>,
}

/// One peer, as the super-seed treats it.
#[derive(Debug)]
struct Guest {
    /// What it was told that we have.
    shown: Bits,
    /// Shown, and with nobody else yet.
    open: Vec<Open>,
    /// Nothing is shown before: it may have to tell what it has. `None`: that is over.
    from: Option<Time>,
}

/// A piece that waits to be passed on.
#[derive(Clone, Copy, Debug)]
struct Open {
    piece: PieceIndex,
    /// When it was shown, or (if later) when the peer had it.
    since: Time,
    /// The peer wants nothing more of what it was shown: it has this piece, or will not take it.
    /// It need not say `have` to somebody who claims to have the piece.
    done: bool,
}

/// What counts of one peer.
#[derive(Clone, Copy, Debug)]
pub struct Neighbour<'a> {
    pub conn: ConnId,
    pub have: &'a Bits,
    /// It wants something of what it was shown.
    pub interested: bool,
    /// It wants nothing more of anybody.
    pub done: bool,
}

/// What a `have` costs on its way, in bytes.
const HAVE_WORD_BYTES: usize = 9;

impl SuperSeed {
    /// For a torrent of so many pieces.
    pub fn new(pieces: u32) -> SuperSeed {
        SuperSeed { peers: Shelf::new(), open_count: vec![0; pieces as usize], look_at: None }
    }

    pub fn on_join(&mut self, now: Time, conn: ConnId) {
        let pieces = u32::try_from(self.open_count.len()).expect("it came as such a number");
        let (shown, open) = (Bits::none(pieces), Vec::new());
        self.peers.insert(conn, Guest { shown, open, from: Some(now + SUPER_SEED_FIRST) });
    }

    /// What it was shown and did not pass on is shown to others.
    pub fn on_gone(&mut self, now: Time, conn: ConnId) {
        let Some(guest) = self.peers.remove(&conn) else { return };
        for open in guest.open {
            self.open_count[open.piece.at()] -= 1;
        }
        self.look_at.get_or_insert(now);
    }

    /// A peer wants something of what it was shown, or (`false`) nothing more.
    pub fn on_interest(&mut self, now: Time, conn: ConnId, interested: bool) {
        let open = self.peers.get_mut(&conn).into_iter().flat_map(|guest| &mut guest.open);
        for open in open {
            *open = Open { done: !interested, since: now, ..*open };
        }
    }

    /// The pieces that this peer may ask for. `None`: it is no guest of ours.
    pub fn shown(&self, conn: ConnId) -> Option<&Bits> {
        self.peers.get(&conn).map(|guest| &guest.shown)
    }

    /// Whether others have enough to go on without this mode: `SUPER_SEED_COPIES` of them, or all
    /// there are, have everything.
    pub fn is_over(&self, neighbours: &[Neighbour<'_>]) -> bool {
        let whole = neighbours.iter().filter(|peer| peer.have.is_all()).count();
        whole > 0 && whole >= SUPER_SEED_COPIES.min(neighbours.len())
    }

    /// Decides who is to be shown a piece now, and which. `ours`: what we have; `holders`: how many
    /// of the neighbours have a piece.
    pub fn reveal(
        &mut self,
        now: Time,
        neighbours: &[Neighbour<'_>],
        ours: &Bits,
        holders: impl Fn(PieceIndex) -> u32,
        random: &mut Random,
    ) -> Vec<(ConnId, PieceIndex)> {
        self.look_at = None;
        let mut revealed = Vec::new();
        for peer in neighbours {
            self.close(now, peer, neighbours, &holders);
            while let Some(piece) = self.next(peer, ours, &holders, random) {
                self.open_count[piece.at()] += 1;
                let guest = self.peers.get_mut(&peer.conn).expect("it was just asked about");
                guest.shown.set(piece);
                guest.open.push(Open { piece, since: now, done: false });
                revealed.push((peer.conn, piece));
            }
        }
        revealed
    }

    /// When `reveal` may have something that it has not now, if nobody says anything until then.
    pub fn deadline(&self) -> Option<Time> {
        let of_guest = |guest: &Guest| {
            let first = guest.open.iter().map(|open| open.since).min();
            guest.from.or(first.map(|since| since + SUPER_SEED_PATIENCE))
        };
        self.peers.values().filter_map(of_guest).chain(self.look_at).min()
    }

    /// Ends the wait for what a peer has passed on, or cannot; and for its first words.
    fn close(
        &mut self,
        now: Time,
        peer: &Neighbour<'_>,
        neighbours: &[Neighbour<'_>],
        holders: &impl Fn(PieceIndex) -> u32,
    ) {
        let Some(guest) = self.peers.get_mut(&peer.conn) else { return };
        guest.from.take_if(|from| *from <= now);
        let lacks = |other: &Neighbour<'_>, piece| {
            other.conn != peer.conn && !other.done && !other.have.has(piece)
        };
        guest.open.retain_mut(|open| {
            let piece = open.piece;
            let has = peer.have.has(piece);
            let others = holders(piece) - u32::from(has);
            let has = has || open.done;
            let is_for_nobody = has && !neighbours.iter().any(|other| lacks(other, piece));
            // Who still wants something may only be waiting for its turn with us.
            let waits = !has && peer.interested;
            let is_late = now.since(open.since) >= SUPER_SEED_PATIENCE;
            if is_late && waits {
                open.since = now;
            }
            let stays = others == 0 && !is_for_nobody && (!is_late || waits);
            self.open_count[piece.at()] -= u16::from(!stays);
            stays
        });
    }

    /// The rarest piece that this peer lacks, if it may be shown one. What others were shown counts
    /// as if they had it; chance decides between equals.
    fn next(
        &self,
        peer: &Neighbour<'_>,
        ours: &Bits,
        holders: &impl Fn(PieceIndex) -> u32,
        random: &mut Random,
    ) -> Option<PieceIndex> {
        let guest = self.peers.get(&peer.conn)?;
        if peer.done || guest.from.is_some() || guest.open.len() >= SUPER_SEED_OPEN_MAX {
            return None;
        }
        let mut rarest: Option<(u32, PieceIndex)> = None;
        let mut equals = 0;
        for piece in ours.beyond(peer.have).filter(|&piece| !guest.shown.has(piece)) {
            let copies = holders(piece) + u32::from(self.open_count[piece.at()]);
            let least = rarest.map_or(u32::MAX, |(least, _)| least);
            equals = if copies < least { 1 } else { equals + usize::from(copies == least) };
            // The n-th of equals takes the place with a chance of one in n: all have the same.
            if copies < least || copies == least && random.below(equals) == 0 {
                rarest = Some((copies, piece));
            }
        }
        rarest.map(|(_, piece)| piece)
    }

    /// Asserts what the header promises.
    pub fn check(&self) {
        let mut counted = vec![0; self.open_count.len()];
        for guest in self.peers.values() {
            assert!(guest.open.len() <= SUPER_SEED_OPEN_MAX);
            for open in &guest.open {
                assert!(guest.shown.has(open.piece), "{open:?} was not shown");
                counted[open.piece.at()] += 1;
            }
        }
        assert_eq!(counted, self.open_count);
    }
}

impl Torrent {
    /// Seeds so from now on, until others have everything. To be called before the start.
    pub fn super_seed(&mut self) {
        self.super_seed = Some(SuperSeed::new(self.layout().piece_count()));
    }

    /// Whether it shows peers less than it has.
    pub fn is_super_seeding(&self) -> bool {
        self.super_seed.is_some()
    }

    pub(super) fn super_seed_deadline(&self) -> Option<Time> {
        let super_seed = self.super_seed.as_ref().filter(|_| self.have.is_all());
        super_seed.and_then(SuperSeed::deadline)
    }

    /// A peer's interest changed.
    pub(super) fn mind_guest(
        &mut self,
        now: Time,
        conn: ConnId,
        interested: bool,
        out: &mut Vec<Output>,
    ) {
        if let Some(super_seed) = &mut self.super_seed {
            super_seed.on_interest(now, conn, interested);
            self.mind_super_seed(now, out);
        }
    }

    /// Somebody came, went or got something: shows whoever is to be shown a piece, or ends it.
    pub(super) fn mind_super_seed(&mut self, now: Time, out: &mut Vec<Output>) {
        let Some(super_seed) = &mut self.super_seed else { return };
        if self.state != State::Active || !self.have.is_all() {
            return;
        }
        let webs = &self.webs;
        let peers = self.peers.iter().filter(|(conn, _)| !webs.has(**conn));
        let neighbours: Vec<Neighbour<'_>> = peers
            .map(|(&conn, session)| Neighbour {
                conn,
                have: &session.have,
                interested: session.them.interested,
                done: session.is_upload_only(),
            })
            .collect();
        if super_seed.is_over(&neighbours) {
            return self.end_super_seed(now, out);
        }
        let picker = &self.picker;
        let holders = |piece| picker.holders(piece);
        let random = &mut self.random;
        for (conn, piece) in super_seed.reveal(now, &neighbours, &self.have, holders, random) {
            out.push(Output::Send { conn, message: Message::Have(piece.get()) });
        }
    }

    /// Shows everybody all there is. A peer whom that would take too many words is let go; when it
    /// comes again one word says it all.
    pub(super) fn end_super_seed(&mut self, now: Time, out: &mut Vec<Output>) {
        let Some(super_seed) = self.super_seed.take() else { return };
        let mut too_much = Vec::new();
        for (&conn, session) in self.peers.iter_mut() {
            let Some(shown) = super_seed.shown(conn) else { continue };
            let is_news = |piece: &PieceIndex| !session.have.has(*piece);
            let news: Vec<PieceIndex> = self.have.beyond(shown).filter(is_news).collect();
            if news.len() * HAVE_WORD_BYTES > WORDS_QUEUED_BYTES_MAX / 2 {
                too_much.push(conn);
                continue;
            }
            session.last_said = now;
            let haves = news.into_iter().map(|piece| Message::Have(piece.get()));
            out.extend(haves.map(|message| Output::Send { conn, message }));
        }
        for conn in too_much {
            self.dismiss(now, conn, "is to learn that we have everything", out);
        }
        if self.state == State::Active && self.is_done() {
            self.part_with_seeds(now, out);
            self.say_upload_only(now, true, out);
        }
    }
}
