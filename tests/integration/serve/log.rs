//! The log: a line a request, without texts and keys.

use serde_json::{Value, json};

use super::http::send;
use super::program::Server;
use super::upstream::Mock;
use super::{CLEAN, FLAWED, QUESTION, chat_body};

const CLIENT_KEY: &str = "client-key-0123456789";

#[test]
fn a_request_is_a_line_of_json() {
    let mock = Mock::start();
    let variables = [("REDLINE_API_KEYS", CLIENT_KEY), ("REDLINE_LOG_FORMAT", "json")];
    let server = Server::start_with(&mock.arguments(), &variables);
    server.wait_ready();
    let bearer = format!("Bearer {CLIENT_KEY}");
    let ask = |id: &str, path: &str, body: Value| {
        let headers = [("Authorization", bearer.as_str()), ("X-Request-Id", id)];
        let method = if body.is_null() { "GET" } else { "POST" };
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let reply = send(server.address, method, path, &headers, &body);
        let line = server.told(|line| line.contains(&format!("\"{id}\"")));
        (reply, serde_json::from_str::<Value>(&line).unwrap_or_else(|error| panic!("{error}: {line}")))
    };
    let (reply, line) = ask("one", "/v1/chat/completions", chat_body("ok", FLAWED));
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(
        (&line["method"], &line["route"], &line["status"]),
        (&json!("POST"), &json!("/v1/chat/completions"), &json!(200))
    );
    assert_eq!((&line["bytes"], &line["whole"]), (&json!(reply.body.len()), &json!(true)), "{line}");
    assert_eq!((&line["upstream_status"], &line["correction"]), (&json!(200), &json!("corrected")), "{line}");
    assert!(line["ms"].as_f64().unwrap() >= line["upstream_ms"].as_f64().unwrap(), "{line}");

    let mut streamed = chat_body("ok", FLAWED);
    streamed["stream"] = json!(true);
    let (_, line) = ask("two", "/v1/chat/completions", streamed);
    assert_eq!((&line["whole"], &line["correction"]), (&json!(true), &json!("corrected")), "{line}");
    let (_, line) = ask("three", "/v1/chat/completions", chat_body("broken", FLAWED));
    assert_eq!(
        (&line["status"], &line["upstream_status"], &line["correction"]),
        (&json!(502), &json!(500), &Value::Null),
        "{line}"
    );
    let (_, line) = ask("four", &format!("/private/{QUESTION}").replace(' ', "%20"), Value::Null);
    assert_eq!((&line["route"], &line["status"]), (&json!("other"), &json!(404)), "{line}");
    let (_, line) = ask("five", "/v1/correct", json!({ "question": QUESTION, "answer": FLAWED }));
    assert_eq!((&line["correction"], &line["upstream_status"]), (&json!("corrected"), &Value::Null), "{line}");

    server.terminate();
    let (_, told) = server.wait();
    assert!(told.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{told}");
    for secret in [CLIENT_KEY, QUESTION, FLAWED, CLEAN, "private"] {
        assert!(!told.contains(secret), "{secret}: {told}");
    }
}

#[test]
fn a_line_of_text_holds_no_control_characters() {
    let server = Server::start("");
    let method = "M".repeat(3000);
    let reply = send(server.address, &method, "/%1b[31m", &[("X-Request-Id", "a\tb")], "");
    let id = reply.header("x-request-id").unwrap();
    let line = server.told(|line| line.contains(&id));
    assert!(line.len() < 300 && line.contains("route=\"other\"") && line.contains("status=404"), "{line}");
    server.terminate();
    let (_, told) = server.wait();
    assert!(told.chars().all(|c| c == '\n' || !c.is_control()), "{told:?}");
}

#[test]
fn a_quiet_server_says_nothing() {
    let server = Server::start("--quiet");
    assert_eq!(server.post("/v1/correct", &json!({ "question": QUESTION, "answer": FLAWED })).status, 200);
    server.terminate();
    let (status, told) = server.wait();
    assert!(status.success() && told.is_empty(), "{status} {told}");
}

#[test]
fn settings_come_from_variables_and_options_go_before_them() {
    let body = json!({ "question": QUESTION, "answer": CLEAN });
    let variables = [("REDLINE_MAX_BODY_BYTES", "20"), ("REDLINE_ALLOW_HOST", "a.example,b.example")];
    let server = Server::start_with("", &variables);
    server.wait_ready();
    assert_eq!(server.post("/v1/correct", &body).status, 413);
    for host in ["a.example", "b.example"] {
        assert_eq!(send(server.address, "GET", "/v1/steering", &[("Host", host)], "").status, 200, "{host}");
    }
    let other = Server::start_with("--max-body-bytes 2000", &variables);
    other.wait_ready();
    assert_eq!(other.post("/v1/correct", &body).status, 200);
}
