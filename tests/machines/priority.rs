//! The priority of a connection: the specification's examples, and what they leave open.

use std::net::SocketAddr;

use swarmlet::torrent::priority::priority;

fn addr(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

#[test]
fn both_ends_of_a_connection_compute_the_number_that_the_specification_says() {
    // Us, them, and the checksum of what bytes.
    let table = [
        // The two examples of BEP 40: 624c1400 7bd50000, and 7bd5200a 7bd520ea.
        ("123.213.32.10:1", "98.76.54.32:2", 0xec2d_7224),
        ("123.213.32.10:1", "123.213.32.234:2", 0x9956_8189),
        // One /16: the third byte whole, of the last every other bit. 0a010255 0a010355.
        ("10.1.2.255:1", "10.1.3.255:2", 0x3392_ae3b),
        // IPv6: six bytes whole; seven in one /48, eight in one /56, all in one /120.
        ("[2001:db8:1::ffff]:1", "[2002:db8:2::ffff]:2", 0xa62b_0a42),
        ("[2001:db8:1:ff00::1]:1", "[2001:db8:1:aa00::ff]:2", 0x418d_43f5),
        ("[2001:db8:1:1::ff]:1", "[2001:db8:1:2::ff]:2", 0xfcb0_85c5),
        ("[2001:db8:1:1::1]:1", "[2001:db8:1:1::2]:2", 0x48ea_609b),
        // One address: the ports, 1ae1 c8d5.
        ("10.0.0.1:51413", "10.0.0.1:6881", 0x9f85_2e9f),
        ("[2001:db8::1]:51413", "[2001:db8::1]:6881", 0x9f85_2e9f),
        // An IPv4 address in IPv6 clothes is the same address.
        ("[::ffff:123.213.32.10]:1", "98.76.54.32:2", 0xec2d_7224),
        ("[::ffff:10.0.0.1]:51413", "10.0.0.1:6881", 0x9f85_2e9f),
    ];
    for (us, them, expected) in table {
        let both = [(us, them), (them, us)].map(|(a, b)| priority(addr(a), addr(b)));
        assert_eq!(both, [Some(expected); 2], "{us} and {them}: {both:x?}");
    }
}

#[test]
fn what_the_mask_hides_changes_nothing_and_the_next_bit_does() {
    let of = |them: &str| priority(addr("123.213.32.10:1"), addr(them)).expect("one family");
    assert_eq!(of("98.76.54.32:2"), of("98.76.22.32:9"), "bit 5 of the third byte, and the port");
    assert_ne!(of("98.76.54.32:2"), of("98.76.50.32:2"), "bit 2 of the third byte");
}

#[test]
fn two_families_are_no_two_ends() {
    assert_eq!(priority(addr("10.0.0.1:1"), addr("[2001:db8::1]:1")), None);
}
