//! Tuning: the coefficient at which the line of a sweep reaches a wished edit ratio.
//!
//! With the fitted line ratio = intercept + slope · c, the coefficient is c = (target − intercept) / slope. Its interval comes
//! from the resamples of prompts that the line's own intervals come from: each resample has a line, each line a coefficient, and
//! the middle 95 % of them is the interval. The line is believed where it was fitted: a target beyond its ends is refused, and so
//! is a slope whose interval holds 0, since such a line leads to no coefficient. Not for single prompts: the line is one of means,
//! and the ratio of one output can lie far from it.

use redline_probe::stats::Interval;
use serde::{Deserialize, Serialize};

use crate::bootstrap::{SweepFit, resampled_lines};
use crate::error::{Error, Result};

/// A coefficient for a target ratio.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Tuned {
    /// The mean edit ratio that was asked for.
    pub target: f64,
    /// Where the line reaches it.
    pub coefficient: f64,
    /// 95 % interval of the coefficient over prompts; it may reach beyond the fitted coefficients.
    pub interval: Interval,
    /// Resamples without a coefficient, since their line is level.
    pub n_level_resamples: usize,
}

/// What a line reaches at the ends of its coefficients.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Reach {
    /// The coefficient with the lowest ratio.
    pub lowest_at: f64,
    /// The lowest ratio.
    pub lowest: f64,
    /// The coefficient with the highest ratio.
    pub highest_at: f64,
    /// The highest ratio.
    pub highest: f64,
}

impl Reach {
    /// The reach of a fitted line; a falling line has its lowest ratio at the highest coefficient.
    pub fn of(fit: &SweepFit) -> Self {
        let ends = [fit.coefficients[0], fit.coefficients[fit.coefficients.len() - 1]];
        let [low, high] = if fit.line.slope < 0.0 { [ends[1], ends[0]] } else { ends };
        Self { lowest_at: low, lowest: fit.line.at(low), highest_at: high, highest: fit.line.at(high) }
    }

    /// The ratio nearest to `target` that the line reaches, and its coefficient.
    pub fn nearest(&self, target: f64) -> (f64, f64) {
        match target < self.lowest {
            true => (self.lowest, self.lowest_at),
            false => (self.highest, self.highest_at),
        }
    }
}

/// The coefficient at which the line of `fit` reaches `target`.
///
/// # Shapes
/// `per_prompt` is (prompts, coefficients): the ratios that `fit` was fitted to.
///
/// # Errors
/// [`Error::OutOfRange`] for a target that is negative or not finite, [`Error::SlopeUncertain`] when the interval of the slope
/// holds 0, [`Error::OutOfReach`] for a target that the line does not reach on its coefficients, and those of
/// [`bootstrap_sweep`](crate::bootstrap_sweep).
///
/// # Example
/// ```
/// use redline_steer::{BootstrapOptions, bootstrap_sweep, tune};
///
/// let (coefficients, per_prompt) = ([-1.0, 0.0, 1.0], vec![vec![0.1, 0.2, 0.3], vec![0.2, 0.3, 0.4]]);
/// let fit = bootstrap_sweep(&coefficients, &per_prompt, &BootstrapOptions::default()).unwrap();
/// let tuned = tune(&fit, &per_prompt, 0.3).unwrap();
/// assert!((tuned.coefficient - 0.5).abs() < 1e-9);
/// ```
pub fn tune(fit: &SweepFit, per_prompt: &[Vec<f64>], target: f64) -> Result<Tuned> {
    if !(target.is_finite() && target >= 0.0) {
        return Err(Error::OutOfRange {
            what: "target edit ratio",
            got: target,
            expected: "a finite number of at least 0",
        });
    }
    if fit.slope_interval.contains(0.0) {
        let Interval { low, high } = fit.slope_interval;
        return Err(Error::SlopeUncertain { slope: fit.line.slope, low, high });
    }
    let reach = Reach::of(fit);
    // the ends themselves must be reachable, whatever rounding says
    let slack = 1e-12 * reach.highest.abs().max(1.0);
    if !(reach.lowest - slack..=reach.highest + slack).contains(&target) {
        let (nearest, coefficient) = reach.nearest(target);
        return Err(Error::OutOfReach { target, lowest: reach.lowest, highest: reach.highest, nearest, coefficient });
    }
    let [low, high] = [fit.coefficients[0], fit.coefficients[fit.coefficients.len() - 1]];
    let coefficient = ((target - fit.line.intercept) / fit.line.slope).clamp(low, high);
    let lines = resampled_lines(&fit.coefficients, per_prompt, &fit.bootstrap)?;
    let n_lines = lines.len();
    let inverted = lines.into_iter().map(|(slope, intercept)| (target - intercept) / slope);
    let coefficients: Vec<f64> = inverted.filter(|coefficient| coefficient.is_finite()).collect();
    let n_level_resamples = n_lines - coefficients.len();
    let interval = Interval::of(coefficients).ok_or(Error::SlopeUncertain {
        slope: fit.line.slope,
        low: fit.slope_interval.low,
        high: fit.slope_interval.high,
    })?;
    Ok(Tuned { target, coefficient, interval, n_level_resamples })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BootstrapOptions, bootstrap_sweep};

    const COEFFICIENTS: [f64; 5] = [-1.0, -0.5, 0.0, 0.5, 1.0];

    /// Prompts around ratio = 0.3 + slope · c, each with a level of its own and a little unevenness of its own.
    fn planted(slope: f64, n: usize) -> Vec<Vec<f64>> {
        let prompt = |i: usize| {
            let level = 0.3 + 0.02 * ((i % 5) as f64 - 2.0);
            let steep = slope * (1.0 + 0.2 * ((i % 3) as f64 - 1.0));
            COEFFICIENTS.iter().map(|c| level + steep * c).collect()
        };
        (0..n).map(prompt).collect()
    }

    fn fitted(per_prompt: &[Vec<f64>]) -> SweepFit {
        bootstrap_sweep(&COEFFICIENTS, per_prompt, &BootstrapOptions::default()).unwrap()
    }

    #[test]
    fn a_planted_line_is_inverted() {
        let per_prompt = planted(0.1, 15);
        let fit = fitted(&per_prompt);
        let tuned = tune(&fit, &per_prompt, 0.35).unwrap();
        assert!((tuned.coefficient - 0.5).abs() < 1e-9, "{tuned:?}");
        assert!((fit.line.at(tuned.coefficient) - 0.35).abs() < 1e-12);
        assert!(tuned.interval.contains(0.5) && tuned.interval.high - tuned.interval.low < 0.5, "{tuned:?}");
        assert!(tuned.interval.low < 0.5 && tuned.interval.high > 0.5 && tuned.n_level_resamples == 0);
    }

    #[test]
    fn more_prompts_narrow_the_interval() {
        let width = |n| {
            let per_prompt = planted(0.1, n);
            let Interval { low, high } = tune(&fitted(&per_prompt), &per_prompt, 0.33).unwrap().interval;
            high - low
        };
        assert!(width(150) < 0.5 * width(15));
    }

    #[test]
    fn a_falling_line_is_inverted_too() {
        let per_prompt = planted(-0.1, 15);
        let fit = fitted(&per_prompt);
        let tuned = tune(&fit, &per_prompt, 0.35).unwrap();
        assert!((tuned.coefficient + 0.5).abs() < 1e-9 && tuned.interval.contains(-0.5), "{tuned:?}");
        let error = tune(&fit, &per_prompt, 0.9).unwrap_err();
        assert!(matches!(error, Error::OutOfReach { coefficient: -1.0, .. }), "{error:?}");
    }

    #[test]
    fn the_ends_are_reachable_and_what_lies_beyond_is_refused_with_the_nearest() {
        let per_prompt = planted(0.1, 15);
        let fit = fitted(&per_prompt);
        let reach = Reach::of(&fit);
        assert_eq!(tune(&fit, &per_prompt, reach.highest).unwrap().coefficient, 1.0);
        assert_eq!(tune(&fit, &per_prompt, reach.lowest).unwrap().coefficient, -1.0);
        for (target, end, ratio) in [(0.55, 1.0, 0.4), (0.1, -1.0, 0.2)] {
            match tune(&fit, &per_prompt, target).unwrap_err() {
                Error::OutOfReach { nearest, coefficient, .. } => {
                    assert!((nearest - ratio).abs() < 1e-9 && coefficient == end, "{nearest} at {coefficient}");
                }
                error => panic!("{error:?}"),
            }
        }
    }

    #[test]
    fn a_slope_that_may_be_zero_leads_nowhere() {
        // half of the prompts rise, half fall
        let prompt =
            |i: usize| COEFFICIENTS.iter().map(|c| 0.3 + if i.is_multiple_of(2) { 0.1 } else { -0.09 } * c).collect();
        let per_prompt: Vec<Vec<f64>> = (0..12).map(prompt).collect();
        let error = tune(&fitted(&per_prompt), &per_prompt, 0.3).unwrap_err();
        assert!(matches!(error, Error::SlopeUncertain { .. }), "{error:?}");
        let level = vec![vec![0.3; 5]; 4];
        assert!(matches!(tune(&fitted(&level), &level, 0.3), Err(Error::SlopeUncertain { .. })));
    }

    #[test]
    fn bad_targets_are_refused() {
        let per_prompt = planted(0.1, 6);
        let fit = fitted(&per_prompt);
        for target in [-0.1, f64::NAN, f64::INFINITY] {
            assert!(matches!(tune(&fit, &per_prompt, target), Err(Error::OutOfRange { .. })), "{target}");
        }
        assert!(matches!(tune(&fit, &per_prompt[..1], 0.3), Err(Error::TooFew { .. })));
    }
}
