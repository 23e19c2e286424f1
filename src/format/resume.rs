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

use std::fmt;

use serde::de::{Deserializer, Error, Visitor};
use serde::{Deserialize, Serialize, Serializer};

use super::bencode::{self, Strictness};
use super::{Malformed, digest::Digest, text};
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

/// The whole file: the record and what proves it whole.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    body: Bytes,
    check: Bytes,
}

/// The record as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    clean: u8,
    downloaded: i64,
    /// Length and modification time of each file; an empty list for one that was not there.
    files: Vec<Vec<i64>>,
    have: Bytes,
    info_hash: Bytes,
    pieces: u32,
    uploaded: i64,
    version: u32,
}

/// The version written, and the only one read. Raise it when a field changes its meaning.
const VERSION: u32 = 1;

impl Resume {
    /// Reads a record.
    ///
    /// Malformed: anything but what `write` wrote.
    pub fn parse(bytes: &[u8]) -> Result<Resume, Malformed> {
        if bytes.len() > RESUME_BYTES_MAX {
            return Err(Malformed::new("the record is too long", RESUME_BYTES_MAX));
        }
        let sealed: Sealed = decode(bytes)?;
        if sealed.check.0 != Digest::of(&sealed.body.0) {
            return Err(Malformed::new("the checksum is wrong", 0));
        }
        let body: Body = decode(&sealed.body.0)?;
        body.unpack().ok_or_else(|| Malformed::new("the record contradicts itself", 0))
    }

    /// Appends the record.
    pub fn write(&self, out: &mut Vec<u8>) {
        let body = encode(&Body::pack(self));
        let check = Bytes(Digest::of(&body).to_vec());
        out.extend_from_slice(&encode(&Sealed { body: Bytes(body), check }));
    }
}

impl Body {
    fn pack(resume: &Resume) -> Body {
        let pack_stamp = |stamp: &FileStamp| vec![signed(stamp.len), stamp.modified_nanos];
        Body {
            clean: u8::from(resume.clean),
            downloaded: signed(resume.downloaded),
            files: resume
                .files
                .iter()
                .map(|stamp| stamp.as_ref().map_or_else(Vec::new, pack_stamp))
                .collect(),
            have: Bytes(resume.have.as_bytes().to_vec()),
            info_hash: Bytes(resume.info_hash.0.to_vec()),
            pieces: resume.have.len(),
            uploaded: signed(resume.uploaded),
            version: VERSION,
        }
    }

    /// The record, or `None` if a value is outside its range.
    fn unpack(self) -> Option<Resume> {
        let known = self.version == VERSION && self.clean <= 1;
        if !known || self.pieces > PIECES_MAX || self.files.len() > FILES_MAX {
            return None;
        }
        Some(Resume {
            info_hash: InfoHash(self.info_hash.0.try_into().ok()?),
            have: Bits::from_wire(&self.have.0, self.pieces)?,
            files: self.files.iter().map(|stamp| unpack_stamp(stamp)).collect::<Option<_>>()?,
            clean: self.clean == 1,
            uploaded: u64::try_from(self.uploaded).ok()?,
            downloaded: u64::try_from(self.downloaded).ok()?,
        })
    }
}

/// The outer `None` is a stamp that makes no sense, the inner one a file that was not there.
fn unpack_stamp(stamp: &[i64]) -> Option<Option<FileStamp>> {
    match *stamp {
        [] => Some(None),
        [len, modified_nanos] => {
            let len = u64::try_from(len).ok()?;
            Some(Some(FileStamp { len, modified_nanos }))
        }
        _ => None,
    }
}

/// Bencoded integers have a sign; nobody transfers 2^63 bytes.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// Through the gate, then through serde.
fn decode<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T, Malformed> {
    bencode::scan(bytes, Strictness::Strict)?;
    serde_bencode::from_bytes(bytes)
        .map_err(|why| Malformed::new(text::clean_to(why.to_string(), 120), 0))
}

fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    serde_bencode::to_bytes(value).expect("integers, byte strings and lists can be bencoded")
}

/// A byte string; serde would write a plain `Vec<u8>` as a list of integers.
struct Bytes(Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        deserializer.deserialize_bytes(BytesVisitor)
    }
}

struct BytesVisitor;

impl Visitor<'_> for BytesVisitor {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a byte string")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Bytes, E> {
        Ok(Bytes(bytes.to_vec()))
    }
}
