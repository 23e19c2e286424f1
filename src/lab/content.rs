//! Content: the bytes of one file, of which only what differs from the truth is kept.
//!
//! A thousand copies of a file differ in next to nothing from the source that they were made from.
//! So a file is a row of *runs*; where the bytes are those of the source, the run says just that.
//!
//! ```text
//!   offset  0            32768        49152            81920     98304
//!           │    True    │    (hole)    │    True    │ Own: [..] │
//!           same as source   zeros        same           kept here
//! ```
//! A run is `True` only after its bytes were compared with the source, one by one, when they were
//! written. Whatever changes a byte afterwards (a flipped bit, a write, a crash) cuts it out of
//! its run. So to say that a copy is right it is enough to look at its runs.
//!
//! # Invariants
//! Runs do not overlap, none is empty, none reaches beyond `len` · no two `True` runs touch ·
//! behind every `True` run the source has bytes.

use super::rope::Sink;
use super::source::Stretch;

/// One file.
#[derive(Clone, Debug)]
pub struct Content {
    /// What the source's file holds; empty if nobody said, and then every byte is kept.
    truth: Stretch,
    len: usize,
    /// Each with the offset of its first byte, ascending; what lies between runs is a hole and
    /// reads as zeros. There are few: what is written in a row becomes one.
    runs: Vec<(usize, Run)>,
}

/// Bytes in a row that are kept in the same way.
#[derive(Clone, Debug)]
enum Run {
    /// So many bytes as in the source, at the same place.
    True(usize),
    Own(Vec<u8>),
}

/// What stood where something was written: to be put back if a crash takes the write away.
#[derive(Clone, Debug)]
pub struct Cutting {
    begin: usize,
    len: usize,
    runs: Vec<(usize, Run)>,
}

impl Content {
    /// An empty file that may become what `truth` is.
    pub fn empty(truth: Stretch) -> Content {
        Content { truth, len: 0, runs: Vec::new() }
    }

    /// A whole copy.
    pub fn whole(truth: Stretch) -> Content {
        let len = truth.len();
        let runs = (len > 0).then_some((0, Run::True(len)));
        Content { truth, len, runs: runs.into_iter().collect() }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Writes bytes, and makes the file longer if need be. Returns what they replaced.
    pub fn write(&mut self, begin: usize, bytes: &[u8]) -> Cutting {
        let end = begin + bytes.len();
        let cutting = self.cut(begin, end);
        self.len = self.len.max(end);
        if self.truth.get(begin..end).is_some_and(|truth| truth == bytes) {
            self.insert(begin, Run::True(bytes.len()));
        } else {
            self.insert(begin, Run::Own(bytes.to_vec()));
        }
        cutting
    }

    /// Puts back what a write replaced; the length stays.
    pub fn put_back(&mut self, cutting: Cutting) {
        self.cut(cutting.begin, cutting.end());
        for (begin, run) in cutting.runs {
            self.insert(begin, run);
        }
    }

    /// Makes the file shorter.
    pub fn truncate(&mut self, len: usize) {
        if len < self.len {
            self.cut(len, self.len);
            self.len = len;
        }
    }

    /// Turns the lowest bit of one byte over. Returns whether there is such a byte.
    pub fn flip(&mut self, at: usize) -> bool {
        let mut byte = Vec::new();
        if self.read(at, 1, &mut byte).is_none() {
            return false;
        }
        byte[0] ^= 1;
        self.write(at, &byte);
        true
    }

    /// Hands a range to `sink`; `None` if the file ends before.
    pub fn read(&self, begin: usize, len: usize, sink: &mut impl Sink) -> Option<()> {
        let end = begin.checked_add(len).filter(|&end| end <= self.len)?;
        let mut at = begin;
        let places = self.from(begin).saturating_sub(1)..self.from(end);
        for (from, run) in &self.runs[places] {
            let (first, last) = ((*from).max(begin), (from + run.len()).min(end));
            if first >= last {
                continue;
            }
            sink.zeros(first - at);
            match run {
                Run::True(_) => sink.stretch(self.truth.part(first, last - first)),
                Run::Own(bytes) => sink.bytes(&bytes[first - from..last - from]),
            }
            at = last;
        }
        sink.zeros(end - at);
        Some(())
    }

    /// Whether a range is there and holds what `truth`, a file of a source, holds there.
    pub fn is_true(&self, truth: &Stretch, begin: usize, len: usize) -> bool {
        let run = self.runs[..self.from(begin + 1)].last().filter(|_| len > 0);
        let is_marked = run.is_some_and(|(from, run)| match run {
            Run::True(run_len) => begin + len <= from + run_len,
            Run::Own(_) => false,
        });
        if is_marked && self.truth.is_same(truth) {
            return true;
        }
        let mut bytes = Vec::new();
        self.read(begin, len, &mut bytes).is_some()
            && truth.get(begin..begin + len).is_some_and(|truth| truth == bytes)
    }

    /// Where the file first differs from `truth`; `None` if they are equal, their length too.
    pub fn first_difference(&self, truth: &Stretch) -> Option<usize> {
        if self.len == truth.len() && self.is_true(truth, 0, self.len) {
            return None;
        }
        let bytes = self.bytes();
        let at = bytes.iter().zip(truth.iter()).position(|(ours, theirs)| ours != theirs);
        at.or_else(|| (bytes.len() != truth.len()).then(|| bytes.len().min(truth.len())))
    }

    /// All bytes, copied.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.len);
        self.read(0, self.len, &mut bytes).expect("a file has as many bytes as it is long");
        bytes
    }

    /// Asserts what the header promises.
    pub fn check(&self) {
        let (mut end, mut was_true) = (0, false);
        for &(begin, ref run) in &self.runs {
            let is_true = matches!(run, Run::True(_));
            assert!(run.len() > 0 && begin >= end, "runs overlap at {begin}");
            assert!(!(is_true && was_true && begin == end), "two true runs touch at {begin}");
            end = begin + run.len();
            assert!(!is_true || end <= self.truth.len(), "more truth than there is");
            was_true = is_true;
        }
        assert!(end <= self.len, "a run ends at {end} in a file of {}", self.len);
    }

    // ── Inside ──────────────────────────────────────────────────────────────────────────────

    /// Takes everything from `begin` to `end` out; a hole is left.
    fn cut(&mut self, begin: usize, end: usize) -> Cutting {
        // Nearly always there was nothing.
        let last = self.runs[..self.from(end)].last();
        if begin == end || last.is_none_or(|(from, run)| from + run.len() <= begin) {
            return Cutting { begin, len: end - begin, runs: Vec::new() };
        }
        self.split(begin);
        self.split(end);
        let places = self.from(begin)..self.from(end);
        Cutting { begin, len: end - begin, runs: self.runs.drain(places).collect() }
    }

    /// Sees to it that no run lies on both sides of `at`.
    fn split(&mut self, at: usize) {
        let place = self.from(at);
        let Some((from, run)) = self.runs[..place].last_mut() else { return };
        let from = *from;
        if from + run.len() <= at {
            return;
        }
        let behind = match run {
            Run::True(len) => {
                let behind = Run::True(from + *len - at);
                *len = at - from;
                behind
            }
            Run::Own(bytes) => Run::Own(bytes.split_off(at - from)),
        };
        self.runs.insert(place, (at, behind));
    }

    /// Puts a run where nothing is; true runs that touch become one.
    fn insert(&mut self, begin: usize, run: Run) {
        if run.len() == 0 {
            return;
        }
        let place = self.from(begin);
        // Mostly it goes on where something ended.
        if let (Run::True(more), Some((from, Run::True(len)))) =
            (&run, self.runs[..place].last_mut())
            && *from + *len == begin
        {
            *len += more;
            return self.join(place - 1);
        }
        self.runs.insert(place, (begin, run));
        self.join(place);
    }

    /// Makes one of the run at `place` and the next, if both are true and touch.
    fn join(&mut self, place: usize) {
        if let [(begin, Run::True(len)), (next, Run::True(more)), ..] = &mut self.runs[place..]
            && *begin + *len == *next
        {
            *len += *more;
            self.runs.remove(place + 1);
        }
    }

    /// The place of the first run that begins at `offset` or behind.
    fn from(&self, offset: usize) -> usize {
        self.runs.partition_point(|(begin, _)| *begin < offset)
    }
}

impl Run {
    fn len(&self) -> usize {
        match self {
            Run::True(len) => *len,
            Run::Own(bytes) => bytes.len(),
        }
    }
}

impl Cutting {
    /// The offset behind its last byte.
    pub fn end(&self) -> usize {
        self.begin + self.len
    }
}
