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

The folder then holds a folder a round (or seed), rounds.jsonl and summary.json. Each step is a verb of this program or a step of this one;
--dry-run prints them all. The same command continues where it was stopped.")]
pub struct IterateArgs {
    /// What is repeated
    #[arg(long, value_name = "NAME", help = format!("What is repeated: {}", IterateKind::NAMES))]
    pub kind: IterateKind,
    /// Rounds [default: 3]
    #[arg(long, value_parser = count(1, MOST_LIST))]
    pub rounds: Option<usize>,
    /// Seeds of weak-to-strong, each with halves of its own [default: 3]
    #[arg(long, value_parser = count(1, MOST_LIST))]
    pub seeds: Option<usize>,
    /// The model that learns: the policy of the start, the strong model, the upstream model; folder or GGUF file
    #[arg(long, visible_alias = "strong", value_name = "MODEL")]
    pub policy: PathBuf,
    /// The Aligner, with ,KEY=VALUE as in `correct --aligner` (vector, coefficient, …) [default: embedded; of weak-to-strong trained by the run]
    #[arg(long, value_name = "MODEL[,KEY=VALUE]")]
    pub aligner: Option<AlignerText>,
    /// A small model that weak-to-strong trains to correct and to answer, on half of the rows
    #[arg(long, value_name = "MODEL")]
    pub weak: Option<PathBuf>,
    /// A weak model that answers already, instead of one that is trained
    #[arg(long, value_name = "MODEL")]
    pub weak_upstream: Option<PathBuf>,
    /// Questions to learn from, split into rounds; of weak-to-strong rows with answer and correction
    #[arg(long, value_name = "FILE")]
    pub data: PathBuf,
    /// Questions to measure on, none of which may be in --data; rows with a correction are also measured by it
    #[arg(long, value_name = "FILE")]
    pub held_out: PathBuf,
    /// Preference pairs from elsewhere, for an arm that learns as many of them as the other learns of its own
    #[arg(long, value_name = "FILE")]
    pub control: Option<PathBuf>,
    /// Most questions of a round [default: an equal share of all]
    #[arg(long, value_parser = count(1, MOST_ROWS))]
    pub prompts: Option<usize>,
    /// Most questions to measure on
    #[arg(long, default_value_t = 200, value_parser = count(1, MOST_ROWS))]
    pub held_out_prompts: usize,
    /// Leave out questions that are nearly held-out ones, as `data leak --near` finds them
    #[arg(long)]
    pub drop_near: bool,
    /// Passes of the Aligner that amplify an answer, of distil
    #[arg(long, default_value_t = 1, value_parser = count(1, MOST_LIST))]
    pub passes: usize,
    /// Who says how harmless a text is: phrases (known flaws), reward=DIR or cost=DIR
    #[arg(long, value_name = "JUDGE", default_value = "phrases")]
    pub harmless_by: JudgeSpec,
    /// Who says how helpful it is: phrases (known flaws, and words in common with the correction), reward=DIR or cost=DIR
    #[arg(long, value_name = "JUDGE", default_value = "phrases")]
    pub helpful_by: JudgeSpec,
    /// Least edit ratio of a pair
    #[arg(long, default_value_t = 0.02, value_parser = number(0.0, MOST_FACTOR))]
    pub least_edit: f64,
    /// Most edit ratio of a pair
    #[arg(long, default_value_t = 2.0, value_parser = number(0.0, MOST_FACTOR))]
    pub most_edit: f64,
    /// Keep pairs that the judges do not agree with
    #[arg(long)]
    pub keep_unjudged: bool,
    /// Of weak-to-strong: the strong model learns from pairs (DPO) instead of corrected answers
    #[arg(long)]
    pub by_pairs: bool,
    /// Temperature of the answers to learn from; those to measure on are the most likely ones
    #[arg(long, default_value_t = 1.0, value_parser = number(0.0, 100.0))]
    pub temperature: f64,
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
    /// Write pairs, labels and taught answers as Parquet too: trl
    #[arg(long, value_name = "FOR", value_parser = ["trl"])]
    pub export: Option<String>,
    /// Print the steps as commands, and do nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do this step alone
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
    /// What is trained
    #[arg(long, value_name = "NAME", default_value_t = TrainedBy::Full, help = format!("What is trained: {}; with lora the deltas are merged into a GGUF file of 16 bits", TrainedBy::NAMES))]
    pub method: TrainedBy,
    /// Highest learning rate [default: 2e-5 for pairs, 3e-4 for answers]
    #[arg(long, value_parser = number(0.0, MOST_FACTOR))]
    pub learning_rate: Option<f64>,
    /// Passes over the rows of a round
    #[arg(long, default_value_t = 1, value_parser = count(1, MOST_STEPS))]
    pub epochs: usize,
    /// Steps of a round, instead of --epochs
    #[arg(long, value_parser = count(1, MOST_STEPS))]
    pub steps: Option<usize>,
    /// Rows of a training step
    #[arg(long, default_value_t = 16, value_parser = count(1, MOST_BATCH_ROWS))]
    pub train_rows: usize,
    /// Rows whose prompt and output are longer are left out
    #[arg(long, default_value_t = 384, value_parser = count(1, MOST_TOKENS))]
    pub max_tokens: usize,
    /// How strongly log-probabilities count in DPO
    #[arg(long, default_value_t = 0.1, value_parser = number(0.0, MOST_FACTOR))]
    pub beta: f64,
    /// Weight of the mean negative log-likelihood of the chosen answer in DPO
    #[arg(long, default_value_t = 0.0, value_parser = number(0.0, MOST_FACTOR))]
    pub sft_weight: f64,
    /// Steps between checkpoints, from which a stopped training goes on
    #[arg(long, default_value_t = 100, value_parser = count(1, MOST_STEPS))]
    pub checkpoint_every: usize,
    /// Highest learning rate of weak models
    #[arg(long, default_value_t = 1e-3, value_parser = number(0.0, MOST_FACTOR))]
    pub weak_learning_rate: f64,
    /// Passes over the rows of weak models
    #[arg(long, default_value_t = 3, value_parser = count(1, MOST_STEPS))]
    pub weak_epochs: usize,
}
