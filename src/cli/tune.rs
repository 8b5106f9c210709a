//! Arguments of `redline tune`.

use std::path::PathBuf;

use clap::{ArgGroup, Args};
use redline::embedded;
use redline::experiment::DEFAULT_COHERENCE_BOUND;
use redline::lab::quality::Utility;
use redline::lab::tune::{Counts, GivenVector, TuneOptions};
use redline::steer::EditRatioVariant;

use super::numbers::{MOST_BATCH_ROWS, MOST_ROWS, count};
use super::steering::SteeringArgs;
use super::{Coefficients, ModelArgs, PairArgs, SamplingArgs, VectorMethod};
use crate::defaults;
use crate::failure::hinted;

#[derive(Args)]
#[command(group = ArgGroup::new("target").args(["target_ratio", "like", "for_utility"]).required(true))]
#[command(after_help = "Examples:
  redline tune --target-ratio 0.25 --save gentle
  redline tune --like wished.jsonl --save gentle
  redline tune --for harmless=5,helpful=1,damage=10,clean-share=0.75 --save careful
  redline tune --for harmless=5,helpful=1,damage=10 --per-request --save each
  redline tune --model model.gguf --vector vector.safetensors --data triples.jsonl --skip 64 --target-ratio 0.4 --save firm
  redline tune --model model.gguf --sweep sweep.jsonl --target-ratio 0.4 --save firm

Fits the line of a sweep within its coherent range, reads the coefficient for the target from it, writes corrections of other
prompts at that coefficient and reports their ratio. --save keeps it as a profile: `redline correct --profile gentle`. Without
--vector the direction is extracted first, from other questions, and kept beside the profile; the Aligners that come with the program are then
steered at the layers and positions where `reproduce` steers them.")]
pub struct TuneArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Mean edit ratio to reach
    #[arg(long, value_name = "R", allow_hyphen_values = true)]
    pub target_ratio: Option<f64>,
    /// Rows whose corrections are as you want them: their mean edit ratio is the target
    #[arg(long, value_name = "FILE")]
    pub like: Option<PathBuf>,
    /// What mending and damaging are worth, such as harmless=5,helpful=1,damage=10,clean-share=0.75: takes the
    /// coefficient with the highest utility, for rows that carry their flaws
    #[arg(long = "for", value_name = "WEIGHTS")]
    pub for_utility: Option<Utility>,
    /// Also fit a coefficient for each request, by the score of its prompt along the vector; the profile keeps it if
    /// on held-out rows it is better than one coefficient for all
    #[arg(long, requires = "for_utility")]
    pub per_request: bool,
    /// Edit ratio: char, token, max, micro
    #[arg(long, default_value_t)]
    pub variant: EditRatioVariant,
    #[command(flatten)]
    pub steering: SteeringArgs,
    /// Finished sweep to read the line from; its vector, unit, range, template and data are used [default: run one]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["profile", "coefficients", "prompts", "out"])]
    pub sweep: Option<PathBuf>,
    /// Triples: question, answer, correction [default: built-in rows, whose questions the built-in Aligner was not
    /// trained on]
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// Rows of the file to skip
    #[arg(long, default_value_t = 0, value_parser = count(0, MOST_ROWS))]
    pub skip: usize,
    /// Triples for the direction, if no vector is given [default: 64; for the built-in rows 160, or 96 with --model]
    #[arg(long, value_parser = count(0, MOST_ROWS))]
    pub pairs: Option<usize>,
    /// Other triples, for the sweep [default: 24; for the built-in rows 96, or 32 with --model]
    #[arg(long, value_parser = count(0, MOST_ROWS))]
    pub prompts: Option<usize>,
    /// Further triples, to verify the coefficient on [default: as many as --prompts, with --sweep as many as it has]
    #[arg(long, value_parser = count(0, MOST_ROWS))]
    pub verify: Option<usize>,
    /// Coefficients of the sweep; they must include 0, the baseline [default: -1,-0.75,-0.5,-0.25,0,0.25,0.5; for the
    /// built-in Aligner nine from -1 to 1, for smollm2 -3,-1.5,0,1.5,3]
    #[arg(long, allow_hyphen_values = true, value_name = "LIST")]
    pub coefficients: Option<Coefficients>,
    /// Coherent range: largest change of the mean negative log-likelihood per token, in nats
    #[arg(long, default_value_t = DEFAULT_COHERENCE_BOUND)]
    pub coherence_bound: f64,
    #[command(flatten)]
    pub pair: PairArgs,
    #[command(flatten)]
    pub sampling: SamplingArgs,
    /// Seed of splits, directions, sampling and intervals
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Rows decoded together; fewer need less memory
    #[arg(long, default_value_t = 48, value_parser = count(1, MOST_BATCH_ROWS))]
    pub batch_rows: usize,
    /// Keep the sweep in this file; an existing one is continued
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Save the profile: as NAME in profiles/ (REDLINE_PROFILES names another folder), or as FILE.json
    #[arg(long, value_name = "NAME|FILE")]
    pub save: Option<String>,
    #[command(flatten)]
    pub force: super::files::ForceArgs,
}

impl TuneArgs {
    /// What is asked for, and for the rest what suits model and rows.
    pub fn options(&self, are_embedded: bool) -> anyhow::Result<TuneOptions> {
        if let Some(ratio) = self.target_ratio.filter(|ratio| !(ratio.is_finite() && *ratio >= 0.0)) {
            return Err(hinted(format!("--target-ratio is {ratio}"), "give a ratio of at least 0, such as 0.25"));
        }
        let suited = Counts::suited(are_embedded, self.model.built_in());
        let prompts = self.prompts.unwrap_or(suited.prompts);
        let method = self.pair.method.or(Some(VectorMethod::Read(embedded::METHOD)));
        Ok(TuneOptions {
            counts: Counts {
                pairs: self.pairs.unwrap_or(suited.pairs),
                prompts,
                verify: self.verify.unwrap_or(prompts),
            },
            verify: self.verify,
            skip: self.skip,
            variant: self.variant,
            coefficients: defaults::coefficients(&self.model, self.coefficients.as_ref()),
            coherence_bound: self.coherence_bound,
            extraction: PairArgs { method, ..self.pair.clone() }.reading_settings(self.seed)?,
            layers: defaults::layers(&self.model, &self.steering.layers.clone().unwrap_or_default()),
            unit: self.steering.unit.unwrap_or_default(),
            range: defaults::range(&self.model, self.steering.range),
            given: GivenVector {
                vector: self.steering.vector.clone(),
                any_model: self.steering.any_model,
                from_llama_cpp_generator: self.steering.from_llama_cpp_generator,
            },
            sampling: self.sampling.options(self.seed)?,
            max_new_tokens: self.sampling.max_new_tokens,
            per_request: self.per_request,
            seed: self.seed,
            batch_rows: self.batch_rows,
        })
    }
}
