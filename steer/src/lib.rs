//! Writing: steering how strongly an Aligner corrects, and measuring what the steering did.
//!
//! Measures of output: [`EditRatios`] (how much of an answer was rewritten) and [`repetition_rate`] (whether it loops;
//! a loop inflates the edit ratio, so the two are read together). Measures of a sweep over coefficients: [`fit_line`],
//! [`spearman`], [`bootstrap_sweep`] for intervals over prompts, and [`coherent_range`].

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod bootstrap;
mod coherent_range;
mod edit_ratio;
mod error;
mod levenshtein;
mod line_fit;
mod percentile;
mod rank;
mod repetition;

pub use bootstrap::{
    BootstrapOptions, Interval, SweepFit, bootstrap_sweep, prompt_slopes, sign_violations,
};
pub use coherent_range::{CoherentRange, coherent_range};
pub use edit_ratio::{
    EditRatioSummary, EditRatioVariant, EditRatios, RatioSummary, edit_ratios, split_words,
    summarize_edit_ratios,
};
pub use error::{Error, Result};
pub use levenshtein::{levenshtein_distance, levenshtein_distance_tokens};
pub use line_fit::{LineFit, fit_line};
pub use percentile::percentile;
pub use rank::{average_ranks, spearman};
pub use repetition::{REPETITION_N, repetition_rate};
