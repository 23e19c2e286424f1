//! `swarmlet tracker`: announce and scrape over HTTP.

use super::failure::reason;
use super::run::{Goal, Job};
use super::{Arguments, Command, Failure, Screen, run};
use crate::tracker::{Policy, Service};
use crate::world::sys;

const USAGE: &str = "\
run a tracker

usage: swarmlet tracker [options]

Answers /announce and /scrape for every torrent that anybody asks about, and keeps everything in
memory. Put http://ADDR/announce into torrents to use it. Stop it with Ctrl-C.

options:
  --http ADDR       where to listen, HOST:PORT; port 0 picks a free one
                    (127.0.0.1:8000: this machine only; for all: 0.0.0.0:8000)
  -h, --help        this text

examples:
  swarmlet tracker
  swarmlet tracker --http '[::]:8000'
";

pub const COMMAND: Command = Command {
    name: "tracker",
    summary: "run a tracker: announce and scrape over HTTP",
    usage: USAGE,
    runs_node: true,
    run,
};

/// Where a tracker is found unless told otherwise: by nobody but this machine.
const DEFAULT_HTTP: ([u8; 4], u16) = ([127, 0, 0, 1], 8000);

fn run(arguments: &Arguments, screen: &mut Screen) -> Result<(), Failure> {
    arguments.no_paths()?;
    let http = arguments.address("http")?.unwrap_or(DEFAULT_HTTP.into());
    let seed = sys::random_seed().map_err(|error| {
        Failure::new(format!("cannot get random numbers: {}", reason(&error)), "is /dev mounted?")
    })?;
    let service = Service::new(Policy::default(), seed);
    run::run(Job { http: Some((http, service)), ..Job::new(Goal::Serve) }, screen)
}
