//! Whether the outputs of a sweep are better than the answers: judged by the flaws where these are known, else by the reference.

use redline_model::Qac;
use redline_probe::stats::{Estimate, MeanEstimate};
use redline_steer::{BootstrapOptions, SweepRow, bootstrap_sweep, paired_change};
use serde::Serialize;

use crate::data::corrupt::CorruptedRow;
use crate::error::Result;
use crate::quality::{
    Checked, Evidence, Grid, Measure, OracleRun, PhaseDiagram, QualityRange, QualityTable, ReferenceRun, Sample, USUAL,
    Verdict, quality_range, solutions_among, verdicts,
};
use crate::rows::Rows;

/// What the outputs of a sweep are worth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SweepQuality {
    /// A line a coefficient, and the unchanged answers beside them.
    pub table: QualityTable,
    /// What `nearness` is: `gain`, or `similarity` to the reference.
    pub measure: &'static str,
    /// The coefficients, ascending.
    pub coefficients: Vec<f64>,
    /// Gain of all flawed answers together, or mean likeness to the reference, at each coefficient, with its interval over prompts.
    pub nearness: Vec<Estimate>,
    /// Its change against coefficient 0 on the same prompts.
    pub change: Vec<Estimate>,
    /// Slope of the nearness on the coefficient, with its interval over prompts.
    pub slope: Estimate,
    /// Where texts stay whole.
    pub range: QualityRange,
    /// What it all amounts to.
    pub verdicts: Vec<Verdict>,
    /// Which coefficient is best for whom; where flawed and clean answers with known flaws were swept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phases: Option<PhaseDiagram>,
}

/// Judges the outputs of a sweep; `clean` are those for the clean texts of the same rows, where they were swept as well. `None` without
/// coefficient 0, with fewer than two coefficients, or with fewer than two prompts that can be judged.
///
/// # Errors
/// Texts too long to be aligned, or flaws that do not fit their text.
pub fn judge_sweep(
    rows: &Rows,
    swept: &[SweepRow],
    clean: &[SweepRow],
    evidence: &Evidence,
    bootstrap: &BootstrapOptions,
) -> Result<Option<SweepQuality>> {
    let mut coefficients: Vec<f64> = swept.iter().map(|row| f64::from(row.coefficient)).collect();
    coefficients.sort_by(f64::total_cmp);
    coefficients.dedup();
    if coefficients.len() < 2 || !coefficients.contains(&0.0) {
        return Ok(None);
    }
    let judged = Judged::new(rows, swept, clean)?;
    let matrix = judged.nearness();
    if matrix.len() < 2 {
        return Ok(None);
    }
    let fit = bootstrap_sweep(&coefficients, &matrix, bootstrap)?;
    let means = fit.mean_ratio.iter().zip(&fit.mean_ratio_interval);
    let paired = paired_change(&coefficients, &matrix, bootstrap)?;
    let samples: Vec<Sample<'_>> = swept.iter().map(Sample::from).collect();
    let table = judged.table(solutions_among(&rows.triples, &samples)?.as_ref());
    let phases = judged.phases(bootstrap.seed)?;
    Ok(Some(SweepQuality {
        nearness: means.map(|(&value, &interval)| Estimate { value, interval: Some(interval) }).collect(),
        change: paired.change.iter().map(MeanEstimate::estimate).collect(),
        slope: Estimate { value: fit.line.slope, interval: Some(fit.slope_interval) },
        measure: judged.measure(),
        range: quality_range(&table, &evidence.bounds)?,
        verdicts: verdicts(&table, evidence)?,
        coefficients,
        table,
        phases,
    }))
}

/// Outputs that were judged, by one instrument.
pub(crate) enum Judged {
    Oracle(OracleRun),
    Reference(ReferenceRun),
}

impl Judged {
    /// Judges outputs for the answers of rows, and for their clean texts.
    pub(crate) fn new(rows: &Rows, swept: &[SweepRow], clean: &[SweepRow]) -> Result<Self> {
        // clean texts stand behind the answers, under numbers of their own
        let (offset, no_clean) = (rows.triples.len(), clean.is_empty());
        let clean = clean.iter().map(|row| Sample { row: offset + row.row, ..Sample::from(row) });
        let samples: Vec<Sample<'_>> = swept.iter().map(Sample::from).chain(clean).collect();
        match &rows.flawed {
            Some(flawed) if no_clean => Ok(Self::Oracle(OracleRun::new(flawed, &samples)?)),
            None if no_clean => Ok(Self::Reference(ReferenceRun::new(&rows.triples, &samples)?)),
            Some(flawed) => {
                let clean = flawed.iter().map(|row| CorruptedRow {
                    answer: row.clean.clone(),
                    correction: row.clean.clone(),
                    flaws: Vec::new(),
                    ..row.clone()
                });
                let all: Vec<CorruptedRow> = flawed.iter().cloned().chain(clean).collect();
                Ok(Self::Oracle(OracleRun::new(&all, &samples)?))
            }
            None => {
                let clean = rows.triples.iter().map(|row| Qac { answer: row.correction.clone(), ..row.clone() });
                let all: Vec<Qac> = rows.triples.iter().cloned().chain(clean).collect();
                Ok(Self::Reference(ReferenceRun::new(&all, &samples)?))
            }
        }
    }

    /// Which coefficient is best for whom, where flawed and clean answers with known flaws were judged.
    fn phases(&self, seed: u64) -> Result<Option<PhaseDiagram>> {
        match self {
            Self::Oracle(run) => Ok(PhaseDiagram::new(run, USUAL.harmful, USUAL.helpful, seed)?),
            Self::Reference(_) => Ok(None),
        }
    }

    fn measure(&self) -> &'static str {
        match self {
            Self::Oracle(_) => "gain",
            Self::Reference(_) => "similarity",
        }
    }

    /// Gain, or likeness to the reference, of answers that have something to correct.
    ///
    /// # Shapes
    /// (rows, coefficients), without rows in which a value is undefined.
    pub(crate) fn nearness(&self) -> Vec<Vec<f64>> {
        match self {
            Self::Oracle(run) => {
                let rows = run.matrix(Measure::Gain).into_iter();
                rows.filter_map(|row| row.into_iter().collect::<Option<Vec<f64>>>()).collect()
            }
            Self::Reference(run) => {
                let open = run.grid.cells.iter().zip(&run.unchanged);
                let open = open.filter(|(_, unchanged)| unchanged.clean_kept.is_none());
                open.map(|(cells, _)| cells.iter().map(|cell| cell.judgement.similarity).collect()).collect()
            }
        }
    }

    fn table(&self, solutions: Option<&Grid<Checked>>) -> QualityTable {
        match self {
            Self::Oracle(run) => QualityTable::new(Some(run), None, solutions),
            Self::Reference(run) => QualityTable::new(None, Some(run), solutions),
        }
    }
}
