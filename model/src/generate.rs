//! Batched generation: prompts of any lengths, each continued in any number of rows.

use std::collections::HashMap;
use std::sync::Arc;

use crate::batch::{Batch, OnToken};
use crate::hook::{Hook, SHARED_ROW};
use crate::sampling::SamplingOptions;
use crate::{Chunk, Decoder, Error, Past, ReadText, Result, SharedPrefix, Wanted};

/// Most tokens of one prefill pass; longer prompts are read in pieces, so that memory stays bounded.
pub const PREFILL_TOKENS: usize = 512;

/// A prompt and the rows that continue it.
#[derive(Debug, Clone)]
pub struct Prompt {
    /// Token ids, at least one.
    pub tokens: Vec<u32>,
    /// The caller's row ids: one continuation each.
    pub rows: Vec<usize>,
    /// All tokens but the last, where they were read before; see [`read_prefix`].
    pub prefix: Option<SharedPrefix>,
    /// Tokens that the output is likely to repeat, the original answer for one: several are then checked a pass. The output
    /// is the same; a pass costs more, so this pays for few rows at a time.
    pub draft: Vec<u32>,
    /// Those of `rows` whose reading [`generate_and_keep`] hands out.
    pub kept: Vec<usize>,
}

impl Prompt {
    /// A prompt that was not read yet.
    pub fn new(tokens: Vec<u32>, rows: Vec<usize>) -> Self {
        Self { tokens, rows, prefix: None, draft: Vec::new(), kept: Vec::new() }
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
    /// rows on those tokens; a hook sees them under [`SHARED_ROW`].
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

/// Continues every prompt in its rows and returns them in the order of `prompts` and their `rows`.
///
/// `on_token(row, id)` sees every new token as it is chosen and can end its row with `Break`: for streaming, stop
/// strings, progress. An interrupt is asked for by `Err(Error::Interrupted)`.
///
/// # Errors
/// An empty prompt, a prompt that leaves no room for `max_new_tokens`, options out of range, logits that are not
/// finite, or whatever a hook or `on_token` returns.
pub fn generate(
    decoder: &Decoder,
    prompts: &[Prompt],
    options: &GenerateOptions,
    hook: &mut dyn Hook,
    on_token: OnToken<'_>,
) -> Result<Vec<Generated>> {
    Ok(generate_and_keep(decoder, prompts, options, hook, on_token)?.0)
}

/// [`generate`], and what each row of [`Prompt::kept`] has read, by row.
///
/// # Errors
/// As [`generate`].
pub fn generate_and_keep(
    decoder: &Decoder,
    prompts: &[Prompt],
    options: &GenerateOptions,
    hook: &mut dyn Hook,
    on_token: OnToken<'_>,
) -> Result<(Vec<Generated>, HashMap<usize, ReadText>)> {
    options.check()?;
    let options = Arc::new(options.clone());
    let mut batch = Batch::new(usize::MAX);
    for prompt in prompts {
        batch.admit(decoder, prompt.clone(), &options)?;
    }
    // all prompts first: then every pass writes for as many rows as there are
    while batch.is_reading() {
        batch.read(decoder, hook)?;
    }
    let (mut by_row, mut kept) = (HashMap::new(), HashMap::new());
    while !batch.is_empty() {
        for ended in batch.step(decoder, hook, on_token)? {
            by_row.insert(ended.row, ended.outcome?);
            kept.extend(ended.read.map(|read| (ended.row, read)));
        }
    }
    let order = prompts.iter().flat_map(|prompt| prompt.rows.iter());
    Ok((order.filter_map(|row| by_row.remove(row)).collect(), kept))
}

/// Reads a prompt once, in pieces, so that any number of rows can continue it.
///
/// # Errors
/// As [`Decoder::forward`].
pub fn read_prefix(decoder: &Decoder, tokens: &[u32], hook: &mut dyn Hook) -> Result<SharedPrefix> {
    let mut cache = decoder.cache(vec![SHARED_ROW], tokens.len())?;
    for piece in tokens.chunks(PREFILL_TOKENS) {
        let chunk = Chunk { tokens: piece, past: Past::Cache(&mut cache) };
        decoder.forward(&mut [chunk], hook, &Wanted::Nothing)?;
    }
    cache.freeze()
}
