//! `summary.json`: the whole result, schema `redline.summary.v2`.

use std::collections::BTreeMap;

use redline_probe::stats::Estimate;
use serde_json::{Value, json};

use super::Reproduction;
use crate::experiment::CoefficientSummary;

impl Reproduction {
    /// The whole result as it stands in `summary.json`.
    pub fn summary(&self) -> Value {
        let (analysis, quality) = (&self.results.analysis, &self.results.quality.quality);
        let of_quality = &self.results.quality;
        let at = |value: &dyn Fn(&CoefficientSummary) -> Value| {
            analysis.coefficients.iter().map(value).collect::<Vec<Value>>()
        };
        let fit = analysis.fit.as_ref();
        let intervals = analysis.fit_all.as_ref().map(|fit| &fit.mean_ratio_interval);
        json!({
            "schema": "redline.summary.v2",
            "n_pairs": self.reading.reading.provenance.n_pairs,
            "n_prompts": analysis.prompts.len(),
            "verdicts": quality.verdicts,
            "oracle": lines(json!(quality.table.oracle), &quality.nearness, &quality.change),
            "reference": lines(json!(quality.table.reference), &quality.nearness, &quality.change),
            "unchanged": quality.table.unchanged,
            "quality_range": quality.range,
            "quality_slope": { "measure": quality.measure, "slope": quality.slope, "nulls": of_quality.nulls },
            "phases": quality.phases,
            "prompting_quality": of_quality.prompting.iter().cloned().collect::<BTreeMap<_, _>>(),
            "straightness": of_quality.straightness,
            "unmoved_share": quality.table.unmoved,
            "attainable_share": of_quality.attainable_share,
            "nulls": {
                "edit_ratio": self.results.controls.as_ref().map(|controls| controls.places),
                "quality": of_quality.nulls.places,
                "propensity": self.results.propensity.places,
                "first_order": self.reading.first_order,
            },
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
            "propensity": self.results.propensity,
            "controls": {
                "edit_ratio": self.results.controls,
                "clean": self.results.clean.as_ref().map(|clean| &clean.coefficients),
                "prompting": self.results.prompting.iter().cloned().collect::<BTreeMap<String, f64>>(),
            },
            "layers": self.reading.report,
            "injected_layers": self.layers,
            "effect": redline_steer::total_effect(&self.sweeps.rows),
            "settings": self.settings,
            "hashes": {
                "model": self.settings["model_hash"],
                "data": self.settings["data_hash"],
            },
        })
    }
}

/// Lines of a table with the interval of gain, or of likeness, and its change against coefficient 0.
fn lines(mut table: Value, nearness: &[Estimate], change: &[Estimate]) -> Value {
    let rows = table.as_array_mut().into_iter().flatten();
    for ((line, nearness), change) in rows.zip(nearness).zip(change) {
        line["interval"] = json!(nearness.interval);
        line["change"] = json!(change);
    }
    table
}
