//! Arguments of the verbs that look at files and models.

use std::path::PathBuf;

use clap::Args;
use redline::experiment::LayerSpec;
use redline::reference::Objective;
use redline::steer::{TokenRange, Unit};

use super::ModelArgs;
use super::numbers::{MOST_FACTOR, number};

#[derive(Args)]
#[command(after_help = "Examples:
  redline inspect model.gguf
  redline inspect my-aligner/ --json
  redline inspect vector.safetensors
  redline inspect trait.safetensors --against correction.safetensors

Reads headers only, so it is fast for a model of any size. Says what the file is (model, adapter, reading vector,
control vector, steering profile), what it holds, and what works with it; for two vectors also the cosine at each layer.")]
pub struct InspectArgs {
    /// A model's folder or GGUF file, an adapter's folder, a vector, a steering profile
    pub path: PathBuf,
    /// Another vector of the same width, reading or control vector: prints the cosine of the two at each layer that
    /// both have
    #[arg(long, value_name = "FILE")]
    pub against: Option<PathBuf>,
}

#[derive(Args)]
#[command(after_help = "Examples:
  redline check
  redline check model.gguf
  redline check model.gguf vector.safetensors --data triples.jsonl
  redline check model/ --reference expected.safetensors
  redline check model/ --adapter adapter/ --reference expected.safetensors --objective dpo
  redline check model/ --data held-out.jsonl --domain-out domain.json

Without a reference the model tests itself: coefficient 0 = no hook, cached = read at once, batched = alone, fast = plain
kernels, texts come back from tokens, the template is the likeliest one, good answers are copied and flawed ones are not.
With a vector it also says what the vector does. With a reference the model is compared with numbers of another program: each
difference is the largest one divided by the reference's largest magnitude, without padding; scripts/make_reference.py writes
a reference with transformers.
The exit code is 1 if something fails.")]
pub struct CheckArgs {
    /// Hugging Face folder, GGUF file, or smollm2 [default: the small built-in Aligner]
    pub model: Option<PathBuf>,
    /// Vector to test: reading vector (.safetensors) or control vector (.gguf)
    pub vector: Option<PathBuf>,
    /// PEFT adapter folder, merged into the model's weights
    #[arg(long, value_name = "DIR", requires = "model")]
    pub adapter: Option<PathBuf>,
    /// Prompt template: a built-in name, or a file with {question} and {answer} [default: by the model's tokens]
    #[arg(long, value_name = "NAME|FILE")]
    pub template: Option<String>,
    /// Where the model runs: cpu, cuda, cuda:N or metal [default: cpu]
    #[arg(long, value_name = "NAME")]
    pub device: Option<String>,
    /// Reference numbers to compare with
    #[arg(long, value_name = "FILE", conflicts_with_all = ["vector", "data"])]
    pub reference: Option<PathBuf>,
    /// Compare losses and gradients of pairs instead of hidden states: dpo or reward
    #[arg(long, value_name = "NAME", requires_all = ["reference", "model"])]
    pub objective: Option<Objective>,
    /// Largest difference to the reference that passes
    #[arg(long, default_value_t = 1e-4, requires = "reference", value_parser = number(0.0, MOST_FACTOR))]
    pub tolerance: f64,
    /// Layers of the vector: auto, all, 8-25 or 3,5,7
    #[arg(long, default_value_t)]
    pub layers: LayerSpec,
    /// Unit of the coefficient: gap, std, unit
    #[arg(long, default_value_t)]
    pub unit: Unit,
    /// Positions steered: output, all, prompt, last-prompt-token, generated, START..END
    #[arg(long, default_value_t)]
    pub range: TokenRange,
    /// Triples to test on [default: built-in rows]
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// Triples to use; half of them have a clean answer if possible
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u16).range(2..=1000))]
    pub prompts: u16,
    /// Write what answers this Aligner knows, from all rows of --data, which should be of the kind that it was
    /// trained on: the domain that correct, evaluate and serve take. Nothing else is tested then
    #[arg(long, value_name = "FILE", conflicts_with_all = ["vector", "reference"])]
    pub domain_out: Option<PathBuf>,
    #[command(flatten)]
    pub force: super::files::ForceArgs,
}

impl CheckArgs {
    /// The model, as other verbs name it.
    pub fn model_args(&self) -> ModelArgs {
        ModelArgs {
            model: self.model.clone(),
            adapter: self.adapter.clone(),
            adapter_scale: None,
            template: self.template.clone(),
            instruction: None,
            device: self.device.clone(),
        }
    }
}

#[derive(Args)]
#[command(after_help = "Examples:
  redline perplexity text.txt
  redline perplexity text.txt --model model.gguf --json

Perplexity is e to the power of the mean negative log-likelihood of the tokens after the first. --json lists every token with
its id and log-probability.")]
pub struct PerplexityArgs {
    /// Text to read; - is standard input
    pub file: PathBuf,
    #[command(flatten)]
    pub model: ModelArgs,
}
