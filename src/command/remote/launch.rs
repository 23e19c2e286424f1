//! Launch: daemons and trackers that a shell starts and that go on beside it.
//!
//! ```text
//!  start_daemon  ─▶ this program, `peer`    ─▶ stays when the shell leaves
//!  start_tracker ─▶ this program, `tracker` ─▶ goes with it
//!                     └─ output ─▶ DIR/.swarmlet/….log, which tells why one did not start
//! ```
//! A daemon stays because that is what daemons are for. A tracker of the shell goes: nobody else
//! knows that it is there.
//!
//! # Why
//! Each has a process group of its own, or Ctrl-C at the prompt would end it, too. What they print
//! goes into a file: at the prompt it would come between the letters of what is being typed.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::Remote;
use crate::base::limits::DAEMON_WAIT_MAX;
use crate::command::ask::real;
use crate::command::events::Line;
use crate::command::files::{self, cannot, shown};
use crate::command::{Failure, Screen};
use crate::world::resume::RECORD_DIR;

/// Starts programs like this one.
pub struct Launcher {
    program: PathBuf,
    /// What they find in their environment beside our own.
    environment: Vec<(&'static str, String)>,
    dir: PathBuf,
    roots: Vec<PathBuf>,
    trackers: Vec<Child>,
    /// Daemons are not ours to end, but ours to bury.
    daemons: Vec<Child>,
}

impl Launcher {
    /// `dir`: where what is started keeps its files; `roots`: what a daemon may use beside it.
    pub fn new(
        program: PathBuf,
        environment: Vec<(&'static str, String)>,
        dir: PathBuf,
        roots: Vec<PathBuf>,
    ) -> Launcher {
        let (trackers, daemons) = (Vec::new(), Vec::new());
        Launcher { program, environment, dir, roots, trackers, daemons }
    }

    /// Where what is started keeps its files.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// This program with these words, ready to be run.
    pub fn command(&self, words: impl Iterator<Item = OsString>) -> Process {
        let mut command = Process::new(&self.program);
        command.args(words);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Starts a daemon where `remote` looks for it, and waits until it answers. `more`: options.
    ///
    /// Failure: one is there, its place is on another host, or it did not come up; its own words
    /// say why.
    pub fn start_daemon(
        &mut self,
        remote: &mut Remote,
        more: &[String],
        screen: &mut Screen,
    ) -> Result<(), Failure> {
        self.daemons.retain_mut(|daemon| matches!(daemon.try_wait(), Ok(None)));
        let name = remote.name();
        if remote.is_there() {
            let hint = "'shutdown' ends it, if it is a daemon";
            return Err(Failure::new(format!("somebody answers at {name} already"), hint));
        }
        if !remote.is_local() {
            let hint = "start it there: swarmlet peer --rpc ADDR";
            return Err(Failure::new(format!("{name} is not this host"), hint));
        }
        files::make_dir(&self.dir)?;
        let mut words: Vec<OsString> = ["peer", "--rpc", &name, "--dir"].map(OsString::from).into();
        words.push(self.dir.clone().into());
        for root in &self.roots {
            words.extend(["--root".into(), root.clone().into()]);
        }
        words.extend(more.iter().map(OsString::from));
        let (mut daemon, log) = self.spawn("daemon.log", words)?;
        let came = await_up("the daemon", &mut daemon, &log, || remote.greet().is_ok());
        self.daemons.push(daemon);
        came?;
        if !screen.is_terminal() {
            let line = Line::new("daemon").with("addr", name).with("dir", self.dir.display());
            screen.line(&line.with("log", log.display()).into_string());
            return Ok(());
        }
        screen.line(&format!("a daemon runs at {name}, with its files in {}", shown(&self.dir)));
        screen.line("  it goes on when you leave; 'shutdown' ends it");
        screen.line(&format!("  what it has to say stands in {}", shown(&log)));
        Ok(())
    }

    /// Starts a tracker with a library at PORT of this host, or at HOST:PORT.
    ///
    /// Failure: it did not come up; its own words say why.
    pub fn start_tracker(&mut self, place: &str, screen: &mut Screen) -> Result<(), Failure> {
        let is_port = place.bytes().all(|byte| byte.is_ascii_digit());
        let addr = if is_port { format!("127.0.0.1:{place}") } else { place.to_owned() };
        let store = self.dir.join(RECORD_DIR).join("tracker");
        files::make_dir(&store)?;
        let words: [&OsStr; 7] = [
            "tracker".as_ref(),
            "--http".as_ref(),
            addr.as_ref(),
            "--library".as_ref(),
            &store.join("torrents").into_os_string(),
            "--state".as_ref(),
            &store.join("state").into_os_string(),
        ];
        let (mut tracker, log) = self.spawn("tracker.log", words.map(OsStr::to_owned).into())?;
        let mut url = String::new();
        let came = await_up("the tracker", &mut tracker, &log, || {
            let told = fs::read_to_string(&log).unwrap_or_default();
            let ready = told.split_once(" announce=").map(|(_, rest)| rest);
            url = ready
                .and_then(|rest| rest.split_whitespace().next())
                .unwrap_or_default()
                .to_owned();
            !url.is_empty()
        });
        if came.is_err() {
            end(&mut [tracker]);
            return came;
        }
        self.trackers.push(tracker);
        if !screen.is_terminal() {
            let line = Line::new("tracker").with("announce", url).with("log", log.display());
            screen.line(&line.into_string());
            return Ok(());
        }
        screen.line(&format!("a tracker with a library runs at {url} until you leave"));
        screen.line(&format!("  'seed PATH -t {url}' puts something into it"));
        Ok(())
    }

    /// Ends the trackers.
    pub fn leave(&mut self, screen: &mut Screen) {
        if !self.trackers.is_empty() && screen.is_terminal() {
            screen.line("the tracker ends with this shell");
        }
        end(&mut std::mem::take(&mut self.trackers));
    }

    /// Runs this program on its own, and returns the file that it prints into.
    fn spawn(&self, log: &str, words: Vec<OsString>) -> Result<(Child, PathBuf), Failure> {
        let dir = self.dir.join(RECORD_DIR);
        files::make_dir(&dir)?;
        let path = dir.join(log);
        let open = File::create(&path).and_then(|file| Ok((file.try_clone()?, file)));
        let (out, err) = open.map_err(|error| cannot("write", &path, &error))?;
        let mut command = self.command(words.into_iter());
        command.stdin(Stdio::null()).stdout(out).stderr(err).process_group(0);
        let child = command.spawn().map_err(|error| cannot("run", &self.program, &error))?;
        Ok((child, path))
    }
}

/// Waits until `is_up`.
///
/// Failure: it ended before, or takes too long.
fn await_up(
    what: &str,
    child: &mut Child,
    log: &Path,
    mut is_up: impl FnMut() -> bool,
) -> Result<(), Failure> {
    let until = Instant::now() + real(DAEMON_WAIT_MAX);
    while !is_up() {
        if !matches!(child.try_wait(), Ok(None)) {
            return Err(Failure::new(format!("{what} did not start: {}", last_line(log)), ""));
        }
        if Instant::now() >= until {
            let message = format!("{what} is not there after {} s", DAEMON_WAIT_MAX.as_secs());
            return Err(Failure::new(message, format!("{} may tell why", shown(log))));
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

/// The last words of a program: why it ended.
fn last_line(log: &Path) -> String {
    let told = fs::read(log).unwrap_or_default();
    let told = String::from_utf8_lossy(&told);
    let last = told.lines().last().unwrap_or("it said nothing");
    last.strip_prefix("swarmlet: ").unwrap_or(last).to_owned()
}

/// Has programs say good-bye, and ends those that take too long over it.
fn end(children: &mut [Child]) {
    for child in children.iter_mut() {
        // It may be gone already.
        let _ = kill_process(Pid::from_child(child), Signal::TERM);
    }
    let until = Instant::now() + GOOD_BYE_MAX;
    for child in children {
        while matches!(child.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(LOOK_EVERY);
        }
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// How often we look whether something is up, or gone.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A good-bye takes five seconds at most; whoever needs longer is stuck.
const GOOD_BYE_MAX: Duration = Duration::from_secs(6);
