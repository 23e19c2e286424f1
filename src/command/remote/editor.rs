//! Editor: one line that a person types at a prompt, key by key.
//!
//! ```text
//!  bytes ─▶ key ─▶ text and cursor ─▶ drawn anew
//!           │ Enter, Ctrl-C, Ctrl-D: a step that the caller must know of
//!           └ ESC [ A …: a key in several bytes
//! ```
//! The usual keys work: arrows, Home, End, Delete, Ctrl-A, Ctrl-E, Ctrl-U, Ctrl-K, Ctrl-W, and up
//! and down through what was typed before; Tab completes words.
//!
//! # Interface
//! `feed` each byte and draw what `drawn` says after it, until there is a `Step` other than `More`.
//!
//! # Invariants
//! The cursor is at most the length of the text, which holds no control character.

use super::table::width_of;

/// What a byte brought about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// The line goes on.
    More,
    /// Enter: the whole line.
    Line(String),
    /// Ctrl-C: never mind this line.
    Cancelled,
    /// Ctrl-L: the screen is to be empty but for the line.
    Cleared,
    /// Ctrl-D on an empty line: there will be no more.
    Ended,
    /// Tab, and these fit.
    Several(Vec<String>),
    /// Tab behind the first word: what stands before the cursor. `complete` goes on with it.
    Unfinished(String),
}

/// The line, and those before it.
pub struct Editor {
    text: Vec<char>,
    cursor: usize,
    history: Vec<String>,
    /// Which line of the history is shown; its length for the new one, which waits in `draft`.
    shown: usize,
    draft: Vec<char>,
    /// Bytes of a character or a key that is not whole yet.
    partial: Vec<u8>,
    /// Words that Tab completes.
    words: Vec<&'static str>,
}

impl Editor {
    /// `words`: what the first word of a line may be.
    pub fn new(words: Vec<&'static str>) -> Editor {
        Editor {
            text: Vec::new(),
            cursor: 0,
            history: Vec::new(),
            shown: 0,
            draft: Vec::new(),
            partial: Vec::new(),
            words,
        }
    }

    /// Lines that were entered, the oldest first.
    pub fn history(&self) -> &[String] {
        &self.history
    }

    /// Takes the next byte.
    pub fn feed(&mut self, byte: u8) -> Step {
        if self.partial.first() == Some(&ESCAPE) {
            self.partial.push(byte);
            return self.on_sequence();
        }
        if byte >= 0x80 || !self.partial.is_empty() {
            self.partial.push(byte);
            return self.on_character();
        }
        match byte {
            b'\r' | b'\n' => return self.enter(),
            b'\t' => return self.complete_word(),
            ESCAPE => self.partial.push(byte),
            // Ctrl with a letter is the number of that letter.
            1 => self.cursor = 0,
            2 => self.cursor = self.cursor.saturating_sub(1),
            3 => {
                self.clear();
                return Step::Cancelled;
            }
            4 if self.text.is_empty() => return Step::Ended,
            4 => self.delete(),
            5 => self.cursor = self.text.len(),
            6 => self.cursor = (self.cursor + 1).min(self.text.len()),
            8 | 0x7f if self.cursor > 0 => {
                self.cursor -= 1;
                self.delete();
            }
            11 => self.text.truncate(self.cursor),
            12 => return Step::Cleared,
            14 => self.recall(self.shown + 1),
            16 => self.recall(self.shown.wrapping_sub(1)),
            21 => drop(self.text.drain(..std::mem::take(&mut self.cursor))),
            23 => self.delete_word(),
            b' '..=b'~' => self.insert(char::from(byte)),
            _ => {}
        }
        Step::More
    }

    /// The bytes that draw the line on a terminal of so many columns, and put the cursor in place.
    pub fn drawn(&self, prompt: &str, columns: usize) -> String {
        // A line that is too long is seen through a window that ends behind the cursor.
        let room = columns.saturating_sub(width_of(prompt) + 1).max(8);
        let mut first = 0;
        while width(&self.text[first..self.cursor]) >= room {
            first += 1;
        }
        let mut last = first;
        while last < self.text.len() && width(&self.text[first..=last]) < room {
            last += 1;
        }
        let shown: String = self.text[first..last].iter().collect();
        let place = width_of(prompt) + width(&self.text[first..self.cursor]);
        format!("\r{prompt}{shown}\x1b[K\r\x1b[{place}C")
    }

    fn enter(&mut self) -> Step {
        let line: String = self.text.iter().collect();
        self.clear();
        if !line.trim().is_empty() && self.history.last() != Some(&line) {
            if self.history.len() == HISTORY_MAX {
                self.history.remove(0);
            }
            self.history.push(line.clone());
        }
        self.shown = self.history.len();
        Step::Line(line)
    }

    fn clear(&mut self) {
        self.text.clear();
        self.draft.clear();
        self.cursor = 0;
        self.shown = self.history.len();
    }

    fn insert(&mut self, letter: char) {
        if self.text.len() < LINE_CHARS_MAX {
            self.text.insert(self.cursor, letter);
            self.cursor += 1;
        }
    }

    /// Removes the letter under the cursor.
    fn delete(&mut self) {
        if self.cursor < self.text.len() {
            self.text.remove(self.cursor);
        }
    }

    /// Removes the word before the cursor, and the blanks behind it.
    fn delete_word(&mut self) {
        let before = &self.text[..self.cursor];
        let end = before.iter().rposition(|letter| *letter != ' ').map_or(0, |at| at + 1);
        let begin = before[..end].iter().rposition(|letter| *letter == ' ').map_or(0, |at| at + 1);
        self.text.drain(begin..self.cursor);
        self.cursor = begin;
    }

    /// Shows another line of the history; one that is not there changes nothing.
    fn recall(&mut self, line: usize) {
        if line > self.history.len() || line == self.shown {
            return;
        }
        if self.shown == self.history.len() {
            self.draft = std::mem::take(&mut self.text);
        }
        self.text = match self.history.get(line) {
            Some(line) => line.chars().collect(),
            None => std::mem::take(&mut self.draft),
        };
        (self.shown, self.cursor) = (line, self.text.len());
    }

    /// A character that is not ASCII, once it is whole.
    fn on_character(&mut self) -> Step {
        match std::str::from_utf8(&self.partial) {
            Ok(text) => {
                let letter = text.chars().next().filter(|letter| !letter.is_control());
                self.partial.clear();
                letter.into_iter().for_each(|letter| self.insert(letter));
            }
            // It is cut, and more may come.
            Err(error) if error.error_len().is_none() && self.partial.len() < 4 => {}
            Err(_) => self.partial.clear(),
        }
        Step::More
    }

    /// A key that comes as ESC, `[` or `O`, perhaps numbers, and a last letter.
    fn on_sequence(&mut self) -> Step {
        let (is_begun, last) = match self.partial[..] {
            [_, b'[' | b'O'] => (true, 0),
            [_, b'[' | b'O', .., last] => (!matches!(last, 0x40..=0x7e), last),
            _ => (false, 0),
        };
        if is_begun && self.partial.len() < 16 {
            return Step::More;
        }
        let number = self.partial.get(2).copied().unwrap_or(0);
        self.partial.clear();
        match (last, number) {
            (b'A', _) => self.recall(self.shown.wrapping_sub(1)),
            (b'B', _) => self.recall(self.shown + 1),
            (b'C', _) => self.cursor = (self.cursor + 1).min(self.text.len()),
            (b'D', _) => self.cursor = self.cursor.saturating_sub(1),
            (b'H', _) | (b'~', b'1' | b'7') => self.cursor = 0,
            (b'F', _) | (b'~', b'4' | b'8') => self.cursor = self.text.len(),
            (b'~', b'3') => self.delete(),
            _ => {}
        }
        Step::More
    }

    /// Tab: the first word is one of ours, the others are for the caller.
    fn complete_word(&mut self) -> Step {
        let typed: String = self.text[..self.cursor].iter().collect();
        if typed.contains(' ') {
            return Step::Unfinished(typed);
        }
        let words: Vec<String> = self.words.iter().copied().map(str::to_owned).collect();
        self.complete(&typed, &words)
    }

    /// Goes on with a word of which `typed` stands before the cursor, as far as it is certain:
    /// `names` are those that it may become. One that ends in `/` may go on.
    ///
    /// Returns `More`, or `Several` if nothing is certain.
    pub fn complete(&mut self, typed: &str, names: &[String]) -> Step {
        let fits = |name: &&String| name.starts_with(typed);
        let fitting: Vec<String> = names.iter().filter(fits).cloned().collect();
        let Some(first) = fitting.first() else { return Step::More };
        let certain = fitting.iter().map(|name| common(first, name)).min().unwrap_or(0);
        for letter in first[typed.len()..certain].chars() {
            if matches!(letter, ' ' | '"' | '\'' | '\\' | '#') {
                self.insert('\\');
            }
            self.insert(letter);
        }
        match fitting.len() {
            1 if first.ends_with('/') => {}
            1 => self.insert(' '),
            _ if certain == typed.len() => return Step::Several(fitting),
            _ => {}
        }
        Step::More
    }
}

/// How many bytes of whole letters two words have in common at the beginning.
fn common(one: &str, other: &str) -> usize {
    let both = one.char_indices().zip(other.chars());
    let differs = both.filter(|((_, a), b)| a != b).map(|((at, _), _)| at).next();
    differs.unwrap_or(one.len().min(other.len()))
}

fn width(letters: &[char]) -> usize {
    letters.iter().map(|letter| width_of(letter.encode_utf8(&mut [0; 4]))).sum()
}

/// Splits a line into words at blanks. Quotes of both kinds keep blanks, a backslash (not between
/// single quotes) keeps what follows it; a word that begins with `~/` begins at `home`; `#` at the
/// beginning of a word makes the rest a comment. Control characters vanish.
///
/// Error: a quote that is not closed.
pub fn words(line: &str, home: Option<&str>) -> Result<Vec<String>, &'static str> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let is_meant = |letter: &char| *letter == '\t' || !letter.is_control();
    let mut letters = line.chars().filter(is_meant).peekable();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), letter) if letter == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, ' ' | '\t') => words.extend(word.take()),
            (None, '#') if word.is_none() => break,
            (None | Some('"'), '\\') => {
                word.get_or_insert_default().push(letters.next().unwrap_or('\\'));
            }
            (None, '~') if word.is_none() && letters.peek() == Some(&'/') && home.is_some() => {
                word.get_or_insert_default().push_str(home.unwrap_or_default());
            }
            (_, letter) => word.get_or_insert_default().push(letter),
        }
    }
    if quote.is_some() {
        return Err("a quote is not closed");
    }
    words.extend(word);
    Ok(words)
}

const ESCAPE: u8 = 0x1b;

/// Longest line: nobody types more, and a paste by mistake should not hang.
const LINE_CHARS_MAX: usize = 4096;

/// Lines that are remembered.
const HISTORY_MAX: usize = 500;
