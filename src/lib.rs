//! Redline reads, steers and measures correction in Aligner language models.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod data;
pub mod plot;
