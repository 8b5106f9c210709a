//! Rows and instructions, put together by index.

use std::collections::{BTreeMap, BTreeSet};

use super::super::WinRateError;
use super::{Annotation, GamedRow, Instruction};

/// One row of the system with what is known of its instruction.
pub(super) struct MatchedRow {
    pub(super) index: u64,
    pub(super) length: u64,
    /// Baseline's length less the system's.
    pub(super) difference: f64,
    /// The preference less 1, 0 … 1; `None` where there is no verdict.
    pub(super) target: Option<f64>,
    difficulty: Option<f64>,
}

/// The rows of a system, by index.
pub(super) struct Matched {
    pub(super) rows: Vec<MatchedRow>,
    /// Instructions without a row.
    pub(super) n_missing: usize,
}

impl Matched {
    /// Puts rows and instructions together.
    pub(super) fn of(rows: &[Annotation], instructions: &[Instruction]) -> Result<Self, WinRateError> {
        let known = by_index(instructions)?;
        let mut seen = BTreeMap::new();
        for row in rows {
            let instruction =
                known.get(&row.index).ok_or(WinRateError::NoInstruction { what: "row", index: row.index })?;
            let matched = MatchedRow {
                index: row.index,
                length: row.length,
                difference: instruction.baseline_length as f64 - row.length as f64,
                target: target(row)?,
                difficulty: instruction.difficulty,
            };
            if seen.insert(row.index, matched).is_some() {
                return Err(WinRateError::Duplicate { what: "row", index: row.index });
            }
        }
        let rows: Vec<MatchedRow> = seen.into_values().collect();
        check_difficulties(&rows)?;
        Ok(Self { n_missing: known.len() - rows.len(), rows })
    }

    /// The difficulties of all rows, where instructions have any.
    pub(super) fn difficulties(&self) -> Option<Vec<f64>> {
        self.rows.iter().map(|row| row.difficulty).collect()
    }

    /// x₁ of each row; `None` where all differences are equal or there is one row.
    pub(super) fn tanh_lengths(&self) -> Option<Vec<f64>> {
        let n = self.rows.len() as f64;
        let mean = self.rows.iter().map(|row| row.difference).sum::<f64>() / n;
        let squares: f64 = self.rows.iter().map(|row| (row.difference - mean).powi(2)).sum();
        let scale = (squares / (n - 1.0)).sqrt();
        let constant = self.rows.iter().all(|row| row.difference == self.rows[0].difference);
        (!constant).then(|| self.rows.iter().map(|row| (row.difference / scale).tanh()).collect())
    }
}

/// A gamed row with the difficulty of its instruction.
pub(super) struct Gamed<'a> {
    pub(super) model: &'a str,
    pub(super) tanh: f64,
    pub(super) difficulty: f64,
    pub(super) target: f64,
}

/// Checks gamed rows and finds their difficulties; none where the instructions have no difficulties at all.
pub(super) fn gamed_rows<'a>(
    gamed: &'a [GamedRow],
    instructions: &[Instruction],
) -> Result<Vec<Gamed<'a>>, WinRateError> {
    let known = by_index(instructions)?;
    let mut seen = BTreeSet::new();
    let mut found = Vec::with_capacity(gamed.len());
    for row in gamed {
        let index = row.index;
        let instruction = known.get(&index).ok_or(WinRateError::NoInstruction { what: "gamed row", index })?;
        if !seen.insert((&row.model, index)) {
            return Err(WinRateError::Duplicate { what: "gamed row", index });
        }
        let refuse = |what, got| Err(WinRateError::Gamed { what, index, model: row.model.clone(), got });
        if !(-1.0..=1.0).contains(&row.tanh_std_delta_len) {
            return refuse("tanh_std_delta_len", row.tanh_std_delta_len);
        }
        if !(0.0..=1.0).contains(&row.expected_preference) {
            return refuse("expected_preference", row.expected_preference);
        }
        found.push((index, row, instruction.difficulty));
    }
    if known.values().all(|instruction| instruction.difficulty.is_none()) {
        return Ok(Vec::new());
    }
    let matched = found.into_iter().map(|(index, row, difficulty)| {
        let difficulty = difficulty.ok_or(WinRateError::MissingDifficulty { index })?;
        Ok(Gamed { model: &row.model, tanh: row.tanh_std_delta_len, difficulty, target: row.expected_preference })
    });
    matched.collect()
}

/// The instructions by index, checked.
pub(super) fn by_index(instructions: &[Instruction]) -> Result<BTreeMap<u64, &Instruction>, WinRateError> {
    let mut known = BTreeMap::new();
    for instruction in instructions {
        let index = instruction.index;
        if known.insert(index, instruction).is_some() {
            return Err(WinRateError::Duplicate { what: "instruction", index });
        }
        if let Some(got) = instruction.difficulty.filter(|difficulty| !difficulty.is_finite()) {
            return Err(WinRateError::Difficulty { index, got });
        }
    }
    Ok(known)
}

/// The preference less 1, a draw as one half.
fn target(row: &Annotation) -> Result<Option<f64>, WinRateError> {
    match row.preference {
        None => Ok(None),
        Some(preference) if preference.is_nan() => Ok(None),
        Some(0.0) => Ok(Some(0.5)),
        Some(preference) if (1.0..=2.0).contains(&preference) => Ok(Some(preference - 1.0)),
        Some(got) => Err(WinRateError::Preference { index: row.index, got }),
    }
}

/// Refuses rows of which some have a difficulty and others not.
fn check_difficulties(rows: &[MatchedRow]) -> Result<(), WinRateError> {
    let has_any = rows.iter().any(|row| row.difficulty.is_some());
    match rows.iter().find(|row| row.difficulty.is_none()) {
        Some(row) if has_any => Err(WinRateError::MissingDifficulty { index: row.index }),
        _ => Ok(()),
    }
}
