//! Answers of an upstream model, for rows that have none.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::time::Duration;

use axum::http::HeaderMap;
use redline::chat::chat_prompt;
use redline::model::generate::{Finish, GenerateOptions, Prompt, generate};
use redline::model::{Model, NoHook};
use redline::serve::{Upstream, UpstreamError};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

use super::Row;
use crate::cli::CorrectArgs;
use crate::commands::serve::environment_key;
use crate::interrupt;
use crate::session::{hinted, load_model};

/// Longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(300);
/// Times that a question is asked before the run ends.
const ATTEMPTS: u32 = 4;
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

/// An upstream server and the threads to ask it on.
pub struct Server {
    upstream: Upstream,
    runtime: Runtime,
    has_answered: Cell<bool>,
}

impl Answers {
    pub fn open(args: &CorrectArgs) -> anyhow::Result<Self> {
        if let Some(path) = &args.stack.upstream_model {
            // refused before weights are read
            let device = args.model.device()?;
            return Ok(Self::Model(Box::new(load_model(path)?.to_device(&device)?)));
        }
        let Some(url) = &args.stack.upstream else { return Ok(Self::Rows) };
        let key = args.stack.upstream_key_env.as_deref().map(environment_key).transpose()?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let upstream = Upstream::new(url, key.as_deref(), TIMEOUT).map_err(|error| {
            hinted(format!("--upstream: {error}"), "give a base URL such as http://127.0.0.1:8000/v1")
        })?;
        Ok(Self::Server(Box::new(Server { upstream, runtime, has_answered: Cell::new(false) })))
    }

    /// An answer for every row: its own, or one of the upstream model.
    pub fn of(&self, rows: &[Row], args: &CorrectArgs) -> anyhow::Result<Vec<Answer>> {
        let open: Vec<&Row> = rows.iter().filter(|row| row.answer.is_none()).collect();
        let answered = match self {
            _ if open.is_empty() => Vec::new(),
            Self::Rows => Vec::new(),
            Self::Server(server) => server.runtime.block_on(ask_all(server, &open, args))?,
            Self::Model(model) => write_all(model, &open, args)?,
        };
        let mut answered = answered.into_iter();
        let own = |text: &String| Ok(Answered { text: text.clone(), is_cut: false });
        let nothing = || Err(NOTHING.to_owned());
        Ok(rows
            .iter()
            .map(|row| row.answer.as_ref().map(own).or_else(|| answered.next()).unwrap_or_else(nothing))
            .collect())
    }
}

async fn ask_all(server: &Server, rows: &[&Row], args: &CorrectArgs) -> anyhow::Result<Vec<Answer>> {
    let places = std::sync::Arc::new(Semaphore::new(args.stack.upstream_at_a_time.into()));
    let tasks: Vec<_> = rows
        .iter()
        .map(|row| {
            let mut body = json!({ "messages": row.messages, "max_tokens": args.sampling.max_new_tokens });
            body["model"] = args.stack.upstream_name.as_deref().unwrap_or("default").into();
            let (places, upstream) = (places.clone(), server.upstream.clone());
            tokio::spawn(async move {
                let _place = places.acquire().await;
                ask(&upstream, &body).await
            })
        })
        .collect();
    let mut asked = Vec::with_capacity(tasks.len());
    for task in tasks {
        asked.push(task.await?);
    }
    if asked.iter().any(Result::is_ok) {
        server.has_answered.set(true);
    }
    asked.into_iter().map(|asked| row_answer(asked, server.has_answered.get())).collect()
}

/// What is about the row stays with the row; what is about the server ends the run. A server that refuses before it has answered anything
/// refuses the settings.
fn row_answer(asked: anyhow::Result<Answer>, has_answered: bool) -> anyhow::Result<Answer> {
    let error = match asked {
        Ok(answer) => return Ok(answer),
        Err(error) => error,
    };
    match error.downcast_ref::<UpstreamError>() {
        Some(UpstreamError::Status { status: 400 | 413 | 422, .. }) if has_answered => Ok(Err(error.to_string())),
        Some(_) => Err(hinted(error.to_string(), "--out keeps what is done, and the same command continues")),
        None => Err(error),
    }
}

/// Asks until there is an answer, or an error that will not pass.
async fn ask(upstream: &Upstream, body: &Value) -> anyhow::Result<Answer> {
    let (mut attempt, headers) = (1, HeaderMap::new());
    loop {
        let asked = tokio::select! {
            asked = upstream.post("/chat/completions", body.to_string().into(), &headers) => asked,
            () = interrupt::wait() => return Err(redline::model::Error::Interrupted.into()),
        };
        match asked.and_then(|reply| reply.json()) {
            Ok(reply) => return answer_of(&reply).map_err(Into::into),
            Err(error) if attempt < ATTEMPTS && error.is_passing() => {
                tokio::time::sleep(Duration::from_secs(1 << (attempt - 1))).await;
                attempt += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// The answer in a reply of OpenAI's chat API.
fn answer_of(reply: &Value) -> Result<Answer, UpstreamError> {
    let choice = &reply["choices"][0];
    if !choice["message"].is_object() {
        return Err(UpstreamError::Reply { rule: "it holds no choices with messages".into() });
    }
    let reason = choice["finish_reason"].as_str();
    let text = choice["message"]["content"].as_str().filter(|text| !text.trim().is_empty());
    let nothing = || reason.map_or(NOTHING.to_owned(), |reason| format!("{NOTHING} (finish_reason: {reason})"));
    Ok(text.map(|text| Answered { text: text.to_owned(), is_cut: reason == Some("length") }).ok_or_else(nothing))
}

/// Answers of a model in this program, written together.
fn write_all(model: &Model, rows: &[&Row], args: &CorrectArgs) -> anyhow::Result<Vec<Answer>> {
    let tokenizer = model.tokenizer()?;
    let context = model.decoder.config().context;
    let mut prompts = Vec::with_capacity(rows.len());
    let mut answers: Vec<Answer> = vec![Err(NOTHING.to_owned()); rows.len()];
    for (index, row) in rows.iter().enumerate() {
        let tokens = tokenizer.encode_prompt(&chat_prompt(tokenizer, &row.messages)?)?;
        let n = tokens.len();
        if n.saturating_add(args.sampling.max_new_tokens) <= context {
            prompts.push(Prompt::new(tokens, vec![index]));
        } else {
            answers[index] =
                Err(format!("the upstream model's prompt of {n} tokens and an answer exceed its context of {context}"));
        }
    }
    let options = GenerateOptions {
        max_new_tokens: args.sampling.max_new_tokens,
        stop_ids: tokenizer.stop_ids().to_vec(),
        ..GenerateOptions::default()
    };
    let written = generate(&model.decoder, &prompts, &options, &mut NoHook, &mut |_, _| {
        interrupt::check()?;
        Ok(ControlFlow::Continue(()))
    })?;
    for row in written {
        let text = tokenizer.decode(&row.tokens, true)?.trim().to_owned();
        if !text.is_empty() {
            answers[row.row] = Ok(Answered { text, is_cut: row.finish == Finish::Length });
        }
    }
    Ok(answers)
}
