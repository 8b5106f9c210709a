//! Errors as clients of OpenAI's API expect them.

use axum::Json;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::dial::DialError;
use super::engine::EngineError;
use super::upstream::UpstreamError;

/// A request that has no result.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ApiError {
    status: StatusCode,
    kind: &'static str,
    code: &'static str,
    message: String,
    param: Option<String>,
    retry_after: Option<String>,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        let kind = match status.as_u16() {
            401 => "authentication_error",
            403 => "permission_error",
            429 => "rate_limit_error",
            500.. => "server_error",
            _ => "invalid_request_error",
        };
        Self { status, kind, code, message: message.into(), param: None, retry_after: None }
    }

    /// A request that breaks a rule, at `param`.
    pub(super) fn invalid(param: &str, message: impl Into<String>) -> Self {
        Self { param: Some(param.into()), ..Self::new(StatusCode::BAD_REQUEST, "invalid_value", message) }
    }

    /// A body that is none.
    pub(super) fn malformed(error: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed_body", format!("the body cannot be read: {error}"))
    }

    /// A text that is longer than the Aligner takes.
    pub(super) fn too_long(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "context_length_exceeded", message)
    }

    /// A reply of the upstream server that cannot be used.
    pub(super) fn bad_reply(rule: impl std::fmt::Display) -> Self {
        let message = format!("the upstream server's reply cannot be used: {rule}");
        Self::new(StatusCode::BAD_GATEWAY, "upstream_reply", message)
    }

    pub(super) fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds.to_string()), ..self }
    }

    pub(super) fn starting() -> Self {
        let message = "the server is starting: its direction is being extracted; ask again in some seconds";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "starting", message).retry_after(2)
    }

    pub(super) fn stopping() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the server stops").retry_after(5)
    }

    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// The body.
    pub(super) fn json(&self) -> Value {
        json!({
            "error": { "message": self.message, "type": self.kind, "param": self.param, "code": self.code }
        })
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.json())).into_response();
        if let Some(value) = self.retry_after.as_deref().and_then(|text| HeaderValue::from_str(text).ok()) {
            response.headers_mut().insert(RETRY_AFTER, value);
        }
        response
    }
}

impl From<DialError> for ApiError {
    fn from(error: DialError) -> Self {
        let param = match error {
            DialError::UnknownVector { .. } | DialError::NoVector => "steering.vector",
            DialError::Coefficient { .. } => "steering.coefficient",
            DialError::Layers { .. } => "steering.layers",
            DialError::UnknownOperator { .. } => "steering.operator",
        };
        Self::invalid(param, error.to_string())
    }
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "aligner_failed", error.to_string())
    }
}

impl From<UpstreamError> for ApiError {
    /// What concerns the client's request keeps its status; what concerns the upstream server becomes 502 or 504.
    fn from(error: UpstreamError) -> Self {
        let message = error.to_string();
        match error {
            UpstreamError::Timeout { .. } => Self::new(StatusCode::GATEWAY_TIMEOUT, "upstream_timeout", message),
            UpstreamError::Status { status, retry_after, .. } => {
                let passed = matches!(status, 400 | 401 | 403 | 404 | 409 | 413 | 415 | 422 | 429);
                let status = StatusCode::from_u16(status).ok().filter(|_| passed).unwrap_or(StatusCode::BAD_GATEWAY);
                Self { retry_after, ..Self::new(status, "upstream_error", message) }
            }
            _ => Self::new(StatusCode::BAD_GATEWAY, "upstream_failed", message),
        }
    }
}
