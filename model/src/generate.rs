//! Batched generation: prompts of any lengths, each continued in any number of rows.

use std::ops::ControlFlow;

use rayon::prelude::*;

use crate::draft::CopyDraft;
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
    /// Tokens that the output is likely to repeat, the original answer for one: several are then checked a pass. The output
    /// is the same; a pass costs more, so this pays for few rows at a time.
    pub draft: Vec<u32>,
}

impl Prompt {
    /// A prompt that was not read yet.
    pub fn new(tokens: Vec<u32>, rows: Vec<usize>) -> Self {
        Self { tokens, rows, prefix: None, draft: Vec::new() }
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

/// Rows that advance together and their unread tokens. A row with a draft advances alone.
struct Group {
    cache: KvCache,
    /// Tokens to read next, row after row: the last of the output, and what is drafted after it.
    pending: Vec<u32>,
    rows: Vec<Row>,
}

struct Row {
    id: usize,
    sampler: Sampler,
    /// Prompt and output so far, for the repetition penalty; only the output when there is none.
    context: Vec<u32>,
    prompt_len: usize,
    draft: Option<CopyDraft>,
    drafting: Drafting,
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
        let rows_together = if prompt.draft.is_empty() { prompt.rows.len() } else { 1 };
        let shared = match (options.share_prompt, &prompt.prefix) {
            (false, _) => None,
            (true, Some(prefix)) => Some(prefix.clone()),
            (true, None) => Some(read_prefix(decoder, prompt.before_last(), hook)?),
        };
        for rows in prompt.rows.chunks(rows_together) {
            let cache = match &shared {
                Some(prefix) => {
                    prefix.branch(decoder.config(), rows.to_vec(), options.max_new_tokens, decoder.device())?
                }
                None => read_rows(decoder, prompt, rows, options, hook)?,
            };
            groups.push(Group::new(cache, prompt, rows, options));
        }
    }
    Ok(groups)
}

/// Reads a prompt for each of the rows.
fn read_rows(
    decoder: &Decoder,
    prompt: &Prompt,
    rows: &[usize],
    options: &GenerateOptions,
    hook: &mut dyn Hook,
) -> Result<KvCache> {
    let mut cache = decoder.cache(rows.to_vec(), prompt.tokens.len() + options.max_new_tokens)?;
    let piece_len = (PREFILL_TOKENS / rows.len()).max(1);
    for piece in prompt.before_last().chunks(piece_len) {
        let tokens: Vec<u32> = piece.repeat(rows.len());
        let chunk = Chunk { tokens: &tokens, past: Past::Cache(&mut cache) };
        decoder.forward(&mut [chunk], hook, &Wanted::Nothing)?;
    }
    Ok(cache)
}

impl Prompt {
    fn before_last(&self) -> &[u32] {
        self.tokens.split_last().map_or(&[], |(_, before)| before)
    }
}

impl Group {
    fn new(cache: KvCache, prompt: &Prompt, rows: &[usize], options: &GenerateOptions) -> Self {
        let row = |&id: &usize| Row {
            id,
            sampler: Sampler::new(&options.sampling, id),
            context: prompt.tokens.clone(),
            prompt_len: prompt.tokens.len(),
            draft: (!prompt.draft.is_empty()).then(|| CopyDraft::new(prompt.draft.clone())),
            drafting: Drafting::default(),
        };
        let rows: Vec<Row> = rows.iter().map(row).collect();
        let mut group = Self { cache, pending: Vec::new(), rows };
        group.prepare(options);
        group
    }

    /// Sets what is read next.
    fn prepare(&mut self, options: &GenerateOptions) {
        self.pending.clear();
        for row in &self.rows {
            self.pending.extend(row.context.last());
            self.pending.extend_from_slice(row.proposal(options));
        }
    }

    /// Each row, its logits after each pending token, and what of those is drafted.
    fn lines<'a>(&'a mut self, logits: &'a [f32]) -> impl Iterator<Item = (&'a mut Row, &'a [f32], &'a [u32])> {
        let n_rows = self.rows.len();
        let logits = logits.chunks(logits.len() / n_rows);
        let pending = self.pending.chunks(self.pending.len() / n_rows);
        self.rows.iter_mut().zip(logits).zip(pending).map(|((row, logits), pending)| (row, logits, &pending[1..]))
    }

    /// Takes the tokens that were chosen for each row.
    fn take(
        &mut self,
        chosen: &[Vec<u32>],
        options: &GenerateOptions,
        on_token: &mut dyn FnMut(usize, u32) -> Result<ControlFlow<()>>,
        finished: &mut Vec<Generated>,
    ) -> Result<()> {
        let n_pending = self.pending.len() / self.rows.len();
        let rows = self.rows.iter_mut().zip(chosen);
        let ends = rows.map(|(row, chosen)| row.take(chosen, n_pending - 1, options, on_token));
        let ends = ends.collect::<Result<Vec<_>>>()?;
        if let [chosen] = chosen {
            self.cache.truncate(self.cache.len() - n_pending + chosen.len())?;
        }
        let kept: Vec<usize> = (0..ends.len()).filter(|&i| ends[i].is_none()).collect();
        let mut rows = Vec::with_capacity(kept.len());
        for (row, end) in self.rows.drain(..).zip(ends) {
            match end {
                None => rows.push(row),
                Some(finish) => finished.push(row.finish(finish)),
            }
        }
        if !rows.is_empty() && rows.len() < self.cache.rows().len() {
            self.cache.keep(&kept)?;
        }
        self.rows = rows;
        self.prepare(options);
        Ok(())
    }
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

/// One pass for every row.
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
    let states = decoder.forward(&mut chunks, hook, &Wanted::All)?;
    let Some(states) = states else { return Ok(()) };
    let logits: Vec<f32> = decoder.logits(&states)?.flatten_all()?.to_vec1()?;
    let vocab_size = decoder.config().vocab_size;
    let mut rest = logits.as_slice();
    let mut rows = Vec::new();
    for group in groups.iter_mut() {
        let (own, after) = rest.split_at(group.pending.len() * vocab_size);
        rest = after;
        rows.extend(group.lines(own));
    }
    let choose = |(row, logits, drafted): (&mut Row, &[f32], &[u32])| row.choose(logits, drafted);
    let chosen: Vec<Vec<u32>> = rows.into_par_iter().map(choose).collect::<Result<_>>()?;
    let mut rest = chosen.as_slice();
    for group in groups {
        let (own, after) = rest.split_at(group.rows.len());
        rest = after;
        group.take(own, options, on_token, finished)?;
    }
    Ok(())
}

impl Row {
    /// What is drafted after the last token, as far as there is room for it.
    fn proposal(&self, options: &GenerateOptions) -> &[u32] {
        let room = options.max_new_tokens.saturating_sub(self.n_new() + 1);
        self.draft.as_ref().map_or(&[], |draft| draft.propose(room))
    }

    fn n_new(&self) -> usize {
        self.context.len() - self.prompt_len
    }

    /// Chooses a token from the logits of the last one, and another for each that was drafted rightly.
    fn choose(&mut self, logits: &[f32], drafted: &[u32]) -> Result<Vec<u32>> {
        let before = self.context.len();
        for (i, logits) in logits.chunks(logits.len() / (drafted.len() + 1)).enumerate() {
            let id = self.sampler.choose(logits, &self.context)?;
            self.context.push(id);
            if drafted.get(i) != Some(&id) {
                break;
            }
        }
        Ok(self.context.split_off(before))
    }

    /// Takes chosen tokens up to the one that ends the row; `Some` when one does.
    fn take(
        &mut self,
        chosen: &[u32],
        n_drafted: usize,
        options: &GenerateOptions,
        on_token: &mut dyn FnMut(usize, u32) -> Result<ControlFlow<()>>,
    ) -> Result<Option<Finish>> {
        let mut end = None;
        let mut stood = 0;
        for (i, &id) in chosen.iter().enumerate() {
            stood = i;
            end = self.accept(id, options, on_token)?;
            if end.is_some() {
                break;
            }
        }
        self.drafting.add(Drafting { passes: 1, proposed: n_drafted, accepted: stood });
        if let Some(draft) = &mut self.draft {
            draft.adapt(n_drafted, stood);
        }
        Ok(end)
    }

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
        if let Some(draft) = &mut self.draft {
            draft.follow(&self.context[self.prompt_len..]);
        }
        if on_token(self.id, id)?.is_break() {
            return Ok(Some(Finish::Stopped));
        }
        Ok((self.n_new() >= options.max_new_tokens).then_some(Finish::Length))
    }

    fn finish(mut self, finish: Finish) -> Generated {
        let tokens = self.context.split_off(self.prompt_len);
        Generated { row: self.id, tokens, finish, drafting: self.drafting }
    }
}
