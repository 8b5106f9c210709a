//! A model against reference numbers: hidden states, logits, steered logits and greedy tokens of another program.
//!
//! The reference is one safetensors file: `input_ids` and, where rows are padded, `attention_mask`, both
//! (rows, length) int64; `hidden.0` = what goes into the first block and `hidden.N` = residual stream after N blocks, before the
//! final norm, (rows, length, hidden); `logits` (rows, length, vocabulary); `greedy` = the first row and its greedy
//! continuation; `steer.vector` (hidden) added to the output of block `steer.layer` (from 0) at every position, with
//! `steer.logits` and `steer.greedy`. All but `input_ids` may be missing. `scripts/make_reference.py` writes one with
//! Hugging Face transformers.

mod objective;

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use redline_model::files::read;
use redline_model::generate::{GenerateOptions, Prompt, generate};
use redline_model::hook::TokenLayout;
use redline_model::{Chunk, Decoder, Error, Hook, HookPoint, NoHook, Past, Site, Wanted};
use redline_steer::{ControlVector, Inject, RowSteering, TokenRange};
use serde::Serialize;

pub use objective::{Objective, ObjectiveComparison, compare_objective};

/// Differences to a reference; each the largest difference divided by the reference's largest magnitude, padding left
/// out. `None` where the reference lacks the numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Largest over all hidden states.
    pub hidden_max_rel: Option<f64>,
    /// Of each hidden state, by its number in the reference.
    pub hidden_rel: BTreeMap<usize, f64>,
    /// Of the logits.
    pub logits_max_rel: Option<f64>,
    /// Of the logits with the reference's vector injected.
    pub steered_logits_max_rel: Option<f64>,
    /// Whether greedy decoding, and steered greedy decoding, give the reference's tokens.
    pub greedy_equal: Option<bool>,
}

impl Comparison {
    /// Whether nothing was there to compare.
    pub fn is_empty(&self) -> bool {
        let numbers = [self.hidden_max_rel, self.logits_max_rel, self.steered_logits_max_rel];
        numbers.iter().all(Option::is_none) && self.greedy_equal.is_none()
    }

    /// Whether everything there is lies within `tolerance`.
    pub fn within(&self, tolerance: f64) -> bool {
        let numbers = [self.hidden_max_rel, self.logits_max_rel, self.steered_logits_max_rel];
        numbers.into_iter().flatten().all(|difference| difference <= tolerance) && self.greedy_equal != Some(false)
    }
}

/// Compares a decoder with a reference file.
///
/// # Errors
/// The file is missing, damaged, lacks `input_ids` or has tensors of other shapes than the model.
pub fn compare(decoder: &Decoder, path: &Path) -> redline_steer::Result<Comparison> {
    let reference = Reference::load(path)?;
    let mut states = HiddenStates::default();
    let logits = reference.logits(decoder, &mut states)?;
    let mut hidden_rel = BTreeMap::new();
    for (index, hidden) in states.0.iter().enumerate() {
        if let Some(expected) = reference.rows(&format!("hidden.{index}"), hidden)? {
            hidden_rel.insert(index, relative_difference(hidden, &expected)?);
        }
    }
    let steering = reference.steering(decoder)?;
    let mut greedy = vec![reference.greedy_equal(decoder, "greedy", &mut NoHook)?];
    let mut steered_logits_max_rel = None;
    if let Some(mut inject) = steering {
        let steered = reference.logits(decoder, &mut inject)?;
        steered_logits_max_rel = reference.difference("steer.logits", &steered)?;
        greedy.push(reference.greedy_equal(decoder, "steer.greedy", &mut inject)?);
    }
    Ok(Comparison {
        hidden_max_rel: hidden_rel.values().copied().reduce(f64::max),
        hidden_rel,
        logits_max_rel: reference.difference("logits", &logits)?,
        steered_logits_max_rel,
        greedy_equal: greedy.into_iter().flatten().reduce(|a, b| a && b),
    })
}

/// Most bytes of a reference: logits over a large vocabulary for some thousand tokens.
const MOST_REFERENCE: u64 = 2 << 30;

struct Reference {
    path: PathBuf,
    tensors: HashMap<String, Tensor>,
    /// Rows of `input_ids` without padding, and where each token stands in its padded row.
    sequences: Vec<Vec<u32>>,
    kept: Vec<Vec<u32>>,
}

impl Reference {
    fn load(path: &Path) -> redline_model::Result<Self> {
        let tensors = load_tensors(path)?;
        let ids = int_rows(path, &tensors, "input_ids")?
            .ok_or_else(|| malformed(path, "tensor `input_ids` is missing".into()))?;
        let mask =
            int_rows(path, &tensors, "attention_mask")?.unwrap_or_else(|| vec![vec![1; ids[0].len()]; ids.len()]);
        let mut sequences = Vec::new();
        let mut kept = Vec::new();
        for (ids, mask) in ids.iter().zip(&mask) {
            let places: Vec<usize> =
                mask.iter().enumerate().filter(|(_, m)| **m != 0).map(|(place, _)| place).collect();
            let tokens = places.iter().map(|&place| ids.get(place).map_or(u32::MAX, |&id| id as u32));
            sequences.push(tokens.collect());
            kept.push(places.iter().map(|&place| place as u32).collect());
        }
        Ok(Self { path: path.into(), tensors, sequences, kept })
    }

    /// The lines of a reference tensor that stand for tokens, (n_tokens, width), checked against `like`.
    fn rows(&self, name: &str, like: &Tensor) -> redline_model::Result<Option<Tensor>> {
        let Some(tensor) = self.tensors.get(name) else { return Ok(None) };
        let expected = [self.sequences.len(), tensor.dims().get(1).copied().unwrap_or(0), like.dim(1)?];
        if tensor.dims() != expected {
            return Err(Error::TensorShape {
                path: self.path.clone(),
                tensor: name.into(),
                got: tensor.dims().to_vec(),
                expected: expected.to_vec(),
            });
        }
        let rows =
            self.kept.iter().enumerate().map(|(row, kept)| {
                Ok(tensor.get(row)?.index_select(&Tensor::new(kept.as_slice(), &Device::Cpu)?, 0)?)
            });
        let rows = rows.collect::<redline_model::Result<Vec<_>>>()?;
        Ok(Some(Tensor::cat(&rows, 0)?.to_dtype(DType::F32)?))
    }

    fn difference(&self, name: &str, got: &Tensor) -> redline_model::Result<Option<f64>> {
        self.rows(name, got)?.map(|expected| relative_difference(got, &expected)).transpose()
    }

    fn logits(&self, decoder: &Decoder, hook: &mut dyn Hook) -> redline_model::Result<Tensor> {
        let sequences = self.sequences.iter().enumerate();
        let mut chunks: Vec<Chunk<'_>> =
            sequences.map(|(row, tokens)| Chunk { tokens, past: Past::None { row } }).collect();
        let states = decoder.forward(&mut chunks, hook, &Wanted::All)?;
        decoder.logits(&states.ok_or_else(|| malformed(&self.path, "`input_ids` holds no token".into()))?)
    }

    /// The reference's own steering, at every position of every row.
    fn steering(&self, decoder: &Decoder) -> redline_steer::Result<Option<Inject>> {
        let (Some(vector), Some(layer)) = (self.tensors.get("steer.vector"), self.tensors.get("steer.layer")) else {
            return Ok(None);
        };
        let values =
            vector.to_dtype(DType::F32).and_then(|v| v.flatten_all()?.to_vec1::<f32>()).map_err(Error::from)?;
        let layer = layer.to_dtype(DType::I64).and_then(|l| l.flatten_all()?.to_vec1::<i64>()).map_err(Error::from)?;
        let layer = layer.first().copied().unwrap_or(0) as usize;
        let vector = ControlVector::new([(layer, values)].into())?;
        let mut inject = Inject::new(&[&vector], TokenRange::All, decoder.config())?;
        for row in 0..self.sequences.len() {
            inject.steer(row, RowSteering::new(0, 1.0, 0))?;
        }
        Ok(Some(inject))
    }

    /// Whether the first row continues as the reference says.
    fn greedy_equal(&self, decoder: &Decoder, name: &str, hook: &mut dyn Hook) -> redline_model::Result<Option<bool>> {
        let Some(expected) = int_rows(&self.path, &self.tensors, name)? else { return Ok(None) };
        let expected: Vec<u32> = expected[0].iter().map(|&id| id as u32).collect();
        let prompt = &self.sequences[0];
        let Some(continuation) = expected.strip_prefix(prompt.as_slice()) else {
            return Err(malformed(&self.path, format!("`{name}` does not begin with the first row of `input_ids`")));
        };
        if continuation.is_empty() {
            return Err(malformed(&self.path, format!("`{name}` holds the prompt alone, without a continuation")));
        }
        let options = GenerateOptions { max_new_tokens: continuation.len(), share_prompt: false, ..Default::default() };
        let prompts = [Prompt::new(prompt.clone(), vec![0])];
        let rows = generate(decoder, &prompts, &options, hook, &mut |_, _| Ok(ControlFlow::Continue(())))?;
        Ok(Some(rows[0].tokens == continuation))
    }
}

/// Embeddings, then every block's output.
#[derive(Default)]
struct HiddenStates(Vec<Tensor>);

impl Hook for HiddenStates {
    fn wants(&self, point: HookPoint) -> bool {
        matches!(point, HookPoint::Embed | HookPoint::Block { site: Site::ResidPost, .. })
    }

    fn on(&mut self, _: HookPoint, x: &Tensor, _: &TokenLayout) -> redline_model::Result<Option<Tensor>> {
        self.0.push(x.clone());
        Ok(None)
    }
}

fn load_tensors(path: &Path) -> redline_model::Result<HashMap<String, Tensor>> {
    let bytes = read(path, MOST_REFERENCE)?;
    candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).map_err(|error| malformed(path, error.to_string()))
}

fn malformed(path: &Path, rule: String) -> Error {
    Error::Malformed { path: path.into(), format: "reference", rule }
}

fn int_rows(
    path: &Path,
    tensors: &HashMap<String, Tensor>,
    name: &str,
) -> redline_model::Result<Option<Vec<Vec<i64>>>> {
    let Some(tensor) = tensors.get(name) else { return Ok(None) };
    let rows = tensor.to_dtype(DType::I64).and_then(|tensor| tensor.to_vec2::<i64>());
    let rows =
        rows.map_err(|_| malformed(path, format!("`{name}` has shape {:?}, expected two dimensions", tensor.dims())))?;
    match rows.first().is_some_and(|row| !row.is_empty()) {
        true => Ok(Some(rows)),
        false => Err(malformed(path, format!("`{name}` is empty"))),
    }
}

/// Largest difference divided by the reference's largest magnitude; infinite when anything is not finite.
fn relative_difference(got: &Tensor, expected: &Tensor) -> redline_model::Result<f64> {
    let largest = |x: &Tensor| -> redline_model::Result<f64> {
        let values: Vec<f32> = x.flatten_all()?.to_vec1()?;
        // f32::max would pass over NaN
        let worst =
            |worst: f64, value: &f32| if value.is_finite() { worst.max(f64::from(value.abs())) } else { f64::INFINITY };
        Ok(values.iter().fold(0.0, worst))
    };
    let got = got.to_device(expected.device())?;
    Ok(largest(&(got - expected)?)? / largest(expected)?.max(f64::MIN_POSITIVE))
}
