//! Products with weights as they lie in a file: f32 or quantised, in blocks of 32 along the inputs.
//!
//! Decoding reads every weight once a token, so its speed is that of memory, and a quantised file is up to seven times smaller than
//! its f32 values. Weights are widened to f32 and multiplied with f32 inputs: the numbers are those of the dequantised matrix. Every
//! sum runs along the inputs in one fixed order, so a line has the same bits alone and among others, with any number of threads.
//!
//! # Shapes
//! A matrix is (outputs, inputs), its rows in blocks of 32 as in the file. Quantised rows lie in groups of four whose blocks take turns, so
//! that reading a group is reading on in memory; the last group is filled up with zeros.

mod delta;
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
use delta::Delta;
pub(crate) use format::FileFormat;
use format::{BLOCK, Format};

/// Rows that a kernel works on at a time.
const GROUP: usize = 4;
/// Bytes of the lines whose products with a group of rows are computed together: they stay in the second cache.
const LINES_BYTES: usize = 1 << 19;
/// Most lines of a tile.
const TILE_LINES: usize = 6;
/// Columns of f32 matrices are a multiple of this.
const VECTOR: usize = 16;
/// Multiplications of one task at least: less costs more to hand over than to do.
const LEAST_WORK: usize = 1 << 16;
/// Tasks a thread, so that one that is held up holds up little.
const TASKS_PER_THREAD: usize = 4;

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
    /// Takes the bytes of (rows, columns) weights from a file; `None` when rows are no whole blocks or the bytes are not theirs.
    pub(crate) fn new(stored: FileFormat, bytes: &[u8], rows: usize, columns: usize) -> Option<Self> {
        let fits = columns > 0 && columns.is_multiple_of(BLOCK) && rows > 0;
        let expected = (columns / BLOCK * stored.block_bytes()).checked_mul(rows)?;
        if !fits || bytes.len() != expected {
            return None;
        }
        let format = stored.format();
        let mut converted = vec![0; rows.next_multiple_of(GROUP) * columns / BLOCK * format.block_bytes()];
        let group_bytes = GROUP * columns / BLOCK * format.block_bytes();
        let row_bytes = columns / BLOCK * stored.block_bytes();
        let convert_group = |(group, rows): (&mut [u8], &[u8])| {
            for (row, blocks) in rows.chunks_exact(row_bytes).enumerate() {
                for (i, block) in blocks.chunks_exact(stored.block_bytes()).enumerate() {
                    let at = (i * GROUP + row) * format.block_bytes();
                    stored.convert(block, &mut group[at..at + format.block_bytes()]);
                }
            }
        };
        converted.par_chunks_mut(group_bytes).zip(bytes.par_chunks(GROUP * row_bytes)).for_each(convert_group);
        Some(Self { format, bytes: Bytes::Own(converted), rows, columns })
    }

    /// An f32 matrix on the CPU, without copying it; `None` when its rows are no whole vectors.
    pub(crate) fn from_tensor(matrix: &Tensor) -> Option<Self> {
        let (rows, columns) = matrix.dims2().ok()?;
        let fits = columns > 0 && columns.is_multiple_of(VECTOR) && rows > 0;
        let is_fit = fits && is_plain(matrix) && matrix.is_contiguous() && !matrix.track_op();
        is_fit.then(|| Self { format: Format::F32, bytes: Bytes::Tensor(matrix.clone()), rows, columns })
    }

    /// (rows, columns) in f32.
    pub(crate) fn widened(&self) -> Result<Tensor> {
        match &self.bytes {
            Bytes::Tensor(tensor) => Ok(tensor.clone()),
            Bytes::Own(bytes) => {
                let mut values = vec![0f32; self.rows * self.columns];
                values.par_chunks_exact_mut(self.columns).enumerate().for_each(|(row, values)| {
                    values.as_chunks_mut().0.iter_mut().enumerate().for_each(|(i, to)| *to = self.block(bytes, row, i));
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
                    values.extend((0..self.columns / BLOCK).flat_map(|i| self.block(bytes, row as usize, i)));
                }
                Ok(Tensor::from_vec(values, (rows.len(), self.columns), &Device::Cpu)?)
            }
        }
    }

    /// Index and value of the first number that is NaN or infinite, in a matrix of bytes.
    pub(crate) fn first_not_finite(&self) -> Option<(usize, f32)> {
        let Bytes::Own(bytes) = &self.bytes else { return None };
        let blocks = bytes.par_chunks_exact(self.format.block_bytes());
        let place = blocks.position_first(|block| !self.format.is_finite(block))?;
        let (group, in_group) = (place * BLOCK / self.columns / GROUP, place % (GROUP * self.columns / BLOCK));
        let (row, i) = (group * GROUP + in_group % GROUP, in_group / GROUP);
        let values = self.block(bytes, row, i);
        let index = values.iter().position(|value| !value.is_finite())?;
        Some((row * self.columns + i * BLOCK + index, values[index]))
    }

    /// Block `i` of a row.
    fn block(&self, bytes: &[u8], row: usize, i: usize) -> [f32; BLOCK] {
        let size = self.format.block_bytes();
        let at = row / GROUP * GROUP * self.row_bytes() + (i * GROUP + row % GROUP) * size;
        self.format.widen(&bytes[at..at + size])
    }

    fn row_bytes(&self) -> usize {
        self.format.row_bytes(self.columns)
    }
}

/// A packed matrix, and perhaps a low-rank delta beside it.
#[derive(Debug, Clone)]
pub(crate) struct Packed {
    matrix: Arc<PackedMatrix>,
    delta: Option<Arc<Delta>>,
}

impl Packed {
    pub(crate) fn new(matrix: PackedMatrix) -> Self {
        Self { matrix: Arc::new(matrix), delta: None }
    }

    /// The same with scale · B A added: a (rank, in), b (out, rank). `None` when the delta cannot be packed.
    pub(crate) fn with_delta(mut self, a: &Tensor, b: &Tensor, scale: f64) -> Result<Option<Self>> {
        self.delta = Delta::new(a, b, scale)?.map(Arc::new);
        Ok(self.delta.is_some().then_some(self))
    }

    /// (out, in) in f32, the delta merged.
    pub(crate) fn widened(&self) -> Result<Tensor> {
        let weight = self.matrix.widened()?;
        let Some(delta) = &self.delta else { return Ok(weight) };
        Ok((weight + delta.widened()?)?)
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
    let deltas = matrices.iter().filter_map(|m| m.delta.as_deref());
    let all = matrices.iter().map(|m| &*m.matrix).chain(deltas.map(Delta::inner));
    let mut results = multiply(&all.map(|matrix| Product { matrix, lines }).collect::<Vec<_>>())?;
    let mut inner = results.split_off(M).into_iter();
    let mut tensors = Vec::with_capacity(M);
    for (mut y, matrix) in results.into_iter().zip(matrices) {
        if let Some(delta) = &matrix.delta {
            delta.add(&inner.next().unwrap_or_default(), &mut y);
        }
        tensors.push(Tensor::from_vec(y, (n, matrix.matrix.rows), &Device::Cpu)?);
    }
    Ok(tensors.try_into().unwrap_or_else(|_| unreachable!("one result a matrix")))
}

/// A product to compute.
struct Product<'a> {
    matrix: &'a PackedMatrix,
    lines: Lines<'a>,
}

/// Inputs of a product.
#[derive(Clone, Copy)]
struct Lines<'a> {
    /// (n, columns)
    x: &'a [f32],
    n: usize,
    columns: usize,
}

impl Lines<'_> {
    /// Lines of a block, in whole tiles.
    fn block(&self) -> usize {
        (LINES_BYTES / (4 * self.columns)).next_multiple_of(TILE_LINES).max(4 * TILE_LINES)
    }
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
    /// The bytes of `n_rows` rows, in whole groups unless they are f32.
    weights: &'a [u8],
    n_rows: usize,
    lines: Lines<'a>,
    /// From the result of the first line and the first row on.
    target: Target,
}

/// Every product, (n, out) each, on all threads.
fn multiply(products: &[Product<'_>]) -> Result<Vec<Vec<f32>>> {
    let kernel = Kernel::of_this_machine();
    let views: Vec<Option<View<'_>>> = products
        .iter()
        .map(|product| match &product.matrix.bytes {
            Bytes::Tensor(tensor) => Some(View::new(tensor)),
            Bytes::Own(_) => None,
        })
        .collect();
    let mut results: Vec<Vec<f32>> =
        products.iter().map(|product| Vec::with_capacity(product.matrix.rows * product.lines.n)).collect();
    let work: usize = products.iter().map(|product| product.matrix.rows * product.lines.x.len()).sum();
    let task_work = (work / (TASKS_PER_THREAD * rayon::current_num_threads())).max(LEAST_WORK);
    let mut tasks: Vec<Task<'_>> = Vec::new();
    for ((Product { matrix, lines }, view), y) in products.iter().zip(&views).zip(&mut results) {
        assert!(matrix.columns == lines.columns && lines.x.len() == lines.n * lines.columns, "lines of the matrix's width");
        let bytes = match (&matrix.bytes, view) {
            (Bytes::Own(bytes), _) => bytes.as_slice(),
            (_, Some(view)) => as_bytes(view.values()?),
            (_, None) => unreachable!("every tensor has a view"),
        };
        let block_lines = lines.block();
        for (block, x) in lines.x.chunks(block_lines * lines.columns).enumerate() {
            let lines = Lines { x, n: x.len() / lines.columns, columns: lines.columns };
            let n_rows = (task_work / lines.columns / lines.n).next_multiple_of(GROUP).max(GROUP);
            for (i, weights) in bytes.chunks(n_rows * matrix.row_bytes()).enumerate() {
                // SAFETY: the offset lies within the room of the results.
                let values = unsafe { y.as_mut_ptr().add(block * block_lines * matrix.rows + i * n_rows) };
                let target = Target { values, width: matrix.rows };
                let n_rows = n_rows.min(matrix.rows - i * n_rows);
                tasks.push(Task { format: matrix.format, weights, n_rows, lines, target });
            }
        }
    }
    match tasks.len() {
        0 | 1 => tasks.iter().for_each(|task| kernel.run(task)),
        _ => tasks.par_iter().for_each(|task| kernel.run(task)),
    }
    for (product, y) in products.iter().zip(&mut results) {
        // SAFETY: the tasks cover all lines and rows, and wrote every value.
        unsafe { y.set_len(product.matrix.rows * product.lines.n) };
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
            if has_avx2 {
                kernels.push(Self::Avx2);
            }
            if has_avx2 && is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") {
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
        let row_bytes = task.format.row_bytes(task.lines.columns);
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
    /// Where in the widened rows of a group its quantised block number `place` belongs.
    fn widened_place(&self, place: usize) -> usize {
        place % GROUP * self.lines.columns + place / GROUP * BLOCK
    }

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
