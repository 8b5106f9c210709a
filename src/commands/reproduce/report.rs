//! `index.html` of the report folder.

use redline::experiment::SweepAnalysis;
use redline::figures::slope_plot;
use redline::plot::SweepPlot;
use redline::report::{
    Examples, Finding, ProfilePart, Report, ScanPart, SettingsGroup, SlopesPart, SweepPart, flattened, sweep_findings,
    sweep_warnings,
};
use serde_json::Value;

use super::stages::{Experiment, ReadingStage, Results, SweepStage};
use crate::commands::fit::coefficient_cells;
use crate::commands::scan::title;
use crate::provenance;

/// Everything that the run found, on one page; `figure` is the sweep as it is drawn.
pub fn build(
    experiment: &Experiment<'_>,
    reading: &ReadingStage,
    sweeps: &SweepStage,
    results: &Results,
    figure: SweepPlot,
    settings: &Value,
) -> Report {
    let analysis = &results.analysis;
    let unit = experiment.args.unit.to_string();
    let lead = format!(
        "{} pairs of {} gave the direction; {} other prompts were corrected at {} coefficients, injected in {} of {} layers.",
        reading.reading.provenance.n_pairs,
        experiment.inputs.name.display(),
        analysis.prompts.len(),
        analysis.coefficients.len(),
        experiment.layers.len(),
        reading.reading.provenance.n_layers,
    );
    let mut report = Report::new("Redline: one run of the whole experiment", lead);
    report.warnings = sweep_warnings(analysis, results.controls.as_ref());
    report.findings = findings(reading, results, &unit);
    report.slopes =
        slope_plot(analysis, results.controls.as_ref()).map(|plot| SlopesPart { plot, rows: analysis.prompts.clone() });
    report.sweep = Some(SweepPart::new(analysis, figure, coefficient_cells(analysis)));
    let triple = |row: usize| experiment.inputs.triples.get(row);
    report.examples = Examples::of_sweep(&sweeps.rows, analysis, &unit, triple);
    let n_held_out = reading.report.first().map_or(0, |layer| layer.n_pairs);
    report.profile = Some(ProfilePart::new(redline::figures::layer_profile(&reading.report), n_held_out));
    report.scans = reading.scans.iter().map(|scan| ScanPart::new(scan, &title(scan))).collect();
    let hash = |key: &str| settings[key].as_str().unwrap_or_default().to_owned();
    report.settings = vec![
        provenance::program([
            ("model", experiment.session.model.path.display().to_string()),
            ("model hash (SHA-256)", hash("model_hash")),
            ("data", experiment.inputs.name.display().to_string()),
            ("data hash (SHA-256)", hash("data_hash")),
        ]),
        SettingsGroup::new("Settings", flattened(settings)),
    ];
    report
}

fn findings(reading: &ReadingStage, results: &Results, unit: &str) -> Vec<Finding> {
    let mut findings = sweep_findings(&results.analysis, unit, results.controls.as_ref());
    let auroc = reading.report.iter().filter_map(|layer| Some((layer.layer, layer.auroc?)));
    if let Some((layer, auroc)) = auroc.rev().max_by(|a, b| a.1.value.total_cmp(&b.1.value)) {
        let interval =
            auroc.interval.map_or_else(String::new, |at| format!("; 95 % interval {:.3} to {:.3}", at.low, at.high));
        let note = format!("held-out AUROC, highest in layer {layer}{interval}");
        findings.push(Finding::new("reading correction", format!("{:.3}", auroc.value), note));
    }
    if let Some(clean) = &results.clean {
        findings.push(Finding::new("clean answers, edit ratio", ends(clean), "they should stay copies, near 0"));
    }
    findings
}

fn ends(analysis: &SweepAnalysis) -> String {
    let all = &analysis.coefficients;
    match (all.first(), all.last()) {
        (Some(first), Some(last)) => format!("{:.3} → {:.3}", first.mean_edit_ratio, last.mean_edit_ratio),
        _ => "–".into(),
    }
}
