//! f(gate) · up, with f(z) = z σ(u(z)): silu where u(z) = z, gelu by its tanh approximation where u(z) = √(8/π) (z + 0.044715 z³).
//!
//! With g = ∂/∂y: ∂/∂up = g f(gate), ∂/∂gate = g up σ (1 + gate (1 − σ) u′(gate)).

use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor};
use rayon::prelude::*;

use super::{TASK_ELEMENTS, View, contiguous, tensor_like};
use crate::activation::Activation;
use crate::exp::{GELU_CUBIC, GELU_LINEAR, geglu, gelu_inner, sigmoid, swiglu};

/// Elements of a task that only computes y.
const FORWARD_ELEMENTS: usize = 1 << 12;

/// Two tensors of one shape → that shape.
pub struct GatedProduct {
    /// The function of the gate.
    pub activation: Activation,
}

impl GatedProduct {
    /// u(z) and u′(z)
    fn inner(&self, z: f32) -> (f32, f32) {
        match self.activation {
            Activation::Silu => (z, 1.0),
            Activation::GeluTanh => (gelu_inner(z), GELU_LINEAR * (1.0 + 3.0 * GELU_CUBIC * z * z)),
        }
    }
}

impl CustomOp2 for GatedProduct {
    fn name(&self) -> &'static str {
        "gated-product"
    }

    fn cpu_fwd(&self, gate: &CpuStorage, gl: &Layout, up: &CpuStorage, ul: &Layout) -> Result<(CpuStorage, Shape)> {
        let (gate, up) = (contiguous(gate, gl)?, contiguous(up, ul)?);
        let mut y = vec![0f32; gate.len()];
        let parts = gate.par_chunks(FORWARD_ELEMENTS).zip(up.par_chunks(FORWARD_ELEMENTS));
        y.par_chunks_mut(FORWARD_ELEMENTS).zip(parts).for_each(|(y, (gate, up))| match self.activation {
            Activation::Silu => swiglu(gate, up, y),
            Activation::GeluTanh => geglu(gate, up, y),
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
                let (inner, slope) = self.inner(gate[i]);
                let s = sigmoid(inner);
                dup[i] = g[i] * gate[i] * s;
                dgate[i] = g[i] * up[i] * s * (1.0 + gate[i] * (1.0 - s) * slope);
            }
        });
        Ok((Some(tensor_like(dgate, gate)?), Some(tensor_like(dup, up)?)))
    }
}
