//! The third stage: what the numbers say.

use redline_steer::{BootstrapOptions, CORRECTION, EditRatioVariant};

use super::generation::SweepStage;
use super::quality::QualityResults;
use super::reading::ReadingStage;
use super::{INSTRUCTIONS, Run};
use crate::error::Result;
use crate::experiment::{ControlSlopes, PropensitySlopes, SweepAnalysis, analyse, propensity_slopes, random_slopes};

/// Lines, controls and baselines.
#[derive(Debug, Clone, PartialEq)]
pub struct Results {
    /// Edit ratio against coefficient, with the fitted line.
    pub analysis: SweepAnalysis,
    /// Slopes of random and shuffled directions.
    pub controls: Option<ControlSlopes>,
    /// The dial on answers that are clean already.
    pub clean: Option<SweepAnalysis>,
    /// Mean edit ratio of each instruction in the prompt, unsteered.
    pub prompting: Vec<(String, f64)>,
    /// What the outputs are worth.
    pub quality: QualityResults,
    /// Slopes of log p(correction) − log p(answer).
    pub propensity: PropensitySlopes,
}

impl Run<'_> {
    /// Fits the line and the controls.
    pub(super) fn analyse(&self, reading: &ReadingStage, sweeps: &SweepStage) -> Result<Results> {
        let bootstrap = BootstrapOptions { seed: self.options.seed, ..BootstrapOptions::default() };
        let variant = EditRatioVariant::Char;
        let bound = self.options.coherence_bound;
        let analysis = analyse(&sweeps.rows, CORRECTION, variant, bound, &bootstrap)?;
        let ends: Vec<f64> = self.options.end_coefficients().into_iter().map(f64::from).collect();
        let far: Vec<f64> = self.options.far_coefficients().into_iter().map(f64::from).collect();
        let mut rows = sweeps.rows.clone();
        rows.extend(sweeps.control_rows.iter().cloned());
        let controls = random_slopes(&rows, &sweeps.control_vectors, &sweeps.control_prompts, &ends, variant)?;
        let clean = analyse(&sweeps.clean_rows, CORRECTION, variant, bound, &bootstrap).ok();
        let prompting = INSTRUCTIONS.iter().filter_map(|(name, _)| {
            let ratios: Vec<f64> =
                sweeps.prompting_rows.iter().filter(|row| row.vector == *name).filter_map(|r| r.ratios.char).collect();
            (!ratios.is_empty()).then(|| ((*name).to_string(), ratios.iter().sum::<f64>() / ratios.len() as f64))
        });
        let propensity =
            propensity_slopes(&sweeps.propensities, &sweeps.propensity_vectors, &sweeps.propensity_arms, &far)?;
        let quality = self.judge(sweeps, &analysis.per_prompt, &reading.first_order)?;
        Ok(Results { quality, analysis, controls, clean, prompting: prompting.collect(), propensity })
    }
}
