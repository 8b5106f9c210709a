//! LAT scans (Zou et al. 2023): scores over layer × token for one text, as z-values of calibration texts.

use serde::{Deserialize, Serialize};

use crate::activations::TokenActivations;
use crate::{Error, LayerVector, Result};

/// Number of output tokens a scan covers unless told otherwise.
pub const SCAN_TOKENS: usize = 20;

/// Mean and standard deviation of the scores of calibration texts, per layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Blocks, as in the reading vector.
    pub layers: Vec<usize>,
    /// Mean score of each layer.
    pub mean: Vec<f64>,
    /// Standard deviation of each layer.
    pub std: Vec<f64>,
    /// Number of tokens the two were taken from.
    pub n_tokens: usize,
}

/// Scores of one text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LatScan {
    /// What the text is: a correction, a copy.
    pub label: String,
    /// Index of the triple it belongs to.
    pub row: usize,
    /// Blocks, ascending.
    pub layers: Vec<usize>,
    /// Text of each token.
    pub tokens: Vec<String>,
    /// (x − centre) · direction: `[layer][token]`.
    pub scores: Vec<Vec<f32>>,
    /// Scores as z-values of the calibration, unclipped: `[layer][token]`.
    pub z: Vec<Vec<f32>>,
}

impl Calibration {
    /// Fits mean and standard deviation on the tokens of calibration texts.
    ///
    /// # Errors
    /// Fewer than two tokens, or activations of another size than the vectors.
    pub fn fit<'a>(vectors: &[LayerVector], texts: impl IntoIterator<Item = &'a TokenActivations>) -> Result<Self> {
        let mut scores = vec![Vec::new(); vectors.len()];
        for text in texts {
            for (all, layer) in scores.iter_mut().zip(text_scores(vectors, text)?) {
                all.extend(layer);
            }
        }
        let n_tokens = scores.first().map_or(0, Vec::len);
        if n_tokens < 2 {
            return Err(Error::TooFewCalibrationTokens { got: n_tokens });
        }
        let mean: Vec<f64> = scores.iter().map(|layer| layer.iter().sum::<f64>() / n_tokens as f64).collect();
        let variance = |(layer, mean): (&Vec<f64>, &f64)| layer.iter().map(|s| (s - mean).powi(2)).sum::<f64>();
        let std = scores.iter().zip(&mean).map(|pair| (variance(pair) / (n_tokens - 1) as f64).sqrt()).collect();
        Ok(Self { layers: vectors.iter().map(|vector| vector.layer).collect(), mean, std, n_tokens })
    }

    /// Whether it has a finite mean and deviation for each of these layers.
    pub(crate) fn fits(&self, layers: &[usize]) -> bool {
        let is_whole = |values: &[f64]| values.len() == layers.len() && values.iter().all(|value| value.is_finite());
        self.layers == layers && is_whole(&self.mean) && is_whole(&self.std)
    }

    /// The score of layer number `place` that lies `z` standard deviations above the mean.
    pub fn score(&self, place: usize, z: f64) -> Option<f64> {
        Some(self.mean.get(place)? + z * self.std.get(place)?)
    }
}

impl LatScan {
    /// Scores a text's tokens at every layer of the reading vector. A layer whose calibration scores do not vary has
    /// z = 0.
    ///
    /// # Errors
    /// Activations of another size than the vectors, or a calibration of other layers.
    pub fn new(
        label: &str,
        row: usize,
        vectors: &[LayerVector],
        calibration: &Calibration,
        text: &TokenActivations,
        tokens: Vec<String>,
    ) -> Result<Self> {
        let layers: Vec<usize> = vectors.iter().map(|vector| vector.layer).collect();
        if calibration.layers != layers {
            return Err(Error::LayerCount {
                what: "calibrated layers",
                got: calibration.layers.len(),
                expected: layers.len(),
            });
        }
        let scores = text_scores(vectors, text)?;
        let z = scores.iter().zip(calibration.mean.iter().zip(&calibration.std)).map(|(layer, (mean, std))| {
            layer.iter().map(|score| if *std > 0.0 { ((score - mean) / std) as f32 } else { 0.0 }).collect()
        });
        Ok(Self {
            label: label.into(),
            row,
            z: z.collect(),
            scores: scores.iter().map(|layer| layer.iter().map(|score| *score as f32).collect()).collect(),
            layers,
            tokens,
        })
    }
}

/// `[layer][token]`
fn text_scores(vectors: &[LayerVector], text: &TokenActivations) -> Result<Vec<Vec<f64>>> {
    let score = |(index, vector): (usize, &LayerVector)| {
        text.iter().map(|token| vector.score(token.get(index).map_or(&[][..], Vec::as_slice))).collect()
    };
    vectors.iter().enumerate().map(score).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vector(layer: usize) -> LayerVector {
        LayerVector {
            layer,
            direction: vec![1.0, 0.0],
            centre: vec![1.0, 5.0],
            gap: 2.0,
            score_std: 1.0,
            explained_variance_ratio: None,
            cosine_to_mean_diff: None,
            trained_norm: None,
        }
    }

    #[test]
    fn scores_and_z_values() {
        let vectors = [vector(0), vector(1)];
        // [token][layer][hidden]
        let text: TokenActivations = vec![vec![vec![2.0, 9.0], vec![0.0, 9.0]], vec![vec![4.0, 9.0], vec![0.0, 9.0]]];
        let calibration = Calibration::fit(&vectors, [&text]).unwrap();
        assert_eq!(calibration.mean, [2.0, -1.0]);
        assert_eq!(calibration.std, [2f64.sqrt(), 0.0]);
        let scan = LatScan::new("copy", 3, &vectors, &calibration, &text, vec!["a".into(), "b".into()]).unwrap();
        assert_eq!(scan.scores, [[1.0, 3.0], [-1.0, -1.0]]);
        assert_eq!(scan.z[1], [0.0, 0.0], "a layer without spread has no z-value");
        assert!((scan.z[0][1] - 0.5f32.sqrt()).abs() < 1e-6);
    }
}
