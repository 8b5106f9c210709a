//! Arguments of the verbs that steer: a vector, or a profile that names one.

use std::path::PathBuf;

use clap::Args;
use redline::experiment::LayerSpec;
use redline::steer::{Operator, TokenRange, Unit};

#[derive(Args, Clone, Default)]
pub struct SteeringArgs {
    /// Reading vector (.safetensors) or control vector (.gguf)
    #[arg(long, value_name = "FILE")]
    pub vector: Option<PathBuf>,
    /// Steering profile that `redline tune --save` wrote, by name or path; options given beside it take its values' place
    #[arg(long, value_name = "NAME|FILE")]
    pub profile: Option<String>,
    /// Layers to inject: auto, all, 8-25 or 3,5,7 [default: the profile's, or auto]
    #[arg(long)]
    pub layers: Option<LayerSpec>,
    /// Unit of the coefficient: gap (one step from copy to correction in total), std, unit [default: the profile's, or gap]
    #[arg(long)]
    pub unit: Option<Unit>,
    /// Positions steered: output, all, prompt, last-prompt-token, generated, START..END [default: the profile's, or output]
    #[arg(long)]
    pub range: Option<TokenRange>,
    /// How the vector meets activations
    #[arg(long, default_value_t, help = format!("How the vector meets activations: {}; add is a dial", Operator::NAMES))]
    pub operator: Operator,
    /// Accept a vector or profile made with other weights of the same size
    #[arg(long)]
    pub any_model: bool,
    /// The GGUF file comes from llama.cpp's own generator, which numbers blocks one too high
    #[arg(long)]
    pub from_llama_cpp_generator: bool,
}
