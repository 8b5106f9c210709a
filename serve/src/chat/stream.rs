//! A corrected chat reply in chunks, as OpenAI's API streams them.
//!
//! Nothing streams before the Aligner has seen the whole answer. Whatever a whole reply holds comes in a stream too.

use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};

use super::super::answer::AnswerStep;
use super::super::error::ApiError;
use super::super::parts::Ends;
use super::super::raw::RawObject;
use super::super::sse::{Events, Left};
use super::super::state::Service;
use super::super::upstream_reply::UsageNames;
use super::{Finished, ID, Running, RunningChoice, Slot, add, delta};

/// A reply to stream.
pub(super) struct Reply {
    pub(super) service: Arc<Service>,
    pub(super) running: Running,
    pub(super) with_usage: bool,
    pub(super) started: Instant,
}

/// Where a choice's chunks go.
struct Chunks<'a> {
    events: &'a Events,
    service: &'a Service,
    head: RawObject<'static>,
    with_usage: bool,
    started: Instant,
    is_first: bool,
}

impl Reply {
    pub(super) async fn write(self, events: Events) -> Result<(), Left> {
        let Running { mut head, choices } = self.running;
        let mut chunks = Chunks {
            events: &events,
            service: &self.service,
            head: head.object(ID, "chat.completion.chunk", "created"),
            with_usage: self.with_usage,
            started: self.started,
            is_first: true,
        };
        let mut tokens = [0, 0];
        for choice in choices {
            match chunks.choice(choice).await? {
                Ok(more) => add(&mut tokens, more),
                // no `[DONE]`: what came is not the whole
                Err(error) => return events.data(&error.json()).await,
            }
        }
        if self.with_usage {
            let usage = head.usage(UsageNames::COMPLETION, tokens);
            chunks.head.set("choices", &json!([]));
            chunks.head.set("usage", &usage);
            events.data(&chunks.head).await?;
        }
        events.done().await
    }
}

impl Chunks<'_> {
    /// Streams a choice; tokens of the Aligner, read and written.
    async fn choice(&mut self, mut choice: RunningChoice) -> Result<Result<[usize; 2], ApiError>, Left> {
        let index = choice.index;
        let mut sent: Vec<&str> = Vec::new();
        let mut content = None;
        if let Slot::Text(answer) = &mut choice.content {
            let end = loop {
                match self.events.while_there(answer.next()).await? {
                    Ok(AnswerStep::Text(text)) => {
                        match sent.is_empty() {
                            true => self.delta(index, &json!({ "role": "assistant", "content": text })).await?,
                            false => self.delta(index, &json!({ "content": text })).await?,
                        }
                        sent = vec!["role", "content"];
                    }
                    Ok(AnswerStep::Done(end)) => break *end,
                    Err(error) => return Ok(Err(error)),
                }
            };
            choice.message.set("content", &end.text);
            content = Some(end);
        }
        let rest = async {
            match content {
                Some(end) => {
                    let mut ends = Ends::default();
                    ends.add("text", end);
                    choice.close(ends).await
                }
                None => choice.finish().await,
            }
        };
        let finished = match self.events.while_there(rest).await? {
            Ok(finished) => finished,
            Err(error) => return Ok(Err(error)),
        };
        let rest = delta(&finished.message, &sent);
        if !rest.is_empty() {
            self.delta(index, &rest).await?;
        }
        self.last(index, &finished).await?;
        Ok(Ok(finished.tokens))
    }

    async fn delta(&mut self, index: u64, delta: &impl serde::Serialize) -> Result<(), Left> {
        if std::mem::take(&mut self.is_first) {
            self.service.metrics.first_corrected_token(self.started.elapsed());
        }
        let mut choice = RawObject::default();
        choice.set("index", &index);
        choice.set("delta", delta);
        choice.set("finish_reason", &Value::Null);
        self.chunk(&choice).await
    }

    async fn last(&mut self, index: u64, finished: &Finished) -> Result<(), Left> {
        self.service.corrected(&finished.extension);
        let mut choice = RawObject::default();
        choice.set("index", &index);
        choice.set("delta", &json!({}));
        choice.set("finish_reason", &finished.finish_reason);
        finished.beside.fields().for_each(|(name, value)| choice.set(name, &value));
        choice.set("redline", &finished.extension);
        self.chunk(&choice).await
    }

    async fn chunk(&mut self, choice: &RawObject<'_>) -> Result<(), Left> {
        self.head.set("choices", &[choice]);
        if self.with_usage {
            self.head.set("usage", &Value::Null);
        }
        self.events.data(&self.head).await
    }
}
