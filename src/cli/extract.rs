//! Options of `redline extract`.

use std::path::PathBuf;

use clap::Args;
use redline::experiment::LayerSpec;
use redline::steer::{TokenRange, Unit};

use super::ModelArgs;
use super::numbers::{MOST_ROWS, count};
use super::{PairArgs, TrainedArgs, VectorMethod};

#[derive(Args)]
#[command(after_help = "Examples:
  redline extract --model model.gguf --data triples.jsonl --out vector.safetensors
  redline extract --model model.gguf --data triples.jsonl --design decision --out vector.safetensors --gguf vector.gguf
  redline extract --model aligner/ --data flawed.jsonl --pairs 400 --method trained --out dial.safetensors

Training keeps its state in OUT.checkpoint while it runs; the same command continues one that was stopped.")]
pub struct ExtractArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Triples: JSON Lines with question, answer, correction
    #[arg(long, value_name = "FILE")]
    pub data: PathBuf,
    /// Triples to use, from the first
    #[arg(long, default_value_t = 64, value_parser = count(1, MOST_ROWS))]
    pub pairs: usize,
    #[command(flatten)]
    pub pair: PairArgs,
    #[command(flatten)]
    pub trained: TrainedArgs,
    /// Positions steered in training: output, all, prompt, last-prompt-token, generated, START..END [default: output; all for smollm2]
    #[arg(long, help_heading = "With --method trained")]
    pub range: Option<TokenRange>,
    /// Seed of the split, of random directions and of intervals
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Reading vector to write
    #[arg(long, default_value = "vector.safetensors", value_name = "FILE")]
    pub out: PathBuf,
    /// Also write a control vector for llama.cpp and repeng, scales folded in
    #[arg(long, value_name = "FILE")]
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
    /// Whether a vector is trained.
    pub fn trains(&self) -> bool {
        self.pair.method == Some(VectorMethod::Trained)
    }

    /// Where the state of a training lies while it runs.
    pub fn checkpoint(&self) -> PathBuf {
        let mut name = self.out.clone().into_os_string();
        name.push(".checkpoint");
        name.into()
    }
}
