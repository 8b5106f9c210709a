//! JSON objects taken apart one level deep: what nobody asks for stays the bytes it came as, numbers and order of keys
//! included, and costs no more memory than these.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use redline_model::qac::whole_surrogates;
use serde::Serialize;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::{RawValue, to_raw_value};

/// Most fields of an object that is taken apart.
const MOST_FIELDS: usize = 4096;
/// Most elements of a list that is taken apart: a place for each takes more memory than a short element.
const MOST_ELEMENTS: usize = 1 << 17;

/// An object's fields in their order; no name stands twice.
#[derive(Debug, Clone, Default)]
pub struct RawObject<'a>(Vec<(String, Cow<'a, RawValue>)>);

impl<'a> RawObject<'a> {
    /// The fields of a JSON object.
    pub fn parse(text: &'a str) -> serde_json::Result<Self> {
        serde_json::from_str(text)
    }

    /// Those of a value that may be none.
    pub fn of(value: &'a RawValue) -> Option<Self> {
        Self::parse(value.get()).ok()
    }

    /// A field, unless it is missing or null.
    pub fn get(&self, name: &str) -> Option<&RawValue> {
        let found = self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_ref());
        found.filter(|value| !is_null(value))
    }

    /// Removes a field; `None` where it is missing or null.
    pub fn take(&mut self, name: &str) -> Option<Cow<'a, RawValue>> {
        let at = self.0.iter().position(|(other, _)| other == name)?;
        Some(self.0.remove(at).1).filter(|value| !is_null(value))
    }

    /// Sets a field where it stands, or at the end.
    pub fn set(&mut self, name: &str, value: &impl Serialize) {
        let raw = Cow::Owned(raw(value));
        match self.0.iter_mut().find(|(other, _)| other == name) {
            Some((_, old)) => *old = raw,
            None => self.0.push((name.into(), raw)),
        }
    }

    /// Whether it has no field.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names and values.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &RawValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_ref()))
    }
}

impl fmt::Display for RawObject<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("{")?;
        for (index, (name, value)) in self.0.iter().enumerate() {
            let name = serde_json::to_string(name).map_err(|_| fmt::Error)?;
            write!(formatter, "{}{name}:{}", if index > 0 { "," } else { "" }, value.get())?;
        }
        formatter.write_str("}")
    }
}

impl Serialize for RawObject<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value.as_ref())))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for RawObject<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = RawObject<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let (mut fields, mut names) = (Vec::new(), HashSet::new());
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    if !names.insert(name.clone()) {
                        // readers differ in which one they take, so nobody could say what was seen
                        return Err(M::Error::custom(format_args!("the field {name:?} stands twice")));
                    }
                    if fields.len() == MOST_FIELDS {
                        return Err(M::Error::custom(format_args!("an object has more than {MOST_FIELDS} fields")));
                    }
                    fields.push((name, Cow::Borrowed(value)));
                }
                Ok(RawObject(fields))
            }
        }
        deserializer.deserialize_map(Fields)
    }
}

/// A value as JSON.
pub fn raw(value: &impl Serialize) -> Box<RawValue> {
    // only maps whose keys are no strings, and values that refuse, cannot be written; none of ours does
    to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// A value of a known type; `None` where it is another.
pub fn read<T: DeserializeOwned>(value: &RawValue) -> Option<T> {
    serde_json::from_str(value.get()).ok()
}

/// A text; halves of characters that stand alone are replaced, as browsers do.
pub fn text(value: &RawValue) -> Option<String> {
    decoded(value.get())
}

/// What a JSON string says, its quotation marks included in `json`; halves of characters as in [`text`].
pub fn decoded(json: &str) -> Option<String> {
    serde_json::from_str(json).ok().or_else(|| serde_json::from_str(&whole_surrogates(json)).ok())
}

/// The elements of a list; `None` where it is none, or has more of them than anybody means.
pub fn list(value: &RawValue) -> Option<Vec<&RawValue>> {
    parse_list(value.get()).ok()
}

/// The elements of a list in JSON text.
pub fn parse_list(text: &str) -> serde_json::Result<Vec<&RawValue>> {
    serde_json::from_str(text).map(|Elements(elements)| elements)
}

struct Elements<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Elements<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List;
        impl<'de> Visitor<'de> for List {
            type Value = Elements<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a list")
            }

            fn visit_seq<S: SeqAccess<'de>>(self, mut elements: S) -> Result<Self::Value, S::Error> {
                let mut list = Vec::new();
                while let Some(element) = elements.next_element()? {
                    if list.len() == MOST_ELEMENTS {
                        return Err(S::Error::custom(format_args!("a list has more than {MOST_ELEMENTS} elements")));
                    }
                    list.push(element);
                }
                Ok(Elements(list))
            }
        }
        deserializer.deserialize_seq(List)
    }
}

/// Whether a value is null.
pub fn is_null(value: &RawValue) -> bool {
    value.get() == "null"
}

/// Whether a value holds nothing: null, an empty text, list or object.
pub fn is_void(value: &RawValue) -> bool {
    let is_empty = |open: char, close: char| {
        let inner = value.get().strip_prefix(open).and_then(|rest| rest.strip_suffix(close));
        inner.is_some_and(|inner| inner.trim().is_empty())
    };
    matches!(value.get(), "null" | "\"\"") || is_empty('[', ']') || is_empty('{', '}')
}

/// Whether a value says that there is nothing, as servers do in a field that is always there: it is void, false, 0, or has
/// no more in it than such values.
pub fn is_nothing(value: &RawValue) -> bool {
    let is_plain_nothing = |value: &RawValue| match value.get() {
        "false" => true,
        _ if is_void(value) => true,
        other if other.starts_with('"') => text(value).is_some_and(|text| text.trim().is_empty()),
        _ => read(value) == Some(0.0),
    };
    let of_object =
        || RawObject::of(value).is_some_and(|object| object.fields().all(|(_, value)| is_plain_nothing(value)));
    let of_list = || list(value).is_some_and(|list| list.into_iter().all(is_plain_nothing));
    is_plain_nothing(value) || of_object() || of_list()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_touched_stays_the_same_bytes() {
        let text = r#"{"z":{"b":1,"a":12345678901234567890123},"a":1.10,"seed":1e400,"m":[ 1 , 2 ]}"#;
        let mut object = RawObject::parse(text).unwrap();
        assert_eq!(object.to_string(), text);
        object.set("a", &2);
        object.set("new", &"x");
        assert_eq!(object.take("z").unwrap().get(), r#"{"b":1,"a":12345678901234567890123}"#);
        assert_eq!(object.to_string(), r#"{"a":2,"seed":1e400,"m":[ 1 , 2 ],"new":"x"}"#);
        assert_eq!(object.get("a").map(RawValue::get), Some("2"));
    }

    #[test]
    fn names_that_stand_twice_and_other_values_are_refused() {
        assert!(RawObject::parse(r#"{"a":1,"a":2}"#).unwrap_err().to_string().contains("\"a\" stands twice"));
        assert!(RawObject::parse(r#"{"a":1,"\u0061":2}"#).is_err(), "however the name is written");
        for text in ["[]", "1", "\"x\"", "{", "{\"a\":}", ""] {
            assert!(RawObject::parse(text).is_err(), "{text}");
        }
        let many = format!("{{{}}}", (0..5000).map(|i| format!("\"{i}\":0")).collect::<Vec<_>>().join(","));
        assert!(RawObject::parse(&many).unwrap_err().to_string().contains("4096"));
    }

    #[test]
    fn halves_of_characters_are_replaced_and_others_kept() {
        let value = |json: &str| RawValue::from_string(json.into()).unwrap();
        assert_eq!(text(&value(r#""a\ud83d""#)).unwrap(), "a\u{fffd}");
        assert_eq!(text(&value(r#""\ude00\ud83d\ude00é\\ud83d\n""#)).unwrap(), "\u{fffd}😀é\\ud83d\n");
        assert_eq!(text(&value("3")), None);
        let void = [r#""""#, "[ ]", "{}", "null"].map(|json| is_void(&value(json)));
        assert_eq!(void, [true; 4]);
        assert!(!is_void(&value("[0]")) && !is_void(&value("0")));
        let many = |n: usize| value(&format!("[{}0]", "0,".repeat(n)));
        assert_eq!(list(&many(3)).unwrap().len(), 4);
        assert!(list(&many(MOST_ELEMENTS)).is_none());
    }
}
