//! Malformed: why a file or a text from outside cannot be read, and where.
//!
//! One shape for every format of this floor, so that a person always reads the same kind of line:
//! `piece length 0 is not between 1 and 536870912, at byte 37`.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

/// The first thing that is wrong with some bytes.
///
/// In a box: every result of this floor carries one or could, and hardly any does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Malformed(Box<Flaw>);

/// What is wrong, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Flaw {
    /// Short, lower case, with the numbers; our own words, so it is clean for a terminal.
    pub what: Cow<'static, str>,
    /// Byte offset of the offending thing from the beginning of the input.
    pub at: usize,
}

impl Malformed {
    pub fn new(what: impl Into<Cow<'static, str>>, at: usize) -> Malformed {
        Malformed(Box::new(Flaw { what: what.into(), at }))
    }

    /// What is wrong, without the place.
    pub fn into_what(self) -> Cow<'static, str> {
        self.0.what
    }
}

impl Deref for Malformed {
    type Target = Flaw;

    fn deref(&self) -> &Flaw {
        &self.0
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, at byte {}", self.what, self.at)
    }
}

impl std::error::Error for Malformed {}
