//! Weights for integer products: sixteen rows of a matrix side by side, a panel, each lane of a vector one row.
//!
//! A block of a panel holds the scales of its rows, their minima where the format has them, and vectors of 64 bytes: four neighbouring
//! columns of every row, as instructions that multiply and add four bytes a lane want them. Bytes are unsigned: half-bytes as they are, two
//! a byte, signed bytes plus 128.

use super::fixed::FixedBlock;
use super::format::{BLOCK, Format};
use super::kernel::Target;
use crate::{MatmulPrecision, matmul_precision};

/// Rows of a panel.
pub(super) const PANEL: usize = 16;
/// Neighbouring columns in a lane.
const LANE: usize = 4;
/// Bytes of a vector.
pub(super) const VECTOR_BYTES: usize = PANEL * LANE;
/// What is added to signed bytes.
pub(super) const OFFSET: u8 = 128;
/// Most bytes of a block in memory, of the formats that go into panels.
const MOST_BYTES: usize = Format::SignedBytes.block_bytes();

/// Whether weights of this format shall lie in panels.
pub(super) fn takes(format: Format) -> bool {
    can_take(format) && matmul_precision() == MatmulPrecision::High
}

/// Whether weights of this format can be multiplied in panels on this machine.
pub(super) fn can_take(format: Format) -> bool {
    matches!(format, Format::HalfBytes | Format::SignedBytes) && is_fast()
}

/// Whether the processor has instructions for panels.
fn is_fast() -> bool {
    #[cfg(target_arch = "x86_64")]
    return super::vnni::is_there();
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Some panels of a matrix times some lines.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
#[derive(Clone, Copy)]
pub(super) struct PanelTask<'a> {
    pub(super) format: Format,
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
    #[cfg(not(target_arch = "x86_64"))]
    pub(super) fn run(&self) {
        unreachable!("panels are made where the processor has instructions for them");
    }

    /// Computes and stores the products.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn run(&self) {
        assert!(is_fast(), "panels are made where the processor has instructions for them");
        for task in self.split(PANEL) {
            // SAFETY: the processor was just asked.
            unsafe { super::vnni::panel(&task) };
        }
    }
}

/// Bytes of a block of a panel.
pub(super) const fn block_bytes(format: Format) -> usize {
    PANEL * format.block_bytes()
}

/// Bytes of the scales and minima at the beginning of a block of a panel.
const fn numbers_bytes(format: Format) -> usize {
    match format {
        Format::HalfBytes => 8 * PANEL,
        _ => 4 * PANEL,
    }
}

/// What is added to the bytes of weights of a format.
fn offset(format: Format) -> u8 {
    if format == Format::SignedBytes { OFFSET } else { 0 }
}

/// Where byte `i` of a row's weights stands in the block of its panel.
fn place(format: Format, row: usize, i: usize) -> usize {
    numbers_bytes(format) + i / LANE * VECTOR_BYTES + row * LANE + i % LANE
}

/// Puts a row's block into the block of its panel.
pub(super) fn scatter(format: Format, block: &[u8], row: usize, panel: &mut [u8]) {
    let (numbers, weights) = block.split_at(numbers_bytes(format) / PANEL);
    for (i, number) in numbers.chunks_exact(4).enumerate() {
        panel[4 * (i * PANEL + row)..][..4].copy_from_slice(number);
    }
    for (i, weight) in weights.iter().enumerate() {
        panel[place(format, row, i)] = weight.wrapping_add(offset(format));
    }
}

/// The weights of a row's block, from the block of its panel.
pub(super) fn widen(format: Format, panel: &[u8], row: usize) -> [f32; BLOCK] {
    let mut block = [0u8; MOST_BYTES];
    let block = &mut block[..format.block_bytes()];
    let (numbers, weights) = block.split_at_mut(numbers_bytes(format) / PANEL);
    for (i, number) in numbers.chunks_exact_mut(4).enumerate() {
        number.copy_from_slice(&panel[4 * (i * PANEL + row)..][..4]);
    }
    for (i, weight) in weights.iter_mut().enumerate() {
        *weight = panel[place(format, row, i)].wrapping_sub(offset(format));
    }
    format.widen(block)
}

/// The row of the first scale or minimum that is not finite in a block of a panel.
pub(super) fn first_not_finite(format: Format, panel: &[u8]) -> Option<usize> {
    let numbers = panel[..numbers_bytes(format)].as_chunks().0;
    let is_bad = |row: &usize| numbers.iter().skip(*row).step_by(PANEL).any(|x| !f32::from_ne_bytes(*x).is_finite());
    (0..PANEL).find(is_bad)
}
