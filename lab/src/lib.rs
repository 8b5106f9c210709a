//! What people do with an Aligner, as functions: correct, extract, sweep, evaluate, make data, keep a tuned dial, test a model
//! against itself. Nothing here prints, draws, or parses arguments; long work reports to a callback, which can also end it.
#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod aligner;
pub mod answer_gate;
pub mod baseline;
pub mod built_in;
pub mod chat;
#[cfg(feature = "tables")]
pub mod choices;
pub mod contest;
pub mod conversation;
pub mod correct;
pub mod data;
pub mod directions;
pub mod domain;
pub mod embedded;
pub mod experiment;
pub mod feedback;
pub mod form;
pub mod iterate;
pub mod judge;
pub mod observer;
pub mod policy;
pub mod profile;
pub mod prompt_read;
pub mod quality;
pub mod raw;
pub mod reference;
pub mod reproduce;
pub mod reward;
pub mod route;
pub mod rows;
pub mod self_test;
pub mod stacking;
pub mod steering;
pub mod tune;
pub mod turns;
pub mod vector_unit;
pub mod win_rate;

mod error;
mod json_file;

pub use error::{Error, Result};
