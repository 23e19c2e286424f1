//! JSON from outside, read with bounds.
//!
//! Whoever may speak to us at all may still send nonsense: nesting without end, millions of empty
//! lists (a byte or two each here, thirty-two as values), a key twice, which two programs read in
//! two ways. Depth is bounded by `serde_json` (128 levels), values are counted, and a key that
//! comes twice is refused.
//!
//! # Why
//! A type that is read straight from the text, by code that is derived, is a parser of its own, as
//! large as its fields are many. Here all texts become a `Value`, and a `Record` finds its fields
//! there, each by a call. So all records together are a few KiB of the program where they were
//! fifty.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::text;
use crate::base::Set;

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
pub fn read<T: FromValue>(bytes: &[u8]) -> Result<T, String> {
    understand(&parse(bytes, usize::MAX)?)
}

/// Reads a value as a type of ours. Error: why it is none.
pub fn understand<T: FromValue>(value: &Value) -> Result<T, String> {
    T::from_value(value).map_err(text::clean)
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

// ── Records ─────────────────────────────────────────────────────────────────────────────────

/// A type that is read from an object, field by field.
pub trait Record: Sized {
    /// Fields that are not there or hold something else may be anything in what comes back.
    fn read(fields: &mut Fields<'_>) -> Self;
}

/// The fields of an object, while a record is read from them.
pub struct Fields<'v> {
    map: &'v Map<String, Value>,
    /// Every name that was asked for.
    names: Vec<&'static str>,
    /// What the first field that does not hold what it should is, and lacks.
    wrong: Option<String>,
}

/// The names of the fields that a record is read from.
pub fn names_of<T: Record>() -> Vec<&'static str> {
    let nothing = Map::new();
    let mut fields = Fields::of(&nothing);
    // It asks for all of them, and what it finds there is of no interest.
    T::read(&mut fields);
    fields.names
}

impl<'v> Fields<'v> {
    fn of(map: &'v Map<String, Value>) -> Fields<'v> {
        Fields { map, names: Vec::new(), wrong: None }
    }

    /// What is in a field; if the field is missing, what is usual with its type.
    pub fn get<T: FromValue + Default>(&mut self, name: &'static str) -> T {
        self.get_or(name, T::default())
    }

    /// What is in a field; `usual` if the field is missing.
    pub fn get_or<T: FromValue>(&mut self, name: &'static str, usual: T) -> T {
        match self.look(name).map(T::from_value) {
            None => usual,
            Some(Ok(value)) => value,
            Some(Err(what)) => {
                self.note(name, &what);
                usual
            }
        }
    }

    /// What is in a field that must be there.
    pub fn need<T: FromValue + Default>(&mut self, name: &'static str) -> T {
        if !self.map.contains_key(name) {
            self.note(name, "missing");
        }
        self.get(name)
    }

    /// A text, fit to be shown.
    pub fn clean(&mut self, name: &'static str) -> String {
        text::clean(self.get::<String>(name))
    }

    fn look(&mut self, name: &'static str) -> Option<&'v Value> {
        self.names.push(name);
        self.map.get(name)
    }

    fn note(&mut self, name: &str, what: &str) {
        self.wrong.get_or_insert_with(|| format!("{name}: {what}"));
    }
}

/// What a value can be read as.
pub trait FromValue: Sized {
    /// Error: what it is not.
    fn from_value(value: &Value) -> Result<Self, String>;
}

impl<T: Record> FromValue for T {
    fn from_value(value: &Value) -> Result<T, String> {
        let mut fields = Fields::of(value.as_object().ok_or("no object")?);
        let record = T::read(&mut fields);
        match fields.wrong {
            None => Ok(record),
            Some(wrong) => Err(wrong),
        }
    }
}

/// Null is none.
impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: &Value) -> Result<Option<T>, String> {
        if value.is_null() { Ok(None) } else { T::from_value(value).map(Some) }
    }
}

impl<T: FromValue> FromValue for Vec<T> {
    fn from_value(value: &Value) -> Result<Vec<T>, String> {
        value.as_array().ok_or("no list")?.iter().map(T::from_value).collect()
    }
}

/// A list of just so many.
impl<T: FromValue, const N: usize> FromValue for [T; N] {
    fn from_value(value: &Value) -> Result<[T; N], String> {
        let values: Vec<T> = Vec::from_value(value)?;
        values.try_into().map_err(|_| format!("not a list of {N}"))
    }
}

impl<T: FromValue + Ord> FromValue for Set<T> {
    fn from_value(value: &Value) -> Result<Set<T>, String> {
        Vec::from_value(value).map(Set::from)
    }
}

impl FromValue for Map<String, Value> {
    fn from_value(value: &Value) -> Result<Map<String, Value>, String> {
        Ok(value.as_object().ok_or("no object")?.clone())
    }
}

impl FromValue for String {
    fn from_value(value: &Value) -> Result<String, String> {
        Ok(value.as_str().ok_or("no text")?.to_owned())
    }
}

impl FromValue for bool {
    fn from_value(value: &Value) -> Result<bool, String> {
        Ok(value.as_bool().ok_or("neither true nor false")?)
    }
}

impl FromValue for f64 {
    fn from_value(value: &Value) -> Result<f64, String> {
        Ok(value.as_f64().ok_or("no number")?)
    }
}

/// Whole numbers, which must fit.
macro_rules! whole {
    ($($number:ty)*) => {$(
        impl FromValue for $number {
            fn from_value(value: &Value) -> Result<$number, String> {
                Ok(whole(value).and_then(|number| number.try_into().ok()).ok_or(NOT_WHOLE)?)
            }
        }
    )*};
}

whole! { u8 u16 u32 u64 usize i8 i64 }

const NOT_WHOLE: &str = "no whole number, or one that is out of range";

fn whole(value: &Value) -> Option<i128> {
    value.as_u64().map(i128::from).or_else(|| value.as_i64().map(i128::from))
}
