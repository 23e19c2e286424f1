//! `swarmlet show`: all that a daemon knows of its torrents, short of peers and pieces.

use serde::Serialize;
use serde_json::json;

use super::status::State;
use super::table::{ratio, share, whole_percent};
use super::{Remote, seconds, unless_negative};
use crate::base::Span;
use crate::command::events::Line;
use crate::command::info::{date, exact_size};
use crate::command::progress::counted;
use crate::command::{Arguments, Command, Failure, Screen, info};
use crate::format::json::{Fields, Record};
use crate::format::text;

const USAGE: &str = concat!(
    "\
show the torrents of a daemon with their details

usage: swarmlet show [options] [ID...]

Shows of every torrent, or of those that are named, what it is, where it lies, how it is doing, what
it gave and got in all runs, and what its trackers say. Into a pipe or a file it prints one line for
each torrent, and one for each of its trackers:
torrent id= name= info_hash= state= bytes= left= dir= uploaded= downloaded= wasted= private=
tracker id= url= ok= said= seeds= leechers=

",
    "{ids}\n",
    "\noptions:\n",
    "{json}\n{daemon}\n",
    "\nexample:\n  swarmlet show holiday\n"
);

pub const COMMAND: Command = Command {
    name: "show",
    summary: "show the torrents of a daemon with their details",
    usage: USAGE,
    runs_node: false,
    run,
};

/// A torrent, in detail.
#[derive(Clone, Debug, Serialize)]
struct Shown {
    id: u64,
    name: String,
    info_hash: String,
    state: State,
    trouble: String,
    bytes: u64,
    left_bytes: u64,
    /// How much of its metadata is here: less than 1 only of a link.
    metadata: f64,
    offered_bytes: u64,
    dir: String,
    private: bool,
    comment: String,
    pieces: u64,
    piece_bytes: u64,
    files: usize,
    /// Of all runs.
    uploaded: u64,
    downloaded: u64,
    wasted: u64,
    ratio: Option<f64>,
    rate_down: u64,
    rate_up: u64,
    seconds_left: Option<u64>,
    peers: usize,
    peers_giving: u64,
    peers_taking: u64,
    /// Seconds since 1970; 0 for never.
    added: i64,
    done: i64,
    trackers: Vec<Tracker>,
}

impl Record for Shown {
    fn read(fields: &mut Fields<'_>) -> Shown {
        Shown {
            id: fields.get("id"),
            name: fields.clean("name"),
            info_hash: fields.get("hashString"),
            state: State::from(fields.get::<u8>("status")),
            trouble: fields.clean("errorString"),
            bytes: fields.get("totalSize"),
            left_bytes: fields.get("leftUntilDone"),
            metadata: fields.get_or("metadataPercentComplete", 1.0),
            offered_bytes: fields.get("desiredAvailable"),
            dir: fields.clean("downloadDir"),
            private: fields.get("isPrivate"),
            comment: fields.clean("comment"),
            pieces: fields.get("pieceCount"),
            piece_bytes: fields.get("pieceSize"),
            files: fields.get("file-count"),
            uploaded: fields.get("uploadedEver"),
            downloaded: fields.get("downloadedEver"),
            wasted: fields.get("corruptEver"),
            ratio: unless_negative(fields.get("uploadRatio")),
            rate_down: fields.get("rateDownload"),
            rate_up: fields.get("rateUpload"),
            seconds_left: seconds(fields.get("eta")),
            peers: fields.get("peersConnected"),
            peers_giving: fields.get("peersSendingToUs"),
            peers_taking: fields.get("peersGettingFromUs"),
            added: fields.get("addedDate"),
            done: fields.get("doneDate"),
            trackers: fields.get("trackerStats"),
        }
    }
}

/// What a tracker said last.
#[derive(Clone, Debug, Serialize)]
struct Tracker {
    url: String,
    was_asked: bool,
    ok: bool,
    said: String,
    peers: usize,
    /// -1: it did not say.
    seeds: i64,
    leechers: i64,
}

impl Record for Tracker {
    fn read(fields: &mut Fields<'_>) -> Tracker {
        Tracker {
            url: fields.clean("announce"),
            was_asked: fields.get("hasAnnounced"),
            ok: fields.get("lastAnnounceSucceeded"),
            said: fields.clean("lastAnnounceResult"),
            peers: fields.get("lastAnnouncePeerCount"),
            seeds: fields.get("seederCount"),
            leechers: fields.get("leecherCount"),
        }
    }
}

fn run(arguments: &Arguments, screen: &mut Screen) -> Result<(), Failure> {
    let words = arguments.words()?;
    let mut remote = Remote::of(arguments)?;
    let shown: Vec<Shown> = match &words[..] {
        [] => remote.all()?,
        named => {
            let which = remote.choose(named)?;
            remote.each(&which)?
        }
    };
    if arguments.has("json") {
        return info::show_json(screen, &json!({ "torrents": shown }));
    }
    for (at, torrent) in shown.iter().enumerate() {
        if !screen.is_terminal() {
            plain(torrent).iter().for_each(|line| screen.line(line));
            continue;
        }
        if at > 0 {
            screen.line("");
        }
        for (label, value) in spoken(torrent) {
            screen.line(&format!("{label:<11}{value}"));
        }
    }
    if shown.is_empty() && screen.is_terminal() {
        screen.line("no torrents yet; 'swarmlet add' and 'swarmlet seed' bring some");
    }
    Ok(())
}

fn spoken(torrent: &Shown) -> Vec<(&'static str, String)> {
    let mut rows = vec![
        ("name", format!("{} ({})", torrent.name, torrent.id)),
        ("info-hash", torrent.info_hash.clone()),
        ("state", state(torrent)),
    ];
    rows.extend(what_is_in_it(torrent));
    rows.push(("traffic", traffic(torrent)));
    let Shown { peers, peers_giving, peers_taking, .. } = torrent;
    let words = format!("{peers} connected, {peers_giving} giving, {peers_taking} taking");
    rows.push(("peers", words));
    for (at, tracker) in torrent.trackers.iter().enumerate() {
        let label = if at == 0 { "trackers" } else { "" };
        rows.push((label, format!("{}: {}", tracker.url, tracker.words())));
    }
    if torrent.added > 0 {
        rows.push(("added", date(torrent.added)));
    }
    if torrent.done > 0 {
        rows.push(("complete", date(torrent.done)));
    }
    if !torrent.comment.is_empty() {
        rows.push(("comment", torrent.comment.clone()));
    }
    rows
}

/// What it consists of, and how much of that is here.
fn what_is_in_it(torrent: &Shown) -> Vec<(&'static str, String)> {
    if torrent.metadata < 1.0 {
        let percent = whole_percent(torrent.metadata);
        let here = format!("{percent} of the metadata; the files will be in {}", torrent.dir);
        return vec![("here", here)];
    }
    let have = torrent.bytes.saturating_sub(torrent.left_bytes);
    let pieces = format!(
        "{} of {}, in {}{}",
        torrent.pieces,
        text::size(torrent.piece_bytes),
        counted(torrent.files, "file"),
        if torrent.private { "; private" } else { "" }
    );
    vec![
        ("size", exact_size(torrent.bytes)),
        ("here", format!("{} in {}", share(have, torrent.bytes), torrent.dir)),
        ("pieces", pieces),
    ]
}

fn state(torrent: &Shown) -> String {
    let mut state = torrent.state.word().to_owned();
    if torrent.state == State::Downloading {
        let left = torrent.seconds_left.map(|left| text::duration(Span::from_secs(left)));
        let offered = torrent.offered_bytes.min(torrent.left_bytes);
        state += &match left {
            Some(left) => format!(", {left} left"),
            None if offered < torrent.left_bytes => {
                let missing = torrent.left_bytes - offered;
                format!("; nobody who is connected has the last {}", text::size(missing))
            }
            None => String::new(),
        };
    }
    if !torrent.trouble.is_empty() {
        state += &format!("; {}", torrent.trouble);
    }
    state
}

fn traffic(torrent: &Shown) -> String {
    let mut words = format!(
        "down {} ({}/s), up {} ({}/s), ratio {}",
        text::size(torrent.downloaded),
        text::size(torrent.rate_down),
        text::size(torrent.uploaded),
        text::size(torrent.rate_up),
        ratio(torrent.ratio),
    );
    if torrent.wasted > 0 {
        words += &format!("; {} came damaged", text::size(torrent.wasted));
    }
    words
}

fn plain(torrent: &Shown) -> Vec<String> {
    let line = Line::new("torrent")
        .with("id", torrent.id)
        .with("name", &torrent.name)
        .with("info_hash", &torrent.info_hash)
        .with("state", torrent.state.word())
        .with("bytes", torrent.bytes)
        .with("left", torrent.left_bytes)
        .with("dir", &torrent.dir)
        .with("uploaded", torrent.uploaded)
        .with("downloaded", torrent.downloaded)
        .with("wasted", torrent.wasted)
        .with("private", torrent.private);
    let tracker = |tracker: &Tracker| {
        Line::new("tracker")
            .with("id", torrent.id)
            .with("url", &tracker.url)
            .with("ok", tracker.ok)
            .with("said", &tracker.said)
            .with("seeds", tracker.seeds)
            .with("leechers", tracker.leechers)
            .into_string()
    };
    let trackers = torrent.trackers.iter().map(tracker);
    std::iter::once(line.into_string()).chain(trackers).collect()
}

impl Tracker {
    fn words(&self) -> String {
        match (self.was_asked, self.ok) {
            (false, _) => "not asked yet".to_owned(),
            (true, false) => format!("failed: {}", self.said),
            (true, true) => match (usize::try_from(self.seeds), self.leechers) {
                (Ok(seeds), leechers @ 0..) => {
                    format!("ok, {}, {leechers} getting", counted(seeds, "seed"))
                }
                _ => format!("ok, {}", counted(self.peers, "peer")),
            },
        }
    }
}
