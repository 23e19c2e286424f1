//! A node as a service: its unit, and how loud it is.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::workdir::{PATIENCE, Running, SWARMLET, Workdir, lines_of, noise, value};

const LOCAL: &str = "127.0.0.1:0";

/// The only line of a unit that begins so, without that.
fn after<'u>(unit: &'u str, start: &str) -> &'u str {
    let mut lines = unit.lines().filter_map(|line| line.strip_prefix(start));
    let line = lines.next().unwrap_or_else(|| panic!("no {start}: {unit}"));
    assert_eq!(lines.next(), None, "{start} twice");
    line
}

#[test]
fn a_unit_runs_this_program_as_it_was_told() {
    let dir = Workdir::new("unit");
    let ini = dir.write("a b.ini", b"[peer]\nup = 500K\n");
    let ini = ini.display();
    #[rustfmt::skip]
    let table: &[(&[&str], &str, String)] = &[
        (&["unit"], "swarmlet", "peer --max-memory 192M".into()),
        (&["unit", "peer"], "swarmlet", "peer --max-memory 192M".into()),
        (&["unit", "tracker"], "swarmlet-tracker",
            "tracker --http 0.0.0.0:8000 --library torrents --state state".into()),
        (&["unit", "tracker", "--http", "[::]:80"], "swarmlet-tracker", "tracker --http [::]:80".into()),
        (&["unit", "peer", "--dir", "100% $a\\b \"c\"", "-r", "off"], "swarmlet",
            r#"peer --dir "100%% $$a\\b \"c\"" -r off"#.into()),
        (&["unit", "--config", "a b.ini", "peer"], "swarmlet", format!("peer --config \"{ini}\"")),
    ];
    for (words, name, run) in table {
        let unit = dir.ok(words);
        assert_eq!(after(&unit, "ExecStart="), format!("{SWARMLET} {run}"));
        assert_eq!(after(&unit, "StateDirectory="), *name);
        assert_eq!(after(&unit, "WorkingDirectory="), format!("%S/{name}"));
        for line in ["DynamicUser=yes", "ProtectSystem=strict", "NoNewPrivileges=yes"] {
            assert!(unit.lines().any(|told| told == line), "{line}: {unit}");
        }
    }
    #[rustfmt::skip]
    let table: &[(i32, &[&str], &str)] = &[
        (2, &["unit", "share"],                   "there are units for peer and tracker"),
        (2, &["unit", "peer", "--bogus"],         "peer: unknown option --bogus"),
        (2, &["unit", "--bogus"],                 "unit: unknown option --bogus"),
        (1, &["unit", "--config", "none", "peer"], "no such file"),
        (1, &["unit", "peer", "--dir", "a\x1bb"],  "is no word for a unit"),
    ];
    for (code, words, told) in table {
        let line = dir.fails(*code, words);
        assert!(line.contains(told), "{words:?}: {line}");
    }
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let dir = Workdir::new("unit-verify");
    for what in ["peer", "tracker"] {
        let file = format!("{what}.service");
        dir.write(&file, dir.ok(&["unit", what]).as_bytes());
        let mut verify = Command::new("systemd-analyze");
        // Without --man=no it looks for every page that is named.
        verify.args(["verify", "--man=no", &file]).current_dir(&dir.0);
        let Ok(output) = verify.output() else {
            return eprintln!("no systemd-analyze here: nothing was tried");
        };
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let of_ours: Vec<&str> = said.lines().filter(|line| line.contains(&file)).collect();
        assert!(of_ours.is_empty(), "{said}");
    }
}

/// Asks again until it is so.
fn until(what: &str, is_so: impl Fn() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "{what}");
        std::thread::yield_now();
    }
}

#[test]
fn at_debug_it_is_told_what_happens_with_each_peer_and_why() {
    let dir = Workdir::new("log-debug");
    dir.write("x", &noise(3, 200_000));
    dir.ok(&["create", "x"]);
    fs::create_dir(dir.path("data")).unwrap();
    fs::copy(dir.path("x.torrent"), dir.path("data/x.torrent")).unwrap();
    let words =
        ["peer", "--dir", "data", "--listen", LOCAL, "--rpc", "off", "--log-level", "debug"];
    let mut getter = dir.start(&words);
    let addr = getter.ready("listen");
    let _sharer = dir.start(&["share", "x.torrent", "--listen", LOCAL, "--peer", &addr]);
    getter.wait_for("complete ");
    let told: Vec<String> =
        getter.seen.iter().filter(|line| line.starts_with("told ")).cloned().collect();
    assert!(value(&told[0], "peer").starts_with("127.0.0.1:"), "{told:?}");
    assert_eq!(value(&told[0], "what"), "called us");
    assert!(told.iter().any(|line| value(line, "what").starts_with("piece ")), "{told:?}");
    assert_eq!(getter.stop(), Some(0));
}

#[test]
fn a_level_leaves_out_what_matters_less() {
    let dir = Workdir::new("log-levels");
    dir.write("data/broken.torrent", b"no torrent");
    // The lines on standard output, and whether there is a warning.
    for (level, lines, warns) in
        [("info", &["ready", "stopping"][..], true), ("warn", &[], true), ("error", &[], false)]
    {
        let rpc = format!("127.0.0.1:{}", crate::shell::free_port());
        let mut command = dir.command();
        command.args(["peer", "--dir", "data", "--listen", LOCAL, "--rpc", &rpc]);
        command.args(["--log-level", level]).stderr(File::create(dir.path("err")).unwrap());
        let mut child = command.spawn().unwrap();
        let lines_told = lines_of(child.stdout.take().unwrap());
        let mut running = Running { child, lines: lines_told, seen: Vec::new() };
        until("no daemon comes", || dir.run(&["ping", "--rpc", &rpc]).code == Some(0));
        running.signal(Signal::TERM);
        assert_eq!(running.end(Duration::from_secs(6)).code(), Some(0));
        let first = |line: &String| line.split(' ').next().unwrap().to_owned();
        let told: Vec<String> = running.seen.iter().map(first).collect();
        assert_eq!(told, lines, "{level}");
        let err = String::from_utf8(dir.read("err")).unwrap();
        assert_eq!(err.contains("warning: 'data/broken.torrent' is not a usable"), warns, "{err}");
        assert_eq!(err.is_empty(), !warns, "{err}");
    }
    let line = dir.fails(2, &["tracker", "--log-level", "loud"]);
    assert!(line.contains("--log-level loud: not error, warn, info or debug"), "{line}");
}

#[test]
fn the_journal_is_told_the_level_and_nobody_else_is() {
    let dir = Workdir::new("log-journal");
    for (is_journal, ready, failed) in
        [(true, "<6>ready ", "<3>swarmlet: "), (false, "ready ", "swarmlet: ")]
    {
        let file = File::create(dir.path("log")).unwrap();
        let stat = file.metadata().unwrap();
        let inode = if is_journal { stat.ino() } else { stat.ino() + 1 };
        let stream = format!("{}:{inode}", stat.dev());
        let mut command = dir.command();
        command.args(["tracker", "--http", LOCAL]).env("JOURNAL_STREAM", &stream);
        let mut child = command.stdout(file.try_clone().unwrap()).spawn().unwrap();
        let log = || String::from_utf8(dir.read("log")).unwrap();
        until("nothing in the log", || log().ends_with('\n'));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(log().starts_with(ready), "{}", log());
        let mut command = dir.command();
        command.args(["tracker", "--http", "x"]).env("JOURNAL_STREAM", &stream);
        assert_eq!(command.stderr(file).status().unwrap().code(), Some(2));
        assert!(log().lines().last().unwrap().starts_with(failed), "{}", log());
    }
}
