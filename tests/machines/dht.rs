//! The DHT's machines: places, tokens, tables, stores, guards, look-ups, and one node among
//! strangers.

use std::net::{IpAddr, SocketAddr};

use swarmlet::base::limits::{
    DHT_BUCKET_NODES, DHT_SOURCE_MESSAGES_MAX, DHT_STORED_PEERS_MAX, DHT_STORED_PER_TORRENT_MAX,
    DHT_STORED_TORRENTS_MAX,
};
use swarmlet::base::{InfoHash, NodeId, Random, Span, Time};
use swarmlet::dht::table::Quality;
use swarmlet::dht::{
    Act, Dht, Filter, Guard, Lookup, Offer, Secrets, Settings, Store, Table, place,
};
use swarmlet::format::krpc::{Ask, Body, Contact, Message, Query, Response, Want};

const TORRENT: InfoHash = InfoHash(*b"mnopqrstuvwxyz123456");

fn at(secs: u64) -> Time {
    Time::START + Span::from_secs(secs)
}

fn addr(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// An id that begins with these bytes.
fn id(first: &[u8]) -> NodeId {
    let mut bytes = [0; 20];
    bytes[..first.len()].copy_from_slice(first);
    NodeId(bytes)
}

/// A node in a network of its own.
fn contact(first: u8, second: u8) -> Contact {
    let addr = SocketAddr::from(([20, first, second, 1], 6881));
    Contact { id: id(&[first, second, 1]), addr }
}

#[test]
fn places_belong_to_addresses_as_the_specification_computes_them() {
    let cases = [
        ("124.31.75.21", "5fbfbff10c5d6a4ec8a88e4c6ab4c28b95eee401"),
        ("21.75.31.124", "5a3ce9c14e7a08645677bbd1cfe7d8f956d53256"),
        ("65.23.51.170", "a5d43220bc8f112a3d426c84764f8c2a1150e616"),
        ("84.124.73.14", "1b0321dd1bb1fe518101ceef99462b947a01ff41"),
        ("43.213.53.83", "e56f6cbf5b7c4be0237986d5243b87aa6d51305a"),
    ];
    for (addr, node) in cases {
        let InfoHash(bytes) = InfoHash::parse_hex(node).expect("hexadecimal");
        assert!(place::fits(NodeId(bytes), ip(addr)), "{addr}");
        // The 21st bit counts, the 22nd does not.
        for (bit, fits) in [(0x08, false), (0x04, true)] {
            let mut other = bytes;
            other[2] ^= bit;
            assert_eq!(place::fits(NodeId(other), ip(addr)), fits, "{addr}, bit {bit}");
        }
    }
    let mut random = Random::new(1);
    for addr in ["124.31.75.21", "2001:db8:100:0:d5c8:db3f:995e:c0f7"] {
        let chosen = place::choose(Some(ip(addr)), &mut random);
        assert!(place::fits(chosen, ip(addr)));
        assert!(!place::fits(chosen, ip("1.2.3.4")));
    }
    assert!(place::fits(id(&[7]), ip("192.168.1.1")), "local networks are exempt");
}

#[test]
fn filters_count_as_the_specification_does() {
    let mut filter = Filter::new();
    for last in 0..=255 {
        filter.insert(IpAddr::from([192, 0, 2, last]));
    }
    for last in 0..=0x3e7 {
        filter.insert(IpAddr::from([0x2001, 0x0db8, 0, 0, 0, 0, 0, last]));
    }
    assert_eq!(filter.bytes()[..8], [0xf6, 0xc3, 0xf5, 0xea, 0xa0, 0x7f, 0xfd, 0x91]);
    assert_eq!(filter.bytes()[252..], [0xfd, 0x8f, 0x72, 0xef]);
    assert!((filter.estimate() - 1224.9308).abs() < 0.001, "{}", filter.estimate());
    assert_eq!(Filter::new().estimate(), 0.0);
}

#[test]
fn row_78_a_token_holds_for_one_address_one_torrent_and_ten_minutes_at_most() {
    let secrets = Secrets::new([7; 20]);
    let token = secrets.token(at(299), ip("1.2.3.4"), TORRENT);
    let accepts = |secs, from, torrent| secrets.accepts(at(secs), &token, ip(from), torrent);
    assert!(accepts(299, "1.2.3.4", TORRENT));
    assert!(accepts(599, "1.2.3.4", TORRENT));
    assert!(!accepts(600, "1.2.3.4", TORRENT));
    assert!(!accepts(299, "1.2.3.5", TORRENT));
    assert!(!accepts(299, "1.2.3.4", InfoHash([0; 20])));
    assert!(!secrets.accepts(at(299), b"", ip("1.2.3.4"), TORRENT));
    assert!(!Secrets::new([8; 20]).accepts(at(299), &token, ip("1.2.3.4"), TORRENT));
}

#[test]
fn the_far_half_fills_one_bucket_and_the_near_half_is_split() {
    let own = id(&[0x00]);
    let mut table = Table::new(at(0), own);
    for number in 0..20 {
        table.on_answer(at(1), contact(0x80 + number, number));
        table.check();
    }
    assert_eq!(table.shape()[0], DHT_BUCKET_NODES);
    for number in 0..8 {
        table.on_answer(at(1), contact(0x40 + number, number));
        table.on_answer(at(1), contact(0x20 + number, number));
        table.check();
    }
    assert_eq!(table.shape()[..2], [8, 8]);
    assert_eq!(table.nodes().count(), 24, "no good node is driven out");
    let nearest = table.nearest(at(2), id(&[0x41]), 3, true);
    assert_eq!(nearest[0].id, contact(0x41, 1).id);
    assert_eq!(nearest.len(), 3);
}

#[test]
fn a_bad_node_gives_way_to_a_spare_and_a_good_one_to_nobody() {
    let mut table = Table::new(at(0), id(&[0x00]));
    for number in 0..9 {
        table.on_answer(at(number.into()), contact(0x80 + number, number));
    }
    // Let the table split once, so that this bucket is no longer ours.
    table.on_answer(at(10), contact(0x10, 1));
    let [first, spare] = [contact(0x80, 0), contact(0x88, 8)];
    let has = |table: &Table, contact| table.nodes().any(|node| node.contact == contact);
    assert!(has(&table, first));
    table.on_failure(first);
    assert!(has(&table, first), "one lost datagram proves nothing");
    let before = has(&table, spare);
    table.on_failure(first);
    table.check();
    assert!(before || !has(&table, first));
    assert_eq!(table.shape()[0], DHT_BUCKET_NODES);
    // After a quarter of an hour of silence it is doubtful; then bad, if it does not answer.
    let quality = |secs| table.nodes().next().expect("a node").quality(at(secs));
    assert_eq!(quality(20), Quality::Good);
    assert_eq!(quality(2_000), Quality::Questionable);
    assert!(table.nearest(at(2_000), id(&[0x80]), 8, true).is_empty());
    assert_eq!(table.nearest(at(2_000), id(&[0x80]), 8, false).len(), 8);
}

#[test]
fn row_81_of_one_network_there_is_one_node_in_a_bucket() {
    let mut table = Table::new(at(0), id(&[0x00]));
    let mut lookup = Lookup::new(id(&[0x80]), &[]);
    for number in 0..100 {
        let addr = SocketAddr::from(([20, 1, 1, number], 6881));
        let sybil = Contact { id: id(&[0x80, number]), addr };
        table.on_answer(at(1), sybil);
        lookup = Lookup::new(id(&[0x80]), &[contact(0x90, 1)]);
        let asked = lookup.next(at(1)).expect("one");
        lookup.on_answer(asked, None, &[sybil, Contact { id: id(&[0x81, number]), ..sybil }]);
    }
    assert_eq!(table.nodes().count(), 1);
    table.check();
    assert!(lookup.next(at(2)).is_some());
    assert!(lookup.next(at(2)).is_none(), "one of that network is enough");
    // On a local network, addresses are what they are.
    for number in 0..8 {
        let addr = SocketAddr::from(([192, 168, 1, number], 6881));
        table.on_answer(at(1), Contact { id: id(&[0x01, number]), addr });
    }
    assert_eq!(table.nodes().count(), 9);
}

#[test]
fn the_store_is_bounded_in_every_direction_and_forgets() {
    let mut store = Store::new();
    let mut random = Random::new(1);
    let peer = |number: u32| SocketAddr::from((std::net::Ipv4Addr::from(0x1400_0000 + number), 1));
    let hash = |number: u64| {
        let mut bytes = [0; 20];
        Random::new(number).fill(&mut bytes);
        InfoHash(bytes)
    };
    for number in 0..200 {
        store.announce(at(0), TORRENT, peer(number), false);
    }
    assert_eq!(store.peer_count(), DHT_STORED_PER_TORRENT_MAX);
    for port in 1..100 {
        store.announce(at(0), hash(1), SocketAddr::from(([1, 2, 3, 4], port)), false);
    }
    assert_eq!(store.peer_count(), DHT_STORED_PER_TORRENT_MAX + 3);
    for torrent in 2..3_000 {
        store.announce(at(60), hash(torrent), peer(1), true);
    }
    store.check();
    assert_eq!(store.torrent_count(), DHT_STORED_TORRENTS_MAX);
    let asker = addr("9.9.9.9:1");
    let kept = store.peers(TORRENT, asker, false, 200, &mut random).len();
    assert_eq!(kept, DHT_STORED_PER_TORRENT_MAX, "a flood drives out only its own");
    for torrent in 0..100 {
        for number in 0..200 {
            store.announce(at(60), hash(5_000 + torrent), peer(number), torrent == 99);
        }
    }
    store.check();
    assert!(store.peer_count() <= DHT_STORED_PEERS_MAX + DHT_STORED_PER_TORRENT_MAX);
    assert!(store.peers(hash(5_099), addr("[::1]:1"), false, 9, &mut random).is_empty());
    assert!(store.peers(hash(5_099), asker, true, 9, &mut random).is_empty(), "no seeds");
    store.expire(at(2_400));
    assert!(store.peers(TORRENT, asker, false, 1, &mut random).is_empty());
    store.expire(at(2_460));
    assert_eq!((store.peer_count(), store.torrent_count()), (0, 0));
    assert_eq!(store.deadline(), None);
}

#[test]
fn row_82_who_says_too_much_is_not_heard_for_five_minutes() {
    let mut guard = Guard::new(at(0));
    let (loud, calm) = (ip("1.2.3.4"), ip("1.2.3.5"));
    let heard = (0..100).filter(|_| guard.hears(at(1), loud)).count();
    assert_eq!(u32::try_from(heard), Ok(DHT_SOURCE_MESSAGES_MAX));
    assert!(guard.hears(at(1), calm));
    assert!(!guard.hears(at(300), loud));
    assert!(guard.hears(at(301), loud));
    // A flood from everywhere does not free the silenced.
    let mut guard = Guard::new(at(0));
    (0..100).for_each(|_| {
        guard.hears(at(1), loud);
    });
    for last in 0..=255 {
        guard.hears(at(2), IpAddr::from([5, 6, 7, last]));
    }
    assert!(!guard.hears(at(3), loud));
    // All answers together have a budget, which grows again.
    let afforded = (0..1_000).filter(|_| guard.affords(at(3), 1_024)).count();
    assert!((64..=112).contains(&afforded), "{afforded}");
    assert!(guard.affords(at(4), 1_024));
}

#[test]
fn a_lookup_asks_four_at_a_time_and_is_not_stopped_by_the_dead() {
    let ours: Vec<Contact> = (0..8).map(|number| contact(0x80 + number, number)).collect();
    let mut lookup = Lookup::new(id(&[0x80]), &ours);
    let all = |lookup: &mut Lookup, secs| {
        std::iter::from_fn(|| lookup.next(at(secs))).collect::<Vec<_>>()
    };
    assert_eq!(all(&mut lookup, 0).len(), 4);
    assert_eq!(lookup.deadline(), Some(at(1)));
    assert_eq!(all(&mut lookup, 1).len(), 4, "after a second, others are asked in their place");
    lookup.check();
    let nearer = contact(0x80, 200);
    lookup.on_answer(ours[3], Some(b"token"), &[nearer]);
    assert_eq!(all(&mut lookup, 2).len(), 1);
    for dead in &ours[4..] {
        lookup.on_failure(dead.addr);
    }
    for (number, alive) in ours[..3].iter().enumerate() {
        assert!(!lookup.is_done(), "{number}");
        lookup.on_answer(*alive, None, &[]);
    }
    lookup.on_answer(nearer, None, &[]);
    assert!(lookup.is_done());
    let result: Vec<_> =
        lookup.nearest_answered().map(|known| (known.contact, known.hops)).collect();
    assert_eq!(result.len(), 5);
    assert!(result.contains(&(nearer, 2)));
}

// ── One node among strangers ────────────────────────────────────────────────────────────────

fn node(read_only: bool) -> Dht {
    Dht::new(at(0), Settings { read_only, v4: true, v6: false, secret: [9; 20], seed: 1 })
}

const THEM: NodeId = NodeId(*b"abcdefghij0123456789");

/// What the node says to a query of a stranger's.
fn answer(dht: &mut Dht, now: Time, from: &str, message: &Message<'_>) -> Vec<Vec<u8>> {
    let mut bytes = Vec::new();
    message.write(&mut bytes);
    let mut out = Vec::new();
    dht.on_datagram(now, addr(from), &bytes, &mut out);
    dht.check();
    let sent = out.into_iter().filter_map(|act| match act {
        Act::Send { to, bytes } => {
            assert_eq!(to, addr(from));
            Some(bytes)
        }
        Act::Found { .. } | Act::Ended { .. } => None,
    });
    sent.collect()
}

fn query(ask: Ask<'_>) -> Message<'_> {
    Message::new(b"aa", Body::Query(Query { id: THEM, ask }))
}

fn parsed(bytes: &[u8]) -> Message<'_> {
    Message::parse(bytes).expect("what we say can be read")
}

const GET_PEERS: Ask<'static> = Ask::GetPeers {
    info_hash: TORRENT,
    want: Want { v4: false, v6: false },
    no_seed: false,
    scrape: true,
};

#[test]
fn a_stranger_is_answered_and_asked_in_turn_but_not_one_that_is_read_only() {
    let mut dht = node(false);
    let sent = answer(&mut dht, at(1), "1.2.3.4:5", &query(Ask::Ping));
    assert_eq!(sent.len(), 2);
    let Message { body, seen_at, transaction, .. } = parsed(&sent[0]);
    assert_eq!(body, Body::Response(Response::new(dht.id())));
    assert_eq!((seen_at, transaction), (Some(addr("1.2.3.4:5")), &b"aa"[..]));
    assert!(matches!(parsed(&sent[1]).body, Body::Query(Query { ask: Ask::Ping, .. })));
    // Its answer brings it into the table.
    let question = parsed(&sent[1]);
    let response = Message::new(question.transaction, Body::Response(Response::new(THEM)));
    answer(&mut dht, at(2), "1.2.3.4:5", &response);
    assert_eq!(dht.figures(at(2)).good, [1, 0]);
    // Who says that it answers nobody is not asked.
    let read_only = Message { read_only: true, ..query(Ask::Ping) };
    assert_eq!(answer(&mut dht, at(3), "2.2.3.4:5", &read_only).len(), 1);
}

#[test]
fn who_is_read_only_answers_nobody_and_says_so() {
    let mut dht = node(true);
    assert!(answer(&mut dht, at(1), "1.2.3.4:5", &query(Ask::Ping)).is_empty());
    let broken = b"d1:ad2:id3:abce1:q4:ping1:t2:aa1:y1:qe";
    let mut out = Vec::new();
    dht.on_datagram(at(1), addr("1.2.3.4:5"), broken, &mut out);
    assert!(out.is_empty());
    dht.enter(at(1), addr("1.2.3.4:5"), true, &mut out);
    let [Act::Send { bytes, .. }] = &out[..] else { panic!("{out:?}") };
    assert!(parsed(bytes).read_only);
}

#[test]
fn rows_78_and_79_only_tokens_of_ours_announce_and_only_answers_to_questions_count() {
    let mut dht = node(false);
    let announce = |token| {
        query(Ask::AnnouncePeer { info_hash: TORRENT, port: Some(7000), token, seed: false })
    };
    let sent = answer(&mut dht, at(1), "1.2.3.4:5", &announce(b"guess"));
    let error = Body::Error { code: 203, text: b"bad token" };
    assert_eq!(parsed(&sent[0]).body, error);
    assert_eq!(dht.figures(at(1)).stored_peers, 0);

    let sent = answer(&mut dht, at(2), "1.2.3.4:5", &query(GET_PEERS));
    let Body::Response(Response { token: Some(token), .. }) = parsed(&sent[0]).body else {
        panic!("a token")
    };
    let stolen = answer(&mut dht, at(3), "1.2.3.6:5", &announce(token));
    assert_eq!(parsed(&stolen[0]).body, error);
    let sent = answer(&mut dht, at(4), "1.2.3.4:5", &announce(token));
    assert_eq!(parsed(&sent[0]).body, Body::Response(Response::new(dht.id())));
    let sent = answer(&mut dht, at(5), "1.2.3.6:5", &query(GET_PEERS));
    let Body::Response(response) = parsed(&sent[0]).body else { panic!("a response") };
    assert_eq!(response.values, [addr("1.2.3.4:7000")]);
    assert!(response.filters.is_some());

    // Row 79: an answer that nobody asked for, and one from somebody else than was asked.
    let unasked = Message::new(b"zz", Body::Response(Response::new(THEM)));
    assert!(answer(&mut dht, at(6), "3.2.3.4:5", &unasked).is_empty());
    let mut out = Vec::new();
    dht.enter(at(6), addr("4.2.3.4:5"), true, &mut out);
    let [Act::Send { bytes, .. }] = &out[..] else { panic!("{out:?}") };
    let transaction = parsed(bytes).transaction.to_vec();
    let response = Message::new(&transaction, Body::Response(Response::new(THEM)));
    answer(&mut dht, at(6), "5.2.3.4:5", &response);
    assert_eq!(dht.figures(at(6)).nodes, [0, 0]);
    answer(&mut dht, at(6), "4.2.3.4:5", &response);
    assert_eq!(dht.figures(at(6)).nodes, [1, 0]);
}

#[test]
fn no_answer_is_longer_than_a_kilobyte_however_much_there_is_to_tell() {
    let mut dht = node(false);
    for number in 0..60u8 {
        let from = format!("1.2.{number}.4:5");
        let sent = answer(&mut dht, at(number.into()), &from, &query(GET_PEERS));
        let Body::Response(response) = parsed(&sent[0]).body else { panic!("a response") };
        let token = response.token.expect("a token").to_vec();
        let ask =
            Ask::AnnouncePeer { info_hash: TORRENT, port: Some(7), token: &token, seed: false };
        answer(&mut dht, at(number.into()), &from, &query(ask));
    }
    let sent = answer(&mut dht, at(100), "7.7.7.7:7", &query(GET_PEERS));
    assert!((800..=1024).contains(&sent[0].len()), "{}", sent[0].len());
}

#[test]
fn what_was_known_survives_a_restart_and_a_broken_record_harms_nobody() {
    let mut dht = node(false);
    let sent = answer(&mut dht, at(1), "1.2.3.4:5", &query(Ask::Ping));
    let question = parsed(&sent[1]);
    let response = Message::new(question.transaction, Body::Response(Response::new(THEM)));
    answer(&mut dht, at(2), "1.2.3.4:5", &response);
    let mut record = Vec::new();
    dht.save(at(3), &mut record);

    let mut again = node(false);
    again.load(at(0), &record).expect("our own record");
    assert_eq!(again.id(), dht.id());
    assert_eq!(again.figures(at(0)).nodes, [1, 0]);
    assert_eq!(again.figures(at(0)).good, [0, 0], "a rumour until it answers");
    let mut out = Vec::new();
    again.tick(at(0), &mut out);
    let [Act::Send { to, .. }] = &out[..] else { panic!("{out:?}") };
    assert_eq!(*to, addr("1.2.3.4:5"));

    for cut in 0..record.len() {
        let mut other = node(false);
        let before = other.id();
        assert!(other.load(at(0), &record[..cut]).is_err(), "cut at {cut}");
        assert_eq!(other.id(), before);
        other.check();
    }
}

#[test]
fn a_node_moves_when_enough_others_tell_it_its_address() {
    let mut dht = node(false);
    let ours = addr("124.31.75.21:6881");
    for number in 1..=6u8 {
        assert!(dht.figures(at(1)).external_ip.is_none());
        let from = addr(&format!("{number}.2.3.4:5"));
        let mut out = Vec::new();
        dht.enter(at(1), from, true, &mut out);
        let last = out.iter().rev().find_map(|act| match act {
            Act::Send { to, bytes } if *to == from => Some(bytes.clone()),
            Act::Send { .. } | Act::Found { .. } | Act::Ended { .. } => None,
        });
        let question = last.expect("a question");
        let transaction = parsed(&question).transaction.to_vec();
        let body = Body::Response(Response::new(contact(number, 1).id));
        let response = Message { seen_at: Some(ours), ..Message::new(&transaction, body) };
        answer_any(&mut dht, at(1), from, &response);
    }
    assert_eq!(dht.figures(at(1)).external_ip, Some(ours.ip()));
    assert!(place::fits(dht.id(), ours.ip()));
    dht.check();
}

/// Lets a datagram in, whatever comes of it.
fn answer_any(dht: &mut Dht, now: Time, from: SocketAddr, message: &Message<'_>) {
    let mut bytes = Vec::new();
    message.write(&mut bytes);
    dht.on_datagram(now, from, &bytes, &mut Vec::new());
}

#[test]
fn whatever_is_said_a_node_stays_whole_and_asks_no_more_than_it_may() {
    let mut dht = node(false);
    let mut random = Random::new(5);
    let mut out = Vec::new();
    dht.enter(at(0), addr("1.2.3.4:5"), true, &mut out);
    dht.follow(at(0), TORRENT, Some(Offer { port: 1, seed: true }));
    for step in 0..2_000u64 {
        let now = Time::from_millis(step * 50);
        let asked: Vec<(SocketAddr, Vec<u8>)> = out
            .drain(..)
            .filter_map(|act| match act {
                Act::Send { to, bytes } => Some((to, bytes)),
                Act::Found { .. } | Act::Ended { .. } => None,
            })
            .collect();
        for (to, bytes) in asked.iter().take(20) {
            let Ok(Message { transaction, body: Body::Query(_), .. }) = Message::parse(bytes)
            else {
                continue;
            };
            // They lie: random nodes, nearer and nearer, and themselves in many places.
            let mut response = Response::new(id(&random.next_u64().to_be_bytes()));
            let named = (0..8).map(|_| {
                let [a, b, c, d, e, f, ..] = random.next_u64().to_be_bytes();
                Contact { id: id(&[a, b]), addr: SocketAddr::from(([c, d, e, f], 1)) }
            });
            response.nodes = Some(named.collect());
            response.token = Some(b"x");
            answer_any(&mut dht, now, *to, &Message::new(transaction, Body::Response(response)));
        }
        // What one tick concludes may make another thing due at once, but not for ever.
        (0..4).for_each(|_| dht.tick(now, &mut out));
        dht.check();
        assert!(dht.deadline().is_none_or(|due| due > now), "no deadline lies in the past");
        assert!(out.len() < 200);
    }
}
