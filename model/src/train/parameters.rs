//! The parameters of a run by their Hugging Face (or PEFT) names: which are trained, and what they began as.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;

use candle_core::{DType, Device, Tensor, Var};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::Precision;
use super::base::Base;
use super::bytes::tensor_bytes;
use crate::adapter::{Adapter, BaseIdentity, LoraOptions, factor_names};
use crate::files::hexadecimal;
use crate::layers::{Dropout, Kernels, LoraDelta};
use crate::model::ModelFiles;
use crate::random::Random;
use crate::weights::expected::{Expected, expected};
use crate::weights::{FileTensors, TensorSource, Weights, fused_linear, parts_of};
use crate::{Decoder, Error, ModelConfig, Result, Tokenizer};

/// Standard deviation of fresh weights, as Hugging Face's `initializer_range`.
const INITIAL_DEVIATION: f64 = 0.02;

/// Name of a scalar head in files.
pub const SCORE: &str = "score.weight";
/// Name of the embedding in files.
const EMBEDDING: &str = "model.embed_tokens.weight";
/// Name of the output projection in files.
pub(super) const OUTPUT_PROJECTION: &str = "lm_head.weight";

/// What is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// All weights.
    Full,
    /// Low-rank deltas beside frozen weights.
    Lora(LoraOptions),
}

/// A trained tensor.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Its name in files.
    pub name: String,
    /// Its value, which training changes in place.
    pub variable: Var,
}

/// All tensors of a model in training.
#[derive(Debug)]
pub struct Parameters {
    config: ModelConfig,
    device: Device,
    method: Method,
    tensors: BTreeMap<String, Tensor>,
    trained: Vec<Parameter>,
    /// Linear layers with a delta.
    deltas: BTreeMap<String, DeltaPlace>,
    origin: String,
    base: Base,
    warnings: Vec<String>,
}

/// Where the delta of a linear layer is.
#[derive(Debug)]
struct DeltaPlace {
    /// The layer of the files, which may be fused of several.
    stored: String,
    /// Its factors' places in the trained tensors.
    factors: [usize; 2],
    /// Which rows of the second factor; `None`: all.
    rows: Option<[usize; 2]>,
}

impl Parameters {
    /// Opens a model's folder or GGUF file for training; returns its tokenizer, where it has one.
    ///
    /// # Errors
    /// As [`crate::Model::load`]; [`Error::TrainOption`] for impossible LoRA options.
    pub fn open(path: &Path, method: Method, seed: u64) -> Result<(Self, Option<Tokenizer>)> {
        let files = ModelFiles::open(path)?;
        let base = Base::read(&files)?;
        let parameters = Self::from_weights(files.config, &files.weights, method, seed)?;
        Ok((Self { base, warnings: files.warnings, ..parameters }, files.tokenizer))
    }

    /// Takes a model's weights; `seed` draws the first factors of deltas.
    ///
    /// # Errors
    /// As [`Parameters::open`].
    pub fn from_weights(config: ModelConfig, weights: &Weights, method: Method, seed: u64) -> Result<Self> {
        let source = FileTensors { weights, config: config.clone() };
        Self::new(config, &source, method, seed)
    }

    /// Fresh weights: normal with deviation 0.02, norms 1, biases 0.
    ///
    /// # Errors
    /// As the tensor library reports.
    pub fn from_scratch(config: ModelConfig, seed: u64) -> Result<Self> {
        Self::new(config, &FreshTensors { seed }, Method::Full, seed)
    }

    fn new(config: ModelConfig, source: &dyn TensorSource, method: Method, seed: u64) -> Result<Self> {
        let method = match method {
            Method::Full => Method::Full,
            Method::Lora(options) => {
                check_lora(&options)?;
                Method::Lora(options.for_files_of(&config)?)
            }
        };
        let recorder = Recorder { source, tensors: RefCell::default(), linears: RefCell::default() };
        Decoder::assemble(config.clone(), &recorder, &Device::Cpu)?;
        let (tensors, linears) = (recorder.tensors.into_inner(), recorder.linears.into_inner());
        let origin = fingerprint(&tensors)?;
        let (trained, deltas) = (Vec::new(), BTreeMap::new());
        let (base, warnings) = (Base::default(), Vec::new());
        let mut parameters =
            Self { config, device: Device::Cpu, method, tensors, trained, deltas, origin, base, warnings };
        match parameters.method.clone() {
            Method::Full => parameters.train_all()?,
            Method::Lora(options) => parameters.add_deltas(&linears, &options, seed)?,
        }
        Ok(parameters)
    }

    /// Opens a model's files to train an adapter further that was read before.
    ///
    /// # Errors
    /// As [`Parameters::open`]; an adapter whose layers differ in rank or factor, or whose layers the model lacks.
    pub fn open_adapter(path: &Path, adapter: &Adapter) -> Result<(Self, Option<Tokenizer>)> {
        let (parameters, tokenizer) = Self::open(path, Method::Lora(adapter.lora_options()?), 0)?;
        let names: Vec<&str> = parameters.trained.iter().map(|parameter| parameter.name.as_str()).collect();
        for layer in adapter.layers() {
            if let Some(name) = factor_names(layer).iter().find(|name| !names.contains(&name.as_str())) {
                return Err(Error::TensorMissing { path: path.into(), tensor: name.clone() });
            }
        }
        for parameter in &parameters.trained {
            let value = adapter.factor(&parameter.name)?;
            let (got, expected) = (value.dims().to_vec(), parameter.variable.dims().to_vec());
            if got != expected {
                return Err(Error::TensorShape { path: path.into(), tensor: parameter.name.clone(), got, expected });
            }
            parameter.variable.set(value)?;
        }
        Ok((parameters, tokenizer))
    }

    /// Puts a scalar head on the last state, trained beside the rest: `score.weight`, as in `*ForSequenceClassification`. The output
    /// projection, which such a model has not, is not trained then. Without `weight`, it is drawn by `seed`.
    ///
    /// # Shapes
    /// `weight` (1, hidden_size).
    ///
    /// # Errors
    /// [`Error::TensorShape`] for a head of another width.
    pub fn add_score(&mut self, weight: Option<Tensor>, seed: u64) -> Result<()> {
        let shape = [1, self.config.hidden_size];
        let weight = match weight {
            Some(weight) => weight.to_device(&self.device)?.to_dtype(DType::F32)?,
            None => FreshTensors { seed }.tensor(SCORE, &shape)?,
        };
        if weight.dims() != shape {
            let (got, expected) = (weight.dims().to_vec(), shape.to_vec());
            return Err(Error::TensorShape { path: "parameters".into(), tensor: SCORE.into(), got, expected });
        }
        self.trained.retain(|parameter| parameter.name != OUTPUT_PROJECTION);
        self.trained.push(Parameter { name: SCORE.into(), variable: Var::from_tensor(&weight)? });
        Ok(())
    }

    /// The scalar head, where there is one.
    pub fn score(&self) -> Option<&Parameter> {
        self.trained.iter().find(|parameter| parameter.name == SCORE)
    }

    fn train_all(&mut self) -> Result<()> {
        for (name, tensor) in &mut self.tensors {
            let variable = Var::from_tensor(tensor)?;
            *tensor = variable.as_tensor().clone();
            self.trained.push(Parameter { name: name.clone(), variable });
        }
        Ok(())
    }

    /// A is uniform in ± 1 / √in, B is 0, so that training begins at the model itself.
    fn add_deltas(&mut self, linears: &[LinearShape], options: &LoraOptions, seed: u64) -> Result<()> {
        // files may hold several layers as one, which then has one delta
        let mut whole: Vec<LinearShape> = Vec::new();
        for linear in linears {
            let (name, out) = match fused_linear(&linear.name, &self.config) {
                Some((name, part)) => (name, part.of),
                None => (linear.name.clone(), linear.out),
            };
            if !whole.iter().any(|other| other.name == name) {
                whole.push(LinearShape { name, out, input: linear.input });
            }
        }
        for target in &options.targets {
            if !whole.iter().any(|linear| linear.name.rsplit('.').next() == Some(target)) {
                let expected = "names of linear layers, such as q_proj";
                return Err(Error::TrainOption { option: "lora targets", got: target.clone(), expected });
            }
        }
        for linear in whole.iter().filter(|linear| options.applies_to(&linear.name)) {
            if options.rank > linear.input.max(linear.out) {
                let (got, expected) = (options.rank.to_string(), "at most the width of the layers that get a delta");
                return Err(Error::TrainOption { option: "lora rank", got, expected });
            }
            self.add_delta(linear, options.rank, seed)?;
            let factors = [self.trained.len() - 2, self.trained.len() - 1];
            for part in linears {
                let place = match fused_linear(&part.name, &self.config) {
                    Some((name, rows)) if name == linear.name => Some(Some([rows.start, part.out])),
                    None if part.name == linear.name => Some(None),
                    _ => None,
                };
                if let Some(rows) = place {
                    let stored = linear.name.clone();
                    self.deltas.insert(part.name.clone(), DeltaPlace { stored, factors, rows });
                }
            }
        }
        Ok(())
    }

    fn add_delta(&mut self, linear: &LinearShape, rank: usize, seed: u64) -> Result<()> {
        let names = factor_names(&linear.name);
        let bound = 1.0 / (linear.input as f64).sqrt();
        let mut random = Random::named(&[seed], &names[0]);
        let a = (0..rank * linear.input).map(|_| (bound * (2.0 * random.uniform() - 1.0)) as f32).collect();
        let b = vec![0f32; linear.out * rank];
        let shapes = [(rank, linear.input), (linear.out, rank)];
        for ((name, values), shape) in names.into_iter().zip([a, b]).zip(shapes) {
            let variable = Var::from_vec(values, shape, &self.device)?;
            self.trained.push(Parameter { name, variable });
        }
        Ok(())
    }

    /// The decoder for training. `dropout_seed` turns on the deltas' dropout. In bf16 it works on rounded copies, through which
    /// gradients reach the f32 parameters.
    ///
    /// # Errors
    /// As the tensor library reports.
    pub fn training_decoder(&self, dropout_seed: Option<u64>, precision: Precision) -> Result<Decoder> {
        match precision {
            Precision::F32 if self.device.is_cpu() => {
                self.decoder_in(DType::F32, Kernels::FusedDifferentiable, dropout_seed)
            }
            Precision::F32 => self.decoder_in(DType::F32, Kernels::Differentiable, dropout_seed),
            Precision::Bf16 => self.decoder_in(DType::BF16, Kernels::Differentiable, dropout_seed),
        }
    }

    pub(super) fn decoder_in(&self, dtype: DType, kernels: Kernels, dropout_seed: Option<u64>) -> Result<Decoder> {
        let source = LiveTensors { parameters: self, dropout_seed, detached: false, dtype };
        Decoder::assemble(self.config.clone(), &source, &self.device)?.with_kernels(kernels)
    }

    /// The decoder for inference with the values of this moment and of later ones: it shares their memory.
    ///
    /// # Errors
    /// As the tensor library reports.
    pub fn inference_decoder(&self) -> Result<Decoder> {
        let source = LiveTensors { parameters: self, dropout_seed: None, detached: true, dtype: DType::F32 };
        Decoder::assemble(self.config.clone(), &source, &self.device)
    }

    /// The model's sizes and constants.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }

    /// What is trained.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The trained tensors, in a fixed order.
    pub fn trained(&self) -> &[Parameter] {
        &self.trained
    }

    /// Number of trained values.
    pub fn n_trained(&self) -> usize {
        self.trained.iter().map(|parameter| parameter.variable.elem_count()).sum()
    }

    /// SHA-256 of the model's weights as they were before training, as hexadecimal digits.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// What tells the model that deltas stand beside from others.
    ///
    /// # Errors
    /// As the tensor library reports.
    pub(crate) fn base_identity(&self) -> Result<BaseIdentity> {
        let missing = || Error::TensorMissing { path: "parameters".into(), tensor: EMBEDDING.into() };
        let embedding = self.tensors.get(EMBEDDING).ok_or_else(missing)?;
        BaseIdentity::of(&self.config, self.base.fingerprint.clone(), embedding)
    }

    /// The model's tensors by their Hugging Face names, with deltas merged in.
    ///
    /// # Shapes
    /// Linear layers (out, in), their biases (out), norms (width), the embedding (vocab_size, hidden_size).
    ///
    /// # Errors
    /// As the tensor library reports.
    pub fn merged(&self) -> Result<BTreeMap<String, Tensor>> {
        let merged = |(name, tensor): (&String, &Tensor)| -> Result<(String, Tensor)> {
            let tensor = tensor.detach();
            let delta = name.strip_suffix(".weight").map(|linear| self.delta(linear, true, None));
            let tensor = match delta.transpose()?.flatten() {
                None => tensor,
                Some(delta) => (tensor + (delta.b.matmul(&delta.a)? * delta.scale)?)?,
            };
            Ok((name.clone(), tensor))
        };
        self.tensors.iter().map(merged).collect()
    }

    /// The same with the names and shapes of files, in which some families fuse layers.
    pub(crate) fn merged_as_stored(&self) -> Result<BTreeMap<String, Tensor>> {
        let mut parts = self.merged()?;
        let mut tensors = BTreeMap::new();
        for Expected { name, .. } in expected(&self.config) {
            let missing = |name: &str| Error::TensorMissing { path: "parameters".into(), tensor: name.into() };
            let mut take = |name: &str| parts.remove(name).ok_or_else(|| missing(name));
            let tensor = match parts_of(&name, &self.config) {
                None => take(&name)?,
                Some(names) => {
                    let rows = names.iter().map(|name| take(name)).collect::<Result<Vec<_>>>()?;
                    Tensor::cat(&rows, 0)?
                }
            };
            tensors.insert(name, tensor);
        }
        Ok(tensors)
    }

    /// What the files it was opened from hold beside the weights.
    pub(super) fn base(&self) -> &Base {
        &self.base
    }

    /// What the files it was opened from hold that is not read, and may mean something elsewhere: a sentence each.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    fn delta(&self, linear: &str, detached: bool, dropout_seed: Option<u64>) -> Result<Option<LoraDelta>> {
        let Method::Lora(options) = &self.method else { return Ok(None) };
        let factor = |place: usize| {
            let tensor = self.trained[place].variable.as_tensor();
            if detached { tensor.detach() } else { tensor.clone() }
        };
        let Some(DeltaPlace { stored, factors: [a, b], rows }) = self.deltas.get(linear) else { return Ok(None) };
        let (a, b) = (factor(*a), factor(*b));
        let b = match rows {
            None => b,
            Some([start, n]) => b.narrow(0, *start, *n)?,
        };
        let dropout = dropout_seed
            .filter(|_| options.dropout > 0.0)
            .map(|seed| Dropout { share: options.dropout, seed: Random::named(&[seed], stored).next_u64() });
        Ok(Some(LoraDelta { a, b, scale: options.scale(), dropout }))
    }
}

fn check_lora(options: &LoraOptions) -> Result<()> {
    let refuse = |option, got: String, expected| Err(Error::TrainOption { option, got, expected });
    if options.rank == 0 {
        return refuse("lora rank", "0".into(), "at least 1");
    }
    if !options.alpha.is_finite() {
        return refuse("lora alpha", options.alpha.to_string(), "a finite number");
    }
    if options.targets.is_empty() {
        return refuse("lora targets", "none".into(), "names of linear layers, such as q_proj");
    }
    match (0.0..1.0).contains(&options.dropout) {
        true => Ok(()),
        false => refuse("lora dropout", options.dropout.to_string(), "0 or more and below 1"),
    }
}

/// SHA-256 over names and values, in the order of names.
fn fingerprint(tensors: &BTreeMap<String, Tensor>) -> Result<String> {
    let mut hasher = Sha256::new();
    for (name, tensor) in tensors {
        hasher.update(name.as_bytes());
        hasher.update([0]);
        hasher.update(tensor_bytes(tensor)?);
    }
    Ok(hexadecimal(hasher))
}

/// A linear layer that can carry a delta.
struct LinearShape {
    name: String,
    out: usize,
    input: usize,
}

/// Notes which tensors and linear layers a decoder consists of.
struct Recorder<'a> {
    source: &'a dyn TensorSource,
    tensors: RefCell<BTreeMap<String, Tensor>>,
    linears: RefCell<Vec<LinearShape>>,
}

impl TensorSource for Recorder<'_> {
    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let tensor = self.source.tensor(name, shape)?;
        self.tensors.borrow_mut().insert(name.to_owned(), tensor.clone());
        Ok(tensor)
    }

    fn delta(&self, linear: &str, out: usize, input: usize) -> Result<Option<LoraDelta>> {
        self.linears.borrow_mut().push(LinearShape { name: linear.to_owned(), out, input });
        Ok(None)
    }
}

/// Fresh tensors, each drawn from a stream of its own name.
struct FreshTensors {
    seed: u64,
}

impl TensorSource for FreshTensors {
    fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        let n = shape.iter().product();
        let values: Vec<f32> = match shape.len() {
            1 if name.ends_with(".bias") => vec![0.0; n],
            1 => vec![1.0; n],
            _ => {
                let mut random = Random::named(&[self.seed], name);
                (0..n).map(|_| (INITIAL_DEVIATION * random.normal()) as f32).collect()
            }
        };
        Ok(Tensor::from_vec(values, shape, &Device::Cpu)?)
    }
}

/// The parameters as a decoder reads them.
struct LiveTensors<'a> {
    parameters: &'a Parameters,
    dropout_seed: Option<u64>,
    detached: bool,
    dtype: DType,
}

impl TensorSource for LiveTensors<'_> {
    fn tensor(&self, name: &str, _shape: &[usize]) -> Result<Tensor> {
        let tensor = self.parameters.tensors.get(name);
        let tensor = tensor.ok_or_else(|| Error::TensorMissing { path: "parameters".into(), tensor: name.into() })?;
        Ok(if self.detached { tensor.detach() } else { tensor.to_dtype(self.dtype)? })
    }

    fn delta(&self, linear: &str, _out: usize, _input: usize) -> Result<Option<LoraDelta>> {
        let delta = self.parameters.delta(linear, self.detached, self.dropout_seed)?;
        let cast = |delta: LoraDelta| -> Result<LoraDelta> {
            Ok(LoraDelta { a: delta.a.to_dtype(self.dtype)?, b: delta.b.to_dtype(self.dtype)?, ..delta })
        };
        delta.map(cast).transpose()
    }
}
