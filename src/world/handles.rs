//! Handles: the files that are open now, at most `OPEN_FILES_MAX` for the whole node.
//!
//! Opening a file safely takes a call per directory (`folder`), and a block often goes to the
//! file of the block before; so files stay open until others need the place. Those used last are
//! kept. A handle for reading is exchanged for one that can write when the first write comes, so
//! a seed of a read-only share never asks for more than it may have.
//!
//! # Limits
//! `OPEN_FILES_MAX`. When the process (or the host) has no descriptor left, half of our handles
//! are given back before the one more try.

use std::fs::File;
use std::io;

use super::fault::is_table_full;
use super::folder::Access;
use crate::base::TorrentId;
use crate::base::limits::OPEN_FILES_MAX;

/// Open files, the one used longest ago first. Forty entries: a linear search costs less than
/// the system call that follows it.
#[derive(Debug, Default)]
pub struct Handles {
    open: Vec<Handle>,
}

/// Which file: a torrent's, and its number in the layout.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Key {
    pub torrent: TorrentId,
    pub file: usize,
}

#[derive(Debug)]
struct Handle {
    key: Key,
    access: Access,
    file: File,
}

impl Handles {
    /// The open file of `key`; `open` is called if there is none, or none that may write.
    ///
    /// Errors: those of `open`. `EMFILE` and `ENFILE` only after a second try.
    pub fn get(
        &mut self,
        key: Key,
        access: Access,
        mut open: impl FnMut() -> io::Result<File>,
    ) -> io::Result<&File> {
        match self.open.iter().position(|handle| handle.key == key) {
            Some(at) if access == Access::Read || self.open[at].access == Access::Write => {
                self.open[at..].rotate_left(1);
            }
            found => {
                found.map(|at| self.open.remove(at));
                self.make_room();
                let file = match open() {
                    Err(error) if is_table_full(&error) && !self.open.is_empty() => {
                        self.drop_half();
                        open()?
                    }
                    other => other?,
                };
                self.open.push(Handle { key, access, file });
            }
        }
        Ok(&self.open.last().expect("moved or pushed there just now").file)
    }

    /// Closes all files of one torrent.
    pub fn forget(&mut self, torrent: TorrentId) {
        self.open.retain(|handle| handle.key.torrent != torrent);
    }

    /// Closes the older half, to make room in a full descriptor table.
    pub fn drop_half(&mut self) {
        self.open.drain(..self.open.len().div_ceil(2));
    }

    pub fn len(&self) -> usize {
        self.open.len()
    }

    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// The bound holds and no file is open twice.
    pub fn check(&self) {
        assert!(self.open.len() <= OPEN_FILES_MAX);
        for (at, handle) in self.open.iter().enumerate() {
            assert!(self.open[..at].iter().all(|other| other.key != handle.key));
        }
    }

    fn make_room(&mut self) {
        if self.open.len() >= OPEN_FILES_MAX {
            self.open.remove(0);
        }
    }
}

const _: () = assert!(OPEN_FILES_MAX >= 2, "a piece that crosses a border needs two files");
