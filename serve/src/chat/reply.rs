//! An upstream model's chat reply, taken apart by the rules.

use serde_json::value::RawValue;

use super::super::asked::MOST_CHOICES;
use super::super::error::ApiError;
use super::super::raw::{self, RawObject, is_void};
use super::super::rules::{CHAT, CHAT_CHOICE, CHAT_MESSAGE, CHAT_PART, Fate, Notes, Sorter, TEXT_PART, Verdict};
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
    /// Parts; the text of all text parts stands for the one at this place.
    Parts(Vec<Part>, String),
    /// Something else that is let through.
    Unseen,
}

/// A part of a message's content.
pub(crate) enum Part {
    /// It stays.
    Beside(Box<RawValue>),
    /// The place of the text, and the field that it stands in; `None` where the part is the text itself.
    Text(Option<(RawObject<'static>, &'static str)>),
}

impl ChatReply {
    /// Reads a reply; `sorter` decides what goes on to the client.
    pub(crate) fn read(body: &[u8], model: Option<&str>, mut sorter: Sorter) -> Result<Self, ApiError> {
        let (object, head) = Head::read(body, CHAT, model, &mut sorter)?;
        let choices = object.get("choices").and_then(raw::list).unwrap_or_default();
        check_choices(choices.len())?;
        let mut read = Vec::with_capacity(choices.len());
        for (place, choice) in choices.into_iter().enumerate() {
            let choice = Choice::read(choice, place as u64, sorter.clone())?;
            if read.iter().any(|other: &Choice| other.index == choice.index) {
                return Err(ApiError::bad_reply(format!("two choices have the index {}", choice.index)));
            }
            read.push(choice);
        }
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

impl Choice {
    fn read(choice: &RawValue, place: u64, mut sorter: Sorter) -> Result<Self, ApiError> {
        let choice = RawObject::of(choice).ok_or_else(|| ApiError::bad_reply("a choice is no object"))?;
        if let Some(error) = choice.get("error").filter(|error| !is_void(error)) {
            return Err(failure(error));
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
            (None, Some(parts)) => parts_of(parts, sorter)?,
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

fn parts_of(parts: Vec<&RawValue>, sorter: &mut Sorter) -> Result<Content, ApiError> {
    let (mut read, mut text, mut has_text) = (Vec::new(), String::new(), false);
    for part in parts {
        let place = match raw::text(part) {
            Some(more) => {
                text.push_str(&more);
                Part::Text(None)
            }
            None => match typed_part(part, &mut text, sorter)? {
                Some(part) => part,
                None => continue,
            },
        };
        let is_text = matches!(place, Part::Text(_));
        // all text stands at the place of the first one
        if !is_text || !has_text {
            read.push(place);
        }
        has_text |= is_text;
    }
    Ok(Content::Parts(read, text))
}

/// A part with a type; `None` where it is left out.
fn typed_part(part: &RawValue, text: &mut String, sorter: &mut Sorter) -> Result<Option<Part>, ApiError> {
    let object =
        RawObject::of(part).ok_or_else(|| ApiError::bad_reply("a part of the content is neither text nor object"))?;
    let kind: String = object.get("type").and_then(raw::read).unwrap_or_default();
    match sorter.part(CHAT_PART, "message.content", &kind)? {
        Verdict::LeaveOut => Ok(None),
        Verdict::Own(Fate::Corrected) => Ok(Some(text_part(&object, "message.content", text, sorter)?)),
        _ => Ok(Some(Part::Beside(part.to_owned()))),
    }
}

/// A part whose text is corrected.
pub(crate) fn text_part(
    object: &RawObject<'_>,
    at: &str,
    text: &mut String,
    sorter: &mut Sorter,
) -> Result<Part, ApiError> {
    let (mut kept, mut field) = (RawObject::default(), None);
    for (name, value) in object.fields() {
        match sorter.field(TEXT_PART, at, name, value)? {
            Verdict::Pass => kept.set(name, &value),
            // clients expect them, with nothing in them
            Verdict::LeaveOut if ["annotations", "logprobs"].contains(&name) => kept.set(name, &[(); 0]),
            Verdict::Own(Fate::Corrected) => {
                let more =
                    raw::text(value).ok_or_else(|| ApiError::bad_reply(format!("a part's `{name}` is no text")))?;
                text.push_str(&more);
                field = Some(if name == "refusal" { "refusal" } else { "text" });
                kept.set(name, &"");
            }
            Verdict::LeaveOut | Verdict::Own(_) => {}
        }
    }
    Ok(Part::Text(Some((kept, field.unwrap_or("text")))))
}

/// Parts with their text in place.
pub(crate) fn with_text(parts: Vec<Part>, text: &str) -> Vec<Box<RawValue>> {
    let put = |part| match part {
        Part::Beside(part) => part,
        Part::Text(None) => raw::raw(&text),
        Part::Text(Some((mut object, field))) => {
            object.set(field, &text);
            raw::raw(&object)
        }
    };
    parts.into_iter().map(put).collect()
}
