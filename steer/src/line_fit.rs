//! The line through a sweep: ordinary least squares of a measure on the coefficient.
//!
//! slope and intercept minimise Σ (y − intercept − slope · x)², and R² = 1 − that sum / Σ (y − mean y)². A line is fitted
//! through the means of a sweep (one point a coefficient) or through one prompt's values; intervals over prompts are in
//! [`bootstrap_sweep`](crate::bootstrap_sweep). Not for several regressors or weighted points.

use linfa::dataset::Dataset;
use linfa::traits::Fit;
use linfa_linear::LinearRegression;
use ndarray::{Array1, Array2};
use redline_probe::stats::{check_finite, check_pairs, mean};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A difference smaller than this share of the values it comes from is rounding, not variation.
const ROUNDING: f64 = 1e-12;

/// A least-squares line.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LineFit {
    /// Change of y for one unit of x.
    pub slope: f64,
    /// y at x = 0.
    pub intercept: f64,
    /// Share of the variation of y that the line explains, 0 … 1; `None` when y is constant. Always 1 for two points.
    pub r2: Option<f64>,
    /// Σ (y − line)².
    pub residual_sum_of_squares: f64,
    /// Number of points.
    pub n: usize,
}

impl LineFit {
    /// The line's y at `x`.
    pub fn at(&self, x: f64) -> f64 {
        self.intercept + self.slope * x
    }
}

/// Fits y = intercept + slope · x by ordinary least squares.
///
/// A constant y gives slope exactly 0 and no R². So does a slope whose whole effect over the range of x is below
/// 10⁻¹² of y: such a sign would be an accident of rounding, and signs of slopes are counted.
///
/// # Errors
/// [`Error::LengthMismatch`], [`Error::TooFew`] for fewer than two points, [`Error::NotFinite`] for NaN or infinite
/// input, [`Error::ConstantX`], [`Error::FitOverflow`] for values near the limits of `f64`.
///
/// # Example
/// ```
/// let line = redline_steer::fit_line(&[-1.0, 0.0, 1.0], &[1.0, 3.0, 5.0]).unwrap();
/// assert!((line.slope - 2.0).abs() < 1e-12 && (line.intercept - 3.0).abs() < 1e-12);
/// ```
pub fn fit_line(x: &[f64], y: &[f64]) -> Result<LineFit> {
    check_pairs("y of a line", y.len(), x.len(), 2)?;
    check_finite("x of a line", x)?;
    check_finite("y of a line", y)?;
    if is_constant(x) {
        return Err(Error::ConstantX { n: x.len(), value: x[0] });
    }
    let (slope, intercept) = if is_constant(y) { (0.0, mean_of(y)) } else { solve(x, y)? };
    let residual_sum_of_squares: f64 = x.iter().zip(y).map(|(x, y)| (y - intercept - slope * x).powi(2)).sum();
    if ![slope, intercept, residual_sum_of_squares].iter().all(|value| value.is_finite()) {
        return Err(Error::FitOverflow { slope, intercept });
    }
    let r2 = r_squared(y, residual_sum_of_squares);
    Ok(LineFit { slope, intercept, r2, residual_sum_of_squares, n: x.len() })
}

/// Slope and intercept, with x centred before the solver sees it: an offset of x then costs no precision.
fn solve(x: &[f64], y: &[f64]) -> Result<(f64, f64)> {
    let (x_mean, y_mean) = (mean_of(x), mean_of(y));
    let centred: Array1<f64> = x.iter().map(|x| x - x_mean).collect();
    let records: Array2<f64> = centred.insert_axis(ndarray::Axis(1)); // (n, 1)
    let targets: Array1<f64> = y.iter().map(|y| y - y_mean).collect(); // (n)
    let fitted = LinearRegression::new().fit(&Dataset::new(records, targets))?;
    let slope = fitted.params()[0];
    if (slope * span(x)).abs() <= ROUNDING * largest(y) {
        return Ok((0.0, y_mean));
    }
    Ok((slope, fitted.intercept() + y_mean - slope * x_mean))
}

/// 1 − residual / total, or nothing when y does not vary.
fn r_squared(y: &[f64], residual_sum_of_squares: f64) -> Option<f64> {
    let y_mean = mean_of(y);
    let total: f64 = y.iter().map(|y| (y - y_mean).powi(2)).sum();
    // The total also vanishes when y varies by less than squares can hold.
    let defined = !is_constant(y) && total > 0.0 && total.is_finite();
    defined.then(|| (1.0 - residual_sum_of_squares / total).clamp(0.0, 1.0))
}

/// The mean of values that are there.
fn mean_of(values: &[f64]) -> f64 {
    mean(values.iter().copied()).unwrap_or(0.0)
}

fn span(values: &[f64]) -> f64 {
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    high - values.iter().copied().fold(f64::INFINITY, f64::min)
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |largest, value| value.abs().max(largest))
}

fn is_constant(values: &[f64]) -> bool {
    span(values) <= ROUNDING * largest(values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-12 * (1.0 + b.abs())
    }

    #[test]
    fn equals_the_normal_equations_by_hand() {
        // x 0 1 2, y 0 0 2: slope 1, intercept −1/3, residuals 1/3 −2/3 1/3; total 8/3, R² = 1 − (2/3)/(8/3).
        let line = fit_line(&[0.0, 1.0, 2.0], &[0.0, 0.0, 2.0]).unwrap();
        assert!(close(line.slope, 1.0) && close(line.intercept, -1.0 / 3.0), "{line:?}");
        assert!(close(line.residual_sum_of_squares, 2.0 / 3.0) && close(line.r2.unwrap(), 0.75), "{line:?}");
        assert_eq!(line.n, 3);
        assert!(close(line.at(5.0), 5.0 - 1.0 / 3.0));
    }

    #[test]
    fn equals_python_on_a_sweep() {
        // Python: statistics.linear_regression(x, y), statistics.correlation(x, y) ** 2.
        let x = [-1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5];
        let y = [0.61, 0.93, 1.7, 2.2, 3.1, 3.3, 3.9];
        let line = fit_line(&x, &y).unwrap();
        assert!(close(line.slope, 2.287_142_857_142_857), "{line:?}");
        assert!(close(line.intercept, 2.820_357_142_857_143), "{line:?}");
        assert!(close(line.r2.unwrap(), 0.985_976_990_801_86), "{line:?}");
    }

    #[test]
    fn constant_y_has_slope_zero_and_no_r2() {
        // The mean of three 0.1 rounds to another number than 0.1.
        for y in [[0.1; 3], [0.0; 3], [-7.3; 3], [0.3, 0.1 + 0.2, 0.3]] {
            let line = fit_line(&[-1.0, 0.3, 0.5], &y).unwrap();
            assert_eq!((line.slope, line.r2), (0.0, None));
            assert!(line.residual_sum_of_squares < 1e-30);
        }
    }

    #[test]
    fn a_slope_of_rounding_is_zero() {
        // Symmetric about the mean of x, so the slope is 0; x in thirds does not centre exactly.
        let x = [1.0 / 3.0, 2.0 / 3.0, 1.0];
        let line = fit_line(&x, &[0.7, 0.2, 0.7]).unwrap();
        assert_eq!(line.slope, 0.0);
        assert!(close(line.r2.unwrap(), 0.0));
    }

    #[test]
    fn bad_input_is_refused() {
        assert!(matches!(fit_line(&[], &[]), Err(Error::TooFew { got: 0, needed: 2, .. })));
        assert!(matches!(fit_line(&[1.0], &[1.0]), Err(Error::TooFew { got: 1, .. })));
        assert!(matches!(fit_line(&[1.0, 2.0], &[1.0]), Err(Error::LengthMismatch { got: 1, expected: 2, .. })));
        assert!(matches!(fit_line(&[0.1; 3], &[1.0, 2.0, 3.0]), Err(Error::ConstantX { n: 3, .. })));
        assert!(matches!(fit_line(&[0.0; 2], &[1.0, 2.0]), Err(Error::ConstantX { .. })));
        let nan = fit_line(&[0.0, 1.0], &[0.0, f64::NAN]).unwrap_err();
        assert_eq!(nan.to_string(), "y of a line: value 1 is NaN");
        assert!(matches!(fit_line(&[0.0, f64::INFINITY], &[0.0, 1.0]), Err(Error::NotFinite { index: 1, .. })));
    }

    #[test]
    fn extreme_values_end_in_an_error_or_a_finite_line() {
        let sizes = [1e-320, 1e-200, 1e-160, 1e160, 1e200, f64::MAX];
        for (size_x, size_y) in sizes.iter().flat_map(|x| sizes.map(|y| (*x, y))) {
            match fit_line(&[0.0, size_x, -size_x], &[size_y, 0.0, -size_y]) {
                Ok(line) => assert!(
                    [line.slope, line.intercept, line.residual_sum_of_squares, line.r2.unwrap_or(0.0)]
                        .iter()
                        .all(|value| value.is_finite()),
                    "{size_x} {size_y} {line:?}"
                ),
                Err(error) => assert!(
                    matches!(error, Error::FitOverflow { .. } | Error::ConstantX { .. } | Error::LeastSquares(_)),
                    "{size_x} {size_y} {error:?}"
                ),
            }
        }
    }

    #[test]
    fn a_large_offset_of_x_costs_little() {
        let x: Vec<f64> = (0..7).map(|i| 1e8 + f64::from(i)).collect();
        let y: Vec<f64> = (0..7).map(|i| f64::from(i) * 0.5).collect();
        assert!((fit_line(&x, &y).unwrap().slope - 0.5).abs() < 1e-12);
    }

    fn points() -> impl Strategy<Value = (Vec<f64>, Vec<f64>)> {
        prop::collection::vec((-8i32..8, -50.0f64..50.0), 3..30)
            .prop_map(|points| points.into_iter().map(|(x, y)| (f64::from(x) / 4.0, y)).unzip())
            .prop_filter("x varies", |(x, _): &(Vec<f64>, Vec<f64>)| !is_constant(x))
    }

    proptest! {
        #[test]
        fn slope_scales_linearly((x, y) in points(), factor in -9.0f64..9.0, shift in -9.0f64..9.0) {
            let line = fit_line(&x, &y).unwrap();
            let scaled: Vec<f64> = y.iter().map(|y| y * factor + shift).collect();
            let got = fit_line(&x, &scaled).unwrap();
            prop_assert!((got.slope - line.slope * factor).abs() < 1e-9);
            prop_assert!((got.intercept - line.intercept * factor - shift).abs() < 1e-9);
            let stretched: Vec<f64> = x.iter().map(|x| x * 2.0).collect();
            prop_assert!((fit_line(&stretched, &y).unwrap().slope * 2.0 - line.slope).abs() < 1e-9);
        }

        #[test]
        fn residuals_are_orthogonal_to_x_and_smallest((x, y) in points(), nudge in -1.0f64..1.0) {
            let line = fit_line(&x, &y).unwrap();
            let residuals: Vec<f64> = x.iter().zip(&y).map(|(x, y)| y - line.at(*x)).collect();
            prop_assert!(residuals.iter().sum::<f64>().abs() < 1e-9);
            prop_assert!(residuals.iter().zip(&x).map(|(r, x)| r * x).sum::<f64>().abs() < 1e-9);
            let other: f64 = x.iter().zip(&y).map(|(x, y)| (y - line.at(*x) - nudge * x).powi(2)).sum();
            prop_assert!(other >= line.residual_sum_of_squares - 1e-9);
        }

        #[test]
        fn a_noise_free_line_is_found((x, _) in points(), slope in -5.0f64..5.0, intercept in -5.0f64..5.0) {
            let y: Vec<f64> = x.iter().map(|x| intercept + slope * x).collect();
            let line = fit_line(&x, &y).unwrap();
            prop_assert!((line.slope - slope).abs() < 1e-9 && (line.intercept - intercept).abs() < 1e-9);
            prop_assert!(line.r2.is_none_or(|r2| r2 > 1.0 - 1e-9) || slope.abs() < 1e-4);
        }
    }
}
