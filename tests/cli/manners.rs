//! A daemon's manners: who may run, when it is enough, and what it does when nobody looks.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

use crate::workdir::{PATIENCE, Running, Workdir, noise, value};

const LOCAL: &str = "127.0.0.1:0";

/// A daemon in the directory `place`, and the address of its remote control.
fn daemon(dir: &Workdir, place: &str, more: &[&str]) -> (Running, String) {
    fs::create_dir_all(dir.path(place)).unwrap();
    let words = ["peer", "--dir", place, "--listen", LOCAL, "--rpc", LOCAL];
    let mut daemon = dir.start(&[&words[..], more].concat());
    let addr = daemon.ready("rpc");
    (daemon, addr)
}

/// Makes a torrent of some noise that is there, in `place`.
fn torrent(dir: &Workdir, place: &str, name: &str) {
    dir.write(&format!("{place}/{name}"), &noise(name.len() as u64, 50_000));
    let out = format!("{place}/{name}.torrent");
    dir.ok(&[
        "create",
        &format!("{place}/{name}"),
        "-o",
        &out,
        "-t",
        "http://127.0.0.1:1/announce",
    ]);
}

#[test]
fn limits_of_the_queue_hold_from_the_first_moment() {
    let dir = Workdir::new("manners-queue");
    for name in ["a", "bb", "ccc"] {
        torrent(&dir, "down", name);
    }
    let (mut daemon, rpc) = daemon(&dir, "down", &["--queue-seed", "2", "--queue-down", "1"]);
    for _ in 0..3 {
        daemon.wait_for("complete ");
    }
    let out = dir.ok(&["status", "--rpc", &rpc]);
    let count = |word: &str| out.matches(word).count();
    assert_eq!((count(" state=seeding "), count(" state=queued ")), (2, 1), "{out}");
}

#[test]
fn numbers_that_make_no_sense_are_named() {
    let dir = Workdir::new("manners-numbers");
    for (option, value) in [
        ("--queue-down", "0"),
        ("--queue-seed", "many"),
        ("--ratio", "-1"),
        ("--ratio", "2,5"),
        ("--ratio", "1.2345"),
        ("--ratio", "1001"),
        ("--ratio", "."),
        ("--idle-minutes", "0"),
    ] {
        let words = ["peer", "--rpc", "off", &format!("{option}={value}")];
        let line = dir.fails(2, &words);
        assert!(line.contains(option), "{line}");
    }
}

/// Asks again until `holds`.
fn until(what: &str, holds: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < end, "in vain: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn what_is_put_into_the_watched_directory_is_taken_on_and_renamed() {
    let dir = Workdir::new("manners-watch");
    torrent(&dir, "made", "good");
    torrent(&dir, "made", "later");
    dir.write("inbox/odd.torrent", b"d4:infoi1ee");
    dir.write("inbox/notes.txt", b"not for you");
    std::os::unix::fs::symlink("/dev/zero", dir.path("inbox/link.torrent")).unwrap();
    let (mut running, rpc) = daemon(&dir, "down", &["--watch", "inbox"]);
    let put = |from: &str, to: &str| {
        fs::copy(dir.path(&format!("made/{from}.torrent")), dir.path("inbox/part")).unwrap();
        fs::rename(dir.path("inbox/part"), dir.path(&format!("inbox/{to}"))).unwrap();
    };
    put("good", "good.torrent");
    assert_eq!(value(&running.wait_for("added "), "name"), "good");
    until("renamed", || dir.path("inbox/good.torrent.added").exists());
    assert!(!dir.path("inbox/good.torrent").exists());
    // Once is enough for what is no torrent; when it becomes one, it is taken.
    put("later", "odd.torrent");
    assert_eq!(value(&running.wait_for("added "), "name"), "later");
    until("renamed", || dir.path("inbox/odd.torrent.added").exists());
    let told: Vec<&String> =
        running.seen.iter().filter(|line| line.starts_with("watch-trouble ")).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("inbox/odd.torrent"), "{told:?}");
    // The same again is no news, but it is put away.
    put("good", "again.torrent");
    until("renamed", || dir.path("inbox/again.torrent.added").exists());
    // It is in the book, whatever becomes of us.
    assert_eq!(dir.ok(&["status", "--rpc", &rpc]).matches("torrent ").count(), 2);
    running.child.kill().unwrap();
    running.child.wait().unwrap();
    let (_running, rpc) = daemon(&dir, "down", &["--watch", "inbox"]);
    assert_eq!(dir.ok(&["status", "--rpc", &rpc]).matches("torrent ").count(), 2);
    assert!(dir.path("inbox/link.torrent").is_symlink());
    // Whoever has no book cannot take on anything.
    let line = dir.fails(2, &["peer", "--dir", "down", "--rpc", "off", "--watch", "inbox"]);
    assert!(line.contains("--watch"), "{line}");
}

#[test]
fn row_98_the_hook_gets_the_names_as_they_are_and_no_shell_sees_them() {
    let dir = Workdir::new("manners-hook");
    let name = "Name\"; touch broken ; $(touch broken) '";
    dir.write(&format!("made/{name}"), &noise(9, 70_000));
    dir.ok(&["create", &format!("made/{name}"), "-o", "odd.torrent"]);
    let script = "#!/bin/sh\nprintf '%s\\n' \"$@\" \"$TR_TORRENT_HASH\" \
                  \"$SWARMLET_BYTES\" \"[$SWARMLET_RPC_PASSWORD]\" > told.new\nmv told.new told\n\
                  exit 3\n";
    let program = dir.write("hook.sh", script.as_bytes());
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let mut seed = dir.start(&["share", "odd.torrent", "--dir", "made", "--listen", LOCAL]);
    let peer = seed.ready("listen");
    let (mut running, rpc) = daemon(&dir, "down", &["--on-done", "./hook.sh"]);
    dir.ok(&["add", "odd.torrent", "--rpc", &rpc]);
    dir.ok(&["connect", "1", &peer, "--rpc", &rpc]);
    let hash = value(&running.wait_for("complete "), "info_hash");
    let failed = running.wait_for("hook-trouble ");
    assert_eq!(value(&failed, "reason"), "ended with code 3");
    let told = String::from_utf8(dir.read("told")).unwrap();
    let down = fs::canonicalize(dir.path("down")).unwrap();
    let lines: Vec<&str> = told.lines().collect();
    let path = down.join(name).display().to_string();
    assert_eq!(lines, [name, &path, &hash, &hash, "70000", "[]"]);
    assert!(!dir.path("broken").exists());
    // What is complete from the beginning has not arrived, and what was verified neither.
    fs::remove_file(dir.path("told")).unwrap();
    dir.ok(&["verify", "1", "--rpc", &rpc]);
    running.wait_for("complete ");
    assert_eq!(dir.ok(&["status", "--rpc", &rpc]).matches("state=seeding").count(), 1);
    assert_eq!(running.stop(), Some(0));
    assert!(!dir.path("told").exists(), "it ran again");
    let line = dir.fails(1, &["peer", "--on-done", "./no-such-program"]);
    assert!(line.contains("no-such-program"), "{line}");
}

#[test]
fn a_peer_with_a_tracker_is_both_in_one_process() {
    let dir = Workdir::new("manners-tracker");
    dir.write("one/file", &noise(5, 300_000));
    let words =
        ["--with-tracker", LOCAL, "--library", "library", "--tracker-state", "tracker.state"];
    let (mut both, rpc) = daemon(&dir, "one", &words);
    let ready = both.seen.last().expect("it is ready").clone();
    let (site, announce) = (value(&ready, "http"), value(&ready, "announce"));
    assert_eq!(announce, format!("http://{site}/announce"));
    let root = fs::canonicalize(dir.path("one/file")).unwrap().display().to_string();
    dir.ok(&["seed", &root, "--tracker", &announce, "--rpc", &rpc]);
    both.wait_for("tracker-ok ");
    // It is in its own library; somebody else finds it there and gets it through its tracker.
    let (mut other, rpc_of_other) = daemon(&dir, "two", &[]);
    let words = ["leech", "file", "--tracker", &announce, "--rpc", &rpc_of_other];
    dir.ok(&words);
    other.wait_for("complete ");
    assert_eq!(dir.read("two/file"), dir.read("one/file"));
    let swarm = dir.ok(&["swarm", &announce]);
    assert_eq!(swarm.lines().filter(|line| line.starts_with("peer ")).count(), 2, "{swarm}");
    // It says good-bye to itself, too, and remembers.
    assert_eq!(other.stop(), Some(0));
    assert_eq!(both.stop(), Some(0));
    assert!(dir.path("tracker.state").exists());
    let (mut both, _) = daemon(&dir, "one", &["--with-tracker", &site, "--library", "library"]);
    both.wait_for("tracker-ok ");
    let found = dir.ok(&["search", "file", "--tracker", &announce]);
    assert!(found.contains("name=file"), "{found}");
    // Which of three addresses is taken is told.
    let words = ["peer", "--dir", "two", "--rpc", LOCAL, "--listen", LOCAL];
    let line = dir.fails(1, &[&words[..], &["--with-tracker", &site]].concat());
    assert!(line.contains("--with-tracker") && line.contains(&site), "{line}");
    let line = dir.fails(2, &["peer", "--library", "library"]);
    assert!(line.contains("--library needs --with-tracker"), "{line}");
}
