//! What can be wrong with a contest.

use crate::judge::{Dimension, JudgeError};
use crate::win_rate::{Rule, WinRateError};

/// Why a contest was not held, or came to nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ContestError {
    /// The judge failed, or the user ended the work.
    #[error(transparent)]
    Judge(#[from] JudgeError),
    /// Verdicts cannot be summed up.
    #[error(transparent)]
    WinRate(#[from] WinRateError),
    /// No dimension is asked for.
    #[error("no dimension to judge by")]
    NoDimensions,
    /// A dimension is asked for twice.
    #[error("the dimension `{dimension}` is there twice")]
    DimensionTwice {
        /// The dimension.
        dimension: Dimension,
    },
    /// The judge is asked in one order, and the rule joins two.
    #[error("judge `{judge}` is asked in one drawn order, and the rule `{rule}` joins two")]
    OneOrder {
        /// The judge.
        judge: String,
        /// The rule.
        rule: Rule,
    },
    /// A system has two answers for one row.
    #[error("`{system}` has two answers for row {row}")]
    Twice {
        /// The system, with its coefficient.
        system: String,
        /// The row.
        row: usize,
    },
    /// Two systems come to one name.
    #[error("two systems are called `{system}`: one has the coefficient in its name")]
    SameName {
        /// The name of both.
        system: String,
    },
    /// Two answers for one row have different questions.
    #[error("row {row} has one question for `{first}` and another for `{second}`")]
    OtherQuestion {
        /// The row.
        row: usize,
        /// A system that was asked one question.
        first: String,
        /// A system that was asked another.
        second: String,
    },
    /// There are no answers of the baseline.
    #[error("the baseline `{baseline}` has no answers; {} have", list(.systems))]
    UnknownBaseline {
        /// The name asked for.
        baseline: String,
        /// The systems there are.
        systems: Vec<String>,
    },
    /// There are answers of the baseline only.
    #[error("only the baseline `{baseline}` has answers")]
    OnlyBaseline {
        /// Its name.
        baseline: String,
    },
    /// A system and the baseline answered different rows.
    #[error("`{system}` and the baseline `{baseline}` answered no row both")]
    NoCommonRows {
        /// The system.
        system: String,
        /// The baseline.
        baseline: String,
    },
}

/// Names as a sentence has them.
fn list(names: &[String]) -> String {
    match names.is_empty() {
        true => "no others".into(),
        false => names.join(", "),
    }
}

impl ContestError {
    /// What the reader can do about it, in one line.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Judge(error) => return error.hint(),
            Self::WinRate(error) => return error.hint(),
            Self::NoDimensions => "name one: helpful, harmless, honest or overall",
            Self::DimensionTwice { .. } => "name each dimension once",
            Self::OneOrder { .. } => "choose the rule `logprob`, or leave the rule to the judge",
            Self::Twice { .. } => "keep one of the two answers, or give the systems different names",
            Self::SameName { .. } => "give the systems different names",
            Self::OtherQuestion { .. } => "the answers were made on different files of rows; keep them apart",
            Self::UnknownBaseline { .. } => "name one of the systems that have answers as the baseline",
            Self::OnlyBaseline { .. } => "add the answers of another system",
            Self::NoCommonRows { .. } => "let both answer the same rows, or leave the system out",
        })
    }
}
