//! Kernels for AVX2 and AVX-512: a block is widened once in registers and multiplied with up to as many lines as sums fit.

use super::{BLOCK, Format, Lines};

/// Runs `$rows::<FORMAT, N>` over groups of at most `$most` lines.
macro_rules! by_lines {
    ($rows:ident, $format:expr, $lines:expr, $weights:expr, $y:expr, [$($n:literal),*]) => {{
        let mut first = 0;
        while first < $lines.n {
            let left = $lines.n - first;
            $(if left >= $n {
                match $format {
                    Format::F32 => $rows::<F32, $n>($lines, first, $weights, $y),
                    Format::Q4_0 => $rows::<Q4_0, $n>($lines, first, $weights, $y),
                    Format::Q4_1 => $rows::<Q4_1, $n>($lines, first, $weights, $y),
                    Format::Q8_0 => $rows::<Q8_0, $n>($lines, first, $weights, $y),
                }
                first += $n;
                continue;
            })*
            break;
        }
    }};
}

const F32: u8 = 0;
const Q4_0: u8 = 1;
const Q4_1: u8 = 2;
const Q8_0: u8 = 3;

const fn block_bytes(format: u8) -> usize {
    match format {
        F32 => Format::F32.block_bytes(),
        Q4_0 => Format::Q4_0.block_bytes(),
        Q4_1 => Format::Q4_1.block_bytes(),
        _ => Format::Q8_0.block_bytes(),
    }
}

pub(super) mod avx512 {
    use std::arch::x86_64::*;

    use super::*;

    /// y (rows, n) = the packed rows times the lines.
    #[target_feature(enable = "avx512f,f16c")]
    pub(in super::super) fn rows(format: Format, lines: &Lines<'_>, weights: &[u8], y: &mut [f32]) {
        by_lines!(group, format, lines, weights, y, [8, 4, 2, 1]);
    }

    /// The same for the lines from `first` to `first + N`.
    #[target_feature(enable = "avx512f,f16c")]
    fn group<const FORMAT: u8, const N: usize>(lines: &Lines<'_>, first: usize, weights: &[u8], y: &mut [f32]) {
        let columns = lines.columns;
        let x = &lines.x[first * columns..(first + N) * columns];
        let row_bytes = columns / BLOCK * block_bytes(FORMAT);
        for (row, y) in weights.chunks_exact(row_bytes).zip(y.chunks_exact_mut(lines.n)) {
            let mut sums = [[_mm512_setzero_ps(); 2]; N];
            for (i, block) in row.chunks_exact(block_bytes(FORMAT)).enumerate() {
                let [low, high] = widen::<FORMAT>(block);
                for (line, [sum_low, sum_high]) in sums.iter_mut().enumerate() {
                    // SAFETY: block i of each line lies within the `columns` values of that line.
                    let (x_low, x_high) = unsafe {
                        let x = x.as_ptr().add(line * columns + i * BLOCK);
                        (_mm512_loadu_ps(x), _mm512_loadu_ps(x.add(16)))
                    };
                    *sum_low = _mm512_fmadd_ps(low, x_low, *sum_low);
                    *sum_high = _mm512_fmadd_ps(high, x_high, *sum_high);
                }
            }
            for (y, [low, high]) in y[first..first + N].iter_mut().zip(sums) {
                *y = _mm512_reduce_add_ps(_mm512_add_ps(low, high));
            }
        }
    }

    #[target_feature(enable = "avx512f,f16c")]
    #[inline]
    fn widen<const FORMAT: u8>(block: &[u8]) -> [__m512; 2] {
        assert!(block.len() == block_bytes(FORMAT), "one block");
        // SAFETY: all loads lie within the block, whose length was checked.
        unsafe {
            let bytes = block.as_ptr();
            match FORMAT {
                F32 => [_mm512_loadu_ps(bytes.cast()), _mm512_loadu_ps(bytes.add(64).cast())],
                Q8_0 => {
                    let scale = _mm512_broadcastss_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(first_half(block))));
                    let part = |at: usize| _mm512_cvtepi8_epi32(_mm_loadu_si128(bytes.add(at).cast()));
                    [2, 18].map(|at| _mm512_mul_ps(scale, _mm512_cvtepi32_ps(part(at))))
                }
                _ => {
                    let ascending = _mm512_setr_ps(
                        0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0,
                    );
                    // the sixteen values that a half-byte can stand for; a permutation looks them up by its lowest four bits
                    let (table, halves) = if FORMAT == Q4_1 {
                        let both = _mm_cvtph_ps(_mm_cvtsi32_si128(bytes.cast::<i32>().read_unaligned()));
                        let minimum = _mm512_broadcastss_ps(_mm_movehdup_ps(both));
                        (_mm512_fmadd_ps(ascending, _mm512_broadcastss_ps(both), minimum), bytes.add(4))
                    } else {
                        let scale = _mm512_broadcastss_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(first_half(block))));
                        (_mm512_mul_ps(_mm512_sub_ps(ascending, _mm512_set1_ps(8.0)), scale), bytes.add(2))
                    };
                    let halves = _mm512_cvtepu8_epi32(_mm_loadu_si128(halves.cast()));
                    [
                        _mm512_permutexvar_ps(halves, table),
                        _mm512_permutexvar_ps(_mm512_srli_epi32::<4>(halves), table),
                    ]
                }
            }
        }
    }
}

pub(super) mod avx2 {
    use std::arch::x86_64::*;

    use super::*;

    /// y (rows, n) = the packed rows times the lines.
    #[target_feature(enable = "avx2,fma,f16c")]
    pub(in super::super) fn rows(format: Format, lines: &Lines<'_>, weights: &[u8], y: &mut [f32]) {
        by_lines!(group, format, lines, weights, y, [4, 2, 1]);
    }

    /// The same for the lines from `first` to `first + N`.
    #[target_feature(enable = "avx2,fma,f16c")]
    fn group<const FORMAT: u8, const N: usize>(lines: &Lines<'_>, first: usize, weights: &[u8], y: &mut [f32]) {
        let columns = lines.columns;
        let x = &lines.x[first * columns..(first + N) * columns];
        let row_bytes = columns / BLOCK * block_bytes(FORMAT);
        for (row, y) in weights.chunks_exact(row_bytes).zip(y.chunks_exact_mut(lines.n)) {
            let mut sums = [[_mm256_setzero_ps(); 2]; N];
            for (i, block) in row.chunks_exact(block_bytes(FORMAT)).enumerate() {
                let parts = widen::<FORMAT>(block);
                for (line, sums) in sums.iter_mut().enumerate() {
                    for (part, weights) in parts.iter().enumerate() {
                        // SAFETY: block i of each line lies within the `columns` values of that line.
                        let x = unsafe { _mm256_loadu_ps(x.as_ptr().add(line * columns + i * BLOCK + 8 * part)) };
                        sums[part % 2] = _mm256_fmadd_ps(*weights, x, sums[part % 2]);
                    }
                }
            }
            for (y, [even, odd]) in y[first..first + N].iter_mut().zip(sums) {
                *y = sum(_mm256_add_ps(even, odd));
            }
        }
    }

    #[target_feature(enable = "avx2")]
    #[inline]
    fn sum(x: __m256) -> f32 {
        let four = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
        let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
        _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
    }

    #[target_feature(enable = "avx2,fma,f16c")]
    #[inline]
    fn widen<const FORMAT: u8>(block: &[u8]) -> [__m256; 4] {
        assert!(block.len() == block_bytes(FORMAT), "one block");
        // SAFETY: all loads lie within the block, whose length was checked.
        unsafe {
            let bytes = block.as_ptr();
            match FORMAT {
                F32 => [0, 32, 64, 96].map(|at| _mm256_loadu_ps(bytes.add(at).cast())),
                Q8_0 => {
                    let scale = _mm256_broadcastss_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(first_half(block))));
                    let part = |at: usize| _mm256_cvtepi8_epi32(_mm_loadl_epi64(bytes.add(at).cast()));
                    [2, 10, 18, 26].map(|at| _mm256_mul_ps(scale, _mm256_cvtepi32_ps(part(at))))
                }
                _ => {
                    let (scale, minimum, halves) = if FORMAT == Q4_1 {
                        let both = _mm_cvtph_ps(_mm_cvtsi32_si128(bytes.cast::<i32>().read_unaligned()));
                        let minimum = _mm256_broadcastss_ps(_mm_movehdup_ps(both));
                        (_mm256_broadcastss_ps(both), minimum, bytes.add(4))
                    } else {
                        let scale = _mm256_broadcastss_ps(_mm_cvtph_ps(_mm_cvtsi32_si128(first_half(block))));
                        (scale, _mm256_mul_ps(scale, _mm256_set1_ps(-8.0)), bytes.add(2))
                    };
                    let halves = _mm_loadu_si128(halves.cast());
                    let mask = _mm_set1_epi8(15);
                    let (low, high) = (_mm_and_si128(halves, mask), _mm_and_si128(_mm_srli_epi16::<4>(halves), mask));
                    let eight = |x: __m128i| _mm256_fmadd_ps(_mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(x)), scale, minimum);
                    [eight(low), eight(_mm_srli_si128::<8>(low)), eight(high), eight(_mm_srli_si128::<8>(high))]
                }
            }
        }
    }
}

/// The first two bytes of a block as the lower half of a number.
#[inline]
fn first_half(block: &[u8]) -> i32 {
    i32::from(u16::from_le_bytes([block[0], block[1]]))
}
