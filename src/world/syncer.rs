//! Syncer: makes what was written safe, and then records it.

use super::folder::Folder;
use crate::base::{Bits, TorrentId};
use crate::border::DiskFault;
use crate::format::resume::{FileStamp, Resume};

/// Files to be made safe, and the record to be written after that.
#[derive(Clone, Debug)]
pub struct Job {
    pub torrent: TorrentId,
    pub folder: Folder,
    pub files: Vec<Changed>,
    pub record: Resume,
}

/// A file that was written since it was last synced.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Changed {
    /// Index into `Layout::files`.
    pub file: usize,
    /// Components below the download directory.
    pub path: Vec<String>,
    /// The file is new: the directories above it must be synced too.
    pub made: bool,
}

/// What became of a job.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Saved {
    pub torrent: TorrentId,
    pub have: Bits,
    pub result: Result<(), DiskFault>,
    /// For `Store::on_saved`.
    pub files: Vec<(Changed, Outcome)>,
}

/// What became of one file of a job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Its bytes are safe on the medium; this is what it looked like then.
    Safe(FileStamp),
    /// It was not tried, or could not be opened.
    Unsynced,
    /// The medium failed: what we wrote may be lost.
    Doubtful,
}
