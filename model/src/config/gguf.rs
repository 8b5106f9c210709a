//! Reading the metadata of a GGUF file.

use serde_json::Value;

use super::family::{Family, GgufWindow, WindowHabit};
use super::gguf_keys::{GENERAL_KEYS, GGUF_KEYS};
use super::keys::{shortened, unknown_keys};
use super::{ModelConfig, checked_layers, checked_size, config_problem, gguf_rope, scale_of};
use crate::gguf::{GgufFile, GgufValue};
use crate::{Error, Result};

/// The width by which a GGUF reader scales queries; files do not say it.
pub(crate) fn query_width(
    family: &Family,
    n_layers: usize,
    hidden_size: usize,
    n_heads: usize,
    head_dim: usize,
) -> usize {
    match family.gguf.n_layers_scaled_by_hidden_size == Some(n_layers) {
        true => hidden_size / n_heads.max(1),
        false => head_dim,
    }
}

impl ModelConfig {
    /// Reads and checks the metadata of a GGUF file.
    ///
    /// # Errors
    /// Names the file and the key that is missing, of the wrong kind, impossible, or that asks for what is not supported.
    pub fn from_gguf(file: &GgufFile) -> Result<Self> {
        Ok(Self::read_gguf(file)?.0)
    }

    /// The same, with what a reader should know: keys that are not known.
    pub(crate) fn read_gguf(file: &GgufFile) -> Result<(Self, Vec<String>)> {
        let path = file.path();
        refuse_split(file)?;
        let architecture = file
            .str("general.architecture")
            .ok_or_else(|| config_problem(path, "general.architecture", "is missing"))?;
        let family = Family::of_file(path, architecture)?;
        let metadata = Metadata { file, architecture };
        let unknown = metadata.check(family)?;
        let config = metadata.config(family)?.checked(path)?;
        Ok((config, unknown_keys(path, &unknown).into_iter().collect()))
    }
}

/// Refuses one of several files that make a model.
fn refuse_split(file: &GgufFile) -> Result<()> {
    let number = |key: &str| -> Result<u64> { Ok(file.typed(key, "a number", GgufValue::to_u64)?.unwrap_or(0)) };
    let (place, parts) = (number("split.no")?, number("split.count")?);
    match parts > 1 || place > 0 {
        false => Ok(()),
        true => Err(Error::SplitFile { path: file.path().into(), part: place.saturating_add(1), parts }),
    }
}

/// The metadata of one architecture; keys are named without it.
pub(super) struct Metadata<'a> {
    pub(super) file: &'a GgufFile,
    architecture: &'a str,
}

impl Metadata<'_> {
    /// Refuses what would change numbers and is not read; returns the keys that are not known.
    fn check(&self, family: &Family) -> Result<Vec<String>> {
        let prefix = format!("{}.", self.architecture);
        let (mut own, mut general) = (Vec::new(), Vec::new());
        for (key, value) in self.file.metadata() {
            match key.strip_prefix(&prefix) {
                Some(name) => own.push((name, as_json(value))),
                None if key == "general.type" => general.push((key, as_json(value))),
                None => {}
            }
        }
        let path = self.file.path();
        GENERAL_KEYS.check(path, Some(family), "", general.iter().map(|(name, value)| (*name, value)))?;
        GGUF_KEYS.check(path, Some(family), &prefix, own.iter().map(|(name, value)| (*name, value)))
    }

    fn config(&self, family: &Family) -> Result<ModelConfig> {
        let hidden_size = self.required("embedding_length")?;
        let n_heads = self.required("attention.head_count")?;
        let head_dim = self.size("attention.key_length")?.unwrap_or(hidden_size / n_heads.max(1));
        let value_dim = self.size("attention.value_length")?.unwrap_or(head_dim);
        if value_dim != head_dim {
            let problem = format!("is {value_dim}, but keys are {head_dim} wide; only equal widths are supported");
            return Err(self.problem("attention.value_length", problem));
        }
        let n_layers = checked_layers(self.file.path(), &self.key("block_count"), self.required("block_count")?)?;
        let (rope_scaling, context) = gguf_rope::read(self, self.required("context_length")?)?;
        let query_width = query_width(family, n_layers, hidden_size, n_heads, head_dim);
        let softcap = |name: &str, place: usize| match self.number(name)? {
            Some(cap) if cap != 0.0 => Ok::<_, Error>(Some(cap as f32)),
            _ => Ok(family.gguf.default_caps.map(|caps| caps[place])),
        };
        let has = |tensor: &str| self.file.tensor_info(tensor).is_some();
        let local_theta = self.number("rope.freq_base_swa")?.unwrap_or(10_000.0) as f32;
        let eps = "attention.layer_norm_rms_epsilon";
        Ok(ModelConfig {
            architecture: family.name.into(),
            vocab_size: self.vocab_size()?,
            hidden_size,
            intermediate_size: self.required("feed_forward_length")?,
            n_layers,
            n_heads,
            n_kv_heads: self.size("attention.head_count_kv")?.unwrap_or(n_heads),
            head_dim,
            rotary_dim: self.size("rope.dimension_count")?.unwrap_or(head_dim),
            rms_norm_eps: self.number(eps)?.ok_or_else(|| self.problem(eps, "is missing"))?,
            rope_theta: self.number("rope.freq_base")?.unwrap_or(10_000.0) as f32,
            rope_scaling,
            local_rope_theta: family.has_local_rope().then_some(local_theta),
            unrotated_layers: Family::unrotated_layers(family.unrotated_every, n_layers),
            windows: self.windows(family, n_layers)?,
            context,
            tie_embeddings: !has("output.weight"),
            qkv_bias: has("blk.0.attn_q.bias") || has("blk.0.attn_qkv.bias"),
            output_bias: has("blk.0.attn_output.bias"),
            mlp_bias: has("blk.0.ffn_up.bias"),
            qk_norm: family.qk_norm,
            post_norms: family.post_norms,
            activation: family.activation,
            embedding_scale: match family.scales_embeddings {
                true => (hidden_size as f32).sqrt(),
                false => self.scale(family, "embedding_scale")?.unwrap_or(1.0),
            },
            attention_scale: self.scale(family, "attention.scale")?.unwrap_or(scale_of(query_width as f64)),
            residual_scale: self.scale(family, "residual_scale")?.unwrap_or(1.0),
            attention_softcap: softcap("attn_logit_softcapping", 0)?,
            logit_softcap: softcap("final_logit_softcapping", 1)?,
            logit_divisor: self.logit_divisor(family)?,
            eos_token_ids: self.file.u64("tokenizer.ggml.eos_token_id").map(|id| id as u32).into_iter().collect(),
        })
    }

    /// A factor of families that have such keys; 0 stands for one that is not given.
    fn scale(&self, family: &Family, name: &str) -> Result<Option<f32>> {
        match family.gguf.has_scales {
            true => Ok(self.number(name)?.filter(|scale| *scale != 0.0).map(|scale| scale as f32)),
            false => Ok(None),
        }
    }

    /// What logits are divided by, which llama.cpp demands of families that have the key.
    fn logit_divisor(&self, family: &Family) -> Result<f32> {
        match self.scale(family, "logit_scale")? {
            None if family.gguf.has_scales => Err(self.problem("logit_scale", "is missing or 0")),
            divisor => Ok(divisor.unwrap_or(1.0)),
        }
    }

    /// The window of each layer, by the family's habit: files only say how wide it is, and in which layers by a number.
    fn windows(&self, family: &Family, n_layers: usize) -> Result<Vec<Option<usize>>> {
        let window = self.size("attention.sliding_window")?.filter(|window| *window > 0);
        if family.gguf.window == GgufWindow::Ignored {
            return Ok(vec![window; n_layers]);
        }
        let every = self.size("attention.sliding_window_pattern")?;
        if every == Some(0) {
            return Err(self.problem("attention.sliding_window_pattern", "is 0"));
        }
        let window = window.or(family.gguf.default_window);
        let habit = WindowHabit { first: n_layers, every, unrotated: &[] };
        Ok(family.windows(window, n_layers, &habit))
    }

    fn vocab_size(&self) -> Result<usize> {
        let embedding = self.file.tensor_info("token_embd.weight").and_then(|info| info.dims.first().copied());
        let missing = || Error::TensorMissing { path: self.file.path().into(), tensor: "token_embd.weight".into() };
        self.size("vocab_size")?.or(embedding).ok_or_else(missing)
    }

    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.architecture)
    }

    pub(super) fn problem(&self, name: &str, problem: impl Into<String>) -> Error {
        config_problem(self.file.path(), &self.key(name), problem)
    }

    fn of_another_kind(&self, name: &str, expected: &str, value: &GgufValue) -> Error {
        self.problem(name, format!("must be {expected}, but is {}", shortened(&as_json(value))))
    }

    /// A size, which may stand once for each layer where all are equal.
    fn size(&self, name: &str) -> Result<Option<usize>> {
        let key = self.key(name);
        let Some(value) = self.file.value(&key) else { return Ok(None) };
        let equal = value.as_array().map(|array| array.to_i64s().unwrap_or_default());
        let size = match equal.as_deref() {
            None => value.to_u64(),
            Some([first, rest @ ..]) if rest.iter().all(|size| size == first) => u64::try_from(*first).ok(),
            Some([_, ..]) => {
                let listed = shortened(&as_json(value));
                return Err(
                    self.problem(name, format!("differs between layers: {listed}; only equal ones are supported"))
                );
            }
            Some([]) => None,
        };
        let size = size.ok_or_else(|| self.of_another_kind(name, "a size", value))?;
        checked_size(self.file.path(), &key, size).map(Some)
    }

    fn required(&self, name: &str) -> Result<usize> {
        self.size(name)?.ok_or_else(|| self.problem(name, "is missing"))
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<f64>> {
        let value = self.file.value(&self.key(name));
        value.map(|value| value.to_f64().ok_or_else(|| self.of_another_kind(name, "a number", value))).transpose()
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&str>> {
        let value = self.file.value(&self.key(name));
        value.map(|value| value.as_str().ok_or_else(|| self.of_another_kind(name, "text", value))).transpose()
    }
}

/// A metadata value as the lists of keys compare it; of long lists the beginning.
fn as_json(value: &GgufValue) -> Value {
    const MOST: usize = 64;
    if let Some(array) = value.as_array() {
        let texts = array.as_strings().map(|texts| texts.iter().take(MOST).cloned().map(Value::from).collect());
        let flags = array.as_bools().map(|flags| flags.iter().take(MOST).copied().map(Value::from).collect());
        let integers = || array.to_i64s().map(|values| values.into_iter().take(MOST).map(Value::from).collect());
        let numbers = || array.to_f32s().map(|values| values.into_iter().take(MOST).map(Value::from).collect());
        let listed = texts.or(flags).or_else(integers).or_else(numbers);
        return Value::Array(listed.unwrap_or_else(|| vec![Value::from("…")]));
    }
    let integer = value.to_i64().map(Value::from).or_else(|| value.to_u64().map(Value::from));
    let text = || value.as_str().map(Value::from);
    let simple = integer.or_else(|| value.to_f64().map(Value::from)).or_else(|| value.to_bool().map(Value::from));
    simple.or_else(text).unwrap_or(Value::Null)
}
