//! Announces, replies and scrapes, both ways.

use std::net::{IpAddr, SocketAddr};

use swarmlet::base::limits::{
    HAVE_BYTES_MAX, REASON_CHARS_MAX, REPLY_PEERS_MAX, TRACKER_ID_BYTES_MAX,
};
use swarmlet::base::{InfoHash, PeerId};
use swarmlet::format::announce::{
    Announce, Answer, BadQuery, Event, Refusal, Reply, Scrape, Tally, write_failure,
};
use swarmlet::format::query::TrackerUrl;

// ── The announce ────────────────────────────────────────────────────────────────────────────

fn announce() -> Announce {
    Announce {
        info_hash: InfoHash(*b"\x124Vx\x9a\xbc\xde\xf1#Eg\x89\xab\xcd\xef\x124Vx\x9a"),
        peer_id: PeerId(*b"-SW0001-abc/&?= %\r\n\0"),
        port: 6881,
        uploaded: 1,
        downloaded: 2,
        left: 3,
        event: Event::Started,
        numwant: Some(80),
        key: Some(0x0a1b_2c3d),
        compact: true,
        no_peer_id: true,
        tracker_id: None,
        have: None,
    }
}

fn query_of(announce: &Announce) -> String {
    let mut query = String::new();
    announce.write_query(&mut query);
    query
}

#[test]
fn our_announce_is_written_exactly() {
    assert_eq!(
        query_of(&announce()),
        "info_hash=%124Vx%9A%BC%DE%F1%23Eg%89%AB%CD%EF%124Vx%9A\
         &peer_id=-SW0001-abc%2F%26%3F%3D%20%25%0D%0A%00\
         &port=6881&uploaded=1&downloaded=2&left=3&compact=1&no_peer_id=1&numwant=80\
         &key=0A1B2C3D&event=started"
    );
}

#[test]
fn what_is_not_said_is_not_written_and_a_farewell_wants_nobody() {
    let tracker_id = Some(b"a b&c".to_vec());
    for (changed, end) in [
        (Announce { event: Event::Regular, ..announce() }, "&numwant=80&key=0A1B2C3D"),
        (
            Announce { event: Event::Regular, numwant: None, key: None, ..announce() },
            "&left=3&compact=1&no_peer_id=1",
        ),
        (Announce { event: Event::Stopped, ..announce() }, "&numwant=0&key=0A1B2C3D&event=stopped"),
        (
            Announce { event: Event::Completed, tracker_id, ..announce() },
            "&event=completed&trackerid=a%20b%26c",
        ),
    ] {
        let query = query_of(&changed);
        assert!(query.ends_with(end), "{query} does not end with {end}");
    }
}

#[test]
fn row_49_every_target_can_stand_in_a_request_line() {
    let tracker_id = Some((0..=255).collect());
    let announce = Announce { tracker_id, ..announce() };
    for (url, begin) in [
        ("http://t/announce", "/announce?info_hash="),
        ("http://t/announce?passkey=a", "/announce?passkey=a&info_hash="),
        ("http://t/announce?", "/announce?info_hash="),
        ("http://t/announce?a&", "/announce?a&info_hash="),
        ("http://t", "/?info_hash="),
    ] {
        let target = announce.target(&TrackerUrl::parse(url).expect(url));
        assert!(target.starts_with(begin), "{target}");
        assert!(target.bytes().all(|byte| byte.is_ascii_graphic()), "{target}");
    }
}

#[test]
fn what_is_written_is_read() {
    let numwant = Some(0);
    for announce in [
        announce(),
        Announce { event: Event::Regular, numwant: None, key: None, ..announce() },
        Announce { event: Event::Completed, left: 0, compact: false, ..announce() },
        Announce { event: Event::Stopped, numwant, no_peer_id: false, ..announce() },
        Announce { tracker_id: Some(vec![0, 255, b'&']), left: u64::MAX, ..announce() },
    ] {
        assert_eq!(Announce::parse(&query_of(&announce)), Ok(announce));
    }
}

const HASH: &str = "info_hash=aaaaaaaaaaaaaaaaaaaa";
const ID: &str = "peer_id=bbbbbbbbbbbbbbbbbbbb";

#[test]
fn what_is_missing_has_a_meaning() {
    let announce = Announce::parse(&format!("{HASH}&{ID}&port=1")).expect("enough");
    let expected = Announce {
        info_hash: InfoHash(*b"aaaaaaaaaaaaaaaaaaaa"),
        peer_id: PeerId(*b"bbbbbbbbbbbbbbbbbbbb"),
        port: 1,
        uploaded: 0,
        downloaded: 0,
        left: u64::MAX,
        event: Event::Regular,
        numwant: None,
        key: None,
        compact: true,
        no_peer_id: false,
        tracker_id: None,
        have: None,
    };
    assert_eq!(announce, expected);
    assert!(!announce.is_seed(), "who does not say is no seed");
}

#[test]
fn rows_70_and_71_bad_announces_are_refused_by_name() {
    use BadQuery::{Missing, NotANumber, NotTwentyBytes, Twice};
    let port = NotANumber("port", 1, 65_535);
    let left = NotANumber("left", 0, u64::MAX);
    for (query, fault) in [
        (String::new(), Missing("port")),
        (format!("{ID}&port=1"), Missing("info_hash")),
        (format!("{HASH}&port=1"), Missing("peer_id")),
        (format!("{HASH}&{ID}"), Missing("port")),
        (format!("info_hash=&{ID}&port=1"), NotTwentyBytes("info_hash")),
        (format!("{HASH}a&{ID}&port=1"), NotTwentyBytes("info_hash")),
        (format!("info_hash=aaaaaaaaaaaaaaaaaaa&{ID}&port=1"), NotTwentyBytes("info_hash")),
        (format!("info_hash=%zzaaaaaaaaaaaaaaaaaaa&{ID}&port=1"), NotTwentyBytes("info_hash")),
        (format!("info_hash=aaaaaaaaaaaaaaaaaaa%6&{ID}&port=1"), NotTwentyBytes("info_hash")),
        (format!("{HASH}&{ID}c&port=1"), NotTwentyBytes("peer_id")),
        (format!("{HASH}&{ID}&{HASH}&port=1"), Twice("info_hash")),
        (format!("{HASH}&{ID}&port="), port),
        (format!("{HASH}&{ID}&port=0"), port),
        (format!("{HASH}&{ID}&port=65536"), port),
        (format!("{HASH}&{ID}&port=-1"), port),
        (format!("{HASH}&{ID}&port=abc"), port),
        (format!("{HASH}&{ID}&port=1&left=-1"), left),
        (format!("{HASH}&{ID}&port=1&left="), left),
        (format!("{HASH}&{ID}&port=1&left=18446744073709551616"), left),
        (format!("{HASH}&{ID}&port=1&left=%31"), left),
    ] {
        assert_eq!(Announce::parse(&query), Err(fault), "{query}");
    }
    assert_eq!(port.to_string(), "port is not a number between 1 and 65535");
    assert_eq!(Missing("info_hash").to_string(), "info_hash is missing");
}

#[test]
fn row_72_numwant_is_a_number_or_unsaid() {
    for (text, numwant) in [
        ("0", Some(0)),
        ("50", Some(50)),
        ("4294967295", Some(u32::MAX)),
        ("99999999999999999999", Some(u32::MAX)),
        ("-1", None),
        ("", None),
        ("many", None),
    ] {
        let query = format!("{HASH}&{ID}&port=1&numwant={text}");
        assert_eq!(Announce::parse(&query).expect("fine").numwant, numwant, "{text}");
    }
}

#[test]
fn small_matters_are_read_leniently() {
    let with = |text: &str| {
        Announce::parse(&format!("{HASH}&{ID}&port=1&{text}")).unwrap_or_else(|fault| {
            panic!("{text}: {fault}");
        })
    };
    for (text, event) in [
        ("event=", Event::Regular),
        ("event=paused", Event::Regular),
        ("event=started", Event::Started),
        ("event=completed&event=stopped", Event::Stopped),
    ] {
        assert_eq!(with(text).event, event, "{text}");
    }
    for (text, key) in [
        ("key=0a1B2c3D", Some(0x0a1b_2c3d)),
        ("key=1", Some(1)),
        ("key=b%E4%8FZ", None),
        ("key=112233445566", None),
        ("key=", None),
    ] {
        assert_eq!(with(text).key, key, "{text}");
    }
    assert!(with("compact=1").compact);
    assert!(!with("compact=0").compact);
    assert!(with("no_peer_id=1").no_peer_id);
    assert_eq!((with("uploaded=-5").uploaded, with("downloaded=7").downloaded), (0, 7));
    // Row 73: whoever they say they are, nothing comes of it.
    assert_eq!(with("ip=1.2.3.4&ipv6=::1&x=y"), with(""));
}

#[test]
fn a_flipped_bit_in_a_query_never_panics() {
    let query = query_of(&announce()).into_bytes();
    for at in 0..query.len() {
        for bit in 0..8 {
            let mut flipped = query.clone();
            flipped[at] ^= 1 << bit;
            let _ = Announce::parse(&String::from_utf8_lossy(&flipped));
        }
        let _ = Announce::parse(&String::from_utf8_lossy(&query[..at]));
    }
}

// ── The reply ───────────────────────────────────────────────────────────────────────────────

fn addrs(texts: &[&str]) -> Vec<SocketAddr> {
    texts.iter().map(|text| text.parse().expect("an address")).collect()
}

fn reply(body: &[u8]) -> Reply {
    Reply::parse(body).unwrap_or_else(|refusal| panic!("{refusal:?}"))
}

#[test]
fn a_full_reply_is_read() {
    let body = b"d8:completei2e10:downloadedi9e11:external ip4:\x01\x02\x03\x0410:incompletei7e\
        8:intervali1800e12:min intervali60e5:peers12:\x0a\0\0\x01\x1a\xe1\x0a\0\0\x02\0\x50\
        6:peers618:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x1a\xe1\
        10:tracker id3:abc15:warning message4:slowe";
    let expected = Reply {
        interval_secs: Some(1800),
        min_interval_secs: Some(60),
        seeds: Some(2),
        leechers: Some(7),
        peers: addrs(&["10.0.0.1:6881", "10.0.0.2:80", "[2001:db8::1]:6881"]),
        tracker_id: Some(b"abc".to_vec()),
        warning: Some("slow".to_owned()),
        external_ip: Some(IpAddr::from([1, 2, 3, 4])),
        wants_have: false,
    };
    assert_eq!(reply(body), expected);
}

#[test]
fn peers_in_the_long_form_are_read() {
    let body = b"d5:peersl\
        d2:ip8:10.0.0.17:peer id20:aaaaaaaaaaaaaaaaaaaa4:porti6881ee\
        d2:ip11:2001:db8::14:porti1ee\
        d2:ip15:::ffff:10.0.0.24:porti2ee\
        d2:ip12:host.example4:porti2ee\
        d2:ip8:10.0.0.34:porti0ee\
        d2:ip8:10.0.0.34:porti65536ee\
        d2:ip8:10.0.0.34:porti-1ee\
        d2:ip8:10.0.0.3e\
        d4:porti1ee\
        i5e3:abclee\
        e";
    assert_eq!(reply(body).peers, addrs(&["10.0.0.1:6881", "[2001:db8::1]:1", "10.0.0.2:2"]));
}

#[test]
fn row_41_what_is_no_dictionary_is_no_reply() {
    let deep = [b"d5:peers".to_vec(), b"l".repeat(100_000)].concat();
    for body in [
        &b""[..],
        b"<html><body>404</body></html>",
        b"le",
        b"i1e",
        b"4:spam",
        b"d8:intervali1800e",
        b"d8:intervali9223372036854775808ee",
        b"d8:intervali1e8:intervali2ee",
        &deep,
    ] {
        let shown = String::from_utf8_lossy(&body[..body.len().min(30)]).into_owned();
        match Reply::parse(body) {
            Err(Refusal::Unreachable(why)) => {
                assert!(why.starts_with("the answer is not a tracker's: "), "{shown}: {why}");
            }
            other => panic!("{shown}: {other:?}"),
        }
    }
    assert_eq!(reply(b"de"), Reply::default());
}

#[test]
fn row_42_a_list_that_does_not_fit_is_dropped_and_the_interval_kept() {
    for body in [
        &b"d8:intervali1800e5:peers7:\x0a\0\0\x01\x1a\xe1\0e"[..],
        b"d8:intervali1800e6:peers619:aaaaaaaaaaaaaaaaaaae",
        b"d8:intervali1800e5:peersi6ee",
        b"d8:intervali1800e5:peersdee",
        b"d8:intervali1800e5:peersle6:peers6lee",
    ] {
        let reply = reply(body);
        assert_eq!((reply.peers.len(), reply.interval_secs), (0, Some(1800)), "{body:?}");
    }
}

#[test]
fn row_43_intervals_are_read_as_said() {
    for (body, secs) in [
        ("d8:intervali-1ee", Some(0)),
        ("d8:intervali0ee", Some(0)),
        ("d8:intervali9223372036854775807ee", Some(i64::MAX.unsigned_abs())),
        ("d8:interval4:1800e", None),
        ("d8:intervallee", None),
        ("de", None),
    ] {
        assert_eq!(reply(body.as_bytes()).interval_secs, secs, "{body}");
    }
}

#[test]
fn row_44_a_reason_is_cleaned_and_cut() {
    let long = "\u{1b}[2Jno\r\n\u{202e}way ".repeat(50_000);
    let body = format!("d14:failure reason{}:{long}e", long.len());
    let Err(Refusal::Failure { reason, retry_secs, never }) = Reply::parse(body.as_bytes()) else {
        panic!("not a failure")
    };
    assert!(reason.chars().count() <= REASON_CHARS_MAX, "{}", reason.len());
    assert!(reason.starts_with("[2Jno"), "{reason}");
    assert!(!reason.chars().any(|letter| letter.is_control() || letter == '\u{202e}'), "{reason}");
    assert_eq!((retry_secs, never), (None, false));

    let long = "\u{1b}".repeat(500);
    let body = format!("d15:warning message{}:{long}a{}", long.len() + 1, "e");
    assert_eq!(reply(body.as_bytes()).warning.as_deref(), Some("a"));
}

#[test]
fn failures_say_when_to_come_back() {
    for (retry, retry_secs, never) in [
        ("", None, false),
        ("8:retry ini5e", Some(300), false),
        ("8:retry in1:5", Some(300), false),
        ("8:retry in5:never", None, true),
        ("8:retry ini0e", None, false),
        ("8:retry ini-5e", None, false),
        ("8:retry in3:abc", None, false),
        ("8:retry ini9223372036854775807e", Some(u64::MAX), false),
        ("8:retry inle", None, false),
    ] {
        let body = format!("d14:failure reason2:no{retry}e");
        let reason = "no".to_owned();
        let expected = Refusal::Failure { reason, retry_secs, never };
        assert_eq!(Reply::parse(body.as_bytes()), Err(expected), "{body}");
    }
    for body in ["d14:failure reason0:e", "d14:failure reasoni1ee"] {
        let refusal = Reply::parse(body.as_bytes()).expect_err("a failure");
        assert_eq!(refusal.to_string(), "no reason given");
    }
}

#[test]
fn row_52_what_cannot_be_a_peer_is_left_out() {
    let mut bytes = Vec::new();
    for (ip, port) in [
        ([10, 0, 0, 1], 0u16),
        ([0, 0, 0, 0], 6881),
        ([0, 1, 2, 3], 6881),
        ([224, 0, 0, 1], 6881),
        ([240, 0, 0, 1], 6881),
        ([255, 255, 255, 255], 6881),
        ([10, 0, 0, 1], 6881),
    ] {
        bytes.extend(ip);
        bytes.extend(port.to_be_bytes());
    }
    bytes.extend(b"\x0a\0\0\x02\x1a\xe1".repeat(10_000));
    let mut body = format!("d5:peers{}:", bytes.len()).into_bytes();
    body.extend(bytes);
    body.extend(b"6:peers654:");
    body.extend([0; 16]);
    body.extend([0x1a, 0xe1, 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x1a, 0xe1]);
    // The first one again, as it looks in IPv6.
    body.extend([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1, 0x1a, 0xe1]);
    body.push(b'e');
    assert_eq!(reply(&body).peers, addrs(&["10.0.0.1:6881", "10.0.0.2:6881"]));
}

#[test]
fn row_52_a_reply_brings_so_many_peers_and_no_more() {
    let bytes: Vec<u8> = (0..100_000u32)
        .flat_map(|number| [(number | 0x0a00_0000).to_be_bytes().to_vec(), vec![1, 2]].concat())
        .collect();
    let mut body = format!("d5:peers{}:", bytes.len()).into_bytes();
    body.extend(bytes);
    body.push(b'e');
    assert_eq!(reply(&body).peers.len(), REPLY_PEERS_MAX);
}

#[test]
fn odd_fields_are_left_out_alone() {
    let id = "a".repeat(TRACKER_ID_BYTES_MAX + 1);
    let body = format!("d8:complete1:x11:external ip5:aaaaa10:tracker id{}:{id}e", id.len());
    assert_eq!(reply(body.as_bytes()), Reply::default());
    let body = b"d11:external ip16:\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\x01e";
    assert_eq!(reply(body).external_ip, Some(IpAddr::from([10, 0, 0, 1])));
}

#[test]
fn flipped_bits_and_truncations_of_a_reply_never_panic() {
    let body =
        b"d8:completei2e11:external ip4:\x01\x02\x03\x048:intervali1800e5:peersld2:ip8:10.0.0.\
        17:peer id20:aaaaaaaaaaaaaaaaaaaa4:porti6881eee6:peers618:aaaaaaaaaaaaaaaaaae";
    for at in 0..body.len() {
        assert!(Reply::parse(&body[..at]).is_err(), "cut at {at}");
        for bit in 0..8 {
            let mut flipped = body.to_vec();
            flipped[at] ^= 1 << bit;
            let _ = Reply::parse(&flipped);
            let _ = Scrape::parse(&flipped);
        }
    }
}

// ── The tracker's own words ─────────────────────────────────────────────────────────────────

fn answer<'a>(peers: &'a [u8], peers6: &'a [u8]) -> Answer<'a> {
    Answer {
        interval_secs: 1800,
        min_interval_secs: 60,
        tally: Tally { seeds: 2, leechers: 7, completed: 9 },
        peers,
        peers6,
        compact: true,
        external_ip: IpAddr::from([1, 2, 3, 4]),
        wants_have: false,
    }
}

#[test]
fn who_wants_to_know_what_we_have_says_so_and_is_told() {
    let mut out = Vec::new();
    Answer { wants_have: true, ..answer(b"", b"") }.write(&mut out);
    let text = String::from_utf8_lossy(&out);
    assert!(text.contains("4:havei1e10:incomplete"), "in its place: {text}");
    assert!(reply(&out).wants_have);
    for (body, wants) in [
        (&b"d4:havei0e5:peers0:e"[..], false),
        (b"d4:havei-1e5:peers0:e", false),
        (b"d4:have1:15:peers0:e", false),
        (b"d5:peers0:e", false),
    ] {
        assert_eq!(reply(body).wants_have, wants, "{}", String::from_utf8_lossy(body));
    }
    let telling = Announce { have: Some(vec![0x0f, 0xa0]), ..announce() };
    let query = query_of(&telling);
    assert!(query.ends_with("&have=0fa0"), "{query}");
    assert_eq!(Announce::parse(&query), Ok(telling));
    let most = "ff".repeat(HAVE_BYTES_MAX);
    for (have, read) in [
        ("", Some(0)),
        ("0", None),
        ("0g", None),
        ("%66f", None),
        (most.as_str(), Some(HAVE_BYTES_MAX)),
        (&format!("{most}00"), None),
    ] {
        let announce = Announce::parse(&format!("{HASH}&{ID}&port=1&have={have}")).expect("enough");
        assert_eq!(announce.have.map(|have| have.len()), read, "{have}");
    }
}

#[test]
fn answers_are_written_canonically_and_read_back() {
    let peers = b"\x0a\0\0\x01\x1a\xe1";
    let peers6 = b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x1a\xe1";
    let mut out = Vec::new();
    answer(peers, b"").write(&mut out);
    assert_eq!(
        out,
        b"d8:completei2e10:downloadedi9e11:external ip4:\x01\x02\x03\x0410:incompletei7e\
          8:intervali1800e12:min intervali60e5:peers6:\x0a\0\0\x01\x1a\xe1e"
    );
    let both = addrs(&["10.0.0.1:6881", "[2001:db8::1]:6881"]);
    for compact in [true, false] {
        out.clear();
        Answer { compact, ..answer(peers, peers6) }.write(&mut out);
        let read = reply(&out);
        assert_eq!(read.peers, both);
        assert_eq!((read.seeds, read.leechers), (Some(2), Some(7)));
        assert_eq!(read.external_ip, Some(IpAddr::from([1, 2, 3, 4])));
    }
    assert!(String::from_utf8_lossy(&out).contains("5:peersld2:ip8:10.0.0.14:porti6881eed2:ip"));
    out.clear();
    answer(b"", b"").write(&mut out);
    assert!(out.ends_with(b"5:peers0:e"), "an empty list is said, too");
}

#[test]
fn failures_are_written() {
    let mut out = Vec::new();
    write_failure("port is missing", None, &mut out);
    assert_eq!(out, b"d14:failure reason15:port is missinge");
    out.clear();
    write_failure("full", Some(5), &mut out);
    assert_eq!(out, b"d14:failure reason4:full8:retry ini5ee");
}

// ── Scrapes ─────────────────────────────────────────────────────────────────────────────────

#[test]
fn a_scrape_is_asked_for_and_understood() {
    let url = TrackerUrl::parse("http://t/scrape?k=v").expect("a good URL");
    let (one, other) = (InfoHash([b'b'; 20]), InfoHash([0xff; 20]));
    let target = Scrape::target(&url, &[other, one]);
    let hash = "%FF".repeat(20);
    let expected = format!("/scrape?k=v&info_hash={hash}&info_hash={}", "b".repeat(20));
    assert_eq!(target, expected);
    let (_, query) = target.split_once('?').expect("a query");
    assert_eq!(Scrape::parse_query(query), Ok(vec![one, other]), "sorted");
    // Repeated ones count once; none at all asks for everything.
    assert_eq!(Scrape::parse_query(&format!("{query}&{query}")), Ok(vec![one, other]));
    assert_eq!(Scrape::parse_query(""), Ok(vec![]));
    let fault = BadQuery::NotTwentyBytes("info_hash");
    assert_eq!(Scrape::parse_query("info_hash=abc"), Err(fault));
    let many = "info_hash=aaaaaaaaaaaaaaaaaaaa&".repeat(5_000);
    assert_eq!(Scrape::parse_query(&many).map(|hashes| hashes.len()), Ok(1));
}

#[test]
fn a_scrape_is_answered_in_the_order_of_keys_and_read_back() {
    let tally = |seeds| Tally { seeds, leechers: 3, completed: 4 };
    let scrape = Scrape(vec![(InfoHash([b'a'; 20]), tally(1)), (InfoHash([0xfe; 20]), tally(2))]);
    let mut out = Vec::new();
    scrape.write(&mut out);
    assert!(out.starts_with(
        b"d5:filesd20:aaaaaaaaaaaaaaaaaaaad8:completei1e10:downloadedi4e10:incompletei3ee20:\xfe"
    ));
    assert_eq!(Scrape::parse(&out), Ok(scrape));
    out.clear();
    Scrape::default().write(&mut out);
    assert_eq!(out, b"d5:filesdee");
}

#[test]
fn bad_scrapes_are_refused_or_mended() {
    for (body, count) in [
        ("d5:filesd3:abcd8:completei1e10:incompletei1eeee", Some(0)),
        ("d5:filesd20:aaaaaaaaaaaaaaaaaaaad8:completei1eeee", Some(0)),
        ("d5:filesd20:aaaaaaaaaaaaaaaaaaaad8:completei-1e10:incompletei1eeee", Some(1)),
        ("d5:filesle", None),
        ("de", None),
        ("", None),
        ("d14:failure reason2:noe", None),
    ] {
        let read = Scrape::parse(body.as_bytes()).ok().map(|Scrape(files)| files.len());
        assert_eq!(read, count, "{body}");
    }
}
