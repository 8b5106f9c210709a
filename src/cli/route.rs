//! Arguments of `redline route`.

use std::path::PathBuf;

use clap::Args;
use redline::lab::quality::Utility;
use redline::lab::route::RouteOptions;

use super::ModelArgs;
use super::numbers::{MOST_LAYERS, count};

/// Resamples of the questions.
const N_RESAMPLES: usize = 1000;

#[derive(Args)]
#[command(after_help = "Examples:
  redline sweep --vector vector.safetensors --data triples.jsonl --prompts 96 --coefficients -1,0,1 --out sweep.jsonl
  redline route sweep.jsonl --out route.json
  redline route gentle.jsonl firm.jsonl --for harmless=5,helpful=1,damage=10 --out route.json
  redline serve --route route.json --upstream http://127.0.0.1:8000/v1

The candidates are the coefficients of the sweeps, which must use one Aligner and the same rows. The router chooses between them by the mean activation \
of the Aligner's prompt; it is compared with the best single candidate on questions that it was not fitted to.")]
pub struct RouteArgs {
    /// Files of `redline sweep`
    #[arg(value_name = "SWEEP_FILE", required = true)]
    pub sweeps: Vec<PathBuf>,
    #[command(flatten)]
    pub model: ModelArgs,
    /// Rows that were swept [default: those named in the first sweep]
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// What mending and damaging are worth, for rows that carry their flaws [default: harmless=5,helpful=1,damage=10;
    /// for other rows similarity to the correction decides]. All rows count, so clean-share has no effect
    #[arg(long = "for", value_name = "WEIGHTS")]
    pub for_utility: Option<Utility>,
    /// Block whose output activations are read [default: the middle one]
    #[arg(long, value_name = "LAYER", value_parser = count(0, MOST_LAYERS))]
    pub layer: Option<usize>,
    /// Share of the questions to hold out
    #[arg(long, value_name = "SHARE", default_value_t = 0.5)]
    pub held_out: f64,
    /// Seed of split, folds and intervals
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Route file to write
    #[arg(long, value_name = "FILE.json")]
    pub out: PathBuf,
    #[command(flatten)]
    pub force: super::files::ForceArgs,
}

impl RouteArgs {
    /// What is asked for.
    pub fn options(&self) -> RouteOptions {
        RouteOptions {
            layer: self.layer,
            utility: self.for_utility,
            held_out: self.held_out,
            n_resamples: N_RESAMPLES,
            seed: self.seed,
        }
    }
}
