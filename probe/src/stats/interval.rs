//! Intervals: the middle 95 % of what a statistic came to.

use serde::{Deserialize, Serialize};

use super::percentile::interpolate;

/// Share of the results that an interval covers.
pub const COVERAGE: f64 = 0.95;

/// A 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The lower end, for a percentile interval the 2.5th percentile.
    pub low: f64,
    /// The upper end, for a percentile interval the 97.5th percentile.
    pub high: f64,
}

impl Interval {
    /// The percentile interval of these results; `None` when there are none.
    pub fn of(mut results: Vec<f64>) -> Option<Self> {
        results.sort_by(f64::total_cmp);
        let tail = 100.0 * (1.0 - COVERAGE) / 2.0;
        (!results.is_empty())
            .then(|| Self { low: interpolate(&results, tail), high: interpolate(&results, 100.0 - tail) })
    }

    /// Whether a value lies in the interval, ends included.
    pub fn contains(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }
}
