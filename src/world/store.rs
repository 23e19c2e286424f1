//! Store: the files of all torrents of this node.
//!
//! Pieces are numbers to the rest of the program; here they become ranges of files. `Layout` says
//! which ranges, `Folder` opens the files so that nothing outside the download directory is ever
//! touched, `Handles` keeps a few of them open, and `gather` lets neighbours leave together.
//!
//! ```text
//!  piece, begin, bytes ──Layout──▶ file, offset ──Folder, Handles──▶ handle ──▶ pwritev, pread
//! ```
//!
//! Files are sparse: a block is written where it belongs, and the file system leaves holes before
//! it. Nothing is ever mapped into memory, for a file that somebody truncates must not end us.
//!
//! # Interface
//! `add` first; `survey` and `prepare` when the engine says so; `read` and `write` at any time;
//! `job` makes what the `Syncer` shall make safe, `on_saved` takes its answer. Layouts are
//! borrowed for one call and never kept.
//!
//! # Invariants
//! A file that was written since it was last synced is in `unsynced` or in exactly one `Job`.
//!
//! # Why
//! The calls block. They mostly meet the page cache, and one thread that waits for a disk is
//! simpler, and on small hosts no slower, than several that wait for each other. The one call
//! that really takes seconds, syncing, is the `Syncer`'s.

use crate::base::Shelf;
use std::fs::File;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use rustix::io::Errno;

use super::fault::fault;
use super::folder::{Access, Folder, New};
use super::gather::{Run, Write, gather};
use super::handles::{Handles, Key};
use super::resume::RECORD_DIR;
use super::syncer::{Changed, Job, Outcome, Saved};
use crate::base::{PieceIndex, Set, TorrentId};
use crate::border::DiskFault;
use crate::format::layout::Layout;
use crate::format::resume::{FileStamp, Resume};

/// All files of the node.
#[derive(Debug, Default)]
pub struct Store {
    places: Shelf<TorrentId, Place>,
    handles: Handles,
    /// Last handles of long files that were deleted.
    left: Vec<File>,
    writes: u64,
}

/// Where one torrent lives, and what we know of its files.
#[derive(Debug)]
struct Place {
    folder: Folder,
    /// What the last survey saw, and what each sync saw since; `None` before the first survey.
    ///
    /// A file that is only read keeps the stamp it had *before* its pieces were checked: if
    /// somebody changes it meanwhile, the record names the old stamp and the next run checks.
    stamps: Option<Vec<Option<FileStamp>>>,
    /// Files written since they were last synced, and whether they are new.
    unsynced: Shelf<usize, bool>,
    /// Files whose sync once failed. The kernel reports that once and then forgets the pages, so
    /// a later success proves nothing: such a file has no stamp any more, and the next run checks
    /// it.
    doubted: Set<usize>,
    /// Why data that we wrote may not be on the medium.
    unsafe_for: Option<DiskFault>,
}

impl Store {
    pub fn new() -> Store {
        Store::default()
    }

    /// Takes on a torrent whose files lie below `root`, the download directory.
    pub fn add(&mut self, torrent: TorrentId, root: PathBuf) {
        let place = Place {
            folder: Folder::new(root),
            stamps: None,
            unsynced: Shelf::new(),
            doubted: Set::new(),
            unsafe_for: None,
        };
        let before = self.places.insert(torrent, place);
        assert!(before.is_none(), "{torrent:?} was added twice");
    }

    /// Closes a torrent's files and forgets where they were. The files themselves stay.
    pub fn remove(&mut self, torrent: TorrentId) {
        self.handles.forget(torrent);
        self.places.remove(&torrent);
    }

    /// The download directory of a torrent.
    pub fn folder(&self, torrent: TorrentId) -> Option<&Folder> {
        self.places.get(&torrent).map(|place| &place.folder)
    }

    /// Looks at every file: length and modification time, or `None` where nothing is.
    ///
    /// Padding always counts as present, whole and never changed. Handles are closed first, so
    /// whatever was moved or replaced is seen as it is now.
    ///
    /// Fault: `WrongKind` if a directory, a link or a device stands where a file should be, or a
    /// file where a directory should be; `Denied`, `Busy`, `Failed` as the file system says. A
    /// call or two per file: some hundred thousand files a second.
    pub fn survey(
        &mut self,
        torrent: TorrentId,
        layout: &Layout,
    ) -> Result<Vec<Option<FileStamp>>, DiskFault> {
        self.handles.forget(torrent);
        let place = self.places.get_mut(&torrent).ok_or(DiskFault::Missing)?;
        let mut walk = place.folder.walk();
        let mut stamps = Vec::with_capacity(layout.files().len());
        for (number, file) in layout.files().iter().enumerate() {
            stamps.push(match file.pad {
                true => Some(FileStamp { len: file.len, modified_nanos: 0 }),
                false => path_of(layout, number)
                    .and_then(|path| walk.stamp(path))
                    .map_err(|error| fault(&error))?,
            });
        }
        // What is gone cannot be synced any more, and need not be.
        place.unsynced.retain(|&file, _| stamps[file].is_some());
        place.stamps = Some(stamps.clone());
        Ok(stamps)
    }

    /// Makes the download directory, the directories below it, and the empty files.
    ///
    /// Files with bytes in them are made when the first byte comes.
    /// Fault: `Full`, `Denied`, `WrongKind`, … What was made until then stays.
    pub fn prepare(&mut self, torrent: TorrentId, layout: &Layout) -> Result<(), DiskFault> {
        let place = self.places.get_mut(&torrent).ok_or(DiskFault::Missing)?;
        place.make_all(layout).map_err(|error| fault(&error))
    }

    /// Deletes the files of these numbers, and the directories that are empty then.
    ///
    /// Only plain files that stand where the torrent's files do, with no link on the way to them;
    /// what something else stands in the place of stays. So does a file that one of `others`, in
    /// the same download directory, has as well. All are tried; the first fault is returned.
    pub fn erase(
        &mut self,
        torrent: TorrentId,
        layout: &Layout,
        files: Range<usize>,
        others: &[(TorrentId, &Layout)],
    ) -> Result<(), DiskFault> {
        self.handles.forget(torrent);
        let place = self.places.get(&torrent).ok_or(DiskFault::Missing)?;
        let root = place.folder.root();
        let beside = |id: &TorrentId| self.places.get(id).is_some_and(|p| p.folder.root() == root);
        let others: Vec<&Layout> =
            others.iter().filter(|(id, _)| beside(id)).map(|(_, layout)| *layout).collect();
        let mut result = Ok(());
        for file in files.filter(|&file| !layout.files()[file].pad) {
            let erased = path_of(layout, file).and_then(|path| match is_shared(path, &others) {
                true => Ok(None),
                false => place.folder.erase(path),
            });
            let erased = erased.map(|left| self.left.extend(left));
            result = result.and(erased.map_err(|error| fault(&error)));
        }
        result
    }

    /// What `erase` left: to be closed where that may take its time.
    pub fn take_left(&mut self) -> Vec<File> {
        std::mem::take(&mut self.left)
    }

    /// Writes each of `writes`, neighbours together; `results` then has one entry per write.
    ///
    /// A write that fails leaves the others alone: each is tried, and a write across files fails
    /// as a whole if one part does.
    /// Fault: `Missing` if the torrent, or its download directory, is not there; `Full`, … as
    /// `fault` says.
    pub fn write<'l>(
        &mut self,
        writes: &[Write<'_>],
        layouts: impl Fn(TorrentId) -> Option<&'l Layout>,
        results: &mut Vec<Result<(), DiskFault>>,
    ) {
        results.clear();
        results.extend(writes.iter().map(|write| match layouts(write.torrent) {
            Some(_) => Ok(()),
            None => Err(DiskFault::Missing),
        }));
        let runs = gather(writes, &layouts);
        for runs in runs.chunk_by(|run, next| run.torrent == next.torrent) {
            let torrent = runs[0].torrent;
            let layout = layouts(torrent).expect("gather found it");
            self.write_runs(torrent, layout, runs, results);
        }
    }

    /// Fills `bytes` from `begin` of the piece on. Padding reads as zeros.
    ///
    /// Fault: `Missing` if a file is not there or ends too early; others as `fault` says. What
    /// is in `bytes` then means nothing.
    pub fn read(
        &mut self,
        torrent: TorrentId,
        layout: &Layout,
        piece: PieceIndex,
        begin: u32,
        bytes: &mut [u8],
    ) -> Result<(), DiskFault> {
        let place = self.places.get(&torrent).ok_or(DiskFault::Missing)?;
        let mut walk = place.folder.walk();
        let len = u32::try_from(bytes.len()).expect("a read is no longer than a piece");
        let mut rest = bytes;
        for span in layout.spans(piece, begin, len) {
            let (part, after) = rest.split_at_mut(span.len as usize);
            rest = after;
            if layout.files()[span.file].pad {
                part.fill(0);
                continue;
            }
            let open = || Ok(walk.open(path_of(layout, span.file)?, Access::Read)?.file);
            self.handles
                .get(Key { torrent, file: span.file }, Access::Read, open)
                .and_then(|file| file.read_exact_at(part, span.offset))
                .map_err(|error| fault(&error))?;
        }
        assert!(rest.is_empty(), "the layout places every byte of a piece");
        Ok(())
    }

    /// A job for the `Syncer`: what was written since the last one, and the record to be written
    /// once that is safe. `record.files` is filled in here.
    ///
    /// Fault: as `survey`, for a torrent that was never surveyed.
    pub fn job(
        &mut self,
        torrent: TorrentId,
        layout: &Layout,
        mut record: Resume,
    ) -> Result<Job, DiskFault> {
        if self.places.get(&torrent).is_some_and(|place| place.stamps.is_none()) {
            self.survey(torrent, layout)?;
        }
        let place = self.places.get_mut(&torrent).ok_or(DiskFault::Missing)?;
        record.files = place.stamps.clone().expect("surveyed just now if not before");
        for &file in &place.doubted {
            record.files[file] = None;
        }
        let files = std::mem::take(&mut place.unsynced)
            .into_iter()
            .map(|(file, made)| Changed {
                file,
                path: layout.files()[file].path.clone(),
                made,
                doubted: place.doubted.contains(&file),
            })
            .collect();
        Ok(Job { torrent, folder: place.folder.clone(), files, record })
    }

    /// Takes note of what the `Syncer` did with a job's files.
    pub fn on_saved(&mut self, saved: &Saved) {
        let Some(place) = self.places.get_mut(&saved.torrent) else { return };
        for (changed, outcome) in &saved.files {
            match outcome {
                Outcome::Safe(stamp) => {
                    if let Some(stamps) = &mut place.stamps {
                        stamps[changed.file] = Some(*stamp);
                    }
                }
                Outcome::Unsynced => mark(&mut place.unsynced, changed.file, changed.made),
                Outcome::Doubtful => {
                    place.doubted.insert(changed.file);
                }
            }
        }
        let is_safe = |(_, outcome): &(_, Outcome)| matches!(outcome, Outcome::Safe(_));
        if !saved.files.iter().all(is_safe) {
            place.unsafe_for = Some(saved.result.err().unwrap_or(DiskFault::Failed));
        } else if place.doubted.is_empty() {
            place.unsafe_for = None;
        }
    }

    /// Why data of a torrent that was to be made safe may not be; `None` if all went well.
    ///
    /// That a record could not be written is no reason: it costs a check, never data.
    pub fn unsafe_for(&self, torrent: TorrentId) -> Option<DiskFault> {
        self.places.get(&torrent)?.unsafe_for
    }

    /// How many write calls were made so far: what gathering saves can be counted.
    pub fn writes(&self) -> u64 {
        self.writes
    }

    /// How many files are open.
    pub fn open_files(&self) -> usize {
        self.handles.len()
    }

    /// Gives half of the open files back, for others who find the descriptor table full.
    pub fn drop_handles(&mut self) {
        self.handles.drop_half();
    }

    /// Asserts the bound on open files, and that no doubted file has a way into a record.
    pub fn check(&self) {
        self.handles.check();
        for place in self.places.values() {
            let files = place.stamps.as_ref().map_or(0, |stamps| stamps.len());
            assert!(place.doubted.iter().all(|&file| file < files));
        }
    }

    /// Writes the runs of one torrent, and enters in `results` what could not be written.
    fn write_runs(
        &mut self,
        torrent: TorrentId,
        layout: &Layout,
        runs: &[Run<'_>],
        results: &mut [Result<(), DiskFault>],
    ) {
        let Some(Place { folder, stamps, unsynced, .. }) = self.places.get_mut(&torrent) else {
            return runs.iter().for_each(|run| note_failed(run, 0, DiskFault::Missing, results));
        };
        let mut walk = folder.walk();
        for run in runs {
            let was_missing = stamps.as_ref().is_some_and(|stamps| stamps[run.file].is_none());
            let is_likely = was_missing && !unsynced.contains_key(&run.file);
            let new = New { executable: layout.files()[run.file].executable, is_likely };
            let mut made = false;
            let open = || {
                let opened = walk.make(path_of(layout, run.file)?, new)?;
                made |= opened.made;
                Ok(opened.file)
            };
            let key = Key { torrent, file: run.file };
            let (written, result) = match self.handles.get(key, Access::Write, open) {
                Ok(file) => {
                    // Marked before the first byte: a write that fails may still have changed it.
                    mark(unsynced, run.file, made);
                    write_gathered(file, run, &mut self.writes)
                }
                Err(error) => (0, Err(error)),
            };
            if let Err(error) = result {
                note_failed(run, written, fault(&error), results);
            }
        }
    }
}

impl Place {
    fn make_all(&mut self, layout: &Layout) -> io::Result<()> {
        self.folder.make_root()?;
        let mut walk = self.folder.walk();
        let mut made = Vec::new();
        for (number, file) in layout.files().iter().enumerate().filter(|(_, file)| !file.pad) {
            let path = path_of(layout, number)?;
            walk.make_dirs(path)?;
            // Looked at before it is opened: on a read-only share that has it all, nothing may ask
            // to write.
            if file.len == 0 && walk.stamp(path)?.is_none() {
                walk.make(path, New { executable: file.executable, is_likely: true })?;
                made.push(number);
            }
        }
        made.into_iter().for_each(|number| mark(&mut self.unsynced, number, true));
        Ok(())
    }
}

/// Notes that a file must be synced; `made` stays true until it was.
fn mark(unsynced: &mut Shelf<usize, bool>, file: usize, made: bool) {
    *unsynced.get_or_insert_with(file, Default::default) |= made;
}

/// Enters the fault at every write that has a part in this run which lies, whole or with its end,
/// behind the first `written` bytes.
fn note_failed(
    run: &Run<'_>,
    written: usize,
    fault: DiskFault,
    results: &mut [Result<(), DiskFault>],
) {
    let mut end = 0;
    for part in &run.parts {
        end += part.bytes.len();
        if end > written && results[part.write].is_ok() {
            results[part.write] = Err(fault);
        }
    }
}

/// Writes all of a run to its place, in as few calls as the kernel allows (one, nearly always).
/// Returns how many bytes were written, and why not all.
fn write_gathered(file: &File, run: &Run<'_>, writes: &mut u64) -> (usize, io::Result<()>) {
    let mut slices: Vec<IoSlice<'_>> =
        run.parts.iter().map(|part| IoSlice::new(part.bytes)).collect();
    let mut rest = slices.as_mut_slice();
    let mut written = 0;
    while !rest.is_empty() {
        *writes += 1;
        match rustix::io::pwritev(file, rest, run.offset + written as u64) {
            Ok(0) => return (written, Err(io::ErrorKind::WriteZero.into())),
            Ok(count) => {
                written += count;
                IoSlice::advance_slices(&mut rest, count);
            }
            Err(Errno::INTR) => {}
            Err(errno) => return (written, Err(errno.into())),
        }
    }
    (written, Ok(()))
}

/// Whether one of these torrents has a file at this path.
///
/// Linear in their files, but for those that share the first component, which few do.
fn is_shared(path: &[String], others: &[&Layout]) -> bool {
    others.iter().any(|layout| {
        let files = layout.files();
        let is_near = files.first().is_some_and(|file| file.path.first() == path.first());
        is_near && files.iter().any(|file| file.path == path)
    })
}

/// Where a file lies below the download directory.
///
/// `ELOOP` for a file inside our own record directory: a torrent of that name could otherwise
/// bring along forged resume records of other torrents.
fn path_of(layout: &Layout, file: usize) -> io::Result<&[String]> {
    let path = &layout.files()[file].path;
    // Letter case does not matter to the file systems of memory cards.
    if path.first().is_some_and(|first| first.eq_ignore_ascii_case(RECORD_DIR)) {
        return Err(Errno::LOOP.into());
    }
    Ok(path)
}
