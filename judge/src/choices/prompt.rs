//! What the model is asked about: a conversation up to where the assistant answers, and one completion.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How turns begin within the questions of HHH, after the first one, which is the user's.
const SPEAKERS: [(&str, Role); 2] = [("Human:", Role::User), ("Assistant:", Role::Assistant)];

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The person who asks.
    User,
    /// The model.
    Assistant,
}

/// One turn, with the fields of a chat API's message.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Turn {
    /// Who speaks.
    pub role: Role,
    /// What is said.
    pub content: String,
}

/// One completion of a prompt, whose log-probability is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice<'a> {
    /// The conversation; its last turn is the user's. All choices of a row have the same.
    pub prompt: &'a [Turn],
    /// What the assistant would say, without white space at its ends.
    pub completion: &'a str,
}

impl Role {
    /// Its name in chat APIs.
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

impl Turn {
    /// A user's turn.
    pub fn user(content: impl Into<String>) -> Self {
        Self { role: Role::User, content: content.into() }
    }
}

/// The turns as messages of a chat API, for the model's chat template.
pub fn to_messages(prompt: &[Turn]) -> Value {
    prompt.iter().map(|turn| json!({ "role": turn.role.name(), "content": turn.content })).collect()
}

/// The turns of a question of HHH, in which paragraphs may begin with `Human:` and `Assistant:`. Where they do not take turns, up to the
/// user's last one, the whole is one message.
pub(super) fn turns(question: &str) -> Vec<Turn> {
    let mut turns = vec![Turn::user("")];
    for paragraph in question.split("\n\n") {
        let speaker =
            SPEAKERS.iter().find_map(|(name, role)| Some((paragraph.trim_start().strip_prefix(name)?, *role)));
        match (speaker, turns.last_mut()) {
            (Some((text, role)), _) => turns.push(Turn { role, content: text.into() }),
            (None, Some(last)) if last.content.is_empty() => last.content = paragraph.into(),
            (None, Some(last)) => last.content = format!("{}\n\n{paragraph}", last.content),
            (None, None) => {}
        }
    }
    turns.iter_mut().for_each(|turn| turn.content = turn.content.trim().to_owned());
    if turns.first().is_some_and(|turn| turn.content.is_empty()) {
        turns.remove(0); // the first one is named, too
    }
    let takes_turns = turns.iter().enumerate().all(|(index, turn)| {
        let role = if index % 2 == 0 { Role::User } else { Role::Assistant };
        turn.role == role && !turn.content.is_empty()
    });
    match takes_turns && turns.len() % 2 == 1 {
        true => turns,
        false => vec![Turn::user(question.trim())],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(question: &str) -> Vec<(&'static str, String)> {
        turns(question).into_iter().map(|turn| (turn.role.name(), turn.content)).collect()
    }

    #[test]
    fn questions_with_turns_become_conversations() {
        assert_eq!(said(" Why?\n\nReally? "), [("user", "Why?\n\nReally?".into())]);
        let three = [("user", "A?\n\nB".into()), ("assistant", "C\n\nD".into()), ("user", "E".into())];
        assert_eq!(said("A?\n\nB\n\nAssistant:  C\n\nD\n\nHuman:  E"), three);
        assert_eq!(said("Human: A?\n\nB\n\nAssistant: C\n\nD\n\nHuman: E"), three);
        let messages = to_messages(&turns("A\n\nAssistant: B\n\nHuman: C"));
        assert_eq!(messages[1], json!({ "role": "assistant", "content": "B" }));
        assert_eq!(messages[2], serde_json::to_value(Turn::user("C")).unwrap());
    }

    #[test]
    fn what_takes_no_turns_stays_one_message() {
        for text in ["A\n\nHuman: B", "A\n\nAssistant: B", "A\n\nAssistant:\n\nHuman: B", "Assistant: A\n\nHuman: B"] {
            assert_eq!(said(text), [("user", text.into())]);
        }
    }
}
