//! Options of `redline bench`.

use std::path::PathBuf;

use clap::Args;
use redline::experiment::LayerSpec;
use redline::steer::Unit;

use super::ModelArgs;
use super::numbers::{MOST_ROWS, MOST_TOKENS, count};

#[derive(Args)]
#[command(after_help = "Examples:
  redline bench --model model.gguf
  redline bench --model model.gguf --prefill 0 --rows 1,4,16,64
  redline bench --model smollm2 --data triples.jsonl --vector vector.safetensors --coefficient 1

Reports the median tokens per second of several runs, after a warm-up run.")]
pub struct BenchArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Tokens of the prompt to read; 0 skips reading
    #[arg(long, default_value_t = 512, value_parser = count(0, MOST_TOKENS))]
    pub prefill: usize,
    /// Tokens to write; 0 skips writing
    #[arg(long, default_value_t = 64, value_parser = count(0, MOST_TOKENS))]
    pub decode: usize,
    /// Rows to write together; several numbers are run one after the other
    #[arg(long, value_delimiter = ',', value_name = "N,…", default_value = "1", value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub rows: Vec<u16>,
    /// File of triples to correct, with the answer as draft and without
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// Triples to correct
    #[arg(long, default_value_t = 16, value_parser = count(1, MOST_ROWS))]
    pub prompts: usize,
    /// Longest correction, in tokens
    #[arg(long, default_value_t = 96, value_parser = count(0, MOST_TOKENS))]
    pub max_new_tokens: usize,
    /// Steer corrections along this vector (.safetensors or .gguf)
    #[arg(long, value_name = "FILE", requires = "data")]
    pub vector: Option<PathBuf>,
    /// Steering strength
    #[arg(long, allow_hyphen_values = true, default_value_t = 1.0)]
    pub coefficient: f32,
    /// Layers to inject: auto, all, 8-25 or 3,5,7
    #[arg(long, default_value_t)]
    pub layers: LayerSpec,
    /// Unit of the coefficient: gap, std, unit
    #[arg(long, default_value_t)]
    pub unit: Unit,
    /// Runs to measure
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub repeats: u16,
}
