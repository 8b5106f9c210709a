//! The one forward path: a decoder-only transformer with a hook at every site.

mod block;
mod builder;
mod stepwise;

use candle_core::{Device, Tensor};
use redline_kernels::packed::Packed;

use crate::hook::{Hook, HookPoint, untouched_blocks, visit};
use crate::layers::{Kernels, Linear, RmsNorm, Ropes, scaled};
use crate::pass::Pass;
use crate::weights::{FileTensors, TensorSource, Weights};
use crate::{KvCache, ModelConfig, Result, matmul_precision};

use block::{Block, Call};
use builder::Builder;
pub(crate) use stepwise::Stepwise;

/// A decoder-only transformer; its weights never change, so one can serve many callers.
#[derive(Debug, Clone)]
pub struct Decoder {
    config: ModelConfig,
    embedding: Embedding,
    blocks: Vec<Block>,
    norm: RmsNorm,
    unembedding: Linear,
    ropes: Ropes,
    kernels: Kernels,
    device: Device,
}

/// The table of token vectors, (vocab, hidden).
#[derive(Debug, Clone)]
enum Embedding {
    Table(Tensor),
    Packed(Packed),
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
    /// Reads all weights. [`crate::Model::load`] opens a folder or a file, with its tokenizer.
    ///
    /// # Errors
    /// A tensor that is missing, damaged or of another shape than the configuration implies.
    pub fn load(config: ModelConfig, weights: &Weights, device: &Device) -> Result<Self> {
        let source = FileTensors { weights, config: config.clone() };
        Self::assemble(config, &source, device)
    }

    /// Puts a decoder together from named tensors.
    pub(crate) fn assemble(config: ModelConfig, source: &dyn TensorSource, device: &Device) -> Result<Self> {
        let (embedding, unembedding, blocks, norm) = {
            let builder = Builder { config: &config, source, device };
            let embedding = builder.embedding()?;
            let unembedding = builder.unembedding(&embedding)?;
            let blocks = (0..config.n_layers).map(|layer| builder.block(layer)).collect::<Result<_>>()?;
            (embedding, unembedding, blocks, builder.norm("model.norm", config.hidden_size)?)
        };
        let ropes = Ropes::new(&config);
        let (kernels, device) = (Kernels::default(), device.clone());
        let mut decoder = Self { config, embedding, blocks, norm, unembedding, ropes, kernels, device };
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
        scaled(vectors, self.config.embedding_scale)
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

    /// Reads the chunks in one pass and returns the normalised final states of the wanted lines, or `None` when nothing is wanted.
    ///
    /// # Shapes
    /// The lines of all chunks are packed: rows · tokens of the first chunk, row after row, then those of the second.
    /// Returns (n_wanted, hidden_size).
    ///
    /// # Example
    /// A row read in two pieces through a cache gives what one piece gives, to the last bit:
    /// ```
    /// use redline_model::train::Parameters;
    /// use redline_model::{Chunk, ModelConfig, NoHook, Past, Result, Wanted};
    ///
    /// let decoder = Parameters::from_scratch(ModelConfig::llama([320, 32, 64, 2, 4], 256), 7)?.inference_decoder()?;
    /// let read = |tokens: &[u32], past: Past<'_>| -> Result<Vec<f32>> {
    ///     let states = decoder.forward(&mut [Chunk { tokens, past }], &mut NoHook, &Wanted::LastOfRow)?;
    ///     let Some(states) = states else { return Ok(Vec::new()) };
    ///     Ok(decoder.logits(&states)?.flatten_all()?.to_vec1()?)
    /// };
    /// let mut cache = decoder.cache(vec![0], 4)?;
    /// read(&[3, 1], Past::Cache(&mut cache))?;
    /// let pieces = read(&[4, 1], Past::Cache(&mut cache))?;
    /// assert_eq!(pieces, read(&[3, 1, 4, 1], Past::None { row: 0 })?);
    /// assert_eq!(pieces.len(), decoder.config().vocab_size);
    /// # Ok::<(), redline_model::Error>(())
    /// ```
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
            let running = below.map_or(&pass, |lead| &lead.pass);
            x = block.forward(x, layer, &mut Call { pass: running, chunks, hook, kernels: self.kernels })?;
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

    /// The frequencies of its layers.
    pub(crate) fn ropes(&self) -> &Ropes {
        &self.ropes
    }

    /// A pass over rows without past whose parts run one by one.
    ///
    /// # Errors
    /// As [`Decoder::forward`].
    pub(crate) fn stepwise<'a>(&'a self, chunks: &'a mut [Chunk<'a>]) -> Result<Stepwise<'a>> {
        let pass = Pass::prepare(self, chunks)?;
        Ok(Stepwise { decoder: self, pass, chunks })
    }

    /// Logits of normalised final states.
    ///
    /// # Shapes
    /// (n, hidden_size) → (n, vocab_size)
    ///
    /// # Errors
    /// As the tensor library reports.
    pub fn logits(&self, states: &Tensor) -> Result<Tensor> {
        let logits = scaled(self.unembedding.forward(states)?, 1.0 / self.config.logit_divisor)?;
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
