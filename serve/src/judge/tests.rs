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

#[test]
fn letters_and_relations_are_read_from_text() {
    let server = Server::new(|_, body| Line::text(if shows(body, "zero") { "Hm. [[A]]" } else { "[[B]]" }));
    let mut judge = server.judge(Form::Letter);
    assert_eq!((judge.id(), judge.template()), (&*format!("{}#judge-7b", server.url), Form::Letter.template_id()));
    assert_eq!(judge.orders(), Form::Letter.orders());
    let judged = judge.judge(&asked(2), &mut ()).unwrap();
    assert_eq!(verdicts(&judged), [Ok(Verdict::First), Ok(Verdict::Second)]);
    assert_eq!((judged[0].raw.as_str(), judged[0].is_recorded, judged[0].cost), ("Hm. [[A]]", false, None));
    assert!(judged[0].seconds > 0.0);
    {
        let seen = server.seen.lock().unwrap();
        let body = &seen.bodies[0];
        assert_eq!(
            (&body["model"], &body["temperature"], &body["max_tokens"]),
            (&json!("judge-7b"), &json!(0), &json!(1024))
        );
        assert_eq!(body["messages"], json!(Form::Letter.requests(&asked(2)[usize::from(!shows(body, "zero"))])[0]));
        assert_eq!((body.get("logprobs"), body.get("max_completion_tokens")), (None, None));
        assert_eq!(seen.keys, [format!("Bearer {KEY}"), format!("Bearer {KEY}")]);
    }
    let server = Server::new(|_, _| Line::text("[[B>>A]]"));
    assert_eq!(verdicts(&server.judge(Form::Five).judge(&asked(1), &mut ()).unwrap()), [Ok(Verdict::StrongSecond)]);
}

#[test]
fn one_token_is_read_with_its_probability_although_it_is_cut() {
    let server = Server::new(|_, _| {
        let top = json!([{ "token": "m", "logprob": -0.25 }, { "token": "M", "logprob": -1.75 }]);
        let choice = json!({ "message": { "content": "m" }, "finish_reason": "length",
            "logprobs": { "content": [{ "token": "m", "logprob": -0.25, "top_logprobs": top }] } });
        Line::new(200, json!({ "choices": [choice] }))
    });
    let mut judge = server.judge(Form::LogProb);
    let judged = judge.judge(&asked(1), &mut ()).unwrap();
    let p = judged[0].p().unwrap();
    assert!((p - 1.0 / (1.0 + (-1.5f64).exp())).abs() < 1e-12, "{p}");
    assert_eq!(judged[0].raw, r#"{"M":-1.75,"m":-0.25}"#);
    let body = server.seen.lock().unwrap().bodies[0].clone();
    assert_eq!((&body["max_tokens"], &body["logprobs"], &body["top_logprobs"]), (&json!(1), &json!(true), &json!(5)));

    let server = Server::new(|_, _| Line::text("m"));
    let judged = server.judge(Form::LogProb).judge(&asked(1), &mut ()).unwrap();
    assert_eq!(verdicts(&judged), [Err(NoVerdict::NoLogProbs)], "a letter alone is no probability");
}

#[test]
fn scores_come_of_two_requests() {
    let server = Server::new(|_, body| Line::text(if shows(body, "zero") { "[[8]]" } else { "[[3]]" }));
    let mut judge = server.judge_with(Form::Score, |options| {
        options.prices = Some(Prices { prompt: 2.0, completion: 10.0 });
    });
    let judged = judge.judge(&asked(1), &mut ()).unwrap();
    assert_eq!((judged[0].verdict, judged[0].raw.as_str()), (Ok(Verdict::First), r#"["[[8]]","[[3]]"]"#));
    // 2 · (100 · 2 + 10 · 10) / 10⁶
    assert!((judged[0].cost.unwrap() - 0.0006).abs() < 1e-15);
    assert_eq!((judge.tokens(), judge.n_requests(), judge.n_retries()), ([200, 20], 2, 0));
    assert!((judge.cost().unwrap() - 0.0006).abs() < 1e-15);
}

#[test]
fn a_reply_without_a_count_of_tokens_has_no_cost() {
    let server = Server::new(|n, _| match n {
        0 => Line::text("[[A]]"),
        _ => Line::new(200, json!({ "choices": [{ "message": { "content": "[[A]]" } }] })),
    });
    let prices = Prices { prompt: 1e6, completion: 0.0 };
    let mut judge = server.judge_with(Form::Letter, |options| {
        (options.prices, options.n_workers) = (Some(prices), 1);
    });
    assert_eq!(judge.cost(), Some(0.0));
    let judged = judge.judge(&asked(2), &mut ()).unwrap();
    assert_eq!((judged[0].cost, judged[1].cost), (Some(100.0), None));
    assert_eq!((judge.cost(), judge.tokens()), (None, [100, 10]));
}

#[test]
fn garbage_is_no_verdict_and_no_tie() {
    let script: [(Line, NoVerdict, &str); 6] = [
        (Line::text("I cannot tell."), NoVerdict::NoToken, "I cannot tell."),
        (Line::text(""), NoVerdict::NoReply, ""),
        (Line::message(json!({ "content": null, "reasoning_content": "[[A]]" })), NoVerdict::NoReply, ""),
        (Line::message(json!({ "content": "[[A]]", "refusal": "Not that." })), NoVerdict::NoAnswer, "Not that."),
        (
            Line::new(
                200,
                json!({ "choices": [{ "message": { "content": "[[A]]: cut" }, "finish_reason": "length" }] }),
            ),
            NoVerdict::NoReply,
            "[[A]]: cut",
        ),
        (Line::new(200, "not JSON"), NoVerdict::NoReply, "the upstream server's reply cannot be used: no JSON object"),
    ];
    for (line, expected, raw) in script {
        let server = Server::new(move |_, _| line.clone());
        let mut judge = server.judge(Form::Letter);
        let mut heard = Heard::default();
        let judged = judge.judge(&asked(1), &mut heard).unwrap();
        assert_eq!(judged[0].verdict, Err(expected), "{raw}");
        assert!(judged[0].raw.starts_with(raw), "{:?}, expected {raw:?}", judged[0].raw);
        assert_eq!((heard.judged.len(), judge.n_requests()), (1, 1), "the same words would come again");
    }
}

#[test]
fn parts_are_text() {
    let parts = json!([{ "type": "thinking", "thinking": "[[B]]" }, { "type": "text", "text": "[[A" }, "]]"]);
    let server = Server::new(move |_, _| Line::message(json!({ "content": parts })));
    let judged = server.judge(Form::Letter).judge(&asked(1), &mut ()).unwrap();
    assert_eq!((judged[0].verdict, judged[0].raw.as_str()), (Ok(Verdict::First), "[[A]]"));
}

#[test]
fn what_passes_is_asked_again() {
    for line in [
        Line::error(429, "too many").with_header("retry-after", "0"),
        Line::error(503, "busy"),
        Line::error(500, "oops"),
        Line::new(200, json!({ "error": { "message": "busy", "code": 429 } })),
        Line::new(200, json!({ "choices": [{ "error": { "message": "provider is down", "code": 502 } }] })),
    ] {
        let server = Server::new(move |n, _| if n < 3 { line.clone() } else { Line::text("[[A]]") });
        let mut judge = server.judge(Form::Letter);
        let judged = judge.judge(&asked(1), &mut ()).unwrap();
        assert_eq!(verdicts(&judged), [Ok(Verdict::First)]);
        assert_eq!((judge.n_requests(), judge.n_retries(), judge.tokens()), (4, 3, [100, 10]));
    }
}

#[test]
fn the_server_says_how_long_to_wait_and_all_wait() {
    let server = Server::new(|n, _| match n {
        0 => Line::error(429, "too many").with_header("retry-after", "1"),
        _ => Line::text("[[A]]"),
    });
    let mut judge = server.judge_with(Form::Letter, |options| options.n_workers = 1);
    let started = Instant::now();
    assert_eq!(judge.judge(&asked(2), &mut ()).unwrap().len(), 2);
    assert!(started.elapsed() >= Duration::from_secs(1));
}

#[test]
fn requests_are_spread_over_a_minute() {
    let server = Server::new(|_, _| Line::text("[[A]]"));
    let mut judge = server.judge_with(Form::Letter, |options| options.most_per_minute = 600.try_into().ok());
    let started = Instant::now();
    judge.judge(&asked(4), &mut ()).unwrap();
    assert!(started.elapsed() >= Duration::from_millis(295), "three gaps of 100 ms");
}

#[test]
fn a_wrong_key_ends_the_run_and_nothing_is_reported() {
    for (status, cure) in [(401, "key"), (403, "key"), (404, "name of the model"), (400, "form of question")] {
        let server = Server::new(move |_, _| Line::error(status, &format!("bad: {KEY}")));
        let mut judge = server.judge(Form::Letter);
        let mut heard = Heard::default();
        let error = judge.judge(&asked(8), &mut heard).unwrap_err();
        let JudgeError::Failed { judge: name, source } = &error else { panic!("{error:?}") };
        assert_eq!(name, judge.id());
        let text = source.to_string();
        assert!(
            text.starts_with("3 comparisons in a row had no reply; the last one: the upstream server answered"),
            "{text}"
        );
        assert!(text.contains(&format!("answered {status}: bad: [hidden]; ")) && text.contains(cure), "{text}");
        assert!(heard.judged.is_empty() && judge.n_requests() < 8, "a log would hold a fault of the settings for ever");
    }
}

#[test]
fn a_request_that_is_refused_is_an_error_of_its_comparison() {
    let refused = |_: usize, body: &Value| match shows(body, "two") || shows(body, "three") {
        true => Line::error(400, &format!("too long for {KEY}")),
        false => Line::text("[[A]]").after(20),
    };
    let server = Server::new(refused);
    let mut heard = Heard::default();
    let judged = server.judge(Form::Letter).judge(&asked(5), &mut heard).unwrap();
    let errors: Vec<usize> = (0..5).filter(|index| judged[*index].verdict == Err(NoVerdict::NoReply)).collect();
    assert_eq!(errors, [2, 3]);
    assert_eq!(judged[2].raw, "the upstream server answered 400: too long for [hidden]");
    assert_eq!(heard.judged.len(), 5);
    assert!(![2, 3].contains(&heard.indices()[0]), "held back until another one is answered");
    // once some are answered, three in a row are no fault of the settings
    let late = Server::new(|n, _| if n == 0 { Line::text("[[A]]") } else { Line::error(413, "too long") });
    let mut judge = late.judge_with(Form::Letter, |options| options.n_workers = 1);
    let judged = judge.judge(&asked(8), &mut ()).unwrap();
    assert_eq!(judged.iter().filter(|judged| judged.verdict.is_err()).count(), 7);
    let error = judge.judge(&asked(40), &mut ()).unwrap_err();
    assert!(chain(&error).contains("3 comparisons in a row"), "another call knows nothing yet: {error:?}");
}

#[test]
fn what_the_server_did_not_get_to_stays_open() {
    let server = Server::new(|_, body| match shows(body, "one") {
        true => Line::error(429, "quota"),
        false => Line::text("[[A]]"),
    });
    let mut judge = server.judge_with(Form::Letter, |options| options.n_attempts = 2);
    let mut heard = Heard::default();
    let error = judge.judge(&asked(6), &mut heard).unwrap_err();
    let text = chain(&error);
    assert!(text.contains("1 of 6 comparisons had no reply and stay open") && text.contains("go on later"), "{text}");
    let mut indices = heard.indices();
    indices.sort_unstable();
    assert_eq!(indices, [0, 2, 3, 4, 5], "all others are judged, and the open one is no judgement");
}

#[test]
fn a_log_holds_what_was_judged_and_the_rest_is_asked_again() {
    let is_up = Arc::new(AtomicBool::new(false));
    let seen = is_up.clone();
    let server = Server::new(move |_, body| match shows(body, "one") && !seen.load(Ordering::SeqCst) {
        true => Line::error(503, "busy"),
        false => Line::text("[[A]]"),
    });
    let folder = std::env::temp_dir().join(format!("redline-server-judge-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("judgements.jsonl");
    let logged = || LoggedJudge::new(server.judge(Form::Letter), JudgementLog::open(&path).unwrap()).unwrap();
    let mut judge = logged();
    assert!(judge.judge(&asked(4), &mut ()).is_err());
    assert_eq!(judge.log().index().len(), 3);
    drop(judge);
    is_up.store(true, Ordering::SeqCst);
    let mut judge = logged();
    let judged = judge.judge(&asked(4), &mut ()).unwrap();
    assert_eq!(verdicts(&judged), [Ok(Verdict::First); 4]);
    assert_eq!(judge.inner().n_requests(), 1);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("judge-7b") && !text.contains("very-secret"), "{text}");
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_server_that_is_not_there_ends_the_run() {
    let place = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let options = JudgeOptions { first_wait: Duration::ZERO, ..JudgeOptions::default() };
    let mut judge = ServerJudge::new(&format!("http://{place}/v1"), "m", Form::Letter, None, options).unwrap();
    let error = judge.judge(&asked(8), &mut ()).unwrap_err();
    assert!(chain(&error).contains("check that the server runs"), "{error:?}");
    assert!(judge.n_retries() >= 9, "each of three is tried four times");
}

#[test]
fn the_new_name_of_the_limit_is_used_where_the_old_one_is_refused() {
    let server = Server::new(|_, body| match body.get("max_tokens") {
        Some(_) => Line::error(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."),
        None => Line::text(if body["max_completion_tokens"] == 1024 { "[[A]]" } else { "[[B]]" }),
    });
    let mut judge = server.judge_with(Form::Letter, |options| options.n_workers = 1);
    let judged = judge.judge(&asked(3), &mut ()).unwrap();
    assert_eq!(verdicts(&judged), [Ok(Verdict::First); 3]);
    assert_eq!((judge.n_requests(), server.n_requests()), (4, 4), "learned once");
    let stubborn = Server::new(|_, _| Line::error(400, "max_completion_tokens is none of yours"));
    let error = stubborn.judge(Form::Letter).judge(&asked(3), &mut ()).unwrap_err();
    assert!(chain(&error).contains("none of yours"), "and not for ever");
}

#[test]
fn results_are_in_order_although_the_first_comes_last() {
    let server = Server::new(|_, body| match shows(body, "zero") {
        true => Line::text("[[A]]").after(300),
        false => Line::text("[[B]]").after(10),
    });
    let mut judge = server.judge(Form::Letter);
    let mut heard = Heard::default();
    let judged = judge.judge(&asked(8), &mut heard).unwrap();
    assert_eq!(judged[0].verdict, Ok(Verdict::First));
    assert!(judged[1..].iter().all(|judged| judged.verdict == Ok(Verdict::Second)));
    assert_eq!(heard.indices().last(), Some(&0), "each is reported when it comes");
    assert!(heard.judged.iter().all(|(index, heard)| *heard == judged[*index]));
    let most = server.seen.lock().unwrap().most_at_a_time;
    assert!((2..=4).contains(&most), "{most}");
    assert!(judge.judge(&[], &mut ()).unwrap().is_empty());
}

#[test]
fn an_observer_ends_the_run_and_what_is_being_asked() {
    let server = Server::new(|n, _| Line::text("[[A]]").after(if n == 0 { 0 } else { 60_000 }));
    let mut judge = server.judge(Form::Letter);
    let started = Instant::now();
    let error = judge.judge(&asked(8), &mut Heard { most: Some(1), ..Heard::default() }).unwrap_err();
    assert!(matches!(error, JudgeError::File(redline_model::Error::Interrupted)), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(20) && server.n_requests() <= 5);
    // the judge can be asked again
    let server = Server::new(|_, _| Line::text("[[A]]"));
    let mut judge = server.judge_with(Form::Letter, |options| options.n_workers = 1);
    judge.judge(&asked(2), &mut Heard { most: Some(1), ..Heard::default() }).unwrap_err();
    assert_eq!(judge.judge(&asked(2), &mut ()).unwrap().len(), 2);
}

#[test]
fn a_check_ends_the_wait_for_a_reply() {
    let server = Server::new(|_, _| Line::text("[[A]]").after(60_000));
    let started = Instant::now();
    let end = move || match started.elapsed() > Duration::from_millis(300) {
        true => Err(redline_model::Error::Interrupted.into()),
        false => Ok(()),
    };
    let error = server.judge(Form::Letter).with_check(end).judge(&asked(2), &mut ()).unwrap_err();
    assert!(error.to_string().contains("interrupted") && started.elapsed() < Duration::from_secs(20));
}

#[test]
fn the_key_is_nowhere() {
    let server = Server::new(|n, _| match n {
        0 => Line::text(&format!("you sent {KEY} [[A]]")),
        1 => Line::message(json!({ "refusal": format!("not with {KEY}") })),
        2 => Line::error(400, &format!("the key {KEY} is odd")),
        _ => Line::error(401, &format!("the key {KEY} is spent")).with_header("x-ratelimit-key", KEY),
    });
    let mut judge = server.judge_with(Form::Letter, |options| options.n_workers = 1);
    let mut heard = Heard::default();
    let error = judge.judge(&asked(8), &mut heard).unwrap_err();
    let shown = format!("{judge:?} {} {} {:?} {}", judge.id(), judge.template(), heard.judged, chain(&error));
    assert!(!shown.contains("very-secret"), "{shown}");
    assert!(shown.contains("the key [hidden] is spent") && shown.contains("judge-7b"), "{shown}");
    // stars keep the length of a reply
    assert_eq!(heard.judged[1].1.raw, format!("not with {}", "*".repeat(KEY.len())));
    assert_eq!(heard.judged.len(), 2, "the refused one is held back");
    // a short key, which may be a word of a reply, is hidden in records all the same
    let server = Server::new(|n, _| match n {
        0 => Line::text("pass-word [[A]]"),
        _ => Line::new(200, json!({ "error": { "message": "pass-word is odd", "code": 400 } })),
    });
    let mut judge =
        ServerJudge::new(&server.url, "m", Form::Letter, Some("pass-word"), JudgeOptions::default()).unwrap();
    let raw = |judged: Result<Vec<Judged>>| judged.unwrap()[0].raw.clone();
    assert_eq!(raw(judge.judge(&asked(1), &mut ())), "[hidden] [[A]]");
    assert_eq!(raw(judge.judge(&asked(1), &mut ())), "the upstream server answered 400: [hidden] is odd");
    assert!(!chain(&judge.judge(&asked(3), &mut ()).unwrap_err()).contains("pass-word"));
}

#[test]
fn what_cannot_be_asked_is_refused_without_its_secrets() {
    let new = |url: &str, model: &str, key: Option<&str>, options: JudgeOptions| {
        chain(&ServerJudge::new(url, model, Form::Letter, key, options).map(|_| ()).unwrap_err())
    };
    let default = JudgeOptions::default;
    for url in ["http://me:secret@host/v1", "http://host/v1?key=secret", "secret@host/v1", "http://host/secret word\n"]
    {
        let text = new(url, "m\u{7}", None, default());
        assert!(!text.contains("secret"), "{text}");
    }
    assert!(new("me:secret@host", "m", None, default()).contains("begin with http"));
    assert!(!new("me:secret@host", "m", None, default()).contains("secret"));
    let with_key = format!("http://host/{KEY}/v1");
    let text = new(&with_key, "m", Some(KEY), default());
    assert!(text.contains("must not hold the key") && !text.contains("very-secret"), "{text}");
    assert!(new("http://host/v1", " ", None, default()).contains("the name of the model is empty"));
    assert!(new("http://host/v1", "m", Some("a\nb"), default()).contains("no header can hold"));
    for options in [
        JudgeOptions { n_workers: 0, ..default() },
        JudgeOptions { n_attempts: 0, ..default() },
        JudgeOptions { prices: Some(Prices { prompt: f64::NAN, completion: 0.0 }), ..default() },
        JudgeOptions { prices: Some(Prices { prompt: 0.0, completion: -1.0 }), ..default() },
    ] {
        assert!(new("http://host/v1", "m", None, options).contains("must be a number of at least"));
    }
    let judge = ServerJudge::new(" http://host/v1/ ", "org/m", Form::Letter, None, default()).unwrap();
    assert_eq!(judge.id(), "http://host/v1#org/m");
}

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
