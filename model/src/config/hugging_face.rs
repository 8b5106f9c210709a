//! Reading a Hugging Face `config.json`.

use std::path::Path;

use serde_json::{Map, Value};

use super::family::{Family, WindowHabit, WindowPattern};
use super::fields::Fields;
use super::hugging_face_keys::{CONFIG_KEYS, ROPE_KEYS};
use super::hugging_face_rope::{self, RopeFields};
use super::keys::unknown_keys;
use super::{ModelConfig, checked_layers, config_problem, scale_of};
use crate::files::{MOST_SETTINGS, read};
use crate::{Error, Result, parse_settings};

impl ModelConfig {
    /// Reads and checks a Hugging Face `config.json`.
    ///
    /// # Errors
    /// Names the file and the key that is missing, of the wrong kind, impossible, or that asks for what is not supported.
    pub fn from_hugging_face(path: &Path) -> Result<Self> {
        Ok(Self::read_hugging_face(path)?.0)
    }

    /// The same, with what a reader should know: keys that are not known, and which of two is taken.
    pub(crate) fn read_hugging_face(path: &Path) -> Result<(Self, Vec<String>)> {
        let map: Map<String, Value> = match parse_settings(path, &read(path, MOST_SETTINGS)?)? {
            Value::Object(map) => map,
            _ => {
                let rule = "it holds no JSON object".into();
                return Err(Error::Malformed { path: path.into(), format: "JSON", rule });
            }
        };
        let model_type = text(path, &map, "model_type")?;
        // models that also see images: the text part has a configuration of its own
        let inner = match map.get("text_config").and_then(Value::as_object) {
            Some(inner) if Family::named(model_type).is_some_and(|family| family.config.is_text_part) => inner,
            _ => &map,
        };
        let is_nested = !std::ptr::eq(inner, &raw const map);
        let name = inner.get("model_type").map_or(Ok(model_type), |_| text(path, inner, "model_type"))?;
        let family = Family::of_model_type(path, name)?;
        let mut unknown = CONFIG_KEYS.check(path, Some(family), "", entries(&map))?;
        if is_nested {
            unknown.extend(CONFIG_KEYS.check(path, Some(family), "text_config.", entries(inner))?);
        }
        let fields = Fields { path, map: inner, family };
        let rope = hugging_face_rope::read(&fields)?;
        for (field, dictionary) in hugging_face_rope::dictionaries(inner) {
            unknown.extend(ROPE_KEYS.check(path, Some(family), &format!("{field}."), entries(dictionary))?);
        }
        let mut warnings: Vec<String> = unknown_keys(path, &unknown).into_iter().collect();
        warnings.extend(rope.warning.clone());
        let mut config = fields.config(rope)?;
        if is_nested {
            let outer = Fields { path, map: &map, family };
            config.tie_embeddings = outer.flag("tie_word_embeddings")?.unwrap_or(family.ties_embeddings);
            if config.eos_token_ids.is_empty() {
                config.eos_token_ids = eos_ids(map.get("eos_token_id"));
            }
        }
        Ok((config.checked(path)?, warnings))
    }
}

fn entries(map: &Map<String, Value>) -> impl Iterator<Item = (&str, &Value)> {
    map.iter().map(|(name, value)| (name.as_str(), value))
}

fn text<'a>(path: &Path, map: &'a Map<String, Value>, field: &str) -> Result<&'a str> {
    let value = map.get(field).ok_or_else(|| config_problem(path, field, "is missing"))?;
    value.as_str().ok_or_else(|| config_problem(path, field, format!("must be text, but is {value}")))
}

impl Fields<'_> {
    fn config(&self, rope: RopeFields) -> Result<ModelConfig> {
        let family = self.family;
        self.check_activation()?;
        let hidden_size = self.size("hidden_size")?;
        let n_heads = self.size("num_attention_heads")?;
        let head_dim = self.optional_size("head_dim")?.unwrap_or(hidden_size / n_heads.max(1));
        let n_layers = checked_layers(self.path, "num_hidden_layers", self.size("num_hidden_layers")?)?;
        let attention_bias = self.flag("attention_bias")?.unwrap_or(false) && !family.qkv_bias;
        let query_width = self.number("query_pre_attn_scalar")?;
        let unrotated_layers = self.unrotated_layers(n_layers)?;
        Ok(ModelConfig {
            architecture: family.name.into(),
            vocab_size: self.size("vocab_size")?,
            hidden_size,
            intermediate_size: self.size("intermediate_size")?,
            n_layers,
            n_heads,
            n_kv_heads: self.optional_size("num_key_value_heads")?.unwrap_or(n_heads),
            head_dim,
            rotary_dim: (head_dim as f64 * rope.partial) as usize, // as Python rounds
            rms_norm_eps: self.number("rms_norm_eps")?.ok_or_else(|| self.problem("rms_norm_eps", "is null"))?,
            rope_theta: rope.theta,
            rope_scaling: rope.scaling,
            local_rope_theta: rope.local_theta,
            windows: self.windows(n_layers, &unrotated_layers)?,
            unrotated_layers,
            context: rope.context,
            tie_embeddings: self.flag("tie_word_embeddings")?.unwrap_or(family.ties_embeddings),
            qkv_bias: family.qkv_bias || attention_bias,
            output_bias: attention_bias,
            mlp_bias: self.flag("mlp_bias")?.unwrap_or(false),
            qk_norm: family.qk_norm,
            post_norms: family.post_norms,
            activation: family.activation,
            embedding_scale: match family.scales_embeddings {
                true => (hidden_size as f32).sqrt(),
                false => self.multiplier("embedding_multiplier")?.unwrap_or(1.0),
            },
            attention_scale: match self.multiplier("attention_multiplier")? {
                Some(scale) => scale,
                None => scale_of(query_width.unwrap_or(head_dim as f64)),
            },
            residual_scale: self.multiplier("residual_multiplier")?.unwrap_or(1.0),
            attention_softcap: self.number("attn_logit_softcapping")?.map(|cap| cap as f32),
            logit_softcap: self.number("final_logit_softcapping")?.map(|cap| cap as f32),
            logit_divisor: self.multiplier("logits_scaling")?.unwrap_or(1.0),
            eos_token_ids: eos_ids(self.map.get("eos_token_id")),
        })
    }

    /// A factor of families that have such keys.
    fn multiplier(&self, field: &str) -> Result<Option<f32>> {
        match (self.family.config.has_multipliers, self.number(field)?) {
            (false, _) => Ok(None),
            (true, Some(factor)) => Ok(Some(factor as f32)),
            (true, None) => Err(self.problem(field, "is null")),
        }
    }

    /// The layers that `no_rope_layers` marks with 0, or every nth.
    fn unrotated_layers(&self, n_layers: usize) -> Result<Vec<usize>> {
        const LIST: &str = "no_rope_layers";
        let Some(every) = self.family.unrotated_every else { return Ok(Vec::new()) };
        let Some(list) = self.value(LIST) else {
            return match self.optional_size("no_rope_layer_interval")? {
                Some(0) => Err(self.problem("no_rope_layer_interval", "is 0")),
                interval => Ok(Family::unrotated_layers(Some(interval.unwrap_or(every)), n_layers)),
            };
        };
        let list = list.as_array().ok_or_else(|| self.problem(LIST, "must be a list"))?;
        if list.len() < n_layers {
            return Err(self.problem(LIST, format!("names {} layers of {n_layers}", list.len())));
        }
        let is_unrotated = |(layer, value): (usize, &Value)| match value.as_u64() {
            Some(0) => Ok(Some(layer)),
            Some(1) => Ok(None),
            _ => Err(self.problem(LIST, format!("holds {value}, which is neither 1 (rotates) nor 0"))),
        };
        list.iter().take(n_layers).enumerate().map(is_unrotated).filter_map(Result::transpose).collect()
    }

    fn check_activation(&self) -> Result<()> {
        let (field, known) = self.family.config.activation;
        match self.value(field) {
            Some(value) if !value.as_str().is_some_and(|name| known.contains(&name)) => {
                let problem = format!("is {value}; {} models use `{}`", self.family.name, known[0]);
                Err(self.problem(field, problem))
            }
            _ => Ok(()),
        }
    }

    /// The window of each layer: by `layer_types` where the family has them, otherwise by the family's habit.
    fn windows(&self, n_layers: usize, unrotated: &[usize]) -> Result<Vec<Option<usize>>> {
        let pattern = self.family.pattern;
        let is_off = self.family.switches_windows() && self.flag("use_sliding_window")? != Some(true);
        let window = match pattern {
            WindowPattern::None => None,
            _ if is_off => None,
            _ => self.optional_size("sliding_window")?,
        };
        if window == Some(0) {
            return Err(self.problem("sliding_window", "is 0"));
        }
        let first = match pattern {
            WindowPattern::Last => self.optional_size("max_window_layers")?.unwrap_or(0),
            _ => 0,
        };
        let every = match self.family.config.has_window_pattern {
            true => self.optional_size("sliding_window_pattern")?,
            false => None,
        };
        if every == Some(0) {
            return Err(self.problem("sliding_window_pattern", "is 0"));
        }
        let habit = self.family.windows(window, n_layers, &WindowHabit { first, every, unrotated });
        let Some(kinds) = self.value("layer_types") else { return Ok(habit) };
        let kinds = kinds.as_array().ok_or_else(|| self.problem("layer_types", "must be a list"))?;
        if kinds.len() != n_layers {
            return Err(self.problem("layer_types", format!("names {} layers of {n_layers}", kinds.len())));
        }
        let of_kind = |kind: &Value| match (kind.as_str(), window) {
            (Some("full_attention"), _) => Ok(None),
            (Some("sliding_attention"), Some(window)) => Ok(Some(window)),
            (Some("sliding_attention"), None) => Err(self.problem("sliding_window", "is missing")),
            _ => Err(self.problem("layer_types", format!("{kind} is neither full_attention nor sliding_attention"))),
        };
        let windows: Vec<Option<usize>> = kinds.iter().map(of_kind).collect::<Result<_>>()?;
        if matches!(pattern, WindowPattern::None | WindowPattern::All) && windows != habit {
            let problem = format!("differs between layers, which {} models do not", self.family.name);
            return Err(self.problem("layer_types", problem));
        }
        Ok(windows)
    }
}

fn eos_ids(value: Option<&Value>) -> Vec<u32> {
    let id = |v: &Value| v.as_u64().and_then(|id| u32::try_from(id).ok());
    match value {
        Some(Value::Array(ids)) => ids.iter().filter_map(id).collect(),
        Some(value) => id(value).into_iter().collect(),
        None => Vec::new(),
    }
}
