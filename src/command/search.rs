//! `swarmlet search`: what a tracker's library has.

use super::ask::{DEFAULT_SITE, Site, search_page};
use super::events::Line;
use super::{Arguments, Command, Failure, Screen, info};
use crate::format::listing::{Listed, Listing};
use crate::format::text;

const USAGE: &str = "\
search a tracker's library

usage: swarmlet search [options] [WORDS…]

Finds the published torrents in whose names, or in whose files' names, all WORDS occur, whatever
their case; without WORDS, all. The newest come first. Into a pipe or a file it prints one line
for each:
found info_hash= name= bytes= files= seeds= leechers= completed=

options:
  -t, --tracker URL   the tracker (http://127.0.0.1:8000)
  --json              as one JSON object
  -h, --help          this text

examples:
  swarmlet search holiday 2026 --tracker http://tracker.example:8000
";

pub const COMMAND: Command = Command {
    name: "search",
    summary: "search a tracker's library",
    usage: USAGE,
    runs_node: false,
    run,
};

fn run(arguments: &Arguments, screen: &mut Screen) -> Result<(), Failure> {
    let words = arguments.words()?.join(" ");
    let site = site(arguments)?;
    let listing = find(&site, &words)?;
    if arguments.has("json") {
        return info::show_json(screen, &listing);
    }
    tell(screen, &listing);
    if listing.torrents.is_empty() {
        let what =
            if words.is_empty() { "has nothing".into() } else { format!("has no '{words}'") };
        return Err(Failure::new(
            format!("the library of {} {what}", site.name()),
            "fewer words find more; 'swarmlet search' without words lists all",
        ));
    }
    Ok(())
}

/// The tracker that the options name.
pub(super) fn site(arguments: &Arguments) -> Result<Site, Failure> {
    Site::parse(&arguments.text("tracker")?.unwrap_or_else(|| DEFAULT_SITE.to_owned()))
}

/// Everything that fits `words`, up to `FOUND_MAX` torrents.
pub(super) fn find(site: &Site, words: &str) -> Result<Listing, Failure> {
    let mut all = Listing { torrents: Vec::new(), next: None };
    loop {
        let page: Listing = site.get(&search_page(words, all.next))?;
        // A tracker that goes round in circles shall not lead us with it.
        let goes_on = page.next < all.next.or(Some(u64::MAX));
        all.next = page.next.filter(|_| goes_on && !page.torrents.is_empty());
        all.torrents.extend(page.torrents);
        if all.next.is_none() || all.torrents.len() >= FOUND_MAX {
            return Ok(all);
        }
    }
}

pub(super) fn tell(screen: &mut Screen, listing: &Listing) {
    for torrent in &listing.torrents {
        let line = if screen.is_terminal() { spoken(torrent) } else { plain(torrent) };
        screen.line(&line);
    }
    if listing.next.is_some() {
        screen.warn("there are more; give more words");
    }
}

fn plain(torrent: &Listed) -> String {
    Line::new("found")
        .with("info_hash", text::clean(&torrent.info_hash))
        .with("name", text::clean(&torrent.name))
        .with("bytes", torrent.bytes)
        .with("files", torrent.files)
        .with("seeds", torrent.seeds)
        .with("leechers", torrent.leechers)
        .with("completed", torrent.completed)
        .into_string()
}

fn spoken(torrent: &Listed) -> String {
    let Listed { info_hash, name, bytes, seeds, leechers, .. } = torrent;
    let (hash, name, size) = (text::clean(info_hash), text::clean(name), text::size(*bytes));
    let s = if *seeds == 1 { " " } else { "s" };
    format!("{hash}  {size:>10}  {seeds:>4} seed{s} {leechers:>4} getting  {name}")
}

/// Torrents that are listed for one search; more nobody reads.
const FOUND_MAX: usize = 2_000;
