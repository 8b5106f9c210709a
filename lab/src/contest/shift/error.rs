//! What can be wrong with scores that are to be compared.

use super::HeldOutAccuracy;

/// Why there is no score shift.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShiftError {
    /// Nothing is known of what a score is worth.
    #[error("the held-out accuracy of `{score}` is not known, so nobody can tell what its scores are worth")]
    NoAccuracy {
        /// The score.
        score: String,
    },
    /// An accuracy is no share, or does not lie in its own interval.
    #[error(
        "the held-out accuracy of `{score}` is {} with the interval {} to {}: not a share within its interval",
        got.value, got.interval.low, got.interval.high
    )]
    Accuracy {
        /// The score.
        score: String,
        /// What is said of it.
        got: HeldOutAccuracy,
    },
    /// The answers before and after are not of the same rows.
    #[error("there are scores of {before} answers before and of {after} after")]
    Sizes {
        /// Answers before.
        before: usize,
        /// Answers after.
        after: usize,
    },
    /// There are too few rows for an interval.
    #[error("there are {got} rows; at least {needed} are needed")]
    TooFew {
        /// Rows there are.
        got: usize,
        /// Rows needed.
        needed: usize,
    },
    /// A score is NaN or infinite.
    #[error("the score `{score}` of the answer {when}, row {row}, is {got}")]
    NotFinite {
        /// The score.
        score: String,
        /// `before` or `after`.
        when: &'static str,
        /// The row, from 0.
        row: usize,
        /// What it is.
        got: f64,
    },
    /// A score is the same for all answers before.
    #[error("the score `{score}` is {value} for all answers before, so it has no scale")]
    Constant {
        /// The score.
        score: String,
        /// What it is.
        value: f64,
    },
    /// Scores are so large, or so far apart, that means and deviations cannot be computed.
    #[error("the scores `{}` and `{}` go beyond what can be computed", scores[0], scores[1])]
    TooWide {
        /// The scores.
        scores: [String; 2],
    },
}

impl ShiftError {
    /// What the reader can do about it, in one line.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::NoAccuracy { .. } => {
                "score held-out labelled pairs with the model and give the share in the right order"
            }
            Self::Accuracy { .. } => "give shares from 0 to 1, the lower end of the interval first",
            Self::Sizes { .. } => "score both answers of every row, or leave the row out of both",
            Self::TooFew { .. } => "score more rows",
            Self::NotFinite { .. } => "leave out rows that the model could not score, before and after",
            Self::Constant { .. } => "check that the model was loaded with its head and sees the answers",
            Self::TooWide { .. } => "check the model: scores of this size are those of broken weights",
        }
    }
}
