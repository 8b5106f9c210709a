//! `/v1/chat/completions`: the upstream model's answer, corrected.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::body::JsonBody;
use super::chat_stream;
use super::conversation::Conversation;
use super::correction::{Asked, Correction, Pending, begin, check};
use super::dial::SteeringRequest;
use super::error::ApiError;
use super::options::FailMode;
use super::sse::stream;
use super::state::Service;

/// Choices that one request may ask for.
const MOST_CHOICES: usize = 16;

/// A chat request, taken apart: what goes upstream, and what is for the Aligner.
struct ChatRequest {
    upstream: Map<String, Value>,
    asked: Asked,
    is_stream: bool,
    with_usage: bool,
}

impl ChatRequest {
    fn take(mut body: Map<String, Value>) -> Result<Self, ApiError> {
        let messages = body.get("messages").unwrap_or(&Value::Null);
        let conversation = Conversation::read(messages);
        let question = conversation.map_err(|error| ApiError::invalid("messages", error.to_string()))?.question;
        let steering = match body.remove("steering") {
            None | Some(Value::Null) => SteeringRequest::default(),
            Some(value) => {
                serde_json::from_value(value).map_err(|error| ApiError::invalid("steering", error.to_string()))?
            }
        };
        let feedback = match body.remove("feedback") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text),
            Some(_) => return Err(ApiError::invalid("feedback", "feedback must be text")),
        };
        let scan = flag(body.remove("scan"), "scan")?;
        let is_stream = flag(body.remove("stream"), "stream")?;
        let options = body.remove("stream_options").unwrap_or_default();
        let with_usage = flag(options.get("include_usage").cloned(), "stream_options.include_usage")?;
        if body.get("n").and_then(Value::as_u64).is_some_and(|n| n > MOST_CHOICES as u64) {
            return Err(ApiError::invalid("n", format!("n is more than {MOST_CHOICES}")));
        }
        body.insert("stream".into(), false.into());
        let asked = Asked { question, steering, feedback, scan, ..Asked::default() };
        Ok(Self { upstream: body, asked, is_stream, with_usage })
    }
}

fn flag(value: Option<Value>, param: &str) -> Result<bool, ApiError> {
    match value {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(flag)) => Ok(flag),
        Some(_) => Err(ApiError::invalid(param, format!("{param} must be true or false"))),
    }
}

pub(super) async fn complete(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    JsonBody(body): JsonBody<Map<String, Value>>,
) -> Result<Response, ApiError> {
    let started = Instant::now();
    let ChatRequest { upstream, asked, is_stream, with_usage } = ChatRequest::take(body)?;
    // what the Aligner will refuse is said before the upstream model works for nothing
    match service.dials() {
        Ok(_) => check(&service, &asked)?,
        Err(starting) if service.options.fail == FailMode::Closed => return Err(starting),
        Err(_) => {}
    }
    let reply = ask(&service, upstream, &headers).await?;
    let choices = Choice::begin_all(&service, &reply, &asked).await?;
    if is_stream {
        let reply = chat_stream::Reply { service, head: reply, choices, with_usage, started };
        return Ok(stream(move |events| reply.write(events)));
    }
    let mut reply = reply;
    for (index, choice) in choices.into_iter().enumerate() {
        let outcome = choice.finish(&service).await?;
        outcome.put_into(&mut reply["choices"][index]);
    }
    service.metrics.first_corrected_token(started.elapsed());
    Ok(Json(reply).into_response())
}

/// The upstream model's reply, whose `choices` are a list of objects.
async fn ask(service: &Service, body: Map<String, Value>, headers: &HeaderMap) -> Result<Value, ApiError> {
    let Some(upstream) = &service.upstream else {
        let message = "this server has no upstream model; start it with --upstream URL, or correct answers of your own \
                       with /v1/correct";
        return Err(ApiError::new(StatusCode::NOT_FOUND, "no_upstream", message));
    };
    let started = Instant::now();
    let body = Value::Object(body).to_string().into();
    let asked = upstream.post("/chat/completions", body, &service.upstream_headers(headers)).await;
    service.metrics.upstream(started.elapsed());
    let reply: Value = asked.and_then(|reply| reply.json()).map_err(|error| service.upstream_error(error))?;
    let choices = reply["choices"].as_array();
    let is_whole = choices.is_some_and(|choices| {
        (1..=MOST_CHOICES).contains(&choices.len()) && choices.iter().all(|choice| choice["message"].is_object())
    });
    if !is_whole {
        service.metrics.upstream_error("reply");
        let message = "the upstream server's reply cannot be used: it holds no choices with messages";
        return Err(ApiError::new(StatusCode::BAD_GATEWAY, "upstream_failed", message));
    }
    Ok(reply)
}

/// One of the upstream model's answers, and what becomes of it.
pub(super) struct Choice {
    pub(super) answer: String,
    pub(super) work: Work,
}

/// What is done about an answer.
pub(super) enum Work {
    /// It is being corrected.
    Pending(Box<Pending>),
    /// It holds no text: it calls tools, or refuses.
    Skipped,
    /// It stays as it is, since the Aligner failed and the server lets that through.
    Uncorrected(String),
}

/// What became of an answer.
pub(super) struct Outcome {
    pub(super) answer: String,
    pub(super) result: Outcomes,
}

pub(super) enum Outcomes {
    Corrected(Box<Correction>),
    Skipped,
    Uncorrected(String),
}

impl Choice {
    async fn begin_all(service: &Arc<Service>, reply: &Value, asked: &Asked) -> Result<Vec<Self>, ApiError> {
        let mut choices = Vec::new();
        for choice in reply["choices"].as_array().map(Vec::as_slice).unwrap_or_default() {
            let answer = choice["message"]["content"].as_str().unwrap_or_default().to_owned();
            let work = match answer.trim().is_empty() {
                true => Work::Skipped,
                false => match begin(service, Asked { answer: answer.clone(), ..asked.clone() }).await {
                    Ok(pending) => Work::Pending(Box::new(pending)),
                    Err(error) => Work::Uncorrected(let_through(service, error)?),
                },
            };
            choices.push(Self { answer, work });
        }
        Ok(choices)
    }

    async fn finish(self, service: &Service) -> Result<Outcome, ApiError> {
        let result = match self.work {
            Work::Skipped => Outcomes::Skipped,
            Work::Uncorrected(reason) => Outcomes::Uncorrected(reason),
            Work::Pending(pending) => match pending.finish().await {
                Ok(correction) => Outcomes::Corrected(Box::new(correction)),
                Err(error) => Outcomes::Uncorrected(let_through(service, error)?),
            },
        };
        Ok(Outcome { answer: self.answer, result })
    }
}

/// The reason why an answer stays uncorrected, where the server lets it through.
pub(super) fn let_through(service: &Service, error: ApiError) -> Result<String, ApiError> {
    match service.options.fail {
        FailMode::Closed => Err(error),
        FailMode::Open => {
            service.metrics.uncorrected();
            Ok(error.message().to_owned())
        }
    }
}

impl Outcome {
    /// The extension field.
    pub(super) fn extension(&self) -> Value {
        match &self.result {
            Outcomes::Skipped => json!({ "status": "skipped" }),
            Outcomes::Uncorrected(reason) => {
                json!({ "status": "uncorrected", "reason": reason, "answer": self.answer })
            }
            Outcomes::Corrected(correction) => {
                let mut value = json!(correction);
                if let Some(fields) = value.as_object_mut() {
                    // it is the message's content
                    fields.remove("correction");
                }
                value["status"] = "corrected".into();
                value["answer"] = self.answer.as_str().into();
                value
            }
        }
    }

    /// Why the choice ended: cut by the Aligner's limit, or as upstream.
    pub(super) fn finish_reason(&self, upstream: &Value) -> Value {
        match &self.result {
            Outcomes::Corrected(correction) if correction.truncated => "length".into(),
            _ => upstream.clone(),
        }
    }

    fn put_into(&self, choice: &mut Value) {
        choice["redline"] = self.extension();
        if let Outcomes::Corrected(correction) = &self.result {
            choice["message"]["content"] = correction.correction.as_str().into();
            // probabilities of a text that is not there any more
            choice["logprobs"] = Value::Null;
        }
        choice["finish_reason"] = self.finish_reason(&choice["finish_reason"]);
    }
}
