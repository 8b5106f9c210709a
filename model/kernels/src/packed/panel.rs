//! Weights for integer products: sixteen rows of a matrix side by side, a panel, each lane of a vector one row.
//!
//! A block of a panel holds the scales of its rows, their minima where the format has them, and vectors of 64 bytes: four neighbouring
//! columns of every row, in the order that the instructions want. Bytes are unsigned: half-bytes as they are, two a byte, signed bytes plus 128.
//! Scales and minima have sixteen bits where those of the file fit.

use half::f16;

use super::file_format::FileFormat;
use super::format::{BLOCK, Format};
use super::panel_task::PanelKernel;
use crate::Inputs;

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

/// How weights lie in panels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PanelFormat {
    /// The format of a row's block with wide scales.
    pub(super) format: Format,
    /// Whether scales and minima have sixteen bits instead of thirty-two.
    pub(super) is_short: bool,
    /// What multiplies them.
    pub(super) kernel: PanelKernel,
}

impl PanelFormat {
    /// That of the blocks of a file where they shall lie in panels: where integers are faster, and may stand for the inputs.
    pub(super) fn of(stored: FileFormat, bytes: &[u8], inputs: Inputs) -> Option<Self> {
        let kernel = PanelKernel::of_this_machine().filter(|_| inputs == Inputs::Integers)?;
        Self::with(kernel, stored, bytes)
    }

    /// The same for a kernel, at any precision; short where no scale or minimum is changed by it.
    pub(super) fn with(kernel: PanelKernel, stored: FileFormat, bytes: &[u8]) -> Option<Self> {
        let format = stored.format();
        let is_fit = matches!(format, Format::HalfBytes | Format::SignedBytes);
        is_fit.then(|| Self { format, is_short: stored.has_short_numbers(bytes), kernel })
    }

    /// Scales and minima of a row's block.
    const fn n_numbers(self) -> usize {
        if matches!(self.format, Format::HalfBytes) { 2 } else { 1 }
    }

    /// Bytes of the scales and minima at the beginning of a block.
    const fn numbers_bytes(self) -> usize {
        self.n_numbers() * PANEL * if self.is_short { 2 } else { 4 }
    }

    /// Bytes of a block of a panel.
    pub(super) const fn block_bytes(self) -> usize {
        self.numbers_bytes() + PANEL * (self.format.block_bytes() - 4 * self.n_numbers())
    }

    /// What is added to the bytes of weights.
    fn offset(self) -> u8 {
        if self.format == Format::SignedBytes { OFFSET } else { 0 }
    }

    /// Where byte `i` of a row's weights stands in the block of its panel.
    fn place(self, row: usize, i: usize) -> usize {
        self.numbers_bytes() + i / LANE * VECTOR_BYTES + row * LANE + self.kernel.places()[i % LANE]
    }

    /// Scale or minimum number `i` of a block of a panel.
    fn number(self, panel: &[u8], i: usize) -> f32 {
        match self.is_short {
            true => f16::from_ne_bytes([panel[2 * i], panel[2 * i + 1]]).to_f32(),
            false => f32::from_ne_bytes(panel.as_chunks().0[i]),
        }
    }

    /// Puts a row's block into the block of its panel.
    pub(super) fn scatter(self, block: &[u8], row: usize, panel: &mut [u8]) {
        let (numbers, weights) = block.split_at(4 * self.n_numbers());
        for (i, number) in numbers.as_chunks().0.iter().enumerate() {
            let at = i * PANEL + row;
            match self.is_short {
                true => {
                    let number = f16::from_f32(f32::from_ne_bytes(*number));
                    panel[2 * at..][..2].copy_from_slice(&number.to_ne_bytes());
                }
                false => panel[4 * at..][..4].copy_from_slice(number),
            }
        }
        for (i, weight) in weights.iter().enumerate() {
            panel[self.place(row, i)] = weight.wrapping_add(self.offset());
        }
    }

    /// The weights of a row's block, from the block of its panel.
    pub(super) fn widen(self, panel: &[u8], row: usize) -> [f32; BLOCK] {
        let mut block = [0u8; MOST_BYTES];
        let block = &mut block[..self.format.block_bytes()];
        let (numbers, weights) = block.split_at_mut(4 * self.n_numbers());
        for (i, number) in numbers.as_chunks_mut().0.iter_mut().enumerate() {
            *number = self.number(panel, i * PANEL + row).to_ne_bytes();
        }
        for (i, weight) in weights.iter_mut().enumerate() {
            *weight = panel[self.place(row, i)].wrapping_sub(self.offset());
        }
        self.format.widen(block)
    }

    /// The row of the first scale or minimum that is not finite in a block of a panel.
    pub(super) fn first_not_finite(self, panel: &[u8]) -> Option<usize> {
        let is_bad = |row: &usize| (0..self.n_numbers()).any(|i| !self.number(panel, i * PANEL + row).is_finite());
        (0..PANEL).find(is_bad)
    }
}
