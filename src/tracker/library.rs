//! Library: the .torrent files that peers published, as far as a tracker must know them by heart.
//!
//! ```text
//!  POST ─▶ may_publish ─▶ Work::Judge ─▶ has_room ─▶ Work::Store ─▶ keep ─▶ listed, fetched
//!              └ too many      └ malformed    └ full, or there already
//! ```
//!
//! The files themselves lie on the disk, under their info-hash; in here is what a list or a search
//! needs: a name, some numbers, and the words to be found by. A torrent is listed once its file
//! is safe. The first .torrent of an info-hash stays: nobody can put other trackers into what
//! somebody else published.
//!
//! A private torrent (BEP 27) is taken, so that a tracker that serves published torrents only can
//! serve it. But it is never listed, found or given out, for its announce URL may hold somebody's
//! passkey; asking for it is answered as if it were not there.
//!
//! # Limits
//! `Rules`; `SEARCH_TEXT_BYTES_MAX` of each torrent's names. A search looks at them all, one after
//! the other: with ten thousand torrents that is five megabytes, some milliseconds. A library that
//! grows beyond that wants an index.

use crate::base::Shelf;
use std::net::IpAddr;

use crate::base::limits::{
    LIBRARY_TORRENTS_MAX, PUBLISHED_BYTES_MAX, PUBLISHED_PER_HOUR_MAX, PUBLISHERS_MAX,
    SEARCH_QUERY_BYTES_MAX, SEARCH_TEXT_BYTES_MAX, SEARCH_WORDS_MAX,
};
use crate::base::{InfoHash, Span, Time};
use crate::format::Malformed;
use crate::format::metainfo::Metainfo;

/// What may be published here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rules {
    pub torrents_max: usize,
    /// Longest .torrent.
    pub torrent_bytes_max: usize,
    /// How many each address may send within an hour, good or bad.
    pub per_hour_max: u32,
}

/// All published torrents.
#[derive(Debug)]
pub struct Library {
    rules: Rules,
    entries: Shelf<InfoHash, Entry>,
    /// In the order in which they came.
    by_age: Shelf<u64, InfoHash>,
    next_number: u64,
    /// Torrents on their way to the disk.
    coming: usize,
    publishers: Publishers,
}

/// What is known by heart of one torrent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    pub name: String,
    pub bytes: u64,
    pub files: u64,
    pub pieces: u32,
    pub piece_bytes: u32,
    pub private: bool,
    /// Length of the .torrent.
    pub torrent_bytes: usize,
    /// What a search looks at: names in lower case, a line each.
    words: Box<str>,
}

/// Why a .torrent is not taken.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unwelcome {
    /// This address, or too many addresses together, published too much within the hour.
    TooMany,
    /// There is no place for one more torrent.
    Full,
    Malformed(Malformed),
}

/// Work that must be done before a request is answered, and that may take longer than a turn.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Errand {
    pub work: Work,
    /// Whether the connection lives on after the answer.
    pub(super) keep_alive: bool,
    /// Whether all but the body of the answer was asked for.
    pub(super) is_head: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Work {
    /// Read this .torrent (`Entry::read`): one of a mebibyte may name forty thousand files.
    Judge { torrent: Vec<u8> },
    /// Keep it, so that neither a crash nor a power cut loses it.
    Store { info_hash: InfoHash, torrent: Vec<u8>, entry: Entry },
    /// Bring it back.
    Load { info_hash: InfoHash },
}

/// What became of an errand.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kept {
    /// What the .torrent says, and by which info-hash it is known.
    Judged(Result<(InfoHash, Entry), Malformed>),
    Stored,
    Loaded(Vec<u8>),
    /// The file is not there any more.
    Missing,
    /// The disk is full, or failed, or too busy.
    Failed,
}

impl Library {
    pub fn new(rules: Rules) -> Library {
        Library {
            rules,
            entries: Shelf::new(),
            by_age: Shelf::new(),
            next_number: 1,
            coming: 0,
            publishers: Publishers::default(),
        }
    }

    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// How many torrents there are, the private ones among them.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn get(&self, hash: InfoHash) -> Option<&Entry> {
        self.entries.get(&hash)
    }

    /// The same, unless it is private.
    pub fn get_public(&self, hash: InfoHash) -> Option<&Entry> {
        self.get(hash).filter(|entry| !entry.private)
    }

    /// Whether somebody at `from` may send a .torrent at the moment.
    pub fn may_publish(&self, now: Time, from: IpAddr) -> Result<(), Unwelcome> {
        if self.publishers.count(now, from) >= self.rules.per_hour_max {
            return Err(Unwelcome::TooMany);
        }
        Ok(())
    }

    /// Somebody sent a .torrent, which is counted whatever becomes of it.
    pub(super) fn count_publisher(&mut self, now: Time, from: IpAddr) {
        self.publishers.add(now, from);
    }

    /// Whether there is room for one more torrent.
    pub(super) fn has_room(&self) -> bool {
        self.entries.len() + self.coming < self.rules.torrents_max
    }

    /// A torrent is on its way to the disk: a place is kept for it.
    pub(super) fn expect(&mut self) {
        self.coming += 1;
    }

    /// It has arrived there, or not: then `entry` is `None`.
    pub(super) fn arrived(&mut self, hash: InfoHash, entry: Option<Entry>) {
        self.coming -= 1;
        if let Some(entry) = entry {
            self.keep(hash, entry);
        }
    }

    /// Lists a torrent whose file is safe, as the newest. One that is listed stays as it is.
    /// Returns whether there was room for it.
    pub fn keep(&mut self, hash: InfoHash, entry: Entry) -> bool {
        if self.entries.contains_key(&hash) {
            return true;
        }
        if !self.has_room() {
            return false;
        }
        self.entries.insert(hash, entry);
        self.by_age.insert(self.next_number, hash);
        self.next_number += 1;
        true
    }

    /// Its file is gone.
    pub fn forget(&mut self, hash: InfoHash) {
        if self.entries.remove(&hash).is_some() {
            self.by_age.retain(|_, other| *other != hash);
        }
    }

    /// Public torrents that fit `search`, the newest first, each with its number.
    ///
    /// `before`: only those with smaller numbers. Lazy: it looks no further than it is asked.
    pub fn find<'l>(
        &'l self,
        search: &'l Search,
        before: Option<u64>,
    ) -> impl Iterator<Item = (u64, InfoHash, &'l Entry)> {
        self.by_age
            .before(before.unwrap_or(u64::MAX))
            .rev()
            .filter_map(|(number, hash)| Some((*number, *hash, self.get_public(*hash)?)))
            .filter(|(_, _, entry)| search.fits(entry))
    }

    /// Asserts that the two orders tell of the same torrents.
    pub fn check(&self) {
        assert_eq!(self.entries.len(), self.by_age.len());
        assert!(self.by_age.values().all(|hash| self.entries.contains_key(hash)));
        assert!(self.by_age.keys().all(|number| *number < self.next_number));
        assert!(self.entries.len() + self.coming <= self.rules.torrents_max);
    }
}

impl Entry {
    /// Reads a .torrent. Malformed: it is none that can be used.
    pub fn read(torrent: &[u8]) -> Result<(InfoHash, Entry), Malformed> {
        let metainfo = Metainfo::parse(torrent)?;
        Ok((metainfo.info_hash, Entry::of(&metainfo, torrent.len())))
    }

    fn of(metainfo: &Metainfo, torrent_bytes: usize) -> Entry {
        let layout = &metainfo.layout;
        let files = layout.files().iter().filter(|file| !file.pad);
        let mut words = String::new();
        let names = files.clone().map(|file| file.path.get(1..).unwrap_or_default().join("/"));
        for name in std::iter::once(metainfo.name.clone()).chain(names) {
            let room = SEARCH_TEXT_BYTES_MAX - words.len();
            if room == 0 {
                break;
            }
            let name = name.to_lowercase();
            words.push_str(beginning(&name, room - 1));
            words.push('\n');
        }
        Entry {
            name: metainfo.name.clone(),
            bytes: layout.total_bytes(),
            files: files.count() as u64,
            pieces: layout.piece_count(),
            piece_bytes: layout.piece_bytes(),
            private: metainfo.private,
            torrent_bytes,
            words: words.into(),
        }
    }
}

/// Words that must all occur in a torrent's names, whatever their case.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Search {
    words: Vec<String>,
}

impl Search {
    /// Without words it fits everything. What is beyond the limits is not looked at.
    pub fn new(query: &str) -> Search {
        let query = beginning(query, SEARCH_QUERY_BYTES_MAX);
        let words = query.split_whitespace().take(SEARCH_WORDS_MAX);
        Search { words: words.map(str::to_lowercase).collect() }
    }

    fn fits(&self, entry: &Entry) -> bool {
        self.words.iter().all(|word| entry.words.contains(word))
    }
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            torrents_max: LIBRARY_TORRENTS_MAX,
            torrent_bytes_max: PUBLISHED_BYTES_MAX,
            per_hour_max: PUBLISHED_PER_HOUR_MAX,
        }
    }
}

/// Who published how much within the present hour. All is forgotten with the hour, so that
/// nothing has to be swept.
#[derive(Debug, Default)]
struct Publishers {
    began: Time,
    counts: Shelf<[u8; 8], u32>,
}

impl Publishers {
    fn count(&self, now: Time, from: IpAddr) -> u32 {
        if now.since(self.began) >= HOUR {
            return 0;
        }
        let none = if self.counts.len() >= PUBLISHERS_MAX { u32::MAX } else { 0 };
        self.counts.get(&network(from)).copied().unwrap_or(none)
    }

    fn add(&mut self, now: Time, from: IpAddr) {
        if now.since(self.began) >= HOUR {
            self.counts.clear();
            self.began = now;
        }
        *self.counts.get_or_insert_with(network(from), || 0) += 1;
    }
}

/// At most so many bytes of a text, whole characters.
fn beginning(text: &str, bytes_max: usize) -> &str {
    let end = (0..=bytes_max.min(text.len())).rev().find(|&end| text.is_char_boundary(end));
    &text[..end.unwrap_or(0)]
}

/// What stands for one publisher: an IPv4 address, or the 64 bits that an IPv6 household has.
fn network(from: IpAddr) -> [u8; 8] {
    let mut network = [0; 8];
    match from.to_canonical() {
        IpAddr::V4(ip) => network[4..].copy_from_slice(&ip.octets()),
        IpAddr::V6(ip) => network.copy_from_slice(&ip.octets()[..8]),
    }
    network
}

const HOUR: Span = Span::from_secs(3_600);
