//! `swarmlet share`: shares files, directories and torrents until stopped.

use std::path::{Path, PathBuf};

use super::making::{self, Made, Wishes};
use super::run::{Goal, Job};
use super::{Arguments, Command, Failure, Screen, files, link, nodes, run};
use crate::engine::Order;
use crate::format::metainfo::Metainfo;
use crate::world::node::Manners;
use crate::world::resume::RECORD_DIR;

const USAGE: &str = "\
share files, directories or torrents until stopped

usage: swarmlet share [options] (PATH or TORRENT)...

For a PATH, a file or a directory, the torrent is made first: NAME.torrent in the current
directory, to be passed on to others. If there is one of the same content already, it is used.
A TORRENT is a file that ends in .torrent; its data is in --dir. Starting with the TORRENT that
an earlier 'share PATH' made is faster, for what was checked before is not read again.

options:
  -t, --tracker URL...   announce to this tracker, too; may be repeated
  -d, --dir DIR          where the data of each TORRENT is (the current directory)
  -l, --listen ADDR      take connections here, HOST:PORT; port 0 picks a free one
                         (port 6881, or the next free one up to 6889, or any)
  -p, --peer ADDR...     also connect to this peer, HOST:PORT; may be repeated
  --private              make private torrents: peers come from their trackers only
  --super-seed           while nobody else has everything, give each piece away once and let the
                         others copy it: for the first seed of a swarm, with little upload
  --dht                  find peers in the DHT, too, and be found there (off)
  --dht-node ADDR...     the same, and ask this node first, HOST:PORT; may be repeated
  --dht-read-only        the same, but answer nobody: for hosts with little to spare
  --no-dht               keep out of it, whatever else is said
  --lsd                  find peers in this network by calling out for them (off)
  --no-pex               tell no peer of others, and do not hear of others by peers
  --up RATE              send at most so many bytes per second: 500K, 2M
  --down RATE            receive at most so many
  --interface NAME       send and receive through this network interface or not at all; host names
                         are refused, for the system would look them up elsewhere
  --trace FILE           write there what is said with each peer; 'swarmlet trace FILE' shows it
  -h, --help             this text

Ctrl-C says good-bye to trackers and saves, within 5 seconds; a second one leaves at once.

examples:
  swarmlet share holiday --tracker http://127.0.0.1:8000/announce
  swarmlet share --dir /srv/data one.torrent two.torrent
";

pub const COMMAND: Command = Command {
    name: "share",
    summary: "share files, directories or torrents until stopped",
    usage: USAGE,
    runs_node: true,
    run,
};

fn run(arguments: &Arguments, screen: &mut Screen) -> Result<(), Failure> {
    let paths = arguments.paths();
    if paths.is_empty() {
        return Err(arguments.wrong("PATH or TORRENT is missing"));
    }
    if paths.iter().any(|path| link::is_magnet(path)) {
        let message = "a magnet link names a torrent that others have";
        return Err(Failure::new(message, "'swarmlet get --seed LINK' gets it and shares it"));
    }
    let listen = arguments.address("listen")?;
    let rates = arguments.rates()?;
    let peers = arguments.peers("peer")?;
    let dir = arguments.path("dir").unwrap_or_else(|| PathBuf::from("."));
    let dht = nodes::options(arguments, &dir.join(RECORD_DIR))?;
    let wishes = Wishes {
        web_seeds: Vec::new(),
        trackers: making::trackers(arguments, screen)?,
        private: arguments.has("private"),
        ..Wishes::default()
    };
    let mut orders = Vec::new();
    for path in &paths {
        let (mut order, dir) = match files::is_torrent_name(path) && !path.is_dir() {
            true => (existing(path)?, dir.clone()),
            false => fresh(screen, path, &wishes)?,
        };
        order.trackers = wishes.trackers.concat();
        order.peers.clone_from(&peers);
        order.super_seed = arguments.has("super-seed");
        orders.push((order, dir));
    }
    let (local, trace) = (arguments.has("lsd"), arguments.path("trace"));
    let interface = arguments.text("interface")?;
    let manners = Manners { no_pex: arguments.has("no-pex"), ..Manners::default() };
    let job = Job { listen, rates, manners, dht, local, trace, interface, ..Job::new(Goal::Serve) };
    run::run(Job { orders, ..job }, screen)
}

/// An order for a .torrent that exists.
fn existing(path: &Path) -> Result<Order, Failure> {
    let (_, metainfo) = files::read_torrent(path)?;
    Ok(Order::new(metainfo))
}

/// Makes the torrent of `path`; returns an order and the directory that holds the data.
fn fresh(screen: &mut Screen, path: &Path, wishes: &Wishes) -> Result<(Order, PathBuf), Failure> {
    let Made { metainfo, parent, .. } = make(screen, path, wishes, false)?;
    Ok((Order { whole: true, ..Order::new(metainfo) }, parent))
}

/// Makes the torrent of `path` in the current directory, or finds it there. `quiet`: it need not be
/// told of.
pub(super) fn make(
    screen: &mut Screen,
    path: &Path,
    wishes: &Wishes,
    quiet: bool,
) -> Result<Made, Failure> {
    let source = making::survey(screen, path, wishes)?;
    let file = making::file_name(source.name());
    source.must_not_hold(&file)?;
    let mut made = source.hash(screen)?;
    let shown = files::shown(&file);
    let verb = if std::fs::symlink_metadata(&file).is_err() {
        files::write_torrent(&file, &made.bytes, false)?;
        "made"
    } else {
        let (bytes, before) = files::read_torrent(&file)?;
        if before.info_hash != made.metainfo.info_hash {
            return Err(Failure::new(
                format!("{shown} exists already and is of other content"),
                "move it away, or share from another directory",
            ));
        }
        warn_of_unnamed(screen, &before, wishes, &file);
        made.bytes = bytes;
        "reused"
    };
    if !quiet {
        making::tell(screen, verb, &file, &made.metainfo);
    }
    Ok(made)
}

/// Who gets the torrent as it was will not find us at a tracker that it does not name.
fn warn_of_unnamed(screen: &mut Screen, before: &Metainfo, wishes: &Wishes, file: &Path) {
    let known = |url: &String| before.trackers.iter().flatten().any(|named| named == url);
    for url in wishes.trackers.iter().flatten().filter(|url| !known(url)) {
        screen.warn(&format!(
            "{} does not name {url}; 'swarmlet edit --tracker {url} {}' changes that",
            files::shown(file),
            file.display()
        ));
    }
}
