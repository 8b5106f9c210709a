//! y = x Wᵀ + b, with W stored (out, in) as in Hugging Face files.

use candle_core::Tensor;

use crate::Result;

#[derive(Debug, Clone)]
pub(crate) struct Linear {
    weight: Tensor, // (out, in)
    bias: Option<Tensor>,
}

impl Linear {
    pub(crate) fn new(weight: Tensor, bias: Option<Tensor>) -> Self {
        Self { weight, bias }
    }

    /// (n, in) → (n, out)
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = x.matmul(&self.weight.t()?)?;
        Ok(match &self.bias {
            None => y,
            Some(bias) => y.broadcast_add(bias)?,
        })
    }
}
