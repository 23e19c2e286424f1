//! Watch: a directory into which people put .torrent files that the daemon is to take on.
//!
//! It is looked at every few seconds. A file that has not changed between two looks is complete;
//! it is read, taken on, and called `NAME.torrent.added` as soon as the daemon has it in its book.
//!
//! ```text
//!  appears ─▶ new ── changes ─▶ new
//!              │ the same as at the last look
//!              ▼
//!            read ── a torrent ─▶ taken ── safe in the book ─▶ renamed, forgotten
//!              └──── no torrent ─▶ refused ── changes ─▶ new
//! ```
//! What is refused is told in one line and not again before the file changes.
//!
//! # Invariants
//! A file is renamed after the book is safe, so after any crash it is either in the book or still
//! here to be found again.
//!
//! # Limits
//! `WATCH_FILES_MAX` files are known at a time, `WATCH_ADDED_PER_LOOK` read at one look.
//!
//! # Why
//! Looking is cheap, works on network file systems, and needs no queue of the kernel that can
//! overflow; a person does not notice the seconds.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use super::fault::fault;
use super::folder::{Access, Folder};
use super::reactor::Reactor;
use crate::base::limits::{
    TORRENT_FILE_BYTES_MAX, WATCH_ADDED_PER_LOOK, WATCH_DIR_EVERY, WATCH_FILES_MAX,
};
use crate::base::{Shelf, Time};
use crate::engine::diet::Level;
use crate::engine::{Adopted, Event, Order};
use crate::format::metainfo::Metainfo;
use crate::format::text;

/// What tells whether a file has changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stamp {
    pub len: u64,
    pub modified_nanos: u128,
}

/// What is to be done with a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    /// It is complete: read it.
    Read,
    /// It was taken on before: rename it.
    Rename,
}

/// What is known of a file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Known {
    New(Stamp),
    Refused(Stamp),
    Taken,
    /// It was taken on and cannot be renamed; a person was told.
    Stuck,
}

/// What is known of the files of a directory. Pure.
#[derive(Debug, Default)]
pub struct Ledger {
    files: Shelf<String, Known>,
}

impl Ledger {
    /// Takes in what is there now; returns what is to be done. Say of each file that was to be
    /// read whether it was taken or refused; who does not is told to read it again.
    pub fn settle(&mut self, listed: &Shelf<String, Stamp>) -> Vec<(String, Step)> {
        self.files.retain(|name, _| listed.contains_key(name));
        let mut steps = Vec::new();
        let mut reads = 0;
        for (name, &stamp) in listed.iter() {
            let Some(known) = self.files.get_mut(name) else {
                if self.files.len() < WATCH_FILES_MAX {
                    self.files.insert(name.clone(), Known::New(stamp));
                }
                continue;
            };
            match *known {
                Known::New(before) if before == stamp => {
                    if reads < WATCH_ADDED_PER_LOOK {
                        steps.push((name.clone(), Step::Read));
                        reads += 1;
                    }
                }
                Known::Refused(before) if before == stamp => {}
                Known::New(_) | Known::Refused(_) => *known = Known::New(stamp),
                Known::Taken => steps.push((name.clone(), Step::Rename)),
                Known::Stuck => {}
            }
        }
        steps
    }

    /// The file was taken on.
    pub fn take(&mut self, name: &str) {
        self.know(name, |_| Known::Taken);
    }

    /// The file is no torrent, as it is.
    pub fn refuse(&mut self, name: &str) {
        self.know(name, |known| match known {
            Known::New(stamp) => Known::Refused(stamp),
            Known::Refused(_) | Known::Taken | Known::Stuck => known,
        });
    }

    /// The file cannot be renamed.
    pub fn leave(&mut self, name: &str) {
        self.know(name, |_| Known::Stuck);
    }

    fn know(&mut self, name: &str, change: impl FnOnce(Known) -> Known) {
        if let Some(known) = self.files.get_mut(name) {
            *known = change(*known);
        }
    }
}

/// A directory that is watched.
#[derive(Debug)]
pub(super) struct Watch {
    folder: Folder,
    ledger: Ledger,
    next_look: Time,
    /// It cannot be read; a person was told.
    is_troubled: bool,
}

impl Watch {
    pub(super) fn new(dir: PathBuf) -> Watch {
        let folder = Folder::new(dir);
        Watch { folder, ledger: Ledger::default(), next_look: Time::START, is_troubled: false }
    }

    pub(super) fn deadline(&self) -> Time {
        self.next_look
    }

    /// Looks at the directory; a `String` is what a person should hear.
    fn look(&mut self, now: Time) -> Result<Vec<(String, Step)>, Option<String>> {
        self.next_look = now + WATCH_DIR_EVERY;
        match list(self.folder.root()) {
            Ok(listed) => {
                self.is_troubled = false;
                Ok(self.ledger.settle(&listed))
            }
            Err(error) => {
                let is_news = !std::mem::replace(&mut self.is_troubled, true);
                Err(is_news.then(|| fault(&error).to_string()))
            }
        }
    }

    fn read(&self, name: &str) -> Result<(Vec<u8>, Metainfo), String> {
        let opened = self.folder.open(&[name.to_owned()], Access::Read);
        let mut bytes = Vec::new();
        let read = opened.and_then(|opened| {
            opened.file.take(TORRENT_FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes)
        });
        read.map_err(|error| fault(&error).to_string())?;
        if bytes.len() > TORRENT_FILE_BYTES_MAX {
            return Err(format!("larger than {TORRENT_FILE_BYTES_MAX} bytes"));
        }
        let metainfo = Metainfo::parse(&bytes).map_err(|malformed| malformed.to_string())?;
        Ok((bytes, metainfo))
    }

    /// The name under which nobody looks at it again.
    fn rename(&self, name: &str) -> io::Result<()> {
        let dir = self.folder.root();
        fs::rename(dir.join(name), dir.join(format!("{name}.added")))
    }

    fn shown(&self, name: &str) -> String {
        text::clean(self.folder.root().join(name).display().to_string())
    }
}

/// The plain files *.torrent of a directory. Names that are no UTF-8 are nobody's.
fn list(dir: &Path) -> io::Result<Shelf<String, Stamp>> {
    let mut listed = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        // What vanishes between two calls was not there.
        let Some(there) = entry.metadata().ok().filter(fs::Metadata::is_file) else { continue };
        if !name.to_ascii_lowercase().ends_with(".torrent") {
            continue;
        }
        let modified = there.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
        let modified_nanos = modified.map_or(0, |since| since.as_nanos());
        listed.push((name, Stamp { len: there.len(), modified_nanos }));
    }
    Ok(listed.into_iter().collect())
}

impl Reactor {
    /// Looks at the watched directory, if it is time, and takes on what is new there.
    pub(super) fn mind_watch(&mut self) {
        let now = self.now;
        let Some(watch) = self.watch.as_mut().filter(|watch| watch.deadline() <= now) else {
            return;
        };
        let steps = match watch.look(now) {
            Ok(steps) => steps,
            Err(why) => {
                let file = watch.shown("");
                self.news.extend(why.map(|reason| Event::WatchTrouble { file, reason }));
                return;
            }
        };
        if self.engine.level() == Level::Over {
            // They lie there well until there is memory for them.
            return;
        }
        // Out of `self` for the moment: taking a torrent on needs all the rest.
        let Some(mut watch) = self.watch.take() else { return };
        for (name, step) in steps {
            let done = match step {
                Step::Read => self.take_from_watch(&mut watch, &name),
                Step::Rename => self.rename_in_watch(&mut watch, &name),
            };
            if let Err(reason) = done {
                self.news.push(Event::WatchTrouble { file: watch.shown(&name), reason });
            }
        }
        self.watch = Some(watch);
    }

    fn take_from_watch(&mut self, watch: &mut Watch, name: &str) -> Result<(), String> {
        let (bytes, metainfo) = watch.read(name).inspect_err(|_| watch.ledger.refuse(name))?;
        let Some((dir, paused)) = self.remote.as_ref().map(|remote| remote.place()) else {
            return Ok(());
        };
        watch.ledger.take(name);
        if self.engine.find(metainfo.info_hash).is_some() {
            return Ok(());
        }
        let order = Order { paused, ..Order::new(metainfo) };
        match self.adopt(Adopted { order, dir, bytes, was_found: false }) {
            Some(torrent) => {
                self.news.push(Event::Added { torrent });
                Ok(())
            }
            None => {
                watch.ledger.refuse(name);
                Err("the same torrent is being removed".to_owned())
            }
        }
    }

    /// What is safe in the book needs no second look.
    fn rename_in_watch(&mut self, watch: &mut Watch, name: &str) -> Result<(), String> {
        let is_safe = self.remote.as_ref().is_some_and(|remote| remote.is_safe());
        if !is_safe {
            return Ok(());
        }
        watch.rename(name).map_err(|error| {
            watch.ledger.leave(name);
            format!("it cannot be renamed: {}", fault(&error))
        })
    }
}
