//! Loopback: whole nodes over real sockets, files and clocks, on 127.0.0.1.
//!
//! The stories told by simulation, once more in the real world. All nodes of a test live in its
//! thread and turn one after the other; nothing sleeps but the polls.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use swarmlet::base::limits::{HTTP_LIFETIME, REDIRECTS_MAX};
use swarmlet::base::{Bits, InfoHash, PeerId, Random, Span};
use swarmlet::engine::prospects::Quest;
use swarmlet::engine::{Event, Order, Phase};
use swarmlet::format::digest::Digest;
use swarmlet::format::draft::Draft;
use swarmlet::format::endpoint::Endpoint;
use swarmlet::format::layout::{File, Layout};
use swarmlet::format::magnet::Magnet;
use swarmlet::format::metainfo::Metainfo;
use swarmlet::trace::{Difference, Played, replay};
use swarmlet::tracker::{Policy, Service};
use swarmlet::wire::{Handshake, Message};
use swarmlet::world::dht::DhtOptions;
use swarmlet::world::node::{Node, NodeOptions};

/// A test that takes longer has failed. (On an idle machine, each takes less than a second.)
const PATIENCE: Duration = Duration::from_secs(60);

// ── Peers ───────────────────────────────────────────────────────────────────────────────────

#[test]
fn a_torrent_of_many_files_arrives_byte_for_byte() {
    let scratch = Scratch::new();
    let torrent = Torrent::make(&scratch.dir("seed"), &[]);
    let mut seed = peer(true);
    seed.add(torrent.order(&[], true), scratch.dir("seed")).expect("a new torrent");
    let addr = seed.listen_addr().expect("it listens");
    let mut leecher = peer(true);
    let id = leecher.add(torrent.order(&[addr], false), scratch.dir("got")).expect("a new torrent");

    let mut nodes = [seed, leecher];
    let events = turn_until(&mut nodes, |nodes| is_complete(&mut nodes[1], id));

    torrent.assert_in(&scratch.dir("got"));
    assert!(
        events[1].iter().any(|event| matches!(event, Event::Complete { downloaded: true, .. })),
        "{:?}",
        events[1]
    );
    farewell(&mut nodes);
}

#[test]
fn what_is_there_already_is_checked_and_only_the_rest_is_fetched() {
    let scratch = Scratch::new();
    let torrent = Torrent::make(&scratch.dir("seed"), &[]);
    let mut seed = peer(true);
    seed.add(torrent.order(&[], false), scratch.dir("seed")).expect("a new torrent");
    let addr = seed.listen_addr().expect("it listens");
    // Half of the largest file, and a wrong byte in its second piece.
    let largest = torrent.files.iter().max_by_key(|(_, bytes)| bytes.len()).expect("some file");
    let mut half = largest.1[..largest.1.len() / 2].to_vec();
    half[torrent.piece_bytes() + 1000] ^= 1;
    write_file(&scratch.dir("got").join(&largest.0), &half);
    let mut leecher = peer(true);
    let id = leecher.add(torrent.order(&[addr], false), scratch.dir("got")).expect("a new torrent");

    let mut nodes = [seed, leecher];
    turn_until(&mut nodes, |nodes| is_complete(&mut nodes[1], id));

    torrent.assert_in(&scratch.dir("got"));
    let status = nodes[1].status(id).expect("it is there");
    let saved = (half.len() - 4 * torrent.piece_bytes()) as u64;
    assert!(status.downloaded <= status.total_bytes - saved, "{status:?}");
    farewell(&mut nodes);
}

#[test]
fn three_peers_find_one_another_through_a_tracker() {
    let tracker = tracker();
    let url = format!("http://{}/announce", tracker.http_addr().expect("it serves"));
    three_peers_meet_at(tracker, url, Ipv4Addr::LOCALHOST.into());
}

#[test]
fn three_peers_find_one_another_by_datagrams_alone() {
    for host in [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()] {
        // Without a path, as many such URLs are.
        let tracker = tracker_by_udp(host);
        let url = format!("udp://{}", tracker.tracker_udp_addrs()[0]);
        three_peers_meet_at(tracker, url, host);
    }
}

#[test]
fn a_socket_for_both_families_serves_both() {
    let tracker = tracker_by_udp(Ipv6Addr::UNSPECIFIED.into());
    let port = tracker.tracker_udp_addrs()[0].port();
    three_peers_meet_at(tracker, format!("udp://localhost:{port}/announce"), [127, 0, 0, 1].into());
}

#[test]
fn a_udp_tracker_that_is_not_there_is_waited_for_and_the_next_one_asked() {
    let scratch = Scratch::new();
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").expect("a free port");
    let silent = format!("udp://{}/announce", silent.local_addr().expect("bound"));
    let torrent = Torrent::make(&scratch.dir("seed"), &[silent]);
    let mut node = peer(true);
    node.add(torrent.order(&[], true), scratch.dir("seed")).expect("a new torrent");
    let id = node.torrents()[0];
    let mut nodes = [node];
    // A torrent works without; and saying good-bye does not wait for who never answered.
    turn_until(&mut nodes, |nodes| is_complete(&mut nodes[0], id));
    let begun = Instant::now();
    farewell(&mut nodes);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

/// A seed and two others on `host`, who know nothing but this tracker.
fn three_peers_meet_at(tracker: Node, url: String, host: IpAddr) {
    let scratch = Scratch::new();
    let torrent = Torrent::make(&scratch.dir("seed"), &[url]);
    let mut nodes = vec![tracker];
    for (name, whole) in [("seed", true), ("one", false), ("two", false)] {
        let listen = Some(SocketAddr::new(host, 0));
        let options = NodeOptions { listen, seed: true, ..NodeOptions::default() };
        let mut node = Node::open(options).expect("a free port");
        let listens: Vec<SocketAddr> = node.listen_addr().into_iter().collect();
        assert_eq!(node.udp_addrs(), listens, "one port for both");
        node.add(torrent.order(&[], whole), scratch.dir(name)).expect("a new torrent");
        nodes.push(node);
    }
    let id = nodes[1].torrents()[0];

    turn_until(&mut nodes, |nodes| {
        is_complete(&mut nodes[2], id) && is_complete(&mut nodes[3], id)
    });

    torrent.assert_in(&scratch.dir("one"));
    torrent.assert_in(&scratch.dir("two"));
    let counts = nodes[0].tracker_counts().expect("it is a tracker");
    assert_eq!((counts.torrents, counts.peers), (1, 3), "{counts:?}");
    // The farewells arrive, too.
    nodes[1..].iter_mut().for_each(Node::stop);
    turn_until(&mut nodes, |nodes| nodes[1..].iter().all(Node::is_stopped));
    let counts = nodes[0].tracker_counts().expect("it is a tracker");
    assert_eq!(counts.peers, 0, "{counts:?}");
}

// ── Traces ──────────────────────────────────────────────────────────────────────────────────

#[test]
fn what_was_traced_is_said_again_when_it_is_replayed() {
    let scratch = Scratch::new();
    let tracker = tracker();
    let url = format!("http://{}/announce", tracker.http_addr().expect("it serves"));
    let torrent = Torrent::make(&scratch.dir("seed"), &[url]);
    let mut nodes = vec![tracker];
    // One has all of it; one has a part, of which a byte is wrong; one begins with nothing.
    let half = &torrent.files[2].1[..1_000_000];
    write_file(&scratch.dir("half").join(&torrent.files[2].0), half);
    let traces = ["seed", "half", "none"].map(|name| (name, scratch.dir("traces").join(name)));
    for (name, trace) in &traces {
        let listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
        let options = NodeOptions { listen, trace: Some(trace.clone()), ..NodeOptions::default() };
        let mut node = Node::open(options).expect("a free port");
        let order = torrent.order(&[], *name == "seed");
        node.add(order, scratch.dir(name)).expect("a new torrent");
        nodes.push(node);
    }
    let id = nodes[1].torrents()[0];
    turn_until(&mut nodes, |nodes| nodes[1..].iter_mut().all(|node| is_complete(node, id)));
    farewell(&mut nodes);
    torrent.assert_in(&scratch.dir("none"));

    let mut words = [0; 3];
    for (name, path) in &traces {
        let trace = fs::read_to_string(path).expect("a trace");
        let played = torrent.replay(&trace).unwrap_or_else(|other| panic!("{name}: {other}"));
        assert!(played.inputs > 50 && played.outputs > 50, "{name}: {played:?}");
        let count = |word: &str| trace.lines().filter(|line| line.contains(word)).count();
        let own = [count("says       request"), count("serves"), count("told       t1 0")];
        words.iter_mut().zip(own).for_each(|(sum, count)| *sum += count);
    }
    assert!(words.iter().all(|&count| count > 2), "{words:?}");

    // A word less, a word more, another word: each is found where it is, or with the next word.
    let trace = fs::read_to_string(&traces[2].1).expect("a trace");
    let lines: Vec<&str> = trace.lines().collect();
    let at = lines.iter().position(|line| line.contains("says       interested")).expect("it was");
    let less = [&lines[..at], &lines[at + 1..]].concat().join("\n");
    let more = [&lines[..=at], &lines[at..]].concat().join("\n");
    let other = trace.replacen("says       interested", "says       unchoke", 1);
    for (changed, lines) in
        [(less, at + 1..at + 20), (more, at + 2..at + 3), (other, at + 1..at + 2)]
    {
        let difference = torrent.replay(&changed).expect_err("it was changed");
        let is_there =
            matches!(difference, Difference::Other { line, .. } if lines.contains(&line));
        assert!(is_there, "{lines:?}: {difference}");
    }
    let cut = lines[..lines.len() / 2].join("\n");
    assert!(matches!(torrent.replay(&cut), Ok(_) | Err(Difference::More { .. })));
}

#[test]
fn a_link_that_was_followed_is_followed_again() {
    let scratch = Scratch::new();
    let mut torrent = Torrent::make(&scratch.dir("seed"), &[]);
    let draft = Draft {
        layout: torrent.metainfo.layout.clone(),
        piece_hashes: torrent.metainfo.piece_hashes.clone(),
        private: false,
        trackers: Vec::new(),
        web_seeds: Vec::new(),
        comment: None,
        created_by: None,
        creation_date: None,
    };
    let mut file = Vec::new();
    draft.write(&mut file);
    torrent.metainfo = Metainfo::parse(&file).expect("a good draft");
    let mut seed = peer(true);
    seed.add(torrent.order(&[], true), scratch.dir("seed")).expect("a new torrent");
    let path = scratch.dir("traces").join("link");
    let listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let options = NodeOptions { listen, trace: Some(path.clone()), ..NodeOptions::default() };
    let mut node = Node::open(options).expect("a free port");
    let magnet = Magnet { name: Some("a \"b\\ name".into()), ..Magnet::of(&torrent.metainfo) };
    let peers = vec![seed.listen_addr().expect("it listens")];
    let quest = Quest { peers, ..Quest::new(magnet) };
    let id = node.seek(quest, scratch.dir("got")).expect("a new link");
    let mut nodes = [seed, node];
    turn_until(&mut nodes, |nodes| is_complete(&mut nodes[1], id));
    farewell(&mut nodes);
    torrent.assert_in(&scratch.dir("got"));
    let trace = fs::read_to_string(path).expect("a trace");
    let played = torrent.replay(&trace).unwrap_or_else(|other| panic!("{other}"));
    assert!(played.inputs > 50 && played.outputs > 50, "{played:?}");
}

/// A peer with a node of the DHT, which enters by another's.
fn peer_in_dht(by: Option<&Node>, record: Option<PathBuf>) -> Node {
    let nodes = by.map(|node| node.udp_addrs()[0]).into_iter().collect();
    Node::open(NodeOptions {
        listen: Some(SocketAddr::from(([127, 0, 0, 1], 0))),
        seed: true,
        dht: Some(DhtOptions { nodes, record, read_only: false }),
        ..NodeOptions::default()
    })
    .expect("a free port")
}

fn good_nodes(node: &mut Node) -> usize {
    node.dht().expect("it takes part").good[0]
}

#[test]
fn peers_find_one_another_in_the_dht_alone_and_know_it_again_after_a_restart() {
    let scratch = Scratch::new();
    let torrent = Torrent::make(&scratch.dir("seed"), &[]);
    let record = scratch.dir("state").join("dht");
    let mut seed = peer_in_dht(None, None);
    seed.add(torrent.order(&[], true), scratch.dir("seed")).expect("a new torrent");
    // It shares nothing and wants nothing: a node like thousands of others.
    let middle = peer_in_dht(Some(&seed), Some(record.clone()));
    let mut nodes = [seed, middle];
    turn_until(&mut nodes, |nodes| {
        good_nodes(&mut nodes[0]) == 1 && good_nodes(&mut nodes[1]) == 1
    });

    let mut leecher = peer_in_dht(Some(&nodes[1]), None);
    let id = leecher.add(torrent.order(&[], false), scratch.dir("got")).expect("a new torrent");
    let mut secret = peer_in_dht(Some(&nodes[1]), None);
    let mut private = torrent.order(&[], false);
    private.metainfo.private = true;
    secret.add(private, scratch.dir("secret")).expect("a new torrent");
    let [seed, middle] = nodes;
    let mut nodes = [seed, middle, leecher, secret];
    turn_until(&mut nodes, |nodes| is_complete(&mut nodes[2], id));
    torrent.assert_in(&scratch.dir("got"));
    assert_eq!(nodes[2].dht().map(|dht| dht.followed), Some(1));
    assert_eq!(nodes[3].dht().map(|dht| dht.followed), Some(0), "private torrents stay out of it");
    let before = nodes[1].dht().expect("it takes part");
    let [seed, middle, leecher, secret] = nodes;
    farewell(&mut [middle]);

    let mut again = [seed, leecher, secret, peer_in_dht(None, Some(record))];
    let figures = again[3].dht().expect("it takes part");
    assert_eq!((figures.id, figures.nodes), (before.id, before.nodes));
    turn_until(&mut again, |nodes| good_nodes(&mut nodes[3]) >= 2);
    farewell(&mut again);
}

#[test]
fn the_nodes_that_a_torrent_names_lead_into_the_dht() {
    let scratch = Scratch::new();
    let torrent = Torrent::make(&scratch.dir("seed"), &[]);
    let mut seed = peer_in_dht(None, None);
    seed.add(torrent.order(&[], true), scratch.dir("seed")).expect("a new torrent");
    let port = seed.udp_addrs()[0].port();
    let mut nodes = vec![seed];
    for host in ["127.0.0.1", "localhost"] {
        let mut order = torrent.order(&[], false);
        order.metainfo.nodes.extend(Endpoint::new(host.as_bytes(), port.into()));
        let mut leecher = peer_in_dht(None, None);
        let id = leecher.add(order, scratch.dir(host)).expect("a new torrent");
        nodes.push(leecher);
        turn_until(&mut nodes, |nodes| is_complete(nodes.last_mut().expect("it came last"), id));
        torrent.assert_in(&scratch.dir(host));
    }
    farewell(&mut nodes);
}

#[test]
fn a_node_calls_from_the_address_where_it_listens() {
    let scratch = Scratch::new();
    let tracker = tracker();
    let url = format!("http://{}/announce", tracker.http_addr().expect("it serves"));
    let torrent = Torrent::make(&scratch.dir("seed"), &[url]);
    let mut nodes = vec![tracker];
    for (host, name, whole) in [([127, 0, 0, 8], "seed", true), ([127, 0, 0, 9], "one", false)] {
        let mut node = peer_at(host);
        node.add(torrent.order(&[], whole), scratch.dir(name)).expect("a new torrent");
        nodes.push(node);
    }
    let id = nodes[1].torrents()[0];
    // Each listens on one address only: had it announced from another, nobody would find it.
    turn_until(&mut nodes, |nodes| is_complete(&mut nodes[2], id));
    torrent.assert_in(&scratch.dir("one"));
}

#[test]
fn half_open_handshakes_and_silent_connections_keep_nobody_from_being_served() {
    let scratch = Scratch::new();
    let torrent = Torrent::make(&scratch.dir("seed"), &[]);
    let mut seed = peer(true);
    seed.add(torrent.order(&[], true), scratch.dir("seed")).expect("a new torrent");
    let addr = seed.listen_addr().expect("it listens");
    let mut nodes = vec![seed];
    let mut crowd = Vec::new();
    for number in 0..550 {
        let mut stream = TcpStream::connect(addr).expect("the seed listens");
        if number % 11 == 0 {
            stream.write_all(b"\x13BitTorrent pro").expect("the seed is there");
        }
        crowd.push(stream);
        turn_all(&mut nodes, &mut Vec::new());
    }
    let mut leecher = peer(true);
    let id = leecher.add(torrent.order(&[addr], false), scratch.dir("got")).expect("a new torrent");
    nodes.push(leecher);

    turn_until(&mut nodes, |nodes| is_complete(&mut nodes[1], id));

    torrent.assert_in(&scratch.dir("got"));
    drop(crowd);
}

#[test]
fn row_62_who_makes_us_talk_and_never_reads_is_closed() {
    let scratch = Scratch::new();
    let torrent = Torrent::make(&scratch.dir("seed"), &[]);
    let mut node = peer(true);
    node.add(torrent.order(&[], false), scratch.dir("got")).expect("a new torrent");
    let mut stream = TcpStream::connect(node.listen_addr().expect("it listens")).expect("connects");
    stream.set_nonblocking(true).expect("an option");
    let mut hello = Vec::new();
    Handshake::new(torrent.metainfo.info_hash, PeerId(*b"-XX0000-reads nothin")).write(&mut hello);
    let pieces = torrent.metainfo.layout.piece_count();
    Message::Bitfield(Bits::all(pieces).as_bytes().to_vec()).write(&mut hello);
    stream.write_all(&hello).expect("the node takes it");
    // Each time we are unchoked we ask, at seven times the length of what made us ask.
    let mut goad = Vec::new();
    Message::Unchoke.write(&mut goad);
    Message::Choke.write(&mut goad);
    // A little at a time: when the line is full, hardly anything waits yet.
    let goads = goad.repeat(200);
    let mut goaded = 0;
    let closed = loop {
        assert!(goaded < 8_000_000, "open after {goaded} bytes");
        match stream.write(&goads[goaded % goads.len()..]) {
            Ok(len) => goaded += len,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => break error,
        }
        node.turn(Some(Span::from_millis(1)), &mut Vec::new()).expect("a poll");
    };
    assert!(
        matches!(closed.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
        "{closed}"
    );
}

#[test]
fn hundreds_may_call_while_a_turn_takes_long() {
    let allowed = fs::read_to_string("/proc/sys/net/core/somaxconn").expect("Linux tells it");
    let callers = 300.min(allowed.trim().parse().expect("a number"));
    for addr in [tracker().http_addr(), peer(true).listen_addr()] {
        let addr = addr.expect("it listens");
        // The node does not turn: whoever finds no place to wait waits in vain.
        let call = |_| TcpStream::connect_timeout(&addr, Duration::from_secs(5));
        let calls: Result<Vec<TcpStream>, _> = (0..callers).map(call).collect();
        assert_eq!(calls.expect("a place for each").len(), callers);
    }
}

#[test]
fn a_node_without_work_sleeps() {
    let mut node = peer(true);
    // The first turns find the listener with nobody at it.
    for _ in 0..3 {
        node.turn(Some(Span::ZERO), &mut Vec::new()).expect("a poll");
    }
    let began = Instant::now();
    node.turn(Some(Span::from_millis(50)), &mut Vec::new()).expect("a poll");
    assert!(began.elapsed() >= Duration::from_millis(49), "{:?}", began.elapsed());
}

#[test]
fn an_address_in_use_is_said_to_be() {
    let node = peer(true);
    let options = NodeOptions { listen: node.listen_addr(), ..NodeOptions::default() };
    let error = Node::open(options).expect_err("the port is taken");
    assert_eq!(error.source.kind(), ErrorKind::AddrInUse);
    let addr = node.listen_addr().expect("it listens");
    assert_eq!(error.what, format!("cannot listen on {addr}"));
}

#[test]
fn trackers_that_cannot_be_asked_are_told_with_a_reason() {
    let scratch = Scratch::new();
    let nobody = "http://127.0.0.1:1/announce";
    for (url, reason) in [
        (nobody, "127.0.0.1:1: connection refused"),
        ("https://tracker.example/announce", "https is not spoken here, only plain http"),
        ("udp://[2001:db8::1]:80", "[2001:db8::1]:80: address not available"),
        ("http://127.0.0.1:1/other", "a local address whose path is not /announce"),
    ] {
        let torrent = Torrent::make(&scratch.dir("seed"), &[url.to_owned()]);
        let mut node = peer(true);
        node.add(torrent.order(&[], true), scratch.dir("seed")).expect("a new torrent");
        let mut nodes = [node];
        let mut said = None;
        let end = Instant::now() + PATIENCE;
        while said.is_none() {
            assert!(Instant::now() < end, "{url}: nothing was said");
            let mut events = vec![Vec::new()];
            turn_all(&mut nodes, &mut events);
            said = events.remove(0).into_iter().find_map(|event| match event {
                Event::TrackerFailed { reason, .. } => Some(reason),
                _another => None,
            });
        }
        assert_eq!(said.as_deref(), Some(reason), "{url}");
    }
}

#[test]
fn redirects_are_followed_as_far_as_is_wise() {
    const FINE: &str = "HTTP/1.1 200 OK\r\n\r\nd8:intervali1800e5:peers0:e";
    for (answers, asked, said) in [
        (vec![redirect("/announce/2?a=b"), FINE.into()], 2, None),
        (
            vec![redirect("/announce/for/ever"); 9],
            1 + REDIRECTS_MAX as usize,
            Some("redirected more than 5 times"),
        ),
        (vec![redirect("file:///etc/passwd")], 1, Some("redirected to where we cannot go")),
        (vec![redirect("/elsewhere")], 1, Some("a local address whose path is not /announce")),
        (vec!["HTTP/1.1 404 Not Found\r\n\r\n".into()], 1, Some("status 404")),
        (vec!["HTTP/1.1 404 Gone\r\n\r\nd14:failure reason3:whye".into()], 1, Some("why")),
        (vec![String::new()], 1, Some("closed without an answer")),
        (vec!["HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n".into()], 1, Some("compressed")),
    ] {
        let mut script = ScriptedTracker::new(answers.clone());
        let heard = announce_to(&mut script);
        match (said, &heard) {
            (None, Ok(())) => {}
            (Some(said), Err(reason)) => assert!(reason.contains(said), "{answers:?}: {reason}"),
            _ => panic!("{answers:?}: {heard:?}"),
        }
        assert_eq!(script.requests.len(), asked, "{answers:?}");
        let first = &script.requests[0];
        assert!(first.starts_with("GET /announce?info_hash="), "{first}");
        assert!(first.contains(&format!("\r\nHost: {}\r\n", script.addr)), "{first}");
    }
}

#[test]
fn a_tracker_that_falls_silent_does_not_hold_up_the_farewell() {
    let fine = "HTTP/1.1 200 OK\r\n\r\nd8:intervali1800e5:peers0:e";
    let mut script = ScriptedTracker::new(vec![fine.into()]);
    let scratch = Scratch::new();
    let torrent = Torrent::make(&scratch.dir("seed"), &[script.url()]);
    let mut node = peer(true);
    node.add(torrent.order(&[], true), scratch.dir("seed")).expect("a new torrent");
    let mut nodes = [node];
    let mut events: Vec<Vec<Event>> = Vec::new();
    while !events.iter().flatten().any(|event| matches!(event, Event::TrackerOk { .. })) {
        turn_all(&mut nodes, &mut events);
        script.serve();
    }
    // It still takes connections, and says nothing.
    farewell(&mut nodes);
}

#[test]
fn rows_41_42_44_48_and_50_answers_that_are_none_are_told_with_a_reason() {
    let fine = "HTTP/1.1 200 OK\r\n";
    let long = "no\u{1b}[2J ".repeat(100_000);
    for (answer, said) in [
        (format!("{fine}\r\n<html>It works!</html>"), Some("the answer is not a tracker's")),
        (format!("{fine}Content-Length: 0\r\n\r\n"), Some("the answer is not a tracker's")),
        (format!("{fine}\r\nle"), Some("not a dictionary")),
        (format!("{fine}\r\nd8:intervali900e5:peers7:aaaaaaae"), None),
        (format!("{fine}\r\nd8:intervali900e6:peers619:aaaaaaaaaaaaaaaaaaae"), None),
        (format!("{fine}\r\nd14:failure reason{}:{long}e", long.len()), Some("no[2J no[2J")),
        (format!("{fine}\r\n{}", "x".repeat(1024 * 1024 + 1)), Some("the answer is too long")),
        (format!("{fine}X: {}", "y".repeat(1_000_000)), Some("the answer's head is too long")),
        (
            format!("{fine}Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n"),
            Some("the answer is too long"),
        ),
        (
            format!("{fine}Transfer-Encoding: chunked\r\n\r\n-1\r\n"),
            Some("a chunk size that is no number"),
        ),
        (
            format!("{fine}Content-Length: 2\r\nContent-Length: 2\r\n\r\nde"),
            Some("two Content-Lengths"),
        ),
    ] {
        let mut script = ScriptedTracker::new(vec![answer.clone()]);
        let heard = announce_to(&mut script);
        match (said, &heard) {
            (None, Ok(())) => {}
            (Some(said), Err(reason)) => {
                assert!(reason.contains(said), "{answer:.80}: {reason}");
                assert!(reason.chars().count() <= 250, "{answer:.80}: {reason}");
                assert!(!reason.contains(char::is_control), "{answer:.80}: {reason:?}");
            }
            _ => panic!("{answer:.80}: {heard:?}"),
        }
    }
}

#[test]
fn row_51_an_answer_byte_by_byte_does_not_hold_up_the_farewell() {
    let fine = "HTTP/1.1 200 OK\r\n\r\nd8:intervali1800e5:peers0:e";
    let mut script = ScriptedTracker::new(vec![fine.into()]);
    let scratch = Scratch::new();
    let torrent = Torrent::make(&scratch.dir("seed"), &[script.url()]);
    let mut node = peer(true);
    node.add(torrent.order(&[], true), scratch.dir("seed")).expect("a new torrent");
    let mut nodes = [node];
    let mut events: Vec<Vec<Event>> = Vec::new();
    while !events.iter().flatten().any(|event| matches!(event, Event::TrackerOk { .. })) {
        turn_all(&mut nodes, &mut events);
        script.serve();
    }
    nodes[0].stop();
    let began = Instant::now();
    let mut drops = b"HTTP/1.1 200 OK\r\n".iter().chain(b"X: y\r\n".iter().cycle());
    let mut dripped = 0;
    while !nodes[0].is_stopped() {
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        nodes[0].turn(Some(Span::from_millis(20)), &mut Vec::new()).expect("a poll");
        script.serve();
        for stream in &mut script.ignored {
            // It may have hung up.
            dripped += stream.write(&[*drops.next().expect("endless")]).unwrap_or(0);
        }
    }
    assert!(dripped > 20, "{dripped} bytes came");
}

// ── The tracker ─────────────────────────────────────────────────────────────────────────────

#[test]
fn a_tracker_answers_over_sockets_however_a_request_is_cut() {
    let mut node = tracker();
    let request = "GET /announce?info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=bbbbbbbbbbbbbbbbbbbb\
                   &port=6881&uploaded=0&downloaded=0&left=1 HTTP/1.1\r\nHost: t\r\n\
                   Connection: close\r\n\r\n";
    let whole = converse(&mut node, [request.as_bytes()]);
    assert!(whole.starts_with("HTTP/1.1 200 OK\r\n"), "{whole}");
    assert!(whole.contains("8:interval"), "{whole}");
    let by_bytes = converse(&mut node, request.as_bytes().chunks(1));
    assert!(by_bytes.starts_with("HTTP/1.1 200 OK\r\n"), "{by_bytes}");
}

#[test]
fn a_tracker_answers_pipelined_requests_in_order_and_refuses_what_is_none() {
    let mut node = tracker();
    let requests = "GET /nowhere HTTP/1.1\r\n\r\nGET /announce HTTP/1.1\r\n\r\nnonsense\r\n\r\n";
    let answers = converse(&mut node, [requests.as_bytes()]);
    let statuses: Vec<&str> =
        answers.match_indices("HTTP/1.1 ").map(|(at, _)| &answers[at + 9..at + 12]).collect();
    assert_eq!(statuses, ["404", "200", "400"], "{answers}");
}

#[test]
fn a_tracker_that_is_full_lets_the_one_go_that_waited_longest() {
    let http = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let tracker = Some(Service::new(Policy::default(), 1));
    let options = NodeOptions { http, tracker, http_connections_max: 3, ..NodeOptions::default() };
    let mut node = Node::open(options).expect("a free port");
    let addr = node.http_addr().expect("it serves");
    let mut silent = Vec::new();
    for _ in 0..5 {
        silent.push(TcpStream::connect(addr).expect("connects"));
        node.turn(Some(Span::from_millis(100)), &mut Vec::new()).expect("a poll");
    }
    let answer = converse(&mut node, [b"GET /x HTTP/1.0\r\n\r\n".as_slice()]);
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    let is_open = |stream: &mut TcpStream| {
        stream.set_nonblocking(true).expect("an option");
        stream.read(&mut [0; 1]).is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    };
    // The request was answered when it was accepted, so it needed no place.
    let open: Vec<bool> = silent.iter_mut().map(is_open).collect();
    assert!(matches!(open[..], [false, false, _, true, true]), "{open:?}");
}

#[test]
fn row_74_a_request_line_of_100_kb_is_414_and_headers_of_100_kb_are_431() {
    let mut node = tracker();
    let long = "x".repeat(100_000);
    let line = format!("GET /announce?{long} HTTP/1.1\r\nHost: t\r\n\r\n");
    let head = format!("GET /announce HTTP/1.1\r\nHost: t\r\nX: {long}\r\n\r\n");
    for (request, status) in [(line, "HTTP/1.1 414 "), (head, "HTTP/1.1 431 ")] {
        let answer = converse(&mut node, request.as_bytes().chunks(5_000));
        assert!(answer.starts_with(status), "{answer}");
    }
    let fine = converse(&mut node, [b"GET /x HTTP/1.0\r\n\r\n".as_slice()]);
    assert!(fine.starts_with("HTTP/1.1 404 "), "{fine}");
}

#[test]
fn row_74_a_head_of_one_byte_a_second_is_408_after_its_lifetime() {
    let mut node = tracker();
    let began = Instant::now();
    let mut stream = TcpStream::connect(node.http_addr().expect("it serves")).expect("connects");
    stream.set_nonblocking(true).expect("an option");
    let mut head = b"GET /announce HTTP/1.1\r\n".iter().chain(b"X: y\r\n".iter().cycle());
    let (mut answer, mut buffer, mut said) = (Vec::new(), [0; 4096], 0);
    loop {
        assert!(began.elapsed() < PATIENCE, "it waits and waits");
        if began.elapsed().as_secs() >= said {
            // After the answer, nobody listens any more.
            let _ = stream.write(&[*head.next().expect("endless")]);
            said += 1;
        }
        node.turn(Some(Span::from_millis(50)), &mut Vec::new()).expect("a poll");
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(len) => answer.extend_from_slice(&buffer[..len]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&answer)),
        }
    }
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(began.elapsed() >= Duration::from_millis(HTTP_LIFETIME.as_millis()), "too early");
}

// ── What tests are made of ──────────────────────────────────────────────────────────────────

fn peer_at(host: [u8; 4]) -> Node {
    let listen = Some(SocketAddr::from((host, 0)));
    Node::open(NodeOptions { listen, ..NodeOptions::default() }).expect("a loopback address")
}

fn peer(seed: bool) -> Node {
    let listen = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    Node::open(NodeOptions { listen, seed, ..NodeOptions::default() }).expect("a free port")
}

fn tracker() -> Node {
    let http = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let tracker = Some(Service::new(Policy::default(), 1));
    Node::open(NodeOptions { http, tracker, ..NodeOptions::default() }).expect("a free port")
}

/// A tracker that answers HTTP at another port.
fn tracker_by_udp(host: IpAddr) -> Node {
    let mut service = Service::new(Policy::default(), 1);
    service.serve_udp([1; 20]);
    let http = Some(SocketAddr::from(([127, 0, 0, 1], 0)));
    let udp = vec![SocketAddr::new(host, 0)];
    let tracker = Some(service);
    Node::open(NodeOptions { http, udp, tracker, ..NodeOptions::default() }).expect("a free port")
}

fn is_complete(node: &mut Node, id: swarmlet::base::TorrentId) -> bool {
    node.status(id).is_some_and(|status| status.phase == Phase::Seeding)
}

/// Every node turns once, waiting for a millisecond if it has nothing to do.
fn turn_all(nodes: &mut [Node], events: &mut Vec<Vec<Event>>) {
    events.resize_with(nodes.len(), Vec::new);
    for (node, events) in nodes.iter_mut().zip(events) {
        node.turn(Some(Span::from_millis(1)), events).expect("a poll does not fail");
    }
}

/// Turns until `goal` is reached. Returns what each node had to tell.
fn turn_until(nodes: &mut [Node], mut goal: impl FnMut(&mut [Node]) -> bool) -> Vec<Vec<Event>> {
    let mut events = Vec::new();
    let end = Instant::now() + PATIENCE;
    while !goal(nodes) {
        assert!(Instant::now() < end, "not reached; so far: {events:?}");
        turn_all(nodes, &mut events);
    }
    events
}

/// Stops all nodes, and asserts that they stop in time.
fn farewell(nodes: &mut [Node]) {
    nodes.iter_mut().for_each(Node::stop);
    let began = Instant::now();
    turn_until(nodes, |nodes| nodes.iter().all(Node::is_stopped));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

/// Sends `parts` one after the other, and returns what comes until the node closes.
fn converse<'p>(node: &mut Node, parts: impl IntoIterator<Item = &'p [u8]>) -> String {
    let mut stream = TcpStream::connect(node.http_addr().expect("it serves")).expect("connects");
    stream.set_nodelay(true).expect("an option");
    stream.set_nonblocking(true).expect("an option");
    let mut turn = || node.turn(Some(Span::from_millis(1)), &mut Vec::new()).expect("a poll");
    for part in parts {
        stream.write_all(part).expect("the node takes it");
        turn();
    }
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    let end = Instant::now() + PATIENCE;
    loop {
        assert!(Instant::now() < end, "no end after {answer:?}");
        match stream.read(&mut buffer) {
            Ok(0) => return String::from_utf8_lossy(&answer).into_owned(),
            Ok(len) => answer.extend_from_slice(&buffer[..len]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => turn(),
            Err(error) => panic!("{error} after {:?}", String::from_utf8_lossy(&answer)),
        }
    }
}

fn redirect(to: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n")
}

/// Lets a node announce itself. Returns whether the tracker was content, or what was said of it.
fn announce_to(script: &mut ScriptedTracker) -> Result<(), String> {
    let scratch = Scratch::new();
    let torrent = Torrent::make(&scratch.dir("seed"), &[script.url()]);
    let mut node = peer(true);
    node.add(torrent.order(&[], true), scratch.dir("seed")).expect("a new torrent");
    let end = Instant::now() + PATIENCE;
    let mut events = Vec::new();
    loop {
        assert!(Instant::now() < end, "nothing was said");
        node.turn(Some(Span::from_millis(1)), &mut events).expect("a poll does not fail");
        script.serve();
        for event in events.drain(..) {
            match event {
                Event::TrackerOk { .. } => return Ok(()),
                Event::TrackerFailed { reason, .. } => return Err(reason),
                _another => {}
            }
        }
    }
}

/// A tracker that answers each request with the next line of a script, and closes; with the
/// script at its end, it keeps connections and says nothing.
struct ScriptedTracker {
    listener: TcpListener,
    addr: SocketAddr,
    answers: std::vec::IntoIter<String>,
    requests: Vec<String>,
    /// Connections whose request has not come yet, and what there is of it.
    open: Vec<(TcpStream, Vec<u8>)>,
    /// Those that are being answered, and what they have not taken yet.
    answering: Vec<(TcpStream, Vec<u8>)>,
    ignored: Vec<TcpStream>,
}

impl ScriptedTracker {
    fn new(answers: Vec<String>) -> ScriptedTracker {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("an option");
        let addr = listener.local_addr().expect("it has one");
        ScriptedTracker {
            listener,
            addr,
            answers: answers.into_iter(),
            requests: Vec::new(),
            open: Vec::new(),
            answering: Vec::new(),
            ignored: Vec::new(),
        }
    }

    fn url(&self) -> String {
        format!("http://{}/announce", self.addr)
    }

    /// Accepts, reads and answers, as far as that goes without waiting.
    fn serve(&mut self) {
        if let Ok((stream, _)) = self.listener.accept() {
            stream.set_nonblocking(true).expect("an option");
            self.open.push((stream, Vec::new()));
        }
        let mut buffer = [0; 4096];
        for (mut stream, mut request) in std::mem::take(&mut self.open) {
            if let Ok(len) = stream.read(&mut buffer) {
                request.extend_from_slice(&buffer[..len]);
            }
            if !request.ends_with(b"\r\n\r\n") {
                self.open.push((stream, request));
                continue;
            }
            self.requests.push(String::from_utf8_lossy(&request).into_owned());
            match self.answers.next() {
                Some(answer) => self.answering.push((stream, answer.into_bytes())),
                None => self.ignored.push(stream),
            }
        }
        // Whoever took all of its answer, or hung up, is closed.
        self.answering.retain_mut(|(stream, rest)| match stream.write(rest) {
            Ok(len) => {
                rest.drain(..len);
                !rest.is_empty()
            }
            Err(error) => error.kind() == ErrorKind::WouldBlock,
        });
    }
}

/// A torrent of random bytes in files of awkward lengths, and the bytes themselves.
struct Torrent {
    metainfo: Metainfo,
    files: Vec<(String, Vec<u8>)>,
}

impl Torrent {
    /// Makes the files below `dir`, too.
    fn make(dir: &Path, trackers: &[String]) -> Torrent {
        let piece_bytes = 40_000;
        let lens = [("a", 100_001), ("empty", 0), ("sub/b", 3_000_000), ("sub/c", 1), ("d", 70)];
        let mut random = Random::new(7);
        let mut files = Vec::new();
        for (path, len) in lens {
            let mut bytes = vec![0; len];
            random.fill(&mut bytes);
            write_file(&dir.join("many").join(path), &bytes);
            files.push((format!("many/{path}"), bytes));
        }
        let laid = files.iter().map(|(path, bytes)| File::new(path.split('/'), bytes.len() as u64));
        let layout = Layout::new(piece_bytes, laid.collect()).expect("a good layout");
        let whole: Vec<u8> = files.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
        let pieces = whole.chunks(piece_bytes as usize);
        let metainfo = Metainfo {
            info_hash: InfoHash(*b"twenty bytes exactly"),
            name: "many".into(),
            layout,
            piece_hashes: pieces.map(Digest::of).collect(),
            raw_info: Default::default(),
            private: false,
            trackers: trackers.iter().map(|url| vec![url.clone()]).collect(),
            comment: None,
            web_seeds: Vec::new(),
            nodes: Vec::new(),
            created_by: None,
            creation_date: None,
            warnings: Vec::new(),
        };
        Torrent { metainfo, files }
    }

    fn order(&self, peers: &[SocketAddr], whole: bool) -> Order {
        let metainfo = self.metainfo.clone();
        Order { peers: peers.to_vec(), whole, ..Order::new(metainfo) }
    }

    /// Plays a trace of this torrent to an engine.
    fn replay(&self, trace: &str) -> Result<Played, Difference> {
        let whole: Vec<u8> = self.files.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
        replay(trace, std::slice::from_ref(&self.metainfo), |_, piece, begin, bytes| {
            let from = piece.at() * self.piece_bytes() + begin as usize;
            bytes.copy_from_slice(&whole[from..from + bytes.len()]);
        })
    }

    fn piece_bytes(&self) -> usize {
        self.metainfo.layout.piece_bytes() as usize
    }

    fn assert_in(&self, dir: &Path) {
        for (path, bytes) in &self.files {
            let got = fs::read(dir.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
            assert!(got == *bytes, "{path} differs");
        }
    }
}

fn write_file(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().expect("below a directory")).expect("makes directories");
    fs::write(path, bytes).expect("writes a file");
}

/// A directory that goes when the test does.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Scratch {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("swarmlet-loopback-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir_all(&path).expect("a temporary directory");
        Scratch(path)
    }

    fn dir(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(&path).expect("a directory in it");
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
