//! Teacher-forced log-probabilities: how likely the model finds a given continuation.

use candle_core::Tensor;
use rayon::prelude::*;

use crate::hook::Hook;
use crate::{Chunk, Decoder, Error, KvCache, Past, Result, SharedPrefix, Wanted};

/// Lines of logits computed at once; bounds memory at `LOGIT_LINES · vocab_size` numbers.
const LOGIT_LINES: usize = 128;

/// `[continuation][row][token]`
type LogProbs = Vec<Vec<Vec<f32>>>;

/// The same continuation text in several rows (at several coefficients, say) after one past.
#[derive(Debug, Clone, Copy)]
pub struct Continuation<'a> {
    /// Everything before the last prompt token, already read.
    pub prefix: &'a SharedPrefix,
    /// Last token of the prompt; it predicts the first token of the continuation.
    pub last_prompt_token: u32,
    /// Token ids of the continuation, at least one.
    pub tokens: &'a [u32],
    /// The caller's row ids, at least one.
    pub rows: &'a [usize],
}

/// Natural logarithm of the probability of every token of every continuation, in one pass.
///
/// # Shapes
/// `[continuation][row][token]`
///
/// # Example
/// ```
/// use redline_model::generate::read_prefix;
/// use redline_model::train::Parameters;
/// use redline_model::{Continuation, ModelConfig, NoHook, log_probs};
///
/// let decoder = Parameters::from_scratch(ModelConfig::llama([320, 32, 64, 2, 4], 256), 7)?.inference_decoder()?;
/// let prefix = read_prefix(&decoder, &[3, 1, 4], &mut NoHook)?;
/// let text = Continuation { prefix: &prefix, last_prompt_token: 1, tokens: &[5, 9], rows: &[0] };
/// let found = log_probs(&decoder, &[text], &mut NoHook)?;
/// assert_eq!(found[0][0].len(), 2);
/// assert!(found[0][0].iter().all(|log_prob| *log_prob < 0.0));
/// # Ok::<(), redline_model::Error>(())
/// ```
///
/// # Errors
/// An empty continuation, more positions than the context, logits that are not finite, or whatever a hook returns.
pub fn log_probs(
    decoder: &Decoder,
    continuations: &[Continuation<'_>],
    hook: &mut dyn Hook,
) -> Result<Vec<Vec<Vec<f32>>>> {
    Ok(read(decoder, continuations, hook)?.0)
}

/// [`log_probs`], and the caches of what was read: all of a continuation but its last token.
pub(crate) fn read(
    decoder: &Decoder,
    continuations: &[Continuation<'_>],
    hook: &mut dyn Hook,
) -> Result<(LogProbs, Vec<KvCache>)> {
    let inputs = continuations.iter().map(input_tokens).collect::<Result<Vec<_>>>()?;
    let mut caches = continuations
        .iter()
        .map(|c| c.prefix.branch(decoder.config(), c.rows.to_vec(), c.tokens.len(), decoder.device()))
        .collect::<Result<Vec<_>>>()?;
    let mut chunks: Vec<Chunk<'_>> =
        inputs.iter().zip(&mut caches).map(|(tokens, cache)| Chunk { tokens, past: Past::Cache(cache) }).collect();
    if chunks.is_empty() {
        return Ok((Vec::new(), caches));
    }
    let Some(states) = decoder.forward(&mut chunks, hook, &Wanted::All)? else { return Ok((Vec::new(), caches)) };

    let targets: Vec<u32> = continuations.iter().flat_map(|c| c.tokens.repeat(c.rows.len())).collect();
    let flat = gather_log_softmax(decoder, &states, &targets)?;
    let mut rest = flat.as_slice();
    let own = |continuation: &Continuation<'_>| {
        let (own, after) = rest.split_at(continuation.rows.len() * continuation.tokens.len());
        rest = after;
        by_row(continuation, own)
    };
    let values = continuations.iter().map(own).collect::<Result<_>>()?;
    Ok((values, caches))
}

/// What the pass reads: each row's last prompt token and all but the last token of the continuation.
fn input_tokens(continuation: &Continuation<'_>) -> Result<Vec<u32>> {
    let Some((_, read)) = continuation.tokens.split_last() else {
        return Err(Error::Request {
            what: "continuation",
            got: "no tokens".into(),
            expected: "at least one token".into(),
        });
    };
    Ok([&[continuation.last_prompt_token], read].concat().repeat(continuation.rows.len()))
}

fn by_row(continuation: &Continuation<'_>, flat: &[f32]) -> Result<Vec<Vec<f32>>> {
    let n = continuation.tokens.len();
    if let Some(index) = flat.iter().position(|value| !value.is_finite()) {
        let position = continuation.prefix.len() + 1 + index % n;
        return Err(Error::LogitsNotFinite { row: continuation.rows[index / n], position });
    }
    Ok(flat.chunks(n).map(<[f32]>::to_vec).collect())
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
        values.par_extend(logits.par_chunks(vocab_size).zip(targets).map(|(line, &target)| log_softmax(line, target)));
    }
    Ok(values)
}

/// Log-probability of a token by a line of logits.
pub(crate) fn log_softmax(logits: &[f32], target: u32) -> f32 {
    let max = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = logits.iter().map(|logit| (logit - max).exp()).sum();
    logits[target as usize] - max - sum.ln()
}
