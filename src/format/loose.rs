//! Loose: one bencoded value, read by serde, of whatever type it happens to be.
//!
//! A field of a derived struct has one type, and a value of another fails the whole struct. In a
//! .torrent that would refuse a good file for an odd date. A `Loose` field never fails; whoever
//! reads it asks for the type that they hope for.
//!
//! # Limits
//! Of a list, no more than `PATH_DEPTH_MAX + 1` strings are kept, so that a caller can see that
//! there are too many; nested lists and dictionaries are stepped over. The input must have passed
//! the gate: stepping over recurses once per level.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::base::limits::PATH_DEPTH_MAX;

/// A value as loosely as it may be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Loose {
    Int(i64),
    Bytes(Vec<u8>),
    /// A list of nothing but strings: a path.
    Strings(Vec<Vec<u8>>),
    /// Something that nobody reads as a field.
    Other,
}

impl Loose {
    pub(super) fn int(&self) -> Option<i64> {
        match self {
            Loose::Int(value) => Some(*value),
            Loose::Bytes(_) | Loose::Strings(_) | Loose::Other => None,
        }
    }

    pub(super) fn bytes(&self) -> Option<&[u8]> {
        match self {
            Loose::Bytes(bytes) => Some(bytes),
            Loose::Int(_) | Loose::Strings(_) | Loose::Other => None,
        }
    }

    pub(super) fn strings(&self) -> Option<&[Vec<u8>]> {
        match self {
            Loose::Strings(strings) => Some(strings),
            Loose::Int(_) | Loose::Bytes(_) | Loose::Other => None,
        }
    }
}

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Loose, D::Error> {
        deserializer.deserialize_any(LooseVisitor)
    }
}

struct LooseVisitor;

impl<'de> Visitor<'de> for LooseVisitor {
    type Value = Loose;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_i64<E>(self, value: i64) -> Result<Loose, E> {
        Ok(Loose::Int(value))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Loose, E> {
        Ok(Loose::Bytes(bytes.to_vec()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Loose, A::Error> {
        let mut strings = Vec::new();
        let mut is_path = true;
        while is_path && strings.len() <= PATH_DEPTH_MAX {
            match items.next_element()? {
                None => return Ok(Loose::Strings(strings)),
                Some(Loose::Bytes(string)) => strings.push(string),
                Some(Loose::Int(_) | Loose::Strings(_) | Loose::Other) => is_path = false,
            }
        }
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(if is_path { Loose::Strings(strings) } else { Loose::Other })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Loose, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Loose::Other)
    }
}
