//! How weights are stored: in files, and in memory.

use half::f16;

/// Weights a block.
pub(crate) const BLOCK: usize = 32;

/// How a file stores the weights of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FileFormat {
    /// 16-bit scale d, 32 half-bytes q: d (q − 8).
    Q4_0,
    /// 16-bit scale d and minimum m, 32 half-bytes q: d q + m.
    Q4_1,
    /// 16-bit scale d, 32 signed bytes q: d q.
    Q8_0,
}

impl FileFormat {
    /// The format of this number in GGUF files, where there is a kernel for it.
    pub(crate) fn from_gguf(number: u32) -> Option<Self> {
        Some(match number {
            2 => Self::Q4_0,
            3 => Self::Q4_1,
            8 => Self::Q8_0,
            _ => return None,
        })
    }

    pub(crate) fn block_bytes(self) -> usize {
        match self {
            Self::Q4_0 => 2 + BLOCK / 2,
            Self::Q4_1 => 4 + BLOCK / 2,
            Self::Q8_0 => 2 + BLOCK,
        }
    }

    /// The format in memory of the same weights.
    pub(super) fn format(self) -> Format {
        match self {
            Self::Q4_0 | Self::Q4_1 => Format::HalfBytes,
            Self::Q8_0 => Format::SignedBytes,
        }
    }

    /// Writes a block as it stands in memory.
    pub(super) fn convert(self, block: &[u8], to: &mut [u8]) {
        let number = |at: usize| f16::from_le_bytes([block[at], block[at + 1]]).to_f32();
        to[..4].copy_from_slice(&number(0).to_ne_bytes());
        match self {
            Self::Q4_0 => {
                to[4..8].copy_from_slice(&(-8.0 * number(0)).to_ne_bytes());
                to[8..].copy_from_slice(&block[2..]);
            }
            Self::Q4_1 => {
                to[4..8].copy_from_slice(&number(2).to_ne_bytes());
                to[8..].copy_from_slice(&block[4..]);
            }
            Self::Q8_0 => to[4..].copy_from_slice(&block[2..]),
        }
    }
}

/// How the weights of a block lie in memory. Scales are widened, so that kernels need not do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// 32 numbers.
    F32,
    /// Scale d, minimum m, 32 half-bytes q: d q + m; the lower half-bytes are the first half of the block.
    HalfBytes,
    /// Scale d, 32 signed bytes q: d q.
    SignedBytes,
}

impl Format {
    pub(crate) const fn block_bytes(self) -> usize {
        match self {
            Self::F32 => 4 * BLOCK,
            Self::HalfBytes => 8 + BLOCK / 2,
            Self::SignedBytes => 4 + BLOCK,
        }
    }

    /// Bytes of a row; f32 rows need be no whole blocks.
    pub(super) fn row_bytes(self, columns: usize) -> usize {
        columns * self.block_bytes() / BLOCK
    }

    fn n_scales(self) -> usize {
        match self {
            Self::F32 => BLOCK,
            Self::HalfBytes => 2,
            Self::SignedBytes => 1,
        }
    }

    /// Whether every number of a block is finite: its scales decide.
    pub(super) fn is_finite(self, block: &[u8]) -> bool {
        block.as_chunks().0.iter().take(self.n_scales()).all(|bytes| f32::from_ne_bytes(*bytes).is_finite())
    }

    /// The weights of a block.
    pub(super) fn widen(self, block: &[u8]) -> [f32; BLOCK] {
        let (numbers, _) = block.as_chunks();
        let number = |i: usize| f32::from_ne_bytes(numbers[i]);
        let mut weights = [0f32; BLOCK];
        match self {
            Self::F32 => weights.iter_mut().enumerate().for_each(|(i, weight)| *weight = number(i)),
            Self::HalfBytes => {
                let (scale, minimum) = (number(0), number(1));
                let (lower, upper) = weights.split_at_mut(BLOCK / 2);
                for ((lower, upper), byte) in lower.iter_mut().zip(upper).zip(&block[8..]) {
                    *lower = scale * f32::from(byte & 15) + minimum;
                    *upper = scale * f32::from(byte >> 4) + minimum;
                }
            }
            Self::SignedBytes => {
                let scale = number(0);
                weights.iter_mut().zip(&block[4..]).for_each(|(weight, byte)| *weight = scale * f32::from(*byte as i8));
            }
        }
        weights
    }
}
