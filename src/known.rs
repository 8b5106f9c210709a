//! The rows of `--data`, with their flaws where they carry them.

use std::path::Path;

use redline::data::Need;
use redline::data::corrupt::CorruptedRow;
use redline::model::Qac;

use crate::rows;

/// Rows, as far as they are used.
pub struct Known {
    /// Question, answer and correction of each.
    pub triples: Vec<Qac>,
    /// The same rows with their flaws; none of data without.
    pub flawed: Option<Vec<CorruptedRow>>,
    /// What each row asks for beside correcting; empty where it asks for nothing.
    pub instructions: Vec<String>,
}

impl Known {
    /// The first `most` rows.
    pub fn read(data: &Path, most: usize) -> anyhow::Result<Self> {
        let (mut flawed, file) = match rows::corrupted_with_fields(data)? {
            Some((flawed, file)) => (Some(flawed), file),
            None => (None, rows::read(data, Need::Triple)?),
        };
        flawed.iter_mut().for_each(|rows| rows.truncate(most));
        let mut triples = match &flawed {
            Some(rows) => rows.iter().map(CorruptedRow::to_qac).collect(),
            None => file.triples(),
        };
        triples.truncate(most);
        let asked = file.rows.iter().filter(|row| row.triple().is_some()).take(most);
        let instructions = asked.map(|row| row.instruction().unwrap_or_default()).collect();
        Ok(Self { triples, flawed, instructions })
    }

    /// Whether some row asks for something.
    pub fn has_instructions(&self) -> bool {
        self.instructions.iter().any(|text| !text.is_empty())
    }

    /// How each question should be answered: the clean text where the rows carry their flaws, else the correction.
    pub fn references(&self) -> Vec<Option<String>> {
        match &self.flawed {
            Some(rows) => rows.iter().map(|row| Some(row.clean.clone())).collect(),
            None => self.triples.iter().map(|row| Some(row.correction.clone())).collect(),
        }
    }
}
