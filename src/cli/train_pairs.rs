//! Options of learning from pairs.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use redline::lab::judge::Dimension;
use redline::model::train::policy::{PolicyLoss, PolicyOptions};
use redline::model::train::preference::{KtoOptions, PairObjective, PreferenceLoss, PreferenceOptions, ScoreLoss};

use super::judging::JudgeSpec;
use super::numbers::{MOST_FACTOR, count, number};

/// Completions of a prompt at most.
const MOST_GROUP: usize = 1024;

/// What a run learns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Objective {
    /// Question and answer → correction.
    #[default]
    Correction,
    /// Question → answer, by the model's own chat template.
    Sft,
    /// A policy, by a loss of pairs.
    Preference(PreferenceLoss),
    /// A scalar head that is higher for the chosen answer.
    Reward,
    /// A scalar head that is lower for the chosen answer, and above 0 for an unsafe one.
    Cost,
    /// A policy, by answers that are called good or bad.
    Kto,
    /// A policy, by rewards of what it writes itself.
    Policy(PolicyLoss),
}

impl Objective {
    fn names() -> String {
        let losses = PreferenceLoss::ALL.map(PreferenceLoss::name).join(", ");
        format!("correction, sft, {losses}, kto, reward, cost, grpo, rloo")
    }
}

impl FromStr for Objective {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "correction" => Ok(Self::Correction),
            "sft" => Ok(Self::Sft),
            "reward" => Ok(Self::Reward),
            "cost" => Ok(Self::Cost),
            "kto" => Ok(Self::Kto),
            "grpo" => Ok(Self::Policy(PolicyLoss::Grpo)),
            "rloo" => Ok(Self::Policy(PolicyLoss::Rloo)),
            name => match name.parse() {
                Ok(loss) => Ok(Self::Preference(loss)),
                Err(_) => Err(format!("`{name}` is not known; there are {}", Self::names())),
            },
        }
    }
}

impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Correction => f.write_str("correction"),
            Self::Sft => f.write_str("sft"),
            Self::Preference(loss) => loss.fmt(f),
            Self::Reward => f.write_str("reward"),
            Self::Cost => f.write_str("cost"),
            Self::Kto => f.write_str("kto"),
            Self::Policy(PolicyLoss::Grpo) => f.write_str("grpo"),
            Self::Policy(PolicyLoss::Rloo) => f.write_str("rloo"),
        }
    }
}

/// Learning from pairs.
#[derive(Args, Clone)]
#[command(next_help_heading = "Preferences")]
pub struct PairTrainArgs {
    /// What to learn
    #[arg(long, value_name = "NAME", default_value_t, help = format!("What to learn: {}. sft takes questions with a correction, else an answer; kto takes answers with a label, true or false; the others from dpo to cost take preference pairs; grpo and rloo take questions and --reward. All but the first use the model's own chat template", Objective::names()))]
    pub objective: Objective,
    /// Model that the policy is compared with: Hugging Face folder or GGUF file [default: the model before its training]
    #[arg(long, value_name = "PATH")]
    pub reference: Option<PathBuf>,
    /// How strongly log-probabilities count
    #[arg(long, default_value_t = PreferenceOptions::default().beta, value_parser = number(0.0, MOST_FACTOR))]
    pub beta: f64,
    /// For cdpo and robust: share of labels assumed to be flipped
    #[arg(long, default_value_t = PreferenceOptions::default().label_smoothing, value_parser = number(0.0, 0.5))]
    pub label_smoothing: f64,
    /// Margin for simpo
    #[arg(long, default_value_t = PreferenceOptions::default().gamma, value_parser = number(0.0, MOST_FACTOR))]
    pub gamma: f64,
    /// Weight of the mean negative log-likelihood of the chosen answer, which keeps it likely
    #[arg(long, default_value_t = PreferenceOptions::default().sft_weight, value_parser = number(0.0, MOST_FACTOR))]
    pub sft_weight: f64,
    /// For kto: weight of answers labelled good
    #[arg(long, default_value_t = KtoOptions::default().good_weight, value_parser = number(0.0, MOST_FACTOR))]
    pub desirable_weight: f64,
    /// For kto: weight of answers labelled bad
    #[arg(long, default_value_t = KtoOptions::default().bad_weight, value_parser = number(0.0, MOST_FACTOR))]
    pub undesirable_weight: f64,
    /// Weight of the squared sum of a pair's rewards, which keeps them around 0
    #[arg(long, default_value_t = 0.0, value_parser = number(0.0, MOST_FACTOR))]
    pub centre_rewards: f64,
    /// Weight of the mean squared reward, which keeps them small
    #[arg(long, default_value_t = 0.0, value_parser = number(0.0, MOST_FACTOR))]
    pub shrink_rewards: f64,
    /// For grpo and rloo: who scores the policy's outputs: flaws, answer, reward=DIR or cost=DIR
    #[arg(long, value_name = "JUDGE")]
    pub reward: Option<JudgeSpec>,
    /// Dimension of --reward, if it has several: helpful, harmless, honest, overall [default: overall]
    #[arg(long, value_name = "NAME", requires = "reward")]
    pub reward_dimension: Option<Dimension>,
    /// For grpo and rloo: completions per prompt, compared with each other
    #[arg(long, default_value_t = PolicyOptions::default().group, value_parser = count(2, MOST_GROUP))]
    pub group: usize,
    /// Temperature of these completions
    #[arg(long, default_value_t = PolicyOptions::default().temperature, value_parser = number(0.01, 100.0))]
    pub draw_temperature: f64,
}

impl PairTrainArgs {
    /// What is learnt of pairs; none of corrections and of rewards.
    pub fn of_pairs(&self) -> Option<PairObjective> {
        match self.objective {
            Objective::Correction | Objective::Sft | Objective::Kto | Objective::Policy(_) => None,
            Objective::Cost => Some(PairObjective::Score(ScoreLoss::Cost)),
            Objective::Preference(loss) => {
                let Self { beta, label_smoothing, gamma, sft_weight, .. } = *self;
                Some(PairObjective::Preference(PreferenceOptions { loss, beta, label_smoothing, gamma, sft_weight }))
            }
            Objective::Reward => Some(PairObjective::Score(ScoreLoss::Reward {
                centre: self.centre_rewards,
                shrink: self.shrink_rewards,
            })),
        }
    }
}
