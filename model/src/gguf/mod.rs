//! Reads GGUF files (versions 2 and 3, little endian), tensor by tensor, and writes small ones.
//!
//! A file is `GGUF`, a version, metadata (typed key–value pairs), tensor entries (name, dimensions, type, offset) and aligned tensor
//! data. The reader never takes memory for a length it has not compared with the bytes left, so a damaged or hostile file gives an
//! error that says where. A tensor of a type that cannot be read fails only when it is asked for.
//!
//! # Shapes
//! Dimensions are row-major, the reverse of the file's order: a linear weight is (outputs, inputs).
//!
//! Not for: what the metadata means to a model, which is `config` and `tokenizer`.

mod parse;
mod tensor_type;
mod value;
mod write;

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::{Device, Tensor};

use crate::error::{Error, Result};
use crate::files::Source;

pub use parse::GgufTensorInfo;
pub use tensor_type::GgufTensorType;
pub use value::{GgufArray, GgufValue};
pub use write::{GgufTensor, TypedGgufTensor, encode_gguf, encode_typed_gguf, write_gguf};

/// Key of files that Redline wrote; its value is [`REDLINE`].
pub const MADE_BY: &str = "redline.made_by";
/// Value of [`MADE_BY`].
pub const REDLINE: &str = "redline";

/// Whether a file is named as a GGUF file is; what it holds is another question.
pub fn is_gguf(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("gguf"))
}

/// An open GGUF file: its header in memory, its tensors on demand.
#[derive(Debug)]
pub struct GgufFile {
    source: Source,
    version: u32,
    metadata: BTreeMap<String, GgufValue>,
    tensors: Vec<GgufTensorInfo>,
    index: HashMap<String, usize>,
}

impl GgufFile {
    /// Opens a file and parses its header; tensor data is read when asked for.
    ///
    /// # Errors
    /// [`Error::NotFound`] and [`Error::Io`]; [`Error::Truncated`] when the file ends early; [`Error::Malformed`] when it breaks a
    /// rule of the format.
    pub fn open(path: &Path) -> Result<Self> {
        Self::from_source(Source::open(path)?)
    }

    /// Whether a file is one of this format, whatever its name ends with.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn is_one(path: &Path) -> Result<bool> {
        let source = Source::open(path)?;
        Ok(source.len() >= 4 && *source.read(0, 4, "the first bytes")? == *b"GGUF")
    }

    /// Parses a file that is already in memory; `path` is for messages.
    ///
    /// # Errors
    /// As [`GgufFile::open`].
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self> {
        Self::from_source(Source::from_bytes(path, bytes.to_vec()))
    }

    fn from_source(source: Source) -> Result<Self> {
        let header = parse::parse(&source)?;
        let index = header.tensors.iter().enumerate().map(|(index, tensor)| (tensor.name.clone(), index)).collect();
        Ok(Self { source, version: header.version, metadata: header.metadata, tensors: header.tensors, index })
    }

    /// The path it was opened with.
    pub fn path(&self) -> &Path {
        self.source.path()
    }

    /// Calls `take` with the whole file, part by part.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::CutShort`] when the file became shorter since it was opened.
    pub fn for_each_part(&self, take: impl FnMut(&[u8])) -> Result<()> {
        self.source.for_each_part(take)
    }

    /// Version of the format: 2 or 3.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// All metadata, sorted by key.
    pub fn metadata(&self) -> impl Iterator<Item = (&str, &GgufValue)> {
        self.metadata.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// A metadata value.
    pub fn value(&self, key: &str) -> Option<&GgufValue> {
        self.metadata.get(key)
    }

    /// A metadata value as an unsigned integer; `None` when it is absent or no such number.
    pub fn u64(&self, key: &str) -> Option<u64> {
        self.value(key)?.to_u64()
    }

    /// A metadata value as a signed integer; `None` when it is absent or no such number.
    pub fn i64(&self, key: &str) -> Option<i64> {
        self.value(key)?.to_i64()
    }

    /// A metadata value as a floating point number; `None` when it is absent or no number.
    pub fn f64(&self, key: &str) -> Option<f64> {
        self.value(key)?.to_f64()
    }

    /// A metadata value as a truth value; `None` when it is absent or something else.
    pub fn bool(&self, key: &str) -> Option<bool> {
        self.value(key)?.to_bool()
    }

    /// A metadata value as text; `None` when it is absent or something else.
    pub fn str(&self, key: &str) -> Option<&str> {
        self.value(key)?.as_str()
    }

    /// A metadata array of text; `None` when it is absent or something else.
    pub fn strings(&self, key: &str) -> Option<&[String]> {
        self.value(key)?.as_array()?.as_strings()
    }

    /// A metadata array of truth values; `None` when it is absent or something else.
    pub fn bools(&self, key: &str) -> Option<&[bool]> {
        self.value(key)?.as_array()?.as_bools()
    }

    /// A metadata array of integers; `None` when it is absent or something else.
    pub fn i64s(&self, key: &str) -> Option<Vec<i64>> {
        self.value(key)?.as_array()?.to_i64s()
    }

    /// A metadata array of floating point numbers; `None` when it is absent or something else.
    pub fn f32s(&self, key: &str) -> Option<Vec<f32>> {
        self.value(key)?.as_array()?.to_f32s()
    }

    /// A metadata value as `read` takes it; `None` when it is absent.
    ///
    /// # Errors
    /// [`Error::Malformed`] when it is of another type than `expected`: nothing is taken for what it is not.
    pub(crate) fn typed<'a, T>(
        &'a self,
        key: &str,
        expected: &str,
        read: impl FnOnce(&'a GgufValue) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(value) = self.value(key) else { return Ok(None) };
        let wrong = || Error::Malformed {
            path: self.path().into(),
            format: "GGUF",
            rule: format!("`{key}` must be {expected}, but is of type {}", value.type_name()),
        };
        read(value).map(Some).ok_or_else(wrong)
    }

    /// Tensor names in the order of the file.
    pub fn tensor_names(&self) -> impl Iterator<Item = &str> {
        self.tensors.iter().map(|tensor| tensor.name.as_str())
    }

    /// What the file says about a tensor.
    pub fn tensor_info(&self, name: &str) -> Option<&GgufTensorInfo> {
        self.index.get(name).map(|&index| &self.tensors[index])
    }

    /// The stored bytes of a tensor.
    ///
    /// # Errors
    /// [`Error::TensorMissing`]; [`Error::UnsupportedType`] when its type number is unknown, and with it its size; [`Error::CutShort`].
    pub fn tensor_bytes(&self, name: &str) -> Result<Cow<'_, [u8]>> {
        let info = self.require(name)?;
        let byte_len = info.byte_len.ok_or_else(|| self.unsupported(info))?;
        self.source.read(info.start as u64, byte_len, &format!("tensor `{name}`"))
    }

    /// Some of the rows of a tensor that has `of` of them, as they are stored.
    pub(crate) fn row_bytes(&self, name: &str, rows: std::ops::Range<usize>, of: usize) -> Result<Cow<'_, [u8]>> {
        let info = self.require(name)?;
        let row_bytes = info.byte_len.ok_or_else(|| self.unsupported(info))? / of;
        let start = (info.start + rows.start * row_bytes) as u64;
        self.source.read(start, rows.len() * row_bytes, &format!("tensor `{name}`"))
    }

    /// A tensor as it is stored, quantised or not, on the CPU.
    ///
    /// # Shapes
    /// As [`GgufTensorInfo::dims`]: a matrix is (out, in).
    ///
    /// # Errors
    /// [`Error::TensorMissing`], [`Error::UnsupportedType`].
    pub fn qtensor(&self, name: &str) -> Result<QTensor> {
        let info = self.require(name)?;
        let ggml = info.tensor_type.ggml().ok_or_else(|| self.unsupported(info))?;
        let storage = QStorage::from_data(self.tensor_bytes(name)?, &Device::Cpu, ggml)?;
        Ok(QTensor::new(storage, info.dims.as_slice())?)
    }

    /// A tensor as f32 on the CPU, dequantised where it has to be.
    ///
    /// # Shapes
    /// As [`GgufTensorInfo::dims`]: a matrix is (out, in).
    ///
    /// # Errors
    /// [`Error::TensorMissing`], [`Error::UnsupportedType`].
    pub fn tensor_f32(&self, name: &str) -> Result<Tensor> {
        let info = self.require(name)?;
        let ggml = info.tensor_type.ggml().ok_or_else(|| self.unsupported(info))?;
        if !matches!(ggml, GgmlDType::F32 | GgmlDType::F16 | GgmlDType::BF16) {
            return Ok(self.qtensor(name)?.dequantize(&Device::Cpu)?);
        }
        let bytes = self.tensor_bytes(name)?;
        let widened = match ggml {
            GgmlDType::F32 => convert(&bytes, f32::from_le_bytes),
            GgmlDType::F16 => convert(&bytes, |pair| half::f16::from_le_bytes(pair).to_f32()),
            _ => convert(&bytes, |pair| half::bf16::from_le_bytes(pair).to_f32()),
        };
        Ok(Tensor::from_vec(widened, info.dims.as_slice(), &Device::Cpu)?)
    }

    fn require(&self, name: &str) -> Result<&GgufTensorInfo> {
        self.tensor_info(name).ok_or_else(|| Error::TensorMissing { path: self.path().into(), tensor: name.to_owned() })
    }

    fn unsupported(&self, info: &GgufTensorInfo) -> Error {
        Error::UnsupportedType { path: self.path().into(), tensor: info.name.clone(), got: info.tensor_type.name() }
    }
}

fn convert<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    bytes.as_chunks::<N>().0.iter().map(|chunk| read(*chunk)).collect()
}

#[cfg(test)]
mod tests;
