//! Preference rows as pairs of token texts: the prompt by the model's own chat template, and two completions.

use redline_model::train::Example;
use redline_model::train::preference::Pair;
use redline_model::{Qac, Tokenizer};
use serde_json::{Value, json};

use super::{DataError, DataFile, DataRow, RowFault, filter::TextRow};
use crate::chat::{ChatError, chat_prompt};

/// A row as learning from pairs reads it.
#[derive(Debug, Clone, PartialEq)]
pub struct PreferenceRow {
    /// The correction is preferred to the answer.
    pub texts: Qac,
    /// By how much a reward shall keep the two apart: field `margin`; 0 without one.
    pub margin: f64,
    /// Whether the preferred and the other answer are safe: fields `is_chosen_safe` and `is_rejected_safe`; none unless a row has both.
    pub is_safe: Option<[bool; 2]>,
}

impl From<Qac> for PreferenceRow {
    fn from(texts: Qac) -> Self {
        Self { texts, margin: 0.0, is_safe: None }
    }
}

impl TextRow for PreferenceRow {
    fn texts(&self) -> Vec<&str> {
        self.texts.texts()
    }
}

impl PreferenceRow {
    /// The rows of a file. One whose margin or flags are something else is counted in the file's report and left out; where the reading is strict,
    /// the first of them is an error.
    ///
    /// # Errors
    /// [`DataError::Row`] where the reading is strict, or [`DataError::NoUsableRow`] where all rows are left out.
    pub fn read_all(file: &mut DataFile, is_strict: bool) -> Result<Vec<Self>, DataError> {
        file.each_usable(is_strict, Self::read)
    }

    /// What a row of a file says; none where it has no two answers.
    ///
    /// # Errors
    /// A `margin` that is no finite number, or a flag of safety that is no boolean.
    pub fn read(row: &DataRow) -> Result<Option<Self>, RowFault> {
        let Some(texts) = row.triple() else { return Ok(None) };
        let wrong = |field: &'static str, expected: &'static str| {
            let got = row.fields.kind(field).unwrap_or("missing");
            RowFault::FieldType { field, expected, got }
        };
        let value = |field: &'static str| match row.fields.value(field) {
            None => Ok(Value::Null),
            Some(value) => value.map_err(|_| wrong(field, "a value")),
        };
        let margin = match value("margin")? {
            Value::Null => 0.0,
            found => found.as_f64().filter(|margin| margin.is_finite()).ok_or(wrong("margin", "a finite number"))?,
        };
        let flag = |field: &'static str| match value(field)? {
            Value::Null => Ok(None),
            found => found.as_bool().map(Some).ok_or(wrong(field, "true or false")),
        };
        let is_safe =
            flag("is_chosen_safe")?.zip(flag("is_rejected_safe")?).map(|(chosen, rejected)| [chosen, rejected]);
        Ok(Some(Self { texts, margin, is_safe }))
    }
}

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

impl PairError {
    /// What the reader can do about it, in one line.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Model(error) => error.hint(),
            Self::Chat { source, .. } => Some(source.hint()),
        }
    }
}

/// Makes pairs of rows whose correction is preferred to their answer. A completion ends with the token that ends outputs; prompt and
/// completion are turned into tokens apart, as when a model writes.
///
/// # Errors
/// As the tokenizer and its chat template report.
pub fn preference_pairs(tokenizer: &Tokenizer, rows: &[PreferenceRow], max_tokens: usize) -> Result<Pairs, PairError> {
    let end_id = end_of_text(tokenizer)?;
    let mut found = Pairs { pairs: Vec::with_capacity(rows.len()), n_equal: 0, n_too_long: 0 };
    for (row, PreferenceRow { texts, margin, is_safe }) in rows.iter().enumerate() {
        let Qac { question, answer, correction } = texts;
        if answer.trim() == correction.trim() {
            found.n_equal += 1;
            continue;
        }
        let prompt = prompt_of(tokenizer, row, question)?;
        let example = |completion: &str| -> redline_model::Result<Example> {
            let mut tokens = prompt.clone();
            tokens.extend(tokenizer.encode_text(completion)?);
            tokens.push(end_id);
            Ok(Example { row, tokens, prompt_len: prompt.len() })
        };
        let (chosen, rejected) = (example(correction)?, example(answer)?);
        match chosen.tokens.len().max(rejected.tokens.len()) > max_tokens {
            true => found.n_too_long += 1,
            false => found.pairs.push(Pair { chosen, rejected, margin: *margin, is_safe: *is_safe }),
        }
    }
    Ok(found)
}

/// The tokens of a prompt and an answer to it, as reward models read them.
///
/// # Errors
/// As [`preference_pairs`].
pub fn scored_text(tokenizer: &Tokenizer, question: &str, answer: &str) -> Result<Vec<u32>, PairError> {
    let mut tokens = prompt_of(tokenizer, 0, question)?;
    tokens.extend(tokenizer.encode_text(answer)?);
    tokens.push(end_of_text(tokenizer)?);
    Ok(tokens)
}

/// The tokens of a question by the model's own chat template.
pub(super) fn prompt_of(tokenizer: &Tokenizer, row: usize, question: &str) -> Result<Vec<u32>, PairError> {
    let messages = json!([{ "role": "user", "content": question }]);
    let prompt = chat_prompt(tokenizer, &messages).map_err(|source| PairError::Chat { row, source })?;
    Ok(tokenizer.encode_prompt(&prompt)?)
}

pub(super) fn end_of_text(tokenizer: &Tokenizer) -> redline_model::Result<u32> {
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
        let model = crate::tests::built_in();
        let tokenizer = model.tokenizer().unwrap();
        let row = |answer: &str, correction: &str| {
            let [question, answer, correction] = ["Why is the sky blue?", answer, correction].map(str::to_owned);
            PreferenceRow::from(Qac { question, answer, correction })
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

    #[test]
    fn margins_and_safety_are_read_and_wrong_ones_refused() {
        let read = |more: &str| {
            let text = format!(r#"{{"prompt":"q","chosen":"a","rejected":"b"{more}}}"#);
            let fields = serde_json::from_str(&text).unwrap();
            PreferenceRow::read(&DataRow::read(3, fields).unwrap())
        };
        let plain = read("").unwrap().unwrap();
        assert_eq!((plain.margin, plain.is_safe, plain.texts.answer.as_str()), (0.0, None, "b"));
        let more = read(r#","margin":1.5,"is_chosen_safe":true,"is_rejected_safe":false"#).unwrap().unwrap();
        assert_eq!((more.margin, more.is_safe), (1.5, Some([true, false])));
        assert_eq!(read(r#","is_chosen_safe":true,"margin":null"#).unwrap().unwrap().is_safe, None);
        for (wrong, message) in [
            (r#","margin":"1""#, "field `margin` must be a finite number, but is text"),
            (r#","is_rejected_safe":1"#, "field `is_rejected_safe` must be true or false, but is a number"),
        ] {
            assert_eq!(read(wrong).unwrap_err().to_string(), message);
        }
    }
}
