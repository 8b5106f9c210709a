//! `redline extract`: triples → reading vector, with its held-out report.

use std::process::ExitCode;

use anyhow::Context;
use redline::experiment::{ExtractionSettings, extract};
use redline::model::Qac;
use redline::probe::{ExtractOptions, LayerReading, ReadAt, Skip};
use redline::steer::control_file::write_control_vector;
use redline::steer::reading_control_vector;
use serde_json::json;

use crate::cli::{ExtractArgs, PairArgs};
use crate::output;
use crate::progress::Progress;
use crate::session::{Session, hinted, read_triples};

pub fn run(args: &ExtractArgs, json: bool) -> anyhow::Result<ExitCode> {
    let settings = settings(&args.pair, args.seed)?;
    let triples = read_triples(&args.data, args.pair.strictness)?;
    let session = Session::open(&args.model)?;
    let n_layers = session.model.decoder.config().n_layers;
    let layers = args.layers.resolve(n_layers)?;
    let triples: Vec<(usize, &Qac)> = triples.iter().enumerate().take(args.pairs).collect();

    let mut progress = Progress::new("reading pairs", triples.len());
    let extracted =
        extract(&session.model, &session.template, &triples, &settings, &mut |done, total| progress.set(done, total));
    let extracted = extracted.with_context(|| args.data.display().to_string())?;
    progress.finish();

    extracted.reading.save(&args.out)?;
    if let Some(path) = &args.gguf {
        let vector = reading_control_vector(&extracted.reading, &layers, args.unit)?;
        write_control_vector(path, &vector, &session.model.decoder.config().architecture)?;
    }
    for warning in &extracted.warnings {
        output::note!("warning: {warning}");
    }
    report_skipped(&extracted.skipped);
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

/// The settings that the pair options stand for.
pub fn settings(args: &PairArgs, seed: u64) -> anyhow::Result<ExtractionSettings> {
    let site: redline::model::Site = args.site.parse()?;
    if !(args.held_out_share > 0.0 && args.held_out_share < 1.0) {
        let message = format!("--held-out-share is {}", args.held_out_share);
        return Err(hinted(message, "give a share between 0 and 1, such as 0.25"));
    }
    Ok(ExtractionSettings {
        design: args.design,
        read: args.read.unwrap_or_else(|| ReadAt::default_for(args.design)),
        site: site.to_string(),
        extract: ExtractOptions {
            method: args.method.unwrap_or(ExtractOptions::default().method),
            scaling: args.scaling,
            mirrored: !args.no_mirror,
            seed,
        },
        max_tokens: args.max_tokens,
        held_out_share: args.held_out_share,
        scan_tokens: redline::probe::scan::SCAN_TOKENS,
        calibration_pairs: args.calibration_pairs,
        seed,
    })
}

/// Says how many triples gave no pair.
pub fn report_skipped(skipped: &[(usize, Skip)]) {
    for (reason, text) in [
        (Skip::Identical, "their correction equals the answer"),
        (Skip::TooLong, "too long"),
        (Skip::OneDifference, "they differ in one place only"),
    ] {
        let count = skipped.iter().filter(|(_, skip)| *skip == reason).count();
        if count > 0 {
            output::note!("note: {count} triples left out: {text}");
        }
    }
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
