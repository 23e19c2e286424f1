//! Text: words from outside made safe to show, and safe to name files with.
//!
//! A torrent's name, a tracker's reason, a file's path: strangers choose them. On a terminal they
//! could move the cursor or turn the line round; as a path they could leave the download
//! directory. Two functions stand between: `clean` for whatever is shown, `component` for one
//! component of a path.
//!
//! # Invariants
//! Neither result holds a control character or a character that is invisible and rearranges
//! others. A component is never empty, `.` or `..`, holds neither `/` nor `\`, and has at most
//! `NAME_BYTES_MAX` bytes. Both functions give the same answer on each run, and leave a clean
//! text as it is.
//!
//! # Why
//! Joiners (U+200C, U+200D) stay, though they have no width: Persian, Hindi and families of emoji
//! are written with them, and file names hold them.

use crate::base::Span;
use crate::base::limits::{NAME_BYTES_MAX, TEXT_CHARS_MAX};

/// Longest file name extension, dot included, that cutting a name keeps; `.torrent` has eight.
const EXTENSION_BYTES_MAX: usize = 20;

/// Makes a text from outside safe to show, in at most `TEXT_CHARS_MAX` characters.
pub fn clean(outside: impl AsRef<[u8]>) -> String {
    clean_to(outside, TEXT_CHARS_MAX)
}

/// Makes a text from outside safe to show, in at most `chars_max` characters (the last one is `…`
/// if something had to go).
///
/// Line breaks and tabs become blanks; other control characters and invisible ones vanish; each
/// stretch of bytes that is no UTF-8 becomes U+FFFD.
pub fn clean_to(outside: impl AsRef<[u8]>, chars_max: usize) -> String {
    let mut kept = String::new();
    let mut visible = decode(outside.as_ref(), char::REPLACEMENT_CHARACTER)
        .map(|letter| if matches!(letter, '\n' | '\r' | '\t') { ' ' } else { letter })
        .filter(|&letter| !letter.is_control() && !is_invisible(letter));
    kept.extend(visible.by_ref().take(chars_max));
    if visible.next().is_some() && kept.pop().is_some() {
        kept.push('…');
    }
    kept
}

/// Makes one component of a path from outside safe to create.
///
/// Slashes of both kinds, control characters and bytes that are no UTF-8 become `_`; so does a
/// component that would be empty or point elsewhere. A long one is cut, its extension kept.
pub fn component(outside: impl AsRef<[u8]>) -> String {
    let mut name = String::new();
    for letter in decode(outside.as_ref(), '_').filter(|&letter| !is_invisible(letter)) {
        // Enough is known about the beginning; the extension is looked for in what is kept.
        if name.len() >= COMPONENT_READ_BYTES_MAX {
            break;
        }
        let dangerous = letter.is_control() || matches!(letter, '/' | '\\');
        name.push(if dangerous { '_' } else { letter });
    }
    if matches!(name.as_str(), "" | "." | "..") {
        return "_".to_string();
    }
    fit("", &name)
}

/// The name that stands in for `name` when that is taken: `a.txt` becomes `a.1.txt`.
pub fn numbered(name: &str, number: usize) -> String {
    fit(&format!(".{number}"), name)
}

/// A number of bytes for people: `532 B`, `1.4 MiB`. Rounded down.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // The exponent of 1024 that leaves one to four digits before the point; 1 to 6.
    let power = bytes.ilog2() / 10;
    let unit = 1u64 << (10 * power);
    let tenths = u128::from(bytes) * 10 / u128::from(unit);
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[power as usize - 1])
}

/// A length of time for people, in its two largest units: `42s`, `2m 10s`, `3h 4m`, `5d 2h`.
pub fn duration(span: Span) -> String {
    let secs = span.as_secs();
    let (mins, hours, days) = (secs / 60, secs / 3_600, secs / 86_400);
    if days > 0 {
        format!("{days}d {}h", hours % 24)
    } else if hours > 0 {
        format!("{hours}h {}m", mins % 60)
    } else if mins > 0 {
        format!("{mins}m {}s", secs % 60)
    } else {
        format!("{secs}s")
    }
}

/// The characters of `bytes`, lazily, so that a megabyte costs only what is looked at. Each
/// stretch that is no UTF-8 comes as one `substitute`.
fn decode(bytes: &[u8], substitute: char) -> impl Iterator<Item = char> + '_ {
    bytes.utf8_chunks().flat_map(move |chunk| {
        let broken = (!chunk.invalid().is_empty()).then_some(substitute);
        chunk.valid().chars().chain(broken)
    })
}

/// Characters that show nothing themselves and change how others look: zero-width blanks, marks
/// and overrides of direction, line separators, invisible operators, tags.
fn is_invisible(letter: char) -> bool {
    matches!(letter,
        '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// `name` with `mark` before its extension, cut to `NAME_BYTES_MAX`.
fn fit(mark: &str, name: &str) -> String {
    let dot = name.rfind('.').filter(|&dot| dot > 0 && name.len() - dot <= EXTENSION_BYTES_MAX);
    let (stem, extension) = name.split_at(dot.unwrap_or(name.len()));
    let room = NAME_BYTES_MAX - mark.len() - extension.len();
    let end = (0..=room.min(stem.len())).rev().find(|&end| stem.is_char_boundary(end));
    format!("{}{mark}{extension}", &stem[..end.unwrap_or(0)])
}

/// How much of a component is read at all. Generous, so that the extension of a name of a few
/// thousand bytes is still found.
const COMPONENT_READ_BYTES_MAX: usize = 16 * 1024;

// A mark is a dot and the digits of a usize.
const _: () = assert!(NAME_BYTES_MAX > EXTENSION_BYTES_MAX + 21);
