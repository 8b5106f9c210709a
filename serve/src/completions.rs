//! `/v1/completions`: texts that go on from a prompt, corrected.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::answer::{Answer, AnswerStep, End, Terms};
use super::asked::{MOST_CHOICES, bound, flag, form, n_choices, stops, take_own};
use super::body::TextBody;
use super::chat::{check_choices, check_indices, finish_reason};
use super::correction::Asked;
use super::error::ApiError;
use super::notes::Notes;
use super::parts::add;
use super::raw::{self, RawObject};
use super::rules::{COMPLETION, COMPLETION_CHOICE, Sorter, Verdict};
use super::sse::{self, Events, Left};
use super::state::Service;
use super::upstream_reply::{Head, RawJson, UsageNames, failure, name};
use redline_lab::form::Form;

/// What identifiers of completions begin with.
const ID: &str = "cmpl-";
/// What stands for a prompt without text.
const NO_PROMPT: &str = "[prompt]";

/// A request, taken apart.
struct CompletionRequest {
    upstream: Bytes,
    asked: Asked,
    form: Form,
    stops: Vec<String>,
    prompts: Vec<String>,
    /// Answers to each prompt.
    n: usize,
    model: Option<String>,
    is_stream: bool,
    with_usage: bool,
}

impl CompletionRequest {
    fn take(body: &str) -> Result<Self, ApiError> {
        let mut body = RawObject::parse(body).map_err(ApiError::malformed)?;
        let asked = take_own(&mut body)?;
        let prompts = prompts(body.get("prompt"))?;
        let n = n_choices(&body)?.max(1);
        if prompts.len() * n > MOST_CHOICES {
            let message = format!("{} prompts with n = {n} are more than {MOST_CHOICES} answers", prompts.len());
            return Err(ApiError::invalid("prompt", message));
        }
        if flag(body.get("echo"), "echo")? {
            let message = "texts are written here and not scored: a corrected text has no log-probabilities of the upstream model's; ask \
                           the upstream server itself for `echo`";
            return Err(ApiError::invalid("echo", message));
        }
        let bound = bound(&body, &["max_tokens"])?;
        let is_stream = flag(body.get("stream"), "stream")?;
        let options = body.take("stream_options");
        let options = options.as_deref().and_then(RawObject::of).unwrap_or_default();
        let with_usage = flag(options.get("include_usage"), "stream_options.include_usage")?;
        body.set("stream", &false);
        Ok(Self {
            asked: Asked { bound, ..asked },
            form: form(&body),
            stops: stops(&body)?,
            model: body.get("model").and_then(raw::read),
            upstream: body.to_string().into(),
            prompts,
            n,
            is_stream,
            with_usage,
        })
    }
}

/// One prompt or several.
fn prompts(value: Option<&RawValue>) -> Result<Vec<String>, ApiError> {
    let wrong = || ApiError::invalid("prompt", "prompt must be text or texts; token ids cannot be read by the Aligner");
    let value = value.ok_or_else(wrong)?;
    let prompts = match (raw::text(value), raw::list(value)) {
        (Some(prompt), _) => vec![prompt],
        (None, Some(prompts)) => prompts.into_iter().map(raw::text).collect::<Option<_>>().ok_or_else(wrong)?,
        (None, None) => return Err(wrong()),
    };
    match prompts.len() {
        0 => Err(wrong()),
        _ => Ok(prompts),
    }
}

/// A choice of the upstream server's reply.
struct Choice {
    index: u64,
    text: String,
    finish_reason: Option<String>,
    beside: RawObject<'static>,
    notes: Notes,
}

impl Choice {
    fn read(choice: &RawValue, place: u64, mut sorter: Sorter) -> Result<Self, ApiError> {
        let choice = RawObject::of(choice).ok_or_else(|| ApiError::bad_reply("a choice is no object"))?;
        if let Some(error) = failure(&choice) {
            return Err(error);
        }
        let mut beside = RawObject::default();
        for (name, value) in choice.fields() {
            match sorter.field(COMPLETION_CHOICE, "", name, value)? {
                Verdict::Pass => beside.set(name, &value),
                Verdict::LeaveOut if name == "logprobs" => beside.set(name, &()),
                Verdict::LeaveOut | Verdict::Own(_) => {}
            }
        }
        let index = choice.get("index").map_or(Some(place), raw::read);
        Ok(Self {
            index: index.ok_or_else(|| ApiError::bad_reply("a choice's index is no number"))?,
            text: choice
                .get("text")
                .and_then(raw::text)
                .ok_or_else(|| ApiError::bad_reply("a choice holds no text"))?,
            finish_reason: choice.get("finish_reason").and_then(name),
            beside,
            notes: sorter.notes,
        })
    }

    fn extension(&self, end: &End) -> Map<String, Value> {
        let mut notes = self.notes.clone();
        if end.drops_reasoning {
            notes.dropped.say("text (reasoning)");
        }
        let mut extension = end.extension();
        notes.tell(&mut extension);
        extension
    }

    /// The choice as the client gets it, with this text: all of it, or the last of a stream.
    fn whole(&self, text: &str, end: &End) -> RawObject<'static> {
        let mut whole = RawObject::default();
        whole.set("index", &self.index);
        whole.set("text", &text);
        whole.set("finish_reason", &finish_reason(self.finish_reason.clone(), Some(end)));
        self.beside.fields().for_each(|(name, value)| whole.set(name, &value));
        whole.set("redline", &self.extension(end));
        whole
    }
}

pub(super) async fn complete(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    TextBody(body): TextBody,
) -> Result<Response, ApiError> {
    let started = Instant::now();
    let request = CompletionRequest::take(&body)?;
    drop(body);
    let CompletionRequest { upstream, asked, form, stops, prompts, n, model, is_stream, with_usage } = request;
    let terms = service.terms(asked, form, stops)?;
    let reply = service.ask("/completions", upstream, &headers).await?;
    let read = read(&reply.body, model.as_deref(), service.sorter());
    let (mut head, choices) = read.map_err(|error| service.bad_reply(error))?;
    let mut running = Vec::with_capacity(choices.len());
    for choice in choices {
        let prompt = usize::try_from(choice.index).ok().and_then(|index| prompts.get(index / n));
        let question = prompt.filter(|prompt| !prompt.trim().is_empty()).map_or(NO_PROMPT, String::as_str).to_owned();
        let terms = Terms { asked: Asked { question, ..terms.asked.clone() }, ..terms.clone() };
        running.push((service.answer(&choice.text, &terms).await?, choice));
    }
    if is_stream {
        let stream = Stream { service, head, running, with_usage, started };
        return Ok((reply.headers, sse::stream(move |events| stream.write(events))).into_response());
    }
    let (mut tokens, mut whole) = ([0, 0], Vec::new());
    for (answer, choice) in running {
        let end = answer.finish().await?;
        add(&mut tokens, end.tokens());
        service.corrected(&choice.extension(&end));
        whole.push(choice.whole(&end.text, &end));
    }
    let mut object = head.object(ID, "text_completion", "created");
    object.set("choices", &whole);
    object.set("usage", &head.usage(UsageNames::COMPLETION, tokens));
    service.metrics.first_corrected_token(started.elapsed());
    Ok((reply.headers, RawJson(object.to_string())).into_response())
}

fn read(body: &[u8], model: Option<&str>, mut sorter: Sorter) -> Result<(Head, Vec<Choice>), ApiError> {
    let (object, head) = Head::read(body, COMPLETION, model, &mut sorter)?;
    let choices = object.get("choices").and_then(raw::list).unwrap_or_default();
    check_choices(choices.len())?;
    let read = |(place, choice): (usize, &RawValue)| Choice::read(choice, place as u64, sorter.clone());
    let choices: Vec<Choice> = choices.into_iter().enumerate().map(read).collect::<Result<_, _>>()?;
    check_indices(choices.iter().map(|choice| choice.index))?;
    Ok((head, choices))
}

/// A reply in chunks.
struct Stream {
    service: Arc<Service>,
    head: Head,
    running: Vec<(Answer, Choice)>,
    with_usage: bool,
    started: Instant,
}

impl Stream {
    async fn write(mut self, events: Events) -> Result<(), Left> {
        let mut head = self.head.object(ID, "text_completion", "created");
        let (mut tokens, mut is_first) = ([0, 0], true);
        for (mut answer, choice) in std::mem::take(&mut self.running) {
            let end = loop {
                match events.while_there(answer.next()).await? {
                    Ok(AnswerStep::Done(end)) => break *end,
                    Ok(AnswerStep::Text(text)) => {
                        if std::mem::take(&mut is_first) {
                            self.service.metrics.first_corrected_token(self.started.elapsed());
                        }
                        head.set("choices", &json!([{ "index": choice.index, "text": text, "finish_reason": null }]));
                        events.data(&head).await?;
                    }
                    Err(error) => return events.data(&error.json()).await,
                }
            };
            add(&mut tokens, end.tokens());
            self.service.corrected(&choice.extension(&end));
            head.set("choices", &[choice.whole("", &end)]);
            events.data(&head).await?;
        }
        if self.with_usage {
            head.set("choices", &json!([]));
            head.set("usage", &self.head.usage(UsageNames::COMPLETION, tokens));
            events.data(&head).await?;
        }
        events.done().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_are_texts_and_scores_are_not_made() {
        assert_eq!(CompletionRequest::take(r#"{"prompt":"a"}"#).unwrap().prompts, ["a"]);
        assert_eq!(CompletionRequest::take(r#"{"prompt":["a","b"],"n":2}"#).unwrap().prompts.len(), 2);
        for refused in [
            "{}",
            r#"{"prompt":[]}"#,
            r#"{"prompt":[1,2]}"#,
            r#"{"prompt":[[1,2]]}"#,
            r#"{"prompt":"a","echo":true}"#,
            r#"{"prompt":"a","max_tokens":0}"#,
            r#"{"prompt":"a","n":17}"#,
        ] {
            assert!(CompletionRequest::take(refused).is_err(), "{refused}");
        }
    }
}
