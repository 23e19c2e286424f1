//! Percent-coding, pairs, and the URLs of trackers.

use std::net::IpAddr;

use swarmlet::format::Malformed;
use swarmlet::format::query::{self, Scheme, TrackerUrl};

#[test]
fn codes_are_decoded() {
    for (coded, plain) in [
        ("", Some(&b""[..])),
        ("abc", Some(b"abc")),
        ("%00%ff%Fa", Some(b"\x00\xff\xfa")),
        ("a%20b+c%2Bd", Some(b"a b c+d")),
        ("%25%", None),
        ("%", None),
        ("%1", None),
        ("%zz", None),
        ("%1g", None),
        ("%+1", None),
        ("%%20", None),
    ] {
        assert_eq!(query::decode(coded.as_bytes()).as_deref(), plain, "{coded:?}");
    }
}

#[test]
fn a_decoded_value_has_exactly_its_length_or_is_none() {
    assert_eq!(query::decode_exactly(b"%61b%63"), Some(*b"abc"));
    assert_eq!(query::decode_exactly::<3>(b"ab"), None);
    assert_eq!(query::decode_exactly::<3>(b"abcd"), None);
    assert_eq!(query::decode_exactly::<3>(b"ab%6"), None);
    assert_eq!(query::decode_exactly::<0>(b""), Some([]));
}

#[test]
fn every_byte_survives_coding_and_decoding() {
    let all: Vec<u8> = (0..=255).collect();
    let mut coded = String::new();
    query::encode(&all, &mut coded);
    assert!(coded.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte)));
    assert_eq!(query::decode(coded.as_bytes()), Some(all));
    let mut coded = String::new();
    query::encode(b"a-Z._~ 0\xAB/", &mut coded);
    assert_eq!(coded, "a-Z._~%200%AB%2F");
}

#[test]
fn pairs_are_walked_as_sent() {
    for (text, expected) in [
        ("", &[][..]),
        ("a=1&b=2", &[("a", "1"), ("b", "2")]),
        ("a&&b=&=c&d=e=f", &[("a", ""), ("b", ""), ("", "c"), ("d", "e=f")]),
        ("a=%26", &[("a", "%26")]),
    ] {
        assert_eq!(query::pairs(text).collect::<Vec<_>>(), expected, "{text:?}");
    }
}

#[test]
fn good_urls_are_taken_apart() {
    for (text, host, port, rest) in [
        ("http://t/announce", "t", 80, "/announce"),
        ("HTTP://Tracker.Example:6969/Announce?k=V", "tracker.example", 6969, "/Announce?k=V"),
        ("http://t", "t", 80, "/"),
        ("http://t?x", "t", 80, "/?x"),
        ("http://t:/a", "t", 80, "/a"),
        ("http://t/a#part", "t", 80, "/a"),
        ("http://10.0.0.1:8000/announce", "10.0.0.1", 8000, "/announce"),
        ("http://[2001:DB8::1]:80/a", "2001:db8::1", 80, "/a"),
        ("http://[::1]/announce", "::1", 80, "/announce"),
        ("http://a_b.c-d:65535/", "a_b.c-d", 65535, "/"),
        ("http://t/announce?passkey=abc&x=event", "t", 80, "/announce?passkey=abc&x=event"),
    ] {
        let url = TrackerUrl::parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
        assert_eq!(
            (url.scheme, url.host.as_str(), url.port, url.path_and_query.as_str()),
            (Scheme::Http, host, port, rest),
            "{text}"
        );
        let again = TrackerUrl::parse(&url.to_string());
        assert_eq!(again, Ok(url), "{text} written and read again");
    }
}

#[test]
fn bad_urls_are_refused_with_a_reason() {
    let other = "not a URL of http://, https:// or udp://";
    let character = "a blank, control or non-ASCII character in a URL";
    let said = "the URL already says what an announce says";
    for (text, what, at) in [
        ("", other, 0),
        ("announce", other, 0),
        // Row 33.
        ("file:///etc/passwd", other, 0),
        ("javascript:x", other, 0),
        ("ws://t/announce", other, 0),
        ("http:/t/announce", other, 0),
        // Rows 33 and 49.
        ("http://a\r\nX: y", character, 8),
        ("http://t/a b", character, 10),
        ("http://t/a\0", character, 10),
        ("http://t/\u{e4}", character, 9),
        ("http://t/announce?passkey=a\nHost: x", character, 27),
        ("http://", "a URL without a host", 7),
        ("http:///announce", "a URL without a host", 7),
        ("http://:80/", "a URL without a host", 7),
        ("http://a%20b/", "not a host name", 7),
        ("http://a\\b/", "not a host name", 7),
        ("http://me:secret@t/", "a URL with a name and password is not supported", 7),
        ("http://[::1/", "an IPv6 address without its ]", 7),
        ("http://[fe80::1%25eth0]/", "not an IPv6 address in the brackets", 7),
        ("http://[::1]x/", "something between host and path", 7),
        ("http://::1/", "a URL without a host", 7),
        ("http://t:0/", "not a port", 7),
        ("http://t:65536/", "not a port", 7),
        ("http://t:-1/", "not a port", 7),
        ("http://t:+1/", "not a port", 7),
        ("http://t:80:80/", "not a port", 7),
        // Row 47.
        ("http://t/announce?info_hash=aaaa", said, 0),
        ("http://t/announce?a=b&event=stopped", said, 0),
        ("http://t/announce?info%5Fhash=aaaa", said, 0),
        ("http://t/announce?event", said, 0),
        // Known, but not for us.
        ("https://t/announce", "https is not spoken here, only plain http", 0),
    ] {
        let fault = TrackerUrl::parse(text).expect_err(text);
        assert_eq!((fault.what.as_ref(), fault.at), (what, at), "{text:?}");
    }
    let long = format!("http://t/{}", "a".repeat(2048));
    assert_eq!(TrackerUrl::parse(&long).expect_err("too long").what, "the URL is too long");
}

#[test]
fn urls_for_others_may_have_schemes_that_we_do_not_speak() {
    for (text, scheme, port) in [
        ("https://t/announce", Scheme::Https, 443),
        ("udp://t:6969/announce", Scheme::Udp, 6969),
        ("udp://t:6969", Scheme::Udp, 6969),
    ] {
        let url = TrackerUrl::parse_any(text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
        assert_eq!((url.scheme, url.port), (scheme, port));
    }
    assert!(TrackerUrl::parse_any("udp://t/announce").is_err(), "udp has no usual port");
    assert!(TrackerUrl::parse_any("file:///etc/passwd").is_err());
}

#[test]
fn the_scrape_url_is_derived_by_convention() {
    for (announce, scrape) in [
        ("http://t/announce", Some("http://t/scrape")),
        ("http://t/x/announce", Some("http://t/x/scrape")),
        ("http://t/x/announce.php", Some("http://t/x/scrape.php")),
        ("http://t/announce?x=2/4", Some("http://t/scrape?x=2/4")),
        ("http://t/announce/abc", None),
        ("http://t/x%064announce", None),
        ("http://t/a", None),
        ("http://t", None),
    ] {
        let url = TrackerUrl::parse(announce).expect(announce);
        let found = url.scrape().map(|url| url.to_string());
        assert_eq!(found.as_deref(), scrape, "{announce}");
    }
}

#[test]
fn row_45_redirects_lead_only_to_http() {
    let from = TrackerUrl::parse("http://t:8000/announce").expect("a good URL");
    for (location, to) in [
        ("http://u/b?info_hash=a", Some("http://u/b?info_hash=a")),
        ("//u:81/b", Some("http://u:81/b")),
        ("/b?c", Some("http://t:8000/b?c")),
        ("file:///etc/passwd", None),
        ("https://u/b", None),
        ("udp://u:1/b", None),
        ("b", None),
        ("", None),
        ("/b\r\nX: y", None),
    ] {
        let joined = from.join(location).ok().map(|url| url.to_string());
        assert_eq!(joined.as_deref(), to, "{location:?}");
    }
}

#[test]
fn row_46_local_addresses_are_asked_only_as_trackers() {
    let public = "198.51.100.7";
    let split = "a redirect from a public to a private address";
    let local = "a local address whose path is not /announce";
    let nowhere = "no host has such an address";
    for (url, addr, sent_by, refused) in [
        ("http://t/announce", public, None, None),
        ("http://t/x?y", public, None, None),
        ("http://t/announce", "127.0.0.1", None, None),
        ("http://t/announce.php?a", "::1", None, None),
        ("http://t/scrape", "127.0.0.1", None, None),
        ("http://t/x?y", "169.254.169.254", None, Some(local)),
        ("http://t:6379/", "127.0.0.1", None, Some(local)),
        ("http://t:6379/", "127.9.9.9", None, Some(local)),
        ("http://t:6379/", "::1", None, Some(local)),
        ("http://t:6379/", "::ffff:127.0.0.1", None, Some(local)),
        ("http://t/", "fe80::1", None, Some(local)),
        ("http://t/x", "192.168.0.1", None, None),
        ("http://t/announce", "192.168.0.1", Some(public), Some(split)),
        ("http://t/announce", "127.0.0.1", Some(public), Some(split)),
        ("http://t/announce", "10.0.0.1", Some("2001:db8::1"), Some(split)),
        ("http://t/announce", "100.64.0.1", Some(public), Some(split)),
        ("http://t/announce", "fd00::1", Some(public), Some(split)),
        ("http://t/announce", "::ffff:10.0.0.1", Some(public), Some(split)),
        ("http://t/announce", "127.0.0.1", Some("127.0.0.2"), None),
        ("http://t/announce", "10.0.0.1", Some("192.168.0.1"), None),
        ("http://t/announce", public, Some("10.0.0.1"), None),
        ("http://t/announce", "100.128.0.1", Some(public), None),
        ("http://t/announce", "0.0.0.0", None, Some(nowhere)),
        ("http://t/announce", "::", None, Some(nowhere)),
        ("http://t/announce", "224.0.0.1", None, Some(nowhere)),
        ("http://t/announce", "ff02::1", None, Some(nowhere)),
        ("http://t/announce", "255.255.255.255", None, Some(nowhere)),
    ] {
        let parsed = TrackerUrl::parse(url).expect(url);
        let addr: IpAddr = addr.parse().expect("an address");
        let sent_by = sent_by.map(|from| from.parse().expect("an address"));
        let outcome = parsed.may_be_asked_at(addr, sent_by).err().map(Malformed::into_what);
        let outcome = outcome.as_deref();
        assert_eq!(outcome, refused, "{url} at {addr} from {sent_by:?}");
    }
}

#[test]
fn a_flipped_bit_in_a_url_never_panics() {
    let text = b"http://[2001:db8::1]:8000/a/announce?passkey=%20abc";
    for at in 0..text.len() {
        for bit in 0..8 {
            let mut flipped = text.to_vec();
            flipped[at] ^= 1 << bit;
            let flipped = String::from_utf8_lossy(&flipped);
            if let Ok(url) = TrackerUrl::parse(&flipped) {
                assert!(url.to_string().bytes().all(|byte| byte.is_ascii_graphic()));
                url.scrape();
            }
        }
    }
}
