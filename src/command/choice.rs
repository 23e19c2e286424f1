//! Choice: the words by which a person picks some of a torrent's files.
//!
//! ```text
//!  0,2-5        numbers, as 'swarmlet info' and 'swarmlet files' show them
//!  '*.flac'     a pattern: * is any text, ? any character
//!  extras       a file's name or path, or a directory with all that is in it
//! ```
//! A pattern is compared with the path below the torrent's own name, with each directory that the
//! path goes through, and with the bare name of the file. Numbers win over names: who has a file
//! that is called `7` names it by its number, or by `./7`.

use crate::format::layout::{File, Layout};
use crate::format::text;
use crate::torrent::selection::{Choice, Wishes};

/// A torrent with more files is named as a whole, or not at all.
const NUMBERS_MAX: u32 = 100_000;

/// The numbers of a list such as `0,2-5`; `None` if it is no such list. Error: the wrong part.
pub fn numbers(word: &str) -> Result<Option<Vec<u32>>, String> {
    let is_list = word.bytes().all(|byte| byte.is_ascii_digit() || b",-".contains(&byte));
    if !is_list || !word.starts_with(|first: char| first.is_ascii_digit()) {
        return Ok(None);
    }
    let mut numbers = Vec::new();
    for part in word.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        match (first.parse::<u32>(), last.parse::<u32>()) {
            (Ok(first), Ok(last)) if first <= last && last - first < NUMBERS_MAX => {
                numbers.extend(first..=last);
            }
            _ => return Err(part.to_owned()),
        }
    }
    Ok(Some(numbers))
}

/// What `--select` and `--sequential` want of a torrent; without `words`, all of it.
///
/// Error: the word that names nothing, and why, in clean words.
pub fn wishes(layout: &Layout, words: &[String], sequential: bool) -> Result<Wishes, String> {
    if words.is_empty() {
        return Ok(Wishes { sequential, ..Wishes::default() });
    }
    let named = named(layout, words).map_err(|why| format!("--select: {}", text::clean(why)))?;
    let choice = |is_named| if is_named { Choice::Normal } else { Choice::Skip };
    Ok(Wishes { files: named.into_iter().map(choice).collect(), sequential })
}

/// By file as people count them: whether one of the words names it.
///
/// Error: the word that names nothing, and why.
pub fn named(layout: &Layout, words: &[String]) -> Result<Vec<bool>, String> {
    let files: Vec<&File> = layout.files().iter().filter(|file| !file.pad).collect();
    let mut named = vec![false; files.len()];
    for word in words {
        let listed = numbers(word).map_err(|part| format!("'{part}' is no file's number"))?;
        if let Some(numbers) = listed {
            for number in numbers {
                let place = usize::try_from(number).ok().and_then(|number| named.get_mut(number));
                let none = || format!("{word}: there are files 0 to {}", files.len() - 1);
                *place.ok_or_else(none)? = true;
            }
            continue;
        }
        let mut is_vain = true;
        for (named, file) in named.iter_mut().zip(&files) {
            if is_named(file, word) {
                *named = true;
                is_vain = false;
            }
        }
        if is_vain {
            return Err(format!("'{word}' names no file of it"));
        }
    }
    Ok(named)
}

fn is_named(file: &File, pattern: &str) -> bool {
    let pattern = pattern.strip_prefix("./").unwrap_or(pattern).trim_end_matches('/');
    // A single file has no directory above it.
    let below = if file.path.len() > 1 { &file.path[1..] } else { &file.path[..] };
    let name = below.last().map_or("", String::as_str);
    let stretches = (1..=below.len()).map(|len| below[..len].join("/"));
    matches(pattern, name) || stretches.into_iter().any(|path| matches(pattern, &path))
}

/// Whether a text is what the pattern describes.
///
/// On a mismatch behind a `*` that star takes one character more; only the last star can have
/// taken too little, so there is never more than one to go back to.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut from) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while from < text.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(&one) if one == '?' || one == text[from] => (at, from) = (at + 1, from + 1),
            _ => {
                let Some((star_at, taken)) = &mut star else { return false };
                *taken += 1;
                (at, from) = (*star_at + 1, *taken);
            }
        }
    }
    pattern[at..].iter().all(|&rest| rest == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let table = [
            ("*.txt", "a.txt", true),
            ("*.txt", "a.txt.bak", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("*ab*ab", "abxabab", true),
            ("*ab*abc", "abxabab", false),
            ("**a", "bba", true),
            ("ä*", "äh", true),
        ];
        for (pattern, text, expected) in table {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn lists_of_numbers() {
        let table = [
            ("0", Ok(Some(vec![0]))),
            ("0,2-4", Ok(Some(vec![0, 2, 3, 4]))),
            ("4-2", Err("4-2".to_owned())),
            ("1,", Err(String::new())),
            ("1-", Err("1-".to_owned())),
            ("0-4294967295", Err("0-4294967295".to_owned())),
            ("01.mp3", Ok(None)),
            ("-1", Ok(None)),
            ("", Ok(None)),
        ];
        for (word, expected) in table {
            assert_eq!(numbers(word), expected, "{word}");
        }
    }
}
