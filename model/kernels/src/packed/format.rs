//! How weights lie in memory.

/// Weights a block.
pub const BLOCK: usize = 32;

/// How the weights of a block lie in memory. Scales are widened, so that kernels need not do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// 32 numbers.
    F32,
    /// Scale d, minimum m, 32 half-bytes q: d q + m; the lower half-bytes are the first half of the block.
    HalfBytes,
    /// Scale d, 32 signed bytes q: d q.
    SignedBytes,
    /// Two scales d, two minima m, 32 signed bytes q: d q + m, with the first scale and minimum for the first half of the block.
    ScaledHalves,
}

impl Format {
    pub const fn block_bytes(self) -> usize {
        match self {
            Self::F32 => 4 * BLOCK,
            Self::HalfBytes => 8 + BLOCK / 2,
            Self::SignedBytes => 4 + BLOCK,
            Self::ScaledHalves => 16 + BLOCK,
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
            Self::ScaledHalves => 4,
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
            Self::ScaledHalves => {
                for (i, (weight, byte)) in weights.iter_mut().zip(&block[16..]).enumerate() {
                    let half = i / (BLOCK / 2);
                    *weight = number(half) * f32::from(*byte as i8) + number(2 + half);
                }
            }
        }
        weights
    }
}
