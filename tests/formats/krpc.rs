//! KRPC: the specification's own packets, every truncation, and what strangers make of it.

use std::net::SocketAddr;

use swarmlet::base::limits::{DHT_ANSWER_NODES_MAX, DHT_ANSWER_PEERS_MAX};
use swarmlet::base::{InfoHash, NodeId};
use swarmlet::format::krpc::{Ask, Body, Contact, Message, Query, Refusal, Response, Want};

const ID: NodeId = NodeId(*b"abcdefghij0123456789");
const OTHER: [u8; 20] = *b"mnopqrstuvwxyz123456";

fn addr(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn query(ask: Ask<'_>) -> Message<'_> {
    Message::new(b"aa", Body::Query(Query { id: ID, ask }))
}

fn response(response: Response<'_>) -> Message<'_> {
    Message::new(b"aa", Body::Response(response))
}

fn written(message: &Message<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.write(&mut bytes);
    bytes
}

/// Every kind of message, and its bytes; those that BEP 5 prints are as it prints them.
fn good() -> Vec<(Message<'static>, &'static [u8])> {
    let announce = |port, seed| Ask::AnnouncePeer {
        info_hash: InfoHash(OTHER),
        port,
        token: b"aoeusnth",
        seed,
    };
    let want = Want::default();
    let both = Want { v4: true, v6: true };
    let torrent = InfoHash(OTHER);
    let get_peers =
        |want, no_seed, scrape| query(Ask::GetPeers { info_hash: torrent, want, no_seed, scrape });
    let peers = Response {
        token: Some(b"aoeusnth"),
        values: vec![addr("97.120.106.101:11893"), addr("105.100.104.116:28269")],
        ..Response::new(ID)
    };
    let contact = Contact { id: ID, addr: addr("1.2.3.4:258") };
    let contact6 = Contact { id: ID, addr: addr("[::1]:258") };
    let nodes = Response {
        nodes: Some(vec![contact]),
        nodes6: Some(vec![contact6]),
        ..Response::new(NodeId(OTHER))
    };
    let error = Body::Error { code: 201, text: b"A Generic Error Ocurred" };
    vec![
        (query(Ask::Ping), b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe"),
        (response(Response::new(NodeId(OTHER))), b"d1:rd2:id20:mnopqrstuvwxyz123456e1:t2:aa1:y1:re"),
        (
            query(Ask::FindNode { target: NodeId(OTHER), want }),
            b"d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz123456e1:q9:find_node1:t2:aa1:y1:qe",
        ),
        (
            query(Ask::FindNode { target: NodeId(OTHER), want: both }),
            b"d1:ad2:id20:abcdefghij01234567896:target20:mnopqrstuvwxyz1234564:wantl2:n42:n6ee1:q9:find_node1:t2:aa1:y1:qe",
        ),
        (
            get_peers(want, false, false),
            b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz123456e1:q9:get_peers1:t2:aa1:y1:qe",
        ),
        (
            get_peers(both, true, true),
            b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz1234566:noseedi1e6:scrapei1e4:wantl2:n42:n6ee1:q9:get_peers1:t2:aa1:y1:qe",
        ),
        (
            query(announce(Some(6881), false)),
            b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz1234564:porti6881e5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe",
        ),
        (
            query(announce(None, true)),
            b"d1:ad2:id20:abcdefghij012345678912:implied_porti1e9:info_hash20:mnopqrstuvwxyz1234564:seedi1e5:token8:aoeusnthe1:q13:announce_peer1:t2:aa1:y1:qe",
        ),
        (
            response(peers),
            b"d1:rd2:id20:abcdefghij01234567895:token8:aoeusnth6:valuesl6:axje.u6:idhtnmee1:t2:aa1:y1:re",
        ),
        (
            response(nodes),
            b"d1:rd2:id20:mnopqrstuvwxyz1234565:nodes26:abcdefghij0123456789\x01\x02\x03\x04\x01\x026:nodes638:abcdefghij0123456789\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x01\x02e1:t2:aa1:y1:re",
        ),
        (Message::new(b"aa", error), b"d1:eli201e23:A Generic Error Ocurrede1:t2:aa1:y1:ee"),
        (
            Message { read_only: true, version: Some(b"SL01"), ..query(Ask::Ping) },
            b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping2:roi1e1:t2:aa1:v4:SL011:y1:qe",
        ),
        (
            Message {
                seen_at: Some(addr("4.3.2.1:513")),
                ..response(Response::new(ID))
            },
            b"d2:ip6:\x04\x03\x02\x01\x02\x011:rd2:id20:abcdefghij0123456789e1:t2:aa1:y1:re",
        ),
    ]
}

#[test]
fn krpc_messages_are_written_as_the_specification_writes_them_and_read_back() {
    for (message, bytes) in good() {
        assert_eq!(written(&message), bytes, "{message:?}");
        assert_eq!(Message::parse(bytes), Ok(message));
    }
}

#[test]
fn every_truncation_of_a_krpc_message_is_dropped_and_no_changed_byte_panics() {
    for (message, bytes) in good() {
        for cut in 0..bytes.len() {
            let read = Message::parse(&bytes[..cut]);
            assert!(matches!(read, Err(Refusal::Drop(_))), "{message:?} cut at {cut}");
        }
        for place in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.to_vec();
                changed[place] ^= 1 << bit;
                if let Ok(message) = Message::parse(&changed) {
                    let again = written(&message);
                    assert_eq!(Message::parse(&again), Ok(message), "{changed:?}");
                }
            }
        }
    }
}

#[test]
fn keys_out_of_order_and_keys_unknown_do_not_void_a_message() {
    let said = b"d1:y1:q1:t2:aa1:q4:ping1:zi1e1:ad1:x0:2:id20:abcdefghij0123456789ee";
    assert_eq!(Message::parse(said), Ok(query(Ask::Ping)));
}

/// What is answered with an error, and with which.
#[test]
fn rows_76_to_78_queries_that_lack_something_are_answered_by_an_error() {
    let cases: &[(&[u8], i64, &str)] = &[
        (b"d1:ad2:id19:abcdefghij012345678e1:q4:ping1:t2:aa1:y1:qe", 203, "no id of 20 bytes"),
        (b"d1:ad2:idi7ee1:q4:ping1:t2:aa1:y1:qe", 203, "no id of 20 bytes"),
        (b"d1:ade1:q4:ping1:t2:aa1:y1:qe", 203, "no id of 20 bytes"),
        (b"d1:q4:ping1:t2:aa1:y1:qe", 203, "no arguments"),
        (b"d1:ad2:id20:abcdefghij0123456789e1:t2:aa1:y1:qe", 203, "no method"),
        (
            b"d1:ad2:id20:abcdefghij0123456789e1:q9:find_node1:t2:aa1:y1:qe",
            203,
            "no target of 20 bytes",
        ),
        (
            b"d1:ad2:id20:abcdefghij01234567899:info_hash3:abce1:q9:get_peers1:t2:aa1:y1:qe",
            203,
            "no info_hash of 20 bytes",
        ),
        (
            b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz1234564:porti0e5:token1:xe1:q13:announce_peer1:t2:aa1:y1:qe",
            203,
            "no port between 1 and 65535",
        ),
        (
            b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz1234564:porti65536e5:token1:xe1:q13:announce_peer1:t2:aa1:y1:qe",
            203,
            "no port between 1 and 65535",
        ),
        (
            b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz1234564:porti-1e5:token1:xe1:q13:announce_peer1:t2:aa1:y1:qe",
            203,
            "no port between 1 and 65535",
        ),
        (
            b"d1:ad2:id20:abcdefghij01234567899:info_hash20:mnopqrstuvwxyz1234564:porti1ee1:q13:announce_peer1:t2:aa1:y1:qe",
            203,
            "no token",
        ),
        (
            b"d1:ad2:id20:abcdefghij0123456789e1:q4:vote1:t2:aa1:y1:qe",
            204,
            "method unknown",
        ),
    ];
    for &(bytes, code, text) in cases {
        let expected = Refusal::Answer { transaction: b"aa", code, text };
        assert_eq!(Message::parse(bytes), Err(expected), "{}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn row_77_what_has_no_kind_or_no_transaction_is_dropped() {
    let long = [&b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t33:"[..], &[b'x'; 33], b"1:y1:qe"];
    let long = long.concat();
    let cases: &[&[u8]] = &[
        b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:y1:qe",
        b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:ti7e1:y1:qe",
        b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aae",
        b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:xe",
        b"d1:rd2:id19:abcdefghij012345678e1:t2:aa1:y1:re",
        b"d1:t2:aa1:y1:re",
        b"d1:ei203e1:t2:aa1:y1:ee",
        b"l1:t2:aae",
        b"i1e",
        b"",
        b"GET / HTTP/1.1\r\n\r\n",
        &long,
    ];
    for bytes in cases {
        let read = Message::parse(bytes);
        assert!(matches!(read, Err(Refusal::Drop(_))), "{}", String::from_utf8_lossy(bytes));
    }
}

/// A response whose `nodes` are these bytes.
fn with_nodes(nodes: &[u8]) -> Vec<u8> {
    let head = format!("d1:rd2:id20:abcdefghij01234567895:nodes{}:", nodes.len());
    [head.as_bytes(), nodes, b"e1:t2:aa1:y1:re"].concat()
}

fn nodes_of(bytes: &[u8]) -> Vec<Contact> {
    match Message::parse(bytes).expect("a message").body {
        Body::Response(response) => response.nodes.expect("nodes"),
        Body::Query(_) | Body::Error { .. } => panic!("not a response"),
    }
}

#[test]
fn row_80_contacts_come_in_whole_groups_have_a_port_and_are_not_too_many() {
    let contact = Contact { id: ID, addr: addr("1.2.3.4:258") };
    let one = b"abcdefghij0123456789\x01\x02\x03\x04\x01\x02";
    let no_port = b"abcdefghij0123456789\x01\x02\x03\x04\0\0";
    let cases: &[(Vec<u8>, usize)] = &[
        (one[..25].to_vec(), 0),
        (one.to_vec(), 1),
        ([&one[..], &one[..25]].concat(), 1),
        ([&no_port[..], &one[..]].concat(), 1),
        (one.repeat(50), DHT_ANSWER_NODES_MAX),
    ];
    for (nodes, count) in cases {
        assert_eq!(nodes_of(&with_nodes(nodes)), vec![contact; *count]);
    }
    let far_too_many = with_nodes(&one.repeat(10_000));
    assert!(matches!(Message::parse(&far_too_many), Err(Refusal::Drop(_))));
}

#[test]
fn peers_of_both_families_are_read_others_are_left_out_and_there_are_not_too_many() {
    let peers = |list: &[u8]| {
        let head = b"d1:rd2:id20:abcdefghij01234567896:valuesl";
        let bytes = [&head[..], list, b"ee1:t2:aa1:y1:re"].concat();
        match Message::parse(&bytes).expect("a message").body {
            Body::Response(response) => response.values,
            Body::Query(_) | Body::Error { .. } => panic!("not a response"),
        }
    };
    let mixed = b"6:axje.u18:\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x01\x028:too longi5e6:abcd\0\0";
    assert_eq!(peers(mixed), vec![addr("97.120.106.101:11893"), addr("[::1]:258")]);
    assert_eq!(peers(&b"6:axje.u".repeat(175)).len(), DHT_ANSWER_PEERS_MAX);
}

#[test]
fn row_83_what_is_long_or_deep_is_dropped() {
    let nested = |levels: usize| {
        let (open, close) = ("l".repeat(levels), "e".repeat(levels));
        let head = "d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:x";
        format!("{head}{open}{close}1:y1:qe").into_bytes()
    };
    assert_eq!(Message::parse(&nested(7)), Ok(query(Ask::Ping)));
    assert!(matches!(Message::parse(&nested(8)), Err(Refusal::Drop(_))));
    assert!(matches!(Message::parse(&nested(30_000)), Err(Refusal::Drop(_))));

    let of_bytes = |bytes: usize| {
        let head = b"d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:v".to_vec();
        let rest = bytes - head.len() - 8;
        let filler = rest - rest.to_string().len();
        let mut message = [head, format!("{filler}:").into_bytes()].concat();
        message.resize(message.len() + filler, b'x');
        message.extend_from_slice(b"1:y1:qe");
        assert_eq!(message.len(), bytes);
        message
    };
    assert!(Message::parse(&of_bytes(1500)).is_ok());
    assert!(matches!(Message::parse(&of_bytes(1501)), Err(Refusal::Drop(_))));
    assert!(matches!(Message::parse(&of_bytes(65_507)), Err(Refusal::Drop(_))));
}
