//! `swarmlet peer`: many torrents in one process.

use std::path::{Path, PathBuf};

use super::run::{Goal, Job};
use super::{Arguments, Command, Failure, Screen, files, get, run};
use crate::engine::Order;

const USAGE: &str = "\
download and share many torrents in one process

usage: swarmlet peer [options] [TORRENT...]

Shares what is in the directory and downloads what is missing, for every TORRENT, until stopped.
Without any TORRENT it takes all the files *.torrent in the directory.

options:
  -d, --dir DIR          where the data is, or shall be (the current directory)
  -l, --listen ADDR      take connections here, HOST:PORT; port 0 picks a free one
                         (port 6881, or the next free one up to 6889, or any)
  -h, --help             this text

Ctrl-C says good-bye to trackers and saves, within 5 seconds; a second one leaves at once.

examples:
  swarmlet peer --dir /srv/torrents
  swarmlet peer -d downloads one.torrent two.torrent
";

pub const COMMAND: Command = Command {
    name: "peer",
    summary: "download and share many torrents in one process",
    usage: USAGE,
    runs_node: true,
    run,
};

fn run(arguments: &Arguments, screen: &mut Screen) -> Result<(), Failure> {
    let dir = arguments.path("dir").unwrap_or_else(|| PathBuf::from("."));
    let listen = arguments.address("listen")?;
    let named = arguments.paths();
    named.iter().try_for_each(|path| get::refuse_magnet(path))?;
    let found = named.is_empty();
    let paths = if found { torrents_in(&dir)? } else { named };
    let mut orders = Vec::new();
    for path in paths {
        match files::read_torrent(&path) {
            Ok((_, metainfo)) => {
                let order = Order::new(metainfo);
                orders.push((order, dir.clone()));
            }
            // One bad file among many that nobody named must not keep the rest from running.
            Err(failure) if found => screen.warn(&failure.to_string()),
            Err(failure) => return Err(failure),
        }
    }
    if orders.is_empty() {
        return Err(Failure::new(
            format!("there is no usable torrent in {}", files::shown(&dir)),
            "name some, or put them there and choose the place with --dir",
        ));
    }
    files::make_dir(&dir)?;
    run::run(Job { listen, orders, ..Job::new(Goal::Serve) }, screen)
}

/// The files *.torrent of a directory, in the order of their names.
fn torrents_in(dir: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = std::fs::read_dir(dir).map_err(|error| files::cannot("read", dir, &error))?;
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| files::cannot("read", dir, &error))?.path();
        if files::is_torrent_name(&path) && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}
