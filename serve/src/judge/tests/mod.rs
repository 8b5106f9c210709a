//! Judges before a server on loopback that says what its script says.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use redline_lab::judge::{
    Comparison, Dimension, Form, Judge, JudgeError, JudgeObserver, Judged, JudgementLog, LoggedJudge, NoVerdict, Order,
    Result, Shown, Verdict,
};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use redline_lab::baseline::{Conversation, WriteHow, Writer};
use redline_lab::judge::Message;

mod replies;
mod sending;
mod writer;

use super::{JudgeOptions, Prices, ServerJudge, ServerWriter};

const KEY: &str = "sk-a-very-secret-key-0123456789";

/// What a server says once.
#[derive(Clone)]
struct Line {
    status: u16,
    headers: Vec<(&'static str, &'static str)>,
    body: String,
    after: Duration,
}

impl Line {
    fn new(status: u16, body: impl ToString) -> Self {
        Self { status, headers: Vec::new(), body: body.to_string(), after: Duration::ZERO }
    }

    /// A reply whose message is this.
    fn message(message: Value) -> Self {
        let choice = json!({ "index": 0, "message": message, "finish_reason": "stop" });
        Self::new(200, json!({ "choices": [choice], "usage": { "prompt_tokens": 100, "completion_tokens": 10 } }))
    }

    fn text(text: &str) -> Self {
        Self::message(json!({ "role": "assistant", "content": text }))
    }

    fn error(status: u16, message: &str) -> Self {
        Self::new(status, json!({ "error": { "message": message } }))
    }

    fn after(self, milliseconds: u64) -> Self {
        Self { after: Duration::from_millis(milliseconds), ..self }
    }

    fn with_header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// What a server saw.
#[derive(Default)]
struct Seen {
    bodies: Vec<Value>,
    keys: Vec<String>,
    n_at_a_time: usize,
    most_at_a_time: usize,
}

struct Server {
    url: String,
    seen: Arc<Mutex<Seen>>,
    _runtime: Runtime,
}

impl Server {
    /// Its script has the number of the request, from 0, and its body.
    fn new(script: impl Fn(usize, &Value) -> Line + Send + Sync + 'static) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        let (seen, script) = (Arc::new(Mutex::new(Seen::default())), Arc::new(script));
        let state = seen.clone();
        let handler = move |headers: HeaderMap, body: Bytes| {
            let (state, script) = (state.clone(), script.clone());
            async move {
                let body: Value = serde_json::from_slice(&body).unwrap();
                let n = {
                    let mut seen = state.lock().unwrap();
                    let key = headers.get("authorization").map(|key| key.to_str().unwrap().to_owned());
                    seen.keys.extend(key);
                    seen.bodies.push(body.clone());
                    seen.n_at_a_time += 1;
                    seen.most_at_a_time = seen.most_at_a_time.max(seen.n_at_a_time);
                    seen.bodies.len() - 1
                };
                let line = script(n, &body);
                tokio::time::sleep(line.after).await;
                state.lock().unwrap().n_at_a_time -= 1;
                let header =
                    |(name, value): (&'static str, _)| (HeaderName::from_static(name), HeaderValue::from_static(value));
                let headers: HeaderMap = line.headers.into_iter().map(header).collect();
                (StatusCode::from_u16(line.status).unwrap(), headers, line.body)
            }
        };
        let router = axum::Router::new().route("/v1/chat/completions", axum::routing::post(handler));
        runtime.spawn(async move { axum::serve(listener, router).await });
        Self { url, seen, _runtime: runtime }
    }

    fn judge_with(&self, form: Form, change: impl FnOnce(&mut JudgeOptions)) -> ServerJudge {
        let mut options = JudgeOptions { first_wait: Duration::from_millis(1), ..JudgeOptions::default() };
        change(&mut options);
        ServerJudge::new(&self.url, "judge-7b", form, Some(KEY), options).unwrap()
    }

    fn judge(&self, form: Form) -> ServerJudge {
        self.judge_with(form, |_| {})
    }

    fn n_requests(&self) -> usize {
        self.seen.lock().unwrap().bodies.len()
    }
}

const OUTPUTS: [&str; 8] = ["zero", "one", "two", "three", "four", "five", "six", "seven"];

/// Comparisons of `n` outputs with `other`.
fn asked(n: usize) -> Vec<Comparison<'static>> {
    (0..n).map(|row| comparison(row, OUTPUTS[row % OUTPUTS.len()], "other")).collect()
}

fn comparison(row: usize, first: &'static str, second: &'static str) -> Comparison<'static> {
    let [first, second] = [("left", first), ("right", second)].map(|(system, output)| Shown { system, output });
    let dimension = Dimension::Helpful;
    Comparison { row, question: "Why?", first, second, order: Order::Ab, dimension, reference: None }
}

/// Whether a request shows an output.
fn shows(body: &Value, output: &str) -> bool {
    body["messages"][1]["content"].as_str().unwrap().contains(&format!("```\n{output}\n```"))
}

/// Hears which comparisons are judged, and can end the work.
#[derive(Default)]
struct Heard {
    judged: Vec<(usize, Judged)>,
    most: Option<usize>,
}

impl JudgeObserver for Heard {
    fn judged(&mut self, index: usize, judged: &Judged) -> Result<()> {
        self.judged.push((index, judged.clone()));
        match self.most {
            Some(most) if self.judged.len() >= most => Err(redline_model::Error::Interrupted.into()),
            _ => Ok(()),
        }
    }

    fn note(&mut self, _: &str) {}
}

impl Heard {
    fn indices(&self) -> Vec<usize> {
        self.judged.iter().map(|(index, _)| *index).collect()
    }
}

fn verdicts(judged: &[Judged]) -> Vec<std::result::Result<Verdict, NoVerdict>> {
    judged.iter().map(|judged| judged.verdict).collect()
}

/// An error with all that it comes from.
fn chain(error: &JudgeError) -> String {
    let first: &dyn std::error::Error = error;
    let all = std::iter::successors(Some(first), |error| error.source());
    all.map(|error| format!("{error} {error:?}")).collect::<Vec<_>>().join("\n")
}
