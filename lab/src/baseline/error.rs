//! Why a baseline cannot be run.

/// Why a baseline cannot be run.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BaselineError {
    /// A name that no protocol has.
    #[error("unknown baseline `{name}`; known: {known}")]
    UnknownProtocol {
        /// The name given.
        name: String,
        /// The names there are.
        known: &'static str,
    },
    /// So many rounds of critique and revision are not run.
    #[error("constitutional takes 1 to {most} rounds, got {got}")]
    Rounds {
        /// How many are asked for.
        got: usize,
        /// How many can be.
        most: usize,
    },
    /// So many attempts are not made.
    #[error("self-refine takes 2 to {most} attempts, of which the first is the answer as it is, got {got}")]
    Attempts {
        /// How many are asked for.
        got: usize,
        /// How many can be.
        most: usize,
    },
    /// Nothing is drawn.
    #[error("the best of {got} answers cannot be chosen")]
    Draws {
        /// How many are asked for.
        got: usize,
    },
    /// The temperature is no temperature, or one at which all draws are the same.
    #[error("answers are drawn at a finite temperature above 0, got {got}")]
    Temperature {
        /// What is asked for.
        got: f64,
    },
    /// Nothing can be written.
    #[error("replies have no room: at most 0 tokens")]
    NoRoom,
    /// A writer breaks its contract.
    #[error("`{writer}` was asked {asked} times and replied {got} times")]
    Replies {
        /// Name of the model.
        writer: String,
        /// Conversations that it was sent.
        asked: usize,
        /// Replies that it gave.
        got: usize,
    },
}

impl BaselineError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::UnknownProtocol { .. } => "choose one of those known",
            Self::Rounds { .. } => "name it `constitutional`, or `constitutional-2` to `constitutional-4`",
            Self::Attempts { .. } => "name it `self-refine`, or `self-refine-2` to `self-refine-4`",
            Self::Draws { .. } => "draw at least 1",
            Self::Temperature { .. } => "take 1, which is what others report",
            Self::NoRoom => "allow at least 1 token; a critique needs some hundred",
            Self::Replies { .. } => return None,
        })
    }
}
