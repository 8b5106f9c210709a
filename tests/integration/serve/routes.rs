//! Routes beside chat: texts and responses that are corrected, routes that are passed on, and those that are refused.

use serde_json::{Value, json};

use super::http::{Reply, send};
use super::program::Server;
use super::upstream::Mock;
use super::{CLEAN, FLAWED, QUESTION};

const UNSEEN: &str = "The user is a complete fool and unseen.";

#[test]
fn texts_that_go_on_from_a_prompt_are_corrected() {
    let mock = Mock::start();
    let server = Server::start(&mock.arguments());
    let reply = json!({
        "id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m",
        "choices": [
            { "index": 0, "text": FLAWED, "finish_reason": "stop", "logprobs": { "tokens": [UNSEEN] } },
            { "index": 1, "text": CLEAN, "finish_reason": "length", "logprobs": null },
        ],
        "usage": { "prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7 },
    });
    let body = json!({ "model": "verbatim", "user": format!("{reply:#}"), "prompt": [QUESTION, QUESTION] });
    let whole = server.post("/v1/completions", &body).json();
    let texts: Vec<&str> = (0..2).map(|i| whole["choices"][i]["text"].as_str().unwrap()).collect();
    assert!(texts[0].contains(CLEAN) && !texts[0].contains("fool") && texts[1] == CLEAN, "{whole}");
    assert!(!whole.to_string().contains("unseen") && whole["object"] == "text_completion", "{whole}");
    assert_eq!(whole["choices"][0]["redline"]["dropped"], json!(["logprobs"]));
    let mut streaming = body.clone();
    streaming["stream"] = json!(true);
    let events = server.post("/v1/completions", &streaming).events();
    assert_eq!(events.last().unwrap().1, "[DONE]");
    let mut streamed = [String::new(), String::new()];
    for (_, data) in &events[..events.len() - 1] {
        let chunk: Value = serde_json::from_str(data).unwrap();
        let choice = &chunk["choices"][0];
        streamed[choice["index"].as_u64().unwrap() as usize] += choice["text"].as_str().unwrap();
    }
    assert_eq!(streamed, [texts[0], texts[1]]);
    let scored = json!({ "model": "verbatim", "prompt": "x", "echo": true, "logprobs": 1, "max_tokens": 0 });
    let refused = server.post("/v1/completions", &scored);
    assert!(refused.status == 400 && refused.body.contains("scored"), "{refused:?}");
}

fn response(output: Value) -> Value {
    json!({
        "id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": "completed", "error": null,
        "incomplete_details": null, "instructions": UNSEEN, "output": output, "parallel_tool_calls": true, "temperature": 1.0,
        "tool_choice": "auto", "tools": [], "text": { "format": { "type": "text" } }, "metadata": {},
        "usage": { "input_tokens": 3, "output_tokens": 4, "total_tokens": 7, "output_tokens_details": { "reasoning_tokens": 1 } },
    })
}

fn said(text: &str) -> Value {
    let part = json!({ "type": "output_text", "text": text, "annotations": [{ "title": UNSEEN }], "logprobs": [] });
    json!({ "type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [part] })
}

fn call() -> Value {
    json!({ "type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "look_up", "arguments": "{\"q\": 1}", "status": "completed" })
}

fn ask(server: &Server, reply: &Value, is_stream: bool) -> Reply {
    server.post(
        "/v1/responses",
        &json!({ "model": "verbatim", "user": format!("{reply:#}"), "input": QUESTION, "stream": is_stream }),
    )
}

#[test]
fn responses_are_corrected_whole_and_streamed() {
    let mock = Mock::start();
    let server = Server::start(&mock.arguments());
    let reasoning =
        json!({ "type": "reasoning", "id": "rs_1", "summary": [{ "type": "summary_text", "text": UNSEEN }] });
    let reply = response(json!([reasoning, said(FLAWED), call()]));
    // the client's own field, by which this upstream server is told its reply, comes back as the client sent it
    let without_own = |mut reply: Value| {
        assert!(reply.as_object_mut().unwrap().remove("user").is_some());
        reply
    };
    let whole = without_own(ask(&server, &reply, false).json());
    assert!(!whole.to_string().contains("unseen"), "{whole}");
    let message = &whole["output"][0];
    let text = message["content"][0]["text"].as_str().unwrap();
    assert!(text.contains(CLEAN) && !text.contains("fool"), "{whole}");
    assert_eq!((message["redline"]["answer"].as_str(), &whole["output"][1]), (Some(FLAWED), &call()));
    assert_eq!(
        (whole["tool_choice"].as_str(), whole["usage"]["redline"]["upstream"]["input_tokens"].as_u64()),
        (Some("auto"), Some(3))
    );

    let events = ask(&server, &reply, true).events();
    let events: Vec<Value> = events
        .iter()
        .map(|(name, data)| {
            let mut event: Value = serde_json::from_str(data).unwrap();
            if event["response"].is_object() {
                event["response"] = without_own(event["response"].take());
            }
            assert_eq!(event["type"].as_str(), Some(name.as_str()));
            event
        })
        .collect();
    assert!(events.iter().enumerate().all(|(n, event)| event["sequence_number"] == n), "{events:?}");
    let kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(
        kinds[..4],
        ["response.created", "response.in_progress", "response.output_item.added", "response.content_part.added"]
    );
    assert_eq!(*kinds.last().unwrap(), "response.completed");
    let deltas: String = events
        .iter()
        .filter(|event| event["type"] == "response.output_text.delta")
        .map(|event| event["delta"].as_str().unwrap())
        .collect();
    assert_eq!(deltas, text);
    let arguments = events.iter().find(|event| event["type"] == "response.function_call_arguments.done").unwrap();
    assert_eq!(arguments["arguments"], "{\"q\": 1}");
    let mut last = events.last().unwrap()["response"].clone();
    let mut whole = whole;
    for value in [&mut last, &mut whole] {
        value["output"][0]["redline"].as_object_mut().unwrap().remove("drafted");
    }
    assert_eq!(last, whole, "the last event is the whole response");
    assert!(!format!("{events:?}").contains("unseen"));
}

#[test]
fn responses_that_cannot_be_read_are_refused() {
    let mock = Mock::start();
    let server = Server::start(&mock.arguments());
    for item in [
        json!({ "type": "image_generation_call", "result": UNSEEN }),
        json!({ "type": "a_new_item", "text": UNSEEN }),
        json!({ "type": "message", "role": "assistant", "content": [{ "type": "output_audio", "transcript": UNSEEN }] }),
        json!({ "type": "message", "role": "assistant", "content": UNSEEN }),
    ] {
        for is_stream in [false, true] {
            let reply = ask(&server, &response(json!([item])), is_stream);
            assert_eq!(reply.status, 502, "{item}: {reply:?}");
            assert!(!reply.body.contains("unseen"), "{reply:?}");
        }
    }
    let failed = json!({ "id": "r", "object": "response", "status": "failed", "error": { "code": "rate_limit_exceeded", "message": "slow down" }, "output": [] });
    assert!(ask(&server, &failed, false).json()["error"]["message"].as_str().unwrap().contains("slow down"));
    let later = server.post("/v1/responses", &json!({ "model": "verbatim", "input": "x", "background": true }));
    assert_eq!((later.status, later.json()["error"]["param"].as_str()), (400, Some("background")));
}

#[test]
fn routes_without_text_are_passed_on_and_others_refused() {
    let mock = Mock::start();
    let closed = Server::start(&mock.arguments());
    let body = json!({ "model": "verbatim", "user": "{\"object\":\"list\",\"data\":[]}", "input": "x" });
    for route in ["embeddings", "moderations", "rerank"] {
        let reply = closed.post(&format!("/v1/{route}"), &body);
        assert_eq!(
            (reply.status, reply.body.as_str()),
            (200, "{\"object\":\"list\",\"data\":[]}"),
            "{route}: {reply:?}"
        );
        assert_eq!(mock.bodies.lock().unwrap().last().unwrap().as_str(), body.to_string());
    }
    let mut unseen = body.clone();
    unseen["user"] = json!(format!("{{\"text\": \"{UNSEEN}\"}}"));
    for route in [
        "audio/transcriptions",
        "messages",
        "threads/t/messages",
        "batches",
        "files/../chat/completions",
        "files/%2e%2e/chat/completions",
    ] {
        let n = mock.bodies.lock().unwrap().len();
        let reply = closed.post(&format!("/v1/{route}"), &unseen);
        assert!([400, 403].contains(&reply.status) && !reply.body.contains("unseen"), "{route}: {reply:?}");
        assert_eq!(mock.bodies.lock().unwrap().len(), n, "{route} is not asked at all");
    }
    let stored = send(closed.address, "GET", "/v1/responses/resp_1", &[], "");
    assert_eq!((stored.status, stored.json()["error"]["code"].as_str()), (403, Some("not_corrected")), "{stored:?}");
    drop(closed);
    let open = Server::start(&format!("{} --fail open", mock.arguments()));
    let reply = open.post("/v1/messages", &unseen);
    assert_eq!((reply.status, reply.header("x-redline-status").as_deref()), (200, Some("uncorrected")), "{reply:?}");
    let alone = Server::start("");
    assert_eq!(alone.post("/v1/embeddings", &body).status, 404);
}

#[test]
fn the_manual_has_the_tables_of_the_code() {
    let mut rows = Vec::new();
    for (title, rules) in redline::serve::TABLES {
        let mut fates = rules.iter().map(|rule| rule.fate).collect::<Vec<_>>();
        fates.dedup();
        for fate in fates {
            let names = rules.iter().filter(|rule| rule.fate == fate).map(|rule| format!("`{}`", rule.name));
            rows.push(format!("| {title} | {} | {} |", names.collect::<Vec<_>>().join(" "), fate.name()));
        }
    }
    let manual = std::fs::read_to_string(crate::program::repository().join("docs/serve.md")).unwrap();
    assert!(manual.contains(&rows.join("\n")), "docs/serve.md must hold\n{}", rows.join("\n"));
    for route in redline::serve::PASSED {
        assert!(manual.contains(&format!("`/v1/{route}`")), "{route}");
    }
}
