//! Other routes of the upstream server: those that bring no text of a model's are passed on as they are; the others only
//! where what is uncorrected may get through.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::error::ApiError;
use super::facts;
use super::options::FailMode;
use super::state::Service;

/// Routes, below `/v1`, that are passed on; what stands below them too.
pub const PASSED: [&str; 7] = ["models", "embeddings", "moderations", "files", "uploads", "rerank", "score"];
/// The header that marks a reply that the Aligner did not see, or did not correct.
pub(super) const STATUS: &str = "x-redline-status";

/// Every route that has no handler of its own.
pub(super) async fn other(State(service): State<Arc<Service>>, request: Request) -> Result<Response, ApiError> {
    let path = request.uri().path().to_owned();
    let Some(below) = path.strip_prefix("/v1/").filter(|below| !below.is_empty()) else {
        return Err(unknown(&request));
    };
    if service.upstream.is_none() {
        let models = below.strip_prefix("models").filter(|name| name.is_empty() || name.starts_with('/'));
        return match models {
            Some(name) => facts::models(&service, &request, name),
            None => Err(unknown(&request)),
        };
    }
    if !is_straight(below) {
        let message = format!("{path} holds segments that lead elsewhere");
        return Err(ApiError::new(StatusCode::BAD_REQUEST, "bad_path", message));
    }
    let first = below.split('/').next().unwrap_or_default();
    let is_passed = PASSED.contains(&first);
    if !is_passed && service.options.fail == FailMode::Closed {
        let message = format!(
            "{path} may bring text that the Aligner has not seen, and this server lets none through (--fail closed); /v1/chat/completions, \
             /v1/completions and /v1/responses are corrected, and {} are passed on",
            PASSED.map(|route| format!("/v1/{route}")).join(", ")
        );
        return Err(ApiError::new(StatusCode::FORBIDDEN, "not_corrected", message));
    }
    let query = request.uri().query().map_or_else(String::new, |query| format!("?{query}"));
    let target = format!("/{below}{query}");
    let (parts, body) = request.into_parts();
    let headers = service.passed_headers(&parts.headers);
    let passed = service.upstream()?.pass(parts.method, &target, body, &headers).await;
    let (status, headers, body) = passed.map_err(|error| service.upstream_error(error))?;
    let mut response = (status, headers, body).into_response();
    if !is_passed {
        response.headers_mut().insert(STATUS, HeaderValue::from_static("uncorrected"));
        service.metrics.uncorrected();
    }
    Ok(response)
}

fn unknown(request: &Request) -> ApiError {
    let message = format!("{} {} is not known here", request.method(), request.uri().path());
    ApiError::new(StatusCode::NOT_FOUND, "unknown_url", message)
}

/// Whether a path means what it says: nothing in it leads to another route once it is read as servers do.
fn is_straight(path: &str) -> bool {
    path.split('/').all(|segment| {
        let plain = segment.to_ascii_lowercase().replace("%2e", ".");
        let hidden = ["%2f", "%5c", "\\", "%25", "%00", ";"];
        plain != "." && plain != ".." && !hidden.iter().any(|mark| plain.contains(mark))
    })
}

#[cfg(test)]
mod tests {
    use super::is_straight;

    #[test]
    fn paths_that_lead_elsewhere_are_told() {
        for path in ["files", "files/file-1/content", "files/a.b", "files/..a"] {
            assert!(is_straight(path), "{path}");
        }
        for path in [
            "files/../chat/completions",
            "files/%2e%2e/x",
            "files/%2E./x",
            "files/a%2f..%2fx",
            "files/..\\x",
            "files/%252e%252e/x",
            "embeddings/./x",
            "files/..;/x",
        ] {
            assert!(!is_straight(path), "{path}");
        }
    }
}
