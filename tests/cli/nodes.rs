//! Commands that run a node: tracker, share, get, peer.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::MetadataExt;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use swarmlet::base::limits::HANDSHAKE_TIMEOUT;

use crate::workdir::{PATIENCE, Running, Workdir, lines_of, noise, one_clean_line, value};

/// Every node of these tests listens on a free port of this machine, and nowhere else.
const LOCAL: &str = "127.0.0.1:0";

/// A tracker, and its announce URL.
fn tracker(dir: &Workdir) -> (Running, String) {
    let mut tracker = dir.start(&["tracker", "--http", LOCAL]);
    let announce = tracker.ready("announce");
    (tracker, announce)
}

/// Somebody who shares `album` through the tracker at `announce`.
fn sharer(dir: &Workdir, announce: &str) -> Running {
    let album = dir.album();
    let mut sharer = dir.start(&["share", album, "--tracker", announce, "--listen", LOCAL]);
    sharer.wait_for("made file=album.torrent ");
    sharer.wait_for("ready listen=127.0.0.1:");
    sharer.wait_for("tracker-ok ");
    sharer
}

fn assert_same_album(dir: &Workdir, copy: &str) {
    for name in ["one.flac", "empty.log", "scans/front page.png", "zz.txt"] {
        let theirs = dir.read(&format!("album/{name}"));
        let ours = dir.read(&format!("{copy}/album/{name}"));
        assert!(theirs == ours, "{name} differs");
    }
}

#[test]
fn what_one_shares_another_gets_through_a_tracker() {
    let dir = Workdir::new("share-get");
    let (tracker, announce) = tracker(&dir);
    let sharer = sharer(&dir, &announce);
    let mut getter = dir.start(&["get", "album.torrent", "-d", "copy", "-l", LOCAL]);
    let torrent = getter.wait_for("torrent ");
    assert_eq!(value(&torrent, "name"), "album");
    let complete = getter.wait_for("complete ");
    assert_eq!(value(&complete, "bytes"), "170011");
    assert_eq!(value(&complete, "info_hash"), value(&torrent, "info_hash"));
    value(&complete, "seconds").parse::<f64>().unwrap();
    assert_eq!(getter.end(PATIENCE).code(), Some(0), "{:?}", getter.seen);
    assert_same_album(&dir, "copy");
    dir.ok(&["verify", "album.torrent", "--dir", "copy"]);
    assert_eq!(sharer.stop(), Some(0));
    assert_eq!(tracker.stop(), Some(0));
}

#[test]
fn a_peer_by_hand_needs_no_tracker() {
    let dir = Workdir::new("by-hand");
    dir.write("file.bin", &noise(7, 300_000));
    let mut sharer = dir.start(&["share", "file.bin", "--listen", LOCAL]);
    let addr = sharer.ready("listen");
    let get = ["get", "file.bin.torrent", "-d", "copy", "-l", LOCAL, "--peer", &addr];
    let mut getter = dir.start(&get);
    getter.wait_for("complete ");
    assert_eq!(getter.end(PATIENCE).code(), Some(0));
    assert!(dir.read("file.bin") == dir.read("copy/file.bin"));
    // Once more: all is there, so it is complete at once, without anybody's help.
    assert_eq!(sharer.stop(), Some(0));
    let mut again = dir.start(&get);
    again.wait_for("complete ");
    assert_eq!(again.end(PATIENCE).code(), Some(0));
}

#[test]
fn whoever_picks_some_files_gets_those_and_may_have_the_others_later() {
    let dir = Workdir::new("get-select");
    let (_tracker, announce) = tracker(&dir);
    let _sharer = sharer(&dir, &announce);
    let listed = dir.ok(&["info", "album.torrent"]);
    assert!(listed.contains("  0 ") && listed.contains("  3 "), "numbered: {listed}");
    let get = ["get", "album.torrent", "-d", "copy", "-l", LOCAL];
    let mut getter = dir.start(&[&get[..], &["--select", "scans", "--select", "zz.*"]].concat());
    let complete = getter.wait_for("complete ");
    assert_ne!(value(&complete, "bytes"), "170011", "not all of it");
    assert_eq!(getter.end(PATIENCE).code(), Some(0), "{:?}", getter.seen);
    for name in ["scans/front page.png", "zz.txt"] {
        assert!(dir.read(&format!("album/{name}")) == dir.read(&format!("copy/album/{name}")));
    }
    let at_most =
        fs::metadata(dir.path("copy/album/one.flac")).map_or(0, |file| file.blocks() * 512);
    assert!(at_most < 100_000, "{at_most} bytes of a file that nobody wanted");
    let mut getter = dir.start(&[&get[..], &["--sequential"]].concat());
    getter.wait_for("complete ");
    assert_eq!(getter.end(PATIENCE).code(), Some(0), "{:?}", getter.seen);
    assert_same_album(&dir, "copy");
    let table = [("9", "there are files 0 to 3"), ("*.mp3", "names no file"), ("2-1", "no file's")];
    for (word, expected) in table {
        let said = dir.fails(2, &["get", "album.torrent", "--select", word]);
        assert!(said.contains(expected), "{word}: {said}");
    }
}

#[test]
fn limits_on_sending_and_on_receiving_are_kept() {
    let dir = Workdir::new("limits");
    let bytes = noise(8, 600_000);
    dir.write("file.bin", &bytes);
    // A busy machine can only make it slower; what may not be is that it is faster.
    for (copy, up, down) in [("one", "200K", "900M"), ("two", "900M", "200K")] {
        let share = ["share", "file.bin", "--listen", LOCAL, "--up", up];
        let mut sharer = dir.start(&share);
        let addr = sharer.ready("listen");
        let begun = Instant::now();
        let get = ["get", "file.bin.torrent", "-d", copy, "-l", LOCAL, "--peer", &addr];
        let mut getter = dir.start(&[&get[..], &["--down", down]].concat());
        getter.wait_for("complete ");
        let took = begun.elapsed();
        assert!(took >= Duration::from_millis(2_400), "--up {up} --down {down}: {took:?}");
        assert_eq!(getter.end(PATIENCE).code(), Some(0));
        assert!(dir.read(&format!("{copy}/file.bin")) == bytes);
        assert_eq!(sharer.stop(), Some(0));
    }
    for (rate, why) in [("5", "not from 1024 to"), ("fast", "not a number")] {
        let said = dir.fails(2, &["get", "file.bin.torrent", "--down", rate]);
        assert!(said.contains(&format!("--down {rate}: {why}")), "{said}");
    }
}

#[test]
fn get_with_seed_goes_on_sharing() {
    let dir = Workdir::new("seed");
    dir.write("file.bin", &noise(8, 100_000));
    let mut first = dir.start(&["share", "file.bin", "--listen", LOCAL]);
    let addr = first.ready("listen");
    let get = ["get", "--seed", "file.bin.torrent", "-d", "b", "-l", LOCAL, "-p", &addr];
    let mut second = dir.start(&get);
    let addr = second.ready("listen");
    second.wait_for("complete ");
    assert_eq!(first.stop(), Some(0));
    let get = ["get", "file.bin.torrent", "-d", "c", "-l", LOCAL, "-p", &addr];
    let mut third = dir.start(&get);
    third.wait_for("complete ");
    assert_eq!(third.end(PATIENCE).code(), Some(0));
    assert_eq!(second.stop(), Some(0));
    assert!(dir.read("file.bin") == dir.read("c/file.bin"));
}

#[test]
fn a_get_that_is_stopped_says_how_to_go_on_and_goes_on() {
    let dir = Workdir::new("resume");
    dir.write("file.bin", &noise(9, 200_000));
    dir.ok(&["create", "file.bin"]);
    // Half of it is there already, as after an interruption.
    dir.write("copy/file.bin", &dir.read("file.bin")[..100_000]);
    let get = ["get", "file.bin.torrent", "-d", "copy", "-l", LOCAL];
    let mut command = dir.command();
    let mut child = command.args(get).spawn().unwrap();
    let lines = lines_of(child.stdout.take().unwrap());
    let mut err = child.stderr.take().unwrap();
    let mut getter = Running { child, lines, seen: Vec::new() };
    let checked = getter.wait_for("checked ");
    assert_eq!(value(&checked, "have"), (6 * 16_384).to_string());
    getter.signal(Signal::INT);
    assert_eq!(getter.end(Duration::from_secs(6)).code(), Some(1));
    let mut told = String::new();
    err.read_to_string(&mut told).unwrap();
    assert!(told.contains("warning: file.bin: no tracker"), "{told}");
    assert!(told.contains("stopped with 49 % of 'file.bin' in 'copy'; the same command"), "{told}");

    let mut sharer = dir.start(&["share", "file.bin.torrent", "--listen", LOCAL]);
    let addr = sharer.ready("listen");
    let mut getter = dir.start(&[&get[..], &["--peer", &addr]].concat());
    assert_eq!(value(&getter.wait_for("checked "), "have"), (6 * 16_384).to_string());
    getter.wait_for("complete ");
    assert_eq!(getter.end(PATIENCE).code(), Some(0));
    assert!(dir.read("file.bin") == dir.read("copy/file.bin"));
}

#[test]
fn a_get_that_was_killed_keeps_what_it_had() {
    let dir = Workdir::new("killed");
    dir.write("file.bin", &noise(13, 30_000_000));
    let mut sharer = dir.start(&["share", "file.bin", "--listen", LOCAL]);
    let addr = sharer.ready("listen");
    let get = ["get", "file.bin.torrent", "-d", "copy", "-l", LOCAL, "--peer", &addr];
    let mut killed = dir.start(&get);
    assert_eq!(value(&killed.wait_for("checked "), "have"), "0");
    // Some pieces have arrived; if it was too fast for us and has all, that must be kept, too.
    let until = Instant::now() + PATIENCE;
    let arrived = || fs::metadata(dir.path("copy/file.bin")).map_or(0, |file| file.blocks() * 512);
    while arrived() < 4_000_000 {
        assert!(Instant::now() < until, "nothing arrives: {:?}", killed.seen);
        std::thread::yield_now();
    }
    killed.child.kill().unwrap();
    killed.end(PATIENCE);
    let mut again = dir.start(&get);
    let have = value(&again.wait_for("checked "), "have").parse::<u64>().unwrap();
    assert!(have > 0, "nothing was kept");
    again.wait_for("complete ");
    assert_eq!(again.end(PATIENCE).code(), Some(0));
    assert!(dir.read("file.bin") == dir.read("copy/file.bin"));
}

#[test]
fn a_second_signal_leaves_at_once() {
    let dir = Workdir::new("twice");
    let mute = std::net::TcpListener::bind(LOCAL).unwrap();
    let announce = format!("http://{}/announce", mute.local_addr().unwrap());
    dir.write("file.bin", b"data");
    let mut sharer = dir.start(&["share", "file.bin", "--tracker", &announce, "-l", LOCAL]);
    // The announce is on its way: a good-bye has to be said, and will not be answered.
    let _call = mute.accept().unwrap();
    sharer.signal(Signal::INT);
    sharer.wait_for("stopping");
    // Signals close together are one wish; so it is said again until it counts.
    let asked = Instant::now();
    while let Err(RecvTimeoutError::Timeout) = sharer.lines.recv_timeout(Duration::from_millis(100))
    {
        sharer.signal(Signal::INT);
    }
    assert_eq!(sharer.end(PATIENCE).code(), Some(0));
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
}

#[test]
fn ipv6_works_like_ipv4() {
    let dir = Workdir::new("ipv6");
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        return; // This host has none.
    }
    dir.write("file.bin", &noise(14, 100_000));
    let mut tracker = dir.start(&["tracker", "--http", "[::1]:0"]);
    let announce = tracker.ready("announce");
    assert!(announce.starts_with("http://[::1]:"), "{announce}");
    let mut sharer = dir.start(&["share", "file.bin", "-t", &announce, "-l", "[::1]:0"]);
    sharer.wait_for("tracker-ok ");
    let mut getter = dir.start(&["get", "file.bin.torrent", "-d", "copy", "-l", "[::1]:0"]);
    getter.wait_for("complete ");
    assert_eq!(getter.end(PATIENCE).code(), Some(0));
    assert!(dir.read("file.bin") == dir.read("copy/file.bin"));
}

#[test]
fn peer_takes_the_torrents_of_its_directory_and_both_roles() {
    let dir = Workdir::new("peer");
    let (_tracker, announce) = tracker(&dir);
    dir.write("a.bin", &noise(10, 90_000));
    dir.write("b.bin", &noise(11, 80_000));
    fs::create_dir(dir.path("copy")).unwrap();
    for name in ["a.bin", "b.bin"] {
        dir.ok(&["create", name, "-t", &announce]);
        fs::copy(dir.path(&format!("{name}.torrent")), dir.path(&format!("copy/{name}.torrent")))
            .unwrap();
    }
    dir.write("copy/broken.torrent", b"broken");
    let words = ["peer", "--listen", LOCAL, "--rpc", "off", "a.bin.torrent", "b.bin.torrent"];
    let mut seeds = dir.start(&words);
    assert_eq!(value(&seeds.wait_for("ready "), "torrents"), "2");
    seeds.wait_for("tracker-ok ");
    seeds.wait_for("tracker-ok ");
    let mut leeches = dir.start(&["peer", "--listen", LOCAL, "--rpc", "off", "--dir", "copy"]);
    leeches.wait_for("complete ");
    leeches.wait_for("complete ");
    assert!(dir.read("a.bin") == dir.read("copy/a.bin"));
    assert!(dir.read("b.bin") == dir.read("copy/b.bin"));
    assert_eq!(leeches.stop(), Some(0));
    assert_eq!(seeds.stop(), Some(0));
}

#[test]
fn share_uses_the_torrent_of_the_same_content_and_refuses_another() {
    let dir = Workdir::new("share-again");
    dir.write("file.bin", b"first content");
    for told in ["made file=", "reused file="] {
        let mut sharer = dir.start(&["share", "file.bin", "--listen", LOCAL]);
        sharer.wait_for(told);
        sharer.wait_for("ready ");
        assert_eq!(sharer.stop(), Some(0));
    }
    // Another tracker is announced to, but who gets the old torrent cannot know.
    let mut command = dir.command();
    let words = ["share", "file.bin", "-l", LOCAL, "-t", "http://127.0.0.1:1/announce"];
    let mut child = command.args(words).spawn().unwrap();
    let mut warning = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut warning).unwrap();
    assert!(one_clean_line(&warning).contains("does not name http://127.0.0.1:1/"), "{warning}");
    child.kill().unwrap();
    child.wait().unwrap();

    dir.write("file.bin", b"other content");
    let line = dir.fails(1, &["share", "file.bin", "--listen", LOCAL]);
    assert!(line.contains("'file.bin.torrent' exists already and is of other content"), "{line}");
}

#[test]
fn paths_and_torrents_are_shared_together() {
    let dir = Workdir::new("share-many");
    dir.write("a.bin", b"content of a");
    dir.write("b.bin", b"content of b");
    dir.write("c.bin", b"content of c");
    dir.ok(&["create", "c.bin"]);
    let words = ["share", "a.bin", "c.bin.torrent", "b.bin", "c.bin.torrent", "-l", LOCAL];
    let mut sharer = dir.start(&words);
    let ready = sharer.wait_for("ready ");
    assert_eq!(value(&ready, "torrents"), "3", "the same twice is once");
    let addr = value(&ready, "listen");
    for name in ["a.bin", "b.bin", "c.bin"] {
        let torrent = format!("{name}.torrent");
        let mut getter = dir.start(&["get", &torrent, "-d", "copy", "-l", LOCAL, "--peer", &addr]);
        getter.wait_for("complete ");
        assert_eq!(getter.end(PATIENCE).code(), Some(0));
        assert_eq!(dir.read(name), dir.read(&format!("copy/{name}")));
    }
    assert_eq!(sharer.stop(), Some(0));
}

#[test]
fn a_node_whose_tracker_is_dead_still_leaves_within_five_seconds() {
    let dir = Workdir::new("dead-tracker");
    // A port that takes connections and never answers.
    let mute = std::net::TcpListener::bind(LOCAL).unwrap();
    let announce = format!("http://{}/announce", mute.local_addr().unwrap());
    dir.write("file.bin", b"data");
    let mut sharer = dir.start(&["share", "file.bin", "--tracker", &announce, "-l", LOCAL]);
    sharer.wait_for("ready ");
    sharer.signal(Signal::TERM);
    assert_eq!(sharer.end(Duration::from_secs(5)).code(), Some(0), "{:?}", sharer.seen);
}

#[test]
fn a_get_that_is_complete_waits_no_longer_for_a_mute_tracker() {
    let dir = Workdir::new("mute-at-the-end");
    let mute = std::net::TcpListener::bind(LOCAL).unwrap();
    let announce = format!("http://{}/announce", mute.local_addr().unwrap());
    dir.write("file.bin", &noise(16, 50_000));
    let mut sharer = dir.start(&["share", "file.bin", "--tracker", &announce, "-l", LOCAL]);
    let addr = sharer.ready("listen");
    let mut getter =
        dir.start(&["get", "file.bin.torrent", "-d", "copy", "-l", LOCAL, "-p", &addr]);
    getter.wait_for("complete ");
    assert_eq!(getter.end(Duration::from_secs(5)).code(), Some(0), "{:?}", getter.seen);
}

#[test]
fn a_node_goes_on_when_nobody_reads_what_it_says() {
    let dir = Workdir::new("deaf");
    dir.write("file.bin", &noise(12, 50_000));
    dir.ok(&["create", "file.bin"]);
    let mut command = dir.command();
    let mut child = command.args(["share", "file.bin.torrent", "-l", LOCAL]).spawn().unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("ready ") {
        line.clear();
        assert!(reader.read_line(&mut line).unwrap() > 0, "no ready");
    }
    drop(reader);
    let addr = value(&line, "listen");
    let get = ["get", "file.bin.torrent", "-d", "copy", "-l", LOCAL, "-p", &addr];
    let mut getter = dir.start(&get);
    getter.wait_for("complete ");
    assert_eq!(getter.end(PATIENCE).code(), Some(0));
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_silent_crowd_keeps_nobody_out_where_descriptors_are_few() {
    let dir = Workdir::new("few-descriptors");
    dir.write("file.bin", &noise(15, 300_000));
    let words = ["share", "file.bin", "--listen", LOCAL];
    let mut sharer = dir.start_in_shell("ulimit -n 32", &words);
    let addr = sharer.ready("listen");
    let crowd: Vec<_> = (0..100).map(|_| std::net::TcpStream::connect(&addr).unwrap()).collect();
    let mut getter =
        dir.start(&["get", "file.bin.torrent", "-d", "copy", "-l", LOCAL, "-p", &addr]);
    // Well before the first of the crowd is too late with its handshake.
    assert_eq!(
        getter.end(Duration::from_millis(HANDSHAKE_TIMEOUT.as_millis() / 2)).code(),
        Some(0),
        "{:?}",
        getter.seen
    );
    assert!(dir.read("file.bin") == dir.read("copy/file.bin"));
    drop(crowd);
    assert_eq!(sharer.stop(), Some(0));
}

#[test]
fn nodes_that_cannot_begin_say_why() {
    let dir = Workdir::new("cannot-begin");
    let taken = std::net::TcpListener::bind(LOCAL).unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    dir.write("x", b"data");
    dir.ok(&["create", "x"]);
    fs::create_dir(dir.path("bare")).unwrap();
    #[rustfmt::skip]
    let table: &[(&[&str], &str)] = &[
        (&["tracker", "--http", &taken],                "in use; choose another with --http"),
        (&["share", "x", "--listen", &taken],           "in use; choose another with --listen"),
        (&["peer", "--listen", LOCAL, "--rpc", &taken], "in use; choose another with --rpc"),
        (&["share", "x", "--listen", "192.0.2.1:0"],    "an address of this machine"),
        (&["get", "magnet:?xt=urn:btih:da39"],          "the magnet link is not usable: an info-hash"),
        (&["share", "magnet:?xt=urn:btih:da39"],        "'swarmlet get --seed LINK'"),
        (&["get", "nowhere.torrent"],                   "cannot read 'nowhere.torrent'"),
        (&["get", "x"],                                 "'x' is not a usable torrent"),
        (&["get", "x.torrent", "--dir", "x"],           "cannot make the directory 'x'"),
        (&["get", "x.torrent", "--peer", "no.such.name.invalid:1"], "no address is known"),
        (&["share", "nowhere"],                         "cannot read 'nowhere'"),
        (&["peer", "--rpc", "off", "--dir", "bare"],   "no usable torrent in 'bare'"),
        (&["peer", "--rpc", "off", "nowhere.torrent"], "cannot read 'nowhere.torrent'"),
    ];
    for (words, told) in table {
        let line = dir.fails(1, words);
        assert!(line.contains(told), "{words:?}\n  says {line}\n  not  {told}");
    }
}
