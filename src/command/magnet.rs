//! `swarmlet magnet`: the magnet link of a torrent.

use super::{Arguments, Command, Failure, Screen, files};
use crate::format::magnet::Magnet;

const USAGE: &str = "\
print the magnet link of a torrent

usage: swarmlet magnet FILE

A magnet link names a torrent by its info-hash, and says where to ask for peers. It fits into a
mail; what the torrent consists of comes from the peers.

options:
  -h, --help        this text

example:
  swarmlet magnet debian.iso.torrent
";

pub const COMMAND: Command = Command {
    name: "magnet",
    summary: "print the magnet link of a torrent",
    usage: USAGE,
    runs_node: false,
    run,
};

fn run(arguments: &Arguments, screen: &mut Screen) -> Result<(), Failure> {
    let path = arguments.only_path("FILE")?;
    let (_, metainfo) = files::read_torrent(&path)?;
    screen.line(&Magnet::of(&metainfo).to_string());
    Ok(())
}
