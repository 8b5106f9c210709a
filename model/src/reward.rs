//! Reward and cost models: a decoder with a scalar head, read at the last token of a text.
//!
//! Either a folder of transformers' `*ForSequenceClassification`, or a head alone: a safetensors file with `score.weight` (1, hidden_size) in f32, whose
//! metadata name the model under it (`redline_base`: JSON with `path` and `fingerprint`), which then keeps its own kernels.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde::{Deserialize, Serialize};

use crate::files::{hash_of, write_atomically};
use crate::model::ModelFiles;
use crate::train::Example;
use crate::train::bytes::{decode, encode};
use crate::train::parameters::SCORE;
use crate::train::preference::rewards;
use crate::weights::SafetensorsFile;
use crate::{Error, Model, Result};

/// Key of the metadata that name the model under a head.
const BASE: &str = "redline_base";

/// The model under a head.
#[derive(Serialize, Deserialize)]
struct HeadBase {
    path: PathBuf,
    fingerprint: String,
}

/// A loaded reward or cost model.
pub struct RewardModel {
    /// The network and its tokenizer.
    pub model: Model,
    score: Tensor, // (1, hidden_size)
}

impl RewardModel {
    /// Loads a Hugging Face folder that holds a scalar head, or the file of a head with the model that it names.
    ///
    /// # Errors
    /// As [`Model::load`]; [`Error::TensorMissing`] for a folder without a head, [`Error::TensorShape`] for one with several outputs; a head that
    /// was fitted to other weights than its model has now.
    pub fn load(path: &Path) -> Result<Self> {
        if path.is_file() {
            return Self::load_head(path);
        }
        let files = ModelFiles::open(path)?;
        let width = files.config.hidden_size;
        let missing = || Error::TensorMissing { path: path.into(), tensor: SCORE.into() };
        let head = files.weights.scalar_head().ok_or_else(missing)?;
        let score = files.weights.tensor(head, &[1, width], &files.config)?;
        let score = score.to_dtype(DType::F32)?.to_device(&Device::Cpu)?;
        Ok(Self { model: Model::from_files(path, files)?, score })
    }

    fn load_head(path: &Path) -> Result<Self> {
        let malformed = |rule: String| Error::Malformed { path: path.into(), format: "reward head", rule };
        let file = SafetensorsFile::open(path)?;
        let base = file.text(BASE).ok_or_else(|| malformed(format!("its metadata have no `{BASE}`")))?;
        let base: HeadBase = serde_json::from_str(base).map_err(|error| malformed(format!("`{BASE}`: {error}")))?;
        let model = Model::load(&base.path)?;
        if model.fingerprint != base.fingerprint {
            let base = base.path.display();
            return Err(malformed(format!("it was fitted to other weights than {base} has: fit it again")));
        }
        let missing = || Error::TensorMissing { path: path.into(), tensor: SCORE.into() };
        let info = file.info(SCORE).ok_or_else(missing)?;
        let expected = [1, model.decoder.config().hidden_size];
        if info.shape != expected || info.dtype != Dtype::F32 {
            let (got, expected) = (info.shape.clone(), expected.to_vec());
            return Err(Error::TensorShape { path: path.into(), tensor: SCORE.into(), got, expected });
        }
        let values: Vec<f32> = decode(&file.bytes(SCORE)?);
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            let value = values[index];
            return Err(Error::TensorNotFinite { path: path.into(), tensor: SCORE.into(), index, value });
        }
        Ok(Self { model, score: Tensor::from_vec(values, (expected[0], expected[1]), &Device::Cpu)? })
    }

    /// SHA-256 of body and head: another head on the same body has another.
    ///
    /// # Errors
    /// As the tensor library reports.
    pub fn fingerprint(&self) -> Result<String> {
        let values: Vec<f32> = self.score.flatten_all()?.to_vec1()?;
        let bytes = [self.model.fingerprint.as_bytes(), &encode(&values, f32::to_le_bytes)].concat();
        Ok(hash_of(&bytes))
    }

    /// Writes a head for [`RewardModel::load`], with the model that it was fitted to.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_head(path: &Path, score: &[f32], model: &Model) -> Result<()> {
        let malformed = |rule: String| Error::Malformed { path: path.into(), format: "reward head", rule };
        let place = std::fs::canonicalize(&model.path).unwrap_or_else(|_| model.path.clone());
        let base = HeadBase { path: place, fingerprint: model.fingerprint.clone() };
        let base = serde_json::to_string(&base).map_err(|error| malformed(error.to_string()))?;
        let bytes = encode(score, f32::to_le_bytes);
        let view =
            TensorView::new(Dtype::F32, vec![1, score.len()], &bytes).map_err(|error| malformed(error.to_string()))?;
        let metadata = HashMap::from([(BASE.to_owned(), base)]);
        let file =
            safetensors::serialize([(SCORE, view)], Some(metadata)).map_err(|error| malformed(error.to_string()))?;
        write_atomically(path, &file)
    }

    /// The score of each text, as token ids with their end token.
    ///
    /// # Errors
    /// A text without tokens, or longer than the context.
    pub fn scores(&self, texts: &[Vec<u32>]) -> Result<Vec<f64>> {
        let example = |(row, tokens): (usize, &Vec<u32>)| Example { row, tokens: tokens.clone(), prompt_len: 1 };
        let examples: Vec<Example> = texts.iter().enumerate().map(example).collect();
        rewards(&self.model.decoder, &self.score, &examples.iter().collect::<Vec<_>>())
    }
}
