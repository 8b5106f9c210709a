//! Upstream models that fail, Aligners that fail, clients that leave, and servers that stop.

use std::io::Read;
use std::time::{Duration, Instant};

use redline::serve::ServeOptions;
use serde_json::{Value, json};

use super::here::Here;
use super::http::{get, open, parse, post};
use super::program::Server;
use super::upstream::Mock;
use super::{CLEAN, FLAWED, QUESTION, chat_body};
use crate::fixture::words;
use crate::program::{repository, run, succeed};

/// Longest wait for what comes sooner or later.
const LONGEST: Duration = Duration::from_secs(180);

/// An answer that is longer than the context of the embedded Aligner.
fn too_long() -> String {
    "The capital of France is Paris. ".repeat(400)
}

#[test]
fn an_upstream_model_that_fails_is_an_error_whatever_the_mode() {
    let mock = Mock::start();
    for mode in ["closed", "open"] {
        let server = Server::start(&format!("{} --fail {mode}", mock.arguments()));
        for is_stream in [false, true] {
            let cases = [
                ("hang", 504),
                ("reset", 502),
                ("garbage", 502),
                ("half", 502),
                ("half-chunk", 502),
                ("no-json", 502),
                ("no-choices", 502),
                ("huge", 502),
            ];
            for (model, status) in cases {
                let mut body = chat_body(model, FLAWED);
                body["stream"] = json!(is_stream);
                let reply = server.post("/v1/chat/completions", &body);
                assert_eq!(reply.status, status, "{model}: {reply:?}");
                assert_eq!(reply.json()["error"]["type"], "server_error");
            }
        }
        let good = server.post("/v1/chat/completions", &chat_body("ok", CLEAN)).json();
        assert_eq!(good["choices"][0]["message"]["content"], CLEAN, "the server goes on");
    }
    let nobody = Server::start("--upstream http://127.0.0.1:9/v1");
    let reply = nobody.post("/v1/chat/completions", &chat_body("ok", FLAWED));
    assert_eq!(reply.status, 502);
    assert!(reply.body.contains("cannot be reached"), "{reply:?}");
}

#[test]
fn an_aligner_that_fails_closes_or_lets_through() {
    let mock = Mock::start();
    let answer = too_long();
    let closed = Server::start(&mock.arguments());
    let refused = closed.post("/v1/chat/completions", &chat_body("ok", &answer));
    assert_eq!((refused.status, refused.json()["error"]["code"].as_str()), (502, Some("answer_too_long")));
    assert!(!refused.body.contains(&answer), "nothing uncorrected gets through");
    drop(closed);

    let open = Server::start(&format!("{} --fail open", mock.arguments()));
    let passed = open.post("/v1/chat/completions", &chat_body("ok", &answer)).json();
    assert_eq!(passed["choices"][0]["message"]["content"].as_str(), Some(answer.as_str()));
    let extension = &passed["choices"][0]["redline"];
    assert_eq!(extension["status"], "uncorrected");
    assert!(extension["reason"].as_str().unwrap().contains("context"), "{extension}");
    let mut body = chat_body("ok", &answer);
    body["stream"] = json!(true);
    let events = open.post("/v1/chat/completions", &body).events();
    let first: Value = serde_json::from_str(&events[0].1).unwrap();
    assert_eq!(first["choices"][0]["delta"]["content"].as_str(), Some(answer.as_str()));
    assert_eq!(open.metric("redline_uncorrected_total"), 2.0);
}

/// A request that takes the Aligner a while.
fn long_body(is_stream: bool) -> Value {
    json!({
        "question": QUESTION, "answer": format!("You fool. {}", "The capital of France is Paris. ".repeat(12)),
        "stream": is_stream, "scan": is_stream,
    })
}

#[test]
fn clients_that_leave_cost_nothing_more() {
    let server = Server::start("--max-rows 4");
    let body = long_body(true).to_string();
    let started = Instant::now();
    let is_early = || started.elapsed() < LONGEST;
    let mut n = 0;
    // a correction may be done before its client leaves: then others leave too
    while n < 24 || server.metric("redline_cancelled_total") < 1.0 {
        assert!(is_early(), "no row notices that its client left: {}", server.get("/metrics").body);
        let mut stream = open(server.address, "POST", "/v1/correct", &[], &body);
        let mut first = [0; 64];
        assert!(stream.read(&mut first).unwrap() > 0);
        drop(stream);
        n += 1;
    }
    while server.metric("redline_batch_rows_now") + server.metric("redline_queue_length") > 0.0 {
        assert!(is_early(), "rows without clients go on");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(server.post("/v1/correct", &json!({ "question": QUESTION, "answer": CLEAN })).status, 200);
}

#[test]
fn a_full_queue_refuses_and_says_when_to_come_back() {
    let server = Here::start(ServeOptions { most_waiting: 1, ..ServeOptions::default() });
    let address = server.address;
    let first = std::thread::spawn(move || post(address, "/v1/correct", &long_body(false)));
    let started = Instant::now();
    while !get(address, "/metrics").body.contains("redline_queue_length 1\n") {
        assert!(started.elapsed() < LONGEST, "the request never waits");
        std::thread::sleep(Duration::from_millis(10));
    }
    for n in 1..=3 {
        let refused = post(address, "/v1/correct", &long_body(false));
        let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
        assert!(refused.status == 429 && (1..=60).contains(&seconds), "{refused:?}");
        assert_eq!(refused.json()["error"]["type"], "rate_limit_error");
        assert!(get(address, "/metrics").body.contains(&format!("redline_refused_total {n}\n")));
    }
    server.work();
    assert_eq!(first.join().unwrap().status, 200, "what waited is done");
    assert_eq!(post(address, "/v1/correct", &long_body(false)).status, 200);
}

#[test]
fn a_correction_that_takes_too_long_is_given_up() {
    let server = Server::start("--timeout 0.001");
    let reply = server.post("/v1/correct", &long_body(false));
    assert_eq!((reply.status, reply.json()["error"]["code"].as_str()), (504, Some("timeout")), "{reply:?}");
}

#[test]
fn a_server_that_stops_finishes_what_runs() {
    let mock = Mock::start();
    let server = Server::start(&mock.arguments());
    let address = server.address;
    let running = std::thread::spawn(move || post(address, "/v1/chat/completions", &chat_body("slow", FLAWED)));
    mock.wait_for(1);
    server.terminate();
    let reply = running.join().unwrap();
    assert_eq!(reply.status, 200, "{reply:?}");
    assert!(reply.json()["choices"][0]["message"]["content"].as_str().unwrap().contains(CLEAN));
    let (status, told) = server.wait();
    assert!(status.success() && told.ends_with("stopped\n"), "{status} {told}");
    assert!(std::net::TcpStream::connect(address).is_err(), "nobody listens any more");
}

#[test]
fn a_server_that_is_told_to_stop_while_it_starts_just_stops() {
    let server = Server::start("");
    server.terminate();
    let (status, told) = server.wait();
    assert!(status.success() && told.ends_with("stopped\n") && !told.contains("interrupted"), "{status} {told}");
}

#[test]
fn a_killed_server_leaves_nothing_half_that_looks_whole() {
    let mut server = Server::start("");
    let whole = server.post("/v1/correct", &long_body(false)).json();
    let mut stream = open(server.address, "POST", "/v1/correct", &[], &long_body(true).to_string());
    let mut bytes = vec![0; 256];
    let n = stream.read(&mut bytes).unwrap();
    bytes.truncate(n);
    server.kill();
    // a reset is as good as an end
    let _ = stream.read_to_end(&mut bytes);
    let cut = parse(&bytes);
    let done = cut.events().iter().any(|(name, _)| name == "done");
    assert!(!done || cut.body.contains(whole["correction"].as_str().unwrap()), "{cut:?}");
    drop(server);
    let again = Server::start("");
    assert_eq!(again.post("/v1/correct", &long_body(false)).json()["correction"], whole["correction"]);
}

#[test]
fn what_cannot_be_served_is_said_before_anything_is_announced() {
    let folder = tempfile::tempdir().unwrap();
    let rows = repository().join("assets/demo/triples.jsonl");
    let extract = ["extract", "--data", rows.to_str().unwrap(), "--pairs", "40", "--out", "v.safetensors"];
    succeed(folder.path(), &extract);
    for arguments in
        ["--layers 9", "--vector a=v.safetensors --vector a=v.safetensors", "--vector a=v.safetensors --layers 9"]
    {
        let ran = run(folder.path(), &words(&format!("serve --port 0 --json {arguments}")));
        assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{arguments}: {ran:?}");
        assert!(!ran.stderr.contains("listening") && !ran.stderr.contains("unexpected"), "{arguments}: {ran:?}");
    }
}
