//! Sys: thin, safe calls to the operating system that everybody needs and nobody owns.
//!
//! Clock, randomness, terminal, limits, signals, memory in use. Each is a few lines and has a way
//! on when the host does not offer it (an old kernel, no `/proc`, no terminal).
//!
//! | signal          | what becomes of it                                                    |
//! |-----------------|-----------------------------------------------------------------------|
//! | SIGINT, SIGTERM | one readable byte each: `Signals`, an ordinary source of the reactor   |
//! | SIGPIPE         | ignored by Rust's start-up code: a closed socket is an error, not death |
//! | SIGXFSZ         | taken by `take_file_size_signal`: a file too large is `EFBIG`           |

use std::fs::{self, File};
use std::io::{self, IsTerminal, Read};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::rand::{GetRandomFlags, getrandom};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXFSZ};

use crate::base::limits::SIGNALS_APART_MIN;
use crate::base::{Span, Time};
use crate::format::zone::Zone;

/// The one source of `Time`. Made once, at the start of the program.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

/// SIGINT and SIGTERM as something that a poll can wait for.
#[derive(Debug)]
pub struct Signals {
    reader: mio::net::UnixStream,
    first: Option<Time>,
}

/// What the person (or the service that runs us) asks for by a signal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Leave {
    /// The first signal: say good-bye, save, and go.
    Soon,
    /// Another one later: go at once.
    Now,
}

impl Clock {
    pub fn start() -> Clock {
        Clock { start: Instant::now() }
    }

    /// Milliseconds since `start`, on a clock that never jumps.
    pub fn now(&self) -> Time {
        let millis = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        Time::from_millis(millis)
    }
}

impl Signals {
    /// Takes SIGINT and SIGTERM over for the rest of the program's life.
    pub fn take() -> io::Result<Signals> {
        let (reader, writer) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        writer.set_nonblocking(true)?;
        signal_hook::low_level::pipe::register(SIGINT, writer.try_clone()?)?;
        signal_hook::low_level::pipe::register(SIGTERM, writer)?;
        Ok(Signals { reader: mio::net::UnixStream::from_std(reader), first: None })
    }

    /// What to register with the poll.
    pub fn source(&mut self) -> &mut mio::net::UnixStream {
        &mut self.reader
    }

    /// Reads what came. `None` if nothing did.
    ///
    /// A signal right after the first, within `SIGNALS_APART_MIN`, is the same wish said twice:
    /// `timeout` and some shells send one to the process and one to its group.
    pub fn read(&mut self, now: Time) -> Option<Leave> {
        let mut bytes = [0; 64];
        let mut came = false;
        while matches!(self.reader.read(&mut bytes), Ok(count) if count > 0) {
            came = true;
        }
        if !came {
            return None;
        }
        match self.first {
            Some(first) if now.since(first) >= SIGNALS_APART_MIN => Some(Leave::Now),
            Some(_) | None => {
                self.first.get_or_insert(now);
                Some(Leave::Soon)
            }
        }
    }
}

/// Keeps the keys that end programs, and the end of the terminal, from ending this one: a shell
/// outlives what runs in it. Programs that it starts are ended as ever.
pub fn outlive_terminal_signals() -> io::Result<()> {
    for signal in [SIGINT, SIGQUIT, SIGHUP] {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
    }
    Ok(())
}

/// The terminal that standard input is, giving each key as it is pressed and showing none by
/// itself, until this is dropped.
#[derive(Debug)]
pub struct Keys {
    before: Termios,
}

impl Keys {
    /// Takes the terminal. What was typed already is kept.
    ///
    /// Errors: standard input is no terminal.
    pub fn take() -> io::Result<Keys> {
        let before = tcgetattr(io::stdin())?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Drain, &raw)?;
        Ok(Keys { before })
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        // A terminal that is gone needs no repair.
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.before);
    }
}

/// Keeps a write beyond `ulimit -f` from ending the process; it fails with `EFBIG` instead.
///
/// To be called once, before the first file is written. The flag that the signal sets is of no
/// interest: that there is a handler is what counts, and this is the way to one without `unsafe`.
pub fn take_file_size_signal() -> io::Result<()> {
    signal_hook::flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false))).map(|_| ())
}

/// The time zone that the host lives in: what `TZ` says, or else `/etc/localtime`; or else
/// Greenwich's.
pub fn zone() -> Zone {
    let of_file = |path: &str| Zone::of_file(&fs::read(path).ok()?);
    let named = |name: &str| match name.strip_prefix('/') {
        Some(_) => of_file(name),
        None => of_file(&format!("/usr/share/zoneinfo/{name}")),
    };
    let said = std::env::var("TZ").ok().filter(|said| !said.is_empty());
    let said = said.and_then(|said| {
        let said = said.trim_start_matches(':');
        named(said).or_else(|| Zone::parse(said).ok())
    });
    said.or_else(|| of_file("/etc/localtime")).unwrap_or_default()
}

/// Fills `bytes` with random ones that nobody can guess.
///
/// Errors: none on a Linux that has either `getrandom` (3.17) or `/dev/urandom`.
pub fn random_bytes(bytes: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    while filled < bytes.len() {
        match getrandom(&mut bytes[filled..], GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            // An old kernel, or a sandbox that forbids the call.
            Err(_) => return File::open("/dev/urandom")?.read_exact(&mut bytes[filled..]),
        }
    }
    Ok(())
}

/// A seed for `base::Random`.
pub fn random_seed() -> io::Result<u64> {
    let mut bytes = [0; 8];
    random_bytes(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

/// Seconds since 1970 on the wall clock; negative before that. It may jump: for dates that are
/// shown or stored, never for time-outs.
pub fn wall_clock_secs() -> i64 {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_secs()).map_or(i64::MIN, |secs| -secs),
    }
}

/// Bytes free for us, and in all, of the file system that holds `dir`, or the nearest directory
/// above it that exists; `None` if it does not tell.
pub fn space(dir: &Path) -> Option<(u64, u64)> {
    let stats = dir.ancestors().find_map(|dir| rustix::fs::statvfs(dir).ok())?;
    let bytes = |blocks: u64| blocks.saturating_mul(stats.f_frsize);
    Some((bytes(stats.f_bavail), bytes(stats.f_blocks)))
}

/// Columns of the terminal that standard output goes to; `None` if it goes to a file or a pipe.
pub fn stdout_columns() -> Option<u16> {
    columns(&io::stdout())
}

/// Rows of the terminal that standard output goes to; `None` if it goes elsewhere or does not say.
pub fn stdout_rows() -> Option<u16> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    Some(size.ws_row).filter(|rows| *rows > 0)
}

/// Columns of the terminal that standard error goes to; `None` if it goes to a file or a pipe.
pub fn stderr_columns() -> Option<u16> {
    columns(&io::stderr())
}

fn columns(stream: &(impl IsTerminal + std::os::fd::AsFd)) -> Option<u16> {
    if !stream.is_terminal() {
        return None;
    }
    match rustix::termios::tcgetwinsize(stream) {
        // Serial lines say 0: nobody told them.
        Ok(size) if size.ws_col > 0 => Some(size.ws_col),
        Ok(_) | Err(_) => Some(80),
    }
}

/// How many descriptors this process may have open now (`ulimit -n`); `None`: no bound.
pub fn open_files_limit() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// Raises that bound to `wanted`, or as far as the host lets us. Returns what it is then.
pub fn raise_open_files_limit(wanted: u64) -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < wanted) {
        let raised = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
        // Where that is forbidden, the old bound holds, and is what we return.
        let _ =
            setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum: limit.maximum });
    }
    open_files_limit()
}

/// Microseconds of processor time that this thread has used. Who waits, for the network or for its
/// turn on a processor that others use, too, uses none. 0 where the host does not tell.
pub fn processor_micros() -> u64 {
    // By `nix`: it asks as the standard library does, while `rustix` brings its own way to the clocks.
    let used =
        clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map_or(Duration::ZERO, Duration::from);
    u64::try_from(used.as_micros()).unwrap_or(u64::MAX)
}

/// Bytes of memory that are really in use (`VmRSS`); `None` where there is no `/proc`.
pub fn resident_bytes() -> Option<u64> {
    resident_in(&fs::read_to_string("/proc/self/status").ok()?)
}

/// Finds `VmRSS:  1234 kB` in a process's status.
fn resident_in(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

const _: () = assert!(SIGNALS_APART_MIN.as_millis() < Span::from_secs(1).as_millis());
