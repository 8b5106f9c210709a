//! Options of `redline sweep`.

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use redline::probe::shard::Shard;

use super::Coefficients;
use super::ModelArgs;
use super::PUBLISHED_COEFFICIENTS;
use super::SamplingArgs;
use super::numbers::{MOST_BATCH_ROWS, MOST_ROWS, count};
use super::steering::SteeringArgs;

#[derive(Args)]
#[command(after_help = "Examples:
  redline sweep --model model.gguf --vector vector.safetensors --data triples.jsonl --skip 64 --prompts 24 --out sweep.jsonl
  redline sweep --model model.gguf --vector vector.gguf --data triples.jsonl --coefficients -2,-1,0,1,2 --out sweep.jsonl
  redline sweep --vector vector.safetensors --data triples.jsonl --prompts 400 --shard 2/8 --out part-2.jsonl")]
#[command(group = ArgGroup::new("steered_by").args(["vector", "profile"]).required(true).multiple(true))]
pub struct SweepArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub steering: SteeringArgs,
    /// Triples: JSON Lines with question, answer, correction
    #[arg(long, value_name = "FILE")]
    pub data: PathBuf,
    /// Rows of the file to skip
    #[arg(long, default_value_t = 0, value_parser = count(0, MOST_ROWS))]
    pub skip: usize,
    /// Rows to sweep
    #[arg(long, default_value_t = 24, value_parser = count(1, MOST_ROWS))]
    pub prompts: usize,
    /// Only a part of these rows, the I-th of N: `redline merge` puts the files of all parts together
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// Coefficients; 0 is the baseline
    #[arg(long, allow_hyphen_values = true, default_value = PUBLISHED_COEFFICIENTS, value_name = "LIST")]
    pub coefficients: Coefficients,
    #[command(flatten)]
    pub sampling: SamplingArgs,
    /// Seed of sampling
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Sweep file; an existing one is continued
    #[arg(long, default_value = "sweep.jsonl", value_name = "FILE")]
    pub out: PathBuf,
    /// Report to write, one HTML file [default: the name of --out, with .html; none of a --shard]
    #[arg(long, value_name = "FILE", conflicts_with = "shard")]
    pub report: Option<PathBuf>,
    /// Rows decoded together; fewer need less memory
    #[arg(long, default_value_t = 48, value_parser = count(1, MOST_BATCH_ROWS))]
    pub batch_rows: usize,
    /// Allow questions that the vector was extracted from
    #[arg(long)]
    pub allow_overlap: bool,
    #[command(flatten)]
    pub force: super::files::ForceArgs,
}
