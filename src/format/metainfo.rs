//! Metainfo: a .torrent file as a value.
//!
//! ```text
//!  d 8:announce …  13:announce-list …  7:comment …
//!    4:info d 5:files l d 6:length i…e 4:path l … e e … e
//!             4:name …  12:piece length i…e  6:pieces <20 bytes each>  7:private i1e e e
//!          ╰────────────── SHA-1 of exactly these bytes: the info-hash ──────────────╯
//! ```
//!
//! A stranger made this file, perhaps with an old or a careless program, perhaps with malice. So
//! every field falls in one of three classes. What decides which bytes we share (lengths, pieces,
//! piece length) must be right, or the file is refused. What decides where they are stored (names
//! and paths) is cleaned. All the rest (dates, comments, trackers) is dropped alone if it is odd;
//! then there is a warning.
//!
//! # Interface
//! `Metainfo::parse` reads; `format::draft` makes new .torrent files and changes existing ones.
//!
//! # Limits
//! `TORRENT_FILE_BYTES_MAX`, `FILES_MAX`, `PATH_DEPTH_MAX`, and those of `tree`, `tiers` and
//! `warnings`.
//!
//! # Why
//! Everything is read in its place, through the gate's own reader, not turned into structs first.
//! So a hostile file of a million empty lists costs no memory, an error knows its byte, and the
//! info-hash is that of the bytes as they came, even if their keys are out of order.
//!
//! # Spec
//! BEP 3, "metainfo files"; BEP 12, tiers; BEP 27, `private`; BEP 47, `attr`; BEP 52, "upgrade
//! path" (of a hybrid torrent we read the version 1 half).

use super::bencode::{self, Dict, Item, List, Strictness, Writer};
use super::endpoint::Endpoint;
use super::layout::{File, Layout};
use super::tiers::{read_tiers, read_web_seeds};
use super::tree::Tree;
use super::warnings::Warnings;
use super::{Malformed, digest::Digest, text};
use crate::base::InfoHash;
use crate::base::limits::{
    FILES_MAX, PATH_DEPTH_MAX, PIECE_BYTES_MAX, TORRENT_FILE_BYTES_MAX, TORRENT_NODES_MAX,
};

/// Everything we use of a .torrent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Metainfo {
    pub info_hash: InfoHash,
    /// Cleaned; safe as a path component and on a terminal.
    pub name: String,
    pub layout: Layout,
    /// One per piece.
    pub piece_hashes: Vec<[u8; 20]>,
    /// The rest of the `info` dictionary as it came.
    pub raw_info: RawInfo,
    pub private: bool,
    /// Tiers of announce URLs (BEP 12); a lone `announce` is one tier of one.
    pub trackers: Vec<Vec<String>>,
    /// Web servers that have the files (BEP 19).
    pub web_seeds: Vec<String>,
    /// Nodes of the DHT that may know more of it (BEP 5); none for a private torrent.
    pub nodes: Vec<Endpoint>,
    pub comment: Option<String>,
    pub created_by: Option<String>,
    /// Seconds since 1970.
    pub creation_date: Option<i64>,
    /// What was odd but mended, one clean line each.
    pub warnings: Vec<String>,
}

/// What stands in the `info` dictionary before and behind the hashes of the pieces, byte by byte.
/// With them it is the *metadata* that peers ask for (BEP 9); so the hashes, which are nearly all
/// of it, are kept once. Empty for what was never read from bytes.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RawInfo {
    before: Vec<u8>,
    after: Vec<u8>,
}

/// Latest `creation date` believed: the end of the year 9999.
const CREATION_DATE_MAX: i64 = 253_402_300_799;

impl Metainfo {
    /// Reads a whole .torrent file.
    ///
    /// Malformed: the first thing that makes the file unusable, and where it stands.
    pub fn parse(bytes: &[u8]) -> Result<Metainfo, Malformed> {
        if bytes.len() > TORRENT_FILE_BYTES_MAX {
            let what = format!(
                "{} bytes; TORRENT_FILE_BYTES_MAX allows {TORRENT_FILE_BYTES_MAX}",
                bytes.len()
            );
            return Err(Malformed::new(what, TORRENT_FILE_BYTES_MAX));
        }
        let scan = bencode::scan(bytes, Strictness::Lenient)?;
        let mut warnings = Warnings::default();
        warnings.note_oddities(scan.oddities);

        let root = scan.root.dict().ok_or_else(|| Malformed::new("not a dictionary", 0))?;
        let info = required(root, "info")?;
        let info_hash = InfoHash(Digest::of(info.raw()));
        let info = info.dict().ok_or_else(|| wrong_type(info, "info", "a dictionary"))?;

        let inner = read_info(info, info_hash, &mut warnings)?;
        Ok(Metainfo {
            info_hash,
            name: inner.name,
            layout: inner.layout,
            piece_hashes: inner.piece_hashes,
            raw_info: inner.raw_info,
            private: inner.private,
            trackers: read_tiers(root, &mut warnings),
            web_seeds: read_web_seeds(root, &mut warnings),
            nodes: if inner.private { Vec::new() } else { read_nodes(root) },
            comment: cleaned(root, "comment"),
            created_by: cleaned(root, "created by"),
            creation_date: read_date(root, &mut warnings),
            warnings: warnings.into_lines(),
        })
    }
}

/// The metadata of a torrent, as peers pass it on.
impl Metainfo {
    /// Reads metadata whose hash was found right: `info` without a file around it.
    ///
    /// `trackers`: what is known of them from elsewhere.
    pub fn of_metadata(info: &[u8], trackers: &[Vec<String>]) -> Result<Metainfo, Malformed> {
        let mut file = Vec::new();
        write_file(info, trackers, &[], &mut file);
        Metainfo::parse(&file)
    }

    /// How many bytes of metadata there are; `None` if they are not known.
    pub fn metadata_bytes(&self) -> Option<u32> {
        let RawInfo { before, after } = &self.raw_info;
        let len = before.len() + self.piece_hashes.as_flattened().len() + after.len();
        u32::try_from(len).ok().filter(|_| !before.is_empty())
    }

    /// Bytes `from ..` of the metadata, `len` of them or as many as there are.
    pub fn metadata(&self, from: usize, len: usize) -> Vec<u8> {
        let RawInfo { before, after } = &self.raw_info;
        let parts = [before, self.piece_hashes.as_flattened(), after.as_slice()];
        let mut bytes = Vec::new();
        let mut skip = from;
        for part in parts {
            let rest = &part[skip.min(part.len())..];
            skip -= skip.min(part.len());
            bytes.extend_from_slice(&rest[..rest.len().min(len - bytes.len())]);
        }
        bytes
    }

    /// A .torrent of it: the metadata, and where to ask. What else a file may say is left out.
    pub fn to_file(&self) -> Vec<u8> {
        let mut file = Vec::new();
        let info = self.metadata(0, usize::MAX);
        write_file(&info, &self.trackers, &self.web_seeds, &mut file);
        file
    }
}

fn write_file(info: &[u8], trackers: &[Vec<String>], web_seeds: &[String], out: &mut Vec<u8>) {
    let mut writer = Writer::new(out);
    writer.begin_dict();
    if let Some(first) = trackers.iter().flatten().next() {
        writer.key("announce").bytes(first);
        writer.key("announce-list").begin_list();
        for tier in trackers.iter().filter(|tier| !tier.is_empty()) {
            writer.begin_list();
            for url in tier {
                writer.bytes(url);
            }
            writer.end();
        }
        writer.end();
    }
    writer.key("info").raw(info);
    if !web_seeds.is_empty() {
        writer.key("url-list").begin_list();
        for url in web_seeds {
            writer.bytes(url);
        }
        writer.end();
    }
    writer.end();
}

/// Nodes of the DHT: `l l 4:host i6881e e … e`. Hints of whoever made the file: what is none is
/// passed over, and so are those beyond `TORRENT_NODES_MAX`.
fn read_nodes(root: Dict<'_>) -> Vec<Endpoint> {
    let Some(list) = root.get("nodes").and_then(Item::list) else { return Vec::new() };
    let mut nodes: Vec<Endpoint> = Vec::new();
    // However long the list is, it is not looked at without end.
    for item in list.into_iter().take(4 * TORRENT_NODES_MAX) {
        let mut pair = item.list().into_iter().flatten();
        let (host, port) = (pair.next().and_then(Item::bytes), pair.next().and_then(Item::int));
        let node = host.zip(port).and_then(|(host, port)| Endpoint::new(host, port));
        nodes.extend(node.filter(|node| nodes.len() < TORRENT_NODES_MAX && !nodes.contains(node)));
    }
    nodes
}

/// What comes out of the `info` dictionary.
struct Inner {
    name: String,
    layout: Layout,
    piece_hashes: Vec<[u8; 20]>,
    raw_info: RawInfo,
    private: bool,
}

fn read_info(
    dict: Dict<'_>,
    info_hash: InfoHash,
    warnings: &mut Warnings,
) -> Result<Inner, Malformed> {
    if dict.get("pieces").is_none() && (has(dict, "meta version") || has(dict, "file tree")) {
        let what = "a version 2 torrent without a version 1 half; only version 1 is supported";
        return Err(Malformed::new(what, dict.item().at()));
    }
    let name = read_name(dict, info_hash, warnings);
    let piece_bytes = read_piece_length(dict)?;
    let files = match (has(dict, "length"), dict.get("files")) {
        (true, None) => {
            let file = File::new([name.as_str()], read_length(dict)?);
            vec![with_attributes(file, dict)]
        }
        (false, Some(files)) => read_files(files, &name, warnings)?,
        (true, Some(files)) => {
            return Err(Malformed::new("both `length` and `files`", files.at()));
        }
        (false, None) => {
            return Err(Malformed::new("neither `length` nor `files`", dict.item().at()));
        }
    };
    let layout = Layout::new(piece_bytes, files)
        .map_err(|why| Malformed::new(why.to_string(), dict.item().at()))?;
    let piece_hashes = read_pieces(dict, &layout)?;
    let raw_info = read_raw(dict);
    let private = read_private(dict, warnings);
    Ok(Inner { name, layout, piece_hashes, raw_info, private })
}

/// The bytes before and behind those of `pieces`.
fn read_raw(dict: Dict<'_>) -> RawInfo {
    let (whole, pieces) = (dict.item(), dict.get("pieces"));
    let Some((item, bytes)) = pieces.and_then(|item| Some((item, item.bytes()?))) else {
        return RawInfo::default();
    };
    let end = item.at() - whole.at() + item.raw().len();
    let (before, after) = whole.raw().split_at(end);
    RawInfo { before: before[..end - bytes.len()].to_vec(), after: after.to_vec() }
}

/// `name`, or the info-hash where there is none: somewhere the files must go.
fn read_name(info: Dict<'_>, info_hash: InfoHash, warnings: &mut Warnings) -> String {
    // The one beside it is written by programs that use another charset in `name`.
    let said = bytes(info, "name.utf-8").or(bytes(info, "name")).unwrap_or_default();
    if said.is_empty() {
        warnings.push(|| "no name; the info-hash stands in for it".to_string());
        return info_hash.to_string();
    }
    let name = text::component(said);
    if name.as_bytes() != said {
        warnings.push(|| format!("the name was changed to {name:?}"));
    }
    name
}

fn read_piece_length(info: Dict<'_>) -> Result<u32, Malformed> {
    let item = required(info, "piece length")?;
    let said = item.int().ok_or_else(|| wrong_type(item, "piece length", "an integer"))?;
    match u32::try_from(said) {
        Ok(bytes) if (1..=PIECE_BYTES_MAX).contains(&bytes) => Ok(bytes),
        Ok(_) | Err(_) => {
            let what = format!("piece length {said} is not between 1 and {PIECE_BYTES_MAX}");
            Err(Malformed::new(what, item.at()))
        }
    }
}

/// The `length` of a file dictionary, or of `info` itself.
fn read_length(dict: Dict<'_>) -> Result<u64, Malformed> {
    let item = required(dict, "length")?;
    let said = item.int().ok_or_else(|| wrong_type(item, "length", "an integer"))?;
    u64::try_from(said).map_err(|_| Malformed::new(format!("length {said} is negative"), item.at()))
}

fn read_pieces(info: Dict<'_>, layout: &Layout) -> Result<Vec<[u8; 20]>, Malformed> {
    let item = required(info, "pieces")?;
    let bytes = item.bytes().ok_or_else(|| wrong_type(item, "pieces", "a string"))?;
    let (hashes, rest) = bytes.as_chunks::<20>();
    if !rest.is_empty() {
        let what = format!("`pieces` of {} bytes, not a multiple of 20", bytes.len());
        return Err(Malformed::new(what, item.at()));
    }
    if hashes.len() != layout.piece_count() as usize {
        let what = format!(
            "{} piece hashes where {} bytes in pieces of {} need {}",
            hashes.len(),
            layout.total_bytes(),
            layout.piece_bytes(),
            layout.piece_count()
        );
        return Err(Malformed::new(what, item.at()));
    }
    Ok(hashes.to_vec())
}

/// Absent or 0 is public; anything else, understood or not, errs on the side of silence.
fn read_private(info: Dict<'_>, warnings: &mut Warnings) -> bool {
    match info.get("private").map(Item::int) {
        None | Some(Some(0)) => false,
        Some(Some(1)) => true,
        Some(Some(_)) | Some(None) => {
            warnings.push(|| "`private` is neither 0 nor 1; taken as private".to_string());
            true
        }
    }
}

fn read_date(root: Dict<'_>, warnings: &mut Warnings) -> Option<i64> {
    let said = root.get("creation date")?;
    let date = said.int().filter(|date| (0..=CREATION_DATE_MAX).contains(date));
    if date.is_none() {
        warnings.push(|| "`creation date` is no date; dropped".to_string());
    }
    date
}

/// A text for people; an empty one, or a value that is no text, is none.
fn cleaned(root: Dict<'_>, key: &str) -> Option<String> {
    bytes(root, key).map(text::clean).filter(|text| !text.is_empty())
}

fn read_files(item: Item<'_>, name: &str, warnings: &mut Warnings) -> Result<Vec<File>, Malformed> {
    let list = item.list().ok_or_else(|| wrong_type(item, "files", "a list"))?;
    // Counted before anything is kept: the shortest entry has two bytes.
    let count = list.iter().take(FILES_MAX + 1).count();
    if count == 0 {
        return Err(Malformed::new("`files` is empty", item.at()));
    }
    if count > FILES_MAX {
        return Err(Malformed::new(format!("more than {FILES_MAX} files"), item.at()));
    }
    let mut tree = Tree::default();
    let mut files = Vec::new();
    for entry in list {
        files.push(read_file(entry, name, &mut tree, warnings)?);
    }
    if tree.changed > 0 {
        warnings.push(|| format!("{} file names were changed to be safe", tree.changed));
    }
    if tree.numbered > 0 {
        warnings.push(|| format!("{} file names were taken and got a number", tree.numbered));
    }
    Ok(files)
}

fn read_file(
    item: Item<'_>,
    name: &str,
    tree: &mut Tree,
    warnings: &mut Warnings,
) -> Result<File, Malformed> {
    let dict = item.dict().ok_or_else(|| wrong_type(item, "files", "a list of dictionaries"))?;
    let attr = bytes(dict, "attr").unwrap_or_default();
    let symlink = attr.contains(&b'l');
    let len = if symlink && !has(dict, "length") { 0 } else { read_length(dict)? };
    if attr.contains(&b'p') {
        let path = vec![name.to_string(), ".pad".to_string(), len.to_string()];
        return Ok(File { pad: true, ..File::new(path, len) });
    }
    if symlink {
        // A link could point anywhere; what it would have led to is in the torrent anyway.
        warnings.push(|| "a symbolic link is replaced by a plain file".to_string());
    }
    let said = read_path(dict)?;
    let path = tree.place(name, &said).map_err(|what| Malformed::new(what, item.at()))?;
    Ok(with_attributes(File::new(path, len), dict))
}

/// What is said of a file beyond name and length. Letters that we do not know, `h` (hidden) among
/// them, mean nothing here; a `sha1` that is none is as good as absent.
fn with_attributes(file: File, dict: Dict<'_>) -> File {
    let attr = bytes(dict, "attr").unwrap_or_default();
    let sha1 = bytes(dict, "sha1").and_then(|said| <[u8; 20]>::try_from(said).ok());
    // Where a link was meant, the hash is that of what it would have led to.
    let is_link = attr.contains(&b'l');
    let executable = attr.contains(&b'x') && !is_link;
    File { executable, sha1: sha1.filter(|_| !is_link).map(Box::new), ..file }
}

/// The components of a file's path as they are said.
fn read_path<'b>(dict: Dict<'b>) -> Result<Vec<&'b [u8]>, Malformed> {
    let item = required(dict, "path")?;
    let strings = |key: &str| strings(dict.get(key)?.list()?);
    let said = strings("path.utf-8")
        .or_else(|| strings("path"))
        .ok_or_else(|| wrong_type(item, "path", "a list of strings"))?;
    match said.len() {
        0 => Err(Malformed::new("`path` is empty", item.at())),
        1..=PATH_DEPTH_MAX => Ok(said),
        _ => Err(Malformed::new(format!("a path deeper than {PATH_DEPTH_MAX}"), item.at())),
    }
}

/// The strings of a list, as many as a path may have and one more; `None` if there is anything
/// else among those.
fn strings(list: List<'_>) -> Option<Vec<&[u8]>> {
    list.into_iter().take(PATH_DEPTH_MAX + 1).map(Item::bytes).collect()
}

/// What is said under `key`, if it is a string. What is of another type than one hopes for is as
/// good as absent: a good file is not refused for an odd date.
fn bytes<'b>(dict: Dict<'b>, key: &str) -> Option<&'b [u8]> {
    dict.get(key)?.bytes()
}

fn has(dict: Dict<'_>, key: &str) -> bool {
    dict.get(key).is_some()
}

fn required<'b>(dict: Dict<'b>, key: &str) -> Result<Item<'b>, Malformed> {
    dict.get(key).ok_or_else(|| Malformed::new(format!("`{key}` is missing"), dict.item().at()))
}

fn wrong_type(item: Item<'_>, key: &str, wanted: &str) -> Malformed {
    Malformed::new(format!("`{key}` is not {wanted}"), item.at())
}
