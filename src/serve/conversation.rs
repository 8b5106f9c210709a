//! What an Aligner is asked about a conversation: its last question, with the turns before it.

use serde_json::Value;

/// The text that stands for a question in the Aligner's prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// A single question as it is; several turns as a transcript that ends with the last question.
    pub question: String,
}

/// Why there is no question.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConversationError {
    /// No list, or an empty one.
    #[error("messages must be a list with at least one message")]
    NoMessages,
    /// A message without a role, or whose content is neither text nor a list of parts.
    #[error("message {index} must be an object with a role and a content of text or parts")]
    Message {
        /// Its place, from 0.
        index: usize,
    },
    /// Nobody asks anything.
    #[error("no message of the role `user` has text")]
    NoQuestion,
}

impl Conversation {
    /// Reads the `messages` of a chat request. System and tool messages are for the upstream model alone.
    ///
    /// # Errors
    /// [`ConversationError`].
    pub fn read(messages: &Value) -> Result<Self, ConversationError> {
        let messages = messages.as_array().filter(|messages| !messages.is_empty());
        let messages = messages.ok_or(ConversationError::NoMessages)?;
        let mut turns: Vec<(&str, String)> = Vec::new();
        for (index, message) in messages.iter().enumerate() {
            let role = message.get("role").and_then(Value::as_str).ok_or(ConversationError::Message { index })?;
            let text = text(message.get("content")).ok_or(ConversationError::Message { index })?;
            let speaker = match role {
                "user" => "USER",
                "assistant" => "ASSISTANT",
                _ => continue,
            };
            if !text.trim().is_empty() {
                turns.push((speaker, text.trim().to_owned()));
            }
        }
        let last = turns.iter().rposition(|(speaker, _)| *speaker == "USER").ok_or(ConversationError::NoQuestion)?;
        if let [(_, question)] = turns.as_slice() {
            return Ok(Self { question: question.clone() });
        }
        let lines: Vec<String> = turns[..=last].iter().map(|(speaker, text)| format!("{speaker}: {text}")).collect();
        Ok(Self { question: lines.join("\n") })
    }
}

/// The text of a message: as it is, or of its text parts; none of a message that only calls tools.
fn text(content: Option<&Value>) -> Option<String> {
    match content {
        None | Some(Value::Null) => Some(String::new()),
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Array(parts)) => {
            let texts: Vec<&str> = parts.iter().filter_map(|part| part.get("text")?.as_str()).collect();
            Some(texts.join("\n"))
        }
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn question(messages: Value) -> Result<String, ConversationError> {
        Conversation::read(&messages).map(|conversation| conversation.question)
    }

    #[test]
    fn one_question_is_itself_and_turns_are_kept() {
        let system = json!({ "role": "system", "content": "Be brief." });
        let why = json!({ "role": "user", "content": " Why? " });
        assert_eq!(question(json!([system, why])).unwrap(), "Why?");
        let parts = json!([{ "type": "text", "text": "What" }, { "type": "image_url" }, { "type": "text", "text": "is this?" }]);
        assert_eq!(question(json!([{ "role": "user", "content": parts }])).unwrap(), "What\nis this?");
        let so = json!({ "role": "assistant", "content": "So." });
        let and = json!({ "role": "user", "content": "And?" });
        assert_eq!(question(json!([system, why, so, and])).unwrap(), "USER: Why?\nASSISTANT: So.\nUSER: And?");
        let calls = json!({ "role": "assistant", "content": null, "tool_calls": [] });
        assert_eq!(question(json!([why, calls, { "role": "tool", "content": "4" }])).unwrap(), "Why?");
    }

    #[test]
    fn what_asks_nothing_is_refused() {
        assert_eq!(question(json!([])), Err(ConversationError::NoMessages));
        assert_eq!(question(json!("Why?")), Err(ConversationError::NoMessages));
        assert_eq!(question(json!([{ "role": "system", "content": "x" }])), Err(ConversationError::NoQuestion));
        assert_eq!(question(json!([{ "role": "user", "content": " " }])), Err(ConversationError::NoQuestion));
        assert_eq!(question(json!([{ "content": "x" }])), Err(ConversationError::Message { index: 0 }));
        assert_eq!(question(json!([{ "role": "user", "content": 3 }])), Err(ConversationError::Message { index: 0 }));
    }
}
