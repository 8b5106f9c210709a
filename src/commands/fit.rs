//! `redline fit`: the line through a sweep, with intervals.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use redline::data::corrupt::CorruptedRow;
use redline::experiment::{
    SlopeDependence, SweepAnalysis, SweepQuality, analyse, best_fit, judge_sweep, slope_dependences,
};
use redline::figures::sweep_plot;
use redline::lab::quality::Evidence;
use redline::lab::rows::{Rows, rows_hash};
use redline::plot::{picture_paths, write_both};
use redline::steer::{BootstrapOptions, CORRECTION, SweepRow, read_sweeps};
use serde::Serialize;
use serde_json::{Value, json};

use crate::cli::FitArgs;
use crate::difference::{Marks, marked};
use crate::failure::hinted;
use crate::sweep_words::{coefficient_table, fit_lines, quality_text, warn_of_part};
use crate::{output, rows};

pub fn run(args: &FitArgs, json: bool) -> anyhow::Result<ExitCode> {
    let (settings, rows) = read_sweeps(&args.files)?;
    warn_of_part(&args.files[0], &settings);
    let bootstrap = BootstrapOptions { seed: args.seed, ..BootstrapOptions::default() };
    let analysis = analyse(&rows, CORRECTION, args.variant, args.coherence_bound, &bootstrap);
    let analysis = analysis.with_context(|| args.files[0].display().to_string())?;
    if let Some(stem) = &args.plot {
        let unit = settings.get("unit").and_then(|unit| unit.as_str()).unwrap_or("gap");
        write_both(&sweep_plot(&analysis, unit, Vec::new(), Vec::new()), stem)?;
        let written: Vec<String> = picture_paths(stem).iter().map(|path| path.display().to_string()).collect();
        output::note!("wrote {}", written.join(" and "));
    }
    let rows_of = args.rows.as_deref().map(|path| corrupted_rows(path, &settings, &rows)).transpose()?;
    let limits = rows_of.as_ref().map(|corrupted| Limits::new(&analysis, &rows, corrupted, args.examples, &bootstrap));
    let limits = limits.transpose().with_context(|| format!("{:?}", args.rows))?;
    let quality = rows_of.map(|corrupted| quality(&analysis, &rows, corrupted, &bootstrap)).transpose()?.flatten();
    if json {
        output::json(&json!({
            "schema": "redline.fit.v1",
            "settings": settings,
            "analysis": analysis,
            "quality": quality,
            "limits": limits,
        }))?;
    } else {
        output::line(&coefficient_table(&analysis))?;
        output::line(&fit_lines(&analysis))?;
        if let Some(quality) = &quality {
            output::line(&format!("\n{}", quality_text(quality)))?;
        }
        if let Some(limits) = limits {
            output::line(&limits.as_text())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The rows that were swept, with their flaws.
fn corrupted_rows(path: &Path, settings: &Value, swept: &[SweepRow]) -> anyhow::Result<Vec<CorruptedRow>> {
    let hint = "give the rows of `redline data corrupt` or `synth` that were swept, or leave --rows out";
    let Some(corrupted) = rows::corrupted(path)? else {
        return Err(hinted(format!("{}: the rows carry no flaws", path.display()), hint));
    };
    let is_same = match settings["data_hash"].as_str() {
        Some(hash) => {
            let texts = corrupted.iter().map(|row| [row.question.as_str(), &row.answer, &row.correction]);
            hash == rows_hash(texts)
        }
        None => swept.iter().all(|swept| has_its_length(swept, &corrupted)),
    };
    match is_same {
        true => Ok(corrupted),
        false => Err(hinted(format!("{}: these are not the rows that were swept", path.display()), hint)),
    }
}

/// Whether the outputs are better than the answers, over the prompts of the line.
fn quality(
    analysis: &SweepAnalysis,
    swept: &[SweepRow],
    corrupted: Vec<CorruptedRow>,
    bootstrap: &BootstrapOptions,
) -> anyhow::Result<Option<SweepQuality>> {
    let is_one = |row: &&SweepRow| {
        let is_its = row.vector == analysis.vector || row.coefficient == 0.0;
        is_its && analysis.prompts.contains(&row.row)
    };
    let swept: Vec<SweepRow> = swept.iter().filter(is_one).cloned().collect();
    Ok(judge_sweep(&Rows::with_flaws(corrupted, "rows"), &swept, &[], &Evidence::default(), bootstrap)?)
}

/// Whether a row of a sweep can be of these. An output that was cut was compared with a part of the answer.
fn has_its_length(swept: &SweepRow, rows: &[CorruptedRow]) -> bool {
    let answer = rows.get(swept.row).map(|row| row.answer.trim().chars().count());
    answer.is_some_and(|length| swept.truncated || length == swept.ratios.original_length)
}

/// What the slopes depend on, and where the dial fails.
#[derive(Serialize)]
struct Limits {
    dependences: Vec<SlopeDependence>,
    weakest: Vec<WeakPrompt>,
}

/// A prompt with one of the lowest slopes.
#[derive(Serialize)]
struct WeakPrompt {
    row: usize,
    slope: f64,
    question: String,
    answer: String,
    /// Lowest and highest coefficient of the fit.
    coefficients: [f64; 2],
    /// What was written there.
    outputs: [String; 2],
}

impl Limits {
    fn new(
        analysis: &SweepAnalysis,
        rows: &[SweepRow],
        corrupted: &[CorruptedRow],
        n_examples: usize,
        bootstrap: &BootstrapOptions,
    ) -> anyhow::Result<Self> {
        let dependences = slope_dependences(analysis, corrupted, bootstrap)?;
        let mut weakest = Vec::new();
        if let Some(fit) = best_fit(analysis) {
            let ends = [fit.coefficients[0], fit.coefficients[fit.coefficients.len() - 1]];
            let mut slopes: Vec<(usize, f64)> =
                analysis.prompts.iter().copied().zip(fit.prompt_slopes.iter().copied()).collect();
            slopes.sort_by(|a, b| a.1.total_cmp(&b.1));
            let output = |row: usize, at: f64| {
                let is_it = |found: &&SweepRow| {
                    found.row == row
                        && f64::from(found.coefficient) == at
                        && (found.vector == analysis.vector || at == 0.0)
                };
                rows.iter().find(is_it).map_or_else(String::new, |found| found.output.clone())
            };
            weakest.extend(slopes.into_iter().take(n_examples).map(|(row, slope)| WeakPrompt {
                row,
                slope,
                question: corrupted[row].question.clone(),
                answer: corrupted[row].answer.clone(),
                coefficients: ends,
                outputs: ends.map(|end| output(row, end)),
            }));
        }
        Ok(Self { dependences, weakest })
    }

    fn as_text(&self) -> String {
        let rows: Vec<Vec<String>> = self
            .dependences
            .iter()
            .map(|dependence| {
                let rank = dependence.spearman.as_ref().map_or_else(
                    || "–".into(),
                    |rank| match &rank.interval {
                        Some(at) => format!("{:.2} [{:.2}, {:.2}]", rank.value, at.low, at.high),
                        None => format!("{:.2}", rank.value),
                    },
                );
                vec![dependence.feature.clone(), rank, output::number(dependence.r2)]
            })
            .collect();
        let mut text = format!(
            "\nslopes of prompts against\n{}",
            output::table(&["feature", "Spearman [95 %]", "R² of a line"], &rows)
        );
        for weak in &self.weakest {
            let [low, high] = &weak.outputs;
            text += &format!(
                "\n\nrow {}, slope {:.4}: {}\n  answer: {}\n  from {} to {}: {}",
                weak.row,
                weak.slope,
                weak.question,
                weak.answer,
                weak.coefficients[0],
                weak.coefficients[1],
                marked(low, high, Marks::for_stdout())
            );
        }
        text
    }
}
