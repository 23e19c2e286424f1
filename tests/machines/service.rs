//! The tracker as its clients see it: requests on the left, exact answers on the right.

use std::net::{IpAddr, SocketAddr};

use swarmlet::base::limits::ANSWER_PEERS_MAX;
use swarmlet::base::{InfoHash, Span, Time};
use swarmlet::format::announce::{Refusal, Reply, Scrape, Tally};
use swarmlet::format::http::{Parsed, Progress, Request, Response, Scan};
use swarmlet::tracker::{Library, Policy, Rules, Service};

#[path = "../formats/http_fixtures.rs"]
mod http_fixtures;

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
        Stage { service: Service::new(policy, 5), now: Time::from_millis(1) }
    }

    fn ask(&mut self, from: &str, request: &Request<'_>) -> Vec<u8> {
        let from: SocketAddr = from.parse().expect("an address");
        let mut answer = Vec::new();
        let errand = self.service.http(self.now, from, request, &mut answer);
        assert_eq!(errand, None, "nothing is kept here");
        self.service.check();
        answer
    }

    /// Status and body of the answer to a GET.
    fn get(&mut self, from: &str, target: &str) -> (u16, Vec<u8>) {
        let answer = self.ask(from, &Request::get(target));
        let mut response = Response::new();
        assert_eq!(response.feed(&answer), Ok(Progress::Done));
        (response.status(), response.body().to_vec())
    }

    fn announce(&mut self, from: &str, params: &str) -> Result<Reply, Refusal> {
        let (status, body) = self.get(from, &format!("/announce?{params}"));
        assert_eq!(status, 200);
        Reply::parse(&body)
    }

    /// An announce of torrent `letter` by the peer at `from`:`port`.
    fn join(&mut self, letter: char, from: &str, port: u16, more: &str) -> Reply {
        let addr = format!("{from}:{port}");
        let params = format!("info_hash={}&port={port}&{PEER}{more}", hash(letter));
        self.announce(&addr, &params).unwrap_or_else(|refusal| panic!("{refusal}"))
    }

    fn failure(&mut self, params: &str) -> String {
        match self.announce("10.0.0.1:4000", params) {
            Err(Refusal::Failure { reason, .. }) => reason,
            other => panic!("{params}: {other:?}"),
        }
    }

    /// Lets time pass in small steps, ticking as the deadline says.
    fn pass(&mut self, minutes: u64) {
        let end = self.now + Span::from_secs(60 * minutes);
        while let Some(deadline) = self.service.deadline().filter(|deadline| *deadline <= end) {
            self.now = self.now.max(deadline);
            self.service.tick(self.now);
            self.service.check();
        }
        self.now = end;
    }
}

const PEER: &str = "peer_id=-XX0000-000000000000";

fn hash(letter: char) -> String {
    letter.to_string().repeat(20)
}

fn peers(reply: &Reply) -> Vec<String> {
    let mut peers: Vec<String> = reply.peers.iter().map(SocketAddr::to_string).collect();
    peers.sort();
    peers
}

#[test]
fn every_fixture_gets_its_answer() {
    for fixture in http_fixtures::all() {
        let Some(expected) = fixture.verdict.get(2) else { continue };
        let Parsed::Done { request, .. } = Request::parse(&fixture.bytes, &mut Scan::default())
        else {
            panic!("{}: not done", fixture.name)
        };
        let mut stage = Stage::new();
        stage.service.open_library(Library::new(Rules::default()));
        let answer = stage.ask("10.0.0.1:4000", &request);
        let text = String::from_utf8_lossy(&answer);
        let kept = if request.keep_alive { "keep-alive" } else { "close" };
        assert!(text.contains(&format!("\r\nConnection: {kept}\r\n")), "{text}");
        let begin = match expected.as_str() {
            "announced" | "scraped" | "failure" => "HTTP/1.1 200 ".to_owned(),
            status => format!("HTTP/1.1 {status} "),
        };
        assert!(text.starts_with(&begin), "{}: {text}", fixture.name);
        let holds = match expected.as_str() {
            "announced" => "8:intervali",
            "scraped" => "d5:files",
            "failure" => "d14:failure reason",
            _ => "\r\n\r\n",
        };
        assert!(text.contains(holds), "{}: {text}", fixture.name);
        let body = answer.windows(4).position(|end| end == b"\r\n\r\n").expect("a head") + 4;
        assert_eq!(request.method == "HEAD", body == answer.len(), "{}", fixture.name);
    }
}

#[test]
fn an_answer_is_exactly_this() {
    let policy = Policy { interval: Span::from_secs(7), ..Policy::default() };
    let mut stage = Stage::with(policy);
    stage.join('a', "10.0.0.2", 258, "&left=0");
    let target = format!("/announce?info_hash={}&port=6881&{PEER}&left=5&compact=1", hash('a'));
    let answer = stage.ask("10.0.0.1:4000", &Request::get(&target));
    assert_eq!(
        String::from_utf8_lossy(&answer),
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 114\r\n\
         Connection: keep-alive\r\n\r\n\
         d8:completei1e10:downloadedi0e11:external ip4:\n\0\0\u{1}10:incompletei1e\
         8:intervali7e12:min intervali60e5:peers6:\n\0\0\u{2}\u{1}\u{2}e"
    );
}

#[test]
fn peers_find_each_other_in_their_torrent_only() {
    let mut stage = Stage::new();
    assert_eq!(stage.join('a', "10.0.0.1", 1, "&event=started").peers, []);
    assert_eq!(stage.join('b', "10.0.0.2", 1, "&event=started").peers, []);
    let reply = stage.join('a', "10.0.0.3", 1, "&event=started&left=0");
    assert_eq!(peers(&reply), ["10.0.0.1:1"]);
    assert_eq!((reply.seeds, reply.leechers), (Some(1), Some(1)));
    assert_eq!(reply.external_ip, Some(IpAddr::from([10, 0, 0, 3])));
    let counts = stage.service.counts();
    assert_eq!((counts.torrents, counts.peers, counts.seeds), (2, 3, 1));
    assert_eq!((counts.announces, counts.refused), (3, 0));
    // Whoever stops is gone, and gets nobody.
    assert_eq!(stage.join('a', "10.0.0.3", 1, "&event=stopped&left=0").peers, []);
    assert_eq!(stage.join('a', "10.0.0.4", 1, "").peers.len(), 1);
    // A farewell to a torrent that nobody knows makes none.
    let reply = stage.join('z', "10.0.0.3", 1, "&event=stopped");
    assert_eq!((reply.peers.len(), reply.seeds, stage.service.counts().torrents), (0, Some(0), 2));
}

#[test]
fn both_families_are_served_and_mapped_addresses_are_ipv4() {
    let mut stage = Stage::new();
    stage.join('a', "[2001:db8::1]", 1, "");
    let reply = stage.join('a', "[::ffff:10.0.0.1]", 2, "");
    assert_eq!(peers(&reply), ["[2001:db8::1]:1"]);
    assert_eq!(reply.external_ip, Some(IpAddr::from([10, 0, 0, 1])));
    for form in ["&compact=1", "&compact=0", "&compact=0&no_peer_id=1"] {
        let reply = stage.join('a', "10.0.0.9", 3, form);
        assert_eq!(peers(&reply), ["10.0.0.1:2", "[2001:db8::1]:1"], "{form}");
        stage.join('a', "10.0.0.9", 3, "&event=stopped");
    }
    let reply = stage.join('a', "[2001:db8::2]", 1, "");
    assert_eq!(reply.external_ip, Some("2001:db8::2".parse().expect("an address")));
}

#[test]
fn rows_70_and_71_failures_are_bencoded_with_status_200() {
    let mut stage = Stage::new();
    let good = format!("info_hash={}&{PEER}", hash('a'));
    for (params, reason) in [
        (String::new(), "port is missing"),
        (format!("{PEER}&port=1"), "info_hash is missing"),
        (format!("info_hash=abc&{PEER}&port=1"), "info_hash is not 20 bytes, percent-coded"),
        (format!("{good}&port=0"), "port is not a number between 1 and 65535"),
        (format!("{good}&port=65536"), "port is not a number between 1 and 65535"),
        (format!("info_hash={}&port=1", hash('a')), "peer_id is missing"),
    ] {
        assert_eq!(stage.failure(&params), reason);
    }
    assert_eq!(stage.service.counts().refused, 6);
    assert_eq!(stage.service.counts().torrents, 0);
    assert_eq!(stage.service.deadline(), None);
}

#[test]
fn row_72_numwant_is_capped() {
    let mut stage = Stage::with(Policy { numwant_max: 4_000_000_000, ..Policy::default() });
    let mut usual = Stage::new();
    for number in 0..600 {
        let from = format!("10.0.{}.{}", number / 200, number % 200);
        stage.join('a', &from, 1, "&numwant=0");
        usual.join('a', &from, 1, "&numwant=0");
    }
    // What we read of an answer has a limit of its own, so count in the bytes.
    let count = |stage: &mut Stage, more: &str| {
        let target = format!("/announce?info_hash={}&port=1&{PEER}{more}", hash('a'));
        let (_, body) = stage.get("10.9.9.9:1", &target);
        let text = String::from_utf8_lossy(&body).into_owned();
        let (_, rest) = text.split_once("5:peers").expect("peers");
        let (bytes, _) = rest.split_once(':').expect("a length");
        bytes.parse::<usize>().expect("a number") / 6
    };
    for (more, expected) in [
        ("", 50),
        ("&numwant=-1", 50),
        ("&numwant=0", 0),
        ("&numwant=7", 7),
        ("&numwant=200", 200),
        ("&numwant=4294967295", 200),
        ("&numwant=99999999999999999999", 200),
    ] {
        assert_eq!(count(&mut usual, more), expected, "{more}");
    }
    assert_eq!(count(&mut stage, "&numwant=4294967295"), ANSWER_PEERS_MAX, "whatever the policy");
}

#[test]
fn row_73_who_says_another_address_is_kept_under_its_own() {
    let mut stage = Stage::new();
    stage.join('a', "10.0.0.1", 1, "&ip=198.51.100.9&ipv4=198.51.100.9&ipv6=2001:db8::9");
    assert_eq!(peers(&stage.join('a', "10.0.0.2", 1, "")), ["10.0.0.1:1"]);
}

#[test]
fn silent_peers_are_forgotten_and_so_are_their_torrents() {
    let mut stage = Stage::new();
    stage.join('a', "10.0.0.1", 1, "");
    stage.join('b', "10.0.0.1", 1, "&left=0&event=completed");
    stage.pass(30);
    stage.join('a', "10.0.0.2", 1, "");
    stage.pass(20);
    let counts = stage.service.counts();
    assert_eq!((counts.torrents, counts.peers, counts.seeds), (2, 1, 0));
    assert_eq!(stage.join('a', "10.0.0.3", 1, "&numwant=9&event=stopped").leechers, Some(1));
    stage.pass(60);
    // One torrent is still known for its downloads; after a day that is over, too.
    assert_eq!(stage.service.counts().torrents, 1);
    stage.pass(25 * 60);
    assert_eq!(stage.service.counts().torrents, 0);
    assert_eq!(stage.service.deadline(), None, "nothing is left to do");
}

#[test]
fn a_sweep_goes_in_steps_and_reaches_everybody() {
    let mut stage = Stage::with(Policy { torrents_max: 100_000, ..Policy::default() });
    let mut answer = Vec::new();
    for number in 0..5_000u32 {
        let target = format!("/announce?info_hash={number:020}&port=1&{PEER}");
        let from = SocketAddr::from(([10, 0, 0, 1], 1));
        answer.clear();
        stage.service.http(stage.now, from, &Request::get(&target), &mut answer);
    }
    assert_eq!(stage.service.counts().torrents, 5_000);
    stage.now = Time::from_millis(3 * 3_600_000);
    let mut ticks = 0;
    let mut before = 5_000;
    while let Some(deadline) = stage.service.deadline() {
        stage.now = stage.now.max(deadline);
        stage.service.tick(stage.now);
        let left = stage.service.counts().torrents;
        assert!(before - left <= 1_000, "{} torrents in one tick", before - left);
        before = left;
        ticks += 1;
    }
    assert!((5..20).contains(&ticks), "{ticks} ticks");
}

#[test]
fn a_slice_of_expiry_forgets_a_part_of_a_huge_swarm_and_the_next_goes_on_there() {
    let mut stage = Stage::new();
    let mut answer = Vec::new();
    const PEERS: usize = 100_000;
    for number in 0..PEERS {
        let left = number % 3;
        let [_, a, b, c] = u32::try_from(number).expect("few").to_be_bytes();
        let from = SocketAddr::from(([10, a, b, c], 1));
        let hash = hash('a');
        let target = format!("/announce?info_hash={hash}&port=1&left={left}&numwant=0&{PEER}");
        answer.clear();
        stage.service.http(stage.now, from, &Request::get(&target), &mut answer);
    }
    stage.service.check();
    assert_eq!(stage.service.counts().peers, PEERS);
    stage.now = Time::from_millis(3 * 3_600_000);
    let (mut ticks, mut before) = (0, PEERS);
    while let Some(deadline) = stage.service.deadline() {
        stage.now = stage.now.max(deadline);
        stage.service.tick(stage.now);
        let left = stage.service.counts().peers;
        assert!(before - left <= 20_000, "{} peers in one tick", before - left);
        before = left;
        ticks += 1;
    }
    assert!((5..20).contains(&ticks), "{ticks} ticks");
    assert!(stage.now < Time::from_millis(3 * 3_600_000 + 2_000), "{:?}: one round", stage.now);
    stage.service.check();
}

#[test]
fn a_flood_of_invented_torrents_washes_away_its_own() {
    let mut stage = Stage::with(Policy { torrents_max: 100, ..Policy::default() });
    for port in 1..=20 {
        stage.join('a', "10.0.0.1", port, "");
    }
    let mut answer = Vec::new();
    for number in 0..2_000u32 {
        stage.now += Span::from_millis(100);
        let target = format!("/announce?info_hash={number:020}&port=1&{PEER}");
        let from = SocketAddr::from(([10, 6, 6, 6], 1));
        stage.service.http(stage.now, from, &Request::get(&target), &mut answer);
        assert!(stage.service.counts().torrents <= 100);
    }
    stage.service.check();
    assert_eq!(stage.join('a', "10.0.0.2", 1, "&numwant=50").peers.len(), 20);
}

#[test]
fn with_too_many_peers_another_swarm_makes_room_or_nobody() {
    let policy = Policy { peers_max: 10, ..Policy::default() };
    let mut stage = Stage::with(policy);
    stage.join('b', "10.0.0.9", 1, "");
    for port in 1..=10 {
        stage.join('a', "10.0.0.1", port, "");
    }
    // The other torrent had to go; and now there is none left that could.
    assert_eq!((stage.service.counts().torrents, stage.service.counts().peers), (1, 10));
    let params = format!("info_hash={}&port=11&{PEER}", hash('a'));
    let refusal = stage.announce("10.0.0.1:1", &params).expect_err("it is full");
    let reason = "the tracker is full".to_owned();
    assert_eq!(refusal, Refusal::Failure { reason, retry_secs: Some(900), never: false });
    // Who is known, or leaves, is served as ever.
    assert_eq!(stage.join('a', "10.0.0.1", 10, "").peers.len(), 9);
    stage.join('a', "10.0.0.1", 10, "&event=stopped");
    assert_eq!(stage.join('a', "10.0.0.1", 11, "").peers.len(), 9);
}

#[test]
fn a_swarm_that_is_full_takes_nobody_new_and_costs_no_other_swarm() {
    let policy = Policy { swarm_max: 3, ..Policy::default() };
    let mut stage = Stage::with(policy);
    stage.join('b', "10.0.0.9", 1, "");
    for port in 1..=3 {
        stage.join('a', "10.0.0.1", port, "");
    }
    let params = format!("info_hash={}&port=4&{PEER}", hash('a'));
    stage.announce("10.0.0.1:1", &params).expect_err("it is full");
    assert_eq!((stage.service.counts().torrents, stage.service.counts().peers), (2, 4));
    assert_eq!(stage.join('a', "10.0.0.1", 3, "").peers.len(), 2, "who is known is served");
    stage.join('a', "10.0.0.1", 3, "&event=stopped");
    assert_eq!(stage.join('a', "10.0.0.1", 4, "").peers.len(), 2);
    assert_eq!(stage.join('b', "10.0.0.1", 5, "").peers.len(), 1);
}

#[test]
fn intervals_are_spread_and_never_shorter() {
    let mut stage = Stage::new();
    let mut said: Vec<u64> = (0..200)
        .map(|_| stage.join('a', "10.0.0.1", 1, "").interval_secs.expect("an interval"))
        .collect();
    said.sort_unstable();
    assert!(said[0] >= 1_800 && said[199] <= 1_800 + 225, "{} to {}", said[0], said[199]);
    assert!(said[199] - said[0] > 150, "{} to {}", said[0], said[199]);
}

#[test]
fn scrapes_tell_what_is_known() {
    let mut stage = Stage::new();
    stage.join('b', "10.0.0.1", 1, "&left=5");
    stage.join('b', "10.0.0.1", 1, "&left=0&event=completed");
    stage.join('a', "10.0.0.1", 1, "&left=5");
    let scrape = |stage: &mut Stage, query: &str| {
        let (status, body) = stage.get("10.0.0.1:4000", &format!("/scrape{query}"));
        assert_eq!(status, 200);
        Scrape::parse(&body).map(|Scrape(files)| files)
    };
    let a = (InfoHash([b'a'; 20]), Tally { seeds: 0, leechers: 1, completed: 0 });
    let b = (InfoHash([b'b'; 20]), Tally { seeds: 1, leechers: 0, completed: 1 });
    let (one, two, unknown) = (hash('a'), hash('b'), hash('c'));
    let query = format!("?info_hash={two}&info_hash={unknown}&info_hash={one}&info_hash={two}");
    assert_eq!(scrape(&mut stage, &query), Ok(vec![a, b]));
    assert_eq!(scrape(&mut stage, &format!("?info_hash={unknown}")), Ok(vec![]));
    assert!(scrape(&mut stage, "?info_hash=abc").is_err());
    assert!(scrape(&mut stage, "").is_err(), "off unless asked for");
    assert_eq!((stage.service.counts().scrapes, stage.service.counts().refused), (2, 2));

    let mut open = Stage::with(Policy { full_scrape: true, ..Policy::default() });
    open.join('b', "10.0.0.1", 1, "&left=0&event=completed");
    open.join('a', "10.0.0.1", 1, "&left=5");
    assert_eq!(scrape(&mut open, ""), Ok(vec![a, b]));
}

#[test]
fn other_paths_and_methods_are_told_so() {
    let mut stage = Stage::new();
    for (target, status) in
        [("/", 200), ("/?x", 200), ("/announce/", 404), ("/Announce", 404), ("/x", 404), ("*", 404)]
    {
        assert_eq!(stage.get("10.0.0.1:1", target).0, status, "{target}");
    }
    for (method, target, allow) in [
        ("PUT", "/announce", "GET, HEAD, POST"),
        ("get", "/announce", "GET, HEAD, POST"),
        ("OPTIONS", "/torrents", "GET, HEAD, POST"),
        ("POST", "/scrape", "GET, HEAD"),
        ("POST", "/stats", "GET, HEAD"),
    ] {
        let request = Request { method, ..Request::get(target) };
        let answer = stage.ask("10.0.0.1:1", &request);
        let text = String::from_utf8_lossy(&answer);
        assert!(text.starts_with("HTTP/1.1 405 "), "{method} {target}: {text}");
        assert!(text.contains(&format!("\r\nAllow: {allow}\r\n")), "{method}: {text}");
        assert!(!text.contains("Access-Control"), "{text}");
    }
    // HEAD says how long the body would be, and sends none.
    let answer = stage.ask("10.0.0.1:1", &Request { method: "HEAD", ..Request::get("/") });
    let text = String::from_utf8_lossy(&answer);
    assert!(text.ends_with("\r\n\r\n") && !text.contains("Content-Length: 0"), "{text}");
}

#[test]
fn no_flipped_bit_in_a_request_makes_the_tracker_panic() {
    let mut stage = Stage::new();
    for fixture in http_fixtures::all() {
        for at in 0..fixture.bytes.len().min(400) {
            let mut bytes = fixture.bytes.clone();
            bytes[at] ^= 1 << (at % 8);
            if let Parsed::Done { request, .. } = Request::parse(&bytes, &mut Scan::default()) {
                stage.ask("10.0.0.1:4000", &request);
            }
        }
    }
    assert!(stage.service.counts().announces > 1_000, "most of them still are announces");
}
