//! `config.json`, `generation_config.json` and `tokenizer_config.json` of a trained model.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::StoredType;
use crate::config::{BiasKey, Family, RotationKeys, WindowPattern};
use crate::train::Parameters;
use crate::{Error, ModelConfig, Result, RopeScaling, Tokenizer};

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
        None => made(path, parameters, tokenizer)?,
    };
    value["architectures"] = json!([family(config).config.class_name]);
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
fn family(config: &ModelConfig) -> &'static Family {
    let own = config.family();
    let windowed = own.config.windowed.filter(|_| config.window().is_some());
    windowed.and_then(Family::named).unwrap_or(own)
}

fn made(path: &Path, parameters: &Parameters, tokenizer: &Tokenizer) -> Result<Value> {
    let config = parameters.config();
    let family = family(config);
    check(path, config, family)?;
    let rope = rope_parameters(path, config)?;
    let eos = match (tokenizer.eos_id(), config.eos_token_ids.as_slice()) {
        (Some(id), _) => json!(id),
        (None, ids) => json!(ids),
    };
    let mut value = json!({
        "model_type": family.config.model_type,
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
        // said where there is none: some families have an id by default, which a small vocabulary lacks
        "pad_token_id": pad_id(parameters, tokenizer),
        "initializer_range": 0.02,
    });
    let (activation, names) = family.config.activation;
    value[activation] = json!(names[0]);
    if family.config.bias == BiasKey::All {
        value["attention_bias"] = json!(config.output_bias);
    }
    if family.config.has_mlp_bias {
        value["mlp_bias"] = json!(config.mlp_bias);
    }
    add_rope(&mut value, config, rope);
    if family.pattern != WindowPattern::None {
        value["sliding_window"] = json!(config.window());
    }
    if family.names_layer_kinds() {
        let kind = |window: &Option<usize>| if window.is_some() { "sliding_attention" } else { "full_attention" };
        value["layer_types"] = json!(config.windows.iter().map(kind).collect::<Vec<_>>());
        value["use_sliding_window"] = json!(config.window().is_some());
    }
    if family.unrotated_every.is_some() {
        let rotates = |layer: usize| u8::from(!config.unrotated_layers.contains(&layer));
        value["no_rope_layers"] = json!((0..config.n_layers).map(rotates).collect::<Vec<_>>());
    }
    if family.config.has_multipliers {
        value["embedding_multiplier"] = json!(config.embedding_scale);
        value["attention_multiplier"] = json!(config.attention_scale);
        value["residual_multiplier"] = json!(config.residual_scale);
        value["logits_scaling"] = json!(config.logit_divisor);
    }
    if family.config.has_query_width {
        value["query_pre_attn_scalar"] = json!((1.0 / f64::from(config.attention_scale).powi(2)).round() as u64);
    }
    if family.caps_logits() {
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
fn check(path: &Path, config: &ModelConfig, family: &Family) -> Result<()> {
    let refuse = |field: &str, problem: &str| {
        Err(Error::ConfigField { path: path.into(), field: field.into(), problem: format!("cannot say {problem}") })
    };
    let ModelConfig { qkv_bias, output_bias, mlp_bias, .. } = *config;
    let is_said_by_one_flag = qkv_bias == output_bias && (family.config.has_mlp_bias || !mlp_bias);
    match family.config.bias {
        BiasKey::Ignored if output_bias || mlp_bias => return refuse("attention_bias", "that outputs have a bias"),
        BiasKey::None if qkv_bias || output_bias || mlp_bias => {
            return refuse("attention_bias", "that linear layers have a bias");
        }
        BiasKey::All if !is_said_by_one_flag => {
            return refuse("attention_bias", "that some linear layers have a bias and some not");
        }
        _ => {}
    }
    if !family.config.has_multipliers && (config.residual_scale, config.logit_divisor) != (1.0, 1.0) {
        return refuse("residual_multiplier", "by what outputs of blocks and logits are multiplied");
    }
    if family.unrotated_every.is_none() && !config.unrotated_layers.is_empty() {
        return refuse("no_rope_layers", "that some layers leave queries and keys unrotated");
    }
    if family.pattern == WindowPattern::All && config.windows.windows(2).any(|pair| pair[0] != pair[1]) {
        return refuse("sliding_window", "that layers differ");
    }
    if family.config.rotation == RotationKeys::Long && config.rope_scaling != RopeScaling::None {
        return refuse("rope_parameters", "how this GGUF file's rotary frequencies are stretched");
    }
    Ok(())
}

fn add_rope(value: &mut Value, config: &ModelConfig, mut rope: Value) {
    if let Some(local) = config.local_rope_theta {
        value["rope_parameters"] = json!({
            "full_attention": rope,
            "sliding_attention": { "rope_type": "default", "rope_theta": local },
        });
        return;
    }
    if config.family().config.rotation == RotationKeys::Long {
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
