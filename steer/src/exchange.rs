//! Words against the dial: two lines of a measure on the coefficient, with an instruction in the prompt and without, on the same prompts.
//!
//! Each line is y = intercept + slope · c. The **shift** is the difference of the intercepts, what the words do at coefficient 0; the **steepening**
//! is that of the slopes, what they do to the dial. The **exchange rate** is the coefficient that moves the measure without the words as far as
//! the words do: shift / slope of the line without. Where the interval of that slope holds 0 the dial moves nothing for certain, and there is
//! no rate.
//!
//! Intervals are of prompts drawn anew, the same draws for both lines: a prompt is hard or easy for both. Not for instructions measured on
//! other prompts.

use redline_probe::stats::{FEWEST_UNITS, Interval, Resamples};
use serde::{Deserialize, Serialize};

use crate::bootstrap::{BootstrapOptions, check_sweep, means};
use crate::error::{Error, Result};
use crate::line_fit::{LineFit, fit_line};

/// A number with its 95 % interval over prompts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Resampled {
    /// On all prompts.
    pub value: f64,
    /// Of prompts drawn anew.
    pub interval: Interval,
}

impl Resampled {
    fn of(value: f64, draws: Vec<f64>) -> Self {
        let interval = Interval::of(draws).unwrap_or(Interval { low: value, high: value });
        Self { value, interval }
    }
}

/// What a coefficient is worth in words.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Exchange {
    /// The coefficient that moves the measure as far as the words do.
    Rate {
        /// It, with its interval.
        coefficient: Resampled,
        /// Whether it lies within the coefficients that were run; beyond them the line is a guess.
        is_within: bool,
    },
    /// The interval of the slope holds 0: no coefficient moves the measure for certain.
    NoSlope,
}

/// Two lines on the same prompts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LineComparison {
    /// Prompts.
    pub n: usize,
    /// The line without the words.
    pub without: LineFit,
    /// The line with them.
    pub with: LineFit,
    /// Slope of the line without.
    pub slope_without: Resampled,
    /// Slope of the line with.
    pub slope_with: Resampled,
    /// Intercept with − intercept without.
    pub shift: Resampled,
    /// Slope with − slope without.
    pub steepening: Resampled,
    /// What the words are worth in coefficients.
    pub exchange: Exchange,
}

/// Compares the line of a measure with words to that without.
///
/// # Shapes
/// `without` and `with` are (prompts, coefficients), the same prompts in the same order.
///
/// # Errors
/// [`Error::LengthMismatch`] for other numbers of prompts; fewer than six, which carry no interval; those of [`bootstrap_sweep`](crate::bootstrap_sweep).
///
/// # Example
/// ```
/// use redline_steer::{BootstrapOptions, Exchange, compare_lines};
///
/// let line = |start: f64| (0..20).map(|i| [-1.0, 0.0, 1.0].map(|c| start + f64::from(i) + 0.5 * c).to_vec()).collect::<Vec<_>>();
/// let found = compare_lines(&[-1.0, 0.0, 1.0], &line(0.0), &line(0.25), &BootstrapOptions::default())?;
/// let Exchange::Rate { coefficient, is_within } = found.exchange else { panic!("the dial moves it") };
/// assert!((coefficient.value - 0.5).abs() < 1e-9 && is_within);
/// # Ok::<(), redline_steer::Error>(())
/// ```
pub fn compare_lines(
    coefficients: &[f64],
    without: &[Vec<f64>],
    with: &[Vec<f64>],
    options: &BootstrapOptions,
) -> Result<LineComparison> {
    check_sweep(coefficients, without, 2)?;
    check_sweep(coefficients, with, 2)?;
    let n = without.len();
    if with.len() != n {
        return Err(Error::LengthMismatch { what: "prompts of a line", got: with.len(), expected: n });
    }
    if n < FEWEST_UNITS {
        return Err(Error::TooFew { what: "prompts of a line", got: n, needed: FEWEST_UNITS });
    }
    if options.n_resamples == 0 {
        return Err(Error::TooFew { what: "bootstrap resamples", got: 0, needed: 1 });
    }
    let lines = |counts: &[u32]| -> Result<[LineFit; 2]> {
        Ok([fit_line(coefficients, &means(without, counts))?, fit_line(coefficients, &means(with, counts))?])
    };
    let [line, other] = lines(&vec![1; n])?;
    let (mut slopes, mut slopes_with, mut shifts, mut steepenings) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for counts in Resamples::new(n, options.n_resamples, options.seed) {
        let [line, other] = lines(&counts)?;
        slopes.push(line.slope);
        slopes_with.push(other.slope);
        shifts.push(other.intercept - line.intercept);
        steepenings.push(other.slope - line.slope);
    }
    let rates = shifts.iter().zip(&slopes).filter(|(_, slope)| **slope != 0.0).map(|(shift, slope)| shift / slope);
    let rates: Vec<f64> = rates.collect();
    let shift = Resampled::of(other.intercept - line.intercept, shifts);
    let slope_without = Resampled::of(line.slope, slopes);
    let exchange = match slope_without.interval.contains(0.0) {
        true => Exchange::NoSlope,
        false => {
            let coefficient = Resampled::of(shift.value / line.slope, rates);
            let ends = [coefficients.first(), coefficients.last()].map(|end| end.copied().unwrap_or_default());
            Exchange::Rate { coefficient, is_within: (ends[0]..=ends[1]).contains(&coefficient.value) }
        }
    };
    Ok(LineComparison {
        n,
        without: line,
        with: other,
        slope_without,
        slope_with: Resampled::of(other.slope, slopes_with),
        shift,
        steepening: Resampled::of(other.slope - line.slope, steepenings),
        exchange,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const COEFFICIENTS: [f64; 3] = [-1.0, 0.0, 1.0];

    fn options() -> BootstrapOptions {
        BootstrapOptions { n_resamples: 400, seed: 1 }
    }

    /// Prompts of very different heights, a line each, with a little noise that no two prompts share.
    fn prompts(shift: f64, slope: f64) -> Vec<Vec<f64>> {
        let noise = |i: u32, c: f64| 0.02 * f64::from((i * 7 + (c * 3.0 + 5.0) as u32 * 11) % 13) / 13.0;
        (0..40).map(|i| COEFFICIENTS.map(|c| f64::from(i) + shift + slope * c + noise(i, c)).to_vec()).collect()
    }

    #[test]
    fn a_made_line_is_found_again() {
        let found = compare_lines(&COEFFICIENTS, &prompts(0.0, 0.4), &prompts(0.2, 0.6), &options()).unwrap();
        assert!((found.shift.value - 0.2).abs() < 1e-9 && (found.steepening.value - 0.2).abs() < 1e-9);
        let Exchange::Rate { coefficient, is_within } = found.exchange else { panic!("{:?}", found.exchange) };
        assert!((coefficient.value - 0.2 / found.without.slope).abs() < 1e-9 && is_within);
        assert!(coefficient.interval.contains(coefficient.value));
        // heights differ by 40, and the paired intervals do not know that
        assert!(found.shift.interval.high - found.shift.interval.low < 0.01, "{:?}", found.shift);
    }

    #[test]
    fn words_that_move_farther_than_the_dial_are_beyond_it() {
        let found = compare_lines(&COEFFICIENTS, &prompts(0.0, 0.1), &prompts(0.5, 0.1), &options()).unwrap();
        assert!(matches!(found.exchange, Exchange::Rate { is_within: false, .. }));
        assert!(found.steepening.interval.contains(0.0));
    }

    #[test]
    fn a_dial_that_moves_nothing_has_no_rate() {
        let uneven: Vec<Vec<f64>> =
            (0..20).map(|i| if i % 2 == 0 { vec![0.0, 0.0, 1.0] } else { vec![1.0, 0.0, 0.0] }).collect();
        let found = compare_lines(&COEFFICIENTS, &uneven, &uneven, &options()).unwrap();
        assert_eq!(found.exchange, Exchange::NoSlope);
        assert_eq!((found.shift.value, found.steepening.value), (0.0, 0.0));
    }

    #[test]
    fn other_prompts_are_refused() {
        let (all, fewer) = (prompts(0.0, 1.0), prompts(0.0, 1.0)[1..].to_vec());
        let refused = compare_lines(&COEFFICIENTS, &all, &fewer, &options());
        assert!(matches!(refused, Err(Error::LengthMismatch { got: 39, expected: 40, .. })));
        let none = BootstrapOptions { n_resamples: 0, seed: 0 };
        assert!(matches!(compare_lines(&COEFFICIENTS, &all, &all, &none), Err(Error::TooFew { .. })));
    }
}
