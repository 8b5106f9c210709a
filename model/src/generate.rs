//! Batched generation: prompts of any lengths, each continued in any number of rows.

use std::ops::ControlFlow;

use rayon::prelude::*;

use crate::hook::{Hook, SHARED_ROW};
use crate::sampling::{Sampler, SamplingOptions};
use crate::{Chunk, Decoder, Error, KvCache, Past, Result, SharedPrefix, Wanted};

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
}

impl Prompt {
    /// A prompt that was not read yet.
    pub fn new(tokens: Vec<u32>, rows: Vec<usize>) -> Self {
        Self { tokens, rows, prefix: None }
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
    on_token: &mut dyn FnMut(usize, u32) -> Result<ControlFlow<()>>,
) -> Result<Vec<Generated>> {
    options.sampling.check()?;
    if options.max_new_tokens == 0 {
        return Err(Error::Request { what: "new tokens", got: "0".into(), expected: "at least 1".into() });
    }
    for prompt in prompts {
        check_prompt(decoder, prompt, options.max_new_tokens)?;
    }
    let mut groups = prefill(decoder, prompts, options, hook)?;
    let mut finished = Vec::new();
    while !groups.is_empty() {
        step(decoder, &mut groups, options, hook, on_token, &mut finished)?;
        groups.retain(|group| !group.rows.is_empty());
    }
    let order = prompts.iter().flat_map(|prompt| prompt.rows.iter());
    let mut by_row: std::collections::HashMap<usize, Generated> =
        finished.into_iter().map(|row| (row.row, row)).collect();
    Ok(order.filter_map(|row| by_row.remove(row)).collect())
}

fn check_prompt(decoder: &Decoder, prompt: &Prompt, max_new_tokens: usize) -> Result<()> {
    if prompt.tokens.is_empty() {
        return Err(Error::Request { what: "prompt", got: "no tokens".into(), expected: "at least one token".into() });
    }
    if let Some(prefix) = &prompt.prefix
        && prefix.len() + 1 != prompt.tokens.len()
    {
        let expected = format!("{} positions", prompt.tokens.len() - 1);
        return Err(Error::Request { what: "prefix of a prompt", got: prefix.len().to_string(), expected });
    }
    let (tokens, context) = (prompt.tokens.len() + max_new_tokens, decoder.config().context);
    if tokens > context {
        let what = format!("the prompt ({} tokens) with {max_new_tokens} new tokens", prompt.tokens.len());
        return Err(Error::ContextExceeded { what, tokens, context });
    }
    Ok(())
}

/// Rows that advance together and their unread tokens.
struct Group {
    cache: KvCache,
    /// Tokens to read next, row after row.
    pending: Vec<u32>,
    rows: Vec<Row>,
}

struct Row {
    id: usize,
    sampler: Sampler,
    /// Prompt and output so far, for the repetition penalty; only the output when there is none.
    context: Vec<u32>,
    prompt_len: usize,
}

/// Reads every prompt up to its last token.
fn prefill(
    decoder: &Decoder,
    prompts: &[Prompt],
    options: &GenerateOptions,
    hook: &mut dyn Hook,
) -> Result<Vec<Group>> {
    let mut groups = Vec::new();
    for prompt in prompts.iter().filter(|prompt| !prompt.rows.is_empty()) {
        let (last, before) = prompt.tokens.split_last().ok_or(Error::Request {
            what: "prompt",
            got: "no tokens".into(),
            expected: "at least one token".into(),
        })?;
        let cache = if options.share_prompt {
            let prefix = match &prompt.prefix {
                Some(prefix) => prefix.clone(),
                None => read_prefix(decoder, before, hook)?,
            };
            prefix.branch(decoder.config(), prompt.rows.clone(), options.max_new_tokens, decoder.device())?
        } else {
            let mut cache = decoder.cache(prompt.rows.clone(), prompt.tokens.len() + options.max_new_tokens)?;
            let piece_len = (PREFILL_TOKENS / prompt.rows.len()).max(1);
            for piece in before.chunks(piece_len) {
                let tokens = piece.repeat(prompt.rows.len());
                let chunk = Chunk { tokens: &tokens, past: Past::Cache(&mut cache) };
                decoder.forward(&mut [chunk], hook, &Wanted::Nothing)?;
            }
            cache
        };
        let row = |&id: &usize| Row {
            id,
            sampler: Sampler::new(&options.sampling, id),
            context: prompt.tokens.clone(),
            prompt_len: prompt.tokens.len(),
        };
        let rows = prompt.rows.iter().map(row).collect();
        groups.push(Group { cache, pending: vec![*last; prompt.rows.len()], rows });
    }
    Ok(groups)
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

/// One token for every row.
fn step(
    decoder: &Decoder,
    groups: &mut [Group],
    options: &GenerateOptions,
    hook: &mut dyn Hook,
    on_token: &mut dyn FnMut(usize, u32) -> Result<ControlFlow<()>>,
    finished: &mut Vec<Generated>,
) -> Result<()> {
    let mut chunks: Vec<Chunk<'_>> =
        groups.iter_mut().map(|group| Chunk { tokens: &group.pending, past: Past::Cache(&mut group.cache) }).collect();
    let states = decoder.forward(&mut chunks, hook, &Wanted::LastOfRow)?;
    let Some(states) = states else { return Ok(()) };
    let logits: Vec<f32> = decoder.logits(&states)?.flatten_all()?.to_vec1()?;
    let vocab_size = decoder.config().vocab_size;
    let mut rows: Vec<&mut Row> = groups.iter_mut().flat_map(|group| group.rows.iter_mut()).collect();
    let chosen: Vec<u32> = rows
        .par_iter_mut()
        .zip(logits.par_chunks(vocab_size))
        .map(|(row, logits)| row.sampler.choose(logits, &row.context))
        .collect::<Result<_>>()?;

    let mut chosen = chosen.into_iter();
    for group in groups.iter_mut() {
        let mut kept = Vec::new();
        let mut pending = Vec::new();
        let mut rows = Vec::new();
        for (index, (mut row, id)) in group.rows.drain(..).zip(chosen.by_ref()).enumerate() {
            match row.accept(id, options, on_token)? {
                None => {
                    kept.push(index);
                    pending.push(id);
                    rows.push(row);
                }
                Some(finish) => finished.push(row.finish(finish)),
            }
        }
        if !rows.is_empty() && rows.len() < group.cache.rows().len() {
            group.cache.keep(&kept)?;
        }
        group.pending = pending;
        group.rows = rows;
    }
    Ok(())
}

impl Row {
    /// Takes a new token; `Some` when the row ends.
    fn accept(
        &mut self,
        id: u32,
        options: &GenerateOptions,
        on_token: &mut dyn FnMut(usize, u32) -> Result<ControlFlow<()>>,
    ) -> Result<Option<Finish>> {
        if options.stop_ids.contains(&id) {
            return Ok(Some(Finish::Stopped));
        }
        self.context.push(id);
        if on_token(self.id, id)?.is_break() {
            return Ok(Some(Finish::Stopped));
        }
        let length = self.context.len() - self.prompt_len;
        Ok((length >= options.max_new_tokens).then_some(Finish::Length))
    }

    fn finish(mut self, finish: Finish) -> Generated {
        let tokens = self.context.split_off(self.prompt_len);
        Generated { row: self.id, tokens, finish }
    }
}
