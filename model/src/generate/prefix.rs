//! Prompts that are read once for all rows that continue them.

use crate::hook::{Hook, SHARED_ROW};
use crate::{Chunk, Decoder, Past, Result, SharedPrefix, Wanted};

/// Most tokens of one prefill pass; longer prompts are read in pieces, so that memory stays bounded.
pub const PREFILL_TOKENS: usize = 512;

/// Reads a prompt once, in pieces, so that any number of rows can continue it.
///
/// # Errors
/// As [`Decoder::forward`].
pub fn read_prefix(decoder: &Decoder, tokens: &[u32], hook: &mut dyn Hook) -> Result<SharedPrefix> {
    let mut cache = decoder.cache(vec![SHARED_ROW], tokens.len())?;
    for piece in tokens.chunks(PREFILL_TOKENS) {
        let chunk = Chunk { tokens: piece, past: Past::Cache(&mut cache) };
        decoder.forward(&mut [chunk], hook, &Wanted::Nothing)?;
    }
    cache.freeze()
}
