//! `redline extract`: triples → reading vector, with its held-out report.

mod inside;

use std::process::ExitCode;

use anyhow::Context;
use redline::experiment::{TrainingPlan, extract, skipped_in_words, train_extracted};
use redline::lab::observer::Observer;
use redline::model::files::remove_if_there;
use redline::probe::LayerReading;
use redline::steer::control_file::write_control_vector;
use redline::steer::reading_control_vector;
use serde_json::json;

use crate::cli::ExtractArgs;
use crate::defaults;
use crate::models;
use crate::observer::Shown;
use crate::output;
use crate::rows::of_experiment;

pub fn run(args: &ExtractArgs, json: bool) -> anyhow::Result<ExitCode> {
    args.trained.check(&args.pair, args.range)?;
    if args.is_inside() {
        return inside::run(args, json);
    }
    let settings = args.pair.settings(args.seed)?;
    let rows = of_experiment(Some(&args.data), args.pair.strictness)?;
    let aligner = models::open(&args.model)?;
    let n_layers = aligner.model.decoder.config().n_layers;
    let layers = args.layers.resolve(n_layers)?;
    let numbers: Vec<usize> = (0..rows.triples.len().min(args.pairs)).collect();

    let mut observer = Shown::default();
    let triples = rows.at(&numbers);
    let mut extracted = extract(&aligner.model, &aligner.template, &triples, &settings, &mut |done, total| {
        observer.progress("reading pairs", done, total)
    })
    .with_context(|| args.data.display().to_string())?;
    observer.end("reading pairs");
    let range = defaults::range(&args.model, args.range);
    let trained = args.trained.settings(&args.pair, rows.flawed.is_some(), range, args.seed);
    let checkpoint = args.checkpoint();
    if let Some(trained) = &trained {
        if args.force.force {
            remove_if_there(&checkpoint)?;
        }
        let plan =
            TrainingPlan { aligner: &aligner, rows: &rows, numbers: &numbers, layers: &layers, settings: trained };
        extracted = train_extracted(&plan, extracted, Some(&checkpoint), &mut observer)?;
    }

    extracted.reading.save(&args.out)?;
    if trained.is_some() {
        // the vector is safe now
        remove_if_there(&checkpoint)?;
    }
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
            "trained": trained,
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
    let estimate = |found: &Option<redline::probe::stats::Estimate>| {
        found.as_ref().map_or_else(|| "–".into(), |found| output::estimate(found.value, found.interval.as_ref()))
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
