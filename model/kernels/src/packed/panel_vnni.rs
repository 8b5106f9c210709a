//! Integer products of panels with lines in fixed point, by the VNNI instructions of AVX-512.
//!
//! A lane of a vector is a row of the panel. Each instruction multiplies four unsigned weights a lane with four signed bytes of a line and adds the
//! products to an integer: twice as many multiplications as f32 allows, with the high and the low bytes of a line apart. Over a block both sums
//! are exact and make one integer, which is exact as f32 too where weights are half-bytes; blocks are added in f32, in order.

// sums stay in registers where indices are constant after unrolling
#![allow(clippy::needless_range_loop)]

use std::arch::x86_64::*;

use super::fixed::FixedBlock;
use super::format::{BLOCK, Format};
use super::panel::{PANEL, VECTOR_BYTES};
use super::panel_task::{PanelTask, panel_entry};

/// Whether the processor has these instructions.
pub(super) fn is_there() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vnni")
}

panel_entry!("avx512f,avx512bw,avx512vl,avx512vnni", [8, 6, 4, 3, 2, 1]);

/// Lines `first` to `first + LINES`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn tile<const LINES: usize, const HALVES: bool, const SHORT: bool>(
    task: &PanelTask<'_>,
    first: usize,
    n_blocks: usize,
) {
    let lines = task.lines[first * n_blocks..(first + LINES) * n_blocks].as_ptr();
    let mut sums = [_mm512_setzero_ps(); LINES];
    for i in 0..n_blocks {
        let panel = task.panels[i * task.format.block_bytes()..].as_ptr();
        // SAFETY: the panel and every line have `n_blocks` whole blocks.
        unsafe { add_block::<LINES, HALVES, SHORT>(panel, lines.add(i), n_blocks, &mut sums) };
    }
    let mask = ((1u32 << task.n_rows) - 1) as __mmask16;
    for line in 0..LINES {
        // SAFETY: the line is one of the task's, and `n_rows` of its results follow the target's first.
        unsafe { _mm512_mask_storeu_ps(task.target.values.add((first + line) * task.target.width), mask, sums[line]) };
    }
}

/// Adds the products of a block of the panel with those of lines that lie `stride` blocks apart.
///
/// # Safety
/// The whole blocks can be read.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[inline]
unsafe fn add_block<const LINES: usize, const HALVES: bool, const SHORT: bool>(
    panel: *const u8,
    blocks: *const FixedBlock,
    stride: usize,
    sums: &mut [__m512; LINES],
) {
    let mut totals = [[_mm512_setzero_si512(); 2]; LINES];
    // SAFETY: all loads lie within the blocks.
    unsafe {
        let numbers_bytes = PANEL * if SHORT { 2 } else { 4 };
        let weights = panel.add(if HALVES { 2 * numbers_bytes } else { numbers_bytes });
        if HALVES {
            let mask = _mm512_set1_epi8(15);
            for i in 0..4 {
                let both = _mm512_loadu_si512(weights.add(i * VECTOR_BYTES).cast());
                let halves = [_mm512_and_si512(both, mask), _mm512_and_si512(_mm512_srli_epi16::<4>(both), mask)];
                for half in 0..2 {
                    for line in 0..LINES {
                        let bytes = bytes_at(blocks.add(line * stride), half * (BLOCK / 2) + 4 * i);
                        totals[line][0] = _mm512_dpbusd_epi32(totals[line][0], halves[half], bytes[0]);
                        totals[line][1] = _mm512_dpbusd_epi32(totals[line][1], halves[half], bytes[1]);
                    }
                }
            }
        } else {
            for i in 0..8 {
                let weights = _mm512_loadu_si512(weights.add(i * VECTOR_BYTES).cast());
                for line in 0..LINES {
                    let bytes = bytes_at(blocks.add(line * stride), 4 * i);
                    totals[line][0] = _mm512_dpbusd_epi32(totals[line][0], weights, bytes[0]);
                    totals[line][1] = _mm512_dpbusd_epi32(totals[line][1], weights, bytes[1]);
                }
            }
        }
        let scales = numbers::<SHORT>(panel);
        let minima = if HALVES { numbers::<SHORT>(panel.add(numbers_bytes)) } else { _mm512_setzero_ps() };
        for line in 0..LINES {
            let block = &*blocks.add(line * stride);
            let mut total = _mm512_add_epi32(_mm512_slli_epi32::<8>(totals[line][0]), totals[line][1]);
            if !HALVES {
                total = _mm512_sub_epi32(total, _mm512_set1_epi32(block.offset));
            }
            let scales = _mm512_mul_ps(scales, _mm512_set1_ps(block.scale));
            sums[line] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(total), scales, sums[line]);
            if HALVES {
                sums[line] = _mm512_fmadd_ps(minima, _mm512_set1_ps(block.sum), sums[line]);
            }
        }
    }
}

/// A scale or minimum of every row of the panel.
///
/// # Safety
/// All of them can be read.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[inline]
unsafe fn numbers<const SHORT: bool>(bytes: *const u8) -> __m512 {
    // SAFETY: the caller's promise.
    unsafe {
        match SHORT {
            true => _mm512_cvtph_ps(_mm256_loadu_si256(bytes.cast())),
            false => _mm512_loadu_ps(bytes.cast()),
        }
    }
}

/// Four high and four low bytes from a column on, in every lane.
///
/// # Safety
/// The block can be read, and has the columns.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
#[inline]
unsafe fn bytes_at(block: *const FixedBlock, column: usize) -> [__m512i; 2] {
    // SAFETY: high bytes are followed by low ones.
    unsafe {
        let high = block.cast::<u8>().add(column);
        let low = high.add(BLOCK);
        [_mm512_set1_epi32(high.cast::<i32>().read_unaligned()), _mm512_set1_epi32(low.cast::<i32>().read_unaligned())]
    }
}
