//! The change of a sweep against coefficient 0, on the same prompts.
//!
//! Prompts differ more from each other than a coefficient changes them, and the interval of a mean ratio carries that difference. The
//! change of a prompt, y(c) − y(0), does not: intervals of its mean are what a dial moves. Where several directions were drawn (other
//! pairs, other seeds), [`two_level_change`] draws them again as well, so that the interval also says how another direction of the same
//! making would do.

use redline_probe::stats::{FEWEST_UNITS, Interval, MeanEstimate, Resamples, Spread};
use serde::{Deserialize, Serialize};

use crate::bootstrap::{BootstrapOptions, check_sweep, means};
use crate::error::{Error, Result};

/// Mean change of a measure against coefficient 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PairedChange {
    /// The coefficients, ascending, 0 among them.
    pub coefficients: Vec<f64>,
    /// Mean change at each coefficient; at 0 exactly 0.
    pub change: Vec<MeanEstimate>,
}

/// The change of every prompt's measure against its own at coefficient 0, with 95 % bootstrap intervals over prompts; none where
/// there are fewer than [`FEWEST_UNITS`] prompts.
///
/// # Shapes
/// `per_prompt` is (prompts, coefficients).
///
/// # Errors
/// [`Error::NoBaseline`] where coefficient 0 was not run, and those of [`bootstrap_sweep`](crate::bootstrap_sweep).
///
/// # Example
/// ```
/// use redline_steer::{BootstrapOptions, paired_change};
/// let per_prompt: Vec<Vec<f64>> = (0..8).map(|i| [-0.1, 0.0, 0.2].map(|step| f64::from(i) + step).to_vec()).collect();
/// let change = paired_change(&[-1.0, 0.0, 1.0], &per_prompt, &BootstrapOptions::default()).unwrap().change;
/// assert!((change[2].value - 0.2).abs() < 1e-9 && change[1].value == 0.0);
/// ```
pub fn paired_change(
    coefficients: &[f64],
    per_prompt: &[Vec<f64>],
    options: &BootstrapOptions,
) -> Result<PairedChange> {
    let differences = against_zero(coefficients, per_prompt)?;
    let at = |place: usize| {
        let column: Vec<f64> = differences.iter().map(|row| row[place]).collect();
        Ok(MeanEstimate::of(&column, options.n_resamples, options.seed)?)
    };
    let change = (0..coefficients.len()).map(at).collect::<Result<_>>()?;
    Ok(PairedChange { coefficients: coefficients.to_vec(), change })
}

/// Mean change over directions and prompts, with intervals over both: every resample draws directions and, independently, prompts, and
/// keeps every drawn direction's row for every drawn prompt. `n` counts the rarer of the two, and where that is below
/// [`FEWEST_UNITS`] there is no interval.
///
/// # Shapes
/// `per_direction` is (directions, prompts, coefficients), the same prompts for each direction.
///
/// # Errors
/// As [`paired_change`]; [`Error::LengthMismatch`] for directions of different numbers of prompts.
pub fn two_level_change(
    coefficients: &[f64],
    per_direction: &[Vec<Vec<f64>>],
    options: &BootstrapOptions,
) -> Result<PairedChange> {
    let n_directions = per_direction.len();
    let Some(n_prompts) = per_direction.first().map(Vec::len) else {
        return Err(Error::TooFew { what: "directions", got: 0, needed: 1 });
    };
    if let Some(other) = per_direction.iter().find(|prompts| prompts.len() != n_prompts) {
        return Err(Error::LengthMismatch { what: "prompts of a direction", got: other.len(), expected: n_prompts });
    }
    let changes =
        per_direction.iter().map(|prompts| against_zero(coefficients, prompts)).collect::<Result<Vec<_>>>()?;
    let mean_change = |directions: &[u32], prompts: &[u32]| {
        let by_direction: Vec<Vec<f64>> = changes.iter().map(|rows| means(rows, prompts)).collect();
        means(&by_direction, directions)
    };
    let values = mean_change(&vec![1; n_directions], &vec![1; n_prompts]);
    let n = n_directions.min(n_prompts);
    let n_resamples = if n < FEWEST_UNITS { 0 } else { options.n_resamples };
    let mut drawn = vec![Vec::with_capacity(n_resamples); coefficients.len()];
    let prompts = Resamples::new(n_prompts, n_resamples, options.seed);
    for (prompts, directions) in prompts.zip(Resamples::second_level(n_directions, n_resamples, options.seed)) {
        drawn.iter_mut().zip(mean_change(&directions, &prompts)).for_each(|(column, mean)| column.push(mean));
    }
    let estimate = |(value, drawn): (f64, Vec<f64>)| {
        let spread = Interval::of(drawn).map_or(Spread::TooFewUnits { n }, Spread::Interval);
        MeanEstimate { value, n, spread }
    };
    let change = values.into_iter().zip(drawn).map(estimate).collect();
    Ok(PairedChange { coefficients: coefficients.to_vec(), change })
}

/// Every row less its own value at coefficient 0.
fn against_zero(coefficients: &[f64], per_prompt: &[Vec<f64>]) -> Result<Vec<Vec<f64>>> {
    check_sweep(coefficients, per_prompt, 1)?;
    let zero = coefficients.iter().position(|coefficient| *coefficient == 0.0);
    let zero = zero.ok_or(Error::NoBaseline { n: coefficients.len() })?;
    Ok(per_prompt.iter().map(|row| row.iter().map(|value| value - row[zero]).collect()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const COEFFICIENTS: [f64; 3] = [-1.0, 0.0, 1.0];

    fn options() -> BootstrapOptions {
        BootstrapOptions { n_resamples: 500, seed: 0 }
    }

    #[test]
    fn differences_between_prompts_do_not_widen_the_interval() {
        // heights from 0 to 100, changes of 0.1 and 0.3 in turn: their mean is 0.2
        let per_prompt: Vec<Vec<f64>> = (0..40)
            .map(|i| {
                let (height, step) = (f64::from(i) * 2.5, if i % 2 == 0 { 0.1 } else { 0.3 });
                vec![height - step, height, height + step]
            })
            .collect();
        let found = paired_change(&COEFFICIENTS, &per_prompt, &options()).unwrap().change;
        let interval = found[2].spread.interval().unwrap();
        assert!((found[2].value - 0.2).abs() < 1e-9 && interval.contains(0.2));
        assert!(interval.high - interval.low < 0.08, "{interval:?}");
        assert_eq!(found[1].spread.interval(), Some(Interval { low: 0.0, high: 0.0 }));
    }

    #[test]
    fn a_sweep_without_zero_has_no_change() {
        let error = paired_change(&[-1.0, 1.0], &[vec![0.0, 1.0]], &options()).unwrap_err();
        assert!(matches!(error, Error::NoBaseline { n: 2 }));
    }

    #[test]
    fn three_prompts_have_a_mean_and_no_interval() {
        let per_prompt = vec![vec![0.0, 1.0, 2.0]; 3];
        let found = paired_change(&COEFFICIENTS, &per_prompt, &options()).unwrap().change[2];
        assert_eq!((found.value, found.spread), (1.0, Spread::TooFewUnits { n: 3 }));
    }

    #[test]
    fn directions_that_differ_widen_the_interval() {
        // the same prompts; directions move them by 0.0, 0.1, … 0.9
        let direction = |step: f64| (0..20).map(|i| vec![f64::from(i), f64::from(i) + step]).collect::<Vec<_>>();
        let alike = two_level_change(&[0.0, 1.0], &vec![direction(0.45); 10], &options()).unwrap().change[1];
        let apart: Vec<_> = (0..10).map(|i| direction(f64::from(i) / 10.0)).collect();
        let apart = two_level_change(&[0.0, 1.0], &apart, &options()).unwrap().change[1];
        let width = |found: MeanEstimate| found.spread.interval().map(|interval| interval.high - interval.low).unwrap();
        assert!((alike.value - 0.45).abs() < 1e-9 && (apart.value - 0.45).abs() < 1e-9 && apart.n == 10);
        // the standard error of a mean of ten is 0.287 / √10
        assert!(width(alike) < 1e-9 && (width(apart) / (2.0 * 1.96 * 0.0908) - 1.0).abs() < 0.15, "{}", width(apart));
        let uneven = [direction(0.0), direction(0.0)[..3].to_vec()];
        assert!(matches!(two_level_change(&[0.0, 1.0], &uneven, &options()), Err(Error::LengthMismatch { .. })));
    }
}
