//! `swarmlet shell`: the same commands at a prompt.
//!
//! ```text
//!  a line ─▶ words ─▶ alias ─▶ the shell's own word (help, exit, tracker PORT …)
//!                         └──▶ this program once more, as a child, with these words
//! ```
//! Each command runs as a child, exactly as it would from any other shell: what one of them does to
//! itself does nothing to the next, and Ctrl-C ends it alone.
//!
//! # Why
//! What is started here to go on has a process group of its own, or Ctrl-C would end it, too. A
//! daemon stays when the shell leaves, as it would for everybody else; a tracker of the shell goes
//! with it, for nobody else knows that it is there.

use crate::base::order;
use std::ffi::OsString;
use std::io::{self, BufRead, IsTerminal};
use std::path::PathBuf;
use std::process::{Command as Process, Stdio};

use super::daemon;
use super::editor::{Editor, Step, words};
use super::launch::Launcher;
use super::{ADDR_VARIABLE, Remote};
use crate::command::files::{self, cannot};
use crate::command::screen::clean;
use crate::command::{Arguments, Command, Failure, Screen, commands};
use crate::world::sys;

const USAGE: &str = concat!(
    "\
the same commands at a prompt

usage: swarmlet shell [options]

Reads commands, a line each, and runs them: all that 'swarmlet help' lists, without the word
swarmlet; those that speak to a daemon speak to the one that is named here. If none is there, it
offers to start one. 'help' says more, Tab completes, 'exit' leaves. From a pipe or a file it reads
lines without a prompt, goes on after a failure, and exits 1 if anything failed; what it starts it
tells in one line each: daemon addr= dir= log=   tracker announce= log=

options:
      --start             start a daemon without asking, if there is none
  -d, --dir DIR           where a daemon that is started here puts its torrents (the current
                          directory; in your home directory, 'swarmlet' below it)
      --root DIR...       it may use what is below DIR, too; may be repeated
",
    "{daemon}\n",
    "\nexamples:\n  swarmlet shell\n  echo status | swarmlet shell --rpc nas:9091\n"
);

pub const COMMAND: Command = Command {
    name: "shell",
    summary: "the same commands at a prompt",
    usage: USAGE,
    runs_node: false,
    run,
};

/// Words that people know from similar programs, and what they stand for.
const ALIASES: &[(&str, &str)] = &[
    ("share", "seed"),
    ("seeding", "seed"),
    ("download", "leech"),
    ("maketorrent", "create"),
    ("b-create", "create"),
    ("b-edit", "edit"),
    ("b-show", "show"),
    ("b-info", "info"),
    ("b-peer", "peers"),
    ("b-start", "start"),
    ("b-help", "help"),
    ("b-close", "exit"),
    ("close", "exit"),
    ("quit", "exit"),
];

/// Words of the shell itself.
const OWN: &[&str] = &["help", "exit", "history", "daemon", "clear"];

const HELP: &str = "\
\x20 Getting and sharing, through the daemon (an ID is a number, a name or a part of it, or 'all'):
    leech TORRENT        get it              seed PATH          share a file or directory
    status               how all are doing   status --watch     the same, every second
    show, files ID, peers ID, pieces ID      look closer
    start, stop, verify, reannounce, remove ID               (b-start alone starts a daemon)
    connect ID HOST:PORT, limit, select, edit ID, ping, shutdown
  The tracker's library:
    search WORDS -t URL                      leech NAME -t URL
    tracker PORT         run a tracker here until you leave (0.0.0.0:PORT: for other hosts, too)
  Torrent files:
    create PATH, edit FILE, info FILE, magnet FILE
  Here:
    help COMMAND         all about one       history            what was typed
    daemon [OPTIONS]     start one, with the options of 'peer'
    clear                an empty screen (or Ctrl-L)
    exit                 leave (or Ctrl-D)
  Also understood:
    share, seeding (seed), download (leech), maketorrent, b-create (create), b-edit, b-show, b-info,
    b-peer (peers), b-start, b-help, b-close, close, quit
  Words with blanks go in quotes; '#' begins a comment. All commands: 'help all'.
";

const PROMPT: &str = "swarmlet> ";

/// Cursor to the upper left, and nothing behind it.
const CLEARED: &str = "\x1b[H\x1b[J";

/// Nobody chooses from a longer row.
const NAMES_SHOWN_MAX: usize = 100;

/// A shell at work.
struct Shell {
    remote: Remote,
    launcher: Launcher,
    failed: usize,
}

/// What becomes of the shell after a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    Next,
    Leave,
}

fn run(arguments: &Arguments, screen: &mut Screen) -> Result<(), Failure> {
    arguments.no_paths()?;
    let mut shell = Shell::new(arguments)?;
    // Ctrl-C is for the command that runs, and for the line that is typed.
    sys::outlive_terminal_signals().map_err(|error| Failure::new(error.to_string(), ""))?;
    if arguments.has("start") && !shell.remote.is_there() {
        shell.launcher.start_daemon(&mut shell.remote, &[], screen)?;
    }
    let result = match io::stdin().is_terminal() && screen.is_terminal() {
        true => shell.converse(screen),
        false => shell.read_script(screen),
    };
    shell.launcher.leave(screen);
    result
}

impl Shell {
    fn new(arguments: &Arguments) -> Result<Shell, Failure> {
        let remote = Remote::of(arguments)?;
        // Words that all commands to a daemon look for.
        let mut environment = vec![(ADDR_VARIABLE, format!("http://{}", remote.name()))];
        if let Some(login) = daemon::login(arguments)? {
            environment.push(("SWARMLET_RPC_USER", login.user));
            environment.push(("SWARMLET_RPC_PASSWORD", login.password));
        }
        let program = std::env::current_exe()
            .map_err(|error| Failure::new(format!("cannot find this program: {error}"), ""))?;
        let dir = arguments.path("dir").unwrap_or_else(usual_dir);
        let roots = arguments.all_paths("root");
        let launcher = Launcher::new(program, environment, dir, roots);
        Ok(Shell { remote, launcher, failed: 0 })
    }

    /// Lines from a pipe or a file.
    fn read_script(&mut self, screen: &mut Screen) -> Result<(), Failure> {
        for line in io::stdin().lock().lines() {
            let line = line.map_err(|error| {
                Failure::new(format!("cannot read the commands: {error}"), "they are to be UTF-8")
            })?;
            if self.obey(&line, &[], screen) == After::Leave {
                break;
            }
        }
        match self.failed {
            0 => Ok(()),
            1 => Err(Failure::new("a command failed", "it said why")),
            failed => Err(Failure::new(format!("{failed} commands failed"), "they said why")),
        }
    }

    /// Lines from a person.
    fn converse(&mut self, screen: &mut Screen) -> Result<(), Failure> {
        self.greet(screen)?;
        let mut editor = Editor::new(known_words());
        loop {
            let line = match ask(&mut editor, PROMPT, screen)? {
                Step::Line(line) => line,
                Step::More
                | Step::Several(_)
                | Step::Unfinished(_)
                | Step::Cleared
                | Step::Cancelled => continue,
                Step::Ended => return Ok(()),
            };
            if self.obey(&line, editor.history(), screen) == After::Leave {
                return Ok(());
            }
        }
    }

    /// Tells whether a daemon is there, and offers to start one if not.
    fn greet(&mut self, screen: &mut Screen) -> Result<(), Failure> {
        let name = self.remote.name();
        if self.remote.is_there() {
            match self.remote.greet() {
                Ok(()) => screen.line(&format!("a daemon answers at {name}; 'help' helps")),
                Err(failure) => self.complain(&failure, screen),
            }
            return Ok(());
        }
        if !self.remote.is_local() {
            screen.line(&format!("no daemon answers at {name}; 'help' helps"));
            return Ok(());
        }
        screen.line(&format!("no daemon answers at {name}"));
        let question =
            format!("start one, with its files in {}? [Y/n] ", files::shown(self.launcher.dir()));
        match ask(&mut Editor::new(Vec::new()), &question, screen)? {
            Step::Line(answer) if is_yes(&answer) => {
                let started = self.launcher.start_daemon(&mut self.remote, &[], screen);
                self.note(started, screen);
            }
            Step::Line(_)
            | Step::More
            | Step::Several(_)
            | Step::Unfinished(_)
            | Step::Cleared
            | Step::Cancelled
            | Step::Ended => {
                screen.line("'daemon' starts one later; 'help' helps");
            }
        }
        Ok(())
    }

    /// Does what a line says.
    fn obey(&mut self, line: &str, history: &[String], screen: &mut Screen) -> After {
        let home = std::env::var("HOME").ok();
        let words = match words(line, home.as_deref()) {
            Ok(words) => words,
            Err(why) => {
                let failure = Failure::usage(why, "close it, or put \\ before it");
                self.complain(&failure, screen);
                return After::Next;
            }
        };
        // Our help says `swarmlet status`; whoever types it so is right, too.
        let words = match &words[..] {
            [first, rest @ ..] if first == "swarmlet" => rest,
            all => all,
        };
        let Some((first, rest)) = words.split_first() else { return After::Next };
        let wants_help = rest.iter().any(|word| word == "--help" || word == "-h");
        match meant(first, rest) {
            "exit" => return After::Leave,
            "help" if rest.is_empty() => screen.text(HELP),
            "help" => self.help(rest, screen),
            "history" => history.iter().for_each(|line| screen.line(line)),
            "clear" if screen.is_terminal() => screen.text(CLEARED),
            "clear" => {}
            "daemon" if !wants_help => {
                let started = self.launcher.start_daemon(&mut self.remote, rest, screen);
                self.note(started, screen);
            }
            "daemon" => self.help(&["peer".to_owned()], screen),
            "tracker" if matches!(rest, [place] if !place.starts_with('-')) => {
                let started = self.launcher.start_tracker(&rest[0], screen);
                self.note(started, screen);
            }
            command => self.run_child(command, rest, screen),
        }
        After::Next
    }

    /// `help COMMAND`, whichever name it goes by here.
    fn help(&mut self, rest: &[String], screen: &mut Screen) {
        match rest {
            [word] if word == "all" => self.run_child("help", &[], screen),
            [word] if OWN.contains(&meant(word, &[])) => screen.text(HELP),
            [word] => {
                let command = meant(word, rest).to_owned();
                self.run_child("help", &[command], screen);
            }
            rest => self.run_child("help", rest, screen),
        }
    }

    /// Runs this program with other words, and waits for it.
    fn run_child(&mut self, command: &str, rest: &[String], screen: &mut Screen) {
        let words = [command].into_iter().chain(rest.iter().map(String::as_str));
        let mut child: Process = self.launcher.command(words.map(OsString::from));
        match child.stdin(Stdio::null()).status() {
            Ok(status) => self.failed += usize::from(!status.success()),
            Err(error) => {
                let program = PathBuf::from(child.get_program());
                self.complain(&cannot("run", &program, &error), screen);
            }
        }
    }

    fn note(&mut self, result: Result<(), Failure>, screen: &mut Screen) {
        if let Err(failure) = result {
            self.complain(&failure, screen);
        }
    }

    /// Tells of a failure, as every command does, and counts it.
    fn complain(&mut self, failure: &Failure, screen: &mut Screen) {
        self.failed += 1;
        screen.fail(failure);
    }
}

/// What a word means here, when these follow it.
fn meant<'w>(word: &'w str, rest: &[String]) -> &'w str {
    match word {
        "seeding" if rest.is_empty() => "status",
        "b-start" if rest.is_empty() => "daemon",
        _ => ALIASES.iter().find(|(alias, _)| *alias == word).map_or(word, |(_, command)| command),
    }
}

fn known_words() -> Vec<&'static str> {
    let commands = commands().map(|command| command.name);
    let aliases = ALIASES.iter().map(|(alias, _)| *alias);
    let mut words: Vec<_> = commands.chain(aliases).chain(OWN.iter().copied()).collect();
    order::sort(&mut words);
    words.dedup();
    words
}

/// Where torrents go unless told otherwise: here, as with every other command; but nobody wants
/// them all over the home directory.
fn usual_dir() -> PathBuf {
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
    match std::env::var_os("HOME").map(PathBuf::from) {
        Some(home) if home == here => here.join("swarmlet"),
        Some(_) | None => here,
    }
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_lowercase().as_str(), "" | "y" | "yes")
}

/// Has a person type a line: returns `Line`, `Cancelled` or `Ended`.
fn ask(editor: &mut Editor, prompt: &str, screen: &mut Screen) -> Result<Step, Failure> {
    let failed = |error: io::Error| Failure::new(format!("the terminal fails: {error}"), "");
    let keys = sys::Keys::take().map_err(failed)?;
    let mut stdin = io::stdin().lock();
    loop {
        screen.text(&editor.drawn(prompt, screen.width()));
        let bytes = match stdin.fill_buf() {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // The window was closed.
            Err(_) => return Ok(Step::Ended),
        };
        if bytes.is_empty() {
            return Ok(Step::Ended);
        }
        // What was pasted is drawn once, not letter by letter.
        let (mut used, mut step) = (0, Step::More);
        while used < bytes.len() && step == Step::More {
            step = editor.feed(bytes[used]);
            used += 1;
        }
        stdin.consume(used);
        if let Step::Unfinished(typed) = &step {
            step = complete(editor, typed);
        }
        match &step {
            Step::More | Step::Unfinished(_) => continue,
            Step::Several(names) => {
                screen.text(&format!("\r\n{}\r\n", in_a_row(names)));
                continue;
            }
            Step::Cleared => {
                screen.text(CLEARED);
                continue;
            }
            Step::Cancelled => screen.text("^C"),
            Step::Line(line) => screen.text(&format!("\r{prompt}{}\x1b[K", clean(line))),
            Step::Ended => {}
        }
        drop(keys);
        // What follows begins below the line.
        screen.text("\n");
        return Ok(step);
    }
}

/// Names for a person to choose from.
fn in_a_row(names: &[String]) -> String {
    let more = match names.len().saturating_sub(NAMES_SHOWN_MAX) {
        0 => String::new(),
        more => format!("  and {more} more"),
    };
    names.iter().take(NAMES_SHOWN_MAX).map(String::as_str).collect::<Vec<_>>().join("  ") + &more
}

/// Goes on with the last word of what is typed, as the name of a file.
fn complete(editor: &mut Editor, typed: &str) -> Step {
    let home = std::env::var("HOME").ok();
    let Ok(words) = words(typed, home.as_deref()) else { return Step::More };
    let word = match typed.ends_with(' ') && !typed.ends_with("\\ ") {
        true => "",
        false => words.last().map_or("", String::as_str),
    };
    let (dir, begun) = match word.rfind('/') {
        Some(slash) => word.split_at(slash + 1),
        None => ("", word),
    };
    editor.complete(begun, &names_in(if dir.is_empty() { "." } else { dir }, begun))
}

/// The names in a directory that begin so, in order; those of directories end in `/`.
fn names_in(dir: &str, begun: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut names = Vec::new();
    for entry in entries.flatten() {
        // Names that cannot be typed are left out, and hidden ones until somebody asks for them.
        let Ok(name) = entry.file_name().into_string() else { continue };
        let is_shown = !name.starts_with('.') || begun.starts_with('.');
        if name.starts_with(begun) && is_shown && clean(&name) == name {
            names.push(if entry.path().is_dir() { name + "/" } else { name });
        }
    }
    order::sort(&mut names);
    names
}
