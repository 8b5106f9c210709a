//! How rotary frequencies are stretched, as files say it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::config_problem;
use super::hugging_face::Fields;
use crate::Result;
use crate::gguf::GgufFile;

/// How rotary frequencies are stretched for contexts longer than the model was trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum RopeScaling {
    /// Frequencies as they are.
    None,
    /// All frequencies divided by one factor.
    Linear {
        /// The divisor.
        factor: f32,
    },
    /// Llama 3: long wavelengths divided by `factor`, short ones kept, a smooth passage between.
    Llama3 {
        /// The divisor for long wavelengths.
        factor: f32,
        /// Wavelengths above `original_context / low_freq_factor` are divided.
        low_freq_factor: f32,
        /// Wavelengths below `original_context / high_freq_factor` are kept.
        high_freq_factor: f32,
        /// Context length before stretching.
        original_context: f32,
    },
    /// YaRN (Peng et al. 2023): frequencies that turn less than `beta_slow` times within the original context are divided, those
    /// that turn more than `beta_fast` times kept, a ramp between; the rotated vectors are scaled.
    Yarn {
        /// The divisor of slow frequencies.
        factor: f32,
        /// Context length before stretching.
        original_context: f32,
        /// Turns from which frequencies are kept.
        beta_fast: f32,
        /// Turns up to which frequencies are divided.
        beta_slow: f32,
        /// Whether the ramp's ends are rounded outwards to whole dimensions.
        truncate: bool,
        /// Factor of cosines and sines.
        attention_factor: f32,
    },
    /// One divisor per frequency, `rotary_dim / 2` of them: GGUF's `rope_freqs.weight`, or LongRoPE's factors for short texts.
    Factors {
        /// The divisors.
        factors: Vec<f32>,
        /// Factor of cosines and sines.
        attention_factor: f32,
    },
}

impl RopeScaling {
    /// Number of divisors, where there is one per frequency.
    pub(super) fn n_factors(&self) -> Option<usize> {
        match self {
            Self::Factors { factors, .. } => Some(factors.len()),
            _ => None,
        }
    }
}

/// Stretching, and the context it is right for.
pub(super) struct Stretched {
    pub(super) scaling: RopeScaling,
    pub(super) context: usize,
}

/// Reads `rope_parameters` or `rope_scaling` of a `config.json`.
///
/// Dynamic stretching and LongRoPE change frequencies once a text exceeds the original context, keys of earlier tokens included. Within
/// it they are constant; so the context ends there.
pub(super) fn of_hugging_face(fields: &Fields<'_>, rope: &Map<String, Value>, context: usize) -> Result<Stretched> {
    let kind = rope.get("rope_type").or_else(|| rope.get("type")).and_then(Value::as_str).unwrap_or("default");
    let named = |name: &str| format!("rope_parameters.{name}");
    let optional = |name: &str| match rope.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => fields.finite(&named(name), value).map(Some),
    };
    let number = |name: &str| optional(name)?.ok_or_else(|| fields.problem(&named(name), "is missing"));
    let original = || -> Result<f32> {
        match optional("original_max_position_embeddings")? {
            Some(original) => Ok(original),
            None => Ok(fields.size("original_max_position_embeddings")? as f32),
        }
    };
    let scaling = match kind {
        "default" | "dynamic" => RopeScaling::None,
        "linear" => RopeScaling::Linear { factor: number("factor")? },
        "llama3" => RopeScaling::Llama3 {
            factor: number("factor")?,
            low_freq_factor: number("low_freq_factor")?,
            high_freq_factor: number("high_freq_factor")?,
            original_context: number("original_max_position_embeddings")?,
        },
        "yarn" => {
            let original_context = optional("original_max_position_embeddings")?.unwrap_or(context as f32);
            let factor = optional("factor")?.unwrap_or(context as f32 / original_context);
            let magnitude = |scale: Option<f32>| yarn_magnitude(factor, scale.unwrap_or(1.0));
            let attention_factor =
                match (optional("attention_factor")?, optional("mscale")?, optional("mscale_all_dim")?) {
                    (Some(factor), ..) => factor,
                    (None, Some(scale), Some(all)) if scale != 0.0 && all != 0.0 => {
                        magnitude(Some(scale)) / magnitude(Some(all))
                    }
                    _ => magnitude(None),
                };
            RopeScaling::Yarn {
                factor,
                original_context,
                beta_fast: optional("beta_fast")?.filter(|beta| *beta != 0.0).unwrap_or(32.0),
                beta_slow: optional("beta_slow")?.filter(|beta| *beta != 0.0).unwrap_or(1.0),
                truncate: rope.get("truncate").and_then(Value::as_bool).unwrap_or(true),
                attention_factor,
            }
        }
        "longrope" | "su" => {
            let original = original()?;
            let factor = optional("factor")?.unwrap_or(context as f32 / original);
            let attention_factor = match optional("attention_factor")? {
                Some(factor) => factor,
                None => long_rope_magnitude(factor, original),
            };
            let list = rope.get("short_factor").and_then(Value::as_array);
            let list = list.ok_or_else(|| fields.problem(&named("short_factor"), "must be a list of numbers"))?;
            let factors =
                list.iter().map(|value| fields.finite(&named("short_factor"), value)).collect::<Result<_>>()?;
            let scaling = RopeScaling::Factors { factors, attention_factor };
            return Ok(Stretched { scaling, context: context.min(original as usize) });
        }
        other => {
            let known = "default, linear, dynamic, llama3, yarn, longrope";
            return Err(fields.problem(&named("rope_type"), format!("is `{other}`; supported: {known}")));
        }
    };
    Ok(Stretched { scaling, context })
}

/// Factor of rotated vectors: 1 + 0.1 · scale · ln(factor) (Peng et al. 2023, equation 22).
fn yarn_magnitude(factor: f32, scale: f32) -> f32 {
    if factor <= 1.0 { 1.0 } else { 0.1 * scale * factor.ln() + 1.0 }
}

/// √(1 + ln(factor) / ln(original context)) (Ding et al. 2024).
fn long_rope_magnitude(factor: f32, original_context: f32) -> f32 {
    if factor <= 1.0 { 1.0 } else { (1.0 + factor.ln() / original_context.ln()).sqrt() }
}

/// Reads a GGUF file's metadata and factor tensors.
pub(super) fn of_gguf(file: &GgufFile, architecture: &str, context: usize) -> Result<Stretched> {
    let key = |name: &str| format!("{architecture}.rope.scaling.{name}");
    let number = |name: &str| file.f64(&key(name)).or_else(|| file.u64(&key(name)).map(|n| n as f64));
    let factors = |name: &str| -> Result<Vec<f32>> { Ok(file.tensor_f32(name)?.flatten_all()?.to_vec1()?) };
    if file.tensor_info("rope_freqs.weight").is_some() {
        let scaling = RopeScaling::Factors { factors: factors("rope_freqs.weight")?, attention_factor: 1.0 };
        return Ok(Stretched { scaling, context });
    }
    if file.tensor_info("rope_factors_short.weight").is_some() {
        let original = number("original_context_length").unwrap_or(context as f64);
        let attention_factor = match number("attn_factor") {
            Some(factor) => factor as f32,
            None => long_rope_magnitude((context as f64 / original) as f32, original as f32),
        };
        let scaling = RopeScaling::Factors { factors: factors("rope_factors_short.weight")?, attention_factor };
        return Ok(Stretched { scaling, context: context.min(original as usize) });
    }
    let scaling = match file.str(&key("type")) {
        None | Some("none") => RopeScaling::None,
        Some("linear") => RopeScaling::Linear { factor: number("factor").unwrap_or(1.0) as f32 },
        Some("yarn") => {
            let factor = number("factor").unwrap_or(1.0) as f32;
            RopeScaling::Yarn {
                factor,
                original_context: number("original_context_length").unwrap_or(context as f64) as f32,
                beta_fast: number("yarn_beta_fast").unwrap_or(32.0) as f32,
                beta_slow: number("yarn_beta_slow").unwrap_or(1.0) as f32,
                truncate: true,
                attention_factor: number("attn_factor").unwrap_or(1.0) as f32 * yarn_magnitude(factor, 1.0),
            }
        }
        Some(other) => {
            let problem = format!("is `{other}`; supported: none, linear, yarn");
            return Err(config_problem(file.path(), &key("type"), problem));
        }
    };
    Ok(Stretched { scaling, context })
}
