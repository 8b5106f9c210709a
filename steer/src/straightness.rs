//! Whether a sweep is a line: what R² does not say.
//!
//! Any rising curve of seven points has an R² of about 0.93, so R² tells rising from not rising. Three things tell a line from
//! another rising curve:
//!
//! - **the isotonic fit**, the best curve that only rises (or only falls): what a line leaves out of what such a curve explains;
//! - **lack of fit**: an F test of the means' distances from their line against how the prompts vary about lines of their own;
//! - **the quadratic term** of the least-squares parabola, with its interval over prompts: how the curve bends, and which way.

use redline_probe::stats::{Interval, Resamples, check_finite, f_tail, mean};
use serde::{Deserialize, Serialize};

use crate::bootstrap::{BootstrapOptions, check_sweep, means};
use crate::error::Result;
use crate::line_fit::{LineFit, fit_line};

/// How straight a sweep is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Straightness {
    /// Σ (mean − line)² over the coefficients.
    pub line_residual: f64,
    /// Σ (mean − isotonic fit)²: never larger.
    pub isotonic_residual: f64,
    /// Share of the variation that the isotonic fit explains which the line explains too, 0 … 1; `None` for constant means.
    pub line_share: Option<f64>,
    /// The test of lack of fit; `None` with two coefficients, one prompt, or prompts that do not vary about their lines.
    pub lack_of_fit: Option<LackOfFit>,
    /// y = a + b x + `quadratic` x², fitted to the means; `None` with two coefficients.
    pub quadratic: Option<f64>,
    /// Its 95 % bootstrap interval over prompts.
    pub quadratic_interval: Option<Interval>,
}

/// An F test of the means' distances from their line.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LackOfFit {
    /// Variance of the means about their line over that of the prompts about theirs, each by its degrees of freedom.
    pub f: f64,
    /// Degrees of freedom, coefficients − 2.
    pub numerator: usize,
    /// Degrees of freedom, (prompts − 1) (coefficients − 2).
    pub denominator: usize,
    /// P(F ≥ `f`) where the means lie on a line.
    pub p: f64,
}

/// Measures the straightness of a sweep.
///
/// # Shapes
/// `per_prompt` is (prompts, coefficients).
///
/// # Errors
/// Those of [`bootstrap_sweep`](crate::bootstrap_sweep).
///
/// # Example
/// ```
/// use redline_steer::{BootstrapOptions, straightness};
/// let bent: Vec<Vec<f64>> = (0..8).map(|i| [0.0, 1.0, 4.0, 9.0].map(|y| f64::from(i) + y).to_vec()).collect();
/// let found = straightness(&[0.0, 1.0, 2.0, 3.0], &bent, &BootstrapOptions::default()).unwrap();
/// assert!((found.quadratic.unwrap() - 1.0).abs() < 1e-9 && found.isotonic_residual < 1e-9);
/// ```
pub fn straightness(coefficients: &[f64], per_prompt: &[Vec<f64>], options: &BootstrapOptions) -> Result<Straightness> {
    check_sweep(coefficients, per_prompt, 1)?;
    let curve = means(per_prompt, &vec![1; per_prompt.len()]);
    let line = fit_line(coefficients, &curve)?;
    let isotonic = isotonic_fit(&curve, line.slope < 0.0)?;
    let squares = |fit: &dyn Fn(usize) -> f64| (0..curve.len()).map(|i| (curve[i] - fit(i)).powi(2)).sum::<f64>();
    let (line_residual, isotonic_residual) = (line.residual_sum_of_squares, squares(&|i| isotonic[i]));
    let centre = mean(curve.iter().copied()).unwrap_or(0.0);
    let total = squares(&|_| centre);
    let bends = Parabola::new(coefficients);
    let quadratic = bends.as_ref().map(|parabola| parabola.quadratic(&curve));
    let n_resamples = if per_prompt.len() < 2 { 0 } else { options.n_resamples };
    let resampled = Resamples::new(per_prompt.len(), n_resamples, options.seed);
    let drawn = |parabola: Parabola| resampled.map(|counts| parabola.quadratic(&means(per_prompt, &counts))).collect();
    Ok(Straightness {
        line_residual,
        isotonic_residual,
        line_share: line.r2.map(|_| ((total - line_residual) / (total - isotonic_residual)).clamp(0.0, 1.0)),
        lack_of_fit: lack_of_fit(coefficients, per_prompt, &line)?,
        quadratic,
        quadratic_interval: bends.and_then(|parabola| Interval::of(drawn(parabola))),
    })
}

/// The curve nearest to `values` (least squares, equal weights) among those that never fall, or never rise when `falling`: pool adjacent
/// violators (Ayer et al. 1955; Best and Chakravarti 1990).
///
/// # Errors
/// [`Error::NotFinite`](crate::Error::NotFinite).
///
/// # Example
/// ```
/// assert_eq!(redline_steer::isotonic_fit(&[1.0, 3.0, 2.0, 4.0], false).unwrap(), [1.0, 2.5, 2.5, 4.0]);
/// ```
pub fn isotonic_fit(values: &[f64], falling: bool) -> Result<Vec<f64>> {
    check_finite("values of an isotonic fit", values)?;
    let sign = if falling { -1.0 } else { 1.0 };
    let mut pools: Vec<(f64, usize)> = Vec::with_capacity(values.len()); // mean, size
    for value in values {
        pools.push((sign * value, 1));
        while let [.., (below, n), (above, m)] = pools[..]
            && below > above
        {
            pools.truncate(pools.len() - 2);
            pools.push(((below * n as f64 + above * m as f64) / (n + m) as f64, n + m));
        }
    }
    Ok(pools.into_iter().flat_map(|(mean, n)| std::iter::repeat_n(sign * mean, n)).collect())
}

/// Every prompt keeps a line of its own, so that prompts may differ in height and in slope. Under a straight mean curve the residuals
/// from those lines have mean 0 at every coefficient.
fn lack_of_fit(coefficients: &[f64], per_prompt: &[Vec<f64>], line: &LineFit) -> Result<Option<LackOfFit>> {
    let (n, k) = (per_prompt.len(), coefficients.len());
    if k < 3 || n < 2 {
        return Ok(None);
    }
    let residuals: Vec<Vec<f64>> = per_prompt
        .iter()
        .map(|row| {
            let own = fit_line(coefficients, row)?;
            Ok(row.iter().zip(coefficients).map(|(y, x)| y - own.at(*x)).collect())
        })
        .collect::<Result<_>>()?;
    let mean_residual = means(&residuals, &vec![1; n]);
    let between = n as f64 * mean_residual.iter().map(|r| r * r).sum::<f64>();
    let distances = residuals.iter().flat_map(|row| row.iter().zip(&mean_residual).map(|(r, mean)| (r - mean).powi(2)));
    let within: f64 = distances.sum();
    let scale = per_prompt.iter().flatten().fold(line.intercept.abs(), |largest, y| largest.max(y.abs()));
    if within <= (1e-12 * scale).powi(2) * (n * k) as f64 {
        return Ok(None);
    }
    let (numerator, denominator) = (k - 2, (n - 1) * (k - 2));
    let f = between / numerator as f64 / (within / denominator as f64);
    Ok(Some(LackOfFit { f, numerator, denominator, p: f_tail(f, numerator as f64, denominator as f64)? }))
}

/// The part of x² that no line explains: the quadratic term is a projection on it.
struct Parabola {
    bend: Vec<f64>,
    square: f64,
}

impl Parabola {
    /// `None` where all x lie on at most two places.
    fn new(x: &[f64]) -> Option<Self> {
        let squares: Vec<f64> = x.iter().map(|x| x * x).collect();
        let line = fit_line(x, &squares).ok()?;
        let bend: Vec<f64> = x.iter().zip(&squares).map(|(x, square)| square - line.at(*x)).collect();
        let square = bend.iter().map(|b| b * b).sum();
        (x.len() > 2 && square > 0.0).then_some(Self { bend, square })
    }

    fn quadratic(&self, y: &[f64]) -> f64 {
        self.bend.iter().zip(y).map(|(b, y)| b * y).sum::<f64>() / self.square
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Error;

    const X: [f64; 5] = [-1.0, -0.5, 0.0, 0.5, 1.0];

    fn options() -> BootstrapOptions {
        BootstrapOptions { n_resamples: 300, seed: 0 }
    }

    /// Prompts with lines of their own, a common curve and a ripple that sums to nearly nothing.
    fn prompts(curve: impl Fn(f64) -> f64) -> Vec<Vec<f64>> {
        let row = |i: usize| {
            let i = i as f64;
            let at = |x: f64| i.sin() + (1.0 + 0.5 * i.cos()) * x + curve(x) + 0.05 * (5.0 * i + 11.0 * x).sin();
            X.map(at).to_vec()
        };
        (0..40).map(row).collect()
    }

    #[test]
    fn a_line_is_straight_and_a_bent_curve_is_not() {
        let straight = straightness(&X, &prompts(|_| 0.0), &options()).unwrap();
        let bent = straightness(&X, &prompts(|x| 0.3 * x * x), &options()).unwrap();
        assert!(straight.lack_of_fit.unwrap().p > 0.05 && straight.line_share.unwrap() > 0.999, "{straight:?}");
        assert!(straight.quadratic_interval.unwrap().contains(0.0));
        assert!(bent.lack_of_fit.unwrap().p < 1e-6 && bent.quadratic_interval.unwrap().contains(0.3), "{bent:?}");
        assert!(bent.quadratic_interval.unwrap().low > 0.0 && bent.isotonic_residual < 1e-9);
        assert_eq!(bent.lack_of_fit.map(|test| (test.numerator, test.denominator)), Some((3, 117)));
    }

    #[test]
    fn what_cannot_be_said_is_none() {
        let two = straightness(&[0.0, 1.0], &[vec![0.0, 1.0], vec![0.0, 2.0]], &options()).unwrap();
        assert_eq!((two.lack_of_fit, two.quadratic, two.quadratic_interval), (None, None, None));
        let flat = straightness(&X, &vec![vec![0.3; 5]; 4], &options()).unwrap();
        assert_eq!((flat.line_share, flat.lack_of_fit), (None, None));
        assert!(matches!(straightness(&X, &[], &options()), Err(Error::TooFew { .. })));
    }

    proptest! {
        #[test]
        fn the_isotonic_fit_only_rises_and_no_line_comes_nearer(values in prop::collection::vec(-9.0f64..9.0, 2..20)) {
            let fit = isotonic_fit(&values, false).unwrap();
            prop_assert!(fit.windows(2).all(|pair| pair[0] <= pair[1]));
            let x: Vec<f64> = (0..values.len()).map(|i| i as f64).collect();
            let line = fit_line(&x, &values).unwrap();
            let residual: f64 = values.iter().zip(&fit).map(|(y, fit)| (y - fit).powi(2)).sum();
            if line.slope >= 0.0 {
                prop_assert!(residual <= line.residual_sum_of_squares + 1e-9);
            }
            // pools are means: the sums agree, and a second fit changes nothing
            prop_assert!((values.iter().sum::<f64>() - fit.iter().sum::<f64>()).abs() < 1e-9);
            let again = isotonic_fit(&fit, false).unwrap();
            prop_assert!(again.iter().zip(&fit).all(|(a, b)| (a - b).abs() < 1e-12));
            let mirrored: Vec<f64> = values.iter().map(|value| -value).collect();
            let falling = isotonic_fit(&mirrored, true).unwrap();
            prop_assert!(falling.iter().zip(&fit).all(|(a, b)| (a + b).abs() < 1e-12));
        }
    }
}
