//! `redline reproduce`: the whole experiment, stage by stage, each resumable.

mod folder;
mod inputs;
mod report;
mod stages;
mod summary;

use std::collections::HashSet;
use std::process::ExitCode;

use redline::model::Site;
use redline::probe::split::{PartSizes, normalise, split_by_question};
use redline::steer::Error as SteerError;

use crate::cli::ReproduceArgs;
use crate::commands::extract;
use crate::commands::sweep::check_new_tokens;
use crate::defaults;
use crate::output;
use crate::session::{Session, hinted, make_folder};
use folder::Folder;
use inputs::Inputs;
use stages::Experiment;

pub fn run(args: &ReproduceArgs, json: bool) -> anyhow::Result<ExitCode> {
    let pair_settings = extract::settings(&defaults::pair_args(&args.model, &args.pair), args.seed)?;
    if pair_settings.site.parse::<Site>()? != Site::default() {
        let message = format!("--site {}: reproduce reads and steers the outputs of blocks", args.pair.site);
        return Err(hinted(message, "use extract, sweep and fit one after the other, or leave --site out"));
    }
    let inputs = Inputs::read(args)?;
    check_options(args, &inputs)?;
    let triples = &inputs.triples;
    let session = Session::open(&args.model)?;
    let config = session.model.decoder.config();
    let layers = inputs.layers.resolve(config.n_layers)?;

    // long prompts and copies cannot serve; the rest is split by question before anything is fitted
    let usable = stages::usable_rows(&session, &inputs, args)?;
    let keys: Vec<&str> = usable.iter().map(|&row| triples[row].question.as_str()).collect();
    let parts = split_by_question(&keys, &PartSizes::Counts(vec![inputs.pairs, inputs.prompts]), args.seed);
    let parts = parts.map_err(|error| {
        let message = format!("{}: {} rows are usable: {error}", inputs.name.display(), usable.len());
        hinted(message, "lower --pairs or --prompts, or give more rows; equal questions count once")
    })?;
    let rows = |part: &[usize]| part.iter().map(|&index| usable[index]).collect::<Vec<usize>>();
    let (pair_rows, prompt_rows) = (rows(&parts[0]), rows(&first_of_question(&keys, &parts[1])));

    let settings = folder::settings(args, &inputs, &session, &pair_settings, &layers)?;
    make_folder(&args.out)?;
    let folder = Folder::open(&args.out, &settings)?;
    let experiment = Experiment { args, inputs: &inputs, session: &session, folder: &folder, layers: &layers };
    let reading = experiment.read(&pair_rows, &pair_settings)?;
    let sweeps = experiment.sweep(&reading, &prompt_rows)?;
    let results = experiment.analyse(&reading, &sweeps)?;
    let summary = summary::build(&experiment, &reading, &sweeps, &results, &settings)?;
    folder.write_json("summary.json", &summary)?;
    let figure = experiment.draw(&reading, &results)?;
    let page = report::build(&experiment, &reading, &sweeps, &results, figure, &settings);
    page.write(&folder.file("index.html"))?;

    if json {
        output::json(&summary)?;
    } else {
        output::line(&summary::as_text(&reading, &results))?;
        output::line(&format!("\nreport: {}", folder.file("index.html").display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// One row of each question: intervals take prompts to be independent.
fn first_of_question(keys: &[&str], rows: &[usize]) -> Vec<usize> {
    let mut seen = HashSet::new();
    rows.iter().copied().filter(|&row| seen.insert(normalise(keys[row]))).collect()
}

/// Refuses options before a model is loaded.
fn check_options(args: &ReproduceArgs, inputs: &Inputs) -> anyhow::Result<()> {
    if !inputs.coefficients.contains(&0.0) {
        return Err(SteerError::NoBaseline { n: inputs.coefficients.len() }.into());
    }
    if inputs.coefficients.len() < 3 {
        return Err(hinted(
            "a line takes at least three coefficients",
            "give more --coefficients, such as -1,-0.5,0,0.5",
        ));
    }
    check_new_tokens(inputs.max_new_tokens)?;
    if inputs.pairs < 4 || inputs.prompts < 2 {
        let message = format!("--pairs is {}, --prompts is {}", inputs.pairs, inputs.prompts);
        return Err(hinted(message, "give at least 4 pairs and 2 prompts"));
    }
    if !(args.coherence_bound.is_finite() && args.coherence_bound > 0.0) {
        return Err(hinted(format!("--coherence-bound is {}", args.coherence_bound), "give a number of nats above 0"));
    }
    Ok(())
}
