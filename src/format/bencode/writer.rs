//! The writer: canonical bencode, appended to a vector.

use crate::format::decimal;

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
        self.out.push(b'i');
        if value < 0 {
            self.out.push(b'-');
        }
        decimal::write(value.unsigned_abs(), self.out);
        self.out.push(b'e');
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
        decimal::write(value.len() as u64, self.out);
        self.out.push(b':');
        self.out.extend_from_slice(value);
    }

    fn value_begins(&mut self) {
        if let Some(Writing::Dict { owes_value, .. }) = self.open.last_mut() {
            debug_assert!(*owes_value, "a value without a key");
            *owes_value = false;
        }
    }
}
