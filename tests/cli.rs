//! The real binary, run as a person or a script would: what it prints, where, and its exit code.
//!
//! Each test has a scratch directory of its own (`Workdir`); programs that go on running
//! (`Running`) are waited for by the lines they print, never by sleeping, and never for ever.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

// ── The tools of the trade ──────────────────────────────────────────────────────────────────

const SWARMLET: &str = env!("CARGO_BIN_EXE_swarmlet");

/// Longest wait for a line or an exit, on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(30);

/// A scratch directory, empty at the start of each test.
struct Workdir(PathBuf);

/// What a program that ended has left.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

/// A program that goes on; ended with the test.
struct Running {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Workdir {
    fn new(test: &str) -> Workdir {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli").join(test);
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        Workdir(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file, and the directories above it.
    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    fn command(&self) -> Command {
        let mut command = Command::new(SWARMLET);
        command.current_dir(&self.0).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run<W: AsRef<OsStr>>(&self, words: &[W]) -> Ran {
        let output = self.command().args(words).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).expect("prints UTF-8");
        Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Runs what must succeed, and returns what it printed.
    fn ok(&self, words: &[&str]) -> String {
        let ran = self.run(words);
        assert_eq!(ran.code, Some(0), "{words:?}: {ran:?}");
        ran.out
    }

    /// Runs what must fail with `code`, and returns its one line on stderr.
    fn fails(&self, code: i32, words: &[&str]) -> String {
        let ran = self.run(words);
        assert_eq!(ran.code, Some(code), "{words:?}: {ran:?}");
        one_clean_line(&ran.err)
    }

    fn start(&self, words: &[&str]) -> Running {
        let mut child = self.command().args(words).stderr(Stdio::inherit()).spawn().unwrap();
        let lines = lines_of(child.stdout.take().unwrap());
        Running { child, lines, seen: Vec::new() }
    }

    /// A directory that is as awkward as real ones: empty file, sub-directory, odd lengths.
    fn album(&self) -> &'static str {
        self.write("album/one.flac", &noise(1, 100_000));
        self.write("album/empty.log", b"");
        self.write("album/scans/front page.png", &noise(2, 70_001));
        self.write("album/zz.txt", b"last words");
        "album"
    }
}

impl Running {
    /// Reads lines until one begins with `start`; returns it.
    fn wait_for(&mut self, start: &str) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if line.starts_with(start) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("no '{start}' in time: {:?}", self.seen),
                Err(RecvTimeoutError::Disconnected) => panic!("no '{start}': {:?}", self.seen),
            }
        }
    }

    /// The value of `key` in the `ready` line.
    fn ready(&mut self, key: &str) -> String {
        value(&self.wait_for("ready "), key)
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end; panics if that takes longer than `patience`.
    fn end(&mut self, patience: Duration) -> ExitStatus {
        let until = Instant::now() + patience;
        // Its end closes its stdout: that is what is waited for.
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => self.seen.push(line),
                Err(RecvTimeoutError::Disconnected) => return self.child.wait().unwrap(),
                Err(RecvTimeoutError::Timeout) => panic!("still running: {:?}", self.seen),
            }
        }
    }

    /// Stops it as a person would, and returns its exit code.
    fn stop(mut self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.end(Duration::from_secs(6)).code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lines_of(stdout: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// The one line that a failure is told in; panics if there are more, or anything a terminal might
/// take for a command.
fn one_clean_line(err: &str) -> String {
    assert!(err.ends_with('\n'), "stderr does not end its line: {err:?}");
    assert_eq!(err.lines().count(), 1, "not one line: {err:?}");
    let line = err.trim_end_matches('\n');
    assert!(line.starts_with("swarmlet: "), "{line:?}");
    assert!(!line.chars().any(|letter| letter.is_control()), "raw bytes: {line:?}");
    line.to_string()
}

/// The value of `key=value` in a line.
fn value(line: &str, key: &str) -> String {
    let begin = format!(" {key}=");
    let at = line.find(&begin).unwrap_or_else(|| panic!("no {key}= in: {line}"));
    let rest = &line[at + begin.len()..];
    if rest.starts_with('"') {
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<String>();
        return values.next().unwrap().unwrap();
    }
    rest.split_whitespace().next().unwrap().to_string()
}

/// `len` bytes that do not repeat and are the same in every run.
fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    swarmlet::base::Random::new(seed).fill(&mut bytes);
    bytes
}

// ── The program ─────────────────────────────────────────────────────────────────────────────

const COMMANDS: [&str; 9] =
    ["create", "edit", "info", "magnet", "verify", "tracker", "share", "get", "peer"];

#[test]
fn help_names_every_command_and_every_command_has_help() {
    let dir = Workdir::new("help");
    let overview = dir.ok(&["help"]);
    assert_eq!(overview, dir.ok(&["--help"]));
    for command in COMMANDS {
        assert!(overview.contains(&format!("\n  {command} ")), "{command} is not listed");
        let help = dir.ok(&["help", command]);
        assert!(help.starts_with(&format!("swarmlet {command}: ")), "{help}");
        assert!(help.contains(&format!("\nusage: swarmlet {command} ")), "{help}");
        assert_eq!(help, dir.ok(&[command, "--help"]));
        assert_eq!(help, dir.ok(&[command, "some", "words", "-h"]));
        let widest = help.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(100), "{command}: {widest:?} columns");
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let dir = Workdir::new("version");
    assert_eq!(dir.ok(&["--version"]), format!("swarmlet {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn wrong_usage_exits_2_with_one_line_that_says_what_to_do() {
    let dir = Workdir::new("usage");
    #[rustfmt::skip]
    let table: &[(&[&str], &str)] = &[
        (&["crate"],                   "no command 'crate'; did you mean 'create'?"),
        (&["shar"],                    "did you mean 'share'?"),
        (&["xyzzy"],                   "no command 'xyzzy'; 'swarmlet help' lists"),
        (&["\x1b[2J"],                 "no command '"),
        (&[""],                        "no command ''"),
        (&["help", "crate"],           "did you mean 'create'?"),
        (&["help", "get", "peer"],     "help takes one command"),
        (&["info"],                    "info: FILE or MAGNET is missing; see 'swarmlet help info'"),
        (&["info", "a", "b"],          "only one FILE or MAGNET"),
        (&["info", "--bogus", "a"],    "unknown option --bogus"),
        (&["info", "--json=x", "a"],   "--json takes no value"),
        (&["create", "x", "-o"],       "-o needs a value"),
        (&["create", "x", "-o", "a", "-o", "b"], "--output is given twice"),
        (&["verify", "x"],             "verify: --dir is missing"),
        (&["edit", "x"],               "nothing to change"),
        (&["tracker", "x"],            "'x'"),
        (&["tracker", "--http", "8000"],           "the port is missing"),
        (&["tracker", "--http", ":8000"],          "the host is missing"),
        (&["tracker", "--http", "::1:8000"],       "in brackets"),
        (&["tracker", "--http", "127.0.0.1:65536"], "from 0 to 65535"),
        (&["tracker", "--http", "127.0.0.1:http"], "from 0 to 65535"),
        (&["get"],                     "get: TORRENT is missing"),
        (&["get", "x", "--peer", "127.0.0.1:0"],   "no peer has port 0"),
        (&["get", "x", "--listen", "127.0.0.1"],   "the port is missing"),
        (&["share"],                   "PATH or TORRENT is missing"),
    ];
    for (words, told) in table {
        let line = dir.fails(2, words);
        assert!(line.contains(told), "{words:?}\n  says {line}\n  not  {told}");
    }
}

#[test]
fn no_command_at_all_shows_the_list_and_exits_2() {
    let ran = Workdir::new("nothing").run::<&str>(&[]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.out.contains("\n  create "), "{}", ran.out);
    one_clean_line(&ran.err);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let dir = Workdir::new("pipe");
    let album = dir.album();
    dir.ok(&["create", album]);
    for words in [&["help"] as &[&str], &["info", "album.torrent"], &["create", "--force", album]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = dir.command();
        let mut child = command.args(words).stdout(writer).spawn().unwrap();
        let mut err = String::new();
        child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{words:?}: {err}");
        assert_eq!(err, "", "{words:?}");
    }
}

#[test]
fn a_full_standard_output_is_a_failure() {
    let dir = Workdir::new("full");
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = dir.command().arg("help").stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let line = one_clean_line(&String::from_utf8(output.stderr).unwrap());
    assert!(line.contains("cannot write to standard output: no space left"), "{line}");
}

#[test]
fn names_that_are_not_utf8_are_paths_like_any_other() {
    let dir = Workdir::new("bytes");
    let odd = OsStr::from_bytes(b"caf\xe9.torrent");
    dir.write("cafe", b"beans");
    let ran = dir.run(&[OsStr::new("create"), OsStr::new("cafe"), OsStr::new("-o"), odd]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(dir.0.join(odd).is_file());
    let ran = dir.run(&[OsStr::new("info"), odd]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let ran = dir.run(&[OsStr::new("info"), OsStr::from_bytes(b"\xff\xfe")]);
    assert_eq!(ran.code, Some(1));
    one_clean_line(&ran.err);
    let text = OsStr::from_bytes(b"--comment=\xff");
    let ran = dir.run(&[OsStr::new("create"), OsStr::new("cafe"), text]);
    assert_eq!(ran.code, Some(2));
    assert!(one_clean_line(&ran.err).contains("--comment is not UTF-8"), "{}", ran.err);
}

// ── create ──────────────────────────────────────────────────────────────────────────────────

#[test]
fn create_writes_a_torrent_and_says_what_is_in_it() {
    let dir = Workdir::new("create");
    let out = dir.ok(&["create", dir.album()]);
    assert_eq!(out.lines().count(), 1, "{out}");
    assert!(out.starts_with("made file=album.torrent name=album info_hash="), "{out}");
    assert_eq!(value(&out, "bytes"), (100_000 + 70_001 + 10).to_string());
    assert_eq!(value(&out, "pieces"), "11");
    assert_eq!(value(&out, "piece_bytes"), "16384");
    let info = dir.ok(&["info", "album.torrent"]);
    assert!(info.contains(&value(&out, "info_hash")), "{info}");
    assert!(info.contains("album/scans/front page.png"), "{info}");
    assert!(info.contains("album/empty.log"), "{info}");
}

#[test]
fn the_same_data_makes_the_same_torrent() {
    let dir = Workdir::new("create-again");
    let album = dir.album();
    let first = dir.ok(&["create", album]);
    let again = dir.ok(&["create", "-o", "b.torrent", &format!("./{album}/")]);
    assert_eq!(value(&first, "info_hash"), value(&again, "info_hash"));
    let private = dir.ok(&["create", "--private", "-o", "c.torrent", album]);
    assert_ne!(value(&first, "info_hash"), value(&private, "info_hash"));
}

#[test]
fn create_takes_every_wish() {
    let dir = Workdir::new("create-wishes");
    dir.album();
    #[rustfmt::skip]
    dir.ok(&[
        "create", "album", "-o", "out.torrent", "--name", "Other Name", "--comment", "a b",
        "--tracker", "http://one.example/announce", "-t", "http://two.example:81/x",
        "--private", "--piece-length", "32K",
    ]);
    let json = dir.ok(&["info", "--json", "out.torrent"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["name"], "Other Name");
    assert_eq!(json["comment"], "a b");
    assert_eq!(json["private"], true);
    assert_eq!(json["piece_bytes"], 32 * 1024);
    assert_eq!(json["pieces"], 6);
    let tiers = serde_json::json!([["http://one.example/announce"], ["http://two.example:81/x"]]);
    assert_eq!(json["trackers"], tiers);
    assert_eq!(json["files"][0]["path"], "Other Name/empty.log");
    assert_eq!(json["files"][0]["bytes"], 0);
    assert_eq!(json["files"].as_array().unwrap().len(), 4);
}

#[test]
fn create_takes_here_for_the_name_of_here() {
    let dir = Workdir::new("create-here");
    dir.write("data.bin", b"data");
    assert_eq!(value(&dir.ok(&["create", "."]), "name"), "create-here");
}

#[test]
fn create_replaces_nothing_unless_forced() {
    let dir = Workdir::new("create-force");
    dir.write("x.torrent", b"precious");
    dir.write("x", b"data");
    let line = dir.fails(1, &["create", "x"]);
    assert!(line.contains("'x.torrent' exists already; ") && line.contains("--force"), "{line}");
    assert_eq!(dir.read("x.torrent"), b"precious");
    dir.ok(&["create", "--force", "x"]);
    dir.ok(&["info", "x.torrent"]);
    let names: Vec<_> = fs::read_dir(&dir.0).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "nothing is left over: {names:?}");
}

#[test]
fn create_leaves_out_links_and_says_so() {
    let dir = Workdir::new("create-links");
    dir.write("box/real", b"data");
    std::os::unix::fs::symlink("/etc/passwd", dir.path("box/link")).unwrap();
    let ran = dir.run(&["create", "box"]);
    assert_eq!(ran.code, Some(0));
    let warning = one_clean_line(&ran.err);
    assert!(warning.starts_with("swarmlet: warning: left out ") && warning.contains("link"));
    assert!(!dir.ok(&["info", "box.torrent"]).contains("box/link"));
}

#[test]
fn create_refuses_what_no_torrent_can_be() {
    let dir = Workdir::new("create-refuses");
    dir.write("x", b"data");
    dir.write("empty", b"");
    dir.write("back\\slash", b"data");
    fs::create_dir(dir.path("bare")).unwrap();
    #[rustfmt::skip]
    let table: &[(i32, &[&str], &str)] = &[
        (1, &["create", "nowhere"],                  "cannot read 'nowhere': no such file"),
        (1, &["create", "empty"],                    "holds no data"),
        (1, &["create", "bare"],                     "holds no data"),
        (1, &["create", "/"],                        "cannot"),
        (1, &["create", "back\\slash"],              "no backslash"),
        (1, &["create", "x", "-n", "a/b"],           "'a/b' is no name"),
        (1, &["create", "x", "-n", ""],              "'' is no name"),
        (1, &["create", "x", "-n", "\x1b[2J"],       "is no name"),
        (1, &["create", "x", "-o", "no/such/dir.torrent"], "cannot write 'no/such/dir.torrent'"),
        (1, &["create", "x", "--force", "-o", "."],  "'.'"),
        (2, &["create", "x", "-l", "16383"],         "not between 16384"),
        (2, &["create", "x", "-l", "0"],             "not between 16384"),
        (2, &["create", "x", "-l", "1024M"],         "536870912 (512 MiB)"),
        (2, &["create", "x", "-l", "99999999999999999999"], "not a number of bytes"),
        (2, &["create", "x", "-l", "big"],           "not a number of bytes"),
        (2, &["create", "x", "-t", "file:///etc/passwd"], "not a URL of http://, https:// or udp://"),
        (2, &["create", "x", "-t", "tracker.example"],    "not a URL"),
        (2, &["create", "x", "-t", "http://a b/"],        "--tracker http://a b/: "),
    ];
    for (code, words, told) in table {
        if words[1] == "/" {
            continue; // Would read the whole host first.
        }
        let line = dir.fails(*code, words);
        assert!(line.contains(told), "{words:?}\n  says {line}\n  not  {told}");
    }
    let torrents = fs::read_dir(&dir.0).unwrap().map(|entry| entry.unwrap().path());
    assert_eq!(torrents.filter(|path| path.extension().is_some()).count(), 0);
}

#[test]
fn a_piece_length_that_is_no_power_of_two_is_taken_with_a_warning() {
    let dir = Workdir::new("create-odd");
    dir.write("x", &noise(3, 100_000));
    let ran = dir.run(&["create", "x", "-l", "40000"]);
    assert_eq!(ran.code, Some(0));
    assert!(one_clean_line(&ran.err).contains("power of two"), "{}", ran.err);
    assert_eq!(value(&ran.out, "pieces"), "3");
}

// ── info, magnet ────────────────────────────────────────────────────────────────────────────

#[test]
fn info_and_magnet_agree() {
    let dir = Workdir::new("magnet");
    dir.write("a & b.bin", b"data");
    let url = "http://tracker.example/announce?key=1&b=2";
    let made = dir.ok(&["create", "a & b.bin", "--tracker", url]);
    let hash = value(&made, "info_hash");
    let link = dir.ok(&["magnet", "a & b.bin.torrent"]);
    assert!(link.starts_with(&format!("magnet:?xt=urn:btih:{hash}&")), "{link}");
    let shown = dir.ok(&["info", "--json", link.trim_end()]);
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["info_hash"], hash);
    assert_eq!(shown["name"], "a & b.bin");
    assert_eq!(shown["trackers"], serde_json::json!([url]));
    let json = dir.ok(&["info", "--json", "a & b.bin.torrent"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["magnet"], link.trim_end());
}

#[test]
fn info_refuses_what_is_no_torrent_in_one_line() {
    let dir = Workdir::new("info-refuses");
    dir.write("text", b"not a torrent");
    dir.write("empty", b"");
    dir.write("large", &vec![b'i'; 11 << 20]);
    #[rustfmt::skip]
    let table: &[(&[&str], &str)] = &[
        (&["info", "nowhere"],    "cannot read 'nowhere': no such file"),
        (&["info", "."],          "cannot read '.': is a directory"),
        (&["info", "text/x"],     "not a directory"),
        (&["info", "text"],       "'text' is not a usable torrent"),
        (&["info", "empty"],      "'empty' is not a usable torrent"),
        (&["info", "large"],      "larger than 10485760 bytes"),
        (&["info", "/dev/zero"],  "larger than 10485760 bytes"),
        (&["info", "a\x1b[2Jb"],  "cannot read"),
        (&["magnet", "text"],     "'text' is not a usable torrent"),
        (&["info", "magnet:?xt=urn:btih:123"],  "magnet"),
        (&["info", "magnet:?dn=nothing"],       "magnet"),
        (&["info", "magnet:"],                  "magnet"),
    ];
    for (words, told) in table {
        let line = dir.fails(1, words);
        assert!(line.contains(told), "{words:?}\n  says {line}\n  not  {told}");
    }
}

#[test]
fn every_good_fixture_is_shown_and_every_bad_one_refused() {
    let dir = Workdir::new("fixtures");
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/torrents");
    let good = torrents_in(&fixtures.join("good"));
    let bad = torrents_in(&fixtures.join("bad"));
    assert!(good.len() >= 5 && bad.len() >= 20, "{} good, {} bad", good.len(), bad.len());
    let hashes = fs::read_to_string(fixtures.join("good/HASHES")).unwrap();
    for path in &good {
        let name = Path::new(path).file_name().unwrap().to_str().unwrap();
        let row = hashes.lines().find(|row| row.split_whitespace().nth(1) == Some(name));
        let hash = row.expect(name).split_whitespace().next().unwrap().to_string();
        for words in [&["info", path] as &[&str], &["info", "--json", path], &["magnet", path]] {
            let out = dir.ok(words);
            let control = |letter: char| letter.is_control() && letter != '\n';
            assert!(!out.contains(control), "{path}: raw bytes: {out:?}");
            assert!(out.contains(hash.as_str()), "{path}: not {hash}: {out}");
            if words.contains(&"--json") {
                serde_json::from_str::<serde_json::Value>(&out).expect(path);
            }
        }
    }
    for path in &bad {
        let line = dir.fails(1, &["info", path]);
        assert!(line.contains("is not a usable torrent: "), "{path}: {line}");
    }
}

fn torrents_in(dir: &Path) -> Vec<String> {
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let torrents = paths.filter(|path| path.extension().is_some_and(|kind| kind == "torrent"));
    let mut torrents: Vec<_> = torrents.map(|path| path.to_str().unwrap().to_string()).collect();
    torrents.sort();
    torrents
}

// ── verify ──────────────────────────────────────────────────────────────────────────────────

#[test]
fn verify_tells_of_each_file_whether_it_is_whole() {
    let dir = Workdir::new("verify");
    dir.ok(&["create", dir.album()]);
    let verify = ["verify", "album.torrent", "--dir", "."];
    let out = dir.ok(&verify);
    assert_eq!(out.matches("whole").count(), 5, "four files and the sum: {out}");

    let mut bytes = dir.read("album/one.flac");
    bytes[50_000] ^= 1;
    dir.write("album/one.flac", &bytes);
    fs::remove_file(dir.path("album/empty.log")).unwrap();
    dir.write("album/zz.txt", b"last words and more");
    let ran = dir.run(&verify);
    assert_eq!(ran.code, Some(1));
    let row = |name: &str| ran.out.lines().find(|line| line.ends_with(name)).unwrap();
    assert!(row("album/one.flac").starts_with("damaged 1/7 pieces"), "{}", ran.out);
    assert!(row("album/empty.log").starts_with("missing"), "{}", ran.out);
    assert!(row("album/zz.txt").starts_with("too long by 9 B"), "{}", ran.out);
    assert!(row("album/scans/front page.png").starts_with("whole"), "{}", ran.out);
    let line = one_clean_line(&ran.err);
    assert!(
        line.contains("3 of 4 files not whole; 'swarmlet get album.torrent --dir .'"),
        "{line}"
    );
}

#[test]
fn verify_refuses_a_place_that_is_no_directory() {
    let dir = Workdir::new("verify-refuses");
    dir.write("x", b"data");
    dir.ok(&["create", "x"]);
    let line = dir.fails(1, &["verify", "x.torrent", "--dir", "nowhere"]);
    assert!(line.contains("'nowhere' is no directory"), "{line}");
    let line = dir.fails(1, &["verify", "x.torrent", "--dir", "x"]);
    assert!(line.contains("'x' is no directory"), "{line}");
    fs::create_dir(dir.path("elsewhere")).unwrap();
    let ran = dir.run(&["verify", "x.torrent", "--dir", "elsewhere"]);
    assert_eq!((ran.code, ran.out.starts_with("missing ")), (Some(1), true), "{ran:?}");
}

#[test]
fn verify_follows_no_link_out_of_the_directory() {
    let dir = Workdir::new("verify-link");
    dir.write("x", b"data");
    dir.ok(&["create", "x"]);
    fs::create_dir(dir.path("there")).unwrap();
    std::os::unix::fs::symlink(dir.path("x"), dir.path("there/x")).unwrap();
    dir.fails(1, &["verify", "x.torrent", "--dir", "there"]);
}

// ── edit ────────────────────────────────────────────────────────────────────────────────────

#[test]
fn edit_changes_trackers_and_comment_but_never_the_info_hash() {
    let dir = Workdir::new("edit");
    dir.write("x", b"data");
    let made = dir.ok(&["create", "x", "-t", "http://old.example/announce", "-c", "old"]);
    let shown = |file: &str| -> serde_json::Value {
        serde_json::from_str(&dir.ok(&["info", "--json", file])).unwrap()
    };
    let before = dir.read("x.torrent");

    dir.ok(&["edit", "x.torrent", "-t", "http://new.example/announce", "-o", "y.torrent"]);
    assert_eq!(dir.read("x.torrent"), before, "-o leaves the original alone");
    let edited = shown("y.torrent");
    assert_eq!(edited["trackers"], serde_json::json!([["http://new.example/announce"]]));
    assert_eq!(edited["comment"], "old");
    assert_eq!(edited["info_hash"], value(&made, "info_hash"));

    dir.ok(&["edit", "x.torrent", "--tracker", "", "--comment", ""]);
    let edited = shown("x.torrent");
    assert_eq!(edited["trackers"], serde_json::json!([]));
    assert_eq!(edited["comment"], serde_json::Value::Null);
    assert_eq!(edited["info_hash"], value(&made, "info_hash"));

    let line = dir.fails(1, &["edit", "x.torrent", "-c", "new", "-o", "y.torrent"]);
    assert!(line.contains("'y.torrent' exists already"), "{line}");
    dir.ok(&["edit", "x.torrent", "-c", "new", "-o", "y.torrent", "--force"]);
    assert_eq!(shown("y.torrent")["comment"], "new");
}

#[test]
fn edit_refuses_what_it_cannot_read_or_announce_to() {
    let dir = Workdir::new("edit-refuses");
    dir.write("text", b"not a torrent");
    dir.fails(1, &["edit", "text", "-c", "x"]);
    assert_eq!(dir.read("text"), b"not a torrent");
    dir.fails(1, &["edit", "nowhere", "-c", "x"]);
    dir.fails(2, &["edit", "text", "-t", "gopher://x/announce"]);
}

// ── tracker, share, get, peer ───────────────────────────────────────────────────────────────

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
    let progress = killed.wait_for("progress ");
    assert_eq!(value(&progress, "bytes"), "30000000");
    killed.signal(Signal::KILL);
    assert_eq!(killed.end(PATIENCE).code(), None);
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
    let words = ["peer", "--listen", LOCAL, "a.bin.torrent", "b.bin.torrent"];
    let mut seeds = dir.start(&words);
    assert_eq!(value(&seeds.wait_for("ready "), "torrents"), "2");
    seeds.wait_for("tracker-ok ");
    seeds.wait_for("tracker-ok ");
    let mut leeches = dir.start(&["peer", "--listen", LOCAL, "--dir", "copy"]);
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
    dir.write("file.bin", b"other content");
    let line = dir.fails(1, &["share", "file.bin", "--listen", LOCAL]);
    assert!(line.contains("'file.bin.torrent' exists already and is of other content"), "{line}");
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
        (&["share", "x", "--listen", "192.0.2.1:0"],    "an address of this machine"),
        (&["get", "magnet:?xt=urn:btih:da39a3ee5e6b4b0d3255bfef95601890afd80709"],
                                                        "magnet link is not supported yet"),
        (&["get", "nowhere.torrent"],                   "cannot read 'nowhere.torrent'"),
        (&["get", "x"],                                 "'x' is not a usable torrent"),
        (&["get", "x.torrent", "--dir", "x"],           "cannot make the directory 'x'"),
        (&["get", "x.torrent", "--peer", "no.such.name.invalid:1"], "no address is known"),
        (&["share", "nowhere"],                         "cannot read 'nowhere'"),
        (&["peer", "--dir", "bare"],                    "no usable torrent in 'bare'"),
        (&["peer", "nowhere.torrent"],                  "cannot read 'nowhere.torrent'"),
    ];
    for (words, told) in table {
        let line = dir.fails(1, words);
        assert!(line.contains(told), "{words:?}\n  says {line}\n  not  {told}");
    }
}
