//! Daemon: what a node of many torrents does by itself, as its options say.

use std::path::PathBuf;

use super::{Arguments, Failure, files};
use crate::base::Span;
use crate::engine::Adopted;
use crate::engine::queue::Limits;
use crate::format::magnet::Magnet;
use crate::torrent::goal::Goal;
use crate::world::node::Manners;
use crate::world::remote::RemoteOptions;

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
