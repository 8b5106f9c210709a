//! An upstream server that tells every secret it hears: in headers, in errors, in answers, and in routes that are passed on.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::FLAWED;

/// A server that runs until the test program ends.
pub struct Echo {
    pub address: SocketAddr,
    /// Heads of requests.
    pub heads: Arc<Mutex<Vec<String>>>,
}

impl Echo {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let heard = heads.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let heard = heard.clone();
                std::thread::spawn(move || answer(stream, &heard));
            }
        });
        Self { address, heads }
    }

    /// A header of the last request, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<String> {
        let heads = self.heads.lock().unwrap();
        let mut lines = heads.last()?.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned())
    }
}

fn answer(mut stream: TcpStream, heard: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return;
        }
    }
    heard.lock().unwrap().push(head.clone());
    let field = |wanted: &str| {
        let mut fields = head.lines().filter_map(|line| line.split_once(": "));
        fields.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.to_owned())
    };
    let mut body = vec![0; field("content-length").map_or(0, |length| length.parse().unwrap())];
    reader.read_exact(&mut body).unwrap();
    let secret = field("authorization").unwrap_or_default();
    let secret = secret.split(' ').next_back().unwrap_or_default();
    let model = serde_json::from_slice::<Value>(&body).unwrap_or_default()["model"].as_str().unwrap_or("").to_owned();
    let path = head.split(' ').nth(1).unwrap_or_default();
    let (status, body) = reply(path, &model, secret);
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\nX-Request-Id: up-{secret}\r\n\
         X-RateLimit-Limit-Requests: {secret}\r\nOpenAI-Organization: {secret}\r\nX-Secret: {secret}\r\nSet-Cookie: a={secret}\r\n\
         Location: http://elsewhere.example/?key={secret}\r\n\r\n",
        body.len()
    );
    // in two pieces, the second one from within the secret
    let cut = body.find(secret).map_or(0, |at| at + secret.len() / 2);
    let _ = stream.write_all(head.as_bytes());
    for piece in [&body[..cut], &body[cut..]] {
        let _ = stream.write_all(piece.as_bytes()).and_then(|()| stream.flush());
    }
}

fn reply(path: &str, model: &str, secret: &str) -> (u16, String) {
    let error = json!({ "error": { "message": format!("Incorrect API key provided: {secret}"), "code": secret, "param": secret, "type": secret } });
    let message = json!({ "role": "assistant", "content": format!("{FLAWED} The key is {secret}.") });
    match (path, model) {
        ("/v1/files", _) => (403, error.to_string()),
        ("/v1/embeddings", _) => (200, json!({ "data": [{ "object": secret }] }).to_string()),
        ("/v1/models", _) => (200, json!({ "object": "list", "data": [{ "id": secret }] }).to_string()),
        (_, "error") => (400, error.to_string()),
        (_, "page") => (500, format!("<html>{secret}</html>")),
        (_, "error-200") => (200, error.to_string()),
        (_, "redirect") => (302, secret.to_owned()),
        (_, "no-json") => (200, secret.to_owned()),
        _ => {
            let choice =
                json!({ "index": 0, "message": message, "finish_reason": "stop", "native_finish_reason": secret });
            let fields = json!({
                "id": secret, "object": "chat.completion", "created": 1, "model": secret, "choices": [choice], "system_fingerprint": secret
            });
            (200, fields.to_string())
        }
    }
}
