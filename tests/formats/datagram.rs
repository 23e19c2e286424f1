//! Announces over UDP as bytes: forms, options, and everything that is cut off.

use swarmlet::base::limits::DATAGRAM_SCRAPE_HASHES_MAX;
use swarmlet::base::{InfoHash, PeerId};
use swarmlet::format::announce::{Announce, BadQuery, Event, Refusal, Reply, Tally};
use swarmlet::format::datagram::{
    Answer, Ask, NotOurs, Peers, Request, Response, refusal, tally, url_data, write_announce,
    write_connect, write_connected, write_error, write_peers, write_scrape, write_tallies,
};

const CONNECTION: u64 = 0x0102_0304_0506_0708;

fn announce() -> Announce {
    Announce {
        info_hash: InfoHash(*b"aaaaaaaaaaaaaaaaaaaa"),
        peer_id: PeerId(*b"-SL0100-bbbbbbbbbbbb"),
        port: 6881,
        uploaded: 3,
        downloaded: 1,
        left: 2,
        event: Event::Started,
        numwant: Some(80),
        key: Some(0xdead_beef),
        compact: true,
        no_peer_id: true,
        tracker_id: None,
        have: None,
    }
}

/// Bytes as people read them: hexadecimal digits with blanks, and text after an apostrophe.
fn bytes(words: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in words.split_whitespace() {
        match word.strip_prefix('\'') {
            Some(text) => bytes.extend_from_slice(text.as_bytes()),
            None => {
                bytes.extend((0..word.len()).step_by(2).map(|at| {
                    u8::from_str_radix(&word[at..at + 2], 16).expect("hexadecimal digits")
                }))
            }
        }
    }
    bytes
}

const ANNOUNCE: &str = "0102030405060708 00000001 0000002a 'aaaaaaaaaaaaaaaaaaaa \
    '-SL0100-bbbbbbbbbbbb 0000000000000001 0000000000000002 0000000000000003 00000002 00000000 \
    deadbeef 00000050 1ae1";

fn written(write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out);
    out
}

#[test]
fn each_question_has_its_bytes() {
    let hashes = [InfoHash(*b"aaaaaaaaaaaaaaaaaaaa"), InfoHash(*b"bbbbbbbbbbbbbbbbbbbb")];
    let rows = [
        (written(|out| write_connect(42, out)), "0000041727101980 00000000 0000002a".to_owned()),
        (written(|out| write_announce(CONNECTION, 42, &announce(), "/", out)), ANNOUNCE.to_owned()),
        (
            written(|out| write_announce(CONNECTION, 42, &announce(), "/dir?a=b&c=d", out)),
            // The example of BEP 41.
            format!("{ANNOUNCE} 02 0c '/dir?a=b&c=d"),
        ),
        (
            written(|out| write_scrape(CONNECTION, 42, &hashes, out)),
            "0102030405060708 00000002 0000002a 'aaaaaaaaaaaaaaaaaaaa 'bbbbbbbbbbbbbbbbbbbb"
                .to_owned(),
        ),
    ];
    for (ours, theirs) in rows {
        assert_eq!(ours, bytes(&theirs), "{theirs}");
    }
}

#[test]
fn each_answer_has_its_bytes() {
    let peers = [1, 2, 3, 4, 0x1a, 0xe1];
    let found = Peers { interval_secs: 1800, leechers: 7, seeds: 2, peers: &peers };
    let tallies = [Tally { seeds: 1, completed: 2, leechers: 3 }, Tally::default()];
    let rows = [
        (written(|out| write_connected(42, CONNECTION, out)), "00000000 0000002a 0102030405060708"),
        (
            written(|out| write_peers(42, &found, out)),
            "00000001 0000002a 00000708 00000007 00000002 01020304 1ae1",
        ),
        (
            written(|out| write_tallies(42, tallies.into_iter(), out)),
            "00000002 0000002a 00000001 00000002 00000003 00000000 00000000 00000000",
        ),
        (written(|out| write_error(42, "no", out)), "00000003 0000002a 'no"),
    ];
    for (ours, theirs) in rows {
        assert_eq!(ours, bytes(theirs), "{theirs}");
    }
}

#[test]
fn questions_come_back_as_they_were_asked() {
    let connect = written(|out| write_connect(7, out));
    assert_eq!(Request::parse(&connect), Ok(Request { transaction: 7, ask: Ask::Connect }));
    for event in [Event::Regular, Event::Started, Event::Completed, Event::Stopped] {
        let said = Announce { event, ..announce() };
        let written = written(|out| write_announce(CONNECTION, 7, &said, "/announce", out));
        let Ok(Request { transaction: 7, ask }) = Request::parse(&written) else { panic!() };
        let Ask::Announce { connection, announce, options } = ask else { panic!("{ask:?}") };
        assert_eq!(connection, CONNECTION);
        // Whoever leaves asks for nobody.
        let numwant = if event == Event::Stopped { Some(0) } else { Some(80) };
        assert_eq!(announce, Ok(Announce { numwant, ..said }));
        assert_eq!(url_data(options).collect::<Vec<_>>(), [b"/announce"]);
    }
    let hashes = [InfoHash([1; 20]), InfoHash([1; 20]), InfoHash([2; 20])];
    let scrape = written(|out| write_scrape(CONNECTION, 7, &hashes, out));
    let Ok(Request { ask: Ask::Scrape { connection, hashes }, .. }) = Request::parse(&scrape)
    else {
        panic!()
    };
    // Twice the same is asked twice: answers go by position.
    assert_eq!((connection, hashes), (CONNECTION, [[1; 20], [1; 20], [2; 20]].as_slice()));
}

#[test]
fn odd_numbers_in_an_announce_have_a_meaning() {
    let at = |place: usize, new: &[u8]| {
        let mut bytes = bytes(ANNOUNCE);
        bytes[place..place + new.len()].copy_from_slice(new);
        let Ok(Request { ask: Ask::Announce { announce, .. }, .. }) = Request::parse(&bytes) else {
            panic!()
        };
        announce
    };
    let good = announce();
    assert_eq!(at(92, &[0xff; 4]), Ok(Announce { numwant: None, ..good.clone() }));
    assert_eq!(at(92, &[0x80, 0, 0, 0]), Ok(Announce { numwant: None, ..good.clone() }));
    assert_eq!(at(92, &[0x7f, 0xff, 0xff, 0xff]).map(|it| it.numwant), Ok(Some(0x7fff_ffff)));
    assert_eq!(at(80, &[0, 0, 0, 9]), Ok(Announce { event: Event::Regular, ..good.clone() }));
    assert_eq!(at(64, &[0xff; 8]), Ok(Announce { left: u64::MAX, ..good.clone() }));
    // Whose address is entered is not for the asker to say.
    assert_eq!(at(84, &[6, 6, 6, 6]), Ok(good));
    assert_eq!(at(96, &[0, 0]), Err(BadQuery::NotANumber("port", 1, 65_535)));
}

#[test]
fn options_are_read_as_far_as_they_are_whole() {
    let long = "x".repeat(300);
    let rows: &[(&str, &str)] = &[
        ("", ""),
        ("02 0c '/dir?a=b&c=d", "/dir?a=b&c=d"),
        ("02 0c '/dir?a=b&c=d 01 01 00", "/dir?a=b&c=d"),
        ("02 00", ""),
        ("01 01 02 01 'a 01 02 01 'b", "ab"),
        ("07 03 '??? 02 01 'a", "a"),
        ("07 00 02 01 'a", "a"),
        ("02 01 'a 00 02 01 'b", "a"),
        ("02", ""),
        ("02 05 'four", ""),
        ("02 01 'a 07 ff 02", "a"),
    ];
    for (options, url) in rows {
        let options = bytes(options);
        let parts: Vec<u8> = url_data(&options).flatten().copied().collect();
        assert_eq!(parts, url.as_bytes(), "{options:?}");
    }
    let written = written(|out| write_announce(CONNECTION, 1, &announce(), &long, out));
    let Ok(Request { ask: Ask::Announce { options, .. }, .. }) = Request::parse(&written) else {
        panic!()
    };
    let lens: Vec<usize> = url_data(options).map(<[u8]>::len).collect();
    assert_eq!(lens, [255, 45]);
}

#[test]
fn what_is_cut_off_is_no_question() {
    let long = [bytes(ANNOUNCE), bytes("02 04 '/abc")].concat();
    for len in 0..long.len() {
        let parsed = Request::parse(&long[..len]);
        assert_eq!(parsed.is_ok(), len >= 98, "{len}");
        if len < 98 {
            assert_eq!(parsed, Err(NotOurs::TooShort));
        }
    }
    let connect = written(|out| write_connect(1, out));
    (0..16).for_each(|len| assert_eq!(Request::parse(&connect[..len]), Err(NotOurs::TooShort)));
    let scrape = written(|out| write_scrape(CONNECTION, 1, &[InfoHash([1; 20]); 2], out));
    for len in 16..=scrape.len() {
        let Ok(Request { ask: Ask::Scrape { hashes, .. }, .. }) = Request::parse(&scrape[..len])
        else {
            panic!()
        };
        assert_eq!(hashes.len(), (len - 16) / 20, "whole hashes only");
    }
}

#[test]
fn what_is_not_of_the_protocol_is_no_question() {
    let rows = [
        // Another protocol's first word; an action that none has; an answer; a DHT's question.
        "0000041727101981 00000000 00000001",
        "0102030405060708 00000003 00000001",
        "0102030405060708 ffffffff 00000001",
        "'d1:ad2:id20:aaaaaaaaaaaaaaaaaaaae1:q4:ping1:t2:aa1:y1:qe",
    ];
    for row in rows {
        assert_eq!(Request::parse(&bytes(row)), Err(NotOurs::Unknown), "{row}");
    }
}

#[test]
fn a_scrape_of_too_many_is_read_in_part() {
    let mut scrape = written(|out| write_scrape(CONNECTION, 1, &[], out));
    scrape.extend_from_slice(&[9; 20 * 100]);
    let Ok(Request { ask: Ask::Scrape { hashes, .. }, .. }) = Request::parse(&scrape) else {
        panic!()
    };
    assert_eq!(hashes.len(), DATAGRAM_SCRAPE_HASHES_MAX);
}

#[test]
fn answers_are_read_and_every_cut_is_noticed() {
    let peers = Peers { interval_secs: 1, leechers: 2, seeds: 3, peers: &[1, 2, 3, 4, 5, 6, 7] };
    let rows: &[(&str, usize, Answer<'_>)] = &[
        (
            "00000000 0000002a 0102030405060708 'more",
            16,
            Answer::Connect { connection: CONNECTION },
        ),
        (
            "00000001 0000002a 00000001 00000002 00000003 010203040506 07",
            20,
            Answer::Announce(peers),
        ),
        (
            "00000002 0000002a 010101010202020203030303 'cut",
            8,
            Answer::Scrape { tallies: &[[1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3]] },
        ),
        ("00000003 0000002a 'sorry", 8, Answer::Error { message: b"sorry" }),
    ];
    for (text, least, answer) in rows {
        let bytes = bytes(text);
        let parsed = Response::parse(&bytes);
        assert_eq!(parsed, Ok(Response { transaction: 42, answer: *answer }), "{text}");
        for len in 0..*least {
            assert_eq!(Response::parse(&bytes[..len]), Err(NotOurs::TooShort), "{text} {len}");
        }
        (*least..bytes.len()).for_each(|len| assert!(Response::parse(&bytes[..len]).is_ok()));
    }
    assert_eq!(Response::parse(&bytes("00000004 0000002a")), Err(NotOurs::Unknown));
    assert_eq!(
        tally(&[0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3]),
        Tally { seeds: 1, completed: 2, leechers: 3 }
    );
}

#[test]
fn peers_are_of_the_family_that_the_datagram_came_by() {
    let reply = |peers: &str, is_ipv4| {
        let peers = bytes(peers);
        let found = Peers { interval_secs: 900, leechers: 5, seeds: 4, peers: &peers };
        found.reply(is_ipv4)
    };
    let v4 = reply("01020304 1ae1 01020304 1ae1 05060708 0000 ff", true);
    assert_eq!(
        v4,
        Reply {
            interval_secs: Some(900),
            seeds: Some(4),
            leechers: Some(5),
            // Each once, none of port 0, none that is cut off.
            peers: vec!["1.2.3.4:6881".parse().unwrap()],
            ..Reply::default()
        }
    );
    let v6 = reply("20010db8000000000000000000000001 1ae1", false);
    assert_eq!(v6.peers, ["[2001:db8::1]:6881".parse().unwrap()]);
    let negative = Peers { interval_secs: u32::MAX, leechers: 0, seeds: 0, peers: &[] };
    assert_eq!(negative.reply(true).interval_secs, Some(0));
}

#[test]
fn an_error_is_shown_clean() {
    let rows: &[(&[u8], &str)] = &[
        (b"torrent not registered", "torrent not registered"),
        (b"as C does\0rest", "as C does"),
        (b"\x1b[31mred\x07", "[31mred"),
        (b"", "no reason given"),
    ];
    for (message, reason) in rows {
        let Refusal::Failure { reason: shown, retry_secs: None, never: false } = refusal(message)
        else {
            panic!()
        };
        assert!(!shown.contains(char::is_control), "{shown:?}");
        assert_eq!(shown.replace('\u{fffd}', ""), *reason);
    }
}
