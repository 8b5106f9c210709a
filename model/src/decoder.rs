//! The one forward path: a decoder-only transformer with a hook at every site.

use std::cell::OnceCell;
use std::sync::Arc;

use candle_core::{Device, Tensor};

use crate::hook::{Hook, HookPoint, NoHook, Site, TokenLayout, TokenSpan, visit};
use crate::layers::gradients::Span;
use crate::layers::packed::Packed;
use crate::layers::{
    Append, Attention, ChunkKv, ChunkLines, HeadSizes, Kernels, Linear, Mlp, RmsNorm, Rope, RotaryTables, is_plain, sum,
};
use crate::weights::{FileTensors, TensorSource, Weights};
use crate::{Error, KvCache, ModelConfig, Result};

/// A decoder-only transformer; its weights never change, so one can serve many callers.
#[derive(Debug, Clone)]
pub struct Decoder {
    config: ModelConfig,
    embedding: Embedding,
    blocks: Vec<Block>,
    norm: RmsNorm,
    unembedding: Linear,
    rope: Rope,
    /// Rotation of layers with a window, where it differs.
    local_rope: Option<Rope>,
    kernels: Kernels,
    device: Device,
}

/// The table of token vectors, (vocab, hidden).
#[derive(Debug, Clone)]
enum Embedding {
    Table(Tensor),
    Packed(Packed),
}

#[derive(Debug, Clone)]
struct Block {
    attention_norm: RmsNorm,
    attention: Attention,
    /// Norms of the outputs of attention and MLP, where the model has them.
    post_norms: Option<[RmsNorm; 2]>,
    mlp_norm: RmsNorm,
    mlp: Mlp,
}

/// New tokens of one forward pass that share a past.
#[derive(Debug)]
pub struct Chunk<'a> {
    /// Token ids, row after row; the same number for each row.
    pub tokens: &'a [u32],
    /// Where they continue.
    pub past: Past<'a>,
}

/// What a chunk continues.
#[derive(Debug)]
pub enum Past<'a> {
    /// Nothing: one row, whose keys and values are dropped after the pass.
    None {
        /// The caller's row id.
        row: usize,
    },
    /// A cache, which grows by the chunk.
    Cache(&'a mut KvCache),
}

/// Lines of the packed matrix whose final state the caller wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// None: the pass is for its hooks or for the cache.
    Nothing,
    /// The last token of every row, in packed order.
    LastOfRow,
    /// These packed lines.
    Lines(Vec<u32>),
    /// All lines.
    All,
}

impl Decoder {
    /// Reads all weights.
    ///
    /// # Errors
    /// A tensor that is missing, damaged or of another shape than the configuration implies.
    pub fn load(config: ModelConfig, weights: &Weights, device: &Device) -> Result<Self> {
        let source = FileTensors { weights, config: config.clone() };
        Self::assemble(config, &source, device)
    }

    /// Puts a decoder together from named tensors.
    pub(crate) fn assemble(config: ModelConfig, source: &dyn TensorSource, device: &Device) -> Result<Self> {
        let hidden = config.hidden_size;
        let read = |name: &str, shape: &[usize]| -> Result<Tensor> {
            let tensor = source.tensor(name, shape)?;
            Ok(if tensor.device().same_device(device) { tensor } else { tensor.to_device(device)? })
        };
        let packed = |name: &str, out: usize, input: usize| match device.is_cpu() {
            true => source.packed(name, out, input),
            false => Ok(None),
        };
        let linear = |name: String, out: usize, input: usize, bias: bool| -> Result<Linear> {
            let bias = if bias { Some(read(&format!("{name}.bias"), &[out])?) } else { None };
            if let Some(packed) = packed(&name, out, input)? {
                return Ok(Linear::from_packed(packed, bias));
            }
            let weight = read(&format!("{name}.weight"), &[out, input])?;
            Ok(Linear::new(weight, bias).with_delta(source.delta(&name, out, input)?))
        };
        let norm = |name: &str, width: usize| -> Result<RmsNorm> {
            Ok(RmsNorm::new(read(&format!("{name}.weight"), &[width])?, config.rms_norm_eps))
        };

        let embedding = match packed("model.embed_tokens", config.vocab_size, hidden)? {
            Some(packed) => Embedding::Packed(packed),
            None => Embedding::Table(read("model.embed_tokens.weight", &[config.vocab_size, hidden])?),
        };
        let unembedding = match &embedding {
            _ if !config.tie_embeddings => linear("lm_head".into(), config.vocab_size, hidden, false)?,
            Embedding::Packed(packed) => Linear::from_packed(packed.clone(), None),
            Embedding::Table(table) => Linear::new(table.clone(), None),
        };
        let block = |i: usize| -> Result<Block> {
            let part = |name: &str| format!("model.layers.{i}.{name}");
            let (q_width, kv_width) = (config.n_heads * config.head_dim, config.n_kv_heads * config.head_dim);
            let bias = config.qkv_bias;
            let both = |names: [&str; 2], width| -> Result<[RmsNorm; 2]> {
                Ok([norm(&part(names[0]), width)?, norm(&part(names[1]), width)?])
            };
            let mlp_norm = if config.post_norms { "pre_feedforward_layernorm" } else { "post_attention_layernorm" };
            let post_norms = ["post_attention_layernorm", "post_feedforward_layernorm"];
            let qk_norms = ["self_attn.q_norm", "self_attn.k_norm"];
            Ok(Block {
                attention_norm: norm(&part("input_layernorm"), hidden)?,
                attention: Attention {
                    q: linear(part("self_attn.q_proj"), q_width, hidden, bias)?,
                    k: linear(part("self_attn.k_proj"), kv_width, hidden, bias)?,
                    v: linear(part("self_attn.v_proj"), kv_width, hidden, bias)?,
                    o: linear(part("self_attn.o_proj"), hidden, q_width, config.output_bias)?,
                    qk_norms: config.qk_norm.then(|| both(qk_norms, config.head_dim)).transpose()?,
                    window: config.windows[i],
                    sizes: HeadSizes {
                        n_heads: config.n_heads,
                        n_kv_heads: config.n_kv_heads,
                        head_dim: config.head_dim,
                        scale: config.attention_scale,
                        softcap: config.attention_softcap,
                    },
                },
                post_norms: config.post_norms.then(|| both(post_norms, hidden)).transpose()?,
                mlp_norm: norm(&part(mlp_norm), hidden)?,
                mlp: Mlp {
                    gate: linear(part("mlp.gate_proj"), config.intermediate_size, hidden, config.mlp_bias)?,
                    up: linear(part("mlp.up_proj"), config.intermediate_size, hidden, config.mlp_bias)?,
                    down: linear(part("mlp.down_proj"), hidden, config.intermediate_size, config.mlp_bias)?,
                    activation: config.activation,
                },
            })
        };
        let mut decoder = Self {
            blocks: (0..config.n_layers).map(block).collect::<Result<_>>()?,
            norm: norm("model.norm", hidden)?,
            rope: Rope::new(&config),
            local_rope: Rope::local(&config),
            embedding,
            unembedding,
            kernels: Kernels::default(),
            device: device.clone(),
            config,
        };
        decoder.linears().for_each(Linear::pack);
        Ok(decoder)
    }

    /// The same weights with other kernels. All but [`Kernels::Fused`] need quantised weights in f32.
    ///
    /// # Errors
    /// As the tensor library reports.
    pub fn with_kernels(mut self, kernels: Kernels) -> Result<Self> {
        self.kernels = kernels;
        if kernels == Kernels::Fused {
            self.linears().for_each(Linear::pack);
            return Ok(self);
        }
        self.linears().try_for_each(Linear::unpack)?;
        if let Embedding::Packed(packed) = &self.embedding {
            self.embedding = Embedding::Table(packed.widened()?);
        }
        Ok(self)
    }

    fn linears(&mut self) -> impl Iterator<Item = &mut Linear> {
        std::iter::once(&mut self.unembedding).chain(self.blocks.iter_mut().flat_map(Block::linears))
    }

    /// Vectors of tokens: (n, hidden)
    fn embed(&self, tokens: &[u32]) -> Result<Tensor> {
        let vectors = match &self.embedding {
            Embedding::Table(table) => table.index_select(&Tensor::new(tokens, &self.device)?, 0)?,
            Embedding::Packed(packed) => packed.select(tokens)?,
        };
        match self.config.embedding_scale {
            1.0 => Ok(vectors),
            scale => Ok((vectors * f64::from(scale))?),
        }
    }

    /// Sizes and constants.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// Where the weights lie.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// An empty cache for these rows; see [`KvCache::new`].
    ///
    /// # Errors
    /// Out of memory, as the tensor library reports it.
    pub fn cache(&self, rows: Vec<usize>, capacity: usize) -> Result<KvCache> {
        KvCache::new(&self.config, rows, capacity, &self.device)
    }

    /// Reads the chunks in one pass and returns the normalised final states of the wanted lines,
    /// (n_wanted, hidden_size), or `None` when nothing is wanted.
    ///
    /// # Errors
    /// Token ids outside the vocabulary, more positions than the context, or whatever a hook returns.
    pub fn forward(&self, chunks: &mut [Chunk<'_>], hook: &mut dyn Hook, wanted: &Wanted) -> Result<Option<Tensor>> {
        let pass = Pass::prepare(self, chunks)?;
        let last_layer = match wanted {
            Wanted::Nothing => hook.last_layer(),
            _ => None,
        };
        let mut x = self.embed(&pass.tokens)?;
        x = visit(hook, HookPoint::Embed, x, &pass.layout)?;
        for (layer, block) in self.blocks.iter().enumerate() {
            x = block.forward(x, layer, &pass, chunks, hook, self.kernels)?;
            if last_layer == Some(layer) && !chunks.iter().any(|chunk| matches!(chunk.past, Past::Cache(_))) {
                return Ok(None);
            }
        }
        for chunk in chunks.iter_mut() {
            if let Past::Cache(cache) = &mut chunk.past {
                let rows = cache.rows().len();
                cache.advance(chunk.tokens.len() / rows);
            }
        }
        if *wanted == Wanted::Nothing && !hook.wants(HookPoint::FinalNorm) {
            return Ok(None);
        }
        // the final norm of all lines only where a hook sees it
        if hook.wants(HookPoint::FinalNorm) {
            x = self.norm.forward(&x, self.kernels)?;
            x = visit(hook, HookPoint::FinalNorm, x, &pass.layout)?;
            return pass.select(&x, wanted);
        }
        match pass.select(&x, wanted)? {
            None => Ok(None),
            Some(x) => Ok(Some(self.norm.forward(&x, self.kernels)?)),
        }
    }

    /// A pass over rows without past whose parts run one by one.
    ///
    /// # Errors
    /// As [`Decoder::forward`].
    pub(crate) fn stepwise<'a>(&'a self, chunks: &'a mut [Chunk<'a>]) -> Result<Stepwise<'a>> {
        let pass = Pass::prepare(self, chunks)?;
        Ok(Stepwise { decoder: self, pass, chunks })
    }

    /// Logits of normalised final states: (n, hidden_size) → (n, vocab_size).
    ///
    /// # Errors
    /// As the tensor library reports.
    pub fn logits(&self, states: &Tensor) -> Result<Tensor> {
        let logits = self.unembedding.forward(states)?;
        match self.config.logit_softcap.map(f64::from) {
            None => Ok(logits),
            Some(cap) => Ok(((logits / cap)?.tanh()? * cap)?),
        }
    }
}

/// The parts of a pass, for those who keep only what stands between them.
pub(crate) struct Stepwise<'a> {
    decoder: &'a Decoder,
    pass: Pass,
    chunks: &'a [Chunk<'a>],
}

impl Stepwise<'_> {
    /// Embeddings of all tokens, (n_tokens, hidden_size).
    pub(crate) fn embed(&self) -> Result<Tensor> {
        self.decoder.embed(&self.pass.tokens)
    }

    /// Number of blocks.
    pub(crate) fn n_blocks(&self) -> usize {
        self.decoder.blocks.len()
    }

    /// The output of a block, of the same shape as its input.
    pub(crate) fn block(&self, layer: usize, x: &Tensor) -> Result<Tensor> {
        let block = &self.decoder.blocks[layer];
        block.forward(x.clone(), layer, &self.pass, self.chunks, &mut NoHook, self.decoder.kernels)
    }

    /// Normalised final states of these lines.
    pub(crate) fn finish(&self, x: &Tensor, lines: Vec<u32>) -> Result<Tensor> {
        let x = self.pass.select(x, &Wanted::Lines(lines))?.unwrap_or_else(|| x.clone());
        self.decoder.norm.forward(&x, self.decoder.kernels)
    }
}

impl Block {
    fn linears(&mut self) -> [&mut Linear; 7] {
        let Attention { q, k, v, o, .. } = &mut self.attention;
        let Mlp { gate, up, down, .. } = &mut self.mlp;
        [q, k, v, o, gate, up, down]
    }

    fn forward(
        &self,
        x: Tensor,
        layer: usize,
        pass: &Pass,
        chunks: &[Chunk<'_>],
        hook: &mut dyn Hook,
        kernels: Kernels,
    ) -> Result<Tensor> {
        let at = |site| HookPoint::Block { layer, site };
        let x = visit(hook, at(Site::ResidPre), x, &pass.layout)?;
        let normed = self.attention_norm.forward(&x, kernels)?;
        let attn_out = self.attend(&normed, layer, pass, chunks, hook, kernels)?;
        let attn_out = self.post_norm(0, attn_out, kernels)?;
        let attn_out = visit(hook, at(Site::AttnOut), attn_out, &pass.layout)?;
        let x = visit(hook, at(Site::ResidMid), sum(&x, &attn_out, kernels)?, &pass.layout)?;
        let mlp_out = self.mlp.forward(&self.mlp_norm.forward(&x, kernels)?, kernels)?;
        let mlp_out = self.post_norm(1, mlp_out, kernels)?;
        let mlp_out = visit(hook, at(Site::MlpOut), mlp_out, &pass.layout)?;
        visit(hook, at(Site::ResidPost), sum(&x, &mlp_out, kernels)?, &pass.layout)
    }

    /// The output of attention (0) or MLP (1) as it is added.
    fn post_norm(&self, part: usize, x: Tensor, kernels: Kernels) -> Result<Tensor> {
        match &self.post_norms {
            None => Ok(x),
            Some(norms) => norms[part].forward(&x, kernels),
        }
    }

    /// (n_tokens, hidden) → (n_tokens, hidden)
    fn attend(
        &self,
        x: &Tensor,
        layer: usize,
        pass: &Pass,
        chunks: &[Chunk<'_>],
        hook: &mut dyn Hook,
        kernels: Kernels,
    ) -> Result<Tensor> {
        let pattern_point = HookPoint::Block { layer, site: Site::AttnPattern };
        let z_point = HookPoint::Block { layer, site: Site::AttnZ };
        let rotary = pass.rotary(self.attention.window);
        if let Some(spans) = &pass.rows_without_past
            && kernels == Kernels::FusedDifferentiable
            && !hook.wants(pattern_point)
            && !hook.wants(z_point)
            && self.attention.is_plain_over(spans)
        {
            return self.attention.o.forward(&self.attention.attend_rows(x, spans, rotary)?);
        }
        if kernels == Kernels::Fused && is_plain(x) && !hook.wants(pattern_point) {
            let z =
                self.attention.attend_cached(x, rotary, |k, v| pass.append(layer, [k, v], chunks, &self.attention))?;
            let z = match hook.wants(z_point) {
                true => {
                    let HeadSizes { n_heads, head_dim, .. } = self.attention.sizes;
                    let by_head = (z.dim(0)?, n_heads, head_dim);
                    visit(hook, z_point, z.reshape(by_head)?, &pass.layout)?.flatten_from(1)?
                }
                false => z,
            };
            return self.attention.o.forward(&z);
        }
        let [q, k, v] = self.attention.project(x, rotary, kernels)?;
        let mut outputs = Vec::with_capacity(chunks.len());
        for (chunk, plan) in chunks.iter().zip(&pass.plans) {
            let part = |x: &Tensor| x.narrow(0, plan.start, plan.rows * plan.t);
            let by_row = |x: &Tensor| -> Result<Tensor> {
                let (_, heads, dim) = x.dims3()?;
                Ok(part(x)?.reshape((plan.rows, plan.t, heads, dim))?.transpose(1, 2)?.contiguous()?)
            };
            let (k, v) = (by_row(&k)?, by_row(&v)?); // (rows, kv_heads, t, head_dim)
            let kv = match &chunk.past {
                Past::None { .. } => ChunkKv::alone((k, v), plan.t),
                Past::Cache(cache) => cache.append(layer, &k, &v)?,
            };
            let want_pattern = hook.wants(pattern_point);
            let mask = plan.mask(self.attention.window, x.device())?;
            let (z, pattern) = self.attention.attend(&part(&q)?, &kv, mask.as_ref(), want_pattern, kernels)?;
            if let Some(pattern) = pattern {
                // read-only: z was computed from the unhooked pattern
                hook.on(pattern_point, &pattern, &plan.layout)?;
            }
            outputs.push(z);
        }
        let z = if outputs.len() == 1 { outputs.remove(0) } else { Tensor::cat(&outputs, 0)? };
        let z = visit(hook, z_point, z, &pass.layout)?;
        self.attention.o.forward(&z.flatten_from(1)?)
    }
}

/// What a pass computes once for all its layers.
struct Pass {
    tokens: Vec<u32>,
    layout: TokenLayout,
    rotary: RotaryTables,
    /// Of layers with a window, where it differs.
    local_rotary: Option<RotaryTables>,
    plans: Vec<ChunkPlan>,
    /// The packed rows, where none has a past.
    rows_without_past: Option<Arc<[Span]>>,
}

struct ChunkPlan {
    start: usize,
    rows: usize,
    t: usize,
    /// Position of the first token.
    position: usize,
    /// [`causal_mask`] of layers without a window and of those with one, once it was asked for.
    masks: [OnceCell<Option<Tensor>>; 2],
    layout: TokenLayout,
}

impl ChunkPlan {
    /// What a layer with this window sees, (t, positions); `None`: everything.
    fn mask(&self, window: Option<usize>, device: &Device) -> Result<Option<Tensor>> {
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
    fn prepare(decoder: &Decoder, chunks: &mut [Chunk<'_>]) -> Result<Self> {
        let vocab_size = decoder.config.vocab_size;
        let tokens: Vec<u32> = chunks.iter().flat_map(|chunk| chunk.tokens.iter().copied()).collect();
        if let Some(&id) = tokens.iter().find(|&&id| id as usize >= vocab_size) {
            return Err(Error::TokenOutOfRange { id, vocab_size });
        }
        let mut layout = TokenLayout::default();
        let mut positions = Vec::with_capacity(tokens.len());
        let mut plans = Vec::with_capacity(chunks.len());
        for chunk in chunks.iter_mut() {
            let start = layout.n_tokens();
            let rows: Vec<usize> = match &chunk.past {
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
            if position + t > decoder.config.context {
                return Err(Error::ContextExceeded {
                    what: "the text".into(),
                    tokens: position + t,
                    context: decoder.config.context,
                });
            }
            let spans =
                rows.iter().enumerate().map(|(i, &row)| TokenSpan { row, start: start + i * t, len: t, position });
            let chunk_layout = TokenLayout { spans: spans.collect() };
            positions.extend(chunk_layout.spans.iter().flat_map(|span| span.position..span.position + span.len));
            layout.spans.extend_from_slice(&chunk_layout.spans);
            let masks = [OnceCell::new(), OnceCell::new()];
            plans.push(ChunkPlan { start, rows: rows.len(), t, position, masks, layout: chunk_layout });
        }
        let rotary = decoder.rope.tables(&positions, &decoder.device)?;
        let local_rotary = decoder.local_rope.as_ref().map(|rope| rope.tables(&positions, &decoder.device));
        let local_rotary = local_rotary.transpose()?;
        let has_past = chunks.iter().any(|chunk| matches!(chunk.past, Past::Cache(_)));
        let spans = || layout.spans.iter().map(|span| Span { start: span.start, len: span.len }).collect();
        let rows_without_past = (!has_past).then(spans);
        Ok(Self { tokens, layout, rotary, local_rotary, plans, rows_without_past })
    }

    /// Cosines and sines for a layer with this window.
    fn rotary(&self, window: Option<usize>) -> &RotaryTables {
        self.local_rotary.as_ref().filter(|_| window.is_some()).unwrap_or(&self.rotary)
    }

    /// Puts new keys and values of a layer into the caches of the chunks, or beside them where there is none.
    fn append(
        &self,
        layer: usize,
        kv: [&Tensor; 2],
        chunks: &[Chunk<'_>],
        attention: &Attention,
    ) -> Result<Vec<(ChunkLines, ChunkKv)>> {
        let append_chunk = |(chunk, plan): (&Chunk<'_>, &ChunkPlan)| {
            let lines = ChunkLines { start: plan.start, rows: plan.rows, t: plan.t };
            let append = Append { lines, sizes: attention.sizes, rotary: self.rotary(attention.window) };
            let past = match &chunk.past {
                Past::None { .. } => append.alone(kv)?,
                Past::Cache(cache) => cache.append_packed(layer, kv, append)?,
            };
            Ok((lines, past))
        };
        chunks.iter().zip(&self.plans).map(append_chunk).collect()
    }

    /// The wanted lines of (n_tokens, width).
    fn select(&self, x: &Tensor, wanted: &Wanted) -> Result<Option<Tensor>> {
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
