//! `config.json`, `generation_config.json` and `tokenizer_config.json` of a trained model.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::StoredType;
use crate::train::Parameters;
use crate::{Activation, Error, ModelConfig, Result, RopeScaling, Tokenizer};

/// Families whose configuration names a window, and those that name the kind of each layer.
const WINDOWED: [&str; 6] = ["mistral", "qwen2", "qwen3", "gemma2", "gemma3", "phi3"];
const BY_LAYER: [&str; 4] = ["qwen2", "qwen3", "gemma2", "gemma3"];
const BIASED: [&str; 5] = ["llama", "qwen3", "gemma", "gemma2", "gemma3"];

/// The configuration: that of the base's folder where there is one, otherwise one that says the same as the file trained from.
pub(super) fn config_json(
    path: &Path,
    parameters: &Parameters,
    tokenizer: &Tokenizer,
    stored: StoredType,
) -> Result<Value> {
    let config = parameters.config();
    let mut value = match &parameters.base().config {
        Some(base) => kept(base.clone()),
        None => made(path, config, tokenizer)?,
    };
    value["architectures"] = json!([class_name(family(config))]);
    value["dtype"] = json!(stored.name());
    value["torch_dtype"] = json!(stored.name());
    value["tie_word_embeddings"] = json!(config.tie_embeddings);
    Ok(value)
}

/// The base's own keys but those about files that are not written.
fn kept(mut base: Map<String, Value>) -> Value {
    for name in ["auto_map", "_name_or_path", "vision_config"] {
        base.remove(name);
    }
    Value::Object(base)
}

/// The family whose configuration can say what the model does: Mistral is Llama with a window.
fn family(config: &ModelConfig) -> &str {
    match config.architecture.as_str() {
        "llama" if config.window().is_some() => "mistral",
        other => other,
    }
}

fn made(path: &Path, config: &ModelConfig, tokenizer: &Tokenizer) -> Result<Value> {
    let family = family(config);
    check(path, config, family)?;
    let rope = rope_parameters(path, config)?;
    let eos = match (tokenizer.eos_id(), config.eos_token_ids.as_slice()) {
        (Some(id), _) => json!(id),
        (None, ids) => json!(ids),
    };
    let mut value = json!({
        "model_type": if family == "gemma3" { "gemma3_text" } else { family },
        "vocab_size": config.vocab_size,
        "hidden_size": config.hidden_size,
        "intermediate_size": config.intermediate_size,
        "num_hidden_layers": config.n_layers,
        "num_attention_heads": config.n_heads,
        "num_key_value_heads": config.n_kv_heads,
        "head_dim": config.head_dim,
        "rms_norm_eps": config.rms_norm_eps,
        "max_position_embeddings": config.context,
        "bos_token_id": tokenizer.bos_id(),
        "eos_token_id": eos,
        "initializer_range": 0.02,
    });
    let (activation, name) = match (config.activation, config.post_norms) {
        (Activation::Silu, _) => ("hidden_act", "silu"),
        (Activation::GeluTanh, false) => ("hidden_act", "gelu_pytorch_tanh"),
        (Activation::GeluTanh, true) => ("hidden_activation", "gelu_pytorch_tanh"),
    };
    value[activation] = json!(name);
    if BIASED.contains(&family) {
        value["attention_bias"] = json!(config.output_bias);
    }
    if family == "llama" {
        value["mlp_bias"] = json!(config.mlp_bias);
    }
    add_rope(&mut value, config, rope);
    if WINDOWED.contains(&family) {
        value["sliding_window"] = json!(config.window());
    }
    if BY_LAYER.contains(&family) {
        let kind = |window: &Option<usize>| if window.is_some() { "sliding_attention" } else { "full_attention" };
        value["layer_types"] = json!(config.windows.iter().map(kind).collect::<Vec<_>>());
        value["use_sliding_window"] = json!(config.window().is_some());
    }
    if config.post_norms {
        value["query_pre_attn_scalar"] = json!((1.0 / f64::from(config.attention_scale).powi(2)).round() as u64);
        value["attn_logit_softcapping"] = json!(config.attention_softcap);
        value["final_logit_softcapping"] = json!(config.logit_softcap);
    }
    Ok(value)
}

/// Whether a `config.json` can say what the model does.
pub(super) fn can_say(config: &ModelConfig) -> bool {
    let path = Path::new("config.json");
    check(path, config, family(config)).and_then(|()| rope_parameters(path, config)).is_ok()
}

/// Refuses what a family's `config.json` has no key for.
fn check(path: &Path, config: &ModelConfig, family: &str) -> Result<()> {
    let refuse = |field: &str, problem: &str| {
        Err(Error::ConfigField { path: path.into(), field: field.into(), problem: format!("cannot say {problem}") })
    };
    let has_biases = config.qkv_bias || config.output_bias || config.mlp_bias;
    let one_flag = config.qkv_bias == config.output_bias && (family == "llama" || !config.mlp_bias);
    match family {
        "qwen2" if config.output_bias || config.mlp_bias => refuse("attention_bias", "that outputs have a bias"),
        "mistral" | "phi3" if has_biases => refuse("attention_bias", "that linear layers have a bias"),
        family if BIASED.contains(&family) && !one_flag => {
            refuse("attention_bias", "that some linear layers have a bias and some not")
        }
        "mistral" | "phi3" if config.windows.windows(2).any(|pair| pair[0] != pair[1]) => {
            refuse("sliding_window", "that layers differ")
        }
        "phi3" if config.rope_scaling != RopeScaling::None => {
            refuse("rope_parameters", "how this GGUF file's rotary frequencies are stretched")
        }
        _ => Ok(()),
    }
}

fn add_rope(value: &mut Value, config: &ModelConfig, mut rope: Value) {
    if let Some(local) = config.local_rope_theta {
        value["rope_parameters"] = json!({
            "full_attention": rope,
            "sliding_attention": { "rope_type": "default", "rope_theta": local },
        });
        return;
    }
    if config.architecture == "phi3" {
        let partial = json!(config.rotary_dim as f64 / config.head_dim as f64);
        rope["partial_rotary_factor"] = partial.clone();
        value["partial_rotary_factor"] = partial;
        value["original_max_position_embeddings"] = json!(config.context);
    }
    value["rope_theta"] = json!(config.rope_theta);
    // programs from before transformers 5 know this name only
    if config.rope_scaling != RopeScaling::None {
        value["rope_scaling"] = rope;
    } else {
        value["rope_parameters"] = rope;
    }
}

/// The name of a family's class in transformers.
fn class_name(family: &str) -> &'static str {
    match family {
        "mistral" => "MistralForCausalLM",
        "qwen2" => "Qwen2ForCausalLM",
        "qwen3" => "Qwen3ForCausalLM",
        "gemma" => "GemmaForCausalLM",
        "gemma2" => "Gemma2ForCausalLM",
        "gemma3" => "Gemma3ForCausalLM",
        "phi3" => "Phi3ForCausalLM",
        _ => "LlamaForCausalLM",
    }
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

/// Which token pads where the base does not say.
const PAD: &str = "<|pad|>";

/// The token that pads a text, by the base's file or by its name.
pub(super) fn pad_id(parameters: &Parameters, tokenizer: &Tokenizer) -> Option<u32> {
    parameters.base().token_id("padding").or_else(|| tokenizer.token_id(PAD))
}

/// What ends an output, for a base that has no such file.
pub(super) fn generation_config(parameters: &Parameters, tokenizer: &Tokenizer) -> Value {
    let mut value = json!({ "eos_token_id": tokenizer.stop_ids() });
    for (key, id) in [("bos_token_id", tokenizer.bos_id()), ("pad_token_id", pad_id(parameters, tokenizer))] {
        if let Some(id) = id {
            value[key] = json!(id);
        }
    }
    value
}

/// The tokenizer's settings, for a base that has no such file.
pub(super) fn tokenizer_config(parameters: &Parameters, tokenizer: &Tokenizer) -> Value {
    let token = |id: Option<u32>| id.and_then(|id| tokenizer.token(id));
    let mut value = json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "add_bos_token": tokenizer.adds_bos(),
        "clean_up_tokenization_spaces": false,
        "model_max_length": parameters.config().context,
    });
    let optional = [
        ("bos_token", token(tokenizer.bos_id())),
        ("eos_token", token(tokenizer.eos_id())),
        ("pad_token", token(pad_id(parameters, tokenizer))),
        ("chat_template", tokenizer.chat_template().map(str::to_owned)),
    ];
    for (key, text) in optional {
        if let Some(text) = text {
            value[key] = Value::String(text);
        }
    }
    value
}
