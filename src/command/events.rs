//! Events: what a running node says, for scripts and for people.
//!
//! Into a pipe or a file every event is one line: a word, then `key=value` pairs. `HELP` below is
//! their list and the promise that scripts rely on; keys may be added, never change their meaning.
//! On a terminal the same events become sentences, and those that tell nothing new are left out.
//!
//! ```text
//!  complete name="Big Buck Bunny" bytes=276134947 seconds=24.310 info_hash=dd82…
//!  └ word ┘ └─ key=value, quoted where a blank or an odd character would confuse ─┘
//! ```
//!
//! # Why
//! One word per kind at the start of the line lets `grep '^complete '` do; quoting as JSON does
//! lets every language read the rest.

use std::collections::HashMap;
use std::fmt::Display;

use super::level::Level;
use super::progress::{average, counted, per_cent};
use super::screen::{self, Screen};
use crate::base::{Span, TorrentId};
use crate::engine::{Event, Status};
use crate::format::metainfo::Metainfo;
use crate::format::text;

/// Printed at the end of the help of every command that runs a node.
pub const HELP: &str = r#"
output:
  On a terminal: sentences, and a progress line. Otherwise one line per event:
    made file= name= info_hash= bytes= pieces= piece_bytes=
    reused file= … (the same)                         (share) the torrent of a PATH
    torrent name= info_hash= bytes= pieces= dir=      taken on
    ready listen= torrents= rpc=                      serves peers (and remote controls) now
    ready http= announce=                             (tracker) serves announces
    checked name= have= bytes=                        this much was there already
    progress name= percent= have= bytes= peers= down= up=
                                                      at every tenth of a download
    complete name= bytes= seconds= info_hash=         whole and verified
    tracker-ok name= url= peers=                      a tracker accepted us
    tracker-failed name= url= reason= retry=          did not; asked again in so many seconds
    piece-failed name= piece=                         wrong hash; it is fetched again
    banned name= peer=                                proved to send bad data
    disk-trouble name= reason= retry=                 stands still; tried again in … seconds
    disk-recovered name=                              goes on
    tracker-trouble what= reason=                     (tracker) its own files are not written
    stopping longest_turn_ms=                         asked to stop; says good-bye
    stopped name=                                     good-byes said, state saved
    state-trouble reason=                             a restart will not know of the last change
    added name=                                       taken on by remote control
    removed name= left=                               gone; left: why files of it are still there
    told peer= what=                                  (--log-level debug) about a peer, and why
  Sizes are in bytes, rates in bytes per second. A value made of letters, digits and
  - _ . , : / + @ % & = ? ~ [ ] stands bare; any other is a JSON string: "so called".
"#;

/// One line for scripts, pair by pair.
pub struct Line(String);

impl Line {
    pub fn new(word: &str) -> Line {
        Line(word.to_string())
    }

    /// Adds a pair; the value is cleaned, and quoted if need be.
    pub fn with(mut self, key: &str, value: impl Display) -> Line {
        self.add(key, &value);
        self
    }

    fn add(&mut self, key: &str, value: &dyn Display) {
        let value = screen::clean(&value.to_string());
        self.0.push(' ');
        self.0.push_str(key);
        self.0.push('=');
        match is_bare(&value) {
            true => self.0.push_str(&value),
            false => self.0.push_str(&serde_json::Value::String(value).to_string()),
        }
    }

    pub fn into_string(self) -> String {
        self.0
    }
}

/// Whether a value can stand without quotes.
fn is_bare(value: &str) -> bool {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.,:/+@%&=?~[]".contains(&byte);
    !value.is_empty() && value.bytes().all(bare)
}

/// Tells the news of a node on a screen.
pub struct Reporter {
    /// What each tracker of each torrent said last, so that a person hears only of changes.
    trackers: HashMap<(TorrentId, String), String>,
    /// The tenth of each torrent that was told last.
    tenths: HashMap<TorrentId, u64>,
}

impl Reporter {
    pub fn new() -> Reporter {
        Reporter { trackers: HashMap::new(), tenths: HashMap::new() }
    }

    /// One event of the torrent called `name`; `fetched`: bytes downloaded in this run.
    pub fn tell(&mut self, screen: &mut Screen, event: &Event, name: &str, fetched: u64) {
        let level = level(event);
        if !screen.shows(level) {
            return;
        }
        if !screen.is_terminal() {
            return screen.log(level, &plain(event, name));
        }
        if self.is_news(event)
            && let Some(sentence) = spoken(event, name, fetched)
        {
            screen.log(level, &sentence);
        }
    }

    /// The progress of a download, for scripts: at most ten lines each.
    pub fn progress(&mut self, screen: &mut Screen, torrent: TorrentId, status: &Status) {
        let tenth = per_cent(status.got_bytes(), status.wanted_bytes) / 10;
        // The last tenth is told by `complete`, the state at the start by `checked`.
        let told = self.tenths.insert(torrent, tenth);
        if screen.is_terminal() || told.is_none_or(|told| told >= tenth) || tenth == 10 {
            return;
        }
        let line = Line::new("progress")
            .with("name", &status.name)
            .with("percent", per_cent(status.got_bytes(), status.wanted_bytes))
            .with("have", status.got_bytes())
            .with("bytes", status.wanted_bytes)
            .with("peers", status.peers)
            .with("down", status.rate_down)
            .with("up", status.rate_up);
        screen.log(Level::Info, &line.into_string());
    }

    /// Whether a person has not heard this already.
    fn is_news(&mut self, event: &Event) -> bool {
        let (torrent, url, said) = match event {
            Event::TrackerOk { torrent, url, .. } => (torrent, url, ""),
            Event::TrackerFailed { torrent, url, reason, .. } => (torrent, url, reason.as_str()),
            Event::Learned { .. }
            | Event::Unusable { .. }
            | Event::Checked { .. }
            | Event::Complete { .. }
            | Event::PieceFailed { .. }
            | Event::Banned { .. }
            | Event::DiskTrouble { .. }
            | Event::DiskRecovered { .. }
            | Event::TrackerTrouble { .. }
            | Event::StateTrouble { .. }
            | Event::WatchTrouble { .. }
            | Event::HookTrouble { .. }
            | Event::Host { .. }
            | Event::Told { .. }
            | Event::Finished { .. }
            | Event::Stopped { .. }
            | Event::Added { .. }
            | Event::Removed { .. } => return true,
        };
        let before = self.trackers.insert((*torrent, url.clone()), said.to_string());
        before.as_deref() != Some(said)
    }
}

impl Default for Reporter {
    fn default() -> Reporter {
        Reporter::new()
    }
}

/// The line that introduces a torrent.
pub fn torrent(metainfo: &Metainfo, dir: &std::path::Path) -> String {
    Line::new("torrent")
        .with("name", &metainfo.name)
        .with("info_hash", metainfo.info_hash)
        .with("bytes", metainfo.layout.total_bytes())
        .with("pieces", metainfo.layout.piece_count())
        .with("dir", dir.display())
        .into_string()
}

/// How much an event matters.
fn level(event: &Event) -> Level {
    match event {
        Event::DiskTrouble { .. } | Event::TrackerTrouble { .. } | Event::StateTrouble { .. } => {
            Level::Error
        }
        Event::PieceFailed { .. }
        | Event::Banned { .. }
        | Event::TrackerFailed { .. }
        | Event::WatchTrouble { .. }
        | Event::HookTrouble { .. }
        | Event::Host { .. }
        | Event::Unusable { .. }
        | Event::Removed { fault: Some(_), .. } => Level::Warn,
        Event::Checked { .. }
        | Event::Complete { .. }
        | Event::DiskRecovered { .. }
        | Event::TrackerOk { .. }
        | Event::Learned { .. }
        | Event::Finished { .. }
        | Event::Stopped { .. }
        | Event::Added { .. }
        | Event::Removed { fault: None, .. } => Level::Info,
        Event::Told { .. } => Level::Debug,
    }
}

/// An event as a line for scripts.
fn plain(event: &Event, name: &str) -> String {
    let line = |word: &str| Line::new(word).with("name", name);
    let line = match event {
        Event::Checked { have_bytes, total_bytes, .. } => {
            line("checked").with("have", have_bytes).with("bytes", total_bytes)
        }
        Event::Complete { info_hash, bytes, took, .. } => line("complete")
            .with("bytes", bytes)
            .with("seconds", seconds(*took))
            .with("info_hash", info_hash),
        Event::PieceFailed { piece, .. } => line("piece-failed").with("piece", piece.get()),
        Event::Banned { addr, .. } => line("banned").with("peer", addr),
        Event::DiskTrouble { reason, retry, .. } => {
            line("disk-trouble").with("reason", reason).with("retry", retry.as_secs())
        }
        Event::DiskRecovered { .. } => line("disk-recovered"),
        Event::TrackerOk { url, peers, .. } => {
            line("tracker-ok").with("url", url).with("peers", peers)
        }
        Event::TrackerFailed { url, reason, retry, .. } => line("tracker-failed")
            .with("url", url)
            .with("reason", reason)
            .with("retry", retry.as_secs()),
        Event::TrackerTrouble { what, reason } => {
            Line::new("tracker-trouble").with("what", what).with("reason", reason)
        }
        Event::StateTrouble { reason } => Line::new("state-trouble").with("reason", reason),
        Event::WatchTrouble { file, reason } => {
            Line::new("watch-trouble").with("file", file).with("reason", reason)
        }
        Event::HookTrouble { name, reason } => {
            Line::new("hook-trouble").with("name", name).with("reason", reason)
        }
        Event::Host { what, news } => Line::new("host").with("what", what).with("news", news),
        Event::Learned { .. } => line("learned"),
        Event::Unusable { reason, .. } => line("unusable").with("reason", reason),
        Event::Told { peer, what } => Line::new("told").with("peer", peer).with("what", what),
        Event::Finished { .. } => line("finished"),
        Event::Stopped { .. } => line("stopped"),
        Event::Added { .. } => line("added"),
        Event::Removed { fault: None, .. } => line("removed"),
        Event::Removed { fault: Some(fault), .. } => line("removed").with("left", fault),
    };
    line.into_string()
}

/// An event as a sentence; `None` for what a person sees anyway.
fn spoken(event: &Event, name: &str, fetched: u64) -> Option<String> {
    Some(match event {
        Event::Checked { have_bytes: 0, .. } => {
            format!("{name}: checked, nothing of it is here yet")
        }
        Event::Checked { have_bytes, total_bytes, .. } if have_bytes == total_bytes => {
            format!("{name}: checked, all of {} is here", text::size(*total_bytes))
        }
        Event::Checked { have_bytes, total_bytes, .. } => format!(
            "{name}: checked, {} of {} is here",
            text::size(*have_bytes),
            text::size(*total_bytes)
        ),
        Event::Complete { downloaded: false, .. } => return None,
        Event::Complete { bytes, took, .. } => {
            let size = text::size(*bytes);
            let rate = text::size(average(fetched, *took));
            let took = took_words(*took);
            match fetched < *bytes {
                true => format!(
                    "{name}: complete and verified, {size}; the last {} in {took} ({rate}/s)",
                    text::size(fetched)
                ),
                false => format!("{name}: complete and verified, {size} in {took} ({rate}/s)"),
            }
        }
        Event::PieceFailed { piece, .. } => {
            format!("{name}: piece {} arrived damaged; fetching it again", piece.get())
        }
        Event::Banned { addr, .. } => format!("{name}: {addr} sent bad data and is banned"),
        Event::DiskTrouble { reason, retry, .. } => {
            format!("{name}: disk trouble: {reason}; trying again in {} s", retry.as_secs())
        }
        Event::DiskRecovered { .. } => format!("{name}: the disk works again; going on"),
        Event::TrackerOk { url, peers, .. } => {
            format!("{name}: tracker {url}: ok, {}", counted(*peers, "peer"))
        }
        Event::TrackerFailed { url, reason, retry, .. } => {
            format!("{name}: tracker {url}: {reason}; asking again in {}", text::duration(*retry))
        }
        Event::TrackerTrouble { what, reason } => {
            format!("the tracker cannot use {what}: {reason}")
        }
        Event::StateTrouble { reason } => {
            format!("a restart will not know of the last change: {reason}")
        }
        Event::WatchTrouble { file, reason } => format!("{}: {reason}", text::clean(file)),
        Event::HookTrouble { name, reason } => {
            format!("the program for {}: {reason}", text::clean(name))
        }
        Event::Host { what, news } => format!("{what}: {news}"),
        Event::Learned { .. } => return None,
        Event::Unusable { reason, .. } => {
            format!("{name}: what the link names is no torrent that can be used: {reason}")
        }
        Event::Told { peer, what } => format!("{peer}: {what}"),
        Event::Finished { .. } => format!("{name}: has given what it should; stopping"),
        Event::Stopped { .. } => return None,
        Event::Added { .. } => format!("{name}: added"),
        Event::Removed { fault: None, .. } => format!("{name}: removed"),
        Event::Removed { fault: Some(fault), .. } => {
            format!("{name}: removed, but some of its files are still there: {fault}")
        }
    })
}

/// How long something took; in tenths where whole seconds would say too little.
fn took_words(took: Span) -> String {
    match took.as_millis() {
        millis @ 0..10_000 => format!("{}.{}s", millis / 1000, millis % 1000 / 100),
        _ => text::duration(took),
    }
}

/// Seconds with three places.
fn seconds(span: Span) -> String {
    format!("{}.{:03}", span.as_secs(), span.as_millis() % 1000)
}
