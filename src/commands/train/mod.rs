//! `redline train`: rows → Aligner, watched, resumable.

pub mod ablate;
mod head;
mod kto;
mod log;
mod options;
mod pairs;
mod policy;
mod report;
mod rows;
mod start;
pub mod useless;
mod watch;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use redline::model::AlignerTemplate;
use redline::model::Error;
use redline::model::train::checkpoint::load_parameters;
use redline::model::train::export::{
    GgufStored, StoredType, check_gguf, check_hugging_face, export_adapter, export_gguf, export_hugging_face,
};
use redline::model::train::{Method, Outcome, Saving, TrainData, TrainOptions, TrainRun, train};
use serde_json::{Value, json};

use crate::cli::train::{GgufName, MethodName, StoredName, TrainArgs};
use crate::cli::train_pairs::Objective;
use crate::failure::hinted;
use crate::models::warn;
use crate::output;
use crate::outputs::make_folder;

use rows::{Instructed, Instructions, TrainingRows};
use start::Start;
use watch::Watch;

pub fn run(args: &TrainArgs, json: bool) -> anyhow::Result<ExitCode> {
    useless::refuse(args)?;
    if args.method == MethodName::Head {
        head::run(args, json)?;
        return Ok(ExitCode::SUCCESS);
    }
    let summary = match (args.pairs.of_pairs(), args.pairs.objective) {
        (Some(objective), _) => pairs::train_on_pairs(args, objective)?,
        (None, Objective::Kto) => kto::train_on_labels(args)?,
        (None, Objective::Policy(loss)) => policy::train_on_rewards(args, loss)?,
        (None, Objective::Sft) => train_answers(args)?,
        (None, _) => train_aligner(args)?,
    };
    match json {
        true => output::json(&summary)?,
        false => output::line(&as_text(&summary, &args.out))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Trains and exports; returns the summary that is also in the folder.
pub fn train_aligner(args: &TrainArgs) -> anyhow::Result<Value> {
    options::check(args)?;
    let (rows, instructions) = TrainingRows::<Instructed>::read(args)?.apart();
    let (start, template) = Start::aligner(args, &rows)?;
    let is_asked = |asked: &[String]| asked.iter().any(|text| !text.is_empty());
    if !template.takes_instruction() && (is_asked(&instructions.training) || is_asked(&instructions.held_out)) {
        return Err(hinted(
            format!("rows hold an `instruction`, and the template {} has no place for it", template.name()),
            "put {instruction} into the template, or remove the field from the rows",
        ));
    }
    train_texts(args, (rows, instructions), start, &template, args.run.warmup_share)
}

/// The same for a model that answers by itself.
fn train_answers(args: &TrainArgs) -> anyhow::Result<Value> {
    options::check(args)?;
    let rows = TrainingRows::<rows::Taught>::read(args)?.into_triples();
    let (start, template) = Start::of_answers(args, &rows)?;
    train_texts(args, (rows, Instructions::default()), start, &template, 0.0)
}

fn train_texts(
    args: &TrainArgs,
    (rows, instructions): (TrainingRows, Instructions),
    start: Start,
    template: &AlignerTemplate,
    identity_share: f64,
) -> anyhow::Result<Value> {
    check_exports(args, &start)?;
    if let Some(path) = &args.export {
        return export_checkpoint(args, &start, path);
    }
    let options = options::train_options(args, rows.n_steps_hint(args));
    let options = TrainOptions { identity_share, ..options };
    let mut watch = Watch::new(&args.out, &rows.held_out, json!({ "options": options }));
    let run = TrainRun {
        parameters: &start.parameters,
        tokenizer: &start.tokenizer,
        template,
        data: TrainData {
            rows: &rows.training,
            identity_rows: rows.identity.as_deref(),
            held_out: &rows.held_out,
            instructions: &instructions.training,
            held_out_instructions: &instructions.held_out,
        },
        options: &options,
        saving: saving(args),
    };
    let outcome = train(&run, &mut watch);
    watch.finish();
    let outcome = match outcome {
        // these are about rows
        Err(error @ (Error::NoRows { .. } | Error::TrainingDiverged { .. })) => {
            return Err(error).with_context(|| args.data.display().to_string());
        }
        outcome => outcome?,
    };
    export_end(args, &start)?;
    let mut summary = summary(args, &rows, &start, &outcome, &watch)?;
    summary["template"] = json!(template.name());
    output::json_file(&args.out.join("summary.json"), &summary)?;
    Ok(summary)
}

/// Writes the model of a checkpoint; returns the summary.
fn export_checkpoint(args: &TrainArgs, start: &Start, path: &Path) -> anyhow::Result<Value> {
    let state = load_parameters(path, &start.parameters)?;
    if args.out.join("summary.json").exists() && !args.force.force {
        return Err(hinted(
            format!("{} holds the model that its run ended with", args.out.display()),
            "give another --out for the model of this checkpoint, or --force to replace that one",
        ));
    }
    make_folder(&args.out)?;
    export(args, start)?;
    Ok(json!({
        "schema": "redline.train.v1",
        "checkpoint": path,
        "n_trained": start.parameters.n_trained(),
        "n_steps": state.step,
        "stopped_early": false,
    }))
}

/// Writes the model that a run ends with: the last, or the best where that is asked for.
fn export_end(args: &TrainArgs, start: &Start) -> anyhow::Result<()> {
    let best = args.out.join("best.checkpoint");
    if args.export_best && best.exists() {
        load_parameters(&best, &start.parameters)?;
    }
    export(args, start)
}

/// Which checkpoints a run leaves.
fn saving(args: &TrainArgs) -> Saving<'_> {
    let (every, keep_every) = (Some(args.checkpoint_every as usize), args.keep_every.map(|every| every as usize));
    Saving { folder: Some(&args.out), every, keep_every, resume: true }
}

/// Refuses, before the first step, a model that could not be written after the last.
fn check_exports(args: &TrainArgs, start: &Start) -> anyhow::Result<()> {
    if matches!(start.parameters.method(), Method::Full) {
        check_hugging_face(&args.out.join("model"), &start.parameters, &start.tokenizer)?;
    }
    if let Some(path) = &args.gguf {
        warn(&check_gguf(path, &start.parameters, &start.tokenizer)?);
    }
    Ok(())
}

/// How weights are stored.
fn stored_type(args: &TrainArgs) -> StoredType {
    match args.store {
        StoredName::F32 => StoredType::F32,
        StoredName::F16 => StoredType::F16,
        StoredName::Bf16 => StoredType::Bf16,
    }
}

fn export(args: &TrainArgs, start: &Start) -> anyhow::Result<()> {
    let stored = stored_type(args);
    match start.parameters.method() {
        // a head is no delta: the whole is written, deltas merged in
        _ if start.parameters.score().is_some() => {
            export_hugging_face(&args.out.join("model"), &start.parameters, &start.tokenizer, stored)?;
        }
        Method::Lora(_) => {
            let base = args.model.as_deref().map_or_else(String::new, |path| path.display().to_string());
            export_adapter(&args.out.join("adapter"), &start.parameters, &base, stored)?;
        }
        Method::Full => export_hugging_face(&args.out.join("model"), &start.parameters, &start.tokenizer, stored)?,
    }
    if let Some(path) = &args.gguf {
        let stored = match args.gguf_store {
            GgufName::F16 => GgufStored::F16,
            GgufName::Q8_0 => GgufStored::Q8_0,
        };
        export_gguf(path, &start.parameters, &start.tokenizer, stored)?;
    }
    Ok(())
}

fn summary(
    args: &TrainArgs,
    rows: &TrainingRows,
    start: &Start,
    outcome: &Outcome,
    watch: &Watch<'_>,
) -> anyhow::Result<Value> {
    Ok(json!({
        "schema": "redline.train.v1",
        "version": env!("CARGO_PKG_VERSION"),
        "data": args.data,
        "n_rows": { "training": rows.training.len(), "held_out": rows.held_out.len() },
        "n_trained": start.parameters.n_trained(),
        "n_steps": outcome.n_steps,
        "stopped_early": outcome.stopped_early,
        "best": outcome.best.map(|(loss, step)| json!({ "held_out_loss": loss, "step": step })),
        "last_evaluation": watch.last_evaluation(),
    }))
}

fn as_text(summary: &Value, out: &Path) -> String {
    let mut text = format!("{} steps, {} trained parameters", summary["n_steps"], summary["n_trained"]);
    if summary["stopped_early"] == true {
        text += ", stopped early";
    }
    if let Some(evaluation) = summary["last_evaluation"].as_object() {
        let number = |key: &str| output::number(evaluation.get(key).and_then(Value::as_f64));
        if let Some(policy) = evaluation.get("policy").filter(|policy| !policy.is_null()) {
            let of_policy = |key: &str| output::number(policy[key].as_f64());
            text += &format!("\nheld out: reward {}, {} tokens", of_policy("reward"), of_policy("n_tokens"));
            return text + &format!("\nrun: {}", out.display());
        }
        if let Some(pairs) = evaluation.get("pairs").filter(|pairs| !pairs.is_null()) {
            let of_pairs = |key: &str| output::number(pairs[key].as_f64());
            let what =
                if pairs["divergence"].is_null() { "pairs in the right order" } else { "answers on the right side" };
            text += &format!(
                "\nheld out: loss {}, {what} {}, margin {}",
                number("loss"),
                of_pairs("accuracy"),
                of_pairs("margin")
            );
            return text + &format!("\nrun: {}", out.display());
        }
        text += &format!(
            "\nheld out: loss {}, exact copies of clean answers {}, edit ratio {}, similarity {}",
            number("loss"),
            number("exact_copy_rate"),
            number("edit_ratio"),
            number("similarity"),
        );
    }
    text + &format!("\nrun: {}", out.display())
}
