//! Propensity: log p(correction | q, a) − log p(answer | q, a) under the steered model, teacher-forced. The dial
//! measured without generating.

use redline_model::generate::read_prefix;
use redline_model::{Continuation, Decoder, NoHook, log_probs};
use redline_probe::ContrastPair;
use serde::{Deserialize, Serialize};

use crate::inject::{Inject, RowSteering, TokenRange};
use crate::{Arm, ControlVector, Operator, Result};

/// Most rows of one pass.
const ROWS: usize = 24;

/// Propensity of one pair under one arm.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Propensity {
    /// Index of the triple.
    pub row: usize,
    /// Index of the vector.
    pub vector: usize,
    /// The signed strength.
    pub coefficient: f32,
    /// Sum of log-probabilities of the correction's tokens, in nats.
    pub correction: f64,
    /// Tokens of the correction that were scored.
    pub correction_tokens: usize,
    /// Sum of log-probabilities of the unchanged answer's tokens, in nats.
    pub answer: f64,
    /// Tokens of the answer that were scored.
    pub answer_tokens: usize,
}

impl Propensity {
    /// Summed difference in nats.
    pub fn total(&self) -> f64 {
        self.correction - self.answer
    }

    /// Difference of the mean log-probabilities per token, in nats.
    pub fn per_token(&self) -> f64 {
        self.correction / self.correction_tokens as f64 - self.answer / self.answer_tokens as f64
    }
}

/// What to measure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PropensityOptions {
    /// Which positions are steered.
    pub range: TokenRange,
    /// How vectors meet activations.
    pub operator: Operator,
    /// Score at most this many tokens from the first difference on; the tokens before it are scored as well.
    pub max_tokens: usize,
}

/// Measures forced pairs under all arms; the prompt of a pair is read once where the range leaves it alone.
///
/// `on_pair(done, total)` is called after each pair and can end the run with an error.
///
/// # Shapes
/// The result holds (pairs × arms) values, pair by pair.
///
/// # Errors
/// A vector that does not fit the model, a text beyond the context, or whatever `on_pair` returns.
pub fn propensity(
    decoder: &Decoder,
    pairs: &[ContrastPair],
    vectors: &[&ControlVector],
    arms: &[Arm],
    options: &PropensityOptions,
    on_pair: &mut dyn FnMut(usize, usize) -> Result<()>,
) -> Result<Vec<Propensity>> {
    let mut inject = Inject::new(vectors, options.range, decoder.config())?;
    let mut results = Vec::with_capacity(pairs.len() * arms.len());
    for (done, pair) in pairs.iter().enumerate() {
        for arms in arms.chunks(ROWS) {
            results.extend(pair_propensity(decoder, pair, arms, options, &mut inject)?);
        }
        on_pair(done + 1, pairs.len())?;
    }
    Ok(results)
}

/// Tokens of an output that are scored.
pub(crate) fn text_limit(pair: &ContrastPair, output: &[u32], options: &PropensityOptions) -> usize {
    output.len().min(pair.first_difference + options.max_tokens)
}

fn pair_propensity(
    decoder: &Decoder,
    pair: &ContrastPair,
    arms: &[Arm],
    options: &PropensityOptions,
    inject: &mut Inject,
) -> Result<Vec<Propensity>> {
    let prompt = &pair.positive.prompt;
    let (last, before) = match prompt.split_last() {
        Some((last, before)) if options.range.leaves_prompt() => (*last, before),
        // nothing can be shared: the whole prompt becomes part of the continuation
        _ => (prompt[0], &[][..]),
    };
    let lead = prompt[before.len() + 1..].to_vec();
    let prefix = read_prefix(decoder, before, &mut NoHook)?;
    let text = |output: &[u32]| [lead.as_slice(), &output[..text_limit(pair, output, options)]].concat();
    let texts = [text(&pair.positive.output), text(&pair.negative.output)];

    inject.clear_rows();
    let rows: [Vec<usize>; 2] = [(0..arms.len()).collect(), (arms.len()..2 * arms.len()).collect()];
    for (row, arm) in rows.concat().into_iter().zip(arms.iter().cycle()) {
        let steering = RowSteering::new(arm.vector, arm.coefficient, prompt.len()).by(options.operator);
        inject.steer(row, steering)?;
    }
    let continuation =
        |i: usize| Continuation { prefix: &prefix, last_prompt_token: last, tokens: &texts[i], rows: &rows[i] };
    let scored = log_probs(decoder, &[continuation(0), continuation(1)], inject)?;
    let sum = |text: usize, arm: usize| scored[text][arm][lead.len()..].iter().map(|&p| f64::from(p)).sum::<f64>();
    Ok(arms
        .iter()
        .enumerate()
        .map(|(i, arm)| Propensity {
            row: pair.row,
            vector: arm.vector,
            coefficient: arm.coefficient,
            correction: sum(0, i),
            correction_tokens: texts[0].len() - lead.len(),
            answer: sum(1, i),
            answer_tokens: texts[1].len() - lead.len(),
        })
        .collect())
}
