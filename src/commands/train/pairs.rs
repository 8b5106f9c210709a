//! Runs over preference pairs: a policy by DPO and its relatives, or a model with a scalar head.

use std::path::Path;

use anyhow::Context;
use redline::data::pairs::{Pairs, PreferenceRow, preference_pairs};
use redline::model::train::Outcome;
use redline::model::train::preference::{
    Pair, PairObjective, PairRun, Reference, ScoreLoss, reference_log_probs, train_pairs,
};
use redline::model::{Decoder, Model, Result as ModelResult};
use serde_json::{Value, json};

use crate::cli::train::TrainArgs;
use crate::failure::hinted;
use crate::output;
use crate::progress::Progress;

use super::rows::TrainingRows;
use super::start::Start;
use super::watch::Watch;
use super::{check_exports, export_checkpoint, export_end, options, saving};

/// Trains on pairs and exports; returns the summary that is also in the folder.
pub fn train_on_pairs(args: &TrainArgs, objective: PairObjective) -> anyhow::Result<Value> {
    options::check(args)?;
    objective.check()?;
    refuse_headless(args, &objective)?;
    let rows = TrainingRows::<PreferenceRow>::read(args)?;
    let model = args.model.as_deref().ok_or_else(from_scratch)?;
    let mut start = Start::open(args, model)?;
    if matches!(objective, PairObjective::Score(_)) {
        start.parameters.add_score(None, args.run.seed)?;
    }
    check_exports(args, &start)?;
    if let Some(path) = &args.export {
        return export_checkpoint(args, &start, path);
    }
    let options = options::train_options(args, rows.n_steps_hint(args));
    let max_tokens = options.max_tokens.min(start.parameters.config().context);
    let training = pairs(args, &start, &rows.training, max_tokens, "to train on")?;
    let held_out = match rows.held_out.is_empty() {
        true => Vec::new(),
        false => pairs(args, &start, &rows.held_out, max_tokens, "held out")?,
    };
    if objective == PairObjective::Score(ScoreLoss::Cost) {
        say_unflagged(args, &training);
    }
    let reference = match objective.needs_reference() {
        true => Some(reference(args, &start, (&training, &held_out), reference_log_probs)?),
        false => None,
    };
    let settings = json!({ "options": options, "objective": objective });
    let mut watch = Watch::of_pairs(&args.out, held_out.len(), reference.is_some(), settings);
    let run = PairRun {
        parameters: &start.parameters,
        pairs: &training,
        held_out: &held_out,
        objective,
        reference: reference.as_ref(),
        options: &options,
        saving: saving(args),
    };
    let outcome = train_pairs(&run, &mut watch);
    watch.finish();
    let outcome = outcome.with_context(|| args.data.display().to_string())?;
    export_end(args, &start)?;
    let summary = summary(args, &start, json!(objective), [training.len(), held_out.len()], &outcome, &watch);
    output::json_file(&args.out.join("summary.json"), &summary)?;
    Ok(summary)
}

pub fn from_scratch() -> anyhow::Error {
    hinted("--from-scratch trains corrections", "give --model for an --objective of pairs")
}

/// Refuses a file that cannot hold what is learnt.
fn refuse_headless(args: &TrainArgs, objective: &PairObjective) -> anyhow::Result<()> {
    match (objective, &args.gguf) {
        (PairObjective::Score(_), Some(_)) => {
            Err(hinted("--gguf: a GGUF file holds no scalar head here", "leave --gguf out; model/ has the head"))
        }
        _ => Ok(()),
    }
}

/// Says how many pairs a cost model learns the order of alone.
fn say_unflagged(args: &TrainArgs, pairs: &[Pair]) {
    let n = pairs.iter().filter(|pair| pair.is_safe.is_none()).count();
    if n > 0 {
        output::note!(
            "{}: {} of {} pairs do not say is_chosen_safe and is_rejected_safe: of them only the order is learnt, not what is above 0",
            args.data.display(),
            n,
            pairs.len()
        );
    }
}

/// The pairs of rows; says what made none.
fn pairs(
    args: &TrainArgs,
    start: &Start,
    rows: &[PreferenceRow],
    max_tokens: usize,
    part: &str,
) -> anyhow::Result<Vec<Pair>> {
    told(args, preference_pairs(&start.tokenizer, rows, max_tokens)?, max_tokens, part)
}

/// Says which rows made no pair; none at all is an error.
fn told(args: &TrainArgs, found: Pairs, max_tokens: usize, part: &str) -> anyhow::Result<Vec<Pair>> {
    let Pairs { pairs, n_equal, n_too_long } = found;
    for (n, reason) in
        [(n_equal, "both answers are the same".into()), (n_too_long, format!("longer than {max_tokens} tokens"))]
    {
        if n > 0 {
            output::note!("{}: {} {part} left out: {reason}", args.data.display(), output::rows_in_words(n));
        }
    }
    match pairs.is_empty() {
        false => Ok(pairs),
        true => Err(hinted(
            format!("{}: no pairs {part}", args.data.display()),
            "give rows with `chosen` and `rejected`, or with an answer and another correction; raise --max-tokens",
        )),
    }
}

/// A model that the policy is compared with, of the same vocabulary.
pub fn reference_model(path: &Path, start: &Start) -> anyhow::Result<Model> {
    let model = Model::load(path)?;
    if model.decoder.config().vocab_size != start.parameters.config().vocab_size {
        let message = format!("{}: has another vocabulary than the model to train", path.display());
        return Err(hinted(message, "give a model of the same family, or leave --reference out"));
    }
    Ok(model)
}

/// The model that the policy is compared with, and the hash of its weights.
fn reference_decoder(args: &TrainArgs, start: &Start) -> anyhow::Result<(Decoder, String)> {
    Ok(match &args.pairs.reference {
        None => (start.parameters.inference_decoder()?, start.parameters.origin().to_owned()),
        Some(path) => {
            let model = reference_model(path, start)?;
            (model.decoder, model.fingerprint)
        }
    })
}

/// Reads two log-probabilities of each row, some rows at a time, and says how many are read.
type ReadReference<T> =
    fn(&Decoder, &[T], usize, &mut dyn FnMut(usize) -> ModelResult<()>) -> ModelResult<Vec<[f64; 2]>>;

/// Log-probabilities of the model that the policy is compared with.
pub fn reference<T>(
    args: &TrainArgs,
    start: &Start,
    (training, held_out): (&[T], &[T]),
    read: ReadReference<T>,
) -> anyhow::Result<Reference> {
    let (decoder, fingerprint) = reference_decoder(args, start)?;
    let total = training.len() + held_out.len();
    let mut progress = Progress::new("reference", total);
    let mut read = |rows: &[T], before: usize| {
        read(&decoder, rows, args.run.batch_rows, &mut |done| progress.set(before + done, total))
    };
    let (training, held_out) = (read(training, 0)?, read(held_out, training.len())?);
    progress.finish();
    Ok(Reference { training, held_out, fingerprint })
}

/// What a run over pairs, or on rewards, came to.
pub fn summary(
    args: &TrainArgs,
    start: &Start,
    objective: Value,
    [training, held_out]: [usize; 2],
    outcome: &Outcome,
    watch: &Watch<'_>,
) -> Value {
    json!({
        "schema": "redline.train.v1",
        "version": env!("CARGO_PKG_VERSION"),
        "objective": objective,
        "data": args.data,
        "n_rows": { "training": training, "held_out": held_out },
        "n_trained": start.parameters.n_trained(),
        "n_steps": outcome.n_steps,
        "stopped_early": outcome.stopped_early,
        "best": outcome.best.map(|(loss, step)| json!({ "held_out_loss": loss, "step": step })),
        "last_evaluation": watch.last_evaluation(),
    })
}
