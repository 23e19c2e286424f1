//! Syncer: makes what was written safe, and then records it.
//!
//! A resume record may claim a piece only when its bytes are on the medium: a power cut forgets
//! whatever was written and not synced. Syncing takes many seconds on a memory card, so it is
//! done on a helper thread while the reactor goes on.
//!
//! ```text
//!  reactor    Store::job ─▶ submit ─▶ waiting ─┐                 ┌─▶ collect ─▶ Store::on_saved
//!                                              ▼ one at a time   │               Input::Saved
//!  thread                         1. sync files  2. sync new directories
//!                                 3. stamp files 4. replace the record ── wake
//! ```
//!
//! The thread holds one job, owns all of it, and answers with all of it. It opens the files anew:
//! a sync concerns the file, not the handle that wrote it, and a file that was deleted under our
//! handle is noticed in this way.
//!
//! The same thread closes the last handles of long files that were deleted: only then does the
//! system give their space back, and that takes it 100 ms for half a GiB.
//!
//! # Interface
//! `close`, and it is forgotten. `submit`; when woken, `collect`; before leaving, `wait`. Every
//! job submitted is answered, save one that a newer job of the same torrent replaced while it
//! waited.
//!
//! # Invariants
//! One job at most is with the thread; of each torrent at most one waits.
//!
//! # Why
//! `fsync`, not `fdatasync`: the record names each file's modification time, which `fdatasync`
//! may leave behind; after a power cut all would have to be checked for nothing.

use crate::base::Shelf;
use std::collections::VecDeque;
use std::fmt;
use std::fs::File;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::fault::fault;
use super::folder::{Access, Folder, Walk, stamp_of};
use super::resume;
use super::worker::{Wake, Worker};
use crate::base::limits::CLOSING_MAX;
use crate::base::{Bits, Set, Span, TorrentId};
use crate::border::DiskFault;
use crate::format::resume::{FileStamp, Resume};

/// Files to be made safe, and the record to be written after that.
#[derive(Clone, Debug)]
pub struct Job {
    pub torrent: TorrentId,
    pub folder: Folder,
    pub files: Vec<Changed>,
    /// Its stamps of the `files` above are filled in once these are safe.
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
    /// A sync of it failed before, so a success proves nothing and it gets no stamp.
    pub doubted: bool,
}

/// What became of a job.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Saved {
    pub torrent: TorrentId,
    /// The have-map of the record.
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
    /// It was not tried, or could not be opened, or its directory not be synced.
    Unsynced,
    /// The medium failed: what we wrote may be lost.
    Doubtful,
}

/// The reactor's end of the helper thread.
pub struct Syncer {
    wake: Wake,
    thread: Option<Worker<Work, Saved>>,
    /// The torrent whose job the thread has.
    running: Option<TorrentId>,
    waiting: VecDeque<Job>,
    /// Answers that the thread had no part in.
    answered: Vec<Saved>,
    /// One more of it for each file that the thread has not closed yet.
    closing: Arc<()>,
}

/// What the thread is there for.
#[derive(Debug)]
enum Work {
    Save(Job),
    Close(File, Arc<()>),
}

impl Syncer {
    /// `wake` is called, on the helper thread, when there is something to `collect`.
    pub fn new(wake: impl Fn() + Send + Sync + 'static) -> Syncer {
        Syncer {
            wake: Arc::new(wake),
            thread: None,
            running: None,
            waiting: VecDeque::new(),
            answered: Vec::new(),
            closing: Arc::new(()),
        }
    }

    /// Closes the last handle of a file, which may take its time. Nobody hears of it.
    pub fn close(&mut self, file: File) {
        if Arc::strong_count(&self.closing) > CLOSING_MAX {
            // Too many descriptors for nothing: this one is closed here and now.
            return drop(file);
        }
        let token = Arc::clone(&self.closing);
        if let Some(thread) = self.thread() {
            thread.give(Work::Close(file, token));
        }
    }

    /// Takes a job. One of the same torrent that still waits is replaced; its files are synced
    /// with those of the new one.
    pub fn submit(&mut self, mut job: Job) {
        let same = self.waiting.iter().position(|waiting| waiting.torrent == job.torrent);
        match same {
            Some(at) => {
                job.take_over(&mut self.waiting[at]);
                self.waiting[at] = job;
            }
            None => self.waiting.push_back(job),
        }
        self.dispatch();
    }

    /// What was done since the last call.
    pub fn collect(&mut self) -> Vec<Saved> {
        while let Some(saved) = self.thread.as_ref().and_then(Worker::take) {
            self.on_answer(saved);
        }
        std::mem::take(&mut self.answered)
    }

    /// Waits until everything is done, but not longer than `at_most`. What is not done then goes
    /// on for as long as the process lives.
    pub fn wait(&mut self, at_most: Span) -> Vec<Saved> {
        let end = Instant::now() + Duration::from_millis(at_most.as_millis());
        while let (Some(_), Some(thread)) = (self.running, &self.thread) {
            let left = end.saturating_duration_since(Instant::now());
            let Some(saved) = thread.wait(left) else { break };
            self.on_answer(saved);
        }
        std::mem::take(&mut self.answered)
    }

    /// Whether nothing is under way, waiting, or to be collected.
    pub fn is_idle(&self) -> bool {
        self.running.is_none() && self.waiting.is_empty() && self.answered.is_empty()
    }

    /// Asserts the invariants above.
    pub fn check(&self) {
        assert!(self.running.is_some() || self.waiting.is_empty(), "a job waits for nobody");
        let torrents: Set<TorrentId> = self.waiting.iter().map(|job| job.torrent).collect();
        assert_eq!(torrents.len(), self.waiting.len(), "two jobs of one torrent wait");
    }

    fn on_answer(&mut self, saved: Saved) {
        debug_assert_eq!(self.running, Some(saved.torrent));
        self.running = None;
        let next = self.waiting.iter().position(|job| job.torrent == saved.torrent);
        if let Some(at) = next {
            match saved.result {
                Ok(()) => self.waiting[at].learn(&saved),
                // Its record would claim what could not be made safe just now.
                Err(fault) => {
                    let job = self.waiting.remove(at).expect("found at this place");
                    self.answered.push(job.give_up(fault));
                }
            }
        }
        self.answered.push(saved);
        self.dispatch();
    }

    /// Gives the thread the next job, if it has none. Starts the thread for the first one.
    fn dispatch(&mut self) {
        if self.running.is_some() {
            return;
        }
        let Some(job) = self.waiting.pop_front() else { return };
        let torrent = job.torrent;
        if let Some(thread) = self.thread() {
            thread.give(Work::Save(job));
            self.running = Some(torrent);
            return;
        }
        // No thread can be had. `Busy` says that trying again later is worth it.
        self.answered.push(job.give_up(DiskFault::Busy));
        (self.wake)();
    }

    /// The helper thread, started when it is needed first; `None` if the host has no room for one.
    fn thread(&mut self) -> Option<&Worker<Work, Saved>> {
        if self.thread.is_none() {
            self.thread = start(Arc::clone(&self.wake));
        }
        self.thread.as_ref()
    }
}

impl fmt::Debug for Syncer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Syncer { wake: _, thread: _, running, waiting, answered, closing: _ } = self;
        f.debug_struct("Syncer")
            .field("running", running)
            .field("waiting", waiting)
            .field("answered", answered)
            .finish()
    }
}

impl Job {
    /// Does the job, blocking for as long as the medium takes.
    ///
    /// The first fault ends it: what comes after is `Unsynced`, and the old record stays.
    pub fn run(mut self) -> Saved {
        let mut result = Ok(());
        let mut outcomes = Vec::with_capacity(self.files.len());
        // 1. and 3.
        let mut walk = self.folder.walk();
        for changed in &self.files {
            outcomes.push(match result {
                Ok(()) => sync(&mut walk, &changed.path, &mut result),
                Err(_) => Outcome::Unsynced,
            });
        }
        let mut files: Vec<_> = std::mem::take(&mut self.files).into_iter().zip(outcomes).collect();
        // 2.
        if let Ok(()) = result
            && let Err(fault) = sync_dirs(&self.folder, &files)
        {
            result = Err(fault);
            let made = files.iter_mut().filter(|(changed, _)| changed.made);
            made.for_each(|(_, outcome)| *outcome = Outcome::Unsynced);
        }
        let mut saved = Saved { torrent: self.torrent, have: Bits::none(0), result, files };
        // 4.
        if saved.result.is_ok() {
            self.learn(&saved);
            saved.result = resume::save(&self.folder, &self.record);
        }
        saved.have = self.record.have;
        saved
    }

    /// Not done, for this reason.
    fn give_up(self, fault: DiskFault) -> Saved {
        let files = self.files.into_iter().map(|changed| (changed, Outcome::Unsynced)).collect();
        Saved { torrent: self.torrent, have: self.record.have, result: Err(fault), files }
    }

    /// Enters the stamps of files that are safe now.
    fn learn(&mut self, saved: &Saved) {
        for (changed, outcome) in &saved.files {
            match outcome {
                Outcome::Safe(stamp) if !changed.doubted => {
                    self.record.files[changed.file] = Some(*stamp);
                }
                Outcome::Safe(_) | Outcome::Unsynced | Outcome::Doubtful => {}
            }
        }
    }

    /// Takes the files of an older job that this one replaces.
    fn take_over(&mut self, older: &mut Job) {
        let mut files: Shelf<usize, Changed> =
            older.files.drain(..).map(|changed| (changed.file, changed)).collect();
        for mut changed in self.files.drain(..) {
            changed.made |= files.get(&changed.file).is_some_and(|before| before.made);
            files.insert(changed.file, changed);
        }
        self.files = files.into_values().collect();
    }
}

/// Makes one file safe and stamps it. Sets `result` to the fault, if there is one.
fn sync<'p>(
    walk: &mut Walk<'_, 'p>,
    path: &'p [String],
    result: &mut Result<(), DiskFault>,
) -> Outcome {
    let mut fail = |error: std::io::Error, outcome| {
        *result = Err(fault(&error));
        outcome
    };
    let file = match walk.open(path, Access::Read) {
        Ok(opened) => opened.file,
        Err(error) => return fail(error, Outcome::Unsynced),
    };
    if let Err(error) = file.sync_all() {
        return fail(error, Outcome::Doubtful);
    }
    match stamp_of(&file) {
        Ok(stamp) => Outcome::Safe(stamp),
        Err(error) => fail(error, Outcome::Unsynced),
    }
}

/// Makes the directories above all new files safe, each once, the deepest first.
fn sync_dirs(folder: &Folder, files: &[(Changed, Outcome)]) -> Result<(), DiskFault> {
    let made = files.iter().filter(|(changed, _)| changed.made);
    let dirs: Set<&[String]> = made
        .flat_map(|(changed, _)| (0..changed.path.len()).map(|depth| &changed.path[..depth]))
        .collect();
    dirs.into_iter().rev().try_for_each(|dir| folder.sync_dir(dir)).map_err(|error| fault(&error))
}

/// Starts the helper thread; `None` if the host has no room for one.
fn start(wake: Wake) -> Option<Worker<Work, Saved>> {
    Worker::start(c"syncer", STACK_BYTES, wake, |work| match work {
        Work::Save(job) => Some(job.run()),
        Work::Close(file, token) => {
            drop(file);
            drop(token);
            None
        }
    })
}

/// It calls nothing deep.
const STACK_BYTES: usize = 256 * 1024;
