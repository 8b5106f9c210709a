//! The learning rate over a run.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// How the rate goes after its rise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScheduleShape {
    /// It stays.
    Constant,
    /// It falls to 0 along half a cosine.
    Cosine,
}

/// A linear rise, then a shape.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// The highest rate.
    pub learning_rate: f64,
    /// How it goes on after the rise.
    pub shape: ScheduleShape,
    /// Share of the steps during which it rises.
    pub rise_share: f64,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { learning_rate: 2e-5, shape: ScheduleShape::Cosine, rise_share: 0.03 }
    }
}

impl Schedule {
    /// Refuses rates and shares out of range.
    ///
    /// # Errors
    /// [`Error::TrainOption`].
    pub fn check(&self) -> Result<()> {
        if !(self.learning_rate.is_finite() && self.learning_rate > 0.0) {
            let got = self.learning_rate.to_string();
            return Err(Error::TrainOption { option: "learning rate", got, expected: "a finite number above 0" });
        }
        match (0.0..=1.0).contains(&self.rise_share) {
            true => Ok(()),
            false => {
                let got = self.rise_share.to_string();
                Err(Error::TrainOption { option: "learning rate warm-up", got, expected: "a share from 0 to 1" })
            }
        }
    }

    /// The rate of a step, from 0. The first step of a rise over n steps has 1/n of the highest rate, not 0.
    pub fn rate(&self, step: usize, n_steps: usize) -> f64 {
        let rise = (self.rise_share * n_steps as f64).ceil();
        if (step as f64) < rise {
            return self.learning_rate * (step as f64 + 1.0) / rise;
        }
        match self.shape {
            ScheduleShape::Constant => self.learning_rate,
            ScheduleShape::Cosine => {
                let progress = (step as f64 - rise) / (n_steps as f64 - rise).max(1.0);
                self.learning_rate * 0.5 * (1.0 + (std::f64::consts::PI * progress.min(1.0)).cos())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_then_falls_or_stays() {
        let cosine = Schedule { learning_rate: 1.0, shape: ScheduleShape::Cosine, rise_share: 0.1 };
        let rates: Vec<f64> = (0..100).map(|step| cosine.rate(step, 100)).collect();
        assert_eq!((rates[0], rates[9], rates[10]), (0.1, 1.0, 1.0));
        assert!((rates[55] - 0.5).abs() < 1e-12);
        assert!(rates[10..].windows(2).all(|pair| pair[1] < pair[0]) && rates[99] > 0.0);
        let constant = Schedule { shape: ScheduleShape::Constant, rise_share: 0.0, ..cosine };
        assert_eq!((constant.rate(0, 100), constant.rate(99, 100)), (1.0, 1.0));
    }

    #[test]
    fn rates_that_are_not_finite_are_refused() {
        for learning_rate in [f64::NAN, f64::INFINITY, 0.0, -1e-3] {
            let error = Schedule { learning_rate, ..Schedule::default() }.check().unwrap_err();
            assert!(matches!(error, Error::TrainOption { option: "learning rate", .. }), "{error}");
        }
        assert!(Schedule { rise_share: 1.5, ..Schedule::default() }.check().is_err());
    }
}
