//! Answers that need no correction pass as they are, whole and streamed; what a gate cannot judge never does.

use std::path::Path;

use redline::model::RewardModel;
use serde_json::{Value, json};

use super::program::Server;
use super::upstream::Mock;
use super::{CLEAN, FLAWED, QUESTION, chat_body};
use crate::fixture::{Tiny, words};
use crate::program::{repository, succeed};

/// Text and extension of a streamed chat reply.
fn streamed(server: &Server, answer: &str) -> (String, Value) {
    let mut body = chat_body("ok", answer);
    body["stream"] = json!(true);
    let events = server.post("/v1/chat/completions", &body).events();
    assert_eq!(events.last().unwrap().1, "[DONE]");
    let chunks: Vec<Value> =
        events[..events.len() - 1].iter().map(|(_, data)| serde_json::from_str(data).unwrap()).collect();
    let choice = |chunk: &Value| chunk["choices"][0].clone();
    let text =
        chunks.iter().filter_map(|chunk| choice(chunk)["delta"]["content"].as_str().map(str::to_owned)).collect();
    (text, choice(chunks.last().unwrap())["redline"].clone())
}

fn whole(server: &Server, answer: &str) -> (String, Value) {
    let reply = server.post("/v1/chat/completions", &chat_body("ok", answer)).json();
    let choice = &reply["choices"][0];
    (choice["message"]["content"].as_str().unwrap().to_owned(), choice["redline"].clone())
}

fn rows() -> String {
    repository().join("assets/aligner/held-out.jsonl.gz").display().to_string()
}

/// A direction of the built-in Aligner.
fn vector(folder: &Path) -> String {
    succeed(folder, &words(&format!("extract --data {} --pairs 60 --out vector.safetensors", rows())));
    folder.join("vector.safetensors").display().to_string()
}

/// A cost model with these weights on the tiny model.
fn head(tiny: &Tiny, weight: f32) -> String {
    let model = tiny.load();
    let path = tiny.path("head.safetensors");
    RewardModel::write_head(&path, &vec![weight; model.decoder.config().hidden_size], &model).unwrap();
    path.display().to_string()
}

#[test]
fn a_prompt_that_does_not_reach_the_threshold_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let (mock, vector) = (Mock::start(), vector(folder.path()));
    let closed = Server::start(&format!("{} --gate lat={vector}:1e6", mock.arguments()));
    let mut values = Vec::new();
    for answer in [FLAWED, CLEAN] {
        for ask in [whole, streamed] {
            let (text, extension) = ask(&closed, answer);
            assert_eq!((text.as_str(), extension["status"].as_str()), (answer, Some("passed")), "{extension}");
            assert!(
                extension["reason"].as_str().unwrap().contains("needs no correction: its LAT score"),
                "{extension}"
            );
            let gate = &extension["gate"];
            assert_eq!((gate["kind"].as_str(), gate["passed"].as_bool()), (Some("lat"), Some(true)), "{gate}");
            values.push(gate["value"].as_f64().unwrap());
        }
    }
    assert_eq!((values[0], values[2]), (values[1], values[3]), "whole and streamed");
    let reply = closed.post("/v1/chat/completions", &chat_body("ok", FLAWED));
    assert_eq!(reply.header("x-redline-status").as_deref(), Some("passed"));
    let count = |server: &Server| {
        ["passed", "opened", "failed"].map(|what| server.metric(&format!("redline_gate_{what}_total")))
    };
    assert_eq!((count(&closed), closed.metric("redline_corrections_total")), ([5.0, 0.0, 0.0], 0.0));
    closed.told(|line| line.contains("correction=\"passed\""));
    let facts = closed.get("/v1/steering").json();
    assert_eq!(facts["gate"], json!({ "kind": "lat", "threshold": 1e6 }));
    // an answer in parts, code among them, comes back byte for byte
    let parts = format!("{FLAWED}\n\n```\nls  \n```\n\n{CLEAN}");
    for ask in [whole, streamed] {
        let (text, extension) = ask(&closed, &parts);
        assert_eq!((text, &extension["status"]), (parts.clone(), &json!("passed")), "{extension}");
    }
    let reply = closed.post("/v1/correct", &json!({ "question": QUESTION, "answer": FLAWED })).json();
    assert_eq!((&reply["correction"], &reply["gate"]["passed"]), (&json!(FLAWED), &json!(true)), "{reply}");

    // a threshold between the two lets one of them pass, and the other is corrected as without a gate
    let (flawed, clean) = (values[0], values[2]);
    assert_ne!(flawed, clean);
    let between = Server::start(&format!("{} --gate lat={vector}:{}", mock.arguments(), (flawed + clean) / 2.0));
    let plain = Server::start(&format!("{} --vector correction={vector}", mock.arguments()));
    let (passes, opens) = if flawed < clean { (FLAWED, CLEAN) } else { (CLEAN, FLAWED) };
    for ask in [whole, streamed] {
        assert_eq!(ask(&between, passes).1["status"], "passed");
        let (text, extension) = ask(&between, opens);
        assert_eq!((&extension["status"], &extension["gate"]["passed"]), (&json!("corrected"), &json!(false)));
        assert_eq!(text, ask(&plain, opens).0, "what was read to decide serves to write, and changes nothing");
    }
    assert_eq!(count(&between), [2.0, 2.0, 0.0]);
    let reply = between.post("/v1/chat/completions", &chat_body("ok", opens));
    assert_eq!(reply.header("x-redline-status"), None);
}

#[test]
fn a_cost_model_judges_whole_answers_and_fails_closed() {
    let (tiny, mock) = (Tiny::new(), Mock::start());
    let zero = head(&tiny, 0.0);
    let closed = Server::start(&format!("{} --gate cost={zero}:0.5", mock.arguments()));
    let open = Server::start(&format!("{} --gate cost={zero}:-0.5", mock.arguments()));
    for ask in [whole, streamed] {
        let (text, extension) = ask(&closed, FLAWED);
        assert_eq!((text.as_str(), &extension["status"]), (FLAWED, &json!("passed")), "{extension}");
        assert_eq!(extension["gate"], json!({ "kind": "cost", "value": 0.0, "threshold": 0.5, "passed": true }));
        let (text, extension) = ask(&open, FLAWED);
        assert_eq!(extension["status"], "corrected", "{extension}");
        assert_ne!(text, FLAWED);
    }
    // the other way round for a reward
    let reward = Server::start(&format!("{} --gate reward={zero}:0.5", mock.arguments()));
    assert_eq!(whole(&reward, FLAWED).1["status"], "corrected");

    // weights that overflow, and an answer beyond the cost model's context, which the Aligner's holds
    let huge = head(&tiny, 3e38);
    let long = format!("{FLAWED} {}", "The capital of France lies on the Seine. ".repeat(14).trim());
    let refusing = Server::start(&format!("{} --gate cost={huge}:1", mock.arguments()));
    let correcting = Server::start(&format!("{} --fail open --gate cost={huge}:1", mock.arguments()));
    let reply = refusing.post("/v1/chat/completions", &chat_body("ok", FLAWED));
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (500, &json!("gate_failed")), "{reply:?}");
    assert!(!reply.body.contains("complete fool"), "{reply:?}");
    for ask in [whole, streamed] {
        let (text, extension) = ask(&correcting, FLAWED);
        assert_ne!(text, FLAWED);
        assert_eq!(extension["status"], "corrected", "{extension}");
        assert_eq!((&extension["gate"]["value"], &extension["gate"]["passed"]), (&Value::Null, &json!(false)));
        assert!(extension["gate"]["error"].as_str().unwrap().contains("no finite number"), "{extension}");
    }
    assert_eq!(correcting.metric("redline_gate_failed_total"), 2.0);
    assert_eq!(refusing.metric("redline_gate_failed_total"), 1.0);
    let zero = head(&tiny, 0.0);
    let limited = Server::start(&format!("{} --gate cost={zero}:0.5", mock.arguments()));
    let reply = limited.post("/v1/chat/completions", &chat_body("ok", &long));
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (500, &json!("gate_failed")), "{reply:?}");
    assert!(reply.body.contains("too long for the cost model"), "{reply:?}");
}

#[test]
fn a_route_chooses_for_requests_that_choose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let vector = vector(folder.path());
    let line = format!(
        "sweep --vector {vector} --data {} --skip 100 --allow-overlap --prompts 24 --coefficients -1,0,1 --max-new-tokens 160 --out sweep.jsonl",
        rows()
    );
    succeed(folder.path(), &words(&line));
    succeed(folder.path(), &words("route sweep.jsonl --out route.json"));
    let route = folder.path().join("route.json");
    let mock = Mock::start();
    let server = Server::start(&format!("{} --route {} --gate lat={vector}:-1e6", mock.arguments(), route.display()));
    let facts = server.get("/v1/steering").json();
    let candidates: Vec<f64> =
        facts["route"].as_array().unwrap().iter().map(|one| one["coefficient"].as_f64().unwrap()).collect();
    assert_eq!(candidates, [-1.0, 0.0, 1.0]);
    let (text, extension) = whole(&server, FLAWED);
    let coefficient = extension["coefficient"].as_f64().unwrap();
    assert!(candidates.contains(&coefficient) && extension["vector"] == "vector", "{extension}");
    assert_eq!(streamed(&server, FLAWED).0, text);
    // the same as when it is asked for
    let mut body = chat_body("ok", FLAWED);
    body["steering"] = json!({ "vector": "vector", "coefficient": coefficient });
    let asked = server.post("/v1/chat/completions", &body).json();
    assert_eq!(asked["choices"][0]["message"]["content"], text);
    let label = format!("redline_routed_total{{vector=\"vector\",coefficient=\"{coefficient}\"}} 2");
    assert!(server.get("/metrics").body.contains(&label), "{label}");
}
