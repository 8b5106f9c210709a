//! Arguments for steering by more than one vector, and only where one fires.

use std::path::PathBuf;
use std::str::FromStr;

use clap::Args;
use redline::steer::{Operator, RowSteering};

use super::numbers::{MOST_FACTOR, MOST_LAYERS, count, number};

/// A vector file with its own coefficient.
#[derive(Debug, Clone, PartialEq)]
pub struct ScaledVector {
    pub path: PathBuf,
    pub coefficient: f32,
}

impl FromStr for ScaledVector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = "give FILE:COEFFICIENT, such as politeness.gguf:0.5";
        let (path, coefficient) = text.rsplit_once(':').ok_or(form)?;
        let coefficient = coefficient.parse::<f32>().ok().filter(|number| number.is_finite());
        match (path.is_empty(), coefficient) {
            (false, Some(coefficient)) => Ok(Self { path: path.into(), coefficient }),
            _ => Err(form.into()),
        }
    }
}

#[derive(Args, Clone, Default)]
pub struct GateArgs {
    /// Steer along this vector too; may be repeated
    #[arg(long, value_name = "FILE:COEFFICIENT")]
    pub also: Vec<ScaledVector>,
    /// Steer only at positions where this reading vector (.safetensors) fires
    #[arg(long, value_name = "FILE", requires = "gate_layer")]
    pub gate: Option<PathBuf>,
    /// Layer whose score decides; layers from there on are steered
    #[arg(long, value_name = "LAYER", requires = "gate", value_parser = count(0, MOST_LAYERS))]
    pub gate_layer: Option<usize>,
    /// Lowest score that fires, in standard deviations of the calibration texts
    #[arg(long, value_name = "Z", requires = "gate", allow_hyphen_values = true, default_value_t = 0.0, value_parser = number(-MOST_FACTOR, MOST_FACTOR))]
    pub gate_above: f64,
}

impl GateArgs {
    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.also.is_empty() && self.gate.is_none()
    }

    /// Files that are read.
    pub fn paths(&self) -> impl Iterator<Item = &PathBuf> {
        self.also.iter().map(|also| &also.path).chain(&self.gate)
    }

    /// What a row is steered by: the first vector at `coefficient`, then the others.
    pub fn terms(&self, operator: Operator, coefficient: f32, prompt_len: usize) -> impl Iterator<Item = RowSteering> {
        let others = self.also.iter().enumerate().map(|(i, also)| (i + 1, also.coefficient));
        let term = move |(vector, coefficient)| RowSteering::new(vector, coefficient, prompt_len).by(operator);
        std::iter::once((0, coefficient)).chain(others).map(term)
    }
}
