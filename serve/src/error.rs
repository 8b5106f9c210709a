//! Errors as clients of OpenAI's API expect them.

use std::borrow::Cow;

use axum::Json;
use axum::extract::Request;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::dial::DialError;
use super::engine::EngineError;
use super::upstream_error::UpstreamError;

/// What messages about replies begin with.
const BAD_REPLY: &str = "the upstream server's reply cannot be used: ";

/// The code that clients of OpenAI's API know for a text that is too long.
const TOO_LONG: &str = "context_length_exceeded";

/// A request that has no result.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ApiError(Box<Told>);

/// What the client is told.
#[derive(Debug, Clone, PartialEq)]
struct Told {
    status: StatusCode,
    kind: Cow<'static, str>,
    /// A text, or the number that a provider uses.
    code: Value,
    message: String,
    param: Option<String>,
    headers: HeaderMap,
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
        let (kind, code, message) = (kind.into(), code.into(), message.into());
        Self(Box::new(Told { status, kind, code, message, param: None, headers: HeaderMap::new() }))
    }

    /// A request that breaks a rule, at `param`.
    pub(super) fn invalid(param: &str, message: impl Into<String>) -> Self {
        let mut error = Self::new(StatusCode::BAD_REQUEST, "invalid_value", message);
        error.0.param = Some(param.into());
        error
    }

    /// A body that is none.
    pub(super) fn malformed(error: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed_body", format!("the body cannot be read: {error}"))
    }

    /// A text that is longer than the Aligner takes.
    pub(super) fn too_long(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, TOO_LONG, message)
    }

    /// Whether it is one of [`ApiError::too_long`].
    pub(super) fn is_too_long(&self) -> bool {
        self.0.code == TOO_LONG
    }

    /// The same error of an answer that the upstream model gave: the client did not write it.
    pub(super) fn of_answer(self) -> Self {
        let message = format!("the upstream model's answer is too long to be corrected: {}", self.0.message);
        Self::new(StatusCode::BAD_GATEWAY, "answer_too_long", message)
    }

    /// A reply of the upstream server that cannot be used.
    pub(super) fn bad_reply(rule: impl std::fmt::Display) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, "upstream_reply", format!("{BAD_REPLY}{rule}"))
    }

    /// A correction that would not be whole.
    pub(super) fn unfinished(message: &str) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, "correction_unfinished", message)
    }

    pub(super) fn retry_after(self, seconds: u64) -> Self {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from(seconds))]);
        self.with_headers(&headers)
    }

    /// The error with these headers beside its own.
    pub(super) fn with_headers(mut self, headers: &HeaderMap) -> Self {
        self.0.headers.extend(headers.clone());
        self
    }

    /// A method that a path does not take.
    pub(super) fn wrong_method(request: &Request) -> Self {
        let message = format!("{} does not take {}", request.uri().path(), request.method());
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", message)
    }

    pub(super) fn starting() -> Self {
        let message = "the server is starting; ask again in some seconds";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "starting", message).retry_after(2)
    }

    pub(super) fn stopping() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", "the server stops").retry_after(5)
    }

    #[cfg(test)]
    pub(super) fn status(&self) -> StatusCode {
        self.0.status
    }

    pub(super) fn message(&self) -> &str {
        &self.0.message
    }

    /// What is wrong with a reply of the upstream server, or the whole message.
    pub(super) fn rule(&self) -> &str {
        self.message().strip_prefix(BAD_REPLY).unwrap_or(self.message())
    }

    /// The body.
    pub(super) fn json(&self) -> Value {
        let Told { kind, code, message, param, .. } = &*self.0;
        json!({ "error": { "message": message, "type": kind, "param": param, "code": code } })
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = (self.0.status, Json(self.json())).into_response();
        response.headers_mut().extend(self.0.headers);
        response
    }
}

impl From<DialError> for ApiError {
    fn from(error: DialError) -> Self {
        let param = match error {
            DialError::UnknownVector { .. } | DialError::NoVector => "steering.vector",
            DialError::Coefficient { .. } => "steering.coefficient",
            DialError::Layers { .. } => "steering.layers",
            DialError::UnknownOperator { .. } | DialError::OnlyAdded { .. } => "steering.operator",
        };
        Self::invalid(param, error.to_string())
    }
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        let code = match error {
            EngineError::Gate { .. } => "gate_failed",
            EngineError::Model { .. } | EngineError::Broken { .. } => "aligner_failed",
        };
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, code, error.to_string())
    }
}

impl From<UpstreamError> for ApiError {
    /// What concerns the client's request keeps its status; what concerns the upstream server becomes 502 or 504.
    fn from(error: UpstreamError) -> Self {
        let message = error.to_string();
        match error {
            UpstreamError::Timeout { .. } => Self::new(StatusCode::GATEWAY_TIMEOUT, "upstream_timeout", message),
            UpstreamError::Status { status, stated, headers } => {
                // 407 is about the proxy between, of which the client knows nothing
                let passed = (400..500).contains(&status) && status != 407;
                let status = StatusCode::from_u16(status).ok().filter(|_| passed).unwrap_or(StatusCode::BAD_GATEWAY);
                let mut error = Self::new(status, "upstream_error", message).with_headers(&headers);
                let told = &mut error.0;
                stated.code.into_iter().for_each(|code| told.code = code);
                stated.kind.into_iter().for_each(|kind| told.kind = kind.into());
                told.param = stated.param;
                error
            }
            _ => Self::new(StatusCode::BAD_GATEWAY, "upstream_failed", message),
        }
    }
}
