//! Answer: what we tell nodes who ask.
//!
//! Everybody is answered alike, whether we know them or not, within the bounds of `Guard`. Who
//! asks and is new to us is asked in turn, if the table has room: only an answer proves that a
//! node can be reached (BEP 5, "routing table"). Who says `ro` cannot be (BEP 43).

use std::net::SocketAddr;

use super::node::net_of;
use super::{Act, Dht};
use crate::base::limits::{DHT_ANSWER_BYTES_MAX, DHT_BUCKET_NODES};
use crate::base::{InfoHash, NodeId, Time};
use crate::format::krpc::{
    Ask, Body, Contact, Message, PROTOCOL_ERROR, Query, Response, Want, addr_bytes,
};

/// Bytes of an answer that are neither nodes nor peers nor filters: ids, token, transaction,
/// address and the keys.
const FRAME_BYTES: usize = 200;

/// The bytes of a filter, twice, with their keys.
const FILTERS_BYTES: usize = 2 * (256 + 10);

/// Strangers whom we ask in turn at once; else a flood of queries would be a flood of ours.
const STRANGERS_ASKED_MAX: usize = 16;

impl Dht {
    pub(super) fn on_query(
        &mut self,
        now: Time,
        from: SocketAddr,
        message: &Message<'_>,
        query: Query<'_>,
        out: &mut Vec<Act>,
    ) {
        if self.settings.read_only {
            return;
        }
        self.serve(now, from, message.transaction, query.ask, out);
        let contact = Contact { id: query.id, addr: from };
        let table = &mut self.nets[net_of(from)].table;
        if message.read_only || table.on_query(now, contact) || !table.would_take(now, contact) {
            return;
        }
        let strangers = self.open.iter().filter(|question| question.id.is_none()).count();
        if strangers < STRANGERS_ASKED_MAX {
            self.acquaint(now, from, None, out);
        }
    }

    fn serve(
        &mut self,
        now: Time,
        from: SocketAddr,
        transaction: &[u8],
        ask: Ask<'_>,
        out: &mut Vec<Act>,
    ) {
        let mut response = Response::new(self.id);
        match ask {
            Ask::Ping => {}
            Ask::FindNode { target, want } => {
                self.name_nodes(now, from, target, want, &mut response)
            }
            Ask::GetPeers { info_hash, want, no_seed, scrape } => {
                let token = self.secrets.token(now, from.ip(), info_hash);
                response.token = Some(&token);
                let filters = if scrape { self.store.filters(info_hash) } else { None };
                if let Some([seeds, peers]) = &filters {
                    response.filters = Some([seeds.bytes(), peers.bytes()]);
                }
                self.name_nodes(now, from, NodeId::of(info_hash), want, &mut response);
                self.name_peers(from, info_hash, no_seed, &mut response);
                return self.respond(now, from, transaction, response, out);
            }
            Ask::AnnouncePeer { info_hash, port, token, seed } => {
                if !self.secrets.accepts(now, token, from.ip(), info_hash) {
                    let refusal = (transaction, PROTOCOL_ERROR, "bad token");
                    return self.refuse(now, from, refusal, out);
                }
                let addr = SocketAddr::new(from.ip(), port.unwrap_or(from.port()));
                self.store.announce(now, info_hash, addr, seed);
                // What is told to us need not be asked for.
                if self.is_following(info_hash) {
                    out.push(Act::Found { info_hash, peers: vec![addr] });
                }
            }
        }
        self.respond(now, from, transaction, response, out);
    }

    /// The good nodes that are nearest, of the families that are wanted, except the asker.
    fn name_nodes(
        &self,
        now: Time,
        from: SocketAddr,
        target: NodeId,
        want: Want,
        response: &mut Response<'_>,
    ) {
        let nearest = |net: usize| {
            let mut nodes = self.nets[net].table.nearest(now, target, DHT_BUCKET_NODES + 1, true);
            nodes.retain(|contact| contact.addr != from);
            nodes.truncate(DHT_BUCKET_NODES);
            nodes
        };
        let unsaid = want == Want::default();
        if want.v4 || (unsaid && from.is_ipv4()) {
            response.nodes = Some(nearest(0));
        }
        if want.v6 || (unsaid && from.is_ipv6()) {
            response.nodes6 = Some(nearest(1));
        }
    }

    /// As many peers as fit the datagram.
    fn name_peers(
        &mut self,
        from: SocketAddr,
        info_hash: InfoHash,
        no_seed: bool,
        response: &mut Response<'_>,
    ) {
        let count = |nodes: &Option<Vec<Contact>>| nodes.as_ref().map_or(0, Vec::len);
        let nodes = count(&response.nodes) * 26 + count(&response.nodes6) * 38;
        let filters = if response.filters.is_some() { FILTERS_BYTES } else { 0 };
        let room = DHT_ANSWER_BYTES_MAX.saturating_sub(FRAME_BYTES + nodes + filters);
        // Its bytes, its length and a colon.
        let each = addr_bytes(from).len() + if from.is_ipv4() { 2 } else { 3 };
        let max = room / each;
        response.values = self.store.peers(info_hash, from, no_seed, max, &mut self.random);
    }

    fn respond(
        &mut self,
        now: Time,
        to: SocketAddr,
        transaction: &[u8],
        response: Response<'_>,
        out: &mut Vec<Act>,
    ) {
        self.counts.served += 1;
        self.reply(now, to, transaction, Body::Response(response), out);
    }

    /// Answers with an error: the transaction, the code and the text.
    pub(super) fn refuse(
        &mut self,
        now: Time,
        to: SocketAddr,
        (transaction, code, text): (&[u8], i64, &str),
        out: &mut Vec<Act>,
    ) {
        if !self.settings.read_only {
            let body = Body::Error { code, text: text.as_bytes() };
            self.reply(now, to, transaction, body, out);
        }
    }

    fn reply(
        &mut self,
        now: Time,
        to: SocketAddr,
        transaction: &[u8],
        body: Body<'_>,
        out: &mut Vec<Act>,
    ) {
        let message = Message { seen_at: Some(to), ..Message::new(transaction, body) };
        let mut bytes = Vec::new();
        message.write(&mut bytes);
        assert!(bytes.len() <= DHT_ANSWER_BYTES_MAX, "an answer of {} bytes", bytes.len());
        if self.guard.affords(now, bytes.len()) {
            out.push(Act::Send { to, bytes });
        }
    }
}
