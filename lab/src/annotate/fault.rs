//! Why a reply is no annotation.

use serde::{Deserialize, Serialize};

/// What is wrong with a reply, or that there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FaultReason {
    /// The server refused the request, or the model declined; or the model has no room for it.
    NoReply,
    /// The length limit cut it.
    Cut,
    /// A score is missing, or is none.
    NoScore,
    /// An aspect has two scores that differ.
    TwoScores,
    /// It rates an answer that was not shown.
    UnknownAnswer,
    /// It holds no corrected answer.
    NoText,
}

redline_model::named_enum! {
    "fault", FaultReason {
        NoReply = "no_reply", Cut = "cut", NoScore = "no_score", TwoScores = "two_scores", UnknownAnswer = "unknown_answer", NoText = "no_text"
    }
}

/// Why a reply is no annotation, in a word and in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyFault {
    /// The word that faults are counted by.
    pub reason: FaultReason,
    /// What is wrong.
    pub message: String,
}
