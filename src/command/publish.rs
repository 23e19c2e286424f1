//! `swarmlet publish`: puts a .torrent into a tracker's library.

use super::ask::Site;
use super::events::Line;
use super::files::shown;
use super::{Arguments, Command, Failure, Screen, files, info};
use crate::format::listing::Published;
use crate::format::metainfo::Metainfo;
use crate::format::text;

const USAGE: &str = "\
put a .torrent into a tracker's library

usage: swarmlet publish [options] TORRENT

Sends the .torrent to its own tracker, or to the one that is named, where others can find and fetch
it (swarmlet search, swarmlet fetch). The first .torrent of an info-hash stays; publishing it again
does no harm. A private one is taken, but shown to nobody. Into a pipe or a file it prints one line:
published name= info_hash= new= private= tracker=

options:
  -t, --tracker URL   the tracker, such as http://tracker.example:8000
  --json              as one JSON object
  -h, --help          this text

examples:
  swarmlet publish holiday.torrent
  swarmlet publish holiday.torrent --tracker http://192.0.2.7:8000
";

pub const COMMAND: Command = Command {
    name: "publish",
    summary: "put a .torrent into a tracker's library",
    usage: USAGE,
    runs_node: false,
    run,
};

fn run(arguments: &Arguments, screen: &mut Screen) -> Result<(), Failure> {
    let path = arguments.only_path("TORRENT")?;
    let named = arguments.text("tracker")?.map(|url| Site::parse(&url)).transpose()?;
    let (bytes, metainfo) = files::read_torrent(&path)?;
    let sites = match named {
        Some(site) => vec![site],
        None => sites_of(&metainfo),
    };
    if sites.is_empty() {
        return Err(Failure::new(
            format!("{} names no tracker that takes it", shown(&path)),
            "name one with --tracker http://…",
        ));
    }
    let (site, published) = publish(&sites, &bytes)?;
    if arguments.has("json") {
        return info::show_json(screen, &published);
    }
    tell(screen, &site, &published);
    Ok(())
}

/// The trackers of a torrent that can be asked to take it, in the order of the file.
pub fn sites_of(metainfo: &Metainfo) -> Vec<Site> {
    metainfo.trackers.iter().flatten().filter_map(|url| Site::of_torrent(url)).collect()
}

/// Publishes a .torrent at the first of `sites` that takes it. At least one must be given.
///
/// Failure: none does; what the last one said.
pub fn publish(sites: &[Site], torrent: &[u8]) -> Result<(Site, Published), Failure> {
    let mut last = Failure::new("there is no tracker to publish at", "name one with --tracker");
    for site in sites {
        match site.publish(torrent) {
            Ok(published) => return Ok((site.clone(), published)),
            Err(failure) => last = failure,
        }
    }
    Err(last)
}

/// Tells that it is there.
pub(super) fn tell(screen: &mut Screen, site: &Site, published: &Published) {
    let Published { info_hash, name, new, private, torrent: _ } = published;
    let (info_hash, name) = (text::clean(info_hash), text::clean(name));
    if !screen.is_terminal() {
        let line = Line::new("published").with("name", name).with("info_hash", info_hash);
        let line = line.with("new", new).with("private", private).with("tracker", site.name());
        return screen.line(&line.into_string());
    }
    let site = site.name();
    screen.line(&match (new, private) {
        (_, true) => format!("{name}: private; {site} keeps it and shows it to nobody"),
        (true, false) => format!("{name}: published at {site}"),
        (false, false) => format!("{name}: {site} has it already"),
    });
    screen.line(&format!("  info-hash {info_hash}"));
}
