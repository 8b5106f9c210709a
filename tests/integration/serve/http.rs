//! A client that knows as much of HTTP as these tests need.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

/// Longer than anything here takes, so that a hang fails instead of lasting.
const PATIENCE: Duration = Duration::from_secs(120);

/// A reply.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Reply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// A header's value, by its name in lower case.
    pub fn header(&self, name: &str) -> Option<String> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_string())
    }

    /// `data` of server-sent events with their names, in order.
    pub fn events(&self) -> Vec<(String, String)> {
        let event = |part: &str| {
            let field = |name: &str| part.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
            Some((field("event: ").unwrap_or_default(), field("data: ")?))
        };
        self.body.split("\n\n").filter_map(event).collect()
    }
}

/// Sends a request and reads the reply to its end.
pub fn send(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    let mut stream = BufReader::new(open(address, method, path, headers, body));
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let n = stream.read_until(b'\n', &mut bytes).expect("the reply comes in time");
        if n == 0 {
            break;
        }
    }
    // some servers keep the connection whatever they are asked
    let length = parse(&bytes).header("content-length").and_then(|length| length.parse().ok());
    let mut rest = stream.take(length.unwrap_or(u64::MAX));
    rest.read_to_end(&mut bytes).expect("the reply comes in time");
    parse(&bytes)
}

/// Sends a request and leaves the reply to the caller.
pub fn open(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    if !headers.iter().any(|(name, _)| *name == "Host") {
        head += &format!("Host: {address}\r\n");
    }
    if !body.is_empty() && !headers.iter().any(|(name, _)| *name == "Content-Type") {
        head += "Content-Type: application/json\r\n";
    }
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    // a server that refuses early may not read all of it
    let _ = stream.write_all(format!("{head}\r\n{body}").as_bytes());
    stream
}

pub fn get(address: SocketAddr, path: &str) -> Reply {
    send(address, "GET", path, &[], "")
}

pub fn post(address: SocketAddr, path: &str, body: &Value) -> Reply {
    send(address, "POST", path, &[], &body.to_string())
}

/// Takes a whole reply apart.
pub fn parse(bytes: &[u8]) -> Reply {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let is_chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let body = if is_chunked { dechunked(body) } else { body.to_string() };
    Reply { status, head: head.to_string(), body }
}

/// Joins the chunks of a body; what is missing at the end is missing in the text too.
fn dechunked(mut rest: &str) -> String {
    let mut text = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
        let Some(chunk) = after.get(..size).filter(|chunk| !chunk.is_empty()) else { break };
        text.push_str(chunk);
        rest = after.get(size + 2..).unwrap_or_default();
    }
    text
}
