//! A linear head that orders pairs: logistic regression (linfa's, with L2 regularisation) of which of two activations is the preferred one.
//!
//! With x the activation of a text, P(w is preferred to l) = σ(v · (x_w − x_l)), which is the Bradley-Terry model with reward v · x. There is no
//! intercept: swapping the two turns the probability round. Dimensions are divided by the deviation of their differences, so that
//! regularisation weighs all alike. Its strength is that whose fits order left-out pairs best, by five folds of whole groups.

use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_logistic::LogisticRegression;
use ndarray::{Array1, Array2, ArrayView2, Axis, concatenate};

use crate::{Error, Result};
use redline_model::random::Random;

/// Weights of the squared norm that are tried.
const STRENGTHS: [f64; 7] = [1.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 10_000.0];
const N_FOLDS: usize = 5;
const MAX_ITERATIONS: u64 = 200;

/// A head, and how it was come by.
#[derive(Debug, Clone, PartialEq)]
pub struct PairHead {
    /// v, (hidden).
    pub weights: Vec<f64>,
    /// Weight of the squared norm in the loss.
    pub strength: f64,
    /// Share of left-out pairs that fits of that strength order rightly.
    pub left_out_accuracy: f64,
}

impl PairHead {
    /// Fits a head to differences of activations, preferred less other; rows of one group are left out together.
    ///
    /// # Shapes
    /// `differences` (pairs, hidden), `groups` (pairs).
    ///
    /// # Errors
    /// [`Error::TooFew`] for fewer than ten groups, [`Error::PairRegression`] where the solver fails.
    pub fn fit(differences: ArrayView2<'_, f64>, groups: &[usize], seed: u64) -> Result<Self> {
        let mut names = groups.to_vec();
        names.sort_unstable();
        names.dedup();
        if names.len() < 2 * N_FOLDS || groups.len() != differences.nrows() {
            return Err(Error::TooFew { what: "groups of pairs", got: names.len(), needed: 2 * N_FOLDS });
        }
        let scaled = Scaled::new(differences);
        Random::named(&[seed], "folds of pairs").shuffle(&mut names);
        let fold = |group: &usize| names.iter().position(|name| name == group).unwrap_or(0) % N_FOLDS;
        let folds: Vec<usize> = groups.iter().map(fold).collect();
        let mut best: Option<(f64, f64)> = None;
        for strength in STRENGTHS {
            let mut n_right = 0;
            for left_out in 0..N_FOLDS {
                let rows = |is_left_out: bool| -> Vec<usize> {
                    (0..folds.len()).filter(|&row| (folds[row] == left_out) == is_left_out).collect()
                };
                let weights = scaled.weights(&rows(false), strength)?;
                let right = |&row: &usize| scaled.rows.row(row).dot(&weights) > 0.0;
                n_right += rows(true).iter().filter(|row| right(row)).count();
            }
            let accuracy = n_right as f64 / folds.len() as f64;
            // of equals the strongest: it promises least
            if best.is_none_or(|(_, most)| accuracy >= most) {
                best = Some((strength, accuracy));
            }
        }
        let (strength, left_out_accuracy) = best.unwrap_or((1.0, 0.0));
        let weights = scaled.weights(&(0..folds.len()).collect::<Vec<_>>(), strength)? / &scaled.deviation;
        Ok(Self { weights: weights.to_vec(), strength, left_out_accuracy })
    }
}

/// Differences by the deviation of each dimension.
struct Scaled {
    rows: Array2<f64>,
    deviation: Array1<f64>,
}

impl Scaled {
    fn new(differences: ArrayView2<'_, f64>) -> Self {
        let n = differences.nrows().max(1) as f64;
        let deviation = (differences.mapv(|x| x * x).sum_axis(Axis(0)) / n).mapv(|square| square.sqrt().max(1e-12));
        Self { rows: &differences / &deviation, deviation }
    }

    /// Each pair once either way round.
    fn weights(&self, rows: &[usize], strength: f64) -> Result<Array1<f64>> {
        let chosen = self.rows.select(Axis(0), rows);
        let both = concatenate![Axis(0), chosen, -&chosen];
        let labels = Array1::from_shape_fn(both.nrows(), |row| row < rows.len());
        let regression =
            LogisticRegression::default().alpha(strength).with_intercept(false).max_iterations(MAX_ITERATIONS);
        let fitted = regression.fit(&DatasetBase::new(both, labels));
        let fitted = fitted.map_err(|error| Error::PairRegression { problem: error.to_string() })?;
        let towards = if fitted.labels().pos.class { 1.0 } else { -1.0 };
        Ok(fitted.params() * towards)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn differences(n: usize, tells: f64) -> Array2<f64> {
        let mut random = Random::new(&[3]);
        Array2::from_shape_fn((n, 4), |(_, column)| match column {
            // one dimension tells, and is a thousand times smaller
            2 => 1e-3 * (tells + random.normal()),
            _ => random.normal(),
        })
    }

    #[test]
    fn the_dimension_that_tells_is_found() {
        let groups: Vec<usize> = (0..400).map(|row| row / 2).collect();
        let head = PairHead::fit(differences(400, 2.0).view(), &groups, 1).unwrap();
        assert!(head.left_out_accuracy > 0.93, "{head:?}");
        let scaled = |column: usize| head.weights[column].abs() * if column == 2 { 1e-3 } else { 1.0 };
        assert!([0, 1, 3].into_iter().all(|column| scaled(2) > 5.0 * scaled(column)), "{head:?}");
        let swapped = PairHead::fit((-differences(400, 2.0)).view(), &groups, 1).unwrap();
        assert!(head.weights.iter().zip(&swapped.weights).all(|(a, b)| (a + b).abs() < 1e-6 * a.abs().max(1.0)));
    }

    #[test]
    fn noise_orders_nothing_and_few_groups_are_refused() {
        let groups: Vec<usize> = (0..400).collect();
        let head = PairHead::fit(differences(400, 0.0).view(), &groups, 1).unwrap();
        assert!((head.left_out_accuracy - 0.5).abs() < 0.08, "{head:?}");
        let few = differences(9, 1.0);
        assert!(matches!(PairHead::fit(few.view(), &groups[..9], 1), Err(Error::TooFew { got: 9, .. })));
    }
}
