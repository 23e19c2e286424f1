//! Disk: one node's files in memory, with a disk's ways of letting one down.
//!
//! Each torrent has a folder: the files of its layout, in order, and the resume record. Like a
//! kernel, the disk shows a write at once to whoever reads, but only `save` makes it last:
//!
//! ```text
//!   write ─▶ seen by reads ─▶ save ─▶ lasts
//!                 └── crash before save: each write is lost, or by chance is not
//! ```
//! A crash forgets by the write, not by the file, and out of order, as disks do: that is what a
//! resume record must survive.
//!
//! # Faults
//! `speed` (slow) · `room` (full, after so many more bytes) · `fail_job` (the n-th job from now) ·
//! `break_down` and `mend` (every job) · `flip` (one bit, silently) · `crash`.
//!
//! # Limits
//! Room is counted by bytes written, also where they replace others. A crash restores what an
//! unsaved write replaced; where unsaved writes overlap, their order may show.

use super::clock::Moment;
use super::content::{Content, Cutting};
use super::rope::Sink;
use super::source::{Source, Stretch};
use crate::base::Shelf;
use crate::base::{Bits, InfoHash, PieceIndex, Random, Span};
use crate::engine::DiskFault;
use crate::format::layout::{FileSpan, Layout};
use crate::format::resume::{FileStamp, Resume};

/// How long a job takes: `per_job`, and its bytes at `bytes_per_sec`. Jobs wait for each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Speed {
    pub per_job: Span,
    pub bytes_per_sec: Option<u64>,
}

/// What a crash leaves of the writes that were not saved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Loss {
    /// Only the program ended: what the kernel was given is there.
    Nothing,
    All,
    /// Each write is lost or not, by the toss of a coin.
    Some,
}

/// All folders of one node.
#[derive(Debug)]
pub struct Disk {
    folders: Shelf<InfoHash, Folder>,
    speed: Speed,
    busy_until: Moment,
    /// Bytes that may still be written; `None`: as many as you like.
    room: Option<u64>,
    /// Jobs begun so far.
    jobs: u64,
    /// The number of the job that will fail, and how.
    doomed: Option<(u64, DiskFault)>,
    broken: Option<DiskFault>,
}

#[derive(Debug, Default)]
struct Folder {
    /// One per file of the layout; `None`: not there.
    files: Vec<Option<File>>,
    /// The record as bytes, as the real world keeps it.
    resume: Option<Vec<u8>>,
    /// What writes replaced since the last save, oldest first.
    unsaved: Vec<Replaced>,
    /// What the files would hold if they were whole, as far as somebody said.
    truths: Vec<Stretch>,
}

#[derive(Clone, Debug)]
struct File {
    content: Content,
    modified: Moment,
    /// Length and time at the last save; `None`: not there then.
    saved: Option<(usize, Moment)>,
}

#[derive(Debug)]
struct Replaced {
    file: usize,
    old: Cutting,
    at: Moment,
}

impl Disk {
    pub fn new() -> Disk {
        Disk {
            folders: Shelf::new(),
            speed: Speed::default(),
            busy_until: Moment::START,
            room: None,
            jobs: 0,
            doomed: None,
            broken: None,
        }
    }

    // ── What the disk is like ───────────────────────────────────────────────────────────────

    /// Puts whole files there, saved, as a person would before sharing them.
    pub fn put(&mut self, now: Moment, torrent: InfoHash, files: &[Stretch]) {
        let put = |truth: &Stretch| {
            let content = Content::whole(truth.clone());
            Some(File { content, modified: now, saved: Some((truth.len(), now)) })
        };
        let folder = Folder { files: files.iter().map(put).collect(), ..Folder::default() };
        self.folders.insert(torrent, folder);
        self.expect(torrent, files);
    }

    /// Says what a torrent's files will hold once they are whole. It changes nothing but the
    /// memory that they take: bytes that were compared and are the same need not be kept.
    pub fn expect(&mut self, torrent: InfoHash, files: &[Stretch]) {
        self.folders.get_or_insert_with(torrent, Default::default).truths = files.to_vec();
    }

    pub fn set_speed(&mut self, speed: Speed) {
        self.speed = speed;
    }

    /// So many more bytes may be written; `None`: no bound.
    pub fn set_room(&mut self, room_bytes: Option<u64>) {
        self.room = room_bytes;
    }

    /// The `n`-th job from now (the next one is 1) will fail with `fault`.
    pub fn fail_job(&mut self, n: u64, fault: DiskFault) {
        self.doomed = Some((self.jobs + n, fault));
    }

    /// Every job fails with `fault` until `mend`.
    pub fn break_down(&mut self, fault: DiskFault) {
        self.broken = Some(fault);
    }

    pub fn mend(&mut self) {
        self.broken = None;
    }

    /// Turns one bit of a file over, silently. Returns whether there is such a byte.
    pub fn flip(&mut self, torrent: InfoHash, file: usize, offset: usize) -> bool {
        let folder = self.folders.get_mut(&torrent);
        let file = folder.and_then(|folder| folder.files.get_mut(file)).and_then(Option::as_mut);
        file.is_some_and(|file| file.content.flip(offset))
    }

    /// Somebody else writes a byte into a file: as `flip`, and its time tells.
    pub fn overwrite(&mut self, now: Moment, torrent: InfoHash, file: usize, offset: usize) {
        self.flip(torrent, file, offset);
        let folder = self.folders.get_mut(&torrent);
        let file = folder.and_then(|folder| folder.files.get_mut(file)).and_then(Option::as_mut);
        if let Some(file) = file {
            file.modified = now;
            file.saved = Some((file.content.len(), now));
        }
    }

    /// Loses a file altogether. The resume record stays.
    pub fn remove(&mut self, torrent: InfoHash, file: usize) {
        if let Some(folder) = self.folders.get_mut(&torrent)
            && let Some(place) = folder.files.get_mut(file)
        {
            *place = None;
            folder.unsaved.retain(|replaced| replaced.file != file);
        }
    }

    /// The host lost its power: what was not saved is gone, wholly or by chance.
    pub fn crash(&mut self, loss: Loss, random: &mut Random) {
        if loss != Loss::Nothing {
            self.folders.values_mut().for_each(|folder| folder.crash(loss, random));
        }
        self.busy_until = Moment::START;
    }

    // ── Jobs ────────────────────────────────────────────────────────────────────────────────

    /// When a job of so many bytes that begins now is done.
    pub fn done_at(&mut self, now: Moment, bytes: usize) -> Moment {
        let begins = now.max(self.busy_until);
        let micros = match self.speed.bytes_per_sec {
            None => 0,
            Some(rate) => (bytes as u64).saturating_mul(1_000_000) / rate.max(1),
        };
        self.busy_until = begins.after(self.speed.per_job).after_micros(micros);
        self.busy_until
    }

    /// What is there: one stamp per file of the layout, and the resume record.
    pub fn survey(
        &mut self,
        torrent: InfoHash,
        layout: &Layout,
    ) -> (Result<Vec<Option<FileStamp>>, DiskFault>, Option<Resume>) {
        let begun = self.begin_job();
        let folder = self.folder(torrent, layout);
        let resume = folder.resume();
        (begun.map(|()| folder.stamps()), resume)
    }

    /// Makes the files of length zero; others come into being when they are written.
    pub fn prepare(
        &mut self,
        now: Moment,
        torrent: InfoHash,
        layout: &Layout,
    ) -> Result<(), DiskFault> {
        self.begin_job()?;
        let folder = self.folder(torrent, layout);
        for (place, file) in folder.files.iter_mut().zip(layout.files()) {
            if file.len == 0 && place.is_none() {
                *place = Some(File::empty(now, Stretch::default()));
            }
        }
        Ok(())
    }

    /// Writes bytes of a piece from `begin` on. On a full disk, what there is room for.
    pub fn write(
        &mut self,
        now: Moment,
        torrent: InfoHash,
        layout: &Layout,
        place: (PieceIndex, u32),
        bytes: &[u8],
    ) -> Result<(), DiskFault> {
        self.begin_job()?;
        let len = u32::try_from(bytes.len()).expect("a write is a part of a piece");
        let spans: Vec<FileSpan> = layout.spans(place.0, place.1, len).collect();
        let mut rest = bytes;
        for span in spans {
            let (part, behind) = rest.split_at(span.len as usize);
            rest = behind;
            if layout.files()[span.file].pad {
                continue;
            }
            let granted = self.take_room(part.len());
            self.folder(torrent, layout).write(now, &span, &part[..granted]);
            if granted < part.len() {
                return Err(DiskFault::Full);
            }
        }
        assert!(rest.is_empty(), "the layout left {} bytes without a file", rest.len());
        Ok(())
    }

    /// Hands `len` bytes of a piece from `begin` on to `into`.
    ///
    /// `Missing` if a file is not there or too short; holes read as zeros.
    pub fn read(
        &mut self,
        torrent: InfoHash,
        layout: &Layout,
        place: (PieceIndex, u32),
        len: u32,
        into: &mut impl Sink,
    ) -> Result<(), DiskFault> {
        self.begin_job()?;
        self.look(torrent, layout, place, len, into).ok_or(DiskFault::Missing)
    }

    /// Makes all writes last, then the record that says so.
    pub fn save(
        &mut self,
        torrent: InfoHash,
        layout: &Layout,
        have: Bits,
        moved: (u64, u64),
        clean: bool,
    ) -> Result<(), DiskFault> {
        self.begin_job()?;
        let folder = self.folder(torrent, layout);
        folder.unsaved.clear();
        for file in folder.files.iter_mut().flatten() {
            file.saved = Some((file.content.len(), file.modified));
        }
        let files = folder.stamps();
        let (uploaded, downloaded) = moved;
        let record = Resume { info_hash: torrent, have, files, clean, uploaded, downloaded };
        let mut bytes = Vec::new();
        record.write(&mut bytes);
        folder.resume = Some(bytes);
        Ok(())
    }

    /// Takes the record away and, with `erase`, the files.
    pub fn forget(&mut self, torrent: InfoHash, erase: bool) -> Result<(), DiskFault> {
        self.begin_job()?;
        let Some(folder) = self.folders.get_mut(&torrent) else { return Ok(()) };
        folder.resume = None;
        if erase {
            self.folders.remove(&torrent);
        }
        Ok(())
    }

    // ── Questions, which are no jobs ────────────────────────────────────────────────────────

    /// As `read`, but for those who watch: it cannot fail on purpose and is not counted.
    pub fn look(
        &self,
        torrent: InfoHash,
        layout: &Layout,
        place: (PieceIndex, u32),
        len: u32,
        into: &mut impl Sink,
    ) -> Option<()> {
        let folder = self.folders.get(&torrent)?;
        for span in layout.spans(place.0, place.1, len) {
            if layout.files()[span.file].pad {
                into.zeros(span.len as usize);
                continue;
            }
            let file = folder.files.get(span.file)?.as_ref()?;
            let begin = usize::try_from(span.offset).ok()?;
            file.content.read(begin, span.len as usize, into)?;
        }
        Some(())
    }

    /// Whether all of a piece is there and as `source` has it.
    pub fn holds(&self, source: &Source, piece: PieceIndex) -> bool {
        let layout = source.layout();
        let files = self.folders.get(&source.info_hash()).map(|folder| &folder.files);
        layout.spans(piece, 0, layout.piece_len(piece)).all(|span| {
            let file = files.and_then(|files| files.get(span.file)?.as_ref());
            let begin = usize::try_from(span.offset).expect("files in memory");
            let is_true = |file: &File| {
                file.content.is_true(&source.files[span.file], begin, span.len as usize)
            };
            layout.files()[span.file].pad || file.is_some_and(is_true)
        })
    }

    /// What a file holds; `None` if it is not there.
    pub fn file(&self, torrent: InfoHash, file: usize) -> Option<&Content> {
        let file = self.folders.get(&torrent)?.files.get(file)?.as_ref()?;
        Some(&file.content)
    }

    /// The resume record, if there is one that can be read.
    pub fn resume(&self, torrent: InfoHash) -> Option<Resume> {
        self.folders.get(&torrent)?.resume()
    }

    /// Jobs begun so far.
    pub fn jobs(&self) -> u64 {
        self.jobs
    }

    // ── Inside ──────────────────────────────────────────────────────────────────────────────

    fn begin_job(&mut self) -> Result<(), DiskFault> {
        self.jobs += 1;
        if let Some(fault) = self.broken {
            return Err(fault);
        }
        match self.doomed.take_if(|(job, _)| *job == self.jobs) {
            Some((_, fault)) => Err(fault),
            None => Ok(()),
        }
    }

    fn folder(&mut self, torrent: InfoHash, layout: &Layout) -> &mut Folder {
        let folder = self.folders.get_or_insert_with(torrent, Default::default);
        folder.files.resize(layout.files().len(), None);
        folder
    }

    fn take_room(&mut self, wanted: usize) -> usize {
        let Some(room) = self.room else { return wanted };
        let granted = usize::try_from(room).unwrap_or(usize::MAX).min(wanted);
        self.room = Some(room - granted as u64);
        granted
    }
}

impl Default for Disk {
    fn default() -> Self {
        Disk::new()
    }
}

impl Folder {
    fn resume(&self) -> Option<Resume> {
        self.resume.as_deref().and_then(|bytes| Resume::parse(bytes).ok())
    }

    fn stamps(&self) -> Vec<Option<FileStamp>> {
        self.files.iter().map(|file| file.as_ref().map(File::stamp)).collect()
    }

    fn write(&mut self, now: Moment, span: &FileSpan, bytes: &[u8]) {
        let place = &mut self.files[span.file];
        let truth = self.truths.get(span.file);
        let file =
            place.get_or_insert_with(|| File::empty(now, truth.cloned().unwrap_or_default()));
        let begin = usize::try_from(span.offset).expect("files in memory");
        let old = file.content.write(begin, bytes);
        file.modified = now;
        self.unsaved.push(Replaced { file: span.file, old, at: now });
    }

    fn crash(&mut self, loss: Loss, random: &mut Random) {
        let mut kept: Vec<Replaced> = Vec::new();
        for replaced in self.unsaved.drain(..).rev() {
            let Some(file) = &mut self.files[replaced.file] else { continue };
            if loss == Loss::Some && random.below(2) == 0 {
                kept.push(replaced);
                continue;
            }
            file.content.put_back(replaced.old);
        }
        for (index, place) in self.files.iter_mut().enumerate() {
            let mine = kept.iter().filter(|write| write.file == index);
            *place = place.take().and_then(|file| file.after_crash(mine));
        }
    }
}

impl File {
    fn empty(now: Moment, truth: Stretch) -> File {
        File { content: Content::empty(truth), modified: now, saved: None }
    }

    fn stamp(&self) -> FileStamp {
        let nanos = i64::try_from(self.modified.as_micros() * 1000).unwrap_or(i64::MAX);
        FileStamp { len: self.content.len() as u64, modified_nanos: nanos }
    }

    /// As long and as old as the last save and the writes that outlived the crash make it.
    fn after_crash<'a>(mut self, kept: impl Iterator<Item = &'a Replaced>) -> Option<File> {
        let mut now = self.saved;
        for write in kept {
            let (len, modified) = now.unwrap_or((0, Moment::START));
            now = Some((len.max(write.old.end()), modified.max(write.at)));
        }
        let (len, modified) = now?;
        self.content.truncate(len);
        self.modified = modified;
        self.saved = now;
        Some(self)
    }
}
