//! What the verbs that run a whole experiment take unless told otherwise: it differs between the Aligner inside the program, the
//! one on SmolLM2, and the user's own.

use redline::embedded;
use redline::experiment::LayerSpec;
use redline::steer::TokenRange;

use crate::cli::{Coefficients, ModelArgs, PUBLISHED_COEFFICIENTS, PairArgs};

/// Of rows that carry their flaws, those inside the program: everything is mended against nothing.
pub const EMBEDDED_STRICTNESS: u8 = 1;
/// Coefficients for the Aligner inside the program.
const EMBEDDED_COEFFICIENTS: &str = "-1,-0.75,-0.5,-0.25,0,0.25,0.5,0.75,1";
/// Coefficients for the Aligner on SmolLM2.
const SMOLLM2_COEFFICIENTS: &str = "-3,-1.5,0,1.5,3";

/// The coefficients asked for, or those of the model.
pub fn coefficients(model: &ModelArgs, asked: Option<&Coefficients>) -> anyhow::Result<Vec<f32>> {
    if let Some(Coefficients(values)) = asked {
        return Ok(values.clone());
    }
    let listed = match model.model.is_some() {
        true if model.is_smollm2() => SMOLLM2_COEFFICIENTS,
        true => PUBLISHED_COEFFICIENTS,
        false => EMBEDDED_COEFFICIENTS,
    };
    Ok(listed.parse::<Coefficients>().map_err(anyhow::Error::msg)?.0)
}

/// The layers asked for. The Aligner inside has so few blocks that all of them are few.
pub fn layers(model: &ModelArgs, asked: &LayerSpec) -> LayerSpec {
    match model.model.is_none() && *asked == LayerSpec::Auto {
        true => LayerSpec::All,
        false => asked.clone(),
    }
}

/// The positions asked for, or those that steer the model.
pub fn range(model: &ModelArgs, asked: Option<TokenRange>) -> TokenRange {
    asked.unwrap_or(match model.is_smollm2() {
        true => TokenRange::All,
        false => TokenRange::default(),
    })
}

/// How directions are found: what was asked for, or on the Aligners of the project what development questions spoke for.
pub fn pair_args(model: &ModelArgs, asked: &PairArgs) -> PairArgs {
    let mut pair = asked.clone();
    if model.model.is_none() || model.is_smollm2() {
        pair.method.get_or_insert(embedded::METHOD);
    }
    pair
}
