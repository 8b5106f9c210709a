//! A reward or cost model as a score.

use std::path::Path;

use redline_model::RewardModel;

use super::Score;
use crate::judge::{Dimension, JudgeError, Result};
use redline_data::pairs::scored_text;

/// Scores outputs by a model with a scalar head; a cost counts as its negative. The dimension is that which the model was trained for, so it
/// is not looked at.
pub struct RewardScore {
    model: RewardModel,
    id: String,
    sign: f64,
}

impl RewardScore {
    /// Loads a reward model, or a cost model, from its folder.
    ///
    /// # Errors
    /// As [`RewardModel::load`].
    pub fn load(folder: &Path, is_cost: bool) -> redline_model::Result<Self> {
        let model = RewardModel::load(folder)?;
        let kind = if is_cost { "cost" } else { "reward" };
        Ok(Self { model, id: format!("{kind}={}", folder.display()), sign: if is_cost { -1.0 } else { 1.0 } })
    }
}

impl Score for RewardScore {
    fn id(&self) -> &str {
        &self.id
    }

    fn template(&self) -> &str {
        &self.model.model.fingerprint
    }

    fn score(&mut self, _: usize, question: &str, output: &str, _: Dimension) -> Result<Option<f64>> {
        let tokenizer = self.model.model.tokenizer().map_err(|error| JudgeError::failed(&self.id, error))?;
        let text = scored_text(tokenizer, question, output).map_err(|error| JudgeError::failed(&self.id, error))?;
        if text.len() > self.model.model.decoder.config().context {
            return Ok(None);
        }
        let scores = self.model.scores(&[text]).map_err(|error| JudgeError::failed(&self.id, error))?;
        Ok(scores.first().map(|score| self.sign * score))
    }
}
