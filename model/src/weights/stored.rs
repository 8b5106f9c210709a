//! Where files hold a tensor that the decoder asks for: under its own name, or as some rows of a larger one.

use candle_core::Tensor;

use crate::{ModelConfig, Result};

/// A tensor of a file, or some of its rows.
pub(super) struct Stored {
    /// Hugging Face name of the file's tensor.
    pub(super) name: String,
    /// Which rows; `None`: all.
    pub(super) part: Option<Part>,
}

/// Rows from `start` on, of `of` rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) start: usize,
    pub(crate) of: usize,
}

impl Stored {
    /// The place of a tensor by the name that unfused models give it.
    pub(super) fn of(name: &str, config: &ModelConfig) -> Self {
        match fused(name, config) {
            Some((name, part)) => Self { name, part: Some(part) },
            None => Self { name: name.into(), part: None },
        }
    }

    /// The rows of the file's tensor; `rows` is their number. The whole tensor where it has another number of rows than it should, so that
    /// the check of its shape names it.
    pub(super) fn rows_of(&self, tensor: Tensor, rows: usize) -> Result<Tensor> {
        match self.part {
            Some(Part { start, of }) if tensor.dim(0)? == of => Ok(tensor.narrow(0, start, rows)?.contiguous()?),
            _ => Ok(tensor),
        }
    }
}

/// The fused matrix that holds a projection, and where.
pub(crate) fn fused_linear(linear: &str, config: &ModelConfig) -> Option<(String, Part)> {
    fused(linear, config)
}

/// The matrices that a fused one is made of, in order; `None` for any other.
pub(crate) fn parts_of(name: &str, config: &ModelConfig) -> Option<Vec<String>> {
    let parts: &[&str] = match () {
        () if !config.has_fused_projections() => return None,
        () if name.contains("self_attn.qkv_proj") => &["q_proj", "k_proj", "v_proj"],
        () if name.contains("mlp.gate_up_proj") => &["gate_proj", "up_proj"],
        () => return None,
    };
    let whole = if name.contains("qkv_proj") { "qkv_proj" } else { "gate_up_proj" };
    Some(parts.iter().map(|part| name.replace(whole, part)).collect())
}

fn fused(name: &str, config: &ModelConfig) -> Option<(String, Part)> {
    if !config.has_fused_projections() {
        return None;
    }
    let (q, kv) = (config.n_heads * config.head_dim, config.n_kv_heads * config.head_dim);
    let inner = config.intermediate_size;
    [
        ("self_attn.q_proj", "self_attn.qkv_proj", 0, q + 2 * kv),
        ("self_attn.k_proj", "self_attn.qkv_proj", q, q + 2 * kv),
        ("self_attn.v_proj", "self_attn.qkv_proj", q + kv, q + 2 * kv),
        ("mlp.gate_proj", "mlp.gate_up_proj", 0, 2 * inner),
        ("mlp.up_proj", "mlp.gate_up_proj", inner, 2 * inner),
    ]
    .into_iter()
    .find(|(part, ..)| name.contains(part))
    .map(|(part, whole, start, of)| (name.replace(part, whole), Part { start, of }))
}
