//! Rows that are written together, each taken in and given up between two passes.
//!
//! A pass advances every row by a token, or by as many as were drafted rightly, and reads prompts of rows that came since, some
//! hundred tokens at a time, so that a long prompt holds up nobody for long. Rows keep their own options. A row has
//! the same tokens whatever is beside it: on the CPU, a token has the same bits alone and among others, see [`Decoder::forward`].

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::Arc;

use rayon::prelude::*;

use super::copy_bias::RowBias;
use super::draft::CopyDraft;
use super::{Drafting, Finish, GenerateOptions, Generated, PREFILL_TOKENS, Prompt};
use crate::hook::{Hook, SHARED_ROW};
use crate::log_prob::log_softmax;
use crate::sampling::Sampler;
use crate::{Chunk, Decoder, Error, KvCache, Past, ReadText, Result, Wanted};

/// Sees every new token of a row as it is chosen; `Break` ends the row.
pub type OnToken<'a> = &'a mut dyn FnMut(usize, u32) -> Result<ControlFlow<()>>;

/// Rows that are read and written together.
pub struct Batch {
    readings: VecDeque<Reading>,
    groups: Vec<Group>,
    most_drafted: usize,
}

/// A row that has left a batch by itself.
#[derive(Debug)]
pub struct Ended {
    /// The caller's row id.
    pub row: usize,
    /// What it wrote, or why it cannot go on; the other rows can.
    pub outcome: Result<Generated>,
    /// What it has read, of rows in [`Prompt::kept`].
    pub read: Option<ReadText>,
}

impl Batch {
    /// A batch without rows; `most_drafted` tokens at most are drafted a pass, all rows together. A pass costs more with
    /// each of them, so they pay for few rows.
    pub fn new(most_drafted: usize) -> Self {
        Self { readings: VecDeque::new(), groups: Vec::new(), most_drafted }
    }

    /// Takes in the rows of a prompt; their ids must be new. The next passes read it.
    ///
    /// # Errors
    /// Options out of range, an empty prompt, or one that leaves no room for the new tokens.
    pub fn admit(&mut self, decoder: &Decoder, prompt: Prompt, options: &Arc<GenerateOptions>) -> Result<()> {
        options.check()?;
        check_prompt(decoder, &prompt, options.max_new_tokens)?;
        if prompt.rows.is_empty() {
            return Ok(());
        }
        let prompt = Arc::new(prompt);
        if options.share_prompt {
            let rows = prompt.rows.clone();
            let cache = match &prompt.prefix {
                Some(prefix) => prefix.branch(decoder.config(), vec![SHARED_ROW], 1, decoder.device())?,
                None => decoder.cache(vec![SHARED_ROW], prompt.tokens.len())?,
            };
            self.readings.push_back(Reading::new(cache, prompt, rows, options));
        } else {
            for rows in prompt.rows.chunks(rows_together(&prompt)) {
                let cache = decoder.cache(rows.to_vec(), prompt.tokens.len().saturating_add(options.max_new_tokens))?;
                self.readings.push_back(Reading::new(cache, prompt.clone(), rows.to_vec(), options));
            }
        }
        self.begin_writing(decoder)
    }

    /// Gives up a row; whether it was there.
    ///
    /// # Errors
    /// As the tensor library reports.
    pub fn remove(&mut self, row: usize) -> Result<bool> {
        for reading in &mut self.readings {
            if reading.rows.contains(&row) {
                reading.remove(row)?;
                self.readings.retain(|reading| !reading.rows.is_empty());
                return Ok(true);
            }
        }
        for group in &mut self.groups {
            if group.rows.iter().any(|other| other.id == row) {
                let kept: Vec<bool> = group.rows.iter().map(|other| other.id != row).collect();
                group.keep(&kept)?;
                self.groups.retain(|group| !group.rows.is_empty());
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.readings.is_empty() && self.groups.is_empty()
    }

    /// Whether prompts are still to be read.
    pub fn is_reading(&self) -> bool {
        !self.readings.is_empty()
    }

    /// Reads on in prompts without writing.
    ///
    /// # Errors
    /// As [`Decoder::forward`].
    pub fn read(&mut self, decoder: &Decoder, hook: &mut dyn Hook) -> Result<()> {
        let n_readings = self.take_pieces();
        let mut chunks: Vec<Chunk<'_>> = self.readings.iter_mut().take(n_readings).map(Reading::chunk).collect();
        decoder.forward(&mut chunks, hook, &Wanted::Nothing)?;
        self.begin_writing(decoder)
    }

    /// One pass: reads on in prompts and writes for every row whose prompt is read. Returns the rows that ended.
    ///
    /// # Errors
    /// Whatever the hook or `on_token` returns, or the tensor library; no row can go on then.
    pub fn step(&mut self, decoder: &Decoder, hook: &mut dyn Hook, on_token: OnToken<'_>) -> Result<Vec<Ended>> {
        if self.groups.is_empty() {
            return if self.is_reading() { self.read(decoder, hook).map(|()| Vec::new()) } else { Ok(Vec::new()) };
        }
        self.draft();
        let n_readings = self.take_pieces();
        let n_lines: usize = self.groups.iter().map(|group| group.pending.len()).sum();
        let wanted = match n_readings {
            0 => Wanted::All,
            _ => Wanted::Lines((0..n_lines as u32).collect()),
        };
        let writing = self.groups.iter_mut().map(Group::chunk);
        let reading = self.readings.iter_mut().take(n_readings).map(Reading::chunk);
        let mut chunks: Vec<Chunk<'_>> = writing.chain(reading).collect();
        let states = decoder.forward(&mut chunks, hook, &wanted)?;
        let Some(states) = states else { return Ok(Vec::new()) };
        let logits: Vec<f32> = decoder.logits(&states)?.flatten_all()?.to_vec1()?;
        let chosen = self.choose(&logits, decoder.config().vocab_size);
        let mut chosen = chosen.into_iter();
        let mut ended = Vec::new();
        for group in &mut self.groups {
            let own = chosen.by_ref().take(group.rows.len()).collect();
            group.take(own, on_token, &mut ended)?;
        }
        self.groups.retain(|group| !group.rows.is_empty());
        self.begin_writing(decoder)?;
        Ok(ended)
    }

    /// Sets what the rows read next: their last token and what is drafted after it.
    fn draft(&mut self) {
        let n_drafted = self.groups.iter().filter(|group| group.is_drafted()).count();
        let most = self.most_drafted / n_drafted.max(1);
        self.groups.iter_mut().for_each(|group| group.prepare(most));
    }

    /// Cuts the next pieces off the first prompts, as many as fit in a pass; how many prompts.
    fn take_pieces(&mut self) -> usize {
        let mut n_tokens = 0;
        for (i, reading) in self.readings.iter_mut().enumerate() {
            let n = reading.next_len() * reading.cache.rows().len();
            if i > 0 && n_tokens + n > PREFILL_TOKENS {
                return i;
            }
            reading.take_piece();
            n_tokens += n;
        }
        self.readings.len()
    }

    /// Turns prompts that are read into rows that write.
    fn begin_writing(&mut self, decoder: &Decoder) -> Result<()> {
        let (read, unread) = self.readings.drain(..).partition::<VecDeque<_>, _>(Reading::is_read);
        self.readings = unread;
        for reading in read {
            self.groups.extend(reading.into_groups(decoder)?);
        }
        Ok(())
    }

    /// Chooses the next tokens of every row.
    fn choose(&mut self, logits: &[f32], vocab_size: usize) -> Vec<Result<Vec<u32>>> {
        let mut rest = logits;
        let mut rows = Vec::new();
        for group in &mut self.groups {
            let (own, after) = rest.split_at(group.pending.len() * vocab_size);
            rest = after;
            rows.extend(group.lines(own));
        }
        let choose = |line: Line<'_>| line.row.choose(line.logits, line.drafted, line.stop_ids);
        rows.into_par_iter().map(choose).collect()
    }
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
    let (tokens, context) = (prompt.tokens.len().saturating_add(max_new_tokens), decoder.config().context);
    if tokens > context {
        let what = format!("the prompt ({} tokens) with {max_new_tokens} new tokens", prompt.tokens.len());
        return Err(Error::ContextExceeded { what, tokens, context });
    }
    Ok(())
}

/// Rows that advance together. A row with a draft advances alone.
fn rows_together(prompt: &Prompt) -> usize {
    if prompt.draft.is_empty() { prompt.rows.len() } else { 1 }
}

/// A prompt that is being read up to its last token, for all its rows at once or for some.
struct Reading {
    cache: KvCache,
    prompt: Arc<Prompt>,
    rows: Vec<usize>,
    options: Arc<GenerateOptions>,
    /// Tokens of the next pass, row after row.
    piece: Vec<u32>,
}

impl Reading {
    fn new(cache: KvCache, prompt: Arc<Prompt>, rows: Vec<usize>, options: &Arc<GenerateOptions>) -> Self {
        Self { cache, prompt, rows, options: options.clone(), piece: Vec::new() }
    }

    fn unread(&self) -> &[u32] {
        let before_last = self.prompt.tokens.split_last().map_or(&[][..], |(_, before)| before);
        &before_last[self.cache.len().min(before_last.len())..]
    }

    fn is_read(&self) -> bool {
        self.unread().is_empty()
    }

    /// Tokens of the next piece, a row.
    fn next_len(&self) -> usize {
        (PREFILL_TOKENS / self.cache.rows().len()).max(1).min(self.unread().len())
    }

    fn take_piece(&mut self) {
        self.piece = self.unread()[..self.next_len()].repeat(self.cache.rows().len());
    }

    fn chunk(&mut self) -> Chunk<'_> {
        Chunk { tokens: &self.piece, past: Past::Cache(&mut self.cache) }
    }

    fn remove(&mut self, row: usize) -> Result<()> {
        let kept: Vec<usize> = (0..self.rows.len()).filter(|&i| self.rows[i] != row).collect();
        if !self.options.share_prompt && !kept.is_empty() {
            self.cache.keep(&kept)?;
        }
        self.rows.retain(|other| *other != row);
        Ok(())
    }

    fn into_groups(self, decoder: &Decoder) -> Result<Vec<Group>> {
        let Self { cache, prompt, rows, options, .. } = self;
        if !options.share_prompt {
            return Ok(vec![Group::new(cache, &prompt, &rows, options)]);
        }
        let prefix = cache.freeze()?;
        let group = |rows: &[usize]| {
            let cache = prefix.branch(decoder.config(), rows.to_vec(), options.max_new_tokens, decoder.device())?;
            Ok(Group::new(cache, &prompt, rows, options.clone()))
        };
        rows.chunks(rows_together(&prompt)).map(group).collect()
    }
}

/// Rows that advance together and their unread tokens.
struct Group {
    cache: KvCache,
    /// Tokens to read next, row after row: the last of the output, and what is drafted after it.
    pending: Vec<u32>,
    rows: Vec<Row>,
    options: Arc<GenerateOptions>,
}

struct Row {
    id: usize,
    sampler: Sampler,
    /// Prompt and output so far.
    context: Vec<u32>,
    prompt_len: usize,
    draft: Option<CopyDraft>,
    bias: Option<RowBias>,
    drafting: Drafting,
    /// Log-probabilities of the output, of a row that is kept.
    log_probs: Option<Vec<f32>>,
}

/// A row with its logits after each pending token, what of those is drafted, and what ends it.
struct Line<'a> {
    row: &'a mut Row,
    logits: &'a [f32],
    drafted: &'a [u32],
    stop_ids: &'a [u32],
}

/// The copy bias of a row of a prompt.
fn bias_of(prompt: &Prompt, id: usize) -> Option<RowBias> {
    let index = prompt.rows.iter().position(|row| *row == id)?;
    RowBias::new(prompt.copy_bias.as_ref()?, index)
}

impl Group {
    fn new(cache: KvCache, prompt: &Prompt, rows: &[usize], options: Arc<GenerateOptions>) -> Self {
        let row = |&id: &usize| Row {
            id,
            sampler: Sampler::new(&options.sampling, id),
            context: prompt.tokens.clone(),
            prompt_len: prompt.tokens.len(),
            draft: (!prompt.draft.is_empty()).then(|| CopyDraft::new(&prompt.draft)),
            bias: bias_of(prompt, id),
            drafting: Drafting::default(),
            log_probs: prompt.kept.contains(&id).then(Vec::new),
        };
        let rows = rows.iter().map(row).collect();
        Self { cache, pending: Vec::new(), rows, options }
    }

    fn is_drafted(&self) -> bool {
        self.rows.iter().any(|row| row.draft.is_some())
    }

    fn chunk(&mut self) -> Chunk<'_> {
        Chunk { tokens: &self.pending, past: Past::Cache(&mut self.cache) }
    }

    /// Sets what is read next, `most` drafted tokens at most.
    fn prepare(&mut self, most: usize) {
        self.pending.clear();
        for row in &self.rows {
            self.pending.extend(row.context.last());
            self.pending.extend_from_slice(row.proposal(&self.options, most));
        }
    }

    fn lines<'a>(&'a mut self, logits: &'a [f32]) -> impl Iterator<Item = Line<'a>> {
        let n_rows = self.rows.len();
        let logits = logits.chunks(logits.len() / n_rows);
        let pending = self.pending.chunks(self.pending.len() / n_rows);
        let stop_ids = &self.options.stop_ids;
        let line = move |((row, logits), pending): ((&'a mut Row, &'a [f32]), &'a [u32])| Line {
            row,
            logits,
            drafted: &pending[1..],
            stop_ids,
        };
        self.rows.iter_mut().zip(logits).zip(pending).map(line)
    }

    /// Takes the tokens that were chosen for each row.
    fn take(&mut self, chosen: Vec<Result<Vec<u32>>>, on_token: OnToken<'_>, ended: &mut Vec<Ended>) -> Result<()> {
        let n_pending = self.pending.len() / self.rows.len();
        if let [Ok(chosen)] = chosen.as_slice() {
            self.cache.truncate(self.cache.len() - n_pending + chosen.len())?;
        }
        let mut kept = Vec::with_capacity(chosen.len());
        for (index, (row, chosen)) in self.rows.iter_mut().zip(chosen).enumerate() {
            let outcome = match chosen {
                Ok(chosen) => row.take(&chosen, n_pending - 1, &self.options, on_token)?.map(|end| Ok(row.finish(end))),
                Err(error) => Some(Err(error)),
            };
            kept.push(outcome.is_none());
            let Some(outcome) = outcome else { continue };
            let read = |log_probs| Ok::<_, Error>(ReadText { log_probs, past: self.cache.row(index)? });
            let read = row.log_probs.take().filter(|_| outcome.is_ok()).map(read).transpose()?;
            ended.push(Ended { row: row.id, outcome, read });
        }
        self.keep(&kept)
    }

    /// Keeps the rows that are marked.
    fn keep(&mut self, marked: &[bool]) -> Result<()> {
        let kept: Vec<usize> = (0..marked.len()).filter(|&i| marked[i]).collect();
        if kept.len() < marked.len() {
            if !kept.is_empty() {
                self.cache.keep(&kept)?;
            }
            let mut marks = marked.iter();
            self.rows.retain(|_| marks.next().is_some_and(|mark| *mark));
        }
        Ok(())
    }
}

impl Row {
    /// What is drafted after the last token, as far as there is room for it.
    fn proposal(&self, options: &GenerateOptions, most: usize) -> &[u32] {
        let room = options.max_new_tokens.saturating_sub(self.n_new() + 1);
        self.draft.as_ref().map_or(&[], |draft| draft.propose(room.min(most)))
    }

    fn n_new(&self) -> usize {
        self.context.len() - self.prompt_len
    }

    /// Chooses a token from the logits of the last one, and another for each that was drafted rightly.
    fn choose(&mut self, logits: &[f32], drafted: &[u32], stop_ids: &[u32]) -> Result<Vec<u32>> {
        let before = self.context.len();
        let mut bias = self.bias.clone();
        for (i, logits) in logits.chunks(logits.len() / (drafted.len() + 1)).enumerate() {
            let biased = bias.as_ref().map_or(logits.into(), |bias| bias.apply(logits, stop_ids));
            let id = self.sampler.choose(&biased, &self.context)?;
            self.log_probs.iter_mut().for_each(|log_probs| log_probs.push(log_softmax(logits, id)));
            self.context.push(id);
            bias.iter_mut().for_each(|bias| bias.follow(&self.context[self.prompt_len..]));
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
        on_token: OnToken<'_>,
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
    fn accept(&mut self, id: u32, options: &GenerateOptions, on_token: OnToken<'_>) -> Result<Option<Finish>> {
        if options.stop_ids.contains(&id) {
            return Ok(Some(Finish::Stopped));
        }
        self.context.push(id);
        if let Some(draft) = &mut self.draft {
            draft.follow(&self.context[self.prompt_len..]);
        }
        if let Some(bias) = &mut self.bias {
            bias.follow(&self.context[self.prompt_len..]);
        }
        if on_token(self.id, id)?.is_break() {
            return Ok(Some(Finish::Stopped));
        }
        Ok((self.n_new() >= options.max_new_tokens).then_some(Finish::Length))
    }

    /// Hands over what was written.
    fn finish(&mut self, finish: Finish) -> Generated {
        let tokens = self.context.split_off(self.prompt_len);
        // without that of the stop id
        self.log_probs.iter_mut().for_each(|log_probs| log_probs.truncate(tokens.len()));
        Generated { row: self.id, tokens, finish, drafting: self.drafting }
    }
}
