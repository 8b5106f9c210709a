//! `/v1/chat/completions`: the upstream model's answer, corrected.

mod reply;
mod request;
mod stream;

use std::sync::Arc;
use std::time::Instant;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use self::reply::Choice;
use self::request::ChatRequest;
use super::answer::{Answer, End, Terms};
use super::body::TextBody;
use super::error::ApiError;
use super::notes::Notes;
use super::parts::{self, Ends, Part, Saying, add};
use super::raw::{RawObject, raw};
use super::sse;
use super::state::Service;
use super::upstream_reply::{Head, RawJson, UsageNames};

pub(super) use self::reply::{ChatReply, Content, check_choices, check_indices};

/// What identifiers of chat completions begin with.
const ID: &str = "chatcmpl-";

pub(super) async fn complete(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    TextBody(body): TextBody,
) -> Result<Response, ApiError> {
    let started = Instant::now();
    let ChatRequest { upstream, asked, form, stops, model, is_stream, with_usage } = ChatRequest::take(&body)?;
    drop(body);
    let terms = service.terms(asked, form, stops)?;
    let reply = service.ask("/chat/completions", upstream, &headers).await?;
    let parsed =
        ChatReply::read(&reply.body, model.as_deref(), service.sorter()).map_err(|error| service.bad_reply(error))?;
    let headers = reply.headers;
    let running = Running::begin(&service, parsed, &terms).await?;
    if is_stream {
        let reply = stream::Reply { service, running, with_usage, started };
        return Ok((headers, sse::stream(move |events| reply.write(events))).into_response());
    }
    let whole = running.finish(&service).await?;
    service.metrics.first_corrected_token(started.elapsed());
    Ok((headers, RawJson(whole)).into_response())
}

/// A reply whose texts are on their way through the Aligner.
pub(super) struct Running {
    head: Head,
    choices: Vec<RunningChoice>,
}

/// One of its choices.
struct RunningChoice {
    index: u64,
    message: RawObject<'static>,
    content: Slot,
    refusal: Option<Answer>,
    finish_reason: Option<String>,
    beside: RawObject<'static>,
    notes: Notes,
}

/// A message's content on its way.
enum Slot {
    None,
    Text(Box<Answer>),
    Parts(Vec<Part<Saying>>),
    Unseen,
}

/// A choice as the client gets it.
struct Finished {
    message: RawObject<'static>,
    finish_reason: Value,
    beside: RawObject<'static>,
    extension: Map<String, Value>,
    tokens: [usize; 2],
}

impl Running {
    async fn begin(service: &Arc<Service>, reply: ChatReply, terms: &Terms) -> Result<Self, ApiError> {
        let mut choices = Vec::with_capacity(reply.choices.len());
        for choice in reply.choices {
            choices.push(RunningChoice::begin(service, choice, terms).await?);
        }
        Ok(Self { head: reply.head, choices })
    }

    async fn finish(mut self, service: &Service) -> Result<String, ApiError> {
        let (mut tokens, mut choices) = ([0, 0], Vec::with_capacity(self.choices.len()));
        for choice in self.choices {
            let index = choice.index;
            let finished = choice.finish().await?;
            add(&mut tokens, finished.tokens);
            service.corrected(&finished.extension);
            let mut whole = RawObject::default();
            whole.set("index", &index);
            whole.set("message", &finished.message);
            whole.set("finish_reason", &finished.finish_reason);
            finished.beside.fields().for_each(|(name, value)| whole.set(name, &value));
            whole.set("redline", &finished.extension);
            choices.push(whole);
        }
        let mut object = self.head.object(ID, "chat.completion", "created");
        object.set("choices", &choices);
        object.set("usage", &self.head.usage(UsageNames::COMPLETION, tokens));
        Ok(object.to_string())
    }
}

impl RunningChoice {
    async fn begin(service: &Arc<Service>, choice: Choice, terms: &Terms) -> Result<Self, ApiError> {
        let Choice { index, message, content, refusal, finish_reason, beside, notes } = choice;
        let content = match content {
            Content::Text(text) if text.trim().is_empty() => Slot::None,
            Content::None => Slot::None,
            Content::Text(text) => Slot::Text(Box::new(service.answer(&text, terms).await?)),
            Content::Parts(parts) => Slot::Parts(parts.begin(service, terms).await?),
            Content::Unseen => Slot::Unseen,
        };
        let refusal = match refusal {
            Some(text) => Some(service.answer(&text, terms).await?),
            None => None,
        };
        Ok(Self { index, message, content, refusal, finish_reason, beside, notes })
    }

    /// All of it, at once.
    async fn finish(mut self) -> Result<Finished, ApiError> {
        let mut ends = Ends::default();
        match std::mem::replace(&mut self.content, Slot::None) {
            Slot::None | Slot::Unseen => {}
            Slot::Text(answer) => {
                let end = answer.finish().await?;
                self.message.set("content", &end.text);
                ends.add("text", end);
            }
            Slot::Parts(parts) => {
                let parts = parts::finish(parts, &mut ends).await?;
                self.message.set("content", &parts);
            }
        }
        self.close(ends).await
    }

    /// The same once the content is done and in its place.
    async fn close(mut self, mut ends: Ends) -> Result<Finished, ApiError> {
        if let Some(answer) = self.refusal.take() {
            let end = answer.finish().await?;
            self.message.set("refusal", &end.text);
            ends.add("refusal", end);
        }
        let mut extension = ends.extension();
        if ends.drops_reasoning() {
            self.notes.dropped.say("message.content (reasoning)");
        }
        self.notes.tell(&mut extension);
        let finish_reason = finish_reason(self.finish_reason, ends.main());
        Ok(Finished { message: self.message, finish_reason, beside: self.beside, extension, tokens: ends.tokens() })
    }
}

/// Why an answer ended: at a limit, at a stop text, or as upstream. Calls of tools stay the reason whatever the text.
pub(super) fn finish_reason(upstream: Option<String>, end: Option<&End>) -> Value {
    match (upstream, end) {
        (Some(reason), _) if reason.ends_with("_calls") || reason.ends_with("_call") => reason.into(),
        (_, Some(end)) if end.truncated => "length".into(),
        (_, Some(end)) if end.stopped => "stop".into(),
        (reason, _) => reason.into(),
    }
}

/// A message as a delta: tool calls are numbered, as they are in streams; what was sent before is left out.
fn delta(message: &RawObject<'_>, sent: &[&str]) -> RawObject<'static> {
    let mut delta = RawObject::default();
    for (name, value) in message.fields().filter(|(name, _)| !sent.contains(name)) {
        match super::raw::list(value) {
            Some(calls) if name == "tool_calls" => delta.set(name, &numbered(&calls)),
            _ => delta.set(name, &value),
        }
    }
    delta
}

fn numbered(calls: &[&serde_json::value::RawValue]) -> Vec<Box<serde_json::value::RawValue>> {
    let number = |(index, call): (usize, &&serde_json::value::RawValue)| match RawObject::of(call) {
        Some(mut object) => {
            object.set("index", &index);
            raw(&object)
        }
        None => (*call).to_owned(),
    };
    calls.iter().enumerate().map(number).collect()
}
