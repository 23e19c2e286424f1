//! JSON from outside, read with bounds.
//!
//! Whoever may speak to us at all may still send nonsense: nesting without end, millions of empty
//! lists (a byte or two each here, thirty-two as values), a key twice, which two programs read in
//! two ways. Depth is bounded by `serde_json` (128 levels), values are counted, and a key that
//! comes twice is refused.
//!
//! # Limits
//! `RPC_VALUES_MAX`.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::base::limits::RPC_VALUES_MAX;
use crate::format::text;

/// Reads one JSON text, whole.
///
/// Error: why it is none, with line and column, fit to be shown.
pub fn parse(bytes: &[u8]) -> Result<Value, String> {
    let mut left = RPC_VALUES_MAX;
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Counted { left: &mut left }.deserialize(&mut deserializer);
    let parsed = value.and_then(|value| deserializer.end().map(|()| value));
    parsed.map_err(|error| text::clean(format!("not JSON: {error}")))
}

/// One value, of those that are left.
struct Counted<'c> {
    left: &'c mut usize,
}

impl<'de> DeserializeSeed<'de> for Counted<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if *self.left == 0 {
            return Err(D::Error::custom("too many values"));
        }
        *self.left -= 1;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Counted<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = seq.next_element_seed(Counted { left: &mut *self.left })? {
            values.push(value);
        }
        Ok(Value::from(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(Counted { left: &mut *self.left })?;
            if map.insert(key, value).is_some() {
                return Err(A::Error::custom("a key that comes twice"));
            }
        }
        Ok(Value::from(map))
    }
}
