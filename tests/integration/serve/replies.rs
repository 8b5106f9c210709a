//! What becomes of each field of an upstream reply: whole and streamed alike, under `closed` and `open`.

use serde_json::{Map, Value, json};

use super::http::Reply;
use super::program::Server;
use super::upstream::Mock;
use super::{CLEAN, FLAWED, QUESTION};

/// A text that nobody corrects, and that no client of a closed server may see.
const UNSEEN: &str = "The user is a complete fool and unseen.";

fn request(reply: &Value, is_stream: bool) -> Value {
    json!({
        "model": "verbatim", "user": format!("{reply:#}"), "stream": is_stream,
        "messages": [{ "role": "user", "content": QUESTION }],
    })
}

/// An upstream reply with this message.
fn completion(message: Value) -> Value {
    let reason = if message.get("tool_calls").is_some() { "tool_calls" } else { "stop" };
    json!({
        "id": "c1", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{ "index": 0, "message": message, "finish_reason": reason }],
        "usage": { "prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7 },
    })
}

fn calls() -> Value {
    json!([{ "id": "call_1", "type": "function", "function": { "name": "look_up", "arguments": "{\"q\": \"Paris\"}" } }])
}

/// The chunks of a stream that ended well.
fn chunks(reply: &Reply) -> Vec<Value> {
    let events = reply.events();
    assert_eq!(events.last().map(|(_, data)| data.as_str()), Some("[DONE]"), "{reply:?}");
    events[..events.len() - 1].iter().map(|(_, data)| serde_json::from_str(data).unwrap()).collect()
}

/// The choices of a stream, gathered as clients do.
fn gathered(reply: &Reply) -> Vec<Value> {
    let mut choices: std::collections::BTreeMap<u64, Map<String, Value>> = Default::default();
    for chunk in chunks(reply) {
        for choice in chunk["choices"].as_array().unwrap() {
            let whole = choices.entry(choice["index"].as_u64().unwrap()).or_default();
            for (name, value) in choice.as_object().unwrap().iter().filter(|(name, _)| *name != "delta") {
                whole.insert(name.clone(), value.clone());
            }
            let message = whole.entry("message").or_insert_with(|| json!({}));
            for (name, value) in choice["delta"].as_object().unwrap() {
                let more = match (&message[name], value) {
                    (Value::String(before), Value::String(after)) => json!(format!("{before}{after}")),
                    _ => value.clone(),
                };
                message[name] = more;
            }
            for call in message["tool_calls"].as_array_mut().into_iter().flatten() {
                call.as_object_mut().unwrap().remove("index");
            }
            if message["tool_calls"].is_null() {
                message.as_object_mut().unwrap().remove("tool_calls");
            }
        }
    }
    choices.into_values().map(Value::Object).collect()
}

/// The choices of a reply, after a check that a stream brings the same.
fn choices(server: &Server, reply: &Value) -> Vec<Value> {
    let whole = server.post("/v1/chat/completions", &request(reply, false));
    assert_eq!(whole.status, 200, "{whole:?}");
    let whole = whole.json()["choices"].as_array().unwrap().clone();
    let streamed = gathered(&server.post("/v1/chat/completions", &request(reply, true)));
    let comparable = |choices: &[Value]| -> Vec<Value> {
        let mut choices = choices.to_vec();
        // how drafts fared depends on what is written beside; all else may not
        choices.iter_mut().for_each(|choice| drop(choice["redline"].as_object_mut().unwrap().remove("drafted")));
        choices.sort_by_key(|choice| choice["index"].as_u64());
        choices
    };
    assert_eq!(comparable(&whole), comparable(&streamed), "a stream brings something else for {reply}");
    whole
}

fn message(server: &Server, message: Value) -> [Value; 2] {
    let choice = choices(server, &completion(message)).remove(0);
    [choice["message"].clone(), choice["redline"].clone()]
}

#[test]
fn closed_lets_nothing_through_that_the_aligner_has_not_seen() {
    let mock = Mock::start();
    let server = Server::start(&mock.arguments());
    let passing = [
        json!({ "content": FLAWED, "reasoning_content": UNSEEN }),
        json!({ "content": FLAWED, "reasoning": UNSEEN, "reasoning_details": [{ "text": UNSEEN }] }),
        json!({ "content": FLAWED, "annotations": [{ "type": "url_citation", "url_citation": { "title": UNSEEN } }] }),
        json!({ "content": FLAWED, "a_new_field": UNSEEN }),
        json!({ "content": FLAWED, "role": UNSEEN }),
        json!({ "content": format!("<think>\n{UNSEEN}\n</think>\n\n{FLAWED}") }),
        json!({ "content": [{ "type": "thinking", "thinking": [{ "type": "text", "text": UNSEEN }] }, { "type": "text", "text": FLAWED }] }),
        json!({ "content": [{ "type": "text", "text": FLAWED, "annotations": [UNSEEN] }] }),
        json!({ "content": FLAWED, "tool_calls": calls() }),
        json!({ "content": null, "tool_calls": calls() }),
        json!({ "content": "", "tool_calls": calls() }),
        json!({ "content": null, "function_call": { "name": "f", "arguments": "{}" } }),
        json!({ "content": null, "refusal": FLAWED }),
        json!({ "content": null, "reasoning_content": UNSEEN }),
        json!({ "role": "assistant", "content": FLAWED, "refusal": null, "annotations": [], "audio": null }),
    ];
    for said in passing {
        let [message, extension] = message(&server, said.clone());
        let all = message.to_string() + &extension.to_string();
        assert!(!all.contains("unseen"), "{said}: {all}");
        let text = message.to_string();
        assert!(!text.contains("complete fool"), "{said}: {text}");
        assert_eq!(text.contains(CLEAN), said.to_string().contains(CLEAN), "{said}: {text}");
        assert_eq!(message["tool_calls"], said["tool_calls"], "{said}");
        let leaves_out = said.to_string().contains("unseen");
        assert_eq!(extension["dropped"].is_array(), leaves_out, "what is left out is named: {said}: {extension}");
    }
    let refused = [
        json!({ "content": { "text": UNSEEN } }),
        json!({ "content": 7 }),
        json!({ "content": [{ "type": "image_url", "image_url": { "url": UNSEEN } }] }),
        json!({ "content": [{ "type": "text", "text": FLAWED }, { "type": "a_new_type", "text": UNSEEN }] }),
        json!({ "content": [[UNSEEN]] }),
        json!({ "content": FLAWED, "audio": { "id": "a", "data": "", "transcript": UNSEEN } }),
        json!({ "content": FLAWED, "images": [{ "image_url": { "url": UNSEEN } }] }),
        json!({ "content": null, "tool_calls": UNSEEN }),
        json!({ "content": null, "refusal": { "text": UNSEEN } }),
    ];
    for said in refused {
        for is_stream in [false, true] {
            let reply = server.post("/v1/chat/completions", &request(&completion(said.clone()), is_stream));
            assert_eq!(
                (reply.status, reply.json()["error"]["code"].as_str()),
                (502, Some("upstream_reply")),
                "{said}: {reply:?}"
            );
            assert!(!reply.body.contains("unseen"), "{reply:?}");
        }
    }
}

#[test]
fn beside_the_message_the_same_holds() {
    let mock = Mock::start();
    let server = Server::start(&mock.arguments());
    let mut reply = completion(json!({ "content": FLAWED }));
    reply["choices"][0]["text"] = json!(UNSEEN);
    reply["choices"][0]["delta"] = json!({ "content": UNSEEN });
    reply["choices"][0]["logprobs"] = json!({ "content": [{ "token": UNSEEN }] });
    reply["citations"] = json!([UNSEEN]);
    reply["system_fingerprint"] = json!("fp_1");
    reply["service_tier"] = json!("default");
    reply["usage"]["note"] = json!(UNSEEN);
    for name in ["id", "model", "object", "provider"] {
        reply[name] = json!(UNSEEN);
    }
    reply["choices"][0]["finish_reason"] = json!(UNSEEN);
    reply["choices"][0]["stop_reason"] = json!(UNSEEN);
    let whole = server.post("/v1/chat/completions", &request(&reply, false)).json();
    assert!(!whole.to_string().contains("unseen"), "{whole}");
    assert_eq!((whole["system_fingerprint"].as_str(), whole["service_tier"].as_str()), (Some("fp_1"), Some("default")));
    assert_eq!(whole["choices"][0]["logprobs"], Value::Null);
    let dropped: Vec<&str> =
        whole["choices"][0]["redline"]["dropped"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    for name in ["citations", "text", "delta", "logprobs"] {
        assert!(dropped.contains(&name), "{name} is left out without a word: {dropped:?}");
    }
    let streamed = server.post("/v1/chat/completions", &request(&reply, true));
    assert!(!streamed.body.contains("unseen"), "{streamed:?}");
    assert!(chunks(&streamed).iter().all(|chunk| chunk["system_fingerprint"] == "fp_1"));
    choices(&server, &reply);
}

#[test]
fn open_lets_through_what_it_names() {
    let mock = Mock::start();
    let server = Server::start(&format!("{} --fail open", mock.arguments()));
    for (said, name) in [
        (json!({ "content": FLAWED, "reasoning_content": UNSEEN }), "message.reasoning_content"),
        (json!({ "content": FLAWED, "annotations": [UNSEEN] }), "message.annotations"),
        (json!({ "content": FLAWED, "a_new_field": UNSEEN }), "message.a_new_field"),
        (json!({ "content": { "text": UNSEEN } }), "message.content"),
        (json!({ "content": null, "audio": { "transcript": UNSEEN } }), "message.audio"),
        (
            json!({ "content": [{ "type": "text", "text": FLAWED }, { "type": "image_url", "image_url": UNSEEN }] }),
            "message.content.image_url",
        ),
    ] {
        let [message, extension] = message(&server, said.clone());
        assert!(message.to_string().contains("unseen"), "{said}: {message}");
        assert_eq!(extension["unseen"], json!([name]), "{said}");
        assert!(!message.to_string().contains("You are a complete fool"), "text is corrected all the same: {message}");
    }
    let [message, extension] = message(&server, json!({ "content": format!("<think>{UNSEEN}</think>{FLAWED}") }));
    let content = message["content"].as_str().unwrap();
    assert!(content.starts_with(&format!("<think>{UNSEEN}</think>")) && content.contains(CLEAN), "{content}");
    assert_eq!(extension["kept"], json!(["reasoning"]));
}

#[test]
fn reasoning_goes_by_the_setting() {
    let mock = Mock::start();
    let keep = Server::start(&format!("{} --reasoning keep", mock.arguments()));
    let said = json!({ "content": format!("<think>\nHm, France.\n</think>\n\n{FLAWED}"), "reasoning_content": "Hm." });
    let [kept, extension] = message(&keep, said.clone());
    let content = kept["content"].as_str().unwrap();
    assert!(content.starts_with("<think>\nHm, France.\n</think>\n\n") && content.contains(CLEAN), "{content}");
    assert!(!content.contains("fool"), "the answer after it is corrected: {content}");
    assert_eq!(
        (kept["reasoning_content"].as_str(), &extension["unseen"]),
        (Some("Hm."), &json!(["message.reasoning_content"]))
    );
    drop(keep);
    let drop = Server::start(&format!("{} --fail open --reasoning drop", mock.arguments()));
    let [dropped, _] = message(&drop, said);
    assert!(!dropped.to_string().contains("Hm"), "{dropped}");
}

#[test]
fn parts_come_back_as_parts_and_choices_in_their_order() {
    let mock = Mock::start();
    let server = Server::start(&mock.arguments());
    let parts = json!([{ "type": "text", "text": "You are a complete fool. " }, { "type": "text", "text": CLEAN }]);
    let [message, extension] = message(&server, json!({ "role": "assistant", "content": parts }));
    assert_eq!(message["content"].as_array().unwrap().len(), 1, "{message}");
    assert!(message["content"][0]["text"].as_str().unwrap().contains(CLEAN), "{message}");
    assert_eq!(extension["answer"], FLAWED);
    let mut reply = completion(json!({ "content": CLEAN }));
    let other = json!({ "index": 0, "message": { "role": "assistant", "content": FLAWED }, "finish_reason": "length" });
    reply["choices"][0]["index"] = json!(1);
    reply["choices"].as_array_mut().unwrap().push(other);
    let choices = choices(&server, &reply);
    let by_index = |index: u64| choices.iter().find(|choice| choice["index"] == index).unwrap();
    assert_eq!(
        (by_index(1)["redline"]["answer"].as_str(), by_index(0)["redline"]["answer"].as_str()),
        (Some(CLEAN), Some(FLAWED))
    );
    assert_eq!(by_index(0)["finish_reason"], "length");
    reply["choices"][0]["index"] = json!(0);
    assert_eq!(server.post("/v1/chat/completions", &request(&reply, false)).status, 502, "two of one index");
}

#[test]
fn what_is_no_prose_survives() {
    let mock = Mock::start();
    let server = Server::start(&mock.arguments());
    let code = "```python\nprint('You are a complete fool.')\n```";
    let said = format!("{FLAWED}\n\n{code}\n\n{FLAWED}");
    let [message, extension] = message(&server, json!({ "content": said }));
    let content = message["content"].as_str().unwrap();
    assert!(content.contains(code) && content.starts_with(CLEAN) && content.ends_with(CLEAN), "{content}");
    assert_eq!((&extension["kept"], extension["status"].as_str()), (&json!(["code"]), Some("corrected")));
    let table = "| City | Land |\n|---|---|\n| Paris | France |";
    let [message, extension] = self::message(&server, json!({ "content": table }));
    assert_eq!((message["content"].as_str(), extension["status"].as_str()), (Some(table), Some("skipped")));
    assert!(extension["reason"].as_str().unwrap().contains("table"), "{extension}");
    let link = "You are a complete fool. See https://example.org/a/b?c=d#e for the capital of France.";
    let [message, _] = self::message(&server, json!({ "content": link }));
    assert!(message["content"].as_str().unwrap().contains("https://example.org/a/b?c=d#e"), "{message}");
}

#[test]
fn json_stays_json() {
    let mock = Mock::start();
    let server = Server::start(&mock.arguments());
    let document = format!(
        "{{\"city\": \"Paris\", \"id\": 123456789012345678901234567890, \"note\": \"{FLAWED}\", \"tags\": [\"a\", \"b\"]}}"
    );
    let formats = [
        json!({}),
        json!({ "response_format": { "type": "json_object" } }),
        json!({ "response_format": { "type": "json_schema", "json_schema": { "name": "x", "schema": { "type": "object" } } } }),
        json!({ "guided_json": {} }),
    ];
    for format in formats {
        for is_stream in [false, true] {
            let mut body = request(&completion(json!({ "content": document })), is_stream);
            format.as_object().unwrap().iter().for_each(|(name, value)| body[name] = value.clone());
            let reply = server.post("/v1/chat/completions", &body);
            let choice = if is_stream { gathered(&reply).remove(0) } else { reply.json()["choices"][0].clone() };
            let content = choice["message"]["content"].as_str().unwrap();
            let value: Value = serde_json::from_str(content).unwrap_or_else(|error| panic!("{error}: {content}"));
            assert_eq!((value["city"].as_str(), &value["tags"]), (Some("Paris"), &json!(["a", "b"])));
            assert!(content.contains("\"id\": 123456789012345678901234567890"), "numbers keep their digits: {content}");
            assert!(!content.contains("fool") && content.contains("capital of France"), "{content}");
            assert_eq!(choice["redline"]["kept"], json!(["JSON"]));
        }
    }
    let schema = json!({ "properties": { "note": { "enum": [FLAWED] } } });
    let mut body = request(&completion(json!({ "content": document })), false);
    body["response_format"] = json!({ "type": "json_schema", "json_schema": { "schema": schema } });
    let reply = server.post("/v1/chat/completions", &body).json();
    assert_eq!(reply["choices"][0]["message"]["content"].as_str(), Some(document.as_str()), "a text of a choice stays");
    assert_eq!(reply["choices"][0]["redline"]["status"], "skipped");
    let mut body = request(&completion(json!({ "content": "{\"city\": \"Par" })), false);
    body["response_format"] = json!({ "type": "json_object" });
    assert_eq!(server.post("/v1/chat/completions", &body).status, 502, "what does not parse is not sent");
    let mut body = request(&completion(json!({ "content": FLAWED })), false);
    body["guided_regex"] = json!(".*");
    let reply = server.post("/v1/chat/completions", &body).json();
    assert!(reply["choices"][0]["redline"]["reason"].as_str().unwrap().contains("guided_regex"), "{reply}");
}

/// Forms that have hidden prose from the Aligner: what stands around and in them is corrected all the same.
#[test]
fn no_form_takes_prose_past_the_aligner() {
    let mock = Mock::start();
    let server = Server::start(&mock.arguments());
    let json = format!("{{\"note\": \"{FLAWED}\"}}");
    for said in [
        format!("{{\"a\": 1}}\n\n{FLAWED}"),
        format!("<svg></svg>\n\n{FLAWED}"),
        format!("<!DOCTYPE html>\n\n{FLAWED}"),
        format!("> ```\n> ls\n\n{FLAWED}"),
        format!("\\[ x \\].\n\n{FLAWED}\n\n\\[ y \\]."),
        format!("| a | b |\n|---|---|\n| 1 | 2 |\n{FLAWED}"),
        format!("{{\"note\": \"```\\nls\\n```\\n\\n{FLAWED}\"}}"),
        format!("{FLAWED}\n<think>\nHm.\n</think>\n{json}"),
        format!("<THINK >\n{UNSEEN}\n</think>\n{json}"),
        format!("<think>{UNSEEN}<think>{UNSEEN}</think>{UNSEEN}</think>{FLAWED}"),
    ] {
        let [message, extension] = message(&server, json!({ "content": said }));
        let content = message["content"].as_str().unwrap();
        assert!(!content.contains("fool") && content.contains("capital of France is Paris."), "{said:?}: {content:?}");
        assert_eq!(extension["status"], "corrected", "{said:?}");
        if said.starts_with("{\"note") {
            serde_json::from_str::<Value>(content).unwrap();
        }
    }
    let fenced = format!("{FLAWED}\n```json\n{json}\n```\n{FLAWED}");
    let mut body = request(&completion(json!({ "content": fenced })), false);
    body["response_format"] = json!({ "type": "json_object" });
    let reply = server.post("/v1/chat/completions", &body).json();
    let content = reply["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(!content.contains("fool") && content.contains("```json\n{\"note\": "), "{content}");
}

/// A document whose correction would break off: an error, or the answer as it was where that may pass.
#[test]
fn no_document_is_sent_in_part() {
    let mock = Mock::start();
    let document = format!("{{\"note\": \"{FLAWED}\"}}");
    for (fail, status) in [("closed", 502), ("open", 200)] {
        let server = Server::start(&format!("{} --fail {fail} --max-new-tokens 2", mock.arguments()));
        for is_stream in [false, true] {
            let body = request(&completion(json!({ "content": document })), is_stream);
            let reply = server.post("/v1/chat/completions", &body);
            assert!(fail == "open" || !reply.body.contains("fool"), "{reply:?}");
            if is_stream && fail == "closed" {
                assert!(reply.body.contains("correction_unfinished") && !reply.body.contains("[DONE]"), "{reply:?}");
                continue;
            }
            assert_eq!(reply.status, status, "{reply:?}");
            if status == 200 {
                let choice = if is_stream { gathered(&reply).remove(0) } else { reply.json()["choices"][0].clone() };
                assert_eq!(choice["redline"]["status"], "uncorrected", "{choice}");
                assert_eq!(choice["message"]["content"].as_str(), Some(document.as_str()));
            }
        }
    }
}

#[test]
fn white_space_around_an_answer_stays() {
    let mock = Mock::start();
    let server = Server::start(&mock.arguments());
    let code = "    let x = 1;\n    x\n";
    for said in [format!("\n\n{CLEAN}\n"), format!(" {CLEAN} "), code.to_owned()] {
        let [message, extension] = message(&server, json!({ "content": said }));
        assert_eq!(message["content"].as_str(), Some(said.as_str()));
        assert!(said == code || extension["exact_copy"] == true, "{extension}");
    }
}

#[test]
fn limits_of_the_request_bind_what_is_sent() {
    let mock = Mock::start();
    let server = Server::start(&mock.arguments());
    let reply = completion(json!({ "content": format!("{CLEAN} {CLEAN}") }));
    for is_stream in [false, true] {
        let ask = |more: Value| {
            let mut body = request(&reply, is_stream);
            more.as_object().unwrap().iter().for_each(|(name, value)| body[name] = value.clone());
            let reply = server.post("/v1/chat/completions", &body);
            if is_stream { gathered(&reply).remove(0) } else { reply.json()["choices"][0].clone() }
        };
        let all = ask(json!({}));
        assert_eq!(
            (all["message"]["content"].as_str(), all["finish_reason"].as_str()),
            (Some(format!("{CLEAN} {CLEAN}").as_str()), Some("stop"))
        );
        let stopped = ask(json!({ "stop": [" is Paris"] }));
        assert_eq!(stopped["message"]["content"], "The capital of France");
        assert_eq!(stopped["redline"]["usage"], all["redline"]["usage"], "a stop text takes no measure away");
        let ratio = |choice: &Value, whole: &str| {
            let said = choice["message"]["content"].as_str().unwrap();
            (whole.len() - said.trim_end().len()) as f64 / whole.len() as f64
        };
        let whole = format!("{CLEAN} {CLEAN}");
        assert_eq!(stopped["redline"]["edit_ratio"].as_f64(), Some(ratio(&stopped, &whole)), "{stopped}");
        assert_eq!(stopped["redline"]["exact_copy"], false);
        let cut = ask(json!({ "max_tokens": 3 }));
        assert_eq!(
            (cut["finish_reason"].as_str(), cut["redline"]["truncated"].as_bool()),
            (Some("length"), Some(true))
        );
        assert!(cut["message"]["content"].as_str().unwrap().len() < CLEAN.len(), "{cut}");
        assert_eq!(cut["redline"]["edit_ratio"].as_f64(), Some(ratio(&cut, &whole)), "{cut}");
        assert_eq!(ask(json!({ "max_completion_tokens": 3 }))["message"], cut["message"]);
        let mut body = request(&completion(json!({ "content": format!("```\nls\n```\n{CLEAN}") })), is_stream);
        body["stop"] = json!(["ls"]);
        let reply = server.post("/v1/chat/completions", &body);
        let before = if is_stream { gathered(&reply).remove(0) } else { reply.json()["choices"][0].clone() };
        assert_eq!((&before["message"]["content"], &before["redline"]["status"]), (&json!("```\n"), &json!("skipped")));
        assert!(before["redline"]["reason"].as_str().unwrap().contains("before any prose"), "{before}");
    }
}

#[test]
fn tokens_of_both_models_are_counted_and_missing_fields_made() {
    let mock = Mock::start();
    let server = Server::start(&mock.arguments());
    let mut reply = completion(json!({ "content": FLAWED }));
    let whole = server.post("/v1/chat/completions", &request(&reply, false)).json();
    let aligner = &whole["usage"]["redline"]["aligner"];
    assert_eq!(
        whole["usage"]["redline"]["upstream"],
        json!({ "prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7 })
    );
    assert!(aligner["completion_tokens"].as_u64().unwrap() > 3, "{aligner}");
    assert_eq!(whole["usage"]["total_tokens"].as_u64().unwrap(), 7 + aligner["total_tokens"].as_u64().unwrap());
    for name in ["id", "created", "model", "object", "usage"] {
        reply.as_object_mut().unwrap().remove(name);
    }
    let mut body = request(&reply, true);
    body["stream_options"] = json!({ "include_usage": true });
    let chunks = chunks(&server.post("/v1/chat/completions", &body));
    let id = chunks[0]["id"].as_str().unwrap();
    assert!(id.starts_with("chatcmpl-") && chunks.iter().all(|chunk| chunk["id"] == id), "{chunks:?}");
    assert!(chunks[0]["created"].as_u64().unwrap() > 0 && chunks[0]["model"] == "verbatim");
    assert_eq!(chunks.last().unwrap()["usage"]["redline"]["upstream"], Value::Null);
}

#[test]
fn errors_inside_of_success_are_the_clients() {
    let mock = Mock::start();
    let server = Server::start(&mock.arguments());
    let mut broken = completion(json!({ "content": "" }));
    broken["choices"][0]["error"] = json!({ "code": 502, "message": "provider went away" });
    let cases = [
        (json!({ "error": { "message": "quota is used up", "code": 429 }, "user_id": "u" }), 429, "quota is used up"),
        (json!({ "error": "model not found" }), 502, "model not found"),
        (json!({ "error": { "message": "no", "code": "invalid" } }), 502, "no"),
        (broken, 502, "provider went away"),
    ];
    for (reply, status, message) in cases {
        for is_stream in [false, true] {
            let got = server.post("/v1/chat/completions", &request(&reply, is_stream));
            assert_eq!(got.status, status, "{got:?}");
            assert!(got.json()["error"]["message"].as_str().unwrap().contains(message), "{got:?}");
        }
    }
}

#[test]
fn requests_go_upstream_as_they_came() {
    let mock = Mock::start();
    let server = Server::start(&mock.arguments());
    let reply = serde_json::to_string(&completion(json!({ "content": CLEAN })).to_string()).unwrap();
    let schema = r#"{"type":"object","properties":{"reasoning":{"type":"string"},"answer":{"type":"string"}}}"#;
    let body = format!(
        r#"{{"model":"verbatim","user":{reply},"seed":123456789012345678901234567890,"messages":[{{"role":"user","content":"A"}}],"response_format":{{"type":"text","z":{schema}}},"x":1.50,"a":[ 1 ]}}"#
    );
    let sent = body.replace("\"x\":1.50", "\"steering\":{\"coefficient\":0.5},\"x\":1.50");
    let got = super::http::send(server.address, "POST", "/v1/chat/completions", &[], &sent);
    assert_eq!(got.status, 200, "{got:?}");
    let received = mock.bodies.lock().unwrap().last().unwrap().clone();
    assert_eq!(received, format!("{},\"stream\":false}}", &body[..body.len() - 1]));
    for messages in [
        json!([{ "role": "system", "content": "Say hello." }]),
        json!([{ "role": "user", "content": [{ "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA" } }] }]),
    ] {
        let mut body = request(&completion(json!({ "content": CLEAN })), false);
        body["messages"] = messages;
        assert_eq!(server.post("/v1/chat/completions", &body).status, 200, "{body}");
    }
    let lone = r#"{"choices":[{"message":{"content":"The capital of France is Paris. \ud83d"}}]}"#;
    let mut body = request(&json!({}), false);
    body["user"] = json!(lone);
    assert_eq!(server.post("/v1/chat/completions", &body).status, 200, "half a character is no reason to fail");
}
