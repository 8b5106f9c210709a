//! Trained models for other programs: a Hugging Face folder, a PEFT adapter folder, or a GGUF file.

mod config_json;
mod gguf;
mod gguf_shape;
mod gguf_tokenizer;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use candle_core::Tensor;
use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};

use super::bytes::{encode, tensor_values};
use super::parameters::OUTPUT_PROJECTION;
use super::{Method, Parameters};
use crate::adapter::BASE_FILE;
use crate::files::write_atomically;
use crate::weights::is_norm;
use crate::{Error, ModelConfig, Result, Tokenizer};
use config_json::{can_say, config_json, generation_config, tokenizer_config};
use gguf_shape::GgufShape;

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

/// Writes `config.json`, `tokenizer.json`, the files beside them and `model.safetensors`, deltas merged in. What the base's folder
/// holds about the tokenizer and about generating is passed on as it is. A model with a scalar head becomes a `*ForSequenceClassification`.
///
/// # Errors
/// Weights that are not finite or too large for the type; what `config.json` cannot say; I/O.
pub fn export_hugging_face(
    folder: &Path,
    parameters: &Parameters,
    tokenizer: &Tokenizer,
    stored: StoredType,
) -> Result<()> {
    std::fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
    let config_path = folder.join("config.json");
    let mut config = config_json(&config_path, parameters, tokenizer, stored)?;
    if parameters.score().is_some() {
        make_scoring(&mut config);
    }
    write_json(&config_path, &config)?;
    write_atomically(&folder.join("tokenizer.json"), tokenizer.to_json()?.as_bytes())?;
    let base = parameters.base();
    for (name, bytes) in &base.files {
        write_atomically(&folder.join(name), bytes)?;
    }
    if !base.has_file("tokenizer_config.json") {
        write_json(&folder.join("tokenizer_config.json"), &tokenizer_config(parameters, tokenizer))?;
    }
    if !base.has_file("generation_config.json") {
        write_json(&folder.join("generation_config.json"), &generation_config(parameters, tokenizer))?;
    }
    let offset = parameters.config().norm_offset();
    let mut tensors = parameters.merged_as_stored()?;
    for (_, tensor) in tensors.iter_mut().filter(|(name, _)| offset != 0.0 && is_norm(name)) {
        *tensor = (&*tensor - offset)?;
    }
    if let Some(score) = parameters.score() {
        tensors.remove(OUTPUT_PROJECTION);
        tensors.insert(score.name.clone(), score.variable.as_detached_tensor());
    }
    write_tensors(&folder.join("model.safetensors"), &tensors, stored)
}

/// Turns the configuration of a model that writes into that of one with a scalar head.
fn make_scoring(config: &mut Value) {
    let writes = config["architectures"][0].as_str().unwrap_or_default();
    config["architectures"] = json!([writes.replace("ForCausalLM", "ForSequenceClassification")]);
    // transformers reads the number of labels off their names
    config["id2label"] = json!({ "0": "LABEL_0" });
    config["label2id"] = json!({ "LABEL_0": 0 });
    config["problem_type"] = json!("regression");
}

/// The formats that a model can be written in once trained; `is_folder` says whether it comes from a Hugging Face folder.
pub fn formats_of(config: &ModelConfig, is_folder: bool) -> Vec<&'static str> {
    let folder = (is_folder || can_say(config)).then_some("Hugging Face");
    let gguf = GgufShape::of(config).is_ok().then_some("GGUF");
    folder.into_iter().chain(["PEFT"]).chain(gguf).collect()
}

/// Whether a model can be written as a folder, before it is trained.
///
/// # Errors
/// What `config.json` cannot say; a tokenizer that cannot be written.
pub fn check_hugging_face(folder: &Path, parameters: &Parameters, tokenizer: &Tokenizer) -> Result<()> {
    config_json(&folder.join("config.json"), parameters, tokenizer, StoredType::F32)?;
    tokenizer.to_json().map(|_| ())
}

/// Writes `adapter_config.json`, `adapter_model.safetensors` and what tells the model adapted from others (`redline_base.json`, which PEFT does not
/// read); `model` is the name or path of the model adapted, `stored`
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
    write_json(&folder.join(BASE_FILE), &json!(parameters.base_identity()?))?;
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
