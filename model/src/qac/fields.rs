//! The fields of a row as they stand in the file: their order, the spelling of numbers and everything unknown are kept.

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::LineFault;

/// What is written in place of half a surrogate pair.
const REPLACEMENT: &str = "\\ufffd";

/// Fields in order, each value as its JSON text.
#[derive(Debug, Clone, Default)]
pub struct Fields(Vec<(String, Box<RawValue>)>);

impl Fields {
    /// Reads one JSON object.
    ///
    /// # Errors
    /// The text is no JSON, no object, or has a key twice.
    pub fn read(json: &str) -> Result<Self, LineFault> {
        let json = json.trim();
        if !json.starts_with('{') {
            let value: &RawValue = serde_json::from_str(json).map_err(LineFault::Json)?;
            return Err(LineFault::NotAnObject { got: kind_of_text(value.get()) });
        }
        let fields: Self = serde_json::from_str(json).map_err(LineFault::Json)?;
        let mut seen = HashSet::with_capacity(fields.0.len());
        let repeated = fields.names().find(|name| !seen.insert(*name)).map(str::to_owned);
        match repeated {
            Some(key) => Err(LineFault::RepeatedKey { key }),
            None => Ok(fields),
        }
    }

    /// The JSON text of a field.
    pub fn raw(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.get())
    }

    /// What kind of value a field holds, as messages call it.
    pub fn kind(&self, name: &str) -> Option<&'static str> {
        self.raw(name).map(kind_of_text)
    }

    /// Whether the field is there and not null.
    pub fn has(&self, name: &str) -> bool {
        self.raw(name).is_some_and(|raw| raw != "null")
    }

    /// The value of a field; half a surrogate pair becomes U+FFFD.
    ///
    /// # Errors
    /// It cannot be held: too deep, or a number beyond all bounds.
    pub fn value(&self, name: &str) -> Option<serde_json::Result<Value>> {
        self.raw(name).map(|raw| serde_json::from_str(&whole_surrogates(raw)))
    }

    /// The text of a field that holds text.
    pub fn text(&self, name: &str) -> Option<String> {
        // another value may be large in memory
        self.kind(name).filter(|kind| *kind == "text")?;
        match self.value(name)?.ok()? {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// Puts a value in the place of the field of this name, or at the end; text that is there already stays as it is spelt.
    pub fn put(&mut self, name: &str, value: impl Into<Value>) {
        let value = value.into();
        let there = self.raw(name).and_then(|raw| serde_json::from_str::<Value>(raw).ok());
        if value.is_string() && there.is_some_and(|there| there == value) {
            return;
        }
        let Ok(raw) = serde_json::value::to_raw_value(&value) else { return }; // a value is always JSON
        match self.0.iter_mut().find(|(key, _)| key == name) {
            Some((_, there)) => *there = raw,
            None => self.0.push((name.to_owned(), raw)),
        }
    }

    /// Puts fields behind these.
    pub fn append(&mut self, mut others: Self) {
        others.retain(|name| self.raw(name).is_none());
        self.0.append(&mut others.0);
    }

    /// Gives a field another name; its value stays as it is spelt.
    pub fn rename(&mut self, from: &str, to: &str) {
        if let Some((name, _)) = self.0.iter_mut().find(|(name, _)| name == from) {
            to.clone_into(name);
        }
    }

    /// Leaves out fields by their names.
    pub fn retain(&mut self, mut is_kept: impl FnMut(&str) -> bool) {
        self.0.retain(|(name, _)| is_kept(name));
    }

    /// Whether some text holds half a surrogate pair, which no UTF-8 can hold.
    pub fn has_half_surrogates(&self, name: &str) -> bool {
        self.raw(name).is_some_and(|raw| matches!(whole_surrogates(raw), std::borrow::Cow::Owned(_)))
    }

    /// The row as another type.
    ///
    /// # Errors
    /// It does not fit.
    pub fn parse<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_str(&whole_surrogates(&serde_json::to_string(self)?))
    }
}

impl Serialize for Fields {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    fields.push((name, on_one_line(value)));
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

/// What a JSON value is called in messages, from its text.
fn kind_of_text(json: &str) -> &'static str {
    match json.as_bytes().first() {
        Some(b'n') => "null",
        Some(b't' | b'f') => "a truth value",
        Some(b'"') => "text",
        Some(b'[') => "a list",
        Some(b'{') => "an object",
        _ => "a number",
    }
}

/// The value without white space between its parts where it has line breaks, which would end a row.
fn on_one_line(value: Box<RawValue>) -> Box<RawValue> {
    if !value.get().contains(['\n', '\r']) {
        return value;
    }
    let (mut text, mut is_inside, mut is_escaped) = (String::with_capacity(value.get().len()), false, false);
    for character in value.get().chars() {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => is_inside = !is_inside,
            _ if !is_inside && character.is_ascii_whitespace() => continue,
            _ => {}
        }
        text.push(character);
    }
    RawValue::from_string(text).unwrap_or(value)
}

/// JSON text with every escape of half a surrogate pair replaced, as browsers do.
pub fn whole_surrogates(json: &str) -> std::borrow::Cow<'_, str> {
    let (mut mended, mut done, mut at) = (String::new(), 0, 0);
    while let Some(found) = json.get(at..).and_then(|rest| rest.find('\\')) {
        let start = at + found;
        at = start + 2;
        match (surrogate(json, start), surrogate(json, start + 6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => at = start + 12,
            (Some(_), _) => {
                mended += &json[done..start];
                mended += REPLACEMENT;
                (done, at) = (start + 6, start + 6);
            }
            (None, _) => {}
        }
    }
    match done {
        0 => json.into(),
        _ => (mended + &json[done..]).into(),
    }
}

/// The surrogate whose escape stands at this byte.
fn surrogate(json: &str, at: usize) -> Option<u16> {
    let digits = json.get(at..at + 6)?.strip_prefix("\\u")?;
    u16::from_str_radix(digits, 16).ok().filter(|code| (0xd800..=0xdfff).contains(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(json: &str) -> String {
        serde_json::to_string(&Fields::read(json).unwrap()).unwrap()
    }

    #[test]
    fn what_is_unknown_is_kept_byte_for_byte() {
        let row = r#"{"z":18446744073709551617,"a":0.10000000000000000001,"b":[1e400,{"y":1,"x":-0}],"é":"\u00e9\/"}"#;
        assert_eq!(written(row), row);
        let deep = format!("{{\"a\":{}1{}}}", "[".repeat(500), "]".repeat(500));
        assert_eq!(written(&deep), deep);
        assert_eq!(written("{\"a\": [1,\r\n \"b \\\" c\",\n {\"d\" : 2}]}"), r#"{"a":[1,"b \" c",{"d":2}]}"#);
    }

    #[test]
    fn values_are_put_in_their_place() {
        let mut fields = Fields::read(r#"{"b": "\u0061", "a": 1, "c": null}"#).unwrap();
        fields.put("b", "a");
        fields.put("a", 2);
        fields.put("d", "x");
        assert_eq!(serde_json::to_string(&fields).unwrap(), r#"{"b":"\u0061","a":2,"c":null,"d":"x"}"#);
        assert!(fields.has("a") && !fields.has("c") && !fields.has("e"));
        fields.retain(|name| name == "a");
        assert_eq!(fields.names().collect::<Vec<_>>(), ["a"]);
    }

    #[test]
    fn what_is_no_row_is_said() {
        let said = |json: &str| Fields::read(json).unwrap_err().to_string();
        assert_eq!(said(r#"{"a": 1, "b": 2, "a": 3}"#), "the key `a` is there twice");
        assert_eq!(said("[1]"), "a row must be an object, but this is a list");
        assert_eq!(said("\"x\""), "a row must be an object, but this is text");
        assert_eq!(said("{\"a\": NaN}"), "not valid JSON: expected value at column 7");
        assert_eq!(said("{\"a\": 1},"), "not valid JSON: trailing characters at column 9");
        assert!(said("").starts_with("not valid JSON: EOF"));
    }

    #[test]
    fn half_surrogate_pairs_become_the_replacement_character() {
        let fields =
            Fields::read(r#"{"a": "x\ud83d", "b": "\ud83d\ude00", "c": "\\ud83d", "d": "\udc00\ud83d\ud83d\ude00é"}"#)
                .unwrap();
        let texts = ["a", "b", "c", "d"].map(|name| fields.text(name).unwrap());
        assert_eq!(texts, ["x\u{fffd}", "😀", "\\ud83d", "\u{fffd}\u{fffd}😀é"]);
        assert_eq!(["a", "b", "c", "d"].map(|name| fields.has_half_surrogates(name)), [true, false, false, true]);
    }
}
