//! Is a text better, not only different?
//!
//! | module | asks |
//! |---|---|
//! | [`quality`] | the flaw oracle, a reference, or a result that can be checked: what was mended, what was damaged |
//! | [`judge`] | somebody who compares two answers: a model behind a server, a reward model, a file of earlier judgements |
//! | [`judge_quality`] | how often does a judge say what people say? |
//! | [`win_rate`] | what verdicts come to: rates with intervals, length control, strengths, agreement |
//! | `choices` | a model itself, by log-probability: which of several given answers is likeliest (feature `tables`) |
#![cfg_attr(test, allow(clippy::unwrap_used))]

#[cfg(feature = "tables")]
pub mod choices;
#[cfg(test)]
mod files_for_tests;
pub mod judge;
pub mod judge_quality;
pub mod quality;
pub mod win_rate;
