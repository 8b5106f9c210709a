//! A chat request, taken apart: what goes upstream, and what is for the Aligner.

use axum::body::Bytes;
use serde_json::value::RawValue;

use super::super::asked::{bound, flag, form, n_choices, stops, take_own};
use super::super::correction::Asked;
use super::super::error::ApiError;
use super::super::raw::{RawObject, read};
use redline_lab::conversation::{Conversation, ConversationError, NO_QUESTION};
use redline_lab::form::Form;

/// A chat request.
pub(super) struct ChatRequest {
    /// The body for the upstream server: the client's, without what is Redline's.
    pub(super) upstream: Bytes,
    pub(super) asked: Asked,
    pub(super) form: Form,
    pub(super) stops: Vec<String>,
    pub(super) model: Option<String>,
    pub(super) is_stream: bool,
    pub(super) with_usage: bool,
}

impl ChatRequest {
    pub(super) fn take(body: &str) -> Result<Self, ApiError> {
        let mut body = RawObject::parse(body).map_err(ApiError::malformed)?;
        let asked = take_own(&mut body)?;
        let invalid = |error: ConversationError| ApiError::invalid("messages", error.to_string());
        let messages = body.get("messages").ok_or(invalid(ConversationError::NoMessages))?;
        let question = match Conversation::parse(messages.get()) {
            Ok(conversation) => conversation.question,
            // the upstream model goes on with what tools said, or with a turn of its own
            Err(ConversationError::NoQuestion) => NO_QUESTION.into(),
            Err(error) => return Err(invalid(error)),
        };
        n_choices(&body)?;
        let bound = bound(&body, &["max_tokens", "max_completion_tokens"])?;
        let is_stream = flag(body.get("stream"), "stream")?;
        let options = body.take("stream_options");
        let options = options.as_deref().and_then(RawObject::of).unwrap_or_default();
        let with_usage = flag(options.get("include_usage"), "stream_options.include_usage")?;
        // nothing is corrected before it is whole
        body.set("stream", &false);
        Ok(Self {
            asked: Asked { question, bound, ..asked },
            form: form(&body),
            stops: stops(&body)?,
            model: body.get("model").and_then(|model: &RawValue| read(model)),
            upstream: body.to_string().into(),
            is_stream,
            with_usage,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_goes_upstream_as_the_client_wrote_it() {
        let body = r#"{"model":"m","messages":[{"role":"user","content":"Hi\u00e9"}],"tools":[{"z":{"reasoning":1,"answer":2}}],"seed":123456789012345678901234567890,"steering":{"coefficient":1},"stream":true,"stream_options":{"include_usage":true},"logit_bias":{"5":1.50}}"#;
        let request = ChatRequest::take(body).unwrap();
        let expected = body
            .replace(r#""steering":{"coefficient":1},"#, "")
            .replace(r#""stream":true,"stream_options":{"include_usage":true}"#, r#""stream":false"#);
        assert_eq!(request.upstream, expected.as_bytes());
        assert!(request.is_stream && request.with_usage);
        assert_eq!((request.asked.question.as_str(), request.model.as_deref()), ("Hié", Some("m")));
    }

    #[test]
    fn conversations_without_a_question_go_upstream() {
        for messages in [
            r#"[{"role":"tool","tool_call_id":"c","content":"4"}]"#,
            r#"[{"role":"assistant","content":"So"}]"#,
            r#"[{"role":"assistant","tool_calls":[{}]},{"role":"tool","content":"4"}]"#,
            r#"[{"role":"user","content":""}]"#,
        ] {
            let request = ChatRequest::take(&format!("{{\"messages\":{messages}}}")).unwrap();
            assert_eq!(request.asked.question, NO_QUESTION, "{messages}");
        }
    }

    #[test]
    fn a_request_that_says_two_things_is_refused() {
        let body = r#"{"messages":[{"role":"user","content":"a"}],"messages":[{"role":"user","content":"b"}]}"#;
        assert!(ChatRequest::take(body).is_err());
    }
}
