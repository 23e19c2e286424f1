//! Checker: which of the bytes on disk are the torrent's, found out in slices.
//!
//! When a torrent begins, there may be data already. What the resume record may be believed about
//! is believed; every other piece that could be there is read and hashed, a quarter of a MiB at a
//! time, while the node goes on talking. A piece is believed without reading only if each of its
//! files has the very size and modification time that the record noted after syncing.
//!
//! ```text
//!              a file is missing or too short ─────────────────────▶ missing
//!  piece ──┬── all its files as recorded ──┬─ recorded as had ─────▶ trusted
//!          │                               └─ not, clean exit ─────▶ missing
//!          └── else ───────────────────────────────────────────────▶ to be read
//! ```
//!
//! # Interface
//! `new` sorts the pieces; then `next_job` until `None`, `on_read` for each answer (the driver
//! answers in the order of the jobs), until `is_done`.

use std::collections::VecDeque;

use crate::base::limits::{CHECK_BYTES_PER_TURN, SEND_BUFFER_BYTES};
use crate::base::{Bits, PieceIndex};
use crate::format::digest::Digest;
use crate::format::layout::Layout;
use crate::format::resume::{FileStamp, Resume};

/// Reads under way at once: as many as the driver does in one turn.
const JOBS_MAX: usize = CHECK_BYTES_PER_TURN as usize / SEND_BUFFER_BYTES;

/// A range of a piece that is to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Job {
    pub piece: PieceIndex,
    pub begin: u32,
    pub len: u32,
}

/// A check in progress.
#[derive(Debug)]
pub struct Checker {
    /// Pieces still to be asked for, ascending.
    todo: VecDeque<PieceIndex>,
    /// How much of the first of them was asked for.
    asked: u32,
    under_way: usize,
    /// Pieces of which all was asked for, and whose last part has not been answered; ascending.
    awaited: VecDeque<PieceIndex>,
    /// The piece whose parts are arriving: its hash so far, and whether a part was unreadable.
    digest: Digest,
    unreadable: bool,
    bytes_done: u64,
}

/// What is known before anything was read.
#[derive(Debug)]
pub struct Sorted {
    pub trusted: Bits,
    pub missing: Vec<PieceIndex>,
    pub checker: Checker,
}

/// One piece is decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Checked {
    pub piece: PieceIndex,
    /// All its bytes could be read; the hash says whether they are right.
    pub hash: Option<[u8; 20]>,
}

impl Checker {
    /// Sorts the pieces of a torrent by what can be known of them without reading.
    pub fn sort(layout: &Layout, stamps: &[Option<FileStamp>], resume: Option<&Resume>) -> Sorted {
        let resume = resume.filter(|resume| {
            resume.have.len() == layout.piece_count() && resume.files.len() == stamps.len()
        });
        let believable: Vec<bool> = (0..stamps.len())
            .map(|file| resume.is_some_and(|resume| resume.files[file] == stamps[file]))
            .collect();
        let mut trusted = Bits::none(layout.piece_count());
        let mut missing = Vec::new();
        let mut todo = VecDeque::new();
        for piece in layout.pieces() {
            if !is_there(layout, piece, stamps) {
                missing.push(piece);
                continue;
            }
            let mut spans = layout.spans(piece, 0, layout.piece_len(piece));
            let record = resume.filter(|_| spans.all(|span| believable[span.file]));
            match record {
                Some(resume) if resume.have.has(piece) => {
                    trusted.set(piece);
                }
                Some(resume) if resume.clean => missing.push(piece),
                Some(_) | None => todo.push_back(piece),
            }
        }
        Sorted { trusted, missing, checker: Checker::new(todo) }
    }

    fn new(todo: VecDeque<PieceIndex>) -> Checker {
        Checker {
            todo,
            awaited: VecDeque::new(),
            asked: 0,
            under_way: 0,
            digest: Digest::new(),
            unreadable: false,
            bytes_done: 0,
        }
    }

    /// What to read next; `None` while enough is under way or nothing is left.
    pub fn next_job(&mut self, layout: &Layout) -> Option<Job> {
        if self.under_way == JOBS_MAX {
            return None;
        }
        let piece = *self.todo.front()?;
        let step = u32::try_from(SEND_BUFFER_BYTES).expect("a small constant");
        let begin = self.asked;
        let len = step.min(layout.piece_len(piece) - begin);
        self.asked += len;
        if self.asked == layout.piece_len(piece) {
            self.asked = 0;
            self.todo.pop_front();
            self.awaited.push_back(piece);
        }
        self.under_way += 1;
        Some(Job { piece, begin, len })
    }

    /// Takes the answer to the oldest job: the bytes, or `None` if they cannot be read.
    ///
    /// Returns the piece if this was its last part.
    pub fn on_read(&mut self, layout: &Layout, job: Job, bytes: Option<&[u8]>) -> Option<Checked> {
        assert!(self.under_way > 0, "an answer that nobody asked for");
        self.under_way -= 1;
        self.bytes_done += u64::from(job.len);
        if job.begin == 0 {
            self.digest = Digest::by(layout.hashing());
            self.unreadable = false;
        }
        match bytes {
            Some(bytes) => self.digest.update(bytes),
            None => self.unreadable = true,
        }
        if job.begin + job.len < layout.piece_len(job.piece) {
            return None;
        }
        self.awaited.pop_front();
        let digest = std::mem::take(&mut self.digest);
        let hash = (!self.unreadable).then(|| digest.finish());
        Some(Checked { piece: job.piece, hash })
    }

    pub fn is_done(&self) -> bool {
        self.todo.is_empty() && self.under_way == 0
    }

    /// How many pieces nothing is known of yet.
    pub fn undecided(&self) -> usize {
        self.todo.len() + self.awaited.len()
    }

    /// Whether nothing is known of this piece yet: it is in line, or its last part is awaited.
    pub fn is_undecided(&self, piece: PieceIndex) -> bool {
        self.todo.binary_search(&piece).is_ok() || self.awaited.contains(&piece)
    }

    /// Reads whose answers are awaited.
    pub fn reads_under_way(&self) -> usize {
        self.under_way
    }

    /// Bytes looked at so far.
    pub fn bytes_done(&self) -> u64 {
        self.bytes_done
    }
}

/// Whether every byte of the piece could be there: its files exist and are long enough.
fn is_there(layout: &Layout, piece: PieceIndex, stamps: &[Option<FileStamp>]) -> bool {
    layout.spans(piece, 0, layout.piece_len(piece)).all(|span| {
        layout.files()[span.file].pad
            || stamps[span.file].is_some_and(|stamp| stamp.len >= span.offset + u64::from(span.len))
    })
}
