//! The texts in a JSON document, which are corrected one by one, so that the document keeps its form byte for byte.

use std::collections::BTreeSet;
use std::ops::Range;

use serde_json::Value;

/// Keywords by which a schema binds a text.
const BINDING: [&str; 7] = ["const", "contentEncoding", "enum", "format", "maxLength", "minLength", "pattern"];
/// Deepest schema that is followed.
const DEEPEST: usize = 64;

/// A text in a document: where it stands, its quotation marks included, and the name of the field that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct JsonText {
    pub(super) place: Range<usize>,
    pub(super) field: Option<String>,
}

/// The texts of a document that is an object or a list; `None` where it is neither.
pub(super) fn texts(document: &str) -> Option<Vec<JsonText>> {
    let is_whole = serde_json::from_str::<serde::de::IgnoredAny>(document).is_ok();
    if !is_whole || !document.trim_start().starts_with(['{', '[']) {
        return None;
    }
    let bytes = document.as_bytes();
    // for each open object the name of its field, for each list that of the field it stands in
    let mut open: Vec<(bool, Option<String>)> = Vec::new();
    let (mut found, mut is_name, mut at) = (Vec::new(), false, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'{' => {
                open.push((true, None));
                is_name = true;
            }
            b'[' => {
                let field = open.last().and_then(|(_, field)| field.clone());
                open.push((false, field));
                is_name = false;
            }
            b'}' | b']' => drop(open.pop()),
            b':' => is_name = false,
            b',' => is_name = open.last().is_some_and(|(is_object, _)| *is_object),
            b'"' => {
                let end = string_end(bytes, at);
                match open.last_mut() {
                    Some((true, field)) if is_name => *field = serde_json::from_str(&document[at..end]).ok(),
                    last => found.push(JsonText { place: at..end, field: last.and_then(|(_, field)| field.clone()) }),
                }
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    Some(found)
}

/// Where the string that begins at `start` ends, its last quotation mark included.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while at < bytes.len() && bytes[at] != b'"' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(bytes.len())
}

/// What a schema binds: fields whose texts must keep a form, and texts that are one of a choice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Bound {
    fields: BTreeSet<String>,
    choices: BTreeSet<String>,
}

impl Bound {
    /// Reads a JSON schema.
    pub(crate) fn of(schema: &Value) -> Self {
        let mut bound = Self::default();
        bound.walk(schema, schema, 0);
        bound
    }

    /// Whether a text may not be changed.
    pub(super) fn holds(&self, field: Option<&str>, text: &str) -> bool {
        field.is_some_and(|field| self.fields.contains(field)) || self.choices.contains(text)
    }

    fn walk(&mut self, part: &Value, whole: &Value, depth: usize) {
        if depth > DEEPEST {
            return;
        }
        let Value::Object(fields) = part else {
            if let Value::Array(parts) = part {
                parts.iter().for_each(|part| self.walk(part, whole, depth + 1));
            }
            return;
        };
        if let Some(choices) = fields.get("enum").and_then(Value::as_array) {
            self.choices.extend(choices.iter().filter_map(Value::as_str).map(str::to_owned));
        }
        self.choices.extend(fields.get("const").and_then(Value::as_str).map(str::to_owned));
        if let Some(properties) = fields.get("properties").and_then(Value::as_object) {
            let bound = properties.iter().filter(|(_, schema)| binds(schema, whole, 0));
            self.fields.extend(bound.map(|(name, _)| name.clone()));
        }
        fields.values().for_each(|value| self.walk(value, whole, depth + 1));
    }
}

/// Whether a schema binds the form of texts in it.
fn binds(schema: &Value, whole: &Value, depth: usize) -> bool {
    if depth > DEEPEST {
        return true;
    }
    match schema {
        Value::Object(fields) => fields.iter().any(|(name, value)| match name.as_str() {
            name if BINDING.contains(&name) => true,
            // the fields of an inner object are looked at one by one
            "properties" | "$defs" | "definitions" => false,
            "$ref" => {
                let path = value.as_str().and_then(|path| path.strip_prefix('#'));
                path.and_then(|path| whole.pointer(path)).is_none_or(|target| binds(target, whole, depth + 1))
            }
            _ => binds(value, whole, depth + 1),
        }),
        Value::Array(parts) => parts.iter().any(|part| binds(part, whole, depth + 1)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn texts_are_found_and_names_are_not() {
        let document = r#"{"a": "one", "b": ["two", {"c": "th\"ree\\"}, 4], "d\u0065": {"e": null}, "f": ""}"#;
        let found = texts(document).unwrap();
        let shown: Vec<(&str, Option<&str>)> =
            found.iter().map(|text| (&document[text.place.clone()], text.field.as_deref())).collect();
        let expected =
            [("\"one\"", Some("a")), ("\"two\"", Some("b")), (r#""th\"ree\\""#, Some("c")), ("\"\"", Some("f"))];
        assert_eq!(shown, expected);
        assert_eq!(texts("\"one\""), None);
        assert_eq!(texts("{\"a\": "), None);
        assert_eq!(texts("Plain."), None);
        assert_eq!(texts(" [\"x\"]\n").unwrap()[0], JsonText { place: 2..5, field: None });
    }

    #[test]
    fn a_schema_says_which_texts_are_bound() {
        let schema = json!({
            "type": "object",
            "properties": {
                "kind": { "enum": ["good news", "bad news"] },
                "when": { "anyOf": [{ "type": "string", "format": "date" }, { "type": "null" }] },
                "code": { "$ref": "#/$defs/Code" },
                "note": { "type": "string" },
                "inner": { "type": "object", "properties": { "text": { "type": "string" }, "id": { "pattern": "^x" } } },
            },
            "$defs": { "Code": { "type": "string", "maxLength": 3 } },
        });
        let bound = Bound::of(&schema);
        let fields: Vec<&str> = bound.fields.iter().map(String::as_str).collect();
        assert_eq!(fields, ["code", "id", "kind", "when"]);
        assert!(bound.holds(Some("note"), "good news") && !bound.holds(Some("note"), "other"));
        assert!(bound.holds(Some("when"), "x") && !bound.holds(None, "x"));
        // a definition that names itself ends
        Bound::of(&json!({ "properties": { "a": { "$ref": "#/properties/a" } } }));
    }
}
