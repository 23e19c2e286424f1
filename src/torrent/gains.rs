//! Gains: the pieces that came lately, and who has not been told of them yet.
//!
//! Most `have`s change nothing: whoever we choke cannot ask us for the piece, and if it is
//! interested already, one more reason makes no difference. So those peers hear of all that came
//! in one go, `HAVE_PATIENCE` after the first of it, or when they are unchoked; by then they may
//! have some of it from others, and need not hear of that at all. Everybody else is told at once.
//!
//! ```text
//!   pieces   7  31  12  40  3          came in this order, since everybody was told
//!                     ▲
//!            told ────┘ `Session::told`: knows of 7, 31 and 12, or does not lack them
//! ```
//!
//! # Why
//! A `have` is nine bytes, and costs both ends a system call, a packet and a look at a session
//! that was not in the cache. In a swarm of three hundred they were half of all that nodes heard.
//!
//! # Invariants
//! `told <= pieces.len()` for every session · `due` is set iff somebody may not have been told.

use super::Torrent;
use crate::base::limits::HAVE_PATIENCE;
use crate::base::{ConnId, PieceIndex, Time};
use crate::border::Output;
use crate::peer::Session;
use crate::wire::Message;

/// What came since everybody was told of everything.
#[derive(Debug, Default)]
pub(super) struct Gains {
    pieces: Vec<PieceIndex>,
    /// When everybody is told.
    pub due: Option<Time>,
}

impl Gains {
    /// Tells one peer of what it has not been told and lacks.
    pub fn tell(&self, now: Time, (conn, session): (ConnId, &mut Session), out: &mut Vec<Output>) {
        for &piece in &self.pieces[session.told..] {
            if !session.have.has(piece) {
                session.last_said = now;
                out.push(Output::Send { conn, message: Message::Have(piece.get()) });
            }
        }
        session.told = self.pieces.len();
    }

    /// What a peer knows that hears our whole map now.
    pub fn told(&self) -> usize {
        self.pieces.len()
    }

    /// What this peer has not been told.
    pub fn untold(&self, session: &Session) -> &[PieceIndex] {
        &self.pieces[session.told..]
    }

    pub fn check(&self, session: &Session) {
        assert!(session.told <= self.pieces.len(), "{} of {}", session.told, self.pieces.len());
        assert!(session.told == self.pieces.len() || self.due.is_some());
    }
}

impl Torrent {
    /// Counts a piece as ours, and tells the peers who lack it and can do something with it.
    pub(super) fn announce_piece(&mut self, now: Time, piece: PieceIndex, out: &mut Vec<Output>) {
        self.book(piece);
        // What a super-seed has it shows when it is time.
        if self.is_super_seeding() {
            return self.lose_interest(now, &[piece], out);
        }
        self.gains.pieces.push(piece);
        self.gains.due.get_or_insert(now + HAVE_PATIENCE);
        for (&conn, session) in self.peers.iter_mut() {
            if !session.us.choking || !session.them.interested {
                self.gains.tell(now, (conn, session), out);
            }
        }
    }

    /// Tells everybody of everything; some may have nothing left for us.
    pub(super) fn tell_all(&mut self, now: Time, out: &mut Vec<Output>) {
        for (&conn, session) in self.peers.iter_mut() {
            self.gains.tell(now, (conn, session), out);
            session.told = 0;
        }
        let gained = std::mem::take(&mut self.gains);
        self.lose_interest(now, &gained.pieces, out);
    }

    pub(super) fn tell_if_due(&mut self, now: Time, out: &mut Vec<Output>) {
        if self.gains.due.is_some_and(|due| due <= now) {
            self.tell_all(now, out);
        }
    }

    /// The pieces that came lately and of which this peer has not been told.
    pub fn untold(&self, session: &Session) -> &[PieceIndex] {
        self.gains.untold(session)
    }

    /// Whether pieces came lately whose owners we may still seem to want something of.
    pub fn has_gains(&self) -> bool {
        self.gains.due.is_some()
    }
}
