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
mod file_format;
mod format;
mod kernel;
mod matrix;
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::sync::Arc;

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::gradients::View;
use crate::Result;
use delta::Delta;
pub(crate) use file_format::FileFormat;
use kernel::{GROUP, Kernel, Lines, Target, Task};
use matrix::Bytes;
pub(crate) use matrix::PackedMatrix;

/// Multiplications of one task at least: less costs more to hand over than to do.
const LEAST_WORK: usize = 1 << 16;
/// Tasks a thread, so that one that is held up holds up little.
const TASKS_PER_THREAD: usize = 4;

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
        assert!(
            matrix.columns == lines.columns && lines.x.len() == lines.n * lines.columns,
            "lines of the matrix's width"
        );
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

#[cfg(test)]
mod tests;
