//! Bad inputs to a whole engine, byte by byte: each closes its connection or changes nothing, at
//! the price that `base/limits.rs` names, and nobody else notices.

use std::net::SocketAddr;

use swarmlet::base::Span;
use swarmlet::base::limits::{
    ANNOUNCE_INTERVAL_MAX, ANNOUNCE_TIMEOUT, BAD_REQUESTS_MAX, EXTENDED_BYTES_MAX,
    FAREWELL_TIMEOUT, REQUESTS_QUEUED_MAX, SEND_STALL_MAX, UNKNOWN_MESSAGE_BYTES_MAX,
    WASTE_BYTES_MAX,
};
use swarmlet::engine::Event;
use swarmlet::wire::Message;

use crate::bench::{BLOCK, Bench, Heard, PIECE, PIECES, claim, greeting, have_all, raw};

const MILLISECOND: Span = Span::from_millis(1);

// ── Handshakes ──────────────────────────────────────────────────────────────────────────────

#[test]
fn row_54_who_speaks_something_else_is_closed_at_the_first_wrong_byte() {
    for bytes in [&[255][..], b"\x12BitTorrent", b"\x13BitTorrent protocoX", b"GET / HTTP/1.1\r\n"]
    {
        let mut bench = Bench::seed();
        let conn = bench.accept();
        bench.say(conn, bytes);
        assert!(bench.end_of(conn).contains("BitTorrent"), "{}", bench.end_of(conn));
        assert_eq!(bench.peers[&conn].heard, [], "{}", bytes.escape_ascii());
    }
}

/// An encrypted handshake begins with a public key of 96 bytes and up to 512 of noise. Nobody speaks
/// that here yet: whatever the key is, nothing is computed with it, and nothing waits for its end.
#[test]
fn row_68_an_encrypted_handshake_is_closed_at_the_first_byte_that_is_none_of_ours() {
    let zero = [0; 96];
    let one = [&[0; 95][..], &[1]].concat();
    // As the prime of that exchange does, it begins with eight bytes of ones and ends in 0x62.
    let prime_less_one = [&[0xff; 8][..], &[0xc9; 87], &[0x62]].concat();
    let lucky = [b"\x13BitTorrent", &[0xab; 85][..]].concat();
    let with_noise = [&zero[..], &[0x55; 513]].concat();
    for (key, wrong_at) in
        [(&zero[..], 0), (&one, 0), (&prime_less_one, 0), (&lucky, 11), (&with_noise, 0)]
    {
        let mut bench = Bench::seed();
        let conn = bench.accept();
        bench.say(conn, &key[..wrong_at]);
        assert!(bench.is_open(conn), "so far it may be one of ours");
        bench.say(conn, &key[wrong_at..=wrong_at]);
        assert!(bench.end_of(conn).contains("BitTorrent"), "{}", bench.end_of(conn));
        assert_eq!(bench.peers[&conn].heard, []);
    }
}

#[test]
fn row_54_who_asks_for_an_unknown_torrent_learns_nothing() {
    let mut bench = Bench::seed();
    let conn = bench.accept();
    let mut bytes = greeting(conn);
    bytes[28] ^= 1;
    bench.say(conn, &bytes);
    assert_eq!(bench.end_of(conn), "a torrent that we do not have");
    assert_eq!(bench.peers[&conn].heard, []);
}

#[test]
fn row_54_silence_is_waited_for_ten_seconds_and_no_longer() {
    let mut bench = Bench::seed();
    let hello = greeting(bench.accept());
    let crowd: Vec<_> = (0..20).map(|_| bench.accept()).collect();
    for (said, &conn) in crowd.iter().enumerate() {
        bench.say(conn, &hello[..said * 3]);
    }
    bench.pass(Span::from_secs(10) - MILLISECOND);
    // Another byte buys no more time.
    for (said, &conn) in crowd.iter().enumerate() {
        assert!(bench.is_open(conn));
        bench.say(conn, &hello[said * 3..=said * 3]);
    }
    bench.pass(MILLISECOND);
    assert!(crowd.iter().all(|&conn| bench.end_of(conn) == "no handshake in time"));
}

// ── Messages that end a connection ──────────────────────────────────────────────────────────

#[test]
fn rows_55_to_59_what_breaks_a_rule_ends_one_connection_and_no_other() {
    let table: Vec<(&str, Vec<u8>)> = vec![
        ("row 55: the longest length", raw(u32::MAX, 5, &[])),
        ("row 55: a mebibyte and a byte", raw(0x0010_0001, 4, &[])),
        ("row 55: request of 12", raw(12, 6, &[])),
        ("row 55: request of 14", raw(14, 6, &[])),
        ("row 55: have of 4", raw(4, 4, &[])),
        ("row 55: choke of 2", raw(2, 0, &[])),
        ("row 56: piece of 1", raw(1, 7, &[])),
        ("row 56: piece of 8", raw(8, 7, &[])),
        ("row 56: piece of more than we ever ask for", raw(9 + 131_073, 7, &[])),
        ("row 57: have of the first piece too many", raw(5, 4, &PIECES.to_be_bytes())),
        ("row 57: have of the last number", raw(5, 4, &[0xff; 4])),
        ("row 58: a bitfield one byte short", raw(2, 5, &[])),
        ("row 58: a bitfield one byte long", raw(4, 5, &[])),
        ("row 58: a spare bit", raw(3, 5, &[0, 0x20])),
        ("row 59: a bitfield of a gibibyte", raw(1 << 30, 5, &[])),
    ];
    for (name, bytes) in table {
        let mut bench = Bench::seed();
        let (neighbour, conn) = (bench.greeted(), bench.greeted());
        // In one go, and byte by byte: not one byte beyond the offence is waited for.
        let (last, before) = bytes.split_last().expect("some bytes");
        before.iter().for_each(|&byte| bench.say(conn, &[byte]));
        assert!(bench.is_open(conn), "{name}: too early: {}", bench.end_of(conn));
        assert!(bench.peers[&conn].link.memory_bytes() <= 68, "{name}");
        bench.say(conn, &[*last]);
        assert!(!bench.is_open(conn), "{name}: still open");
        let other = bench.greeted();
        bench.say(other, &bytes);
        assert!(!bench.is_open(other), "{name}: still open");
        bench.say_all(neighbour, &[Message::Interested]);
        bench.say_all(neighbour, &[Message::Request(claim(0, 0, BLOCK))]);
        assert_eq!(bench.blocks(neighbour), 1, "{name}: the neighbour is served");
    }
}

#[test]
fn row_58_a_bitfield_may_come_late_and_again_and_takes_nothing_back() {
    let mut bench = Bench::leecher();
    let conn = bench.greeted();
    bench.say_all(conn, &[Message::Have(9), Message::Have(3), Message::Unchoke]);
    let before = bench.requests(conn);
    assert!(!before.is_empty() && before.iter().all(|asked| [3, 9].contains(&asked.piece)));
    bench.say_all(conn, &[Message::Bitfield(vec![0x80, 0])]);
    assert!(bench.is_open(conn));
    // The bench recounts who has what after each of these; shorter ones take nothing back.
    let fields = [vec![0xff, 0xc0], vec![0, 0], vec![0x0f, 0x40], vec![0xff, 0xc0]];
    for field in fields {
        bench.say_all(conn, &[Message::Bitfield(field.clone()), Message::Bitfield(field)]);
        assert!(bench.is_open(conn), "{}", bench.end_of(conn));
    }
    let mut given = Vec::new();
    while let Some(next) = bench.requests(conn).into_iter().find(|asked| !given.contains(asked)) {
        bench.give(conn, next, false);
        given.push(next);
    }
    assert!(bench.disk == bench.source, "it is fetched as from anybody");
}

// ── Requests ────────────────────────────────────────────────────────────────────────────────

#[test]
fn row_60_impossible_requests_are_ignored_up_to_a_budget() {
    let table = [
        claim(0, 0xffff_c000, 0x4000), // begin and length wrap around 2^32
        claim(PIECES, 0, BLOCK),
        claim(u32::MAX, 0, BLOCK),
        claim(u32::MAX, u32::MAX, u32::MAX),
        claim(0, 0, 0),
        claim(0, 0, 131_073),
        claim(0, PIECE - 1, 2),
        claim(0, PIECE, 1),
    ];
    let mut bench = Bench::seed();
    let conn = bench.greeted();
    bench.say_all(conn, &[Message::Interested]);
    assert!(bench.has_said(conn, &Message::Unchoke));
    for count in 0..BAD_REQUESTS_MAX {
        let bad = table[count as usize % table.len()];
        bench.say_all(conn, &[Message::Request(bad), Message::Cancel(bad)]);
        assert!(bench.is_open(conn), "{bad:?}");
    }
    bench.say_all(conn, &[Message::Request(claim(0, PIECE - 1, 1))]);
    assert_eq!(bench.blocks(conn), 1, "only the one that is possible");
    bench.say_all(conn, &[Message::Request(table[0])]);
    assert!(!bench.is_open(conn), "the budget is spent");
}

#[test]
fn row_60_pieces_that_we_lack_and_requests_while_choked_are_not_answered() {
    let mut bench = Bench::leecher();
    let conn = bench.greeted();
    bench.say_all(conn, &[Message::Interested]);
    let lacked = Message::Request(claim(0, 0, BLOCK));
    for _ in 0..BAD_REQUESTS_MAX {
        bench.say_all(conn, std::slice::from_ref(&lacked));
    }
    assert!(bench.is_open(conn));
    bench.say_all(conn, &[lacked]);
    assert!(!bench.is_open(conn));
    assert_eq!(bench.blocks(conn), 0);

    let mut bench = Bench::seed();
    let conn = bench.greeted();
    // Never interested, hence never unchoked.
    let good = Message::Request(claim(0, 0, BLOCK));
    bench.say_all(conn, &vec![good.clone(); REQUESTS_QUEUED_MAX]);
    assert!(bench.is_open(conn));
    bench.say_all(conn, &[good]);
    assert!(!bench.is_open(conn));
    assert_eq!(bench.blocks(conn), 0);
}

#[test]
fn row_62_three_thousand_requests_without_reading_end_the_connection() {
    let mut bench = Bench::seed();
    let conn = bench.greeted();
    bench.say_all(conn, &[Message::Interested]);
    bench.peers.get_mut(&conn).expect("there").is_deaf = true;
    let flood: Vec<Message> =
        (0..3_000).map(|n| Message::Request(claim(n % PIECES, 0, BLOCK))).collect();
    bench.say_all(conn, &flood);
    assert!(!bench.is_open(conn));
    assert_eq!(bench.peers[&conn].link.waiting(), REQUESTS_QUEUED_MAX, "and no more was queued");
}

#[test]
fn row_62_who_takes_nothing_of_what_it_asked_for_goes_after_a_minute() {
    let mut bench = Bench::seed();
    let conn = bench.greeted();
    bench.say_all(conn, &[Message::Interested]);
    bench.peers.get_mut(&conn).expect("there").is_deaf = true;
    bench.say_all(conn, &vec![Message::Request(claim(0, 0, BLOCK)); REQUESTS_QUEUED_MAX]);
    // It lives, as far as one can hear; that is no progress.
    for _ in 0..5 {
        bench.pass(Span::from_secs(10));
        bench.say_all(conn, &[Message::KeepAlive]);
    }
    bench.pass(Span::from_secs(9));
    assert!(bench.is_open(conn), "{}", bench.end_of(conn));
    bench.pass(Span::from_secs(2));
    assert_eq!(bench.end_of(conn), "takes nothing of what it asked for");
}

#[test]
fn row_62_cancelling_what_was_never_asked_for_makes_no_room_in_the_queue() {
    let mut bench = Bench::seed();
    let conn = bench.greeted();
    bench.say_all(conn, &[Message::Interested]);
    bench.peers.get_mut(&conn).expect("there").is_deaf = true;
    for _ in 0..3_000 {
        let request = Message::Request(claim(0, 0, BLOCK));
        bench.say_all(conn, &[request, Message::Cancel(claim(1, 0, BLOCK))]);
    }
    let waiting = bench.peers[&conn].link.waiting();
    assert!(waiting <= REQUESTS_QUEUED_MAX, "{waiting} blocks are queued");
    assert!(!bench.is_open(conn));
}

#[test]
fn row_62_who_cancels_what_it_asked_for_and_waits_is_no_one_who_does_not_read() {
    let mut bench = Bench::seed();
    let conn = bench.greeted();
    bench.say_all(conn, &[Message::Interested]);
    bench.peers.get_mut(&conn).expect("there").is_deaf = true;
    let asked: Vec<_> = (0..PIECES).map(|piece| claim(piece, 0, BLOCK)).collect();
    let messages: Vec<Message> = asked.iter().copied().map(Message::Request).collect();
    bench.say_all(conn, &messages);
    let messages: Vec<Message> = asked.into_iter().map(Message::Cancel).collect();
    bench.say_all(conn, &messages);
    assert_eq!(bench.peers[&conn].link.waiting(), 0);
    bench.pass(SEND_STALL_MAX + SEND_STALL_MAX);
    assert!(bench.is_open(conn), "{}", bench.end_of(conn));
}

// ── Payload ─────────────────────────────────────────────────────────────────────────────────

#[test]
fn row_61_blocks_that_nobody_asked_for_are_waste_and_end_the_connection_in_bulk() {
    let mut bench = Bench::leecher();
    let conn = bench.greeted();
    // Never asked: it chokes us. Nor could we have asked for the last three.
    let unasked = [
        claim(0, 0, BLOCK),
        claim(1, BLOCK, BLOCK),
        claim(2, 1, BLOCK),
        claim(3, 0, BLOCK - 1),
        claim(4, 0, 1),
    ];
    for claim in unasked {
        bench.give(conn, claim, false);
    }
    let nowhere = [&[0xff; 8][..], &[7; 100]].concat();
    bench.say(conn, &raw(9 + 100, 7, &nowhere));
    assert!(bench.is_open(conn));
    assert!(bench.disk.iter().all(|&byte| byte == 0), "nothing of it is written");

    let wasted: u64 = unasked.iter().map(|claim| u64::from(claim.len)).sum::<u64>() + 100;
    let more = (WASTE_BYTES_MAX - wasted) / u64::from(BLOCK);
    for _ in 0..more {
        bench.give(conn, claim(0, 0, BLOCK), false);
    }
    assert!(bench.is_open(conn), "{}", bench.end_of(conn));
    bench.give(conn, claim(0, 0, BLOCK), false);
    assert!(!bench.is_open(conn));
    assert!(bench.disk.iter().all(|&byte| byte == 0));
    let status = bench.engine.status(bench.now, bench.torrent).expect("it is there");
    assert_eq!(status.downloaded, 0, "waste is no download");
}

#[test]
fn row_61_a_block_that_comes_twice_or_is_here_already_changes_nothing() {
    let mut bench = Bench::leecher();
    let conn = bench.greeted();
    bench.say_all(conn, &[have_all(), Message::Unchoke]);
    let first = bench.requests(conn)[0];
    bench.give(conn, first, false);
    let disk = bench.disk.clone();
    // Twice, the second time with a wrong byte; then the rest, and again with a wrong byte.
    bench.give(conn, first, true);
    assert_eq!(bench.disk, disk);
    let mut given = vec![first];
    while let Some(&next) = bench.requests(conn).iter().find(|asked| !given.contains(asked)) {
        bench.give(conn, next, false);
        given.push(next);
    }
    assert!(bench.disk == bench.source, "it is whole");
    bench.give(conn, first, true);
    assert!(bench.disk == bench.source);
    let mut events = bench.events.iter();
    assert!(!events.any(|event| matches!(event, Event::PieceFailed { .. })));
}

#[test]
fn row_61_an_unasked_block_in_parts_is_waste_from_the_first_part_to_the_last() {
    let mut bench = Bench::leecher();
    let (honest, liar) = (bench.greeted(), bench.greeted());
    bench.say_all(honest, &[have_all(), Message::Unchoke]);
    let asked = bench.requests(honest)[0];
    // The honest one is in the middle of a block when the liar sends the same one, in parts.
    let mut bytes = swarmlet::wire::message::piece_head(asked).to_vec();
    let place = (asked.piece * PIECE + asked.begin) as usize;
    bytes.extend(&bench.source[place..place + BLOCK as usize]);
    bench.say(honest, &bytes[..5_000]);
    let lies = [&bytes[..13], &[0xee; BLOCK as usize]].concat();
    lies.chunks(1_000).for_each(|part| bench.say(liar, part));
    bench.say(honest, &bytes[5_000..]);
    let got = &bench.disk[place..place + BLOCK as usize];
    assert!(got == &bench.source[place..place + BLOCK as usize], "the lies were written");
}

#[test]
fn row_61_a_block_that_we_took_back_may_come_late_but_once() {
    let mut bench = Bench::leecher();
    let (honest, liar) = (bench.greeted(), bench.greeted());
    bench.say_all(liar, &[Message::Bitfield(vec![0x80, 0]), Message::Unchoke]);
    assert_eq!(bench.requests(liar).len(), 2);
    // It chokes us; somebody else gives us the piece.
    bench.say_all(liar, &[Message::Choke]);
    bench.say_all(honest, &[Message::Bitfield(vec![0x80, 0]), Message::Unchoke]);
    for block in bench.requests(honest) {
        bench.give(honest, block, false);
    }
    let budget = WASTE_BYTES_MAX / u64::from(BLOCK);
    for _ in 0..=budget {
        assert!(bench.is_open(liar), "{}", bench.end_of(liar));
        bench.give(liar, claim(0, 0, BLOCK), false);
    }
    bench.give(liar, claim(0, 0, BLOCK), false);
    assert!(!bench.is_open(liar), "it was late once and waste ever after");
}

#[test]
fn row_69_a_piece_spoilt_by_one_of_two_is_fetched_from_one_alone_and_only_proof_bans() {
    let mut bench = Bench::leecher();
    let (honest, liar) = (bench.greeted(), bench.greeted());
    // The liar begins the piece, spoils a block, and leaves the other one to the honest peer.
    bench.say_all(honest, &[Message::Bitfield(vec![0x80, 0])]);
    bench.say_all(liar, &[Message::Bitfield(vec![0x80, 0]), Message::Unchoke]);
    let (first, second) = (claim(0, 0, BLOCK), claim(0, BLOCK, BLOCK));
    assert_eq!(bench.requests(liar), [first, second]);
    bench.give(liar, first, true);
    bench.say_all(liar, &[Message::Choke]);
    bench.say_all(honest, &[Message::Unchoke]);
    assert_eq!(bench.requests(honest), [second]);
    bench.say_all(liar, &[Message::Unchoke]);
    let before = [bench.requests(honest).len(), bench.requests(liar).len()];
    bench.give(honest, second, false);
    let failed = |bench: &Bench| {
        let mut events = bench.events.iter();
        events.any(|event| matches!(event, Event::PieceFailed { .. }))
    };
    let banned = |bench: &Bench| -> Vec<SocketAddr> {
        let banned = bench.events.iter().filter_map(|event| match event {
            Event::Banned { addr, .. } => Some(*addr),
            _another => None,
        });
        banned.collect()
    };
    assert!(failed(&bench));
    assert_eq!(banned(&bench), [], "two gave it: nobody is convicted yet");
    assert!(bench.is_open(honest) && bench.is_open(liar));
    // From one alone: both blocks are asked of the same peer, none of the other.
    let news: Vec<_> = [(honest, before[0]), (liar, before[1])]
        .into_iter()
        .map(|(conn, before)| (conn, bench.requests(conn)[before..].to_vec()))
        .filter(|(_, asked)| !asked.is_empty())
        .collect();
    let [(chosen, asked)] = &news[..] else { panic!("asked of {news:?}") };
    assert_eq!(asked.len(), 2, "{asked:?}");
    for &block in asked {
        bench.give(*chosen, block, *chosen == liar);
    }
    if *chosen == liar {
        // It gave the whole bad piece alone: that is proof, too. The honest one mends it.
        for block in [first, second] {
            bench.give(honest, block, false);
        }
    }
    assert_eq!(banned(&bench), [bench.peers[&liar].addr]);
    assert!(bench.is_open(honest) && !bench.is_open(liar));
    assert!(bench.disk[..PIECE as usize] == bench.source[..PIECE as usize]);
}

// ── Words that we do not know ───────────────────────────────────────────────────────────────

#[test]
fn rows_63_64_67_unknown_bits_and_ids_are_stepped_over_within_the_size_cap() {
    let mut bench = Bench::seed();
    let conn = bench.accept();
    let mut hello = greeting(conn);
    hello[20..28].fill(0xff);
    bench.say(conn, &hello);
    let extended: [&[u8]; 5] =
        [b"\0le", b"\0d1:md11:ut_metadatai300eee", b"\x03d8:msg_typei1ee", b"\0", &[0xff; 60_000]];
    for payload in extended {
        let len = u32::try_from(payload.len() + 1).expect("short");
        for id in [20, 21, 22, 23, 10, 11, 12, 18, 19, 255] {
            if id == 20 && payload.len() > EXTENDED_BYTES_MAX as usize {
                continue;
            }
            let payload = if id == 20 { &[&[0], payload].concat() } else { payload };
            let len = len + u32::from(id == 20);
            bench.say(conn, &raw(len, id, payload));
            assert!(bench.is_open(conn), "id {id}: {}", bench.end_of(conn));
            assert!(bench.peers[&conn].link.memory_bytes() <= 68);
        }
    }
    bench.say_all(conn, &[Message::Port(0), Message::Interested]);
    bench.say_all(conn, &[Message::Request(claim(0, 0, BLOCK))]);
    assert_eq!(bench.blocks(conn), 1, "it is served like anybody");
    // Nor did we say a word that it could not know.
    let heard = &bench.peers[&conn].heard;
    assert!(!heard.iter().any(|heard| matches!(heard, Heard::Said(Message::Unknown(_)))));
    bench.say(conn, &raw(UNKNOWN_MESSAGE_BYTES_MAX + 1, 21, &[]));
    assert!(!bench.is_open(conn));
    let other = bench.greeted();
    bench.say(other, &raw(EXTENDED_BYTES_MAX + 3, 20, &[]));
    assert!(!bench.is_open(other), "a name of a megabyte is not waited for");
}

// ── Trackers ────────────────────────────────────────────────────────────────────────────────

const URL: &str = "http://t.example/announce";

/// Asks the tracker once, answers, and says after how many seconds it is asked again.
fn wait_after(body: &[u8]) -> (Vec<Event>, u64) {
    let mut bench = Bench::new(true, &[URL]);
    assert_eq!(bench.asked, [(0, ANNOUNCE_TIMEOUT)], "asked at once");
    bench.answer(body);
    let mut secs = 0;
    while bench.asked.is_empty() {
        bench.pass(Span::from_secs(1));
        secs += 1;
        assert!(secs <= ANNOUNCE_INTERVAL_MAX.as_secs(), "never asked again");
    }
    assert_eq!(bench.dialled, [], "nobody to call was named");
    (bench.events, secs)
}

#[test]
fn rows_41_and_43_an_answer_that_is_none_is_an_error_and_the_tracker_rests() {
    // A number beyond 64 bits makes the answer none, like any other that overflows (row 4): what
    // else such a tracker says is worth no more, and the wait is that of a tracker that fails.
    let table: [&[u8]; 6] = [
        b"<html><body>It works!</body></html>",
        b"",
        b"le",
        b"d8:interval",
        b"d8:intervali9223372036854775808e5:peers6:\x0a\x00\x00\x01\x1a\xe1e",
        b"d8:intervali-9223372036854775809e5:peers6:\x0a\x00\x00\x01\x1a\xe1e",
    ];
    for body in table {
        let (events, secs) = wait_after(body);
        let mut told = events.iter().filter_map(|event| match event {
            Event::TrackerFailed { reason, .. } => Some(reason.as_str()),
            _another => None,
        });
        let told = told.next().expect("a reason is told");
        assert!(told.starts_with("the answer is not a tracker's: "), "{told}");
        assert!((5..=60).contains(&secs), "asked again after {secs} s: {}", body.escape_ascii());
    }
}

#[test]
fn rows_42_and_43_intervals_are_believed_within_bounds() {
    let table: [(&[u8], u64); 7] = [
        (b"d8:intervali-1ee", 300),
        (b"d8:intervali0ee", 300),
        (b"d8:intervali9223372036854775807ee", 86_400),
        (b"d8:interval4:oncee", 1_800),
        (b"de", 1_800),
        (b"d8:intervali900e5:peers7:aaaaaaae", 900),
        (b"d8:intervali900e6:peers619:aaaaaaaaaaaaaaaaaaae", 900),
    ];
    for (body, expected) in table {
        let (events, secs) = wait_after(body);
        assert!(events.iter().any(|event| matches!(event, Event::TrackerOk { peers: 0, .. })));
        // A second for rounding, and a tenth for spreading.
        let bounds = expected - 1..=expected + expected / 10 + 1;
        assert!(bounds.contains(&secs), "{}: {secs} s", body.escape_ascii());
    }
}

#[test]
fn row_51_every_announce_has_its_time_and_the_farewell_less() {
    let mut bench = Bench::new(true, &[URL]);
    assert_eq!(bench.asked, [(0, ANNOUNCE_TIMEOUT)]);
    assert_eq!(ANNOUNCE_TIMEOUT, Span::from_secs(30));
    bench.answer(b"d8:intervali1800ee");
    bench.stop();
    assert_eq!(bench.asked, [(0, FAREWELL_TIMEOUT)]);
    assert!(FAREWELL_TIMEOUT <= Span::from_secs(5));
}

#[test]
fn row_52_of_a_list_of_peers_each_somebody_is_called_once_and_we_are_called_once_for_ever() {
    let mut bench = Bench::new(false, &[URL]);
    let own = [10, 9, 9, 9, 0x1a, 0xe1];
    let mut peers = own.to_vec();
    for nobody in [[10, 0, 0, 9, 0, 0], [0, 0, 0, 0, 0x1a, 0xe1], [224, 0, 0, 1, 0x1a, 0xe1]] {
        peers.extend(nobody);
    }
    // A tracker out in the world has no business to send us to ourselves.
    peers.extend([127, 0, 0, 1, 0x1a, 0xe1]);
    peers.extend([10, 8, 8, 8, 0x1a, 0xe1].repeat(10_000));
    let mut body = format!("d8:intervali300e5:peers{}:", peers.len()).into_bytes();
    body.extend(&peers);
    body.push(b'e');
    bench.answer(&body);
    bench.pass(Span::from_secs(5));
    let (us, other) = (SocketAddr::from((own_ip(), 6881)), SocketAddr::from(([10, 8, 8, 8], 6881)));
    assert_eq!(bench.dialled, [us, other]);
    // We answer ourselves.
    let conn = bench.pick_up(us);
    let mut hello = greeting(conn);
    hello[48..].copy_from_slice(&bench.engine.peer_id().0);
    bench.say(conn, &hello);
    assert_eq!(bench.end_of(conn), "it is ourselves");
    let friend = bench.pick_up(other);
    let hello = greeting(friend);
    bench.say(friend, &hello);
    // The tracker keeps naming us; we have learnt.
    for _ in 0..20 {
        bench.say_all(friend, &[Message::KeepAlive]);
        bench.pass(Span::from_secs(100));
        if !bench.asked.is_empty() {
            bench.answer(&body);
        }
    }
    assert_eq!(bench.dialled, [us, other]);
}

/// We have dialled somebody of whom a tracker told.
fn dialled() -> (Bench, SocketAddr) {
    let mut bench = Bench::new(false, &[URL]);
    bench.answer(b"d8:intervali300e5:peers6:\x0a\x08\x08\x08\x1a\xe1e");
    bench.pass(Span::from_secs(1));
    let addr = SocketAddr::from(([10, 8, 8, 8], 6881));
    assert_eq!(bench.dialled, [addr]);
    (bench, addr)
}

#[test]
fn of_two_calls_that_crossed_the_one_of_the_smaller_peer_id_stays() {
    let (mut bench, addr) = dialled();
    let theirs = bench.greeted();
    let ours = bench.pick_up(addr);
    let hello = greeting(theirs);
    bench.pass(Span::from_secs(5));
    bench.say(ours, &hello);
    assert!(bench.engine.peer_id().0[..] < hello[48..], "so our call counts");
    assert_eq!(bench.end_of(theirs), "already connected");
    assert!(bench.is_open(ours));
}

#[test]
fn a_settled_connection_outlives_a_call_of_ours_to_the_same_peer() {
    // Others answer such a call and hang up, for they have one. Then there would be none.
    let (mut bench, addr) = dialled();
    let theirs = bench.greeted();
    let ours = bench.pick_up(addr);
    let hello = greeting(theirs);
    bench.pass(Span::from_secs(6));
    bench.say(ours, &hello);
    assert_eq!(bench.end_of(ours), "already connected");
    assert!(bench.is_open(theirs));
}

#[test]
fn a_stranger_who_says_the_id_of_a_peer_does_not_end_its_connection() {
    let (mut bench, addr) = dialled();
    let friend = bench.pick_up(addr);
    let mut hello = greeting(friend);
    // The smallest there is: of two that crossed, its call would count.
    hello[48..].fill(0);
    bench.say(friend, &hello);
    bench.pass(Span::from_secs(3));
    let stranger = bench.accept();
    bench.say(stranger, &hello);
    assert_eq!(bench.end_of(stranger), "already connected");
    assert_eq!(bench.peers[&stranger].heard, []);
    assert!(bench.is_open(friend));
}

fn own_ip() -> [u8; 4] {
    [10, 9, 9, 9]
}
