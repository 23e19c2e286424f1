//! `swarmlet fetch`: gets a .torrent out of a tracker's library.

use super::ask::Site;
use super::search::{self, find, site};
use super::{Arguments, Command, Failure, Screen, files, info, making};
use crate::base::InfoHash;
use crate::format::listing::Listed;
use crate::format::metainfo::Metainfo;
use crate::format::text;

const USAGE: &str = "\
get a .torrent out of a tracker's library

usage: swarmlet fetch [options] [NAME or INFOHASH]

Finds the torrent of that name, or the only one in whose name it occurs, and writes NAME.torrent
into the current directory; 'swarmlet get NAME.torrent' then downloads it. Without a name it lists
what there is. Into a pipe or a file it prints one line:
fetched file= name= info_hash= bytes= pieces= piece_bytes=

options:
  -t, --tracker URL   the tracker (http://127.0.0.1:8000)
  -o, --output FILE   write here instead of NAME.torrent
  --force             replace the file if there is one
  --json              as one JSON object: what the .torrent says, or the list
  -h, --help          this text

examples:
  swarmlet fetch --tracker http://tracker.example:8000
  swarmlet fetch holiday --tracker http://tracker.example:8000
";

pub const COMMAND: Command = Command {
    name: "fetch",
    summary: "get a .torrent out of a tracker's library",
    usage: USAGE,
    runs_node: false,
    run,
};

fn run(arguments: &Arguments, screen: &mut Screen) -> Result<(), Failure> {
    let site = site(arguments)?;
    let name = arguments.words()?.join(" ");
    let json = arguments.has("json");
    if name.is_empty() {
        let listing = find(&site, "")?;
        if json {
            return info::show_json(screen, &listing);
        }
        search::tell(screen, &listing);
        return Ok(());
    }
    let hash = match InfoHash::parse_hex(&name) {
        Some(hash) => hash,
        None => choose(&site, &name)?,
    };
    let (bytes, metainfo) = fetch(&site, hash)?;
    let target = arguments.path("output");
    let target = target.unwrap_or_else(|| making::file_name(&metainfo.name));
    files::write_torrent(&target, &bytes, arguments.has("force"))?;
    if json {
        return info::show_torrent_json(screen, &metainfo);
    }
    making::tell(screen, "fetched", &target, &metainfo);
    Ok(())
}

/// Gets a .torrent by its info-hash, and makes sure that it is that one.
pub fn fetch(site: &Site, hash: InfoHash) -> Result<(Vec<u8>, Metainfo), Failure> {
    let bytes = site.get_bytes(&format!("/torrents/{hash}.torrent"))?;
    let wrong = |what: String| {
        let message = format!("{} sends something else than {hash}: {what}", site.name());
        Failure::new(message, "tell who runs it; nothing was written")
    };
    let metainfo = Metainfo::parse(&bytes).map_err(|bad| wrong(bad.to_string()))?;
    if metainfo.info_hash != hash {
        return Err(wrong(format!("the torrent {}", metainfo.info_hash)));
    }
    Ok((bytes, metainfo))
}

/// The info-hash of what a person means by `name`.
pub(super) fn choose(site: &Site, name: &str) -> Result<InfoHash, Failure> {
    let listing = find(site, name)?;
    let named: Vec<&Listed> =
        listing.torrents.iter().filter(|torrent| torrent.name == name).collect();
    let found: Vec<&Listed> =
        if named.is_empty() { listing.torrents.iter().collect() } else { named };
    let hash = |torrent: &Listed| {
        InfoHash::parse_hex(&torrent.info_hash).ok_or_else(|| {
            let message = format!("{} lists an info-hash that is none", site.name());
            Failure::new(message, "tell who runs it")
        })
    };
    match found[..] {
        [one] => hash(one),
        [] => Err(Failure::new(
            format!("the library of {} has no '{name}'", site.name()),
            "'swarmlet search' lists what there is",
        )),
        [first, second, ..] => Err(Failure::new(
            format!(
                "{} torrents fit '{name}', such as '{}' and '{}'",
                found.len(),
                text::clean(&first.name),
                text::clean(&second.name)
            ),
            format!("name one by its info-hash, such as {}", hash(first)?),
        )),
    }
}
