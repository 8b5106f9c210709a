//! `/v1/correct` and `/v1/scan`: the Aligner alone, without upstream model.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::body::JsonBody;
use super::correction::{Asked, Correction, Pending, Step, begin, scan as scan_text};
use super::dial::SteeringRequest;
use super::error::ApiError;
use super::sse::{Events, Left, stream};
use super::state::Service;

/// Output tokens of a scan unless a request says otherwise.
const SCAN_TOKENS: usize = redline_probe::scan::SCAN_TOKENS;
/// Most of them.
const MOST_SCAN_TOKENS: usize = 1024;

/// Body of `/v1/correct`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CorrectRequest {
    question: String,
    answer: String,
    #[serde(default)]
    steering: SteeringRequest,
    feedback: Option<String>,
    max_tokens: Option<usize>,
    #[serde(default)]
    stream: bool,
    #[serde(default)]
    scan: bool,
}

pub(super) async fn correct(
    State(service): State<Arc<Service>>,
    JsonBody(request): JsonBody<CorrectRequest>,
) -> Result<Response, ApiError> {
    let CorrectRequest { question, answer, steering, feedback, max_tokens, stream: is_stream, scan } = request;
    let asked = Asked { question, answer, steering, feedback, max_tokens, scan, ..Asked::default() };
    let pending = begin(&service, asked).await?;
    if is_stream {
        return Ok(stream(move |events| write(service, pending, events)));
    }
    let correction = pending.finish().await?;
    Ok(Json(whole(&service, &correction)).into_response())
}

/// `text` and `column` events as they come, then `done` or `error`.
async fn write(service: Arc<Service>, mut pending: Pending, events: Events) -> Result<(), Left> {
    loop {
        match events.while_there(pending.next()).await? {
            Ok(Step::Text(text)) => events.event("text", &json!({ "text": text })).await?,
            Ok(Step::Column(column)) => events.event("column", &json!(column)).await?,
            Ok(Step::Done(correction)) => return events.event("done", &whole(&service, &correction)).await,
            Err(error) => return events.event("error", &error.json()).await,
        }
    }
}

fn whole(service: &Service, correction: &Correction) -> Value {
    let mut value = json!(correction);
    value["object"] = "correction".into();
    value["model"] = service.name.as_str().into();
    value
}

/// Body of `/v1/scan`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScanRequest {
    question: String,
    answer: String,
    /// The text whose tokens are scanned; the answer itself when missing.
    correction: Option<String>,
    vector: Option<String>,
    tokens: Option<usize>,
}

pub(super) async fn scan(
    State(service): State<Arc<Service>>,
    JsonBody(request): JsonBody<ScanRequest>,
) -> Result<Json<Value>, ApiError> {
    let ScanRequest { question, answer, correction, vector, tokens } = request;
    let tokens = tokens.unwrap_or(SCAN_TOKENS);
    if !(1..=MOST_SCAN_TOKENS).contains(&tokens) {
        return Err(ApiError::invalid("tokens", format!("tokens is {tokens}, not within 1 and {MOST_SCAN_TOKENS}")));
    }
    let output = correction.unwrap_or_else(|| answer.clone());
    let scan = scan_text(&service, [question, answer, output], vector.as_deref(), tokens).await?;
    let mut value = json!(scan);
    value["object"] = "scan".into();
    value["model"] = service.name.as_str().into();
    Ok(Json(value))
}
