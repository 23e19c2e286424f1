//! A scratch directory, and the programs that run in it.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

pub const SWARMLET: &str = env!("CARGO_BIN_EXE_swarmlet");

/// Longest wait for a line or an exit, on a machine that is busy with other tests.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A scratch directory, empty at the start of each test.
pub struct Workdir(pub PathBuf);

/// What a program that ended has left.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// A program that goes on; ended with the test.
pub struct Running {
    pub child: Child,
    pub lines: Receiver<String>,
    pub seen: Vec<String>,
}

impl Workdir {
    pub fn new(test: &str) -> Workdir {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli").join(test);
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        Workdir(dir)
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file, and the directories above it.
    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub fn command(&self) -> Command {
        let mut command = Command::new(SWARMLET);
        command.current_dir(&self.0).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn run<W: AsRef<OsStr>>(&self, words: &[W]) -> Ran {
        let output = self.command().args(words).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).expect("prints UTF-8");
        Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }

    /// Runs what must succeed, and returns what it printed.
    pub fn ok(&self, words: &[&str]) -> String {
        let ran = self.run(words);
        assert_eq!(ran.code, Some(0), "{words:?}: {ran:?}");
        ran.out
    }

    /// Runs what must fail with `code`, and returns its one line on stderr.
    pub fn fails(&self, code: i32, words: &[&str]) -> String {
        let ran = self.run(words);
        assert_eq!(ran.code, Some(code), "{words:?}: {ran:?}");
        one_clean_line(&ran.err)
    }

    pub fn start(&self, words: &[&str]) -> Running {
        let mut child = self.command().args(words).stderr(Stdio::inherit()).spawn().unwrap();
        let lines = lines_of(child.stdout.take().unwrap());
        Running { child, lines, seen: Vec::new() }
    }

    /// Starts it in a shell that first does `before`: limits are set in this way.
    pub fn start_in_shell(&self, before: &str, words: &[&str]) -> Running {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("{before}; exec \"$@\""), "sh", SWARMLET]).args(words);
        shell.current_dir(&self.0).stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = shell.spawn().unwrap();
        let lines = lines_of(child.stdout.take().unwrap());
        Running { child, lines, seen: Vec::new() }
    }

    /// A directory that is as awkward as real ones: empty file, sub-directory, odd lengths.
    pub fn album(&self) -> &'static str {
        self.write("album/one.flac", &noise(1, 100_000));
        self.write("album/empty.log", b"");
        self.write("album/scans/front page.png", &noise(2, 70_001));
        self.write("album/zz.txt", b"last words");
        "album"
    }
}

impl Running {
    /// Reads lines until one begins with `start`; returns it.
    pub fn wait_for(&mut self, start: &str) -> String {
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
    pub fn ready(&mut self, key: &str) -> String {
        value(&self.wait_for("ready "), key)
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end; panics if that takes longer than `patience`.
    pub fn end(&mut self, patience: Duration) -> ExitStatus {
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
    pub fn stop(mut self) -> Option<i32> {
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

pub fn lines_of(stdout: ChildStdout) -> Receiver<String> {
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
pub fn one_clean_line(err: &str) -> String {
    assert!(err.ends_with('\n'), "stderr does not end its line: {err:?}");
    assert_eq!(err.lines().count(), 1, "not one line: {err:?}");
    let line = err.trim_end_matches('\n');
    assert!(line.starts_with("swarmlet: "), "{line:?}");
    assert!(!line.chars().any(|letter| letter.is_control()), "raw bytes: {line:?}");
    line.to_string()
}

/// The value of `key=value` in a line.
pub fn value(line: &str, key: &str) -> String {
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
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    swarmlet::base::Random::new(seed).fill(&mut bytes);
    bytes
}
