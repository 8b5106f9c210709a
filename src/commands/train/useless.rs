//! Options that would have no effect on a run are refused, each by its name.

use redline::model::train::preference::PreferenceLoss;

use crate::cli::train::{MethodName, TrainArgs};
use crate::cli::train_pairs::Objective;
use crate::failure::refuse_given;

/// Sizes of a model from scratch.
const SHAPE: [&str; 7] = ["hidden_size", "intermediate_size", "n_layers", "heads", "kv_heads", "vocab_size", "context"];
/// Deltas.
const LORA: [&str; 4] = ["rank", "alpha", "lora_dropout", "targets"];
/// Identity warm-up.
const WARM_UP: [&str; 3] = ["warmup_share", "warmup_epochs", "warmup_data"];
/// What is written for held-out rows.
const OUTPUTS: [&str; 2] = ["generate", "max_new_tokens"];
/// Constants of the losses of pairs.
const OF_PAIRS: [&str; 4] = ["reference", "label_smoothing", "gamma", "sft_weight"];
/// Weights of labels.
const OF_LABELS: [&str; 2] = ["desirable_weight", "undesirable_weight"];
/// Constants of scalar heads.
const OF_SCORES: [&str; 2] = ["centre_rewards", "shrink_rewards"];
/// What belongs to rewards.
const OF_REWARDS: [&str; 4] = ["reward", "reward_dimension", "group", "draw_temperature"];
/// What a head that is fitted at once does not take.
const OF_STEPS: [&str; 20] = [
    "epochs",
    "steps",
    "pieces",
    "gradient_checkpointing",
    "precision",
    "learning_rate",
    "schedule",
    "rise_share",
    "weight_decay",
    "clip",
    "evaluate_every",
    "patience",
    "checkpoint_every",
    "keep_every",
    "export_best",
    "export",
    "gguf",
    "gguf_store",
    "template",
    "beta",
];

/// Refuses what cannot act beside the objective, the method and the other options.
pub fn refuse(args: &TrainArgs) -> anyhow::Result<()> {
    let given = |ids: &[&str], beside: &str| refuse_given(&args.given, ids, beside);
    if args.model.is_some() {
        given(&SHAPE, "beside --model, which has its sizes")?;
    }
    if args.method != MethodName::Lora {
        given(&LORA, "without --method lora")?;
    }
    if args.gguf.is_none() {
        given(&["gguf_store"], "without --gguf")?;
    }
    if args.run.steps.is_some() {
        given(&["epochs"], "beside --steps")?;
    }
    if args.validation.is_some() {
        given(&["held_out_share"], "beside --validation")?;
    }
    if args.run.warmup_data.is_some() {
        given(&["warmup_share"], "beside --warmup-data")?;
    }
    if args.method == MethodName::Head {
        let beside = "beside --method head, which fits the head at once";
        return [&OF_STEPS[..], &WARM_UP, &OUTPUTS, &OF_PAIRS, &OF_LABELS, &OF_SCORES, &OF_REWARDS]
            .into_iter()
            .try_for_each(|ids| given(ids, beside));
    }
    let beside = format!("beside --objective {}", args.pairs.objective);
    idle(args.pairs.objective).into_iter().try_for_each(|ids| given(&ids, &beside))
}

/// What an objective does not take, group by group.
fn idle(objective: Objective) -> Vec<Vec<&'static str>> {
    let all = |groups: &[&[&'static str]]| groups.iter().map(|ids| ids.to_vec()).collect();
    match objective {
        Objective::Correction => all(&[&["beta"], &OF_PAIRS, &OF_LABELS, &OF_SCORES, &OF_REWARDS]),
        Objective::Sft => all(&[&["beta", "template"], &WARM_UP, &OF_PAIRS, &OF_LABELS, &OF_SCORES, &OF_REWARDS]),
        Objective::Reward => all(&[&["beta", "template"], &WARM_UP, &OUTPUTS, &OF_PAIRS, &OF_LABELS, &OF_REWARDS]),
        Objective::Cost => {
            all(&[&["beta", "template"], &WARM_UP, &OUTPUTS, &OF_PAIRS, &OF_LABELS, &OF_SCORES, &OF_REWARDS])
        }
        Objective::Kto => {
            all(&[&["template", "label_smoothing", "gamma", "sft_weight"], &WARM_UP, &OUTPUTS, &OF_SCORES, &OF_REWARDS])
        }
        Objective::Policy(_) => all(&[
            &["template", "validation", "label_smoothing", "gamma", "sft_weight"],
            &WARM_UP,
            &OF_LABELS,
            &OF_SCORES,
        ]),
        Objective::Preference(loss) => {
            let mut own = vec!["template"];
            own.extend((loss == PreferenceLoss::Orpo).then_some("beta"));
            own.extend((!loss.needs_reference()).then_some("reference"));
            own.extend((loss != PreferenceLoss::Simpo).then_some("gamma"));
            let smooths = matches!(loss, PreferenceLoss::Cdpo | PreferenceLoss::Robust);
            own.extend((!smooths).then_some("label_smoothing"));
            let mut groups: Vec<Vec<&'static str>> = all(&[&WARM_UP, &OUTPUTS, &OF_LABELS, &OF_SCORES, &OF_REWARDS]);
            groups.push(own);
            groups
        }
    }
}

#[cfg(test)]
mod tests;
