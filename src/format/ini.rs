//! INI: settings in a file that people write by hand.
//!
//! ```text
//! # a comment; so is what begins with a semicolon
//! [peer]
//! dir  = /srv/torrents      # a blank and # end a value
//! root = "/home/me/a #1"    # quotes keep what stands between them
//! root = /home/you
//! ```
//! A line is a comment, a section, or a key with its value. What keys there are, which of them may
//! be repeated and what their values mean is for others to know.
//!
//! # Interface
//! `parse` yields every key in the order of the file, with its section and its line.
//!
//! # Limits
//! The caller bounds the length of the text.
//!
//! # Why
//! Nothing is guessed: there are no lines that go on in the next one, no escapes, no default
//! section, no key without a value. Whatever is odd is refused with its line, since a setting that
//! is silently not in force is worse than a program that does not start.

use std::fmt;

/// A key and its value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry<'t> {
    pub section: &'t str,
    /// Where the section begins.
    pub section_line: usize,
    pub key: &'t str,
    /// Without blanks around it, and without its quotes.
    pub value: &'t str,
    /// The first line is 1.
    pub line: usize,
}

/// The first line that is none of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Wrong {
    pub line: usize,
    pub what: &'static str,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for Wrong {}

/// Reads a whole text.
///
/// Wrong: a control character, a section without its bracket or name, a key before the first
/// section, a line without `=`, a key with odd letters, an empty value, a quote that is not closed.
pub fn parse(text: &str) -> Result<Vec<Entry<'_>>, Wrong> {
    // Some editors begin a file with a mark that nobody sees.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut entries = Vec::new();
    let mut section = None;
    for (line, said) in (1..).zip(text.lines()) {
        match parse_line(said.trim()).map_err(|what| Wrong { line, what })? {
            Line::Nothing => {}
            Line::Section(name) => section = Some((name, line)),
            Line::Pair(key, value) => {
                let what = "a key before the first section, such as [peer]";
                let (section, section_line) = section.ok_or(Wrong { line, what })?;
                entries.push(Entry { section, section_line, key, value, line });
            }
        }
    }
    Ok(entries)
}

/// The value as it must stand in a file to be read as `value`; `None`: it cannot.
pub fn quoted(value: &str) -> Option<String> {
    if value.contains(char::is_control) {
        return None;
    }
    let is_plain = parse_value(value) == Ok(value) && value.trim() == value;
    match is_plain {
        true => Some(value.to_owned()),
        false if value.contains('"') => None,
        false => Some(format!("\"{value}\"")),
    }
}

enum Line<'t> {
    Nothing,
    Section(&'t str),
    Pair(&'t str, &'t str),
}

/// `line`: without blanks around it.
fn parse_line(line: &str) -> Result<Line<'_>, &'static str> {
    if line.contains(|letter: char| letter.is_control() && letter != '\t') {
        return Err("a control character");
    }
    if line.is_empty() || line.starts_with(['#', ';']) {
        return Ok(Line::Nothing);
    }
    if let Some(rest) = line.strip_prefix('[') {
        let (name, rest) = rest.split_once(']').ok_or("a section without its ']'")?;
        must_be_comment(rest)?;
        let name = name.trim();
        return if is_name(name) { Ok(Line::Section(name)) } else { Err("no name of a section") };
    }
    let (key, value) = line.split_once('=').ok_or("neither [section] nor key = value")?;
    let key = key.trim_end();
    if !is_name(key) {
        return Err("no name of a key");
    }
    let value = parse_value(value.trim_start())?;
    Ok(Line::Pair(key, value))
}

/// The value at the beginning of `text`, behind which a comment may stand.
fn parse_value(text: &str) -> Result<&str, &'static str> {
    if let Some(rest) = text.strip_prefix('"') {
        let (value, rest) = rest.split_once('"').ok_or("a quote is not closed")?;
        must_be_comment(rest)?;
        return Ok(value);
    }
    let begins_comment = |(at, _): &(usize, &str)| text[..*at].ends_with([' ', '\t']);
    let end = text.match_indices('#').find(begins_comment).map_or(text.len(), |(at, _)| at);
    let value = text[..end].trim_end();
    match value.is_empty() || value.starts_with('#') {
        true => Err("no value; begin the line with # to leave the key out"),
        false => Ok(value),
    }
}

fn must_be_comment(rest: &str) -> Result<(), &'static str> {
    match rest.trim_start() {
        "" => Ok(()),
        rest if rest.starts_with(['#', ';']) => Ok(()),
        _ => Err("something behind the end"),
    }
}

fn is_name(word: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !word.is_empty() && word.bytes().all(is_letter)
}
