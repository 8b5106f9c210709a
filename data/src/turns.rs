//! Turns of a conversation, from a list of messages or from a transcript, in one form.

use redline_model::qac::kind;
use serde_json::{Value, json};

use super::left_out::RowFault;
use crate::conversation::Conversation;

const SPEAKERS: [(&str, &str); 2] = [("Human:", "user"), ("Assistant:", "assistant")];
/// Roles of chat APIs.
const ROLES: [&str; 6] = ["system", "developer", "user", "assistant", "tool", "function"];

/// One turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Its role in chat APIs.
    pub role: String,
    /// Its text.
    pub text: String,
}

impl Turn {
    /// What a user says.
    pub fn user(text: impl Into<String>) -> Self {
        Self { role: "user".into(), text: text.into() }
    }

    fn is_same(&self, other: &Self) -> bool {
        self.role == other.role && self.text.trim() == other.text.trim()
    }
}

/// Whether one list of turns begins with another.
pub fn begins_with(turns: &[Turn], others: &[Turn]) -> bool {
    turns.len() >= others.len() && turns.iter().zip(others).all(|(turn, other)| turn.is_same(other))
}

/// The turns as messages of a chat API.
pub fn to_messages(turns: &[Turn]) -> Value {
    turns.iter().map(|turn| json!({ "role": turn.role, "content": turn.text })).collect()
}

/// What an Aligner reads as the question: the same as in `redline serve`.
pub fn question(field: &'static str, turns: &[Turn]) -> Result<String, RowFault> {
    let conversation = Conversation::read(&to_messages(turns)).map_err(|_| RowFault::NoQuestion { field })?;
    Ok(conversation.question)
}

/// Whether some of the turns before an answer say what is no part of the question.
pub fn has_apart(turns: &[Turn]) -> bool {
    let last = turns.iter().rposition(|turn| turn.role == "user");
    let is_read = |at: usize, turn: &Turn| match turn.role.as_str() {
        "user" => true,
        "assistant" => last.is_some_and(|last| at < last),
        // a system message alone is the question
        "system" | "developer" => last.is_none(),
        _ => false,
    };
    turns.iter().enumerate().any(|(at, turn)| !turn.text.trim().is_empty() && !is_read(at, turn))
}

/// The turns in a list of messages, or in one message.
pub fn from_messages(field: &'static str, value: &Value) -> Result<Vec<Turn>, RowFault> {
    let messages = match value {
        Value::Array(messages) => messages.as_slice(),
        message => std::slice::from_ref(message),
    };
    messages.iter().enumerate().map(|(index, message)| from_message(field, index, message)).collect()
}

fn from_message(field: &'static str, index: usize, message: &Value) -> Result<Turn, RowFault> {
    let wrong = |rule: String| RowFault::Message { field, index, rule };
    if !message.is_object() {
        return Err(wrong(format!("must be an object, but is {}", kind(message))));
    }
    let role = match &message["role"] {
        Value::String(role) if ROLES.contains(&role.as_str()) => role.clone(),
        Value::String(role) => return Err(wrong(format!("has the unknown role `{role}`"))),
        other => return Err(wrong(format!("needs a `role` of text, but has {}", kind(other)))),
    };
    let text = match &message["content"] {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(parts) => text_of_parts(field, index, parts)?,
        other => return Err(wrong(format!("needs a `content` of text or parts, but has {}", kind(other)))),
    };
    Ok(Turn { role, text })
}

/// The text parts, joined; what a model thought is none of its answer.
fn text_of_parts(field: &'static str, index: usize, parts: &[Value]) -> Result<String, RowFault> {
    let mut texts = Vec::new();
    for part in parts {
        match (part, part["type"].as_str(), part["text"].as_str()) {
            (Value::String(text), ..) => texts.push(text.as_str()),
            (_, Some("text" | "input_text" | "output_text") | None, Some(text)) => texts.push(text),
            (_, Some("thinking" | "reasoning"), _) => {}
            (_, Some(other), _) if other != "text" => return Err(RowFault::NotText { field, part: other.to_owned() }),
            _ => {
                let rule = format!("has a part that must hold text in `text`, but holds {}", kind(&part["text"]));
                return Err(RowFault::Message { field, index, rule });
            }
        }
    }
    Ok(texts.join("\n"))
}

/// The turns of a transcript `Human: … Assistant: …`. Text before the first turn is for the upstream model.
pub fn from_transcript(text: &str) -> Result<Vec<Turn>, &'static str> {
    let starts = starts(text);
    let Some((first, ..)) = starts.first() else { return Err("no turn begins with `Human:` or `Assistant:`") };
    let before = text[..*first].trim();
    let mut turns: Vec<Turn> = Vec::with_capacity(starts.len() + 1);
    if !before.is_empty() {
        turns.push(Turn { role: "system".into(), text: before.into() });
    }
    let ends = starts.iter().skip(1).map(|(at, ..)| *at).chain([text.len()]);
    for ((at, name, role), end) in starts.iter().zip(ends) {
        turns.push(Turn { role: (*role).into(), text: text[at + name.len()..end].trim().into() });
    }
    Ok(turns)
}

/// Where turns begin. They are kept apart by blank lines where there are such turns, else by lines, else by spaces in the one line.
fn starts(text: &str) -> Vec<(usize, &'static str, &'static str)> {
    let found = |is_start: &dyn Fn(&str) -> bool| {
        let all =
            SPEAKERS.iter().flat_map(|(name, role)| text.match_indices(name).map(move |(at, _)| (at, *name, *role)));
        let mut found: Vec<_> = all.filter(|(at, ..)| is_start(&text[..*at])).collect();
        found.sort_unstable();
        found
    };
    let line_start = |before: &str| before.trim_end_matches([' ', '\t']).ends_with('\n');
    let blank_line = |before: &str| {
        let rest = before
            .trim_end_matches([' ', '\t'])
            .strip_suffix('\n')
            .map(|rest| rest.trim_end_matches([' ', '\t', '\r']));
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('\n'))
    };
    let is_first = |before: &str| before.trim().is_empty();
    let by_blank_lines = found(&|before| is_first(before) || blank_line(before));
    if SPEAKERS.iter().all(|(name, _)| by_blank_lines.iter().any(|(_, found, _)| found == name)) {
        return by_blank_lines;
    }
    if text.trim().contains('\n') {
        return found(&|before| is_first(before) || line_start(before));
    }
    found(&|before| is_first(before) || before.ends_with([' ', '\t']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(text: &str) -> Vec<(String, String)> {
        from_transcript(text).unwrap().into_iter().map(|turn| (turn.role, turn.text)).collect()
    }

    fn pairs(turns: &[(&str, &str)]) -> Vec<(String, String)> {
        turns.iter().map(|(role, text)| ((*role).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn transcripts_become_turns() {
        let text =
            "\n\nHuman: Hi\n\nAssistant: Hello.\nHuman: is a word\n\nHuman: What does Human: mean?\n\nAssistant: x";
        let expected = [
            ("user", "Hi"),
            ("assistant", "Hello.\nHuman: is a word"),
            ("user", "What does Human: mean?"),
            ("assistant", "x"),
        ];
        assert_eq!(turns(text), pairs(&expected));
        assert_eq!(turns("Human: a\nAssistant: b"), pairs(&[("user", "a"), ("assistant", "b")]));
        assert_eq!(turns("Human: Why? Assistant: So."), pairs(&[("user", "Why?"), ("assistant", "So.")]));
        assert_eq!(turns("Human: a\r\n\r\nAssistant: b"), pairs(&[("user", "a"), ("assistant", "b")]));
        assert_eq!(
            turns("Be kind.\n\nHuman: a\n\nAssistant:"),
            pairs(&[("system", "Be kind."), ("user", "a"), ("assistant", "")])
        );
        assert!(from_transcript("text").is_err());
    }

    #[test]
    fn messages_hold_text_or_parts_of_text() {
        let read = |value: Value| from_messages("messages", &value).map_err(|fault| fault.to_string());
        let parts = json!([{ "type": "thinking", "thinking": "Hm." }, { "type": "text", "text": "a" }, { "type": "text", "text": "b" }]);
        assert_eq!(read(json!([{ "role": "user", "content": parts }])).unwrap(), [Turn::user("a\nb")]);
        assert_eq!(read(json!({ "role": "user", "content": "a" })).unwrap(), [Turn::user("a")]);
        let said = |content: Value| read(json!([{ "role": "user", "content": content }])).unwrap_err();
        assert_eq!(
            said(json!([{ "type": "image_url", "image_url": {} }])),
            "field `messages` holds more than text: a part of type `image_url`"
        );
        assert!(said(json!([{ "type": "text", "text": 3 }])).ends_with("must hold text in `text`, but holds a number"));
        assert_eq!(said(json!(3)), "message 0 of `messages` needs a `content` of text or parts, but has a number");
        assert_eq!(read(json!(["Hi"])).unwrap_err(), "message 0 of `messages` must be an object, but is text");
        assert_eq!(
            read(json!([{ "role": "human", "content": "a" }])).unwrap_err(),
            "message 0 of `messages` has the unknown role `human`"
        );
        assert_eq!(
            read(json!([{ "content": "a" }])).unwrap_err(),
            "message 0 of `messages` needs a `role` of text, but has null"
        );
    }

    #[test]
    fn a_question_is_what_serve_makes_of_it() {
        let turns = from_transcript("Human: Why?\n\nAssistant: So.\n\nHuman: And?").unwrap();
        assert_eq!(question("chosen", &turns).unwrap(), "USER: Why?\nASSISTANT: So.\nUSER: And?");
        assert!(question("chosen", &turns[1..2]).is_err());
    }
}
