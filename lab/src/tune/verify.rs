//! What a coefficient does on prompts that the line does not know, beside coefficient 0.

use redline_probe::stats::estimate;
use redline_steer::{BootstrapOptions, CORRECTION, Interval, SweepLog};
use serde_json::Value;

use super::Sweeping;
use crate::error::Result;
use crate::experiment::{CoefficientSummary, SweepAnalysis, analyse};
use crate::observer::Observer;
use crate::profile::{Measured, Verification};

impl Sweeping<'_> {
    /// Writes corrections of other rows at 0 and at `coefficient`.
    pub(super) fn verify(&self, coefficient: f32, observer: &mut dyn Observer) -> Result<Verification> {
        let coefficients = if coefficient == 0.0 { vec![0.0] } else { vec![0.0, coefficient] };
        let mut log = SweepLog::open(&self.scratch.join("verify.jsonl"), &Value::Null)?;
        let outputs = self.generate(&self.chosen.verify, &coefficients, &mut log, "verify", observer)?;
        let options = self.run.options;
        let bootstrap = options.bootstrap();
        let analysis = analyse(&outputs, CORRECTION, options.variant, options.coherence_bound, &bootstrap)?;
        let at = |coefficient: f32| measured(&analysis, coefficient, &bootstrap);
        Ok(Verification { n_prompts: analysis.prompts.len(), steered: at(coefficient), unsteered: at(0.0) })
    }
}

fn measured(analysis: &SweepAnalysis, coefficient: f32, bootstrap: &BootstrapOptions) -> Measured {
    let place = analysis.coefficients.iter().position(|at| at.coefficient == f64::from(coefficient));
    let place = place.expect("the coefficient was run");
    let ratios: Vec<f64> = analysis.per_prompt.iter().map(|ratios| ratios[place]).collect();
    let mean = |counts: &[u32]| {
        let sum: f64 = counts.iter().zip(&ratios).map(|(&count, ratio)| f64::from(count) * ratio).sum();
        [Some(sum / ratios.len() as f64)]
    };
    let [mean] = estimate(ratios.len(), bootstrap.n_resamples, bootstrap.seed, mean);
    let interval = mean.and_then(|mean| mean.interval);
    let CoefficientSummary { mean_edit_ratio, nll, repetition, truncated_share, exact_copy_share, .. } =
        analysis.coefficients[place].clone();
    Measured {
        edit_ratio: mean_edit_ratio,
        // one prompt alone has no interval
        interval: interval.unwrap_or(Interval { low: mean_edit_ratio, high: mean_edit_ratio }),
        nll,
        repetition,
        truncated_share,
        exact_copy_share,
    }
}
