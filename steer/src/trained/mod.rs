//! Trained vectors: found by gradient instead of read from activations.
//!
//! Weights are frozen; one vector a layer is trained so that at coefficient c the model writes the output that belongs to c: at
//! −1 the copy, at 1 the full correction, in between what lies between ([`TrainingRow`]). What results is an ordinary
//! [`ControlVector`]. An Aligner inside a model is trained in the same way: where the start has networks, their matrices are the variables.
//!
//! Training starts at a vector that was read (its scale sets the unit of the learning rate) and ends at the step with the lowest loss on
//! development rows. Everything random is a function of seed and step, and [`Checkpoint`] holds the rest, so a training that was
//! stopped goes on as it would have.

mod checkpoint;
mod objective;
mod options;
mod rows;
#[cfg(test)]
mod tests;
mod variables;

use redline_model::train::{AdamW, Gradients, Moments, Parameter};
use redline_model::{Decoder, Error as ModelError, Kernels};

pub use checkpoint::Checkpoint;
pub use objective::Objective;
pub use options::VectorTraining;
pub use rows::{SteeredOutput, TrainingRow};
pub(crate) use variables::{SteeredRow, Variables};

use crate::{ControlVector, Error, Result, TokenRange};
use checkpoint::{Best, State};
use objective::{Loss, mean_loss};
use rows::Batches;

/// What a vector is trained with.
#[derive(Debug, Clone, Copy)]
pub struct VectorTrainingRun<'a> {
    /// The model, which does not change.
    pub decoder: &'a Decoder,
    /// Where training starts: its layers and site are those of the result.
    pub start: &'a ControlVector,
    /// Positions that are steered.
    pub range: TokenRange,
    /// What is minimised.
    pub objective: Objective,
    /// Rows to train on.
    pub rows: &'a [TrainingRow],
    /// Rows that decide which step is taken; of other questions.
    pub development: &'a [TrainingRow],
    /// The settings.
    pub options: &'a VectorTraining,
    /// Where the training is kept while it runs.
    pub checkpoint: Option<&'a Checkpoint>,
}

/// A step, as it is reported.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct VectorStep {
    /// Steps done.
    pub step: usize,
    /// Steps of the whole training.
    pub n_steps: usize,
    /// Loss of the step's batch.
    pub loss: f64,
    /// Mean loss a token on the development rows, where this step was evaluated.
    pub development_loss: Option<f64>,
}

/// A trained vector, and how it was come by.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainedVector {
    /// What one unit of coefficient adds.
    pub vector: ControlVector,
    /// Steps done.
    pub n_steps: usize,
    /// Steps after which the vector was as it is given: those with the lowest development loss.
    pub best_step: usize,
    /// Mean loss a token on the development rows at the start, in nats.
    pub start_loss: f64,
    /// The same at the best step.
    pub best_loss: f64,
}

/// Trains a vector. `on_step` is called after each step and can end the training with an error; what is done is kept in the checkpoint.
///
/// # Shapes
/// The vector is (width of the site) at each layer of the start.
///
/// # Errors
/// Settings out of range, no rows, a start that does not fit the model, a loss that is not finite, a checkpoint of another training, or
/// whatever `on_step` returns.
pub fn train_vector(
    run: &VectorTrainingRun<'_>,
    on_step: &mut dyn FnMut(&VectorStep) -> Result<()>,
) -> Result<TrainedVector> {
    run.options.check()?;
    run.start.check(run.decoder.config())?;
    for (what, rows) in [("rows to train a vector on", run.rows), ("development rows of a vector", run.development)] {
        if rows.is_empty() || rows.iter().any(|row| row.outputs.is_empty()) {
            return Err(Error::TooFew { what, got: 0, needed: 1 });
        }
    }
    let is_steered = |row: &TrainingRow| (0..row.n_tokens()).any(|at| run.range.contains(at, row.prompt.len()));
    if !run.rows.iter().any(is_steered) {
        return Err(Error::NoEffect { range: run.range.to_string() });
    }
    let differentiable = run.decoder.clone().with_kernels(Kernels::FusedDifferentiable)?;
    Training::new(run, &differentiable)?.finish(on_step)
}

/// What the names of variables at the best step begin with.
const KEPT: &str = "best.";

struct Training<'a> {
    run: &'a VectorTrainingRun<'a>,
    batches: Batches<'a>,
    variables: Variables,
    /// The variables as they were at the best step.
    kept: Variables,
    parameters: Vec<Parameter>,
    optimizer: AdamW,
    loss: Loss<'a>,
    state: State,
}

impl<'a> Training<'a> {
    fn new(run: &'a VectorTrainingRun<'a>, differentiable: &'a Decoder) -> Result<Self> {
        let scaled = || Variables::scaled(run.start, run.range, run.decoder.device());
        let (variables, kept) = (scaled()?, scaled()?);
        let parameters = variables.parameters("");
        let found: Option<(Vec<Moments>, State)> = match run.checkpoint {
            Some(checkpoint) => checkpoint.load(run, &parameters, &kept.parameters(KEPT))?,
            None => None,
        };
        let (optimizer, state) = match found {
            Some((moments, state)) => {
                (AdamW::resume(&parameters, run.options.optimizer(), moments, state.step)?, state)
            }
            None => {
                let start_loss = mean_loss(run.decoder, run.development, run.start, run.range)?;
                let best = Best { loss: start_loss, step: 0 };
                (AdamW::new(&parameters, run.options.optimizer()), State { step: 0, start_loss, best, since_best: 0 })
            }
        };
        let batches = Batches::new(run.rows, run.options.batch_rows, run.options.seed);
        let loss = Loss::new(run.objective, differentiable);
        Ok(Self { run, batches, variables, kept, parameters, optimizer, loss, state })
    }

    fn finish(mut self, on_step: &mut dyn FnMut(&VectorStep) -> Result<()>) -> Result<TrainedVector> {
        let options = self.run.options;
        let has_patience = |state: &State| options.patience.is_none_or(|patience| state.since_best < patience);
        while self.state.step < options.n_steps && has_patience(&self.state) {
            let loss = self.step()?;
            let step = self.state.step;
            let is_due = step == options.n_steps || step.is_multiple_of(options.evaluate_every);
            let development_loss = if is_due { Some(self.evaluate()?) } else { None };
            let reported = on_step(&VectorStep { step, n_steps: options.n_steps, loss, development_loss });
            if is_due || reported.is_err() {
                self.save()?;
            }
            reported?;
        }
        let State { step, start_loss, best, .. } = self.state;
        // at the start it is the start itself, not what its scales make of it
        let vector = if best.step == 0 { self.run.start.clone() } else { self.kept.vector()? };
        Ok(TrainedVector { vector, n_steps: step, best_step: best.step, start_loss, best_loss: best.loss })
    }

    fn step(&mut self) -> Result<f64> {
        let batch = self.batches.of_step(self.state.step);
        let loss = self.loss.of(&batch, &self.variables)?;
        let value = f64::from(loss.to_scalar::<f32>().map_err(ModelError::from)?);
        if !value.is_finite() {
            return Err(self.diverged());
        }
        let mut store = loss.backward().map_err(ModelError::from)?;
        let gradient = |parameter: &Parameter| match store.remove(&parameter.variable) {
            Some(gradient) => Ok(gradient),
            None => parameter.variable.zeros_like(),
        };
        let tensors: candle_core::Result<Vec<_>> = self.parameters.iter().map(gradient).collect();
        let gradients = Gradients { tensors: tensors.map_err(ModelError::from)? };
        let norm = gradients.norm()?;
        let rate = self.run.options.schedule().rate(self.state.step, self.run.options.n_steps);
        self.optimizer.update(&self.parameters, &gradients, norm, rate)?;
        self.state.step += 1;
        Ok(value)
    }

    /// Development loss of the vector as it is, which is kept where it is the best.
    fn evaluate(&mut self) -> Result<f64> {
        let vector = self.variables.vector().map_err(|_| self.diverged())?;
        let loss = mean_loss(self.run.decoder, self.run.development, &vector, self.run.range)?;
        if loss < self.state.best.loss {
            self.state.best = Best { loss, step: self.state.step };
            let kept = self.kept.parameters(KEPT);
            for (kept, now) in kept.iter().zip(&self.parameters) {
                kept.variable.set(&now.variable.copy().map_err(ModelError::from)?).map_err(ModelError::from)?;
            }
            self.state.since_best = 0;
        } else {
            self.state.since_best += 1;
        }
        Ok(loss)
    }

    /// Values that are not finite come of steps that are too long.
    fn diverged(&self) -> Error {
        let rate = self.run.options.learning_rate;
        Error::TrainingDiverged { step: self.state.step, learning_rate: rate }
    }

    fn save(&self) -> Result<()> {
        match self.run.checkpoint {
            Some(checkpoint) => {
                let (kept, moments) = (self.kept.parameters(KEPT), self.optimizer.moments());
                checkpoint.save(self.run, [&self.parameters, &kept], moments, &self.state)
            }
            None => Ok(()),
        }
    }
}
