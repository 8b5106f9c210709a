//! Lines of a product in fixed point: sixteen bits and a scale for every 32 values.
//!
//! A value x becomes the integer round(x / s) with s = max |x| / 32639 over its block, so it is off by at most s / 2: 256 times less than
//! with the eight bits that are usual for such products. Sums of integers are exact, in whatever order. Instructions for bytes take an integer as
//! 256 · high + low, both signed.

use rayon::prelude::*;

use super::format::BLOCK;
use super::kernel::Lines;
use super::panel_task::PanelKernel;

/// Largest integer: its high byte and its low byte are both 127.
const LARGEST: f32 = 32639.0;
/// Values below which threads cost more than they bring.
const SERIAL_VALUES: usize = 1 << 14;

/// A block of a line.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub(super) struct FixedBlock {
    /// The integers one after the other, or all their high bytes and then all their low ones.
    pub(super) integers: [u8; 2 * BLOCK],
    /// s, NaN when a value is not finite.
    pub(super) scale: f32,
    /// s times the sum of the integers.
    pub(super) sum: f32,
    /// The sum of the integers, times 128.
    pub(super) offset: i32,
}

/// A block of zeros.
const ZERO: FixedBlock = FixedBlock { integers: [0; 2 * BLOCK], scale: 0.0, sum: 0.0, offset: 0 };

/// The blocks of `lines`, line after line, as a kernel wants them; their columns are whole blocks.
pub(super) fn fixed(lines: Lines<'_>, kernel: PanelKernel) -> Vec<FixedBlock> {
    let apart = kernel.wants_bytes_apart();
    let blocks = lines.x.as_chunks().0;
    let mut fixed = vec![ZERO; blocks.len()];
    match lines.x.len() < SERIAL_VALUES {
        true => fill(blocks, &mut fixed, apart),
        false => {
            let n = SERIAL_VALUES / 4 / BLOCK;
            fixed.par_chunks_mut(n).zip(blocks.par_chunks(n)).for_each(|(fixed, blocks)| fill(blocks, fixed, apart));
        }
    }
    fixed
}

vectorised! {
/// Fills blocks of zeros, with the bytes of integers apart or together.
fn fill(blocks: &[[f32; BLOCK]], fixed: &mut [FixedBlock], apart: bool) {
    for (x, fixed) in blocks.iter().zip(fixed) {
        // ordered as numbers are, with infinities and NaN above all
        let mut bits = 0;
        for x in x {
            bits = x.abs().to_bits().max(bits);
        }
        let most = f32::from_bits(bits);
        if !most.is_finite() {
            fixed.scale = f32::NAN;
            fixed.sum = f32::NAN;
            continue;
        }
        let inverse = LARGEST / most;
        // of zeros, or as good as zeros
        if !inverse.is_finite() {
            continue;
        }
        let mut values = [0i16; BLOCK];
        let mut sum = 0;
        for (x, to) in x.iter().zip(&mut values) {
            // SAFETY: the product is LARGEST at most.
            let value: i32 = unsafe { (x * inverse).round_ties_even().to_int_unchecked() };
            sum += value;
            *to = value as i16;
        }
        if apart {
            let (high, low) = fixed.integers.split_at_mut(BLOCK);
            for ((value, high), low) in values.iter().zip(high).zip(low) {
                *low = *value as u8;
                *high = ((*value + 128) >> 8) as u8;
            }
        } else {
            for (value, to) in values.iter().zip(fixed.integers.as_chunks_mut().0) {
                *to = value.to_ne_bytes();
            }
        }
        fixed.scale = most / LARGEST;
        fixed.sum = fixed.scale * sum as f32;
        fixed.offset = sum * i32::from(super::panel::OFFSET);
    }
}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(x: &[f32; BLOCK]) -> FixedBlock {
        let [mut together, mut apart] = [[ZERO], [ZERO]];
        fill(&[*x], &mut together, false);
        fill(&[*x], &mut apart, true);
        for i in 0..BLOCK {
            let [high, low] = [apart[0].integers[i] as i8, apart[0].integers[BLOCK + i] as i8];
            assert_eq!(256 * i32::from(high) + i32::from(low), value(&together[0], i));
        }
        let numbers = |block: &FixedBlock| (block.scale.to_bits(), block.sum.to_bits(), block.offset);
        assert_eq!(numbers(&together[0]), numbers(&apart[0]));
        together[0]
    }

    fn value(block: &FixedBlock, i: usize) -> i32 {
        i16::from_ne_bytes(block.integers.as_chunks().0[i]).into()
    }

    #[test]
    fn values_are_off_by_half_a_step() {
        let x: [f32; BLOCK] = std::array::from_fn(|i| (i as f32 - 11.3) * 0.37);
        let fixed = block(&x);
        let step = 20.0 * 0.37 / 32639.0;
        assert!((fixed.scale - (31.0 - 11.3) * 0.37 / 32639.0).abs() < 1e-9);
        for (i, x) in x.iter().enumerate() {
            assert!((fixed.scale * value(&fixed, i) as f32 - x).abs() <= 0.5001 * step, "{i}");
        }
        let sum: i32 = (0..BLOCK).map(|i| value(&fixed, i)).sum();
        assert_eq!((fixed.offset, fixed.sum), (128 * sum, fixed.scale * sum as f32));
    }

    #[test]
    fn the_largest_values_fit_their_bytes() {
        for sign in [1.0, -1.0] {
            let fixed = block(&[3.0 * sign; BLOCK]);
            assert_eq!(value(&fixed, 7), 32639 * sign as i32);
        }
    }

    #[test]
    fn zeros_stay_and_what_is_no_number_is_seen() {
        assert_eq!(block(&[0.0; BLOCK]).scale, 0.0);
        assert_eq!(block(&[1e-42; BLOCK]).scale, 0.0);
        for odd in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let mut x = [1.0; BLOCK];
            x[9] = odd;
            assert!(block(&x).scale.is_nan() && block(&x).sum.is_nan(), "{odd}");
        }
    }
}
