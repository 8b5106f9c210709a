//! `redline perplexity`: how likely a model finds a text.

use std::path::Path;
use std::process::ExitCode;

use redline::model::files::{as_text, read_input};
use redline::model::{Continuation, NoHook, SharedPrefix, log_probs};
use serde_json::json;

use crate::cli::inspect::PerplexityArgs;
use crate::failure::{hinted, refuse_useless};
use crate::models::open_model;
use crate::output;

/// Most bytes of a text: no context is as long.
const MOST_TEXT: u64 = 16 << 20;

pub fn run(args: &PerplexityArgs, json: bool) -> anyhow::Result<ExitCode> {
    refuse_useless(&[(args.model.instruction.is_some(), "--instruction")], "beside a text that is read as it is")?;
    let text = text(&args.file)?;
    let model = open_model(&args.model)?;
    let tokenizer = model.tokenizer()?;
    let tokens = tokenizer.encode_prompt(&text)?;
    let context = model.decoder.config().context;
    let name = args.file.display();
    if tokens.len() > context {
        let message = format!("{name}: {} tokens exceed the context of {context}", tokens.len());
        return Err(hinted(message, "cut the text into pieces that fit"));
    }
    let [first, rest @ ..] = tokens.as_slice() else { return Err(too_short(&args.file)) };
    if rest.is_empty() {
        return Err(too_short(&args.file));
    }
    let prefix = SharedPrefix::default();
    let whole = Continuation { prefix: &prefix, last_prompt_token: *first, tokens: rest, rows: &[0] };
    let scores = log_probs(&model.decoder, &[whole], &mut NoHook)?.remove(0).remove(0);
    let nll = -scores.iter().map(|p| f64::from(*p)).sum::<f64>() / scores.len() as f64;
    let perplexity = nll.exp();
    if !json {
        let n = scores.len();
        output::line(&format!("perplexity {perplexity:.4}, {nll:.4} nats a token over {n} tokens"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let token = |(i, &id): (usize, &u32)| {
        let log_prob = i.checked_sub(1).map(|i| scores[i]);
        json!({ "id": id, "text": tokenizer.token_text(id), "log_prob": log_prob })
    };
    output::json(&json!({
        "schema": "redline.perplexity.v1",
        "model": model.path,
        "perplexity": perplexity,
        "nll": nll,
        "n_scored": scores.len(),
        "tokens": tokens.iter().enumerate().map(token).collect::<Vec<_>>(),
    }))?;
    Ok(ExitCode::SUCCESS)
}

fn text(path: &Path) -> anyhow::Result<String> {
    Ok(as_text(path, read_input(path, MOST_TEXT)?)?)
}

fn too_short(path: &Path) -> anyhow::Error {
    hinted(format!("{}: the text has no two tokens", path.display()), "the first token is not scored: give more text")
}
