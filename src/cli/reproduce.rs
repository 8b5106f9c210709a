//! Options of `redline reproduce`.

use std::path::PathBuf;

use clap::Args;
use redline::experiment::{DEFAULT_COHERENCE_BOUND, LayerSpec};
use redline::lab::built_in::BuiltIn;
use redline::lab::reproduce::{MOST_SHUFFLED, ReproduceOptions};
use redline::lab::rows::Rows;
use redline::steer::{TokenRange, Unit};

use super::Coefficients;
use super::ModelArgs;
use super::{PairArgs, TrainedArgs};
use crate::defaults;

use super::numbers::{MOST_BATCH_ROWS, MOST_RANDOM, MOST_ROWS, MOST_TOKENS, count};

/// Random and shuffled directions of a quick run.
const QUICK_NULLS: [usize; 2] = [5, 2];

#[derive(Args)]
#[command(after_help = "Examples:
  redline reproduce
  redline reproduce --model smollm2 --out smollm2
  redline reproduce --model models/SmolLM2-135M-Instruct.Q4_1.gguf --data triples.jsonl --out out
  redline reproduce --model my-aligner/ --data triples.jsonl.gz --pairs 200 --prompts 100 --coefficients -2,-1,0,1,2

The folder then holds index.html (the report, which opens in any browser), summary.json, the figures (PNG and SVG) and all
numbers (JSON Lines). The same command continues
a run that was stopped.")]
pub struct ReproduceArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Triples: JSON Lines with question, answer, correction; plain or gzip [default: built-in rows, whose questions
    /// the built-in Aligner was not trained on]
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// Triples for the direction and its held-out report [default: 64; for the built-in rows 160, or 96 with --model]
    #[arg(long, value_parser = count(0, MOST_ROWS))]
    pub pairs: Option<usize>,
    /// Other triples, for the sweep [default: 24; for the built-in rows 200, or 32 with --model]
    #[arg(long, value_parser = count(0, MOST_ROWS))]
    pub prompts: Option<usize>,
    /// Coefficients of the sweep; they must include 0, the baseline [default: -1,-0.75,-0.5,-0.25,0,0.25,0.5; for the
    /// built-in Aligner nine from -1 to 1, for smollm2 -3,-1.5,0,1.5,3]
    #[arg(long, allow_hyphen_values = true, value_name = "LIST")]
    pub coefficients: Option<Coefficients>,
    /// Report folder
    #[arg(long, default_value = "redline-report", value_name = "DIR")]
    pub out: PathBuf,
    /// Seed of splits, directions, intervals and controls
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    #[command(flatten)]
    pub pair: PairArgs,
    #[command(flatten)]
    pub trained: TrainedArgs,
    /// Layers to inject: auto, all, 8-25 or 3,5,7; auto is all for the built-in Aligner
    #[arg(long, default_value_t)]
    pub layers: LayerSpec,
    /// Unit of the coefficient: gap, std, unit
    #[arg(long, default_value_t)]
    pub unit: Unit,
    /// Positions steered: output, all, prompt, last-prompt-token, generated, START..END [default: output; all for smollm2]
    #[arg(long)]
    pub range: Option<TokenRange>,
    /// Longest output, in tokens [default: 96; for the built-in rows 160]
    #[arg(long, value_parser = count(0, MOST_TOKENS))]
    pub max_new_tokens: Option<usize>,
    /// Coherent range: largest change of the mean negative log-likelihood per token, in nats
    #[arg(long, default_value_t = DEFAULT_COHERENCE_BOUND)]
    pub coherence_bound: f64,
    /// Random directions that generate text [default: 19, with --quick 5]
    #[arg(long, value_parser = count(0, MOST_RANDOM))]
    pub random_generated: Option<usize>,
    /// Directions from exchanged labels that generate text [default: 8, with --quick 2]
    #[arg(long, value_parser = count(0, MOST_SHUFFLED))]
    pub shuffled_generated: Option<usize>,
    /// Use fewer null directions, and say what that leaves out
    #[arg(long)]
    pub quick: bool,
    /// Random directions whose propensity is measured
    #[arg(long, default_value_t = 20, value_parser = count(0, MOST_RANDOM))]
    pub random_propensity: usize,
    /// Prompts of the sweep that the controls run on [default: 8; for the built-in rows 32, or 8 with --model]
    #[arg(long, value_parser = count(0, MOST_ROWS))]
    pub control_prompts: Option<usize>,
    /// Rows decoded together; fewer need less memory [default: 48; for the built-in Aligner 144]
    #[arg(long, value_parser = count(1, MOST_BATCH_ROWS))]
    pub batch_rows: Option<usize>,
    #[command(flatten)]
    pub force: super::files::ForceArgs,
}

impl ReproduceArgs {
    /// What is asked for, and for the rest what suits model and rows.
    pub fn options(&self, rows: &Rows) -> anyhow::Result<ReproduceOptions> {
        let model = self.model.built_in();
        let suited = match (&self.data, model) {
            (Some(_), _) => ReproduceOptions::for_model(model),
            (None, Some(BuiltIn::Embedded)) => ReproduceOptions::embedded(),
            (None, _) => ReproduceOptions::embedded_rows(model),
        };
        self.pair.refuse_inside()?;
        self.trained.check(&self.pair, None)?;
        let range = defaults::range(&self.model, self.range);
        let nulls = if self.quick { QUICK_NULLS } else { [suited.random_generated, suited.shuffled_generated] };
        Ok(ReproduceOptions {
            n_pairs: self.pairs.unwrap_or(suited.n_pairs),
            n_prompts: self.prompts.unwrap_or(suited.n_prompts),
            coefficients: defaults::coefficients(&self.model, self.coefficients.as_ref()),
            seed: self.seed,
            extraction: defaults::pair_args(&self.model, &self.pair).settings(self.seed)?,
            trained: self.trained.settings(&self.pair, rows.flawed.is_some(), range, self.seed),
            layers: defaults::layers(&self.model, &self.layers),
            unit: self.unit,
            range,
            max_new_tokens: self.max_new_tokens.unwrap_or(suited.max_new_tokens),
            coherence_bound: self.coherence_bound,
            random_generated: self.random_generated.unwrap_or(nulls[0]),
            shuffled_generated: self.shuffled_generated.unwrap_or(nulls[1]),
            random_propensity: self.random_propensity,
            control_prompts: self.control_prompts.unwrap_or(suited.control_prompts),
            batch_rows: self.batch_rows.unwrap_or(suited.batch_rows),
        })
    }
}
