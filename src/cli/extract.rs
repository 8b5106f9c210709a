//! Options of `redline extract`.

use std::path::PathBuf;

use clap::Args;
use redline::experiment::LayerSpec;
use redline::steer::Unit;

use super::ModelArgs;
use super::PairArgs;
use super::numbers::{MOST_ROWS, count};

#[derive(Args)]
#[command(after_help = "Examples:
  redline extract --model model.gguf --data triples.jsonl --out vector.safetensors
  redline extract --model model.gguf --data triples.jsonl --design decision --out vector.safetensors --gguf vector.gguf")]
pub struct ExtractArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Triples: JSON Lines with question, answer, correction
    #[arg(long, value_name = "FILE")]
    pub data: PathBuf,
    /// Triples to use, from the first
    #[arg(long, default_value_t = 64, value_parser = count(1, MOST_ROWS))]
    pub pairs: usize,
    #[command(flatten)]
    pub pair: PairArgs,
    /// Seed of the split, of random directions and of intervals
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Reading vector to write
    #[arg(long, default_value = "vector.safetensors", value_name = "FILE")]
    pub out: PathBuf,
    /// Also write a control vector for llama.cpp and repeng, scales folded in
    #[arg(long, value_name = "FILE")]
    pub gguf: Option<PathBuf>,
    /// Layers of the control vector
    #[arg(long, default_value_t)]
    pub layers: LayerSpec,
    /// Unit of the control vector
    #[arg(long, default_value_t)]
    pub unit: Unit,
    #[command(flatten)]
    pub force: super::files::ForceArgs,
}
