//! Bodies of requests: JSON, within the limits, in time.

use std::ops::Deref;
use std::sync::Arc;

use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use tokio::sync::OwnedSemaphorePermit;

use super::error::ApiError;
use super::state::Service;

/// A body that was parsed.
pub(super) struct JsonBody<T>(pub(super) T);

/// A body of text, whose memory is accounted for as long as it is there.
pub(super) struct TextBody(pub(super) Text);

/// The text of a body.
pub(super) struct Text {
    bytes: Bytes,
    _held: Option<OwnedSemaphorePermit>,
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        // it was checked when it was read
        std::str::from_utf8(&self.bytes).unwrap_or_default()
    }
}

impl FromRequest<Arc<Service>> for TextBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, service: &Arc<Service>) -> Result<Self, ApiError> {
        read(request, service).await.map(Self)
    }
}

impl<T: DeserializeOwned> FromRequest<Arc<Service>> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, service: &Arc<Service>) -> Result<Self, ApiError> {
        let text = read(request, service).await?;
        serde_json::from_str(&text).map(Self).map_err(ApiError::malformed)
    }
}

async fn read(request: Request, service: &Service) -> Result<Text, ApiError> {
    check_kind(request.headers())?;
    let most = service.options.most_body_bytes;
    let length = length(request.headers(), most)?;
    let limit = service.options.read_timeout;
    let held = tokio::time::timeout(limit, service.memory.hold(length)).await.map_err(|_| {
        let message = "the server holds as many large bodies as its memory allows";
        ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "busy", message).retry_after(5)
    })?;
    let read = tokio::time::timeout(limit, to_bytes(request.into_body(), most)).await;
    let late = || ApiError::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", "the body did not arrive in time");
    let bytes = read.map_err(|_| late())?.map_err(|error| body_error(&error, most))?;
    let bytes = match bytes.strip_prefix(b"\xef\xbb\xbf") {
        Some(rest) => bytes.slice_ref(rest),
        None => bytes,
    };
    std::str::from_utf8(&bytes).map_err(|error| ApiError::malformed(format_args!("it is not UTF-8: {error}")))?;
    Ok(Text { bytes, _held: held })
}

/// Pages of other sites can send anything but this type without asking first.
fn check_kind(headers: &HeaderMap) -> Result<(), ApiError> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.map(|kind| kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
    if kind.as_deref() != Some("application/json") {
        let message = "the body must be JSON, with the header Content-Type: application/json";
        return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type", message));
    }
    if headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        let message = "compressed bodies are not taken: send the body without Content-Encoding";
        return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_encoding", message));
    }
    Ok(())
}

/// How long a body will be: as announced, or as long as allowed.
fn length(headers: &HeaderMap, most: usize) -> Result<usize, ApiError> {
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    match announced {
        Some(length) if length > most as u64 => Err(too_large(most)),
        Some(length) => Ok(length as usize),
        None => Ok(most),
    }
}

fn too_large(most: usize) -> ApiError {
    let message = format!("the body has more than {most} bytes");
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
}

fn body_error(error: &axum::Error, most: usize) -> ApiError {
    let is_long =
        std::error::Error::source(error).is_some_and(|source| source.is::<http_body_util::LengthLimitError>());
    match is_long {
        true => too_large(most),
        false => ApiError::new(StatusCode::BAD_REQUEST, "body_broken", format!("the body breaks off: {error}")),
    }
}
