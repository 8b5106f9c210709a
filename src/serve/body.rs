//! JSON bodies of requests: of the right type, within the limit, in time.

use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;

use super::error::ApiError;
use super::state::Service;

/// A body that was parsed.
pub(super) struct JsonBody<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<Service>> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, service: &Arc<Service>) -> Result<Self, ApiError> {
        // pages of other sites can send anything but this type without asking first
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let kind = kind.map(|kind| kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
        if kind.as_deref() != Some("application/json") {
            let message = "the body must be JSON, with the header Content-Type: application/json";
            return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_type", message));
        }
        let most = service.options.most_body_bytes;
        let read = tokio::time::timeout(service.options.read_timeout, to_bytes(request.into_body(), most)).await;
        let late = || {
            let message = "the body did not arrive in time";
            ApiError::new(StatusCode::REQUEST_TIMEOUT, "body_timeout", message)
        };
        let bytes = read.map_err(|_| late())?.map_err(|error| body_error(&error, most))?;
        let parsed = serde_json::from_slice(&bytes);
        let malformed = |error: serde_json::Error| {
            ApiError::new(StatusCode::BAD_REQUEST, "malformed_body", format!("the body cannot be read: {error}"))
        };
        parsed.map(Self).map_err(malformed)
    }
}

fn body_error(error: &axum::Error, most: usize) -> ApiError {
    let is_long =
        std::error::Error::source(error).is_some_and(|source| source.is::<http_body_util::LengthLimitError>());
    match is_long {
        true => {
            let message = format!("the body has more than {most} bytes");
            ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", message)
        }
        false => ApiError::new(StatusCode::BAD_REQUEST, "body_broken", format!("the body breaks off: {error}")),
    }
}
