//! A matrix of packed weights, and reading single numbers of it.

use candle_core::{Device, Result, Tensor};
use rayon::prelude::*;

use super::file_format::FileFormat;
use super::format::{BLOCK, Format};
use super::kernel::{GROUP, VECTOR};
use super::panel::{PANEL, PanelFormat};
use super::panel_task::PanelKernel;
use crate::gradients::View;
use crate::{Inputs, is_plain};

/// A matrix of packed weights.
#[derive(Debug)]
pub struct PackedMatrix {
    pub(super) format: Format,
    pub(super) bytes: Bytes,
    pub(super) rows: usize,
    pub(super) columns: usize,
}

#[derive(Debug)]
pub(super) enum Bytes {
    /// In groups of rows.
    Own(Vec<u8>),
    /// In panels, for integer products.
    Panels(PanelFormat, Vec<u8>),
    /// An f32 tensor without gaps.
    Tensor(Tensor),
}

impl Bytes {
    /// What multiplies panels.
    pub(super) fn panel_kernel(&self) -> Option<PanelKernel> {
        match self {
            Self::Panels(format, _) => Some(format.kernel),
            Self::Own(_) | Self::Tensor(_) => None,
        }
    }

    /// The values of a tensor.
    pub(super) fn view(&self) -> Option<View<'_>> {
        match self {
            Self::Tensor(tensor) => Some(View::new(tensor)),
            Self::Own(_) | Self::Panels(..) => None,
        }
    }
}

impl PackedMatrix {
    /// Takes the bytes of (rows, columns) weights from a file; `None` when rows are no whole blocks or the bytes are not theirs.
    pub fn new(stored: FileFormat, bytes: &[u8], (rows, columns): (usize, usize), inputs: Inputs) -> Option<Self> {
        let block = BLOCK * stored.parts();
        let fits = columns > 0 && columns.is_multiple_of(block) && rows > 0;
        let row_bytes = (columns / block).checked_mul(stored.block_bytes())?;
        if !fits || bytes.len() != row_bytes.checked_mul(rows)? {
            return None;
        }
        Some(Self::converted(stored, bytes, (rows, columns), PanelFormat::of(stored, bytes, inputs)))
    }

    /// The bytes of whole blocks of a file in groups of rows or in panels.
    pub(super) fn converted(
        stored: FileFormat,
        bytes: &[u8],
        (rows, columns): (usize, usize),
        panels: Option<PanelFormat>,
    ) -> Self {
        let format = stored.format();
        let size = format.block_bytes();
        let (n_together, blocks_bytes) = match panels {
            Some(panels) => (PANEL, panels.block_bytes()),
            None => (GROUP, GROUP * size),
        };
        let row_bytes = columns / (BLOCK * stored.parts()) * stored.block_bytes();
        let group_bytes = columns / BLOCK * blocks_bytes;
        let mut converted = vec![0; rows.div_ceil(n_together) * group_bytes];
        let convert_group = |(group, rows): (&mut [u8], &[u8])| {
            let mut one = vec![0; size];
            for (row, blocks) in rows.chunks_exact(row_bytes).enumerate() {
                for (i, block) in blocks.chunks_exact(stored.block_bytes()).enumerate() {
                    for part in 0..stored.parts() {
                        stored.convert(block, part, &mut one);
                        let together = &mut group[(i * stored.parts() + part) * blocks_bytes..][..blocks_bytes];
                        match panels {
                            Some(panels) => panels.scatter(&one, row, together),
                            None => together[row * size..][..size].copy_from_slice(&one),
                        }
                    }
                }
            }
        };
        converted.par_chunks_mut(group_bytes).zip(bytes.par_chunks(n_together * row_bytes)).for_each(convert_group);
        let bytes = match panels {
            Some(panels) => Bytes::Panels(panels, converted),
            None => Bytes::Own(converted),
        };
        Self { format, bytes, rows, columns }
    }

    /// An f32 matrix on the CPU, without copying it; `None` when its rows are no whole vectors.
    pub fn from_tensor(matrix: &Tensor) -> Option<Self> {
        let (rows, columns) = matrix.dims2().ok()?;
        let fits = columns > 0 && columns.is_multiple_of(VECTOR) && rows > 0;
        let is_fit = fits && is_plain(matrix) && matrix.is_contiguous() && !matrix.track_op();
        is_fit.then(|| Self { format: Format::F32, bytes: Bytes::Tensor(matrix.clone()), rows, columns })
    }

    /// (rows, columns) in f32.
    pub fn widened(&self) -> Result<Tensor> {
        match &self.bytes {
            Bytes::Tensor(tensor) => Ok(tensor.clone()),
            Bytes::Own(_) | Bytes::Panels(..) => {
                let mut values = vec![0f32; self.rows * self.columns];
                values.par_chunks_exact_mut(self.columns).enumerate().for_each(|(row, values)| {
                    values.as_chunks_mut().0.iter_mut().enumerate().for_each(|(i, to)| *to = self.block(row, i));
                });
                Tensor::from_vec(values, (self.rows, self.columns), &Device::Cpu)
            }
        }
    }

    /// The rows with these indices, (n, columns); every index is below the number of rows.
    pub fn select(&self, rows: &[u32]) -> Result<Tensor> {
        match &self.bytes {
            Bytes::Tensor(tensor) => tensor.index_select(&Tensor::new(rows, &Device::Cpu)?, 0),
            Bytes::Own(_) | Bytes::Panels(..) => {
                let mut values = Vec::with_capacity(rows.len() * self.columns);
                for &row in rows {
                    values.extend((0..self.columns / BLOCK).flat_map(|i| self.block(row as usize, i)));
                }
                Tensor::from_vec(values, (rows.len(), self.columns), &Device::Cpu)
            }
        }
    }

    /// Index and value of the first number that is NaN or infinite, in a matrix of bytes.
    pub fn first_not_finite(&self) -> Option<(usize, f32)> {
        let (row, i) = match &self.bytes {
            Bytes::Tensor(_) => return None,
            Bytes::Own(bytes) => {
                let blocks = bytes.par_chunks_exact(self.format.block_bytes());
                let place = blocks.position_first(|block| !self.format.is_finite(block))?;
                let (group, i) = self.group_and_block(place / GROUP);
                (group * GROUP + place % GROUP, i)
            }
            Bytes::Panels(panels, bytes) => {
                let blocks = bytes.par_chunks_exact(panels.block_bytes()).enumerate();
                let bad = |(place, block)| Some((place, panels.first_not_finite(block)?));
                let (place, row) = blocks.find_map_first(bad)?;
                let (group, i) = self.group_and_block(place);
                (group * PANEL + row, i)
            }
        };
        let values = self.block(row, i);
        let index = values.iter().position(|value| !value.is_finite())?;
        Some((row * self.columns + i * BLOCK + index, values[index]))
    }

    /// The group or panel, and the block in its rows, at a place among the blocks of all.
    fn group_and_block(&self, place: usize) -> (usize, usize) {
        let n_blocks = self.columns / BLOCK;
        (place / n_blocks, place % n_blocks)
    }

    /// Block `i` of a row of a matrix of bytes.
    fn block(&self, row: usize, i: usize) -> [f32; BLOCK] {
        let n_blocks = self.columns / BLOCK;
        match &self.bytes {
            Bytes::Own(bytes) => {
                let size = self.format.block_bytes();
                let at = ((row / GROUP * n_blocks + i) * GROUP + row % GROUP) * size;
                self.format.widen(&bytes[at..at + size])
            }
            Bytes::Panels(panels, bytes) => {
                let size = panels.block_bytes();
                let at = (row / PANEL * n_blocks + i) * size;
                panels.widen(&bytes[at..at + size], row % PANEL)
            }
            Bytes::Tensor(_) => unreachable!("a tensor has no blocks"),
        }
    }
}
