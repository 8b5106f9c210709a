//! Hugging Face tensor names in GGUF files, and the undoing of llama.cpp's row order.

use candle_core::Tensor;
use redline_kernels::packed::{FileFormat, PackedMatrix};

use super::stored::{Part, Stored};
use crate::gguf::GgufFile;
use crate::precision::inputs;
use crate::{Error, ModelConfig, Result};

/// Parts of a block: Hugging Face name, GGUF name.
const BLOCK_PARTS: [(&str, &str); 15] = [
    ("self_attn.q_proj", "attn_q"),
    ("self_attn.k_proj", "attn_k"),
    ("self_attn.v_proj", "attn_v"),
    ("self_attn.o_proj", "attn_output"),
    ("mlp.gate_proj", "ffn_gate"),
    ("mlp.up_proj", "ffn_up"),
    ("mlp.down_proj", "ffn_down"),
    ("self_attn.qkv_proj", "attn_qkv"),
    ("mlp.gate_up_proj", "ffn_up"),
    ("self_attn.q_norm", "attn_q_norm"),
    ("self_attn.k_norm", "attn_k_norm"),
    ("input_layernorm", "attn_norm"),
    ("post_attention_layernorm", "ffn_norm"),
    ("pre_feedforward_layernorm", "ffn_norm"),
    ("post_feedforward_layernorm", "post_ffw_norm"),
];
/// What Hugging Face calls by the name of another family's part, where outputs are normalised.
const POST_ATTENTION_NORM: (&str, &str) = ("post_attention_layernorm", "post_attention_norm");

/// Reads a tensor by its Hugging Face name, dequantised to f32.
pub(super) fn tensor(file: &GgufFile, name: &str, config: &ModelConfig) -> Result<Tensor> {
    let missing = || Error::TensorMissing { path: file.path().into(), tensor: name.into() };
    let gguf_name = gguf_name(name, config).ok_or_else(missing)?;
    let tensor = file.tensor_f32(&gguf_name)?;
    match rotated_heads(name, config) {
        Some(n_heads) => unpermute(&tensor, n_heads),
        None => Ok(tensor),
    }
}

/// The bytes of a matrix of this shape by its Hugging Face name, rows in the decoder's order; `None` for types without a kernel.
pub(super) fn packed(
    file: &GgufFile,
    stored: &Stored,
    [rows, columns]: [usize; 2],
    config: &ModelConfig,
) -> Result<Option<PackedMatrix>> {
    let name = stored.name.as_str();
    let missing = || Error::TensorMissing { path: file.path().into(), tensor: name.into() };
    let gguf_name = gguf_name(name, config).ok_or_else(missing)?;
    let info = file.tensor_info(&gguf_name).ok_or_else(missing)?;
    let Some(format) = FileFormat::from_gguf(info.tensor_type.number()) else { return Ok(None) };
    let part = stored.part.unwrap_or(Part { start: 0, of: rows });
    if info.dims != [part.of, columns] {
        return Ok(None); // reading it as a tensor names the shape
    }
    let bytes = file.row_bytes(&gguf_name, part.start..part.start + rows, part.of)?;
    let bytes: &[u8] = match rotated_heads(name, config) {
        Some(n_heads) if rows.is_multiple_of(2 * n_heads) && bytes.len().is_multiple_of(rows) => {
            &unpermute_bytes(&bytes, rows, n_heads)
        }
        Some(_) => return Ok(None),
        None => &bytes,
    };
    Ok(PackedMatrix::new(format, bytes, (rows, columns), inputs()))
}

/// Heads of the projections whose rows llama.cpp reorders in some families.
fn rotated_heads(name: &str, config: &ModelConfig) -> Option<usize> {
    let (_, part) = name.split_once("self_attn.").filter(|_| config.family().gguf.permutes_rows)?;
    match part.split_once('.')?.0 {
        "q_proj" => Some(config.n_heads),
        "k_proj" => Some(config.n_kv_heads),
        _ => None,
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
pub(crate) fn gguf_name(name: &str, config: &ModelConfig) -> Option<String> {
    match name {
        "model.embed_tokens.weight" => return Some("token_embd.weight".into()),
        "model.norm.weight" => return Some("output_norm.weight".into()),
        "lm_head.weight" => return Some("output.weight".into()),
        _ => {}
    }
    let (layer, rest) = name.strip_prefix("model.layers.")?.split_once('.')?;
    let (part, kind) = rest.rsplit_once('.')?;
    let renamed = config.post_norms.then_some(&POST_ATTENTION_NORM);
    let (_, gguf_part) = renamed.into_iter().chain(&BLOCK_PARTS).find(|(hugging_face, _)| *hugging_face == part)?;
    Some(format!("blk.{layer}.{gguf_part}.{kind}"))
}

/// llama.cpp stores q and k of some families with each head's rows interleaved, for rotation of neighbouring pairs; the
/// decoder rotates halves, as Hugging Face does. (out, in) → (out, in), or (out) → (out) for a bias.
fn unpermute(weight: &Tensor, n_heads: usize) -> Result<Tensor> {
    let rows = weight.dim(0)?;
    if rows % (2 * n_heads) != 0 {
        return Ok(weight.clone()); // the shape check that follows names the tensor
    }
    let paired = weight.reshape((n_heads, rows / n_heads / 2, 2, weight.elem_count() / rows))?;
    Ok(paired.transpose(1, 2)?.contiguous()?.reshape(weight.shape())?)
}

/// The reverse of [`unpermute`]: halves become neighbouring pairs. (out, in) → (out, in), or (out) → (out) for a bias.
pub(crate) fn permute(weight: &Tensor, n_heads: usize) -> Result<Tensor> {
    let rows = weight.dim(0)?;
    let halves = weight.reshape((n_heads, 2, rows / n_heads / 2, weight.elem_count() / rows))?;
    Ok(halves.transpose(1, 2)?.contiguous()?.reshape(weight.shape())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_map() {
        let mut config = ModelConfig::llama([300, 64, 128, 2, 4], 256);
        let name = |name: &str, config: &ModelConfig| gguf_name(name, config).unwrap_or_default();
        assert_eq!(name("model.layers.12.self_attn.o_proj.weight", &config), "blk.12.attn_output.weight");
        assert_eq!(name("model.norm.weight", &config), "output_norm.weight");
        assert_eq!(name("model.layers.0.unknown.weight", &config), "");
        assert_eq!(name("model.layers.0.post_attention_layernorm.weight", &config), "blk.0.ffn_norm.weight");
        config.post_norms = true;
        assert_eq!(name("model.layers.0.post_attention_layernorm.weight", &config), "blk.0.post_attention_norm.weight");
        assert_eq!(name("model.layers.0.pre_feedforward_layernorm.weight", &config), "blk.0.ffn_norm.weight");
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
