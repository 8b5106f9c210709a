//! silu(gate) · up, with silu(z) = z σ(z).
//!
//! With g = ∂/∂y: ∂/∂up = g silu(gate), ∂/∂gate = g up σ (1 + gate (1 − σ)).

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::{TASK_ELEMENTS, View, contiguous, tensor_like};
use crate::layers::exp::{sigmoid, swiglu};

/// Elements of a task that only computes y.
const FORWARD_ELEMENTS: usize = 1 << 12;

/// Two tensors of one shape → that shape.
pub(crate) struct SwiGlu;

impl CustomOp2 for SwiGlu {
    fn name(&self) -> &'static str {
        "swiglu"
    }

    fn cpu_fwd(&self, gate: &CpuStorage, gl: &Layout, up: &CpuStorage, ul: &Layout) -> Result<(CpuStorage, Shape)> {
        let (gate, up) = (contiguous(gate, gl)?, contiguous(up, ul)?);
        let mut y = vec![0f32; gate.len()];
        let parts = gate.par_chunks(FORWARD_ELEMENTS).zip(up.par_chunks(FORWARD_ELEMENTS));
        y.par_chunks_mut(FORWARD_ELEMENTS).zip(parts).for_each(|(y, (gate, up))| {
            swiglu(gate, up, y);
        });
        Ok((CpuStorage::F32(y), gl.shape().clone()))
    }

    fn bwd(&self, gate: &Tensor, up: &Tensor, _y: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let (gate_view, up_view, grad_view) = (View::new(gate), View::new(up), View::new(&grad));
        let (gates, ups, grads) = (gate_view.values()?, up_view.values()?, grad_view.values()?);
        let (mut dgate, mut dup) = (vec![0f32; gates.len()], vec![0f32; gates.len()]);
        let parts = gates.par_chunks(TASK_ELEMENTS).zip(ups.par_chunks(TASK_ELEMENTS));
        let parts = parts.zip(grads.par_chunks(TASK_ELEMENTS));
        let results = dgate.par_chunks_mut(TASK_ELEMENTS).zip(dup.par_chunks_mut(TASK_ELEMENTS));
        results.zip(parts).for_each(|((dgate, dup), ((gate, up), g))| {
            for i in 0..g.len() {
                let s = sigmoid(gate[i]);
                dup[i] = g[i] * gate[i] * s;
                dgate[i] = g[i] * up[i] * s * (1.0 + gate[i] * (1.0 - s));
            }
        });
        Ok((Some(tensor_like(dgate, gate)?), Some(tensor_like(dup, up)?)))
    }
}
