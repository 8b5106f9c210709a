//! Cross entropy of the output and its end token; the prompt is masked.
//!
//! The loss of a step is the mean over all counted tokens of its batch, however the batch is cut into pieces.

mod checkpointed;
pub(super) mod cross_entropy;

use candle_core::Tensor;
use candle_core::backprop::GradStore;

use super::bytes::tensor_values;
use super::{Example, Parameters, Precision};
use crate::{Chunk, Decoder, Error, Hook, NoHook, Past, Result, Wanted};

/// The gradient of every trained parameter, in their order, summed over the pieces of a batch.
#[derive(Debug, Clone)]
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

/// What a pass over texts reads, and the lines of it that a loss is computed from.
pub(super) struct Reads<'a> {
    pub(super) chunks: Vec<Chunk<'a>>,
    pub(super) lines: Vec<u32>,
}

/// What a pass over examples reads, and what it shall say.
pub(super) struct Task<'a> {
    pub(super) reads: Reads<'a>,
    /// The next token of each line.
    pub(super) targets: Vec<u32>,
}

impl<'a> Task<'a> {
    pub(super) fn new(decoder: &Decoder, examples: &[&'a Example]) -> Result<Self> {
        let mut lines = Vec::new();
        let mut targets = Vec::new();
        let mut start = 0;
        for example in examples {
            let read = example.tokens.len() - 1;
            lines.extend((example.prompt_len - 1..read).map(|position| (start + position) as u32));
            targets.extend_from_slice(&example.tokens[example.prompt_len..]);
            start += read;
        }
        let chunk = |example: &&'a Example| Chunk {
            tokens: &example.tokens[..example.tokens.len() - 1],
            past: Past::None { row: example.row },
        };
        let vocab_size = decoder.config().vocab_size;
        if let Some(&id) = targets.iter().find(|&&id| id as usize >= vocab_size) {
            return Err(Error::TokenOutOfRange { id, vocab_size });
        }
        if targets.is_empty() {
            let (got, expected) = ("no counted tokens".into(), "at least one".into());
            return Err(Error::Request { what: "training batch", got, expected });
        }
        Ok(Self { reads: Reads { chunks: examples.iter().map(chunk).collect(), lines }, targets })
    }
}

/// The sum of −ln p over the counted tokens of the examples, times `scale`: one differentiable number, also by what `hook` adds.
///
/// # Shapes
/// A scalar, ().
///
/// # Errors
/// No examples, or as [`Decoder::forward`].
pub fn correction_loss(decoder: &Decoder, examples: &[&Example], scale: f64, hook: &mut dyn Hook) -> Result<Tensor> {
    let Task { reads, targets } = Task::new(decoder, examples)?;
    cross_entropy::scaled_sum(&decoder.logits(&states(decoder, reads, hook)?)?, targets, scale)
}

/// The last states of the lines that are read, before the output projection.
pub(super) fn states(decoder: &Decoder, reads: Reads<'_>, hook: &mut dyn Hook) -> Result<Tensor> {
    let Reads { mut chunks, lines } = reads;
    let states = decoder.forward(&mut chunks, hook, &Wanted::Lines(lines))?;
    states.ok_or_else(|| Error::Request {
        what: "training batch",
        got: "no counted tokens".into(),
        expected: "at least one".into(),
    })
}

/// From the last states of a pass to one differentiable number.
pub(super) type Head<'a> = &'a mut dyn FnMut(&Tensor) -> Result<Tensor>;

/// Adds the gradients of a pass's loss to the sums and returns that loss.
pub(super) fn add_gradients(
    decoder: &Decoder,
    reads: Reads<'_>,
    head: Head<'_>,
    checkpointing: bool,
    sums: &mut GradientSums<'_>,
) -> Result<f64> {
    if checkpointing {
        return checkpointed::add_gradients(decoder, reads, head, sums);
    }
    let loss = head(&states(decoder, reads, &mut NoHook)?)?;
    sums.add(&mut loss.backward()?)?;
    Ok(f64::from(loss.to_scalar::<f32>()?))
}

/// How a batch's gradients are computed: choices of memory, time and rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GradientOptions {
    /// Passes of about as many rows each: more need less memory.
    pub n_pieces: usize,
    /// Keep only the inputs of blocks, and compute the blocks again on the way back (Chen et al. 2016).
    pub checkpointing: bool,
    /// What the passes compute in.
    pub precision: Precision,
}

impl Default for GradientOptions {
    fn default() -> Self {
        Self { n_pieces: 1, checkpointing: false, precision: Precision::F32 }
    }
}

/// Loss and gradients of a batch.
///
/// # Errors
/// As [`correction_loss`].
pub fn batch_loss(
    parameters: &Parameters,
    batch: &[&Example],
    options: GradientOptions,
    dropout_seed: Option<u64>,
) -> Result<BatchLoss> {
    let n_counted: usize = batch.iter().map(|example| example.n_counted()).sum();
    let scale = 1.0 / n_counted.max(1) as f64;
    let mut loss = 0.0;
    let mut sums = GradientSums::new(parameters);
    let piece_rows = batch.len().div_ceil(options.n_pieces.max(1)).max(1);
    for (piece, examples) in batch.chunks(piece_rows).enumerate() {
        let dropout_seed = dropout_seed.map(|seed| seed.wrapping_add(piece as u64));
        let decoder = parameters.training_decoder(dropout_seed, options.precision)?;
        let Task { reads, targets } = Task::new(&decoder, examples)?;
        let head: Head<'_> = &mut |states| cross_entropy::scaled_sum(&decoder.logits(states)?, targets.clone(), scale);
        loss += add_gradients(&decoder, reads, head, options.checkpointing, &mut sums)?;
    }
    Ok(BatchLoss { loss, n_counted, gradients: sums.finish()? })
}

/// Gradients of trained parameters, summed as passes give them.
pub(super) struct GradientSums<'a> {
    parameters: &'a Parameters,
    sums: Vec<Option<Tensor>>,
}

impl<'a> GradientSums<'a> {
    pub(super) fn new(parameters: &'a Parameters) -> Self {
        Self { parameters, sums: vec![None; parameters.trained().len()] }
    }

    /// Takes the parameters' gradients out of `store`.
    fn add(&mut self, store: &mut GradStore) -> Result<()> {
        for (sum, parameter) in self.sums.iter_mut().zip(self.parameters.trained()) {
            let Some(gradient) = store.remove(&parameter.variable) else { continue };
            *sum = Some(match sum.take() {
                None => gradient.contiguous()?,
                Some(sum) => (sum + gradient)?,
            });
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Gradients> {
        let zero = |(sum, parameter): (Option<Tensor>, &super::parameters::Parameter)| -> Result<Tensor> {
            Ok(sum.map_or_else(|| parameter.variable.zeros_like(), Ok)?)
        };
        let tensors = self.sums.into_iter().zip(self.parameters.trained()).map(zero).collect::<Result<_>>()?;
        Ok(Gradients { tensors })
    }
}

/// Mean loss over the counted tokens of all examples, without gradients.
///
/// # Errors
/// As [`correction_loss`].
pub fn mean_loss(decoder: &Decoder, examples: &[Example], batch_rows: usize) -> Result<f64> {
    let mut sum = 0.0;
    let all: Vec<&Example> = examples.iter().collect();
    for part in all.chunks(batch_rows.max(1)) {
        sum += f64::from(correction_loss(decoder, part, 1.0, &mut NoHook)?.to_scalar::<f32>()?);
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
