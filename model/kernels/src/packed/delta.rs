//! A low-rank delta beside a packed matrix: y += scale · B (A x), without forming B A.

use candle_core::{Device, Result, Tensor};
use rayon::prelude::*;

use super::PackedMatrix;
use super::rows::WeightedRows;

/// Lines of a task at most, and what their number is a multiple of: the height of a tile.
const TASK_LINES: usize = 8;
const TILE_LINES: usize = 4;
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
        b_rows.t()?.matmul(&self.a.widened()?)
    }

    /// y (n, out) += t (n, rank) · scale · Bᵀ
    pub(super) fn add(&self, t: &[f32], y: &mut [f32]) {
        let (rank, out) = (self.a.rows, self.out);
        let add = |(weights, y): (&[f32], &mut [f32])| {
            WeightedRows { weights, stride: rank, rows: &self.b_rows, width: out }.add_to(y);
        };
        match t.len() * out < SERIAL_WORK {
            true => add((t, y)),
            false => {
                let share = (y.len() / out).div_ceil(rayon::current_num_threads());
                let n = share.next_multiple_of(TILE_LINES).min(TASK_LINES);
                t.par_chunks(n * rank).zip(y.par_chunks_mut(n * out)).for_each(add);
            }
        }
    }
}
