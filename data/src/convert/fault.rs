//! Why a row makes none of another kind.

use super::format::{SourceFormat, Target};

/// Why a row cannot be converted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConvertFault {
    /// Rows of this format lack what the other kind needs.
    #[error("{} rows cannot become {}; they can become {}", format.name(), target.name(), names(format.gives()))]
    CannotGive {
        /// What the row is.
        format: SourceFormat,
        /// What it was to become.
        target: Target,
    },
    /// The two answers are the same.
    #[error("both answers are the same text, so neither is better")]
    EqualTexts,
    /// Nothing says which answer is better.
    #[error("`{field}` says of no answer that it is better than another")]
    NoBetter {
        /// What would say so.
        field: &'static str,
    },
    /// There is no other answer to compare with.
    #[error("no other row answers the same prompt")]
    SingleAnswer,
    /// What is said about safety does not fit together.
    #[error("the answer that is called the safer one is flagged unsafe, and the other one safe")]
    SafetyContradicts,
    /// The answer to learn from is flagged unsafe.
    #[error("the answer to learn from is flagged unsafe")]
    Unsafe,
    /// The score is neither good nor bad.
    #[error("a score of {score} is neither good nor bad")]
    MiddleScore {
        /// The score.
        score: String,
    },
    /// There is nothing that says whether the answer is good.
    #[error("nothing says whether the answer is good")]
    NoLabel,
    /// The rows of a dialogue make none.
    #[error("dialogue `{id}` {rule}")]
    Dialogue {
        /// Its name.
        id: String,
        /// What is wrong.
        rule: &'static str,
    },
}

impl ConvertFault {
    /// A short name of the reason, for counts.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::CannotGive { .. } => "cannot-give",
            Self::EqualTexts => "equal-texts",
            Self::NoBetter { .. } => "no-better-answer",
            Self::SingleAnswer => "single-answer",
            Self::SafetyContradicts => "safety-contradicts",
            Self::Unsafe => "unsafe",
            Self::MiddleScore { .. } => "middle-score",
            Self::NoLabel => "no-label",
            Self::Dialogue { .. } => "dialogue",
        }
    }

    /// What the reader can do about it, in one line.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::CannotGive { .. } => "choose one of these with --to",
            Self::EqualTexts | Self::SingleAnswer => "such rows are of use as answers only: --to answers",
            Self::NoBetter { .. } => "such rows can be converted with --to questions, or by another --dimension",
            Self::SafetyContradicts => "the labels contradict each other; leave the row out",
            Self::Unsafe => "with --to preferences and --dimension harmless such rows are kept, with their flags",
            Self::MiddleScore { .. } => "such rows can be converted with --to preferences or --to answers",
            Self::NoLabel => "give rows with a `label`, or pairs",
            Self::Dialogue { .. } => "mend the dialogue, or leave it out",
        }
    }
}

fn names(targets: &[Target]) -> String {
    targets.iter().map(|target| target.name()).collect::<Vec<_>>().join(", ")
}
