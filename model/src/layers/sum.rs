//! x + y of two packed activations, and a · x.

use candle_core::{CpuStorage, CustomOp2, Layout, Shape, Tensor};
use rayon::prelude::*;
use redline_kernels::gradients::{TASK_ELEMENTS, contiguous};
use redline_kernels::is_plain;

use super::Kernels;
use crate::Result;

/// The sum of two tensors of one shape.
pub(crate) fn sum(x: &Tensor, y: &Tensor, kernels: Kernels) -> Result<Tensor> {
    let is_kernel = kernels == Kernels::Fused && is_plain(x) && x.is_contiguous() && y.is_contiguous();
    Ok(if is_kernel { x.apply_op2_no_bwd(y, &Sum)? } else { (x + y)? })
}

/// x times a factor of the model.
pub(crate) fn scaled(x: Tensor, factor: f32) -> Result<Tensor> {
    match factor {
        1.0 => Ok(x),
        factor => Ok((x * f64::from(factor))?),
    }
}

struct Sum;

impl CustomOp2 for Sum {
    fn name(&self) -> &'static str {
        "sum"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        xl: &Layout,
        y: &CpuStorage,
        yl: &Layout,
    ) -> candle_core::Result<(CpuStorage, Shape)> {
        let (x, y) = (contiguous(x, xl)?, contiguous(y, yl)?);
        let mut sum = vec![0f32; x.len()];
        let parts = x.par_chunks(TASK_ELEMENTS).zip(y.par_chunks(TASK_ELEMENTS));
        sum.par_chunks_mut(TASK_ELEMENTS).zip(parts).for_each(|(sum, (x, y))| {
            sum.iter_mut().zip(x.iter().zip(y)).for_each(|(sum, (x, y))| *sum = x + y);
        });
        Ok((CpuStorage::F32(sum), xl.shape().clone()))
    }
}
