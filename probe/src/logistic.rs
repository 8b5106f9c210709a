//! Logistic regression of the pole on the activation: linfa's, with L2 regularisation.
//!
//! Activations are centred and each dimension is divided by its deviation first: regularisation then weighs all dimensions alike, and
//! the solver converges where a few are hundreds of times larger than the rest.

use linfa::DatasetBase;
use linfa::traits::Fit;
use linfa_logistic::LogisticRegression;
use ndarray::{Array1, Axis, concatenate};

use crate::{Error, LayerPairs, Result, pca::unit};

/// Weight of the squared norm in the loss: pairs are few beside dimensions, and can always be told apart without it.
const REGULARISATION: f64 = 1.0;
const MAX_ITERATIONS: u64 = 200;

/// Unit weights on the scaled dimensions, (hidden); positive where the positive pole is larger.
pub(crate) fn logistic_weights(pairs: &LayerPairs, deviation: &Array1<f64>) -> Result<Array1<f64>> {
    let (layer, n_pairs) = (pairs.layer(), pairs.n_pairs());
    let mut rows = concatenate![Axis(0), pairs.positive().mapv(f64::from), pairs.negative().mapv(f64::from)];
    rows -= &(rows.sum_axis(Axis(0)) / rows.nrows() as f64);
    rows /= deviation;
    let labels = Array1::from_shape_fn(2 * n_pairs, |row| row < n_pairs);
    let regression = LogisticRegression::default().alpha(REGULARISATION).max_iterations(MAX_ITERATIONS);
    let fitted = regression.fit(&DatasetBase::new(rows, labels));
    let fitted = fitted.map_err(|error| Error::Regression { layer, problem: error.to_string() })?;
    let towards = if fitted.labels().pos.class { 1.0 } else { -1.0 };
    let weights = fitted.params() * towards;
    unit(weights.view()).ok_or(Error::NoMeanDifference { layer, n_pairs })
}
