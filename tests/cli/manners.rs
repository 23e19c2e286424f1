//! A daemon's manners: who may run, when it is enough, and what it does when nobody looks.

use std::fs;

use crate::workdir::{Running, Workdir, noise};

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
