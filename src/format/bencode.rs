//! Bencode: the gate that every bencoded input passes, a reader for what passed, and a writer.
//!
//! ```text
//!  integer   i 42 e            i-7e      no leading zero, no -0, within 64 bits
//!  bytes     4 : s p a m       0:        length first, then exactly so many bytes
//!  list      l item … e
//!  dict      d key item … e              keys are bytes, ascending, each once
//! ```
//!
//! The gate walks the bytes once, without recursion, and answers one question: may the rest of
//! the program look at this? What passed is read through `Item`, `List` and `Dict`, which borrow
//! the bytes and allocate nothing; they cannot fail any more, they only say `None` where a value
//! is of another type than the caller hoped.
//!
//! # Interface
//! `Dict::parse` for a whole input that must be a dictionary; `scan` for any item and for the
//! oddities that lenient reading let through. `Writer` for the other direction.
//!
//! # Limits
//! `BENCODE_DEPTH_MAX`. The gate allocates a few words per open list or dictionary and, when it
//! reads leniently, four bytes per key of the dictionaries that are open; never by a claimed
//! length, which is compared with the bytes that are left before anything else happens.
//!
//! # Why
//! `serde_bencode` recurses once per nesting level (40,000 levels overflow the stack and abort
//! the process), accepts leading zeros and ignores what follows the end. Behind this gate it is
//! safe. And the info-hash needs the bytes of `info` exactly as they came, which no decoder that
//! builds values can give back.
//!
//! # Spec
//! BEP 3, "bencoding".

use super::Malformed;
use crate::base::limits::BENCODE_DEPTH_MAX;

/// How much deviation from canonical bencode is let through.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Strictness {
    /// Canonical or refused: what programs say to each other.
    Strict,
    /// For files and answers that somebody's old program made: leading zeros, `-0`, unsorted keys
    /// and trailing bytes are noted in `Oddities`. Whatever is ambiguous (a key that comes twice,
    /// a number that overflows, an end that is missing) is refused here too.
    Lenient,
}

/// Where lenient reading found the first deviation of each kind; byte offsets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Oddities {
    /// A number with a leading zero, or `-0`.
    pub loose_number: Option<usize>,
    /// A key smaller than the one before it.
    pub unsorted_key: Option<usize>,
    /// The first byte after the item.
    pub trailing: Option<usize>,
}

/// An input that passed the gate.
#[derive(Clone, Copy, Debug)]
pub struct Scan<'b> {
    pub root: Item<'b>,
    pub oddities: Oddities,
}

/// One value of any type, with its raw bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Item<'b> {
    raw: &'b [u8],
    at: usize,
}

/// A list; iterate over it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct List<'b>(Item<'b>);

/// A dictionary.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Dict<'b>(Item<'b>);

/// Walks the items of a list.
#[derive(Clone, Debug)]
pub struct Items<'b>(Cursor<'b>);

/// Walks the keys and values of a dictionary, in the order in which they stand there.
#[derive(Clone, Debug)]
pub struct Entries<'b>(Cursor<'b>);

/// Reads one item from the front of `bytes` and checks every byte of it.
///
/// Malformed: whatever BEP 3 forbids; under `Strict` also what `Oddities` lists.
pub fn scan(bytes: &[u8], strictness: Strictness) -> Result<Scan<'_>, Malformed> {
    Gate::new(bytes, strictness).run()
}

impl<'b> Dict<'b> {
    /// Reads an input that must be one dictionary.
    pub fn parse(bytes: &'b [u8], strictness: Strictness) -> Result<Dict<'b>, Malformed> {
        let scan = scan(bytes, strictness)?;
        scan.root.dict().ok_or_else(|| Malformed::new("not a dictionary", 0))
    }

    /// The value under `key`. Linear: dictionaries have a handful of keys.
    pub fn get(self, key: impl AsRef<[u8]>) -> Option<Item<'b>> {
        let key = key.as_ref();
        self.iter().find(|(name, _)| *name == key).map(|(_, item)| item)
    }

    pub fn iter(self) -> Entries<'b> {
        Entries(Cursor::inside(self.0))
    }

    /// The dictionary as an item, for its raw bytes and its place.
    pub fn item(self) -> Item<'b> {
        self.0
    }
}

impl<'b> List<'b> {
    pub fn iter(self) -> Items<'b> {
        Items(Cursor::inside(self.0))
    }
}

impl<'b> Item<'b> {
    pub fn int(self) -> Option<i64> {
        match self.token() {
            Token::Int(value) => Some(value),
            Token::Bytes(_) | Token::List | Token::Dict | Token::End => None,
        }
    }

    pub fn bytes(self) -> Option<&'b [u8]> {
        match self.token() {
            Token::Bytes(bytes) => Some(bytes),
            Token::Int(_) | Token::List | Token::Dict | Token::End => None,
        }
    }

    pub fn list(self) -> Option<List<'b>> {
        (self.token() == Token::List).then_some(List(self))
    }

    pub fn dict(self) -> Option<Dict<'b>> {
        (self.token() == Token::Dict).then_some(Dict(self))
    }

    /// The item exactly as it was written, from its first byte to its last.
    pub fn raw(self) -> &'b [u8] {
        self.raw
    }

    /// Byte offset of the item in the input.
    pub fn at(self) -> usize {
        self.at
    }

    fn token(self) -> Token<'b> {
        read_token(self.raw, 0).expect("the gate has read these bytes").token
    }
}

impl<'b> IntoIterator for List<'b> {
    type Item = Item<'b>;
    type IntoIter = Items<'b>;

    fn into_iter(self) -> Items<'b> {
        self.iter()
    }
}

impl<'b> IntoIterator for Dict<'b> {
    type Item = (&'b [u8], Item<'b>);
    type IntoIter = Entries<'b>;

    fn into_iter(self) -> Entries<'b> {
        self.iter()
    }
}

impl<'b> Iterator for Items<'b> {
    type Item = Item<'b>;

    fn next(&mut self) -> Option<Item<'b>> {
        self.0.next_item()
    }
}

impl<'b> Iterator for Entries<'b> {
    type Item = (&'b [u8], Item<'b>);

    fn next(&mut self) -> Option<(&'b [u8], Item<'b>)> {
        let key = self.0.next_item()?.bytes()?;
        Some((key, self.0.next_item()?))
    }
}

/// A place inside a list or dictionary that passed the gate.
#[derive(Clone, Debug)]
struct Cursor<'b> {
    raw: &'b [u8],
    /// Offset of `raw` in the input.
    base: usize,
    next: usize,
}

impl<'b> Cursor<'b> {
    /// Just behind the `l` or `d`.
    fn inside(item: Item<'b>) -> Cursor<'b> {
        Cursor { raw: item.raw, base: item.at, next: 1 }
    }

    /// The item that begins here, or `None` at the `e`. Steps over nested items by counting how
    /// many are open, so that depth costs nothing.
    fn next_item(&mut self) -> Option<Item<'b>> {
        let start = self.next;
        let mut end = start;
        let mut open = 0usize;
        loop {
            let read = read_token(self.raw, end).expect("the gate has read these bytes");
            match read.token {
                Token::List | Token::Dict => open += 1,
                Token::End if open == 0 => return None,
                Token::End => open -= 1,
                Token::Int(_) | Token::Bytes(_) => {}
            }
            end = read.end;
            if open == 0 {
                break;
            }
        }
        self.next = end;
        Some(Item { raw: &self.raw[start..end], at: self.base + start })
    }
}

/// The smallest meaningful unit of bencode.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Token<'b> {
    Int(i64),
    Bytes(&'b [u8]),
    List,
    Dict,
    End,
}

#[derive(Clone, Copy, Debug)]
struct Read<'b> {
    token: Token<'b>,
    /// Offset of the first byte after the token.
    end: usize,
    /// Whether its number is written in the one way that BEP 3 allows.
    canonical: bool,
}

/// Reads the token that begins at `at`.
fn read_token(bytes: &[u8], at: usize) -> Result<Read<'_>, Malformed> {
    let bare = |token| Ok(Read { token, end: at + 1, canonical: true });
    match bytes.get(at) {
        Some(b'l') => bare(Token::List),
        Some(b'd') => bare(Token::Dict),
        Some(b'e') => bare(Token::End),
        Some(b'i') => read_int(bytes, at),
        Some(b'0'..=b'9') => read_bytes(bytes, at),
        Some(other) => Err(Malformed::new(format!("0x{other:02x} begins no bencoded value"), at)),
        None => Err(Malformed::new("the input ends in the middle of a value", at)),
    }
}

/// `i`, perhaps `-`, digits, `e`.
fn read_int(bytes: &[u8], at: usize) -> Result<Read<'_>, Malformed> {
    let negative = bytes.get(at + 1) == Some(&b'-');
    let from = at + 1 + usize::from(negative);
    let number = read_number(bytes, from, b'e')?;
    // The most negative number has no positive twin, so the sign comes in before the range check.
    let signed = if negative { -i128::from(number.value) } else { i128::from(number.value) };
    let value =
        i64::try_from(signed).map_err(|_| Malformed::new("integer does not fit in 64 bits", at))?;
    let canonical = number.canonical && !(negative && value == 0);
    Ok(Read { token: Token::Int(value), end: number.end, canonical })
}

/// Digits, `:`, so many bytes.
fn read_bytes(bytes: &[u8], at: usize) -> Result<Read<'_>, Malformed> {
    let number = read_number(bytes, at, b':')?;
    let left = &bytes[number.end..];
    let content = usize::try_from(number.value).ok().and_then(|len| left.get(..len));
    let Some(content) = content else {
        let what = format!("a string of {} bytes where {} are left", number.value, left.len());
        return Err(Malformed::new(what, at));
    };
    let end = number.end + content.len();
    Ok(Read { token: Token::Bytes(content), end, canonical: number.canonical })
}

struct Number {
    value: u64,
    /// Offset of the first byte after the terminator.
    end: usize,
    canonical: bool,
}

/// At least one digit, then `terminator`. Stops at the first byte that is neither, so a number
/// costs what it is long and no more than its twentieth significant digit.
fn read_number(bytes: &[u8], from: usize, terminator: u8) -> Result<Number, Malformed> {
    let mut value = 0u64;
    let mut at = from;
    loop {
        match bytes.get(at) {
            Some(digit @ b'0'..=b'9') => {
                value = value
                    .checked_mul(10)
                    .and_then(|tens| tens.checked_add(u64::from(digit - b'0')))
                    .ok_or_else(|| Malformed::new("number does not fit in 64 bits", from))?;
                at += 1;
            }
            Some(byte) if *byte == terminator && at > from => break,
            Some(byte) => {
                return Err(Malformed::new(format!("0x{byte:02x} inside a number"), at));
            }
            None => return Err(Malformed::new("the input ends in the middle of a number", at)),
        }
    }
    let canonical = bytes[from] != b'0' || at == from + 1;
    Ok(Number { value, end: at + 1, canonical })
}

/// The one walk over an input.
struct Gate<'b> {
    bytes: &'b [u8],
    strictness: Strictness,
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
    fn new(bytes: &'b [u8], strictness: Strictness) -> Gate<'b> {
        let oddities = Oddities::default();
        Gate { bytes, strictness, open: Vec::new(), keys: Vec::new(), oddities }
    }

    fn run(mut self) -> Result<Scan<'b>, Malformed> {
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
        if self.open.len() == BENCODE_DEPTH_MAX {
            let what = format!("more than {BENCODE_DEPTH_MAX} lists and dictionaries nested");
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
        keys.sort_unstable_by(|&a, &b| key(a).cmp(key(b)).then(a.cmp(&b)));
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

/// Appends canonical bencode to a vector.
///
/// Calls mirror the text: `begin_dict`, then `key` and one value alternating, then `end`. What
/// would not be canonical (keys out of order, a value without a key) is our own bug and panics in
/// debug builds.
#[derive(Debug)]
pub struct Writer<'o> {
    out: &'o mut Vec<u8>,
    open: Vec<Writing>,
}

/// A list or dictionary being written.
#[derive(Clone, Copy, Debug)]
enum Writing {
    List,
    /// Where the last key's bytes stand in the output, and whether its value is still to come.
    Dict {
        last_key: Option<(usize, usize)>,
        owes_value: bool,
    },
}

impl<'o> Writer<'o> {
    pub fn new(out: &'o mut Vec<u8>) -> Writer<'o> {
        Writer { out, open: Vec::new() }
    }

    pub fn int(&mut self, value: i64) -> &mut Self {
        self.value_begins();
        self.out.extend_from_slice(format!("i{value}e").as_bytes());
        self
    }

    /// Like `int`, for what is never negative: counts and sizes. Others read 64 bits with a sign,
    /// so nothing above `i64::MAX` may be written.
    pub fn uint(&mut self, value: u64) -> &mut Self {
        self.int(i64::try_from(value).expect("counts and sizes stay below 2^63"))
    }

    pub fn bytes(&mut self, value: impl AsRef<[u8]>) -> &mut Self {
        self.value_begins();
        self.string(value.as_ref());
        self
    }

    /// An item that is bencoded already, copied as it is.
    pub fn raw(&mut self, item: &[u8]) -> &mut Self {
        self.value_begins();
        self.out.extend_from_slice(item);
        self
    }

    pub fn begin_list(&mut self) -> &mut Self {
        self.value_begins();
        self.out.push(b'l');
        self.open.push(Writing::List);
        self
    }

    pub fn begin_dict(&mut self) -> &mut Self {
        self.value_begins();
        self.out.push(b'd');
        self.open.push(Writing::Dict { last_key: None, owes_value: false });
        self
    }

    /// The next key of the dictionary that is open; greater than the one before it.
    pub fn key(&mut self, key: impl AsRef<[u8]>) -> &mut Self {
        let key = key.as_ref();
        self.string(key);
        let place = (self.out.len() - key.len(), self.out.len());
        match self.open.last_mut() {
            Some(Writing::Dict { last_key, owes_value }) => {
                let before = last_key.replace(place).map(|(from, to)| &self.out[from..to]);
                debug_assert!(!*owes_value, "a key without a value");
                debug_assert!(before.is_none_or(|before| before < key), "keys out of order");
                *owes_value = true;
            }
            Some(Writing::List) | None => debug_assert!(false, "a key outside a dictionary"),
        }
        self
    }

    /// Ends the innermost open list or dictionary.
    pub fn end(&mut self) -> &mut Self {
        let closed = self.open.pop();
        debug_assert!(closed.is_some(), "an end without a beginning");
        debug_assert!(!matches!(closed, Some(Writing::Dict { owes_value: true, .. })));
        self.out.push(b'e');
        self
    }

    fn string(&mut self, value: &[u8]) {
        self.out.extend_from_slice(format!("{}:", value.len()).as_bytes());
        self.out.extend_from_slice(value);
    }

    fn value_begins(&mut self) {
        if let Some(Writing::Dict { owes_value, .. }) = self.open.last_mut() {
            debug_assert!(*owes_value, "a value without a key");
            *owes_value = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out);
        writer.begin_dict().key("interval").int(1800).key("peers").bytes(b"abcdef").end();
        assert_eq!(out, b"d8:intervali1800e5:peers6:abcdefe");

        let dict = Dict::parse(&out, Strictness::Strict).expect("canonical");
        assert_eq!(dict.get("interval").and_then(Item::int), Some(1800));
        assert_eq!(dict.get("peers").and_then(Item::bytes), Some(&b"abcdef"[..]));
        assert_eq!(dict.get("peers").and_then(Item::int), None);
    }
}
