//! The tracker over UDP: datagrams on the left, exact answers on the right, and mostly silence.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use swarmlet::base::limits::{DATAGRAM_ANSWER_BYTES_MAX, DATAGRAM_SCRAPE_HASHES_MAX};
use swarmlet::base::{InfoHash, PeerId, Random, Set, Span, Time};
use swarmlet::format::announce::{Announce, Event, Reply, Tally};
use swarmlet::format::datagram::{
    Answer, Response, tally, write_announce, write_connect, write_scrape,
};
use swarmlet::tracker::{Policy, Proof, Service, UdpCounts};

const HASH: InfoHash = InfoHash([0xaa; 20]);
const V4: &str = "192.0.2.1:5000";
const V6: &str = "[2001:db8::1]:5000";

/// A tracker and a clock.
struct Stage {
    service: Service,
    now: Time,
}

impl Stage {
    fn new() -> Stage {
        Stage::with(Policy::default())
    }

    fn with(policy: Policy) -> Stage {
        let mut service = Service::new(policy, 5);
        service.serve_udp([7; 20]);
        Stage { service, now: Time::from_millis(1) }
    }

    fn ask(&mut self, from: &str, bytes: &[u8]) -> Vec<u8> {
        let mut answer = Vec::new();
        self.service.datagram(self.now, addr(from), bytes, &mut answer);
        answer
    }

    fn connect(&mut self, from: &str) -> u64 {
        let mut question = Vec::new();
        write_connect(9, &mut question);
        let answer = self.ask(from, &question);
        assert_eq!(answer.len(), question.len());
        match Response::parse(&answer).expect("an answer") {
            Response { transaction: 9, answer: Answer::Connect { connection } } => connection,
            other => panic!("{other:?}"),
        }
    }

    /// An announce with a proper connection id: peers, or why not.
    fn announce(&mut self, from: &str, announce: &Announce) -> Result<Reply, String> {
        let connection = self.connect(from);
        let mut question = Vec::new();
        write_announce(connection, 77, announce, "/announce", &mut question);
        let answer = self.ask(from, &question);
        self.service.check();
        let Response { transaction, answer } = Response::parse(&answer).expect("an answer");
        assert_eq!(transaction, 77);
        match answer {
            Answer::Announce(peers) => Ok(peers.reply(addr(from).is_ipv4())),
            Answer::Error { message } => {
                assert!(8 + message.len() <= question.len());
                Err(String::from_utf8(message.to_vec()).expect("our own words"))
            }
            other => panic!("{other:?}"),
        }
    }

    fn scrape(&mut self, from: &str, hashes: &[InfoHash]) -> Vec<Tally> {
        let connection = self.connect(from);
        let mut question = Vec::new();
        write_scrape(connection, 78, hashes, &mut question);
        let answer = self.ask(from, &question);
        assert!(answer.len() < question.len());
        match Response::parse(&answer).expect("an answer") {
            Response { transaction: 78, answer: Answer::Scrape { tallies } } => {
                tallies.iter().map(tally).collect()
            }
            other => panic!("{other:?}"),
        }
    }
}

fn addr(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn peer(port: u16, left: u64, event: Event) -> Announce {
    Announce {
        info_hash: HASH,
        peer_id: PeerId([1; 20]),
        port,
        uploaded: 0,
        downloaded: 0,
        left,
        event,
        numwant: None,
        key: None,
        compact: true,
        no_peer_id: true,
        tracker_id: None,
        have: None,
    }
}

#[test]
fn peers_find_each_other_by_both_families_and_never_themselves() {
    let mut stage = Stage::new();
    let alone = stage.announce("192.0.2.1:5000", &peer(6881, 9, Event::Started)).expect("welcome");
    assert_eq!(alone.peers, []);
    assert_eq!((alone.seeds, alone.leechers), (Some(0), Some(1)));
    assert!((1800..=2025).contains(&alone.interval_secs.expect("one is said")));
    let second = stage.announce("192.0.2.2:5000", &peer(6882, 0, Event::Started)).expect("welcome");
    assert_eq!(second.peers, [addr("192.0.2.1:6881")]);
    assert_eq!((second.seeds, second.leechers), (Some(1), Some(1)));
    // A socket for both families shows IPv4 like this.
    let mapped = stage.announce("[::ffff:192.0.2.3]:1", &peer(6883, 9, Event::Started));
    assert!(mapped.is_ok());
    let v6 = stage.announce(V6, &peer(6884, 9, Event::Started)).expect("welcome");
    assert_eq!(v6.peers, [], "those of the other family have no place in the answer");
    assert_eq!(v6.leechers, Some(3), "but they count");
    let other = stage.announce("[2001:db8::2]:1", &peer(6885, 9, Event::Started)).expect("welcome");
    assert_eq!(other.peers, [addr("[2001:db8::1]:6884")]);
    let left = stage.announce("192.0.2.2:5000", &peer(6882, 0, Event::Stopped)).expect("good-bye");
    assert_eq!((left.peers.len(), left.seeds), (0, Some(0)));
}

#[test]
fn http_and_udp_are_one_tracker() {
    use swarmlet::format::http::Request;
    let mut stage = Stage::new();
    let target = "/announce?info_hash=%aa%aa%aa%aa%aa%aa%aa%aa%aa%aa%aa%aa%aa%aa%aa%aa%aa%aa%aa%aa\
                  &peer_id=aaaaaaaaaaaaaaaaaaaa&port=1000&left=0";
    let mut answer = Vec::new();
    stage.service.http(stage.now, addr("10.0.0.1:1"), &Request::get(target), &mut answer);
    let reply = stage.announce("10.0.0.2:1", &peer(2000, 5, Event::Started)).expect("welcome");
    assert_eq!(reply.peers, [addr("10.0.0.1:1000")]);
    assert_eq!(stage.service.counts().announces, 2);
    let counts = UdpCounts { connects: 1, announces: 1, scrapes: 0, dropped: 0 };
    assert_eq!(stage.service.udp_counts(), counts);
    let mut answer = Vec::new();
    stage.service.http(stage.now, addr("10.0.0.1:1"), &Request::get("/metrics"), &mut answer);
    let text = String::from_utf8(answer).expect("ASCII");
    assert!(text.contains("swarmlet_udp_datagrams_total{what=\"announce\"} 1\n"), "{text}");
}

#[test]
fn who_has_not_proved_its_address_is_met_with_silence() {
    let mut stage = Stage::new();
    let good = stage.connect(V4);
    let ask = |connection: u64| {
        let mut question = Vec::new();
        write_announce(connection, 1, &peer(6881, 9, Event::Started), "/", &mut question);
        question
    };
    let mut scrape = Vec::new();
    write_scrape(good ^ 1, 1, &[HASH; 100], &mut scrape);
    let mut error = ask(good);
    error[11] = 3;
    let rows: &[(&str, &str, Vec<u8>)] = &[
        ("an id of zero", V4, ask(0)),
        ("an id that was guessed", V4, ask(good ^ 1 << 40)),
        ("another one's id", "192.0.2.2:5000", ask(good)),
        ("another one's id over IPv6", V6, ask(good)),
        ("a scrape without an id", V4, scrape),
        ("an action that is an answer", V4, error),
        ("seven bytes", V4, vec![0; 7]),
        ("nothing", V4, vec![]),
        ("an announce that is cut off", V4, ask(good)[..97].to_vec()),
        ("from port 0", "192.0.2.1:0", ask(good)),
        ("the DHT", V4, b"d1:ad2:id20:aaaaaaaaaaaaaaaaaaaae1:q4:ping1:t2:aa1:y1:qe".to_vec()),
    ];
    for (what, from, bytes) in rows {
        assert_eq!(stage.ask(from, bytes), b"", "{what}");
    }
    assert_eq!(stage.service.counts().torrents, 0);
    assert_eq!(stage.service.udp_counts().dropped, rows.len() as u64);
    // The port may change on the way.
    assert!(!stage.ask("192.0.2.1:9", &ask(good)).is_empty());
}

#[test]
fn no_datagram_gets_a_longer_answer_before_the_proof() {
    let mut stage = Stage::new();
    stage.announce(V4, &peer(1, 0, Event::Started)).expect("welcome");
    let mut random = Random::new(3);
    let mut question = Vec::new();
    write_announce(0x1234_5678, 1, &peer(1, 1, Event::Started), "/announce?x=y", &mut question);
    for round in 0..20_000 {
        let mut bytes = question.clone();
        match round % 3 {
            0 => random.fill(&mut bytes),
            1 => write_connect(round, &mut bytes),
            _ => {}
        }
        bytes[8..12].copy_from_slice(&[0, 0, 0, (round % 5) as u8]);
        bytes.truncate(random.below(bytes.len() + 1));
        let answer = stage.ask("192.0.2.77:1", &bytes);
        assert!(answer.len() <= bytes.len(), "{} for {bytes:?}", answer.len());
    }
}

#[test]
fn a_connection_id_holds_for_two_minutes_and_not_for_long() {
    let proof = Proof::new([1; 20]);
    let ip: IpAddr = addr(V4).ip();
    for start in [0, 1, 60_000, 119_999, 120_000, 1_000_000_007] {
        let at = |secs: u64| Time::from_millis(start) + Span::from_secs(secs);
        let id = proof.issue(at(0), ip);
        assert!(proof.holds(at(0), ip, id));
        assert!(proof.holds(at(120), ip, id));
        assert!(!proof.holds(at(240), ip, id));
        // After so many windows the mark is the same, but the id is another.
        assert!(!proof.holds(at(256 * 120), ip, id));
        (0..64).for_each(|bit| assert!(!proof.holds(at(0), ip, id ^ 1 << bit), "bit {bit}"));
        assert!(!Proof::new([2; 20]).holds(at(0), ip, id));
    }
    assert_eq!(format!("{proof:?}"), "Proof");
    // Without a secret there is nothing to prove, and nobody to ask.
    let mut silent = Service::new(Policy::default(), 5);
    let mut question = Vec::new();
    write_connect(1, &mut question);
    let mut answer = Vec::new();
    silent.datagram(Time::START, addr(V4), &question, &mut answer);
    assert_eq!(answer, b"");
}

#[test]
fn ids_of_many_addresses_all_differ() {
    let proof = Proof::new([1; 20]);
    let ips = (0..1_000u32).map(|ip| IpAddr::from(ip.to_be_bytes()));
    let ids: BTreeSet<u64> = ips.map(|ip| proof.issue(Time::START, ip)).collect();
    assert_eq!(ids.len(), 1_000);
}

#[test]
fn an_answer_fits_one_packet_however_large_the_swarm() {
    let mut stage = Stage::with(Policy { numwant_max: 500, ..Policy::default() });
    for number in 0..300u16 {
        let v4 = format!("10.0.{}.{}:1", number / 200, number % 200 + 1);
        stage.announce(&v4, &peer(1000 + number, 5, Event::Started)).expect("welcome");
        let v6 = format!("[2001:db8::{number:x}]:1");
        stage.announce(&v6, &peer(1000 + number, 5, Event::Started)).expect("welcome");
    }
    let greedy = Announce { numwant: Some(100_000), ..peer(1, 5, Event::Started) };
    assert_eq!(stage.announce(V4, &greedy).expect("welcome").peers.len(), 200);
    let v6 = stage.announce("[2001:db8::ffff]:1", &greedy).expect("welcome").peers.len();
    assert_eq!(v6, 67);
    assert!(20 + v6 * 18 <= DATAGRAM_ANSWER_BYTES_MAX);
    let modest = Announce { numwant: Some(3), ..peer(1, 5, Event::Started) };
    assert_eq!(stage.announce(V4, &modest).expect("welcome").peers.len(), 3);
    let as_you_like = stage.announce(V4, &peer(1, 5, Event::Started)).expect("welcome");
    assert_eq!(as_you_like.peers.len(), 50);
}

#[test]
fn what_cannot_be_is_refused_in_a_few_words() {
    let mut stage = Stage::with(Policy { peers_max: 1, torrents_max: 1, ..Policy::default() });
    let nobody = stage.announce(V4, &peer(0, 5, Event::Started));
    assert_eq!(nobody, Err("port is not a number between 1 and 65535".to_owned()));
    stage.service.block(Set::from(vec![HASH]));
    let blocked = stage.announce(V4, &peer(1, 5, Event::Started));
    assert_eq!(blocked, Err("this torrent is blocked here".to_owned()));
    stage.service.block(Set::new());
    stage.announce(V4, &peer(1, 5, Event::Started)).expect("welcome");
    let full = stage.announce("192.0.2.2:1", &peer(2, 5, Event::Started));
    assert_eq!(full, Err("the tracker is full".to_owned()));
    assert_eq!(stage.service.counts().refused, 3);
    let mut stage = Stage::with(Policy { swarm_max: 1, ..Policy::default() });
    stage.announce(V4, &peer(1, 5, Event::Started)).expect("welcome");
    assert!(stage.announce("192.0.2.2:1", &peer(2, 5, Event::Started)).is_err());
    assert!(stage.announce(V4, &peer(1, 5, Event::Regular)).is_ok(), "who is in may stay");
}

#[test]
fn a_scrape_is_answered_by_position() {
    let mut stage = Stage::new();
    stage.announce(V4, &peer(1, 5, Event::Started)).expect("welcome");
    stage.announce("192.0.2.2:1", &peer(2, 0, Event::Completed)).expect("welcome");
    let known = Tally { seeds: 1, completed: 1, leechers: 1 };
    let none = Tally::default();
    let unknown = InfoHash([0xbb; 20]);
    assert_eq!(stage.scrape(V4, &[HASH]), [known]);
    assert_eq!(stage.scrape(V4, &[unknown, HASH, HASH, unknown]), [none, known, known, none]);
    assert_eq!(stage.scrape(V4, &[HASH; DATAGRAM_SCRAPE_HASHES_MAX]).len(), 74);
    // More than fit a packet, and a last one that is cut off.
    let connection = stage.connect(V4);
    let mut question = Vec::new();
    write_scrape(connection, 1, &[], &mut question);
    question.extend_from_slice(&[0xaa; 20 * 100 + 7]);
    let answer = stage.ask(V4, &question);
    assert_eq!(answer.len(), 8 + 12 * DATAGRAM_SCRAPE_HASHES_MAX);
    question.truncate(16 + 20 + 19);
    assert_eq!(stage.ask(V4, &question).len(), 8 + 12);
}
