//! How exactly inputs are multiplied with quantised weights.

use std::sync::atomic::{AtomicBool, Ordering};

use redline_kernels::{Inputs, packed};

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

crate::named_enum! {
    "matmul precision", MatmulPrecision { Highest = "highest", High = "high" }
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
    packed::kernel_name(inputs())
}

/// What the inputs of products with quantised weights become, at the precision of models that are loaded from now on.
pub(crate) fn inputs() -> Inputs {
    match matmul_precision() {
        MatmulPrecision::Highest => Inputs::Floats,
        MatmulPrecision::High => Inputs::Integers,
    }
}
