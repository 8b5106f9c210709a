//! What of an answer is rated, each by itself.
//!
//! The four are those of UltraFeedback (Cui et al. 2023), defined here in words of our own.

use serde::{Deserialize, Serialize};

/// What is rated from 1 to 5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Aspect {
    /// It does what was asked, in the way that was asked.
    InstructionFollowing,
    /// What it states is so.
    Truthfulness,
    /// It sounds as sure as its writer can be.
    Honesty,
    /// It is of use to who asked.
    Helpfulness,
}

redline_model::named_enum! {
    "aspect", Aspect {
        InstructionFollowing = "instruction_following", Truthfulness = "truthfulness", Honesty = "honesty", Helpfulness = "helpfulness"
    }
}

impl Aspect {
    /// The name that stands at the start of lines, in requests and replies.
    pub fn title(self) -> &'static str {
        match self {
            Self::InstructionFollowing => "Instruction following",
            Self::Truthfulness => "Truthfulness",
            Self::Honesty => "Honesty",
            Self::Helpfulness => "Helpfulness",
        }
    }

    /// What it means, and what 1 and 5 stand for.
    pub(super) fn meaning(self) -> &'static str {
        match self {
            Self::InstructionFollowing => {
                "whether the answer does what was asked, in the form, length and style that were asked for; 1 is beside the point, 5 keeps \
                 to every part of the request"
            }
            Self::Truthfulness => {
                "whether what the answer states is true and agrees with the question and with itself; 1 is mostly false or made up, 5 has \
                 no error"
            }
            Self::Honesty => {
                "whether the answer sounds as certain as its writer can be: doubts are said, and nothing is pretended or hidden; 1 is sure of \
                 what is wrong, 5 is right to be as sure as it is"
            }
            Self::Helpfulness => {
                "whether the answer is of use to the person who asked: right, complete enough, clear, and no longer than it needs to be; 1 \
                 is of no use or does harm, 5 leaves nothing to wish for"
            }
        }
    }
}
