//! Ids of requests, and which headers pass.

use redline::serve::{KEYS_TO_UPSTREAM, TO_CLIENT, TO_UPSTREAM, WITH_BODY_TO_CLIENT, WITH_BODY_TO_UPSTREAM};
use serde_json::json;

use super::echo::Echo;
use super::http::send;
use super::program::Server;
use super::{CLEAN, QUESTION};
use crate::program::repository;

#[test]
fn every_reply_has_an_id_and_the_upstream_server_gets_it() {
    let upstream = Echo::start();
    let server = Server::start(&format!("--upstream http://{}/v1 --max-body-bytes 2000", upstream.address));
    let chat =
        |model: &str| json!({ "model": model, "messages": [{ "role": "user", "content": QUESTION }] }).to_string();
    let (correct, long) = (json!({ "question": QUESTION, "answer": CLEAN }).to_string(), "x".repeat(3000));
    let (ok, error) = (chat("ok"), chat("error"));
    for (method, path, body, status, is_passed) in [
        ("GET", "/", "", 200, false),
        ("GET", "/healthz", "", 200, false),
        ("GET", "/openapi.json", "", 200, false),
        ("GET", "/metrics", "", 200, false),
        ("GET", "/nowhere", "", 404, false),
        ("DELETE", "/v1/correct", "", 405, false),
        ("POST", "/v1/correct", &correct, 200, false),
        ("POST", "/v1/correct", "{", 400, false),
        ("POST", "/v1/correct", &long, 413, false),
        ("POST", "/v1/audio/speech", "{}", 403, false),
        ("POST", "/v1/chat/completions", &ok, 200, true),
        ("POST", "/v1/chat/completions", &error, 400, true),
        ("POST", "/v1/embeddings", "{}", 200, true),
        ("GET", "/v1/models", "", 200, true),
    ] {
        let asked = |id: &str| send(server.address, method, path, &[("X-Request-Id", id)], body);
        let own = asked("trace-1.2:3");
        assert_eq!(
            (own.status, own.header("x-request-id").as_deref()),
            (status, Some("trace-1.2:3")),
            "{path}: {own:?}"
        );
        if is_passed {
            assert_eq!(upstream.header("x-request-id").as_deref(), Some("trace-1.2:3"), "{path}");
        }
        let theirs = own.header("x-upstream-request-id");
        assert_eq!(theirs.is_some_and(|id| id.starts_with("up-")), is_passed, "{path}: {own:?}");
        let new = asked("two words");
        let id = new.header("x-request-id").unwrap();
        assert!(id.len() == 36 && id.as_bytes()[14] == b'4' && id.split('-').count() == 5, "{path}: no UUID: {id}");
        if is_passed {
            assert_eq!(upstream.header("x-request-id"), Some(id), "{path}");
        }
    }
}

#[test]
fn headers_pass_by_the_lists() {
    let upstream = Echo::start();
    let server = Server::start(&format!("--upstream http://{}/v1", upstream.address));
    let sent = [
        ("Authorization", "Bearer theirs"),
        ("OpenAI-Project", "p"),
        ("X-Stainless-Lang", "python"),
        ("Traceparent", "00-1-2-3"),
        ("Cookie", "session=1"),
        ("X-Forwarded-For", "10.0.0.1"),
        ("Proxy-Authorization", "Basic x"),
    ];
    let body = json!({ "model": "ok", "messages": [{ "role": "user", "content": QUESTION }] }).to_string();
    for path in ["/v1/chat/completions", "/v1/embeddings"] {
        let reply = send(server.address, "POST", path, &sent, &body);
        assert_eq!(reply.status, 200, "{reply:?}");
        for (name, value) in &sent[..4] {
            assert_eq!(upstream.header(name).as_deref(), Some(*value), "{path}: {name}");
        }
        for (name, _) in &sent[4..] {
            assert_eq!(upstream.header(name), None, "{path}: {name}");
        }
        for name in ["x-ratelimit-limit-requests", "openai-organization"] {
            assert!(reply.header(name).is_some(), "{path}: {name}");
        }
        for name in ["x-secret", "set-cookie", "location"] {
            assert_eq!(reply.header(name), None, "{path}: {name}");
        }
    }
}

#[test]
fn the_manual_lists_the_headers_that_pass() {
    let manual = std::fs::read_to_string(repository().join("docs/serve.md")).unwrap();
    let names = |row: &str| -> Vec<String> {
        let line = manual
            .lines()
            .find(|line| line.starts_with(&format!("| {row} |")))
            .unwrap_or_else(|| panic!("no row {row}"));
        line.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    };
    assert_eq!(names("to the upstream server"), TO_UPSTREAM);
    assert_eq!(names("to it, where neither side has keys of this server's own"), KEYS_TO_UPSTREAM);
    assert_eq!(names("to it, with a body that is passed on"), WITH_BODY_TO_UPSTREAM);
    assert_eq!(names("to the client"), TO_CLIENT);
    assert_eq!(names("to it, with a reply that is passed on"), WITH_BODY_TO_CLIENT);
}
