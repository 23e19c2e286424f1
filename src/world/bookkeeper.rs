//! Bookkeeper: the files in which a daemon remembers its torrents, written durably.
//!
//! ```text
//!  reactor   Keep … ─▶ submit ─▶┐                        ┌─▶ collect ─▶ the answer may be given
//!                               ▼ one after the other    │
//!  thread            write beside, sync, rename, sync ── wake
//! ```
//! Who was told that a torrent was added will find it added after any crash: the answer waits
//! until what it says is safe on the medium. A sync may take seconds, so it is done on a helper
//! thread, which owns each job and answers with all of it.
//!
//! # Interface
//! `load` once, before anything else. Then `submit`; when woken, `collect`.
//!
//! # Limits
//! One job for each request that waits, of which there are at most as many as connections.

use crate::base::order;
use std::fmt;
use std::fs;
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;
use std::sync::Arc;

use super::fault::fault;
use super::folder::{Access, Folder};
use super::worker::{Wake, Worker};
use crate::base::ConnId;
use crate::base::limits::TORRENT_FILE_BYTES_MAX;
use crate::border::DiskFault;
use crate::rpc::book::{SESSION_FILE, TORRENTS_DIR};
use crate::rpc::{Keep, Said, Stored};

/// The reactor's end of the helper thread.
pub struct Bookkeeper {
    folder: Folder,
    wake: Wake,
    thread: Option<Worker<Job, Done>>,
    under_way: usize,
}

/// Changes, and who waits for them.
#[derive(Debug)]
pub struct Job {
    pub keep: Vec<Keep>,
    /// What is to be said, and on which connection, once they are safe.
    pub waiting: Option<(ConnId, Said)>,
}

/// A job that was done.
#[derive(Debug)]
pub struct Done {
    pub waiting: Option<(ConnId, Said)>,
    pub result: Result<(), DiskFault>,
}

/// What an earlier run left.
#[derive(Debug, Default)]
pub struct Left {
    pub session: Option<Vec<u8>>,
    pub torrents: Vec<Stored>,
    /// What could not be read, a line each.
    pub odd: Vec<String>,
}

impl Bookkeeper {
    /// `wake` is called, on the helper thread, when there is something to `collect`.
    pub fn new(state_dir: &Path, wake: impl Fn() + Send + Sync + 'static) -> Bookkeeper {
        let folder = Folder::new(state_dir.to_path_buf());
        Bookkeeper { folder, wake: Arc::new(wake), thread: None, under_way: 0 }
    }

    /// Takes changes to be made; answered by one `Done`. Returns them if no thread can be had.
    pub fn submit(&mut self, job: Job) -> Option<Job> {
        if self.thread.is_none() {
            self.thread = start(self.folder.clone(), Arc::clone(&self.wake));
        }
        let Some(thread) = &self.thread else { return Some(job) };
        thread.give(job);
        self.under_way += 1;
        None
    }

    /// What was done since the last call.
    pub fn collect(&mut self) -> Vec<Done> {
        let mut all = Vec::new();
        while let Some(done) = self.thread.as_ref().and_then(Worker::take) {
            self.under_way -= 1;
            all.push(done);
        }
        all
    }

    /// Whether nothing is under way.
    pub fn is_idle(&self) -> bool {
        self.under_way == 0
    }

    /// Everything that is there from earlier runs. What is not there is no fault.
    pub fn load(&self) -> Left {
        let mut left = Left::default();
        let session = [SESSION_FILE.to_owned()];
        left.session = self.load_one(&session, &mut left.odd);
        let dir = self.folder.root().join(TORRENTS_DIR);
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return left,
            Err(error) => {
                left.odd.push(format!("{}: {error}", dir.display()));
                return left;
            }
        };
        let mut names: Vec<String> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter(|name| name.ends_with(".torrent") || name.ends_with(".magnet"))
            .collect();
        order::sort(&mut names);
        // Where a crash left both, the torrent is what counts.
        let learned = |name: &str| names.contains(&name.replace(".magnet", ".torrent"));
        let only = names.iter().filter(|name| name.ends_with(".torrent") || !learned(name));
        for name in only.cloned().collect::<Vec<String>>() {
            let page = name.replace(".torrent", ".json").replace(".magnet", ".json");
            let path = |name: &str| [TORRENTS_DIR.to_owned(), name.to_owned()];
            let Some(torrent) = self.load_one(&path(&name), &mut left.odd) else { continue };
            let page = self.load_one(&path(&page), &mut left.odd);
            left.torrents.push(Stored { torrent, page });
        }
        left
    }

    fn load_one(&self, path: &[String], odd: &mut Vec<String>) -> Option<Vec<u8>> {
        match self.read(path) {
            Ok(bytes) => Some(bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => {
                odd.push(format!("{}: {error}", self.folder.root().join(path.join("/")).display()));
                None
            }
        }
    }

    fn read(&self, path: &[String]) -> io::Result<Vec<u8>> {
        let file = self.folder.open(path, Access::Read)?.file;
        let mut bytes = Vec::new();
        file.take(TORRENT_FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)?;
        if bytes.len() > TORRENT_FILE_BYTES_MAX {
            return Err(ErrorKind::FileTooLarge.into());
        }
        Ok(bytes)
    }
}

impl fmt::Debug for Bookkeeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Bookkeeper { folder, wake: _, thread: _, under_way } = self;
        let mut shown = f.debug_struct("Bookkeeper");
        shown.field("folder", folder).field("under_way", under_way).finish()
    }
}

// ── On the thread ───────────────────────────────────────────────────────────────────────────

fn start(folder: Folder, wake: Wake) -> Option<Worker<Job, Done>> {
    Worker::start(c"bookkeeper", STACK_BYTES, wake, move |Job { keep, waiting }| {
        let result = write_all(&folder, &keep).map_err(|error| fault(&error));
        Some(Done { waiting, result })
    })
}

/// Makes the changes, one after the other; the first that fails ends it.
fn write_all(folder: &Folder, keep: &[Keep]) -> io::Result<()> {
    folder.make_root()?;
    keep.iter().try_for_each(|keep| match &keep.bytes {
        Some(bytes) => folder.replace(&keep.path, bytes),
        None => folder.remove(&keep.path),
    })
}

/// Writing small files needs little.
const STACK_BYTES: usize = 128 * 1024;
