//! The rows of an experiment: triples, their flaws where these are known, and where they come from.

use std::path::PathBuf;

use redline_model::Qac;
use serde_json::json;

use crate::built_in::EMBEDDED_STRICTNESS;
use crate::data::DataError;
use crate::data::corrupt::CorruptedRow;
use crate::embedded;
use crate::profile::hash_of;

/// Rows to find a direction with and to measure it on.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    /// Question, answer, correction.
    pub triples: Vec<Qac>,
    /// The same rows with their clean text and its flaws, where these are known: quality can be measured exactly then.
    pub flawed: Option<Vec<CorruptedRow>>,
    /// What errors and reports call them.
    pub name: PathBuf,
    /// SHA-256 of the file they come from, or of their texts.
    pub hash: String,
    /// The strictness of the corrections, where it is not the rows' own.
    pub strictness: Option<u8>,
    /// Whether they are the built-in ones, which hold clean answers too.
    pub is_embedded: bool,
}

impl Rows {
    /// The built-in rows, which its Aligners were not trained on.
    ///
    /// # Errors
    /// A strictness that is none, or damaged built-in rows.
    pub fn embedded(strictness: Option<u8>) -> Result<Self, DataError> {
        let strictness = strictness.unwrap_or(EMBEDDED_STRICTNESS);
        let flawed = embedded::rows()?;
        Ok(Self {
            triples: at_strictness(&flawed, strictness)?,
            flawed: Some(flawed),
            name: embedded::ROWS_NAME.into(),
            hash: hash_of(embedded::ROWS),
            strictness: Some(strictness),
            is_embedded: true,
        })
    }

    /// Triples of a program's own.
    pub fn of(triples: Vec<Qac>, name: impl Into<PathBuf>) -> Self {
        let hash = rows_hash(triples.iter().map(|row| [row.question.as_str(), &row.answer, &row.correction]));
        Self { triples, flawed: None, name: name.into(), hash, strictness: None, is_embedded: false }
    }

    /// Rows whose flaws are known, with their own corrections.
    pub fn with_flaws(flawed: Vec<CorruptedRow>, name: impl Into<PathBuf>) -> Self {
        let triples = flawed.iter().map(CorruptedRow::to_qac).collect();
        Self { flawed: Some(flawed), ..Self::of(triples, name) }
    }

    /// Some of the rows with an answer that is clean already: the clean text where flaws are known, else the correction.
    pub fn clean_at(&self, rows: &[usize]) -> Vec<Qac> {
        let clean = |row: usize| match &self.flawed {
            Some(flawed) => flawed[row].clean.clone(),
            None => self.triples[row].correction.clone(),
        };
        let triple = |&row: &usize| Qac { answer: clean(row), correction: clean(row), ..self.triples[row].clone() };
        rows.iter().map(triple).collect()
    }

    /// Some of the triples, each with its row number.
    pub fn at(&self, rows: &[usize]) -> Vec<(usize, &Qac)> {
        rows.iter().map(|&row| (row, &self.triples[row])).collect()
    }
}

/// Each row with the correction of one strictness.
///
/// # Errors
/// A strictness that is none, or flaws that do not fit the clean text.
pub fn at_strictness(rows: &[CorruptedRow], strictness: u8) -> Result<Vec<Qac>, DataError> {
    let triple = |row: &CorruptedRow| Ok(Qac { correction: row.correction_at(strictness)?, ..row.to_qac() });
    rows.iter().map(triple).collect()
}

/// SHA-256 of question, answer and correction of all rows, whatever file they stand in: 64 hexadecimal digits.
pub fn rows_hash<'a>(rows: impl Iterator<Item = [&'a str; 3]>) -> String {
    hash_of(json!(rows.collect::<Vec<_>>()).to_string().as_bytes())
}
