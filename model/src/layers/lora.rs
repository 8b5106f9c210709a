//! Low-rank deltas (Hu et al. 2021): ΔW = scale · B A, applied without forming it.

use candle_core::Tensor;
use rayon::prelude::*;

use crate::random::mix;

/// The delta of one linear layer.
#[derive(Debug, Clone)]
pub(crate) struct LoraDelta {
    pub(crate) a: Tensor, // (rank, in)
    pub(crate) b: Tensor, // (out, rank)
    /// alpha / rank
    pub(crate) scale: f64,
    pub(crate) dropout: Option<Dropout>,
}

/// Zeroes a share of a delta's input and scales the rest up; which ones is a pure function of the seed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dropout {
    /// Share of zeroes, below 1.
    pub(crate) share: f64,
    pub(crate) seed: u64,
}

impl Dropout {
    /// n factors, each 0 or 1 / (1 − share).
    pub(super) fn mask(&self, n: usize) -> Vec<f32> {
        let kept = (1.0 / (1.0 - self.share)) as f32;
        let threshold = (self.share * u64::MAX as f64) as u64;
        let factor = |i: usize| if mix(self.seed.wrapping_add(i as u64)) < threshold { 0.0 } else { kept };
        (0..n).into_par_iter().map(factor).collect()
    }
}
