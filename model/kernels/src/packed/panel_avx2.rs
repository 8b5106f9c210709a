//! Integer products of panels with lines in fixed point, by AVX2.
//!
//! A lane of a vector is a row; eight rows of the panel at a time. Each instruction multiplies two weights a lane, widened to sixteen bits,
//! with two integers of a line and adds both products: twice as many multiplications as f32 allows. Over a block sums are exact and blocks
//! are added in f32 as the kernel for VNNI does, so results have the same bits.

// sums stay in registers where indices are constant after unrolling
#![allow(clippy::needless_range_loop)]

use std::arch::x86_64::*;

use super::fixed::FixedBlock;
use super::format::{BLOCK, Format};
use super::panel::{PANEL, VECTOR_BYTES};
use super::panel_task::{PanelTask, panel_entry};

/// Rows at a time.
const HALF: usize = PANEL / 2;

/// Whether the processor has these instructions.
pub(super) fn is_there() -> bool {
    is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("f16c")
}

panel_entry!("avx2,fma,f16c", [6, 4, 3, 2, 1]);

/// Lines `first` to `first + LINES`.
#[target_feature(enable = "avx2,fma,f16c")]
fn tile<const LINES: usize, const HALVES: bool, const SHORT: bool>(
    task: &PanelTask<'_>,
    first: usize,
    n_blocks: usize,
) {
    for row in (0..task.n_rows).step_by(HALF) {
        half::<LINES, HALVES, SHORT>(task, row, first, n_blocks);
    }
}

/// The same for rows from `row` on.
#[target_feature(enable = "avx2,fma,f16c")]
fn half<const LINES: usize, const HALVES: bool, const SHORT: bool>(
    task: &PanelTask<'_>,
    row: usize,
    first: usize,
    n_blocks: usize,
) {
    let lines = task.lines[first * n_blocks..(first + LINES) * n_blocks].as_ptr();
    let mut sums = [_mm256_setzero_ps(); LINES];
    for i in 0..n_blocks {
        let panel = task.panels[i * task.format.block_bytes()..].as_ptr();
        // SAFETY: the panel and every line have `n_blocks` whole blocks, and a panel two halves.
        unsafe { add_block::<LINES, HALVES, SHORT>(panel, row, lines.add(i), n_blocks, &mut sums) };
    }
    let n_rows = _mm256_set1_epi32((task.n_rows - row) as i32);
    let mask = _mm256_cmpgt_epi32(n_rows, _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
    for line in 0..LINES {
        // SAFETY: the line is one of the task's, and the results of `n_rows` follow the target's first.
        unsafe {
            let target = task.target.values.add((first + line) * task.target.width + row);
            _mm256_maskstore_ps(target, mask, sums[line]);
        }
    }
}

/// Adds the products of eight rows of a block of the panel with those of lines that lie `stride` blocks apart.
///
/// # Safety
/// The whole blocks can be read, and `row` is the first of a half.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
unsafe fn add_block<const LINES: usize, const HALVES: bool, const SHORT: bool>(
    panel: *const u8,
    row: usize,
    blocks: *const FixedBlock,
    stride: usize,
    sums: &mut [__m256; LINES],
) {
    let mut totals = [_mm256_setzero_si256(); LINES];
    // SAFETY: all loads lie within the blocks.
    unsafe {
        let number_bytes = if SHORT { 2 } else { 4 };
        let weights = panel.add(if HALVES { 2 } else { 1 } * PANEL * number_bytes + row * VECTOR_BYTES / PANEL);
        let vector = |i: usize| _mm256_loadu_si256(weights.add(i * VECTOR_BYTES).cast());
        if HALVES {
            let mask = _mm256_set1_epi16(15);
            for i in 0..4 {
                let bytes = vector(i);
                // two columns a lane each
                let pairs = [
                    _mm256_and_si256(bytes, mask),
                    _mm256_and_si256(_mm256_srli_epi16::<8>(bytes), mask),
                    _mm256_and_si256(_mm256_srli_epi16::<4>(bytes), mask),
                    _mm256_srli_epi16::<12>(bytes),
                ];
                for pair in 0..4 {
                    let column = pair / 2 * (BLOCK / 2) + 4 * i + 2 * (pair % 2);
                    for line in 0..LINES {
                        let products = _mm256_madd_epi16(pairs[pair], pair_at(blocks.add(line * stride), column));
                        totals[line] = _mm256_add_epi32(totals[line], products);
                    }
                }
            }
        } else {
            for i in 0..8 {
                let bytes = vector(i);
                let pairs = [_mm256_and_si256(bytes, _mm256_set1_epi16(255)), _mm256_srli_epi16::<8>(bytes)];
                for pair in 0..2 {
                    let column = 4 * i + 2 * pair;
                    for line in 0..LINES {
                        let products = _mm256_madd_epi16(pairs[pair], pair_at(blocks.add(line * stride), column));
                        totals[line] = _mm256_add_epi32(totals[line], products);
                    }
                }
            }
        }
        let numbers = panel.add(row * number_bytes);
        let scales = eight::<SHORT>(numbers);
        let minima = if HALVES { eight::<SHORT>(numbers.add(PANEL * number_bytes)) } else { _mm256_setzero_ps() };
        for line in 0..LINES {
            let block = &*blocks.add(line * stride);
            let mut total = totals[line];
            if !HALVES {
                total = _mm256_sub_epi32(total, _mm256_set1_epi32(block.offset));
            }
            let scales = _mm256_mul_ps(scales, _mm256_set1_ps(block.scale));
            sums[line] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(total), scales, sums[line]);
            if HALVES {
                sums[line] = _mm256_fmadd_ps(minima, _mm256_set1_ps(block.sum), sums[line]);
            }
        }
    }
}

/// Scales or minima of eight rows.
///
/// # Safety
/// All of them can be read.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
unsafe fn eight<const SHORT: bool>(bytes: *const u8) -> __m256 {
    // SAFETY: the caller's promise.
    unsafe {
        match SHORT {
            true => _mm256_cvtph_ps(_mm_loadu_si128(bytes.cast())),
            false => _mm256_loadu_ps(bytes.cast()),
        }
    }
}

/// The integers of a column and of the next, in every lane.
///
/// # Safety
/// The block can be read, and has the columns.
#[target_feature(enable = "avx2,fma,f16c")]
#[inline]
unsafe fn pair_at(block: *const FixedBlock, column: usize) -> __m256i {
    // SAFETY: integers come first in a block, two bytes each.
    unsafe { _mm256_set1_epi32(block.cast::<u8>().add(2 * column).cast::<i32>().read_unaligned()) }
}
