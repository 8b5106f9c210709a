//! Items of a streamed response that stay as they are: calls of tools and reasoning, with the events that clients gather them
//! from, and others.

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::super::raw::{self, RawObject, raw};
use super::super::sse::Left;
use super::stream::Numbered;

/// A list of parts of an item, and what its events are called.
struct Parts {
    list: &'static str,
    index: &'static str,
    part: &'static str,
    text: &'static str,
}

/// What reasoning has.
const REASONING: [Parts; 2] = [
    Parts {
        list: "summary",
        index: "summary_index",
        part: "response.reasoning_summary_part",
        text: "response.reasoning_summary_text",
    },
    Parts { list: "content", index: "content_index", part: "response.content_part", text: "response.reasoning_text" },
];

/// Where an item stands.
struct Place {
    item: Box<RawValue>,
    output: usize,
}

impl Place {
    fn with(&self, more: &[(&'static str, Box<RawValue>)]) -> Vec<(&'static str, Box<RawValue>)> {
        let place = [("item_id", self.item.clone()), ("output_index", raw(&self.output))];
        [&place[..], more].concat()
    }
}

/// Streams an item that stays.
pub(super) async fn other(sent: &mut Numbered<'_>, at: usize, item: &RawValue) -> Result<(), Left> {
    let object = RawObject::of(item).unwrap_or_default();
    let kind: String = object.get("type").and_then(raw::read).unwrap_or_default();
    let id = object.get("id").or(object.get("call_id")).map_or_else(|| raw(&""), ToOwned::to_owned);
    let place = Place { item: id, output: at };
    match kind.as_str() {
        "function_call" => call(sent, &place, &object, "arguments", "response.function_call_arguments").await?,
        "custom_tool_call" => call(sent, &place, &object, "input", "response.custom_tool_call_input").await?,
        "reasoning" => reasoning(sent, &place, &object).await?,
        _ => added(sent, &place, &object).await?,
    }
    sent.send("response.output_item.done", &[("output_index", raw(&at)), ("item", item.to_owned())]).await
}

async fn added(sent: &mut Numbered<'_>, place: &Place, item: &RawObject<'_>) -> Result<(), Left> {
    sent.send("response.output_item.added", &[("output_index", raw(&place.output)), ("item", raw(item))]).await
}

/// A call, whose argument stands in `field`.
async fn call(
    sent: &mut Numbered<'_>,
    place: &Place,
    object: &RawObject<'_>,
    field: &'static str,
    kind: &str,
) -> Result<(), Left> {
    let mut begun = object.clone();
    begun.set(field, &"");
    begun.set("status", &"in_progress");
    added(sent, place, &begun).await?;
    let value = object.get(field).map_or_else(|| raw(&""), ToOwned::to_owned);
    let name = object.get("name").map_or_else(|| raw(&Value::Null), ToOwned::to_owned);
    sent.send(&format!("{kind}.delta"), &place.with(&[("delta", value.clone())])).await?;
    sent.send(&format!("{kind}.done"), &place.with(&[(field, value), ("name", name)])).await
}

async fn reasoning(sent: &mut Numbered<'_>, place: &Place, object: &RawObject<'_>) -> Result<(), Left> {
    let mut begun = object.clone();
    let parts_of = |parts: &Parts| object.get(parts.list).and_then(raw::list);
    for parts in REASONING.iter().filter(|parts| parts_of(parts).is_some()) {
        begun.set(parts.list, &json!([]));
    }
    added(sent, place, &begun).await?;
    for parts in &REASONING {
        for (index, part) in parts_of(parts).into_iter().flatten().enumerate() {
            reasoning_part(sent, place, parts, index, part).await?;
        }
    }
    Ok(())
}

async fn reasoning_part(
    sent: &mut Numbered<'_>,
    place: &Place,
    Parts { index, part: kind, text: text_kind, .. }: &Parts,
    at: usize,
    part: &RawValue,
) -> Result<(), Left> {
    let with = |name: &'static str, value: Box<RawValue>| place.with(&[(*index, raw(&at)), (name, value)]);
    let object = RawObject::of(part).unwrap_or_default();
    let Some(text) = object.get("text") else {
        sent.send(&format!("{kind}.added"), &with("part", part.to_owned())).await?;
        return sent.send(&format!("{kind}.done"), &with("part", part.to_owned())).await;
    };
    let mut begun = object.clone();
    begun.set("text", &"");
    sent.send(&format!("{kind}.added"), &with("part", raw(&begun))).await?;
    sent.send(&format!("{text_kind}.delta"), &with("delta", text.to_owned())).await?;
    sent.send(&format!("{text_kind}.done"), &with("text", text.to_owned())).await?;
    sent.send(&format!("{kind}.done"), &with("part", part.to_owned())).await
}
