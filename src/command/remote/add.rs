//! `swarmlet add` and `swarmlet leech`: torrents for a daemon.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Value, json};

use super::{Known, Remote};
use crate::base::InfoHash;
use crate::command::ask::Site;
use crate::command::events::Line;
use crate::command::{Arguments, Command, Failure, Screen, fetch, files, info, link};
use crate::format::base64;
use crate::format::json::{Fields, Record};
use crate::format::magnet::LocalPeers;

const ADD: &str = concat!(
    "\
give torrents to a daemon

usage: swarmlet add [options] TORRENT...

Sends .torrent files, or magnet links in quotes, to the daemon, which downloads what is missing and
shares the rest, now and after each of its starts. With --tracker, TORRENT may also be a name or an
info-hash in the library of that tracker. Into a pipe or a file it prints one line for each: added
id= name= info_hash= new=

options:
  -t, --tracker URL       look TORRENT up there, if it is no file
  -d, --dir DIR           put the data there, below the daemon's directory or one of its --root
      --paused            do not start yet; 'swarmlet start' does
",
    "{json}\n{daemon}\n",
    "\nexamples:\n  swarmlet add one.torrent two.torrent\n  \
       swarmlet add --tracker http://tracker.example:8000 holiday\n"
);

const LEECH: &str = concat!(
    "\
have a daemon download a torrent

usage: swarmlet leech [options] TORRENT

Sends a .torrent, or a magnet link in quotes, to the daemon, starts it if it was stopped, and
returns; 'swarmlet status --watch' shows how it goes on. When it is complete the daemon goes on
sharing it. Into a pipe or a file it prints one line: added id= name= info_hash= new=

options:
  -t, --tracker URL       look TORRENT, a name or an info-hash, up in the library of this tracker
  -d, --dir DIR           put the data there, below the daemon's directory or one of its --root
",
    "{json}\n{daemon}\n",
    "\nexamples:\n  swarmlet leech holiday.torrent\n  \
       swarmlet leech --tracker http://tracker.example:8000 holiday\n"
);

pub const ADD_COMMAND: Command = Command {
    name: "add",
    summary: "give torrents to a daemon",
    usage: ADD,
    runs_node: false,
    run: add,
};

pub const LEECH_COMMAND: Command = Command {
    name: "leech",
    summary: "have a daemon download a torrent",
    usage: LEECH,
    runs_node: false,
    run: leech,
};

/// What became of one torrent.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Added {
    #[serde(flatten)]
    pub known: Known,
    /// The daemon did not have it before.
    pub new: bool,
}

fn add(arguments: &Arguments, screen: &mut Screen) -> Result<(), Failure> {
    let paths = arguments.paths();
    if paths.is_empty() {
        return Err(arguments.wrong("TORRENT is missing"));
    }
    let mut wishes = wishes(arguments)?;
    if arguments.has("paused") {
        wishes["paused"] = json!(true);
    }
    let mut remote = Remote::of(arguments)?;
    let mut all = Vec::new();
    for path in &paths {
        all.push(give(arguments, &mut remote, path, &wishes)?);
    }
    tell(arguments, screen, &all)
}

fn leech(arguments: &Arguments, screen: &mut Screen) -> Result<(), Failure> {
    let path = arguments.only_path("TORRENT")?;
    let mut wishes = wishes(arguments)?;
    wishes["paused"] = json!(false);
    let mut remote = Remote::of(arguments)?;
    let added = give(arguments, &mut remote, &path, &wishes)?;
    if !added.new {
        remote.act("torrent-start", std::slice::from_ref(&added.known), json!({}))?;
    }
    tell(arguments, screen, &[added])
}

/// What the options say of all torrents that are added.
fn wishes(arguments: &Arguments) -> Result<Value, Failure> {
    let mut wishes = json!({});
    if let Some(dir) = arguments.path("dir") {
        wishes["download-dir"] = json!(absolute(&dir)?);
    }
    Ok(wishes)
}

/// A directory as the daemon, which stands in another, must hear it.
pub fn absolute(dir: &Path) -> Result<String, Failure> {
    // One that is there may be known by another name; one that is not is made by the daemon.
    let whole = dir.canonicalize().or_else(|_| std::path::absolute(dir));
    let whole: PathBuf = whole.map_err(|error| files::cannot("use", dir, &error))?;
    whole.to_str().map(str::to_owned).ok_or_else(|| {
        let message = format!("{} is not UTF-8", files::shown(&whole));
        Failure::new(message, "the daemon takes no other names from afar; rename it")
    })
}

/// Gives the daemon what a word names: a magnet link as it is, or a .torrent.
fn give(
    arguments: &Arguments,
    remote: &mut Remote,
    path: &Path,
    wishes: &Value,
) -> Result<Added, Failure> {
    if let Some(magnet) = link::parse(path, LocalPeers::Keep)? {
        let mut arguments = wishes.clone();
        arguments["filename"] = json!(magnet.to_string());
        return add_to(remote, &arguments);
    }
    hand_over(remote, &find(arguments, path)?, wishes)
}

/// The bytes of a .torrent: from a file, or from a tracker's library.
fn find(arguments: &Arguments, path: &Path) -> Result<Vec<u8>, Failure> {
    let site = arguments.text("tracker")?.map(|url| Site::parse(&url)).transpose()?;
    if site.is_none() && !path.exists() && !files::is_torrent_name(path) {
        let message = format!("there is no file {}", files::shown(path));
        let hint = "check the path, or say with --tracker in whose library it is";
        return Err(Failure::new(message, hint));
    }
    let Some(site) = site.filter(|_| !path.exists()) else {
        return Ok(files::read_torrent(path)?.0);
    };
    let name = path.to_str().ok_or_else(|| arguments.wrong("the name is not UTF-8"))?;
    let hash = match InfoHash::parse_hex(name) {
        Some(hash) => hash,
        None => fetch::choose(&site, name)?,
    };
    Ok(fetch::fetch(&site, hash)?.0)
}

/// Gives a .torrent to the daemon. `wishes`: arguments beside it.
pub fn hand_over(remote: &mut Remote, torrent: &[u8], wishes: &Value) -> Result<Added, Failure> {
    let mut arguments = wishes.clone();
    arguments["metainfo"] = json!(base64::write(torrent));
    add_to(remote, &arguments)
}

fn add_to(remote: &mut Remote, arguments: &Value) -> Result<Added, Failure> {
    /// One of the two, as the protocol has it.
    struct Said {
        added: Option<Known>,
        duplicate: Option<Known>,
    }

    impl Record for Said {
        fn read(fields: &mut Fields<'_>) -> Said {
            Said { added: fields.get("torrent-added"), duplicate: fields.get("torrent-duplicate") }
        }
    }
    match remote.call::<Said>("torrent-add", arguments)? {
        Said { added: Some(known), .. } => Ok(Added { known, new: true }),
        Said { duplicate: Some(known), .. } => Ok(Added { known, new: false }),
        Said { .. } => Err(Failure::new(
            format!("the daemon at {} does not say what became of it", remote.name()),
            "'swarmlet status' shows what it has",
        )),
    }
}

/// Tells what became of each.
pub fn tell(arguments: &Arguments, screen: &mut Screen, all: &[Added]) -> Result<(), Failure> {
    if arguments.has("json") {
        return info::show_json(screen, &json!({ "added": all }));
    }
    for Added { known: Known { id, name, info_hash }, new } in all {
        screen.line(&match (screen.is_terminal(), new) {
            (true, true) => format!("added {id}: {name}"),
            (true, false) => format!("the daemon has it already, as {id}: {name}"),
            (false, _) => Line::new("added")
                .with("id", id)
                .with("name", name)
                .with("info_hash", info_hash)
                .with("new", new)
                .into_string(),
        });
    }
    Ok(())
}
