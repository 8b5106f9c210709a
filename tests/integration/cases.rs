//! Small inputs that once came out otherwise than a user would expect, from `tests/cases`; others of them are tested where their subject is.

use std::process::Command;

use serde_json::{Value, json};

use crate::fixture::words;
use crate::program::{BINARY, case, run, succeed};
use crate::serve::http::{Reply, send};
use crate::serve::program::Server;
use crate::serve::upstream::Mock;

#[test]
fn a_gguf_file_with_the_old_key_of_rotation_computes_the_numbers_of_llama_cpp() {
    let folder = case("10-gguf-old-rope-key");
    let ran = run(&folder, &["check", "scale_linear.gguf", "--reference", "expected.safetensors"]);
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn a_part_of_a_model_is_called_one() {
    let folder = case("12-gguf-split-and-moe");
    for part in ["split-00001-of-00002.gguf", "split-00002-of-00002.gguf"] {
        for verb in ["inspect", "check"] {
            let ran = run(&folder, &[verb, part]);
            assert!(ran.code == 1 && ran.stdout.is_empty(), "{verb} {part}: {ran:?}");
            assert!(ran.stderr.contains("llama-gguf-split --merge"), "{}", ran.stderr);
        }
    }
}

/// Runs a verb with at most a gigabyte beside what threads reserve.
#[cfg(unix)]
fn small(line: &str, folder: &std::path::Path) -> std::process::Output {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -v 2000000; exec {BINARY} --threads 1 {line}")]);
    command.current_dir(folder).output().unwrap()
}

#[cfg(unix)]
#[test]
fn small_files_take_little_memory() {
    let folder = tempfile::tempdir().unwrap();
    let (array, pieces) = (case("array-60MB.jsonl.gz"), case("spm-chain1000.gguf"));
    for line in [
        format!("ratio {}", array.display()),
        format!("data clean {} --out o.jsonl", array.display()),
        format!("correct --data {} --max-new-tokens 1", array.display()),
        format!("correct --model {} --question q --answer a --max-new-tokens 1", pieces.display()),
    ] {
        let output = small(&line, folder.path());
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{line}: {said}");
        assert!(said.contains("error: ") && said.contains("hint: ") && !said.contains("panicked"), "{line}: {said}");
    }
    let inspected = small(&format!("inspect {}", pieces.display()), folder.path());
    let said = String::from_utf8_lossy(&inspected.stdout);
    assert!(inspected.status.code() == Some(0) && said.contains("cannot be used"), "{said}");
}

/// A case's request, told the reply that its upstream server gives.
fn ask(server: &Server, name: &str, is_stream: bool) -> Reply {
    let read = |file: &str| std::fs::read_to_string(case(name).join(file)).unwrap();
    let mut body: Value = serde_json::from_str(&read("request.json")).unwrap();
    body["model"] = json!("verbatim");
    body["user"] = json!(read("upstream-reply.json"));
    body["stream"] = json!(is_stream);
    server.post("/v1/chat/completions", &body)
}

#[test]
fn replies_of_the_cases_reach_the_client_as_they_should() {
    let mock = Mock::start();
    let server = Server::start(&mock.arguments());
    let whole = ask(&server, "01-stream-text-and-tool-calls", false).json();
    let calls = &whole["choices"][0]["message"]["tool_calls"];
    assert_eq!(calls[0]["id"], "call_1");
    let streamed = ask(&server, "01-stream-text-and-tool-calls", true).body;
    let chunks = streamed.lines().filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok());
    let deltas: Vec<Value> = chunks.map(|chunk| chunk["choices"][0]["delta"].clone()).collect();
    let sent = deltas.iter().find_map(|delta| delta["tool_calls"].as_array()).expect("a delta with the calls");
    assert_eq!((&sent[0]["id"], &sent[0]["function"]), (&calls[0]["id"], &calls[0]["function"]));

    for is_stream in [false, true] {
        let parts = ask(&server, "02-content-as-parts", is_stream).body;
        assert!(parts.contains("The capital of France is Paris.") && !parts.contains("Hm."), "{parts}");
        assert!(!parts.contains("skipped"), "{parts}");
        let error = ask(&server, "04-error-inside-200", is_stream);
        let message = error.json()["error"]["message"].as_str().unwrap().to_owned();
        assert!(error.status == 429 && message.contains("quota is used up"), "{error:?}");
    }
}

#[test]
fn a_schema_reaches_the_upstream_server_in_the_clients_order() {
    let mock = Mock::start();
    let server = Server::start(&mock.arguments());
    let body = std::fs::read_to_string(case("03-schema-key-order").join("request.json")).unwrap();
    send(server.address, "POST", "/v1/chat/completions", &[], &body);
    let received = mock.bodies.lock().unwrap().last().unwrap().clone();
    let of = |text: &str, field: &str| {
        let fields: std::collections::HashMap<String, Box<serde_json::value::RawValue>> =
            serde_json::from_str(text).unwrap();
        fields[field].get().to_owned()
    };
    for field in ["response_format", "tools", "messages"] {
        assert_eq!(of(&received, field), of(&body, field));
    }
}

#[test]
fn one_text_from_the_server_and_from_the_verbs() {
    let folder = case("stream-byte-fallback");
    let one = "correct --model model --template template.txt --max-new-tokens 8";
    let whole = succeed(&folder, &words(&format!("{one} --data row.jsonl")));
    let whole: Value = serde_json::from_str(whole.stdout.trim()).unwrap();
    let model = folder.join("model").display().to_string();
    let template = folder.join("template.txt").display().to_string();
    let server = Server::start(&format!("--model {model} --template {template}"));
    let body = json!({ "question": "q", "answer": "a", "max_tokens": 8 });
    let served = server.post("/v1/correct", &body).json();
    assert_eq!((&served["correction"], &served["edit_ratio"]), (&whole["correction"], &whole["edit_ratio"]));
    let mut streaming = body;
    streaming["stream"] = json!(true);
    let events = server.post("/v1/correct", &streaming).events();
    let pieces = events.iter().filter(|(name, _)| name == "text");
    let text: String = pieces
        .map(|(_, data)| serde_json::from_str::<Value>(data).unwrap()["text"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(Some(text.as_str()), whole["correction"].as_str());
}
