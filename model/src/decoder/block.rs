//! A block: attention and MLP, each added to the residual stream, with a hook at every site.

use std::sync::Arc;

use candle_core::Tensor;
use redline_kernels::gradients::Span;
use redline_kernels::heads::HeadSizes;
use redline_kernels::is_plain;

use super::{Chunk, Past};
use crate::Result;
use crate::cache::ChunkKv;
use crate::hook::{Hook, HookPoint, Site, visit};
use crate::layers::{Attention, Kernels, Linear, Mlp, RmsNorm, scaled, sum};
use crate::pass::{ChunkPlan, Pass};

#[derive(Debug, Clone)]
pub(super) struct Block {
    pub(super) attention_norm: RmsNorm,
    pub(super) attention: Attention,
    /// Norms of the outputs of attention and MLP, where the model has them.
    pub(super) post_norms: Option<[RmsNorm; 2]>,
    pub(super) mlp_norm: RmsNorm,
    pub(super) mlp: Mlp,
    /// Factor of the outputs of attention and MLP.
    pub(super) residual_scale: f32,
}

/// What the blocks of one pass have in common.
pub(super) struct Call<'a, 'c> {
    pub(super) pass: &'a Pass,
    pub(super) chunks: &'a mut [Chunk<'c>],
    pub(super) hook: &'a mut dyn Hook,
    pub(super) kernels: Kernels,
}

impl Block {
    pub(super) fn linears(&mut self) -> [&mut Linear; 7] {
        let Attention { q, k, v, o, .. } = &mut self.attention;
        let Mlp { gate, up, down, .. } = &mut self.mlp;
        [q, k, v, o, gate, up, down]
    }

    pub(super) fn norms(&mut self) -> impl Iterator<Item = &mut RmsNorm> {
        let of_heads = self.attention.qk_norms.iter_mut().flatten();
        [&mut self.attention_norm, &mut self.mlp_norm]
            .into_iter()
            .chain(self.post_norms.iter_mut().flatten())
            .chain(of_heads)
    }

    /// The residual stream behind the block, not yet hooked there: (n_tokens, hidden) → (n_tokens, hidden).
    pub(super) fn forward(&self, x: Tensor, layer: usize, call: &mut Call<'_, '_>) -> Result<Tensor> {
        let (pass, kernels) = (call.pass, call.kernels);
        let at = |site| HookPoint::Block { layer, site };
        let x = visit(call.hook, at(Site::ResidPre), x, &pass.layout)?;
        let attn_out = self.attend(&self.attention_norm.forward(&x, kernels)?, layer, call)?;
        let attn_out = self.as_added(0, attn_out, kernels)?;
        let attn_out = visit(call.hook, at(Site::AttnOut), attn_out, &pass.layout)?;
        let x = visit(call.hook, at(Site::ResidMid), sum(&x, &attn_out, kernels)?, &pass.layout)?;
        let mlp_out = self.mlp.forward(&self.mlp_norm.forward(&x, kernels)?, kernels)?;
        let mlp_out = self.as_added(1, mlp_out, kernels)?;
        let mlp_out = visit(call.hook, at(Site::MlpOut), mlp_out, &pass.layout)?;
        sum(&x, &mlp_out, kernels)
    }

    /// The output of attention (0) or MLP (1) as it is added.
    fn as_added(&self, part: usize, x: Tensor, kernels: Kernels) -> Result<Tensor> {
        let x = match &self.post_norms {
            None => x,
            Some(norms) => norms[part].forward(&x, kernels)?,
        };
        scaled(x, self.residual_scale)
    }

    /// (n_tokens, hidden) → (n_tokens, hidden), by the fastest path that shows the hook what it wants to see.
    fn attend(&self, x: &Tensor, layer: usize, call: &mut Call<'_, '_>) -> Result<Tensor> {
        let wants_pattern = call.hook.wants(HookPoint::Block { layer, site: Site::AttnPattern });
        let wants_z = call.hook.wants(HookPoint::Block { layer, site: Site::AttnZ });
        let rows = call.pass.rows_without_past.as_ref().filter(|rows| self.attention.is_plain_over(rows));
        let z = match (call.kernels, rows) {
            (Kernels::FusedDifferentiable, Some(rows)) if !wants_pattern && !wants_z => {
                self.attend_rows(x, rows, call)?
            }
            (Kernels::Fused, _) if is_plain(x) && !wants_pattern => self.attend_cached(x, layer, call)?,
            _ => self.attend_by_chunk(x, layer, call)?,
        };
        self.attention.o.forward(&z)
    }

    /// Training: z of rows without a past, (n_tokens, n_heads · head_dim), in one differentiable kernel; nothing is hooked.
    fn attend_rows(&self, x: &Tensor, rows: &Arc<[Span]>, call: &Call<'_, '_>) -> Result<Tensor> {
        self.attention.attend_rows(x, rows, call.pass.rotary(self.attention.rotation))
    }

    /// Inference on the CPU: z of all chunks, (n_tokens, n_heads · head_dim), in one kernel, which shows no patterns.
    fn attend_cached(&self, x: &Tensor, layer: usize, call: &mut Call<'_, '_>) -> Result<Tensor> {
        let Call { pass, chunks, hook, .. } = call;
        let rotary = pass.rotary(self.attention.rotation);
        let append = |k: &Tensor, v: &Tensor| pass.append(layer, [k, v], chunks, &self.attention);
        let z = self.attention.attend_cached(x, rotary, append)?;
        let point = HookPoint::Block { layer, site: Site::AttnZ };
        if !hook.wants(point) {
            return Ok(z);
        }
        let HeadSizes { n_heads, head_dim, .. } = self.attention.sizes;
        let by_head = (z.dim(0)?, n_heads, head_dim);
        Ok(visit(*hook, point, z.reshape(by_head)?, &pass.layout)?.flatten_from(1)?)
    }

    /// Everywhere, with every hook: z of one chunk after the other by elementary operations, (n_tokens, n_heads · head_dim).
    fn attend_by_chunk(&self, x: &Tensor, layer: usize, call: &mut Call<'_, '_>) -> Result<Tensor> {
        let Call { pass, chunks, hook, kernels } = call;
        let pattern_point = HookPoint::Block { layer, site: Site::AttnPattern };
        let want_pattern = hook.wants(pattern_point);
        let [q, k, v] = self.attention.project(x, pass.rotary(self.attention.rotation), *kernels)?;
        let mut outputs = Vec::with_capacity(chunks.len());
        for (chunk, plan) in chunks.iter_mut().zip(&pass.plans) {
            let (k, v) = (by_row(&k, plan)?, by_row(&v, plan)?);
            let kv = match &mut chunk.past {
                Past::None { .. } => ChunkKv::alone((k, v), plan.t),
                Past::Cache(cache) => cache.append(layer, &k, &v)?,
            };
            let mask = plan.mask(self.attention.window, x.device())?;
            let q = q.narrow(0, plan.start, plan.rows * plan.t)?;
            let (z, pattern) = self.attention.attend(&q, &kv, mask.as_ref(), want_pattern, *kernels)?;
            if let Some(pattern) = pattern {
                // read-only: z was computed from the unhooked pattern
                hook.on(pattern_point, &pattern, &plan.layout)?;
            }
            outputs.push(z);
        }
        let z = if outputs.len() == 1 { outputs.remove(0) } else { Tensor::cat(&outputs, 0)? };
        let z = visit(*hook, HookPoint::Block { layer, site: Site::AttnZ }, z, &pass.layout)?;
        Ok(z.flatten_from(1)?)
    }
}

/// A chunk's part of (n_tokens, kv_heads, head_dim) as (rows, kv_heads, t, head_dim).
fn by_row(x: &Tensor, plan: &ChunkPlan) -> Result<Tensor> {
    let (_, heads, dim) = x.dims3()?;
    let part = x.narrow(0, plan.start, plan.rows * plan.t)?;
    Ok(part.reshape((plan.rows, plan.t, heads, dim))?.transpose(1, 2)?.contiguous()?)
}
