//! Learning from rewards of what the model itself writes: GRPO (Shao et al. 2024) and RLOO (Ahmadian et al. 2024), without a critic.
//!
//! A step draws a group of completions for each of its prompts, has them scored, and makes those likelier that are better than their
//! group. Every step draws with the weights of that step, so that the ratio of policies is 1 and nothing is to be clipped.
//!
//! ```text
//! grpo   A = (r − mean r) / (sd r + 1e-4)         loss = − Σ tokens (A · ln π − β · k3) / tokens of the step      (as TRL's `dapo` normalisation)
//! rloo   A = r' − mean r' of the others, r' = r − β · (ln π − ln π_ref)         loss = − Σ completions A · ln π / completions
//! k3 = π_ref / π − ln (π_ref / π) − 1, a token's estimate of the divergence from the reference (Schulman 2020)
//! ```

mod advantage;
mod pass;
mod run;

use serde::{Deserialize, Serialize};

pub use advantage::advantages;
pub use pass::{Completion, PolicyBatch, policy_gradients, token_log_probs};
pub use run::{PolicyFigures, PolicyPrompt, PolicyRun, Reward, train_policy};

use crate::{Error, Result};

/// How rewards become advantages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PolicyLoss {
    /// Group relative policy optimization.
    #[default]
    Grpo,
    /// REINFORCE with the mean of the others as baseline.
    Rloo,
}

/// How a policy learns from rewards.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PolicyOptions {
    /// How rewards become advantages.
    pub loss: PolicyLoss,
    /// Completions of a prompt, at least 2.
    pub group: usize,
    /// Weight of the divergence from the reference; 0 needs none.
    pub beta: f64,
    /// Temperature of the draws, above 0.
    pub temperature: f64,
}

impl Default for PolicyOptions {
    /// Groups of 8 at temperature 1, as TRL's GRPO, with a small weight of the divergence.
    fn default() -> Self {
        Self { loss: PolicyLoss::Grpo, group: 8, beta: 0.04, temperature: 1.0 }
    }
}

impl PolicyOptions {
    /// Refuses constants out of range.
    ///
    /// # Errors
    /// [`Error::TrainOption`].
    pub fn check(&self) -> Result<()> {
        let refuse = |option, got: String, expected| Err(Error::TrainOption { option, got, expected });
        if self.group < 2 {
            return refuse(
                "completions of a prompt",
                self.group.to_string(),
                "at least 2: they are compared with each other",
            );
        }
        if !(self.beta.is_finite() && self.beta >= 0.0) {
            return refuse("beta", self.beta.to_string(), "a finite number of at least 0");
        }
        match self.temperature.is_finite() && self.temperature > 0.0 {
            true => Ok(()),
            false => refuse("temperature", self.temperature.to_string(), "a finite number above 0"),
        }
    }
}
