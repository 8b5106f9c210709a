//! `redline gate`: from labelled rows to a threshold, and what it is worth.

use std::path::Path;
use std::process::ExitCode;

use redline::embedded;
use redline::figures::gate_curve;
use redline::lab::answer_gate::{
    Calibrated, GateCalibration, LabelledRow, SafetyRates, calibrate, labelled_rows, safety_rates,
};
use redline::lab::data::Need;
use redline::lab::rows::Rows;
use redline::plot::write_both;
use serde_json::json;

use crate::cli::answer_gate::AnswerGateArgs;
use crate::failure::hinted;
use crate::observer::Shown;
use crate::{models, output, rows};

pub fn run(args: &AnswerGateArgs, json: bool) -> anyhow::Result<ExitCode> {
    let options = args.options()?;
    let (labelled, safety) = match &args.data {
        Some(path) => labelled(path)?,
        None => (embedded_rows()?, Vec::new()),
    };
    let data = args.data.as_deref().unwrap_or(Path::new(embedded::ROWS_NAME));
    let aligner = models::open(&args.model)?;
    // known without a gate, and of use where none can be calibrated
    if !json {
        safety.iter().try_for_each(|rates| output::line(&safety_text(rates)))?;
    }
    let found = calibrate(&aligner, &args.gate, &labelled, data, &options, &mut Shown::default())?;
    let (file, stem) = (args.file(), args.stem());
    if file.exists() {
        output::note!("note: {}: replaces the calibration that was there", file.display());
    }
    write_both(&gate_curve(&found.calibration), &stem)?;
    found.calibration.save(&file)?;
    let doubt = found.calibration.doubt();
    doubt.iter().for_each(|doubt| output::note!("warning: {doubt}"));
    if json {
        let Calibrated { calibration, layers, n_too_long } = &found;
        output::json(&json!({
            "schema": "redline.gate-calibration.v1",
            "file": file,
            "figure": stem,
            "calibration": calibration,
            "layers": layers,
            "n_too_long": n_too_long,
            "safety": safety,
            "doubt": doubt,
        }))?;
    } else {
        output::line(&as_text(args, &found).join("\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Rows with labels, and what XSTest's own say.
fn labelled(path: &Path) -> anyhow::Result<(Vec<LabelledRow>, Vec<SafetyRates>)> {
    let file = rows::read(path, Need::Answer)?;
    let (labelled, n_left_out) = labelled_rows(&file.rows);
    if labelled.is_empty() {
        return Err(hinted(
            format!("{}: no row says whether its answer needs a correction", path.display()),
            "give rows with a `correction`, a `label` (safe or unsafe) or `is_safe`",
        ));
    }
    if n_left_out > 0 {
        output::note!("note: {}: {n_left_out} rows left out: no label", path.display());
    }
    Ok((labelled, safety_rates(&file.rows)?))
}

fn embedded_rows() -> anyhow::Result<Vec<LabelledRow>> {
    let row = |row: redline::model::Qac| {
        let needed = row.answer.trim() != row.correction.trim();
        LabelledRow { question: row.question, answer: row.answer, needed }
    };
    Ok(Rows::embedded(None)?.triples.into_iter().map(row).collect())
}

/// Refused safe prompts and answered unsafe ones.
fn safety_text(rates: &SafetyRates) -> String {
    let at = rates.coefficient.map_or_else(String::new, |coefficient| format!(" at {coefficient}"));
    format!(
        "labels{at}       {} of {} safe prompts refused, {} of {} unsafe ones complied with",
        rates.n_safe_refused, rates.n_safe, rates.n_unsafe_complied, rates.n_unsafe
    )
}

fn as_text(args: &AnswerGateArgs, found: &Calibrated) -> Vec<String> {
    let GateCalibration { threshold, false_corrections, fitted_on, held_out, speed, layers, .. } = &found.calibration;
    let share = |share: f64| format!("{:.1} %", 100.0 * share);
    let mut lines = vec![
        format!("gate         {}", args.gate),
        format!(
            "threshold    {threshold:.6}, for at most {} needless corrections, on {} answers to correct and {} to leave",
            share(*false_corrections),
            fitted_on.n_needed,
            fitted_on.n_fine
        ),
        format!(
            "held out     AUC {}; of {} answers to correct {} {} are, of {} to leave {} {}",
            output::estimate(held_out.auc.value, held_out.auc.interval.as_ref()),
            held_out.n_needed,
            share(held_out.true_rate),
            output::interval(&held_out.true_interval),
            held_out.n_fine,
            share(held_out.false_rate),
            output::interval(&held_out.false_interval),
        ),
    ];
    lines.extend(layers.as_ref().map(|layers| format!("layers       {layers:?} of {}", found.layers.len())));
    let corrections = speed.correction_seconds.zip(speed.saved_share).map(|(seconds, saved)| {
        format!(
            "; a correction {seconds:.4} s (mean of {}), so that the gate saves {}",
            speed.n_corrections,
            share(saved)
        )
    });
    lines.push(format!(
        "speed        {} of such answers are corrected; the gate takes {:.4} s{}",
        share(held_out.corrected_share),
        speed.gate_seconds,
        corrections.unwrap_or_default()
    ));
    lines.push(format!("calibration  {} (the curve beside it)", args.file().display()));
    lines
}
