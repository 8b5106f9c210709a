//! Reading a Hugging Face `config.json`.

use std::path::Path;

use serde_json::{Map, Value};

use super::family::{Family, WindowPattern, family};
use super::rope::{self, Stretched};
use super::{Activation, ModelConfig, RopeScaling, checked_layers, checked_size, config_problem, scale_of};
use crate::files::{MOST_SETTINGS, read};
use crate::{Error, Result, parse_settings};

/// Gemma 3 configurations of models that also see images leave out what equals these.
const GEMMA3_DEFAULTS: [(&str, usize); 5] = [
    ("vocab_size", 262_208),
    ("num_attention_heads", 8),
    ("num_key_value_heads", 4),
    ("head_dim", 256),
    ("max_position_embeddings", 131_072),
];

impl ModelConfig {
    /// Reads and checks a Hugging Face `config.json`.
    ///
    /// # Errors
    /// Names the file and the key that is missing, of the wrong kind, or impossible.
    pub fn from_hugging_face(path: &Path) -> Result<Self> {
        let map: Map<String, Value> = match parse_settings(path, &read(path, MOST_SETTINGS)?)? {
            Value::Object(map) => map,
            _ => {
                let rule = "it holds no JSON object".into();
                return Err(Error::Malformed { path: path.into(), format: "JSON", rule });
            }
        };
        // models that also see images: the text part has a configuration of its own
        let map = match map.get("text_config").and_then(Value::as_object) {
            Some(text) if map.get("model_type").and_then(Value::as_str) == Some("gemma3") => text.clone(),
            _ => map,
        };
        Fields { path, map: &map }.config()?.checked(path)
    }
}

/// Typed access to a JSON object, with the file's name in every error.
pub(super) struct Fields<'a> {
    path: &'a Path,
    map: &'a Map<String, Value>,
}

impl Fields<'_> {
    fn config(&self) -> Result<ModelConfig> {
        let model_type = self.text("model_type")?;
        let family = family(self.path, model_type.strip_suffix("_text").unwrap_or(model_type))?;
        self.check_activation(family)?;
        let hidden_size = self.size("hidden_size")?;
        let n_heads = self.size_or_default(family, "num_attention_heads")?;
        let head_dim = self.optional_size("head_dim")?.or_else(|| default_size(family, "head_dim"));
        let head_dim = head_dim.unwrap_or(hidden_size / n_heads.max(1));
        let n_layers = checked_layers(self.path, "num_hidden_layers", self.size("num_hidden_layers")?)?;
        let attention_bias = self.flag("attention_bias").unwrap_or(false);
        let rope = self.rope(family)?;
        let n_kv_heads = self.optional_size("num_key_value_heads")?;
        let query_width = self.number("query_pre_attn_scalar")?;
        Ok(ModelConfig {
            architecture: family.name.into(),
            vocab_size: self.size_or_default(family, "vocab_size")?,
            hidden_size,
            intermediate_size: self.size("intermediate_size")?,
            n_layers,
            n_heads,
            n_kv_heads: n_kv_heads.or_else(|| default_size(family, "num_key_value_heads")).unwrap_or(n_heads),
            head_dim,
            rotary_dim: (head_dim as f64 * rope.partial) as usize,
            rms_norm_eps: self.number("rms_norm_eps")?.unwrap_or(1e-6),
            rope_theta: rope.theta,
            rope_scaling: rope.scaling,
            local_rope_theta: rope.local_theta,
            windows: self.windows(family, n_layers)?,
            context: rope.context,
            tie_embeddings: self.flag("tie_word_embeddings").unwrap_or(family.ties_embeddings),
            qkv_bias: family.qkv_bias || attention_bias,
            output_bias: attention_bias,
            mlp_bias: self.flag("mlp_bias").unwrap_or(false),
            qk_norm: family.qk_norm,
            post_norms: family.post_norms,
            activation: family.activation,
            embedding_scale: if family.scales_embeddings { (hidden_size as f32).sqrt() } else { 1.0 },
            attention_scale: scale_of(query_width.unwrap_or(head_dim as f64)),
            attention_softcap: self.number("attn_logit_softcapping")?.map(|cap| cap as f32),
            logit_softcap: self.number("final_logit_softcapping")?.map(|cap| cap as f32),
            eos_token_ids: eos_ids(self.map.get("eos_token_id")),
        })
    }

    fn check_activation(&self, family: &Family) -> Result<()> {
        let (expected, also) = match family.activation {
            Activation::Silu => ("silu", "swish"),
            Activation::GeluTanh => ("gelu_pytorch_tanh", "gelu"),
        };
        for field in ["hidden_activation", "hidden_act"] {
            match self.map.get(field).and_then(Value::as_str) {
                None => {}
                Some(name) if name == expected || name == also => return Ok(()),
                Some(name) => {
                    return Err(self.problem(field, format!("is `{name}`; {} models use `{expected}`", family.name)));
                }
            }
        }
        Ok(())
    }

    /// The window of each layer: by `layer_types` where they stand there, otherwise by the family's habit.
    fn windows(&self, family: &Family, n_layers: usize) -> Result<Vec<Option<usize>>> {
        let window = match (family.pattern, self.flag("use_sliding_window")) {
            (WindowPattern::Last, None | Some(false)) => None,
            _ => self.optional_size("sliding_window")?,
        };
        if window == Some(0) {
            return Err(self.problem("sliding_window", "is 0"));
        }
        let Some(kinds) = self.map.get("layer_types").and_then(Value::as_array) else {
            let first = self.optional_size("max_window_layers")?.unwrap_or(0);
            return Ok(family.windows(window, n_layers, first));
        };
        if kinds.len() != n_layers {
            return Err(self.problem("layer_types", format!("names {} layers of {n_layers}", kinds.len())));
        }
        let of_kind = |kind: &Value| match (kind.as_str(), window) {
            (Some("full_attention"), _) => Ok(None),
            (Some("sliding_attention"), Some(window)) => Ok(Some(window)),
            (Some("sliding_attention"), None) => Err(self.problem("sliding_window", "is missing")),
            _ => Err(self.problem("layer_types", format!("{kind} is neither full_attention nor sliding_attention"))),
        };
        kinds.iter().map(of_kind).collect()
    }

    fn rope(&self, family: &Family) -> Result<RopeFields> {
        let context = self.size_or_default(family, "max_position_embeddings")?;
        let object = |value: Option<&Value>| value.and_then(Value::as_object).cloned();
        let all = object(self.map.get("rope_parameters")).or_else(|| object(self.map.get("rope_scaling")));
        let all = all.unwrap_or_default();
        // one set for all layers, or one for each kind of layer
        let (global, local) = match object(all.get("full_attention")) {
            Some(global) => (global, object(all.get("sliding_attention")).unwrap_or_default()),
            None => (all, Map::new()),
        };
        let theta = |rope: &Map<String, Value>, field: &str| -> Result<Option<f32>> {
            let value = rope.get("rope_theta").or_else(|| self.map.get(field));
            value.filter(|value| !value.is_null()).map(|value| self.finite(field, value)).transpose()
        };
        let has_local = family.name == "gemma3";
        let default_theta = if has_local { 1_000_000.0 } else { 10_000.0 };
        let local_theta = match has_local {
            true => Some(theta(&local, "rope_local_base_freq")?.unwrap_or(10_000.0)),
            false => None,
        };
        let partial = global.get("partial_rotary_factor").or_else(|| self.map.get("partial_rotary_factor"));
        let partial = match partial.filter(|value| !value.is_null()) {
            None => 1.0,
            Some(value) => f64::from(self.finite("partial_rotary_factor", value)?),
        };
        let Stretched { scaling, context } = rope::of_hugging_face(self, &global, context)?;
        let theta = theta(&global, "rope_theta")?.unwrap_or(default_theta);
        Ok(RopeFields { theta, local_theta, scaling, partial, context })
    }

    pub(super) fn problem(&self, field: &str, problem: impl Into<String>) -> Error {
        config_problem(self.path, field, problem)
    }

    fn text(&self, field: &str) -> Result<&str> {
        let value = self.map.get(field).ok_or_else(|| self.problem(field, "is missing"))?;
        value.as_str().ok_or_else(|| self.problem(field, format!("must be text, but is {value}")))
    }

    fn optional_size(&self, field: &str) -> Result<Option<usize>> {
        match self.map.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                let size =
                    value.as_u64().ok_or_else(|| self.problem(field, format!("must be a size, but is {value}")))?;
                checked_size(self.path, field, size).map(Some)
            }
        }
    }

    pub(super) fn size(&self, field: &str) -> Result<usize> {
        self.optional_size(field)?.ok_or_else(|| self.problem(field, "is missing"))
    }

    fn size_or_default(&self, family: &Family, field: &str) -> Result<usize> {
        match (self.optional_size(field)?, default_size(family, field)) {
            (Some(size), _) | (None, Some(size)) => Ok(size),
            (None, None) => Err(self.problem(field, "is missing")),
        }
    }

    fn flag(&self, field: &str) -> Option<bool> {
        self.map.get(field).and_then(Value::as_bool)
    }

    fn number(&self, field: &str) -> Result<Option<f64>> {
        match self.map.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_f64() {
                Some(number) if number.is_finite() => Ok(Some(number)),
                _ => Err(self.problem(field, format!("must be a number, but is {value}"))),
            },
        }
    }

    pub(super) fn finite(&self, field: &str, value: &Value) -> Result<f32> {
        match value.as_f64() {
            Some(number) if number.is_finite() => Ok(number as f32),
            _ => Err(self.problem(field, format!("must be a number, but is {value}"))),
        }
    }
}

/// Everything about rotation.
struct RopeFields {
    theta: f32,
    local_theta: Option<f32>,
    scaling: RopeScaling,
    partial: f64,
    context: usize,
}

fn default_size(family: &Family, field: &str) -> Option<usize> {
    let found = GEMMA3_DEFAULTS.iter().find(|(name, _)| family.name == "gemma3" && *name == field);
    found.map(|(_, size)| *size)
}

fn eos_ids(value: Option<&Value>) -> Vec<u32> {
    let id = |v: &Value| v.as_u64().and_then(|id| u32::try_from(id).ok());
    match value {
        Some(Value::Array(ids)) => ids.iter().filter_map(id).collect(),
        Some(value) => id(value).into_iter().collect(),
        None => Vec::new(),
    }
}
