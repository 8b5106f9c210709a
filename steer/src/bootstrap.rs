//! Intervals for a sweep by resampling its prompts.
//!
//! A sweep is a table ratio\[prompt\]\[coefficient\] (prompts, coefficients). The statistics of the sweep (the mean at each
//! coefficient, the [line](crate::fit_line) through the means and their [rank correlation](redline_probe::stats::spearman) with the
//! coefficients) are computed again for many tables of as many prompts, drawn with replacement; the middle 95 % of the
//! results is the interval. A prompt keeps its whole row, so what its ratios have in common stays in. The interval says
//! how the result would vary with other prompts of the same kind; it knows nothing of another model or vector.

use redline_probe::stats::{Interval, Resamples, check_ascending, check_finite, check_pairs, spearman};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::line_fit::{LineFit, fit_line};

/// How to resample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootstrapOptions {
    /// Number of tables drawn.
    pub n_resamples: usize,
    /// Seed of the draws: the same seed gives the same intervals.
    pub seed: u64,
}

impl Default for BootstrapOptions {
    fn default() -> Self {
        Self { n_resamples: 2000, seed: 0 }
    }
}

/// A sweep's line with its intervals over prompts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SweepFit {
    /// The coefficients, ascending.
    pub coefficients: Vec<f64>,
    /// Number of prompts.
    pub n_prompts: usize,
    /// How the intervals were drawn.
    pub bootstrap: BootstrapOptions,
    /// Mean ratio over prompts at each coefficient.
    pub mean_ratio: Vec<f64>,
    /// Interval of each mean.
    pub mean_ratio_interval: Vec<Interval>,
    /// The line through the means.
    pub line: LineFit,
    /// Interval of the slope.
    pub slope_interval: Interval,
    /// Interval of the intercept.
    pub intercept_interval: Interval,
    /// Interval of the line's value at each coefficient: the band around the line.
    pub line_interval: Vec<Interval>,
    /// Rank correlation of the means with the coefficients; `None` when the means are constant.
    pub spearman: Option<f64>,
    /// Interval of the rank correlation, over the resamples that have one.
    pub spearman_interval: Option<Interval>,
    /// Resamples whose means were constant, so that they have neither R² nor rank correlation.
    pub n_constant_resamples: usize,
    /// Slope of each prompt's own line: its steerability.
    pub prompt_slopes: Vec<f64>,
    /// Share of prompts with a slope below 0: anti-steerable.
    pub negative_slope_share: f64,
    /// Steps between neighbouring coefficients at which the mean falls.
    pub n_sign_violations: usize,
}

/// Fits the line of a sweep and its 95 % intervals over prompts.
///
/// # Shapes
/// `per_prompt` is (prompts, coefficients).
///
/// # Errors
/// [`Error::NotAscending`] or [`Error::NotFinite`] for the coefficients, [`Error::TooFew`] for fewer than two
/// coefficients, two prompts or one resample, [`Error::PromptLength`], [`Error::RatioNotFinite`], and those of
/// [`fit_line`].
pub fn bootstrap_sweep(coefficients: &[f64], per_prompt: &[Vec<f64>], options: &BootstrapOptions) -> Result<SweepFit> {
    // One prompt would give an interval of no width: certainty where there is none.
    check_sweep(coefficients, per_prompt, 2)?;
    if options.n_resamples == 0 {
        return Err(Error::TooFew { what: "bootstrap resamples", got: 0, needed: 1 });
    }
    let mean_ratio = means(per_prompt, &vec![1; per_prompt.len()]);
    let line = fit_line(coefficients, &mean_ratio)?;
    let draws = Draws::collect(coefficients, per_prompt, options)?;
    let prompt_slopes = prompt_slopes(coefficients, per_prompt)?;
    let n_negative = prompt_slopes.iter().filter(|&&slope| slope < 0.0).count();
    Ok(SweepFit {
        coefficients: coefficients.to_vec(),
        n_prompts: per_prompt.len(),
        bootstrap: *options,
        spearman: spearman(coefficients, &mean_ratio)?,
        n_sign_violations: sign_violations(coefficients, &mean_ratio)?,
        mean_ratio,
        mean_ratio_interval: draws.means.into_iter().filter_map(Interval::of).collect(),
        line,
        slope_interval: Interval::of(draws.slope).expect("at least one resample"),
        intercept_interval: Interval::of(draws.intercept).expect("at least one resample"),
        line_interval: draws.line.into_iter().filter_map(Interval::of).collect(),
        n_constant_resamples: draws.n_constant,
        spearman_interval: Interval::of(draws.spearman),
        negative_slope_share: n_negative as f64 / prompt_slopes.len() as f64,
        prompt_slopes,
    })
}

/// The statistics of every resample.
struct Draws {
    means: Vec<Vec<f64>>, // (coefficients, resamples)
    line: Vec<Vec<f64>>,  // (coefficients, resamples)
    slope: Vec<f64>,
    intercept: Vec<f64>,
    n_constant: usize,
    spearman: Vec<f64>,
}

impl Draws {
    fn collect(coefficients: &[f64], per_prompt: &[Vec<f64>], options: &BootstrapOptions) -> Result<Self> {
        let mut draws = Self {
            means: vec![Vec::with_capacity(options.n_resamples); coefficients.len()],
            line: vec![Vec::with_capacity(options.n_resamples); coefficients.len()],
            slope: Vec::with_capacity(options.n_resamples),
            intercept: Vec::with_capacity(options.n_resamples),
            n_constant: 0,
            spearman: Vec::new(),
        };
        for counts in Resamples::new(per_prompt.len(), options.n_resamples, options.seed) {
            draws.push(coefficients, &means(per_prompt, &counts))?;
        }
        Ok(draws)
    }

    fn push(&mut self, coefficients: &[f64], means: &[f64]) -> Result<()> {
        let line = fit_line(coefficients, means)?;
        self.line.iter_mut().zip(coefficients).for_each(|(column, coefficient)| column.push(line.at(*coefficient)));
        self.slope.push(line.slope);
        self.intercept.push(line.intercept);
        // Means that differ by rounding alone count as constant.
        match line.r2 {
            Some(_) => self.spearman.extend(spearman(coefficients, means)?),
            None => self.n_constant += 1,
        }
        self.means.iter_mut().zip(means).for_each(|(column, mean)| column.push(*mean));
        Ok(())
    }
}

/// Slope and intercept of every resample, the same ones that [`bootstrap_sweep`] takes its intervals from.
pub(crate) fn resampled_lines(
    coefficients: &[f64],
    per_prompt: &[Vec<f64>],
    options: &BootstrapOptions,
) -> Result<Vec<(f64, f64)>> {
    check_sweep(coefficients, per_prompt, 2)?;
    let draws = Draws::collect(coefficients, per_prompt, options)?;
    Ok(draws.slope.into_iter().zip(draws.intercept).collect())
}

/// Mean ratio at each coefficient, every prompt as often as it counts.
pub(crate) fn means(per_prompt: &[Vec<f64>], counts: &[u32]) -> Vec<f64> {
    let mut sums = vec![0.0; per_prompt[0].len()];
    for (ratios, &count) in per_prompt.iter().zip(counts).filter(|(_, count)| **count > 0) {
        sums.iter_mut().zip(ratios).for_each(|(sum, ratio)| *sum += f64::from(count) * ratio);
    }
    let n: f64 = counts.iter().map(|&count| f64::from(count)).sum();
    sums.into_iter().map(|sum| sum / n).collect()
}

/// Least-squares slope of each prompt's ratios on the coefficients; exactly 0 for a prompt whose ratio never changes.
///
/// # Errors
/// As [`bootstrap_sweep`], but one prompt is enough.
pub fn prompt_slopes(coefficients: &[f64], per_prompt: &[Vec<f64>]) -> Result<Vec<f64>> {
    check_sweep(coefficients, per_prompt, 1)?;
    per_prompt.iter().map(|ratios| fit_line(coefficients, ratios).map(|line| line.slope)).collect()
}

/// Number of steps from one coefficient to the next higher one at which the mean falls, where it should rise: a
/// positive direction means more correction. 0 for a sweep that never falls, n − 1 for one that always does.
///
/// # Errors
/// [`Error::NotAscending`], [`Error::NotFinite`], [`Error::LengthMismatch`].
pub fn sign_violations(coefficients: &[f64], means: &[f64]) -> Result<usize> {
    check_pairs("means of a sweep", means.len(), coefficients.len(), 0)?;
    check_ascending("coefficients", coefficients)?;
    check_finite("means of a sweep", means)?;
    Ok(means.windows(2).filter(|pair| pair[1] < pair[0]).count())
}

pub(crate) fn check_sweep(coefficients: &[f64], per_prompt: &[Vec<f64>], prompts_needed: usize) -> Result<()> {
    check_ascending("coefficients", coefficients)?;
    let expected = coefficients.len();
    if expected < 2 {
        return Err(Error::TooFew { what: "coefficients of a sweep", got: expected, needed: 2 });
    }
    if per_prompt.len() < prompts_needed {
        return Err(Error::TooFew { what: "prompts of a sweep", got: per_prompt.len(), needed: prompts_needed });
    }
    for (prompt, ratios) in per_prompt.iter().enumerate() {
        if ratios.len() != expected {
            return Err(Error::PromptLength { prompt, got: ratios.len(), expected });
        }
        if let Some(index) = ratios.iter().position(|ratio| !ratio.is_finite()) {
            return Err(Error::RatioNotFinite { prompt, coefficient: coefficients[index], value: ratios[index] });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
