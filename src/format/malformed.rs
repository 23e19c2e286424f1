//! Malformed: why a file or a text from outside cannot be read, and where.
//!
//! One shape for every format of this floor, so that a person always reads the same kind of line:
//! `piece length 0 is not between 1 and 536870912, at byte 37`.

use std::borrow::Cow;
use std::fmt;

/// The first thing that is wrong with some bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Malformed {
    /// Short, lower case, with the numbers; our own words, so it is clean for a terminal.
    pub what: Cow<'static, str>,
    /// Byte offset of the offending thing from the beginning of the input.
    pub at: usize,
}

impl Malformed {
    pub fn new(what: impl Into<Cow<'static, str>>, at: usize) -> Malformed {
        Malformed { what: what.into(), at }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, at byte {}", self.what, self.at)
    }
}

impl std::error::Error for Malformed {}
