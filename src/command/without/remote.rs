//! What commands say of daemons, in a program that was built without remote control.

use std::path::Path;

use super::edit::Wishes;
use super::{Arguments, Failure, Screen, left_out};
use crate::world::remote::RemoteOptions;

/// What usage texts say of daemons: nothing.
pub const PARAGRAPHS: &[(&str, &str)] = &[
    ("{json}\n", "  --json                  as one JSON object\n"),
    ("{daemon}\n", "  -h, --help              this text\n"),
];

/// Options of `peer` that say what remote control is to be.
const OPTIONS: &[&str] = &[
    "rpc",
    "rpc-user",
    "rpc-password",
    "rpc-password-file",
    "rpc-open",
    "rpc-host",
    "root",
    "watch",
];

/// Reads the options of remote control.
///
/// Failure: somebody asks for it.
pub fn options(
    arguments: &Arguments,
    _dir: &Path,
    _screen: &mut Screen,
) -> Result<Option<RemoteOptions>, Failure> {
    match OPTIONS.iter().find(|option| arguments.has(option)) {
        // Whoever wants none has it.
        Some(_) if arguments.text("rpc")?.as_deref() == Some("off") => Ok(None),
        Some(option) => Err(left_out(&format!("--{option}"), "remote")),
        None => Ok(None),
    }
}

/// `swarmlet verify ID`.
pub fn verify(_arguments: &Arguments, _screen: &mut Screen) -> Result<(), Failure> {
    Err(left_out("remote control; --dir checks what is in a directory", "remote"))
}

/// `swarmlet edit ID`.
pub fn edit_running(
    _wishes: &Wishes,
    _arguments: &Arguments,
    _screen: &mut Screen,
) -> Result<(), Failure> {
    Err(left_out("remote control; it edits files", "remote"))
}

/// `swarmlet dht --rpc`.
pub fn ask_daemon(_arguments: &Arguments, _screen: &mut Screen) -> Result<(), Failure> {
    Err(left_out("remote control", "remote"))
}
