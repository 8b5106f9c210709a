//! The plain kernel: the reference of the others, and what machines without one of them run. Its loops have a fixed width, so
//! that compilers turn them into vector instructions where the target has them without being asked, as NEON.

use half::f16;

use super::{BLOCK, Format, Lines};

const LANES: usize = 16;

pub(super) fn rows(format: Format, lines: &Lines<'_>, rows: &[u8], y: &mut [f32]) {
    let row_bytes = lines.columns / BLOCK * format.block_bytes();
    let mut sums = vec![[0f32; LANES]; lines.n];
    for (row, y) in rows.chunks_exact(row_bytes).zip(y.chunks_exact_mut(lines.n)) {
        sums.fill([0.0; LANES]);
        for (i, block) in row.chunks_exact(format.block_bytes()).enumerate() {
            let weights = widen(format, block);
            for (line, sum) in lines.x.chunks_exact(lines.columns).zip(&mut sums) {
                let x = &line[i * BLOCK..(i + 1) * BLOCK];
                for half in [0, LANES] {
                    for lane in 0..LANES {
                        sum[lane] += weights[half + lane] * x[half + lane];
                    }
                }
            }
        }
        y.iter_mut().zip(&sums).for_each(|(y, sum)| *y = sum.iter().sum());
    }
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
