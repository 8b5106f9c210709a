//! Trained models for other programs: a Hugging Face folder, a PEFT adapter folder, or a GGUF file.

mod gguf;

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::path::Path;

use candle_core::Tensor;
use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};

use super::bytes::{encode, tensor_values};
use super::{Method, Parameters};
use crate::files::write_atomically;
use crate::weights::is_norm;
use crate::{Activation, Error, ModelConfig, Result, RopeScaling, Tokenizer};

pub use gguf::{GgufStored, check_gguf, export_gguf};

/// The type weights are stored in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredType {
    /// 32-bit floating point: exact.
    F32,
    /// 16-bit floating point.
    F16,
    /// 16-bit floating point with the range of f32.
    Bf16,
}

impl StoredType {
    fn name(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::F16 => "float16",
            Self::Bf16 => "bfloat16",
        }
    }

    fn dtype(self) -> Dtype {
        match self {
            Self::F32 => Dtype::F32,
            Self::F16 => Dtype::F16,
            Self::Bf16 => Dtype::BF16,
        }
    }

    fn bytes(self, values: &[f32]) -> Vec<u8> {
        match self {
            Self::F32 => encode(values, f32::to_le_bytes),
            Self::F16 => encode(values, |x| f16::from_f32(x).to_le_bytes()),
            Self::Bf16 => encode(values, |x| bf16::from_f32(x).to_le_bytes()),
        }
    }

    fn largest(self) -> f32 {
        match self {
            Self::F16 => f32::from(f16::MAX),
            Self::F32 | Self::Bf16 => f32::MAX,
        }
    }
}

/// Writes `config.json`, `tokenizer.json`, `tokenizer_config.json` and `model.safetensors`, deltas merged in.
///
/// # Errors
/// Weights that are not finite or too large for the type; rotary factors that `config.json` cannot say; I/O.
pub fn export_hugging_face(
    folder: &Path,
    parameters: &Parameters,
    tokenizer: &Tokenizer,
    stored: StoredType,
) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    let config_path = folder.join("config.json");
    let config = hugging_face_config(&config_path, parameters.config(), tokenizer, stored)?;
    write_json(&config_path, &config)?;
    write_atomically(&folder.join("tokenizer.json"), tokenizer.to_json()?.as_bytes())?;
    write_json(&folder.join("tokenizer_config.json"), &tokenizer_config(parameters.config(), tokenizer))?;
    let offset = parameters.config().norm_offset();
    let mut tensors = parameters.merged()?;
    for (_, tensor) in tensors.iter_mut().filter(|(name, _)| offset != 0.0 && is_norm(name)) {
        *tensor = (&*tensor - offset)?;
    }
    write_tensors(&folder.join("model.safetensors"), &tensors, stored)
}

/// Writes `adapter_config.json` and `adapter_model.safetensors`; `model` is the name or path of the model adapted, `stored`
/// how the factors are written.
///
/// # Errors
/// [`Error::Request`] when the parameters are no adapter; I/O.
pub fn export_adapter(folder: &Path, parameters: &Parameters, model: &str, stored: StoredType) -> Result<()> {
    let Method::Lora(options) = parameters.method() else {
        let (got, expected) = ("all weights".to_owned(), "low-rank deltas".to_owned());
        return Err(Error::Request { what: "parameters to export as an adapter", got, expected });
    };
    std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    let config = json!({
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": model,
        "r": options.rank,
        "lora_alpha": options.alpha,
        "lora_dropout": options.dropout,
        "target_modules": options.targets,
        "bias": "none",
        "fan_in_fan_out": false,
        "inference_mode": true,
        "init_lora_weights": true,
        "modules_to_save": null,
        "use_rslora": false,
        "use_dora": false,
    });
    write_json(&folder.join("adapter_config.json"), &config)?;
    let tensors = parameters.trained().iter().map(|p| (p.name.clone(), p.variable.as_detached_tensor())).collect();
    write_tensors(&folder.join("adapter_model.safetensors"), &tensors, stored)
}

fn write_json(path: &Path, value: &Value) -> Result<()> {
    write_atomically(path, format!("{value:#}\n").as_bytes())
}

fn write_tensors(path: &Path, tensors: &BTreeMap<String, Tensor>, stored: StoredType) -> Result<()> {
    let mut encoded = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        let values = tensor_values(tensor)?;
        let is_storable = |x: &f32| x.is_finite() && x.abs() <= stored.largest();
        if let Some(index) = values.iter().position(|x| !is_storable(x)) {
            let value = values[index];
            return Err(Error::TensorNotFinite { path: path.into(), tensor: name.clone(), index, value });
        }
        encoded.push((name.as_str(), tensor.dims().to_vec(), stored.bytes(&values)));
    }
    let malformed = |error: safetensors::SafeTensorError| Error::Malformed {
        path: path.into(),
        format: "safetensors",
        rule: error.to_string(),
    };
    // other readers ask for this key
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let views = encoded.iter().map(|(name, shape, bytes)| {
        Ok((*name, TensorView::new(stored.dtype(), shape.clone(), bytes).map_err(malformed)?))
    });
    let views = views.collect::<Result<Vec<_>>>()?;
    let bytes = safetensors::serialize(views, Some(metadata)).map_err(malformed)?;
    write_atomically(path, &bytes)
}

fn hugging_face_config(path: &Path, config: &ModelConfig, tokenizer: &Tokenizer, stored: StoredType) -> Result<Value> {
    let rope = rope_parameters(path, config)?;
    let eos = match (tokenizer.eos_id(), config.eos_token_ids.as_slice()) {
        (Some(id), _) => json!(id),
        (None, ids) => json!(ids),
    };
    let mut value = json!({
        "architectures": [class_name(path, config)?],
        "model_type": if config.architecture == "gemma3" { "gemma3_text" } else { config.architecture.as_str() },
        "dtype": stored.name(),
        "torch_dtype": stored.name(),
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "intermediate_size": config.intermediate_size,
        "num_hidden_layers": config.n_layers,
        "num_attention_heads": config.n_heads,
        "num_key_value_heads": config.n_kv_heads,
        "head_dim": config.head_dim,
        "rms_norm_eps": config.rms_norm_eps,
        "max_position_embeddings": config.context,
        "tie_word_embeddings": config.tie_embeddings,
        "attention_bias": config.output_bias,
        "mlp_bias": config.mlp_bias,
        "bos_token_id": tokenizer.bos_id(),
        "eos_token_id": eos,
        "initializer_range": 0.02,
    });
    let activation = match config.activation {
        Activation::Silu => "silu",
        Activation::GeluTanh => "gelu_pytorch_tanh",
    };
    value["hidden_act"] = json!(activation);
    value["hidden_activation"] = json!(activation);
    match config.local_rope_theta {
        Some(local) => {
            value["rope_parameters"] = json!({
                "full_attention": rope,
                "sliding_attention": { "rope_type": "default", "rope_theta": local },
            });
        }
        None => {
            value["rope_theta"] = json!(config.rope_theta);
            value["rope_scaling"] = if config.rope_scaling == RopeScaling::None { Value::Null } else { rope.clone() };
            value["rope_parameters"] = rope;
        }
    }
    value["sliding_window"] = json!(config.window());
    if config.architecture != "mistral" && config.architecture != "llama" {
        let kind = |window: &Option<usize>| if window.is_some() { "sliding_attention" } else { "full_attention" };
        value["layer_types"] = json!(config.windows.iter().map(kind).collect::<Vec<_>>());
        value["use_sliding_window"] = json!(config.window().is_some());
    }
    if config.architecture == "gemma2" || config.architecture == "gemma3" {
        value["query_pre_attn_scalar"] = json!((1.0 / f64::from(config.attention_scale).powi(2)).round() as u64);
        value["attn_logit_softcapping"] = json!(config.attention_softcap);
        value["final_logit_softcapping"] = json!(config.logit_softcap);
    }
    Ok(value)
}

/// The name of the model's class in transformers.
fn class_name(path: &Path, config: &ModelConfig) -> Result<&'static str> {
    Ok(match config.architecture.as_str() {
        "llama" => "LlamaForCausalLM",
        "mistral" => "MistralForCausalLM",
        "qwen2" => "Qwen2ForCausalLM",
        "qwen3" => "Qwen3ForCausalLM",
        "gemma" => "GemmaForCausalLM",
        "gemma2" => "Gemma2ForCausalLM",
        "gemma3" => "Gemma3ForCausalLM",
        other => {
            let problem = format!("is `{other}`, of which only the adapter can be written");
            return Err(Error::ConfigField { path: path.into(), field: "model_type".into(), problem });
        }
    })
}

fn rope_parameters(path: &Path, config: &ModelConfig) -> Result<Value> {
    let theta = config.rope_theta;
    Ok(match &config.rope_scaling {
        RopeScaling::None => json!({ "rope_type": "default", "rope_theta": theta }),
        RopeScaling::Linear { factor } => json!({ "rope_type": "linear", "rope_theta": theta, "factor": factor }),
        RopeScaling::Llama3 { factor, low_freq_factor, high_freq_factor, original_context } => json!({
            "rope_type": "llama3",
            "rope_theta": theta,
            "factor": factor,
            "low_freq_factor": low_freq_factor,
            "high_freq_factor": high_freq_factor,
            "original_max_position_embeddings": *original_context as u64,
        }),
        RopeScaling::Yarn { factor, original_context, beta_fast, beta_slow, truncate, attention_factor } => json!({
            "rope_type": "yarn",
            "rope_theta": theta,
            "factor": factor,
            "original_max_position_embeddings": *original_context as u64,
            "beta_fast": beta_fast,
            "beta_slow": beta_slow,
            "truncate": truncate,
            "attention_factor": attention_factor,
        }),
        RopeScaling::Factors { .. } => {
            let problem = "cannot say one factor per frequency, as this GGUF file has".into();
            return Err(Error::ConfigField { path: path.into(), field: "rope_parameters".into(), problem });
        }
    })
}

fn tokenizer_config(config: &ModelConfig, tokenizer: &Tokenizer) -> Value {
    let token = |id: Option<u32>| id.and_then(|id| tokenizer.token(id));
    let mut value = json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_bos_token": tokenizer.adds_bos(),
        "clean_up_tokenization_spaces": false,
        "model_max_length": config.context,
    });
    let optional = [
        ("bos_token", token(tokenizer.bos_id())),
        ("eos_token", token(tokenizer.eos_id())),
        ("pad_token", tokenizer.token_id("<|pad|>").and_then(|id| tokenizer.token(id))),
        ("chat_template", tokenizer.chat_template().map(str::to_owned)),
    ];
    for (key, text) in optional {
        if let Some(text) = text {
            value[key] = Value::String(text);
        }
    }
    value
}
