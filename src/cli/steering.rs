//! Arguments of the verbs that steer: a vector, or a profile that names one.

use std::path::PathBuf;

use clap::Args;
use redline::experiment::LayerSpec;
use redline::lab::steering::{Steering, UsedProfile};
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

impl SteeringArgs {
    /// What is asked for, for the rest what the profile says, then the default; nothing when neither a vector nor a profile is named.
    pub fn steering(&self) -> anyhow::Result<Option<Steering>> {
        let profile = self.profile.as_deref().map(|name| UsedProfile::open(name, self.vector.is_none())).transpose()?;
        let of_profile = profile.as_ref().map(UsedProfile::vector_path);
        let Some(vector) = self.vector.clone().or(of_profile) else { return Ok(None) };
        let known = profile.as_ref().map(UsedProfile::profile);
        let layers = self.layers.clone().or(known.map(|known| LayerSpec::List(known.layers.clone())));
        Ok(Some(Steering {
            vector,
            layers: layers.unwrap_or_default(),
            unit: self.unit.or(known.and_then(|known| known.unit.parse().ok())).unwrap_or_default(),
            range: self.range.or(known.map(|known| known.range)).unwrap_or_default(),
            operator: self.operator,
            any_model: self.any_model,
            from_llama_cpp_generator: self.from_llama_cpp_generator,
            profile,
        }))
    }
}
