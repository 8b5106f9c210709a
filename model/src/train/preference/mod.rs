//! Learning from pairs of completions: DPO and its relatives ([`PreferenceOptions`]), and the scalar heads of reward and cost models
//! ([`ScoreLoss`]); and from single ones that are called good or bad ([`KtoOptions`]).
//!
//! Every loss is a function of one number a completion (its log-probability, or its score), so one pass gives these numbers, the loss their
//! derivatives, and the way back starts from the numbers weighed by them.

mod kto;
mod kto_run;
mod objective;
mod pass;
mod run;
mod score;

pub use kto::{KtoBatch, KtoLoss, KtoOptions, LabelledExample, divergence, kto_gradients, mismatched};
pub use kto_run::{KtoRun, kto_reference, train_kto};
pub use objective::{Completion, PairLoss, PreferenceLoss, PreferenceOptions};
pub use pass::{PairBatch, last_states, pair_gradients, reward_gradients, rewards, sequence_log_probs};
pub use run::{PairFigures, PairObjective, PairRun, Reference, reference_log_probs, train_pairs};
pub use score::{ScoreLoss, ScorePair};

use super::Example;

/// A chosen and a rejected completion of one prompt, as tokens.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// Prompt and chosen completion.
    pub chosen: Example,
    /// Prompt and rejected completion.
    pub rejected: Example,
    /// What a reward model shall keep between the two; 0 where it is only to order them.
    pub margin: f64,
    /// Whether each of the two is safe, which a cost model learns beside their order.
    pub is_safe: Option<[bool; 2]>,
}

impl Pair {
    /// Tokens of both texts.
    pub fn n_tokens(&self) -> usize {
        self.chosen.tokens.len() + self.rejected.tokens.len()
    }

    fn both(&self) -> [&Example; 2] {
        [&self.chosen, &self.rejected]
    }
}
