//! Gates: steering only where a reading vector fires.

use candle_core::{DType, Tensor};
use redline_model::hook::{HookPoint, TokenLayout};
use redline_probe::LayerVector;

use crate::{Error, Result};

/// Fires at positions whose score (x − centre) · direction at one layer is at least a threshold.
///
/// The score is taken before the layer is steered; layers from there on are steered at the positions that fired.
#[derive(Debug, Clone)]
pub struct Gate {
    layer: usize,
    direction: Vec<f32>,
    /// centre · direction
    offset: f64,
    threshold: f64,
    /// Lines of the current pass that fired.
    fired: Vec<bool>,
    counts: GateCounts,
}

/// How often a gate was asked, and how often it fired.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GateCounts {
    /// Positions scored, of all rows.
    pub scored: u64,
    /// Positions that fired.
    pub fired: u64,
}

impl Gate {
    /// A gate of one layer of a reading vector; `threshold` in the units of its scores.
    ///
    /// # Errors
    /// A threshold that is NaN.
    pub fn new(reading: &LayerVector, threshold: f64) -> Result<Self> {
        if threshold.is_nan() {
            return Err(Error::OutOfRange { what: "threshold of a gate", got: threshold, expected: "a number" });
        }
        let pairs = reading.centre.iter().zip(&reading.direction);
        let offset = pairs.map(|(centre, direction)| f64::from(*centre) * f64::from(*direction)).sum();
        let direction = reading.direction.clone();
        Ok(Self {
            layer: reading.layer,
            direction,
            offset,
            threshold,
            fired: Vec::new(),
            counts: GateCounts::default(),
        })
    }

    /// The layer whose scores decide.
    pub fn layer(&self) -> usize {
        self.layer
    }

    /// What it did so far.
    pub fn counts(&self) -> GateCounts {
        self.counts
    }

    pub(crate) fn point(&self) -> HookPoint {
        HookPoint::resid_post(self.layer)
    }

    /// Scores all lines of a pass.
    pub(crate) fn read(&mut self, x: &Tensor, layout: &TokenLayout) -> redline_model::Result<()> {
        let lines: Vec<Vec<f32>> = x.to_dtype(DType::F32)?.to_vec2()?;
        let score = |line: &Vec<f32>| {
            let pairs = line.iter().zip(&self.direction);
            pairs.map(|(x, direction)| f64::from(*x) * f64::from(*direction)).sum::<f64>() - self.offset
        };
        self.fired = lines.iter().map(|line| score(line) >= self.threshold).collect();
        self.counts.scored += layout.n_tokens() as u64;
        self.counts.fired += self.fired.iter().filter(|fired| **fired).count() as u64;
        Ok(())
    }

    pub(crate) fn fired(&self, line: u32) -> bool {
        self.fired.get(line as usize).copied().unwrap_or(false)
    }
}
