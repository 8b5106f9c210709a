//! `/v1/chat/completions`: the upstream model's answer, corrected, whole and streamed.

use serde_json::{Value, json};

use super::http::{Reply, send};
use super::program::Server;
use super::upstream::Mock;
use super::{CLEAN, FLAWED, chat_body};

#[test]
fn chat_through_an_upstream_model() {
    let mock = Mock::start();
    let server = Server::start(&mock.arguments());
    whole(&server, &mock);
    streamed(&server);
    several(&server);
    upstream_errors(&server);
    bad_requests(&server);
    assert_eq!(server.get("/v1/models").json()["data"][0]["id"], "ok");
    assert!(server.metric("redline_first_corrected_token_seconds_count") >= 2.0);
    assert!(server.metric("redline_upstream_seconds_count") >= 5.0);
}

fn whole(server: &Server, mock: &Mock) {
    let mut body = chat_body("ok", FLAWED);
    body["steering"] = json!({ "coefficient": 0.5 });
    body["feedback"] = json!("Be kind.");
    body["temperature"] = json!(0.7);
    let headers = [("Authorization", "Bearer the-clients-key")];
    let reply = send(server.address, "POST", "/v1/chat/completions", &headers, &body.to_string()).json();
    let (content, extension) = (&reply["choices"][0]["message"]["content"], &reply["choices"][0]["redline"]);
    assert!(content.as_str().unwrap().contains(CLEAN), "{reply}");
    assert_ne!(content, FLAWED);
    assert_eq!((extension["answer"].as_str(), extension["status"].as_str()), (Some(FLAWED), Some("corrected")));
    assert!(extension["edit_ratio"].as_f64().unwrap() > 0.2);
    assert_eq!(extension["coefficient"].as_f64(), Some(0.5));
    assert_eq!(reply["choices"][0]["finish_reason"], "stop");
    assert_eq!(reply["choices"][0]["logprobs"], Value::Null);
    assert_eq!(
        (reply["id"].as_str(), reply["usage"]["redline"]["upstream"]["total_tokens"].as_u64()),
        (Some("chatcmpl-1"), Some(12))
    );

    let (received, key) = mock.received.lock().unwrap().last().unwrap().clone();
    assert_eq!(key.as_deref(), Some("Bearer the-clients-key"), "the server has no keys, so it passes them on");
    assert_eq!((received["temperature"].as_f64(), received["stream"].as_bool()), (Some(0.7), Some(false)));
    assert!(received.get("steering").is_none() && received.get("feedback").is_none(), "{received}");
}

fn chunks(reply: &Reply) -> Vec<Value> {
    let events = reply.events();
    assert_eq!(events.last().unwrap().1, "[DONE]", "{reply:?}");
    events[..events.len() - 1].iter().map(|(_, data)| serde_json::from_str(data).unwrap()).collect()
}

fn streamed(server: &Server) {
    let whole = server.post("/v1/chat/completions", &chat_body("ok", FLAWED)).json();
    let mut body = chat_body("ok", FLAWED);
    body["stream"] = json!(true);
    body["stream_options"] = json!({ "include_usage": true });
    let reply = server.post("/v1/chat/completions", &body);
    assert_eq!(reply.header("content-type").as_deref(), Some("text/event-stream"));
    let chunks = chunks(&reply);
    let content = |chunk: &Value| chunk["choices"][0]["delta"]["content"].as_str().unwrap_or_default().to_string();
    let text: String = chunks.iter().map(content).collect();
    assert_eq!(Some(text.as_str()), whole["choices"][0]["message"]["content"].as_str());
    assert!(chunks.len() > 4 && chunks.iter().all(|chunk| chunk["object"] == "chat.completion.chunk"));
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    let last = &chunks[chunks.len() - 2]["choices"][0];
    assert_eq!((last["finish_reason"].as_str(), last["redline"]["answer"].as_str()), (Some("stop"), Some(FLAWED)));
    let usage = chunks.last().unwrap();
    assert_eq!(
        (usage["choices"].as_array().unwrap().len(), usage["usage"]["redline"]["upstream"]["total_tokens"].as_u64()),
        (0, Some(12))
    );
}

fn several(server: &Server) {
    let mut body = chat_body("ok", CLEAN);
    body["n"] = json!(3);
    let reply = server.post("/v1/chat/completions", &body).json();
    let choices = reply["choices"].as_array().unwrap();
    assert_eq!(choices.len(), 3);
    assert!(choices.iter().all(|choice| choice["message"]["content"] == CLEAN));
    let calls = server.post("/v1/chat/completions", &chat_body("tools", "")).json();
    assert_eq!(calls["choices"][0]["redline"]["status"], "skipped");
    assert_eq!(calls["choices"][0]["message"]["tool_calls"][0]["id"], "c");
    let mut body = chat_body("tools", "");
    body["stream"] = json!(true);
    let chunks = chunks(&server.post("/v1/chat/completions", &body));
    assert_eq!(chunks[0]["choices"][0]["delta"]["tool_calls"][0]["index"], 0);
    assert_eq!(chunks[1]["choices"][0]["finish_reason"], "tool_calls");
}

fn upstream_errors(server: &Server) {
    let cases = [
        ("refuse", 400, "no such parameter"),
        ("no-key", 401, "a key is needed"),
        ("missing", 404, "no such model"),
        ("busy", 429, "slow down"),
        ("broken", 502, "on fire"),
    ];
    for is_stream in [false, true] {
        for (model, status, message) in cases {
            let mut body = chat_body(model, FLAWED);
            body["stream"] = json!(is_stream);
            let reply = server.post("/v1/chat/completions", &body);
            assert_eq!(reply.status, status, "{reply:?}");
            let error = &reply.json()["error"];
            assert!(error["message"].as_str().unwrap().contains(message), "{error}");
            if status == 429 {
                assert_eq!(reply.header("retry-after").as_deref(), Some("7"));
            }
        }
    }
}

fn bad_requests(server: &Server) {
    let cases = [
        (json!({}), "messages"),
        (json!({ "messages": [] }), "messages"),
        (json!({ "messages": [{ "content": "x" }] }), "messages"),
        (json!({ "messages": [{ "role": "user", "content": "x" }], "max_tokens": 0 }), "max_tokens"),
        (json!({ "messages": [{ "role": "user", "content": "x" }], "stream": 1 }), "stream"),
        (json!({ "messages": [{ "role": "user", "content": "x" }], "steering": 1 }), "steering"),
        (json!({ "messages": [{ "role": "user", "content": "x" }], "steering": { "vector": "x" } }), "steering.vector"),
        (json!({ "messages": [{ "role": "user", "content": "x" }], "feedback": 1 }), "feedback"),
        (json!({ "messages": [{ "role": "user", "content": "x" }], "n": 1000 }), "n"),
    ];
    for (body, param) in cases {
        let reply = server.post("/v1/chat/completions", &body);
        let error = &reply.json()["error"];
        assert_eq!((reply.status, error["param"].as_str()), (400, Some(param)), "{error}");
        assert_eq!(error["type"], "invalid_request_error");
    }
}

#[test]
fn the_servers_own_upstream_key_is_sent_and_clients_keys_stay() {
    let mock = Mock::start();
    let arguments = format!("{} --upstream-key-env UPSTREAM_KEY", mock.arguments());
    let server = Server::start_with(&arguments, &[("UPSTREAM_KEY", "secret-key"), ("REDLINE_API_KEYS", "ours")]);
    server.wait_ready();
    let headers = [("Authorization", "Bearer ours")];
    let body = chat_body("ok", CLEAN).to_string();
    let reply = send(server.address, "POST", "/v1/chat/completions", &headers, &body);
    assert_eq!(reply.json()["choices"][0]["message"]["content"], CLEAN);
    let (_, key) = mock.received.lock().unwrap().last().unwrap().clone();
    assert_eq!(key.as_deref(), Some("Bearer secret-key"));
    drop(server);
}
