//! A corrected chat reply in chunks, as OpenAI's API streams them.
//!
//! Nothing streams before the Aligner has seen the whole answer.

use std::sync::Arc;
use std::time::Instant;

use serde_json::{Value, json};

use super::chat::{Choice, Outcome, Outcomes, Work, let_through};
use super::correction::Step;
use super::error::ApiError;
use super::sse::{Events, Left};
use super::state::Service;

/// A reply to stream.
pub(super) struct Reply {
    pub(super) service: Arc<Service>,
    /// The upstream server's reply, which the chunks take their id and model from.
    pub(super) head: Value,
    pub(super) choices: Vec<Choice>,
    pub(super) with_usage: bool,
    pub(super) started: Instant,
}

impl Reply {
    pub(super) async fn write(mut self, events: Events) -> Result<(), Left> {
        let mut is_first = true;
        for (index, choice) in std::mem::take(&mut self.choices).into_iter().enumerate() {
            if let Err(error) = self.choice(index, choice, &mut is_first, &events).await? {
                // no `[DONE]`: what came is not the whole
                return events.data(&error.json());
            }
        }
        if self.with_usage {
            let usage = self.head["usage"].clone();
            events.data(&self.chunk(json!([]), usage))?;
        }
        events.raw("data: [DONE]\n\n".into())
    }

    async fn choice(
        &self,
        index: usize,
        choice: Choice,
        is_first: &mut bool,
        events: &Events,
    ) -> Result<Result<(), ApiError>, Left> {
        let mut delta = |delta: Value| {
            if std::mem::take(is_first) {
                self.service.metrics.first_corrected_token(self.started.elapsed());
            }
            events.data(&self.chunk(json!([{ "index": index, "delta": delta, "finish_reason": null }]), Value::Null))
        };
        let Choice { answer, work } = choice;
        let mut has_text = false;
        let result = match work {
            Work::Skipped => Outcomes::Skipped,
            Work::Uncorrected(reason) => Outcomes::Uncorrected(reason),
            Work::Pending(mut pending) => loop {
                match events.while_there(pending.next()).await? {
                    Ok(Step::Text(text)) => {
                        match has_text {
                            true => delta(json!({ "content": text }))?,
                            false => delta(json!({ "role": "assistant", "content": text }))?,
                        }
                        has_text = true;
                    }
                    Ok(Step::Column(_)) => {}
                    Ok(Step::Done(correction)) => break Outcomes::Corrected(correction),
                    // what was sent cannot be taken back
                    Err(error) if has_text => return Ok(Err(error)),
                    Err(error) => match let_through(&self.service, error) {
                        Ok(reason) => break Outcomes::Uncorrected(reason),
                        Err(error) => return Ok(Err(error)),
                    },
                }
            },
        };
        let upstream = &self.head["choices"][index];
        match &result {
            Outcomes::Uncorrected(_) => delta(json!({ "role": "assistant", "content": answer }))?,
            Outcomes::Skipped => delta(whole_delta(&upstream["message"]))?,
            Outcomes::Corrected(_) => {}
        }
        let outcome = Outcome { answer, result };
        let reason = outcome.finish_reason(&upstream["finish_reason"]);
        let last = json!([{ "index": index, "delta": {}, "finish_reason": reason, "redline": outcome.extension() }]);
        events.data(&self.chunk(last, Value::Null))?;
        Ok(Ok(()))
    }

    fn chunk(&self, choices: Value, usage: Value) -> Value {
        let mut chunk = json!({
            "id": self.head["id"],
            "object": "chat.completion.chunk",
            "created": self.head["created"],
            "model": self.head["model"],
            "choices": choices,
        });
        if self.with_usage {
            chunk["usage"] = usage;
        }
        chunk
    }
}

/// A message as one delta; tool calls are numbered, as they are in streams.
fn whole_delta(message: &Value) -> Value {
    let mut delta = message.clone();
    if let Some(calls) = delta.get_mut("tool_calls").and_then(Value::as_array_mut) {
        for (index, call) in calls.iter_mut().enumerate().filter(|(_, call)| call.is_object()) {
            call["index"] = index.into();
        }
    }
    delta
}
