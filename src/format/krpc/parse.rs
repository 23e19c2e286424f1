//! Reading a datagram: lenient in form, strict in what is needed.
//!
//! Programs of twenty years write these dictionaries, some with keys out of order; BEP 5 does not
//! say that such a message is void. But what an answer depends on must be there and have its
//! length: nothing is guessed.

use super::compact::{contacts, parse_addr};
use super::{Ask, Body, METHOD_UNKNOWN, Message, PROTOCOL_ERROR, Query, Refusal, Response, Want};
use crate::base::limits::{
    DHT_ANSWER_PEERS_MAX, DHT_DATAGRAM_BYTES_MAX, DHT_DEPTH_MAX, DHT_TOKEN_BYTES_MAX,
    DHT_TRANSACTION_BYTES_MAX,
};
use crate::base::{InfoHash, NodeId};
use crate::format::Malformed;
use crate::format::bencode::{Dict, Item, Strictness};

/// Why a query is answered by an error.
type Wrong = (i64, &'static str);

pub(super) fn message(bytes: &[u8]) -> Result<Message<'_>, Refusal<'_>> {
    if bytes.len() > DHT_DATAGRAM_BYTES_MAX {
        return Err(drop("a datagram that is too long"));
    }
    let dict = Dict::parse_shallow(bytes, Strictness::Lenient, DHT_DEPTH_MAX);
    let dict = dict.map_err(Refusal::Drop)?;
    let transaction = string(dict, "t").ok_or_else(|| drop("no transaction"))?;
    if transaction.len() > DHT_TRANSACTION_BYTES_MAX {
        return Err(drop("a transaction id that is too long"));
    }
    let body = match string(dict, "y") {
        Some(b"q") => {
            let wrong = |(code, text)| Refusal::Answer { transaction, code, text };
            Body::Query(query(dict).map_err(wrong)?)
        }
        Some(b"r") => Body::Response(response(dict)?),
        Some(b"e") => error(dict)?,
        Some(_) | None => return Err(drop("neither query nor response nor error")),
    };
    Ok(Message {
        transaction,
        body,
        read_only: int(dict, "ro") == Some(1),
        seen_at: string(dict, "ip").and_then(parse_addr),
        version: string(dict, "v"),
    })
}

fn query(dict: Dict<'_>) -> Result<Query<'_>, Wrong> {
    let method = string(dict, "q").ok_or((PROTOCOL_ERROR, "no method"))?;
    let arguments = dict.get("a").and_then(Item::dict).ok_or((PROTOCOL_ERROR, "no arguments"))?;
    let id = place(arguments, "id").ok_or((PROTOCOL_ERROR, "no id of 20 bytes"))?;
    let info_hash = || {
        let place = place(arguments, "info_hash");
        place.map(|place| InfoHash(place.0)).ok_or((PROTOCOL_ERROR, "no info_hash of 20 bytes"))
    };
    let ask = match method {
        b"ping" => Ask::Ping,
        b"find_node" => Ask::FindNode {
            target: place(arguments, "target").ok_or((PROTOCOL_ERROR, "no target of 20 bytes"))?,
            want: want(arguments),
        },
        b"get_peers" => Ask::GetPeers {
            info_hash: info_hash()?,
            want: want(arguments),
            no_seed: int(arguments, "noseed") == Some(1),
            scrape: int(arguments, "scrape") == Some(1),
        },
        b"announce_peer" => Ask::AnnouncePeer {
            info_hash: info_hash()?,
            port: port(arguments)?,
            token: string(arguments, "token").ok_or((PROTOCOL_ERROR, "no token"))?,
            seed: int(arguments, "seed") == Some(1),
        },
        _ => return Err((METHOD_UNKNOWN, "method unknown")),
    };
    Ok(Query { id, ask })
}

/// The port of an announce; `None` if it is implied.
fn port(arguments: Dict<'_>) -> Result<Option<u16>, Wrong> {
    if int(arguments, "implied_port").is_some_and(|implied| implied != 0) {
        return Ok(None);
    }
    let port = int(arguments, "port").and_then(|port| u16::try_from(port).ok());
    match port {
        Some(0) | None => Err((PROTOCOL_ERROR, "no port between 1 and 65535")),
        Some(port) => Ok(Some(port)),
    }
}

fn want(arguments: Dict<'_>) -> Want {
    let Some(list) = arguments.get("want").and_then(Item::list) else { return Want::default() };
    let has = |word: &[u8]| list.iter().any(|item| item.bytes() == Some(word));
    Want { v4: has(b"n4"), v6: has(b"n6") }
}

fn response(dict: Dict<'_>) -> Result<Response<'_>, Refusal<'_>> {
    let values = dict.get("r").and_then(Item::dict).ok_or_else(|| drop("no return values"))?;
    let id = place(values, "id").ok_or_else(|| drop("no id of 20 bytes"))?;
    let nodes = |key, ip_bytes| string(values, key).map(|bytes| contacts(bytes, ip_bytes));
    let token = string(values, "token").filter(|token| token.len() <= DHT_TOKEN_BYTES_MAX);
    let peers = values.get("values").and_then(Item::list).into_iter().flatten();
    let peers = peers.filter_map(|item| parse_addr(item.bytes()?));
    let filter = |key| <&[u8; 256]>::try_from(string(values, key)?).ok();
    Ok(Response {
        id,
        nodes: nodes("nodes", 4),
        nodes6: nodes("nodes6", 16),
        token,
        values: peers.filter(|addr| addr.port() != 0).take(DHT_ANSWER_PEERS_MAX).collect(),
        filters: filter("BFsd").zip(filter("BFpe")).map(|(seeds, peers)| [seeds, peers]),
    })
}

fn error(dict: Dict<'_>) -> Result<Body<'_>, Refusal<'_>> {
    let list = dict.get("e").and_then(Item::list).ok_or_else(|| drop("no list of an error"))?;
    let mut items = list.iter();
    let code = items.next().and_then(Item::int).unwrap_or(0);
    let text = items.next().and_then(Item::bytes).unwrap_or(b"");
    Ok(Body::Error { code, text })
}

fn drop(what: &'static str) -> Refusal<'static> {
    Refusal::Drop(Malformed::new(what, 0))
}

fn string<'b>(dict: Dict<'b>, key: &str) -> Option<&'b [u8]> {
    dict.get(key).and_then(Item::bytes)
}

fn int(dict: Dict<'_>, key: &str) -> Option<i64> {
    dict.get(key).and_then(Item::int)
}

fn place(dict: Dict<'_>, key: &str) -> Option<NodeId> {
    <[u8; 20]>::try_from(string(dict, key)?).ok().map(NodeId)
}
