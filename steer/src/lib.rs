//! Writing: steering how strongly an Aligner corrects, and measuring what the steering did.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod edit_ratio;
mod error;
mod levenshtein;
mod percentile;
mod repetition;

pub use edit_ratio::{
    EditRatioSummary, EditRatioVariant, EditRatios, RatioSummary, edit_ratios, split_words,
    summarize_edit_ratios,
};
pub use error::{Error, Result};
pub use levenshtein::{levenshtein_distance, levenshtein_distance_tokens};
pub use percentile::percentile;
pub use repetition::{REPETITION_N, repetition_rate};
