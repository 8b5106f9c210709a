//! The pairs of one layer: positive and negative activations, checked once.
//!
//! # Shapes
//! Both poles are `(n_pairs, hidden)`; row `i` of one belongs to row `i` of the other.

use std::fmt;

use ndarray::{Array2, ArrayView1, ArrayView2, Axis, Zip};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// The two modes of an Aligner that a pair contrasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pole {
    /// It corrects.
    Positive,
    /// It copies.
    Negative,
}

impl fmt::Display for Pole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Positive => "positive",
            Self::Negative => "negative",
        })
    }
}

/// Activations of all pairs at one layer: finite, of equal shape, at least one pair.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerPairs {
    layer: usize,
    positive: Array2<f32>,
    negative: Array2<f32>,
}

impl LayerPairs {
    /// Pairs the rows of `positive` with those of `negative`.
    ///
    /// # Errors
    /// When the shapes differ, a side is empty, or a value is NaN or infinite.
    pub fn new(layer: usize, positive: Array2<f32>, negative: Array2<f32>) -> Result<Self> {
        if positive.dim() != negative.dim() {
            let (positive, negative) = (positive.shape().to_vec(), negative.shape().to_vec());
            return Err(Error::PoleShapes { layer, positive, negative });
        }
        if positive.nrows() == 0 {
            return Err(Error::NoPairs { layer });
        }
        if positive.ncols() == 0 {
            return Err(Error::NoDimensions { layer });
        }
        check_finite(layer, Pole::Positive, positive.view())?;
        check_finite(layer, Pole::Negative, negative.view())?;
        Ok(Self { layer, positive, negative })
    }

    /// The block index, from 0.
    pub fn layer(&self) -> usize {
        self.layer
    }

    /// Activations of the correcting pole, `(n_pairs, hidden)`.
    pub fn positive(&self) -> ArrayView2<'_, f32> {
        self.positive.view()
    }

    /// Activations of the copying pole, `(n_pairs, hidden)`.
    pub fn negative(&self) -> ArrayView2<'_, f32> {
        self.negative.view()
    }

    /// Number of pairs.
    pub fn n_pairs(&self) -> usize {
        self.positive.nrows()
    }

    /// Size of one activation.
    pub fn hidden(&self) -> usize {
        self.positive.ncols()
    }

    /// Positive minus negative, in double precision, `(n_pairs, hidden)`.
    pub fn differences(&self) -> Array2<f64> {
        Zip::from(&self.positive).and(&self.negative).map_collect(|&p, &n| f64::from(p) - f64::from(n))
    }

    /// How many pairs hold two identical activations: they carry no contrast.
    pub fn n_identical(&self) -> usize {
        self.positive.outer_iter().zip(self.negative.outer_iter()).filter(|(p, n)| p == n).count()
    }

    /// Mean Euclidean norm of the activations of both poles.
    pub fn mean_norm(&self) -> f64 {
        let norm = |line: ArrayView1<'_, f32>| line.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        let poles = self.positive.outer_iter().chain(self.negative.outer_iter());
        poles.map(norm).sum::<f64>() / (2 * self.n_pairs()) as f64
    }

    /// The same pairs with the poles exchanged.
    pub fn swapped(self) -> Self {
        Self { layer: self.layer, positive: self.negative, negative: self.positive }
    }

    /// The pairs at `indices`, in that order.
    ///
    /// # Errors
    /// When `indices` is empty or one is not below [`n_pairs`](Self::n_pairs).
    pub fn select(&self, indices: &[usize]) -> Result<Self> {
        if indices.is_empty() {
            return Err(Error::NoPairs { layer: self.layer });
        }
        if let Some(&index) = indices.iter().find(|index| **index >= self.n_pairs()) {
            return Err(Error::PairOutOfRange { layer: self.layer, index, n_pairs: self.n_pairs() });
        }
        let take = |pole: &Array2<f32>| pole.select(Axis(0), indices);
        Ok(Self { layer: self.layer, positive: take(&self.positive), negative: take(&self.negative) })
    }
}

fn check_finite(layer: usize, pole: Pole, rows: ArrayView2<'_, f32>) -> Result<()> {
    match rows.indexed_iter().find(|(_, value)| !value.is_finite()) {
        None => Ok(()),
        Some(((pair, dimension), &value)) => Err(Error::ActivationNotFinite { layer, pair, pole, dimension, value }),
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn a_value_that_is_not_finite_is_named() {
        let good = array![[1.0, 2.0], [3.0, 4.0]];
        let bad = array![[1.0, 2.0], [3.0, f32::NAN]];
        let error = LayerPairs::new(7, good, bad).unwrap_err();
        assert_eq!(error.to_string(), "layer 7, pair 1: the negative activation holds NaN at dimension 1");
    }

    #[test]
    fn unequal_or_empty_poles_are_refused() {
        let unequal = LayerPairs::new(2, Array2::zeros((3, 4)), Array2::zeros((2, 4)));
        assert!(matches!(unequal, Err(Error::PoleShapes { layer: 2, .. })));
        let no_pairs = LayerPairs::new(0, Array2::zeros((0, 4)), Array2::zeros((0, 4)));
        assert!(matches!(no_pairs, Err(Error::NoPairs { layer: 0 })));
        let no_dimensions = LayerPairs::new(0, Array2::zeros((4, 0)), Array2::zeros((4, 0)));
        assert!(matches!(no_dimensions, Err(Error::NoDimensions { layer: 0 })));
    }

    #[test]
    fn select_keeps_order_and_identical_pairs_are_counted() {
        let pairs = LayerPairs::new(0, array![[1.0], [2.0], [3.0]], array![[1.0], [5.0], [6.0]]).unwrap();
        assert_eq!(pairs.n_identical(), 1);
        assert_eq!(pairs.mean_norm(), 3.0);
        let picked = pairs.select(&[2, 0]).unwrap();
        assert_eq!(picked.positive(), array![[3.0], [1.0]]);
        assert_eq!(picked.negative(), array![[6.0], [1.0]]);
        assert!(matches!(pairs.select(&[]), Err(Error::NoPairs { .. })));
        assert!(matches!(pairs.select(&[0, 3]), Err(Error::PairOutOfRange { index: 3, n_pairs: 3, .. })));
    }
}
