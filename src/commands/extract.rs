//! `redline extract`: triples → reading vector, with its held-out report.

use std::process::ExitCode;

use anyhow::Context;
use redline::experiment::{extract, skipped_in_words};
use redline::model::Qac;
use redline::probe::LayerReading;
use redline::steer::control_file::write_control_vector;
use redline::steer::reading_control_vector;
use serde_json::json;

use crate::cli::ExtractArgs;
use crate::models;
use crate::output;
use crate::progress::Progress;
use crate::rows::read_triples;

pub fn run(args: &ExtractArgs, json: bool) -> anyhow::Result<ExitCode> {
    let settings = args.pair.settings(args.seed)?;
    let triples = read_triples(&args.data, args.pair.strictness)?;
    let aligner = models::open(&args.model)?;
    let n_layers = aligner.model.decoder.config().n_layers;
    let layers = args.layers.resolve(n_layers)?;
    let triples: Vec<(usize, &Qac)> = triples.iter().enumerate().take(args.pairs).collect();

    let mut progress = Progress::new("reading pairs", triples.len());
    let extracted =
        extract(&aligner.model, &aligner.template, &triples, &settings, &mut |done, total| progress.set(done, total));
    let extracted = extracted.with_context(|| args.data.display().to_string())?;
    progress.finish();

    extracted.reading.save(&args.out)?;
    if let Some(path) = &args.gguf {
        let vector = reading_control_vector(&extracted.reading, &layers, args.unit)?;
        write_control_vector(path, &vector, &aligner.model.decoder.config().architecture)?;
    }
    for warning in &extracted.warnings {
        output::note!("warning: {warning}");
    }
    skipped_in_words(&extracted.skipped).iter().for_each(|note| output::note!("{note}"));
    if json {
        output::json(&json!({
            "schema": "redline.extract.v1",
            "vector": args.out,
            "settings": settings,
            "provenance": extracted.reading.provenance,
            "n_skipped": extracted.skipped.len(),
            "warnings": extracted.warnings,
            "layers": extracted.report,
        }))?;
    } else {
        output::line(&layer_table(&extracted.report))?;
        output::note!("wrote {}", args.out.display());
    }
    Ok(ExitCode::SUCCESS)
}

/// A line a layer: how well the direction tells held-out pairs apart.
pub fn layer_table(report: &[LayerReading]) -> String {
    let estimate = |value: &Option<redline::probe::stats::Estimate>| match value {
        Some(value) => match &value.interval {
            Some(interval) => format!("{:.3} [{:.3}, {:.3}]", value.value, interval.low, interval.high),
            None => format!("{:.3}", value.value),
        },
        None => "–".into(),
    };
    let rows: Vec<Vec<String>> = report
        .iter()
        .map(|reading| {
            vec![
                reading.layer.to_string(),
                estimate(&reading.pair_accuracy),
                estimate(&reading.auroc),
                estimate(&reading.d_prime),
                output::number(reading.explained_variance_ratio),
                output::number(reading.mean_difference_cosine),
            ]
        })
        .collect();
    output::table(&["layer", "pair accuracy [95 %]", "AUROC [95 %]", "d′ [95 %]", "explained", "mean cosine"], &rows)
}
