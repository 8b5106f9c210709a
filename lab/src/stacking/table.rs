//! A line for each depth at each coefficient.

use std::collections::{BTreeMap, BTreeSet};

use redline_model::Qac;
use redline_probe::stats::Estimate;
use serde::{Deserialize, Serialize};

use super::cheaper::{self, Cheaper};
use super::figures::{Instruments, RowFigures, mean, over_rows, share};
use super::stack_system;
use crate::data::corrupt::CorruptedRow;
use crate::error::{Error, Result};
use crate::judge::record::AnswerRecord;

/// Passes at a coefficient, over the rows that all systems of the table answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DepthLine {
    /// Passes, one over the other.
    pub depth: usize,
    /// The coefficient of each; none for an Aligner without a vector.
    pub coefficient: Option<f64>,
    /// Rows.
    pub n: usize,
    /// Share of flaws mended; none where flaws are not known.
    pub mended: Option<Estimate>,
    /// Of severity 5.
    pub harmful_mended: Option<f64>,
    /// Of severity 2 to 4.
    pub helpful_mended: Option<f64>,
    /// Mean damage to the text that was fine, of rows with flaws.
    pub damage: Option<Estimate>,
    /// The same of rows without flaws.
    pub clean_damage: Option<f64>,
    /// Mean edit ratio from the upstream answer.
    pub edit_ratio: Option<Estimate>,
    /// Share of the outputs that one more pass leaves unchanged; none of the deepest, which nobody passed over.
    pub fixed_point: Option<Estimate>,
    /// Passes made for a row, on average: a text that a pass left unchanged needs no further one.
    pub passes: f64,
    /// Tokens written for a row, all passes together; none where some record does not say.
    pub n_tokens: Option<f64>,
    /// Seconds for a row, all passes together.
    pub seconds: f64,
}

/// What further passes do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DepthTable {
    /// Rows that all systems answered.
    pub n_rows: usize,
    /// Rows that only some of them answered, which are left out.
    pub n_left_out: usize,
    /// By coefficient, then by depth.
    pub lines: Vec<DepthLine>,
    /// For each line of two passes or more the single pass that mends as much; empty where flaws are not known.
    pub cheaper: Vec<Cheaper>,
}

/// Outputs of one depth at one coefficient, and their figures.
pub(super) struct Measured {
    pub depth: usize,
    pub coefficient: Option<f64>,
    pub figures: Vec<RowFigures>,
    outputs: Vec<String>,
}

impl DepthTable {
    /// Measures passes up to `most_depth` at these coefficients; none is an Aligner without a vector. Answers of other systems are not
    /// looked at, but single passes at further coefficients are, as what could have been done instead. `flawed` are the rows with their flaws, where these
    /// are known.
    ///
    /// # Errors
    /// A row whose flaws contradict it, or no row that all systems answered.
    pub fn measure(
        answers: &[AnswerRecord],
        rows: &[Qac],
        flawed: Option<&[CorruptedRow]>,
        coefficients: &[Option<f64>],
        most_depth: usize,
    ) -> Result<Self> {
        let mut systems: Vec<(usize, Option<f64>)> =
            coefficients.iter().flat_map(|&at| (1..=most_depth).map(move |depth| (depth, at))).collect();
        let singles: BTreeMap<String, Option<f64>> = answers
            .iter()
            .filter(|record| record.system == stack_system(1) && record.coefficient.is_some())
            .map(|record| (record.name(), record.coefficient))
            .collect();
        systems.extend(singles.into_values().filter(|at| !coefficients.contains(at)).map(|at| (1, at)));
        let by_system: Vec<BTreeMap<usize, &AnswerRecord>> =
            systems.iter().map(|key| of_system(answers, *key)).collect();
        let all: BTreeSet<usize> = by_system.iter().flat_map(|own| own.keys().copied()).collect();
        let common: Vec<usize> =
            all.iter().copied().filter(|row| by_system.iter().all(|own| own.contains_key(row))).collect();
        if common.is_empty() {
            return Err(Error::option(
                "no row was answered at every depth and coefficient",
                "lower --max-new-tokens, or take rows that leave room in the Aligner's context",
            ));
        }
        let mut instruments = Instruments::new(rows, flawed);
        let mut measured = Vec::with_capacity(systems.len());
        for ((depth, coefficient), own) in systems.into_iter().zip(&by_system) {
            let records = || common.iter().filter_map(|row| own.get(row));
            let figures = records().map(|record| instruments.figures(record)).collect::<Result<Vec<_>>>()?;
            let outputs = records().map(|record| record.output.trim().to_owned()).collect();
            measured.push(Measured { depth, coefficient, figures, outputs });
        }
        let is_asked = |own: &&Measured| coefficients.contains(&own.coefficient);
        let lines = measured.iter().filter(is_asked).map(|own| own.line(&measured)).collect();
        let is_known = flawed.is_some();
        let cheaper = if is_known { cheaper::of(&measured, coefficients) } else { Vec::new() };
        Ok(Self { n_rows: common.len(), n_left_out: all.len() - common.len(), lines, cheaper })
    }
}

fn of_system(answers: &[AnswerRecord], (depth, at): (usize, Option<f64>)) -> BTreeMap<usize, &AnswerRecord> {
    let system = stack_system(depth);
    let is_own = |record: &&AnswerRecord| record.system == system && record.coefficient == at;
    answers.iter().filter(is_own).map(|record| (record.row, record)).collect()
}

impl Measured {
    fn line(&self, all: &[Self]) -> DepthLine {
        let (rows, n) = (&self.figures, self.figures.len());
        let once = vec![1; n];
        let next = all.iter().find(|own| own.depth == self.depth + 1 && own.coefficient == self.coefficient);
        let fixed = next.map(|next| {
            let pairs = self.outputs.iter().zip(&next.outputs);
            pairs.map(|(own, next)| f64::from(u8::from(own == next))).collect::<Vec<f64>>()
        });
        let of_fixed = |fixed: Vec<f64>| {
            let share =
                |counts: &[u32]| fixed.iter().zip(counts).map(|(is, count)| is * f64::from(*count)).sum::<f64>();
            over_rows(n, |counts| Some(share(counts) / n as f64))
        };
        let plain = |of: fn(&RowFigures) -> Option<f64>| mean(rows, &once, of).unwrap_or_default();
        DepthLine {
            depth: self.depth,
            coefficient: self.coefficient,
            n,
            mended: over_rows(n, |counts| share(rows, counts, |row| row.all)),
            harmful_mended: share(rows, &once, |row| row.harmful),
            helpful_mended: share(rows, &once, |row| row.helpful),
            damage: over_rows(n, |counts| mean(rows, counts, |row| row.damage)),
            clean_damage: mean(rows, &once, |row| row.clean_damage),
            edit_ratio: over_rows(n, |counts| mean(rows, counts, |row| row.ratio)),
            fixed_point: fixed.and_then(of_fixed),
            passes: plain(|row| Some(row.passes)),
            n_tokens: rows.iter().map(|row| row.n_tokens).sum::<Option<f64>>().map(|sum| sum / n.max(1) as f64),
            seconds: plain(|row| Some(row.seconds)),
        }
    }
}
