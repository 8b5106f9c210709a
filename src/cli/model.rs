//! Options that name a model.

use std::path::{Path, PathBuf};

use clap::Args;
use redline::embedded;
use redline::lab::built_in::BuiltIn;

#[derive(Args, Clone, Default)]
pub struct ModelArgs {
    /// Hugging Face folder, GGUF file, or smollm2: the Aligner on SmolLM2-135M [default: the small built-in Aligner]
    #[arg(long, value_name = "PATH")]
    pub model: Option<PathBuf>,
    /// PEFT adapter folder, merged into the model's weights
    #[arg(long, value_name = "DIR", requires = "model")]
    pub adapter: Option<PathBuf>,
    /// Factor on the adapter's deltas: 0 is the model without it, 1 the adapter as trained [default: 1]
    #[arg(long, value_name = "FACTOR", requires = "model", allow_hyphen_values = true)]
    pub adapter_scale: Option<f64>,
    /// Prompt template: aligner, aligner-7b, aligner-2b, smollm2, or a file with {question} and {answer} [default:
    /// from the model's tokens]
    #[arg(long, value_name = "NAME|FILE")]
    pub template: Option<String>,
    /// What every prompt asks for beyond correcting, such as 'Be harmless'; the template needs a place for it,
    /// {instruction}
    #[arg(long, value_name = "TEXT")]
    pub instruction: Option<String>,
    /// Where the model runs: cpu, cuda, cuda:N or metal; all but cpu need a program built with --features cuda or
    /// metal [default: cpu]
    #[arg(long, value_name = "NAME")]
    pub device: Option<String>,
}

impl ModelArgs {
    /// Which of the project's Aligners is asked for. `--model smollm2` means the built-in adapter, unless a file or folder has that name.
    pub fn built_in(&self) -> Option<BuiltIn> {
        match self.model.as_deref() {
            None => Some(BuiltIn::Embedded),
            Some(path) if path == Path::new(embedded::SMOLLM2) && !path.exists() => Some(BuiltIn::SmolLm2),
            Some(_) => None,
        }
    }

    /// Whether the Aligner on SmolLM2 is asked for.
    pub fn is_smollm2(&self) -> bool {
        self.built_in() == Some(BuiltIn::SmolLm2)
    }

    /// Where the model runs.
    pub fn device(&self) -> redline::model::Result<redline::model::Device> {
        redline::model::device(self.device.as_deref().unwrap_or("cpu"))
    }
}
