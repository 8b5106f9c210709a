//! How GGUF files store weights, and how each of their blocks becomes blocks of this module.
//!
//! Layouts are those of ggml's `block_*` structures. A file's block holds 32 weights, or 256 in eight parts of 32; scales of parts are
//! themselves quantised, and are multiplied out here, as dequantising does.

use half::f16;
use rayon::prelude::*;

use super::format::{BLOCK, Format};
use super::panel::{PANEL, PanelFormat};
use crate::Inputs;

/// How a file stores the weights of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// 16-bit scale d, 32 half-bytes q: d (q − 8).
    Q4_0,
    /// 16-bit scale d and minimum m, 32 half-bytes q: d q + m.
    Q4_1,
    /// 16-bit scale d, the fifth bits, 32 half-bytes: d (q − 16).
    Q5_0,
    /// 16-bit scale d and minimum m, the fifth bits, 32 half-bytes: d q + m.
    Q5_1,
    /// 16-bit scale d, 32 signed bytes q: d q.
    Q8_0,
    /// 256 weights of 2 bits, scale and minimum for every 16.
    Q2K,
    /// 256 weights of 3 bits, a scale for every 16.
    Q3K,
    /// 256 weights of 4 bits, scale and minimum for every 32.
    Q4K,
    /// 256 weights of 5 bits, scale and minimum for every 32.
    Q5K,
    /// 256 weights of 6 bits, a scale for every 16.
    Q6K,
}

impl FileFormat {
    /// All of them.
    #[cfg(test)]
    pub const ALL: [Self; 10] = [
        Self::Q4_0,
        Self::Q4_1,
        Self::Q5_0,
        Self::Q5_1,
        Self::Q8_0,
        Self::Q2K,
        Self::Q3K,
        Self::Q4K,
        Self::Q5K,
        Self::Q6K,
    ];

    /// The format of this number in GGUF files, where there is a kernel for it.
    pub fn from_gguf(number: u32) -> Option<Self> {
        Some(match number {
            2 => Self::Q4_0,
            3 => Self::Q4_1,
            6 => Self::Q5_0,
            7 => Self::Q5_1,
            8 => Self::Q8_0,
            10 => Self::Q2K,
            11 => Self::Q3K,
            12 => Self::Q4K,
            13 => Self::Q5K,
            14 => Self::Q6K,
            _ => return None,
        })
    }

    /// Bytes of a block in the file.
    pub fn block_bytes(self) -> usize {
        match self {
            Self::Q4_0 => 18,
            Self::Q4_1 => 20,
            Self::Q5_0 => 22,
            Self::Q5_1 => 24,
            Self::Q8_0 => 34,
            Self::Q2K => 84,
            Self::Q3K => 110,
            Self::Q4K => 144,
            Self::Q5K => 176,
            Self::Q6K => 210,
        }
    }

    /// Parts of [`BLOCK`] weights that a block in the file holds.
    pub(super) fn parts(self) -> usize {
        match self {
            Self::Q4_0 | Self::Q4_1 | Self::Q5_0 | Self::Q5_1 | Self::Q8_0 => 1,
            Self::Q2K | Self::Q3K | Self::Q4K | Self::Q5K | Self::Q6K => 8,
        }
    }

    /// The format in memory of the same weights.
    pub(super) fn format(self) -> Format {
        match self {
            Self::Q4_0 | Self::Q4_1 | Self::Q4K => Format::HalfBytes,
            Self::Q5_0 | Self::Q8_0 => Format::SignedBytes,
            Self::Q5_1 | Self::Q2K | Self::Q3K | Self::Q5K | Self::Q6K => Format::ScaledHalves,
        }
    }

    /// Whether scales and minima of these blocks are numbers of sixteen bits, in memory as in the file.
    pub(super) fn has_short_numbers(self, bytes: &[u8]) -> bool {
        let fits = |block: &[u8]| {
            let minimum = -8.0 * number(block, 0);
            f16::from_f32(minimum).is_finite() == minimum.is_finite()
        };
        match self {
            Self::Q4_0 => bytes.par_chunks_exact(self.block_bytes()).all(fits),
            Self::Q4_1 | Self::Q5_0 | Self::Q5_1 | Self::Q8_0 => true,
            Self::Q2K | Self::Q3K | Self::Q4K | Self::Q5K | Self::Q6K => false,
        }
    }

    /// Bytes in memory of so many weights, for such inputs.
    pub fn memory_bytes(self, weights: u64, inputs: Inputs) -> u64 {
        let blocks = weights / BLOCK as u64;
        match PanelFormat::of(self, &[], inputs) {
            Some(panels) => (blocks * panels.block_bytes() as u64).div_ceil(PANEL as u64),
            None => blocks * self.format().block_bytes() as u64,
        }
    }

    /// Writes part `part` of a block as it stands in memory.
    pub(super) fn convert(self, block: &[u8], part: usize, to: &mut [u8]) {
        match self {
            Self::Q4_0 => half_bytes(number(block, 0), -8.0 * number(block, 0), &block[2..], to),
            Self::Q4_1 => half_bytes(number(block, 0), number(block, 2), &block[4..], to),
            Self::Q5_0 => {
                let weights = fifth_bits(&block[2..6], &block[6..]).map(|q| q as i8 - 16);
                signed_bytes(number(block, 0), weights, to);
            }
            Self::Q5_1 => {
                let weights = fifth_bits(&block[4..8], &block[8..]).map(|q| q as i8);
                scaled_halves([number(block, 0); 2], [number(block, 2); 2], weights, to);
            }
            Self::Q8_0 => signed_bytes(number(block, 0), std::array::from_fn(|i| block[2 + i] as i8), to),
            Self::Q2K => q2k(block, part, to),
            Self::Q3K => q3k(block, part, to),
            Self::Q4K => {
                let (scale, minimum) = scale_and_minimum(block, part);
                let weights: [u8; BLOCK] = std::array::from_fn(|i| half_byte(&block[16..], part, i));
                let pairs: [u8; BLOCK / 2] = std::array::from_fn(|i| weights[i] | weights[i + BLOCK / 2] << 4);
                half_bytes(scale, minimum, &pairs, to);
            }
            Self::Q5K => {
                let (scale, minimum) = scale_and_minimum(block, part);
                let fifth = |i: usize| (block[16 + i] >> part & 1) << 4;
                let weights = std::array::from_fn(|i| (half_byte(&block[48..], part, i) | fifth(i)) as i8);
                scaled_halves([scale; 2], [minimum; 2], weights, to);
            }
            Self::Q6K => q6k(block, part, to),
        }
    }
}

/// The 16-bit number at a place.
fn number(block: &[u8], at: usize) -> f32 {
    f16::from_le_bytes([block[at], block[at + 1]]).to_f32()
}

fn half_bytes(scale: f32, minimum: f32, pairs: &[u8], to: &mut [u8]) {
    to[..4].copy_from_slice(&scale.to_ne_bytes());
    to[4..8].copy_from_slice(&minimum.to_ne_bytes());
    to[8..].copy_from_slice(pairs);
}

fn signed_bytes(scale: f32, weights: [i8; BLOCK], to: &mut [u8]) {
    to[..4].copy_from_slice(&scale.to_ne_bytes());
    to[4..].iter_mut().zip(weights).for_each(|(to, weight)| *to = weight as u8);
}

fn scaled_halves(scales: [f32; 2], minima: [f32; 2], weights: [i8; BLOCK], to: &mut [u8]) {
    for (to, number) in to.as_chunks_mut().0.iter_mut().zip(scales.into_iter().chain(minima)) {
        *to = number.to_ne_bytes();
    }
    to[16..].iter_mut().zip(weights).for_each(|(to, weight)| *to = weight as u8);
}

/// Half-bytes whose fifth bits stand in a 32-bit number.
fn fifth_bits(bits: &[u8], pairs: &[u8]) -> [u8; BLOCK] {
    let bits = u32::from_le_bytes([bits[0], bits[1], bits[2], bits[3]]);
    std::array::from_fn(|i| {
        let half = if i < BLOCK / 2 { pairs[i] & 15 } else { pairs[i - BLOCK / 2] >> 4 };
        half | ((bits >> i & 1) as u8) << 4
    })
}

/// Weight `i` of a part: two parts share 32 bytes, the first has the lower half-bytes.
fn half_byte(pairs: &[u8], part: usize, i: usize) -> u8 {
    let byte = pairs[part / 2 * BLOCK + i];
    if part.is_multiple_of(2) { byte & 15 } else { byte >> 4 }
}

/// Scale and minimum of a part in blocks that hold 6 bits of each, packed into 12 bytes after two 16-bit factors; w = scale q + minimum.
fn scale_and_minimum(block: &[u8], part: usize) -> (f32, f32) {
    let packed = &block[4..16];
    let (scale, minimum) = match part {
        0..4 => (packed[part] & 63, packed[part + 4] & 63),
        _ => (packed[part + 4] & 15 | packed[part - 4] >> 6 << 4, packed[part + 4] >> 4 | packed[part] >> 6 << 4),
    };
    (number(block, 0) * f32::from(scale), -(number(block, 2) * f32::from(minimum)))
}

/// Two bits of weight `i`, in blocks where four parts share 32 bytes.
fn two_bits(bytes: &[u8], part: usize, i: usize) -> u8 {
    bytes[part / 4 * BLOCK + i] >> (2 * (part % 4)) & 3
}

fn q2k(block: &[u8], part: usize, to: &mut [u8]) {
    let (scale, minimum) = (number(block, 80), number(block, 82));
    let of_half = |half: usize| block[2 * part + half];
    let scales = [0, 1].map(|half| scale * f32::from(of_half(half) & 15));
    let minima = [0, 1].map(|half| -(minimum * f32::from(of_half(half) >> 4)));
    scaled_halves(scales, minima, std::array::from_fn(|i| two_bits(&block[16..], part, i) as i8), to);
}

fn q3k(block: &[u8], part: usize, to: &mut [u8]) {
    let (high_bits, packed, scale) = (&block[..32], &block[96..108], number(block, 108));
    let scales = [0, 1].map(|half| {
        let i = 2 * part + half;
        let low = if i < 8 { packed[i] & 15 } else { packed[i - 8] >> 4 };
        let high = packed[8 + i % 4] >> (2 * (i / 4)) & 3;
        scale * f32::from((low | high << 4) as i8 - 32)
    });
    let weight = |i: usize| {
        let low = two_bits(&block[32..96], part, i) as i8;
        if high_bits[i] >> part & 1 == 1 { low } else { low - 4 }
    };
    scaled_halves(scales, [0.0; 2], std::array::from_fn(weight), to);
}

fn q6k(block: &[u8], part: usize, to: &mut [u8]) {
    let (scales, scale) = (&block[192..208], number(block, 208));
    let (group, place) = (part / 4, part % 4);
    let low = |i: usize| {
        let byte = block[64 * group + BLOCK * (place % 2) + i];
        if place < 2 { byte & 15 } else { byte >> 4 }
    };
    let weight = |i: usize| (low(i) | two_bits(&block[128..], part, i) << 4) as i8 - 32;
    let of_half = |half: usize| scale * f32::from(scales[2 * part + half] as i8);
    scaled_halves([0, 1].map(of_half), [0.0; 2], std::array::from_fn(weight), to);
}
