//! Arguments for steering by more than one vector, and only where one fires.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use redline::lab::steering::{GateFile, MoreVectors, ScaledVector};

use super::numbers::{MOST_FACTOR, MOST_LAYERS, count, number};

/// A vector file with its own coefficient, `FILE:COEFFICIENT`.
#[derive(Debug, Clone)]
pub struct Scaled(ScaledVector);

impl FromStr for Scaled {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "give FILE:COEFFICIENT, such as politeness.gguf:0.5";
        let (path, coefficient) = text.rsplit_once(':').ok_or(form)?;
        let coefficient = coefficient.parse::<f32>().ok().filter(|number| number.is_finite());
        match (path.is_empty(), coefficient) {
            (false, Some(coefficient)) => Ok(Self(ScaledVector { path: path.into(), coefficient })),
            _ => Err(form.into()),
        }
    }
}

#[derive(Args, Clone, Default)]
pub struct GateArgs {
    /// Also steer along this vector; may be repeated
    #[arg(long, value_name = "FILE:COEFFICIENT")]
    pub also: Vec<Scaled>,
    /// Steer only at positions where the score on this reading vector (.safetensors) is high enough
    #[arg(long, value_name = "FILE", requires = "gate_layer")]
    pub gate: Option<PathBuf>,
    /// Layer whose score decides; that layer and later ones are steered
    #[arg(long, value_name = "LAYER", requires = "gate", value_parser = count(0, MOST_LAYERS))]
    pub gate_layer: Option<usize>,
    /// Lowest score at which positions are steered, in standard deviations of the calibration texts
    #[arg(long, value_name = "Z", requires = "gate", allow_hyphen_values = true, default_value_t = 0.0, value_parser = number(-MOST_FACTOR, MOST_FACTOR))]
    pub gate_above: f64,
}

impl GateArgs {
    /// What is asked for.
    pub fn options(&self) -> MoreVectors {
        let gate = self.gate.clone().zip(self.gate_layer);
        MoreVectors {
            also: self.also.iter().map(|Scaled(also)| also.clone()).collect(),
            gate: gate.map(|(path, layer)| GateFile { path, layer, above: self.gate_above }),
        }
    }
}
