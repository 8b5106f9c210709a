//! A server that writes.

use super::*;

fn conversations(texts: &[&str]) -> Vec<Conversation> {
    texts.iter().map(|text| vec![Message::user(*text)]).collect()
}

#[test]
fn a_writer_replies_in_order_and_says_what_has_no_reply() {
    let server = Server::new(|_, body| match body["messages"][0]["content"].as_str().unwrap() {
        "one" => Line::text("first").after(60),
        "two" => Line::error(400, "too long"),
        "three" => Line::message(json!({ "role": "assistant", "content": null, "refusal": "I will not." })),
        _ => Line::text("last"),
    });
    let options = JudgeOptions { first_wait: Duration::from_millis(1), ..JudgeOptions::default() };
    let mut writer = ServerWriter::new(&server.url, "chat", Some(KEY), options).unwrap();
    let how = WriteHow { temperature: 0.5, max_new_tokens: 7, seed: 3 };
    let replies = writer.write(&conversations(&["one", "two", "three", "four"]), &how).unwrap();
    let first = replies[0].as_ref().unwrap();
    assert_eq!((first.text.as_str(), first.n_tokens, first.n_prompt_tokens), ("first", Some(10), 100));
    assert!(replies[1].as_ref().unwrap_err().contains("too long"));
    assert_eq!(replies[2], Err("it declined: I will not.".into()));
    assert_eq!(replies[3].as_ref().unwrap().text, "last");
    let seen = server.seen.lock().unwrap();
    assert!(seen.bodies.iter().all(|body| body["temperature"] == 0.5 && body["max_tokens"] == 7));
    let seeds: Vec<u64> = seen.bodies.iter().map(|body| body["seed"].as_u64().unwrap()).collect();
    assert!(seeds.iter().all(|seed| *seed < 1 << 31), "{seeds:?}");
    assert!(!format!("{writer:?}").contains(KEY));
}

#[test]
fn a_server_that_does_not_get_to_it_ends_the_writing() {
    let server = Server::new(|_, _| Line::error(401, "no key"));
    let mut writer = ServerWriter::new(&server.url, "chat", None, JudgeOptions::default()).unwrap();
    let how = WriteHow { temperature: 0.0, max_new_tokens: 7, seed: 3 };
    let error = writer.write(&conversations(&["one"]), &how).unwrap_err();
    assert_eq!(error.to_string(), format!("the model that writes, `{}#chat`", server.url), "and no judge");
    assert!(server.seen.lock().unwrap().bodies.iter().all(|body| body.get("seed").is_none()));
    let checked = ServerWriter::new(&server.url, "chat", None, JudgeOptions::default()).unwrap();
    let mut checked = checked.with_check(|| Err(JudgeError::JudgeId { rule: "ended" }));
    assert!(checked.write(&conversations(&["one"]), &how).is_err());
}

#[test]
fn a_reply_without_usage_has_an_unknown_number_of_tokens() {
    let reply = json!({ "choices": [{ "message": { "role": "assistant", "content": "text" } }] });
    let server = Server::new(move |_, _| Line::new(200, &reply));
    let mut writer = ServerWriter::new(&server.url, "chat", None, JudgeOptions::default()).unwrap();
    let how = WriteHow { temperature: 0.0, max_new_tokens: 7, seed: 3 };
    let replies = writer.write(&conversations(&["one"]), &how).unwrap();
    let written = replies[0].as_ref().unwrap();
    assert_eq!((written.text.as_str(), written.n_tokens), ("text", None));
}

#[test]
fn a_long_wait_is_said_once_and_names_its_length() {
    let server = Server::new(|_, _| Line::error(429, "later").with_header("retry-after", "1800"));
    let writer = ServerWriter::new(&server.url, "chat", None, JudgeOptions::default()).unwrap();
    let said = Arc::new(Mutex::new(Vec::new()));
    let (heard, ended) = (said.clone(), said.clone());
    // the work is ended as soon as something was said
    let is_said = move || ended.lock().unwrap().is_empty();
    let mut writer = writer
        .with_notes(move |text| heard.lock().unwrap().push(text.to_owned()))
        .with_check(move || if is_said() { Ok(()) } else { Err(JudgeError::JudgeId { rule: "ended" }) });
    let how = WriteHow { temperature: 0.0, max_new_tokens: 7, seed: 3 };
    assert!(writer.write(&conversations(&["one", "two", "three"]), &how).is_err());
    let said = said.lock().unwrap();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("chat: waiting 1800 s before it is asked again: "), "{said:?}");
}
