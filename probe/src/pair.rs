//! Contrast pairs: two token texts that differ in mode. Positive = correction, negative = copy, fixed here once.

use std::fmt;
use std::str::FromStr;

use redline_model::Model;
use redline_model::qac::Qac;
use redline_model::template::AlignerTemplate;
use redline_model::tokenizer::Tokenizer;
use serde::{Deserialize, Serialize};
use similar::{Algorithm, DiffOp, capture_diff_slices};

use crate::{Error, Result};

/// How the two texts of a pair are made from a triple.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PairDesign {
    /// The same prompt, with the correction (positive) and with the unchanged answer (negative) teacher-forced after it.
    #[default]
    Forced,
    /// The prompt with the flawed answer (positive: will correct) and with its correction in the answer's place
    /// (negative: will copy), both followed by the same correct output. At the last prompt token nothing of it is known.
    Decision,
    /// The prompts of *decision*, both followed by the same correct output up to the first place where the flawed
    /// answer departs: one must now deviate from copying, the other goes on copying.
    Edit,
    /// The same prompt, with the beginning of the correction (positive) and of the answer (negative), both up to the same
    /// place: the last tokens are equal, the next decision is the same, and only what was done before differs.
    History,
}

redline_model::named_enum! {
    "pair design", PairDesign { Forced = "forced", Decision = "decision", Edit = "edit", History = "history" }
}

/// Where a text is read. A text is a prompt of P tokens and an output; output token k stands at position P + k, and
/// its activation is the one after the model has read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum ReadAt {
    /// The last prompt token: nothing of the output is known yet.
    LastPromptToken,
    /// The last token of the text.
    LastToken,
    /// Output token k, from 0.
    OutputToken(usize),
    /// The mean over the first n output tokens.
    FirstTokens(usize),
    /// The mean over at most n output tokens, from the first in which the two texts differ.
    FromFirstDifference(usize),
    /// The output token so many places after (or before) the first in which correction and answer differ; one place before it,
    /// the model chooses the first token that differs.
    AtDifference(isize),
}

impl ReadAt {
    /// What suits a design: the tokens from the first difference on, where the outputs differ; else the end of what the
    /// two texts share.
    pub fn default_for(design: PairDesign) -> Self {
        match design {
            PairDesign::Forced => Self::FromFirstDifference(48),
            PairDesign::Decision => Self::LastPromptToken,
            PairDesign::Edit | PairDesign::History => Self::LastToken,
        }
    }

    /// Positions read in `text`; empty when the text is too short.
    pub fn positions(self, text: &TokenText, first_difference: usize) -> std::ops::Range<usize> {
        let (prompt, end) = (text.prompt.len(), text.len());
        let from_output = |start: usize, n: usize| (prompt + start).min(end)..(prompt + start + n).min(end);
        match self {
            Self::LastPromptToken => prompt.saturating_sub(1)..prompt,
            Self::LastToken => end.saturating_sub(1)..end,
            Self::OutputToken(k) => from_output(k, 1),
            Self::FirstTokens(n) => from_output(0, n),
            Self::FromFirstDifference(n) => from_output(first_difference, n),
            Self::AtDifference(offset) => match (prompt + first_difference).checked_add_signed(offset) {
                Some(position) if position + 1 >= prompt && position < end => position..position + 1,
                _ => end..end,
            },
        }
    }
}

impl fmt::Display for ReadAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LastPromptToken => f.write_str("last-prompt-token"),
            Self::LastToken => f.write_str("last-token"),
            Self::OutputToken(k) => write!(f, "output-token:{k}"),
            Self::FirstTokens(n) => write!(f, "first-tokens:{n}"),
            Self::FromFirstDifference(n) => write!(f, "from-first-difference:{n}"),
            Self::AtDifference(offset) => write!(f, "at-difference:{offset}"),
        }
    }
}

impl From<ReadAt> for String {
    fn from(place: ReadAt) -> Self {
        place.to_string()
    }
}

impl TryFrom<String> for ReadAt {
    type Error = redline_model::UnknownName;

    fn try_from(name: String) -> std::result::Result<Self, Self::Error> {
        name.parse()
    }
}

/// Farthest place that can be named: no model has so long a context.
const MOST_PLACE: usize = 1 << 20;

impl FromStr for ReadAt {
    type Err = redline_model::UnknownName;

    fn from_str(name: &str) -> std::result::Result<Self, Self::Err> {
        let unknown = || redline_model::UnknownName {
            what: "position to read",
            name: name.into(),
            known: "last-prompt-token, last-token, output-token:K, first-tokens:N, from-first-difference:N, at-difference:K",
        };
        let number = |text: &str, least: usize| {
            text.parse().ok().filter(|n| (least..=MOST_PLACE).contains(n)).ok_or_else(unknown)
        };
        match name.split_once(':') {
            None if name == "last-prompt-token" => Ok(Self::LastPromptToken),
            None if name == "last-token" => Ok(Self::LastToken),
            Some(("output-token", k)) => Ok(Self::OutputToken(number(k, 0)?)),
            Some(("first-tokens", n)) => Ok(Self::FirstTokens(number(n, 1)?)),
            Some(("from-first-difference", n)) => Ok(Self::FromFirstDifference(number(n, 1)?)),
            Some(("at-difference", offset)) => {
                let offset = offset.parse().ok().filter(|offset: &isize| offset.unsigned_abs() <= MOST_PLACE);
                offset.map(Self::AtDifference).ok_or_else(unknown)
            }
            _ => Err(unknown()),
        }
    }
}

/// A prompt and what follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenText {
    /// Tokens of the prompt, at least one.
    pub prompt: Vec<u32>,
    /// Tokens teacher-forced after it.
    pub output: Vec<u32>,
}

impl TokenText {
    /// Number of tokens.
    pub fn len(&self) -> usize {
        self.prompt.len() + self.output.len()
    }

    /// Whether the text holds no token.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Two texts that differ in mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContrastPair {
    /// Index of the triple it was made from.
    pub row: usize,
    /// Correction.
    pub positive: TokenText,
    /// Copy.
    pub negative: TokenText,
    /// First output token in which correction and answer differ.
    pub first_difference: usize,
}

impl ContrastPair {
    /// Whether the two texts differ up to the last position read: where they do not, their activations are the same.
    pub fn has_contrast(&self, read: ReadAt) -> bool {
        let seen = |text: &TokenText| {
            let end = read.positions(text, self.first_difference).end;
            [text.prompt.as_slice(), text.output.as_slice()].concat()[..end].to_vec()
        };
        seen(&self.positive) != seen(&self.negative)
    }
}

/// Why a triple gave no pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Skip {
    /// The correction equals the answer: there is no contrast.
    Identical,
    /// The text is longer than allowed.
    TooLong,
    /// Correction and answer differ in one place only, so that nothing was decided before it.
    OneDifference,
}

/// The pairs of many triples, and the triples that gave none.
#[derive(Debug, Clone, Default)]
pub struct PairSet {
    /// In the order of the triples.
    pub pairs: Vec<ContrastPair>,
    /// Index of the triple and reason.
    pub skipped: Vec<(usize, Skip)>,
}

/// Makes pairs of one design for one model.
pub struct PairBuilder<'a> {
    /// Of the model that will read the pairs.
    pub tokenizer: &'a Tokenizer,
    /// The Aligner's prompt.
    pub template: &'a AlignerTemplate,
    /// How pairs are made.
    pub design: PairDesign,
    /// Longest prompt with output, in tokens; at most the model's context.
    pub max_tokens: usize,
}

impl<'a> PairBuilder<'a> {
    /// For a model, whose context bounds `max_tokens`.
    ///
    /// # Errors
    /// The model has no tokenizer.
    pub fn new(model: &'a Model, template: &'a AlignerTemplate, design: PairDesign, max_tokens: usize) -> Result<Self> {
        let max_tokens = max_tokens.min(model.decoder.config().context);
        Ok(Self { tokenizer: model.tokenizer()?, template, design, max_tokens })
    }

    /// The pair of one triple.
    ///
    /// # Errors
    /// The correction equals the answer, or for *history* differs in one place only; the text is longer than `max_tokens`.
    pub fn pair(&self, row: usize, qac: &Qac) -> Result<ContrastPair> {
        let answer = self.output(&qac.answer)?;
        let correction = self.output(&qac.correction)?;
        let first_difference = answer.iter().zip(&correction).take_while(|(a, c)| a == c).count();
        if answer == correction {
            return Err(Error::IdenticalTexts { row });
        }
        let flawed = self.prompt(&qac.question, &qac.answer)?;
        let (positive, negative) = match self.design {
            PairDesign::Forced => {
                (TokenText { prompt: flawed.clone(), output: correction }, TokenText { prompt: flawed, output: answer })
            }
            PairDesign::History => {
                let [corrected, copied] = history(&correction, &answer).ok_or(Error::OneDifference { row })?;
                let text = |output: &[u32]| TokenText { prompt: flawed.clone(), output: output.to_vec() };
                (text(&correction[..corrected]), text(&answer[..copied]))
            }
            PairDesign::Decision | PairDesign::Edit => {
                let clean = self.prompt(&qac.question, &qac.correction)?;
                let n = if self.design == PairDesign::Edit { first_difference } else { correction.len() };
                let output = correction[..n].to_vec();
                (TokenText { prompt: flawed, output: output.clone() }, TokenText { prompt: clean, output })
            }
        };
        // what follows a forced output may be cut; the prompt may not, nor outputs whose last token is what they are made for
        let ends_matter = matches!(self.design, PairDesign::Edit | PairDesign::History);
        for text in [&positive, &negative] {
            let (what, tokens) = match ends_matter {
                true => ("the text", text.len()),
                false => ("the prompt", text.prompt.len()),
            };
            // a prompt needs room for an output
            if tokens + usize::from(!ends_matter) > self.max_tokens {
                return Err(Error::Model(redline_model::Error::ContextExceeded {
                    what: format!("{what} of row {row}"),
                    tokens,
                    context: self.max_tokens,
                }));
            }
        }
        let cut = |mut text: TokenText| {
            text.output.truncate(self.max_tokens - text.prompt.len());
            text
        };
        Ok(ContrastPair { row, positive: cut(positive), negative: cut(negative), first_difference })
    }

    /// The pairs of all triples; those without contrast or with too long a prompt are left out and listed.
    ///
    /// # Errors
    /// No pair is left, or the tokenizer fails.
    pub fn pairs<'q>(&self, triples: impl IntoIterator<Item = (usize, &'q Qac)>) -> Result<PairSet> {
        let mut set = PairSet::default();
        for (row, qac) in triples {
            match self.pair(row, qac) {
                Ok(pair) => set.pairs.push(pair),
                Err(Error::IdenticalTexts { .. }) => set.skipped.push((row, Skip::Identical)),
                Err(Error::Model(redline_model::Error::ContextExceeded { .. })) => {
                    set.skipped.push((row, Skip::TooLong))
                }
                Err(Error::OneDifference { .. }) => set.skipped.push((row, Skip::OneDifference)),
                Err(error) => return Err(error),
            }
        }
        if set.pairs.is_empty() {
            let count = |reason| set.skipped.iter().filter(|(_, skip)| *skip == reason).count();
            return Err(Error::NoContrast {
                identical: count(Skip::Identical),
                one_difference: count(Skip::OneDifference),
                too_long: count(Skip::TooLong),
            });
        }
        Ok(set)
    }

    /// Token ids of the Aligner's prompt.
    ///
    /// # Errors
    /// The tokenizer fails.
    pub fn prompt(&self, question: &str, answer: &str) -> Result<Vec<u32>> {
        Ok(self.tokenizer.encode_rendered(&self.template.render(question, answer))?)
    }

    /// Token ids of an output, with the end token where the tokenizer has one.
    fn output(&self, text: &str) -> Result<Vec<u32>> {
        let mut tokens = self.tokenizer.encode_text(text)?;
        tokens.extend(self.tokenizer.eos_id());
        Ok(tokens)
    }
}

/// Tokens that both texts must share before the last difference.
const SHARED_TOKENS: usize = 3;

/// How far the two texts go up to their last difference that a difference and some shared tokens precede.
fn history(correction: &[u32], answer: &[u32]) -> Option<[usize; 2]> {
    let runs = capture_diff_slices(Algorithm::Myers, correction, answer);
    let mut shared = runs.iter().enumerate().filter_map(|(place, run)| match *run {
        DiffOp::Equal { old_index, new_index, len } if len >= SHARED_TOKENS => {
            let is_between = place + 1 < runs.len() && (place > 0);
            is_between.then_some([old_index + len, new_index + len])
        }
        _ => None,
    });
    shared.next_back()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn history_ends_before_the_last_difference() {
        let correction = [1, 2, 3, 4, 5, 6, 7];
        assert_eq!(history(&correction, &[9, 1, 2, 3, 4, 9, 5, 6, 7]), Some([4, 5]));
        assert_eq!(history(&correction, &[1, 9, 2, 3, 4, 9, 9, 5, 9, 6, 7]), Some([4, 5]));
        // one difference; or none before, or too little shared between
        assert_eq!(history(&correction, &[1, 2, 3, 4, 9, 5, 6, 7]), None);
        assert_eq!(history(&correction, &[9, 1, 9, 2, 9, 3, 4, 5, 6, 7]), None);
        assert_eq!(history(&correction, &correction), None);
    }

    fn text(prompt: usize, output: usize) -> TokenText {
        TokenText { prompt: vec![0; prompt], output: vec![1; output] }
    }

    #[test]
    fn positions_read() {
        let text = text(5, 4);
        assert_eq!(ReadAt::LastPromptToken.positions(&text, 2), 4..5);
        assert_eq!(ReadAt::LastToken.positions(&text, 2), 8..9);
        assert_eq!(ReadAt::OutputToken(1).positions(&text, 2), 6..7);
        assert_eq!(ReadAt::FirstTokens(20).positions(&text, 2), 5..9);
        assert_eq!(ReadAt::FromFirstDifference(1).positions(&text, 2), 7..8);
        assert!(ReadAt::OutputToken(4).positions(&text, 2).is_empty());
        assert_eq!(ReadAt::AtDifference(0).positions(&text, 2), 7..8);
        assert_eq!(ReadAt::AtDifference(-3).positions(&text, 2), 4..5, "the last prompt token");
        for offset in [-4, -9, 2] {
            assert!(ReadAt::AtDifference(offset).positions(&text, 2).is_empty(), "{offset}");
        }
    }

    #[test]
    fn places_are_stored_by_the_names_that_options_take() {
        for name in [
            "last-prompt-token",
            "last-token",
            "output-token:3",
            "first-tokens:20",
            "from-first-difference:48",
            "at-difference:-2",
        ] {
            let place: ReadAt = name.parse().unwrap();
            let json = serde_json::to_string(&place).unwrap();
            assert_eq!(json, format!("\"{name}\""));
            assert_eq!(serde_json::from_str::<ReadAt>(&json).unwrap(), place);
        }
        assert!(serde_json::from_str::<ReadAt>("\"first-tokens:0\"").is_err());
    }

    #[test]
    fn texts_without_contrast() {
        let text = |output: &[u32]| TokenText { prompt: vec![7, 8], output: output.to_vec() };
        let (positive, negative) = (text(&[1, 2, 3]), text(&[1, 9, 3]));
        let pair = ContrastPair { row: 0, positive, negative, first_difference: 1 };
        let reads = [ReadAt::LastPromptToken, ReadAt::OutputToken(0), ReadAt::AtDifference(-1)];
        assert!(reads.iter().all(|read| !pair.has_contrast(*read)));
        let reads = [ReadAt::OutputToken(2), ReadAt::AtDifference(0), ReadAt::FirstTokens(2), ReadAt::LastToken];
        assert!(reads.iter().all(|read| pair.has_contrast(*read)));
    }

    #[test]
    fn names_round_trip() {
        let names =
            ["last-prompt-token", "last-token", "output-token:0", "first-tokens:20", "from-first-difference:48"];
        for name in names.into_iter().chain(["at-difference:-3", "at-difference:0"]) {
            assert_eq!(name.parse::<ReadAt>().unwrap().to_string(), name);
        }
        for name in ["", "first-tokens:0", "first-tokens", "output-token:x"] {
            assert!(name.parse::<ReadAt>().is_err(), "{name}");
        }
        for name in ["forced", "decision", "edit", "history"] {
            assert_eq!(name.parse::<PairDesign>().unwrap().to_string(), name);
        }
    }
}
