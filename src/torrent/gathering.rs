//! Gathering: metadata that is put together from peers, piece by piece, until its hash says that
//! it is what was asked for.
//!
//! ```text
//!            ask                    on_data
//!   free ──────────▶ asked of one ──────────▶ here ─┐
//!     ▲                  │                          ├─ all here ─▶ finish: bytes, and who gave them
//!     └── reject, gone, too late                    ┘
//! ```
//! Nothing is known of the metadata but its hash: not even its length, which is what some peer
//! claims. So a gathering is for one claimed length, memory grows with what comes and never by
//! what is claimed, and only the whole can be judged. Who was wrong shows if one peer gives all of
//! it; so after a failure one peer alone is asked.
//!
//! # Limits
//! `METADATA_BYTES_MAX`, `METADATA_ASKED_MAX` pieces at a time of one peer, `METADATA_TIMEOUT`.
//!
//! # Spec
//! BEP 9, "extension message".

use crate::base::Shelf;
use std::net::SocketAddr;

use crate::base::limits::{
    METADATA_ASKED_MAX, METADATA_BYTES_MAX, METADATA_PIECE_BYTES, METADATA_TIMEOUT,
};
use crate::base::{ConnId, Time};

/// Metadata of one claimed length.
#[derive(Debug)]
pub struct Gathering {
    total_bytes: u32,
    here: Shelf<u32, Given>,
    asked: Shelf<u32, Asked>,
    /// Nobody else is asked.
    alone: Option<ConnId>,
}

#[derive(Debug)]
struct Given {
    bytes: Vec<u8>,
    from: SocketAddr,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    of: ConnId,
    since: Time,
}

impl Gathering {
    /// Begins. `total_bytes`: 1 to `METADATA_BYTES_MAX`. `alone`: ask this peer and no other.
    pub fn new(total_bytes: u32, alone: Option<ConnId>) -> Gathering {
        assert!((1..=METADATA_BYTES_MAX).contains(&total_bytes), "metadata of {total_bytes} bytes");
        Gathering { total_bytes, here: Shelf::new(), asked: Shelf::new(), alone }
    }

    pub fn total_bytes(&self) -> u32 {
        self.total_bytes
    }

    pub fn piece_count(&self) -> u32 {
        self.total_bytes.div_ceil(METADATA_PIECE_BYTES)
    }

    /// How many pieces are here.
    pub fn len(&self) -> u32 {
        u32::try_from(self.here.len()).expect("at most all pieces")
    }

    pub fn is_empty(&self) -> bool {
        self.here.is_empty()
    }

    pub fn is_whole(&self) -> bool {
        self.len() == self.piece_count()
    }

    /// Whether this peer may be asked at all.
    pub fn may_ask(&self, conn: ConnId) -> bool {
        self.alone.is_none_or(|alone| alone == conn)
    }

    /// The next piece to ask of this peer; it counts as asked then. `None`: it has enough to do,
    /// or nothing is left.
    pub fn ask(&mut self, now: Time, conn: ConnId) -> Option<u32> {
        let asked_of_it = self.asked.values().filter(|asked| asked.of == conn).count();
        if asked_of_it >= METADATA_ASKED_MAX || !self.may_ask(conn) {
            return None;
        }
        let is_free =
            |piece: &u32| !self.here.contains_key(piece) && !self.asked.contains_key(piece);
        let piece = (0..self.piece_count()).find(is_free)?;
        self.asked.insert(piece, Asked { of: conn, since: now });
        Some(piece)
    }

    /// A piece came. Returns whether it was of use: asked of this peer, and exactly as long as it
    /// must be in metadata of our length.
    pub fn on_data(
        &mut self,
        conn: ConnId,
        from: SocketAddr,
        piece: u32,
        total_bytes: Option<u32>,
        bytes: &[u8],
    ) -> bool {
        let is_asked = self.asked.get(&piece).is_some_and(|asked| asked.of == conn);
        let fits = total_bytes.is_none_or(|total| total == self.total_bytes)
            && bytes.len() == self.len_of(piece) as usize;
        if !is_asked || !fits {
            return false;
        }
        self.asked.remove(&piece);
        self.here.insert(piece, Given { bytes: bytes.to_vec(), from });
        true
    }

    /// This peer will not give a piece. Returns whether it was asked for it.
    pub fn on_reject(&mut self, conn: ConnId, piece: u32) -> bool {
        let is_asked = self.asked.get(&piece).is_some_and(|asked| asked.of == conn);
        if is_asked {
            self.asked.remove(&piece);
        }
        is_asked
    }

    /// A peer is gone, or is not to be asked any more.
    pub fn on_gone(&mut self, conn: ConnId) {
        self.asked.retain(|_, asked| asked.of != conn);
    }

    /// Those who let us wait for too long; what they were asked for is free again.
    pub fn expire(&mut self, now: Time) -> Vec<ConnId> {
        let is_late = |asked: &Asked| now.since(asked.since) >= METADATA_TIMEOUT;
        let mut late: Vec<ConnId> =
            self.asked.values().filter(|asked| is_late(asked)).map(|asked| asked.of).collect();
        self.asked.retain(|_, asked| !is_late(asked));
        late.dedup();
        late
    }

    /// When `expire` will find somebody.
    pub fn deadline(&self) -> Option<Time> {
        self.asked.values().map(|asked| asked.since + METADATA_TIMEOUT).min()
    }

    /// The whole metadata, and everybody who gave of it.
    ///
    /// Panics unless it is whole.
    pub fn finish(self) -> (Vec<u8>, Vec<SocketAddr>) {
        assert!(self.is_whole(), "{} of {} pieces", self.len(), self.piece_count());
        let mut bytes = Vec::with_capacity(self.total_bytes as usize);
        let mut sources: Vec<SocketAddr> = Vec::new();
        for given in self.here.into_values() {
            bytes.extend_from_slice(&given.bytes);
            if !sources.contains(&given.from) {
                sources.push(given.from);
            }
        }
        (bytes, sources)
    }

    /// How long this piece must be; 0 if there is none of this number.
    fn len_of(&self, piece: u32) -> u32 {
        let begin = piece.saturating_mul(METADATA_PIECE_BYTES);
        self.total_bytes.saturating_sub(begin).min(METADATA_PIECE_BYTES)
    }

    pub fn check(&self) {
        assert!(self.here.keys().chain(self.asked.keys()).all(|&piece| self.len_of(piece) > 0));
        assert!(self.here.keys().all(|piece| !self.asked.contains_key(piece)), "here, and asked");
        assert!(self.here.iter().all(|(&n, given)| given.bytes.len() == self.len_of(n) as usize));
    }
}
