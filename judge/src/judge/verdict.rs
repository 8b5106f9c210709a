//! What a judge says about two answers, or why it says nothing.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A verdict on two answers, the first and the second as they were shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// The first is much better.
    StrongFirst,
    /// The first is better.
    First,
    /// Neither is better.
    Tie,
    /// The second is better.
    Second,
    /// The second is much better.
    StrongSecond,
    /// The probability that the first is better, in \[0, 1\].
    Soft(f64),
}

impl Verdict {
    /// The probability that the first is better, where a verdict without one counts as sure: 1, 0, and ½ for a tie.
    pub fn p_first(self) -> f64 {
        match self {
            Self::StrongFirst | Self::First => 1.0,
            Self::Tie => 0.5,
            Self::Second | Self::StrongSecond => 0.0,
            Self::Soft(p) => p,
        }
    }

    /// AlpacaEval's preference: 2 − p(first), so 1 is the first surely and 2 the second.
    pub fn preference(self) -> f64 {
        2.0 - self.p_first()
    }

    /// The same verdict on the two answers in the other order.
    #[must_use]
    pub fn swapped(self) -> Self {
        match self {
            Self::StrongFirst => Self::StrongSecond,
            Self::First => Self::Second,
            Self::Tie => Self::Tie,
            Self::Second => Self::First,
            Self::StrongSecond => Self::StrongFirst,
            Self::Soft(p) => Self::Soft(1.0 - p),
        }
    }
}

/// Why there is no verdict. It is counted, and is never a tie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NoVerdict {
    /// Nothing, or only reasoning that did not end.
    #[error("the reply is empty")]
    NoReply,
    /// None of the tokens that were asked for.
    #[error("the reply names no verdict")]
    NoToken,
    /// No score, or none between 1 and 10.
    #[error("the reply names no score between 1 and 10")]
    NoScore,
    /// A model that gives no log-probabilities, or numbers that are none.
    #[error("the reply has no log-probabilities")]
    NoLogProbs,
    /// Neither letter is among the likeliest tokens.
    #[error("neither letter is among the likeliest tokens")]
    NoLetter,
    /// The judge, or the service before it, declined.
    #[error("the judge declined to answer")]
    NoAnswer,
    /// The instrument cannot tell, such as a solution without a result.
    #[error("the judge cannot judge these texts")]
    NoInstrument,
}

/// A verdict, or why there is none, as the fields `verdict` and `p` of a record.
#[derive(Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
enum Fields {
    StrongFirst,
    First,
    Tie,
    Second,
    StrongSecond,
    Soft { p: f64 },
    NoReply,
    NoToken,
    NoScore,
    NoLogProbs,
    NoLetter,
    NoAnswer,
    NoInstrument,
}

/// Writes `verdict`, and `p` where the verdict is soft.
pub(super) fn serialize<S: Serializer>(outcome: &Result<Verdict, NoVerdict>, serializer: S) -> Result<S::Ok, S::Error> {
    let fields = match *outcome {
        Ok(Verdict::StrongFirst) => Fields::StrongFirst,
        Ok(Verdict::First) => Fields::First,
        Ok(Verdict::Tie) => Fields::Tie,
        Ok(Verdict::Second) => Fields::Second,
        Ok(Verdict::StrongSecond) => Fields::StrongSecond,
        Ok(Verdict::Soft(p)) => Fields::Soft { p },
        Err(NoVerdict::NoReply) => Fields::NoReply,
        Err(NoVerdict::NoToken) => Fields::NoToken,
        Err(NoVerdict::NoScore) => Fields::NoScore,
        Err(NoVerdict::NoLogProbs) => Fields::NoLogProbs,
        Err(NoVerdict::NoLetter) => Fields::NoLetter,
        Err(NoVerdict::NoAnswer) => Fields::NoAnswer,
        Err(NoVerdict::NoInstrument) => Fields::NoInstrument,
    };
    fields.serialize(serializer)
}

/// Reads `verdict`, and `p` where the verdict is soft.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Result<Verdict, NoVerdict>, D::Error> {
    Ok(match Fields::deserialize(deserializer)? {
        Fields::StrongFirst => Ok(Verdict::StrongFirst),
        Fields::First => Ok(Verdict::First),
        Fields::Tie => Ok(Verdict::Tie),
        Fields::Second => Ok(Verdict::Second),
        Fields::StrongSecond => Ok(Verdict::StrongSecond),
        Fields::Soft { p } => Ok(Verdict::Soft(p)),
        Fields::NoReply => Err(NoVerdict::NoReply),
        Fields::NoToken => Err(NoVerdict::NoToken),
        Fields::NoScore => Err(NoVerdict::NoScore),
        Fields::NoLogProbs => Err(NoVerdict::NoLogProbs),
        Fields::NoLetter => Err(NoVerdict::NoLetter),
        Fields::NoAnswer => Err(NoVerdict::NoAnswer),
        Fields::NoInstrument => Err(NoVerdict::NoInstrument),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn swapping_twice_is_nothing_and_once_mirrors_the_probability() {
        use Verdict::{First, Second, Soft, StrongFirst, StrongSecond, Tie};
        for verdict in [StrongFirst, First, Tie, Second, StrongSecond, Soft(0.25)] {
            assert_eq!(verdict.swapped().swapped(), verdict);
            assert_eq!(verdict.swapped().p_first(), 1.0 - verdict.p_first());
            assert_eq!(verdict.preference() + verdict.swapped().preference(), 3.0);
        }
        assert_eq!(First.preference(), 1.0);
        assert_eq!(StrongFirst.swapped(), StrongSecond);
    }
}
