//! Hugging Face tensor names in GGUF files, and the undoing of llama.cpp's row order.

use candle_core::Tensor;

use crate::gguf::GgufFile;
use crate::layers::packed::{FileFormat, PackedMatrix};
use crate::{Error, ModelConfig, Result};

/// Parts of a block: Hugging Face name, GGUF name.
const BLOCK_PARTS: [(&str, &str); 9] = [
    ("self_attn.q_proj", "attn_q"),
    ("self_attn.k_proj", "attn_k"),
    ("self_attn.v_proj", "attn_v"),
    ("self_attn.o_proj", "attn_output"),
    ("mlp.gate_proj", "ffn_gate"),
    ("mlp.up_proj", "ffn_up"),
    ("mlp.down_proj", "ffn_down"),
    ("input_layernorm", "attn_norm"),
    ("post_attention_layernorm", "ffn_norm"),
];

/// Reads a tensor by its Hugging Face name, dequantised to f32.
pub(super) fn tensor(file: &GgufFile, name: &str, config: &ModelConfig) -> Result<Tensor> {
    let missing = || Error::TensorMissing { path: file.path().into(), tensor: name.into() };
    let gguf_name = gguf_name(name).ok_or_else(missing)?;
    let tensor = file.tensor_f32(&gguf_name)?;
    match rotated_heads(name, config) {
        Some(n_heads) => unpermute(&tensor, n_heads),
        None => Ok(tensor),
    }
}

/// The bytes of a matrix of this shape by its Hugging Face name, rows in the decoder's order; `None` for types without a kernel.
pub(super) fn packed(
    file: &GgufFile,
    name: &str,
    [rows, columns]: [usize; 2],
    config: &ModelConfig,
) -> Result<Option<PackedMatrix>> {
    let missing = || Error::TensorMissing { path: file.path().into(), tensor: name.into() };
    let gguf_name = gguf_name(name).ok_or_else(missing)?;
    let info = file.tensor_info(&gguf_name).ok_or_else(missing)?;
    let Some(format) = FileFormat::from_gguf(info.tensor_type.number()) else { return Ok(None) };
    if info.dims != [rows, columns] {
        return Ok(None); // reading it as a tensor names the shape
    }
    let bytes = file.tensor_bytes(&gguf_name)?;
    let bytes: &[u8] = match rotated_heads(name, config) {
        Some(n_heads) if rows.is_multiple_of(2 * n_heads) && bytes.len().is_multiple_of(rows) => {
            &unpermute_bytes(bytes, rows, n_heads)
        }
        Some(_) => return Ok(None),
        None => bytes,
    };
    Ok(PackedMatrix::new(format, bytes, rows, columns))
}

/// Heads of the projections whose rows llama.cpp reorders.
fn rotated_heads(name: &str, config: &ModelConfig) -> Option<usize> {
    match () {
        () if name.ends_with("self_attn.q_proj.weight") => Some(config.n_heads),
        () if name.ends_with("self_attn.k_proj.weight") => Some(config.n_kv_heads),
        () => None,
    }
}

/// [`unpermute`] for rows of bytes.
fn unpermute_bytes(bytes: &[u8], rows: usize, n_heads: usize) -> Vec<u8> {
    let (row_bytes, per_head) = (bytes.len() / rows, rows / n_heads);
    let stored = |row: usize| {
        let (head, place) = (row / per_head, row % per_head);
        let (half, pair) = (place / (per_head / 2), place % (per_head / 2));
        head * per_head + 2 * pair + half
    };
    let mut ordered = Vec::with_capacity(bytes.len());
    for row in 0..rows {
        ordered.extend_from_slice(&bytes[stored(row) * row_bytes..][..row_bytes]);
    }
    ordered
}

/// `model.layers.3.mlp.up_proj.weight` → `blk.3.ffn_up.weight`.
pub(crate) fn gguf_name(name: &str) -> Option<String> {
    match name {
        "model.embed_tokens.weight" => return Some("token_embd.weight".into()),
        "model.norm.weight" => return Some("output_norm.weight".into()),
        "lm_head.weight" => return Some("output.weight".into()),
        _ => {}
    }
    let (layer, rest) = name.strip_prefix("model.layers.")?.split_once('.')?;
    let (part, kind) = rest.rsplit_once('.')?;
    let (_, gguf_part) = BLOCK_PARTS.iter().find(|(hugging_face, _)| *hugging_face == part)?;
    Some(format!("blk.{layer}.{gguf_part}.{kind}"))
}

/// llama.cpp stores q and k of Llama models with each head's rows interleaved, for rotation of neighbouring pairs; the
/// decoder rotates halves, as Hugging Face does. (out, in) → (out, in)
fn unpermute(weight: &Tensor, n_heads: usize) -> Result<Tensor> {
    let (rows, columns) = weight.dims2()?;
    if rows % (2 * n_heads) != 0 {
        return Ok(weight.clone()); // the shape check that follows names the tensor
    }
    let paired = weight.reshape((n_heads, rows / n_heads / 2, 2, columns))?;
    Ok(paired.transpose(1, 2)?.contiguous()?.reshape((rows, columns))?)
}

/// The reverse of [`unpermute`]: halves become neighbouring pairs. (out, in) → (out, in)
pub(crate) fn permute(weight: &Tensor, n_heads: usize) -> Result<Tensor> {
    let (rows, columns) = weight.dims2()?;
    let halves = weight.reshape((n_heads, 2, rows / n_heads / 2, columns))?;
    Ok(halves.transpose(1, 2)?.contiguous()?.reshape((rows, columns))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_map() {
        assert_eq!(gguf_name("model.layers.12.self_attn.o_proj.weight").as_deref(), Some("blk.12.attn_output.weight"));
        assert_eq!(gguf_name("model.norm.weight").as_deref(), Some("output_norm.weight"));
        assert_eq!(gguf_name("model.layers.0.unknown.weight"), None);
    }

    #[test]
    fn interleaved_rows_become_halves() {
        // one head of four rows: pairs (0, 1), (2, 3) hold (first half, second half) of each frequency
        let weight = Tensor::new(&[[0f32], [1.], [2.], [3.]], &candle_core::Device::Cpu).unwrap();
        let rows: Vec<f32> = unpermute(&weight, 1).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        assert_eq!(rows, [0., 2., 1., 3.]);
        assert_eq!(unpermute_bytes(&[0, 1, 2, 3], 4, 1), [0, 2, 1, 3]);
        let back = permute(&unpermute(&weight, 1).unwrap(), 1).unwrap();
        assert_eq!(back.to_vec2::<f32>().unwrap(), weight.to_vec2::<f32>().unwrap());
    }
}
