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

mod gate;
mod writer;

use super::Malformed;
use crate::base::limits::BENCODE_DEPTH_MAX;
use gate::Gate;
pub use writer::Writer;

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
    Gate::new(bytes, strictness, BENCODE_DEPTH_MAX).run()
}

impl<'b> Dict<'b> {
    /// Reads an input that must be one dictionary.
    pub fn parse(bytes: &'b [u8], strictness: Strictness) -> Result<Dict<'b>, Malformed> {
        let scan = scan(bytes, strictness)?;
        scan.root.dict().ok_or_else(|| Malformed::new("not a dictionary", 0))
    }

    /// Reads an input that must be one dictionary, nested no deeper than `depth_max`.
    pub fn parse_shallow(
        bytes: &'b [u8],
        strictness: Strictness,
        depth_max: usize,
    ) -> Result<Dict<'b>, Malformed> {
        let scan = Gate::new(bytes, strictness, depth_max.min(BENCODE_DEPTH_MAX)).run()?;
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
