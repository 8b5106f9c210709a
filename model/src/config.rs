//! One configuration for every family, read from a Hugging Face `config.json` or from GGUF metadata and checked
//! before any weight is read.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::gguf::GgufFile;
use crate::{Error, Result};

/// Architectures the decoder knows, by their `model_type` (Hugging Face) or `general.architecture` (GGUF).
pub const SUPPORTED_ARCHITECTURES: &[&str] = &["llama"];

/// Largest value accepted for any size in a configuration; real models are far below it.
const MAX_SIZE: u64 = 1 << 24;

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
    /// One divisor per frequency (GGUF's `rope_freqs.weight`), length `head_dim / 2`.
    Factors(Vec<f32>),
}

/// Sizes and constants of a decoder-only transformer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelConfig {
    /// Architecture name, one of [`SUPPORTED_ARCHITECTURES`].
    pub architecture: String,
    /// Number of token embeddings.
    pub vocab_size: usize,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the MLP's inner layer.
    pub intermediate_size: usize,
    /// Number of blocks.
    pub n_layers: usize,
    /// Number of query heads.
    pub n_heads: usize,
    /// Number of key and value heads; divides `n_heads`.
    pub n_kv_heads: usize,
    /// Width of one head, even.
    pub head_dim: usize,
    /// Added to the mean square before the root in RMS norm.
    pub rms_norm_eps: f64,
    /// Base of the rotary frequencies.
    pub rope_theta: f32,
    /// Stretching of the rotary frequencies.
    pub rope_scaling: RopeScaling,
    /// Largest number of positions.
    pub context: usize,
    /// Whether the output projection is the transposed embedding.
    pub tie_embeddings: bool,
    /// Whether q, k, v and o carry a bias.
    pub attention_bias: bool,
    /// Whether the MLP's projections carry a bias.
    pub mlp_bias: bool,
    /// End-of-sequence ids named by the configuration.
    pub eos_token_ids: Vec<u32>,
}

impl ModelConfig {
    /// Reads and checks a Hugging Face `config.json`.
    ///
    /// # Errors
    /// Names the file and the key that is missing, of the wrong kind, or impossible.
    pub fn from_hugging_face(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
        let map: Map<String, Value> = serde_json::from_slice(&bytes).map_err(|source| Error::Malformed {
            path: path.into(),
            format: "JSON",
            rule: source.to_string(),
        })?;
        let fields = Fields { path, map: &map };
        let architecture = fields.text("model_type")?.to_string();
        check_architecture(path, &architecture)?;
        let hidden_size = fields.size("hidden_size")?;
        let n_heads = fields.size("num_attention_heads")?;
        if let Some(activation) = map.get("hidden_act").and_then(Value::as_str)
            && activation != "silu"
        {
            return Err(fields.problem("hidden_act", format!("is `{activation}`; llama models use `silu`")));
        }
        let rope = map.get("rope_parameters").or_else(|| map.get("rope_scaling")).and_then(Value::as_object);
        let rope_theta = match rope.and_then(|r| r.get("rope_theta")).or_else(|| map.get("rope_theta")) {
            None => 10_000.0,
            Some(value) => fields.finite("rope_theta", value)?,
        };
        Self {
            architecture,
            vocab_size: fields.size("vocab_size")?,
            hidden_size,
            intermediate_size: fields.size("intermediate_size")?,
            n_layers: fields.size("num_hidden_layers")?,
            n_heads,
            n_kv_heads: fields.optional_size("num_key_value_heads")?.unwrap_or(n_heads),
            head_dim: fields.optional_size("head_dim")?.unwrap_or(hidden_size / n_heads),
            rms_norm_eps: map.get("rms_norm_eps").and_then(Value::as_f64).unwrap_or(1e-6),
            rope_theta,
            rope_scaling: rope.map_or(Ok(RopeScaling::None), |map| rope_scaling(&fields, map))?,
            context: fields.size("max_position_embeddings")?,
            tie_embeddings: fields.flag("tie_word_embeddings"),
            attention_bias: fields.flag("attention_bias"),
            mlp_bias: fields.flag("mlp_bias"),
            eos_token_ids: eos_ids(map.get("eos_token_id")),
        }
        .checked(path)
    }

    /// Reads and checks the metadata of a GGUF file.
    ///
    /// # Errors
    /// Names the file and the key that is missing, of the wrong kind, or impossible.
    pub fn from_gguf(file: &GgufFile) -> Result<Self> {
        let path = file.path();
        let architecture = file
            .str("general.architecture")
            .ok_or_else(|| config_problem(path, "general.architecture", "is missing"))?
            .to_string();
        check_architecture(path, &architecture)?;
        let key = |name: &str| format!("{architecture}.{name}");
        let size = |name: &str| -> Result<Option<usize>> {
            match file.u64(&key(name)) {
                Some(value) => checked_size(path, &key(name), value).map(Some),
                None => Ok(None),
            }
        };
        let required = |name: &str| size(name)?.ok_or_else(|| config_problem(path, &key(name), "is missing"));
        let hidden_size = required("embedding_length")?;
        let n_heads = required("attention.head_count")?;
        let head_dim = size("attention.key_length")?.unwrap_or(hidden_size / n_heads.max(1));
        if let Some(rope_dim) = size("rope.dimension_count")?
            && rope_dim != head_dim
        {
            return Err(config_problem(
                path,
                &key("rope.dimension_count"),
                format!("is {rope_dim}, but heads are {head_dim} wide; partial rotation is not supported"),
            ));
        }
        let embedding_rows = file.tensor_info("token_embd.weight").and_then(|info| info.dims.first().copied());
        let vocab_size = match size("vocab_size")?.or(embedding_rows) {
            Some(size) => size,
            None => return Err(Error::TensorMissing { path: path.into(), tensor: "token_embd.weight".into() }),
        };
        Self {
            vocab_size,
            hidden_size,
            intermediate_size: required("feed_forward_length")?,
            n_layers: required("block_count")?,
            n_heads,
            n_kv_heads: size("attention.head_count_kv")?.unwrap_or(n_heads),
            head_dim,
            rms_norm_eps: file.f64(&key("attention.layer_norm_rms_epsilon")).unwrap_or(1e-5),
            rope_theta: file.f64(&key("rope.freq_base")).unwrap_or(10_000.0) as f32,
            rope_scaling: gguf_rope_scaling(file, &architecture)?,
            context: required("context_length")?,
            tie_embeddings: file.tensor_info("output.weight").is_none(),
            attention_bias: file.tensor_info("blk.0.attn_q.bias").is_some(),
            mlp_bias: false,
            eos_token_ids: file.u64("tokenizer.ggml.eos_token_id").map(|id| id as u32).into_iter().collect(),
            architecture,
        }
        .checked(path)
    }

    /// Refuses sizes that no tensor could satisfy.
    fn checked(self, path: &Path) -> Result<Self> {
        for (field, size) in [
            ("vocab_size", self.vocab_size),
            ("hidden_size", self.hidden_size),
            ("intermediate_size", self.intermediate_size),
            ("num_hidden_layers", self.n_layers),
            ("num_attention_heads", self.n_heads),
            ("num_key_value_heads", self.n_kv_heads),
            ("head_dim", self.head_dim),
            ("max_position_embeddings", self.context),
        ] {
            if size == 0 {
                return Err(config_problem(path, field, "is 0"));
            }
        }
        if !self.n_heads.is_multiple_of(self.n_kv_heads) {
            let problem = format!("is {}, which does not divide the {} query heads", self.n_kv_heads, self.n_heads);
            return Err(config_problem(path, "num_key_value_heads", problem));
        }
        if !self.head_dim.is_multiple_of(2) {
            return Err(config_problem(
                path,
                "head_dim",
                format!("is {}, but rotary embedding needs an even width", self.head_dim),
            ));
        }
        if !(self.rms_norm_eps.is_finite() && self.rms_norm_eps > 0.0) {
            return Err(config_problem(
                path,
                "rms_norm_eps",
                format!("is {}, but must be positive", self.rms_norm_eps),
            ));
        }
        if !(self.rope_theta.is_finite() && self.rope_theta > 0.0) {
            return Err(config_problem(path, "rope_theta", format!("is {}, but must be positive", self.rope_theta)));
        }
        Ok(self)
    }

    /// Query heads that share one key and value head.
    pub fn heads_per_kv(&self) -> usize {
        self.n_heads / self.n_kv_heads
    }
}

/// Typed access to a JSON object, with the file's name in every error.
struct Fields<'a> {
    path: &'a Path,
    map: &'a Map<String, Value>,
}

impl Fields<'_> {
    fn problem(&self, field: &str, problem: impl Into<String>) -> Error {
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

    fn size(&self, field: &str) -> Result<usize> {
        self.optional_size(field)?.ok_or_else(|| self.problem(field, "is missing"))
    }

    fn flag(&self, field: &str) -> bool {
        self.map.get(field).and_then(Value::as_bool).unwrap_or(false)
    }

    fn finite(&self, field: &str, value: &Value) -> Result<f32> {
        match value.as_f64() {
            Some(number) if number.is_finite() => Ok(number as f32),
            _ => Err(self.problem(field, format!("must be a number, but is {value}"))),
        }
    }
}

fn config_problem(path: &Path, field: &str, problem: impl Into<String>) -> Error {
    Error::ConfigField { path: path.into(), field: field.into(), problem: problem.into() }
}

fn checked_size(path: &Path, field: &str, value: u64) -> Result<usize> {
    if value > MAX_SIZE {
        return Err(config_problem(path, field, format!("is {value}, more than any model has")));
    }
    Ok(value as usize)
}

fn check_architecture(path: &Path, got: &str) -> Result<()> {
    if SUPPORTED_ARCHITECTURES.contains(&got) {
        return Ok(());
    }
    Err(Error::UnsupportedArchitecture {
        path: path.into(),
        got: got.into(),
        supported: SUPPORTED_ARCHITECTURES.join(", "),
    })
}

fn rope_scaling(fields: &Fields<'_>, rope: &Map<String, Value>) -> Result<RopeScaling> {
    let kind = rope.get("rope_type").or_else(|| rope.get("type")).and_then(Value::as_str).unwrap_or("default");
    let number = |name: &str| -> Result<f32> {
        let value = rope.get(name).ok_or_else(|| fields.problem(&format!("rope_parameters.{name}"), "is missing"))?;
        fields.finite(&format!("rope_parameters.{name}"), value)
    };
    match kind {
        "default" => Ok(RopeScaling::None),
        "linear" => Ok(RopeScaling::Linear { factor: number("factor")? }),
        "llama3" => Ok(RopeScaling::Llama3 {
            factor: number("factor")?,
            low_freq_factor: number("low_freq_factor")?,
            high_freq_factor: number("high_freq_factor")?,
            original_context: number("original_max_position_embeddings")?,
        }),
        other => {
            Err(fields
                .problem("rope_parameters.rope_type", format!("is `{other}`; supported: default, linear, llama3")))
        }
    }
}

fn gguf_rope_scaling(file: &GgufFile, architecture: &str) -> Result<RopeScaling> {
    if file.tensor_info("rope_freqs.weight").is_some() {
        return Ok(RopeScaling::Factors(file.tensor_f32("rope_freqs.weight")?.flatten_all()?.to_vec1()?));
    }
    let key = format!("{architecture}.rope.scaling.type");
    match file.str(&key) {
        None | Some("none") => Ok(RopeScaling::None),
        Some("linear") => {
            let factor = file.f64(&format!("{architecture}.rope.scaling.factor")).unwrap_or(1.0) as f32;
            Ok(RopeScaling::Linear { factor })
        }
        Some(other) => Err(config_problem(file.path(), &key, format!("is `{other}`; supported: none, linear"))),
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
