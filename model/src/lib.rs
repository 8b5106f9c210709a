//! The network under Redline: configuration, weights, tokenizer, decoder, hooks, cache and generation.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod error;
pub mod gguf;
pub mod qac;
pub mod template;
pub mod tokenizer;

pub use error::{Error, Result};
pub use qac::{Qac, Question};
pub use template::{AlignerTemplate, RenderedPrompt};
pub use tokenizer::{StreamDecoder, Tokenizer};
