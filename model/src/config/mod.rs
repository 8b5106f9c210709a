//! One configuration for every family, read from a Hugging Face `config.json` or from GGUF metadata and checked
//! before any weight is read.

mod family;
mod fields;
pub(crate) mod generation;
mod gguf;
mod gguf_keys;
mod gguf_rope;
mod hugging_face;
mod hugging_face_keys;
mod hugging_face_rope;
pub(crate) mod keys;
mod rope;
#[cfg(test)]
mod tests;

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

pub use family::SUPPORTED_ARCHITECTURES;
pub(crate) use family::{BiasKey, Family, GgufBiases, GgufWindow, RotationKeys, WindowPattern};
pub(crate) use gguf::query_width;
pub(crate) use gguf_keys::TOKENIZER_KEYS;
pub(crate) use gguf_rope::FACTOR_TENSORS;
pub use redline_kernels::Activation;
pub use rope::RopeScaling;
pub(crate) use rope::yarn_magnitude;

/// Largest value accepted for any size in a configuration; real models are far below it.
const MAX_SIZE: u64 = 1 << 24;
/// Most blocks.
const MAX_LAYERS: usize = 1 << 12;

/// Sizes and constants of a decoder-only transformer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelConfig {
    /// Architecture name, one of [`SUPPORTED_ARCHITECTURES`].
    pub architecture: String,
    /// Number of token embeddings.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the MLP's inner layer.
    pub intermediate_size: usize,
    /// Number of blocks.
    pub n_layers: usize,
    /// Number of query heads.
    pub n_heads: usize,
    /// Number of key and value heads; divides `n_heads`.
    pub n_kv_heads: usize,
    /// Width of one head, even.
    pub head_dim: usize,
    /// Dimensions of a head that are rotated, from the first; even.
    pub rotary_dim: usize,
    /// Added to the mean square before the root in RMS norm.
    pub rms_norm_eps: f64,
    /// Base of the rotary frequencies.
    pub rope_theta: f32,
    /// Stretching of the rotary frequencies.
    pub rope_scaling: RopeScaling,
    /// Base of the rotary frequencies of layers with a window, which are not stretched; `None`: as the others.
    pub local_rope_theta: Option<f32>,
    /// Layers, from 0, that leave queries and keys unrotated: attention there knows no positions (NoPE, Kazemnejad et al. 2023).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unrotated_layers: Vec<usize>,
    /// Positions a layer attends to, its own included; `None`: all before it. One entry a layer.
    pub windows: Vec<Option<usize>>,
    /// Largest number of positions.
    pub context: usize,
    /// Whether the output projection is the transposed embedding.
    pub tie_embeddings: bool,
    /// Whether q, k and v carry a bias.
    pub qkv_bias: bool,
    /// Whether the attention's output projection carries a bias.
    pub output_bias: bool,
    /// Whether the MLP's projections carry a bias.
    pub mlp_bias: bool,
    /// Whether queries and keys are normalised per head before rotation.
    pub qk_norm: bool,
    /// Whether outputs of attention and MLP are normalised before they are added.
    pub post_norms: bool,
    /// Function of the MLP's gate.
    pub activation: Activation,
    /// Factor of the token embeddings.
    pub embedding_scale: f32,
    /// Factor of the attention scores.
    pub attention_scale: f32,
    /// Factor of the outputs of attention and MLP as they are added to the residual stream.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub residual_scale: f32,
    /// Attention scores s become cap · tanh(s / cap).
    pub attention_softcap: Option<f32>,
    /// Logits likewise.
    pub logit_softcap: Option<f32>,
    /// What logits are divided by, before they are capped.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub logit_divisor: f32,
    /// End-of-sequence ids named by the configuration.
    pub eos_token_ids: Vec<u32>,
}

impl ModelConfig {
    /// A Llama model of these sizes: heads of equal width, plain rotation with base 10,000, no bias, tied embeddings.
    ///
    /// Sizes are `[vocab_size, hidden_size, intermediate_size, n_layers, n_heads]`.
    pub fn llama(sizes: [usize; 5], context: usize) -> Self {
        let [vocab_size, hidden_size, intermediate_size, n_layers, n_heads] = sizes;
        let head_dim = hidden_size / n_heads.max(1);
        Self {
            architecture: Family::LLAMA.name.into(),
            vocab_size,
            hidden_size,
            intermediate_size,
            n_layers,
            n_heads,
            n_kv_heads: n_heads,
            head_dim,
            rotary_dim: head_dim,
            rms_norm_eps: 1e-5,
            rope_theta: 10_000.0,
            rope_scaling: RopeScaling::None,
            local_rope_theta: None,
            unrotated_layers: Vec::new(),
            windows: vec![None; n_layers],
            context,
            tie_embeddings: true,
            qkv_bias: false,
            output_bias: false,
            mlp_bias: false,
            qk_norm: false,
            post_norms: false,
            activation: Activation::Silu,
            embedding_scale: 1.0,
            attention_scale: scale_of(head_dim as f64),
            residual_scale: 1.0,
            attention_softcap: None,
            logit_softcap: None,
            logit_divisor: 1.0,
            eos_token_ids: Vec::new(),
        }
    }

    /// Query heads that share one key and value head.
    pub fn heads_per_kv(&self) -> usize {
        self.n_heads / self.n_kv_heads
    }

    /// The facts of its family; of a name that is none's, those of Llama.
    pub(crate) fn family(&self) -> &'static Family {
        Family::named(&self.architecture).unwrap_or(&Family::LLAMA)
    }

    /// What Hugging Face files leave out of norm weights.
    pub(crate) fn norm_offset(&self) -> f64 {
        self.family().weights.norm_offset
    }

    /// Whether files hold q, k, v as one matrix, and gate and up.
    pub(crate) fn has_fused_projections(&self) -> bool {
        self.family().weights.fuses_projections
    }

    /// The window that some layers have; layers have no others.
    pub(crate) fn window(&self) -> Option<usize> {
        self.windows.iter().copied().flatten().next()
    }

    /// Refuses sizes that no tensor could satisfy.
    fn checked(self, path: &Path) -> Result<Self> {
        let refuse = |field: &str, problem: String| Err(config_problem(path, field, problem));
        for (field, size) in [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_hidden_layers", self.n_layers),
            ("num_attention_heads", self.n_heads),
            ("num_key_value_heads", self.n_kv_heads),
            ("head_dim", self.head_dim),
            ("max_position_embeddings", self.context),
        ] {
            if size == 0 {
                return refuse(field, "is 0".into());
            }
        }
        if !self.n_heads.is_multiple_of(self.n_kv_heads) {
            let problem = format!("is {}, which does not divide the {} query heads", self.n_kv_heads, self.n_heads);
            return refuse("num_key_value_heads", problem);
        }
        if !self.head_dim.is_multiple_of(2) {
            let problem = format!("is {}, but rotary embedding needs an even width", self.head_dim);
            return refuse("head_dim", problem);
        }
        if self.rotary_dim == 0 || self.rotary_dim > self.head_dim || !self.rotary_dim.is_multiple_of(2) {
            let problem = format!("makes {} of {} dimensions of a head rotate", self.rotary_dim, self.head_dim);
            return refuse("partial_rotary_factor", problem);
        }
        let has_multipliers = self.family().config.has_multipliers;
        let attention_key = if has_multipliers { "attention_multiplier" } else { "query_pre_attn_scalar" };
        let positive = [
            ("rms_norm_eps", self.rms_norm_eps),
            ("rope_theta", f64::from(self.rope_theta)),
            ("rope_local_base_freq", f64::from(self.local_rope_theta.unwrap_or(1.0))),
            (attention_key, f64::from(self.attention_scale)),
            ("embedding_multiplier", f64::from(self.embedding_scale)),
            ("residual_multiplier", f64::from(self.residual_scale)),
            ("logits_scaling", f64::from(self.logit_divisor)),
            ("attn_logit_softcapping", f64::from(self.attention_softcap.unwrap_or(1.0))),
            ("final_logit_softcapping", f64::from(self.logit_softcap.unwrap_or(1.0))),
        ];
        if let Some((field, value)) = positive.into_iter().find(|(_, value)| !(value.is_finite() && *value > 0.0)) {
            return refuse(field, format!("is {value}, but must be positive"));
        }
        if let Some(n_factors) = self.rope_scaling.n_factors()
            && n_factors != self.rotary_dim / 2
        {
            let problem = format!("has {n_factors} factors for {} rotary frequencies", self.rotary_dim / 2);
            return refuse("rope_scaling", problem);
        }
        Ok(self)
    }
}

/// What a configuration without a factor means.
fn one() -> f32 {
    1.0
}

/// Whether a factor changes nothing: then it is not written, so that files from before there was one stay as they are.
fn is_one(factor: &f32) -> bool {
    *factor == 1.0
}

/// 1 / √width
fn scale_of(width: f64) -> f32 {
    (1.0 / width.sqrt()) as f32
}

fn config_problem(path: &Path, field: &str, problem: impl Into<String>) -> Error {
    Error::ConfigField { path: path.into(), field: field.into(), problem: problem.into() }
}

fn checked_size(path: &Path, field: &str, value: u64) -> Result<usize> {
    if value > MAX_SIZE {
        return Err(config_problem(path, field, format!("is {value}, more than any model has")));
    }
    Ok(value as usize)
}

/// The number of blocks, of which each gets an entry in tables before a weight is read.
fn checked_layers(path: &Path, field: &str, n_layers: usize) -> Result<usize> {
    match n_layers <= MAX_LAYERS {
        true => Ok(n_layers),
        false => Err(config_problem(path, field, format!("is {n_layers}, more than any model has"))),
    }
}
