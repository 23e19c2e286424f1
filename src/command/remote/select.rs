//! `swarmlet select`: which files of a torrent are wanted, and which first.

use serde_json::{Value, json};

use super::{Remote, tell};
use crate::command::{Arguments, Command, Failure, Screen, choice};

const USAGE: &str = concat!(
    "\
choose which files of a torrent a daemon shall get, and which first

usage: swarmlet select [options] ID

FILES are numbers as 'swarmlet files ID' shows them, such as 0,2-5, or all. What was chosen holds
at once and over a restart. A file that is not wanted may get a few bytes, where it shares a piece
with one that is. Into a pipe or a file it prints one line: selected id= name= info_hash=

",
    "{ids}\n",
    "
options:
      --only FILES        get these and no others
      --want FILES        get these, too
      --skip FILES        do not get these
      --high FILES        get these before others
      --normal FILES      neither before nor after
      --low FILES         get these after all others
      --sequential on|off get the pieces in their order, not the rarest first
",
    "{json}\n{daemon}\n",
    "\nexamples:\n  swarmlet select holiday --only 0-3\n  swarmlet select 2 --skip all --want 7\n"
);

pub const COMMAND: Command = Command {
    name: "select",
    summary: "choose which files of a torrent a daemon shall get",
    usage: USAGE,
    runs_node: false,
    run,
};

/// Options, and what the protocol calls them, in the order in which they take effect.
const WISHES: [(&str, &str); 5] = [
    ("skip", "files-unwanted"),
    ("want", "files-wanted"),
    ("high", "priority-high"),
    ("normal", "priority-normal"),
    ("low", "priority-low"),
];

fn run(arguments: &Arguments, screen: &mut Screen) -> Result<(), Failure> {
    let mut wishes: Vec<Value> = Vec::new();
    if let Some(files) = files(arguments, "only")? {
        wishes.push(json!({ "files-unwanted": [] }));
        wishes.push(json!({ "files-wanted": files }));
    }
    for (option, key) in WISHES {
        if let Some(files) = files(arguments, option)? {
            wishes.push(json!({ key: files }));
        }
    }
    if let Some(word) = arguments.text("sequential")? {
        let is_on = match word.as_str() {
            "on" => true,
            "off" => false,
            _ => return Err(arguments.wrong(format!("--sequential {word}: say on or off"))),
        };
        wishes.push(json!({ "sequentialDownload": is_on }));
    }
    if wishes.is_empty() {
        return Err(arguments.wrong("nothing to change; say --only, --skip, --want or --high"));
    }
    let mut remote = Remote::of(arguments)?;
    let which = vec![remote.only(arguments)?];
    // One after the other: what an object says twice over has no order.
    for wish in wishes {
        remote.act("torrent-set", &which, wish)?;
    }
    tell(screen, arguments, "selected", &which)
}

/// The numbers that an option names; an empty list means all of them.
fn files(arguments: &Arguments, option: &str) -> Result<Option<Vec<u32>>, Failure> {
    let Some(word) = arguments.text(option)? else { return Ok(None) };
    if word == "all" {
        return Ok(Some(Vec::new()));
    }
    let wrong =
        |part: &str| arguments.wrong(format!("--{option} {word}: '{part}' is no file's number"));
    match choice::numbers(&word) {
        Ok(Some(files)) => Ok(Some(files)),
        Ok(None) => Err(wrong(&word)),
        Err(part) => Err(wrong(&part)),
    }
}
