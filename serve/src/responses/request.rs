//! A request for a response, taken apart.

use axum::body::Bytes;

use super::super::asked::{by_format, count, flag, form, take_own};
use super::super::correction::Asked;
use super::super::error::ApiError;
use super::super::form::Form;
use super::super::raw::{self, RawObject};
use super::super::rules::{Fate, RESPONSE};
use redline_lab::conversation::{Conversation, ConversationError};

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
        let bound = count(&body, "max_output_tokens")?.map(|bound| usize::try_from(bound).unwrap_or(usize::MAX));
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

/// What the input asks; where it asks nothing, the instructions stand for it.
fn question(body: &RawObject<'_>) -> Result<String, ApiError> {
    let invalid = |error: ConversationError| ApiError::invalid("input", error.to_string());
    let input = body.get("input").ok_or_else(|| ApiError::invalid("input", "input is missing"))?;
    let asked = match raw::text(input) {
        Some(text) => (!text.trim().is_empty()).then_some(text).ok_or(ConversationError::NoQuestion),
        None => Conversation::of_items(input.get()).map(|conversation| conversation.question),
    };
    let instructions = || body.get("instructions").and_then(raw::text).filter(|text| !text.trim().is_empty());
    match (asked, instructions()) {
        (Ok(question), _) | (Err(ConversationError::NoQuestion), Some(question)) => Ok(question),
        (Err(error), _) => Err(invalid(error)),
    }
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
    fn what_would_come_back_uncorrected_is_refused() {
        for refused in [r#"{"input":"a","background":true}"#, "{}", r#"{"input":3}"#] {
            assert!(ResponseRequest::take(refused).is_err(), "{refused}");
        }
    }
}
