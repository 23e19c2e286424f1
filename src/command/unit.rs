//! `swarmlet unit`: a systemd unit that runs a tracker or a daemon, locked in.
//!
//! The unit is text with two holes: what is run, and how it is called. Everything else is the same
//! for both, and each line of the cage stands there because the program needs nothing behind it.
//!
//! # Why
//! A program that talks to strangers should be able to do little else. It has a user that exists
//! only while it runs, one directory that it may write, and only the system calls that it makes.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::{Arguments, Command, Failure, Screen, commands};

const USAGE: &str = "\
print a systemd unit for a daemon or a tracker

usage: swarmlet unit [options] [peer|tracker [OPTION...]]

The unit runs this very program, with these options, as a user of its own that can write nothing but
/var/lib/swarmlet (or swarmlet-tracker), which is also where it runs: a --dir or --library that is
not absolute is below that. To install it:

  swarmlet unit peer > /etc/systemd/system/swarmlet.service
  systemctl daemon-reload && systemctl enable --now swarmlet

What it shares from elsewhere needs --root DIR; if it is to write there, too, 'systemctl edit
swarmlet' with ReadWritePaths=DIR. Homes are out of its reach.

options:
  -c, --config FILE  have it take its options from this file, too
  -h, --help         this text

examples:
  swarmlet unit
  swarmlet unit tracker --http 0.0.0.0:8000 --library torrents --state state
  swarmlet unit --config /etc/swarmlet.ini peer
";

pub const COMMAND: Command = Command {
    name: "unit",
    summary: "print a systemd unit for a daemon or a tracker",
    usage: USAGE,
    runs_node: false,
    run,
};

fn run(arguments: &Arguments, screen: &mut Screen) -> Result<(), Failure> {
    let mut words = arguments.rest();
    let what = if words.is_empty() { OsString::from("peer") } else { words.remove(0) };
    let (name, command) = match what.to_str() {
        Some("peer") => ("swarmlet", "peer"),
        Some("tracker") => ("swarmlet-tracker", "tracker"),
        Some(_) | None => return Err(arguments.wrong("there are units for peer and tracker")),
    };
    if let Some(file) = arguments.path("config") {
        let file = std::path::absolute(&file).unwrap_or(file);
        words.splice(0..0, ["--config".into(), file.into_os_string()]);
    }
    // What the service would complain about at night is complained about now.
    let usage = commands().find(|it| it.name == command).map_or("", |it| it.usage);
    Arguments::parse(command, usage, &words)?;
    if words.is_empty() {
        let usual = if command == "peer" { USUAL_OF_PEER } else { USUAL_OF_TRACKER };
        words = usual.iter().map(OsString::from).collect();
    }
    let program = std::env::current_exe()
        .map_err(|error| Failure::new(format!("cannot find this program: {error}"), ""))?;
    let mut line = quoted(program.as_os_str())?;
    for word in [OsString::from(command)].iter().chain(&words) {
        line.push(' ');
        line.push_str(&quoted(word)?);
    }
    screen.text(&unit(name, command, &line));
    if let Some(home) = out_of_reach(&program) {
        screen.warn(&format!(
            "the service cannot run {}, for {home} is out of its reach; put the program into \
             /usr/local/bin first",
            super::files::shown(&program)
        ));
    }
    Ok(())
}

/// What is run if nobody says more. A peer sheds before the unit's `MemoryMax` ends it.
const USUAL_OF_PEER: &[&str] = &["--max-memory", "192M"];
const USUAL_OF_TRACKER: &[&str] =
    &["--http", "0.0.0.0:8000", "--library", "torrents", "--state", "state"];

/// The whole unit. `line`: what is run.
fn unit(name: &str, command: &str, line: &str) -> String {
    let what = if command == "peer" { "daemon" } else { "tracker" };
    // A peer holds a connection and a file for each of many; a tracker holds swarms.
    let memory = if command == "peer" { "256M" } else { "512M" };
    format!(
        "\
[Unit]
Description=swarmlet {what}
After=network-online.target
Wants=network-online.target

[Service]
ExecStart={line}
WorkingDirectory=%S/{name}
StateDirectory={name}
StateDirectoryMode=0750
UMask=0027
DynamicUser=yes
Restart=on-failure
RestartSec=5
# Saying good-bye takes five seconds at most.
TimeoutStopSec=10
LimitNOFILE=65536
MemoryMax={memory}
TasksMax=32
OOMPolicy=stop

# It needs its own directory, the network, and nothing else.
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
ProtectHome=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
PrivateDevices=yes
PrivateTmp=yes
PrivateUsers=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RemoveIPC=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @keyring @memlock @setuid
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"
    )
}

/// A word as it stands in `ExecStart=`: systemd looks for `%`, `$`, quotes and blanks in it.
fn quoted(word: &OsStr) -> Result<String, Failure> {
    let text = word.to_str().filter(|text| !text.contains(char::is_control));
    let text = text.ok_or_else(|| {
        let message = format!("{} is no word for a unit", super::files::shown(Path::new(word)));
        Failure::new(message, "it has control characters, or is not UTF-8")
    })?;
    let text = text.replace('%', "%%").replace('$', "$$");
    let is_plain = |letter: char| letter.is_alphanumeric() || "-_.,:/+@=%$[]".contains(letter);
    Ok(match !text.is_empty() && text.chars().all(is_plain) {
        true => text,
        false => format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
    })
}

/// The directory above a program that a service in its cage does not see, if there is one.
fn out_of_reach(program: &Path) -> Option<&'static str> {
    const HIDDEN: [&str; 5] = ["/home", "/root", "/run/user", "/tmp", "/var/tmp"];
    HIDDEN.into_iter().find(|dir| program.starts_with(PathBuf::from(dir)))
}
