//! JSON from outside, read with bounds.
//!
//! Whoever may speak to us at all may still send nonsense: nesting without end, millions of empty
//! lists (a byte or two each here, thirty-two as values), a key twice, which two programs read in
//! two ways. Depth is bounded by `serde_json` (128 levels), values are counted, and a key that
//! comes twice is refused.
//!
//! # Why
//! A type that is read straight from the text is a parser of its own, as large as its fields are
//! many. Here all texts become a `Value`, and what a type wants of it is found there; and a struct
//! is found in an object only, where `serde_json` would read it from a list, too.

use std::fmt;

use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, Visitor,
};
use serde_json::{Map, Value};

use super::text;

/// Reads one JSON text, whole. `values_max`: it may consist of so many.
///
/// Error: why it is none, with line and column, fit to be shown.
pub fn parse(bytes: &[u8], values_max: usize) -> Result<Value, String> {
    let mut left = values_max;
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Counted { left: &mut left }.deserialize(&mut deserializer);
    let parsed = value.and_then(|value| deserializer.end().map(|()| value));
    parsed.map_err(|error| text::clean(format!("not JSON: {error}")))
}

/// Reads what we or a tracker of ours wrote, as a type of ours.
///
/// Error: why it is none.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    understand(parse(bytes, usize::MAX)?)
}

/// Reads a value as a type of ours. Error: why it is none.
pub fn understand<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    T::deserialize(Plain(value)).map_err(|error| text::clean(error.to_string()))
}

/// An object of these pairs. (What `json!` makes of each pair is thrice the code.)
pub fn object<const N: usize>(pairs: [(&str, Value); N]) -> Value {
    let mut map = Map::new();
    pairs.into_iter().for_each(|(key, value)| put(&mut map, key, value));
    Value::Object(map)
}

/// Puts a value into an object.
pub fn put(map: &mut Map<String, Value>, key: &str, value: Value) {
    map.insert(key.to_owned(), value);
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

/// A value as what a type of ours is read from.
struct Plain(Value);

impl<'de> Deserializer<'de> for Plain {
    type Error = serde_json::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Number(number) => number.deserialize_any(visitor),
            Value::String(value) => visitor.visit_string(value),
            Value::Array(values) => visitor.visit_seq(Items(values.into_iter())),
            Value::Object(map) => {
                visitor.visit_map(Entries { entries: map.into_iter(), value: Value::Null })
            }
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        match self.0 {
            Value::Object(map) => {
                visitor.visit_map(Entries { entries: map.into_iter(), value: Value::Null })
            }
            _ => Err(Error::invalid_type(Unexpected::Other("no object"), &visitor)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        match self.0 {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier
    }
}

struct Items(std::vec::IntoIter<Value>);

impl<'de> SeqAccess<'de> for Items {
    type Error = serde_json::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Self::Error> {
        self.0.next().map(|value| seed.deserialize(Plain(value))).transpose()
    }
}

struct Entries {
    entries: serde_json::map::IntoIter,
    /// Of the key that was taken last.
    value: Value,
}

impl<'de> MapAccess<'de> for Entries {
    type Error = serde_json::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Self::Error> {
        let Some((key, value)) = self.entries.next() else { return Ok(None) };
        self.value = value;
        seed.deserialize(key.into_deserializer()).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, Self::Error> {
        seed.deserialize(Plain(self.value.take()))
    }
}
