//! What a coefficient does on prompts that the line does not know, beside coefficient 0.

use redline::experiment::{CoefficientSummary, SweepAnalysis, analyse};
use redline::probe::stats::estimate;
use redline::profile::{Measured, Verification};
use redline::steer::{BootstrapOptions, CORRECTION, Interval, SweepLog};
use serde_json::Value;

use super::Run;
use crate::outputs::Scratch;

/// Writes corrections of these rows at 0 and at `coefficient`.
pub fn verify(run: &Run<'_>, coefficient: f32, rows: &[usize]) -> anyhow::Result<Verification> {
    let coefficients = if coefficient == 0.0 { vec![0.0] } else { vec![0.0, coefficient] };
    let scratch = Scratch::new()?;
    let mut log = SweepLog::open(&scratch.path().join("verify.jsonl"), &Value::Null)?;
    let outputs = run.generate(rows, &coefficients, &mut log, "verify")?;
    let analysis = analyse(&outputs, CORRECTION, run.args.variant, run.args.coherence_bound, &run.bootstrap)?;
    let at = |coefficient: f32| measured(&analysis, coefficient, &run.bootstrap);
    Ok(Verification { n_prompts: analysis.prompts.len(), steered: at(coefficient), unsteered: at(0.0) })
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
