//! Training rows as tokens: prompt, output, end token.

use sha2::{Digest, Sha256};

use crate::files::hexadecimal;
use crate::random::Random;
use crate::template::instruction_sentence;
use crate::{AlignerTemplate, Error, Qac, Result, Tokenizer};

/// One row as tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// Index of the row in the caller's data.
    pub row: usize,
    /// Prompt, output and end token.
    pub tokens: Vec<u32>,
    /// Tokens of the prompt, at least one; the loss counts those after it.
    pub prompt_len: usize,
}

impl Example {
    /// Tokens that the loss counts.
    pub fn n_counted(&self) -> usize {
        self.tokens.len() - self.prompt_len
    }

    /// The prompt's tokens.
    pub fn prompt(&self) -> &[u32] {
        &self.tokens[..self.prompt_len]
    }
}

/// Which text an Aligner shall write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// The answer itself: identity warm-up.
    Answer,
    /// The correction.
    Correction,
}

/// Turns rows into examples.
#[derive(Debug, Clone, Copy)]
pub struct ExampleReader<'a> {
    /// Makes the tokens.
    pub tokenizer: &'a Tokenizer,
    /// Makes the prompts.
    pub template: &'a AlignerTemplate,
    /// Ends every output.
    pub end_id: u32,
    /// Longer rows are left out.
    pub max_tokens: usize,
}

impl<'a> ExampleReader<'a> {
    /// Outputs end with the tokenizer's end-of-sequence token, or the first token that ends its outputs.
    ///
    /// # Errors
    /// [`Error::Request`] when the tokenizer names neither.
    pub fn new(tokenizer: &'a Tokenizer, template: &'a AlignerTemplate, max_tokens: usize) -> Result<Self> {
        let end_id = tokenizer.eos_id().or_else(|| tokenizer.stop_ids().first().copied());
        let end_id = end_id.ok_or_else(|| Error::Request {
            what: "tokenizer to train with",
            got: "no end-of-sequence token".into(),
            expected: "one named in tokenizer_config.json or config.json".into(),
        })?;
        Ok(Self { tokenizer, template, end_id, max_tokens })
    }

    /// The examples of rows, without those that are too long.
    ///
    /// # Errors
    /// [`Error::NoRows`] when none is left, `what` naming them; or what the tokenizer reports.
    pub fn read(&self, what: &'static str, rows: &[Qac], output: Output) -> Result<Vec<Example>> {
        self.read_instructed(what, rows, &[], output)
    }

    /// The same, each row with the instruction of its place; rows beyond the instructions have none.
    ///
    /// # Errors
    /// As [`ExampleReader::read`]; [`Error::Template`] for an instruction where the template has no place for one.
    pub fn read_instructed(
        &self,
        what: &'static str,
        rows: &[Qac],
        instructions: &[String],
        output: Output,
    ) -> Result<Vec<Example>> {
        let mut examples = Vec::with_capacity(rows.len());
        for (row, qac) in rows.iter().enumerate() {
            let instruction = instructions.get(row).map_or("", String::as_str);
            let example = self.example(row, qac, instruction, output)?;
            examples.extend((example.tokens.len() <= self.max_tokens).then_some(example));
        }
        if examples.is_empty() {
            let (given, max_tokens) = (rows.len(), self.max_tokens);
            return Err(Error::NoRows { what, given, over_long: given, max_tokens });
        }
        Ok(examples)
    }

    fn example(&self, row: usize, qac: &Qac, instruction: &str, output: Output) -> Result<Example> {
        let sentence = instruction_sentence(instruction);
        let rendered = self.template.render_with_instruction(&qac.question, &qac.answer, &sentence)?;
        let mut tokens = self.tokenizer.encode_rendered(&rendered)?;
        let prompt_len = tokens.len();
        tokens.extend(self.tokenizer.encode_text(match output {
            Output::Answer => &qac.answer,
            Output::Correction => &qac.correction,
        })?);
        tokens.push(self.end_id);
        Ok(Example { row, tokens, prompt_len })
    }
}

/// A seeded choice of `share` of the rows, in their order.
pub fn draw_share(rows: &[Qac], share: f64, seed: u64) -> Vec<(usize, &Qac)> {
    let mut order: Vec<usize> = (0..rows.len()).collect();
    Random::named(&[seed], "identity share").shuffle(&mut order);
    order.truncate((share * rows.len() as f64).round() as usize);
    order.sort_unstable();
    order.into_iter().map(|row| (row, &rows[row])).collect()
}

/// SHA-256 over the tokens of examples, as hexadecimal digits.
pub(super) fn fingerprint<'a>(examples: impl Iterator<Item = &'a Example>) -> String {
    let mut hasher = Sha256::new();
    for example in examples {
        hasher.update((example.tokens.len() as u64).to_le_bytes());
        hasher.update((example.prompt_len as u64).to_le_bytes());
        example.tokens.iter().for_each(|token| hasher.update(token.to_le_bytes()));
    }
    hexadecimal(hasher)
}
