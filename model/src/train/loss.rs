//! Cross entropy of the output and its end token; the prompt is masked.
//!
//! The loss of a step is the mean over all counted tokens of its batch, however the batch is cut into pieces.

mod cross_entropy;

use candle_core::Tensor;

use super::bytes::tensor_values;
use super::{Example, Parameters};
use crate::{Chunk, Decoder, Error, NoHook, Past, Result, Wanted};

/// The gradient of every trained parameter, in their order, summed over the pieces of a batch.
#[derive(Debug)]
pub struct Gradients {
    /// One tensor a parameter.
    pub tensors: Vec<Tensor>,
}

/// A batch's loss and its gradients.
#[derive(Debug)]
pub struct BatchLoss {
    /// Mean over the counted tokens.
    pub loss: f64,
    /// Counted tokens.
    pub n_counted: usize,
    /// Its derivative by every trained parameter.
    pub gradients: Gradients,
}

/// The sum of −ln p over the counted tokens of the examples, times `scale`: one differentiable number.
///
/// # Errors
/// No examples, or as [`Decoder::forward`].
pub fn correction_loss(decoder: &Decoder, examples: &[&Example], scale: f64) -> Result<Tensor> {
    let mut lines = Vec::new();
    let mut targets = Vec::new();
    let mut start = 0;
    for example in examples {
        let read = example.tokens.len() - 1;
        lines.extend((example.prompt_len - 1..read).map(|position| (start + position) as u32));
        targets.extend_from_slice(&example.tokens[example.prompt_len..]);
        start += read;
    }
    let mut chunks: Vec<Chunk<'_>> = examples
        .iter()
        .map(|example| Chunk {
            tokens: &example.tokens[..example.tokens.len() - 1],
            past: Past::None { row: example.row },
        })
        .collect();
    let vocab_size = decoder.config().vocab_size;
    if let Some(&id) = targets.iter().find(|&&id| id as usize >= vocab_size) {
        return Err(Error::TokenOutOfRange { id, vocab_size });
    }
    let states = decoder.forward(&mut chunks, &mut NoHook, &Wanted::Lines(lines))?;
    let states = states.filter(|states| states.elem_count() > 0).ok_or_else(|| Error::Request {
        what: "training batch",
        got: "no counted tokens".into(),
        expected: "at least one".into(),
    })?;
    cross_entropy::scaled_sum(&decoder.logits(&states)?, targets, scale)
}

/// Loss and gradients of a batch, in `n_pieces` passes of about as many rows each: more pieces need less memory.
///
/// # Errors
/// As [`correction_loss`].
pub fn batch_loss(
    parameters: &Parameters,
    batch: &[&Example],
    n_pieces: usize,
    dropout_seed: Option<u64>,
) -> Result<BatchLoss> {
    let n_counted: usize = batch.iter().map(|example| example.n_counted()).sum();
    let mut loss = 0.0;
    let mut sums: Vec<Option<Tensor>> = vec![None; parameters.trained().len()];
    let piece_rows = batch.len().div_ceil(n_pieces.max(1)).max(1);
    for (piece, examples) in batch.chunks(piece_rows).enumerate() {
        let decoder = parameters.training_decoder(dropout_seed.map(|seed| seed.wrapping_add(piece as u64)))?;
        let part = correction_loss(&decoder, examples, 1.0 / n_counted.max(1) as f64)?;
        loss += f64::from(part.to_scalar::<f32>()?);
        let mut store = part.backward()?;
        for (sum, parameter) in sums.iter_mut().zip(parameters.trained()) {
            let Some(gradient) = store.remove(&parameter.variable) else { continue };
            *sum = Some(match sum.take() {
                None => gradient.contiguous()?,
                Some(sum) => (sum + gradient)?,
            });
        }
    }
    let zero = |(sum, parameter): (Option<Tensor>, &super::parameters::Parameter)| -> Result<Tensor> {
        Ok(sum.map_or_else(|| parameter.variable.zeros_like(), Ok)?)
    };
    let tensors = sums.into_iter().zip(parameters.trained()).map(zero).collect::<Result<_>>()?;
    Ok(BatchLoss { loss, n_counted, gradients: Gradients { tensors } })
}

/// Mean loss over the counted tokens of all examples, without gradients.
///
/// # Errors
/// As [`correction_loss`].
pub fn mean_loss(decoder: &Decoder, examples: &[Example], batch_rows: usize) -> Result<f64> {
    let mut sum = 0.0;
    let all: Vec<&Example> = examples.iter().collect();
    for part in all.chunks(batch_rows.max(1)) {
        sum += f64::from(correction_loss(decoder, part, 1.0)?.to_scalar::<f32>()?);
    }
    Ok(sum / examples.iter().map(Example::n_counted).sum::<usize>().max(1) as f64)
}

impl Gradients {
    /// √Σ g² over all parameters.
    ///
    /// # Errors
    /// As the tensor library reports.
    pub fn norm(&self) -> Result<f64> {
        use rayon::prelude::*;
        // parts of a fixed size, added in order: the same sum for any number of threads
        let square = |part: &[f32]| part.iter().map(|g| f64::from(*g) * f64::from(*g)).sum::<f64>();
        let mut sum = 0.0;
        for tensor in &self.tensors {
            let values = tensor_values(tensor)?;
            sum += values.par_chunks(1 << 15).map(square).collect::<Vec<f64>>().iter().sum::<f64>();
        }
        Ok(sum.sqrt())
    }
}
