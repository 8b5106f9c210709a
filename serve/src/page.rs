//! The page, from inside the program.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

const HTML: &str = include_str!("page/page.html");
const CSS: &str = include_str!("page/page.css");
/// One script for the browser, from files that are each about one thing; the last one begins.
const JS: &str = concat!(
    "\"use strict\";\n",
    include_str!("page/requests.js"),
    include_str!("page/difference.js"),
    include_str!("page/scan.js"),
    include_str!("page/strip.js"),
    include_str!("page/session.js"),
    include_str!("page/page.js"),
);

pub(super) async fn html() -> Response {
    file("text/html; charset=utf-8", HTML)
}

pub(super) async fn css() -> Response {
    file("text/css; charset=utf-8", CSS)
}

pub(super) async fn js() -> Response {
    file("text/javascript; charset=utf-8", JS)
}

fn file(kind: &'static str, text: &'static str) -> Response {
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache")], text).into_response()
}
