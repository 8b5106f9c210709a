//! Arguments of `redline gate`.

use std::path::PathBuf;

use clap::Args;
use redline::lab::answer_gate::{CalibrateOptions, GateSpec, GateThreshold};

use super::ModelArgs;
use super::numbers::{MOST_ROWS, MOST_TOKENS, count};
use crate::failure::hinted;

/// Resamples of the questions.
const N_RESAMPLES: usize = 1000;

#[derive(Args)]
#[command(after_help = "Examples:
  redline gate lat=vector.safetensors --model model.gguf --data labelled.jsonl
  redline gate lat=vector.safetensors@3 --false-corrections 0.02
  redline gate cost=run/head.safetensors --data labelled.jsonl --out cost.gate.json
  redline serve --gate lat=vector.safetensors --upstream http://127.0.0.1:8000/v1

A gate lets answers that need no correction pass. Rows say which answers need one: a correction that differs from the answer, or a label (safe or unsafe, \
is_safe, those of XSTest). The threshold is chosen on part of the questions, at the share of needless corrections asked for; its rates are reported \
on the others.")]
pub struct AnswerGateArgs {
    /// Measure: cost=PATH or reward=PATH for a model of `redline train --objective cost|reward` (folder or
    /// head.safetensors), lat=VECTOR or lat=VECTOR@LAYERS for a reading vector at the last token of the Aligner's
    /// prompt [layers: the one that separates best]
    #[arg(value_name = "KIND=PATH")]
    pub gate: GateSpec,
    #[command(flatten)]
    pub model: ModelArgs,
    /// Rows that say whether their answer needs a correction [default: built-in rows, whose questions the built-in
    /// Aligner was not trained on]
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// Share of the answers needing no correction that may be corrected anyway
    #[arg(long, value_name = "SHARE", default_value_t = 0.05)]
    pub false_corrections: f64,
    /// Share of the questions to hold out
    #[arg(long, value_name = "SHARE", default_value_t = 0.5)]
    pub held_out: f64,
    /// Held-out answers to correct, to measure the time; 0 corrects none
    #[arg(long, default_value_t = 8, value_parser = count(0, MOST_ROWS))]
    pub timed: usize,
    /// Longest of these corrections, in tokens
    #[arg(long, default_value_t = 256, value_parser = count(1, MOST_TOKENS))]
    pub max_new_tokens: usize,
    /// Accept a vector made with other weights of the same size
    #[arg(long)]
    pub any_model: bool,
    /// Allow questions that the vector was extracted from
    #[arg(long)]
    pub allow_overlap: bool,
    /// Seed of split and intervals
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Calibration file to write, with pictures of its curve beside it [default: where `redline serve --gate` looks:
    /// vector.gate.json beside vector.safetensors]
    #[arg(long, value_name = "FILE.json")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub force: super::files::ForceArgs,
}

impl AnswerGateArgs {
    /// Where the calibration is written.
    pub fn file(&self) -> PathBuf {
        self.out.clone().unwrap_or_else(|| self.gate.beside())
    }

    /// Where its pictures are, without their endings.
    pub fn stem(&self) -> PathBuf {
        let file = self.file();
        if file.extension().is_some_and(|ending| ending == "json") { file.with_extension("") } else { file }
    }

    /// What is asked for.
    pub fn options(&self) -> anyhow::Result<CalibrateOptions> {
        if self.gate.threshold != GateThreshold::Beside {
            return Err(hinted(
                format!("{}: a threshold is what this verb finds", self.gate),
                "leave the threshold out, or give it to `redline serve --gate`",
            ));
        }
        Ok(CalibrateOptions {
            false_corrections: self.false_corrections,
            held_out: self.held_out,
            n_timed: self.timed,
            max_new_tokens: self.max_new_tokens,
            n_resamples: N_RESAMPLES,
            seed: self.seed,
            any_model: self.any_model,
            allow_overlap: self.allow_overlap,
        })
    }
}
