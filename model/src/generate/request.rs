//! What is asked of a generation, and what comes of it.

use super::CopyBias;
use crate::sampling::SamplingOptions;
use crate::{Error, Result, SharedPrefix};

/// A prompt and the rows that continue it.
#[derive(Debug, Clone)]
pub struct Prompt {
    /// Token ids, at least one.
    pub tokens: Vec<u32>,
    /// The caller's row ids: one continuation each.
    pub rows: Vec<usize>,
    /// All tokens but the last, where they were read before; see [`super::read_prefix`].
    pub prefix: Option<SharedPrefix>,
    /// Tokens that the output is likely to repeat, the original answer for one: several are then checked a pass. The output
    /// is the same; a pass costs more, so this pays for few rows at a time.
    pub draft: Vec<u32>,
    /// By how much the copying of a text is favoured; nothing unless told otherwise.
    pub copy_bias: Option<CopyBias>,
    /// Those of `rows` whose reading [`super::generate_and_keep`] hands out.
    pub kept: Vec<usize>,
}

impl Prompt {
    /// A prompt that was not read yet.
    pub fn new(tokens: Vec<u32>, rows: Vec<usize>) -> Self {
        Self { tokens, rows, prefix: None, draft: Vec::new(), copy_bias: None, kept: Vec::new() }
    }
}

/// Limits and choices of a generation.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerateOptions {
    /// Most new tokens of a row.
    pub max_new_tokens: usize,
    /// How tokens are chosen.
    pub sampling: SamplingOptions,
    /// Ids that end a row; the id itself is not part of the output.
    pub stop_ids: Vec<u32>,
    /// Whether all of a prompt but its last token is read once for all its rows (or was, as [`Prompt::prefix`]). Right when no hook distinguishes the
    /// rows on those tokens; a hook sees them under [`SHARED_ROW`](crate::hook::SHARED_ROW).
    pub share_prompt: bool,
}

impl Default for GenerateOptions {
    fn default() -> Self {
        Self { max_new_tokens: 256, sampling: SamplingOptions::default(), stop_ids: Vec::new(), share_prompt: true }
    }
}

impl GenerateOptions {
    /// Refuses values outside their range.
    ///
    /// # Errors
    /// Names the option.
    pub fn check(&self) -> Result<()> {
        self.sampling.check()?;
        match self.max_new_tokens {
            0 => Err(Error::Request { what: "new tokens", got: "0".into(), expected: "at least 1".into() }),
            _ => Ok(()),
        }
    }
}

/// Why a row ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// A stop id, or the caller's word.
    Stopped,
    /// The length limit.
    Length,
}

/// A finished row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Generated {
    /// The caller's row id.
    pub row: usize,
    /// New token ids, without the stop id.
    pub tokens: Vec<u32>,
    /// Why it ended.
    pub finish: Finish,
    /// What drafting brought.
    pub drafting: Drafting,
}

/// How the tokens of a row came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Drafting {
    /// Forward passes after the prompt.
    pub passes: usize,
    /// Tokens that were proposed from [`Prompt::draft`].
    pub proposed: usize,
    /// Those of them that the model chose as well.
    pub accepted: usize,
}

impl Drafting {
    /// Adds another row's.
    pub fn add(&mut self, more: Self) {
        self.passes += more.passes;
        self.proposed += more.proposed;
        self.accepted += more.accepted;
    }
}
