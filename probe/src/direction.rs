//! Directions: per layer, the unit vector along which the positive pole parts from the negative one.
//!
//! With `d_i = positive_i − negative_i` over the pairs of one layer:
//!
//! | method | direction |
//! |---|---|
//! | `pca_diff` | top principal component of `f_i d_i`, `f_i = ±1` drawn at random (the RepE / LAT method) |
//! | `pca_diff`, mirrored | top principal component of all `d_i` and all `−d_i` |
//! | `pca_center` | top principal component of both poles, each less the midpoint of its pair (repeng) |
//! | `mean_diff` | `mean(d_i)` |
//! | `logistic` | weights of an L2-regularised logistic regression of the pole on the scaled activations, brought back by division |
//! | `random` | a seeded Gaussian vector, one per layer, for control |
//!
//! Flips matter because principal components are taken of centred rows: without them centring removes `mean(d_i)`, which is
//! the signal. Half the pairs, drawn at random, are flipped, so that hardly any of it is lost; mirroring loses none and
//! depends on no draw. `pca_center`'s rows are `±d_i / 2`: the same component as mirrored `pca_diff`.
//!
//! **Scaling.** In real models a few dimensions are hundreds of times larger than the rest, and the top component is then just
//! those. Scaling divides dimension `j` by `s_j`, its standard deviation within a pole (pooled over both), before the analysis.
//! The component `w` found there is brought back in one of two ways, at unit length. [`Scaling::PerDimension`] gives
//! `w_j · s_j`: the change of activation that goes with the component, a pattern in the sense of Haufe et al. (2014), which
//! agrees with the mean difference where there is one clear direction. [`Scaling::PerDimensionFilter`] gives `w_j / s_j`: a
//! filter, whose score on plain activations equals the score of `w` on scaled ones. Injecting a filter changes little, since
//! it avoids the very dimensions that vary. Scaling applies to the PCA methods only.
//!
//! **Orientation.** The sign is the one that puts the positive above the negative activation in more pairs; on a tie, the
//! sign of the mean difference. So positive always means more correction.
//!
//! **Cosine to the mean difference.** Reported beside each direction, and taken in the space the component was found in
//! (scaled when scaling is on: there massive dimensions do not drown it).

use ndarray::{Array1, Array2, ArrayView2, Axis, Zip, concatenate};
use rayon::prelude::*;
use redline_model::random::Random;
use serde::{Deserialize, Serialize};

use crate::{
    Error, LayerPairs, Method, Result, Scaling,
    logistic::logistic_weights,
    pca::{Component, top_component, unit},
    warning::{Warning, doubts},
};

/// Standard deviations below this share of their median are raised to it: a dead dimension must not be blown up.
const DEVIATION_FLOOR: f64 = 1e-3;

/// What direction to extract, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExtractOptions {
    /// The method.
    pub method: Method,
    /// What dimensions are divided by first; for the PCA methods only.
    pub scaling: Scaling,
    /// Whether `pca_diff` takes both orders of every pair instead of one at random; other methods have no order.
    pub mirrored: bool,
    /// Seed of the random order of `pca_diff` and of `random`; nothing else depends on it.
    pub seed: u64,
}

impl Default for ExtractOptions {
    /// What serves real models: mirrored `pca_diff`, scaled per dimension, seed 0.
    fn default() -> Self {
        Self { method: Method::PcaDiff, scaling: Scaling::PerDimension, mirrored: true, seed: 0 }
    }
}

/// A direction at one layer, oriented.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerDirection {
    /// The block index, from 0.
    pub layer: usize,
    /// Unit vector; positive scores along it mean more correction.
    pub direction: Vec<f32>,
    /// Share of the variance of the analysed rows along it; only for PCA methods.
    pub explained_variance_ratio: Option<f64>,
    /// Cosine with the mean difference, where that is not zero.
    pub cosine_to_mean_diff: Option<f64>,
    /// Whether orientation turned the vector that the method gave.
    pub flipped: bool,
}

/// Directions of several layers, with what is doubtful about them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Extraction {
    /// One direction per layer, in the order of the layers given.
    pub directions: Vec<LayerDirection>,
    /// What a user should know before trusting them.
    pub warnings: Vec<Warning>,
}

/// Extracts one oriented direction per layer, layers in parallel.
///
/// # Shapes
/// Each of `layers` holds (pairs, hidden size) activations a pole; each direction is (hidden size).
///
/// # Errors
/// When there are no layers, a layer comes twice, or its pairs hold no difference that the method can use.
pub fn extract_directions(layers: &[LayerPairs], options: &ExtractOptions) -> Result<Extraction> {
    check_layers(layers)?;
    let directions = layers.par_iter().map(|pairs| extract_layer(pairs, options)).collect::<Result<Vec<_>>>()?;
    let warnings = layers.iter().zip(&directions).flat_map(|(pairs, found)| doubts(pairs, found)).collect();
    Ok(Extraction { directions, warnings })
}

/// Extracts the direction of one layer.
///
/// # Errors
/// As [`extract_directions`].
pub fn extract_layer(pairs: &LayerPairs, options: &ExtractOptions) -> Result<LayerDirection> {
    match options.method {
        Method::PcaDiff if options.mirrored => analyse_mirrored(pairs, options),
        Method::PcaDiff => direction_with_flips(pairs, &balanced_flips(pairs.n_pairs(), options.seed), options.scaling),
        Method::PcaCenter => analyse_mirrored(pairs, options),
        Method::MeanDiff => {
            let contrast = Contrast::new(pairs, Scaling::None)?;
            let missing = || Error::NoMeanDifference { layer: pairs.layer(), n_pairs: pairs.n_pairs() };
            let mean = unit(contrast.mean_difference().view()).ok_or_else(missing)?;
            Ok(contrast.orient(mean, None))
        }
        Method::Logistic => {
            let contrast = Contrast::new(pairs, Scaling::PerDimensionFilter)?;
            let weights = logistic_weights(pairs, &pooled_deviation(pairs))?;
            Ok(contrast.orient(weights, None))
        }
        Method::Random => {
            let contrast = Contrast::new(pairs, Scaling::None)?;
            let drawn = random_direction(pairs.layer(), pairs.hidden(), options.seed);
            Ok(contrast.orient(drawn, None))
        }
    }
}

/// `pca_diff` with the order of each pair given: `flips[i]` turns `d_i` into `−d_i` before the rows are centred.
///
/// Reproduces a run of RepE whose shuffling is known. Without any flip it is repeng's `pca_diff`, which loses the mean.
///
/// # Errors
/// When `flips` has not one entry per pair, there are fewer than two pairs, or the rows do not vary.
pub fn direction_with_flips(pairs: &LayerPairs, flips: &[bool], scaling: Scaling) -> Result<LayerDirection> {
    let (layer, got, method) = (pairs.layer(), pairs.n_pairs(), Method::PcaDiff.name());
    if flips.len() != got {
        return Err(Error::FlipCount { layer, got: flips.len(), expected: got });
    }
    let contrast = Contrast::new(pairs, scaling)?;
    if got < 2 {
        return Err(Error::TooFewPairs { layer, method, got, needed: 2 });
    }
    let mut rows = contrast.differences.clone();
    for (mut row, _) in rows.outer_iter_mut().zip(flips).filter(|(_, flip)| **flip) {
        row.mapv_inplace(|value| -value);
    }
    contrast.analyse(rows, method)
}

/// For half of `n_pairs` pairs, drawn with `seed`, `true`.
pub fn balanced_flips(n_pairs: usize, seed: u64) -> Vec<bool> {
    let mut flips: Vec<bool> = (0..n_pairs).map(|pair| pair < n_pairs / 2).collect();
    Random::named(&[seed], "flips").shuffle(&mut flips);
    flips
}

fn analyse_mirrored(pairs: &LayerPairs, options: &ExtractOptions) -> Result<LayerDirection> {
    let contrast = Contrast::new(pairs, options.scaling)?;
    let rows = mirror(contrast.differences.view());
    contrast.analyse(rows, options.method.name())
}

/// All differences and their negatives, (2 n_pairs, hidden): their mean is exactly zero.
fn mirror(differences: ArrayView2<'_, f64>) -> Array2<f64> {
    concatenate![Axis(0), differences, differences.mapv(|value| -value)]
}

/// A Gaussian unit vector that depends on seed and layer alone.
fn random_direction(layer: usize, hidden: usize, seed: u64) -> Array1<f64> {
    let mut random = Random::named(&[seed, layer as u64], "random direction");
    loop {
        let drawn = Array1::from_shape_simple_fn(hidden, || random.normal());
        if let Some(direction) = unit(drawn.view()) {
            return direction;
        }
    }
}

/// The differences of one layer's pairs, scaled or not.
struct Contrast {
    layer: usize,
    differences: Array2<f64>,       // (n_pairs, hidden), scaled
    deviation: Option<Array1<f64>>, // (hidden), all above 0
    scaling: Scaling,
}

impl Contrast {
    fn new(pairs: &LayerPairs, scaling: Scaling) -> Result<Self> {
        let layer = pairs.layer();
        let mut differences = pairs.differences();
        if differences.iter().all(|value| *value == 0.0) {
            return Err(Error::IdenticalPairs { layer, n_pairs: pairs.n_pairs() });
        }
        let deviation = match scaling {
            Scaling::None => None,
            Scaling::PerDimension | Scaling::PerDimensionFilter => Some(pooled_deviation(pairs)),
        };
        if let Some(deviation) = &deviation {
            differences /= deviation;
        }
        Ok(Self { layer, differences, deviation, scaling })
    }

    fn mean_difference(&self) -> Array1<f64> {
        self.differences.sum_axis(Axis(0)) / self.differences.nrows() as f64
    }

    /// The oriented top principal component of `rows`.
    fn analyse(&self, rows: Array2<f64>, method: &'static str) -> Result<LayerDirection> {
        let n_rows = rows.nrows();
        match top_component(self.layer, rows)? {
            None => Err(Error::NoVariance { layer: self.layer, method, n_rows }),
            Some(Component { direction, explained_variance_ratio }) => {
                Ok(self.orient(direction, Some(explained_variance_ratio)))
            }
        }
    }

    /// Gives `component` its sign and folds the scaling into it.
    fn orient(&self, component: Array1<f64>, explained_variance_ratio: Option<f64>) -> LayerDirection {
        // the direction, and what the scaled differences are projected on to get its scores of the plain ones
        let (folded, scoring) = match (&self.deviation, self.scaling) {
            (Some(s), Scaling::PerDimension) => (&component * s, &component * s * s),
            (Some(s), _) => (&component / s, component.clone()),
            (None, _) => (component.clone(), component.clone()),
        };
        let flipped = points_to_negative(&self.differences.dot(&scoring));
        let sign = if flipped { -1.0 } else { 1.0 };
        let component = component * sign;
        let mean = unit(self.mean_difference().view());
        // scaling by positive deviations keeps a unit vector away from zero
        let direction = unit(folded.view()).unwrap_or(folded) * sign;
        LayerDirection {
            layer: self.layer,
            direction: direction.iter().map(|value| *value as f32).collect(),
            explained_variance_ratio,
            cosine_to_mean_diff: mean.map(|mean| mean.dot(&component).clamp(-1.0, 1.0)),
            flipped,
        }
    }
}

/// Whether the pairs' score differences are negative in their majority; on a tie, in their mean.
fn points_to_negative(score_differences: &Array1<f64>) -> bool {
    let above = score_differences.iter().filter(|value| **value > 0.0).count();
    let below = score_differences.iter().filter(|value| **value < 0.0).count();
    below > above || (below == above && score_differences.sum() < 0.0)
}

/// Standard deviation of each dimension within a pole, pooled over both, (hidden); kept off zero.
fn pooled_deviation(pairs: &LayerPairs) -> Array1<f64> {
    let variance = |pole: ArrayView2<'_, f32>| pole.mapv(f64::from).var_axis(Axis(0), 0.0);
    let mut deviation = Zip::from(&variance(pairs.positive()))
        .and(&variance(pairs.negative()))
        .map_collect(|&positive, &negative| ((positive + negative) / 2.0).sqrt());
    let floor = match median_above_zero(&deviation) {
        Some(median) => median * DEVIATION_FLOOR,
        None => 1.0, // no dimension varies within a pole: nothing to scale by
    };
    deviation.mapv_inplace(|value| value.max(floor));
    deviation
}

fn median_above_zero(values: &Array1<f64>) -> Option<f64> {
    let mut above: Vec<f64> = values.iter().copied().filter(|value| *value > 0.0).collect();
    above.sort_by(f64::total_cmp);
    above.get(above.len() / 2).copied()
}

fn check_layers(layers: &[LayerPairs]) -> Result<()> {
    if layers.is_empty() {
        return Err(Error::NoLayers);
    }
    let mut numbers: Vec<usize> = layers.iter().map(LayerPairs::layer).collect();
    numbers.sort_unstable();
    match numbers.windows(2).find(|two| two[0] == two[1]) {
        Some(two) => Err(Error::DuplicateLayer { layer: two[0] }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
