//! Whether the dial corrects, and what that is compared with.

use redline_steer::{
    BootstrapOptions, CORRECTION, EditRatios, Straightness, SweepRow, attained_share, fit_line, straightness,
};
use serde::{Deserialize, Serialize};

use super::first_order::FirstOrder;
use super::generation::SweepStage;
use super::{INSTRUCTIONS, Run};
use crate::error::{Error, Result};
use crate::experiment::{Judged, NullPlaces, SweepQuality, judge_sweep};
use crate::quality::{Evidence, LEVEL, OracleLine, USUAL, Utility, UtilityTable};

/// What mending and damaging are worth where nulls are compared; their prompts are all flawed.
const PRICES: Utility = Utility { clean_share: 0.0, ..USUAL };

/// What the outputs are worth, beside nulls and limits.
#[derive(Debug, Clone, PartialEq)]
pub struct QualityResults {
    /// Quality by coefficient, with verdicts.
    pub quality: SweepQuality,
    /// Its slope among those of null directions.
    pub nulls: QualityNulls,
    /// Unsteered outputs with an instruction in the prompt, by the name of the instruction; where flaws are known.
    pub prompting: Vec<(String, OracleLine)>,
    /// How straight the line of edit ratios is; `None` with fewer than three coefficients or two prompts.
    pub straightness: Option<Straightness>,
    /// Range of the mean edit ratio over the range that the rows' own possible corrections span; `None` where flaws are not known.
    pub attainable_share: Option<f64>,
}

/// Slopes of gain, or of likeness, on the prompts and coefficients of the controls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QualityNulls {
    /// Along the direction; `None` where nothing was controlled.
    pub slope: Option<f64>,
    /// Along isotropic directions.
    pub random: Vec<f64>,
    /// Along directions from exchanged labels.
    pub shuffled: Vec<f64>,
    /// Its two-sided places among them.
    pub places: Option<NullPlaces>,
    /// What the best coefficient is worth, beside the best ones of null directions; `None` where flaws are not known.
    pub utility: Option<UtilityNulls>,
}

/// Utility of the best of the controls' coefficients less that of 0, on their prompts, which are all flawed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UtilityNulls {
    /// The prices.
    pub utility: Utility,
    /// Along the direction.
    pub gained: f64,
    /// Along isotropic directions.
    pub random: Vec<f64>,
    /// Along directions from exchanged labels.
    pub shuffled: Vec<f64>,
    /// Its places among them.
    pub places: NullPlaces,
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
        let nulls = self.quality_nulls(sweeps)?;
        // generated nulls count where there are enough of them for p to fall below the level at all
        let generated = nulls.places.and_then(|places| places.shuffled).filter(|place| place.can_reach(LEVEL));
        let places = [Some(first_order.places.shuffled), generated];
        let shuffled_p = places.into_iter().flatten().map(|place| place.p).reduce(f64::max);
        // those directions were read: beside a trained one they decide nothing
        let shuffled_p = shuffled_p.filter(|_| self.options.trained.is_none());
        let evidence = Evidence { shuffled_p, ..Evidence::default() };
        let quality = judge_sweep(self.rows, &sweeps.rows, &sweeps.clean_rows, &evidence, &bootstrap)?;
        let quality = quality.ok_or_else(|| {
            Error::option(
                "fewer than two prompts can be judged",
                "give more --prompts, or rows whose corrections differ",
            )
        })?;
        let enough = quality.coefficients.len() >= 3 && per_prompt_ratios.len() >= 2;
        let straight = || straightness(&quality.coefficients, per_prompt_ratios, &bootstrap);
        Ok(QualityResults {
            straightness: enough.then(straight).transpose()?,
            attainable_share: self.attainable_share(sweeps, per_prompt_ratios)?,
            prompting: self.prompting_quality(sweeps)?,
            quality,
            nulls,
        })
    }

    /// What asking in the prompt does to quality.
    fn prompting_quality(&self, sweeps: &SweepStage) -> Result<Vec<(String, OracleLine)>> {
        let mut found = Vec::new();
        for (name, _) in INSTRUCTIONS {
            let of_name = sweeps.prompting_rows.iter().filter(|row| row.vector == name);
            let rows: Vec<SweepRow> = of_name.cloned().collect();
            if rows.is_empty() {
                continue;
            }
            if let Judged::Oracle(run) = Judged::new(self.rows, &rows, &[])? {
                found.extend(run.lines().into_iter().map(|line| (name.to_owned(), line)));
            }
        }
        Ok(found)
    }

    fn quality_nulls(&self, sweeps: &SweepStage) -> Result<QualityNulls> {
        let ends: Vec<f64> = self.options.end_coefficients().into_iter().map(f64::from).collect();
        let (mut random, mut shuffled, mut gained) = (Vec::new(), Vec::new(), [Vec::new(), Vec::new()]);
        for named in &sweeps.control_vectors {
            let Some((slope, worth)) = self.effect_of(sweeps, &named.name, &ends)? else { continue };
            let is_random = named.name.starts_with("random");
            gained[usize::from(!is_random)].extend(worth);
            if is_random { random.push(slope) } else { shuffled.push(slope) }
        }
        let effect = self.effect_of(sweeps, CORRECTION, &ends)?;
        let slope = effect.map(|(slope, _)| slope);
        let places = slope.map(|slope| NullPlaces::of(slope, &random, &shuffled)).transpose()?;
        let utility = match effect.and_then(|(_, worth)| worth) {
            None => None,
            Some(own) => {
                let places = NullPlaces::of(own, &gained[0], &gained[1])?;
                let [random, shuffled] = gained;
                Some(UtilityNulls { utility: PRICES, gained: own, random, shuffled, places })
            }
        };
        Ok(QualityNulls { slope, random, shuffled, places, utility })
    }

    /// The slope of the mean nearness along a vector, on the prompts and coefficients of the controls, and what its best coefficient there
    /// is worth where flaws are known.
    fn effect_of(&self, sweeps: &SweepStage, vector: &str, ends: &[f64]) -> Result<Option<(f64, Option<f64>)>> {
        let is_one = |row: &&SweepRow| {
            let coefficient = f64::from(row.coefficient);
            let is_its = row.vector == vector || (coefficient == 0.0 && row.vector == CORRECTION);
            is_its && ends.contains(&coefficient) && sweeps.control_prompts.contains(&row.row)
        };
        let all = sweeps.rows.iter().chain(&sweeps.control_rows);
        let rows: Vec<SweepRow> = all.filter(is_one).cloned().collect();
        if rows.is_empty() {
            return Ok(None);
        }
        let judged = Judged::new(self.rows, &rows, &[])?;
        let matrix = judged.nearness();
        if matrix.is_empty() {
            return Ok(None);
        }
        let means: Vec<f64> = (0..ends.len()).map(|at| mean_at(&matrix, at)).collect();
        let worth = match &judged {
            Judged::Oracle(run) => Some(gained_utility(&UtilityTable::new(run, &PRICES)?)),
            Judged::Reference(_) => None,
        };
        Ok(Some((fit_line(ends, &means)?.slope, worth)))
    }

    fn attainable_share(&self, sweeps: &SweepStage, per_prompt: &[Vec<f64>]) -> Result<Option<f64>> {
        let Some(flawed) = &self.rows.flawed else { return Ok(None) };
        let mut prompts: Vec<usize> = sweeps.rows.iter().map(|row| row.row).collect();
        prompts.sort_unstable();
        prompts.dedup();
        let possible = |&row: &usize| {
            let row = &flawed[row];
            let answer = row.answer.trim();
            let ratio = |text: &String| EditRatios::new(answer, text.trim()).char.unwrap_or_default();
            Ok(row.possible_corrections()?.iter().map(ratio).chain([0.0]).collect::<Vec<f64>>())
        };
        let possible = prompts.iter().map(possible).collect::<Result<Vec<_>>>()?;
        let n = per_prompt.first().map_or(0, Vec::len);
        let means: Vec<f64> = (0..n).map(|at| mean_at(per_prompt, at)).collect();
        Ok(attained_share(&means, &possible).ok())
    }
}

/// The highest utility less that of coefficient 0.
fn gained_utility(table: &UtilityTable) -> f64 {
    let utilities = table.utilities();
    let unsteered = table.coefficients().iter().position(|coefficient| *coefficient == 0.0);
    let unsteered = unsteered.map_or(f64::NAN, |at| utilities[at]);
    utilities.iter().fold(0.0, |best: f64, utility| best.max(utility - unsteered))
}

fn mean_at(matrix: &[Vec<f64>], at: usize) -> f64 {
    matrix.iter().map(|row| row[at]).sum::<f64>() / matrix.len().max(1) as f64
}
