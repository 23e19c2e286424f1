//! The tracker's library, by commands alone: publish, search, fetch, swarm, and restarts between.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::workdir::{PATIENCE, Running, Workdir, noise, value};

const LOCAL: &str = "127.0.0.1:0";

/// A tracker that keeps everything in `lib` and `state`, and its address.
fn keeper(dir: &Workdir, http: &str, more: &[&str]) -> (Running, String) {
    let words = ["tracker", "--http", http, "--library", "lib", "--state", "state"];
    let mut tracker = dir.start(&[&words[..], more].concat());
    let addr = tracker.ready("http");
    (tracker, addr)
}

/// What an HTTP request brings: status and everything behind the head.
fn ask(addr: &str, request: &[u8]) -> (u16, String) {
    let mut stream = TcpStream::connect(addr).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // Who refuses the head need not take the body.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = text.get(9..12).and_then(|code| code.parse().ok()).unwrap_or(0);
    (status, text.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned())
}

fn get(addr: &str, target: &str) -> (u16, String) {
    ask(addr, format!("GET {target} HTTP/1.1\r\nConnection: close\r\n\r\n").as_bytes())
}

/// Waits until the state file is there and names so many bytes at least.
fn wait_for_state(dir: &Workdir, bytes: u64) {
    let until = Instant::now() + PATIENCE;
    while fs::metadata(dir.path("state")).map_or(0, |about| about.len()) < bytes {
        assert!(Instant::now() < until, "no census was taken");
        std::thread::yield_now();
    }
}

/// Bytes of a census of one IPv4 peer in one torrent.
const STATE_OF_ONE: u64 = 18 + 8 + 43 + 8 + 21;

#[test]
fn what_is_published_is_found_fetched_and_shared_and_outlives_a_kill() {
    let dir = Workdir::new("library");
    let album = dir.album();
    let (mut tracker, addr) = keeper(&dir, LOCAL, &[]);
    let announce = format!("http://{addr}/announce");
    let made = dir.ok(&["create", album, "--tracker", &announce]);
    let hash = value(&made, "info_hash");

    // 1. Publish, to the torrent's own tracker.
    let told = dir.ok(&["publish", "album.torrent"]);
    assert!(told.starts_with("published name=album "), "{told}");
    assert_eq!((value(&told, "info_hash"), value(&told, "new")), (hash.clone(), "true".into()));
    assert_eq!(dir.read(&format!("lib/{hash}.torrent")), dir.read("album.torrent"));
    let again = dir.ok(&["publish", "album.torrent", "--tracker", &addr, "--json"]);
    let again: serde_json::Value = serde_json::from_str(&again).unwrap();
    assert_eq!(again["new"], false);

    // 2. Share, so that the tracker knows somebody.
    let mut sharer = dir.start(&["share", "album.torrent", "--listen", LOCAL]);
    let listen = sharer.ready("listen");
    sharer.wait_for("tracker-ok ");
    wait_for_state(&dir, STATE_OF_ONE);

    // 3. The tracker dies without a warning, and comes back.
    tracker.signal(Signal::KILL);
    tracker.end(PATIENCE);
    let (tracker, _) = keeper(&dir, &addr, &[]);

    // 4. Search and fetch.
    let site = format!("http://{addr}");
    let found = dir.ok(&["search", "FRONT", "page", "--tracker", &site]);
    assert_eq!((value(&found, "name"), value(&found, "seeds")), ("album".into(), "1".into()));
    let listed = dir.ok(&["fetch", "--tracker", &announce, "--json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["torrents"][0]["info_hash"], hash.as_str());
    let fetched = dir.ok(&["fetch", "alb", "-t", &site, "-o", "copy.torrent"]);
    assert_eq!(value(&fetched, "file"), "copy.torrent");
    assert_eq!(dir.read("copy.torrent"), dir.read("album.torrent"));
    dir.ok(&["fetch", &hash, "-t", &site, "-o", "copy.torrent", "--force"]);

    // 5. The swarm is remembered, and good enough to download from.
    let swarm = dir.ok(&["swarm", &site, &hash]);
    let peer = swarm.lines().find(|line| line.starts_with("peer ")).expect("somebody is there");
    assert_eq!(value(peer, "addr"), listen);
    assert_eq!((value(peer, "seed"), value(peer, "have")), ("true".into(), "11".into()));
    assert_eq!(dir.ok(&["swarm", &site]).lines().count(), 2);
    let mut getter = dir.start(&["get", "copy.torrent", "-d", "copy", "-l", LOCAL]);
    getter.wait_for("complete ");
    assert_eq!(getter.end(PATIENCE).code(), Some(0));
    dir.ok(&["verify", "album.torrent", "--dir", "copy"]);

    // 6. A tracker that is stopped remembers everybody at once.
    assert_eq!(sharer.stop(), Some(0));
    let (status, _) = get(
        &addr,
        &format!(
            "/announce?info_hash={}&peer_id=-XX0000-000000000000&port=4711&left=9",
            hash.as_bytes()
                .chunks(2)
                .map(|pair| format!("%{}", String::from_utf8_lossy(pair)))
                .collect::<String>(),
        ),
    );
    assert_eq!(status, 200);
    assert_eq!(tracker.stop(), Some(0));
    let (tracker, _) = keeper(&dir, &addr, &[]);
    let swarm = dir.ok(&["swarm", &site, "album.torrent"]);
    assert!(swarm.contains("peer addr=127.0.0.1:4711 seed=false"), "{swarm}");
    assert_eq!(tracker.stop(), Some(0));
    assert!(!dir.path("state.new").exists());
}

#[test]
fn a_private_torrent_is_published_and_shown_to_nobody() {
    let dir = Workdir::new("library-private");
    dir.write("secret.bin", &noise(5, 20_000));
    let (tracker, addr) = keeper(&dir, LOCAL, &["--only-published"]);
    let announce = format!("http://{addr}/announce");
    let made = dir.ok(&["create", "secret.bin", "--private", "-t", &announce]);
    let hash = value(&made, "info_hash");
    let mut early = dir.start(&["share", "secret.bin.torrent", "-l", LOCAL]);
    assert!(early.wait_for("tracker-failed ").contains("published here"), "{:?}", early.seen);
    early.stop();
    assert!(dir.ok(&["publish", "secret.bin.torrent"]).contains(" private=true "));
    let mut sharer = dir.start(&["share", "secret.bin.torrent", "-l", LOCAL]);
    sharer.wait_for("tracker-ok ");
    let site = format!("http://{addr}");
    for words in [
        &["search", "secret", "-t", &site] as &[&str],
        &["search", "-t", &site],
        &["fetch", "secret.bin", "-t", &site],
        &["fetch", &hash, "-t", &site],
        &["swarm", &site],
        &["swarm", &site, &hash],
    ] {
        let line = dir.fails(1, words);
        assert!(!line.contains("secret.bin.torrent"), "{line}");
    }
    assert_eq!(sharer.stop(), Some(0));
    assert_eq!(tracker.stop(), Some(0));
}

#[test]
fn files_that_are_not_the_trackers_are_left_alone() {
    let dir = Workdir::new("library-files");
    dir.write("file.bin", &noise(5, 20_000));
    let made = dir.ok(&["create", "file.bin"]);
    let hash = value(&made, "info_hash");
    // A state file of another kind is not overwritten.
    dir.write("notes.txt", b"dear diary");
    let line = dir.fails(1, &["tracker", "--http", LOCAL, "--state", "notes.txt"]);
    assert!(line.contains("'notes.txt' is not a state file of a tracker; it would be"), "{line}");
    assert_eq!(dir.read("notes.txt"), b"dear diary");
    // A damaged one is told, and the tracker begins anew.
    dir.write("state", b"swarmlet census 1\nhalf");
    // Of a library, what is no torrent or another one is left out.
    fs::create_dir(dir.path("lib")).unwrap();
    dir.write(&format!("lib/{hash}.torrent"), &dir.read("file.bin.torrent"));
    dir.write(&format!("lib/{}.torrent", "0".repeat(40)), &dir.read("file.bin.torrent"));
    dir.write(&format!("lib/{}.torrent", "1".repeat(40)), b"garbage");
    dir.write("lib/readme.txt", b"hands off");
    dir.write("lib/other.torrent", b"garbage");
    dir.write(&format!("lib/{hash}.torrent.new"), b"half of one");
    let mut command = dir.command();
    let words = ["tracker", "--http", LOCAL, "--library", "lib", "--state", "state"];
    let mut child = command.args(words).spawn().unwrap();
    let lines = crate::workdir::lines_of(child.stdout.take().unwrap());
    let mut err = child.stderr.take().unwrap();
    let mut tracker = Running { child, lines, seen: Vec::new() };
    let addr = tracker.ready("http");
    assert_eq!(get(&addr, "/torrents").1.matches("\"info_hash\"").count(), 1);
    assert_eq!(tracker.stop(), Some(0));
    let mut told = String::new();
    err.read_to_string(&mut told).unwrap();
    assert_eq!(told.lines().count(), 4, "{told}");
    for odd in ["'state': the census is cut off", "has another info-hash", "begins no", "named by"]
    {
        assert!(told.contains(odd), "{odd} in {told}");
    }
    assert!(!dir.path(&format!("lib/{hash}.torrent.new")).exists(), "nobody was told of it");
    assert_eq!(dir.read("lib/readme.txt"), b"hands off");
}

#[test]
fn a_block_list_is_read_and_its_mistakes_are_told() {
    let dir = Workdir::new("library-block");
    dir.write("file.bin", &noise(5, 20_000));
    let (tracker, addr) = keeper(&dir, LOCAL, &[]);
    let announce = format!("http://{addr}/announce");
    let made = dir.ok(&["create", "file.bin", "--tracker", &announce]);
    dir.ok(&["publish", "file.bin.torrent"]);
    assert_eq!(tracker.stop(), Some(0));
    let list = format!("# why\n\n  {}   # that\n", value(&made, "info_hash").to_uppercase());
    dir.write("block", list.as_bytes());
    let (tracker, _) = keeper(&dir, &addr, &["--block", "block"]);
    assert!(get(&addr, "/torrents").1.starts_with("{\"torrents\":[]"));
    let line = dir.fails(1, &["publish", "file.bin.torrent"]);
    assert!(line.contains("(status 403): this torrent is blocked here"), "{line}");
    assert_eq!(tracker.stop(), Some(0));
    dir.write("block", b"\n0123\n");
    let line = dir.fails(1, &["tracker", "--http", LOCAL, "--block", "block"]);
    assert!(line.contains("'block', line 2: not an info-hash; it has 40"), "{line}");
}

#[test]
fn what_cannot_be_asked_is_told_in_one_line() {
    let dir = Workdir::new("library-errors");
    dir.write("file.bin", &noise(5, 20_000));
    dir.ok(&["create", "file.bin"]);
    let mut plain = dir.start(&["tracker", "--http", LOCAL]);
    let addr = plain.ready("http");
    let site = format!("http://{addr}");
    // An address where nobody is.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    #[rustfmt::skip]
    let table: &[(&[&str], i32, &str)] = &[
        (&["publish"],                                   2, "TORRENT is missing"),
        (&["publish", "none.torrent"],                   1, "cannot read 'none.torrent'"),
        (&["publish", "file.bin"],                       1, "not a usable torrent"),
        (&["publish", "file.bin.torrent"],               1, "names no tracker that takes it; name"),
        (&["publish", "file.bin.torrent", "-t", &site],  1, "does not take it (status 405)"),
        (&["publish", "file.bin.torrent", "-t", &nobody], 1, "cannot reach http://127.0.0.1:"),
        (&["search", "x", "-t", &site],                  1, "is there a library?"),
        (&["search", "x", "-t", "https://t/announce"],   2, "https is not spoken here"),
        (&["search", "x", "-t", "file:///etc/passwd"],   2, "is no tracker's URL"),
        (&["search", "x", "-t", "udp://t:1/announce"],   2, "udp"),
        (&["fetch", "x", "-t", &site],                   1, "status 404"),
        (&["fetch", &"a".repeat(40), "-t", &site],       1, "status 404"),
        (&["swarm"],                                     2, "URL is missing"),
        (&["swarm", &site],                              1, "knows nobody; peers are known when"),
        (&["swarm", &site, "none.torrent"],              1, "cannot read 'none.torrent'"),
        (&["tracker", "--only-published"],               2, "--only-published needs a --library"),
        (&["tracker", "--library", "file.bin"],          1, "cannot use the library 'file.bin'"),
        (&["tracker", "--state", "none/state"],          1, "cannot use the directory 'none'"),
        (&["tracker", "--block", "none"],                1, "cannot read 'none': no such file"),
    ];
    for (words, code, told) in table {
        let line = dir.fails(*code, words);
        assert!(line.contains(told), "{words:?}\n  says {line}\n  not  {told}");
    }
    assert_eq!(plain.stop(), Some(0));
}

/// A server that answers every request with the same bytes, a few times.
fn liar(answer: Vec<u8>) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().take(4) {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            let _ = stream.write_all(&answer);
        }
    });
    format!("http://{addr}")
}

#[test]
fn a_tracker_that_lies_is_not_believed_and_commands_no_terminal() {
    let dir = Workdir::new("library-liar");
    dir.write("file.bin", &noise(5, 20_000));
    dir.ok(&["create", "file.bin"]);
    let http = |status: &str, body: &[u8]| {
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
        [head.as_bytes(), body].concat()
    };
    let hash = "a".repeat(40);
    for (answer, told) in [
        (http("200 OK", b"<html>"), "does not answer as a tracker of ours"),
        (http("200 OK", "[".repeat(100_000).as_bytes()), "does not answer as a tracker of ours"),
        (http("200 OK", b"{\"torrents\":[{\"name\":1e999}],\"next\":null}"), "does not answer"),
        (http("500 \x1b[2J", b"\x1b[2Jboom\nmore"), "(status 500): [2Jboom"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n".to_vec(), "too long"),
        (b"SSH-2.0-x\r\n".to_vec(), "not an HTTP answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf".to_vec(), "ends before its end"),
        (http("301 Moved\r\nLocation: file:///x", b""), "it sends us elsewhere"),
    ] {
        let line = dir.fails(1, &["search", "x", "-t", &liar(answer)]);
        assert!(line.contains(told), "says {line}\n  not {told}");
    }
    // A list that never ends, and names that command.
    let entry = format!(
        "{{\"info_hash\":\"{hash}\",\"name\":\"\\u001b[31mred\\u202e\",\"bytes\":1,\"files\":1,\
         \"pieces\":1,\"piece_bytes\":1,\"seeds\":0,\"leechers\":0,\"completed\":0,\"torrent\":\"\"}}"
    );
    let list = format!("{{\"torrents\":[{entry}],\"next\":7}}");
    let out = dir.ok(&["search", "x", "-t", &liar(http("200 OK", list.as_bytes()))]);
    assert_eq!(out.lines().count(), 2, "the same page twice is the end: {out}");
    assert!(out.contains("name=[31mred ") && !out.contains('\x1b'), "{out}");
    // Another torrent than was asked for.
    let torrent = dir.read("file.bin.torrent");
    let line = dir.fails(1, &["fetch", &hash, "-t", &liar(http("200 OK", &torrent)), "-o", "x"]);
    assert!(line.contains("sends something else than aaaa"), "{line}");
    assert!(!dir.path("x").exists());
}

#[test]
fn hostile_posts_are_refused_and_others_are_served_meanwhile() {
    let dir = Workdir::new("library-hostile");
    let (tracker, addr) = keeper(&dir, LOCAL, &[]);
    let head = |len: &str| {
        format!(
            "POST /torrents HTTP/1.1\r\nContent-Type: application/x-bittorrent\r\nContent-Length: {len}\r\n\r\n"
        )
    };
    for (request, status) in [
        (head("100000000"), 413),
        (head("-1"), 400),
        (head("1000000000000000000000"), 413),
        (head("7") + "garbage", 400),
        ("POST /torrents HTTP/1.1\r\nContent-Type: application/x-bittorrent\r\nOrigin: http://x\r\nContent-Length: 5\r\n\r\n".into(), 403),
        ("POST /torrents HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello".into(), 415),
        ("GET /torrents/../state HTTP/1.1\r\nConnection: close\r\n\r\n".into(), 404),
    ] {
        assert_eq!(ask(&addr, request.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n").as_bytes()).0, status, "{request}");
    }
    // A hundred who claim the most there is, bring a little of it, and wait.
    let mut slow: Vec<TcpStream> = (0..100).map(|_| TcpStream::connect(&addr).unwrap()).collect();
    for stream in &mut slow {
        stream.write_all(head("1048576").as_bytes()).unwrap();
        stream.write_all(&[b'l'; 5_000]).unwrap();
    }
    let resident = |pid: u32| -> u64 {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    assert_eq!(get(&addr, "/torrents").0, 200);
    assert!(resident(tracker.child.id()) < 40_000, "memory by claim");
    // All of them fill their bodies; the tracker keeps within its bounds and goes on.
    for stream in &mut slow {
        stream.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
        let _ = stream.write_all(&[b'l'; 900_000]);
    }
    assert_eq!(get(&addr, "/stats").0, 200);
    assert!(resident(tracker.child.id()) < 120_000, "{} KiB", resident(tracker.child.id()));
    drop(slow);
    dir.write("file.bin", &noise(5, 20_000));
    dir.ok(&["create", "file.bin"]);
    dir.ok(&["publish", "file.bin.torrent", "-t", &format!("http://{addr}")]);
    assert_eq!(tracker.stop(), Some(0));
}

#[test]
fn a_tracker_whose_files_cannot_be_written_says_so_and_goes_on() {
    let dir = Workdir::new("library-gone");
    let (mut tracker, addr) = keeper(&dir, LOCAL, &[]);
    dir.write("file.bin", &noise(5, 20_000));
    let announce = format!("http://{addr}/announce");
    dir.ok(&["create", "file.bin", "-t", &announce]);
    fs::remove_dir_all(dir.path("lib")).unwrap();
    let line = dir.fails(1, &["publish", "file.bin.torrent"]);
    assert!(line.contains("(status 507): the disk here takes no more now"), "{line}");
    let trouble = tracker.wait_for("tracker-trouble ");
    assert_eq!(value(&trouble, "what"), "the library");
    fs::create_dir(dir.path("lib")).unwrap();
    dir.ok(&["publish", "file.bin.torrent"]);
    // The state, likewise: a directory stands in its way.
    fs::create_dir(dir.path("state")).unwrap();
    let mut sharer = dir.start(&["share", "file.bin.torrent", "-l", LOCAL]);
    sharer.wait_for("tracker-ok ");
    let trouble = tracker.wait_for("tracker-trouble ");
    assert_eq!(value(&trouble, "what"), "the state file");
    assert_eq!(get(&addr, "/stats").0, 200);
    assert_eq!(sharer.stop(), Some(0));
    assert_eq!(tracker.stop(), Some(0));
}
