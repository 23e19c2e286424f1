//! `swarmlet dht`: what a node of the DHT knows, and one look-up by a node of our own.
//!
//! The look-up is done by a node that lives only as long: read-only, so that nobody takes it for
//! one that stays. It enters by the nodes that are named, or by those that the record of an
//! earlier run names. It drives the same machine as the daemon, with one socket and no reactor.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::events::Line;
use super::failure::reason;
use super::remote::ask_daemon;
use super::swarm::hash_of;
use super::{Arguments, Command, Failure, Screen, files};
use crate::base::limits::DHT_DATAGRAM_BYTES_MAX;
use crate::base::{InfoHash, Set, Time};
use crate::dht::{Act, Dht, Outcome, Settings};
use crate::world::dht::read_record;
use crate::world::resume::RECORD_DIR;
use crate::world::sys;

const USAGE: &str = concat!(
    "\
show what is known of the DHT, and look a torrent up there

usage: swarmlet dht [options] [INFOHASH or TORRENT]

Shows the nodes that the last run of a peer in this directory left behind (it is written when one
stops, and now and then). With an INFOHASH or a .torrent it asks the DHT who shares that, by a node
that answers nobody and is gone afterwards. It prints
node id= nodes= buckets=
peer addr=
found peers= seeds= leechers= nodes= hops= questions=

With --rpc it asks a running daemon how its own node is doing, and prints
dht id= joined= nodes= good= nodes6= good6= asked= heard= served= peers=

options:
  -d, --dir DIR          the directory of that peer (the current directory)
  -n, --dht-node ADDR... ask this node first, HOST:PORT; may be repeated
  -l, --listen ADDR      ask from this address (one that the system picks)
  --wait SECONDS         give up after so long (30)
",
    "{daemon}\n",
    "\nexamples:
  swarmlet dht
  swarmlet dht --dht-node 192.168.1.7:6881 holiday.torrent
  swarmlet dht --rpc 127.0.0.1:9091
"
);

pub const COMMAND: Command = Command {
    name: "dht",
    summary: "show what is known of the DHT, and look a torrent up there",
    usage: USAGE,
    runs_node: false,
    run,
};

/// Longest and usual wait, in seconds.
const WAIT_MAX: u64 = 3_600;
const WAIT_USUAL: u64 = 30;

fn run(arguments: &Arguments, screen: &mut Screen) -> Result<(), Failure> {
    let words = arguments.words()?;
    let hash = match &words[..] {
        [] => None,
        [word] => Some(hash_of(word)?),
        _ => return Err(arguments.wrong("takes one INFOHASH or TORRENT at most")),
    };
    if arguments.has("rpc") {
        return match hash {
            None => ask_daemon(arguments, screen),
            Some(_) => Err(arguments.wrong("--rpc shows a daemon's node and looks nothing up")),
        };
    }
    let dir = arguments.path("dir").unwrap_or_else(|| PathBuf::from("."));
    let record = record(&dir.join(RECORD_DIR).join("dht"))?;
    let nodes = arguments.peers("dht-node")?;
    if record.is_none() && nodes.is_empty() {
        return Err(Failure::new(
            format!("no peer in {} has left nodes behind", files::shown(&dir)),
            "name one with --dht-node HOST:PORT, or run 'swarmlet peer --dht' there",
        ));
    }
    let usual = if nodes.iter().any(SocketAddr::is_ipv6) {
        SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0))
    } else {
        SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0))
    };
    let listen = arguments.address("listen")?.unwrap_or(usual);
    let mut asker = Asker::new(listen, record.as_deref()).map_err(|error| {
        Failure::new(format!("cannot ask from {listen}: {}", reason(&error)), "see --listen")
    })?;
    if record.is_some() {
        screen.line(&asker.introduction());
    }
    let Some(hash) = hash else { return Ok(()) };
    let wait = arguments.number("wait", 1..=WAIT_MAX)?.unwrap_or(WAIT_USUAL);
    let (peers, outcome) = asker
        .look_up(hash, &nodes, Duration::from_secs(wait))
        .map_err(|error| Failure::new(format!("cannot ask: {}", reason(&error)), "try --listen"))?;
    for addr in &peers {
        screen.line(&Line::new("peer").with("addr", addr).into_string());
    }
    let Some(outcome) = outcome else {
        let why = format!("no node has led us to {hash} within {wait} seconds");
        return Err(Failure::new(why, "name one that is there with --dht-node HOST:PORT"));
    };
    let mut line = Line::new("found").with("peers", peers.len());
    if let Some((seeds, leechers)) = outcome.estimate {
        line = line.with("seeds", seeds).with("leechers", leechers);
    }
    line = line.with("nodes", outcome.answered).with("hops", outcome.hops);
    screen.line(&line.with("questions", outcome.queries).into_string());
    Ok(())
}

/// The record, if there is one.
fn record(path: &Path) -> Result<Option<Vec<u8>>, Failure> {
    match read_record(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(files::cannot("read", path, &error)),
    }
}

/// A node that lives as long as one look-up.
struct Asker {
    dht: Dht,
    socket: UdpSocket,
    began: Instant,
}

impl Asker {
    fn new(listen: SocketAddr, record: Option<&[u8]>) -> io::Result<Asker> {
        let socket = UdpSocket::bind(listen)?;
        let mut secret = [0; 20];
        sys::random_bytes(&mut secret)?;
        let (v4, v6) = (listen.is_ipv4(), listen.is_ipv6());
        let settings = Settings { read_only: true, v4, v6, secret, seed: sys::random_seed()? };
        let mut dht = Dht::new(Time::START, settings);
        if let Some(record) = record {
            let malformed = |what: crate::format::Malformed| io::Error::other(what.to_string());
            dht.load(Time::START, record).map_err(malformed)?;
        }
        Ok(Asker { dht, socket, began: Instant::now() })
    }

    fn now(&self) -> Time {
        Time::from_millis(u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// What the record says.
    fn introduction(&self) -> String {
        let figures = self.dht.figures(self.now());
        let nodes: usize = figures.nodes.iter().sum();
        let shape: Vec<String> = figures.shape.concat().iter().map(usize::to_string).collect();
        let line = Line::new("node").with("id", figures.id).with("nodes", nodes);
        line.with("buckets", shape.join(",")).into_string()
    }

    /// The peers that were named, and what the look-up came to; `None` if it did not end in time.
    fn look_up(
        &mut self,
        hash: InfoHash,
        nodes: &[SocketAddr],
        wait: Duration,
    ) -> io::Result<(Set<SocketAddr>, Option<Outcome>)> {
        let (mut acts, mut found) = (Vec::new(), Set::new());
        let mut buffer = [0; DHT_DATAGRAM_BYTES_MAX + 1];
        for &node in nodes {
            self.dht.enter(self.now(), node, true, &mut acts);
        }
        self.dht.look_up(self.now(), hash);
        while self.began.elapsed() < wait {
            self.dht.tick(self.now(), &mut acts);
            for act in acts.drain(..) {
                match act {
                    // What cannot be sent there is lost on its way.
                    Act::Send { to, bytes } => drop(self.socket.send_to(&bytes, to)),
                    Act::Found { peers, .. } => found.extend(peers),
                    Act::Ended { outcome, .. } => return Ok((found, Some(outcome))),
                }
            }
            let now = self.now();
            let due = self.dht.deadline().map_or(1_000, |due| due.since(now).as_millis());
            self.socket.set_read_timeout(Some(Duration::from_millis(due.clamp(1, 1_000))))?;
            // A time-out, or what a router says of an earlier datagram: go on.
            if let Ok((len, from)) = self.socket.recv_from(&mut buffer) {
                self.dht.on_datagram(self.now(), from, &buffer[..len], &mut acts);
            }
        }
        Ok((found, None))
    }
}
