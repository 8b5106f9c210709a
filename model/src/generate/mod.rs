//! Batched generation: prompts of any lengths, each continued in any number of rows.
//!
//! [`generate`] takes all prompts at once and returns when all rows have ended; a [`batch::Batch`] takes rows in and gives them up between two
//! passes. The example at the crate's root generates.

pub mod batch;
mod beam;
mod copy_bias;
mod draft;
mod place;
mod prefix;
mod request;

use std::collections::HashMap;
use std::sync::Arc;

use crate::hook::Hook;
use crate::{Decoder, ReadText, Result};

use batch::{Batch, OnToken};
pub use beam::{Beam, BeamOptions, Beams, beam_search};
pub use copy_bias::CopyBias;
pub use prefix::{PREFILL_TOKENS, read_prefix};
pub use request::{Drafting, Finish, GenerateOptions, Generated, Prompt};

/// Continues every prompt in its rows and returns them in the order of `prompts` and their `rows`.
///
/// `on_token(row, id)` sees every new token as it is chosen and can end its row with `Break`: for streaming, stop
/// strings, progress. An interrupt is asked for by `Err(Error::Interrupted)`.
///
/// # Errors
/// An empty prompt, a prompt that leaves no room for `max_new_tokens`, options out of range, logits that are not
/// finite, or whatever a hook or `on_token` returns.
pub fn generate(
    decoder: &Decoder,
    prompts: &[Prompt],
    options: &GenerateOptions,
    hook: &mut dyn Hook,
    on_token: OnToken<'_>,
) -> Result<Vec<Generated>> {
    Ok(generate_and_keep(decoder, prompts, options, hook, on_token)?.0)
}

/// [`generate`], and what each row of [`Prompt::kept`] has read, by row.
///
/// # Errors
/// As [`generate`].
pub fn generate_and_keep(
    decoder: &Decoder,
    prompts: &[Prompt],
    options: &GenerateOptions,
    hook: &mut dyn Hook,
    on_token: OnToken<'_>,
) -> Result<(Vec<Generated>, HashMap<usize, ReadText>)> {
    options.check()?;
    let options = Arc::new(options.clone());
    let mut batch = Batch::new(usize::MAX);
    for prompt in prompts {
        batch.admit(decoder, prompt.clone(), &options)?;
    }
    // all prompts first: then every pass writes for as many rows as there are
    while batch.is_reading() {
        batch.read(decoder, hook)?;
    }
    let (mut by_row, mut kept) = (HashMap::new(), HashMap::new());
    while !batch.is_empty() {
        for ended in batch.step(decoder, hook, on_token)? {
            by_row.insert(ended.row, ended.outcome?);
            kept.extend(ended.read.map(|read| (ended.row, read)));
        }
    }
    let order = prompts.iter().flat_map(|prompt| prompt.rows.iter());
    Ok((order.filter_map(|row| by_row.remove(row)).collect(), kept))
}
