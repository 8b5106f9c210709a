//! Options of the command line as those of the library.

use redline::lab::iterate::{Instrument, IterateKind, IterateOptions, KeepOptions, PolicyTraining, TrainedBy};

use crate::cli::iterate::IterateArgs;
use crate::cli::judging::JudgeSpec;
use crate::failure::{hinted, refuse_useless};

/// Rounds, or seeds, where none are given.
const ROUNDS: usize = 3;
/// Learning rates where none is given.
const OF_PAIRS: f64 = 2e-5;
const OF_ANSWERS: f64 = 3e-4;

/// What is asked for.
pub fn resolved(args: &IterateArgs, global: Vec<String>) -> anyhow::Result<IterateOptions> {
    let learner = &args.training;
    let is_weak = args.kind == IterateKind::WeakToStrong;
    let (useless, name) = if is_weak { (args.rounds, "--rounds") } else { (args.seeds, "--seeds") };
    refuse_useless(&[(useless.is_some(), name)], &format!("beside --kind {}", args.kind))?;
    let has_pairs = args.kind == IterateKind::Preference || args.by_pairs;
    let training = PolicyTraining {
        method: learner.method,
        learning_rate: learner.learning_rate.unwrap_or(if has_pairs { OF_PAIRS } else { OF_ANSWERS }),
        epochs: learner.epochs,
        steps: learner.steps,
        batch_rows: learner.train_rows,
        max_tokens: learner.max_tokens,
        beta: learner.beta,
        sft_weight: learner.sft_weight,
        checkpoint_every: learner.checkpoint_every,
    };
    let weak_training = PolicyTraining {
        learning_rate: learner.weak_learning_rate,
        method: TrainedBy::Full,
        steps: None,
        epochs: learner.weak_epochs,
        ..training.clone()
    };
    Ok(IterateOptions {
        kind: args.kind,
        rounds: if is_weak { args.seeds } else { args.rounds }.unwrap_or(ROUNDS),
        policy: args.policy.clone(),
        aligner: args.aligner.as_ref().map(ToString::to_string),
        weak: args.weak.clone(),
        weak_upstream: args.weak_upstream.clone(),
        data: args.data.clone(),
        held_out: args.held_out.clone(),
        control: args.control.clone(),
        prompts: args.prompts,
        held_out_prompts: args.held_out_prompts,
        drop_near: args.drop_near,
        passes: args.passes,
        harmless_by: instrument(&args.harmless_by)?,
        helpful_by: instrument(&args.helpful_by)?,
        keep: KeepOptions { least_edit: args.least_edit, most_edit: args.most_edit, judged: !args.keep_unjudged },
        temperature: args.temperature,
        held_out_temperature: args.held_out_temperature,
        max_new_tokens: args.max_new_tokens,
        batch_rows: args.batch_rows,
        seed: args.seed,
        training,
        weak_training,
        by_pairs: args.by_pairs,
        export: args.export.is_some(),
        global,
        out: args.out.clone(),
    })
}

fn instrument(spec: &JudgeSpec) -> anyhow::Result<Instrument> {
    match spec {
        JudgeSpec::Phrases => Ok(Instrument::Phrases),
        JudgeSpec::Reward(path) => Ok(Instrument::Reward(path.clone())),
        JudgeSpec::Cost(path) => Ok(Instrument::Cost(path.clone())),
        other => Err(hinted(
            format!("--harmless-by and --helpful-by take instruments that score any text, and {other} is none"),
            "give phrases, reward=DIR or cost=DIR; other judges take the answers of a run by `evaluate`",
        )),
    }
}
