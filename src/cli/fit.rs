//! Options of `redline fit`.

use std::path::PathBuf;

use clap::Args;
use redline::experiment::DEFAULT_COHERENCE_BOUND;
use redline::steer::EditRatioVariant;

use super::numbers::{MOST_ROWS, count};

#[derive(Args)]
#[command(after_help = "Examples:
  redline fit sweep.jsonl
  redline fit sweep.jsonl --variant token --plot figure
  redline fit sweep.jsonl --rows triples.jsonl --examples 3
  redline fit part-1.jsonl part-2.jsonl part-3.jsonl")]
pub struct FitArgs {
    /// File written by `redline sweep`, or those of all its parts (`sweep --shard`)
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Edit ratio: char, token, max, micro
    #[arg(long, default_value_t)]
    pub variant: EditRatioVariant,
    /// Coherent range: largest change of the mean negative log-likelihood per token, in nats
    #[arg(long, default_value_t = DEFAULT_COHERENCE_BOUND)]
    pub coherence_bound: f64,
    /// Seed of the intervals
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Draw the sweep with its line, as STEM.png and STEM.svg, or as one file if STEM ends in .png, .svg or .pdf
    #[arg(long, value_name = "STEM")]
    pub plot: Option<PathBuf>,
    /// The rows that were swept, with their flaws: shows what the slopes of single prompts depend on
    #[arg(long, value_name = "FILE")]
    pub rows: Option<PathBuf>,
    /// Show N prompts with the lowest slopes: what the output loses and gains from the lowest to the highest
    /// coefficient
    #[arg(long, default_value_t = 0, requires = "rows", value_parser = count(0, MOST_ROWS))]
    pub examples: usize,
    #[command(flatten)]
    pub force: super::files::ForceArgs,
}
