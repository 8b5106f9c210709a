//! `/v1/responses`: text in, corrected text out.

mod items;
mod reply;
mod request;
mod stream;

use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use self::reply::{Item, ResponseReply};
use self::request::ResponseRequest;
use super::answer::Terms;
use super::body::TextBody;
use super::error::ApiError;
use super::headers::hex_id;
use super::notes::Notes;
use super::parts::{self, Ends, Part, Saying, add};
use super::raw::{RawObject, raw};
use super::sse;
use super::state::Service;
use super::upstream_reply::{Head, RawJson, UsageNames};

/// What identifiers of responses begin with.
const ID: &str = "resp_";

pub(super) async fn create(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    TextBody(body): TextBody,
) -> Result<Response, ApiError> {
    let started = Instant::now();
    let ResponseRequest { upstream, asked, form, model, is_stream, echoed } = ResponseRequest::take(&body)?;
    drop(body);
    let terms = service.terms(asked, form, Vec::new())?;
    let reply = service.ask("/responses", upstream, &headers).await?;
    let parsed = ResponseReply::read(&reply.body, model.as_deref(), &echoed, service.sorter());
    let running = Running::begin(&service, parsed.map_err(|error| service.bad_reply(error))?, &terms).await?;
    if is_stream {
        let stream = stream::Reply { service, running, started };
        return Ok((reply.headers, sse::stream(move |events| stream.write(events))).into_response());
    }
    let whole = running.finish(&service).await?;
    service.metrics.first_corrected_token(started.elapsed());
    Ok((reply.headers, RawJson(whole.to_string())).into_response())
}

/// A response whose texts are on their way through the Aligner.
struct Running {
    head: Head,
    items: Vec<RunningItem>,
    about: About,
}

/// What a response says of itself beside its output.
struct About {
    status: String,
    incomplete: Value,
    echoed: RawObject<'static>,
    notes: Notes,
    tokens: [usize; 2],
}

enum RunningItem {
    Message { fields: RawObject<'static>, parts: Vec<Part<Saying>> },
    Other(Box<RawValue>),
}

impl Running {
    async fn begin(service: &Arc<Service>, reply: ResponseReply, terms: &Terms) -> Result<Self, ApiError> {
        let ResponseReply { head, items, status, incomplete, echoed, notes } = reply;
        let mut running = Vec::with_capacity(items.len());
        for item in items {
            running.push(match item {
                Item::Other(item) => RunningItem::Other(item),
                Item::Message { mut fields, parts } => {
                    if fields.get("id").is_none() {
                        fields.set("id", &hex_id("msg_"));
                    }
                    RunningItem::Message { fields, parts: parts.begin(service, terms).await? }
                }
            });
        }
        let about = About { status, incomplete, echoed, notes, tokens: [0, 0] };
        Ok(Self { head, items: running, about })
    }

    async fn finish(mut self, service: &Service) -> Result<RawObject<'static>, ApiError> {
        let mut output = Vec::with_capacity(self.items.len());
        for item in std::mem::take(&mut self.items) {
            output.push(match item {
                RunningItem::Other(item) => item,
                RunningItem::Message { fields, parts } => {
                    let mut ends = Ends::default();
                    let parts = parts::finish(parts, &mut ends).await?;
                    raw(&self.about.message(service, fields, &parts, &ends))
                }
            });
        }
        Ok(self.about.response(&mut self.head, &output, None))
    }
}

impl About {
    /// A message as the client gets it.
    fn message(
        &mut self,
        service: &Service,
        mut fields: RawObject<'static>,
        parts: &[Box<RawValue>],
        ends: &Ends,
    ) -> RawObject<'static> {
        let mut extension = ends.extension();
        add(&mut self.tokens, ends.tokens());
        if ends.drops_reasoning() {
            self.notes.dropped.say("output.message (reasoning)");
        }
        if ends.all().any(|end| end.truncated) {
            self.status = "incomplete".into();
            self.incomplete = json!({ "reason": "max_output_tokens" });
        }
        service.corrected(&extension);
        self.notes.tell(&mut extension);
        fields.set("content", &parts);
        fields.set("redline", &extension);
        fields
    }

    /// The response with these items; `status` is another one than the last while it is being written.
    fn response(&self, head: &mut Head, output: &[Box<RawValue>], status: Option<&str>) -> RawObject<'static> {
        let mut response = head.object(ID, "response", "created_at");
        response.set("status", &status.unwrap_or(&self.status));
        response.set("error", &());
        response.set("incomplete_details", if status.is_some() { &Value::Null } else { &self.incomplete });
        response.set("output", &output);
        self.echoed.fields().for_each(|(name, value)| response.set(name, &value));
        match status {
            Some(_) => response.set("usage", &()),
            None => response.set("usage", &head.usage(UsageNames::RESPONSE, self.tokens)),
        }
        let mut extension = Map::new();
        self.notes.tell(&mut extension);
        if !extension.is_empty() {
            response.set("redline", &extension);
        }
        response
    }
}
