//! `swarmlet get`: downloads one torrent.

use std::path::PathBuf;

use super::run::{Goal, Job, Select};
use super::{Arguments, Command, Failure, Screen, choice, files, link, nodes, run};
use crate::engine::Order;
use crate::engine::prospects::Quest;
use crate::format::magnet::LocalPeers;
use crate::torrent::selection::Wishes;
use crate::world::node::Manners;
use crate::world::resume::RECORD_DIR;

const USAGE: &str = "\
download a torrent

usage: swarmlet get [options] TORRENT

Downloads what TORRENT, a .torrent file or a magnet link in quotes, names into the download
directory, checks every piece, and exits 0 once all of it is there and written. What is there
already is checked and kept, so the same command goes on after an interruption. A full or failing
disk stops the download until it works again: that is told, tried again by itself, and never an
exit.

options:
  -d, --dir DIR          download into DIR (the current directory); made if need be
  -l, --listen ADDR      take connections here, HOST:PORT; port 0 picks a free one
                         (port 6881, or the next free one up to 6889, or any)
  -p, --peer ADDR...     also connect to this peer, HOST:PORT; may be repeated
      --select FILES...  get these files only: numbers as 'swarmlet info' shows them (0,2-5), a
                         name, a directory, or a pattern ('*.flac'); may be repeated
      --sequential       get the pieces in their order, not the rarest first
  -s, --seed             go on sharing once it is complete, until stopped
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

Ctrl-C says good-bye to trackers and saves, within 5 seconds; a second one leaves at once. The
exit code is then 0 if the download was complete, otherwise 1.

examples:
  swarmlet get debian.iso.torrent
  swarmlet get -d downloads --peer 127.0.0.1:6881 music.torrent
  swarmlet get --select '*.flac' --select cover.jpg music.torrent
  swarmlet get 'magnet:?xt=urn:btih:…&tr=http…'
";

pub const COMMAND: Command =
    Command { name: "get", summary: "download a torrent", usage: USAGE, runs_node: true, run };

fn run(arguments: &Arguments, screen: &mut Screen) -> Result<(), Failure> {
    let path = arguments.only_path("TORRENT")?;
    let dir = arguments.path("dir").unwrap_or_else(|| PathBuf::from("."));
    let peers = arguments.peers("peer")?;
    let listen = arguments.address("listen")?;
    let rates = arguments.rates()?;
    let dht = nodes::options(arguments, &dir.join(RECORD_DIR))?;
    let goal = if arguments.has("seed") { Goal::Serve } else { Goal::Fetch };
    let (local, trace) = (arguments.has("lsd"), arguments.path("trace"));
    let interface = arguments.text("interface")?;
    let manners = Manners { no_pex: arguments.has("no-pex"), ..Manners::default() };
    let job = Job { listen, rates, manners, dht, local, trace, interface, ..Job::new(goal) };
    let (words, sequential) = (arguments.texts("select")?, arguments.has("sequential"));
    if let Some(magnet) = link::parse(&path, LocalPeers::Drop)? {
        let wishes = Wishes { sequential, ..Wishes::default() };
        let quest = Quest { peers, wishes, ..Quest::new(magnet) };
        files::make_dir(&dir)?;
        // Which files there are is not known yet.
        let select = Some(Select { words, sequential }).filter(|select| !select.words.is_empty());
        return run::run(Job { quests: vec![(quest, dir)], select, ..job }, screen);
    }
    let (_, metainfo) = files::read_torrent(&path)?;
    let wishes = choice::wishes(&metainfo.layout, &words, sequential);
    let wishes = wishes.map_err(|why| arguments.wrong(why))?;
    files::make_dir(&dir)?;
    let order = Order { peers, wishes, ..Order::new(metainfo) };
    run::run(Job { orders: vec![(order, dir)], ..job }, screen)
}
