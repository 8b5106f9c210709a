//! The plain kernel: the reference of the others, and what machines without one of them run. Its loops have a fixed width, so
//! that compilers turn them into vector instructions where the target has them without being asked, as NEON.

use half::f16;

use super::{BLOCK, Format, GROUP, Task};

const LANES: usize = 16;

/// The products of at most [`GROUP`] rows with all lines.
pub(super) fn group(task: &Task<'_>) {
    let columns = task.lines.columns;
    let mut weights = vec![0f32; GROUP * columns];
    let blocks = task.weights.chunks_exact(task.format.block_bytes());
    for (weights, block) in weights.chunks_exact_mut(BLOCK).zip(blocks) {
        weights.copy_from_slice(&widen(task.format, block));
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

/// The weights of a block.
pub(super) fn widen(format: Format, block: &[u8]) -> [f32; BLOCK] {
    let number = |at: usize| f16::from_le_bytes([block[at], block[at + 1]]).to_f32();
    let mut weights = [0f32; BLOCK];
    match format {
        Format::F32 => {
            weights.iter_mut().zip(block.as_chunks().0).for_each(|(weight, bytes)| *weight = f32::from_ne_bytes(*bytes));
        }
        Format::Q4_0 => widen_halves(&mut weights, &block[2..], number(0), -8.0 * number(0)),
        Format::Q4_1 => widen_halves(&mut weights, &block[4..], number(0), number(2)),
        Format::Q8_0 => {
            let scale = number(0);
            weights.iter_mut().zip(&block[2..]).for_each(|(weight, byte)| *weight = scale * f32::from(*byte as i8));
        }
    }
    weights
}

/// scale · q + minimum: the lower half-bytes are the first half of the block.
fn widen_halves(weights: &mut [f32; BLOCK], bytes: &[u8], scale: f32, minimum: f32) {
    let (lower, upper) = weights.split_at_mut(BLOCK / 2);
    for ((lower, upper), byte) in lower.iter_mut().zip(upper).zip(bytes) {
        *lower = scale * f32::from(byte & 15) + minimum;
        *upper = scale * f32::from(byte >> 4) + minimum;
    }
}
