//! Control directions: what steering does when the direction knows nothing about correction.

use ndarray::Array1;
use redline_model::random::Random;
use redline_probe::LayerPairs;

use crate::control::norm;
use crate::{ControlVector, Result};

/// A random direction at every layer of `vector`, of the same norm there.
///
/// # Errors
/// None of the layers has a norm.
pub fn random_like(vector: &ControlVector, seed: u64) -> Result<ControlVector> {
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
    let n_pairs = pairs.first().map_or(0, LayerPairs::n_pairs);
    let mut signs: Vec<f64> = (0..n_pairs).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
    Random::named(&[seed], "shuffled labels").shuffle(&mut signs);
    let signs = Array1::from(signs);
    let layers = pairs.iter().filter_map(|pairs| {
        let values = vector.layers.get(&pairs.layer())?;
        let mean: Vec<f32> = signs.dot(&pairs.differences()).iter().map(|value| *value as f32).collect();
        Some((pairs.layer(), with_norm_of(&mean, values)))
    });
    Ok(ControlVector::new(layers.collect())?.at(vector.site))
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
}
