//! Products with weights as they lie in a file: f32 or quantised, in blocks of 32 along the inputs.
//!
//! Decoding reads every weight once a token, so its speed is that of memory, and a quantised file is up to seven times smaller than
//! its f32 values. Weights are widened to f32 and multiplied with f32 inputs: the numbers are those of the dequantised matrix. Every
//! sum runs along the inputs in one fixed order, so a line has the same bits alone and among others, with any number of threads.
//!
//! # Shapes
//! A matrix is (outputs, inputs), its rows in blocks of 32 as in the file.

mod format;
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::sync::Arc;

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::gradients::View;
use super::is_plain;
use crate::Result;
pub(crate) use format::{BLOCK, Format};

/// Rows that a kernel works on at a time.
const GROUP: usize = 4;
/// Lines whose products with a group of rows are computed together, so that they stay in the processor's cache.
const BLOCK_LINES: usize = 96;
/// Multiplications of one task, about.
const TASK_WORK: usize = 1 << 17;

/// A matrix of packed weights.
#[derive(Debug)]
pub(crate) struct PackedMatrix {
    format: Format,
    bytes: Bytes,
    rows: usize,
    columns: usize,
}

#[derive(Debug)]
enum Bytes {
    Own(Vec<u8>),
    /// An f32 tensor without gaps.
    Tensor(Tensor),
}

impl PackedMatrix {
    /// Takes the bytes of (rows, columns) weights; `None` when rows are no whole blocks or the bytes are not theirs.
    pub(crate) fn new(format: Format, bytes: Vec<u8>, rows: usize, columns: usize) -> Option<Self> {
        let fits = columns > 0 && columns.is_multiple_of(BLOCK) && rows > 0;
        let expected = (columns / BLOCK * format.block_bytes()).checked_mul(rows)?;
        (fits && bytes.len() == expected).then_some(Self { format, bytes: Bytes::Own(bytes), rows, columns })
    }

    /// An f32 matrix on the CPU, without copying it; `None` when its rows are no whole blocks.
    pub(crate) fn from_tensor(matrix: &Tensor) -> Option<Self> {
        let (rows, columns) = matrix.dims2().ok()?;
        let fits = columns > 0 && columns.is_multiple_of(BLOCK) && rows > 0;
        let is_fit = fits && is_plain(matrix) && matrix.is_contiguous() && !matrix.track_op();
        is_fit.then(|| Self { format: Format::F32, bytes: Bytes::Tensor(matrix.clone()), rows, columns })
    }

    /// (rows, columns) in f32.
    pub(crate) fn widened(&self) -> Result<Tensor> {
        match &self.bytes {
            Bytes::Tensor(tensor) => Ok(tensor.clone()),
            Bytes::Own(bytes) => {
                let mut values = vec![0f32; self.rows * self.columns];
                let blocks = bytes.par_chunks_exact(self.format.block_bytes());
                values.par_chunks_exact_mut(BLOCK).zip(blocks).for_each(|(values, block)| {
                    values.copy_from_slice(&portable::widen(self.format, block));
                });
                Ok(Tensor::from_vec(values, (self.rows, self.columns), &Device::Cpu)?)
            }
        }
    }

    /// The rows with these indices, (n, columns); every index is below the number of rows.
    pub(crate) fn select(&self, rows: &[u32]) -> Result<Tensor> {
        match &self.bytes {
            Bytes::Tensor(tensor) => Ok(tensor.index_select(&Tensor::new(rows, &Device::Cpu)?, 0)?),
            Bytes::Own(bytes) => {
                let mut values = Vec::with_capacity(rows.len() * self.columns);
                for &row in rows {
                    let row = &bytes[row as usize * self.row_bytes()..][..self.row_bytes()];
                    let blocks = row.chunks_exact(self.format.block_bytes());
                    values.extend(blocks.flat_map(|block| portable::widen(self.format, block)));
                }
                Ok(Tensor::from_vec(values, (rows.len(), self.columns), &Device::Cpu)?)
            }
        }
    }

    /// Index and value of the first number that is NaN or infinite, in a matrix of bytes.
    pub(crate) fn first_not_finite(&self) -> Option<(usize, f32)> {
        let Bytes::Own(bytes) = &self.bytes else { return None };
        let blocks = bytes.par_chunks_exact(self.format.block_bytes());
        let block = blocks.position_first(|block| !self.format.is_finite(block))?;
        let values = portable::widen(self.format, &bytes[block * self.format.block_bytes()..][..self.format.block_bytes()]);
        let index = values.iter().position(|value| !value.is_finite())?;
        Some((block * BLOCK + index, values[index]))
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
    a: PackedMatrix,  // (rank, in)
    b_rows: Vec<f32>, // (rank, out), scaled
}

impl Packed {
    pub(crate) fn new(matrix: PackedMatrix) -> Self {
        Self { matrix: Arc::new(matrix), delta: None }
    }

    /// The same with scale · B A added: a (rank, in), b (out, rank). `None` when the delta cannot be packed.
    pub(crate) fn with_delta(mut self, a: &Tensor, b: &Tensor, scale: f64) -> Result<Option<Self>> {
        let Some(a) = PackedMatrix::from_tensor(&a.contiguous()?) else { return Ok(None) };
        let b_rows = (b.t()? * scale)?.contiguous()?.flatten_all()?.to_vec1()?;
        self.delta = Some(Arc::new(PackedDelta { a, b_rows }));
        Ok(Some(self))
    }

    /// (out, in) in f32, the delta merged.
    pub(crate) fn widened(&self) -> Result<Tensor> {
        let weight = self.matrix.widened()?;
        let Some(delta) = &self.delta else { return Ok(weight) };
        let b_rows = Tensor::from_slice(&delta.b_rows, (delta.a.rows, self.matrix.rows), &Device::Cpu)?;
        Ok((weight + b_rows.t()?.matmul(&delta.a.widened()?)?)?)
    }

    /// Rows of the matrix, as of an embedding table.
    pub(crate) fn select(&self, rows: &[u32]) -> Result<Tensor> {
        self.matrix.select(rows)
    }
}

/// The products of the same lines with several matrices: x (n, in) → (n, out) each.
pub(crate) fn products<const M: usize>(x: &Tensor, matrices: [&Packed; M]) -> Result<[Tensor; M]> {
    let n = x.dim(0)?;
    let x = x.contiguous()?;
    let view = View::new(&x);
    let lines = Lines { x: view.values()?, n, columns: matrices[0].matrix.columns };
    let inner: Vec<&PackedMatrix> = matrices.iter().filter_map(|m| m.delta.as_ref().map(|delta| &delta.a)).collect();
    let mut inner = multiply(&inner, &lines)?.into_iter();
    let outer = multiply(&matrices.map(|m| &*m.matrix), &lines)?;
    let mut results = Vec::with_capacity(M);
    for (mut y, matrix) in outer.into_iter().zip(matrices) {
        if let Some(delta) = &matrix.delta {
            delta.add(&inner.next().unwrap_or_default(), &mut y, matrix.matrix.rows);
        }
        results.push(Tensor::from_vec(y, (n, matrix.matrix.rows), &Device::Cpu)?);
    }
    Ok(results.try_into().unwrap_or_else(|_| unreachable!("one result a matrix")))
}

impl PackedDelta {
    /// y (n, out) += t (n, rank) · Bᵀ
    fn add(&self, t: &[f32], y: &mut [f32], out: usize) {
        let rank = self.a.rows;
        let add_line = |(t, y): (&[f32], &mut [f32])| {
            for (t, b) in t.iter().zip(self.b_rows.chunks_exact(out)) {
                y.iter_mut().zip(b).for_each(|(y, b)| *y += t * b);
            }
        };
        match t.len() / rank {
            1 => add_line((t, y)),
            _ => t.par_chunks_exact(rank).zip(y.par_chunks_exact_mut(out)).for_each(add_line),
        }
    }
}

/// Inputs of a product.
#[derive(Clone, Copy)]
struct Lines<'a> {
    /// (n, columns)
    x: &'a [f32],
    n: usize,
    columns: usize,
}

/// Results of a product, (n, out), of which a task writes a rectangle.
#[derive(Clone, Copy)]
struct Target {
    values: *mut f32,
    width: usize,
}

// SAFETY: tasks write rectangles that do not overlap.
unsafe impl Send for Target {}
// SAFETY: as above.
unsafe impl Sync for Target {}

/// Some rows of a matrix times some lines.
struct Task<'a> {
    format: Format,
    /// The bytes of `n_rows` rows.
    weights: &'a [u8],
    n_rows: usize,
    lines: Lines<'a>,
    /// From the result of the first line and the first row on.
    target: Target,
}

/// x (n, in) times every matrix, each (n, out), on all threads.
fn multiply(matrices: &[&PackedMatrix], lines: &Lines<'_>) -> Result<Vec<Vec<f32>>> {
    let kernel = Kernel::of_this_machine();
    let views: Vec<Option<View<'_>>> = matrices
        .iter()
        .map(|matrix| match &matrix.bytes {
            Bytes::Tensor(tensor) => Some(View::new(tensor)),
            Bytes::Own(_) => None,
        })
        .collect();
    let mut results: Vec<Vec<f32>> = matrices.iter().map(|matrix| vec![0f32; matrix.rows * lines.n]).collect();
    let mut tasks: Vec<Task<'_>> = Vec::new();
    for ((matrix, view), y) in matrices.iter().zip(&views).zip(&mut results) {
        assert!(matrix.columns == lines.columns && lines.x.len() == lines.n * lines.columns, "lines of the matrix's width");
        let bytes = match (&matrix.bytes, view) {
            (Bytes::Own(bytes), _) => bytes.as_slice(),
            (_, Some(view)) => as_bytes(view.values()?),
            (_, None) => unreachable!("every tensor has a view"),
        };
        for (block, x) in lines.x.chunks(BLOCK_LINES * lines.columns).enumerate() {
            let lines = Lines { x, n: x.len() / lines.columns, columns: lines.columns };
            let n_rows = (TASK_WORK / lines.columns / lines.n).next_multiple_of(GROUP).max(GROUP);
            for (i, weights) in bytes.chunks(n_rows * matrix.row_bytes()).enumerate() {
                // SAFETY: the offset lies within the results.
                let values = unsafe { y.as_mut_ptr().add(block * BLOCK_LINES * matrix.rows + i * n_rows) };
                let target = Target { values, width: matrix.rows };
                let n_rows = weights.len() / matrix.row_bytes();
                tasks.push(Task { format: matrix.format, weights, n_rows, lines, target });
            }
        }
    }
    match tasks.len() {
        0 | 1 => tasks.iter().for_each(|task| kernel.run(task)),
        _ => tasks.par_iter().for_each(|task| kernel.run(task)),
    }
    Ok(results)
}

fn as_bytes(values: &[f32]) -> &[u8] {
    // SAFETY: any bytes of an f32 are bytes, and their alignment is lower.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), std::mem::size_of_val(values)) }
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
            let has_avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            let has_f16c = is_x86_feature_detected!("f16c");
            if has_avx2 && has_f16c {
                kernels.push(Self::Avx2);
            }
            if has_avx2 && has_f16c && is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") {
                kernels.push(Self::Avx512);
            }
        }
        kernels
    }

    fn of_this_machine() -> Self {
        static BEST: std::sync::OnceLock<Kernel> = std::sync::OnceLock::new();
        *BEST.get_or_init(|| Self::all_of_this_machine().pop().unwrap_or(Self::Portable))
    }

    fn run(self, task: &Task<'_>) {
        let row_bytes = task.lines.columns / BLOCK * task.format.block_bytes();
        assert!(task.weights.len() == task.n_rows * row_bytes, "whole rows");
        for (group, weights) in task.weights.chunks(GROUP * row_bytes).enumerate() {
            // SAFETY: the group's results lie within the task's rectangle.
            let target = Target { values: unsafe { task.target.values.add(group * GROUP) }, ..task.target };
            let n_rows = GROUP.min(task.n_rows - group * GROUP);
            let group = Task { weights, n_rows, target, ..*task };
            match self {
                Self::Portable => portable::group(&group),
                #[cfg(target_arch = "x86_64")]
                // SAFETY: the value exists only where the processor was asked, see `all_of_this_machine`.
                Self::Avx2 => unsafe { x86::avx2::group(&group) },
                #[cfg(target_arch = "x86_64")]
                // SAFETY: as above.
                Self::Avx512 => unsafe { x86::avx512::group(&group) },
            }
        }
    }
}

impl Task<'_> {
    /// Stores the sums of line `line` with the rows of a group.
    fn store(&self, line: usize, sums: [f32; GROUP]) {
        // SAFETY: the line is one of the task's and `n_rows` of its columns follow the target's first.
        unsafe {
            let target = self.target.values.add(line * self.target.width);
            std::ptr::copy_nonoverlapping(sums.as_ptr(), target, self.n_rows);
        }
    }
}

#[cfg(test)]
mod tests;
