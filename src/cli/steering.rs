//! Arguments of the verbs that steer: a vector, or a profile that names one.

use std::path::PathBuf;

use clap::Args;
use redline::experiment::LayerSpec;
use redline::lab::steering::{NO_VECTOR, Steering, UsedProfile, trained_range_of};
use redline::steer::{Operator, TokenRange, Unit};

use crate::failure::hinted;

/// Largest copy bias: beyond it nothing but the answer's next token is ever chosen.
const MOST_COPY_BIAS: f32 = 1000.0;

#[derive(Args, Clone, Default)]
pub struct SteeringArgs {
    /// Reading vector or Aligner inside a model (.safetensors), or control vector (.gguf); `none` steers by
    /// --copy-bias alone
    #[arg(long, value_name = "FILE")]
    pub vector: Option<PathBuf>,
    /// Steering profile from `redline tune --save`, by name or path; options given beside it override its values
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
    /// How the vector changes activations
    #[arg(long, default_value_t, help = format!("How the vector changes activations: {}; add is a dial", Operator::NAMES))]
    pub operator: Operator,
    /// Nats that each unit of coefficient subtracts from the logit of the answer's next token: a dial without a
    /// vector, or in addition to one
    #[arg(long, value_name = "NATS", default_value_t = 0.0, value_parser = copy_bias, allow_hyphen_values = true)]
    pub copy_bias: f32,
    /// Accept a vector or profile made with other weights of the same size
    #[arg(long)]
    pub any_model: bool,
    /// The GGUF file comes from llama.cpp's own generator, which numbers blocks one too high
    #[arg(long)]
    pub from_llama_cpp_generator: bool,
}

/// Reads a number of nats.
pub fn copy_bias(text: &str) -> Result<f32, String> {
    let number = text.parse::<f32>().ok().filter(|nats| (0.0..=MOST_COPY_BIAS).contains(nats));
    number.ok_or_else(|| format!("give nats from 0 to {MOST_COPY_BIAS}"))
}

impl SteeringArgs {
    /// What is asked for, for the rest what the profile says, then the default; nothing when neither a vector nor a profile is named.
    pub fn steering(&self) -> anyhow::Result<Option<Steering>> {
        let profile = self.profile.as_deref().map(|name| UsedProfile::open(name, self.vector.is_none())).transpose()?;
        let of_profile = profile.as_ref().map(UsedProfile::vector_path);
        let Some(vector) = self.vector.clone().or(of_profile) else {
            return match self.copy_bias == 0.0 {
                true => Ok(None),
                false => Err(hinted(
                    "--copy-bias counts by the unit of a coefficient, and there is no vector",
                    "give --vector none (or a file) and a coefficient beside it",
                )),
            };
        };
        if vector.as_os_str() == NO_VECTOR && self.copy_bias == 0.0 {
            return Err(hinted(
                "--vector none steers by the copy bias alone, and there is none",
                "give --copy-bias 3 beside it",
            ));
        }
        let known = profile.as_ref().map(UsedProfile::profile);
        let layers = self.layers.clone().or(known.map(|known| LayerSpec::List(known.layers.clone())));
        let range = self.range.or(known.map(|known| known.range)).or_else(|| trained_range_of(&vector));
        let range = range.unwrap_or_default();
        Ok(Some(Steering {
            vector,
            layers: layers.unwrap_or_default(),
            unit: self.unit.or(known.and_then(|known| known.unit.parse().ok())).unwrap_or_default(),
            range,
            operator: self.operator,
            copy_bias: self.copy_bias,
            any_model: self.any_model,
            from_llama_cpp_generator: self.from_llama_cpp_generator,
            profile,
        }))
    }
}
