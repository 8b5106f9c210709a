//! `summary.json` and the table in the terminal.

use serde_json::{Value, json};

use super::stages::{Experiment, ReadingStage, Results, SweepStage};
use crate::commands::fit::{coefficient_table, fit_lines};

/// The whole result, schema `redline.summary.v1`.
pub fn build(
    experiment: &Experiment<'_>,
    reading: &ReadingStage,
    sweeps: &SweepStage,
    results: &Results,
    settings: &Value,
) -> anyhow::Result<Value> {
    let analysis = &results.analysis;
    let at = |value: &dyn Fn(&redline::experiment::CoefficientSummary) -> Value| {
        analysis.coefficients.iter().map(value).collect::<Vec<Value>>()
    };
    let fit = analysis.fit.as_ref();
    let intervals = analysis.fit_all.as_ref().map(|fit| &fit.mean_ratio_interval);
    Ok(json!({
        "schema": "redline.summary.v1",
        "n_pairs": reading.reading.provenance.n_pairs,
        "n_prompts": analysis.prompts.len(),
        "coefficients": at(&|c| json!(c.coefficient)),
        "mean_edit_ratio": at(&|c| json!(c.mean_edit_ratio)),
        "intervals": intervals,
        "exact_copy_share": at(&|c| json!(c.exact_copy_share)),
        "similarity": at(&|c| json!(c.similarity)),
        "reference_similarity": at(&|c| json!(c.reference_similarity)),
        "coherence": {
            "nll": at(&|c| json!(c.nll)),
            "repetition": at(&|c| json!(c.repetition)),
            "truncated_share": at(&|c| json!(c.truncated_share)),
            "empty_share": at(&|c| json!(c.empty_share)),
        },
        "coherent_range": analysis.coherent_range,
        "slope": fit.map(|fit| fit.line.slope),
        "slope_interval": fit.map(|fit| &fit.slope_interval),
        "intercept": fit.map(|fit| fit.line.intercept),
        "r2": fit.and_then(|fit| fit.line.r2),
        "spearman": fit.and_then(|fit| fit.spearman),
        "anti_steerable_share": fit.map(|fit| fit.negative_slope_share),
        "all_coefficients": analysis.fit_all,
        "propensity": results.propensity,
        "controls": {
            "edit_ratio": results.controls,
            "clean": results.clean.as_ref().map(|clean| &clean.coefficients),
            "prompting": results.prompting.iter().cloned().collect::<std::collections::BTreeMap<String, f64>>(),
        },
        "layers": reading.report,
        "injected_layers": experiment.layers,
        "effect": redline::steer::total_effect(&sweeps.rows),
        "settings": settings,
        "hashes": {
            "model": settings["model_hash"],
            "data": settings["data_hash"],
        },
    }))
}

/// One table, the fit, the controls, and a word on what they mean.
pub fn as_text(reading: &ReadingStage, results: &Results) -> String {
    let mut text = String::new();
    if let Some(best) = reading.report.iter().rev().max_by(|a, b| auroc(a).total_cmp(&auroc(b))) {
        text.push_str(&format!(
            "reading   held-out AUROC is highest in layer {}: {:.3}, pair accuracy there {}\n\n",
            best.layer,
            auroc(best),
            crate::output::number(best.pair_accuracy.as_ref().map(|estimate| estimate.value)),
        ));
    }
    text.push_str(&coefficient_table(&results.analysis));
    text.push('\n');
    text.push_str(&fit_lines(&results.analysis));
    text.push_str("\n\ncontrols");
    if let Some(controls) = &results.controls {
        text.push_str(&format!(
            "\n  slope on {} prompts at {:?}: correction {:.4}, random |95 %| {:.4} of {}, shuffled {}",
            controls.prompts.len(),
            controls.coefficients,
            controls.correction.slope,
            controls.random_p95,
            controls.random.len(),
            crate::output::number(controls.shuffled.as_ref().map(|line| line.slope)),
        ));
    }
    let propensity = &results.propensity;
    text.push_str(&format!(
        "\n  propensity slope on {} pairs at {:?}, nats: correction {:.3}, random |95 %| {:.3} of {}, shuffled {}",
        propensity.n_pairs,
        propensity.coefficients,
        propensity.correction,
        propensity.random_p95,
        propensity.random.len(),
        crate::output::number(propensity.shuffled),
    ));
    if let Some(clean) = &results.clean {
        let ratios: Vec<String> =
            clean.coefficients.iter().map(|at| format!("{:.3} at {}", at.mean_edit_ratio, at.coefficient)).collect();
        text.push_str(&format!("\n  clean answers, edit ratio: {}", ratios.join(", ")));
    }
    for (name, ratio) in &results.prompting {
        text.push_str(&format!("\n  {name}, unsteered: edit ratio {ratio:.3}"));
    }
    text
}

fn auroc(reading: &redline::probe::LayerReading) -> f64 {
    reading.auroc.as_ref().map_or(0.0, |estimate| estimate.value)
}
