//! Options of `redline layers`.

use std::path::PathBuf;

use clap::Args;

use super::ModelArgs;
use super::PairArgs;
use super::numbers::{MOST_ROWS, MOST_TOKENS, count};

#[derive(Args)]
#[command(after_help = "Examples:
  redline layers --data triples.jsonl --design decision --out layers
  redline layers --model model.gguf --data triples.jsonl --pairs 600 --held-out-share 0.333 --out layers

The folder then holds layers.json (all numbers with intervals), heatmaps of AUROC, and a figure of how the decision builds
up before the first edit. --read does nothing here: all places are read.")]
pub struct LayersArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Triples: question, answer, correction
    #[arg(long, value_name = "FILE")]
    pub data: PathBuf,
    /// Triples to use, from the first
    #[arg(long, default_value_t = 200, value_parser = count(1, MOST_ROWS))]
    pub pairs: usize,
    #[command(flatten)]
    pub pair: PairArgs,
    /// Output tokens to read, from the first
    #[arg(long, default_value_t = redline::probe::scan::SCAN_TOKENS, value_parser = count(0, MOST_TOKENS))]
    pub tokens: usize,
    /// Tokens to read before and after the first difference of correction and answer
    #[arg(long, default_value_t = 8, value_parser = count(0, MOST_TOKENS))]
    pub around: usize,
    /// Seed of the split, of random directions and of intervals
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Folder for results
    #[arg(long, default_value = "layers", value_name = "DIR")]
    pub out: PathBuf,
    #[command(flatten)]
    pub force: super::files::ForceArgs,
}
