//! Notices of local discovery: good, bad, round trip, every truncation.

use std::net::SocketAddr;

use swarmlet::base::InfoHash;
use swarmlet::base::limits::{NOTICE_BYTES_MAX, NOTICE_HASHES_MAX};
use swarmlet::format::notice::{GROUPS, Notice};

const ONE: &str = "1111111111111111111111111111111111111111";
const TWO: &str = "abcdef0123456789ABCDEF0123456789abcdef01";

fn hash(text: &str) -> InfoHash {
    InfoHash::parse_hex(text).expect("forty digits")
}

fn notice(headers: &str) -> String {
    format!("BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\n{headers}\r\n\r\n")
}

#[test]
fn a_notice_is_written_as_the_specification_shows_it() {
    let mut out = Vec::new();
    let info_hashes = vec![hash(ONE), hash(TWO)];
    Notice { port: 6881, info_hashes, cookie: Some(b"5b21d0c3") }.write(GROUPS[0], &mut out);
    let expected = format!(
        "BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 6881\r\nInfohash: {ONE}\r\n\
         Infohash: {}\r\ncookie: 5b21d0c3\r\n\r\n\r\n",
        TWO.to_ascii_lowercase()
    );
    assert_eq!(String::from_utf8(out).expect("text"), expected);
    let mut out = Vec::new();
    Notice { port: 1, info_hashes: vec![hash(ONE)], cookie: None }.write(GROUPS[1], &mut out);
    assert!(String::from_utf8(out).expect("text").contains("\r\nHost: [ff15::efc0:988f]:6771\r\n"));
}

#[test]
fn what_is_written_is_read_again_and_fits_into_a_datagram() {
    let hashes = (0..NOTICE_HASHES_MAX).map(|n| hash(&format!("{n:040x}"))).collect();
    for cookie in [None, Some(b"00000000".as_slice())] {
        for group in GROUPS {
            let notice = Notice { port: 65535, info_hashes: Vec::clone(&hashes), cookie };
            let mut out = Vec::new();
            notice.write(group, &mut out);
            assert!(out.len() <= NOTICE_BYTES_MAX, "{} bytes", out.len());
            assert_eq!(Notice::parse(&out), Ok(notice));
        }
    }
}

#[test]
fn what_other_programs_write_is_read() {
    let table = [
        // Names in any case, blanks or none, headers that nobody knows, lines without a colon.
        (format!("port:6881\r\nINFOHASH:  {ONE} \r\nX-More: 1\r\nwhat\r\n"), None),
        (format!("Port: 6881\r\nInfohash: {ONE}\r\nCookie: \r\n"), Some("")),
        // One info-hash is none; the other counts, once.
        (format!("Infohash: zz\r\nInfohash: {ONE}\r\nInfohash: {ONE}\r\nPort: 6881\r\n"), None),
        (format!("Infohash: {ONE}\r\nPort: 6881\r\ncookie: a: b\r\n"), Some("a: b")),
    ];
    for (headers, cookie) in table {
        let text = notice(&headers);
        let expected =
            Notice { port: 6881, info_hashes: vec![hash(ONE)], cookie: cookie.map(str::as_bytes) };
        assert_eq!(Notice::parse(text.as_bytes()), Ok(expected), "{text}");
        // Lines of line feeds alone, and a single empty one at the end.
        let plain = text.replace("\r\n", "\n");
        assert!(Notice::parse(plain.trim_end_matches('\n').as_bytes()).is_err());
        assert!(Notice::parse(format!("{}\n\n", plain.trim_end_matches('\n')).as_bytes()).is_ok());
    }
}

#[test]
fn what_is_no_notice_is_refused_with_its_reason() {
    let long = format!("Port: 1\r\nInfohash: {ONE}\r\nX: {}\r\n", "x".repeat(NOTICE_BYTES_MAX));
    let port = |port: &str| notice(&format!("Infohash: {ONE}\r\nPort: {port}\r\n"));
    let table = [
        (String::new(), "not a notice, at byte 0"),
        ("M-SEARCH * HTTP/1.1\r\n\r\n".to_owned(), "not a notice, at byte 0"),
        ("d1:ad2:id20:".to_owned(), "not a notice, at byte 0"),
        (notice(&format!("Infohash: {ONE}\r\n")), "no port, at byte"),
        (notice("Port: 6881\r\n"), "no info-hash, at byte"),
        (notice("Port: 6881\r\nInfohash: 11\r\n"), "no info-hash, at byte"),
        (port("0"), "not one port, at byte"),
        (port("65536"), "not one port, at byte"),
        (port("+1"), "not one port, at byte"),
        (port("-1"), "not one port, at byte"),
        (port(""), "not one port, at byte"),
        (port("1\r\nPort: 2"), "not one port, at byte"),
        (notice(&long), "more than a notice has"),
    ];
    for (text, reason) in table {
        let refused = Notice::parse(text.as_bytes()).expect_err(&text).to_string();
        assert!(refused.contains(reason), "{text:?}: {refused}");
    }
}

#[test]
fn every_truncation_is_refused_and_no_changed_byte_panics() {
    let whole = notice(&format!("Port: 6881\r\nInfohash: {ONE}\r\ncookie: 1\r\n"));
    let whole = whole.as_bytes();
    // The last line feed of two empty lines is one more than is needed.
    let end = whole.len() - "\r\n".len();
    for cut in 0..end {
        assert!(Notice::parse(&whole[..cut]).is_err(), "{cut} bytes");
    }
    for at in 0..whole.len() {
        for byte in [0, b'\n', b':', 0x1b, 0xff] {
            let mut changed = whole.to_vec();
            changed[at] = byte;
            let _ = Notice::parse(&changed);
        }
    }
    let most = NOTICE_HASHES_MAX + 5;
    let many: String = (0..most).map(|n| format!("Infohash:{n:040x}\n")).collect();
    let text = format!("BT-SEARCH * HTTP/1.1\nPort:1\n{many}\n");
    let read = Notice::parse(text.as_bytes()).expect("it fits");
    assert_eq!(read.info_hashes.len(), NOTICE_HASHES_MAX);
}

#[test]
fn the_groups_are_those_of_the_specification() {
    let said: Vec<SocketAddr> = ["239.192.152.143:6771", "[ff15::efc0:988f]:6771"]
        .map(|text| text.parse().expect("an address"))
        .to_vec();
    assert_eq!(GROUPS.to_vec(), said);
}
