//! Responses in events: together they build what comes whole.

use serde_json::{Value, json};

use super::http::Reply;
use super::program::Server;
use super::upstream::Mock;
use super::{CLEAN, FLAWED, QUESTION};

fn request(reply: &Value, is_stream: bool) -> Value {
    json!({ "model": "verbatim", "user": format!("{reply:#}"), "input": QUESTION, "stream": is_stream })
}

fn response(output: Value) -> Value {
    json!({ "id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": "completed", "output": output })
}

fn message(parts: Value) -> Value {
    json!({ "type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": parts })
}

fn text(text: &str) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })
}

fn refusal() -> Value {
    json!({ "type": "refusal", "refusal": FLAWED })
}

fn thought() -> Value {
    json!({ "type": "reasoning_text", "text": "Hm, France." })
}

/// What events build, as clients gather it: items, in them parts, in these their text.
fn gathered(reply: &Reply) -> Value {
    let mut output: Vec<Value> = Vec::new();
    for (name, data) in reply.events() {
        let event: Value = serde_json::from_str(&data).unwrap();
        assert_eq!(event["type"].as_str(), Some(name.as_str()));
        let at = |name: &str| event[name].as_u64().unwrap_or_default() as usize;
        let (item, content, summary) = (at("output_index"), at("content_index"), at("summary_index"));
        assert!(event["item_id"].is_null() || output[item]["id"] == event["item_id"], "{event}");
        let append =
            |text: &mut Value| *text = json!(text.as_str().unwrap().to_owned() + event["delta"].as_str().unwrap());
        match name.as_str() {
            "response.output_item.added" => {
                assert_eq!(output.len(), item, "{event}");
                output.push(event["item"].clone());
            }
            "response.content_part.added" => {
                let parts = output[item]["content"].as_array_mut().unwrap();
                assert_eq!(parts.len(), content, "parts come in their order: {event}");
                parts.push(event["part"].clone());
            }
            "response.reasoning_summary_part.added" => {
                let parts = output[item]["summary"].as_array_mut().unwrap();
                assert_eq!(parts.len(), summary, "parts come in their order: {event}");
                parts.push(event["part"].clone());
            }
            "response.reasoning_summary_part.done" => assert_eq!(output[item]["summary"][summary], event["part"]),
            "response.reasoning_summary_text.delta" => append(&mut output[item]["summary"][summary]["text"]),
            "response.output_text.delta" | "response.reasoning_text.delta" => {
                append(&mut output[item]["content"][content]["text"])
            }
            "response.refusal.delta" => append(&mut output[item]["content"][content]["refusal"]),
            "response.function_call_arguments.delta" => append(&mut output[item]["arguments"]),
            "response.custom_tool_call_input.delta" => append(&mut output[item]["input"]),
            "response.output_text.done" => assert_eq!(output[item]["content"][content]["text"], event["text"]),
            "response.refusal.done" => assert_eq!(output[item]["content"][content]["refusal"], event["refusal"]),
            "response.content_part.done" => assert_eq!(output[item]["content"][content], event["part"]),
            "response.output_item.done" => {
                let mut done = event["item"].clone();
                for name in ["content", "summary", "arguments", "input"] {
                    assert_eq!(output[item][name], done[name], "{event}");
                }
                std::mem::swap(&mut output[item], &mut done);
            }
            "response.completed" => {
                assert_eq!(event["response"]["output"], json!(output), "the end is what was built");
                return event["response"].clone();
            }
            "response.created" | "response.in_progress" => {}
            "response.function_call_arguments.done" | "response.custom_tool_call_input.done" => {}
            "response.reasoning_summary_text.done" | "response.reasoning_text.done" => {}
            other => panic!("{other} is not known: {data}"),
        }
    }
    panic!("no end: {reply:?}")
}

/// What does not depend on how fast drafts were.
fn comparable(mut response: Value) -> Value {
    for item in response["output"].as_array_mut().unwrap() {
        let Some(extension) = item.get_mut("redline").and_then(Value::as_object_mut) else { continue };
        extension.remove("drafted");
        if let Some(refusal) = extension.get_mut("refusal").and_then(Value::as_object_mut) {
            refusal.remove("drafted");
        }
    }
    response
}

#[test]
fn events_build_what_comes_whole() {
    let mock = Mock::start();
    let server = Server::start(&format!("{} --reasoning keep", mock.arguments()));
    let call = json!({ "type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": "{}", "status": "completed" });
    let custom = json!({ "type": "custom_tool_call", "id": "ct_1", "call_id": "c", "name": "f", "input": "x = 1", "status": "completed" });
    let summary = json!([{ "type": "summary_text", "text": "Hm." }, { "type": "summary_text", "text": "So." }]);
    let reasoning = json!({ "type": "reasoning", "id": "rs_1", "summary": summary });
    let open_reasoning =
        json!({ "type": "reasoning", "id": "rs_2", "summary": [], "content": [thought(), { "type": "a_new_type" }] });
    let shapes = [
        json!([message(json!([text(FLAWED)]))]),
        json!([message(json!([thought(), text(FLAWED)]))]),
        json!([message(json!([text(FLAWED), thought()]))]),
        json!([message(json!([thought(), text(FLAWED), thought(), refusal()]))]),
        json!([message(json!([text("You are a complete fool. "), thought(), text(CLEAN)]))]),
        json!([message(json!([refusal()]))]),
        json!([message(json!([text(""), refusal()]))]),
        json!([message(json!([text(" \n")]))]),
        json!([message(json!([thought()]))]),
        json!([message(json!([]))]),
        json!([reasoning, message(json!([text(FLAWED)])), call]),
        json!([message(json!([text(CLEAN)])), message(json!([thought(), text(FLAWED)]))]),
        json!([open_reasoning, custom, message(json!([text(FLAWED)]))]),
        json!([call]),
        json!([]),
    ];
    for output in shapes {
        let reply = response(output.clone());
        let whole = server.post("/v1/responses", &request(&reply, false));
        assert_eq!(whole.status, 200, "{output}: {whole:?}");
        let streamed = gathered(&server.post("/v1/responses", &request(&reply, true)));
        assert_eq!(comparable(whole.json()), comparable(streamed), "{output}");
    }
}

#[test]
fn a_refusal_beside_text_stays_one() {
    let mock = Mock::start();
    let server = Server::start(&mock.arguments());
    let reply = response(json!([message(json!([text(FLAWED), refusal()]))]));
    let whole = server.post("/v1/responses", &request(&reply, false)).json();
    let message = &whole["output"][0];
    let parts = message["content"].as_array().unwrap();
    assert_eq!(parts.len(), 2, "{message}");
    assert_eq!((parts[0]["type"].as_str(), parts[0]["text"].as_str()), (Some("output_text"), Some(CLEAN)));
    assert_eq!((parts[1]["type"].as_str(), parts[1]["refusal"].as_str()), (Some("refusal"), Some(CLEAN)));
    assert_eq!(message["redline"]["answer"], FLAWED);
    assert_eq!(message["redline"]["refusal"]["answer"], FLAWED);

    // in the parts of a chat reply too
    let parts = json!([{ "type": "text", "text": FLAWED }, refusal()]);
    let chat =
        json!({ "choices": [{ "message": { "role": "assistant", "content": parts }, "finish_reason": "stop" }] });
    let body =
        json!({ "model": "verbatim", "user": chat.to_string(), "messages": [{ "role": "user", "content": QUESTION }] });
    let choice = server.post("/v1/chat/completions", &body).json()["choices"][0].clone();
    assert_eq!(choice["message"]["content"][0]["text"], CLEAN);
    assert_eq!(choice["message"]["content"][1]["refusal"], CLEAN);
    assert_eq!(choice["redline"]["refusal"]["answer"], FLAWED);
}

#[test]
fn a_reply_repeats_what_the_request_says_and_nothing_else() {
    let mock = Mock::start();
    let server = Server::start(&mock.arguments());
    let mut reply = response(json!([message(json!([text(CLEAN)]))]));
    let unseen = "You-are-a-complete-fool,-unseen.";
    for name in ["instructions", "safety_identifier", "prompt_cache_key"] {
        reply[name] = json!(unseen);
    }
    reply["metadata"] = json!({ unseen: unseen });
    reply["tools"] = json!([{ "type": "function", "name": unseen }]);
    reply["incomplete_details"] = json!({ "reason": unseen });
    for is_stream in [false, true] {
        let got = server.post("/v1/responses", &request(&reply, is_stream));
        assert!(got.status == 200 && !got.body.contains("unseen,") && got.body.contains("dropped"), "{got:?}");
        let whole = if is_stream { gathered(&got) } else { got.json() };
        // the test's own field tells this upstream server its reply
        let mut without = whole.clone();
        without.as_object_mut().unwrap().remove("user");
        assert!(!without.to_string().contains("unseen"), "{without}");
        assert_eq!(
            (&whole["metadata"], &whole["tools"], &whole["instructions"]),
            (&json!({}), &json!([]), &Value::Null)
        );
        let dropped = whole["redline"]["dropped"].as_array().unwrap();
        for name in ["instructions", "safety_identifier", "prompt_cache_key", "metadata", "tools", "incomplete_details"]
        {
            assert!(dropped.contains(&json!(name)), "{name}: {dropped:?}");
        }
    }
    let mut own = request(&reply, false);
    own["metadata"] = json!({ "a": "b" });
    own["instructions"] = json!("Be brief.");
    let whole = server.post("/v1/responses", &own).json();
    assert_eq!((&whole["metadata"], whole["instructions"].as_str()), (&json!({ "a": "b" }), Some("Be brief.")));
}

#[test]
fn agent_loops_without_a_question_go_upstream() {
    let mock = Mock::start();
    let server = Server::start(&mock.arguments());
    let reply = response(json!([message(json!([text(FLAWED)]))]));
    let output = json!([{ "type": "function_call_output", "call_id": "c", "output": "4" }]);
    for more in [
        json!({ "input": output, "previous_response_id": "resp_0" }),
        json!({ "input": output }),
        json!({ "prompt": { "id": "pmpt_1" } }),
    ] {
        let mut body = json!({ "model": "verbatim", "user": reply.to_string() });
        more.as_object().unwrap().iter().for_each(|(name, value)| body[name] = value.clone());
        let whole = server.post("/v1/responses", &body);
        assert_eq!(whole.status, 200, "{more}: {whole:?}");
        assert_eq!(whole.json()["output"][0]["redline"]["status"], "corrected");
    }
    let chat =
        json!({ "choices": [{ "message": { "role": "assistant", "content": FLAWED }, "finish_reason": "stop" }] });
    for messages in [
        json!([{ "role": "assistant", "tool_calls": [] }, { "role": "tool", "tool_call_id": "c", "content": "4" }]),
        json!([{ "role": "assistant", "content": "The capital" }]),
    ] {
        let body = json!({ "model": "verbatim", "user": chat.to_string(), "messages": messages });
        let whole = server.post("/v1/chat/completions", &body);
        assert_eq!(whole.status, 200, "{messages}: {whole:?}");
        assert_eq!(whole.json()["choices"][0]["redline"]["answer"], FLAWED);
    }
}
