//! Low-rank deltas (Hu et al. 2021): ΔW = scale · B A, applied without forming it.

use candle_core::Tensor;
use rayon::prelude::*;

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

/// SplitMix64's output for a state (Steele et al. 2014).
pub(crate) fn mix(state: u64) -> u64 {
    let z = state.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
