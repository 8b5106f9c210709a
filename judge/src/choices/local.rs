//! Log-probabilities of choices by a model of this program.

use redline_model::generate::read_prefix;
use redline_model::{Continuation, Error, Model, NoHook, Result, log_probs};

use super::prompt::{Choice, to_messages};
use redline_data::chat::chat_prompt;

/// Σ ln p of the tokens of each choice after the prompt that all of them share, by the model's own chat template; the token that ends an
/// answer is not counted. None for a choice that leaves no room in the context, and for all where logits are not finite.
///
/// # Errors
/// A model without tokenizer, a chat template that fails, or as [`log_probs`].
pub fn choice_log_probs(model: &Model, choices: &[Choice<'_>]) -> Result<Vec<Option<f64>>> {
    let Some(first) = choices.first() else { return Ok(Vec::new()) };
    let tokenizer = model.tokenizer()?;
    let prompt = chat_prompt(tokenizer, &to_messages(first.prompt)).map_err(|error| Error::Request {
        what: "chat template",
        got: error.to_string(),
        expected: "one that takes these turns".into(),
    })?;
    let prompt = tokenizer.encode_prompt(&prompt)?;
    let Some((last, before)) = prompt.split_last() else { return Ok(vec![None; choices.len()]) };
    let context = model.decoder.config().context;
    let texts = choices.iter().map(|choice| tokenizer.encode_text(choice.completion)).collect::<Result<Vec<_>>>()?;
    let fits = |tokens: &&Vec<u32>| !tokens.is_empty() && prompt.len().saturating_add(tokens.len()) <= context;
    if texts.iter().filter(fits).count() == 0 {
        return Ok(vec![None; choices.len()]);
    }
    let prefix = read_prefix(&model.decoder, before, &mut NoHook)?;
    let asked: Vec<Continuation<'_>> = texts
        .iter()
        .filter(fits)
        .map(|tokens| Continuation { prefix: &prefix, last_prompt_token: *last, tokens, rows: &[0] })
        .collect();
    let sum = |rows: &Vec<Vec<f32>>| Some(rows.first()?.iter().map(|own| f64::from(*own)).sum::<f64>());
    let mut found = match log_probs(&model.decoder, &asked, &mut NoHook) {
        Ok(found) => found.iter().map(sum).collect::<Vec<_>>().into_iter(),
        Err(Error::LogitsNotFinite { .. }) => return Ok(vec![None; choices.len()]),
        Err(error) => return Err(error),
    };
    Ok(texts.iter().map(|tokens| if fits(&tokens) { found.next().flatten() } else { None }).collect())
}
