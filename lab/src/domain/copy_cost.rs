//! What the tokens of an answer cost as a copy of it.

use redline_model::generate::read_prefix;
use redline_model::{Continuation, Decoder, NoHook, SharedPrefix, log_probs};

use crate::error::Result;

/// Most tokens of an answer that are read: more take time and change nothing.
pub const JUDGED_TOKENS: usize = 128;
/// Fewest tokens of an answer of which a quartile tells anything.
pub const LEAST_TOKENS: usize = 8;

/// The upper quartile of costs, and the prompt as it was read; `None` where answer or context are too short.
pub(super) fn copy_cost(
    decoder: &Decoder,
    prompt: &[u32],
    answer: &[u32],
    read: Option<SharedPrefix>,
) -> Result<Option<(f64, SharedPrefix)>> {
    let room = decoder.config().context.saturating_sub(prompt.len());
    let answer = &answer[..answer.len().min(JUDGED_TOKENS).min(room)];
    let Some((last, before)) = prompt.split_last().filter(|_| answer.len() >= LEAST_TOKENS) else { return Ok(None) };
    let prefix = read.map_or_else(|| read_prefix(decoder, before, &mut NoHook), Ok)?;
    let copy = Continuation { prefix: &prefix, last_prompt_token: *last, tokens: answer, rows: &[0] };
    let costs: Vec<f64> =
        log_probs(decoder, &[copy], &mut NoHook)?.into_iter().flatten().flatten().map(|p| -f64::from(p)).collect();
    Ok(upper_quartile(costs).map(|cost| (cost, prefix)))
}

/// The value that three quarters of the values do not exceed; none of no values.
pub fn upper_quartile(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let place = (values.len() * 3).div_ceil(4).checked_sub(1)?;
    values.get(place).copied()
}
