//! Which rows every step of a run reads: identity warm-up, then corrections.

use serde::{Deserialize, Serialize};

use super::batch::epoch_batches;
use super::example::{ExampleReader, Output, draw_share, fingerprint};
use super::{Example, TrainData, TrainOptions};
use crate::{Error, Qac, Result};

/// The part of a run that a step belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Question, answer → the answer itself.
    Identity,
    /// Question, answer → correction.
    Correction,
    /// A chosen and a rejected completion.
    Pairs,
    /// Completions that the model wrote itself, with rewards.
    Policy,
}

/// The batches of a run, each a pure function of its step.
#[derive(Debug)]
pub struct Plan {
    identity: Vec<Example>,
    corrections: Vec<Example>,
    n_identity_steps: usize,
    n_steps: usize,
    batch_rows: usize,
    seed: u64,
    /// The epoch whose batches were made last.
    current: Option<(Phase, usize, Vec<Vec<usize>>)>,
}

impl Plan {
    /// Reads the rows.
    ///
    /// # Errors
    /// [`Error::NoRows`] when a phase has no rows that are short enough.
    pub fn new(data: &TrainData<'_>, reader: &ExampleReader<'_>, options: &TrainOptions) -> Result<Self> {
        let identity = identity_examples(data, reader, options)?;
        let has_corrections = options.epochs > 0 || options.n_steps.is_some();
        let corrections = if has_corrections {
            reader.read_instructed("training", data.rows, data.instructions, Output::Correction)?
        } else {
            Vec::new()
        };
        let batches = |examples: &[Example]| examples.len().div_ceil(options.batch_rows);
        let n_identity_steps = options.identity_epochs.saturating_mul(batches(&identity));
        let n_steps = options
            .n_steps
            .unwrap_or(n_identity_steps.saturating_add(options.epochs.saturating_mul(batches(&corrections))));
        let (batch_rows, seed) = (options.batch_rows, options.seed);
        let n_identity_steps = n_identity_steps.min(n_steps);
        Ok(Self { identity, corrections, n_identity_steps, n_steps, batch_rows, seed, current: None })
    }

    /// Steps of the whole run.
    pub fn n_steps(&self) -> usize {
        self.n_steps
    }

    /// Steps of the identity warm-up.
    pub fn n_identity_steps(&self) -> usize {
        self.n_identity_steps
    }

    /// Rows of both phases that are short enough: identity, corrections.
    pub fn n_examples(&self) -> (usize, usize) {
        (self.identity.len(), self.corrections.len())
    }

    /// The phase of a step.
    pub fn phase(&self, step: usize) -> Phase {
        if step < self.n_identity_steps { Phase::Identity } else { Phase::Correction }
    }

    /// The rows of a step.
    pub fn batch(&mut self, step: usize) -> Vec<&Example> {
        let phase = self.phase(step);
        let (examples, within) = match phase {
            Phase::Identity => (&self.identity, step),
            Phase::Correction | Phase::Pairs | Phase::Policy => (&self.corrections, step - self.n_identity_steps),
        };
        let n_batches = examples.len().div_ceil(self.batch_rows).max(1);
        let epoch = within / n_batches;
        if !matches!(&self.current, Some((p, e, _)) if *p == phase && *e == epoch) {
            let lengths: Vec<usize> = examples.iter().map(|example| example.tokens.len()).collect();
            let key = 2 * epoch as u64 + u64::from(phase == Phase::Correction);
            self.current = Some((phase, epoch, epoch_batches(&lengths, self.batch_rows, self.seed, key)));
        }
        let batches = self.current.as_ref().map(|(_, _, batches)| batches.as_slice()).unwrap_or_default();
        let batch = batches.get(within % n_batches);
        batch.map(|rows| rows.iter().map(|&i| &examples[i]).collect()).unwrap_or_default()
    }

    /// SHA-256 over the tokens of all rows: two runs with equal settings and sums read the same.
    pub fn data_fingerprint(&self) -> String {
        fingerprint(self.identity.iter().chain(&self.corrections))
    }
}

/// The rows given for it, or a share of the training rows.
fn identity_examples(data: &TrainData<'_>, reader: &ExampleReader<'_>, options: &TrainOptions) -> Result<Vec<Example>> {
    if let Some(rows) = data.identity_rows {
        return reader.read("identity warm-up", rows, Output::Answer);
    }
    let drawn = draw_share(data.rows, options.identity_share, options.seed);
    if options.identity_share == 0.0 {
        return Ok(Vec::new());
    }
    let rows: Vec<Qac> = drawn.iter().map(|(_, qac)| (*qac).clone()).collect();
    let mut examples = match reader.read("identity warm-up", &rows, Output::Answer) {
        // a small share of few rows may round to none
        Err(Error::NoRows { given: 0, .. }) => return Ok(Vec::new()),
        examples => examples?,
    };
    examples.iter_mut().for_each(|example| example.row = drawn[example.row].0);
    Ok(examples)
}
