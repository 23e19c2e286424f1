//! `swarmlet ping` and `swarmlet shutdown`: is a daemon there, and let it go.

use std::time::Instant;

use serde::Serialize;
use serde_json::json;

use super::Remote;
use crate::base::Span;
use crate::base::limits::DAEMON_WAIT_MAX;
use crate::command::ask::real;
use crate::command::events::Line;
use crate::command::{Arguments, Command, Failure, Screen, info};
use crate::format::json::{Fields, Record};

const PING: &str = concat!(
    "\
ask whether a daemon is there

usage: swarmlet ping [options]

Exits 0 if a daemon answers, 1 if not. Into a pipe or a file it prints one line:
pong addr= version= dir= micros=

options:
",
    "{json}\n{daemon}\n",
    "\nexample:\n  swarmlet ping && swarmlet add holiday.torrent\n"
);

const SHUTDOWN: &str = concat!(
    "\
have a daemon say good-bye and end

usage: swarmlet shutdown [options]

The daemon says good-bye to peers and trackers and saves; this waits until it is gone. Into a pipe
or a file it prints one line: gone addr=

options:
",
    "{json}\n{daemon}\n",
    "\nexample:\n  swarmlet shutdown\n"
);

pub const PING_COMMAND: Command = Command {
    name: "ping",
    summary: "ask whether a daemon is there",
    usage: PING,
    runs_node: false,
    run: ping,
};

pub const SHUTDOWN_COMMAND: Command = Command {
    name: "shutdown",
    summary: "have a daemon say good-bye and end",
    usage: SHUTDOWN,
    runs_node: false,
    run: shutdown,
};

/// What a daemon says of itself.
#[derive(Clone, Debug, Serialize)]
struct Session {
    version: String,
    dir: String,
}

impl Record for Session {
    fn read(fields: &mut Fields<'_>) -> Session {
        Session { version: fields.clean("version"), dir: fields.clean("download-dir") }
    }
}

fn ping(arguments: &Arguments, screen: &mut Screen) -> Result<(), Failure> {
    arguments.no_paths()?;
    let mut remote = Remote::of(arguments)?;
    let asked = Instant::now();
    let Session { version, dir } =
        remote.call("session-get", &json!({ "fields": ["version", "download-dir"] }))?;
    let micros = asked.elapsed().as_micros();
    let name = remote.name();
    if arguments.has("json") {
        let shown = json!({ "addr": name, "version": version, "dir": dir });
        return info::show_json(screen, &shown);
    }
    screen.line(&match screen.is_terminal() {
        true => format!("a daemon answers at {name}: {version}, downloads go to {dir}"),
        false => Line::new("pong")
            .with("addr", name)
            .with("version", version)
            .with("dir", dir)
            .with("micros", micros)
            .into_string(),
    });
    Ok(())
}

fn shutdown(arguments: &Arguments, screen: &mut Screen) -> Result<(), Failure> {
    arguments.no_paths()?;
    let mut remote = Remote::of(arguments)?;
    let name = remote.name();
    remote.ask("session-close", &json!({}))?;
    let until = Instant::now() + real(DAEMON_WAIT_MAX);
    while remote.is_there() {
        if Instant::now() >= until {
            return Err(Failure::new(
                format!(
                    "the daemon at {name} is still there after {} s",
                    DAEMON_WAIT_MAX.as_secs()
                ),
                "look at what it says, or end it with a signal",
            ));
        }
        std::thread::sleep(real(LOOK_EVERY));
    }
    if arguments.has("json") {
        return info::show_json(screen, &json!({ "gone": name }));
    }
    screen.line(&match screen.is_terminal() {
        true => format!("the daemon at {name} is gone"),
        false => Line::new("gone").with("addr", name).into_string(),
    });
    Ok(())
}

/// How often we look whether it is gone.
const LOOK_EVERY: Span = Span::from_millis(50);
