//! Tensors as little-endian bytes and back.

use candle_core::{Device, Tensor};
use rayon::prelude::*;
use redline_kernels::gradients::View;

use crate::Result;

/// Elements that one task converts.
const TASK_ELEMENTS: usize = 1 << 16;

/// Each value as `N` bytes.
pub(crate) fn encode<const N: usize>(values: &[f32], one: impl Fn(f32) -> [u8; N] + Sync) -> Vec<u8> {
    let mut bytes = vec![0u8; values.len() * N];
    let tasks = bytes.par_chunks_mut(TASK_ELEMENTS * N).zip(values.par_chunks(TASK_ELEMENTS));
    tasks.for_each(|(bytes, values)| {
        bytes.chunks_exact_mut(N).zip(values).for_each(|(bytes, value)| bytes.copy_from_slice(&one(*value)));
    });
    bytes
}

/// f32 values of little-endian bytes.
pub(crate) fn decode(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

/// The tensor's values as little-endian f32.
pub(super) fn tensor_bytes(tensor: &Tensor) -> Result<Vec<u8>> {
    Ok(encode(&tensor_values(tensor)?, f32::to_le_bytes))
}

/// A copy of the tensor's values.
pub(super) fn tensor_values(tensor: &Tensor) -> Result<Vec<f32>> {
    let tensor = tensor.to_device(&Device::Cpu)?.contiguous()?;
    Ok(View::new(&tensor).values()?.to_vec())
}
