//! The rows of `--data`, with their flaws where they carry them.

use std::path::Path;

use redline::data::corrupt::CorruptedRow;
use redline::model::Qac;

use crate::rows;

/// Rows, as far as they are used.
pub struct Known {
    /// Question, answer and correction of each.
    pub triples: Vec<Qac>,
    /// The same rows with their flaws; none of data without.
    pub flawed: Option<Vec<CorruptedRow>>,
}

impl Known {
    /// The first `most` rows.
    pub fn read(data: &Path, most: usize) -> anyhow::Result<Self> {
        let mut flawed = rows::corrupted(data)?;
        flawed.iter_mut().for_each(|rows| rows.truncate(most));
        let mut triples = match &flawed {
            Some(rows) => rows.iter().map(CorruptedRow::to_qac).collect(),
            None => rows::triples(data)?,
        };
        triples.truncate(most);
        Ok(Self { triples, flawed })
    }

    /// How each question should be answered: the clean text where the rows carry their flaws, else the correction.
    pub fn references(&self) -> Vec<Option<String>> {
        match &self.flawed {
            Some(rows) => rows.iter().map(|row| Some(row.clean.clone())).collect(),
            None => self.triples.iter().map(|row| Some(row.correction.clone())).collect(),
        }
    }
}
