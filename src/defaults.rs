//! What options stand for where they are left out: it differs between the built-in Aligner, the one on SmolLM2, and the
//! user's own.

use redline::experiment::LayerSpec;
use redline::lab::built_in;
use redline::steer::TokenRange;

use crate::cli::{Coefficients, ModelArgs, PairArgs, VectorMethod};

/// The coefficients given, or those of the model.
pub fn coefficients(model: &ModelArgs, asked: Option<&Coefficients>) -> Vec<f32> {
    asked.map_or_else(|| built_in::coefficients(model.built_in()).to_vec(), |Coefficients(values)| values.clone())
}

/// The layers given, or those of the model.
pub fn layers(model: &ModelArgs, asked: &LayerSpec) -> LayerSpec {
    built_in::layers(model.built_in(), asked)
}

/// The positions given, or those of the model.
pub fn range(model: &ModelArgs, asked: Option<TokenRange>) -> TokenRange {
    asked.unwrap_or(built_in::range(model.built_in()))
}

/// The method given, or for the two built-in Aligners the one that won on the development questions.
pub fn pair_args(model: &ModelArgs, asked: &PairArgs) -> PairArgs {
    let method = asked.method.or(built_in::method(model.built_in()).map(VectorMethod::Read));
    PairArgs { method, ..asked.clone() }
}
