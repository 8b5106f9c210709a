//! A low-rank delta beside a packed matrix: y += scale · B (A x), without forming B A.

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::PackedMatrix;
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
        let (rank, out) = (self.a.rows, self.out);
        let add = |(t, y): (&[f32], &mut [f32])| add_line(t, &self.b_rows, y);
        match t.len() * out < SERIAL_WORK {
            true => t.chunks_exact(rank).zip(y.chunks_exact_mut(out)).for_each(add),
            false => t.par_chunks_exact(rank).zip(y.par_chunks_exact_mut(out)).for_each(add),
        }
    }
}

vectorised! {
/// y (out) += t (rank) · B rows (rank, out)
fn add_line(t: &[f32], b_rows: &[f32], y: &mut [f32]) {
    let out = y.len();
    for (chunk, y) in y.chunks_mut(WIDTH).enumerate() {
        let mut sums = [0f32; WIDTH];
        for (i, t) in t.iter().enumerate() {
            let b = &b_rows[i * out + chunk * WIDTH..][..y.len()];
            // a loop of fixed length stays in registers
            if let Some(b) = b.first_chunk::<WIDTH>() {
                for lane in 0..WIDTH {
                    sums[lane] += t * b[lane];
                }
            } else {
                sums.iter_mut().zip(b).for_each(|(sum, b)| *sum += t * b);
            }
        }
        y.iter_mut().zip(sums).for_each(|(y, sum)| *y += sum);
    }
}
}
