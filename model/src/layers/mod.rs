//! The parts of a block: one definition of each for every family.

use candle_core::{DType, Tensor};

#[macro_use]
mod vectorised;

mod attention;
mod cached_attention;
mod exp;
pub(crate) mod gradients;
mod linear;
mod lora;
mod mlp;
mod norm;
pub(crate) mod packed;
mod rope;
mod sum;

pub(crate) use attention::{Attention, HeadSizes};
pub(crate) use linear::Linear;
pub(crate) use lora::{Dropout, LoraDelta};
pub(crate) use mlp::Mlp;
pub(crate) use norm::RmsNorm;
pub(crate) use rope::{PassRotary, Rope, Ropes, RotaryTables, Rotation, rotate_head};
pub(crate) use sum::{scaled, sum};

/// Whether a kernel for f32 on the CPU can run.
pub(crate) fn is_plain(x: &Tensor) -> bool {
    x.device().is_cpu() && x.dtype() == DType::F32
}

/// Which implementation of norm, rotation and softmax runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kernels {
    /// Fused kernels; they cut gradients, so inference only.
    #[default]
    Fused,
    /// Compositions of elementary operations, which gradients flow through.
    Differentiable,
    /// Fused kernels with gradients of their own, on the CPU. Attention patterns are hooked in compositions, as above.
    FusedDifferentiable,
}
