//! Resume: what a node remembers of a torrent between two runs.

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
