//! Level: how much a line of a running node matters.
//!
//! A person chooses the least that is worth a line (`--log-level`). Where the journal of systemd
//! reads along, each line begins with its level as the journal understands it, so that
//! `journalctl -p warning` finds what it should; anywhere else, lines are lines.
//!
//! # Spec
//! sd-daemon(3) for the marks, systemd.exec(5) for `JOURNAL_STREAM`.

use std::os::fd::AsFd;

use super::{Arguments, Failure};

/// From what must be looked at to what is of interest to those who search for something.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Level {
    /// Something cannot go on.
    Error,
    /// Something is odd, and goes on.
    Warn,
    /// What a node does.
    Info,
    /// What it does with each peer, and why.
    Debug,
}

impl Level {
    /// The level that `--log-level` asks for.
    pub fn of(arguments: &Arguments) -> Result<Level, Failure> {
        let Some(word) = arguments.text("log-level")? else { return Ok(Level::Info) };
        match word.as_str() {
            "error" => Ok(Level::Error),
            "warn" => Ok(Level::Warn),
            "info" => Ok(Level::Info),
            "debug" => Ok(Level::Debug),
            _ => {
                Err(arguments.wrong(format!("--log-level {word}: not error, warn, info or debug")))
            }
        }
    }

    /// How the journal is told at the beginning of a line.
    pub fn mark(self) -> &'static str {
        match self {
            Level::Error => "<3>",
            Level::Warn => "<4>",
            Level::Info => "<6>",
            Level::Debug => "<7>",
        }
    }
}

/// Whether what is written to `stream` goes to the journal: systemd tells which device and inode
/// it gave us, and a stream that leads elsewhere by now is none of its business.
pub fn is_journal(stream: impl AsFd) -> bool {
    let Ok(told) = std::env::var("JOURNAL_STREAM") else { return false };
    let Ok(stat) = rustix::fs::fstat(stream) else { return false };
    told == format!("{}:{}", stat.st_dev, stat.st_ino)
}
