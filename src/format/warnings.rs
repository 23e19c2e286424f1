//! Warnings: what was odd but mended, as lines for a person.

use super::bencode::Oddities;
use crate::base::limits::WARNINGS_MAX;

/// The first `WARNINGS_MAX` warnings, and a count of the rest.
#[derive(Default)]
pub(super) struct Warnings {
    lines: Vec<String>,
    left_out: usize,
}

impl Warnings {
    pub(super) fn push(&mut self, line: impl FnOnce() -> String) {
        if self.lines.len() < WARNINGS_MAX {
            self.lines.push(line());
        } else {
            self.left_out += 1;
        }
    }

    pub(super) fn note_oddities(&mut self, oddities: Oddities) {
        let table = [
            (oddities.loose_number, "a number with a leading zero"),
            (oddities.unsorted_key, "keys out of order"),
            (oddities.trailing, "bytes after the end"),
        ];
        for (place, what) in table {
            if let Some(at) = place {
                self.push(|| format!("{what}, at byte {at}"));
            }
        }
    }

    pub(super) fn into_lines(mut self) -> Vec<String> {
        if self.left_out > 0 {
            self.lines.push(format!("and {} more warnings", self.left_out));
        }
        self.lines
    }
}
