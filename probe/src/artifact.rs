//! Reading vectors on disk: safetensors with `direction.N` and `centre.N` (f32) and their metadata.
//!
//! A reader MUST refuse another `format`, an orientation other than positive = correction, tensors of unequal size,
//! directions that are not of unit length, and values that are not finite. It MAY ignore metadata it does not know.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use redline_model::files::{read, write_atomically};
use redline_model::{Error as ModelError, ModelConfig, Site};
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use serde::{Deserialize, Serialize};

use crate::direction::ExtractOptions;
use crate::pair::PairDesign;
use crate::scan::Calibration;
use crate::split::normalise;
use crate::tensors::finite_values;
use crate::{Error, LayerVector, Result};

/// Most bytes of a file of vectors; those of the largest models have some millions.
const MOST_BYTES: u64 = 256 << 20;
/// Value of the `format` key.
pub const FORMAT: &str = "redline.reading.v1";
/// Value of the `orientation` key.
const ORIENTATION: &str = "positive=correction";
/// Key of the metadata in the safetensors header.
const KEY: &str = "redline";
/// How far a direction's length may be from 1.
const UNIT_TOLERANCE: f64 = 1e-3;

/// Where a reading vector came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// SHA-256 of the model's weight files.
    pub model_hash: String,
    /// Name of the model's file or folder.
    pub model_name: String,
    /// Architecture name.
    pub architecture: String,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Number of blocks.
    pub n_layers: usize,
    /// Name of the template.
    pub template: String,
    /// How the pairs were made.
    pub design: PairDesign,
    /// Positions read.
    pub read: String,
    /// Site read.
    pub site: String,
    /// Values of an activation there; absent where it is the residual stream's width.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site_width: Option<usize>,
    /// Method, scaling and seed.
    pub extract: ExtractOptions,
    /// Pairs the directions were fitted on.
    pub n_pairs: usize,
    /// Hashes of the questions the vector has seen, for leak checks; see [`question_hash`].
    pub questions: Vec<String>,
    /// How the vector was trained further; absent where it was only read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<Training>,
}

/// How a vector was trained, from the one that `extract` names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// What it was trained for.
    pub goal: String,
    /// Positions that were steered.
    pub range: String,
    /// Rows it was trained on.
    pub n_rows: usize,
    /// Rows of other questions that decided which step was taken.
    pub n_development: usize,
    /// Steps done.
    pub n_steps: usize,
    /// The step that was taken.
    pub best_step: usize,
    /// Rows of a step.
    pub batch_rows: usize,
    /// The highest learning rate.
    pub learning_rate: f64,
    /// Seed of everything random.
    pub seed: u64,
    /// Mean loss a token on the development rows before training, in nats.
    pub start_loss: f64,
    /// The same of the vector that was taken.
    pub best_loss: f64,
}

/// A reading vector with everything that scans and injections need.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// One direction a layer.
    pub layers: Vec<LayerVector>,
    /// Scores of the calibration texts.
    pub calibration: Option<Calibration>,
    /// Where it came from.
    pub provenance: Provenance,
}

/// What the header holds beside the tensors.
#[derive(Serialize, Deserialize)]
struct Header {
    format: String,
    orientation: String,
    layers: Vec<LayerNumbers>,
    calibration: Option<Calibration>,
    provenance: Provenance,
}

#[derive(Serialize, Deserialize)]
struct LayerNumbers {
    layer: usize,
    gap: f64,
    score_std: f64,
    explained_variance_ratio: Option<f64>,
    cosine_to_mean_diff: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trained_norm: Option<f64>,
}

/// A short hash of a question after normalisation: the same question has the same hash, and the text stays out.
pub fn question_hash(question: &str) -> String {
    // FNV-1a, 64 bit: stable across versions and platforms
    let hash = normalise(question)
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    format!("{hash:016x}")
}

impl Reading {
    /// Writes the file; it appears under its name only when complete.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let numbers = |vector: &LayerVector| LayerNumbers {
            layer: vector.layer,
            gap: vector.gap,
            score_std: vector.score_std,
            explained_variance_ratio: vector.explained_variance_ratio,
            cosine_to_mean_diff: vector.cosine_to_mean_diff,
            trained_norm: vector.trained_norm,
        };
        let header = Header {
            format: FORMAT.into(),
            orientation: ORIENTATION.into(),
            layers: self.layers.iter().map(numbers).collect(),
            calibration: self.calibration.clone(),
            provenance: self.provenance.clone(),
        };
        let header = serde_json::to_string(&header).map_err(|e| malformed(path, e.to_string()))?;
        let bytes = |values: &[f32]| -> Vec<u8> { values.iter().flat_map(|value| value.to_le_bytes()).collect() };
        let tensors: Vec<(String, usize, Vec<u8>)> = self
            .layers
            .iter()
            .flat_map(|vector| {
                let name = |kind: &str| format!("{kind}.{}", vector.layer);
                [
                    (name("direction"), vector.direction.len(), bytes(&vector.direction)),
                    (name("centre"), vector.centre.len(), bytes(&vector.centre)),
                ]
            })
            .collect();
        let views: Vec<(&str, TensorView<'_>)> = tensors
            .iter()
            .map(|(name, length, bytes)| {
                let view = TensorView::new(Dtype::F32, vec![*length], bytes);
                view.map(|view| (name.as_str(), view)).map_err(|e| malformed(path, e.to_string()))
            })
            .collect::<Result<_>>()?;
        let metadata = HashMap::from([(KEY.to_string(), header)]);
        let bytes = serialize(views, Some(metadata)).map_err(|e| malformed(path, e.to_string()))?;
        Ok(write_atomically(path, &bytes)?)
    }

    /// Reads and checks a file.
    ///
    /// # Errors
    /// Any broken rule of the format, with the file and the tensor.
    pub fn load(path: &Path) -> Result<Self> {
        Self::from_bytes(path, &read(path, MOST_BYTES)?)
    }

    /// Checks the bytes of a file; `path` is what errors call it.
    ///
    /// # Errors
    /// As [`Reading::load`], but for reading the file.
    pub fn from_bytes(path: &Path, bytes: &[u8]) -> Result<Self> {
        if bytes.starts_with(b"GGUF") {
            return Err(Error::NotAReading { path: path.to_owned() });
        }
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| malformed(path, e.to_string()))?;
        let texts = metadata.metadata().as_ref();
        let header = texts.and_then(|map| map.get(KEY)).ok_or_else(|| {
            let other = texts.and_then(|map| map.keys().find(|key| key.starts_with(KEY)));
            let rule = match other {
                Some(key) => format!("it is another kind of file (`{key}`), not a reading vector"),
                None => format!("the header has no `{KEY}` metadata; not a reading vector"),
            };
            malformed(path, rule)
        })?;
        let header: Header = serde_json::from_str(header).map_err(|e| malformed(path, format!("metadata: {e}")))?;
        if header.format != FORMAT {
            return Err(malformed(path, format!("`format` is `{}`, expected `{FORMAT}`", header.format)));
        }
        if header.orientation != ORIENTATION {
            return Err(malformed(
                path,
                format!("`orientation` is `{}`, expected `{ORIENTATION}`", header.orientation),
            ));
        }
        let file = SafeTensors::deserialize(bytes).map_err(|e| malformed(path, e.to_string()))?;
        let width = header.provenance.site_width.unwrap_or(header.provenance.hidden_size);
        let layers = header
            .layers
            .into_iter()
            .map(|numbers| {
                let layer = numbers.layer;
                let direction = values(path, &file, &format!("direction.{layer}"), width)?;
                let length = direction.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
                if (length - 1.0).abs() > UNIT_TOLERANCE {
                    return Err(malformed(path, format!("`direction.{layer}` has length {length}, expected 1")));
                }
                if !(numbers.gap.is_finite() && numbers.score_std.is_finite()) {
                    return Err(malformed(path, format!("layer {layer}: gap or score_std is not finite")));
                }
                if numbers.trained_norm.is_some_and(|norm| !(norm.is_finite() && norm > 0.0)) {
                    return Err(malformed(path, format!("layer {layer}: trained_norm is no number above 0")));
                }
                Ok(LayerVector {
                    layer,
                    direction,
                    centre: values(path, &file, &format!("centre.{layer}"), width)?,
                    gap: numbers.gap,
                    score_std: numbers.score_std,
                    explained_variance_ratio: numbers.explained_variance_ratio,
                    cosine_to_mean_diff: numbers.cosine_to_mean_diff,
                    trained_norm: numbers.trained_norm,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        if layers.is_empty() {
            return Err(malformed(path, "it holds no layer".into()));
        }
        let numbers: Vec<usize> = layers.iter().map(|vector| vector.layer).collect();
        let n_layers = header.provenance.n_layers;
        if !numbers.is_sorted_by(|a, b| a < b) || numbers.last().is_some_and(|last| *last >= n_layers) {
            return Err(malformed(path, format!("its layers {numbers:?} do not ascend below {n_layers}")));
        }
        if header.calibration.as_ref().is_some_and(|calibration| !calibration.fits(&numbers)) {
            return Err(malformed(path, "its calibration is of other layers, or not finite".into()));
        }
        Ok(Self { layers, calibration: header.calibration, provenance: header.provenance })
    }

    /// The site that was read.
    ///
    /// # Errors
    /// The file names none that is known.
    pub fn site(&self) -> Result<Site> {
        Ok(self.provenance.site.parse::<Site>()?)
    }

    /// Refuses a model of another shape than the one the vector was made for.
    ///
    /// # Errors
    /// Another hidden size or number of blocks.
    pub fn check_shape(&self, path: &Path, config: &ModelConfig) -> Result<()> {
        let (hidden, layers) = (self.provenance.hidden_size, self.provenance.n_layers);
        if (hidden, layers) != (config.hidden_size, config.n_layers) {
            return Err(Error::VectorShape {
                path: path.into(),
                got: [layers, hidden],
                expected: [config.n_layers, config.hidden_size],
            });
        }
        Ok(())
    }

    /// Refuses a vector made with other weights, even of the same shape.
    ///
    /// # Errors
    /// As [`Reading::check_shape`], or the fingerprints differ.
    pub fn check_model(&self, path: &Path, config: &ModelConfig, model_hash: &str) -> Result<()> {
        self.check_shape(path, config)?;
        if self.provenance.model_hash != model_hash {
            return Err(Error::VectorModel {
                path: path.into(),
                vector: self.provenance.model_hash.clone(),
                model: model_hash.into(),
            });
        }
        Ok(())
    }
}

fn malformed(path: &Path, rule: String) -> Error {
    let path = PathBuf::from(path);
    Error::Model(ModelError::Malformed { path, format: "reading vector", rule })
}

/// A finite f32 tensor of `length` values.
fn values(path: &Path, file: &SafeTensors<'_>, name: &str, length: usize) -> Result<Vec<f32>> {
    let view = file.tensor(name).map_err(|_| malformed(path, format!("tensor `{name}` is missing")))?;
    if view.dtype() != Dtype::F32 || view.shape() != [length] {
        let rule = format!("tensor `{name}` is {:?} {:?}, expected F32 [{length}]", view.dtype(), view.shape());
        return Err(malformed(path, rule));
    }
    finite_values(&view).map_err(|(index, value)| malformed(path, format!("tensor `{name}` holds {value} at {index}")))
}
