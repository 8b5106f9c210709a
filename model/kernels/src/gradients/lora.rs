//! y = x Wᵀ + s (x Aᵀ) Bᵀ with W frozen: a linear layer with its low-rank delta in one kernel.
//!
//! With g = ∂/∂y, u = x Aᵀ and t = s g B: ∂/∂x = g W + t A, ∂/∂A = tᵀ x, ∂/∂B = s gᵀ u. Composed of elementary operations the
//! same takes five passes over y-sized matrices forwards and more backwards, which cost as much time as the products.

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};

use super::strided::{Matrix, Scaled, Target, multiply_in_parallel};
use super::{View, contiguous, tensor_like};

/// x (n, in), A (rank, in), B (out, rank) → (n, out)
pub struct LoraLinear {
    /// (out, in), contiguous
    pub weight: Tensor,
    /// s = alpha / rank
    pub scale: f32,
}

/// Sizes of one application.
#[derive(Clone, Copy)]
struct Sizes {
    n: usize,
    input: usize,
    out: usize,
    rank: usize,
}

const REPLACE: Scaled = Scaled { scale: 1.0, add: false };

impl LoraLinear {
    fn sizes(&self, x: &Shape, a: &Shape) -> Result<Sizes> {
        let ((n, input), (rank, _), (out, _)) = (x.dims2()?, a.dims2()?, self.weight.dims2()?);
        Ok(Sizes { n, input, out, rank })
    }
}

/// u = x Aᵀ: (n, rank)
fn inner(x: &[f32], a: &[f32], Sizes { n, input, rank, .. }: Sizes) -> Vec<f32> {
    let mut u = vec![0f32; n * rank];
    let a = Matrix::packed(a, input).transposed();
    multiply_in_parallel(&mut Target::packed(&mut u, rank), Matrix::packed(x, input), a, [n, rank, input], REPLACE);
    u
}

impl CustomOp3 for LoraLinear {
    fn name(&self) -> &'static str {
        "lora-linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        xl: &Layout,
        a: &CpuStorage,
        al: &Layout,
        b: &CpuStorage,
        bl: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let sizes @ Sizes { n, input, out, rank } = self.sizes(xl.shape(), al.shape())?;
        let (x, a, b, w) = (contiguous(x, xl)?, contiguous(a, al)?, contiguous(b, bl)?, View::new(&self.weight));
        let (x_rows, w) = (Matrix::packed(x, input), Matrix::packed(w.values()?, input));
        let mut values = vec![0f32; n * out];
        let mut y = Target::packed(&mut values, out);
        multiply_in_parallel(&mut y, x_rows, w.transposed(), [n, out, input], REPLACE);
        let u = inner(x, a, sizes);
        let scaled = Scaled { scale: self.scale, add: true };
        let (u, b) = (Matrix::packed(&u, rank), Matrix::packed(b, rank).transposed());
        multiply_in_parallel(&mut y, u, b, [n, out, rank], scaled);
        Ok((CpuStorage::F32(values), (n, out).into()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        a: &Tensor,
        b: &Tensor,
        _y: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let sizes @ Sizes { n, input, out, rank } = self.sizes(x.shape(), a.shape())?;
        let grad = grad.contiguous()?;
        let views = [x, a, b, &grad, &self.weight].map(View::new);
        let [xs, factor_a, factor_b, gs, w] = views.each_ref().map(View::values);
        let (xs, factor_a, factor_b, gs, w) = (xs?, factor_a?, factor_b?, gs?, w?);
        let g = Matrix::packed(gs, out);
        let scaled = Scaled { scale: self.scale, add: false };

        let mut t = vec![0f32; n * rank];
        let b_rows = Matrix::packed(factor_b, rank);
        multiply_in_parallel(&mut Target::packed(&mut t, rank), g, b_rows, [n, rank, out], scaled);
        let t = Matrix::packed(&t, rank);

        let mut da = vec![0f32; rank * input];
        let x_rows = Matrix::packed(xs, input);
        let mut target = Target::packed(&mut da, input);
        multiply_in_parallel(&mut target, t.transposed(), x_rows, [rank, input, n], REPLACE);

        let u = inner(xs, factor_a, sizes);
        let mut db = vec![0f32; out * rank];
        let u = Matrix::packed(&u, rank);
        multiply_in_parallel(&mut Target::packed(&mut db, rank), g.transposed(), u, [out, rank, n], scaled);

        let mut dx = None;
        if x.track_op() {
            let mut values = vec![0f32; n * input];
            let mut target = Target::packed(&mut values, input);
            multiply_in_parallel(&mut target, g, Matrix::packed(w, input), [n, input, out], REPLACE);
            let add = Scaled { scale: 1.0, add: true };
            multiply_in_parallel(&mut target, t, Matrix::packed(factor_a, input), [n, input, rank], add);
            dx = Some(tensor_like(values, x)?);
        }
        Ok((dx, Some(tensor_like(da, a)?), Some(tensor_like(db, b)?)))
    }
}
