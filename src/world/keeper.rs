//! Keeper: the files of the tracker, what was published and who was there.
//!
//! ```text
//!  LIBRARY/0123456789abcdef0123456789abcdef01234567.torrent     one for each published torrent
//!  STATE                                                        the census: see format::census
//!
//!  reactor   Errand, Part ─▶ submit ─▶┐                     ┌─▶ collect ─▶ the answer, the next part
//!                                     ▼ one after the other │
//!  thread                   read · write beside, sync, rename, sync ── wake
//! ```
//!
//! A published torrent is answered for when it is safe: its file was written beside, synced, moved
//! into place, and the directory synced. The census is written likewise, in parts. All of it is
//! done on a helper thread, because a sync may take seconds, and a cold read some of them; and a
//! .torrent is read there before it is stored, which takes longer than a turn may.
//!
//! # Interface
//! `load_library` and `load_census` once, before anything else. Then `submit…`; when woken,
//! `collect`.
//!
//! # Limits
//! `ERRANDS_MAX` under way, and one part of a census.

use crate::base::order;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::folder::{Access, Folder};
use super::worker::{Wake, Worker};
use crate::base::limits::{CENSUS_BYTES_MAX, ERRANDS_MAX, TORRENT_FILE_BYTES_MAX};
use crate::base::{ConnId, InfoHash, Span};
use crate::format::census;
use crate::format::digest::Digest;
use crate::tracker::library::Entry;
use crate::tracker::{Errand, Kept, Library, Part, Rules, Work};

/// Where a tracker keeps its files; nowhere, unless somebody says so.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Places {
    /// The directory of published torrents.
    pub library: Option<PathBuf>,
    /// The file of the census.
    pub state: Option<PathBuf>,
}

/// A census from an earlier run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Remembered {
    pub census: Vec<u8>,
    /// The time since it was taken; zero, if the clock was put back meanwhile.
    pub gone: Span,
}

/// The reactor's end of the helper thread.
pub struct Keeper {
    wake: Wake,
    places: Places,
    thread: Option<Worker<Job, Done>>,
    errands: usize,
    part_under_way: bool,
}

/// What the thread has done.
#[derive(Debug)]
pub enum Done {
    /// In a box: a torrent's entry is much larger than a part's outcome.
    Errand(Box<Finished>),
    Part(io::Result<()>),
}

/// An errand that is done, well or badly.
#[derive(Debug)]
pub struct Finished {
    /// Who waits for the answer.
    pub conn: Option<ConnId>,
    pub errand: Errand,
    pub kept: Kept,
    /// What the system said, if it failed.
    pub why: Option<io::Error>,
}

#[derive(Debug)]
enum Job {
    Errand { conn: Option<ConnId>, errand: Errand },
    Part(Part),
}

impl Keeper {
    /// `wake` is called, on the helper thread, when there is something to `collect`.
    pub fn new(places: Places, wake: impl Fn() + Send + Sync + 'static) -> Keeper {
        let (errands, part_under_way) = (0, false);
        Keeper { wake: Arc::new(wake), places, thread: None, errands, part_under_way }
    }

    /// Whether one more errand can wait its turn.
    pub fn takes_errands(&self) -> bool {
        self.errands < ERRANDS_MAX
    }

    /// Takes an errand for a connection; answered by `Done::Errand`. If no thread can be had for
    /// it, it is given back.
    pub fn submit_errand(&mut self, conn: Option<ConnId>, errand: Errand) -> Option<Errand> {
        match self.send(Job::Errand { conn, errand }) {
            None => {
                self.errands += 1;
                None
            }
            Some(Job::Errand { errand, .. }) => Some(errand),
            Some(Job::Part(_)) => unreachable!("an errand was sent"),
        }
    }

    /// Whether the last part of a census was written, so that the next one may follow.
    pub fn takes_parts(&self) -> bool {
        !self.part_under_way
    }

    /// Takes a part of the census; answered by `Done::Part`. Returns whether it could be taken.
    pub fn submit_part(&mut self, part: Part) -> bool {
        assert!(!self.part_under_way, "one part after the other");
        self.part_under_way = self.send(Job::Part(part)).is_none();
        self.part_under_way
    }

    /// What was done since the last call.
    pub fn collect(&mut self) -> Vec<Done> {
        let mut all = Vec::new();
        while let Some(done) = self.thread.as_ref().and_then(Worker::take) {
            match &done {
                Done::Errand(_) => self.errands -= 1,
                Done::Part(_) => self.part_under_way = false,
            }
            all.push(done);
        }
        all
    }

    /// Whether nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.errands == 0 && !self.part_under_way
    }

    /// Gives the thread a job, and starts it for the first one. Returns what could not be given.
    fn send(&mut self, job: Job) -> Option<Job> {
        if self.thread.is_none() {
            self.thread = start(self.places.clone(), Arc::clone(&self.wake));
        }
        let Some(thread) = &self.thread else { return Some(job) };
        thread.give(job);
        None
    }
}

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Keeper { wake: _, places, thread: _, errands, part_under_way } = self;
        f.debug_struct("Keeper")
            .field("places", places)
            .field("errands", errands)
            .field("part_under_way", part_under_way)
            .finish()
    }
}

// ── At the start ────────────────────────────────────────────────────────────────────────────

/// Reads every published torrent in `dir`, which is made if it is not there. What cannot be used
/// is told in `odd`, a line each, and left alone.
///
/// One file after the other: with ten thousand of them it takes seconds, once.
pub fn load_library(dir: &Path, rules: Rules, odd: &mut Vec<String>) -> io::Result<Library> {
    let folder = Folder::new(dir.to_path_buf());
    folder.make_root()?;
    let mut files = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if let Some(hash) = name.strip_suffix(".torrent").and_then(InfoHash::parse_hex) {
            let modified = entry.metadata().and_then(|about| about.modified());
            files.push((modified.unwrap_or(UNIX_EPOCH), hash, name));
        } else if name.ends_with(".torrent.new") {
            // The power failed while it was written; nobody was told that it is here.
            let _ = folder.remove(&[name]);
        } else if name.ends_with(".torrent") {
            odd.push(format!("'{name}' in the library is not named by an info-hash: publish it"));
        }
    }
    // The oldest first, as they came.
    order::sort(&mut files);
    let mut library = Library::new(rules);
    for (_, hash, name) in files {
        match load_entry(&folder, hash, &name) {
            Ok(entry) => {
                if !library.keep(hash, entry) {
                    odd.push(format!("'{name}' is one more than the library holds"));
                }
            }
            Err(why) => odd.push(format!("'{name}' in the library: {why}")),
        }
    }
    Ok(library)
}

fn load_entry(folder: &Folder, hash: InfoHash, name: &str) -> Result<Entry, String> {
    let torrent = read_torrent(folder, name).map_err(|error| error.to_string())?;
    let (info_hash, entry) = Entry::read(&torrent).map_err(|malformed| malformed.to_string())?;
    if info_hash != hash {
        return Err(format!("it has another info-hash, {info_hash}"));
    }
    Ok(entry)
}

/// Reads the census at `path`; `None` if there is none.
///
/// Error: it cannot be read; `InvalidData` if it is a file of another kind, which must not be
/// overwritten.
pub fn load_census(path: &Path) -> io::Result<Option<Remembered>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(CENSUS_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    let Some(rest) = bytes.strip_prefix(census::MAGIC) else {
        return Err(io::Error::new(ErrorKind::InvalidData, "not a state file of a tracker"));
    };
    if bytes.len() as u64 > CENSUS_BYTES_MAX {
        return Err(io::Error::new(ErrorKind::FileTooLarge, "larger than any state file"));
    }
    let taken = rest.first_chunk().map_or(0, |taken| u64::from_be_bytes(*taken));
    let gone = Span::from_secs(unix_secs().saturating_sub(taken));
    Ok(Some(Remembered { census: bytes, gone }))
}

// ── On the thread ───────────────────────────────────────────────────────────────────────────

/// A census that is being written beside its place.
struct Writing {
    file: File,
    digest: Digest,
}

fn start(places: Places, wake: Wake) -> Option<Worker<Job, Done>> {
    let mut writing = None;
    Worker::start(c"keeper", STACK_BYTES, wake, move |job| {
        Some(match job {
            Job::Errand { conn, errand } => run_errand(&places, conn, errand),
            Job::Part(part) => Done::Part(write_part(&places, &mut writing, part)),
        })
    })
}

fn run_errand(places: &Places, conn: Option<ConnId>, errand: Errand) -> Done {
    let dir = places.library.clone().expect("errands come from a library");
    let folder = Folder::new(dir);
    let name = |hash: &InfoHash| format!("{hash}.torrent");
    let result = match &errand.work {
        Work::Judge { torrent } => Ok(Kept::Judged(Entry::read(torrent))),
        Work::Store { info_hash, torrent, .. } => {
            folder.replace(&[name(info_hash)], torrent).map(|()| Kept::Stored)
        }
        Work::Load { info_hash } => read_torrent(&folder, &name(info_hash)).map(Kept::Loaded),
    };
    let is_load = matches!(errand.work, Work::Load { .. });
    let (kept, why) = match result {
        Ok(kept) => (kept, None),
        Err(error) if is_load && error.kind() == ErrorKind::NotFound => (Kept::Missing, None),
        Err(error) => (Kept::Failed, Some(error)),
    };
    Done::Errand(Box::new(Finished { conn, errand, kept, why }))
}

fn read_torrent(folder: &Folder, name: &str) -> io::Result<Vec<u8>> {
    let file = folder.open(&[name.to_owned()], Access::Read)?.file;
    let mut torrent = Vec::new();
    file.take(TORRENT_FILE_BYTES_MAX as u64 + 1).read_to_end(&mut torrent)?;
    if torrent.len() > TORRENT_FILE_BYTES_MAX {
        return Err(ErrorKind::FileTooLarge.into());
    }
    Ok(torrent)
}

fn write_part(places: &Places, writing: &mut Option<Writing>, part: Part) -> io::Result<()> {
    let path = places.state.as_deref().expect("a census is taken where there is a place for it");
    let result = match (part, writing.as_mut()) {
        (Part::Begin, _) => Writing::begin(&beside(path)).map(|begun| *writing = Some(begun)),
        (Part::Swarms(bytes), Some(census)) => census.write(&bytes),
        (Part::End, Some(_)) => {
            writing.take().map_or(Ok(()), |census| census.finish(&beside(path), path))
        }
        // The part before failed, and whoever sent this one did not know it yet.
        (Part::Swarms(_) | Part::End, None) => Err(ErrorKind::BrokenPipe.into()),
    };
    if result.is_err() {
        *writing = None;
        let _ = fs::remove_file(beside(path));
    }
    result
}

impl Writing {
    fn begin(beside: &Path) -> io::Result<Writing> {
        let mut writing = Writing { file: File::create(beside)?, digest: Digest::new() };
        let mut head = Vec::new();
        census::write_head(unix_secs(), &mut head);
        writing.write(&head)?;
        Ok(writing)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.digest.update(bytes);
        self.file.write_all(bytes)
    }

    /// After any crash either the old census is there or the new one, and neither in part.
    fn finish(mut self, beside: &Path, path: &Path) -> io::Result<()> {
        let mut end = Vec::new();
        census::write_end(self.digest, &mut end);
        self.file.write_all(&end)?;
        self.file.sync_all()?;
        fs::rename(beside, path)?;
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
        // Some file systems do not sync directories; the rename then is as safe as it gets.
        let _ = File::open(dir.unwrap_or(Path::new("."))).and_then(|dir| dir.sync_all());
        Ok(())
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut beside = OsString::from(path);
    beside.push(".new");
    beside.into()
}

/// The wall clock; a host that has none counts from its start.
fn unix_secs() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Nothing that it calls recurses on input; the default would count against `ulimit -v`.
const STACK_BYTES: usize = 256 * 1024;
