//! What people do with an Aligner, as functions: correct, extract, sweep, evaluate, make data, keep a tuned dial, test a model
//! against itself. Nothing here prints, draws, or parses arguments; long work reports to a callback, which can also end it.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod aligner;
pub mod annotate;
pub mod answer_gate;
pub mod baseline;
pub mod built_in;
pub mod contest;
pub mod correct;
pub mod directions;
pub mod domain;
pub mod embedded;
pub mod evaluation;
pub mod experiment;
pub mod feedback;
pub mod form;
pub mod iterate;
pub mod policy;
pub mod profile;
pub mod prompt_read;
pub mod reference;
pub mod reproduce;
pub mod reward;
pub mod route;
pub mod rows;
pub mod self_test;
pub mod shards;
pub mod stacking;
pub mod steering;
pub mod tune;
pub mod turns;
pub mod vector_unit;

mod error;
mod json_file;

pub use error::{Error, Result};
pub use redline_data as data;
pub use redline_data::{chat, conversation, observer, raw};
#[cfg(feature = "tables")]
pub use redline_judge::choices;
pub use redline_judge::{judge, judge_quality, quality, win_rate};
