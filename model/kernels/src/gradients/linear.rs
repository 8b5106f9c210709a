//! y = x Wᵀ: the gradient of W comes out in W's own order, and frozen weights get none.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor};

/// (n, in), (out, in) → (n, out)
fn product(x: &CpuStorage, x_layout: &Layout, w: &CpuStorage, w_layout: &Layout) -> Result<(CpuStorage, Shape)> {
    let (n, inner) = x_layout.shape().dims2()?;
    let out = w_layout.shape().dims2()?.0;
    let y = x.matmul(w, (1, n, out, inner), x_layout, &w_layout.transpose(0, 1)?)?;
    Ok((y, (n, out).into()))
}

/// A weight that is trained.
pub struct TrainedLinear;

impl CustomOp2 for TrainedLinear {
    fn name(&self) -> &'static str {
        "trained-linear"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout, w: &CpuStorage, wl: &Layout) -> Result<(CpuStorage, Shape)> {
        product(x, xl, w, wl)
    }

    fn bwd(&self, x: &Tensor, w: &Tensor, _y: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let grad = grad.contiguous()?;
        let dx = match x.track_op() {
            true => Some(grad.matmul(&w.detach())?),
            false => None,
        };
        Ok((dx, Some(grad.t()?.matmul(&x.detach())?)))
    }
}

/// A weight that stays as it is.
pub struct FrozenLinear {
    /// (out, in)
    pub weight: Tensor,
}

impl CustomOp1 for FrozenLinear {
    fn name(&self) -> &'static str {
        "frozen-linear"
    }

    fn cpu_fwd(&self, x: &CpuStorage, xl: &Layout) -> Result<(CpuStorage, Shape)> {
        let (storage, layout) = self.weight.storage_and_layout();
        match &*storage {
            candle_core::Storage::Cpu(weight) => product(x, xl, weight, layout),
            _ => candle_core::bail!("a training kernel for the CPU met a weight of another device"),
        }
    }

    fn bwd(&self, _x: &Tensor, _y: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        Ok(Some(grad.contiguous()?.matmul(&self.weight)?))
    }
}
