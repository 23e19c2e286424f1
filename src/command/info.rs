//! `swarmlet info`: what a torrent or a magnet link says.

use std::path::Path;

use serde::Serialize;

use super::{Arguments, Command, Failure, Screen, files};
use crate::format::magnet::{LocalPeers, Magnet};
use crate::format::metainfo::Metainfo;
use crate::format::text;

const USAGE: &str = "\
show what a torrent or a magnet link says

usage: swarmlet info [options] (FILE or MAGNET)

Prints name, info-hash, size, pieces, trackers and files. A magnet link goes in quotes, for the
shell would take its '&' for something else.

options:
  --json            as one JSON object, with sizes in bytes
  -h, --help        this text

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
    if is_magnet(&path) {
        let link = magnet(&path)?;
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

/// Whether a word is a magnet link rather than the path of a file.
pub(super) fn is_magnet(path: &Path) -> bool {
    let start = path.as_os_str().as_encoded_bytes().get(.."magnet:".len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(b"magnet:"))
}

fn magnet(path: &Path) -> Result<Magnet, Failure> {
    let unusable = |why: &dyn std::fmt::Display| {
        let message = format!("the magnet link is not usable: {why}");
        Failure::new(message, "copy it anew, whole, and put it in quotes")
    };
    let text = path.to_str().ok_or_else(|| unusable(&"it is not UTF-8"))?;
    // Only shown, never dialled: local addresses may stay.
    Magnet::parse(text, LocalPeers::Keep).map_err(|malformed| unusable(&malformed))
}

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
