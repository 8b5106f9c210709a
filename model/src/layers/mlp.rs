//! Gated MLP (SwiGLU, Shazeer 2020): down(silu(gate(x)) · up(x)).

use candle_core::Tensor;

use super::gradients::SwiGlu;
use super::{Kernels, Linear, is_plain};
use crate::Result;

#[derive(Debug, Clone)]
pub(crate) struct Mlp {
    pub(crate) gate: Linear,
    pub(crate) up: Linear,
    pub(crate) down: Linear,
}

impl Mlp {
    /// (n, hidden) → (n, hidden)
    pub(crate) fn forward(&self, x: &Tensor, kernels: Kernels) -> Result<Tensor> {
        let [gate, up] = Linear::forward_all(x, [&self.gate, &self.up])?;
        let gated = match kernels {
            Kernels::FusedDifferentiable => gate.apply_op2(&up, SwiGlu)?,
            Kernels::Fused if is_plain(&gate) => gate.apply_op2_no_bwd(&up, &SwiGlu)?,
            Kernels::Fused | Kernels::Differentiable => (gate.silu()? * up)?,
        }; // (n, intermediate)
        self.down.forward(&gated)
    }
}
