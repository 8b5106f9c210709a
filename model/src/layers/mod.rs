//! The parts of a block: one definition of each for every family.

mod attention;
mod cached_attention;
mod linear;
mod lora;
mod mlp;
mod norm;
mod rope;
mod sum;

pub(crate) use attention::Attention;
pub(crate) use linear::Linear;
pub(crate) use lora::{Dropout, LoraDelta};
pub(crate) use mlp::Mlp;
pub(crate) use norm::RmsNorm;
pub(crate) use rope::{PassRotary, Rope, Ropes, RotaryTables, Rotation};
pub(crate) use sum::{scaled, sum};

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
