//! A request for a response, taken apart.

use axum::body::Bytes;

use super::super::asked::{bound, by_format, flag, form, take_own};
use super::super::correction::Asked;
use super::super::error::ApiError;
use super::super::raw::{self, RawObject};
use super::super::rules::{Fate, RESPONSE};
use redline_lab::conversation::{Conversation, ConversationError, NO_QUESTION};
use redline_lab::form::Form;

/// A request.
pub(super) struct ResponseRequest {
    pub(super) upstream: Bytes,
    pub(super) asked: Asked,
    pub(super) form: Form,
    pub(super) model: Option<String>,
    pub(super) is_stream: bool,
    /// What replies say of the request, as the client wrote it.
    pub(super) echoed: RawObject<'static>,
}

impl ResponseRequest {
    pub(super) fn take(body: &str) -> Result<Self, ApiError> {
        let mut body = RawObject::parse(body).map_err(ApiError::malformed)?;
        let asked = take_own(&mut body)?;
        if flag(body.get("background"), "background")? {
            let message = "a response in the background is fetched later, uncorrected; leave `background` out";
            return Err(ApiError::invalid("background", message));
        }
        let question = question(&body)?;
        let bound = bound(&body, &["max_output_tokens"])?;
        let is_stream = flag(body.get("stream"), "stream")?;
        body.take("stream_options");
        body.set("stream", &false);
        let format = body.get("text").and_then(RawObject::of);
        let form = match format.as_ref().and_then(|text| text.get("format")) {
            Some(format) => by_format(format),
            None => form(&body),
        };
        let mut echoed = RawObject::default();
        for rule in RESPONSE.iter().filter(|rule| rule.fate == Fate::Echoed) {
            body.get(rule.name).into_iter().for_each(|value| echoed.set(rule.name, &value));
        }
        Ok(Self {
            asked: Asked { question, bound, ..asked },
            form,
            model: body.get("model").and_then(raw::read),
            upstream: body.to_string().into(),
            is_stream,
            echoed,
        })
    }
}

/// Fields that stand for an input which the upstream server has.
const INPUTS_THERE: [&str; 3] = ["previous_response_id", "prompt", "conversation"];

/// What the input asks; where it asks nothing, the instructions stand for it, or what stands for any conversation.
fn question(body: &RawObject<'_>) -> Result<String, ApiError> {
    let is_said = |text: &String| !text.trim().is_empty();
    let asked = match body.get("input") {
        None if INPUTS_THERE.iter().any(|name| body.get(name).is_some()) => None,
        None => return Err(ApiError::invalid("input", "input is missing")),
        Some(input) => match raw::text(input) {
            Some(text) => Some(text).filter(is_said),
            None => match Conversation::of_items(input.get()) {
                Ok(conversation) => Some(conversation.question),
                Err(ConversationError::NoQuestion) => None,
                Err(error) => return Err(ApiError::invalid("input", error.to_string())),
            },
        },
    };
    let instructions = || body.get("instructions").and_then(raw::text).filter(is_said);
    Ok(asked.or_else(instructions).unwrap_or_else(|| NO_QUESTION.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_items_are_read_and_the_rest_goes_upstream_as_it_is() {
        let body = r#"{"model":"m","input":"Why?","tools":[{"b":1,"a":2}],"stream":true,"max_output_tokens":5,"metadata":{"z":"1"}}"#;
        let request = ResponseRequest::take(body).unwrap();
        assert_eq!(request.upstream, body.replace("\"stream\":true", "\"stream\":false").as_bytes());
        assert_eq!((request.asked.question.as_str(), request.asked.bound, request.is_stream), ("Why?", Some(5), true));
        assert_eq!(request.echoed.to_string(), r#"{"metadata":{"z":"1"},"tools":[{"b":1,"a":2}]}"#);
        let items = r#"{"input":[{"role":"user","content":[{"type":"input_text","text":"Why?"}]},{"type":"function_call_output","call_id":"c","output":"4"}]}"#;
        assert_eq!(ResponseRequest::take(items).unwrap().asked.question, "Why?");
        let greet = r#"{"input":[{"type":"item_reference","id":"i"}],"instructions":"Greet."}"#;
        assert_eq!(ResponseRequest::take(greet).unwrap().asked.question, "Greet.");
    }

    #[test]
    fn what_asks_nothing_here_goes_upstream() {
        let output = r#"[{"type":"function_call_output","call_id":"c","output":"4"}]"#;
        for body in [
            format!(r#"{{"input":{output}}}"#),
            format!(r#"{{"input":{output},"previous_response_id":"r"}}"#),
            r#"{"prompt":{"id":"p"}}"#.into(),
            r#"{"previous_response_id":"r"}"#.into(),
            r#"{"conversation":"c","input":[]}"#.into(),
            r#"{"input":""}"#.into(),
            r#"{"input":[{"role":"assistant","content":"So"}]}"#.into(),
        ] {
            assert_eq!(ResponseRequest::take(&body).unwrap().asked.question, NO_QUESTION, "{body}");
        }
        let prompt = r#"{"prompt":{"id":"p"},"instructions":"Greet."}"#;
        assert_eq!(ResponseRequest::take(prompt).unwrap().asked.question, "Greet.");
    }

    #[test]
    fn what_would_come_back_uncorrected_is_refused() {
        for refused in [r#"{"input":"a","background":true}"#, "{}", r#"{"input":3}"#] {
            assert!(ResponseRequest::take(refused).is_err(), "{refused}");
        }
    }
}
