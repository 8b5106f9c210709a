//! How rotary frequencies are stretched, as files say it.

use serde::{Deserialize, Serialize};

/// How rotary frequencies are stretched for contexts longer than the model was trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum RopeScaling {
    /// Frequencies as they are.
    None,
    /// All frequencies divided by one factor.
    Linear {
        /// The divisor.
        factor: f32,
    },
    /// Llama 3: long wavelengths divided by `factor`, short ones kept, a smooth passage between.
    Llama3 {
        /// The divisor for long wavelengths.
        factor: f32,
        /// Wavelengths above `original_context / low_freq_factor` are divided.
        low_freq_factor: f32,
        /// Wavelengths below `original_context / high_freq_factor` are kept.
        high_freq_factor: f32,
        /// Context length before stretching.
        original_context: f32,
    },
    /// YaRN (Peng et al. 2023): frequencies that turn less than `beta_slow` times within the original context are divided, those
    /// that turn more than `beta_fast` times kept, a ramp between; the rotated vectors are scaled.
    Yarn {
        /// The divisor of slow frequencies.
        factor: f32,
        /// Context length before stretching.
        original_context: f32,
        /// Turns from which frequencies are kept.
        beta_fast: f32,
        /// Turns up to which frequencies are divided.
        beta_slow: f32,
        /// Whether the ramp's ends are rounded outwards to whole dimensions.
        truncate: bool,
        /// Factor of cosines and sines.
        attention_factor: f32,
    },
    /// One divisor per frequency, `rotary_dim / 2` of them: GGUF's `rope_freqs.weight`, or LongRoPE's factors for short texts.
    Factors {
        /// The divisors.
        factors: Vec<f32>,
        /// Factor of cosines and sines.
        attention_factor: f32,
    },
}

impl RopeScaling {
    /// Number of divisors, where there is one per frequency.
    pub(super) fn n_factors(&self) -> Option<usize> {
        match self {
            Self::Factors { factors, .. } => Some(factors.len()),
            _ => None,
        }
    }
}

/// Factor of rotated vectors: 1 + 0.1 · scale · ln(factor) (Peng et al. 2023, equation 22).
pub(crate) fn yarn_magnitude(factor: f32, scale: f32) -> f32 {
    if factor <= 1.0 { 1.0 } else { 0.1 * scale * factor.ln() + 1.0 }
}

/// √(1 + ln(factor) / ln(original context)) (Ding et al. 2024).
pub(super) fn long_rope_magnitude(factor: f32, original_context: f32) -> f32 {
    if factor <= 1.0 { 1.0 } else { (1.0 + factor.ln() / original_context.ln()).sqrt() }
}
