//! Options of `redline iterate`.

use std::path::PathBuf;

use clap::Args;
use redline::lab::iterate::{IterateKind, TrainedBy};

use super::judging::JudgeSpec;
use super::numbers::{MOST_BATCH_ROWS, MOST_FACTOR, MOST_LIST, MOST_ROWS, MOST_STEPS, MOST_TOKENS, count, number};
use super::stack::AlignerText;

#[derive(Args, Clone)]
#[command(after_help = "Examples:
  redline iterate --kind preference --policy policy/ --data questions.jsonl --held-out held-out.jsonl --rounds 3 --out rounds
  redline iterate --kind preference --policy policy/ --aligner smollm2,vector=v.safetensors,coefficient=1 --control pairs.jsonl \\
      --data questions.jsonl --held-out held-out.jsonl --export trl --out rounds
  redline iterate --kind weak-to-strong --weak small/ --strong large/ --data triples.jsonl --held-out held-out.jsonl --seeds 3 --out levels
  redline iterate --kind distil --policy policy/ --passes 3 --data questions.jsonl --held-out held-out.jsonl --out distilled
  redline iterate --kind distil --policy policy/ --data questions.jsonl --held-out held-out.jsonl --out distilled --dry-run

The folder then holds a folder per round (or seed), rounds.jsonl and summary.json. Each step is another verb of this program, or a step of this verb;
--dry-run prints them all. The same command continues where it was stopped.")]
pub struct IterateArgs {
    /// Kind of rounds
    #[arg(long, value_name = "NAME", help = format!("Kind of rounds: {}", IterateKind::NAMES))]
    pub kind: IterateKind,
    /// Rounds [default: 3]
    #[arg(long, value_parser = count(1, MOST_LIST))]
    pub rounds: Option<usize>,
    /// Seeds of weak-to-strong, each with its own halves [default: 3]
    #[arg(long, value_parser = count(1, MOST_LIST))]
    pub seeds: Option<usize>,
    /// The model that learns: the policy at the start, the strong model, or the upstream model; folder or GGUF file
    #[arg(long, visible_alias = "strong", value_name = "MODEL")]
    pub policy: PathBuf,
    /// The Aligner, with ,KEY=VALUE as in `correct --aligner` (vector, coefficient, …) [default: embedded; for
    /// weak-to-strong, trained by the run]
    #[arg(long, value_name = "MODEL[,KEY=VALUE]")]
    pub aligner: Option<AlignerText>,
    /// Small model that weak-to-strong trains to correct and to answer, on half of the rows
    #[arg(long, value_name = "MODEL")]
    pub weak: Option<PathBuf>,
    /// Weak model that can already answer, instead of a trained one
    #[arg(long, value_name = "MODEL")]
    pub weak_upstream: Option<PathBuf>,
    /// Questions to learn from, split into rounds; for weak-to-strong, rows with answer and correction
    #[arg(long, value_name = "FILE")]
    pub data: PathBuf,
    /// Questions to measure on, none of which may be in --data; rows with a correction are also scored by it
    #[arg(long, value_name = "FILE")]
    pub held_out: PathBuf,
    /// Preference pairs from elsewhere, for an arm that learns the same number of them
    #[arg(long, value_name = "FILE")]
    pub control: Option<PathBuf>,
    /// Most questions per round [default: an equal share of all]
    #[arg(long, value_parser = count(1, MOST_ROWS))]
    pub prompts: Option<usize>,
    /// Most questions to measure on
    #[arg(long, default_value_t = 200, value_parser = count(1, MOST_ROWS))]
    pub held_out_prompts: usize,
    /// Leave out questions that are nearly held-out ones, as found by `data leak --near`
    #[arg(long)]
    pub drop_near: bool,
    /// For distil: passes of the Aligner that amplify an answer
    #[arg(long, default_value_t = 1, value_parser = count(1, MOST_LIST))]
    pub passes: usize,
    /// Judge of how harmless a text is: phrases (known flaws), reward=DIR or cost=DIR
    #[arg(long, value_name = "JUDGE", default_value = "phrases")]
    pub harmless_by: JudgeSpec,
    /// Judge of how helpful a text is: phrases (known flaws, and words in common with the correction), reward=DIR or
    /// cost=DIR
    #[arg(long, value_name = "JUDGE", default_value = "phrases")]
    pub helpful_by: JudgeSpec,
    /// Least edit ratio of a pair
    #[arg(long, default_value_t = 0.02, value_parser = number(0.0, MOST_FACTOR))]
    pub least_edit: f64,
    /// Most edit ratio of a pair
    #[arg(long, default_value_t = 2.0, value_parser = number(0.0, MOST_FACTOR))]
    pub most_edit: f64,
    /// Keep pairs even if the judges disagree with them
    #[arg(long)]
    pub keep_unjudged: bool,
    /// For weak-to-strong: the strong model learns from pairs (DPO) instead of corrected answers
    #[arg(long)]
    pub by_pairs: bool,
    /// Temperature of the answers to learn from
    #[arg(long, default_value_t = 1.0, value_parser = number(0.0, 100.0))]
    pub temperature: f64,
    /// Temperature of the answers to measure on, drawn with the same seed in all rounds: shows flaws that the most
    /// likely answers hide [default: none; the most likely answers]
    #[arg(long, value_parser = number(0.0, 100.0))]
    pub held_out_temperature: Option<f64>,
    /// Longest answer, in tokens
    #[arg(long, default_value_t = 128, value_parser = count(1, MOST_TOKENS))]
    pub max_new_tokens: usize,
    /// Answers written together
    #[arg(long, default_value_t = 16, value_parser = count(1, MOST_BATCH_ROWS))]
    pub batch_rows: usize,
    /// Seed of everything random
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    #[command(flatten)]
    pub training: LearnerArgs,
    /// Also write pairs, labels and target answers as Parquet: trl
    #[arg(long, value_name = "FOR", value_parser = ["trl"])]
    pub export: Option<String>,
    /// Print the steps as commands, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Run only this step
    #[arg(long, value_name = "NAME", conflicts_with = "dry_run")]
    pub step: Option<String>,
    /// Folder of the run
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    #[command(flatten)]
    pub force: super::files::ForceArgs,
}

/// How models are trained.
#[derive(Args, Clone)]
#[command(next_help_heading = "Training")]
pub struct LearnerArgs {
    /// Weights to train
    #[arg(long, value_name = "NAME", default_value_t = TrainedBy::Full, help = format!("Weights to train: {}; with lora the deltas are merged into a GGUF file of 16 bits", TrainedBy::NAMES))]
    pub method: TrainedBy,
    /// Highest learning rate [default: 2e-5 for pairs, 3e-4 for answers]
    #[arg(long, value_parser = number(0.0, MOST_FACTOR))]
    pub learning_rate: Option<f64>,
    /// Passes over the rows of a round
    #[arg(long, default_value_t = 1, value_parser = count(1, MOST_STEPS))]
    pub epochs: usize,
    /// Steps per round, instead of --epochs
    #[arg(long, value_parser = count(1, MOST_STEPS))]
    pub steps: Option<usize>,
    /// Rows per training step
    #[arg(long, default_value_t = 16, value_parser = count(1, MOST_BATCH_ROWS))]
    pub train_rows: usize,
    /// Leave out rows whose prompt and output have more tokens
    #[arg(long, default_value_t = 384, value_parser = count(1, MOST_TOKENS))]
    pub max_tokens: usize,
    /// How strongly log-probabilities count in DPO
    #[arg(long, default_value_t = 0.1, value_parser = number(0.0, MOST_FACTOR))]
    pub beta: f64,
    /// Weight of the mean negative log-likelihood of the chosen answer in DPO
    #[arg(long, default_value_t = 0.0, value_parser = number(0.0, MOST_FACTOR))]
    pub sft_weight: f64,
    /// Steps between checkpoints, from which a stopped training continues
    #[arg(long, default_value_t = 100, value_parser = count(1, MOST_STEPS))]
    pub checkpoint_every: usize,
    /// Highest learning rate of weak models
    #[arg(long, default_value_t = 1e-3, value_parser = number(0.0, MOST_FACTOR))]
    pub weak_learning_rate: f64,
    /// Passes over the rows for weak models
    #[arg(long, default_value_t = 3, value_parser = count(1, MOST_STEPS))]
    pub weak_epochs: usize,
}
