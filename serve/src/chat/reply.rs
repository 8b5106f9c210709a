//! An upstream model's chat reply, taken apart by the rules.

use std::collections::HashSet;

use serde_json::value::RawValue;

use super::super::asked::MOST_CHOICES;
use super::super::error::ApiError;
use super::super::notes::Notes;
use super::super::parts::{Parts, Shell};
use super::super::raw::{self, RawObject, is_void};
use super::super::rules::{CHAT, CHAT_CHOICE, CHAT_MESSAGE, CHAT_PART, Fate, Sorter, Verdict};
use super::super::upstream_reply::{Head, failure, name};

/// A reply whose texts are still to be corrected.
pub(crate) struct ChatReply {
    pub(crate) head: Head,
    pub(crate) choices: Vec<Choice>,
}

/// One of the upstream model's answers.
pub(crate) struct Choice {
    pub(crate) index: u64,
    /// The message with everything that goes to the client; its texts are put in once they are corrected.
    pub(crate) message: RawObject<'static>,
    pub(crate) content: Content,
    pub(crate) refusal: Option<String>,
    pub(crate) finish_reason: Option<String>,
    /// What stands beside the message.
    pub(crate) beside: RawObject<'static>,
    pub(crate) notes: Notes,
}

/// What a message says.
pub(crate) enum Content {
    /// Nothing.
    None,
    /// Text.
    Text(String),
    /// Parts.
    Parts(Parts),
    /// Something else that is let through.
    Unseen,
}

impl ChatReply {
    /// Reads a reply; `sorter` decides what goes on to the client.
    pub(crate) fn read(body: &[u8], model: Option<&str>, mut sorter: Sorter) -> Result<Self, ApiError> {
        let (object, head) = Head::read(body, CHAT, model, &mut sorter)?;
        let choices = object.get("choices").and_then(raw::list).unwrap_or_default();
        check_choices(choices.len())?;
        let mut read = Vec::with_capacity(choices.len());
        for (place, choice) in choices.into_iter().enumerate() {
            read.push(Choice::read(choice, place as u64, sorter.clone())?);
        }
        check_indices(read.iter().map(|choice| choice.index))?;
        Ok(Self { head, choices: read })
    }
}

/// Refuses replies without answers, and with too many.
pub(crate) fn check_choices(n: usize) -> Result<(), ApiError> {
    match n {
        0 => Err(ApiError::bad_reply("it holds no choices")),
        n if n > MOST_CHOICES => Err(ApiError::bad_reply(format!("it holds {n} choices, more than {MOST_CHOICES}"))),
        _ => Ok(()),
    }
}

/// Refuses choices that clients could not tell apart.
pub(crate) fn check_indices(indices: impl Iterator<Item = u64>) -> Result<(), ApiError> {
    let mut seen = HashSet::new();
    for index in indices {
        if !seen.insert(index) {
            return Err(ApiError::bad_reply(format!("two choices have the index {index}")));
        }
    }
    Ok(())
}

impl Choice {
    fn read(choice: &RawValue, place: u64, mut sorter: Sorter) -> Result<Self, ApiError> {
        let choice = RawObject::of(choice).ok_or_else(|| ApiError::bad_reply("a choice is no object"))?;
        if let Some(error) = failure(&choice) {
            return Err(error);
        }
        let index = match choice.get("index") {
            None => place,
            Some(index) => raw::read(index).ok_or_else(|| ApiError::bad_reply("a choice's index is no number"))?,
        };
        let message = choice.get("message").and_then(RawObject::of);
        let message = message.ok_or_else(|| ApiError::bad_reply("it holds no choices with messages"))?;
        let mut beside = RawObject::default();
        for (name, value) in choice.fields() {
            match sorter.field(CHAT_CHOICE, "", name, value)? {
                Verdict::Pass => beside.set(name, &value),
                // clients look for it
                Verdict::LeaveOut if name == "logprobs" => beside.set(name, &()),
                Verdict::LeaveOut | Verdict::Own(_) => {}
            }
        }
        let finish_reason = choice.get("finish_reason").and_then(name);
        let mut read = Self {
            index,
            message: RawObject::default(),
            content: Content::None,
            refusal: None,
            finish_reason,
            beside,
            notes: Notes::default(),
        };
        read.message(&message, &mut sorter)?;
        read.notes = sorter.notes;
        Ok(read)
    }

    fn message(&mut self, message: &RawObject<'_>, sorter: &mut Sorter) -> Result<(), ApiError> {
        for (name, value) in message.fields() {
            match sorter.field(CHAT_MESSAGE, "message", name, value)? {
                Verdict::Pass => self.message.set(name, &value),
                Verdict::Own(Fate::Corrected) if name == "content" => self.content(value, sorter)?,
                Verdict::Own(Fate::Corrected) => self.refusal(name, value, sorter)?,
                Verdict::Own(Fate::Calls) => self.calls(name, value, sorter)?,
                Verdict::LeaveOut | Verdict::Own(_) => {}
            }
        }
        if self.message.get("role").is_none() {
            self.message.set("role", &"assistant");
        }
        Ok(())
    }

    fn content(&mut self, value: &RawValue, sorter: &mut Sorter) -> Result<(), ApiError> {
        self.message.set("content", &value);
        self.content = match (raw::text(value), raw::list(value)) {
            _ if raw::is_null(value) => Content::None,
            (Some(text), _) => Content::Text(text),
            (None, Some(parts)) => Content::Parts(parts_of(parts, sorter)?),
            (None, None) => {
                sorter.refuse("message.content".into())?;
                Content::Unseen
            }
        };
        Ok(())
    }

    fn refusal(&mut self, name: &str, value: &RawValue, sorter: &mut Sorter) -> Result<(), ApiError> {
        self.message.set(name, &value);
        self.refusal = match raw::text(value) {
            _ if is_void(value) => None,
            Some(text) => Some(text),
            None => {
                sorter.refuse(format!("message.{name}"))?;
                None
            }
        };
        Ok(())
    }

    /// Calls of tools: a list of objects, or one.
    fn calls(&mut self, name: &str, value: &RawValue, sorter: &mut Sorter) -> Result<(), ApiError> {
        let is_object = |value: &RawValue| value.get().starts_with('{');
        let fits = match name {
            "tool_calls" => raw::list(value).is_some_and(|calls| calls.iter().all(|call| is_object(call))),
            _ => is_object(value),
        };
        if !fits && !is_void(value) {
            sorter.refuse(format!("message.{name}"))?;
        }
        self.message.set(name, &value);
        Ok(())
    }
}

fn parts_of(list: Vec<&RawValue>, sorter: &mut Sorter) -> Result<Parts, ApiError> {
    let mut parts = Parts::default();
    for part in list {
        if let Some(text) = raw::text(part) {
            parts.text(Shell::bare(), &text);
            continue;
        }
        let object = RawObject::of(part)
            .ok_or_else(|| ApiError::bad_reply("a part of the content is neither text nor object"))?;
        let kind: String = object.get("type").and_then(raw::read).unwrap_or_default();
        match sorter.part(CHAT_PART, "message.content", &kind)? {
            Verdict::LeaveOut => {}
            Verdict::Own(Fate::Corrected) => parts.typed(&object, "message.content", sorter)?,
            _ => parts.beside(part),
        }
    }
    Ok(parts)
}
