//! The function of an MLP's gate.

use serde::{Deserialize, Serialize};

/// The function of the MLP's gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Activation {
    /// x σ(x)
    Silu,
    /// Gaussian error linear unit, by its tanh approximation (Hendrycks and Gimpel 2016).
    GeluTanh,
}
