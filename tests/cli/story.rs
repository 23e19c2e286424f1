//! The whole story by commands alone: published, found, fetched, got by two, with a tracker and a
//! daemon killed in the middle; then got by a third from three who each give a share.

use std::fs;
use std::time::Instant;

use rustix::process::Signal;
use serde_json::Value;

use crate::workdir::{PATIENCE, Running, Workdir, noise, value};

const LOCAL: &str = "127.0.0.1:0";

/// Small enough for a test, and at `UP` large enough that things can happen meanwhile.
const FILM: usize = 1_600_000;
const NOTES: usize = 300_000;
const UP: &str = "400K";

/// A daemon, and the directory that it keeps its things in.
struct Daemon {
    place: &'static str,
    process: Running,
    rpc: String,
}

impl Daemon {
    fn start(dir: &Workdir, place: &'static str) -> Daemon {
        fs::create_dir_all(dir.path(place)).unwrap();
        let words = ["peer", "--dir", place, "--listen", LOCAL, "--rpc", LOCAL];
        let root = dir.path("shared").display().to_string();
        let mut process = dir.start(&[&words[..], &["--root", &root]].concat());
        let rpc = process.ready("rpc");
        Daemon { place, process, rpc }
    }

    fn say(&self, dir: &Workdir, words: &[&str]) -> String {
        dir.ok(&[words, &["--rpc", &self.rpc]].concat())
    }

    fn json(&self, dir: &Workdir, words: &[&str]) -> Value {
        serde_json::from_str(&self.say(dir, &[words, &["--json"]].concat())).unwrap()
    }

    /// Asks again until what a command prints fits.
    fn until(&self, dir: &Workdir, words: &[&str], fits: impl Fn(&str) -> bool) -> String {
        let end = Instant::now() + PATIENCE;
        loop {
            let out = self.say(dir, words);
            if fits(&out) {
                return out;
            }
            assert!(Instant::now() < end, "{}: {words:?} goes on saying: {out}", self.place);
            std::thread::yield_now();
        }
    }

    fn percent(&self, dir: &Workdir) -> u32 {
        value(&self.say(dir, &["status", "holiday"]), "percent").parse().unwrap()
    }

    /// Payload that was given in all runs.
    fn uploaded(&self, dir: &Workdir) -> u64 {
        self.json(dir, &["show", "holiday"])["torrents"][0]["uploaded"].as_u64().unwrap()
    }

    /// A power cut, as far as a process can have one.
    fn kill(mut self) {
        self.process.signal(Signal::KILL);
        self.process.end(PATIENCE);
    }

    fn has_the_holiday(&self, dir: &Workdir) {
        for name in ["film.mkv", "notes/day one.txt"] {
            let ours = dir.read(&format!("{}/holiday/{name}", self.place));
            assert!(ours == dir.read(&format!("shared/holiday/{name}")), "{}: {name}", self.place);
        }
    }
}

/// A tracker with a library, at an address of its own or at the one that it had.
fn tracker(dir: &Workdir, addr: &str) -> (Running, String) {
    let words = ["tracker", "--http", addr, "--library", "library", "--state", "tracker.state"];
    let mut tracker = dir.start(&words);
    let addr = tracker.ready("http");
    (tracker, addr)
}

#[test]
fn everything_by_commands_alone_with_a_tracker_and_a_daemon_killed_in_the_middle() {
    let dir = Workdir::new("whole-story");
    dir.write("shared/holiday/film.mkv", &noise(7, FILM));
    dir.write("shared/holiday/notes/day one.txt", &noise(8, NOTES));
    let (mut first_tracker, addr) = tracker(&dir, LOCAL);
    let site = format!("http://{addr}");
    let announce = format!("{site}/announce");

    // One makes it, publishes it and shares it, slowly.
    let one = Daemon::start(&dir, "one");
    one.say(&dir, &["limit", "--up", UP]);
    let words = ["seed", "shared/holiday", "--tracker", &announce, "--piece-length", "16K"];
    let hash = value(&one.say(&dir, &words), "info_hash");
    one.until(&dir, &["status", "holiday"], |out| out.contains("state=seeding"));

    // Another finds it by the name of a file, and fetches what describes it.
    assert!(dir.ok(&["search", "film", "-t", &site]).contains(&hash));
    dir.ok(&["fetch", "holiday", "-t", &site, "-o", "fetched.torrent"]);
    assert_eq!(dir.read("fetched.torrent"), dir.read("holiday.torrent"));

    // Two get it: one by the file, one by the name. Both go on sharing later.
    let two = Daemon::start(&dir, "two");
    let mut three = Daemon::start(&dir, "three");
    two.say(&dir, &["leech", "fetched.torrent"]);
    three.say(&dir, &["leech", "holiday", "--tracker", &site]);

    // While it runs: what is here and who has what.
    two.until(&dir, &["status", "holiday"], |out| {
        out.contains("state=downloading") && value(out, "percent").parse::<u32>().unwrap() >= 10
    });
    let out = two.until(&dir, &["pieces", "holiday", "--holders"], |out| {
        ["state=here", "state=missing"].iter().all(|state| out.contains(state))
    });
    assert!(out.lines().all(|line| value(line, "holders") != "0"), "the seed has all: {out}");
    let out = two.until(&dir, &["pieces", "holiday", "--piece", "5"], |out| !out.is_empty());
    assert!(out.starts_with("holder addr=127.0.0.1:") && out.contains("swarmlet"), "{out}");

    // The tracker is gone without a word, and so is one of the two; both come back.
    let had = two.percent(&dir);
    assert!(had < 100, "it was to be killed in the middle");
    first_tracker.signal(Signal::KILL);
    first_tracker.end(PATIENCE);
    two.kill();
    let (_tracker, _) = tracker(&dir, &addr);
    assert!(dir.ok(&["search", "holiday", "-t", &site]).contains(&hash), "the library is there");
    let mut two = Daemon::start(&dir, "two");
    let checked = two.process.wait_for("checked ");
    assert_ne!(value(&checked, "have"), "0", "after {had} percent");

    // All are done in the end.
    two.process.wait_for("complete ");
    three.process.wait_for("complete ");
    for daemon in [&two, &three] {
        daemon.until(&dir, &["status", "holiday"], |out| out.contains("state=seeding percent=100"));
        daemon.has_the_holiday(&dir);
    }
    let shown = one.json(&dir, &["show", "holiday"]);
    assert_eq!(shown["torrents"][0]["trackers"][0]["url"], announce.as_str());

    // Nothing is forgotten: the tracker knows all three as soon as they have told it again.
    for daemon in [&one, &two, &three] {
        daemon.say(&dir, &["reannounce", "holiday"]);
    }
    let end = Instant::now() + PATIENCE;
    loop {
        let out = dir.ok(&["swarm", &site, &hash]);
        if out.lines().filter(|line| line.starts_with("peer ")).count() == 3 {
            break;
        }
        assert!(Instant::now() < end, "the tracker goes on saying: {out}");
        std::thread::yield_now();
    }

    // A fourth gets it from three at once, each of whom gives a share.
    let sharers = [&one, &two, &three];
    let before = sharers.map(|daemon| daemon.uploaded(&dir));
    for daemon in sharers {
        daemon.say(&dir, &["limit", "--up", UP]);
    }
    let mut four = Daemon::start(&dir, "four");
    four.say(&dir, &["leech", &hash, "--tracker", &site]);
    four.process.wait_for("complete ");
    four.has_the_holiday(&dir);
    let whole = (FILM + NOTES) as u64;
    for (daemon, before) in sharers.iter().zip(before) {
        let words = ["show", "holiday"];
        let given = daemon.uploaded(&dir) - before;
        let place = daemon.place;
        assert!(given >= whole / 10, "{place} gave {given} bytes of {whole}: {:?}", {
            daemon.say(&dir, &words)
        });
    }
}
