//! Preference rows as pairs of token texts: the prompt by the model's own chat template, and two completions.

use redline_model::train::Example;
use redline_model::train::preference::Pair;
use redline_model::{Qac, Tokenizer};
use serde_json::json;

use crate::chat::{ChatError, chat_prompt};

/// Pairs, and rows that make none.
#[derive(Debug, Clone, PartialEq)]
pub struct Pairs {
    /// The pairs, in the order of their rows.
    pub pairs: Vec<Pair>,
    /// Rows whose two completions are the same, which prefer nothing.
    pub n_equal: usize,
    /// Rows with a longer text than allowed.
    pub n_too_long: usize,
}

/// Why there are no pairs.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PairError {
    /// The tokenizer fails, or has no token that ends a text.
    #[error(transparent)]
    Model(#[from] redline_model::Error),
    /// The chat template fails.
    #[error("row {row}")]
    Chat {
        /// Index of the row.
        row: usize,
        /// What it says.
        source: ChatError,
    },
}

/// Makes pairs of rows whose correction is preferred to their answer. A completion ends with the token that ends outputs; prompt and
/// completion are turned into tokens apart, as when a model writes.
///
/// # Errors
/// As the tokenizer and its chat template report.
pub fn preference_pairs(tokenizer: &Tokenizer, rows: &[Qac], max_tokens: usize) -> Result<Pairs, PairError> {
    let end_id = end_of_text(tokenizer)?;
    let mut found = Pairs { pairs: Vec::with_capacity(rows.len()), n_equal: 0, n_too_long: 0 };
    for (row, Qac { question, answer, correction }) in rows.iter().enumerate() {
        if answer.trim() == correction.trim() {
            found.n_equal += 1;
            continue;
        }
        let messages = json!([{ "role": "user", "content": question }]);
        let prompt = chat_prompt(tokenizer, &messages).map_err(|source| PairError::Chat { row, source })?;
        let prompt = tokenizer.encode_prompt(&prompt)?;
        let example = |completion: &str| -> redline_model::Result<Example> {
            let mut tokens = prompt.clone();
            tokens.extend(tokenizer.encode_text(completion)?);
            tokens.push(end_id);
            Ok(Example { row, tokens, prompt_len: prompt.len() })
        };
        let (chosen, rejected) = (example(correction)?, example(answer)?);
        match chosen.tokens.len().max(rejected.tokens.len()) > max_tokens {
            true => found.n_too_long += 1,
            false => found.pairs.push(Pair { chosen, rejected, margin: 0.0, is_safe: None }),
        }
    }
    Ok(found)
}

/// The tokens of a prompt and an answer to it, as reward models read them.
///
/// # Errors
/// As [`preference_pairs`].
pub fn scored_text(tokenizer: &Tokenizer, question: &str, answer: &str) -> Result<Vec<u32>, PairError> {
    let messages = json!([{ "role": "user", "content": question }]);
    let prompt = chat_prompt(tokenizer, &messages).map_err(|source| PairError::Chat { row: 0, source })?;
    let mut tokens = tokenizer.encode_prompt(&prompt)?;
    tokens.extend(tokenizer.encode_text(answer)?);
    tokens.push(end_of_text(tokenizer)?);
    Ok(tokens)
}

fn end_of_text(tokenizer: &Tokenizer) -> redline_model::Result<u32> {
    let end_id = tokenizer.eos_id().or_else(|| tokenizer.stop_ids().first().copied());
    end_id.ok_or_else(|| redline_model::Error::Request {
        what: "tokenizer to train with",
        got: "no end-of-sequence token".into(),
        expected: "one named in tokenizer_config.json or config.json".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_pairs_with_one_prompt() {
        let model = crate::embedded::model().unwrap();
        let tokenizer = model.tokenizer().unwrap();
        let row = |answer: &str, correction: &str| Qac {
            question: "Why is the sky blue?".into(),
            answer: answer.into(),
            correction: correction.into(),
        };
        let rows = [row("Bad.", "Good."), row("Same.", "Same. "), row(&"long ".repeat(200), "Short.")];
        let found = preference_pairs(tokenizer, &rows, 150).unwrap();
        assert_eq!((found.pairs.len(), found.n_equal, found.n_too_long), (1, 1, 1));
        let Pair { chosen, rejected, .. } = &found.pairs[0];
        assert_eq!(chosen.prompt(), rejected.prompt());
        let text = |example: &Example| tokenizer.decode(&example.tokens[example.prompt_len..], true).unwrap();
        assert_eq!((text(chosen).trim(), text(rejected).trim()), ("Good.", "Bad."));
        assert_eq!(chosen.tokens.last(), rejected.tokens.last());
        assert_eq!(scored_text(tokenizer, "Why is the sky blue?", "Good.").unwrap(), chosen.tokens);
    }
}
