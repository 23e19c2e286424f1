//! Remote control of the real daemon, over sockets, with what it leaves on disk.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use swarmlet::format::base64;

use crate::workdir::{PATIENCE, Running, Workdir, noise};

const LOCAL: &str = "127.0.0.1:0";

/// A remote control with a connection of its own for each request.
struct Remote {
    addr: String,
    word: String,
}

impl Remote {
    fn new(daemon: &mut Running) -> Remote {
        let addr = daemon.ready("rpc");
        let mut remote = Remote { addr, word: String::new() };
        let (status, head, _) = remote.send("GET", "", b"");
        assert_eq!(status, 409);
        let line = head.lines().find_map(|line| line.strip_prefix("X-Transmission-Session-Id: "));
        remote.word = line.expect("the session word").to_owned();
        remote
    }

    fn send(&self, method: &str, headers: &str, body: &[u8]) -> (u16, String, Vec<u8>) {
        let head = format!(
            "{method} /transmission/rpc HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\
             X-Transmission-Session-Id: {}\r\n{headers}Content-Length: {}\r\n\r\n",
            self.addr,
            self.word,
            body.len()
        );
        exchange(&self.addr, &[head.as_bytes(), body].concat())
    }

    fn call(&self, method: &str, arguments: Value) -> (String, Value) {
        let body = json!({ "method": method, "arguments": arguments }).to_string();
        let (status, head, body) = self.send("POST", "", body.as_bytes());
        assert_eq!(status, 200, "{head}");
        let answer: Value = serde_json::from_slice(&body).unwrap();
        (answer["result"].as_str().unwrap().to_owned(), answer["arguments"].clone())
    }

    fn ok(&self, method: &str, arguments: Value) -> Value {
        let (result, said) = self.call(method, arguments);
        assert_eq!(result, "success", "{method}");
        said
    }

    fn add(&self, torrent: &[u8], more: Value) -> u64 {
        let mut arguments = json!({ "metainfo": base64::write(torrent) });
        arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.ok("torrent-add", arguments)["torrent-added"]["id"].as_u64().unwrap()
    }

    /// One field of every torrent, in the order of their ids.
    fn fields(&self, field: &str) -> Vec<Value> {
        let said = self.ok("torrent-get", json!({ "fields": ["id", field] }));
        said["torrents"].as_array().unwrap().iter().map(|row| row[field].clone()).collect()
    }

    /// Waits until a field of the only torrent has this value.
    fn wait(&self, field: &str, wanted: Value) {
        let until = Instant::now() + PATIENCE;
        while self.fields(field) != [wanted.clone()] {
            assert!(Instant::now() < until, "{field} is {:?}", self.fields(field));
        }
    }
}

/// Sends bytes and reads to the end; returns status, head and body.
fn exchange(addr: &str, raw: &[u8]) -> (u16, String, Vec<u8>) {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // Who is refused before the end may find the connection closed.
    let _ = stream.write_all(raw);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let end = answer.windows(4).position(|end| end == b"\r\n\r\n").expect("an answer") + 4;
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    (head[9..12].parse().unwrap(), head, answer[end..].to_vec())
}

fn daemon(dir: &Workdir, more: &[&str]) -> Running {
    let words = ["peer", "--dir", "data", "--listen", LOCAL, "--rpc", LOCAL];
    dir.start(&[&words, more].concat())
}

/// The torrent of a file of its own.
fn torrent(dir: &Workdir, name: &str, len: usize) -> Vec<u8> {
    dir.write(name, &noise(len as u64, len));
    dir.ok(&["create", name]);
    dir.read(&format!("{name}.torrent"))
}

#[test]
fn what_was_said_to_be_done_is_done_after_kill_9() {
    let dir = Workdir::new("remote-kill");
    let (a, b) = (torrent(&dir, "a", 100_000), torrent(&dir, "b", 50_000));
    fs::create_dir_all(dir.path("data")).unwrap();
    fs::copy(dir.path("a"), dir.path("data/a")).unwrap();
    // Every step is followed at once by a kill.
    let mut running = daemon(&dir, &[]);
    let remote = Remote::new(&mut running);
    remote.add(&a, json!({ "labels": ["x"] }));
    running.signal(Signal::KILL);
    running.end(PATIENCE);
    let mut running = daemon(&dir, &[]);
    let remote = Remote::new(&mut running);
    assert_eq!(remote.fields("name"), ["a"]);
    assert_eq!(remote.fields("labels"), [json!(["x"])]);
    remote.wait("percentDone", json!(1.0));
    remote.ok("torrent-stop", json!({ "ids": [1] }));
    running.signal(Signal::KILL);
    running.end(PATIENCE);
    let mut running = daemon(&dir, &[]);
    let remote = Remote::new(&mut running);
    remote.wait("status", json!(0));
    remote.add(&b, json!({ "paused": true, "download-dir": dir.path("data/sub") }));
    remote.ok("torrent-remove", json!({ "ids": [1] }));
    running.signal(Signal::KILL);
    running.end(PATIENCE);
    let mut running = daemon(&dir, &[]);
    let remote = Remote::new(&mut running);
    assert_eq!(remote.fields("name"), ["b"]);
    assert_eq!(remote.fields("downloadDir"), [json!(dir.path("data/sub"))]);
    remote.wait("status", json!(0));
    assert!(dir.path("data/a").exists(), "removed without its data");
    // It leaves when it is told, and comes back with what it knew.
    remote.ok("session-close", json!({}));
    assert_eq!(running.end(Duration::from_secs(6)).code(), Some(0));
    let mut running = daemon(&dir, &[]);
    let remote = Remote::new(&mut running);
    assert_eq!(remote.fields("name"), ["b"]);
    assert_eq!(remote.ok("session-stats", json!({}))["cumulative-stats"]["sessionCount"], 5);
}

#[test]
fn a_torrent_that_lies_there_is_taken_on_until_somebody_removes_it() {
    let dir = Workdir::new("remote-found");
    torrent(&dir, "a", 100_000);
    fs::create_dir_all(dir.path("data")).unwrap();
    fs::copy(dir.path("a.torrent"), dir.path("data/a.torrent")).unwrap();
    for (names, remove) in [(vec!["a"], false), (vec!["a"], true), (vec![], false)] {
        let mut running = daemon(&dir, &[]);
        let remote = Remote::new(&mut running);
        assert_eq!(remote.fields("name"), names);
        if remove {
            remote.ok("torrent-remove", json!({ "ids": [1] }));
        }
        assert_eq!(running.stop(), Some(0));
    }
    // Whoever names it wants it again.
    let mut running = daemon(&dir, &["a.torrent"]);
    assert_eq!(Remote::new(&mut running).fields("name"), ["a"]);
}

#[test]
fn a_download_by_remote_control_arrives_and_goes_with_its_files_alone() {
    let dir = Workdir::new("remote-download");
    dir.album();
    dir.ok(&["create", "album"]);
    let torrent = dir.read("album.torrent");
    let mut running = daemon(&dir, &["--state", "elsewhere"]);
    let at = running.wait_for("ready ");
    running.seen.clear();
    let mut remote = Remote { addr: crate::workdir::value(&at, "rpc"), word: String::new() };
    let (_, head, _) = remote.send("GET", "", b"");
    let line = head.lines().find_map(|line| line.strip_prefix("X-Transmission-Session-Id: "));
    remote.word = line.unwrap().to_owned();
    remote.add(&torrent, json!({}));
    let peer = crate::workdir::value(&at, "listen");
    let mut sharer = dir.start(&["share", "album.torrent", "--listen", LOCAL, "--peer", &peer]);
    sharer.wait_for("ready ");
    running.wait_for("complete ");
    assert!(dir.read("album/one.flac") == dir.read("data/album/one.flac"));
    assert!(dir.path("elsewhere/torrents").exists(), "the state lies where it was wanted");
    dir.write("data/album/mine", b"not of the torrent");
    remote.ok("torrent-remove", json!({ "ids": [1], "delete-local-data": true }));
    running.wait_for("removed ");
    let left: Vec<_> = fs::read_dir(dir.path("data/album")).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(remote.fields("id"), Vec::<Value>::new());
    // At once again: it may come back.
    remote.add(&torrent, json!({ "paused": true }));
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn who_has_no_password_gets_nothing_and_others_are_let_in_only_with_one() {
    let dir = Workdir::new("remote-password");
    fs::create_dir_all(dir.path("data")).unwrap();
    dir.write("word", b"open sesame\nnot this\n");
    let why = dir.fails(1, &["peer", "--dir", "data", "--rpc", "0.0.0.0:0"]);
    assert!(why.contains("no password is set"), "{why}");
    let bad: &[&[&str]] = &[
        &["--rpc-user", "me"],
        &["--rpc-password", "x"],
        &["--rpc-user", "me", "--rpc-password", "x", "--rpc-password-file", "word"],
        &["--rpc-user", "m:e", "--rpc-password", "x"],
        &["--rpc", "nowhere"],
        &["--rpc", "off", "--rpc-user", "me", "--rpc-password", "x"],
    ];
    for words in bad {
        dir.fails(2, &[&["peer", "--dir", "data"], *words].concat());
    }
    let login = ["--rpc-user", "me", "--rpc-password-file", "word"];
    let mut running = daemon(&dir, &login);
    let addr = running.ready("rpc");
    let ask = |said: &str| {
        let said = base64::write(said.as_bytes());
        let raw = format!(
            "GET /transmission/rpc HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
             Authorization: Basic {said}\r\n\r\n"
        );
        exchange(&addr, raw.as_bytes()).0
    };
    assert_eq!(ask("me:open sesame"), 409);
    assert_eq!(ask("me:not this"), 401);
    let (status, head, _) = exchange(
        &addr,
        b"POST /transmission/rpc HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000000\r\n\r\n",
    );
    assert_eq!(status, 401, "before any of the body came");
    assert!(head.contains("WWW-Authenticate: Basic"), "{head}");
    let listed = fs::read_to_string(format!("/proc/{}/cmdline", running.child.id())).unwrap();
    assert!(!listed.contains("sesame"), "nobody reads it in the list of processes");
}

#[test]
fn hostile_requests_are_refused_and_others_are_answered_meanwhile() {
    let dir = Workdir::new("remote-hostile");
    fs::create_dir_all(dir.path("data")).unwrap();
    let mut running = daemon(&dir, &[]);
    let remote = Remote::new(&mut running);
    // Some who begin and never end.
    let silent: Vec<TcpStream> = (0..20)
        .map(|_| {
            let mut stream = TcpStream::connect(&remote.addr).unwrap();
            stream.write_all(b"POST /transmission/rpc HTTP/1.1\r\nHost: localhost\r\n").unwrap();
            stream
        })
        .collect();
    let deep = [b"[".repeat(1_000_000), b"]".repeat(1_000_000)].concat();
    let wide = [b"[".as_slice(), &b"[],".repeat(1_000_000), b"1]"].concat();
    for body in [&b""[..], b"{", b"\xff", &deep, &wide, br#"{"method":1e999}"#] {
        let (status, _, answer) = remote.send("POST", "", body);
        assert_eq!(status, 200);
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert_ne!(answer["result"], "success");
    }
    let (status, ..) = remote.send("POST", "Content-Length: 17\r\n", b"two lengths");
    assert_eq!(status, 400);
    let head = format!(
        "POST /transmission/rpc HTTP/1.1\r\nHost: localhost\r\n\
         X-Transmission-Session-Id: {}\r\nContent-Length: 104857600\r\n\r\n",
        remote.word
    );
    assert_eq!(exchange(&remote.addr, head.as_bytes()).0, 413);
    for (host, wanted) in [("evil.example", 421), ("127.0.0.1", 409)] {
        let raw =
            format!("GET /transmission/rpc HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        assert_eq!(exchange(&remote.addr, raw.as_bytes()).0, wanted, "{host}");
    }
    assert_eq!(remote.ok("session-stats", json!({}))["torrentCount"], 0);
    drop(silent);
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn what_cannot_be_remembered_is_done_and_the_answer_says_so() {
    let dir = Workdir::new("remote-unkept");
    let a = torrent(&dir, "a", 10_000);
    dir.write("file", b"where the state should be");
    let mut running = daemon(&dir, &["--state", "file/state"]);
    let remote = Remote::new(&mut running);
    running.wait_for("state-trouble ");
    let (result, _) = remote.call("torrent-add", json!({ "metainfo": base64::write(&a) }));
    assert!(result.contains("a restart will not know of it"), "{result}");
    assert_eq!(remote.fields("name"), ["a"], "it is here all the same");
    assert_eq!(running.stop(), Some(0));
}

#[test]
fn a_daemon_tells_how_its_node_of_the_dht_is_doing() {
    let dir = Workdir::new("remote-dht");
    let words = |state| ["peer", "--dir", state, "--listen", LOCAL, "--rpc", LOCAL];
    let mut first = dir.start(&[&words(".")[..], &["--dht"]].concat());
    let entry = first.ready("listen");
    dir.write("second/empty", b"");
    let mut second = dir.start(&[&words("second")[..], &["--dht-node", &entry]].concat());
    let rpc = second.ready("rpc");
    let until = Instant::now() + PATIENCE;
    loop {
        let line = dir.ok(&["dht", "--rpc", &rpc]);
        assert!(line.starts_with("dht id=") && line.contains(" joined="), "{line}");
        if line.contains(" nodes=1 good=1 nodes6=0 ") {
            break;
        }
        assert!(Instant::now() < until, "{line}");
    }
    dir.write("third/empty", b"");
    let mut third = dir.start(&words("third"));
    let line = dir.fails(1, &["dht", "--rpc", &third.ready("rpc")]);
    assert!(line.contains("keeps out of the DHT"), "{line}");
}
