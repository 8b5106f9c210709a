//! Which model an adapter was trained beside: written beside its weights, and compared when it is merged into one.
//!
//! Shapes fit every model of a family and size, so the weights themselves are told apart: by the SHA-256 of their files, and, where that
//! differs, by some values of the embedding. These are nearly the same in another file of the same model (another type of numbers, a
//! quantised one) and in one that was trained further, and nothing alike in another model.

use std::path::Path;

use candle_core::{DType, Tensor};
use serde::{Deserialize, Serialize};

use crate::files::{MOST_SETTINGS, read_if_there};
use crate::weights::TensorSource;
use crate::{Error, ModelConfig, Result};

/// The file that holds it, beside PEFT's own two.
pub(crate) const BASE_FILE: &str = "redline_base.json";
/// Name of the embedding in files.
const EMBEDDING: &str = "model.embed_tokens.weight";
/// Values that are kept of the embedding.
const N_VALUES: usize = 256;
/// Cosine from which two embeddings are of one model: 4-bit weights lie above 0.98, unrelated ones around 0.
const LEAST_COSINE: f64 = 0.9;

/// What tells a base model from others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct BaseIdentity {
    /// SHA-256 of its files' weights; none of weights that came from no file.
    #[serde(default)]
    pub(super) fingerprint: Option<String>,
    architecture: String,
    hidden_size: usize,
    n_layers: usize,
    vocab_size: usize,
    /// Values of the embedding, evenly spread.
    embedding: Vec<f32>,
}

/// How a model stands to the one that an adapter was trained beside.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Fit {
    /// It is the same.
    Same,
    /// The weights are nearly the same.
    Alike,
    /// It is another, by this.
    Other(String),
}

impl BaseIdentity {
    /// Of a model, by its embedding (vocab_size, hidden_size).
    pub(crate) fn of(config: &ModelConfig, fingerprint: Option<String>, embedding: &Tensor) -> Result<Self> {
        Ok(Self {
            fingerprint,
            architecture: config.architecture.clone(),
            hidden_size: config.hidden_size,
            n_layers: config.n_layers,
            vocab_size: config.vocab_size,
            embedding: sample(embedding)?,
        })
    }

    /// What an adapter's folder says of it, where it does.
    pub(super) fn beside(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(BASE_FILE);
        let Some(bytes) = read_if_there(&path, MOST_SETTINGS)? else { return Ok(None) };
        let problem = |error: serde_json::Error| Error::Adapter { path: path.clone(), problem: error.to_string() };
        serde_json::from_slice(&bytes).map(Some).map_err(problem)
    }

    /// The same, read from the tensors of its files.
    pub(crate) fn read(config: &ModelConfig, fingerprint: Option<String>, files: &dyn TensorSource) -> Result<Self> {
        let embedding = files.tensor(EMBEDDING, &[config.vocab_size, config.hidden_size])?;
        Self::of(config, fingerprint, &embedding)
    }

    /// Whether sizes and kind are those of a configuration; else what differs.
    pub(super) fn differs_from(&self, config: &ModelConfig) -> Option<String> {
        let sizes = [
            ("layers", self.n_layers, config.n_layers),
            ("dimensions", self.hidden_size, config.hidden_size),
            ("token embeddings", self.vocab_size, config.vocab_size),
        ];
        if self.architecture != config.architecture {
            return Some(format!("one of family {}, not {}", self.architecture, config.architecture));
        }
        let (what, own, other) = sizes.into_iter().find(|(_, own, other)| own != other)?;
        Some(format!("one with {own} {what}, not {other}"))
    }

    /// How a model of the same sizes stands to this one.
    pub(super) fn fit(&self, other: &Self) -> Fit {
        if self.fingerprint.is_some() && self.fingerprint == other.fingerprint {
            return Fit::Same;
        }
        match cosine(&self.embedding, &other.embedding) {
            at if at >= LEAST_COSINE => Fit::Alike,
            at => Fit::Other(format!("one with other weights (cosine of the embeddings {at:.2})")),
        }
    }
}

/// Values of a matrix, evenly spread over rows and columns.
fn sample(matrix: &Tensor) -> Result<Vec<f32>> {
    let (rows, columns) = matrix.dims2()?;
    let mut found = Vec::with_capacity(N_VALUES);
    for index in 0..N_VALUES {
        let (row, column) = (index * rows / N_VALUES, index * 31 % columns);
        let value = matrix.narrow(0, row, 1)?.narrow(1, column, 1)?.to_dtype(DType::F32)?.flatten_all()?;
        found.extend(value.to_vec1::<f32>()?);
    }
    Ok(found)
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    let norm = (dot(a, a) * dot(b, b)).sqrt();
    if a.len() == b.len() && norm > 0.0 { dot(a, b) / norm } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::random::Random;

    fn matrix(seed: u64, noise: f64) -> Tensor {
        let (mut random, mut other) = (Random::new(&[seed]), Random::new(&[seed, 1]));
        let values: Vec<f32> =
            (0..40 * 8).map(|_| (random.uniform() - 0.5 + noise * (other.uniform() - 0.5)) as f32).collect();
        Tensor::from_vec(values, (40, 8), &Device::Cpu).unwrap()
    }

    fn identity(seed: u64, noise: f64, fingerprint: &str) -> BaseIdentity {
        let config = ModelConfig::llama([40, 8, 16, 2, 2], 64);
        BaseIdentity::of(&config, Some(fingerprint.into()), &matrix(seed, noise)).unwrap()
    }

    #[test]
    fn the_same_weights_are_known_again_whatever_they_are_stored_as() {
        let own = identity(1, 0.0, "a");
        assert_eq!(own.fit(&identity(1, 0.0, "a")), Fit::Same);
        assert_eq!(own.fit(&identity(1, 0.2, "b")), Fit::Alike, "as a quantised file is");
        assert!(matches!(own.fit(&identity(2, 0.0, "c")), Fit::Other(_)));
        let text = serde_json::to_string(&own).unwrap();
        assert_eq!(serde_json::from_str::<BaseIdentity>(&text).unwrap(), own);
    }

    #[test]
    fn another_size_is_another_model() {
        let own = identity(1, 0.0, "a");
        let config = ModelConfig::llama([40, 8, 16, 2, 2], 64);
        assert_eq!(own.differs_from(&config), None);
        let wide = ModelConfig { vocab_size: 41, ..config };
        assert_eq!(own.differs_from(&wide).unwrap(), "one with 40 token embeddings, not 41");
    }
}
