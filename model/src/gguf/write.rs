//! Writes small GGUF files, such as control vectors: metadata and f32 tensors, version 3, little endian.

use std::path::Path;

use super::parse::{ALIGNMENT_KEY, DEFAULT_ALIGNMENT};
use super::tensor_type::GgufTensorType;
use super::value::{GgufArray, GgufValue};
use crate::error::{Error, Result};
use crate::files::write_atomically;

/// An f32 tensor to write.
#[derive(Debug, Clone, Copy)]
pub struct GgufTensor<'a> {
    /// Name.
    pub name: &'a str,
    /// Row-major dimensions.
    pub dims: &'a [usize],
    /// Row-major elements.
    pub data: &'a [f32],
}

/// A tensor to write in a type of the caller's choice.
#[derive(Debug, Clone, Copy)]
pub struct TypedGgufTensor<'a> {
    /// Name.
    pub name: &'a str,
    /// Row-major dimensions.
    pub dims: &'a [usize],
    /// The type of `bytes`.
    pub kind: GgufTensorType,
    /// Row-major elements in that type's blocks.
    pub bytes: &'a [u8],
}

/// Writes a GGUF file with metadata and tensors in the order given.
///
/// The file appears under its name only when it is complete. Tensor data is aligned to 32 bytes, the last tensor included.
///
/// # Errors
/// [`Error::Request`] when a name appears twice, a tensor's shape does not fit its data, it has no or more than four dimensions,
/// or the metadata sets another alignment; [`Error::Io`] when writing fails.
pub fn write_gguf(path: &Path, metadata: &[(&str, GgufValue)], tensors: &[GgufTensor<'_>]) -> Result<()> {
    let bytes = encode_gguf(metadata, tensors)?;
    write_atomically(path, &bytes)
}

/// The bytes of a GGUF file with metadata and tensors in the order given.
///
/// # Errors
/// As [`write_gguf`], without the I/O.
pub fn encode_gguf(metadata: &[(&str, GgufValue)], tensors: &[GgufTensor<'_>]) -> Result<Vec<u8>> {
    let bytes: Vec<Vec<u8>> =
        tensors.iter().map(|tensor| tensor.data.iter().flat_map(|value| value.to_le_bytes()).collect()).collect();
    let typed = |(tensor, bytes): (&GgufTensor<'_>, &Vec<u8>)| -> Result<()> {
        let elements = tensor.dims.iter().try_fold(1usize, |product, &dim| product.checked_mul(dim));
        match elements == Some(tensor.data.len()) && bytes.len() == 4 * tensor.data.len() {
            true => Ok(()),
            false => Err(bad_shape(tensor.name, tensor.dims, tensor.data.len())),
        }
    };
    tensors.iter().zip(&bytes).try_for_each(typed)?;
    let tensors: Vec<TypedGgufTensor<'_>> = tensors
        .iter()
        .zip(&bytes)
        .map(|(tensor, bytes)| TypedGgufTensor {
            name: tensor.name,
            dims: tensor.dims,
            kind: GgufTensorType::F32,
            bytes,
        })
        .collect();
    encode_typed_gguf(metadata, &tensors)
}

/// The bytes of a GGUF file whose tensors come in any type of a known size.
///
/// # Errors
/// As [`encode_gguf`]; also when the last dimension is no multiple of the type's block.
pub fn encode_typed_gguf(metadata: &[(&str, GgufValue)], tensors: &[TypedGgufTensor<'_>]) -> Result<Vec<u8>> {
    check_metadata(metadata)?;
    check_tensors(tensors)?;
    let mut out = b"GGUF".to_vec();
    out.extend(3u32.to_le_bytes());
    out.extend((tensors.len() as u64).to_le_bytes());
    out.extend((metadata.len() as u64).to_le_bytes());
    for (key, value) in metadata {
        put_string(&mut out, key);
        out.extend(value.type_number().to_le_bytes());
        put_value(&mut out, value);
    }
    put_tensor_entries(&mut out, tensors);
    for tensor in tensors {
        pad(&mut out);
        out.extend(tensor.bytes);
    }
    pad(&mut out);
    Ok(out)
}

fn check_metadata(metadata: &[(&str, GgufValue)]) -> Result<()> {
    for (index, (key, value)) in metadata.iter().enumerate() {
        if metadata[..index].iter().any(|(other, _)| other == key) {
            return Err(bad("GGUF metadata", format!("key `{key}` twice"), "each key once"));
        }
        if *key == ALIGNMENT_KEY && value.to_u64() != Some(DEFAULT_ALIGNMENT) {
            return Err(bad("GGUF metadata", format!("`{key}` = {value:?}"), "an alignment of 32"));
        }
    }
    Ok(())
}

fn check_tensors(tensors: &[TypedGgufTensor<'_>]) -> Result<()> {
    for (index, tensor) in tensors.iter().enumerate() {
        let TypedGgufTensor { name, dims, kind, bytes } = tensor;
        if tensors[..index].iter().any(|other| other.name == *name) {
            return Err(bad("GGUF tensors", format!("name `{name}` twice"), "each name once"));
        }
        let elements = dims.iter().try_fold(1u64, |product, &dim| product.checked_mul(dim as u64));
        let needed = elements.and_then(|n| kind.byte_len(n)).flatten();
        let whole_blocks =
            dims.last().zip(kind.block_size()).is_some_and(|(&dim, block)| (dim as u64).is_multiple_of(block));
        if needed != Some(bytes.len() as u64) || bytes.is_empty() || !(1..=4).contains(&dims.len()) || !whole_blocks {
            return Err(bad_shape(name, dims, bytes.len()));
        }
    }
    Ok(())
}

fn bad_shape(name: &str, dims: &[usize], elements: usize) -> Error {
    let got = format!("tensor `{name}` with shape {dims:?} and {elements} elements or bytes");
    bad("GGUF tensors", got, "1 to 4 dimensions whose product is the number of elements")
}

fn bad(what: &'static str, got: String, expected: &str) -> Error {
    Error::Request { what, got, expected: expected.to_owned() }
}

fn put_tensor_entries(out: &mut Vec<u8>, tensors: &[TypedGgufTensor<'_>]) {
    let mut offset = 0u64;
    for tensor in tensors {
        put_string(out, tensor.name);
        out.extend((tensor.dims.len() as u32).to_le_bytes());
        tensor.dims.iter().rev().for_each(|&dim| out.extend((dim as u64).to_le_bytes()));
        out.extend(tensor.kind.number().to_le_bytes());
        out.extend(offset.to_le_bytes());
        offset = (offset + tensor.bytes.len() as u64).next_multiple_of(DEFAULT_ALIGNMENT);
    }
}

fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(DEFAULT_ALIGNMENT as usize), 0);
}

fn put_string(out: &mut Vec<u8>, text: &str) {
    out.extend((text.len() as u64).to_le_bytes());
    out.extend(text.as_bytes());
}

fn put_value(out: &mut Vec<u8>, value: &GgufValue) {
    match value {
        GgufValue::U8(value) => out.push(*value),
        GgufValue::I8(value) => out.extend(value.to_le_bytes()),
        GgufValue::U16(value) => out.extend(value.to_le_bytes()),
        GgufValue::I16(value) => out.extend(value.to_le_bytes()),
        GgufValue::U32(value) => out.extend(value.to_le_bytes()),
        GgufValue::I32(value) => out.extend(value.to_le_bytes()),
        GgufValue::F32(value) => out.extend(value.to_le_bytes()),
        GgufValue::Bool(value) => out.push(u8::from(*value)),
        GgufValue::String(value) => put_string(out, value),
        GgufValue::Array(values) => put_array(out, values),
        GgufValue::U64(value) => out.extend(value.to_le_bytes()),
        GgufValue::I64(value) => out.extend(value.to_le_bytes()),
        GgufValue::F64(value) => out.extend(value.to_le_bytes()),
    }
}

fn put_array(out: &mut Vec<u8>, values: &GgufArray) {
    out.extend(values.type_number().to_le_bytes());
    out.extend((values.len() as u64).to_le_bytes());
    match values {
        GgufArray::U8(values) => out.extend(values),
        GgufArray::I8(values) => values.iter().for_each(|value| out.extend(value.to_le_bytes())),
        GgufArray::U16(values) => values.iter().for_each(|value| out.extend(value.to_le_bytes())),
        GgufArray::I16(values) => values.iter().for_each(|value| out.extend(value.to_le_bytes())),
        GgufArray::U32(values) => values.iter().for_each(|value| out.extend(value.to_le_bytes())),
        GgufArray::I32(values) => values.iter().for_each(|value| out.extend(value.to_le_bytes())),
        GgufArray::F32(values) => values.iter().for_each(|value| out.extend(value.to_le_bytes())),
        GgufArray::Bool(values) => values.iter().for_each(|&value| out.push(u8::from(value))),
        GgufArray::String(values) => values.iter().for_each(|value| put_string(out, value)),
        GgufArray::Array(values) => values.iter().for_each(|value| put_array(out, value)),
        GgufArray::U64(values) => values.iter().for_each(|value| out.extend(value.to_le_bytes())),
        GgufArray::I64(values) => values.iter().for_each(|value| out.extend(value.to_le_bytes())),
        GgufArray::F64(values) => values.iter().for_each(|value| out.extend(value.to_le_bytes())),
    }
}
