//! Rows whose correction depends on an instruction in the prompt.

use std::collections::HashSet;

use redline_model::random::Random;
use serde::{Deserialize, Serialize};

use super::TraitCorpus;
use super::material::Told;
use crate::corrupt::{CorruptOptions, CorruptedRow, Corruptor, MAX_STRICTNESS, MIN_STRICTNESS};
use crate::error::DataError;

/// Tells these random numbers from those of other uses of the same seed.
const STREAM: u64 = 0x0074_7a18;
/// Draws for one text before it is given up.
const DRAWS_PER_TEXT: usize = 400;

/// What an Aligner is asked for beside correcting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Instruction {
    /// Nothing: all flaws are mended.
    None,
    /// All flaws are mended, and an acknowledgement is put in.
    Empathy,
    /// Flaws of severity 2 to 4 are mended.
    Helpful,
    /// Flaws of severity 5 are mended.
    Harmless,
}

redline_model::named_enum! {
    "instruction", Instruction { None = "none", Empathy = "empathy", Helpful = "helpful", Harmless = "harmless" }
}

impl Instruction {
    /// Whether flaws of a severity are mended.
    pub fn mends(self, severity: u8) -> bool {
        match self {
            Self::None | Self::Empathy => true,
            Self::Helpful => (MIN_STRICTNESS + 1..MAX_STRICTNESS).contains(&severity),
            Self::Harmless => severity == MAX_STRICTNESS,
        }
    }

    /// The least severity that is mended.
    fn strictness(self) -> u8 {
        (MIN_STRICTNESS..=MAX_STRICTNESS).find(|&severity| self.mends(severity)).unwrap_or(MAX_STRICTNESS)
    }

    /// The wording that it is measured with; empty for none.
    ///
    /// # Errors
    /// [`DataError::Material`] when the build's own files are broken.
    pub fn wording(self) -> Result<String, DataError> {
        let corpus = TraitCorpus::built_in(super::Trait::Empathy)?;
        Ok(corpus.wording(self, None))
    }
}

/// A row with flaws, and what the prompt asks for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct InstructedRow {
    /// The row; its correction is the one that was asked for. Its strictness is the least severity that the instruction has mended, which for
    /// [`Instruction::Helpful`] says less than the instruction.
    #[serde(flatten)]
    pub row: CorruptedRow,
    /// What the prompt says; nothing where it asks for nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub instruction: String,
    /// What that means.
    pub asked: Instruction,
}

/// How to write rows with an instruction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct InstructOptions {
    /// The seed of everything random.
    pub seed: u64,
    /// Rows to write.
    pub n_rows: usize,
    /// The share of texts that have no flaw.
    pub clean_share: f64,
}

impl Default for InstructOptions {
    fn default() -> Self {
        Self { seed: 0, n_rows: 1000, clean_share: 1.0 / 3.0 }
    }
}

/// A text that flaws are put into.
enum Clean {
    Situation(Told),
    Fact { question: String, answer: String, fact: String },
}

impl TraitCorpus {
    /// Writes rows with an instruction, text by text: each text under all instructions that it can follow, so that nothing but the instruction
    /// tells their corrections apart. Texts about a situation and about a fact take turns; only the first can follow
    /// [`Instruction::Empathy`].
    ///
    /// # Errors
    /// [`DataError::Share`] for a share of clean texts outside 0 … 1, [`DataError::TooFewTexts`] when there are not so many texts.
    pub fn instructed_rows(&self, options: &InstructOptions) -> Result<Vec<InstructedRow>, DataError> {
        let corruptor = Corruptor::new(CorruptOptions { seed: options.seed, clean_share: options.clean_share })?;
        self.instructed_rows_by(&corruptor, options)
    }

    /// The same with flaws of a corruptor's own phrases.
    ///
    /// # Errors
    /// As [`TraitCorpus::instructed_rows`].
    pub fn instructed_rows_by(
        &self,
        corruptor: &Corruptor,
        options: &InstructOptions,
    ) -> Result<Vec<InstructedRow>, DataError> {
        let InstructOptions { seed, n_rows, .. } = *options;
        // a pair of texts gives seven rows
        let mut facts = self.facts.texts(seed, n_rows / 7 + 1)?.into_iter();
        let (mut seen, mut rows) = (HashSet::new(), Vec::with_capacity(n_rows));
        for text in 0.. {
            if rows.len() >= n_rows {
                break;
            }
            let mut rng = Random::of_row(seed, STREAM, text);
            let fact = if text % 2 == 1 { facts.next() } else { None };
            let clean = match fact {
                Some(text) => Clean::Fact { question: text.question, answer: text.answer, fact: text.fact },
                None => Clean::Situation(
                    (0..DRAWS_PER_TEXT)
                        .find_map(|_| self.told(&mut rng).filter(|told| seen.insert(told.question.clone())))
                        .ok_or(DataError::TooFewTexts { got: rows.len(), asked: n_rows })?,
                ),
            };
            self.of_text(text, &clean, corruptor, &mut rng, &mut rows)?;
        }
        rows.truncate(n_rows);
        Ok(rows)
    }

    /// The rows of one text, one for each instruction.
    fn of_text(
        &self,
        number: u64,
        clean: &Clean,
        corruptor: &Corruptor,
        rng: &mut Random,
        rows: &mut Vec<InstructedRow>,
    ) -> Result<(), DataError> {
        let (question, answer, fact) = match clean {
            Clean::Situation(told) => (&told.question, &told.answer, &told.situation),
            Clean::Fact { question, answer, fact } => (question, answer, fact),
        };
        let flawed = corruptor.corrupt(number, question, answer)?;
        for asked in Instruction::ALL {
            let mut correction = flawed.correction_where(|severity| asked.mends(severity))?;
            if asked == Instruction::Empathy {
                let Clean::Situation(told) = clean else { continue };
                let acknowledged = self.acknowledged(told, &correction, rng);
                let Some((text, _)) = acknowledged else { continue };
                correction = text;
            }
            let row =
                CorruptedRow { fact: Some(fact.clone()), correction, strictness: asked.strictness(), ..flawed.clone() };
            rows.push(InstructedRow { row, instruction: self.wording(asked, Some(&mut *rng)), asked });
        }
        Ok(())
    }

    /// One of the wordings, the first without random numbers; empty where nothing is asked for.
    pub(super) fn wording(&self, asked: Instruction, rng: Option<&mut Random>) -> String {
        let Some(list) = self.instructions.get(asked.name()) else { return String::new() };
        let mut first = Random::of_row(0, 0, 0);
        let (phrase, rng) = match rng {
            Some(rng) => (rng.pick(list), rng),
            None => (list.first(), &mut first),
        };
        phrase.map(|phrase| phrase.expand(&Default::default(), rng)).unwrap_or_default()
    }
}
