//! The peer protocol as bytes: the handshake, the table of messages, and the dumps.

use swarmlet::base::{Claim, InfoHash, PeerId};
use swarmlet::wire::handshake::{DHT, EXTENSION_PROTOCOL, FAST, UPGRADE_TO_V2, begins_well};
use swarmlet::wire::message::{TABLE, check_len, piece_head};
use swarmlet::wire::{Handshake, Link, Message, Violation};

#[path = "../dump/mod.rs"]
mod dump;

fn handshake() -> Handshake {
    let peer_id = PeerId(*b"-ZZ0000-abcdefghijkl");
    Handshake::new(InfoHash(*b"01234567890123456789"), peer_id)
}

#[test]
fn each_dump_is_read_as_its_comments_say() {
    for dump in dump::all() {
        let (mut link, mut ear) = (Link::new(), dump::Ear::default());
        let result = ear.feed(&mut link, dump.piece_count, &dump.bytes);
        assert_eq!(ear.frames, dump.frames, "{}", dump.name);
        let violation = result.err().map(|violation| violation.to_string());
        assert_eq!(violation, dump.violation, "{}", dump.name);
        assert_eq!(dump.name.starts_with("bad-"), dump.violation.is_some(), "{}", dump.name);
    }
}

#[test]
fn a_handshake_is_68_bytes_and_comes_back_the_same() {
    let mut bytes = Vec::new();
    handshake().write(&mut bytes);
    let expected =
        b"\x13BitTorrent protocol\0\0\0\0\0\0\0\x0001234567890123456789-ZZ0000-abcdefghijkl";
    assert_eq!(bytes, expected);
    let bytes = bytes.as_slice().try_into().expect("68 bytes");
    assert_eq!(Handshake::parse(bytes), Ok(handshake()));
}

#[test]
fn reserved_bits_are_found_by_name() {
    let bits = [EXTENSION_PROTOCOL, FAST, DHT, UPGRADE_TO_V2];
    // Reserved bytes, and which of the four bits they set.
    let table = [
        ([0, 0, 0, 0, 0, 0, 0, 0], [false, false, false, false]),
        ([0, 0, 0, 0, 0, 0x10, 0, 0], [true, false, false, false]),
        ([0, 0, 0, 0, 0, 0, 0, 0x04], [false, true, false, false]),
        ([0, 0, 0, 0, 0, 0, 0, 0x01], [false, false, true, false]),
        ([0, 0, 0, 0, 0, 0, 0, 0x10], [false, false, false, true]),
        ([0xff; 8], [true; 4]),
        ([0xff, 0xff, 0xff, 0xff, 0xff, 0xef, 0xff, 0xea], [false; 4]),
    ];
    for (reserved, expected) in table {
        let said = Handshake { reserved, ..handshake() };
        assert_eq!(bits.map(|bit| said.has(bit)), expected, "{reserved:02x?}");
    }
}

#[test]
fn every_wrong_bit_in_the_protocol_name_is_seen_at_once() {
    let mut bytes = Vec::new();
    handshake().write(&mut bytes);
    for bit in 0..20 * 8 {
        let mut wrong = bytes.clone();
        wrong[bit / 8] ^= 0x80 >> (bit % 8);
        let whole = wrong.as_slice().try_into().expect("68 bytes");
        assert_eq!(Handshake::parse(whole), Err(Violation::NotBitTorrent));
        assert!(!begins_well(&wrong[..=bit / 8]));
        assert!(begins_well(&wrong[..bit / 8]));
    }
}

#[test]
fn messages_are_written_as_beps_3_6_and_10_say_and_read_back() {
    let claim = Claim { piece: 1, begin: 0x4000, len: 0x2000 };
    let extended = Message::Extended { id: 3, payload: b"de".to_vec() };
    let table: [(Message, &str); 17] = [
        (Message::KeepAlive, "00000000"),
        (Message::Choke, "00000001 00"),
        (Message::Unchoke, "00000001 01"),
        (Message::Interested, "00000001 02"),
        (Message::NotInterested, "00000001 03"),
        (Message::Have(0x0102_0304), "00000005 04 01020304"),
        (Message::Bitfield(vec![0xf0, 0x80]), "00000003 05 f080"),
        (Message::Request(claim), "0000000d 06 00000001 00004000 00002000"),
        (Message::Cancel(claim), "0000000d 08 00000001 00004000 00002000"),
        (Message::Port(6881), "00000003 09 1ae1"),
        (Message::Suggest(7), "00000005 0d 00000007"),
        (Message::HaveAll, "00000001 0e"),
        (Message::HaveNone, "00000001 0f"),
        (Message::Reject(claim), "0000000d 10 00000001 00004000 00002000"),
        (Message::AllowedFast(1059), "00000005 11 00000423"),
        (extended, "00000004 14 03 6465"),
        (Message::Unknown(21), "00000001 15"),
    ];
    for (message, hex) in table {
        let mut bytes = vec![0xaa];
        message.write(&mut bytes);
        assert_eq!(bytes[1..], dump::hex(hex), "{message:?}");
        assert_eq!(bytes[0], 0xaa, "write appends");
        if let Some(id) = message.id() {
            assert_eq!(id, bytes[5]);
            assert_eq!(Message::parse(id, &bytes[6..]), Ok(message));
        }
    }
}

#[test]
fn the_head_of_a_block_counts_what_follows() {
    let head = piece_head(Claim { piece: 1, begin: 2, len: 0x4000 });
    assert_eq!(head.to_vec(), dump::hex("00004009 07 00000001 00000002"));
}

#[test]
fn the_table_has_a_row_for_each_id_that_we_know() {
    let names: Vec<&str> = TABLE.iter().map(|row| row.name).collect();
    let expected = "choke, unchoke, interested, not interested, have, bitfield, request, piece, cancel, port, \
         suggest piece, have all, have none, reject request, allowed fast, extended";
    assert_eq!(names.join(", "), expected);
    let ids: Vec<u8> = TABLE.iter().map(|row| row.id).collect();
    assert_eq!(ids, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 14, 15, 16, 17, 20]);
}

#[test]
fn each_length_is_allowed_exactly_where_the_table_says() {
    // Id, number of pieces, the lengths that pass; each neighbour of a bound is tried, too.
    let table: [(u8, Option<u32>, std::ops::RangeInclusive<u32>); 20] = [
        (0, Some(10), 1..=1),
        (1, Some(10), 1..=1),
        (2, Some(10), 1..=1),
        (3, Some(10), 1..=1),
        (4, Some(10), 5..=5),
        (5, Some(10), 3..=3),
        (5, Some(16), 3..=3),
        (5, Some(17), 4..=4),
        (5, None, 2..=262_145),
        (6, None, 13..=13),
        (7, Some(10), 10..=131_081),
        (8, Some(10), 13..=13),
        (9, Some(10), 3..=3),
        (10, Some(10), 1..=65_536),
        (13, None, 5..=5),
        (14, None, 1..=1),
        (15, None, 1..=1),
        (16, None, 13..=13),
        (17, None, 5..=5),
        (20, None, 2..=32_770),
    ];
    for (id, piece_count, allowed) in table {
        let (first, last) = (*allowed.start(), *allowed.end());
        for len in [1, first.max(2) - 1, first, last, last + 1, 16_393, 1 << 31, u32::MAX] {
            let fits = check_len(id, len, piece_count).is_ok();
            assert_eq!(fits, allowed.contains(&len), "id {id}, length {len}, {piece_count:?}");
        }
    }
    assert_eq!(check_len(7, 9, None), Err(Violation::BadLength { id: 7, len: 9 }));
    assert_eq!(check_len(21, 65_537, None), Err(Violation::TooLong { id: 21, len: 65_537 }));
}

#[test]
fn a_payload_of_every_other_length_is_refused() {
    for (id, right) in [
        (0, 0),
        (1, 0),
        (2, 0),
        (3, 0),
        (4, 4),
        (6, 12),
        (8, 12),
        (9, 2),
        (13, 4),
        (14, 0),
        (15, 0),
        (16, 12),
        (17, 4),
    ] {
        for len in 0..40_usize {
            let read = Message::parse(id, &vec![0; len]);
            assert_eq!(read.is_ok(), len == right, "id {id}, payload of {len}");
        }
    }
}

#[test]
fn violations_say_what_happened_in_a_few_words() {
    let table = [
        (Violation::NotBitTorrent, "does not speak BitTorrent"),
        (Violation::BadLength { id: 6, len: 12 }, "request message of length 12"),
        (Violation::TooLong { id: 21, len: 70_000 }, "unknown message 21 of length 70000"),
        (Violation::BadBitfield, "a bitfield that does not fit the torrent"),
        (Violation::BadHave { piece: 9 }, "has piece 9, which does not exist"),
        (Violation::TooManyRequests, "too many requests at a time"),
        (Violation::TooManyBadRequests, "too many impossible requests"),
        (Violation::TooMuchExchange, "tells of other peers without end"),
        (Violation::TooMuchWaste, "too many blocks that nobody asked for"),
    ];
    for (violation, text) in table {
        assert_eq!(violation.to_string(), text);
    }
}
