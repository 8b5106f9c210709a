//! How exactly inputs are multiplied with quantised weights.

use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::layers::packed;
use crate::{Error, Result};

/// Precision of the inputs of products with quantised weights on the CPU; the names are those of PyTorch, whose default is
/// the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MatmulPrecision {
    /// f32 everywhere: the numbers of the dequantised matrix.
    Highest,
    /// Integers of 16 bits with a scale for every 32 values, where the processor has instructions that make this faster and weights
    /// have one scale a block; else f32. An input is off by at most 1/65278 of the largest of its 32.
    #[default]
    High,
}

impl fmt::Display for MatmulPrecision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Highest => "highest",
            Self::High => "high",
        })
    }
}

impl FromStr for MatmulPrecision {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "highest" => Ok(Self::Highest),
            "high" => Ok(Self::High),
            _ => Err(Error::Request { what: "matmul precision", got: name.into(), expected: "high or highest".into() }),
        }
    }
}

static IS_HIGHEST: AtomicBool = AtomicBool::new(false);

/// Sets the precision of all models that are loaded from now on, as `torch.set_float32_matmul_precision` does for PyTorch.
pub fn set_matmul_precision(precision: MatmulPrecision) {
    IS_HIGHEST.store(precision == MatmulPrecision::Highest, Ordering::Relaxed);
}

/// The precision of models that are loaded from now on.
pub fn matmul_precision() -> MatmulPrecision {
    if IS_HIGHEST.load(Ordering::Relaxed) { MatmulPrecision::Highest } else { MatmulPrecision::High }
}

/// What multiplies quantised weights of models that are loaded from now on, in words.
pub fn matmul_kernel() -> String {
    packed::kernel_name()
}
