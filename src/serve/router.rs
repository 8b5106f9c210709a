//! Which handler answers what, and what every request goes through.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_SECURITY_POLICY, HOST, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};
use tower_http::set_header::SetResponseHeaderLayer;

use super::auth::{bearer, is_known_host};
use super::error::ApiError;
use super::state::Service;
use super::{chat, completions, correct, facts, page, pass, responses};

/// Methods and paths that are answered.
pub const ROUTES: [(&str, &str); 14] = [
    ("get", "/"),
    ("get", "/page.css"),
    ("get", "/page.js"),
    ("get", "/healthz"),
    ("get", "/readyz"),
    ("get", "/metrics"),
    ("get", "/v1/models"),
    ("get", "/v1/models/{model}"),
    ("get", "/v1/steering"),
    ("post", "/v1/chat/completions"),
    ("post", "/v1/completions"),
    ("post", "/v1/responses"),
    ("post", "/v1/correct"),
    ("post", "/v1/scan"),
];
/// What needs no key: that the server is there, and the page, which holds nothing but itself.
const OPEN: [&str; 5] = ["/", "/page.css", "/page.js", "/healthz", "/readyz"];
/// The page loads nothing from elsewhere, and stands in no other page.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                           base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The server's routes.
pub fn router(service: Arc<Service>) -> Router {
    let fixed = |name, value| SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value));
    let routes = Router::new()
        .route("/", get(page::html))
        .route("/page.css", get(page::css))
        .route("/page.js", get(page::js))
        .route("/healthz", get(facts::health))
        .route("/readyz", get(facts::ready))
        .route("/metrics", get(facts::metrics))
        .route("/v1/models", get(facts::models))
        .route("/v1/models/{*model}", get(facts::model))
        .route("/v1/steering", get(facts::steering))
        .route("/v1/chat/completions", post(chat::complete))
        .route("/v1/completions", post(completions::complete))
        .route("/v1/responses", post(responses::create))
        .route("/v1/correct", post(correct::correct))
        .route("/v1/scan", post(correct::scan))
        .fallback(pass::other)
        .method_not_allowed_fallback(wrong_method)
        .layer(CatchPanicLayer::custom(|_| {
            ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "panic", "a defect of the server, see its log")
                .into_response()
        }))
        .layer(from_fn_with_state(service.clone(), guard));
    let routes = match cors(&service.options.origins) {
        Some(cors) => routes.layer(cors),
        None => routes,
    };
    routes
        .layer(from_fn_with_state(service.clone(), count))
        .layer(fixed(X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(fixed(REFERRER_POLICY, "no-referrer"))
        .layer(fixed(CONTENT_SECURITY_POLICY, PAGE_POLICY))
        .with_state(service)
}

fn cors(origins: &[HeaderValue]) -> Option<CorsLayer> {
    // clients send headers of their own beside key and type, and an origin that is allowed may send them
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins.iter().cloned()))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(AllowHeaders::mirror_request());
    (!origins.is_empty()).then_some(layer)
}

async fn wrong_method(request: Request) -> ApiError {
    let message = format!("{} does not take {}", request.uri().path(), request.method());
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, "wrong_method", message)
}

/// Lets through requests to a known host with a known key.
async fn guard(State(service): State<Arc<Service>>, request: Request, next: Next) -> Result<Response, ApiError> {
    let options = &service.options;
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    if options.address.ip().is_loopback() && !host.is_some_and(|host| is_known_host(host, &options.hosts)) {
        let message = "this server does not answer under that name; --allow-host NAME allows it";
        return Err(ApiError::new(StatusCode::FORBIDDEN, "unknown_host", message));
    }
    let is_open = options.keys.is_empty() || OPEN.contains(&request.uri().path());
    if !is_open && !bearer(request.headers().get(AUTHORIZATION)).is_some_and(|key| options.keys.contains(key)) {
        let message = "the API key is missing or wrong: send one of this server's as Authorization: Bearer KEY";
        return Err(ApiError::new(StatusCode::UNAUTHORIZED, "invalid_api_key", message));
    }
    Ok(next.run(request).await)
}

/// Counts requests by route and status.
async fn count(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let route = label(request.uri().path());
    let response = next.run(request).await;
    service.metrics.request(route, response.status().as_u16(), started.elapsed());
    response
}

/// The route of a path; paths of clients' own choice share one label.
fn label(path: &str) -> &'static str {
    let known = ROUTES.iter().map(|(_, route)| *route).find(|route| *route == path);
    let model = || path.starts_with("/v1/models/").then_some("/v1/models/{model}");
    known.or_else(model).unwrap_or("other")
}
