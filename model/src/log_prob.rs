//! Teacher-forced log-probabilities: how likely the model finds a given continuation.

use candle_core::Tensor;
use rayon::prelude::*;

use crate::hook::Hook;
use crate::{Chunk, Decoder, Error, Past, Result, SharedPrefix, Wanted};

/// Lines of logits computed at once; bounds memory at `LOGIT_LINES · vocab_size` numbers.
const LOGIT_LINES: usize = 128;

/// The same continuation text in several rows (at several coefficients, say) after one past.
#[derive(Debug, Clone)]
pub struct Continuation<'a> {
    /// Everything before the last prompt token, already read.
    pub prefix: &'a SharedPrefix,
    /// Last token of the prompt; it predicts the first token of the continuation.
    pub last_prompt_token: u32,
    /// Token ids of the continuation, at least one.
    pub tokens: &'a [u32],
    /// The caller's row ids.
    pub rows: &'a [usize],
}

/// Natural logarithm of the probability of every token of the continuation, for each row: `[rows][tokens]`.
///
/// # Errors
/// An empty continuation, more positions than the context, logits that are not finite, or whatever a hook returns.
pub fn log_probs(decoder: &Decoder, continuation: &Continuation<'_>, hook: &mut dyn Hook) -> Result<Vec<Vec<f32>>> {
    let Continuation { prefix, last_prompt_token, tokens, rows } = continuation;
    let Some((_, read)) = tokens.split_last() else {
        return Err(Error::Request {
            what: "continuation",
            got: "no tokens".into(),
            expected: "at least one token".into(),
        });
    };
    let mut input = Vec::with_capacity(rows.len() * tokens.len());
    for _ in *rows {
        input.push(*last_prompt_token);
        input.extend_from_slice(read);
    }
    let mut cache = prefix.branch(decoder.config(), rows.to_vec(), tokens.len(), decoder.device())?;
    let chunk = Chunk { tokens: &input, past: Past::Cache(&mut cache) };
    let Some(states) = decoder.forward(&mut [chunk], hook, &Wanted::All)? else { return Ok(Vec::new()) };
    drop(cache);

    let targets: Vec<u32> = rows.iter().flat_map(|_| tokens.iter().copied()).collect();
    let flat = gather_log_softmax(decoder, &states, &targets)?;
    if let Some(index) = flat.iter().position(|value| !value.is_finite()) {
        let (row, position) = (rows[index / tokens.len()], prefix.len() + 1 + index % tokens.len());
        return Err(Error::LogitsNotFinite { row, position });
    }
    Ok(flat.chunks(tokens.len()).map(<[f32]>::to_vec).collect())
}

/// log softmax of each line's logits at its target: states (n, hidden), n targets → n numbers.
fn gather_log_softmax(decoder: &Decoder, states: &Tensor, targets: &[u32]) -> Result<Vec<f32>> {
    let vocab_size = decoder.config().vocab_size;
    if let Some(&id) = targets.iter().find(|&&id| id as usize >= vocab_size) {
        return Err(Error::TokenOutOfRange { id, vocab_size });
    }
    let mut values = Vec::with_capacity(targets.len());
    for (part, targets) in targets.chunks(LOGIT_LINES).enumerate() {
        let states = states.narrow(0, part * LOGIT_LINES, targets.len())?;
        let logits: Vec<f32> = decoder.logits(&states)?.flatten_all()?.to_vec1()?;
        values.par_extend(logits.par_chunks(vocab_size).zip(targets).map(|(line, &target)| {
            let max = line.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            let sum: f32 = line.iter().map(|logit| (logit - max).exp()).sum();
            line[target as usize] - max - sum.ln()
        }));
    }
    Ok(values)
}
