//! Screen: standard output, as a terminal or as a file.
//!
//! On a terminal the last line may be a *progress line* that is redrawn in place; ordinary lines
//! push in above it. Into a pipe or a file there are ordinary lines only, each written out at
//! once, so that whoever reads them sees them when they happen.
//!
//! A reader that goes away (`swarmlet info x | head -1`) is no failure: it saw what it wanted, and
//! a node goes on sharing. Any other trouble with writing is told at the end.
//!
//! # Invariants
//! A progress line is never longer than the terminal is wide, and the cursor is never hidden: a
//! run that is killed leaves nothing behind that needs repair.

use std::io::{self, IsTerminal, Write};

use super::Failure;
use super::failure::{advice, reason};
use super::level::{Level, is_journal};
use crate::format::text;
use crate::world::sys;

/// Where a command writes what it has to say.
pub struct Screen {
    is_terminal: bool,
    /// Whether the last line is a progress line.
    drawn: bool,
    /// What matters less than this is not told.
    level: Level,
    /// Whether standard output, and standard error, are read by the journal.
    out_is_journal: bool,
    err_is_journal: bool,
    /// What the last write said, once one failed; nothing is written after it.
    broken: Option<io::Error>,
}

impl Screen {
    pub fn new() -> Screen {
        // A dumb terminal cannot go back to the start of a line.
        let dumb = std::env::var_os("TERM").is_none_or(|name| name.is_empty() || name == "dumb");
        let is_terminal = io::stdout().is_terminal() && !dumb;
        Screen {
            is_terminal,
            drawn: false,
            level: Level::Info,
            out_is_journal: is_journal(io::stdout()),
            err_is_journal: is_journal(io::stderr()),
            broken: None,
        }
    }

    /// Whether a person is looking.
    pub fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Columns of the terminal, asked anew each time: windows change their size.
    pub fn width(&self) -> usize {
        sys::stdout_columns().map_or(80, usize::from)
    }

    /// Writes one line, cleaned. It stays.
    pub fn line(&mut self, line: &str) {
        self.clear();
        self.write(&format!("{}\n", clean(line)));
    }

    /// Sets what is worth a line.
    pub fn set_level(&mut self, level: Level) {
        self.level = level;
    }

    /// Whether lines of a level are told.
    pub fn shows(&self, level: Level) -> bool {
        level <= self.level
    }

    /// Writes one line, cleaned, if its level is told.
    pub fn log(&mut self, level: Level, line: &str) {
        if !self.shows(level) {
            return;
        }
        let mark = if self.out_is_journal { level.mark() } else { "" };
        self.clear();
        self.write(&format!("{mark}{}\n", clean(line)));
    }

    /// Writes several lines of our own, which end in a newline.
    pub fn text(&mut self, lines: &str) {
        self.clear();
        self.write(lines);
    }

    /// Draws a whole page over what the terminal shows: these lines, as far as they fit, and
    /// nothing else. Where there is no terminal they are ordinary lines.
    pub fn page(&mut self, lines: &[String]) {
        if !self.is_terminal {
            return lines.iter().for_each(|line| self.line(line));
        }
        let (width, height) = (self.width(), sys::stdout_rows().map_or(24, usize::from));
        let mut page = String::from("\x1b[H");
        for line in lines.iter().take(height.saturating_sub(1)) {
            let line = clean(line);
            page.push_str(cut(&line, width.saturating_sub(1)));
            page.push_str("\x1b[K\n");
        }
        page.push_str("\x1b[J");
        self.write(&page);
    }

    /// Draws the progress line anew; does nothing where there is no terminal.
    pub fn progress(&mut self, line: &str) {
        if !self.is_terminal {
            return;
        }
        // The last column stays free: some terminals wrap as soon as it is written.
        let line = clean(line);
        let shown = cut(&line, self.width().saturating_sub(1));
        self.write(&format!("\r{shown}\x1b[K"));
        self.drawn = true;
    }

    /// Whether a progress line is there; an ordinary line removes it.
    pub fn has_progress(&self) -> bool {
        self.drawn
    }

    /// Whether nobody reads any more, or nothing more can be written.
    pub fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// Removes the progress line.
    pub fn clear(&mut self) {
        if self.drawn {
            self.drawn = false;
            self.write("\r\x1b[K");
        }
    }

    /// Tells on stderr what is odd but does not keep the command from its work.
    pub fn warn(&mut self, warning: &str) {
        if self.shows(Level::Warn) {
            self.complain(Level::Warn, &format!("warning: {}", clean(warning)));
        }
    }

    /// Tells on stderr why the program ends.
    pub fn fail(&mut self, failure: &Failure) {
        self.complain(Level::Error, &failure.to_string());
    }

    /// `words`: cleaned.
    fn complain(&mut self, level: Level, words: &str) {
        self.clear();
        let mark = if self.err_is_journal { level.mark() } else { "" };
        // Without stderr there is nobody to tell.
        let _ = writeln!(io::stderr(), "{mark}swarmlet: {words}");
    }

    /// Leaves the terminal tidy. Failure: something could not be written, for another reason than
    /// that nobody reads it any more.
    pub fn finish(&mut self) -> Result<(), Failure> {
        self.clear();
        match &self.broken {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::new(
                format!("cannot write to standard output: {}", reason(error)),
                advice(error),
            )),
            Some(_) | None => Ok(()),
        }
    }

    fn write(&mut self, text: &str) {
        if self.broken.is_some() {
            return;
        }
        let mut out = io::stdout().lock();
        if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            self.broken = Some(error);
        }
    }
}

impl Default for Screen {
    fn default() -> Screen {
        Screen::new()
    }
}

/// A whole line made safe to show. What came from outside was cut to size where it came in.
pub(super) fn clean(line: &str) -> String {
    text::clean_to(line, usize::MAX)
}

/// As much of `line` as fits into `columns`.
///
/// Letters beyond U+1100, where the scripts of East Asia begin, count as two columns, which is
/// right for those and too careful for a few others: a line may end early but never wraps.
pub(super) fn cut(line: &str, columns: usize) -> &str {
    let mut used = 0;
    for (at, letter) in line.char_indices() {
        used += columns_of(letter);
        if used > columns {
            return &line[..at];
        }
    }
    line
}

/// How wide a letter is, by that measure.
pub(super) fn columns_of(letter: char) -> usize {
    if letter < '\u{1100}' { 1 } else { 2 }
}
