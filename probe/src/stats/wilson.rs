//! Wilson's interval of a share.

use super::Interval;
use crate::{Error, Result};

/// The 97.5th percentile of the standard normal distribution.
const Z: f64 = 1.959_963_984_540_054;

/// Wilson's 95 % interval of a share `successes / n` (Wilson 1927), without correction for continuity.
///
/// Unlike the share ± 1.96 standard errors it stays within 0 … 1 and has a width at 0 and `n` successes. It holds for independent
/// trials: one a prompt, not one a verdict.
///
/// # Errors
/// [`Error::TooFew`] without trials, [`Error::OutOfRange`] for more successes than trials.
///
/// # Example
/// ```
/// let interval = redline_probe::stats::wilson_interval(0, 10).unwrap();
/// assert!(interval.low == 0.0 && (interval.high - 0.2775).abs() < 1e-4);
/// ```
pub fn wilson_interval(successes: usize, n: usize) -> Result<Interval> {
    if n == 0 {
        return Err(Error::TooFew { what: "trials of a share", got: 0, needed: 1 });
    }
    if successes > n {
        return Err(Error::OutOfRange {
            what: "successes",
            got: successes as f64,
            expected: "at most as many as trials",
        });
    }
    let (share, n_trials) = (successes as f64 / n as f64, n as f64);
    let spread = Z * (share * (1.0 - share) / n_trials + Z * Z / (4.0 * n_trials * n_trials)).sqrt();
    let (centre, scale) = (share + Z * Z / (2.0 * n_trials), 1.0 + Z * Z / n_trials);
    // The ends are exact where rounding would leave them beside 0 or 1.
    let low = if successes == 0 { 0.0 } else { (centre - spread) / scale };
    let high = if successes == n { 1.0 } else { (centre + spread) / scale };
    Ok(Interval { low, high })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_those_of_the_formula() {
        // (p + z²/2n ± z √(p(1−p)/n + z²/4n²)) / (1 + z²/n) for 7 of 10
        let interval = wilson_interval(7, 10).unwrap();
        assert!((interval.low - 0.396_775).abs() < 1e-5 && (interval.high - 0.892_211).abs() < 1e-5, "{interval:?}");
        let [none, all] = [0, 10].map(|successes| wilson_interval(successes, 10).unwrap());
        assert!(none.low == 0.0 && all.high == 1.0 && (none.high - (1.0 - all.low)).abs() < 1e-12);
        assert!(wilson_interval(0, 0).is_err() && wilson_interval(3, 2).is_err());
    }
}
