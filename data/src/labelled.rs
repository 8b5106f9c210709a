//! Rows of one answer that somebody called good or bad: TRL's unpaired preferences (`prompt`, `completion`, `label`).

use redline_model::Question;
use redline_model::Tokenizer;
use redline_model::train::Example;
use redline_model::train::preference::{LabelledExample, mismatched};
use serde_json::Value;

use super::pairs::{PairError, end_of_text, prompt_of};
use super::{DataError, DataFile, DataRow, RowFault, filter::TextRow};

/// A question, an answer, and whether it is called good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelledRow {
    /// The texts.
    pub texts: Question,
    /// Field `label`.
    pub is_good: bool,
}

impl TextRow for LabelledRow {
    fn texts(&self) -> Vec<&str> {
        self.texts.texts()
    }
}

impl LabelledRow {
    /// What a row of a file says.
    ///
    /// # Errors
    /// No answer, or no `label` of true or false.
    pub fn read(row: &DataRow) -> Result<Self, RowFault> {
        let answer = row.answer.clone().ok_or(RowFault::MissingField { field: "answer" })?;
        let got = row.fields.kind("label").filter(|_| row.fields.has("label"));
        let got = got.ok_or(RowFault::MissingField { field: "label" })?;
        let wrong = RowFault::FieldType { field: "label", expected: "true or false", got };
        let value = row.fields.value("label").and_then(Result::ok);
        let is_good = match value {
            Some(Value::Bool(label)) => label,
            // as tables write it
            Some(Value::String(label)) if label.eq_ignore_ascii_case("true") => true,
            Some(Value::String(label)) if label.eq_ignore_ascii_case("false") => false,
            _ => return Err(wrong),
        };
        Ok(Self { texts: Question { question: row.question.clone(), answer }, is_good })
    }

    /// The rows of a file; those without a label are counted in its report and left out, or the first of them is an error where the reading is
    /// strict.
    ///
    /// # Errors
    /// [`DataError::Row`], or [`DataError::NoUsableRow`] where all are left out.
    pub fn read_all(file: &mut DataFile, is_strict: bool) -> Result<Vec<Self>, DataError> {
        file.each_usable(is_strict, |row| Self::read(row).map(Some))
    }
}

/// Completions for training, and rows that make none.
#[derive(Debug, Clone, PartialEq)]
pub struct Labelled {
    /// The completions, in the order of their rows.
    pub examples: Vec<LabelledExample>,
    /// Rows that are longer than allowed.
    pub n_too_long: usize,
}

/// Makes completions of rows, each with the mismatched one that the reference point of KTO is estimated by, in groups of `group` rows.
///
/// # Errors
/// As the tokenizer and its chat template report.
pub fn labelled_examples(
    tokenizer: &Tokenizer,
    rows: &[LabelledRow],
    max_tokens: usize,
    group: usize,
) -> Result<Labelled, PairError> {
    let end_id = end_of_text(tokenizer)?;
    let (mut kept, mut n_too_long) = (Vec::with_capacity(rows.len()), 0);
    for (row, LabelledRow { texts, is_good }) in rows.iter().enumerate() {
        let mut tokens = prompt_of(tokenizer, row, &texts.question)?;
        let prompt_len = tokens.len();
        tokens.extend(tokenizer.encode_text(&texts.answer)?);
        tokens.push(end_id);
        match tokens.len() > max_tokens {
            true => n_too_long += 1,
            false => kept.push((Example { row, tokens, prompt_len }, *is_good)),
        }
    }
    let mut examples = mismatched(kept, group);
    // a long prompt with a long completion of another row
    examples.iter_mut().for_each(|own| own.mismatched.tokens.truncate(max_tokens));
    Ok(Labelled { examples, n_too_long })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<LabelledRow, RowFault> {
        LabelledRow::read(&DataRow::read(3, serde_json::from_str(text).unwrap()).unwrap())
    }

    #[test]
    fn rows_of_trl_and_our_own_names_are_read() {
        let row = |answer: &str, is_good| LabelledRow {
            texts: Question { question: "q".into(), answer: answer.into() },
            is_good,
        };
        assert_eq!(read(r#"{"question":"q","answer":"a","label":true}"#).unwrap(), row("a", true));
        assert_eq!(read(r#"{"prompt":"q","completion":"b","label":false}"#).unwrap(), row("b", false));
        assert_eq!(read(r#"{"prompt":"q","completion":"b","label":"False"}"#).unwrap(), row("b", false));
    }

    #[test]
    fn a_row_without_a_label_names_what_is_missing() {
        let said = |text: &str| read(text).unwrap_err().to_string();
        assert_eq!(said(r#"{"question":"q","answer":"a"}"#), "field `label` is missing");
        assert_eq!(said(r#"{"question":"q","answer":"a","label":null}"#), "field `label` is missing");
        assert_eq!(
            said(r#"{"question":"q","answer":"a","label":1}"#),
            "field `label` must be true or false, but is a number"
        );
    }

    #[test]
    fn completions_have_their_own_prompts() {
        let model = crate::tests::built_in();
        let tokenizer = model.tokenizer().unwrap();
        let row = |question: &str, answer: &str, is_good| LabelledRow {
            texts: Question { question: question.into(), answer: answer.into() },
            is_good,
        };
        let long = "long ".repeat(200);
        let rows = [row("One?", "First.", true), row("Two?", "Second.", false), row("Three?", &long, true)];
        let found = labelled_examples(tokenizer, &rows, 150, 8).unwrap();
        assert_eq!((found.examples.len(), found.n_too_long), (2, 1));
        let [first, second] = &found.examples[..] else { panic!() };
        let output = |example: &Example| tokenizer.decode(&example.tokens[example.prompt_len..], true).unwrap();
        assert_eq!((output(&first.example).trim(), output(&first.mismatched).trim()), ("First.", "Second."));
        assert_eq!((output(&second.mismatched).trim(), second.is_good), ("First.", false));
        assert_eq!(first.mismatched.prompt(), first.example.prompt());
        assert_ne!(first.example.prompt(), second.example.prompt());
    }
}
