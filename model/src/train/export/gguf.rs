//! A GGUF file that llama.cpp loads: f16 or Q8_0 matrices, f32 norms, the tokenizer inside.
//!
//! llama.cpp rotates neighbouring pairs, so the rows of q and k are put into its order.

use std::path::Path;

use half::f16;
use rayon::prelude::*;
use serde_json::Value;

use crate::files::write_atomically;
use crate::gguf::{GgufArray, GgufTensorType, GgufValue, MADE_BY, REDLINE, TypedGgufTensor, encode_typed_gguf};
use crate::train::Parameters;
use crate::train::bytes::{encode, tensor_values};
use crate::weights::gguf_names::{gguf_name, permute};
use crate::{Error, ModelConfig, Result, RopeScaling, Tokenizer};

const BLOCK: usize = 32;
const NORMAL: i32 = 1;
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;
const UNUSED: i32 = 5;

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
/// [`Error::Request`] for what llama.cpp's Llama cannot hold: biases, stretched rotary frequencies; [`Error::Tokenizer`] for a
/// tokenizer it has no name for; I/O.
pub fn export_gguf(path: &Path, parameters: &Parameters, tokenizer: &Tokenizer, stored: GgufStored) -> Result<()> {
    let config = parameters.config();
    check_gguf(config)?;
    let mut metadata = model_metadata(config, stored);
    metadata.extend(tokenizer_metadata(path, config, tokenizer)?);
    let mut tensors = Vec::new();
    for (name, tensor) in parameters.merged()? {
        let missing = || Error::TensorMissing { path: path.into(), tensor: name.clone() };
        let gguf_name = gguf_name(&name, config).ok_or_else(missing)?;
        let tensor = match () {
            () if name.ends_with("self_attn.q_proj.weight") => permute(&tensor, config.n_heads)?,
            () if name.ends_with("self_attn.k_proj.weight") => permute(&tensor, config.n_kv_heads)?,
            () => tensor,
        };
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

/// Whether a model of this shape can be written.
///
/// # Errors
/// It is no Llama model, or has biases or rotary scaling.
pub fn check_gguf(config: &ModelConfig) -> Result<()> {
    let has_biases = config.qkv_bias || config.output_bias || config.mlp_bias;
    if config.architecture == "llama" && !has_biases && config.rope_scaling == RopeScaling::None {
        return Ok(());
    }
    Err(Error::Request {
        what: "model to export as GGUF",
        got: format!("architecture {} with biases or rotary scaling", config.architecture),
        expected: "a Llama model without them".to_owned(),
    })
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

fn model_metadata(config: &ModelConfig, stored: GgufStored) -> Vec<(String, GgufValue)> {
    let size = |name: &str, value: usize| (format!("llama.{name}"), GgufValue::U32(value as u32));
    vec![
        ("general.architecture".into(), GgufValue::String("llama".into())),
        ("general.name".into(), GgufValue::String("Aligner".into())),
        (MADE_BY.into(), GgufValue::String(REDLINE.into())),
        ("general.file_type".into(), GgufValue::U32(if stored == GgufStored::F16 { 1 } else { 7 })),
        ("general.quantization_version".into(), GgufValue::U32(2)),
        size("vocab_size", config.vocab_size),
        size("context_length", config.context),
        size("embedding_length", config.hidden_size),
        size("block_count", config.n_layers),
        size("feed_forward_length", config.intermediate_size),
        size("attention.head_count", config.n_heads),
        size("attention.head_count_kv", config.n_kv_heads),
        size("attention.key_length", config.head_dim),
        size("attention.value_length", config.head_dim),
        size("rope.dimension_count", config.head_dim),
        ("llama.rope.freq_base".into(), GgufValue::F32(config.rope_theta)),
        ("llama.attention.layer_norm_rms_epsilon".into(), GgufValue::F32(config.rms_norm_eps as f32)),
    ]
}

fn tokenizer_metadata(path: &Path, config: &ModelConfig, tokenizer: &Tokenizer) -> Result<Vec<(String, GgufValue)>> {
    let problem = |problem: &str| Error::Tokenizer { path: path.into(), problem: problem.into() };
    let json: Value = serde_json::from_str(&tokenizer.to_json()?).map_err(|source| Error::MalformedLine {
        path: path.into(),
        line: source.line(),
        source,
    })?;
    let model = &json["model"];
    if model["type"] != "BPE" || !json["normalizer"].is_null() {
        return Err(problem("only byte-level BPE without a normalizer can be written to GGUF"));
    }
    let pre = pre_tokenizer(&json["pre_tokenizer"]);
    let pre = pre.ok_or_else(|| problem("llama.cpp has no name for its pre-tokenizer that is known here"))?;
    let merges = model["merges"].as_array().ok_or_else(|| problem("it has no merges"))?;
    let merges = merges.iter().map(merge_line).collect::<Option<Vec<String>>>();
    let merges = merges.ok_or_else(|| problem("a merge is not two tokens"))?;

    let mut types = vec![UNUSED; config.vocab_size];
    let token = |id: usize| tokenizer.token(id as u32);
    let tokens: Vec<String> = (0..config.vocab_size).map(|id| token(id).unwrap_or(format!("[PAD{id}]"))).collect();
    for (id, kind) in types.iter_mut().enumerate().take(tokenizer.vocab_size()) {
        *kind = if token(id).is_some() { NORMAL } else { UNUSED };
    }
    for added in json["added_tokens"].as_array().into_iter().flatten() {
        let id = added["id"].as_u64().and_then(|id| types.get_mut(id as usize));
        let kind = if added["special"] == true { CONTROL } else { USER_DEFINED };
        *id.ok_or_else(|| problem("an added token has no id in the vocabulary"))? = kind;
    }
    let mut metadata: Vec<(String, GgufValue)> = vec![
        ("tokenizer.ggml.model".into(), GgufValue::String("gpt2".into())),
        ("tokenizer.ggml.pre".into(), GgufValue::String(pre.into())),
        ("tokenizer.ggml.tokens".into(), GgufValue::Array(GgufArray::String(tokens))),
        ("tokenizer.ggml.token_type".into(), GgufValue::Array(GgufArray::I32(types))),
        ("tokenizer.ggml.merges".into(), GgufValue::Array(GgufArray::String(merges))),
        ("tokenizer.ggml.add_bos_token".into(), GgufValue::Bool(tokenizer.adds_bos())),
    ];
    let ids = [
        ("bos", tokenizer.bos_id()),
        ("eos", tokenizer.eos_id()),
        ("eot", tokenizer.eot_id()),
        ("padding", tokenizer.token_id("<|pad|>")),
    ];
    let ids = ids.into_iter().filter_map(|(name, id)| Some((name, id?)));
    metadata.extend(ids.map(|(name, id)| (format!("tokenizer.ggml.{name}_token_id"), GgufValue::U32(id))));
    if let Some(template) = tokenizer.chat_template() {
        metadata.push(("tokenizer.chat_template".into(), GgufValue::String(template.into())));
    }
    Ok(metadata)
}

/// llama.cpp's name for a pre-tokenizer.
fn pre_tokenizer(value: &Value) -> Option<&'static str> {
    let is_bytes = |step: &Value| step["type"] == "ByteLevel" && step["use_regex"] != false;
    let is_digits = |step: &Value| step["type"] == "Digits" && step["individual_digits"] == true;
    if is_bytes(value) {
        return Some("gpt-2");
    }
    match value["pretokenizers"].as_array()?.as_slice() {
        [bytes] if is_bytes(bytes) => Some("gpt-2"),
        [digits, bytes] if is_digits(digits) && is_bytes(bytes) => Some("smollm"),
        _ => None,
    }
}

/// A merge as `left right`, from a pair or a line.
fn merge_line(merge: &Value) -> Option<String> {
    match merge {
        Value::String(line) => Some(line.clone()),
        Value::Array(pair) => Some(format!("{} {}", pair.first()?.as_str()?, pair.get(1)?.as_str()?)),
        _ => None,
    }
}
