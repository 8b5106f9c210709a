//! Kernels for AVX2 and AVX-512: products of a group of rows with all lines of a task.
//!
//! Few lines: blocks are widened in registers. More: the rows are widened once into a buffer that fits the first cache, and tiles of
//! rows and lines are summed in registers. Both add in the same order: one sum for each row and line, along the inputs.
//!
//! Loops are written out: a closure that the standard library calls is compiled without these instructions, and not inlined.

// sums stay in registers where indices are constant after unrolling
#![allow(clippy::needless_range_loop)]

use std::cell::RefCell;

use super::format::{BLOCK, Format};
use super::kernel::{GROUP, Task};

const F32: u8 = 0;
const HALF_BYTES: u8 = 1;
const SIGNED_BYTES: u8 = 2;
const SCALED_HALVES: u8 = 3;

const fn block_bytes(format: u8) -> usize {
    match format {
        F32 => Format::F32.block_bytes(),
        HALF_BYTES => Format::HalfBytes.block_bytes(),
        SIGNED_BYTES => Format::SignedBytes.block_bytes(),
        _ => Format::ScaledHalves.block_bytes(),
    }
}

/// Most lines for which widening in registers is faster.
const MOST_IN_REGISTERS: usize = 2;

thread_local! {
    /// Widened rows of a group.
    static ROWS: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// The entry point and the choices that both instruction sets share; `$lines` are the heights of tiles, descending to 1.
macro_rules! entry {
    ($features:literal, [$($lines:literal),*]) => {
        /// The products of at most [`GROUP`] rows with all lines.
        #[target_feature(enable = $features)]
        pub(in super::super) fn group(task: &Task<'_>) {
            match task.format {
                Format::F32 => of_format::<F32>(task),
                Format::HalfBytes => of_format::<HALF_BYTES>(task),
                Format::SignedBytes => of_format::<SIGNED_BYTES>(task),
                Format::ScaledHalves => of_format::<SCALED_HALVES>(task),
            }
        }

        #[target_feature(enable = $features)]
        fn of_format<const FORMAT: u8>(task: &Task<'_>) {
            let columns = task.lines.columns;
            if FORMAT == F32 {
                assert!(task.n_rows > 0 && task.weights.len() == 4 * task.n_rows * columns, "whole rows");
                return tiles(task, widened_rows_of(task, task.weights.as_ptr().cast()));
            }
            assert!(task.weights.len() == GROUP * columns / BLOCK * block_bytes(FORMAT), "a whole group");
            if task.lines.n <= MOST_IN_REGISTERS {
                for (line, x) in task.lines.x.chunks_exact(columns).enumerate() {
                    task.store(line, line_of_blocks::<FORMAT>(task, x));
                }
                return;
            }
            let mut rows = ROWS.take();
            rows.resize(GROUP * columns, 0.0);
            for (place, block) in task.weights.chunks_exact(block_bytes(FORMAT)).enumerate() {
                store_block::<FORMAT>(block, &mut rows[task.widened_place(place)..][..BLOCK]);
            }
            tiles(task, widened_rows_of(task, rows.as_ptr()));
            ROWS.set(rows);
        }

        /// All lines in tiles.
        #[target_feature(enable = $features)]
        fn tiles(task: &Task<'_>, rows: [*const f32; GROUP]) {
            let mut first = 0;
            while first < task.lines.n {
                let left = task.lines.n - first;
                $(if left >= $lines {
                    tile::<$lines>(task, rows, first);
                    first += $lines;
                    continue;
                })*
            }
        }
    };
}

/// Where the f32 rows of a group begin; a group of fewer rows repeats its last.
fn widened_rows_of(task: &Task<'_>, values: *const f32) -> [*const f32; GROUP] {
    std::array::from_fn(|row| values.wrapping_add(row.min(task.n_rows - 1) * task.lines.columns))
}

pub(super) mod avx512 {
    use std::arch::x86_64::*;

    use super::*;

    entry!("avx512f,avx512vl,avx2,fma", [6, 4, 3, 2, 1]);

    /// The sums of lines `first` to `first + LINES` with the rows.
    #[target_feature(enable = "avx512f,avx512vl,avx2,fma")]
    fn tile<const LINES: usize>(task: &Task<'_>, rows: [*const f32; GROUP], first: usize) {
        let columns = task.lines.columns;
        let x = task.lines.x[first * columns..(first + LINES) * columns].as_ptr();
        let mut sums = [[_mm512_setzero_ps(); GROUP]; LINES];
        for i in (0..columns).step_by(16) {
            // SAFETY: rows and lines have `columns` values, a multiple of 16.
            unsafe {
                let [a, b, c, d] = rows;
                let weights = [
                    _mm512_loadu_ps(a.add(i)),
                    _mm512_loadu_ps(b.add(i)),
                    _mm512_loadu_ps(c.add(i)),
                    _mm512_loadu_ps(d.add(i)),
                ];
                for line in 0..LINES {
                    let x = _mm512_loadu_ps(x.add(line * columns + i));
                    for row in 0..GROUP {
                        sums[line][row] = _mm512_fmadd_ps(weights[row], x, sums[line][row]);
                    }
                }
            }
        }
        for line in 0..LINES {
            task.store(first + line, totals(sums[line]));
        }
    }

    /// The sums of one line with the rows, blocks widened in registers.
    #[target_feature(enable = "avx512f,avx512vl,avx2,fma")]
    fn line_of_blocks<const FORMAT: u8>(task: &Task<'_>, x: &[f32]) -> [f32; GROUP] {
        let mut block = task.weights.as_ptr();
        let mut sums = [_mm512_setzero_ps(); GROUP];
        for x in x.as_chunks::<BLOCK>().0 {
            // SAFETY: a block holds two vectors, and the group as many blocks as the line, four times.
            unsafe {
                let (x_low, x_high) = (_mm512_loadu_ps(x.as_ptr()), _mm512_loadu_ps(x.as_ptr().add(16)));
                for row in 0..GROUP {
                    let [low, high] = widen::<FORMAT>(block);
                    sums[row] = _mm512_fmadd_ps(high, x_high, _mm512_fmadd_ps(low, x_low, sums[row]));
                    block = block.wrapping_add(block_bytes(FORMAT));
                }
            }
        }
        totals(sums)
    }

    /// The sum over each vector.
    #[target_feature(enable = "avx512f,avx512vl,avx2")]
    #[inline]
    fn totals(sums: [__m512; GROUP]) -> [f32; GROUP] {
        let [a, b, c, d] = sums;
        avx2::totals([folded(a), folded(b), folded(c), folded(d)])
    }

    /// The upper half added to the lower one.
    #[target_feature(enable = "avx512f,avx512vl,avx2")]
    #[inline]
    fn folded(x: __m512) -> __m256 {
        let upper = _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(x)));
        _mm256_add_ps(_mm512_castps512_ps256(x), upper)
    }

    #[target_feature(enable = "avx512f,avx512vl")]
    #[inline]
    fn store_block<const FORMAT: u8>(block: &[u8], row: &mut [f32]) {
        assert!(block.len() == block_bytes(FORMAT) && row.len() == BLOCK, "one block");
        // SAFETY: a block holds two vectors.
        unsafe {
            let [low, high] = widen::<FORMAT>(block.as_ptr());
            _mm512_storeu_ps(row.as_mut_ptr(), low);
            _mm512_storeu_ps(row.as_mut_ptr().add(16), high);
        }
    }

    /// The weights of the block that begins at `block`.
    ///
    /// # Safety
    /// The whole block can be read.
    #[target_feature(enable = "avx512f,avx512vl")]
    #[inline]
    unsafe fn widen<const FORMAT: u8>(block: *const u8) -> [__m512; 2] {
        // SAFETY: all loads lie within the block.
        unsafe {
            match FORMAT {
                HALF_BYTES => {
                    let ascending = _mm512_setr_ps(
                        0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0,
                    );
                    let scale = _mm512_set1_ps(block.cast::<f32>().read_unaligned());
                    let minimum = _mm512_set1_ps(block.add(4).cast::<f32>().read_unaligned());
                    // the sixteen values that a half-byte can stand for; a permutation looks them up by its lowest four bits
                    let table = _mm512_fmadd_ps(ascending, scale, minimum);
                    let halves = _mm512_cvtepu8_epi32(_mm_loadu_si128(block.add(8).cast()));
                    [_mm512_permutexvar_ps(halves, table), _mm512_permutexvar_ps(_mm512_srli_epi32::<4>(halves), table)]
                }
                SCALED_HALVES => {
                    let number = |i: usize| _mm512_set1_ps(block.cast::<f32>().add(i).read_unaligned());
                    let low = _mm512_cvtepi8_epi32(_mm_loadu_si128(block.add(16).cast()));
                    let high = _mm512_cvtepi8_epi32(_mm_loadu_si128(block.add(32).cast()));
                    let (low, high) = (_mm512_cvtepi32_ps(low), _mm512_cvtepi32_ps(high));
                    [_mm512_fmadd_ps(low, number(0), number(2)), _mm512_fmadd_ps(high, number(1), number(3))]
                }
                _ => {
                    let scale = _mm512_set1_ps(block.cast::<f32>().read_unaligned());
                    let low = _mm512_cvtepi8_epi32(_mm_loadu_si128(block.add(4).cast()));
                    let high = _mm512_cvtepi8_epi32(_mm_loadu_si128(block.add(20).cast()));
                    [_mm512_mul_ps(scale, _mm512_cvtepi32_ps(low)), _mm512_mul_ps(scale, _mm512_cvtepi32_ps(high))]
                }
            }
        }
    }
}

pub(super) mod avx2 {
    use std::arch::x86_64::*;

    use super::*;

    entry!("avx2,fma", [3, 2, 1]);

    /// The sums of lines `first` to `first + LINES` with the rows.
    #[target_feature(enable = "avx2,fma")]
    fn tile<const LINES: usize>(task: &Task<'_>, rows: [*const f32; GROUP], first: usize) {
        let columns = task.lines.columns;
        let x = task.lines.x[first * columns..(first + LINES) * columns].as_ptr();
        let mut sums = [[_mm256_setzero_ps(); GROUP]; LINES];
        for i in (0..columns).step_by(8) {
            // SAFETY: rows and lines have `columns` values, a multiple of 16.
            unsafe {
                let mut parts = [_mm256_setzero_ps(); LINES];
                for line in 0..LINES {
                    parts[line] = _mm256_loadu_ps(x.add(line * columns + i));
                }
                for row in 0..GROUP {
                    let weights = _mm256_loadu_ps(rows[row].add(i));
                    for line in 0..LINES {
                        sums[line][row] = _mm256_fmadd_ps(weights, parts[line], sums[line][row]);
                    }
                }
            }
        }
        for line in 0..LINES {
            task.store(first + line, totals(sums[line]));
        }
    }

    /// The sums of one line with the rows, blocks widened in registers.
    #[target_feature(enable = "avx2,fma")]
    fn line_of_blocks<const FORMAT: u8>(task: &Task<'_>, x: &[f32]) -> [f32; GROUP] {
        let mut block = task.weights.as_ptr();
        let mut sums = [_mm256_setzero_ps(); GROUP];
        for x in x.as_chunks::<BLOCK>().0 {
            for row in 0..GROUP {
                // SAFETY: a block holds four vectors, and the group as many blocks as the line, four times.
                unsafe {
                    let parts = widen::<FORMAT>(block);
                    for part in 0..4 {
                        sums[row] = _mm256_fmadd_ps(parts[part], _mm256_loadu_ps(x.as_ptr().add(8 * part)), sums[row]);
                    }
                    block = block.wrapping_add(block_bytes(FORMAT));
                }
            }
        }
        totals(sums)
    }

    /// The sum over each vector.
    #[target_feature(enable = "avx2")]
    #[inline]
    pub(super) fn totals([a, b, c, d]: [__m256; GROUP]) -> [f32; GROUP] {
        let pairs = _mm256_hadd_ps(_mm256_hadd_ps(a, b), _mm256_hadd_ps(c, d));
        let sums = _mm_add_ps(_mm256_castps256_ps128(pairs), _mm256_extractf128_ps::<1>(pairs));
        let mut totals = [0f32; GROUP];
        // SAFETY: four numbers are one vector.
        unsafe { _mm_storeu_ps(totals.as_mut_ptr(), sums) };
        totals
    }

    #[target_feature(enable = "avx2,fma")]
    #[inline]
    fn store_block<const FORMAT: u8>(block: &[u8], row: &mut [f32]) {
        assert!(block.len() == block_bytes(FORMAT) && row.len() == BLOCK, "one block");
        // SAFETY: a block holds four vectors.
        unsafe {
            let parts = widen::<FORMAT>(block.as_ptr());
            for part in 0..4 {
                _mm256_storeu_ps(row.as_mut_ptr().add(8 * part), parts[part]);
            }
        }
    }

    /// The weights of the block that begins at `block`.
    ///
    /// # Safety
    /// The whole block can be read.
    #[target_feature(enable = "avx2,fma")]
    #[inline]
    unsafe fn widen<const FORMAT: u8>(block: *const u8) -> [__m256; 4] {
        let mut parts = [_mm256_setzero_ps(); 4];
        // SAFETY: all loads lie within the block.
        unsafe {
            match FORMAT {
                HALF_BYTES => {
                    let scale = _mm256_set1_ps(block.cast::<f32>().read_unaligned());
                    let minimum = _mm256_set1_ps(block.add(4).cast::<f32>().read_unaligned());
                    let halves = _mm_loadu_si128(block.add(8).cast());
                    let mask = _mm_set1_epi8(15);
                    let (low, high) = (_mm_and_si128(halves, mask), _mm_and_si128(_mm_srli_epi16::<4>(halves), mask));
                    let eights = [low, _mm_srli_si128::<8>(low), high, _mm_srli_si128::<8>(high)];
                    for part in 0..4 {
                        let q = _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(eights[part]));
                        parts[part] = _mm256_fmadd_ps(q, scale, minimum);
                    }
                }
                SCALED_HALVES => {
                    for part in 0..4 {
                        let numbers = block.cast::<f32>().add(part / 2);
                        let scale = _mm256_set1_ps(numbers.read_unaligned());
                        let minimum = _mm256_set1_ps(numbers.add(2).read_unaligned());
                        let eight = _mm256_cvtepi8_epi32(_mm_loadl_epi64(block.add(16 + 8 * part).cast()));
                        parts[part] = _mm256_fmadd_ps(_mm256_cvtepi32_ps(eight), scale, minimum);
                    }
                }
                _ => {
                    let scale = _mm256_set1_ps(block.cast::<f32>().read_unaligned());
                    for part in 0..4 {
                        let eight = _mm256_cvtepi8_epi32(_mm_loadl_epi64(block.add(4 + 8 * part).cast()));
                        parts[part] = _mm256_mul_ps(scale, _mm256_cvtepi32_ps(eight));
                    }
                }
            }
        }
        parts
    }
}
