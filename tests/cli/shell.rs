//! The shell: its editor key by key, scripts from a pipe, and a person at a terminal.

use std::fs;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Instant;

use rustix::process::Signal;
use swarmlet::command::remote::editor::{Editor, Step, words};

use crate::workdir::{PATIENCE, Ran, SWARMLET, Workdir, noise, one_clean_line, value};

const LOCAL: &str = "127.0.0.1:0";

// ── words ───────────────────────────────────────────────────────────────────────────────────

#[test]
fn a_line_falls_into_words_as_a_shell_would_have_it() {
    #[rustfmt::skip]
    let table: &[(&str, &[&str])] = &[
        ("",                          &[]),
        ("   ",                       &[]),
        ("status",                    &["status"]),
        ("  stop \t all ",            &["stop", "all"]),
        ("add 'one two' \"three four\"", &["add", "one two", "three four"]),
        ("add one\\ two",             &["add", "one two"]),
        ("a\"b c\"d'e f'",            &["ab cde f"]),
        ("x '' \"\"",                 &["x", "", ""]),
        ("'a\\b' \"a\\\"b\"",         &["a\\b", "a\"b"]),
        ("tail\\",                    &["tail\\"]),
        ("# nothing",                 &[]),
        ("stop 1 # for now",          &["stop", "1"]),
        ("get a#b '#c' \\#d",         &["get", "a#b", "#c", "#d"]),
        ("~/x a~/x '~/x' ~",          &["/home/me/x", "a~/x", "~/x", "~"]),
        ("sta\x1b[2Jtus\x07 \u{9b}1", &["sta[2Jtus", "1"]),
        ("größe 曲",                   &["größe", "曲"]),
    ];
    for (line, expected) in table {
        assert_eq!(words(line, Some("/home/me")).unwrap(), *expected, "{line:?}");
    }
    assert_eq!(words("~/x", None).unwrap(), ["~/x"]);
    for open in ["'", "add \"one", "add \"one\\\""] {
        assert_eq!(words(open, None), Err("a quote is not closed"), "{open:?}");
    }
}

// ── the editor ──────────────────────────────────────────────────────────────────────────────

/// Feeds keys; returns the last step that was not `More`, and what is drawn.
fn typed(editor: &mut Editor, keys: &str) -> (Step, String) {
    let mut last = Step::More;
    for byte in keys.bytes() {
        match editor.feed(byte) {
            Step::More => {}
            step => last = step,
        }
    }
    (last, editor.drawn("> ", 80))
}

#[test]
fn keys_do_what_fingers_expect() {
    // Keys on the left; the line and the column of the cursor on the right.
    #[rustfmt::skip]
    let table: &[(&str, &str, usize)] = &[
        ("status",                     "status",  6),
        ("stats\x1b[Du",               "status",  5),
        ("tatus\x01s",                 "status",  1),
        ("tatus\x1b[Hs\x1b[F!",        "status!", 7),
        ("tatus\x1b[1~s\x1b[4~!",      "status!", 7),
        ("tatus\x1bOHs",               "status",  1),
        ("sstatus\x01\x1b[3~",         "status",  0),
        ("sstatus\x01\x04",            "status",  0),
        ("statuss\x7f",                "status",  6),
        ("statuss\x08",                "status",  6),
        ("\x7f\x7fa",                  "a",       1),
        ("status all\x17",             "status ", 7),
        ("status all  \x17",           "status ", 7),
        ("status all\x15",             "",        0),
        ("status all\x01\x0b",         "",        0),
        ("status all\x01\x06\x06\x0b", "st",      2),
        ("ab\x02\x02\x02\x02c",        "cab",     1),
        ("ab\x1b[C\x1b[Cc",            "abc",     3),
        ("größe",                      "größe",   5),
        ("größe\x7f\x7f\x7f",          "gr",      2),
        ("曲\u{1b}[D!",                "!曲",     1),
        ("a\x1b[200~b\x1b[5;3~c",      "abc",     3),
        ("a\x1bxb",                    "ab",      2),
        ("a\x00\x0f\x1ab",             "ab",      2),
    ];
    for (keys, line, column) in table {
        let (_, drawn) = typed(&mut Editor::new(vec![]), keys);
        assert_eq!(drawn, format!("\r> {line}\x1b[K\r\x1b[{}C", column + 2), "{keys:?}");
    }
}

#[test]
fn bytes_that_are_no_text_leave_none() {
    let mut editor = Editor::new(vec![]);
    for byte in [0xff, b'a', 0xc3, b'b', 0x9b, 0xe6, 0x9b, 0xb2, 0xc2, 0x9b] {
        assert_eq!(editor.feed(byte), Step::More);
    }
    let Step::Line(line) = editor.feed(b'\r') else { panic!("no line") };
    assert!(!line.chars().any(char::is_control), "{line:?}");
    assert!(line.contains('曲'), "{line:?}");
}

#[test]
fn lines_come_back_from_the_history_and_the_new_one_waits() {
    let mut editor = Editor::new(vec![]);
    assert_eq!(typed(&mut editor, "one\r").0, Step::Line("one".into()));
    assert_eq!(typed(&mut editor, "two\r").0, Step::Line("two".into()));
    assert_eq!(typed(&mut editor, "two\r").0, Step::Line("two".into()));
    assert_eq!(typed(&mut editor, "  \r").0, Step::Line("  ".into()));
    assert_eq!(editor.history(), ["one", "two"]);
    let up = "\x1b[A";
    let down = "\x1b[B";
    for (keys, shown) in [
        ("new", "new"),
        (up, "two"),
        (up, "one"),
        (up, "one"),
        (down, "two"),
        (down, "new"),
        (down, "new"),
        ("\x10", "two"),
        ("\x0e", "new"),
    ] {
        let drawn = typed(&mut editor, keys).1;
        assert!(drawn.starts_with(&format!("\r> {shown}\x1b[K")), "{keys:?}: {drawn:?}");
    }
    typed(&mut editor, up);
    assert_eq!(typed(&mut editor, "!\r").0, Step::Line("two!".into()), "changed, it is another");
    assert_eq!(editor.history(), ["one", "two", "two!"]);
    assert_eq!(typed(&mut editor, "never mind\x03").0, Step::Cancelled);
    assert_eq!(typed(&mut editor, "\x04").0, Step::Ended, "the line was empty again");
    for number in 0..600 {
        typed(&mut editor, &format!("{number}\r"));
    }
    assert_eq!((editor.history().len(), editor.history()[0].as_str()), (500, "100"));
}

#[test]
fn tab_goes_on_as_far_as_is_certain() {
    let mut editor = Editor::new(vec!["show", "start", "status", "stop"]);
    let line = |editor: &mut Editor, keys| typed(editor, keys).1;
    assert_eq!(
        typed(&mut editor, "st\t").0,
        Step::Several(["start", "status", "stop"].map(Into::into).into())
    );
    assert!(line(&mut editor, "a\t").starts_with("\r> sta\x1b[K"));
    assert!(line(&mut editor, "tu\t").starts_with("\r> status \x1b[K"));
    assert_eq!(typed(&mut editor, "ph\t").0, Step::Unfinished("status ph".into()));
    let names = ["photos/", "phone book"].map(String::from);
    assert_eq!(editor.complete("ph", &names), Step::More);
    assert!(line(&mut editor, "").starts_with("\r> status pho\x1b[K"));
    assert_eq!(editor.complete("pho", &names), Step::Several(names.to_vec()));
    editor.complete("pho", &names[..1]);
    assert!(line(&mut editor, "").starts_with("\r> status photos/\x1b[K"), "it may go on");
    typed(&mut editor, "\x15add ph");
    editor.complete("ph", &names[1..]);
    assert!(line(&mut editor, "").starts_with("\r> add phone\\ book \x1b[K"));
    assert_eq!(editor.complete("zz", &names), Step::More);
    assert_eq!(typed(&mut editor, "\x15zz\t").0, Step::More);
    let umlauts = ["grün", "größe"].map(String::from);
    typed(&mut editor, "\x15add g");
    editor.complete("g", &umlauts);
    assert!(line(&mut editor, "").starts_with("\r> add gr\x1b[K"));
}

#[test]
fn a_line_that_is_too_long_is_seen_through_a_window() {
    let mut editor = Editor::new(vec![]);
    typed(&mut editor, "0123456789abcdefghij");
    // 12 columns, 2 for the prompt, 1 free: the last letters, and the cursor behind them.
    assert_eq!(editor.drawn("> ", 12), "\r> cdefghij\x1b[K\r\x1b[10C");
    typed(&mut editor, "\x01");
    assert_eq!(editor.drawn("> ", 12), "\r> 01234567\x1b[K\r\x1b[2C");
    let mut editor = Editor::new(vec![]);
    typed(&mut editor, &"x".repeat(10_000));
    let Step::Line(line) = editor.feed(b'\r') else { panic!("no line") };
    assert_eq!(line.len(), 4096);
}

// ── scripts ─────────────────────────────────────────────────────────────────────────────────

/// Gives a shell its lines, and returns what it said.
fn script(dir: &Workdir, words: &[&str], lines: &str) -> Ran {
    let mut command = dir.command();
    command.arg("shell").args(words).stdin(Stdio::piped());
    let mut child = command.env("HOME", &dir.0).spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).expect("prints UTF-8");
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// A port that nobody has at this moment.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind(LOCAL).unwrap().local_addr().unwrap().port()
}

/// Ends the daemon that a shell left, whatever becomes of the test.
struct Left<'d>(&'d Workdir, String);

impl Drop for Left<'_> {
    fn drop(&mut self) {
        self.0.run(&["shutdown", "--rpc", &self.1]);
    }
}

#[test]
fn a_script_is_carried_out_line_by_line() {
    let dir = Workdir::new("shell-script");
    dir.write("my photos/a.jpg", &noise(1, 50_000));
    let lines = "\
# by hand
maketorrent 'my photos' -t http://a.example/announce

b-info \"my photos.torrent\"   # quotes of the other kind
b-edit my\\ photos.torrent -t http://b.example/announce
swarmlet magnet ~/'my photos.torrent'
exit
create never
";
    let ran = script(&dir, &[], lines);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{ran:?}");
    assert!(ran.out.contains("made file=\"my photos.torrent\""), "{}", ran.out);
    assert!(ran.out.contains("http://a.example/announce"), "{}", ran.out);
    assert!(ran.out.contains("magnet:?xt="), "{}", ran.out);
    assert!(ran.out.contains("tr=http%3A%2F%2Fb.example") || ran.out.contains("b.example"));
    assert!(!ran.out.contains("swarmlet>"), "a prompt is for people");
}

#[test]
fn a_script_goes_on_after_a_failure_and_says_so_at_the_end() {
    let dir = Workdir::new("shell-fails");
    let nobody = format!("127.0.0.1:{}", free_port());
    let ran = script(&dir, &["--rpc", &nobody], "status\nsttus\n'open\n\x1b]0;x\x07info\nhelp\n");
    assert_eq!(ran.code, Some(1));
    let told: Vec<&str> = ran.err.lines().collect();
    for (line, words) in told.iter().zip([
        format!("no daemon answers at {nobody}"),
        "there is no command 'sttus'; did you mean 'status'?".into(),
        "a quote is not closed".into(),
        "there is no command ']0;xinfo'".into(),
        "4 commands failed".into(),
    ]) {
        assert!(line.contains(&words), "{line}\n  not {words}");
        one_clean_line(&format!("{line}\n"));
    }
    assert_eq!(told.len(), 5, "{}", ran.err);
    assert!(ran.out.contains("Also understood"), "{}", ran.out);
    assert_eq!(script(&dir, &["x"], "").code, Some(2));
    assert_eq!(script(&dir, &["--rpc", &nobody], "").code, Some(0));
}

#[test]
fn help_in_a_shell_knows_its_words() {
    let dir = Workdir::new("shell-help");
    for (line, told) in [
        ("help", "Also understood"),
        ("b-help", "Also understood"),
        ("help all", "  shell "),
        ("help share", "swarmlet seed: "),
        ("help leech", "swarmlet leech: "),
        ("download --help", "swarmlet leech: "),
        ("daemon --help", "swarmlet peer: "),
        ("help exit", "Also understood"),
    ] {
        let ran = script(&dir, &[], line);
        assert_eq!(ran.code, Some(0), "{line}: {ran:?}");
        assert!(ran.out.contains(told), "{line}: {}", ran.out);
    }
    // Every word that help names is known.
    let named = script(&dir, &[], "help").out;
    let (_, also) = named.split_once("Also understood:\n").unwrap();
    for word in also.split([',', ' ', '\n', '(', ')']).filter(|word| word.starts_with("b-")) {
        let ran = script(&dir, &[], &format!("help {word}"));
        assert_eq!(ran.code, Some(0), "{word}: {ran:?}");
    }
}

#[test]
fn a_shell_starts_what_is_missing_and_leaves_the_daemon_there() {
    let dir = Workdir::new("shell-starts");
    dir.write("data/photos/a.jpg", &noise(1, 70_000));
    let rpc = format!("127.0.0.1:{}", free_port());
    let http = format!("127.0.0.1:{}", free_port());
    let words = ["--start", "--dir", "data", "--rpc", &rpc];
    let left = Left(&dir, rpc.clone());
    let lines = format!(
        "tracker {http}\nshare data/photos -t http://{http}/announce\n\
         search photo -t {http}\nb-show\nseeding\n"
    );
    let ran = script(&dir, &words, &lines);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{ran:?}");
    for told in [
        format!("daemon addr={rpc} dir=data log=data/.swarmlet/daemon.log\n"),
        format!("tracker announce=http://{http}/announce"),
        format!(" tracker=http://{http}"),
        "\ntorrent id=1 name=photos".into(),
    ] {
        assert!(ran.out.contains(&told), "{told}: {}", ran.out);
    }
    assert!(dir.path("data/.swarmlet/daemon.log").exists());
    // The tracker went with its shell, the daemon did not.
    assert!(std::net::TcpStream::connect(&http).is_err(), "nobody knows that it is there");
    assert!(dir.ok(&["status", "--rpc", &rpc]).contains("name=photos"));
    // Another shell finds it; it starts no second one, and can end it.
    let ran = script(&dir, &words, "b-start\nshutdown\n");
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains(&format!("somebody answers at {rpc} already")), "{}", ran.err);
    assert!(ran.out.contains("gone addr="), "{}", ran.out);
    // What does not come up says why.
    let ran = script(&dir, &["--dir", "data", "--rpc", &rpc], "daemon --root nowhere\n");
    assert_eq!(ran.code, Some(1));
    assert!(ran.err.contains("the daemon did not start: cannot use 'nowhere'"), "{}", ran.err);
    let ran = script(&dir, &["--dir", "data"], "tracker 99999\n");
    assert!(ran.err.contains("the tracker did not start: "), "{}", ran.err);
    drop(left);
}

// ── a running torrent's trackers ────────────────────────────────────────────────────────────

#[test]
fn trackers_are_edited_in_place_in_a_file_and_in_a_running_torrent() {
    let dir = Workdir::new("edit-running");
    dir.write("x", &noise(1, 1000));
    let (a, b, c) =
        ("http://a.example/announce", "http://b.example/announce", "http://c.example/announce");
    dir.ok(&["create", "x", "-t", a, "-t", b]);
    fs::create_dir(dir.path("data")).unwrap();
    let words = ["peer", "--dir", "data", "--listen", LOCAL, "--rpc", LOCAL];
    let mut daemon = dir.start(&words);
    let rpc = daemon.ready("rpc");
    dir.ok(&["add", "x.torrent", "--paused", "--rpc", &rpc]);
    let running = || {
        let shown: serde_json::Value =
            serde_json::from_str(&dir.ok(&["show", "x", "--json", "--rpc", &rpc])).unwrap();
        let trackers = shown["torrents"][0]["trackers"].as_array().unwrap().clone();
        trackers.iter().map(|one| one["url"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let in_file = || {
        let shown: serde_json::Value =
            serde_json::from_str(&dir.ok(&["info", "--json", "x.torrent"])).unwrap();
        let tiers = shown["trackers"].as_array().unwrap().clone();
        let urls = tiers.iter().flat_map(|tier| tier.as_array().unwrap().clone());
        urls.map(|url| url.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    #[rustfmt::skip]
    let table: &[(&[&str], &[&str])] = &[
        (&["--instead-of", b, "-t", c],          &[a, c]),
        (&["--instead-of", a, "-t", b, "-t", c], &[b, c]),
        (&["--instead-of", c, "-t", ""],         &[b]),
        (&["-t", c, "-t", a],                    &[c, a]),
        (&["-t", ""],                            &[]),
        (&["-t", a],                             &[a]),
    ];
    for (words, expected) in table {
        let out = dir.ok(&[&["edit", "x.torrent"], *words].concat());
        assert!(out.contains("as before"), "{out}");
        assert_eq!(in_file(), *expected, "{words:?}");
        let out = dir.ok(&[&["edit", "1", "--rpc", &rpc], *words].concat());
        assert_eq!(value(&out, "name"), "x");
        assert!(out.starts_with("edited id=1 "), "{out}");
        assert_eq!(running(), *expected, "{words:?}");
    }
    for (code, words, told) in [
        (1, ["edit", "1", "--instead-of", b, "-t", c], "is none of its trackers; its trackers are"),
        (1, ["edit", "x.torrent", "--instead-of", b, "-t", c], "is none of its trackers"),
        (1, ["edit", "nothing", "-t", c, "-t", a], "has no torrent 'nothing'"),
        (1, ["edit", "no.torrent", "-t", c, "-t", a], "no such file"),
        (2, ["edit", "1", "--instead-of", b, "-c", "x"], "nothing to change"),
    ] {
        let line = dir.fails(code, &[&words[..], &["--rpc", &rpc]].concat());
        assert!(line.contains(told), "{words:?}: {line}");
    }
    // It is so after the daemon was killed, too.
    daemon.signal(Signal::KILL);
    daemon.end(PATIENCE);
    let mut daemon = dir.start(&words);
    let rpc = daemon.ready("rpc");
    assert!(dir.ok(&["show", "x", "--rpc", &rpc]).contains(a));
}

// ── a person at a terminal ──────────────────────────────────────────────────────────────────

/// A shell in a terminal of its own, made by script(1).
struct Terminal {
    child: Child,
    keys: ChildStdin,
    shown: Receiver<Vec<u8>>,
    seen: String,
}

/// An empty line, drawn only when the terminal is ready for keys.
const PROMPT: &str = "\rswarmlet> \x1b[K\r\x1b[10C";

impl Terminal {
    /// `None`: this machine has no script(1).
    fn open(dir: &Workdir, words: &str) -> Option<Terminal> {
        let mut command = Command::new("script");
        command.args(["-qec", &format!("exec '{SWARMLET}' shell {words}"), "/dev/null"]);
        command.current_dir(&dir.0).env("TERM", "xterm").env("HOME", "/nowhere");
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.ok()?;
        let mut out = child.stdout.take().unwrap();
        let (sender, shown) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = out.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        let keys = child.stdin.take().unwrap();
        Some(Terminal { child, keys, shown, seen: String::new() })
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Waits for a text behind the one that was waited for before.
    fn wait_for(&mut self, text: &str) {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(at) = self.seen.find(text) {
                self.seen.drain(..at + text.len());
                return;
            }
            let left = until.saturating_duration_since(Instant::now());
            let Ok(bytes) = self.shown.recv_timeout(left) else {
                panic!("no {text:?}: {:?}", self.seen)
            };
            self.seen.push_str(&String::from_utf8_lossy(&bytes));
        }
    }
}

impl Terminal {
    /// Waits until the shell has left; returns its exit code.
    fn end(&mut self) -> Option<i32> {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.shown.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(RecvTimeoutError::Disconnected) => return self.child.wait().unwrap().code(),
                Err(RecvTimeoutError::Timeout) => panic!("still there: {:?}", self.seen),
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Without script(1) the terminal is no more, and whoever is in it hears of that.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_person_is_asked_edits_lines_and_leaves() {
    let dir = Workdir::new("shell-person");
    dir.write("data/x", &noise(1, 1000));
    let rpc = format!("127.0.0.1:{}", free_port());
    let left = Left(&dir, rpc.clone());
    let Some(mut terminal) = Terminal::open(&dir, &format!("--rpc {rpc} --dir data")) else {
        return eprintln!("no script(1) here: nothing was tried");
    };
    terminal.wait_for("start one, with its files in 'data'? [Y/n] ");
    terminal.press("n\r");
    terminal.wait_for("'daemon' starts one later");
    terminal.wait_for(PROMPT);
    terminal.press("stauts\x1b[D\x1b[D\x1b[3~\x1b[Cu\x7f\x01\x0b");
    terminal.wait_for("\r\x1b[10C");
    terminal.press("never mind\x03");
    terminal.wait_for("^C\r\n");
    terminal.wait_for(PROMPT);
    terminal.press("ping\r");
    terminal.wait_for(&format!("no daemon answers at {rpc}"));
    terminal.press("\x0c");
    terminal.wait_for("\x1b[H\x1b[J\rswarmlet> ");
    terminal.press("daem\t\r");
    terminal.wait_for(&format!("a daemon runs at {rpc}"));
    terminal.wait_for(PROMPT);
    terminal.press("\x1b[A\x1b[A\r"); // the line before the last one: ping
    terminal.wait_for("a daemon answers at");
    terminal.wait_for(PROMPT);
    terminal.press("create da\t\t");
    terminal.wait_for("create data/x ");
    terminal.press("-o x.torrent\r");
    terminal.wait_for("info-hash");
    terminal.wait_for(PROMPT);
    // Ctrl-C ends what runs, not the shell, and not the daemon.
    terminal.press("status --watch\r");
    terminal.wait_for("\x1b[J");
    terminal.press("\x03");
    terminal.wait_for(PROMPT);
    terminal.press("ping\r");
    terminal.wait_for("a daemon answers at");
    terminal.wait_for(PROMPT);
    terminal.press("\x04");
    assert_eq!(terminal.end(), Some(0));
    assert!(dir.path("x.torrent").exists());
    dir.ok(&["ping", "--rpc", &rpc]);
    drop(left);
}

#[test]
fn a_window_that_is_closed_takes_the_tracker_with_it_and_leaves_the_daemon() {
    let dir = Workdir::new("shell-closed");
    fs::create_dir(dir.path("data")).unwrap();
    let rpc = format!("127.0.0.1:{}", free_port());
    let http = format!("127.0.0.1:{}", free_port());
    let left = Left(&dir, rpc.clone());
    let Some(mut terminal) = Terminal::open(&dir, &format!("--rpc {rpc} --dir data")) else {
        return eprintln!("no script(1) here: nothing was tried");
    };
    terminal.wait_for("[Y/n] ");
    terminal.press("\r");
    terminal.wait_for(PROMPT);
    terminal.press(&format!("tracker {http}\r"));
    terminal.wait_for("runs at http://");
    terminal.wait_for(PROMPT);
    drop(terminal);
    let until = Instant::now() + PATIENCE;
    while std::net::TcpStream::connect(&http).is_ok() {
        assert!(Instant::now() < until, "the tracker is still there");
        std::thread::yield_now();
    }
    dir.ok(&["ping", "--rpc", &rpc]);
    drop(left);
}
