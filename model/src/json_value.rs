//! JSON values of a bounded size in memory: a text of a few bytes a value can take a hundred times its own length.

use std::cell::Cell;
use std::fmt;
use std::path::Path;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::files::refuse_lfs_pointer;
use crate::{Error, Result};

/// Bytes of a value itself, in a list or as a field.
const VALUE_BYTES: usize = 32;
/// Bytes of a field's key and its share of the tree that holds it.
const FIELD_BYTES: usize = 64;
/// Bytes of an object's first node.
const OBJECT_BYTES: usize = 640;
/// Most memory for the values of one file of settings.
const MOST_SETTINGS_MEMORY: usize = 256 << 20;

/// Memory that values may still take.
pub(crate) struct Budget(Cell<usize>);

impl Budget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Cell::new(bytes))
    }

    /// Takes some of it; false when there is not so much, and from then on.
    pub(crate) fn take(&self, bytes: usize) -> bool {
        let left = self.0.get().checked_sub(bytes);
        self.0.set(left.unwrap_or(0));
        left.is_some()
    }

    pub(crate) fn is_spent(&self) -> bool {
        self.0.get() == 0
    }

    fn charge<E: serde::de::Error>(&self, bytes: usize) -> std::result::Result<(), E> {
        match self.take(bytes) {
            true => Ok(()),
            false => Err(E::custom("too many values")),
        }
    }
}

/// The value of a file of settings.
///
/// # Errors
/// [`Error::Malformed`] when it is no JSON, or holds more values than fit in a bounded memory.
pub fn parse_settings(path: &Path, bytes: &[u8]) -> Result<Value> {
    refuse_lfs_pointer(path, bytes)?;
    let budget = Budget::new(MOST_SETTINGS_MEMORY);
    let malformed = |rule| Error::Malformed { path: path.into(), format: "JSON", rule };
    let mut input = serde_json::Deserializer::from_slice(bytes);
    let value = Kept { budget: &budget }.deserialize(&mut input).and_then(|value| input.end().map(|()| value));
    value.map_err(|error| match budget.is_spent() {
        true => malformed(format!("its values need more than {} MiB of memory", MOST_SETTINGS_MEMORY >> 20)),
        false => malformed(error.to_string()),
    })
}

/// Refuses JSON of more than `most` values, before a parser that keeps them all sees it. What is no JSON passes: the parser says so
/// better.
///
/// # Errors
/// [`Error::Malformed`].
pub(crate) fn check_values(path: &Path, bytes: &[u8], most: usize) -> Result<()> {
    let budget = Budget::new(most);
    let mut input = serde_json::Deserializer::from_slice(bytes);
    let counted = Counted { budget: &budget }.deserialize(&mut input);
    match counted.is_err() && budget.is_spent() {
        true => {
            let rule = format!("it holds more than {most} values");
            Err(Error::Malformed { path: path.into(), format: "JSON", rule })
        }
        false => Ok(()),
    }
}

/// Methods of a visitor for everything that holds no other values.
macro_rules! plain_values {
    ($wrap:expr) => {
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON value")
        }

        fn visit_unit<E: serde::de::Error>(self) -> std::result::Result<Self::Value, E> {
            $wrap(&self, Value::Null)
        }

        fn visit_bool<E: serde::de::Error>(self, value: bool) -> std::result::Result<Self::Value, E> {
            $wrap(&self, Value::Bool(value))
        }

        fn visit_i64<E: serde::de::Error>(self, value: i64) -> std::result::Result<Self::Value, E> {
            $wrap(&self, value.into())
        }

        fn visit_u64<E: serde::de::Error>(self, value: u64) -> std::result::Result<Self::Value, E> {
            $wrap(&self, value.into())
        }

        fn visit_f64<E: serde::de::Error>(self, value: f64) -> std::result::Result<Self::Value, E> {
            $wrap(&self, value.into())
        }

        fn visit_str<E: serde::de::Error>(self, value: &str) -> std::result::Result<Self::Value, E> {
            $wrap(&self, value.into())
        }
    };
}

/// A whole value, as long as the budget lasts.
#[derive(Clone, Copy)]
struct Kept<'a> {
    budget: &'a Budget,
}

impl<'de> DeserializeSeed<'de> for Kept<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<Value, D::Error> {
        self.budget.charge(VALUE_BYTES)?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Kept<'_> {
    type Value = Value;

    plain_values!(|_: &Self, value| Ok(value));

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> std::result::Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element_seed(self)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Value, A::Error> {
        let mut object = Map::new();
        self.budget.charge(OBJECT_BYTES)?;
        while let Some(key) = map.next_key::<String>()? {
            self.budget.charge(FIELD_BYTES + key.len())?;
            object.insert(key, map.next_value_seed(self)?);
        }
        Ok(Value::Object(object))
    }
}

/// No value at all, only their number.
#[derive(Clone, Copy)]
struct Counted<'a> {
    budget: &'a Budget,
}

impl<'de> DeserializeSeed<'de> for Counted<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> std::result::Result<(), D::Error> {
        self.budget.charge(1)?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Counted<'_> {
    type Value = ();

    plain_values!(|_: &Self, _: Value| Ok(()));

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> std::result::Result<(), A::Error> {
        while list.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<(), A::Error> {
        while map.next_key::<IgnoredAny>()?.is_some() {
            map.next_value_seed(self)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_the_values_of_the_text() {
        let text = r#"{"a": [1, -2, 0.5, null, true, "x"], "b": {"c": {}}}"#;
        let expected: Value = serde_json::from_str(text).unwrap();
        assert_eq!(parse_settings(Path::new("c.json"), text.as_bytes()).unwrap(), expected);
        let error = parse_settings(Path::new("c.json"), b"{\"a\" 1}").unwrap_err().to_string();
        assert!(error.starts_with("c.json: not a valid JSON file: expected `:` at line 1"), "{error}");
        assert!(parse_settings(Path::new("c.json"), b"{} x").is_err());
    }

    #[test]
    fn many_small_values_are_refused_by_their_memory() {
        let text = format!("[{}0]", "{\"\":0},".repeat(1_000_000));
        let error = parse_settings(Path::new("c.json"), text.as_bytes()).unwrap_err().to_string();
        assert_eq!(error, "c.json: not a valid JSON file: its values need more than 256 MiB of memory");
        let error = check_values(Path::new("c.json"), text.as_bytes(), 1000).unwrap_err().to_string();
        assert_eq!(error, "c.json: not a valid JSON file: it holds more than 1000 values");
        assert!(check_values(Path::new("c.json"), text.as_bytes(), 3_000_000).is_ok());
    }
}
