//! Rotary position embedding (Su et al. 2021), rotating the two halves of each head.

use candle_core::{Device, Tensor};

use super::Kernels;
use crate::config::RopeScaling;
use crate::{ModelConfig, Result};

/// Frequencies of a model.
#[derive(Debug, Clone)]
pub(crate) struct Rope {
    inverse_frequencies: Vec<f32>, // (head_dim / 2)
}

/// Cosines and sines for the positions of one packed pass: each (n_tokens, head_dim / 2).
#[derive(Debug, Clone)]
pub(crate) struct RotaryTables {
    pub(super) cos: Tensor,
    pub(super) sin: Tensor,
}

impl Rope {
    pub(crate) fn new(config: &ModelConfig) -> Self {
        let dim = config.head_dim;
        let plain = (0..dim / 2).map(|i| 1.0 / config.rope_theta.powf((2 * i) as f32 / dim as f32));
        let inverse_frequencies = match &config.rope_scaling {
            RopeScaling::None => plain.collect(),
            RopeScaling::Linear { factor } => plain.map(|f| f / factor).collect(),
            RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_context } => plain
                .map(|f| stretch_llama3(f, *factor, *low_freq_factor, *high_freq_factor, *original_context))
                .collect(),
            RopeScaling::Factors(factors) => plain.zip(factors).map(|(f, factor)| f / factor).collect(),
        };
        Self { inverse_frequencies }
    }

    pub(crate) fn tables(&self, positions: &[usize], device: &Device) -> Result<RotaryTables> {
        let shape = (positions.len(), self.inverse_frequencies.len());
        let angles = positions.iter().flat_map(|&p| self.inverse_frequencies.iter().map(move |f| p as f32 * f));
        let (sin, cos): (Vec<f32>, Vec<f32>) = angles.map(f32::sin_cos).unzip();
        Ok(RotaryTables { cos: Tensor::from_vec(cos, shape, device)?, sin: Tensor::from_vec(sin, shape, device)? })
    }
}

impl RotaryTables {
    /// (n_tokens, heads, head_dim) → (n_tokens, heads, head_dim)
    pub(crate) fn rotate(&self, x: &Tensor, kernels: Kernels) -> Result<Tensor> {
        let (n, heads, dim) = x.dims3()?;
        match kernels {
            Kernels::Fused => {
                // one "batch" a token, so that tokens run in parallel
                let x = x.contiguous()?.reshape((n, 1, heads, dim))?;
                let cos = self.cos.reshape((n, 1, dim / 2))?;
                let sin = self.sin.reshape((n, 1, dim / 2))?;
                Ok(candle_nn::rotary_emb::rope_thd(&x, &cos, &sin)?.reshape((n, heads, dim))?)
            }
            Kernels::Differentiable | Kernels::FusedDifferentiable => {
                let table = |x: &Tensor, table: &Tensor| table.unsqueeze(1)?.to_dtype(x.dtype()); // (n, 1, dim / 2)
                let (cos, sin) = (table(x, &self.cos)?, table(x, &self.sin)?);
                let first = x.narrow(2, 0, dim / 2)?;
                let second = x.narrow(2, dim / 2, dim / 2)?;
                let rotated_first = (first.broadcast_mul(&cos)? - second.broadcast_mul(&sin)?)?;
                let rotated_second = (first.broadcast_mul(&sin)? + second.broadcast_mul(&cos)?)?;
                Ok(Tensor::cat(&[rotated_first, rotated_second], 2)?)
            }
        }
    }
}

/// Rotates the halves of a head by its angles times `direction`, and scales.
pub(super) fn rotate_head(head: &mut [f32], (cos, sin): (&[f32], &[f32]), direction: f32, scale: f32) {
    let (first, second) = head.split_at_mut(cos.len());
    for ((first, second), (cos, sin)) in first.iter_mut().zip(second).zip(cos.iter().zip(sin)) {
        let (c, s) = (scale * cos, scale * direction * sin);
        (*first, *second) = (*first * c - *second * s, *first * s + *second * c);
    }
}

/// Llama 3's stretching of one inverse frequency.
fn stretch_llama3(frequency: f32, factor: f32, low: f32, high: f32, original_context: f32) -> f32 {
    let wavelength = 2.0 * std::f32::consts::PI / frequency;
    if wavelength < original_context / high {
        frequency
    } else if wavelength > original_context / low {
        frequency / factor
    } else {
        let smooth = (original_context / wavelength - low) / (high - low);
        (1.0 - smooth) * frequency / factor + smooth * frequency
    }
}
