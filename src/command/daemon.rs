//! Daemon: the options of remote control, and where a daemon remembers.
//!
//! Whoever can speak to remote control can delete files, so it listens on this host alone unless
//! somebody says otherwise; and to say otherwise takes a password, or the word that it shall be
//! open. A password on a command line is there for everybody on the host to read in the list of
//! processes, so there are a file and the environment, too.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use super::{Arguments, Failure, Screen, files};
use crate::base::Span;
use crate::engine::queue::Limits;
use crate::format::magnet::Magnet;
use crate::rpc::Adopted;
use crate::rpc::gate::Login;
use crate::torrent::goal::Goal;
use crate::world::node::Manners;
use crate::world::remote::RemoteOptions;
use crate::world::resume::RECORD_DIR;

/// What a daemon is to be.
pub struct Daemon {
    pub options: RemoteOptions,
    /// Torrents that are put there are taken on.
    pub watch: Option<PathBuf>,
    /// Torrents of the command line.
    pub adopted: Vec<Adopted>,
    /// Magnet links of the command line.
    pub links: Vec<Magnet>,
}

/// More torrents, and more minutes (a year), than anybody means.
const QUEUE_MAX: u64 = 100_000;
const IDLE_MINUTES_MAX: u64 = 366 * 24 * 60;

/// A torrent in which nothing moved for so long takes no place, unless remote control says
/// otherwise.
const STALLED_AFTER: Span = Span::from_secs(30 * 60);

/// Where remote controls look first.
const USUAL_ADDR: ([u8; 4], u16) = ([127, 0, 0, 1], 9091);

/// Reads the options. `dir`: where torrents go. `None`: no remote control.
///
/// Failure: an address that others can reach without a password, or options that contradict.
pub fn options(
    arguments: &Arguments,
    dir: &Path,
    screen: &mut Screen,
) -> Result<Option<RemoteOptions>, Failure> {
    let said = arguments.text("rpc")?;
    let login = login(arguments)?;
    let is_off = said.as_deref() == Some("off");
    let listen = match said {
        Some(word) if word == "off" => None,
        Some(_) => arguments.address("rpc")?,
        None => free_usual(screen),
    };
    let Some(listen) = listen else {
        if is_off && login.is_some() {
            return Err(arguments.wrong("--rpc off needs no password"));
        }
        return Ok(None);
    };
    if !listen.ip().is_loopback() && login.is_none() && !arguments.has("rpc-open") {
        return Err(Failure::new(
            format!("--rpc {listen}: others can reach this address, and no password is set"),
            "set one with --rpc-user and --rpc-password-file; or say --rpc-open",
        ));
    }
    files::make_dir(dir)?;
    let dir = std::fs::canonicalize(dir).map_err(|error| files::cannot("use", dir, &error))?;
    let state_dir = match arguments.path("state") {
        Some(state) => std::path::absolute(&state).unwrap_or(state),
        None => dir.join(RECORD_DIR),
    };
    let names = arguments.texts("rpc-host")?;
    let mut roots = vec![dir.clone()];
    for root in arguments.all_paths("root") {
        let real = std::fs::canonicalize(&root);
        roots.push(real.map_err(|error| files::cannot("use", &root, &error))?);
    }
    Ok(Some(RemoteOptions { listen, dir, roots, state_dir, login, names }))
}

/// The directory of `--watch`.
pub fn watch(arguments: &Arguments) -> Result<Option<PathBuf>, Failure> {
    let Some(dir) = arguments.path("watch") else { return Ok(None) };
    files::make_dir(&dir)?;
    let real = std::fs::canonicalize(&dir).map_err(|error| files::cannot("use", &dir, &error))?;
    Ok(Some(real))
}

/// The program of `--on-done`. One with a slash in its name must be there now; others are searched
/// for as a shell would.
pub fn on_done(arguments: &Arguments) -> Result<Option<PathBuf>, Failure> {
    let Some(program) = arguments.path("on-done") else { return Ok(None) };
    if program.components().count() < 2 && !program.is_absolute() {
        return Ok(Some(program));
    }
    let real = std::fs::canonicalize(&program);
    real.map(Some).map_err(|error| files::cannot("run", &program, &error))
}

/// How many torrents run at once, and when one has given enough. What remote control set before
/// gives way to what the command line says now.
pub fn manners(arguments: &Arguments) -> Result<Manners, Failure> {
    let count = |option| {
        let number = arguments.number(option, 1..=QUEUE_MAX)?;
        Ok(number.and_then(|number| usize::try_from(number).ok()))
    };
    let minutes = arguments.number("idle-minutes", 1..=IDLE_MINUTES_MAX)?;
    let queue = Limits {
        download: count("queue-down")?,
        seed: count("queue-seed")?,
        stalled_after: Some(STALLED_AFTER),
    };
    let idle = minutes.map(|minutes| Span::from_secs(60).times(minutes));
    let goal = Goal { ratio: ratio(arguments)?, idle };
    Ok(Manners { queue, goal, no_pex: arguments.has("no-pex") })
}

/// The value of `--ratio`, in thousandths.
fn ratio(arguments: &Arguments) -> Result<Option<u64>, Failure> {
    let Some(word) = arguments.text("ratio")? else { return Ok(None) };
    let wrong = || arguments.wrong(format!("--ratio {word}: not a number from 0 to 1000"));
    let (whole, part) = word.split_once('.').unwrap_or((&word, "0"));
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.len() > 4 || part.len() > 3 || !is_number(whole) || !is_number(part) {
        return Err(wrong());
    }
    let whole: u64 = whole.parse().map_err(|_| wrong())?;
    let part: u64 = format!("{part:0<3}").parse().map_err(|_| wrong())?;
    Some(whole * 1000 + part).filter(|ratio| *ratio <= 1_000_000).ok_or_else(wrong).map(Some)
}

/// User and password, of the options or the environment; `None` if there are none.
pub fn login(arguments: &Arguments) -> Result<Option<Login>, Failure> {
    let from_environment = |name| std::env::var(name).ok().filter(|word| !word.is_empty());
    let user = arguments.text("rpc-user")?.or_else(|| from_environment("SWARMLET_RPC_USER"));
    let password = match (arguments.text("rpc-password")?, arguments.path("rpc-password-file")) {
        (Some(_), Some(_)) => return Err(arguments.wrong("two passwords are given")),
        (Some(word), None) => Some(word),
        (None, Some(path)) => Some(first_line(&path)?),
        (None, None) => from_environment("SWARMLET_RPC_PASSWORD"),
    };
    match (user, password) {
        (None, None) => Ok(None),
        (Some(user), Some(password)) => {
            // A name with a colon could be read in two ways.
            if user.is_empty() || user.contains(':') || password.is_empty() {
                return Err(arguments.wrong("a user's name has no ':', and neither is empty"));
            }
            Ok(Some(Login { user, password }))
        }
        (Some(_), None) => Err(arguments.wrong("--rpc-user needs a password")),
        (None, Some(_)) => Err(arguments.wrong("a password needs --rpc-user")),
    }
}

fn first_line(path: &Path) -> Result<String, Failure> {
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|error| files::cannot("read", path, &error))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

/// The usual address, unless another program has it: nobody asked for remote control, so its lack
/// ends nothing.
fn free_usual(screen: &mut Screen) -> Option<SocketAddr> {
    let addr = SocketAddr::from(USUAL_ADDR);
    match TcpListener::bind(addr) {
        Ok(_) => Some(addr),
        Err(_) => {
            screen.warn(&format!(
                "no remote control: {addr} is taken; choose another address with --rpc"
            ));
            None
        }
    }
}
