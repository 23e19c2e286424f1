//! Magnet links: what they say, what is left out, and what is refused.

use std::fs;
use std::net::SocketAddr;

use swarmlet::base::InfoHash;
use swarmlet::base::limits::{LINK_NAMES_MAX, MAGNET_BYTES_MAX, NAME_BYTES_MAX, TRACKERS_MAX};
use swarmlet::format::magnet::{LocalPeers, Magnet};
use swarmlet::format::metainfo::Metainfo;

const HEX: &str = "c12fe1c06bba254a9dc9f519b335aa7c1367a88a";
const BASE32: &str = "YEX6DQDLXISUVHOJ6UM3GNNKPQJWPKEK";

fn parse(link: &str) -> Magnet {
    Magnet::parse(link, LocalPeers::Drop).expect("a good link")
}

/// The link to `HEX` with something more.
fn with(rest: &str) -> Magnet {
    parse(&format!("magnet:?xt=urn:btih:{HEX}{rest}"))
}

#[test]
fn the_info_hash_comes_in_hex_or_base32_of_either_case() {
    let lower = BASE32.to_lowercase();
    let upper = HEX.to_uppercase();
    for digits in [HEX, &upper, BASE32, &lower] {
        let magnet = parse(&format!("magnet:?xt=urn:btih:{digits}"));
        assert_eq!(Some(magnet.info_hash), InfoHash::parse_hex(HEX), "{digits}");
    }
    for link in [
        format!("MAGNET:?xt=URN:BTIH:{HEX}"),
        format!("magnet:?dn=x&xt=urn%3Abtih%3A{HEX}"),
        format!("magnet:?xt.1=urn:btih:{HEX}"),
        format!("magnet:?xt=urn:btih:{HEX}&xt=urn:btih:{BASE32}"),
        format!("magnet:?xt=urn:btmh:1220aa&xt=urn:btih:{HEX}"),
        format!("magnet:?xt=urn:sha1:ABC&xt=urn:btih:{HEX}&&=&junk"),
    ] {
        assert_eq!(Some(parse(&link).info_hash), InfoHash::parse_hex(HEX), "{link}");
    }
}

#[test]
fn links_without_one_sure_info_hash_are_refused() {
    let digits = "an info-hash has 40 hex or 32 base32 digits, at byte 8";
    let none = "no info-hash (`xt=urn:btih:…`), at byte 0";
    let table = [
        (format!("magnet:?xt=urn:btih:{}", &HEX[1..]), digits),
        (format!("magnet:?xt=urn:btih:{HEX}0"), digits),
        (format!("magnet:?xt=urn:btih:zz{}", &HEX[2..]), digits),
        (format!("magnet:?xt=urn:btih:{}", &BASE32[1..]), digits),
        (format!("magnet:?xt=urn:btih:1{}", &BASE32[1..]), digits),
        ("magnet:?xt=urn:btih:".to_string(), digits),
        ("magnet:?dn=x".to_string(), none),
        ("magnet:?".to_string(), none),
        ("magnet:?xt=urn:sha1:ABC".to_string(), none),
        (
            format!("magnet:?xt=urn:btih:{HEX}&xt=urn:btih:{}0", &HEX[..39]),
            "two different info-hashes, at byte 61",
        ),
        (
            "magnet:?xt=urn:btmh:1220aabb".to_string(),
            "a link to a version 2 torrent; only version 1 is supported, at byte 0",
        ),
        (format!("http://x/?xt=urn:btih:{HEX}"), "not a magnet link, at byte 0"),
        ("magnet".to_string(), "not a magnet link, at byte 0"),
        ("magnet:é".to_string(), "not a magnet link, at byte 0"),
        (
            format!("magnet:?xt=urn:btih:{HEX}&dn={}", "x".repeat(MAGNET_BYTES_MAX)),
            "a link of more than 65536 bytes, at byte 65536",
        ),
    ];
    for (link, expected) in table {
        let why = Magnet::parse(&link, LocalPeers::Keep).expect_err("refused").to_string();
        assert_eq!(why, expected, "{link:.80}");
    }
}

#[test]
fn names_are_decoded_and_cleaned() {
    let table = [
        ("a%20b+c", Some("a b c")),
        ("Gr%c3%bc%C3%9Fe", Some("Grüße")),
        ("Grüße", Some("Grüße")),
        ("%00%1b%5b31mred", Some("[31mred")),
        ("%e2%80%aegnp.exe", Some("gnp.exe")),
        ("%ff", Some("\u{fffd}")),
        ("50%zz", Some("50%zz")),
        ("", None),
        ("%1b", None),
    ];
    for (coded, expected) in table {
        assert_eq!(with(&format!("&dn={coded}")).name.as_deref(), expected, "{coded}");
    }
    let long = with(&format!("&dn={}", "ä".repeat(5_000))).name.expect("a name");
    assert!(long.len() <= NAME_BYTES_MAX && long.starts_with("äää"));
}

#[test]
fn trackers_are_kept_up_to_the_limit_if_they_can_be_asked() {
    let magnet = with(
        "&tr=http%3A%2F%2Fa%2Fannounce&tr.2=udp://b:1&tr=file:///etc/passwd&tr=http%3A//a%0d%0aX/&tr=http://a/announce",
    );
    assert_eq!(magnet.trackers, ["http://a/announce", "udp://b:1"]);
    assert_eq!(magnet.warnings.len(), 2);
    let many: String = (0..3_000).map(|number| format!("&tr=http://t{number}/")).collect();
    let magnet = with(&many);
    assert_eq!(magnet.trackers.len(), TRACKERS_MAX);
    assert_eq!(magnet.warnings, ["2936 trackers beyond the first 64"]);
}

#[test]
fn peers_that_a_link_may_not_name_are_dropped() {
    let odd = [
        "host:99999",
        "ho st:1",
        "host:0",
        "a:b:1",
        "1.2.3.4",
        "1.2.3.4:0",
        "0.0.0.0:1",
        "224.0.0.1:1",
        "[::1]:0",
        "[::]:1",
        "",
        "%ff",
    ];
    let local = [
        "127.0.0.1:22",
        "10.0.0.1:1",
        "192.168.1.1:80",
        "169.254.169.254:80",
        "[::1]:1",
        "[fe80::1]:1",
        "[fd00::1]:1",
        "[::ffff:127.0.0.1]:22",
    ];
    let public = ["1.2.3.4:6881", "[2001:db8::1]:6881"];
    let addrs = |texts: &[&str]| -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().expect("an address")).collect()
    };
    let all = [&odd[..], &local, &public].concat();
    let link: String = all.iter().map(|peer| format!("&x.pe={peer}")).collect();
    let link = format!("magnet:?xt=urn:btih:{HEX}{link}");
    assert_eq!(parse(&link).peers, addrs(&public));
    let keeping = Magnet::parse(&link, LocalPeers::Keep).expect("good").peers;
    assert_eq!(keeping, addrs(&[&local[..], &public].concat()));
}

#[test]
fn peers_by_name_are_kept_to_be_looked_up_and_are_not_many() {
    let names = ["host:1", "seed.example.org:51413", "localhost:22", "a_b-c:65535"];
    let link: String = names.iter().chain(&names).map(|peer| format!("&x.pe={peer}")).collect();
    let link = format!("magnet:?xt=urn:btih:{HEX}{link}");
    let read = parse(&link);
    let named: Vec<String> = read.named_peers.iter().map(ToString::to_string).collect();
    assert_eq!(named, names);
    assert_eq!((read.peers.len(), read.warnings.len()), (0, 0));
    // Written again, they are still there.
    assert_eq!(parse(&read.to_string()).named_peers, read.named_peers);
    let many: String = (0..100).map(|number| format!("&x.pe=h{number}:1")).collect();
    let read = parse(&format!("magnet:?xt=urn:btih:{HEX}{many}"));
    assert_eq!(read.named_peers.len(), LINK_NAMES_MAX);
}

#[test]
fn selections_are_clamped_and_never_expanded() {
    let table: &[(&str, &[(u32, u32)])] = &[
        ("0,2,4,6-8", &[(0, 0), (2, 2), (4, 4), (6, 8)]),
        ("0-4294967295", &[(0, 999_999)]),
        ("5-99999999999999999999", &[]),
        ("0-9223372036854775807", &[(0, 999_999)]),
        ("5-1", &[]),
        ("a", &[]),
        ("-1", &[]),
        ("1-", &[]),
        ("1-2-3", &[]),
        ("+1", &[]),
        ("", &[]),
        ("4294967295", &[]),
        ("3,a,5-1,7", &[(3, 3), (7, 7)]),
    ];
    for (text, expected) in table {
        assert_eq!(with(&format!("&so={text}")).select, *expected, "{text}");
    }
}

#[test]
fn sizes_and_web_seeds_are_taken_if_they_make_sense() {
    let table = [("5", Some(5)), ("-5", None), ("x", None), ("9223372036854775808", None)];
    for (text, expected) in table {
        assert_eq!(with(&format!("&xl={text}")).total_bytes, expected, "{text}");
    }
    let magnet = with("&ws=http://a/f&ws=file:///f&ws=udp://a:1");
    assert_eq!(magnet.web_seeds, ["http://a/f"]);
}

#[test]
fn a_link_is_written_as_it_would_be_read() {
    let rest = "&dn=Gr%C3%BC%C3%9Fe%20%26%20more&xl=5&tr=http%3A%2F%2Fa%2F%3Fk%3D1%262&ws=http%3A%2F%2Fb%2F&x.pe=1.2.3.4:5&x.pe=[2001:db8::1]:6&so=1,3-4";
    let magnet = with(rest);
    assert_eq!(magnet.to_string(), format!("magnet:?xt=urn:btih:{HEX}{rest}"));
    assert_eq!(parse(&magnet.to_string()), magnet);
}

#[test]
fn the_link_to_a_torrent_names_its_hash_size_and_trackers() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/torrents/good/tiers.torrent");
    let metainfo = Metainfo::parse(&fs::read(path).expect("there")).expect("good");
    let magnet = Magnet::of(&metainfo);
    assert_eq!(
        magnet.to_string(),
        "magnet:?xt=urn:btih:e41e6b395271b94a6ca7755479a208803d18a2bd&dn=tiers.bin&xl=20000\
         &tr=http%3A%2F%2F127.0.0.1%3A8000%2Fannounce&tr=udp%3A%2F%2F127.0.0.1%3A8001\
         &tr=https%3A%2F%2Ftracker.example%2Fannounce"
    );
    assert_eq!(parse(&magnet.to_string()), magnet);
}

#[test]
fn no_truncation_and_no_changed_byte_panics() {
    let link =
        format!("magnet:?xt=urn:btih:{HEX}&dn=a%20b&tr=http://a/&x.pe=1.2.3.4:5&so=1-2&xl=9");
    for len in 0..link.len() {
        let cut = Magnet::parse(&link[..len], LocalPeers::Keep);
        assert_eq!(cut.is_ok(), len >= "magnet:?xt=urn:btih:".len() + 40, "cut at {len}");
    }
    for at in 0..link.len() {
        for byte in 0..128u8 {
            let mut changed = link.clone().into_bytes();
            changed[at] = byte;
            let changed = String::from_utf8(changed).expect("ASCII");
            if let Ok(magnet) = Magnet::parse(&changed, LocalPeers::Keep) {
                let again = Magnet::parse(&magnet.to_string(), LocalPeers::Keep).expect("ours");
                assert_eq!(again, Magnet { warnings: vec![], ..magnet }, "{changed}");
            }
        }
    }
}
