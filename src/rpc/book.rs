//! The book: what a daemon remembers of each torrent, beyond what lies on disk.
//!
//! ```text
//!  STATE/
//!  ├── session.json                     the wishes that concern all torrents, totals
//!  └── torrents/
//!      ├── 0123…cdef.magnet             the link, while no more is known
//!      ├── 0123…cdef.torrent            a copy of the file, as it came
//!      └── 0123…cdef.json               this page of the book
//! ```
//! A page is written anew whenever a person changed it, when the torrent is stopped or complete,
//! and now and then for its totals. Each file is replaced as a whole or not at all, so after any
//! crash the book says what it said before or after the last change.
//!
//! # Why
//! JSON, because a person may want to read it, and another version of this program must: what it
//! does not know it leaves out, what is missing has its default.

use crate::base::Shelf;
use std::path::PathBuf;

use serde::Serialize;

use crate::base::{InfoHash, Set, Span, Time, TorrentId};
use crate::engine::Phase;
use crate::format::json::{Fields, Record};
use crate::torrent::selection::{Choice, Wishes};

/// What is remembered of one torrent.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Page {
    /// The directory that holds its files, absolute.
    pub dir: PathBuf,
    pub paused: bool,
    /// It rests because it gave what it should.
    pub finished: bool,
    /// Where it stands in the queue.
    pub position: u64,
    /// Seconds since 1970; 0 for never.
    pub added: i64,
    pub done: i64,
    pub active: i64,
    /// Payload in all runs before this one, and bytes that came and were wrong.
    pub uploaded: u64,
    pub downloaded: u64,
    pub corrupt: u64,
    pub downloading_secs: u64,
    pub seeding_secs: u64,
    /// Trackers, if a person changed them.
    pub trackers: Option<Vec<Vec<String>>>,
    pub peers_max: Option<u32>,
    pub labels: Vec<String>,
    pub group: String,
    /// Rates in kB/s, and goals.
    pub priority: i8,
    pub download_limit: u32,
    pub download_limited: bool,
    pub upload_limit: u32,
    pub upload_limited: bool,
    pub honors_session_limits: bool,
    pub seed_idle_minutes: u32,
    pub seed_idle_mode: u8,
    pub seed_ratio: f64,
    pub seed_ratio_mode: u8,
    /// By number of the file.
    pub unwanted: Set<u32>,
    pub high: Set<u32>,
    pub low: Set<u32>,
    /// In the order of the pieces.
    pub sequential: bool,
}

impl Record for Page {
    fn read(fields: &mut Fields<'_>) -> Page {
        let usual = Page::default();
        Page {
            dir: PathBuf::from(fields.get::<String>("dir")),
            paused: fields.get("paused"),
            finished: fields.get("finished"),
            position: fields.get_or("position", usual.position),
            added: fields.get("added"),
            done: fields.get("done"),
            active: fields.get("active"),
            uploaded: fields.get("uploaded"),
            downloaded: fields.get("downloaded"),
            corrupt: fields.get("corrupt"),
            downloading_secs: fields.get("downloading_secs"),
            seeding_secs: fields.get("seeding_secs"),
            trackers: fields.get("trackers"),
            peers_max: fields.get("peers_max"),
            labels: fields.get("labels"),
            group: fields.get("group"),
            priority: fields.get("priority"),
            download_limit: fields.get_or("download_limit", usual.download_limit),
            download_limited: fields.get("download_limited"),
            upload_limit: fields.get_or("upload_limit", usual.upload_limit),
            upload_limited: fields.get("upload_limited"),
            honors_session_limits: fields
                .get_or("honors_session_limits", usual.honors_session_limits),
            seed_idle_minutes: fields.get_or("seed_idle_minutes", usual.seed_idle_minutes),
            seed_idle_mode: fields.get("seed_idle_mode"),
            seed_ratio: fields.get_or("seed_ratio", usual.seed_ratio),
            seed_ratio_mode: fields.get("seed_ratio_mode"),
            unwanted: fields.get("unwanted"),
            high: fields.get("high"),
            low: fields.get("low"),
            sequential: fields.get("sequential"),
        }
    }
}

/// What concerns all torrents.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct Session {
    /// What a person set, by the names that remote controls use.
    pub wishes: serde_json::Map<String, serde_json::Value>,
    /// What holds where nothing was set, beyond what is usual with everybody.
    #[serde(skip)]
    pub usual: serde_json::Map<String, serde_json::Value>,
    /// In all runs before this one.
    pub uploaded: u64,
    pub downloaded: u64,
    pub added: u64,
    pub active_secs: u64,
    pub runs: u64,
    /// Torrents that were removed although their files may still lie where we look for some.
    pub removed: Set<String>,
}

impl Record for Session {
    fn read(fields: &mut Fields<'_>) -> Session {
        Session {
            wishes: fields.get("wishes"),
            usual: serde_json::Map::new(),
            uploaded: fields.get("uploaded"),
            downloaded: fields.get("downloaded"),
            added: fields.get("added"),
            active_secs: fields.get("active_secs"),
            runs: fields.get("runs"),
            removed: fields.get("removed"),
        }
    }
}

/// A torrent of this run.
#[derive(Clone, PartialEq, Debug)]
pub struct Entry {
    pub info_hash: InfoHash,
    pub page: Page,
    pub started: Time,
    /// Payload of this run, as of the last look.
    pub uploaded: u64,
    pub downloaded: u64,
    /// When something of it was last seen to change, and when payload last moved.
    pub changed: Time,
    pub moved: Option<Time>,
    /// What it looked like then.
    seen: Option<Seen>,
    looked: Time,
    /// Milliseconds that make no whole second yet.
    odd_millis: u64,
    /// It differs from what was written.
    pub is_dirty: bool,
}

/// What tells whether a torrent has changed.
#[derive(Clone, PartialEq, Debug)]
pub struct Seen {
    pub phase: Phase,
    pub have_bytes: u64,
    pub peers: usize,
    pub uploaded: u64,
    pub downloaded: u64,
}

/// All torrents of this run.
pub type Book = Shelf<TorrentId, Entry>;

impl Default for Page {
    fn default() -> Page {
        Page {
            dir: PathBuf::new(),
            paused: false,
            finished: false,
            position: u64::MAX,
            added: 0,
            done: 0,
            active: 0,
            uploaded: 0,
            downloaded: 0,
            corrupt: 0,
            downloading_secs: 0,
            seeding_secs: 0,
            trackers: None,
            peers_max: None,
            labels: Vec::new(),
            group: String::new(),
            priority: 0,
            download_limit: 100,
            download_limited: false,
            upload_limit: 100,
            upload_limited: false,
            honors_session_limits: true,
            seed_idle_minutes: 30,
            seed_idle_mode: 0,
            seed_ratio: 2.0,
            seed_ratio_mode: 0,
            unwanted: Set::new(),
            high: Set::new(),
            low: Set::new(),
            sequential: false,
        }
    }
}

impl Entry {
    pub fn new(now: Time, info_hash: InfoHash, page: Page) -> Entry {
        Entry {
            info_hash,
            page,
            started: now,
            uploaded: 0,
            downloaded: 0,
            changed: now,
            moved: None,
            seen: None,
            looked: now,
            odd_millis: 0,
            is_dirty: false,
        }
    }

    /// Takes note of how the torrent is now; time since the last look counts as spent in the way
    /// in which it was spent then. Unix seconds are `unix`.
    pub fn look(&mut self, now: Time, unix: i64, seen: Seen) {
        self.spend(now.since(self.looked));
        self.looked = now;
        if self.seen.as_ref() == Some(&seen) {
            return;
        }
        if (seen.uploaded, seen.downloaded) != (self.uploaded, self.downloaded) {
            (self.uploaded, self.downloaded) = (seen.uploaded, seen.downloaded);
            self.moved = Some(now);
            self.page.active = unix;
            self.is_dirty = true;
        }
        self.changed = now;
        self.seen = Some(seen);
    }

    /// The page as it is to be written: with the payload of this run.
    pub fn written(&self) -> Vec<u8> {
        let mut page = self.page.clone();
        page.uploaded = self.uploaded_ever();
        page.downloaded = self.downloaded_ever();
        serde_json::to_vec_pretty(&page).expect("a page has string keys and finite numbers")
    }

    pub fn uploaded_ever(&self) -> u64 {
        self.page.uploaded.saturating_add(self.uploaded)
    }

    pub fn downloaded_ever(&self) -> u64 {
        self.page.downloaded.saturating_add(self.downloaded)
    }

    fn spend(&mut self, span: Span) {
        let millis = self.odd_millis + span.as_millis();
        let secs = millis / 1000;
        match self.seen.as_ref().map(|seen| &seen.phase) {
            Some(Phase::Downloading) => self.page.downloading_secs += secs,
            Some(Phase::Seeding) => self.page.seeding_secs += secs,
            Some(
                Phase::Seeking { .. }
                | Phase::Checking { .. }
                | Phase::Troubled(_)
                | Phase::Waiting
                | Phase::Stopping
                | Phase::Stopped,
            )
            | None => return self.odd_millis = 0,
        }
        self.odd_millis = millis % 1000;
    }
}

impl Session {
    /// The command line says so: what was remembered of it is void.
    pub fn set_usual(&mut self, usual: serde_json::Map<String, serde_json::Value>) {
        self.wishes.retain(|key, _| !usual.contains_key(key));
        self.usual = usual;
    }
}

impl Page {
    /// Whether a person wants file number `file`.
    pub fn wants(&self, file: u32) -> bool {
        !self.unwanted.contains(&file)
    }

    /// What is wanted of it, as an engine takes it.
    pub fn choices(&self) -> Wishes {
        let named = self.unwanted.iter().chain(&self.high).chain(&self.low);
        let files = named.max().map_or(0, |last| last + 1);
        let choice = |file| match (self.wants(file), self.priority_of(file)) {
            (false, _) => Choice::Skip,
            (true, 1) => Choice::High,
            (true, -1) => Choice::Low,
            (true, _) => Choice::Normal,
        };
        Wishes { files: (0..files).map(choice).collect(), sequential: self.sequential }
    }

    /// -1, 0 or 1.
    pub fn priority_of(&self, file: u32) -> i8 {
        match (self.high.contains(&file), self.low.contains(&file)) {
            (true, _) => 1,
            (false, true) => -1,
            (false, false) => 0,
        }
    }
}

/// Where a torrent's copy and its page lie, below the state directory.
pub fn paths(info_hash: InfoHash) -> [[String; 2]; 2] {
    let path = |ending| [TORRENTS_DIR.to_string(), format!("{info_hash}.{ending}")];
    [path("torrent"), path("json")]
}

/// Where a magnet link lies whose torrent is not known yet.
pub fn link_path(info_hash: InfoHash) -> [String; 2] {
    [TORRENTS_DIR.to_string(), format!("{info_hash}.magnet")]
}

/// The directory of copies and pages, and the file of the session, below the state directory.
pub const TORRENTS_DIR: &str = "torrents";
pub const SESSION_FILE: &str = "session.json";
