//! An upstream server of the test's own: the model's name says how it behaves, `user` or the question what it answers.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

/// A body, and the key that came with it.
pub type Received = (Value, Option<String>);

/// A server that runs until the test program ends.
pub struct Mock {
    pub address: SocketAddr,
    /// Bodies and `Authorization` headers received.
    pub received: Arc<Mutex<Vec<Received>>>,
    /// The same bodies, as they came.
    pub bodies: Arc<Mutex<Vec<String>>>,
}

impl Mock {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(Mutex::new(Vec::new()));
        let log = received.clone();
        let bodies = Arc::new(Mutex::new(Vec::new()));
        let raw = bodies.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, raw) = (log.clone(), raw.clone());
                std::thread::spawn(move || answer(stream, &log, &raw));
            }
        });
        Self { address, received, bodies }
    }

    /// Waits until so many requests have come.
    pub fn wait_for(&self, n: usize) {
        while self.received.lock().unwrap().len() < n {
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Arguments for a server in front of it.
    pub fn arguments(&self) -> String {
        format!("--upstream http://{}/v1 --upstream-timeout 2", self.address)
    }
}

fn answer(stream: TcpStream, log: &Mutex<Vec<Received>>, raw: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut length, mut key, mut first) = (0, None, String::new());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        if first.is_empty() {
            first = line.clone();
        }
        let (name, value) = line.trim().split_once(": ").unwrap_or((line.trim(), ""));
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "authorization" => key = Some(value.to_string()),
            "" => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    if first.starts_with("GET /v1/models") || first.starts_with("HEAD /v1/models") {
        let (model, missing) = (
            json!({ "id": "ok", "object": "model" }),
            json!({ "error": { "message": "no such model", "type": "x", "param": null, "code": null } }),
        );
        let (status, body) = match first.split(' ').nth(1) {
            Some("/v1/models") => (200, json!({ "object": "list", "data": [model] })),
            Some("/v1/models/ok") => (200, model),
            _ => (404, missing),
        };
        return reply(stream, status, "", &body.to_string());
    }
    raw.lock().unwrap().push(String::from_utf8_lossy(&body).into_owned());
    let body: Value = serde_json::from_slice(&body).unwrap();
    log.lock().unwrap().push((body.clone(), key));
    let asked = body["messages"].as_array().and_then(|messages| messages.last()?["content"].as_str());
    let echoed = asked.and_then(|asked| Some(asked.split_once("answer with: ")?.1));
    let text = body["user"].as_str().or(echoed).unwrap_or("Yes.");
    behave(stream, body["model"].as_str().unwrap_or_default(), text, body["n"].as_u64().unwrap_or(1));
}

fn behave(mut stream: TcpStream, model: &str, text: &str, n: u64) {
    let error = |message: &str| json!({ "error": { "message": message, "type": "x", "code": null } }).to_string();
    match model {
        "hang" => std::thread::sleep(Duration::from_secs(600)),
        "reset" => drop(stream),
        "garbage" => stream.write_all(b"\x00\x01 nothing of HTTP \xff\r\n\r\n").unwrap(),
        "no-json" => reply(stream, 200, "", "<html>a proxy's page</html>"),
        "no-choices" => reply(stream, 200, "", r#"{"choices": [{"index": 0}]}"#),
        "half" => {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n";
            stream.write_all(format!("{head}{{\"choices\": [{{\"message\"").as_bytes()).unwrap();
        }
        "half-chunk" => {
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n{\"choi";
            stream.write_all(head.as_bytes()).unwrap();
        }
        "huge" => {
            let head = "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n";
            let _ = stream.write_all(head.as_bytes());
            // the other side stops reading long before
            while stream.write_all(&[b' '; 65_536]).is_ok() {}
        }
        "picky" if text.contains("forbidden") => reply(stream, 400, "", &error("this is not answered")),
        "picky" if text.contains("silence") => {
            let message = json!({ "role": "assistant", "content": "" });
            reply(stream, 200, "", &completion(model, &[message], "content_filter"));
        }
        "verbatim" => reply(stream, 200, "", text),
        "refuse" => reply(stream, 400, "", &error("no such parameter")),
        "no-key" => reply(stream, 401, "", &error("a key is needed")),
        "missing" => reply(stream, 404, "", &error("no such model")),
        "busy" => reply(stream, 429, "Retry-After: 7\r\n", &error("slow down")),
        "broken" => reply(stream, 500, "", &error("on fire")),
        "tools" => {
            let call = json!({ "id": "c", "type": "function", "function": { "name": "f", "arguments": "{}" } });
            let message = json!({ "role": "assistant", "content": null, "tool_calls": [call] });
            reply(stream, 200, "", &completion(model, &[message], "tool_calls"));
        }
        _ => {
            if model == "slow" {
                std::thread::sleep(Duration::from_millis(1000));
            }
            let message = json!({ "role": "assistant", "content": text });
            reply(stream, 200, "", &completion(model, &vec![message; n as usize], "stop"));
        }
    }
}

fn completion(model: &str, messages: &[Value], reason: &str) -> String {
    let choice = |(index, message): (usize, &Value)| json!({ "index": index, "message": message, "finish_reason": reason, "logprobs": { "content": [] } });
    let choices: Vec<Value> = messages.iter().enumerate().map(choice).collect();
    let usage = json!({ "prompt_tokens": 5, "completion_tokens": 7, "total_tokens": 12 });
    json!({ "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": model, "choices": choices, "usage": usage })
        .to_string()
}

fn reply(mut stream: TcpStream, status: u16, headers: &str, body: &str) {
    let head = format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nConnection: close\r\n{headers}");
    // the other side may have left
    let _ = stream.write_all(format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes());
}
