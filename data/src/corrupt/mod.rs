//! Putting graded flaws into clean answers.
//!
//! A row gets up to five flaws (each misspelt word counts as a part of one), of different severities where possible, and a hidden
//! **strictness** drawn evenly from 1 to 5: the correction mends exactly the flaws whose severity reaches it and copies the rest.
//! A corrector that always mends everything has no dial to find; annotators who differ in strictness make one. About a third of the
//! rows stay clean copies.
//!
//! Every flaw is an edit of the clean answer (a byte range and what stands in its place), so that the correction at each strictness
//! can be written down ([`CorruptedRow::possible_corrections`]). A row is a function of the seed, the row's number and its text, and
//! of nothing else: the same bytes on any machine.
//!
//! # Example
//! ```
//! use redline_data::corrupt::{CorruptOptions, Corruptor};
//!
//! let corruptor = Corruptor::new(CorruptOptions { seed: 1, clean_share: 0.0 })?;
//! let row = corruptor.corrupt(0, "How hot is boiling water?", "Water boils at 100 degrees. Salt raises that a little.")?;
//! assert_ne!(row.answer, row.clean);
//! assert_eq!(row.possible_corrections()?[0], row.clean);
//! # Ok::<(), redline_data::DataError>(())
//! ```

mod find;
mod flaw;
mod negation;
mod numbers;
mod place;
mod sentences;
mod spelling;
#[cfg(test)]
mod tests;

pub use find::FoundFlaws;
pub use flaw::{CorruptedRow, Flaw, FlawKind, MAX_STRICTNESS, MIN_STRICTNESS};
pub(super) use negation::begins_small;
pub(super) use sentences::sentences;

use super::error::DataError;
use super::material::{Lists, read_lists};
use super::shared::held_out;
use flaw::mended;
use place::Draft;
use redline_model::random::Random;

const PHRASES: &str = include_str!("../../../assets/data/flaws.txt");
/// Tells these random numbers from those of other uses of the same seed.
const STREAM: u64 = 0x00c0_44b7;

/// Tells the random numbers of a split from others.
const SPLIT_STREAM: u64 = 0x00c0_44b8;
/// The list of words that begin a contradiction.
const LEADS: &str = "contradiction-lead";

/// How to corrupt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CorruptOptions {
    /// The seed of everything random.
    pub seed: u64,
    /// The share of rows that stay clean copies.
    pub clean_share: f64,
}

impl Default for CorruptOptions {
    fn default() -> Self {
        Self { seed: 0, clean_share: 1.0 / 3.0 }
    }
}

/// Puts flaws into answers.
#[derive(Debug, Clone)]
pub struct Corruptor {
    seed: u64,
    /// Clean rows in a million.
    clean_per_million: usize,
    phrases: Lists,
}

impl Corruptor {
    /// Checks the options and reads the built-in phrases.
    ///
    /// # Errors
    /// [`DataError::Share`].
    pub fn new(options: CorruptOptions) -> Result<Self, DataError> {
        let CorruptOptions { seed, clean_share } = options;
        if !(0.0..=1.0).contains(&clean_share) {
            return Err(DataError::Share { what: "the share of clean rows", got: clean_share });
        }
        let phrases = read_lists("flaws.txt", PHRASES)?;
        Ok(Self { seed, clean_per_million: (clean_share * 1e6).round() as usize, phrases })
    }

    /// Parts the phrases that flaws are made of into those to train on and those to hold out, list by list; words that lead in a contradiction are in
    /// both.
    ///
    /// # Errors
    /// [`DataError::Share`] for a share that leaves a part empty.
    pub fn split_phrases(&self, held_out_share: f64, seed: u64) -> Result<[Self; 2], DataError> {
        let mut parts = [self.clone(), self.clone()];
        for (number, (name, list)) in (0..).zip(&self.phrases).filter(|(_, (name, _))| *name != LEADS) {
            let places: Vec<usize> = (0..list.len()).collect();
            let held_out = held_out(&places, held_out_share, &mut Random::of_row(seed, SPLIT_STREAM, number))?;
            for (part, is_held_out) in parts.iter_mut().zip([false, true]) {
                let of_part = places.iter().filter(|place| held_out.contains(*place) == is_held_out);
                part.phrases.insert(name.clone(), of_part.map(|&place| list[place].clone()).collect());
            }
        }
        Ok(parts)
    }

    /// The name of the phrase that a flaw is made of, such as `insult/3`; none for flaws made of the answer itself (numbers, misspellings, repeated
    /// or negated sentences) and for texts of another origin. Names are those of this corruptor's phrases.
    pub fn phrase_of(&self, flaw: &Flaw) -> Option<String> {
        let lists: &[&str] = match flaw.kind {
            FlawKind::Boilerplate => &["boilerplate-opening", "boilerplate-closing"],
            FlawKind::WrongNumber | FlawKind::RepeatedSentence | FlawKind::Misspelling => &[],
            kind => &[kind.name()],
        };
        lists.iter().find_map(|name| {
            let place = self.phrases.get(*name)?.iter().position(|phrase| phrase.says(&flaw.text))?;
            Some(format!("{name}/{place}"))
        })
    }

    /// The row with this number, made from a question and a clean answer.
    ///
    /// # Errors
    /// [`DataError::EmptyAnswer`].
    pub fn corrupt(&self, row: u64, question: &str, clean: &str) -> Result<CorruptedRow, DataError> {
        if clean.trim().is_empty() {
            return Err(DataError::EmptyAnswer { row });
        }
        let mut rng = Random::of_row(self.seed, STREAM, row);
        let strictness = MIN_STRICTNESS + rng.below(usize::from(MAX_STRICTNESS)) as u8;
        let flaws = match rng.chance(self.clean_per_million, 1_000_000) {
            true => Vec::new(),
            false => Draft::new(clean, &self.phrases).flaws(&mut rng),
        };
        Ok(CorruptedRow {
            fact: None,
            question: question.to_owned(),
            answer: mended(clean, &flaws, MAX_STRICTNESS + 1)?,
            correction: mended(clean, &flaws, strictness)?,
            flaws,
            strictness,
            clean: clean.to_owned(),
        })
    }
}
