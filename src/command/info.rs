//! `swarmlet info`: what a torrent or a magnet link says.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::{Arguments, Command, Failure, Screen, files, link};
use crate::base::Span;
use crate::engine::Event;
use crate::engine::prospects::Quest;
use crate::format::magnet::{LocalPeers, Magnet};
use crate::format::metainfo::Metainfo;
use crate::format::text;
use crate::world::node::{Node, NodeOptions};

const USAGE: &str = "\
show what a torrent or a magnet link says

usage: swarmlet info [options] (FILE or MAGNET)

Prints name, info-hash, size, pieces, trackers and files. A magnet link goes in quotes, for the
shell would take its '&' for something else.

options:
  --json                 as one JSON object, with sizes in bytes
  --fetch                ask peers for what a magnet link does not say, for up to two minutes
  -p, --peer ADDR...     ask this peer, too, HOST:PORT; may be repeated
  -h, --help             this text

examples:
  swarmlet info debian.iso.torrent
  swarmlet info 'magnet:?xt=urn:btih:…&dn=debian.iso'
";

pub const COMMAND: Command = Command {
    name: "info",
    summary: "show what a torrent or a magnet link says",
    usage: USAGE,
    runs_node: false,
    run,
};

fn run(arguments: &Arguments, screen: &mut Screen) -> Result<(), Failure> {
    let path = arguments.only_path("FILE or MAGNET")?;
    let json = arguments.has("json");
    // Only shown, unless it is to be followed: then local addresses are not for a link to name.
    let fetches = arguments.has("fetch");
    let local = if fetches { LocalPeers::Drop } else { LocalPeers::Keep };
    if let Some(link) = link::parse(&path, local)? {
        if fetches {
            let metainfo = fetch(arguments, link)?;
            return match json {
                true => show_torrent_json(screen, &metainfo),
                false => show_torrent(screen, &metainfo, metainfo.to_file().len()),
            };
        }
        return match json {
            true => show_json(screen, &LinkShown::of(&link)),
            false => show_link(screen, &link),
        };
    }
    let (bytes, metainfo) = files::read_torrent(&path)?;
    match json {
        true => show_torrent_json(screen, &metainfo),
        false => show_torrent(screen, &metainfo, bytes.len()),
    }
}

/// Asks peers what a link names. Nothing is written, and nobody is given anything.
///
/// Failure: the node cannot be opened, or nobody told within `FETCH_PATIENCE`.
fn fetch(arguments: &Arguments, magnet: Magnet) -> Result<Metainfo, Failure> {
    let peers = arguments.peers("peer")?;
    let failed = |what: String, hint: &str| Failure::new(what, hint.to_owned());
    // Trackers tell nothing to whom nobody could call.
    let listen = Some(SocketAddr::from(([0, 0, 0, 0], 0)));
    let mut node = Node::open(NodeOptions { listen, ..NodeOptions::default() })
        .map_err(|error| failed(error.to_string(), "try again"))?;
    let quest = Quest { peers, then_rest: true, ..Quest::new(magnet) };
    let id = node.seek(quest, PathBuf::from(".")).expect("the first torrent of a new node");
    let (end, mut events) = (Instant::now() + FETCH_PATIENCE, Vec::new());
    while Instant::now() < end && node.signals() == 0 {
        node.turn(Some(Span::from_millis(200)), &mut events)
            .map_err(|error| failed(format!("the reactor failed: {error}"), "try again"))?;
        if let Some(metainfo) = node.metainfo(id) {
            return Ok(metainfo.clone());
        }
        for event in events.drain(..) {
            if let Event::Unusable { reason, .. } = event {
                let what = format!("what the link names is no torrent that can be used: {reason}");
                return Err(failed(what, ""));
            }
        }
    }
    let what = "no peer told what the link names";
    Err(failed(what.to_owned(), "name a peer that has it with --peer HOST:PORT, or try later"))
}

/// How long to look for peers who know.
const FETCH_PATIENCE: Duration = Duration::from_secs(120);

/// A torrent as JSON.
#[derive(Serialize)]
struct TorrentShown<'m> {
    name: &'m str,
    info_hash: String,
    bytes: u64,
    piece_bytes: u32,
    pieces: u32,
    private: bool,
    /// Tiers, in the order they are asked.
    trackers: &'m [Vec<String>],
    web_seeds: &'m [String],
    comment: Option<&'m str>,
    created_by: Option<&'m str>,
    /// Seconds since 1970.
    creation_date: Option<i64>,
    files: Vec<FileShown>,
    warnings: &'m [String],
    magnet: String,
}

#[derive(Serialize)]
struct FileShown {
    path: String,
    bytes: u64,
}

/// A magnet link as JSON.
#[derive(Serialize)]
struct LinkShown<'m> {
    name: Option<&'m str>,
    info_hash: String,
    bytes: Option<u64>,
    trackers: &'m [String],
    web_seeds: &'m [String],
    peers: Vec<String>,
    /// Ranges of file numbers that the link selects, both ends included.
    select: &'m [(u32, u32)],
    warnings: &'m [String],
}

impl TorrentShown<'_> {
    fn of(metainfo: &Metainfo) -> TorrentShown<'_> {
        let layout = &metainfo.layout;
        let files = layout.files().iter().filter(|file| !file.pad);
        TorrentShown {
            name: &metainfo.name,
            info_hash: metainfo.info_hash.to_string(),
            bytes: layout.total_bytes(),
            piece_bytes: layout.piece_bytes(),
            pieces: layout.piece_count(),
            private: metainfo.private,
            trackers: &metainfo.trackers,
            web_seeds: &metainfo.web_seeds,
            comment: metainfo.comment.as_deref(),
            created_by: metainfo.created_by.as_deref(),
            creation_date: metainfo.creation_date,
            files: files
                .map(|file| FileShown { path: file.path.join("/"), bytes: file.len })
                .collect(),
            warnings: &metainfo.warnings,
            magnet: Magnet::of(metainfo).to_string(),
        }
    }
}

impl LinkShown<'_> {
    fn of(link: &Magnet) -> LinkShown<'_> {
        LinkShown {
            name: link.name.as_deref(),
            info_hash: link.info_hash.to_string(),
            bytes: link.total_bytes,
            trackers: &link.trackers,
            web_seeds: &link.web_seeds,
            peers: link.peers.iter().map(ToString::to_string).collect(),
            select: &link.select,
            warnings: &link.warnings,
        }
    }
}

/// Prints what a torrent says as JSON.
pub(super) fn show_torrent_json(screen: &mut Screen, metainfo: &Metainfo) -> Result<(), Failure> {
    show_json(screen, &TorrentShown::of(metainfo))
}

/// Prints a value as JSON, laid out for people.
pub(super) fn show_json(screen: &mut Screen, shown: &impl Serialize) -> Result<(), Failure> {
    let json = serde_json::to_string_pretty(shown)
        .map_err(|error| Failure::new(format!("cannot write JSON: {error}"), ""))?;
    screen.text(&(json + "\n"));
    Ok(())
}

fn show_torrent(
    screen: &mut Screen,
    metainfo: &Metainfo,
    file_bytes: usize,
) -> Result<(), Failure> {
    let layout = &metainfo.layout;
    let mut row = |label: &str, value: &str| screen.line(&format!("{label:<13}{value}"));
    row("name", &metainfo.name);
    row("info-hash", &metainfo.info_hash.to_string());
    row("size", &exact_size(layout.total_bytes()));
    row("pieces", &pieces(metainfo));
    row("private", if metainfo.private { "yes: peers come from its trackers only" } else { "no" });
    for (tier, urls) in metainfo.trackers.iter().enumerate() {
        let label = if tier == 0 { "trackers" } else { "" };
        row(label, &urls.join("  or  "));
    }
    if metainfo.trackers.is_empty() {
        row("trackers", "none");
    }
    for (number, url) in metainfo.web_seeds.iter().enumerate() {
        row(if number == 0 { "web seeds" } else { "" }, url);
    }
    if let Some(comment) = &metainfo.comment {
        row("comment", comment);
    }
    if let Some(created_by) = &metainfo.created_by {
        row("created by", created_by);
    }
    if let Some(secs) = metainfo.creation_date {
        row("created", &date(secs));
    }
    row(".torrent", &exact_size(u64::try_from(file_bytes).unwrap_or(u64::MAX)));
    for warning in &metainfo.warnings {
        row("warning", warning);
    }
    show_files(screen, metainfo);
    Ok(())
}

fn show_files(screen: &mut Screen, metainfo: &Metainfo) {
    let files: Vec<_> = metainfo.layout.files().iter().filter(|file| !file.pad).collect();
    screen.line(&format!("files        {}", files.len()));
    // A number is for those who pick some of several.
    let width = files.len().saturating_sub(1).to_string().len();
    for (number, file) in files.iter().enumerate() {
        let number = if files.len() > 1 { format!("{number:>width$} ") } else { String::new() };
        screen.line(&format!("  {number}{:>10}  {}", text::size(file.len), file.path.join("/")));
    }
}

fn show_link(screen: &mut Screen, link: &Magnet) -> Result<(), Failure> {
    let mut row = |label: &str, value: &str| screen.line(&format!("{label:<13}{value}"));
    row("name", link.name.as_deref().unwrap_or("not said"));
    row("info-hash", &link.info_hash.to_string());
    if let Some(bytes) = link.total_bytes {
        row("size", &exact_size(bytes));
    }
    let peers: Vec<_> = link.peers.iter().map(ToString::to_string).collect();
    let lists = [
        ("trackers", &link.trackers),
        ("web seeds", &link.web_seeds),
        ("peers", &peers),
        ("warnings", &link.warnings),
    ];
    for (label, list) in lists {
        for (at, value) in list.iter().enumerate() {
            row(if at == 0 { label } else { "" }, value);
        }
    }
    Ok(())
}

/// `16 of 256.0 KiB each (262144 bytes)`.
fn pieces(metainfo: &Metainfo) -> String {
    let layout = &metainfo.layout;
    let whole = text::size(u64::from(layout.piece_bytes()));
    format!("{} of {whole} each ({} bytes)", layout.piece_count(), layout.piece_bytes())
}

/// `1.2 MiB (1258291 bytes)`.
pub(super) fn exact_size(bytes: u64) -> String {
    match bytes {
        0..1024 => text::size(bytes),
        _ => format!("{} ({bytes} bytes)", text::size(bytes)),
    }
}

/// Seconds since 1970 as a date of the proleptic Gregorian calendar, in UTC.
///
/// Source: the days-to-civil algorithm on eras of 400 years, each of 146,097 days, with years
/// that begin in March, so that the leap day comes last.
pub(super) fn date(secs: i64) -> String {
    let (days, of_day) = (secs.div_euclid(86_400), secs.rem_euclid(86_400));
    let since_march_0000 = days.saturating_add(719_468);
    let era = since_march_0000.div_euclid(146_097);
    let day_of_era = since_march_0000.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute) = (of_day / 3600, of_day / 60 % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}
