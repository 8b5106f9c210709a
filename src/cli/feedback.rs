//! Options of `redline feedback`.

use std::path::PathBuf;

use clap::Args;

use super::numbers::{MOST_BATCH_ROWS, MOST_ROWS, count};
use super::steering::SteeringArgs;
use super::{Coefficients, ModelArgs, SamplingArgs};

#[derive(Args)]
#[command(after_help = "Examples:
  redline feedback --data held-out.jsonl --vector vector.safetensors
  redline feedback --model aligner/model --data held-out.jsonl --vector vector.safetensors --asked none,harmless --coefficients=-1,0,1
  redline feedback --data held-out.jsonl --vector vector.safetensors --asked none --asked 'brief=Be brief.' --out brief

Every row is corrected under every instruction at every coefficient. The flaws in the rows show what was mended; the lines of
the other instructions are compared with that of the first one. An Aligner follows instructions only if it was trained on rows
with them: redline data synth --instructions.")]
#[command(group = clap::ArgGroup::new("steered_by").args(["vector", "profile"]).required(true).multiple(true))]
pub struct FeedbackArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub steering: SteeringArgs,
    /// Rows with their flaws, from redline data synth or corrupt; the same question and answer is used once
    #[arg(long, value_name = "FILE")]
    pub data: PathBuf,
    /// Rows to skip
    #[arg(long, default_value_t = 0, value_parser = count(0, MOST_ROWS))]
    pub skip: usize,
    /// Rows to correct
    #[arg(long, default_value_t = 100, value_parser = count(2, MOST_ROWS))]
    pub prompts: usize,
    /// Instructions: none, empathy, helpful, harmless, or NAME=TEXT in an option of its own; the others are compared
    /// with the first
    #[arg(long, value_name = "LIST", default_value = "none,empathy,helpful,harmless")]
    pub asked: Vec<String>,
    /// Coefficients
    #[arg(long, allow_hyphen_values = true, default_value = "-1,-0.5,0,0.5,1", value_name = "LIST")]
    pub coefficients: Coefficients,
    #[command(flatten)]
    pub sampling: SamplingArgs,
    /// Seed of sampling
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Folder for the outputs (one file per instruction) and the table; a run that was stopped is continued
    #[arg(long, value_name = "DIR", default_value = "feedback")]
    pub out: PathBuf,
    /// Rows decoded together; fewer need less memory
    #[arg(long, default_value_t = 48, value_parser = count(1, MOST_BATCH_ROWS))]
    pub batch_rows: usize,
    /// Allow questions that the vector was extracted from
    #[arg(long)]
    pub allow_overlap: bool,
    #[command(flatten)]
    pub force: super::files::ForceArgs,
}

impl FeedbackArgs {
    /// What each instruction is called: lists are cut at commas, unless a text stands in them.
    pub fn names(&self) -> Vec<&str> {
        self.asked
            .iter()
            .flat_map(|given| if given.contains('=') { vec![given.as_str()] } else { given.split(',').collect() })
            .collect()
    }
}
