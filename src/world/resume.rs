//! Resume: the records of what we have, kept beside the data.
//!
//! Each torrent has one file in the download directory, so that the record moves, and is lost,
//! together with what it speaks of:
//!
//! ```text
//!  DIR/
//!  ├── .swarmlet/
//!  │   └── 0123456789abcdef0123456789abcdef01234567.resume
//!  └── (the files of the torrents)
//! ```
//!
//! What stands in a record is `format::resume`'s business; here it is read, replaced and removed.
//! The directory is opened like any other below the root: no link in it is followed.
//!
//! # Invariants
//! A record never claims bytes that are not safe: `save` is called after the data was synced (by
//! the `Syncer`, nobody else), and it replaces the old record as a whole or not at all.
//!
//! # Why
//! A record that cannot be read is as good as none: the data is checked again. So nothing in here
//! ends a run. A read-only share has no record and is seeded all the same.

use std::fmt;
use std::io::{self, Read as _};

use super::fault::fault;
use super::folder::{Access, Folder};
use crate::base::InfoHash;
use crate::base::limits::RESUME_BYTES_MAX;
use crate::border::DiskFault;
use crate::format::layout::Layout;
use crate::format::malformed::Malformed;
use crate::format::resume::Resume;

/// Our own directory inside a download directory.
pub const RECORD_DIR: &str = ".swarmlet";

/// Why a record that is there does not help.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unusable {
    Unreadable(DiskFault),
    TooLong,
    Malformed(Malformed),
    /// It speaks of another torrent, or of another number of pieces or files.
    Foreign,
}

/// The record of a torrent; `None` if there is none.
///
/// A record that is returned fits `layout` in its numbers. Whether it is still true is another
/// question, which its stamps and a survey answer.
pub fn load(
    folder: &Folder,
    info_hash: InfoHash,
    layout: &Layout,
) -> Result<Option<Resume>, Unusable> {
    let bytes = match read(folder, info_hash) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Unusable::Unreadable(fault(&error))),
    };
    if bytes.len() > RESUME_BYTES_MAX {
        return Err(Unusable::TooLong);
    }
    let record = Resume::parse(&bytes).map_err(Unusable::Malformed)?;
    let fits = record.info_hash == info_hash
        && record.have.len() == layout.piece_count()
        && record.files.len() == layout.files().len();
    if fits { Ok(Some(record)) } else { Err(Unusable::Foreign) }
}

/// Replaces the record of `record.info_hash`, atomically and durably.
///
/// Fault: `Denied` on a read-only share, `Full`, … The old record is then still there.
pub fn save(folder: &Folder, record: &Resume) -> Result<(), DiskFault> {
    let mut bytes = Vec::new();
    record.write(&mut bytes);
    folder.replace(&path(record.info_hash), &bytes).map_err(|error| fault(&error))
}

/// Removes the record of a torrent, and our directory with the last one. That there is none is
/// no fault.
pub fn remove(folder: &Folder, info_hash: InfoHash) -> Result<(), DiskFault> {
    folder.remove(&path(info_hash)).map_err(|error| fault(&error))
}

/// At most one byte more than is allowed, so that the caller sees that it is too much.
fn read(folder: &Folder, info_hash: InfoHash) -> io::Result<Vec<u8>> {
    let file = folder.open(&path(info_hash), Access::Read)?.file;
    let mut bytes = Vec::new();
    file.take(RESUME_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn path(info_hash: InfoHash) -> [String; 2] {
    [RECORD_DIR.to_string(), format!("{info_hash}.resume")]
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unusable::Unreadable(fault) => write!(f, "resume record: {fault}"),
            Unusable::TooLong => write!(f, "resume record: over {RESUME_BYTES_MAX} bytes"),
            Unusable::Malformed(malformed) => write!(f, "resume record: {malformed}"),
            Unusable::Foreign => f.write_str("resume record: of another torrent"),
        }
    }
}
