//! PEFT LoRA adapters: reading them, and merging them into a model's weights.
//!
//! A folder holds `adapter_config.json` and `adapter_model.safetensors`, with `base_model.model.{layer}.lora_A.weight` (rank, in) and
//! `….lora_B.weight` (out, rank) for each adapted linear layer. The merged weight is W + scale · B A, scale = alpha / rank (or
//! alpha / √rank where the file says `use_rslora`); layers may have another rank and alpha, by patterns of their names.

mod base_identity;
mod patterns;
mod settings;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use redline_kernels::packed::Packed;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::files::{MOST_SETTINGS, hexadecimal, read};
use crate::model::ModelFiles;
use crate::weights::{FileTensors, SafetensorsFile, TensorSource, check_finite, fused_linear, linears};
use crate::{Error, ModelConfig, Result, parse_settings};
use base_identity::Fit;
pub(crate) use base_identity::{BASE_FILE, BaseIdentity};
use settings::{Settings, Strength};

/// Name of an adapter's configuration.
pub(crate) const ADAPTER_CONFIG: &str = "adapter_config.json";
const WEIGHTS_FILE: &str = "adapter_model.safetensors";
/// What old versions of PEFT wrote instead.
const PICKLE: &str = "adapter_model.bin";
/// What PEFT puts before the model's own names.
const PREFIX: &str = "base_model.model.";

/// Size, strength and places of low-rank deltas.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoraOptions {
    /// Inner width of a delta.
    pub rank: usize,
    /// Strength: a delta is scaled by alpha / rank.
    pub alpha: f64,
    /// Last parts of the names of the adapted linear layers, such as `q_proj`.
    pub targets: Vec<String>,
    /// Share of a delta's inputs that is zeroed at random in training, below 1.
    pub dropout: f64,
}

impl Default for LoraOptions {
    fn default() -> Self {
        let targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];
        Self { rank: 16, alpha: 32.0, targets: targets.map(str::to_owned).to_vec(), dropout: 0.0 }
    }
}

impl LoraOptions {
    /// The factor of B A.
    pub fn scale(&self) -> f64 {
        self.alpha / self.rank as f64
    }

    /// Numbers of an adapter for a model.
    pub fn n_parameters(&self, config: &ModelConfig) -> usize {
        let targets = linears(config).into_iter().filter(|(name, ..)| self.applies_to(name));
        config.n_layers * self.rank * targets.map(|(_, [out, input], _)| out + input).sum::<usize>()
    }

    /// The same with the names that layers have in a family's files: where these fuse layers, the fused one stands for all its parts.
    ///
    /// # Errors
    /// [`Error::TrainOption`] for some parts of a fused layer without the others.
    pub(crate) fn for_files_of(mut self, config: &ModelConfig) -> Result<Self> {
        const FUSED: [(&str, &[&str]); 2] =
            [("qkv_proj", &["q_proj", "k_proj", "v_proj"]), ("gate_up_proj", &["gate_proj", "up_proj"])];
        if !config.has_fused_projections() {
            return Ok(self);
        }
        for (whole, parts) in FUSED {
            let n = parts.iter().filter(|part| self.targets.iter().any(|target| target == *part)).count();
            if n > 0 && n < parts.len() && !self.targets.iter().any(|target| target == whole) {
                let expected =
                    "qkv_proj for q, k and v together, gate_up_proj for gate and up: this family's files fuse them";
                return Err(Error::TrainOption { option: "lora targets", got: self.targets.join(","), expected });
            }
            if n > 0 {
                self.targets.retain(|target| !parts.contains(&target.as_str()) && target != whole);
                self.targets.push(whole.to_owned());
            }
        }
        Ok(self)
    }

    pub(crate) fn applies_to(&self, linear: &str) -> bool {
        let last = linear.rsplit('.').next();
        self.targets.iter().any(|target| last == Some(target))
    }
}

/// Names of the two factors of a linear layer's delta.
pub(crate) fn factor_names(linear: &str) -> [String; 2] {
    ["A", "B"].map(|factor| format!("{PREFIX}{linear}.lora_{factor}.weight"))
}

/// An adapter read from its folder.
#[derive(Debug)]
pub struct Adapter {
    path: PathBuf,
    fingerprint: String,
    common: Strength,
    base_model: Option<String>,
    base: Option<BaseIdentity>,
    is_checked: bool,
    deltas: BTreeMap<String, Factors>,
}

/// The delta of a layer: scale · B A.
#[derive(Debug)]
struct Factors {
    a: Tensor, // (rank, in)
    b: Tensor, // (out, rank)
    scale: f64,
}

impl Adapter {
    /// Reads a PEFT adapter folder.
    ///
    /// # Errors
    /// Files that are missing or damaged; [`Error::Adapter`] for what is not plain LoRA.
    pub fn open(folder: &Path) -> Result<Self> {
        let config = read(&folder.join(ADAPTER_CONFIG), MOST_SETTINGS)?;
        let is_there = |name: &str| folder.join(name).is_file();
        if is_there(PICKLE) && !is_there(WEIGHTS_FILE) {
            return Err(Error::AdapterPickle { path: folder.into() });
        }
        let base = BaseIdentity::beside(folder)?;
        Ok(Self { base, ..Self::from_files(folder, &config, SafetensorsFile::open(&folder.join(WEIGHTS_FILE))?)? })
    }

    /// Reads an adapter whose two files are in memory; `folder` stands for their folder in messages.
    ///
    /// # Errors
    /// As [`Adapter::open`].
    pub fn from_bytes(folder: &Path, config: &[u8], weights: &[u8]) -> Result<Self> {
        let weights = SafetensorsFile::from_bytes(&folder.join(WEIGHTS_FILE), weights.to_vec())?;
        Self::from_files(folder, config, weights)
    }

    fn from_files(folder: &Path, config: &[u8], weights: SafetensorsFile) -> Result<Self> {
        let config_path = folder.join(ADAPTER_CONFIG);
        let map = match parse_settings(&config_path, config)? {
            Value::Object(map) => map,
            _ => return Err(Error::Adapter { path: config_path, problem: "it is no JSON object".into() }),
        };
        let settings = Settings::read(&config_path, &map)?;
        let path = folder.join(WEIGHTS_FILE);
        let layers = adapted_layers(&path, &weights)?;
        if let Some((layer, problem)) = layers.iter().find_map(|layer| Some((layer, settings.problem_with(layer)?))) {
            let problem = format!("{problem} `{layer}`, which {WEIGHTS_FILE} adapts: PEFT would not load it");
            return Err(Error::Adapter { path: config_path, problem });
        }
        let strengths = layers.into_iter().map(|layer| Ok((settings.of(&config_path, &layer)?, layer)));
        let strengths = strengths.collect::<Result<Vec<_>>>()?;
        let deltas = strengths.into_iter().map(|(strength, layer)| read_delta(&path, &weights, strength, layer));
        let deltas = deltas.collect::<Result<_>>()?;
        let (common, base_model) = (settings.common(), settings.base_model);
        let mut hasher = Sha256::new();
        weights.for_each_part(|part| hasher.update(part))?;
        let fingerprint = hexadecimal(hasher);
        Ok(Self { path, fingerprint, common, base_model, base: None, is_checked: true, deltas })
    }

    /// Inner width of the deltas, but for layers with another.
    pub fn rank(&self) -> usize {
        self.common.rank
    }

    /// Factor of B A, but for layers with another.
    pub fn scale(&self) -> f64 {
        self.common.scale
    }

    /// Numbers that it is made of.
    pub fn n_parameters(&self) -> usize {
        self.deltas.values().map(|factors| factors.a.elem_count() + factors.b.elem_count()).sum()
    }

    /// The same with every delta times `factor`: 0 is the model without it, 1 the adapter as it was trained. It counts as other weights,
    /// so its fingerprint is another.
    ///
    /// # Errors
    /// [`Error::Adapter`] for a factor that is not finite.
    pub fn scaled(mut self, factor: f64) -> Result<Self> {
        if !factor.is_finite() {
            return Err(Error::Adapter { path: self.path, problem: format!("it cannot be scaled by {factor}") });
        }
        if factor != 1.0 {
            self.common.scale *= factor;
            self.deltas.values_mut().for_each(|delta| delta.scale *= factor);
            self.fingerprint = format!("{}×{factor}", self.fingerprint);
        }
        Ok(self)
    }

    /// Number of layers whose rank or factor is another.
    pub fn n_layers_apart(&self) -> usize {
        let strength = |factors: &Factors| Some(Strength { rank: factors.a.dim(0).ok()?, scale: factors.scale });
        self.deltas.values().filter(|factors| strength(factors) != Some(self.common)).count()
    }

    /// The model it was trained beside, as the file names it.
    pub fn base_model(&self) -> Option<&str> {
        self.base_model.as_deref()
    }

    /// The same for a base that is known to be the right one: nothing is compared.
    #[must_use]
    pub fn without_base_check(self) -> Self {
        Self { is_checked: false, ..self }
    }

    /// Refuses a model that is another than the one it was trained beside; what is to be said of one that may be.
    ///
    /// # Errors
    /// [`Error::Adapter`].
    pub(crate) fn check_base(&self, files: &ModelFiles, fingerprint: &str) -> Result<Option<String>> {
        if !self.is_checked {
            return Ok(None);
        }
        let path = self.path.display();
        let Some(base) = &self.base else {
            let named = self.base_model.as_ref().map_or_else(String::new, |name| format!(" (it names `{name}`)"));
            return Ok(Some(format!(
                "{path}: does not say which weights it was trained beside{named}; that they are these cannot be checked"
            )));
        };
        let refuse = |what: String| {
            let problem = format!("it was trained beside another model than this: {what}");
            Err(Error::Adapter { path: self.path.clone(), problem })
        };
        if let Some(what) = base.differs_from(&files.config) {
            return refuse(what);
        }
        if base.fingerprint.as_deref() == Some(fingerprint) {
            return Ok(None);
        }
        let source = FileTensors { weights: &files.weights, config: files.config.clone() };
        match base.fit(&BaseIdentity::read(&files.config, Some(fingerprint.to_owned()), &source)?) {
            Fit::Same => Ok(None),
            Fit::Alike => Ok(Some(format!(
                "{path}: was trained beside another file of these weights, or before they were trained further"
            ))),
            Fit::Other(what) => refuse(what),
        }
    }

    /// Names of the adapted linear layers.
    pub fn layers(&self) -> impl Iterator<Item = &str> {
        self.deltas.keys().map(String::as_str)
    }

    /// SHA-256 of the adapter's weights, as hexadecimal digits.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Its size, strength and places, to train it further.
    ///
    /// # Errors
    /// [`Error::Adapter`] for layers with another rank or factor than the others.
    pub(crate) fn lora_options(&self) -> Result<LoraOptions> {
        if self.n_layers_apart() > 0 {
            let problem = "its layers differ in rank or factor, so it cannot be trained further".into();
            return Err(Error::Adapter { path: self.path.clone(), problem });
        }
        let targets: BTreeSet<&str> = self.layers().filter_map(|layer| layer.rsplit('.').next()).collect();
        let (rank, scale) = (self.rank(), self.scale());
        let targets = targets.into_iter().map(str::to_owned).collect();
        Ok(LoraOptions { rank, alpha: scale * rank as f64, targets, dropout: 0.0 })
    }

    /// A factor by its name in files.
    ///
    /// # Errors
    /// [`Error::TensorMissing`].
    pub(crate) fn factor(&self, name: &str) -> Result<&Tensor> {
        let found = self.deltas.iter().find_map(|(layer, factors)| {
            let [a, b] = factor_names(layer);
            if a == name { Some(&factors.a) } else { (b == name).then_some(&factors.b) }
        });
        found.ok_or_else(|| Error::TensorMissing { path: self.path.clone(), tensor: name.into() })
    }

    /// W + scale · B A
    fn merge(&self, delta: &Delta, weight: &Tensor) -> Result<Tensor> {
        let expected = [delta.b.dim(0)?, delta.a.dim(1)?];
        if weight.dims() != expected {
            let tensor = format!("{PREFIX}{}.lora_A.weight", delta.layer);
            let (got, expected) = (expected.to_vec(), weight.dims().to_vec());
            return Err(Error::TensorShape { path: self.path.clone(), tensor, got, expected });
        }
        Ok((weight + (delta.b.matmul(&delta.a)? * delta.scale)?)?)
    }
}

/// What an adapter adds to a linear layer of `out` outputs.
struct Delta {
    /// The name under which the adapter has it.
    layer: String,
    a: Tensor, // (rank, in)
    b: Tensor, // (out, rank)
    scale: f64,
}

/// The linear layers that the weights have deltas for.
fn adapted_layers(path: &Path, file: &SafetensorsFile) -> Result<BTreeSet<String>> {
    let problem = |problem: String| Error::Adapter { path: path.into(), problem };
    let mut layers = BTreeSet::new();
    for name in file.names() {
        let layer = name
            .strip_prefix(PREFIX)
            .and_then(|rest| rest.strip_suffix(".lora_A.weight").or_else(|| rest.strip_suffix(".lora_B.weight")));
        layers.insert(layer.ok_or_else(|| problem(format!("tensor `{name}` is no part of a LoRA delta")))?.to_owned());
    }
    if layers.is_empty() {
        return Err(problem("it holds no tensors".into()));
    }
    Ok(layers)
}

/// Both factors of a layer's delta.
fn read_delta(
    path: &Path,
    file: &SafetensorsFile,
    Strength { rank, scale }: Strength,
    layer: String,
) -> Result<(String, Factors)> {
    let problem = |problem: String| Error::Adapter { path: path.into(), problem };
    let read = |name: String| -> Result<Tensor> {
        let missing = || Error::TensorMissing { path: path.into(), tensor: name.clone() };
        let info = file.info(&name).ok_or_else(missing)?;
        let dtype = DType::try_from(info.dtype).map_err(|_| file.unsupported(&name, info.dtype))?;
        let bytes = file.bytes(&name)?;
        let tensor = Tensor::from_raw_buffer(&bytes, dtype, &info.shape, &Device::Cpu)?.to_dtype(DType::F32)?;
        check_finite(path, &name, &tensor)?;
        match tensor.rank() {
            2 => Ok(tensor),
            n => Err(problem(format!("tensor `{name}` has {n} dimensions, not 2"))),
        }
    };
    let [a, b] = factor_names(&layer).map(read);
    let (a, b) = (a?, b?);
    match (a.dim(0)?, b.dim(1)?) {
        (x, y) if x == rank && y == rank => Ok((layer, Factors { a, b, scale })),
        (x, y) => Err(problem(format!("the factors of `{layer}` have ranks {x} and {y}, the file says {rank}"))),
    }
}

/// A model's tensors with an adapter merged in.
pub(crate) struct MergedTensors<'a> {
    files: FileTensors<'a>,
    adapter: &'a Adapter,
    used: RefCell<BTreeSet<String>>,
}

impl<'a> MergedTensors<'a> {
    pub(crate) fn new(files: &'a ModelFiles, adapter: &'a Adapter) -> Self {
        let files = FileTensors { weights: &files.weights, config: files.config.clone() };
        Self { files, adapter, used: RefCell::default() }
    }

    /// Refuses an adapter with deltas for layers the model lacks.
    pub(crate) fn check_all_used(&self) -> Result<()> {
        let used = self.used.borrow();
        match self.adapter.deltas.keys().find(|layer| !used.contains(*layer)) {
            None => Ok(()),
            Some(layer) => {
                let problem = format!("it adapts `{layer}`, which the model does not have");
                Err(Error::Adapter { path: self.adapter.path.clone(), problem })
            }
        }
    }
}

impl MergedTensors<'_> {
    /// The delta of a linear layer of `out` outputs: its own, or its rows of a fused layer's.
    fn delta_of(&self, linear: &str, out: usize) -> Result<Option<Delta>> {
        let fused = fused_linear(linear, &self.files.config);
        let layer = fused.as_ref().map_or(linear, |(layer, _)| layer).to_owned();
        let Some(Factors { a, b, scale }) = self.adapter.deltas.get(&layer) else { return Ok(None) };
        let b = match fused {
            Some((_, part)) if b.dim(0)? == part.of => b.narrow(0, part.start, out)?.contiguous()?,
            Some((_, part)) => {
                let (got, expected) = (vec![b.dim(0)?, b.dim(1)?], vec![part.of, b.dim(1)?]);
                let tensor = format!("{PREFIX}{layer}.lora_B.weight");
                return Err(Error::TensorShape { path: self.adapter.path.clone(), tensor, got, expected });
            }
            None => b.clone(),
        };
        self.used.borrow_mut().insert(layer.clone());
        Ok(Some(Delta { layer, a: a.clone(), b, scale: *scale }))
    }
}

impl TensorSource for MergedTensors<'_> {
    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let weight = self.files.tensor(name, shape)?;
        let delta = match name.strip_suffix(".weight") {
            Some(linear) => self.delta_of(linear, shape[0])?,
            None => None,
        };
        match delta {
            Some(delta) => self.adapter.merge(&delta, &weight),
            None => Ok(weight),
        }
    }

    fn packed(&self, linear: &str, out: usize, input: usize) -> Result<Option<Packed>> {
        let Some(packed) = self.files.packed(linear, out, input)? else { return Ok(None) };
        match self.delta_of(linear, out)? {
            None => Ok(Some(packed)),
            Some(Delta { a, b, scale, .. }) if [b.dim(0)?, a.dim(1)?] == [out, input] => {
                Ok(packed.with_delta(&a, &b, scale)?)
            }
            Some(_) => Ok(None), // merging names the shapes
        }
    }
}
