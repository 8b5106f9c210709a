//! What a `config.json` says about rotation, in the order in which transformers 5 looks for it.

use serde_json::{Map, Value};

use super::family::RotationKeys;
use super::fields::Fields;
use super::rope::{RopeScaling, long_rope_magnitude, yarn_magnitude};
use crate::{Error, Result};

/// Everything about rotation.
pub(super) struct RopeFields {
    pub(super) theta: f32,
    pub(super) local_theta: Option<f32>,
    pub(super) scaling: RopeScaling,
    /// Share of a head's dimensions that rotate.
    pub(super) partial: f64,
    pub(super) context: usize,
    /// Which of two dictionaries is taken.
    pub(super) warning: Option<String>,
}

const LAYER_KINDS: [&str; 2] = ["full_attention", "sliding_attention"];

/// The dictionaries about rotation in a configuration, by their names.
pub(super) fn dictionaries(map: &Map<String, Value>) -> Vec<(String, &Map<String, Value>)> {
    let mut found = Vec::new();
    for name in ["rope_parameters", "rope_scaling"] {
        let Some(dictionary) = map.get(name).and_then(Value::as_object) else { continue };
        let nested = |kind: &&str| Some((format!("{name}.{kind}"), dictionary.get(*kind)?.as_object()?));
        let inner: Vec<_> = LAYER_KINDS.iter().filter_map(nested).collect();
        match inner.is_empty() {
            true => found.push((name.to_owned(), dictionary)),
            false => found.extend(inner),
        }
    }
    found
}

/// Reads rotation.
pub(super) fn read(fields: &Fields<'_>) -> Result<RopeFields> {
    let context = fields.size("max_position_embeddings")?;
    let parameters = fields.object("rope_parameters")?.cloned().filter(|map| !map.is_empty());
    let scaling = fields.object("rope_scaling")?.cloned().filter(|map| !map.is_empty());
    let has_both = parameters.is_some() && scaling.is_some();
    let is_by_kind = fields.family.has_local_rope();
    let (global, local) = match is_by_kind {
        true => by_kind(fields, parameters, scaling)?,
        false => (scaling.or(parameters).unwrap_or_default(), Map::new()),
    };
    if let Some(kind) = LAYER_KINDS.iter().find(|kind| global.contains_key(**kind)) {
        let problem = format!("differs between layers, which {} models do not", fields.family.name);
        return Err(fields.problem(&format!("rope_parameters.{kind}"), problem));
    }
    let theta = |rope: &Map<String, Value>, field: &str| -> Result<Option<f32>> {
        let value = rope.get("rope_theta").filter(|value| !value.is_null()).or_else(|| fields.value(field));
        value.map(|value| fields.finite(field, value)).transpose()
    };
    let local_theta = match is_by_kind {
        true => Some(theta(&local, "rope_local_base_freq")?.unwrap_or(10_000.0)),
        false => None,
    };
    let partial = global.get("partial_rotary_factor").or_else(|| fields.map.get("partial_rotary_factor"));
    let partial = match partial.filter(|value| !value.is_null()) {
        None => 1.0,
        Some(value) => fields.exact("partial_rotary_factor", value)?,
    };
    let default_theta = fields.of_family("rope_theta").unwrap_or(10_000.0) as f32;
    let theta = theta(&global, "rope_theta")?.unwrap_or(default_theta);
    let (scaling, context) = Rotation { fields, rope: &global, context }.stretched()?;
    let warning = has_both.then(|| {
        let path = fields.path.display();
        format!("{path}: holds `rope_scaling` beside `rope_parameters`; `rope_scaling` counts, as in transformers")
    });
    Ok(RopeFields { theta, local_theta, scaling, partial, context, warning })
}

type Dictionary = Map<String, Value>;

/// Gemma 3's two dictionaries: that of layers that see all positions, which `rope_scaling` alters, and that of layers with a window.
fn by_kind(
    fields: &Fields<'_>,
    parameters: Option<Dictionary>,
    scaling: Option<Dictionary>,
) -> Result<(Dictionary, Dictionary)> {
    let inner = |kind: &str| -> Result<Option<Dictionary>> {
        let value = parameters.as_ref().and_then(|all| all.get(kind)).filter(|value| !value.is_null());
        let object = |value: &Value| value.as_object().cloned();
        let field = format!("rope_parameters.{kind}");
        value.map(|value| object(value).ok_or_else(|| fields.problem(&field, "must be an object"))).transpose()
    };
    let (full, sliding) = (inner(LAYER_KINDS[0])?, inner(LAYER_KINDS[1])?);
    if parameters.is_some() && full.is_none() && sliding.is_none() {
        let problem = "must hold an object each for full_attention and sliding_attention";
        return Err(fields.problem("rope_parameters", problem));
    }
    // without `rope_parameters` both begin as plain rotation
    let mut full = full.unwrap_or_else(|| Map::from_iter([("rope_type".to_owned(), Value::from("default"))]));
    full.extend(scaling.unwrap_or_default());
    let sliding = sliding.unwrap_or_default();
    match kind_of(&sliding) {
        "default" => Ok((full, sliding)),
        other => {
            let problem = format!("is `{other}`; layers with a window rotate plainly");
            Err(fields.problem("rope_parameters.sliding_attention.rope_type", problem))
        }
    }
}

fn kind_of(rope: &Map<String, Value>) -> &str {
    let text = |name: &str| rope.get(name).filter(|value| !value.is_null());
    text("rope_type").or_else(|| text("type")).map_or("default", |kind| kind.as_str().unwrap_or("of another kind"))
}

/// One dictionary, and the context that the configuration names.
struct Rotation<'a> {
    fields: &'a Fields<'a>,
    rope: &'a Map<String, Value>,
    context: usize,
}

impl Rotation<'_> {
    /// How frequencies are stretched, and up to which length that is right.
    ///
    /// Dynamic stretching and LongRoPE change frequencies once a text exceeds the original context, keys of earlier tokens included.
    /// Within it they are constant; so the context ends there.
    fn stretched(&self) -> Result<(RopeScaling, usize)> {
        let kind = match (self.fields.family.config.rotation, kind_of(self.rope)) {
            (RotationKeys::Long, "su" | "yarn") => "longrope",
            (RotationKeys::Long, other @ ("linear" | "dynamic" | "llama3")) => {
                return Err(self.unknown(other, "default, longrope"));
            }
            (_, kind) => kind,
        };
        let scaling = match kind {
            "default" | "dynamic" => RopeScaling::None,
            "linear" => RopeScaling::Linear { factor: self.number("factor")? },
            "llama3" => RopeScaling::Llama3 {
                factor: self.number("factor")?,
                low_freq_factor: self.number("low_freq_factor")?,
                high_freq_factor: self.number("high_freq_factor")?,
                original_context: self.original()?,
            },
            "yarn" => self.yarn()?,
            "longrope" => {
                let (scaling, original) = (self.long_rope()?, self.original()? as usize);
                return Ok((scaling, self.context.min(original)));
            }
            other => return Err(self.unknown(other, "default, linear, dynamic, llama3, yarn, longrope")),
        };
        Ok((scaling, self.context))
    }

    fn yarn(&self) -> Result<RopeScaling> {
        let original_context = self.original()?;
        let factor = self.optional("factor")?.unwrap_or(self.context as f32 / original_context);
        let magnitude = |scale: f32| yarn_magnitude(factor, scale);
        let given = (self.optional("attention_factor")?, self.optional("mscale")?, self.optional("mscale_all_dim")?);
        let attention_factor = match given {
            (Some(factor), ..) => factor,
            (None, Some(scale), Some(all)) if scale != 0.0 && all != 0.0 => magnitude(scale) / magnitude(all),
            _ => magnitude(1.0),
        };
        let truncate = self.rope.get("truncate").filter(|value| !value.is_null());
        let truncate = truncate.map_or(Some(true), Value::as_bool);
        Ok(RopeScaling::Yarn {
            factor,
            original_context,
            beta_fast: self.optional("beta_fast")?.filter(|beta| *beta != 0.0).unwrap_or(32.0),
            beta_slow: self.optional("beta_slow")?.filter(|beta| *beta != 0.0).unwrap_or(1.0),
            truncate: truncate.ok_or_else(|| self.problem("truncate", "must be true or false"))?,
            attention_factor,
        })
    }

    fn long_rope(&self) -> Result<RopeScaling> {
        let original = self.original()?;
        let factor = self.optional("factor")?.unwrap_or(self.context as f32 / original);
        let attention_factor = match self.optional("attention_factor")? {
            Some(factor) => factor,
            None => long_rope_magnitude(factor, original),
        };
        let list = self.rope.get("short_factor").and_then(Value::as_array);
        let list = list.ok_or_else(|| self.problem("short_factor", "must be a list of numbers"))?;
        let field = named("short_factor");
        let factors = list.iter().map(|value| self.positive("short_factor", self.fields.finite(&field, value)?));
        let factors = factors.collect::<Result<_>>()?;
        Ok(RopeScaling::Factors { factors, attention_factor })
    }

    /// The context before stretching: the configuration's own key counts before the dictionary's, but for Gemma 3, whose dictionaries
    /// are two.
    fn original(&self) -> Result<f32> {
        const FIELD: &str = "original_max_position_embeddings";
        let own = if self.fields.family.has_local_rope() { None } else { self.fields.optional_size(FIELD)? };
        match own {
            Some(original) => Ok(original as f32),
            None => Ok(self.optional(FIELD)?.unwrap_or(self.context as f32)),
        }
    }

    fn optional(&self, name: &str) -> Result<Option<f32>> {
        let Some(value) = self.rope.get(name).filter(|value| !value.is_null()) else { return Ok(None) };
        let number = self.fields.finite(&named(name), value)?;
        match name {
            "mscale" | "mscale_all_dim" => Ok(Some(number)),
            // stands for the default
            "beta_fast" | "beta_slow" if value.as_f64() == Some(0.0) => Ok(Some(number)),
            _ => self.positive(name, number).map(Some),
        }
    }

    /// Divisors and lengths that are not positive, or too large to be told from infinity, turn every number into none.
    fn positive(&self, name: &str, number: f32) -> Result<f32> {
        match number.is_finite() && number > 0.0 {
            true => Ok(number),
            false => Err(self.problem(name, &format!("is {number}, but must be positive and finite"))),
        }
    }

    fn number(&self, name: &str) -> Result<f32> {
        self.optional(name)?.ok_or_else(|| self.problem(name, "is missing"))
    }

    fn problem(&self, name: &str, problem: &str) -> Error {
        self.fields.problem(&named(name), problem)
    }

    fn unknown(&self, kind: &str, known: &str) -> Error {
        self.fields.problem(&named("rope_type"), format!("is `{kind}`; supported: {known}"))
    }
}

fn named(name: &str) -> String {
    format!("rope_parameters.{name}")
}
