//! How weights are stored.

use half::f16;

/// Weights a block.
pub(crate) const BLOCK: usize = 32;

/// How the weights of a block are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// 32 numbers.
    F32,
    /// 16-bit scale d, 32 half-bytes q: d (q − 8).
    Q4_0,
    /// 16-bit scale d and minimum m, 32 half-bytes q: d q + m.
    Q4_1,
    /// 16-bit scale d, 32 signed bytes q: d q.
    Q8_0,
}

impl Format {
    /// The format of this number in GGUF files, where there is a kernel for it.
    pub(crate) fn from_gguf(number: u32) -> Option<Self> {
        Some(match number {
            2 => Self::Q4_0,
            3 => Self::Q4_1,
            8 => Self::Q8_0,
            _ => return None,
        })
    }

    pub(crate) const fn block_bytes(self) -> usize {
        match self {
            Self::F32 => 4 * BLOCK,
            Self::Q4_0 => 2 + BLOCK / 2,
            Self::Q4_1 => 4 + BLOCK / 2,
            Self::Q8_0 => 2 + BLOCK,
        }
    }

    /// Whether every number of a quantised block is finite: its scales decide.
    pub(super) fn is_finite(self, block: &[u8]) -> bool {
        let n_scales = match self {
            Self::F32 => return true,
            Self::Q4_0 | Self::Q8_0 => 1,
            Self::Q4_1 => 2,
        };
        block.as_chunks::<2>().0.iter().take(n_scales).all(|bytes| f16::from_le_bytes(*bytes).is_finite())
    }
}
