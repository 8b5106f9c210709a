//! Causal grouped-query attention over a packed pass.
//!
//! Projections run on all tokens at once; scores run chunk by chunk, because every chunk has its own past. The past of
//! a chunk is a chain of shared segments (computed once, used by all rows) and the rows' own keys and values.

use std::sync::Arc;

use candle_core::{D, DType, Tensor};
use redline_kernels::gradients::{RopeAttention, Span};
use redline_kernels::heads::HeadSizes;

use super::cached_attention::attend_cached;
use super::{Kernels, Linear, RmsNorm, RotaryTables, Rotation};
use crate::Result;
use crate::cache::{ChunkKv, ChunkLines};

#[derive(Debug, Clone)]
pub(crate) struct Attention {
    pub(crate) q: Linear,
    pub(crate) k: Linear,
    pub(crate) v: Linear,
    pub(crate) o: Linear,
    /// Norms of queries and keys, head by head.
    pub(crate) qk_norms: Option<[RmsNorm; 2]>,
    /// Positions a token attends to, its own included; `None`: all before it.
    pub(crate) window: Option<usize>,
    pub(crate) rotation: Rotation,
    pub(crate) sizes: HeadSizes,
}

impl Attention {
    /// Queries, keys and values of all packed tokens, rotated: each (n_tokens, heads, head_dim).
    pub(crate) fn project(&self, x: &Tensor, rotary: &RotaryTables, kernels: Kernels) -> Result<[Tensor; 3]> {
        let n = x.dim(0)?;
        let [q, k, v] = Linear::forward_all(x, [&self.q, &self.k, &self.v])?;
        let [q, k] = self.normalise([q, k], kernels)?;
        let q = q.reshape((n, self.sizes.n_heads, self.sizes.head_dim))?;
        let k = k.reshape((n, self.sizes.n_kv_heads, self.sizes.head_dim))?;
        let v = v.reshape((n, self.sizes.n_kv_heads, self.sizes.head_dim))?;
        Ok([rotary.rotate(&q, kernels)?, rotary.rotate(&k, kernels)?, v])
    }

    /// Queries and keys of a packed pass, (n_tokens, heads · head_dim) each, normalised where the model does that.
    fn normalise(&self, [q, k]: [Tensor; 2], kernels: Kernels) -> Result<[Tensor; 2]> {
        let Some([q_norm, k_norm]) = &self.qk_norms else { return Ok([q, k]) };
        let by_head = |x: &Tensor, norm: &RmsNorm| -> Result<Tensor> {
            let heads = x.reshape((x.elem_count() / self.sizes.head_dim, self.sizes.head_dim))?;
            Ok(norm.forward(&heads, kernels)?.reshape(x.shape())?)
        };
        Ok([by_head(&q, q_norm)?, by_head(&k, k_norm)?])
    }

    /// Projection, rotation and attention of a packed pass on the CPU, inference only: x (n_tokens, hidden) →
    /// (n_tokens, n_heads · head_dim). `append(k, v)` puts the new keys and values, (n_tokens, kv_heads · head_dim), where they belong.
    pub(crate) fn attend_cached(
        &self,
        x: &Tensor,
        rotary: &RotaryTables,
        append: impl FnOnce(&Tensor, &Tensor) -> Result<Vec<(ChunkLines, ChunkKv)>>,
    ) -> Result<Tensor> {
        let [q, k, v] = Linear::forward_all(x, [&self.q, &self.k, &self.v])?;
        let [q, k] = self.normalise([q, k], Kernels::Fused)?;
        attend_cached(&q, rotary, &append(&k, &v)?, self.sizes, self.window)
    }

    /// Whether [`Attention::attend_rows`] computes what this layer asks for.
    pub(crate) fn is_plain_over(&self, spans: &[Span]) -> bool {
        let is_narrow = |window: usize| spans.iter().any(|span| span.len > window);
        self.sizes.softcap.is_none() && !self.window.is_some_and(is_narrow)
    }

    /// Projection, rotation and attention of rows without a past: (n_tokens, hidden) → (n_tokens, n_heads · head_dim),
    /// differentiable and in one kernel.
    pub(crate) fn attend_rows(&self, x: &Tensor, spans: &Arc<[Span]>, rotary: &RotaryTables) -> Result<Tensor> {
        let kernel = RopeAttention {
            spans: Arc::clone(spans),
            cos: rotary.cos.clone(),
            sin: rotary.sin.clone(),
            sizes: self.sizes,
        };
        let [q, k] = self.normalise([self.q.forward(x)?, self.k.forward(x)?], Kernels::FusedDifferentiable)?;
        Ok(q.apply_op3(&k, &self.v.forward(x)?, kernel)?)
    }

    /// Attention of one chunk.
    ///
    /// `q`: (rows · t, n_heads, head_dim), row after row. `mask`: (t, positions), 0 or −∞; `None` where all is seen.
    /// Returns z (rows · t, n_heads, head_dim) and, when asked for, the probabilities (rows, n_heads, t, positions).
    pub(crate) fn attend(
        &self,
        q: &Tensor,
        kv: &ChunkKv,
        mask: Option<&Tensor>,
        want_pattern: bool,
        kernels: Kernels,
    ) -> Result<(Tensor, Option<Tensor>)> {
        let own_len = kv.own_len;
        let (own_k, own_v) = (kv.own.0.narrow(2, 0, own_len)?, kv.own.1.narrow(2, 0, own_len)?);
        let (rows, kv_heads, _, dim) = own_k.dims4()?;
        let repeat = self.sizes.repeat();
        let t = q.dim(0)? / rows;
        let q = (q * f64::from(self.sizes.scale))?
            .reshape((rows, t, self.sizes.n_heads, dim))?
            .transpose(1, 2)? // (rows, n_heads, t, dim)
            .contiguous()?
            .reshape((rows, kv_heads, repeat * t, dim))?;

        // scores and softmax in f32, whatever the rest is in
        let own = q.matmul(&own_k.t()?)?.to_dtype(DType::F32)?; // (rows, kv_heads, repeat · t, own_len)
        let mut scores = kv
            .shared
            .iter()
            .map(|(k, _)| Ok(shared_product(&q, &k.t()?)?.to_dtype(DType::F32)?))
            .collect::<Result<Vec<_>>>()?;
        scores.push(own);
        let mut scores = if scores.len() == 1 { scores.remove(0) } else { Tensor::cat(&scores, D::Minus1)? };
        if let Some(cap) = self.sizes.softcap.map(f64::from) {
            scores = ((scores / cap)?.tanh()? * cap)?;
        }
        if let Some(mask) = mask {
            let by_head = (rows * self.sizes.n_heads, t, scores.dim(D::Minus1)?);
            scores = scores.reshape(by_head)?.broadcast_add(mask)?.reshape(scores.shape())?;
        }
        let pattern = match kernels {
            Kernels::Fused => candle_nn::ops::softmax_last_dim(&scores)?,
            Kernels::Differentiable | Kernels::FusedDifferentiable => candle_nn::ops::softmax(&scores, D::Minus1)?,
        };
        let weights = pattern.to_dtype(q.dtype())?;

        let mut start = 0;
        let mut z: Option<Tensor> = None;
        for (_, v) in &kv.shared {
            let length = v.dim(1)?;
            let part = shared_product(&weights.narrow(D::Minus1, start, length)?.contiguous()?, v)?;
            z = Some(match z {
                None => part,
                Some(sum) => (sum + part)?,
            });
            start += length;
        }
        let own = weights.narrow(D::Minus1, start, own_len)?.contiguous()?.matmul(&own_v)?;
        let z = match z {
            None => own,
            Some(sum) => (sum + own)?,
        };
        let z = z.reshape((rows, self.sizes.n_heads, t, dim))?.transpose(1, 2)?.contiguous()?;
        let z = z.reshape((rows * t, self.sizes.n_heads, dim))?;
        let pattern = match want_pattern {
            true => Some(pattern.reshape((rows, self.sizes.n_heads, t, start + own_len))?),
            false => None,
        };
        Ok((z, pattern))
    }
}

/// x (rows, kv_heads, m, a) times one matrix per head, shared by the rows: (kv_heads, a, b) → (rows, kv_heads, m, b).
/// The rows are stacked into one product per head.
fn shared_product(x: &Tensor, matrices: &Tensor) -> Result<Tensor> {
    let (rows, kv_heads, m, a) = x.dims4()?;
    let b = matrices.dim(2)?;
    if rows == 1 {
        return Ok(x.squeeze(0)?.matmul(matrices)?.unsqueeze(0)?);
    }
    let stacked = x.transpose(0, 1)?.contiguous()?.reshape((kv_heads, rows * m, a))?;
    let product = stacked.matmul(matrices)?.reshape((kv_heads, rows, m, b))?;
    Ok(product.transpose(0, 1)?.contiguous()?)
}
