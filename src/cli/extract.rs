//! Options of `redline extract`.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use redline::experiment::LayerSpec;
use redline::probe::shard::Shard;
use redline::steer::{TokenRange, Unit};

use super::ModelArgs;
use super::numbers::{MOST_ROWS, count};
use super::{PairArgs, TrainedArgs, VectorMethod};
use crate::failure::hinted;

/// Options that say what is read, and how: activations were read already.
const READS_TEXTS: [&str; 18] = [
    "model",
    "adapter",
    "adapter_scale",
    "template",
    "instruction",
    "device",
    "data",
    "pairs",
    "design",
    "read",
    "site",
    "max_tokens",
    "held_out_share",
    "calibration_pairs",
    "strictness",
    "seed",
    "activations",
    "shard",
];

#[derive(Args)]
#[command(after_help = "Examples:
  redline extract --model model.gguf --data triples.jsonl --out vector.safetensors
  redline extract --model model.gguf --data triples.jsonl --design decision --out vector.safetensors --gguf vector.gguf
  redline extract --model aligner/ --data flawed.jsonl --pairs 400 --method trained --out dial.safetensors
  redline extract --model aligner/ --data flawed.jsonl --pairs 400 --method inside --rank 16 --out inside.safetensors
  redline extract --data triples.jsonl --pairs 4096 --shard 2/8 --activations part-2.safetensors
  redline extract --from-activations part-*.safetensors --method mean_diff --out vector.safetensors

While it runs, training keeps its state in OUT.checkpoint; the same command continues a training that was stopped.")]
pub struct ExtractArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Triples: JSON Lines with question, answer, correction
    #[arg(long, value_name = "FILE", required_unless_present = "from_activations")]
    pub data: Option<PathBuf>,
    /// Triples to use, from the first
    #[arg(long, default_value_t = 64, value_parser = count(1, MOST_ROWS))]
    pub pairs: usize,
    #[command(flatten)]
    pub pair: PairArgs,
    #[command(flatten)]
    pub trained: TrainedArgs,
    /// Positions steered in training: output, all, prompt, last-prompt-token, generated, START..END [default: output; all for smollm2]
    #[arg(long, help_heading = "With --method trained or inside")]
    pub range: Option<TokenRange>,
    /// Seed of the split, of random directions and of intervals
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Also write the activations of the pairs, so that other directions can be found in them without the model
    #[arg(long, value_name = "FILE")]
    pub activations: Option<PathBuf>,
    /// Read only a part of the pairs, the I-th of N, into --activations; no vector is made of it
    #[arg(long, value_name = "I/N", requires = "activations")]
    pub shard: Option<Shard>,
    /// Activations to find the direction in, those of all parts; --method, --scaling and --no-mirror can be others than before
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with_all = READS_TEXTS)]
    pub from_activations: Vec<PathBuf>,
    /// Reading vector to write; with --method inside, the Aligner inside a model
    #[arg(long, default_value = "vector.safetensors", value_name = "FILE", conflicts_with = "shard")]
    pub out: PathBuf,
    /// Also write a control vector for llama.cpp and repeng, with the scales folded in
    #[arg(long, value_name = "FILE", conflicts_with = "shard")]
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

impl ExtractArgs {
    /// Whether something is trained.
    pub fn trains(&self) -> bool {
        matches!(self.pair.method, Some(VectorMethod::Trained | VectorMethod::Inside))
    }

    /// Whether an Aligner inside a model is.
    pub fn is_inside(&self) -> bool {
        self.pair.method == Some(VectorMethod::Inside)
    }

    /// Refuses what an Aligner inside a model cannot be, and options that it does not heed.
    pub fn check_inside(&self) -> anyhow::Result<()> {
        if self.gguf.is_some() {
            let message = "--gguf writes a direction, and an Aligner inside a model has none";
            return Err(hinted(message, "leave it out; llama.cpp and repeng can add vectors only"));
        }
        if self.unit != Unit::default() {
            return Err(hinted("--unit is that of a control vector, and none is written", "leave it out"));
        }
        match self.pair.given_of_reading().next() {
            Some(name) => {
                let message = format!("{name} says how pairs are read, and --method inside reads none");
                Err(hinted(message, "leave it out"))
            }
            None => Ok(()),
        }
    }

    /// The triples.
    ///
    /// # Errors
    /// None are named, as beside `--from-activations`.
    pub fn triples(&self) -> anyhow::Result<&Path> {
        self.data.as_deref().context("clap asks for --data or --from-activations")
    }

    /// Refuses to train without the model or on a part of the pairs.
    pub fn check_parts(&self) -> anyhow::Result<()> {
        let given =
            [("--from-activations", !self.from_activations.is_empty()), ("--activations", self.activations.is_some())];
        match given.into_iter().find(|(_, is_given)| *is_given && self.trains()) {
            Some((name, _)) => {
                let message =
                    format!("{name} is for directions that are read, and this --method trains with the model");
                Err(hinted(message, "give a --method that reads, such as mean_diff, or leave it out"))
            }
            None => Ok(()),
        }
    }

    /// Where the state of a training lies while it runs.
    pub fn checkpoint(&self) -> PathBuf {
        let mut name = self.out.clone().into_os_string();
        name.push(".checkpoint");
        name.into()
    }
}
