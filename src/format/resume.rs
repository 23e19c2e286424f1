//! Resume: what a node remembers of a torrent between two runs.
//!
//! ```text
//!  d 4:body <n>:d 5:clean … 4:have … 7:version i1e e   5:check 20:<SHA-1 of the body> e
//! ```
//!
//! The record saves hashing what was hashed before, so it must never claim a piece that is not
//! there. It is our own file; no other program writes one. Therefore nothing in it is mended:
//! whatever is odd, cut or changed refuses the whole record, and the data is checked again.
//!
//! # Interface
//! Whoever reads a record still compares it with the torrent: the info-hash, as many bits as
//! pieces, as many files; and each stamp with the file on disk.
//!
//! # Limits
//! `RESUME_BYTES_MAX`, `PIECES_MAX`, `FILES_MAX`.

use super::bencode::{Dict, Item, Strictness, Writer};
use super::{Malformed, digest::Digest};
use crate::base::limits::{FILES_MAX, PIECES_MAX, RESUME_BYTES_MAX};
use crate::base::{Bits, InfoHash};

/// What one file on disk looked like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FileStamp {
    pub len: u64,
    /// Modification time, nanoseconds since 1970.
    pub modified_nanos: i64,
}

/// The resume record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resume {
    pub info_hash: InfoHash,
    pub have: Bits,
    /// One per file of the layout; `None` for a file that was not there.
    pub files: Vec<Option<FileStamp>>,
    /// Written at a clean exit: pieces not in `have` are known to be missing too.
    pub clean: bool,
    pub uploaded: u64,
    pub downloaded: u64,
}

/// The version written, and the only one read. Raise it when a field changes its meaning.
const VERSION: i64 = 1;

/// Of the body, in the order in which they are written.
const KEYS: [&str; 8] =
    ["clean", "downloaded", "files", "have", "info_hash", "pieces", "uploaded", "version"];

impl Resume {
    /// Reads a record.
    ///
    /// Malformed: anything but what `write` wrote.
    pub fn parse(bytes: &[u8]) -> Result<Resume, Malformed> {
        if bytes.len() > RESUME_BYTES_MAX {
            return Err(Malformed::new("the record is too long", RESUME_BYTES_MAX));
        }
        let [body, check] = values(bytes, ["body", "check"])?;
        let body = body.bytes().ok_or_else(contradiction)?;
        if check.bytes() != Some(Digest::of(body).as_slice()) {
            return Err(Malformed::new("the checksum is wrong", 0));
        }
        let body = values(body, KEYS)?;
        Resume::unpack(body).ok_or_else(contradiction)
    }

    /// Appends the record.
    pub fn write(&self, out: &mut Vec<u8>) {
        let mut body = Vec::new();
        self.pack(&mut Writer::new(&mut body));
        let mut writer = Writer::new(out);
        let check = Digest::of(&body);
        writer.begin_dict().key("body").bytes(body).key("check").bytes(check).end();
    }

    fn pack(&self, writer: &mut Writer<'_>) {
        writer.begin_dict().key("clean").int(i64::from(self.clean));
        writer.key("downloaded").int(signed(self.downloaded));
        // Length and modification time of each; an empty list for one that was not there.
        writer.key("files").begin_list();
        for stamp in &self.files {
            writer.begin_list();
            if let Some(stamp) = stamp {
                writer.int(signed(stamp.len)).int(stamp.modified_nanos);
            }
            writer.end();
        }
        writer.end();
        writer.key("have").bytes(self.have.as_bytes());
        writer.key("info_hash").bytes(self.info_hash.0);
        writer.key("pieces").int(i64::from(self.have.len()));
        writer.key("uploaded").int(signed(self.uploaded));
        writer.key("version").int(VERSION).end();
    }

    /// The record, or `None` if a value is of another type, or outside its range.
    fn unpack(body: [Item<'_>; KEYS.len()]) -> Option<Resume> {
        let [clean, downloaded, files, have, info_hash, pieces, uploaded, version] = body;
        let (clean, pieces) = (clean.int()?, u32::try_from(pieces.int()?).ok()?);
        let known = version.int()? == VERSION && (0..=1).contains(&clean);
        let files = files.list()?;
        if !known
            || pieces > PIECES_MAX
            || files.into_iter().take(FILES_MAX + 1).count() > FILES_MAX
        {
            return None;
        }
        Some(Resume {
            info_hash: InfoHash(info_hash.bytes()?.try_into().ok()?),
            have: Bits::from_wire(have.bytes()?, pieces)?,
            files: files.into_iter().map(unpack_stamp).collect::<Option<_>>()?,
            clean: clean == 1,
            uploaded: u64::try_from(uploaded.int()?).ok()?,
            downloaded: u64::try_from(downloaded.int()?).ok()?,
        })
    }
}

/// The outer `None` is a stamp that makes no sense, the inner one a file that was not there.
fn unpack_stamp(stamp: Item<'_>) -> Option<Option<FileStamp>> {
    let mut numbers = stamp.list()?.into_iter().map(Item::int);
    match [numbers.next(), numbers.next(), numbers.next()] {
        [None, _, _] => Some(None),
        [Some(len), Some(modified_nanos), None] => {
            let len = u64::try_from(len?).ok()?;
            Some(Some(FileStamp { len, modified_nanos: modified_nanos? }))
        }
        [Some(_), _, _] => None,
    }
}

/// Bencoded integers have a sign; nobody transfers 2^63 bytes.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The values of a dictionary that has these keys and no others.
fn values<'b, const N: usize>(
    bytes: &'b [u8],
    keys: [&str; N],
) -> Result<[Item<'b>; N], Malformed> {
    let dict = Dict::parse(bytes, Strictness::Strict)?;
    let found = keys.map(|key| dict.get(key));
    if dict.iter().count() != N || found.iter().any(Option::is_none) {
        return Err(Malformed::new("other keys than those of a record", 0));
    }
    Ok(found.map(|item| item.expect("each was found")))
}

fn contradiction() -> Malformed {
    Malformed::new("the record contradicts itself", 0)
}
