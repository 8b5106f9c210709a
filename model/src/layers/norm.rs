//! Root-mean-square norm (Zhang and Sennrich 2019): x / √(mean(x²) + ε) · weight.

use candle_core::{D, DType, Device, Tensor};
use redline_kernels::gradients::RmsNormKernel;

use super::Kernels;
use crate::Result;

#[derive(Debug, Clone)]
pub(crate) struct RmsNorm {
    weight: Tensor, // (width)
    eps: f64,
}

impl RmsNorm {
    pub(crate) fn new(weight: Tensor, eps: f64) -> Self {
        Self { weight, eps }
    }

    pub(crate) fn move_to(&mut self, device: &Device) -> Result<()> {
        self.weight = self.weight.to_device(device)?;
        Ok(())
    }

    /// (n, width) → (n, width)
    pub(crate) fn forward(&self, x: &Tensor, kernels: Kernels) -> Result<Tensor> {
        Ok(match kernels {
            Kernels::Fused => candle_nn::ops::rms_norm(&x.contiguous()?, &self.weight, self.eps as f32)?,
            Kernels::FusedDifferentiable => {
                x.contiguous()?.apply_op2(&self.weight, RmsNormKernel { eps: self.eps as f32 })?
            }
            Kernels::Differentiable => {
                let dtype = x.dtype();
                let x = x.to_dtype(DType::F32)?;
                let mean_square = x.sqr()?.mean_keepdim(D::Minus1)?;
                let normed = x.broadcast_div(&(mean_square + self.eps)?.sqrt()?)?;
                normed.broadcast_mul(&self.weight.to_dtype(DType::F32)?)?.to_dtype(dtype)?
            }
        })
    }
}
