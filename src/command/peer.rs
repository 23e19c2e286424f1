//! `swarmlet peer`: many torrents in one process, for as long as one likes.

use crate::base::order;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::daemon::{self, Daemon};
use super::level::Level;
use super::run::{Goal, Http, Job};
use super::{Arguments, Command, Failure, Screen, files, link, nodes, remote, run, tracker};
use crate::base::limits::MEMORY_BYTES_MIN;
use crate::engine::prospects::Quest;
use crate::engine::{Adopted, Order};
use crate::format::magnet::LocalPeers;
use crate::world::resume::RECORD_DIR;

const USAGE: &str = "\
download and share many torrents in one process

usage: swarmlet peer [options] [TORRENT...]

Shares what is in the directory and downloads what is missing, for every TORRENT, until stopped.
Without any TORRENT it takes all the files *.torrent in the directory.

While it runs, other commands add, show, stop and remove torrents (swarmlet add, swarmlet status and
so on), and so do remote controls for Transmission. What they change is remembered: the next run
goes on with it.

options:
  -d, --dir DIR          where the data is, or shall be (the current directory)
  -l, --listen ADDR      take connections here, HOST:PORT; port 0 picks a free one
                         (port 6881, or the next free one up to 6889, or any)
  -r, --rpc ADDR         remote controls connect here (127.0.0.1:9091); 'off' for none
  --rpc-user NAME        ask them for this name, and for a password
  --rpc-password WORD    the password; everybody on this host can read it
  --rpc-password-file FILE
                         its first line is the password; or set SWARMLET_RPC_PASSWORD and
                         SWARMLET_RPC_USER in the environment
  --rpc-open             let whoever reaches ADDR in, without a password
  --rpc-host NAME...     those who connect call this host so; may be repeated
  --root DIR...          remote control may use what is below DIR, too; may be repeated
  --state DIR            remember torrents and settings here (.swarmlet in --dir)
  --watch DIR            take on each .torrent that is put there; it is then called NAME.added
  --on-done PROGRAM      run it when a torrent has arrived, as: PROGRAM NAME PATH INFOHASH
  --with-tracker ADDR    run a tracker, too, at http://ADDR/announce, which 'swarmlet help tracker'
                         tells about, with these options of its own:
  --udp ADDR...          answer announces over UDP, too
  --library DIR          keep published torrents there
  --tracker-state FILE   remember there who is in which swarm
  --only-published       track only what is in the library
  --block FILE           torrents to have nothing to do with
  --interval SECONDS     others shall announce to it so often (1800)
  --numwant N            it gives at most N peers in one answer (200)
  --swarm-max N          it takes at most N peers in a swarm (as many as in all)
  --peers-max N          it takes at most N peers in all (1000000)
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
  --max-memory SIZE      have fewer peers and ask less of each when SIZE is used: 32M
  --queue-down N         at most N torrents download at once; the others wait for their turn
  --queue-seed N         at most N torrents that are complete are shared at once
  --ratio R              a torrent stops when it gave R times what it got: 2, 1.5
  --idle-minutes N       it stops, too, when nobody took anything of it for so long
  --log-level LEVEL      tell what matters so much: error, warn, info, or debug, which tells what
                         happens with each peer, and why (info)
  --config FILE          options from this file, section [peer]; see 'swarmlet help config'
  -h, --help             this text

Ctrl-C says good-bye to trackers and saves, within 5 seconds; a second one leaves at once.

examples:
  swarmlet peer --dir /srv/torrents
  swarmlet peer -d downloads one.torrent two.torrent
  swarmlet peer --dir /srv/torrents --root /home & swarmlet seed /home/me/holiday
";

pub const COMMAND: Command = Command {
    name: "peer",
    summary: "download and share many torrents in one process",
    usage: USAGE,
    runs_node: true,
    run,
};

fn run(arguments: &Arguments, screen: &mut Screen) -> Result<(), Failure> {
    screen.set_level(Level::of(arguments)?);
    let dir = arguments.path("dir").unwrap_or_else(|| PathBuf::from("."));
    let listen = arguments.address("listen")?;
    let (rates, manners) = (arguments.rates()?, daemon::manners(arguments)?);
    let named = arguments.paths();
    let mut links = Vec::new();
    for path in &named {
        links.extend(link::parse(path, LocalPeers::Drop)?);
    }
    let memory_max = arguments.number("max-memory", MEMORY_BYTES_MIN..=1 << 40)?;
    let state = arguments.path("state").unwrap_or_else(|| dir.join(RECORD_DIR));
    let dht = nodes::options(arguments, &state)?;
    let (watch, on_done) = (daemon::watch(arguments)?, daemon::on_done(arguments)?);
    let (http, udp) = tracker(arguments, screen)?.unzip();
    let remote = remote::options(arguments, &dir, screen)?;
    let was_found = named.is_empty();
    let paths = if was_found { torrents_in(&dir)? } else { named };
    let mut adopted = Vec::new();
    for path in paths.into_iter().filter(|path| !link::is_magnet(path)) {
        match files::read_torrent(&path) {
            Ok((bytes, metainfo)) => {
                let (order, dir) = (Order::new(metainfo), dir.clone());
                adopted.push(Adopted { order, dir, bytes, was_found });
            }
            // One bad file among many that nobody named must not keep the rest from running.
            Err(failure) if was_found => screen.warn(&failure.to_string()),
            Err(failure) => return Err(failure),
        }
    }
    let mut job = Job {
        listen,
        rates,
        manners,
        memory_max,
        dht,
        local: arguments.has("lsd"),
        on_done,
        trace: arguments.path("trace"),
        interface: arguments.text("interface")?,
        http,
        udp: udp.unwrap_or_default(),
        ..Job::new(Goal::Serve)
    };
    match remote {
        Some(options) => {
            adopted.iter_mut().for_each(|torrent| torrent.dir = options.dir().to_owned());
            job.daemon = Some(Daemon { options, watch, adopted, links });
        }
        None if watch.is_some() => {
            return Err(arguments.wrong("--watch needs remote control, and there is none"));
        }
        None if adopted.is_empty() && links.is_empty() => {
            return Err(Failure::new(
                format!("there is no usable torrent in {}", files::shown(&dir)),
                "name some, or put them there and choose the place with --dir",
            ));
        }
        None => {
            files::make_dir(&dir)?;
            let quests = links.into_iter().map(|magnet| (Quest::new(magnet), dir.clone()));
            job.quests = quests.collect();
            job.orders = adopted.into_iter().map(|torrent| (torrent.order, torrent.dir)).collect();
        }
    }
    run::run(job, screen)
}

/// Options that say nothing without a tracker.
const OF_TRACKER: &[&str] = &[
    "udp",
    "library",
    "tracker-state",
    "only-published",
    "block",
    "interval",
    "numwant",
    "swarm-max",
    "peers-max",
];

/// The tracker in the same process, if there is to be one.
fn tracker(
    arguments: &Arguments,
    screen: &mut Screen,
) -> Result<Option<(Http, Vec<SocketAddr>)>, Failure> {
    let Some(addr) = arguments.address("with-tracker")? else {
        return match OF_TRACKER.iter().find(|option| arguments.has(option)) {
            Some(option) => Err(arguments.wrong(format!("--{option} needs --with-tracker"))),
            None => Ok(None),
        };
    };
    let state = arguments.path("tracker-state");
    let (service, places, udp) = tracker::open(arguments, state, screen)?;
    Ok(Some(((addr, service, places), udp)))
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
    order::sort(&mut paths);
    Ok(paths)
}
