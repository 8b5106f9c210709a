//! Answers of an upstream model, for rows that have none.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::time::Duration;

use axum::http::HeaderMap;
use redline::chat::chat_prompt;
use redline::model::generate::{Finish, GenerateOptions, Prompt, generate};
use redline::model::sampling::SamplingOptions;
use redline::model::{Model, NoHook};
use redline::serve::{ReadAnswer, Stated, Upstream, UpstreamError, read_answer};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::row::Row;
use crate::cli::CorrectArgs;
use crate::failure::{hinted, refuse_useless};
use crate::interrupt;
use crate::keys::environment_key;
use crate::models::load_model;

/// Longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(300);
/// Times that a question is asked before its row goes without an answer.
const ATTEMPTS: u32 = 4;
/// Longest wait that a server can ask for before the next attempt.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Rows in a row that fail for the settings before the run ends.
const MOST_REFUSED: usize = 3;
/// What some options have no effect without.
const NO_UPSTREAM: &str = "without --upstream or --upstream-model";
/// Why a row has no answer.
const NOTHING: &str = "the upstream model wrote nothing";

/// What an upstream model wrote, or why there is nothing for this row.
pub type Answer = Result<Answered, String>;

/// An answer.
#[derive(Clone)]
pub struct Answered {
    pub text: String,
    /// Whether the length limit cut it.
    pub is_cut: bool,
}

/// Where answers come from.
pub enum Answers {
    /// The rows alone.
    Rows,
    /// A server.
    Server(Box<Server>),
    /// A model in this program.
    Model(Box<Model>),
}

/// Answers of the first of some rows; where they are not all, why the run ends.
pub struct Batch {
    pub answers: Vec<Answer>,
    pub end: Option<anyhow::Error>,
}

/// An upstream server and the threads to ask it on.
pub struct Server {
    upstream: Upstream,
    runtime: Runtime,
    /// Rows in a row that failed for the settings.
    n_refused: Cell<usize>,
    most_refused: usize,
}

/// Why a row has no answer.
enum Failure {
    /// Something about this row or this moment.
    Row(String),
    /// Something that every row would fail for.
    Settings(String, &'static str),
    /// The run is to stop.
    Stop(anyhow::Error),
}

impl Answers {
    pub fn open(args: &CorrectArgs) -> anyhow::Result<Self> {
        if let Some(path) = &args.stack.upstream_model {
            // refused before weights are read
            let device = args.model.device()?;
            return Ok(Self::Model(Box::new(load_model(path)?.to_device(&device)?)));
        }
        let Some(url) = &args.stack.upstream else {
            refuse_useless(&[(args.stack.upstream_temperature.is_some(), "--upstream-temperature")], NO_UPSTREAM)?;
            return Ok(Self::Rows);
        };
        let key = args.stack.upstream_key_env.as_deref().map(environment_key).transpose()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let upstream = Upstream::new(url, key.as_deref(), TIMEOUT).map_err(|error| {
            hinted(format!("--upstream: {error}"), "give a base URL such as http://127.0.0.1:8000/v1")
        })?;
        Ok(Self::Server(Box::new(Server { upstream, runtime, n_refused: Cell::new(0), most_refused: MOST_REFUSED })))
    }

    /// Gets ready for so many rows: where they are few, fewer of them end the run.
    pub fn expect(&mut self, n_open: usize) {
        if let Self::Server(server) = self {
            server.most_refused = MOST_REFUSED.min(n_open);
        }
    }

    /// An answer for every row: its own, or one of the upstream model; none for a row that is faulty. `first` is the number of the first row.
    pub fn of(&self, first: usize, rows: &[Row], args: &CorrectArgs) -> anyhow::Result<Batch> {
        let numbered: Vec<(usize, &Row)> = (first..).zip(rows).filter(|(_, row)| row.is_open()).collect();
        let open: Vec<&Row> = numbered.iter().map(|(_, row)| *row).collect();
        let (answered, end) = match self {
            _ if open.is_empty() => (Vec::new(), None),
            Self::Rows => (Vec::new(), None),
            Self::Server(server) => server.runtime.block_on(ask_all(server, &open, args))?,
            Self::Model(model) => (write_all(model, &numbered, args)?, None),
        };
        let mut answered = answered.into_iter();
        let answer = |row: &Row| match (&row.fault, &row.answer) {
            (Some(fault), _) => Some(Err(fault.clone())),
            (None, Some(text)) => Some(Ok(Answered { text: text.clone(), is_cut: false })),
            (None, None) => answered.next(),
        };
        Ok(Batch { answers: rows.iter().map_while(answer).collect(), end })
    }
}

/// Answers in order. Rows that every other row would follow end the run, and have none.
async fn ask_all(
    server: &Server,
    rows: &[&Row],
    args: &CorrectArgs,
) -> anyhow::Result<(Vec<Answer>, Option<anyhow::Error>)> {
    let places = std::sync::Arc::new(Semaphore::new(args.stack.upstream_at_a_time.into()));
    let mut tasks = JoinSet::new();
    for (index, row) in rows.iter().enumerate() {
        let mut body = json!({ "messages": row.messages, "max_tokens": args.sampling.max_new_tokens });
        body["model"] = args.stack.upstream_name.as_deref().unwrap_or("default").into();
        if let Some(temperature) = args.stack.upstream_temperature {
            body["temperature"] = temperature.into();
        }
        let (places, upstream) = (places.clone(), server.upstream.clone());
        tasks.spawn(async move {
            let _place = places.acquire().await;
            (index, ask(&upstream, &body).await)
        });
    }
    let mut asked: Vec<Option<Result<Answered, Failure>>> = rows.iter().map(|_| None).collect();
    let mut answers = Vec::with_capacity(rows.len());
    while let Some(done) = tasks.join_next().await {
        let (index, outcome) = done?;
        asked[index] = Some(outcome);
        while let Some(outcome) = asked.get_mut(answers.len()).and_then(Option::take) {
            if let Some(end) = server.take(outcome, &mut answers)? {
                return Ok((answers, Some(end))); // which ends the other tasks too
            }
        }
    }
    Ok((answers, None))
}

impl Server {
    /// Takes the next row's outcome; says why the run ends when too many rows in a row failed for the settings, which then have no answer.
    fn take(
        &self,
        outcome: Result<Answered, Failure>,
        answers: &mut Vec<Answer>,
    ) -> anyhow::Result<Option<anyhow::Error>> {
        let (message, hint) = match outcome {
            Err(Failure::Stop(error)) => return Err(error),
            Err(Failure::Settings(message, hint)) => (message, hint),
            Err(Failure::Row(message)) => {
                self.n_refused.set(0);
                answers.push(Err(message));
                return Ok(None);
            }
            Ok(answered) => {
                self.n_refused.set(0);
                answers.push(Ok(answered));
                return Ok(None);
            }
        };
        let n_refused = self.n_refused.get() + 1;
        self.n_refused.set(n_refused);
        if n_refused < self.most_refused {
            answers.push(Err(message));
            return Ok(None);
        }
        answers.truncate((answers.len() + 1).saturating_sub(n_refused));
        Ok(Some(hinted(message, format!("{hint}; --out keeps what is done, and the same command continues"))))
    }
}

/// Asks until there is an answer, or an error that will not pass.
async fn ask(upstream: &Upstream, body: &Value) -> Result<Answered, Failure> {
    let (mut attempt, headers) = (1, HeaderMap::new());
    loop {
        let asked = until_stopped(upstream.post("/chat/completions", body.to_string().into(), &headers)).await?;
        let error = match asked.and_then(|reply| reply.json()).map(|reply| answer_of(&reply)) {
            Ok(Ok(answer)) => return answer.map_err(Failure::Row),
            Ok(Err(error @ UpstreamError::Reply { .. })) => return Err(Failure::Row(error.to_string())),
            Ok(Err(error)) | Err(error) if attempt < ATTEMPTS && error.is_passing() => error,
            Ok(Err(error)) | Err(error) => return Err(failure(&error)),
        };
        let usual = Duration::from_secs(1 << (attempt - 1));
        let wished = error.retry_after().map(|seconds| Duration::from_secs(seconds).min(LONGEST_WAIT));
        until_stopped(tokio::time::sleep(wished.map_or(usual, |wait| wait.max(usual)))).await?;
        attempt += 1;
    }
}

/// Waits for something, or for a signal.
async fn until_stopped<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    tokio::select! {
        done = work => Ok(done),
        () = interrupt::wait() => Err(Failure::Stop(redline::model::Error::Interrupted.into())),
    }
}

/// Whom an error concerns: the row it came for, or all rows.
fn failure(error: &UpstreamError) -> Failure {
    let hint = match error {
        UpstreamError::Status { status: 401 | 403, .. } | UpstreamError::Key => {
            "name the variable that holds the server's key with --upstream-key-env"
        }
        UpstreamError::Status { status: 404 | 405, .. } => {
            "check --upstream-name, and whether the URL has to end with /v1"
        }
        UpstreamError::Redirect { .. } => "give the URL that it points to",
        UpstreamError::Unreachable { .. } | UpstreamError::Address { .. } | UpstreamError::NoTls { .. } => {
            "check that the server runs and that the URL is right"
        }
        _ => return Failure::Row(error.to_string()),
    };
    Failure::Settings(error.to_string(), hint)
}

/// The answer in a reply of OpenAI's chat API, or why there is none for this row.
fn answer_of(reply: &Value) -> Result<Answer, UpstreamError> {
    let choice = &reply["choices"][0];
    if !reply["error"].is_null() {
        return Err(stated(&reply["error"]));
    }
    if !choice["error"].is_null() {
        let error = stated(&choice["error"]);
        // the others had their chance: whatever its code, it is about this answer
        return if error.is_passing() { Err(error) } else { Ok(Err(error.to_string())) };
    }
    let ReadAnswer { text, refusal, finish_reason: reason } = read_answer(reply.to_string().as_bytes())?;
    Ok(match (text, refusal) {
        (Some(text), _) => Ok(Answered { text, is_cut: reason.as_deref() == Some("length") }),
        (None, Some(refusal)) => Err(format!("the upstream model refused: {refusal}")),
        (None, None) => Err(reason.map_or(NOTHING.to_owned(), |reason| format!("{NOTHING} (finish_reason: {reason})"))),
    })
}

/// An error that a reply states although its status says that all is well.
fn stated(error: &Value) -> UpstreamError {
    let code = error["code"].as_u64().or_else(|| error["code"].as_str()?.parse().ok());
    let status = code.and_then(|code| u16::try_from(code).ok()).filter(|code| (400..600).contains(code)).unwrap_or(502);
    UpstreamError::Status { status, stated: Box::new(Stated::of(error)), headers: Box::default() }
}

/// Answers of a model in this program, written together. A draw depends on the seed and the number of its row, and on nothing beside it.
fn write_all(model: &Model, rows: &[(usize, &Row)], args: &CorrectArgs) -> anyhow::Result<Vec<Answer>> {
    let tokenizer = model.tokenizer()?;
    let context = model.decoder.config().context;
    let mut prompts = Vec::with_capacity(rows.len());
    let mut answers: Vec<Answer> = vec![Err(NOTHING.to_owned()); rows.len()];
    for (index, (number, row)) in rows.iter().enumerate() {
        let tokens = tokenizer.encode_prompt(&chat_prompt(tokenizer, &row.messages)?)?;
        let n = tokens.len();
        if n.saturating_add(args.sampling.max_new_tokens) <= context {
            prompts.push(Prompt::new(tokens, vec![*number]));
        } else {
            answers[index] =
                Err(format!("the upstream model's prompt of {n} tokens and an answer exceed its context of {context}"));
        }
    }
    let options = GenerateOptions {
        max_new_tokens: args.sampling.max_new_tokens,
        sampling: SamplingOptions {
            temperature: args.stack.upstream_temperature.unwrap_or(0.0),
            seed: args.seed,
            ..SamplingOptions::default()
        },
        stop_ids: tokenizer.stop_ids().to_vec(),
        ..GenerateOptions::default()
    };
    let written = generate(&model.decoder, &prompts, &options, &mut NoHook, &mut |_, _| {
        interrupt::check()?;
        Ok(ControlFlow::Continue(()))
    })?;
    for row in written {
        let text = tokenizer.decode(&row.tokens, true)?.trim().to_owned();
        let place = rows.iter().position(|(number, _)| *number == row.row);
        if let Some(place) = place.filter(|_| !text.is_empty()) {
            answers[place] = Ok(Answered { text, is_cut: row.finish == Finish::Length });
        }
    }
    Ok(answers)
}
