//! The settings of a run, all of which its result depends on.

use serde::{Deserialize, Serialize};

use super::{AdamWOptions, Schedule};
use crate::{Error, Result};

/// What the passes of training compute in. Parameters, their moments and updates are f32 always, as is the loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32 bits: what is right on a CPU.
    #[default]
    F32,
    /// 16 bits with the range of f32, for GPUs; norms and softmax stay in f32 (mixed precision, Micikevicius et al. 2018).
    Bf16,
}

impl Precision {
    fn is_f32(&self) -> bool {
        *self == Self::F32
    }
}

/// Settings of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainOptions {
    /// Seed of everything random: the share of identity rows, the order of batches, dropout.
    pub seed: u64,
    /// Share of the rows that identity warm-up is drawn from; 0 leaves the phase out.
    pub identity_share: f64,
    /// Passes over those rows.
    pub identity_epochs: usize,
    /// Passes over all rows with their corrections; 0 leaves the phase out.
    pub epochs: usize,
    /// Steps of the whole run, both phases: instead of `epochs`, the corrections are passed as often as that takes.
    pub n_steps: Option<usize>,
    /// Rows of one optimizer step.
    pub batch_rows: usize,
    /// Passes that a step is cut into (gradient accumulation): more need less memory.
    pub n_pieces: usize,
    /// Keep only the inputs of blocks, and compute the blocks again on the way back: less memory, more time.
    pub gradient_checkpointing: bool,
    /// What passes compute in; checkpoints name it where it is not f32.
    #[serde(default, skip_serializing_if = "Precision::is_f32")]
    pub precision: Precision,
    /// Rows whose prompt and output are longer are left out.
    pub max_tokens: usize,
    /// Learning rate over the run.
    pub schedule: Schedule,
    /// Constants of the optimizer.
    pub optimizer: AdamWOptions,
    /// Steps between evaluations on held-out rows; the last step is always evaluated.
    pub evaluate_every: Option<usize>,
    /// Held-out rows that outputs are generated for at an evaluation, from the first on.
    pub n_generated: usize,
    /// Longest generated output.
    pub max_new_tokens: usize,
    /// Evaluations without a better held-out loss after which the run stops early.
    pub patience: Option<usize>,
    /// A loss above this multiple of ln(vocabulary), which is that of guessing, stops the run.
    pub explosion_factor: f64,
}

impl Default for TrainOptions {
    fn default() -> Self {
        Self {
            seed: 0,
            identity_share: 0.2,
            identity_epochs: 1,
            epochs: 3,
            n_steps: None,
            batch_rows: 32,
            n_pieces: 1,
            gradient_checkpointing: false,
            precision: Precision::default(),
            max_tokens: 2048,
            schedule: Schedule::default(),
            optimizer: AdamWOptions::default(),
            evaluate_every: None,
            n_generated: 0,
            max_new_tokens: 256,
            patience: None,
            explosion_factor: 2.0,
        }
    }
}

impl TrainOptions {
    /// Refuses settings out of range, before anything is loaded.
    ///
    /// # Errors
    /// [`Error::TrainOption`].
    pub fn check(&self) -> Result<()> {
        self.schedule.check()?;
        self.optimizer.check()?;
        let counts = [
            ("identity epochs", self.identity_epochs),
            ("steps", self.n_steps.unwrap_or(1)),
            ("batch rows", self.batch_rows),
            ("pieces", self.n_pieces),
            ("steps between evaluations", self.evaluate_every.unwrap_or(1)),
            ("new tokens", self.max_new_tokens),
            ("patience", self.patience.unwrap_or(1)),
        ];
        let refuse = |option, got: String, expected| Err(Error::TrainOption { option, got, expected });
        if let Some((option, _)) = counts.into_iter().find(|(_, count)| *count == 0) {
            return refuse(option, "0".into(), "at least 1");
        }
        if !(0.0..=1.0).contains(&self.identity_share) {
            return refuse("identity share", self.identity_share.to_string(), "a share from 0 to 1");
        }
        if !(self.explosion_factor.is_finite() && self.explosion_factor > 1.0) {
            return refuse("explosion factor", self.explosion_factor.to_string(), "a finite number above 1");
        }
        match self.epochs == 0 && self.n_steps.is_none() && self.identity_share == 0.0 {
            true => refuse("epochs", "0 with no identity warm-up".into(), "at least one phase"),
            false => Ok(()),
        }
    }
}
