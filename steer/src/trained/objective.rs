//! What a training minimises, as one number a step that gradients flow back from.

use std::collections::HashMap;

use candle_core::Tensor;
use redline_model::train::loss::correction_loss;
use redline_model::{Decoder, Hook, NoHook};
use serde::{Deserialize, Serialize};

use super::rows::TrainingRow;
use super::variables::{SteeredRow, Variables};
use crate::{ControlVector, Inject, Result, RowSteering, TokenRange};

/// What is minimised. w is the output that belongs to the coefficient c, l the one that belongs to the other sign; |y| counts tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Objective {
    /// −log p(w | c), a mean over the tokens of a step. Outputs of many coefficients grade the dial, two make its poles.
    #[default]
    Likelihood,
    /// Bi-directional preference optimisation (Cao et al. 2024, arXiv 2406.00045):
    /// −log σ(β [log p(w | c) − log p(w | 0) − log p(l | c) + log p(l | 0)]), β = 0.1.
    Bipo,
    /// Reference-free preference steering (Wu et al. 2025, arXiv 2505.20809), by signs of the coefficient instead of erasure:
    /// −log σ(b log p(w | c) / |w| − log p(l | c) / |l|) with b = max(log p(l | 0) − log p(w | 0), 1).
    Reps,
}

redline_model::named_enum! {
    "objective", Objective { Likelihood = "likelihood", Bipo = "bipo", Reps = "reps" }
}

/// β of [`Objective::Bipo`].
const BIPO_BETA: f64 = 0.1;

/// A row, shown at the coefficient of one of its outputs.
pub(super) type Shown<'a> = (&'a TrainingRow, usize);

/// Computes losses, with what they need of the unsteered model.
pub(super) struct Loss<'a> {
    pub(super) objective: Objective,
    /// Whose operations gradients flow through.
    pub(super) differentiable: &'a Decoder,
    /// log p of outputs without steering, by their tokens' place in memory.
    unsteered: HashMap<*const u32, f64>,
}

impl<'a> Loss<'a> {
    pub(super) fn new(objective: Objective, differentiable: &'a Decoder) -> Self {
        Self { objective, differentiable, unsteered: HashMap::new() }
    }

    /// The loss of a step: a mean over tokens, or over preferences.
    pub(super) fn of(&mut self, batch: &[Shown<'_>], variables: &Variables) -> Result<Tensor> {
        if self.objective == Objective::Likelihood {
            let mut hook = variables.hook(steered_rows(batch));
            return likelihood(self.differentiable, batch, &mut hook);
        }
        let margins = batch.iter().map(|&(row, wanted)| self.margin(row, wanted, variables));
        let margins = margins.collect::<Result<Vec<_>>>()?;
        Ok(mean_preference(&margins)?)
    }

    /// By how much the wanted output is preferred at its coefficient: the argument of σ.
    fn margin(&mut self, row: &TrainingRow, wanted: usize, variables: &Variables) -> Result<Tensor> {
        let unwanted = opposite(row, wanted)?;
        let coefficient = row.outputs[wanted].coefficient;
        let steered = |output: usize| -> Result<Tensor> {
            let of_row = SteeredRow { coefficient, prompt_len: row.prompt.len() };
            let mut hook = variables.hook([(0, of_row)].into());
            log_prob(self.differentiable, row, output, &mut hook)
        };
        let (w, l) = (steered(wanted)?, steered(unwanted)?);
        let (w0, l0) = (self.unsteered(row, wanted)?, self.unsteered(row, unwanted)?);
        let n_tokens = |output: usize| row.outputs[output].tokens.len() as f64;
        // of w, of l, and what is added
        let [of_w, of_l, constant] = match self.objective {
            Objective::Reps => [(l0 - w0).max(1.0) / n_tokens(wanted), -1.0 / n_tokens(unwanted), 0.0],
            _ => [BIPO_BETA, -BIPO_BETA, -BIPO_BETA * (w0 - l0)],
        };
        Ok(weighted(&w, of_w, &l, of_l, constant)?)
    }

    fn unsteered(&mut self, row: &TrainingRow, output: usize) -> Result<f64> {
        let key = row.outputs[output].tokens.as_ptr();
        if let Some(&known) = self.unsteered.get(&key) {
            return Ok(known);
        }
        let found = log_prob(self.differentiable, row, output, &mut NoHook)?;
        let found = f64::from(found.to_scalar::<f32>().map_err(redline_model::Error::from)?);
        self.unsteered.insert(key, found);
        Ok(found)
    }
}

/// a · of_a + b · of_b + constant.
fn weighted(a: &Tensor, of_a: f64, b: &Tensor, of_b: f64, constant: f64) -> redline_model::Result<Tensor> {
    Ok((((a * of_a)? + (b * of_b)?)? + constant)?)
}

/// The mean of −log σ(m) = max(−m, 0) + log(1 + e^−|m|) over margins, which no margin overflows.
fn mean_preference(margins: &[Tensor]) -> redline_model::Result<Tensor> {
    let loss = |margin: &Tensor| -> redline_model::Result<Tensor> {
        let bend = (margin.abs()?.neg()?.exp()? + 1.0)?.log()?;
        Ok((margin.neg()?.relu()? + bend)?)
    };
    let losses = margins.iter().map(loss).collect::<redline_model::Result<Vec<_>>>()?;
    Ok(Tensor::stack(&losses, 0)?.mean_all()?)
}

/// Mean −log p of the outputs' tokens at their coefficients, in nats, without gradients: what development rows are judged by, whatever
/// is minimised.
pub(super) fn mean_loss(
    decoder: &Decoder,
    rows: &[TrainingRow],
    vector: &ControlVector,
    range: TokenRange,
) -> Result<f64> {
    let (mut sum, mut n_tokens) = (0.0, 0);
    let mut inject = Inject::new(&[vector], range, decoder.config())?;
    for row in rows {
        let batch: Vec<Shown<'_>> = (0..row.outputs.len()).map(|output| (row, output)).collect();
        inject.clear_rows();
        for (i, of_row) in steered_rows(&batch) {
            inject.steer(i, RowSteering::new(0, of_row.coefficient, of_row.prompt_len))?;
        }
        let counted: usize = row.outputs.iter().map(|output| output.tokens.len()).sum();
        let mean = likelihood(decoder, &batch, &mut inject)?.to_scalar::<f32>().map_err(redline_model::Error::from)?;
        sum += f64::from(mean) * counted as f64;
        n_tokens += counted;
    }
    Ok(sum / n_tokens.max(1) as f64)
}

fn steered_rows(batch: &[Shown<'_>]) -> HashMap<usize, SteeredRow> {
    let of_row = |(i, (row, output)): (usize, &Shown<'_>)| {
        (i, SteeredRow { coefficient: row.outputs[*output].coefficient, prompt_len: row.prompt.len() })
    };
    batch.iter().enumerate().map(of_row).collect()
}

/// Mean −log p of the tokens of a step.
fn likelihood(decoder: &Decoder, batch: &[Shown<'_>], hook: &mut dyn Hook) -> Result<Tensor> {
    let examples: Vec<_> = batch.iter().enumerate().map(|(i, (row, output))| row.example(*output, i)).collect();
    let n_counted: usize = examples.iter().map(redline_model::train::Example::n_counted).sum();
    let scale = 1.0 / n_counted.max(1) as f64;
    Ok(correction_loss(decoder, &examples.iter().collect::<Vec<_>>(), scale, hook)?)
}

/// log p of one output, as row 0.
fn log_prob(decoder: &Decoder, row: &TrainingRow, output: usize, hook: &mut dyn Hook) -> Result<Tensor> {
    Ok(correction_loss(decoder, &[&row.example(output, 0)], -1.0, hook)?)
}

/// The output that belongs to the other sign: the one whose coefficient is nearest to the opposite.
fn opposite(row: &TrainingRow, wanted: usize) -> Result<usize> {
    let sought = -row.outputs[wanted].coefficient;
    let distance = |output: usize| (row.outputs[output].coefficient - sought).abs();
    let others = (0..row.outputs.len()).filter(|&output| output != wanted);
    let nearest = others.min_by(|&a, &b| distance(a).total_cmp(&distance(b)));
    nearest.ok_or(crate::Error::TooFew { what: "outputs of a preference", got: row.outputs.len(), needed: 2 })
}
