//! The plain kernel: the reference of the others, and what machines without one of them run. Its loops have a fixed width, so
//! that compilers turn them into vector instructions where the target has them without being asked, as NEON.

use super::format::{BLOCK, Format};
use super::kernel::{GROUP, Task};

const LANES: usize = super::kernel::VECTOR;

/// The products of at most [`GROUP`] rows with all lines.
pub(super) fn group(task: &Task<'_>) {
    let columns = task.lines.columns;
    let mut weights = vec![0f32; GROUP * columns];
    match task.format {
        Format::F32 => {
            weights.iter_mut().zip(task.weights.as_chunks().0).for_each(|(to, x)| *to = f32::from_ne_bytes(*x))
        }
        Format::HalfBytes | Format::SignedBytes | Format::ScaledHalves => {
            for (place, block) in task.weights.chunks_exact(task.format.block_bytes()).enumerate() {
                weights[task.widened_place(place)..][..BLOCK].copy_from_slice(&task.format.widen(block));
            }
        }
    }
    for (line, x) in task.lines.x.chunks_exact(columns).enumerate() {
        let mut sums = [0f32; GROUP];
        for (sum, weights) in sums.iter_mut().zip(weights.chunks_exact(columns)) {
            *sum = dot(weights, x);
        }
        task.store(line, sums);
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0f32; LANES];
    for (a, b) in a.as_chunks::<LANES>().0.iter().zip(b.as_chunks::<LANES>().0) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum()
}
