//! Products with rows of f32 that lie as they are, on this thread: what attention does with keys and values, and a delta with its second
//! factor. Sums run in one order, whatever lines stand beside each other and however the rows are cut into stretches.

// sums stay in registers where indices are constant after unrolling
#![allow(clippy::needless_range_loop)]

use std::ops::Range;

use super::as_bytes;
use super::format::Format;
use super::kernel::{Kernel, Lines, Target, Task, VECTOR};
use super::portable::dot;

/// Columns whose sums plain loops keep in registers.
const WIDTH: usize = 64;

/// Products of every line with every row: lines (n, width), rows (m, width) → target (n, m), whose lines lie `stride` apart.
pub fn dot_products(lines: &[f32], rows: &[f32], width: usize, target: &mut [f32], stride: usize) {
    dot_products_by(Kernel::of_this_machine(), lines, rows, width, (target, stride));
}

fn dot_products_by(kernel: Kernel, lines: &[f32], rows: &[f32], width: usize, (target, stride): (&mut [f32], usize)) {
    let (n, m) = (lines.len() / width, rows.len() / width);
    if n == 0 || m == 0 {
        return;
    }
    assert!(lines.len() == n * width && rows.len() == m * width, "whole lines and rows");
    assert!(m <= stride && (n - 1) * stride + m <= target.len(), "the target fits its strides");
    if !width.is_multiple_of(VECTOR) {
        for (line, target) in lines.chunks_exact(width).zip(target.chunks_mut(stride)) {
            target.iter_mut().zip(rows.chunks_exact(width)).for_each(|(sum, row)| *sum = dot(row, |x| *x, line));
        }
        return;
    }
    let lines = Lines { x: lines, n, columns: width };
    let target = Target { values: target.as_mut_ptr(), width: stride };
    kernel.run(&Task { format: Format::F32, weights: as_bytes(rows), n_rows: m, lines, target });
}

/// Sums of the same rows, each line with its own weights.
#[derive(Clone, Copy)]
pub struct WeightedRows<'a> {
    /// (n, m), lines `stride` apart.
    pub weights: &'a [f32],
    /// Weights from the beginning of a line to that of the next.
    pub stride: usize,
    /// (m, width)
    pub rows: &'a [f32],
    /// Width of a row.
    pub width: usize,
}

impl WeightedRows<'_> {
    /// y (n, width) += weights (n, m) · rows (m, width)
    pub fn add_to(&self, y: &mut [f32]) {
        self.add_by(Kernel::of_this_machine(), y);
    }

    fn add_by(&self, kernel: Kernel, y: &mut [f32]) {
        let (n, m) = (y.len() / self.width, self.n_rows());
        if n == 0 || m == 0 {
            return;
        }
        assert!(y.len() == n * self.width && self.rows.len() == m * self.width, "whole lines and rows");
        assert!((n - 1) * self.stride + m <= self.weights.len(), "the weights fit their strides");
        match kernel {
            Kernel::Portable => self.add_columns(0..n, 0..self.width, y),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: the value exists only where the processor was asked, and sizes were checked above.
            Kernel::Avx2 => unsafe { avx2::add(self, y) },
            #[cfg(target_arch = "x86_64")]
            // SAFETY: as above.
            Kernel::Avx512 => unsafe { avx512::add(self, y) },
        }
    }

    fn n_rows(&self) -> usize {
        self.rows.len() / self.width
    }

    /// Some columns of some lines of y.
    fn add_columns(&self, lines: Range<usize>, columns: Range<usize>, y: &mut [f32]) {
        for line in lines {
            let weights = &self.weights[line * self.stride..][..self.n_rows()];
            for (chunk, y) in y[line * self.width..][columns.clone()].chunks_mut(WIDTH).enumerate() {
                let first = columns.start + chunk * WIDTH;
                let rows = self.rows.chunks_exact(self.width).map(|row| &row[first..]);
                add_weighted(weights.iter().copied().zip(rows), y);
            }
        }
    }
}

/// y += Σ weight · row, over as many columns as y has.
fn add_weighted<'a>(rows: impl Iterator<Item = (f32, &'a [f32])>, y: &mut [f32]) {
    // a loop of fixed length stays in registers
    if let Ok(y) = <&mut [f32; WIDTH]>::try_from(&mut *y) {
        let mut sums = *y;
        for (weight, row) in rows {
            for (sum, value) in sums.iter_mut().zip(&row[..WIDTH]) {
                *sum += weight * value;
            }
        }
        *y = sums;
        return;
    }
    for (weight, row) in rows {
        y.iter_mut().zip(row).for_each(|(sum, value)| *sum += weight * value);
    }
}

/// What both instruction sets share; `$lines` are the heights of tiles, descending to 1.
#[cfg(target_arch = "x86_64")]
macro_rules! tiles {
    ($features:literal, $vector:ty, [$($lines:literal),*], $vectors:literal, $zero:ident, $load:ident, $splat:ident, $add:ident, $store:ident) => {
        use std::arch::x86_64::*;

        use super::WeightedRows;

        const LANES: usize = size_of::<$vector>() / 4;

        /// y += weights · rows
        ///
        /// # Safety
        /// Lines, rows and weights are whole, see [`WeightedRows::add_to`].
        #[target_feature(enable = $features)]
        pub(super) unsafe fn add(sums: &WeightedRows<'_>, y: &mut [f32]) {
            let n = y.len() / sums.width;
            let mut first = 0;
            while first < n {
                $(if n - first >= $lines {
                    // SAFETY: the lines are there.
                    unsafe { add_lines::<$lines>(sums, first, y) };
                    first += $lines;
                    continue;
                })*
            }
        }

        /// # Safety
        /// As [`add`]; the lines from `first` on are there.
        #[target_feature(enable = $features)]
        unsafe fn add_lines<const LINES: usize>(sums: &WeightedRows<'_>, first: usize, y: &mut [f32]) {
            let mut column = 0;
            // SAFETY: the columns are there.
            unsafe {
                while column + $vectors * LANES <= sums.width {
                    tile::<LINES, $vectors>(sums, first, column, y);
                    column += $vectors * LANES;
                }
                while column + LANES <= sums.width {
                    tile::<LINES, 1>(sums, first, column, y);
                    column += LANES;
                }
            }
            sums.add_columns(first..first + LINES, column..sums.width, y);
        }

        /// Some vectors of columns of some lines.
        ///
        /// # Safety
        /// As [`add_lines`]; the columns from `column` on are there.
        #[target_feature(enable = $features)]
        unsafe fn tile<const LINES: usize, const VECTORS: usize>(
            sums: &WeightedRows<'_>,
            first: usize,
            column: usize,
            y: &mut [f32],
        ) {
            let WeightedRows { weights, stride, rows, width } = *sums;
            let y = y[first * width..(first + LINES) * width].as_mut_ptr().wrapping_add(column);
            let weights = weights[first * stride..].as_ptr();
            let mut totals = [[$zero(); VECTORS]; LINES];
            // SAFETY: lines of y and rows have `width` values, lines of weights one a row.
            unsafe {
                for line in 0..LINES {
                    for i in 0..VECTORS {
                        totals[line][i] = $load(y.add(line * width + i * LANES));
                    }
                }
                for row in 0..sums.n_rows() {
                    let values = rows.as_ptr().add(row * width + column);
                    let mut vectors = [$zero(); VECTORS];
                    for i in 0..VECTORS {
                        vectors[i] = $load(values.add(i * LANES));
                    }
                    for line in 0..LINES {
                        let weight = $splat(*weights.add(line * stride + row));
                        for i in 0..VECTORS {
                            totals[line][i] = $add(weight, vectors[i], totals[line][i]);
                        }
                    }
                }
                for line in 0..LINES {
                    for i in 0..VECTORS {
                        $store(y.add(line * width + i * LANES), totals[line][i]);
                    }
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    tiles!(
        "avx512f,avx512vl,avx2,fma",
        __m512,
        [4, 3, 2, 1],
        4,
        _mm512_setzero_ps,
        _mm512_loadu_ps,
        _mm512_set1_ps,
        _mm512_fmadd_ps,
        _mm512_storeu_ps
    );
}

#[cfg(target_arch = "x86_64")]
mod avx2 {
    tiles!(
        "avx2,fma",
        __m256,
        [4, 3, 2, 1],
        2,
        _mm256_setzero_ps,
        _mm256_loadu_ps,
        _mm256_set1_ps,
        _mm256_fmadd_ps,
        _mm256_storeu_ps
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(n: usize, step: f32) -> Vec<f32> {
        (0..n).map(|i| (i as f32 * step).sin()).collect()
    }

    /// Σ over `terms`, in f64, and of their sizes.
    fn sum(terms: impl Iterator<Item = (f32, f32)>) -> (f64, f64) {
        terms.map(|(a, b)| f64::from(a) * f64::from(b)).fold((0.0, 0.0), |(s, size), x| (s + x, size + x.abs()))
    }

    #[test]
    fn products_of_every_kernel_are_right_and_alike_for_any_lines() {
        for kernel in Kernel::all_of_this_machine() {
            for (n, m, width) in [(1, 1, 16), (7, 9, 64), (13, 30, 80), (3, 5, 24), (2, 4, 6)] {
                let (lines, rows, stride) = (values(n * width, 0.37), values(m * width, 0.61), m + 3);
                let mut target = vec![f32::NAN; (n - 1) * stride + m];
                dot_products_by(kernel, &lines, &rows, width, (&mut target, stride));
                for line in 0..n {
                    let one = &lines[line * width..][..width];
                    let got = &target[line * stride..][..m];
                    for (row, got) in rows.chunks_exact(width).zip(got) {
                        let (expected, size) = sum(one.iter().copied().zip(row.iter().copied()));
                        assert!((f64::from(*got) - expected).abs() <= 1e-6 * size, "{kernel:?} {width}");
                    }
                    let mut alone = vec![0.0; m];
                    dot_products_by(kernel, one, &rows, width, (&mut alone, m));
                    assert_eq!(got, alone, "{kernel:?} {width}");
                }
                assert!(n == 1 || target[m..stride].iter().all(|x| x.is_nan()), "nothing beside the target is written");
            }
        }
    }

    #[test]
    fn weighted_rows_of_every_kernel_are_right_and_alike_for_any_lines_and_stretches() {
        for kernel in Kernel::all_of_this_machine() {
            for (n, m, width) in [(1, 1, 16), (7, 9, 64), (11, 40, 90), (3, 5, 7), (4, 2, 200)] {
                let (stride, rows) = (m + 2, values(m * width, 0.61));
                let weights = values(n * stride, 0.43);
                let whole = WeightedRows { weights: &weights, stride, rows: &rows, width };
                let mut y = vec![1.0; n * width];
                whole.add_by(kernel, &mut y);
                for (line, got) in y.chunks_exact(width).enumerate() {
                    let weights = &weights[line * stride..][..m];
                    for (column, got) in got.iter().enumerate() {
                        let terms =
                            weights.iter().enumerate().map(|(row, &weight)| (weight, rows[row * width + column]));
                        let (expected, size) = sum(terms.chain([(1.0, 1.0)]));
                        assert!((f64::from(*got) - expected).abs() <= 1e-6 * size, "{kernel:?} {width}");
                    }
                    // a line alone, and its rows in two stretches
                    let mut alone = vec![1.0; width];
                    let (before, after) = rows.split_at(m / 2 * width);
                    WeightedRows { weights, rows: before, ..whole }.add_by(kernel, &mut alone);
                    WeightedRows { weights: &weights[m / 2..], rows: after, ..whole }.add_by(kernel, &mut alone);
                    assert_eq!(got, alone, "{kernel:?} {width}");
                }
            }
        }
    }
}
