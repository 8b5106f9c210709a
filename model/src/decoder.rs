//! The one forward path: a decoder-only transformer with a hook at every site.

use candle_core::{Device, Tensor};

use crate::hook::{Hook, HookPoint, NoHook, Site, untouched_blocks, visit};
use crate::layers::packed::Packed;
use crate::layers::{Attention, ChunkKv, HeadSizes, Kernels, Linear, Mlp, RmsNorm, Rope, RotaryTables, is_plain, sum};
use crate::pass::Pass;
use crate::weights::{FileTensors, TensorSource, Weights};
use crate::{KvCache, ModelConfig, Result, matmul_precision};

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

    /// The same decoder on another device; away from the CPU weights are f32.
    ///
    /// # Errors
    /// Not enough memory there, as the tensor library reports it.
    pub fn to_device(self, device: &Device) -> Result<Self> {
        if self.device.same_device(device) {
            return Ok(self);
        }
        let kernels = self.kernels;
        self.moved_to(device)?.with_kernels(kernels)
    }

    /// The same without kernels that only the CPU has.
    pub(crate) fn moved_to(mut self, device: &Device) -> Result<Self> {
        let table = match &self.embedding {
            Embedding::Packed(packed) => packed.widened()?.to_device(device)?,
            Embedding::Table(table) => table.to_device(device)?,
        };
        if self.config.tie_embeddings {
            self.unembedding = Linear::new(table.clone(), None);
        }
        self.embedding = Embedding::Table(table);
        self.linears().try_for_each(|linear| linear.move_to(device))?;
        self.norm.move_to(device)?;
        self.blocks.iter_mut().flat_map(Block::norms).try_for_each(|norm| norm.move_to(device))?;
        self.device = device.clone();
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

    /// In what precision and on what kind of device this computes, as results should record it: `high, cpu` for one.
    pub fn numerics(&self) -> String {
        let device = match self.device {
            Device::Cpu => "cpu",
            Device::Cuda(_) => "cuda",
            Device::Metal(_) => "metal",
        };
        format!("{}, {device}", matmul_precision())
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
    /// With [`Kernels::Fused`] on the CPU a token's state has the same bits whatever the rows beside it, the pieces in which its past was read, and
    /// the number of threads, unless a hook wants attention patterns or a matrix has inputs that are no multiple of 16.
    ///
    /// # Errors
    /// Token ids outside the vocabulary, more positions than the context, or whatever a hook returns.
    pub fn forward(&self, chunks: &mut [Chunk<'_>], hook: &mut dyn Hook, wanted: &Wanted) -> Result<Option<Tensor>> {
        let pass = Pass::prepare(self, chunks)?;
        let last_layer = match wanted {
            Wanted::Nothing => hook.last_layer(),
            _ => None,
        };
        let lead = self.lead_pass(&pass, chunks, hook)?;
        let mut x = self.embed(lead.as_ref().map_or(&pass.tokens, |lead| &lead.pass.tokens))?;
        x = visit(hook, HookPoint::Embed, x, &pass.layout)?;
        for (layer, block) in self.blocks.iter().enumerate() {
            let below = lead.as_ref().filter(|lead| layer < lead.n_blocks);
            x = block.forward(x, layer, below.map_or(&pass, |lead| &lead.pass), chunks, hook, self.kernels)?;
            if let Some(lead) = below.filter(|lead| layer + 1 == lead.n_blocks) {
                x = x.index_select(&lead.lines, 0)?;
            }
            x = visit(hook, HookPoint::resid_post(layer), x, &pass.layout)?;
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

    /// The pass of the blocks below the first that a hook touches, where rows agree in them.
    fn lead_pass(&self, pass: &Pass, chunks: &mut [Chunk<'_>], hook: &dyn Hook) -> Result<Option<LeadPass>> {
        let untouched = untouched_blocks(hook, self.config.n_layers);
        let agreeing = chunks.iter_mut().filter_map(|chunk| match &mut chunk.past {
            Past::Cache(cache) => Some(cache.agree_at_most(untouched)),
            Past::None { .. } => None,
        });
        let n_blocks = agreeing.min().unwrap_or(0);
        if n_blocks == 0 || self.kernels != Kernels::Fused || !self.device.is_cpu() {
            return Ok(None);
        }
        let Some((lead, lines)) = pass.over_lead_rows(self, chunks, n_blocks)? else { return Ok(None) };
        Ok(Some(LeadPass { pass: lead, n_blocks, lines: Tensor::new(lines, &self.device)? }))
    }

    /// Rotations at these positions, and those of layers with a window, where they differ.
    pub(crate) fn rotary_tables(&self, positions: &[usize]) -> Result<(RotaryTables, Option<RotaryTables>)> {
        let local = self.local_rope.as_ref().map(|rope| rope.tables(positions, &self.device)).transpose()?;
        Ok((self.rope.tables(positions, &self.device)?, local))
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

/// The first blocks of a pass, where a row stands for all that have read the same.
struct LeadPass {
    pass: Pass,
    n_blocks: usize,
    /// Its line for each line of the whole pass.
    lines: Tensor,
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

    fn norms(&mut self) -> impl Iterator<Item = &mut RmsNorm> {
        let of_heads = self.attention.qk_norms.iter_mut().flatten();
        [&mut self.attention_norm, &mut self.mlp_norm]
            .into_iter()
            .chain(self.post_norms.iter_mut().flatten())
            .chain(of_heads)
    }

    /// The residual stream behind the block, not yet hooked there.
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
        sum(&x, &mlp_out, kernels)
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
