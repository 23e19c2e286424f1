//! The tracker's library as those who publish, search and fetch see it, and those who attack it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use swarmlet::base::limits::{
    HOLDERS_BYTES_MAX, HOLDERS_PER_TORRENT_MAX, PUBLISHED_BYTES_MAX, SHOWN_PEERS_MAX,
};
use swarmlet::base::{Bits, InfoHash, PieceIndex, Random, Set, Span, Time};
use swarmlet::format::announce::Reply;
use swarmlet::format::digest::Digest;
use swarmlet::format::http::{Parsed, Progress, Request, Response, Scan};
use swarmlet::format::json::{self, FromValue};
use swarmlet::format::listing::{Listing, Pieces, Published, Stats, Swarms};
use swarmlet::tracker::holders::Holders;
use swarmlet::tracker::library::Entry;
use swarmlet::tracker::table::Minute;
use swarmlet::tracker::{Kept, Library, Policy, Rules, Service, Work};

/// A tracker with a library, a clock, and a disk in memory.
struct Stage {
    service: Service,
    now: Time,
    disk: BTreeMap<InfoHash, Vec<u8>>,
    is_broken: bool,
}

impl Stage {
    fn new() -> Stage {
        Stage::with(Policy::default(), Rules::default())
    }

    fn with(policy: Policy, rules: Rules) -> Stage {
        let mut service = Service::new(policy, 5);
        service.open_library(Library::new(rules));
        let now = Time::from_millis(1);
        Stage { service, now, disk: BTreeMap::new(), is_broken: false }
    }

    /// Whatever the tracker answers to these bytes; `None`: it waits for more.
    fn say(&mut self, from: &str, bytes: &[u8]) -> Option<(u16, Vec<u8>)> {
        let from: SocketAddr = from.parse().expect("an address");
        let (service, now) = (&self.service, self.now);
        let admit = |head: &Request<'_>| service.body_bytes_max(now, from, head);
        let mut answer = Vec::new();
        match Request::parse_admitted(bytes, &mut Scan::default(), admit) {
            Parsed::More => return None,
            Parsed::Bad(status) => return Some((status.code(), Vec::new())),
            Parsed::Done { request, .. } => {
                let mut errand = self.service.http(self.now, from, &request, &mut answer);
                while let Some(work) = errand {
                    assert_eq!(answer, b"", "an answer, and an errand");
                    let kept = self.run(&work.work);
                    errand = self.service.finish(work, kept, &mut answer);
                }
            }
        }
        self.service.check();
        let mut response = Response::with_body_max(usize::MAX);
        assert_eq!(response.feed(&answer), Ok(Progress::Done));
        Some((response.status(), response.body().to_vec()))
    }

    fn run(&mut self, work: &Work) -> Kept {
        match work {
            Work::Judge { torrent } => Kept::Judged(Entry::read(torrent)),
            _ if self.is_broken => Kept::Failed,
            Work::Store { info_hash, torrent, .. } => {
                self.disk.insert(*info_hash, torrent.clone());
                Kept::Stored
            }
            Work::Load { info_hash } => {
                self.disk.get(info_hash).cloned().map_or(Kept::Missing, Kept::Loaded)
            }
        }
    }

    fn get(&mut self, target: &str) -> (u16, Vec<u8>) {
        let request = format!("GET {target} HTTP/1.1\r\n\r\n");
        self.say("10.0.0.9:9", request.as_bytes()).expect("a whole request")
    }

    fn page<T: FromValue>(&mut self, target: &str) -> T {
        let (status, body) = self.get(target);
        assert_eq!(status, 200, "{target}: {}", String::from_utf8_lossy(&body));
        json::read(&body).expect(target)
    }

    fn publish(&mut self, from: &str, torrent: &[u8]) -> (u16, String) {
        let (status, body) = self.say(from, &post(torrent)).expect("a whole request");
        (status, String::from_utf8(body).expect("text"))
    }

    fn published(&mut self, torrent: &[u8]) -> Published {
        let (status, body) = self.publish("10.0.0.1:9", torrent);
        assert!(matches!(status, 200 | 201), "{status} {body}");
        let published: Published = json::read(body.as_bytes()).expect("JSON");
        assert_eq!(published.new, status == 201);
        published
    }

    fn announce(&mut self, hash: &str, addr: &str, more: &str) -> String {
        let coded: String = hash
            .as_bytes()
            .chunks(2)
            .flat_map(|pair| [b'%', pair[0], pair[1]])
            .map(char::from)
            .collect();
        let (_, port) = addr.split_once(':').expect("an address");
        let target = format!("/announce?info_hash={coded}&port={port}&{PEER}{more}");
        let request = format!("GET {target} HTTP/1.1\r\n\r\n");
        let (status, body) = self.say(addr, request.as_bytes()).expect("a whole request");
        assert_eq!(status, 200);
        String::from_utf8_lossy(&body).into_owned()
    }

    fn names(&mut self, query: &str) -> Vec<String> {
        let listing: Listing = self.page(&format!("/torrents{query}"));
        listing.torrents.into_iter().map(|torrent| torrent.name).collect()
    }
}

const PEER: &str = "peer_id=-XX0000-000000000000";

/// A .torrent of one file with `pieces` pieces of 16 KiB.
fn torrent(name: &str, pieces: usize, is_private: bool) -> Vec<u8> {
    let private = if is_private { "7:privatei1e" } else { "" };
    let mut bytes = format!(
        "d8:announce20:http://t:80/announce4:infod6:lengthi{}e4:name{}:{name}12:piece lengthi16384e\
         6:pieces{}:",
        pieces * 16_384,
        name.len(),
        pieces * 20
    )
    .into_bytes();
    bytes.extend(std::iter::repeat_n(b'h', pieces * 20));
    bytes.extend(format!("{private}ee").bytes());
    bytes
}

fn hash_of(torrent: &[u8]) -> String {
    let info = torrent.windows(6).position(|at| at == b"4:info").expect("an info") + 6;
    InfoHash(Digest::of(&torrent[info..torrent.len() - 1])).to_string()
}

fn post(torrent: &[u8]) -> Vec<u8> {
    post_as("Content-Type: application/x-bittorrent\r\n", torrent)
}

fn post_as(headers: &str, body: &[u8]) -> Vec<u8> {
    let len = body.len();
    let head = format!("POST /torrents HTTP/1.1\r\n{headers}Content-Length: {len}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

// ── Publishing and fetching ─────────────────────────────────────────────────────────────────

#[test]
fn what_is_published_is_listed_found_and_fetched_as_it_came() {
    let mut stage = Stage::new();
    let film = torrent("Der Große FILM.mkv", 3, false);
    let hash = hash_of(&film);
    let published = stage.published(&film);
    assert_eq!((published.info_hash.as_str(), published.private), (hash.as_str(), false));
    assert_eq!(published.torrent, format!("/torrents/{hash}.torrent"));
    stage.published(&torrent("other", 1, false));

    assert_eq!(stage.names(""), ["other", "Der Große FILM.mkv"], "the newest first");
    for (query, found) in [
        ("?q=gro%C3%9Fe+film", 1),
        ("?q=film%20der", 1),
        ("?q=MKV", 1),
        ("?q=e", 2),
        ("?q=film+other", 0),
        ("?q=", 2),
        ("?q=%", 2),
        ("?q=%FF", 0),
        ("?limit=1", 1),
        ("?limit=0", 1),
        ("?limit=99999999999999999999", 2),
        ("?before=0", 0),
        ("?before=x", 2),
    ] {
        assert_eq!(stage.names(query).len(), found, "{query}");
    }
    assert_eq!(stage.get(&published.torrent), (200, film.clone()));
    let (upper, _) = stage.get(&format!("/torrents/{}.torrent", hash.to_uppercase()));
    assert_eq!(upper, 200);
    let listing: Listing = stage.page("/torrents?q=film");
    let listed = &listing.torrents[0];
    assert_eq!((listed.bytes, listed.files, listed.pieces), (3 * 16_384, 1, 3));
}

#[test]
fn the_first_torrent_of_an_info_hash_stays() {
    let mut stage = Stage::new();
    let ours = torrent("film", 1, false);
    assert!(stage.published(&ours).new);
    let theirs = String::from_utf8(ours.clone()).expect("ASCII").replace("//t:80", "//e:80");
    assert!(!stage.published(theirs.as_bytes()).new);
    assert_eq!(stage.get(&format!("/torrents/{}.torrent", hash_of(&ours))), (200, ours));
    assert_eq!(stage.service.library().map(Library::len), Some(1));
}

#[test]
fn a_long_list_comes_in_pages() {
    let mut stage = Stage::new();
    let rules = Rules { per_hour_max: u32::MAX, ..Rules::default() };
    stage.service.open_library(Library::new(rules));
    for number in 0..25 {
        stage.published(&torrent(&format!("film {number:02}"), 1, false));
    }
    let mut seen = Vec::new();
    let mut before = String::new();
    loop {
        let listing: Listing = stage.page(&format!("/torrents?q=film&limit=10{before}"));
        seen.extend(listing.torrents.into_iter().map(|torrent| torrent.name));
        let Some(next) = listing.next else { break };
        before = format!("&before={next}");
    }
    let expected: Vec<String> = (0..25).rev().map(|number| format!("film {number:02}")).collect();
    assert_eq!(seen, expected);
}

#[test]
fn names_of_files_are_searched_too() {
    let mut stage = Stage::new();
    let files = "d4:infod5:filesld6:lengthi1e4:pathl4:Disc9:Track.mp3eed6:lengthi1e4:pathl5:x.jpge\
                 ee4:name5:album12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaaee";
    stage.published(files.as_bytes());
    for (query, found) in [("track", 1), ("disc%2Ftrack", 1), ("jpg+album", 1), ("jpgalbum", 0)] {
        assert_eq!(stage.names(&format!("?q={query}")).len(), found, "{query}");
    }
}

#[test]
fn a_private_torrent_is_taken_and_shown_to_nobody() {
    let policy = Policy { only_published: true, full_scrape: true, ..Policy::default() };
    let mut stage = Stage::with(policy, Rules::default());
    let secret = torrent("secret", 1, true);
    let hash = hash_of(&secret);
    let published = stage.published(&secret);
    assert!(published.new && published.private);
    // It is tracked …
    assert!(stage.announce(&hash, "10.0.0.1:1", "").contains("8:interval"));
    assert!(!stage.announce(&hash, "10.0.0.2:1", "&have=80").contains("4:have"));
    // … and nowhere to be seen.
    assert_eq!(stage.names("").len() + stage.names("?q=secret").len(), 0);
    assert_eq!(stage.get(&published.torrent).0, 404);
    assert_eq!(stage.get(&format!("/pieces?info_hash={hash}")).0, 404);
    for query in [String::new(), format!("?info_hash={hash}")] {
        let swarms: Swarms = stage.page(&format!("/get_peers{query}"));
        assert_eq!(swarms.swarms, [], "{query}");
    }
    assert_eq!(stage.page::<Stats>("/stats").published, 1);
}

#[test]
fn a_disk_that_fails_is_told_and_nothing_is_promised() {
    let mut stage = Stage::new();
    let film = torrent("film", 1, false);
    stage.is_broken = true;
    assert_eq!(stage.publish("10.0.0.1:1", &film).0, 507);
    assert_eq!(stage.names("").len(), 0);
    stage.is_broken = false;
    let published = stage.published(&film);
    assert!(published.new);
    stage.is_broken = true;
    assert_eq!(stage.get(&published.torrent).0, 503);
    // Somebody took the file away: then it is no longer here.
    stage.is_broken = false;
    stage.disk.clear();
    assert_eq!(stage.get(&published.torrent).0, 404);
    assert_eq!(stage.names("").len(), 0);
    assert!(stage.published(&film).new);
}

#[test]
fn only_the_head_of_a_torrent_may_be_asked_for() {
    let mut stage = Stage::new();
    let film = torrent("film", 1, false);
    let path = stage.published(&film).torrent;
    let request = format!("HEAD {path} HTTP/1.1\r\n\r\n");
    let from = "10.0.0.1:1".parse().expect("an address");
    let parsed = Request::parse(request.as_bytes(), &mut Scan::default());
    let Parsed::Done { request, .. } = parsed else { panic!("{parsed:?}") };
    let mut answer = Vec::new();
    let errand = stage.service.http(stage.now, from, &request, &mut answer).expect("a file");
    let next = stage.service.finish(errand, Kept::Loaded(film.clone()), &mut answer);
    assert_eq!(next, None);
    let text = String::from_utf8(answer).expect("a head alone");
    assert!(text.contains(&format!("Content-Length: {}\r\n", film.len())), "{text}");
    assert!(text.contains("\r\nX-Content-Type-Options: nosniff\r\n"), "{text}");
    assert!(text.ends_with("\r\n\r\n"), "{text}");
}

// ── Who is not welcome ──────────────────────────────────────────────────────────────────────

#[test]
fn row_85_a_web_page_in_a_visitors_browser_can_publish_nothing() {
    let mut stage = Stage::new();
    let film = torrent("film", 1, false);
    let typed = "Content-Type: application/x-bittorrent\r\n";
    for (headers, status) in [
        (format!("{typed}Origin: http://evil.example\r\n"), 403),
        (format!("{typed}Origin: null\r\n"), 403),
        (format!("{typed}Origin:\r\n"), 403),
        (format!("{typed}Sec-Fetch-Site: same-origin\r\n"), 403),
        (String::new(), 415),
        ("Content-Type: text/plain\r\n".to_owned(), 415),
        ("Content-Type: application/x-www-form-urlencoded\r\n".to_owned(), 415),
        (
            "Content-Type: multipart/form-data; boundary=application/x-bittorrent\r\n".to_owned(),
            415,
        ),
        ("Content-Type: Application/X-BitTorrent; charset=x\r\n".to_owned(), 201),
    ] {
        // By its head alone, before a byte of the body; and so an empty body, too.
        let whole = post_as(&headers, &film);
        let head = &whole[..whole.len() - film.len()];
        let said = stage.say("10.0.0.1:1", head).map(|(status, _)| status);
        assert_eq!(said, (status != 201).then_some(status), "{headers}");
        let empty = stage.say("10.0.0.1:1", &post_as(&headers, b"")).map(|(status, _)| status);
        assert_eq!(empty, Some(if status == 201 { 400 } else { status }), "{headers}");
        let all = stage.say("10.0.0.1:1", &whole).map(|(status, _)| status);
        assert_eq!(all, Some(status), "{headers}");
    }
    assert_eq!(stage.names(""), ["film"]);
}

#[test]
fn row_86_no_path_leads_out_of_the_library() {
    let mut stage = Stage::new();
    let hash = stage.published(&torrent("film", 1, false)).info_hash;
    for path in [
        "/torrents/../x",
        "/torrents/../../etc/passwd",
        "/torrents/%2e%2e/x",
        "/torrents/..%2f..%2fetc%2fpasswd.torrent",
        "/torrents/..\\x.torrent",
        "/torrents/",
        "/torrents/.torrent",
        "/torrents//",
        &format!("/torrents/{hash}"),
        &format!("/torrents/{hash}.torrent/"),
        &format!("/torrents/{hash}.torrent.torrent"),
        &format!("/torrents/../torrents/{hash}.torrent"),
        &format!("/torrents/%{}.torrent", &hash[1..]),
        &format!("//torrents/{hash}.torrent"),
        &format!("/torrents/{}.torrent", "0".repeat(40)),
        &format!("/torrents/{}é.torrent", &hash[2..]).replace('é', "%C3%A9"),
    ] {
        assert_eq!(stage.get(path).0, 404, "{path}");
    }
}

#[test]
fn row_87_and_91_bodies_are_refused_by_what_they_claim() {
    let mut stage = Stage::new();
    let typed = "Content-Type: application/x-bittorrent\r\n";
    for (headers, status) in [
        (format!("Content-Length: {}\r\n", PUBLISHED_BYTES_MAX + 1), 413),
        ("Content-Length: 100000000\r\n".to_owned(), 413),
        ("Content-Length: 1000000000000\r\n".to_owned(), 413),
        ("Content-Length: 99999999999999999999999\r\n".to_owned(), 413),
        ("Content-Length: -1\r\n".to_owned(), 400),
        ("Content-Length: 5\r\nContent-Length: 5\r\n".to_owned(), 400),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n".to_owned(), 400),
        ("Transfer-Encoding: chunked\r\n".to_owned(), 411),
    ] {
        let request = format!("POST /torrents HTTP/1.1\r\n{typed}{headers}\r\n");
        let said = stage.say("10.0.0.1:1", request.as_bytes());
        assert_eq!(said, Some((status, Vec::new())), "{headers}");
    }
    let request =
        format!("POST /torrents HTTP/1.1\r\n{typed}Content-Length: {PUBLISHED_BYTES_MAX}\r\n\r\n");
    assert_eq!(stage.say("10.0.0.1:1", request.as_bytes()), None, "so much may come");
}

#[test]
fn every_truncation_of_a_post_waits_or_is_refused() {
    let mut stage =
        Stage::with(Policy::default(), Rules { per_hour_max: u32::MAX, ..Rules::default() });
    let film = torrent("film", 2, false);
    let whole = post(&film);
    for cut in 0..whole.len() {
        assert_eq!(stage.say("10.0.0.1:1", &whole[..cut]), None, "cut after {cut}");
    }
    for cut in 0..film.len() {
        let (status, why) = stage.publish("10.0.0.1:1", &film[..cut]);
        assert_eq!(status, 400, "{cut}: {why}");
        assert!(why.starts_with("not a usable torrent: "), "{why}");
    }
    for at in 0..film.len() {
        let mut garbled = film.clone();
        garbled[at] ^= 0x80;
        stage.publish("10.0.0.1:1", &garbled);
    }
    let mut garbage = vec![0; 100_000];
    Random::new(3).fill(&mut garbage);
    assert_eq!(stage.publish("10.0.0.1:1", &garbage).0, 400);
    assert_eq!(stage.publish("10.0.0.1:1", &[b'l'; 100_000]).0, 400);
}

#[test]
fn an_address_publishes_so_much_within_an_hour() {
    let rules = Rules { per_hour_max: 3, ..Rules::default() };
    let mut stage = Stage::with(Policy::default(), rules);
    let try_from = |stage: &mut Stage, from: &str, number: usize| {
        stage.publish(from, &torrent(&format!("film {number}"), 1, false)).0
    };
    // What is refused counts as well: it cost as much.
    assert_eq!(stage.publish("10.0.0.1:1", b"garbage").0, 400);
    assert_eq!(try_from(&mut stage, "10.0.0.1:2", 1), 201);
    assert_eq!(try_from(&mut stage, "10.0.0.1:3", 2), 201);
    assert_eq!(try_from(&mut stage, "10.0.0.1:4", 3), 429);
    assert_eq!(try_from(&mut stage, "[::ffff:10.0.0.1]:4", 3), 429);
    assert_eq!(try_from(&mut stage, "10.0.0.2:4", 3), 201);
    // A household of IPv6 is one publisher.
    for host in 1..=3 {
        // These are here already; but whoever sends them has sent them.
        let from = format!("[2001:db8:0:1::{host}]:4");
        assert_eq!(try_from(&mut stage, &from, host), 200);
    }
    assert_eq!(try_from(&mut stage, "[2001:db8:0:1::9]:4", 4), 429);
    assert_eq!(try_from(&mut stage, "[2001:db8:0:2::9]:4", 4), 201);
    stage.now += Span::from_secs(3_600);
    assert_eq!(try_from(&mut stage, "10.0.0.1:4", 5), 201);
}

#[test]
fn a_full_library_takes_no_more() {
    let rules = Rules { torrents_max: 2, ..Rules::default() };
    let mut stage = Stage::with(Policy::default(), rules);
    stage.published(&torrent("a", 1, false));
    stage.published(&torrent("b", 1, true));
    assert_eq!(stage.publish("10.0.0.1:1", &torrent("c", 1, false)).0, 507);
    assert!(!stage.published(&torrent("a", 1, false)).new, "what is here is here");
}

#[test]
fn only_what_was_published_is_tracked_if_so_wished_and_what_is_blocked_never() {
    let policy = Policy { only_published: true, ..Policy::default() };
    let mut stage = Stage::with(policy, Rules::default());
    let (film, bad) = (torrent("film", 1, false), torrent("bad", 1, false));
    let said = stage.announce(&hash_of(&film), "10.0.0.1:1", "");
    assert!(said.contains("only torrents that were published here"), "{said}");
    stage.published(&film);
    assert!(stage.announce(&hash_of(&film), "10.0.0.1:1", "").contains("8:interval"));

    let bad_path = stage.published(&bad).torrent;
    stage.announce(&hash_of(&bad), "10.0.0.1:1", "");
    let blocked = InfoHash::parse_hex(&hash_of(&bad)).expect("a hash");
    stage.service.block(Set::from(vec![blocked]));
    let said = stage.announce(&hash_of(&bad), "10.0.0.1:1", "");
    assert!(said.contains("this torrent is blocked here"), "{said}");
    assert_eq!(stage.publish("10.0.0.1:1", &bad).0, 403);
    assert_eq!(stage.get(&bad_path).0, 404);
    assert_eq!(stage.names(""), ["film"]);
    let swarms: Swarms = stage.page("/get_peers");
    assert_eq!(swarms.swarms.len(), 1);
}

#[test]
fn without_a_library_nothing_is_published() {
    let mut stage = Stage::new();
    stage.service = Service::new(Policy::default(), 5);
    assert_eq!(stage.publish("10.0.0.1:1", &torrent("film", 1, false)).0, 405);
    for (path, status) in [("/torrents", 404), ("/torrents/x", 404), ("/stats", 200), ("/", 200)] {
        assert_eq!(stage.get(path).0, status, "{path}");
    }
    let large = "POST /torrents HTTP/1.1\r\nContent-Length: 70000\r\n\r\n";
    assert_eq!(stage.say("10.0.0.1:1", large.as_bytes()), Some((413, Vec::new())));
}

#[test]
fn row_99_names_are_text_and_never_a_page() {
    let mut stage = Stage::new();
    stage.published(&torrent("<img src=x onerror=alert(1)>\"\\", 1, false));
    let request = "GET /torrents HTTP/1.1\r\n\r\n";
    let from = "10.0.0.1:1".parse().expect("an address");
    let parsed = Request::parse(request.as_bytes(), &mut Scan::default());
    let Parsed::Done { request, .. } = parsed else { panic!("{parsed:?}") };
    let mut answer = Vec::new();
    stage.service.http(stage.now, from, &request, &mut answer);
    let text = String::from_utf8(answer).expect("UTF-8");
    assert!(text.contains("\r\nContent-Type: application/json\r\n"), "{text}");
    assert!(text.contains("\r\nX-Content-Type-Options: nosniff\r\n"), "{text}");
    assert!(text.contains(r#""<img src=x onerror=alert(1)>\"_""#), "{text}");
}

// ── Who is there ────────────────────────────────────────────────────────────────────────────

#[test]
fn peers_are_shown_of_published_torrents_and_of_those_that_are_named() {
    let mut stage = Stage::new();
    let film = hash_of(&torrent("film", 1, false));
    stage.published(&torrent("film", 1, false));
    let other = "ab".repeat(20);
    stage.announce(&film, "10.0.0.1:1", "&left=0");
    stage.announce(&film, "10.0.0.2:2", "&left=5");
    stage.announce(&other, "10.0.0.3:3", "&left=5");
    let all: Swarms = stage.page("/get_peers");
    assert_eq!(all.swarms.len(), 1, "others may be private");
    let swarm = &all.swarms[0];
    assert_eq!((swarm.seeds, swarm.leechers, swarm.name.as_deref()), (1, 1, Some("film")));
    let shown: Vec<_> = swarm.peers.iter().map(|peer| (peer.addr.as_str(), peer.seed)).collect();
    assert_eq!(shown, [("10.0.0.1:1", true), ("10.0.0.2:2", false)]);
    let named: Swarms = stage.page(&format!("/get_peers?info_hash={other}"));
    assert_eq!((named.swarms[0].peers.len(), &named.swarms[0].name), (1, &None));
    let coded: Swarms = stage.page(&format!("/get_peers?info_hash={}", "%ab".repeat(20)));
    assert_eq!(coded.swarms.len(), 1);
    for bad in ["", "x", &"a".repeat(39), &"a".repeat(41), "%zz"] {
        assert_eq!(stage.get(&format!("/get_peers?info_hash={bad}")).0, 400, "{bad}");
    }
}

#[test]
fn no_answer_shows_more_peers_than_it_may() {
    let mut stage = Stage::new();
    let film = hash_of(&torrent("film", 1, false));
    stage.published(&torrent("film", 1, false));
    for number in 0..SHOWN_PEERS_MAX + 300 {
        let addr = format!("10.1.{}.{}:1", number / 250, number % 250 + 1);
        stage.announce(&film, &addr, if number % 3 == 0 { "&left=0" } else { "" });
    }
    let all: Swarms = stage.page("/get_peers");
    assert_eq!((all.swarms[0].peers.len(), all.more), (SHOWN_PEERS_MAX, true));
}

#[test]
fn peers_tell_their_pieces_and_the_directory_shows_them() {
    let mut stage = Stage::new();
    let film = torrent("film", 10, false);
    let hash = hash_of(&film);
    assert!(!stage.announce(&hash, "10.0.0.1:1", "&left=5&have=ffc0").contains("4:have"));
    stage.published(&film);
    assert!(stage.announce(&hash, "10.0.0.1:1", "&left=5").contains("4:havei1e"));
    stage.announce(&hash, "10.0.0.1:1", "&left=5&have=8040");
    stage.announce(&hash, "10.0.0.2:2", "&left=5&have=c000");
    let said = stage.announce(&hash, "10.0.0.3:3", "&left=0");
    assert!(!said.contains("4:have"), "of a seed that is known: {said}");
    assert_eq!(Reply::parse(said.as_bytes()).map(|reply| reply.seeds), Ok(Some(1)));
    // Maps that do not fit the torrent are not noted.
    for have in ["80", "804000", "8041", "zz", "8"] {
        stage.announce(&hash, "10.0.0.4:4", &format!("&left=5&have={have}"));
    }
    let shown = |stage: &mut Stage, more: &str| {
        let pieces: Pieces = stage.page(&format!("/pieces?info_hash={hash}{more}"));
        assert_eq!((pieces.pieces, pieces.more), (10, false));
        let mut holders: Vec<_> = pieces
            .holders
            .into_iter()
            .map(|holder| (holder.addr, holder.have, holder.bits.unwrap_or_default()))
            .collect();
        holders.sort();
        holders
    };
    let one = ("10.0.0.1:1".to_owned(), 2, "8040".to_owned());
    let two = ("10.0.0.2:2".to_owned(), 2, "c000".to_owned());
    let seed = ("10.0.0.3:3".to_owned(), 10, String::new());
    assert_eq!(shown(&mut stage, ""), [one.clone(), two.clone(), seed.clone()]);
    assert_eq!(shown(&mut stage, "&piece=0"), [one.clone(), two.clone(), seed.clone()]);
    assert_eq!(shown(&mut stage, "&piece=1"), [two, seed.clone()]);
    assert_eq!(shown(&mut stage, "&piece=9"), [one, seed.clone()]);
    assert_eq!(shown(&mut stage, "&piece=5"), [seed]);
    for piece in ["10", "4294967295"] {
        assert_eq!(stage.get(&format!("/pieces?info_hash={hash}&piece={piece}")).0, 404);
    }
    // Who is silent about it has lost nothing; who is a seed now, or leaves, is not in it.
    stage.announce(&hash, "10.0.0.1:1", "&left=5");
    assert_eq!(shown(&mut stage, "").len(), 3);
    stage.announce(&hash, "10.0.0.1:1", "&event=stopped");
    stage.announce(&hash, "10.0.0.2:2", "&left=0&event=completed");
    assert_eq!(shown(&mut stage, "").iter().filter(|(_, _, bits)| !bits.is_empty()).count(), 0);
}

#[test]
fn a_directory_forgets_who_is_silent_and_never_outgrows_its_limits() {
    let mut holders = Holders::default();
    let addr =
        |number: usize| SocketAddr::from(([10, 0, (number / 250) as u8, (number % 250) as u8], 1));
    let hash = InfoHash([1; 20]);
    for number in 0..HOLDERS_PER_TORRENT_MAX + 50 {
        let minute = Minute::of(Time::from_millis(number as u64 * 60_000));
        let mut have = Bits::none(100);
        have.set(PieceIndex::checked(number as u32 % 100));
        holders.note(minute, hash, addr(number), have);
        holders.check();
    }
    assert_eq!(holders.of(hash).len(), HOLDERS_PER_TORRENT_MAX);
    assert!(holders.of(hash).iter().all(|holder| holder.addr != addr(0)), "the oldest went");
    // Another one would cost more than all together may.
    let large = Bits::all(16_000);
    let mut torrents = 0;
    for letter in 2..=100u8 {
        for number in 0..HOLDERS_PER_TORRENT_MAX {
            holders.note(Minute::default(), InfoHash([letter; 20]), addr(number), large.clone());
        }
        torrents += usize::from(!holders.of(InfoHash([letter; 20])).is_empty());
    }
    holders.check();
    assert!(torrents < HOLDERS_BYTES_MAX / (HOLDERS_PER_TORRENT_MAX * 2_000) + 2, "{torrents}");
    let later = Minute::of(Time::from_millis(10_000 * 60_000));
    assert_eq!(holders.sweep(later, 60, InfoHash([200; 20])), 0, "nobody tells of that one");
    for hash in holders.torrents().collect::<Vec<_>>() {
        holders.sweep(later, 60, hash);
        holders.check();
    }
    assert!(holders.is_empty());
    holders.check();
}

// ── Numbers ─────────────────────────────────────────────────────────────────────────────────

#[test]
fn numbers_are_told_as_json_and_for_prometheus() {
    let mut stage = Stage::new();
    let film = torrent("film", 1, false);
    let path = stage.published(&film).torrent;
    stage.publish("10.0.0.1:1", b"garbage");
    stage.get(&path);
    stage.announce(&hash_of(&film), "10.0.0.1:1", "&left=0");
    stage.announce(&hash_of(&film), "10.0.0.2:1", "");
    stage.get("/announce");
    stage.get("/scrape?info_hash=aaaaaaaaaaaaaaaaaaaa");
    stage.service.note_turn(Span::from_millis(1_234), 5_678);
    stage.service.note_turn(Span::from_millis(2), 1);
    stage.service.tick(stage.now + Span::from_secs(60));
    stage.service.note_turn(Span::from_millis(2), 901);
    stage.service.note_turn(Span::from_millis(2), 902);
    stage.now = Time::from_millis(61_000);
    let expected = Stats {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime_secs: 61,
        torrents: 1,
        seeds: 1,
        leechers: 1,
        published: 1,
        announces: 2,
        scrapes: 1,
        refused: 1,
        published_new: 1,
        published_refused: 1,
        fetched: 1,
        udp_announces: 0,
        udp_scrapes: 0,
        udp_connects: 0,
        udp_dropped: 0,
        longest_turn_millis: 1_234,
        busiest_turn_micros: 5_678,
        busiest_sweep_micros: 901,
    };
    assert_eq!(stage.page::<Stats>("/stats"), expected);
    let (status, body) = stage.get("/metrics");
    let text = String::from_utf8(body).expect("ASCII");
    assert_eq!(status, 200);
    for line in [
        "swarmlet_peers{role=\"seed\"} 1",
        "swarmlet_announces_total 2",
        "swarmlet_longest_turn_seconds 1.234",
        "swarmlet_busiest_turn_seconds 0.005678",
        "swarmlet_busiest_sweep_seconds 0.000901",
    ] {
        assert!(text.lines().any(|other| other == line), "{line} in {text}");
    }
    let named = text.lines().filter(|line| !line.starts_with('#'));
    for line in named {
        let (name, value) = line.rsplit_once(' ').expect("a value");
        assert!(value.parse::<f64>().is_ok(), "{line}");
        let bare = name.split('{').next().expect("a name");
        let typed = text.matches(&format!("# TYPE {bare} ")).count();
        assert_eq!(typed, 1, "{bare}");
    }
}

#[test]
fn announces_may_come_by_post() {
    let mut stage = Stage::new();
    let form = format!("info_hash={}&port=7&{PEER}&left=0", "a".repeat(20));
    let request = |target: &str, body: &str| {
        let len = body.len();
        format!("POST {target} HTTP/1.1\r\nContent-Length: {len}\r\n\r\n{body}").into_bytes()
    };
    for bytes in [
        request("/announce", &form),
        request("/announce", &format!("{form}\r\n")),
        request("/announce?port=9", &form),
        request(&format!("/announce?{form}"), ""),
    ] {
        let (status, body) = stage.say("10.0.0.1:1", &bytes).expect("whole");
        assert_eq!(status, 200);
        assert!(body.starts_with(b"d8:completei1e"), "{}", String::from_utf8_lossy(&body));
    }
    let (status, body) = stage.say("10.0.0.1:1", &request("/announce", "x=1")).expect("whole");
    assert_eq!((status, body.starts_with(b"d14:failure reason")), (200, true));
    assert_eq!(stage.service.counts().peers, 1);
}
