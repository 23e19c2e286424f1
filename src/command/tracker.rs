//! `swarmlet tracker`: announce and scrape over HTTP and UDP, and a library of torrents.

use std::io::{BufRead, BufReader, ErrorKind};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use super::failure::reason;
use super::files::{cannot, shown};
use super::level::Level;
use super::run::{Goal, Job};
use super::{Arguments, Command, Failure, Screen, run};
use crate::base::limits::{ANSWER_PEERS_MAX, BLOCKED_MAX, SERVED_PEERS_MAX};
use crate::base::{InfoHash, Set, Span, Time};
use crate::tracker::{Policy, Rules, Service};
use crate::world::keeper::{self, Places};
use crate::world::sys;

const USAGE: &str = "\
run a tracker

usage: swarmlet tracker [options]

Answers /announce and /scrape for every torrent that anybody asks about. Put http://ADDR/announce
into torrents to use it, or udp://ADDR/announce: over UDP an announce costs a tenth. Stop it with
Ctrl-C.

With --library, people publish their .torrent files here (swarmlet publish), and anybody may list,
search and fetch them (swarmlet search, swarmlet fetch). Private torrents are taken, but shown to
nobody. With --state, who is there survives a restart. http://ADDR/ says what else can be asked.

options:
  --http ADDR         where to listen, HOST:PORT; port 0 picks a free one; 0.0.0.0:8000 is for
                      other machines, too (127.0.0.1:8000)
  --udp ADDR...       answer announces and scrapes over UDP, too, at HOST:PORT (none)
  --library DIR       keep published torrents there, each under its info-hash
  --state FILE        remember there who is in which swarm
  --only-published    track only what is in the library
  --block FILE        torrents to have nothing to do with: an info-hash on each line
  --interval SECONDS  peers shall announce so often, or up to an eighth later (1800)
  --numwant N         give at most N peers in one answer (200)
  --swarm-max N       at most N peers in a swarm (as many as in all)
  --peers-max N       at most N peers in all swarms together (1000000)
  --interface NAME    serve through this network interface or not at all
  --log-level LEVEL   tell what matters so much: error, warn, info, debug (info)
  --config FILE       options from this file, section [tracker]; see 'swarmlet help config'
  -h, --help          this text

examples:
  swarmlet tracker
  swarmlet tracker --http 0.0.0.0:8000 --udp 0.0.0.0:8000
  swarmlet tracker --http '[::]:8000' --library torrents --state tracker.state
";

pub const COMMAND: Command = Command {
    name: "tracker",
    summary: "run a tracker: announce and scrape over HTTP and UDP, and a library of torrents",
    usage: USAGE,
    runs_node: true,
    run,
};

/// Where a tracker is found unless told otherwise: by nobody but this machine.
const DEFAULT_HTTP: ([u8; 4], u16) = ([127, 0, 0, 1], 8000);

/// More often is a burden, and more rarely than once a day is as good as never.
const INTERVAL_SECS: RangeInclusive<u64> = 30..=86_400;

fn run(arguments: &Arguments, screen: &mut Screen) -> Result<(), Failure> {
    screen.set_level(Level::of(arguments)?);
    arguments.no_paths()?;
    let http = arguments.address("http")?.unwrap_or(DEFAULT_HTTP.into());
    let state = arguments.path("state");
    let (service, places, udp) = open(arguments, state, screen)?;
    let http = Some((http, service, places));
    let interface = arguments.text("interface")?;
    run::run(Job { http, udp, interface, is_tracker_only: true, ..Job::new(Goal::Serve) }, screen)
}

/// A tracker as the options describe it, with what it remembers in `state`; the places of its
/// files; and where it answers datagrams.
pub(super) fn open(
    arguments: &Arguments,
    state: Option<PathBuf>,
    screen: &mut Screen,
) -> Result<(Service, Places, Vec<SocketAddr>), Failure> {
    let library = arguments.path("library");
    let only_published = arguments.has("only-published");
    if only_published && library.is_none() {
        return Err(arguments.wrong("--only-published needs a --library"));
    }
    let udp = arguments.addresses("udp")?;
    let no_randomness = |error| {
        Failure::new(format!("cannot get random numbers: {}", reason(&error)), "is /dev mounted?")
    };
    let seed = sys::random_seed().map_err(no_randomness)?;
    let mut service = Service::new(Policy { only_published, ..policy(arguments)? }, seed);
    if !udp.is_empty() {
        let mut secret = [0; 20];
        sys::random_bytes(&mut secret).map_err(no_randomness)?;
        service.serve_udp(secret);
    }
    if let Some(dir) = &library {
        open_library(&mut service, dir, screen)?;
    }
    if let Some(file) = arguments.path("block") {
        service.block(read_blocked(&file)?);
    }
    if let Some(file) = &state {
        recall(&mut service, file, screen)?;
    }
    Ok((service, Places { library, state }, udp))
}

/// How many, and how often.
fn policy(arguments: &Arguments) -> Result<Policy, Failure> {
    let usual = Policy::default();
    let count = |option, most: usize| -> Result<Option<usize>, Failure> {
        let most = u64::try_from(most).unwrap_or(u64::MAX);
        Ok(arguments.number(option, 1..=most)?.and_then(|number| usize::try_from(number).ok()))
    };
    let interval = arguments.number("interval", INTERVAL_SECS)?.map(Span::from_secs);
    let interval = interval.unwrap_or(usual.interval);
    let numwant = count("numwant", ANSWER_PEERS_MAX)?.and_then(|most| u32::try_from(most).ok());
    let numwant_max = numwant.unwrap_or(usual.numwant_max);
    Ok(Policy {
        interval,
        min_interval: usual.min_interval.min(interval),
        numwant_default: usual.numwant_default.min(numwant_max),
        numwant_max,
        swarm_max: count("swarm-max", SERVED_PEERS_MAX)?.unwrap_or(usual.swarm_max),
        peers_max: count("peers-max", SERVED_PEERS_MAX)?.unwrap_or(usual.peers_max),
        ..usual
    })
}

fn open_library(service: &mut Service, dir: &Path, screen: &mut Screen) -> Result<(), Failure> {
    let mut odd = Vec::new();
    let library = keeper::load_library(dir, Rules::default(), &mut odd)
        .map_err(|error| cannot("use the library", dir, &error))?;
    let told = odd.len().min(ODD_TOLD_MAX);
    odd[..told].iter().for_each(|odd| screen.warn(odd));
    if told < odd.len() {
        screen.warn(&format!("and {} more like these", odd.len() - told));
    }
    service.open_library(library);
    Ok(())
}

/// Takes in who was there when the tracker stopped.
fn recall(service: &mut Service, file: &Path, screen: &mut Screen) -> Result<(), Failure> {
    let remembered = keeper::load_census(file).map_err(|error| match error.kind() {
        ErrorKind::InvalidData => Failure::new(
            format!("{} is not a state file of a tracker", shown(file)),
            "it would be overwritten: name another one with --state",
        ),
        _ => cannot("read", file, &error),
    })?;
    // Better known now than after the first announce.
    let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty());
    if let Some(dir) = dir.filter(|dir| !dir.is_dir()) {
        return Err(cannot("use the directory", dir, &ErrorKind::NotFound.into()));
    }
    if let Some(remembered) = remembered
        && let Err(bad) = service.restore(Time::START, remembered.gone, &remembered.census)
    {
        screen.warn(&format!("{}: {bad}; nobody is remembered from it", shown(file)));
    }
    Ok(())
}

/// The info-hashes of a file: the first word of each line; `#` begins a comment.
fn read_blocked(file: &Path) -> Result<Set<InfoHash>, Failure> {
    let open = std::fs::File::open(file).map_err(|error| cannot("read", file, &error))?;
    let mut blocked = Vec::new();
    for (number, line) in (1..).zip(BufReader::new(open).lines()) {
        let line = line.map_err(|error| cannot("read", file, &error))?;
        let words = line.split('#').next().unwrap_or_default();
        let Some(word) = words.split_whitespace().next() else { continue };
        let hash = InfoHash::parse_hex(word).ok_or_else(|| {
            Failure::new(
                format!("{}, line {number}: not an info-hash", shown(file)),
                "it has 40 hexadecimal digits; 'swarmlet info' shows that of a torrent",
            )
        })?;
        blocked.push(hash);
        if blocked.len() > BLOCKED_MAX {
            let message = format!("{} names more than {BLOCKED_MAX} torrents", shown(file));
            return Err(Failure::new(message, "BLOCKED_MAX in base/limits.rs is the limit"));
        }
    }
    Ok(Set::from(blocked))
}

/// Oddities of a library that are told one by one.
const ODD_TOLD_MAX: usize = 10;
