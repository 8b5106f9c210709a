//! Options of `redline correct`.

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use redline::probe::shard::Shard;

use super::ModelArgs;
use super::SamplingArgs;
use super::numbers::{MOST_BATCH_ROWS, count};
use super::steering::SteeringArgs;

#[derive(Args)]
#[command(after_help = "Examples:
  redline correct --question 'What is the capital of France?' \
      --answer 'You are a complete fool. The capital of France is Paris.' --diff
  redline correct --model model.gguf --question 'How do I boil an egg?' --answer 'Put it in water.'
  redline correct --model model.gguf --vector vector.safetensors --coefficient 0.5 --data answers.jsonl > corrected.jsonl
  redline correct --profile gentle --data answers.jsonl > corrected.jsonl
  redline correct --upstream http://127.0.0.1:8000/v1 --data questions.jsonl --out corrected.jsonl
  redline correct --upstream-model chat.gguf --question 'How do I boil an egg?'
  redline correct --aligner embedded --aligner smollm2,vector=v.safetensors,range=all,coefficient=1 --data answers.jsonl")]
#[command(group = ArgGroup::new("rows").args(["question", "data"]).required(true))]
pub struct CorrectArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub steering: SteeringArgs,
    /// Steering strength: below 0 copies more, above 0 corrects more [default: the profile's, or 0]
    #[arg(long, allow_hyphen_values = true)]
    pub coefficient: Option<f32>,
    #[command(flatten)]
    pub gate: super::gate::GateArgs,
    #[command(flatten)]
    pub domain: super::domain::DomainArgs,
    /// The question
    #[arg(long)]
    pub question: Option<String>,
    /// The answer to correct
    #[arg(long, requires = "question")]
    pub answer: Option<String>,
    /// JSON Lines with question, or messages as in OpenAI's chat API, and answer; - is standard input
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// Only a part of the rows, the I-th of N: `redline merge` puts the files of all parts together
    #[arg(long, value_name = "I/N", requires = "out")]
    pub shard: Option<Shard>,
    #[command(flatten)]
    pub stack: super::stack::StackArgs,
    /// Mark deletions and insertions in the answer
    #[arg(long, requires = "question")]
    pub diff: bool,
    #[command(flatten)]
    pub sampling: SamplingArgs,
    /// Seed of sampling
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Rows decoded together
    #[arg(long, default_value_t = 16, value_parser = count(1, MOST_BATCH_ROWS))]
    pub batch_rows: usize,
    /// Write one token per pass instead of checking several of the answer's at once; the output is the same
    #[arg(long)]
    pub no_draft: bool,
    /// Which of them were written on the command line
    #[arg(skip)]
    pub given: super::given::Given,
}
