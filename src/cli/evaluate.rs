//! Options of `redline evaluate`.

use std::path::PathBuf;

use clap::Args;

use super::ModelArgs;
use super::judging::JudgingArgs;
use super::numbers::{MOST_BATCH_ROWS, MOST_ROWS, MOST_TOKENS, count};
use super::sampling::Coefficients;
use super::steering::SteeringArgs;
use super::systems::MOST_PASSES;

#[derive(Args)]
#[command(after_help = "Examples:
  redline evaluate --model aligner/model --data held-out.jsonl --prompts 500
  redline evaluate --model aligner/model --data held-out.jsonl --json --out outputs.jsonl
  redline evaluate --model smollm2 --data elsewhere.jsonl --domain domain.json
  redline evaluate --data held-out.jsonl --systems upstream,aligner,aligner@1 --vector vector.safetensors --judge flaws --dimension overall,harmless
  redline evaluate --answers answers.jsonl --judge http://localhost:8000/v1#judge --judgements judgements.jsonl
  redline evaluate --answers answers.jsonl --judge recorded=judgements.jsonl
  redline evaluate --data pairs.jsonl --judge reward=reward/model
  redline evaluate --data held-out.jsonl --depth 4 --coefficients 0,0.5,1 --vector vector.safetensors --out answers.jsonl
  redline evaluate --data hh-rlhf.jsonl.gz --turns --out turns.jsonl
  redline evaluate --choices --data TruthfulQA.csv --model chat.gguf
  redline evaluate --preferences annotations.jsonl --instructions instructions.jsonl --gamed gamed.jsonl

Rows of `redline data synth` and `corrupt` carry their flaws: their outputs are also compared with the correction at each
strictness.")]
pub struct EvaluateArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Triples: question, answer, correction
    #[arg(long, value_name = "FILE", required_unless_present_any = ["preferences", "answers"])]
    pub data: Option<PathBuf>,
    #[command(flatten)]
    pub steering: SteeringArgs,
    #[command(flatten)]
    pub judging: JudgingArgs,
    /// Multiple choice by the model's log-probabilities; --data is TruthfulQA (JSON or CSV), HHH pairs, or question,
    /// choices, answer
    #[arg(long, requires = "data", conflicts_with_all = ["judge", "preferences", "answers"])]
    pub choices: bool,
    /// Run N passes of the Aligner, each over the output of the one before. Reports what each depth mends and
    /// damages, how many texts the next pass leaves unchanged, and whether one pass at a higher coefficient does the
    /// same for less
    #[arg(long, value_name = "N", requires = "data", value_parser = count(2, MOST_PASSES),
        conflicts_with_all = ["judge", "preferences", "answers", "choices", "turns"])]
    pub depth: Option<usize>,
    /// Correct every answer of conversations, with the original and with the corrected history, and report how the
    /// edit ratio drifts from turn to turn
    #[arg(long, requires = "data", conflicts_with_all = ["judge", "preferences", "answers", "choices"])]
    pub turns: bool,
    /// Coefficients of --depth or --turns [default: not steered]
    #[arg(long, allow_hyphen_values = true, value_name = "LIST")]
    pub coefficients: Option<Coefficients>,
    /// Rows to use, from the first
    #[arg(long, default_value_t = 500, value_parser = count(1, MOST_ROWS))]
    pub prompts: usize,
    /// Longest output, in tokens
    #[arg(long, default_value_t = 256, value_parser = count(0, MOST_TOKENS))]
    pub max_new_tokens: usize,
    /// Rows decoded together; fewer need less memory
    #[arg(long, default_value_t = 48, value_parser = count(1, MOST_BATCH_ROWS))]
    pub batch_rows: usize,
    /// What the Aligner knows, a file of `redline check --domain-out`: good answers that stay are counted inside and
    /// outside of it [default: built in for an Aligner of the project]
    #[arg(long, value_name = "FILE")]
    pub domain: Option<PathBuf>,
    /// Write every output (JSON Lines); with --systems, --depth or --turns an existing file is continued, and its
    /// outputs are not written again
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub force: super::files::ForceArgs,
    /// Which of them were written on the command line
    #[arg(skip)]
    pub given: super::given::Given,
}

impl EvaluateArgs {
    /// The coefficients of `--depth` and `--turns`, as systems are named with them; one without a coefficient where none is given.
    pub fn dials(&self) -> Vec<Option<f64>> {
        let Some(Coefficients(values)) = &self.coefficients else { return vec![None] };
        // by its shortest name: 0.1 is 0.1, and -0 is 0
        values.iter().map(|value| Some(value.to_string().parse().unwrap_or(f64::from(*value)) + 0.0)).collect()
    }

    /// Whether `--out` is a file of answers, which is continued.
    pub fn keeps_answers(&self) -> bool {
        !self.judging.systems.is_empty() || self.depth.is_some() || self.turns
    }
}
