//! The plain kernel: the reference of the others, and what machines without one of them run. Its loops have a fixed width, so
//! that compilers turn them into vector instructions where the target has them without being asked, as NEON.

use super::format::{BLOCK, Format};
use super::kernel::{GROUP, Task};

const LANES: usize = super::kernel::VECTOR;

/// The products of at most [`GROUP`] rows with all lines.
pub(super) fn group(task: &Task<'_>) {
    let columns = task.lines.columns;
    if task.format == Format::F32 {
        return lines_with(task, task.weights.as_chunks().0, |bytes| f32::from_ne_bytes(*bytes));
    }
    let mut weights = vec![0f32; GROUP * columns];
    for (place, block) in task.weights.chunks_exact(task.format.block_bytes()).enumerate() {
        weights[task.widened_place(place)..][..BLOCK].copy_from_slice(&task.format.widen(block));
    }
    lines_with(task, &weights, |weight| *weight);
}

/// The products of all lines with these rows.
fn lines_with<T>(task: &Task<'_>, weights: &[T], value: impl Fn(&T) -> f32) {
    let columns = task.lines.columns;
    for (line, x) in task.lines.x.chunks_exact(columns).enumerate() {
        let mut sums = [0f32; GROUP];
        for (sum, weights) in sums.iter_mut().zip(weights.chunks_exact(columns)) {
            *sum = dot(weights, &value, x);
        }
        task.store(line, sums);
    }
}

/// Σ a b, in lanes; what is left over comes last.
pub(super) fn dot<T>(a: &[T], value: impl Fn(&T) -> f32, b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    let mut sums = [0f32; LANES];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += value(&a[lane]) * b[lane];
        }
    }
    let mut n = LANES;
    while n > 1 {
        n /= 2;
        (0..n).for_each(|lane| sums[lane] += sums[lane + n]);
    }
    a_rest.iter().zip(b_rest).fold(sums[0], |sum, (a, b)| sum + value(a) * b)
}
