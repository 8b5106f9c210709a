//! Why rows cannot be annotated.

use super::aspect::Aspect;

/// Why rows cannot be annotated.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AnnotateError {
    /// Nothing is rated.
    #[error("no aspect is to be rated")]
    NoAspects,
    /// An aspect stands in the list twice.
    #[error("{aspect} is to be rated twice")]
    AspectTwice {
        /// The aspect.
        aspect: Aspect,
    },
    /// So many answers are not shown together.
    #[error("1 to {most} answers are shown together, got {got}")]
    Together {
        /// How many are asked for.
        got: usize,
        /// How many can be.
        most: usize,
    },
    /// Replies have no room.
    #[error("replies have no room: at most 0 tokens")]
    NoRoom,
    /// All questions were refused.
    #[error("none of the {n_questions} questions may be annotated: all are among those that must not be, or nearly so")]
    AllRefused {
        /// How many there were.
        n_questions: usize,
    },
    /// One reply after the other was no annotation.
    #[error("{n} replies in a row are no annotation; the last one: {last}")]
    InARow {
        /// How many.
        n: usize,
        /// What is wrong with the last one.
        last: String,
    },
    /// Nobody replies: the settings are at fault.
    #[error("not one of the first {n} requests was answered; the last one: {last}")]
    Unanswered {
        /// How many.
        n: usize,
        /// What is wrong with the last one.
        last: String,
    },
    /// A writer breaks its contract.
    #[error("`{writer}` was asked {asked} times and replied {got} times")]
    Replies {
        /// Name of the model.
        writer: String,
        /// Requests that it was sent.
        asked: usize,
        /// Replies that it gave.
        got: usize,
    },
}

impl AnnotateError {
    /// What to do about it, where that is known.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::NoAspects | Self::AspectTwice { .. } => "name each aspect once",
            Self::Together { .. } => "4 is what UltraFeedback shows",
            Self::NoRoom => "allow at least 1 token; ratings of four answers need some 800",
            Self::AllRefused { .. } => "take other rows, or other questions that must not be annotated",
            Self::Unanswered { .. } => {
                "check that --model is the base URL of an OpenAI-compatible server (it often ends in /v1), `#` and a model that it has; nothing was kept, and the same command begins anew"
            }
            Self::InARow { .. } => {
                "read `raw` in the file of annotations; with another model, more tokens or fewer answers together, ask again what failed"
            }
            Self::Replies { .. } => return None,
        })
    }
}
