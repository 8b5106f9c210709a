//! What a run depends on, as a table.

use serde::Serialize;
use serde_json::Value;

/// A table of settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SettingsGroup {
    /// Heading.
    pub title: String,
    /// Names and values.
    pub rows: Vec<(String, String)>,
}

impl SettingsGroup {
    /// A table of these rows.
    pub fn new(title: impl Into<String>, rows: Vec<(String, String)>) -> Self {
        Self { title: title.into(), rows }
    }
}

/// The leaves of a JSON value, a row each, named by the keys on the way; lists of plain values stay in one row.
///
/// # Example
/// ```
/// use redline_report::report::flattened;
///
/// let rows = flattened(&serde_json::json!({"seed": 0, "extract": {"method": "mean_diff"}, "layers": [1, 2]}));
/// assert_eq!(rows[0], ("extract.method".to_string(), "mean_diff".to_string()));
/// assert_eq!(rows[1], ("layers".to_string(), "1, 2".to_string()));
/// ```
pub fn flattened(value: &Value) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    collect("", value, &mut rows);
    rows
}

fn collect(name: &str, value: &Value, rows: &mut Vec<(String, String)>) {
    let inner = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
    match value {
        Value::Object(fields) => fields.iter().for_each(|(key, value)| collect(&inner(key), value, rows)),
        Value::Array(values) if values.iter().any(|value| value.is_object() || value.is_array()) => {
            values.iter().enumerate().for_each(|(i, value)| collect(&inner(&i.to_string()), value, rows));
        }
        Value::Array(values) => {
            let parts: Vec<String> = values.iter().map(plain).collect();
            rows.push((name.to_owned(), parts.join(", ")));
        }
        value => rows.push((name.to_owned(), plain(value))),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "–".to_owned(),
        value => value.to_string(),
    }
}
