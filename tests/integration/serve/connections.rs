//! Connections that do nothing, are slow, or are many: nobody is locked out, and a server that stops waits for none of them.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::json;

use super::http::{open, parse, send};
use super::program::Server;
use super::upstream::Mock;
use super::{CLEAN, FLAWED, QUESTION, chat_body};

/// The beginning of a request whose head is whole and whose body lacks most.
const HALF_A_BODY: &str =
    "POST /v1/correct HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{";
/// The beginning of a head.
const HALF_A_HEAD: &str = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: ";

fn connect(address: SocketAddr, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
    stream.write_all(text.as_bytes()).unwrap();
    stream
}

/// A connection that has had a reply, and is kept.
fn kept(address: SocketAddr) -> TcpStream {
    let stream = connect(address, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert!(line.contains(" 200 "), "{line}");
    reader.into_inner()
}

#[test]
fn connections_that_do_nothing_lock_nobody_out() {
    let server = Server::start("--max-connections 4");
    let address = server.address;
    let idle: Vec<TcpStream> = (0..12)
        .flat_map(|_| ["", HALF_A_HEAD, HALF_A_BODY].map(|text| connect(address, text)))
        .chain((0..4).map(|_| kept(address)))
        .collect();
    for _ in 0..3 {
        assert_eq!(server.get("/healthz").status, 200);
        let reply = server.post("/v1/correct", &json!({ "question": QUESTION, "answer": CLEAN }));
        assert_eq!(reply.status, 200, "{reply:?}");
    }
    drop(idle);
}

#[test]
fn when_every_place_is_at_work_the_server_says_that_it_is_there() {
    let mock = Mock::start();
    let server = Server::start(&format!("--upstream http://{}/v1 --max-connections 3", mock.address));
    let body = chat_body("hang", FLAWED).to_string();
    let running: Vec<TcpStream> =
        (0..3).map(|_| open(server.address, "POST", "/v1/chat/completions", &[], &body)).collect();
    mock.wait_for(3);
    for path in ["/healthz", "/health", "/readyz", "/metrics"] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    let refused = server.get("/v1/steering");
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.header("retry-after").is_some() && refused.header("x-request-id").is_some(), "{refused:?}");
    assert_eq!(refused.json()["error"]["code"], "too_many_connections");
    drop(running);
}

#[test]
fn who_sends_no_more_gets_the_answer() {
    let mock = Mock::start();
    let server = Server::start(&mock.arguments());
    for (path, body) in [
        ("/v1/chat/completions", chat_body("slow", FLAWED)),
        ("/v1/correct", json!({ "question": QUESTION, "answer": FLAWED })),
    ] {
        let mut stream = open(server.address, "POST", path, &[], &body.to_string());
        stream.shutdown(Shutdown::Write).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let reply = parse(&bytes);
        assert!(reply.status == 200 && reply.body.contains(CLEAN), "{path}: {reply:?}");
    }
}

#[test]
fn a_server_that_stops_waits_for_what_runs_alone() {
    let mock = Mock::start();
    // whatever is waited for in vain is cut off at the end of this time, with a warning
    let server = Server::start(&format!("{} --stop-timeout 60", mock.arguments()));
    let address = server.address;
    let connections =
        [connect(address, ""), connect(address, HALF_A_HEAD), connect(address, HALF_A_BODY), kept(address)];
    let mut running = open(address, "POST", "/v1/chat/completions", &[], &chat_body("slow", FLAWED).to_string());
    mock.wait_for(1);
    server.terminate();
    let mut bytes = Vec::new();
    running.read_to_end(&mut bytes).unwrap();
    assert_eq!(parse(&bytes).status, 200, "{}", String::from_utf8_lossy(&bytes));
    let (status, told) = server.wait();
    assert!(status.success() && !told.contains("cut off") && told.ends_with("stopped\n"), "{status} {told}");
    drop(connections);
}

#[test]
fn a_request_that_does_not_end_is_cut_off_and_told() {
    let mock = Mock::start();
    let server = Server::start(&format!("--upstream http://{}/v1 --stop-timeout 0.1", mock.address));
    let running = open(server.address, "POST", "/v1/chat/completions", &[], &chat_body("hang", FLAWED).to_string());
    mock.wait_for(1);
    server.terminate();
    let (status, told) = server.wait();
    assert!(status.success() && told.contains("1 requests were cut off"), "{status} {told}");
    drop(running);
}

#[test]
fn names_that_are_not_this_servers_are_refused() {
    let server = Server::start("--allow-host redline.example");
    let status = |host: &str| send(server.address, "GET", "/v1/steering", &[("Host", host)], "").status;
    for host in ["localhost", "127.0.0.1:80", "[::1]", "[::1]:8080", "Redline.example:443", "redline.example."] {
        assert_eq!(status(host), 200, "{host}");
    }
    for host in ["evil.example", "localhost.evil.example", "redline.example.evil.example", "0.0.0.0", "[::2]"] {
        assert_eq!(status(host), 403, "{host}");
    }
    for host in
        ["[::1].evil.example", "[::1]evil:80", "localhost:80@evil.example", "localhost,evil.example", "", "[::1"]
    {
        assert_eq!(status(host), 400, "{host:?}");
    }
    let both = "GET /v1/steering HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    let mut bytes = Vec::new();
    connect(server.address, both).read_to_end(&mut bytes).unwrap();
    assert_eq!(parse(&bytes).status, 400, "two names");
}

#[cfg(target_os = "linux")]
#[test]
fn open_files_are_allowed_for_as_many_connections_as_there_may_be() {
    let mut child = std::process::Command::new("sh")
        .args(["-c", "ulimit -S -n 64; exec \"$0\" serve --port 0 --json", crate::program::BINARY])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let facts: serde_json::Value = serde_json::from_str(&line).unwrap();
    let address = facts["address"].as_str().unwrap().parse().unwrap();
    // it listens before it raises the limit, and answers after
    assert_eq!(super::http::get(address, "/healthz").status, 200);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files")).unwrap();
    let soft: u64 = line.split_whitespace().next().unwrap().parse().unwrap();
    let hard: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(soft >= hard.min(2 * 512), "{line}");
}
