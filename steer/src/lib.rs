//! Writing: steering how strongly an Aligner corrects, and measuring what the steering did.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod error;
mod levenshtein;
mod repetition;

pub use error::{Error, Result};
pub use levenshtein::{levenshtein_distance, levenshtein_distance_tokens};
pub use repetition::{REPETITION_N, repetition_rate};
