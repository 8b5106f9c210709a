//! The work of one task: some panels of a matrix times some lines, by the instructions that the processor has.

use super::fixed::FixedBlock;
use super::kernel::Target;
use super::panel::{PANEL, PanelFormat};
#[cfg(target_arch = "x86_64")]
use super::{panel_avx2, panel_vnni};

/// Which instructions multiply panels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PanelKernel {
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Vnni,
}

impl PanelKernel {
    pub(super) fn all_of_this_machine() -> Vec<Self> {
        #[cfg_attr(not(target_arch = "x86_64"), allow(unused_mut))]
        let mut kernels = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if panel_avx2::is_there() {
                kernels.push(Self::Avx2);
            }
            if panel_vnni::is_there() {
                kernels.push(Self::Vnni);
            }
        }
        kernels
    }

    /// The fastest, where the processor has instructions for panels.
    pub(super) fn of_this_machine() -> Option<Self> {
        static BEST: std::sync::OnceLock<Option<PanelKernel>> = std::sync::OnceLock::new();
        *BEST.get_or_init(|| Self::all_of_this_machine().pop())
    }

    /// Whether integers of lines are wanted as all high bytes of a block and then all low ones, instead of one after the other.
    pub(super) fn wants_bytes_apart(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => false,
            #[cfg(target_arch = "x86_64")]
            Self::Vnni => true,
        }
    }

    /// Where in a lane each of its four columns stands. Instructions for sixteen bits take every other byte.
    pub(super) fn places(self) -> [usize; 4] {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => [0, 2, 1, 3],
            #[cfg(target_arch = "x86_64")]
            Self::Vnni => [0, 1, 2, 3],
        }
    }

    /// What it is called.
    pub(super) fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "AVX2",
            #[cfg(target_arch = "x86_64")]
            Self::Vnni => "AVX-512 VNNI",
        }
    }
}

/// Some panels of a matrix times some lines.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
#[derive(Clone, Copy)]
pub(super) struct PanelTask<'a> {
    pub(super) format: PanelFormat,
    pub(super) panels: &'a [u8],
    /// Rows of the matrix in the panels.
    pub(super) n_rows: usize,
    /// As many blocks a line as a panel has, line after line.
    pub(super) lines: &'a [FixedBlock],
    /// From the result of the first line and the first row on.
    pub(super) target: Target,
}

impl<'a> PanelTask<'a> {
    /// The same work in tasks of some rows each.
    pub(super) fn split(self, n_rows: usize) -> impl Iterator<Item = Self> {
        let n_rows = n_rows.next_multiple_of(PANEL).max(PANEL);
        let panel_bytes = self.panels.len() / self.n_rows.div_ceil(PANEL);
        let parts = self.panels.chunks(n_rows / PANEL * panel_bytes).enumerate();
        parts.map(move |(i, panels)| {
            // SAFETY: the rows' results lie within those of the whole.
            let values = unsafe { self.target.values.add(i * n_rows) };
            let n_rows = n_rows.min(self.n_rows - i * n_rows);
            Self { panels, n_rows, target: Target { values, ..self.target }, ..self }
        })
    }

    /// Computes and stores the products.
    pub(super) fn run(&self) {
        for task in self.split(PANEL) {
            match task.format.kernel {
                #[cfg(target_arch = "x86_64")]
                // SAFETY: the value exists only where the processor was asked, see `all_of_this_machine`.
                PanelKernel::Avx2 => unsafe { panel_avx2::panel(&task) },
                #[cfg(target_arch = "x86_64")]
                // SAFETY: as above.
                PanelKernel::Vnni => unsafe { panel_vnni::panel(&task) },
            }
        }
    }

    /// Blocks of the one panel, and lines, of a task whose panels are one.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
    pub(super) fn n_blocks_and_lines(&self) -> (usize, usize) {
        let size = self.format.block_bytes();
        let n_blocks = self.panels.len() / size;
        assert!(n_blocks > 0 && self.panels.len() == n_blocks * size, "whole blocks");
        assert!(self.lines.len().is_multiple_of(n_blocks), "whole lines");
        (n_blocks, self.lines.len() / n_blocks)
    }
}

/// What kernels of panels share: the entry point, and tiles of lines, whose heights `$lines` descend to 1.
#[cfg(target_arch = "x86_64")]
macro_rules! panel_entry {
    ($features:literal, [$($lines:literal),*]) => {
        /// The products of one panel with all lines of a task, whose panels are that one.
        ///
        /// # Safety
        /// The processor has these instructions, see [`is_there`].
        pub(super) unsafe fn panel(task: &PanelTask<'_>) {
            // SAFETY: the caller's promise.
            unsafe {
                match (task.format.format, task.format.is_short) {
                    (Format::HalfBytes, true) => tiles::<true, true>(task),
                    (Format::HalfBytes, false) => tiles::<true, false>(task),
                    (_, true) => tiles::<false, true>(task),
                    (_, false) => tiles::<false, false>(task),
                }
            }
        }

        #[target_feature(enable = $features)]
        fn tiles<const HALVES: bool, const SHORT: bool>(task: &PanelTask<'_>) {
            let (n_blocks, n) = task.n_blocks_and_lines();
            let mut first = 0;
            while first < n {
                let left = n - first;
                $(if left >= $lines {
                    tile::<$lines, HALVES, SHORT>(task, first, n_blocks);
                    first += $lines;
                    continue;
                })*
            }
        }
    };
}
#[cfg(target_arch = "x86_64")]
pub(super) use panel_entry;
