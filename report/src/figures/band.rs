//! Means with intervals as results in files hold them.

use serde::{Deserialize, Serialize};

use crate::plot::{Estimate, Interval};

/// A mean with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MeanBand {
    /// The mean.
    pub mean: f64,
    /// Lower end of its interval; none where there is none.
    #[serde(default)]
    pub low: Option<f64>,
    /// Upper end.
    #[serde(default)]
    pub high: Option<f64>,
}

impl MeanBand {
    /// A mean with its interval.
    pub fn new(mean: f64, low: f64, high: f64) -> Self {
        Self { mean, low: Some(low), high: Some(high) }
    }

    /// The same as plots take it.
    pub fn estimate(&self) -> Estimate {
        let interval = self.low.zip(self.high).map(|(low, high)| Interval { low, high });
        Estimate { value: self.mean, interval }
    }
}

impl From<Estimate> for MeanBand {
    fn from(estimate: Estimate) -> Self {
        let ends = estimate.interval;
        Self { mean: estimate.value, low: ends.map(|ends| ends.low), high: ends.map(|ends| ends.high) }
    }
}
