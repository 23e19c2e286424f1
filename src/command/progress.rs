//! Progress: how far a long job is, as a line that fits.
//!
//! ```text
//!  42 %  [===========>              ]  14s left  12.3 MiB/s  121 of 292 MiB  4 peers
//!        └ takes what room is left ┘  └── parts, dropped from the right if need be ──┘
//! ```
//!
//! # Interface
//! `bar` makes the line. A `Meter` draws one while a single known amount of work is done, such as
//! hashing; a running node has its own line, in `run.rs`.

use std::time::{Duration, Instant};

use super::Screen;
use crate::base::Span;
use crate::format::text;

/// Redrawing more often than this is only flicker.
pub const REDRAW_EVERY: Duration = Duration::from_millis(200);

/// Narrower bars say nothing; wider ones only push the numbers apart.
const BAR_COLUMNS: std::ops::RangeInclusive<usize> = 10..=30;

/// A line for `done` of `total`, then as many of `parts`, in their order, as fit into `width`.
pub fn bar(done: u64, total: u64, parts: &[String], width: usize) -> String {
    // The screen keeps one column free.
    let width = width.saturating_sub(1);
    let mut tail = String::new();
    let head = format!("{:3} %", per_cent(done, total));
    for part in parts.iter().filter(|part| !part.is_empty()) {
        let longer = format!("{tail}  {part}");
        if columns(&head) + columns(&longer) > width {
            break;
        }
        tail = longer;
    }
    let room = width.saturating_sub(columns(&head) + columns(&tail) + "  []".len());
    if room < *BAR_COLUMNS.start() {
        return head + &tail;
    }
    format!("{head}  [{}]{tail}", arrow(done, total, room.min(*BAR_COLUMNS.end())))
}

/// Whole per cent, rounded down: 100 only when all is done. Nothing to do is all done.
pub fn per_cent(done: u64, total: u64) -> u64 {
    if total == 0 {
        return 100;
    }
    let share = u128::from(done.min(total)) * 100 / u128::from(total);
    u64::try_from(share).expect("at most 100")
}

/// Bytes per second over a whole job.
pub fn average(bytes: u64, took: Span) -> u64 {
    let per_sec = u128::from(bytes) * 1000 / u128::from(took.as_millis().max(1));
    u64::try_from(per_sec).unwrap_or(u64::MAX)
}

/// `1 peer`, `2 peers`.
pub fn counted(count: usize, what: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {what}{plural}")
}

/// The progress of one job of known size.
pub struct Meter {
    total: u64,
    done: u64,
    begun: Instant,
    drawn: Instant,
}

impl Meter {
    pub fn new(total: u64) -> Meter {
        let now = Instant::now();
        Meter { total, done: 0, begun: now, drawn: now }
    }

    /// Counts `more` bytes as done, and shows it.
    pub fn add(&mut self, screen: &mut Screen, more: u64) {
        self.done = self.done.saturating_add(more);
        if !screen.is_terminal() || self.drawn.elapsed() < REDRAW_EVERY {
            return;
        }
        self.drawn = Instant::now();
        let rate = average(self.done, self.took());
        let left = self.total.saturating_sub(self.done).checked_div(rate).map(Span::from_secs);
        let parts = [
            left.map_or(String::new(), |left| format!("{} left", text::duration(left))),
            format!("{}/s", text::size(rate)),
            format!("{} of {}", text::size(self.done), text::size(self.total)),
        ];
        screen.progress(&bar(self.done, self.total, &parts, screen.width()));
    }

    /// How long the job has taken so far.
    pub fn took(&self) -> Span {
        Span::from_millis(u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}

fn arrow(done: u64, total: u64, columns: usize) -> String {
    let share = usize::try_from(per_cent(done, total)).expect("at most 100");
    let filled = columns * share / 100;
    let tip = if filled < columns { ">" } else { "" };
    let blank = columns.saturating_sub(filled + tip.len());
    format!("{}{tip}{}", "=".repeat(filled), " ".repeat(blank))
}

/// Our own words are ASCII, one column a letter.
fn columns(text: &str) -> usize {
    text.chars().count()
}
