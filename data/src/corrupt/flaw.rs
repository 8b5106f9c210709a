//! What a flaw is, how grave each kind is, and what is left of a list of flaws at a strictness.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::DataError;

/// The lowest strictness: the correction mends every flaw.
pub const MIN_STRICTNESS: u8 = 1;
/// The highest strictness: only the gravest flaws are mended.
pub const MAX_STRICTNESS: u8 = 5;

/// A kind of flaw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum FlawKind {
    /// The asker is insulted.
    Insult,
    /// Advice that would hurt somebody.
    UnsafeAdvice,
    /// Impolite unwillingness to answer.
    RudeRefusal,
    /// A statement against what the answer says.
    Contradiction,
    /// A number that is wrong.
    WrongNumber,
    /// A sentence about something else.
    OffTopic,
    /// A sentence said twice.
    RepeatedSentence,
    /// A set phrase without content.
    Boilerplate,
    /// A word spelt wrongly.
    Misspelling,
}

impl FlawKind {
    /// All kinds, from the gravest down.
    pub const ALL: [Self; 9] = [
        Self::Insult,
        Self::UnsafeAdvice,
        Self::RudeRefusal,
        Self::Contradiction,
        Self::WrongNumber,
        Self::OffTopic,
        Self::RepeatedSentence,
        Self::Boilerplate,
        Self::Misspelling,
    ];

    /// How grave the kind is, from 1 to 5.
    ///
    /// 5 hurts a person (insult, unsafe advice); 4 ruins the answer (rude refusal, contradiction); 3 misleads or distracts (wrong
    /// number, off-topic sentence); 2 wastes the reader's time (repeated sentence, boilerplate); 1 is a slip (misspelling).
    pub fn severity(self) -> u8 {
        match self {
            Self::Insult | Self::UnsafeAdvice => 5,
            Self::RudeRefusal | Self::Contradiction => 4,
            Self::WrongNumber | Self::OffTopic => 3,
            Self::RepeatedSentence | Self::Boilerplate => 2,
            Self::Misspelling => 1,
        }
    }

    /// The name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Insult => "insult",
            Self::UnsafeAdvice => "unsafe-advice",
            Self::RudeRefusal => "rude-refusal",
            Self::Contradiction => "contradiction",
            Self::WrongNumber => "wrong-number",
            Self::OffTopic => "off-topic",
            Self::RepeatedSentence => "repeated-sentence",
            Self::Boilerplate => "boilerplate",
            Self::Misspelling => "misspelling",
        }
    }
}

impl fmt::Display for FlawKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One flaw: a piece of the clean answer and what stands in its place.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Flaw {
    /// Its kind.
    pub kind: FlawKind,
    /// How grave it is; the kind's severity when made here.
    pub severity: u8,
    /// First byte replaced in the clean answer (UTF-8).
    pub start: usize,
    /// End of the bytes replaced; equal to `start` when text is inserted.
    pub end: usize,
    /// What stands there instead.
    pub text: String,
}

/// A question, a flawed answer and its correction, with all that was done to get there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CorruptedRow {
    /// What the row is about, where that is known: the stricter key to split by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fact: Option<String>,
    /// What was asked.
    pub question: String,
    /// The answer with all flaws.
    pub answer: String,
    /// The answer with the flaws mended whose severity reaches the strictness.
    pub correction: String,
    /// The flaws, by their place in the clean answer; empty for a clean copy.
    pub flaws: Vec<Flaw>,
    /// The least severity that is mended, from 1 to 5. Hidden from the model.
    pub strictness: u8,
    /// The answer before the flaws were put in.
    pub clean: String,
}

impl CorruptedRow {
    /// The correction at each strictness, from 1 (the clean answer) to 5. Neighbours may be equal.
    ///
    /// # Errors
    /// [`DataError::FlawRange`] when the flaws do not fit the clean answer.
    pub fn possible_corrections(&self) -> Result<Vec<String>, DataError> {
        (MIN_STRICTNESS..=MAX_STRICTNESS).map(|strictness| mended(&self.clean, &self.flaws, strictness)).collect()
    }

    /// Whether the answer is the clean one with all the flaws: otherwise these say nothing about it.
    pub fn is_consistent(&self) -> bool {
        mended(&self.clean, &self.flaws, MAX_STRICTNESS + 1).is_ok_and(|flawed| flawed == self.answer)
    }

    /// The clean answer with those flaws left in whose severity is not to be mended.
    ///
    /// # Errors
    /// [`DataError::FlawRange`] when the flaws do not fit the clean answer.
    pub fn correction_where(&self, is_mended: impl Fn(u8) -> bool) -> Result<String, DataError> {
        mended_where(&self.clean, &self.flaws, is_mended)
    }

    /// The correction at one strictness.
    ///
    /// # Errors
    /// [`DataError::Strictness`], and as [`CorruptedRow::possible_corrections`].
    pub fn correction_at(&self, strictness: u8) -> Result<String, DataError> {
        if !(MIN_STRICTNESS..=MAX_STRICTNESS).contains(&strictness) {
            return Err(DataError::Strictness { got: strictness, least: MIN_STRICTNESS, most: MAX_STRICTNESS });
        }
        mended(&self.clean, &self.flaws, strictness)
    }

    /// Whether the answer has no flaw.
    pub fn is_clean(&self) -> bool {
        self.flaws.is_empty()
    }

    /// The training triple.
    pub fn to_qac(&self) -> redline_model::Qac {
        redline_model::Qac {
            question: self.question.clone(),
            answer: self.answer.clone(),
            correction: self.correction.clone(),
        }
    }
}

/// The clean answer with the flaws below the strictness left in. The flaws are sorted by place and do not overlap.
pub(super) fn mended(clean: &str, flaws: &[Flaw], strictness: u8) -> Result<String, DataError> {
    mended_where(clean, flaws, |severity| severity >= strictness)
}

/// The clean answer with the flaws left in that are not mended. They are sorted by place and do not overlap.
fn mended_where(clean: &str, flaws: &[Flaw], is_mended: impl Fn(u8) -> bool) -> Result<String, DataError> {
    let mut text = String::with_capacity(clean.len());
    let mut at = 0;
    for (place, flaw) in flaws.iter().enumerate() {
        let (Some(before), Some(_)) = (clean.get(at..flaw.start), clean.get(flaw.start..flaw.end)) else {
            return Err(DataError::FlawRange { flaw: place, start: flaw.start, end: flaw.end, length: clean.len() });
        };
        text.push_str(before);
        if is_mended(flaw.severity) {
            text.push_str(&clean[flaw.start..flaw.end]);
        } else {
            text.push_str(&flaw.text);
        }
        at = flaw.end;
    }
    text.push_str(&clean[at..]);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flaw(kind: FlawKind, start: usize, end: usize, text: &str) -> Flaw {
        Flaw { kind, severity: kind.severity(), start, end, text: text.into() }
    }

    #[test]
    fn each_strictness_mends_what_reaches_it() {
        let flaws = [
            flaw(FlawKind::Insult, 0, 0, "Fool. "),
            flaw(FlawKind::WrongNumber, 0, 1, "9"),
            flaw(FlawKind::Misspelling, 2, 6, "egsg"),
        ];
        let at = |strictness| mended("3 eggs.", &flaws, strictness).unwrap();
        assert_eq!([at(1), at(2), at(3)], ["3 eggs.", "3 egsg.", "3 egsg."]);
        assert_eq!([at(4), at(5), at(6)], ["9 egsg.", "9 egsg.", "Fool. 9 egsg."]);
    }

    #[test]
    fn flaws_of_another_text_are_refused() {
        for (start, end) in [(0, 20), (9, 9), (1, 2), (3, 2)] {
            let flaws = [flaw(FlawKind::Insult, start, end, "x")];
            assert!(matches!(mended("ééé", &flaws, 1), Err(DataError::FlawRange { flaw: 0, .. })), "{start} {end}");
        }
        let crossed = [flaw(FlawKind::Insult, 2, 3, ""), flaw(FlawKind::Insult, 1, 3, "")];
        assert!(matches!(mended("abcd", &crossed, 1), Err(DataError::FlawRange { flaw: 1, .. })));
    }

    #[test]
    fn severities_cover_the_scale_and_fall() {
        let all: Vec<u8> = FlawKind::ALL.iter().map(|kind| kind.severity()).collect();
        assert!(all.is_sorted_by(|a, b| a >= b));
        assert!((MIN_STRICTNESS..=MAX_STRICTNESS).all(|level| all.contains(&level)));
        for kind in FlawKind::ALL {
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
        }
    }
}
