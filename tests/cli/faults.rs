//! What a host does to a program: signals in every phase, a full disk, files that change.

use std::fs::{self, OpenOptions};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use crate::workdir::{PATIENCE, Running, Workdir, noise, value};

const LOCAL: &str = "127.0.0.1:0";

/// A farewell takes at most this long; it is promised to people and to service managers.
const FAREWELL: Duration = Duration::from_secs(5);

/// A file system of its own, as large as it is told to be. `None`: this host mounts nothing for
/// us.
struct Mount(std::path::PathBuf);

impl Mount {
    fn new(dir: &Workdir, name: &str, size: &str) -> Option<Mount> {
        let place = dir.path(name);
        fs::create_dir(&place).unwrap();
        let options = format!("size={size}");
        let mut mount = Command::new("mount");
        let mounted = mount.args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(&place).output();
        if mounted.is_ok_and(|done| done.status.success()) {
            return Some(Mount(place));
        }
        eprintln!("skipped: this host does not let us mount a file system");
        None
    }

    fn resize(&self, size: &str) {
        let options = format!("remount,size={size}");
        assert!(
            Command::new("mount").args(["-o", &options]).arg(&self.0).status().unwrap().success()
        );
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Somebody who shares a file of noise, and where.
fn sharer(dir: &Workdir, len: usize) -> (Running, String) {
    dir.write("file.bin", &noise(21, len));
    let mut sharer = dir.start(&["share", "file.bin", "--listen", LOCAL]);
    let addr = sharer.ready("listen");
    (sharer, addr)
}

#[test]
fn a_signal_is_heard_in_every_phase() {
    let dir = Workdir::new("phases");
    // Two trackers: one that nobody is at, one that takes the call and never answers.
    let mute = std::net::TcpListener::bind(LOCAL).unwrap();
    let silent = format!("http://{}/announce", mute.local_addr().unwrap());
    let dead = "http://127.0.0.1:1/announce";
    let big = fs::File::create(dir.path("big.bin")).unwrap();
    // A hole of this length is hashed for a second or more, and takes no room.
    big.set_len(600_000_000).unwrap();
    dir.ok(&["create", "big.bin", "-t", &silent, "-t", dead]);
    // Its content is another one, so that the check finds nothing: a download without peers.
    dir.write("file.bin", &noise(22, 50_000));
    dir.ok(&["create", "file.bin", "-t", &silent, "-t", dead]);
    #[rustfmt::skip]
    let table: &[(&[&str], &str, i32)] = &[
        (&["peer", "big.bin.torrent", "-l", LOCAL, "-r", "off"],   "ready ",   0), // checking
        (&["get", "file.bin.torrent", "-d", "copy", "-l", LOCAL], "checked ", 1), // downloading
        (&["share", "file.bin.torrent", "-l", LOCAL],             "complete ", 0), // seeding
    ];
    for &signal in &[Signal::TERM, Signal::INT] {
        let started: Vec<Running> = table
            .iter()
            .map(|(words, phase, _)| {
                let mut node = dir.start(words);
                node.wait_for(phase);
                node.signal(signal);
                node
            })
            .collect();
        for (mut node, (words, _, code)) in started.into_iter().zip(table) {
            assert_eq!(node.end(FAREWELL).code(), Some(*code), "{words:?}: {:?}", node.seen);
        }
    }
}

#[test]
fn a_full_disk_is_waited_for_and_a_restart_with_room_completes() {
    let dir = Workdir::new("disk-full");
    let Some(disk) = Mount::new(&dir, "copy", "1m") else { return };
    let (_sharer, addr) = sharer(&dir, 3_000_000);
    let get = ["get", "file.bin.torrent", "-d", "copy", "-l", LOCAL, "--peer", &addr];
    let mut getter = dir.start(&get);
    let trouble = getter.wait_for("disk-trouble ");
    assert_eq!(value(&trouble, "reason"), "no space left on the device");
    getter.signal(Signal::TERM);
    assert_eq!(getter.end(FAREWELL).code(), Some(1), "{:?}", getter.seen);
    disk.resize("8m");
    let mut getter = dir.start(&get);
    let have = value(&getter.wait_for("checked "), "have").parse::<u64>().unwrap();
    assert!(have > 0, "nothing was kept");
    assert_eq!(getter.end(PATIENCE).code(), Some(0), "{:?}", getter.seen);
    assert!(dir.read("file.bin") == dir.read("copy/file.bin"));
}

#[test]
fn a_file_that_is_cut_short_while_it_is_shared_harms_no_other() {
    let dir = Workdir::new("cut-short");
    dir.write("a.bin", &noise(23, 400_000));
    dir.write("b.bin", &noise(24, 300_000));
    let mut sharer = dir.start(&["share", "a.bin", "b.bin", "--listen", LOCAL]);
    let addr = sharer.ready("listen");
    let whole = dir.read("a.bin");
    OpenOptions::new().write(true).open(dir.path("a.bin")).unwrap().set_len(100).unwrap();
    let get =
        |name, copy| ["get", name, "-d", copy, "-l", LOCAL, "--peer", &addr].map(str::to_string);
    let mut unlucky = dir.start(&get("a.bin.torrent", "a").each_ref().map(String::as_str));
    let trouble = sharer.wait_for("disk-trouble ");
    assert_eq!(value(&trouble, "name"), "a.bin");
    assert_eq!(value(&trouble, "reason"), "a file is missing or too short");
    let mut lucky = dir.start(&get("b.bin.torrent", "b").each_ref().map(String::as_str));
    assert_eq!(lucky.end(PATIENCE).code(), Some(0), "{:?}", lucky.seen);
    assert!(dir.read("b.bin") == dir.read("b/b.bin"));
    unlucky.signal(Signal::TERM);
    assert_eq!(unlucky.end(FAREWELL).code(), Some(1));
    // Not a byte that was not in the file came across.
    assert!(
        !unlucky.seen.iter().any(|line| line.starts_with("piece-failed ")),
        "{:?}",
        unlucky.seen
    );
    // What was cut off comes back with the file.
    fs::write(dir.path("a.bin"), whole).unwrap();
    assert_eq!(sharer.stop(), Some(0));
}
