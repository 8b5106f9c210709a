//! Options of training.

use std::path::PathBuf;

use clap::{ArgGroup, Args, ValueEnum};
use redline::model::train::{AdamWOptions, TrainOptions};

use super::numbers::{
    MOST_BATCH_ROWS, MOST_FACTOR, MOST_LAYERS, MOST_RANK, MOST_ROWS, MOST_STEPS, MOST_TOKENS, MOST_VOCABULARY,
    MOST_WIDTH, count, number,
};
use super::train_pairs::PairTrainArgs;

/// What is trained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum MethodName {
    /// All weights
    #[default]
    Full,
    /// Low-rank deltas on frozen weights
    Lora,
    /// Only the head of a reward model, fitted at once to the last states of all texts
    Head,
}

/// How the rate goes after its rise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum ScheduleName {
    /// Fall to 0 along half a cosine
    #[default]
    Cosine,
    /// Stay constant
    Constant,
}

/// What passes compute in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum PrecisionName {
    /// 32 bits
    #[default]
    F32,
    /// 16 bits, with f32 parameters and updates; made for GPUs, slow on a CPU
    Bf16,
}

/// How numbers of exported weights are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum StoredName {
    /// 32 bits, exact
    #[default]
    F32,
    /// 16 bits
    F16,
    /// 16 bits with the range of f32
    Bf16,
}

/// How matrices of an exported GGUF file are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum GgufName {
    /// 16 bits
    F16,
    /// Blocks of 32 bytes with a scale
    #[default]
    #[value(name = "q8_0")]
    Q8_0,
}

#[derive(Args, Clone)]
#[command(after_help = "Examples:
  redline train --data triples.jsonl --from-scratch --steps 4000 --learning-rate 1e-3 --out aligner
  redline train --data triples.jsonl --model base/ --method lora --learning-rate 1e-3 --out aligner
  redline train --objective dpo --data preferences.jsonl --model chat/ --method lora --learning-rate 1e-5 --out policy
  redline train --objective reward --data preferences.jsonl --model chat/ --method lora --epochs 1 --out reward
  redline train --objective grpo --reward reward=reward/model --data questions.jsonl --model chat/ --steps 100 --max-new-tokens 96 --out policy

The folder then holds the Aligner (model/ as a Hugging Face folder, or adapter/ for PEFT), its log (train.jsonl), training
curves (curves.png and .svg), the report (index.html), and the last and the best checkpoint. The same command continues a run that was stopped, and
ends with the same bytes as one that was not.")]
#[command(group = ArgGroup::new("start").args(["model", "from_scratch"]).required(true))]
pub struct TrainArgs {
    /// Rows: triples, or preference pairs (rejected becomes chosen); JSON or JSON Lines, plain or gzip
    #[arg(long, value_name = "FILE")]
    pub data: PathBuf,
    /// Rows to evaluate on [default: a share of --data, by question]
    #[arg(long, value_name = "FILE")]
    pub validation: Option<PathBuf>,
    /// Share of the questions kept for evaluation if there is no --validation
    #[arg(long, default_value_t = 0.05)]
    pub held_out_share: f64,
    /// Evaluate on at most this many rows
    #[arg(long, default_value_t = 200, value_parser = count(0, MOST_ROWS))]
    pub held_out_rows: usize,
    /// Model to start from: Hugging Face folder or GGUF file
    #[arg(long, value_name = "PATH")]
    pub model: Option<PathBuf>,
    /// Start with random weights and a new tokenizer, trained on the rows
    #[arg(long)]
    pub from_scratch: bool,
    #[command(flatten)]
    pub shape: ShapeArgs,
    /// What is trained
    #[arg(long, value_enum, default_value_t)]
    pub method: MethodName,
    #[command(flatten)]
    pub lora: LoraArgs,
    /// Prompt template: aligner, aligner-7b, aligner-2b, smollm2, or a file with {question} and {answer} [default:
    /// from the model's tokens]
    #[arg(long, value_name = "NAME|FILE")]
    pub template: Option<String>,
    #[command(flatten)]
    pub pairs: PairTrainArgs,
    #[command(flatten)]
    pub run: RunArgs,
    /// Folder of the run
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Steps between checkpoints
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..))]
    pub checkpoint_every: u32,
    /// Steps between checkpoints that are kept besides the last and the best one, as step-000200.checkpoint; --export
    /// turns one into a model
    #[arg(long, value_name = "STEPS", value_parser = clap::value_parser!(u32).range(1..))]
    pub keep_every: Option<u32>,
    /// Number format of the weights in the Hugging Face folder, or of the adapter
    #[arg(long, value_enum, default_value_t)]
    pub store: StoredName,
    /// Also write a GGUF file for llama.cpp
    #[arg(long, value_name = "FILE")]
    pub gguf: Option<PathBuf>,
    /// Number format of matrices in the GGUF file
    #[arg(long, value_enum, default_value_t)]
    pub gguf_store: GgufName,
    /// Export the weights with the lowest held-out loss instead of the last ones
    #[arg(long)]
    pub export_best: bool,
    /// Train nothing: export this checkpoint of a run with the same options
    #[arg(long, value_name = "CHECKPOINT")]
    pub export: Option<PathBuf>,
    #[command(flatten)]
    pub force: super::files::ForceArgs,
    /// Which of them were written on the command line
    #[arg(skip)]
    pub given: super::given::Given,
}

/// Sizes of a model from scratch.
#[derive(Args, Clone)]
#[command(next_help_heading = "From scratch")]
pub struct ShapeArgs {
    /// Width of the residual stream
    #[arg(long, default_value_t = 256, value_parser = count(0, MOST_WIDTH))]
    pub hidden_size: usize,
    /// Width of the inner layer of each MLP [default: 8/3 of the hidden size, rounded up to a multiple of 32]
    #[arg(long, value_parser = count(0, MOST_WIDTH))]
    pub intermediate_size: Option<usize>,
    /// Blocks
    #[arg(long, default_value_t = 5, value_parser = count(0, MOST_LAYERS))]
    pub n_layers: usize,
    /// Attention heads
    #[arg(long, default_value_t = 4, value_parser = count(0, MOST_LAYERS))]
    pub heads: usize,
    /// Key and value heads [default: as many as --heads]
    #[arg(long, value_parser = count(0, MOST_LAYERS))]
    pub kv_heads: Option<usize>,
    /// Tokens of the vocabulary
    #[arg(long, default_value_t = 2048, value_parser = count(0, MOST_VOCABULARY))]
    pub vocab_size: usize,
    /// Longest prompt with output, in tokens
    #[arg(long, default_value_t = 1024, value_parser = count(0, MOST_TOKENS))]
    pub context: usize,
}

/// Low-rank deltas.
#[derive(Args, Clone)]
#[command(next_help_heading = "LoRA")]
pub struct LoraArgs {
    /// Inner width of a delta
    #[arg(long, default_value_t = 16, value_parser = count(0, MOST_RANK))]
    pub rank: usize,
    /// Strength: a delta is scaled by alpha / rank
    #[arg(long, default_value_t = 32.0, value_parser = number(-MOST_FACTOR, MOST_FACTOR))]
    pub alpha: f64,
    /// Share of a delta's inputs that is zeroed at random
    #[arg(long, default_value_t = 0.0)]
    pub lora_dropout: f64,
    /// Linear layers with a delta
    #[arg(long, value_delimiter = ',', default_values_t = redline::model::LoraOptions::default().targets)]
    pub targets: Vec<String>,
}

/// How long, how fast, in what order.
#[derive(Args, Clone)]
#[command(next_help_heading = "Training")]
pub struct RunArgs {
    /// Share of the rows used for identity warm-up (answer to answer); 0 leaves it out
    #[arg(long, default_value_t = TrainOptions::default().identity_share)]
    pub warmup_share: f64,
    /// Passes over the warm-up rows
    #[arg(long, default_value_t = TrainOptions::default().identity_epochs, value_parser = count(0, MOST_STEPS))]
    pub warmup_epochs: usize,
    /// Rows for identity warm-up, instead of a share of --data
    #[arg(long, value_name = "FILE")]
    pub warmup_data: Option<PathBuf>,
    /// Passes over all rows; 0 leaves only the identity warm-up
    #[arg(long, default_value_t = TrainOptions::default().epochs, value_parser = count(0, MOST_STEPS))]
    pub epochs: usize,
    /// Steps of the whole run, instead of --epochs
    #[arg(long, value_parser = count(0, MOST_STEPS))]
    pub steps: Option<usize>,
    /// Rows per step
    #[arg(long, default_value_t = TrainOptions::default().batch_rows, value_parser = count(0, MOST_BATCH_ROWS))]
    pub batch_rows: usize,
    /// Passes that a step is divided into (gradient accumulation): more need less memory
    #[arg(long, default_value_t = TrainOptions::default().n_pieces, value_parser = count(0, MOST_BATCH_ROWS))]
    pub pieces: usize,
    /// Keep only the inputs of blocks, and compute the blocks again in the backward pass: less memory, more time
    #[arg(long)]
    pub gradient_checkpointing: bool,
    /// What passes compute in
    #[arg(long, value_enum, default_value_t)]
    pub precision: PrecisionName,
    /// Leave out rows whose prompt and output have more tokens
    #[arg(long, default_value_t = TrainOptions::default().max_tokens, value_parser = count(0, MOST_TOKENS))]
    pub max_tokens: usize,
    /// Highest learning rate
    #[arg(long, default_value_t = TrainOptions::default().schedule.learning_rate, allow_hyphen_values = true)]
    pub learning_rate: f64,
    /// Course of the learning rate after its rise
    #[arg(long, value_enum, default_value_t)]
    pub schedule: ScheduleName,
    /// Share of the steps during which the learning rate rises
    #[arg(long, default_value_t = TrainOptions::default().schedule.rise_share)]
    pub rise_share: f64,
    /// Weight decay of matrices
    #[arg(long, default_value_t = AdamWOptions::default().weight_decay)]
    pub weight_decay: f64,
    /// Largest gradient norm; larger gradients are scaled down to it
    #[arg(long, default_value_t = 1.0)]
    pub clip: f64,
    /// Seed of everything random
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Steps between evaluations [default: a tenth of the run]
    #[arg(long, value_parser = count(0, MOST_STEPS))]
    pub evaluate_every: Option<usize>,
    /// Held-out rows to write outputs for at each evaluation
    #[arg(long, default_value_t = 32, value_parser = count(0, MOST_ROWS))]
    pub generate: usize,
    /// Longest output at evaluations, in tokens
    #[arg(long, default_value_t = 256, value_parser = count(0, MOST_TOKENS))]
    pub max_new_tokens: usize,
    /// Stop after this many evaluations without a lower held-out loss
    #[arg(long, value_parser = count(0, MOST_STEPS))]
    pub patience: Option<usize>,
}

#[derive(Args)]
#[command(after_help = "Example:
  redline ablate-warmup --data triples.jsonl --from-scratch --steps 1000 --learning-rate 1e-3 --out ablation

The folder then holds ablation.json, ablation.png and .svg, and the run of each share. The same command continues where
it was stopped. --warmup-share does nothing here: --shares sets it.")]
pub struct AblateArgs {
    #[command(flatten)]
    pub train: TrainArgs,
    /// Shares of the rows used for identity warm-up
    #[arg(long, value_delimiter = ',', default_values_t = [0.0, 0.02, 0.1, 0.2, 0.5])]
    pub shares: Vec<f64>,
}

impl AblateArgs {
    /// Folder of the run with a share.
    pub fn share_folder(&self, share: f64) -> PathBuf {
        self.train.out.join(format!("warmup-{share}"))
    }
}
