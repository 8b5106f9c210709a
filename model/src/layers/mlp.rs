//! Gated MLP (SwiGLU and GEGLU, Shazeer 2020): down(f(gate(x)) · up(x)).

use candle_core::Tensor;
use redline_kernels::gradients::GatedProduct;
use redline_kernels::{Activation, is_plain};

use super::{Kernels, Linear};
use crate::Result;

#[derive(Debug, Clone)]
pub(crate) struct Mlp {
    pub(crate) gate: Linear,
    pub(crate) up: Linear,
    pub(crate) down: Linear,
    /// f
    pub(crate) activation: Activation,
}

impl Mlp {
    /// (n, hidden) → (n, hidden)
    pub(crate) fn forward(&self, x: &Tensor, kernels: Kernels) -> Result<Tensor> {
        let [gate, up] = Linear::forward_all(x, [&self.gate, &self.up])?;
        let kernel = GatedProduct { activation: self.activation };
        let gated = match (kernels, self.activation) {
            (Kernels::FusedDifferentiable, _) => gate.apply_op2(&up, kernel)?,
            (Kernels::Fused, _) if is_plain(&gate) => gate.apply_op2_no_bwd(&up, &kernel)?,
            (_, Activation::Silu) => (gate.silu()? * up)?,
            (_, Activation::GeluTanh) => (gate.gelu()? * up)?,
        }; // (n, intermediate)
        self.down.forward(&gated)
    }
}
