//! `swarmlet swarm`: the peers that a tracker knows.

use super::ask::{Site, with_hash};
use super::events::Line;
use super::{Arguments, Command, Failure, Screen, files, info};
use crate::base::InfoHash;
use crate::format::listing::{Pieces, SwarmShown, Swarms};
use crate::format::text;

const USAGE: &str = "\
show the peers that a tracker knows

usage: swarmlet swarm [options] URL [TORRENT or INFOHASH]

Shows who shares a torrent, or, without one, every published torrent of the tracker at URL. Of a
published one it shows, too, how many pieces those have that told so. Into a pipe or a file it
prints one line for each swarm, and one for each of its peers:
swarm info_hash= name= seeds= leechers= completed=
peer addr= seed= have= pieces=

options:
  --json              as one JSON object
  -h, --help          this text

examples:
  swarmlet swarm http://tracker.example:8000
  swarmlet swarm http://tracker.example:8000/announce holiday.torrent
";

pub const COMMAND: Command = Command {
    name: "swarm",
    summary: "show the peers that a tracker knows",
    usage: USAGE,
    runs_node: false,
    run,
};

fn run(arguments: &Arguments, screen: &mut Screen) -> Result<(), Failure> {
    let words = arguments.words()?;
    let (site, hash) = match &words[..] {
        [url] => (Site::parse(url)?, None),
        [url, torrent] => (Site::parse(url)?, Some(hash_of(torrent)?)),
        [] => return Err(arguments.wrong("URL is missing")),
        [_, _, _, ..] => return Err(arguments.wrong("takes a URL and one TORRENT")),
    };
    let page = hash.map_or("/get_peers".to_owned(), |hash| with_hash("/get_peers", hash));
    let swarms: Swarms = site.get(&page)?;
    if arguments.has("json") {
        return info::show_json(screen, &swarms);
    }
    // Only of what was published, and only if there is one to look at.
    let pieces: Option<Pieces> = hash.and_then(|hash| site.get(&with_hash("/pieces", hash)).ok());
    for swarm in &swarms.swarms {
        tell(screen, swarm, pieces.as_ref());
    }
    if swarms.more {
        screen.warn("there are more; name a torrent");
    }
    if swarms.swarms.is_empty() {
        return Err(Failure::new(
            format!("{} knows nobody{}", site.name(), hash.map_or("", |_| " who shares that")),
            "peers are known when they announce; private torrents are not shown",
        ));
    }
    Ok(())
}

/// What a word means: an info-hash, or a .torrent.
pub(super) fn hash_of(word: &str) -> Result<InfoHash, Failure> {
    match InfoHash::parse_hex(word) {
        Some(hash) => Ok(hash),
        None => Ok(files::read_torrent(word.as_ref())?.1.info_hash),
    }
}

fn tell(screen: &mut Screen, swarm: &SwarmShown, pieces: Option<&Pieces>) {
    let SwarmShown { info_hash, name, seeds, leechers, completed, peers } = swarm;
    let (info_hash, name) = (text::clean(info_hash), text::clean(name.as_deref().unwrap_or("")));
    let is_terminal = screen.is_terminal();
    let s = if *seeds == 1 { "" } else { "s" };
    screen.line(&match is_terminal {
        true => format!("{info_hash}  {seeds} seed{s}, {leechers} getting  {name}"),
        false => Line::new("swarm")
            .with("info_hash", info_hash)
            .with("name", name)
            .with("seeds", seeds)
            .with("leechers", leechers)
            .with("completed", completed)
            .into_string(),
    });
    for peer in peers {
        let told = pieces.and_then(|pieces| {
            let holder = pieces.holders.iter().find(|holder| holder.addr == peer.addr)?;
            Some((holder.have, pieces.pieces))
        });
        let addr = text::clean(&peer.addr);
        screen.line(&match (is_terminal, told) {
            (true, Some((have, of))) => format!("  {addr:<24} {have} of {of} pieces"),
            (true, None) if peer.seed => format!("  {addr:<24} seed"),
            (true, None) => format!("  {addr}"),
            (false, told) => {
                let line = Line::new("peer").with("addr", addr).with("seed", peer.seed);
                match told {
                    Some((have, of)) => line.with("have", have).with("pieces", of),
                    None => line,
                }
                .into_string()
            }
        });
    }
}
