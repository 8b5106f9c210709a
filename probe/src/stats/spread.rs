//! A mean that says whether its number of units is enough for an interval.

use serde::{Deserialize, Serialize};

use super::{Estimate, Interval, estimate};
use crate::error::{Error, Result};

/// Fewest units of which a 95 % interval is made. With five, all on one side of a value, a fair coin still does that in
/// 2 / 2⁵ = 6 % of cases, so no interval that assumes no distribution covers 95 %.
pub const FEWEST_UNITS: usize = 6;

/// How sure a mean is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spread {
    /// The 95 % bootstrap interval over units.
    Interval(Interval),
    /// There are too few units for any interval.
    TooFewUnits {
        /// Units there are.
        n: usize,
    },
}

impl Spread {
    /// The interval, where there is one.
    pub fn interval(&self) -> Option<Interval> {
        match self {
            Self::Interval(interval) => Some(*interval),
            Self::TooFewUnits { .. } => None,
        }
    }
}

/// A mean over units, and how sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MeanEstimate {
    /// The mean.
    pub value: f64,
    /// Units it is taken over.
    pub n: usize,
    /// How sure it is.
    pub spread: Spread,
}

impl MeanEstimate {
    /// The same without the number of units, as figures and tables take it.
    pub fn estimate(&self) -> Estimate {
        Estimate { value: self.value, interval: self.spread.interval() }
    }

    /// The mean of the values and its bootstrap interval.
    ///
    /// # Errors
    /// [`Error::TooFew`] without values, [`Error::NotFinite`], [`Error::NoResamples`].
    ///
    /// # Example
    /// ```
    /// use redline_probe::stats::{MeanEstimate, Spread};
    /// let three = MeanEstimate::of(&[1.0, 2.0, 3.0], 1000, 0).unwrap();
    /// assert_eq!((three.value, three.spread), (2.0, Spread::TooFewUnits { n: 3 }));
    /// ```
    pub fn of(values: &[f64], n_resamples: usize, seed: u64) -> Result<Self> {
        super::check_finite("values of a mean", values)?;
        if n_resamples == 0 {
            return Err(Error::NoResamples);
        }
        let n = values.len();
        let mean = |counts: &[u32]| {
            let sum: f64 = values.iter().zip(counts).map(|(value, count)| value * f64::from(*count)).sum();
            [(n > 0).then(|| sum / n as f64)]
        };
        let n_resamples = if n < FEWEST_UNITS { 0 } else { n_resamples };
        let [found] = estimate(n, n_resamples, seed, mean);
        let Some(Estimate { value, interval }) = found else {
            return Err(Error::TooFew { what: "values of a mean", got: 0, needed: 1 });
        };
        let spread = interval.map_or(Spread::TooFewUnits { n }, Spread::Interval);
        Ok(Self { value, n, spread })
    }

    /// The same; none without values.
    ///
    /// # Errors
    /// As [`MeanEstimate::of`], of values that are there.
    pub fn of_any(values: &[f64], n_resamples: usize, seed: u64) -> Result<Option<Self>> {
        (!values.is_empty()).then(|| Self::of(values, n_resamples, seed)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_units_have_no_interval_and_six_have_one() {
        let of = |n: usize| MeanEstimate::of(&vec![1.5; n], 100, 0).unwrap().spread;
        assert_eq!(of(5), Spread::TooFewUnits { n: 5 });
        assert_eq!(of(6), Spread::Interval(Interval { low: 1.5, high: 1.5 }));
        assert!(matches!(MeanEstimate::of(&[], 100, 0), Err(Error::TooFew { .. })));
        assert!(matches!(MeanEstimate::of(&[1.0], 0, 0), Err(Error::NoResamples)));
    }
}
