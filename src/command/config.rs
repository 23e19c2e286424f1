//! `swarmlet config`: which options are in force, and who said so.
//!
//! What it prints is a file of settings itself: what somebody said stands there as it is, with its
//! origin as a comment, and the rest as comments that show what could be said.

use serde_json::{Value, json};

use super::arguments::{Arguments, Declared, Origin, declared, has_config};
use super::files::shown;
use super::{Command, Failure, Screen, commands, info};
use crate::format::ini;
use crate::format::text;

const USAGE: &str = "\
show which options are in force, and who said so

usage: swarmlet config [options] [COMMAND [OPTION...]]

Prints what holds for every command that takes --config, or for this one with these options: the
command line goes before the file, the file before the default. What it prints is such a file
itself; 'swarmlet config > swarmlet.ini' is a good beginning of one:

  [peer]                      a section for each command
  dir = /srv/torrents         its options by their long names
  root = /home/me             a key may be repeated if the option may be
  root = \"/home/you #2\"       quotes keep blanks at the ends, and #
  rpc-open = true             a flag is true or false; --no-rpc-open undoes it

Paths are seen from where the command runs. Whether an address or a number is a good one is found
when the command starts; it names the line then.

options:
  -c, --config FILE  the file
      --json         as one JSON object
  -h, --help         this text

examples:
  swarmlet config --config /etc/swarmlet.ini
  swarmlet config peer --config /etc/swarmlet.ini --up 500K
";

pub const COMMAND: Command = Command {
    name: "config",
    summary: "show which options are in force, and who said so",
    usage: USAGE,
    runs_node: false,
    run,
};

fn run(arguments: &Arguments, screen: &mut Screen) -> Result<(), Failure> {
    let mut words = arguments.rest();
    if let Some(file) = arguments.path("config") {
        let at = usize::from(!words.is_empty());
        words.splice(at..at, ["--config".into(), file.into_os_string()]);
    }
    let named = arguments.rest().into_iter().next();
    let all: Vec<&Command> = commands().filter(|it| takes_file(it)).collect();
    let chosen: Vec<&Command> = match &named {
        None => all.clone(),
        Some(name) => all.iter().filter(|it| name == it.name).copied().collect(),
    };
    if chosen.is_empty() {
        let names: Vec<&str> = all.iter().map(|command| command.name).collect();
        let hint = format!("those that take a file of options: {}", names.join(", "));
        return Err(Failure::usage("config: that is none of the commands", hint));
    }
    let words = &words[usize::from(named.is_some())..];
    let mut object = json!({});
    let mut lines: Vec<String> = Vec::new();
    for command in chosen {
        let theirs = Arguments::parse(command.name, command.usage, words)?;
        object[command.name] = as_json(command, &theirs);
        if !lines.is_empty() {
            lines.push(String::new());
        }
        lines.push(format!("[{}]", command.name));
        keys(command).iter().for_each(|option| describe(option, &theirs, &mut lines));
    }
    if arguments.has("json") {
        return info::show_json(screen, &object);
    }
    lines.iter().for_each(|line| screen.line(line));
    Ok(())
}

fn takes_file(command: &Command) -> bool {
    command.name != COMMAND.name && has_config(command.usage)
}

fn keys(command: &Command) -> Vec<Declared<'static>> {
    declared(command.usage).into_iter().filter(Declared::is_key).collect()
}

/// Appends the lines of one key.
fn describe(option: &Declared<'_>, arguments: &Arguments, lines: &mut Vec<String>) {
    let origins = arguments.origins(option);
    for (value, origin) in &origins {
        let value = shown_value(option, value);
        let pair = match ini::quoted(&value) {
            Some(value) => format!("{} = {value}", option.long),
            // It came by the command line, and no file can say it.
            None => format!("# {} = {}", option.long, text::clean(&value)),
        };
        lines.push(format!("{pair:<32}  # {}", words_of(origin)));
    }
    if origins.is_empty() {
        let (value, why) = match (option.is_flag(), option.usual()) {
            (true, _) => ("false", "default".to_owned()),
            (false, Some(default)) => ("", format!("default: {default}")),
            (false, None) => ("", "not set".to_owned()),
        };
        lines.push(format!("{:<32}  # {why}", format!("#{} = {value}", option.long)));
    }
}

fn words_of(origin: &Origin) -> String {
    match origin {
        Origin::Default => "default".to_owned(),
        Origin::CommandLine => "command line".to_owned(),
        Origin::File(file, line) => format!("{}, line {line}", shown(file)),
    }
}

fn as_json(command: &Command, arguments: &Arguments) -> Value {
    let mut object = json!({});
    for option in keys(command) {
        let mut origins = arguments.origins(&option);
        if origins.is_empty() {
            let default = if option.is_flag() { "false" } else { option.usual().unwrap_or("") };
            origins.push((default.to_owned(), Origin::Default));
        }
        let said = origins.iter().map(|(value, origin)| {
            let value = shown_value(&option, value);
            match origin {
                Origin::Default => json!({ "value": value, "from": "default" }),
                Origin::CommandLine => json!({ "value": value, "from": "command line" }),
                Origin::File(file, line) => {
                    json!({ "value": value, "from": file.display().to_string(), "line": line })
                }
            }
        });
        object[option.long] = said.collect();
    }
    object
}

/// A password is not for the screen.
fn shown_value(option: &Declared<'_>, value: &str) -> String {
    if option.long == "rpc-password" { "…".to_owned() } else { value.to_owned() }
}
