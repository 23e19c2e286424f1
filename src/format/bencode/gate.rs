//! The gate: one walk over an input that checks every byte of it.
//!
//! A stack of our own remembers which lists and dictionaries are open; inside a dictionary, keys
//! and values alternate and keys ascend. Two keys that are neighbours are compared as they come.
//! If the keys are out of order that misses duplicates, so lenient reading remembers where the
//! keys of the open dictionaries stand and sorts them when such a dictionary ends.

use super::{Item, Oddities, Scan, Strictness, Token, read_token};
use crate::base::order;
use crate::format::Malformed;

/// The one walk over an input.
pub(super) struct Gate<'b> {
    bytes: &'b [u8],
    strictness: Strictness,
    depth_max: usize,
    /// The lists and dictionaries that have begun and not ended, outermost first.
    open: Vec<Open>,
    /// Where the keys of the open dictionaries stand; each dictionary owns the tail from its
    /// `keys_from` on. Only lenient reading needs it, to find duplicates among unsorted keys.
    keys: Vec<u32>,
    oddities: Oddities,
}

#[derive(Clone, Copy)]
enum Open {
    List,
    Dict {
        keys_from: usize,
        /// Where the last key stands.
        last_key: Option<usize>,
        sorted: bool,
        /// Whether a key has been read and its value has not.
        owes_value: bool,
    },
}

impl<'b> Gate<'b> {
    pub(super) fn new(bytes: &'b [u8], strictness: Strictness, depth_max: usize) -> Gate<'b> {
        let oddities = Oddities::default();
        Gate { bytes, strictness, depth_max, open: Vec::new(), keys: Vec::new(), oddities }
    }

    pub(super) fn run(mut self) -> Result<Scan<'b>, Malformed> {
        if u32::try_from(self.bytes.len()).is_err() {
            return Err(Malformed::new("longer than 4 GiB", 0));
        }
        let mut at = 0;
        loop {
            at = self.step(at)?;
            if self.open.is_empty() {
                break;
            }
        }
        if at < self.bytes.len() {
            let left = self.bytes.len() - at;
            self.tolerate(at, || format!("{left} bytes after the end"))?;
            self.oddities.trailing = Some(at);
        }
        let root = Item { raw: &self.bytes[..at], at: 0 };
        Ok(Scan { root, oddities: self.oddities })
    }

    /// Takes the token at `at`; returns where the next one begins.
    fn step(&mut self, at: usize) -> Result<usize, Malformed> {
        let read = read_token(self.bytes, at)?;
        if !read.canonical {
            self.tolerate(at, || "a number with a leading zero".to_string())?;
            self.oddities.loose_number.get_or_insert(at);
        }
        if read.token == Token::End {
            self.close(at)?;
            return Ok(read.end);
        }
        if self.takes_key(at, read.token)? {
            return Ok(read.end);
        }
        match read.token {
            Token::List => self.push(Open::List, at)?,
            Token::Dict => {
                let keys_from = self.keys.len();
                let dict =
                    Open::Dict { keys_from, last_key: None, sorted: true, owes_value: false };
                self.push(dict, at)?;
            }
            Token::Int(_) | Token::Bytes(_) | Token::End => {}
        }
        Ok(read.end)
    }

    fn push(&mut self, open: Open, at: usize) -> Result<(), Malformed> {
        if self.open.len() == self.depth_max {
            let what = format!("more than {} lists and dictionaries nested", self.depth_max);
            return Err(Malformed::new(what, at));
        }
        self.open.push(open);
        Ok(())
    }

    /// Inside a dictionary, keys and values alternate. Returns whether this token was a key.
    fn takes_key(&mut self, at: usize, token: Token<'b>) -> Result<bool, Malformed> {
        let Some(Open::Dict { last_key, sorted, owes_value, .. }) = self.open.last_mut() else {
            return Ok(false);
        };
        if *owes_value {
            *owes_value = false;
            return Ok(false);
        }
        let Token::Bytes(key) = token else {
            return Err(Malformed::new("a dictionary key that is not a string", at));
        };
        let before = last_key.replace(at).map(|place| key_at(self.bytes, place));
        *owes_value = true;
        let ascends = before.is_none_or(|before| before < key);
        *sorted &= ascends;
        if before == Some(key) {
            return Err(Malformed::new("a dictionary key that comes twice", at));
        }
        if !ascends {
            self.tolerate(at, || "dictionary keys out of order".to_string())?;
            self.oddities.unsorted_key.get_or_insert(at);
        }
        if self.strictness == Strictness::Lenient {
            self.keys.push(u32::try_from(at).expect("run() refuses inputs beyond 32 bits"));
        }
        Ok(true)
    }

    fn close(&mut self, at: usize) -> Result<(), Malformed> {
        match self.open.pop() {
            None => Err(Malformed::new("an end without a beginning", at)),
            Some(Open::List) => Ok(()),
            Some(Open::Dict { owes_value: true, .. }) => {
                Err(Malformed::new("a dictionary key without a value", at))
            }
            Some(Open::Dict { keys_from, sorted, .. }) => {
                // Neighbours were compared as they came; that finds all duplicates if sorted.
                let duplicate = if sorted { None } else { self.duplicate_since(keys_from) };
                self.keys.truncate(keys_from);
                duplicate.map_or(Ok(()), |twice| {
                    Err(Malformed::new("a dictionary key that comes twice", twice))
                })
            }
        }
    }

    /// Sorts the keys recorded from `keys_from` on; returns the place of one that repeats another.
    fn duplicate_since(&mut self, keys_from: usize) -> Option<usize> {
        let bytes = self.bytes;
        let key = |place: u32| key_at(bytes, place as usize);
        let keys = &mut self.keys[keys_from..];
        order::sort_by(keys, |&a, &b| key(a).cmp(key(b)));
        keys.windows(2).find(|pair| key(pair[0]) == key(pair[1])).map(|pair| pair[1] as usize)
    }

    /// Refuses under `Strict`; lets through under `Lenient`.
    fn tolerate(&self, at: usize, what: impl FnOnce() -> String) -> Result<(), Malformed> {
        match self.strictness {
            Strictness::Strict => Err(Malformed::new(what(), at)),
            Strictness::Lenient => Ok(()),
        }
    }
}

/// The key that a walk has already read at `at`.
fn key_at(bytes: &[u8], at: usize) -> &[u8] {
    let read = read_token(bytes, at).expect("the gate has read these bytes");
    let Token::Bytes(key) = read.token else { unreachable!("only keys' places are remembered") };
    key
}
