//! `redline extract`: triples → reading vector, with its held-out report.

mod inside;

use std::process::ExitCode;

use anyhow::Context;
use redline::experiment::{
    Extracted, ExtractionSettings, ReadPairs, TrainedSettings, TrainingPlan, extract_from, read_pairs, read_settings,
    skipped_in_words, train_extracted,
};
use redline::lab::observer::Observer;
use redline::model::files::remove_if_there;
use redline::probe::activation_file::ActivationHeader;
use redline::probe::shard::Shard;
use redline::probe::{LayerReading, PairFile};
use redline::steer::control_file::write_control_vector;
use redline::steer::reading_control_vector;
use serde_json::{Value, json};

use crate::cli::ExtractArgs;
use crate::defaults;
use crate::models;
use crate::observer::Shown;
use crate::output;
use crate::rows::of_experiment;

pub fn run(args: &ExtractArgs, json: bool) -> anyhow::Result<ExitCode> {
    args.trained.check(&args.pair, args.range)?;
    args.check_parts()?;
    if args.is_inside() {
        return inside::run(args, json);
    }
    if !args.from_activations.is_empty() {
        return from_activations(args, json);
    }
    let settings = args.pair.settings(args.seed)?;
    let data = args.triples()?;
    let rows = of_experiment(Some(data), args.pair.strictness)?;
    let aligner = models::open(&args.model)?;
    let layers = args.layers.resolve(aligner.model.decoder.config().n_layers)?;
    let numbers: Vec<usize> = (0..rows.triples.len().min(args.pairs)).collect();

    let mut observer = Shown::default();
    let shard = args.shard.unwrap_or(Shard::WHOLE);
    let ReadPairs { file, held_out } =
        read_pairs(&aligner.model, &aligner.template, &rows.at(&numbers), &settings, shard, &mut |done, total| {
            observer.progress("reading pairs", done, total)
        })
        .with_context(|| data.display().to_string())?;
    observer.end("reading pairs");
    if let Some(path) = &args.activations {
        file.save(path)?;
        output::note!("wrote {}", path.display());
    }
    if args.shard.is_some() {
        return part(args, &file.header, json);
    }
    let mut extracted = extract_from(file, &settings.extract).with_context(|| data.display().to_string())?;
    extracted.held_out = held_out;
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
    write(args, &extracted, &layers)?;
    if trained.is_some() {
        // the vector is safe now
        remove_if_there(&checkpoint)?;
    }
    tell(args, &extracted, &json!(settings), trained.as_ref(), json)
}

/// A direction in activations that were read before.
fn from_activations(args: &ExtractArgs, json: bool) -> anyhow::Result<ExitCode> {
    let file = PairFile::merged(&args.from_activations)?;
    let read = read_settings(&file.header)?;
    // what was read says the seed; the method is asked for here
    let extract = args.pair.settings(read.seed)?.extract;
    let extracted = extract_from(file, &extract).with_context(|| args.from_activations[0].display().to_string())?;
    let layers = args.layers.resolve(extracted.reading.provenance.n_layers)?;
    write(args, &extracted, &layers)?;
    tell(args, &extracted, &json!(ExtractionSettings { extract, ..read }), None, json)
}

/// What is said of a part of the pairs.
fn part(args: &ExtractArgs, header: &ActivationHeader, json: bool) -> anyhow::Result<ExitCode> {
    let (share, n_pairs) = (header.share, header.share.rows().len());
    match json {
        true => output::json(&json!({
            "schema": "redline.extract-part.v1",
            "activations": args.activations,
            "shard": share,
            "settings": header.settings,
            "n_pairs": n_pairs,
            "n_skipped": header.skipped.len(),
        }))?,
        false => output::line(&format!(
            "part {share}: {n_pairs} of {} pairs; `redline extract --from-activations` finds the direction in all parts",
            share.n
        ))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes the vector, and the control vector that is asked for.
fn write(args: &ExtractArgs, extracted: &Extracted, layers: &[usize]) -> anyhow::Result<()> {
    extracted.reading.save(&args.out)?;
    if let Some(path) = &args.gguf {
        let vector = reading_control_vector(&extracted.reading, layers, args.unit)?;
        write_control_vector(path, &vector, &extracted.reading.provenance.architecture)?;
    }
    Ok(())
}

fn tell(
    args: &ExtractArgs,
    extracted: &Extracted,
    settings: &Value,
    trained: Option<&TrainedSettings>,
    json: bool,
) -> anyhow::Result<ExitCode> {
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
