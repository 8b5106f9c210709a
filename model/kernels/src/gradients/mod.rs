//! Fused CPU kernels for training: each carries its own gradient.
//!
//! The tensor library's fused kernels cut gradients, and compositions of its elementary operations run on one thread and keep
//! every intermediate. These run on all threads and recompute what is cheap. Tests hold them against the compositions, which stay
//! the reference and run on other devices.

mod attention;
mod gated_product;
mod linear;
mod lora;
mod norm;
mod strided;
#[cfg(test)]
mod tests;

use candle_core::{CpuStorage, Layout, Result, Storage, StorageRef, Tensor};

pub use attention::{RopeAttention, Span};
pub use gated_product::GatedProduct;
pub use linear::{FrozenLinear, TrainedLinear};
pub use lora::LoraLinear;
pub use norm::RmsNormKernel;

/// Elements or lines that one task works on: fixed, so that sums do not depend on the number of threads.
pub const TASK_ELEMENTS: usize = 1 << 15;

/// The values of a contiguous f32 tensor on the CPU, without a copy.
pub struct View<'a> {
    storage: StorageRef<'a>,
    layout: &'a Layout,
}

impl<'a> View<'a> {
    /// Borrows a tensor.
    pub fn new(tensor: &'a Tensor) -> Self {
        let (storage, layout) = tensor.storage_and_layout();
        Self { storage, layout }
    }

    /// All values.
    ///
    /// # Errors
    /// The tensor lies on another device, or has gaps.
    pub fn values(&self) -> Result<&[f32]> {
        match &*self.storage {
            Storage::Cpu(storage) => contiguous(storage, self.layout),
            _ => candle_core::bail!("a kernel for the CPU met a tensor of another device"),
        }
    }
}

impl View<'_> {
    /// Part `i` of the first dimension, whose own parts lie without gaps.
    pub fn first(&self, i: usize) -> Result<&[f32]> {
        let Storage::Cpu(storage) = &*self.storage else {
            candle_core::bail!("a kernel for the CPU met a tensor of another device")
        };
        let part = self.layout.narrow(0, i, 1)?;
        contiguous(storage, &part)
    }

    /// A dimension.
    pub fn length(&self, dimension: usize) -> usize {
        self.layout.dims()[dimension]
    }
}

/// The values of a kernel's argument.
pub fn contiguous<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => candle_core::bail!("a kernel met a tensor that is not contiguous"),
    }
}

/// A kernel's result as a tensor of the shape of `like`.
fn tensor_like(values: Vec<f32>, like: &Tensor) -> Result<Tensor> {
    Tensor::from_vec(values, like.shape(), like.device())
}
