//! Film: how far everybody was, frame by frame.
//!
//! Nobody knows beforehand how long a run takes, and a picture is only so wide. So frames are
//! taken often at first; when there are too many, every second one goes and the rest is taken
//! half as often. Whatever the length of the run, there are between half of `FRAMES_MAX` and all.
//!
//! ```text
//!   | | | | | | | |          too many
//!   |   |   |   |   |   |    every second one stays, and so it goes on
//! ```

use super::Lab;
use super::clock::Moment;
use super::source::SourceId;
use crate::base::Span;

/// More would fall on the same dot of a picture.
const FRAMES_MAX: usize = 600;

const FIRST_INTERVAL: Span = Span::from_millis(50);

/// Frames of one torrent's run.
#[derive(Debug)]
pub struct Film {
    source: SourceId,
    interval: Span,
    next_at: Moment,
    frames: Vec<Frame>,
}

/// One moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub at: Moment,
    /// How many pieces each node has, by its number; 0 of those who are not ours.
    pub have: Vec<u32>,
    /// How many copies there are of the rarest piece, and of all pieces together.
    pub rarest: u32,
    pub copies: u64,
    /// Payload bytes sent so far.
    pub payload: u64,
}

impl Film {
    pub fn new(source: SourceId) -> Film {
        Film { source, interval: FIRST_INTERVAL, next_at: Moment::START, frames: Vec::new() }
    }

    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// Whether `now` is the time for another frame.
    pub fn is_due(&self, now: Moment) -> bool {
        now >= self.next_at
    }

    fn add(&mut self, frame: Frame) {
        self.next_at = frame.at.after(self.interval);
        self.frames.push(frame);
        if self.frames.len() > FRAMES_MAX {
            let mut number = 0;
            self.frames.retain(|_| {
                number += 1;
                number % 2 == 1
            });
            self.interval = self.interval.times(2);
        }
    }
}

impl Lab {
    /// Takes frames of a torrent from now on.
    pub fn roll(&mut self, source: SourceId) {
        self.film = Some(Film::new(source));
    }

    /// What was taken, if somebody asked for it.
    pub fn film(&self) -> Option<&Film> {
        self.film.as_ref()
    }

    pub(super) fn take_frame(&mut self) {
        let Some(mut film) = self.film.take() else { return };
        film.add(self.frame(film.source));
        self.film = Some(film);
    }

    fn frame(&self, source: SourceId) -> Frame {
        let source = &self.sources[source.0];
        let mut holders = vec![0; source.layout().piece_count() as usize];
        let mut have = Vec::with_capacity(self.nodes.len());
        for node in &self.nodes {
            let bits = node.engine().and_then(|engine| engine.have(source.info_hash()));
            have.push(bits.map_or(0, |bits| bits.count()));
            // Who has stopped keeps its pieces to itself.
            let gives = node.engine().is_some_and(|engine| !engine.is_stopped());
            for piece in bits.into_iter().filter(|_| gives).flat_map(|bits| bits.iter()) {
                holders[piece.at()] += 1;
            }
        }
        Frame {
            at: self.now,
            have,
            rarest: holders.iter().copied().min().unwrap_or(0),
            copies: holders.iter().map(|&count| u64::from(count)).sum(),
            payload: self.tally.payload(),
        }
    }
}
