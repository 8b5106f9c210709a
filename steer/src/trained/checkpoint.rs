//! A training of a vector at a step, in one file.

use std::path::PathBuf;

use redline_model::Error as ModelError;
use redline_model::files::hash_of;
use redline_model::train::checkpoint::{load_from, save_to};
use redline_model::train::{Moments, Parameter};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::VectorTrainingRun;
use super::rows::TrainingRow;
use crate::{ControlVector, Error, Result};

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

/// The lowest development loss so far; the variables of that step are kept beside those of the last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Best {
    pub(super) loss: f64,
    pub(super) step: usize,
}

impl Checkpoint {
    pub(super) fn save(
        &self,
        run: &VectorTrainingRun<'_>,
        [parameters, kept]: [&[Parameter]; 2],
        moments: &[Moments],
        state: &State,
    ) -> Result<()> {
        let zero = |parameter: &Parameter| vec![0.0; parameter.variable.elem_count()];
        let moments_of = |parameter: &Parameter| Moments { first: zero(parameter), second: zero(parameter) };
        let moments: Vec<Moments> = moments.iter().cloned().chain(kept.iter().map(moments_of)).collect();
        Ok(save_to(&self.path, &[parameters, kept].concat(), &moments, &self.settings(run), state)?)
    }

    /// Reads the file into the parameters and those kept of the best step, where there is one.
    pub(super) fn load(
        &self,
        run: &VectorTrainingRun<'_>,
        parameters: &[Parameter],
        kept: &[Parameter],
    ) -> Result<Option<(Vec<Moments>, State)>> {
        if !self.path.exists() {
            return Ok(None);
        }
        let found = load_from(&self.path, &[parameters, kept].concat(), &self.settings(run));
        let of_parameters = |(mut moments, state): (Vec<Moments>, State)| {
            moments.truncate(parameters.len());
            Some((moments, state))
        };
        found.map(of_parameters).map_err(|error| match error {
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
            "layers or pairs": hash(values(run.start).map(|value| value.to_bits())),
            "goal or rows to train on": rows_hash(run.rows),
            "goal or development rows": rows_hash(run.development),
            "options": run.options,
        })
    }
}

/// All values of what training starts at.
fn values(start: &ControlVector) -> impl Iterator<Item = f32> {
    let networks = start.inside.values().flat_map(|block| block.down().iter().chain(block.up()));
    start.layers.values().flatten().chain(networks).copied()
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
