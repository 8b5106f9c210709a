//! A sweep over rows with a reference only: a line for each coefficient.

use redline_model::Qac;
use serde::{Deserialize, Serialize};

use super::edits::{EditCounts, ReferenceJudgement};
use super::error::QualityError;
use super::grid::{Grid, Sample};
use super::mean::{mean, share_true};
use super::verifiable::Checked;

/// All outputs of a sweep over rows with references, judged.
#[derive(Debug, Clone, PartialEq)]
pub struct ReferenceRun {
    /// (rows, coefficients).
    pub grid: Grid<ReferenceCell>,
    /// The unchanged answer of each row, judged as if it were an output.
    pub unchanged: Vec<ReferenceJudgement>,
    /// Whether a row has the same output at all coefficients.
    pub unmoved: Vec<bool>,
}

/// A judged output.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReferenceCell {
    /// What the reference says.
    pub judgement: ReferenceJudgement,
    /// Mean negative log-likelihood per token under the unsteered model, in nats, where it was measured.
    pub nll: Option<f64>,
    /// Number of the output among the different ones of its row, by the order of the samples.
    pub output: usize,
}

/// A coefficient's line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReferenceLine {
    /// The signed strength; none for the unchanged answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coefficient: Option<f64>,
    /// Rows.
    pub n: usize,
    /// Edits of all rows together.
    pub edits: EditCounts,
    /// Share of the proposed edits that the reference has.
    pub precision: f64,
    /// Share of the reference's edits that were proposed.
    pub recall: f64,
    /// F₀.₅ of the two.
    pub f_half: f64,
    /// Mean similarity to the reference.
    pub similarity: Option<f64>,
    /// Mean similarity of the unchanged answers to the reference.
    pub unchanged_similarity: Option<f64>,
    /// Mean length of output over answer.
    pub length_ratio: Option<f64>,
    /// Mean net deletion.
    pub net_deletion: Option<f64>,
    /// How much shorter than both answer and reference the outputs are.
    pub shortfall: Option<f64>,
    /// Share of answers that are their own reference and were copied.
    pub clean_kept: Option<f64>,
    /// Share of outputs that the length limit cut.
    pub truncated: Option<f64>,
    /// Mean negative log-likelihood per token under the unsteered model, in nats.
    pub nll: Option<f64>,
}

impl ReferenceRun {
    /// Judges samples; each names its row by the index in `rows`.
    ///
    /// # Errors
    /// [`QualityError::NoRow`], what [`ReferenceJudgement::new`] and [`Grid::new`] refuse.
    pub fn new(rows: &[Qac], samples: &[Sample<'_>]) -> Result<Self, QualityError> {
        let mut seen: std::collections::HashMap<usize, Vec<&str>> = std::collections::HashMap::new();
        let cell = |&Sample { row, coefficient, output, truncated, nll }: &Sample<'_>| -> Result<_, QualityError> {
            let judgement = ReferenceJudgement::new(at(rows, row)?, output, truncated)?;
            Ok((row, coefficient, (judgement, nll)))
        };
        let mut cells = Vec::with_capacity(samples.len());
        for sample in samples {
            let (row, coefficient, (judgement, nll)) = cell(sample)?;
            let outputs = seen.entry(row).or_default();
            let output = outputs.iter().position(|other| *other == sample.output).unwrap_or(outputs.len());
            if output == outputs.len() {
                outputs.push(sample.output);
            }
            cells.push((row, coefficient, ReferenceCell { judgement, nll, output }));
        }
        let grid = Grid::new(cells)?;
        let unchanged = |row: &usize| {
            let row = at(rows, *row)?;
            ReferenceJudgement::new(row, &row.answer, false)
        };
        Ok(Self {
            unchanged: grid.rows.iter().map(unchanged).collect::<Result<_, _>>()?,
            unmoved: grid.cells.iter().map(|cells| cells.iter().all(|cell| cell.output == 0)).collect(),
            grid,
        })
    }

    /// Share of rows whose answer is not their reference and whose output is the same at all coefficients.
    pub fn unmoved_share(&self) -> Option<f64> {
        let open = self.unmoved.iter().zip(&self.unchanged).filter(|(_, unchanged)| unchanged.clean_kept.is_none());
        share_true(&open.map(|(unmoved, _)| *unmoved).collect::<Vec<_>>())
    }

    /// The line of each coefficient.
    pub fn lines(&self) -> Vec<ReferenceLine> {
        let line = |(index, &coefficient): (usize, &f64)| {
            let judgements: Vec<&ReferenceJudgement> = self.grid.column(index).map(|cell| &cell.judgement).collect();
            let nll: Vec<f64> = self.grid.column(index).filter_map(|cell| cell.nll).collect();
            ReferenceLine { coefficient: Some(coefficient), nll: mean(&nll), ..line(&judgements) }
        };
        self.grid.coefficients.iter().enumerate().map(line).collect()
    }

    /// The line of the unchanged answers.
    pub fn unchanged_line(&self) -> ReferenceLine {
        line(&self.unchanged.iter().collect::<Vec<_>>())
    }
}

fn line(judgements: &[&ReferenceJudgement]) -> ReferenceLine {
    let of = |figure: &dyn Fn(&ReferenceJudgement) -> Option<f64>| {
        mean(&judgements.iter().filter_map(|judged| figure(judged)).collect::<Vec<_>>())
    };
    let edits = EditCounts::sum(judgements.iter().map(|judged| judged.edits));
    ReferenceLine {
        coefficient: None,
        n: judgements.len(),
        edits,
        precision: edits.precision(),
        recall: edits.recall(),
        f_half: edits.f_half(),
        similarity: of(&|judged| Some(judged.similarity)),
        unchanged_similarity: of(&|judged| Some(judged.unchanged_similarity)),
        length_ratio: of(&|judged| judged.length_ratio),
        net_deletion: of(&|judged| judged.net_deletion),
        shortfall: of(&|judged| judged.shortfall),
        clean_kept: of(&|judged| judged.clean_kept.map(|kept| f64::from(u8::from(kept)))),
        truncated: of(&|judged| Some(f64::from(u8::from(judged.truncated)))),
        nll: None,
    }
}

/// A coefficient's line over solutions that can be checked.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CheckedLine {
    /// The signed strength.
    pub coefficient: f64,
    /// Rows whose answer was right.
    pub n_right: usize,
    /// Rows whose answer was wrong.
    pub n_wrong: usize,
    /// Do no harm: share of right answers that stay right.
    pub right_kept: Option<f64>,
    /// Help: share of wrong answers that become right.
    pub wrong_mended: Option<f64>,
    /// Share of outputs that name no result.
    pub without_result: Option<f64>,
}

/// Checks the outputs of a sweep over solutions; each sample names its row by the index in `rows`. Rows whose reference names no result are left out.
///
/// # Errors
/// [`QualityError::NoRow`], and what [`Grid::new`] refuses, also where no row can be checked.
pub fn check_solutions(rows: &[Qac], samples: &[Sample<'_>]) -> Result<Grid<Checked>, QualityError> {
    let mut cells = Vec::with_capacity(samples.len());
    for sample in samples {
        if let Some(checked) = Checked::new(at(rows, sample.row)?, sample.output) {
            cells.push((sample.row, sample.coefficient, checked));
        }
    }
    Grid::new(cells)
}

/// [`check_solutions`] where there are solutions to check.
///
/// # Errors
/// As [`check_solutions`], but for rows of which none can be checked.
pub fn solutions_among(rows: &[Qac], samples: &[Sample<'_>]) -> Result<Option<Grid<Checked>>, QualityError> {
    match check_solutions(rows, samples) {
        Err(QualityError::NoOutputs) => Ok(None),
        checked => checked.map(Some),
    }
}

impl CheckedLine {
    /// What became of right and of wrong answers, in a sentence.
    pub fn sentence(&self) -> String {
        let Self { n_right, n_wrong, right_kept, wrong_mended, .. } = *self;
        let count = |share: Option<f64>, n: usize| (share.unwrap_or(0.0) * n as f64).round();
        let (kept, mended) = (count(right_kept, n_right), count(wrong_mended, n_wrong));
        let coefficient = self.coefficient;
        format!(
            "Solutions at {coefficient}: {kept} of {n_right} right ones stay right, {mended} of {n_wrong} wrong ones become right."
        )
    }
}

impl Grid<Checked> {
    /// The line of each coefficient.
    pub fn lines(&self) -> Vec<CheckedLine> {
        let line = |(index, &coefficient): (usize, &f64)| {
            let of = |right_before: bool| self.column(index).filter(move |cell| cell.right_before == right_before);
            let after = |right_before| mean(&of(right_before).map(|cell| one_if(cell.right_after)).collect::<Vec<_>>());
            CheckedLine {
                coefficient,
                n_right: of(true).count(),
                n_wrong: of(false).count(),
                right_kept: after(true),
                wrong_mended: after(false),
                without_result: mean(&self.column(index).map(|cell| one_if(cell.without_result)).collect::<Vec<_>>()),
            }
        };
        self.coefficients.iter().enumerate().map(line).collect()
    }
}

fn one_if(is_so: bool) -> f64 {
    f64::from(u8::from(is_so))
}

fn at(rows: &[Qac], row: usize) -> Result<&Qac, QualityError> {
    rows.get(row).ok_or(QualityError::NoRow { row, n: rows.len() })
}
