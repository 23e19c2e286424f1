//! Table: rows under heads, aligned, no wider than the terminal.
//!
//! ```text
//!  ID  DONE  SIZE  DOWN/s   UP/s  NAME
//!   1   42%  1.4G    2.3M    12K  holiday
//!  12  100%   12M       -      -  a name that is too long for the te
//! ```
//! Every column is as wide as its widest cell; the last one, which is the name of something, gets
//! what is left and is cut.

use crate::command::screen::{columns_of, cut};

/// Which side a column's cells keep to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    Left,
    Right,
}

/// Rows of cells.
pub struct Table {
    heads: Vec<(Side, String)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// `heads`: one word for each column; those that begin with `<` keep to the left.
    pub fn new(heads: &[&str]) -> Table {
        let head = |word: &&str| match word.strip_prefix('<') {
            Some(word) => (Side::Left, word.to_owned()),
            None => (Side::Right, (*word).to_owned()),
        };
        Table { heads: heads.iter().map(head).collect(), rows: Vec::new() }
    }

    /// Adds a row, with one cell for each head.
    pub fn row(&mut self, cells: Vec<String>) {
        assert_eq!(cells.len(), self.heads.len(), "cells and heads");
        self.rows.push(cells);
    }

    /// The lines, heads first; none is wider than `width`.
    pub fn lines(&self, width: usize) -> Vec<String> {
        let widths: Vec<usize> = (0..self.heads.len()).map(|at| self.width(at)).collect();
        let heads: Vec<String> = self.heads.iter().map(|(_, word)| word.clone()).collect();
        let rows = std::iter::once(&heads).chain(&self.rows);
        rows.map(|cells| cut(&self.line(cells, &widths), width).trim_end().to_owned()).collect()
    }

    fn width(&self, column: usize) -> usize {
        let cells = self.rows.iter().map(|cells| width_of(&cells[column]));
        cells.max().unwrap_or(0).max(width_of(&self.heads[column].1))
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let mut line = String::new();
        for (at, ((cell, width), (side, _))) in
            cells.iter().zip(widths).zip(&self.heads).enumerate()
        {
            let gap = if at == 0 { "" } else { "  " };
            let blank = " ".repeat(width - width_of(cell));
            line += &match side {
                Side::Left => format!("{gap}{cell}{blank}"),
                Side::Right => format!("{gap}{blank}{cell}"),
            };
        }
        line
    }
}

/// A number of bytes in at most five columns: `532`, `1.4K`, `23M`; `-` for none. Rounded down.
pub fn amount(bytes: u64) -> String {
    const UNITS: [char; 7] = ['B', 'K', 'M', 'G', 'T', 'P', 'E'];
    if bytes == 0 {
        return "-".to_owned();
    }
    let power = bytes.ilog2() / 10;
    let unit = 1u64 << (10 * power);
    let letter = UNITS[usize::try_from(power).unwrap_or(0)];
    match (power, bytes / unit) {
        (0, bytes) => format!("{bytes}B"),
        (_, whole @ 0..10) => format!("{whole}.{}{letter}", bytes % unit * 10 / unit),
        (_, whole) => format!("{whole}{letter}"),
    }
}

/// A part of a whole in per cent: `7.3%` below ten, `42%`, and `100%` only if it is all.
pub fn share(part: u64, whole: u64) -> String {
    if whole == 0 || part >= whole {
        return "100%".to_owned();
    }
    let tenths = u128::from(part) * 1000 / u128::from(whole);
    match tenths {
        0 => "0%".to_owned(),
        1..100 => format!("{}.{}%", tenths / 10, tenths % 10),
        _ => format!("{}%", tenths / 10),
    }
}

/// A part that is told as a number, in per cent, rounded down: `42%`. `part`: 1 is all.
pub fn whole_percent(part: f64) -> String {
    format!("{:.0}%", (part * 100.0).floor())
}

/// What was given for what was got: `0.73`, `12.4`; `-` if there is no telling.
pub fn ratio(ratio: Option<f64>) -> String {
    match ratio {
        None => "-".to_owned(),
        Some(ratio) if ratio < 10.0 => format!("{ratio:.2}"),
        Some(ratio) if ratio < 1000.0 => format!("{ratio:.1}"),
        Some(ratio) => format!("{ratio:.0}"),
    }
}

/// How many columns of a terminal a text takes.
pub(super) fn width_of(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}
