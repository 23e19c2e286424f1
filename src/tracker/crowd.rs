//! Crowd: who is there and who holds what, as a tracker shows it.
//!
//! Of a torrent that is known to be private, or blocked, nobody is shown. Of one that was not
//! published nothing is known, so it might be private: its peers are shown to who names it, as an
//! announce would give them, but it is in no list.
//!
//! # Limits
//! `SHOWN_PEERS_MAX` peers, `SHOWN_HAVE_BYTES_MAX` of have-maps in one answer. Of more, it is a
//! random sample.

use std::net::SocketAddr;

use super::holders::Holder;
use super::library::{Entry, Search};
use super::page::{NO_TORRENT, Page, Params, json, plain};
use super::service::{Service, moment};
use super::swarm::{Found, Swarm};
use super::table::Minute;
use crate::base::limits::{HAVE_BYTES_MAX, SHOWN_HAVE_BYTES_MAX, SHOWN_PEERS_MAX};
use crate::base::{Bits, InfoHash, PieceIndex, Time};
use crate::format::announce::{Announce, Event, Tally, compact_peer, compact_peer6};
use crate::format::http::Status;
use crate::format::listing;

impl Service {
    /// Looks at the announce of somebody at `addr` for the directory of pieces. Returns whether
    /// we want to be told what it has.
    pub(super) fn note_holder(&mut self, now: Time, announce: &Announce, addr: SocketAddr) -> bool {
        let Some(library) = &self.library else { return false };
        let Some(entry) = library.get_public(announce.info_hash) else { return false };
        let told = announce.have.as_deref().and_then(|have| Bits::from_wire(have, entry.pieces));
        let leaves = announce.is_seed() || announce.event == Event::Stopped;
        match told {
            Some(have) if !leaves => {
                self.holders.note(Minute::of(now), announce.info_hash, addr, have);
            }
            // Who does not tell has not lost what it told before.
            Some(_) | None if !leaves => {}
            Some(_) | None if self.holders.is_empty() => {}
            Some(_) | None => self.holders.forget(announce.info_hash, addr),
        }
        !leaves && entry.pieces.div_ceil(8) as usize <= HAVE_BYTES_MAX
    }

    /// Whose peers may be shown: nobody's who is known to be private, or blocked.
    fn may_show(&self, hash: InfoHash) -> bool {
        let entry = self.library.as_ref().and_then(|library| library.get(hash));
        !entry.is_some_and(|entry| entry.private) && !self.blocked.contains(&hash)
    }

    /// A published torrent that may be shown.
    pub(super) fn shown_entry(&self, hash: InfoHash) -> Option<&Entry> {
        let entry = self.library.as_ref()?.get_public(hash)?;
        (!self.blocked.contains(&hash)).then_some(entry)
    }

    /// One swarm; or, of all published torrents (of all torrents, where a full scrape is allowed),
    /// those that somebody shares.
    pub(super) fn show_swarms(
        &mut self,
        now: Time,
        params: Params<'_>,
        body: &mut Vec<u8>,
    ) -> Page {
        let hashes = match params.info_hash() {
            Ok(Some(hash)) => vec![hash],
            Ok(None) if self.policy.full_scrape => self.torrents.keys().copied().collect(),
            Ok(None) => self.published_hashes(),
            Err(what) => return plain(Status::BadRequest, what, body),
        };
        let mut left = SHOWN_PEERS_MAX;
        let mut swarms = Vec::new();
        for hash in hashes {
            if left == 0 {
                break;
            }
            if let Some(swarm) = self.show_swarm(now, hash, left) {
                // An empty one costs a line, too.
                left = left.saturating_sub(swarm.peers.len().max(1));
                swarms.push(swarm);
            }
        }
        json(Status::Ok, &listing::Swarms { swarms, more: left == 0 }, body)
    }

    fn published_hashes(&self) -> Vec<InfoHash> {
        let Some(library) = &self.library else { return Vec::new() };
        let all = Search::default();
        let hashes = library.find(&all, None).map(|(_, hash, _)| hash);
        hashes.filter(|hash| self.torrents.contains_key(hash)).take(SHOWN_PEERS_MAX).collect()
    }

    fn show_swarm(
        &mut self,
        now: Time,
        hash: InfoHash,
        wanted: usize,
    ) -> Option<listing::SwarmShown> {
        if !self.may_show(hash) {
            return None;
        }
        let name = self.shown_entry(hash).map(|entry| entry.name.clone());
        let swarm = self.torrents.get(&hash)?;
        let mut moment = moment(&self.policy, self.seed, &mut self.random, now);
        let mut peers = Vec::new();
        for seed in [true, false] {
            let found = swarm.sample(&mut moment, seed, wanted - peers.len());
            let shown = |addr: SocketAddr| listing::PeerShown { addr: addr.to_string(), seed };
            peers.extend(addrs(&found).map(shown));
        }
        let Tally { seeds, leechers, completed } = swarm.tally();
        Some(listing::SwarmShown {
            info_hash: hash.to_string(),
            name,
            seeds,
            leechers,
            completed,
            peers,
        })
    }

    pub(super) fn show_pieces(
        &mut self,
        now: Time,
        params: Params<'_>,
        body: &mut Vec<u8>,
    ) -> Page {
        let hash = match params.info_hash() {
            Ok(hash) => hash,
            Err(what) => return plain(Status::BadRequest, what, body),
        };
        let Some((hash, entry)) = hash.and_then(|hash| Some((hash, self.shown_entry(hash)?)))
        else {
            return plain(Status::NotFound, NO_TORRENT, body);
        };
        let mut shown = listing::Pieces {
            info_hash: hash.to_string(),
            name: entry.name.clone(),
            pieces: entry.pieces,
            piece_bytes: entry.piece_bytes,
            holders: Vec::new(),
            more: false,
        };
        let piece = params.number("piece").and_then(|piece| u32::try_from(piece).ok());
        if piece.is_some_and(|piece| piece >= shown.pieces) {
            return plain(Status::NotFound, "there is no such piece", body);
        }
        let piece = piece.map(PieceIndex::checked);
        let told = self.holders.of(hash).iter();
        let told = told.filter(|holder| piece.is_none_or(|piece| holder.have.has(piece)));
        let mut left = SHOWN_HAVE_BYTES_MAX;
        for holder in told {
            let bytes = holder.have.as_bytes().len();
            if bytes > left {
                shown.more = true;
                break;
            }
            left -= bytes;
            shown.holders.push(show_holder(holder));
        }
        let seeds = self.torrents.get(&hash).map(|swarm| {
            let mut moment = moment(&self.policy, self.seed, &mut self.random, now);
            (swarm.sample(&mut moment, true, SHOWN_PEERS_MAX), swarm.tally().seeds as usize)
        });
        if let Some((found, seeds)) = seeds {
            shown.more |= seeds > SHOWN_PEERS_MAX;
            let have = shown.pieces;
            let seeds = addrs(&found).map(|addr| (addr.to_string(), have));
            let seed = |(addr, have)| listing::Holder { addr, seed: true, have, bits: None };
            shown.holders.extend(seeds.map(seed));
        }
        json(Status::Ok, &shown, body)
    }

    pub(super) fn tally(&self, hash: InfoHash) -> Tally {
        self.torrents.get(&hash).map(Swarm::tally).unwrap_or_default()
    }
}

fn show_holder(holder: &Holder) -> listing::Holder {
    let digits = holder.have.as_bytes().iter().map(|byte| format!("{byte:02x}"));
    listing::Holder {
        addr: holder.addr.to_string(),
        seed: false,
        have: holder.have.count(),
        bits: Some(digits.collect()),
    }
}

fn addrs(found: &Found) -> impl Iterator<Item = SocketAddr> {
    let v4 = found.peers.iter().filter_map(|peer| compact_peer(peer));
    v4.chain(found.peers6.iter().filter_map(|peer| compact_peer6(peer)))
}
