//! Runs over answers that somebody called good or bad: KTO.

use anyhow::Context;
use redline::data::labelled::{Labelled, LabelledRow, labelled_examples};
use redline::data::{DataFile, Need};
use redline::model::train::TrainOptions;
use redline::model::train::preference::{KtoOptions, KtoRun, LabelledExample, kto_reference, train_kto};
use serde_json::{Value, json};

use crate::cli::train::{MethodName, TrainArgs};
use crate::failure::hinted;
use crate::{output, rows};

use super::pairs::{from_scratch, reference, summary};
use super::rows::{Row, TrainingRows};
use super::start::Start;
use super::watch::Watch;
use super::{check_exports, export_checkpoint, export_end, options, saving};

impl Row for LabelledRow {
    const NEED: Need = Need::Answer;

    fn of(file: &mut DataFile) -> anyhow::Result<Vec<Self>> {
        Ok(Self::read_all(file, rows::is_strict())?)
    }

    fn question(&self) -> &str {
        &self.texts.question
    }
}

/// Trains on labelled answers and exports; returns the summary that is also in the folder.
pub fn train_on_labels(args: &TrainArgs) -> anyhow::Result<Value> {
    options::check(args)?;
    if args.method == MethodName::Head {
        return Err(hinted("--method head trains a scalar head alone", "give --method lora or full"));
    }
    let loss = KtoOptions {
        beta: args.pairs.beta,
        good_weight: args.pairs.desirable_weight,
        bad_weight: args.pairs.undesirable_weight,
    };
    loss.check()?;
    let rows = TrainingRows::<LabelledRow>::read(args)?;
    let start = Start::open(args, args.model.as_deref().ok_or_else(from_scratch)?)?;
    check_exports(args, &start)?;
    if let Some(path) = &args.export {
        return export_checkpoint(args, &start, path);
    }
    let options = options::train_options(args, rows.n_steps_hint(args));
    let training = examples(args, &start, &rows.training, &options, "to train on")?;
    let held_out = match rows.held_out.is_empty() {
        true => Vec::new(),
        false => examples(args, &start, &rows.held_out, &options, "held out")?,
    };
    let n_good = training.iter().filter(|row| row.is_good).count();
    output::note!("{n_good} of {} answers to train on are called good, the others bad", training.len());
    let reference = reference(args, &start, (&training, &held_out), kto_reference)?;
    let settings = json!({ "options": options, "objective": { "kto": loss } });
    let mut watch = Watch::of_pairs(&args.out, held_out.len(), true, settings);
    let run = KtoRun {
        parameters: &start.parameters,
        rows: &training,
        held_out: &held_out,
        loss,
        reference: &reference,
        options: &options,
        saving: saving(args),
    };
    let outcome = train_kto(&run, &mut watch);
    watch.finish();
    let outcome = outcome.with_context(|| args.data.display().to_string())?;
    export_end(args, &start)?;
    let sizes = [training.len(), held_out.len()];
    let summary = summary(args, &start, json!({ "kto": loss }), sizes, &outcome, &watch);
    output::json_file(&args.out.join("summary.json"), &summary)?;
    Ok(summary)
}

/// The completions of rows; says which are too long.
fn examples(
    args: &TrainArgs,
    start: &Start,
    rows: &[LabelledRow],
    options: &TrainOptions,
    part: &str,
) -> anyhow::Result<Vec<LabelledExample>> {
    let most = options.max_tokens.min(start.parameters.config().context);
    let Labelled { examples, n_too_long } = labelled_examples(&start.tokenizer, rows, most, options.batch_rows)?;
    if n_too_long > 0 {
        let (data, n) = (args.data.display(), output::rows_in_words(n_too_long));
        output::note!("{data}: {n} {part} left out: longer than {most} tokens");
    }
    match examples.is_empty() {
        false => Ok(examples),
        true => Err(hinted(
            format!("{}: no answers {part}", args.data.display()),
            "give rows with question, answer and label; raise --max-tokens",
        )),
    }
}
