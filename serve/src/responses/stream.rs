//! A corrected response as events, in the order of OpenAI's API.

use std::sync::Arc;
use std::time::Instant;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::super::answer::{Answer, AnswerStep, End};
use super::super::chat::Part;
use super::super::error::ApiError;
use super::super::raw::{self, RawObject, raw};
use super::super::sse::{Events, Left};
use super::super::state::Service;
use super::{Running, RunningItem};

/// A response to stream.
pub(super) struct Reply {
    pub(super) service: Arc<Service>,
    pub(super) running: Running,
    pub(super) started: Instant,
}

/// Numbered events.
struct Numbered<'a> {
    events: &'a Events,
    next: u64,
}

impl Numbered<'_> {
    fn send(&mut self, kind: &str, fields: &[(&str, Box<RawValue>)]) -> Result<(), Left> {
        let mut event = RawObject::default();
        event.set("type", &kind);
        event.set("sequence_number", &self.next);
        fields.iter().for_each(|(name, value)| event.set(name, value));
        self.next += 1;
        self.events.event(kind, &event)
    }
}

/// Where a part stands.
struct Place {
    item: Box<RawValue>,
    output: usize,
    content: usize,
}

impl Place {
    fn with<'a>(&self, more: impl IntoIterator<Item = (&'a str, Box<RawValue>)>) -> Vec<(&'a str, Box<RawValue>)> {
        let place = [
            ("item_id", self.item.clone()),
            ("output_index", raw(&self.output)),
            ("content_index", raw(&self.content)),
        ];
        place.into_iter().chain(more).collect()
    }
}

impl Reply {
    pub(super) async fn write(mut self, events: Events) -> Result<(), Left> {
        let mut sent = Numbered { events: &events, next: 0 };
        let Running { head, items, about } = &mut self.running;
        let begun = about.response(head, &[], Some("in_progress"));
        for kind in ["response.created", "response.in_progress"] {
            sent.send(kind, &[("response", raw(&begun))])?;
        }
        let mut output: Vec<Box<RawValue>> = Vec::new();
        for item in std::mem::take(items) {
            let at = output.len();
            output.push(match item {
                RunningItem::Other(item) => {
                    other(&mut sent, at, &item)?;
                    item
                }
                RunningItem::Message { fields, parts, answer } => {
                    let item = fields.get("id").map(ToOwned::to_owned).unwrap_or_else(|| raw(&""));
                    let mut begun = fields.clone();
                    begun.set("content", &json!([]));
                    begun.set("status", &"in_progress");
                    sent.send("response.output_item.added", &[("output_index", raw(&at)), ("item", raw(&begun))])?;
                    let content = parts.iter().position(|part| matches!(part, Part::Text(_))).unwrap_or(0);
                    let place = Place { item, output: at, content };
                    let end = match answer {
                        None => None,
                        Some(answer) => match text(&mut sent, &place, &parts, *answer).await? {
                            Ok(end) => Some(end),
                            Err(error) => return failed(&mut sent, &error),
                        },
                    };
                    let item = raw(&about.message(&self.service, fields, parts, end.as_ref()));
                    sent.send("response.output_item.done", &[("output_index", raw(&at)), ("item", item.clone())])?;
                    item
                }
            });
        }
        self.service.metrics.first_corrected_token(self.started.elapsed());
        let whole = about.response(head, &output, None);
        sent.send(&format!("response.{}", about.status), &[("response", raw(&whole))])
    }
}

/// Streams the text of a message.
async fn text(
    sent: &mut Numbered<'_>,
    place: &Place,
    parts: &[Part],
    mut answer: Answer,
) -> Result<Result<End, ApiError>, Left> {
    let (empty, field) = match parts.get(place.content) {
        Some(Part::Text(Some((part, field)))) => (raw(part), *field),
        _ => (raw(&json!({ "type": "output_text", "text": "", "annotations": [] })), "text"),
    };
    let kind = if field == "refusal" { "response.refusal" } else { "response.output_text" };
    sent.send("response.content_part.added", &place.with([("part", empty.clone())]))?;
    let end = loop {
        match sent.events.while_there(answer.next()).await? {
            Ok(AnswerStep::Text(text)) => {
                let more = [("delta", raw(&text)), ("logprobs", raw(&json!([])))];
                sent.send(&format!("{kind}.delta"), &place.with(more))?;
            }
            Ok(AnswerStep::Done(end)) => break *end,
            Err(error) => return Ok(Err(error)),
        }
    };
    sent.send(&format!("{kind}.done"), &place.with([(field, raw(&end.text)), ("logprobs", raw(&json!([])))]))?;
    let mut part = RawObject::of(&empty).map(RawObject::into_owned).unwrap_or_default();
    part.set(field, &end.text);
    sent.send("response.content_part.done", &place.with([("part", raw(&part))]))?;
    Ok(Ok(end))
}

/// An item that stays as it is: calls with the events that clients gather them from.
fn other(sent: &mut Numbered<'_>, at: usize, item: &RawValue) -> Result<(), Left> {
    let object = RawObject::of(item).unwrap_or_default();
    let kind: String = object.get("type").and_then(raw::read).unwrap_or_default();
    let calls = match kind.as_str() {
        "function_call" => Some(("arguments", "response.function_call_arguments")),
        "custom_tool_call" => Some(("input", "response.custom_tool_call_input")),
        _ => None,
    };
    let mut begun = object.clone();
    if let Some((field, _)) = calls {
        begun.set(field, &"");
        begun.set("status", &"in_progress");
    }
    sent.send("response.output_item.added", &[("output_index", raw(&at)), ("item", raw(&begun))])?;
    if let Some((field, kind)) = calls {
        let value = object.get(field).map_or_else(|| raw(&""), ToOwned::to_owned);
        let id = object.get("id").or(object.get("call_id")).map_or_else(|| raw(&""), ToOwned::to_owned);
        let place = || vec![("item_id", id.clone()), ("output_index", raw(&at))];
        sent.send(&format!("{kind}.delta"), &[place(), vec![("delta", value.clone())]].concat())?;
        let name = object.get("name").map_or_else(|| raw(&Value::Null), ToOwned::to_owned);
        sent.send(&format!("{kind}.done"), &[place(), vec![(field, value), ("name", name)]].concat())?;
    }
    sent.send("response.output_item.done", &[("output_index", raw(&at)), ("item", item.to_owned())])
}

/// What came is not the whole.
fn failed(sent: &mut Numbered<'_>, error: &ApiError) -> Result<(), Left> {
    let body = error.json();
    let field = |name: &str| raw(&body["error"][name]);
    sent.send("error", &[("code", field("code")), ("message", field("message")), ("param", field("param"))])
}
