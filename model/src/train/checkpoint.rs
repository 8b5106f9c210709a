//! A run at a step, in one file that is written whole or not at all.
//!
//! A safetensors file that
//! - MUST hold `parameter.{name}`, `first_moment.{name}` and `second_moment.{name}` in f32 for every trained parameter;
//! - MUST carry `redline_checkpoint` in its metadata: JSON with `version`, `settings` and `state`;
//! - MUST be refused by a run with other settings, model or data.
//!
//! The order of the data and all random numbers are pure functions of the settings and the step, so the step is their state.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::bytes::{decode, encode, tensor_bytes};
use super::optimizer::Moments;
use super::parameters::Parameter;
use super::policy::PolicyOptions;
use super::preference::{KtoOptions, PairObjective};
use super::{AdamW, Method, Parameters, TrainOptions};
use crate::files::write_atomically;
use crate::weights::SafetensorsFile;
use crate::{Error, ModelConfig, Result};

const VERSION: u32 = 1;
const KEY: &str = "redline_checkpoint";

/// All that the result of a run depends on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// SHA-256 of the weights before training.
    pub model: String,
    /// The model's sizes.
    pub config: ModelConfig,
    /// What is trained.
    pub method: Method,
    /// SHA-256 of the training rows as tokens.
    pub data: String,
    /// SHA-256 of the held-out rows as tokens.
    pub held_out: String,
    /// The run's options.
    pub options: TrainOptions,
    /// What is learnt from pairs, where the rows are such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objective: Option<PairObjective>,
    /// How rewards are learnt from, where they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyOptions>,
    /// How completions that are called good or bad are learnt from, where the rows are such.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kto: Option<KtoOptions>,
    /// SHA-256 of the reference's weights, where there is one; of a run on rewards what these depend on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

/// Where a run stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Steps done.
    pub step: usize,
    /// Tokens read.
    pub n_tokens: u64,
    /// The lowest held-out loss so far, and after how many steps it was.
    pub best: Option<(f64, usize)>,
    /// After how many steps the last evaluation was.
    pub evaluated_at: usize,
    /// Evaluations since the best.
    pub n_evaluations_since_best: usize,
    /// Whether the run has stopped early.
    pub stopped_early: bool,
}

#[derive(Serialize, Deserialize)]
struct Header {
    version: u32,
    settings: Value,
    state: Value,
}

/// Writes a checkpoint of a run.
///
/// # Errors
/// [`Error::Io`], such as a full disk: the file under that name stays what it was.
pub fn save(path: &Path, parameters: &Parameters, optimizer: &AdamW, settings: &Settings, state: &State) -> Result<()> {
    save_to(path, parameters.trained(), optimizer.moments(), settings, state)
}

/// Writes a checkpoint of whatever is trained, with settings and a state of its own.
///
/// # Errors
/// As [`save`].
pub fn save_to(
    path: &Path,
    parameters: &[Parameter],
    moments: &[Moments],
    settings: &impl Serialize,
    state: &impl Serialize,
) -> Result<()> {
    let json = |source| Error::MalformedLine { path: path.into(), line: 0, source };
    let value = |of: serde_json::Result<Value>| of.map_err(json);
    let (settings, state) = (value(serde_json::to_value(settings))?, value(serde_json::to_value(state))?);
    let header = serde_json::to_string(&Header { version: VERSION, settings, state }).map_err(json)?;
    let mut tensors: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
    for (parameter, moments) in parameters.iter().zip(moments) {
        let (name, shape) = (&parameter.name, parameter.variable.dims().to_vec());
        tensors.push((format!("parameter.{name}"), shape.clone(), tensor_bytes(&parameter.variable)?));
        tensors.push((format!("first_moment.{name}"), shape.clone(), encode(&moments.first, f32::to_le_bytes)));
        tensors.push((format!("second_moment.{name}"), shape, encode(&moments.second, f32::to_le_bytes)));
    }
    let malformed = |error: safetensors::SafeTensorError| malformed(path, error.to_string());
    let views = tensors.iter().map(|(name, shape, bytes)| {
        Ok((name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(malformed)?))
    });
    let views = views.collect::<Result<Vec<_>>>()?;
    let metadata = HashMap::from([(KEY.to_owned(), header)]);
    let bytes = safetensors::serialize(views, Some(metadata)).map_err(malformed)?;
    write_atomically(path, &bytes)
}

/// Reads a checkpoint into the parameters and returns the optimizer and the state of its run.
///
/// # Errors
/// [`Error::CheckpointMismatch`] when it belongs to another run; [`Error::Truncated`] or [`Error::Malformed`] when it is damaged.
pub fn load(path: &Path, parameters: &Parameters, settings: &Settings) -> Result<(AdamW, State)> {
    let (moments, state): (_, State) = load_from(path, parameters.trained(), settings)?;
    Ok((AdamW::resume(parameters.trained(), settings.options.optimizer, moments, state.step)?, state))
}

/// Reads what [`save_to`] wrote into the parameters and returns their moments and the state.
///
/// # Errors
/// As [`load`].
pub fn load_from<S: DeserializeOwned>(
    path: &Path,
    parameters: &[Parameter],
    settings: &impl Serialize,
) -> Result<(Vec<Moments>, S)> {
    let file = SafetensorsFile::open(path)?;
    let header = read_header(path, &file)?;
    let expected =
        serde_json::to_value(settings).map_err(|source| Error::MalformedLine { path: path.into(), line: 0, source })?;
    if let Some((field, got, expected)) = first_difference("", &header.settings, &expected) {
        return Err(Error::CheckpointMismatch { path: path.into(), field, got, expected });
    }
    let state = state_of(path, header.state)?;
    let mut moments = Vec::with_capacity(parameters.len());
    let mut values = Vec::with_capacity(parameters.len());
    for parameter in parameters {
        let shape = parameter.variable.dims();
        let read = |part: &str| read_tensor(path, &file, &format!("{part}.{}", parameter.name), shape);
        values.push(Tensor::from_vec(read("parameter")?, shape, &Device::Cpu)?);
        moments.push(Moments { first: read("first_moment")?, second: read("second_moment")? });
    }
    // only now, when all of it was read
    for (parameter, value) in parameters.iter().zip(&values) {
        parameter.variable.set(value)?;
    }
    Ok((moments, state))
}

/// Reads only the trained parameters of a checkpoint of this model, whatever its run's options were: the best ones, to export.
///
/// # Errors
/// As [`load`].
pub fn load_parameters(path: &Path, parameters: &Parameters) -> Result<State> {
    let file = SafetensorsFile::open(path)?;
    let header = read_header(path, &file)?;
    let json = |source| Error::MalformedLine { path: path.into(), line: 0, source };
    let method = serde_json::to_value(parameters.method()).map_err(json)?;
    let expected = serde_json::json!({ "model": parameters.origin(), "method": method });
    let given = serde_json::json!({ "model": header.settings["model"], "method": header.settings["method"] });
    if let Some((field, got, expected)) = first_difference("", &given, &expected) {
        return Err(Error::CheckpointMismatch { path: path.into(), field, got, expected });
    }
    let mut values = Vec::with_capacity(parameters.trained().len());
    for parameter in parameters.trained() {
        let shape = parameter.variable.dims();
        let read = read_tensor(path, &file, &format!("parameter.{}", parameter.name), shape)?;
        values.push(Tensor::from_vec(read, shape, &Device::Cpu)?);
    }
    parameters.trained().iter().zip(&values).try_for_each(|(parameter, value)| parameter.variable.set(value))?;
    state_of(path, header.state)
}

fn state_of<S: DeserializeOwned>(path: &Path, state: Value) -> Result<S> {
    serde_json::from_value(state).map_err(|error| malformed(path, format!("its state cannot be read: {error}")))
}

fn read_header(path: &Path, file: &SafetensorsFile) -> Result<Header> {
    let text = file.text(KEY).ok_or_else(|| malformed(path, format!("its metadata has no `{KEY}`")))?;
    let header: Header =
        serde_json::from_str(text).map_err(|error| malformed(path, format!("`{KEY}` cannot be read: {error}")))?;
    match header.version {
        VERSION => Ok(header),
        other => Err(malformed(path, format!("version {other}; this program reads version {VERSION}"))),
    }
}

fn read_tensor(path: &Path, file: &SafetensorsFile, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
    let missing = || Error::TensorMissing { path: path.into(), tensor: name.into() };
    let info = file.info(name).ok_or_else(missing)?;
    if info.shape != shape {
        let (got, expected) = (info.shape.clone(), shape.to_vec());
        return Err(Error::TensorShape { path: path.into(), tensor: name.into(), got, expected });
    }
    match info.dtype {
        Dtype::F32 => Ok(decode(&file.bytes(name)?)),
        other => Err(file.unsupported(name, other)),
    }
}

fn malformed(path: &Path, rule: String) -> Error {
    Error::Malformed { path: path.into(), format: "checkpoint", rule }
}

/// The first setting that differs: its path, its value there and here.
fn first_difference(at: &str, there: &Value, here: &Value) -> Option<(String, String, String)> {
    match (there, here) {
        (Value::Object(there), Value::Object(here)) => {
            let keys = here.keys().chain(there.keys().filter(|key| !here.contains_key(*key)));
            let below = |key: &String| if at.is_empty() { key.clone() } else { format!("{at}.{key}") };
            let value =
                |map: &serde_json::Map<String, Value>, key: &String| map.get(key).cloned().unwrap_or(Value::Null);
            let difference = |key: &String| first_difference(&below(key), &value(there, key), &value(here, key));
            keys.into_iter().find_map(difference)
        }
        _ if there == here => None,
        _ => Some((at.to_owned(), there.to_string(), here.to_string())),
    }
}
