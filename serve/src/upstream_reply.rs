//! What replies of all kinds have in common: their head, their tokens, and errors inside of a status that says success.

use std::time::{SystemTime, UNIX_EPOCH};

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use redline_lab::form::is_sentence;

use super::error::ApiError;
use super::headers::hex_id;
use super::raw::{self, RawObject, is_nothing};
use super::rules::{Rules, Sorter, Verdict};
use super::upstream_error::{Stated, UpstreamError};

/// Longest name, in bytes.
const LONGEST_NAME: usize = 256;
/// Largest account of tokens that is read, in bytes.
const MOST_USAGE_BYTES: usize = 8 << 10;

/// A reply's own fields.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    id: Option<String>,
    created: u64,
    model: String,
    /// What else goes to the client.
    beside: RawObject<'static>,
    usage: Option<Value>,
}

/// A JSON body that is written already.
pub(crate) struct RawJson(pub(crate) String);

impl IntoResponse for RawJson {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, "application/json")], self.0).into_response()
    }
}

/// Names of the two kinds of tokens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UsageNames {
    input: &'static str,
    output: &'static str,
}

impl UsageNames {
    /// Those of completions.
    pub(crate) const COMPLETION: Self = Self { input: "prompt_tokens", output: "completion_tokens" };
    /// Those of responses.
    pub(crate) const RESPONSE: Self = Self { input: "input_tokens", output: "output_tokens" };
}

impl Head {
    /// Takes a reply's fields apart; an error in it is the client's answer.
    pub(crate) fn read<'a>(
        body: &'a [u8],
        rules: Rules,
        model: Option<&str>,
        sorter: &mut Sorter,
    ) -> Result<(RawObject<'a>, Self), ApiError> {
        let body = std::str::from_utf8(body).map_err(|_| ApiError::bad_reply("it is no text"))?;
        let body = body.trim_start_matches('\u{feff}').trim();
        let object = RawObject::parse(body).map_err(|error| no_object(body, &error))?;
        if let Some(error) = failure(&object) {
            return Err(error);
        }
        let mut beside = RawObject::default();
        for (name, value) in object.fields() {
            if sorter.field(rules, "", name, value)? == Verdict::Pass {
                beside.set(name, &value);
            }
        }
        let name = |field: &str| object.get(field).and_then(name);
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let created = object.get("created").or(object.get("created_at")).and_then(raw::read::<f64>);
        let head = Self {
            id: name("id"),
            created: created.map_or_else(now, |created| created as u64),
            model: name("model").or(model.map(str::to_owned)).unwrap_or_else(|| "upstream".into()),
            beside,
            usage: object.get("usage").and_then(read_usage),
        };
        Ok((object, head))
    }

    /// The reply's fields, with its identifier beginning with `prefix` where the upstream server gave none.
    pub(crate) fn object(&mut self, prefix: &str, kind: &str, created: &str) -> RawObject<'static> {
        let mut object = RawObject::default();
        object.set("id", self.id.get_or_insert_with(|| hex_id(prefix)));
        object.set("object", &kind);
        object.set(created, &self.created);
        object.set("model", &self.model);
        for (name, value) in self.beside.fields() {
            object.set(name, &value);
        }
        object
    }

    /// Tokens of both models, with each one's own beside their sum.
    pub(crate) fn usage(&self, names: UsageNames, [read, written]: [usize; 2]) -> Value {
        let UsageNames { input, output } = names;
        let counts = |read: u64, written: u64| json!({ input: read, output: written, "total_tokens": read + written });
        let count = |name: &str| self.usage.as_ref().and_then(|usage| usage[name].as_u64()).unwrap_or(0);
        let mut sum = match &self.usage {
            Some(Value::Object(fields)) => fields.clone(),
            _ => Map::new(),
        };
        let total = counts(count(input) + read as u64, count(output) + written as u64);
        sum.extend(total.as_object().cloned().unwrap_or_default());
        let upstream = self.usage.is_some().then(|| counts(count(input), count(output)));
        sum.insert("redline".into(), json!({ "upstream": upstream, "aligner": counts(read as u64, written as u64) }));
        sum.into()
    }
}

/// A name without gaps, as identifiers, models and reasons have; `None` for any other text.
pub(crate) fn name(value: &RawValue) -> Option<String> {
    let is_name = |name: &String| {
        (1..=LONGEST_NAME).contains(&name.len()) && !name.contains(char::is_whitespace) && !is_sentence(name)
    };
    raw::text(value).filter(is_name)
}

/// Numbers of an account of tokens; texts in it are left out.
fn read_usage(usage: &RawValue) -> Option<Value> {
    fn numbers(value: Value) -> Option<Value> {
        match value {
            Value::Object(fields) => {
                let fields = fields.into_iter().filter_map(|(name, value)| Some((name, numbers(value)?)));
                Some(Value::Object(
                    fields.filter(|(name, _)| !name.contains(char::is_whitespace) && !is_sentence(name)).collect(),
                ))
            }
            Value::Number(_) | Value::Null => Some(value),
            _ => None,
        }
    }
    let usage: Value = (usage.get().len() <= MOST_USAGE_BYTES).then(|| raw::read(usage))??;
    usage.is_object().then(|| numbers(usage))?
}

fn no_object(body: &str, error: &serde_json::Error) -> ApiError {
    let is_stream = ["data:", "event:", "id:", "retry:", ":"].iter().any(|field| body.starts_with(field));
    match is_stream {
        true => ApiError::bad_reply("it is a stream of events, and a whole reply was asked for (`stream` false)"),
        false => ApiError::bad_reply(format!("no JSON object: {error}")),
    }
}

/// The error in a reply with a status of success, or in one of its choices.
pub(crate) fn failure(object: &RawObject<'_>) -> Option<ApiError> {
    let error = object.get("error").filter(|error| !is_nothing(error))?;
    let stated = Stated::read(error.get().as_bytes());
    let status = stated.status().unwrap_or(StatusCode::BAD_GATEWAY).as_u16();
    Some(UpstreamError::Status { status, stated: Box::new(stated), headers: Box::default() }.into())
}

#[cfg(test)]
mod tests {
    use super::super::options::FailMode;
    use super::super::rules::CHAT;
    use super::*;
    use redline_lab::form::Reasoning;

    fn head(body: &str) -> Result<Head, ApiError> {
        let mut sorter = Sorter::new(FailMode::Closed, Reasoning::Drop);
        Head::read(body.as_bytes(), CHAT, Some("asked"), &mut sorter).map(|(_, head)| head)
    }

    #[test]
    fn tokens_of_both_models_are_summed_and_shown() {
        let text =
            r#"{"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7,"x":"You fool.","d":{"cached":1}}}"#;
        let usage = head(text).unwrap().usage(UsageNames::COMPLETION, [10, 20]);
        assert_eq!((usage["prompt_tokens"].as_u64(), usage["total_tokens"].as_u64()), (Some(13), Some(37)));
        assert_eq!(usage["redline"]["upstream"]["total_tokens"], 7);
        assert_eq!(
            usage["redline"]["aligner"],
            json!({ "prompt_tokens": 10, "completion_tokens": 20, "total_tokens": 30 })
        );
        assert_eq!((usage["d"]["cached"].as_u64(), usage.get("x")), (Some(1), None));
        let none = head("{}").unwrap().usage(UsageNames::RESPONSE, [1, 2]);
        assert_eq!((none["input_tokens"].as_u64(), &none["redline"]["upstream"]), (Some(1), &Value::Null));
    }

    #[test]
    fn what_the_upstream_server_leaves_out_is_filled_in() {
        let mut made = head("{}").unwrap();
        let object = json!(made.object("chatcmpl-", "chat.completion", "created"));
        assert!(object["id"].as_str().unwrap().starts_with("chatcmpl-") && object["created"].as_u64().unwrap() > 0);
        assert_eq!(object["model"], "asked");
        assert_eq!(json!(made.object("chatcmpl-", "chunk", "created"))["id"], object["id"], "one reply has one id");
        let mut given =
            head("\u{feff}{\"id\":\"c1\",\"created\":1,\"model\":\"m\",\"system_fingerprint\":\"fp\"}").unwrap();
        let object = json!(given.object("chatcmpl-", "chat.completion", "created"));
        assert_eq!(
            object,
            json!({ "id": "c1", "object": "chat.completion", "created": 1, "model": "m", "system_fingerprint": "fp" })
        );
    }

    #[test]
    fn an_error_inside_is_the_clients_answer() {
        let error = head(r#"{"error":{"message":"quota is used up","code":429}}"#).unwrap_err();
        assert!(error.message().contains("quota is used up"), "{error:?}");
        for nothing in
            ["null", "false", "0", "0.0", "\"\"", "\" \"", "{}", "[]", "[null]", r#"{"code":0,"message":""}"#]
        {
            assert!(head(&format!(r#"{{"error":{nothing}}}"#)).is_ok(), "{nothing}");
        }
        for something in ["true", "1", "\"no\"", "[0,1]", r#"{"code":0,"message":"no"}"#, r#"{"a":{"b":"no"}}"#] {
            assert!(head(&format!(r#"{{"error":{something}}}"#)).is_err(), "{something}");
        }
    }

    #[test]
    fn an_error_that_goes_on_is_read_to_a_bound() {
        let many = format!(r#"{{"error":[{}{{}}]}}"#, r#"{"":0},"#.repeat(1 << 20));
        let error = head(&many).unwrap_err();
        assert!(error.message().len() < 1000 && error.status() == StatusCode::BAD_GATEWAY, "{error:?}");
    }

    #[test]
    fn a_stream_that_nobody_asked_for_is_named() {
        let error = head("data: {\"choices\":[]}\n\ndata: [DONE]\n\n").unwrap_err();
        assert!(error.message().contains("stream of events"), "{error:?}");
    }
}
