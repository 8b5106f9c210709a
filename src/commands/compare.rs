//! `redline compare`: which direction makes the best dial, by propensity on held-out pairs of a development file.

use std::process::ExitCode;

use anyhow::Context;
use redline::experiment::{CompareOptions, Comparison, LayerSpec, compare};
use redline::model::Qac;
use redline::steer::Error as SteerError;
use serde_json::json;

use crate::cli::CompareArgs;
use crate::cli::numbers::MOST_LIST;
use crate::failure::hinted;
use crate::models;
use crate::output;
use crate::progress::Progress;
use crate::rows::read_triples;

pub fn run(args: &CompareArgs, json: bool) -> anyhow::Result<ExitCode> {
    let settings = args.pair.reading_settings(args.seed)?;
    let coefficients = args.coefficients.0.clone();
    if !coefficients.contains(&0.0) {
        return Err(SteerError::NoBaseline { n: coefficients.len() }.into());
    }
    if coefficients.len() < 2 || args.score_tokens == 0 {
        return Err(hinted("nothing to compare", "give at least two --coefficients, and --score-tokens above 0"));
    }
    let lists = [args.methods.len(), args.layers.len(), args.units.len()];
    if lists.iter().any(|n| *n > MOST_LIST) {
        let message = format!("--methods, --layers and --units have {lists:?} entries");
        return Err(hinted(message, format!("give at most {MOST_LIST} of each")));
    }
    if args.pair.method.is_some() {
        return Err(hinted("--method is one method, and this compares several", "give --methods"));
    }
    let triples = read_triples(&args.data, args.pair.strictness)?;
    let aligner = models::open(&args.model)?;
    let layers = if args.layers.is_empty() { vec![LayerSpec::Auto, LayerSpec::All] } else { args.layers.clone() };
    for spec in &layers {
        spec.resolve(aligner.model.decoder.config().n_layers)?;
    }
    let options = CompareOptions {
        methods: args.methods.iter().map(|&method| (method, args.pair.scaling)).collect(),
        layers,
        units: args.units.clone(),
        coefficients,
        range: args.range,
        n_measured: args.measured,
        max_tokens: args.score_tokens,
        n_random: args.random,
    };
    let triples: Vec<(usize, &Qac)> = triples.iter().enumerate().take(args.pairs).collect();
    let mut progress = Progress::new("comparing", args.measured);
    let found = compare(&aligner.model, &aligner.template, &triples, &settings, &options, &mut |done, total| {
        progress.set(done, total)
    });
    let found = found.with_context(|| args.data.display().to_string())?;
    progress.finish();
    let result = json!({
        "schema": "redline.compare.v1",
        "model_hash": aligner.model.fingerprint,
        "template": aligner.template.source(),
        "data": args.data,
        "settings": settings,
        "coefficients": options.coefficients,
        "range": args.range.to_string(),
        "score_tokens": args.score_tokens,
        "comparison": found,
    });
    if let Some(path) = &args.out {
        output::json_file(path, &result)?;
    }
    match json {
        true => output::json(&result)?,
        false => output::line(&table(&found))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn table(found: &Comparison) -> String {
    let row = |candidate: &redline::experiment::Candidate| {
        vec![
            candidate.method.to_string(),
            candidate.layers.clone(),
            candidate.unit.to_string(),
            format!("{:.2}", candidate.factor),
            output::estimate(candidate.slope, Some(&candidate.slope_interval)),
            output::number(candidate.r2),
            format!("{:.0} %", 100.0 * candidate.negative_slope_share),
            format!("{:.3}", candidate.cost),
        ]
    };
    let header = ["method", "layers", "unit", "× for equal strength", "slope, nats [95 %]", "R²", "negative", "cost"];
    let rows: Vec<Vec<String>> = found.candidates.iter().map(row).collect();
    format!(
        "{}\n\n{} pairs; summed ‖Δ‖ / ‖h‖ at coefficient 1: {:.3}; random |95 %| {:.3} of {}",
        output::table(&header, &rows),
        found.n_measured,
        found.strength,
        found.random_p95,
        found.random_slopes.len()
    )
}
