//! `redline correct --upstream`: what goes wrong with a row stays with the row; what would go wrong with every row ends the run.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::fixture::words;
use crate::program::{Ran, lines, repository, run};

const FLAWED: &str = "You are a complete fool. The capital of France is Paris.";

/// What a server says: status, further headers, body.
pub type Reply = (u16, &'static str, String);

/// A server that answers the text of the last message with what `script` makes of it and of how often it was asked before.
pub fn serve(script: impl Fn(&str, usize) -> Reply + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (script, n_asked) = (Arc::new(script), Arc::new(AtomicUsize::new(0)));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (script, n_asked) = (script.clone(), n_asked.clone());
            std::thread::spawn(move || answer(stream, |text| script(text, n_asked.fetch_add(1, Ordering::SeqCst))));
        }
    });
    address
}

fn answer(mut stream: TcpStream, script: impl Fn(&str) -> Reply) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        match line.trim().to_ascii_lowercase().split_once(": ") {
            Some(("content-length", value)) => length = value.parse().unwrap(),
            None if line.trim().is_empty() => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let messages = body["messages"].as_array().unwrap();
    let (status, headers, body) = script(messages[messages.len() - 1]["content"].as_str().unwrap());
    let head = format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nConnection: close\r\n{headers}");
    let _ = stream.write_all(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
}

fn case(name: &str) -> String {
    std::fs::read_to_string(repository().join("tests/cases").join(name).join("upstream-reply.json")).unwrap()
}

fn said(message: Value) -> Reply {
    let choice = json!({ "index": 0, "message": message, "finish_reason": "stop" });
    (200, "", json!({ "choices": [choice] }).to_string())
}

pub fn error(status: u16, message: &str) -> Reply {
    (status, "", json!({ "error": { "message": message } }).to_string())
}

fn plain() -> Reply {
    said(json!({ "role": "assistant", "content": FLAWED }))
}

fn correct(folder: &Path, questions: &[&str], address: SocketAddr, more: &str) -> Ran {
    let rows: String = questions.iter().map(|question| json!({ "question": question }).to_string() + "\n").collect();
    std::fs::write(folder.join("rows.jsonl"), rows).unwrap();
    let line =
        format!("correct --data rows.jsonl --upstream http://{address}/v1 --max-new-tokens 24 --out out.jsonl {more}");
    run(folder, &words(&line))
}

#[test]
fn what_goes_wrong_with_a_row_stays_with_it() {
    let address = serve(|text, _| match text {
        "parts" => (200, "", case("02-content-as-parts")),
        "paid" => (200, "", case("04-error-inside-200").replace("429", "402")),
        "choice" => {
            let choice = json!({ "index": 0, "message": { "role": "assistant", "content": "" }, "finish_reason": "error", "error": { "code": 403, "message": "moderated" } });
            (200, "", json!({ "choices": [choice] }).to_string())
        }
        "refusal" => said(json!({ "role": "assistant", "content": null, "refusal": "I can't." })),
        "thoughts" => said(json!({ "role": "assistant", "content": [{ "type": "thinking", "thinking": "Hm." }] })),
        "empty" => said(json!({ "role": "assistant", "content": "" })),
        "none" => (200, "", json!({ "choices": [] }).to_string()),
        "long" => error(400, "the context is too long"),
        _ => plain(),
    });
    let folder = tempfile::tempdir().unwrap();
    let questions = ["parts", "paid", "refusal", "thoughts", "empty", "none", "long", "choice", "plain"];
    let ran = correct(folder.path(), &questions, address, "--batch-rows 4");
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("7 rows have no correction") && ran.stderr.contains("quota is used up"),
        "{}",
        ran.stderr
    );
    let rows = lines(&folder.path().join("out.jsonl"));
    assert_eq!(rows.len(), 9, "the run goes on");
    for row in [0, 8] {
        assert_eq!((&rows[row]["answer"], &rows[row]["error"]), (&FLAWED.into(), &Value::Null), "{}", rows[row]);
        assert!(rows[row]["correction"].is_string());
    }
    for (row, reason) in [
        (1, "answered 402: Provider returned error: quota is used up"),
        (2, "the upstream model refused: I can't."),
        (3, "the upstream model wrote nothing (finish_reason: stop)"),
        (4, "the upstream model wrote nothing (finish_reason: stop)"),
        (5, "holds no choices"),
        (6, "answered 400: the context is too long"),
        (7, "moderated"),
    ] {
        let said = rows[row]["error"].as_str().unwrap_or_default();
        assert!(said.contains(reason), "{reason}: {}", rows[row]);
        assert!(rows[row]["correction"].is_null());
    }
    // what is done stays done, and is still said
    let again = correct(folder.path(), &questions, address, "--batch-rows 4");
    assert!(again.code == 1 && again.stderr.contains("7 rows have no correction"), "{}", again.stderr);
}

#[test]
fn what_passes_is_asked_again() {
    // the case's code is 429, which may pass
    let address = serve(|_, n_asked| match n_asked {
        0 => (200, "", case("04-error-inside-200")),
        1 => (503, "Retry-After: 1\r\n", String::new()),
        _ => plain(),
    });
    let folder = tempfile::tempdir().unwrap();
    let ran = correct(folder.path(), &["a"], address, "");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert_eq!(lines(&folder.path().join("out.jsonl"))[0]["answer"], FLAWED);
}

#[test]
fn what_would_go_wrong_with_every_row_ends_the_run() {
    for (status, message, hint) in [
        (401, "a key is needed", "--upstream-key-env"),
        (403, "not for you", "--upstream-key-env"),
        (404, "no such model", "--upstream-name"),
    ] {
        let address = serve(move |text, _| if text == "a" { plain() } else { error(status, message) });
        let folder = tempfile::tempdir().unwrap();
        let ran = correct(folder.path(), &["a", "b", "c", "d", "e", "f"], address, "");
        assert_eq!(ran.code, 1, "{}", ran.stderr);
        assert!(ran.stderr.contains(message) && ran.stderr.contains(hint), "{}", ran.stderr);
        assert_eq!(lines(&folder.path().join("out.jsonl")).len(), 1, "rows that fail for the settings are left to do");
        // fewer rows than it takes otherwise
        let alone = tempfile::tempdir().unwrap();
        let ran = correct(alone.path(), &["b"], address, "");
        assert!(
            ran.code == 1 && ran.stderr.contains(&format!("error: the upstream server answered {status}")),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn a_row_that_is_refused_alone_does_not_end_the_run() {
    let address = serve(|text, _| if text == "b" { error(403, "not this one") } else { plain() });
    let folder = tempfile::tempdir().unwrap();
    let ran = correct(folder.path(), &["a", "b", "c", "d"], address, "");
    assert!(ran.code == 1 && ran.stderr.contains("1 row has no correction"), "{}", ran.stderr);
    let rows = lines(&folder.path().join("out.jsonl"));
    assert_eq!((rows.len(), rows[1]["error"].as_str().unwrap().contains("not this one")), (4, true));
}

#[test]
fn what_is_no_prose_in_an_upstream_answer_stays() {
    let document = format!("{{\"city\": \"Paris\", \"note\": \"{FLAWED}\"}}");
    let code = "```sh\nls -l\n```";
    let answer = |text: String| said(json!({ "role": "assistant", "content": text }));
    let (json_answer, code_answer) = (document.clone(), format!("{FLAWED}\n\n{code}"));
    let address = serve(move |text, _| match text {
        "json" => answer(json_answer.clone()),
        "code" => answer(code_answer.clone()),
        _ => answer("| a | b |\n|---|---|\n| 1 | 2 |".into()),
    });
    let folder = tempfile::tempdir().unwrap();
    let ran = correct(folder.path(), &["json", "code", "table"], address, "--batch-rows 2");
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let rows = lines(&folder.path().join("out.jsonl"));
    let written: Value = serde_json::from_str(rows[0]["correction"].as_str().unwrap()).unwrap();
    assert_eq!((&written["city"], &rows[0]["kept"]), (&json!("Paris"), &json!(["JSON"])));
    assert!(rows[1]["correction"].as_str().unwrap().ends_with(code), "{}", rows[1]);
    assert_eq!((&rows[2]["correction"], &rows[2]["kept"]), (&rows[2]["answer"], &json!(["table"])));
}
