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

A gate lets answers pass that need no correction. Rows say which do: a correction that differs from the answer, or a label (safe or unsafe, \
is_safe, those of XSTest). The threshold is chosen on part of the questions, at the share of needless corrections asked for; what it does is told \
of the others.")]
pub struct AnswerGateArgs {
    /// What is read: cost=PATH or reward=PATH for a model of `redline train --objective cost|reward` (folder or head.safetensors), lat=VECTOR or
    /// lat=VECTOR@LAYERS for a reading vector at the last token of the Aligner's prompt [layers: the one that tells best]
    #[arg(value_name = "KIND=PATH")]
    pub gate: GateSpec,
    #[command(flatten)]
    pub model: ModelArgs,
    /// Rows with answers that say whether they need a correction [default: rows inside the program, whose questions its Aligner was not
    /// trained on]
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// Share of the answers that need no correction which may be corrected all the same
    #[arg(long, value_name = "SHARE", default_value_t = 0.05)]
    pub false_corrections: f64,
    /// Share of the questions that is held out
    #[arg(long, value_name = "SHARE", default_value_t = 0.5)]
    pub held_out: f64,
    /// Held-out answers to correct, to learn how long that takes; 0 corrects none
    #[arg(long, default_value_t = 8, value_parser = count(0, MOST_ROWS))]
    pub timed: usize,
    /// Longest of these corrections, in tokens
    #[arg(long, default_value_t = 256, value_parser = count(1, MOST_TOKENS))]
    pub max_new_tokens: usize,
    /// Accept a vector made with other weights of the same size
    #[arg(long)]
    pub any_model: bool,
    /// Seed of split and intervals
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// The calibration, with its curve as pictures beside it [default: where `redline serve --gate` looks: vector.gate.json beside
    /// vector.safetensors]
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
        })
    }
}
