//! A matrix of packed weights, and reading single numbers of it.

use candle_core::{Device, Tensor};
use rayon::prelude::*;

use super::file_format::FileFormat;
use super::format::{BLOCK, Format};
use super::kernel::{GROUP, VECTOR};
use crate::Result;
use crate::layers::is_plain;

/// A matrix of packed weights.
#[derive(Debug)]
pub(crate) struct PackedMatrix {
    pub(super) format: Format,
    pub(super) bytes: Bytes,
    pub(super) rows: usize,
    pub(super) columns: usize,
}

#[derive(Debug)]
pub(super) enum Bytes {
    Own(Vec<u8>),
    /// An f32 tensor without gaps.
    Tensor(Tensor),
}

impl PackedMatrix {
    /// Takes the bytes of (rows, columns) weights from a file; `None` when rows are no whole blocks or the bytes are not theirs.
    pub(crate) fn new(stored: FileFormat, bytes: &[u8], rows: usize, columns: usize) -> Option<Self> {
        let block = BLOCK * stored.parts();
        let fits = columns > 0 && columns.is_multiple_of(block) && rows > 0;
        let row_bytes = (columns / block).checked_mul(stored.block_bytes())?;
        if !fits || bytes.len() != row_bytes.checked_mul(rows)? {
            return None;
        }
        let format = stored.format();
        let group_bytes = GROUP * columns / BLOCK * format.block_bytes();
        let mut converted = vec![0; rows.div_ceil(GROUP) * group_bytes];
        let convert_group = |(group, rows): (&mut [u8], &[u8])| {
            for (row, blocks) in rows.chunks_exact(row_bytes).enumerate() {
                for (i, block) in blocks.chunks_exact(stored.block_bytes()).enumerate() {
                    for part in 0..stored.parts() {
                        let at = ((i * stored.parts() + part) * GROUP + row) * format.block_bytes();
                        stored.convert(block, part, &mut group[at..at + format.block_bytes()]);
                    }
                }
            }
        };
        converted.par_chunks_mut(group_bytes).zip(bytes.par_chunks(GROUP * row_bytes)).for_each(convert_group);
        Some(Self { format, bytes: Bytes::Own(converted), rows, columns })
    }

    /// An f32 matrix on the CPU, without copying it; `None` when its rows are no whole vectors.
    pub(crate) fn from_tensor(matrix: &Tensor) -> Option<Self> {
        let (rows, columns) = matrix.dims2().ok()?;
        let fits = columns > 0 && columns.is_multiple_of(VECTOR) && rows > 0;
        let is_fit = fits && is_plain(matrix) && matrix.is_contiguous() && !matrix.track_op();
        is_fit.then(|| Self { format: Format::F32, bytes: Bytes::Tensor(matrix.clone()), rows, columns })
    }

    /// (rows, columns) in f32.
    pub(crate) fn widened(&self) -> Result<Tensor> {
        match &self.bytes {
            Bytes::Tensor(tensor) => Ok(tensor.clone()),
            Bytes::Own(bytes) => {
                let mut values = vec![0f32; self.rows * self.columns];
                values.par_chunks_exact_mut(self.columns).enumerate().for_each(|(row, values)| {
                    values.as_chunks_mut().0.iter_mut().enumerate().for_each(|(i, to)| *to = self.block(bytes, row, i));
                });
                Ok(Tensor::from_vec(values, (self.rows, self.columns), &Device::Cpu)?)
            }
        }
    }

    /// The rows with these indices, (n, columns); every index is below the number of rows.
    pub(crate) fn select(&self, rows: &[u32]) -> Result<Tensor> {
        match &self.bytes {
            Bytes::Tensor(tensor) => Ok(tensor.index_select(&Tensor::new(rows, &Device::Cpu)?, 0)?),
            Bytes::Own(bytes) => {
                let mut values = Vec::with_capacity(rows.len() * self.columns);
                for &row in rows {
                    values.extend((0..self.columns / BLOCK).flat_map(|i| self.block(bytes, row as usize, i)));
                }
                Ok(Tensor::from_vec(values, (rows.len(), self.columns), &Device::Cpu)?)
            }
        }
    }

    /// Index and value of the first number that is NaN or infinite, in a matrix of bytes.
    pub(crate) fn first_not_finite(&self) -> Option<(usize, f32)> {
        let Bytes::Own(bytes) = &self.bytes else { return None };
        let blocks = bytes.par_chunks_exact(self.format.block_bytes());
        let place = blocks.position_first(|block| !self.format.is_finite(block))?;
        let (group, in_group) = (place * BLOCK / self.columns / GROUP, place % (GROUP * self.columns / BLOCK));
        let (row, i) = (group * GROUP + in_group % GROUP, in_group / GROUP);
        let values = self.block(bytes, row, i);
        let index = values.iter().position(|value| !value.is_finite())?;
        Some((row * self.columns + i * BLOCK + index, values[index]))
    }

    /// Block `i` of a row.
    fn block(&self, bytes: &[u8], row: usize, i: usize) -> [f32; BLOCK] {
        let size = self.format.block_bytes();
        let at = row / GROUP * GROUP * self.row_bytes() + (i * GROUP + row % GROUP) * size;
        self.format.widen(&bytes[at..at + size])
    }

    pub(super) fn row_bytes(&self) -> usize {
        self.format.row_bytes(self.columns)
    }
}
