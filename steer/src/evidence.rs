//! What a dial's slope is worth: its interval, its place among null slopes, and how many prompts it moves at all.

use std::collections::BTreeSet;

use redline_probe::stats::{MeanEstimate, NullPlace, SignTest, check_finite, mean};
use serde::{Deserialize, Serialize};

use crate::bootstrap::{BootstrapOptions, check_sweep, prompt_slopes};
use crate::error::{Error, Result};

/// A slope, how sure it is, and what is to be compared with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SlopeEvidence {
    /// Slope of the means on the coefficient, which is the mean of the prompts' own slopes, with its paired bootstrap interval over
    /// prompts; too few prompts have none.
    pub slope: MeanEstimate,
    /// Its two-sided place among the slopes of null directions on the same prompts.
    pub place: NullPlace,
    /// Sign test of the prompts' own slopes: for few prompts, where an interval says little.
    pub signs: SignTest,
}

/// Weighs the slope of a sweep against the slopes of null directions, which must come from the same prompts and coefficients.
///
/// # Shapes
/// `per_prompt` is (prompts, coefficients).
///
/// # Errors
/// Those of [`prompt_slopes`]; [`Error::NotFinite`] for a null slope.
pub fn slope_evidence(
    coefficients: &[f64],
    per_prompt: &[Vec<f64>],
    null_slopes: &[f64],
    options: &BootstrapOptions,
) -> Result<SlopeEvidence> {
    let slopes = prompt_slopes(coefficients, per_prompt)?;
    let slope = MeanEstimate::of(&slopes, options.n_resamples, options.seed)?;
    Ok(SlopeEvidence { slope, place: NullPlace::among(slope.value, null_slopes)?, signs: SignTest::of(&slopes)? })
}

/// Share of prompts whose measure spans at most `bound` over all coefficients: the dial does not move them.
///
/// # Shapes
/// `per_prompt` is (prompts, coefficients).
///
/// # Errors
/// [`Error::OutOfRange`] for a bound below 0, and those of [`prompt_slopes`](crate::prompt_slopes).
///
/// # Example
/// ```
/// let per_prompt = [vec![0.2, 0.2], vec![0.2, 0.21], vec![0.2, 0.5]];
/// assert_eq!(redline_steer::unmoved_share(&[0.0, 1.0], &per_prompt, 0.0).unwrap(), 1.0 / 3.0);
/// assert_eq!(redline_steer::unmoved_share(&[0.0, 1.0], &per_prompt, 0.02).unwrap(), 2.0 / 3.0);
/// ```
pub fn unmoved_share(coefficients: &[f64], per_prompt: &[Vec<f64>], bound: f64) -> Result<f64> {
    check_sweep(coefficients, per_prompt, 1)?;
    if !(bound.is_finite() && bound >= 0.0) {
        let expected = "a finite number of at least 0";
        return Err(Error::OutOfRange { what: "bound of unmoved prompts", got: bound, expected });
    }
    let n_unmoved = per_prompt.iter().filter(|row| span(row) <= bound).count();
    Ok(n_unmoved as f64 / per_prompt.len() as f64)
}

/// Share of prompts whose output is the same text at every coefficient; `None` without prompts.
///
/// # Shapes
/// `outputs` is (prompts, coefficients).
pub fn same_output_share<S: AsRef<str>>(outputs: &[Vec<S>]) -> Option<f64> {
    let is_same = |texts: &Vec<S>| texts.iter().map(AsRef::as_ref).collect::<BTreeSet<&str>>().len() <= 1;
    mean(outputs.iter().map(|texts| f64::from(u8::from(is_same(texts)))))
}

/// Range of a curve as a share of the range that its rows allow: the mean over rows of how far the ratios of a row's own possible
/// corrections lie apart, copying among them. Above 1 where outputs leave what the rows allow.
///
/// # Shapes
/// `possible` is (rows, possible corrections), each a ratio.
///
/// # Errors
/// [`Error::TooFew`] without means or rows or for a row without a correction, [`Error::NotFinite`], [`Error::OutOfRange`] where no row
/// allows any movement.
///
/// # Example
/// ```
/// let rows = [vec![0.0, 0.2, 0.4], vec![0.0, 0.6]]; // on average 0 … 0.5
/// assert!((redline_steer::attained_share(&[0.1, 0.2, 0.3], &rows).unwrap() - 0.4).abs() < 1e-12);
/// ```
pub fn attained_share(means: &[f64], possible: &[Vec<f64>]) -> Result<f64> {
    check_finite("means of a sweep", means)?;
    possible.iter().try_for_each(|row| check_finite("ratios of possible corrections", row))?;
    let too_few = |what| Err(Error::TooFew { what, got: 0, needed: 1 });
    if means.is_empty() {
        return too_few("means of a sweep");
    }
    if possible.is_empty() || possible.iter().any(Vec::is_empty) {
        return too_few("possible corrections of a row");
    }
    match mean(possible.iter().map(|row| span(row))) {
        Some(attainable) if attainable > 0.0 => Ok(span(means) / attainable),
        _ => Err(Error::OutOfRange { what: "attainable range", got: 0.0, expected: "rows with different corrections" }),
    }
}

/// Largest less smallest of the values.
fn span(values: &[f64]) -> f64 {
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    high - values.iter().copied().fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bootstrap::bootstrap_sweep;

    #[test]
    fn a_slope_is_weighed_against_nulls() {
        let per_prompt: Vec<Vec<f64>> = (0..8).map(|i| vec![0.0, 1.0 + f64::from(i % 3) / 10.0]).collect();
        let nulls: Vec<f64> = (0..19).map(|i| f64::from(i) / 20.0).collect();
        let found = slope_evidence(&[0.0, 1.0], &per_prompt, &nulls, &BootstrapOptions::default()).unwrap();
        assert!(found.place.n_as_large == 0 && found.place.p == 0.05);
        assert!(found.signs.n_positive == 8 && (found.signs.p - 2.0 / 256.0).abs() < 1e-12);
        let fit = bootstrap_sweep(&[0.0, 1.0], &per_prompt, &BootstrapOptions::default()).unwrap();
        let interval = found.slope.spread.interval().unwrap();
        assert!(
            (found.slope.value - fit.line.slope).abs() < 1e-12,
            "a sweep's slope is the mean of its prompts' slopes"
        );
        assert!((interval.low - fit.slope_interval.low).abs() < 1e-12, "the same draws");
        let few = slope_evidence(&[0.0, 1.0], &per_prompt[..3], &nulls, &BootstrapOptions::default()).unwrap();
        assert_eq!(few.slope.spread.interval(), None);
    }

    #[test]
    fn prompts_that_do_not_move_are_counted() {
        assert_eq!(same_output_share(&[vec!["a", "a"], vec!["a", "b"]]), Some(0.5));
        assert_eq!(same_output_share::<&str>(&[]), None);
        assert!(matches!(unmoved_share(&[0.0, 1.0], &[vec![0.0, 0.0]], -1.0), Err(Error::OutOfRange { .. })));
    }

    #[test]
    fn a_share_needs_a_range_to_be_a_share_of() {
        assert!(matches!(attained_share(&[0.1], &[vec![0.2]]), Err(Error::OutOfRange { .. })));
        assert!(matches!(attained_share(&[0.1], &[vec![]]), Err(Error::TooFew { .. })));
        assert!(matches!(attained_share(&[], &[vec![0.1]]), Err(Error::TooFew { .. })));
        assert_eq!(attained_share(&[0.0, 0.8], &[vec![0.0, 0.4]]).unwrap(), 2.0);
    }
}
