//! What the server says of itself.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use percent_encoding::percent_decode_str;
use redline_steer::Operator;
use serde_json::{Value, json};

use super::dial::{Dial, DialVector};
use super::error::ApiError;
use super::options::FailMode;
use super::state::Service;

pub(super) async fn health() -> Json<Value> {
    Json(json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") }))
}

/// The description of this server's API.
pub(super) async fn openapi() -> Response {
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-cache")], include_str!("../../docs/openapi.json"))
        .into_response()
}

/// What is said where all places for connections are at work.
pub(super) async fn busy() -> Response {
    let message = "every place for a connection is at work (--max-connections)";
    let error = ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_connections", message).retry_after(1);
    let mut response = error.into_response();
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

pub(super) async fn ready(State(service): State<Arc<Service>>) -> Response {
    let not_ready = |status: &str| {
        (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "2")], Json(json!({ "status": status }))).into_response()
    };
    match service.is_ready() {
        _ if service.is_stopping() => not_ready("stopping"),
        false => not_ready("starting"),
        true => Json(json!({ "status": "ready" })).into_response(),
    }
}

pub(super) async fn metrics(State(service): State<Arc<Service>>) -> Response {
    let text = service.metrics.text(service.queue.len());
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// The Aligner, where there is no upstream server with models: all of them, or the one of a name, as it stands in a path.
pub(super) fn models(service: &Service, request: &Request, name: &str) -> Result<Response, ApiError> {
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        return Err(ApiError::wrong_method(request));
    }
    let aligner = json!({ "id": service.name, "object": "model", "created": 0, "owned_by": "redline" });
    let Some(name) = name.strip_prefix('/').filter(|name| !name.is_empty()) else {
        return Ok(Json(json!({ "object": "list", "data": [aligner] })).into_response());
    };
    let name = percent_decode_str(name).decode_utf8_lossy();
    if name != service.name.as_str() {
        let message = format!("there is no model `{name}`");
        return Err(ApiError::new(StatusCode::NOT_FOUND, "model_not_found", message));
    }
    Ok(Json(aligner).into_response())
}

/// Everything a client needs for a dial.
pub(super) async fn steering(State(service): State<Arc<Service>>) -> Result<Json<Value>, ApiError> {
    let dials = service.dials()?;
    let vectors: Vec<Value> = dials.all().iter().map(vector).collect();
    let gate = service.options.gate.as_ref();
    let gate = gate.map(|gate| json!({ "kind": gate.kind(), "threshold": gate.threshold() }));
    let route = dials.routing().map(|routing| {
        let one = |(vector, coefficient): (&str, f32)| json!({ "vector": vector, "coefficient": coefficient });
        routing.candidates().map(one).collect::<Vec<_>>()
    });
    Ok(Json(json!({
        "model": service.name,
        "has_upstream": service.upstream.is_some(),
        "takes_feedback": service.aligner.template.takes_instruction(),
        "fail": match service.options.fail { FailMode::Closed => "closed", FailMode::Open => "open" },
        "operators": Operator::ALL.map(Operator::name),
        "vectors": vectors,
        "gate": gate,
        "route": route,
    })))
}

fn vector(dial: &Dial) -> Value {
    let (unit, has_scan) = match &dial.vector {
        DialVector::Reading(reading, unit) => (unit.to_string(), reading.calibration.is_some()),
        DialVector::Control(_) => ("file".into(), false),
    };
    json!({
        "name": dial.name,
        "coefficient": dial.coefficient,
        "per_request": dial.policy.is_some(),
        "copy_bias": dial.copy_bias,
        "unit": unit,
        "layers": dial.layers.to_string(),
        "range": dial.range.to_string(),
        "has_scan": has_scan,
        "measured": dial.measured,
    })
}
