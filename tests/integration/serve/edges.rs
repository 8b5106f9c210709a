//! What servers and clients do at the edges of the protocol: encodings, models, bounds, errors that are none.

use std::io::{Read, Write};
use std::net::TcpStream;

use redline::serve::{ServeOptions, Upstream};
use serde_json::{Value, json};

use super::fixed::Fixed;
use super::here::Here;
use super::http::{Reply, get, post, send};
use super::program::Server;
use super::upstream::Mock;
use super::{CLEAN, FLAWED, QUESTION, chat_body};

fn chat(content: &str) -> Value {
    json!({ "choices": [{ "index": 0, "message": { "role": "assistant", "content": content }, "finish_reason": "stop" }] })
}

/// A request whose upstream reply is this.
fn verbatim(reply: &str) -> Value {
    json!({ "model": "verbatim", "user": reply, "messages": [{ "role": "user", "content": QUESTION }] })
}

fn code(reply: &Reply) -> String {
    reply.json()["error"]["code"].as_str().unwrap_or_default().to_owned()
}

/// A body as gzip has it, without any compression.
fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_body_that_stays_encoded_says_so() {
    let upstream = Fixed::start(|first| {
        let encoding = if first.contains("plain") { "gzip" } else { "x-gzip" };
        let body = if first.contains("chat") { chat(CLEAN).to_string() } else { "{\"data\":[]}".into() };
        (format!("Content-Type: application/json\r\nContent-Encoding: {encoding}\r\n"), gzip(body.as_bytes()))
    });
    let server = Server::start(&upstream.arguments());
    let encoded = server.get("/v1/files/f");
    assert_eq!((encoded.status, encoded.header("content-encoding").as_deref()), (200, Some("x-gzip")), "{encoded:?}");
    let decoded = server.get("/v1/files/plain");
    assert_eq!((decoded.header("content-encoding"), decoded.body.as_str()), (None, "{\"data\":[]}"));
    let refused = server.post("/v1/chat/completions", &chat_body("ok", CLEAN));
    assert!(refused.status == 502 && refused.body.contains("x-gzip"), "{refused:?}");
}

#[test]
fn models_are_passed_as_they_come() {
    let list = "{ \"object\":\"list\", \"z\":1, \"data\":[{\"id\":\"b/c\",\"created\":123456789012345678901234567890,\"a\":1.50}] }";
    let upstream = Fixed::start(move |first| match first {
        _ if first.contains("/v1/models/none") => ("HTTP/1.1 404 X\r\n".into(), b"{\"error\":\"none\"}".to_vec()),
        _ => ("Content-Type: application/json\r\n".into(), list.as_bytes().to_vec()),
    });
    let server = Server::start(&upstream.arguments());
    let asked = || upstream.asked.lock().unwrap().last().cloned().unwrap_or_default();
    assert_eq!(server.get("/v1/models?limit=2").body, list);
    assert_eq!(asked(), "GET /v1/models?limit=2 HTTP/1.1");
    assert_eq!(server.get("/v1/models/b%2Fc").status, 400, "an escaped slash may lead elsewhere");
    assert_eq!(server.get("/v1/models/b/c").body, list);
    assert_eq!(asked(), "GET /v1/models/b/c HTTP/1.1");
    let missing = server.get("/v1/models/none");
    assert_eq!((missing.status, missing.body.as_str()), (404, "{\"error\":\"none\"}"));
    assert_eq!(send(server.address, "DELETE", "/v1/models/x", &[], "").status, 200);
    assert_eq!(asked(), "DELETE /v1/models/x HTTP/1.1");
    drop(server);

    let alone = Server::start("");
    let list = alone.get("/v1/models").json();
    let name = list["data"][0]["id"].as_str().unwrap();
    assert_eq!(alone.get(&format!("/v1/models/{name}")).json(), list["data"][0]);
    let missing = alone.get("/v1/models/none");
    assert_eq!((missing.status, code(&missing).as_str()), (404, "model_not_found"));
    assert_eq!(send(alone.address, "DELETE", "/v1/models/x", &[], "").status, 405);
    assert_eq!(alone.get("/v1/modelsx").status, 404);
}

#[test]
fn bounds_mean_what_servers_mean_by_them() {
    let mock = Mock::start();
    let server = Server::start(&mock.arguments());
    let text = json!({ "choices": [{ "text": FLAWED, "finish_reason": "stop" }] }).to_string();
    let part = json!({ "type": "output_text", "text": FLAWED });
    let response = json!({ "output": [{ "type": "message", "role": "assistant", "content": [part] }] }).to_string();
    let routes = [
        ("/v1/chat/completions", "max_tokens", verbatim(&chat(FLAWED).to_string())),
        ("/v1/chat/completions", "max_completion_tokens", verbatim(&chat(FLAWED).to_string())),
        ("/v1/completions", "max_tokens", json!({ "model": "verbatim", "user": text, "prompt": QUESTION })),
        ("/v1/responses", "max_output_tokens", json!({ "model": "verbatim", "user": response, "input": QUESTION })),
    ];
    for (path, param, body) in routes {
        for (bound, status) in [("-1", 200), ("100.0", 200), ("0", 400), ("-2", 400), ("1.5", 400)] {
            let n = mock.bodies.lock().unwrap().len();
            let whole = body.to_string();
            let sent = format!("{},\"{param}\":{bound}}}", &whole[..whole.len() - 1]);
            let reply = send(server.address, "POST", path, &[], &sent);
            assert_eq!(reply.status, status, "{path} {param} {bound}: {reply:?}");
            let bodies = mock.bodies.lock().unwrap();
            match status {
                200 => {
                    assert!(reply.body.contains(CLEAN), "{path} {param} {bound}: {reply:?}");
                    assert!(bodies.last().unwrap().contains(&format!("\"{param}\":{bound}")), "it goes up as it is");
                }
                _ => assert_eq!((reply.json()["error"]["param"].as_str(), bodies.len()), (Some(param), n), "{reply:?}"),
            }
        }
    }
}

#[test]
fn a_request_waits_for_its_own_parts() {
    let mock = Mock::start();
    let upstream =
        Upstream::new(&format!("http://{}/v1", mock.address), None, std::time::Duration::from_secs(60)).unwrap();
    let options = ServeOptions { most_waiting: 1, ..ServeOptions::default() };
    let server = Here::before(upstream, options);
    let address = server.address;
    let mut body = chat_body("ok", FLAWED);
    body["n"] = json!(3);
    let several = std::thread::spawn(move || post(address, "/v1/chat/completions", &body));
    while !get(address, "/metrics").body.contains("redline_queue_length 1\n") {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let other = post(address, "/v1/correct", &json!({ "question": QUESTION, "answer": FLAWED }));
    assert_eq!((other.status, code(&other).as_str()), (429, "queue_full"), "another request does not wait: {other:?}");
    server.work();
    let several = several.join().unwrap();
    assert_eq!(several.status, 200, "{several:?}");
    let several = several.json();
    let texts: Vec<_> =
        several["choices"].as_array().unwrap().iter().map(|it| it["message"]["content"].as_str()).collect();
    assert_eq!(texts, [Some(CLEAN); 3]);
}

#[test]
fn an_error_that_says_nothing_is_none() {
    let mock = Mock::start();
    let server = Server::start(&mock.arguments());
    for nothing in [json!(false), json!(0), json!(""), json!({}), json!([]), Value::Null] {
        let mut whole = chat(FLAWED);
        whole["error"] = nothing.clone();
        whole["choices"][0]["error"] = nothing.clone();
        let reply = server.post("/v1/chat/completions", &verbatim(&whole.to_string()));
        assert!(reply.status == 200 && reply.body.contains(CLEAN), "{nothing}: {reply:?}");
    }
}

#[test]
fn a_long_error_takes_no_memory() {
    let mut error = "{\"error\":[".to_owned();
    while error.len() < 15 << 20 {
        error.push_str("{\"\":0},");
    }
    error.push_str("{}]}");
    let choice = format!("{{\"choices\":[{error}]}}");
    let upstream = Fixed::start(move |first| match first.contains("chat") {
        true => ("Content-Type: application/json\r\n".into(), error.clone().into_bytes()),
        false => ("Content-Type: application/json\r\n".into(), choice.clone().into_bytes()),
    });
    let server = Server::start(&upstream.arguments());
    for (path, body) in
        [("/v1/chat/completions", chat_body("m", "")), ("/v1/completions", json!({ "model": "m", "prompt": QUESTION }))]
    {
        let reply = server.post(path, &body);
        assert!(reply.status == 502 && reply.body.len() < 2000, "{reply:?}");
    }
    let peak = server.peak_memory();
    assert!(peak == 0 || peak < 400 << 10, "{peak} KiB");
}

#[test]
fn completions_of_one_index_are_refused() {
    let mock = Mock::start();
    let server = Server::start(&mock.arguments());
    let twice = json!({ "choices": [{ "index": 0, "text": CLEAN }, { "index": 0, "text": FLAWED }] });
    let body = json!({ "model": "verbatim", "user": twice.to_string(), "prompt": QUESTION });
    let reply = server.post("/v1/completions", &body);
    assert_eq!((reply.status, code(&reply).as_str()), (502, "upstream_reply"), "{reply:?}");
}

#[test]
fn an_answer_that_is_too_long_is_the_upstream_models() {
    let mock = Mock::start();
    let long = "The capital of France is Paris. ".repeat(400);
    let parts = "The capital of France is Paris.\n\n```\nx\n```\n\n".repeat(65);
    let text = json!({ "choices": [{ "text": long }] }).to_string();
    let part = json!({ "type": "output_text", "text": long });
    let response = json!({ "output": [{ "type": "message", "role": "assistant", "content": [part] }] }).to_string();
    let requests = [
        ("/v1/chat/completions", verbatim(&chat(&long).to_string())),
        ("/v1/chat/completions", verbatim(&chat(&parts).to_string())),
        ("/v1/completions", json!({ "model": "verbatim", "user": text, "prompt": QUESTION })),
        ("/v1/responses", json!({ "model": "verbatim", "user": response, "input": QUESTION })),
    ];
    let closed = Server::start(&mock.arguments());
    for (path, body) in &requests {
        let reply = closed.post(path, body);
        assert_eq!((reply.status, code(&reply).as_str()), (502, "answer_too_long"), "{path}: {reply:?}");
        assert_eq!(reply.json()["error"]["type"], "server_error");
    }
    let mut question = verbatim(&chat(CLEAN).to_string());
    question["messages"][0]["content"] = json!(long);
    let reply = closed.post("/v1/chat/completions", &question);
    assert_eq!(
        (reply.status, code(&reply).as_str()),
        (400, "context_length_exceeded"),
        "this is the client's: {reply:?}"
    );
    drop(closed);
    let open = Server::start(&format!("{} --fail open", mock.arguments()));
    for (path, body) in &requests {
        let reply = open.post(path, body);
        assert!(reply.status == 200 && reply.body.contains("\"status\":\"uncorrected\""), "{path}: {reply:?}");
    }
}

#[test]
fn a_key_is_masked_however_json_spells_it() {
    const KEY: &str = "sk-redline-test-0123456789";
    let escaped: String = KEY.chars().map(|letter| format!("\\u{:04X}", letter as u32)).collect();
    let mixed = KEY.replace('k', "\\u006b");
    let chat = chat("WHOLE").to_string().replace("WHOLE", &format!("{CLEAN} {escaped} {mixed}"));
    let models = format!("{{\"data\":[{{\"id\":\"{escaped}\",\"x\":\"{mixed}\"}}]}}");
    let error = format!("{{\"error\":{{\"message\":\"{escaped}\",\"param\":\"{mixed}\"}}}}");
    let upstream = Fixed::start(move |first| match first {
        _ if first.contains("chat") => (String::new(), chat.clone().into_bytes()),
        _ if first.contains("models") => (String::new(), models.clone().into_bytes()),
        _ => ("HTTP/1.1 400 X\r\n".into(), error.clone().into_bytes()),
    });
    let arguments = format!("{} --upstream-key-env UPSTREAM_KEY", upstream.arguments());
    let server = Server::start_with(&arguments, &[("UPSTREAM_KEY", KEY)]);
    server.wait_ready();
    let replies = [
        server.post("/v1/chat/completions", &chat_body("m", "")),
        server.get("/v1/models"),
        server.get("/v1/files"),
        server.post("/v1/completions", &json!({ "model": "m", "prompt": "x" })),
    ];
    for reply in replies {
        assert!(!reply.json().to_string().contains(KEY), "{reply:?}");
    }
}

#[test]
fn a_stream_that_was_not_asked_for_and_a_mark_of_byte_order() {
    let upstream = Fixed::start(|first| match first.contains("/completions HTTP") && !first.contains("chat") {
        true => ("Content-Type: text/event-stream\r\n".into(), b"data: {\"choices\":[]}\n\ndata: [DONE]\n\n".to_vec()),
        false => (String::new(), format!("\u{feff}{}", chat(FLAWED)).into_bytes()),
    });
    let server = Server::start(&upstream.arguments());
    let marked = server.post("/v1/chat/completions", &chat_body("m", ""));
    assert!(marked.status == 200 && marked.body.contains(CLEAN), "{marked:?}");
    let stream = server.post("/v1/completions", &json!({ "model": "m", "prompt": "x" }));
    assert!(stream.status == 502 && stream.body.contains("stream of events"), "{stream:?}");
}

#[test]
fn pages_of_an_allowed_origin_may_use_every_method() {
    let mock = Mock::start();
    let server = Server::start(&format!("{} --allow-origin https://ours.example", mock.arguments()));
    let preflight = |origin: &str, method: &str| {
        let headers = [
            ("Origin", origin),
            ("Access-Control-Request-Method", method),
            ("Access-Control-Request-Headers", "authorization,content-type,x-stainless-lang"),
        ];
        send(server.address, "OPTIONS", "/v1/files/f", &headers, "")
    };
    for method in ["GET", "POST", "DELETE"] {
        let allowed = preflight("https://ours.example", method);
        assert_eq!(allowed.header("access-control-allow-origin").as_deref(), Some("https://ours.example"));
        assert!(allowed.header("access-control-allow-methods").is_some_and(|it| it.contains(method)), "{allowed:?}");
    }
    assert_eq!(preflight("https://theirs.example", "GET").header("access-control-allow-origin"), None);
    assert!(mock.bodies.lock().unwrap().is_empty(), "the upstream server is not asked");
}

#[test]
fn methods_and_slashes_that_clients_use() {
    let mock = Mock::start();
    let server = Server::start(&mock.arguments());
    let text = json!({ "model": "verbatim", "user": json!({ "choices": [{ "text": FLAWED }] }).to_string(), "prompt": QUESTION });
    let part = json!({ "type": "output_text", "text": FLAWED });
    let response = json!({ "output": [{ "type": "message", "content": [part] }] }).to_string();
    let response = json!({ "model": "verbatim", "user": response, "input": QUESTION });
    for (path, body) in [
        ("/v1/chat/completions/", chat_body("ok", FLAWED)),
        ("/v1/completions/", text),
        ("/v1/responses/", response),
        ("/v1/correct/", json!({ "question": QUESTION, "answer": FLAWED })),
    ] {
        let reply = server.post(path, &body);
        assert!(reply.status == 200 && reply.body.contains(CLEAN), "{path}: {reply:?}");
    }
    for path in ["/healthz", "/v1/steering", "/v1/models"] {
        let head = send(server.address, "HEAD", path, &[], "");
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}: {head:?}");
    }
    for path in ["/v1/chat/completions", "/v1/chat/completions/"] {
        assert_eq!(server.get(path).status, 405, "{path}");
    }
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
    let mut bytes = Vec::new();
    // it may end the connection without a word: no more is promised than that it goes on
    let _ = stream.read_to_end(&mut bytes);
    assert_eq!(server.get("/healthz").status, 200);
}
