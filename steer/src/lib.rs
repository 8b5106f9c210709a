//! Writing: steering how strongly an Aligner corrects, and measuring what the steering did.
//!
//! Measures of output: [`EditRatios`] (how much of an answer was rewritten) and [`repetition_rate`] (whether it loops;
//! a loop inflates the edit ratio, so the two are read together). Measures of a sweep over coefficients: [`fit_line`],
//! [`spearman`], [`bootstrap_sweep`] for intervals over prompts, [`paired_change`] against coefficient 0, [`compare_lines`] for words against the dial, [`straightness()`], [`slope_evidence`] for a slope's
//! place among nulls, which [`propensity_gradients`] gives by the thousand, [`coherent_range`], and [`tune`] for the way back from a ratio to a coefficient.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod arm;
mod bootstrap;
mod coherent_range;
mod control;
pub mod control_file;
pub mod controls;
mod edit_ratio;
mod error;
mod evidence;
mod exchange;
mod first_order;
mod gate;
pub mod inject;
pub mod inside_file;
mod levenshtein;
mod line_fit;
pub mod operator;
mod paired;
mod propensity;
mod repetition;
mod straightness;
pub mod sweep;
pub mod sweep_log;
pub mod sweep_shards;
pub mod trained;
mod tune;
mod unit;

pub use arm::{Arm, CORRECTION, LARGEST_COEFFICIENT, NamedVector, arms, check_coefficients};
pub use bootstrap::{BootstrapOptions, SweepFit, bootstrap_sweep, prompt_slopes, sign_violations};
pub use coherent_range::{CoherentRange, coherent_range};
pub use control::ControlVector;
pub use edit_ratio::{
    EditRatioSummary, EditRatioVariant, EditRatios, RatioSummary, edit_ratios, split_words, summarize_edit_ratios,
};
pub use error::{Error, Result};
pub use evidence::{SlopeEvidence, attained_share, same_output_share, slope_evidence, unmoved_share};
pub use exchange::{Exchange, LineComparison, Resampled, compare_lines};
pub use first_order::{PropensityGradient, propensity_gradients};
pub use gate::{Gate, GateCounts};
pub use inject::{Inject, LayerEffect, RowSteering, TokenRange};
pub use inside_file::InsideFile;
pub use levenshtein::{MOST_STEPS, comparison_steps, levenshtein_distance, levenshtein_distance_tokens};
pub use line_fit::{LineFit, fit_line};
pub use operator::Operator;
pub use paired::{PairedChange, paired_change, two_level_change};
pub use propensity::{Propensity, PropensityOptions, propensity};
pub use redline_probe::stats::{Interval, average_ranks, percentile, spearman};
pub use repetition::{REPETITION_N, repetition_rate};
pub use straightness::{LackOfFit, Straightness, isotonic_fit, straightness};
pub use sweep::{SweepObserver, SweepOptions, SweepPrompt, SweepRow, sweep, total_effect};
pub use sweep_log::{SweepLog, read_sweep};
pub use sweep_shards::{merged_sweep, read_sweeps};
pub use tune::{Reach, Tuned, tune};
pub use unit::{Unit, control_vector, reading_control_vector};

#[cfg(test)]
mod coverage_tests;
#[cfg(test)]
mod inside_tests;
