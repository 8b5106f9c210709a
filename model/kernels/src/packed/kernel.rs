//! The work of one task: some rows of a matrix times some lines, by the instructions that the processor has.

use super::format::{BLOCK, Format};
use super::portable;
#[cfg(target_arch = "x86_64")]
use super::x86;
#[cfg(target_arch = "x86_64")]
use crate::vectorised::has_avx2;

/// Rows that a kernel works on at a time.
pub(super) const GROUP: usize = 4;
/// Bytes of the lines whose products with a group of rows are computed together: they stay in the second cache.
const LINES_BYTES: usize = 1 << 19;
/// Lines whose products are computed together are a multiple of this: of the heights of tiles of f32 and of panels.
const TILE_LINES: usize = 24;
/// Columns of f32 matrices are a multiple of this.
pub(super) const VECTOR: usize = 16;

/// Inputs of a product.
#[derive(Clone, Copy)]
pub(super) struct Lines<'a> {
    /// (n, columns)
    pub(super) x: &'a [f32],
    pub(super) n: usize,
    pub(super) columns: usize,
}

impl<'a> Lines<'a> {
    /// Lines of a block, in whole tiles.
    pub(super) fn block(&self) -> usize {
        (LINES_BYTES / (4 * self.columns)).next_multiple_of(TILE_LINES).max(TILE_LINES)
    }

    /// The lines in blocks, each with the number of its first.
    pub(super) fn blocks(self) -> impl Iterator<Item = (usize, Self)> {
        let n = self.block();
        let block = move |(i, x): (usize, &'a [f32])| (i * n, Self { x, n: x.len() / self.columns, ..self });
        self.x.chunks(n * self.columns).enumerate().map(block)
    }
}

/// Results of a product, (n, out), of which a task writes a rectangle.
#[derive(Clone, Copy)]
pub(super) struct Target {
    pub(super) values: *mut f32,
    pub(super) width: usize,
}

// SAFETY: tasks write rectangles that do not overlap.
unsafe impl Send for Target {}
// SAFETY: as above.
unsafe impl Sync for Target {}

/// Some rows of a matrix times some lines.
#[derive(Clone, Copy)]
pub(super) struct Task<'a> {
    pub(super) format: Format,
    /// The bytes of `n_rows` rows, in whole groups unless they are f32.
    pub(super) weights: &'a [u8],
    pub(super) n_rows: usize,
    pub(super) lines: Lines<'a>,
    /// From the result of the first line and the first row on.
    pub(super) target: Target,
}

/// Which instructions do the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kernel {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Kernel {
    pub(super) fn all_of_this_machine() -> Vec<Self> {
        #[cfg_attr(not(target_arch = "x86_64"), allow(unused_mut))]
        let mut kernels = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if has_avx2() {
                kernels.push(Self::Avx2);
            }
            if has_avx2() && is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl") {
                kernels.push(Self::Avx512);
            }
        }
        kernels
    }

    pub(super) fn of_this_machine() -> Self {
        static BEST: std::sync::OnceLock<Kernel> = std::sync::OnceLock::new();
        *BEST.get_or_init(|| Self::all_of_this_machine().pop().unwrap_or(Self::Portable))
    }

    pub(super) fn run(self, task: &Task<'_>) {
        let row_bytes = task.format.row_bytes(task.lines.columns);
        for (group, weights) in task.weights.chunks(GROUP * row_bytes).enumerate() {
            // SAFETY: the group's results lie within the task's rectangle.
            let target = Target { values: unsafe { task.target.values.add(group * GROUP) }, ..task.target };
            let n_rows = GROUP.min(task.n_rows - group * GROUP);
            let group = Task { weights, n_rows, target, ..*task };
            match self {
                Self::Portable => portable::group(&group),
                #[cfg(target_arch = "x86_64")]
                // SAFETY: the value exists only where the processor was asked, see `all_of_this_machine`.
                Self::Avx2 => unsafe { x86::avx2::group(&group) },
                #[cfg(target_arch = "x86_64")]
                // SAFETY: as above.
                Self::Avx512 => unsafe { x86::avx512::group(&group) },
            }
        }
    }
}

impl<'a> Task<'a> {
    /// The same work in tasks of some rows each.
    pub(super) fn split(self, n_rows: usize) -> impl Iterator<Item = Self> {
        let n_rows = n_rows.next_multiple_of(GROUP).max(GROUP);
        let row_bytes = self.format.row_bytes(self.lines.columns);
        let parts = self.weights.chunks(n_rows * row_bytes).enumerate();
        parts.map(move |(i, weights)| {
            // SAFETY: the rows' results lie within those of the whole.
            let values = unsafe { self.target.values.add(i * n_rows) };
            let n_rows = n_rows.min(self.n_rows - i * n_rows);
            Self { weights, n_rows, target: Target { values, ..self.target }, ..self }
        })
    }

    /// Where in the widened rows of a group its quantised block number `place` belongs.
    pub(super) fn widened_place(&self, place: usize) -> usize {
        place % GROUP * self.lines.columns + place / GROUP * BLOCK
    }

    /// Stores the sums of line `line` with the rows of a group.
    pub(super) fn store(&self, line: usize, sums: [f32; GROUP]) {
        // SAFETY: the line is one of the task's and `n_rows` of its columns follow the target's first.
        unsafe {
            let target = self.target.values.add(line * self.target.width);
            std::ptr::copy_nonoverlapping(sums.as_ptr(), target, self.n_rows);
        }
    }
}
