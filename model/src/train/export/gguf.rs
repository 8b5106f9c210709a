//! A GGUF file that llama.cpp loads: f16 or Q8_0 matrices, f32 norms, the tokenizer inside.
//!
//! llama.cpp rotates neighbouring pairs in Llama models and those like it, so the rows of their q and k are put into its order.

use std::path::Path;

use candle_core::Tensor;
use half::f16;
use rayon::prelude::*;

use super::gguf_shape::GgufShape;
use super::gguf_tokenizer::tokenizer_metadata;
use crate::files::write_atomically;
use crate::gguf::{GgufTensorType, GgufValue, MADE_BY, REDLINE, TypedGgufTensor, encode_typed_gguf};
use crate::train::Parameters;
use crate::train::bytes::{encode, tensor_values};
use crate::weights::gguf_names::{gguf_name, permute};
use crate::{Error, ModelConfig, Result, Tokenizer};

const BLOCK: usize = 32;

/// The type of matrices in a GGUF file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GgufStored {
    /// 16-bit floating point.
    F16,
    /// Blocks of 32 bytes with a scale; matrices whose rows are no multiple of 32 stay in f16.
    Q8_0,
}

/// Writes a model with its tokenizer, deltas merged in.
///
/// # Errors
/// As [`check_gguf`]; weights that are not finite or too large for f16; I/O.
pub fn export_gguf(path: &Path, parameters: &Parameters, tokenizer: &Tokenizer, stored: GgufStored) -> Result<()> {
    let config = parameters.config();
    let shape = GgufShape::of(config)?;
    let mut metadata: Vec<(String, GgufValue)> = vec![
        ("general.architecture".into(), GgufValue::String(shape.family.gguf.architecture.into())),
        ("general.name".into(), GgufValue::String("Aligner".into())),
        (MADE_BY.into(), GgufValue::String(REDLINE.into())),
        ("general.file_type".into(), GgufValue::U32(if stored == GgufStored::F16 { 1 } else { 7 })),
        ("general.quantization_version".into(), GgufValue::U32(2)),
    ];
    metadata.extend(shape.metadata.iter().cloned());
    metadata.extend(tokenizer_metadata(path, parameters, tokenizer)?);
    let mut tensors = Vec::new();
    if let Some(divisors) = &shape.frequency_divisors {
        let kind = GgufTensorType::F32;
        tensors.push(("rope_freqs.weight".to_owned(), vec![divisors.len()], kind, blocks(divisors, kind)));
    }
    for (name, tensor) in parameters.merged_as_stored()? {
        let missing = || Error::TensorMissing { path: path.into(), tensor: name.clone() };
        let gguf_name = gguf_name(&name, config).ok_or_else(missing)?;
        let tensor = ordered(&name, tensor, &shape, config)?;
        let values = tensor_values(&tensor)?;
        let largest = f32::from(f16::MAX);
        if let Some(index) = values.iter().position(|x| !x.is_finite() || x.abs() > largest) {
            return Err(Error::TensorNotFinite { path: path.into(), tensor: name, index, value: values[index] });
        }
        let kind = kind(tensor.dims(), stored);
        tensors.push((gguf_name, tensor.dims().to_vec(), kind, blocks(&values, kind)));
    }
    let typed: Vec<TypedGgufTensor<'_>> =
        tensors.iter().map(|(name, dims, kind, bytes)| TypedGgufTensor { name, dims, kind: *kind, bytes }).collect();
    let metadata: Vec<(&str, GgufValue)> = metadata.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
    write_atomically(path, &encode_typed_gguf(&metadata, &typed)?)
}

/// Whether a model can be written, before it is trained; returns what llama.cpp will do otherwise, a sentence each.
///
/// # Errors
/// [`Error::Request`] for what llama.cpp's model of this family cannot do; [`Error::Tokenizer`] for a tokenizer it has no name for.
pub fn check_gguf(path: &Path, parameters: &Parameters, tokenizer: &Tokenizer) -> Result<Vec<String>> {
    let shape = GgufShape::of(parameters.config())?;
    tokenizer_metadata(path, parameters, tokenizer)?;
    Ok(shape.notes)
}

/// A tensor as llama.cpp takes it: queries and keys of some families in the order of neighbouring pairs, queries scaled.
fn ordered(name: &str, tensor: Tensor, shape: &GgufShape, config: &ModelConfig) -> Result<Tensor> {
    let scaled = if config.qk_norm { "self_attn.q_norm." } else { "self_attn.q_proj." };
    let tensor = match name.contains(scaled) && shape.query_factor != 1.0 {
        true => (tensor * shape.query_factor)?,
        false => tensor,
    };
    match shape.family.gguf.permutes_rows {
        true if name.contains("self_attn.q_proj.") => permute(&tensor, config.n_heads),
        true if name.contains("self_attn.k_proj.") => permute(&tensor, config.n_kv_heads),
        _ => Ok(tensor),
    }
}

fn kind(dims: &[usize], stored: GgufStored) -> GgufTensorType {
    match (dims, stored) {
        ([_], _) => GgufTensorType::F32,
        ([_, columns], GgufStored::Q8_0) if columns.is_multiple_of(BLOCK) => GgufTensorType::Q8_0,
        _ => GgufTensorType::F16,
    }
}

fn blocks(values: &[f32], kind: GgufTensorType) -> Vec<u8> {
    match kind {
        GgufTensorType::F32 => encode(values, f32::to_le_bytes),
        GgufTensorType::Q8_0 => {
            let mut bytes = vec![0u8; values.len() / BLOCK * (BLOCK + 2)];
            bytes.par_chunks_mut(BLOCK + 2).zip(values.par_chunks(BLOCK)).for_each(|(out, x)| q8_0_block(x, out));
            bytes
        }
        _ => encode(values, |x| f16::from_f32(x).to_le_bytes()),
    }
}

/// 32 values → scale and bytes.
fn q8_0_block(x: &[f32], out: &mut [u8]) {
    let scale = x.iter().fold(0f32, |max, x| max.max(x.abs())) / 127.0;
    let inverse = if scale > 0.0 { 1.0 / scale } else { 0.0 };
    out[..2].copy_from_slice(&f16::from_f32(scale).to_le_bytes());
    out[2..].iter_mut().zip(x).for_each(|(byte, x)| *byte = ((x * inverse).round() as i8).to_le_bytes()[0]);
}
