//! Folder: a download directory, below which no symbolic link is ever followed.
//!
//! The names below it come from a .torrent, so a stranger chose them, and what stands there may
//! have been put there by another one. The names are cleaned long before (`format::layout`); what
//! a name *leads to* is decided here, by opening one component at a time, each relative to the
//! handle of the one before:
//!
//! ```text
//!  root        O_PATH | O_DIRECTORY                 may be a symbolic link: the person chose it
//!   └─ films   O_PATH | O_DIRECTORY | O_NOFOLLOW    ENOTDIR if it is a link or a file
//!       └─ a   O_RDWR | O_NOFOLLOW | O_NONBLOCK     ELOOP if it is a link; then: a plain file?
//! ```
//!
//! Between two steps nobody can swap a directory for a link to elsewhere, because a handle, not a
//! name, carries each step on.
//!
//! # Why
//! `openat2` with `RESOLVE_NO_SYMLINKS` would do it in one call, but kernels before 5.6 and many
//! sandboxes lack it. Files stay open for a while (`handles`), so the steps are rarely taken.

use std::fs::{self, File, Metadata};
use std::io::{self, Write as _};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags};
use rustix::io::Errno;

use crate::base::limits::CLOSED_ASIDE_BYTES_MIN;
use crate::format::resume::FileStamp;

/// One download directory.
#[derive(Clone, Debug)]
pub struct Folder {
    root: PathBuf,
}

/// How a file is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// For reading; `NotFound` if it is not there.
    Read,
    /// For reading and writing; created, with its directories, if it is not there.
    Write,
}

/// What is to be known of a file that may have to be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct New {
    /// Whoever may read it may run it.
    pub executable: bool,
    /// It was not there when we looked last.
    pub is_likely: bool,
}

/// A file that was opened, and whether it had to be made (and perhaps directories above it).
#[derive(Debug)]
pub struct Opened {
    pub file: File,
    pub made: bool,
}

/// A walk along many files that remembers the directory it stands in, since the next file mostly
/// lies in the same one: to download 2,000 files of 100 KiB took 51,000 calls and takes 31,000.
/// To be kept for one task only: a directory that has moved is not noticed on the way.
#[derive(Debug)]
pub struct Walk<'f, 'p> {
    folder: &'f Folder,
    /// `None` instead of a handle: that directory is not there.
    at: Option<(&'p [String], Option<OwnedFd>)>,
}

impl Folder {
    pub fn new(root: PathBuf) -> Folder {
        Folder { root }
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Makes the root itself and what is missing above it, and makes those entries safe.
    pub fn make_root(&self) -> io::Result<()> {
        let is_missing = |dir: &&Path| !dir.as_os_str().is_empty() && !dir.exists();
        let missing: Vec<&Path> = self.root.ancestors().take_while(is_missing).collect();
        fs::create_dir_all(&self.root)?;
        for parent in missing.iter().filter_map(|dir| dir.parent()) {
            let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            // We may make entries in a directory that we may not read; then it stays unsynced,
            // which matters only if the power fails within seconds.
            let _ = File::open(parent).and_then(|dir| dir.sync_all());
        }
        Ok(())
    }

    pub fn walk<'p>(&self) -> Walk<'_, 'p> {
        Walk { folder: self, at: None }
    }

    /// Opens the plain file at `path` (components below the root, at least one).
    ///
    /// Errors: `NotFound`; `ENOTDIR`, `ELOOP` or `EISDIR` if something else stands in the way;
    /// whatever else the file system says.
    pub fn open(&self, path: &[String], access: Access) -> io::Result<Opened> {
        self.walk().open(path, access)
    }

    /// Puts a whole new file in the place of `path`, in such a way that after any crash either
    /// the old file is there or the new one, and neither in part.
    ///
    /// 1. write beside it, 2. sync that, 3. rename, 4. sync the directory (and the root, which
    ///    may have got a new entry). On an error the new file is taken away again.
    pub fn replace(&self, path: &[String], bytes: &[u8]) -> io::Result<()> {
        let (name, dirs) = split(path);
        let parent = self.descend_or_make(dirs)?;
        let beside = format!("{name}.new");
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC;
        // 1.
        let mut file = open_plain(&parent, &beside, flags)?;
        let replaced = file
            .write_all(bytes)
            // 2.
            .and_then(|()| file.sync_all())
            // 3.
            .and_then(|()| Ok(rustix::fs::renameat(&parent, &*beside, &parent, name)?));
        if let Err(error) = replaced {
            // The first error is the one to report; a leftover harms nobody.
            let _ = rustix::fs::unlinkat(&parent, &*beside, AtFlags::empty());
            return Err(error);
        }
        // 4.
        (0..=dirs.len()).rev().try_for_each(|depth| self.sync_dir(&dirs[..depth]))
    }

    /// Removes the file at `path`, then its directory if that is empty now and not the root.
    ///
    /// That it is not there is no error.
    pub fn remove(&self, path: &[String]) -> io::Result<()> {
        let (name, dirs) = split(path);
        let removed = self
            .descend(dirs)
            .and_then(|parent| Ok(rustix::fs::unlinkat(&parent, name, AtFlags::empty())?));
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        if let Some((dir, above)) = dirs.split_last()
            && let Ok(parent) = self.descend(above)
        {
            // Fails while other records are in it, and so it should.
            let _ = rustix::fs::unlinkat(&parent, plain(dir), AtFlags::REMOVEDIR);
        }
        Ok(())
    }

    /// Deletes the plain file at `path`, then the directories above it that are empty now, up to
    /// the root, which stays.
    ///
    /// That it is not there is no error. Errors: `ENOTDIR`, `ELOOP` or `EISDIR` if something else
    /// stands there or in the way, which then stays as it is; others as the file system says.
    /// Returns what is left of a long one: its last handle. The system gives its space back when
    /// that is closed, and not before.
    pub fn erase(&self, path: &[String]) -> io::Result<Option<File>> {
        let (name, dirs) = split(path);
        let erased = self.descend(dirs).and_then(|parent| {
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            // Whoever swaps it now gets his own thing deleted; a link is deleted, not followed.
            let file = File::from(openat(&parent, name, flags, Mode::empty())?);
            let stamp = stamp_of(&file)?;
            rustix::fs::unlinkat(&parent, name, AtFlags::empty())?;
            Ok((stamp.len >= CLOSED_ASIDE_BYTES_MIN).then_some(file))
        });
        let left = match erased {
            Ok(left) => left,
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        for depth in (1..=dirs.len()).rev() {
            let (dir, above) = dirs[..depth].split_last().expect("depth is at least 1");
            // Fails while anything is in it, and so it should.
            let gone = self.descend(above).is_ok_and(|parent| {
                rustix::fs::unlinkat(&parent, plain(dir), AtFlags::REMOVEDIR).is_ok()
            });
            if !gone {
                break;
            }
        }
        Ok(left)
    }

    /// Makes the entries of a directory safe on the medium (`dirs` empty: the root's).
    pub fn sync_dir(&self, dirs: &[String]) -> io::Result<()> {
        // A handle that only names a directory cannot sync it, so open "." through it.
        let named = self.descend(dirs)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = openat(&named, ".", flags, Mode::empty())?;
        match rustix::fs::fsync(&dir) {
            // Some file systems (FUSE, network shares) do not sync directories at all.
            Err(Errno::INVAL | Errno::NOTSUP) => Ok(()),
            other => Ok(other?),
        }
    }

    /// A handle that names the directory `dirs` below the root.
    fn descend(&self, dirs: &[String]) -> io::Result<OwnedFd> {
        let root = open_root(&self.root)?;
        Ok(dirs.iter().try_fold(root, |at, dir| open_dir(&at, dir))?)
    }

    /// The same, making what is missing below the root (never the root: a disk that was taken
    /// out must not be replaced by a directory in its mount point).
    fn descend_or_make(&self, dirs: &[String]) -> io::Result<OwnedFd> {
        let mut at = open_root(&self.root)?;
        for dir in dirs {
            at = match open_dir(&at, dir) {
                Err(Errno::NOENT) => {
                    match rustix::fs::mkdirat(&at, plain(dir), Mode::from_raw_mode(0o777)) {
                        // Somebody else was quicker; whether it is a directory is seen next.
                        Ok(()) | Err(Errno::EXIST) => {}
                        Err(errno) => return Err(errno.into()),
                    }
                    open_dir(&at, dir)?
                }
                other => other?,
            };
        }
        Ok(at)
    }
}

impl<'p> Walk<'_, 'p> {
    /// As `Folder::open`.
    pub fn open(&mut self, path: &'p [String], access: Access) -> io::Result<Opened> {
        match access {
            Access::Read => {
                let (name, dirs) = split(path);
                let file = open_plain(self.enter(dirs)?, name, OFlags::RDONLY)?;
                Ok(Opened { file, made: false })
            }
            Access::Write => self.make(path, New::default()),
        }
    }

    /// A file for writing: as it is, or made together with its directories.
    ///
    /// Errors: as `open`.
    pub fn make(&mut self, path: &'p [String], new: New) -> io::Result<Opened> {
        let (name, dirs) = split(path);
        self.make_dirs(path)?;
        let parent = self.enter(dirs)?;
        let mode = if new.executable { 0o777 } else { 0o666 };
        // What is made new can be nothing but a plain file, and needs no look at it.
        let make = || {
            let how = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL;
            openat(parent, name, how | ALWAYS, Mode::from_raw_mode(mode)).map(File::from)
        };
        if new.is_likely {
            match make() {
                Err(Errno::EXIST) => {}
                made => return Ok(Opened { file: made?, made: true }),
            }
        }
        // Asking to create would not tell us that nothing was created.
        match open_plain(parent, name, OFlags::RDWR) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(Opened { file: make()?, made: true })
            }
            other => Ok(Opened { file: other?, made: false }),
        }
    }

    /// What stands at `path`: `None` if nothing does.
    ///
    /// Errors: `EISDIR` or `ENOTDIR` if it is no plain file; others as the file system says.
    pub fn stamp(&mut self, path: &'p [String]) -> io::Result<Option<FileStamp>> {
        let (name, dirs) = split(path);
        let looked = self.enter(dirs).and_then(|parent| {
            let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            Ok(File::from(openat(parent, name, flags, Mode::empty())?))
        });
        match looked {
            Ok(file) => stamp_of(&file).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes the directories above `path` that are missing.
    pub fn make_dirs(&mut self, path: &'p [String]) -> io::Result<()> {
        let (_, dirs) = split(path);
        if !matches!(&self.at, Some((here, Some(_))) if *here == dirs) {
            self.at = Some((dirs, Some(self.folder.descend_or_make(dirs)?)));
        }
        Ok(())
    }

    /// The directory `dirs`; that it is not there is remembered, too.
    fn enter(&mut self, dirs: &'p [String]) -> io::Result<&OwnedFd> {
        let handle = match self.at.take() {
            Some((here, handle)) if here == dirs => handle,
            Some(_) | None => match self.folder.descend(dirs) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                handle => Some(handle?),
            },
        };
        let (_, handle) = self.at.insert((dirs, handle));
        handle.as_ref().ok_or(Errno::NOENT.into())
    }
}

/// Length and modification time of a plain file; `EISDIR` if it is something else.
pub fn stamp_of(file: &File) -> io::Result<FileStamp> {
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(Errno::ISDIR.into());
    }
    Ok(FileStamp { len: metadata.len(), modified_nanos: modified_nanos(&metadata) })
}

/// Saturates in the year 2262.
fn modified_nanos(metadata: &Metadata) -> i64 {
    metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec())
}

/// `openat`, begun again when a signal came in between: network file systems and FUSE let one.
fn openat(
    dir: impl AsFd,
    name: impl rustix::path::Arg + Copy,
    how: OFlags,
    mode: Mode,
) -> rustix::io::Result<OwnedFd> {
    rustix::io::retry_on_intr(|| rustix::fs::openat(&dir, name, how, mode))
}

fn open_root(root: &Path) -> rustix::io::Result<OwnedFd> {
    // An empty path means "here" to a person and nothing to the kernel.
    let root = if root.as_os_str().is_empty() { Path::new(".") } else { root };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    openat(CWD, root, flags, Mode::empty())
}

fn open_dir(parent: &OwnedFd, name: &str) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(parent, plain(name), flags, Mode::empty())
}

/// Opens a plain file and nothing else; one that is made may be read and written by all whom
/// `umask` lets.
fn open_plain(parent: &OwnedFd, name: &str, how: OFlags) -> io::Result<File> {
    let file = File::from(openat(parent, name, how | ALWAYS, Mode::from_raw_mode(0o666))?);
    if !file.metadata()?.is_file() {
        return Err(Errno::ISDIR.into());
    }
    Ok(file)
}

/// `O_NONBLOCK` and `O_NOCTTY` mean nothing to a plain file; they keep us from waiting for the
/// other end of a pipe, or from adopting a terminal, that somebody put in the file's place.
const ALWAYS: OFlags =
    OFlags::NOFOLLOW.union(OFlags::CLOEXEC).union(OFlags::NONBLOCK).union(OFlags::NOCTTY);

/// The file's own name, and the directories above it.
fn split(path: &[String]) -> (&str, &[String]) {
    let (name, dirs) = path.split_last().expect("a layout gives every file a name");
    (plain(name), dirs)
}

/// Asserts what `format::layout` promises of every component. The promise is what keeps a
/// stranger's names inside the download directory, so it is checked again at the last gate.
fn plain(name: &str) -> &str {
    assert!(!matches!(name, "" | "." | ".."), "component {name:?} is not a name");
    assert!(!name.contains(['/', '\0']), "component {name:?} is more than a name");
    name
}
