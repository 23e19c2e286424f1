//! Writing a datagram: canonical bencode, keys in order.

use super::compact::{addr_bytes, write_contacts};
use super::{Ask, Body, Message, Query, Response, Want};
use crate::format::bencode::Writer;

pub(super) fn message(message: &Message<'_>, out: &mut Vec<u8>) {
    let mut writer = Writer::new(out);
    writer.begin_dict();
    // The keys stand in their order: a e ip q r ro t v y.
    match &message.body {
        Body::Query(query) => arguments(query, &mut writer),
        Body::Error { code, text } => {
            writer.key("e").begin_list().int(*code).bytes(text).end();
        }
        Body::Response(_) => {}
    }
    if let Some(addr) = message.seen_at {
        writer.key("ip").bytes(addr_bytes(addr));
    }
    let kind = match &message.body {
        Body::Query(query) => {
            writer.key("q").bytes(method(query.ask));
            "q"
        }
        Body::Response(response) => {
            return_values(response, &mut writer);
            "r"
        }
        Body::Error { .. } => "e",
    };
    if message.read_only {
        writer.key("ro").int(1);
    }
    writer.key("t").bytes(message.transaction);
    if let Some(version) = message.version {
        writer.key("v").bytes(version);
    }
    writer.key("y").bytes(kind).end();
}

fn method(ask: Ask<'_>) -> &'static str {
    match ask {
        Ask::Ping => "ping",
        Ask::FindNode { .. } => "find_node",
        Ask::GetPeers { .. } => "get_peers",
        Ask::AnnouncePeer { .. } => "announce_peer",
    }
}

fn arguments(query: &Query<'_>, writer: &mut Writer<'_>) {
    writer.key("a").begin_dict().key("id").bytes(query.id.0);
    match query.ask {
        Ask::Ping => {}
        Ask::FindNode { target, want } => {
            writer.key("target").bytes(target.0);
            write_want(want, writer);
        }
        Ask::GetPeers { info_hash, want, no_seed, scrape } => {
            writer.key("info_hash").bytes(info_hash.0);
            flag("noseed", no_seed, writer);
            flag("scrape", scrape, writer);
            write_want(want, writer);
        }
        Ask::AnnouncePeer { info_hash, port, token, seed } => {
            flag("implied_port", port.is_none(), writer);
            writer.key("info_hash").bytes(info_hash.0);
            if let Some(port) = port {
                writer.key("port").int(port.into());
            }
            flag("seed", seed, writer);
            writer.key("token").bytes(token);
        }
    }
    writer.end();
}

fn flag(key: &str, is_set: bool, writer: &mut Writer<'_>) {
    if is_set {
        writer.key(key).int(1);
    }
}

fn write_want(want: Want, writer: &mut Writer<'_>) {
    if want == Want::default() {
        return;
    }
    writer.key("want").begin_list();
    for (is_wanted, word) in [(want.v4, "n4"), (want.v6, "n6")] {
        if is_wanted {
            writer.bytes(word);
        }
    }
    writer.end();
}

fn return_values(response: &Response<'_>, writer: &mut Writer<'_>) {
    writer.key("r").begin_dict();
    if let Some([seeds, peers]) = response.filters {
        writer.key("BFpe").bytes(peers).key("BFsd").bytes(seeds);
    }
    writer.key("id").bytes(response.id.0);
    for (key, nodes) in [("nodes", &response.nodes), ("nodes6", &response.nodes6)] {
        if let Some(nodes) = nodes {
            writer.key(key).bytes(write_contacts(nodes));
        }
    }
    if let Some(token) = response.token {
        writer.key("token").bytes(token);
    }
    if !response.values.is_empty() {
        writer.key("values").begin_list();
        for &addr in &response.values {
            writer.bytes(addr_bytes(addr));
        }
        writer.end();
    }
    writer.end();
}
