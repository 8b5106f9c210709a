//! Puts the parts of a decoder together from named tensors.

use candle_core::{Device, Tensor};
use redline_kernels::heads::HeadSizes;
use redline_kernels::packed::Packed;

use super::Embedding;
use super::block::Block;
use crate::layers::{Attention, Linear, Mlp, RmsNorm, Rotation};
use crate::weights::TensorSource;
use crate::{ModelConfig, Result};

/// Where the tensors come from, and what they make.
pub(super) struct Builder<'a> {
    pub(super) config: &'a ModelConfig,
    pub(super) source: &'a dyn TensorSource,
    pub(super) device: &'a Device,
}

impl Builder<'_> {
    /// The table of token vectors, (vocab, hidden).
    pub(super) fn embedding(&self) -> Result<Embedding> {
        const NAME: &str = "model.embed_tokens";
        let (vocab, hidden) = (self.config.vocab_size, self.config.hidden_size);
        Ok(match self.packed(NAME, vocab, hidden)? {
            Some(packed) => Embedding::Packed(packed),
            None => Embedding::Table(self.tensor(&format!("{NAME}.weight"), &[vocab, hidden])?),
        })
    }

    /// The output projection: the embedding, or a matrix of its own, (vocab, hidden).
    pub(super) fn unembedding(&self, embedding: &Embedding) -> Result<Linear> {
        match embedding {
            _ if !self.config.tie_embeddings => {
                self.linear("lm_head", [self.config.vocab_size, self.config.hidden_size], false)
            }
            Embedding::Packed(packed) => Ok(Linear::from_packed(packed.clone(), None)),
            Embedding::Table(table) => Ok(Linear::new(table.clone(), None)),
        }
    }

    /// The block of this index.
    pub(super) fn block(&self, layer: usize) -> Result<Block> {
        let (config, hidden) = (self.config, self.config.hidden_size);
        let part = |name: &str| format!("model.layers.{layer}.{name}");
        let mlp_norm = if config.post_norms { "pre_feedforward_layernorm" } else { "post_attention_layernorm" };
        let post_norms = ["post_attention_layernorm", "post_feedforward_layernorm"].map(part);
        Ok(Block {
            attention_norm: self.norm(&part("input_layernorm"), hidden)?,
            attention: self.attention(layer)?,
            post_norms: self.norms(config.post_norms, &post_norms, hidden)?,
            mlp_norm: self.norm(&part(mlp_norm), hidden)?,
            mlp: self.mlp(layer)?,
            residual_scale: config.residual_scale,
        })
    }

    fn attention(&self, layer: usize) -> Result<Attention> {
        let config = self.config;
        let part = |name: &str| format!("model.layers.{layer}.self_attn.{name}");
        let (hidden, bias) = (config.hidden_size, config.qkv_bias);
        let (q_width, kv_width) = (config.n_heads * config.head_dim, config.n_kv_heads * config.head_dim);
        Ok(Attention {
            q: self.linear(&part("q_proj"), [q_width, hidden], bias)?,
            k: self.linear(&part("k_proj"), [kv_width, hidden], bias)?,
            v: self.linear(&part("v_proj"), [kv_width, hidden], bias)?,
            o: self.linear(&part("o_proj"), [hidden, q_width], config.output_bias)?,
            qk_norms: self.norms(config.qk_norm, &["q_norm", "k_norm"].map(part), config.head_dim)?,
            window: config.windows[layer],
            rotation: Rotation::of(config, layer),
            sizes: HeadSizes {
                n_heads: config.n_heads,
                n_kv_heads: config.n_kv_heads,
                head_dim: config.head_dim,
                scale: config.attention_scale,
                softcap: config.attention_softcap,
            },
        })
    }

    fn mlp(&self, layer: usize) -> Result<Mlp> {
        let ModelConfig { hidden_size: hidden, intermediate_size: inner, mlp_bias, activation, .. } = *self.config;
        let linear = |name: &str, shape| self.linear(&format!("model.layers.{layer}.mlp.{name}"), shape, mlp_bias);
        Ok(Mlp {
            gate: linear("gate_proj", [inner, hidden])?,
            up: linear("up_proj", [inner, hidden])?,
            down: linear("down_proj", [hidden, inner])?,
            activation,
        })
    }

    /// A linear layer of shape (out, in), with what lies beside it.
    fn linear(&self, name: &str, [out, input]: [usize; 2], has_bias: bool) -> Result<Linear> {
        let bias = if has_bias { Some(self.tensor(&format!("{name}.bias"), &[out])?) } else { None };
        if let Some(packed) = self.packed(name, out, input)? {
            return Ok(Linear::from_packed(packed, bias));
        }
        let weight = self.tensor(&format!("{name}.weight"), &[out, input])?;
        Ok(Linear::new(weight, bias).with_delta(self.source.delta(name, out, input)?))
    }

    /// The norm of vectors of this width.
    pub(super) fn norm(&self, name: &str, width: usize) -> Result<RmsNorm> {
        Ok(RmsNorm::new(self.tensor(&format!("{name}.weight"), &[width])?, self.config.rms_norm_eps))
    }

    /// Two norms, where the model has them.
    fn norms(&self, has_them: bool, [first, second]: &[String; 2], width: usize) -> Result<Option<[RmsNorm; 2]>> {
        Ok(match has_them {
            true => Some([self.norm(first, width)?, self.norm(second, width)?]),
            false => None,
        })
    }

    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let tensor = self.source.tensor(name, shape)?;
        Ok(if tensor.device().same_device(self.device) { tensor } else { tensor.to_device(self.device)? })
    }

    /// A matrix as it lies in the file; away from the CPU there is no kernel for it.
    fn packed(&self, name: &str, out: usize, input: usize) -> Result<Option<Packed>> {
        match self.device.is_cpu() {
            true => self.source.packed(name, out, input),
            false => Ok(None),
        }
    }
}
