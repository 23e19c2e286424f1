//! Line: one line of a trace, read and written.
//!
//! # Limits
//! `TRACE_LINE_BYTES_MAX`; whoever reads a file sees to it that longer ones are never held.

use std::fmt;
use std::net::SocketAddr;

use crate::base::limits::TRACE_LINE_BYTES_MAX;
use crate::base::{ConnId, Time};

/// One thing that happened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Line<'t> {
    /// Its place in the file, from 1.
    pub number: usize,
    pub at: Time,
    pub conn: Option<ConnId>,
    pub peer: Option<SocketAddr>,
    pub word: Word,
    pub rest: &'t str,
}

/// What happened; the table in `trace/mod.rs` tells what each means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Word {
    Begins,
    Adds,
    Seeks,
    Torrent,
    Stops,
    Ticks,
    Dials,
    Connected,
    Refused,
    Accepts,
    Says,
    Hears,
    Serves,
    Unqueues,
    Sent,
    Because,
    Closes,
    Lost,
    Unreadable,
    Moved,
    Announces,
    Told,
    Surveys,
    Prepares,
    Writes,
    Reads,
    Saves,
    Removes,
    Receives,
}

/// Every word as it is written.
const WORDS: [(Word, &str); 29] = [
    (Word::Begins, "begins"),
    (Word::Adds, "adds"),
    (Word::Seeks, "seeks"),
    (Word::Torrent, "torrent"),
    (Word::Stops, "stops"),
    (Word::Ticks, "ticks"),
    (Word::Dials, "dials"),
    (Word::Connected, "connected"),
    (Word::Refused, "refused"),
    (Word::Accepts, "accepts"),
    (Word::Says, "says"),
    (Word::Hears, "hears"),
    (Word::Serves, "serves"),
    (Word::Unqueues, "unqueues"),
    (Word::Sent, "sent"),
    (Word::Because, "because"),
    (Word::Closes, "closes"),
    (Word::Lost, "lost"),
    (Word::Unreadable, "unreadable"),
    (Word::Moved, "moved"),
    (Word::Announces, "announces"),
    (Word::Told, "told"),
    (Word::Surveys, "surveys"),
    (Word::Prepares, "prepares"),
    (Word::Writes, "writes"),
    (Word::Reads, "reads"),
    (Word::Saves, "saves"),
    (Word::Removes, "removes"),
    (Word::Receives, "receives"),
];

/// A line that no recorder wrote.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Damaged {
    /// Its place in the file, from 1.
    pub line: usize,
    pub what: &'static str,
}

impl Word {
    pub fn name(self) -> &'static str {
        WORDS.iter().find(|(word, _)| *word == self).map_or("", |(_, name)| name)
    }

    fn parse(name: &str) -> Option<Word> {
        WORDS.iter().find(|(_, other)| *other == name).map(|(word, _)| *word)
    }

    /// Whether it is what the engine wanted, and not what it was told.
    pub fn is_output(self) -> bool {
        match self {
            Word::Dials
            | Word::Says
            | Word::Serves
            | Word::Unqueues
            | Word::Because
            | Word::Closes
            | Word::Announces => true,
            Word::Begins
            | Word::Adds
            | Word::Seeks
            | Word::Torrent
            | Word::Stops
            | Word::Ticks
            | Word::Connected
            | Word::Refused
            | Word::Accepts
            | Word::Hears
            | Word::Sent
            | Word::Lost
            | Word::Unreadable
            | Word::Moved
            | Word::Told
            | Word::Surveys
            | Word::Prepares
            | Word::Writes
            | Word::Reads
            | Word::Saves
            | Word::Removes
            | Word::Receives => false,
        }
    }
}

impl<'t> Line<'t> {
    /// Reads a line. `None`: it is a comment, or blank. `number`: its place in the file, from 1.
    ///
    /// Damaged: it has no such columns, or a word that nobody wrote.
    pub fn parse(number: usize, text: &'t str) -> Result<Option<Line<'t>>, Damaged> {
        if text.trim().is_empty() || text.starts_with('#') {
            return Ok(None);
        }
        let damaged = |what| Damaged { line: number, what };
        if text.len() > TRACE_LINE_BYTES_MAX {
            return Err(damaged("the line is too long"));
        }
        let (at, text) = column(text).ok_or(damaged("the line is cut"))?;
        let (conn, text) = column(text).ok_or(damaged("the line is cut"))?;
        let (peer, text) = column(text).ok_or(damaged("the line is cut"))?;
        let (word, rest) = column(text).ok_or(damaged("the line is cut"))?;
        Ok(Some(Line {
            number,
            at: parse_time(at).ok_or(damaged("it does not begin with a time"))?,
            conn: or_none(conn, parse_conn).ok_or(damaged("no connection is called that"))?,
            peer: or_none(peer, |text| text.parse().ok()).ok_or(damaged("not an address"))?,
            word: Word::parse(word).ok_or(damaged("an unknown word"))?,
            rest,
        }))
    }

    /// Refuses this line.
    pub fn damaged(&self, what: &'static str) -> Damaged {
        Damaged { line: self.number, what }
    }
}

/// Written as `parse` reads it, without the line break.
impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.at.as_millis();
        write!(f, "{:5}.{:03} ", millis / 1000, millis % 1000)?;
        match self.conn {
            Some(conn) => f.pad_to(6, format_args!("{conn:?}"))?,
            None => f.pad_to(6, format_args!("-"))?,
        }
        match self.peer {
            Some(addr) => f.pad_to(21, format_args!("{addr}"))?,
            None => f.pad_to(21, format_args!("-"))?,
        }
        match self.rest {
            "" => f.write_str(self.word.name()),
            rest => write!(f, "{:10} {rest}", self.word.name()),
        }
    }
}

/// Columns of things that do not pad themselves.
trait PadTo {
    fn pad_to(&mut self, width: usize, shown: fmt::Arguments<'_>) -> fmt::Result;
}

impl PadTo for fmt::Formatter<'_> {
    fn pad_to(&mut self, width: usize, shown: fmt::Arguments<'_>) -> fmt::Result {
        write!(self, "{:width$} ", shown.to_string())
    }
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// The next column and what is behind it; the last one may be all there is.
fn column(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start();
    let (column, rest) = text.split_once(' ').unwrap_or((text, ""));
    (!column.is_empty()).then(|| (column, rest.trim_start()))
}

fn or_none<T>(text: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
    if text == "-" { Some(None) } else { parse(text).map(Some) }
}

/// Seconds with three places.
fn parse_time(text: &str) -> Option<Time> {
    let (seconds, millis) = text.split_once('.')?;
    if millis.len() != 3 || !millis.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds: u64 = seconds.parse().ok()?;
    let millis: u64 = millis.parse().ok()?;
    Some(Time::from_millis(seconds.checked_mul(1000)?.checked_add(millis)?))
}

/// `c5.0`: slot and generation.
fn parse_conn(text: &str) -> Option<ConnId> {
    let (slot, generation) = text.strip_prefix('c')?.split_once('.')?;
    Some(ConnId { slot: slot.parse().ok()?, generation: generation.parse().ok()? })
}
