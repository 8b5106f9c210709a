//! A sweep in a few numbers, and what speaks against them.

use redline_steer::Interval;

use super::Finding;
use crate::plot::label::short;
use redline_lab::experiment::{ControlSlopes, SweepAnalysis, best_fit};

/// The line of a sweep in a few numbers, beside the random directions of its controls.
pub fn sweep_findings(analysis: &SweepAnalysis, unit: &str, controls: Option<&ControlSlopes>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let ends = (analysis.coefficients.first(), analysis.coefficients.last());
    if let (Some(first), Some(last)) = ends {
        findings.push(Finding::new(
            "edit ratio from end to end",
            format!("{:.3} → {:.3}", first.mean_edit_ratio, last.mean_edit_ratio),
            format!("coefficient {} → {} ({unit})", short(first.coefficient), short(last.coefficient)),
        ));
    }
    let Some(fit) = best_fit(analysis) else { return findings };
    let [low, high] = [fit.coefficients[0], fit.coefficients[fit.coefficients.len() - 1]].map(short);
    let range = format!("from {low} to {high}");
    let beside = controls.filter(|controls| !controls.random.is_empty()).map_or_else(String::new, |controls| {
        let (n, limit) = (controls.random.len(), controls.random_p95);
        format!("; {n} random directions reach {limit:.4} (95th percentile)")
    });
    let shown = |interval: &Interval| format!("95 % interval {:.4} to {:.4}", interval.low, interval.high);
    findings.push(Finding::new(
        format!("slope of the line, per {unit}"),
        format!("{:.4}", fit.line.slope),
        format!("{}{beside}", shown(&fit.slope_interval)),
    ));
    if let Some(r2) = fit.line.r2 {
        findings.push(Finding::new("R² of the line", format!("{r2:.3}"), range.clone()));
    }
    findings.push(Finding::new(
        "anti-steerable prompts",
        format!("{:.0} %", 100.0 * fit.negative_slope_share),
        format!("of {} prompts; their own slope is below 0", fit.n_prompts),
    ));
    findings
}

/// What speaks against calling a sweep a dial.
pub fn sweep_warnings(analysis: &SweepAnalysis, controls: Option<&ControlSlopes>) -> Vec<String> {
    let mut warnings = Vec::new();
    match &analysis.coherent_range {
        None => warnings.push("No coherent range is known: coefficient 0 was not run, or gave no output.".to_owned()),
        Some(range) => {
            let n_outside =
                analysis.coefficients.iter().filter(|at| at.coefficient < range.low || at.coefficient > range.high);
            match n_outside.count() {
                0 => {}
                1 => warnings.push(outside("One coefficient lies", range.low, range.high)),
                n => warnings.push(outside(&format!("{n} coefficients lie"), range.low, range.high)),
            }
        }
    }
    let Some(fit) = best_fit(analysis) else {
        warnings.push("There is no line: it takes three coefficients and two prompts.".to_owned());
        return warnings;
    };
    warnings.extend(analysis.doubt.clone());
    if analysis.fit.is_none() {
        warnings
            .push("Too few coefficients are coherent for a line; the one shown goes through all of them.".to_owned());
    }
    if fit.slope_interval.contains(0.0) {
        warnings.push("The interval of the slope holds 0: no dial is shown here.".to_owned());
    }
    let random = controls.filter(|controls| !controls.random.is_empty());
    if random.is_some_and(|controls| controls.correction.slope.abs() <= controls.random_p95) {
        warnings.push("The slope is no larger than that of random directions of equal norm.".to_owned());
    }
    warnings
}

fn outside(what: &str, low: f64, high: f64) -> String {
    let (low, high) = (short(low), short(high));
    format!(
        "{what} outside the coherent range {low} … {high}: text falls apart there, and a high edit ratio is no correction."
    )
}
