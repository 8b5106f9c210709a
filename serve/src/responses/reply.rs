//! An upstream model's response, taken apart by the rules.

use serde_json::Value;
use serde_json::value::RawValue;

use super::super::chat::{Part, text_part};
use super::super::error::ApiError;
use super::super::raw::{self, RawObject, is_void};
use super::super::rules::{Fate, Notes, RESPONSE, RESPONSE_ITEM, RESPONSE_MESSAGE, RESPONSE_PART, Sorter, Verdict};
use super::super::upstream_reply::Head;

/// Most items of an output.
const MOST_ITEMS: usize = 256;
/// Largest field that a reply may repeat of its own accord, in bytes.
const MOST_ECHOED_BYTES: usize = 4 << 10;

/// A response whose texts are still to be corrected.
pub(super) struct ResponseReply {
    pub(super) head: Head,
    pub(super) items: Vec<Item>,
    pub(super) status: String,
    pub(super) incomplete: Value,
    /// What it says of the request.
    pub(super) echoed: RawObject<'static>,
    pub(super) notes: Notes,
}

/// An item of its output.
pub(super) enum Item {
    /// A message, its parts, and their text.
    Message { fields: RawObject<'static>, parts: Vec<Part>, text: String },
    /// Something that stays.
    Other(Box<RawValue>),
}

impl ResponseReply {
    pub(super) fn read(
        body: &[u8],
        model: Option<&str>,
        asked: &RawObject<'_>,
        mut sorter: Sorter,
    ) -> Result<Self, ApiError> {
        let (object, head) = Head::read(body, RESPONSE, model, &mut sorter)?;
        let items =
            object.get("output").and_then(raw::list).ok_or_else(|| ApiError::bad_reply("it holds no output"))?;
        if items.len() > MOST_ITEMS {
            return Err(ApiError::bad_reply(format!("it holds {} items, more than {MOST_ITEMS}", items.len())));
        }
        let mut read = Vec::with_capacity(items.len());
        for item in items {
            read.extend(Item::read(item, &mut sorter)?);
        }
        let status: String = object.get("status").and_then(raw::read).unwrap_or_else(|| "completed".into());
        if !["completed", "incomplete"].contains(&status.as_str()) {
            return Err(ApiError::bad_reply(format!("the response is {status:?}")));
        }
        let incomplete = object.get("incomplete_details").and_then(names_only).unwrap_or_default();
        let mut echoed = RawObject::default();
        for rule in RESPONSE.iter().filter(|rule| rule.fate == Fate::Echoed) {
            match (asked.get(rule.name), object.get(rule.name)) {
                (Some(own), _) => echoed.set(rule.name, &own),
                (None, Some(theirs)) => match names_only(theirs) {
                    Some(value) => echoed.set(rule.name, &value),
                    None => sorter.notes.dropped.push(rule.name.into()),
                },
                (None, None) => {}
            }
        }
        Ok(Self { head, items: read, status, incomplete, echoed, notes: sorter.notes })
    }
}

impl Item {
    /// An item; `None` where it is left out.
    fn read(item: &RawValue, sorter: &mut Sorter) -> Result<Option<Self>, ApiError> {
        let object = RawObject::of(item).ok_or_else(|| ApiError::bad_reply("an item of the output is no object"))?;
        let kind: String = object.get("type").and_then(raw::read).unwrap_or_else(|| "message".into());
        match sorter.part(RESPONSE_ITEM, "output", &kind)? {
            Verdict::LeaveOut => Ok(None),
            Verdict::Own(Fate::Corrected) => Self::message(&object, sorter).map(Some),
            _ => Ok(Some(Self::Other(item.to_owned()))),
        }
    }

    fn message(object: &RawObject<'_>, sorter: &mut Sorter) -> Result<Self, ApiError> {
        let (mut fields, mut parts, mut text) = (RawObject::default(), Vec::new(), String::new());
        fields.set("type", &"message");
        for (name, value) in object.fields() {
            match sorter.field(RESPONSE_MESSAGE, "output.message", name, value)? {
                Verdict::Pass => fields.set(name, &value),
                Verdict::Own(_) => parts = Self::parts(value, &mut text, sorter)?,
                Verdict::LeaveOut => {}
            }
        }
        Ok(Self::Message { fields, parts, text })
    }

    fn parts(value: &RawValue, text: &mut String, sorter: &mut Sorter) -> Result<Vec<Part>, ApiError> {
        let at = "output.message.content";
        let mut parts = Vec::new();
        let mut has_text = false;
        for part in raw::list(value).ok_or_else(|| ApiError::bad_reply("a message's content is no list"))? {
            let object = RawObject::of(part).ok_or_else(|| ApiError::bad_reply("a part of a message is no object"))?;
            let kind: String = object.get("type").and_then(raw::read).unwrap_or_default();
            match sorter.part(RESPONSE_PART, at, &kind)? {
                Verdict::LeaveOut => {}
                Verdict::Own(Fate::Corrected) => {
                    let part = text_part(&object, at, text, sorter)?;
                    // all text stands at the place of the first one
                    if !std::mem::replace(&mut has_text, true) {
                        parts.push(part);
                    }
                }
                _ => parts.push(Part::Beside(part.to_owned())),
            }
        }
        Ok(parts)
    }
}

/// A value whose texts are names, flags and numbers only.
fn names_only(value: &RawValue) -> Option<Value> {
    fn is_plain(value: &Value) -> bool {
        match value {
            Value::String(text) => text.len() <= 256 && !text.contains(char::is_whitespace),
            Value::Array(values) => values.iter().all(is_plain),
            Value::Object(fields) => {
                fields.iter().all(|(name, value)| !name.contains(char::is_whitespace) && is_plain(value))
            }
            _ => true,
        }
    }
    if is_void(value) {
        return raw::read(value);
    }
    let read: Value = (value.get().len() <= MOST_ECHOED_BYTES).then(|| raw::read(value))??;
    is_plain(&read).then_some(read)
}
