//! Whether the dial corrects: quality by coefficient, its slope among nulls, the range in which texts stay whole, verdicts.

use redline_model::Qac;
use redline_probe::stats::Estimate;
use redline_steer::{
    BootstrapOptions, CORRECTION, Straightness, SweepRow, attained_share, bootstrap_sweep, fit_line, paired_change,
    straightness,
};
use serde::{Deserialize, Serialize};

use super::Run;
use super::first_order::FirstOrder;
use super::generation::SweepStage;
use crate::data::corrupt::CorruptedRow;
use crate::error::Result;
use crate::experiment::NullPlaces;
use crate::quality::{
    Evidence, LEVEL, Measure, OracleRun, QualityRange, QualityTable, ReferenceRun, Sample, Verdict, quality_range,
    verdicts,
};

/// What the outputs are worth.
#[derive(Debug, Clone, PartialEq)]
pub struct QualityResults {
    /// A line a coefficient, and the unchanged answers beside them.
    pub table: QualityTable,
    /// Gain, or likeness to the reference, at each coefficient: the mean over the flawed prompts with its interval.
    pub nearness: Vec<Estimate>,
    /// Its mean change against coefficient 0 on the same prompts.
    pub change: Vec<Estimate>,
    /// Slope of the nearness on the coefficient, with its place among the slopes of null directions.
    pub slope: QualitySlope,
    /// Where texts stay whole.
    pub range: QualityRange,
    /// What it all amounts to.
    pub verdicts: Vec<Verdict>,
    /// How straight the line of edit ratios is; `None` with fewer than three coefficients or two prompts.
    pub straightness: Option<Straightness>,
    /// Share of prompts with the same output at all coefficients.
    pub unmoved_share: Option<f64>,
    /// Range of the mean edit ratio over the range that the rows' own possible corrections span; `None` where flaws are not known.
    pub attainable_share: Option<f64>,
}

/// The slope of quality, and what it is compared with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QualitySlope {
    /// What the slope is of: `gain`, or `similarity` to the reference.
    pub measure: String,
    /// Slope over all coefficients and flawed prompts, with its paired interval.
    pub slope: Estimate,
    /// Slope on the prompts and coefficients of the controls.
    pub on_control_prompts: Option<f64>,
    /// Slopes of isotropic directions there.
    pub random: Vec<f64>,
    /// Slopes of directions from exchanged labels there.
    pub shuffled: Vec<f64>,
    /// Its places among them; `None` where nothing was controlled.
    pub places: Option<NullPlaces>,
}

impl Run<'_> {
    /// Judges everything that was written.
    pub(super) fn judge(
        &self,
        sweeps: &SweepStage,
        per_prompt_ratios: &[Vec<f64>],
        first_order: &FirstOrder,
    ) -> Result<QualityResults> {
        let bootstrap = BootstrapOptions { seed: self.options.seed, ..BootstrapOptions::default() };
        let judged = self.judged(&sweeps.rows, &sweeps.clean_rows)?;
        let matrix = complete(judged.nearness());
        let coefficients: Vec<f64> = self.options.coefficients.iter().copied().map(f64::from).collect();
        let (nearness, change) = estimates(&coefficients, &matrix, &bootstrap)?;
        let slope = self.quality_slope(sweeps, &judged, &coefficients, &matrix, &bootstrap)?;
        let table = judged.table();
        // generated nulls count where there are enough of them for p to fall below the level at all
        let generated = slope.places.and_then(|places| places.shuffled).filter(|place| place.can_reach(LEVEL));
        let places = [Some(first_order.places.shuffled), generated];
        let shuffled_p = places.into_iter().flatten().map(|place| place.p).reduce(f64::max);
        let evidence = Evidence { shuffled_p, ..Evidence::default() };
        let enough = coefficients.len() >= 3 && per_prompt_ratios.len() >= 2;
        let straight = || straightness(&coefficients, per_prompt_ratios, &bootstrap);
        Ok(QualityResults {
            range: quality_range(&table, &evidence.bounds)?,
            verdicts: verdicts(&table, &evidence)?,
            nearness,
            change,
            slope,
            unmoved_share: table.unmoved,
            attainable_share: self.attainable_share(sweeps, per_prompt_ratios)?,
            straightness: enough.then(straight).transpose()?,
            table,
        })
    }

    /// The outputs of flawed and of clean answers, judged by flaws where these are known, else by the reference.
    fn judged(&self, flawed: &[SweepRow], clean: &[SweepRow]) -> Result<Judged> {
        // clean answers stand behind the others, under numbers of their own
        let offset = self.rows.triples.len();
        let clean = clean.iter().map(|row| Sample { row: offset + row.row, ..Sample::from(row) });
        let samples: Vec<Sample<'_>> = flawed.iter().map(Sample::from).chain(clean).collect();
        match &self.rows.flawed {
            Some(rows) => {
                let clean = rows.iter().map(|row| CorruptedRow {
                    answer: row.clean.clone(),
                    correction: row.clean.clone(),
                    flaws: Vec::new(),
                    ..row.clone()
                });
                let all: Vec<CorruptedRow> = rows.iter().cloned().chain(clean).collect();
                Ok(Judged::Oracle(OracleRun::new(&all, &samples)?))
            }
            None => {
                let rows = &self.rows.triples;
                let clean = rows.iter().map(|row| Qac { answer: row.correction.clone(), ..row.clone() });
                let all: Vec<Qac> = rows.iter().cloned().chain(clean).collect();
                Ok(Judged::Reference(ReferenceRun::new(&all, &samples)?))
            }
        }
    }

    fn quality_slope(
        &self,
        sweeps: &SweepStage,
        judged: &Judged,
        coefficients: &[f64],
        matrix: &[Vec<f64>],
        bootstrap: &BootstrapOptions,
    ) -> Result<QualitySlope> {
        let fit = bootstrap_sweep(coefficients, matrix, bootstrap)?;
        let slope = Estimate { value: fit.line.slope, interval: Some(fit.slope_interval) };
        let ends: Vec<f64> = self.options.end_coefficients().into_iter().map(f64::from).collect();
        let on = |vector: &str| self.slope_of(sweeps, vector, &ends);
        let (mut random, mut shuffled) = (Vec::new(), Vec::new());
        for named in &sweeps.control_vectors {
            let Some(slope) = on(&named.name)? else { continue };
            if named.name.starts_with("random") { random.push(slope) } else { shuffled.push(slope) }
        }
        let on_control_prompts = on(CORRECTION)?;
        let places = on_control_prompts.map(|slope| NullPlaces::of(slope, &random, &shuffled)).transpose()?;
        Ok(QualitySlope { measure: judged.measure().into(), slope, on_control_prompts, places, random, shuffled })
    }

    /// The slope of the mean nearness along a vector, on the prompts and coefficients of the controls.
    fn slope_of(&self, sweeps: &SweepStage, vector: &str, ends: &[f64]) -> Result<Option<f64>> {
        let is_one = |row: &&SweepRow| {
            let coefficient = f64::from(row.coefficient);
            let is_its = row.vector == vector || (coefficient == 0.0 && row.vector == CORRECTION);
            is_its && ends.contains(&coefficient) && sweeps.control_prompts.contains(&row.row)
        };
        let all = sweeps.rows.iter().chain(&sweeps.control_rows);
        let rows: Vec<SweepRow> = all.filter(is_one).cloned().collect();
        let matrix = complete(self.judged(&rows, &[])?.nearness());
        if matrix.is_empty() {
            return Ok(None);
        }
        let means: Vec<f64> = (0..ends.len()).map(|at| mean_at(&matrix, at)).collect();
        Ok(Some(fit_line(ends, &means)?.slope))
    }

    fn attainable_share(&self, sweeps: &SweepStage, per_prompt: &[Vec<f64>]) -> Result<Option<f64>> {
        let Some(flawed) = &self.rows.flawed else { return Ok(None) };
        let mut prompts: Vec<usize> = sweeps.rows.iter().map(|row| row.row).collect();
        prompts.sort_unstable();
        prompts.dedup();
        let possible = |&row: &usize| {
            let row = &flawed[row];
            let answer = row.answer.trim();
            let ratio = |text: &String| redline_steer::EditRatios::new(answer, text.trim()).char.unwrap_or_default();
            Ok(row.possible_corrections()?.iter().map(ratio).chain([0.0]).collect::<Vec<f64>>())
        };
        let possible = prompts.iter().map(possible).collect::<Result<Vec<_>>>()?;
        let n = per_prompt.first().map_or(0, Vec::len);
        let means: Vec<f64> = (0..n).map(|at| mean_at(per_prompt, at)).collect();
        Ok(attained_share(&means, &possible).ok())
    }
}

/// Outputs that were judged, by one instrument.
enum Judged {
    Oracle(OracleRun),
    Reference(ReferenceRun),
}

impl Judged {
    fn measure(&self) -> &'static str {
        match self {
            Self::Oracle(_) => "gain",
            Self::Reference(_) => "similarity",
        }
    }

    /// Gain, or likeness to the reference: (rows, coefficients), nothing where it is undefined.
    fn nearness(&self) -> Vec<Vec<Option<f64>>> {
        match self {
            Self::Oracle(run) => run.matrix(Measure::Gain),
            Self::Reference(run) => {
                let is_flawed = |row: &usize| !run.unchanged[*row].clean_kept.is_some_and(|kept| kept);
                let rows = (0..run.grid.cells.len()).filter(is_flawed);
                rows.map(|row| run.grid.cells[row].iter().map(|cell| Some(cell.judgement.similarity)).collect())
                    .collect()
            }
        }
    }

    fn table(&self) -> QualityTable {
        match self {
            Self::Oracle(run) => QualityTable::new(Some(run), None, None),
            Self::Reference(run) => QualityTable::new(None, Some(run), None),
        }
    }
}

/// Rows without a gap.
fn complete(matrix: Vec<Vec<Option<f64>>>) -> Vec<Vec<f64>> {
    matrix.into_iter().filter_map(|row| row.into_iter().collect::<Option<Vec<f64>>>()).collect()
}

fn mean_at(matrix: &[Vec<f64>], at: usize) -> f64 {
    matrix.iter().map(|row| row[at]).sum::<f64>() / matrix.len().max(1) as f64
}

/// The means of columns and their changes against coefficient 0, with paired intervals.
fn estimates(
    coefficients: &[f64],
    matrix: &[Vec<f64>],
    bootstrap: &BootstrapOptions,
) -> Result<(Vec<Estimate>, Vec<Estimate>)> {
    let fit = bootstrap_sweep(coefficients, matrix, bootstrap)?;
    let means = fit.mean_ratio_interval.iter().enumerate();
    let nearness = means.map(|(at, interval)| Estimate { value: mean_at(matrix, at), interval: Some(*interval) });
    let paired = paired_change(coefficients, matrix, bootstrap)?;
    let change = paired.change.iter().map(|at| Estimate { value: at.value, interval: at.spread.interval() });
    Ok((nearness.collect(), change.collect()))
}
