//! Options of the command line as those of the library, refused before anything is read.

use redline::model::LoraOptions;
use redline::model::memory::{check_memory, product};
use redline::model::train::{AdamWOptions, Method, Precision, Schedule, ScheduleShape, TrainOptions};

use crate::cli::train::{MethodName, PrecisionName, ScheduleName, ShapeArgs, TrainArgs};
use crate::failure::hinted;

/// Evaluations of a run, unless told otherwise.
const EVALUATIONS: usize = 10;
/// Bytes of a parameter in training.
const BYTES_PER_PARAMETER: u64 = 16;

/// Refuses options out of range.
pub fn check(args: &TrainArgs) -> anyhow::Result<()> {
    train_options(args, 1).check()?;
    let share = args.held_out_share;
    if !(0.0..1.0).contains(&share) {
        return Err(hinted(
            format!("--held-out-share is {share}"),
            "give a share such as 0.05, or 0 to evaluate nothing",
        ));
    }
    if args.from_scratch && args.method == MethodName::Lora {
        return Err(hinted("--method lora needs a model to stand beside", "give --model, or leave --method out"));
    }
    let shape = &args.shape;
    if shape.n_layers == 0 || shape.intermediate_size == Some(0) {
        return Err(hinted("--n-layers or --intermediate-size is 0", "a model has at least one of either"));
    }
    let kv_heads = shape.kv_heads.unwrap_or(shape.heads);
    let divides = |whole: usize, part: usize| part > 0 && whole > 0 && whole.is_multiple_of(part);
    if !divides(shape.hidden_size, shape.heads) || !(shape.hidden_size / shape.heads).is_multiple_of(2) {
        let message = format!("--hidden-size {} cannot be cut into {} heads", shape.hidden_size, shape.heads);
        return Err(hinted(message, "each head takes the same even number of dimensions"));
    }
    if !divides(shape.heads, kv_heads) {
        let message = format!("--kv-heads {kv_heads} does not divide --heads {}", shape.heads);
        return Err(hinted(message, "give a divisor of --heads"));
    }
    match args.from_scratch {
        true => Ok(check_memory("training a model of these sizes", scratch_bytes(shape))?),
        false => Ok(()),
    }
}

/// Memory that a model from scratch takes at least: weights, gradients and two moments of each parameter.
fn scratch_bytes(shape: &ShapeArgs) -> u64 {
    let width = shape.hidden_size;
    let inner = shape.intermediate_size.unwrap_or(3 * width);
    let block = product(&[2, width, width]).saturating_add(product(&[3, width, inner]));
    let embeddings = product(&[shape.vocab_size, width]);
    let parameters = embeddings.saturating_add(block.saturating_mul(shape.n_layers as u64));
    parameters.saturating_mul(BYTES_PER_PARAMETER)
}

/// What the run's result depends on; `n_steps` says how long it is about, for the steps between evaluations.
pub fn train_options(args: &TrainArgs, n_steps: usize) -> TrainOptions {
    let run = &args.run;
    TrainOptions {
        seed: run.seed,
        identity_share: run.warmup_share,
        identity_epochs: run.warmup_epochs,
        epochs: run.epochs,
        n_steps: run.steps,
        batch_rows: run.batch_rows,
        n_pieces: run.pieces,
        gradient_checkpointing: run.gradient_checkpointing,
        precision: match run.precision {
            PrecisionName::F32 => Precision::F32,
            PrecisionName::Bf16 => Precision::Bf16,
        },
        max_tokens: run.max_tokens,
        schedule: Schedule {
            learning_rate: run.learning_rate,
            shape: match run.schedule {
                ScheduleName::Cosine => ScheduleShape::Cosine,
                ScheduleName::Constant => ScheduleShape::Constant,
            },
            rise_share: run.rise_share,
        },
        optimizer: AdamWOptions {
            weight_decay: run.weight_decay,
            max_gradient_norm: Some(run.clip),
            ..AdamWOptions::default()
        },
        evaluate_every: Some(run.evaluate_every.unwrap_or_else(|| n_steps.div_ceil(EVALUATIONS).max(1))),
        n_generated: run.generate,
        max_new_tokens: run.max_new_tokens,
        patience: run.patience,
        ..TrainOptions::default()
    }
}

/// What is trained.
pub fn method(args: &TrainArgs) -> Method {
    match args.method {
        MethodName::Full | MethodName::Head => Method::Full,
        MethodName::Lora => Method::Lora(LoraOptions {
            rank: args.lora.rank,
            alpha: args.lora.alpha,
            targets: args.lora.targets.clone(),
            dropout: args.lora.lora_dropout,
        }),
    }
}
