//! Extending: what is told to peers, and heard of them, beyond the words of BEP 3.
//!
//! ```text
//!   handshakes ─▶ our hello: our numbers for extensions, our port, our program …      BEP 10
//!              ─▶ have all, have none or a bitfield                                   BEP 6
//!   they are new ─▶ allowed fast: a few pieces that they may ask for at once          BEP 6
//!   they ask     ─▶ a piece of the metadata, or a reject                               BEP 9
//!   we are done  ─▶ upload only: we want nothing more                                 BEP 21
//!   they see us  ─▶ our address, and with it whose connections go first                BEP 40
//! ```
//!
//! # Spec
//! BEP 6; BEP 9, "extension message"; BEP 10; BEP 21; BEP 24; BEP 40; BEP 54.

use crate::base::Shelf;
use std::net::{IpAddr, SocketAddr};

use super::{CLIENT, State, Torrent};
use crate::base::limits::{
    ALLOWED_FAST_PIECES, ALLOWED_FAST_SHARE, METADATA_PIECE_BYTES, REQUESTS_QUEUED_TOLD,
};
use crate::base::{Block, ConnId, PieceIndex, Time};
use crate::border::Output;
use crate::peer::extensions::{self, Extensions};
use crate::peer::{Session, fast};
use crate::wire::Message;
use crate::wire::extended::{Extension, Hello, Metadata};

/// Peers that must agree on what our address is; a tracker's word counts as much.
const VOICES_MIN: usize = 2;

impl Torrent {
    /// Says the handshake of our extensions, to whoever speaks that.
    pub(super) fn say_hello(&self, conn: ConnId, out: &mut Vec<Output>) {
        let Some(session) = self.peers.get(&conn) else { return };
        if session.extensions.is_none() {
            return;
        }
        let is_known = self.state != State::Surveying;
        let ids = Extension::ALL.map(|extension| match extension {
            // Who is in a private swarm is for its tracker alone to tell.
            Extension::Pex if self.metainfo.private => None,
            // 0 takes back what an earlier hello said.
            Extension::Pex => Some(if self.identity.pex { extension.our_id() } else { 0 }),
            Extension::Metadata => self.metainfo.metadata_bytes().map(|_| extension.our_id()),
            Extension::UploadOnly | Extension::DontHave => Some(extension.our_id()),
        });
        let message = extensions::hello(&Hello {
            ids,
            client: Some(CLIENT.to_owned()),
            port: Some(self.identity.port).filter(|&port| port != 0),
            requests_max: Some(REQUESTS_QUEUED_TOLD),
            your_ip: Some(session.addr.ip().to_canonical()),
            metadata_bytes: self.metainfo.metadata_bytes(),
            upload_only: Some(true)
                .filter(|_| is_known && self.is_done() && !self.is_super_seeding()),
        });
        out.push(Output::Send { conn, message });
    }

    /// What a peer said of its extensions before its torrent was known.
    pub fn hear_again(&mut self, now: Time, conn: ConnId, extensions: Option<Box<Extensions>>) {
        let Some(session) = self.peers.get_mut(&conn) else { return };
        let most = extensions.as_ref().and_then(|extensions| extensions.said().requests_max);
        most.into_iter().for_each(|most| session.pipeline.keep_within(most));
        session.extensions = extensions;
        self.mind_exchange(now, conn);
    }

    /// They said a hello, or what changed of it.
    pub(super) fn on_hello(&mut self, now: Time, conn: ConnId, out: &mut Vec<Output>) {
        self.mind_exchange(now, conn);
        if self.contradicts_us(conn) {
            self.mind_our_addr();
        }
        self.mind_seed(now, conn, out);
        // Their queue may hold more now.
        self.fill(now, conn, out);
    }

    /// A tracker says where it sees us.
    pub(super) fn on_seen_at(&mut self, ip: IpAddr) {
        let ip = ip.to_canonical();
        self.seen_by_trackers[usize::from(ip.is_ipv6())] = Some(ip);
        self.mind_our_addr();
    }

    /// Whether this peer sees us elsewhere than we believe to be. One voice more for what we
    /// believe changes nothing, and hardly ever is it another.
    fn contradicts_us(&self, conn: ConnId) -> bool {
        let session = self.peers.get(&conn);
        let extensions = session.and_then(|session| session.extensions.as_ref());
        let said = extensions.and_then(|extensions| extensions.said().your_ip);
        said.is_some_and(|ip| !self.candidates.is_us(ip.to_canonical()))
    }

    /// Learns where we are: in each family what most say who see us, each host with one voice. A
    /// tracker is believed alone, of peers at least two must agree.
    fn mind_our_addr(&mut self) {
        let of_peer = |(_, session): (ConnId, &Session)| {
            let said = session.extensions.as_ref()?.said().your_ip?;
            Some((session.addr.ip(), said.to_canonical()))
        };
        let by_host: Shelf<IpAddr, IpAddr> = self.sessions().filter_map(of_peer).collect();
        let by_trackers = self.seen_by_trackers.into_iter().flatten();
        let mut voices: Shelf<IpAddr, usize> = Shelf::new();
        for ip in by_host.into_values().chain(by_trackers.clone()).chain(by_trackers) {
            *voices.get_or_insert_with(ip, Default::default) += 1;
        }
        for is_ipv6 in [false, true] {
            let family = voices.iter().filter(|(ip, _)| ip.is_ipv6() == is_ipv6);
            let most = family.max_by_key(|(_, voices)| **voices);
            if let Some((&ip, _)) = most.filter(|(_, voices)| **voices >= VOICES_MIN) {
                self.candidates.set_us(SocketAddr::new(ip, self.identity.port));
            }
        }
    }

    /// They ask for a piece of the metadata: it, or a word that they will not have it.
    pub(super) fn on_wants_metadata(&mut self, conn: ConnId, piece: u32, out: &mut Vec<Output>) {
        let Some(session) = self.peers.get_mut(&conn) else { return };
        let Some(extensions) = &mut session.extensions else { return };
        let total = self.metainfo.metadata_bytes().unwrap_or(0);
        let pieces = total.div_ceil(METADATA_PIECE_BYTES);
        let message = if piece < pieces && extensions.spend_metadata(pieces) {
            let size = METADATA_PIECE_BYTES as usize;
            let bytes = self.metainfo.metadata(piece as usize * size, size);
            extensions.metadata(Metadata::Data { piece, total_bytes: Some(total), bytes: &bytes })
        } else {
            extensions.metadata(Metadata::Reject { piece })
        };
        out.extend(message.map(|message| Output::Send { conn, message }));
    }

    /// We have what we want, or (`false`) a person wants more: tells everybody who listens.
    pub(super) fn say_upload_only(&mut self, now: Time, is_so: bool, out: &mut Vec<Output>) {
        for (&conn, session) in self.peers.iter_mut() {
            let extensions = session.extensions.as_ref();
            if let Some(message) = extensions.and_then(|them| them.upload_only(is_so)) {
                session.last_said = now;
                out.push(Output::Send { conn, message });
            }
        }
    }

    /// Lets a newcomer ask for a few pieces while we choke it, so that it has something to trade.
    pub(super) fn grant(&mut self, conn: ConnId, out: &mut Vec<Output>) {
        let layout = &self.metainfo.layout;
        // What a super-seed has it says piece by piece.
        let may_tell = !self.is_super_seeding();
        let Some(session) = self.peers.get_mut(&conn).filter(|_| may_tell) else { return };
        let Some(fast) = &mut session.fast else { return };
        let pieces = layout.piece_count();
        let is_newcomer = session.have.count() <= ALLOWED_FAST_PIECES;
        let is_large = pieces >= ALLOWED_FAST_PIECES * ALLOWED_FAST_SHARE;
        let Some(ip) = fast::address_of(session.addr.ip()) else { return };
        if !is_newcomer || !is_large || !fast.granted().is_empty() {
            return;
        }
        let info_hash = self.metainfo.info_hash;
        let mut set = fast::allowed_fast_set(ALLOWED_FAST_PIECES, pieces, info_hash, ip);
        // To allow what we lack would be allowed, and of no use. What few have is not given away
        // out of turn: if a seed in a crowd sends everyone the same first pieces, all wait for it.
        let others = u32::try_from(self.identity.unchoked_max).unwrap_or(u32::MAX);
        set.retain(|&piece| {
            let is_common = self.picker.holders(piece) >= others;
            is_common && self.have.has(piece) && !session.have.has(piece)
        });
        for &piece in &set {
            out.push(Output::Send { conn, message: Message::AllowedFast(piece.get()) });
        }
        fast.grant(layout, set);
    }

    /// A piece that they had is gone. Who does not speak Fast will not answer for it either.
    pub(super) fn on_lost(
        &mut self,
        now: Time,
        conn: ConnId,
        piece: PieceIndex,
        out: &mut Vec<Output>,
    ) {
        let Some(session) = self.peers.get_mut(&conn) else { return };
        self.picker.on_lost(piece, &session.have);
        if session.fast.is_none() {
            let theirs = |block: &Block| block.piece() == piece;
            let blocks: Vec<Block> = session.pipeline.blocks().filter(theirs).collect();
            for &block in &blocks {
                session.pipeline.take_back(block);
            }
            self.release(conn, &blocks);
        }
        if self.peers.get(&conn).is_some_and(|session| session.current == Some(piece)) {
            self.leave_current(conn);
        }
        self.mind_interest(now, conn, out);
        self.soon.fill_all.get_or_insert(now);
    }
}
