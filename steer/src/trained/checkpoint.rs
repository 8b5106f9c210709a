//! A training of a vector at a step, in one file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use redline_model::Error as ModelError;
use redline_model::files::hash_of;
use redline_model::train::checkpoint::{load_from, save_to};
use redline_model::train::{Moments, Parameter};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::VectorTrainingRun;
use super::rows::TrainingRow;
use crate::{Error, Result};

/// Where a training is kept while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The file; a training of the same settings goes on from it.
    pub path: PathBuf,
    /// SHA-256 of the model's weights.
    pub model_hash: String,
}

/// Where a training stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) step: usize,
    /// Development loss before the first step.
    pub(super) start_loss: f64,
    pub(super) best: Best,
    /// Evaluations since the best.
    pub(super) since_best: usize,
}

/// The vector with the lowest development loss so far.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Best {
    pub(super) loss: f64,
    pub(super) step: usize,
    pub(super) layers: BTreeMap<usize, Vec<f32>>,
}

impl Checkpoint {
    pub(super) fn save(
        &self,
        run: &VectorTrainingRun<'_>,
        parameters: &[Parameter],
        moments: &[Moments],
        state: &State,
    ) -> Result<()> {
        Ok(save_to(&self.path, parameters, moments, &self.settings(run), state)?)
    }

    /// Reads the file into the parameters, where there is one.
    pub(super) fn load(
        &self,
        run: &VectorTrainingRun<'_>,
        parameters: &[Parameter],
    ) -> Result<Option<(Vec<Moments>, State)>> {
        if !self.path.exists() {
            return Ok(None);
        }
        let kept = load_from(&self.path, parameters, &self.settings(run));
        kept.map(Some).map_err(|error| match error {
            ModelError::CheckpointMismatch { field, got, expected, .. } => {
                // hashes say nothing to people
                let values = if got.len() > 40 { String::new() } else { format!(" ({got} there, {expected} here)") };
                Error::TrainingNotContinued { path: self.path.clone(), reason: format!("other {field}{values}") }
            }
            error => Error::TrainingNotContinued { path: self.path.clone(), reason: error.to_string() },
        })
    }

    /// All that the result depends on.
    fn settings(&self, run: &VectorTrainingRun<'_>) -> Value {
        json!({
            "model": self.model_hash,
            "range": run.range.to_string(),
            "objective": run.objective,
            "site": run.start.site.to_string(),
            "layers or pairs": hash(run.start.layers.values().flatten().map(|value| value.to_bits())),
            "goal or rows to train on": rows_hash(run.rows),
            "goal or development rows": rows_hash(run.development),
            "options": run.options,
        })
    }
}

fn rows_hash(rows: &[TrainingRow]) -> String {
    let words = rows.iter().flat_map(|row| {
        let outputs = row.outputs.iter().flat_map(|output| {
            let head = [output.coefficient.to_bits(), output.tokens.len() as u32];
            head.into_iter().chain(output.tokens.iter().copied())
        });
        std::iter::once(row.prompt.len() as u32).chain(row.prompt.iter().copied()).chain(outputs)
    });
    hash(words)
}

fn hash(words: impl Iterator<Item = u32>) -> String {
    hash_of(&words.flat_map(u32::to_le_bytes).collect::<Vec<u8>>())
}
