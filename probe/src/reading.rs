//! Reading: scores of activations along a direction, and how well they tell the poles apart on held-out pairs.
//!
//! `score(x) = (x − centre)·direction`. Centre, gap and spread come from the training pairs alone; a report comes from pairs that
//! had no part in them. Sums run in double precision. Layers run in parallel and do not affect each other.

use ndarray::{Array1, ArrayView1, ArrayView2, Axis};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    Error, LayerDirection, LayerPairs, Result,
    separation::PairScores,
    stats::{Estimate, estimate},
};

/// One layer of a reading vector: an oriented direction with what its scores look like on the training pairs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerVector {
    /// The block index, from 0.
    pub layer: usize,
    /// Unit vector; positive scores mean more correction.
    pub direction: Vec<f32>,
    /// Mean of all training activations of both poles: where the score is 0.
    pub centre: Vec<f32>,
    /// Mean score of the positive activations less that of the negative ones. Below 0 only where the mean of the pairs
    /// points against their majority, which extraction warns of.
    pub gap: f64,
    /// Standard deviation of all training scores of both poles.
    pub score_std: f64,
    /// Share of the training rows' variance along the direction; only for PCA methods.
    pub explained_variance_ratio: Option<f64>,
    /// Cosine of the direction with the mean difference.
    pub cosine_to_mean_diff: Option<f64>,
    /// Length that a unit of coefficient adds along the direction, where the vector was trained to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trained_norm: Option<f64>,
}

impl LayerVector {
    /// Fits centre, gap and spread of `direction` on the training pairs.
    ///
    /// # Errors
    /// When layer or hidden size differ.
    pub fn fit(direction: &LayerDirection, train: &LayerPairs) -> Result<Self> {
        let mut vector = Self {
            layer: direction.layer,
            direction: direction.direction.clone(),
            centre: centre(train),
            gap: 0.0,
            score_std: 0.0,
            explained_variance_ratio: direction.explained_variance_ratio,
            cosine_to_mean_diff: direction.cosine_to_mean_diff,
            trained_norm: None,
        };
        let (positive, negative) = vector.pole_scores(train)?;
        vector.gap = (positive.sum() - negative.sum()) / train.n_pairs() as f64;
        vector.score_std = standard_deviation(positive.iter().chain(&negative));
        Ok(vector)
    }

    /// The score of one activation.
    ///
    /// # Errors
    /// When its size is not the direction's, or it is not finite.
    pub fn score(&self, activation: &[f32]) -> Result<f64> {
        self.check_hidden(activation.len())?;
        self.finite(0, self.project(ArrayView1::from(activation)))
    }

    /// The scores of the rows of `activations`, `(n, hidden)` → `(n)`.
    ///
    /// # Errors
    /// When their size is not the direction's, or one is not finite.
    pub fn scores(&self, activations: ArrayView2<'_, f32>) -> Result<Array1<f64>> {
        self.check_hidden(activations.ncols())?;
        activations
            .outer_iter()
            .enumerate()
            .map(|(row, activation)| self.finite(row, self.project(activation)))
            .collect()
    }

    fn project(&self, activation: ArrayView1<'_, f32>) -> f64 {
        let centred = activation.iter().zip(&self.centre).map(|(x, centre)| f64::from(*x) - f64::from(*centre));
        centred.zip(&self.direction).map(|(x, direction)| x * f64::from(*direction)).sum()
    }

    fn check_hidden(&self, got: usize) -> Result<()> {
        let expected = self.direction.len();
        if got == expected && self.centre.len() == expected {
            return Ok(());
        }
        Err(Error::HiddenSize { layer: self.layer, got, expected })
    }

    fn finite(&self, row: usize, score: f64) -> Result<f64> {
        if score.is_finite() {
            return Ok(score);
        }
        Err(Error::ScoreNotFinite { layer: self.layer, row, score })
    }

    /// The scores of pairs, for statistics of one's own.
    ///
    /// # Errors
    /// When layer or hidden size differ, or a score is not finite.
    pub fn pair_scores(&self, pairs: &LayerPairs) -> Result<PairScores> {
        let (positive, negative) = self.pole_scores(pairs)?;
        Ok(PairScores::new(positive.to_vec(), negative.to_vec()))
    }

    fn pole_scores(&self, pairs: &LayerPairs) -> Result<(Array1<f64>, Array1<f64>)> {
        if pairs.layer() != self.layer {
            return Err(Error::LayerMismatch { got: pairs.layer(), expected: self.layer });
        }
        Ok((self.scores(pairs.positive())?, self.scores(pairs.negative())?))
    }
}

/// Fits every layer: `directions[i]` on `train[i]`.
///
/// # Errors
/// When the lists do not match layer by layer.
pub fn fit_layers(directions: &[LayerDirection], train: &[LayerPairs]) -> Result<Vec<LayerVector>> {
    check_count("layers of training pairs", train.len(), directions.len())?;
    directions.par_iter().zip(train).map(|(direction, train)| LayerVector::fit(direction, train)).collect()
}

/// How a report draws its bootstrap intervals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportOptions {
    /// Resamples of the pairs.
    pub n_resamples: usize,
    /// Seed of the resampling; the same pairs are drawn at every layer.
    pub seed: u64,
}

impl Default for ReportOptions {
    /// 1000 resamples, seed 0.
    fn default() -> Self {
        Self { n_resamples: 1000, seed: 0 }
    }
}

/// How well one layer reads held-out pairs. The statistics are defined in [`separation`](crate::separation).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerReading {
    /// The block index, from 0.
    pub layer: usize,
    /// Number of held-out pairs.
    pub n_pairs: usize,
    /// Share of pairs whose positive scores above its negative; ties count half.
    pub pair_accuracy: Option<Estimate>,
    /// Chance that a positive scores above any negative; ties count half.
    pub auroc: Option<Estimate>,
    /// Mean of the score differences over their standard deviation; `None` without spread or with one pair.
    pub cohens_d: Option<Estimate>,
    /// Difference of the poles' means over their pooled standard deviation; `None` without spread or with one pair.
    pub d_prime: Option<Estimate>,
    /// Difference of the poles' means, in the units of the activations.
    pub gap: Option<Estimate>,
    /// Share of the *training* rows' variance along the direction; only for PCA methods.
    pub explained_variance_ratio: Option<f64>,
    /// Mean cosine of the single differences with the direction; identical pairs are left out.
    pub mean_difference_cosine: Option<f64>,
    /// Resamples behind each interval.
    pub n_resamples: usize,
    /// Seed of the resampling.
    pub seed: u64,
}

/// Reads the held-out pairs of one layer.
///
/// # Errors
/// When layer or hidden size differ, or no resample is asked for.
pub fn report_layer(vector: &LayerVector, held_out: &LayerPairs, options: &ReportOptions) -> Result<LayerReading> {
    let &ReportOptions { n_resamples, seed } = options;
    if n_resamples == 0 {
        return Err(Error::NoResamples);
    }
    let scores = vector.pair_scores(held_out)?;
    let n_pairs = scores.n_pairs();
    let [pair_accuracy, auroc, cohens_d, d_prime, gap] = estimate(n_pairs, n_resamples, seed, |counts| {
        let of = |statistic: fn(&PairScores, &[u32]) -> Option<f64>| statistic(&scores, counts);
        [
            of(PairScores::pair_accuracy),
            of(PairScores::auroc),
            of(PairScores::cohens_d),
            of(PairScores::d_prime),
            of(PairScores::gap),
        ]
    });
    Ok(LayerReading {
        layer: vector.layer,
        n_pairs,
        pair_accuracy,
        auroc,
        cohens_d,
        d_prime,
        gap,
        explained_variance_ratio: vector.explained_variance_ratio,
        mean_difference_cosine: mean_difference_cosine(vector, held_out),
        n_resamples,
        seed,
    })
}

/// Reads every layer: `vectors[i]` on `held_out[i]`.
///
/// # Shapes
/// `vectors` and `held_out` are (layers), in the same order; activations are (pairs, hidden size) a pole.
///
/// # Errors
/// When the lists do not match layer by layer, or no resample is asked for.
pub fn report_layers(
    vectors: &[LayerVector],
    held_out: &[LayerPairs],
    options: &ReportOptions,
) -> Result<Vec<LayerReading>> {
    check_count("layers of held-out pairs", held_out.len(), vectors.len())?;
    vectors.par_iter().zip(held_out).map(|(vector, pairs)| report_layer(vector, pairs, options)).collect()
}

fn check_count(what: &'static str, got: usize, expected: usize) -> Result<()> {
    if got == expected {
        return Ok(());
    }
    Err(Error::LayerCount { what, got, expected })
}

fn centre(pairs: &LayerPairs) -> Vec<f32> {
    let sum = |pole: ArrayView2<'_, f32>| pole.mapv(f64::from).sum_axis(Axis(0));
    let total = sum(pairs.positive()) + sum(pairs.negative());
    let count = 2.0 * pairs.n_pairs() as f64;
    total.iter().map(|value| (value / count) as f32).collect()
}

fn standard_deviation<'a>(values: impl Iterator<Item = &'a f64> + Clone) -> f64 {
    let n = values.clone().count() as f64;
    let mean = values.clone().sum::<f64>() / n;
    (values.map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt()
}

fn mean_difference_cosine(vector: &LayerVector, pairs: &LayerPairs) -> Option<f64> {
    let direction: Array1<f64> = vector.direction.iter().map(|value| f64::from(*value)).collect();
    let cosines: Vec<f64> = pairs
        .differences()
        .outer_iter()
        .filter_map(|difference| crate::pca::unit(difference).map(|unit| unit.dot(&direction)))
        .collect();
    (!cosines.is_empty()).then(|| cosines.iter().sum::<f64>() / cosines.len() as f64)
}

#[cfg(test)]
mod tests;
