//! Which handler answers what, and what every request goes through.

use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, RETRY_AFTER,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::cors::{AllowHeaders, AllowMethods, AllowOrigin, CorsLayer};
use tower_http::set_header::SetResponseHeaderLayer;

use super::access::{self, Access, Counted, Line};
use super::auth::bearer;
use super::error::ApiError;
use super::headers::{REQUEST_ID, UPSTREAM_REQUEST_ID, request_id};
use super::host::check_host;
use super::state::Service;
use super::{chat, completions, correct, facts, page, pass, responses};

/// Methods and paths that are answered.
pub const ROUTES: [(&str, &str); 16] = [
    ("get", "/"),
    ("get", "/page.css"),
    ("get", "/page.js"),
    ("get", "/openapi.json"),
    ("get", "/healthz"),
    ("get", "/health"),
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
const OPEN: [&str; 7] = ["/", "/page.css", "/page.js", "/openapi.json", "/healthz", "/health", "/readyz"];
/// Longest error.
const MOST_ERROR_BYTES: usize = 1 << 20;
/// The page loads nothing from elsewhere, and stands in no other page.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
                           base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The server's routes.
pub fn router(service: Arc<Service>) -> Router {
    let api = [
        ("/v1/steering", get(facts::steering)),
        ("/v1/chat/completions", post(chat::complete)),
        ("/v1/completions", post(completions::complete)),
        ("/v1/responses", post(responses::create)),
        ("/v1/correct", post(correct::correct)),
        ("/v1/scan", post(correct::scan)),
    ];
    // with the slash that some clients put at the end they are no other routes, which would go by uncorrected
    let api = api.into_iter().fold(signs_of_life(), |routes, (path, handler)| {
        routes.route(path, handler.clone()).route(&format!("{path}/"), handler)
    });
    let routes = api
        .route("/", get(page::html))
        .route("/page.css", get(page::css))
        .route("/page.js", get(page::js))
        .route("/openapi.json", get(facts::openapi))
        .fallback(pass::other)
        .method_not_allowed_fallback(wrong_method);
    around(routes, service)
}

/// What is answered where all places for connections are at work.
pub(super) fn spare_router(service: Arc<Service>) -> Router {
    around(signs_of_life().fallback(facts::busy), service)
}

fn signs_of_life() -> Router<Arc<Service>> {
    Router::new()
        .route("/healthz", get(facts::health))
        .route("/health", get(facts::health))
        .route("/readyz", get(facts::ready))
        .route("/metrics", get(facts::metrics))
}

/// What every request goes through.
fn around(routes: Router<Arc<Service>>, service: Arc<Service>) -> Router {
    let fixed = |name, value| SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value));
    let routes = routes
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
        .layer(from_fn_with_state(service.clone(), follow))
        .layer(fixed(X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(fixed(REFERRER_POLICY, "no-referrer"))
        .layer(fixed(CONTENT_SECURITY_POLICY, PAGE_POLICY))
        .with_state(service)
}

fn cors(origins: &[HeaderValue]) -> Option<CorsLayer> {
    // clients send headers of their own beside key and type, and an origin that is allowed may send them
    let layer = CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins.iter().cloned()))
        // what is passed on has methods of its own
        .allow_methods(AllowMethods::mirror_request())
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([REQUEST_ID, UPSTREAM_REQUEST_ID, RETRY_AFTER]);
    (!origins.is_empty()).then_some(layer)
}

async fn wrong_method(request: Request) -> ApiError {
    ApiError::wrong_method(&request)
}

/// Lets through requests to a known host with a known key.
async fn guard(State(service): State<Arc<Service>>, request: Request, next: Next) -> Result<Response, ApiError> {
    let options = &service.options;
    let (parts, body) = request.into_parts();
    check_host(options, &parts)?;
    let request = Request::from_parts(parts, body);
    let is_open = options.keys.is_empty() || OPEN.contains(&request.uri().path());
    if !is_open && !bearer(request.headers().get(AUTHORIZATION)).is_some_and(|key| options.keys.contains(key)) {
        let message = "the API key is missing or wrong: send one of this server's as Authorization: Bearer KEY";
        return Err(ApiError::new(StatusCode::UNAUTHORIZED, "invalid_api_key", message));
    }
    Ok(next.run(request).await)
}

/// Gives every request an id, counts it and writes its line of the log; errors leave without this server's secrets.
async fn follow(State(service): State<Arc<Service>>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let (method, route) = (request.method().clone(), label(request.uri().path()));
    let id = request_id(request.headers());
    request.headers_mut().insert(REQUEST_ID, id.clone());
    let access = Arc::new(Access::default());
    let response = access::during(access.clone(), next.run(request)).await;
    let mut response = hide(&service, response).await;
    service.metrics.request(route, response.status().as_u16(), started.elapsed());
    for (name, value) in &access.upstream_headers() {
        response.headers_mut().entry(name).or_insert_with(|| value.clone());
    }
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    // of a stream it is not known yet
    if access.has_passed() && kind.is_some_and(|kind| kind.starts_with("application/json")) {
        response.headers_mut().insert(pass::STATUS, HeaderValue::from_static("passed"));
    }
    response.headers_mut().insert(REQUEST_ID, id.clone());
    let line = Line { method, route, status: response.status(), id, started, access };
    response.map(|body| Body::new(Counted::new(body, line)))
}

/// An error without the upstream server's key, however it got there.
async fn hide(service: &Service, response: Response) -> Response {
    let is_error = response.status().is_client_error() || response.status().is_server_error();
    let Some(upstream) = service.upstream.as_ref().filter(|_| is_error) else { return response };
    let (mut head, body) = response.into_parts();
    // an error of this server is short, and one of the upstream server was cut
    let body = to_bytes(body, MOST_ERROR_BYTES).await.unwrap_or_default();
    let shown = match std::str::from_utf8(&body) {
        Ok(text) => upstream.hide(text).into_bytes(),
        Err(_) => body.into(),
    };
    head.headers.remove(CONTENT_LENGTH);
    Response::from_parts(head, shown.into())
}

/// The route of a path; paths of clients' own choice share one label.
fn label(path: &str) -> &'static str {
    let is_path = |route: &&str| *route == path || path.strip_suffix('/') == Some(*route);
    let known = ROUTES.iter().map(|(_, route)| *route).find(is_path);
    let model = || path.starts_with("/v1/models/").then_some("/v1/models/{model}");
    known.or_else(model).unwrap_or("other")
}
