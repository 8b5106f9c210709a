//! An upstream model's response, taken apart by the rules.

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::super::error::ApiError;
use super::super::notes::{Notes, plain};
use super::super::parts::Parts;
use super::super::raw::{self, RawObject, is_void};
use super::super::rules::{Fate, RESPONSE, RESPONSE_ITEM, RESPONSE_MESSAGE, RESPONSE_PART, Sorter, Verdict};
use super::super::upstream_reply::Head;

/// Most items of an output.
const MOST_ITEMS: usize = 256;
/// Largest field that is compared with what it usually is, in bytes.
const MOST_COMPARED_BYTES: usize = 4 << 10;
/// Why a response can be incomplete.
const INCOMPLETE: [&str; 2] = ["max_output_tokens", "content_filter"];

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
    /// A message and its parts.
    Message { fields: RawObject<'static>, parts: Parts },
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
            return Err(ApiError::bad_reply(format!("the response is {:?}", plain(&status))));
        }
        let incomplete = incomplete(&object, &mut sorter.notes);
        let echoed = echoed(asked, &object, &mut sorter.notes);
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
        let (mut fields, mut parts) = (RawObject::default(), Parts::default());
        fields.set("type", &"message");
        for (name, value) in object.fields() {
            match sorter.field(RESPONSE_MESSAGE, "output.message", name, value)? {
                Verdict::Pass => fields.set(name, &value),
                Verdict::Own(_) => parts = parts_of(value, sorter)?,
                Verdict::LeaveOut => {}
            }
        }
        Ok(Self::Message { fields, parts })
    }
}

fn parts_of(value: &RawValue, sorter: &mut Sorter) -> Result<Parts, ApiError> {
    let at = "output.message.content";
    let mut parts = Parts::default();
    for part in raw::list(value).ok_or_else(|| ApiError::bad_reply("a message's content is no list"))? {
        let object = RawObject::of(part).ok_or_else(|| ApiError::bad_reply("a part of a message is no object"))?;
        let kind: String = object.get("type").and_then(raw::read).unwrap_or_default();
        match sorter.part(RESPONSE_PART, at, &kind)? {
            Verdict::LeaveOut => {}
            Verdict::Own(Fate::Corrected) => parts.typed(&object, at, sorter)?,
            _ => parts.beside(part),
        }
    }
    Ok(parts)
}

/// What a response says of its request: what the request says itself, else what it means to say nothing. What the upstream
/// server says is not repeated, since nobody has seen it.
fn echoed(asked: &RawObject<'_>, reply: &RawObject<'_>, notes: &mut Notes) -> RawObject<'static> {
    let mut echoed = RawObject::default();
    for rule in RESPONSE.iter().filter(|rule| rule.fate == Fate::Echoed) {
        let (own, theirs) = (asked.get(rule.name), reply.get(rule.name));
        let usual = unsaid(rule.name);
        match own {
            Some(own) => echoed.set(rule.name, &own),
            None if usual.is_some() || theirs.is_some() => echoed.set(rule.name, &usual),
            None => {}
        }
        let is_lost = |theirs: &RawValue| !is_void(theirs) && !is_value(theirs, &usual.clone().unwrap_or_default());
        if own.is_none() && theirs.is_some_and(is_lost) {
            notes.dropped.add(rule.name);
        }
    }
    echoed
}

/// What the API says where a request says nothing.
fn unsaid(name: &str) -> Option<Value> {
    match name {
        "instructions" => Some(Value::Null),
        "metadata" => Some(json!({})),
        "reasoning" => Some(json!({ "effort": null, "summary": null })),
        "text" => Some(json!({ "format": { "type": "text" } })),
        "tool_choice" => Some("auto".into()),
        "tools" => Some(json!([])),
        _ => None,
    }
}

/// Whether a reply's value, if it is a short one, is this.
fn is_value(theirs: &RawValue, value: &Value) -> bool {
    theirs.get().len() <= MOST_COMPARED_BYTES && raw::read::<Value>(theirs).as_ref() == Some(value)
}

/// Why a response is not whole, where it is for a reason that is known.
fn incomplete(reply: &RawObject<'_>, notes: &mut Notes) -> Value {
    let Some(details) = reply.get("incomplete_details").filter(|details| !is_void(details)) else { return Value::Null };
    let object = RawObject::of(details).unwrap_or_default();
    let reason = object.get("reason").and_then(raw::read::<String>).filter(|it| INCOMPLETE.contains(&it.as_str()));
    if reason.is_none() || object.fields().any(|(name, value)| name != "reason" && !is_void(value)) {
        notes.dropped.say("incomplete_details");
    }
    reason.map_or(Value::Null, |reason| json!({ "reason": reason }))
}

#[cfg(test)]
mod tests {
    use super::super::super::options::FailMode;
    use super::*;
    use redline_lab::form::Reasoning;

    const UNSEEN: &str = "You-are-a-fool,-unseen.";

    fn read(request: &str, reply: &str) -> ResponseReply {
        let (asked, sorter) = (RawObject::parse(request).unwrap(), Sorter::new(FailMode::Closed, Reasoning::Drop));
        ResponseReply::read(reply.as_bytes(), None, &asked, sorter).ok().unwrap()
    }

    #[test]
    fn nothing_of_the_reply_is_taken_for_an_echo() {
        let names: Vec<&str> = RESPONSE.iter().filter(|rule| rule.fate == Fate::Echoed).map(|rule| rule.name).collect();
        let fields: Vec<String> = names.iter().map(|name| format!(r#""{name}":{{"{UNSEEN}":"{UNSEEN}"}}"#)).collect();
        let reply = read("{}", &format!(r#"{{"output":[],{}}}"#, fields.join(",")));
        assert!(!reply.echoed.to_string().contains("unseen"), "{}", reply.echoed);
        assert_eq!(reply.notes.dropped[..], names[..]);
        let own = read(
            r#"{"metadata":{"a":"b"},"tools":null}"#,
            r#"{"output":[],"metadata":{"a":"c"},"tool_choice":"auto"}"#,
        );
        assert_eq!(own.echoed.get("metadata").map(RawValue::get), Some(r#"{"a":"b"}"#));
        assert_eq!((own.echoed.get("tools").map(RawValue::get), own.notes.dropped.len()), (Some("[]"), 0));
    }

    #[test]
    fn a_response_is_incomplete_for_known_reasons_alone() {
        let incomplete = |details: &str| {
            let reply = read("{}", &format!(r#"{{"output":[],"status":"incomplete","incomplete_details":{details}}}"#));
            (reply.incomplete, reply.notes.dropped.contains(&"incomplete_details".to_owned()))
        };
        for reason in INCOMPLETE {
            let details = json!({ "reason": reason });
            assert_eq!(incomplete(&details.to_string()), (details, false));
        }
        assert_eq!(incomplete("null"), (Value::Null, false));
        for other in
            [format!(r#"{{"reason":"{UNSEEN}"}}"#), format!("\"{UNSEEN}\""), "[1]".into(), r#"{"reason":5}"#.into()]
        {
            assert_eq!(incomplete(&other), (Value::Null, true), "{other}");
        }
        let more = format!(r#"{{"reason":"content_filter","{UNSEEN}":1}}"#);
        assert_eq!(incomplete(&more), (json!({ "reason": "content_filter" }), true));
    }
}
