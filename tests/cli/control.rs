//! Commands to a daemon: against the real one, and against a server that answers what it is told.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Instant;

use serde_json::{Value, json};
use swarmlet::command::remote::table::{Table, amount, ratio, share};

use crate::workdir::{PATIENCE, Ran, Running, Workdir, noise, one_clean_line, value};

const LOCAL: &str = "127.0.0.1:0";

/// A daemon in `dir`, and the address of its remote control.
fn daemon(dir: &Workdir, place: &str, more: &[&str]) -> (Running, String) {
    fs::create_dir_all(dir.path(place)).unwrap();
    let words = ["peer", "--dir", place, "--listen", LOCAL, "--rpc", LOCAL];
    let mut daemon = dir.start(&[&words[..], more].concat());
    let addr = daemon.ready("rpc");
    (daemon, addr)
}

/// Runs what must succeed at the daemon at `rpc`.
fn at(dir: &Workdir, rpc: &str, words: &[&str]) -> String {
    dir.ok(&[words, &["--rpc", rpc]].concat())
}

fn json_at(dir: &Workdir, rpc: &str, words: &[&str]) -> Value {
    let out = at(dir, rpc, &[words, &["--json"]].concat());
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{words:?}: {error}: {out}"))
}

/// Asks again until what a command prints fits.
fn until(dir: &Workdir, rpc: &str, words: &[&str], fits: impl Fn(&str) -> bool) -> String {
    let end = Instant::now() + PATIENCE;
    loop {
        let out = at(dir, rpc, words);
        if fits(&out) {
            return out;
        }
        assert!(Instant::now() < end, "{words:?} goes on saying: {out}");
        std::thread::yield_now();
    }
}

#[test]
fn what_one_seeds_others_find_get_and_share_by_commands_alone() {
    let dir = Workdir::new("remote-story");
    let data = noise(3, 600_000);
    dir.write("shared/holiday/film.mkv", &data);
    dir.write("shared/holiday/notes.txt", b"sunny");
    let words = ["tracker", "--http", LOCAL, "--library", "lib", "--state", "state"];
    let mut tracker = dir.start(&words);
    let site = format!("http://{}", tracker.ready("http"));
    let announce = format!("{site}/announce");
    let root = dir.path("shared").display().to_string();
    let (_a, one) = daemon(&dir, "one", &["--root", &root]);
    let (mut b, two) = daemon(&dir, "two", &[]);

    // 1. One has it, and it is in the library.
    let seed = ["seed", "shared/holiday", "--tracker", &announce, "--piece-length", "16K"];
    let out = at(&dir, &one, &seed);
    let told: Vec<&str> = out.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(told, ["made", "added", "published"], "{out}");
    let hash = value(&out, "info_hash");
    until(&dir, &one, &["status"], |out| out.contains("state=seeding percent=100"));

    // 2. The other finds it there, and gets it.
    assert!(dir.ok(&["search", "film", "-t", &site]).contains("name=holiday"));
    let out = at(&dir, &two, &["leech", "holi", "--tracker", &site]);
    assert_eq!((value(&out, "name"), value(&out, "new")), ("holiday".into(), "true".into()));
    b.wait_for("complete ");
    assert_eq!(dir.read("two/holiday/film.mkv"), data);
    let out = until(&dir, &two, &["status", "holiday"], |out| out.contains("state=seeding"));
    assert_eq!((value(&out, "percent"), value(&out, "left")), ("100".into(), "0".into()));
    assert!(out.lines().any(|line| line.starts_with("sums torrents=1 active=1 ")), "{out}");
    assert!(out.contains(" longest_turn_ms="), "{out}");

    // 3. What they say of each other.
    let shown = json_at(&dir, &two, &["show"]);
    let shown = &shown["torrents"][0];
    assert_eq!(shown["info_hash"], hash.as_str());
    assert_eq!(shown["downloaded"], 600_005);
    assert_eq!(shown["trackers"][0]["url"], announce.as_str());
    let files = at(&dir, &two, &["files", "1"]);
    let second = files.lines().nth(1).unwrap();
    assert!(second.starts_with("file number=1 path=holiday/notes.txt bytes=5 have=5 "), "{files}");
    let pieces = at(&dir, &two, &["pieces", &hash[..6]]);
    assert!(pieces.starts_with("pieces first=0 last=36 state=here holders="), "{pieces}");

    // 4. Having it again is no error; being told again to get it starts it.
    at(&dir, &two, &["stop", "all"]);
    until(&dir, &two, &["status"], |out| out.contains("state=stopped"));
    let out = at(&dir, &two, &["leech", "holiday.torrent"]);
    assert_eq!(value(&out, "new"), "false");
    until(&dir, &two, &["status"], |out| out.contains("state=seeding"));
    at(&dir, &two, &["verify", "holiday"]);
    at(&dir, &two, &["reannounce", "holiday"]);
    until(&dir, &two, &["status"], |out| out.contains("state=seeding percent=100"));

    // 5. What is private is shared, and published nowhere.
    dir.write("shared/secret.bin", &noise(4, 20_000));
    let secret = ["seed", "shared/secret.bin", "--tracker", &announce, "--private"];
    let out = at(&dir, &one, &secret);
    assert!(!out.contains("published"), "{out}");
    let found = dir.run(&["search", "secret", "-t", &site]);
    assert_eq!(found.code, Some(1), "{found:?}");

    // 6. Removed, with and without its data.
    at(&dir, &two, &["remove", "holiday", "--with-data"]);
    b.wait_for("removed ");
    assert!(!dir.path("two/holiday/film.mkv").exists());
    assert!(at(&dir, &two, &["status"]).starts_with("sums torrents=0 "));
    at(&dir, &one, &["remove", "secret"]);
    assert!(dir.path("shared/secret.bin").exists());

    // 7. The end.
    assert_eq!(value(&at(&dir, &two, &["shutdown"]), "addr"), two);
    assert_eq!(b.end(PATIENCE).code(), Some(0));
    assert_eq!(dir.run(&["ping", "--rpc", &two]).code, Some(1));
    assert!(at(&dir, &one, &["ping"]).starts_with("pong addr="));
}

#[test]
fn peers_are_named_by_hand_and_seen_with_what_they_have() {
    let dir = Workdir::new("remote-connect");
    let data = noise(5, 400_000);
    dir.write("one/film.mkv", &data);
    let (mut a, one) = daemon(&dir, "one", &[]);
    let (mut b, two) = daemon(&dir, "two", &[]);
    at(&dir, &one, &["seed", "one/film.mkv"]);
    a.wait_for("checked ");
    let listen = a.seen.iter().find(|line| line.starts_with("ready ")).unwrap().clone();
    let port = value(&listen, "listen").rsplit(':').next().unwrap().to_owned();
    let out = at(&dir, &two, &["add", "film.mkv.torrent", "--paused"]);
    assert_eq!(value(&out, "id"), "1");
    until(&dir, &two, &["status"], |out| out.contains("state=stopped"));
    at(&dir, &two, &["start", "1"]);
    at(&dir, &two, &["connect", "film", &format!("127.0.0.1:{port}")]);
    b.wait_for("complete ");
    assert_eq!(dir.read("two/film.mkv"), data);
    // Two who have all have nothing to say to each other, so the daemon is asked early or not at
    // all: what it says of peers is a matter of the test below.
    let peers = json_at(&dir, &one, &["peers", "1"]);
    assert!(peers["peers"].is_array(), "{peers}");
    let line = dir.fails(1, &["connect", "1", "nobody.invalid:1", "--rpc", &two]);
    assert!(line.contains("no address is known for this name"), "{line}");
}

#[test]
fn limits_and_wishes_reach_the_daemon_and_come_back() {
    let dir = Workdir::new("remote-wishes");
    let album = dir.album();
    let root = dir.0.display().to_string();
    let (_daemon, rpc) = daemon(&dir, "there", &["--root", &root]);
    at(&dir, &rpc, &["seed", album]);
    assert_eq!(at(&dir, &rpc, &["limit"]), "limit id=all name=\"\" down=off up=off\n");
    let out = at(&dir, &rpc, &["limit", "--up", "500K", "--down", "2M"]);
    assert_eq!(out, "limit id=all name=\"\" down=2097000 up=512000\n");
    let out = at(&dir, &rpc, &["limit", "album", "--up", "64K"]);
    assert_eq!(out, "limit id=1 name=album down=off up=65000\n");
    let out = at(&dir, &rpc, &["limit", "--down", "off"]);
    assert_eq!(out, "limit id=all name=\"\" down=off up=512000\n");
    at(&dir, &rpc, &["select", "album", "--only", "0,2-3", "--high", "3"]);
    let files = json_at(&dir, &rpc, &["files", "album"]);
    let wanted: Vec<&Value> =
        files["files"].as_array().unwrap().iter().map(|file| &file["wanted"]).collect();
    assert_eq!(wanted, [&json!(true), &json!(false), &json!(true), &json!(true)]);
    assert_eq!(files["files"][3]["priority"], "high");
    let line = dir.fails(1, &["select", "album", "--want", "9", "--rpc", &rpc]);
    assert!(line.contains("file index out of range"), "{line}");
}

#[test]
fn what_lies_elsewhere_is_refused_with_what_to_do() {
    let dir = Workdir::new("remote-outside");
    dir.write("elsewhere/film.mkv", &noise(6, 30_000));
    let (_daemon, rpc) = daemon(&dir, "there", &[]);
    let ran = dir.run(&["seed", "elsewhere/film.mkv", "--rpc", &rpc]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(one_clean_line(&ran.err).contains("start the daemon with --root DIR"), "{ran:?}");
    let line = dir.fails(1, &["stop", "all", "--rpc", &rpc]);
    assert!(line.contains("has no torrents"), "{line}");
    let line = dir.fails(1, &["stop", "film", "--rpc", &rpc]);
    assert!(line.contains("has no torrent 'film'; 'swarmlet status' shows"), "{line}");
}

#[test]
fn passwords_come_from_options_files_and_the_environment() {
    let dir = Workdir::new("remote-password");
    dir.write("word", b"open sesame\n");
    let login = ["--rpc-user", "ali", "--rpc-password-file", "word"];
    let (_daemon, rpc) = daemon(&dir, "there", &login);
    let line = dir.fails(1, &["status", "--rpc", &rpc]);
    assert!(line.contains("wants a user and a password (status 401)"), "{line}");
    let wrong = ["ping", "--rpc", &rpc, "--rpc-user", "ali", "--rpc-password", "no"];
    assert!(dir.fails(1, &wrong).contains("does not know this user and password"));
    at(&dir, &rpc, &[&["ping"][..], &login].concat());
    let mut command = dir.command();
    command.args(["ping"]).env("SWARMLET_RPC", &rpc);
    command.env("SWARMLET_RPC_USER", "ali").env("SWARMLET_RPC_PASSWORD", "open sesame");
    assert_eq!(command.output().unwrap().status.code(), Some(0));
}

#[test]
fn without_a_daemon_every_command_says_how_to_start_one() {
    let dir = Workdir::new("remote-nobody");
    dir.write("x.bin", b"something");
    dir.ok(&["create", "x.bin"]);
    // A port that was free a moment ago.
    let free = TcpListener::bind(LOCAL).unwrap().local_addr().unwrap().to_string();
    #[rustfmt::skip]
    let table: &[&[&str]] = &[
        &["add", "x.bin.torrent"], &["leech", "x.bin.torrent"], &["seed", "x.bin"], &["status"],
        &["status", "--watch"], &["show"], &["files", "1"], &["peers", "1"], &["pieces", "1"],
        &["start", "1"], &["stop", "1"], &["remove", "1"], &["verify", "1"], &["reannounce", "1"],
        &["connect", "1", "127.0.0.1:1"], &["limit"], &["select", "1", "--only", "all"], &["ping"],
        &["shutdown"],
    ];
    for words in table {
        let line = dir.fails(1, &[words, &["--rpc", &free][..]].concat());
        let told = format!("swarmlet: no daemon answers at {free}; start one with 'swarmlet peer'");
        assert!(line.starts_with(&told), "{words:?} says {line}");
    }
}

// ── A server that answers what it is told ────────────────────────────────────────────────────

/// Answers each request with the next of `answers`: whole responses. What was asked comes out of
/// the channel: the head, and the body.
fn fake(answers: Vec<String>) -> (String, Receiver<(String, Value)>) {
    let listener = TcpListener::bind(LOCAL).unwrap();
    let addr = listener.local_addr().unwrap().to_string();
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for answer in answers {
            let Ok((stream, _)) = listener.accept() else { return };
            let asked = converse(stream, &answer);
            if sender.send(asked).is_err() {
                return;
            }
        }
    });
    (addr, receiver)
}

fn converse(mut stream: TcpStream, answer: &str) -> (String, Value) {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    let (head, body) = loop {
        let len = stream.read(&mut buffer).unwrap();
        request.extend_from_slice(&buffer[..len]);
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && let Ok(body) = serde_json::from_str(body)
        {
            break (head.to_owned(), body);
        }
        assert!(len > 0, "half a request: {text}");
    };
    stream.write_all(answer.as_bytes()).unwrap();
    (head, body)
}

/// A response with this status and body.
fn response(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn success(arguments: &Value) -> String {
    response("200 OK", &json!({ "result": "success", "arguments": arguments }).to_string())
}

/// Three torrents, of which one has a name that is out to play tricks.
fn three() -> Value {
    let torrent = |id: u64, name: &str, digit: &str| {
        json!({ "id": id, "name": name, "hashString": digit.repeat(40), "status": 4,
                "sizeWhenDone": 1000, "leftUntilDone": 500, "rateDownload": 250, "eta": 2,
                "uploadRatio": -1, "errorString": "", "peersConnected": 3 })
    };
    json!({ "torrents": [
        torrent(1, "holiday", "a"),
        torrent(7, "Holiday 2", "b"),
        torrent(9, "evil\u{1b}[2J\u{202e}\nsums torrents=0", "c"),
    ] })
}

/// Runs a command against these answers; returns what it did, and what it asked.
fn against(test: &str, words: &[&str], answers: Vec<String>) -> (Ran, Vec<(String, Value)>) {
    let dir = Workdir::new(test);
    let (addr, asked) = fake(answers);
    let ran = dir.run(&[words, &["--rpc", &addr][..]].concat());
    (ran, asked.try_iter().collect())
}

#[test]
fn the_session_word_is_learnt_and_said_and_the_fields_are_those_that_are_shown() {
    let refusal = "409: Conflict\nX-Transmission-Session-Id: abcDEF012\n";
    let answers = vec![response("409 Conflict", refusal), success(&three()), success(&json!({}))];
    let (ran, asked) = against("remote-session", &["status"], answers);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(!asked[0].0.contains("X-Transmission-Session-Id"), "{}", asked[0].0);
    for (head, _) in &asked[1..] {
        assert!(head.starts_with("POST /transmission/rpc HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("\r\nX-Transmission-Session-Id: abcDEF012\r\n"), "{head}");
    }
    let fields = asked[1].1["arguments"]["fields"].as_array().unwrap();
    for field in ["id", "name", "hashString", "status", "eta", "uploadRatio", "rateUpload"] {
        assert!(fields.contains(&json!(field)), "{field} is not asked for: {fields:?}");
    }
    assert_eq!(asked[2].1["method"], "session-stats");
    // What came from outside is shown as text, one line each.
    assert_eq!(ran.out.lines().count(), 4, "{}", ran.out);
    assert!(!ran.out.contains(['\u{1b}', '\u{202e}']), "{:?}", ran.out);
    let first = ran.out.lines().next().unwrap();
    assert!(first.contains(" percent=50 bytes=1000 left=500 down=250 "), "{first}");
    assert!(first.ends_with(" ratio=- peers=3 seconds_left=2"), "{first}");
}

#[test]
fn nothing_of_a_link_is_there_while_its_metadata_is_fetched() {
    let link = json!({ "id": 1, "name": "holiday", "hashString": "a".repeat(40), "status": 4,
                       "sizeWhenDone": 0, "leftUntilDone": 0, "metadataPercentComplete": 0.5,
                       "eta": -2, "uploadRatio": -1 });
    let answers = vec![success(&json!({ "torrents": [link] })), success(&json!({}))];
    let (ran, _) = against("remote-link", &["status"], answers);
    let first = ran.out.lines().next().unwrap();
    assert!(first.contains(" state=downloading percent=0 bytes=0 "), "{first}");
}

#[test]
fn a_torrent_is_meant_by_number_hash_name_or_part_if_only_one_fits() {
    #[rustfmt::skip]
    let table: &[(&str, Result<&str, &str>)] = &[
        ("1",             Ok("a")),
        ("7",             Ok("b")),
        ("bbbb",          Ok("b")),
        ("BBBBBB",        Ok("b")),
        ("holiday",       Ok("a")),
        ("Holiday 2",     Ok("b")),
        ("day 2",         Ok("b")),
        ("evil",          Ok("c")),
        ("holi",          Err("2 torrents fit 'holi', such as 1 'holiday' and 7 'Holiday 2'")),
        ("8",             Err("has no torrent '8'")),
        ("bbb",           Err("has no torrent 'bbb'")),
        ("\u{1b}[2J",     Err("has no torrent '[2J'")),
        ("",              Err("has no torrent ''")),
    ];
    for (word, meant) in table {
        let answers = vec![success(&three()), success(&json!({}))];
        let (ran, asked) = against("remote-names", &["stop", word], answers);
        match meant {
            Ok(digit) => {
                assert_eq!(ran.code, Some(0), "{word}: {ran:?}");
                let (_, stop) = &asked[1];
                assert_eq!(stop["method"], "torrent-stop");
                assert_eq!(stop["arguments"], json!({ "ids": [digit.repeat(40)] }), "{word}");
            }
            Err(told) => {
                assert_eq!(ran.code, Some(1), "{word}: {ran:?}");
                let line = one_clean_line(&ran.err);
                assert!(line.contains(told), "{word}: {line}");
            }
        }
    }
}

#[test]
fn what_is_no_daemon_or_refuses_is_told_in_one_line() {
    let unwilling = json!({ "result": "no \u{1b}[31mway\nat all", "arguments": {} }).to_string();
    let odd = json!({ "result": "success", "arguments": { "torrents": 3 } }).to_string();
    #[rustfmt::skip]
    let table: &[(String, &str)] = &[
        (response("200 OK", "<html>hello</html>"), "is no daemon"),
        (response("404 Not Found", ""),            "is no daemon"),
        (response("409 Conflict", "no word"),      "is no daemon"),
        (response("401 Unauthorized", ""),         "wants a user and a password"),
        (response("403 Forbidden", ""),            "too many wrong passwords"),
        (response("421 Misdirected", ""),          "does not go by this name"),
        (response("200 OK", &unwilling),           "refuses: no [31mway at all"),
        (response("200 OK", &odd),                 "says what we do not understand"),
        ("SSH-2.0-x\r\n\r\n".to_owned(),           "no answer from the daemon"),
        (String::new(),                            "no answer from the daemon"),
    ];
    for (answer, told) in table {
        let (ran, _) = against("remote-odd", &["show"], vec![answer.clone()]);
        assert_eq!(ran.code, Some(1), "{answer}: {ran:?}");
        let line = one_clean_line(&ran.err);
        assert!(line.contains(told), "{answer}\n  says {line}\n  not  {told}");
    }
}

#[test]
fn peers_and_pieces_are_shown_as_the_daemon_tells_them() {
    // Ten pieces: bits 0 to 9, of which the second peer has the first nine.
    let peers = json!([
        { "address": "192.0.2.1", "port": 6881, "clientName": "Transmission 3.0", "flagStr": "Du",
          "progress": 1.0, "rateToClient": 2048, "rateToPeer": 0, "downloaded": 4096,
          "uploaded": 1, "pieces": "/8A=", "piece": 4, "reasons": ["served: by lot", "asked"] },
        { "address": "2001:db8::1", "port": 1, "clientName": "evil\u{1b}c", "flagStr": "",
          "progress": 0.999, "pieces": "/4A=" },
        { "address": "192.0.2.2", "port": 2, "pieces": "not base64" },
    ]);
    let detail = json!({ "torrents": [{ "pieceCount": 10, "pieceSize": 16384,
        "pieceStates": "hhhfmmmmmm", "pieceHolders": [2, 2, 2, 2, 2, 2, 2, 2, 2, 1],
        "peers": peers }] });
    let asks = |more: &[&str], count: usize| {
        let answers = [three(), detail.clone(), detail.clone()];
        let answers = answers.iter().take(count).map(success).collect();
        against("remote-peers", &[&["pieces", "1"], more].concat(), answers).0
    };
    let ran = asks(&[], 2);
    let lines = "pieces first=0 last=2 state=here holders=2\n\
                 pieces first=3 last=3 state=flying holders=2\n\
                 pieces first=4 last=8 state=missing holders=2\n\
                 pieces first=9 last=9 state=missing holders=1\n";
    assert_eq!(ran.out, lines, "{ran:?}");
    let ran = asks(&["--piece", "9"], 3);
    assert_eq!(ran.out, "holder addr=192.0.2.1:6881 client=\"Transmission 3.0\" piece=9\n");
    let ran = asks(&["--piece", "8"], 3);
    assert!(ran.out.contains("holder addr=[2001:db8::1]:1 client=evilc piece=8"), "{ran:?}");
    let ran = asks(&["--piece", "10"], 3);
    assert!(ran.err.contains("--piece 10: not from 0 to 9"), "{ran:?}");

    let answers = vec![success(&three()), success(&detail)];
    let (ran, _) = against("remote-peers", &["peers", "1"], answers);
    let first = ran.out.lines().next().unwrap();
    assert!(first.contains(" flags=Du percent=100 down=2048 up=0 downloaded=4096 "), "{first}");
    assert!(first.ends_with(" piece=4 why_up=\"served: by lot\" why_down=asked"), "{first}");
    assert!(ran.out.lines().nth(1).unwrap().contains(" percent=99 "), "{}", ran.out);

    // A daemon that tells less, or contradicts itself.
    let less = json!({ "torrents": [{ "pieceCount": 10, "pieceSize": 16384, "pieces": "4AA=" }] });
    let answers = vec![success(&three()), success(&less)];
    let (ran, _) = against("remote-peers", &["pieces", "1"], answers);
    assert!(ran.out.starts_with("pieces first=0 last=2 state=here holders=0\n"), "{ran:?}");
    let lies = json!({ "torrents": [{ "pieceCount": 4_000_000_000u32, "pieceStates": "h" }] });
    let answers = vec![success(&three()), success(&lies)];
    let (ran, _) = against("remote-peers", &["pieces", "1"], answers);
    assert!(ran.err.contains("tells of 1 of 4000000000 pieces"), "{ran:?}");
}

#[test]
fn tables_are_aligned_and_no_wider_than_the_terminal() {
    let mut table = Table::new(&["ID", "<STATE", "<NAME"]);
    let cells = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
    table.row(cells(["1", "ok", "short"]));
    table.row(cells(["120", "stopped", "漢字 is twice as wide"]));
    let lines = table.lines(22);
    assert_eq!(lines, [" ID  STATE    NAME", "  1  ok       short", "120  stopped  漢字 is"]);
    assert_eq!(Table::new(&["A", "B"]).lines(80), ["A  B"]);
}

#[test]
fn numbers_are_short_and_never_say_more_than_is_there() {
    #[rustfmt::skip]
    let amounts = [
        (0, "-"), (1, "1B"), (1023, "1023B"), (1024, "1.0K"), (10_239, "9.9K"), (10_240, "10K"),
        (1_048_575, "1023K"), (1_048_576, "1.0M"), (u64::MAX, "15E"),
    ];
    for (bytes, told) in amounts {
        assert_eq!(amount(bytes), told, "{bytes}");
    }
    #[rustfmt::skip]
    let shares = [
        ((0, 10), "0%"), ((1, 10_000), "0%"), ((1, 1000), "0.1%"), ((99, 1000), "9.9%"),
        ((100, 1000), "10%"), ((9_999, 10_000), "99%"), ((7, 7), "100%"), ((0, 0), "100%"),
        ((u64::MAX - 1, u64::MAX), "99%"),
    ];
    for ((part, whole), told) in shares {
        assert_eq!(share(part, whole), told, "{part} of {whole}");
    }
    let ratios =
        [(None, "-"), (Some(0.0), "0.00"), (Some(12.34), "12.3"), (Some(2e9), "2000000000")];
    for (number, told) in ratios {
        assert_eq!(ratio(number), told, "{number:?}");
    }
}
