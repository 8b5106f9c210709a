//! What a JSON schema binds: fields whose texts must keep a form, and texts that are one of a choice.

use std::collections::{BTreeSet, HashMap};
use std::ptr;

use serde_json::Value;

/// Keywords by which a schema binds a text.
const BINDING: [&str; 7] = ["const", "contentEncoding", "enum", "format", "maxLength", "minLength", "pattern"];
/// Deepest schema that is followed.
const DEEPEST: usize = 64;

/// What a schema binds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bound {
    fields: BTreeSet<String>,
    longest_field: usize,
    choices: BTreeSet<String>,
}

impl Bound {
    /// Reads a JSON schema.
    pub fn of(schema: &Value) -> Self {
        let mut bound = Self::default();
        let mut binding = Binding { whole: schema, known: HashMap::new() };
        bound.walk(schema, &mut binding, 0);
        bound.longest_field = bound.fields.iter().map(String::len).max().unwrap_or(0);
        bound
    }

    /// Bytes of the longest name of a field that is bound.
    pub(super) fn longest_field(&self) -> usize {
        self.longest_field
    }

    /// Whether a text may not be changed.
    pub(super) fn holds(&self, field: Option<&str>, text: &str) -> bool {
        field.is_some_and(|field| self.fields.contains(field)) || self.choices.contains(text)
    }

    fn walk<'a>(&mut self, part: &'a Value, binding: &mut Binding<'a>, depth: usize) {
        if depth > DEEPEST {
            return;
        }
        let Value::Object(fields) = part else {
            if let Value::Array(parts) = part {
                parts.iter().for_each(|part| self.walk(part, binding, depth + 1));
            }
            return;
        };
        if let Some(choices) = fields.get("enum").and_then(Value::as_array) {
            self.choices.extend(choices.iter().filter_map(Value::as_str).map(str::to_owned));
        }
        self.choices.extend(fields.get("const").and_then(Value::as_str).map(str::to_owned));
        if let Some(properties) = fields.get("properties").and_then(Value::as_object) {
            let bound = properties.iter().filter(|(_, schema)| binding.binds(schema, 0));
            self.fields.extend(bound.map(|(name, _)| name.clone()));
        }
        fields.values().for_each(|value| self.walk(value, binding, depth + 1));
    }
}

/// Which parts of a schema bind the form of texts in them. Each part is looked at once, however often it is referred to.
struct Binding<'a> {
    whole: &'a Value,
    /// By the part's address; `false` while it is being looked at.
    known: HashMap<*const Value, bool>,
}

impl<'a> Binding<'a> {
    fn binds(&mut self, schema: &'a Value, depth: usize) -> bool {
        if depth > DEEPEST {
            return true;
        }
        if let Some(known) = self.known.get(&ptr::from_ref(schema)) {
            return *known;
        }
        self.known.insert(schema, false);
        let binds = match schema {
            Value::Object(fields) => fields.iter().any(|(name, value)| match name.as_str() {
                name if BINDING.contains(&name) => true,
                // the fields of an inner object are looked at one by one
                "properties" | "$defs" | "definitions" => false,
                "$ref" => self.target(value).is_none_or(|target| self.binds(target, depth + 1)),
                _ => self.binds(value, depth + 1),
            }),
            Value::Array(parts) => parts.iter().any(|part| self.binds(part, depth + 1)),
            _ => false,
        };
        self.known.insert(schema, binds);
        binds
    }

    fn target(&self, reference: &Value) -> Option<&'a Value> {
        let path = reference.as_str()?.strip_prefix('#')?;
        self.whole.pointer(path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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

    #[test]
    fn definitions_that_name_each_other_many_times_are_read_once() {
        // each names the next one twice: 2^60 ways through 60 definitions
        let mut definitions = serde_json::Map::new();
        for index in 0..60 {
            let next = json!({ "$ref": format!("#/$defs/d{}", index + 1) });
            definitions.insert(format!("d{index}"), json!({ "anyOf": [next, next] }));
        }
        definitions.insert("d60".into(), json!({ "type": "string" }));
        let schema = json!({ "properties": { "a": { "$ref": "#/$defs/d50" } }, "$defs": definitions });
        assert!(!Bound::of(&schema).holds(Some("a"), "x"));
    }
}
