//! The loops in which Redline spends its time, on the CPU: products with weights as they lie in a file, attention, norms and gated products with
//! their gradients, exponentials. Nearly all `unsafe` code of Redline is here.
//!
//! | module | has |
//! |---|---|
//! | [`packed`] | products with f32 or quantised weights, for AVX2, AVX-512 and any other processor |
//! | [`gradients`] | kernels for training, each with its gradient |
//! | [`exp`] | exponentials, softmax, gates |
//! | [`heads`] | the rotation of heads |
//!
//! Tensors are candle's, f32, on the CPU ([`is_plain`]); for all others the model has compositions of candle's own operations. Sums run in one fixed
//! order, so that a line has the same bits alone and among others, with any number of threads.
#![cfg_attr(test, allow(clippy::unwrap_used))]

use candle_core::{DType, Tensor};

#[macro_use]
mod vectorised;

mod activation;
pub mod exp;
pub mod gradients;
pub mod heads;
pub mod packed;

pub use activation::Activation;

/// What the inputs of products with quantised weights are multiplied as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inputs {
    /// f32: the numbers of the dequantised matrix.
    Floats,
    /// Integers of sixteen bits, where the processor is faster with them and weights have one scale a block; else f32.
    Integers,
}

/// Whether a kernel for f32 on the CPU can run.
pub fn is_plain(x: &Tensor) -> bool {
    x.device().is_cpu() && x.dtype() == DType::F32
}
