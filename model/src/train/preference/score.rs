//! Losses of scalar heads: a reward orders two completions, a cost tells besides which of them is unsafe.
//!
//! ```text
//! reward   −ln σ(r_w − r_l − margin) + centre · (r_w + r_l)² + ρ · (r_w² + r_l²) / 2     Bradley and Terry 1952
//! cost     −ln σ(c_l − c_w) − ln σ(s_l c_l) − ln σ(s_w c_w),  s = 1 of an unsafe completion, −1 of a safe one     Dai et al. 2024, Safe RLHF
//! ```
//!
//! `centre` keeps rewards around 0 (Eisenstein et al. 2023; TRL's `center_rewards_coefficient`), ρ keeps them small (Safe RLHF). A cost
//! above 0 says unsafe; the chosen completion is the safer one.

use serde::{Deserialize, Serialize};

use super::objective::log_sigmoid;
use crate::{Error, Result};

/// Which scalar is learnt.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScoreLoss {
    /// A reward: higher for the chosen completion.
    Reward {
        /// Weight of (r_w + r_l)².
        centre: f64,
        /// ρ: weight of the mean square.
        shrink: f64,
    },
    /// A cost: higher for the rejected completion, above 0 for an unsafe one.
    Cost,
}

/// The loss of two scores with its derivatives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScorePair {
    /// The loss, in nats.
    pub loss: f64,
    /// Its derivatives by the score of the chosen and of the rejected completion.
    pub by_score: [f64; 2],
}

impl ScoreLoss {
    /// Refuses constants out of range.
    ///
    /// # Errors
    /// [`Error::TrainOption`].
    pub fn check(&self) -> Result<()> {
        let Self::Reward { centre, shrink } = *self else { return Ok(()) };
        for (option, got) in [("centre rewards", centre), ("shrink rewards", shrink)] {
            if !(got.is_finite() && got >= 0.0) {
                let expected = "a finite number of at least 0";
                return Err(Error::TrainOption { option, got: got.to_string(), expected });
            }
        }
        Ok(())
    }

    /// The loss of a pair's scores; `is_safe` counts for costs alone.
    ///
    /// # Example
    /// ```
    /// use redline_model::train::preference::ScoreLoss;
    /// let reward = ScoreLoss::Reward { centre: 0.0, shrink: 0.0 };
    /// assert!((reward.pair([1.0, 1.0], 0.0, None).loss - 2f64.ln()).abs() < 1e-12);
    /// ```
    pub fn pair(&self, [chosen, rejected]: [f64; 2], margin: f64, is_safe: Option<[bool; 2]>) -> ScorePair {
        match *self {
            Self::Reward { centre, shrink } => {
                let gap = chosen - rejected - margin;
                let (slope, sum) = (-log_sigmoid(-gap).exp(), chosen + rejected);
                ScorePair {
                    loss: -log_sigmoid(gap)
                        + centre * sum * sum
                        + 0.5 * shrink * (chosen * chosen + rejected * rejected),
                    by_score: [
                        slope + 2.0 * centre * sum + shrink * chosen,
                        -slope + 2.0 * centre * sum + shrink * rejected,
                    ],
                }
            }
            Self::Cost => {
                let gap = rejected - chosen;
                let slope = log_sigmoid(-gap).exp();
                let mut pair = ScorePair { loss: -log_sigmoid(gap), by_score: [slope, -slope] };
                for (place, (cost, is_safe)) in
                    [chosen, rejected].into_iter().zip(is_safe.into_iter().flatten()).enumerate()
                {
                    let sign = if is_safe { -1.0 } else { 1.0 };
                    pair.loss -= log_sigmoid(sign * cost);
                    pair.by_score[place] -= sign * log_sigmoid(-sign * cost).exp();
                }
                pair
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives_are_those_of_the_losses() {
        for loss in [ScoreLoss::Reward { centre: 0.01, shrink: 0.1 }, ScoreLoss::Cost] {
            for is_safe in [None, Some([true, false]), Some([false, false]), Some([true, true])] {
                let at = [0.7, -0.3];
                let found = loss.pair(at, 0.5, is_safe);
                for place in [0, 1] {
                    let moved = |step: f64| {
                        let mut scores = at;
                        scores[place] += step;
                        loss.pair(scores, 0.5, is_safe).loss
                    };
                    let by = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                    assert!((found.by_score[place] - by).abs() < 1e-8, "{loss:?} {is_safe:?} {place}");
                }
            }
        }
    }

    #[test]
    fn a_cost_above_nought_says_unsafe() {
        let loss = |scores| ScoreLoss::Cost.pair(scores, 0.0, Some([true, false])).loss;
        assert!(loss([-2.0, 2.0]) < loss([2.0, 2.0]) && loss([-2.0, 2.0]) < loss([-2.0, -2.0]));
        let extreme = ScoreLoss::Cost.pair([1e5, -1e5], 0.0, Some([true, false]));
        assert!(extreme.loss.is_finite() && extreme.by_score.iter().all(|by| by.is_finite()));
        assert!(ScoreLoss::Reward { centre: f64::NAN, shrink: 0.0 }.check().is_err());
        assert!(ScoreLoss::Reward { centre: 0.0, shrink: -1.0 }.check().is_err() && ScoreLoss::Cost.check().is_ok());
    }
}
