//! Products with weights as they lie in a GGUF file, for passes over few lines.
//!
//! Decoding reads every weight once a token, so its speed is that of memory, and a quantised file is five times smaller than its
//! f32 values. Weights are widened to f32 in registers and multiplied with f32 inputs: the numbers are those of the dequantised
//! matrix, up to the order of sums, which does not depend on the number of lines or threads.
//!
//! # Shapes
//! A matrix is (outputs, inputs), its rows in blocks of 32 as in the file.

mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use rayon::prelude::*;

use super::gradients::View;
use crate::Result;

/// Weights a block.
const BLOCK: usize = 32;
/// Most lines for which reading packed weights is faster than the product with f32 ones.
const MOST_LINES: usize = 12;
/// Weights that one task multiplies with, at least.
const TASK_WEIGHTS: usize = 1 << 16;

/// How the weights of a block are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// 32 numbers.
    F32,
    /// 16-bit scale d, 32 half-bytes q: d (q − 8).
    Q4_0,
    /// 16-bit scale d and minimum m, 32 half-bytes q: d q + m.
    Q4_1,
    /// 16-bit scale d, 32 signed bytes q: d q.
    Q8_0,
}

impl Format {
    /// The format of this number in GGUF files, where there is a kernel for it.
    pub(crate) fn from_gguf(number: u32) -> Option<Self> {
        Some(match number {
            2 => Self::Q4_0,
            3 => Self::Q4_1,
            8 => Self::Q8_0,
            _ => return None,
        })
    }

    const fn block_bytes(self) -> usize {
        match self {
            Self::F32 => 4 * BLOCK,
            Self::Q4_0 => 2 + BLOCK / 2,
            Self::Q4_1 => 4 + BLOCK / 2,
            Self::Q8_0 => 2 + BLOCK,
        }
    }
}

/// A matrix of packed weights.
#[derive(Debug)]
pub(crate) struct PackedMatrix {
    format: Format,
    bytes: Vec<u8>,
    rows: usize,
    columns: usize,
}

impl PackedMatrix {
    /// Takes the bytes of (rows, columns) weights; `None` when rows are no whole blocks or the bytes are not theirs.
    pub(crate) fn new(format: Format, bytes: Vec<u8>, rows: usize, columns: usize) -> Option<Self> {
        let fits = columns > 0 && columns.is_multiple_of(BLOCK) && rows > 0;
        let expected = (columns / BLOCK * format.block_bytes()).checked_mul(rows)?;
        (fits && bytes.len() == expected).then_some(Self { format, bytes, rows, columns })
    }

    /// The numbers of an f32 matrix.
    fn from_tensor(matrix: &Tensor) -> Result<Option<Self>> {
        let (rows, columns) = matrix.dims2()?;
        let values: Vec<f32> = matrix.flatten_all()?.to_vec1()?;
        Ok(Self::new(Format::F32, values.iter().flat_map(|value| value.to_ne_bytes()).collect(), rows, columns))
    }

    fn row_bytes(&self) -> usize {
        self.columns / BLOCK * self.format.block_bytes()
    }
}

/// A packed matrix, and perhaps a low-rank delta beside it.
#[derive(Debug, Clone)]
pub(crate) struct Packed {
    matrix: Arc<PackedMatrix>,
    delta: Option<Arc<PackedDelta>>,
}

#[derive(Debug)]
struct PackedDelta {
    a: PackedMatrix,    // (rank, in)
    b_rows: Vec<f32>,   // (rank, out), scaled
}

impl Packed {
    pub(crate) fn new(matrix: PackedMatrix) -> Self {
        Self { matrix: Arc::new(matrix), delta: None }
    }

    /// The same with scale · B A added: a (rank, in), b (out, rank). `None` when the delta cannot be packed.
    pub(crate) fn with_delta(mut self, a: &Tensor, b: &Tensor, scale: f64) -> Result<Option<Self>> {
        let b_rows = (b.t()? * scale)?.contiguous()?.flatten_all()?.to_vec1()?;
        self.delta = match PackedMatrix::from_tensor(a)? {
            Some(a) => Some(Arc::new(PackedDelta { a, b_rows })),
            None => return Ok(None),
        };
        Ok(Some(self))
    }

    /// Whether this is the way for these lines.
    pub(crate) fn takes(x: &Tensor) -> bool {
        let few = x.dims().first().is_some_and(|&lines| lines <= MOST_LINES);
        few && x.rank() == 2 && x.dtype() == DType::F32 && x.device().is_cpu() && !x.track_op()
    }
}

/// The products of the same lines with several matrices: x (n, in) → (n, out) each.
pub(crate) fn products<const M: usize>(x: &Tensor, matrices: [&Packed; M]) -> Result<[Tensor; M]> {
    let n = x.dim(0)?;
    let x = x.contiguous()?;
    let view = View::new(&x);
    let lines = view.values()?;
    let inner: Vec<&PackedMatrix> = matrices.iter().filter_map(|m| m.delta.as_ref().map(|delta| &delta.a)).collect();
    let inner = multiply(&inner, lines, n);
    let outer = multiply(&matrices.map(|m| &*m.matrix), lines, n);
    let mut inner = inner.into_iter();
    let mut results = outer.into_iter().zip(matrices).map(|(mut y, matrix)| {
        if let (Some(delta), Some(t)) = (&matrix.delta, matrix.delta.as_ref().and_then(|_| inner.next())) {
            delta.add(&t, &mut y, n);
        }
        (y, matrix.matrix.rows)
    });
    let mut tensors = Vec::with_capacity(M);
    for (y, rows) in results.by_ref() {
        tensors.push(Tensor::from_vec(y, (n, rows), &Device::Cpu)?);
    }
    Ok(tensors.try_into().unwrap_or_else(|_| unreachable!("one result a matrix")))
}

impl PackedDelta {
    /// y (n, out) += t (n, rank) · Bᵀ
    fn add(&self, t: &[f32], y: &mut [f32], n: usize) {
        let (rank, out) = (self.a.rows, y.len() / n);
        for (t, y) in t.chunks_exact(rank).zip(y.chunks_exact_mut(out)) {
            for (t, b) in t.iter().zip(self.b_rows.chunks_exact(out)) {
                y.iter_mut().zip(b).for_each(|(y, b)| *y += t * b);
            }
        }
    }
}

/// x (n, in) times every matrix, each (n, out), on all threads.
fn multiply(matrices: &[&PackedMatrix], x: &[f32], n: usize) -> Vec<Vec<f32>> {
    let kernel = Kernel::of_this_machine();
    let mut by_row: Vec<Vec<f32>> = matrices.iter().map(|matrix| vec![0f32; matrix.rows * n]).collect(); // (out, n)
    let mut tasks: Vec<(&PackedMatrix, usize, &mut [f32])> = Vec::new();
    for (matrix, y) in matrices.iter().zip(&mut by_row) {
        let rows = (TASK_WEIGHTS / matrix.columns / n).max(1);
        tasks.extend(y.chunks_mut(rows * n).enumerate().map(|(i, y)| (*matrix, i * rows, y)));
    }
    let run = |(matrix, first, y): (&PackedMatrix, usize, &mut [f32])| {
        let rows = y.len() / n;
        let bytes = &matrix.bytes[first * matrix.row_bytes()..(first + rows) * matrix.row_bytes()];
        kernel.rows(matrix.format, &Lines { x, n, columns: matrix.columns }, bytes, y);
    };
    match tasks.len() {
        1 => tasks.into_iter().for_each(run),
        _ => tasks.into_par_iter().for_each(run),
    }
    if n == 1 {
        return by_row;
    }
    let transposed = |y: Vec<f32>| (0..n).flat_map(|line| y[line..].iter().step_by(n).copied().collect::<Vec<_>>()).collect();
    by_row.into_iter().map(transposed).collect()
}

/// Inputs of a product.
struct Lines<'a> {
    /// (n, columns)
    x: &'a [f32],
    n: usize,
    columns: usize,
}

/// Which instructions do the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kernel {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Kernel {
    fn all_of_this_machine() -> Vec<Self> {
        #[cfg_attr(not(target_arch = "x86_64"), allow(unused_mut))]
        let mut kernels = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            let has_f16c = is_x86_feature_detected!("f16c");
            if has_f16c && is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                kernels.push(Self::Avx2);
            }
            if has_f16c && is_x86_feature_detected!("avx512f") {
                kernels.push(Self::Avx512);
            }
        }
        kernels
    }

    fn of_this_machine() -> Self {
        static BEST: std::sync::OnceLock<Kernel> = std::sync::OnceLock::new();
        *BEST.get_or_init(|| Self::all_of_this_machine().pop().unwrap_or(Self::Portable))
    }

    /// y (rows, n) = the packed rows times the lines.
    fn rows(self, format: Format, lines: &Lines<'_>, rows: &[u8], y: &mut [f32]) {
        assert!(lines.x.len() == lines.n * lines.columns && lines.columns.is_multiple_of(BLOCK), "lines of whole blocks");
        let row_bytes = lines.columns / BLOCK * format.block_bytes();
        assert!(rows.len() * lines.n == y.len() * row_bytes, "one result for each row and line");
        match self {
            Self::Portable => portable::rows(format, lines, rows, y),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the value exists only where the processor was asked, see `all_of_this_machine`.
            Self::Avx2 => unsafe { x86::avx2::rows(format, lines, rows, y) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Self::Avx512 => unsafe { x86::avx512::rows(format, lines, rows, y) },
        }
    }
}

#[cfg(test)]
mod tests;
