//! Rotation and causal grouped-query attention of packed rows, without padding.
//!
//! Rows are independent, so each is one task. The probabilities are not kept: the gradient computes them again. With
//! P = softmax(S), S = q kᵀ, z = P v and g = ∂/∂z:
//! ∂/∂v = Pᵀ g, ∂/∂P = g vᵀ, ∂/∂S = P (∂/∂P − Σⱼ P ∂/∂P), ∂/∂q = ∂/∂S k, ∂/∂k = ∂/∂Sᵀ q; rotations are undone by their inverse.

use std::sync::Arc;

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::strided::{Lines, Matrix, Target, multiply};
use super::{View, contiguous, tensor_like};
use crate::exp::softmax;
use crate::heads::HeadSizes;
use crate::heads::rotate_head;

/// Consecutive lines of one row.
#[derive(Debug, Clone, Copy)]
pub struct Span {
    /// Its first line.
    pub start: usize,
    /// Its number of lines.
    pub len: usize,
}

/// q (n, n_heads · head_dim), k and v (n, n_kv_heads · head_dim) → z like q; q and k come unrotated.
pub struct RopeAttention {
    /// The rows, in packed order and without gaps.
    pub spans: Arc<[Span]>,
    /// (n, rotary_dim / 2)
    pub cos: Tensor,
    /// (n, rotary_dim / 2)
    pub sin: Tensor,
    /// Heads.
    pub sizes: HeadSizes,
}

/// Rotated queries (scaled) and keys of one row.
struct RotatedRow {
    q: Vec<f32>,
    k: Vec<f32>,
}

/// Everything of one row that a task reads.
struct RowInput<'a> {
    len: usize,
    q: &'a [f32],
    k: &'a [f32],
    v: &'a [f32],
    cos: &'a [f32],
    sin: &'a [f32],
}

impl RopeAttention {
    fn widths(&self) -> (usize, usize) {
        (self.sizes.n_heads * self.sizes.head_dim, self.sizes.n_kv_heads * self.sizes.head_dim)
    }

    fn row<'a>(&self, span: Span, [q, k, v, cos, sin]: [&'a [f32]; 5]) -> RowInput<'a> {
        let (q_width, kv_width) = self.widths();
        let part = |x: &'a [f32], width: usize| &x[span.start * width..(span.start + span.len) * width];
        let half = self.cos.dims()[1];
        RowInput {
            len: span.len,
            q: part(q, q_width),
            k: part(k, kv_width),
            v: part(v, kv_width),
            cos: part(cos, half),
            sin: part(sin, half),
        }
    }

    fn rotated(&self, row: &RowInput<'_>) -> RotatedRow {
        let (mut q, mut k) = (row.q.to_vec(), row.k.to_vec());
        rotate(&mut q, row, self.sizes.head_dim, 1.0, self.sizes.scale);
        rotate(&mut k, row, self.sizes.head_dim, 1.0, 1.0);
        RotatedRow { q, k }
    }

    /// Lines of one head: the offset of the first and the distance between lines.
    fn query_head(&self, head: usize) -> Lines {
        Lines { offset: head * self.sizes.head_dim, stride: self.sizes.n_heads * self.sizes.head_dim }
    }

    fn kv_head(&self, head: usize) -> Lines {
        let shared = head / (self.sizes.repeat());
        Lines { offset: shared * self.sizes.head_dim, stride: self.sizes.n_kv_heads * self.sizes.head_dim }
    }

    /// Causal probabilities of one head into `p`, (t, t).
    fn probabilities(&self, rotated: &RotatedRow, head: usize, t: usize, p: &mut [f32]) {
        let (q, k) = (self.query_head(head).of(&rotated.q), self.kv_head(head).of(&rotated.k));
        multiply(&mut Target::packed(p, t), q, k.transposed(), [t, t, self.sizes.head_dim], false);
        for (i, line) in p.chunks_mut(t).enumerate() {
            let (seen, unseen) = line.split_at_mut(i + 1);
            softmax(seen);
            unseen.fill(0.0);
        }
    }

    fn forward_row(&self, row: &RowInput<'_>, z: &mut [f32]) {
        let (t, rotated) = (row.len, self.rotated(row));
        let mut p = vec![0f32; t * t];
        for head in 0..self.sizes.n_heads {
            self.probabilities(&rotated, head, t, &mut p);
            let v = self.kv_head(head).of(row.v);
            multiply(
                &mut self.query_head(head).target(z),
                Matrix::packed(&p, t),
                v,
                [t, self.sizes.head_dim, t],
                false,
            );
        }
    }

    fn backward_row(&self, row: &RowInput<'_>, g: &[f32], [dq, dk, dv]: [&mut [f32]; 3]) {
        let (t, dim, rotated) = (row.len, self.sizes.head_dim, self.rotated(row));
        let (mut p, mut dp) = (vec![0f32; t * t], vec![0f32; t * t]);
        for head in 0..self.sizes.n_heads {
            self.probabilities(&rotated, head, t, &mut p);
            let (query, kv) = (self.query_head(head), self.kv_head(head));
            let g = query.of(g);
            multiply(&mut kv.target(dv), Matrix::packed(&p, t).transposed(), g, [t, dim, t], true);
            multiply(&mut Target::packed(&mut dp, t), g, kv.of(row.v).transposed(), [t, t, dim], false);
            dp.chunks_mut(t).zip(p.chunks(t)).for_each(|(dp, p)| softmax_gradient(dp, p));
            let ds = Matrix::packed(&dp, t);
            multiply(&mut query.target(dq), ds, kv.of(&rotated.k), [t, dim, t], false);
            multiply(&mut kv.target(dk), ds.transposed(), query.of(&rotated.q), [t, dim, t], true);
        }
        rotate(dq, row, dim, -1.0, self.sizes.scale);
        rotate(dk, row, dim, -1.0, 1.0);
    }

    /// Cuts a packed result into its rows.
    fn slabs<'a>(&self, mut rest: &'a mut [f32], width: usize) -> Vec<&'a mut [f32]> {
        let cut = |span: &Span| {
            let (own, after) = std::mem::take(&mut rest).split_at_mut(span.len * width);
            rest = after;
            own
        };
        self.spans.iter().map(cut).collect()
    }
}

impl CustomOp3 for RopeAttention {
    fn name(&self) -> &'static str {
        "rope-attention"
    }

    fn cpu_fwd(
        &self,
        q: &CpuStorage,
        ql: &Layout,
        k: &CpuStorage,
        kl: &Layout,
        v: &CpuStorage,
        vl: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let (cos, sin) = (View::new(&self.cos), View::new(&self.sin));
        let all = [contiguous(q, ql)?, contiguous(k, kl)?, contiguous(v, vl)?, cos.values()?, sin.values()?];
        let mut z = vec![0f32; all[0].len()];
        let slabs = self.slabs(&mut z, self.widths().0);
        slabs.into_par_iter().zip(&*self.spans).for_each(|(z, span)| self.forward_row(&self.row(*span, all), z));
        Ok((CpuStorage::F32(z), ql.shape().clone()))
    }

    fn bwd(
        &self,
        q: &Tensor,
        k: &Tensor,
        v: &Tensor,
        _z: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let views = [q, k, v, &self.cos, &self.sin].map(View::new);
        let grad_view = View::new(&grad);
        let all = [views[0].values()?, views[1].values()?, views[2].values()?, views[3].values()?, views[4].values()?];
        let g = grad_view.values()?;
        let (q_width, kv_width) = self.widths();
        let (mut dq, mut dk, mut dv) = (vec![0f32; all[0].len()], vec![0f32; all[1].len()], vec![0f32; all[2].len()]);
        let slabs = self.slabs(&mut dq, q_width).into_par_iter();
        let slabs = slabs.zip(self.slabs(&mut dk, kv_width)).zip(self.slabs(&mut dv, kv_width));
        slabs.zip(&*self.spans).for_each(|(((dq, dk), dv), span)| {
            let g = &g[span.start * q_width..(span.start + span.len) * q_width];
            self.backward_row(&self.row(*span, all), g, [dq, dk, dv]);
        });
        Ok((Some(tensor_like(dq, q)?), Some(tensor_like(dk, k)?), Some(tensor_like(dv, v)?)))
    }
}

/// Rotates the halves of every head of a row by its angles times `direction`, and scales.
fn rotate(x: &mut [f32], row: &RowInput<'_>, dim: usize, direction: f32, scale: f32) {
    let half = row.cos.len() / row.len.max(1);
    let width = x.len() / row.len.max(1);
    let tables = row.cos.chunks(half).zip(row.sin.chunks(half));
    for (line, (cos, sin)) in x.chunks_mut(width).zip(tables) {
        line.chunks_mut(dim).for_each(|head| rotate_head(head, (cos, sin), direction, scale));
    }
}

/// ∂/∂P → ∂/∂S in place.
fn softmax_gradient(dp: &mut [f32], p: &[f32]) {
    let dot: f32 = dp.iter().zip(p).map(|(dp, p)| dp * p).sum();
    dp.iter_mut().zip(p).for_each(|(dp, p)| *dp = p * (*dp - dot));
}
