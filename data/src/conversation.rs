//! What an Aligner is asked about a conversation: its last question, with the turns before it.

use serde_json::Value;
use serde_json::value::RawValue;

use crate::raw::{self, RawObject};

/// What stands for the question of a conversation in which nobody asks anything.
pub const NO_QUESTION: &str = "[conversation]";
/// Longest name of a kind of part.
const LONGEST_NAME: usize = 32;

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
    #[error("no message has text that could be a question")]
    NoQuestion,
}

impl Conversation {
    /// Reads the `messages` of a chat request. System and tool messages are for the upstream model alone; where no user
    /// asks anything, the last system message stands for the question.
    ///
    /// # Errors
    /// [`ConversationError`].
    pub fn read(messages: &Value) -> Result<Self, ConversationError> {
        Self::parse(&messages.to_string())
    }

    /// The same of JSON text, without a copy of what is not needed.
    ///
    /// # Errors
    /// [`ConversationError`].
    pub fn parse(messages: &str) -> Result<Self, ConversationError> {
        Self::of(raw::parse_list(messages).map_err(|_| ConversationError::NoMessages)?)
    }

    /// The same of the items of a response's input, of which only messages have roles.
    ///
    /// # Errors
    /// [`ConversationError`].
    pub fn of_items(items: &str) -> Result<Self, ConversationError> {
        let items = raw::parse_list(items).map_err(|_| ConversationError::NoMessages)?;
        let is_message = |item: &&RawValue| RawObject::of(item).is_none_or(|item| item.get("role").is_some());
        let messages: Vec<&RawValue> = items.into_iter().filter(is_message).collect();
        if messages.is_empty() { Err(ConversationError::NoQuestion) } else { Self::of(messages) }
    }

    fn of(messages: Vec<&RawValue>) -> Result<Self, ConversationError> {
        if messages.is_empty() {
            return Err(ConversationError::NoMessages);
        }
        let mut turns: Vec<(&str, String)> = Vec::new();
        let mut instruction = None;
        for (index, message) in messages.into_iter().enumerate() {
            let (role, text) = read_message(message).ok_or(ConversationError::Message { index })?;
            let speaker = match role.as_str() {
                "user" => "USER",
                "assistant" => "ASSISTANT",
                "system" | "developer" if !text.trim().is_empty() => {
                    instruction = Some(text.trim().to_owned());
                    continue;
                }
                _ => continue,
            };
            if !text.trim().is_empty() {
                turns.push((speaker, text.trim().to_owned()));
            }
        }
        let Some(last) = turns.iter().rposition(|(speaker, _)| *speaker == "USER") else {
            return instruction.map(|question| Self { question }).ok_or(ConversationError::NoQuestion);
        };
        if let [(_, question)] = turns.as_slice() {
            return Ok(Self { question: question.clone() });
        }
        let lines: Vec<String> = turns[..=last].iter().map(|(speaker, text)| format!("{speaker}: {text}")).collect();
        Ok(Self { question: lines.join("\n") })
    }
}

/// Role and text of a message; `None` where it has no role, or content that is neither text nor parts.
fn read_message(message: &RawValue) -> Option<(String, String)> {
    let message = RawObject::of(message)?;
    let role = message.get("role").and_then(raw::text)?;
    let content = message.get("content").map_or(Some(String::new()), content)?;
    Some((role, content))
}

/// A message's text: as it is, or of its text parts; where it has parts and none with text, these are named in brackets.
fn content(content: &RawValue) -> Option<String> {
    if let Some(text) = raw::text(content) {
        return Some(text);
    }
    let (mut texts, mut names) = (Vec::new(), Vec::new());
    for part in raw::list(content)? {
        if let Some(text) = raw::text(part) {
            texts.push(text);
            continue;
        }
        let Some(part) = RawObject::of(part) else { continue };
        match part.get("text").and_then(raw::text) {
            Some(text) => texts.push(text),
            None => names.extend(part.get("type").and_then(raw::text).and_then(|kind| named(&kind))),
        }
    }
    let has_text = texts.iter().any(|text| !text.trim().is_empty());
    Some(if has_text { texts.join("\n") } else { names.join("\n") })
}

/// What stands for a part without text.
fn named(kind: &str) -> Option<String> {
    let name = kind.trim_start_matches("input_").trim_end_matches("_url");
    (!name.is_empty() && name.len() <= LONGEST_NAME).then(|| format!("[{name}]"))
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
    fn what_has_no_question_of_a_user_has_something_in_its_place() {
        assert_eq!(question(json!([{ "role": "system", "content": "Say hello." }])).unwrap(), "Say hello.");
        let image = json!([{ "type": "image_url", "image_url": { "url": "data:" } }]);
        assert_eq!(question(json!([{ "role": "user", "content": image }])).unwrap(), "[image]");
    }

    #[test]
    fn text_and_values_are_read_alike() {
        let messages =
            r#"[{"role":"user","content":"a\ud83d","x":{"":0}},{"role":"assistant"},{"role":"user","content":["b"]}]"#;
        assert_eq!(Conversation::parse(messages).unwrap().question, "USER: a\u{fffd}\nUSER: b");
        assert_eq!(Conversation::parse("[]"), Err(ConversationError::NoMessages));
        assert_eq!(Conversation::parse("[{}]"), Err(ConversationError::Message { index: 0 }));
        let twice = r#"[{"role":"user","content":"a","content":"b"}]"#;
        assert_eq!(
            Conversation::parse(twice),
            Err(ConversationError::Message { index: 0 }),
            "nobody knows which is meant"
        );
    }

    #[test]
    fn what_asks_nothing_is_refused() {
        assert_eq!(question(json!([])), Err(ConversationError::NoMessages));
        assert_eq!(question(json!("Why?")), Err(ConversationError::NoMessages));
        assert_eq!(question(json!([{ "role": "tool", "content": "x" }])), Err(ConversationError::NoQuestion));
        assert_eq!(question(json!([{ "role": "user", "content": " " }])), Err(ConversationError::NoQuestion));
        assert_eq!(question(json!([{ "content": "x" }])), Err(ConversationError::Message { index: 0 }));
        assert_eq!(question(json!([{ "role": "user", "content": 3 }])), Err(ConversationError::Message { index: 0 }));
    }
}
