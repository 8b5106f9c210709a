//! The metadata values of a GGUF file and their conversions.

/// One metadata value, in the type the file stores it in.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum GgufValue {
    /// Unsigned, 8 bits.
    U8(u8),
    /// Signed, 8 bits.
    I8(i8),
    /// Unsigned, 16 bits.
    U16(u16),
    /// Signed, 16 bits.
    I16(i16),
    /// Unsigned, 32 bits.
    U32(u32),
    /// Signed, 32 bits.
    I32(i32),
    /// Floating point, 32 bits.
    F32(f32),
    /// True or false.
    Bool(bool),
    /// Text.
    String(String),
    /// Values of one type.
    Array(GgufArray),
    /// Unsigned, 64 bits.
    U64(u64),
    /// Signed, 64 bits.
    I64(i64),
    /// Floating point, 64 bits.
    F64(f64),
}

/// A metadata array: its elements share one type.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum GgufArray {
    /// Unsigned, 8 bits.
    U8(Vec<u8>),
    /// Signed, 8 bits.
    I8(Vec<i8>),
    /// Unsigned, 16 bits.
    U16(Vec<u16>),
    /// Signed, 16 bits.
    I16(Vec<i16>),
    /// Unsigned, 32 bits.
    U32(Vec<u32>),
    /// Signed, 32 bits.
    I32(Vec<i32>),
    /// Floating point, 32 bits.
    F32(Vec<f32>),
    /// True or false.
    Bool(Vec<bool>),
    /// Text.
    String(Vec<String>),
    /// Arrays.
    Array(Vec<GgufArray>),
    /// Unsigned, 64 bits.
    U64(Vec<u64>),
    /// Signed, 64 bits.
    I64(Vec<i64>),
    /// Floating point, 64 bits.
    F64(Vec<f64>),
}

impl GgufValue {
    /// The value as an unsigned integer, from any integer type that holds no negative number.
    pub fn to_u64(&self) -> Option<u64> {
        self.to_i128().and_then(|value| u64::try_from(value).ok())
    }

    /// The value as a signed integer, from any integer type.
    pub fn to_i64(&self) -> Option<i64> {
        self.to_i128().and_then(|value| i64::try_from(value).ok())
    }

    /// The value as a floating point number, from any numeric type.
    pub fn to_f64(&self) -> Option<f64> {
        match self {
            Self::F32(value) => Some(f64::from(*value)),
            Self::F64(value) => Some(*value),
            _ => self.to_i128().map(|value| value as f64),
        }
    }

    /// The value as a truth value.
    pub fn to_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// The value as text.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(value) => Some(value),
            _ => None,
        }
    }

    /// The value as an array.
    pub fn as_array(&self) -> Option<&GgufArray> {
        match self {
            Self::Array(value) => Some(value),
            _ => None,
        }
    }

    fn to_i128(&self) -> Option<i128> {
        Some(match self {
            Self::U8(value) => i128::from(*value),
            Self::I8(value) => i128::from(*value),
            Self::U16(value) => i128::from(*value),
            Self::I16(value) => i128::from(*value),
            Self::U32(value) => i128::from(*value),
            Self::I32(value) => i128::from(*value),
            Self::U64(value) => i128::from(*value),
            Self::I64(value) => i128::from(*value),
            _ => return None,
        })
    }

    /// What messages call its type.
    pub(crate) fn type_name(&self) -> String {
        match self {
            Self::Array(array) => format!("list of {}", TYPE_NAMES[array.type_number() as usize]),
            value => TYPE_NAMES[value.type_number() as usize].to_owned(),
        }
    }

    /// The number that stands for this type in the file.
    pub(super) fn type_number(&self) -> u32 {
        match self {
            Self::U8(_) => 0,
            Self::I8(_) => 1,
            Self::U16(_) => 2,
            Self::I16(_) => 3,
            Self::U32(_) => 4,
            Self::I32(_) => 5,
            Self::F32(_) => 6,
            Self::Bool(_) => 7,
            Self::String(_) => 8,
            Self::Array(_) => 9,
            Self::U64(_) => 10,
            Self::I64(_) => 11,
            Self::F64(_) => 12,
        }
    }
}

/// Types by their numbers, as the format's description names them.
const TYPE_NAMES: [&str; 13] =
    ["u8", "i8", "u16", "i16", "u32", "i32", "f32", "bool", "string", "array", "u64", "i64", "f64"];

impl GgufArray {
    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            Self::U8(values) => values.len(),
            Self::I8(values) => values.len(),
            Self::U16(values) => values.len(),
            Self::I16(values) => values.len(),
            Self::U32(values) => values.len(),
            Self::I32(values) => values.len(),
            Self::F32(values) => values.len(),
            Self::Bool(values) => values.len(),
            Self::String(values) => values.len(),
            Self::Array(values) => values.len(),
            Self::U64(values) => values.len(),
            Self::I64(values) => values.len(),
            Self::F64(values) => values.len(),
        }
    }

    /// True when there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements as text.
    pub fn as_strings(&self) -> Option<&[String]> {
        match self {
            Self::String(values) => Some(values),
            _ => None,
        }
    }

    /// The elements as truth values.
    pub fn as_bools(&self) -> Option<&[bool]> {
        match self {
            Self::Bool(values) => Some(values),
            _ => None,
        }
    }

    /// The elements as signed integers, from any integer type; `None` when one does not fit.
    pub fn to_i64s(&self) -> Option<Vec<i64>> {
        match self {
            Self::U8(values) => Some(values.iter().map(|&value| value.into()).collect()),
            Self::I8(values) => Some(values.iter().map(|&value| value.into()).collect()),
            Self::U16(values) => Some(values.iter().map(|&value| value.into()).collect()),
            Self::I16(values) => Some(values.iter().map(|&value| value.into()).collect()),
            Self::U32(values) => Some(values.iter().map(|&value| value.into()).collect()),
            Self::I32(values) => Some(values.iter().map(|&value| value.into()).collect()),
            Self::U64(values) => values.iter().map(|&value| value.try_into().ok()).collect(),
            Self::I64(values) => Some(values.clone()),
            _ => None,
        }
    }

    /// The elements as 32-bit floating point numbers; 64-bit ones are rounded.
    pub fn to_f32s(&self) -> Option<Vec<f32>> {
        match self {
            Self::F32(values) => Some(values.clone()),
            Self::F64(values) => Some(values.iter().map(|&value| value as f32).collect()),
            _ => None,
        }
    }

    /// The number that stands for the element type in the file.
    pub(super) fn type_number(&self) -> u32 {
        match self {
            Self::U8(_) => 0,
            Self::I8(_) => 1,
            Self::U16(_) => 2,
            Self::I16(_) => 3,
            Self::U32(_) => 4,
            Self::I32(_) => 5,
            Self::F32(_) => 6,
            Self::Bool(_) => 7,
            Self::String(_) => 8,
            Self::Array(_) => 9,
            Self::U64(_) => 10,
            Self::I64(_) => 11,
            Self::F64(_) => 12,
        }
    }
}

impl From<&str> for GgufValue {
    fn from(value: &str) -> Self {
        Self::String(value.to_owned())
    }
}

impl From<u32> for GgufValue {
    fn from(value: u32) -> Self {
        Self::U32(value)
    }
}
