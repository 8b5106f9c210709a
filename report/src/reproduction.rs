//! Figures and page of a whole experiment.

use redline_lab::experiment::{SweepAnalysis, SweepQuality};
use redline_lab::reproduce::{ReadingStage, Reproduction, Results};
use redline_lab::rows::Rows;

use crate::figures::{
    control_curves, example_texts, heatmap, layer_profile, pareto_curves, phase_heatmap, quality_curves, scan_title,
    slope_plot, sweep_plot,
};
use crate::plot::{Control, ControlKind, PlotError, SweepPlot, write_both};
use crate::report::{
    Examples, Finding, ProfilePart, QualityPart, Report, ScanPart, SettingsGroup, SlopesPart, SweepPart,
    coefficient_cells, flattened, sweep_findings, sweep_warnings,
};

/// Draws all figures into the folder of the experiment, as PNG and SVG; returns the sweep's, which the page shows too.
///
/// # Errors
/// A file cannot be written.
pub fn draw(run: &Reproduction, rows: &Rows) -> Result<SweepPlot, PlotError> {
    for scan in &run.reading.scans {
        write_both(&heatmap(scan, &scan_title(scan)), &run.folder.file(&format!("scan-{}", scan.label)))?;
    }
    write_both(&layer_profile(&run.reading.report), &run.folder.file("layers"))?;
    let results = &run.results;
    let curves = |controls| control_curves(controls, &results.analysis);
    let mut controls = results.controls.as_ref().map_or_else(Vec::new, curves);
    if let Some(clean) = &results.clean {
        let points = clean.coefficients.iter().map(|at| (at.coefficient, at.mean_edit_ratio)).collect();
        controls.push(Control { name: "clean answers".into(), kind: ControlKind::Clean, points });
    }
    let figure = sweep_plot(&results.analysis, &run.options.unit.to_string(), controls, results.prompting.clone());
    write_both(&figure, &run.folder.file("sweep"))?;
    write_both(&quality_curves(&results.quality.quality, &run.options.unit.to_string()), &run.folder.file("quality"))?;
    let quality = &results.quality.quality;
    if let Some(phases) = &quality.phases {
        write_both(&phase_heatmap(phases, &run.options.unit.to_string()), &run.folder.file("phases"))?;
    }
    if let Some(pareto) = pareto_curves(&quality.table, &results.quality.prompting) {
        write_both(&pareto, &run.folder.file("pareto"))?;
    }
    if let Some(slopes) = slope_plot(&results.analysis, results.controls.as_ref()) {
        write_both(&slopes, &run.folder.file("slopes"))?;
    }
    let triple = |row: usize| rows.triples.get(row);
    if let Some(example) = example_texts(&run.sweeps.rows, &results.analysis.vector, triple) {
        write_both(&example, &run.folder.file("example"))?;
    }
    Ok(figure)
}

/// Everything that the run found, on one page; `figure` is the sweep as it is drawn, `program` what made the page.
pub fn page(run: &Reproduction, rows: &Rows, figure: SweepPlot, program: SettingsGroup) -> Report {
    let (reading, results) = (&run.reading, &run.results);
    let analysis = &results.analysis;
    let unit = run.options.unit.to_string();
    let lead = format!(
        "{} pairs of {} gave the direction; {} other prompts were corrected at {} coefficients, injected in {} of {} layers.",
        reading.reading.provenance.n_pairs,
        rows.name.display(),
        analysis.prompts.len(),
        analysis.coefficients.len(),
        run.layers.len(),
        reading.reading.provenance.n_layers,
    );
    let mut report = Report::new("Redline: one run of the whole experiment", lead);
    report.warnings = sweep_warnings(analysis, results.controls.as_ref());
    report.findings = findings(reading, results, &unit);
    report.slopes =
        slope_plot(analysis, results.controls.as_ref()).map(|plot| SlopesPart { plot, rows: analysis.prompts.clone() });
    report.quality = Some(QualityPart::new(&results.quality.quality));
    report.phases = results.quality.quality.phases.as_ref().map(|phases| phase_heatmap(phases, &unit));
    report.curves = vec![quality_curves(&results.quality.quality, &unit)];
    report.curves.extend(pareto_curves(&results.quality.quality.table, &results.quality.prompting));
    report.sweep = Some(SweepPart::new(analysis, figure, coefficient_cells(analysis)));
    report.examples = Examples::of_sweep(&run.sweeps.rows, analysis, &unit, |row| rows.triples.get(row));
    let n_held_out = reading.report.first().map_or(0, |layer| layer.n_pairs);
    report.profile = Some(ProfilePart::new(layer_profile(&reading.report), n_held_out));
    report.scans = reading.scans.iter().map(|scan| ScanPart::new(scan, &scan_title(scan))).collect();
    report.settings = vec![program, SettingsGroup::new("Settings", flattened(&run.settings))];
    report
}

fn findings(reading: &ReadingStage, results: &Results, unit: &str) -> Vec<Finding> {
    let mut findings: Vec<Finding> = quality_finding(&results.quality.quality).into_iter().collect();
    findings.extend(sweep_findings(&results.analysis, unit, results.controls.as_ref()));
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

/// Gain, or likeness to the reference, from end to end.
fn quality_finding(quality: &SweepQuality) -> Option<Finding> {
    let (first, last) = (quality.nearness.first()?, quality.nearness.last()?);
    let (name, note) = match quality.measure {
        "gain" => ("gain from end to end", "0 copies the answers, 1 is the clean texts".to_owned()),
        _ => {
            let unchanged = quality.table.unchanged.reference.as_ref().and_then(|line| line.similarity);
            let unchanged =
                unchanged.map_or_else(String::new, |likeness| format!("; the unchanged answers have {likeness:.3}"));
            ("likeness to the reference", format!("from end to end{unchanged}"))
        }
    };
    Some(Finding::new(name, format!("{:.3} → {:.3}", first.value, last.value), note))
}

fn ends(analysis: &SweepAnalysis) -> String {
    let all = &analysis.coefficients;
    match (all.first(), all.last()) {
        (Some(first), Some(last)) => format!("{:.3} → {:.3}", first.mean_edit_ratio, last.mean_edit_ratio),
        _ => "–".into(),
    }
}
