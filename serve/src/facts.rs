//! What the server says of itself.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
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
    let not_ready = |body: Value| (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "2")], Json(body)).into_response();
    match service.preparing() {
        _ if service.is_stopping() => not_ready(json!({ "status": "stopping", "progress": 1.0 })),
        Some(progress) => not_ready(json!({ "status": "starting", "progress": progress })),
        None => Json(json!({ "status": "ready", "progress": 1.0 })).into_response(),
    }
}

pub(super) async fn metrics(State(service): State<Arc<Service>>) -> Response {
    let text = service.metrics.text(service.queue.len());
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response()
}

/// The upstream server's models, whose names chat requests hold; without one, the Aligner.
pub(super) async fn models(State(service): State<Arc<Service>>, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    match &service.upstream {
        Some(upstream) => {
            let reply = upstream.get("/models", &service.upstream_headers(&headers)).await;
            let list = reply.and_then(|reply| reply.json());
            Ok(Json(list.map_err(|error| service.upstream_error(error))?))
        }
        None => Ok(Json(json!({ "object": "list", "data": [aligner(&service)] }))),
    }
}

pub(super) async fn model(
    State(service): State<Arc<Service>>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let Json(list) = models(State(service), headers).await?;
    let models = list["data"].as_array().map(Vec::as_slice).unwrap_or_default();
    let found = models.iter().find(|model| model["id"].as_str() == Some(&name)).cloned();
    let missing = || ApiError::new(StatusCode::NOT_FOUND, "model_not_found", format!("there is no model `{name}`"));
    found.map(Json).ok_or_else(missing)
}

fn aligner(service: &Service) -> Value {
    json!({ "id": service.aligner.name, "object": "model", "created": 0, "owned_by": "redline" })
}

/// Everything a client needs for a dial.
pub(super) async fn steering(State(service): State<Arc<Service>>) -> Result<Json<Value>, ApiError> {
    let vectors: Vec<Value> = service.dials()?.all().iter().map(vector).collect();
    Ok(Json(json!({
        "model": service.aligner.name,
        "has_upstream": service.upstream.is_some(),
        "takes_feedback": service.aligner.template.takes_instruction(),
        "fail": match service.options.fail { FailMode::Closed => "closed", FailMode::Open => "open" },
        "operators": Operator::ALL.map(Operator::name),
        "vectors": vectors,
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
        "unit": unit,
        "layers": dial.layers.to_string(),
        "range": dial.range.to_string(),
        "has_scan": has_scan,
        "measured": dial.measured,
    })
}
