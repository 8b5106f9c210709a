//! Rows that teach a trait.

use std::collections::HashSet;

use redline_model::Qac;
use redline_model::random::Random;
use serde::{Deserialize, Serialize};

use super::{Trait, TraitCorpus};
use crate::error::DataError;

/// Tells these random numbers from those of other uses of the same seed.
const STREAM: u64 = 0x0074_7a17;
/// Draws for one row before it is given up.
const DRAWS_PER_ROW: usize = 400;

/// Why a row is what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TraitKind {
    /// The plain answer gets an acknowledgement.
    Added,
    /// The answer acknowledges already, and stays.
    Present,
    /// Nobody tells of anything, and the answer stays.
    NothingTold,
}

/// A row that teaches a trait: a plain answer and the same with an acknowledgement in it, or a copy.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TraitRow {
    /// What was asked.
    pub question: String,
    /// The answer.
    pub answer: String,
    /// The answer as it should be.
    pub correction: String,
    /// The trait.
    #[serde(rename = "trait")]
    pub taught: Trait,
    /// What became of the answer.
    pub kind: TraitKind,
    /// The situation, as `situation/NAME`, or the fact that is asked about: the stricter key to split by.
    pub fact: String,
    /// The phrase of the acknowledgement, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phrase: Option<String>,
}

impl TraitRow {
    /// The training triple.
    pub fn to_qac(&self) -> Qac {
        let Self { question, answer, correction, .. } = self.clone();
        Qac { question, answer, correction }
    }

    /// Whether the answer stays as it is.
    pub fn is_copy(&self) -> bool {
        self.answer == self.correction
    }
}

/// How to write rows of a trait.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TraitOptions {
    /// The seed of everything random.
    pub seed: u64,
    /// Rows to write.
    pub n_rows: usize,
    /// The share of rows that are copies: half of them since they acknowledge already, half since nothing is told.
    pub clean_share: f64,
}

impl Default for TraitOptions {
    fn default() -> Self {
        Self { seed: 0, n_rows: 1000, clean_share: 1.0 / 3.0 }
    }
}

impl TraitCorpus {
    /// Writes rows, no two with the same question and none with an answer that another one has. The same options write the same rows.
    ///
    /// # Errors
    /// [`DataError::Share`] for a share of copies outside 0 … 1, [`DataError::TooFewTexts`] when the situations do not hold so many rows.
    pub fn rows(&self, options: &TraitOptions) -> Result<Vec<TraitRow>, DataError> {
        let TraitOptions { seed, n_rows, clean_share } = *options;
        if !(0.0..=1.0).contains(&clean_share) {
            return Err(DataError::Share { what: "the share of copies", got: clean_share });
        }
        let copies_per_million = (clean_share * 1e6).round() as usize;
        let mut facts = self.facts.texts(seed, facts_needed(n_rows, clean_share))?.into_iter();
        let (mut seen, mut rows) = (HashSet::new(), Vec::with_capacity(n_rows));
        for row in 0..n_rows as u64 {
            let mut rng = Random::of_row(seed, STREAM, row);
            let is_copy = rng.chance(copies_per_million, 1_000_000);
            let nothing_told = is_copy && rng.chance(1, 2);
            let made = match nothing_told.then(|| facts.next()).flatten() {
                Some(text) => Some(TraitRow {
                    question: text.question,
                    correction: text.answer.clone(),
                    answer: text.answer,
                    taught: self.taught,
                    kind: TraitKind::NothingTold,
                    fact: text.fact,
                    phrase: None,
                }),
                None => (0..DRAWS_PER_ROW).find_map(|_| {
                    let row = self.row(is_copy, &mut rng)?;
                    seen.insert(row.question.clone()).then_some(row)
                }),
            };
            rows.push(made.ok_or(DataError::TooFewTexts { got: rows.len(), asked: n_rows })?);
        }
        Ok(rows)
    }

    /// A row about a situation.
    fn row(&self, is_copy: bool, rng: &mut Random) -> Option<TraitRow> {
        let told = self.told(rng)?;
        let (acknowledged, phrase) = self.acknowledged(&told, &told.answer, rng)?;
        let (kind, answer) = match is_copy {
            true => (TraitKind::Present, acknowledged.clone()),
            false => (TraitKind::Added, told.answer),
        };
        let (question, taught) = (told.question, self.taught);
        Some(TraitRow {
            question,
            answer,
            correction: acknowledged,
            taught,
            kind,
            fact: told.situation,
            phrase: Some(phrase),
        })
    }
}

/// Facts that rows in which nothing is told may need, with some to spare; rows beyond them tell of a situation.
fn facts_needed(n_rows: usize, clean_share: f64) -> usize {
    let expected = n_rows as f64 * clean_share / 2.0;
    ((expected + 4.0 * expected.sqrt()).ceil() as usize).min(n_rows)
}
