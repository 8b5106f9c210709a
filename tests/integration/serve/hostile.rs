//! Ten thousand bodies that mean harm: every one gets a reply in time, and nothing stays behind.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;

use super::program::Server;
use super::upstream::Mock;
use super::{CLEAN, FLAWED, QUESTION};

const BODIES: usize = 10_000;
/// Bodies after which memory must not grow any more, and by how much it may all the same, in KiB: rows of a batch come and
/// go.
const WARM: usize = 2_500;
const SPARE_KIB: u64 = 48 << 10;

/// SplitMix64: the same bodies every time.
struct Rng(u64);

impl Rng {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }
}

/// Bodies to begin with.
fn corpus() -> Vec<(&'static str, Vec<u8>)> {
    let correct = json!({
        "question": QUESTION, "answer": FLAWED, "max_tokens": 3,
        "steering": { "vector": "correction", "coefficient": 0.5, "layers": "all", "operator": "add" },
        "feedback": "more empathetic", "stream": false, "scan": true,
    });
    let chat = json!({
        "model": "ok", "user": CLEAN, "n": 1, "stream": true, "stream_options": { "include_usage": true },
        "messages": [{ "role": "system", "content": "x" }, { "role": "user", "content": [{ "type": "text", "text": "Why?" }] }],
        "steering": { "coefficient": -1.0, "layers": [0, 3] },
    });
    let scan = json!({ "question": QUESTION, "answer": CLEAN, "correction": CLEAN, "tokens": 5 });
    let text = |value: serde_json::Value| value.to_string().into_bytes();
    let deep = |open: &str, n: usize| open.repeat(n).into_bytes();
    vec![
        ("/v1/correct", text(correct)),
        ("/v1/chat/completions", text(chat)),
        ("/v1/scan", text(scan)),
        ("/v1/correct", deep("[", 100_000)),
        ("/v1/chat/completions", deep("{\"messages\":", 50_000)),
        ("/v1/correct", br#"{"question":"\ud800","answer":"x"}"#.to_vec()),
        ("/v1/correct", br#"{"question":"q","answer":"x","steering":{"coefficient":1e999}}"#.to_vec()),
        ("/v1/correct", br#"{"question":"q","answer":"x","steering":{"coefficient":1e39}}"#.to_vec()),
        ("/v1/correct", br#"{"question":"q","answer":"x","steering":{"layers":"0-99999999999999999999"}}"#.to_vec()),
        ("/v1/correct", br#"{"question":"q","answer":"x","max_tokens":18446744073709551615}"#.to_vec()),
        ("/v1/scan", br#"{"question":"q","answer":"x","tokens":18446744073709551615}"#.to_vec()),
        ("/v1/chat/completions", br#"{"messages":[{"role":"user","content":"x"}],"n":-1,"model":"ok"}"#.to_vec()),
    ]
}

/// What takes the place of something in a body.
const PIECES: [&[u8]; 16] = [
    b"null",
    b"-1",
    b"1e400",
    b"0.1",
    b"{}",
    b"[]",
    b"\"\"",
    b"true",
    b"\\u0000",
    b"\xff\xfe",
    b"</s>",
    b"<|im_start|>",
    b"{\"a\":",
    b"\xf0\x9f\x98\x80",
    b"\"coefficient\":",
    b"9999999999999999999999",
];

fn mutated(body: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut body = body.to_vec();
    for _ in 0..rng.below(4) {
        let at = rng.below(body.len().max(1));
        let end = (at + rng.below(12)).min(body.len());
        match rng.below(5) {
            0 => body.truncate(at),
            1 => drop(body.splice(at.min(end)..end, PIECES[rng.below(PIECES.len())].iter().copied())),
            2 => drop(body.splice(at.min(end)..end, [])),
            3 if !body.is_empty() => body[at] = rng.below(256) as u8,
            _ => {
                let copy = body[at.min(end)..end].repeat(rng.below(50));
                drop(body.splice(at.min(body.len())..at.min(body.len()), copy));
            }
        }
    }
    body
}

/// Sends a body over a connection that stays, and reads the reply; the status.
fn exchange(stream: &mut BufReader<TcpStream>, path: &str, body: &[u8]) -> u16 {
    let head = "Host: localhost\r\nContent-Type: application/json\r\n";
    let head = format!("POST {path} HTTP/1.1\r\n{head}Content-Length: {}\r\n\r\n", body.len());
    stream.get_mut().write_all(&[head.as_bytes(), body].concat()).unwrap();
    let (mut status, mut length, mut is_chunked) = (0, 0, false);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).unwrap();
        let line = line.trim().to_ascii_lowercase();
        match line.split_once(": ") {
            None if line.is_empty() => break,
            None => status = line.split(' ').nth(1).unwrap().parse().unwrap(),
            Some(("content-length", value)) => length = value.parse().unwrap(),
            Some(("transfer-encoding", _)) => is_chunked = true,
            Some(_) => {}
        }
    }
    loop {
        if is_chunked {
            let mut size = String::new();
            stream.read_line(&mut size).unwrap();
            length = usize::from_str_radix(size.trim(), 16).unwrap() + 2;
        }
        std::io::copy(&mut stream.by_ref().take(length as u64), &mut std::io::sink()).unwrap();
        if !is_chunked || length == 2 {
            return status;
        }
    }
}

#[test]
fn ten_thousand_hostile_bodies() {
    let mock = Mock::start();
    let server = Server::start(&mock.arguments());
    let stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
    let mut stream = BufReader::new(stream);
    let (corpus, mut rng) = (corpus(), Rng(9));
    let mut warm = 0;
    let mut statuses = std::collections::BTreeMap::<u16, usize>::new();
    for i in 0..BODIES {
        // long ones now and then: they only cost time
        let (path, body) = if i % 50 == 0 { &corpus[3 + i / 50 % 9] } else { &corpus[rng.below(3)] };
        let body = mutated(body, &mut rng);
        let status = exchange(&mut stream, path, &body);
        *statuses.entry(status).or_default() += 1;
        assert!([200, 400, 413, 502].contains(&status), "{status}: {}", String::from_utf8_lossy(&body));
        if i == WARM {
            warm = server.memory();
        }
    }
    let end = server.memory();
    assert!(end <= warm + SPARE_KIB, "memory grows: {warm} KiB after {WARM} bodies, {end} KiB after {BODIES}");
    assert!(statuses[&200] > BODIES / 20 && statuses[&400] > BODIES / 20, "{statuses:?}");
    let good = server.post("/v1/correct", &json!({ "question": QUESTION, "answer": CLEAN })).json();
    assert_eq!(good["correction"], CLEAN, "the server goes on");
}
