//! The tensor types of GGUF: their numbers, names and block sizes, and which of them can be read.

use candle_core::quantized::GgmlDType;

/// The type a tensor is stored in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GgufTensorType {
    number: u32,
}

/// Name, elements a block, bytes a block.
struct Layout {
    name: &'static str,
    block_size: u64,
    block_bytes: u64,
}

impl GgufTensorType {
    /// The type with this number in the file; any number is accepted, known or not.
    pub fn from_number(number: u32) -> Self {
        Self { number }
    }

    /// 32-bit floating point.
    pub const F32: Self = Self { number: 0 };
    /// 16-bit floating point.
    pub const F16: Self = Self { number: 1 };
    /// Blocks of 32: a 16-bit scale and 32 signed bytes.
    pub const Q8_0: Self = Self { number: 8 };

    /// The number in the file.
    pub fn number(self) -> u32 {
        self.number
    }

    /// The usual name, such as `Q4_1`; `number 99` for a number nobody has given out yet.
    pub fn name(self) -> String {
        self.layout().map_or_else(|| format!("number {}", self.number), |layout| layout.name.to_owned())
    }

    /// Elements a block, where the type is known.
    pub(super) fn block_size(self) -> Option<u64> {
        self.layout().map(|layout| layout.block_size)
    }

    /// Bytes that `elements` take, where the type is known; `None` inside when that overflows.
    pub(crate) fn byte_len(self, elements: u64) -> Option<Option<u64>> {
        self.layout().map(|layout| (elements / layout.block_size).checked_mul(layout.block_bytes))
    }

    /// The type under which tensors of this kind are computed with; `None` when it cannot be read.
    pub fn ggml(self) -> Option<GgmlDType> {
        Some(match self.number {
            0 => GgmlDType::F32,
            1 => GgmlDType::F16,
            2 => GgmlDType::Q4_0,
            3 => GgmlDType::Q4_1,
            6 => GgmlDType::Q5_0,
            7 => GgmlDType::Q5_1,
            8 => GgmlDType::Q8_0,
            9 => GgmlDType::Q8_1,
            10 => GgmlDType::Q2K,
            11 => GgmlDType::Q3K,
            12 => GgmlDType::Q4K,
            13 => GgmlDType::Q5K,
            14 => GgmlDType::Q6K,
            15 => GgmlDType::Q8K,
            30 => GgmlDType::BF16,
            _ => return None,
        })
    }

    fn layout(self) -> Option<Layout> {
        let (name, block_size, block_bytes) = match self.number {
            0 => ("F32", 1, 4),
            1 => ("F16", 1, 2),
            2 => ("Q4_0", 32, 18),
            3 => ("Q4_1", 32, 20),
            6 => ("Q5_0", 32, 22),
            7 => ("Q5_1", 32, 24),
            8 => ("Q8_0", 32, 34),
            9 => ("Q8_1", 32, 36),
            10 => ("Q2_K", 256, 84),
            11 => ("Q3_K", 256, 110),
            12 => ("Q4_K", 256, 144),
            13 => ("Q5_K", 256, 176),
            14 => ("Q6_K", 256, 210),
            15 => ("Q8_K", 256, 292),
            16 => ("IQ2_XXS", 256, 66),
            17 => ("IQ2_XS", 256, 74),
            18 => ("IQ3_XXS", 256, 98),
            19 => ("IQ1_S", 256, 50),
            20 => ("IQ4_NL", 32, 18),
            21 => ("IQ3_S", 256, 110),
            22 => ("IQ2_S", 256, 82),
            23 => ("IQ4_XS", 256, 136),
            24 => ("I8", 1, 1),
            25 => ("I16", 1, 2),
            26 => ("I32", 1, 4),
            27 => ("I64", 1, 8),
            28 => ("F64", 1, 8),
            29 => ("IQ1_M", 256, 56),
            30 => ("BF16", 1, 2),
            34 => ("TQ1_0", 256, 54),
            35 => ("TQ2_0", 256, 66),
            39 => ("MXFP4", 32, 17),
            _ => return None,
        };
        Some(Layout { name, block_size, block_bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_agree_with_the_quantised_types() {
        let readable: Vec<u32> =
            (0..64).filter(|&number| GgufTensorType::from_number(number).ggml().is_some()).collect();
        assert_eq!(readable, [0, 1, 2, 3, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 30]);
        for number in readable {
            let layout = GgufTensorType::from_number(number).layout().unwrap();
            let ggml = GgufTensorType::from_number(number).ggml().unwrap();
            assert_eq!(layout.block_size, ggml.block_size() as u64, "{}", layout.name);
            assert_eq!(layout.block_bytes, ggml.type_size() as u64, "{}", layout.name);
        }
    }

    #[test]
    fn names_known_and_unknown_types() {
        assert_eq!(GgufTensorType::from_number(23).name(), "IQ4_XS");
        assert_eq!(GgufTensorType::from_number(4).name(), "number 4");
    }
}
