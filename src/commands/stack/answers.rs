//! Answers of an upstream model, for rows that have none.

use std::ops::ControlFlow;
use std::time::Duration;

use redline::chat::chat_prompt;
use redline::model::generate::{GenerateOptions, Prompt, generate};
use redline::model::{Model, NoHook};
use redline::serve::{Upstream, UpstreamError};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

use super::Row;
use crate::cli::CorrectArgs;
use crate::interrupt;
use crate::session::{hinted, load_model};

/// Longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(300);
/// Times that a question is asked before the run ends.
const ATTEMPTS: u32 = 4;

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
}

impl Answers {
    pub fn open(args: &CorrectArgs) -> anyhow::Result<Self> {
        if let Some(path) = &args.stack.upstream_model {
            // refused before weights are read
            let device = args.model.device()?;
            return Ok(Self::Model(Box::new(load_model(path)?.to_device(&device)?)));
        }
        let Some(url) = &args.stack.upstream else { return Ok(Self::Rows) };
        let key = std::env::var(&args.stack.upstream_key_env).ok().filter(|key| !key.is_empty());
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let upstream = Upstream::new(url, key.as_deref(), TIMEOUT).map_err(|error| {
            hinted(format!("--upstream: {error}"), "give a base URL such as http://127.0.0.1:8000/v1")
        })?;
        Ok(Self::Server(Box::new(Server { upstream, runtime })))
    }

    /// An answer for every row: its own, or one of the upstream model.
    pub fn of(&self, rows: &[Row], args: &CorrectArgs) -> anyhow::Result<Vec<String>> {
        let open: Vec<&Row> = rows.iter().filter(|row| row.answer.is_none()).collect();
        let answered = match self {
            _ if open.is_empty() => Vec::new(),
            Self::Rows => Vec::new(),
            Self::Server(server) => server.runtime.block_on(ask_all(&server.upstream, &open, args))?,
            Self::Model(model) => write_all(model, &open, args)?,
        };
        let mut answered = answered.into_iter();
        Ok(rows.iter().map(|row| row.answer.clone().or_else(|| answered.next()).unwrap_or_default()).collect())
    }
}

async fn ask_all(upstream: &Upstream, rows: &[&Row], args: &CorrectArgs) -> anyhow::Result<Vec<String>> {
    let places = std::sync::Arc::new(Semaphore::new(args.stack.upstream_at_a_time.into()));
    let tasks: Vec<_> = rows
        .iter()
        .map(|row| {
            let mut body = json!({ "messages": row.messages, "max_tokens": args.sampling.max_new_tokens });
            body["model"] = args.stack.upstream_name.as_deref().unwrap_or("default").into();
            let (places, upstream) = (places.clone(), upstream.clone());
            tokio::spawn(async move {
                let _place = places.acquire().await;
                ask(&upstream, &body).await
            })
        })
        .collect();
    let mut answers = Vec::with_capacity(tasks.len());
    for task in tasks {
        let answer = task.await?;
        answers.push(answer.map_err(|error| match error.is::<UpstreamError>() {
            true => hinted(error.to_string(), "--out keeps what is done, and the same command continues"),
            false => error,
        })?);
    }
    Ok(answers)
}

/// Asks until there is an answer, or an error that will not pass.
async fn ask(upstream: &Upstream, body: &Value) -> anyhow::Result<String> {
    let mut attempt = 1;
    loop {
        let asked = tokio::select! {
            asked = upstream.post("/chat/completions", body, None) => asked,
            () = interrupt::wait() => return Err(redline::model::Error::Interrupted.into()),
        };
        match asked {
            Ok(reply) => {
                let answer = reply["choices"][0]["message"]["content"].as_str().filter(|text| !text.trim().is_empty());
                let missing = || UpstreamError::Reply { rule: "it holds no answer".into() };
                return Ok(answer.ok_or_else(missing)?.to_owned());
            }
            Err(error) if attempt < ATTEMPTS && error.is_passing() => {
                tokio::time::sleep(Duration::from_secs(1 << (attempt - 1))).await;
                attempt += 1;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Answers of a model in this program, written together.
fn write_all(model: &Model, rows: &[&Row], args: &CorrectArgs) -> anyhow::Result<Vec<String>> {
    let tokenizer = model.tokenizer()?;
    let context = model.decoder.config().context;
    let mut prompts = Vec::with_capacity(rows.len());
    for (index, row) in rows.iter().enumerate() {
        let tokens = tokenizer.encode_prompt(&chat_prompt(tokenizer, &row.messages)?)?;
        if tokens.len() + args.sampling.max_new_tokens > context {
            let n = tokens.len();
            return Err(hinted(
                format!("the upstream model's prompt of {n} tokens and an answer exceed its context of {context}"),
                "shorten the conversation, or lower --max-new-tokens",
            ));
        }
        prompts.push(Prompt::new(tokens, vec![index]));
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
    written.iter().map(|row| Ok(tokenizer.decode(&row.tokens, true)?.trim().to_owned())).collect()
}
