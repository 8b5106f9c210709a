//! Values that files spell in several ways: truth values as text or 0 and 1, indices as truth values, scores as text.

use redline_model::qac::{Fields, kind};
use serde_json::Value;

use crate::left_out::RowFault;
use crate::row;

/// A truth value: `true`, `1`, `"True"` and the like.
pub(super) fn truth(fields: &Fields, field: &'static str) -> Result<bool, RowFault> {
    let value = row::value(fields, field)?;
    let wrong = || RowFault::FieldType { field, expected: "true or false", got: kind(&value) };
    match index(&value) {
        Some(0) => Ok(false),
        Some(1) => Ok(true),
        _ => Err(wrong()),
    }
}

/// Which of two: 0 or 1, also as a truth value or as text; none for anything else, such as -1 or null.
pub(super) fn index(value: &Value) -> Option<usize> {
    match value {
        Value::Bool(is_second) => Some(usize::from(*is_second)),
        Value::Number(number) if number.as_f64() == Some(0.0) => Some(0),
        Value::Number(number) if number.as_f64() == Some(1.0) => Some(1),
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "0" | "0.0" | "false" => Some(0),
            "1" | "1.0" | "true" => Some(1),
            _ => None,
        },
        _ => None,
    }
}

/// A score: a number, also as text; none for anything else, such as `N/A`.
pub(super) fn score(value: &Value) -> Option<f64> {
    let score = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    score.filter(|score: &f64| score.is_finite())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_read_however_they_are_spelt() {
        let indices =
            [json!(true), json!(0), json!(1.0), json!("1"), json!(" False"), json!(-1), json!(null), json!(2)];
        let found: Vec<Option<usize>> = indices.iter().map(index).collect();
        assert_eq!(found, [Some(1), Some(0), Some(1), Some(1), Some(0), None, None, None]);
        assert_eq!(
            [json!(3), json!(" 4.5 "), json!("N/A"), json!("nan")].map(|v| score(&v)),
            [Some(3.0), Some(4.5), None, None]
        );
        let fields = Fields::read(r#"{"a":"True","b":0,"c":"yes"}"#).unwrap();
        assert_eq!((truth(&fields, "a"), truth(&fields, "b")), (Ok(true), Ok(false)));
        assert!(truth(&fields, "c").is_err());
    }
}
