//! The answer in a chat reply as one text, for those who correct it elsewhere: by the same rules as the server's.

use super::chat::{ChatReply, Content};
use super::options::FailMode;
use super::rules::Sorter;
use super::upstream_error::UpstreamError;
use redline_lab::form::{Plan, Reasoning};

/// What a chat reply says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadAnswer {
    /// Its text, or that of all its parts, without reasoning.
    pub text: Option<String>,
    /// What it says instead.
    pub refusal: Option<String>,
    /// Why it ended.
    pub finish_reason: Option<String>,
}

/// Reads the first choice of a chat reply.
///
/// # Errors
/// [`UpstreamError::Reply`] for what holds no choices, or says something that is no text.
pub fn read_answer(reply: &[u8]) -> Result<ReadAnswer, UpstreamError> {
    let sorter = Sorter::new(FailMode::Closed, Reasoning::Drop);
    let reply = ChatReply::read(reply, None, sorter);
    let reply = reply.map_err(|error| UpstreamError::Reply { rule: error.rule().to_owned() })?;
    let Some(choice) = reply.choices.into_iter().min_by_key(|choice| choice.index) else {
        return Ok(ReadAnswer::default());
    };
    let (said, refusal) = match choice.content {
        Content::Text(text) => (Some(text), None),
        Content::Parts(parts) => (parts.said("text").map(str::to_owned), parts.said("refusal").map(str::to_owned)),
        Content::None | Content::Unseen => (None, None),
    };
    let answer = |text: String| Plan::unchanged(&text, Reasoning::Drop).answer.trim().to_owned();
    let text = said.map(answer).filter(|text| !text.is_empty());
    Ok(ReadAnswer { text, refusal: choice.refusal.or(refusal), finish_reason: choice.finish_reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(message: &str) -> Option<String> {
        let reply = format!("{{\"choices\":[{{\"message\":{message},\"finish_reason\":\"stop\"}}]}}");
        read_answer(reply.as_bytes()).unwrap().text
    }

    #[test]
    fn an_answer_is_its_text_without_reasoning() {
        assert_eq!(text(r#"{"content":"Yes."}"#).as_deref(), Some("Yes."));
        assert_eq!(text(r#"{"content":"<think>\nHm.\n</think>\n\nYes."}"#).as_deref(), Some("Yes."));
        let parts = r#"{"content":[{"type":"thinking","thinking":[]},{"type":"text","text":"Yes"},{"type":"text","text":"."}]}"#;
        assert_eq!(text(parts).as_deref(), Some("Yes."));
        assert_eq!(text(r#"{"content":null,"refusal":"No."}"#), None);
        let refusal = r#"{"choices":[{"message":{"content":[{"type":"refusal","refusal":"No."}]}}]}"#;
        let refused = read_answer(refusal.as_bytes()).unwrap();
        assert_eq!((refused.text, refused.refusal.as_deref()), (None, Some("No.")));
        assert_eq!(text(r#"{"content":"half \ud83d"}"#).as_deref(), Some("half \u{fffd}"));
        assert!(read_answer(b"{}").is_err());
        assert!(read_answer(br#"{"choices":[{"message":{"content":{"a":1}}}]}"#).is_err());
    }
}
