//! What requests of all routes have in common: Redline's own fields, and what binds the text of a reply.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::answer::Terms;
use super::correction::{Asked, check};
use super::error::ApiError;
use super::options::FailMode;
use super::raw::{self, RawObject, read};
use super::state::Service;
use redline_lab::form::{Bound, Form};

/// Choices that one request may ask for.
pub(super) const MOST_CHOICES: usize = 16;
/// Most stop texts, and the longest one, in bytes.
const STOP_TEXTS: [usize; 2] = [32, 1000];
/// Largest schema that is read, in bytes; a larger one binds all of the answer.
const MOST_SCHEMA_BYTES: usize = 256 << 10;
/// Fields by which servers are told a form that no correction could keep.
const OTHER_FORMS: [&str; 7] =
    ["grammar", "guided_choice", "guided_grammar", "guided_regex", "regex", "ebnf", "structural_tag"];
/// Fields by which they are told a JSON schema.
const SCHEMAS: [&str; 2] = ["guided_json", "json_schema"];

/// Redline's own fields, taken out of a request.
pub(super) fn take_own(body: &mut RawObject<'_>) -> Result<Asked, ApiError> {
    let steering = match body.take("steering") {
        None => Default::default(),
        Some(value) => {
            serde_json::from_str(value.get()).map_err(|error| ApiError::invalid("steering", error.to_string()))?
        }
    };
    let feedback = match body.take("feedback") {
        None => None,
        Some(value) => Some(raw::text(&value).ok_or_else(|| ApiError::invalid("feedback", "feedback must be text"))?),
    };
    let scan = flag(body.take("scan").as_deref(), "scan")?;
    Ok(Asked { steering, feedback, scan, ..Asked::default() })
}

/// A field that is true or false.
pub(super) fn flag(value: Option<&RawValue>, param: &str) -> Result<bool, ApiError> {
    let wrong = || ApiError::invalid(param, format!("{param} must be true or false"));
    value.map_or(Ok(false), |value| read(value).ok_or_else(wrong))
}

/// A field that is a whole number, at least 0, however it is written: `100.0` is one.
fn count(body: &RawObject<'_>, param: &str) -> Result<Option<u64>, ApiError> {
    let wrong = || ApiError::invalid(param, format!("{param} must be a whole number"));
    body.get(param).map(|value| read(value).or_else(|| whole(value)).ok_or_else(wrong)).transpose()
}

fn whole(value: &RawValue) -> Option<u64> {
    // beyond what a u64 holds, its largest is as good a bound
    read::<f64>(value).filter(|number| number.fract() == 0.0 && *number >= 0.0).map(|number| number as u64)
}

/// The most tokens that fields of a request allow together; -1 is for servers that know it as no limit.
pub(super) fn bound(body: &RawObject<'_>, params: &[&str]) -> Result<Option<usize>, ApiError> {
    let mut least = None;
    for param in params {
        if body.get(param).and_then(read::<f64>) == Some(-1.0) {
            continue;
        }
        let Some(bound) = count(body, param)? else { continue };
        if bound == 0 {
            let message = format!(
                "{param} is 0: no text can come back, so that there is nothing to correct; ask the upstream server itself"
            );
            return Err(ApiError::invalid(param, message));
        }
        let bound = usize::try_from(bound).unwrap_or(usize::MAX);
        least = Some(least.map_or(bound, |least: usize| least.min(bound)));
    }
    Ok(least)
}

/// How many answers a request asks for.
pub(super) fn n_choices(body: &RawObject<'_>) -> Result<usize, ApiError> {
    match count(body, "n")? {
        Some(n) if n > MOST_CHOICES as u64 => Err(ApiError::invalid("n", format!("n is more than {MOST_CHOICES}"))),
        n => Ok(n.map_or(1, |n| n as usize)),
    }
}

/// Texts at which an answer ends.
pub(super) fn stops(body: &RawObject<'_>) -> Result<Vec<String>, ApiError> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Stop {
        One(String),
        Several(Vec<String>),
    }
    let [most, longest] = STOP_TEXTS;
    let wrong =
        || ApiError::invalid("stop", format!("stop must be a text or up to {most} texts of at most {longest} bytes"));
    let stops = match body.get("stop").map(|value| read(value).ok_or_else(wrong)).transpose()? {
        None => Vec::new(),
        Some(Stop::One(stop)) => vec![stop],
        Some(Stop::Several(stops)) => stops,
    };
    let fits = stops.len() <= most && stops.iter().all(|stop| stop.len() <= longest);
    if fits { Ok(stops) } else { Err(wrong()) }
}

/// The form that a request binds its answer to, by any of the fields that servers know.
pub(super) fn form(body: &RawObject<'_>) -> Form {
    if let Some(name) = OTHER_FORMS.iter().find(|name| body.get(name).is_some()) {
        return Form::Other((*name).into());
    }
    if let Some(schema) = SCHEMAS.iter().find_map(|name| body.get(name)) {
        return by_schema(Some(schema));
    }
    let object = body.get("structured_outputs").and_then(RawObject::of);
    match object.as_ref().map(|object| (object.get("json"), object)) {
        Some((Some(schema), _)) => return by_schema(Some(schema)),
        Some((None, object)) if !object.is_empty() => return Form::Other("structured_outputs".into()),
        _ => {}
    }
    body.get("response_format").map_or(Form::Free, by_format)
}

/// `response_format` of chat requests, or `text.format` of responses.
pub(super) fn by_format(format: &RawValue) -> Form {
    let Some(format) = RawObject::of(format) else { return Form::Free };
    let kind = format.get("type").and_then(read::<String>).unwrap_or_default();
    match kind.as_str() {
        "text" | "" => Form::Free,
        "json_object" => by_schema(format.get("schema")),
        "json_schema" => {
            let inner = format.get("json_schema").and_then(RawObject::of);
            by_schema(inner.as_ref().map_or(format.get("schema"), |inner| inner.get("schema")))
        }
        kind => Form::Other(format!("response_format {kind}")),
    }
}

fn by_schema(schema: Option<&RawValue>) -> Form {
    match schema {
        Some(schema) if schema.get().len() > MOST_SCHEMA_BYTES => {
            Form::Other("a schema that is too large to read".into())
        }
        // some servers take the schema as text
        Some(schema) => {
            let text = read::<String>(schema);
            match serde_json::from_str::<Value>(text.as_deref().unwrap_or(schema.get())) {
                Ok(schema) => Form::Json(Bound::of(&schema)),
                Err(_) => Form::Other("a schema that cannot be read".into()),
            }
        }
        None => Form::Json(Bound::default()),
    }
}

impl Service {
    /// What texts of a reply are held to. What the Aligner would refuse is said before the upstream model works for nothing.
    pub(super) fn terms(&self, asked: Asked, form: Form, stops: Vec<String>) -> Result<Terms, ApiError> {
        match self.dials() {
            Ok(_) => check(self, &asked)?,
            Err(starting) if self.options.fail == FailMode::Closed => return Err(starting),
            Err(_) => {}
        }
        Ok(Terms { asked, form, stops, reasoning: self.options.reasoning() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form_of(body: &str) -> Form {
        form(&RawObject::parse(body).unwrap())
    }

    #[test]
    fn what_binds_a_form_is_read_however_it_is_spelt() {
        for free in ["{}", r#"{"response_format":null}"#, r#"{"response_format":{"type":"text"}}"#] {
            assert_eq!(form_of(free), Form::Free, "{free}");
        }
        for json in [
            r#"{"response_format":{"type":"json_object"}}"#,
            r#"{"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{}}}}"#,
            r#"{"guided_json":"{}"}"#,
            r#"{"structured_outputs":{"json":{}}}"#,
        ] {
            assert_eq!(form_of(json), Form::Json(Bound::default()), "{json}");
        }
        for other in [
            r#"{"guided_regex":"a|b"}"#,
            r#"{"grammar":"root ::= x"}"#,
            r#"{"structured_outputs":{"choice":["a"]}}"#,
            r#"{"response_format":{"type":"grammar"}}"#,
            r#"{"guided_json":"{"}"#,
            &format!("{{\"guided_json\":{}{}}}", "[".repeat(200), "]".repeat(200)),
        ] {
            assert!(matches!(form_of(other), Form::Other(_)), "{other}");
        }
    }

    #[test]
    fn stop_texts_and_counts_are_checked() {
        let object = |body: &'static str| RawObject::parse(body).unwrap();
        assert_eq!(stops(&object(r#"{"stop":"x"}"#)).unwrap(), ["x"]);
        assert_eq!(stops(&object(r#"{"stop":["x","y"]}"#)).unwrap(), ["x", "y"]);
        assert!(stops(&object(r#"{"stop":3}"#)).is_err());
        assert_eq!(n_choices(&object(r#"{"n":2}"#)).unwrap(), 2);
        assert!(n_choices(&object(r#"{"n":1000}"#)).is_err() && n_choices(&object(r#"{"n":"2"}"#)).is_err());
        assert_eq!(n_choices(&object(r#"{"n":2.0}"#)).unwrap(), 2);
        assert!(n_choices(&object(r#"{"n":-1}"#)).is_err() && n_choices(&object(r#"{"n":1.5}"#)).is_err());
    }

    #[test]
    fn bounds_are_read_as_servers_write_them() {
        let bound = |json: &str| {
            let body = format!("{{\"a\":{json}}}");
            bound(&RawObject::parse(&body).unwrap(), &["a", "b"]).ok()
        };
        for (json, expected) in [("100", 100), ("100.0", 100), ("1e2", 100), ("1e300", usize::MAX)] {
            assert_eq!(bound(json), Some(Some(expected)), "{json}");
        }
        for json in ["null", "-1", "-1.0"] {
            assert_eq!(bound(json), Some(None), "{json}");
        }
        for json in ["0", "0.0", "-2", "1.5", "\"3\"", "true", "[1]"] {
            assert_eq!(bound(json), None, "{json}");
        }
        let both = RawObject::parse(r#"{"a":-1,"b":7.0}"#).unwrap();
        assert_eq!(super::bound(&both, &["a", "b"]).unwrap(), Some(7));
    }
}
