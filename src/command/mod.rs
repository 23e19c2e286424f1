//! Floor 7: what a person types.
//!
//! One file per command. On top of each stands its usage text, which is what `help` prints *and*
//! what the command's options are read from, so that the help cannot lie. A command gets its
//! arguments and a screen, and returns nothing or a `Failure`; the exit code is decided in one
//! place for all of them.
//!
//! ```text
//!  files only       create  edit  info  magnet  verify
//!  run a node       tracker  share  get  peer            all over run.rs
//!  ask a tracker    publish  fetch  search  swarm        all over ask.rs
//!                   probe                                over question.rs
//!  ask the DHT      dht                                  a node that lives for one look-up
//!  ask a daemon     all in remote/
//!  play a swarm     lab
//!  look at a run    trace
//!  about options    config  unit
//!  shared           arguments  settings  failure  level  files  making  screen  progress
//!                   events  run  daemon
//! ```

pub mod arguments;
pub mod ask;
mod choice;
pub mod config;
pub mod create;
pub mod daemon;
#[cfg(feature = "dht")]
pub mod dht;
pub mod edit;
pub mod events;
pub mod failure;
pub mod fetch;
pub mod files;
pub mod get;
pub mod info;
#[cfg(feature = "lab")]
pub mod lab;
pub mod level;
pub mod link;
pub mod magnet;
pub mod making;
pub mod nodes;
pub mod peer;
pub mod probe;
pub mod progress;
pub mod publish;
mod question;
#[cfg_attr(not(feature = "remote"), path = "without/remote.rs")]
pub mod remote;
pub mod run;
pub mod screen;
pub mod search;
pub mod settings;
pub mod share;
pub mod swarm;
#[cfg(feature = "trace")]
pub mod trace;
pub mod tracker;
pub mod unit;
pub mod verify;

use std::ffi::OsString;
use std::process::ExitCode;

pub use arguments::Arguments;
pub use failure::Failure;
pub use screen::Screen;

/// One command: what the table below holds of it.
pub struct Command {
    pub name: &'static str,
    /// One line for the list of commands.
    pub summary: &'static str,
    /// The help of this command, and the source of its options, but for `remote::PARAGRAPHS`.
    pub usage: &'static str,
    /// Whether it runs a node: then the help ends in the list of what a node says.
    pub runs_node: bool,
    pub run: fn(&Arguments, &mut Screen) -> Result<(), Failure>,
}

impl Command {
    /// All that `help` has to say about it.
    fn help(&self) -> String {
        let output = if self.runs_node { events::HELP } else { "" };
        format!("swarmlet {}: {}{output}", self.name, self.whole_usage())
    }

    /// The usage text, with what it has in common with others.
    fn whole_usage(&self) -> String {
        let put_in = |text: String, (mark, paragraph): &(&str, &str)| text.replace(mark, paragraph);
        remote::PARAGRAPHS.iter().fold(self.usage.to_owned(), put_in)
    }
}

/// All commands, in the order of a first encounter.
const GROUPS: &[&[Command]] = &[
    &[create::COMMAND, edit::COMMAND, info::COMMAND, magnet::COMMAND, verify::COMMAND],
    &[tracker::COMMAND, share::COMMAND, get::COMMAND, peer::COMMAND],
    &[publish::COMMAND, search::COMMAND, fetch::COMMAND, swarm::COMMAND, probe::COMMAND],
    #[cfg(feature = "dht")]
    &[dht::COMMAND],
    #[cfg(feature = "remote")]
    remote::COMMANDS,
    &[config::COMMAND, unit::COMMAND],
    #[cfg(feature = "lab")]
    &[lab::COMMAND],
    #[cfg(feature = "trace")]
    &[trace::COMMAND],
];

/// What each feature brings, and whether this program was built with it.
const FEATURES: &[(&str, bool, &[&str])] = &[
    ("dht", cfg!(feature = "dht"), &["dht"]),
    ("lab", cfg!(feature = "lab"), &["lab"]),
    ("remote", cfg!(feature = "remote"), &REMOTE),
    ("sha-hw", cfg!(feature = "sha-hw"), &[]),
    ("trace", cfg!(feature = "trace"), &["trace"]),
];

/// The commands to a daemon, by name also where they are not in the program.
const REMOTE: [&str; 18] = [
    "add",
    "seed",
    "leech",
    "status",
    "show",
    "files",
    "peers",
    "pieces",
    "start",
    "stop",
    "remove",
    "reannounce",
    "connect",
    "limit",
    "select",
    "ping",
    "shutdown",
    "shell",
];

#[cfg(feature = "remote")]
const _: () = assert!(REMOTE.len() == remote::COMMANDS.len());

/// All commands of this program, in the order of a first encounter.
pub fn commands() -> impl Iterator<Item = &'static Command> + Clone {
    GROUPS.iter().copied().flatten()
}

/// Something was asked for that came with a feature, had the program been built with it.
fn left_out(what: &str, feature: &str) -> Failure {
    Failure::usage(
        format!("this swarmlet was built without {what}"),
        format!("it comes with the feature '{feature}': cargo build --features {feature}"),
    )
}

/// The whole program: runs the command that `words` (without the program's name) ask for, tells
/// on stderr what failed, and returns the exit code.
pub fn main(words: &[OsString]) -> ExitCode {
    let mut screen = Screen::new();
    let result = dispatch(words, &mut screen);
    let result = result.and(screen.finish());
    if let Err(failure) = &result {
        screen.fail(failure);
    }
    failure::exit_code(&result)
}

fn dispatch(words: &[OsString], screen: &mut Screen) -> Result<(), Failure> {
    let Some((first, rest)) = words.split_first() else {
        screen.text(&overview());
        return Err(Failure::usage("no command given", "the list above names them"));
    };
    match first.to_string_lossy().as_ref() {
        "help" | "--help" | "-h" => help(rest, screen),
        "--version" | "-V" => {
            screen.line(&version());
            Ok(())
        }
        name => {
            let command = find(name)?;
            if arguments::asks_for_help(rest) {
                screen.text(&command.help());
                return Ok(());
            }
            let arguments = Arguments::parse(command.name, &command.whole_usage(), rest)?;
            (command.run)(&arguments, screen).map_err(|failure| arguments.explain(failure))
        }
    }
}

/// `swarmlet 1.2.3`, and what it was built without.
fn version() -> String {
    let missing = FEATURES.iter().filter(|(_, is_in, _)| !is_in).map(|(name, _, _)| *name);
    let missing: Vec<&str> = missing.collect();
    let but = if missing.is_empty() { "" } else { ", without " };
    format!("swarmlet {}{but}{}", env!("CARGO_PKG_VERSION"), missing.join(", "))
}

fn help(words: &[OsString], screen: &mut Screen) -> Result<(), Failure> {
    match words {
        [] => screen.text(&overview()),
        [name] => screen.text(&find(&name.to_string_lossy())?.help()),
        [_, ..] => {
            return Err(Failure::usage("help takes one command", "try: swarmlet help create"));
        }
    }
    Ok(())
}

fn find(name: &str) -> Result<&'static Command, Failure> {
    commands().find(|command| command.name == name).ok_or_else(|| {
        let brings = |(_, is_in, names): &&(_, bool, &[&str])| !is_in && names.contains(&name);
        if let Some((feature, _, _)) = FEATURES.iter().find(brings) {
            return left_out(&format!("'{name}'"), feature);
        }
        let hint = match nearest(name) {
            Some(meant) => format!("did you mean '{meant}'? 'swarmlet help' lists the commands"),
            None => "'swarmlet help' lists the commands".into(),
        };
        Failure::usage(format!("there is no command '{name}'"), hint)
    })
}

/// What `swarmlet help` prints.
fn overview() -> String {
    let mut text = String::from(
        "swarmlet: a small BitTorrent tracker and peer\n\n\
         usage: swarmlet COMMAND [options] …\n\n\
         commands:\n",
    );
    for command in commands() {
        text.push_str(&format!("  {:10}  {}\n", command.name, command.summary));
    }
    text.push_str(
        "  help        all about one command: swarmlet help COMMAND\n\n\
         A first walk, in three terminals:\n\
         \x20 swarmlet tracker\n\
         \x20 swarmlet share DIRECTORY --tracker http://127.0.0.1:8000/announce\n\
         \x20 swarmlet get DIRECTORY.torrent --dir elsewhere\n\n\
         exit codes: 0 done, 1 failed, 2 wrong usage\n",
    );
    text
}

/// The command that `typed` most likely stands for.
fn nearest(typed: &str) -> Option<&'static str> {
    nearest_of(typed, commands().map(|command| command.name))
}

/// The name that `typed` most likely stands for: at most two typing errors away, or what it
/// begins.
fn nearest_of<'n>(typed: &str, names: impl Iterator<Item = &'n str> + Clone) -> Option<&'n str> {
    if typed.len() > 20 || typed.is_empty() {
        return None;
    }
    let begun = names.clone().find(|name| name.starts_with(typed));
    let close = names
        .map(|name| (typing_errors(typed, name), name))
        .filter(|(errors, name)| *errors <= 2 && *errors < name.len().div_ceil(2))
        .min_by_key(|(errors, _)| *errors)
        .map(|(_, name)| name);
    begun.or(close)
}

/// Letters to insert, remove or replace to make `a` of `b` (Levenshtein's distance).
fn typing_errors(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    // `row[j]`: the distance between what was read of `a` and the first `j` letters of `b`.
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for j in 0..b.len() {
            let replaced = diagonal + usize::from(letter != b[j]);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}
