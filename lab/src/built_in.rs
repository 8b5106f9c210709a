//! What the two Aligners of the project are measured with unless something else is asked for. It was chosen on development
//! questions; see `assets/aligner/README.md` and `docs/results/figure-4.md`.

use redline_probe::Method;
use redline_steer::TokenRange;

use crate::embedded;
use crate::experiment::LayerSpec;

/// Coefficients of the published figure.
pub const PUBLISHED_COEFFICIENTS: [f32; 7] = [-1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5];
/// Coefficients for the built-in Aligner.
const EMBEDDED_COEFFICIENTS: [f32; 9] = [-1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0];
/// Coefficients for the Aligner on SmolLM2.
const SMOLLM2_COEFFICIENTS: [f32; 5] = [-3.0, -1.5, 0.0, 1.5, 3.0];

/// The strictness of the built-in rows: pairs set the fully mended text against the untouched answer.
pub const EMBEDDED_STRICTNESS: u8 = 1;

/// Which of the project's Aligners a model is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuiltIn {
    /// The small built-in one.
    Embedded,
    /// The adapter on SmolLM2-135M-Instruct.
    SmolLm2,
}

/// The coefficients of a sweep.
pub fn coefficients(model: Option<BuiltIn>) -> &'static [f32] {
    match model {
        Some(BuiltIn::Embedded) => &EMBEDDED_COEFFICIENTS,
        Some(BuiltIn::SmolLm2) => &SMOLLM2_COEFFICIENTS,
        None => &PUBLISHED_COEFFICIENTS,
    }
}

/// The layers given; where they are left open, all of the built-in Aligner, which has only four.
pub fn layers(model: Option<BuiltIn>, asked: &LayerSpec) -> LayerSpec {
    match (model, asked) {
        (Some(BuiltIn::Embedded), LayerSpec::Auto) => LayerSpec::All,
        _ => asked.clone(),
    }
}

/// The positions that are steered.
pub fn range(model: Option<BuiltIn>) -> TokenRange {
    match model {
        Some(BuiltIn::SmolLm2) => TokenRange::All,
        _ => TokenRange::default(),
    }
}

/// How the direction is found, where the project has a reason to choose.
pub fn method(model: Option<BuiltIn>) -> Option<Method> {
    model.map(|_| embedded::METHOD)
}
