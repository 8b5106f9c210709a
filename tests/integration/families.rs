//! Every family as a GGUF file, written from the golden weights by llama.cpp's conventions, against the numbers of transformers.
//!
//! Tolerance 1e-4 of the largest magnitude: both sides compute in f32, in another order of summation.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use redline::model::gguf::{GgufTensor, GgufValue, write_gguf};
use serde_json::Value;

use crate::fixture::{gguf_metadata, interleave};
use crate::program::{golden, run};

/// Parts of a block: Hugging Face, llama.cpp.
const PARTS: [(&str, &str); 14] = [
    ("self_attn.q_proj.", "attn_q."),
    ("self_attn.k_proj.", "attn_k."),
    ("self_attn.v_proj.", "attn_v."),
    ("self_attn.o_proj.", "attn_output."),
    ("self_attn.qkv_proj.", "attn_qkv."),
    ("self_attn.q_norm.", "attn_q_norm."),
    ("self_attn.k_norm.", "attn_k_norm."),
    ("mlp.gate_up_proj.", "ffn_up."),
    ("mlp.gate_proj.", "ffn_gate."),
    ("mlp.up_proj.", "ffn_up."),
    ("mlp.down_proj.", "ffn_down."),
    ("input_layernorm.", "attn_norm."),
    ("pre_feedforward_layernorm.", "ffn_norm."),
    ("post_feedforward_layernorm.", "post_ffw_norm."),
];

struct Golden {
    family: &'static str,
    /// llama.cpp's name.
    architecture: &'static str,
    config: Value,
    weights: HashMap<String, Tensor>,
}

impl Golden {
    fn new(family: &'static str, architecture: &'static str) -> Self {
        let config = std::fs::read(golden(family).join("config.json")).unwrap();
        let weights = candle_core::safetensors::load(golden(family).join("model.safetensors"), &Device::Cpu).unwrap();
        Self { family, architecture, config: serde_json::from_slice(&config).unwrap(), weights }
    }

    fn size(&self, key: &str) -> u32 {
        self.config[key].as_u64().unwrap() as u32
    }

    fn head_dim(&self) -> u32 {
        self.config["head_dim"]
            .as_u64()
            .map_or(self.size("hidden_size") / self.size("num_attention_heads"), |n| n as u32)
    }

    fn name(&self, name: &str) -> String {
        let sandwich = ("post_attention_layernorm.", "post_attention_norm.");
        let plain = ("post_attention_layernorm.", "ffn_norm.");
        let has_post_norms = matches!(self.architecture, "gemma2" | "gemma3");
        let first = if has_post_norms { sandwich } else { plain };
        match name {
            "model.embed_tokens.weight" => "token_embd.weight".into(),
            "model.norm.weight" => "output_norm.weight".into(),
            "lm_head.weight" => "output.weight".into(),
            _ => {
                let part = std::iter::once(&first).chain(&PARTS).find(|(from, _)| name.contains(from)).unwrap();
                name.replace("model.layers.", "blk.").replace(part.0, part.1)
            }
        }
    }

    /// A tensor as llama.cpp stores it.
    fn stored(&self, name: &str) -> Tensor {
        let mut weight = self.weights[name].clone();
        if self.architecture.starts_with("gemma") && name.ends_with("norm.weight") {
            weight = (weight + 1.0).unwrap();
        }
        // files do not say by what queries are scaled; where that is not the heads' width, the difference goes into the queries
        let scaled = if self.architecture == "gemma3" { "q_norm.weight" } else { "q_proj.weight" };
        if let Some(width) = self.config["query_pre_attn_scalar"].as_f64()
            && name.ends_with(scaled)
        {
            weight = (weight * (f64::from(self.head_dim()) / width).sqrt()).unwrap();
        }
        let heads = match name {
            _ if !matches!(self.architecture, "llama" | "smollm3" | "granite") => return weight,
            name if name.ends_with("q_proj.weight") => self.size("num_attention_heads"),
            name if name.ends_with("k_proj.weight") => self.size("num_key_value_heads"),
            _ => return weight,
        };
        interleave(&weight, heads as usize)
    }

    fn metadata(&self) -> Vec<(String, GgufValue)> {
        let key = |name: &str| format!("{}.{name}", self.architecture);
        let tokenizer = gguf_metadata().into_iter().filter(|(key, _)| key.starts_with("tokenizer."));
        let mut metadata: Vec<(String, GgufValue)> = tokenizer.map(|(key, value)| (key.into(), value)).collect();
        metadata.push(("general.architecture".into(), GgufValue::String(self.architecture.into())));
        for (name, from) in [
            ("block_count", "num_hidden_layers"),
            ("context_length", "max_position_embeddings"),
            ("embedding_length", "hidden_size"),
            ("feed_forward_length", "intermediate_size"),
            ("attention.head_count", "num_attention_heads"),
            ("attention.head_count_kv", "num_key_value_heads"),
        ] {
            metadata.push((key(name), GgufValue::U32(self.size(from))));
        }
        metadata.push((key("attention.key_length"), GgufValue::U32(self.head_dim())));
        metadata.push((key("rope.dimension_count"), GgufValue::U32(self.head_dim())));
        // f64 where llama.cpp has f32, so that both formats hold the very same number
        let eps = self.config["rms_norm_eps"].as_f64().unwrap();
        metadata.push((key("attention.layer_norm_rms_epsilon"), GgufValue::F64(eps)));
        let rope = &self.config["rope_parameters"];
        let theta = rope["rope_theta"].as_f64().or(rope["full_attention"]["rope_theta"].as_f64()).unwrap();
        metadata.push((key("rope.freq_base"), GgufValue::F32(theta as f32)));
        for (name, from) in [
            ("attn_logit_softcapping", "attn_logit_softcapping"),
            ("final_logit_softcapping", "final_logit_softcapping"),
            ("embedding_scale", "embedding_multiplier"),
            ("attention.scale", "attention_multiplier"),
            ("residual_scale", "residual_multiplier"),
            ("logit_scale", "logits_scaling"),
        ] {
            metadata.extend(self.config[from].as_f64().map(|factor| (key(name), GgufValue::F32(factor as f32))));
        }
        let window = self.config["sliding_window"].as_u64();
        metadata.extend(window.map(|window| (key("attention.sliding_window"), GgufValue::U32(window as u32))));
        metadata
    }

    fn write(&self, path: &Path) {
        let mut names: Vec<&String> = self.weights.keys().collect();
        names.sort();
        let tensors: Vec<(String, Vec<usize>, Vec<f32>)> = names
            .into_iter()
            .map(|name| {
                let tensor = self.stored(name);
                (self.name(name), tensor.dims().to_vec(), tensor.flatten_all().unwrap().to_vec1().unwrap())
            })
            .collect();
        let views: Vec<GgufTensor<'_>> =
            tensors.iter().map(|(name, dims, data)| GgufTensor { name, dims, data }).collect();
        let metadata = self.metadata();
        let metadata: Vec<(&str, GgufValue)> =
            metadata.iter().map(|(key, value)| (key.as_str(), value.clone())).collect();
        write_gguf(path, &metadata, &views).unwrap();
    }
}

#[test]
fn gguf_files_of_every_family_give_the_numbers_of_transformers() {
    let folder = tempfile::tempdir().unwrap();
    for (family, architecture) in [
        ("llama_tied", "llama"),
        ("mistral_swa", "llama"),
        ("qwen2", "qwen2"),
        ("qwen3", "qwen3"),
        ("gemma", "gemma"),
        ("gemma2", "gemma2"),
        ("gemma3", "gemma3"),
        ("phi3", "phi3"),
        ("smollm3", "smollm3"),
        ("granite", "granite"),
    ] {
        let path = folder.path().join(format!("{family}.gguf"));
        let written = Golden::new(family, architecture);
        written.write(&path);
        let reference = golden(family).join("expected.safetensors");
        let args = ["check", &path.display().to_string(), "--reference", &reference.display().to_string(), "--json"];
        let ran = run(folder.path(), &args);
        assert_eq!(ran.code, 0, "{}: {ran:?}", written.family);
        let value: Value = serde_json::from_str(&ran.stdout).unwrap();
        assert_eq!((&value["greedy_equal"], &value["passes"]), (&Value::Bool(true), &Value::Bool(true)), "{family}");
        for key in ["hidden_max_rel", "logits_max_rel", "steered_logits_max_rel"] {
            assert!(value[key].as_f64().unwrap() < 1e-4, "{family}: {value}");
        }
    }
}

#[test]
fn a_model_that_also_sees_images_is_read_by_its_text_part() {
    let folder = tempfile::tempdir().unwrap();
    let weights = candle_core::safetensors::load(golden("gemma3/model.safetensors"), &Device::Cpu).unwrap();
    let renamed: HashMap<String, Tensor> =
        weights.into_iter().map(|(name, tensor)| (format!("language_model.{name}"), tensor)).collect();
    candle_core::safetensors::save(&renamed, folder.path().join("model.safetensors")).unwrap();
    let text: Value = serde_json::from_slice(&std::fs::read(golden("gemma3/config.json")).unwrap()).unwrap();
    let config = serde_json::json!({ "model_type": "gemma3", "text_config": text, "vision_config": {} });
    std::fs::write(folder.path().join("config.json"), config.to_string()).unwrap();
    let reference = golden("gemma3/expected.safetensors").display().to_string();
    let ran = run(folder.path(), &["check", ".", "--reference", &reference]);
    assert_eq!(ran.code, 0, "{ran:?}");
}
