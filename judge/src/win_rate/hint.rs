//! What the reader can do about what is wrong with verdicts.

use super::WinRateError;

impl WinRateError {
    /// What the reader can do about it, in one line.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Duplicate { .. } => "keep one row of each index",
            Self::NoInstruction { .. } => "give the instructions that the rows were made on; rows are matched by index",
            Self::Preference { .. } => "preferences run from 1 (baseline) to 2 (system); 0 and 1.5 are draws",
            Self::MissingDifficulty { .. } => "give every instruction a difficulty, or none",
            Self::TooFewSystems { .. } => "judge more coefficients or baselines, or report the raw win rate",
            Self::NoBattlesOf { .. } => "leave the model out, or judge it",
            Self::Disconnected { .. } => "judge pairs across the groups, or fit each group by itself",
            Self::Separable { .. } => "judge more pairs, or report the win rate with its Wilson interval",
            Self::SeparableStyle | Self::ConstantStyle { .. } | Self::DependentStyle { .. } => {
                "leave out a style feature"
            }
            Self::MissingOrder { .. } => "judge the pair with positions swapped too, or choose the rule `logprob`",
            Self::SoftVerdict { .. } => "choose the rule `logprob`, `mean` or `both`",
            Self::HardVerdict { .. } => "choose the rule `both`, `mean` or `arena`",
            Self::NoVerdicts { .. } | Self::NoPreferences { .. } => "look at the judge's raw replies",
            Self::NoResamples => "give at least 1000 resamples",
            Self::Regularisation { .. } => "leave C out; it is then chosen by cross-validation",
            _ => return None,
        })
    }
}
