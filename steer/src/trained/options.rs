//! The settings of a training, all of which its result depends on.

use redline_model::train::{AdamWOptions, Schedule, ScheduleShape};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// How a vector is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VectorTraining {
    /// Steps of the optimiser.
    pub n_steps: usize,
    /// Rows of a step, each at one coefficient.
    pub batch_rows: usize,
    /// The highest learning rate, in units of each layer's root mean square at the start.
    pub learning_rate: f64,
    /// Steps between evaluations on development rows; the last step is always evaluated.
    pub evaluate_every: usize,
    /// Evaluations without a lower development loss after which the training stops early.
    pub patience: Option<usize>,
    /// Seed of the order of rows and of the coefficient that each is shown at.
    pub seed: u64,
}

impl Default for VectorTraining {
    fn default() -> Self {
        Self { n_steps: 120, batch_rows: 8, learning_rate: 0.3, evaluate_every: 20, patience: Some(3), seed: 0 }
    }
}

impl VectorTraining {
    /// Refuses settings out of range.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] for a count of 0 or a learning rate that is no number above 0.
    pub fn check(&self) -> Result<()> {
        let counts = [
            ("steps of a training", self.n_steps),
            ("rows of a step", self.batch_rows),
            ("steps between evaluations", self.evaluate_every),
            ("patience", self.patience.unwrap_or(1)),
        ];
        if let Some((what, _)) = counts.into_iter().find(|(_, count)| *count == 0) {
            return Err(Error::OutOfRange { what, got: 0.0, expected: "at least 1" });
        }
        match self.learning_rate.is_finite() && self.learning_rate > 0.0 {
            true => Ok(()),
            false => {
                let what = "learning rate of a training";
                Err(Error::OutOfRange { what, got: self.learning_rate, expected: "a finite number above 0" })
            }
        }
    }

    /// A rise over the first steps, then half a cosine.
    pub(super) fn schedule(&self) -> Schedule {
        Schedule { learning_rate: self.learning_rate, shape: ScheduleShape::Cosine, rise_share: 0.05 }
    }

    /// Adam as in Kingma and Ba (2015), with a quick second moment: trainings are short.
    pub(super) fn optimizer(&self) -> AdamWOptions {
        AdamWOptions { beta2: 0.98, max_gradient_norm: None, ..AdamWOptions::default() }
    }
}
