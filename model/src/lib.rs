//! The network under Redline: configuration, weights, tokenizer, decoder, hooks, cache and generation.

mod error;

pub use error::{Error, Result};
