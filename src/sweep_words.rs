//! A sweep in the terminal: a line a coefficient, then the fitted line.

use std::path::Path;

use redline::experiment::{SweepAnalysis, SweepQuality};
use redline::report::{Table, coefficient_cells, quality_cells};
use redline::steer::SweepFit;
use redline::steer::sweep_shards::SHARD;
use serde_json::Value;

use crate::output;

/// Warns where only a part of a sweep is looked at.
pub fn warn_of_part(path: &Path, settings: &Value) {
    let Some(share) = settings.get(SHARD) else { return };
    let path = path.display();
    output::note!(
        "warning: {path} is part {} of {} of a sweep; nothing is said of the other rows",
        share["part"],
        share["of"]
    );
}

/// A line a coefficient, as text.
pub fn coefficient_table(analysis: &SweepAnalysis) -> String {
    let Table { header, rows } = coefficient_cells(analysis);
    output::table(&header.iter().map(String::as_str).collect::<Vec<_>>(), &rows)
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
    lines.extend(analysis.doubt.clone());
    lines.join("\n")
}

fn describe(label: &str, fit: Option<&SweepFit>) -> String {
    let Some(fit) = fit else { return format!("{label:<15} no line: it takes three coefficients and two prompts") };
    format!(
        "{label:<15} slope {:.4} {}, R² {}, Spearman {}, anti-steerable prompts {:.0} %",
        fit.line.slope,
        output::interval(&fit.slope_interval),
        output::number(fit.line.r2),
        output::number(fit.spearman),
        100.0 * fit.negative_slope_share,
    )
}

/// Whether a sweep corrects: a line a coefficient, and the verdicts.
pub fn quality_text(quality: &SweepQuality) -> String {
    let Table { header, rows } = quality_cells(quality);
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let n =
        quality.table.oracle.first().map(|line| line.n_flawed).or(quality.table.reference.first().map(|line| line.n));
    let mut text = format!("does it correct? ({} answers)\n{}\n", n.unwrap_or_default(), output::table(&header, &rows));
    for line in &quality.table.verifiable {
        text.push_str(&format!("\n{}", line.sentence()));
    }
    for verdict in &quality.verdicts {
        text.push_str(&format!("\n{}\n  docs/when-steering-fails.md#{}", verdict.sentence, verdict.anchor));
    }
    text
}
