//! Answers outside of what the Aligner knows: marked, and with `--outside copy` left as they are, whole and streamed.

use serde_json::{Value, json};

use super::program::Server;
use super::upstream::Mock;
use super::{FLAWED, QUESTION, chat_body};

/// Of a kind that the built-in Aligner was not trained on.
const UNKNOWN: &str = "The baker has 12*9=108 rolls.\nHe sells 108*5/6=90 rolls.\nSo 108-90=18 rolls are left.\nA: 18";

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

#[test]
fn answers_outside_pass_as_they_are_where_they_may() {
    let mock = Mock::start();
    let server = Server::start(&format!("{} --outside copy", mock.arguments()));
    for ask in [whole, streamed] {
        let (text, extension) = ask(&server, UNKNOWN);
        assert_eq!((text.as_str(), extension["status"].as_str()), (UNKNOWN, Some("uncorrected")), "{extension}");
        assert!(extension["reason"].as_str().unwrap().contains("outside of what the Aligner knows: "), "{extension}");
        assert_eq!((&extension["domain"]["outside"], &extension["domain"]["copied"]), (&json!(true), &json!(true)));
        // what it knows is corrected
        let (text, extension) = ask(&server, FLAWED);
        assert_eq!(extension["status"], "corrected");
        assert_ne!(text, FLAWED);
        assert_eq!((&extension["domain"]["outside"], &extension["domain"]["copied"]), (&json!(false), &json!(false)));
    }
    // a part outside beside code: the code stays anyway
    let (text, extension) = whole(&server, &format!("{UNKNOWN}\n\n```\nls\n```\n\n{FLAWED}"));
    assert!(text.starts_with(UNKNOWN) && text.contains("```\nls\n```") && !text.ends_with(FLAWED), "{text}");
    assert_eq!((extension["status"].as_str(), &extension["domain"]["copied"]), (Some("corrected"), &json!(true)));
    assert_eq!(server.metric("redline_outside_total"), 3.0);
    assert_eq!(server.metric("redline_outside_copied_total"), 3.0);
    assert_eq!(server.metric("redline_uncorrected_total"), 2.0);

    // without an upstream model too, whole and streamed
    let mut body = json!({ "question": QUESTION, "answer": UNKNOWN });
    let reply = server.post("/v1/correct", &body).json();
    assert_eq!((&reply["correction"], &reply["exact_copy"]), (&json!(UNKNOWN), &json!(true)), "{reply}");
    assert_eq!(reply["domain"]["copied"], true);
    body["stream"] = json!(true);
    let events = server.post("/v1/correct", &body).events();
    let parsed = |data: &str| serde_json::from_str::<Value>(data).unwrap();
    assert_eq!(parsed(&events[0].1)["text"], UNKNOWN);
    assert_eq!(parsed(&events.last().unwrap().1)["domain"]["copied"], true);
}

#[test]
fn answers_outside_are_marked_and_corrected_unless_told_otherwise() {
    let mock = Mock::start();
    let server = Server::start(&mock.arguments());
    for ask in [whole, streamed] {
        let (text, extension) = ask(&server, UNKNOWN);
        assert_ne!(text, UNKNOWN);
        assert_eq!(extension["status"], "corrected", "{extension}");
        assert_eq!((&extension["domain"]["outside"], &extension["domain"]["copied"]), (&json!(true), &json!(false)));
        assert!(extension["domain"]["cost"].as_f64() > extension["domain"]["most_cost"].as_f64());
    }
    assert_eq!((server.metric("redline_outside_total"), server.metric("redline_outside_copied_total")), (2.0, 0.0));
    let unchecked = Server::start(&format!("{} --outside correct", mock.arguments()));
    let (text, extension) = whole(&unchecked, UNKNOWN);
    assert!(extension.get("domain").is_none(), "{extension}");
    assert_eq!(text, whole(&server, UNKNOWN).0, "the check changes no text");
}
