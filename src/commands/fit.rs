//! `redline fit`: the line through a sweep, with intervals.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use redline::experiment::{SweepAnalysis, analyse, sweep_plot};
use redline::plot::write_both;
use redline::steer::{BootstrapOptions, CORRECTION, Interval, SweepFit, read_sweep};
use serde_json::json;

use crate::cli::FitArgs;
use crate::output;
use crate::session::check_output;

pub fn run(args: &FitArgs, json: bool) -> anyhow::Result<ExitCode> {
    let (settings, rows) = read_sweep(&args.file)?;
    if let Some(stem) = &args.plot {
        check_output(&PathBuf::from(format!("{}.png", stem.display())))?;
    }
    let bootstrap = BootstrapOptions { seed: args.seed, ..BootstrapOptions::default() };
    let analysis = analyse(&rows, CORRECTION, args.variant, args.coherence_bound, &bootstrap);
    let analysis = analysis.with_context(|| args.file.display().to_string())?;
    if let Some(stem) = &args.plot {
        let unit = settings.get("unit").and_then(|unit| unit.as_str()).unwrap_or("gap");
        write_both(&sweep_plot(&analysis, unit, Vec::new(), Vec::new()), stem)?;
        eprintln!("wrote {0}.png and {0}.svg", stem.display());
    }
    if json {
        output::json(&json!({ "schema": "redline.fit.v1", "settings": settings, "analysis": analysis }))?;
    } else {
        output::line(&coefficient_table(&analysis))?;
        output::line(&fit_lines(&analysis))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A line a coefficient.
pub fn coefficient_table(analysis: &SweepAnalysis) -> String {
    let intervals = analysis.fit_all.as_ref().map(|fit| &fit.mean_ratio_interval);
    let rows: Vec<Vec<String>> = analysis
        .coefficients
        .iter()
        .enumerate()
        .map(|(i, at)| {
            let interval = intervals.and_then(|intervals| intervals.get(i));
            vec![
                format!("{}", at.coefficient),
                format!("{:.3}", at.mean_edit_ratio),
                interval.map_or_else(|| "–".into(), show_interval),
                format!("{:.3}", at.exact_copy_share),
                output::number(at.reference_similarity),
                output::number(at.nll),
                format!("{:.3}", at.repetition),
                format!("{:.3}", at.truncated_share),
            ]
        })
        .collect();
    let ratio = format!("{} ratio", analysis.variant);
    output::table(
        &["coefficient", &ratio, "95 %", "exact copies", "like reference", "nll/token", "repetition", "cut off"],
        &rows,
    )
}

/// The fitted line within the coherent range and over all coefficients.
pub fn fit_lines(analysis: &SweepAnalysis) -> String {
    let mut lines = vec![String::new()];
    match &analysis.coherent_range {
        Some(range) => {
            lines.push(format!(
                "coherent range  {} … {} (nll within {} of {:.3} at coefficient 0)",
                range.low, range.high, range.bound, range.baseline
            ));
            lines.push(describe("within it", analysis.fit.as_ref()));
        }
        None => lines.push("coherent range  unknown: coefficient 0 was not run, or gave no output".into()),
    }
    lines.push(describe("all coefficients", analysis.fit_all.as_ref()));
    lines.join("\n")
}

fn describe(label: &str, fit: Option<&SweepFit>) -> String {
    let Some(fit) = fit else { return format!("{label:<15} no line: it takes three coefficients and two prompts") };
    format!(
        "{label:<15} slope {:.4} {}, R² {} {}, Spearman {}, anti-steerable prompts {:.0} %",
        fit.line.slope,
        show_interval(&fit.slope_interval),
        output::number(fit.line.r2),
        fit.r2_interval.as_ref().map_or_else(String::new, show_interval),
        output::number(fit.spearman),
        100.0 * fit.negative_slope_share,
    )
}

fn show_interval(interval: &Interval) -> String {
    format!("[{:.3}, {:.3}]", interval.low, interval.high)
}
