//! Hosts and ports that torrents and links name: good, bad, round trip.

use std::net::IpAddr;

use swarmlet::base::limits::HOST_BYTES_MAX;
use swarmlet::format::endpoint::{Endpoint, may_be_sent_to};

#[test]
fn what_is_a_host_and_a_port_is_read_and_written_alike() {
    for text in ["host:1", "a.b-c_d.example:65535", "1.2.3.4:6881", "[2001:db8::1]:6881", "[::]:1"]
    {
        let read = Endpoint::parse(text).unwrap_or_else(|| panic!("{text}"));
        assert_eq!(read.to_string(), text);
        let host = text.rsplit_once(':').expect("a port").0.trim_matches(['[', ']']);
        assert_eq!(Endpoint::new(host.as_bytes(), read.port().into()), Some(read.clone()));
        assert_eq!(read.host(), host);
    }
}

#[test]
fn where_nobody_can_be_is_refused() {
    let long = format!("{}:1", "a".repeat(HOST_BYTES_MAX + 1));
    let table = [
        "",
        ":",
        "host",
        "host:",
        ":1",
        "host:0",
        "host:65536",
        "host:+1",
        "host:-1",
        "host:1 ",
        "ho st:1",
        "h\u{1b}[m:1",
        "h/x:1",
        "\u{fc}:1",
        "2001:db8::1:6881",
        "[host]:1",
        "[1.2.3.4]:1",
        "[2001:db8::1:1",
        "[]:1",
        "[2001:db8::1%1]:1",
        "a:b:1",
        &long,
    ];
    for text in table {
        assert_eq!(Endpoint::parse(text), None, "{text:?}");
    }
    assert_eq!(Endpoint::new(b"\xff", 1), None);
    assert_eq!(Endpoint::new(b"host", i64::MAX), None);
}

#[test]
fn nobody_outside_sends_us_into_our_own_network() {
    let ip = |text: &str| -> IpAddr { text.parse().expect("an address") };
    let near = [
        "127.0.0.1",
        "10.1.2.3",
        "192.168.1.1",
        "169.254.169.254",
        "255.255.255.255",
        "::1",
        "fe80::1",
        "fd00::1",
        "::ffff:127.0.0.1",
    ];
    for text in near {
        for listen in [None, Some("0.0.0.0"), Some("::"), Some("192.0.2.1")] {
            assert!(!may_be_sent_to(ip(text), listen.map(ip)), "{text} from {listen:?}");
        }
        assert!(may_be_sent_to(ip(text), Some(ip("127.0.0.1"))), "we are there ourselves");
    }
    assert!(may_be_sent_to(ip("192.0.2.1"), None));
    assert!(may_be_sent_to(ip("2001:db8::1"), Some(ip("::"))));
}
