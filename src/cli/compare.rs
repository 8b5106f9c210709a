//! Options of `redline compare`.

use std::path::PathBuf;

use clap::Args;
use redline::experiment::LayerSpec;
use redline::probe::Method;
use redline::steer::{TokenRange, Unit};

use super::Coefficients;
use super::ModelArgs;
use super::PairArgs;
use super::numbers::{MOST_RANDOM, MOST_ROWS, MOST_TOKENS, count};

#[derive(Args)]
#[command(after_help = "Example:
  redline compare --data dev.jsonl --strictness 1 --methods pca_diff,mean_diff --layers all --layers 0-1 --layers 2-3 \\
      --units gap,unit

All candidates are scaled to the strength of the first one given: summed ‖Δ‖ / ‖h‖ over the injected layers. The first part of the questions
gives the directions, the held-out share measures them: choose here, then measure the winner once on other questions.")]
pub struct CompareArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Triples: question, answer, correction
    #[arg(long, value_name = "FILE")]
    pub data: PathBuf,
    /// Triples to use, from the first
    #[arg(long, default_value_t = 128, value_parser = count(1, MOST_ROWS))]
    pub pairs: usize,
    #[command(flatten)]
    pub pair: PairArgs,
    /// Methods to compare
    #[arg(long, value_delimiter = ',', default_values_t = [Method::PcaDiff, Method::PcaCenter, Method::MeanDiff])]
    pub methods: Vec<Method>,
    /// Layers to inject: auto, all, 8-25 or 3,5,7; may be repeated [default: auto and all]
    #[arg(long)]
    pub layers: Vec<LayerSpec>,
    /// Units to compare
    #[arg(long, value_delimiter = ',', default_values_t = [Unit::Gap, Unit::Std, Unit::Unit])]
    pub units: Vec<Unit>,
    /// Coefficients, which must include 0
    #[arg(long, allow_hyphen_values = true, default_value = "-1,0,1", value_name = "LIST")]
    pub coefficients: Coefficients,
    /// Positions steered: output, all, prompt, last-prompt-token, generated, START..END
    #[arg(long, default_value_t)]
    pub range: TokenRange,
    /// Held-out pairs to measure on
    #[arg(long, default_value_t = 24, value_parser = count(0, MOST_ROWS))]
    pub measured: usize,
    /// Tokens to score, from the first difference on
    #[arg(long, default_value_t = 32, value_parser = count(0, MOST_TOKENS))]
    pub score_tokens: usize,
    /// Random directions, scaled to the same strength
    #[arg(long, default_value_t = 10, value_parser = count(0, MOST_RANDOM))]
    pub random: usize,
    /// Seed of the split, of random directions and of intervals
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// File to write (JSON)
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub force: super::files::ForceArgs,
}
