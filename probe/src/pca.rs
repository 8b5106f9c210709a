//! The top principal component of a set of rows.
//!
//! `x` (n, d) is centred to `x̄`; the component is the unit `v` that maximises `‖x̄ v‖²`, and the explained variance ratio is
//! `‖x̄ v‖² / ‖x̄‖²` (Frobenius). The component comes from linfa's PCA with one component; the rest is done here, because
//! linfa's own figures do not serve at that size:
//!
//! - its explained variance divides by the number of components less one, hence is infinite for one component;
//! - its solver (LOBPCG) stops at an *absolute* residual of 1e-10: too early for small data, never for large data. The rows
//!   are therefore brought to unit Frobenius norm first, where that bound is a relative one;
//! - rows that are all equal give a component without any rows; here that is `None`;
//! - it reports no failure to converge; here the result is checked against the definition (`x̄ᵀx̄ v = λ v`).
//!
//! The sign of a component is arbitrary: orient it by labels ([`direction`](crate::direction) does).

use linfa::{DatasetBase, traits::Fit};
use linfa_reduction::Pca;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};

use crate::{Error, Result};

/// Rows whose spread is below this share of their size are equal up to rounding.
const EQUAL_ROWS: f64 = 1e-12;
/// Largest `‖x̄ᵀx̄ v − λ v‖ / λ` accepted; the angle to the true component is of that order, divided by the spectral gap.
const RESIDUAL: f64 = 1e-4;

/// A principal component and what it explains.
#[derive(Debug, Clone, PartialEq)]
pub struct Component {
    /// Unit vector of arbitrary sign.
    pub direction: Array1<f64>,
    /// Share of the rows' variance along it, in (0, 1].
    pub explained_variance_ratio: f64,
}

/// The top principal component of `rows` (n, d); `None` when the rows are all equal. `layer` is for messages only.
///
/// Values are taken to be differences of `f32`: beyond about 1e150 their squares overflow.
///
/// # Errors
/// When the solver fails or does not converge.
pub fn top_component(layer: usize, rows: Array2<f64>) -> Result<Option<Component>> {
    let Some(rows) = centre_to_unit_norm(rows) else {
        return Ok(None);
    };
    let (n_rows, hidden) = rows.dim();
    let dataset = DatasetBase::from(rows);
    let model = Pca::params(1).fit(&dataset).map_err(|source| Error::Pca { layer, source })?;
    let diverged = || Error::PcaDiverged { layer, n_rows, hidden };
    let direction = model.components().outer_iter().next().and_then(unit).ok_or_else(diverged)?;
    let (explained_variance_ratio, residual) = check(dataset.records.view(), &direction);
    if residual.is_nan() || residual > RESIDUAL {
        return Err(diverged());
    }
    Ok(Some(Component { direction, explained_variance_ratio }))
}

/// `vector` at length one; `None` when it is zero or not finite.
pub(crate) fn unit(vector: ArrayView1<'_, f64>) -> Option<Array1<f64>> {
    let largest = vector.fold(0.0_f64, |largest, value| largest.max(value.abs()));
    if largest == 0.0 || !vector.iter().all(|value| value.is_finite()) {
        return None;
    }
    // divided by the largest value first: squares of very small values underflow
    let scaled = &vector / largest;
    let norm = scaled.dot(&scaled).sqrt();
    Some(scaled / norm)
}

/// Rows less their mean, at unit Frobenius norm; `None` when nothing is left but rounding.
fn centre_to_unit_norm(mut rows: Array2<f64>) -> Option<Array2<f64>> {
    let size = norm(&rows);
    let mean = rows.mean_axis(Axis(0))?;
    rows -= &mean;
    let spread = norm(&rows);
    if spread <= EQUAL_ROWS * size {
        return None;
    }
    rows /= spread;
    Some(rows)
}

fn norm(rows: &Array2<f64>) -> f64 {
    rows.iter().map(|value| value * value).sum::<f64>().sqrt()
}

/// Explained variance ratio of `direction` in centred rows of unit norm, and how far it is from an eigenvector.
fn check(rows: ArrayView2<'_, f64>, direction: &Array1<f64>) -> (f64, f64) {
    let scores = rows.dot(direction); // (n)
    let explained = scores.dot(&scores);
    let residual = rows.t().dot(&scores) - direction * explained; // (d)
    (explained.min(1.0), residual.dot(&residual).sqrt() / explained)
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use redline_model::random::Random;

    use super::*;

    fn noise(n: usize, d: usize, seed: u64) -> Array2<f64> {
        let mut random = Random::named(&[seed], "test");
        Array2::from_shape_simple_fn((n, d), || random.normal())
    }

    /// Squaring the covariance matrix over and over leaves its top eigenvector: slow, and independent of the solver.
    fn reference(rows: &Array2<f64>) -> (Array1<f64>, f64) {
        let centred = rows - &rows.mean_axis(Axis(0)).unwrap();
        let covariance = centred.t().dot(&centred);
        let trace = covariance.diag().sum();
        let mut power = covariance.clone() / trace;
        for _ in 0..40 {
            power = power.dot(&power);
            power = &power / power.diag().sum();
        }
        let strongest = (0..power.nrows()).max_by(|&a, &b| power[[a, a]].total_cmp(&power[[b, b]])).unwrap();
        let direction = unit(power.column(strongest)).unwrap();
        let ratio = direction.dot(&covariance.dot(&direction)) / trace;
        (direction, ratio)
    }

    #[test]
    fn agrees_with_the_reference_at_every_shape_and_size() {
        let shapes = [(2, 1), (2, 7), (3, 3), (5, 4), (4, 5), (10, 48), (96, 48), (50, 50), (49, 50)];
        for (n, d) in shapes {
            for scale in [1e-30, 1e-6, 1.0, 1e6, 1e30] {
                let rows = noise(n, d, 3) * scale;
                let (direction, ratio) = reference(&rows);
                let found = top_component(0, rows).unwrap().unwrap();
                let cosine = found.direction.dot(&direction).abs();
                assert!(cosine > 0.9999, "{n} x {d} at {scale}: cosine {cosine}");
                assert!((found.explained_variance_ratio - ratio).abs() < 1e-9, "{n} x {d} at {scale}");
                assert!((found.direction.dot(&found.direction) - 1.0).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn the_solver_alone_stops_too_early_on_small_rows() {
        // the reason for bringing rows to unit norm
        let rows = noise(96, 48, 3);
        let (direction, _) = reference(&rows);
        let cosine = |scale: f64| {
            let model = Pca::params(1).fit(&DatasetBase::from(&rows * scale)).unwrap();
            unit(model.components().row(0)).unwrap().dot(&direction).abs()
        };
        assert!(cosine(1.0) > 0.9999);
        assert!(cosine(1e-6) < 0.9);
    }

    #[test]
    fn equal_rows_have_no_component() {
        assert_eq!(top_component(0, array![[1.0, 2.0]]).unwrap(), None);
        assert_eq!(top_component(0, array![[0.1, 0.2], [0.1, 0.2], [0.1, 0.2]]).unwrap(), None);
        assert_eq!(top_component(0, Array2::zeros((4, 3))).unwrap(), None);
        assert_eq!(top_component(0, Array2::zeros((0, 3))).unwrap(), None);
    }

    #[test]
    fn rows_on_a_line_are_explained_wholly() {
        for (n, d) in [(3, 50), (50, 3)] {
            let rows = Array2::from_shape_fn((n, d), |(i, j)| i as f64 * (j as f64 + 1.0));
            let found = top_component(0, rows).unwrap().unwrap();
            assert!((found.explained_variance_ratio - 1.0).abs() < 1e-12);
            let ratio = found.direction[d - 1] / found.direction[0];
            assert!((ratio - d as f64).abs() < 1e-9);
        }
    }

    #[test]
    fn equal_eigenvalues_give_one_of_their_vectors() {
        let found = top_component(0, Array2::eye(10)).unwrap().unwrap();
        assert!((found.explained_variance_ratio - 1.0 / 9.0).abs() < 1e-9);
    }

    #[test]
    fn unit_survives_values_whose_squares_underflow() {
        let found = unit(array![3e-200, 4e-200].view()).unwrap();
        assert!((found[0] - 0.6).abs() < 1e-12 && (found[1] - 0.8).abs() < 1e-12);
        assert_eq!(unit(array![0.0, 0.0].view()), None);
        assert_eq!(unit(array![f64::NAN, 1.0].view()), None);
    }
}
