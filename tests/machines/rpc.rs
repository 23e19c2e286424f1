//! Remote control without a socket: requests on the left, what is answered and done on the right.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::{Value, json};
use swarmlet::base::limits::{RPC_GUESSES_FREE, RPC_VALUES_MAX};
use swarmlet::base::{Span, Time, TorrentId};
use swarmlet::border::{Input, Output};
use swarmlet::engine::{Engine, Phase, Settings};
use swarmlet::format::base64;
use swarmlet::format::http::{Parsed, Request, Scan};
use swarmlet::rpc::gate::Login;
use swarmlet::rpc::{Effects, Facts, Keep, Options, Rpc, Stored};

const SINGLE: &[u8] = include_bytes!("../../fixtures/torrents/good/single.torrent");
const MANY: &[u8] = include_bytes!("../../fixtures/torrents/good/many.torrent");
const TIERS: &[u8] = include_bytes!("../../fixtures/torrents/good/tiers.torrent");

const DIR: &str = "/srv/down";

/// A node and its remote control.
struct Stage {
    rpc: Rpc,
    engine: Engine,
    now: Time,
    facts: Facts,
    /// What the last call brought about.
    effects: Effects,
}

impl Stage {
    fn new() -> Stage {
        Stage::with_login(None)
    }

    fn with_login(login: Option<Login>) -> Stage {
        let settings = Settings {
            port: 6881,
            connections_max: 200,
            connections_per_torrent_max: 60,
            unchoked_max: 8,
            seed: true,
            explain: false,
        };
        let options = options(login);
        let now = Time::from_millis(1_000);
        let facts = Facts { unix: 1_700_000_000, ..Facts::default() };
        let (rpc, engine) = (Rpc::new(now, options), Engine::new(settings, 7));
        Stage { rpc, engine, now, facts, effects: Effects::default() }
    }

    /// Sends raw bytes; returns status, head and body.
    fn send(&mut self, raw: &[u8]) -> (u16, String, Vec<u8>) {
        let from: SocketAddr = "127.0.0.1:5000".parse().expect("an address");
        self.send_from(from, raw)
    }

    fn send_from(&mut self, from: SocketAddr, raw: &[u8]) -> (u16, String, Vec<u8>) {
        self.effects = Effects::default();
        let mut answer = Vec::new();
        let mut scan = Scan::default();
        let rpc = &mut self.rpc;
        let now = self.now;
        let parsed =
            Request::parse_admitted(raw, &mut scan, |head| rpc.body_bytes_max(now, from, head));
        match parsed {
            Parsed::Done { request, .. } => {
                if let Some(call) = self.rpc.receive(now, from, &request, &mut answer) {
                    let (engine, effects) = (&mut self.engine, &mut self.effects);
                    answer = self.rpc.carry_out(now, call, &self.facts, engine, effects).response;
                }
            }
            Parsed::Bad(status) => self.rpc.refuse(status, false, &mut answer),
            Parsed::More => panic!("not a whole request: {}", String::from_utf8_lossy(raw)),
        }
        self.engine.check();
        let end = answer.windows(4).position(|end| end == b"\r\n\r\n").expect("a head") + 4;
        let head = String::from_utf8(answer[..end].to_vec()).expect("a head is ASCII");
        (head[9..12].parse().expect("a status"), head, answer[end..].to_vec())
    }

    /// Posts a body with everything that the gate wants; returns the answer as JSON.
    fn post(&mut self, body: &[u8]) -> Value {
        let word = word();
        let mut raw = format!(
            "POST /transmission/rpc HTTP/1.1\r\nHost: localhost:9091\r\n\
             X-Transmission-Session-Id: {word}\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        raw.extend_from_slice(body);
        let (status, head, body) = self.send(&raw);
        assert_eq!(status, 200, "{head}");
        assert!(head.contains("Content-Type: application/json; charset=UTF-8\r\n"), "{head}");
        serde_json::from_slice(&body).expect("the answer is JSON")
    }

    /// Calls a method; returns `result` and `arguments`.
    fn call(&mut self, method: &str, arguments: Value) -> (String, Value) {
        let body = json!({ "method": method, "arguments": arguments, "tag": 7 });
        let answer = self.post(body.to_string().as_bytes());
        assert_eq!(answer["tag"], 7);
        let result = answer["result"].as_str().expect("a result").to_owned();
        (result, answer["arguments"].clone())
    }

    /// Calls what must succeed.
    fn ok(&mut self, method: &str, arguments: Value) -> Value {
        let (result, said) = self.call(method, arguments.clone());
        assert_eq!(result, "success", "{method} {arguments}");
        said
    }

    /// Calls what must fail; returns why.
    fn fails(&mut self, method: &str, arguments: Value) -> String {
        let (result, said) = self.call(method, arguments.clone());
        assert_ne!(result, "success", "{method} {arguments}");
        assert_eq!(said, json!({}), "{method} {arguments}");
        assert!(self.effects.keep.is_empty() && self.effects.out.is_empty(), "{method} changes");
        result
    }

    /// Adds a torrent and lets its survey find nothing.
    fn add(&mut self, torrent: &[u8]) -> TorrentId {
        let said = self.ok("torrent-add", json!({ "metainfo": base64::write(torrent) }));
        let id = said["torrent-added"]["id"].as_u64().expect("an id");
        let id = TorrentId(u32::try_from(id).expect("a small id"));
        let files = self.engine.layout(id).expect("it is here").files().len();
        let result = Ok(vec![None; files]);
        self.tell(Input::Surveyed { torrent: id, result, resume: None });
        self.tell(Input::Prepared { torrent: id, result: Ok(()) });
        id
    }

    fn tell(&mut self, input: Input<'_>) {
        self.engine.handle(self.now, input, &mut Vec::new());
    }

    /// One field of one torrent.
    fn field(&mut self, id: TorrentId, field: &str) -> Value {
        let said = self.ok("torrent-get", json!({ "ids": [id.0], "fields": [field] }));
        said["torrents"][0][field].clone()
    }

    /// What would be found in the state directory after the effects so far.
    fn kept(keep: &[Keep], ending: &str) -> Option<Vec<u8>> {
        let mut keep = keep.iter().rev();
        keep.find(|keep| keep.path.last().is_some_and(|name| name.ends_with(ending)))?.bytes.clone()
    }
}

fn options(login: Option<Login>) -> Options {
    Options {
        dir: PathBuf::from(DIR),
        roots: vec![PathBuf::from(DIR)],
        state_dir: PathBuf::from("/srv/state"),
        login,
        names: vec!["nas".into()],
        secret: (0..48).collect(),
        peer_port: 6881,
        usual: serde_json::Map::new(),
    }
}

/// The session word that the secret of the stage makes.
fn word() -> String {
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"[..48].to_owned()
}

// ── The gate ────────────────────────────────────────────────────────────────────────────────

#[test]
#[rustfmt::skip]
fn rows_84_and_85_the_gate_checks_in_its_order() {
    let word = word();
    let good = format!("Host: localhost\r\nX-Transmission-Session-Id: {word}\r\n");
    let rows: &[(&str, String, u16)] = &[
        ("POST /transmission/rpc",  good.clone(),                                             200),
        ("POST /transmission/rpc/", good.clone(),                                             200),
        // Session before method: remote controls log in with GET.
        ("GET /transmission/rpc",   "Host: localhost\r\n".into(),                             409),
        ("POST /transmission/rpc",  "Host: localhost\r\n".into(),                             409),
        ("POST /transmission/rpc",  "Host: localhost\r\nX-Transmission-Session-Id: x\r\n".into(), 409),
        ("GET /transmission/rpc",   good.clone(),                                             405),
        ("OPTIONS /transmission/rpc", good.clone(),                                           405),
        // Hosts: numbers and names of ours.
        ("POST /transmission/rpc",  good.replace("localhost", "127.0.0.1:9091"),              200),
        ("POST /transmission/rpc",  good.replace("localhost", "[::1]:9091"),                  200),
        ("POST /transmission/rpc",  good.replace("localhost", "LOCALHOST."),                  200),
        ("POST /transmission/rpc",  good.replace("localhost", "nas:9091"),                    200),
        ("POST /transmission/rpc",  good.replace("localhost", "evil.example"),                421),
        ("POST /transmission/rpc",  good.replace("localhost", "localhost.evil.example"),      421),
        ("POST /transmission/rpc",  good.replace("localhost", "127.0.0.1.evil.example"),      421),
        ("POST /transmission/rpc",  good.replace("localhost", "nas.evil.example:9091"),       421),
        ("POST /transmission/rpc",  format!("X-Transmission-Session-Id: {word}\r\n"),         421),
        // Pages of other places.
        ("POST /transmission/rpc",  format!("{good}Origin: http://localhost\r\n"),            200),
        ("POST /transmission/rpc",  format!("{good}Origin: http://evil.example\r\n"),         403),
        ("POST /transmission/rpc",  format!("{good}Origin: null\r\n"),                        403),
        ("POST /transmission/rpc",  format!("{good}Origin: http://localhost:1234\r\n"),       403),
    ];
    for (line, headers, wanted) in rows {
        let body = r#"{"method":"session-stats"}"#;
        let raw = format!("{line} HTTP/1.1\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len());
        let (status, head, _) = Stage::new().send(raw.as_bytes());
        assert_eq!(status, *wanted, "{raw}\n{head}");
        let (status, _, _) = Stage::new().send(format!("{line} HTTP/1.1\r\n{headers}\r\n").as_bytes());
        assert_eq!(status, *wanted, "without a body: {raw}");
    }
}

#[test]
fn row_84_the_session_word_stands_in_the_head_and_in_the_body() {
    let (status, head, body) =
        Stage::new().send(b"GET /transmission/rpc HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let line = format!("X-Transmission-Session-Id: {}", word());
    assert_eq!(status, 409);
    assert!(head.contains(&format!("{line}\r\n")), "{head}");
    assert!(String::from_utf8(body).expect("text").contains(&line));
    assert!(!head.contains("Access-Control-Allow-Origin"), "{head}");
}

#[test]
fn rows_86_and_99_nothing_else_is_served_and_nothing_is_a_page() {
    for path in [
        "/",
        "/transmission/web/",
        "/transmission/web/../../etc/passwd",
        "/transmission/web/%2e%2e/%2e%2e/etc/passwd",
        "/transmission/web/..\\..\\etc\\passwd",
        "/transmission/rpc/../rpc",
        "/transmission/rpcx",
    ] {
        let raw = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let (status, head, body) = Stage::new().send(raw.as_bytes());
        assert_eq!(status, 404, "{path}");
        assert!(!String::from_utf8(body).expect("text").contains("passwd"), "echoes {path}");
        for line in
            ["X-Content-Type-Options: nosniff", "default-src 'none'", "X-Frame-Options: DENY"]
        {
            assert!(head.contains(line), "{head}");
        }
    }
    let mut stage = Stage::new();
    let torrent = String::from_utf8_lossy(SINGLE).into_owned();
    assert!(!torrent.is_empty());
    let body = br#"{"method":"<img src=x onerror=alert(1)>"}"#;
    assert_eq!(stage.post(body)["result"], "method name not recognized");
}

#[test]
fn row_97_wrong_passwords_are_answered_ever_more_slowly() {
    let login = Login { user: "me".into(), password: "word".into() };
    let mut stage = Stage::with_login(Some(login));
    let ask = |password: &str| {
        let said = base64::write(format!("me:{password}").as_bytes());
        format!(
            "GET /transmission/rpc HTTP/1.1\r\nHost: nas\r\nAuthorization: Basic {said}\r\n\r\n"
        )
    };
    let (status, head, _) =
        stage.send(b"GET /transmission/rpc HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(status, 401, "who says nothing is asked");
    assert!(head.contains("WWW-Authenticate: Basic realm="), "{head}");
    assert!(!head.contains("Session-Id"), "{head}");
    assert_eq!(stage.send(ask("word").as_bytes()).0, 409, "the right one passes");
    for wrong in ["", "wor", "word2", "WORD"] {
        assert_eq!(stage.send(ask(wrong).as_bytes()).0, 401);
    }
    let mut refused = 0;
    for _ in 0..10_000 {
        stage.now += Span::from_millis(10);
        match stage.send(ask("guess").as_bytes()).0 {
            401 => {}
            403 => refused += 1,
            other => panic!("{other}"),
        }
    }
    let tried = 10_000 - refused;
    // A hundred seconds: 1 + 2 + 4 + 8 + 16 + 32 fit into them, and the next is too long.
    assert!(tried <= 4 + RPC_GUESSES_FREE as usize + 8, "{tried} guesses were looked at");
    assert_eq!(stage.send(ask("word").as_bytes()).0, 403, "and the right one is not looked at");
    let other: SocketAddr = "127.0.0.2:5000".parse().expect("an address");
    assert_eq!(stage.send_from(other, ask("word").as_bytes()).0, 409, "others are not concerned");
    stage.now += Span::from_secs(1000);
    assert_eq!(stage.send(ask("word").as_bytes()).0, 409);
}

#[test]
fn row_97_what_a_large_body_claims_is_no_way_to_guess() {
    let login = Login { user: "me".into(), password: "word".into() };
    let mut stage = Stage::with_login(Some(login));
    let raw = "POST /transmission/rpc HTTP/1.1\r\nHost: localhost\r\n\
               Authorization: Basic bm86bm8=\r\nContent-Length: 1000000\r\n\r\n";
    for round in 0..30 {
        let (status, head, _) = stage.send(raw.as_bytes());
        let wanted = if round < RPC_GUESSES_FREE { 401 } else { 403 };
        assert_eq!(status, wanted, "round {round}: {head}");
    }
}

#[test]
fn row_87_lengths_that_cannot_be_are_refused() {
    let word = word();
    for (length, wanted) in [
        ("1000000000000", 413),
        ("16777217", 413),
        ("-1", 400),
        ("1\r\nContent-Length: 2", 400),
        ("1\r\nTransfer-Encoding: chunked", 400),
    ] {
        let raw = format!(
            "POST /transmission/rpc HTTP/1.1\r\nHost: localhost\r\n\
             X-Transmission-Session-Id: {word}\r\nContent-Length: {length}\r\n\r\n"
        );
        assert_eq!(Stage::new().send(raw.as_bytes()).0, wanted, "{length}");
    }
}

// ── What is no call ─────────────────────────────────────────────────────────────────────────

#[test]
fn row_88_what_is_not_json_is_said_and_harms_nobody() {
    let deep = [b"[".repeat(10_000), b"]".repeat(10_000)].concat();
    let wide = [b"[".as_slice(), &b"[],".repeat(RPC_VALUES_MAX), b"[]]"].concat();
    let keys = br#"{"method":"session-get","method":"session-close"}"#;
    let rows: &[(&[u8], &str)] = &[
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"nonsense", "not JSON"),
        (b"{\"method\":\"session-get\"} x", "not JSON"),
        (b"{\"method\":\"\xff\xfe\"}", "not JSON"),
        (br#"{"method":"\ud800"}"#, "not JSON"),
        (br#"{"method":1e999}"#, "not JSON"),
        (&deep, "not JSON"),
        (&wide, "too many values"),
        (keys, "twice"),
        (b"[]", "not an object"),
        (b"null", "not an object"),
        (b"{}", "no method name"),
        (br#"{"method":21}"#, "no method name"),
        (br#"{"method":"no-such"}"#, "not recognized"),
    ];
    for (body, wanted) in rows {
        let mut stage = Stage::new();
        let answer = stage.post(body);
        let result = answer["result"].as_str().expect("a result");
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]);
        assert!(result.contains(wanted), "{shown}: {result}");
        assert_eq!(answer["arguments"], json!({}), "{shown}");
        assert!(stage.effects.keep.is_empty() && !stage.effects.close, "{shown}");
    }
}

#[test]
fn every_truncation_of_a_call_is_answered() {
    let mut stage = Stage::new();
    let whole = json!({
        "method": "torrent-add", "tag": 3,
        "arguments": { "metainfo": base64::write(SINGLE), "paused": true, "labels": ["a"] },
    })
    .to_string();
    for end in 0..whole.len() {
        let answer = stage.post(&whole.as_bytes()[..end]);
        assert_ne!(answer["result"], "success", "{end} bytes");
    }
    assert_eq!(stage.post(whole.as_bytes())["result"], "success");
}

#[test]
fn row_89_arguments_that_are_none_are_empty() {
    for arguments in ["", r#","arguments":null"#, r#","arguments":21"#, r#","arguments":[]"#] {
        let body = format!(r#"{{"method":"session-get"{arguments}}}"#);
        let answer = Stage::new().post(body.as_bytes());
        assert_eq!(answer["result"], "success", "{body}");
        assert_eq!(answer["arguments"]["rpc-version"], 17);
        assert!(answer.get("tag").is_none());
    }
}

#[test]
fn wrong_types_anywhere_are_an_error_or_nothing_and_never_a_panic() {
    let values = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1.5),
        json!(1e300),
        json!("x"),
        json!([]),
        json!([null, "x", -3]),
        json!({ "a": 1 }),
        json!(u64::MAX),
    ];
    let methods = [
        "session-get",
        "session-set",
        "session-stats",
        "torrent-get",
        "torrent-add",
        "torrent-set",
        "torrent-start",
        "torrent-start-now",
        "torrent-stop",
        "torrent-verify",
        "torrent-reannounce",
        "torrent-remove",
        "torrent-set-location",
        "torrent-rename-path",
        "queue-move-top",
        "queue-move-up",
        "queue-move-down",
        "queue-move-bottom",
        "free-space",
        "port-test",
        "blocklist-update",
        "group-get",
        "group-set",
    ];
    let keys = [
        "ids",
        "fields",
        "format",
        "metainfo",
        "filename",
        "download-dir",
        "paused",
        "labels",
        "peer-limit",
        "files-wanted",
        "files-unwanted",
        "priority-high",
        "priority-low",
        "priority-normal",
        "delete-local-data",
        "path",
        "name",
        "location",
        "queuePosition",
        "seedRatioLimit",
        "seedRatioMode",
        "trackerAdd",
        "trackerRemove",
        "trackerReplace",
        "trackerList",
        "downloadLimit",
        "downloadLimited",
        "bandwidthPriority",
        "group",
        "speed-limit-down",
        "encryption",
        "peer-limit-per-torrent",
        "seedIdleMode",
    ];
    let mut stage = Stage::new();
    stage.add(MANY);
    for method in methods {
        for key in keys {
            for value in &values {
                stage.call(method, json!({ key: value }));
                if stage.engine.torrents().is_empty() || method == "torrent-remove" {
                    stage = Stage::new();
                    stage.add(MANY);
                }
            }
        }
    }
}

// ── Torrents ────────────────────────────────────────────────────────────────────────────────

#[test]
fn a_torrent_is_added_remembered_and_not_added_twice() {
    let mut stage = Stage::new();
    let metainfo = base64::write(SINGLE);
    let said = stage.ok("torrent-add", json!({ "metainfo": metainfo, "labels": ["one", " "] }));
    let added = &said["torrent-added"];
    assert_eq!(added["id"], 1);
    assert_eq!(added["hashString"].as_str().map(str::len), Some(40));
    assert_eq!(stage.effects.places, [(TorrentId(1), PathBuf::from(DIR))]);
    assert!(stage.effects.out.contains(&Output::Survey { torrent: TorrentId(1) }));
    assert_eq!(Stage::kept(&stage.effects.keep, ".torrent").as_deref(), Some(SINGLE));
    let page = Stage::kept(
        &stage.effects.keep,
        &format!("{}.json", added["hashString"].as_str().expect("text")),
    );
    let page: Value = serde_json::from_slice(&page.expect("a page")).expect("JSON");
    assert_eq!((&page["dir"], &page["labels"]), (&json!(DIR), &json!(["one"])));
    let again = stage.ok("torrent-add", json!({ "metainfo": metainfo }));
    assert_eq!(again["torrent-duplicate"], *added);
    assert!(stage.effects.keep.is_empty(), "nothing is new");
}

#[test]
fn rows_91_92_and_93_what_cannot_be_added_is_refused_with_its_reason() {
    let mut stage = Stage::new();
    stage.facts.file = Some(Err("the file cannot be read: not there".into()));
    let good = base64::write(SINGLE);
    for (arguments, wanted) in [
        (json!({}), "no filename or metainfo"),
        (json!({ "metainfo": "!!!" }), "no base64 letter"),
        (json!({ "metainfo": "QQ==QQ" }), "goes on after its end"),
        (json!({ "metainfo": "Q" }), "ends within a byte"),
        (json!({ "metainfo": "" }), "invalid or corrupt torrent file"),
        (json!({ "metainfo": base64::write(b"d4:infoe") }), "invalid or corrupt torrent file"),
        (json!({ "metainfo": base64::write(&[b'A'; 11_000_000]) }), "more than"),
        (json!({ "filename": "magnet:?xt=urn:btih:0123" }), "the magnet link is not usable"),
        (json!({ "filename": "magnet:?xt=urn:btmh:1220aa" }), "only version 1"),
        (json!({ "filename": "/etc/shadow" }), "only files that end in .torrent"),
        (json!({ "filename": "/etc/shadow.torrent" }), "outside"),
        (json!({ "filename": "/srv/down/../../etc/x.torrent" }), "climbs"),
        (json!({ "filename": "x.torrent" }), "not absolute"),
        (json!({ "filename": "file:///etc/passwd" }), "file addresses are not fetched"),
        (json!({ "filename": "http://127.0.0.1/x.torrent" }), "http addresses are not fetched"),
        (json!({ "filename": "/srv/down/x.torrent" }), "cannot be read"),
        (json!({ "metainfo": good, "download-dir": "x" }), "not absolute"),
        (json!({ "metainfo": good, "download-dir": "../x" }), "not absolute"),
        (json!({ "metainfo": good, "download-dir": "/srv/down/../etc" }), "climbs"),
        (json!({ "metainfo": good, "download-dir": "/srv/downtown" }), "outside"),
        (json!({ "metainfo": good, "download-dir": "/etc" }), "outside"),
        (json!({ "metainfo": good, "files-unwanted": [1] }), "out of range"),
    ] {
        let why = stage.fails("torrent-add", arguments.clone());
        assert!(
            why.contains(wanted),
            "{}: {why}",
            arguments.to_string().chars().take(90).collect::<String>()
        );
    }
    assert!(stage.engine.torrents().is_empty());
    // A file of this host, below a directory that may be used.
    stage.facts.file = Some(Ok(SINGLE.to_vec()));
    stage.ok(
        "torrent-add",
        json!({ "filename": "/srv/down/sub/x.torrent", "download-dir": "/srv/down/sub/" }),
    );
    assert_eq!(stage.effects.places[0].1, PathBuf::from("/srv/down/sub"));
}

#[test]
#[rustfmt::skip]
fn row_90_ids_come_in_many_forms_and_unknown_ones_are_skipped() {
    let mut stage = Stage::new();
    let (a, b) = (stage.add(SINGLE), stage.add(MANY));
    let hash = stage.field(b, "hashString");
    let upper = hash.as_str().expect("text").to_uppercase();
    for (ids, wanted) in [
        (json!(1),                             vec![a.0]),
        (json!([2, 1]),                        vec![b.0, a.0]),
        (json!([1, 1, 1]),                     vec![a.0]),
        (json!(hash),                          vec![b.0]),
        (json!([upper, 1]),                    vec![b.0, a.0]),
        (json!("recently-active"),             vec![a.0, b.0]),
        (json!([]),                            vec![]),
        (json!([1_000_000_000u64, "zz", -1, 1.5, null, 2]), vec![b.0]),
        (json!(null),                          vec![]),
    ] {
        let said = stage.ok("torrent-get", json!({ "ids": ids, "fields": ["id"] }));
        let got: Vec<Value> = said["torrents"].as_array().expect("a list").clone();
        let wanted: Vec<Value> = wanted.into_iter().map(|id| json!({ "id": id })).collect();
        assert_eq!(got, wanted, "{ids}");
    }
    assert_eq!(stage.ok("torrent-get", json!({ "fields": ["id"] }))["torrents"].as_array().map(Vec::len), Some(2));
    // A minute later nothing has changed any more, and what was removed is told.
    stage.now += Span::from_secs(61);
    stage.ok("torrent-remove", json!({ "ids": [2] }));
    let said = stage.ok("torrent-get", json!({ "ids": "recently-active", "fields": ["id"] }));
    assert_eq!((&said["torrents"], &said["removed"]), (&json!([]), &json!([2])));
}

#[test]
fn fields_come_as_objects_or_as_a_table_and_unknown_ones_not_at_all() {
    let mut stage = Stage::new();
    stage.add(SINGLE);
    let fields = json!(["id", "no-such-field", "status", 21, "id"]);
    let said = stage.ok("torrent-get", json!({ "fields": fields }));
    assert_eq!(said["torrents"], json!([{ "id": 1, "status": 4 }]));
    let said = stage.ok("torrent-get", json!({ "fields": fields, "format": "table" }));
    assert_eq!(said["torrents"], json!([["id", "status"], [1, 4]]));
    assert_eq!(stage.fails("torrent-get", json!({})), "no fields specified");
}

/// What remote controls ask for, as those who read their sources say.
const ASKED: &[&str] = &[
    // transmission-remote 3.00, lists and details
    "error errorString eta id isFinished leftUntilDone name peersGettingFromUs peersSendingToUs \
     rateDownload rateUpload sizeWhenDone status uploadRatio",
    "activityDate addedDate bandwidthPriority comment corruptEver creator dateCreated \
     desiredAvailable doneDate downloadDir downloadedEver downloadLimit downloadLimited \
     hashString haveUnchecked haveValid honorsSessionLimits isPrivate labels magnetLink \
     peersConnected peer-limit pieceCount pieceSize secondsDownloading secondsSeeding \
     seedRatioMode seedRatioLimit startDate totalSize uploadedEver uploadLimit uploadLimited \
     webseeds webseedsSendingToUs files priorities wanted peers pieces trackerStats",
    // the web page of 4.0
    "file-count primary-mime-type isStalled metadataPercentComplete percentDone queuePosition \
     recheckProgress trackers fileStats percentComplete trackerList",
    // Sonarr, Radarr, tremc, Transdroid
    "seedIdleLimit seedIdleMode fileCount group editDate etaIdle manualAnnounceTime \
     maxConnectedPeers availability peersFrom torrentFile",
    // our own
    "pieceHolders pieceStates",
];

#[test]
fn every_field_that_remote_controls_ask_for_is_there_in_its_type() {
    let mut stage = Stage::new();
    let id = stage.add(MANY);
    let fields: Vec<&str> = ASKED.iter().flat_map(|line| line.split_whitespace()).collect();
    let said = stage.ok("torrent-get", json!({ "fields": fields }));
    let torrent = said["torrents"][0].as_object().expect("an object");
    for field in &fields {
        assert!(torrent.contains_key(*field), "{field} is missing");
    }
    // Whole numbers where whole numbers are expected: some remote controls read nothing else.
    for field in ["eta", "leftUntilDone", "rateDownload", "addedDate", "haveValid", "pieceSize"] {
        assert!(torrent[field].is_i64(), "{field}: {}", torrent[field]);
    }
    let layout = stage.engine.layout(id).expect("it is here").clone();
    let count = layout.files().iter().filter(|file| !file.pad).count();
    for list in ["files", "fileStats", "priorities", "wanted"] {
        assert_eq!(torrent[list].as_array().map(Vec::len), Some(count), "{list}");
    }
    assert_eq!(torrent["totalSize"], json!(layout.total_bytes()));
    assert_eq!(torrent["pieceStates"].as_str().map(str::len), Some(layout.piece_count() as usize));
    let stats = stage.ok("session-stats", json!({}));
    assert_eq!((&stats["torrentCount"], &stats["activeTorrentCount"]), (&json!(1), &json!(1)));
    assert!(stats["longestTurn"].is_u64());
}

#[test]
fn limits_that_are_set_are_in_force() {
    use swarmlet::engine::Way;
    let mut stage = Stage::new();
    let id = stage.add(SINGLE);
    let node = |stage: &mut Stage, way| stage.engine.throttle().limit_of(way, None);
    let torrent = |stage: &mut Stage, way| stage.engine.throttle().limit_of(way, Some(id));
    assert_eq!(node(&mut stage, Way::Up), None);
    stage.ok("session-set", json!({ "speed-limit-up": 50, "speed-limit-up-enabled": true }));
    assert_eq!(node(&mut stage, Way::Up), Some(50_000), "kB are 1000 bytes");
    assert_eq!(node(&mut stage, Way::Down), None);
    stage.ok("session-set", json!({ "alt-speed-enabled": true, "alt-speed-down": 7 }));
    assert_eq!(node(&mut stage, Way::Down), Some(7_000), "the turtle goes before");
    stage.ok("session-set", json!({ "alt-speed-enabled": false, "speed-limit-up": 60 }));
    assert_eq!((node(&mut stage, Way::Up), node(&mut stage, Way::Down)), (Some(60_000), None));

    let ids = [id.0];
    let wish = json!({ "ids": ids, "downloadLimit": 20, "downloadLimited": true });
    stage.ok("torrent-set", wish);
    assert_eq!(torrent(&mut stage, Way::Down), Some(20_000));
    stage.now += Span::from_secs(3600);
    let now = stage.now;
    let allowance = |stage: &mut Stage| stage.engine.throttle().allowance(now, Way::Up, Some(id));
    assert_eq!(allowance(&mut stage), 18_000, "three tenths of a second of the node's");
    stage.ok("torrent-set", json!({ "ids": ids, "honorsSessionLimits": false }));
    assert_eq!(allowance(&mut stage), usize::MAX);
    stage.ok("torrent-set", json!({ "ids": ids, "downloadLimited": false }));
    assert_eq!(torrent(&mut stage, Way::Down), None);
}

#[test]
fn the_queue_lets_as_many_run_as_it_may_and_says_who_waits() {
    let mut stage = Stage::new();
    let arguments = json!({ "download-queue-size": 1, "download-queue-enabled": true });
    stage.ok("session-set", arguments);
    let (one, two) = (stage.add(SINGLE), stage.add(MANY));
    assert_eq!((stage.field(one, "status"), stage.field(two, "status")), (json!(4), json!(3)));
    let tiers = stage.add(TIERS);
    stage.ok("queue-move-top", json!({ "ids": [tiers.0] }));
    assert_eq!(stage.field(one, "status"), 4, "who runs keeps the place");
    stage.ok("torrent-stop", json!({ "ids": [one.0] }));
    assert_eq!((stage.field(tiers, "status"), stage.field(two, "status")), (json!(4), json!(3)));
    stage.ok("torrent-start-now", json!({ "ids": [two.0] }));
    assert_eq!((stage.field(tiers, "status"), stage.field(two, "status")), (json!(4), json!(4)));
    // The next run knows of it, too, before anybody runs.
    let kept = stage.ok("session-set", json!({ "download-queue-size": 2 }));
    assert_eq!(kept, json!({}));
    let session = Stage::kept(&stage.effects.keep, "session.json").expect("written");
    let stored =
        [SINGLE, MANY, TIERS].map(|torrent| Stored { torrent: torrent.to_vec(), page: None });
    let mut next = Stage::new();
    let (engine, effects) = (&mut next.engine, &mut next.effects);
    next.rpc.restore(next.now, 0, Some(&session), stored.to_vec(), engine, effects);
    for id in [1, 2, 3].map(TorrentId) {
        let files = next.engine.layout(id).expect("it is here").files().len();
        next.tell(Input::Surveyed { torrent: id, result: Ok(vec![None; files]), resume: None });
    }
    let status = [1, 2, 3].map(|id| next.field(TorrentId(id), "status"));
    assert_eq!(status, [json!(4), json!(4), json!(3)]);
}

/// A stage with a torrent that is complete, as a survey with a record says.
fn seeding(page: Option<Value>, usual: Value) -> (Stage, TorrentId) {
    use swarmlet::base::Bits;
    use swarmlet::format::resume::{FileStamp, Resume};
    let mut stage = Stage::new();
    let Value::Object(usual) = usual else { panic!("no object") };
    let options = Options { usual, ..options(None) };
    stage.rpc = Rpc::new(stage.now, options);
    let page = page.map(|page| page.to_string().into_bytes());
    let stored = vec![Stored { torrent: SINGLE.to_vec(), page }];
    let (engine, effects) = (&mut stage.engine, &mut stage.effects);
    stage.rpc.restore(stage.now, 0, None, stored, engine, effects);
    let id = TorrentId(1);
    let layout = stage.engine.layout(id).expect("it is here").clone();
    let files: Vec<_> = layout
        .files()
        .iter()
        .map(|file| Some(FileStamp { len: file.len, modified_nanos: 7 }))
        .collect();
    let info_hash = stage.engine.metainfo(id).expect("it is here").info_hash;
    let have = Bits::all(layout.piece_count());
    let resume =
        Resume { info_hash, have, files: files.clone(), clean: true, uploaded: 0, downloaded: 0 };
    stage.tell(Input::Surveyed { torrent: id, result: Ok(files), resume: Some(resume) });
    (stage, id)
}

/// Lets the engine do what is due, and the book hear of it.
fn tick(stage: &mut Stage) {
    let mut out = Vec::new();
    while stage.engine.deadline().is_some_and(|(due, _)| due <= stage.now) {
        stage.engine.tick(stage.now, &mut out);
    }
    stage.effects = Effects::default();
    for output in &out {
        let Output::Event(event) = output else { continue };
        stage.rpc.on_event(stage.now, 9, event, &mut stage.engine, &mut stage.effects);
    }
}

#[test]
fn a_torrent_that_gave_enough_in_all_its_runs_stops_and_is_finished() {
    let page = json!({ "dir": DIR, "uploaded": 3000, "downloaded": 1000, "seed_ratio": 2.5 });
    let (mut stage, id) = seeding(Some(page), json!({}));
    tick(&mut stage);
    assert_eq!(stage.field(id, "status"), 6);
    assert_eq!(stage.field(id, "isFinished"), false);
    stage.ok("torrent-set", json!({ "ids": 1, "seedRatioMode": 1 }));
    tick(&mut stage);
    let page = Stage::kept(&stage.effects.keep, ".json").expect("it is written down");
    assert_eq!(stage.field(id, "status"), 0);
    assert_eq!(stage.field(id, "isFinished"), true);
    // The next run knows it, and a start by hand goes on, in the runs after that, too.
    let page: Value = serde_json::from_slice(&page).expect("JSON");
    assert_eq!((&page["paused"], &page["finished"]), (&json!(true), &json!(true)));
    let (mut stage, id) = seeding(Some(page), json!({}));
    assert_eq!(stage.field(id, "isFinished"), true);
    stage.ok("torrent-start", json!({ "ids": 1 }));
    let page = Stage::kept(&stage.effects.keep, ".json").expect("it is written down");
    assert_eq!(stage.field(id, "isFinished"), false);
    assert_eq!(stage.field(id, "seedRatioMode"), 2, "no goal any more");
    let (mut stage, id) = seeding(Some(serde_json::from_slice(&page).expect("JSON")), json!({}));
    tick(&mut stage);
    assert_eq!(
        (stage.field(id, "status"), stage.field(id, "isFinished")),
        (json!(6), json!(false))
    );
}

#[test]
fn goals_of_the_node_are_for_those_who_have_none_of_their_own() {
    let usual = json!({ "seedRatioLimited": true, "seedRatioLimit": 2.0 });
    let page = |mode: u8| {
        json!({ "dir": DIR, "uploaded": 3000, "downloaded": 1000,
        "seed_ratio": 9.0, "seed_ratio_mode": mode })
    };
    for (mode, status) in [(0, 0), (1, 6), (2, 6)] {
        let (mut stage, id) = seeding(Some(page(mode)), usual.clone());
        tick(&mut stage);
        assert_eq!(stage.field(id, "status"), status, "mode {mode}");
        let session = stage.ok("session-get", json!({}));
        assert_eq!(
            (&session["seedRatioLimit"], &session["seedRatioLimited"]),
            (&json!(2.0), &json!(true))
        );
    }
    // Idle: by the clock of the session.
    let (mut stage, id) = seeding(None, json!({}));
    let wish = json!({ "idle-seeding-limit": 5, "idle-seeding-limit-enabled": true });
    stage.ok("session-set", wish);
    for (secs, status) in [(299, 6), (1, 0)] {
        stage.now += Span::from_secs(secs);
        tick(&mut stage);
        assert_eq!(stage.field(id, "status"), status);
    }
}

#[test]
fn stopping_and_starting_reach_the_engine_and_the_book() {
    let mut stage = Stage::new();
    let id = stage.add(SINGLE);
    stage.ok("torrent-stop", json!({ "ids": id.0 }));
    let page = Stage::kept(&stage.effects.keep, ".json").expect("it is written down");
    assert!(String::from_utf8(page).expect("text").contains("\"paused\": true"));
    assert_eq!(stage.field(id, "status"), 0);
    stage.ok("torrent-stop", json!({ "ids": id.0 }));
    assert!(stage.effects.keep.is_empty(), "nothing is new");
    for method in ["torrent-start", "torrent-start-now", "torrent-verify", "torrent-reannounce"] {
        stage.ok(method, json!({ "ids": [id.0] }));
    }
    assert_ne!(stage.engine.phase(id), Some(Phase::Stopped));
}

#[test]
fn what_is_removed_is_forgotten_and_its_files_only_if_wanted() {
    for (erase, arguments) in
        [(false, json!({ "ids": [1] })), (true, json!({ "ids": [1], "delete-local-data": true }))]
    {
        let mut stage = Stage::new();
        let id = stage.add(SINGLE);
        stage.ok("torrent-remove", arguments);
        let torn: Vec<_> = stage.effects.keep.iter().filter(|keep| keep.bytes.is_none()).collect();
        assert_eq!(torn.len(), 2, "the copy and the page");
        assert!(stage.effects.out.iter().any(|output| matches!(output, Output::Save { .. })));
        assert_eq!(stage.ok("torrent-get", json!({ "fields": ["id"] }))["torrents"], json!([]));
        let mut out = Vec::new();
        let have = swarmlet::base::Bits::none(1);
        let saved = Input::Saved { torrent: id, have, result: Ok(()) };
        stage.engine.handle(stage.now, saved, &mut out);
        assert!(out.contains(&Output::Remove { torrent: id, erase }), "{out:?}");
    }
}

// ── Wishes ──────────────────────────────────────────────────────────────────────────────────

#[test]
fn row_95_files_out_of_range_are_refused_and_nothing_grows() {
    let mut stage = Stage::new();
    let id = stage.add(MANY);
    let before = stage.field(id, "wanted");
    for files in
        [json!([4_294_967_295u32]), json!([-1]), json!([1.5]), json!(["x"]), json!([0, 999])]
    {
        for key in ["files-unwanted", "files-wanted", "priority-high", "priority-low"] {
            let why = stage.fails("torrent-set", json!({ "ids": [1], key: files }));
            assert!(why.contains("out of range"), "{why}");
        }
    }
    assert_eq!(stage.field(id, "wanted"), before);
    stage.ok("torrent-set", json!({ "ids": [1], "files-unwanted": [1], "priority-high": [0] }));
    assert_eq!(stage.field(id, "wanted")[1], 0);
    assert_eq!(stage.field(id, "priorities")[0], 1);
    stage.ok("torrent-set", json!({ "ids": [1], "files-wanted": [], "priority-normal": [] }));
    assert_eq!(stage.field(id, "wanted"), before);
}

#[test]
fn wishes_are_remembered_over_a_restart() {
    let mut stage = Stage::new();
    let id = stage.add(MANY);
    let wishes = json!({
        "ids": [id.0], "downloadLimit": 77, "downloadLimited": true, "uploadLimit": 5,
        "labels": ["films", "films", "\u{1b}[2Jx"], "bandwidthPriority": -1, "peer-limit": 9,
        "seedRatioLimit": 1.5, "seedRatioMode": 1, "seedIdleLimit": 60, "seedIdleMode": 1,
        "files-unwanted": [0], "priority-low": [1], "trackerAdd": ["http://t.example/announce"],
        "honorsSessionLimits": 0, "group": "g",
    });
    stage.ok("torrent-set", wishes);
    let page = Stage::kept(&stage.effects.keep, ".json");
    stage.ok("session-set", json!({ "speed-limit-down": 300, "speed-limit-down-enabled": true }));
    let session = Stage::kept(&stage.effects.keep, "session.json");
    let mut again = Stage::new();
    let stored = vec![Stored { torrent: MANY.to_vec(), page }];
    let (engine, effects) = (&mut again.engine, &mut again.effects);
    let odd = again.rpc.restore(again.now, 5, session.as_deref(), stored, engine, effects);
    assert_eq!(odd, Vec::<String>::new());
    for (field, wanted) in [
        ("downloadLimit", json!(77)),
        ("downloadLimited", json!(true)),
        ("uploadLimit", json!(5)),
        ("labels", json!(["films", "[2Jx"])),
        ("bandwidthPriority", json!(-1)),
        ("peer-limit", json!(9)),
        ("maxConnectedPeers", json!(9)),
        ("seedRatioLimit", json!(1.5)),
        ("seedRatioMode", json!(1)),
        ("seedIdleLimit", json!(60)),
        ("honorsSessionLimits", json!(false)),
        ("group", json!("g")),
        ("addedDate", json!(1_700_000_000)),
        ("downloadDir", json!(DIR)),
    ] {
        assert_eq!(again.field(TorrentId(1), field), wanted, "{field}");
    }
    assert_eq!(again.field(TorrentId(1), "wanted")[0], 0);
    let trackers = again.field(TorrentId(1), "trackerList");
    assert!(trackers.as_str().expect("text").ends_with("http://t.example/announce"), "{trackers}");
    let session = again.ok("session-get", json!({ "fields": ["speed-limit-down"] }));
    assert_eq!(session, json!({ "speed-limit-down": 300 }));
    let stats = again.ok("session-stats", json!({}));
    assert_eq!(stats["cumulative-stats"]["filesAdded"], 1);
}

#[test]
fn a_book_that_somebody_spoilt_costs_a_warning_and_no_torrent() {
    for spoilt in [&b"{"[..], b"[]", b"{\"dir\": 7}", b"\xff", b""] {
        let mut stage = Stage::new();
        let stored = vec![
            Stored { torrent: SINGLE.to_vec(), page: Some(spoilt.to_vec()) },
            Stored { torrent: b"nonsense".to_vec(), page: None },
            Stored { torrent: MANY.to_vec(), page: None },
        ];
        let (engine, effects) = (&mut stage.engine, &mut stage.effects);
        let odd = stage.rpc.restore(stage.now, 5, Some(spoilt), stored, engine, effects);
        assert!((1..=3).contains(&odd.len()), "{odd:?}");
        assert_eq!(stage.engine.torrents().len(), 2);
    }
}

#[test]
fn trackers_are_added_removed_and_replaced() {
    let mut stage = Stage::new();
    let id = stage.add(TIERS);
    let list = |stage: &mut Stage| {
        let list = stage.field(id, "trackerList");
        list.as_str().expect("text").to_owned()
    };
    let before = list(&mut stage);
    assert!(before.contains("\n\n"), "several tiers: {before}");
    let new = "http://new.example/announce";
    stage.ok("torrent-set", json!({ "ids": [1], "trackerAdd": [new] }));
    assert_eq!(list(&mut stage), format!("{before}\n\n{new}"));
    let number =
        stage.field(id, "trackers").as_array().expect("a list").last().expect("one")["id"].clone();
    let other = "http://other.example/announce";
    stage.ok("torrent-set", json!({ "ids": [1], "trackerReplace": [number, other] }));
    assert_eq!(list(&mut stage), format!("{before}\n\n{other}"));
    let number =
        stage.field(id, "trackers").as_array().expect("a list").last().expect("one")["id"].clone();
    stage.ok("torrent-set", json!({ "ids": [1], "trackerRemove": [number] }));
    assert_eq!(list(&mut stage), before);
    for (arguments, wanted) in [
        (json!({ "trackerAdd": ["file:///etc/passwd"] }), "file"),
        (json!({ "trackerAdd": ["http://a\r\nX: y"] }), "http"),
        (json!({ "trackerRemove": [99] }), "no such tracker"),
        (json!({ "trackerReplace": [0] }), "pairs"),
        (json!({ "trackerReplace": [99, new] }), "no such tracker"),
        (json!({ "trackerList": "javascript:x" }), "javascript"),
    ] {
        let why = stage.fails("torrent-set", arguments.clone());
        assert!(why.contains(wanted), "{arguments}: {why}");
    }
    stage.ok("torrent-set", json!({ "trackerList": format!("{new}\n{other}\n\n{new}2") }));
    assert_eq!(list(&mut stage), format!("{new}\n{other}\n\n{new}2"));
}

#[test]
fn rows_94_and_98_names_that_climb_and_scripts_are_refused() {
    let mut stage = Stage::new();
    stage.add(SINGLE);
    for name in ["../x", "", "a/b", ".", ".."] {
        let arguments = json!({ "ids": [1], "path": "single", "name": name });
        assert_eq!(stage.fails("torrent-rename-path", arguments), "a name is one component");
    }
    for key in ["script-torrent-done-filename", "script-torrent-added-enabled", "incomplete-dir"] {
        let why = stage.fails("session-set", json!({ key: "/bin/sh" }));
        assert!(why.contains("cannot be set by remote control"), "{why}");
        assert_ne!(stage.ok("session-get", json!({}))[key], "/bin/sh");
    }
    for dir in ["x", "/srv/down/../..", "/etc"] {
        stage.fails("session-set", json!({ "download-dir": dir }));
        stage.fails("free-space", json!({ "path": dir }));
    }
}

#[test]
fn the_session_has_every_key_that_remote_controls_insist_on() {
    let mut stage = Stage::new();
    stage.facts.space = Some((1000, 2000));
    let session = stage.ok("session-get", json!({}));
    for key in "alt-speed-down alt-speed-up alt-speed-time-begin alt-speed-time-end \
        alt-speed-time-day blocklist-size cache-size-mb download-dir-free-space \
        download-queue-size idle-seeding-limit peer-limit-global peer-limit-per-torrent peer-port \
        queue-stalled-minutes rpc-version rpc-version-minimum seed-queue-size speed-limit-down \
        speed-limit-up alt-speed-enabled alt-speed-time-enabled blocklist-enabled dht-enabled \
        download-queue-enabled idle-seeding-limit-enabled incomplete-dir-enabled lpd-enabled \
        peer-port-random-on-start pex-enabled port-forwarding-enabled queue-stalled-enabled \
        rename-partial-files script-torrent-done-enabled seed-queue-enabled seedRatioLimited \
        speed-limit-down-enabled speed-limit-up-enabled start-added-torrents \
        trash-original-torrent-files utp-enabled blocklist-url config-dir default-trackers \
        download-dir encryption incomplete-dir rpc-version-semver session-id version \
        script-torrent-done-filename seedRatioLimit units"
        .split_whitespace()
    {
        assert!(session.get(key).is_some(), "{key} is missing");
    }
    let version = session["version"].as_str().expect("text");
    assert!(version.starts_with("4.0.6 "), "{version}");
    assert_eq!(session["download-dir-free-space"], 1000);
    let finders = ["dht-enabled", "lpd-enabled", "pex-enabled"].map(|key| session[key].clone());
    assert_eq!(finders, [false, false, true]);
    stage.ok("session-set", json!({ "pex-enabled": false }));
    assert_eq!(stage.ok("session-get", json!({}))["pex-enabled"], false);
    let space = stage.ok("free-space", json!({ "path": DIR }));
    assert_eq!(space, json!({ "path": DIR, "size-bytes": 1000, "total_size": 2000 }));
    stage.ok("session-close", json!({}));
    assert!(stage.effects.close);
}

#[test]
fn the_queue_keeps_an_order_that_can_be_changed() {
    let mut stage = Stage::new();
    for torrent in [SINGLE, MANY, TIERS] {
        stage.add(torrent);
    }
    let order = |stage: &mut Stage| {
        let said = stage.ok("torrent-get", json!({ "fields": ["id", "queuePosition"] }));
        let mut all: Vec<(u64, u64)> = said["torrents"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|row| {
                (
                    row["queuePosition"].as_u64().expect("a place"),
                    row["id"].as_u64().expect("an id"),
                )
            })
            .collect();
        all.sort_unstable();
        assert!(all.iter().map(|(place, _)| *place).eq(0..all.len() as u64), "{all:?}");
        all.into_iter().map(|(_, id)| id).collect::<Vec<_>>()
    };
    for (method, ids, wanted) in [
        ("queue-move-top", json!([3]), [3, 1, 2]),
        ("queue-move-down", json!([3]), [1, 3, 2]),
        ("queue-move-up", json!([2]), [1, 2, 3]),
        ("queue-move-bottom", json!([1, 2]), [3, 1, 2]),
        ("queue-move-up", json!([3]), [3, 1, 2]),
    ] {
        stage.ok(method, json!({ "ids": ids }));
        assert_eq!(order(&mut stage), wanted, "{method} {ids}");
    }
    stage.ok("torrent-set", json!({ "ids": [2], "queuePosition": 0 }));
    assert_eq!(order(&mut stage), [2, 3, 1]);
    stage.ok("torrent-remove", json!({ "ids": [3] }));
    assert_eq!(order(&mut stage), [2, 1]);
}

#[test]
#[rustfmt::skip]
fn a_timetable_says_when_it_is_on() {
    use swarmlet::rpc::hours::Timetable;
    // begin, end, days (Sunday 1 … Saturday 64), weekday, minute, whether it is on
    let rows = [
        (540,  1020, 127, 3, 539,  false),
        (540,  1020, 127, 3, 540,  true),
        (540,  1020, 127, 3, 1019, true),
        (540,  1020, 127, 3, 1020, false),
        (540,  1020, 8,   3, 600,  true),
        (540,  1020, 8,   4, 600,  false),
        // Over midnight: it belongs to the day on which it begins.
        (1320, 360,  64,  6, 1320, true),
        (1320, 360,  64,  0, 359,  true),
        (1320, 360,  64,  0, 360,  false),
        (1320, 360,  64,  0, 1330, false),
        (1320, 360,  64,  6, 10,   false),
        // From a minute to the same: a whole day.
        (600,  600,  2,   1, 600,  true),
        (600,  600,  2,   2, 599,  true),
        (600,  600,  2,   2, 600,  false),
        (0,    1439, 0,   0, 5,    false),
    ];
    for (begin, end, days, weekday, minute, wanted) in rows {
        let is_on = Timetable { begin, end, days }.is_on(weekday, minute);
        assert_eq!(is_on, wanted, "{begin} {end} {days} {weekday} {minute}");
    }
}

#[test]
fn the_clock_switches_the_turtle_and_a_person_may_switch_in_between() {
    use swarmlet::engine::Way;
    let mut stage = Stage::new();
    stage.rpc.set_zone(swarmlet::format::zone::Zone::parse("XXX-1").expect("a rule"));
    // A Thursday, 08:59:30 by a clock that is an hour ahead.
    let begin = 8 * 3600 - 30;
    stage.facts.unix = begin;
    let up = |stage: &mut Stage| stage.engine.throttle().limit_of(Way::Up, None);
    let hours = json!({ "alt-speed-up": 5, "alt-speed-time-begin": 540, "alt-speed-time-end": 541,
        "alt-speed-time-day": 16, "alt-speed-time-enabled": true });
    stage.ok("session-set", hours);
    assert_eq!(up(&mut stage), None);
    let start = stage.now;
    assert_eq!(stage.rpc.deadline(), Some(start + Span::from_secs(30)), "at the full minute");
    let at = |stage: &mut Stage, secs: u64| {
        stage.now = start + Span::from_secs(secs);
        stage.facts.unix = begin + i64::try_from(secs).expect("small");
        let (engine, effects) = (&mut stage.engine, &mut stage.effects);
        stage.rpc.tick(stage.now, stage.facts.unix, engine, effects);
    };
    at(&mut stage, 30);
    assert_eq!(up(&mut stage), Some(5_000));
    assert_eq!(stage.ok("session-get", json!({}))["alt-speed-enabled"], true);
    stage.ok("session-set", json!({ "alt-speed-enabled": false }));
    at(&mut stage, 60);
    assert_eq!(up(&mut stage), None, "a person switched it off");
    stage.ok("session-set", json!({ "alt-speed-enabled": true }));
    at(&mut stage, 90);
    assert_eq!(up(&mut stage), None, "its hour is over");
    at(&mut stage, 30 + 7 * 86_400);
    assert_eq!(up(&mut stage), Some(5_000), "a week later");
    stage.ok("session-set", json!({ "alt-speed-time-enabled": false }));
    assert_eq!(stage.rpc.deadline(), None);
}
