//! What a forward pass computes once for all its layers: which lines it has, where they stand, what they see.

use std::cell::OnceCell;
use std::sync::Arc;

use candle_core::{Device, Tensor};
use redline_kernels::gradients::Span;

use crate::cache::{Append, ChunkKv, ChunkLines, LeadRows};
use crate::hook::{TokenLayout, TokenSpan};
use crate::layers::{Attention, PassRotary, RotaryTables, Rotation};
use crate::{Chunk, Decoder, Error, Past, Result, Wanted};

/// A pass over some rows of its chunks.
pub(crate) struct Pass {
    pub(crate) tokens: Vec<u32>,
    pub(crate) layout: TokenLayout,
    rotary: PassRotary,
    pub(crate) plans: Vec<ChunkPlan>,
    /// The packed rows, where none has a past.
    pub(crate) rows_without_past: Option<Arc<[Span]>>,
}

/// A chunk of a pass.
pub(crate) struct ChunkPlan {
    pub(crate) start: usize,
    pub(crate) rows: usize,
    pub(crate) t: usize,
    /// Position of the first token.
    position: usize,
    /// [`causal_mask`] of layers without a window and of those with one, once it was asked for.
    masks: [OnceCell<Option<Tensor>>; 2],
    pub(crate) layout: TokenLayout,
    /// Where only some rows of the cache run: those, and whom they stand for.
    lead: Option<Arc<LeadRows>>,
}

/// The rows of a chunk that run, and what they read.
struct Running {
    rows: Vec<usize>,
    tokens: Vec<u32>,
    position: usize,
    lead: Option<Arc<LeadRows>>,
}

impl ChunkPlan {
    /// What a layer with this window sees, (t, positions); `None`: everything.
    pub(crate) fn mask(&self, window: Option<usize>, device: &Device) -> Result<Option<Tensor>> {
        let known = &self.masks[usize::from(window.is_some())];
        match known.get() {
            Some(mask) => Ok(mask.clone()),
            None => {
                let mask = causal_mask(self.position, self.t, window, device)?;
                Ok(known.get_or_init(|| mask).clone())
            }
        }
    }
}

impl Pass {
    /// A pass over all rows; makes room in their caches.
    pub(crate) fn prepare(decoder: &Decoder, chunks: &mut [Chunk<'_>]) -> Result<Self> {
        let vocab_size = decoder.config().vocab_size;
        let mut ids = chunks.iter().flat_map(|chunk| chunk.tokens);
        if let Some(&id) = ids.find(|&&id| id as usize >= vocab_size) {
            return Err(Error::TokenOutOfRange { id, vocab_size });
        }
        let running = chunks.iter_mut().map(|chunk| all_rows(chunk, decoder.config().context));
        let running = running.collect::<Result<Vec<_>>>()?;
        let has_past = chunks.iter().any(|chunk| matches!(chunk.past, Past::Cache(_)));
        let mut pass = Self::over(decoder, running)?;
        let spans = || pass.layout.spans.iter().map(|span| Span { start: span.start, len: span.len }).collect();
        pass.rows_without_past = (!has_past).then(spans);
        Ok(pass)
    }

    /// The same pass over one row for all that have read the same, and the line of it that each line of `self` agrees with, in the first
    /// `n_blocks` blocks. `None` where all rows differ.
    pub(crate) fn over_lead_rows(
        &self,
        decoder: &Decoder,
        chunks: &[Chunk<'_>],
        n_blocks: usize,
    ) -> Result<Option<(Self, Vec<u32>)>> {
        let lead = |chunk: &Chunk<'_>| match &chunk.past {
            Past::Cache(cache) => cache.lead_rows(n_blocks),
            Past::None { .. } => None,
        };
        let leads: Vec<Option<LeadRows>> = chunks.iter().map(lead).collect();
        if leads.iter().all(Option::is_none) {
            return Ok(None);
        }
        let mut running = Vec::with_capacity(chunks.len());
        let mut lines = Vec::with_capacity(self.tokens.len());
        let mut n_lines = 0;
        for (plan, lead) in self.plans.iter().zip(leads) {
            let lead = Arc::new(lead.unwrap_or_else(|| LeadRows::all(plan.rows)));
            let tokens = |&place: &usize| &self.tokens[plan.start + place * plan.t..][..plan.t];
            running.push(Running {
                rows: lead.places.iter().map(|&place| plan.layout.spans[place].row).collect(),
                tokens: lead.places.iter().flat_map(tokens).copied().collect(),
                position: plan.position,
                lead: Some(Arc::clone(&lead)),
            });
            lines.extend(lead.of_row.iter().flat_map(|lead| {
                let start = n_lines + lead * plan.t;
                (start..start + plan.t).map(|line| line as u32)
            }));
            n_lines += lead.places.len() * plan.t;
        }
        Ok(Some((Self::over(decoder, running)?, lines)))
    }

    fn over(decoder: &Decoder, chunks: Vec<Running>) -> Result<Self> {
        let mut tokens = Vec::new();
        let mut layout = TokenLayout::default();
        let mut positions = Vec::new();
        let mut plans = Vec::with_capacity(chunks.len());
        for Running { rows, tokens: own, position, lead } in chunks {
            let (start, t) = (tokens.len(), own.len() / rows.len());
            let span = |(i, &row): (usize, &usize)| TokenSpan { row, start: start + i * t, len: t, position };
            let chunk_layout = TokenLayout { spans: rows.iter().enumerate().map(span).collect() };
            positions.extend(rows.iter().flat_map(|_| position..position + t));
            layout.spans.extend_from_slice(&chunk_layout.spans);
            tokens.extend(own);
            let masks = [OnceCell::new(), OnceCell::new()];
            plans.push(ChunkPlan { start, rows: rows.len(), t, position, masks, layout: chunk_layout, lead });
        }
        let rotary = decoder.ropes().tables(&positions, decoder.device())?;
        Ok(Self { tokens, layout, rotary, plans, rows_without_past: None })
    }

    /// Cosines and sines for a layer with this rotation.
    pub(crate) fn rotary(&self, rotation: Rotation) -> &RotaryTables {
        self.rotary.of(rotation)
    }

    /// Puts new keys and values of a layer into the caches of the chunks, or beside them where there is none.
    pub(crate) fn append(
        &self,
        layer: usize,
        kv: [&Tensor; 2],
        chunks: &mut [Chunk<'_>],
        attention: &Attention,
    ) -> Result<Vec<(ChunkLines, ChunkKv)>> {
        let append_chunk = |(chunk, plan): (&mut Chunk<'_>, &ChunkPlan)| {
            let lines = ChunkLines { start: plan.start, rows: plan.rows, t: plan.t };
            let lead = plan.lead.as_ref();
            let append = Append { lines, sizes: attention.sizes, rotary: self.rotary(attention.rotation), lead };
            let past = match &mut chunk.past {
                Past::None { .. } => append.alone(kv)?,
                Past::Cache(cache) => cache.append_packed(layer, kv, append)?,
            };
            Ok((lines, past))
        };
        chunks.iter_mut().zip(&self.plans).map(append_chunk).collect()
    }

    /// The wanted lines of (n_tokens, width).
    pub(crate) fn select(&self, x: &Tensor, wanted: &Wanted) -> Result<Option<Tensor>> {
        let lines: Vec<u32> = match wanted {
            Wanted::Nothing => return Ok(None),
            Wanted::All => return Ok(Some(x.clone())),
            Wanted::LastOfRow => self.layout.spans.iter().map(|span| (span.start + span.len - 1) as u32).collect(),
            Wanted::Lines(lines) => lines.clone(),
        };
        if lines.len() == x.dim(0)? && lines.iter().enumerate().all(|(i, &line)| line as usize == i) {
            return Ok(Some(x.clone()));
        }
        Ok(Some(x.index_select(&Tensor::new(lines.as_slice(), x.device())?, 0)?))
    }
}

/// All rows of a chunk; makes room in its cache.
fn all_rows(chunk: &mut Chunk<'_>, context: usize) -> Result<Running> {
    let rows = match &chunk.past {
        Past::None { row } => vec![*row],
        Past::Cache(cache) => cache.rows().to_vec(),
    };
    let n = chunk.tokens.len();
    if rows.is_empty() || n == 0 || !n.is_multiple_of(rows.len()) {
        let expected = format!("a positive multiple of its {} rows", rows.len());
        return Err(Error::Request { what: "tokens of a chunk", got: n.to_string(), expected });
    }
    let t = n / rows.len();
    let position = match &mut chunk.past {
        Past::None { .. } => 0,
        Past::Cache(cache) => {
            cache.reserve(t)?;
            cache.len()
        }
    };
    if position + t > context {
        return Err(Error::ContextExceeded { what: "the text".into(), tokens: position + t, context });
    }
    if let Past::Cache(cache) = &mut chunk.past {
        cache.tell_apart(chunk.tokens);
    }
    Ok(Running { rows, tokens: chunk.tokens.to_vec(), position, lead: None })
}

/// (t, past + t): 0 where the query at position `past + i` may look, −∞ after it and before its window; `None` where it is 0 throughout.
fn causal_mask(past: usize, t: usize, window: Option<usize>, device: &Device) -> Result<Option<Tensor>> {
    let (len, window) = (past + t, window.unwrap_or(usize::MAX));
    if t == 1 && len <= window {
        return Ok(None);
    }
    let is_seen = |query: usize, key: usize| key <= query && query - key < window;
    let line = |query: usize| (0..len).map(move |key| if is_seen(query, key) { 0.0 } else { f32::NEG_INFINITY });
    let values: Vec<f32> = (past..len).flat_map(line).collect();
    Ok(Some(Tensor::from_vec(values, (t, len), device)?))
}
