//! Traces: words into text and back, lines that are refused, and the layout of a whole trace.

use std::fs;

use swarmlet::base::{Claim, ConnId, InfoHash, PeerId, Time};
use swarmlet::trace::words::{
    Greeting, Part, Quoted, Worded, fields, parse_handshake, parse_message, unquote, value,
};
use swarmlet::trace::{Choice, Damaged, Difference, Ladder, Line, Recorder, Word, replay};
use swarmlet::wire::{Handshake, Message};

const CLAIM: Claim = Claim { piece: 3, begin: 16_384, len: 16_384 };

fn fixture(name: &str) -> String {
    let path = format!("{}/fixtures/trace/{name}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Lays a trace out, 80 columns wide.
fn ladder(trace: &str, choice: Choice) -> Result<String, Damaged> {
    let mut ladder = Ladder::new(choice);
    for (number, text) in (1..).zip(trace.lines()) {
        if let Some(line) = Line::parse(number, text)? {
            ladder.add(&line)?;
        }
    }
    Ok(ladder.lines(80).iter().map(|line| format!("{line}\n")).collect())
}

fn choose(peer: &str, torrent: &str, all: bool) -> Choice {
    let some = |word: &str| (!word.is_empty()).then(|| word.to_owned());
    Choice { peer: some(peer), torrent: some(torrent), all }
}

#[test]
fn every_message_is_put_into_words_and_read_back() {
    let payload = b"d1:v5: a\"\\\x1b\xffe ".to_vec();
    for (message, words) in [
        (Message::KeepAlive, "keep-alive"),
        (Message::Choke, "choke"),
        (Message::Unchoke, "unchoke"),
        (Message::Interested, "interested"),
        (Message::NotInterested, "not interested"),
        (Message::Have(7), "have 7"),
        (Message::Bitfield(vec![0xff, 0x01]), "bitfield ff 01"),
        (Message::Request(CLAIM), "request 3+16384+16384"),
        (Message::Cancel(CLAIM), "cancel 3+16384+16384"),
        (Message::Port(6881), "port 6881"),
        (Message::Suggest(4), "suggest piece 4"),
        (Message::HaveAll, "have all"),
        (Message::HaveNone, "have none"),
        (Message::Reject(CLAIM), "reject request 3+16384+16384"),
        (Message::AllowedFast(9), "allowed fast 9"),
        (Message::Extended { id: 2, payload }, r#"extended 2 "d1:v5: a\"\\\x1b\xffe ""#),
        (Message::Unknown(99), "unknown 99"),
    ] {
        assert_eq!(Worded(&message).to_string(), words);
        assert_eq!(parse_message(words), Some(message), "{words}");
    }
    for words in ["", "hav 7", "have", "have -1", "have 7 8", "haveall", "bitfield f", "bitfield"] {
        assert_eq!(parse_message(words), None, "{words}");
    }
    for words in ["request 1+2", "request 1+2+3+4", "request 1+2+4294967296", "unknown 256"] {
        assert_eq!(parse_message(words), None, "{words}");
    }
    for words in [r#"extended 2 d"#, r#"extended 2 "\"#, r#"extended 2 "\x1""#, r#"extended "a""#] {
        assert_eq!(parse_message(words), None, "{words}");
    }
}

#[test]
fn handshakes_parts_and_quotes_are_read_back() {
    let handshake =
        Handshake::ours(InfoHash([7; 20]), PeerId(*b"-XX0000-\x00\x1b\"\\ ~\x7f\xff 123"));
    let words = Greeting(&handshake).to_string();
    assert!(words.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()), "{words}");
    assert_eq!(parse_handshake(&words), Some(handshake));
    assert_eq!(parse_handshake(&words.replace("-XX0000-", "-XX000-")), None);

    for (from, len, words) in
        [(0, 16_384, "piece 3+16384+16384"), (5, 9, "piece 3+16384+16384 part 5+9")]
    {
        let part = Part { block: CLAIM, from, len };
        assert_eq!(part.to_string(), words);
        let read = Part::parse(words).expect("a part");
        assert_eq!((read.block, read.from, read.len), (CLAIM, from, len));
        assert_eq!(read.is_last(), from == 0);
    }
    for words in ["piece 3+0+16384 part 1+16384", "piece 3+0+9 part 4294967295+4294967295"] {
        assert!(Part::parse(words).is_none(), "{words}");
    }

    let every: Vec<u8> = (0..=255).collect();
    let quoted = Quoted(&every).to_string();
    assert_eq!(unquote(&quoted), Some(every));
    let line = format!("t1 url={quoted} peer=a last");
    assert_eq!(fields(&line).count(), 4);
    assert_eq!(value(&line, "url"), Some(&*quoted));
    assert_eq!(value(&line, "peer"), Some("a"));
}

#[test]
fn a_line_is_written_as_it_is_read() {
    let text = "    0.104 c5.2   192.0.2.7:51413       says       request 3+16384+16384";
    let line = Line::parse(9, text).expect("good").expect("no comment");
    let conn = Some(ConnId { slot: 5, generation: 2 });
    assert_eq!((line.number, line.at, line.conn), (9, Time::from_millis(104), conn));
    assert_eq!((line.word, line.rest), (Word::Says, "request 3+16384+16384"));
    assert_eq!(line.to_string(), text);
    assert_eq!(Line::parse(1, "# a remark"), Ok(None));
    assert_eq!(Line::parse(1, "  "), Ok(None));
}

#[test]
fn a_damaged_line_is_refused_with_its_number() {
    for (text, what) in [
        ("    0.104 c5.2   192.0.2.7:51413", "the line is cut"),
        ("    0.104", "the line is cut"),
        ("garbage", "the line is cut"),
        ("    0.1   c5.2   192.0.2.7:51413 says choke", "it does not begin with a time"),
        ("    0,104 c5.2   192.0.2.7:51413 says choke", "it does not begin with a time"),
        ("-1.000 c5.2 192.0.2.7:51413 says choke", "it does not begin with a time"),
        ("18446744073709551615.000 c5.2 - says choke", "it does not begin with a time"),
        ("    0.104 5.2    192.0.2.7:51413 says choke", "no connection is called that"),
        ("    0.104 c5.2   192.0.2.7 says choke", "not an address"),
        ("    0.104 c5.2   192.0.2.7:51413 sings choke", "an unknown word"),
    ] {
        assert_eq!(Line::parse(17, text), Err(Damaged { line: 17, what }), "{text}");
    }
    let open = "0.000 c1.0 192.0.2.7:1 accepts\n";
    for bad in
        ["hears request 1+2", "hears piece 1+2+3 part 9+9", "says extended 0 x", "hears shout"]
    {
        let trace = format!("# a remark\n{open}0.001 c1.0 192.0.2.7:1 {bad}\n");
        let refused = ladder(&trace, Choice::default()).expect_err(bad);
        assert_eq!(refused, Damaged { line: 3, what: "this cannot be understood" }, "{bad}");
    }
}

#[test]
fn a_trace_is_laid_out_as_ladders() {
    let trace = fixture("holiday.trace");
    let lines = ladder(&trace, Choice::default()).expect("a good trace");
    assert_eq!(lines, fixture("holiday.txt"));
    for line in lines.lines() {
        assert!(line.chars().count() < 80, "{line}");
    }
}

#[test]
fn a_ladder_can_be_chosen_and_drawn_rung_by_rung() {
    let trace = fixture("holiday.trace");
    let heads = |choice: Choice| -> Vec<String> {
        let lines = ladder(&trace, choice).expect("a good trace");
        let is_head = |line: &&str| !line.starts_with(' ') && line.contains(" · ");
        let heads = lines.lines().filter(is_head);
        heads.map(|head| head.split(' ').next().unwrap_or_default().to_owned()).collect()
    };
    let all = ["tracker", "192.0.2.7:51413", "192.0.2.11:40112"];
    assert_eq!(heads(choose("", "", false)), all);
    for peer in ["192.0.2.7", "192.0.2.7:51413", "c5.0"] {
        assert_eq!(heads(choose(peer, "", false)), [all[1]], "{peer}");
    }
    for torrent in ["1", "t1", "da6b60", "HOLI"] {
        assert_eq!(heads(choose("", torrent, false)), all, "{torrent}");
    }
    for (peer, torrent) in [("192.0.2.77", ""), ("", "2"), ("", "other"), ("192.0.2.7", "ffff")] {
        assert!(heads(choose(peer, torrent, false)).is_empty(), "{peer} {torrent}");
    }
    let each = ladder(&trace, choose("c5.0", "", true)).expect("a good trace");
    assert_eq!(each.lines().filter(|line| line.contains("│ request ")).count(), 64);
    // One came in two parts.
    assert_eq!(each.lines().filter(|line| line.contains(" piece ")).count(), 4 + 65);
}

#[test]
fn of_two_torrents_one_can_be_chosen() {
    let hashes = ["aa", "bb"].map(|pair| pair.repeat(20));
    let mut trace = String::new();
    for (number, (hash, name)) in (1..).zip(hashes.iter().zip(["music", "film"])) {
        trace += &format!("0.000 - - torrent t{number} {hash} pieces=9 {name}\n");
    }
    let id = "\"-XX0000-abcdefghijkl\"";
    for (conn, hash) in [("c1.0", &hashes[0]), ("c2.0", &hashes[1])] {
        trace += &format!("0.001 {conn} 192.0.2.7:1 accepts\n");
        trace +=
            &format!("0.002 {conn} 192.0.2.7:1 hears handshake 0000000000000000 {hash} {id}\n");
        trace += &format!("0.003 {conn} 192.0.2.7:1 hears piece 3+0+16384\n");
        trace += &format!("0.004 {conn} 192.0.2.7:1 lost broken\n");
    }
    trace += "0.005 c3.0 192.0.2.8:1 connected t2\n0.006 c3.0 192.0.2.8:1 lost by them\n";
    let conns = |torrent| -> Vec<String> {
        let lines = ladder(&trace, choose("", torrent, false)).expect("a good trace");
        let heads = lines.lines().filter(|line| line.starts_with("192"));
        heads.map(|head| head.rsplit(' ').next().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(conns("music"), ["c1.0"]);
    assert_eq!(conns("2"), ["c2.0", "c3.0"]);
    assert_eq!(conns(""), ["c1.0", "c2.0", "c3.0"]);
    assert!(conns("silence").is_empty());
}

#[test]
fn what_strangers_say_reaches_no_terminal() {
    let hash = "da6b60c18158ab5e190004e89880269dfa759974";
    let trace = format!(
        "0.000 - - torrent t1 {hash} pieces=9 ho\u{1b}[31mli\u{202e}day\u{9b}2J\n\
         0.001 c1.0 192.0.2.7:1 accepts\n\
         0.002 c1.0 192.0.2.7:1 hears handshake 0000000000000000 {hash} \"-\\x1b\\x9b0000-\\x1b[2J12345678\"\n\
         0.003 c1.0 192.0.2.7:1 because a\u{1b}]0;b\u{7}\n\
         0.004 - - announces t1 0 started left=1 url=\"http://a/\\x1b[2J\"\n\
         0.004 - - told t1 0 refused reason=\"\\x1b[2J\\xe2\\x80\\xae\"\n\
         0.005 c1.0 192.0.2.7:1 lost violation: \u{1b}c\n"
    );
    let lines = ladder(&trace, Choice::default()).expect("a good trace");
    let is_wild = |letter: char| (letter.is_control() && letter != '\n') || letter == '\u{202e}';
    assert!(!lines.contains(is_wild), "{lines:?}");
    assert!(lines.contains("[31mliday"), "{lines}");
}

#[test]
fn whoever_replays_is_told_what_is_missing() {
    let mut recorder = Recorder::new();
    let settings = swarmlet::engine::Settings {
        port: 1,
        connections_max: 2,
        connections_per_torrent_max: 2,
        unchoked_max: 1,
        seed: true,
        explain: false,
    };
    recorder.begins(Time::START, &settings, 5, &["dht", "remote-control"]);
    let beyond = recorder.take();
    recorder.begins(Time::START, &settings, 5, &[]);
    let begins = recorder.take();
    let hash = "da6b60c18158ab5e190004e89880269dfa759974";
    let play = |trace: &str| {
        replay(trace, &[], |_, _, _, _| {}).expect_err("it cannot be replayed").to_string()
    };
    assert_eq!(
        play(&beyond),
        "line 9: needs what moved the node beyond this trace: dht,remote-control"
            .replace("line 9", &format!("line {}", beyond.lines().count()))
    );
    for (line, what) in [
        (format!("0.001 - - adds t1 {hash}"), format!("line 2: needs the torrent {hash}")),
        ("0.001 - - adds t1 da6b".to_owned(), "line 2: an info-hash is missing".to_owned()),
        ("0.001 - - seeks t1 link=\"a\"".to_owned(), "line 2: this is no link".to_owned()),
        ("0.001 c1.0 - hears x".to_owned(), "line 2: no peer says that".to_owned()),
        ("0.001 c1.0 - sent x".to_owned(), "line 2: this cannot be understood".to_owned()),
        ("0.001 c1.0 - sings".to_owned(), "line 2: an unknown word".to_owned()),
    ] {
        assert_eq!(play(&format!("{begins}{line}\n")), what, "{line}");
    }
    let unbegun = replay("0.001 - - ticks\n", &[], |_, _, _, _| {});
    assert!(matches!(unbegun, Err(Difference::Damaged(Damaged { line: 1, .. }))), "{unbegun:?}");
}
