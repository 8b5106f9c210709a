//! Passes over pairs: from tokens to numbers, and from their derivatives back to gradients.

use candle_core::{DType, Tensor};

use super::Pair;
use super::objective::{Completion, PairLoss, PreferenceOptions};
use super::score::{ScoreLoss, ScorePair};
use crate::train::loss::{GradientOptions, GradientSums, Reads, Task, add_gradients, cross_entropy, states};
use crate::train::{Example, Gradients, Parameters};
use crate::{Chunk, Decoder, Error, NoHook, Past, Result};

/// A batch of pairs: its loss, the gradients of it, and what each pair came to.
#[derive(Debug, Clone)]
pub struct PairBatch<T> {
    /// Mean over the pairs.
    pub loss: f64,
    /// Its derivative by every trained parameter.
    pub gradients: Gradients,
    /// Pair by pair.
    pub pairs: Vec<T>,
    /// The number of the chosen and of the rejected completion of each pair: Σ ln π, or the score.
    pub numbers: Vec<[f64; 2]>,
}

/// Σ ln p of the output of each example, its end token among it.
///
/// # Errors
/// As [`Decoder::forward`].
pub fn sequence_log_probs(decoder: &Decoder, examples: &[&Example]) -> Result<Vec<f64>> {
    let Task { reads, targets } = Task::new(decoder, examples)?;
    let logits = decoder.logits(&states(decoder, reads, &mut NoHook)?)?;
    Ok(sums(examples, &cross_entropy::log_probs(&logits, &targets)?))
}

/// The sums over the counted tokens of each example.
pub(super) fn sums(examples: &[&Example], tokens: &[f64]) -> Vec<f64> {
    let mut rest = tokens;
    let mut sum = |example: &&Example| {
        let (own, after) = rest.split_at(example.n_counted());
        rest = after;
        own.iter().sum()
    };
    examples.iter().map(&mut sum).collect()
}

/// Loss and gradients of pairs by their log-probabilities; `reference` holds those of the reference, chosen and rejected, for each pair.
///
/// # Errors
/// No pairs, other numbers of references than pairs, or as [`Decoder::forward`].
pub fn pair_gradients(
    parameters: &Parameters,
    pairs: &[&Pair],
    reference: &[[f64; 2]],
    options: &PreferenceOptions,
    how: GradientOptions,
    dropout_seed: Option<u64>,
) -> Result<PairBatch<PairLoss>> {
    check_counts(pairs.len(), reference.len())?;
    let mut found = Found::new(parameters, pairs.len());
    for (piece, part) in found.pieces(pairs, how).into_iter().enumerate() {
        let decoder = parameters.training_decoder(piece_seed(dropout_seed, piece), how.precision)?;
        let examples: Vec<&Example> = part.iter().flat_map(|pair| pair.both()).collect();
        let Task { reads, targets } = Task::new(&decoder, &examples)?;
        let reference = &reference[found.pairs.len()..][..part.len()];
        let (mut losses, mut numbers) = (Vec::new(), Vec::new());
        let scale = 1.0 / pairs.len() as f64;
        let mut head = |states: &Tensor| {
            let logits = decoder.logits(states)?;
            let policy = sums(&examples, &cross_entropy::log_probs(&logits, &targets)?);
            let mut weights = Vec::with_capacity(targets.len());
            for ((pair, policy), reference) in part.iter().zip(policy.chunks_exact(2)).zip(reference) {
                let of = |place: usize| Completion {
                    policy: policy[place],
                    reference: reference[place],
                    n_tokens: pair.both()[place].n_counted(),
                };
                let loss = options.pair(of(0), of(1));
                for (by, example) in loss.by_policy.iter().zip(pair.both()) {
                    // a token's own loss is −ln p
                    weights.resize(weights.len() + example.n_counted(), (-scale * by) as f32);
                }
                numbers.push([policy[0], policy[1]]);
                losses.push(loss);
            }
            cross_entropy::weighted_sum(&logits, targets.clone(), weights)
        };
        add_gradients(&decoder, reads, &mut head, how.checkpointing, &mut found.sums)?;
        found.add(losses, numbers);
    }
    found.finish(|pair| pair.loss)
}

/// The score of each text, read at its last token.
///
/// # Shapes
/// `score` (1, hidden_size); one number a text.
///
/// # Errors
/// No texts, or as [`Decoder::forward`].
pub fn rewards(decoder: &Decoder, score: &Tensor, examples: &[&Example]) -> Result<Vec<f64>> {
    let states = states(decoder, last_tokens(examples), &mut NoHook)?;
    numbers(&scored(&states, score)?)
}

/// The last state of each text, which a scalar head reads.
///
/// # Shapes
/// (texts, hidden_size)
///
/// # Errors
/// No texts, or as [`Decoder::forward`].
pub fn last_states(decoder: &Decoder, examples: &[&Example]) -> Result<Tensor> {
    Ok(states(decoder, last_tokens(examples), &mut NoHook)?.to_dtype(DType::F32)?)
}

/// Loss and gradients of pairs by their scores.
///
/// # Errors
/// Parameters without a scalar head, no pairs, or as [`Decoder::forward`].
pub fn reward_gradients(
    parameters: &Parameters,
    pairs: &[&Pair],
    loss: &ScoreLoss,
    how: GradientOptions,
    dropout_seed: Option<u64>,
) -> Result<PairBatch<ScorePair>> {
    check_counts(pairs.len(), pairs.len())?;
    let score = parameters.score().ok_or_else(|| Error::Request {
        what: "model to score with",
        got: "no scalar head".into(),
        expected: "one with `score.weight`".into(),
    })?;
    let mut found = Found::new(parameters, pairs.len());
    for (piece, part) in found.pieces(pairs, how).into_iter().enumerate() {
        let decoder = parameters.training_decoder(piece_seed(dropout_seed, piece), how.precision)?;
        let examples: Vec<&Example> = part.iter().flat_map(|pair| pair.both()).collect();
        let (mut losses, mut scores) = (Vec::new(), Vec::new());
        let scale = 1.0 / pairs.len() as f64;
        let mut head = |states: &Tensor| {
            let scored = scored(states, &score.variable)?;
            let values = numbers(&scored)?;
            let mut weights = Vec::with_capacity(values.len());
            for (pair, values) in part.iter().zip(values.chunks_exact(2)) {
                let both = [values[0], values[1]];
                let of_pair = loss.pair(both, pair.margin, pair.is_safe);
                weights.extend(of_pair.by_score.map(|by| (scale * by) as f32));
                losses.push(of_pair);
                scores.push(both);
            }
            let weights = Tensor::from_vec(weights, scored.shape(), scored.device())?;
            Ok((scored * weights)?.sum_all()?)
        };
        add_gradients(&decoder, last_tokens(&examples), &mut head, how.checkpointing, &mut found.sums)?;
        found.add(losses, scores);
    }
    found.finish(|pair| pair.loss)
}

/// Reads whole texts and looks at their last tokens.
fn last_tokens<'a>(examples: &[&'a Example]) -> Reads<'a> {
    let chunk = |example: &&'a Example| Chunk { tokens: &example.tokens, past: Past::None { row: example.row } };
    let mut end = 0;
    let last = |example: &&Example| {
        end += example.tokens.len();
        (end - 1) as u32
    };
    Reads { chunks: examples.iter().map(chunk).collect(), lines: examples.iter().map(last).collect() }
}

/// states (n, hidden_size), score (1, hidden_size) → (n, 1)
fn scored(states: &Tensor, score: &Tensor) -> Result<Tensor> {
    Ok(states.to_dtype(DType::F32)?.matmul(&score.to_dtype(DType::F32)?.t()?)?)
}

fn numbers(scored: &Tensor) -> Result<Vec<f64>> {
    let values: Vec<f32> = scored.flatten_all()?.to_vec1()?;
    Ok(values.into_iter().map(f64::from).collect())
}

fn check_counts(n_pairs: usize, n_references: usize) -> Result<()> {
    match n_pairs > 0 && n_pairs == n_references {
        true => Ok(()),
        false => Err(Error::Request {
            what: "training batch",
            got: format!("{n_pairs} pairs and {n_references} references"),
            expected: "at least one pair, and as many references".into(),
        }),
    }
}

pub(super) fn piece_seed(dropout_seed: Option<u64>, piece: usize) -> Option<u64> {
    dropout_seed.map(|seed| seed.wrapping_add(piece as u64))
}

/// What a batch came to so far.
struct Found<'a, T> {
    sums: GradientSums<'a>,
    pairs: Vec<T>,
    numbers: Vec<[f64; 2]>,
}

impl<'a, T> Found<'a, T> {
    fn new(parameters: &'a Parameters, n: usize) -> Self {
        Self { sums: GradientSums::new(parameters), pairs: Vec::with_capacity(n), numbers: Vec::with_capacity(n) }
    }

    /// The pairs of each pass.
    fn pieces<'p>(&self, pairs: &[&'p Pair], how: GradientOptions) -> Vec<Vec<&'p Pair>> {
        let rows = pairs.len().div_ceil(how.n_pieces.max(1)).max(1);
        pairs.chunks(rows).map(<[_]>::to_vec).collect()
    }

    fn add(&mut self, pairs: Vec<T>, numbers: Vec<[f64; 2]>) {
        self.pairs.extend(pairs);
        self.numbers.extend(numbers);
    }

    fn finish(self, loss: impl Fn(&T) -> f64) -> Result<PairBatch<T>> {
        let mean = self.pairs.iter().map(loss).sum::<f64>() / self.pairs.len() as f64;
        Ok(PairBatch { loss: mean, gradients: self.sums.finish()?, pairs: self.pairs, numbers: self.numbers })
    }
}
