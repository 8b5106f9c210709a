//! Control directions: what steering does when the direction knows nothing about correction.
//!
//! | kind | direction | what it leaves |
//! |---|---|---|
//! | isotropic | Gaussian numbers | the norm |
//! | covariance-matched | Σ (ε_i − ε̄) d_i, ε Gaussian | the norm, and the subspace in which pairs differ |
//! | shuffled | Σ s_i d_i, s_i = ±1, as many of each | the same, and that it is a mean difference of these pairs |
//!
//! with d_i the difference of pair i. A model is sensitive in few dimensions, and differences lie in few as well: isotropic directions
//! mostly miss both, so they are the weakest null. The weights of the other two add up to 0, which takes the mean difference itself,
//! the signal, out of them; they are the same at every layer, as labels are.

use std::collections::BTreeMap;

use ndarray::{Array1, Array2};
use rayon::prelude::*;
use redline_model::random::Random;
use redline_probe::LayerPairs;
use serde::{Deserialize, Serialize};

use crate::control::norm;
use crate::{ControlVector, Error, PropensityGradient, Result};

/// What a control direction is drawn from; the table is in the module's documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Null {
    /// Gaussian numbers.
    Isotropic,
    /// A Gaussian draw with the covariance of the pair differences.
    CovarianceMatched,
    /// The mean difference with the poles of a random half of the pairs exchanged.
    Shuffled,
}

redline_model::named_enum! {
    "null", Null { Isotropic = "isotropic", CovarianceMatched = "covariance-matched", Shuffled = "shuffled" }
}

/// A random direction at every layer of `vector`, of the same norm there.
///
/// # Errors
/// None of the layers has a norm.
pub fn random_like(vector: &ControlVector, seed: u64) -> Result<ControlVector> {
    vector.check_is_direction("a random direction of the same length")?;
    let mut random = Random::named(&[seed], "isotropic direction");
    let layers = vector.layers.iter().map(|(&layer, values)| {
        let draw: Vec<f32> = values.iter().map(|_| random.normal() as f32).collect();
        (layer, with_norm_of(&draw, values))
    });
    Ok(ControlVector::new(layers.collect())?.at(vector.site))
}

/// The mean difference of the same pairs with the poles of a random half exchanged: what is left without labels. Norms
/// as in `vector`, so that coefficients compare.
///
/// Always the mean difference: mirrored PCA does not see labels at all, so exchanging poles would give the same
/// direction back, up to its sign.
///
/// # Errors
/// None of the layers was read.
pub fn shuffled_like(vector: &ControlVector, pairs: &[LayerPairs], seed: u64) -> Result<ControlVector> {
    combined_like(vector, pairs, &shuffled_labels(n_pairs(pairs), seed))
}

/// A direction drawn from the covariance of the pair differences, Σ (ε_i − ε̄) d_i with Gaussian ε, of the norms of `vector`.
///
/// # Errors
/// None of the layers was read.
pub fn covariance_matched_like(vector: &ControlVector, pairs: &[LayerPairs], seed: u64) -> Result<ControlVector> {
    combined_like(vector, pairs, &gaussian_weights(n_pairs(pairs), seed))
}

/// A control direction of any kind, of the norms of `vector`. Only [`Null::Isotropic`] needs no pairs.
///
/// # Errors
/// None of the layers was read.
pub fn null_like(null: Null, vector: &ControlVector, pairs: &[LayerPairs], seed: u64) -> Result<ControlVector> {
    match null {
        Null::Isotropic => random_like(vector, seed),
        Null::CovarianceMatched => covariance_matched_like(vector, pairs, seed),
        Null::Shuffled => shuffled_like(vector, pairs, seed),
    }
}

/// First-order propensity slopes of `n` control directions, from one gradient: number k is that of [`null_like`] with seed
/// `seed + k`, without the direction being made. Ten thousand cost less than one pass of a model.
///
/// # Errors
/// A layer of `vector` that has no gradient or no pairs, or that is of another width than they are.
pub fn null_slopes(
    null: Null,
    (vector, pairs): (&ControlVector, &[LayerPairs]),
    gradient: &PropensityGradient,
    n: usize,
    seed: u64,
) -> Result<Vec<f64>> {
    let seeds = (0..n as u64).into_par_iter().map(|k| seed.wrapping_add(k));
    vector.check_is_direction("a null of the same length")?;
    if null == Null::Isotropic {
        return seeds.map(|seed| gradient.slope(&random_like(vector, seed)?)).collect();
    }
    let layers = vector.layers.iter().map(|(&layer, values)| Weighed::new(layer, values, pairs, gradient));
    let layers = layers.collect::<Result<Vec<_>>>()?;
    let slope = |seed| {
        let weights = match null {
            Null::Shuffled => shuffled_labels(n_pairs(pairs), seed),
            _ => gaussian_weights(n_pairs(pairs), seed),
        };
        layers.iter().map(|layer| layer.slope(&weights)).sum()
    };
    Ok(seeds.map(slope).collect())
}

/// What a combination of the differences of one layer comes to, without the combination.
struct Weighed {
    norm: f64,
    /// d_i · gradient, (n_pairs)
    along: Array1<f64>,
    /// d_i · d_j, (n_pairs, n_pairs)
    products: Array2<f64>,
}

impl Weighed {
    fn new(layer: usize, values: &[f32], pairs: &[LayerPairs], gradient: &PropensityGradient) -> Result<Self> {
        let pairs = pairs.iter().find(|pairs| pairs.layer() == layer).ok_or(Error::LayerNotRead { layer })?;
        let gradient = gradient.layers.get(&layer).ok_or(Error::LayerNotRead { layer })?;
        if let Some(got) = [values.len(), gradient.len()].into_iter().find(|got| *got != pairs.hidden()) {
            return Err(Error::VectorSize { layer, got, expected: pairs.hidden() });
        }
        let differences = pairs.differences();
        let products = differences.dot(&differences.t());
        Ok(Self { norm: norm(values), along: differences.dot(&Array1::from(gradient.clone())), products })
    }

    fn slope(&self, weights: &Array1<f64>) -> f64 {
        let length = weights.dot(&self.products.dot(weights)).max(0.0).sqrt();
        self.norm * self.along.dot(weights) / length.max(f64::MIN_POSITIVE)
    }
}

/// Σ weight_i d_i at the layers of `vector` that were read, of its norms.
fn combined_like(vector: &ControlVector, pairs: &[LayerPairs], weights: &Array1<f64>) -> Result<ControlVector> {
    vector.check_is_direction("a null of the same length")?;
    let layers: BTreeMap<usize, Vec<f32>> = pairs
        .iter()
        .filter_map(|pairs| {
            let values = vector.layers.get(&pairs.layer())?;
            let sum: Vec<f32> = weights.dot(&pairs.differences()).iter().map(|value| *value as f32).collect();
            Some((pairs.layer(), with_norm_of(&sum, values)))
        })
        .collect();
    Ok(ControlVector::new(layers)?.at(vector.site))
}

fn n_pairs(pairs: &[LayerPairs]) -> usize {
    pairs.first().map_or(0, LayerPairs::n_pairs)
}

/// As many +1 as −1 (one more of +1 for an odd number), in random order.
fn shuffled_labels(n_pairs: usize, seed: u64) -> Array1<f64> {
    let mut signs: Vec<f64> = (0..n_pairs).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
    Random::named(&[seed], "shuffled labels").shuffle(&mut signs);
    Array1::from(signs)
}

/// Gaussian weights less their mean.
fn gaussian_weights(n_pairs: usize, seed: u64) -> Array1<f64> {
    let mut random = Random::named(&[seed], "covariance-matched direction");
    let weights: Array1<f64> = (0..n_pairs).map(|_| random.normal()).collect();
    let mean = weights.mean().unwrap_or(0.0);
    weights - mean
}

/// `values` scaled to the norm of `reference`.
fn with_norm_of(values: &[f32], reference: &[f32]) -> Vec<f32> {
    let scale = norm(reference) / norm(values).max(f64::MIN_POSITIVE);
    values.iter().map(|value| (f64::from(*value) * scale) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    fn vector() -> ControlVector {
        ControlVector::new([(1, vec![3.0, 4.0, 0.0]), (2, vec![0.0, 0.0, 2.0])].into()).unwrap()
    }

    #[test]
    fn random_directions_keep_norms_and_follow_the_seed() {
        let random = random_like(&vector(), 1).unwrap();
        for (layer, norm) in random.norms() {
            assert!((norm - vector().norms()[&layer]).abs() < 1e-5);
        }
        assert_eq!(random, random_like(&vector(), 1).unwrap());
        assert_ne!(random, random_like(&vector(), 2).unwrap());
    }

    #[test]
    fn shuffling_destroys_a_planted_direction() {
        // 200 pairs that differ along the first axis only by signal, along the others by noise
        let mut random = Random::named(&[3], "test");
        let mut noise = |shift: f32| {
            let mut values = Array2::from_shape_fn((200, 16), |_| random.normal() as f32);
            values.column_mut(0).mapv_inplace(|value| value + shift);
            values
        };
        let pairs = LayerPairs::new(1, noise(4.0), noise(-4.0)).unwrap();
        let reference = ControlVector::new([(1, vec![1.0; 16])].into()).unwrap();
        let shuffled = shuffled_like(&reference, &[pairs], 5).unwrap();
        assert!((shuffled.norms()[&1] - 4.0).abs() < 1e-5);
        assert!(shuffled.layers[&1][0].abs() < 0.9 * 4.0, "the exchanged half cancels the other");
    }
    /// Pairs of noise at two layers, in 6 dimensions of which the first two vary ten times as much.
    fn noise_pairs(n_pairs: usize) -> Vec<LayerPairs> {
        let mut random = Random::named(&[9], "test");
        let mut pole =
            || Array2::from_shape_fn((n_pairs, 6), |(_, j)| (random.normal() * if j < 2 { 10.0 } else { 1.0 }) as f32);
        [1, 2].map(|layer| LayerPairs::new(layer, pole(), pole()).unwrap()).into()
    }

    fn wide_vector() -> ControlVector {
        ControlVector::new([(1, vec![2.0; 6]), (2, vec![0.5; 6])].into()).unwrap()
    }

    #[test]
    fn covariance_matched_directions_lie_where_pairs_differ() {
        let (pairs, vector) = (noise_pairs(60), wide_vector());
        let share = |null| {
            let drawn = (0..200).map(|seed| null_like(null, &vector, &pairs, seed).unwrap().layers[&1].clone());
            drawn.map(|v| f64::from(v[0] * v[0] + v[1] * v[1]) / norm(&v).powi(2)).sum::<f64>() / 200.0
        };
        // variances 100, 100, 1, 1, 1, 1: two dimensions hold 98 % of them
        assert!(share(Null::CovarianceMatched) > 0.9 && share(Null::Shuffled) > 0.9);
        assert!((share(Null::Isotropic) - 2.0 / 6.0).abs() < 0.05);
    }

    #[test]
    fn no_null_holds_the_mean_difference() {
        // all pairs differ by the same vector: nothing is left once it is taken out
        let pole = |x: f32| Array2::from_elem((8, 3), x);
        let pairs = [LayerPairs::new(1, pole(1.0), pole(0.0)).unwrap()];
        for weights in [shuffled_labels(8, 3), gaussian_weights(8, 3)] {
            assert!(weights.dot(&pairs[0].differences()).iter().all(|value| value.abs() < 1e-12));
        }
    }

    #[test]
    fn slopes_from_one_gradient_are_those_of_the_directions() {
        let (pairs, vector) = (noise_pairs(20), wide_vector());
        let gradient = PropensityGradient {
            layers: [(1, vec![0.3, -0.2, 0.5, 1.0, 0.0, 2.0]), (2, vec![1.0, 0.1, 0.0, 0.0, -0.7, 0.4])].into(),
        };
        for null in [Null::Isotropic, Null::CovarianceMatched, Null::Shuffled] {
            let slopes = null_slopes(null, (&vector, &pairs), &gradient, 5, 40).unwrap();
            for (k, slope) in slopes.iter().enumerate() {
                let direction = null_like(null, &vector, &pairs, 40 + k as u64).unwrap();
                let expected = gradient.slope(&direction).unwrap();
                assert!((slope - expected).abs() < 1e-5 * (1.0 + expected.abs()), "{null} {k}: {slope} {expected}");
            }
        }
        let unread = PropensityGradient { layers: [(1, vec![0.0; 6])].into() };
        let missing = null_slopes(Null::Shuffled, (&vector, &pairs), &unread, 1, 0);
        assert!(matches!(missing, Err(Error::LayerNotRead { layer: 2 })));
    }

    #[test]
    fn the_first_draws_stay_what_they_are() {
        assert_eq!(shuffled_labels(6, 0).to_vec(), [1.0, 1.0, -1.0, 1.0, -1.0, -1.0]);
        let drawn = random_like(&ControlVector::new([(1, vec![3.0, 4.0, 0.0])].into()).unwrap(), 0).unwrap();
        let expected = [1.160_217_4, -2.059_293, -4.406_042];
        assert!(
            drawn.layers[&1].iter().zip(expected).all(|(got, expected)| (got - expected).abs() < 1e-5),
            "{drawn:?}"
        );
    }
}
