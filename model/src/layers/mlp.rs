//! Gated MLP (SwiGLU, Shazeer 2020): down(silu(gate(x)) · up(x)).

use candle_core::Tensor;

use super::Linear;
use crate::Result;

#[derive(Debug, Clone)]
pub(crate) struct Mlp {
    pub(crate) gate: Linear,
    pub(crate) up: Linear,
    pub(crate) down: Linear,
}

impl Mlp {
    /// (n, hidden) → (n, hidden)
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let gated = (self.gate.forward(x)?.silu()? * self.up.forward(x)?)?; // (n, intermediate)
        self.down.forward(&gated)
    }
}
