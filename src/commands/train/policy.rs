//! Runs on rewards: a policy writes answers, an instrument scores them, the better ones become likelier.

use anyhow::Context;
use redline::data::Need;
use redline::lab::judge::Dimension;
use redline::lab::judge::local::Score;
use redline::lab::reward::{PolicyRows, Rewarder, policy_prompts};
use redline::model::train::policy::{PolicyLoss, PolicyOptions, PolicyPrompt, PolicyRun, train_policy};
use redline::model::{Error, Model};
use redline::probe::split::{PartSizes, split_by_question};
use serde_json::{Value, json};

use crate::cli::judging::JudgeSpec;
use crate::cli::numbers::MOST_ROWS;
use crate::cli::train::{MethodName, TrainArgs};
use crate::failure::hinted;
use crate::known::Known;
use crate::{judges, output, rows};

use super::pairs::{from_scratch, reference_model, summary};
use super::start::Start;
use super::watch::Watch;
use super::{check_exports, export_checkpoint, export_end, options, saving};

/// Questions of a run, with the number of their rows.
struct Questions {
    training: Vec<(usize, String)>,
    held_out: Vec<(usize, String)>,
}

/// Trains on rewards and exports; returns the summary that is also in the folder.
pub fn train_on_rewards(args: &TrainArgs, loss: PolicyLoss) -> anyhow::Result<Value> {
    options::check(args)?;
    if args.method == MethodName::Head {
        return Err(hinted("--method head trains a scalar head alone", "give --method lora or full"));
    }
    let policy = PolicyOptions {
        loss,
        group: args.pairs.group,
        beta: args.pairs.beta,
        temperature: args.pairs.draw_temperature,
    };
    policy.check()?;
    let spec = args.pairs.reward.as_ref().ok_or_else(|| {
        hinted("nobody scores what the policy writes", "give --reward flaws, answer, reward=DIR or cost=DIR")
    })?;
    let (mut score, questions) = read(args, spec)?;
    let start = Start::open(args, args.model.as_deref().ok_or_else(from_scratch)?)?;
    check_exports(args, &start)?;
    if let Some(path) = &args.export {
        return export_checkpoint(args, &start, path);
    }
    let n_batches = questions.training.len().div_ceil(args.run.batch_rows.max(1));
    let options = options::train_options(args, args.run.steps.unwrap_or(args.run.epochs.saturating_mul(n_batches)));
    let [training, held_out] = prompts(args, &start, &questions)?;
    let (reference, reference_name) = match policy.beta > 0.0 {
        true => reference(args, &start)?,
        false => (None, String::new()),
    };
    let all: Vec<(usize, &str)> =
        questions.training.iter().chain(&questions.held_out).map(|(row, text)| (*row, text.as_str())).collect();
    let dimension = args.pairs.reward_dimension.unwrap_or(Dimension::Overall);
    let mut rewarder = Rewarder::new(&mut *score, dimension, &all, &start.tokenizer);
    let reward_name = format!("{} {reference_name}", rewarder.name());
    let settings = json!({ "options": options, "policy": policy, "reward": reward_name });
    let mut watch = Watch::of_policy(&args.out, held_out.len().min(options.n_generated), settings);
    let mut reward = |drawn: &[(usize, &[u32], bool)]| {
        crate::interrupt::check()?;
        rewarder.rewards(drawn)
    };
    let run = PolicyRun {
        parameters: &start.parameters,
        prompts: &training,
        held_out: &held_out,
        policy,
        reference: reference.as_ref().map(|model| &model.decoder),
        reward: &mut reward,
        reward_name,
        stop_ids: start.tokenizer.stop_ids(),
        options: &options,
        saving: saving(args),
    };
    let outcome = train_policy(run, &mut watch);
    watch.finish();
    let outcome = match (outcome, rewarder.failure()) {
        (Err(Error::Interrupted), Some(failure)) => return Err(failure.into()),
        (outcome, _) => outcome.with_context(|| args.data.display().to_string())?,
    };
    export_end(args, &start)?;
    let sizes = [training.len(), held_out.len()];
    let mut summary = summary(args, &start, json!({ "policy": policy }), sizes, &outcome, &watch);
    summary["reward"] = json!(spec.to_string());
    summary["best"] = json!(outcome.best.map(|(loss, step)| json!({ "held_out_reward": -loss, "step": step })));
    output::json_file(&args.out.join("summary.json"), &summary)?;
    Ok(summary)
}

/// The instrument, and the questions split by what they ask.
fn read(args: &TrainArgs, spec: &JudgeSpec) -> anyhow::Result<(Box<dyn Score>, Questions)> {
    let known = match spec {
        JudgeSpec::Flaws | JudgeSpec::Phrases | JudgeSpec::Answer => Some(Known::read(&args.data, MOST_ROWS)?),
        _ => None,
    };
    let score = judges::score(spec, known.as_ref())?;
    let all: Vec<String> = match known {
        Some(known) => known.triples.into_iter().map(|row| row.question).collect(),
        None => rows::read(&args.data, Need::Question)?.rows.into_iter().map(|row| row.question).collect(),
    };
    let all: Vec<(usize, String)> = all.into_iter().enumerate().collect();
    if args.held_out_share == 0.0 {
        return Ok((score, Questions { training: all, held_out: Vec::new() }));
    }
    let keys: Vec<&str> = all.iter().map(|(_, question)| question.as_str()).collect();
    let sizes = PartSizes::Shares(vec![1.0 - args.held_out_share, args.held_out_share]);
    let parts = split_by_question(&keys, &sizes, args.run.seed).with_context(|| args.data.display().to_string())?;
    let part = |place: usize| parts.get(place).into_iter().flatten().map(|&row| all[row].clone()).collect();
    let mut held_out: Vec<(usize, String)> = part(1);
    held_out.truncate(args.held_out_rows);
    Ok((score, Questions { training: part(0), held_out }))
}

/// The prompts to train on and those held out; says which questions are too long.
fn prompts(args: &TrainArgs, start: &Start, questions: &Questions) -> anyhow::Result<[Vec<PolicyPrompt>; 2]> {
    let context = start.parameters.config().context.min(args.run.max_tokens);
    let most = context.saturating_sub(args.run.max_new_tokens);
    let of = |questions: &[(usize, String)]| -> anyhow::Result<Vec<PolicyPrompt>> {
        let questions: Vec<(usize, &str)> = questions.iter().map(|(row, text)| (*row, text.as_str())).collect();
        let PolicyRows { prompts, n_too_long } = policy_prompts(&start.tokenizer, &questions, most)?;
        if n_too_long > 0 {
            let (data, n) = (args.data.display(), output::rows_in_words(n_too_long));
            output::note!("{data}: {n} left out: no room for {} new tokens within {context}", args.run.max_new_tokens);
        }
        Ok(prompts)
    };
    let training = of(&questions.training)?;
    match training.is_empty() {
        true => Err(hinted(
            format!("{}: no questions to train on", args.data.display()),
            "give rows with questions; lower --max-new-tokens or raise --max-tokens",
        )),
        false => Ok([training, of(&questions.held_out)?]),
    }
}

/// The model whose divergence is weighed, and its name: that of --reference, or the model before its training.
fn reference(args: &TrainArgs, start: &Start) -> anyhow::Result<(Option<Model>, String)> {
    let path = args.pairs.reference.as_ref().or(args.model.as_ref()).ok_or_else(from_scratch)?;
    let model = reference_model(path, start)?;
    let name = model.fingerprint.clone();
    Ok((Some(model), name))
}
