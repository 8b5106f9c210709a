//! `redline extract --method inside`: rows → an Aligner inside a model.

use std::process::ExitCode;

use redline::experiment::{ParameterCounts, TrainingPlan, train_inside};
use redline::model::files::remove_if_there;
use serde_json::json;

use crate::cli::ExtractArgs;
use crate::defaults;
use crate::models;
use crate::observer::Shown;
use crate::output;
use crate::rows::of_experiment;

pub fn run(args: &ExtractArgs, json: bool) -> anyhow::Result<ExitCode> {
    args.check_inside()?;
    let rows = of_experiment(Some(args.triples()?), args.pair.strictness)?;
    let aligner = models::open(&args.model)?;
    let config = aligner.model.decoder.config();
    let layers = args.layers.resolve(config.n_layers)?;
    let numbers: Vec<usize> = (0..rows.triples.len().min(args.pairs)).collect();
    let range = defaults::range(&args.model, args.range);
    let settings = args.trained.inside_settings(range, args.seed);
    let counts = ParameterCounts::of(config, layers.len(), args.trained.rank());
    output::note!("{}", counts.sentence());

    let checkpoint = args.checkpoint();
    if args.force.force {
        remove_if_there(&checkpoint)?;
    }
    let plan = TrainingPlan { aligner: &aligner, rows: &rows, numbers: &numbers, layers: &layers, settings: &settings };
    let max_tokens = args.pair.max_tokens;
    let file = train_inside(&plan, args.trained.rank(), max_tokens, Some(&checkpoint), &mut Shown::default())?;
    file.save(&args.out)?;
    // it is safe now
    remove_if_there(&checkpoint)?;

    let training = &file.origin.training;
    if json {
        output::json(&json!({
            "schema": "redline.extract-inside.v1",
            "inside": args.out,
            "trained": settings,
            "provenance": file.origin,
            "parameters": counts,
        }))?;
    } else {
        output::line(&format!(
            "rank {} behind {} blocks, {} parameters; development loss {:.4} → {:.4} nats a token",
            file.origin.rank,
            file.origin.layers.len(),
            counts.inside,
            training.start_loss,
            training.best_loss
        ))?;
        output::note!("wrote {}", args.out.display());
    }
    Ok(ExitCode::SUCCESS)
}
