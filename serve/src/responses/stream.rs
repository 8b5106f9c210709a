//! A corrected response as events, in the order of OpenAI's API.

use std::sync::Arc;
use std::time::Instant;

use serde_json::json;
use serde_json::value::RawValue;

use super::super::answer::{AnswerStep, End};
use super::super::error::ApiError;
use super::super::parts::{Ends, Part, Saying};
use super::super::raw::{RawObject, raw};
use super::super::sse::{Events, Left};
use super::super::state::Service;
use super::items::other;
use super::{Running, RunningItem};

/// A response to stream.
pub(super) struct Reply {
    pub(super) service: Arc<Service>,
    pub(super) running: Running,
    pub(super) started: Instant,
}

/// Numbered events.
pub(super) struct Numbered<'a> {
    events: &'a Events,
    next: u64,
}

impl Numbered<'_> {
    pub(super) async fn send(&mut self, kind: &str, fields: &[(&str, Box<RawValue>)]) -> Result<(), Left> {
        let mut event = RawObject::default();
        event.set("type", &kind);
        event.set("sequence_number", &self.next);
        fields.iter().for_each(|(name, value)| event.set(name, value));
        self.next += 1;
        self.events.event(kind, &event).await
    }
}

/// Where a part stands.
struct Place<'a> {
    item: &'a RawValue,
    output: usize,
    content: usize,
}

impl Place<'_> {
    fn with<'a>(&self, more: impl IntoIterator<Item = (&'a str, Box<RawValue>)>) -> Vec<(&'a str, Box<RawValue>)> {
        let place = [
            ("item_id", self.item.to_owned()),
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
            sent.send(kind, &[("response", raw(&begun))]).await?;
        }
        let mut output: Vec<Box<RawValue>> = Vec::new();
        for item in std::mem::take(items) {
            let at = output.len();
            output.push(match item {
                RunningItem::Other(item) => {
                    other(&mut sent, at, &item).await?;
                    item
                }
                RunningItem::Message { fields, parts } => {
                    let mut begun = fields.clone();
                    begun.set("content", &json!([]));
                    begun.set("status", &"in_progress");
                    sent.send("response.output_item.added", &[("output_index", raw(&at)), ("item", raw(&begun))])
                        .await?;
                    let mut ends = Ends::default();
                    let parts = match message(&mut sent, at, &fields, parts, &mut ends).await? {
                        Ok(parts) => parts,
                        Err(error) => return failed(&mut sent, &error).await,
                    };
                    let item = raw(&about.message(&self.service, fields, &parts, &ends));
                    sent.send("response.output_item.done", &[("output_index", raw(&at)), ("item", item.clone())])
                        .await?;
                    item
                }
            });
        }
        self.service.metrics.first_corrected_token(self.started.elapsed());
        let whole = about.response(head, &output, None);
        sent.send(&format!("response.{}", about.status), &[("response", raw(&whole))]).await
    }
}

/// Streams the parts of a message.
async fn message(
    sent: &mut Numbered<'_>,
    output: usize,
    fields: &RawObject<'_>,
    parts: Vec<Part<Saying>>,
    ends: &mut Ends,
) -> Result<Result<Vec<Box<RawValue>>, ApiError>, Left> {
    let item = fields.get("id").map_or_else(|| raw(&""), ToOwned::to_owned);
    let mut finished = Vec::with_capacity(parts.len());
    for (content, part) in parts.into_iter().enumerate() {
        let place = Place { item: &item, output, content };
        let begun = match &part {
            Part::Beside(part) => part.clone(),
            Part::Text(shell, _) => shell.with(""),
        };
        sent.send("response.content_part.added", &place.with([("part", begun)])).await?;
        let done = match part {
            Part::Beside(part) => part,
            Part::Text(shell, saying) => match text(sent, &place, shell.field, saying).await? {
                Err(error) => return Ok(Err(error)),
                Ok((text, end)) => {
                    end.into_iter().for_each(|end| ends.add(shell.field, end));
                    shell.with(&text)
                }
            },
        };
        sent.send("response.content_part.done", &place.with([("part", done.clone())])).await?;
        finished.push(done);
    }
    Ok(Ok(finished))
}

/// Streams what a part says.
async fn text(
    sent: &mut Numbered<'_>,
    place: &Place<'_>,
    field: &str,
    saying: Saying,
) -> Result<Result<(String, Option<End>), ApiError>, Left> {
    let kind = if field == "refusal" { "response.refusal" } else { "response.output_text" };
    // refusals have none
    let logprobs = (field != "refusal").then(|| ("logprobs", raw(&json!([]))));
    let delta = |text: &str| place.with([Some(("delta", raw(&text))), logprobs.clone()].into_iter().flatten());
    let (text, end) = match saying {
        Saying::Nothing(text) => {
            if !text.is_empty() {
                sent.send(&format!("{kind}.delta"), &delta(&text)).await?;
            }
            (text, None)
        }
        Saying::Corrected(mut answer) => loop {
            match sent.events.while_there(answer.next()).await? {
                Ok(AnswerStep::Text(text)) => sent.send(&format!("{kind}.delta"), &delta(&text)).await?,
                Ok(AnswerStep::Done(end)) => break (end.text.clone(), Some(*end)),
                Err(error) => return Ok(Err(error)),
            }
        },
    };
    let done = [Some((field, raw(&text))), logprobs.clone()].into_iter().flatten();
    sent.send(&format!("{kind}.done"), &place.with(done)).await?;
    Ok(Ok((text, end)))
}

/// What came is not the whole.
async fn failed(sent: &mut Numbered<'_>, error: &ApiError) -> Result<(), Left> {
    let body = error.json();
    let field = |name: &str| raw(&body["error"][name]);
    sent.send("error", &[("code", field("code")), ("message", field("message")), ("param", field("param"))]).await
}
