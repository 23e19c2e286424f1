//! Draft: a .torrent to be written, and changes to one that exists.
//!
//! Making a torrent means choosing everything inside `info`; from then on those bytes are the
//! torrent's identity. Changing one means exchanging what stands around them: `edit` copies
//! `info` byte for byte, odd as it may be, so the info-hash stays what it was.
//!
//! # Spec
//! BEP 3, "metainfo files"; BEP 12, `announce-list`; BEP 27, `private`.

use super::bencode::{Dict, Strictness, Writer};
use super::layout::{File, Layout};
use super::{Malformed, text};
use crate::base::Shelf;
use crate::base::limits::TORRENT_FILE_BYTES_MAX;

/// All that goes into a new .torrent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Draft {
    /// Its paths begin with the torrent's name. A single path of one component makes a
    /// single-file torrent.
    pub layout: Layout,
    /// One per piece.
    pub piece_hashes: Vec<[u8; 20]>,
    pub private: bool,
    /// Tiers of announce URLs; none at all is legal.
    pub trackers: Vec<Vec<String>>,
    /// URLs of web servers that have the files, or of the directories that they lie in.
    pub web_seeds: Vec<String>,
    pub comment: Option<String>,
    pub created_by: Option<String>,
    /// Seconds since 1970.
    pub creation_date: Option<i64>,
}

/// What to exchange in an existing .torrent; `None` leaves a thing as it is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Edit {
    /// The new tiers; empty takes all trackers out.
    pub trackers: Option<Vec<Vec<String>>>,
    /// The new comment; empty takes it out.
    pub comment: Option<String>,
}

impl Draft {
    /// The first component of a path that `Metainfo::parse` would have to change, so that the
    /// torrent's own maker would not find the file again. Whoever makes a torrent refuses it.
    pub fn unsafe_name(&self) -> Option<&str> {
        let mut names = self.layout.files().iter().flat_map(|file| &file.path);
        names.find(|name| text::component(name) != **name).map(String::as_str)
    }

    /// Appends the bytes of the .torrent.
    ///
    /// Panics if the number of hashes is not the number of pieces, or if the files do not share
    /// one name: only a half-made draft is so.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut outer = Outer::new();
        put_trackers(&mut outer, &self.trackers);
        put(&mut outer, "url-list", write_web_seeds(&self.web_seeds));
        put(&mut outer, "comment", self.comment.as_deref().map(write_bytes));
        put(&mut outer, "created by", self.created_by.as_deref().map(write_bytes));
        put(&mut outer, "creation date", self.creation_date.map(write_int));
        put(&mut outer, "info", Some(self.info()));
        write_outer(&outer, out);
    }

    /// The bytes of the `info` dictionary.
    fn info(&self) -> Vec<u8> {
        assert_eq!(self.piece_hashes.len(), self.layout.piece_count() as usize);
        let files = self.layout.files();
        let name = &files[0].path[0];
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out);
        writer.begin_dict();
        match files {
            [file] if file.path.len() == 1 => {
                writer.key("length").uint(file.len);
            }
            files => {
                writer.key("files").begin_list();
                files.iter().for_each(|file| write_file(file, name, &mut writer));
                writer.end();
            }
        }
        writer.key("name").bytes(name);
        writer.key("piece length").uint(u64::from(self.layout.piece_bytes()));
        writer.key("pieces").bytes(self.piece_hashes.as_flattened());
        if self.private {
            writer.key("private").int(1);
        }
        writer.end();
        out
    }
}

/// A .torrent with other trackers or another comment, and the same `info` to the byte.
///
/// Other keys are kept as they are; keys out of order are put in order, bytes behind the end are
/// left out. Malformed: what the gate refuses, or no `info` dictionary.
pub fn edit(bytes: &[u8], edit: &Edit) -> Result<Vec<u8>, Malformed> {
    if bytes.len() > TORRENT_FILE_BYTES_MAX {
        let what = format!("longer than {TORRENT_FILE_BYTES_MAX} bytes");
        return Err(Malformed::new(what, TORRENT_FILE_BYTES_MAX));
    }
    let root = Dict::parse(bytes, Strictness::Lenient)?;
    if root.get("info").and_then(|info| info.dict()).is_none() {
        return Err(Malformed::new("no `info` dictionary", 0));
    }
    let mut outer: Outer<'_> = root.iter().map(|(key, item)| (key, item.raw().to_vec())).collect();
    if let Some(trackers) = &edit.trackers {
        put_trackers(&mut outer, trackers);
    }
    if let Some(comment) = &edit.comment {
        let said = Some(comment.as_str()).filter(|comment| !comment.is_empty());
        put(&mut outer, "comment", said.map(write_bytes));
        // Its twin in another charset would contradict the new one.
        put(&mut outer, "comment.utf-8", None);
    }
    let mut out = Vec::with_capacity(bytes.len());
    write_outer(&outer, &mut out);
    Ok(out)
}

/// The outer dictionary: each key with its value as bencode, in the order in which they go out.
type Outer<'k> = Shelf<&'k [u8], Vec<u8>>;

/// Sets the value of a key, or takes the key out.
fn put<'k>(outer: &mut Outer<'k>, key: &'k str, value: Option<Vec<u8>>) {
    match value {
        Some(value) => outer.insert(key.as_bytes(), value),
        None => outer.remove(key.as_bytes()),
    };
}

/// One tracker is `announce` alone; several are `announce-list`, and the first also `announce`,
/// for programs that know no tiers.
fn put_trackers(outer: &mut Outer<'_>, trackers: &[Vec<String>]) {
    let mut urls = trackers.iter().flatten();
    put(outer, "announce", urls.next().map(|url| write_bytes(url)));
    put(outer, "announce-list", urls.next().map(|_| write_tiers(trackers)));
}

/// One is a string, several are a list; none is left out (BEP 19).
fn write_web_seeds(urls: &[String]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out);
    match urls {
        [] => return None,
        [url] => {
            writer.bytes(url);
        }
        urls => {
            writer.begin_list();
            for url in urls {
                writer.bytes(url);
            }
            writer.end();
        }
    }
    Some(out)
}

fn write_tiers(trackers: &[Vec<String>]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out);
    writer.begin_list();
    for tier in trackers.iter().filter(|tier| !tier.is_empty()) {
        writer.begin_list();
        for url in tier {
            writer.bytes(url);
        }
        writer.end();
    }
    writer.end();
    out
}

fn write_file(file: &File, name: &str, writer: &mut Writer<'_>) {
    assert_eq!(file.path[0], name, "one torrent, one name");
    assert!(file.path.len() > 1, "a file beside its own folder");
    writer.begin_dict();
    if file.pad {
        writer.key("attr").bytes("p");
    }
    writer.key("length").uint(file.len).key("path").begin_list();
    for component in &file.path[1..] {
        writer.bytes(component);
    }
    writer.end().end();
}

fn write_bytes(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    Writer::new(&mut out).bytes(text);
    out
}

fn write_int(value: i64) -> Vec<u8> {
    let mut out = Vec::new();
    Writer::new(&mut out).int(value);
    out
}

fn write_outer(outer: &Outer<'_>, out: &mut Vec<u8>) {
    let mut writer = Writer::new(out);
    writer.begin_dict();
    for (key, value) in outer.iter() {
        writer.key(key).raw(value);
    }
    writer.end();
}
