//! Products with weights as they lie in a file: f32 or quantised, in blocks of 32 along the inputs.
//!
//! Decoding reads every weight once a token, so its speed is that of memory, and a quantised file is up to seven times smaller than
//! its f32 values. There are two ways of computing:
//!
//! - Weights are widened to f32 and multiplied with f32 inputs: the numbers are those of the dequantised matrix.
//! - Where the processor multiplies integers faster, inputs become integers of sixteen bits, see `fixed.rs`, and are multiplied with those of
//!   the weights, for the types whose blocks have one scale.
//!
//! Products with rows of f32 that are no weights, as keys and values, are in `rows.rs`.
//!
//! Either way every sum of f32 runs along the inputs in one fixed order, so a line has the same bits alone and among others, with any number
//! of threads.
//!
//! # Shapes
//! A matrix is (outputs, inputs), its rows in blocks of 32 as in the file. Quantised rows lie in groups of four, or in panels of sixteen, whose
//! blocks take turns, so that reading a group is reading on in memory; the last group is filled up with zeros.

mod delta;
mod file_format;
mod fixed;
mod format;
mod kernel;
mod matrix;
mod panel;
#[cfg(target_arch = "x86_64")]
mod panel_avx2;
mod panel_task;
#[cfg(target_arch = "x86_64")]
mod panel_vnni;
mod portable;
mod rows;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::sync::Arc;

use candle_core::{Device, Result, Tensor};
use rayon::prelude::*;

use crate::Inputs;
use crate::gradients::View;
use delta::Delta;
pub use file_format::FileFormat;
use kernel::{Kernel, Lines, Target, Task};
use matrix::Bytes;
pub use matrix::PackedMatrix;
use panel_task::{PanelKernel, PanelTask};
pub use rows::{WeightedRows, dot_products};

/// Multiplications of one task at least: less costs more to hand over than to do.
const LEAST_WORK: usize = 1 << 16;
/// Tasks a thread, so that one that is held up holds up little.
const TASKS_PER_THREAD: usize = 4;

/// A packed matrix, and perhaps a low-rank delta beside it.
#[derive(Debug, Clone)]
pub struct Packed {
    matrix: Arc<PackedMatrix>,
    delta: Option<Arc<Delta>>,
}

impl Packed {
    /// The matrix alone.
    pub fn new(matrix: PackedMatrix) -> Self {
        Self { matrix: Arc::new(matrix), delta: None }
    }

    /// The same with scale · B A added: a (rank, in), b (out, rank). `None` when the delta cannot be packed.
    pub fn with_delta(mut self, a: &Tensor, b: &Tensor, scale: f64) -> Result<Option<Self>> {
        self.delta = Delta::new(a, b, scale)?.map(Arc::new);
        Ok(self.delta.is_some().then_some(self))
    }

    /// (out, in) in f32, the delta merged.
    pub fn widened(&self) -> Result<Tensor> {
        let weight = self.matrix.widened()?;
        let Some(delta) = &self.delta else { return Ok(weight) };
        weight + delta.widened()?
    }

    /// Rows of the matrix, as of an embedding table.
    pub fn select(&self, rows: &[u32]) -> Result<Tensor> {
        self.matrix.select(rows)
    }
}

/// The products of the same lines with several matrices: x (n, in) → (n, out) each.
pub fn products<const M: usize>(x: &Tensor, matrices: [&Packed; M]) -> Result<[Tensor; M]> {
    let n = x.dim(0)?;
    let x = x.contiguous()?;
    let view = View::new(&x);
    let lines = Lines { x: view.values()?, n, columns: matrices[0].matrix.columns };
    let deltas = matrices.iter().filter_map(|m| m.delta.as_deref());
    let all: Vec<&PackedMatrix> = matrices.iter().map(|m| &*m.matrix).chain(deltas.map(Delta::inner)).collect();
    let mut results = multiply(lines, &all)?;
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

/// A task of either kind of kernel.
enum AnyTask<'a> {
    Groups(Task<'a>),
    Panels(PanelTask<'a>),
}

impl AnyTask<'_> {
    fn run(&self, kernel: Kernel) {
        match self {
            Self::Groups(task) => kernel.run(task),
            Self::Panels(task) => task.run(),
        }
    }
}

/// The products of the lines with every matrix, (n, out) each, on all threads.
fn multiply(lines: Lines<'_>, matrices: &[&PackedMatrix]) -> Result<Vec<Vec<f32>>> {
    let is_fit = |matrix: &&PackedMatrix| matrix.columns == lines.columns && lines.x.len() == lines.n * lines.columns;
    assert!(matrices.iter().all(is_fit), "lines of the matrices' width");
    let kernel = Kernel::of_this_machine();
    let panel_kernels = || matrices.iter().filter_map(|matrix| matrix.bytes.panel_kernel());
    assert!(panel_kernels().is_sorted_by(PanelKernel::eq), "panels of one kernel");
    let fixed = panel_kernels().next().map_or_else(Vec::new, |kernel| fixed::fixed(lines, kernel));
    let views: Vec<Option<View<'_>>> = matrices.iter().map(|matrix| matrix.bytes.view()).collect();
    let mut results: Vec<Vec<f32>> = matrices.iter().map(|matrix| Vec::with_capacity(matrix.rows * lines.n)).collect();
    let work: usize = matrices.iter().map(|matrix| matrix.rows * lines.x.len()).sum();
    let task_work = (work / (TASKS_PER_THREAD * rayon::current_num_threads())).max(LEAST_WORK);
    let n_rows = |lines: &Lines<'_>| task_work / lines.columns / lines.n;
    let mut tasks: Vec<AnyTask<'_>> = Vec::new();
    for ((matrix, view), y) in matrices.iter().zip(&views).zip(&mut results) {
        for (first, lines) in lines.blocks() {
            // SAFETY: the line lies within the room of the results.
            let target = Target { values: unsafe { y.as_mut_ptr().add(first * matrix.rows) }, width: matrix.rows };
            let bytes = match (&matrix.bytes, view) {
                (&Bytes::Panels(format, ref panels), _) => {
                    let per_line = lines.columns / format::BLOCK;
                    let fixed = &fixed[first * per_line..][..lines.n * per_line];
                    let whole = PanelTask { format, panels, n_rows: matrix.rows, lines: fixed, target };
                    tasks.extend(whole.split(n_rows(&lines)).map(AnyTask::Panels));
                    continue;
                }
                (Bytes::Own(bytes), _) => bytes.as_slice(),
                (_, Some(view)) => as_bytes(view.values()?),
                (_, None) => unreachable!("every tensor has a view"),
            };
            let whole = Task { format: matrix.format, weights: bytes, n_rows: matrix.rows, lines, target };
            tasks.extend(whole.split(n_rows(&lines)).map(AnyTask::Groups));
        }
    }
    match tasks.len() {
        0 | 1 => tasks.iter().for_each(|task| task.run(kernel)),
        // a task at a time: a thread that comes late finds work left
        _ => tasks.par_iter().with_max_len(1).for_each(|task| task.run(kernel)),
    }
    for (matrix, y) in matrices.iter().zip(&mut results) {
        // SAFETY: the tasks cover all lines and rows, and wrote every value.
        unsafe { y.set_len(matrix.rows * lines.n) };
    }
    Ok(results)
}

/// What multiplies matrices that are made for such inputs, in words.
pub fn kernel_name(inputs: Inputs) -> String {
    let integers = PanelKernel::of_this_machine().filter(|_| inputs == Inputs::Integers);
    if let Some(kernel) = integers {
        return format!("16-bit integers where weights have one scale a block, by {}; else f32", kernel.name());
    }
    match Kernel::of_this_machine() {
        #[cfg(target_arch = "x86_64")]
        Kernel::Avx512 => "f32, AVX-512".into(),
        #[cfg(target_arch = "x86_64")]
        Kernel::Avx2 => "f32, AVX2".into(),
        Kernel::Portable => "f32".into(),
    }
}

fn as_bytes(values: &[f32]) -> &[u8] {
    // SAFETY: any bytes of an f32 are bytes, and their alignment is lower.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), std::mem::size_of_val(values)) }
}

#[cfg(test)]
mod tests;
