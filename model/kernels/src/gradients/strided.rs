//! Products of matrices that lie with strides in larger ones: one head of a packed row.

/// Where the lines of one head lie in a packed matrix.
#[derive(Clone, Copy)]
pub(super) struct Lines {
    pub(super) offset: usize,
    pub(super) stride: usize,
}

impl Lines {
    pub(super) fn of(self, values: &[f32]) -> Matrix<'_> {
        Matrix { values: &values[self.offset..], row_stride: self.stride, column_stride: 1 }
    }

    pub(super) fn target(self, values: &mut [f32]) -> Target<'_> {
        Target { values: &mut values[self.offset..], row_stride: self.stride }
    }
}

/// A strided matrix to read.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    values: &'a [f32],
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// Lines of `width` values without gaps.
    pub(super) fn packed(values: &'a [f32], width: usize) -> Self {
        Self { values, row_stride: width, column_stride: 1 }
    }

    pub(super) fn transposed(self) -> Self {
        Self { values: self.values, row_stride: self.column_stride, column_stride: self.row_stride }
    }

    fn holds(&self, rows: usize, columns: usize) -> bool {
        (rows - 1) * self.row_stride + (columns - 1) * self.column_stride < self.values.len()
    }
}

/// A matrix with adjacent columns to write.
pub(super) struct Target<'a> {
    values: &'a mut [f32],
    row_stride: usize,
}

impl<'a> Target<'a> {
    /// Lines of `width` values without gaps.
    pub(super) fn packed(values: &'a mut [f32], width: usize) -> Self {
        Self { values, row_stride: width }
    }
}

/// target (m, n) = lhs (m, k) · rhs (k, n), or added to it, on this thread.
pub(super) fn multiply(target: &mut Target<'_>, lhs: Matrix<'_>, rhs: Matrix<'_>, sizes: [usize; 3], add: bool) {
    scaled_product(target, lhs, rhs, sizes, Scaled { scale: 1.0, add }, gemm::Parallelism::None);
}

/// What becomes of a product.
#[derive(Clone, Copy)]
pub(super) struct Scaled {
    pub(super) scale: f32,
    /// Added to the target instead of replacing it.
    pub(super) add: bool,
}

/// target (m, n) = scale · lhs (m, k) · rhs (k, n), or added to it, on all threads.
pub(super) fn multiply_in_parallel(
    target: &mut Target<'_>,
    lhs: Matrix<'_>,
    rhs: Matrix<'_>,
    sizes: [usize; 3],
    scaled: Scaled,
) {
    let threads = candle_core::utils::get_num_threads();
    let parallelism = if threads > 1 { gemm::Parallelism::Rayon(threads) } else { gemm::Parallelism::None };
    scaled_product(target, lhs, rhs, sizes, scaled, parallelism);
}

fn scaled_product(
    target: &mut Target<'_>,
    lhs: Matrix<'_>,
    rhs: Matrix<'_>,
    [m, n, k]: [usize; 3],
    Scaled { scale, add }: Scaled,
    parallelism: gemm::Parallelism,
) {
    assert!(m > 0 && n > 0 && k > 0 && lhs.holds(m, k) && rhs.holds(k, n), "matrices fit their strides");
    assert!((m - 1) * target.row_stride + n <= target.values.len(), "the target fits its strides");
    // SAFETY: every index that the strides reach was checked against the slices above.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            target.values.as_mut_ptr(),
            1,
            target.row_stride as isize,
            add,
            lhs.values.as_ptr(),
            lhs.column_stride as isize,
            lhs.row_stride as isize,
            rhs.values.as_ptr(),
            rhs.column_stride as isize,
            rhs.row_stride as isize,
            1f32,
            scale,
            false,
            false,
            false,
            parallelism,
        );
    }
}
