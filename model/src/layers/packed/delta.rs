//! A low-rank delta beside a packed matrix: y += scale · B (A x), without forming B A.

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::{Kernel, PackedMatrix};
use crate::Result;

/// Outputs whose sums are kept in registers.
const WIDTH: usize = 64;
/// Multiplications below which threads cost more than they bring.
const SERIAL_WORK: usize = 1 << 18;

/// Both factors.
#[derive(Debug)]
pub(super) struct Delta {
    a: PackedMatrix, // (rank, in)
    /// (rank, out), scaled: outputs lie side by side, since sums along the rank are short.
    b_rows: Vec<f32>,
    out: usize,
}

impl Delta {
    /// From a (rank, in) and b (out, rank); `None` when they cannot be packed.
    pub(super) fn new(a: &Tensor, b: &Tensor, scale: f64) -> Result<Option<Self>> {
        let Some(a) = PackedMatrix::from_tensor(&a.contiguous()?) else { return Ok(None) };
        let b_rows = (b.t()? * scale)?.contiguous()?.flatten_all()?.to_vec1()?;
        Ok(Some(Self { a, b_rows, out: b.dim(0)? }))
    }

    /// A, to multiply with first.
    pub(super) fn inner(&self) -> &PackedMatrix {
        &self.a
    }

    /// scale · B A, (out, in)
    pub(super) fn widened(&self) -> Result<Tensor> {
        let b_rows = Tensor::from_slice(&self.b_rows, (self.a.rows, self.out), &Device::Cpu)?;
        Ok(b_rows.t()?.matmul(&self.a.widened()?)?)
    }

    /// y (n, out) += t (n, rank) · scale · Bᵀ
    pub(super) fn add(&self, t: &[f32], y: &mut [f32]) {
        let kernel = Kernel::of_this_machine();
        let rank = self.a.rows;
        let lines = t.par_chunks_exact(rank).zip(y.par_chunks_exact_mut(self.out));
        match t.len() * self.out < SERIAL_WORK {
            true => {
                t.chunks_exact(rank).zip(y.chunks_exact_mut(self.out)).for_each(|(t, y)| self.add_line(kernel, t, y))
            }
            false => lines.for_each(|(t, y)| self.add_line(kernel, t, y)),
        }
    }

    fn add_line(&self, kernel: Kernel, t: &[f32], y: &mut [f32]) {
        match kernel {
            Kernel::Portable => add(t, &self.b_rows, y),
            // SAFETY: the values exist only where the processor was asked.
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2 | Kernel::Avx512 => unsafe { add_avx2(t, &self.b_rows, y) },
        }
    }
}

/// The same loop with wider vectors.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn add_avx2(t: &[f32], b_rows: &[f32], y: &mut [f32]) {
    add(t, b_rows, y);
}

/// y (out) += t (rank) · B rows (rank, out)
#[inline(always)]
fn add(t: &[f32], b_rows: &[f32], y: &mut [f32]) {
    let out = y.len();
    let mut first = 0;
    while first < out {
        let width = WIDTH.min(out - first);
        let mut sums = [0f32; WIDTH];
        for (i, t) in t.iter().enumerate() {
            let b = &b_rows[i * out + first..][..width];
            if width == WIDTH {
                for lane in 0..WIDTH {
                    sums[lane] += t * b[lane];
                }
            } else {
                for lane in 0..width {
                    sums[lane] += t * b[lane];
                }
            }
        }
        for lane in 0..width {
            y[first + lane] += sums[lane];
        }
        first += width;
    }
}
