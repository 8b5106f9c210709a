//! Reward and cost models: a decoder with a scalar head, read at the last token of a text.

use std::path::Path;

use candle_core::{DType, Device, Tensor};

use crate::model::ModelFiles;
use crate::train::Example;
use crate::train::parameters::SCORE;
use crate::train::preference::rewards;
use crate::{Error, Model, Result};

/// A loaded reward or cost model.
pub struct RewardModel {
    /// The network and its tokenizer.
    pub model: Model,
    score: Tensor, // (1, hidden_size)
}

impl RewardModel {
    /// Loads a Hugging Face folder that holds a scalar head.
    ///
    /// # Errors
    /// As [`Model::load`]; [`Error::TensorMissing`] for a folder without a head, [`Error::TensorShape`] for one with several outputs.
    pub fn load(path: &Path) -> Result<Self> {
        let files = ModelFiles::open(path)?;
        let width = files.config.hidden_size;
        let missing = || Error::TensorMissing { path: path.into(), tensor: SCORE.into() };
        let head = files.weights.scalar_head().ok_or_else(missing)?;
        let score = files.weights.tensor(head, &[1, width], &files.config)?;
        let score = score.to_dtype(DType::F32)?.to_device(&Device::Cpu)?;
        Ok(Self { model: Model::from_files(path, files)?, score })
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
