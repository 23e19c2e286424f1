//! Failure: what went wrong, told to the person in one line.
//!
//! Whoever runs into trouble says *what* and *where* in the message and *what to do* in the hint;
//! `Display` joins them and cleans them, so that nothing that came from a file, a peer or a
//! tracker can play tricks on the terminal.
//!
//! ```text
//! swarmlet: cannot read 'x.torrent': no such file; check the path
//!           ───────────── message ───────────────  ─── hint ─────
//! ```

use std::fmt;
use std::io;
use std::ops::{Deref, DerefMut};
use std::process::ExitCode;

use crate::format::text;

/// Why a command did not do what was asked.
///
/// In a box, since every result of a command carries it or could: one pointer, not seven words.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure(Box<Told>);

/// What a person is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Told {
    /// What happened, and where.
    pub message: String,
    /// What the person can do about it; empty if the message already says it.
    pub hint: String,
    /// Whether the words on the command line are to blame, rather than what they led to.
    pub wrong_usage: bool,
}

impl Failure {
    /// Something that was asked for correctly did not work.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Failure {
        Failure::told(message.into(), hint.into(), false)
    }

    /// The command line itself makes no sense.
    pub fn usage(message: impl Into<String>, hint: impl Into<String>) -> Failure {
        Failure::told(message.into(), hint.into(), true)
    }

    fn told(message: String, hint: String, wrong_usage: bool) -> Failure {
        Failure(Box::new(Told { message, hint, wrong_usage }))
    }
}

impl Deref for Failure {
    type Target = Told;

    fn deref(&self) -> &Told {
        &self.0
    }
}

impl DerefMut for Failure {
    fn deref_mut(&mut self) -> &mut Told {
        &mut self.0
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::clean(&self.message))?;
        if !self.hint.is_empty() {
            write!(f, "; {}", text::clean(&self.hint))?;
        }
        Ok(())
    }
}

/// The exit code of the program: 0 done, 1 failed, 2 wrong usage.
pub fn exit_code(result: &Result<(), Failure>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.wrong_usage => ExitCode::from(2),
        Err(_) => ExitCode::from(1),
    }
}

/// What the operating system said, without Rust's "(os error 2)", in lower case.
pub fn reason(error: &io::Error) -> String {
    let mut said = error.to_string();
    if let Some(at) = said.find(" (os error") {
        said.truncate(at);
    }
    let mut letters = said.chars();
    match letters.next() {
        // "Is a directory" becomes "is a directory", "I/O error" stays as it is.
        Some(first) if letters.clone().next().is_some_and(char::is_lowercase) => {
            first.to_lowercase().chain(letters).collect()
        }
        Some(_) | None => said,
    }
}

/// What to do about an error of the file system, as far as it can be told.
pub fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "check the path",
        io::ErrorKind::PermissionDenied => "check the permissions, or run as their owner",
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room and try again",
        io::ErrorKind::ReadOnlyFilesystem => "choose a place that can be written",
        _ => "",
    }
}
